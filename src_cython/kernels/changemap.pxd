"""How much two pictures differ, and where: statistics of |x - r| over a plane, and pictures of it.

    mad       the mean of |x - r|                                       8-bit scale
    mse       the mean of (x - r)^2                                     its square
    changed   the part of the samples with |x - r| > threshold          0...1

In the format's own units. Integers are summed as integers, and divided once: the statistics are exact. Of floats, the
differences are float32 and their sums double, each lane for itself and then one after the other, in the same order
whatever the width of a vector is.
"""

from libc.limits cimport INT_MAX
from libc.math cimport floor, fmin
from libc.stddef cimport ptrdiff_t, size_t
from libc.stdint cimport int16_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport abs
from libc.string cimport memset

from common.c cimport crow, fabsf, fetch_ahead, fetch_ahead_to_write, row, row_double
from common.pixels cimport (
    BYTE, HALF, WORD, Pixels, crow8, crow16, load_halves, row8, row16, sample_bytes, store_halves)


cdef enum:
    PIECE = 512      # bytes at a time, of integers
    LANES = 128      # floats at a time, and as many sums of them
    LINE = 8         # doubles of a cache line


cdef struct Change:
    double mad
    double mse
    double changed


cdef enum Statistics:
    ALL
    MAD_ALONE


cdef enum Picture:
    ABS        # |x - r|
    SQUARE     # (x - r)^2 / peak: a difference of the whole range is the whole range
    MASK       # the peak where |x - r| > threshold, else 0


cdef struct Sums:
    uint64_t differences
    uint64_t squares
    uint64_t changed
    double lanes[2 * LANES + LINE]  # of floats: see float_differences


# Statistics, of a piece: sums of 512 bytes or 256 words fit 32 bits, the number of changed ones 15

cdef inline double *float_differences(Sums *sums) noexcept nogil:
    """From a cache line's start: vectors that straddle two take twice as long to put back. The squares follow."""
    cdef size_t bytes = LINE * sizeof(double)
    return <double *>((<size_t>sums.lanes + bytes - 1) // bytes * bytes)


cdef inline void measure_bytes(Sums *sums, crow8 x, crow8 r, int n, int16_t threshold) noexcept nogil:
    # What is summed is w^2, w = t - d the distance from the threshold, whose sign tells what has changed. It has to be
    # computed anyway, and d^2 = w^2 + 2td - t^2.
    cdef int i
    cdef int differences = 0
    cdef int squares = 0
    cdef int16_t changed = 0
    cdef uint8_t d
    cdef int16_t w
    for i in range(n):  # hot
        d = <uint8_t>(max(x[i], r[i]) - min(x[i], r[i]))
        w = <int16_t>(threshold - d)
        differences += abs(x[i] - r[i])  # which x86 sums in one
        squares += w * w
        changed = <int16_t>(changed - (w >> 15))
    sums.differences += differences
    sums.squares += squares + 2 * threshold * differences - n * threshold * threshold
    sums.changed += changed


cdef inline int differences_of_bytes(crow8 x, crow8 r, int n) noexcept nogil:
    cdef int i
    cdef int differences = 0
    for i in range(n):  # hot
        differences += abs(x[i] - r[i])
    return differences


cdef inline uint16_t distance(uint16_t x, uint16_t r) noexcept nogil:
    return <uint16_t>(max(x, r) - min(x, r))


cdef inline void measure_words(Sums *sums, crow16 x, crow16 r, int n, uint16_t threshold) noexcept nogil:
    cdef int i
    cdef uint32_t differences = 0
    cdef uint64_t squares = 0
    cdef uint16_t changed = 0
    cdef uint16_t d
    for i in range(n):  # hot
        d = distance(x[i], r[i])
        differences += d
        squares += <uint32_t>d * d
        changed = <uint16_t>(changed + (d > threshold))
    sums.differences += differences
    sums.squares += squares
    sums.changed += changed


cdef inline uint32_t differences_of_words(crow16 x, crow16 r, int n) noexcept nogil:
    cdef int i
    cdef uint32_t differences = 0
    for i in range(n):  # hot
        differences += distance(x[i], r[i])
    return differences


cdef inline int measure_lanes(
        row_double differences, row_double squares, crow x, crow r, int n, float threshold) noexcept nogil:
    cdef int i
    cdef int changed = 0
    cdef float d
    for i in range(n):  # hot
        d = fabsf(x[i] - r[i])
        differences[i] += d
        squares[i] += <double>d * d
        changed += d > threshold
    return changed


cdef inline void differences_of_lanes(row_double differences, crow x, crow r, int n) noexcept nogil:
    cdef int i
    for i in range(n):  # hot
        differences[i] += fabsf(x[i] - r[i])


cdef inline void measure_floats(
        Sums *sums, const float *x, const float *r, int n, float threshold, Statistics wanted) noexcept nogil:
    cdef double *differences = float_differences(sums)
    if wanted == ALL:
        sums.changed += measure_lanes(differences, differences + LANES, x, r, n, threshold)
    else:
        differences_of_lanes(differences, x, r, n)


# Pictures

cdef inline void abs_bytes(row8 y, crow8 x, crow8 r, int n) noexcept nogil:
    cdef int i
    for i in range(n):  # hot
        y[i] = <uint8_t>(max(x[i], r[i]) - min(x[i], r[i]))


cdef inline void abs_words(row16 y, crow16 x, crow16 r, int n) noexcept nogil:
    cdef int i
    for i in range(n):  # hot
        y[i] = distance(x[i], r[i])


cdef inline void abs_floats(row y, crow x, crow r, int n) noexcept nogil:
    cdef int i
    for i in range(n):  # hot
        y[i] = fabsf(x[i] - r[i])


# v + (v >> b) >> b, with half a code in v, is d^2 / (2^b - 1) rounded, for every d.

cdef inline void square_bytes(row8 y, crow8 x, crow8 r, int n) noexcept nogil:
    cdef int i
    cdef int16_t d
    cdef uint16_t v
    for i in range(n):  # hot
        d = x[i] - r[i]
        v = <uint16_t>(d * d + 128)
        y[i] = <uint8_t>((v + (v >> 8)) >> 8)


cdef inline void square_words(row16 y, crow16 x, crow16 r, int n, int bits, uint32_t half) noexcept nogil:
    cdef int i
    cdef uint32_t d, v
    for i in range(n):  # hot
        d = distance(x[i], r[i])
        v = d * d + half
        y[i] = <uint16_t>((v + (v >> bits)) >> bits)


cdef inline void square_floats(row y, crow x, crow r, int n) noexcept nogil:
    cdef int i
    cdef float d
    for i in range(n):  # hot
        d = x[i] - r[i]
        y[i] = d * d


cdef inline void mask_bytes(row8 y, crow8 x, crow8 r, int n, uint8_t threshold) noexcept nogil:
    cdef int i
    cdef uint8_t d
    for i in range(n):  # hot
        d = <uint8_t>(max(x[i], r[i]) - min(x[i], r[i]))
        y[i] = 255 if d > threshold else 0


cdef inline void mask_words(row16 y, crow16 x, crow16 r, int n, uint16_t threshold, uint16_t peak) noexcept nogil:
    cdef int i
    for i in range(n):  # hot
        y[i] = peak if distance(x[i], r[i]) > threshold else <uint16_t>0


cdef inline void mask_floats(row y, crow x, crow r, int n, float threshold) noexcept nogil:
    cdef int i
    for i in range(n):  # hot
        y[i] = 1 if fabsf(x[i] - r[i]) > threshold else 0


cdef inline void draw_bytes(
        uint8_t *y, const uint8_t *x, const uint8_t *r, int n, Picture picture, double threshold) noexcept nogil:
    if picture == ABS:
        abs_bytes(y, x, r, n)
    elif picture == SQUARE:
        square_bytes(y, x, r, n)
    else:
        mask_bytes(y, x, r, n, <uint8_t>threshold)


cdef inline int bit_length(int peak) noexcept nogil:
    cdef int bits = 0
    while peak >> bits:
        bits += 1
    return bits


cdef inline void draw_words(
        uint16_t *y, const uint16_t *x, const uint16_t *r, int n, Picture picture, double threshold,
        int peak) noexcept nogil:
    if picture == ABS:
        abs_words(y, x, r, n)
    elif picture == SQUARE:
        square_words(y, x, r, n, bit_length(peak), (peak + 1) // 2)
    else:
        mask_words(y, x, r, n, <uint16_t>threshold, <uint16_t>peak)


cdef inline void draw_floats(
        float *y, const float *x, const float *r, int n, Picture picture, double threshold) noexcept nogil:
    if picture == ABS:
        abs_floats(y, x, r, n)
    elif picture == SQUARE:
        square_floats(y, x, r, n)
    else:
        mask_floats(y, x, r, n, <float>threshold)


# Pieces, and planes. y may be NULL: the picture is not wanted.

cdef inline void map_bytes(
        Sums *sums, uint8_t *y, const uint8_t *x, const uint8_t *r, int n, Picture picture, double threshold,
        Statistics wanted) noexcept nogil:
    if wanted == ALL:
        measure_bytes(sums, x, r, n, <int16_t>threshold)
    else:
        sums.differences += differences_of_bytes(x, r, n)
    if y != NULL:
        draw_bytes(y, x, r, n, picture, threshold)


cdef inline void map_words(
        Sums *sums, uint16_t *y, const uint16_t *x, const uint16_t *r, int n, Picture picture, double threshold,
        int peak, Statistics wanted) noexcept nogil:
    if wanted == ALL:
        measure_words(sums, x, r, n, <uint16_t>threshold)
    else:
        sums.differences += differences_of_words(x, r, n)
    if y != NULL:
        draw_words(y, x, r, n, picture, threshold, peak)


cdef inline void map_halves(
        Sums *sums, uint16_t *y, const uint16_t *x, const uint16_t *r, int n, Picture picture, double threshold,
        Statistics wanted) noexcept nogil:
    cdef float xs[LANES]
    cdef float rs[LANES]
    cdef float ys[LANES]
    load_halves(xs, x, n, 1)
    load_halves(rs, r, n, 1)
    measure_floats(sums, xs, rs, n, <float>threshold, wanted)
    if y != NULL:
        draw_floats(ys, xs, rs, n, picture, threshold)
        store_halves(y, ys, n, 1)


cdef inline void map_singles(
        Sums *sums, float *y, const float *x, const float *r, int n, Picture picture, double threshold,
        Statistics wanted) noexcept nogil:
    measure_floats(sums, x, r, n, <float>threshold, wanted)
    if y != NULL:
        draw_floats(y, x, r, n, picture, threshold)


cdef inline void map_piece(
        Sums *sums, void *y, const void *x, const void *r, int n, const Pixels *pixels, Picture picture,
        double threshold, Statistics wanted) noexcept nogil:
    if pixels.sample == BYTE:
        map_bytes(sums, <uint8_t *>y, <const uint8_t *>x, <const uint8_t *>r, n, picture, threshold, wanted)
    elif pixels.sample == WORD:
        map_words(
            sums, <uint16_t *>y, <const uint16_t *>x, <const uint16_t *>r, n, picture, threshold, <int>pixels.peak,
            wanted)
    elif pixels.sample == HALF:
        map_halves(sums, <uint16_t *>y, <const uint16_t *>x, <const uint16_t *>r, n, picture, threshold, wanted)
    else:
        map_singles(sums, <float *>y, <const float *>x, <const float *>r, n, picture, threshold, wanted)


cdef inline double stored_threshold(double threshold, const Pixels *pixels) noexcept nogil:
    """In stored values. For integers it is one: none lies between it and what was given."""
    threshold = threshold * pixels.peak / 255
    if pixels.sample == BYTE or pixels.sample == WORD:
        threshold = floor(fmin(threshold, pixels.peak))
    return threshold


cdef inline Change change_of(Sums *sums, int width, int height, const Pixels *pixels) noexcept nogil:
    cdef Change c
    cdef double count = <double>width * height
    cdef double peak = pixels.peak
    cdef double differences = sums.differences
    cdef double squares = sums.squares
    cdef int i
    for i in range(LANES):
        differences += float_differences(sums)[i]
        squares += float_differences(sums)[LANES + i]
    c.mad = differences * 255 / (peak * count)
    c.mse = squares * (255 * 255) / (peak * peak * count)
    c.changed = sums.changed / count
    return c


cdef inline Change map_change(
        void *dst, ptrdiff_t dst_stride, const void *x, ptrdiff_t x_stride, const void *r, ptrdiff_t r_stride,
        int width, int height, const Pixels *pixels, Picture picture, double threshold,
        Statistics wanted) noexcept nogil:
    """Measures the change from r to x and draws its picture, unless dst is NULL. `threshold`: 8-bit scale.

    What is not wanted is 0.
    """
    cdef Sums sums
    cdef bint integers = pixels.sample == BYTE or pixels.sample == WORD
    cdef int size = sample_bytes(pixels)
    cdef int step = PIECE // size if integers else LANES
    cdef int length = width
    cdef int rows = height
    cdef char *ys = NULL
    cdef const char *xs
    cdef const char *rs
    cdef int y, start, n
    memset(&sums, 0, sizeof(Sums))
    threshold = stored_threshold(threshold, pixels)
    if (integers and x_stride == width * size and r_stride == x_stride and (dst == NULL or dst_stride == x_stride)
            and width <= (INT_MAX - PIECE) // height):
        # Without a gap between them, rows are one row. Sums of integers do not depend on it, and adding up a vector
        # at the end of each row costs a tenth of the time.
        length = width * height
        rows = 1
    for y in range(rows):
        start = 0
        while start < length:
            n = min(step, length - start)
            xs = <const char *>x + y * x_stride + <ptrdiff_t>start * size
            rs = <const char *>r + y * r_stride + <ptrdiff_t>start * size
            fetch_ahead(xs, n * size)
            fetch_ahead(rs, n * size)
            if dst != NULL:
                ys = <char *>dst + y * dst_stride + <ptrdiff_t>start * size
                fetch_ahead_to_write(ys, n * size)
            map_piece(&sums, ys, xs, rs, n, pixels, picture, threshold, wanted)
            start += n
    return change_of(&sums, width, height, pixels)
