"""Additive operator splitting: each step solves an implicit equation along each axis and takes the mean.

    u <- 1/2 sum over the axes l of (I - 2 tau A_l(u))^-1 u

(Weickert, ter Haar Romeny, Viergever, IEEE TIP 7(3), 1998).

Stable at every tau.

`LANES` columns, or as many rows turned to be columns, are solved beside one another. The tridiagonal system is
eliminated from both ends towards the middle and solved from there outwards, so that a mirrored picture gives the same
bytes, mirrored; the mean of the axes then is the same whichever of them is called which. Every term of the elimination
is a sum of positive numbers, nothing cancels, however large tau is. Values are taken relative to one of their line, so
that a constant stays, to the byte: to the median of its ends and its middle, which no single bright pixel is.
"""

from libc.math cimport ceil
from libc.stddef cimport ptrdiff_t, size_t
from libc.string cimport memcpy, memset

from common.c cimport crow, maxf, minf, row
from common.pixels cimport Pixels, load_row, store_row
from kernels.diffuse cimport Diffusion, edge_diffusivities, mean_diffusivities, plane_floats, row_floats


cdef enum:
    LANES = 16
    PANELS = 4             # of columns, that are taken together: whole stretches of memory of each row
    TURNED = 64            # columns of so many rows that are turned together: they stay in the first-level cache


cdef inline int accurate_aos_steps(double time) noexcept nogil:
    """As many steps as damp every mode to within 0.045 of exp(-lambda*time), however long that is.

    Diffusivities are held for a time of 5 at most.
    """
    return max(18, <int>ceil(time / 5))


cdef struct Lines:
    # Solved beside one another: the pixels, edges and unknowns of one place follow those of the place before.
    int length
    float *u
    float *g               # of the edge before each place, and after the last: length + 1, the outer two are 0
    float *p               # after elimination, v = p + q * v of the next place towards the middle; then v
    float *q


cdef inline size_t panel_floats(int length) noexcept nogil:
    return <size_t>(length + 2) * LANES


cdef inline Lines lay_lines(int length, float *memory) noexcept nogil:
    """The panels of u are one behind the other; u is the first. No flux comes in before the first place."""
    cdef Lines l
    cdef size_t size = panel_floats(length)
    l.length = length
    l.u = memory
    l.g = memory + PANELS * size
    l.p = l.g + size
    l.q = l.p + size
    memset(l.g, 0, LANES * sizeof(float))
    return l


cdef inline size_t aos_floats(int width, int height) noexcept nogil:
    """The scratch that aos_plane needs: two planes, and the lines of some panels."""
    return 2 * plane_floats(width, height) + (PANELS + 3) * panel_floats(max(width, height))


# One place of all lines

cdef inline void eliminate(
        row p, row q, row r, crow before_p, crow u, crow base, crow before_g, crow after_g,
        float strength) noexcept nogil:
    """Expresses v here by v after it, given the place before. r = 1 - q, carried along because 1 - q would cancel."""
    cdef int x
    cdef float a, b, c, inverse
    for x in range(LANES):  # hot
        a = strength * before_g[x]
        b = strength * after_g[x]
        c = 1 + a * r[x]
        inverse = 1 / (c + b)
        p[x] = ((u[x] - base[x]) + a * before_p[x]) * inverse
        q[x] = b * inverse
        r[x] = c * inverse


cdef inline void solve_middle(
        row v, crow top_p, crow top_r, crow bottom_p, crow bottom_r, row u, crow base, crow top_g, crow bottom_g,
        float strength) noexcept nogil:
    """v and the pixel of the place in the middle of an odd number."""
    cdef int x
    cdef float a, b
    for x in range(LANES):  # hot
        a = strength * top_g[x]
        b = strength * bottom_g[x]
        v[x] = ((u[x] - base[x]) + (a * top_p[x] + b * bottom_p[x])) / (1 + (a * top_r[x] + b * bottom_r[x]))
        u[x] = v[x] + base[x]


cdef inline void solve_pair(
        row top_v, row bottom_v, row top_u, row bottom_u, crow top_q, crow top_r, crow bottom_q, crow bottom_r,
        crow base) noexcept nogil:
    """The same for the two places in the middle of an even number."""
    cdef int x
    cdef float rest, top, bottom
    for x in range(LANES):  # hot
        rest = (top_r[x] + bottom_r[x]) - top_r[x] * bottom_r[x]
        top = top_v[x]
        bottom = bottom_v[x]
        top_v[x] = (top + top_q[x] * bottom) / rest
        bottom_v[x] = (bottom + bottom_q[x] * top) / rest
        top_u[x] = top_v[x] + base[x]
        bottom_u[x] = bottom_v[x] + base[x]


cdef inline void substitute(
        row top_v, row bottom_v, row top_u, row bottom_u, crow top_q, crow bottom_q, crow after_top, crow before_bottom,
        crow base) noexcept nogil:
    """The same for the two places next to those that are known."""
    cdef int x
    for x in range(LANES):  # hot
        top_v[x] += top_q[x] * after_top[x]
        bottom_v[x] += bottom_q[x] * before_bottom[x]
        top_u[x] = top_v[x] + base[x]
        bottom_u[x] = bottom_v[x] + base[x]


cdef inline void choose_base(row base, crow top, crow bottom) noexcept nogil:
    """From the middle to the median of the middle and the ends."""
    cdef int x
    cdef float low, high
    for x in range(LANES):  # hot
        low = minf(top[x], bottom[x])
        high = maxf(top[x], bottom[x])
        base[x] = maxf(low, minf(high, base[x]))


cdef inline void solve_lines(const Lines *l, float strength) noexcept nogil:
    """The implicit step along the lines, in place. strength = 2*tau."""
    cdef float none[LANES]
    cdef float top_r[LANES]
    cdef float bottom_r[LANES]
    cdef float base[LANES]
    cdef const float *top_p = none
    cdef const float *bottom_p = none
    cdef int half = l.length // 2
    cdef int last = l.length - 1
    cdef bint odd = l.length % 2 == 1
    cdef int i, j
    memset(none, 0, sizeof(none))
    memset(top_r, 0, sizeof(top_r))
    memset(bottom_r, 0, sizeof(bottom_r))
    mean_diffusivities(base, l.u + (last - half) * LANES, l.u + half * LANES, LANES)
    choose_base(base, l.u, l.u + last * LANES)
    for i in range(half):
        j = last - i
        eliminate(
            l.p + i * LANES, l.q + i * LANES, top_r, top_p, l.u + i * LANES, base, l.g + i * LANES,
            l.g + (i + 1) * LANES, strength)
        eliminate(
            l.p + j * LANES, l.q + j * LANES, bottom_r, bottom_p, l.u + j * LANES, base, l.g + (j + 1) * LANES,
            l.g + j * LANES, strength)
        top_p = l.p + i * LANES
        bottom_p = l.p + j * LANES
    if odd:
        solve_middle(
            l.p + half * LANES, top_p, top_r, bottom_p, bottom_r, l.u + half * LANES, base, l.g + half * LANES,
            l.g + (half + 1) * LANES, strength)
    else:
        solve_pair(
            l.p + (half - 1) * LANES, l.p + half * LANES, l.u + (half - 1) * LANES, l.u + half * LANES,
            l.q + (half - 1) * LANES, top_r, l.q + half * LANES, bottom_r, base)
    for i in range(half - 1 if odd else half - 2, -1, -1):
        j = last - i
        substitute(
            l.p + i * LANES, l.p + j * LANES, l.u + i * LANES, l.u + j * LANES, l.q + i * LANES, l.q + j * LANES,
            l.p + (i + 1) * LANES, l.p + (j - 1) * LANES, base)


# A plane

cdef inline void set_edges(const Lines *l, const Diffusion *d) noexcept nogil:
    """From pixels, or in the steered case from the pixels' diffusivities in l.p."""
    edge_diffusivities(l.g + LANES, l.u, l.u + LANES, l.p, l.p + LANES, (l.length - 1) * LANES, d)
    memset(l.g + l.length * LANES, 0, LANES * sizeof(float))


cdef inline void take_panels(float *panels, const float *plane, size_t pitch, int n, int count) noexcept nogil:
    """Whole ones, which rows have room for."""
    cdef int y, i
    for y in range(n):
        for i in range(count):
            memcpy(panels + i * panel_floats(n) + y * LANES, plane + y * pitch + i * LANES, LANES * sizeof(float))


cdef inline void put_panels(float *plane, const float *panels, size_t pitch, int n, int count) noexcept nogil:
    cdef int y, i
    for y in range(n):
        for i in range(count):
            memcpy(plane + y * pitch + i * LANES, panels + i * panel_floats(n) + y * LANES, LANES * sizeof(float))


# Rows are turned to be columns by halves: row y and the one LANES / 2 further down are interleaved, then what came of
# each with what came of the row LANES / 4 further down, and so on; and back by parting what was interleaved.

cdef inline void interleave(row to, crow a, crow b, int n) noexcept nogil:
    cdef int x
    for x in range(n):  # hot
        to[2 * x] = a[x]
        to[2 * x + 1] = b[x]


cdef inline void part(row a, row b, crow mixed, int n) noexcept nogil:
    cdef int x
    for x in range(n):  # hot
        a[x] = mixed[2 * x]
        b[x] = mixed[2 * x + 1]


cdef inline void take_mean(row u, crow solution, crow turned, int n) noexcept nogil:
    cdef int x
    for x in range(n):  # hot
        u[x] = <float>0.5 * (solution[x] + turned[x])


cdef inline void take_rows(float *panel, const float *plane, size_t pitch, int n, int rows) noexcept nogil:
    """Lanes without a row have the last one's."""
    cdef float first[LANES * TURNED]
    cdef float second[LANES * TURNED]
    cdef float *mixed
    cdef float *to
    cdef int left = 0
    cdef int m, y, count, length
    while left < n:
        m = min(<int>TURNED, n - left)
        mixed = first
        to = second
        count = LANES // 2
        length = 2 * m
        for y in range(count):
            interleave(
                mixed + y * length, plane + min(y, rows - 1) * pitch + left,
                plane + min(y + count, rows - 1) * pitch + left, m)
        while count > 1:
            count //= 2
            if count == 1:
                to = panel + left * LANES
            for y in range(count):
                interleave(to + y * 2 * length, mixed + y * length, mixed + (y + count) * length, length)
            length *= 2
            mixed, to = to, mixed
        left += m


cdef inline void take_mean_of_rows(
        float *u, const float *solution, const float *panel, size_t pitch, int n, int rows) noexcept nogil:
    """Of the solution and of what take_rows would make a panel of."""
    cdef float first[LANES * TURNED]
    cdef float second[LANES * TURNED]
    cdef const float *mixed
    cdef float *to
    cdef int left = 0
    cdef int m, y, count, length
    while left < n:
        m = min(<int>TURNED, n - left)
        mixed = panel + left * LANES
        to = first
        count = 1
        length = LANES * m
        while count < LANES:
            length //= 2
            for y in range(count):
                part(to + y * length, to + (y + count) * length, mixed + y * 2 * length, length)
            count *= 2
            mixed = to
            to = &second[0] if to == &first[0] else &first[0]
        for y in range(rows):
            take_mean(u + y * pitch + left, solution + y * pitch + left, mixed + y * m, m)
        left += m


cdef inline void step_columns(
        const float *u, float *solution, const float *steer, size_t pitch, int width, int height, const Diffusion *d,
        float *memory) noexcept nogil:
    cdef Lines lines = lay_lines(height, memory)
    cdef float *panels = lines.u
    cdef int left = 0
    cdef int i, count
    while left < width:
        count = min(<int>PANELS, (width - left + LANES - 1) // LANES)
        take_panels(panels, u + left, pitch, height, count)
        for i in range(count):
            lines.u = panels + i * panel_floats(height)
            if d.steered:
                take_panels(lines.p, steer + left + i * LANES, pitch, height, 1)
            set_edges(&lines, d)
            solve_lines(&lines, 2 * d.steps.tau)
        put_panels(solution + left, panels, pitch, height, count)
        left += PANELS * LANES


cdef inline void step_rows(
        float *u, const float *solution, const float *steer, size_t pitch, int width, int height, const Diffusion *d,
        float *memory) noexcept nogil:
    """To the mean of the solutions of both axes."""
    cdef Lines lines = lay_lines(width, memory)
    cdef int top, count
    top = 0
    while top < height:
        count = min(<int>LANES, height - top)
        take_rows(lines.u, u + top * pitch, pitch, width, count)
        if d.steered:
            take_rows(lines.p, steer + top * pitch, pitch, width, count)
        set_edges(&lines, d)
        solve_lines(&lines, 2 * d.steps.tau)
        take_mean_of_rows(u + top * pitch, solution + top * pitch, lines.u, pitch, width, count)
        top += LANES


cdef inline void aos_plane(
        void *dst, ptrdiff_t dst_stride, const Pixels *dst_pixels, const void *src, ptrdiff_t src_stride,
        const Pixels *src_pixels, int width, int height, const Diffusion *d, const float *steer,
        float *scratch) noexcept nogil:
    """dst may be src. `steer`: diffusivities of the pixels, for all steps, in rows of row_floats(width); or NULL."""
    cdef size_t pitch = row_floats(width)
    cdef float *u = scratch
    cdef float *solution = u + height * pitch
    cdef float *memory = solution + height * pitch
    cdef int y, _
    for y in range(height):
        memset(u + y * pitch + width // LANES * LANES, 0, LANES * sizeof(float))
        load_row(u + y * pitch, <const char *>src + y * src_stride, width, src_pixels)
    for _ in range(d.steps.cycles):
        step_columns(u, solution, steer, pitch, width, height, d, memory)
        step_rows(u, solution, steer, pitch, width, height, d, memory)
    for y in range(height):
        store_row(<char *>dst + y * dst_stride, u + y * pitch, width, dst_pixels)
