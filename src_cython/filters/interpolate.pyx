"""Interpolate: new frames between the given ones, each from the two around it.

u_tt + div(c grad u) = 0 from one frame to the next: where both agree, a linear cross-dissolve; where they have nothing
in common, the harmonic fill, in which what would be shown twice diffuses. Nothing is mixed across a cut: the frame
before it is held, as the last one of the clip is.
"""

from libc.limits cimport INT_MAX
from libc.stdio cimport snprintf
from libc.stdlib cimport calloc, free

from api.vapoursynth cimport (
    VSAPI, VSCore, VSFilterDependency, VSFrame, VSFrameContext, VSMap, VSNode, VSVideoInfo, arAllFramesReady,
    arInitial, fmParallel, rpGeneral)
from common.args cimport MESSAGE, Args, clip_arg, fail, integer, read_args
from common.frames cimport new_output, starts_scene, view_plane
from common.pixels cimport PLANES, Pixels, View
from common.registry cimport Registry, add_filter
from common.scratch cimport Scratch, free_scratch, give_scratch, take_scratch
from common.timing cimport clear_flag, divide_duration, move_time, multiply_fraction
from kernels.between cimport LONGEST, Between, between_floats, describe_between, fill_between


cdef struct Interpolate:
    VSNode *clip
    int given                # frames of the clip
    VSVideoInfo vi           # of what comes out
    Pixels pixels
    int factor
    Scratch scratch


cdef VSFrame *between(
        Interpolate *d, const VSFrame *first, const VSFrame *last, int t, VSCore *core,
        const VSAPI *api) noexcept nogil:
    """Frame t of `factor` from `first` to `last`. NULL: out of memory."""
    cdef void *scratch = take_scratch(&d.scratch)
    cdef VSFrame *dst = NULL
    cdef bint every[PLANES]
    cdef Between how
    cdef View u, v
    cdef int p
    for p in range(PLANES):
        every[p] = True
    if scratch != NULL:
        dst = new_output(first, &d.vi, every, core, api)
    if dst != NULL:
        describe_between(&how, t, d.factor)
        for p in range(d.vi.format.numPlanes):
            u = view_plane(first, p, &d.pixels, api)
            v = view_plane(last, p, &d.pixels, api)
            fill_between(api.getWritePtr(dst, p), api.getStride(dst, p), &u, &v, &how, <float *>scratch)
    give_scratch(&d.scratch, scratch)
    return dst


cdef const VSFrame *get_frame(
        int n, int reason, void *instance, void **frame_data,
        VSFrameContext *context, VSCore *core, const VSAPI *api) noexcept nogil:
    cdef Interpolate *d = <Interpolate *>instance
    cdef int k = n // d.factor
    cdef int t = n % d.factor
    cdef const VSFrame *first
    cdef const VSFrame *last = NULL
    cdef VSFrame *dst
    cdef VSMap *props
    if reason == arInitial:
        api.requestFrameFilter(k, d.clip, context)
        if t > 0 and k + 1 < d.given:
            api.requestFrameFilter(k + 1, d.clip, context)
        return NULL
    if reason != arAllFramesReady:
        return NULL

    first = api.getFrameFilter(k, d.clip, context)
    if t > 0 and k + 1 < d.given:
        last = api.getFrameFilter(k + 1, d.clip, context)
    if last == NULL or starts_scene(last, api):
        dst = api.copyFrame(first, core)
    else:
        dst = between(d, first, last, t, core, api)
    if dst == NULL:
        api.setFilterError(b"Interpolate: out of memory.", context)
    else:
        props = api.getFramePropertiesRW(dst)
        divide_duration(props, d.factor, api)
        if t > 0:
            move_time(props, t, &d.vi, api)
            clear_flag(props, b"_SceneChangePrev", api)
        if t < d.factor - 1:
            clear_flag(props, b"_SceneChangeNext", api)
    api.freeFrame(first)
    api.freeFrame(last)
    return dst


cdef void free_instance(void *instance, VSCore *core, const VSAPI *api) noexcept nogil:
    cdef Interpolate *d = <Interpolate *>instance
    api.freeNode(d.clip)
    free_scratch(&d.scratch)
    free(d)


cdef void raise_rate(Args *a, Interpolate *d) noexcept nogil:
    """The length and the frame rate; a variable one stays unknown."""
    cdef char text[MESSAGE]
    if a.failed:
        return
    if d.given > INT_MAX // d.factor:
        snprintf(
            text, MESSAGE,
            b"clip times factor must be at most %d frames, got %d times %d: trim the clip or lower factor.",
            <int>INT_MAX, d.given, d.factor)
        fail(a, text)
        return
    d.vi.numFrames = d.given * d.factor
    if d.vi.fpsNum > 0 and d.vi.fpsDen > 0 and not multiply_fraction(&d.vi.fpsNum, &d.vi.fpsDen, d.factor):
        snprintf(
            text, MESSAGE,
            b"frames per second times factor must fit 64 bits, got %lld/%lld times %d: give the clip a rate by "
            b"std.AssumeFPS.",
            <long long>d.vi.fpsNum, <long long>d.vi.fpsDen, d.factor)
        fail(a, text)


cdef void create(const VSMap *given, VSMap *out, void *user, VSCore *core, const VSAPI *api) noexcept nogil:
    cdef Args a = read_args(b"Interpolate", given, out, api)
    cdef Interpolate *d = <Interpolate *>calloc(1, sizeof(Interpolate))
    cdef VSFilterDependency needs

    if d == NULL:
        fail(&a, b"out of memory.")
        return
    d.clip = clip_arg(&a, b"clip", &d.pixels)
    d.vi = api.getVideoInfo(d.clip)[0]
    d.given = d.vi.numFrames
    d.factor = integer(&a, b"factor", 2, 2, LONGEST)
    raise_rate(&a, d)
    if a.failed:
        free_instance(d, core, api)
        return

    d.scratch.size = between_floats(d.vi.width, d.vi.height, d.factor) * sizeof(float)
    needs.source = d.clip
    needs.requestPattern = rpGeneral
    api.createVideoFilter(out, b"Interpolate", &d.vi, get_frame, free_instance, fmParallel, &needs, 1, d, core)


cdef public void vdiff_add_interpolate(const Registry *registry) noexcept nogil:
    add_filter(
        registry, b"Interpolate",
        b"clip:vnode;factor:int;",
        b"New frames between the given ones: a cross-dissolve that diffuses what it would show twice.",
        b"",
        create)
