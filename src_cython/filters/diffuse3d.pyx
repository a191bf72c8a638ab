"""Diffuse3D: diffusion in time and space, which denoises.

The frame and up to `radius` frames before and after it diffuse as one body; the one in the middle is the output. In
time, it exchanges with each of the others where their difference, over a neighbourhood, is no more than noise makes; in
space, it diffuses along the regions that are left. `neighbours`, frames compensated for motion above all, may stand in
for the frames around. The formulas are in kernels.diffuse3d.
"""

from libc.math cimport ceil, fmax, fmin
from libc.stddef cimport size_t
from libc.stdio cimport snprintf
from libc.stdlib cimport calloc, free

from api.vapoursynth cimport (
    VSAPI, VSCore, VSFilterDependency, VSFrame, VSFrameContext, VSMap, VSNode, VSVideoInfo, arAllFramesReady,
    arInitial, fmParallel, rpGeneral, rpStrictSpatial)
from common.args cimport (
    MESSAGE, Args, clip_arg, clip_at, contrast_per_plane, fail, integer, is_given, number, read_args, same_format,
    select_planes)
from common.frames cimport (
    clamp_to_clip, clamp_to_scene, new_output, plane_height, plane_width, request_between, view_plane)
from common.pixels cimport PLANES, Pixels, View
from common.registry cimport Registry, add_filter
from common.scratch cimport Scratch, free_scratch, give_scratch, take_scratch
from kernels.diffuse3d cimport (
    NEIGHBOURS, STEPS, Contrasts, Diffusion3D, describe_diffusion, diffuse3d_plane, wavefront_floats)
from kernels.noise cimport noise_deviation, noise_floats


cdef struct Diffuse3D:
    VSNode *clip
    VSNode *neighbours[NEIGHBOURS]     # from the earliest; none: frames of the clip itself
    bint given
    const VSVideoInfo *vi
    Pixels pixels
    bint process[PLANES]
    int radius
    bint scenechange
    double k[PLANES]                   # 8-bit scale; 0: from the noise
    double kt[PLANES]
    double strength
    bint needs_noise[PLANES]           # for contrasts that are not given
    bint reports                       # the noise, as a property
    Diffusion3D diffusion
    Scratch scratch


cdef struct Around:                    # the frames around one
    const VSFrame *frame[NEIGHBOURS]
    int count
    int before                         # how many of them are earlier


cdef bint looks_around(const Diffuse3D *d) noexcept nogil:
    """Whether other frames of the clip itself are needed: as neighbours, or to know where the scene ends."""
    return d.radius > 0 and (d.scenechange or not d.given)


cdef void request_frames(int n, const Diffuse3D *d, VSFrameContext *context, const VSAPI *api) noexcept nogil:
    cdef int reach = d.radius if looks_around(d) else 0
    cdef int i
    request_between(clamp_to_clip(n, -reach, d.vi), clamp_to_clip(n, reach, d.vi), d.clip, context, api)
    if d.given:
        for i in range(2 * d.radius):
            api.requestFrameFilter(n, d.neighbours[i], context)


cdef void get_around(
        int n, const Diffuse3D *d, Around *a, VSFrameContext *context, const VSAPI *api) noexcept nogil:
    """The frames within the clip and, if asked for, the scene, from the earliest."""
    cdef int first = clamp_to_clip(n, -d.radius, d.vi)
    cdef int last = clamp_to_clip(n, d.radius, d.vi)
    cdef int m
    a.count = 0
    a.before = 0
    if d.scenechange:
        first = clamp_to_scene(n, first, d.clip, context, api)
        last = clamp_to_scene(n, last, d.clip, context, api)
    for m in range(first, last + 1):
        if m == n:
            a.before = a.count
        elif d.given:
            a.frame[a.count] = api.getFrameFilter(
                n, d.neighbours[m - n + d.radius - (1 if m > n else 0)], context)
            a.count += 1
        else:
            a.frame[a.count] = api.getFrameFilter(m, d.clip, context)
            a.count += 1


cdef double contrast(double given, double noise, const Pixels *pixels) noexcept nogil:
    """Squared, on the working scale. Without a number, what noise of that deviation makes."""
    cdef double k = given * pixels.unit if given > 0 else fmin(fmax(noise, 0.001), 1e6)
    return k * k


cdef double process_plane(
        VSFrame *dst, const VSFrame *src, const Around *a, int plane, const Diffuse3D *d, float *scratch,
        const VSAPI *api) noexcept nogil:
    """The deviation of its noise, on the 8-bit scale; 0 if it was not needed."""
    cdef View middle = view_plane(src, plane, &d.pixels, api)
    cdef View around[NEIGHBOURS]
    cdef Contrasts contrasts
    cdef double sigma = 0
    cdef int i
    for i in range(a.count):
        around[i] = view_plane(a.frame[i], plane, &d.pixels, api)
    if d.needs_noise[plane]:
        sigma = noise_deviation(
            &middle, &around[a.before - 1] if a.before > 0 else NULL,
            &around[a.before] if a.before < a.count else NULL, not d.given, scratch)
    contrasts.space = <float>contrast(d.k[plane], d.strength * sigma, &d.pixels)
    contrasts.time = <float>contrast(d.kt[plane], 1.5 * d.strength * sigma, &d.pixels)
    diffuse3d_plane(
        api.getWritePtr(dst, plane), api.getStride(dst, plane), &middle, around, a.count, contrasts, &d.diffusion,
        scratch)
    return sigma / d.pixels.unit


cdef const VSFrame *get_frame(
        int n, int reason, void *instance, void **frame_data,
        VSFrameContext *context, VSCore *core, const VSAPI *api) noexcept nogil:
    cdef Diffuse3D *d = <Diffuse3D *>instance
    cdef Around around
    cdef const VSFrame *src
    cdef VSFrame *dst
    cdef void *scratch
    cdef double sigma[PLANES]
    cdef int i, p
    if reason == arInitial:
        request_frames(n, d, context, api)
        return NULL
    if reason != arAllFramesReady:
        return NULL

    src = api.getFrameFilter(n, d.clip, context)
    get_around(n, d, &around, context, api)
    dst = new_output(src, d.vi, d.process, core, api)
    scratch = take_scratch(&d.scratch)
    if dst == NULL or scratch == NULL:
        api.setFilterError(b"Diffuse3D: out of memory.", context)
        api.freeFrame(dst)
        dst = NULL
    else:
        for p in range(d.vi.format.numPlanes):
            sigma[p] = 0
            if d.process[p]:
                sigma[p] = process_plane(dst, src, &around, p, d, <float *>scratch, api)
        if d.reports:
            api.mapSetFloatArray(api.getFramePropertiesRW(dst), b"VdiffSigma", sigma, d.vi.format.numPlanes)
    give_scratch(&d.scratch, scratch)
    for i in range(around.count):
        api.freeFrame(around.frame[i])
    api.freeFrame(src)
    return dst


cdef void free_instance(void *instance, VSCore *core, const VSAPI *api) noexcept nogil:
    cdef Diffuse3D *d = <Diffuse3D *>instance
    cdef int i
    api.freeNode(d.clip)
    for i in range(NEIGHBOURS):
        api.freeNode(d.neighbours[i])
    free_scratch(&d.scratch)
    free(d)


cdef void read_neighbours(Args *a, Diffuse3D *d) noexcept nogil:
    """The arguments neighbours and radius."""
    cdef char text[MESSAGE]
    cdef Pixels pixels
    cdef int count = a.api.mapNumElements(a.given, b"neighbours") if is_given(a, b"neighbours") else 0
    cdef int length, i
    d.given = count > 0
    d.radius = integer(a, b"radius", count // 2 if d.given else 2, 0, NEIGHBOURS // 2)
    if not d.given:
        return
    if count % 2 != 0 or count > NEIGHBOURS:
        snprintf(text, MESSAGE, b"neighbours must be 2, 4, ... or %d clips, as many before the frame as after it, "
                 b"got %d.", <int>NEIGHBOURS, count)
        fail(a, text)
        return
    if count != 2 * d.radius:
        snprintf(text, MESSAGE, b"radius must be half the number of neighbours, %d, got %d: leave it out.",
                 count // 2, d.radius)
        fail(a, text)
        return
    for i in range(count):
        d.neighbours[i] = clip_at(a, b"neighbours", i, &pixels)
        same_format(a, b"neighbours", d.clip, d.neighbours[i])
        length = a.api.getVideoInfo(d.neighbours[i]).numFrames
        if length < d.vi.numFrames:
            snprintf(text, MESSAGE, b"neighbours must be as long as clip, %d frames, got %d.",
                     d.vi.numFrames, length)
            fail(a, text)


cdef int read_steps(Args *a, double time) noexcept nogil:
    cdef char text[MESSAGE]
    cdef int steps = integer(a, b"steps", 0, 0, STEPS)
    cdef int fewest = <int>fmax(ceil(4 * time), 1)
    if steps == 0:
        return fewest
    if steps < fewest:
        snprintf(text, MESSAGE, b"steps must be at least %d to be stable at time %.10g, got %d: take more steps "
                 b"(0: as many as needed).", fewest, time, steps)
        fail(a, text)
    return steps


cdef void create(const VSMap *given, VSMap *out, void *user, VSCore *core, const VSAPI *api) noexcept nogil:
    cdef Args a = read_args(b"Diffuse3D", given, out, api)
    cdef Diffuse3D *d = <Diffuse3D *>calloc(1, sizeof(Diffuse3D))
    cdef VSFilterDependency needs[1 + NEIGHBOURS]
    cdef double time, weight, rho
    cdef size_t floats
    cdef int steps, p, i

    if d == NULL:
        fail(&a, b"out of memory.")
        return
    d.clip = clip_arg(&a, b"clip", &d.pixels)
    d.vi = api.getVideoInfo(d.clip)
    read_neighbours(&a, d)
    time = number(&a, b"time", 1, 0, STEPS // 4)
    contrast_per_plane(&a, b"k", d.vi.format.numPlanes, 0, d.k)
    contrast_per_plane(&a, b"kt", d.vi.format.numPlanes, 0, d.kt)
    weight = number(&a, b"weight", 9, 0, 1000)
    rho = number(&a, b"rho", 2, 0, 10)
    d.strength = number(&a, b"strength", 1, 0.01, 100)
    steps = read_steps(&a, time)
    d.scenechange = integer(&a, b"scenechange", 1, 0, 1)
    select_planes(&a, d.vi.format.numPlanes, d.process)
    if a.failed:
        free_instance(d, core, api)
        return

    if weight * time == 0:
        d.radius = 0       # other frames weigh nothing
    describe_diffusion(&d.diffusion, 2 * d.radius, time, weight, rho, steps)
    for p in range(d.vi.format.numPlanes):
        d.process[p] = d.process[p] and time > 0
        if d.process[p]:
            floats = max(
                wavefront_floats(plane_width(d.vi, p), &d.diffusion),
                noise_floats(plane_width(d.vi, p), plane_height(d.vi, p)))
            d.scratch.size = max(d.scratch.size, floats * sizeof(float))
            d.needs_noise[p] = d.k[p] == 0 or (d.kt[p] == 0 and d.radius > 0)
            d.reports = d.reports or d.needs_noise[p]
    needs[0].source = d.clip
    needs[0].requestPattern = rpGeneral if looks_around(d) else rpStrictSpatial
    for i in range(2 * d.radius if d.given else 0):
        needs[1 + i].source = d.neighbours[i]
        needs[1 + i].requestPattern = rpStrictSpatial
    api.createVideoFilter(
        out, b"Diffuse3D", d.vi, get_frame, free_instance, fmParallel, needs,
        1 + (2 * d.radius if d.given else 0), d, core)


cdef public void vdiff_add_diffuse3d(const Registry *registry) noexcept nogil:
    add_filter(
        registry, b"Diffuse3D",
        b"clip:vnode;neighbours:vnode[]:opt;radius:int:opt;time:float:opt;k:float[]:opt;kt:float[]:opt;"
        b"weight:float:opt;rho:float:opt;strength:float:opt;steps:int:opt;scenechange:int:opt;planes:int[]:opt;",
        b"Diffusion in time and space: the frame and those around it diffuse as one body.",
        b"radius=2:time=1:k=0:kt=0:weight=9:rho=2:strength=1:steps=0:scenechange=1",
        create)
