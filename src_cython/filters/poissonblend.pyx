"""PoissonBlend: seamless composition. Within the mask are the gradients of another clip, at its border our values.

    Laplace(u) = div(v) within the mask, u the clip's beside it

v is the gradient of `overlay`; with `mixed`, at each pair of pixels the stronger one of overlay's and the clip's
(Perez, Gangnet, Blake, SIGGRAPH 2003).
"""

from libc.stdio cimport snprintf
from libc.stdlib cimport calloc, free

from api.vapoursynth cimport (
    VSAPI, VSCore, VSFilterDependency, VSFrame, VSFrameContext, VSMap, VSNode, VSVideoInfo, arAllFramesReady,
    arInitial, fmParallel, rpGeneral, rpStrictSpatial)
from common.arena cimport Arena, free_arena, give_block, take_block
from common.args cimport MESSAGE, Args, clip_arg, fail, integer, read_args, same_format, select_planes
from common.frames cimport clamp_to_clip, view_plane
from common.mask cimport Holes, KeptMask, KeptMasks, free_masks, give_mask, holes_of, mask_arg, take_mask
from common.pixels cimport PLANES, Pixels, View
from common.registry cimport Registry, add_filter
from kernels.poisson cimport NO_BORDER, NO_MEMORY, Outcome, blend_regions


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
    KeptMasks masks
    Arena grids


cdef const char *blend(
        PoissonBlend *d, VSFrame *dst, const VSFrame *src, const VSFrame *overlay, KeptMask *mask, int p,
        void **grids, const VSAPI *api) noexcept nogil:
    """One plane; what went wrong, or NULL."""
    cdef const Holes *holes = holes_of(mask, d.vi, p, &d.mask_pixels, 0, False, api)
    cdef View s = view_plane(src, p, &d.pixels, api)
    cdef View o = view_plane(overlay, p, &d.pixels, api)
    cdef Outcome outcome
    if holes == NULL:
        return b"out of memory."
    if holes.regions.count == 0:
        return NULL            # asking for a plane to write would copy it
    outcome = blend_regions(
        api.getWritePtr(dst, p), api.getStride(dst, p), &s, &o, d.mixed, &holes.regions, d.tolerance, grids)
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
    cdef KeptMask *mask
    cdef const char *problem = NULL
    cdef char text[MESSAGE]
    cdef void *grids
    cdef VSFrame *dst
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
    mask = take_mask(&d.masks, api.getFrameFilter(clamp_to_clip(n, 0, d.mask_vi), d.mask, context), api)
    grids = take_block(&d.grids)
    dst = api.copyFrame(src, core)
    if mask == NULL or dst == NULL:
        problem = b"out of memory."
    for p in range(d.vi.format.numPlanes):
        if problem == NULL and d.process[p]:
            failed = p
            problem = blend(d, dst, src, overlay, mask, p, &grids, api)
    if problem != NULL:
        snprintf(text, MESSAGE, b"PoissonBlend: frame %d, plane %d: %s", n, failed, problem)
        api.setFilterError(text, context)
        api.freeFrame(dst)
        dst = NULL
    give_block(&d.grids, grids)
    give_mask(&d.masks, mask, api)
    api.freeFrame(src)
    api.freeFrame(overlay)
    return dst


cdef void free_instance(void *instance, VSCore *core, const VSAPI *api) noexcept nogil:
    cdef PoissonBlend *d = <PoissonBlend *>instance
    free_masks(&d.masks, api)
    free_arena(&d.grids)
    api.freeNode(d.clip)
    api.freeNode(d.overlay)
    api.freeNode(d.mask)
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
