"""Vectors of unsigned integers, and what is beside them in a row.

For loops that carry values from step to step, of which compilers make no vectors. `size` is that of an integer in
bytes, 1, 2 or 4, and is to be a constant.
"""

from libc.stdint cimport uint8_t, uint32_t


cdef extern from * nogil:
    """
    #include <stdint.h>

    #if defined(__AVX512BW__)
    #define VDIFF_BYTES 64
    #elif defined(__AVX2__)
    #define VDIFF_BYTES 32
    #else
    #define VDIFF_BYTES 16
    #endif
    typedef uint8_t vdiff_8s __attribute__((vector_size(VDIFF_BYTES)));
    typedef uint16_t vdiff_16s __attribute__((vector_size(VDIFF_BYTES)));
    typedef uint32_t vdiff_32s __attribute__((vector_size(VDIFF_BYTES)));
    typedef vdiff_8s vdiff_in_memory __attribute__((aligned(1), may_alias));

    static inline vdiff_8s vdiff_load_vector(const void *from) { return *(const vdiff_in_memory *)from; }
    static inline void vdiff_store_vector(void *to, vdiff_8s v) { *(vdiff_in_memory *)to = v; }

    #if defined(__SSE4_1__)  // where GCC does not always find the instruction by itself
    #include <immintrin.h>
    // alignr joins each 16 bytes with the 16 before, or after.
    #if defined(__AVX512BW__)
    typedef __m512i vdiff_whole;
    #define VDIFF_DO(operation, ...) (vdiff_8s)_mm512_##operation(__VA_ARGS__)
    #define VDIFF_16_BEFORE(a, b) _mm512_alignr_epi64(b, a, 6)
    #define VDIFF_16_AFTER(b, c) _mm512_alignr_epi64(c, b, 2)
    #elif defined(__AVX2__)
    typedef __m256i vdiff_whole;
    #define VDIFF_DO(operation, ...) (vdiff_8s)_mm256_##operation(__VA_ARGS__)
    #define VDIFF_16_BEFORE(a, b) _mm256_permute2x128_si256(a, b, 0x21)
    #define VDIFF_16_AFTER(b, c) _mm256_permute2x128_si256(b, c, 0x21)
    #else
    typedef __m128i vdiff_whole;
    #define VDIFF_DO(operation, ...) (vdiff_8s)_mm_##operation(__VA_ARGS__)
    #define VDIFF_16_BEFORE(a, b) (a)
    #define VDIFF_16_AFTER(b, c) (c)
    #endif
    #define VDIFF_LARGER(a, b, bits) VDIFF_DO(max_epu##bits, (vdiff_whole)(a), (vdiff_whole)(b))
    #define VDIFF_BEFORE(a, b, bytes) \\
        VDIFF_DO(alignr_epi8, (vdiff_whole)(b), VDIFF_16_BEFORE((vdiff_whole)(a), (vdiff_whole)(b)), 16 - (bytes))
    #define VDIFF_AFTER(b, c, bytes) \\
        VDIFF_DO(alignr_epi8, VDIFF_16_AFTER((vdiff_whole)(b), (vdiff_whole)(c)), (vdiff_whole)(b), bytes)
    #else
    #define VDIFF_LARGER(a, b, bits) ({ \\
        vdiff_##bits##s va = (vdiff_##bits##s)(a), vb = (vdiff_##bits##s)(b), less = (vdiff_##bits##s)(va < vb); \\
        (vdiff_8s)((va & ~less) | (vb & less)); })
    #define VDIFF_16_FROM(i) (i), (i) + 1, (i) + 2, (i) + 3, (i) + 4, (i) + 5, (i) + 6, (i) + 7, \\
        (i) + 8, (i) + 9, (i) + 10, (i) + 11, (i) + 12, (i) + 13, (i) + 14, (i) + 15
    #if defined(__clang__)
    #define VDIFF_BYTES_FROM(i, a, b) __builtin_shufflevector(a, b, VDIFF_16_FROM(i))
    #else
    #define VDIFF_BYTES_FROM(i, a, b) __builtin_shuffle(a, b, (vdiff_8s){VDIFF_16_FROM(i)})
    #endif
    #define VDIFF_BEFORE(a, b, bytes) VDIFF_BYTES_FROM(16 - (bytes), a, b)
    #define VDIFF_AFTER(b, c, bytes) VDIFF_BYTES_FROM(bytes, b, c)
    #endif

    #define VDIFF_BY_SIZE(size, one, two, four) ((size) == 1 ? (one) : (size) == 2 ? (two) : (four))
    static inline vdiff_8s vdiff_filled(uint32_t value, int size)
    {
        return VDIFF_BY_SIZE(
            size, (uint8_t)value + (vdiff_8s){0}, (vdiff_8s)((uint16_t)value + (vdiff_16s){0}),
            (vdiff_8s)(value + (vdiff_32s){0}));
    }
    static inline vdiff_8s vdiff_larger(vdiff_8s a, vdiff_8s b, int size)
        { return VDIFF_BY_SIZE(size, VDIFF_LARGER(a, b, 8), VDIFF_LARGER(a, b, 16), VDIFF_LARGER(a, b, 32)); }
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
