"""The biharmonic equation on the masked pixels of a plane: the smoothest surface that continues values and slopes.

    minimise sum of (L u)^2 over all pixels of the plane:  L L u = 0  at each unknown pixel

L is the 5-point Laplace operator, with nothing across the frame's border; L L has 13 pixels.

With B = L between unknown pixels, and C between them and known ones, the matrix of that is B B + C C^T. Its condition
grows with the fourth power of a hole's width, but B^-1 leaves of it I + (B^-1 C)(B^-1 C)^T, of which few eigenvalues
are far from 1: conjugate gradients preconditioned by two V-cycles for B (multigrid.pxd) take some ten iterations. They
are in double, for the condition is beyond float's digits; the cycles are not, for they need not be exact.
"""

from libc.stddef cimport ptrdiff_t, size_t
from libc.string cimport memcpy, memset

from common.c cimport crow, crow_double, row, row_double
from common.pixels cimport View, load_part
from kernels.multigrid cimport Grid, Level, cycle, grid_floats, largest, row_pitch
from kernels.poisson cimport solve_box
from kernels.regions cimport Region, Run


cdef enum:
    RING = 2               # pixels around a box that count
    LEAD = 8               # doubles before a row: the ring, and a whole cache line
    LANES = 8              # sums are taken in as many parts at every CPU level
    ITERATIONS = 1000      # at most


cdef struct Surface:       # how arrays of doubles are laid: a box and the ring around it
    int width
    int height
    size_t pitch
    # Pixels that the frame has beyond the box, up to RING.
    int left
    int right
    int top
    int bottom


cdef inline size_t double_pitch(int width) noexcept nogil:
    return (<size_t>width + RING + LEAD - 1) // LEAD * LEAD + LEAD


cdef inline size_t surface_doubles(int width, int height) noexcept nogil:
    """Of one array."""
    return double_pitch(width) * (<size_t>height + 2 * RING) + LEAD


cdef inline size_t biharmonic_floats(int width, int height) noexcept nogil:
    """The memory of solve_biharmonic."""
    return grid_floats(width, height) + 2 * 6 * surface_doubles(width, height) + row_pitch(width + 2 * RING)


cdef inline double *take_doubles(float **memory, const Surface *s) noexcept nogil:
    """An array of zeros; its first pixel."""
    cdef size_t size = surface_doubles(s.width, s.height)
    cdef double *array = <double *>memory[0]
    memset(array, 0, size * sizeof(double))
    memory[0] += 2 * size
    return array + RING * s.pitch + LEAD


cdef inline Surface lay_surface(const Region *r, int width, int height) noexcept nogil:
    """For the box of a region in a plane of this size."""
    cdef Surface s
    s.width = r.right - r.left
    s.height = r.bottom - r.top
    s.pitch = double_pitch(s.width)
    s.left = min(r.left, RING)
    s.right = min(width - r.right, RING)
    s.top = min(r.top, RING)
    s.bottom = min(height - r.bottom, RING)
    return s


# The operator

cdef inline void mirror(double *a, const Surface *s, int depth) noexcept nogil:
    """Beyond the frame's border, where it is within `depth` of the box, the pixels at it: so nothing crosses it."""
    cdef ptrdiff_t p = s.pitch
    cdef int first = -min(s.top, depth)
    cdef int end = s.height + min(s.bottom, depth)
    cdef int y
    if s.left < depth:
        for y in range(first, end):
            a[y * p - s.left - 1] = a[y * p - s.left]
    if s.right < depth:
        for y in range(first, end):
            a[y * p + s.width + s.right] = a[y * p + s.width + s.right - 1]
    if s.top < depth:
        memcpy(a - (s.top + 1) * p - RING, a - s.top * p - RING, (s.width + 2 * RING) * sizeof(double))
    if s.bottom < depth:
        y = s.height + s.bottom
        memcpy(a + y * p - RING, a + (y - 1) * p - RING, (s.width + 2 * RING) * sizeof(double))


cdef inline void laplace_row(row_double out, crow_double up, crow_double u, crow_double below, int n) noexcept nogil:
    cdef int x
    for x in range(n):  # hot
        out[x] = <double>4 * u[x] - ((u[x - 1] + u[x + 1]) + (up[x] + below[x]))


cdef inline void masked_laplace_row(
        row_double out, crow_double up, crow_double u, crow_double below, crow_double unknown,
        int n) noexcept nogil:
    cdef double value
    cdef int x
    for x in range(n):  # hot
        value = <double>4 * u[x] - ((u[x - 1] + u[x + 1]) + (up[x] + below[x]))
        out[x] = value if unknown[x] != 0 else 0     # a pixel that does not count may be NaN


cdef inline void apply_biharmonic(
        double *out, double *u, double *laplacian, const double *unknown, const Surface *s) noexcept nogil:
    """L L u at unknown pixels, 0 at others; what u has beyond the frame's border is overwritten."""
    cdef ptrdiff_t p = s.pitch
    cdef int y
    mirror(u, s, 2)
    for y in range(-min(s.top, 1), s.height + min(s.bottom, 1)):
        laplace_row(laplacian + y * p - 1, u + (y - 1) * p - 1, u + y * p - 1, u + (y + 1) * p - 1, s.width + 2)
    mirror(laplacian, s, 1)
    for y in range(s.height):
        masked_laplace_row(
            out + y * p, laplacian + (y - 1) * p, laplacian + y * p, laplacian + (y + 1) * p, unknown + y * p, s.width)


# Conjugate gradients

cdef inline void add_double_products(double *lanes, const double *a, const double *b) noexcept nogil:
    cdef int k
    for k in range(LANES):
        lanes[k] += a[k] * b[k]


cdef inline void add_mixed_products(double *lanes, const double *a, const float *b) noexcept nogil:
    cdef int k
    for k in range(LANES):
        lanes[k] += a[k] * b[k]


cdef inline double product(
        const double *a, const double *doubles, const float *floats, const Surface *s) noexcept nogil:
    """The sum of products with the one or the other, in an order that does not depend on the CPU.

    Beyond the box, one of the factors is 0.
    """
    cdef double lanes[LANES]
    cdef double total = 0
    cdef size_t q = row_pitch(s.width)
    cdef int k, y
    for k in range(LANES):
        lanes[k] = 0
    for y in range(s.height):
        for k in range((s.width + LANES - 1) // LANES):
            if doubles != NULL:
                add_double_products(lanes, a + y * s.pitch + LANES * k, doubles + y * s.pitch + LANES * k)
            else:
                add_mixed_products(lanes, a + y * s.pitch + LANES * k, floats + y * q + LANES * k)
    for k in range(LANES):
        total += lanes[k]
    return total


cdef inline void narrow_row(row out, crow_double a, int n) noexcept nogil:
    cdef int x
    for x in range(n):  # hot
        out[x] = <float>a[x]


cdef inline void narrow(float *out, const double *a, const Surface *s) noexcept nogil:
    cdef int y
    for y in range(s.height):
        narrow_row(out + y * row_pitch(s.width), a + y * s.pitch, s.width)


cdef inline void step_row(row_double out, double before, double factor, crow_double a, int n) noexcept nogil:
    cdef int x
    for x in range(n):  # hot
        out[x] = before * out[x] + factor * a[x]


cdef inline void advance(
        double *out, double before, double factor, const double *a, const Surface *s) noexcept nogil:
    """out = before*out + factor*a"""
    for _ in range(s.height):
        step_row(out, before, factor, a, s.width)
        out += s.pitch
        a += s.pitch


cdef inline void widen_row(row_double out, double before, crow a, int n) noexcept nogil:
    cdef int x
    for x in range(n):  # hot
        out[x] = before * out[x] + a[x]


cdef inline void advance_narrow(double *out, double before, const float *a, const Surface *s) noexcept nogil:
    """out = before*out + a"""
    for _ in range(s.height):
        widen_row(out, before, a, s.width)
        out += s.pitch
        a += row_pitch(s.width)


cdef inline void precondition(Grid *g, const double *residual, const Surface *s) noexcept nogil:
    """Two V-cycles for a residual; the result is `other` of level 0."""
    cdef Level *v = &g.level[0]
    cdef int y
    narrow(v.f, residual, s)
    cycle(g)
    for y in range(s.height):
        memcpy(v.f + y * v.pitch, v.other + y * v.pitch, s.width * sizeof(float))
    cycle(g)


cdef inline void load_surface(
        double *x, double *unknown, const Surface *s, const View *src, const Region *r, const Level *v,
        const float *inside, float *line) noexcept nogil:
    """The picture, of unknown pixels what is `inside`; and which those are."""
    cdef ptrdiff_t i
    cdef int y, j
    for y in range(-s.top, s.height + s.bottom):
        load_part(line, src, r.left - s.left, r.top + y, s.left + s.width + s.right)
        for j in range(s.left + s.width + s.right):
            x[y * <ptrdiff_t>s.pitch - s.left + j] = line[j]
    for y in range(s.height):
        for j in range(s.width):
            i = y * <ptrdiff_t>s.pitch + j
            if v.inverse[y * v.pitch + j] != 0:
                unknown[i] = 1
                x[i] = inside[y * v.pitch + j]


cdef inline const float *solve_biharmonic(
        Grid *g, const View *src, const Region *r, const Run *runs, const float *picture, float tolerance,
        float *memory) noexcept nogil:
    """The solution, laid like the picture, the box of a region that knows all unknown pixels within RING of its own.

    It is off by about `tolerance` or less. The harmonic solution is the start.
    """
    cdef Surface s = lay_surface(r, src.width, src.height)
    cdef float *doubles = memory + grid_floats(s.width, s.height)
    cdef Level *v = &g.level[0]
    cdef double *x = take_doubles(&doubles, &s)
    cdef double *unknown = take_doubles(&doubles, &s)
    cdef double *residual = take_doubles(&doubles, &s)
    cdef double *direction = take_doubles(&doubles, &s)
    cdef double *image = take_doubles(&doubles, &s)
    cdef double *laplacian = take_doubles(&doubles, &s)
    cdef double rz, curvature
    cdef double before = 1
    cdef int n
    solve_box(g, r, runs, src.width, src.height, picture, NULL, tolerance, memory)
    load_surface(x, unknown, &s, src, r, v, g.x, doubles)
    apply_biharmonic(image, x, laplacian, unknown, &s)
    advance(residual, 0, -1, image, &s)
    for n in range(ITERATIONS):
        precondition(g, residual, &s)
        # Two cycles leave a part of slow modes: the error has been seen to be up to 6 times what they make of it.
        if not largest(v.other, v) > <float>0.1 * tolerance:
            advance_narrow(x, 1, v.other, &s)
            break
        rz = product(residual, NULL, v.other, &s)
        advance_narrow(direction, rz / before if n > 0 else 0, v.other, &s)
        before = rz
        apply_biharmonic(image, direction, laplacian, unknown, &s)
        curvature = product(direction, image, NULL, &s)
        if not curvature > 0:  # all is solved, or NaN, which the harmonic solution shows
            break
        advance(x, 1, rz / curvature, direction, &s)
        advance(residual, 1, -rz / curvature, image, &s)
    narrow(g.x, x, &s)
    return g.x
