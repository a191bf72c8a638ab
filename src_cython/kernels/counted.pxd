"""Sums of integer samples whose weights are small multiples of one number: multiplied and added as integers.

Such a sum has no rounding, so its terms may come in any order, and in groups. Columns come first: the taps of one
displacement across are a column of factors, and its sums, down every column of the picture, serve all columns that are
multiples of it. Then those sums are added along the row. So a box of NxN is 2*N terms for N*N; and rows are read where
they lie in the frame, as only sums are shifted, which their mirror images continue at both sides.

Sums are kept modulo 2^16 for bytes, modulo 2^32 for words. Anything on the way may wrap, for the result does not: it is
a whole number of units, that float32 holds, and is multiplied by the unit once.
"""

from libc.math cimport ceil, fabs, floor
from libc.stddef cimport ptrdiff_t, size_t
from libc.stdint cimport uint8_t, uint16_t, uint32_t
from libc.string cimport memcpy, memset

from common.c cimport bits_of_float, clampf, fetch_row, fetch_to_write_row, float_of_bits
from common.pixels cimport View, row16


cdef extern from * nogil:
    ctypedef uint32_t *row32 "uint32_t *restrict"


cdef enum:
    MOST = 256              # taps
    PADDED = MOST + 2       # and rows of zeros, up to a multiple of three
    FACTORS = 256           # that factors may add up to: sums of bytes fit 16 bits, those of words a float's digits
    PLACES = 1024           # factors of all columns
    COLUMNS = 3             # of words: with more, sums of floats are faster
    BLOCK = 64              # samples that are whole vectors, of any size
    SUMS = 16384            # bytes of sums of columns at a time, half of a first-level cache,
    PIECE = 4096            # and of one column, for memory can only be asked for so much at once
    AHEAD = 2               # rows further down it is asked for


cdef struct Tap:
    int dx
    int dy
    double weight


cdef struct Term:
    int dx
    int column
    int factor


cdef struct Fixed:          # from sums of bytes to bytes in 16 bits
    uint16_t start
    uint16_t low
    uint16_t high
    uint16_t bias
    uint16_t stretch
    uint16_t factor         # 0: no such way


cdef struct Counted:
    Term terms[MOST]
    int factors[PLACES]     # of each column and, in it, line
    int lines[MOST]         # displacements down
    int term_count          # 0: they are none for integers
    int column_count
    int line_count
    double unit
    int least               # what negative factors add up to,
    int most                # and positive ones
    int left                # mirrored sums that terms need at each side
    int right
    int below               # the furthest row below its own
    Fixed fixed


# Creation

cdef inline bint divide_weights(int *factors, const Tap *taps, int count, double unit) noexcept nogil:
    """Are they, as float32, multiples of it?"""
    cdef int i
    for i in range(count):
        factors[i] = <int>floor(taps[i].weight / unit + 0.5)
        if <float>(factors[i] * unit) != <float>taps[i].weight:
            return False
    return True


cdef inline double find_unit(int *factors, const Tap *taps, int count) noexcept nogil:
    """The largest number that all weights are small multiples of, the smallest one's fractions tried; 0: none."""
    cdef double smallest = 0
    cdef double total = 0
    cdef double weight
    cdef int i
    for i in range(count):
        weight = fabs(taps[i].weight)
        total += weight
        if weight > 0 and (smallest == 0 or weight < smallest):
            smallest = weight
    for i in range(1, FACTORS + 1):
        if not total < smallest / i * (FACTORS + 0.5):
            break
        if divide_weights(factors, taps, count, smallest / i):
            return smallest / i
    return 0


cdef inline int index_of(int *values, int *count, int value) noexcept nogil:
    """Where the value is, at the end if it was not there."""
    cdef int i
    for i in range(count[0]):
        if values[i] == value:
            return i
    values[count[0]] = value
    count[0] += 1
    return count[0] - 1


cdef inline int common_divisor(const int *values, int count) noexcept nogil:
    """The greatest, of the sign of the first that is not 0."""
    cdef int divisor = 0
    cdef int sign = 0
    cdef int i, value, rest
    for i in range(count):
        value = values[i]
        if sign == 0:
            sign = (value > 0) - (value < 0)
        while value != 0:
            rest = divisor % value
            divisor = value
            value = rest
    return divisor if (divisor > 0) == (sign > 0) else -divisor


cdef inline bint same_factors(const int *a, const int *b, int count) noexcept nogil:
    cdef int i
    for i in range(count):
        if a[i] != b[i]:
            return False
    return True


cdef inline void group_taps(Counted *c, const int *factors, const Tap *taps, int count, int most) noexcept nogil:
    """Into columns. term_count stays 0 if more than `most` differ, or if they take longer than their taps."""
    cdef int across[MOST]
    cdef int across_count = 0
    cdef int *column
    cdef int i, k, divisor
    c.term_count = c.column_count = c.line_count = 0
    for i in range(count):
        index_of(across, &across_count, taps[i].dx)
        index_of(c.lines, &c.line_count, taps[i].dy)
    if across_count * c.line_count > min(4 * count, <int>PLACES):
        return
    c.left = c.right = c.below = 0
    for k in range(across_count):
        column = c.factors + c.column_count * c.line_count
        memset(column, 0, c.line_count * sizeof(int))
        for i in range(count):
            if taps[i].dx == across[k]:
                column[index_of(c.lines, &c.line_count, taps[i].dy)] += factors[i]
        divisor = common_divisor(column, c.line_count)
        if divisor == 0:
            continue
        for i in range(c.line_count):
            column[i] = column[i] // divisor
        i = 0
        while not same_factors(c.factors + i * c.line_count, column, c.line_count):
            i += 1
        c.terms[c.term_count].dx = across[k]
        c.terms[c.term_count].column = i
        c.terms[c.term_count].factor = divisor
        c.term_count += 1
        c.column_count = max(c.column_count, i + 1)
        c.left = max(c.left, across[k])
        c.right = max(c.right, -across[k])
    for i in range(c.line_count):
        c.below = max(c.below, -c.lines[i])
    if c.column_count > most or c.column_count * c.line_count + c.term_count > 2 * count:
        c.term_count = 0


# From sums to samples

ctypedef fused sum_type:
    uint16_t
    uint32_t


cdef struct Scale:
    int least               # the smallest sum
    float unit
    float base
    float peak


cdef struct Share:          # the same of sums that are within the range of samples
    float unit


ctypedef fused rule:
    Fixed
    Share
    Scale


cdef inline int code_of(sum_type sum, rule r) noexcept nogil:
    cdef uint16_t v
    if rule is Fixed:
        v = min(max(<uint16_t>(sum + r.start), r.low), r.high)
        v = <uint16_t>(<uint16_t>(v - r.bias) * r.stretch)
        v = <uint16_t>((<uint32_t>v * r.factor) >> 16)
        return v >> 7
    elif rule is Share:
        return <int>(<float><int>sum * r.unit + <float>0.5)
    else:
        return <int>(
            clampf(<float>(<int><sum_type>(sum - r.least) + r.least) * r.unit + r.base, 0, r.peak) + <float>0.5)


cdef inline Scale scale_of(const Counted *c, float base, float peak) noexcept nogil:
    cdef Scale s
    s.least = c.least * <int>peak
    s.unit = <float>c.unit
    if s.unit < c.unit:
        s.unit = float_of_bits(bits_of_float(s.unit) + 1)  # no half falls below a half: it is rounded up
    s.base = base
    s.peak = peak
    return s


cdef inline void find_fixed(Counted *c) noexcept nogil:
    """A way that is the same for every sum, if there is one.

    sum - bias, in units, is the code and a half, rounded down. It is stretched to 16 bits, and multiplied by what makes
    it a code with 7 bits behind the point.
    """
    cdef Scale s = scale_of(c, 0, 255)
    cdef int sums = (c.most - c.least) * 255
    cdef int half = <int>floor(min(0.5 / c.unit, 1e6))
    cdef int bias = -s.least - half
    cdef int high = 0
    cdef double factor
    cdef int i
    c.fixed.factor = 0
    while high < sums and code_of(<uint16_t>(high + s.least), s) < 255:
        high += 1
    if not 0 < high - bias < 65536:
        return
    c.fixed.start = <uint16_t>-s.least
    c.fixed.low = <uint16_t>max(bias, 0)
    c.fixed.high = <uint16_t>high
    c.fixed.bias = <uint16_t>bias
    c.fixed.stretch = <uint16_t>(65535 // (high - bias))
    factor = ceil(c.unit * (1 << 23) / c.fixed.stretch)
    if factor > 65535:
        return
    c.fixed.factor = <uint16_t>factor
    for i in range(sums + 1):
        if code_of(<uint16_t>(i + s.least), c.fixed) != code_of(<uint16_t>(i + s.least), s):
            c.fixed.factor = 0
            return


cdef inline void describe_counted(Counted *c, const Tap *taps, int count, bint of_bytes) noexcept nogil:
    """term_count tells whether count_plane is for them."""
    cdef int most = <int>MOST if of_bytes else <int>COLUMNS
    cdef int factors[MOST]
    cdef Tap turned[MOST]
    cdef int i
    c.term_count = c.least = c.most = 0
    c.unit = find_unit(factors, taps, count)
    if c.unit == 0:
        return
    # A transposed picture is to have the same sums, transposed: so the rows have to be as few as the columns.
    for i in range(count):
        turned[i].dx = taps[i].dy
        turned[i].dy = taps[i].dx
    group_taps(c, factors, turned, count, most)
    if c.term_count > 0:
        group_taps(c, factors, taps, count, most)
    for i in range(count):
        c.least += min(factors[i], 0)
        c.most += max(factors[i], 0)
    if of_bytes and c.term_count > 0:
        find_fixed(c)


# Rows

ctypedef fused sample_type:
    uint8_t
    uint16_t


ctypedef fused whole:
    uint8_t
    uint16_t
    uint32_t


ctypedef fused row_of_sums:
    row16
    row32


ctypedef fused item:
    uint16_t
    uint32_t
    float


cdef inline void mirror(item *dst, const item *src, int n) noexcept nogil:
    cdef int x
    for x in range(n):  # hot
        dst[x] = src[n - 1 - x]


cdef inline int mirrored(int y, int height) noexcept nogil:
    """The row that is seen at y, at most one height beyond the border."""
    if y < 0:
        return -1 - y
    return y if y < height else 2 * height - 1 - y


cdef inline void count_3(
        sum_type *sums, bint first, const whole *a, const whole *b, const whole *c, const sum_type *w,
        int n) noexcept nogil:
    """Sets the sums to these, or adds these to them; no factors: they are 1."""
    cdef sum_type wa, wb, wc
    cdef int x
    if w == NULL:
        for x in range(n):  # hot
            sums[x] = (0 if first else sums[x]) + a[x] + b[x] + c[x]
        return
    wa = w[0]
    wb = w[1]
    wc = w[2]
    for x in range(n):  # hot
        sums[x] = (0 if first else sums[x]) + wa * a[x] + wb * b[x] + wc * c[x]


cdef inline void count_3_twice(
        row_of_sums sums, row_of_sums second_sums, bint first, const whole *a, const whole *b, const whole *c,
        const sum_type *w, const sum_type *v, int n) noexcept nogil:
    """Two such sums: samples are widened once for both."""
    cdef sum_type wa = w[0]
    cdef sum_type wb = w[1]
    cdef sum_type wc = w[2]
    cdef sum_type va = v[0]
    cdef sum_type vb = v[1]
    cdef sum_type vc = v[2]
    cdef int x
    for x in range(n):  # hot
        sums[x] = (0 if first else sums[x]) + wa * a[x] + wb * b[x] + wc * c[x]
        second_sums[x] = (0 if first else second_sums[x]) + va * a[x] + vb * b[x] + vc * c[x]


cdef inline void count_3_thrice(
        row_of_sums sums, row_of_sums second_sums, row_of_sums third_sums, bint first, const whole *a, const whole *b,
        const whole *c, const sum_type *w, const sum_type *v, const sum_type *u, int n) noexcept nogil:
    """Three such sums. Loops with a choice in them GCC would not vectorise."""
    cdef sum_type wa = w[0]
    cdef sum_type wb = w[1]
    cdef sum_type wc = w[2]
    cdef sum_type va = v[0]
    cdef sum_type vb = v[1]
    cdef sum_type vc = v[2]
    cdef sum_type ua = u[0]
    cdef sum_type ub = u[1]
    cdef sum_type uc = u[2]
    cdef int x
    if first:
        for x in range(n):  # hot
            sums[x] = wa * a[x] + wb * b[x] + wc * c[x]
            second_sums[x] = va * a[x] + vb * b[x] + vc * c[x]
            third_sums[x] = ua * a[x] + ub * b[x] + uc * c[x]
        return
    for x in range(n):  # hot
        sums[x] += wa * a[x] + wb * b[x] + wc * c[x]
        second_sums[x] += va * a[x] + vb * b[x] + vc * c[x]
        third_sums[x] += ua * a[x] + ub * b[x] + uc * c[x]


cdef inline void finish_3(
        sample_type *dst, rule r, const sum_type *sums, bint first, const sum_type *a, const sum_type *b,
        const sum_type *c, const sum_type *w, int n) noexcept nogil:
    """Samples of such sums."""
    cdef sum_type wa, wb, wc, sum
    cdef int x
    if w == NULL:
        for x in range(n):  # hot
            sum = (0 if first else sums[x]) + a[x] + b[x] + c[x]
            dst[x] = <sample_type>code_of(sum, r)
        return
    wa = w[0]
    wb = w[1]
    wc = w[2]
    for x in range(n):  # hot
        sum = (0 if first else sums[x]) + wa * a[x] + wb * b[x] + wc * c[x]
        dst[x] = <sample_type>code_of(sum, r)


cdef inline void finish_rows(
        sample_type *dst, rule r, sum_type *sums, const sum_type **rows, const sum_type *factors, int terms, int s,
        int n) noexcept nogil:
    cdef const sum_type *w = factors
    cdef int i = 0
    while i + 3 < terms:
        count_3(sums, i == 0, rows[i] + s, rows[i + 1] + s, rows[i + 2] + s, w, n)
        w = w + 3 if w != NULL else NULL
        i += 3
    finish_3(dst, r, sums, i == 0, rows[i] + s, rows[i + 1] + s, rows[i + 2] + s, w, n)


cdef inline void finish_row(
        sample_type *dst, rule r, sum_type *sums, const sum_type **rows, const sum_type *factors, int terms,
        int width) noexcept nogil:
    """In whole vectors: sums go on beyond the row, samples do not."""
    cdef sample_type last[BLOCK]
    cdef int n = width // BLOCK * BLOCK
    finish_rows(dst, r, sums, rows, factors, terms, 0, n)
    if n < width:
        finish_rows(last, r, sums, rows, factors, terms, n, BLOCK)
        memcpy(dst + n, last, (width - n) * sizeof(sample_type))


# Planes

cdef struct Plan:           # of a plane of some width
    int panel               # columns at a time
    int lead                # room before the sums of a column
    int pitch


cdef inline int rounded(int n, int block) noexcept nogil:
    return (n + block - 1) // block * block


cdef inline Plan plan_of(const Counted *c, int width, int bytes) noexcept nogil:
    """A share of the width; what panels have in common with their neighbours is less than half of what is theirs."""
    cdef Plan p
    cdef int most = max(min(SUMS // c.column_count, <int>PIECE) // bytes, 4 * (c.left + c.right + BLOCK))
    cdef int panels = max(1, (width + most // 2) // most)
    p.panel = rounded((width + panels - 1) // panels, BLOCK)
    p.lead = rounded(max(c.left, c.right), BLOCK)  # the last panel may be narrower than what its mirror image needs
    p.pitch = p.lead + p.panel + rounded(c.right, BLOCK) + BLOCK
    return p


cdef inline size_t counted_bytes(const Counted *c, int width, bint of_bytes) noexcept nogil:
    """What count_plane needs."""
    cdef int bytes = 2 if of_bytes else 4
    return <size_t>bytes * plan_of(c, width, bytes).pitch * (c.column_count + 2)


cdef inline const sum_type *unless_ones(const sum_type *factors, int n) noexcept nogil:
    cdef int i
    for i in range(n):
        if factors[i] != 1:
            return factors
    return NULL


cdef inline void count_some(
        row_of_sums sums, int pitch, bint first, const sample_type *a, const sample_type *b, const sample_type *c,
        const sum_type **factors, int columns, int i, int n) noexcept nogil:
    """Three lines of one to three columns."""
    if columns == 1:
        count_3(<sum_type *>sums, first, a, b, c, factors[0] + i if factors[0] != NULL else NULL, n)
    elif columns == 2:
        count_3_twice(sums, <row_of_sums>(sums + pitch), first, a, b, c, factors[0] + i, factors[1] + i, n)
    else:
        count_3_thrice(
            sums, <row_of_sums>(sums + pitch), <row_of_sums>(sums + 2 * pitch), first, a, b, c, factors[0] + i,
            factors[1] + i, factors[2] + i, n)


cdef inline void count_columns(
        sum_type *sums, int pitch, const sample_type **rows, const sum_type **factors, int columns, int lines, int s,
        int n) noexcept nogil:
    """The sums of the columns, those of each `pitch` behind those of the one before."""
    cdef int k, i
    for k in range(0, columns, 3):
        for i in range(0, lines, 3):
            if sum_type is uint16_t:
                count_some(
                    <row16>(sums + k * pitch + s), pitch, i == 0, rows[i] + s, rows[i + 1] + s, rows[i + 2] + s,
                    factors + k, columns - k, i, n)
            else:
                count_some(
                    <row32>(sums + k * pitch + s), pitch, i == 0, rows[i] + s, rows[i + 1] + s, rows[i + 2] + s,
                    factors + k, columns - k, i, n)


cdef inline void count_plane(
        sample_type *dst, ptrdiff_t dst_stride, const View *src, const Counted *c, float base,
        sum_type *scratch) noexcept nogil:
    """base: what is added, of a sample's scale."""
    cdef const sample_type *rows[PADDED]
    cdef const sample_type *lines[MOST]
    cdef const sum_type *shifted[PADDED]
    cdef const sum_type *columns[MOST]
    cdef sum_type column_factors[PLACES + 2 * MOST]
    cdef sum_type term_factors[PADDED]
    cdef Plan p = plan_of(c, src.width, sizeof(sum_type))
    cdef Scale scale = scale_of(c, base, src.pixels.peak)
    cdef Share share = Share(scale.unit)
    cdef bint none = fabs(base) < 1e-6
    cdef bint shared = none and c.least == 0 and c.most * c.unit < 1 + 1e-6
    cdef bint fixed = none and c.fixed.factor > 0
    cdef int line_count = rounded(c.line_count, 3)
    cdef int term_count = rounded(c.term_count, 3)
    cdef sum_type *sums = scratch + c.column_count * p.pitch
    cdef sum_type *zeros = sums + p.pitch
    cdef const sum_type *along
    cdef const char *ahead
    cdef int x, y, i, k, n, first, last, beyond
    memset(sums, 0, 2 * p.pitch * sizeof(sum_type))
    for k in range(c.column_count):
        for i in range(line_count):
            column_factors[k * line_count + i] = <sum_type>c.factors[k * c.line_count + i] if i < c.line_count else 0
        columns[k] = column_factors + k * line_count
    if c.column_count == 1:
        columns[0] = unless_ones(columns[0], c.line_count)
    for i in range(term_count):
        term_factors[i] = <sum_type>c.terms[i].factor if i < c.term_count else 0
        shifted[i] = zeros
        if i < c.term_count:
            shifted[i] = scratch + c.terms[i].column * p.pitch + p.lead - c.terms[i].dx
    along = unless_ones(term_factors, c.term_count)
    for i in range(line_count):
        rows[i] = <const sample_type *>zeros
    for y in range(src.height):
        for i in range(c.line_count):
            lines[i] = <const sample_type *>(
                <const char *>src.data + mirrored(y - c.lines[i], src.height) * src.stride)
        ahead = <const char *>src.data + min(y + AHEAD + c.below, src.height - 1) * src.stride
        x = 0
        while x < src.width:
            n = min(p.panel, src.width - x)
            first = max(0, x - p.lead)
            last = min(src.width, x + n + rounded(c.right, BLOCK))
            beyond = x + n + c.right - src.width
            for i in range(c.line_count):
                rows[i] = lines[i] + first
            fetch_row(ahead + x * sizeof(sample_type), n * sizeof(sample_type))
            i = first - x + p.lead
            k = last - first
            count_columns(
                scratch + i, p.pitch, rows, columns, c.column_count, line_count, 0,
                k // BLOCK * BLOCK if k > BLOCK else k)
            if k > BLOCK and k % BLOCK != 0:  # once more, as a whole vector
                count_columns(
                    scratch + i, p.pitch, rows, columns, c.column_count, line_count, k - BLOCK, BLOCK)
            for k in range(c.column_count):
                if x == 0:
                    mirror(scratch + k * p.pitch + p.lead - c.left, scratch + k * p.pitch + p.lead, c.left)
                if beyond > 0:
                    i = k * p.pitch + p.lead + src.width - x
                    mirror(scratch + i, scratch + i - beyond, beyond)
            fetch_to_write_row(<char *>(dst + x) + AHEAD * dst_stride, n * sizeof(sample_type))
            if sample_type is uint8_t:
                if fixed:
                    finish_row(dst + x, c.fixed, sums, shifted, along, term_count, n)
                else:
                    finish_row(dst + x, scale, sums, shifted, along, term_count, n)
            else:
                if shared:
                    finish_row(dst + x, share, sums, shifted, along, term_count, n)
                else:
                    finish_row(dst + x, scale, sums, shifted, along, term_count, n)
            x += n
        dst = <sample_type *>(<char *>dst + dst_stride)
