"""Along the frame difference: y = x + clip(alpha * soft(x - r, threshold), -limit, limit).

In the format's own units: nothing here depends on the scale. For bytes, where a difference has 511 values, the change
is also computed in 16-bit fixed point wherever that was found to give the same result for every one of them.
"""

from libc.stddef cimport ptrdiff_t
from libc.math cimport floorf
from libc.stdint cimport int16_t, uint8_t, uint16_t

from common.c cimport clampf, crow, limitf, row
from common.pixels cimport (
    BYTE, HALF, WORD, Pixels, crow8, crow16, load_halves, row8, row16, store_halves)


cdef enum:
    CHUNK = 1024     # halves at a time: their float copies stay in the first-level cache


cdef struct Blend:
    float alpha
    float threshold  # stored values, as limit
    float limit
    bint plain       # threshold and limit cannot change a result
    bint fixed       # bytes: alpha = factor * 2^shift / 2^15 gives the same results
    int16_t factor
    int16_t shift


cdef inline float blended(float x, float r, Blend b) noexcept nogil:
    cdef float d = x - r
    if b.plain:
        return x + b.alpha * d
    d -= limitf(d, b.threshold)
    return x + limitf(b.alpha * d, b.limit)


cdef inline void blend_bytes(row8 y, crow8 x, crow8 r, int n, Blend b) noexcept nogil:
    cdef int i
    for i in range(n):  # hot
        y[i] = <uint8_t><int>(clampf(blended(x[i], r[i], b), 0, 255) + <float>0.5)


cdef inline int16_t fixed_change(int d, int16_t factor, int16_t shift) noexcept nogil:
    # The rounding multiplication of 16-bit numbers that x86 (pmulhrsw) and ARM (sqrdmulh) have an instruction for.
    return <int16_t>((((<int>(<int16_t>(d * (1 << shift))) * factor) >> 14) + 1) >> 1)


cdef inline void blend_bytes_fixed(row8 y, crow8 x, crow8 r, int n, int16_t factor, int16_t shift) noexcept nogil:
    cdef int i
    cdef int16_t v
    for i in range(n):  # hot
        v = <int16_t>(x[i] + fixed_change(x[i] - r[i], factor, shift))
        y[i] = <uint8_t>max(<int16_t>0, min(v, <int16_t>255))


cdef inline void blend_words(row16 y, crow16 x, crow16 r, int n, Blend b, float peak) noexcept nogil:
    cdef int i
    for i in range(n):  # hot
        y[i] = <uint16_t><int>(clampf(blended(x[i], r[i], b), 0, peak) + <float>0.5)


cdef inline void blend_singles(row y, crow x, crow r, int n, Blend b) noexcept nogil:
    cdef int i
    for i in range(n):  # hot
        y[i] = blended(x[i], r[i], b)


cdef inline void blend_halves(row16 y, crow16 x, crow16 r, int n, Blend b) noexcept nogil:
    cdef float ys[CHUNK]
    cdef float xs[CHUNK]
    cdef float rs[CHUNK]
    cdef int start = 0
    cdef int count
    while start < n:
        count = min(CHUNK, n - start)
        load_halves(xs, x + start, count, 1)
        load_halves(rs, r + start, count, 1)
        blend_singles(ys, xs, rs, count, b)
        store_halves(y + start, ys, count, 1)
        start += CHUNK


cdef inline bint fix_factor(Blend *b) noexcept nogil:
    """Finds alpha in fixed point; whether every difference and sample then give what floating point gives."""
    cdef int d, x, exact
    # d * 2^shift and the sum with a sample have to fit 16 bits.
    while b.shift < 6 and b.alpha * 32768 > 32767 << b.shift:
        b.shift += 1
    if b.alpha * 32768 > 32767 << b.shift:
        return False
    b.factor = <int16_t>floorf(b.alpha * 32768 / (1 << b.shift) + <float>0.5)
    for d in range(-255, 256):
        for x in range(max(0, d), min(255, 255 + d) + 1):
            exact = <int>(clampf(blended(x, x - d, b[0]), 0, 255) + <float>0.5)
            if exact != max(0, min(x + fixed_change(d, b.factor, b.shift), 255)):
                return False
    return True


cdef inline Blend describe_float_blend(
        double alpha, double threshold, double limit, const Pixels *pixels) noexcept nogil:
    """The parameters, given on the 8-bit scale, in stored values; for alpha of any size."""
    cdef Blend b
    cdef bint integer = pixels.sample == BYTE or pixels.sample == WORD
    b.alpha = <float>alpha
    b.factor = b.shift = 0
    b.threshold = <float>(threshold * pixels.peak / 255)
    b.limit = <float>(limit * pixels.peak / 255)
    # A change of the whole range or more ends at 0 or the peak, limited or not.
    b.plain = threshold == 0 and integer and limit >= 255
    b.fixed = False
    return b


cdef inline Blend describe_blend(double alpha, double threshold, double limit, const Pixels *pixels) noexcept nogil:
    """The same, in fixed point where that was found to do, which takes a while to find out."""
    cdef Blend b = describe_float_blend(alpha, threshold, limit, pixels)
    b.fixed = b.plain and pixels.sample == BYTE and fix_factor(&b)
    return b


cdef inline void blend_plane(
        void *dst, const void *x, const void *r, ptrdiff_t dst_stride, ptrdiff_t x_stride, ptrdiff_t r_stride,
        int width, int height, const Pixels *pixels, Blend b) noexcept nogil:
    for _ in range(height):
        if b.fixed:
            blend_bytes_fixed(
                <uint8_t *>dst, <const uint8_t *>x, <const uint8_t *>r, width, b.factor, b.shift)
        elif pixels.sample == BYTE:
            blend_bytes(<uint8_t *>dst, <const uint8_t *>x, <const uint8_t *>r, width, b)
        elif pixels.sample == WORD:
            blend_words(<uint16_t *>dst, <const uint16_t *>x, <const uint16_t *>r, width, b, pixels.peak)
        elif pixels.sample == HALF:
            blend_halves(<uint16_t *>dst, <const uint16_t *>x, <const uint16_t *>r, width, b)
        else:
            blend_singles(<float *>dst, <const float *>x, <const float *>r, width, b)
        dst = <char *>dst + dst_stride
        x = <const char *>x + x_stride
        r = <const char *>r + r_stride
