"""Extrapolate: new frames at the end of a clip, which go on as its last two frames differ.

    f[n] = f[n-1] + alpha * (f[n-1] - f[n-2])

In closed form: the k-th new frame is x + (alpha + alpha^2 + ... + alpha^k) * (x - r), x the last frame of the clip, r
the one before it. So each can be had alone, and no rounding is carried on. Where r is not of the scene of x, x is held.
"""

from libc.limits cimport INT_MAX
from libc.math cimport INFINITY
from libc.stdlib cimport calloc, free

from api.vapoursynth cimport (
    VSAPI, VSCore, VSFilterDependency, VSFrame, VSFrameContext, VSMap, VSNode, VSVideoInfo, arAllFramesReady,
    arInitial, fmParallel, rpGeneral)
from common.args cimport Args, clip_arg, fail, integer, number, read_args, select_planes
from common.frames cimport lagged_frame, new_output, request_lagged
from common.pixels cimport PLANES, Pixels
from common.registry cimport Registry, add_filter
from common.timing cimport clear_flag, move_time
from kernels.diffblend cimport Blend, blend_plane, describe_blend
from kernels.extrapolate cimport reach


cdef struct Extrapolate:
    VSNode *clip
    const VSVideoInfo *vi    # of the clip
    Pixels pixels
    bint process[PLANES]
    double alpha


cdef const VSFrame *get_frame(
        int n, int reason, void *instance, void **frame_data,
        VSFrameContext *context, VSCore *core, const VSAPI *api) noexcept nogil:
    cdef Extrapolate *d = <Extrapolate *>instance
    cdef const VSFrame *x
    cdef const VSFrame *r
    cdef VSFrame *dst
    cdef VSMap *props
    cdef Blend blend
    cdef bint move[PLANES]
    cdef double c
    cdef int last = d.vi.numFrames - 1
    cdef int p
    if reason == arInitial:
        if n <= last:
            api.requestFrameFilter(n, d.clip, context)
        else:
            request_lagged(last, 1, True, d.clip, d.vi, context, api)
        return NULL
    if reason != arAllFramesReady:
        return NULL
    if n <= last:
        return api.getFrameFilter(n, d.clip, context)

    x = api.getFrameFilter(last, d.clip, context)
    r = lagged_frame(last, 1, True, d.clip, d.vi, context, api)
    c = reach(d.alpha, n - last)
    for p in range(PLANES):
        move[p] = d.process[p] and x != r and c != 0
    dst = new_output(x, d.vi, move, core, api)
    if dst == NULL:
        api.setFilterError(b"Extrapolate: out of memory.", context)
    else:
        blend = describe_blend(c, 0, INFINITY, &d.pixels)
        for p in range(d.vi.format.numPlanes):
            if move[p]:
                blend_plane(
                    api.getWritePtr(dst, p), api.getReadPtr(x, p), api.getReadPtr(r, p),
                    api.getStride(dst, p), api.getStride(x, p), api.getStride(r, p),
                    api.getFrameWidth(dst, p), api.getFrameHeight(dst, p),
                    &d.pixels, &blend)
        props = api.getFramePropertiesRW(dst)
        move_time(props, n - last, d.vi, api)
        clear_flag(props, b"_SceneChangePrev", api)
        clear_flag(props, b"_SceneChangeNext", api)
    api.freeFrame(x)
    api.freeFrame(r)
    return dst


cdef void free_instance(void *instance, VSCore *core, const VSAPI *api) noexcept nogil:
    cdef Extrapolate *d = <Extrapolate *>instance
    api.freeNode(d.clip)
    free(d)


cdef void create(const VSMap *given, VSMap *out, void *user, VSCore *core, const VSAPI *api) noexcept nogil:
    cdef Args a = read_args(b"Extrapolate", given, out, api)
    cdef Extrapolate *d = <Extrapolate *>calloc(1, sizeof(Extrapolate))
    cdef VSFilterDependency needs
    cdef VSVideoInfo longer

    if d == NULL:
        fail(&a, b"out of memory.")
        return
    d.clip = clip_arg(&a, b"clip", &d.pixels)
    d.vi = api.getVideoInfo(d.clip)
    longer = d.vi[0]
    longer.numFrames += integer(&a, b"length", 0, 0, INT_MAX - d.vi.numFrames)
    d.alpha = number(&a, b"alpha", 1, -2, 2)
    select_planes(&a, d.vi.format.numPlanes, d.process)
    if a.failed:
        free_instance(d, core, api)
        return

    needs.source = d.clip
    needs.requestPattern = rpGeneral
    api.createVideoFilter(
        out, b"Extrapolate", &longer, get_frame, free_instance, fmParallel, &needs, 1, d, core)


cdef public void vdiff_add_extrapolate(const Registry *registry) noexcept nogil:
    add_filter(
        registry, b"Extrapolate",
        b"clip:vnode;length:int;alpha:float:opt;planes:int[]:opt;",
        b"New frames at the end of a clip: its last change goes on.",
        b"alpha=1",
        create)
