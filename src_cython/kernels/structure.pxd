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
from kernels.heat cimport Heat, heat_plane, reflect_ends, reflected


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
# Corner x lies between the columns x-1 and x, and between the rows b and c. Four rows of corners share the differences
# along a row of pixels, four corners those along a column.

cdef struct Differences:
    float *along           # four rows: that of the pixels' row y is at y modulo 4
    float *columns         # of the corners' row, those of the pixels' columns
    const float *a         # of the corners' row, those along the rows around it
    const float *b
    const float *c
    const float *d


cdef enum:
    DIFFERENCES = 5        # rows that they take


cdef inline void differences_along(row out, crow u, int n) noexcept nogil:
    cdef int x
    for x in range(n):  # hot
        out[x] = (u[x] - u[x - 1]) + (u[x + 1] - u[x - 2])


cdef inline void differences_across(row out, crow a, crow b, crow c, crow d, int n) noexcept nogil:
    cdef int x
    for x in range(n):  # hot
        out[x] = (c[x] - b[x]) + (d[x] - a[x])


cdef inline void lay_differences(Differences *s, float *rows, int width) noexcept nogil:
    """In DIFFERENCES rows of row_floats(width + 1)."""
    s.along = rows + GHOST
    s.columns = s.along + 4 * row_floats(width + 1)


cdef inline void take_differences(Differences *s, const float *v, int y, int width, int height) noexcept nogil:
    """For the corners between the pixels of the rows y-1 and y, for each y from 0 on in turn."""
    cdef size_t pitch = row_floats(width + 1)
    cdef size_t v_pitch = row_floats(width)
    cdef int before = reflected(y - 2, height)
    cdef int above = reflected(y - 1, height)
    cdef int below = reflected(y, height)
    cdef int after = reflected(y + 1, height)
    cdef int k
    for k in range(0 if y == 0 else y + 1, min(y + 2, height)):
        differences_along(s.along + (k % 4) * pitch, v + k * v_pitch, width + 1)
    # Two columns are needed beyond each end. From GHOST columns before the first one on: there a cache line begins.
    differences_across(
        s.columns - GHOST, v + before * v_pitch - GHOST, v + above * v_pitch - GHOST, v + below * v_pitch - GHOST,
        v + after * v_pitch - GHOST, GHOST + width + 2)
    s.a = s.along + (before % 4) * pitch
    s.b = s.along + (above % 4) * pitch
    s.c = s.along + (below % 4) * pitch
    s.d = s.along + (after % 4) * pitch


cdef inline float across_corner(float a, float b, float c, float d) noexcept nogil:
    return <float>0.1015625 * (b + c) + <float>0.0234375 * (a + d)


cdef inline Gradient corner_gradient(
        float row_a, float row_b, float row_c, float row_d, float column_a, float column_b, float column_c,
        float column_d) noexcept nogil:
    """From the differences along the four rows and columns around.

    They are given as values: through the pointers of a function within another GCC does not see that nothing overlaps
    what that one writes.
    """
    cdef Gradient g
    g.x = across_corner(row_a, row_b, row_c, row_d)
    g.y = across_corner(column_a, column_b, column_c, column_d)
    return g


cdef inline void corner_trace_row(row trace, crow a, crow b, crow c, crow d, crow columns, int n) noexcept nogil:
    cdef Gradient g
    cdef int x
    for x in range(n):  # hot
        g = corner_gradient(
            a[x], b[x], c[x], d[x], columns[x - 2], columns[x - 1], columns[x], columns[x + 1])
        trace[x] = g.x * g.x + g.y * g.y


cdef inline void corner_vector_row(
        row cosine, row sine, crow a, crow b, crow c, crow d, crow columns, int n) noexcept nogil:
    cdef Gradient g
    cdef int x
    for x in range(n):  # hot
        g = corner_gradient(
            a[x], b[x], c[x], d[x], columns[x - 2], columns[x - 1], columns[x], columns[x + 1])
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


cdef inline float directed(float anisotropy) noexcept nogil:
    """What to divide by: below 1e-15, whose square is still an ordinary number, it counts as no direction."""
    return maxf(anisotropy, <float>1e-15)


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
