"""Structure tensors and Gaussian smoothing on the grid, in float64.

Sources: Förstner and Gülch 1987 (J_rho = G_rho * (grad v grad v^T)); Scharr 2000 (derivatives [-1 0 1]/2 across and
[3 10 3]/16 along); Lindeberg 1990 (the discrete heat kernel, the Gaussian of the grid).
"""

from __future__ import annotations

import numpy as np

from . import Real
from .diffuse import exact_factor, spectral

Tensor = tuple[Real, Real, Real]
"""Components xx, xy, yy."""


def smooth(u: Real, sigma: float) -> Real:
    """G_sigma * u: the exact solution of linear diffusion at time sigma^2 / 2."""
    return spectral(u, lambda lam: exact_factor(lam, 0.5 * sigma**2))


def correlate(u: Real, vertical: list[float], horizontal: list[float]) -> Real:
    """The separable mask at every place where it fits."""
    windows = np.lib.stride_tricks.sliding_window_view(u, (len(vertical), len(horizontal)))
    out: Real = np.einsum("yxij,i,j->yx", windows, np.array(vertical), np.array(horizontal))
    return out


def scharr(u: Real) -> tuple[Real, Real]:
    """Derivatives along x and y at pixels, shape (h-2, w-2): the border is not extended."""
    difference, smoothing = [-0.5, 0.0, 0.5], [3 / 16, 10 / 16, 3 / 16]
    return correlate(u, smoothing, difference), correlate(u, difference, smoothing)


def to_corners(values: Real) -> Real:
    """The mean of the four pixels around each inner corner, shape (h-1, w-1)."""
    return correlate(values, [0.5, 0.5], [0.5, 0.5])


def smooth_tensor(j: Tensor, rho: float) -> Tensor:
    """Each component smoothed."""
    return (smooth(j[0], rho), smooth(j[1], rho), smooth(j[2], rho)) if rho > 0 else j


def eigen(j: Tensor) -> tuple[Real, Real, Real]:
    """Eigenvalues mu1 >= mu2 of every tensor and the eigenvectors, shape (..., 2, 2): [..., :, 0] belongs to mu1."""
    values, vectors = np.linalg.eigh(np.stack([np.stack([j[0], j[1]], -1), np.stack([j[1], j[2]], -1)], -2))
    return values[..., 1], values[..., 0], vectors[..., ::-1]
