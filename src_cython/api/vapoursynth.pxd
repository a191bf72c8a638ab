"""The part of VapourSynth's API 4 that the plugin uses."""

from libc.stddef cimport ptrdiff_t
from libc.stdint cimport int64_t, uint8_t, uint32_t


cdef extern from "VapourSynth4.h" nogil:
    ctypedef struct VSCore:
        pass
    ctypedef struct VSFrame:
        pass
    ctypedef struct VSFrameContext:
        pass
    ctypedef struct VSMap:
        pass
    ctypedef struct VSNode:
        pass
    ctypedef struct VSPlugin:
        pass

    int VS_MAKE_VERSION(int major, int minor)
    int VAPOURSYNTH_API_VERSION

    enum VSColorFamily:
        cfGray
        cfRGB
        cfYUV

    enum VSSampleType:
        stInteger
        stFloat

    enum VSFilterMode:
        fmParallel
        fmParallelRequests

    enum VSRequestPattern:
        rpGeneral
        rpStrictSpatial

    enum VSCacheMode:
        cmForceEnable

    enum VSActivationReason:
        arInitial
        arAllFramesReady

    enum VSMapAppendMode:
        maReplace
        maAppend

    enum VSDataTypeHint:
        dtUtf8

    ctypedef struct VSVideoFormat:
        int colorFamily
        int sampleType
        int bitsPerSample
        int bytesPerSample
        int subSamplingW
        int subSamplingH
        int numPlanes

    ctypedef struct VSVideoInfo:
        VSVideoFormat format
        int64_t fpsNum
        int64_t fpsDen
        int width
        int height
        int numFrames

    ctypedef struct VSFilterDependency:
        VSNode *source
        int requestPattern

    ctypedef struct VSAPI

    ctypedef void (*VSPublicFunction)(
        const VSMap *args, VSMap *out, void *user, VSCore *core, const VSAPI *vsapi) noexcept nogil
    ctypedef const VSFrame *(*VSFilterGetFrame)(
        int n, int reason, void *instance, void **frame_data,
        VSFrameContext *context, VSCore *core, const VSAPI *vsapi) noexcept nogil
    ctypedef void (*VSFilterFree)(void *instance, VSCore *core, const VSAPI *vsapi) noexcept nogil

    ctypedef struct VSPLUGINAPI:
        int (*configPlugin)(
            const char *identifier, const char *namespace, const char *name,
            int version, int api, int flags, VSPlugin *plugin) noexcept nogil
        int (*registerFunction)(
            const char *name, const char *args, const char *returns,
            VSPublicFunction create, void *user, VSPlugin *plugin) noexcept nogil

    ctypedef struct VSAPI:
        void (*createVideoFilter)(
            VSMap *out, const char *name, const VSVideoInfo *vi, VSFilterGetFrame get_frame, VSFilterFree free,
            int mode, const VSFilterDependency *dependencies, int count, void *instance, VSCore *core) noexcept nogil
        VSNode *(*createVideoFilter2)(
            const char *name, const VSVideoInfo *vi, VSFilterGetFrame get_frame, VSFilterFree free,
            int mode, const VSFilterDependency *dependencies, int count, void *instance, VSCore *core) noexcept nogil
        void (*setCacheMode)(VSNode *node, int mode) noexcept nogil
        void (*setCacheOptions)(VSNode *node, int fixed, int frames, int history) noexcept nogil

        VSNode *(*addNodeRef)(VSNode *node) noexcept nogil
        void (*freeNode)(VSNode *node) noexcept nogil
        const VSVideoInfo *(*getVideoInfo)(VSNode *node) noexcept nogil
        int (*getVideoFormatName)(const VSVideoFormat *format, char *buffer) noexcept nogil
        int (*getVideoFormatByID)(VSVideoFormat *format, uint32_t id, VSCore *core) noexcept nogil
        int (*queryVideoFormat)(
            VSVideoFormat *format, int family, int sample, int bits, int w, int h, VSCore *core) noexcept nogil

        VSFrame *(*newVideoFrame)(
            const VSVideoFormat *format, int width, int height, const VSFrame *prop_src, VSCore *core) noexcept nogil
        VSFrame *(*newVideoFrame2)(
            const VSVideoFormat *format, int width, int height, const VSFrame **plane_src, const int *planes,
            const VSFrame *prop_src, VSCore *core) noexcept nogil
        VSFrame *(*copyFrame)(const VSFrame *frame, VSCore *core) noexcept nogil
        void (*freeFrame)(const VSFrame *frame) noexcept nogil
        const VSMap *(*getFramePropertiesRO)(const VSFrame *frame) noexcept nogil
        VSMap *(*getFramePropertiesRW)(VSFrame *frame) noexcept nogil
        ptrdiff_t (*getStride)(const VSFrame *frame, int plane) noexcept nogil
        const uint8_t *(*getReadPtr)(const VSFrame *frame, int plane) noexcept nogil
        uint8_t *(*getWritePtr)(VSFrame *frame, int plane) noexcept nogil
        int (*getFrameWidth)(const VSFrame *frame, int plane) noexcept nogil
        int (*getFrameHeight)(const VSFrame *frame, int plane) noexcept nogil

        const VSFrame *(*getFrameFilter)(int n, VSNode *node, VSFrameContext *context) noexcept nogil
        void (*requestFrameFilter)(int n, VSNode *node, VSFrameContext *context) noexcept nogil
        void (*releaseFrameEarly)(VSNode *node, int n, VSFrameContext *context) noexcept nogil
        void (*setFilterError)(const char *message, VSFrameContext *context) noexcept nogil

        void (*mapSetError)(VSMap *map, const char *message) noexcept nogil
        int (*mapNumElements)(const VSMap *map, const char *key) noexcept nogil
        int (*mapDeleteKey)(VSMap *map, const char *key) noexcept nogil
        int64_t (*mapGetInt)(const VSMap *map, const char *key, int index, int *error) noexcept nogil
        double (*mapGetFloat)(const VSMap *map, const char *key, int index, int *error) noexcept nogil
        const char *(*mapGetData)(const VSMap *map, const char *key, int index, int *error) noexcept nogil
        int (*mapGetDataSize)(const VSMap *map, const char *key, int index, int *error) noexcept nogil
        VSNode *(*mapGetNode)(const VSMap *map, const char *key, int index, int *error) noexcept nogil
        int (*mapSetInt)(VSMap *map, const char *key, int64_t value, int append) noexcept nogil
        int (*mapSetFloat)(VSMap *map, const char *key, double value, int append) noexcept nogil
        int (*mapSetData)(
            VSMap *map, const char *key, const char *data, int size, int type, int append) noexcept nogil
        int (*mapSetFloatArray)(VSMap *map, const char *key, const double *values, int size) noexcept nogil
