"""Scratch memory that frames share: a few buffers of one size, taken and given back without a lock."""

from libc.stddef cimport size_t
from libc.stdlib cimport free

from common.c cimport exchange


cdef extern from "<stdlib.h>" nogil:
    int posix_memalign(void **memory, size_t alignment, size_t size)


cdef enum:
    CELLS = 32       # frames in flight beyond this many allocate and free their own


cdef struct Scratch:
    size_t size
    void *cells[CELLS]


cdef inline void *aligned_memory(size_t size) noexcept nogil:
    """Memory that starts on a cache line, NULL if there is none."""
    cdef void *memory = NULL
    if posix_memalign(&memory, 64, max(size, <size_t>1)) != 0:  # of none, NULL would be an answer
        return NULL
    return memory


cdef inline void *take_scratch(Scratch *s) noexcept nogil:
    """A buffer of unknown content, NULL if memory is out."""
    cdef void *memory
    cdef int i
    for i in range(CELLS):
        memory = exchange(&s.cells[i], NULL)
        if memory != NULL:
            return memory
    return aligned_memory(s.size)


cdef inline void give_scratch(Scratch *s, void *memory) noexcept nogil:
    cdef int i
    if memory == NULL:
        return
    for i in range(CELLS):
        memory = exchange(&s.cells[i], memory)
        if memory == NULL:
            return
    free(memory)


cdef inline void free_scratch(Scratch *s) noexcept nogil:
    cdef int i
    for i in range(CELLS):
        free(s.cells[i])
