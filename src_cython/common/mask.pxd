"""Masks: clips whose first plane says, by what is not 0, which pixels of another clip are meant."""

from libc.stdio cimport snprintf

from api.vapoursynth cimport VSNode, VSVideoInfo
from common.args cimport MESSAGE, Args, clip_arg, fail
from common.pixels cimport Pixels


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
