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

Beyond the border, the picture continues as its mirror image. As in kernels.diffuse, the rows of all steps advance as one
wavefront: the step in time emits a row as soon as its neighbourhood is known, each step in space follows.
"""

from libc.math cimport ceil
from libc.stddef cimport ptrdiff_t, size_t
from libc.string cimport memset

from common.c cimport crow, maxf, minf, row
from common.pixels cimport View, load_view, store_row
from kernels.diffuse cimport GHOST, row_floats, squared_differences
from kernels.heat cimport reflect_ends, reflected
from kernels.window cimport REACH, Window, describe_window, mean_along, weighted_mean


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


cdef inline void add_neighbour(
        row total, row weights, row squares, crow u, crow s2, int n, float contrast2, float rise,
        float fall) noexcept nogil:
    """rise = W * SLOPE * kt^2 and fall = (W + 1) * SLOPE * kt^2 spare a division: m = rise / (fall + excess)."""
    cdef int x
    cdef float m
    for x in range(n):  # hot
        m = rise / (fall + maxf(s2[x] - contrast2, 0))
        total[x] += m * u[x]
        weights[x] += m
        squares[x] += m * m


cdef inline void end_mean(row u, row f2, crow total, crow weights, crow squares, int n) noexcept nogil:
    cdef int x
    cdef float share
    for x in range(n):  # hot
        share = <float>1 / weights[x]
        u[x] = total[x] * share
        f2[x] = squares[x] * (share * share)


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


cdef inline void edge_fluxes(
        row across, row below, crow u, crow next_u, crow s2_across, crow s2_below, crow k2_across, crow k2_below,
        int n) noexcept nogil:
    """Both edges of a pixel share a division, 1/ab = (1/a)(1/b). The bound keeps the product finite."""
    cdef int x
    cdef float a, b, share
    for x in range(n):  # hot
        a = k2_across[x] + minf(s2_across[x], <float>1e18)
        b = k2_below[x] + minf(s2_below[x], <float>1e18)
        share = <float>1 / (a * b)
        across[x] = (k2_across[x] * (b * share)) * (u[x + 1] - u[x])
        below[x] = (k2_below[x] * (a * share)) * (next_u[x] - u[x])


cdef inline void euler_row(row dst, crow u, crow across, crow below, crow above, int n, float tau) noexcept nogil:
    cdef int x
    for x in range(n):  # hot
        dst[x] = u[x] + tau * ((across[x] - across[x - 1]) + (below[x] - above[x]))


# The wavefront

cdef struct Ring:          # the last rows of a picture: row y is at y modulo their number
    float *first
    size_t pitch
    int rows


cdef struct InTime:
    Ring squares[NEIGHBOURS]
    int known              # rows that they have taken in
    float *middle
    float *other
    float *total
    float *weights
    float *powers
    float *column
    float *s2


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
    float *column
    float *s2_across
    float *s2_below
    float *across
    float *last


cdef enum:
    SINGLE_ROWS = 13       # of a wavefront, outside its rings


cdef inline float *row_of(const Ring *r, int y) noexcept nogil:
    return r.first + (y % r.rows) * r.pitch


cdef inline Ring lay_ring(float **scratch, size_t pitch, int rows) noexcept nogil:
    cdef Ring r
    r.first = scratch[0] + GHOST
    r.pitch = pitch
    r.rows = rows
    scratch[0] += pitch * rows
    return r


cdef inline float *lay_row(float **scratch, size_t pitch) noexcept nogil:
    return lay_ring(scratch, pitch, 1).first


cdef inline int lag(const Diffusion3D *d) noexcept nogil:
    """Rows that a step in space is behind the one before."""
    return d.in_space.radius + 1


cdef inline int rows_of_square(const Diffusion3D *d) noexcept nogil:
    return 2 * d.in_time.radius + 1


cdef inline int rows_of_contrast(const Diffusion3D *d) noexcept nogil:
    """From the row whose variance is known to the one that the last step needs."""
    return d.steps * lag(d) + 1


cdef inline size_t wavefront_floats(int width, const Diffusion3D *d) noexcept nogil:
    cdef size_t rows = SINGLE_ROWS + d.neighbours * rows_of_square(d)
    rows += d.steps * (5 * d.in_space.radius + 7) + 2 + 2 * rows_of_contrast(d)
    return rows * row_floats(width)


cdef inline void lay_wavefront(Wavefront *w, int width, const Diffusion3D *d, float *scratch) noexcept nogil:
    cdef size_t pitch = row_floats(width)
    cdef int radius = d.in_space.radius
    cdef int i
    for i in range(d.neighbours):
        w.time.squares[i] = lay_ring(&scratch, pitch, rows_of_square(d))
    w.time.known = 0
    w.time.middle = lay_row(&scratch, pitch)
    w.time.other = lay_row(&scratch, pitch)
    w.time.total = lay_row(&scratch, pitch)
    w.time.weights = lay_row(&scratch, pitch)
    w.time.powers = lay_row(&scratch, pitch)
    w.time.column = lay_row(&scratch, pitch)
    w.time.s2 = lay_row(&scratch, pitch)
    for i in range(d.steps):
        w.levels[i].u = lay_ring(&scratch, pitch, radius + 2)
        w.levels[i].across = lay_ring(&scratch, pitch, 2 * radius + 2)
        w.levels[i].below = lay_ring(&scratch, pitch, 2 * radius + 1)
        w.levels[i].flux = lay_ring(&scratch, pitch, 2)
    w.f2 = lay_ring(&scratch, pitch, 2)
    w.k2_across = lay_ring(&scratch, pitch, rows_of_contrast(d))
    w.k2_below = lay_ring(&scratch, pitch, rows_of_contrast(d))
    w.none = lay_row(&scratch, pitch)
    w.column = lay_row(&scratch, pitch)
    w.s2_across = lay_row(&scratch, pitch)
    w.s2_below = lay_row(&scratch, pitch)
    w.across = lay_row(&scratch, pitch)
    w.last = lay_row(&scratch, pitch)
    memset(w.none - GHOST, 0, pitch * sizeof(float))


cdef inline void take_squares(
        InTime *t, int last, const View *middle, const View *around, int count) noexcept nogil:
    """The squared differences of the rows up to `last`."""
    cdef int i
    while t.known <= last:
        load_view(t.middle, middle, t.known)
        for i in range(count):
            load_view(t.other, &around[i], t.known)
            squared_differences(row_of(&t.squares[i], t.known), t.middle, t.other, middle.width)
        t.known += 1


cdef inline void row_in_time(
        float *u, float *f2, InTime *t, int y, const View *middle, const View *around, int count, float contrast2,
        const Diffusion3D *d) noexcept nogil:
    """Row y of v and of f^2."""
    cdef const float *near[2 * REACH + 1]
    cdef int radius = d.in_time.radius
    cdef int width = middle.width
    cdef int height = middle.height
    cdef float rise = d.coupling * (contrast2 * slope())
    cdef float fall = rise + contrast2 * slope()
    cdef int i, k
    if count > 0:
        take_squares(t, min(y + radius, height - 1), middle, around, count)
    load_view(t.middle, middle, y)
    begin_mean(t.total, t.weights, t.powers, t.middle, width)
    for i in range(count):
        for k in range(-radius, radius + 1):
            near[REACH + k] = row_of(&t.squares[i], reflected(y + k, height))
        weighted_mean(t.column, near + REACH, width, &d.in_time)
        reflect_ends(t.column, width, radius)
        mean_along(t.s2, t.column, width, &d.in_time)
        load_view(t.other, &around[i], y)
        add_neighbour(t.total, t.weights, t.powers, t.other, t.s2, width, contrast2, rise, fall)
    end_mean(u, f2, t.total, t.weights, t.powers, width)


cdef inline void take_variance(Wavefront *w, int y, int width, int height, float contrast2) noexcept nogil:
    """The squared contrasts of edges, as soon as f^2 of row y is known."""
    cdef float *f2 = row_of(&w.f2, y)
    cdef float *before = row_of(&w.f2, max(y - 1, 0))
    cdef float half = <float>0.5 * contrast2
    reflect_ends(f2, width, 1)
    edge_contrasts(row_of(&w.k2_across, y) - 1, f2 - 1, f2, width + 1, half)
    edge_contrasts(row_of(&w.k2_below, max(y - 1, 0)) - 1, before - 1, f2 - 1, width + 1, half)
    if y == height - 1:
        edge_contrasts(row_of(&w.k2_below, y) - 1, f2 - 1, f2 - 1, width + 1, half)


cdef inline void take_level(Level *level, int y, int width, int reach) noexcept nogil:
    """The squared differences at row y, as soon as it is there."""
    cdef float *u = row_of(&level.u, y)
    reflect_ends(u, width, reach)
    # Those to a row -1 go where row 0 is not expected yet.
    squared_edges(
        row_of(&level.across, y) - reach, row_of(&level.below, y + level.below.rows - 1) - reach,
        row_of(&level.u, max(y - 1, 0)) - reach, u - reach, width + 2 * reach - 1)


cdef inline int reflected_edge(int y, int height) noexcept nogil:
    """The edge below row y in the mirrored picture; -1: between a row and its own image."""
    y = y % (2 * height)
    if y < 0:
        y += 2 * height
    if y % height == height - 1:
        return -1
    return y if y < height else 2 * height - 2 - y


cdef inline void mean_of_edges(
        float *s2, const Ring *squares, bint below, int y, int width, int height, const Wavefront *w,
        const Window *window) noexcept nogil:
    """s2 of the edges at row y, from the one before pixel 0."""
    cdef const float *near[2 * REACH + 1]
    cdef int reach = window.radius + 1
    cdef int k, edge
    for k in range(-window.radius, window.radius + 1):
        edge = reflected_edge(y + k, height) if below else reflected(y + k, height)
        near[REACH + k] = (row_of(squares, edge) if edge >= 0 else w.none) - reach
    weighted_mean(w.column - reach, near + REACH, width + 2 * reach - 1, window)
    mean_along(s2 - 1, w.column - 1, width + 1, window)


cdef inline void row_in_space(
        float *out, Level *level, int y, int width, int height, Wavefront *w, const Diffusion3D *d) noexcept nogil:
    """Row y after a step."""
    cdef float *u = row_of(&level.u, y)
    cdef float *next_u = row_of(&level.u, min(y + 1, height - 1))
    cdef float *below = row_of(&level.flux, y)
    cdef float *above = row_of(&level.flux, y + 1) if y > 0 else w.none
    mean_of_edges(w.s2_across, &level.across, False, y, width, height, w, &d.in_space)
    mean_of_edges(w.s2_below, &level.below, True, y, width, height, w, &d.in_space)
    edge_fluxes(
        w.across - 1, below - 1, u - 1, next_u - 1, w.s2_across - 1, w.s2_below - 1, row_of(&w.k2_across, y) - 1,
        row_of(&w.k2_below, y) - 1, width + 1)
    euler_row(out, u, w.across, below, above, width, d.tau)


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
    for front in range(height + d.steps * lag(d)):
        if front < height:
            row_in_time(
                row_of(&w.levels[0].u, front), row_of(&w.f2, front), &w.time, front, middle, around, count,
                contrasts.time, d)
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
