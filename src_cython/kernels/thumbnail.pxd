"""Frames as thumbnails: how far two pictures are from each other, without noise and small motion.

A thumbnail has 64x32 cells, each the mean of its pixels, on the 8-bit scale. The distance of two is the mean of
|a - b|, of as many as fit if one of them is shifted.
"""

from libc.stddef cimport ptrdiff_t, size_t
from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport abs
from libc.string cimport memset

from common.c cimport crow, fabsf, minf, row
from common.pixels cimport BYTE, WORD, Pixels, crow8, crow16, load_row


cdef extern from * nogil:
    ctypedef uint32_t *row32 "uint32_t *restrict"


cdef enum:
    # A thumbnail: its cells, 8-bit scale, then the sum of each column, then that of each row.
    COLUMNS = 64
    ROWS = 32
    LINES = 34
    ENOUGH = 8          # rows of a large cell that are looked at, evenly spread, at least
    SHIFT = 8           # a pan is looked for up to this part of a picture's width and height a frame
    SHIFTS = 17         # 2 * COLUMNS / SHIFT + 1


cdef inline void add_bytes(row32 sums, crow8 a, crow8 b, crow8 c, crow8 d, int n) noexcept nogil:
    cdef int x
    for x in range(n):  # hot
        sums[x] += <uint16_t>(<uint16_t>(a[x] + b[x]) + <uint16_t>(c[x] + d[x]))


cdef inline void add_byte_row(row32 sums, crow8 a, int n) noexcept nogil:
    cdef int x
    for x in range(n):  # hot
        sums[x] += a[x]


cdef inline void add_word_row(row32 sums, crow16 a, int n) noexcept nogil:
    cdef int x
    for x in range(n):  # hot
        sums[x] += a[x]


cdef inline void add_float_row(row sums, crow a, int n) noexcept nogil:
    cdef int x
    for x in range(n):  # hot
        sums[x] += a[x]


cdef inline uint64_t total(const uint32_t *sums, int n) noexcept nogil:
    cdef uint64_t sum = 0
    cdef int x
    for x in range(n):  # hot
        sum += sums[x]
    return sum


cdef inline float float_total(const float *sums, int n) noexcept nogil:
    cdef float sum = 0
    cdef int x
    for x in range(n):
        sum += sums[x]
    return sum


cdef inline int cells_along(int pixels, int most) noexcept nogil:
    return min(pixels, most)


cdef inline int cell_start(int cell, int cells, int pixels) noexcept nogil:
    return <int>(<long long>cell * pixels // cells)


cdef inline void add_rows(
        void *sums, float *values, const void *src, ptrdiff_t stride, int width, int left,
        const Pixels *pixels) noexcept nogil:
    """Adds rows to the sums of their columns, uint32 of stored values or, of floats, on the working scale."""
    cdef const uint8_t *s = <const uint8_t *>src
    if pixels.sample == BYTE:
        while left >= 4:
            add_bytes(<uint32_t *>sums, s, s + stride, s + 2 * stride, s + 3 * stride, width)
            s += 4 * stride
            left -= 4
    for _ in range(left):
        if pixels.sample == BYTE:
            add_byte_row(<uint32_t *>sums, s, width)
        elif pixels.sample == WORD:
            add_word_row(<uint32_t *>sums, <const uint16_t *>s, width)
        else:
            load_row(values, s, width, pixels)
            add_float_row(<float *>sums, values, width)
        s += stride


cdef inline void add_thumbnail(
        float *cells, const void *src, ptrdiff_t stride, int width, int height, const Pixels *pixels, int planes,
        void *scratch) noexcept nogil:
    """Adds a plane's part in the mean of the thumbnails of so many planes."""
    cdef bint integer = pixels.sample == BYTE or pixels.sample == WORD
    cdef int columns = cells_along(width, COLUMNS)
    cdef int rows = cells_along(height, ROWS)
    cdef double unit = 1 / pixels.unit
    cdef double value
    cdef int i, j, x, y, w, h, step
    if integer:
        unit *= pixels.scale
    for j in range(rows):
        y = cell_start(j, rows, height)
        h = cell_start(j + 1, rows, height) - y
        step = max(1, h // ENOUGH)
        h = (h + step - 1) // step
        memset(scratch, 0, width * sizeof(float))
        add_rows(scratch, <float *>scratch + width, <const char *>src + y * stride, step * stride, width, h, pixels)
        for i in range(columns):
            x = cell_start(i, columns, width)
            w = cell_start(i + 1, columns, width) - x
            if integer:
                value = <double>total(<const uint32_t *>scratch + x, w)
            else:
                value = float_total(<const float *>scratch + x, w)
            value = value * unit / (<double>w * h * planes)
            # What is no number, or none of a picture, says nothing about scenes.
            cells[j * COLUMNS + i] += <float>(value if -1e6 < value < 1e6 else 0)


cdef inline size_t thumbnail_scratch(int width) noexcept nogil:
    return 2 * <size_t>width * sizeof(float)


cdef inline void clear_thumbnail(float *cells) noexcept nogil:
    memset(cells, 0, LINES * COLUMNS * sizeof(float))


cdef inline void add_profiles(float *cells, int width, int height) noexcept nogil:
    """Completes a thumbnail."""
    cdef int columns = cells_along(width, COLUMNS)
    cdef float *across = cells + ROWS * COLUMNS
    cdef float *down = across + COLUMNS
    cdef int j
    for j in range(cells_along(height, ROWS)):
        add_float_row(across, cells + j * COLUMNS, columns)
        down[j] = float_total(cells + j * COLUMNS, columns)


# Distances of thumbnails

cdef inline float distance(const float *a, const float *b, int columns, int rows, int dx, int dy) noexcept nogil:
    """The mean of |a(x, y) - b(x + dx, y + dy)| where both are."""
    cdef float sums[COLUMNS]
    cdef int n = columns - abs(dx)
    cdef int m = rows - abs(dy)
    a += max(0, -dy) * COLUMNS + max(0, -dx)
    b += max(0, dy) * COLUMNS + max(0, dx)
    memset(sums, 0, sizeof(sums))
    for _ in range(m):
        add_differences(sums, a, b, n)
        a += COLUMNS
        b += COLUMNS
    return float_total(sums, n) / (n * m)


cdef inline void add_differences(row sums, crow a, crow b, int n) noexcept nogil:
    cdef int x
    for x in range(n):  # hot
        sums[x] += fabsf(a[x] - b[x])


cdef inline void add_value_differences(row sums, float a, crow b, int n) noexcept nogil:
    cdef int x
    for x in range(n):  # hot
        sums[x] += fabsf(a - b[x])


cdef inline int best_shift(const float *a, const float *b, int n) noexcept nogil:
    """d for which the profiles a(x) and b(x + d) are nearest; of equals the smallest."""
    cdef float sums[SHIFTS]
    cdef int most = n // SHIFT
    cdef int best = most
    cdef int x, d
    memset(sums, 0, sizeof(sums))
    for x in range(most, n - most):
        add_value_differences(sums, a[x], b + x - most, 2 * most + 1)
    for d in range(1, most + 1):
        if sums[most + d] < sums[best]:
            best = most + d
        if sums[most - d] < sums[best]:
            best = most - d
    return best - most


cdef inline float moved_distance(const float *a, const float *b, int columns, int rows) noexcept nogil:
    """The distance of two thumbnails, one of them shifted along the axes to where it fits best."""
    cdef int dx = best_shift(a + ROWS * COLUMNS, b + ROWS * COLUMNS, columns)
    cdef int dy = best_shift(a + (ROWS + 1) * COLUMNS, b + (ROWS + 1) * COLUMNS, rows)
    cdef float nearest = distance(a, b, columns, rows, 0, 0)
    if dx != 0:
        nearest = minf(nearest, distance(a, b, columns, rows, dx, 0))
    if dy != 0:
        nearest = minf(nearest, distance(a, b, columns, rows, 0, dy))
    if dx != 0 and dy != 0:
        nearest = minf(nearest, distance(a, b, columns, rows, dx, dy))
    return nearest
