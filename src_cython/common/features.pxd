"""What filters that look for something compare of frames: nodes whose frames are rows of floats.

They stand in a chain before the filter, of which the host keeps the results and merges requests, so that nothing is
computed twice.
"""

from libc.stdio cimport snprintf
from libc.stdlib cimport calloc, free
from libc.string cimport memset

from api.vapoursynth cimport (
    VSAPI, VSCore, VSFilterGetFrame, VSFrame, VSFrameContext, VSNode, VSVideoInfo, arAllFramesReady, arInitial, cfGray,
    cfRGB, cmForceEnable, fmParallel, rpGeneral, rpStrictSpatial, stFloat)
from common.nodes cimport add_node
from common.pixels cimport Pixels
from common.scratch cimport Scratch, free_scratch, give_scratch, take_scratch
from kernels.thumbnail cimport COLUMNS, LINES, add_profiles, add_thumbnail, clear_thumbnail, thumbnail_scratch


cdef enum:
    IN_FLIGHT = 64      # frames that are worked on at once may lie so far apart


cdef struct Stage:
    const char *filter   # that it is a part of
    VSNode *source
    VSVideoInfo vi       # of what comes out
    Pixels pixels        # of the clip, as all below
    int planes           # that are compared, and count alike
    int width
    int height
    int kind             # whatever the filter tells it by
    Scratch scratch


cdef inline Stage describe_stage(
        const char *filter, int kind, const Pixels *pixels, const VSVideoInfo *vi) noexcept nogil:
    """A stage of a clip: luma is compared, or R, G and B."""
    cdef Stage stage
    memset(&stage, 0, sizeof(Stage))
    stage.filter = filter
    stage.vi = vi[0]
    stage.pixels = pixels[0]
    stage.planes = 3 if vi.format.colorFamily == cfRGB else 1
    stage.width = vi.width
    stage.height = vi.height
    stage.kind = kind
    return stage


cdef inline void out_of_memory(const char *filter, VSFrameContext *context, const VSAPI *api) noexcept nogil:
    cdef char text[64]
    snprintf(text, sizeof(text), b"%s: out of memory.", filter)
    api.setFilterError(text, context)


cdef inline VSFrame *new_row(const Stage *d, VSFrameContext *context, VSCore *core, const VSAPI *api) noexcept nogil:
    """A frame of the stage. NULL, and the error is set: out of memory."""
    cdef VSFrame *dst = api.newVideoFrame(&d.vi.format, d.vi.width, d.vi.height, NULL, core)
    if dst == NULL:
        out_of_memory(d.filter, context, api)
    return dst


cdef inline void free_stage(void *instance, VSCore *core, const VSAPI *api) noexcept nogil:
    cdef Stage *d = <Stage *>instance
    api.freeNode(d.source)
    free_scratch(&d.scratch)
    free(d)


cdef inline VSNode *keep_last(VSNode *node, int frames, const VSAPI *api) noexcept nogil:
    """Makes a node, if it is one, keep so many of its last frames."""
    if node != NULL:
        api.setCacheMode(node, cmForceEnable)
        api.setCacheOptions(node, True, frames, 0)
    return node


cdef inline VSNode *add_stage(
        const Stage *stage, VSNode *source, bint spatial, int width, int cached, VSFilterGetFrame getter, VSCore *core,
        const VSAPI *api) noexcept nogil:
    """A node of rows of floats that keeps so many of them. The stage's source is this one. NULL: out of memory."""
    cdef Stage *d = <Stage *>calloc(1, sizeof(Stage))
    if d == NULL:
        api.freeNode(source)
        return NULL
    d[0] = stage[0]
    d.source = source
    d.vi.width = width
    d.vi.height = 1
    api.queryVideoFormat(&d.vi.format, cfGray, stFloat, 32, 0, 0, core)
    return keep_last(
        add_node(
            d.filter, &d.vi, getter, free_stage, fmParallel, source, rpStrictSpatial if spatial else rpGeneral, d, core,
            api),
        cached, api)


cdef inline const VSFrame *get_same(
        int n, int reason, void *instance, void **frame_data,
        VSFrameContext *context, VSCore *core, const VSAPI *api) noexcept nogil:
    cdef Stage *d = <Stage *>instance
    if reason == arInitial:
        api.requestFrameFilter(n, d.source, context)
    return api.getFrameFilter(n, d.source, context) if reason == arAllFramesReady else NULL


cdef inline VSNode *add_cache(
        const Stage *stage, VSNode *source, int frames, VSCore *core, const VSAPI *api) noexcept nogil:
    """A clip that keeps its last frames, for a filter that needs them again later than the host's own cache reaches.

    The source is the node's. NULL: out of memory.
    """
    cdef Stage *d = <Stage *>calloc(1, sizeof(Stage))
    if d == NULL:
        api.freeNode(source)
        return NULL
    d[0] = stage[0]
    d.source = source
    return keep_last(
        add_node(
            d.filter, api.getVideoInfo(source), get_same, free_stage, fmParallel, source, rpStrictSpatial, d, core,
            api),
        frames, api)


cdef inline const VSFrame *get_thumbnail(
        int n, int reason, void *instance, void **frame_data,
        VSFrameContext *context, VSCore *core, const VSAPI *api) noexcept nogil:
    cdef Stage *d = <Stage *>instance
    cdef const VSFrame *src
    cdef VSFrame *dst
    cdef void *scratch
    cdef float *cells
    cdef int p
    if reason == arInitial:
        api.requestFrameFilter(n, d.source, context)
        return NULL
    if reason != arAllFramesReady:
        return NULL

    scratch = take_scratch(&d.scratch)
    if scratch == NULL:
        out_of_memory(d.filter, context, api)
        return NULL
    dst = new_row(d, context, core, api)
    if dst != NULL:
        src = api.getFrameFilter(n, d.source, context)
        cells = <float *>api.getWritePtr(dst, 0)
        clear_thumbnail(cells)
        for p in range(d.planes):
            add_thumbnail(
                cells, api.getReadPtr(src, p), api.getStride(src, p), d.width, d.height, &d.pixels, d.planes, scratch)
        add_profiles(cells, d.width, d.height)
        api.freeFrame(src)
    give_scratch(&d.scratch, scratch)
    return dst


cdef inline VSNode *add_thumbnails(
        const Stage *stage, VSNode *source, int window, VSCore *core, const VSAPI *api) noexcept nogil:
    """The thumbnails of a clip's frames, of which so many are compared at once. The source is the node's then."""
    cdef Stage thumbnails = stage[0]
    thumbnails.scratch.size = thumbnail_scratch(stage.width)
    return add_stage(&thumbnails, source, True, LINES * COLUMNS, window + IN_FLIGHT, get_thumbnail, core, api)
