"""RepairFrames: replaces frames that do not fit between their neighbours by the fill between these.

Four nodes, of which the host keeps the results and merges requests, so that nothing is computed twice:

    the clip     as long as its frames may be needed again
    thumbnails   of each frame what is compared of it, a row of floats
    scores       of the runs of frames that start with each frame, by their length
    RepairFrames the frames of the clip; one that is in a run to be replaced is filled between the frames beside the run
"""

from libc.stdint cimport intptr_t
from libc.stdlib cimport calloc, free

from api.vapoursynth cimport (
    VSAPI, VSCore, VSFilterDependency, VSFrame, VSFrameContext, VSMap, VSNode, VSVideoInfo, arAllFramesReady,
    arInitial, fmParallel, maReplace, rpGeneral)
from common.args cimport Args, clip_arg, fail, integer, number, read_args
from common.features cimport IN_FLIGHT, Stage, add_cache, add_stage, add_thumbnails, describe_stage, new_row
from common.frames cimport clamp_to_clip, frame_starts_scene, new_output, request_between, view_plane
from common.pixels cimport PLANES, Pixels, View
from common.registry cimport Registry, add_filter
from common.scratch cimport Scratch, free_scratch, give_scratch, take_scratch
from kernels.between cimport Between, between_floats, describe_between, fill_between
from kernels.repairframes cimport (
    LONGEST, SCORED, WINDOW, Frames, Run, Scores, best_score, describe_frames, find_scores, frames_after,
    frames_before, run_of, scores_after, scores_before)


cdef enum:
    SPARE = 8           # frames in flight


cdef struct RepairFrames:
    VSNode *clip
    VSNode *scores
    const VSVideoInfo *vi
    Pixels pixels
    double threshold
    int max_gap
    Scratch scratch


cdef const VSFrame *get_scores(
        int n, int reason, void *instance, void **frame_data,
        VSFrameContext *context, VSCore *core, const VSAPI *api) noexcept nogil:
    cdef Stage *d = <Stage *>instance
    cdef int first = clamp_to_clip(n, -frames_before(d.kind), &d.vi)
    cdef int last = clamp_to_clip(n, frames_after(d.kind), &d.vi)
    cdef const VSFrame *thumbnails[WINDOW]
    cdef Frames frames
    cdef VSFrame *dst
    cdef int m
    if reason == arInitial:
        request_between(first, last, d.source, context, api)
        return NULL
    if reason != arAllFramesReady:
        return NULL

    dst = new_row(d, context, core, api)
    if dst == NULL:
        return NULL
    frames = describe_frames(last - first + 1, d.width, d.height)
    for m in range(frames.count):
        thumbnails[m] = api.getFrameFilter(first + m, d.source, context)
        frames.cells[m] = <const float *>api.getReadPtr(thumbnails[m], 0)
    find_scores(<float *>api.getWritePtr(dst, 0), &frames, n - first, d.kind)
    for m in range(frames.count):
        api.freeFrame(thumbnails[m])
    return dst


cdef Run read_scores(
        const RepairFrames *d, int n, float *score, VSFrameContext *context, const VSAPI *api) noexcept nogil:
    """The run that frame n is repaired in, and the best score of one that it is in."""
    cdef int first = clamp_to_clip(n, -scores_before(d.max_gap), d.vi)
    cdef int last = clamp_to_clip(n, scores_after(d.max_gap), d.vi)
    cdef const VSFrame *rows[SCORED]
    cdef Scores scores
    cdef Run run
    cdef int m
    scores.first = first
    scores.count = last - first + 1
    scores.longest = d.max_gap
    scores.threshold = <float>d.threshold
    for m in range(scores.count):
        rows[m] = api.getFrameFilter(first + m, d.scores, context)
        scores.of[m] = <const float *>api.getReadPtr(rows[m], 0)
    run = run_of(&scores, n)
    score[0] = best_score(&scores, n)
    for m in range(scores.count):
        api.freeFrame(rows[m])
    return run


cdef bint is_cut(const Run *run, VSNode *clip, VSFrameContext *context, const VSAPI *api) noexcept nogil:
    """Whether a scene starts in the run or right after it."""
    cdef int m
    for m in range(run.start, run.start + run.length + 1):
        if frame_starts_scene(m, clip, context, api):
            return True
    return False


cdef void fill(
        VSFrame *dst, int n, const RepairFrames *d, const Run *run, float *scratch, VSFrameContext *context,
        const VSAPI *api) noexcept nogil:
    cdef const VSFrame *before = api.getFrameFilter(run.start - 1, d.clip, context)
    cdef const VSFrame *after = api.getFrameFilter(run.start + run.length, d.clip, context)
    cdef Between b
    cdef View first, last
    cdef int p
    describe_between(&b, n - run.start + 1, run.length + 1)
    for p in range(d.vi.format.numPlanes):
        first = view_plane(before, p, &d.pixels, api)
        last = view_plane(after, p, &d.pixels, api)
        fill_between(api.getWritePtr(dst, p), api.getStride(dst, p), &first, &last, &b, scratch)
    api.freeFrame(before)
    api.freeFrame(after)


cdef const VSFrame *get_frame(
        int n, int reason, void *instance, void **frame_data,
        VSFrameContext *context, VSCore *core, const VSAPI *api) noexcept nogil:
    cdef RepairFrames *d = <RepairFrames *>instance
    cdef const VSFrame *src
    cdef VSFrame *dst = NULL
    cdef VSMap *props
    cdef void *scratch = NULL
    cdef bint process[PLANES]
    cdef bint repaired
    cdef float score
    cdef Run run
    cdef int p
    if reason == arInitial:
        api.requestFrameFilter(n, d.clip, context)
        request_between(
            clamp_to_clip(n, -scores_before(d.max_gap), d.vi), clamp_to_clip(n, scores_after(d.max_gap), d.vi),
            d.scores, context, api)
        return NULL
    if reason != arAllFramesReady:
        return NULL

    run = read_scores(d, n, &score, context, api)
    if run.length > 0 and frame_data[0] == NULL:
        # The frames beside it are asked for only now: hardly a frame needs them.
        frame_data[0] = <void *><intptr_t>1
        request_between(run.start - 1, run.start + run.length, d.clip, context, api)
        return NULL

    repaired = run.length > 0 and not is_cut(&run, d.clip, context, api)
    for p in range(PLANES):
        process[p] = repaired
    if repaired:
        scratch = take_scratch(&d.scratch)
    if scratch != NULL or not repaired:
        src = api.getFrameFilter(n, d.clip, context)
        dst = new_output(src, d.vi, process, core, api)
        api.freeFrame(src)
    if dst == NULL:
        api.setFilterError(b"RepairFrames: out of memory.", context)
    else:
        if repaired:
            fill(dst, n, d, &run, <float *>scratch, context, api)
        props = api.getFramePropertiesRW(dst)
        api.mapSetInt(props, b"VdiffRepaired", repaired, maReplace)
        api.mapSetFloat(props, b"VdiffRepairScore", score, maReplace)
    give_scratch(&d.scratch, scratch)
    return dst


cdef void free_instance(void *instance, VSCore *core, const VSAPI *api) noexcept nogil:
    cdef RepairFrames *d = <RepairFrames *>instance
    api.freeNode(d.clip)
    api.freeNode(d.scores)
    free_scratch(&d.scratch)
    free(d)


cdef bint keep_clip(RepairFrames *d, VSCore *core, const VSAPI *api) noexcept nogil:
    """From the thumbnail of a frame to its turn. False: out of memory."""
    cdef Stage stage = describe_stage(b"RepairFrames", d.max_gap, &d.pixels, d.vi)
    cdef int ahead = scores_after(d.max_gap) + frames_after(d.max_gap)
    # Of what the host has used last, as many are behind a frame as are ahead of it.
    d.clip = add_cache(&stage, d.clip, 2 * ahead + SPARE, core, api)
    if d.clip != NULL:
        d.vi = api.getVideoInfo(d.clip)
    return d.clip != NULL


cdef VSNode *add_scores(RepairFrames *d, VSCore *core, const VSAPI *api) noexcept nogil:
    """The scores of the runs that start with each frame. NULL: out of memory."""
    cdef Stage stage = describe_stage(b"RepairFrames", d.max_gap, &d.pixels, d.vi)
    cdef int window = frames_before(d.max_gap) + 1 + frames_after(d.max_gap)
    cdef VSNode *source = add_thumbnails(&stage, api.addNodeRef(d.clip), window, core, api)
    cdef int kept = scores_before(d.max_gap) + 1 + scores_after(d.max_gap) + IN_FLIGHT
    if source == NULL:
        return NULL
    return add_stage(&stage, source, False, d.max_gap, kept, get_scores, core, api)


cdef void create(const VSMap *given, VSMap *out, void *user, VSCore *core, const VSAPI *api) noexcept nogil:
    cdef Args a = read_args(b"RepairFrames", given, out, api)
    cdef RepairFrames *d = <RepairFrames *>calloc(1, sizeof(RepairFrames))
    cdef VSFilterDependency needs[2]

    if d == NULL:
        fail(&a, b"out of memory.")
        return
    d.clip = clip_arg(&a, b"clip", &d.pixels)
    d.vi = api.getVideoInfo(d.clip)
    d.threshold = number(&a, b"threshold", 2, 0, 1e6)
    d.max_gap = integer(&a, b"max_gap", 3, 1, LONGEST)
    if not a.failed:
        d.scratch.size = between_floats(d.vi.width, d.vi.height, d.max_gap + 1) * sizeof(float)
        if keep_clip(d, core, api):
            d.scores = add_scores(d, core, api)
        if d.scores == NULL:
            fail(&a, b"out of memory.")
    if a.failed:
        free_instance(d, core, api)
        return

    needs[0].source = d.clip
    needs[0].requestPattern = rpGeneral
    needs[1].source = d.scores
    needs[1].requestPattern = rpGeneral
    api.createVideoFilter(out, b"RepairFrames", d.vi, get_frame, free_instance, fmParallel, needs, 2, d, core)


cdef public void vdiff_add_repairframes(const Registry *registry) noexcept nogil:
    add_filter(
        registry, b"RepairFrames",
        b"clip:vnode;threshold:float:opt;max_gap:int:opt;",
        b"Finds frames that do not fit between their neighbours, and replaces them by the fill between these.",
        b"threshold=2:max_gap=3",
        create)
