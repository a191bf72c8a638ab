"""Frames that go on as the last two differ, f[n] = f[n-1] + alpha (f[n-1] - f[n-2]), in float64."""

from __future__ import annotations

import numpy as np

from . import Real


def extrapolate(r: Real, x: Real, *, length: int, alpha: float) -> Real:
    """`length` frames after r and x, by the recursion itself, without rounding; shape (length, ...)."""
    frames = [r, x]
    for _ in range(length):
        frames.append(frames[-1] + alpha * (frames[-1] - frames[-2]))
    return np.reshape(frames[2:], (length, *x.shape))
