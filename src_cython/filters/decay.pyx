"""Decay: exponential memory. Each frame the past is multiplied by q = exp(-rate) = 2^(-1/halflife).

    mean   y[n] = (1 - q) * x[n] + q * y[n-1]
    max    the brighter of x[n] and the past, which decays towards black (chroma: further from neutral, towards neutral)
    min    the darker of x[n] and the past, which decays towards white (chroma: as in max)
    sum    y[n] = x[n] + q * past, clipped; the past is what of y[n-1] is above black (chroma: its distance to neutral)
    fade   y[n] = level + (x[n] - level) * q^n, level black (chroma: neutral): no memory, each frame by itself

The past ends at the start of the clip and of a scene. Frame n is the same bytes whatever was requested before it: how
that is achieved is told in common/recursion.pxd. Luma and chroma are recursions of their own, nodes whose frames are
joined plane by plane.
"""

from libc.math cimport M_LN2
from libc.stddef cimport ptrdiff_t, size_t
from libc.stdint cimport intptr_t
from libc.stdlib cimport calloc, free

from api.vapoursynth cimport (
    VSAPI, VSCore, VSFilterDependency, VSFrame, VSFrameContext, VSMap, VSNode, VSVideoInfo, arAllFramesReady,
    arInitial, cfYUV, fmParallel, fmParallelRequests, rpGeneral, rpStrictSpatial)
from common.args cimport Args, choice, clip_arg, fail, integer, is_given, number, read_args, select_planes
from common.frames cimport (
    frame_starts_scene, new_output, plane_height, plane_width, resting_level, starts_scene, white_level)
from common.nodes cimport add_node
from common.pixels cimport PLANES, Pixels
from common.recursion cimport (
    BATCH, Cursor, Recursion, advance, batch_size, chain_start, collect, cursor_for, deposit, finish, free_recursion,
    is_wanted, want)
from common.registry cimport Registry, add_filter
from kernels.decay cimport (
    FADE, MEAN, MIN, Memory, Mode, Target, decay_plane, describe_memory, fade_plane, fade_weight, forgets,
    memory_length, state_row)


cdef enum:
    MODES = 5


cdef struct Decay:
    VSNode *clip
    const VSVideoInfo *vi
    Pixels pixels
    bint process[PLANES]
    size_t plane_state[PLANES]     # where a plane begins in a chain's state
    bint scenechange
    Memory memory
    Recursion recursion


cdef struct Join:
    const VSVideoInfo *vi
    VSNode *part[PLANES]     # nodes whose frames have their own planes processed, and share the others with the clip
    int parts
    int part_of[PLANES]      # which one has a plane


cdef Target target_of(const Decay *d, const VSFrame *x, int plane, const VSAPI *api) noexcept nogil:
    cdef Target to
    to.chroma = plane > 0 and d.vi.format.colorFamily == cfYUV
    if d.memory.mode == MIN and not to.chroma:
        to.level = white_level(x, &d.pixels, d.vi, api)
    else:
        to.level = resting_level(x, plane, &d.pixels, d.vi, api)
    return to


cdef VSFrame *take_in(
        Decay *d, const Cursor *c, const VSFrame *x, bint output, VSCore *core, const VSAPI *api) noexcept nogil:
    """Takes frame x into the cursor's chains; the output for it if it is asked for."""
    cdef VSFrame *dst = NULL
    cdef void *pixels = NULL
    cdef ptrdiff_t stride = 0
    cdef void *states[2]
    cdef Target to
    cdef int chain, p
    if output:
        dst = new_output(x, d.vi, d.process, core, api)
    for p in range(d.vi.format.numPlanes):
        if not d.process[p]:
            continue
        to = target_of(d, x, p, api)
        for chain in range(2):
            states[chain] = <char *>c.chains[chain] + d.plane_state[p] if c.live[chain] else NULL
        if dst != NULL:
            pixels = api.getWritePtr(dst, p)
            stride = api.getStride(dst, p)
        decay_plane(
            pixels, stride, api.getReadPtr(x, p), api.getStride(x, p), states, c.live, c.fresh,
            api.getFrameWidth(x, p), api.getFrameHeight(x, p), &d.pixels, &d.memory, &to)
    return dst


cdef const VSFrame *advance_to(
        Decay *d, Cursor *c, int n, VSFrameContext *context, VSCore *core, const VSAPI *api) noexcept nogil:
    """Advances towards n through the frames that this call was given. The output for n, if it gets there."""
    cdef const VSFrame *x
    cdef VSFrame *y
    while c.position < n:
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
    cdef bint waits
    cdef int asked, count, m
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
    asked = <int><intptr_t>frame_data[0]
    c = cursor_for(r, n, starts, asked - 1, &waits)
    if c != NULL:
        y = advance_to(d, c, n, context, core, api)
    if not waits and (c == NULL or c.position == n):
        if y == NULL:
            api.setFilterError(b"Decay: out of memory.", context)
        finish(r, n)
        return y

    # The frames asked for before are taken in, by this call or another: they are not held any longer. Frame n is.
    if asked > 0:
        for m in range(asked - 1, asked - 1 + min(<int>BATCH, d.vi.numFrames - (asked - 1))):
            if m != n:
                api.releaseFrameEarly(d.clip, m, context)
    want(r, n)
    if waits:
        asked = max(asked, chain_start(r, n))   # the next on its way
        count = 1
    else:
        c.target = max(c.target, n)
        asked = c.position + 1
        count = batch_size(r)
    frame_data[0] = <void *><intptr_t>(asked + 1)
    for m in range(asked, asked + min(n - asked + 1, count)):
        if m != n:
            api.requestFrameFilter(m, d.clip, context)
    return NULL


cdef const VSFrame *get_faded_frame(
        int n, int reason, void *instance, void **frame_data,
        VSFrameContext *context, VSCore *core, const VSAPI *api) noexcept nogil:
    cdef const Decay *d = <Decay *>instance
    cdef float weight
    cdef const VSFrame *src
    cdef VSFrame *dst
    cdef int p
    if reason == arInitial:
        api.requestFrameFilter(n, d.clip, context)
        return NULL
    if reason != arAllFramesReady:
        return NULL

    weight = fade_weight(d.memory.rate, n)
    src = api.getFrameFilter(n, d.clip, context)
    dst = new_output(src, d.vi, d.process, core, api)
    if dst == NULL:
        api.setFilterError(b"Decay: out of memory.", context)
        api.freeFrame(src)
        return NULL
    for p in range(d.vi.format.numPlanes):
        if d.process[p]:
            fade_plane(
                api.getWritePtr(dst, p), api.getStride(dst, p), api.getReadPtr(src, p), api.getStride(src, p),
                api.getFrameWidth(src, p), api.getFrameHeight(src, p), &d.pixels, weight,
                target_of(d, src, p, api).level)
    api.freeFrame(src)
    return dst


cdef const VSFrame *get_joined_frame(
        int n, int reason, void *instance, void **frame_data,
        VSFrameContext *context, VSCore *core, const VSAPI *api) noexcept nogil:
    cdef const Join *d = <Join *>instance
    cdef const VSFrame *frames[PLANES]
    cdef const VSFrame *plane_src[PLANES]
    cdef int planes[PLANES]
    cdef VSFrame *dst
    cdef int i, p
    if reason == arInitial:
        for i in range(d.parts):
            api.requestFrameFilter(n, d.part[i], context)
        return NULL
    if reason != arAllFramesReady:
        return NULL

    for i in range(d.parts):
        frames[i] = api.getFrameFilter(n, d.part[i], context)
    for p in range(PLANES):
        plane_src[p] = frames[d.part_of[p]]
        planes[p] = p
    dst = api.newVideoFrame2(&d.vi.format, d.vi.width, d.vi.height, plane_src, planes, frames[0], core)
    if dst == NULL:
        api.setFilterError(b"Decay: out of memory.", context)
    for i in range(d.parts):
        api.freeFrame(frames[i])
    return dst


cdef void free_joined(void *instance, VSCore *core, const VSAPI *api) noexcept nogil:
    cdef Join *d = <Join *>instance
    cdef int i
    for i in range(d.parts):
        api.freeNode(d.part[i])
    free(d)


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


cdef int divide(const Decay *d, int *part_of) noexcept nogil:
    """Parts of about the same work, which threads can share: every plane, but small chroma planes together."""
    cdef bint small = d.vi.format.subSamplingW > 0 or d.vi.format.subSamplingH > 0
    cdef int parts = 0
    cdef int p
    for p in range(PLANES):
        part_of[p] = 0
        if not d.process[p]:
            continue
        if p == 2 and small and d.process[1]:
            part_of[p] = parts - 1
            continue
        part_of[p] = parts
        parts += 1
    return max(parts, 1)


cdef void lay_recursion(Decay *d, int parts) noexcept nogil:
    cdef int p
    d.recursion.depth = memory_length(&d.memory, &d.pixels)
    d.recursion.vanishing = forgets(&d.memory)
    d.recursion.batch = BATCH // parts
    for p in range(d.vi.format.numPlanes):
        d.plane_state[p] = d.recursion.state_size
        if d.process[p]:
            d.recursion.state_size += state_row(plane_width(d.vi, p), &d.memory) * plane_height(d.vi, p)


cdef VSNode *add_part(
        const Decay *whole, int part, const Join *j, VSCore *core, const VSAPI *api) noexcept nogil:
    """A recursion for the planes of a part. NULL: out of memory."""
    cdef Decay *d = <Decay *>calloc(1, sizeof(Decay))
    cdef int p
    if d == NULL:
        return NULL
    d[0] = whole[0]
    d.clip = api.addNodeRef(whole.clip)
    for p in range(PLANES):
        d.process[p] = whole.process[p] and j.part_of[p] == part
    lay_recursion(d, j.parts)
    return add_node(
        b"Decay", d.vi, get_frame, free_instance, fmParallelRequests, d.clip, rpGeneral, d, core, api)


cdef void add_joined(Args *a, const Decay *whole, VSMap *out, VSCore *core, const VSAPI *api) noexcept nogil:
    """The ready calls of a recursion come one at a time: with its parts as nodes of their own, several threads work."""
    cdef Join *j = <Join *>calloc(1, sizeof(Join))
    cdef VSFilterDependency needs[PLANES]
    cdef int i
    if j == NULL:
        fail(a, b"out of memory.")
        return
    j.vi = whole.vi
    j.parts = divide(whole, j.part_of)
    for i in range(j.parts):
        j.part[i] = add_part(whole, i, j, core, api)
        needs[i].source = j.part[i]
        needs[i].requestPattern = rpStrictSpatial
        if j.part[i] == NULL:
            fail(a, b"out of memory.")
            free_joined(j, core, api)
            return
    api.createVideoFilter(out, b"Decay", j.vi, get_joined_frame, free_joined, fmParallel, needs, j.parts, j, core)


cdef void create(const VSMap *given, VSMap *out, void *user, VSCore *core, const VSAPI *api) noexcept nogil:
    cdef Args a = read_args(b"Decay", given, out, api)
    cdef Decay *d = <Decay *>calloc(1, sizeof(Decay))
    cdef VSFilterDependency needs
    cdef const char *names[MODES]
    cdef double rate
    cdef int mode

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
    d.scenechange = integer(&a, b"scenechange", 1, 0, 1)
    select_planes(&a, d.vi.format.numPlanes, d.process)
    d.memory = describe_memory(<Mode>mode, rate, &d.pixels)
    if mode == FADE and not a.failed:
        needs.source = d.clip
        needs.requestPattern = rpStrictSpatial
        api.createVideoFilter(out, b"Decay", d.vi, get_faded_frame, free_instance, fmParallel, &needs, 1, d, core)
        return
    if not a.failed:
        add_joined(&a, d, out, core, api)
    free_instance(d, core, api)


cdef public void vdiff_add_decay(const Registry *registry) noexcept nogil:
    add_filter(
        registry, b"Decay",
        b"clip:vnode;rate:float:opt;halflife:float:opt;mode:data:opt;scenechange:int:opt;planes:int[]:opt;",
        b"Exponential memory: the mean of the past, light or dark trails, their sum, or a fade to black.",
        b"mode=mean:scenechange=1",
        create)
