"""How much two pictures differ: |x - r|, (x - r)^2, where |x - r| exceeds a threshold, and their means, in float64."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from . import Real


@dataclass(frozen=True)
class Change:
    """Statistics of a plane.

    Attributes:
        mad: Mean absolute difference, on the 8-bit scale.
        mse: Mean squared difference, on the 8-bit scale.
        changed: The part of the samples that differ by more than the threshold.
    """

    mad: float
    mse: float
    changed: float


def change(x: Real, r: Real, *, peak: float, threshold: float = 0.0) -> Change:
    """The statistics; x, r and the peak in sample units, the threshold on the 8-bit scale."""
    d = np.abs(x - r)
    return Change(
        mad=float(d.mean()) * 255.0 / peak,
        mse=float((d * d).mean()) * (255.0 / peak) ** 2,
        changed=float((d > threshold * peak / 255.0).mean()),
    )


def changemap(x: Real, r: Real, *, peak: float, threshold: float | None = None, norm: str = "abs") -> Real:
    """The picture, unrounded; all in sample units but the threshold, on the 8-bit scale."""
    d = np.abs(x - r)
    if norm == "none":
        return x
    if threshold is not None:
        return np.where(d > threshold * peak / 255.0, peak, 0.0)
    return d * d / peak if norm == "square" else d
