"""Diffuse: isotropic diffusion, linear or edge-stopping.

    du/dt = div(g(|grad u|) grad u)

up to `time`, with no flux across the border. With g = 1 that is a Gaussian blur of standard deviation sqrt(2*time);
with a g that falls with the contrast of an edge, regions smooth and edges stay (Perona, Malik 1990). A g that is not
one of those with a name comes compiled from `vs_vdiff`.
"""

from libc.math cimport ceil
from libc.stddef cimport ptrdiff_t
from libc.stdio cimport snprintf
from libc.stdlib cimport calloc, free

from api.vapoursynth cimport (
    VSAPI, VSCore, VSFilterDependency, VSFrame, VSFrameContext, VSMap, VSNode, VSVideoInfo, arAllFramesReady,
    arInitial, fmParallel, rpGeneral, rpStrictSpatial)
from common.args cimport (
    MESSAGE, Args, choice, clip_arg, contrast_per_plane, fail, integer, is_given, number, read_args, select_planes)
from common.frames cimport clamp_to_clip, new_output, plane_height, plane_width, view_plane
from common.native cimport DIFFUSIVITY, Native, is_ticket, native_arg, release_native
from common.pixels cimport PLANES, Pixels, View
from common.registry cimport Registry, add_filter
from common.scratch cimport Scratch, free_scratch, give_scratch, take_scratch
from kernels.aos cimport accurate_aos_steps
from kernels.diffuse cimport (
    Diffusion, Steps, accurate_euler_steps, accurate_fed_cycles, equal_steps, fed_steps, fewest_fed_cycles, is_steep,
    set_contrast, suits_fed)
from kernels.diffusivity cimport CHARBONNIER, EXP, LINEAR, OWN, RATIONAL, TUKEY, WEICKERT, Diffusivity
from kernels.evolution cimport AOS, AUTO, EXACT, EXPLICIT, FED, Evolution, Scheme, evolve_frame, lay_scratch
from kernels.heat cimport describe_heat, free_heat


cdef enum:
    DIFFUSIVITIES = 7
    TV = 6                 # the last of the names is another one's special case, in the place of OWN, which has none
    SCHEMES = 5


cdef struct Diffuse:
    VSNode *clip
    VSNode *guide
    const VSVideoInfo *vi
    const VSVideoInfo *guide_vi
    Pixels pixels
    Pixels guide_pixels
    bint process[PLANES]
    bint reports           # the contrasts, as a property
    Native *own            # the diffusivity that vs_vdiff compiled, if it is not one with a name
    Evolution evolution
    Scratch scratch


cdef const VSFrame *get_frame(
        int n, int reason, void *instance, void **frame_data,
        VSFrameContext *context, VSCore *core, const VSAPI *api) noexcept nogil:
    cdef Diffuse *d = <Diffuse *>instance
    cdef const VSFrame *src
    cdef const VSFrame *guide = NULL
    cdef VSFrame *dst
    cdef void *scratch
    cdef void *data[PLANES]
    cdef ptrdiff_t stride[PLANES]
    cdef View views[PLANES]
    cdef View guides[PLANES]
    cdef double contrasts[PLANES]
    cdef int p
    if reason == arInitial:
        api.requestFrameFilter(n, d.clip, context)
        if d.guide != NULL:
            api.requestFrameFilter(clamp_to_clip(n, 0, d.guide_vi), d.guide, context)
        return NULL
    if reason != arAllFramesReady:
        return NULL

    src = api.getFrameFilter(n, d.clip, context)
    for p in range(d.vi.format.numPlanes):
        views[p] = view_plane(src, p, &d.pixels, api)
    if d.guide != NULL:
        guide = api.getFrameFilter(clamp_to_clip(n, 0, d.guide_vi), d.guide, context)
        for p in range(d.guide_vi.format.numPlanes):
            guides[p] = view_plane(guide, p, &d.guide_pixels, api)
    dst = new_output(src, d.vi, d.process, core, api)
    scratch = take_scratch(&d.scratch)
    if dst == NULL or scratch == NULL:
        api.setFilterError(b"Diffuse: out of memory.", context)
        api.freeFrame(dst)
        dst = NULL
    else:
        for p in range(d.vi.format.numPlanes):
            # Asking for a plane to write would copy one that is shared.
            data[p] = api.getWritePtr(dst, p) if d.process[p] else NULL
            stride[p] = api.getStride(dst, p)
            contrasts[p] = d.evolution.plane[p].contrast if d.process[p] else 0
        evolve_frame(&d.evolution, data, stride, views, guides, contrasts, <float *>scratch)
        if d.reports:
            api.mapSetFloatArray(api.getFramePropertiesRW(dst), b"VdiffK", contrasts, d.vi.format.numPlanes)
    give_scratch(&d.scratch, scratch)
    api.freeFrame(src)
    api.freeFrame(guide)
    return dst


cdef void free_instance(void *instance, VSCore *core, const VSAPI *api) noexcept nogil:
    cdef Diffuse *d = <Diffuse *>instance
    api.freeNode(d.clip)
    api.freeNode(d.guide)
    release_native(d.own)
    free_heat(&d.evolution.heat)
    free_heat(&d.evolution.presmooth)
    free_scratch(&d.scratch)
    free(d)


cdef Diffusivity read_diffusivity(Args *a, Diffuse *d, double *edge, double *speed) noexcept nogil:
    """`edge`, `speed`: what contrasts and the time are multiplied by."""
    cdef const char *names[DIFFUSIVITIES]
    cdef int kind
    if is_ticket(a, b"diffusivity", DIFFUSIVITY):
        d.own = native_arg(a, b"diffusivity", DIFFUSIVITY)
        return OWN if d.own != NULL else RATIONAL
    names[<int>LINEAR] = b"linear"
    names[<int>EXP] = b"exp"
    names[<int>RATIONAL] = b"rational"
    names[<int>CHARBONNIER] = b"charbonnier"
    names[<int>WEICKERT] = b"weickert"
    names[<int>TUKEY] = b"tukey"
    names[TV] = b"tv"
    kind = choice(a, b"diffusivity", names, DIFFUSIVITIES, RATIONAL)
    if kind == TV:
        # 1/sqrt(s^2/k^2 + epsilon^2) is Charbonnier's diffusivity of contrast epsilon*k, 1/epsilon times as large.
        kind = CHARBONNIER
        edge[0] = 0.1
        speed[0] = 10
    return <Diffusivity>kind


cdef void set_diffusivity(Diffusion *diffusion, Diffusivity kind, const Native *own, bint steered) noexcept nogil:
    diffusion.kind = kind
    diffusion.steered = steered
    if own != NULL:
        diffusion.own.row = own.row
        diffusion.own.euler_row = own.euler_row


cdef void read_steps(Args *a, double time, double speed, Evolution *e) noexcept nogil:
    """The scheme, and its steps. `speed`: how much faster than named time passes, for a g larger than 1."""
    cdef Diffusion *first = &e.plane[0].diffusion
    cdef bint steep = is_steep(first.kind, &first.own, e.steered)
    cdef const char *names[SCHEMES]
    cdef char text[MESSAGE]
    cdef Steps s
    cdef int scheme, steps, fewest, p
    names[<int>AUTO] = b"auto"
    names[<int>EXPLICIT] = b"explicit"
    names[<int>FED] = b"fed"
    names[<int>AOS] = b"aos"
    names[<int>EXACT] = b"exact"
    scheme = choice(a, b"scheme", names, SCHEMES, AUTO)
    steps = integer(a, b"steps", 0, 0, 100000)
    if scheme == EXACT and first.kind != LINEAR:
        fail(a, b"scheme exact solves diffusivity linear only: name that, or another scheme.")
    if scheme == EXACT and steps > 0:
        snprintf(text, MESSAGE, b"scheme exact takes no steps, got steps=%d: leave it out.", steps)
        fail(a, text)
    fewest = <int>ceil(4 * speed * time)
    if scheme == AUTO and steps > 0:
        scheme = EXPLICIT if steps >= fewest else FED
    elif scheme == AUTO and first.kind == LINEAR:
        scheme = EXACT
    elif scheme == AUTO and suits_fed(speed * time, steep, e.steered):
        scheme = FED
        steps = accurate_fed_cycles(speed * time, steep)
    elif scheme == AUTO:
        scheme = EXPLICIT
    if scheme == EXPLICIT:
        s = equal_steps(speed * time, steps if steps > 0 else accurate_euler_steps(speed * time))
        if steps > 0 and steps < fewest:
            snprintf(text, MESSAGE, b"steps must be at least %d for scheme explicit to be stable at time %.10g, "
                     b"got %d: take more steps (0: as many as needed) or scheme fed.", fewest, time, steps)
            fail(a, text)
    elif scheme == AOS:
        s = equal_steps(speed * time, steps if steps > 0 else accurate_aos_steps(speed * time))
    else:
        s = fed_steps(speed * time, steps if steps > 0 else fewest_fed_cycles(speed * time, steep))
    e.scheme = <Scheme>scheme
    for p in range(PLANES):
        e.plane[p].diffusion.steps = s


cdef int full_planes(const VSVideoInfo *vi) noexcept nogil:
    """Which planes have the size of the first: a bit for each."""
    if vi.format.subSamplingW == 0 and vi.format.subSamplingH == 0:
        return (1 << vi.format.numPlanes) - 1
    return 1


cdef int steered_by(const VSVideoInfo *clip, const VSVideoInfo *guide, int plane, bint coupled) noexcept nogil:
    """Which planes of the guide, or of the clip itself, steer a plane: a bit for each."""
    if coupled or clip.format.colorFamily != guide.format.colorFamily:
        return full_planes(guide)
    if plane_width(guide, plane) < plane_width(clip, plane) or plane_height(guide, plane) < plane_height(clip, plane):
        return 1
    return 1 << plane


cdef void read_steering(Args *a, Diffuse *d, Diffusivity kind) noexcept nogil:
    cdef char text[MESSAGE]
    cdef Evolution *e = &d.evolution
    cdef const VSVideoInfo *source = d.vi
    cdef double presmooth = number(a, b"presmooth", 0, 0, 100)
    cdef bint coupled = integer(a, b"coupled", 0, 0, 1)
    cdef int p
    e.pixels = &d.pixels
    e.steering_pixels = &d.pixels
    if is_given(a, b"guide"):
        d.guide = clip_arg(a, b"guide", &d.guide_pixels)
        d.guide_vi = source = a.api.getVideoInfo(d.guide)
        e.steering_pixels = &d.guide_pixels
        e.guided = True
        if source.width != d.vi.width or source.height != d.vi.height:
            snprintf(text, MESSAGE, b"guide must have the size of clip, %dx%d, got %dx%d.",
                     d.vi.width, d.vi.height, source.width, source.height)
            fail(a, text)
    e.steered = e.guided or coupled or presmooth > 0
    if e.steered and kind == LINEAR:
        fail(a, b"diffusivity linear has nothing to steer: leave out presmooth, guide and coupled.")
    if not describe_heat(&e.presmooth, 0.5 * presmooth * presmooth, 1e-7):
        fail(a, b"out of memory.")
    if a.failed:
        return
    for p in range(d.vi.format.numPlanes):
        e.plane[p].steered_by = steered_by(d.vi, source, p, coupled)
    for p in range(source.format.numPlanes):
        e.steering_width[p] = plane_width(source, p)
        e.steering_height[p] = plane_height(source, p)


cdef void create(const VSMap *given, VSMap *out, void *user, VSCore *core, const VSAPI *api) noexcept nogil:
    cdef Args a = read_args(b"Diffuse", given, out, api)
    cdef Diffuse *d = <Diffuse *>calloc(1, sizeof(Diffuse))
    cdef Evolution *e
    cdef VSFilterDependency needs[2]
    cdef double k[PLANES]
    cdef double time
    cdef double speed = 1
    cdef double edge = 1
    cdef Diffusivity kind
    cdef int p

    if d == NULL:
        fail(&a, b"out of memory.")
        return
    e = &d.evolution
    d.clip = clip_arg(&a, b"clip", &d.pixels)
    d.vi = api.getVideoInfo(d.clip)
    time = number(&a, b"time", 2, 0, 10000)
    kind = read_diffusivity(&a, d, &edge, &speed)
    contrast_per_plane(&a, b"k", d.vi.format.numPlanes, 1 if kind == OWN else 8, k)
    read_steering(&a, d, kind)
    for p in range(PLANES):
        set_diffusivity(&e.plane[p].diffusion, kind, d.own, e.steered)
    read_steps(&a, time, speed, e)
    select_planes(&a, d.vi.format.numPlanes, d.process)
    # What is beyond the radius is less than a 64th of an output's code, or than 4e-6.
    if not describe_heat(&e.heat, time if e.scheme == EXACT else 0, max(4e-6, d.pixels.step / (64.0 * 256))):
        fail(&a, b"out of memory.")
    if a.failed:
        free_instance(d, core, api)
        return

    e.planes = d.vi.format.numPlanes
    e.contrast_unit = edge * e.steering_pixels.unit
    for p in range(e.planes):
        d.process[p] = d.process[p] and time > 0
        e.plane[p].process = d.process[p]
        e.plane[p].width = plane_width(d.vi, p)
        e.plane[p].height = plane_height(d.vi, p)
        e.plane[p].contrast = k[p]
        e.plane[p].automatic = k[p] == 0 and kind != LINEAR
        set_contrast(&e.plane[p].diffusion, k[p] * e.contrast_unit)
        d.reports = d.reports or (d.process[p] and e.plane[p].automatic)
    lay_scratch(e)
    d.scratch.size = e.size * sizeof(float)
    needs[0].source = d.clip
    needs[0].requestPattern = rpStrictSpatial
    needs[1].source = d.guide
    needs[1].requestPattern = rpGeneral
    if d.guide != NULL and d.guide_vi.numFrames >= d.vi.numFrames:
        needs[1].requestPattern = rpStrictSpatial
    api.createVideoFilter(
        out, b"Diffuse", d.vi, get_frame, free_instance, fmParallel, needs, 1 if d.guide == NULL else 2, d, core)


cdef public void vdiff_add_diffuse(const Registry *registry) noexcept nogil:
    add_filter(
        registry, b"Diffuse",
        b"clip:vnode;time:float:opt;k:float[]:opt;diffusivity:data:opt;scheme:data:opt;steps:int:opt;"
        b"presmooth:float:opt;guide:vnode:opt;coupled:int:opt;planes:int[]:opt;",
        b"Isotropic diffusion: linear, a Gaussian blur, or edge-stopping, after Perona and Malik.",
        b"time=2:k=8:diffusivity=rational:scheme=auto:steps=0:presmooth=0:coupled=0",
        create)
