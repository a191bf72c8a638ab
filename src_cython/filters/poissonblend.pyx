"""PoissonBlend: seamless composition. Within the mask are the gradients of another clip, at its border our values.

    Laplace(u) = div(v) within the mask, u the clip's beside it

v is the gradient of `overlay`; with `mixed`, at each pair of pixels the stronger one of overlay's and the clip's
(Perez, Gangnet, Blake, SIGGRAPH 2003).
"""

from libc.stdint cimport uint8_t
from libc.stdio cimport snprintf
from libc.stdlib cimport calloc, free

from api.vapoursynth cimport (
    VSAPI, VSCore, VSFilterDependency, VSFrame, VSFrameContext, VSMap, VSNode, VSVideoInfo, arAllFramesReady,
    arInitial, fmParallel, rpGeneral, rpStrictSpatial)
from common.arena cimport Arena, free_arena, give_block, reserve, take_block
from common.args cimport MESSAGE, Args, clip_arg, fail, integer, read_args, same_format, select_planes
from common.frames cimport clamp_to_clip, view_plane
from common.mask cimport mask_arg
from common.pixels cimport PLANES, Pixels, View
from common.registry cimport Registry, add_filter
from kernels.poisson cimport NO_BORDER, NO_MEMORY, Outcome, blend_regions
from kernels.regions cimport Regions, find_regions, mask_bytes, read_mask


cdef enum:
    BLOCKS = 3


cdef struct PoissonBlend:
    VSNode *clip
    VSNode *overlay
    VSNode *mask
    const VSVideoInfo *vi
    const VSVideoInfo *overlay_vi
    const VSVideoInfo *mask_vi
    Pixels pixels
    Pixels overlay_pixels
    Pixels mask_pixels
    bint process[PLANES]
    bint mixed
    float tolerance
    Arena arena[BLOCKS]    # of masks, of lists, of grids: a block that took turns would grow to the largest


cdef const char *blend(
        PoissonBlend *d, VSFrame *dst, const VSFrame *src, const VSFrame *overlay, const View *mask, int p,
        void **blocks, const VSAPI *api) noexcept nogil:
    """One plane; what went wrong, or NULL."""
    cdef View s = view_plane(src, p, &d.pixels, api)
    cdef View o = view_plane(overlay, p, &d.pixels, api)
    cdef int shift_x = d.vi.format.subSamplingW if p > 0 else 0
    cdef int shift_y = d.vi.format.subSamplingH if p > 0 else 0
    cdef uint8_t *covered = <uint8_t *>reserve(&blocks[0], mask_bytes(mask, shift_x, shift_y))
    cdef Regions regions
    cdef Outcome outcome
    if covered == NULL:
        return b"out of memory."
    if not read_mask(covered, mask, shift_x, shift_y):
        return NULL            # asking for a plane to write would copy it
    if not find_regions(&regions, covered, s.width, s.height, 0, &blocks[1]):
        return b"out of memory."
    outcome = blend_regions(
        api.getWritePtr(dst, p), api.getStride(dst, p), &s, &o, d.mixed, &regions, d.tolerance, &blocks[2])
    if outcome == NO_BORDER:
        return b"the mask covers the whole of it: there is no border to join."
    if outcome == NO_MEMORY:
        return b"out of memory."
    return NULL


cdef const VSFrame *get_frame(
        int n, int reason, void *instance, void **frame_data,
        VSFrameContext *context, VSCore *core, const VSAPI *api) noexcept nogil:
    cdef PoissonBlend *d = <PoissonBlend *>instance
    cdef const VSFrame *src
    cdef const VSFrame *overlay
    cdef const VSFrame *mask
    cdef const char *problem = NULL
    cdef char text[MESSAGE]
    cdef void *blocks[BLOCKS]
    cdef VSFrame *dst
    cdef View covered
    cdef int failed = 0
    cdef int p
    if reason == arInitial:
        api.requestFrameFilter(n, d.clip, context)
        api.requestFrameFilter(clamp_to_clip(n, 0, d.overlay_vi), d.overlay, context)
        api.requestFrameFilter(clamp_to_clip(n, 0, d.mask_vi), d.mask, context)
        return NULL
    if reason != arAllFramesReady:
        return NULL

    src = api.getFrameFilter(n, d.clip, context)
    overlay = api.getFrameFilter(clamp_to_clip(n, 0, d.overlay_vi), d.overlay, context)
    mask = api.getFrameFilter(clamp_to_clip(n, 0, d.mask_vi), d.mask, context)
    covered = view_plane(mask, 0, &d.mask_pixels, api)
    dst = api.copyFrame(src, core)
    for p in range(BLOCKS):
        blocks[p] = take_block(&d.arena[p])
    if dst == NULL:
        problem = b"out of memory."
    for p in range(d.vi.format.numPlanes):
        if problem == NULL and d.process[p]:
            failed = p
            problem = blend(d, dst, src, overlay, &covered, p, blocks, api)
    if problem != NULL:
        snprintf(text, MESSAGE, b"PoissonBlend: frame %d, plane %d: %s", n, failed, problem)
        api.setFilterError(text, context)
        api.freeFrame(dst)
        dst = NULL
    for p in range(BLOCKS):
        give_block(&d.arena[p], blocks[p])
    api.freeFrame(src)
    api.freeFrame(overlay)
    api.freeFrame(mask)
    return dst


cdef void free_instance(void *instance, VSCore *core, const VSAPI *api) noexcept nogil:
    cdef PoissonBlend *d = <PoissonBlend *>instance
    cdef int p
    api.freeNode(d.clip)
    api.freeNode(d.overlay)
    api.freeNode(d.mask)
    for p in range(BLOCKS):
        free_arena(&d.arena[p])
    free(d)


cdef void create(const VSMap *given, VSMap *out, void *user, VSCore *core, const VSAPI *api) noexcept nogil:
    cdef Args a = read_args(b"PoissonBlend", given, out, api)
    cdef PoissonBlend *d = <PoissonBlend *>calloc(1, sizeof(PoissonBlend))
    cdef VSFilterDependency needs[3]

    if d == NULL:
        fail(&a, b"out of memory.")
        return
    d.clip = clip_arg(&a, b"clip", &d.pixels)
    d.vi = api.getVideoInfo(d.clip)
    d.overlay = clip_arg(&a, b"overlay", &d.overlay_pixels)
    d.overlay_vi = api.getVideoInfo(d.overlay)
    same_format(&a, b"overlay", d.clip, d.overlay)
    d.mask = mask_arg(&a, b"mask", d.vi, &d.mask_pixels)
    d.mask_vi = api.getVideoInfo(d.mask)
    d.mixed = integer(&a, b"mixed", 0, 0, 1)
    d.tolerance = <float>(0.25 * d.pixels.unit)
    select_planes(&a, d.vi.format.numPlanes, d.process)
    if a.failed:
        free_instance(d, core, api)
        return

    needs[0].source = d.clip
    needs[0].requestPattern = rpStrictSpatial
    needs[1].source = d.overlay
    needs[1].requestPattern = rpStrictSpatial if d.overlay_vi.numFrames >= d.vi.numFrames else rpGeneral
    needs[2].source = d.mask
    needs[2].requestPattern = rpStrictSpatial if d.mask_vi.numFrames >= d.vi.numFrames else rpGeneral
    api.createVideoFilter(out, b"PoissonBlend", d.vi, get_frame, free_instance, fmParallel, needs, 3, d, core)


cdef public void vdiff_add_poissonblend(const Registry *registry) noexcept nogil:
    add_filter(
        registry, b"PoissonBlend",
        b"clip:vnode;overlay:vnode;mask:vnode;mixed:int:opt;planes:int[]:opt;",
        b"Seamless composition: a part of another clip joins the picture around it without a border.",
        b"mixed=0",
        create)
