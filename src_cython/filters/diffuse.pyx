"""Diffuse: isotropic diffusion, linear or edge-stopping.

    du/dt = div(g(|grad u|) grad u)

up to `time`, with no flux across the border. With g = 1 that is a Gaussian blur of standard deviation sqrt(2*time);
with a g that falls with the contrast of an edge, regions smooth and edges stay (Perona, Malik 1990).
"""

from libc.math cimport ceil
from libc.stddef cimport size_t
from libc.stdio cimport snprintf
from libc.stdlib cimport calloc, free

from api.vapoursynth cimport (
    VSAPI, VSCore, VSFilterDependency, VSFrame, VSFrameContext, VSMap, VSNode, VSPLUGINAPI, VSPlugin, VSVideoInfo,
    arAllFramesReady, arInitial, fmParallel, rpStrictSpatial)
from common.args cimport (
    MESSAGE, PLANES, Args, choice, clip_arg, fail, integer, is_given, number, per_plane, read_args, select_planes)
from common.frames cimport new_output, plane_height, plane_width
from common.pixels cimport Pixels
from common.scratch cimport Scratch, free_scratch, give_scratch, take_scratch
from kernels.diffuse cimport (
    Diffusion, Diffusivity, Steps, accurate_euler_steps, accurate_fed_cycles, diffuse_plane, euler_steps, fed_steps,
    scratch_floats, suits_fed)


cdef enum:
    DIFFUSIVITIES = 7
    RATIONAL_NAME = 2      # the default's place among the names
    DIFFUSIVITIES_READY = 3
    SCHEMES = 5


cdef enum Scheme:
    AUTO
    EXPLICIT
    FED
    SCHEMES_READY


cdef struct Diffuse:
    VSNode *clip
    const VSVideoInfo *vi
    Pixels pixels
    bint process[PLANES]
    Diffusion diffusion[PLANES]
    Scratch scratch


cdef const VSFrame *get_frame(
        int n, int reason, void *instance, void **frame_data,
        VSFrameContext *context, VSCore *core, const VSAPI *api) noexcept nogil:
    cdef Diffuse *d = <Diffuse *>instance
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
        api.setFilterError(b"Diffuse: out of memory.", context)
        api.freeFrame(dst)
        dst = NULL
    for p in range(d.vi.format.numPlanes):
        if dst != NULL and d.process[p]:
            diffuse_plane(
                api.getWritePtr(dst, p), api.getStride(dst, p), api.getReadPtr(src, p), api.getStride(src, p),
                api.getFrameWidth(dst, p), api.getFrameHeight(dst, p), &d.pixels, &d.diffusion[p], <float *>scratch)
    give_scratch(&d.scratch, scratch)
    api.freeFrame(src)
    return dst


cdef void free_instance(void *instance, VSCore *core, const VSAPI *api) noexcept nogil:
    cdef Diffuse *d = <Diffuse *>instance
    api.freeNode(d.clip)
    free_scratch(&d.scratch)
    free(d)


cdef Steps read_steps(Args *a, double time, Diffusivity kind) noexcept nogil:
    cdef const char *names[SCHEMES]
    cdef char text[MESSAGE]
    names[0] = b"auto"
    names[1] = b"explicit"
    names[2] = b"fed"
    names[3] = b"aos"
    names[4] = b"exact"
    cdef int scheme = choice(a, b"scheme", names, SCHEMES, AUTO)
    cdef int steps = integer(a, b"steps", 0, 0, 100000)
    if scheme >= SCHEMES_READY:
        snprintf(text, MESSAGE, b"scheme \"%s\" is not available yet: use auto, explicit or fed.", names[scheme])
        fail(a, text)
    if scheme == AUTO:
        scheme = EXPLICIT
        if suits_fed(time, kind) if steps == 0 else time > 0.25 * steps:
            scheme = FED
    if scheme == FED:
        return fed_steps(time, steps if steps > 0 else accurate_fed_cycles(time, kind))
    if steps == 0:
        steps = accurate_euler_steps(time)
    if time > 0.25 * steps:
        snprintf(text, MESSAGE, b"steps must be at least %.0f for scheme explicit to be stable at time %.10g, got %d: "
                 b"take more steps or scheme fed.", ceil(4 * time), time, steps)
        fail(a, text)
    return euler_steps(time, steps)


cdef void create(const VSMap *given, VSMap *out, void *user, VSCore *core, const VSAPI *api) noexcept nogil:
    cdef Args a = read_args(b"Diffuse", given, out, api)
    cdef Diffuse *d = <Diffuse *>calloc(1, sizeof(Diffuse))
    cdef VSFilterDependency needs
    cdef const char *names[DIFFUSIVITIES]
    cdef char text[MESSAGE]
    cdef double k[PLANES]
    cdef double time
    cdef Steps steps
    cdef size_t size
    cdef int kind, planes, p

    if d == NULL:
        fail(&a, b"out of memory.")
        return
    d.clip = clip_arg(&a, b"clip", &d.pixels)
    d.vi = api.getVideoInfo(d.clip)
    planes = d.vi.format.numPlanes
    time = number(&a, b"time", 2, 0, 10000)
    for p in range(api.mapNumElements(given, b"k")):
        if api.mapGetFloat(given, b"k", p, NULL) == 0:
            fail(&a, b"k=0, the contrast chosen from the picture, is not available yet: give 0.001...10000.")
    per_plane(&a, b"k", planes, 8, 0.001, 10000, k)
    names[0] = b"linear"
    names[1] = b"exp"
    names[2] = b"rational"
    names[3] = b"charbonnier"
    names[4] = b"weickert"
    names[5] = b"tukey"
    names[6] = b"tv"
    kind = choice(&a, b"diffusivity", names, DIFFUSIVITIES, RATIONAL_NAME)
    if kind >= DIFFUSIVITIES_READY:
        snprintf(text, MESSAGE, b"diffusivity \"%s\" is not available yet: use linear, exp or rational.", names[kind])
        fail(&a, text)
    steps = read_steps(&a, time, <Diffusivity>kind)
    if number(&a, b"presmooth", 0, 0, 100) != 0:
        fail(&a, b"presmooth is not available yet: leave it at 0.")
    if is_given(&a, b"guide"):
        fail(&a, b"guide is not available yet: leave it out.")
    if integer(&a, b"coupled", 0, 0, 1) != 0:
        fail(&a, b"coupled is not available yet: leave it at 0.")
    select_planes(&a, planes, d.process)
    if a.failed:
        free_instance(d, core, api)
        return

    for p in range(planes):
        d.diffusion[p].kind = <Diffusivity>kind
        d.diffusion[p].steps = steps
        d.diffusion[p].contrast2 = <float>((k[p] * d.pixels.unit) * (k[p] * d.pixels.unit))
        d.process[p] = d.process[p] and time > 0
        if d.process[p]:
            # A narrow plane may need more than a wide one: more steps fit into one pass.
            size = scratch_floats(plane_width(d.vi, p), plane_height(d.vi, p), &d.diffusion[p]) * sizeof(float)
            d.scratch.size = max(d.scratch.size, size)
    needs.source = d.clip
    needs.requestPattern = rpStrictSpatial
    api.createVideoFilter(out, b"Diffuse", d.vi, get_frame, free_instance, fmParallel, &needs, 1, d, core)


cdef public void vdiff_register_diffuse(VSPlugin *plugin, const VSPLUGINAPI *api) noexcept nogil:
    api.registerFunction(
        b"Diffuse",
        b"clip:vnode;time:float:opt;k:float[]:opt;diffusivity:data:opt;scheme:data:opt;steps:int:opt;"
        b"presmooth:float:opt;guide:vnode:opt;coupled:int:opt;planes:int[]:opt;",
        b"clip:vnode;", create, NULL, plugin)
