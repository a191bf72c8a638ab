"""Edge-enhancing diffusion into the masked pixels of a plane: edges that end at a hole are carried across it.

    du/dt = div(D grad u) at unknown pixels, u as it is at known ones

with the tensors D of kernels.tensor: no flow across edges (Weickert, Welk, SSVM 2006, with the diffusivity of Weickert
1998). A hole is filled from coarse to fine. The picture is halved, cells of 2 x 2 pixels the means of the known ones
among them, until no cell is unknown; from each level unknown pixels of the finer one are taken, bilinearly, and
diffuse there for CYCLES cycles. So an edge crosses a hole of any width where that is a pixel or two. The stencil has
negative weights, which may overshoot; so what comes of a level is limited to the range of the box's known pixels.
"""

from libc.math cimport INFINITY, ceil
from libc.stddef cimport ptrdiff_t, size_t
from libc.stdint cimport uint8_t

from common.c cimport crow, maxf, minf, row
from common.pixels cimport Pixels, View, load_part, working_pixels
from kernels.diffuse cimport GHOST, plane_floats, row_floats
from kernels.heat cimport Heat, heat_floats
from kernels.regions cimport Box
from kernels.structure cimport smooth_plane
from kernels.tensor cimport EED, TensorDiffusion, run_cycle, set_contrast, set_time, wavefront_rows


cdef enum:
    LEVELS = 32
    CYCLES = 8             # on each level
    TIME = 160             # of all of them


cdef struct Plane:         # a level: rows are row_floats(width) apart
    int width
    int height
    float *u
    float *unknown         # 1 or 0


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


cdef inline size_t eed_fill_floats(int width, int height, const TensorDiffusion *d) noexcept nogil:
    """The memory of eed_fill for a box: the levels, the smoothed picture, the wavefront's rows, smoothing."""
    cdef size_t size = plane_floats(width, height) + wavefront_rows(d) * row_floats(width + 1)
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


cdef inline void diffuse_level(
        Plane *p, const TensorDiffusion *d, Range known, float *v, float *rows, float *scratch) noexcept nogil:
    cdef Pixels working = working_pixels()
    cdef ptrdiff_t stride = row_floats(p.width) * sizeof(float)
    cdef int y
    for _ in range(d.cycles):
        smooth_plane(v - GHOST, p.u, stride, &working, p.width, p.height, &d.sigma, scratch)
        run_cycle(
            p.u, stride, &working, p.u, stride, &working, v, NULL, p.unknown, p.width, p.height, d, rows)
    for y in range(p.height):
        limit_row(
            p.u + y * row_floats(p.width), p.unknown + y * row_floats(p.width), known.low, known.high, p.width)


cdef inline const float *eed_fill(
        const View *src, const uint8_t *covered, const Box *b, const TensorDiffusion *d, float *memory) noexcept nogil:
    """The box of a plane, its masked pixels filled in; rows are row_floats of its width apart."""
    cdef Plane levels[LEVELS]
    cdef Plane *p
    cdef float *v = memory + GHOST
    cdef float *rows = memory + plane_floats(b.width, b.height)
    cdef float *next = rows + wavefront_rows(d) * row_floats(b.width + 1)
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
        diffuse_level(&levels[n], d, known, v, rows, next)
    return levels[0].u
