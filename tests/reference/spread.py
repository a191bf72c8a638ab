"""Weighted transport from displaced pixels: y(i, j) = rest + sum of w (x(i - dy, j - dx) - rest), in float64.

Beyond its border the picture is its mirror image with the border pixel twice, which repeats after two picture sizes.
Where a displacement falls between two samples, the value there is interpolated linearly.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from . import Real

Indices = NDArray[np.int64]


def mirrored(index: Indices, size: int) -> Indices:
    """The sample seen at an index: ... 2 1 0 | 0 1 2 ... size-1 | size-1 ..."""
    inside = np.mod(index, 2 * size)
    folded: Indices = np.minimum(inside, 2 * size - 1 - inside)
    return folded


def displaced(x: Real, d: int, axis: int, subsampling: int = 1) -> Real:
    """The picture moved by `d` pixels along an axis, of which a sample stands for `subsampling`."""
    size = x.shape[axis]
    # Whole numbers in units of luma pixels until the end: no displacement is too far to be exact.
    place = np.arange(size, dtype=np.int64) * subsampling - d
    lower = place // subsampling
    share = (place % subsampling) / subsampling
    share = share.reshape([-1 if a == axis % x.ndim else 1 for a in range(x.ndim)])
    below, above = (np.take(x, mirrored(i, size), axis) for i in (lower, lower + 1))
    return (1.0 - share) * below + share * above


def spread(
    x: Real,
    *,
    dx: Sequence[int],
    dy: Sequence[int],
    weights: Sequence[float],
    rest: float = 0.0,
    subsampling: tuple[int, int] = (1, 1),
) -> Real:
    """The picture, or each of a stack of them.

    Args:
        x: Shape (..., h, w), sample units.
        dx: Displacements to the right, in luma pixels.
        dy: Displacements down, in luma pixels.
        weights: Their weights.
        rest: The level of no signal, sample units.
        subsampling: Luma pixels of a sample, across and down.
    """
    y = np.full(x.shape, rest)
    for right, down, weight in zip(dx, dy, weights, strict=True):
        moved = displaced(displaced(x, right, -1, subsampling[0]), down, -2, subsampling[1])
        y = y + weight * (moved - rest)
    return y
