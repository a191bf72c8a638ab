"""SceneDetect: finds cuts, and marks the frames on both sides of them.

Three nodes in a chain, of which the host keeps the results and merges requests, so that nothing is computed twice:

    features    of each frame what is compared of it: a thumbnail or a histogram, as a row of floats
    evidence    of each frame its change from the frames before and its motion, as a row of two floats
    SceneDetect the frames of the clip with their scores and marks, from the evidence around them
"""

from libc.stdlib cimport calloc, free

from api.vapoursynth cimport (
    VSAPI, VSCore, VSFilterDependency, VSFrame, VSFrameContext, VSMap, VSNode, VSVideoInfo, arAllFramesReady,
    arInitial, fmParallel, maReplace, rpGeneral, rpStrictSpatial)
from common.args cimport Args, choice, clip_arg, fail, integer, number, read_args
from common.features cimport IN_FLIGHT, Stage, add_stage, add_thumbnails, describe_stage, new_row
from common.frames cimport clamp_to_clip, new_output, request_between
from common.pixels cimport PLANES, Pixels
from common.registry cimport Registry, add_filter
from kernels.scenedetect cimport (
    ADAPTIVE, HISTOGRAM, LEVELS, MAD, METRICS, MSE, Evidence, Metric, add_change, compare, find_histogram,
    frames_after, frames_before, frames_near, is_cut, score, usual_threshold)


cdef enum:
    LONGEST = 1000      # min_length
    WINDOW = 16         # frames that evidence is made of, at most
    EVIDENCE = 2        # floats
    AROUND = 2 * LONGEST + 8


cdef struct SceneDetect:
    VSNode *clip
    VSNode *evidence
    const VSVideoInfo *vi
    Metric metric
    double threshold
    int min_length


cdef const VSFrame *get_histogram(
        int n, int reason, void *instance, void **frame_data,
        VSFrameContext *context, VSCore *core, const VSAPI *api) noexcept nogil:
    cdef Stage *d = <Stage *>instance
    cdef const VSFrame *src
    cdef VSFrame *dst
    cdef int p
    if reason == arInitial:
        api.requestFrameFilter(n, d.source, context)
        return NULL
    if reason != arAllFramesReady:
        return NULL

    dst = new_row(d, context, core, api)
    if dst == NULL:
        return NULL
    src = api.getFrameFilter(n, d.source, context)
    for p in range(d.planes):
        find_histogram(
            <float *>api.getWritePtr(dst, 0) + p * LEVELS, api.getReadPtr(src, p), api.getStride(src, p),
            d.width, d.height, &d.pixels)
    api.freeFrame(src)
    return dst


cdef Evidence evidence_of_features(const Stage *d, int n, VSFrameContext *context, const VSAPI *api) noexcept nogil:
    cdef const VSFrame *frames[WINDOW]
    cdef const float *features[WINDOW]
    cdef Metric metric = <Metric>d.kind
    cdef int first = clamp_to_clip(n, -frames_before(metric), &d.vi)
    cdef int last = clamp_to_clip(n, frames_after(metric), &d.vi)
    cdef Evidence e
    cdef int m
    for m in range(first, last + 1):
        frames[m - first] = api.getFrameFilter(m, d.source, context)
        features[m - first] = <const float *>api.getReadPtr(frames[m - first], 0)
    e = compare(metric, features, n - first, last - n, d.width, d.height, d.planes)
    for m in range(last - first + 1):
        api.freeFrame(frames[m])
    return e


cdef Evidence evidence_of_pixels(const Stage *d, int n, VSFrameContext *context, const VSAPI *api) noexcept nogil:
    cdef const VSFrame *x = api.getFrameFilter(n, d.source, context)
    cdef const VSFrame *r = api.getFrameFilter(n - 1, d.source, context)
    cdef Evidence e
    cdef int p
    e.change = e.motion = 0
    for p in range(d.planes):
        add_change(
            <Metric>d.kind, &e, api.getReadPtr(x, p), api.getStride(x, p), api.getReadPtr(r, p), api.getStride(r, p),
            d.width, d.height, &d.pixels, d.planes)
    api.freeFrame(x)
    api.freeFrame(r)
    return e


cdef const VSFrame *get_evidence(
        int n, int reason, void *instance, void **frame_data,
        VSFrameContext *context, VSCore *core, const VSAPI *api) noexcept nogil:
    cdef Stage *d = <Stage *>instance
    cdef Metric metric = <Metric>d.kind
    cdef VSFrame *dst
    cdef Evidence *e
    if reason == arInitial:
        request_between(
            clamp_to_clip(n, -frames_before(metric), &d.vi), clamp_to_clip(n, frames_after(metric), &d.vi), d.source,
            context, api)
        return NULL
    if reason != arAllFramesReady:
        return NULL

    dst = new_row(d, context, core, api)
    if dst == NULL:
        return NULL
    e = <Evidence *>api.getWritePtr(dst, 0)
    if n == 0:
        e.change = e.motion = 0
    elif metric == ADAPTIVE or metric == HISTOGRAM:
        e[0] = evidence_of_features(d, n, context, api)
    else:
        e[0] = evidence_of_pixels(d, n, context, api)
    return dst


cdef int around(const SceneDetect *d) noexcept nogil:
    """Frames on each side whose evidence decides over a frame."""
    return d.min_length - 1 + frames_near(d.metric)


cdef const VSFrame *get_frame(
        int n, int reason, void *instance, void **frame_data,
        VSFrameContext *context, VSCore *core, const VSAPI *api) noexcept nogil:
    cdef SceneDetect *d = <SceneDetect *>instance
    cdef int first = clamp_to_clip(n, -around(d), d.vi)
    cdef int last = clamp_to_clip(n, 1 + around(d), d.vi)
    cdef Evidence evidence[AROUND]
    cdef float scores[AROUND]
    cdef bint process[PLANES]
    cdef const VSFrame *frame
    cdef VSFrame *dst
    cdef VSMap *props
    cdef int i
    cdef int count = last - first + 1
    if reason == arInitial:
        api.requestFrameFilter(n, d.clip, context)
        request_between(first, last, d.evidence, context, api)
        return NULL
    if reason != arAllFramesReady:
        return NULL

    for i in range(PLANES):
        process[i] = False
    frame = api.getFrameFilter(n, d.clip, context)
    dst = new_output(frame, d.vi, process, core, api)
    api.freeFrame(frame)
    if dst == NULL:
        api.setFilterError(b"SceneDetect: out of memory.", context)
        return NULL
    for i in range(count):
        frame = api.getFrameFilter(first + i, d.evidence, context)
        evidence[i] = (<const Evidence *>api.getReadPtr(frame, 0))[0]
        api.freeFrame(frame)
    for i in range(count):
        scores[i] = score(d.metric, evidence, count, i)
    props = api.getFramePropertiesRW(dst)
    api.mapSetFloat(props, b"VdiffSceneScore", scores[n - first], maReplace)
    api.mapSetInt(props, b"_SceneChangePrev", is_cut(scores, first, last, n, d.threshold, d.min_length), maReplace)
    api.mapSetInt(props, b"_SceneChangeNext", is_cut(scores, first, last, n + 1, d.threshold, d.min_length), maReplace)
    return dst


cdef void free_instance(void *instance, VSCore *core, const VSAPI *api) noexcept nogil:
    cdef SceneDetect *d = <SceneDetect *>instance
    api.freeNode(d.clip)
    api.freeNode(d.evidence)
    free(d)


cdef VSNode *add_evidence(
        SceneDetect *d, const Pixels *pixels, VSCore *core, const VSAPI *api) noexcept nogil:
    """The evidence of the clip's frames."""
    cdef Stage stage = describe_stage(b"SceneDetect", d.metric, pixels, d.vi)
    cdef VSNode *source = api.addNodeRef(d.clip)
    if d.metric == ADAPTIVE:
        source = add_thumbnails(&stage, source, WINDOW, core, api)
    elif d.metric == HISTOGRAM:
        source = add_stage(&stage, source, True, LEVELS * stage.planes, WINDOW + IN_FLIGHT, get_histogram, core, api)
    if source == NULL:
        return NULL
    return add_stage(&stage, source, False, EVIDENCE, 2 * around(d) + 2 + IN_FLIGHT, get_evidence, core, api)


cdef void create(const VSMap *given, VSMap *out, void *user, VSCore *core, const VSAPI *api) noexcept nogil:
    cdef Args a = read_args(b"SceneDetect", given, out, api)
    cdef SceneDetect *d = <SceneDetect *>calloc(1, sizeof(SceneDetect))
    cdef VSFilterDependency needs[2]
    cdef const char *names[METRICS]
    cdef Pixels pixels

    if d == NULL:
        fail(&a, b"out of memory.")
        return
    d.clip = clip_arg(&a, b"clip", &pixels)
    d.vi = api.getVideoInfo(d.clip)
    names[<int>ADAPTIVE] = b"adaptive"
    names[<int>MSE] = b"mse"
    names[<int>MAD] = b"mad"
    names[<int>HISTOGRAM] = b"histogram"
    d.metric = <Metric>choice(&a, b"metric", names, METRICS, ADAPTIVE)
    d.threshold = number(&a, b"threshold", usual_threshold(d.metric), 0, 1e6)
    d.min_length = integer(&a, b"min_length", 1, 1, LONGEST)
    if not a.failed:
        d.evidence = add_evidence(d, &pixels, core, api)
        if d.evidence == NULL:
            fail(&a, b"out of memory.")
    if a.failed:
        free_instance(d, core, api)
        return

    needs[0].source = d.clip
    needs[0].requestPattern = rpStrictSpatial
    needs[1].source = d.evidence
    needs[1].requestPattern = rpGeneral
    api.createVideoFilter(out, b"SceneDetect", d.vi, get_frame, free_instance, fmParallel, needs, 2, d, core)


cdef public void vdiff_add_scenedetect(const Registry *registry) noexcept nogil:
    add_filter(
        registry, b"SceneDetect",
        b"clip:vnode;threshold:float:opt;metric:data:opt;min_length:int:opt;",
        b"Finds cuts, and marks the frames on both sides of them, so that the temporal filters here and elsewhere "
        b"stop there.",
        b"metric=adaptive:min_length=1",
        create)
