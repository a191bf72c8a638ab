"""Find and load the native plugin."""

from pathlib import Path

import vapoursynth as vs

__all__ = ["PluginNotFoundError", "level", "load"]

ROOT = Path(__file__).parent.parent
SUFFIXES = (".so", ".dylib", ".dll")
LEVELS = {"libvdiff": "base", "libvdiff.avx2": "AVX2", "libvdiff.avx512": "AVX-512"}


class PluginNotFoundError(ImportError):
    """Neither VapourSynth nor the build folders of this checkout have the native plugin."""


def load() -> None:
    """Make sure that `core.vdiff` is there.

    An installed plugin was loaded by VapourSynth itself, from its plugin folder; where that has failed, it is tried
    again, for the reason. In a source checkout, the newest library under `build*/` is loaded.

    Raises:
        PluginNotFoundError: There is no plugin; the message says how to get one.
    """
    if hasattr(vs.core, "vdiff"):
        return
    libraries = built_libraries() or installed_libraries()
    if not libraries:
        way_out = f"pip install {ROOT}" if in_checkout() else "pip install --force-reinstall vapoursynth-vdiff"
        raise PluginNotFoundError(f"the native plugin (core.vdiff) is not installed: {way_out}")
    newest = max(libraries, key=lambda library: library.stat().st_mtime)
    try:
        vs.core.std.LoadPlugin(str(newest))
    except vs.Error as error:
        way_out = "build it anew" if in_checkout() else "pip install --force-reinstall vapoursynth-vdiff"
        raise PluginNotFoundError(f"the native plugin could not be loaded: {error}: {way_out}") from error


def in_checkout() -> bool:
    """Tell a source checkout from an installed package."""
    return (ROOT / "meson.build").is_file()


def built_libraries() -> list[Path]:
    """List the plugin's libraries in the build folders of this checkout.

    Only the base library counts: VapourSynth itself looks for its faster variants (`libvdiff.avx2.so`) beside it.
    """
    if not in_checkout():
        return []
    return [path for path in ROOT.glob("build*/**/libvdiff.*") if path.suffix in SUFFIXES and path.stem == "libvdiff"]


def installed_libraries() -> list[Path]:
    """List the plugin's libraries in VapourSynth's plugin folder, where it should have found them by itself."""
    folder = Path(vs.get_plugin_dir()) / "vdiff"
    return [path for path in folder.glob("libvdiff.*") if path.suffix in SUFFIXES and path.stem == "libvdiff"]


def level() -> str:
    """Name the CPU level of the library that is loaded."""
    return LEVELS.get(Path(vs.core.vdiff.plugin_path).stem, "unknown")
