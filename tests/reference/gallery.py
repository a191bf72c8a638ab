"""The kernels of scripts/examples, from their formulas, in float64.

Each function takes the pictures that the kernel reads, sample units, any leading axes, and the kernel's parameters;
`unit` is one unit of the 8-bit scale in sample units.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from . import Real
from .diffblend import diffblend as blended
from .spread import spread as displaced_sum


def spread(sources: Sequence[Real], params: Sequence[float], unit: float) -> Real:
    """The sum of weight I(x - dx, y - dy), the parameters being dx, dy, weight of each tap."""
    return displaced_sum(
        sources[0], dx=[round(d) for d in params[::3]], dy=[round(d) for d in params[1::3]], weights=params[2::3]
    )


def heat(sources: Sequence[Real], params: Sequence[float], unit: float) -> Real:
    """U + tau times the sum of (neighbour - u), that is minus the divergence of a flux that is 0 at the border."""
    (u,), (tau,) = sources, params
    out = u.copy()
    for axis in (-2, -1):
        flux = np.diff(u, axis=axis)
        edge = np.zeros_like(np.take(u, [0], axis))
        out += tau * np.diff(np.concatenate([edge, flux, edge], axis), axis=axis)
    return out


def motion_blend(sources: Sequence[Real], params: Sequence[float], unit: float) -> Real:
    """The mean of x and r where they differ by no more than the threshold, else x."""
    x, r = sources
    return np.where(np.abs(x - r) <= params[0] * unit, 0.5 * (x + r), x)


def diffblend(sources: Sequence[Real], params: Sequence[float], unit: float) -> Real:
    """The formula of `core.vdiff.DiffBlend`: alpha, threshold, limit."""
    alpha, threshold, limit = params
    return blended(sources[0], sources[1], alpha=alpha, threshold=threshold * unit, limit=limit * unit)


def change_mask(sources: Sequence[Real], params: Sequence[float], peak: float) -> Real:
    """The output's peak where x and r differ by more than the threshold, in sample units, else 0."""
    x, r = sources
    return np.where(np.abs(x - r) > params[0], peak, 0.0)


def echo(sources: Sequence[Real], params: Sequence[float], unit: float) -> Real:
    """The weighted sum."""
    return np.tensordot(np.asarray(params), np.stack(list(sources)), 1)


def false_colour(sources: Sequence[Real], params: Sequence[float], unit: float) -> Real:
    """Grey x + brighter max(x - r, 0) + darker max(r - x, 0)."""
    x, r = sources
    grey, brighter, darker = params
    return grey * x + np.where(x > r, brighter * (x - r), darker * (r - x))
