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
Of float32 only the ends of a row are loaded, whose taps reach beyond the border; what is between them is summed from
where it lies in the frame. Integers are counted instead, where that gives the same and takes less time.

Where the taps are a grid, and each weight is a column's times a row's, sums along one axis are summed along the other:
m + n terms for m * n. Which axis is first depends on the order given, as above. Sums across are what the ring then
holds; sums down are a row that its mirror images continue.
"""

from libc.math cimport fabs
from libc.stddef cimport ptrdiff_t, size_t
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t
from libc.string cimport memcpy

from common.c cimport crow, fetch_row, fetch_to_write_row, row
from common.pixels cimport BYTE, SINGLE, WORD, Pixels, View, load_row, sample_bytes, store_row
from kernels.counted cimport (
    Counted, Tap, count_plane, counted_bytes, describe_counted, index_of, mirror, mirrored, rounded)


cdef enum:
    TAPS = 64               # as many as can be given
    PLANE_TAPS = 256        # four each
    CHUNK = 128             # floats at a time, for memory can only be asked for so much at once
    AHEAD = 2               # rows further down it is asked for
    APART = 8               # taps more rows apart than this, times the terms of a sum across, have different rings
    LANES = 16              # floats of a cache line
    LARGEST = 65536         # the largest factor by which what is summed along one axis is multiplied along the other


cdef enum Order:
    AT_ONCE
    ACROSS_FIRST
    DOWN_FIRST


cdef struct Line:           # one displacement down
    int dy
    int ring                # where its ring begins, in rows
    int rows                # and how many it has


cdef struct Side:           # of a grid of taps
    int places[PLANE_TAPS]  # across: dx; down: the line
    double weights[PLANE_TAPS]
    int count


cdef struct Taps:
    Tap taps[PLANE_TAPS]
    int lines_of[PLANE_TAPS]
    Line lines[PLANE_TAPS]
    int count
    int line_count
    Order order
    Side across             # unless AT_ONCE
    Side down
    double total            # sum of the weights
    int left                # mirrored pixels that rows need at each side
    int right
    int rows                # of all rings
    int below               # the furthest row below its own that a pixel needs
    Counted counted


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


cdef inline int line_of(Taps *t, int dy) noexcept nogil:
    cdef int i
    for i in range(t.line_count):
        if t.lines[i].dy == dy:
            return i
    t.lines[t.line_count].dy = dy
    t.line_count += 1
    return t.line_count - 1


cdef inline void append_tap(Taps *t, const Place *q, int width, int height) noexcept nogil:
    cdef Tap *tap = &t.taps[t.count]
    tap.dx = reduce_displacement(q.x, width)
    tap.dy = reduce_displacement(q.y, height)
    tap.weight = q.weight
    t.lines_of[t.count] = line_of(t, tap.dy)
    t.left = max(t.left, tap.dx)
    t.right = max(t.right, -tap.dx)
    t.below = max(t.below, -tap.dy)
    t.count += 1


cdef inline bint divide_side(Side *s, double by) noexcept nogil:
    """Does that give factors with which sums stay near the range of their results?"""
    cdef int i
    for i in range(s.count):
        s.weights[i] /= by
        if not fabs(s.weights[i]) <= LARGEST:
            return False
    return True


cdef inline Order find_order(Taps *t, int singles) noexcept nogil:
    """Sets the sides of the grid, if it is one and its weights are products; `singles` are no pair's.

    All is taken in an order that transposition keeps: the single ones first, the last one of an odd number before all.
    """
    cdef int start = t.count - 1 if singles % 2 else 0
    cdef Tap *first = &t.taps[start]
    cdef bint seen[PLANE_TAPS]
    cdef Order order = AT_ONCE
    cdef double weight
    cdef int i, k, column, line
    t.across.count = t.down.count = 0
    for i in range(t.count):
        k = (start + i) % t.count
        column = index_of(t.across.places, &t.across.count, t.taps[k].dx)
        line = index_of(t.down.places, &t.down.count, t.lines_of[k])
        if line == 0:
            t.across.weights[column] = t.taps[k].weight
        if column == 0:
            t.down.weights[line] = t.taps[k].weight
        # Along the axis on which a tap is beside the first one.
        if order == AT_ONCE and 0 < i < singles and (line == 0) != (column == 0):
            order = ACROSS_FIRST if line == 0 else DOWN_FIRST
        seen[i] = False
    if t.count != t.across.count * t.down.count or 3 * (t.across.count + t.down.count) >= 2 * t.count:
        return AT_ONCE
    for i in range(t.count):
        column = index_of(t.across.places, &t.across.count, t.taps[i].dx)
        line = index_of(t.down.places, &t.down.count, t.lines_of[i])
        k = line * t.across.count + column
        weight = t.across.weights[column] * t.down.weights[line]
        if seen[k] or not fabs(weight - t.taps[i].weight * first.weight) <= 1e-9 * fabs(weight):
            return AT_ONCE
        seen[k] = True
    return order if divide_side(&t.down if order == ACROSS_FIRST else &t.across, first.weight) else AT_ONCE


cdef inline int last_of_ring(const Taps *t, int first) noexcept nogil:
    """The largest dy that is reached from `first` without a gap of more than APART; sums take longer than rows."""
    cdef int64_t apart = APART * (t.across.count if t.order == ACROSS_FIRST else 1)
    cdef int last = first
    cdef bint grown = True
    cdef int i
    while grown:
        grown = False
        for i in range(t.line_count):
            if last < t.lines[i].dy <= last + apart:
                last = t.lines[i].dy
                grown = True
    return last


cdef inline void assign_rings(Taps *t, int height) noexcept nogil:
    """Gives lines near each other one ring of as many rows as they are apart: they never need two rows of one slot."""
    cdef int low = -height
    cdef int first, last, rows, i
    t.rows = 0
    while True:
        first = height
        for i in range(t.line_count):
            if t.lines[i].dy >= low:
                first = min(first, t.lines[i].dy)
        if first == height:
            break
        last = last_of_ring(t, first)
        rows = min(last - first + 1, height)
        for i in range(t.line_count):
            if first <= t.lines[i].dy <= last:
                t.lines[i].ring = t.rows
                t.lines[i].rows = rows
        t.rows += rows
        low = last + 1


cdef inline void describe_taps(
        Taps *t, const int *dx, const int *dy, const double *weights, int count, int shift_x, int shift_y,
        int width, int height, const Pixels *pixels) noexcept nogil:
    """The taps of a plane of that size, 2^shift times smaller than luma, in which displacements are given."""
    cdef Places p
    cdef int i
    p.single_count = p.pair_count = 0
    t.count = t.line_count = t.left = t.right = t.below = 0
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
    t.order = find_order(t, p.single_count)
    assign_rings(t, height)
    t.counted.term_count = 0
    if pixels.sample == BYTE or pixels.sample == WORD:
        describe_counted(&t.counted, t.taps, t.count, pixels.sample == BYTE)


# Frames

cdef inline size_t row_floats(int width, const Taps *t) noexcept nogil:
    return rounded(t.left, LANES) + rounded(width, LANES) + rounded(t.right, LANES)


cdef inline size_t scratch_bytes(int width, const Taps *t, const Pixels *pixels) noexcept nogil:
    """What count_plane needs, or a row and those of all rings, and for each of these the number of the row it holds."""
    if t.counted.term_count > 0:
        return counted_bytes(&t.counted, width, pixels.sample == BYTE)
    return row_floats(width, t) * sizeof(float) + t.rows * (row_floats(width, t) * sizeof(float) + sizeof(int))


cdef inline void copy_mirrored(float *dst, const float *src, int width, int start, int end) noexcept nogil:
    """Pixels start...end-1 of a row that its mirror images continue, one of its own at least, to their places."""
    cdef int first = max(start, 0)
    cdef int last = min(end, width)
    mirror(dst + start, src, first - start)
    memcpy(dst + first, src + first, (last - first) * sizeof(float))
    mirror(dst + last, src + (width - (end - last)), end - last)


cdef inline void fill(row dst, int n, float value) noexcept nogil:
    cdef int x
    for x in range(n):  # hot
        dst[x] = value


# Of the first ones that are added to a sum, `total` is not read yet: it begins with `base`. They are whole lines of the
# cache: a loop over what was left would keep the weights in registers, and those of the vectors out of them.

cdef inline void add_1(row total, bint first, float base, crow a, const float *w, int lines) noexcept nogil:
    cdef float wa = w[0]
    cdef int x
    for x in range(lines * LANES):  # hot
        total[x] = (base if first else total[x]) + wa * a[x]


cdef inline void add_2(row total, bint first, float base, crow a, crow b, const float *w, int lines) noexcept nogil:
    cdef float wa = w[0]
    cdef float wb = w[1]
    cdef int x
    for x in range(lines * LANES):  # hot
        total[x] = (base if first else total[x]) + (wa * a[x] + wb * b[x])


cdef inline void add_3(
        row total, bint first, float base, crow a, crow b, crow c, const float *w, int lines) noexcept nogil:
    cdef float wa = w[0]
    cdef float wb = w[1]
    cdef float wc = w[2]
    cdef int x
    for x in range(lines * LANES):  # hot
        total[x] = (base if first else total[x]) + (wa * a[x] + wb * b[x]) + wc * c[x]


cdef inline void add_4(
        row total, bint first, float base, crow a, crow b, crow c, crow d, const float *w, int lines) noexcept nogil:
    cdef float wa = w[0]
    cdef float wb = w[1]
    cdef float wc = w[2]
    cdef float wd = w[3]
    cdef int x
    for x in range(lines * LANES):  # hot
        total[x] = (base if first else total[x]) + (wa * a[x] + wb * b[x]) + (wc * c[x] + wd * d[x])


cdef inline void add_5(
        row total, bint first, float base, crow a, crow b, crow c, crow d, crow e, const float *w,
        int lines) noexcept nogil:
    cdef float wa = w[0]
    cdef float wb = w[1]
    cdef float wc = w[2]
    cdef float wd = w[3]
    cdef float we = w[4]
    cdef int x
    for x in range(lines * LANES):  # hot
        total[x] = (base if first else total[x]) + (wa * a[x] + wb * b[x]) + (wc * c[x] + wd * d[x]) + we * e[x]


cdef inline void add_8(
        row total, bint first, float base, crow a, crow b, crow c, crow d, crow e, crow f, crow g, crow h,
        const float *w, int lines) noexcept nogil:
    cdef float wa = w[0]
    cdef float wb = w[1]
    cdef float wc = w[2]
    cdef float wd = w[3]
    cdef float we = w[4]
    cdef float wf = w[5]
    cdef float wg = w[6]
    cdef float wh = w[7]
    cdef int x
    for x in range(lines * LANES):  # hot
        total[x] = ((base if first else total[x]) + (wa * a[x] + wb * b[x]) + (wc * c[x] + wd * d[x])
                    + (we * e[x] + wf * f[x]) + (wg * g[x] + wh * h[x]))


cdef inline void add_9(
        row total, bint first, float base, crow a, crow b, crow c, crow d, crow e, crow f, crow g, crow h, crow i,
        const float *w, int lines) noexcept nogil:
    cdef float wa = w[0]
    cdef float wb = w[1]
    cdef float wc = w[2]
    cdef float wd = w[3]
    cdef float we = w[4]
    cdef float wf = w[5]
    cdef float wg = w[6]
    cdef float wh = w[7]
    cdef float wi = w[8]
    cdef int x
    for x in range(lines * LANES):  # hot
        total[x] = ((base if first else total[x]) + (wa * a[x] + wb * b[x]) + (wc * c[x] + wd * d[x])
                    + (we * e[x] + wf * f[x]) + (wg * g[x] + wh * h[x]) + wi * i[x])


cdef inline void sum_taps(
        float *total, float base, const float **rows, const float *weights, int count, int start,
        int lines) noexcept nogil:
    """The weighted rows, from `start` on, two by two."""
    # One loop for all sizes: GCC would fuse two rounds of a loop around add_8 alone into one that does not vectorise.
    cdef const float **u = rows
    cdef const float *w = weights
    cdef int s = start
    cdef bint first = True
    cdef int taken
    if count == 0:
        fill(total, lines * LANES, base)
    while count > 0:
        if count == 9:
            add_9(total, first, base, u[0] + s, u[1] + s, u[2] + s, u[3] + s, u[4] + s, u[5] + s, u[6] + s, u[7] + s,
                  u[8] + s, w, lines)
            taken = 9
        elif count >= 8:
            add_8(total, first, base, u[0] + s, u[1] + s, u[2] + s, u[3] + s, u[4] + s, u[5] + s, u[6] + s, u[7] + s,
                  w, lines)
            taken = 8
        elif count == 5:
            add_5(total, first, base, u[0] + s, u[1] + s, u[2] + s, u[3] + s, u[4] + s, w, lines)
            taken = 5
        elif count >= 4:
            add_4(total, first, base, u[0] + s, u[1] + s, u[2] + s, u[3] + s, w, lines)
            taken = 4
        elif count == 3:
            add_3(total, first, base, u[0] + s, u[1] + s, u[2] + s, w, lines)
            taken = 3
        elif count >= 2:
            add_2(total, first, base, u[0] + s, u[1] + s, w, lines)
            taken = 2
        else:
            add_1(total, first, base, u[0] + s, w, lines)
            taken = 1
        first = False
        u += taken
        w += taken
        count -= taken


cdef struct Ends:           # of a row, that are summed apart, as taps of theirs are beyond the border
    int head
    int tail
    int left                # mirrored pixels that they need
    int right


cdef inline Ends ends_of(int width, int left, int right, bint in_place) noexcept nogil:
    """What is between them begins and ends with a cache line; if nothing is, all of the row is one of them."""
    cdef Ends e
    e.left = left
    e.right = right
    e.head = rounded(left, LANES)
    e.tail = width - (width - right) // LANES * LANES
    if not in_place or e.head + e.tail + left + right > width:
        e.head = width
        e.tail = 0
    return e


cdef inline void mirror_margins(float *pixels, int width, Ends e) noexcept nogil:
    mirror(pixels - e.left, pixels, e.left)
    mirror(pixels + width, pixels + width - e.right, e.right)


cdef inline void load_ends(float *dst, const void *src, int width, Ends e, const Pixels *pixels) noexcept nogil:
    """What the ends need of a row, with its mirrored margins."""
    if pixels.sample != SINGLE:
        load_row(dst, src, width, pixels)
        mirror_margins(dst, width, e)
        return
    if e.head > 0:
        copy_mirrored(dst, <const float *>src, width, -e.left, e.head + e.right)
    if e.tail > 0:
        copy_mirrored(dst, <const float *>src, width, width - e.tail - e.left, width + e.right)


cdef struct Terms:          # what a row is the sum of
    const float *within[PLANE_TAPS]     # between its ends
    const float *rows[PLANE_TAPS]       # and at them
    float weights[PLANE_TAPS]
    int count


cdef inline void weigh(Terms *terms, const Side *side) noexcept nogil:
    cdef int i
    terms.count = side.count
    for i in range(side.count):
        terms.weights[i] = <float>side.weights[i]


cdef inline void point_across(Terms *terms, const Side *across, const float *within, const float *line) noexcept nogil:
    cdef int i
    for i in range(across.count):
        terms.within[i] = within - across.places[i]
        terms.rows[i] = line - across.places[i]


cdef inline void point_down(Terms *terms, const Side *down, const float **within, const float **rows) noexcept nogil:
    cdef int i
    for i in range(down.count):
        terms.within[i] = within[down.places[i]]
        terms.rows[i] = rows[down.places[i]]


cdef inline void sum_row(float *total, const Terms *terms, int width, Ends e) noexcept nogil:
    """Up to a whole line of the cache, and from -0 on: what is added to it stays what it is, a negative zero too."""
    cdef const float **within = <const float **>terms.within
    cdef const float **rows = <const float **>terms.rows
    cdef int right = width - e.tail
    if e.head > 0:
        sum_taps(total, -0.0, rows, terms.weights, terms.count, 0, rounded(e.head, LANES) // LANES)
    if e.head < right:
        sum_taps(total + e.head, -0.0, within, terms.weights, terms.count, e.head, (right - e.head) // LANES)
    if e.tail > 0:
        sum_taps(total + right, -0.0, rows, terms.weights, terms.count, right, rounded(e.tail, LANES) // LANES)


cdef inline void sum_plane(
        char *dst, ptrdiff_t dst_stride, const View *src, const Taps *t, float base, float *scratch) noexcept nogil:
    """In floats. Float32 stays on its own scale: a power of two changes no digit."""
    cdef Terms first            # unless all are summed at once
    cdef Terms last
    cdef const float *slots[PLANE_TAPS]
    cdef const float *lines[PLANE_TAPS]
    cdef float chunk[CHUNK]
    cdef int bytes = sample_bytes(src.pixels)
    cdef bint in_place = src.pixels.sample == SINGLE
    cdef size_t pitch = row_floats(src.width, t)
    cdef float *spare = scratch + rounded(t.left, LANES)
    cdef float *rings = spare + pitch
    cdef int *held = <int *>(scratch + (1 + t.rows) * pitch)
    cdef Ends of_shifted = ends_of(src.width, t.left, t.right, in_place)
    cdef Ends of_others = ends_of(src.width, 0, 0, in_place)
    cdef Ends e = of_shifted if t.order == AT_ONCE else of_others
    cdef const char *ahead
    cdef float *slot
    cdef int y, i, source, ring_row, start, n
    for i in range(t.rows):
        held[i] = -1
    if t.order == AT_ONCE:
        last.count = t.count
        for i in range(t.count):
            last.weights[i] = <float>t.taps[i].weight
    else:
        weigh(&first, &t.across if t.order == ACROSS_FIRST else &t.down)
        weigh(&last, &t.down if t.order == ACROSS_FIRST else &t.across)
    for y in range(src.height):
        for i in range(t.line_count):
            source = mirrored(y - t.lines[i].dy, src.height)
            ring_row = t.lines[i].ring + source % t.lines[i].rows
            slot = rings + ring_row * pitch
            lines[i] = <const float *>(<const char *>src.data + source * src.stride)
            slots[i] = slot
            if held[ring_row] == source:
                continue
            held[ring_row] = source
            if t.order == ACROSS_FIRST:
                load_ends(spare, lines[i], src.width, of_shifted, src.pixels)
                point_across(&first, &t.across, lines[i], spare)
                sum_row(slot, &first, src.width, of_shifted)
            else:
                load_ends(slot, lines[i], src.width, e, src.pixels)
        if t.order == AT_ONCE:
            for i in range(t.count):
                last.rows[i] = slots[t.lines_of[i]] - t.taps[i].dx
                last.within[i] = lines[t.lines_of[i]] - t.taps[i].dx
        elif t.order == ACROSS_FIRST:
            point_down(&last, &t.down, slots, slots)
        else:
            point_down(&first, &t.down, lines, slots)
            sum_row(spare, &first, src.width, of_others)
            mirror_margins(spare, src.width, of_shifted)
            point_across(&last, &t.across, spare, spare)
        ahead = <const char *>src.data + min(y + AHEAD + t.below, src.height - 1) * src.stride
        start = 0
        while start < src.width:
            if start < e.head:
                n = min(CHUNK, e.head - start)
            elif start < src.width - e.tail:
                n = min(CHUNK, src.width - e.tail - start)
            else:
                n = min(CHUNK, src.width - start)
            fetch_row(ahead + start * bytes, n * bytes)
            fetch_to_write_row(dst + AHEAD * dst_stride + start * bytes, n * bytes)
            if e.head <= start < src.width - e.tail:
                sum_taps(<float *>dst + start, base, last.within, last.weights, last.count, start, n // LANES)
            else:
                sum_taps(chunk, base, last.rows, last.weights, last.count, start, rounded(n, LANES) // LANES)
                if in_place:
                    memcpy(<float *>dst + start, chunk, n * sizeof(float))
                else:
                    store_row(dst + start * bytes, chunk, n, src.pixels)
            start += n
        dst += dst_stride


cdef inline void spread_plane(
        void *dst, ptrdiff_t dst_stride, const View *src, const Taps *t, float rest, void *scratch) noexcept nogil:
    """dst may not be src."""
    cdef float base = <float>(rest * (1 - t.total))
    if base == 0 and t.count > 0:
        base = -0.0  # what is added to it stays what it is, a negative zero too
    if t.counted.term_count > 0 and src.pixels.sample == BYTE:
        count_plane(<uint8_t *>dst, dst_stride, src, &t.counted, base, <uint16_t *>scratch)
    elif t.counted.term_count > 0:
        count_plane(<uint16_t *>dst, dst_stride, src, &t.counted, base * src.pixels.unscale, <uint32_t *>scratch)
    else:
        sum_plane(<char *>dst, dst_stride, src, t, base, <float *>scratch)
