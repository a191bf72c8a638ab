"""Spread: weighted transport from displaced pixels of an earlier frame.

    y(x, y, t) = rest + sum of weights[i] * (x(x - dx[i], y - dy[i], t - lag) - rest)

`rest` is the level of no signal: black, and neutral for chroma. Displacements are in luma pixels. Beyond the border the
picture continues as its mirror image; the frame `lag` earlier (negative: later) is held at the ends of the clip and of
its scene.
"""

from libc.limits cimport INT_MAX, INT_MIN
from libc.stdio cimport snprintf
from libc.stdlib cimport calloc, free

from api.vapoursynth cimport (
    VSAPI, VSCore, VSFilterDependency, VSFrame, VSFrameContext, VSMap, VSNode, VSVideoInfo, arAllFramesReady,
    arInitial, fmParallel, rpGeneral, rpStrictSpatial)
from common.args cimport (
    MESSAGE, Args, checked, checked_int, clip_arg, fail, integer, read_args, select_planes)
from common.frames cimport (
    lagged_frame, new_output, plane_height, plane_width, request_lagged, resting_level, view_plane)
from common.pixels cimport PLANES, Pixels, View
from common.registry cimport Registry, add_filter
from common.scratch cimport Scratch, free_scratch, give_scratch, take_scratch
from kernels.spread cimport TAPS, Taps, describe_taps, scratch_bytes, spread_plane


cdef struct Spread:
    VSNode *clip
    const VSVideoInfo *vi
    Pixels pixels
    bint process[PLANES]
    Taps taps[PLANES]
    int lag
    bint scenechange
    Scratch scratch


cdef const VSFrame *get_frame(
        int n, int reason, void *instance, void **frame_data,
        VSFrameContext *context, VSCore *core, const VSAPI *api) noexcept nogil:
    cdef Spread *d = <Spread *>instance
    cdef const VSFrame *now
    cdef const VSFrame *src
    cdef VSFrame *dst
    cdef View view
    cdef void *scratch
    cdef int p
    if reason == arInitial:
        request_lagged(n, d.lag, d.scenechange, d.clip, d.vi, context, api)
        return NULL
    if reason != arAllFramesReady:
        return NULL

    now = api.getFrameFilter(n, d.clip, context)
    src = lagged_frame(n, d.lag, d.scenechange, d.clip, d.vi, context, api)
    dst = new_output(now, d.vi, d.process, core, api)
    scratch = take_scratch(&d.scratch)
    if dst == NULL or scratch == NULL:
        api.setFilterError(b"Spread: out of memory.", context)
        api.freeFrame(dst)
        dst = NULL
    for p in range(d.vi.format.numPlanes):
        if dst != NULL and d.process[p]:
            view = view_plane(src, p, &d.pixels, api)
            spread_plane(
                api.getWritePtr(dst, p), api.getStride(dst, p), &view, &d.taps[p],
                resting_level(now, p, &d.pixels, d.vi, api), scratch)
    give_scratch(&d.scratch, scratch)
    api.freeFrame(src)
    api.freeFrame(now)
    return dst


cdef void free_instance(void *instance, VSCore *core, const VSAPI *api) noexcept nogil:
    cdef Spread *d = <Spread *>instance
    api.freeNode(d.clip)
    free_scratch(&d.scratch)
    free(d)


cdef int read_taps(Args *a, int *dx, int *dy, double *weights) noexcept nogil:
    """How many there are."""
    cdef char text[MESSAGE]
    cdef int count = a.api.mapNumElements(a.given, b"dx")
    cdef int dy_count = a.api.mapNumElements(a.given, b"dy")
    cdef int weight_count = a.api.mapNumElements(a.given, b"weights")
    cdef int i
    if count != dy_count or count != weight_count:
        snprintf(text, MESSAGE, b"dx, dy and weights must have the same number of values, got %d, %d and %d.",
                 count, dy_count, weight_count)
        fail(a, text)
    if not 1 <= count <= TAPS:
        snprintf(text, MESSAGE, b"dx, dy and weights must have 1...%d values, got %d.", <int>TAPS, count)
        fail(a, text)
    if a.failed:
        return 0
    for i in range(count):
        dx[i] = checked_int(a, b"dx", a.api.mapGetInt(a.given, b"dx", i, NULL), INT_MIN, INT_MAX)
        dy[i] = checked_int(a, b"dy", a.api.mapGetInt(a.given, b"dy", i, NULL), INT_MIN, INT_MAX)
        weights[i] = checked(a, b"weights", a.api.mapGetFloat(a.given, b"weights", i, NULL), -1000, 1000)
    return count


cdef void create(const VSMap *given, VSMap *out, void *user, VSCore *core, const VSAPI *api) noexcept nogil:
    cdef Args a = read_args(b"Spread", given, out, api)
    cdef Spread *d = <Spread *>calloc(1, sizeof(Spread))
    cdef VSFilterDependency needs
    cdef int dx[TAPS]
    cdef int dy[TAPS]
    cdef double weights[TAPS]
    cdef int width, height, count, p

    if d == NULL:
        fail(&a, b"out of memory.")
        return
    d.clip = clip_arg(&a, b"clip", &d.pixels)
    d.vi = api.getVideoInfo(d.clip)
    count = read_taps(&a, dx, dy, weights)
    d.lag = integer(&a, b"lag", 1, -100, 100)
    d.scenechange = integer(&a, b"scenechange", 1, 0, 1)
    select_planes(&a, d.vi.format.numPlanes, d.process)
    if a.failed:
        free_instance(d, core, api)
        return

    for p in range(d.vi.format.numPlanes):
        width = plane_width(d.vi, p)
        height = plane_height(d.vi, p)
        describe_taps(
            &d.taps[p], dx, dy, weights, count, d.vi.format.subSamplingW if p > 0 else 0,
            d.vi.format.subSamplingH if p > 0 else 0, width, height, &d.pixels)
        if d.process[p]:
            d.scratch.size = max(d.scratch.size, scratch_bytes(width, &d.taps[p], &d.pixels))
    needs.source = d.clip
    needs.requestPattern = rpGeneral if d.lag != 0 else rpStrictSpatial
    api.createVideoFilter(out, b"Spread", d.vi, get_frame, free_instance, fmParallel, &needs, 1, d, core)


cdef public void vdiff_add_spread(const Registry *registry) noexcept nogil:
    add_filter(
        registry, b"Spread",
        b"clip:vnode;dx:int[];dy:int[];weights:float[];lag:int:opt;scenechange:int:opt;planes:int[]:opt;",
        b"Weighted transport: every pixel becomes a sum of displaced pixels of the frame, an earlier or a later one.",
        b"lag=1:scenechange=1",
        create)
