"""The entry point: who the plugin is, then one line per filter."""

from api.vapoursynth cimport (
    VAPOURSYNTH_API_VERSION, VS_MAKE_VERSION, VSAPI, VSCore, VSMap, VSPLUGINAPI, VSPlugin)
from common.registry cimport Registry


cdef extern from * nogil:
    """
    void vdiff_add_changemap(const vdiff_registry *);
    void vdiff_add_decay(const vdiff_registry *);
    void vdiff_add_diffblend(const vdiff_registry *);
    void vdiff_add_diffuse(const vdiff_registry *);
    void vdiff_add_diffuse3d(const vdiff_registry *);
    void vdiff_add_extrapolate(const vdiff_registry *);
    void vdiff_add_inpaint(const vdiff_registry *);
    void vdiff_add_interpolate(const vdiff_registry *);
    void vdiff_add_kernel(const vdiff_registry *);
    void vdiff_add_morphology(const vdiff_registry *);
    void vdiff_add_poissonblend(const vdiff_registry *);
    void vdiff_add_repairframes(const vdiff_registry *);
    void vdiff_add_scenedetect(const vdiff_registry *);
    void vdiff_add_shock(const vdiff_registry *);
    void vdiff_add_spread(const vdiff_registry *);
    void vdiff_add_tensordiffuse(const vdiff_registry *);

    /* VapourSynth looks at the CPU for the libraries of the higher levels only. So that the host does not die of an
       illegal instruction on a CPU below the base level, x86-64-v2, the entry point is compiled for every x86-64. */
    #ifdef __x86_64__
    #define VDIFF_ANY_CPU __attribute__((target("arch=x86-64")))
    VDIFF_ANY_CPU static int vdiff_runs_here(void) {
        __builtin_cpu_init();
        return __builtin_cpu_supports("sse4.2") && __builtin_cpu_supports("popcnt");
    }
    #else
    #define VDIFF_ANY_CPU
    static int vdiff_runs_here(void) { return 1; }
    #endif
    VDIFF_ANY_CPU void VapourSynthPluginInit2(VSPlugin *plugin, const VSPLUGINAPI *api);
    """
    int VERSION_MAJOR "VDIFF_VERSION_MAJOR"
    int VERSION_MINOR "VDIFF_VERSION_MINOR"
    bint runs_here "vdiff_runs_here"()
    void vdiff_add_changemap(const Registry *registry)
    void vdiff_add_decay(const Registry *registry)
    void vdiff_add_diffblend(const Registry *registry)
    void vdiff_add_diffuse(const Registry *registry)
    void vdiff_add_diffuse3d(const Registry *registry)
    void vdiff_add_extrapolate(const Registry *registry)
    void vdiff_add_inpaint(const Registry *registry)
    void vdiff_add_interpolate(const Registry *registry)
    void vdiff_add_kernel(const Registry *registry)
    void vdiff_add_morphology(const Registry *registry)
    void vdiff_add_poissonblend(const Registry *registry)
    void vdiff_add_repairframes(const Registry *registry)
    void vdiff_add_scenedetect(const Registry *registry)
    void vdiff_add_shock(const Registry *registry)
    void vdiff_add_spread(const Registry *registry)
    void vdiff_add_tensordiffuse(const Registry *registry)


cdef void add_filters(const Registry *registry) noexcept nogil:
    vdiff_add_changemap(registry)
    vdiff_add_decay(registry)
    vdiff_add_diffblend(registry)
    vdiff_add_diffuse(registry)
    vdiff_add_diffuse3d(registry)
    vdiff_add_extrapolate(registry)
    vdiff_add_inpaint(registry)
    vdiff_add_interpolate(registry)
    vdiff_add_kernel(registry)
    vdiff_add_morphology(registry)
    vdiff_add_poissonblend(registry)
    vdiff_add_repairframes(registry)
    vdiff_add_scenedetect(registry)
    vdiff_add_shock(registry)
    vdiff_add_spread(registry)
    vdiff_add_tensordiffuse(registry)


cdef void describe(const VSMap *given, VSMap *out, void *user, VSCore *core, const VSAPI *api) noexcept nogil:
    """For each filter, by its name: what it does, and the defaults of its arguments."""
    cdef Registry registry
    registry.plugin = NULL
    registry.plugin_api = NULL
    registry.out = out
    registry.api = api
    add_filters(&registry)


cdef public void VapourSynthPluginInit2(VSPlugin *plugin, const VSPLUGINAPI *api) noexcept nogil:
    cdef Registry registry
    if not runs_here():
        return  # without a name, so that VapourSynth does not load it
    registry.plugin = plugin
    registry.plugin_api = api
    registry.out = NULL
    registry.api = NULL
    api.configPlugin(
        b"io.github.vdiff", b"vdiff", b"Video diffusion in space, in time and along frame differences",
        VS_MAKE_VERSION(VERSION_MAJOR, VERSION_MINOR), VAPOURSYNTH_API_VERSION, 0, plugin)
    add_filters(&registry)
    api.registerFunction(b"Filters", b"", b"any", describe, NULL, plugin)
