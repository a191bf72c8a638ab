"""Diffusion in time and space: frames around one, each coupled to it, then that one in itself.

In time, one implicit step of the graph that joins every neighbour frame u[i] to the frame in the middle:

    du[0]/dt = weight * sum of g[i] * (u[i] - u[0]),   du[i]/dt = weight * g[i] * (u[0] - u[i])

Its solution for u[0] is a mean weighted by m[i] = W / (W + 1/g[i]), W = weight * time:

    v = (u[0] + sum of m[i] * u[i]) / (1 + sum of m[i])

which leaves f^2 = (1 + sum of m[i]^2) / (1 + sum of m[i])^2 of the variance of white noise. Differences that noise
alone makes must not count: s2 = G_rho * (u[i] - u[0])^2 is the mean over a neighbourhood, and g falls beyond kt^2,

    g = 1 / (1 + max(s2 - kt^2, 0) / (SLOPE * kt^2))

In space, Euler's steps of Perona and Malik's scheme with the rational diffusivity, of an edge between two pixels

    g = 1 / (1 + s2 / (f^2 k^2)),   s2 = G_{rho/2} * (difference along that axis)^2

with f^2 the mean of both pixels: where time has taken noise away, what remains tells finer edges from it.

Beyond the border, the picture continues as its mirror image. As in kernels.diffuse, the rows of all steps advance as
one wavefront: the step in time emits two rows as soon as their neighbourhood is known, each step in space follows.
"""

from libc.math cimport INFINITY, ceil
from libc.stddef cimport ptrdiff_t, size_t
from libc.string cimport memset

from common.c cimport crow, maxf, minf, row
from common.pixels cimport View, load_part, load_view, store_row
from kernels.diffuse cimport GHOST, row_floats, squared_differences
from kernels.heat cimport reflect_ends, reflected
from kernels.window cimport REACH, Window, describe_window, mean_along, mean_near, weighted_mean, weighted_means


cdef enum:
    NEIGHBOURS = 14        # frames around the middle one, at most
    STEPS = 64             # in space, at most


cdef struct Diffusion3D:
    int neighbours         # at most so many
    float coupling         # W, weight * time
    Window in_time
    Window in_space
    int steps              # of Euler, in space
    float tau


cdef struct Contrasts:     # squared, working scale
    float space
    float time


cdef inline float slope() noexcept nogil:
    """How steep g falls beyond kt^2: by half at 1.02 kt^2."""
    return 0.02


cdef inline void describe_diffusion(
        Diffusion3D *d, int neighbours, double time, double weight, double rho, int steps) noexcept nogil:
    d.neighbours = neighbours
    d.coupling = <float>(weight * time)
    d.steps = steps
    d.tau = <float>(time / steps)
    describe_window(&d.in_time, rho * rho, <int>ceil(1.5 * rho))
    describe_window(&d.in_space, 0.25 * rho * rho, <int>ceil(0.5 * rho))


# In time

cdef inline void begin_mean(row total, row weights, row squares, crow u, int n) noexcept nogil:
    cdef int x
    for x in range(n):  # hot
        total[x] = u[x]
        weights[x] = 1
        squares[x] = 1


cdef inline float resistance(float s2, float contrast2, float fall) noexcept nogil:
    """Of which m is rise / resistance: rise = W * SLOPE * kt^2 and fall = (W + 1) * SLOPE * kt^2 spare a division.

    A difference that is no number is as large as any. The bound keeps the product of two finite.
    """
    return fall + maxf(minf(s2, <float>1e18) - contrast2, 0)


cdef inline void add_neighbour(
        row total, row weights, row squares, crow u, crow s2, int n, float contrast2, float rise,
        float fall) noexcept nogil:
    cdef int x
    cdef float m
    for x in range(n):  # hot
        m = rise / resistance(s2[x], contrast2, fall)
        total[x] += m * u[x]
        weights[x] += m
        squares[x] += m * m


cdef inline void add_neighbours(
        row total, row weights, row squares, crow u, crow v, crow u_s2, crow v_s2, int n, float contrast2, float rise,
        float fall) noexcept nogil:
    """Two, which share a division: 1/ab = (1/a)(1/b)."""
    cdef int x
    cdef float a, b, share
    for x in range(n):  # hot
        a = resistance(u_s2[x], contrast2, fall)
        b = resistance(v_s2[x], contrast2, fall)
        share = rise / (a * b)
        a = a * share
        b = b * share
        total[x] += b * u[x] + a * v[x]
        weights[x] += b + a
        squares[x] += b * b + a * a


cdef inline void end_mean(row total, row squares, crow weights, int n) noexcept nogil:
    """In their place, v and f^2."""
    cdef int x
    cdef float share
    for x in range(n):  # hot
        share = <float>1 / weights[x]
        total[x] = total[x] * share
        squares[x] = squares[x] * (share * share)


# In space. Edge x of a row is the one to pixel x+1, an edge below a pixel the one to the next row.

cdef inline void edge_contrasts(row k2, crow a, crow b, int n, float half) noexcept nogil:
    """Of the edges between pixels with f^2 of a[x] and b[x]. half: k^2 / 2."""
    cdef int x
    for x in range(n):  # hot
        k2[x] = half * (a[x] + b[x])


cdef inline void squared_edges(row across, row above, crow before, crow u, int n) noexcept nogil:
    cdef int x
    for x in range(n):  # hot
        across[x] = (u[x + 1] - u[x]) * (u[x + 1] - u[x])
        above[x] = (u[x] - before[x]) * (u[x] - before[x])


cdef struct Fluxes:
    float across
    float below


cdef inline Fluxes fluxes_of(
        float s2_across, float s2_below, float k2_across, float k2_below, float across, float below) noexcept nogil:
    """Both edges of a pixel share a division, 1/ab = (1/a)(1/b). The bound keeps the product finite."""
    cdef Fluxes f
    cdef float a = k2_across + minf(s2_across, <float>1e18)
    cdef float b = k2_below + minf(s2_below, <float>1e18)
    cdef float share = <float>1 / (a * b)
    f.across = (k2_across * (b * share)) * across
    f.below = (k2_below * (a * share)) * below
    return f


cdef inline void edge_fluxes(
        row across, row below, crow u, crow next_u, crow s2_across, crow s2_below, crow k2_across, crow k2_below,
        int n) noexcept nogil:
    cdef int x
    cdef Fluxes f
    for x in range(n):  # hot
        f = fluxes_of(s2_across[x], s2_below[x], k2_across[x], k2_below[x], u[x + 1] - u[x], next_u[x] - u[x])
        across[x] = f.across
        below[x] = f.below


cdef inline void near_edge_fluxes(
        row across, row below, crow u, crow next_u, const float *column_across, const float *column_below,
        crow k2_across, crow k2_below, int n, const float *weights) noexcept nogil:
    """Of squared differences that are to be weighed along the row, with one neighbour on each side."""
    cdef float w0 = weights[0]
    cdef float w1 = weights[1]
    cdef int x
    cdef Fluxes f
    for x in range(n):  # hot
        f = fluxes_of(
            mean_near(column_across, x, w0, w1), mean_near(column_below, x, w0, w1), k2_across[x], k2_below[x],
            u[x + 1] - u[x], next_u[x] - u[x])
        across[x] = f.across
        below[x] = f.below


cdef inline void euler_row(row dst, crow u, crow across, crow below, crow above, int n, float tau) noexcept nogil:
    cdef int x
    for x in range(n):  # hot
        dst[x] = u[x] + tau * ((across[x] - across[x - 1]) + (below[x] - above[x]))


# The wavefront

cdef struct Ring:          # the last rows of a picture: row y is at y modulo their number
    float *first
    size_t pitch
    int rows


cdef enum:
    SEGMENT = 512          # pixels of a row that go through all loops before the next ones: loops share them in L1


cdef struct InTime:
    Ring squares[NEIGHBOURS]
    int known              # rows that they have taken in
    float *middle
    float *other


cdef struct Level:         # the rows that a step in space begins with
    Ring u
    Ring across            # squared differences, of the edges to the next pixel and to the next row
    Ring below
    Ring flux              # across the edges to the next row


cdef struct Wavefront:
    InTime time
    Level levels[STEPS]
    Ring f2
    Ring k2_across
    Ring k2_below
    float *none            # zeros
    float *last
    Ring buffers


cdef enum:
    ROWS = 2               # that the step in time emits together
    BUFFERS = 10


cdef struct Layout:        # of scratch memory; NULL: to see how much it takes
    float *first
    size_t used


cdef inline float *row_of(const Ring *r, int y) noexcept nogil:
    return r.first + (y % r.rows) * r.pitch


cdef inline Ring lay_ring(Layout *scratch, size_t pitch, int rows) noexcept nogil:
    cdef Ring r
    r.first = scratch.first + scratch.used + GHOST if scratch.first != NULL else NULL
    r.pitch = pitch
    r.rows = rows
    scratch.used += pitch * rows
    return r


cdef inline float *lay_row(Layout *scratch, size_t pitch) noexcept nogil:
    return lay_ring(scratch, pitch, 1).first


cdef inline int lag(const Diffusion3D *d) noexcept nogil:
    """Rows that a step in space is behind the one before."""
    return d.in_space.radius + 1


cdef inline size_t lay_wavefront(Wavefront *w, int width, const Diffusion3D *d, float *memory) noexcept nogil:
    """How many floats it takes."""
    cdef Layout scratch
    cdef size_t pitch = row_floats(width)
    cdef int radius = d.in_space.radius
    cdef int i
    scratch.first = memory
    scratch.used = 0
    for i in range(d.neighbours):
        w.time.squares[i] = lay_ring(&scratch, pitch, 2 * d.in_time.radius + ROWS)
    w.time.known = 0
    w.time.middle = lay_row(&scratch, pitch)
    w.time.other = lay_row(&scratch, pitch)
    for i in range(d.steps):
        w.levels[i].u = lay_ring(&scratch, pitch, radius + (1 + ROWS if i == 0 else 2))
        w.levels[i].across = lay_ring(&scratch, pitch, 2 * radius + 2)
        w.levels[i].below = lay_ring(&scratch, pitch, 2 * radius + 1)
        w.levels[i].flux = lay_ring(&scratch, pitch, 2)
    w.f2 = lay_ring(&scratch, pitch, 1 + ROWS)
    # From the row whose variance is known to the one that the last step needs.
    w.k2_across = lay_ring(&scratch, pitch, d.steps * lag(d) + 1)
    w.k2_below = lay_ring(&scratch, pitch, d.steps * lag(d) + 1)
    w.none = lay_row(&scratch, pitch)
    w.last = lay_row(&scratch, pitch)
    w.buffers = lay_ring(&scratch, row_floats(SEGMENT), BUFFERS)
    return scratch.used


cdef inline size_t wavefront_floats(int width, const Diffusion3D *d) noexcept nogil:
    """The scratch that diffuse3d_plane needs."""
    cdef Wavefront w
    return lay_wavefront(&w, width, d, NULL)


cdef inline float *buffer(const Wavefront *w, int i) noexcept nogil:
    """Room for a segment, with as much before and after it as a row has."""
    return row_of(&w.buffers, i)


cdef inline void take_squares(
        InTime *t, int last, const View *middle, const View *around, int count, int radius) noexcept nogil:
    """The squared differences of the rows up to `last`."""
    cdef float *squares
    cdef int i
    while t.known <= last:
        load_view(t.middle, middle, t.known)
        for i in range(count):
            squares = row_of(&t.squares[i], t.known)
            load_view(t.other, &around[i], t.known)
            squared_differences(squares, t.middle, t.other, middle.width)
            reflect_ends(squares, middle.width, radius)
        t.known += 1


cdef inline void part_in_time(
        Wavefront *w, int x, int n, int y, int rows, const View *middle, const View *around, int count,
        float contrast2, const Diffusion3D *d) noexcept nogil:
    """v and f^2 of n pixels, from x on, of `rows` rows, at most ROWS, from y on."""
    cdef const float *near[2 * REACH + ROWS]
    cdef float *total[ROWS]
    cdef float *powers[ROWS]
    cdef float *column = buffer(w, 0)
    cdef float *other_column = buffer(w, 1)
    cdef float *u = column             # free again when they are needed
    cdef float *v = other_column
    cdef int radius = d.in_time.radius
    cdef float rise = d.coupling * (contrast2 * slope())
    cdef float fall = rise + contrast2 * slope()
    cdef int i, j, k, pair
    for k in range(rows):
        total[k] = row_of(&w.levels[0].u, y + k) + x
        powers[k] = row_of(&w.f2, y + k) + x
        load_part(u, middle, x, y + k, n)
        begin_mean(total[k], buffer(w, 2 + k), powers[k], u, n)
    i = 0
    while i < count:
        pair = min(2, count - i)
        for j in range(pair):
            for k in range(-radius, radius + ROWS):
                near[REACH + k] = row_of(&w.time.squares[i + j], reflected(y + k, middle.height)) + x - GHOST
            # From GHOST pixels before the first one on: where a row begins, a cache line does.
            weighted_means(column - GHOST, other_column - GHOST, near + REACH, GHOST + n + radius, &d.in_time)
            mean_along(buffer(w, 4 + j), column, n, &d.in_time)
            mean_along(buffer(w, 6 + j), other_column, n, &d.in_time)
        for k in range(rows):
            load_part(u, &around[i], x, y + k, n)
            if pair == 2:
                load_part(v, &around[i + 1], x, y + k, n)
                add_neighbours(
                    total[k], buffer(w, 2 + k), powers[k], u, v, buffer(w, 4 + 2 * k), buffer(w, 5 + 2 * k), n,
                    contrast2, rise, fall)
            else:
                add_neighbour(
                    total[k], buffer(w, 2 + k), powers[k], u, buffer(w, 4 + 2 * k), n, contrast2, rise, fall)
        i += 2
    for k in range(rows):
        end_mean(total[k], powers[k], buffer(w, 2 + k), n)


cdef inline void rows_in_time(
        Wavefront *w, int y, int rows, const View *middle, const View *around, int count, float contrast2,
        const Diffusion3D *d) noexcept nogil:
    cdef int radius = d.in_time.radius
    cdef int x = 0
    if count > 0:
        take_squares(&w.time, min(y + radius + ROWS - 1, middle.height - 1), middle, around, count, radius)
    while x < middle.width:
        part_in_time(w, x, min(<int>SEGMENT, middle.width - x), y, rows, middle, around, count, contrast2, d)
        x += SEGMENT


cdef inline void take_variance(Wavefront *w, int y, int width, int height, float contrast2) noexcept nogil:
    """The squared contrasts of edges, as soon as f^2 of row y is known."""
    cdef float *f2 = row_of(&w.f2, y)
    cdef float *before = row_of(&w.f2, max(y - 1, 0))
    cdef float half = <float>0.5 * contrast2
    reflect_ends(f2, width, 1)
    edge_contrasts(row_of(&w.k2_across, y), f2, f2 + 1, width, half)
    edge_contrasts(row_of(&w.k2_below, max(y - 1, 0)), before, f2, width, half)
    if y == height - 1:
        edge_contrasts(row_of(&w.k2_below, y), f2, f2, width, half)


cdef inline void take_level(Level *level, int y, int width, int reach) noexcept nogil:
    """The squared differences at row y, as soon as it is there."""
    cdef float *u = row_of(&level.u, y)
    reflect_ends(u, width, reach)
    # Those to a row -1 go where row 0 is not expected yet. A row's room begins with a cache line.
    squared_edges(
        row_of(&level.across, y) - GHOST, row_of(&level.below, y + level.below.rows - 1) - GHOST,
        row_of(&level.u, max(y - 1, 0)) - GHOST, u - GHOST, GHOST + width + reach - 1)


cdef inline int reflected_edge(int y, int height) noexcept nogil:
    """The edge below row y in the mirrored picture; -1: between a row and its own image."""
    y = y % (2 * height)
    if y < 0:
        y += 2 * height
    if y % height == height - 1:
        return -1
    return y if y < height else 2 * height - 2 - y


cdef inline void row_in_space(
        float *out, Level *level, int y, int width, int height, Wavefront *w, const Diffusion3D *d) noexcept nogil:
    """Row y after a step."""
    cdef const float *near_across[2 * REACH + 1]
    cdef const float *near_below[2 * REACH + 1]
    cdef float *column_across = buffer(w, 0)
    cdef float *column_below = buffer(w, 1)
    cdef float *s2_across = buffer(w, 2)
    cdef float *s2_below = buffer(w, 3)
    cdef float *across = buffer(w, 4)
    cdef float *u = row_of(&level.u, y)
    cdef float *next_u = row_of(&level.u, min(y + 1, height - 1))
    cdef float *below = row_of(&level.flux, y)
    cdef float *above = row_of(&level.flux, y + 1) if y > 0 else w.none
    cdef float *k2_across = row_of(&w.k2_across, y)
    cdef float *k2_below = row_of(&w.k2_below, y)
    cdef int radius = d.in_space.radius
    cdef int x = 0
    cdef int k, n, edge
    for k in range(-radius, radius + 1):
        edge = reflected_edge(y + k, height)
        near_across[REACH + k] = row_of(&level.across, reflected(y + k, height)) - GHOST
        near_below[REACH + k] = (row_of(&level.below, edge) if edge >= 0 else w.none) - GHOST
    (across - 1)[0] = 0        # from the mirror image
    while x < width:
        n = min(<int>SEGMENT, width - x)
        # As in time, from GHOST pixels before the first one on.
        weighted_mean(column_across - GHOST, near_across + REACH, GHOST + n + radius, &d.in_space)
        weighted_mean(column_below - GHOST, near_below + REACH, GHOST + n + radius, &d.in_space)
        if radius == 1:
            near_edge_fluxes(
                across, below + x, u + x, next_u + x, column_across, column_below, k2_across + x, k2_below + x, n,
                d.in_space.weights)
        else:
            mean_along(s2_across, column_across, n, &d.in_space)
            mean_along(s2_below, column_below, n, &d.in_space)
            edge_fluxes(
                across, below + x, u + x, next_u + x, s2_across, s2_below, k2_across + x, k2_below + x, n)
        euler_row(out + x, u + x, across, below + x, above + x, n, d.tau)
        (across - 1)[0] = across[n - 1]
        for k in range(-radius, radius + 1):
            near_across[REACH + k] += SEGMENT
            near_below[REACH + k] += SEGMENT
        x += SEGMENT


cdef inline void diffuse3d_plane(
        void *dst, ptrdiff_t dst_stride, const View *middle, const View *around, int count, Contrasts contrasts,
        const Diffusion3D *d, float *scratch) noexcept nogil:
    """`around`: `count` neighbours of the size of the middle one, at most those of the description."""
    cdef Wavefront w
    cdef int width = middle.width
    cdef int height = middle.height
    cdef int front, step, y
    cdef float *out
    lay_wavefront(&w, width, d, scratch)
    memset(w.none - GHOST, 0, row_floats(width) * sizeof(float))
    for front in range(height + d.steps * lag(d)):
        if front < height:
            if front % ROWS == 0:
                rows_in_time(&w, front, min(<int>ROWS, height - front), middle, around, count, contrasts.time, d)
            take_variance(&w, front, width, height, contrasts.space)
            take_level(&w.levels[0], front, width, lag(d))
        for step in range(1, d.steps + 1):
            y = front - step * lag(d)
            if y < 0:
                break
            if y >= height:
                continue
            out = w.last if step == d.steps else row_of(&w.levels[step].u, y)
            row_in_space(out, &w.levels[step - 1], y, width, height, &w, d)
            if step < d.steps:
                take_level(&w.levels[step], y, width, lag(d))
            else:
                store_row(<char *>dst + y * dst_stride, out, width, middle.pixels)
