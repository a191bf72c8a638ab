"""Linear diffusion solved exactly: convolution with the heat kernel of the grid, e^(-2t) I_n(2t) along each axis.

It multiplies the cosine mode of eigenvalue -lambda by e^(-lambda*t), and it is what a Gaussian of standard deviation
sqrt(2t) is on a grid: its variance is 2t exactly, and twice a time t is a time 2t (Lindeberg 1990). What reaches
further than the radius is given to the last neighbours.

A plane goes through in blocks of rows. A row is weighed along itself as it comes; across rows, panels of `LANES`
columns are, in which one row follows another directly: both axes are the same loop, over neighbours `stride` apart, and
a panel stays in the fastest cache while every tap passes over it.

Rounding tells which axis came first. So that is the longer one, and for a square plane the mean of both orders: what a
transposed or rotated picture would give is the same bytes, transposed or rotated.
"""

from libc.math cimport sqrt
from libc.stddef cimport ptrdiff_t, size_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy, memmove, memset

from common.c cimport crow, row
from common.pixels cimport Pixels, load_row, store_row, working_pixels


cdef enum:
    LANES = 16             # columns of a panel: a cache line
    BLOCK = 16             # rows that are finished at a time
    BLOCKS = 2             # that a panel takes in before what is still needed of it moves back to its beginning
    TAPS = 5               # neighbours on each side that one pass of the loop takes in


cdef struct Heat:
    int radius             # neighbours on each side, a multiple of TAPS; 0: the identity
    float *weights         # of the centre, then outwards: radius + 1


# The kernel

cdef inline void heat_weights(double time, double *values, int orders) noexcept nogil:
    """e^-x I_n(x) for x = 2*time and n < orders, by Miller's backward recurrence I[n-1] = I[n+1] + (2n/x) I[n].

    It may begin with any value where I_n is negligible: it is scaled afterwards by I[0] + 2*(I[1] + I[2] + ...) = e^x.
    """
    cdef double above = 0
    cdef double value = 1e-300
    cdef double total = 0
    cdef double below
    cdef int n, i
    for n in range(orders - 1, -1, -1):
        values[n] = value
        total += value if n == 0 else 2 * value
        below = above + n / time * value
        above = value
        value = below
        if value > 1e150:
            for i in range(n, orders):
                values[i] *= 1e-150
            above *= 1e-150
            value *= 1e-150
            total *= 1e-150
    for n in range(orders):
        values[n] /= total


cdef inline bint describe_heat(Heat *h, double time, double tail) noexcept nogil:
    """Diffusion for a time >= 0, with less than `tail` beyond the radius: 1e-7, a rounding, for what is differentiated.

    False: out of memory. `free_heat` afterwards, in any case.
    """
    cdef int orders = <int>(10 * sqrt(2 * time)) + 40
    cdef double *values = <double *>malloc(orders * sizeof(double))
    cdef double rest = 0
    cdef double centre = 1
    cdef int n
    h.radius = 0
    h.weights = <float *>malloc(orders * sizeof(float))
    if values == NULL or h.weights == NULL:
        free(values)
        return False
    if time > 1e-8:  # or no neighbour weighs anything
        heat_weights(time, values, orders)
        n = orders - 1
        while n > 0 and rest + 2 * values[n] <= tail:
            rest += 2 * values[n]
            n -= 1
        h.radius = (n + TAPS - 1) // TAPS * TAPS
        # What lies beyond the last neighbour is given to it: variance and low modes lose next to nothing.
        for n in range(h.radius + 1, orders):
            values[h.radius] += values[n]
    for n in range(1, h.radius + 1):
        h.weights[n] = <float>values[n]
        centre -= 2 * <double>h.weights[n]
    h.weights[0] = <float>centre  # so that the sum is one
    free(values)
    return True


cdef inline void free_heat(Heat *h) noexcept nogil:
    free(h.weights)


# Sums over neighbours `stride` apart

cdef inline void weigh_first(row out, const float *u, ptrdiff_t stride, int n, const float *weights) noexcept nogil:
    cdef crow a0 = u - stride
    cdef crow b0 = u + stride
    cdef crow a1 = u - 2 * stride
    cdef crow b1 = u + 2 * stride
    cdef crow a2 = u - 3 * stride
    cdef crow b2 = u + 3 * stride
    cdef crow a3 = u - 4 * stride
    cdef crow b3 = u + 4 * stride
    cdef crow a4 = u - 5 * stride
    cdef crow b4 = u + 5 * stride
    cdef float w0 = weights[1]
    cdef float w1 = weights[2]
    cdef float w2 = weights[3]
    cdef float w3 = weights[4]
    cdef float w4 = weights[5]
    cdef float centre = weights[0]
    cdef int x
    for x in range(n):  # hot
        out[x] = ((w0 * (a0[x] + b0[x]) + w1 * (a1[x] + b1[x])) + (w2 * (a2[x] + b2[x]) + w3 * (a3[x] + b3[x]))) + (
            w4 * (a4[x] + b4[x]) + centre * u[x])


cdef inline void weigh_more(
        row out, const float *u, ptrdiff_t stride, int n, int k, const float *weights) noexcept nogil:
    cdef crow a0 = u - k * stride
    cdef crow b0 = u + k * stride
    cdef crow a1 = u - (k + 1) * stride
    cdef crow b1 = u + (k + 1) * stride
    cdef crow a2 = u - (k + 2) * stride
    cdef crow b2 = u + (k + 2) * stride
    cdef crow a3 = u - (k + 3) * stride
    cdef crow b3 = u + (k + 3) * stride
    cdef crow a4 = u - (k + 4) * stride
    cdef crow b4 = u + (k + 4) * stride
    cdef float w0 = weights[k]
    cdef float w1 = weights[k + 1]
    cdef float w2 = weights[k + 2]
    cdef float w3 = weights[k + 3]
    cdef float w4 = weights[k + 4]
    cdef int x
    for x in range(n):  # hot
        out[x] = ((w0 * (a0[x] + b0[x]) + w1 * (a1[x] + b1[x])) + (w2 * (a2[x] + b2[x]) + w3 * (a3[x] + b3[x]))) + (
            w4 * (a4[x] + b4[x]) + out[x])


cdef inline void weigh(row out, const float *u, ptrdiff_t stride, int n, const Heat *h) noexcept nogil:
    """out[x] = sum over k of weights[|k|] * u[x + k*stride]."""
    cdef int k
    if h.radius == 0:
        memcpy(out, u, n * sizeof(float))
        return
    weigh_first(out, u, stride, n, h.weights)
    k = 1 + TAPS
    while k <= h.radius:
        weigh_more(out, u, stride, n, k, h.weights)
        k += TAPS


# A plane

cdef inline size_t line_floats(int width, const Heat *h) noexcept nogil:
    """A row with what is reflected at both ends; its first pixel is at `margin`."""
    return margin(h) + panels_of(width) * LANES + margin(h)


cdef inline size_t margin(const Heat *h) noexcept nogil:
    return (h.radius + LANES - 1) // LANES * LANES


cdef inline size_t panels_of(int width) noexcept nogil:
    return (width + LANES - 1) // LANES


cdef inline size_t panel_rows(const Heat *h) noexcept nogil:
    """An odd number, so that the same row of all panels does not meet in the same few lines of the cache."""
    return 2 * h.radius + BLOCKS * BLOCK + 1


cdef inline size_t heat_floats(int width, int height, const Heat *h) noexcept nogil:
    """The scratch that heat_plane needs."""
    cdef size_t size = panels_of(width) * LANES * panel_rows(h)
    size += BLOCK * line_floats(width, h) + panels_of(width) * LANES + BLOCK * LANES
    if width == height:
        size += panels_of(width) * LANES * height
    return size


cdef inline void reflect_ends(float *u, int n, int radius) noexcept nogil:
    """Sets `radius` pixels beyond each end: ... 1 0 | 0 1 ... n-1 | n-1 n-2 ..., over and over if the row is short."""
    cdef int k
    for k in range(radius):
        (u - 1 - k)[0] = u[k] if k < n else (u - 1 - k + 2 * n)[0]
        u[n + k] = u[n - 1 - k] if k < n else (u + k - n)[0]


cdef inline int reflected(int y, int n) noexcept nogil:
    y = y % (2 * n)
    if y < 0:
        y += 2 * n
    return y if y < n else 2 * n - 1 - y


cdef inline void heat_by_axes(
        void *dst, ptrdiff_t dst_stride, const Pixels *dst_pixels, const void *src, ptrdiff_t src_stride,
        const Pixels *src_pixels, int width, int height, const Heat *h, bint along_first, const float *other,
        float *scratch) noexcept nogil:
    """One order of the axes: along rows first, or across them. The result is averaged with `other` unless NULL."""
    cdef size_t panels = panels_of(width)
    cdef size_t pitch = panels * LANES
    cdef size_t rows = panel_rows(h)
    cdef float *lines = scratch + panels * rows * LANES + margin(h)
    cdef size_t line_pitch = line_floats(width, h)
    cdef float *whole = lines - margin(h) + BLOCK * line_pitch
    cdef float *column = whole + pitch
    cdef float *panel
    cdef float *line
    cdef size_t p
    cdef int above = h.radius      # rows of a panel before those of the block
    cdef int top = 0
    cdef int known = 0             # the rows, from the first, that the panels have taken in
    cdef int count, needed, y
    # What is beyond the width in the last panel is computed, and not used.
    memset(whole, 0, pitch * sizeof(float))
    for y in range(BLOCK):
        memset(lines + y * line_pitch, 0, pitch * sizeof(float))
    while top < height:
        count = min(<int>BLOCK, height - top)
        needed = top + count + h.radius
        for y in range(known, min(needed, height)):
            load_row(lines, <const char *>src + y * src_stride, width, src_pixels)
            line = lines
            if along_first:
                reflect_ends(lines, width, h.radius)
                weigh(whole, lines, 1, width, h)
                line = whole
            for p in range(panels):
                memcpy(scratch + (p * rows + above + y - top) * LANES, line + p * LANES, LANES * sizeof(float))
        for p in range(panels):
            panel = scratch + (p * rows + above) * LANES
            for y in range(-h.radius if top == 0 else 0, 0):
                memcpy(panel + y * LANES, panel + reflected(y, height) * LANES, LANES * sizeof(float))
            for y in range(max(known, height), needed):
                memcpy(
                    panel + (y - top) * LANES, panel + (reflected(y, height) - top) * LANES, LANES * sizeof(float))
            weigh(column, panel, LANES, count * LANES, h)
            for y in range(count):
                memcpy(lines + y * line_pitch + p * LANES, column + y * LANES, LANES * sizeof(float))
        known = needed
        above += BLOCK
        if above + BLOCK + h.radius > <int>rows:
            for p in range(panels):
                panel = scratch + p * rows * LANES
                memmove(panel, panel + (above - h.radius) * LANES, 2 * h.radius * LANES * sizeof(float))
            above = h.radius
        for y in range(count):
            line = lines + y * line_pitch
            if not along_first:
                reflect_ends(line, width, h.radius)
                weigh(whole, line, 1, width, h)
                line = whole
            if other != NULL:
                average_row(line, other + (top + y) * pitch, width)
            store_row(<char *>dst + (top + y) * dst_stride, line, width, dst_pixels)
        top += BLOCK


cdef inline void average_row(row u, crow v, int n) noexcept nogil:
    cdef int x
    for x in range(n):  # hot
        u[x] = <float>0.5 * (u[x] + v[x])


cdef inline void heat_plane(
        void *dst, ptrdiff_t dst_stride, const Pixels *dst_pixels, const void *src, ptrdiff_t src_stride,
        const Pixels *src_pixels, int width, int height, const Heat *h, float *scratch) noexcept nogil:
    """dst may be src: a row is read long before it is written."""
    cdef Pixels working = working_pixels()
    cdef size_t pitch = panels_of(width) * LANES
    cdef float *other = NULL
    if width == height:
        other = scratch + heat_floats(width, height, h) - pitch * height
        heat_by_axes(
            other, pitch * sizeof(float), &working, src, src_stride, src_pixels, width, height, h, False, NULL, scratch)
    heat_by_axes(
        dst, dst_stride, dst_pixels, src, src_stride, src_pixels, width, height, h, width >= height, other, scratch)
