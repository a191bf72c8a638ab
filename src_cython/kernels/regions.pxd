"""The connected regions of a mask, one by one: each as its runs, the masked stretches of rows.

Pixels are connected to their four neighbours or, if asked for, to all within some reach along both axes. A mask is read
once, row by row; a run is joined with those before and above it that it is connected to (union-find). So beside that
reading, time and memory grow with the runs, not with the plane.
"""

from libc.stddef cimport ptrdiff_t, size_t
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

from common.arena cimport extend, free_block, reserve
from common.pixels cimport BYTE, HALF, SINGLE, View, crow8, crow16, row8, sample_bytes


cdef extern from * nogil:
    ctypedef const uint32_t *crow32 "const uint32_t *restrict"


cdef enum:
    LANES = 8
    SPARSE = 8             # a region is, if its box is larger than it by more than this factor


cdef struct Run:
    int y
    int first
    int end                # one beyond the last pixel
    int region             # while regions are found: a run of the same region that comes earlier, or the run itself


cdef struct Region:
    int runs               # where its runs begin among `ordered`
    int count              # of runs
    int64_t pixels
    int left, top, right, bottom   # the box around it; right and bottom are one beyond


cdef struct Box:           # a part of a plane
    int left
    int top
    int width
    int height


cdef inline Box box_around(const Region *r, int margin, int width, int height) noexcept nogil:
    """A region's box with a margin, as far as a plane of this size goes."""
    cdef Box b
    b.left = max(r.left - margin, 0)
    b.top = max(r.top - margin, 0)
    b.width = min(r.right + margin, width) - b.left
    b.height = min(r.bottom + margin, height) - b.top
    return b


cdef inline uint64_t eight_bytes(const uint8_t *mask) noexcept nogil:
    cdef uint64_t bytes
    memcpy(&bytes, mask, 8)
    return bytes


cdef inline bint is_blank(const void *row, size_t bytes) noexcept nogil:
    """Whether all bits are 0: of most masks, most rows are, and need no more than that."""
    cdef const uint8_t *bits = <const uint8_t *>row
    cdef uint64_t any[LANES]
    cdef uint64_t found = 0
    cdef size_t i
    cdef int k
    for k in range(LANES):
        any[k] = 0
    for i in range(bytes // sizeof(any)):
        for k in range(LANES):
            any[k] |= eight_bytes(bits + i * sizeof(any) + k * 8)
    for k in range(LANES):
        found |= any[k]
    for i in range(bytes // sizeof(any) * sizeof(any), bytes):
        found |= bits[i]
    return found == 0


# A mask as bytes

cdef inline void or_bytes(row8 out, crow8 src, int n) noexcept nogil:
    cdef int x
    for x in range(n):  # hot
        out[x] |= src[x] != 0


cdef inline void or_words(row8 out, crow16 src, int n, uint16_t bits) noexcept nogil:
    cdef int x
    for x in range(n):  # hot
        out[x] |= (src[x] & bits) != 0


cdef inline void or_singles(row8 out, crow32 src, int n) noexcept nogil:
    cdef int x
    for x in range(n):  # hot
        out[x] |= (src[x] & 0x7FFFFFFFu) != 0


cdef inline void or_row(uint8_t *out, const void *src, const View *v) noexcept nogil:
    """1 where a sample is not 0 (-0 is, NaN is not)."""
    if v.pixels.sample == BYTE:
        or_bytes(out, <const uint8_t *>src, v.width)
    elif v.pixels.sample == SINGLE:
        or_singles(out, <const uint32_t *>src, v.width)
    else:
        # Of halves, the sign does not count; words have no other bits.
        or_words(out, <const uint16_t *>src, v.width, 0x7FFF if v.pixels.sample == HALF else 0xFFFF)


cdef inline void join_pairs(row8 out, crow8 line, int n) noexcept nogil:
    cdef int x
    for x in range(n):  # hot
        out[x] = line[2 * x] | line[2 * x + 1]


cdef inline void join_columns(uint8_t *out, const uint8_t *line, int n, int shift) noexcept nogil:
    """Each pixel of a subsampled row is 1 if any of those that it covers is."""
    cdef int x, i
    if shift == 0:
        memcpy(out, line, n)
    elif shift == 1:
        join_pairs(out, line, n)
    else:
        for x in range(n):
            for i in range(1 << shift):
                out[x] |= line[(x << shift) + i]


cdef inline size_t line_bytes(const View *v, int shift_x) noexcept nogil:
    """The memory that mask_row needs: a row of luma, and one that it writes, of whole cache lines each."""
    return (<size_t>v.width + 63) // 64 * 64 + ((v.width >> shift_x) + 63) // 64 * 64


cdef inline bint mask_row(
        uint8_t *out, const View *v, int y, int shift_x, int shift_y, uint8_t *line) noexcept nogil:
    """Row y of a mask in a plane that is subsampled by these shifts: 1 where it is not 0.

    False: it is 0 everywhere, and nothing is written. line: a row of luma.
    """
    cdef size_t bytes = <size_t>v.width * sample_bytes(v.pixels)
    cdef const char *row = <const char *>v.data + (<ptrdiff_t>y << shift_y) * v.stride
    cdef bint marked = False
    for _ in range(1 << shift_y):
        if not is_blank(row, bytes):
            if not marked:
                memset(line, 0, v.width)
            marked = True
            or_row(line, row, v)
        row += v.stride
    if marked:
        memset(out, 0, v.width >> shift_x)
        join_columns(out, line, v.width >> shift_x, shift_x)
    return marked


cdef inline void read_mask(uint8_t *out, const View *v, int shift_x, int shift_y, uint8_t *line) noexcept nogil:
    """All rows of it."""
    cdef int y
    for y in range(v.height >> shift_y):
        if not mask_row(out, v, y, shift_x, shift_y, line):
            memset(out, 0, v.width >> shift_x)
        out += v.width >> shift_x


# Runs, and what they belong to

cdef inline int skip(const uint8_t *mask, uint8_t value, int x, int width) noexcept nogil:
    """The next pixel from x on that has another value, or width."""
    cdef uint64_t eight = value * <uint64_t>0x0101010101010101
    while x + 8 <= width and eight_bytes(mask + x) == eight:
        x += 8
    while x < width and mask[x] == value:
        x += 1
    return x


cdef inline int first_of(Run *runs, int i) noexcept nogil:
    """The first run of the region that run i is of, as far as is known; paths are halved on the way."""
    while runs[i].region != i:
        runs[i].region = runs[runs[i].region].region
        i = runs[i].region
    return i


cdef inline void join(Run *runs, int i, int j) noexcept nogil:
    i = first_of(runs, i)
    j = first_of(runs, j)
    if i < j:
        runs[j].region = i
    else:
        runs[i].region = j


cdef inline int stretch_end(const Run *runs, int i, int end, int reach) noexcept nogil:
    """The end of the runs of a row, from i on, that are connected one by one."""
    i += 1
    while i < end and runs[i].first - runs[i - 1].end < reach:
        i += 1
    return i


cdef inline void join_rows(Run *runs, int i, int above_end, int x, int end, int reach) noexcept nogil:
    """Joins the runs of two rows, i up to above_end and x up to end, that have columns no more than reach apart.

    Those that are connected within their row go as one stretch: what lies in its gaps is within reach, too.
    """
    cdef int next_i, next_x
    if i == above_end or x == end:
        return
    next_i = stretch_end(runs, i, above_end, reach)
    next_x = stretch_end(runs, x, end, reach)
    while True:
        if runs[i].first < runs[next_x - 1].end + reach and runs[x].first < runs[next_i - 1].end + reach:
            join(runs, i, x)
        # Of the two, the one that ends first has met all that it can.
        if runs[next_i - 1].end < runs[next_x - 1].end:
            i = next_i
            if i == above_end:
                return
            next_i = stretch_end(runs, i, above_end, reach)
        else:
            x = next_x
            if x == end:
                return
            next_x = stretch_end(runs, x, end, reach)


cdef inline int find_runs(Run *runs, int n, const uint8_t *mask, int width, int y, int reach) noexcept nogil:
    """Appends the runs of row y to n others; how many there are then. Those that are connected are joined."""
    cdef int first = n
    cdef int x = skip(mask, 0, 0, width)
    while x < width:
        runs[n].y = y
        runs[n].first = x
        x = skip(mask, 1, x, width)
        runs[n].end = x
        runs[n].region = n
        if n > first and runs[n].first - runs[n - 1].end < reach:
            join(runs, n - 1, n)
        n += 1
        x = skip(mask, 0, x, width)
    return n


cdef inline int64_t box_area(const Region *r) noexcept nogil:
    return <int64_t>(r.right - r.left) * (r.bottom - r.top)


cdef inline bint is_sparse(const Region *r) noexcept nogil:
    return box_area(r) > SPARSE * r.pixels


cdef inline void absorb(Region *r, const Region *other) noexcept nogil:
    r.count += other.count
    r.pixels += other.pixels
    r.left = min(r.left, other.left)
    r.right = max(r.right, other.right)
    r.top = min(r.top, other.top)
    r.bottom = max(r.bottom, other.bottom)


cdef inline int unite_sparse(Region *regions, int count, int *number) noexcept nogil:
    """Makes one of regions that hardly fill their boxes, if it has the smaller box: a solver's time goes by boxes.

    How many regions there are; `number` of each what it is now.
    """
    cdef Region all
    cdef int64_t area = 0
    cdef int sparse = 0
    cdef int one = -1
    cdef int n = 0
    cdef int i
    for i in range(count):
        number[i] = i
        if is_sparse(&regions[i]):
            if sparse == 0:
                all = regions[i]
            else:
                absorb(&all, &regions[i])
            area += box_area(&regions[i])
            sparse += 1
    if sparse < 2 or area <= box_area(&all):
        return count
    for i in range(count):
        if not is_sparse(&regions[i]):
            number[i] = n
            regions[n] = regions[i]
            n += 1
        elif one < 0:
            number[i] = one = n
            n += 1
        else:
            number[i] = one
    regions[one] = all
    return n


cdef inline int order_runs(Run *ordered, Run *runs, int n, Region *regions, int *number) noexcept nogil:
    """Sorts the runs by region, regions by their first runs; how many regions there are. number: room for n."""
    cdef int count = 0
    cdef int i, r
    cdef Region *region
    for i in range(n):
        # Earlier runs have the numbers of their regions already.
        if runs[i].region == i:
            r = count
            count += 1
            regions[r].count = regions[r].pixels = 0
            regions[r].left = runs[i].first
            regions[r].right = runs[i].end
            regions[r].top = runs[i].y
        else:
            r = runs[runs[i].region].region
        runs[i].region = r
        region = &regions[r]
        region.count += 1
        region.pixels += runs[i].end - runs[i].first
        region.left = min(region.left, runs[i].first)
        region.right = max(region.right, runs[i].end)
        region.bottom = runs[i].y + 1
    count = unite_sparse(regions, count, number)
    r = 0
    for i in range(count):
        regions[i].runs = r
        r += regions[i].count
        regions[i].count = 0
    for i in range(n):
        region = &regions[number[runs[i].region]]
        ordered[region.runs + region.count] = runs[i]
        region.count += 1
    return count


cdef struct Regions:
    Region *region
    int count
    const Run *runs        # of all regions, in their order


cdef struct Lists:         # blocks of memory, to be zeroed first and freed in the end
    void *lines            # a row of the mask, and which run is the first of each row
    void *runs             # as they are found
    void *regions          # and sorted: what `Regions` points into


cdef inline void free_lists(Lists *lists) noexcept nogil:
    free_block(lists.lines)
    free_block(lists.runs)
    free_block(lists.regions)


cdef inline bint find_regions(
        Regions *found, uint8_t *bytes, const View *mask, int shift_x, int shift_y, int reach,
        Lists *lists) noexcept nogil:
    """The regions of a mask in a plane that is subsampled by these shifts, held by lists. False: out of memory.

    bytes: the mask as read_mask would write it, or NULL.
    """
    cdef int width = mask.width >> shift_x
    cdef int height = mask.height >> shift_y
    cdef size_t line_size = line_bytes(mask, shift_x)
    cdef uint8_t *line = <uint8_t *>reserve(&lists.lines, line_size + (<size_t>height + 1) * sizeof(int))
    cdef int *rows = <int *>(line + line_size)
    cdef uint8_t *out = line + (<size_t>mask.width + 63) // 64 * 64
    cdef int n = 0
    cdef int y, above
    cdef Run *runs
    cdef int *number
    if line == NULL:
        return False
    rows[0] = 0
    for y in range(height):
        if bytes != NULL:
            out = bytes + y * <size_t>width
        if mask_row(out, mask, y, shift_x, shift_y, line):
            runs = <Run *>extend(
                &lists.runs, n * sizeof(Run), (<size_t>n + <size_t>(width + 1) // 2) * sizeof(Run))
            if runs == NULL:
                return False
            n = find_runs(runs, n, out, width, y, reach)
            for above in range(max(y - max(reach, 1), 0), y):
                join_rows(runs, rows[above], rows[above + 1], rows[y], n, reach)
        elif bytes != NULL:
            memset(out, 0, width)
        rows[y + 1] = n
    found.count = 0
    if n == 0:
        return True
    runs = <Run *>extend(&lists.runs, 0, 0)
    found.region = <Region *>reserve(&lists.regions, n * (sizeof(Region) + sizeof(Run) + sizeof(int)))
    if found.region == NULL:
        return False
    found.runs = <Run *>(found.region + n)
    number = <int *>(found.runs + n)
    found.count = order_runs(<Run *>found.runs, runs, n, found.region, number)
    return True
