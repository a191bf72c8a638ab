"""The largest sample of a window: flat grey-scale dilation, and erosion as the dilation of the opposite order.

Samples are mapped to unsigned integers of their own size, the keys, in whose order the wanted sample is the largest: an
integer sample is its own key, the bits of a float are turned into an integer that sorts as the number does, -0 below
+0, and for an erosion all bits of the key are flipped. So one arithmetic, the maximum of two unsigned integers, serves
every format and both filters, exactly. The key of what is no number is above all others: a window that holds it has no
largest number. Key 0, below or equal to all, stands for what is outside of the picture.

rect: columns first, then rows. A column's windows are those of van Herk (1992) and Gil and Werman (1993): the picture
is cut into blocks as high as the window, which then is the end of one block and the beginning of the next, so that two
running maxima, one upwards through the block, one downwards, give all windows with three comparisons a sample. The
latter are kept in a ring; the picture is cut into strips of columns of which it fits the cache. Integers are read from
the frame, to be flipped on the way; the keys of floats, which take longer, are made once and wait in the same ring. A
row's windows are built from those of a quarter of their length, and these likewise: each pass is a loop over one row,
shifted against itself, which takes whole vectors; van Herk's running maximum along a row would not.

The windows of radius 1 are built in one loop over three rows, where these are not shorter than a vector: what is beside
the maxima of three is taken from registers. Put away, they would have to leave the store buffer before they could be
loaded one further to the left or right, across the ends of cache lines.

cross: the larger of the two.

disc: horizontal runs, the longest in the middle. With h[d] the half-length of those d rows above and below, and R[d]
the larger of these two rows, T = R[0] is widened by h[0] - h[1] and raised to R[1], widened by h[1] - h[2] and raised
to R[2], and so on; at last it is widened by what is left. R[d] then has been widened by h[d] in all.

What is outside may be left out or be the reflected picture, with the same result: a reflection brings a place of
the window nearer to its centre, in its row or column, and these windows have no gaps in a row or column.
"""

from libc.stddef cimport ptrdiff_t, size_t
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t
from libc.string cimport memcpy, memset

from common.c cimport fetch, fetch_row, fetch_to_write, fetch_to_write_row
from common.pixels cimport BYTE, HALF, SINGLE, WORD, Pixels, Sample
from common.vectors cimport VECTOR, after, before, filled, larger, load_vector, store_vector, vector


cdef extern from * nogil:
    """
    #define VDIFF_KEYS_OF_FLOATS(type, top, mantissa) \\
        static inline type vdiff_key_of_##type(type value, type flip) \\
        { \\
            type rest = (type)~(value ^ value) >> 1, infinity = rest >> mantissa << mantissa; \\
            type nan = -((type)(infinity - (value & rest)) >> top); \\
            return (value ^ (type)~rest ^ flip ^ (-(value >> top) & rest)) | nan; \\
        } \\
        static inline type vdiff_of_key_##type(type value, type flip) \\
        { \\
            type rest = (type)~(value ^ value) >> 1; \\
            value ^= flip; \\
            return value ^ ((type)~rest | ((value >> top) - 1)); \\
        }
    VDIFF_KEYS_OF_FLOATS(uint16_t, 15, 10)
    VDIFF_KEYS_OF_FLOATS(vdiff_16s, 15, 10)
    VDIFF_KEYS_OF_FLOATS(uint32_t, 31, 23)
    VDIFF_KEYS_OF_FLOATS(vdiff_32s, 31, 23)

    #define vdiff_key_of_float(value, flip) (sizeof(value) == 2 ? \\
        vdiff_key_of_uint16_t(value, flip) : vdiff_key_of_uint32_t(value, flip))
    #define vdiff_float_of_key(value, flip) (sizeof(value) == 2 ? \\
        vdiff_of_key_uint16_t(value, flip) : vdiff_of_key_uint32_t(value, flip))
    #define vdiff_keys_of_vector(v, flip, size) ((size) == 2 ? \\
        (vdiff_8s)vdiff_key_of_vdiff_16s((vdiff_16s)(v), (vdiff_16s)(flip)) : \\
        (vdiff_8s)vdiff_key_of_vdiff_32s((vdiff_32s)(v), (vdiff_32s)(flip)))
    #define vdiff_floats_of_vector(v, flip, size) ((size) == 2 ? \\
        (vdiff_8s)vdiff_of_key_vdiff_16s((vdiff_16s)(v), (vdiff_16s)(flip)) : \\
        (vdiff_8s)vdiff_of_key_vdiff_32s((vdiff_32s)(v), (vdiff_32s)(flip)))
    """
    # Of half-precision numbers and singles; the flip of a dilation is 0.
    uint32_t key_of_float "vdiff_key_of_float"(uint32_t value, uint32_t flip)
    uint32_t float_of_key "vdiff_float_of_key"(uint32_t value, uint32_t flip)
    vector keys_of_vector "vdiff_keys_of_vector"(vector v, vector flip, int size)
    vector floats_of_vector "vdiff_floats_of_vector"(vector v, vector flip, int size)


cdef enum:
    LINE = 64              # bytes of a cache line
    CACHE = 512 * 1024     # bytes that the ring of a strip may hold
    LINES = 7              # rows beside the ring, each with room for a window before and after it
    AHEAD = 2              # rows to ask memory for while a row is worked on,
    PIECE = 512            # in pieces of so many bytes, for memory can only be asked for so much at once


cdef enum Shape:
    RECT
    CROSS
    DISC


cdef struct Window:
    Shape shape
    int radius             # 1 at least
    bint erode


ctypedef fused key:
    uint8_t
    uint16_t
    uint32_t


# Samples and keys

cdef inline void keys_of_integers(key *keys, const key *samples, int n, key flip) noexcept nogil:
    cdef int x
    for x in range(n):  # hot
        keys[x] = samples[x] ^ flip


cdef inline void keys_of_floats(key *keys, const key *samples, int n, key flip) noexcept nogil:
    cdef int x
    for x in range(n):  # hot
        keys[x] = <key>key_of_float(samples[x], flip)


cdef inline void load_keys(key *keys, const key *samples, int n, Sample sample, key flip) noexcept nogil:
    if sample == BYTE or sample == WORD:
        keys_of_integers(keys, samples, n, flip)
    else:
        keys_of_floats(keys, samples, n, flip)


# Maxima down columns: `flip` is what turns the rows given, samples or keys, into keys.

cdef inline void raise_to(key *a, const key *row, int n, key flip) noexcept nogil:
    cdef int x
    for x in range(n):  # hot
        a[x] = max(a[x], <key>(row[x] ^ flip))


cdef inline void raise_both(key *dst, key *a, const key *row, const key *b, int n, key flip) noexcept nogil:
    """Raises a to the row, and sets dst to the larger of this and b."""
    cdef int x
    for x in range(n):  # hot
        a[x] = max(a[x], <key>(row[x] ^ flip))
        dst[x] = max(a[x], b[x])


cdef inline void larger_with(key *dst, const key *a, const key *row, int n, key flip) noexcept nogil:
    cdef int x
    for x in range(n):  # hot
        dst[x] = max(a[x], <key>(row[x] ^ flip))


cdef inline void largest_row_of_3(
        key *dst, const key *above, const key *row, const key *below, int n, key flip) noexcept nogil:
    cdef int x
    for x in range(n):  # hot
        dst[x] = max(max(<key>(above[x] ^ flip), <key>(row[x] ^ flip)), <key>(below[x] ^ flip))


# Maxima along rows: of keys, and `flip` is what turns the result into keys, 0, or into samples.

cdef inline void larger_of_2(key *dst, const key *a, const key *b, int n, key flip) noexcept nogil:
    cdef int x
    for x in range(n):  # hot
        dst[x] = max(a[x], b[x]) ^ flip


cdef inline void largest_of_3(key *dst, const key *a, const key *b, const key *c, int n, key flip) noexcept nogil:
    cdef int x
    for x in range(n):  # hot
        dst[x] = max(max(a[x], b[x]), c[x]) ^ flip


cdef inline void largest_of_4(
        key *dst, const key *a, const key *b, const key *c, const key *d, int n, key flip) noexcept nogil:
    cdef int x
    for x in range(n):  # hot
        dst[x] = max(max(a[x], b[x]), max(c[x], d[x])) ^ flip


cdef inline void floats_of_3(key *dst, const key *a, const key *b, const key *c, int n, key flip) noexcept nogil:
    cdef int x
    for x in range(n):  # hot
        dst[x] = <key>float_of_key(<key>max(max(a[x], b[x]), c[x]), flip)


cdef inline void floats_of_4(
        key *dst, const key *a, const key *b, const key *c, const key *d, int n, key flip) noexcept nogil:
    cdef int x
    for x in range(n):  # hot
        dst[x] = <key>float_of_key(<key>max(max(a[x], b[x]), max(c[x], d[x])), flip)


cdef inline void largest_of_5(
        key *dst, const key *a, const key *b, const key *c, const key *d, const key *e, int n) noexcept nogil:
    cdef int x
    for x in range(n):  # hot
        dst[x] = max(max(max(a[x], b[x]), max(c[x], d[x])), e[x])


cdef inline void widen(
        key *dst, const key *row, int n, int radius, key *spare, key *other, bint floats, key flip) noexcept nogil:
    """The maxima of the windows around the keys of a row that goes on for `radius` keys before and after them."""
    cdef int window = 2 * radius + 1
    cdef int length = 1    # row[x] is the maximum of that many keys, from x on
    cdef int last
    cdef const key *a = row - radius
    cdef key *to = spare
    while 4 * length < window:
        largest_of_4(to, a, a + length, a + 2 * length, a + 3 * length, n + window - 4 * length, 0)
        length *= 4
        a = to
        to = other if to == spare else spare
    last = window - length
    if floats and last <= 2 * length:
        floats_of_3(dst, a, a + min(length, last), a + last, n, flip)
    elif floats:
        floats_of_4(dst, a, a + length, a + 2 * length, a + last, n, flip)
    elif last <= length:
        larger_of_2(dst, a, a + last, n, flip)
    elif last <= 2 * length:
        largest_of_3(dst, a, a + length, a + last, n, flip)
    else:
        largest_of_4(dst, a, a + length, a + 2 * length, a + last, n, flip)


# Both, for windows of radius 1

cdef inline vector keys_of_samples(vector samples, bint floats, key flip) noexcept nogil:
    cdef vector flips = filled(flip, sizeof(key))
    if floats:
        return keys_of_vector(samples, flips, sizeof(key))
    return samples ^ flips


cdef inline vector samples_of_keys(vector keys, bint floats, key flip) noexcept nogil:
    cdef vector flips = filled(flip, sizeof(key))
    if floats:
        return floats_of_vector(keys, flips, sizeof(key))
    return keys ^ flips


cdef inline vector largest_in_columns(
        const key *above, const key *row, const key *below, key *keys, bint floats, key flip) noexcept nogil:
    cdef vector newest = keys_of_samples(load_vector(below), floats, flip)
    cdef vector both
    if floats:
        store_vector(keys, newest)
        both = larger(load_vector(above), load_vector(row), sizeof(key))
    else:
        both = larger(
            keys_of_samples(load_vector(above), floats, flip), keys_of_samples(load_vector(row), floats, flip),
            sizeof(key))
    return larger(both, newest, sizeof(key))


cdef inline void store_largest(
        key *dst, vector left, vector middle, vector right, bint floats, key flip) noexcept nogil:
    cdef vector value = larger(larger(left, right, sizeof(key)), middle, sizeof(key))
    store_vector(dst, samples_of_keys(value, floats, flip))


cdef inline void largest_of_3x3(
        key *dst, const key *above, const key *row, const key *below, key *keys, const key *next, key *next_dst, int n,
        bint floats, key flip) noexcept nogil:
    """From samples to samples, where `n` is a vector at least; of floats, above and row are keys.

    Those of below are left in `keys`. `next` and `next_dst` are rows to ask memory for.
    """
    cdef int size = sizeof(key)
    cdef int lanes = VECTOR // size
    cdef vector none = filled(0, size)
    cdef vector left = none
    cdef vector middle = largest_in_columns(above, row, below, keys, floats, flip)
    cdef vector right
    cdef int x = 0
    while x + 2 * lanes <= n:
        fetch(next + x)
        fetch_to_write(next_dst + x)
        right = largest_in_columns(
            above + x + lanes, row + x + lanes, below + x + lanes, keys + x + lanes, floats, flip)
        store_largest(dst + x, before(left, middle, size), middle, after(middle, right, size), floats, flip)
        left = middle
        middle = right
        x += lanes
    left = before(left, middle, size)
    if x + lanes < n:    # the last vector, which ends with the row, overlaps this one
        right = largest_in_columns(above + x + 1, row + x + 1, below + x + 1, keys + x + 1, floats, flip)
        store_largest(dst + x, left, middle, right, floats, flip)
        x = n - lanes
        left = largest_in_columns(above + x - 1, row + x - 1, below + x - 1, keys + x - 1, floats, flip)
        middle = largest_in_columns(above + x, row + x, below + x, keys + x, floats, flip)
    store_largest(dst + x, left, middle, after(middle, none, size), floats, flip)


# Memory

cdef inline size_t line_bytes(size_t bytes) noexcept nogil:
    return (bytes + LINE - 1) // LINE * LINE


cdef inline int within(int radius, int size) noexcept nogil:
    """As much of the radius as matters in a picture of that size."""
    return min(radius, size - 1)


cdef inline int ring_rows(int height, const Window *w) noexcept nogil:
    """Those of a window, and one for what is kept a row further down."""
    return min(2 * within(w.radius, height) + 1, height) + 1


cdef inline int strip_width(int width, int height, int size, const Window *w) noexcept nogil:
    """How many columns are processed together."""
    cdef int fit = CACHE // (ring_rows(height, w) * LINE) * LINE
    return width if w.shape == DISC else min(width, max(fit, 2 * LINE) // size)


cdef inline size_t reach_bytes(int width, int size, const Window *w) noexcept nogil:
    """Room before and after a row for the places of its windows that are outside."""
    return line_bytes(<size_t>within(w.radius, width) * size)


cdef inline size_t scratch_bytes(int width, int height, int size, const Window *w) noexcept nogil:
    """What morph_plane needs."""
    cdef size_t pitch = line_bytes(<size_t>strip_width(width, height, size, w) * size)
    return ring_rows(height, w) * pitch + LINES * (line_bytes(<size_t>width * size) + 2 * reach_bytes(width, size, w))


# Planes

cdef struct Rows:
    # Where the rows to take maxima of are: in the frame, integers being keys but for the flip, or in a ring of keys.
    const char *first
    ptrdiff_t stride    # bytes
    int count


cdef inline const void *row_at(const Rows *rows, int y) noexcept nogil:
    return rows.first + y % rows.count * rows.stride


cdef inline void column_maxima(
        key *dst, const Rows *rows, int x, key flip, key *ring, ptrdiff_t pitch, key *running, const key *empty,
        int front, int n, int height, int radius) noexcept nogil:
    """The maxima around row front - radius, if there is one, once row `front`, if there is one, is at hand.

    The downward maxima of a block are kept one row further down, so that none is written where the row stands of
    which it is the maximum: the ring may be that of the rows.
    """
    cdef int window = 2 * radius + 1
    cdef int slot = front % window
    cdef const key *newest = <const key *>row_at(rows, front) + x
    cdef const key *rest = empty    # of the window, what is in the block before
    cdef key *raised
    cdef int y
    if radius == 1:
        if front > 0:
            largest_row_of_3(
                dst, <const key *>row_at(rows, max(front - 2, 0)) + x, <const key *>row_at(rows, front - 1) + x,
                <const key *>row_at(rows, min(front, height - 1)) + x, n, flip)
        return
    if slot == 0:
        memset(running, 0, n * sizeof(key))
        if front > 0:
            for y in range(min(front, height) - 1, front - window, -1):
                raised = ring + (y % window + 1) * pitch
                larger_with(raised, rest, <const key *>row_at(rows, y) + x, n, flip)
                rest = raised
    rest = empty
    if front >= window and slot + 1 < window:
        rest = ring + (slot + 2) * pitch
    if front >= height:
        larger_of_2(dst, running, rest, n, 0)
    elif front >= radius:
        raise_both(dst, running, newest, rest, n, flip)
    else:
        raise_to(running, newest, n, flip)


cdef inline void finish_row(
        key *dst, ptrdiff_t ahead, const key *src, const key *columns, int width, int radius, Sample sample,
        const Window *w, key *middle, key *spare, key *other, key *wide) noexcept nogil:
    """From the maxima of columns to samples, while memory `ahead` of dst, if not 0, is asked for."""
    cdef bint floats = sample == HALF or sample == SINGLE
    cdef key flip = <key>-1 if w.erode else 0
    cdef int piece = max(PIECE // <int>sizeof(key), 8 * radius)
    cdef int x = 0
    cdef int n
    if w.shape == CROSS:
        load_keys(middle, src, width, sample, flip)
    while x < width:
        n = min(piece, width - x)
        if ahead != 0:
            fetch_to_write_row(dst + ahead + x, n * sizeof(key))
        if w.shape == RECT:
            widen(dst + x, columns + x, n, radius, spare, other, floats, flip)
        else:
            widen(wide, middle + x, n, radius, spare, other, False, 0)
            if floats:
                floats_of_3(dst + x, columns + x, wide, wide, n, flip)
            else:
                larger_of_2(dst + x, columns + x, wide, n, flip)
        x += n


cdef inline void rect_or_cross_plane(
        key *dst, ptrdiff_t dst_stride, const key *src, ptrdiff_t src_stride, int width, int height, Sample sample,
        const Window *w, key *scratch) noexcept nogil:
    cdef int size = sizeof(key)
    cdef int down = within(w.radius, height)
    cdef int across = within(w.radius, width)
    cdef int strip = strip_width(width, height, size, w)
    cdef bint whole = strip == width
    cdef bint floats = sample == HALF or sample == SINGLE
    cdef ptrdiff_t pitch = line_bytes(strip * size) // size
    cdef ptrdiff_t reach = reach_bytes(width, size, w) // size
    cdef ptrdiff_t line = line_bytes(width * size) // size + 2 * reach
    cdef key *columns = scratch + reach
    cdef key *middle = columns + line
    cdef key *empty = scratch + 2 * line
    cdef key *spare = empty + line
    cdef key *other = spare + line
    cdef key *wide = other + line
    cdef key *running = wide + line
    cdef key *ring = scratch + LINES * line
    cdef key flip = <key>-1 if w.erode else 0
    cdef Rows rows
    cdef key *to
    cdef ptrdiff_t ahead
    cdef int left = 0
    cdef int n, m, x, front, y
    memset(scratch, 0, 3 * line * size)
    while left < width:
        n = min(strip, width - left)
        rows.first = <const char *>(src + left)
        rows.stride = src_stride * size
        rows.count = height
        if floats:
            rows.first = <const char *>ring
            rows.stride = pitch * size
            rows.count = 2 * down + 1
        for front in range(height + down):
            y = front - down
            to = columns if whole else dst + y * dst_stride + left
            ahead = AHEAD * dst_stride if 0 <= y < height - AHEAD else 0
            x = 0
            while x < n:
                m = min(PIECE // size, n - x)
                if front + AHEAD < height:
                    fetch_row(src + (front + AHEAD) * src_stride + left + x, m * size)
                if not whole and ahead != 0:
                    fetch_to_write_row(to + ahead + x, m * size)
                if floats and front < height:
                    load_keys(
                        ring + front % rows.count * pitch + x, src + front * src_stride + left + x, m, sample, flip)
                column_maxima(
                    to + x, &rows, x, 0 if floats else flip, ring + x, pitch, running + x, empty, front, m, height,
                    down)
                x += m
            if whole and y >= 0:
                finish_row(
                    dst + y * dst_stride, ahead, src + y * src_stride, columns, width, across, sample, w, middle, spare,
                    other, wide)
        left += strip
    if not whole:
        for y in range(height):
            memcpy(columns, dst + y * dst_stride, width * size)
            finish_row(
                dst + y * dst_stride, 0, src + y * src_stride, columns, width, across, sample, w, middle, spare, other,
                wide)


cdef inline void plane_of_3x3(
        key *dst, ptrdiff_t dst_stride, const key *src, ptrdiff_t src_stride, int width, int height, Sample sample,
        key flip, key *ring) noexcept nogil:
    cdef bint floats = sample == HALF or sample == SINGLE
    cdef ptrdiff_t pitch = line_bytes(width * <int>sizeof(key)) // <int>sizeof(key)
    cdef Rows rows
    cdef int y
    rows.first = <const char *>src
    rows.stride = src_stride * <int>sizeof(key)
    rows.count = height
    if floats:
        rows.first = <const char *>ring
        rows.stride = pitch * <int>sizeof(key)
        rows.count = 3
        keys_of_floats(ring, src, width, flip)
    for y in range(height):
        largest_of_3x3(
            dst + y * dst_stride, <const key *>row_at(&rows, max(y - 1, 0)), <const key *>row_at(&rows, y),
            src + min(y + 1, height - 1) * src_stride, ring + (y + 1) % 3 * pitch,
            src + min(y + 1 + AHEAD, height - 1) * src_stride, dst + min(y + AHEAD, height - 1) * dst_stride,
            width, floats, flip)


cdef inline void disc_plane(
        key *dst, ptrdiff_t dst_stride, const key *src, ptrdiff_t src_stride, int width, int height, Sample sample,
        const Window *w, key *scratch) noexcept nogil:
    cdef int size = sizeof(key)
    cdef int rows = ring_rows(height, w)
    cdef ptrdiff_t pitch = line_bytes(width * size) // size
    cdef ptrdiff_t reach = reach_bytes(width, size, w) // size
    cdef ptrdiff_t line = pitch + 2 * reach
    cdef key *ring = scratch + LINES * line
    cdef key *t = scratch + reach
    cdef key *u = t + line
    cdef key *spare = scratch + 2 * line
    cdef key *other = spare + line
    cdef const key *above
    cdef const key *below
    cdef key flip = <key>-1 if w.erode else 0
    cdef bint floats = sample == HALF or sample == SINGLE
    cdef int loaded = 0
    cdef int d, y, h, half, step
    memset(scratch, 0, 2 * line * size)
    for y in range(height):
        while loaded < min(y + <int64_t>w.radius + 1, <int64_t>height):
            load_keys(ring + loaded % rows * pitch, src + loaded * src_stride, width, sample, flip)
            loaded += 1
        if loaded < height:
            fetch_row(src + loaded * src_stride, width * size)
        memcpy(t, ring + y % rows * pitch, width * size)
        h = w.radius
        half = within(h, width)
        for d in range(1, min(w.radius, max(y, height - 1 - y)) + 1):
            while <int64_t>h * h > <int64_t>w.radius * w.radius - <int64_t>d * d:
                h -= 1
            step = half - within(h, width)
            half -= step
            above = ring + (y - d if y >= d else y + d) % rows * pitch
            below = ring + (y + d if y + d < height else y - d) % rows * pitch
            if step == 0:
                largest_of_3(u, t, above, below, width, 0)
            elif step == 1:
                largest_of_5(u, t - 1, t, t + 1, above, below, width)
            else:
                widen(u, t, width, step, spare, other, False, 0)
                raise_to(u, above, width, 0)
                raise_to(u, below, width, 0)
            t, u = u, t
        widen(dst + y * dst_stride, t, width, half, spare, other, floats, flip)


cdef inline void keys_plane(
        key *dst, ptrdiff_t dst_stride, const key *src, ptrdiff_t src_stride, int width, int height, Sample sample,
        const Window *w, key *scratch) noexcept nogil:
    dst_stride //= <ptrdiff_t>sizeof(key)
    src_stride //= <ptrdiff_t>sizeof(key)
    if w.shape == DISC:
        disc_plane(dst, dst_stride, src, src_stride, width, height, sample, w, scratch)
    elif w.shape == RECT and w.radius == 1 and width * <int>sizeof(key) >= VECTOR:
        if w.erode:    # twice, so that the flip is a constant
            plane_of_3x3(dst, dst_stride, src, src_stride, width, height, sample, <key>-1, scratch)
        else:
            plane_of_3x3(dst, dst_stride, src, src_stride, width, height, sample, <key>0, scratch)
    else:
        rect_or_cross_plane(dst, dst_stride, src, src_stride, width, height, sample, w, scratch)


cdef inline void morph_plane(
        void *dst, ptrdiff_t dst_stride, const void *src, ptrdiff_t src_stride, int width, int height,
        const Pixels *pixels, const Window *w, void *scratch) noexcept nogil:
    """The largest sample of the window around each, or for an erosion the smallest. Strides in bytes."""
    if pixels.sample == BYTE:
        keys_plane(
            <uint8_t *>dst, dst_stride, <const uint8_t *>src, src_stride, width, height, pixels.sample, w,
            <uint8_t *>scratch)
    elif pixels.sample == SINGLE:
        keys_plane(
            <uint32_t *>dst, dst_stride, <const uint32_t *>src, src_stride, width, height, pixels.sample, w,
            <uint32_t *>scratch)
    else:
        keys_plane(
            <uint16_t *>dst, dst_stride, <const uint16_t *>src, src_stride, width, height, pixels.sample, w,
            <uint16_t *>scratch)
