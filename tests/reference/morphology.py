"""Flat grey-scale morphology: the largest or smallest sample of a window, as far as it is in the picture, in float64.

Serra, Image Analysis and Mathematical Morphology, 1982: (u dilated by B)(p) = max {u(p + b): b in B}, and the erosion
is the minimum. B is symmetric, so that it does not matter whether it is reflected.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from . import Real


def window(shape: str, radius: int, reach: int | None = None) -> NDArray[np.bool_]:
    """Which places belong to the window, shape (2 reach + 1, 2 reach + 1), its centre in the middle.

    Args:
        shape: `rect`, `cross` or `disc`.
        radius: Its radius.
        reach: How far from the centre places are looked at; None: as far as the window reaches.
    """
    reach = radius if reach is None else min(reach, radius)
    d = np.arange(-reach, reach + 1)
    dy, dx = np.meshgrid(d, d, indexing="ij")
    members: dict[str, NDArray[np.bool_]] = {
        "rect": np.ones(dx.shape, bool),
        "cross": (dx == 0) | (dy == 0),
        "disc": dx * dx + dy * dy <= radius * radius,
    }
    return members[shape]


def dilate(x: Real, *, shape: str = "rect", radius: int = 1) -> Real:
    """The largest value of the window around each, of one picture (h, w) or several (..., h, w)."""
    height, width = x.shape[-2:]
    y = x.copy()
    places = window(shape, radius, max(height, width) - 1)
    for dy, dx in np.argwhere(places) - len(places) // 2:
        if abs(dy) < height and abs(dx) < width:
            to = (..., slice(max(0, -dy), height - max(0, dy)), slice(max(0, -dx), width - max(0, dx)))
            at = (..., slice(max(0, dy), height - max(0, -dy)), slice(max(0, dx), width - max(0, -dx)))
            y[to] = np.maximum(y[to], x[at])
    return y


def erode(x: Real, *, shape: str = "rect", radius: int = 1) -> Real:
    """The smallest value of the window around each."""
    return -dilate(-x, shape=shape, radius=radius)
