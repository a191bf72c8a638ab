"""Linear diffusion solved exactly: convolution with the heat kernel of the grid, e^(-2t) I_n(2t) along each axis.

It multiplies the cosine mode of eigenvalue -lambda by e^(-lambda*t), and it is what a Gaussian of standard deviation
sqrt(2t) is on a grid: its variance is 2t exactly, and twice a time t is a time 2t (Lindeberg 1990). What reaches
further than the radius is given to the last neighbours.

Sums are taken over rows of `LANES` floats that follow one another, four rows at a time: what is loaded stays in
registers until the four are done with it, no load straddles cache lines, and additions alone say how long it takes.
Across rows, such rows are those of a panel, `LANES` columns of the picture; along rows they are the columns of a strip,
`LANES` rows of the picture, transposed square by square. A plane goes through in blocks of rows.

Rounding tells which axis came first. So that is the longer one, and for a square plane the mean of both orders: what a
transposed or rotated picture would give is the same bytes, transposed or rotated.
"""

from libc.math cimport sqrt
from libc.stddef cimport ptrdiff_t, size_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy, memmove

from common.c cimport crow, fetch_row, fetch_to_write_row, row
from common.pixels cimport Pixels, View, load_part, load_row, sample_bytes, store_row, working_pixels


cdef extern from * nogil:
    """
    // GCC vectorises no loop inside of which another one carries values from step to step.
    #if defined(__AVX512F__)
    #define VDIFF_WIDTH 16
    #elif defined(__AVX__)
    #define VDIFF_WIDTH 8
    #else
    #define VDIFF_WIDTH 4
    #endif
    typedef float vdiff_vector __attribute__((vector_size(4 * VDIFF_WIDTH), aligned(4), may_alias));
    """
    enum:
        WIDTH "VDIFF_WIDTH"
    ctypedef float vector "vdiff_vector"


cdef enum:
    LANES = 16             # floats of a row: a cache line
    TILE = 256             # LANES rows
    BLOCK = 16             # rows of the picture that are finished at a time, as many as a strip has
    BLOCKS = 2             # that a panel takes in before what is still needed of it moves back to its beginning
    COLUMNS = 64           # of the picture that are read, transposed or written at a time
    GROUP = 4              # rows that are summed up at a time


cdef struct Heat:
    int radius             # neighbours on each side; 0: the identity
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
        h.radius = n
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


# Rows of LANES floats

cdef inline void weigh_group(
        float *out, ptrdiff_t pitch, const float *u, int radius, const float *weights) noexcept nogil:
    """GROUP rows of WIDTH columns. The sum begins outside: what is small is added to what is small."""
    cdef const float *a = u - radius * LANES
    cdef const float *b = u + radius * LANES
    cdef float weight = weights[radius]
    cdef vector a0 = (<const vector *>a)[0]
    cdef vector a1 = (<const vector *>(a + LANES))[0]
    cdef vector a2 = (<const vector *>(a + 2 * LANES))[0]
    cdef vector a3 = (<const vector *>(a + 3 * LANES))[0]
    cdef vector b0 = (<const vector *>b)[0]
    cdef vector b1 = (<const vector *>(b + LANES))[0]
    cdef vector b2 = (<const vector *>(b + 2 * LANES))[0]
    cdef vector b3 = (<const vector *>(b + 3 * LANES))[0]
    cdef vector sum0 = weight * (a0 + b0)
    cdef vector sum1 = weight * (a1 + b1)
    cdef vector sum2 = weight * (a2 + b2)
    cdef vector sum3 = weight * (a3 + b3)
    cdef int k = radius - 1
    while k > 0:
        # The neighbours of row y are those that row y+1 had above and row y-1 below, one step further out.
        a += LANES
        b -= LANES
        a0 = a1
        a1 = a2
        a2 = a3
        a3 = (<const vector *>(a + 3 * LANES))[0]
        b3 = b2
        b2 = b1
        b1 = b0
        b0 = (<const vector *>b)[0]
        weight = weights[k]
        sum0 = sum0 + weight * (a0 + b0)
        sum1 = sum1 + weight * (a1 + b1)
        sum2 = sum2 + weight * (a2 + b2)
        sum3 = sum3 + weight * (a3 + b3)
        k -= 1
    weight = weights[0]
    (<vector *>out)[0] = sum0 + weight * (<const vector *>u)[0]
    (<vector *>(out + pitch))[0] = sum1 + weight * (<const vector *>(u + LANES))[0]
    (<vector *>(out + 2 * pitch))[0] = sum2 + weight * (<const vector *>(u + 2 * LANES))[0]
    (<vector *>(out + 3 * pitch))[0] = sum3 + weight * (<const vector *>(u + 3 * LANES))[0]


cdef inline void weigh(float *out, ptrdiff_t pitch, const float *u, int rows, const Heat *h) noexcept nogil:
    """out[y] = sum over k of weights[|k|] * u[y + k], for a number of rows that is rounded up to groups."""
    cdef int i, j
    for i in range((rows + GROUP - 1) // GROUP):
        for j in range(LANES // WIDTH):
            weigh_group(
                out + i * GROUP * pitch + j * WIDTH, pitch, u + i * GROUP * LANES + j * WIDTH, h.radius, h.weights)


cdef inline void interleave(row out, crow a, crow b, crow c, crow d, int n) noexcept nogil:
    cdef int i
    for i in range(n):  # hot
        out[4 * i] = a[i]
        out[4 * i + 1] = b[i]
        out[4 * i + 2] = c[i]
        out[4 * i + 3] = d[i]


cdef inline void transpose(float *out, const float *u) noexcept nogil:
    """A tile. Of the 8 bits of an element's place, each interleaving of its quarters makes the upper two the lower."""
    cdef float between[TILE]
    interleave(between, u, u + 64, u + 128, u + 192, 64)
    interleave(out, between, between + 64, between + 128, between + 192, 64)


cdef inline void transpose_lines(float *out, const float *u) noexcept nogil:
    """LANES rows of COLUMNS."""
    cdef float between[4][4 * COLUMNS]
    cdef int i
    for i in range(4):
        interleave(
            between[i], u + i * COLUMNS, u + (i + 4) * COLUMNS, u + (i + 8) * COLUMNS, u + (i + 12) * COLUMNS, COLUMNS)
    interleave(out, between[0], between[1], between[2], between[3], 4 * COLUMNS)


cdef inline void copy_row(float *u, ptrdiff_t to, ptrdiff_t y) noexcept nogil:
    memcpy(u + to * LANES, u + y * LANES, LANES * sizeof(float))


cdef inline void reflect_rows(float *u, int n, int first, int last) noexcept nogil:
    """Sets the rows from `first` < 0 and up to before `last` > n by rows 0...n-1."""
    cdef int y
    for y in range(first, 0):
        copy_row(u, y, reflected(y, n))
    for y in range(n, last):
        copy_row(u, y, reflected(y, n))


# A plane

cdef inline int panels_of(int width) noexcept nogil:
    return (width + LANES - 1) // LANES


cdef inline int panel_rows(const Heat *h) noexcept nogil:
    """An odd number, so that the same row of all panels does not meet in the same few lines of the cache."""
    return 2 * h.radius + (BLOCKS + 1) * BLOCK + 1


cdef inline size_t heat_floats(int width, int height, const Heat *h) noexcept nogil:
    """The scratch that heat_plane needs: panels, a strip, lines, two tiles, for a square plane another one."""
    cdef size_t pitch = panels_of(width) * LANES
    cdef size_t size = pitch * panel_rows(h) + (pitch + 2 * h.radius + COLUMNS) * LANES + BLOCK * COLUMNS + 2 * TILE
    if width == height:
        size += pitch * height
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


cdef inline void read_lines(float *lines, const View *src, int x, int y, int columns, int rows) noexcept nogil:
    """A part of some rows; memory is asked for the next: it would not guess what comes after so short ones."""
    cdef int size = sample_bytes(src.pixels)
    cdef int i
    for i in range(rows):
        load_part(lines + i * COLUMNS, src, x, y + i, columns)
        fetch_row(
            <const char *>src.data + (y + i) * src.stride + (x + columns) * size,
            min(<int>COLUMNS, src.width - x - columns) * size)


cdef inline void write_lines(
        void *dst, ptrdiff_t stride, const Pixels *pixels, int width, const float *lines, int x, int y, int columns,
        int rows) noexcept nogil:
    cdef int size = sample_bytes(pixels)
    cdef char *out
    cdef int i
    for i in range(rows):
        out = <char *>dst + (y + i) * stride + x * size
        store_row(out, lines + i * COLUMNS, columns, pixels)
        fetch_to_write_row(out + columns * size, min(<int>COLUMNS, width - x - columns) * size)


cdef inline void copy_tile(
        float *out, ptrdiff_t out_pitch, const float *u, ptrdiff_t pitch, int rows) noexcept nogil:
    cdef int y
    for y in range(rows):
        memcpy(out + y * out_pitch, u + y * pitch, LANES * sizeof(float))


cdef inline void heat_by_axes(
        void *dst, ptrdiff_t dst_stride, const Pixels *dst_pixels, const View *src, const Heat *h, bint along_first,
        const float *other, float *scratch) noexcept nogil:
    """One order of the axes: along rows first, or across them. The result is averaged with `other` unless NULL."""
    cdef int width = src.width
    cdef int height = src.height
    cdef int radius = h.radius
    cdef int panels = panels_of(width)
    cdef ptrdiff_t pitch = panels * LANES
    cdef ptrdiff_t panel = panel_rows(h) * LANES    # floats
    cdef float *strip = scratch + panels * panel + radius * LANES
    cdef float *lines = strip + (pitch + COLUMNS + radius) * LANES
    cdef float *summed = lines + BLOCK * COLUMNS
    cdef float *turned = summed + TILE
    cdef float *block
    cdef int above = radius        # rows of a panel before those of the block
    cdef int top = 0
    cdef int known = 0             # the rows, from the first, that the panels have taken in
    cdef int count, needed, rows, columns, i, x, p
    # What is beyond the width in the last panel, and beyond the height in the last strip, is computed, and not used.
    while top < height:
        count = min(<int>BLOCK, height - top)
        needed = top + count + radius
        while known < min(needed, height):
            rows = min(<int>BLOCK, height - known)
            block = scratch + (above + known - top) * LANES
            for i in range((width + COLUMNS - 1) // COLUMNS):
                x = i * COLUMNS
                columns = min(<int>COLUMNS, width - x)
                read_lines(lines, src, x, known, columns, rows)
                if along_first:
                    transpose_lines(strip + x * LANES, lines)
                else:
                    for p in range(panels_of(columns)):
                        copy_tile(block + (x // LANES + p) * panel, LANES, lines + p * LANES, COLUMNS, rows)
            if along_first:
                reflect_rows(strip, width, -radius, width + radius)
                for p in range(panels):
                    weigh(summed, LANES, strip + p * TILE, min(<int>LANES, width - p * LANES), h)
                    transpose(block + p * panel, summed)
            known += rows
        block = scratch + above * LANES
        if top == 0 or needed > height:
            for p in range(panels):
                reflect_rows(block + p * panel - top * LANES, height, -radius if top == 0 else 0, needed)
        if not along_first:
            for p in range(panels):
                weigh(summed, LANES, block + p * panel, count, h)
                transpose(strip + p * TILE, summed)
            reflect_rows(strip, width, -radius, width + radius)
        for i in range((width + COLUMNS - 1) // COLUMNS):
            x = i * COLUMNS
            columns = min(<int>COLUMNS, width - x)
            for p in range(panels_of(columns)):
                if along_first:
                    weigh(lines + p * LANES, COLUMNS, block + (x // LANES + p) * panel, count, h)
                else:
                    weigh(
                        summed, LANES, strip + (x + p * LANES) * LANES, min(<int>LANES, columns - p * LANES), h)
                    transpose(turned, summed)
                    copy_tile(lines + p * LANES, COLUMNS, turned, LANES, count)
            if other != NULL:
                for p in range(count):
                    average_row(lines + p * COLUMNS, other + (top + p) * pitch + x, columns)
            write_lines(dst, dst_stride, dst_pixels, width, lines, x, top, columns, count)
        top += BLOCK
        above += BLOCK
        if top < height and above + 2 * BLOCK + radius > panel_rows(h):
            for p in range(panels):
                memmove(
                    scratch + p * panel, scratch + p * panel + (above - radius) * LANES,
                    (radius + known - top) * LANES * sizeof(float))
            above = radius


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
    cdef View v
    cdef int y
    if h.radius == 0:
        for y in range(height):
            load_row(scratch, <const char *>src + y * src_stride, width, src_pixels)
            store_row(<char *>dst + y * dst_stride, scratch, width, dst_pixels)
        return
    v.data = src
    v.stride = src_stride
    v.width = width
    v.height = height
    v.pixels = src_pixels
    if width == height:
        other = scratch + heat_floats(width, height, h) - pitch * height
        heat_by_axes(other, pitch * sizeof(float), &working, &v, h, False, NULL, scratch)
    heat_by_axes(dst, dst_stride, dst_pixels, &v, h, width >= height, other, scratch)
