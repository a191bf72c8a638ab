"""Exponential memory of a pixel: its mean or sum over the past, or the extreme of now and the decaying past.

mean   s <- s + (1 - q) * (x - s)                                  y = s
max    s <- the larger in magnitude of x - level and q * s          y = x, or level + q * s where the past is larger
min    the same of the mirrored picture
sum    s <- s + ((x - level) - (1 - q) * s), within bounds          y = level + s
fade   y = level + q^n * (x - level), of frame n alone

`level` is what the past decays to: black, and only above it there is something to decay, in min white, and only below
it; for chroma neutral, either side. In max and min, what has decayed to less than half of what the output can show is
set to 0, so that after `memory_length` frames nothing at all is left of a frame, however long ago the recursion began.

The speed of this filter is the size of its state: 16-bit fixed point with 7 fractional bits for bytes, where that is
accurate, else float32 on the working scale, and float64 only for means and sums over so long a past that it takes it.
"""

from libc.math cimport INFINITY, M_LN2, ceil, fmax, fmin
from libc.stddef cimport ptrdiff_t, size_t
from libc.stdint cimport int16_t, uint8_t
from libc.string cimport memcpy, memset

from common.c cimport clampf, crow, fabsf, fetch_ahead, fetch_ahead_to_write, maxf, minf, row, row_double
from common.maths cimport exponential, exponential_less_one
from common.pixels cimport BYTE, HALF, SINGLE, Pixels, crow8, load_row, row8, sample_bytes, store_row


cdef extern from * nogil:
    ctypedef int16_t *row_fixed "int16_t *restrict"
    float copysignf "__builtin_copysignf"(float magnitude, float sign)


cdef enum:
    CHUNK = 256             # samples at a time
    ONE = 128               # fixed point: one code of a byte
    HALF_CODE = 64
    LONGEST_FIXED = 24      # mean age 1/(1-q) in frames up to which roundings add up to less than a tenth of a code
    LARGEST_TRAIL = 32768   # 128 times white, working scale: what a float sample beyond leaves behind


cdef enum Mode:
    MEAN
    MAX
    MIN
    SUM
    FADE


cdef struct Memory:
    Mode mode
    double rate
    bint fixed
    bint precise            # mean and sum: the state is double
    float q
    double a                # 1 - q
    float rest              # a trail below this is no trail, working scale
    int16_t fixed_q         # q * 2^15
    int16_t fixed_a
    float top               # what a sum reaches at most, unless x is beyond, working scale


cdef struct Target:
    float level             # what the past of a plane decays to, working scale
    bint chroma             # from both sides


# Fixed point. The product is the rounding multiplication that x86 (pmulhrsw) and ARM (sqrdmulh) have in hardware.

cdef inline int16_t fixed_product(int16_t v, int16_t factor) noexcept nogil:
    return <int16_t>((((<int>v * factor) >> 14) + 1) >> 1)


cdef inline int16_t fixed_trail(int16_t magnitude, int16_t q) noexcept nogil:
    cdef int16_t trail = fixed_product(magnitude, q)
    return trail if trail >= HALF_CODE else <int16_t>0


cdef inline void fixed_mean(row8 y, row_fixed s, crow8 x, int n, int16_t a) noexcept nogil:
    cdef int i
    cdef int16_t v
    for i in range(n):  # hot
        v = <int16_t>(s[i] + fixed_product(<int16_t>(x[i] * ONE - s[i]), a))
        s[i] = v
        y[i] = <uint8_t>((v + HALF_CODE) >> 7)


cdef inline void fixed_max(
        row8 y, row_fixed s, crow8 x, int n, int16_t q, int16_t level, uint8_t mirror) noexcept nogil:
    # Mirrored by 255, a code is 255 - code, and max is min. The level is one of the mirrored picture.
    cdef int i
    cdef int16_t code, trail, above, lit
    for i in range(n):  # hot
        code = x[i] ^ mirror
        trail = fixed_trail(s[i], q)
        above = <int16_t>(max(<int16_t>(code - level), <int16_t>0) * ONE)
        s[i] = max(trail, above)
        lit = <int16_t>(level + ((trail + HALF_CODE) >> 7))
        lit = min(lit, <int16_t>255)  # the trail may come from a frame with a lower black
        lit = lit if trail > 0 else <int16_t>0
        y[i] = <uint8_t>(max(lit, code) ^ mirror)


cdef inline void fixed_max_chroma(row8 y, row_fixed s, crow8 x, int n, int16_t q) noexcept nogil:
    # Without a branch, a number apart from its sign (0 or -1): (m ^ sign) - sign gives m that sign, and takes it off.
    cdef int i
    cdef int16_t past_sign, trail, past, past_shown, now, now_sign, distance, code
    for i in range(n):  # hot
        past_sign = s[i] >> 15
        trail = fixed_trail(<int16_t>((s[i] ^ past_sign) - past_sign), q)
        past = <int16_t>((trail ^ past_sign) - past_sign)
        past_shown = <int16_t>((trail + HALF_CODE) >> 7)
        past_shown = <int16_t>(128 + ((past_shown ^ past_sign) - past_sign))
        code = x[i]
        now = <int16_t>((code - 128) * ONE)
        now_sign = now >> 15
        distance = <int16_t>((now ^ now_sign) - now_sign)
        s[i] = past if trail > distance else now
        y[i] = <uint8_t>(past_shown if trail > distance else code)


cdef inline void fixed_sum(
        row8 y, row_fixed s, crow8 x, int n, int16_t q, int16_t level, int16_t least) noexcept nogil:
    # The past adds as much as there is room for: nothing leaves 16 bits. It is of no less than `least`.
    cdef int i
    cdef int16_t now, past, total
    for i in range(n):  # hot
        now = <int16_t>(x[i] * ONE)
        past = fixed_product(s[i], q)
        past = max(min(past, <int16_t>(255 * ONE - now)), <int16_t>(-now))
        total = <int16_t>(now + past)
        s[i] = max(<int16_t>(total - level * ONE), least)
        y[i] = <uint8_t>((total + HALF_CODE) >> 7)


cdef inline void fixed_begin(row_fixed s, crow8 x, int n) noexcept nogil:
    cdef int i
    for i in range(n):  # hot
        s[i] = <int16_t>(x[i] * ONE)


# Floating point. But for mean, comparisons are written so that NaN shows where it is and leaves no trail.

cdef inline void float_mean(row y, row s, crow x, int n, float a) noexcept nogil:
    cdef int i
    for i in range(n):  # hot
        s[i] = s[i] + a * (x[i] - s[i])
        y[i] = s[i]


cdef inline void double_mean(row y, row_double s, crow x, int n, double a) noexcept nogil:
    cdef int i
    for i in range(n):  # hot
        s[i] = s[i] + a * (x[i] - s[i])
        y[i] = <float>s[i]


cdef inline void double_begin(row_double s, crow x, int n) noexcept nogil:
    cdef int i
    for i in range(n):  # hot
        s[i] = x[i]


cdef inline void float_max(
        row y, row s, crow x, int n, float q, float rest, float level, float side) noexcept nogil:
    # side 1: the past is above the level; -1: below, and max is min.
    cdef int i
    cdef float trail, lit
    for i in range(n):  # hot
        trail = s[i] * q
        trail = trail if trail >= rest else 0
        s[i] = maxf(trail, minf(maxf(side * (x[i] - level), 0), LARGEST_TRAIL))
        lit = level + side * trail
        y[i] = lit if trail > 0 and side * lit > side * x[i] else x[i]


cdef inline void float_max_chroma(row y, row s, crow x, int n, float q, float rest, float neutral) noexcept nogil:
    cdef int i
    cdef float trail, now, distance
    for i in range(n):  # hot
        trail = fabsf(s[i]) * q
        trail = trail if trail >= rest else 0
        now = x[i] - neutral
        distance = fabsf(now)
        y[i] = neutral + copysignf(trail, s[i]) if trail > distance else x[i]
        distance = minf(maxf(distance, 0), LARGEST_TRAIL)
        s[i] = copysignf(distance, now) if distance >= trail else copysignf(trail, s[i])


# s + (e - a * s) rounds what is small before what is large, so its error is that of mean. Bounds count from the level.

cdef inline void float_sum(
        row y, row s, crow x, int n, float a, float level, float low, float high, float least) noexcept nogil:
    cdef int i
    cdef float now, past, total
    for i in range(n):  # hot
        now = x[i] - level
        past = s[i]
        total = past + (now - a * past)
        total = maxf(minf(now, low), minf(maxf(now, high), total))
        y[i] = level + total
        s[i] = clampf(total if total == total else past - a * past, least, LARGEST_TRAIL)


cdef inline void double_sum(
        row y, row_double s, crow x, int n, double a, float level, float low, float high, float least) noexcept nogil:
    cdef int i
    cdef double now, past, total, top, bottom
    for i in range(n):  # hot
        now = x[i] - level
        past = s[i]
        total = past + (now - a * past)
        top = now if now > high else high
        total = top if total > top else total
        bottom = now if now < low else low
        total = bottom if total < bottom else total
        y[i] = <float>(level + total)
        total = total if total == total else past - a * past
        total = total if total > least else least
        s[i] = total if total < LARGEST_TRAIL else LARGEST_TRAIL


cdef inline void fade_row(row y, crow x, int n, float weight, float level) noexcept nogil:
    cdef int i
    for i in range(n):  # hot
        y[i] = level + (x[i] - level) * weight


# What the filter asks for

cdef inline float decayed(float s, const Memory *m) noexcept nogil:
    cdef float trail = s * m.q
    return trail if trail >= m.rest else 0


cdef inline Memory describe_memory(Mode mode, double rate, const Pixels *pixels) noexcept nogil:
    cdef Memory m
    m.mode = mode
    m.rate = rate
    m.q = <float>exponential(-rate)
    m.a = -exponential_less_one(-rate)
    m.rest = pixels.step / 2
    m.fixed = pixels.sample == BYTE and m.a * LONGEST_FIXED >= 1
    m.fixed_q = <int16_t>fmin(exponential(-rate) * 32768 + 0.5, 32767)
    m.fixed_a = <int16_t>fmin(m.a * 32768 + 0.5, 32767)
    # Half a unit in the last place of 256, each frame, adds up over the mean age, here to a sixteenth of a step.
    m.precise = (mode == MEAN or mode == SUM) and m.a * m.rest < 256.0 / (1 << 22)
    m.top = pixels.peak * pixels.scale
    return m


cdef inline bint forgets(const Memory *m) noexcept nogil:
    """Whether nothing at all is left of a frame after `memory_length`."""
    return m.mode == MAX or m.mode == MIN


cdef inline int memory_length(const Memory *m, const Pixels *pixels) noexcept nogil:
    """Frames after which the past does not show: nothing is left, in mean and sum less than half a step."""
    cdef int frames = 0
    cdef int halvings = 1
    cdef float trail
    cdef float step = pixels.step
    cdef int16_t fixed = 255 * ONE
    if not forgets(m):
        while step < 256:   # a power of two, so that no logarithm is needed, which is not the same on every machine
            step *= 2
            halvings += 1
        return max(1, <int>ceil(halvings * M_LN2 / m.rate))
    if m.fixed:
        while fixed > 0:
            fixed = fixed_trail(fixed, m.fixed_q)
            frames += 1
        return frames
    trail = LARGEST_TRAIL if pixels.sample == HALF or pixels.sample == SINGLE else 256
    while trail > 0:
        trail = decayed(trail, m)
        frames += 1
    return frames


cdef inline size_t state_bytes(const Memory *m) noexcept nogil:
    return sizeof(int16_t) if m.fixed else sizeof(double) if m.precise else sizeof(float)


cdef inline size_t state_row(int width, const Memory *m) noexcept nogil:
    """Bytes of one row of state, a multiple of a cache line."""
    return (<size_t>width * state_bytes(m) + 63) // 64 * 64


cdef inline void decay_bytes(
        row8 y, row_fixed s, crow8 x, int n, const Memory *m, bint fresh, const Target *to) noexcept nogil:
    cdef int16_t level = <int16_t>to.level
    if m.mode == MEAN:
        if fresh:
            fixed_begin(s, x, n)
        fixed_mean(y, s, x, n, m.fixed_a)
        return
    if fresh:
        memset(s, 0, n * sizeof(int16_t))
    if m.mode == SUM:
        fixed_sum(y, s, x, n, m.fixed_q, level, -128 * ONE if to.chroma else 0)
    elif to.chroma:
        fixed_max_chroma(y, s, x, n, m.fixed_q)
    elif m.mode == MIN:
        fixed_max(y, s, x, n, m.fixed_q, 255 - level, 255)
    else:
        fixed_max(y, s, x, n, m.fixed_q, level, 0)


cdef inline void decay_floats(
        row y, void *state, crow x, int n, const Memory *m, bint fresh, const Target *to) noexcept nogil:
    cdef float *s = <float *>state
    cdef float level = to.level
    cdef float low, high, least
    if m.mode == MEAN and fresh:
        # x itself, whatever it is: a * (x - x) would be NaN for an infinite x.
        memcpy(y, x, n * sizeof(float))
        if m.precise:
            double_begin(<double *>state, x, n)
        else:
            memcpy(s, x, n * sizeof(float))
        return
    if m.mode == MEAN:
        if m.precise:
            double_mean(y, <double *>state, x, n, m.a)
        else:
            float_mean(y, s, x, n, <float>m.a)
        return
    if fresh:
        memset(s, 0, n * state_bytes(m))
    if m.mode == SUM:
        # Chroma has 0.5, 128, on either side of neutral, in integers one code less above it.
        low = -128 if to.chroma else -INFINITY
        high = m.top - 128 if to.chroma else m.top - level
        least = -LARGEST_TRAIL if to.chroma else 0
        if m.precise:
            double_sum(y, <double *>state, x, n, m.a, level, low, high, least)
        else:
            float_sum(y, s, x, n, <float>m.a, level, low, high, least)
    elif to.chroma:
        float_max_chroma(y, s, x, n, m.q, m.rest, level)
    else:
        float_max(y, s, x, n, m.q, m.rest, level, -1 if m.mode == MIN else 1)


cdef inline void decay_plane(
        void *dst, ptrdiff_t dst_stride, const void *src, ptrdiff_t src_stride, void *const *states, const bint *live,
        const bint *fresh, int width, int height, const Pixels *pixels, const Memory *m,
        const Target *to) noexcept nogil:
    """Takes the states of a plane that are live one frame on, from nothing if `fresh`.

    The output is the first state's. dst may be NULL: it is not wanted.
    """
    cdef float xs[CHUNK]
    cdef float ys[CHUNK]
    cdef size_t pitch = state_row(width, m)
    cdef int bytes = sample_bytes(pixels)
    cdef const char *x
    cdef char *s
    cdef bint output
    cdef int line, chain, start, n
    for line in range(height):
        start = 0
        while start < width:
            n = min(CHUNK, width - start)
            x = <const char *>src + start * bytes
            fetch_ahead(x, n * bytes)
            if dst != NULL:
                fetch_ahead_to_write(<char *>dst + start * bytes, n * bytes)
            if not m.fixed:
                load_row(xs, x, n, pixels)
            for chain in range(2):
                if not live[chain]:
                    continue
                s = <char *>states[chain] + line * pitch + start * state_bytes(m)
                fetch_ahead_to_write(s, n * <int>state_bytes(m))
                output = dst != NULL and chain == 0
                if m.fixed:
                    decay_bytes(
                        <uint8_t *>dst + start if output else <uint8_t *>ys, <int16_t *>s, <const uint8_t *>x, n, m,
                        fresh[chain], to)
                else:
                    decay_floats(ys, s, xs, n, m, fresh[chain], to)
                    if output:
                        store_row(<char *>dst + start * bytes, ys, n, pixels)
            start += CHUNK
        src = <const char *>src + src_stride
        if dst != NULL:
            dst = <char *>dst + dst_stride


cdef inline float fade_weight(double rate, int n) noexcept nogil:
    """q^n, at least 2^-100, nothing at all in any format: times 0 an infinite sample would not be a number."""
    return <float>fmax(exponential(-rate * n), 2.0 ** -100)


cdef inline void fade_plane(
        void *dst, ptrdiff_t dst_stride, const void *src, ptrdiff_t src_stride, int width, int height,
        const Pixels *pixels, float weight, float level) noexcept nogil:
    cdef float xs[CHUNK]
    cdef float ys[CHUNK]
    cdef int bytes = sample_bytes(pixels)
    cdef int start, n
    for _ in range(height):
        start = 0
        while start < width:
            n = min(CHUNK, width - start)
            fetch_ahead(<const char *>src + start * bytes, n * bytes)
            fetch_ahead_to_write(<char *>dst + start * bytes, n * bytes)
            load_row(xs, <const char *>src + start * bytes, n, pixels)
            fade_row(ys, xs, n, weight, level)
            store_row(<char *>dst + start * bytes, ys, n, pixels)
            start += CHUNK
        src = <const char *>src + src_stride
        dst = <char *>dst + dst_stride
