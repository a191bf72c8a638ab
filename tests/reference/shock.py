"""Coherence-enhancing shock filtering u_t = -s(v_ww) |grad u|, v = G_sigma * u, on the grid, in float64.

w is the direction of the largest change, the dominant eigenvector of the structure tensor J_rho(grad v).

Sources of the formulas: Weickert, DAGM 2003 (the equation, s the sign); Gilboa, Sochen and Zeevi, ECCV 2002 (a soft
sign); Rouy and Tourin, SIAM J. Numer. Anal. 29(3), 1992 (the upwind gradient).
"""

from __future__ import annotations

import math

import numpy as np

from . import Real
from .structure import correlate, eigen, scharr, smooth, smooth_tensor

TAU_MAX = 0.5
"""Longest step; up to 1/sqrt(2) no pixel passes its neighbours."""
SOFTNESS = 1.0
"""On the 8-bit scale per pixel^2."""
SHARE = 0.25
"""Of the gradient, per pixel."""


def steps_of(time: float) -> int:
    """Steps taken: the fewest of at most TAU_MAX."""
    return math.ceil(time / TAU_MAX - 1e-12)


def second_derivatives(v: Real) -> tuple[Real, Real, Real]:
    """v_xx, v_xy, v_yy by central differences, shape of v."""
    padded = np.pad(v, 1, mode="symmetric")
    return (
        correlate(padded, [0.0, 1.0, 0.0], [1.0, -2.0, 1.0]),
        correlate(padded, [-0.5, 0.0, 0.5], [-0.5, 0.0, 0.5]),
        correlate(padded, [1.0, -2.0, 1.0], [0.0, 1.0, 0.0]),
    )


def soft_sign(u: Real, sigma: float, rho: float, unit: float, bias: float = 0.0) -> Real:
    """(v_ww + bias) / (SOFTNESS + SHARE |grad v|), clipped to -1...1.

    Where no direction changes more than another, v_ww is the mean over all directions.
    """
    v = smooth(u, sigma)
    gx, gy = scharr(np.pad(v, 1, mode="symmetric"))
    mu1, mu2, vectors = eigen(smooth_tensor((gx * gx, gx * gy, gy * gy), rho))
    vxx, vxy, vyy = second_derivatives(v)
    wx, wy = vectors[..., 0, 0], vectors[..., 1, 0]
    vww = np.where(mu1 == mu2, 0.5 * (vxx + vyy), wx * wx * vxx + 2.0 * wx * wy * vxy + wy * wy * vyy)
    return np.clip((vww + bias) / (SOFTNESS * unit + SHARE * np.hypot(gx, gy)), -1.0, 1.0)


def upwind(u: Real, side: float) -> Real:
    """|grad u| from the neighbours that are higher (side 1) or lower (side -1)."""
    padded = np.pad(u, 1, mode="edge")
    rises = [side * (n - u) for n in (padded[1:-1, :-2], padded[1:-1, 2:], padded[:-2, 1:-1], padded[2:, 1:-1])]
    across, down = np.maximum(rises[0], rises[1]), np.maximum(rises[2], rises[3])
    return np.hypot(np.maximum(across, 0.0), np.maximum(down, 0.0))


def shock(u: Real, *, time: float, sigma: float, rho: float, unit: float = 1.0, bias: float = 0.0) -> Real:
    """The picture u, shape (h, w), after `time`.

    Args:
        u: The picture.
        time: At full speed a slope moves one pixel in a time of 1.
        sigma: Smoothing of v.
        rho: Smoothing of its structure tensor.
        unit: One unit of the 8-bit scale in the units of u.
        bias: What is added to all v_ww: how a picture depends on their rounding.
    """
    steps = steps_of(time)
    for _ in range(steps):
        s = soft_sign(u, sigma, rho, unit, bias)
        u = u - time / steps * (np.maximum(s, 0.0) * upwind(u, -1.0) + np.minimum(s, 0.0) * upwind(u, 1.0))
    return u
