"""A logo to plant into clips, so that what it hides is known."""

from typing import Any

import numpy as np
import vapoursynth as vs
from numpy.typing import NDArray

import vs_vdiff

SIZE = (12, 28)
"""Height and width of what `drawn` is made for, in units."""


def drawn(height: int, width: int) -> NDArray[np.float64]:
    """A ring with a dot, and three bars beside it, as a station's logo is: opacity 0 to 1, smooth at its edges."""
    y, x = (np.mgrid[0:height, 0:width] + 0.5) / (height / SIZE[0])
    distance = np.hypot(y - 6, x - 6)
    pixel = SIZE[0] / height
    inside = np.maximum(np.minimum(5.5 - distance, distance - 3.8), 1.6 - distance)
    for top in (1.0, 5.0, 9.0):
        long = 26.0 if top < 9 else 21.0
        inside = np.maximum(inside, np.minimum(np.minimum(y - top, top + 2 - y), np.minimum(x - 13.5, long - x)))
    return np.asarray(np.clip(inside / pixel + 0.5, 0, 1), np.float64)


def opacity(clip: vs.VideoNode, box: tuple[int, int, int, int]) -> vs.VideoNode:
    """One frame of the clip's size, GRAY8: how opaque the logo is; it fills the box, left, top, width and height."""
    left, top, width, height = box
    whole: NDArray[Any] = np.zeros((1, clip.height, clip.width), np.uint8)
    whole[0, top : top + height, left : left + width] = np.rint(255 * drawn(height, width))
    return vs_vdiff.from_numpy(whole, vs.GRAY8, 25)


def plant(clip: vs.VideoNode, shape: vs.VideoNode) -> vs.VideoNode:
    """The clip, 8-bit YUV, with a white logo."""
    white = vs.core.std.BlankClip(clip, length=1, color=[235, 128, 128], keep=True).std.Loop(clip.num_frames)
    return vs.core.std.MaskedMerge(clip, white, shape.std.Loop(clip.num_frames), first_plane=True)
