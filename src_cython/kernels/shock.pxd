"""Coherence-enhancing shock filter: sharpening by diffusion that runs backwards, without its instability.

    u_t = -s(v_ww) * |grad u|,   v = G_sigma * u

w is the direction of the largest change, from the structure tensor J_rho(grad v) (Weickert 2003). Where v is concave
along w, u is dilated, where it is convex, eroded: both sides of an edge flow towards their own until they meet in a
shock, right at the edge.

s is the sign, made continuous (after Gilboa, Sochen and Zeevi 2002): v_ww / (SOFT + |grad v|/4), at most 1. SOFT is one
unit of the 8-bit scale per pixel^2: below it noise would decide the sign, and a hard one would drive it apart at full
speed. At an edge of deviation d pixels v_ww/|grad v| is the distance from its middle, over d^2: the quarter spares the
pixels that the middle runs through, which a hard sign would give to one side or the other, in stairs.

|grad u| is Rouy and Tourin's (1992), of those neighbours only that a dilated pixel rises to, or an eroded one falls to:
a step of tau <= 1/sqrt(2) takes no pixel beyond them, so nothing is brighter or darker than the picture was.
"""

from libc.math cimport ceil, fmax, sqrtf
from libc.stddef cimport ptrdiff_t, size_t

from common.c cimport bits_of_float, crow, float_of_bits, limitf, maxf, row
from common.pixels cimport Pixels, load_row, store_row, working_pixels
from kernels.diffuse cimport GHOST, plane_floats, row_floats, set_ghosts
from kernels.heat cimport Heat, heat_floats
from kernels.structure cimport (
    Gradient, anisotropy, directed, pixel_gradient, pixel_vector_row, smooth_in_place, smooth_plane)


cdef struct ShockFilter:
    Heat sigma             # smoothing of the picture
    Heat rho               # smoothing of its structure
    float softness         # SOFT, working scale
    int steps
    float tau


cdef inline void set_time(ShockFilter *d, double time) noexcept nogil:
    """Steps of at most 1/2."""
    d.steps = <int>fmax(1, ceil(2 * time - 1e-12))
    d.tau = <float>(time / d.steps)


cdef inline float curvature(crow up, crow mid, crow down, float cosine, float sine, float length, int x) noexcept nogil:
    """2 v_ww = vxx + vyy + cos 2a (vxx - vyy) + sin 2a 2vxy, w at the angle a, times `length`, that of the vector."""
    cdef float v = mid[x]
    cdef float vxx = (mid[x - 1] - v) + (mid[x + 1] - v)
    cdef float vyy = (up[x] - v) + (down[x] - v)
    cdef float vxy2 = <float>0.5 * ((up[x - 1] + down[x + 1]) - (up[x + 1] + down[x - 1]))
    return (vxx + vyy) * length + (cosine * (vxx - vyy) + sine * vxy2)


cdef inline float turned(float v, unsigned int sign) noexcept nogil:
    return float_of_bits(bits_of_float(v) ^ sign)


cdef inline float rise(float before, float after, unsigned int sign) noexcept nogil:
    # To the higher of two neighbours, or the fall to the lower one.
    return maxf(maxf(turned(before, sign), turned(after, sign)), 0)


cdef inline void shock_row(
        row dst, crow up, crow mid, crow down, crow v_up, crow v, crow v_down, crow cosine, crow sine, int n,
        float softness, float tau) noexcept nogil:
    cdef Gradient g
    cdef float half_tau = <float>0.5 * tau
    cdef float u, length, s, dx, dy
    cdef unsigned int sign
    cdef int x
    for x in range(n):  # hot
        g = pixel_gradient(v_up, v, v_down, x)
        length = directed(anisotropy(cosine[x], sine[x]))
        s = softness + <float>0.25 * sqrtf(g.x * g.x + g.y * g.y)
        s = limitf(half_tau * curvature(v_up, v, v_down, cosine[x], sine[x], length, x) / (length * s), tau)
        # Selected by its sign bit: of a condition compilers make branches of masks.
        sign = ~bits_of_float(s) & 0x80000000u
        u = mid[x]
        dx = rise(mid[x - 1] - u, mid[x + 1] - u, sign)
        dy = rise(up[x] - u, down[x] - u, sign)
        dst[x] = u - s * sqrtf(dx * dx + dy * dy)


cdef inline size_t shock_floats(int width, int height, const ShockFilter *d) noexcept nogil:
    """The scratch of shock_plane: the picture between steps, smoothed, its structure; rows; what smoothing needs."""
    cdef size_t size = plane_floats(width, height) * (4 if d.steps > 1 else 3) + 4 * row_floats(width)
    return size + max(heat_floats(width, height, &d.sigma), heat_floats(width, height, &d.rho))


cdef inline void run_step(
        void *dst, ptrdiff_t dst_stride, const Pixels *dst_pixels, const void *src, ptrdiff_t src_stride,
        const Pixels *src_pixels, const float *v, const float *cosine, const float *sine, int width, int height,
        const ShockFilter *d, float *rows) noexcept nogil:
    """dst may be src: a row is read before the one above it is written."""
    cdef size_t pitch = row_floats(width)
    cdef float *u = rows + GHOST
    cdef float *out = u + 3 * pitch
    cdef size_t up, mid, down
    cdef int front, y
    for front in range(height + 1):
        if front < height:
            load_row(u + (front % 3) * pitch, <const char *>src + front * src_stride, width, src_pixels)
            set_ghosts(u + (front % 3) * pitch, width)
        y = front - 1
        if y < 0:
            continue
        up = max(y - 1, 0)
        mid = y
        down = min(y + 1, height - 1)
        shock_row(
            out, u + (up % 3) * pitch, u + (mid % 3) * pitch, u + (down % 3) * pitch,
            v + up * pitch, v + mid * pitch, v + down * pitch, cosine + mid * pitch, sine + mid * pitch,
            width, d.softness, d.tau)
        store_row(<char *>dst + y * dst_stride, out, width, dst_pixels)


cdef inline void shock_plane(
        void *dst, ptrdiff_t dst_stride, const void *src, ptrdiff_t src_stride, int width, int height,
        const Pixels *pixels, const ShockFilter *d, float *scratch) noexcept nogil:
    cdef Pixels working = working_pixels()
    cdef size_t pitch = row_floats(width)
    cdef ptrdiff_t stride = pitch * sizeof(float)
    cdef size_t size = plane_floats(width, height)
    cdef float *smoothed = scratch
    cdef float *cosine = smoothed + size
    cdef float *sine = cosine + size
    cdef float *between = sine + size
    cdef float *rows = between + (size if d.steps > 1 else 0)
    cdef float *heat = rows + 4 * pitch
    cdef const float *v = smoothed + GHOST
    cdef const void *now = src
    cdef ptrdiff_t now_stride = src_stride
    cdef const Pixels *now_pixels = pixels
    cdef int step, y
    for step in range(d.steps):
        smooth_plane(smoothed, now, now_stride, now_pixels, width, height, &d.sigma, heat)
        for y in range(height):
            pixel_vector_row(
                cosine + y * pitch + GHOST, sine + y * pitch + GHOST, v + max(y - 1, 0) * pitch, v + y * pitch,
                v + min(y + 1, height - 1) * pitch, width)
        smooth_in_place(cosine, width, height, &d.rho, heat)
        smooth_in_place(sine, width, height, &d.rho, heat)
        if step == d.steps - 1:
            run_step(
                dst, dst_stride, pixels, now, now_stride, now_pixels, v, cosine + GHOST, sine + GHOST,
                width, height, d, rows)
        else:
            run_step(
                between, stride, &working, now, now_stride, now_pixels, v, cosine + GHOST, sine + GHOST,
                width, height, d, rows)
        now = between
        now_stride = stride
        now_pixels = &working
