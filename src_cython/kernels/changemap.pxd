"""How much two pictures differ, and where: statistics of |x - r| over a plane, and pictures of it.

    mad       the mean of |x - r|                                       8-bit scale
    mse       the mean of (x - r)^2                                     its square
    changed   the part of the samples with |x - r| > threshold          0...1

In the format's own units. Integers are summed as integers, and divided once: the statistics are exact. Of floats, the
differences are float32 and their sums double, each lane for itself and then one after the other, in the same order
whatever the width of a vector is.
"""

from libc.math cimport floor, fmin
from libc.stddef cimport ptrdiff_t
from libc.stdint cimport int16_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memset

from common.c cimport crow, row
from common.pixels cimport BYTE, HALF, SINGLE, WORD, Pixels, crow8, crow16, load_halves, row8, row16, store_halves


cdef extern from * nogil:
    ctypedef double *row_double "double *restrict"
    float fabsf "__builtin_fabsf"(float v)


cdef enum:
    CHUNK = 4096     # samples at a time of integers: their sums fit 32 bits, the number of changed ones 16
    LANES = 512      # and of floats: their sums stay in the first-level cache


cdef struct Change:
    double mad
    double mse
    double changed


cdef enum Picture:
    ABS        # |x - r|
    SQUARE     # (x - r)^2 / peak: a difference of the whole range is the whole range
    MASK       # the peak where |x - r| > threshold, else 0


cdef struct Sums:
    uint64_t differences
    uint64_t squares
    uint64_t changed
    double float_differences[LANES]
    double float_squares[LANES]


# The differences of a row, y = |x - r|, added to the sums.

cdef inline void measure_bytes(row8 y, crow8 x, crow8 r, int n, int16_t threshold, Sums *sums) noexcept nogil:
    cdef int i
    cdef int differences = 0
    cdef int squares = 0
    cdef int16_t changed = 0
    cdef int16_t d
    for i in range(n):  # hot
        d = x[i] - r[i]
        d = <int16_t>-d if d < 0 else d
        y[i] = <uint8_t>d
        differences += d
        squares += d * d
        changed = <int16_t>(changed + (d > threshold))
    sums.differences += differences
    sums.squares += squares
    sums.changed += changed


cdef inline void measure_words(row16 y, crow16 x, crow16 r, int n, uint16_t threshold, Sums *sums) noexcept nogil:
    cdef int i
    cdef uint32_t differences = 0
    cdef uint64_t squares = 0
    cdef uint16_t changed = 0
    cdef uint16_t d
    for i in range(n):  # hot
        d = <uint16_t>(max(x[i], r[i]) - min(x[i], r[i]))
        y[i] = d
        differences += d
        squares += <uint32_t>d * d
        changed = <uint16_t>(changed + (d > threshold))
    sums.differences += differences
    sums.squares += squares
    sums.changed += changed


cdef inline int measure_lanes(
        row y, crow x, crow r, int n, float threshold, row_double differences, row_double squares) noexcept nogil:
    cdef int i
    cdef int changed = 0
    cdef float d
    for i in range(n):  # hot
        d = fabsf(x[i] - r[i])
        y[i] = d
        differences[i] += d
        squares[i] += <double>d * d
        changed += d > threshold
    return changed


# Pictures of the differences

cdef inline void square_bytes(row8 y, crow8 d, int n) noexcept nogil:
    cdef int i
    cdef uint16_t v
    for i in range(n):  # hot
        v = <uint16_t>(d[i] * d[i] + 128)
        y[i] = <uint8_t>((v + (v >> 8)) >> 8)


cdef inline void square_words(row16 y, crow16 d, int n, int bits) noexcept nogil:
    # v + (v >> b) >> b, with half a code in v, is d^2 / (2^b - 1) rounded, for every d.
    cdef int i
    cdef uint32_t v
    cdef uint32_t half = <uint32_t>1 << (bits - 1)
    for i in range(n):  # hot
        v = <uint32_t>d[i] * d[i] + half
        y[i] = <uint16_t>((v + (v >> bits)) >> bits)


cdef inline void square_floats(row y, crow d, int n) noexcept nogil:
    cdef int i
    for i in range(n):  # hot
        y[i] = d[i] * d[i]


cdef inline void mask_bytes(row8 y, crow8 d, int n, uint8_t threshold) noexcept nogil:
    cdef int i
    for i in range(n):  # hot
        y[i] = 255 if d[i] > threshold else 0


cdef inline void mask_words(row16 y, crow16 d, int n, uint16_t threshold, uint16_t peak) noexcept nogil:
    cdef int i
    for i in range(n):  # hot
        y[i] = peak if d[i] > threshold else <uint16_t>0


cdef inline void mask_floats(row y, crow d, int n, float threshold) noexcept nogil:
    cdef int i
    for i in range(n):  # hot
        y[i] = 1 if d[i] > threshold else 0


# Planes

cdef inline double stored_threshold(double threshold, const Pixels *pixels) noexcept nogil:
    """In stored values: no integer lies between this and what was given on the 8-bit scale."""
    threshold = threshold * pixels.peak / 255
    if pixels.sample == BYTE or pixels.sample == WORD:
        threshold = floor(fmin(threshold, pixels.peak))
    return threshold


cdef inline int bits_of(const Pixels *pixels) noexcept nogil:
    cdef int bits = 8
    while 1 << bits <= pixels.peak:
        bits += 1
    return bits


cdef inline void map_bytes(
        uint8_t *dst, const uint8_t *x, const uint8_t *r, int n, Picture picture, double threshold,
        Sums *sums) noexcept nogil:
    cdef uint8_t differences[CHUNK]
    cdef bint direct = dst != NULL and picture == ABS
    measure_bytes(dst if direct else differences, x, r, n, <int16_t>threshold, sums)
    if dst != NULL and picture == SQUARE:
        square_bytes(dst, differences, n)
    elif dst != NULL and picture == MASK:
        mask_bytes(dst, differences, n, <uint8_t>threshold)


cdef inline void map_words(
        uint16_t *dst, const uint16_t *x, const uint16_t *r, int n, Picture picture, double threshold,
        const Pixels *pixels, Sums *sums) noexcept nogil:
    cdef uint16_t differences[CHUNK]
    cdef bint direct = dst != NULL and picture == ABS
    measure_words(dst if direct else differences, x, r, n, <uint16_t>threshold, sums)
    if dst != NULL and picture == SQUARE:
        square_words(dst, differences, n, bits_of(pixels))
    elif dst != NULL and picture == MASK:
        mask_words(dst, differences, n, <uint16_t>threshold, <uint16_t>pixels.peak)


cdef inline void map_floats(
        float *dst, const float *x, const float *r, int n, Picture picture, double threshold,
        Sums *sums) noexcept nogil:
    cdef float differences[LANES]
    cdef bint direct = dst != NULL and picture == ABS
    sums.changed += measure_lanes(
        dst if direct else differences, x, r, n, <float>threshold, sums.float_differences, sums.float_squares)
    if dst != NULL and picture == SQUARE:
        square_floats(dst, differences, n)
    elif dst != NULL and picture == MASK:
        mask_floats(dst, differences, n, <float>threshold)


cdef inline void map_halves(
        uint16_t *dst, const uint16_t *x, const uint16_t *r, int n, Picture picture, double threshold,
        Sums *sums) noexcept nogil:
    cdef float xs[LANES]
    cdef float rs[LANES]
    cdef float ys[LANES]
    load_halves(xs, x, n, 1)
    load_halves(rs, r, n, 1)
    if dst == NULL:
        map_floats(NULL, xs, rs, n, picture, threshold, sums)
    else:
        map_floats(ys, xs, rs, n, picture, threshold, sums)
        store_halves(dst, ys, n, 1)


cdef inline Change summed(const Sums *sums, int width, int height, const Pixels *pixels) noexcept nogil:
    cdef Change c
    cdef double count = <double>width * height
    cdef double differences = sums.differences
    cdef double squares = sums.squares
    cdef double peak = pixels.peak
    cdef int i
    for i in range(LANES):
        differences += sums.float_differences[i]
        squares += sums.float_squares[i]
    c.mad = differences * 255 / (peak * count)
    c.mse = squares * (255 * 255) / (peak * peak * count)
    c.changed = sums.changed / count
    return c


cdef inline Change map_change(
        void *dst, ptrdiff_t dst_stride, const void *x, ptrdiff_t x_stride, const void *r, ptrdiff_t r_stride,
        int width, int height, const Pixels *pixels, Picture picture, double threshold) noexcept nogil:
    """Draws the picture of the change from r to x, unless dst is NULL, and measures it. `threshold`: 8-bit scale."""
    cdef Sums sums
    cdef bint floating = pixels.sample == HALF or pixels.sample == SINGLE
    cdef int step = LANES if floating else CHUNK
    cdef int bytes = 1 if pixels.sample == BYTE else 4 if pixels.sample == SINGLE else 2
    cdef const char *xs
    cdef const char *rs
    cdef char *ys
    cdef int start, n
    memset(&sums, 0, sizeof(Sums))
    threshold = stored_threshold(threshold, pixels)
    for _ in range(height):
        start = 0
        while start < width:
            n = min(step, width - start)
            xs = <const char *>x + start * bytes
            rs = <const char *>r + start * bytes
            ys = NULL
            if dst != NULL:
                ys = <char *>dst + start * bytes
            if pixels.sample == BYTE:
                map_bytes(<uint8_t *>ys, <const uint8_t *>xs, <const uint8_t *>rs, n, picture, threshold, &sums)
            elif pixels.sample == WORD:
                map_words(
                    <uint16_t *>ys, <const uint16_t *>xs, <const uint16_t *>rs, n, picture, threshold, pixels, &sums)
            elif pixels.sample == HALF:
                map_halves(<uint16_t *>ys, <const uint16_t *>xs, <const uint16_t *>rs, n, picture, threshold, &sums)
            else:
                map_floats(<float *>ys, <const float *>xs, <const float *>rs, n, picture, threshold, &sums)
            start += step
        x = <const char *>x + x_stride
        r = <const char *>r + r_stride
        if dst != NULL:
            dst = <char *>dst + dst_stride
    return summed(&sums, width, height, pixels)


cdef inline Change measure_change(
        const void *x, ptrdiff_t x_stride, const void *r, ptrdiff_t r_stride, int width, int height,
        const Pixels *pixels, double threshold) noexcept nogil:
    """The change from r to x. `threshold`: 8-bit scale."""
    return map_change(NULL, 0, x, x_stride, r, r_stride, width, height, pixels, ABS, threshold)
