"""What the ready-made filters (`denoise`, `trails`, ...) share: how strong they are, and where scenes end."""

from collections.abc import Callable, Sequence
from typing import Literal

import vapoursynth as vs

from vs_vdiff import plugin

__all__ = ["STRENGTHS", "Integers", "Strength", "factor", "within_scenes"]

type Strength = Literal["light", "medium", "strong"] | float
"""How strong: by name, or as a number, of which 1 is `medium`."""
type Integers = int | Sequence[int]
"""One number or several."""

STRENGTHS = {"light": 0.5, "medium": 1.0, "strong": 1.5}
LEAST, MOST = 0.01, 100.0


def factor(name: str, strength: Strength | str) -> float:
    """Give a strength as a number.

    Args:
        name: The filter that is given it, for the message.
        strength: light, medium, strong, or a number from 0.01 to 100; as text too, which a command line has.

    Raises:
        vapoursynth.Error: It is none of these.
    """
    try:
        number = STRENGTHS[strength] if isinstance(strength, str) and strength in STRENGTHS else float(strength)
    except (TypeError, ValueError, OverflowError):
        number = 0.0
    if not LEAST <= number <= MOST:
        raise vs.Error(
            f"{name}: strength must be {', '.join(STRENGTHS)} or {LEAST:g}...{MOST:g}, got {strength!s:.40}."
        )
    return number


def within_scenes(clip: vs.VideoNode, apply: Callable[[vs.VideoNode], vs.VideoNode], *reports: str) -> vs.VideoNode:
    """Apply a temporal filter that shall not cross cuts: whoever calls it need not know that they must be found first.

    Args:
        clip: The clip.
        apply: The filter; it is given the clip with its cuts marked.
        reports: Properties that the filter sets. All others are those of the clip.
    """
    plugin.load()
    core = vs.core
    filtered = apply(core.vdiff.SceneDetect(clip))
    restored = core.std.CopyFrameProps(filtered, clip)
    return core.std.CopyFrameProps(restored, filtered, props=[*reports]) if reports else restored
