"""Video diffusion for VapourSynth: the Python side of the plugin `core.vdiff`.

Importing the package makes sure that `core.vdiff` is there, also in a source checkout that is not installed.
"""

import sys
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vs_vdiff.arrays import from_numpy, to_numpy
    from vs_vdiff.denoising import MotionError, denoise
    from vs_vdiff.kernels import Kernel, KernelError, diffuse, kernel
    from vs_vdiff.key_frames import format_keyframes, keyframes, write_keyframes
    from vs_vdiff.logos import delogo
    from vs_vdiff.plugin import PluginNotFoundError, load
    from vs_vdiff.presets import deband, dream, motion, trails
    from vs_vdiff.typed import core

__all__ = [
    "Kernel",
    "KernelError",
    "MotionError",
    "PluginNotFoundError",
    "__version__",
    "core",
    "deband",
    "delogo",
    "denoise",
    "diffuse",
    "dream",
    "format_keyframes",
    "from_numpy",
    "kernel",
    "keyframes",
    "load",
    "motion",
    "to_numpy",
    "trails",
    "write_keyframes",
]
MODULES = {
    "arrays": ("from_numpy", "to_numpy"),
    "denoising": ("MotionError", "denoise"),
    "kernels": ("Kernel", "KernelError", "diffuse", "kernel"),
    "key_frames": ("format_keyframes", "keyframes", "write_keyframes"),
    "logos": ("delogo",),
    "plugin": ("PluginNotFoundError", "load"),
    "presets": ("deband", "dream", "motion", "trails"),
    "typed": ("core",),
}
"""Where names come from."""

__version__: str


def __getattr__(name: str) -> Any:
    """Import what takes a moment when it is asked for."""
    if name == "__version__":
        from importlib.metadata import PackageNotFoundError, version

        try:
            return version("vapoursynth-vdiff")
        except PackageNotFoundError:  # a source checkout on the path
            return "0+source"
    for module, names in MODULES.items():
        if name in names:
            return getattr(import_module(f"vs_vdiff.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


# The installed command loads the plugin when it needs it, so that its help is quick and a missing plugin is one line.
if Path(sys.argv[0] if sys.argv else "").name not in ("vdiff", "vdiff.exe"):
    from vs_vdiff import plugin

    plugin.load()
