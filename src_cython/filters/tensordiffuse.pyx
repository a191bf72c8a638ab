"""TensorDiffuse: anisotropic diffusion that enhances edges or coherent structures.

    du/dt = div(D grad u)

up to `time`, with no flux across the border, D a tensor: diffusion along an edge and hardly across it (`eed`), or only
along lines that flow (`ced`), whose gaps it closes (Weickert 1998, 1999).
"""

from libc.stdlib cimport calloc, free

from api.vapoursynth cimport (
    VSAPI, VSCore, VSFilterDependency, VSFrame, VSFrameContext, VSMap, VSNode, VSVideoInfo, arAllFramesReady,
    arInitial, fmParallel, rpStrictSpatial)
from common.args cimport (
    Args, choice, clip_arg, contrast_per_plane, fail, integer, number, read_args, select_planes)
from common.frames cimport new_output, plane_height, plane_width
from common.pixels cimport PLANES, Pixels
from common.registry cimport Registry, add_filter
from common.scratch cimport Scratch, free_scratch, give_scratch, take_scratch
from kernels.heat cimport describe_heat, free_heat
from kernels.tensor cimport (
    EED, Mode, TensorDiffusion, accurate_cycles, set_contrast, set_time, tensor_floats, tensor_plane)


cdef enum:
    MODES = 2


cdef struct TensorDiffuse:
    VSNode *clip
    const VSVideoInfo *vi
    Pixels pixels
    bint process[PLANES]
    bint reports           # the contrasts, as a property
    TensorDiffusion diffusion[PLANES]      # with the same smoothing
    Scratch scratch


cdef const VSFrame *get_frame(
        int n, int reason, void *instance, void **frame_data,
        VSFrameContext *context, VSCore *core, const VSAPI *api) noexcept nogil:
    cdef TensorDiffuse *d = <TensorDiffuse *>instance
    cdef const VSFrame *src
    cdef VSFrame *dst
    cdef void *scratch
    cdef double contrasts[PLANES]
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
        api.setFilterError(b"TensorDiffuse: out of memory.", context)
        api.freeFrame(dst)
        dst = NULL
    for p in range(d.vi.format.numPlanes):
        contrasts[p] = 0
        if dst != NULL and d.process[p]:
            tensor_plane(
                api.getWritePtr(dst, p), api.getStride(dst, p), api.getReadPtr(src, p), api.getStride(src, p),
                api.getFrameWidth(dst, p), api.getFrameHeight(dst, p), &d.pixels, &d.diffusion[p], &contrasts[p],
                <float *>scratch)
    if dst != NULL and d.reports:
        api.mapSetFloatArray(api.getFramePropertiesRW(dst), b"VdiffK", contrasts, d.vi.format.numPlanes)
    give_scratch(&d.scratch, scratch)
    api.freeFrame(src)
    return dst


cdef void free_instance(void *instance, VSCore *core, const VSAPI *api) noexcept nogil:
    cdef TensorDiffuse *d = <TensorDiffuse *>instance
    api.freeNode(d.clip)
    free_heat(&d.diffusion[0].sigma)
    free_heat(&d.diffusion[0].rho)
    free_scratch(&d.scratch)
    free(d)


cdef void create(const VSMap *given, VSMap *out, void *user, VSCore *core, const VSAPI *api) noexcept nogil:
    cdef Args a = read_args(b"TensorDiffuse", given, out, api)
    cdef TensorDiffuse *d = <TensorDiffuse *>calloc(1, sizeof(TensorDiffuse))
    cdef TensorDiffusion t
    cdef VSFilterDependency needs
    cdef const char *names[MODES]
    cdef double k[PLANES]
    cdef double time, sigma, rho
    cdef size_t size
    cdef int planes, steps, p

    if d == NULL:
        fail(&a, b"out of memory.")
        return
    d.clip = clip_arg(&a, b"clip", &d.pixels)
    d.vi = api.getVideoInfo(d.clip)
    planes = d.vi.format.numPlanes
    time = number(&a, b"time", 2, 0, 10000)
    names[0] = b"eed"
    names[1] = b"ced"
    t.mode = <Mode>choice(&a, b"mode", names, MODES, EED)
    contrast_per_plane(&a, b"k", planes, 4, k)
    sigma = number(&a, b"sigma", 1 if t.mode == EED else 0.7, 0, 100)
    rho = number(&a, b"rho", 0 if t.mode == EED else 3, 0, 100)
    t.alpha = <float>number(&a, b"alpha", 0.001, 0, 1)
    steps = integer(&a, b"steps", 0, 0, 100000)
    select_planes(&a, planes, d.process)
    if not a.failed:
        set_time(&t, time, steps if steps > 0 else accurate_cycles(time))
        if not describe_heat(&t.sigma, 0.5 * sigma * sigma, 1e-7):
            fail(&a, b"out of memory.")
        d.diffusion[0].sigma = t.sigma
        if not describe_heat(&t.rho, 0.5 * rho * rho, 1e-7):
            fail(&a, b"out of memory.")
        d.diffusion[0].rho = t.rho
    if a.failed:
        free_instance(d, core, api)
        return

    for p in range(planes):
        d.diffusion[p] = t
        d.diffusion[p].contrast = k[p]
        d.diffusion[p].unit = d.pixels.unit
        set_contrast(&d.diffusion[p], k[p])
        d.process[p] = d.process[p] and time > 0
        if d.process[p]:
            size = tensor_floats(plane_width(d.vi, p), plane_height(d.vi, p), &d.diffusion[p]) * sizeof(float)
            d.scratch.size = max(d.scratch.size, size)
            d.reports = d.reports or k[p] == 0
    needs.source = d.clip
    needs.requestPattern = rpStrictSpatial
    api.createVideoFilter(out, b"TensorDiffuse", d.vi, get_frame, free_instance, fmParallel, &needs, 1, d, core)


cdef public void vdiff_add_tensordiffuse(const Registry *registry) noexcept nogil:
    add_filter(
        registry, b"TensorDiffuse",
        b"clip:vnode;time:float:opt;mode:data:opt;k:float[]:opt;sigma:float:opt;rho:float:opt;alpha:float:opt;"
        b"steps:int:opt;planes:int[]:opt;",
        b"Anisotropic diffusion: along edges and hardly across them, or along lines that flow, whose gaps it closes.",
        b"time=2:mode=eed:k=4:alpha=0.001:steps=0",
        create)
