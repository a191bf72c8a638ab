"""Kernel: a function that `vs_vdiff.kernel` compiled, on the planes of one or several clips at one or several times."""

from libc.float cimport FLT_MAX
from libc.limits cimport INT_MAX
from libc.stddef cimport size_t
from libc.stdint cimport int64_t, uint32_t
from libc.stdio cimport snprintf
from libc.stdlib cimport calloc, free
from libc.string cimport memcmp

from api.vapoursynth cimport (
    VSAPI, VSCore, VSFilterDependency, VSFrame, VSFrameContext, VSMap, VSNode, VSVideoFormat, VSVideoInfo,
    arAllFramesReady, arInitial, fmParallel, rpGeneral, rpStrictSpatial, stFloat)
from common.args cimport (
    MESSAGE, Args, checked, checked_int, clip_at, fail, integer, is_given, is_supported, read_args, select_planes)
from common.frames cimport clamp_to_clip, lagged_frame, new_output, plane_height, plane_width, request_lagged
from common.native cimport (
    KERNEL, NATIVE_BYTE, NATIVE_FLOAT, NATIVE_WORD, Call, Native, native_arg, release_native)
from common.pixels cimport (
    BYTE, HALF, PLANES, WORD, Pixels, describe_pixels, load_half_plane, store_half_plane)
from common.registry cimport Registry, add_filter
from common.scratch cimport Scratch, free_scratch, give_scratch, take_scratch


cdef enum:
    CLIPS = 8
    SOURCES = 64
    NUMBERS = 64


cdef struct Host:
    Native *kernel
    VSNode *clips[CLIPS]
    const VSVideoInfo *vis[CLIPS]
    Pixels pixels[CLIPS]
    int clip_count
    int lags[SOURCES]
    int lag_count
    VSVideoInfo vi               # of the output
    Pixels out
    bint process[PLANES]
    double params[PLANES][NUMBERS]
    bint scenechange
    size_t half_plane            # bytes of a plane of halves as floats
    Scratch scratch


cdef int plane_pitch(const VSVideoInfo *vi, int plane) noexcept nogil:
    """Floats from one row of a plane to the next, a multiple of a cache line."""
    return (plane_width(vi, plane) + 15) // 16 * 16


cdef bint run_plane(
        const Host *d, int plane, const VSFrame **src, VSFrame *dst, void *scratch, VSFrameContext *context,
        const VSAPI *api) noexcept nogil:
    """Whether the function came to its end; if not, its exception is the frame's error."""
    cdef const void *pointers[SOURCES]
    cdef int64_t strides[SOURCES]
    cdef double peaks[SOURCES]
    cdef char text[MESSAGE]
    cdef char message[2 * MESSAGE]
    cdef void *exception = NULL
    cdef Call call
    cdef int pitch = plane_pitch(&d.vi, plane)
    cdef int i
    call.width = plane_width(&d.vi, plane)
    call.height = plane_height(&d.vi, plane)
    for i in range(d.clip_count * d.lag_count):
        pointers[i] = api.getReadPtr(src[i], plane)
        strides[i] = api.getStride(src[i], plane)
        peaks[i] = d.pixels[i // d.lag_count].peak
        if d.pixels[i // d.lag_count].sample == HALF:
            load_half_plane(
                <float *>scratch, pitch, pointers[i], strides[i], <int>call.width, <int>call.height)
            pointers[i] = scratch
            strides[i] = pitch * sizeof(float)
            scratch = <char *>scratch + d.half_plane
    call.src = pointers
    call.src_stride = strides
    call.src_peak = peaks
    call.dst = api.getWritePtr(dst, plane)
    call.dst_stride = api.getStride(dst, plane)
    if d.out.sample == HALF:
        call.dst = scratch
        call.dst_stride = pitch * sizeof(float)
    call.params = d.params[plane]
    call.dst_peak = d.out.peak
    if d.kernel.run(&call, &exception) != 0:
        text[0] = 0
        d.kernel.describe(exception, text, MESSAGE)
        snprintf(message, 2 * MESSAGE, b"Kernel: %s", text)
        api.setFilterError(message, context)
        return False
    if d.out.sample == HALF:
        store_half_plane(
            api.getWritePtr(dst, plane), api.getStride(dst, plane), <const float *>scratch, pitch, <int>call.width,
            <int>call.height)
    return True


cdef const VSFrame *get_frame(
        int n, int reason, void *instance, void **frame_data,
        VSFrameContext *context, VSCore *core, const VSAPI *api) noexcept nogil:
    cdef Host *d = <Host *>instance
    cdef const VSFrame *src[SOURCES]
    cdef const VSFrame *now
    cdef VSFrame *dst
    cdef void *scratch
    cdef bint done
    cdef int i, j, p
    if reason == arInitial:
        for i in range(d.clip_count):
            for j in range(d.lag_count):
                request_lagged(
                    clamp_to_clip(n, 0, d.vis[i]), d.lags[j], d.scenechange, d.clips[i], d.vis[i], context, api)
        return NULL
    if reason != arAllFramesReady:
        return NULL

    now = api.getFrameFilter(n, d.clips[0], context)
    for i in range(d.clip_count):
        for j in range(d.lag_count):
            src[i * d.lag_count + j] = lagged_frame(
                clamp_to_clip(n, 0, d.vis[i]), d.lags[j], d.scenechange, d.clips[i], d.vis[i], context, api)
    dst = new_output(now, &d.vi, d.process, core, api)
    scratch = take_scratch(&d.scratch)
    done = dst != NULL and scratch != NULL
    if not done:
        api.setFilterError(b"Kernel: out of memory.", context)
    for p in range(d.vi.format.numPlanes):
        if done and d.process[p]:
            done = run_plane(d, p, src, dst, scratch, context, api)
    if not done:
        api.freeFrame(dst)
        dst = NULL
    give_scratch(&d.scratch, scratch)
    for i in range(d.clip_count * d.lag_count):
        api.freeFrame(src[i])
    api.freeFrame(now)
    return dst


cdef void free_instance(void *instance, VSCore *core, const VSAPI *api) noexcept nogil:
    cdef Host *d = <Host *>instance
    cdef int i
    for i in range(d.clip_count):
        api.freeNode(d.clips[i])
    release_native(d.kernel)
    free_scratch(&d.scratch)
    free(d)


cdef int native_type(const Pixels *pixels) noexcept nogil:
    return NATIVE_BYTE if pixels.sample == BYTE else NATIVE_WORD if pixels.sample == WORD else NATIVE_FLOAT


cdef bint same_planes(const VSVideoInfo *a, const VSVideoInfo *b) noexcept nogil:
    return (a.width == b.width and a.height == b.height and a.format.colorFamily == b.format.colorFamily
            and a.format.subSamplingW == b.format.subSamplingW and a.format.subSamplingH == b.format.subSamplingH)


cdef void fail_beside(Args *a, const VSVideoInfo *first, const VSVideoInfo *other, int index) noexcept nogil:
    cdef char text[MESSAGE]
    cdef char ours[32]
    cdef char theirs[32]
    if a.failed:
        return
    a.api.getVideoFormatName(&first.format, ours)
    a.api.getVideoFormatName(&other.format, theirs)
    snprintf(text, MESSAGE, b"clips must be of the same size, color family and subsampling, all of 8 bits, all of "
             b"9...16, or all float: clip 0 is %s %dx%d, clip %d is %s %dx%d.",
             ours, first.width, first.height, index, theirs, other.width, other.height)
    fail(a, text)


cdef void read_clips(Args *a, Host *d) noexcept nogil:
    cdef char text[MESSAGE]
    cdef int count = a.api.mapNumElements(a.given, b"clips")
    cdef int i
    if not 1 <= count <= CLIPS:
        snprintf(text, MESSAGE, b"clips must be 1...%d clips, got %d.", <int>CLIPS, count)
        fail(a, text)
        return
    for i in range(count):
        d.clips[i] = clip_at(a, b"clips", i, &d.pixels[i])
        d.vis[i] = a.api.getVideoInfo(d.clips[i])
        d.clip_count += 1
        if not same_planes(d.vis[0], d.vis[i]) or native_type(&d.pixels[i]) != native_type(&d.pixels[0]):
            fail_beside(a, d.vis[0], d.vis[i], i)
    d.vi = d.vis[0][0]
    d.out = d.pixels[0]


cdef void read_format(Args *a, Host *d, VSCore *core) noexcept nogil:
    """The format of the output, if it is to be another one."""
    cdef char text[MESSAGE]
    cdef VSVideoInfo vi = d.vi
    cdef int id = integer(a, b"format", 0, 0, INT_MAX)
    if id == 0 or a.failed:
        return
    if (not a.api.getVideoFormatByID(&vi.format, <uint32_t>id, core) or not same_planes(&vi, &d.vi)
            or not is_supported(&vi.format)):
        snprintf(text, MESSAGE, b"format must be the id of one of 8...16 bit integer or 16-32 bit float, of the clips' "
                 b"color family and subsampling, got %d.", id)
        fail(a, text)
        return
    d.out = describe_pixels(vi.format.sampleType == stFloat, vi.format.bitsPerSample)
    if memcmp(&vi.format, &d.vi.format, sizeof(VSVideoFormat)) != 0 and is_given(a, b"planes"):
        fail(a, b"with another format, all planes are processed: leave out planes.")
    d.vi = vi


cdef void read_lags(Args *a, Host *d) noexcept nogil:
    cdef char text[MESSAGE]
    cdef int count = a.api.mapNumElements(a.given, b"lags") if is_given(a, b"lags") else 0
    cdef int i
    d.lag_count = max(count, 1)
    d.lags[0] = 0
    if d.lag_count * max(d.clip_count, 1) > SOURCES:
        snprintf(text, MESSAGE, b"clips times lags must be at most %d, got %d.",
                 <int>SOURCES, d.lag_count * d.clip_count)
        fail(a, text)
        return
    for i in range(count):
        d.lags[i] = checked_int(a, b"lags", a.api.mapGetInt(a.given, b"lags", i, NULL), -100, 100)


cdef void read_params(Args *a, Host *d) noexcept nogil:
    """As many as the function takes, which has been checked, for all planes or for each."""
    cdef char text[MESSAGE]
    cdef int given = a.api.mapNumElements(a.given, b"params") if is_given(a, b"params") else 0
    cdef int wanted = d.kernel.params
    cdef int planes = d.vi.format.numPlanes
    cdef int p, i
    if a.failed:
        return
    if given != wanted and given != wanted * planes:
        snprintf(text, MESSAGE, b"params must be the kernel's %d numbers, or %d for each of %d planes, got %d.",
                 wanted, wanted, planes, given)
        fail(a, text)
        return
    for p in range(planes):
        for i in range(wanted):
            # To the function they are float32.
            d.params[p][i] = checked(
                a, b"params", a.api.mapGetFloat(a.given, b"params", i + (p * wanted if given > wanted else 0), NULL),
                -FLT_MAX, FLT_MAX)


cdef void check_kernel(Args *a, const Host *d) noexcept nogil:
    """That the function was compiled for these clips: `vs_vdiff` sees to it."""
    if a.failed:
        return
    if (d.kernel.sources != d.clip_count * d.lag_count or d.kernel.params > NUMBERS
            or d.kernel.src_type != native_type(&d.pixels[0]) or d.kernel.dst_type != native_type(&d.out)):
        fail(a, b"kernel was compiled for other clips: call it through vs_vdiff.")


cdef void lay_scratch(Host *d) noexcept nogil:
    """Planes of floats for what is half."""
    cdef int i, p
    cdef int halves = d.out.sample == HALF
    for p in range(d.vi.format.numPlanes):
        d.half_plane = max(
            d.half_plane, <size_t>plane_pitch(&d.vi, p) * plane_height(&d.vi, p) * sizeof(float))
    for i in range(d.clip_count):
        halves += d.lag_count if d.pixels[i].sample == HALF else 0
    d.scratch.size = halves * d.half_plane


cdef void create(const VSMap *given, VSMap *out, void *user, VSCore *core, const VSAPI *api) noexcept nogil:
    cdef Args a = read_args(b"Kernel", given, out, api)
    cdef Host *d = <Host *>calloc(1, sizeof(Host))
    cdef VSFilterDependency needs[CLIPS]
    cdef int i, j
    if d == NULL:
        fail(&a, b"out of memory.")
        return
    read_clips(&a, d)
    d.kernel = native_arg(&a, b"kernel", KERNEL)
    if not a.failed:
        read_format(&a, d, core)
        read_lags(&a, d)
        check_kernel(&a, d)
        read_params(&a, d)
        d.scenechange = integer(&a, b"scenechange", 1, 0, 1)
        select_planes(&a, d.vi.format.numPlanes, d.process)
    if a.failed:
        free_instance(d, core, api)
        return

    lay_scratch(d)
    for i in range(d.clip_count):
        needs[i].source = d.clips[i]
        needs[i].requestPattern = rpStrictSpatial if d.vis[i].numFrames >= d.vi.numFrames else rpGeneral
        for j in range(d.lag_count):
            if d.lags[j] != 0:
                needs[i].requestPattern = rpGeneral
    api.createVideoFilter(
        out, b"Kernel", &d.vi, get_frame, free_instance, fmParallel, needs, d.clip_count, d, core)


cdef public void vdiff_add_kernel(const Registry *registry) noexcept nogil:
    add_filter(
        registry, b"Kernel",
        b"clips:vnode[];kernel:data;lags:int[]:opt;params:float[]:opt;format:int:opt;scenechange:int:opt;"
        b"planes:int[]:opt;",
        b"The host of the kernels that `vs_vdiff.kernel` compiles.",
        b"lags=0:scenechange=1",
        create)
