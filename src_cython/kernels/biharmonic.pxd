"""The biharmonic equation on the masked pixels of a plane: the smoothest surface that continues values and slopes.

    minimise sum of (L u)^2 over all pixels of the plane:  L L u = 0  at each unknown pixel

L is the 5-point Laplace operator, with nothing across the frame's border; L L has 13 pixels. Its condition grows with
the fourth power of a hole's width, beyond the digits of float: all is in double.

The solver is conjugate gradients, preconditioned by a V-cycle of multigrid: steps at the Chebyshev nodes of
LEAST...MOST, the part of the spectrum that a coarser grid does not show; cells of 2 x 2 pixels, unknown if all of them
are, with the same operator, whose eigenvalues are 16 times those on the finer grid; between them bilinear
interpolation and its transpose. Some 20 iterations, whatever the size of a hole.
"""

from libc.math cimport fabs, fmax
from libc.stddef cimport ptrdiff_t, size_t
from libc.string cimport memcpy, memset

from common.c cimport crow_double, row, row_double
from common.pixels cimport View, load_part
from kernels.multigrid cimport row_pitch
from kernels.regions cimport Region, Run


cdef enum:
    LEVELS = 32
    RING = 2               # pixels around a box that count
    LEAD = 8               # doubles before a row: the ring, and a whole cache line
    LANES = 8              # sums are taken in as many parts at every CPU level
    STEPS = 4              # before and after a coarser level
    ITERATIONS = 500       # at most


cdef struct Surface:       # arrays of doubles: a box and the ring around it
    int width
    int height
    size_t pitch
    # Pixels that the frame has beyond the box, up to RING.
    int left
    int right
    int top
    int bottom


cdef struct Level:
    Surface s
    double *unknown        # 1 or 0
    double *u
    double *f
    double *laplacian      # of u
    double *residual


cdef struct Solver:
    int count
    Level level[LEVELS]
    double *x
    double *direction
    double *line


cdef inline size_t double_pitch(int width) noexcept nogil:
    return (<size_t>width + RING + LEAD - 1) // LEAD * LEAD + LEAD


cdef inline size_t surface_doubles(int width, int height) noexcept nogil:
    """Of one array."""
    return double_pitch(width) * (<size_t>height + 2 * RING) + LEAD


cdef inline size_t solver_doubles(int width, int height) noexcept nogil:
    """The memory of a solver for a box."""
    cdef size_t size = 2 * surface_doubles(width, height) + double_pitch(width) + LEAD
    while True:
        size += 5 * surface_doubles(width, height)
        if width <= 2 and height <= 2:
            return size
        width = (width + 1) // 2
        height = (height + 1) // 2


cdef inline size_t biharmonic_floats(const Region *r) noexcept nogil:
    """The memory of solve_biharmonic for a region."""
    cdef int width = r.right - r.left
    cdef int height = r.bottom - r.top
    return 2 * solver_doubles(width, height) + max(row_pitch(width) * height, row_pitch(width + 2 * RING))


cdef inline double *take_doubles(double **memory, const Surface *s) noexcept nogil:
    """An array of zeros; its first pixel."""
    cdef size_t size = surface_doubles(s.width, s.height)
    cdef double *array = memory[0]
    memset(array, 0, size * sizeof(double))
    memory[0] += size
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


cdef inline Surface halved(const Surface *s) noexcept nogil:
    """For cells of 2 x 2 pixels. What the frame has beyond the box is known, however much it is."""
    cdef Surface h
    h.width = (s.width + 1) // 2
    h.height = (s.height + 1) // 2
    h.pitch = double_pitch(h.width)
    h.left = RING if s.left > 0 else 0
    h.right = RING if s.right > 0 else 0
    h.top = RING if s.top > 0 else 0
    h.bottom = RING if s.bottom > 0 else 0
    return h


cdef inline void lay_level(Level *v, double **memory) noexcept nogil:
    v.unknown = take_doubles(memory, &v.s)
    v.u = take_doubles(memory, &v.s)
    v.f = take_doubles(memory, &v.s)
    v.laplacian = take_doubles(memory, &v.s)
    v.residual = take_doubles(memory, &v.s)


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


cdef inline void take_laplacian(Level *v, double *u) noexcept nogil:
    """In the box and the ring of one pixel around it. What u has beyond the frame's border is overwritten."""
    cdef ptrdiff_t p = v.s.pitch
    cdef int y
    mirror(u, &v.s, 2)
    for y in range(-min(v.s.top, 1), v.s.height + min(v.s.bottom, 1)):
        laplace_row(
            v.laplacian + y * p - 1, u + (y - 1) * p - 1, u + y * p - 1, u + (y + 1) * p - 1, v.s.width + 2)
    mirror(v.laplacian, &v.s, 1)


cdef inline void apply_biharmonic(Level *v, double *out, double *u) noexcept nogil:
    """L L u at unknown pixels, 0 at others."""
    cdef ptrdiff_t p = v.s.pitch
    cdef const double *w = v.laplacian
    cdef int y
    take_laplacian(v, u)
    for y in range(v.s.height):
        masked_laplace_row(out + y * p, w + (y - 1) * p, w + y * p, w + (y + 1) * p, v.unknown + y * p, v.s.width)


cdef inline void combine_row(row_double out, double before, double factor, crow_double a, int n) noexcept nogil:
    cdef int x
    for x in range(n):  # hot
        out[x] = before * out[x] + factor * a[x]


cdef inline void combine(
        double *out, double before, double factor, const double *a, const Surface *s) noexcept nogil:
    """out = before*out + factor*a"""
    for _ in range(s.height):
        combine_row(out, before, factor, a, s.width)
        out += s.pitch
        a += s.pitch


# Coarser levels

cdef inline bint halve(Level *coarse, const Level *fine) noexcept nogil:
    """Which cells are unknown; whether there is any."""
    cdef bint any = False
    cdef double unknown
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


cdef inline void mix_rows(
        row_double out, double near, crow_double a, crow_double b, double far, crow_double c, crow_double d,
        int n) noexcept nogil:
    cdef int x
    for x in range(n):  # hot
        out[x] = near * (a[x] + b[x]) + far * (c[x] + d[x])


cdef inline void restrict_row(row_double f, crow_double fine, crow_double unknown, int n) noexcept nogil:
    cdef int x
    for x in range(n):
        f[x] = unknown[x] * (
            (fine[2 * x] + fine[2 * x + 1]) * <double>0.75 + (fine[2 * x - 1] + fine[2 * x + 2]) * <double>0.25)


cdef inline void restrict_residual(Level *coarse, Level *fine, double *line) noexcept nogil:
    """The transpose of `prolong`, a quarter of it for the mean, and 16 times for the operator's eigenvalues."""
    cdef ptrdiff_t p = fine.s.pitch
    cdef double *r = fine.residual
    cdef int n = fine.s.width
    cdef int y
    mirror(r, &fine.s, 1)
    # Half a cell beyond the border is nobody's.
    if n % 2 == 1:
        for y in range(-1, fine.s.height + 1):
            r[y * p + n] = 0
    if fine.s.height % 2 == 1:
        memset(r + fine.s.height * p - RING, 0, (n + 2 * RING) * sizeof(double))
    for y in range(coarse.s.height):
        mix_rows(
            line - 1, 3, r + 2 * y * p - 1, r + (2 * y + 1) * p - 1, 1, r + (2 * y - 1) * p - 1,
            r + (2 * y + 2) * p - 1, n + 3)
        restrict_row(coarse.f + y * coarse.s.pitch, line, coarse.unknown + y * coarse.s.pitch, coarse.s.width)


cdef inline void prolong_row(row_double u, crow_double coarse, crow_double unknown, int n) noexcept nogil:
    cdef int x
    for x in range(n):
        u[2 * x] += unknown[2 * x] * (<double>0.75 * coarse[x] + <double>0.25 * coarse[x - 1])
        u[2 * x + 1] += unknown[2 * x + 1] * (<double>0.75 * coarse[x] + <double>0.25 * coarse[x + 1])


cdef inline void prolong(Level *fine, Level *coarse, double *line) noexcept nogil:
    """Adds the coarse solution, bilinearly between the centres of cells."""
    cdef ptrdiff_t p = coarse.s.pitch
    cdef const double *near
    cdef const double *far
    cdef int y
    mirror(coarse.u, &coarse.s, 1)
    for y in range(fine.s.height):
        near = coarse.u + (y // 2) * p - 1
        far = near + (p if y % 2 == 1 else -p)
        mix_rows(line - 1, 0.375, near, near, 0.125, far, far, coarse.s.width + 2)
        prolong_row(fine.u + y * fine.s.pitch, line, fine.unknown + y * fine.s.pitch, coarse.s.width)


# The V-cycle

cdef inline void step_row(
        row_double u, crow_double f, crow_double up, crow_double w, crow_double below, crow_double unknown,
        double omega, int n) noexcept nogil:
    """w: the Laplacian of u."""
    cdef int x
    for x in range(n):  # hot
        u[x] += omega * unknown[x] * (f[x] - (<double>4 * w[x] - ((w[x - 1] + w[x + 1]) + (up[x] + below[x]))))


cdef inline void smooth(Level *v, bint from_zero) noexcept nogil:
    cdef double omega[STEPS]
    cdef ptrdiff_t p = v.s.pitch
    cdef const double *w = v.laplacian
    cdef int i, y
    # The Chebyshev nodes of 4...64: 34 + 30 cos((2i + 1) pi/8).
    omega[0] = 1 / 61.716385975338607
    omega[1] = 1 / 45.480502970952693
    omega[2] = 1 / 22.519497029047307
    omega[3] = 1 / 6.2836140246613933
    for i in range(STEPS):
        if i == 0 and from_zero:
            combine(v.u, 0, omega[0], v.f, &v.s)
            continue
        take_laplacian(v, v.u)
        for y in range(v.s.height):
            step_row(
                v.u + y * p, v.f + y * p, w + (y - 1) * p, w + y * p, w + (y + 1) * p, v.unknown + y * p, omega[i],
                v.s.width)


cdef inline void cycle(Solver *g) noexcept nogil:
    """For the f of level 0, from zero; the result is its u."""
    cdef Level *v
    cdef int i
    for i in range(g.count):
        v = &g.level[i]
        smooth(v, True)
        if i < g.count - 1:
            apply_biharmonic(v, v.residual, v.u)
            combine(v.residual, -1, 1, v.f, &v.s)
            restrict_residual(&g.level[i + 1], v, g.line)
    smooth(&g.level[g.count - 1], False)
    for i in range(g.count - 2, -1, -1):
        v = &g.level[i]
        prolong(v, &g.level[i + 1], g.line)
        smooth(v, False)


# Conjugate gradients

cdef inline void add_products(double *lanes, const double *a, const double *b) noexcept nogil:
    cdef int k
    for k in range(LANES):
        lanes[k] += a[k] * b[k]


cdef inline double product(const double *a, const double *b, const Surface *s) noexcept nogil:
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


cdef inline double largest(const double *a, const Surface *s) noexcept nogil:
    cdef double m = 0
    cdef int x
    for _ in range(s.height):
        for x in range(s.width):
            m = fmax(fabs(a[x]), m)
        a += s.pitch
    return m


cdef inline void begin(
        Solver *g, const View *src, const Region *r, const Run *runs, double *memory, float *line) noexcept nogil:
    """The levels, and the picture as x, 0 at unknown pixels."""
    cdef Level *v = &g.level[0]
    cdef int n, x, y
    v.s = lay_surface(r, src.width, src.height)
    g.x = take_doubles(&memory, &v.s)
    g.direction = take_doubles(&memory, &v.s)
    g.line = memory + LEAD
    memory += double_pitch(v.s.width) + LEAD
    lay_level(v, &memory)
    for y in range(-v.s.top, v.s.height + v.s.bottom):
        load_part(line, src, r.left - v.s.left, r.top + y, v.s.left + v.s.width + v.s.right)
        for x in range(v.s.left + v.s.width + v.s.right):
            g.x[y * <ptrdiff_t>v.s.pitch - v.s.left + x] = line[x]
    for n in range(r.count):
        for x in range(runs[n].first - r.left, runs[n].end - r.left):
            v.unknown[(runs[n].y - r.top) * v.s.pitch + x] = 1
            g.x[(runs[n].y - r.top) * v.s.pitch + x] = 0
    g.count = 1
    while v.s.width > 2 or v.s.height > 2:
        v = &g.level[g.count]
        v.s = halved(&g.level[g.count - 1].s)
        lay_level(v, &memory)
        if not halve(v, &g.level[g.count - 1]):
            return
        g.count += 1


cdef inline void narrow_row(row out, crow_double a, int n) noexcept nogil:
    cdef int x
    for x in range(n):  # hot
        out[x] = <float>a[x]


cdef inline const float *solve_biharmonic(
        const View *src, const Region *r, const Run *runs, float tolerance, float *memory) noexcept nogil:
    """The box of a region, solved, off by about `tolerance` or less; rows are row_pitch of its width apart.

    Its pixels are all that are unknown within RING of them.
    """
    cdef Solver g
    cdef float *line = memory + 2 * solver_doubles(r.right - r.left, r.bottom - r.top)
    cdef Level *v = &g.level[0]
    cdef const Surface *s = &v.s
    cdef double rz, curvature
    cdef double before = 1
    cdef int n, y
    begin(&g, src, r, runs, <double *>memory, line)
    apply_biharmonic(v, v.residual, g.x)
    combine(v.f, 0, -1, v.residual, s)
    for n in range(ITERATIONS):
        cycle(&g)
        # Slow modes hardly show in a cycle: what is left has been seen to be as much again.
        if n > 0 and not largest(v.u, s) > 0.5 * tolerance:
            combine(g.x, 1, 1, v.u, s)
            break
        rz = product(v.f, v.u, s)
        combine(g.direction, rz / before if n > 0 else 0, 1, v.u, s)
        before = rz
        apply_biharmonic(v, v.residual, g.direction)
        curvature = product(v.residual, g.direction, s)
        if not curvature > 0:      # all is solved, or NaN, which is to show
            if curvature != curvature:
                combine(g.x, 1, curvature, g.direction, s)
            break
        combine(g.x, 1, rz / curvature, g.direction, s)
        combine(v.f, 1, -rz / curvature, v.residual, s)
    for y in range(s.height):
        narrow_row(line + y * row_pitch(s.width), g.x + y * s.pitch, s.width)
    return line
