"""Shock: a coherence-enhancing shock filter. It sharpens, by running diffusion across edges backwards.

    u_t = -s(v_ww) * |grad u|,   v = G_sigma * u

up to `time`, w across the flow of the structure, smoothed by rho, s a soft sign: dilation where the picture is concave
across the flow, erosion where it is convex, which meet in sharp edges, without overshoot (Weickert 2003).
"""

from libc.stdlib cimport calloc, free

from api.vapoursynth cimport (
    VSAPI, VSCore, VSFilterDependency, VSFrame, VSFrameContext, VSMap, VSNode, VSVideoInfo, arAllFramesReady,
    arInitial, fmParallel, rpStrictSpatial)
from common.args cimport Args, clip_arg, fail, number, read_args, select_planes
from common.frames cimport new_output, plane_height, plane_width
from common.pixels cimport PLANES, Pixels
from common.registry cimport Registry, add_filter
from common.scratch cimport Scratch, free_scratch, give_scratch, take_scratch
from kernels.heat cimport describe_heat, free_heat
from kernels.shock cimport ShockFilter, set_time, shock_floats, shock_plane


cdef struct Shock:
    VSNode *clip
    const VSVideoInfo *vi
    Pixels pixels
    bint process[PLANES]
    ShockFilter shock
    Scratch scratch


cdef const VSFrame *get_frame(
        int n, int reason, void *instance, void **frame_data,
        VSFrameContext *context, VSCore *core, const VSAPI *api) noexcept nogil:
    cdef Shock *d = <Shock *>instance
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
        api.setFilterError(b"Shock: out of memory.", context)
        api.freeFrame(dst)
        dst = NULL
    for p in range(d.vi.format.numPlanes):
        if dst != NULL and d.process[p]:
            shock_plane(
                api.getWritePtr(dst, p), api.getStride(dst, p), api.getReadPtr(src, p), api.getStride(src, p),
                api.getFrameWidth(dst, p), api.getFrameHeight(dst, p), &d.pixels, &d.shock, <float *>scratch)
    give_scratch(&d.scratch, scratch)
    api.freeFrame(src)
    return dst


cdef void free_instance(void *instance, VSCore *core, const VSAPI *api) noexcept nogil:
    cdef Shock *d = <Shock *>instance
    api.freeNode(d.clip)
    free_heat(&d.shock.sigma)
    free_heat(&d.shock.rho)
    free_scratch(&d.scratch)
    free(d)


cdef void create(const VSMap *given, VSMap *out, void *user, VSCore *core, const VSAPI *api) noexcept nogil:
    cdef Args a = read_args(b"Shock", given, out, api)
    cdef Shock *d = <Shock *>calloc(1, sizeof(Shock))
    cdef VSFilterDependency needs
    cdef double time, sigma, rho
    cdef size_t size
    cdef int planes, p

    if d == NULL:
        fail(&a, b"out of memory.")
        return
    d.clip = clip_arg(&a, b"clip", &d.pixels)
    d.vi = api.getVideoInfo(d.clip)
    planes = d.vi.format.numPlanes
    time = number(&a, b"time", 1, 0, 1000)
    sigma = number(&a, b"sigma", 1.5, 0, 100)
    rho = number(&a, b"rho", 2, 0, 100)
    select_planes(&a, planes, d.process)
    if not a.failed and not (
            describe_heat(&d.shock.sigma, 0.5 * sigma * sigma, 1e-7)
            and describe_heat(&d.shock.rho, 0.5 * rho * rho, 1e-7)):
        fail(&a, b"out of memory.")
    if a.failed:
        free_instance(d, core, api)
        return

    set_time(&d.shock, time)
    d.shock.softness = <float>d.pixels.unit
    for p in range(planes):
        d.process[p] = d.process[p] and time > 0
        if d.process[p]:
            size = shock_floats(plane_width(d.vi, p), plane_height(d.vi, p), &d.shock) * sizeof(float)
            d.scratch.size = max(d.scratch.size, size)
    needs.source = d.clip
    needs.requestPattern = rpStrictSpatial
    api.createVideoFilter(out, b"Shock", d.vi, get_frame, free_instance, fmParallel, &needs, 1, d, core)


cdef public void vdiff_add_shock(const Registry *registry) noexcept nogil:
    add_filter(
        registry, b"Shock",
        b"clip:vnode;time:float:opt;sigma:float:opt;rho:float:opt;planes:int[]:opt;",
        b"Sharpening without overshoot: edges become steep, lines coherent.",
        b"time=1:sigma=1.5:rho=2",
        create)
