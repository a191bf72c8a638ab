"""Pictures between two given ones, by diffusion in time and space: u_tt + div(c grad u) = 0, both ends given.

c is the conductance of a link between neighbouring pixels, the smaller one of its two pixels', and does not change in
time. Where it is 0 the solution is the linear cross-dissolve; where it is 1 it is harmonic, and what lies far from both
given pictures is smooth. So it is 0 where the pictures agree, and a still picture stays as it is, and 1 where they have
nothing in common and a dissolve would show both at once:

    c = clip(10 q - 4.5, 0, 1),   q = var(h) / (var(h) + var(m) + 4)

in the 9x9 pixels around, of h, half the difference of the pictures, and m, their mean: q is nearly 0 if one picture is
the other, brighter or darker, 1/2 if they are uncorrelated, nearly 1 if one is the other's negative. (Found by the PSNR
of frames that were left out of clips. With c = 1 everywhere it is 1 to 2 dB below a dissolve's, and with
contrasts of the pixels' own difference it is below it too: slow motion is blurred for nothing.)

c is the same at all times, so with the matrix K of -div(c grad), whose spectrum lies in 0...8, the picture t of T is

    u(t) = R[T-t](K) u(0) + R[t](K) u(T),   R[t](mu) = U[t-1](1 + mu/2) / U[T-1](1 + mu/2)

with Chebyshev's U, which is sinh(theta t) / sinh(theta T) with 2 cosh(theta) = 2 + mu. R[t](0) = t/T, the dissolve, so
only the rest is approximated, R[t](mu) - t/T = mu s(mu), s by a Chebyshev expansion, which Clenshaw's recurrence sums
over both pictures at once. Every step of it is a row's flow from its neighbours, and the rows of all steps advance as
one wavefront (see diffuse.pxd). K u is 0 wherever c is: steps keep to the part of a row between its first and its last
pixel that conducts.
"""

from libc.math cimport M_PI, fabs, fmax, fmin
from libc.stddef cimport ptrdiff_t, size_t
from libc.string cimport memset

from common.c cimport bits_of_float, clampf, crow, minf, row
from common.maths cimport cosine
from common.pixels cimport View, load_view, store_row


cdef enum:
    LONGEST = 100          # T
    NODES = 8 * LONGEST + 32
    GHOST = 16             # floats before and after a row: four are used, the rest keeps rows aligned
    FIELDS = 4
    WINDOW = 4             # pixels to each side
    STRETCH = 64           # pixels that are looked at together


cdef struct Between:
    float weight           # of the last picture, in a dissolve
    int degree
    float first[NODES]     # coefficients of s for the first picture
    float last[NODES]      # and for the last one


# The expansion

cdef inline double harmonic_weight(double mu, int t, int length) noexcept nogil:
    """R[t](mu)."""
    cdef double z = 2 + mu
    cdef double before = 0
    cdef double u = 1      # U[0]
    cdef double found = 0
    cdef double above
    cdef int k
    for k in range(1, length):
        if k == t:
            found = u
        above = z * u - before
        before = u
        u = above
    return found / u


cdef inline int most_steps(int length) noexcept nogil:
    """A bound on the degree of the expansion."""
    return 6 * length + 8


cdef inline void describe_between(Between *b, int t, int length) noexcept nogil:
    """Picture t of `length`, 0 < t < length <= LONGEST: no mode's weight is off by more than 2e-4."""
    cdef double x[NODES]
    cdef double s[2][NODES]
    cdef double sums[2][NODES]
    cdef double cheb[NODES]
    cdef double before[NODES]
    cdef double mu, above, c, error
    cdef int nodes = 8 * length + 32
    cdef int i, k, side, time
    for i in range(nodes):
        x[i] = cosine(M_PI * (i + 0.5) / nodes)
        mu = 4 + 4 * x[i]
        cheb[i] = 1
        before[i] = x[i]
        for side in range(2):
            time = t if side == 1 else length - t
            s[side][i] = (harmonic_weight(mu, time, length) - <double>time / length) / mu
            sums[side][i] = 0
    b.weight = <float>(<double>t / length)
    b.degree = 0
    for k in range(most_steps(length) + 1):
        error = 0
        for side in range(2):
            c = 0
            for i in range(nodes):
                c += s[side][i] * cheb[i]
            c *= (1.0 if k == 0 else 2.0) / nodes
            for i in range(nodes):
                sums[side][i] += c * cheb[i]
                error = fmax(error, fabs((4 + 4 * x[i]) * (sums[side][i] - s[side][i])))
            if side == 1:
                b.last[k] = <float>c
            else:
                b.first[k] = <float>c
        b.degree = k
        if error < 2e-4 and k > 0:
            return
        for i in range(nodes):
            above = 2 * x[i] * cheb[i] - before[i]
            before[i] = cheb[i]
            cheb[i] = above


# Rows

cdef inline size_t between_pitch(int width) noexcept nogil:
    return ((width + 15) // 16) * 16 + 2 * GHOST


cdef inline void repeat_ends(float *u, int n) noexcept nogil:
    cdef int k
    for k in range(1, WINDOW + 1):
        (u - k)[0] = u[0]
        u[n - 1 + k] = u[n - 1]


cdef inline void half_difference(row h, crow u, crow v, int n) noexcept nogil:
    cdef int x
    for x in range(n):  # hot
        h[x] = <float>0.5 * (v[x] - u[x])


cdef inline void mean_row(row m, crow u, crow v, int n) noexcept nogil:
    """From mid-grey: its squares, of which differences are taken, are as small as can be."""
    cdef int x
    for x in range(n):  # hot
        m[x] = <float>0.5 * (v[x] + u[x]) - <float>128


cdef inline void square_row(row out, crow u, int n) noexcept nogil:
    cdef int x
    for x in range(n):  # hot
        out[x] = u[x] * u[x]


cdef inline void add_three(row out, const float *u, int n) noexcept nogil:
    cdef int x
    for x in range(n):  # hot
        out[x] = ((u - 1)[x] + u[x + 1]) + u[x]


cdef inline void add_nine(row nines, row out, const float *threes, crow above, crow mid, int n) noexcept nogil:
    """Of a row, and what three such rows are together, of which the last is this one."""
    cdef int x
    for x in range(n):  # hot
        nines[x] = ((threes - 3)[x] + threes[x + 3]) + threes[x]
        out[x] = (above[x] + nines[x]) + mid[x]


cdef inline float mean_of_81(crow a, crow b, crow c, int x) noexcept nogil:
    return ((a[x] + c[x]) + b[x]) * <float>(1 / 81.0)


cdef inline void variance_row(
        row out, crow a, crow b, crow c, crow a2, crow b2, crow c2, int n) noexcept nogil:
    """Of sums of 3x9 pixels and of their squares."""
    cdef int x
    cdef float mean
    for x in range(n):  # hot
        mean = mean_of_81(a, b, c, x)
        out[x] = mean_of_81(a2, b2, c2, x) - mean * mean


cdef inline void conductance_row(row out, crow h, crow m, int n, float noise) noexcept nogil:
    """What is no number conducts nothing."""
    cdef int x
    for x in range(n):  # hot
        out[x] = clampf(<float>10 * (h[x] / ((h[x] + m[x]) + noise)) - <float>4.5, 0, 1)


cdef inline float between_flow(crow up, crow mid, crow down, crow cu, crow c, crow cd, int x) noexcept nogil:
    cdef float u = mid[x]
    cdef float k = c[x]
    return (minf(k, c[x - 1]) * (mid[x - 1] - u) + minf(k, c[x + 1]) * (mid[x + 1] - u)) + (
        minf(k, cu[x]) * (up[x] - u) + minf(k, cd[x]) * (down[x] - u))


cdef inline float outflow(float a, float b, float u, float v) noexcept nogil:
    """From v to u. What does not conduct lets no infinity through."""
    cdef float k = minf(a, b)
    return k * (u - v) if k > 0 else 0


cdef inline void source_row(row f, crow up, crow mid, crow down, crow cu, crow c, crow cd, int n) noexcept nogil:
    """K u."""
    cdef int x
    for x in range(n):  # hot
        f[x] = (outflow(c[x], c[x - 1], mid[x], mid[x - 1]) + outflow(c[x], c[x + 1], mid[x], mid[x + 1])) + (
            outflow(c[x], cu[x], mid[x], up[x]) + outflow(c[x], cd[x], mid[x], down[x]))


cdef inline void begin_row(row out, crow f, crow g, int n, float a, float b) noexcept nogil:
    cdef int x
    for x in range(n):  # hot
        out[x] = a * f[x] + b * g[x]


cdef inline void clenshaw_row(
        row out, crow f, crow g, crow up, crow mid, crow down, crow prev, crow cu, crow c, crow cd, int n, float a,
        float b, float twice) noexcept nogil:
    """The next sum of the recurrence, with K/4 - 1 on -1...1; `twice` is 2, and in the last step 1."""
    cdef int x
    for x in range(n):  # hot
        out[x] = (a * f[x] + b * g[x]) - twice * (
            <float>0.25 * between_flow(up, mid, down, cu, c, cd, x) + mid[x]) - prev[x]


cdef inline void dissolve_row(row u, crow v, int n, float weight) noexcept nogil:
    cdef int x
    for x in range(n):  # hot
        u[x] = u[x] + weight * (v[x] - u[x])


cdef inline void add_row(row u, crow w, int n) noexcept nogil:
    cdef int x
    for x in range(n):  # hot
        u[x] += w[x]


# A plane

cdef inline size_t span_floats(int height) noexcept nogil:
    return (2 * <size_t>height + 15) // 16 * 16


cdef inline size_t between_floats(int width, int height, int length) noexcept nogil:
    """The scratch that fill_between needs for any picture of `length`."""
    cdef size_t rows = 10 * FIELDS + 5
    if rows < 5 * (<size_t>most_steps(length) + 1) + 10:
        rows = 5 * (<size_t>most_steps(length) + 1) + 10
    return (height + rows) * between_pitch(width) + span_floats(height)


cdef inline void find_conductances(
        float *plane, const View *first, const View *last, float *rows) noexcept nogil:
    cdef int width = first.width
    cdef int height = first.height
    cdef size_t pitch = between_pitch(width)
    cdef size_t block = FIELDS * pitch       # h, its square, m, its square
    cdef float noise = <float>(4 * first.pixels.unit * first.pixels.unit)
    cdef float *nines = rows + GHOST         # three blocks: sums of nine pixels of a row
    cdef float *blocks = nines + 3 * block   # seven: of three rows
    cdef float *u = blocks + 7 * block
    cdef float *v = u + pitch
    cdef float *value = v + pitch
    cdef float *square = value + pitch
    cdef float *threes = square + pitch
    cdef const float *a
    cdef const float *b
    cdef const float *c
    # WINDOW pixels are needed beyond each end. From GHOST pixels before the first one on: there a cache line begins.
    cdef int n = GHOST + width + WINDOW
    cdef int front, y, k
    memset(rows, 0, (10 * block + 5 * pitch) * sizeof(float))
    # Beyond the border are its pixels again. `front` is four rows ahead.
    for front in range(height + 2 * WINDOW):
        y = min(max(front - WINDOW, 0), height - 1)
        load_view(u, first, y)
        load_view(v, last, y)
        repeat_ends(u, width)
        repeat_ends(v, width)
        for k in range(FIELDS):
            if k == 0:
                half_difference(value - GHOST, u - GHOST, v - GHOST, n)
            elif k == 2:
                mean_row(value - GHOST, u - GHOST, v - GHOST, n)
            else:
                square_row(square - GHOST, value - GHOST, n)
            add_three(threes - GHOST, (square if k % 2 == 1 else value) - GHOST, n - 1)
            add_nine(
                nines + (front % 3) * block + k * pitch, blocks + (front % 7) * block + k * pitch, threes,
                nines + ((front + 1) % 3) * block + k * pitch, nines + ((front + 2) % 3) * block + k * pitch, width)
        y = front - 2 * WINDOW
        if y >= 0:
            a = blocks + ((front - 6) % 7) * block
            b = blocks + ((front - 3) % 7) * block
            c = blocks + (front % 7) * block
            variance_row(value, a, b, c, a + pitch, b + pitch, c + pitch, width)
            a += 2 * pitch
            b += 2 * pitch
            c += 2 * pitch
            variance_row(square, a, b, c, a + pitch, b + pitch, c + pitch, width)
            conductance_row(plane + y * pitch, value, square, width, noise)


cdef inline bint conducts(const float *c) noexcept nogil:
    """Whether one of STRETCH pixels does."""
    cdef unsigned int bits = 0
    cdef int x
    for x in range(STRETCH):  # hot
        bits |= bits_of_float(c[x])
    return bits != 0


cdef inline bint find_spans(int *spans, float *plane, int width, int height) noexcept nogil:
    """Of each row the part that conducts. False: none does."""
    cdef size_t pitch = between_pitch(width)
    cdef float *c
    cdef bint found = False
    cdef int y, low, high
    for y in range(height):
        c = plane + y * pitch
        (c - 1)[0] = 0
        c[width] = 0
        low = 0
        high = width
        while high - low >= STRETCH and not conducts(c + low):
            low += STRETCH
        while high - low >= STRETCH and not conducts(c + high - STRETCH):
            high -= STRETCH
        while low < high and c[low] == 0:
            low += 1
        while high > low and c[high - 1] == 0:
            high -= 1
        spans[2 * y] = low
        spans[2 * y + 1] = high
        found = found or high > low
    return found


cdef inline void run_steps(
        void *dst, ptrdiff_t stride, const View *first, const View *last, const Between *b, const float *plane,
        const int *spans, float *rows) noexcept nogil:
    cdef int width = first.width
    cdef int height = first.height
    cdef int steps = b.degree
    cdef size_t pitch = between_pitch(width)
    cdef float *zeros = rows + GHOST
    cdef float *u = zeros + pitch               # three rows
    cdef float *v = u + 3 * pitch
    cdef float *mixed = v + 3 * pitch
    cdef float *other = mixed + pitch
    cdef float *f = other + pitch               # as many rows as there are sums
    cdef float *g = f + (steps + 1) * pitch
    cdef float *sums = g + (steps + 1) * pitch  # three rows for each sum
    cdef float *out
    cdef const float *c
    cdef const float *up
    cdef const float *down
    cdef const float *below
    cdef const float *before
    cdef ptrdiff_t above, here, under, source
    cdef int front, j, y, low, n
    # Parts of rows that do not conduct are not computed: what is left there is multiplied by 0, and has to be finite.
    memset(rows, 0, (5 * (<size_t>steps + 1) + 9) * pitch * sizeof(float))
    for front in range(height + steps):
        for y in range(0 if front == 0 else front + 1, min(front + 2, height)):
            load_view(u + (y % 3) * pitch, first, y)
            load_view(v + (y % 3) * pitch, last, y)
        for j in range(steps + 1):
            y = front - j
            if y < 0:
                break
            if y >= height:
                continue
            low = spans[2 * y]
            n = spans[2 * y + 1] - low
            out = sums + (3 * j + y % 3) * pitch + low
            if n > 0:
                above = (max(y - 1, 0) % 3) * pitch + low
                here = (y % 3) * pitch + low
                under = (min(y + 1, height - 1) % 3) * pitch + low
                source = (y % (steps + 1)) * pitch + low
                c = plane + y * pitch + low
                up = plane + max(y - 1, 0) * pitch + low
                down = plane + min(y + 1, height - 1) * pitch + low
                if j == 0:
                    source_row(f + source, u + above, u + here, u + under, up, c, down, n)
                    source_row(g + source, v + above, v + here, v + under, up, c, down, n)
                    begin_row(out, f + source, g + source, n, b.first[steps], b.last[steps])
                else:
                    below = sums + 3 * (j - 1) * pitch
                    before = zeros
                    if j > 1:
                        before = below - 3 * pitch + here
                    clenshaw_row(
                        out, f + source, g + source, below + above, below + here, below + under, before, up, c, down, n,
                        b.first[steps - j], b.last[steps - j], 1 if j == steps else 2)
            if j == steps:
                mix_row(mixed, other, first, last, y, b.weight)
                if n > 0:
                    add_row(mixed + low, out, n)
                store_row(<char *>dst + y * stride, mixed, width, first.pixels)


cdef inline void mix_row(
        float *out, float *other, const View *first, const View *last, int y, float weight) noexcept nogil:
    load_view(out, first, y)
    load_view(other, last, y)
    dissolve_row(out, other, first.width, weight)


cdef inline void fill_between(
        void *dst, ptrdiff_t stride, const View *first, const View *last, const Between *b,
        float *scratch) noexcept nogil:
    """A plane of the picture that `b` describes, in the format of the given ones; dst is neither of them."""
    cdef int width = first.width
    cdef int height = first.height
    cdef size_t pitch = between_pitch(width)
    cdef float *plane = scratch + GHOST
    cdef int *spans = <int *>(scratch + height * pitch)
    cdef float *rows = scratch + height * pitch + span_floats(height)
    cdef int y
    find_conductances(plane, first, last, rows)
    if find_spans(spans, plane, width, height):
        run_steps(dst, stride, first, last, b, plane, spans, rows)
        return
    for y in range(height):
        mix_row(rows, rows + pitch, first, last, y, b.weight)
        store_row(<char *>dst + y * stride, rows, width, first.pixels)
