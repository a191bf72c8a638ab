"""Scratch memory that frames share: a few buffers of one size, taken and given back without a lock."""

from libc.stddef cimport size_t

from common.c cimport exchange


cdef extern from * nogil:
    """
    #ifdef _WIN32
    #include <malloc.h>

    static inline void *vdiff_aligned(size_t alignment, size_t size) { return _aligned_malloc(size, alignment); }
    static inline void vdiff_free_aligned(void *memory) { _aligned_free(memory); }
    #else
    #include <stdlib.h>

    static inline void *vdiff_aligned(size_t alignment, size_t size)
        { void *memory = NULL; return posix_memalign(&memory, alignment, size) == 0 ? memory : NULL; }
    static inline void vdiff_free_aligned(void *memory) { free(memory); }
    #endif
    """
    void *allocate_aligned "vdiff_aligned"(size_t alignment, size_t size)
    void free_aligned "vdiff_free_aligned"(void *memory)


cdef enum:
    CELLS = 32       # frames in flight beyond this many allocate and free their own


# Cells that hold what nobody uses at the moment

cdef inline void *take_from(void **cells) noexcept nogil:
    """NULL if there is nothing."""
    cdef void *held
    cdef int i
    for i in range(CELLS):
        held = exchange(&cells[i], NULL)
        if held != NULL:
            return held
    return NULL


cdef inline void *give_to(void **cells, void *held) noexcept nogil:
    """What finds no place, or NULL."""
    cdef int i
    for i in range(CELLS):
        if held == NULL:
            break
        held = exchange(&cells[i], held)
    return held


cdef struct Scratch:
    size_t size
    void *cells[CELLS]


cdef inline void *aligned_memory(size_t size) noexcept nogil:
    """Memory that starts on a cache line, to be freed by `free_aligned`; NULL if there is none."""
    return allocate_aligned(64, max(size, <size_t>1))  # of none, NULL would be an answer


cdef inline void *take_scratch(Scratch *s) noexcept nogil:
    """A buffer of unknown content, NULL if memory is out."""
    cdef void *memory = take_from(s.cells)
    return memory if memory != NULL else aligned_memory(s.size)


cdef inline void give_scratch(Scratch *s, void *memory) noexcept nogil:
    free_aligned(give_to(s.cells, memory))


cdef inline void free_scratch(Scratch *s) noexcept nogil:
    cdef int i
    for i in range(CELLS):
        free_aligned(s.cells[i])
