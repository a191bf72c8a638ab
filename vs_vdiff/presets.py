"""The presets of `vdiff run`: effects that are chosen by name, without arguments."""

from collections.abc import Callable

import vapoursynth as vs

from vs_vdiff.denoising import MotionError, denoise
from vs_vdiff.errors import CommandError, one_line

__all__ = ["PRESETS", "apply", "check"]

PRESETS: dict[str, Callable[[vs.VideoNode], vs.VideoNode]] = {"denoise": denoise}
"""Functions from clip to clip of the same length, by the name that the user gives."""


def apply(name: str, clip: vs.VideoNode) -> vs.VideoNode:
    """Run a clip through a preset.

    Raises:
        CommandError: A plugin is missing, or the preset cannot take the clip; the message says which.
    """
    try:
        return PRESETS[name](clip)
    except (MotionError, vs.Error) as error:
        raise CommandError(f"--preset {name}: {one_line(error)}") from error


def check(name: str) -> None:
    """See that a preset has what it needs: it would be a pity to learn it after the input has been read.

    Raises:
        CommandError: A plugin is missing; the message says which.
    """
    apply(name, vs.core.std.BlankClip(width=64, height=64, format=vs.YUV420P8, length=1))
