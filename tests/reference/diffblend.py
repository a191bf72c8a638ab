"""Blending along a frame difference: y = x + clip(alpha soft(x - r, threshold), -limit, +limit), in float64.

soft(d, t) = sign(d) max(|d| - t, 0) is the soft threshold of Donoho, IEEE Trans. Inf. Theory 41(3), 1995.
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from . import Real


def soft(d: Real, threshold: float) -> Real:
    """sign(d) max(|d| - threshold, 0)."""
    return np.sign(d) * np.maximum(np.abs(d) - threshold, 0.0)


def diffblend(x: Real, r: Real, *, alpha: float, threshold: float = 0.0, limit: float = np.inf) -> Real:
    """The blended picture; x, r, threshold and limit in the same units."""
    return x + np.clip(alpha * soft(x - r, threshold), -limit, limit)


def scene_of(n: int, count: int, starts: Collection[int]) -> tuple[int, int]:
    """First and last frame of the scene of frame n, in a clip of `count` frames whose `starts` are cut from before."""
    first = max((s for s in starts if s <= n), default=0)
    last = min((s for s in starts if s > n), default=count) - 1
    return first, last


def lagged(n: int, lag: int, count: int, starts: Collection[int] = ()) -> int:
    """The frame r that frame n is compared with: n - lag, clamped to the scene of n."""
    first, last = scene_of(n, count, starts)
    return min(max(n - lag, first), last)
