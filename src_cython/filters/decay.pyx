"""Decay: exponential memory. Each frame the past is multiplied by q = exp(-rate) = 2^(-1/halflife).

    mean   y[n] = (1 - q) * x[n] + q * y[n-1]
    max    the brighter of x[n] and the past, which decays towards black (chroma: further from neutral, towards neutral)

The past ends at the start of the clip and of a scene. Frame n is the same bytes whatever was requested before it: how
that is achieved is told in common/recursion.pxd.
"""

from libc.math cimport M_LN2
from libc.stddef cimport ptrdiff_t, size_t
from libc.stdint cimport intptr_t
from libc.stdio cimport snprintf
from libc.stdlib cimport calloc, free

from api.vapoursynth cimport (
    VSAPI, VSCore, VSFilterDependency, VSFrame, VSFrameContext, VSMap, VSNode, VSPLUGINAPI, VSPlugin, VSVideoInfo,
    arAllFramesReady, arInitial, cfYUV, fmParallelRequests, rpGeneral)
from common.args cimport (
    MESSAGE, Args, choice, clip_arg, fail, integer, is_given, number, read_args, select_planes)
from common.frames cimport (
    frame_starts_scene, new_output, plane_height, plane_width, resting_level, starts_scene)
from common.pixels cimport PLANES, Pixels
from common.recursion cimport (
    BATCH, Cursor, Recursion, advance, batch_size, collect, cursor_for, deposit, finish, free_recursion, is_wanted,
    want)
from kernels.decay cimport MAX, MEAN, Memory, Mode, decay_plane, describe_memory, memory_length, state_row


cdef enum:
    MODES = 5
    MODES_READY = 2


cdef struct Decay:
    VSNode *clip
    const VSVideoInfo *vi
    Pixels pixels
    bint process[PLANES]
    size_t plane_state[PLANES]     # where a plane begins in a chain's state
    bint scenechange
    Memory memory
    Recursion recursion


cdef VSFrame *take_in(
        Decay *d, const Cursor *c, const VSFrame *x, bint output, VSCore *core, const VSAPI *api) noexcept nogil:
    """Takes frame x into the cursor's chains; the output for it if it is asked for."""
    cdef VSFrame *dst = NULL
    cdef void *pixels
    cdef ptrdiff_t stride
    cdef bint chroma
    cdef int chain, p
    if output:
        dst = new_output(x, d.vi, d.process, core, api)
    for p in range(d.vi.format.numPlanes):
        if not d.process[p]:
            continue
        chroma = p > 0 and d.vi.format.colorFamily == cfYUV
        for chain in range(2):
            if not c.live[chain]:
                continue
            pixels = NULL
            stride = 0
            if dst != NULL and chain == 0:
                pixels = api.getWritePtr(dst, p)
                stride = api.getStride(dst, p)
            decay_plane(
                pixels, stride, api.getReadPtr(x, p), api.getStride(x, p),
                <char *>c.chains[chain] + d.plane_state[p], api.getFrameWidth(x, p), api.getFrameHeight(x, p),
                &d.pixels, &d.memory, c.fresh[chain], chroma, resting_level(x, p, &d.pixels, d.vi, api))
    return dst


cdef const VSFrame *advance_to(
        Decay *d, Cursor *c, int goal, int n, VSFrameContext *context, VSCore *core, const VSAPI *api) noexcept nogil:
    """Advances towards the goal through the frames that this call was given. The output for n, if it comes by."""
    cdef const VSFrame *x
    cdef VSFrame *y
    while c.position < goal:
        x = api.getFrameFilter(c.position + 1, d.clip, context)
        if x == NULL:
            return NULL
        advance(&d.recursion, c, d.scenechange and starts_scene(x, api))
        y = take_in(d, c, x, c.serves and (c.position == n or is_wanted(&d.recursion, c.position)), core, api)
        api.freeFrame(x)
        if c.position == n and c.serves:
            return y
        if y != NULL:
            deposit(&d.recursion, c.position, y, api)
    return NULL


cdef const VSFrame *get_frame(
        int n, int reason, void *instance, void **frame_data,
        VSFrameContext *context, VSCore *core, const VSAPI *api) noexcept nogil:
    cdef Decay *d = <Decay *>instance
    cdef Recursion *r = &d.recursion
    cdef const VSFrame *y
    cdef Cursor *c
    cdef bint starts
    cdef int goal, asked, m
    if reason == arInitial:
        want(r, n)
        api.requestFrameFilter(n, d.clip, context)
        return NULL
    if reason != arAllFramesReady:
        finish(r, n)
        return NULL

    y = collect(r, n)
    if y != NULL:
        finish(r, n)
        return y
    starts = d.scenechange and frame_starts_scene(n, d.clip, context, api)
    c = cursor_for(r, n, starts, &goal)
    while c != NULL:
        y = advance_to(d, c, goal, n, context, core, api)
        if goal == n or c.position < goal:
            break
        # Another request's frame is done, and its cursor free.
        c = cursor_for(r, n, starts, &goal)
    if c == NULL or (c.position == n and c.serves):
        if y == NULL:
            api.setFilterError(b"Decay: out of memory.", context)
        finish(r, n)
        return y

    # The frames asked for before are taken in, by this call or another: they are not held any longer. Frame n is.
    asked = <int><intptr_t>frame_data[0]
    if asked > 0:
        for m in range(asked - 1, asked - 1 + BATCH):
            if m != n:
                api.releaseFrameEarly(d.clip, m, context)
    c.target = max(c.target, goal)
    want(r, n)
    asked = c.position + 1
    frame_data[0] = <void *><intptr_t>(asked + 1)
    for m in range(asked, min(goal + 1, asked + batch_size(r))):
        if m != n:
            api.requestFrameFilter(m, d.clip, context)
    return NULL


cdef void free_instance(void *instance, VSCore *core, const VSAPI *api) noexcept nogil:
    cdef Decay *d = <Decay *>instance
    api.freeNode(d.clip)
    free_recursion(&d.recursion, api)
    free(d)


cdef double read_rate(Args *a) noexcept nogil:
    cdef double rate = number(a, b"rate", 1, 1e-6, 100)
    cdef double halflife = number(a, b"halflife", 1, 0.01, 100000)
    if is_given(a, b"rate") == is_given(a, b"halflife"):
        fail(a, b"give exactly one of rate and halflife.")
    return rate if is_given(a, b"rate") else M_LN2 / halflife


cdef void create(const VSMap *given, VSMap *out, void *user, VSCore *core, const VSAPI *api) noexcept nogil:
    cdef Args a = read_args(b"Decay", given, out, api)
    cdef Decay *d = <Decay *>calloc(1, sizeof(Decay))
    cdef VSFilterDependency needs
    cdef const char *names[MODES]
    cdef char text[MESSAGE]
    cdef double rate
    cdef int mode, p

    if d == NULL:
        fail(&a, b"out of memory.")
        return
    d.clip = clip_arg(&a, b"clip", &d.pixels)
    d.vi = api.getVideoInfo(d.clip)
    rate = read_rate(&a)
    names[0] = b"mean"
    names[1] = b"max"
    names[2] = b"min"
    names[3] = b"sum"
    names[4] = b"fade"
    mode = choice(&a, b"mode", names, MODES, MEAN)
    if mode >= MODES_READY:
        snprintf(text, MESSAGE, b"mode \"%s\" is not available yet: use mean or max.", names[mode])
        fail(&a, text)
    d.scenechange = integer(&a, b"scenechange", 1, 0, 1)
    select_planes(&a, d.vi.format.numPlanes, d.process)
    if a.failed:
        free_instance(d, core, api)
        return

    d.memory = describe_memory(<Mode>mode, rate, &d.pixels)
    d.recursion.depth = memory_length(&d.memory, rate, &d.pixels)
    d.recursion.vanishing = mode == MAX
    for p in range(d.vi.format.numPlanes):
        d.plane_state[p] = d.recursion.state_size
        if d.process[p]:
            d.recursion.state_size += state_row(plane_width(d.vi, p), &d.memory) * plane_height(d.vi, p)
    needs.source = d.clip
    needs.requestPattern = rpGeneral
    api.createVideoFilter(out, b"Decay", d.vi, get_frame, free_instance, fmParallelRequests, &needs, 1, d, core)


cdef public void vdiff_register_decay(VSPlugin *plugin, const VSPLUGINAPI *api) noexcept nogil:
    api.registerFunction(
        b"Decay",
        b"clip:vnode;rate:float:opt;halflife:float:opt;mode:data:opt;scenechange:int:opt;planes:int[]:opt;",
        b"clip:vnode;", create, NULL, plugin)
