"""VapourSynth's core, as type checkers and editors are to see it: they know the filters of `core.vdiff`.

At run time it is `vapoursynth.core`; what they know is in `typed.pyi`.
"""

from vapoursynth import core

__all__ = ["core"]
