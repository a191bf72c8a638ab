"""The entry point: who the plugin is, then one line per filter."""

from api.vapoursynth cimport VAPOURSYNTH_API_VERSION, VS_MAKE_VERSION, VSPLUGINAPI, VSPlugin


cdef extern from * nogil:
    """
    #include "VapourSynth4.h"
    void vdiff_register_changemap(VSPlugin *, const VSPLUGINAPI *);
    void vdiff_register_decay(VSPlugin *, const VSPLUGINAPI *);
    void vdiff_register_diffblend(VSPlugin *, const VSPLUGINAPI *);
    void vdiff_register_diffuse(VSPlugin *, const VSPLUGINAPI *);
    void vdiff_register_diffuse3d(VSPlugin *, const VSPLUGINAPI *);
    void vdiff_register_extrapolate(VSPlugin *, const VSPLUGINAPI *);
    void vdiff_register_kernel(VSPlugin *, const VSPLUGINAPI *);
    void vdiff_register_morphology(VSPlugin *, const VSPLUGINAPI *);
    void vdiff_register_scenedetect(VSPlugin *, const VSPLUGINAPI *);
    void vdiff_register_shock(VSPlugin *, const VSPLUGINAPI *);
    void vdiff_register_spread(VSPlugin *, const VSPLUGINAPI *);
    void vdiff_register_tensordiffuse(VSPlugin *, const VSPLUGINAPI *);
    """
    int VERSION_MAJOR "VDIFF_VERSION_MAJOR"
    int VERSION_MINOR "VDIFF_VERSION_MINOR"
    void vdiff_register_changemap(VSPlugin *plugin, const VSPLUGINAPI *api)
    void vdiff_register_decay(VSPlugin *plugin, const VSPLUGINAPI *api)
    void vdiff_register_diffblend(VSPlugin *plugin, const VSPLUGINAPI *api)
    void vdiff_register_diffuse(VSPlugin *plugin, const VSPLUGINAPI *api)
    void vdiff_register_diffuse3d(VSPlugin *plugin, const VSPLUGINAPI *api)
    void vdiff_register_extrapolate(VSPlugin *plugin, const VSPLUGINAPI *api)
    void vdiff_register_kernel(VSPlugin *plugin, const VSPLUGINAPI *api)
    void vdiff_register_morphology(VSPlugin *plugin, const VSPLUGINAPI *api)
    void vdiff_register_scenedetect(VSPlugin *plugin, const VSPLUGINAPI *api)
    void vdiff_register_shock(VSPlugin *plugin, const VSPLUGINAPI *api)
    void vdiff_register_spread(VSPlugin *plugin, const VSPLUGINAPI *api)
    void vdiff_register_tensordiffuse(VSPlugin *plugin, const VSPLUGINAPI *api)


cdef public void VapourSynthPluginInit2(VSPlugin *plugin, const VSPLUGINAPI *api) noexcept nogil:
    api.configPlugin(
        b"io.github.vdiff", b"vdiff", b"Video diffusion in space, in time and along frame differences",
        VS_MAKE_VERSION(VERSION_MAJOR, VERSION_MINOR), VAPOURSYNTH_API_VERSION, 0, plugin)
    vdiff_register_changemap(plugin, api)
    vdiff_register_decay(plugin, api)
    vdiff_register_diffblend(plugin, api)
    vdiff_register_diffuse(plugin, api)
    vdiff_register_diffuse3d(plugin, api)
    vdiff_register_extrapolate(plugin, api)
    vdiff_register_kernel(plugin, api)
    vdiff_register_morphology(plugin, api)
    vdiff_register_scenedetect(plugin, api)
    vdiff_register_shock(plugin, api)
    vdiff_register_spread(plugin, api)
    vdiff_register_tensordiffuse(plugin, api)
