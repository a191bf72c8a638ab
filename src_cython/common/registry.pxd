"""How a filter tells the host of itself: its signature, and in words for people what it does.

The same call registers it, when the plugin is loaded, and describes it, when `core.vdiff.Filters` is called.
"""

from api.vapoursynth cimport VSAPI, VSMap, VSPLUGINAPI, VSPlugin, VSPublicFunction, dtUtf8, maAppend


cdef extern from * nogil:
    """
    #ifndef VDIFF_REGISTRY
    #define VDIFF_REGISTRY
    #include "VapourSynth4.h"
    typedef struct {
        VSPlugin *plugin;
        const VSPLUGINAPI *plugin_api;
        VSMap *out;
        const VSAPI *api;
    } vdiff_registry;
    #endif
    """
    # Either `plugin`, where filters are registered, or `out`, where they are described, is not NULL.
    ctypedef struct Registry "vdiff_registry":
        VSPlugin *plugin
        const VSPLUGINAPI *plugin_api
        VSMap *out
        const VSAPI *api


cdef inline void add_filter(
        const Registry *registry, const char *name, const char *signature, const char *meaning, const char *defaults,
        VSPublicFunction create) noexcept nogil:
    """`defaults`: of the arguments that have one whatever the others are, written as in a chain, `time=2:k=8`."""
    if registry.plugin != NULL:
        registry.plugin_api.registerFunction(name, signature, b"clip:vnode;", create, NULL, registry.plugin)
    else:
        registry.api.mapSetData(registry.out, name, meaning, -1, dtUtf8, maAppend)
        registry.api.mapSetData(registry.out, name, defaults, -1, dtUtf8, maAppend)
