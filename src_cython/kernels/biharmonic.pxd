"""The biharmonic equation on the masked pixels of a plane: the smoothest surface that continues values and slopes.

    minimise sum of (L u)^2 over all pixels of the plane:  L L u = 0  at each unknown pixel

L is the 5-point Laplace operator, with nothing across the frame's border; L L has 13 pixels. Its condition grows with
the fourth power of a hole's width, beyond the digits of float.

The solver is conjugate gradients in double, from the harmonic solution on, preconditioned by a V-cycle of multigrid in
float, which need not be exact: steps at the Chebyshev nodes of the part of the spectrum that a coarser grid does not
show; cells of 2 x 2 pixels, unknown if all of them are, with the same operator, whose eigenvalues are 16 times those on
the finer grid; between them bilinear interpolation and its transpose. On a coarse grid a hole is softer than it should
be, as what holds it is half a cell or more away; so cells beside known ones are also tied to 0, with a weight of TIE
for each, found by trying. Some 10 iterations, whatever the size of a hole; without the tie 20, more in larger ones.
"""

from libc.stddef cimport ptrdiff_t, size_t
from libc.string cimport memcpy, memset

from common.c cimport crow, crow_double, row, row_double
from common.pixels cimport View, load_part
from kernels.multigrid cimport Grid, grid_floats, largest, row_pitch
from kernels.poisson cimport solve_box
from kernels.regions cimport Region, Run


cdef enum:
    LEVELS = 32
    RING = 2               # pixels around a box that count
    LEAD = 16              # numbers before a row: the ring, and whole cache lines
    LANES = 16             # sums are taken in as many parts at every CPU level
    STEPS = 4              # before and after a coarser level
    TIE = 3
    ITERATIONS = 500       # at most


ctypedef fused real:
    float
    double


cdef struct Surface:       # how arrays are laid: a box and the ring around it
    int width
    int height
    size_t pitch           # of a row
    # Pixels that the frame has beyond the box, up to RING.
    int left
    int right
    int top
    int bottom


cdef struct Level:
    Surface s
    float *unknown         # 1 or 0
    float *tie             # added to the operator's diagonal
    float *u
    float *f
    float *residual


cdef struct Solver:
    int count
    Level level[LEVELS]
    float *lines           # three, for the Laplacian of rows
    # Conjugate gradients, laid like level 0.
    double *unknown
    double *x
    double *residual
    double *direction
    double *image          # of the direction
    double *laplacian


cdef inline size_t surface_pitch(int width) noexcept nogil:
    return (<size_t>width + RING + LEAD - 1) // LEAD * LEAD + LEAD


cdef inline size_t surface_numbers(int width, int height) noexcept nogil:
    """Of one array."""
    return surface_pitch(width) * (<size_t>height + 2 * RING) + LEAD


cdef inline size_t solver_floats(int width, int height) noexcept nogil:
    """The memory of a solver for a box."""
    cdef size_t size = 2 * 6 * surface_numbers(width, height) + 3 * surface_pitch(width) + LEAD
    while True:
        size += 5 * surface_numbers(width, height)
        if width <= 2 and height <= 2:
            return size
        width = (width + 1) // 2
        height = (height + 1) // 2


cdef inline size_t biharmonic_floats(const Region *r) noexcept nogil:
    """The memory of solve_biharmonic for a region, beside that of its box as a picture."""
    cdef int width = r.right - r.left
    cdef int height = r.bottom - r.top
    return grid_floats(width, height) + solver_floats(width, height) + row_pitch(width + 2 * RING)


cdef inline float *take_floats(float **memory, const Surface *s) noexcept nogil:
    """An array of zeros; its first pixel."""
    cdef size_t size = surface_numbers(s.width, s.height)
    cdef float *array = memory[0]
    memset(array, 0, size * sizeof(float))
    memory[0] += size
    return array + RING * s.pitch + LEAD


cdef inline double *take_doubles(float **memory, const Surface *s) noexcept nogil:
    cdef size_t size = surface_numbers(s.width, s.height)
    cdef double *array = <double *>memory[0]
    memset(array, 0, size * sizeof(double))
    memory[0] += 2 * size
    return array + RING * s.pitch + LEAD


cdef inline Surface lay_surface(const Region *r, int width, int height) noexcept nogil:
    """For the box of a region in a plane of this size."""
    cdef Surface s
    s.width = r.right - r.left
    s.height = r.bottom - r.top
    s.pitch = surface_pitch(s.width)
    s.left = min(r.left, RING)
    s.right = min(width - r.right, RING)
    s.top = min(r.top, RING)
    s.bottom = min(height - r.bottom, RING)
    return s


cdef inline Surface halved(const Surface *s) noexcept nogil:
    """For cells of 2 x 2 pixels. What the frame has beyond the box is known, however much it is."""
    cdef Surface h
    h.width = (s.width + 1) // 2
    h.height = (s.height + 1) // 2
    h.pitch = surface_pitch(h.width)
    h.left = RING if s.left > 0 else 0
    h.right = RING if s.right > 0 else 0
    h.top = RING if s.top > 0 else 0
    h.bottom = RING if s.bottom > 0 else 0
    return h


cdef inline void lay_level(Level *v, float **memory) noexcept nogil:
    v.unknown = take_floats(memory, &v.s)
    v.tie = take_floats(memory, &v.s)
    v.u = take_floats(memory, &v.s)
    v.f = take_floats(memory, &v.s)
    v.residual = take_floats(memory, &v.s)


# The operator. Beyond the frame's border are the pixels at it: so nothing crosses it.

cdef inline void mirror_ends(real *a, const Surface *s, int depth) noexcept nogil:
    """Of a row, where the frame's border is within `depth` of the box."""
    if s.left < depth:
        (a - s.left - 1)[0] = (a - s.left)[0]
    if s.right < depth:
        a[s.width + s.right] = a[s.width + s.right - 1]


cdef inline void mirror(real *a, const Surface *s, int depth) noexcept nogil:
    cdef ptrdiff_t p = s.pitch
    cdef int y
    for y in range(-min(s.top, depth), s.height + min(s.bottom, depth)):
        mirror_ends(a + y * p, s, depth)
    if s.top < depth:
        memcpy(a - (s.top + 1) * p - RING, a - s.top * p - RING, (s.width + 2 * RING) * sizeof(real))
    if s.bottom < depth:
        y = s.height + s.bottom
        memcpy(a + y * p - RING, a + (y - 1) * p - RING, (s.width + 2 * RING) * sizeof(real))


cdef inline real laplacian(real *up, real *u, real *below, int x) noexcept nogil:
    return ((u[x] + u[x]) - (u[x - 1] + u[x + 1])) + ((u[x] + u[x]) - (up[x] + below[x]))


cdef inline void laplace_row(real *out, real *up, real *u, real *below, int n) noexcept nogil:
    cdef int x
    for x in range(n):  # hot
        out[x] = laplacian(up, u, below, x)


# Coarser levels

cdef inline bint halve(Level *coarse, const Level *fine) noexcept nogil:
    """Which cells are unknown; whether there is any."""
    cdef bint any = False
    cdef float unknown
    cdef int x, y, i, j
    for y in range(coarse.s.height):
        for x in range(coarse.s.width):
            unknown = 1
            for j in range(2 * y, min(2 * y + 2, fine.s.height)):
                for i in range(2 * x, min(2 * x + 2, fine.s.width)):
                    unknown *= fine.unknown[j * fine.s.pitch + i]
            coarse.unknown[y * coarse.s.pitch + x] = unknown
            any |= unknown != 0
    return any


cdef inline void clear_ring(float *a, const Surface *s) noexcept nogil:
    """What `mirror` with a depth of 1 has set."""
    cdef ptrdiff_t p = s.pitch
    cdef int y
    for y in range(-1, s.height + 1):
        a[y * p - 1] = a[y * p + s.width] = 0
    memset(a - p - RING, 0, (s.width + 2 * RING) * sizeof(float))
    memset(a + s.height * p - RING, 0, (s.width + 2 * RING) * sizeof(float))


cdef inline void tie_border(Level *v) noexcept nogil:
    """For each known neighbour within the frame."""
    cdef ptrdiff_t p = v.s.pitch
    cdef float *u = v.unknown
    cdef ptrdiff_t i
    cdef int x, y
    mirror(u, &v.s, 1)
    for y in range(v.s.height):
        for x in range(v.s.width):
            i = y * p + x
            v.tie[i] = TIE * ((<float>4 - (u[i - 1] + u[i + 1])) - (u[i - p] + u[i + p]))
    clear_ring(u, &v.s)


cdef inline void mix_rows(
        row out, float near, crow a, crow b, float far, crow c, crow d, int n) noexcept nogil:
    cdef int x
    for x in range(n):  # hot
        out[x] = near * (a[x] + b[x]) + far * (c[x] + d[x])


cdef inline void restrict_row(row f, crow fine, crow unknown, int n) noexcept nogil:
    cdef int x
    for x in range(n):
        f[x] = unknown[x] * (
            (fine[2 * x] + fine[2 * x + 1]) * <float>0.75 + (fine[2 * x - 1] + fine[2 * x + 2]) * <float>0.25)


cdef inline void restrict_residual(Level *coarse, Level *fine, float *line) noexcept nogil:
    """The transpose of `prolong`, a quarter of it for the mean, and 16 times for the operator's eigenvalues."""
    cdef ptrdiff_t p = fine.s.pitch
    cdef float *r = fine.residual
    cdef int n = fine.s.width
    # Along an axis of one pixel nothing is halved, and nothing but itself added to it.
    cdef float gain = (2 if n == 1 else 1) * (2 if fine.s.height == 1 else 1)
    cdef int y
    mirror(r, &fine.s, 1)
    # Half a cell beyond the border is nobody's.
    if n % 2 == 1:
        for y in range(-1, fine.s.height + 1):
            r[y * p + n] = 0
    if fine.s.height % 2 == 1:
        memset(r + fine.s.height * p - RING, 0, (n + 2 * RING) * sizeof(float))
    for y in range(coarse.s.height):
        mix_rows(
            line - 1, 3 * gain, r + 2 * y * p - 1, r + (2 * y + 1) * p - 1, gain, r + (2 * y - 1) * p - 1,
            r + (2 * y + 2) * p - 1, n + 3)
        restrict_row(coarse.f + y * coarse.s.pitch, line, coarse.unknown + y * coarse.s.pitch, coarse.s.width)


cdef inline void prolong_row(row u, crow coarse, crow unknown, int n) noexcept nogil:
    cdef int x
    for x in range(n):
        u[2 * x] += unknown[2 * x] * (<float>0.75 * coarse[x] + <float>0.25 * coarse[x - 1])
        u[2 * x + 1] += unknown[2 * x + 1] * (<float>0.75 * coarse[x] + <float>0.25 * coarse[x + 1])


cdef inline void prolong(Level *fine, Level *coarse, float *line) noexcept nogil:
    """Adds the coarse solution, bilinearly between the centres of cells."""
    cdef ptrdiff_t p = coarse.s.pitch
    cdef const float *near
    cdef const float *far
    cdef int y
    mirror(coarse.u, &coarse.s, 1)
    for y in range(fine.s.height):
        near = coarse.u + (y // 2) * p - 1
        far = near + (p if y % 2 == 1 else -p)
        mix_rows(line - 1, <float>0.375, near, near, <float>0.125, far, far, coarse.s.width + 2)
        prolong_row(fine.u + y * fine.s.pitch, line, fine.unknown + y * fine.s.pitch, coarse.s.width)


# The V-cycle. Rows w are the Laplacian of u.

cdef inline float remainder(
        const float *u, const float *f, const float *up, const float *w, const float *below, const float *unknown,
        const float *tie, int x) noexcept nogil:
    """What u leaves of f, at one pixel."""
    return unknown[x] * ((f[x] - tie[x] * u[x]) - (
        ((w[x] + w[x]) - (w[x - 1] + w[x + 1])) + ((w[x] + w[x]) - (up[x] + below[x]))))


cdef inline void step_row(
        row u, crow f, crow up, crow w, crow below, crow unknown, crow tie, float omega, int n) noexcept nogil:
    cdef int x
    for x in range(n):  # hot
        u[x] = u[x] + omega * remainder(u, f, up, w, below, unknown, tie, x)


cdef inline void remainder_row(
        row out, crow u, crow f, crow up, crow w, crow below, crow unknown, crow tie, int n) noexcept nogil:
    cdef int x
    for x in range(n):  # hot
        out[x] = remainder(u, f, up, w, below, unknown, tie, x)


cdef inline float *line_of(float *lines, const Surface *s, int y) noexcept nogil:
    return lines + ((y + 3) % 3) * <ptrdiff_t>s.pitch


cdef inline void sweep(Level *v, float omega, float *out, float *lines) noexcept nogil:
    """A step of u or, if there is `out`, what u leaves of f: as soon as the Laplacian of the next row is there."""
    cdef ptrdiff_t p = v.s.pitch
    cdef size_t size = (v.s.width + 2) * sizeof(float)
    cdef float *u = v.u
    cdef float *w
    cdef ptrdiff_t i
    cdef int y
    mirror(u, &v.s, 2)
    for y in range(-min(v.s.top, 1), v.s.height + 1):
        w = line_of(lines, &v.s, y)
        if y < v.s.height + min(v.s.bottom, 1):
            i = y * p - 1
            laplace_row(w - 1, u + i - p, u + i, u + i + p, v.s.width + 2)
            mirror_ends(w, &v.s, 1)
        else:
            memcpy(w - 1, line_of(lines, &v.s, y - 1) - 1, size)
        if y == 0 and v.s.top == 0:
            memcpy(line_of(lines, &v.s, -1) - 1, w - 1, size)
        i = (y - 1) * p
        if y > 0 and out != NULL:
            remainder_row(
                out + i, u + i, v.f + i, line_of(lines, &v.s, y - 2), line_of(lines, &v.s, y - 1), w, v.unknown + i,
                v.tie + i, v.s.width)
        elif y > 0:
            step_row(
                u + i, v.f + i, line_of(lines, &v.s, y - 2), line_of(lines, &v.s, y - 1), w, v.unknown + i, v.tie + i,
                omega, v.s.width)


cdef inline void scale_row(row out, float factor, crow a, int n) noexcept nogil:
    cdef int x
    for x in range(n):  # hot
        out[x] = factor * a[x]


cdef inline void smooth(Level *v, bint from_zero, float *lines) noexcept nogil:
    cdef float omega[STEPS]
    cdef int i, y
    # The Chebyshev nodes of 4...64 + 2 TIE: 37 + 33 cos((2i + 1) pi/8).
    omega[0] = <float>(1 / 67.488024584)
    omega[1] = <float>(1 / 49.628553268)
    omega[2] = <float>(1 / 24.371446732)
    omega[3] = <float>(1 / 6.511975416)
    if from_zero:
        for y in range(v.s.height):
            scale_row(v.u + y * v.s.pitch, omega[0], v.f + y * v.s.pitch, v.s.width)
    for i in range(1 if from_zero else 0, STEPS):
        sweep(v, omega[i], NULL, lines)


cdef inline void cycle(Solver *g) noexcept nogil:
    """For the f of level 0, from zero; the result is its u."""
    cdef Level *v
    cdef int i
    for i in range(g.count - 1):
        v = &g.level[i]
        smooth(v, True, g.lines)
        sweep(v, 0, v.residual, g.lines)
        restrict_residual(&g.level[i + 1], v, g.lines)
    smooth(&g.level[g.count - 1], True, g.lines)
    smooth(&g.level[g.count - 1], False, g.lines)
    for i in range(g.count - 2, -1, -1):
        v = &g.level[i]
        prolong(v, &g.level[i + 1], g.lines)
        smooth(v, False, g.lines)


# Conjugate gradients

cdef inline void masked_laplace_row(
        row_double out, crow_double up, crow_double u, crow_double below, crow_double unknown, int n) noexcept nogil:
    cdef double value
    cdef int x
    for x in range(n):  # hot
        value = ((u[x] + u[x]) - (u[x - 1] + u[x + 1])) + ((u[x] + u[x]) - (up[x] + below[x]))
        out[x] = value if unknown[x] != 0 else 0     # a pixel that does not count may be NaN


cdef inline void apply_biharmonic(double *out, double *u, Solver *g) noexcept nogil:
    """L L u at unknown pixels, 0 at others. What u has beyond the frame's border is overwritten."""
    cdef Surface *s = &g.level[0].s
    cdef ptrdiff_t p = s.pitch
    cdef double *w = g.laplacian
    cdef int y
    mirror(u, s, 2)
    for y in range(-min(s.top, 1), s.height + min(s.bottom, 1)):
        laplace_row(w + y * p - 1, u + (y - 1) * p - 1, u + y * p - 1, u + (y + 1) * p - 1, s.width + 2)
    mirror(w, s, 1)
    for y in range(s.height):
        masked_laplace_row(out + y * p, w + (y - 1) * p, w + y * p, w + (y + 1) * p, g.unknown + y * p, s.width)


cdef inline void combine_row(double *out, double before, double factor, real *a, int n) noexcept nogil:
    cdef int x
    for x in range(n):  # hot
        out[x] = before * out[x] + factor * a[x]


cdef inline void combine(double *out, double before, double factor, real *a, const Surface *s) noexcept nogil:
    """out = before*out + factor*a"""
    for _ in range(s.height):
        combine_row(out, before, factor, a, s.width)
        out += s.pitch
        a += s.pitch


cdef inline void add_products(double *lanes, const double *a, real *b) noexcept nogil:
    cdef int k
    for k in range(LANES):
        lanes[k] += a[k] * b[k]


cdef inline double product(const double *a, real *b, const Surface *s) noexcept nogil:
    """The sum of products, in an order that does not depend on the CPU. Beyond the box, a is 0."""
    cdef double lanes[LANES]
    cdef double total = 0
    cdef int k
    for k in range(LANES):
        lanes[k] = 0
    for _ in range(s.height):
        for k in range((s.width + LANES - 1) // LANES):
            add_products(lanes, a + LANES * k, b + LANES * k)
        a += s.pitch
        b += s.pitch
    for k in range(LANES):
        total += lanes[k]
    return total


cdef inline void narrow_row(row out, crow_double a, int n) noexcept nogil:
    cdef int x
    for x in range(n):  # hot
        out[x] = <float>a[x]


cdef inline void narrow(float *out, size_t pitch, const double *a, const Surface *s) noexcept nogil:
    for _ in range(s.height):
        narrow_row(out, a, s.width)
        out += pitch
        a += s.pitch


cdef inline void begin(
        Solver *g, const View *src, const Region *r, const Run *runs, const float *inside, float *memory,
        float *line) noexcept nogil:
    """The levels, and as x the picture, of unknown pixels what is `inside`, laid like the box of the region."""
    cdef Level *v = &g.level[0]
    cdef Surface *s = &v.s
    cdef ptrdiff_t i
    cdef int n, x, y
    v.s = lay_surface(r, src.width, src.height)
    g.unknown = take_doubles(&memory, s)
    g.x = take_doubles(&memory, s)
    g.residual = take_doubles(&memory, s)
    g.direction = take_doubles(&memory, s)
    g.image = take_doubles(&memory, s)
    g.laplacian = take_doubles(&memory, s)
    g.lines = memory + LEAD
    memory += 3 * s.pitch + LEAD
    lay_level(v, &memory)
    for y in range(-s.top, s.height + s.bottom):
        load_part(line, src, r.left - s.left, r.top + y, s.left + s.width + s.right)
        for x in range(s.left + s.width + s.right):
            g.x[y * <ptrdiff_t>s.pitch - s.left + x] = line[x]
    for n in range(r.count):
        y = runs[n].y - r.top
        for x in range(runs[n].first - r.left, runs[n].end - r.left):
            i = y * <ptrdiff_t>s.pitch + x
            v.unknown[i] = 1
            g.unknown[i] = 1
            g.x[i] = inside[y * row_pitch(s.width) + x]
    g.count = 1
    while v.s.width > 2 or v.s.height > 2:
        v = &g.level[g.count]
        v.s = halved(&g.level[g.count - 1].s)
        lay_level(v, &memory)
        if not halve(v, &g.level[g.count - 1]):
            return
        tie_border(v)
        g.count += 1


cdef inline const float *solve_biharmonic(
        const View *src, const Region *r, const Run *runs, const float *picture, float tolerance,
        float *memory) noexcept nogil:
    """The box of a region, solved, off by about `tolerance` or less, laid like its picture.

    Its pixels are all that are unknown within RING of them.
    """
    cdef Grid harmonic
    cdef Solver g
    cdef Level *v = &g.level[0]
    cdef Surface *s = &v.s
    cdef int width = r.right - r.left
    cdef int height = r.bottom - r.top
    cdef float *rest = memory + grid_floats(width, height)
    cdef float *line = rest + solver_floats(width, height)
    cdef double rz, curvature
    cdef double before = 1
    cdef int n
    solve_box(&harmonic, r, runs, src.width, src.height, picture, NULL, 4 * tolerance, memory)
    begin(&g, src, r, runs, harmonic.x, rest, line)
    apply_biharmonic(g.image, g.x, &g)
    combine(g.residual, 0, -1, g.image, s)
    for n in range(ITERATIONS):
        narrow(v.f, s.pitch, g.residual, s)
        cycle(&g)
        # Slow modes hardly show in a cycle: what is left has been seen to be more than that.
        if not largest(v.u, s.pitch, width, height) > <float>0.25 * tolerance:
            combine(g.x, 1, 1, v.u, s)
            break
        rz = product(g.residual, v.u, s)
        combine(g.direction, rz / before if n > 0 else 0, 1, v.u, s)
        before = rz
        apply_biharmonic(g.image, g.direction, &g)
        curvature = product(g.image, g.direction, s)
        if not curvature > 0:  # all is solved, or NaN, which the harmonic solution shows
            break
        combine(g.x, 1, rz / curvature, g.direction, s)
        combine(g.residual, 1, -rz / curvature, g.image, s)
    narrow(harmonic.x, row_pitch(width), g.x, s)
    return harmonic.x
