"""DiffBlend: exaggerates the change from one frame to another, or blends along it.

    y = x + clip(alpha * soft(x - r, threshold), -limit, limit),   soft(d, t) = sign(d) * max(|d| - t, 0)

r is the frame `lag` earlier (negative: later), held at the ends of the clip and of its scene, or the same frame of
`ref`. alpha > 0 exaggerates the change, -1 <= alpha < 0 blends towards r.
"""

from libc.stdlib cimport calloc, free

from api.vapoursynth cimport (
    VSAPI, VSCore, VSFilterDependency, VSFrame, VSFrameContext, VSMap, arAllFramesReady, arInitial, fmParallel)
from common.args cimport Args, fail, per_plane, read_args, select_planes
from common.frames cimport new_output
from common.pair cimport Pair, free_pair, get_pair, pair_needs, read_pair, request_pair
from common.pixels cimport PLANES
from common.registry cimport Registry, add_filter
from kernels.diffblend cimport Blend, blend_plane, describe_blend


cdef struct DiffBlend:
    Pair pair
    bint process[PLANES]
    Blend blend[PLANES]


cdef const VSFrame *get_frame(
        int n, int reason, void *instance, void **frame_data,
        VSFrameContext *context, VSCore *core, const VSAPI *api) noexcept nogil:
    cdef DiffBlend *d = <DiffBlend *>instance
    cdef const VSFrame *x
    cdef const VSFrame *r
    cdef VSFrame *dst
    cdef int p
    if reason == arInitial:
        request_pair(n, &d.pair, context, api)
        return NULL
    if reason != arAllFramesReady:
        return NULL

    get_pair(n, &d.pair, &x, &r, context, api)
    dst = new_output(x, d.pair.vi, d.process, core, api)
    if dst == NULL:
        api.setFilterError(b"DiffBlend: out of memory.", context)
    for p in range(d.pair.vi.format.numPlanes):
        if dst != NULL and d.process[p]:
            blend_plane(
                api.getWritePtr(dst, p), api.getReadPtr(x, p), api.getReadPtr(r, p),
                api.getStride(dst, p), api.getStride(x, p), api.getStride(r, p),
                api.getFrameWidth(dst, p), api.getFrameHeight(dst, p),
                &d.pair.pixels, &d.blend[p])
    api.freeFrame(x)
    api.freeFrame(r)
    return dst


cdef void free_instance(void *instance, VSCore *core, const VSAPI *api) noexcept nogil:
    cdef DiffBlend *d = <DiffBlend *>instance
    free_pair(&d.pair, api)
    free(d)


cdef void create(const VSMap *given, VSMap *out, void *user, VSCore *core, const VSAPI *api) noexcept nogil:
    cdef Args a = read_args(b"DiffBlend", given, out, api)
    cdef DiffBlend *d = <DiffBlend *>calloc(1, sizeof(DiffBlend))
    cdef VSFilterDependency needs[2]
    cdef double alpha[PLANES]
    cdef double threshold[PLANES]
    cdef double limit[PLANES]
    cdef int planes, p

    if d == NULL:
        fail(&a, b"out of memory.")
        return
    read_pair(&a, &d.pair)
    planes = d.pair.vi.format.numPlanes
    per_plane(&a, b"alpha", planes, 0.5, -1, 1000, alpha)
    per_plane(&a, b"threshold", planes, 0, 0, 1e6, threshold)
    per_plane(&a, b"limit", planes, 255, 0, 1e6, limit)
    select_planes(&a, planes, d.process)
    if a.failed:
        free_instance(d, core, api)
        return

    for p in range(PLANES):
        d.blend[p] = describe_blend(alpha[p], threshold[p], limit[p], &d.pair.pixels)
        d.process[p] = d.process[p] and alpha[p] != 0
    api.createVideoFilter(
        out, b"DiffBlend", d.pair.vi, get_frame, free_instance, fmParallel, needs, pair_needs(&d.pair, needs, api), d,
        core)


cdef public void vdiff_add_diffblend(const Registry *registry) noexcept nogil:
    add_filter(
        registry, b"DiffBlend",
        b"clip:vnode;alpha:float[]:opt;ref:vnode:opt;lag:int:opt;threshold:float[]:opt;limit:float[]:opt;"
        b"scenechange:int:opt;planes:int[]:opt;",
        b"Along the frame difference: exaggerates change, or blends towards another frame.",
        b"alpha=0.5:lag=1:threshold=0:limit=255:scenechange=1",
        create)
