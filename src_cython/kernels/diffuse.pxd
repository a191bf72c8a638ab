"""Isotropic diffusion on the 4-neighbour grid: du/dt = div(g(|grad u|) grad u), no flux across the border.

A plane crosses memory once for many steps. The rows of all steps advance as one wavefront: as soon as step i has row
y+1, step i+1 computes row y, from three rows of step i that are still in cache. A row has a ghost pixel at each end,
a copy of the border pixel, and the row beyond the first or last is that row itself: the reflecting boundary.

Time steps come in cycles. At the start of a cycle the diffusivity of every edge between two pixels is computed, of
their difference, or as the mean of the diffusivities that the two pixels are given by a steering picture. Then a number
of steps of one size is taken with it, each extrapolated from the step before:

    u[j+1] = u[j-1] + alpha[j] * (u[j] + tau * A u[j] - u[j-1]),   alpha[j] = (4j+2) / (2j+3),   u[-1] = u[0]

(fast semi-iterative scheme: Hafner, Ochs, Weickert, Welk 2016), which after n steps has covered the time
tau*n*(n+1)/3, as a cycle of fast explicit diffusion has (Grewenig, Weickert, Bruhn 2010), with the same result, but
without its unstable intermediate steps. Euler's scheme is a cycle of one step with alpha = 1.
"""

from libc.math cimport ceil, fmax, fmin, sqrt
from libc.stddef cimport ptrdiff_t, size_t
from libc.string cimport memset

from common.c cimport bits_of_float, crow, row
from common.pixels cimport SINGLE, Pixels, load_row, store_row, working_pixels
from kernels.diffusivity cimport (
    CHARBONNIER, LINEAR, OWN, RATIONAL, Diffusivity, OwnDiffusivity, diffusivity_row, steepest_descent)


cdef enum:
    GHOST = 16             # floats before and after a row: one is used, the rest keeps rows aligned
    WIDE = 1 << 28         # a difference, on the working scale, that only float pictures can have: 2^20 times white
    CACHE = 512 * 1024     # bytes of rows that a wavefront may hold before the steps are split into several passes


cdef struct Steps:
    int cycles
    int length             # steps of a cycle
    float tau
    bint euler


cdef struct Diffusion:
    Diffusivity kind
    OwnDiffusivity own     # the functions of that kind
    Steps steps
    float contrast2        # square of the contrast k, working scale
    bint steered           # diffusivities are given for each pixel, not taken of differences


cdef inline void set_contrast(Diffusion *d, double contrast) noexcept nogil:
    d.contrast2 = <float>(contrast * contrast)


# Time

cdef inline Steps equal_steps(double time, int steps) noexcept nogil:
    cdef Steps s
    s.cycles = steps
    s.length = 1
    s.tau = <float>(time / steps)
    s.euler = True
    return s


cdef inline Steps fed_steps(double time, int cycles) noexcept nogil:
    cdef Steps s
    cdef double t = time / cycles
    s.cycles = cycles
    s.length = max(1, <int>ceil(sqrt(12 * t + 0.25) - 0.5 - 1e-12))
    s.tau = <float>(3 * t / (s.length * (s.length + 1.0)))
    s.euler = False
    return s


cdef inline int accurate_euler_steps(double time) noexcept nogil:
    """As many steps as damp every mode to within 0.036 of exp(-lambda*time)."""
    return max(1, <int>fmax(ceil(5 * time), fmin(8, ceil(64 * time))))


cdef inline bint is_steep(Diffusivity kind, const OwnDiffusivity *own, bint steered) noexcept nogil:
    """Whether edges sharpen themselves so fast that errors grow with them: faster than with RATIONAL."""
    if kind == OWN:
        return not steered and steepest_descent(own) < <float>-0.13
    return kind != LINEAR and kind != RATIONAL and kind != CHARBONNIER and not steered


cdef inline int fewest_fed_cycles(double time, bint steep) noexcept nogil:
    """As many cycles as damp every mode to within 0.045 of exp(-lambda*time).

    A steep diffusivity is held for a time of 1 at most.
    """
    cdef int fewest = 8 if time < 1 else 4
    return max(fewest, <int>ceil(time)) if steep else fewest


cdef inline int accurate_fed_cycles(double time, bint steep) noexcept nogil:
    """The same, but diffusivities are held for a time of 5 at most."""
    return max(fewest_fed_cycles(time, steep), <int>ceil(time / 5))


cdef inline bint suits_fed(double time, bint steep, bint steered) noexcept nogil:
    """Whether cycles reach the accuracy of Euler's steps with fewer steps."""
    return steered or (time > 4 and not steep)


# Diffusivities of edges

cdef inline void squared_differences(row d2, crow a, crow b, int n) noexcept nogil:
    cdef int x
    for x in range(n):  # hot
        d2[x] = (b[x] - a[x]) * (b[x] - a[x])


cdef inline void rational_diffusivities(row g, crow a, crow b, int n, float c) noexcept nogil:
    """What squared_differences and diffusivity_row do one after the other, at once: most of all diffusion is this."""
    cdef int x
    for x in range(n):  # hot
        g[x] = c / (c + (b[x] - a[x]) * (b[x] - a[x]))


cdef inline void mean_diffusivities(row g, crow a, crow b, int n) noexcept nogil:
    """The diffusivities of the edges between pixels whose diffusivities are a[x] and b[x]."""
    cdef int x
    for x in range(n):  # hot
        g[x] = <float>0.5 * (a[x] + b[x])


cdef inline void edge_diffusivities(
        row g, crow a, crow b, crow given_a, crow given_b, int n, const Diffusion *d) noexcept nogil:
    """The diffusivities of the edges from a[x] to b[x]. `given`: those of the pixels, if they steer."""
    if d.steered:
        mean_diffusivities(g, given_a, given_b, n)
    elif d.kind == RATIONAL:
        rational_diffusivities(g, a, b, n, d.contrast2)
    else:
        squared_differences(g, a, b, n)
        diffusivity_row(g, n, d.kind, d.contrast2, &d.own)


# One row of one step. Opposite neighbours are added first, and the axes last: what a transposed, mirrored or rotated
# picture would compute is the same sums, so that the results are the same bytes, transposed, mirrored or rotated.

cdef inline float linear_flow(crow up, crow mid, crow down, int x) noexcept nogil:
    cdef float u = mid[x]
    return ((mid[x - 1] - u) + (mid[x + 1] - u)) + ((up[x] - u) + (down[x] - u))


cdef inline void linear_row(
        row dst, crow prev, crow up, crow mid, crow down, int n, float tau, float alpha) noexcept nogil:
    cdef int x
    for x in range(n):  # hot
        dst[x] = prev[x] + alpha * ((mid[x] - prev[x]) + tau * linear_flow(up, mid, down, x))


cdef inline void stored_row(
        row dst, crow prev, crow mid, crow down, crow across, crow below, row flux, int n, float tau,
        float alpha) noexcept nogil:
    """flux: what flows from each pixel of the row above; in the end, what flows from each pixel to the row below."""
    cdef int x
    cdef float u, horizontal, vertical
    for x in range(n):  # hot
        u = mid[x]
        horizontal = (mid[x - 1] - u) * across[x - 1] + (mid[x + 1] - u) * across[x]
        vertical = (down[x] - u) * below[x]
        dst[x] = prev[x] + alpha * ((u - prev[x]) + tau * (horizontal + (vertical - flux[x])))
        flux[x] = vertical


cdef inline void linear_euler_row(row dst, crow up, crow mid, crow down, int n, float tau) noexcept nogil:
    cdef int x
    for x in range(n):  # hot
        dst[x] = mid[x] + tau * linear_flow(up, mid, down, x)


cdef inline void stored_euler_row(
        row dst, crow mid, crow down, crow across, crow below, row flux, int n, float tau) noexcept nogil:
    cdef int x
    cdef float u, horizontal, vertical
    for x in range(n):  # hot
        u = mid[x]
        horizontal = (mid[x - 1] - u) * across[x - 1] + (mid[x + 1] - u) * across[x]
        vertical = (down[x] - u) * below[x]
        dst[x] = u + tau * (horizontal + (vertical - flux[x]))
        flux[x] = vertical


cdef inline void rational_euler_row(
        row dst, crow up, crow mid, crow down, int n, float tau, float c) noexcept nogil:
    """An Euler step with g = c/(c + d2). Opposite neighbours share a denominator: two divisions a pixel, not four.

    (All four could share one, but that takes more multiplications than the division saves.)
    """
    cdef int x
    cdef float u, w, e, s, t, bw, be, bs, bt
    cdef float strength = tau * c
    for x in range(n):  # hot
        u = mid[x]
        w = mid[x - 1] - u
        e = mid[x + 1] - u
        t = up[x] - u
        s = down[x] - u
        bw = c + w * w
        be = c + e * e
        bt = c + t * t
        bs = c + s * s
        dst[x] = u + strength * ((w * be + e * bw) / (bw * be) + (t * bs + s * bt) / (bt * bs))


cdef inline float rational_flow(float d, float c) noexcept nogil:
    return d / (c + d * d)


cdef inline void rational_euler_row_wide(
        row dst, crow up, crow mid, crow down, int n, float tau, float c) noexcept nogil:
    """The same for differences so large that the product of two denominators would overflow.

    From the row on where a pixel is 2^19 times white: such a picture is symmetric within rounding, not to the byte.
    """
    cdef int x
    cdef float u
    cdef float strength = tau * c
    for x in range(n):  # hot
        u = mid[x]
        dst[x] = u + strength * (
            (rational_flow(mid[x - 1] - u, c) + rational_flow(mid[x + 1] - u, c))
            + (rational_flow(up[x] - u, c) + rational_flow(down[x] - u, c)))


# The wavefront

cdef inline bint stored(const Diffusion *d) noexcept nogil:
    """Whether diffusivities are stored for a cycle, not computed inside the step."""
    return d.steered or (d.kind != LINEAR and not (d.steps.euler and (d.kind == RATIONAL or d.kind == OWN)))


cdef inline size_t row_floats(int width) noexcept nogil:
    return ((width + 15) // 16) * 16 + 2 * GHOST


cdef inline size_t plane_floats(int width, int height) noexcept nogil:
    return <size_t>height * row_floats(width)


cdef inline int rows_of_cycle(const Diffusion *d) noexcept nogil:
    """Three rows a step, and one of fluxes unless steps compute all four of a pixel; if diffusivities are stored, those
    of two edges a pixel until the cycle's last step has used them."""
    return (6 if stored(d) else 4 if d.kind == OWN else 3) * d.steps.length


cdef inline int cycles_of_pass(int width, const Diffusion *d) noexcept nogil:
    cdef int fit = <int>(CACHE / (rows_of_cycle(d) * row_floats(width) * sizeof(float)))
    return min(max(1, fit), d.steps.cycles)


cdef inline size_t scratch_floats(
        int width, int height, const Diffusion *d, const Pixels *dst_pixels) noexcept nogil:
    """What diffuse_plane needs: the wavefront's rows, and between several passes a plane, unless dst holds floats."""
    cdef int cycles = cycles_of_pass(width, d)
    cdef size_t rows = <size_t>rows_of_cycle(d) * cycles + 1
    if cycles < d.steps.cycles and dst_pixels.sample != SINGLE:
        rows += height
    return rows * row_floats(width)


cdef inline void set_ghosts(float *u, int n) noexcept nogil:
    (u - 1)[0] = u[0]
    u[n] = u[n - 1]


cdef inline bint is_wide(const float *u, int n) noexcept nogil:
    """Whether a value is not a number, or so large that differences might reach WIDE."""
    cdef unsigned int largest = 0
    cdef unsigned int bits
    cdef int x
    for x in range(n):  # hot
        bits = bits_of_float(u[x]) & 0x7FFFFFFF
        largest = max(largest, bits)
    return largest >= bits_of_float(WIDE / 2)


cdef inline void run_pass(
        void *dst, ptrdiff_t dst_stride, const Pixels *dst_pixels, const void *src, ptrdiff_t src_stride,
        const Pixels *src_pixels, int width, int height, int cycles, const Diffusion *d, const float *steer,
        float *rows) noexcept nogil:
    """Takes a plane through `cycles` cycles. dst may be src: a row is read long before it is written."""
    cdef size_t pitch = row_floats(width)
    cdef int length = d.steps.length
    cdef int levels = cycles * length
    cdef bint stores = stored(d)
    cdef bint fused = d.kind == RATIONAL and not stores
    cdef float *u = rows + GHOST
    cdef float *last = u + 3 * levels * pitch
    cdef float *fluxes = last + pitch
    cdef float *g = fluxes + levels * pitch
    cdef float *across
    cdef float *below
    cdef float *flux
    cdef float *out
    cdef const float *given
    cdef const float *given_down
    cdef const float *up
    cdef const float *mid
    cdef const float *down
    cdef const float *prev
    cdef const float *level
    cdef float tau = d.steps.tau
    cdef float alpha
    cdef bint wide = False
    cdef int front, step, y, cycle, j
    for front in range(height + levels):
        if front < height:
            out = u + (front % 3) * pitch
            load_row(out, <const char *>src + front * src_stride, width, src_pixels)
            set_ghosts(out, width)
            wide = wide or (fused and is_wide(out, width))
        for step in range(1, levels + 1):
            y = front - step
            if y < 0:
                break
            if y >= height:
                continue
            level = u + 3 * (step - 1) * pitch
            up = level + (max(y - 1, 0) % 3) * pitch
            mid = level + (y % 3) * pitch
            down = level + (min(y + 1, height - 1) % 3) * pitch
            out = last if step == levels else u + (3 * step + y % 3) * pitch
            cycle = (step - 1) // length
            j = (step - 1) % length
            given = steer + y * pitch if d.steered else mid
            given_down = steer + min(y + 1, height - 1) * pitch if d.steered else down
            across = g + (2 * length * cycle + y % length) * pitch
            below = across + length * pitch
            flux = fluxes + (step - 1) * pitch
            if y == 0 and (stores or d.kind == OWN):
                memset(flux, 0, width * sizeof(float))
            if j == 0 and stores:
                edge_diffusivities(across - 1, mid - 1, mid, given - 1, given, width + 1, d)
                edge_diffusivities(below, mid, down, given, given_down, width, d)
            if d.steps.euler:
                if stores:
                    stored_euler_row(out, mid, down, across, below, flux, width, tau)
                elif d.kind == OWN:
                    d.own.euler_row(out, mid, down, flux, width, tau, 1 / d.contrast2)
                elif d.kind == LINEAR:
                    linear_euler_row(out, up, mid, down, width, tau)
                elif wide:
                    rational_euler_row_wide(out, up, mid, down, width, tau, d.contrast2)
                else:
                    rational_euler_row(out, up, mid, down, width, tau, d.contrast2)
            else:
                alpha = <float>((4.0 * j + 2) / (2.0 * j + 3))
                prev = mid if j == 0 else u + (3 * (step - 2) + y % 3) * pitch
                if stores:
                    stored_row(out, prev, mid, down, across, below, flux, width, tau, alpha)
                else:
                    linear_row(out, prev, up, mid, down, width, tau, alpha)
            set_ghosts(out, width)
        y = front - levels
        if y >= 0:
            store_row(<char *>dst + y * dst_stride, last, width, dst_pixels)


cdef inline void diffuse_plane(
        void *dst, ptrdiff_t dst_stride, const Pixels *dst_pixels, const void *src, ptrdiff_t src_stride,
        const Pixels *src_pixels, int width, int height, const Diffusion *d, const float *steer,
        float *scratch) noexcept nogil:
    """dst may be src. `steer`: diffusivities of the pixels, rows as in set_ghosts, for all cycles; or NULL."""
    cdef int fit = cycles_of_pass(width, d)
    cdef int done = 0
    cdef int cycles
    cdef Pixels working = working_pixels()
    # Between passes: in dst, if that rounds nothing.
    cdef bint there = dst_pixels.sample == SINGLE
    cdef void *plane = dst if there else scratch + (<size_t>rows_of_cycle(d) * fit + 1) * row_floats(width)
    cdef ptrdiff_t pitch = dst_stride if there else <ptrdiff_t>(row_floats(width) * sizeof(float))
    cdef const Pixels *pixels = dst_pixels if there else &working
    cdef bint first, last
    while done < d.steps.cycles:
        cycles = min(fit, d.steps.cycles - done)
        first = done == 0
        last = done + cycles == d.steps.cycles
        run_pass(
            dst if last else plane, dst_stride if last else pitch, dst_pixels if last else pixels,
            src if first else plane, src_stride if first else pitch, src_pixels if first else pixels,
            width, height, cycles, d, steer, scratch)
        done += cycles
