"""The picture that steers a diffusion: its squared gradient, brought to the size of the plane that is steered.

The gradient is that of central differences, with the border's pixels repeated beyond it:
s^2 = ((u[x+1] - u[x-1])^2 + (u[y+1] - u[y-1])^2) / 4. Several planes steer by the sum of their s^2.
"""

from libc.math cimport fabsf, fmax, fmin, sqrtf
from libc.stddef cimport size_t
from libc.string cimport memcpy, memset

from common.c cimport bits_of_float, crow, float_of_bits, row
from common.pixels cimport View, load_view
from kernels.diffuse cimport GHOST, row_floats, set_ghosts


cdef inline void add_squared_gradient(row s2, crow up, crow mid, crow down, int n) noexcept nogil:
    cdef int x
    cdef float across, along
    for x in range(n):  # hot
        across = mid[x + 1] - mid[x - 1]
        along = down[x] - up[x]
        s2[x] += <float>0.25 * (across * across + along * along)


cdef inline size_t gradient_floats(int width) noexcept nogil:
    """The scratch of squared_gradient: three rows."""
    return 3 * row_floats(width)


cdef inline void squared_gradient(float *s2, const View *v, bint add, float *rows) noexcept nogil:
    """Of a plane, or added to what is there. Rows of s2 are row_floats(width) apart."""
    cdef size_t pitch = row_floats(v.width)
    cdef float *u = rows + GHOST
    cdef float *line
    cdef int y
    for y in range(v.height + 1):
        if y < v.height:
            line = u + (y % 3) * pitch
            load_view(line, v, y)
            set_ghosts(line, v.width)
        if y > 0:
            line = s2 + (y - 1) * pitch
            if not add:
                memset(line, 0, v.width * sizeof(float))
            add_squared_gradient(
                line, u + (max(y - 2, 0) % 3) * pitch, u + ((y - 1) % 3) * pitch,
                u + (min(y, v.height - 1) % 3) * pitch, v.width)


# To the size of a smaller plane

cdef inline float block_sum(const float *u, size_t pitch, int width, int height) noexcept nogil:
    """The sum over a block of pixels, sides powers of two, in an order that no symmetry of the block changes."""
    cdef int w = width // 2
    cdef int h = height // 2
    if width > 1 and height > 1:
        return ((block_sum(u, pitch, w, h) + block_sum(u + h * pitch + w, pitch, w, h))
                + (block_sum(u + w, pitch, w, h) + block_sum(u + h * pitch, pitch, w, h)))
    if width > 1:
        return block_sum(u, pitch, w, 1) + block_sum(u + w, pitch, w, 1)
    if height > 1:
        return block_sum(u, pitch, 1, h) + block_sum(u + h * pitch, pitch, 1, h)
    return u[0]


cdef inline void reduce_plane(
        float *dst, int width, int height, const float *src, int src_width, int src_height) noexcept nogil:
    """Means over the blocks of src that pixels of dst cover. Rows are row_floats(their width) apart."""
    cdef size_t pitch = row_floats(width)
    cdef size_t src_pitch = row_floats(src_width)
    cdef int across = src_width // width
    cdef int along = src_height // height
    cdef int x, y
    if across == 1 and along == 1:
        for y in range(height):
            memcpy(dst + y * pitch, src + y * src_pitch, width * sizeof(float))
        return
    for y in range(height):
        for x in range(width):
            dst[y * pitch + x] = block_sum(
                src + y * along * src_pitch + x * across, src_pitch, across, along) / (across * along)


# The contrast of a picture

cdef enum:
    BINS = 2048


cdef inline unsigned int deviation_bits(float s2, float centre) noexcept nogil:
    """|s - centre|, as an integer of the same order; what is not a number comes last."""
    return bits_of_float(fabsf(sqrtf(s2) - centre)) & 0x7FFFFFFF


cdef inline float median_deviation(const float *s2, int width, int height, float centre) noexcept nogil:
    """The median of |s - centre|, the lower one of an even number: its bits, found from the highest down.

    That of s itself is the root of that of s^2.
    """
    cdef unsigned int histogram[BINS]
    cdef unsigned int bits
    cdef unsigned int found = 0
    cdef size_t rank = (<size_t>width * height - 1) // 2
    cdef size_t pitch = row_floats(width)
    cdef size_t below
    cdef int shift = 20
    cdef int known = 31
    cdef int x, y, i
    while known > 0:
        memset(histogram, 0, sizeof(histogram))
        for y in range(height):
            for x in range(width):
                if centre == 0:
                    bits = bits_of_float(s2[y * pitch + x]) & 0x7FFFFFFF
                else:
                    bits = deviation_bits(s2[y * pitch + x], centre)
                if bits >> known == found >> known:
                    histogram[(bits >> shift) & (BINS - 1)] += 1
        below = 0
        i = 0
        while below + histogram[i] <= rank:
            below += histogram[i]
            i += 1
        rank -= below
        found |= <unsigned int>i << shift
        known = shift
        shift = max(0, shift - 10)
    return sqrtf(float_of_bits(found)) if centre == 0 else float_of_bits(found)


cdef inline double robust_contrast(const float *s2, int width, int height, double unit) noexcept nogil:
    """1.4826 times the median absolute deviation of s (Black et al. 1998), on the 8-bit scale, within 0.001...10000."""
    cdef float centre = median_deviation(s2, width, height, 0)
    cdef float spread = median_deviation(s2, width, height, centre)
    # Of a comparison with NaN the other argument is the result.
    return fmin(fmax(1.4826 * spread / unit, 0.001), 10000)
