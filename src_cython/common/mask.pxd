"""Masks: clips whose first plane says, by what is not 0, which pixels of another clip are meant.

Many masks are the same in every frame: one frame, looped or held. So what was found in a mask is kept, with the frame,
which says whether the next one is the same: as long as it is held, what is at its address is what was there. Each frame
in flight has such a memory to itself and hands it on; so nothing is locked, nor counted.
"""

from libc.stddef cimport size_t
from libc.stdint cimport uint8_t
from libc.stdio cimport snprintf
from libc.stdlib cimport calloc, free

from api.vapoursynth cimport VSAPI, VSFrame, VSNode, VSVideoInfo
from common.arena cimport free_block, reserve
from common.args cimport MESSAGE, Args, clip_arg, fail
from common.frames cimport view_plane
from common.pixels cimport Pixels, View
from common.scratch cimport CELLS, give_to, take_from
from kernels.regions cimport Lists, Regions, find_regions, free_lists


cdef enum:
    SUBSAMPLINGS = 2       # luma's or RGB's, and chroma's


cdef struct Holes:         # what a mask covers of planes that are subsampled alike
    bint known
    int reach              # of the regions
    Regions regions
    const uint8_t *bytes   # the mask as such, if that was asked for
    Lists lists
    void *block


cdef struct KeptMask:
    const VSFrame *frame
    Holes holes[SUBSAMPLINGS]
    Lists rest             # for what other frames leave of it


cdef struct KeptMasks:     # those that no frame in flight has
    void *cells[CELLS]


cdef inline VSNode *mask_arg(Args *a, const char *key, const VSVideoInfo *clip, Pixels *pixels) noexcept nogil:
    """A mask of the size of the clip, of one frame or as many as the clip has."""
    cdef char text[MESSAGE]
    cdef VSNode *node = clip_arg(a, key, pixels)
    cdef const VSVideoInfo *vi = a.api.getVideoInfo(node)
    if a.failed:
        return node
    if vi.width != clip.width or vi.height != clip.height:
        snprintf(text, MESSAGE, b"%s must have the size of clip, %dx%d, got %dx%d.",
                 key, clip.width, clip.height, vi.width, vi.height)
        fail(a, text)
    elif vi.numFrames != 1 and vi.numFrames != clip.numFrames:
        snprintf(text, MESSAGE, b"%s must have 1 frame or as many as clip, %d, got %d.",
                 key, clip.numFrames, vi.numFrames)
        fail(a, text)
    return node


cdef inline void free_mask(KeptMask *m, const VSAPI *api) noexcept nogil:
    cdef int i
    if m == NULL:
        return
    for i in range(SUBSAMPLINGS):
        free_lists(&m.holes[i].lists)
        free_block(m.holes[i].block)
    free_lists(&m.rest)
    api.freeFrame(m.frame)
    free(m)


cdef inline KeptMask *take_mask(KeptMasks *kept, const VSFrame *frame, const VSAPI *api) noexcept nogil:
    """What was found in a frame, if it is known, for give_mask. The frame is freed. NULL: out of memory."""
    cdef KeptMask *m = <KeptMask *>take_from(kept.cells)
    cdef int i
    if m == NULL:
        m = <KeptMask *>calloc(1, sizeof(KeptMask))
    if m != NULL and (m.frame == NULL or api.getReadPtr(m.frame, 0) != api.getReadPtr(frame, 0)):
        for i in range(SUBSAMPLINGS):
            m.holes[i].known = False
        api.freeFrame(m.frame)
        m.frame = frame
    else:
        api.freeFrame(frame)
    return m


cdef inline void give_mask(KeptMasks *kept, KeptMask *m, const VSAPI *api) noexcept nogil:
    free_mask(<KeptMask *>give_to(kept.cells, m), api)


cdef inline void free_masks(KeptMasks *kept, const VSAPI *api) noexcept nogil:
    cdef int i
    for i in range(CELLS):
        free_mask(<KeptMask *>kept.cells[i], api)


cdef inline const Holes *holes_of(
        KeptMask *m, const VSVideoInfo *vi, int plane, const Pixels *pixels, int reach, bint as_bytes,
        const VSAPI *api) noexcept nogil:
    """What the mask covers of a plane of a clip; pixels: the mask's. NULL: out of memory."""
    cdef int shift_x = vi.format.subSamplingW if plane > 0 else 0
    cdef int shift_y = vi.format.subSamplingH if plane > 0 else 0
    cdef Holes *h = &m.holes[1 if shift_x + shift_y > 0 else 0]
    cdef View v = view_plane(m.frame, 0, pixels, api)
    cdef uint8_t *bytes = NULL
    if h.known and h.reach == reach and (h.bytes != NULL or not as_bytes):
        return h
    h.known = False
    if as_bytes:
        bytes = <uint8_t *>reserve(&h.block, <size_t>(v.width >> shift_x) * (v.height >> shift_y))
        if bytes == NULL:
            return NULL
    if not find_regions(&h.regions, bytes, &v, shift_x, shift_y, reach, &h.lists):
        return NULL
    h.bytes = bytes
    h.reach = reach
    h.known = True
    return h
