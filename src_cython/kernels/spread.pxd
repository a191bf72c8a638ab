"""Weighted transport: every pixel becomes a sum of displaced ones, y = rest + sum of w[i] * (x moved by d[i] - rest).

`rest` is the level of no signal, black or neutral, which the weights do not change. Beyond its border the picture
continues as its mirror image, the border pixel twice: ... 2 1 0 | 0 1 2 ..., which repeats after two picture sizes, so
displacements are taken modulo that.

A plane's taps are the given ones in that plane's pixels. Where a displacement, given in luma pixels, falls between two
pixels of a subsampled plane, its tap becomes two of them, or four, with the weights of linear interpolation. Taps on
one pixel become one.

Sums are taken two taps at a time, in an order that only depends on the order given: a mirrored or transposed picture
with its displacements mirrored or transposed gives the same bytes, mirrored or transposed. For interpolated taps that
takes care: the pixel towards no displacement comes first, and the two that transposition swaps are one pair.

A row of the source is loaded once, with its mirrored margins, into a ring of rows that lasts until no tap needs it any
longer. Taps that are rows apart have rings of their own: to load a row again costs less than to keep it for so long.
"""

from libc.stddef cimport ptrdiff_t, size_t
from libc.stdint cimport int64_t

from common.c cimport crow, row
from common.pixels cimport BYTE, SINGLE, Pixels, load_row, store_row


cdef enum:
    TAPS = 64               # as many as can be given
    PLANE_TAPS = 256        # four each
    CHUNK = 1024            # samples at a time: their sums stay in the first-level cache
    APART = 8               # taps more rows apart than this have different rings
    LINE = 64               # bytes of a cache line
    LANES = 16              # floats of it


cdef extern from * nogil:
    void prefetch "__builtin_prefetch"(const void *address)


cdef struct Tap:
    int dx
    int dy
    float weight
    int ring                # where its ring begins, in rows
    int rows                # and how many it has


cdef struct Taps:
    Tap taps[PLANE_TAPS]
    int count
    double total            # sum of the weights
    int left                # mirrored pixels that rows need at each side
    int right
    int rows                # of all rings
    int below               # the furthest row below its own that a pixel needs


# Creation: the taps of a plane

cdef struct Place:
    int64_t x
    int64_t y
    double weight


cdef struct Places:
    Place singles[PLANE_TAPS]
    Place pairs[PLANE_TAPS]         # two by two
    int single_count
    int pair_count


cdef inline int split_displacement(int64_t d, int shift, int64_t *whole, double *share) noexcept nogil:
    """The one or two pixels of a plane that a displacement falls on or between, the nearer to 0 first; how many."""
    cdef int64_t size = 1 << shift
    cdef int64_t direction = 1 if d >= 0 else -1
    cdef int64_t magnitude = d * direction
    whole[0] = direction * (magnitude >> shift)
    whole[1] = whole[0] + direction
    share[1] = <double>(magnitude % size) / size
    share[0] = 1 - share[1]
    return 2 if magnitude % size else 1


cdef inline bint merge_place(Places *p, const Place *q) noexcept nogil:
    """Adds to the tap on that pixel, if there is one."""
    cdef int i
    for i in range(p.single_count):
        if p.singles[i].x == q.x and p.singles[i].y == q.y:
            p.singles[i].weight += q.weight
            return True
    for i in range(p.pair_count):
        if p.pairs[i].x == q.x and p.pairs[i].y == q.y:
            p.pairs[i].weight += q.weight
            return True
    return False


cdef inline void add_single(Places *p, const Place *q) noexcept nogil:
    if not merge_place(p, q):
        p.singles[p.single_count] = q[0]
        p.single_count += 1


cdef inline void add_pair(Places *p, const Place *q, const Place *r) noexcept nogil:
    cdef bint first = merge_place(p, q)
    cdef bint second = merge_place(p, r)
    if not first and not second:
        p.pairs[p.pair_count] = q[0]
        p.pairs[p.pair_count + 1] = r[0]
        p.pair_count += 2
    elif not first:
        add_single(p, q)
    elif not second:
        add_single(p, r)


cdef inline void add_places(Places *p, int dx, int dy, double weight, int shift_x, int shift_y) noexcept nogil:
    cdef int64_t x[2]
    cdef int64_t y[2]
    cdef double across[2]
    cdef double down[2]
    cdef Place corner[4]
    cdef int wide = split_displacement(dx, shift_x, x, across)
    cdef int high = split_displacement(dy, shift_y, y, down)
    cdef int i
    for i in range(4):
        corner[i].x = x[i % 2]
        corner[i].y = y[i // 2]
        corner[i].weight = weight * (across[i % 2] * down[i // 2])
    add_single(p, &corner[0])
    if wide == 2 and high == 2:
        add_pair(p, &corner[1], &corner[2])
        add_single(p, &corner[3])
    elif wide == 2:
        add_single(p, &corner[1])
    elif high == 2:
        add_single(p, &corner[2])


cdef inline int reduce_displacement(int64_t d, int size) noexcept nogil:
    """The displacement in -size...size-1 that shows the same of a picture of that size and its mirror images."""
    cdef int64_t period = 2 * <int64_t>size
    d = ((d % period) + period) % period
    return <int>(d if d < size else d - period)


cdef inline void append_tap(Taps *t, const Place *q, int width, int height) noexcept nogil:
    cdef Tap *tap = &t.taps[t.count]
    tap.dx = reduce_displacement(q.x, width)
    tap.dy = reduce_displacement(q.y, height)
    tap.weight = <float>q.weight
    t.left = max(t.left, tap.dx)
    t.right = max(t.right, -tap.dx)
    t.below = max(t.below, -tap.dy)
    t.count += 1


cdef inline int last_of_ring(const Taps *t, int first) noexcept nogil:
    """The largest dy that is reached from `first` without a gap of more than APART."""
    cdef int last = first
    cdef bint grown = True
    cdef int i
    while grown:
        grown = False
        for i in range(t.count):
            if last < t.taps[i].dy <= last + APART:
                last = t.taps[i].dy
                grown = True
    return last


cdef inline void assign_rings(Taps *t, int height) noexcept nogil:
    """Gives taps near each other one ring of as many rows as they are apart: they never need two rows of one slot."""
    cdef int low = -height
    cdef int first, last, rows, i
    t.rows = 0
    while True:
        first = height
        for i in range(t.count):
            if t.taps[i].dy >= low:
                first = min(first, t.taps[i].dy)
        if first == height:
            break
        last = last_of_ring(t, first)
        rows = min(last - first + 1, height)
        for i in range(t.count):
            if first <= t.taps[i].dy <= last:
                t.taps[i].ring = t.rows
                t.taps[i].rows = rows
        t.rows += rows
        low = last + 1


cdef inline void describe_taps(
        Taps *t, const int *dx, const int *dy, const double *weights, int count, int shift_x, int shift_y,
        int width, int height) noexcept nogil:
    """The taps of a plane of that size, 2^shift times smaller than luma, in which displacements are given."""
    cdef Places p
    cdef int i
    p.single_count = p.pair_count = 0
    t.count = t.left = t.right = t.below = 0
    t.total = 0
    for i in range(count):
        t.total += weights[i]
        if weights[i] != 0:
            add_places(&p, dx[i], dy[i], weights[i], shift_x, shift_y)
    # All but the last single one of an odd number, so that pairs stay pairs.
    for i in range(p.single_count // 2 * 2):
        append_tap(t, &p.singles[i], width, height)
    for i in range(p.pair_count):
        append_tap(t, &p.pairs[i], width, height)
    if p.single_count % 2:
        append_tap(t, &p.singles[p.single_count - 1], width, height)
    assign_rings(t, height)


# Frames

cdef inline size_t margin(int pixels) noexcept nogil:
    return (pixels + LANES - 1) // LANES * LANES


cdef inline size_t row_floats(int width, const Taps *t) noexcept nogil:
    return margin(t.left) + margin(width) + margin(t.right)


cdef inline size_t scratch_floats(int width, const Taps *t) noexcept nogil:
    """The rows of all rings, and for each the number of the row it holds."""
    return t.rows * row_floats(width, t) + margin(t.rows)


cdef inline void mirror(row dst, crow src, int n) noexcept nogil:
    cdef int x
    for x in range(n):  # hot
        dst[x] = src[n - 1 - x]


cdef inline void fill(row dst, int n, float value) noexcept nogil:
    cdef int x
    for x in range(n):  # hot
        dst[x] = value


cdef inline void add_1(row total, crow a, const float *w, int n) noexcept nogil:
    cdef float wa = w[0]
    cdef int x
    for x in range(n):  # hot
        total[x] = total[x] + wa * a[x]


cdef inline void add_2(row total, crow a, crow b, const float *w, int n) noexcept nogil:
    cdef float wa = w[0]
    cdef float wb = w[1]
    cdef int x
    for x in range(n):  # hot
        total[x] = total[x] + (wa * a[x] + wb * b[x])


cdef inline void add_4(row total, crow a, crow b, crow c, crow d, const float *w, int n) noexcept nogil:
    cdef float wa = w[0]
    cdef float wb = w[1]
    cdef float wc = w[2]
    cdef float wd = w[3]
    cdef int x
    for x in range(n):  # hot
        total[x] = total[x] + (wa * a[x] + wb * b[x]) + (wc * c[x] + wd * d[x])


cdef inline void add_8(
        row total, crow a, crow b, crow c, crow d, crow e, crow f, crow g, crow h,
        const float *w, int n) noexcept nogil:
    cdef float wa = w[0]
    cdef float wb = w[1]
    cdef float wc = w[2]
    cdef float wd = w[3]
    cdef float we = w[4]
    cdef float wf = w[5]
    cdef float wg = w[6]
    cdef float wh = w[7]
    cdef int x
    for x in range(n):  # hot
        total[x] = (total[x] + (wa * a[x] + wb * b[x]) + (wc * c[x] + wd * d[x])
                    + (we * e[x] + wf * f[x]) + (wg * g[x] + wh * h[x]))


cdef inline void add_taps(
        float *total, const float **rows, const float *weights, int count, int start, int n) noexcept nogil:
    """Adds the weighted rows, from `start` on, two by two."""
    # One loop for all sizes: GCC would fuse two rounds of a loop around add_8 alone into one that does not vectorise.
    cdef const float **u = rows
    cdef const float *w = weights
    cdef int s = start
    cdef int taken
    while count > 0:
        if count >= 8:
            add_8(total, u[0] + s, u[1] + s, u[2] + s, u[3] + s, u[4] + s, u[5] + s, u[6] + s, u[7] + s, w, n)
            taken = 8
        elif count >= 4:
            add_4(total, u[0] + s, u[1] + s, u[2] + s, u[3] + s, w, n)
            taken = 4
        elif count >= 2:
            add_2(total, u[0] + s, u[1] + s, w, n)
            taken = 2
        else:
            add_1(total, u[0] + s, w, n)
            taken = 1
        u += taken
        w += taken
        count -= taken


cdef inline void load_mirrored(
        float *dst, const void *src, int width, const Taps *t, const Pixels *pixels) noexcept nogil:
    load_row(dst, src, width, pixels)
    mirror(dst - t.left, dst, t.left)
    mirror(dst + width, dst + width - t.right, t.right)


cdef inline int mirrored(int y, int height) noexcept nogil:
    """The row that is seen at y, at most one height beyond the border."""
    if y < 0:
        return -1 - y
    return y if y < height else 2 * height - 1 - y


cdef inline void prefetch_bytes(const char *start, int n) noexcept nogil:
    cdef const char *end = start + n
    while start < end:
        prefetch(start)
        start += LINE


cdef inline void spread_plane(
        void *dst, ptrdiff_t dst_stride, const void *src, ptrdiff_t src_stride, int width, int height,
        const Pixels *pixels, const Taps *t, float rest, float *scratch) noexcept nogil:
    """dst may not be src. Float32 is summed where it is stored, on its own scale: a power of two changes no digit."""
    cdef const float *rows[PLANE_TAPS]
    cdef float weights[PLANE_TAPS]
    cdef float chunk[CHUNK]
    cdef Pixels loaded = pixels[0]
    cdef bint in_place = pixels.sample == SINGLE
    cdef int bytes = 1 if pixels.sample == BYTE else 4 if in_place else 2
    cdef size_t pitch = row_floats(width, t)
    cdef int *held = <int *>(scratch + t.rows * pitch)
    cdef float base = <float>(rest * (1 - t.total))
    cdef const char *ahead
    cdef float *slot
    cdef float *total
    cdef int y, i, source, ring_row, start, n
    if in_place:
        loaded.scale = 1
    if base == 0 and t.count > 0:
        base = -0.0  # what is added to it stays what it is, a negative zero too
    for i in range(t.rows):
        held[i] = -1
    for i in range(t.count):
        weights[i] = t.taps[i].weight
    for y in range(height):
        for i in range(t.count):
            source = mirrored(y - t.taps[i].dy, height)
            ring_row = t.taps[i].ring + source % t.taps[i].rows
            slot = scratch + ring_row * pitch + margin(t.left)
            if held[ring_row] != source:
                held[ring_row] = source
                load_mirrored(slot, <const char *>src + source * src_stride, width, t, &loaded)
            rows[i] = slot - t.taps[i].dx
        ahead = <const char *>src + min(y + 1 + t.below, height - 1) * src_stride
        start = 0
        while start < width:
            n = min(CHUNK, width - start)
            prefetch_bytes(ahead + start * bytes, n * bytes)
            total = chunk
            if in_place:
                total = <float *>dst + start
            fill(total, n, base)
            add_taps(total, rows, weights, t.count, start, n)
            if not in_place:
                store_row(<char *>dst + start * bytes, total, n, pixels)
            start += CHUNK
        dst = <char *>dst + dst_stride
