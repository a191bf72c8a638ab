"""Structure tensors: in which direction a picture changes around a place, and how much.

    J = G_rho * (grad v grad v^T),   v = G_sigma * u

(Förstner, Gülch 1987), with the derivatives of Scharr (2000): a central difference along one axis, smoothed by
[3 10 3]/16 along the other. They turn with the picture far better than Sobel's.

Of J are kept its trace J11 + J22 = mu1 + mu2 and the vector (J11 - J22, 2*J12) = (mu1 - mu2) * (cos 2a, sin 2a), a the
direction of the largest change: all that is needed of the eigenvectors, without trigonometry. In a transposed picture
the vector's first component has the other sign, in a mirrored one the second, and no digit changes: opposite
neighbours are subtracted first, then what lies on both sides of an axis is added.
"""

from libc.math cimport sqrtf
from libc.stddef cimport ptrdiff_t, size_t

from common.c cimport crow, maxf, row
from common.pixels cimport Pixels, working_pixels
from kernels.diffuse cimport GHOST, row_floats
from kernels.heat cimport Heat, heat_plane, reflect_ends


cdef struct Gradient:
    float x
    float y


cdef inline Gradient pixel_gradient(crow up, crow mid, crow down, int x) noexcept nogil:
    cdef Gradient g
    g.x = <float>0.3125 * (mid[x + 1] - mid[x - 1]) + <float>0.09375 * (
        (up[x + 1] - up[x - 1]) + (down[x + 1] - down[x - 1]))
    g.y = <float>0.3125 * (down[x] - up[x]) + <float>0.09375 * (
        (down[x - 1] - up[x - 1]) + (down[x + 1] - up[x + 1]))
    return g


# At corners the gradient is the mean of the four pixels': [-1 -1 1 1]/4 along one axis, [3 13 13 3]/32 along the other.
# Corner x lies between the columns x-1 and x, and between the rows b and c.

cdef inline float along_row(crow u, int x) noexcept nogil:
    return (u[x] - u[x - 1]) + (u[x + 1] - u[x - 2])


cdef inline float along_column(crow a, crow b, crow c, crow d, int x) noexcept nogil:
    return (c[x] - b[x]) + (d[x] - a[x])


cdef inline Gradient corner_gradient(crow a, crow b, crow c, crow d, int x) noexcept nogil:
    cdef Gradient g
    g.x = <float>0.1015625 * (along_row(b, x) + along_row(c, x)) + <float>0.0234375 * (
        along_row(a, x) + along_row(d, x))
    g.y = <float>0.1015625 * (along_column(a, b, c, d, x - 1) + along_column(a, b, c, d, x)) + <float>0.0234375 * (
        along_column(a, b, c, d, x - 2) + along_column(a, b, c, d, x + 1))
    return g


cdef inline void corner_gradient_row(row gx, row gy, crow a, crow b, crow c, crow d, int n) noexcept nogil:
    cdef Gradient g
    cdef int x
    for x in range(n):  # hot
        g = corner_gradient(a, b, c, d, x)
        gx[x] = g.x
        gy[x] = g.y


cdef inline void corner_trace_row(row trace, crow a, crow b, crow c, crow d, int n) noexcept nogil:
    cdef Gradient g
    cdef int x
    for x in range(n):  # hot
        g = corner_gradient(a, b, c, d, x)
        trace[x] = g.x * g.x + g.y * g.y


cdef inline void corner_vector_row(row cosine, row sine, crow a, crow b, crow c, crow d, int n) noexcept nogil:
    cdef Gradient g
    cdef int x
    for x in range(n):  # hot
        g = corner_gradient(a, b, c, d, x)
        cosine[x] = g.x * g.x - g.y * g.y
        sine[x] = 2 * (g.x * g.y)


cdef inline void pixel_vector_row(row cosine, row sine, crow up, crow mid, crow down, int n) noexcept nogil:
    cdef Gradient g
    cdef int x
    for x in range(n):  # hot
        g = pixel_gradient(up, mid, down, x)
        cosine[x] = g.x * g.x - g.y * g.y
        sine[x] = 2 * (g.x * g.y)


cdef inline float anisotropy(float cosine, float sine) noexcept nogil:
    """mu1 - mu2."""
    return sqrtf(cosine * cosine + sine * sine)


cdef inline float per_anisotropy(float value, float anisotropy) noexcept nogil:
    """The quotient; what is below 1e-15, whose square is still an ordinary number, counts as no direction."""
    return value / maxf(anisotropy, <float>1e-15)


# Planes of floats on the working scale. The rows are row_floats(width) apart.

cdef inline void smooth_plane(
        float *dst, const void *src, ptrdiff_t src_stride, const Pixels *src_pixels, int width, int height,
        const Heat *heat, float *scratch) noexcept nogil:
    """G * src, each row with what derivatives need of the reflected picture beyond its ends."""
    cdef Pixels working = working_pixels()
    cdef size_t pitch = row_floats(width)
    cdef int y
    heat_plane(
        dst + GHOST, pitch * sizeof(float), &working, src, src_stride, src_pixels, width, height, heat, scratch)
    for y in range(height):
        reflect_ends(dst + y * pitch + GHOST, width, 2)


cdef inline void smooth_in_place(
        float *plane, int width, int height, const Heat *heat, float *scratch) noexcept nogil:
    cdef Pixels working = working_pixels()
    cdef ptrdiff_t stride = row_floats(width) * sizeof(float)
    if heat.radius > 0:
        heat_plane(plane + GHOST, stride, &working, plane + GHOST, stride, &working, width, height, heat, scratch)
