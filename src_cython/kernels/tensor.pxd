"""Anisotropic diffusion: du/dt = div(D grad u), D a tensor from the picture's structure, no flux across the border.

D = (a b; b c) has the eigenvectors of the structure tensor J_rho(grad u_sigma). Its eigenvalues, l1 across and l2 along
the structure, are (Weickert, Anisotropic Diffusion in Image Processing, 1998)

- edge-enhancing:       l1 = 1 - exp(-3.31488 (k^2/mu1)^4),   l2 = 1
- coherence-enhancing:  l1 = alpha,   l2 = alpha + (1 - alpha) exp(-ln 2 (k^2/(mu1 - mu2))^2)

mu1 >= mu2 the eigenvalues of J. D belongs to the corners of pixels, each of which ties its four pixels together by the
stencil of Weickert, Welk and Wickert (SSVM 2013): with delta = ALPHA*(a + c) + GAMMA*(1 - 2*ALPHA)*|b| the weights are

    (a - delta)/2 along rows, (c - delta)/2 along columns, (delta + b)/2 and (delta - b)/2 along the diagonals.

ALPHA = 1/4 and GAMMA = 1 are what treats a disc's directions most alike: with a smaller ALPHA its profile at 22.5
degrees departs from the one at 0 degrees, with a larger one that at 45 degrees. Euler's steps are stable up to
1/(4*(1 - ALPHA)) = 1/3.

The picture is continued by reflection. A corner on the border then lies on an axis of symmetry: its gradient and so D
are parallel to the axes, and what it adds is a/2 or c/2 along the border. So a picture of one row diffuses as a line
does, and one that is constant along an axis stays so. (With D = 0 there, border rows would diffuse at half the speed.)

The scheme in time is that of diffuse.pxd, D held for a cycle. Before a cycle the picture is smoothed; the tensors and
all steps then follow row by row as one wavefront. Where structure is smoothed, its components are planes before that.
"""

from libc.math cimport ceil, fabsf, sqrt
from libc.stddef cimport ptrdiff_t, size_t

from common.c cimport crow, row
from common.pixels cimport Pixels, load_row, store_row, working_pixels
from kernels.diffuse cimport GHOST, plane_floats, row_floats, set_ghosts
from kernels.diffusivity cimport exp_of_minus, weickert_drop
from kernels.heat cimport Heat, heat_floats
from kernels.steering cimport View, robust_contrast, squared_gradient
from kernels.structure cimport (
    DIFFERENCES, Differences, Gradient, anisotropy, corner_gradient, corner_trace_row, corner_vector_row, directed,
    lay_differences, smooth_in_place, smooth_plane, take_differences)


cdef enum Mode:
    EED
    CED


cdef struct TensorDiffusion:
    Mode mode
    double contrast        # k on the 8-bit scale; 0: measured on each picture
    double unit            # and one of that scale on the working scale
    float contrast2        # square of the contrast, working scale
    float alpha            # CED's diffusivity across
    Heat sigma             # smoothing of the picture
    Heat rho               # smoothing of its structure
    int cycles
    int length             # steps of a cycle
    float tau


cdef inline void set_contrast(TensorDiffusion *d, double contrast) noexcept nogil:
    d.contrast2 = <float>((contrast * d.unit) * (contrast * d.unit))


cdef inline void set_time(TensorDiffusion *d, double time, int cycles) noexcept nogil:
    cdef double t = time / cycles
    d.cycles = cycles
    d.length = max(1, <int>ceil(sqrt(9 * t + 0.25) - 0.5 - 1e-12))
    d.tau = <float>(3 * t / (d.length * (d.length + 1.0)))


cdef inline float momentum(int step) noexcept nogil:
    """Of a step of a cycle, from 1 on."""
    return <float>((4.0 * step - 2) / (2.0 * step + 1))


cdef inline int accurate_cycles(double time) noexcept nogil:
    """As many cycles as damp every mode of a flat region to within 0.075 of exp(-lambda*time), and leave a picture with
    edges within 0.03 of its own deviation from what it is after ten cycles for every unit of time."""
    return max(4 if time < 0.7 else 3, <int>ceil(1.3 * sqrt(time)))


# From tensors to weights, halved for each of the two corners that an edge between pixels beside each other has.
# Corner x lies between the columns x-1 and x, and between the rows above and below.

cdef struct Weights:
    float across           # between the pixels x-1 and x of each row
    float downward         # between the rows, in each column
    float falling          # between the pixel up left and the one down right
    float rising           # between the pixel down left and the one up right


cdef struct CornerRows:
    float *across
    float *downward
    float *falling
    float *rising
    Differences v          # what the weights are computed from, unless that is planes


cdef inline Weights weights_of(float a, float b, float c) noexcept nogil:
    """a, b and c are multiplied by half of tau."""
    cdef Weights w
    cdef float delta = <float>0.25 * (a + c) + <float>0.5 * fabsf(b)
    w.across = a - delta
    w.downward = c - delta
    w.falling = delta + b
    w.rising = delta - b
    return w


cdef inline void eed_gradient_row(
        row across, row downward, row falling, row rising, crow a, crow b, crow c, crow d, crow columns, int n,
        float contrast2, float half_tau) noexcept nogil:
    """Edge-enhancing, of unsmoothed structure, mu1 = |g|^2 and mu2 = 0: D = I - (1 - l1)/mu1 * g g^T."""
    cdef Weights w
    cdef Gradient g
    cdef float xx, yy, share, q
    cdef int x
    for x in range(n):  # hot
        g = corner_gradient(
            a[x], b[x], c[x], d[x], columns[x - 2], columns[x - 1], columns[x], columns[x + 1])
        xx = g.x * g.x
        yy = g.y * g.y
        share = 1 / directed(xx + yy)
        q = (half_tau * weickert_drop(contrast2 * share)) * share
        w = weights_of(half_tau - q * xx, -q * (g.x * g.y), half_tau - q * yy)
        across[x] = w.across
        downward[x] = w.downward
        falling[x] = w.falling
        rising[x] = w.rising


cdef inline void eed_row(
        row across, row downward, row falling, row rising, crow trace, crow cosine, crow sine, int n,
        float contrast2, float half_tau) noexcept nogil:
    cdef Weights w
    cdef float quarter_tau = <float>0.5 * half_tau
    cdef float root, drop, q, turn
    cdef int x
    for x in range(n):  # hot
        root = anisotropy(cosine[x], sine[x])
        drop = quarter_tau * weickert_drop(contrast2 / (<float>0.5 * (trace[x] + root)))
        q = drop / directed(root)
        turn = q * cosine[x]
        w = weights_of((half_tau - drop) - turn, -q * sine[x], (half_tau - drop) + turn)
        across[x] = w.across
        downward[x] = w.downward
        falling[x] = w.falling
        rising[x] = w.rising


cdef inline void ced_row(
        row across, row downward, row falling, row rising, crow cosine, crow sine, int n,
        float contrast2, float alpha, float half_tau) noexcept nogil:
    cdef Weights w
    cdef float least = half_tau * alpha
    cdef float most = half_tau * (<float>0.5 * (<float>1 - alpha))
    cdef float share, ratio, gain, turn
    cdef int x
    for x in range(n):  # hot
        share = 1 / directed(anisotropy(cosine[x], sine[x]))
        ratio = contrast2 * share
        gain = most * exp_of_minus(<float>0.693147181 * (ratio * ratio))
        share = gain * share
        turn = share * cosine[x]
        w = weights_of((least + gain) - turn, -share * sine[x], (least + gain) + turn)
        across[x] = w.across
        downward[x] = w.downward
        falling[x] = w.falling
        rising[x] = w.rising


cdef inline void tie_border(float *along, float *diagonal, float *other, float *normal, int x) noexcept nogil:
    """Of a corner on the border only what runs along it is left: (a - delta)/2 + ((delta + b)/2 + (delta - b)/2)/2."""
    along[x] = along[x] + <float>0.5 * (diagonal[x] + other[x])
    diagonal[x] = other[x] = normal[x] = 0


cdef inline void sum_row(row dst, crow a, crow b, int n) noexcept nogil:
    cdef int x
    for x in range(n):  # hot
        dst[x] = a[x] + b[x]


# One row of one step. Opposite neighbours are added first, then axes and diagonals in pairs: the same sums in a
# transposed, mirrored or rotated picture.

cdef inline float flow(
        crow up, crow mid, crow down, crow across, crow above, crow below, crow falling_above, crow falling_below,
        crow rising_above, crow rising_below, int x) noexcept nogil:
    """What a pixel is given by its neighbours."""
    cdef float u = mid[x]
    cdef float axes = ((mid[x - 1] - u) * across[x] + (mid[x + 1] - u) * across[x + 1]) + (
        (up[x] - u) * above[x] + (down[x] - u) * below[x])
    cdef float diagonals = ((up[x - 1] - u) * falling_above[x] + (down[x + 1] - u) * falling_below[x + 1]) + (
        (up[x + 1] - u) * rising_above[x + 1] + (down[x - 1] - u) * rising_below[x])
    return axes + diagonals


cdef inline void flow_row(
        row dst, crow prev, crow up, crow mid, crow down, crow across, crow above, crow below, crow falling_above,
        crow falling_below, crow rising_above, crow rising_below, int n, float alpha) noexcept nogil:
    cdef int x
    for x in range(n):  # hot
        dst[x] = prev[x] + alpha * ((mid[x] - prev[x]) + flow(
            up, mid, down, across, above, below, falling_above, falling_below, rising_above, rising_below, x))


# The wavefront

cdef inline bint keeps_planes(const TensorDiffusion *d) noexcept nogil:
    """Whether the structure tensor is a few planes, not computed inside the wavefront."""
    return d.mode == CED or d.rho.radius > 0


cdef inline int structure_planes(const TensorDiffusion *d) noexcept nogil:
    if not keeps_planes(d):
        return 0
    return 2 if d.mode == CED else 3


cdef inline int wavefront_rows(const TensorDiffusion *d) noexcept nogil:
    """Three rows a step and one that is finished; four kinds of weights until the last step has used them; what is on
    the way to them."""
    return 3 * d.length + 1 + 4 * (d.length + 1) + 3 + DIFFERENCES


cdef inline bint keeps_between(const TensorDiffusion *d) noexcept nogil:
    """Whether there is a plane for the picture between cycles, before the first for the gradient that is measured."""
    return d.cycles > 1 or d.contrast == 0


cdef inline size_t tensor_floats(int width, int height, const TensorDiffusion *d) noexcept nogil:
    """The scratch of tensor_plane: the smoothed picture, the picture between cycles, the structure, rows, smoothing."""
    cdef size_t size = plane_floats(width, height) * (2 if keeps_between(d) else 1)
    cdef size_t heat = heat_floats(width, height, &d.sigma)
    size += structure_planes(d) * plane_floats(width + 1, height + 1)
    size += wavefront_rows(d) * row_floats(width + 1)
    return size + max(heat, heat_floats(width + 1, height + 1, &d.rho))


cdef inline void structure_of(
        float *planes, const float *v, int width, int height, const TensorDiffusion *d, float *rows,
        float *scratch) noexcept nogil:
    """Cosine, sine and, for edge-enhancing diffusion, trace of the smoothed structure tensor at all corners."""
    cdef size_t pitch = row_floats(width + 1)
    cdef size_t size = plane_floats(width + 1, height + 1)
    cdef Differences s
    cdef float *line
    cdef int y, i
    lay_differences(&s, rows, width)
    for y in range(height + 1):
        line = planes + y * pitch + GHOST
        take_differences(&s, v, y, width, height)
        corner_vector_row(line, line + size, s.a, s.b, s.c, s.d, s.columns, width + 1)
        if d.mode == EED:
            corner_trace_row(line + 2 * size, s.a, s.b, s.c, s.d, s.columns, width + 1)
    for i in range(structure_planes(d)):
        smooth_in_place(planes + i * size, width + 1, height + 1, &d.rho, scratch)


cdef inline void weights_row(
        CornerRows *w, int y, const float *v, const float *planes, int width, int height,
        const TensorDiffusion *d) noexcept nogil:
    """The weights of the corners between the pixels of the rows y-1 and y."""
    cdef size_t size = plane_floats(width + 1, height + 1)
    cdef const float *line = planes + y * row_floats(width + 1) + GHOST
    cdef float half_tau = <float>0.5 * d.tau
    cdef int n = width + 1
    cdef int x
    if not keeps_planes(d):
        take_differences(&w.v, v, y, width, height)
        eed_gradient_row(
            w.across, w.downward, w.falling, w.rising, w.v.a, w.v.b, w.v.c, w.v.d, w.v.columns, n, d.contrast2,
            half_tau)
    elif d.mode == EED:
        eed_row(
            w.across, w.downward, w.falling, w.rising, line + 2 * size, line, line + size, n, d.contrast2, half_tau)
    else:
        ced_row(w.across, w.downward, w.falling, w.rising, line, line + size, n, d.contrast2, d.alpha, half_tau)
    tie_border(w.downward, w.falling, w.rising, w.across, 0)
    tie_border(w.downward, w.falling, w.rising, w.across, width)
    if y == 0 or y == height:
        for x in range(n):
            tie_border(w.across, w.falling, w.rising, w.downward, x)


cdef inline void run_cycle(
        void *dst, ptrdiff_t dst_stride, const Pixels *dst_pixels, const void *src, ptrdiff_t src_stride,
        const Pixels *src_pixels, const float *v, const float *planes, int width, int height,
        const TensorDiffusion *d, float *rows) noexcept nogil:
    """dst may be src: a row is read long before it is written."""
    cdef size_t pitch = row_floats(width + 1)
    cdef int length = d.length
    cdef int slots = length + 1
    cdef float *u = rows + GHOST
    cdef float *last = u + 3 * length * pitch
    cdef float *halves = last + pitch
    cdef float *across = halves + 3 * pitch
    cdef float *downward = across + slots * pitch
    cdef float *falling = downward + slots * pitch
    cdef float *rising = falling + slots * pitch
    cdef float *out
    cdef const float *level
    cdef const float *mid
    cdef const float *prev
    cdef CornerRows w
    cdef size_t above, below
    cdef int front, step, y
    lay_differences(&w.v, rising + slots * pitch - GHOST, width)
    for front in range(height + length):
        if front < height:
            out = u + (front % 3) * pitch
            load_row(out, <const char *>src + front * src_stride, width, src_pixels)
            set_ghosts(out, width)
        if front <= height:
            w.across = halves + (front % 2) * pitch
            w.downward = halves + 2 * pitch
            w.falling = falling + (front % slots) * pitch
            w.rising = rising + (front % slots) * pitch
            weights_row(&w, front, v, planes, width, height, d)
            sum_row(downward + (front % slots) * pitch, w.downward, w.downward + 1, width)
            if front > 0:
                sum_row(across + ((front - 1) % slots) * pitch, halves, halves + pitch, width + 1)
        for step in range(1, length + 1):
            y = front - step
            if y < 0:
                break
            if y >= height:
                continue
            level = u + 3 * (step - 1) * pitch
            mid = level + (y % 3) * pitch
            prev = mid
            if step > 1:
                prev = u + (3 * (step - 2) + y % 3) * pitch
            out = last if step == length else u + (3 * step + y % 3) * pitch
            above = (y % slots) * pitch
            below = ((y + 1) % slots) * pitch
            flow_row(
                out, prev, level + (max(y - 1, 0) % 3) * pitch, mid,
                level + (min(y + 1, height - 1) % 3) * pitch,
                across + (y % slots) * pitch, downward + above, downward + below, falling + above, falling + below,
                rising + above, rising + below, width, momentum(step))
            set_ghosts(out, width)
        y = front - length
        if y >= 0:
            store_row(<char *>dst + y * dst_stride, last, width, dst_pixels)


cdef inline void tensor_plane(
        void *dst, ptrdiff_t dst_stride, const void *src, ptrdiff_t src_stride, int width, int height,
        const Pixels *pixels, const TensorDiffusion *given, double *contrast, float *scratch) noexcept nogil:
    """`contrast` is set to the contrast taken, on the 8-bit scale."""
    cdef Pixels working = working_pixels()
    cdef TensorDiffusion diffusion = given[0]
    cdef TensorDiffusion *d = &diffusion
    cdef View smoothed
    cdef ptrdiff_t stride = row_floats(width) * sizeof(float)
    cdef size_t size = plane_floats(width, height)
    cdef float *v = scratch
    cdef float *between = v + size
    cdef float *planes = between + (size if keeps_between(d) else 0)
    cdef float *rows = planes + structure_planes(d) * plane_floats(width + 1, height + 1)
    cdef float *heat = rows + wavefront_rows(d) * row_floats(width + 1)
    cdef const void *now = src
    cdef ptrdiff_t now_stride = src_stride
    cdef const Pixels *now_pixels = pixels
    cdef int cycle
    contrast[0] = d.contrast
    for cycle in range(d.cycles):
        smooth_plane(v, now, now_stride, now_pixels, width, height, &d.sigma, heat)
        if cycle == 0 and d.contrast == 0:
            smoothed.data = v + GHOST
            smoothed.stride = stride
            smoothed.width = width
            smoothed.height = height
            smoothed.pixels = &working
            squared_gradient(between, &smoothed, False, rows)
            contrast[0] = robust_contrast(between, width, height, d.unit)
            set_contrast(d, contrast[0])
        if keeps_planes(d):
            structure_of(planes, v + GHOST, width, height, d, rows, heat)
        if cycle == d.cycles - 1:
            run_cycle(
                dst, dst_stride, pixels, now, now_stride, now_pixels, v + GHOST, planes, width, height, d,
                rows)
        else:
            run_cycle(
                between, stride, &working, now, now_stride, now_pixels, v + GHOST, planes, width, height, d,
                rows)
        now = between
        now_stride = stride
        now_pixels = &working
