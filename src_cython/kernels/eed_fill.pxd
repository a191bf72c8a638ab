"""Edge-enhancing diffusion into the masked pixels of a plane: edges that end at a hole are carried across it.

    du/dt = div(D grad u) at unknown pixels, u as it is at known ones

with the tensors D of kernels.tensor: no flow across edges (Weickert, Welk, SSVM 2006, with the diffusivity of Weickert
1998). A hole is filled from coarse to fine. The picture is halved, cells of 2 x 2 pixels the means of the known ones
among them, until no cell is unknown; from each level unknown pixels of the finer one are taken, bilinearly, and
diffuse there for CYCLES cycles. So an edge crosses a hole of any width where that is a pixel or two. The stencil has
negative weights, which may overshoot; so what comes of a level is limited to the range of the box's known pixels.

Of a row, what lies between its first and its last unknown pixel is computed, in whole vectors. Two planes take turns: a
step's result takes the place of what the step before the last one left there, which it needs, and known pixels, the
same in both, are never written. Row y of a step follows row y+1 of the one before, as in kernels.tensor.
"""

from libc.math cimport INFINITY, ceil
from libc.stddef cimport ptrdiff_t, size_t
from libc.stdint cimport uint8_t
from libc.string cimport memcpy

from common.c cimport crow, maxf, minf, row
from common.pixels cimport Pixels, View, load_part, working_pixels
from kernels.diffuse cimport GHOST, plane_floats, row_floats, set_ghosts
from kernels.heat cimport Heat, heat_floats
from kernels.regions cimport Box
from kernels.structure cimport DIFFERENCES, Differences, lay_differences, smooth_plane, take_differences
from kernels.tensor cimport (
    EED, TensorDiffusion, eed_gradient_row, flow, momentum, set_contrast, set_time, sum_row, tie_border)


cdef enum:
    LEVELS = 32
    CYCLES = 8             # on each level: an even number, after which the first of two planes has the result
    TIME = 160             # of all of them
    LANES = 16             # columns, of which as many are computed as hold all that is unknown: a cache line


cdef struct Plane:         # a level: rows are row_floats(width) apart
    int width
    int height
    float *u
    float *unknown         # 1 or 0


cdef struct Span:          # of columns, from one multiple of LANES to another
    int first
    int end


cdef inline TensorDiffusion describe_eed_fill(double contrast, double unit, const Heat *sigma) noexcept nogil:
    """contrast: on the 8-bit scale; unit: one of that scale on the working scale; sigma: what smooths the picture."""
    cdef TensorDiffusion d
    d.mode = EED
    d.contrast = contrast
    d.unit = unit
    d.alpha = 0
    d.sigma = sigma[0]
    d.rho.radius = 0
    d.rho.weights = NULL
    set_contrast(&d, contrast)
    set_time(&d, TIME, CYCLES)
    return d


cdef inline int eed_margin(double sigma) noexcept nogil:
    """Pixels around a hole whose structure counts."""
    return 8 + <int>ceil(3 * sigma)


cdef inline size_t weight_rows(const TensorDiffusion *d) noexcept nogil:
    """Four kinds of weights until the last step has used them; what they are computed from."""
    return 4 * (d.length + 1) + 3 + DIFFERENCES


cdef inline size_t span_floats(int height) noexcept nogil:
    """Whole cache lines."""
    return (height * sizeof(Span) // sizeof(float) + LANES - 1) // LANES * LANES


cdef inline size_t eed_fill_floats(int width, int height, const TensorDiffusion *d) noexcept nogil:
    """The memory of eed_fill for a box: the smoothed picture, the other plane, weights, spans, levels, smoothing."""
    cdef size_t size = 2 * plane_floats(width, height) + span_floats(height) + weight_rows(d) * row_floats(width + 1)
    cdef size_t heat = 0
    while True:
        size += 2 * plane_floats(width, height)
        heat = max(heat, heat_floats(width, height, &d.sigma))
        if width == 1 and height == 1:
            return size + heat
        width = (width + 1) // 2
        height = (height + 1) // 2


cdef inline bint load_level(
        Plane *p, const View *src, const uint8_t *covered, const Box *b) noexcept nogil:
    """The picture; whether a pixel is unknown."""
    cdef bint any = False
    cdef size_t pitch = row_floats(p.width)
    cdef int x, y
    cdef const uint8_t *mask
    for y in range(p.height):
        load_part(p.u + y * pitch, src, b.left, b.top + y, p.width)
        mask = covered + (b.top + y) * <ptrdiff_t>src.width + b.left
        for x in range(p.width):
            p.unknown[y * pitch + x] = mask[x]
            any |= mask[x] != 0
    return any


cdef inline bint halve(Plane *coarse, const Plane *fine) noexcept nogil:
    """Means of known pixels; whether a cell has none."""
    cdef bint any = False
    cdef float sum, count, known
    cdef int x, y, i, j
    cdef size_t k
    for y in range(coarse.height):
        for x in range(coarse.width):
            sum = count = 0
            for j in range(2 * y, min(2 * y + 2, fine.height)):
                for i in range(2 * x, min(2 * x + 2, fine.width)):
                    k = j * row_floats(fine.width) + i
                    known = <float>1 - fine.unknown[k]
                    if known != 0:     # an unknown one may be NaN
                        sum += fine.u[k]
                        count += 1
            k = y * row_floats(coarse.width) + x
            coarse.u[k] = sum / count if count > 0 else 0
            coarse.unknown[k] = 0 if count > 0 else 1
            any |= count == 0
    return any


cdef inline float beside(float near, float far) noexcept nogil:
    return <float>0.75 * near + <float>0.25 * far


cdef inline void refine(Plane *fine, const Plane *coarse) noexcept nogil:
    """Unknown pixels from the coarser level, between the centres of its cells."""
    cdef size_t pitch = row_floats(coarse.width)
    cdef size_t k
    cdef const float *near
    cdef const float *far
    cdef int x, y, i, j
    for y in range(fine.height):
        j = y // 2 + (1 if y % 2 == 1 else -1)
        near = coarse.u + (y // 2) * pitch
        far = coarse.u + min(max(j, 0), coarse.height - 1) * pitch
        for x in range(fine.width):
            k = y * row_floats(fine.width) + x
            if fine.unknown[k] != 0:
                i = min(max(x // 2 + (1 if x % 2 == 1 else -1), 0), coarse.width - 1)
                fine.u[k] = beside(beside(near[x // 2], far[x // 2]), beside(near[i], far[i]))


cdef struct Range:
    float low
    float high


cdef inline Range known_range(const Plane *p) noexcept nogil:
    """Of what are numbers."""
    cdef Range r
    cdef size_t k
    cdef int x, y
    r.low = INFINITY
    r.high = -INFINITY
    for y in range(p.height):
        for x in range(p.width):
            k = y * row_floats(p.width) + x
            if p.unknown[k] == 0:
                r.low = minf(p.u[k], r.low)
                r.high = maxf(p.u[k], r.high)
    return r


cdef inline void limit_row(row u, crow unknown, float low, float high, int n) noexcept nogil:
    """NaN stays."""
    cdef float limited, own
    cdef int x
    for x in range(n):  # hot
        own = u[x]
        limited = minf(high, maxf(low, own))
        u[x] = limited if unknown[x] != 0 else own


cdef inline Span span_of(const float *unknown, int width) noexcept nogil:
    """Those of a row that are unknown, and some more; none: both ends 0."""
    cdef Span s
    s.first = 0
    s.end = width
    while s.end > 0 and unknown[s.end - 1] == 0:
        s.end -= 1
    while s.first < s.end and unknown[s.first] == 0:
        s.first += 1
    s.first = s.first // LANES * LANES
    s.end = (s.end + LANES - 1) // LANES * LANES
    return s


cdef inline Span span_of_both(Span a, Span b) noexcept nogil:
    cdef Span s
    if a.end == 0 or b.end == 0:
        return b if a.end == 0 else a
    s.first = min(a.first, b.first)
    s.end = max(a.end, b.end)
    return s


cdef inline int corners(Span s, int width) noexcept nogil:
    """Those on both sides of the span's pixels, in whole vectors."""
    return s.end - s.first + (LANES if 0 < s.end <= width else 0)


cdef inline void held_row(
        row u, crow unknown, crow up, crow mid, crow down, crow across, crow above, crow below, crow falling_above,
        crow falling_below, crow rising_above, crow rising_below, int n, float alpha) noexcept nogil:
    """A step, in the place of the one before the last."""
    cdef float before, new
    cdef int x
    for x in range(n):  # hot
        before = u[x]
        new = before + alpha * ((mid[x] - before) + flow(
            up, mid, down, across, above, below, falling_above, falling_below, rising_above, rising_below, x))
        u[x] = new if unknown[x] != 0 else before


cdef inline void run_cycle(
        const Plane *p, float *u, float *other, const Span *spans, const TensorDiffusion *d, const float *v,
        float *rows) noexcept nogil:
    """Of an odd number of steps the result is in `other`, of an even one in u. Both have ghosts."""
    cdef size_t pitch = row_floats(p.width)
    cdef size_t line = row_floats(p.width + 1)
    cdef int slots = d.length + 1
    cdef float half_tau = <float>0.5 * d.tau
    cdef float *halves = rows + GHOST          # two rows
    cdef float *downward = halves + 2 * line   # of corners
    cdef float *across = halves + 3 * line
    cdef float *below = across + slots * line
    cdef float *falling = below + slots * line
    cdef float *rising = falling + slots * line
    cdef float *weights
    cdef float *out
    cdef const float *mid
    cdef Differences differences
    cdef Span none, s
    cdef size_t here, under
    cdef int front, step, x, y, n
    none.first = none.end = 0
    lay_differences(&differences, rising + slots * line - GHOST, p.width)
    for front in range(p.height + d.length):
        if front <= p.height:
            s = span_of_both(
                spans[front - 1] if front > 0 else none, spans[front] if front < p.height else none)
            n = corners(s, p.width)
            weights = halves + (front % 2) * line
            here = (front % slots) * line
            take_differences(&differences, v, front, p.width, p.height)
            eed_gradient_row(
                weights + s.first, downward + s.first, falling + here + s.first, rising + here + s.first,
                differences.a + s.first, differences.b + s.first, differences.c + s.first, differences.d + s.first,
                differences.columns + s.first, n, d.contrast2, half_tau)
            if s.first == 0:
                tie_border(downward, falling + here, rising + here, weights, 0)
            if s.first + n > p.width:
                tie_border(downward, falling + here, rising + here, weights, p.width)
            if front == 0 or front == p.height:
                for x in range(s.first, s.first + n):
                    tie_border(weights, falling + here, rising + here, downward, x)
            sum_row(below + here + s.first, downward + s.first, downward + s.first + 1, n)
            if front > 0:
                s = spans[front - 1]
                sum_row(
                    across + ((front - 1) % slots) * line + s.first, halves + s.first, halves + line + s.first,
                    corners(s, p.width))
            if front < p.height:
                s = spans[front]
                memcpy(
                    other + front * pitch + s.first, u + front * pitch + s.first,
                    (s.end - s.first) * sizeof(float))
        for step in range(1, d.length + 1):
            y = front - step
            if y < 0:
                break
            if y >= p.height or spans[y].end == 0:
                continue
            s = spans[y]
            mid = (u if step % 2 == 1 else other) + s.first
            out = (other if step % 2 == 1 else u) + y * pitch
            here = (y % slots) * line + s.first
            under = ((y + 1) % slots) * line + s.first
            held_row(
                out + s.first, p.unknown + y * pitch + s.first, mid + max(y - 1, 0) * pitch, mid + y * pitch,
                mid + min(y + 1, p.height - 1) * pitch, across + here, below + here, below + under, falling + here,
                falling + under, rising + here, rising + under, s.end - s.first, momentum(step))
            set_ghosts(out, p.width)


cdef inline void diffuse_level(
        Plane *p, const TensorDiffusion *d, Range known, float *v, float *other, Span *spans, float *rows,
        float *scratch) noexcept nogil:
    cdef Pixels working = working_pixels()
    cdef size_t pitch = row_floats(p.width)
    cdef float *now
    cdef int cycle, y
    for y in range(p.height):
        set_ghosts(p.u + y * pitch, p.width)
        spans[y] = span_of(p.unknown + y * pitch, p.width)
    memcpy(other - GHOST, p.u - GHOST, plane_floats(p.width, p.height) * sizeof(float))
    for cycle in range(d.cycles):
        now = other if (cycle * d.length) % 2 == 1 else p.u
        smooth_plane(v - GHOST, now, pitch * sizeof(float), &working, p.width, p.height, &d.sigma, scratch)
        run_cycle(p, now, p.u if now == other else other, spans, d, v, rows)
    for y in range(p.height):
        limit_row(p.u + y * pitch, p.unknown + y * pitch, known.low, known.high, p.width)


cdef inline const float *eed_fill(
        const View *src, const uint8_t *covered, const Box *b, const TensorDiffusion *d, float *memory) noexcept nogil:
    """The box of a plane, its masked pixels filled in; rows are row_floats of its width apart."""
    cdef Plane levels[LEVELS]
    cdef Plane *p
    cdef size_t size = plane_floats(b.width, b.height)
    cdef float *v = memory + GHOST
    cdef float *other = v + size
    cdef float *rows = memory + 2 * size
    cdef Span *spans = <Span *>(rows + weight_rows(d) * row_floats(b.width + 1))
    cdef float *next = <float *>spans + span_floats(b.height)
    cdef int n = 0
    cdef int width = b.width
    cdef int height = b.height
    cdef Range known
    cdef bint unknown
    while True:
        p = &levels[n]
        p.width = width
        p.height = height
        p.u = next + GHOST
        p.unknown = p.u + plane_floats(width, height)
        next += 2 * plane_floats(width, height)
        unknown = load_level(p, src, covered, b) if n == 0 else halve(p, &levels[n - 1])
        if not unknown:
            break
        n += 1
        width = (width + 1) // 2
        height = (height + 1) // 2
    known = known_range(&levels[0])
    for n in range(n - 1, -1, -1):
        refine(&levels[n], &levels[n + 1])
        diffuse_level(&levels[n], d, known, v, other, spans, rows, next)
    return levels[0].u
