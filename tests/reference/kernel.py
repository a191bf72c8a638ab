"""The kernel that the tests of `Kernel` run, in float64."""

from __future__ import annotations

import numpy as np

from . import Real


def lighten(u: Real, r: Real, v: Real, a: float, b: float) -> Real:
    """U + a max(r - u, 0) + b (v moved to the right by a pixel - u); the first column is that of v itself."""
    moved = np.concatenate([v[..., :1], v[..., :-1]], axis=-1)
    return u + a * np.maximum(r - u, 0.0) + b * (moved - u)
