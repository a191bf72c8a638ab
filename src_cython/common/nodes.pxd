"""Nodes that filters put before themselves."""

from api.vapoursynth cimport (
    VSAPI, VSCore, VSFilterDependency, VSFilterFree, VSFilterGetFrame, VSNode, VSVideoInfo)


cdef inline VSNode *add_node(
        const char *filter, const VSVideoInfo *vi, VSFilterGetFrame getter, VSFilterFree free, int mode,
        VSNode *source, int pattern, void *instance, VSCore *core, const VSAPI *api) noexcept nogil:
    """A node with one source. NULL: out of memory; its instance is freed then, as it is with the node else."""
    cdef VSFilterDependency needs
    cdef VSNode *node
    needs.source = source
    needs.requestPattern = pattern
    node = api.createVideoFilter2(filter, vi, getter, free, mode, &needs, 1, instance, core)
    if node == NULL:
        free(instance, core, api)
    return node
