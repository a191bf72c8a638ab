"""Poisson's equation on the masked pixels of a plane, in one region or several that lie close together.

    sum over neighbours j of (u_i - u_j) = sum over neighbours j of v_ij    for each unknown pixel i

j are the neighbours of i, unknown or known, within the frame: nothing crosses the frame's border. v are the differences
that pixels are to have, those of a guide (Perez, Gangnet, Blake, SIGGRAPH 2003) or none: Laplace's equation, u
harmonic. The known neighbours go to the right side.
"""

from libc.stddef cimport ptrdiff_t, size_t
from libc.stdint cimport int64_t

from common.arena cimport reserve
from common.c cimport fabsf
from common.pixels cimport View, load_part, sample_bytes, store_row
from kernels.multigrid cimport (
    FEW, Grid, Level, grid_floats, lay_grid, level_floats, row_pitch, solve, solve_directly, take)
from kernels.regions cimport Region, Regions, Run


cdef struct Guide:         # each laid like the box of a region
    const float *value     # v are differences of these
    const float *trust     # between pixels where this is not 0; NULL: everywhere
    bint mixed             # or the picture's own differences, where those are larger


cdef inline size_t box_floats(const Region *r) noexcept nogil:
    """The memory of a region's box and the pixels around it."""
    return level_floats(r.right - r.left, r.bottom - r.top)


cdef inline float *take_box(float **memory, const Region *r) noexcept nogil:
    """Zeros; the first pixel of the box."""
    return take(memory, box_floats(r), row_pitch(r.right - r.left))


cdef inline void load_box(float *out, const View *view, const Region *r) noexcept nogil:
    """The box of a region and the pixels around it, as far as there are any."""
    cdef ptrdiff_t pitch = row_pitch(r.right - r.left)
    cdef int left = max(r.left - 1, 0)
    cdef int right = min(r.right + 1, view.width)
    cdef int y
    for y in range(max(r.top - 1, 0), min(r.bottom + 1, view.height)):
        load_part(out + (y - r.top) * pitch + left - r.left, view, left, y, right - left)


cdef inline void store_runs(
        void *dst, ptrdiff_t stride, const View *view, const float *box, const Region *r,
        const Run *runs) noexcept nogil:
    """The pixels of a region and no others, in the format of the view."""
    cdef size_t pitch = row_pitch(r.right - r.left)
    cdef int bytes = sample_bytes(view.pixels)
    cdef int n
    for n in range(r.count):
        store_row(
            <char *>dst + runs[n].y * stride + runs[n].first * bytes,
            box + (runs[n].y - r.top) * pitch + (runs[n].first - r.left), runs[n].end - runs[n].first, view.pixels)


cdef inline float guided(const float *picture, const Guide *guide, ptrdiff_t i, ptrdiff_t j) noexcept nogil:
    """The difference that pixel i is to have from pixel j: the guide's, or the stronger one of the two.

    Of two that are as strong, the guide's: by a margin below a step of 16 bits, so that it is so at every depth.
    """
    cdef float wanted = guide.value[i] - guide.value[j]
    cdef float own = picture[i] - picture[j]
    if guide.trust != NULL and (guide.trust[i] == 0 or guide.trust[j] == 0):
        return 0
    return own if guide.mixed and fabsf(own) > fabsf(wanted) + <float>(1.0 / 1024) else wanted


cdef inline void add_neighbour(
        Level *v, const float *picture, const Guide *guide, ptrdiff_t i, ptrdiff_t j) noexcept nogil:
    v.diagonal[i] += 1
    if v.inverse[j] == 0:
        v.f[i] += picture[j]
    if guide != NULL:
        v.f[i] += guided(picture, guide, i, j)


cdef inline void set_region(
        Grid *g, const Region *r, const Run *runs, int width, int height, const float *picture,
        const Guide *guide) noexcept nogil:
    """Links, diagonal and right side of a region's pixels. picture: its box in a plane of this size."""
    cdef Level *v = &g.level[0]
    cdef ptrdiff_t p = v.pitch
    cdef ptrdiff_t i
    cdef int n, x, y
    for n in range(r.count):
        for x in range(runs[n].first, runs[n].end):
            v.inverse[(runs[n].y - r.top) * p + x - r.left] = 1
    for n in range(r.count):
        y = runs[n].y
        for x in range(runs[n].first, runs[n].end):
            i = (y - r.top) * p + x - r.left
            v.right[i] = v.inverse[i + 1]
            v.down[i] = v.inverse[i + p]
            if x > 0:
                add_neighbour(v, picture, guide, i, i - 1)
            if x < width - 1:
                add_neighbour(v, picture, guide, i, i + 1)
            if y > 0:
                add_neighbour(v, picture, guide, i, i - p)
            if y < height - 1:
                add_neighbour(v, picture, guide, i, i + p)
    for n in range(r.count):
        for x in range(runs[n].first, runs[n].end):
            i = (runs[n].y - r.top) * p + x - r.left
            v.inverse[i] = <float>1 / v.diagonal[i]


cdef inline const float *solve_box(
        Grid *g, const Region *r, const Run *runs, int width, int height, const float *picture, const Guide *guide,
        float tolerance, float *memory) noexcept nogil:
    """The solution, laid like the picture, 0 at known pixels. memory: grid_floats of the box."""
    cdef bint direct = r.pixels <= FEW
    lay_grid(g, r.right - r.left, r.bottom - r.top, direct, memory)
    set_region(g, r, runs, width, height, picture, guide)
    if direct:
        solve_directly(g)
    else:
        solve(g, tolerance)
    return g.x


cdef enum Outcome:
    SOLVED
    NO_BORDER              # a region is the whole plane
    NO_MEMORY


cdef inline bint is_whole(const Region *r, const View *plane) noexcept nogil:
    return r.pixels == <int64_t>plane.width * plane.height


cdef inline Outcome blend_regions(
        void *dst, ptrdiff_t stride, const View *src, const View *overlay, bint mixed, const Regions *regions,
        float tolerance, void **block) noexcept nogil:
    """Solves for the pixels of all regions, guided by a picture or not (NULL), and writes them and no others."""
    cdef const Region *r
    cdef const Run *runs
    cdef float *memory
    cdef float *picture
    cdef float *value
    cdef Guide guide
    cdef Grid g
    cdef int i
    for i in range(regions.count):
        r = &regions.region[i]
        runs = regions.runs + r.runs
        if is_whole(r, src):
            return NO_BORDER
        memory = <float *>reserve(
            block, (grid_floats(r.right - r.left, r.bottom - r.top) + 2 * box_floats(r)) * sizeof(float))
        if memory == NULL:
            return NO_MEMORY
        picture = take_box(&memory, r)
        load_box(picture, src, r)
        if overlay != NULL:
            value = take_box(&memory, r)
            load_box(value, overlay, r)
            guide.value = value
            guide.trust = NULL
            guide.mixed = mixed
        store_runs(
            dst, stride, src, solve_box(
                &g, r, runs, src.width, src.height, picture, &guide if overlay != NULL else NULL, tolerance, memory),
            r, runs)
    return SOLVED
