"""DiffBlend: exaggerates the change from one frame to another, or blends along it.

    y = x + clip(alpha * soft(x - r, threshold), -limit, limit),   soft(d, t) = sign(d) * max(|d| - t, 0)

r is the frame `lag` earlier (negative: later), held at the ends of the clip and of its scene, or the same frame of
`ref`. alpha > 0 exaggerates the change, -1 <= alpha < 0 blends towards r.
"""

from libc.stdlib cimport calloc, free

from api.vapoursynth cimport (
    VSAPI, VSCore, VSFilterDependency, VSFrame, VSFrameContext, VSMap, VSNode, VSPLUGINAPI, VSPlugin, VSVideoInfo,
    arAllFramesReady, arInitial, fmParallel, rpGeneral, rpStrictSpatial)
from common.args cimport (
    Args, clip_arg, fail, integer, is_given, per_plane, read_args, same_format, select_planes)
from common.frames cimport lagged_frame, new_output, request_lagged
from common.pixels cimport PLANES, Pixels
from kernels.diffblend cimport Blend, blend_plane, describe_blend


cdef struct DiffBlend:
    VSNode *clip
    VSNode *ref              # NULL: an earlier or later frame of the clip
    const VSVideoInfo *vi
    Pixels pixels
    bint process[PLANES]
    Blend blend[PLANES]
    int lag
    bint scenechange


cdef const VSFrame *get_frame(
        int n, int reason, void *instance, void **frame_data,
        VSFrameContext *context, VSCore *core, const VSAPI *api) noexcept nogil:
    cdef DiffBlend *d = <DiffBlend *>instance
    cdef const VSFrame *x
    cdef const VSFrame *r
    cdef VSFrame *dst
    cdef int p
    if reason == arInitial:
        if d.ref != NULL:
            api.requestFrameFilter(n, d.clip, context)
            api.requestFrameFilter(n, d.ref, context)
        else:
            request_lagged(n, d.lag, d.scenechange, d.clip, d.vi, context, api)
        return NULL
    if reason != arAllFramesReady:
        return NULL

    x = api.getFrameFilter(n, d.clip, context)
    if d.ref != NULL:
        r = api.getFrameFilter(n, d.ref, context)
    else:
        r = lagged_frame(n, d.lag, d.scenechange, d.clip, d.vi, context, api)
    dst = new_output(x, d.vi, d.process, core, api)
    if dst == NULL:
        api.setFilterError(b"DiffBlend: out of memory.", context)
    for p in range(d.vi.format.numPlanes):
        if dst != NULL and d.process[p]:
            blend_plane(
                api.getWritePtr(dst, p), api.getReadPtr(x, p), api.getReadPtr(r, p),
                api.getStride(dst, p), api.getStride(x, p), api.getStride(r, p),
                api.getFrameWidth(dst, p), api.getFrameHeight(dst, p),
                &d.pixels, d.blend[p])
    api.freeFrame(x)
    api.freeFrame(r)
    return dst


cdef void free_instance(void *instance, VSCore *core, const VSAPI *api) noexcept nogil:
    cdef DiffBlend *d = <DiffBlend *>instance
    api.freeNode(d.clip)
    api.freeNode(d.ref)
    free(d)


cdef void create(const VSMap *given, VSMap *out, void *user, VSCore *core, const VSAPI *api) noexcept nogil:
    cdef Args a = read_args(b"DiffBlend", given, out, api)
    cdef DiffBlend *d = <DiffBlend *>calloc(1, sizeof(DiffBlend))
    cdef VSFilterDependency needs[2]
    cdef double alpha[PLANES]
    cdef double threshold[PLANES]
    cdef double limit[PLANES]
    cdef Pixels ref_pixels
    cdef int planes, p

    if d == NULL:
        fail(&a, b"out of memory.")
        return
    d.clip = clip_arg(&a, b"clip", &d.pixels)
    d.vi = api.getVideoInfo(d.clip)
    planes = d.vi.format.numPlanes
    if is_given(&a, b"ref"):
        d.ref = clip_arg(&a, b"ref", &ref_pixels)
        same_format(&a, b"ref", d.clip, d.ref)
        if is_given(&a, b"lag"):
            fail(&a, b"lag and ref exclude each other: give the one or the other.")
    d.lag = integer(&a, b"lag", 1, -100, 100)
    if d.lag == 0:
        fail(&a, b"lag must not be 0: a frame does not differ from itself.")
    d.scenechange = integer(&a, b"scenechange", 1, 0, 1)
    per_plane(&a, b"alpha", planes, 0.5, -1, 1000, alpha)
    per_plane(&a, b"threshold", planes, 0, 0, 1e6, threshold)
    per_plane(&a, b"limit", planes, 255, 0, 1e6, limit)
    select_planes(&a, planes, d.process)
    if a.failed:
        free_instance(d, core, api)
        return

    for p in range(PLANES):
        d.blend[p] = describe_blend(alpha[p], threshold[p], limit[p], &d.pixels)
        d.process[p] = d.process[p] and alpha[p] != 0
    needs[0].source = d.clip
    needs[0].requestPattern = rpGeneral if d.ref == NULL else rpStrictSpatial
    needs[1].source = d.ref
    needs[1].requestPattern = rpGeneral
    if d.ref != NULL and api.getVideoInfo(d.ref).numFrames >= d.vi.numFrames:
        needs[1].requestPattern = rpStrictSpatial
    api.createVideoFilter(
        out, b"DiffBlend", d.vi, get_frame, free_instance, fmParallel, needs, 1 if d.ref == NULL else 2, d, core)


cdef public void vdiff_register_diffblend(VSPlugin *plugin, const VSPLUGINAPI *api) noexcept nogil:
    api.registerFunction(
        b"DiffBlend",
        b"clip:vnode;alpha:float[]:opt;ref:vnode:opt;lag:int:opt;threshold:float[]:opt;limit:float[]:opt;"
        b"scenechange:int:opt;planes:int[]:opt;",
        b"clip:vnode;", create, NULL, plugin)
