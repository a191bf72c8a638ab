"""Video diffusion for VapourSynth: the Python side of the plugin `core.vdiff`.

Importing the package makes sure that `core.vdiff` is there, also in a source checkout that is not installed.
"""

import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from vs_vdiff.plugin import PluginNotFoundError, load

__all__ = ["PluginNotFoundError", "__version__", "load"]

try:
    __version__ = version("vapoursynth-vdiff")
except PackageNotFoundError:  # a source checkout on the path
    __version__ = "0+source"

# The `vdiff` command loads the plugin when it needs it, so that its help is quick and a missing plugin is one line.
if Path(sys.argv[0] if sys.argv else "").stem != "vdiff":
    load()
