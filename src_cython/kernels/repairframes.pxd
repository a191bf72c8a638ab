"""Which frames do not fit between their neighbours, told from thumbnails.

A run of frames s...s+L-1 stands between p = s-1 and q = s+L. Its score is the larger one of two.

damage      Each frame f of the run has to be far from p and q, where they are near each other: how far it is from
            fitting is the smaller one of
                the mean of what its cells are above or below those of p and q;
                its distance from p or q, shifted to where they fit best, or from one of the L+1 frames before p or
                after q, whichever is least, beyond half the distance of p and q, and beyond a usual step.
            A usual step is the upper quartile of the distances of following frames in the four steps on each side. The
            score is the least of the run's frames, over 1 + what is usual: the most that the cells of four frames, on
            the calmer side, are above or below those of the frames L before and after them. A cut has no score, for
            the first frame of a scene is near the next, nor have motion and fades, for f is between p and q. Nor has a
            flash: where light is added, what was brighter still is. Nor has a thing that passes: what is outside, by
            more than a quarter of the most, has to be 8 % of the cells at least.
repeat      No frame of the run differs from p by more than a 20th of a step, the larger one of those beside it, while
            the frames move on all the six steps around. The score is eight times how much larger the jump to q is than
            that step, in parts of it: where a frame is repeated in whose place nothing is missing, as film for
            television has them, the jump is a step. Over the jump the motion goes on: p-1 is at least three quarters as
            far from q as p is, and q+1 from p; a fade that turns is no jump.

There is no score either where a cut lies between p and q: where the least distance from one of the five frames up to p
to one of the five from q on (of p and q, shifted to where they fit best) is more than 1.65 (5 + a usual step).
"""

from libc.string cimport memset

from common.c cimport crow, maxf, minf, row
from kernels.thumbnail cimport COLUMNS, ROWS, cells_along, distance, float_total, moved_distance


cdef enum:
    LONGEST = 10        # run
    NEAR = 4            # frames on each side that say what is usual
    AROUND = 6          # steps on each side without another repeat
    WINDOW = 60         # frames that scores are told from: frames_before, frames_after and the run's first
    FEWEST = 20         # cells that make a flash
    SCORED = 3 * 10     # frames whose runs' scores decide over a frame: scores_before, scores_after and that one


cdef struct Frames:
    const float *cells[WINDOW]   # thumbnails of frames that follow each other
    int count
    int columns
    int rows


cdef struct Run:
    int start
    int length          # 0: none


# What runs are told from

cdef inline Frames describe_frames(int count, int width, int height) noexcept nogil:
    """So many frames of a clip, their thumbnails to be named."""
    cdef Frames v
    v.count = count
    v.columns = cells_along(width, COLUMNS)
    v.rows = cells_along(height, ROWS)
    return v


cdef inline int frames_before(int longest) noexcept nogil:
    """Frames before the first of a run that its score depends on."""
    return max(AROUND + 1, 2 * longest + NEAR)


cdef inline int frames_after(int longest) noexcept nogil:
    """And frames after it."""
    return max(AROUND + longest, 3 * longest + NEAR - 1)


cdef inline float between(const Frames *v, int a, int b) noexcept nogil:
    """The distance of two frames."""
    return distance(v.cells[a], v.cells[b], v.columns, v.rows, 0, 0)


cdef inline void add_outside(row sums, crow f, crow p, crow q, int n) noexcept nogil:
    cdef int x
    cdef float high, low
    for x in range(n):  # hot
        high = f[x] - maxf(p[x], q[x])
        low = minf(p[x], q[x]) - f[x]
        sums[x] += maxf(maxf(high, low), 0)


cdef inline float outside(const Frames *v, int f, int p, int q) noexcept nogil:
    """The mean of what the cells of f are above or below those of p and q."""
    cdef float sums[COLUMNS]
    cdef int j
    memset(sums, 0, sizeof(sums))
    for j in range(v.rows):
        add_outside(
            sums, v.cells[f] + j * COLUMNS, v.cells[p] + j * COLUMNS, v.cells[q] + j * COLUMNS, v.columns)
    return float_total(sums, v.columns) / (v.columns * v.rows)


cdef inline float quantile(float *values, int count, int quarters) noexcept nogil:
    """Of values that are sorted for it."""
    cdef int i, j
    cdef float value
    for i in range(1, count):
        value = values[i]
        j = i
        while j > 0 and values[j - 1] > value:
            values[j] = values[j - 1]
            j -= 1
        values[j] = value
    return values[count * quarters // 4]


cdef inline float usual_step(const Frames *v, int p, int q) noexcept nogil:
    cdef float steps[2 * NEAR]
    cdef int count = 0
    cdef int m
    for m in range(max(0, p - NEAR), p):
        steps[count] = between(v, m, m + 1)
        count += 1
    for m in range(q, min(v.count - 1, q + NEAR)):
        steps[count] = between(v, m, m + 1)
        count += 1
    return quantile(steps, count, 3) if count > 0 else 0


cdef inline float usual_spread(const Frames *v, int first, int length, int last) noexcept nogil:
    """Of the four frames from this one on whose neighbours, so far away, are no later than the last; -1: of none."""
    cdef float spreads[NEAR]
    cdef int count = 0
    cdef int m
    for m in range(max(first, length), min(first + NEAR, last - length + 1)):
        spreads[count] = outside(v, m, m - length, m + length)
        count += 1
    return quantile(spreads, count, 3) if count > 0 else -1


cdef inline float calmer(float a, float b) noexcept nogil:
    """The lower one of two of which each may be missing."""
    if a < 0 or b < 0:
        return maxf(maxf(a, b), 0)
    return minf(a, b)


cdef inline bint is_flash(const Frames *v, int f, int p, int q) noexcept nogil:
    """Whether a frame is p and q with more light."""
    cdef double brighter = 0
    cdef double darker = 0
    cdef double a = 0
    cdef double b = 0
    cdef double aa = 0
    cdef double bb = 0
    cdef double ab = 0
    cdef float here, before, after
    cdef double u, w
    cdef int raised = 0
    cdef int j, x
    for j in range(v.rows):
        for x in range(j * COLUMNS, j * COLUMNS + v.columns):
            here = v.cells[f][x]
            before = v.cells[p][x]
            after = v.cells[q][x]
            brighter += maxf(0, here - maxf(before, after))
            darker += maxf(0, minf(before, after) - here)
            if here - maxf(before, after) > 2:
                u = here
                w = <double>before + after
                raised += 1
                a += u
                b += w
                aa += u * u
                bb += w * w
                ab += u * w
    if raised < FEWEST or darker > 0.1 * brighter:
        return False
    ab -= a * b / raised
    aa -= a * a / raised
    bb -= b * b / raised
    # Of cells that are all alike, there is nothing to tell but rounding.
    return aa > 0.01 * raised and ab > 0 and ab * ab > 0.5 * 0.5 * aa * bb


cdef inline bint is_thing(const Frames *v, int f, int p, int q) noexcept nogil:
    """Whether what is outside of p and q is a small part of the picture: a thing that passes."""
    cdef float most = 0
    cdef float value
    cdef int cells = 0
    cdef int i, j, x
    for i in range(2):
        for j in range(v.rows):
            for x in range(j * COLUMNS, j * COLUMNS + v.columns):
                value = maxf(
                    v.cells[f][x] - maxf(v.cells[p][x], v.cells[q][x]),
                    minf(v.cells[p][x], v.cells[q][x]) - v.cells[f][x])
                if i == 0:
                    most = maxf(most, value)
                elif value > <float>0.25 * most:
                    cells += 1
    return cells < <float>0.08 * (v.columns * v.rows)


cdef inline bint is_cut_between(const Frames *v, int p, int q) noexcept nogil:
    """Whether all frames up to p are far from all that follow from q on."""
    cdef float change = moved_distance(v.cells[p], v.cells[q], v.columns, v.rows)
    cdef int i, j
    for i in range(max(0, p - NEAR), p + 1):
        for j in range(q, min(v.count, q + NEAR + 1)):
            change = minf(change, between(v, i, j))
    return change > <float>1.65 * (5 + usual_step(v, p, q))


# Scores

cdef inline float damage(const Frames *v, int start, int length) noexcept nogil:
    """Of a run; 0: it fits."""
    cdef int p = start - 1
    cdef int q = start + length
    cdef float half = between(v, p, q) / 2
    cdef float score = 1e30
    cdef float near, most
    cdef int f, m
    # What costs least is asked first: hardly a good frame comes further.
    for f in range(start, q):
        if minf(between(v, p, f), between(v, f, q)) <= half:
            return 0
        score = minf(score, outside(v, f, p, q))
    most = maxf(half, usual_step(v, p, q))
    for f in range(start, q):
        near = minf(
            moved_distance(v.cells[p], v.cells[f], v.columns, v.rows),
            moved_distance(v.cells[q], v.cells[f], v.columns, v.rows))
        for m in range(max(0, p - length - 1), min(v.count, q + length + 2)):
            if m < p or m > q:
                near = minf(near, between(v, f, m))
        score = minf(score, near - most)
        if score <= 0 or is_flash(v, f, p, q) or is_thing(v, f, p, q):
            return 0
    return score / (1 + calmer(
        usual_spread(v, p - length - NEAR + 1, length, p), usual_spread(v, q + length, length, v.count - 1)))


cdef inline float repeat(const Frames *v, int start, int length) noexcept nogil:
    """Of a run; 0: it is none, or goes on to an end of the clip."""
    cdef int p = start - 1
    cdef int q = start + length
    cdef float step, alike, jump
    cdef int m
    if p == 0 or q == v.count - 1:
        return 0
    step = maxf(between(v, p - 1, p), between(v, q, q + 1))
    alike = <float>0.05 * step
    for m in range(start, q):
        if between(v, p, m) > alike:
            return 0
    for m in range(max(0, p - AROUND), min(v.count - 1, q + AROUND)):
        if (m < p or m >= q - 1) and between(v, m, m + 1) <= alike:
            return 0
    jump = between(v, p, q)
    if minf(between(v, p - 1, q), between(v, p, q + 1)) < <float>0.75 * jump:
        return 0
    return 8 * maxf(0, jump / (<float>0.1 + step) - 1)


cdef inline void find_scores(float *scores, const Frames *v, int start, int longest) noexcept nogil:
    """Of the runs of 1...longest frames from `start` on."""
    cdef float score
    cdef int length
    for length in range(1, longest + 1):
        score = 0
        if start > 0 and start + length < v.count:
            score = maxf(damage(v, start, length), repeat(v, start, length))
        if score > 0 and is_cut_between(v, start - 1, start + length):
            score = 0
        scores[length - 1] = score


# Decisions, from the scores of the runs that start with the frames first...first+count-1

cdef struct Scores:
    const float *of[SCORED]
    int first
    int count
    int longest
    float threshold


cdef inline int scores_before(int longest) noexcept nogil:
    """Frames before a frame whose runs' scores decide over it."""
    return 2 * longest - 1


cdef inline int scores_after(int longest) noexcept nogil:
    return longest


cdef inline float score_of(const Scores *v, int start, int length) noexcept nogil:
    return v.of[start - v.first][length - 1]


cdef inline bint is_repaired(const Scores *v, int start, int length) noexcept nogil:
    """Whether a run is above the threshold, and none that is has to do with its frames and is longer or better.

    Runs have to do with each other if one has a frame of the other or beside it; of equals the first is taken. So no
    frame is repaired twice, none from a damaged one, and all frames of a run decide alike.
    """
    cdef float here = score_of(v, start, length)
    cdef float there
    cdef int n, s
    if not here > v.threshold:
        return False
    for n in range(length, v.longest + 1):
        for s in range(max(v.first, start - n), min(v.first + v.count, start + length + 1)):
            there = score_of(v, s, n)
            if there > v.threshold and (n > length or there > here or (there == here and s < start)):
                return False
    return True


cdef inline Run run_of(const Scores *v, int frame) noexcept nogil:
    """The run that a frame is repaired in."""
    cdef Run run
    cdef int n, s
    run.start = run.length = 0
    for n in range(1, v.longest + 1):
        for s in range(max(v.first, frame - n + 1), frame + 1):
            if is_repaired(v, s, n):
                run.start = s
                run.length = n
                return run
    return run


cdef inline float best_score(const Scores *v, int frame) noexcept nogil:
    """Of the runs that a frame is in."""
    cdef float best = 0
    cdef int n, s
    for n in range(1, v.longest + 1):
        for s in range(max(v.first, frame - n + 1), frame + 1):
            best = maxf(best, score_of(v, s, n))
    return best
