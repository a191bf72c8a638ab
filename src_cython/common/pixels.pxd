"""Sample formats, and rows of samples as float32 on one working scale.

Kernels compute on the 8-bit scale at every depth: an integer sample of b bits is multiplied by 2^(8-b), a float sample
by 256. Powers of two, so that loading and storing rounds nothing and a constant stays the same constant. What a
parameter of the 8-bit scale (0...255, 255 the format's peak) is on the working scale is `unit`, 1 or close to it.
"""

from libc.stddef cimport ptrdiff_t
from libc.stdint cimport uint8_t, uint16_t, uint32_t

from common.c cimport bits_of_float, clampf, crow, float_of_bits, row


cdef extern from * nogil:
    ctypedef const uint8_t *crow8 "const uint8_t *restrict"
    ctypedef uint8_t *row8 "uint8_t *restrict"
    ctypedef const uint16_t *crow16 "const uint16_t *restrict"
    ctypedef uint16_t *row16 "uint16_t *restrict"


cdef enum:
    PLANES = 3


cdef enum Sample:
    BYTE
    WORD
    HALF
    SINGLE


cdef struct Pixels:
    Sample sample
    float scale      # stored value -> working scale
    float unscale    # and back
    float peak       # largest stored value of an integer format
    float step       # smallest change that counts in the output, working scale: one code, or 2^-16 of a float's range
    double unit      # one unit of the 8-bit scale, on the working scale


cdef inline Pixels describe_pixels(bint floating, int bits) noexcept nogil:
    cdef Pixels p
    if floating:
        p.sample = HALF if bits == 16 else SINGLE
        p.scale = 256
        p.peak = 1
        p.step = 256.0 / 65536
    else:
        p.sample = BYTE if bits == 8 else WORD
        p.scale = 256.0 / (1 << bits)
        p.peak = (1 << bits) - 1
        p.step = p.scale
    p.unscale = 1 / p.scale
    p.unit = p.peak * <double>p.scale / 255
    return p


cdef struct View:          # a plane in whatever format
    const void *data
    ptrdiff_t stride
    int width
    int height
    const Pixels *pixels


cdef inline int sample_bytes(const Pixels *p) noexcept nogil:
    """The size of a sample."""
    return 1 if p.sample == BYTE else 4 if p.sample == SINGLE else 2


cdef inline Pixels working_pixels() noexcept nogil:
    """Rows of float32 that are on the working scale already."""
    cdef Pixels p = describe_pixels(True, 32)
    p.scale = p.unscale = 1
    return p


cdef inline float half_to_float(uint16_t h) noexcept nogil:
    # Every case is computed and one selected, so that the loop over a row vectorises.
    cdef uint32_t magnitude = <uint32_t>(h & 0x7FFF) << 13
    cdef uint32_t exponent = h & 0x7C00
    cdef uint32_t normal = magnitude + (<uint32_t>112 << 23)
    cdef uint32_t special = magnitude + (<uint32_t>224 << 23)
    cdef uint32_t least = <uint32_t>113 << 23
    cdef uint32_t tiny = bits_of_float(float_of_bits(magnitude + least) - float_of_bits(least))
    cdef uint32_t value = tiny if exponent == 0 else normal
    value = special if exponent == 0x7C00 else value
    return float_of_bits(value | (<uint32_t>(h & 0x8000) << 16))


cdef inline uint16_t float_to_half(float f) noexcept nogil:
    # Round to nearest, ties to even, as IEEE 754 and every hardware conversion do.
    cdef uint32_t bits = bits_of_float(f)
    cdef uint32_t magnitude = bits & 0x7FFFFFFF
    cdef uint32_t normal = (magnitude + 0xC8000FFFu + ((magnitude >> 13) & 1)) >> 13
    cdef uint32_t tiny = bits_of_float(float_of_bits(magnitude) + 0.5) - (<uint32_t>126 << 23)
    cdef uint32_t special = 0x7E00 if magnitude > 0x7F800000u else 0x7C00
    cdef uint32_t value = tiny if magnitude < (<uint32_t>113 << 23) else normal
    value = special if magnitude >= (<uint32_t>143 << 23) else value
    return <uint16_t>(value | ((bits >> 16) & 0x8000))


cdef inline void load_bytes(row dst, crow8 src, int n, float scale) noexcept nogil:
    cdef int x
    for x in range(n):  # hot
        dst[x] = src[x] * scale


cdef inline void load_words(row dst, crow16 src, int n, float scale) noexcept nogil:
    cdef int x
    for x in range(n):  # hot
        dst[x] = src[x] * scale


cdef inline void load_halves(row dst, crow16 src, int n, float scale) noexcept nogil:
    cdef int x
    for x in range(n):  # hot
        dst[x] = half_to_float(src[x]) * scale


cdef inline void load_singles(row dst, crow src, int n, float scale) noexcept nogil:
    cdef int x
    for x in range(n):  # hot
        dst[x] = src[x] * scale


cdef inline void load_row(float *dst, const void *src, int n, const Pixels *p) noexcept nogil:
    if p.sample == BYTE:
        load_bytes(dst, <const uint8_t *>src, n, p.scale)
    elif p.sample == WORD:
        load_words(dst, <const uint16_t *>src, n, p.scale)
    elif p.sample == HALF:
        load_halves(dst, <const uint16_t *>src, n, p.scale)
    else:
        load_singles(dst, <const float *>src, n, p.scale)


cdef inline void load_part(float *dst, const View *v, int x, int y, int n) noexcept nogil:
    """Of row y, n pixels from x on."""
    load_row(dst, <const char *>v.data + y * v.stride + x * sample_bytes(v.pixels), n, v.pixels)


cdef inline void load_view(float *dst, const View *v, int y) noexcept nogil:
    """Row y."""
    load_part(dst, v, 0, y, v.width)


# Clamping first makes NaN 0 and keeps the conversion to an integer defined.

cdef inline void store_bytes(row8 dst, crow src, int n, float unscale, float peak) noexcept nogil:
    cdef int x
    for x in range(n):  # hot
        dst[x] = <uint8_t><int>(clampf(src[x] * unscale, 0, peak) + <float>0.5)


cdef inline void store_words(row16 dst, crow src, int n, float unscale, float peak) noexcept nogil:
    cdef int x
    for x in range(n):  # hot
        dst[x] = <uint16_t><int>(clampf(src[x] * unscale, 0, peak) + <float>0.5)


cdef inline void store_halves(row16 dst, crow src, int n, float unscale) noexcept nogil:
    cdef int x
    for x in range(n):  # hot
        dst[x] = float_to_half(src[x] * unscale)


cdef inline void store_singles(row dst, crow src, int n, float unscale) noexcept nogil:
    cdef int x
    for x in range(n):  # hot
        dst[x] = src[x] * unscale


cdef inline void store_row(void *dst, const float *src, int n, const Pixels *p) noexcept nogil:
    if p.sample == BYTE:
        store_bytes(<uint8_t *>dst, src, n, p.unscale, p.peak)
    elif p.sample == WORD:
        store_words(<uint16_t *>dst, src, n, p.unscale, p.peak)
    elif p.sample == HALF:
        store_halves(<uint16_t *>dst, src, n, p.unscale)
    else:
        store_singles(<float *>dst, src, n, p.unscale)


# Halves as floats of the same values

cdef inline void load_half_plane(
        float *dst, ptrdiff_t pitch, const void *src, ptrdiff_t stride, int width, int height) noexcept nogil:
    for _ in range(height):
        load_halves(dst, <const uint16_t *>src, width, 1)
        dst += pitch
        src = <const char *>src + stride


cdef inline void store_half_plane(
        void *dst, ptrdiff_t stride, const float *src, ptrdiff_t pitch, int width, int height) noexcept nogil:
    for _ in range(height):
        store_halves(<uint16_t *>dst, src, width, 1)
        dst = <char *>dst + stride
        src += pitch
