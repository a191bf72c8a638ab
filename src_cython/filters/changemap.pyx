"""ChangeMap: where and how much one frame differs from another, as a picture and as properties.

    abs       |x - r|
    square    (x - r)^2 / peak
    mask      the peak where |x - r| > threshold, else 0

r is the frame `lag` earlier (negative: later), held at the ends of the clip and of its scene, or the same frame of
`ref`. VdiffMAD, VdiffMSE and VdiffChanged are the means of |x - r|, (x - r)^2 and the mask, on the 8-bit scale.
"""

from libc.stdlib cimport calloc, free
from libc.string cimport memset

from api.vapoursynth cimport (
    VSAPI, VSCore, VSFilterDependency, VSFrame, VSFrameContext, VSMap, arAllFramesReady, arInitial, fmParallel)
from common.args cimport Args, choice, fail, is_given, number, read_args, select_planes
from common.frames cimport new_output
from common.pair cimport Pair, free_pair, get_pair, pair_needs, read_pair, request_pair
from common.pixels cimport PLANES
from common.registry cimport Registry, add_filter
from kernels.changemap cimport ABS, ALL, MASK, SQUARE, Change, Picture, map_change


cdef enum:
    NORMS = 3
    NONE = 2         # the last of the names is no picture


cdef struct ChangeMap:
    Pair pair
    bint process[PLANES]
    bint draw[PLANES]
    Picture picture
    double threshold


cdef void set_properties(VSFrame *dst, const Change *changes, int planes, const VSAPI *api) noexcept nogil:
    cdef VSMap *props = api.getFramePropertiesRW(dst)
    cdef double values[3][PLANES]
    cdef int p
    for p in range(planes):
        values[0][p] = changes[p].mad
        values[1][p] = changes[p].mse
        values[2][p] = changes[p].changed
    api.mapSetFloatArray(props, b"VdiffMAD", values[0], planes)
    api.mapSetFloatArray(props, b"VdiffMSE", values[1], planes)
    api.mapSetFloatArray(props, b"VdiffChanged", values[2], planes)


cdef const VSFrame *get_frame(
        int n, int reason, void *instance, void **frame_data,
        VSFrameContext *context, VSCore *core, const VSAPI *api) noexcept nogil:
    cdef ChangeMap *d = <ChangeMap *>instance
    cdef const VSFrame *x
    cdef const VSFrame *r
    cdef VSFrame *dst
    cdef void *pixels
    cdef Change changes[PLANES]
    cdef int p
    if reason == arInitial:
        request_pair(n, &d.pair, context, api)
        return NULL
    if reason != arAllFramesReady:
        return NULL

    get_pair(n, &d.pair, &x, &r, context, api)
    dst = new_output(x, d.pair.vi, d.draw, core, api)
    if dst == NULL:
        api.setFilterError(b"ChangeMap: out of memory.", context)
    else:
        memset(changes, 0, sizeof(changes))
        for p in range(d.pair.vi.format.numPlanes):
            if d.process[p]:
                # Asking for a plane to write would copy one that is shared.
                pixels = api.getWritePtr(dst, p) if d.draw[p] else NULL
                changes[p] = map_change(
                    pixels, api.getStride(dst, p), api.getReadPtr(x, p), api.getStride(x, p),
                    api.getReadPtr(r, p), api.getStride(r, p), api.getFrameWidth(x, p), api.getFrameHeight(x, p),
                    &d.pair.pixels, d.picture, d.threshold, ALL)
        set_properties(dst, changes, d.pair.vi.format.numPlanes, api)
    api.freeFrame(x)
    api.freeFrame(r)
    return dst


cdef void free_instance(void *instance, VSCore *core, const VSAPI *api) noexcept nogil:
    cdef ChangeMap *d = <ChangeMap *>instance
    free_pair(&d.pair, api)
    free(d)


cdef void create(const VSMap *given, VSMap *out, void *user, VSCore *core, const VSAPI *api) noexcept nogil:
    cdef Args a = read_args(b"ChangeMap", given, out, api)
    cdef ChangeMap *d = <ChangeMap *>calloc(1, sizeof(ChangeMap))
    cdef VSFilterDependency needs[2]
    cdef const char *names[NORMS]
    cdef int norm, p

    if d == NULL:
        fail(&a, b"out of memory.")
        return
    read_pair(&a, &d.pair)
    d.threshold = number(&a, b"threshold", 0, 0, 1e6)
    names[<int>ABS] = b"abs"
    names[<int>SQUARE] = b"square"
    names[NONE] = b"none"
    norm = choice(&a, b"norm", names, NORMS, ABS)
    select_planes(&a, d.pair.vi.format.numPlanes, d.process)
    if a.failed:
        free_instance(d, core, api)
        return

    d.picture = MASK if is_given(&a, b"threshold") else <Picture>norm
    for p in range(PLANES):
        d.draw[p] = d.process[p] and norm != NONE
    api.createVideoFilter(
        out, b"ChangeMap", d.pair.vi, get_frame, free_instance, fmParallel, needs, pair_needs(&d.pair, needs, api), d,
        core)


cdef public void vdiff_add_changemap(const Registry *registry) noexcept nogil:
    add_filter(
        registry, b"ChangeMap",
        b"clip:vnode;ref:vnode:opt;lag:int:opt;threshold:float:opt;norm:data:opt;scenechange:int:opt;planes:int[]:opt;",
        b"Where and how much pixels changed: a picture or mask, and statistics as frame properties.",
        b"lag=1:norm=abs:scenechange=1",
        create)
