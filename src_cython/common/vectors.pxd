"""Vectors of unsigned integers, and what is beside them in a row.

For loops that carry values from step to step, of which compilers make no vectors. `size` is that of an integer in
bytes, 1, 2 or 4, and is to be a constant.
"""

from libc.stdint cimport uint8_t, uint32_t


cdef extern from * nogil:
    """
    #include <stdint.h>

    #define VDIFF_16_FROM(i) (i), (i) + 1, (i) + 2, (i) + 3, (i) + 4, (i) + 5, (i) + 6, (i) + 7, \\
        (i) + 8, (i) + 9, (i) + 10, (i) + 11, (i) + 12, (i) + 13, (i) + 14, (i) + 15
    #if defined(__AVX512BW__)
    #include <immintrin.h>
    #define VDIFF_BYTES 64
    #elif defined(__AVX2__)
    #define VDIFF_BYTES 32
    #define VDIFF_ALL_FROM(i) VDIFF_16_FROM(i), VDIFF_16_FROM((i) + 16)
    #else
    #define VDIFF_BYTES 16
    #define VDIFF_ALL_FROM(i) VDIFF_16_FROM(i)
    #endif
    typedef uint8_t vdiff_8s __attribute__((vector_size(VDIFF_BYTES)));
    typedef uint16_t vdiff_16s __attribute__((vector_size(VDIFF_BYTES)));
    typedef uint32_t vdiff_32s __attribute__((vector_size(VDIFF_BYTES)));
    typedef vdiff_8s vdiff_in_memory __attribute__((aligned(1), may_alias));

    static inline vdiff_8s vdiff_load_vector(const void *from) { return *(const vdiff_in_memory *)from; }
    static inline void vdiff_store_vector(void *to, vdiff_8s v) { *(vdiff_in_memory *)to = v; }

    #if defined(__clang__)  // which knows a maximum by other signs than GCC
    #define VDIFF_RAISE(a, b) do { __typeof__(a) less = (__typeof__(a))(a < b); a = (a & ~less) | (b & less); } while (0)
    #else
    #define VDIFF_RAISE(a, b) \\
        for (unsigned i = 0; i < sizeof(a) / sizeof(a[0]); i++) \\
            a[i] = a[i] > b[i] ? a[i] : b[i]
    #endif
    #define VDIFF_OF(bits) \\
        static inline vdiff_8s vdiff_filled_##bits(uint##bits##_t value) \\
            { return (vdiff_8s)(value + (vdiff_##bits##s){0}); } \\
        static inline vdiff_8s vdiff_larger_##bits(vdiff_8s v, vdiff_8s w) \\
        { \\
            vdiff_##bits##s a = (vdiff_##bits##s)v, b = (vdiff_##bits##s)w; \\
            VDIFF_RAISE(a, b); \\
            return (vdiff_8s)a; \\
        }
    VDIFF_OF(8)
    VDIFF_OF(16)
    VDIFF_OF(32)

    #if VDIFF_BYTES == 64  // for which GCC has no shuffle of bytes that is as short
    #define VDIFF_BEFORE(a, b, bytes) \\
        (vdiff_8s)_mm512_alignr_epi8((__m512i)(b), _mm512_alignr_epi64((__m512i)(b), (__m512i)(a), 6), 16 - (bytes))
    #define VDIFF_AFTER(b, c, bytes) \\
        (vdiff_8s)_mm512_alignr_epi8(_mm512_alignr_epi64((__m512i)(c), (__m512i)(b), 2), (__m512i)(b), bytes)
    #else
    #if defined(__clang__)
    #define VDIFF_BYTES_FROM(i, a, b) __builtin_shufflevector(a, b, VDIFF_ALL_FROM(i))
    #else
    #define VDIFF_BYTES_FROM(i, a, b) __builtin_shuffle(a, b, (vdiff_8s){VDIFF_ALL_FROM(i)})
    #endif
    #define VDIFF_BEFORE(a, b, bytes) VDIFF_BYTES_FROM(VDIFF_BYTES - (bytes), a, b)
    #define VDIFF_AFTER(b, c, bytes) VDIFF_BYTES_FROM(bytes, b, c)
    #endif

    #define VDIFF_BY_SIZE(size, one, two, four) ((size) == 1 ? (one) : (size) == 2 ? (two) : (four))
    static inline vdiff_8s vdiff_filled(uint32_t value, int size)
    {
        return VDIFF_BY_SIZE(
            size, vdiff_filled_8((uint8_t)value), vdiff_filled_16((uint16_t)value), vdiff_filled_32(value));
    }
    static inline vdiff_8s vdiff_larger(vdiff_8s a, vdiff_8s b, int size)
        { return VDIFF_BY_SIZE(size, vdiff_larger_8(a, b), vdiff_larger_16(a, b), vdiff_larger_32(a, b)); }
    static inline vdiff_8s vdiff_before(vdiff_8s a, vdiff_8s b, int size)
        { return VDIFF_BY_SIZE(size, VDIFF_BEFORE(a, b, 1), VDIFF_BEFORE(a, b, 2), VDIFF_BEFORE(a, b, 4)); }
    static inline vdiff_8s vdiff_after(vdiff_8s b, vdiff_8s c, int size)
        { return VDIFF_BY_SIZE(size, VDIFF_AFTER(b, c, 1), VDIFF_AFTER(b, c, 2), VDIFF_AFTER(b, c, 4)); }
    """
    enum:
        VECTOR "VDIFF_BYTES"    # bytes of a vector
    ctypedef uint8_t vector "vdiff_8s"    # to Cython a number, so that it has operators for them
    vector load_vector "vdiff_load_vector"(const void *p)
    void store_vector "vdiff_store_vector"(void *p, vector v)
    vector filled "vdiff_filled"(uint32_t value, int size)
    vector larger "vdiff_larger"(vector a, vector b, int size)    # of each two
    # The one before, or after, each of b, where a, b and c follow one another in a row.
    vector before "vdiff_before"(vector a, vector b, int size)
    vector after "vdiff_after"(vector b, vector c, int size)
