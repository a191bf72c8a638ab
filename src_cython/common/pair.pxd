"""Pairs of frames to compare: x of a clip, and r, an earlier or later frame of it or the same one of another clip."""

from api.vapoursynth cimport (
    VSAPI, VSFilterDependency, VSFrame, VSFrameContext, VSNode, VSVideoInfo, rpGeneral, rpStrictSpatial)
from common.args cimport Args, clip_arg, fail, integer, is_given, same_format
from common.frames cimport lagged_frame, request_lagged
from common.pixels cimport Pixels


cdef struct Pair:
    VSNode *clip
    VSNode *ref              # NULL: an earlier or later frame of the clip
    const VSVideoInfo *vi
    Pixels pixels
    int lag
    bint scenechange


cdef inline void read_pair(Args *a, Pair *p) noexcept nogil:
    """The arguments clip, ref, lag and scenechange."""
    cdef Pixels ref_pixels
    p.clip = clip_arg(a, b"clip", &p.pixels)
    p.vi = a.api.getVideoInfo(p.clip)
    p.ref = NULL
    if is_given(a, b"ref"):
        p.ref = clip_arg(a, b"ref", &ref_pixels)
        same_format(a, b"ref", p.clip, p.ref)
        if is_given(a, b"lag"):
            fail(a, b"lag and ref exclude each other: give the one or the other.")
    p.lag = integer(a, b"lag", 1, -100, 100)
    if p.lag == 0:
        fail(a, b"lag must not be 0: a frame does not differ from itself.")
    p.scenechange = integer(a, b"scenechange", 1, 0, 1)


cdef inline int pair_needs(const Pair *p, VSFilterDependency *needs, const VSAPI *api) noexcept nogil:
    """Fills in one or two dependencies; how many."""
    needs[0].source = p.clip
    needs[0].requestPattern = rpGeneral if p.ref == NULL else rpStrictSpatial
    if p.ref == NULL:
        return 1
    needs[1].source = p.ref
    needs[1].requestPattern = rpGeneral
    if api.getVideoInfo(p.ref).numFrames >= p.vi.numFrames:
        needs[1].requestPattern = rpStrictSpatial
    return 2


cdef inline void request_pair(int n, const Pair *p, VSFrameContext *context, const VSAPI *api) noexcept nogil:
    if p.ref != NULL:
        api.requestFrameFilter(n, p.clip, context)
        api.requestFrameFilter(n, p.ref, context)
    else:
        request_lagged(n, p.lag, p.scenechange, p.clip, p.vi, context, api)


cdef inline void get_pair(
        int n, const Pair *p, const VSFrame **x, const VSFrame **r, VSFrameContext *context,
        const VSAPI *api) noexcept nogil:
    """Both frames, for the caller to free."""
    x[0] = api.getFrameFilter(n, p.clip, context)
    if p.ref != NULL:
        r[0] = api.getFrameFilter(n, p.ref, context)
    else:
        r[0] = lagged_frame(n, p.lag, p.scenechange, p.clip, p.vi, context, api)


cdef inline void free_pair(Pair *p, const VSAPI *api) noexcept nogil:
    api.freeNode(p.clip)
    api.freeNode(p.ref)
