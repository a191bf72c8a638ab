"""How the planes of a frame diffuse: by which scheme, with which contrast, steered by which picture.

A plane is steered by its own differences, which the schemes look at themselves, or by the gradient of a *steering
picture*: the planes as they evolve, or those of a guide. Then diffusivities are renewed at the start of each cycle for
all planes, before any of them moves on; those of a guide are computed once.
"""

from libc.stddef cimport ptrdiff_t, size_t

from common.pixels cimport PLANES, Pixels, View, working_pixels
from kernels.aos cimport aos_floats, aos_plane
from kernels.diffuse cimport (
    GHOST, Diffusion, diffuse_plane, plane_floats, row_floats, scratch_floats, set_contrast, set_ghosts)
from kernels.diffusivity cimport diffusivity_row
from kernels.heat cimport Heat, heat_floats, heat_plane
from kernels.steering cimport gradient_floats, reduce_plane, robust_contrast, squared_gradient


cdef enum Scheme:
    AUTO
    EXPLICIT
    FED
    AOS
    EXACT


cdef struct PlaneEvolution:
    bint process
    int width
    int height
    Diffusion diffusion
    double contrast        # 8-bit scale
    bint automatic         # it is measured on each frame
    int steered_by         # planes of the steering picture, a bit for each
    size_t state           # where in the scratch its state is between cycles, and its diffusivities
    size_t steer


cdef struct Evolution:
    Scheme scheme
    int planes
    PlaneEvolution plane[PLANES]
    const Pixels *pixels
    Heat heat              # of the scheme `exact`
    bint steered
    bint guided
    Heat presmooth
    const Pixels *steering_pixels
    double contrast_unit   # what a contrast of 1 is on the steering picture's working scale
    int steering_width[PLANES]
    int steering_height[PLANES]
    size_t gradient        # where in the scratch
    size_t smoothed
    size_t size            # of the scratch, in floats


cdef inline bint evolves(const Evolution *e) noexcept nogil:
    """Whether the steering picture changes from cycle to cycle."""
    return e.steered and not e.guided


cdef inline bint measures(const Evolution *e) noexcept nogil:
    """Whether a gradient is needed beside those that the schemes take themselves."""
    cdef int p
    for p in range(e.planes):
        if e.plane[p].process and e.plane[p].automatic:
            return True
    return e.steered


cdef inline Diffusion diffusion_of_call(const Evolution *e, int p) noexcept nogil:
    """What one call of advance_plane takes a plane through: all cycles, or one if steering is renewed after it."""
    cdef Diffusion d = e.plane[p].diffusion
    if evolves(e):
        d.steps.cycles = 1
    return d


cdef inline void lay_scratch(Evolution *e) noexcept nogil:
    """Says where in the scratch what is; its beginning is for whatever runs at the moment."""
    cdef PlaneEvolution *plane
    cdef Diffusion d
    cdef size_t work = 0
    cdef size_t area = 0
    cdef int steered_by = 0
    cdef int p
    for p in range(e.planes):
        plane = &e.plane[p]
        if not plane.process:
            continue
        d = diffusion_of_call(e, p)
        if e.scheme == EXACT:
            work = max(work, heat_floats(plane.width, plane.height, &e.heat))
        elif e.scheme == AOS:
            work = max(work, aos_floats(plane.width, plane.height))
        else:
            # A narrow plane may need more than a wide one: more steps fit into one pass.
            work = max(work, scratch_floats(plane.width, plane.height, &d, e.pixels))
    if measures(e):
        for p in range(e.planes):
            steered_by |= e.plane[p].steered_by if e.plane[p].process else 0
        for p in range(PLANES):
            if steered_by >> p & 1:
                area = max(area, plane_floats(e.steering_width[p], e.steering_height[p]))
                work = max(work, gradient_floats(e.steering_width[p]))
                if e.presmooth.radius > 0:
                    work = max(work, heat_floats(e.steering_width[p], e.steering_height[p], &e.presmooth))
    e.gradient = work
    e.smoothed = e.gradient + area
    e.size = e.smoothed + (area if e.presmooth.radius > 0 else 0)
    if not measures(e):
        return
    for p in range(e.planes):
        plane = &e.plane[p]
        if plane.process:
            plane.steer = e.size + GHOST
            e.size += plane_floats(plane.width, plane.height)
        if plane.process and evolves(e):
            plane.state = e.size
            e.size += plane_floats(plane.width, plane.height)


cdef inline void advance_plane(
        const Evolution *e, const Diffusion *d, void *dst, ptrdiff_t dst_stride, const Pixels *dst_pixels,
        const View *src, const float *steer, float *scratch) noexcept nogil:
    if e.scheme == EXACT:
        heat_plane(
            dst, dst_stride, dst_pixels, src.data, src.stride, src.pixels, src.width, src.height, &e.heat, scratch)
    elif e.scheme == AOS:
        aos_plane(
            dst, dst_stride, dst_pixels, src.data, src.stride, src.pixels, src.width, src.height, d, steer, scratch)
    else:
        diffuse_plane(
            dst, dst_stride, dst_pixels, src.data, src.stride, src.pixels, src.width, src.height, d, steer, scratch)


cdef inline void measure(const Evolution *e, const View *picture, int planes, float *scratch) noexcept nogil:
    """The squared gradient of the planes given by the bits of `planes`, added up, to its place in the scratch."""
    cdef Pixels working = working_pixels()
    cdef View v
    cdef bint add = False
    cdef int p
    for p in range(PLANES):
        if planes >> p & 1 == 0:
            continue
        v = picture[p]
        if e.presmooth.radius > 0:
            v.data = scratch + e.smoothed
            v.stride = row_floats(v.width) * sizeof(float)
            v.pixels = &working
            heat_plane(
                scratch + e.smoothed, v.stride, v.pixels, picture[p].data, picture[p].stride, picture[p].pixels,
                v.width, v.height, &e.presmooth, scratch)
        squared_gradient(scratch + e.gradient, &v, add, scratch)
        add = True


cdef inline void set_diffusivities(float *g, const PlaneEvolution *plane, const Diffusion *d) noexcept nogil:
    cdef size_t pitch = row_floats(plane.width)
    cdef int y
    for y in range(plane.height):
        diffusivity_row(g + y * pitch, plane.width, d.kind, d.contrast2, &d.own)
        set_ghosts(g + y * pitch, plane.width)


cdef inline void evolve_frame(
        const Evolution *e, void **dst, const ptrdiff_t *dst_stride, const View *src, const View *guide,
        double *contrasts, float *scratch) noexcept nogil:
    """The planes that are processed, from src to dst.

    Of those whose contrast is automatic, it is set in `contrasts`, on the 8-bit scale.
    """
    cdef Pixels working = working_pixels()
    cdef const PlaneEvolution *plane
    cdef Diffusion d[PLANES]
    cdef View now[PLANES]
    cdef float *steer[PLANES]
    cdef int calls = 1
    cdef int call, measured, p, q
    cdef ptrdiff_t stride
    for p in range(e.planes):
        d[p] = diffusion_of_call(e, p)
        now[p] = src[p]
        steer[p] = NULL
        if evolves(e) and e.plane[p].process:
            calls = e.plane[p].diffusion.steps.cycles
    for call in range(calls):
        measured = 0
        for p in range(e.planes):
            plane = &e.plane[p]
            if not plane.process or not (e.steered or plane.automatic):
                continue
            if measured != plane.steered_by:
                measure(e, guide if e.guided else now, plane.steered_by, scratch)
                measured = plane.steered_by
            q = first_plane(plane.steered_by)
            reduce_plane(
                scratch + plane.steer, plane.width, plane.height, scratch + e.gradient,
                guide[q].width if e.guided else now[q].width, guide[q].height if e.guided else now[q].height)
            if plane.automatic and call == 0:
                contrasts[p] = robust_contrast(
                    scratch + plane.steer, plane.width, plane.height, e.steering_pixels.unit)
                set_contrast(&d[p], contrasts[p] * e.contrast_unit)
            if e.steered:
                steer[p] = scratch + plane.steer
                set_diffusivities(steer[p], plane, &d[p])
        for p in range(e.planes):
            plane = &e.plane[p]
            if not plane.process:
                continue
            if call == calls - 1:
                advance_plane(e, &d[p], dst[p], dst_stride[p], e.pixels, &now[p], steer[p], scratch)
                continue
            stride = row_floats(plane.width) * sizeof(float)
            advance_plane(e, &d[p], scratch + plane.state, stride, &working, &now[p], steer[p], scratch)
            now[p].data = scratch + plane.state
            now[p].stride = stride
            now[p].pixels = &working


cdef inline int first_plane(int planes) noexcept nogil:
    cdef int p = 0
    while planes >> p & 1 == 0:
        p += 1
    return p
