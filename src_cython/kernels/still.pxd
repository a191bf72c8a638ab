"""What other frames show of masked pixels, where the picture stands still there.

Of a pixel, u_b and u_a are those of the nearest frames before and after whose masks leave it out, b and a frames away.
Their dissolve v = (a u_b + b u_a)/(a + b), or the one that there is, is believed where a window of WINDOW pixels on
each side says that nothing moves: the mean over it of |u - v|, at pixels that are known, and |u_a - u_b|, at masked
ones that have both, is no more than a threshold. Where a window has no such pixel, the box of the region counts.

Believed are differences, not values: the masked pixels of a region solve Poisson's equation (kernels.poisson), guided
by v between pixels that are believed and by nothing elsewhere. So what comes from a frame that is brighter joins
without a border. A plane that is masked as a whole has no border and no pixel to compare with: there v is taken.
"""

from libc.stddef cimport ptrdiff_t, size_t
from libc.stdint cimport uint8_t
from libc.string cimport memcpy, memset

from common.arena cimport reserve
from common.c cimport crow, fabsf, minf, row
from common.pixels cimport View, load_bytes, load_part
from kernels.multigrid cimport Grid, grid_floats, level_floats, row_pitch, take
from kernels.poisson cimport (
    NO_MEMORY, SOLVED, Guide, Outcome, box_floats, is_whole, load_box, solve_box, store_runs, take_box)
from kernels.regions cimport Box, Region, Regions, Run, box_around


cdef enum:
    WINDOW = 4
    MARGIN = WINDOW + 1    # of a box: windows around the pixels that masked ones are tied to
    TOGETHER = 2 * WINDOW  # reach of regions: those whose windows meet are one
    PLANES = 10            # of a box


cdef struct Neighbour:     # another frame
    View view
    const uint8_t *covered     # what its mask says
    int frames             # it lies so far away


cdef inline void offer_row(row value, row frames, crow u, crow covered, float distance, int n) noexcept nogil:
    """Takes what a frame has, where nearer ones had nothing. What is no number is nothing."""
    cdef float taken, theirs
    cdef int x
    for x in range(n):  # hot
        theirs = u[x]
        taken = frames[x] + covered[x] + <float>(theirs != theirs)
        value[x] += theirs if taken == 0 else 0
        frames[x] += distance * (<float>1 - minf(taken, 1))


cdef inline void dissolve_row(row value, crow before, crow b, crow after, crow a, int n) noexcept nogil:
    """Where there is neither, 0."""
    cdef float both
    cdef int x
    for x in range(n):  # hot
        both = (before[x] * a[x] + after[x] * b[x]) / (a[x] + b[x])
        value[x] = both if (a[x] > 0) & (b[x] > 0) else before[x] + after[x]


cdef inline void evidence_row(
        row change, row weight, crow u, crow covered, crow value, crow before, crow b, crow after, crow a,
        int n) noexcept nogil:
    """The change of pixels that tell one, and 1; else 0 and 0."""
    cdef float known, masked, far, pair
    cdef int x
    for x in range(n):  # hot
        known = fabsf(u[x] - value[x])
        masked = fabsf(after[x] - before[x])
        far = a[x] + b[x]
        pair = minf(a[x], b[x])
        known = masked if covered[x] != 0 else known
        far = pair if covered[x] != 0 else far
        change[x] = known if far > 0 else 0
        weight[x] = minf(far, 1)


cdef inline void add_row(row sums, crow a, int n) noexcept nogil:
    cdef int x
    for x in range(n):  # hot
        sums[x] += a[x]


cdef inline void belief_row(
        row trust, crow changes, crow weights, crow a, crow b, int n, float threshold, float otherwise) noexcept nogil:
    """From sums over columns; WINDOW of them count beyond each end. otherwise: what holds where there are none."""
    cdef float change, weight, trusted
    cdef int x
    for x in range(n):  # hot
        change = ((changes[x - 4] + changes[x + 4]) + (changes[x - 3] + changes[x + 3])) + (
            (changes[x - 2] + changes[x + 2]) + (changes[x - 1] + changes[x + 1])) + changes[x]
        weight = ((weights[x - 4] + weights[x + 4]) + (weights[x - 3] + weights[x + 3])) + (
            (weights[x - 2] + weights[x + 2]) + (weights[x - 1] + weights[x + 1])) + weights[x]
        trusted = 1 if change <= threshold * weight else 0
        trusted = trusted if weight > 0 else otherwise
        trust[x] = trusted if a[x] + b[x] > 0 else 0


cdef struct Still:         # planes of a box, rows row_pitch of its width apart
    Box box
    size_t pitch
    float *now
    float *covered         # 1 or 0
    float *before          # of the nearest frame before, 0 where there is none
    float *b               # it lies so many frames away, 0 where there is none
    float *after
    float *a
    float *value           # v
    float *change
    float *weight
    float *trust           # 1 where v is believed, else 0


cdef inline size_t still_floats(const Region *r) noexcept nogil:
    """The memory of a region's Still, and of two lines."""
    cdef int width = r.right - r.left + 2 * MARGIN
    return PLANES * level_floats(width, r.bottom - r.top + 2 * MARGIN) + 2 * row_pitch(width + 2 * WINDOW)


cdef inline Still lay_still(const Region *r, int width, int height, float **memory) noexcept nogil:
    """In a plane of this size."""
    cdef Still s
    cdef size_t size
    s.box = box_around(r, MARGIN, width, height)
    s.pitch = row_pitch(s.box.width)
    size = level_floats(s.box.width, s.box.height)
    s.now = take(memory, size, s.pitch)
    s.covered = take(memory, size, s.pitch)
    s.before = take(memory, size, s.pitch)
    s.b = take(memory, size, s.pitch)
    s.after = take(memory, size, s.pitch)
    s.a = take(memory, size, s.pitch)
    s.value = take(memory, size, s.pitch)
    s.change = take(memory, size, s.pitch)
    s.weight = take(memory, size, s.pitch)
    s.trust = take(memory, size, s.pitch)
    return s


cdef inline void load_covered(
        float *out, const uint8_t *covered, const View *view, const Box *b, int y) noexcept nogil:
    """Row y of the box."""
    load_bytes(out, covered + (b.top + y) * <ptrdiff_t>view.width + b.left, b.width, 1)


cdef inline void gather(
        Still *s, const View *src, const uint8_t *covered, const Neighbour *neighbours, int count,
        float *line) noexcept nogil:
    """The frame itself, and of its neighbours, the nearest ones first, what they have."""
    cdef const Neighbour *m
    cdef float *mask = line + row_pitch(s.box.width)
    cdef size_t k
    cdef int i, y
    for y in range(s.box.height):
        k = y * s.pitch
        load_part(s.now + k, src, s.box.left, s.box.top + y, s.box.width)
        load_covered(s.covered + k, covered, src, &s.box, y)
        for i in range(count):
            m = &neighbours[i]
            load_part(line, &m.view, s.box.left, s.box.top + y, s.box.width)
            load_covered(mask, m.covered, src, &s.box, y)
            if m.frames < 0:
                offer_row(s.before + k, s.b + k, line, mask, <float>-m.frames, s.box.width)
            else:
                offer_row(s.after + k, s.a + k, line, mask, <float>m.frames, s.box.width)
        dissolve_row(s.value + k, s.before + k, s.b + k, s.after + k, s.a + k, s.box.width)
        evidence_row(
            s.change + k, s.weight + k, s.now + k, s.covered + k, s.value + k, s.before + k, s.b + k, s.after + k,
            s.a + k, s.box.width)


cdef inline bint stands_still(const Still *s, float threshold) noexcept nogil:
    """Of the whole box."""
    cdef double change = 0
    cdef double weight = 0
    cdef int x, y
    for y in range(s.box.height):
        for x in range(s.box.width):
            change += s.change[y * s.pitch + x]
            weight += s.weight[y * s.pitch + x]
    return weight > 0 and change <= threshold * weight


cdef inline void judge(Still *s, float threshold, float *lines) noexcept nogil:
    """Where v is believed."""
    cdef int n = s.box.width
    cdef size_t size = row_pitch(n + 2 * WINDOW)
    cdef float *changes = lines + WINDOW
    cdef float *weights = changes + size
    cdef float otherwise = 1 if stands_still(s, threshold) else 0
    cdef size_t k
    cdef int y, i
    for y in range(s.box.height):
        memset(lines, 0, 2 * size * sizeof(float))
        for i in range(max(y - WINDOW, 0), min(y + WINDOW + 1, s.box.height)):
            add_row(changes, s.change + i * s.pitch, n)
            add_row(weights, s.weight + i * s.pitch, n)
        k = y * s.pitch
        belief_row(s.trust + k, changes, weights, s.a + k, s.b + k, n, threshold, otherwise)


cdef inline void copy_to_box(float *out, const Still *s, const float *plane, const Region *r) noexcept nogil:
    """A plane of the wider box, laid like the box of the region and the pixels around it."""
    cdef ptrdiff_t pitch = row_pitch(r.right - r.left)
    cdef int left = max(r.left - 1, s.box.left)
    cdef int right = min(r.right + 1, s.box.left + s.box.width)
    cdef int y
    for y in range(max(r.top - 1, s.box.top), min(r.bottom + 1, s.box.top + s.box.height)):
        memcpy(
            out + (y - r.top) * pitch + left - r.left, plane + (y - s.box.top) * s.pitch + left - s.box.left,
            (right - left) * sizeof(float))


cdef inline void uncover(
        uint8_t *covered, const float *box, const Region *r, const Run *runs, int width) noexcept nogil:
    """Leaves pixels of the region out of a mask where the box is not 0."""
    cdef ptrdiff_t pitch = row_pitch(r.right - r.left)
    cdef int n, x
    for n in range(r.count):
        for x in range(runs[n].first, runs[n].end):
            if box[(runs[n].y - r.top) * pitch + x - r.left] != 0:
                covered[runs[n].y * <ptrdiff_t>width + x] = 0


cdef inline Outcome fill_still(
        void *dst, ptrdiff_t stride, const View *src, uint8_t *covered, const Neighbour *neighbours, int count,
        const Regions *regions, float threshold, float tolerance, void **block) noexcept nogil:
    """Fills in what is believed, and takes it out of the mask. Other masked pixels are overwritten.

    Neighbours: the nearest ones first. Regions: of pixels within TOGETHER of each other.
    """
    cdef const Region *r
    cdef const Run *runs
    cdef float *memory
    cdef float *picture
    cdef float *value
    cdef float *trust
    cdef Still s
    cdef Guide guide
    cdef Grid g
    cdef int i, y
    for i in range(regions.count):
        r = &regions.region[i]
        runs = regions.runs + r.runs
        memory = <float *>reserve(
            block, (still_floats(r) + 3 * box_floats(r) + grid_floats(r.right - r.left, r.bottom - r.top))
            * sizeof(float))
        if memory == NULL:
            return NO_MEMORY
        picture = take_box(&memory, r)
        value = take_box(&memory, r)
        trust = take_box(&memory, r)
        s = lay_still(r, src.width, src.height, &memory)
        gather(&s, src, covered, neighbours, count, memory)
        copy_to_box(value, &s, s.value, r)
        if is_whole(r, src):
            for y in range(s.box.height):
                add_row(s.b + y * s.pitch, s.a + y * s.pitch, s.box.width)
            copy_to_box(trust, &s, s.b, r)
            store_runs(dst, stride, src, value, r, runs)
        else:
            judge(&s, threshold, memory)
            copy_to_box(trust, &s, s.trust, r)
            load_box(picture, src, r)
            guide.value = value
            guide.trust = trust
            guide.mixed = False
            store_runs(
                dst, stride, src, solve_box(
                    &g, r, runs, src.width, src.height, picture, &guide, tolerance, memory), r, runs)
        uncover(covered, trust, r, runs, src.width)
    return SOLVED
