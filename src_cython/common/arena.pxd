"""Memory of a size that only a frame tells: blocks that grow and are handed on from frame to frame without a lock."""

from libc.stddef cimport size_t

from common.c cimport exchange
from common.scratch cimport CELLS, aligned_memory, free_aligned


cdef enum:
    HEADER = 64              # bytes before a block's memory, which hold its size


cdef struct Arena:
    void *cells[CELLS]       # blocks that nobody holds


cdef inline void *take_block(Arena *a) noexcept nogil:
    """A block of any size; NULL: there is none yet."""
    cdef void *block
    cdef int i
    for i in range(CELLS):
        block = exchange(&a.cells[i], NULL)
        if block != NULL:
            return block
    return NULL


cdef inline void *reserve(void **block, size_t size) noexcept nogil:
    """Memory of a block, of unknown content, at least of this size; the block changes if it has to. NULL: out of it."""
    if block[0] == NULL or (<size_t *>block[0])[0] < size:
        free_aligned(block[0])
        block[0] = aligned_memory(size + HEADER)
        if block[0] == NULL:
            return NULL
        (<size_t *>block[0])[0] = size
    return <char *>block[0] + HEADER


cdef inline void give_block(Arena *a, void *block) noexcept nogil:
    cdef int i
    if block == NULL:
        return
    for i in range(CELLS):
        block = exchange(&a.cells[i], block)
        if block == NULL:
            return
    free_aligned(block)


cdef inline void free_arena(Arena *a) noexcept nogil:
    cdef int i
    for i in range(CELLS):
        free_aligned(a.cells[i])
