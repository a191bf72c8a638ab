"""Along the frame difference: y = x + clip(alpha * soft(x - r, threshold), -limit, limit).

In the format's own units: nothing here depends on the scale. The change of a byte is rounded, halves up, before it is
added: it depends on nothing but the difference, which has 511 values, and is computed in 16-bit fixed point wherever
that was found to give the same for every one of them.
"""

from libc.stddef cimport ptrdiff_t
from libc.math cimport ceil, fabs, floor, fmin
from libc.stdint cimport int16_t, uint8_t, uint16_t
from libc.string cimport memset

from common.c cimport clampf, crow, fetch_ahead, fetch_ahead_to_write, limitf, row
from common.pixels cimport (
    BYTE, HALF, WORD, Pixels, crow8, crow16, load_halves, row8, row16, sample_bytes, store_halves)


cdef extern from * nogil:
    """
    // A function whose loops take vectors of 256 bits, also where the others take 512. That it may have an instruction
    // which these do not (and no use for it) keeps it from being inlined into one of them.
    #if defined(__AVX512F__) && !defined(__clang__)
    #define VDIFF_VOID_256 __attribute__((target("prefer-vector-width=256,prfchw"))) void
    #else
    #define VDIFF_VOID_256 void
    #endif
    """
    ctypedef void void_256 "VDIFF_VOID_256"


cdef enum:
    OFFSET = 1024    # to changes of bytes, which makes numbers above 0 of those that matter
    PIECE = 512      # bytes at a time
    HALVES = PIECE // 2


cdef struct Fixed:
    # The change of bytes, clip(factor * soft(clip(d, -far, far) * 2^shift, still) / 2^15, least, most), rounded.
    int16_t far      # no larger difference changes the result
    int16_t shift
    int16_t still
    int16_t factor
    int16_t least
    int16_t most


cdef struct Blend:
    float alpha
    float threshold  # stored values, as limit
    float limit
    bint plain       # threshold and limit cannot change a result
    bint mean        # integers: the mean of both, halves rounded up
    bint fixed       # bytes: the same changes are had with
    Fixed by


cdef inline float change_of(float d, Blend b) noexcept nogil:
    if b.plain:
        return b.alpha * d
    d -= limitf(d, b.threshold)
    return limitf(b.alpha * d, b.limit)


cdef inline float blended(float x, float r, Blend b) noexcept nogil:
    return x + change_of(x - r, b)


cdef inline int16_t within(int16_t v, int16_t least, int16_t most) noexcept nogil:
    return max(least, min(v, most))


cdef inline int16_t whole_change(int16_t d, Blend b) noexcept nogil:
    # Beside the offset, what is next to a half, within 2^-14 or less, is that half, as 25 times 0.3 in float32.
    return <int16_t>(<int16_t><int>(change_of(d, b) + (OFFSET + <float>0.5)) - OFFSET)


cdef inline void blend_bytes(row8 y, crow8 x, crow8 r, int n, Blend b) noexcept nogil:
    cdef int i
    for i in range(n):  # hot
        y[i] = <uint8_t>within(<int16_t>(x[i] + whole_change(<int16_t>(x[i] - r[i]), b)), 0, 255)


cdef inline int16_t scaled(int16_t d, int16_t factor) noexcept nogil:
    # The rounding multiplication of 16-bit numbers that x86 (pmulhrsw) and ARM (sqrdmulh) have an instruction for.
    return <int16_t>(((<int>d * factor >> 14) + 1) >> 1)


cdef inline int16_t fixed_change(int16_t d, Fixed f) noexcept nogil:
    d = <int16_t>(within(d, <int16_t>-f.far, f.far) * (1 << f.shift))
    d = <int16_t>(d - within(d, <int16_t>-f.still, f.still))
    return within(scaled(d, f.factor), f.least, f.most)


cdef inline void blend_bytes_fixed(row8 y, crow8 x, crow8 r, int n, Fixed f) noexcept nogil:
    cdef int i
    for i in range(n):  # hot
        y[i] = <uint8_t>within(<int16_t>(x[i] + fixed_change(<int16_t>(x[i] - r[i]), f)), 0, 255)


cdef inline void blend_bytes_plain(row8 y, crow8 x, crow8 r, int n, int16_t factor, int16_t shift) noexcept nogil:
    cdef int i
    for i in range(n):  # hot
        y[i] = <uint8_t>within(
            <int16_t>(x[i] + scaled(<int16_t>(<int16_t>(x[i] - r[i]) * (1 << shift)), factor)), 0, 255)


# A mean is next to no work, and on Zen 4 loads of 512 bits bring less from memory in a second than those of 256.

cdef inline void_256 mean_bytes(row8 y, crow8 x, crow8 r, int n) noexcept nogil:
    cdef int i
    for i in range(n):  # hot
        y[i] = <uint8_t>((x[i] + r[i] + 1) >> 1)


cdef inline void_256 mean_words(row16 y, crow16 x, crow16 r, int n, uint16_t peak) noexcept nogil:
    cdef int i
    for i in range(n):  # hot
        y[i] = min(<uint16_t>((x[i] + r[i] + 1) >> 1), peak)


cdef inline void blend_words(row16 y, crow16 x, crow16 r, int n, Blend b, float peak) noexcept nogil:
    cdef int i
    for i in range(n):  # hot
        y[i] = <uint16_t><int>(clampf(blended(x[i], r[i], b), 0, peak) + <float>0.5)


cdef inline void blend_singles(row y, crow x, crow r, int n, Blend b) noexcept nogil:
    cdef int i
    for i in range(n):  # hot
        y[i] = blended(x[i], r[i], b)


cdef inline void blend_halves(row16 y, crow16 x, crow16 r, int n, Blend b) noexcept nogil:
    """Of a piece at most."""
    cdef float ys[HALVES]
    cdef float xs[HALVES]
    cdef float rs[HALVES]
    load_halves(xs, x, n, 1)
    load_halves(rs, r, n, 1)
    blend_singles(ys, xs, rs, n, b)
    store_halves(y, ys, n, 1)


cdef inline bint same_changes(const Fixed *f, Blend b) noexcept nogil:
    """Whether every difference of bytes changes them alike."""
    cdef int d
    for d in range(-255, 256):
        if within(whole_change(<int16_t>d, b), -255, 255) != within(fixed_change(<int16_t>d, f[0]), -255, 255):
            return False
    return True


cdef inline bint find_fixed(Fixed *f, Blend b) noexcept nogil:
    """Finds a blend of bytes in fixed point, by trial of every precision; whether there is one."""
    cdef double alpha = fabs(b.alpha)
    f.least = <int16_t>floor(<double>0.5 - b.limit)
    f.most = <int16_t>floor(b.limit + <double>0.5)
    # Up to 64, differences of 9 bits and changes fit 16 as they are.
    f.far = 255 if alpha <= 64 else <int16_t>fmin(255, ceil(b.threshold + b.limit / alpha))
    f.shift = 0
    while f.far << f.shift <= 32767 and f.shift < 15:
        f.still = <int16_t>fmin(floor(b.threshold * (1 << f.shift) + <double>0.5), 32767)
        f.factor = <int16_t>fmin(floor(alpha * (32768 >> f.shift) + <double>0.5), 32767)
        if b.alpha < 0:
            f.factor = <int16_t>-f.factor
        if same_changes(f, b):
            return True
        f.shift += 1
    return False


cdef inline Blend describe_blend(double alpha, double threshold, double limit, const Pixels *pixels) noexcept nogil:
    """The parameters, given on the 8-bit scale, in stored values; for alpha of any size."""
    cdef Blend b
    cdef bint integer = pixels.sample == BYTE or pixels.sample == WORD
    memset(&b, 0, sizeof(Blend))
    b.alpha = <float>alpha
    b.threshold = <float>(threshold * pixels.peak / 255)
    b.limit = <float>(limit * pixels.peak / 255)
    # A change of the whole range or more ends at 0 or the peak, limited or not.
    b.plain = threshold == 0 and integer and limit >= 255
    b.mean = b.plain and alpha == <double>-0.5
    if pixels.sample == BYTE:
        # Changes fit 16 bits.
        b.limit = <float>fmin(limit, 255)
        b.plain = b.plain and fabs(alpha) <= 64
        b.fixed = not b.mean and find_fixed(&b.by, b)
    return b


cdef inline void blend_row(
        void *y, const void *x, const void *r, int n, const Pixels *pixels, const Blend *b) noexcept nogil:
    if b.mean and pixels.sample == BYTE:
        mean_bytes(<uint8_t *>y, <const uint8_t *>x, <const uint8_t *>r, n)
    elif b.mean:
        mean_words(<uint16_t *>y, <const uint16_t *>x, <const uint16_t *>r, n, <uint16_t>pixels.peak)
    elif b.fixed and b.plain and b.by.far == 255:
        blend_bytes_plain(<uint8_t *>y, <const uint8_t *>x, <const uint8_t *>r, n, b.by.factor, b.by.shift)
    elif b.fixed:
        blend_bytes_fixed(<uint8_t *>y, <const uint8_t *>x, <const uint8_t *>r, n, b.by)
    elif pixels.sample == BYTE:
        blend_bytes(<uint8_t *>y, <const uint8_t *>x, <const uint8_t *>r, n, b[0])
    elif pixels.sample == WORD:
        blend_words(<uint16_t *>y, <const uint16_t *>x, <const uint16_t *>r, n, b[0], pixels.peak)
    elif pixels.sample == HALF:
        blend_halves(<uint16_t *>y, <const uint16_t *>x, <const uint16_t *>r, n, b[0])
    else:
        blend_singles(<float *>y, <const float *>x, <const float *>r, n, b[0])


cdef inline void blend_plane(
        void *dst, const void *x, const void *r, ptrdiff_t dst_stride, ptrdiff_t x_stride, ptrdiff_t r_stride,
        int width, int height, const Pixels *pixels, const Blend *b) noexcept nogil:
    cdef int size = sample_bytes(pixels)
    cdef int step = PIECE // size
    cdef const char *xs
    cdef const char *rs
    cdef char *ys
    cdef int y, start, n
    for y in range(height):
        start = 0
        while start < width:
            n = min(step, width - start)
            xs = <const char *>x + y * x_stride + start * size
            rs = <const char *>r + y * r_stride + start * size
            ys = <char *>dst + y * dst_stride + start * size
            fetch_ahead(xs, n * size)
            fetch_ahead(rs, n * size)
            fetch_ahead_to_write(ys, n * size)
            blend_row(ys, xs, rs, n, pixels, b)
            start += n
