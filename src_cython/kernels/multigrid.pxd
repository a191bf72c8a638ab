"""The solver of sum over j of w_ij (u_i - u_j) + p_i u_i = f_i on pixels of any shape: multigrid, conjugate gradients.

That is a graph: unknown pixels i, links of weight w_ij to their neighbours j, and a pull p_i towards 0, at each pixel
that borders on known ones by as much as it does; at first, all weights are 1. It is coarsened by joining 2 x 2 pixels,
of which at least one is unknown; the links across and the pulls are added up, and links are halved: a function that is
constant on each square has twice the energy of the smooth one it stands for (Braess, Computing 55, 1995). So every
level has the same form, whatever the shape. One V-cycle, Jacobi steps at the Chebyshev nodes of the upper three
quarters of the spectrum before and after, is the preconditioner of conjugate gradients; some five iterations make an
error of a thousandth of the range, for boxes, scratches and scattered pixels alike.
"""

from libc.stddef cimport ptrdiff_t, size_t
from libc.string cimport memset

from common.c cimport crow, fabsf, maxf, row


cdef enum:
    LEVELS = 32
    LANES = 16             # sums are taken in as many parts at every CPU level
    EDGE = 16              # floats before a row, so that it has a neighbour to the left and starts on a cache line
    COARSEST = 8           # steps on the coarsest level
    FEW = 16               # unknowns that are solved for directly
    ITERATIONS = 100       # of conjugate gradients, at most


cdef struct Level:
    int width
    int height
    size_t pitch           # of a row, in floats
    bint even              # all links are 1
    # Each with a row above and below, and EDGE columns or more between rows, of zeros, which stay zeros: where there is
    # no unknown, a step changes nothing. So all rows are one loop, however short they are.
    float *right           # links to the neighbour to the right
    float *down            # and below
    float *diagonal        # all links and the pull; 0: no unknown
    float *inverse         # of the diagonal; 0: no unknown
    float *u
    float *other           # another u
    float *f


cdef struct Grid:
    int count
    Level level[LEVELS]
    # Conjugate gradients, at level 0.
    float *x               # the residual is the level's f
    float *direction
    float *image           # of the direction


cdef inline size_t row_pitch(int width) noexcept nogil:
    return (<size_t>width + EDGE + 1 + EDGE - 1) // EDGE * EDGE


cdef inline size_t level_floats(int width, int height) noexcept nogil:
    """Of one array."""
    return row_pitch(width) * (<size_t>height + 2) + EDGE


cdef inline size_t grid_floats(int width, int height) noexcept nogil:
    """The memory of a grid for a box."""
    cdef size_t size = 3 * level_floats(width, height)
    while True:
        size += 7 * level_floats(width, height)
        if width <= 2 and height <= 2:
            return size
        width = (width + 1) // 2
        height = (height + 1) // 2


cdef inline float *take(float **memory, size_t size, size_t pitch) noexcept nogil:
    """An array of zeros; its first pixel."""
    cdef float *array = memory[0]
    memset(array, 0, size * sizeof(float))
    memory[0] += size
    return array + pitch + EDGE


cdef inline void lay_equations(Level *v, int width, int height, float **memory) noexcept nogil:
    cdef size_t size = level_floats(width, height)
    v.width = width
    v.height = height
    v.pitch = row_pitch(width)
    v.even = False
    v.right = take(memory, size, v.pitch)
    v.down = take(memory, size, v.pitch)
    v.diagonal = take(memory, size, v.pitch)
    v.inverse = take(memory, size, v.pitch)
    v.f = take(memory, size, v.pitch)


cdef inline void lay_grid(Grid *g, int width, int height, bint direct, float *memory) noexcept nogil:
    """With all that `solve` needs or, direct, what `solve_directly` does."""
    cdef size_t pitch = row_pitch(width)
    cdef size_t size = level_floats(width, height)
    cdef Level *v
    g.x = take(&memory, size, pitch)
    g.count = 1
    lay_equations(&g.level[0], width, height, &memory)
    g.level[0].even = True
    if direct:
        return
    g.direction = take(&memory, size, pitch)
    g.image = take(&memory, size, pitch)
    while True:
        v = &g.level[g.count - 1]
        size = level_floats(width, height)
        v.u = take(&memory, size, v.pitch)
        v.other = take(&memory, size, v.pitch)
        if width <= 2 and height <= 2:
            return
        width = (width + 1) // 2
        height = (height + 1) // 2
        lay_equations(&g.level[g.count], width, height, &memory)
        g.count += 1


cdef inline ptrdiff_t all_rows(const Level *v) noexcept nogil:
    """Floats from the first pixel to the last, and whole cache lines."""
    return <ptrdiff_t>(v.height * v.pitch) - EDGE


cdef inline float pull(crow diagonal, crow right, crow down, crow above, int x) noexcept nogil:
    """What links leave of a diagonal."""
    return diagonal[x] - right[x] - right[x - 1] - down[x] - above[x]


cdef inline void coarsen_row(
        row diagonal, row right, row down, crow fine_diagonal, crow fine_right, crow fine_down, crow fine_above,
        int n, bint odd) noexcept nogil:
    """Adds a row of the finer level, of its square the second if it is odd. To the right of an odd width are zeros."""
    cdef int x
    for x in range(n):
        diagonal[x] = (diagonal[x] + pull(fine_diagonal, fine_right, fine_down, fine_above, 2 * x)) + pull(
            fine_diagonal, fine_right, fine_down, fine_above, 2 * x + 1)
        right[x] += <float>0.5 * fine_right[2 * x + 1]
    if odd:
        for x in range(n):
            down[x] = (down[x] + <float>0.5 * fine_down[2 * x]) + <float>0.5 * fine_down[2 * x + 1]


cdef inline void complete_row(row diagonal, row inverse, crow right, crow down, crow above, int n) noexcept nogil:
    """A pull becomes a diagonal: the links are added."""
    cdef float d
    cdef int x
    for x in range(n):
        d = diagonal[x] + right[x] + right[x - 1] + down[x] + above[x]
        diagonal[x] = d
        inverse[x] = <float>1 / d if d > 0 else 0


cdef inline void coarsen(Level *coarse, const Level *fine) noexcept nogil:
    cdef size_t i, j
    cdef int y
    for y in range(fine.height):
        i = y * fine.pitch
        j = (y // 2) * coarse.pitch
        coarsen_row(
            coarse.diagonal + j, coarse.right + j, coarse.down + j, fine.diagonal + i, fine.right + i, fine.down + i,
            fine.down + i - fine.pitch, coarse.width, y % 2 == 1)
    for y in range(coarse.height):
        j = y * coarse.pitch
        complete_row(
            coarse.diagonal + j, coarse.inverse + j, coarse.right + j, coarse.down + j,
            coarse.down + j - coarse.pitch, coarse.width)


cdef inline float applied(
        crow up, crow u, crow below, crow diagonal, crow right, crow down, crow above, ptrdiff_t x) noexcept nogil:
    """The operator, at one pixel."""
    cdef float across = right[x] * u[x + 1] + right[x - 1] * u[x - 1]
    return diagonal[x] * u[x] - (across + (down[x] * below[x] + above[x] * up[x]))


cdef inline float applied_evenly(crow up, crow u, crow below, crow diagonal, ptrdiff_t x) noexcept nogil:
    """The same, at an unknown pixel, where all links are 1 and u is 0 where there is no link."""
    return diagonal[x] * u[x] - ((u[x + 1] + u[x - 1]) + (below[x] + up[x]))


cdef inline void residual_row(
        row out, crow f, crow up, crow u, crow below, crow diagonal, crow right, crow down, crow above,
        ptrdiff_t n) noexcept nogil:
    cdef ptrdiff_t x
    for x in range(n):  # hot
        out[x] = f[x] - applied(up, u, below, diagonal, right, down, above, x)


cdef inline void step_row(
        row out, crow f, crow up, crow u, crow below, crow diagonal, crow right, crow down, crow above, crow inverse,
        float omega, ptrdiff_t n) noexcept nogil:
    cdef ptrdiff_t x
    for x in range(n):  # hot
        out[x] = u[x] + omega * inverse[x] * (f[x] - applied(up, u, below, diagonal, right, down, above, x))


# The finest level is larger than a cache of a megabyte where a hole has some 20000 pixels: what is not read is gained.

cdef inline void apply_evenly(row out, crow up, crow u, crow below, crow diagonal, ptrdiff_t n) noexcept nogil:
    cdef float image
    cdef ptrdiff_t x
    for x in range(n):  # hot
        image = applied_evenly(up, u, below, diagonal, x)
        out[x] = image if diagonal[x] != 0 else 0


cdef inline void even_residual_row(
        row out, crow f, crow up, crow u, crow below, crow diagonal, ptrdiff_t n) noexcept nogil:
    cdef float rest
    cdef ptrdiff_t x
    for x in range(n):  # hot
        rest = f[x] - applied_evenly(up, u, below, diagonal, x)
        out[x] = rest if diagonal[x] != 0 else 0


cdef inline void even_step_row(
        row out, crow f, crow up, crow u, crow below, crow diagonal, crow inverse, float omega,
        ptrdiff_t n) noexcept nogil:
    cdef ptrdiff_t x
    for x in range(n):  # hot
        out[x] = u[x] + omega * inverse[x] * (f[x] - applied_evenly(up, u, below, diagonal, x))


cdef inline void step(Level *v, float *out, const float *u, float omega) noexcept nogil:
    """One of Jacobi's, damped or not."""
    cdef size_t p = v.pitch
    if v.even:
        even_step_row(out, v.f, u - p, u, u + p, v.diagonal, v.inverse, omega, all_rows(v))
    else:
        step_row(
            out, v.f, u - p, u, u + p, v.diagonal, v.right, v.down, v.down - p, v.inverse, omega, all_rows(v))


cdef inline void first_step(Level *v, float omega) noexcept nogil:
    """From zero, to u."""
    scale_row(v.u, v.f, v.inverse, omega, all_rows(v))


cdef inline void scale_row(row out, crow f, crow inverse, float omega, ptrdiff_t n) noexcept nogil:
    cdef ptrdiff_t x
    for x in range(n):  # hot
        out[x] = omega * inverse[x] * f[x]


cdef inline void restrict_residual(Level *coarse, Level *fine) noexcept nogil:
    """What `other` leaves of f, added up over squares. u is overwritten."""
    cdef size_t p = fine.pitch
    cdef const float *u = fine.other
    cdef int y
    if fine.even:
        even_residual_row(fine.u, fine.f, u - p, u, u + p, fine.diagonal, all_rows(fine))
    else:
        residual_row(
            fine.u, fine.f, u - p, u, u + p, fine.diagonal, fine.right, fine.down, fine.down - p, all_rows(fine))
    for y in range(fine.height):
        add_pairs(coarse.f + (y // 2) * coarse.pitch, fine.u + y * p, coarse.width, y % 2 == 1)


cdef inline void add_pairs(row out, crow r, int n, bint odd) noexcept nogil:
    """To the right of an odd width is a zero."""
    cdef int x
    if odd:
        for x in range(n):
            out[x] += r[2 * x] + r[2 * x + 1]
    else:
        for x in range(n):
            out[x] = r[2 * x] + r[2 * x + 1]


cdef inline void prolong(Level *fine, const Level *coarse) noexcept nogil:
    """Adds the coarse solution, constant on each square, to `other`."""
    cdef size_t i, j
    cdef int y
    for y in range(fine.height):
        i = y * fine.pitch
        j = (y // 2) * coarse.pitch
        spread_row(fine.other + i, coarse.other + j, fine.inverse + i, coarse.width)


cdef inline void spread_row(row u, crow coarse, crow inverse, int n) noexcept nogil:
    cdef int x
    for x in range(n):
        u[2 * x] += coarse[x] if inverse[2 * x] != 0 else 0
        u[2 * x + 1] += coarse[x] if inverse[2 * x + 1] != 0 else 0


cdef inline void cycle(Grid *g) noexcept nogil:
    """A V-cycle for the f of level 0, from zero; the result is its `other`."""
    # The Chebyshev nodes of 0.5...2, the range of the smoother's share of the spectrum.
    cdef float large = <float>1.3895033
    cdef float small = <float>0.5617015
    cdef Level *v
    cdef int i, k
    for i in range(g.count - 1):
        v = &g.level[i]
        first_step(v, small)
        step(v, v.other, v.u, large)
        restrict_residual(&g.level[i + 1], v)
    v = &g.level[g.count - 1]
    first_step(v, 1)
    for k in range(COARSEST - 1):
        if k % 2 == 0:
            step(v, v.other, v.u, 1)
        else:
            step(v, v.u, v.other, 1)
    for i in range(g.count - 2, -1, -1):
        v = &g.level[i]
        prolong(v, &g.level[i + 1])
        step(v, v.u, v.other, large)
        step(v, v.other, v.u, small)


cdef inline double product(const float *a, const float *b, const Level *v) noexcept nogil:
    """The sum of products, in an order that does not depend on the CPU. Beyond a row are zeros."""
    cdef double lanes[LANES]
    cdef double total = 0
    cdef int k
    for k in range(LANES):
        lanes[k] = 0
    for _ in range(v.height):
        for k in range((v.width + LANES - 1) // LANES):
            add_products(lanes, a + LANES * k, b + LANES * k)
        a += v.pitch
        b += v.pitch
    for k in range(LANES):
        total += lanes[k]
    return total


cdef inline void add_products(double *lanes, const float *a, const float *b) noexcept nogil:
    cdef int k
    for k in range(LANES):
        lanes[k] += <double>a[k] * b[k]


cdef inline void take_larger(float *lanes, const float *a) noexcept nogil:
    cdef int k
    for k in range(LANES):
        lanes[k] = maxf(fabsf(a[k]), lanes[k])


cdef inline float largest(const float *a, size_t pitch, int width, int height) noexcept nogil:
    """Of absolute values; beyond a row are zeros, or more of the same."""
    cdef float lanes[LANES]
    cdef float m = 0
    cdef int k
    for k in range(LANES):
        lanes[k] = 0
    for _ in range(height):
        for k in range((width + LANES - 1) // LANES):
            take_larger(lanes, a + LANES * k)
        a += pitch
    for k in range(LANES):
        m = maxf(lanes[k], m)
    return m


cdef inline void add_scaled(float *out, float factor, const float *a, const Level *v) noexcept nogil:
    add_scaled_row(out, factor, a, all_rows(v))


cdef inline void add_scaled_row(row out, float factor, crow a, ptrdiff_t n) noexcept nogil:
    cdef ptrdiff_t x
    for x in range(n):  # hot
        out[x] = out[x] + factor * a[x]


cdef inline void scale_and_add(float *out, float factor, const float *a, const Level *v) noexcept nogil:
    scale_and_add_row(out, factor, a, all_rows(v))


cdef inline void scale_and_add_row(row out, float factor, crow a, ptrdiff_t n) noexcept nogil:
    cdef ptrdiff_t x
    for x in range(n):  # hot
        out[x] = a[x] + factor * out[x]


cdef inline void solve_directly(Grid *g) noexcept nogil:
    """Of no more than FEW unknowns: by the factors L D L^T of the matrix; its entries beside the diagonal are links."""
    cdef Level *v = &g.level[0]
    cdef double a[FEW][FEW]
    cdef double b[FEW]
    cdef size_t where[FEW]
    cdef size_t i
    cdef int n = 0
    cdef int x, y, j, k, m
    for y in range(v.height):
        for x in range(v.width):
            i = y * v.pitch + x
            if v.inverse[i] != 0:
                for k in range(n):
                    a[n][k] = 0
                if x > 0 and v.right[i - 1] != 0:
                    a[n][n - 1] = -v.right[i - 1]
                if y > 0 and v.down[i - v.pitch] != 0:
                    a[n][<int>g.x[i - v.pitch]] = -v.down[i - v.pitch]
                a[n][n] = v.diagonal[i]
                b[n] = v.f[i]
                where[n] = i
                g.x[i] = n         # its number, for the pixel below
                n += 1
    for j in range(n):
        for k in range(j):
            for m in range(k):
                a[j][k] -= a[j][m] * a[m][k]
        for k in range(j):
            # a[j][k] is L D; above the diagonal is L, transposed.
            a[k][j] = a[j][k] / a[k][k]
            a[j][j] -= a[j][k] * a[k][j]
            b[j] -= a[k][j] * b[k]
    for j in range(n - 1, -1, -1):
        b[j] /= a[j][j]
        for k in range(j + 1, n):
            b[j] -= a[j][k] * b[k]
        g.x[where[j]] = <float>b[j]


cdef inline void solve(Grid *g, float tolerance) noexcept nogil:
    """Solves for the f of level 0, from zero; the solution is x, off by about `tolerance` or less.

    float32 is the limit: its errors add up. They reach a hundredth of a step of the 8-bit scale in holes of hundreds of
    pixels, and a quarter in a line of two thousand that is known at its ends alone.
    """
    cdef Level *v = &g.level[0]
    cdef size_t p = v.pitch
    cdef double rz, before, curvature
    cdef int n
    for n in range(1, g.count):
        coarsen(&g.level[n], &g.level[n - 1])
    before = 1
    for n in range(ITERATIONS):
        cycle(g)
        # The cycle's result is nearly the error; added, it leaves a fraction of it.
        if n > 0 and not largest(v.other, p, v.width, v.height) > tolerance:
            add_scaled(g.x, 1, v.other, v)
            return
        rz = product(v.f, v.other, v)
        scale_and_add(g.direction, <float>(rz / before) if n > 0 else 0, v.other, v)
        before = rz
        apply_evenly(g.image, g.direction - p, g.direction, g.direction + p, v.diagonal, all_rows(v))
        curvature = product(g.direction, g.image, v)
        if not curvature > 0:      # all is solved, or NaN, which is to show
            if curvature != curvature:
                add_scaled(g.x, <float>curvature, g.direction, v)
            return
        add_scaled(g.x, <float>(rz / curvature), g.direction, v)
        add_scaled(v.f, <float>(-rz / curvature), g.image, v)
