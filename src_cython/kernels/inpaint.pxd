"""Inpainting: the masked pixels of a plane, solved for from those around them.

- harmonic:    Laplace(u) = 0, as even as can be (kernels.poisson)
- biharmonic:  Laplace(Laplace(u)) = 0, slopes go on (kernels.biharmonic)
- eed:         edge-enhancing diffusion, edges go on (kernels.eed_fill)

Each region of pixels that depend on each other is solved in the box around it.
"""

from libc.stddef cimport ptrdiff_t
from libc.stdint cimport uint8_t

from common.arena cimport reserve
from common.pixels cimport Pixels, View, describe_pixels, sample_bytes, store_row
from kernels.biharmonic cimport RING, biharmonic_floats, solve_biharmonic
from kernels.diffuse cimport row_floats
from kernels.eed_fill cimport eed_fill, eed_fill_floats
from kernels.poisson cimport (
    NO_BORDER, NO_MEMORY, SOLVED, Outcome, blend_regions, box_floats, is_whole, load_box, store_runs, take_box)
from kernels.regions cimport Box, Lists, Region, Regions, Run, box_around, find_regions
from kernels.still cimport TOGETHER, Neighbour, fill_still
from kernels.tensor cimport TensorDiffusion


cdef enum Mode:
    HARMONIC
    BIHARMONIC
    EED
    MODES


cdef struct Inpainting:
    Mode mode
    float tolerance        # working scale
    float threshold        # of the change that is no motion, working scale
    TensorDiffusion eed
    int margin             # of what counts around a hole for EED


cdef inline int reach(const Inpainting *d, bint others) noexcept nogil:
    """Masked pixels this far apart depend on each other, or, first, on the same pixels of other frames."""
    return TOGETHER if others else 0 if d.mode == HARMONIC else RING if d.mode == BIHARMONIC else d.margin


cdef inline Outcome fill_biharmonic(
        void *dst, ptrdiff_t stride, const View *src, const Region *r, const Run *runs, float tolerance,
        void **block) noexcept nogil:
    cdef float *picture
    cdef float *memory = <float *>reserve(block, (box_floats(r) + biharmonic_floats(r)) * sizeof(float))
    if memory == NULL:
        return NO_MEMORY
    picture = take_box(&memory, r)
    load_box(picture, src, r)
    store_runs(dst, stride, src, solve_biharmonic(src, r, runs, picture, tolerance, memory), r, runs)
    return SOLVED


cdef inline Outcome fill_eed(
        void *dst, ptrdiff_t stride, const View *src, const uint8_t *covered, const Region *r, const Run *runs,
        const Inpainting *d, void **block) noexcept nogil:
    cdef Box b = box_around(r, d.margin, src.width, src.height)
    cdef int bytes = sample_bytes(src.pixels)
    cdef float *memory = <float *>reserve(block, eed_fill_floats(b.width, b.height, &d.eed) * sizeof(float))
    cdef const float *u
    cdef int n
    if memory == NULL:
        return NO_MEMORY
    u = eed_fill(src, covered, &b, &d.eed, memory)
    for n in range(r.count):
        store_row(
            <char *>dst + runs[n].y * stride + runs[n].first * bytes,
            u + (runs[n].y - b.top) * row_floats(b.width) + (runs[n].first - b.left), runs[n].end - runs[n].first,
            src.pixels)
    return SOLVED


cdef inline Outcome fill_from_around(
        void *dst, ptrdiff_t stride, const View *src, const uint8_t *covered, const Regions *regions,
        const Inpainting *d, void **block) noexcept nogil:
    """Fills in the masked pixels; src may be dst."""
    cdef const Region *r
    cdef Outcome outcome
    cdef int i
    if d.mode == HARMONIC:
        return blend_regions(dst, stride, src, NULL, False, regions, d.tolerance, block)
    for i in range(regions.count):
        r = &regions.region[i]
        if is_whole(r, src):
            return NO_BORDER
        if d.mode == BIHARMONIC:
            outcome = fill_biharmonic(dst, stride, src, r, regions.runs + r.runs, d.tolerance, block)
        else:
            outcome = fill_eed(dst, stride, src, covered, r, regions.runs + r.runs, d, block)
        if outcome != SOLVED:
            return outcome
    return SOLVED


cdef inline Outcome fill_from_others(
        void *dst, ptrdiff_t stride, const View *src, uint8_t *covered, const Regions *regions,
        const Neighbour *neighbours, int count, const Inpainting *d, Lists *lists, void **block) noexcept nogil:
    """Fills in the masked pixels of a plane, first from its neighbours, of which the nearest ones come first.

    dst is a copy of src. The mask is overwritten by what they leave of it.
    """
    cdef View rest = src[0]
    cdef View left = src[0]
    cdef Pixels bytes = describe_pixels(False, 8)
    cdef Regions regions_left
    cdef Outcome outcome = fill_still(
        dst, stride, src, covered, neighbours, count, regions, d.threshold, d.tolerance, block)
    if outcome != SOLVED or (d.mode == HARMONIC and not is_whole(&regions.region[0], src)):
        return outcome         # those that are not believed are solved for with the others
    rest.data = dst
    rest.stride = stride
    left.data = covered
    left.stride = src.width
    left.pixels = &bytes
    if not find_regions(&regions_left, NULL, &left, 0, 0, reach(d, False), lists):
        return NO_MEMORY
    return fill_from_around(dst, stride, &rest, covered, &regions_left, d, block)
