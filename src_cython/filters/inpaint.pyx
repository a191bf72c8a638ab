"""Inpaint: masked pixels are solved for from those around them, and from other frames where the picture stands still.

The kernels say what is solved. A mask is as long as the clip or one frame; chroma takes the union of the luma pixels
that each of its own covers. Of other frames, those of the scene count, by _SceneChangePrev.
"""

from libc.stdint cimport uint8_t
from libc.stddef cimport size_t
from libc.stdio cimport snprintf
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy

from api.vapoursynth cimport (
    VSAPI, VSCore, VSFilterDependency, VSFrame, VSFrameContext, VSMap, VSNode, VSVideoInfo, arAllFramesReady,
    arInitial, fmParallel, rpGeneral, rpStrictSpatial)
from common.arena cimport Arena, free_arena, give_block, reserve, take_block
from common.args cimport MESSAGE, Args, choice, clip_arg, fail, integer, number, read_args, select_planes
from common.frames cimport clamp_to_clip, clamp_to_scene, request_between, view_plane
from common.mask cimport Holes, KeptMask, KeptMasks, free_masks, give_mask, holes_of, mask_arg, take_mask
from common.pixels cimport PLANES, Pixels, View
from common.registry cimport Registry, add_filter
from kernels.eed_fill cimport describe_eed_fill, eed_margin
from kernels.heat cimport Heat, describe_heat, free_heat
from kernels.inpaint cimport (
    BIHARMONIC, EED, HARMONIC, MODES, Inpainting, Mode, fill_from_around, fill_from_others, reach)
from kernels.poisson cimport NO_BORDER, NO_MEMORY, Outcome
from kernels.regions cimport line_bytes, read_mask
from kernels.still cimport Neighbour


cdef enum:
    MOST = 10              # frames each way
    AROUND = 2 * MOST


cdef struct Inpaint:
    VSNode *clip
    VSNode *mask
    const VSVideoInfo *vi
    const VSVideoInfo *mask_vi
    Pixels pixels
    Pixels mask_pixels
    bint process[PLANES]
    int temporal
    Heat sigma
    Inpainting inpainting
    KeptMasks masks
    # Of blocks, each for one purpose: one that took turns would grow to the largest.
    Arena solvers
    Arena bytes


cdef struct Frames:        # around frame n, the nearest ones first
    int count
    int away[AROUND]       # m - n
    const VSFrame *clip[AROUND]
    const VSFrame *mask[AROUND]


cdef struct Work:          # what a frame in flight has to itself
    KeptMask *mask
    void *solver
    void *bytes            # masks, its own and those of the frames around, in a plane
    int shift              # of that plane


cdef Frames frames_around(
        const Inpaint *d, int n, VSFrameContext *context, const VSAPI *api) noexcept nogil:
    """Those of the scene, for `free_frames`."""
    cdef Frames f
    cdef int first = clamp_to_scene(n, clamp_to_clip(n, -d.temporal, d.vi), d.clip, context, api)
    cdef int last = clamp_to_scene(n, clamp_to_clip(n, d.temporal, d.vi), d.clip, context, api)
    cdef int away, i, m
    f.count = 0
    for away in range(1, d.temporal + 1):
        for i in range(2):
            m = n - away if i == 0 else n + away
            if first <= m <= last:
                f.away[f.count] = m - n
                f.clip[f.count] = api.getFrameFilter(m, d.clip, context)
                f.mask[f.count] = api.getFrameFilter(clamp_to_clip(m, 0, d.mask_vi), d.mask, context)
                f.count += 1
    return f


cdef void free_frames(const Frames *f, const VSAPI *api) noexcept nogil:
    cdef int i
    for i in range(f.count):
        api.freeFrame(f.clip[i])
        api.freeFrame(f.mask[i])


cdef const char *uncovered(const Inpaint *d) noexcept nogil:
    """What to say of a plane that is masked as a whole."""
    if d.vi.numFrames == 1 or d.mask_vi.numFrames == 1:
        return b"the mask covers the whole of it, and leaves nothing to fill it from: leave some pixels out."
    if d.temporal == 0:
        return b"the mask covers the whole of it, and leaves nothing to fill it from: give temporal."
    if d.temporal < MOST:
        return b"the mask covers the whole of it, here and in all frames of the scene within temporal: give more."
    return b"the mask covers the whole of it, here and in all frames of the scene within 10: leave some pixels out."


cdef uint8_t *masks_of_plane(
        const Inpaint *d, Work *work, const Holes *own, const Frames *f, const View *src, int shift_x, int shift_y,
        const VSAPI *api) noexcept nogil:
    """Its own, to be overwritten, and those around; planes that are subsampled alike share these. NULL: no memory."""
    cdef View m = view_plane(f.mask[0], 0, &d.mask_pixels, api)
    cdef size_t size = <size_t>src.width * src.height
    cdef uint8_t *masks = <uint8_t *>reserve(&work.bytes, (f.count + 1) * size + line_bytes(&m, shift_x))
    cdef int i
    if masks == NULL:
        return NULL
    memcpy(masks, own.bytes, size)
    if work.shift != shift_x + shift_y:
        for i in range(f.count):
            m = view_plane(f.mask[i], 0, &d.mask_pixels, api)
            read_mask(masks + (i + 1) * size, &m, shift_x, shift_y, masks + (f.count + 1) * size)
    work.shift = shift_x + shift_y
    return masks


cdef const char *inpaint(
        Inpaint *d, VSFrame *dst, const VSFrame *src, const Frames *f, int p, Work *work,
        const VSAPI *api) noexcept nogil:
    """One plane; what went wrong, or NULL."""
    cdef const Inpainting *how = &d.inpainting
    cdef const Holes *holes = holes_of(
        work.mask, d.vi, p, &d.mask_pixels, reach(how, f.count > 0), f.count > 0 or how.mode == EED, api)
    cdef int shift_x = d.vi.format.subSamplingW if p > 0 else 0
    cdef int shift_y = d.vi.format.subSamplingH if p > 0 else 0
    cdef View s = view_plane(src, p, &d.pixels, api)
    cdef size_t size = <size_t>s.width * s.height
    cdef uint8_t *masks
    cdef Neighbour neighbours[AROUND]
    cdef Outcome outcome
    cdef int i
    if holes == NULL:
        return b"out of memory."
    if holes.regions.count == 0:
        return NULL            # asking for a plane to write would copy it
    if f.count == 0:
        outcome = fill_from_around(
            api.getWritePtr(dst, p), api.getStride(dst, p), &s, holes.bytes, &holes.regions, how, &work.solver)
    else:
        masks = masks_of_plane(d, work, holes, f, &s, shift_x, shift_y, api)
        if masks == NULL:
            return b"out of memory."
        for i in range(f.count):
            neighbours[i].view = view_plane(f.clip[i], p, &d.pixels, api)
            neighbours[i].covered = masks + (i + 1) * size
            neighbours[i].frames = f.away[i]
        outcome = fill_from_others(
            api.getWritePtr(dst, p), api.getStride(dst, p), &s, masks, &holes.regions, neighbours, f.count, how,
            &work.mask.rest, &work.solver)
    if outcome == NO_MEMORY:
        return b"out of memory."
    if outcome == NO_BORDER:
        return uncovered(d)
    return NULL


cdef const VSFrame *get_frame(
        int n, int reason, void *instance, void **frame_data,
        VSFrameContext *context, VSCore *core, const VSAPI *api) noexcept nogil:
    cdef Inpaint *d = <Inpaint *>instance
    cdef const VSFrame *src
    cdef const char *problem = NULL
    cdef char text[MESSAGE]
    cdef Work work
    cdef Frames around
    cdef VSFrame *dst
    cdef int failed = 0
    cdef int first = clamp_to_clip(n, -d.temporal, d.vi)
    cdef int last = clamp_to_clip(n, d.temporal, d.vi)
    cdef int p
    if reason == arInitial:
        request_between(first, last, d.clip, context, api)
        request_between(
            clamp_to_clip(first, 0, d.mask_vi), clamp_to_clip(last, 0, d.mask_vi), d.mask, context, api)
        return NULL
    if reason != arAllFramesReady:
        return NULL

    src = api.getFrameFilter(n, d.clip, context)
    work.mask = take_mask(&d.masks, api.getFrameFilter(clamp_to_clip(n, 0, d.mask_vi), d.mask, context), api)
    work.solver = take_block(&d.solvers)
    work.bytes = take_block(&d.bytes)
    work.shift = -1
    around = frames_around(d, n, context, api)
    dst = api.copyFrame(src, core)
    if work.mask == NULL or dst == NULL:
        problem = b"out of memory."
    for p in range(d.vi.format.numPlanes):
        if problem == NULL and d.process[p]:
            failed = p
            problem = inpaint(d, dst, src, &around, p, &work, api)
    if problem != NULL:
        snprintf(text, MESSAGE, b"Inpaint: frame %d, plane %d: %s", n, failed, problem)
        api.setFilterError(text, context)
        api.freeFrame(dst)
        dst = NULL
    give_mask(&d.masks, work.mask, api)
    give_block(&d.solvers, work.solver)
    give_block(&d.bytes, work.bytes)
    free_frames(&around, api)
    api.freeFrame(src)
    return dst


cdef void free_instance(void *instance, VSCore *core, const VSAPI *api) noexcept nogil:
    cdef Inpaint *d = <Inpaint *>instance
    free_masks(&d.masks, api)
    free_arena(&d.solvers)
    free_arena(&d.bytes)
    free_heat(&d.sigma)
    api.freeNode(d.clip)
    api.freeNode(d.mask)
    free(d)


cdef void create(const VSMap *given, VSMap *out, void *user, VSCore *core, const VSAPI *api) noexcept nogil:
    cdef Args a = read_args(b"Inpaint", given, out, api)
    cdef Inpaint *d = <Inpaint *>calloc(1, sizeof(Inpaint))
    cdef VSFilterDependency needs[2]
    cdef const char *names[MODES]
    cdef double k, sigma

    if d == NULL:
        fail(&a, b"out of memory.")
        return
    d.clip = clip_arg(&a, b"clip", &d.pixels)
    d.vi = api.getVideoInfo(d.clip)
    d.mask = mask_arg(&a, b"mask", d.vi, &d.mask_pixels)
    d.mask_vi = api.getVideoInfo(d.mask)
    names[<int>HARMONIC] = b"harmonic"
    names[<int>BIHARMONIC] = b"biharmonic"
    names[<int>EED] = b"eed"
    d.inpainting.mode = <Mode>choice(&a, b"mode", names, MODES, HARMONIC)
    k = number(&a, b"k", 2, 0.001, 10000)
    sigma = number(&a, b"sigma", 1, 0, 10)
    d.temporal = integer(&a, b"temporal", 0, 0, MOST)
    d.inpainting.tolerance = <float>(number(&a, b"tol", 0.25, 0.001, 255) * d.pixels.unit)
    select_planes(&a, d.vi.format.numPlanes, d.process)
    if not a.failed and not describe_heat(&d.sigma, 0.5 * sigma * sigma, 1e-7):
        fail(&a, b"out of memory.")
    if a.failed:
        free_instance(d, core, api)
        return

    if d.mask_vi.numFrames == 1:
        d.temporal = 0         # what is masked here is masked in all frames
    d.inpainting.threshold = <float>(2 * k * d.pixels.unit)
    d.inpainting.eed = describe_eed_fill(k, d.pixels.unit, &d.sigma)
    d.inpainting.margin = eed_margin(sigma)
    needs[0].source = d.clip
    needs[0].requestPattern = rpStrictSpatial if d.temporal == 0 else rpGeneral
    needs[1].source = d.mask
    needs[1].requestPattern = (
        rpStrictSpatial if d.temporal == 0 and d.mask_vi.numFrames >= d.vi.numFrames else rpGeneral)
    api.createVideoFilter(out, b"Inpaint", d.vi, get_frame, free_instance, fmParallel, needs, 2, d, core)


cdef public void vdiff_add_inpaint(const Registry *registry) noexcept nogil:
    add_filter(
        registry, b"Inpaint",
        b"clip:vnode;mask:vnode;mode:data:opt;k:float:opt;sigma:float:opt;temporal:int:opt;tol:float:opt;"
        b"planes:int[]:opt;",
        b"Fills holes: masked pixels are solved for from those around them, and from other frames where nothing moves.",
        b"mode=harmonic:k=2:sigma=1:temporal=0:tol=0.25",
        create)
