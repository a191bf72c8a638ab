"""What Cython has no word for: restrict pointers, bit casts, lock-free cells, prefetches."""

from libc.stdint cimport uint32_t


cdef extern from * nogil:
    """
    #include <stdint.h>

    static inline float vdiff_minf(float a, float b) { return a < b ? a : b; }
    static inline float vdiff_maxf(float a, float b) { return a > b ? a : b; }
    static inline float vdiff_clampf(float v, float lo, float hi) { return vdiff_minf(vdiff_maxf(v, lo), hi); }
    static inline float vdiff_limitf(float v, float limit) { return vdiff_minf(limit, vdiff_maxf(-limit, v)); }

    static inline float vdiff_float_of_bits(uint32_t u) { float f; __builtin_memcpy(&f, &u, 4); return f; }
    static inline uint32_t vdiff_bits_of_float(float f) { uint32_t u; __builtin_memcpy(&u, &f, 4); return u; }

    static inline void *vdiff_exchange(void **cell, void *value)
        { return __atomic_exchange_n(cell, value, __ATOMIC_ACQ_REL); }
    static inline int vdiff_load(const int *cell) { return __atomic_load_n(cell, __ATOMIC_ACQUIRE); }
    static inline void vdiff_store(int *cell, int value) { __atomic_store_n(cell, value, __ATOMIC_RELEASE); }
    static inline void vdiff_swap_if(int *cell, int expected, int value)
        { __atomic_compare_exchange_n(cell, &expected, value, 0, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED); }

    #define vdiff_fetch(p) __builtin_prefetch(p, 0, 2)
    #define vdiff_fetch_to_write(p) __builtin_prefetch(p, 1, 2)
    """
    # Rows that no other argument overlaps, so that loops over them vectorise without run-time checks.
    ctypedef const float *crow "const float *restrict"
    ctypedef float *row "float *restrict"
    ctypedef double *row_double "double *restrict"
    ctypedef const double *crow_double "const double *restrict"

    # A comparison with NaN is false, so the second argument is returned when either is NaN.
    float minf "vdiff_minf"(float a, float b)
    float maxf "vdiff_maxf"(float a, float b)
    float clampf "vdiff_clampf"(float v, float lo, float hi)    # NaN: lo
    float limitf "vdiff_limitf"(float v, float limit)           # to -limit...limit; NaN: NaN

    float fabsf "__builtin_fabsf"(float v)

    float float_of_bits "vdiff_float_of_bits"(uint32_t u)
    uint32_t bits_of_float "vdiff_bits_of_float"(float f)

    void *exchange "vdiff_exchange"(void **cell, void *value)
    int atomic_load "vdiff_load"(const int *cell)
    void atomic_store "vdiff_store"(int *cell, int value)
    void swap_if "vdiff_swap_if"(int *cell, int expected, int value)

    # Start to bring a cache line into the second-level cache; any address will do.
    void fetch "vdiff_fetch"(const void *p)
    void fetch_to_write "vdiff_fetch_to_write"(const void *p)


cdef inline void fetch_row(const void *row, int bytes) noexcept nogil:
    cdef int i
    for i in range(0, bytes, 64):
        fetch(<const char *>row + i)


cdef inline void fetch_to_write_row(const void *row, int bytes) noexcept nogil:
    cdef int i
    for i in range(0, bytes, 64):
        fetch_to_write(<const char *>row + i)


# What comes a little later, of planes that are gone through once: in pieces of about 512 bytes, for memory can only be
# asked for so much at once. Beyond a plane's end it does no harm.

cdef enum:
    AHEAD = 2048


cdef inline void fetch_ahead(const void *row, int bytes) noexcept nogil:
    fetch_row(<const char *>row + AHEAD, bytes)


cdef inline void fetch_ahead_to_write(const void *row, int bytes) noexcept nogil:
    fetch_to_write_row(<const char *>row + AHEAD, bytes)
