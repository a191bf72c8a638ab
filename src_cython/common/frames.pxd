"""Frames: outputs that share untouched planes, and the frames around one, within its clip and its scene."""

from libc.stdint cimport int64_t

from api.vapoursynth cimport VSAPI, VSCore, VSFrame, VSFrameContext, VSMap, VSNode, VSVideoInfo, cfRGB, cfYUV
from common.pixels cimport HALF, PLANES, SINGLE, Pixels, View


cdef inline VSFrame *new_output(
        const VSFrame *src, const VSVideoInfo *vi, const bint *process, VSCore *core, const VSAPI *api) noexcept nogil:
    """A frame with the properties of `src`, sharing the planes of `src` that are not processed. NULL: out of memory."""
    cdef const VSFrame *plane_src[PLANES]
    cdef int planes[PLANES]
    cdef int p
    for p in range(PLANES):
        plane_src[p] = NULL
        planes[p] = p
        if not process[p]:
            plane_src[p] = src
    return api.newVideoFrame2(&vi.format, vi.width, vi.height, plane_src, planes, src, core)


cdef inline int plane_width(const VSVideoInfo *vi, int plane) noexcept nogil:
    return vi.width >> (vi.format.subSamplingW if plane > 0 else 0)


cdef inline int plane_height(const VSVideoInfo *vi, int plane) noexcept nogil:
    return vi.height >> (vi.format.subSamplingH if plane > 0 else 0)


cdef inline View view_plane(
        const VSFrame *frame, int plane, const Pixels *pixels, const VSAPI *api) noexcept nogil:
    """A plane to read."""
    cdef View v
    v.data = api.getReadPtr(frame, plane)
    v.stride = api.getStride(frame, plane)
    v.width = api.getFrameWidth(frame, plane)
    v.height = api.getFrameHeight(frame, plane)
    v.pixels = pixels
    return v


cdef inline bint starts_scene(const VSFrame *frame, const VSAPI *api) noexcept nogil:
    cdef int error = 0
    return api.mapGetInt(api.getFramePropertiesRO(frame), b"_SceneChangePrev", 0, &error) != 0


cdef inline int clamp_to_clip(int n, int offset, const VSVideoInfo *vi) noexcept nogil:
    """The frame nearest to n + offset, a sum that may not fit an int."""
    return <int>max(<int64_t>0, min(<int64_t>n + offset, <int64_t>vi.numFrames - 1))


cdef inline void request_between(
        int n, int m, VSNode *node, VSFrameContext *context, const VSAPI *api) noexcept nogil:
    """Requests the frames from the lower of n and m to the higher, ascending."""
    cdef int i
    for i in range(min(n, m), max(n, m) + 1):
        api.requestFrameFilter(i, node, context)


cdef inline bint frame_starts_scene(int n, VSNode *node, VSFrameContext *context, const VSAPI *api) noexcept nogil:
    cdef const VSFrame *frame = api.getFrameFilter(n, node, context)
    cdef bint starts = starts_scene(frame, api)
    api.freeFrame(frame)
    return starts


cdef inline int clamp_to_scene(int n, int m, VSNode *node, VSFrameContext *context, const VSAPI *api) noexcept nogil:
    """The frame nearest to m in the scene of frame n; the frames between were requested."""
    while m < n and not frame_starts_scene(n, node, context, api):
        n -= 1
    while m > n and not frame_starts_scene(n + 1, node, context, api):
        n += 1
    return n


cdef inline void request_lagged(
        int n, int lag, bint in_scene, VSNode *node, const VSVideoInfo *vi,
        VSFrameContext *context, const VSAPI *api) noexcept nogil:
    """Requests frame n and what `lagged_frame` needs."""
    cdef int m = clamp_to_clip(n, -lag, vi)
    if in_scene:
        request_between(n, m, node, context, api)
    else:
        api.requestFrameFilter(min(n, m), node, context)
        api.requestFrameFilter(max(n, m), node, context)


cdef inline const VSFrame *lagged_frame(
        int n, int lag, bint in_scene, VSNode *node, const VSVideoInfo *vi,
        VSFrameContext *context, const VSAPI *api) noexcept nogil:
    """The frame `lag` before n (negative: after it), held at the ends of the clip and, if asked for, of the scene."""
    cdef int m = clamp_to_clip(n, -lag, vi)
    return api.getFrameFilter(clamp_to_scene(n, m, node, context, api) if in_scene else m, node, context)


cdef inline bint is_limited_range(const VSFrame *frame, bint otherwise, const VSAPI *api) noexcept nogil:
    """By `_Range` (1 full, 0 limited), else by the deprecated `_ColorRange` (the other way round), else as given."""
    cdef const VSMap *props = api.getFramePropertiesRO(frame)
    cdef int error = 0
    cdef bint full = api.mapGetInt(props, b"_Range", 0, &error) == 1
    if error == 0:
        return not full
    error = 0
    full = api.mapGetInt(props, b"_ColorRange", 0, &error) == 0
    if error == 0:
        return not full
    return otherwise


cdef inline bint has_limited_range(
        const VSFrame *frame, const Pixels *pixels, const VSVideoInfo *vi, const VSAPI *api) noexcept nogil:
    """Of luma or RGB. Where no property tells, RGB is full and the rest limited; float has no limited range."""
    if pixels.sample == HALF or pixels.sample == SINGLE:
        return False
    return is_limited_range(frame, vi.format.colorFamily != cfRGB, api)


cdef inline float resting_level(
        const VSFrame *frame, int plane, const Pixels *pixels, const VSVideoInfo *vi, const VSAPI *api) noexcept nogil:
    """The level of no signal, black or, for chroma, neutral, on the working scale."""
    if plane > 0 and vi.format.colorFamily == cfYUV:
        return 0 if pixels.sample == HALF or pixels.sample == SINGLE else 128
    return 16 if has_limited_range(frame, pixels, vi, api) else 0


cdef inline float white_level(
        const VSFrame *frame, const Pixels *pixels, const VSVideoInfo *vi, const VSAPI *api) noexcept nogil:
    """White of luma or RGB, on the working scale."""
    return 235 if has_limited_range(frame, pixels, vi, api) else pixels.peak * pixels.scale
