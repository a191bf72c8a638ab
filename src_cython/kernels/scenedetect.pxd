"""How likely a frame starts a scene: distances between frames, and what makes one of them a cut.

For every frame two figures: its *change*, how far it is from the frames before, and its *motion*, what of that can be
had within a scene. Its score is change / (floor + the largest motion around it).

adaptive    Frames are compared as thumbnails of 64x32 cells, each the mean of its pixels, on the 8-bit scale: noise
            and small motion are gone. The distance of two is the mean of |a - b|.
            change(n): the smallest distance between one of the six frames before n and one of the six from n on. A cut
            parts them all; after a flash, however bright, the picture from before is back, and a fade is small steps.
            motion(n): the distance from the frame before, the picture shifted by what fits best, so that a pan is
            little motion; change is no more than it. A cut stands out from the motion of the four frames before and
            after.
mse, mad    The mean of squared or absolute differences from the frame before. No motion, and a floor of 1: the score
            is the change.
histogram   The earth mover's distance between the histograms of a frame and the one before: by how much, in the mean,
            pixels have to change at least to get from one to the other; the area between cumulative histograms.
"""

from libc.stddef cimport ptrdiff_t, size_t
from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memset

from common.c cimport clampf, crow, fabsf, maxf, minf, row
from common.pixels cimport BYTE, WORD, Pixels, crow8, crow16, load_row, row8, sample_bytes
from kernels.changemap cimport Change, measure_change


cdef extern from * nogil:
    ctypedef uint32_t *row32 "uint32_t *restrict"


cdef enum:
    # A thumbnail: its cells, 8-bit scale, then the sum of each column, then that of each row.
    COLUMNS = 64
    ROWS = 32
    LINES = 34
    ENOUGH = 8          # rows of a large cell that are looked at, evenly spread, at least
    REACH = 6           # frames on each side of a cut that it has to part
    NEAR = 4            # and from whose motion it has to stand out
    FLOOR = 5           # added to it
    SHIFT = 8           # a pan is looked for up to this part of a picture's width and height a frame
    SHIFTS = 17         # 2 * COLUMNS / SHIFT + 1
    LEVELS = 256
    TABLES = 4
    CHUNK = 1024


cdef enum Metric:
    ADAPTIVE
    MSE
    MAD
    HISTOGRAM
    METRICS


cdef struct Evidence:
    float change
    float motion


# Thumbnails

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


cdef inline Evidence compare_thumbnails(
        const float **thumbnails, int before, int after, int width, int height) noexcept nogil:
    """Of the frame thumbnails[before]."""
    cdef Evidence e
    cdef int columns = cells_along(width, COLUMNS)
    cdef int rows = cells_along(height, ROWS)
    cdef int i, j
    e.motion = moved_distance(thumbnails[before - 1], thumbnails[before], columns, rows)
    e.change = e.motion
    for i in range(before):
        for j in range(before, before + after + 1):
            e.change = minf(e.change, distance(thumbnails[i], thumbnails[j], columns, rows, 0, 0))
    return e


# Histograms

cdef inline void count_bytes(uint32_t *tables, const uint8_t *levels, int n) noexcept nogil:
    """Counts levels in tables that take turns: one alone would wait for its last increment wherever they are equal."""
    cdef int x = 0
    while x + TABLES <= n:
        tables[levels[x]] += 1
        tables[LEVELS + levels[x + 1]] += 1
        tables[2 * LEVELS + levels[x + 2]] += 1
        tables[3 * LEVELS + levels[x + 3]] += 1
        x += TABLES
    for x in range(x, n):
        tables[levels[x]] += 1


cdef inline void levels_of(row8 levels, crow values, int n) noexcept nogil:
    cdef int x
    for x in range(n):  # hot
        levels[x] = <uint8_t><int>clampf(values[x], 0, LEVELS - 1)


cdef inline void count_levels(uint32_t *tables, const void *src, int n, const Pixels *pixels) noexcept nogil:
    """Counts samples by the integer part of their value on the working scale."""
    cdef float values[CHUNK]
    cdef uint8_t levels[CHUNK]
    cdef const uint8_t *s = <const uint8_t *>src
    cdef int bytes = sample_bytes(pixels)
    cdef int start = 0
    cdef int count
    if pixels.sample == BYTE:
        count_bytes(tables, s, n)
        return
    while start < n:
        count = min(CHUNK, n - start)
        load_row(values, s + start * bytes, count, pixels)
        levels_of(levels, values, count)
        count_bytes(tables, levels, count)
        start += CHUNK


cdef inline void find_histogram(
        float *cumulative, const void *src, ptrdiff_t stride, int width, int height,
        const Pixels *pixels) noexcept nogil:
    """The part of a plane's samples that have each level or one below it."""
    cdef uint32_t tables[TABLES * LEVELS]
    cdef double samples = <double>width * height
    cdef uint64_t below = 0
    cdef int i, j
    memset(tables, 0, sizeof(tables))
    for _ in range(height):
        count_levels(tables, src, width, pixels)
        src = <const char *>src + stride
    for i in range(LEVELS):
        for j in range(TABLES):
            below += tables[j * LEVELS + i]
        cumulative[i] = <float>(below / samples)


cdef inline Evidence compare_histograms(const float *a, const float *b, int planes) noexcept nogil:
    """The mean over the planes."""
    cdef Evidence e
    cdef int i
    e.change = e.motion = 0
    for i in range(LEVELS * planes):
        e.change += fabsf(a[i] - b[i])
    e.change /= planes
    return e


# What the filter asks for

cdef inline int feature_length(Metric metric, int planes) noexcept nogil:
    """Numbers that hold all that is compared of a frame; 0: its pixels themselves."""
    if metric == ADAPTIVE:
        return LINES * COLUMNS
    return LEVELS * planes if metric == HISTOGRAM else 0


cdef inline size_t feature_scratch(Metric metric, int width) noexcept nogil:
    return 2 * <size_t>width * sizeof(float) if metric == ADAPTIVE else 0


cdef inline void begin_feature(Metric metric, float *feature) noexcept nogil:
    if metric == ADAPTIVE:
        memset(feature, 0, LINES * COLUMNS * sizeof(float))


cdef inline void add_feature(
        Metric metric, float *feature, const void *src, ptrdiff_t stride, int width, int height, const Pixels *pixels,
        int plane, int planes, void *scratch) noexcept nogil:
    """Adds what is compared of one of so many planes."""
    if metric == ADAPTIVE:
        add_thumbnail(feature, src, stride, width, height, pixels, planes, scratch)
    else:
        find_histogram(feature + plane * LEVELS, src, stride, width, height, pixels)


cdef inline void finish_feature(Metric metric, float *feature, int width, int height) noexcept nogil:
    if metric == ADAPTIVE:
        add_profiles(feature, width, height)


cdef inline int frames_before(Metric metric) noexcept nogil:
    """Frames that a frame is compared with."""
    return REACH if metric == ADAPTIVE else 1


cdef inline int frames_after(Metric metric) noexcept nogil:
    """And frames after it that are compared in its stead."""
    return REACH - 1 if metric == ADAPTIVE else 0


cdef inline Evidence compare(
        Metric metric, const float **features, int before, int after, int width, int height,
        int planes) noexcept nogil:
    """The evidence of the frame features[before], with as many frames before it and `after` ones after it."""
    if metric == ADAPTIVE:
        return compare_thumbnails(features, before, after, width, height)
    return compare_histograms(features[0], features[1], planes)


cdef inline void add_change(
        Metric metric, Evidence *e, const void *x, ptrdiff_t x_stride, const void *r, ptrdiff_t r_stride, int width,
        int height, const Pixels *pixels, int planes) noexcept nogil:
    """Adds the change from r to x of one of so many planes."""
    cdef Change change = measure_change(x, x_stride, r, r_stride, width, height, pixels, 0)
    e.change += <float>((change.mse if metric == MSE else change.mad) / planes)


cdef inline int frames_near(Metric metric) noexcept nogil:
    """Frames on each side whose motion a score is relative to."""
    return NEAR if metric == ADAPTIVE else 0


cdef inline double usual_threshold(Metric metric) noexcept nogil:
    if metric == ADAPTIVE:
        return 1.4
    return 2500 if metric == MSE else 35 if metric == MAD else 20


cdef inline float score(Metric metric, const Evidence *evidence, int count, int i) noexcept nogil:
    """Of frame i among `count` frames."""
    cdef float motion = 0
    cdef int near = frames_near(metric)
    cdef int j
    for j in range(max(0, i - near), min(count, i + near + 1)):
        if j != i:
            motion = maxf(motion, evidence[j].motion)
    return evidence[i].change / ((FLOOR if metric == ADAPTIVE else 1) + motion)


cdef inline bint is_cut(
        const float *scores, int first, int last, int n, double threshold, int min_length) noexcept nogil:
    """Whether frame n starts a scene, from the scores of the frames first...last.

    Its score is above the threshold, and no better one is less than min_length frames away; of equals, the first is
    taken. The clip's start is as good as a cut: what is too near to it does not count.
    """
    cdef float here
    cdef int m
    if n < min_length or n > last:
        return False
    here = scores[n - first]
    if not here > threshold:
        return False
    for m in range(max(min_length, n - min_length + 1), min(last + 1, n + min_length)):
        if scores[m - first] > here or (m < n and scores[m - first] == here):
            return False
    return True
