"""Memory of a size that only a frame tells: blocks that grow and are handed on from frame to frame without a lock."""

from libc.stddef cimport size_t
from libc.string cimport memcpy

from common.scratch cimport CELLS, aligned_memory, free_aligned, give_to, take_from


cdef enum:
    HEADER = 64              # bytes before a block's memory, which hold its size


cdef struct Arena:
    void *cells[CELLS]       # blocks that nobody holds


cdef inline void *take_block(Arena *a) noexcept nogil:
    """A block of any size; NULL: there is none yet."""
    return take_from(a.cells)


cdef inline void *reserve(void **block, size_t size) noexcept nogil:
    """Memory of a block, of unknown content, at least of this size; the block changes if it has to. NULL: out of it."""
    if block[0] == NULL or (<size_t *>block[0])[0] < size:
        free_aligned(block[0])
        block[0] = aligned_memory(size + HEADER)
        if block[0] == NULL:
            return NULL
        (<size_t *>block[0])[0] = size
    return <char *>block[0] + HEADER


cdef inline void *extend(void **block, size_t used, size_t size) noexcept nogil:
    """As `reserve`, but of what there was, so much stays; it grows by half or more. NULL: out of memory, all stays."""
    cdef void *old = block[0]
    cdef void *memory
    if old != NULL:
        if (<size_t *>old)[0] >= size:
            return <char *>old + HEADER
        size = max(size, (<size_t *>old)[0] // 2 * 3)
        block[0] = NULL
    memory = reserve(block, size)
    if memory == NULL:
        block[0] = old
        return NULL
    if old != NULL:
        memcpy(memory, <char *>old + HEADER, used)
        free_aligned(old)
    return memory


cdef inline void free_block(void *block) noexcept nogil:
    free_aligned(block)


cdef inline void give_block(Arena *a, void *block) noexcept nogil:
    free_aligned(give_to(a.cells, block))


cdef inline void free_arena(Arena *a) noexcept nogil:
    cdef int i
    for i in range(CELLS):
        free_aligned(a.cells[i])
