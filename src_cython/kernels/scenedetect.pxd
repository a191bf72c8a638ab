"""How likely a frame starts a scene: distances between frames, and what makes one of them a cut.

For every frame two figures: its *change*, how far it is from the frames before, and its *motion*, what of that can be
had within a scene. Its score is change / (floor + the largest motion around it).

adaptive    Frames are compared as thumbnails: noise and small motion are gone.
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

from libc.stddef cimport ptrdiff_t
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.string cimport memset

from common.c cimport clampf, crow, fabsf, maxf, minf
from common.pixels cimport BYTE, Pixels, load_row, row8, sample_bytes
from kernels.changemap cimport ABS, ALL, MAD_ALONE, Change, map_change
from kernels.thumbnail cimport COLUMNS, ROWS, cells_along, distance, moved_distance


cdef enum:
    REACH = 6           # frames on each side of a cut that it has to part
    NEAR = 4            # and from whose motion it has to stand out
    FLOOR = 5           # added to it
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
    cdef Change change = map_change(
        NULL, 0, x, x_stride, r, r_stride, width, height, pixels, ABS, 0, MAD_ALONE if metric == MAD else ALL)
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
