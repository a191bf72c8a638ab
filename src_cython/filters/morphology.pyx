"""Dilate, Erode: flat grey-scale morphology of any radius.

The largest sample of a window (Dilate), or the smallest (Erode). The window is a square, a cross or a disc of `radius`
pixels around the pixel, as far as it is inside the picture.
"""

from libc.stddef cimport size_t
from libc.stdlib cimport calloc, free

from api.vapoursynth cimport (
    VSAPI, VSCore, VSFilterDependency, VSFrame, VSFrameContext, VSMap, VSNode, VSVideoInfo, arAllFramesReady,
    arInitial, fmParallel, rpStrictSpatial)
from common.args cimport Args, choice, clip_arg, fail, integer, read_args, select_planes
from common.frames cimport new_output, plane_height, plane_width
from common.pixels cimport PLANES, Pixels
from common.registry cimport Registry, add_filter
from common.scratch cimport Scratch, free_scratch, give_scratch, take_scratch
from kernels.morphology cimport RECT, Shape, Window, morph_plane, scratch_bytes


cdef enum:
    SHAPES = 3
    LARGEST = 10000


cdef struct Morphology:
    VSNode *clip
    const VSVideoInfo *vi
    Pixels pixels
    bint process[PLANES]
    Window window
    Scratch scratch


cdef const VSFrame *get_frame(
        int n, int reason, void *instance, void **frame_data,
        VSFrameContext *context, VSCore *core, const VSAPI *api) noexcept nogil:
    cdef Morphology *d = <Morphology *>instance
    cdef const VSFrame *src
    cdef VSFrame *dst
    cdef void *scratch
    cdef int p
    if reason == arInitial:
        api.requestFrameFilter(n, d.clip, context)
        return NULL
    if reason != arAllFramesReady:
        return NULL

    src = api.getFrameFilter(n, d.clip, context)
    dst = new_output(src, d.vi, d.process, core, api)
    scratch = take_scratch(&d.scratch)
    if dst == NULL or scratch == NULL:
        if d.window.erode:
            api.setFilterError(b"Erode: out of memory.", context)
        else:
            api.setFilterError(b"Dilate: out of memory.", context)
        api.freeFrame(dst)
        dst = NULL
    for p in range(d.vi.format.numPlanes):
        if dst != NULL and d.process[p]:
            morph_plane(
                api.getWritePtr(dst, p), api.getStride(dst, p), api.getReadPtr(src, p), api.getStride(src, p),
                api.getFrameWidth(dst, p), api.getFrameHeight(dst, p), &d.pixels, &d.window, scratch)
    give_scratch(&d.scratch, scratch)
    api.freeFrame(src)
    return dst


cdef void free_instance(void *instance, VSCore *core, const VSAPI *api) noexcept nogil:
    cdef Morphology *d = <Morphology *>instance
    api.freeNode(d.clip)
    free_scratch(&d.scratch)
    free(d)


cdef void create(
        const char *name, bint erode, const VSMap *given, VSMap *out, VSCore *core, const VSAPI *api) noexcept nogil:
    cdef Args a = read_args(name, given, out, api)
    cdef Morphology *d = <Morphology *>calloc(1, sizeof(Morphology))
    cdef VSFilterDependency needs
    cdef const char *shapes[SHAPES]
    cdef size_t size
    cdef int planes, p

    if d == NULL:
        fail(&a, b"out of memory.")
        return
    d.clip = clip_arg(&a, b"clip", &d.pixels)
    d.vi = api.getVideoInfo(d.clip)
    planes = d.vi.format.numPlanes
    d.window.erode = erode
    d.window.radius = integer(&a, b"radius", 1, 0, LARGEST)
    shapes[0] = b"rect"
    shapes[1] = b"cross"
    shapes[2] = b"disc"
    d.window.shape = <Shape>choice(&a, b"shape", shapes, SHAPES, RECT)
    select_planes(&a, planes, d.process)
    if a.failed:
        free_instance(d, core, api)
        return

    for p in range(planes):
        d.process[p] = d.process[p] and d.window.radius > 0
        if d.process[p]:
            # Of a smaller plane, wider strips may fit the cache.
            size = scratch_bytes(
                plane_width(d.vi, p), plane_height(d.vi, p), d.vi.format.bytesPerSample, &d.window)
            d.scratch.size = max(d.scratch.size, size)
    needs.source = d.clip
    needs.requestPattern = rpStrictSpatial
    api.createVideoFilter(out, name, d.vi, get_frame, free_instance, fmParallel, &needs, 1, d, core)


cdef void create_dilate(const VSMap *given, VSMap *out, void *user, VSCore *core, const VSAPI *api) noexcept nogil:
    create(b"Dilate", False, given, out, core, api)


cdef void create_erode(const VSMap *given, VSMap *out, void *user, VSCore *core, const VSAPI *api) noexcept nogil:
    create(b"Erode", True, given, out, core, api)


cdef public void vdiff_add_morphology(const Registry *registry) noexcept nogil:
    cdef const char *signature = b"clip:vnode;radius:int:opt;shape:data:opt;planes:int[]:opt;"
    cdef const char *defaults = b"radius=1:shape=rect"
    add_filter(
        registry, b"Dilate", signature,
        b"Grey-scale dilation, morphology's maximum: every pixel becomes the largest of the window around it.",
        defaults, create_dilate)
    add_filter(
        registry, b"Erode", signature,
        b"Grey-scale erosion: every pixel becomes the smallest of the window around it.",
        defaults, create_erode)
