"""Anisotropic diffusion du/dt = div(D grad u) on the grid, in float64.

Sources of the formulas: Weickert, Anisotropic Diffusion in Image Processing, 1998 (EED and CED); Weickert, Welk and
Wickert, SSVM 2013 (the stencil); Hafner, Ochs, Weickert and Welk, GCPR 2016 (FSI).

The picture is continued by reflection, and everything is computed on the reflected picture: no flux crosses the border.
"""

from __future__ import annotations

import math

import numpy as np

from . import Real
from .structure import Tensor, eigen, scharr, smooth, smooth_tensor, to_corners

ALPHA, GAMMA = 0.25, 1.0
"""The constants of the stencil."""
TAU_MAX = 0.25 / (1.0 - ALPHA)
"""Largest stable Euler step for eigenvalues up to 1."""


def structure_tensor(v: Real, rho: float) -> Tensor:
    """J_rho(grad v) at all corners of pixels, those of the border too, shape (h+1, w+1)."""
    gx, gy = (to_corners(g) for g in scharr(np.pad(v, 2, mode="symmetric")))
    return smooth_tensor((gx * gx, gx * gy, gy * gy), rho)


def with_eigenvalues(vectors: Real, lam1: Real, lam2: Real) -> Tensor:
    """lam1 e1 e1^T + lam2 e2 e2^T."""
    x1, y1, x2, y2 = vectors[..., 0, 0], vectors[..., 1, 0], vectors[..., 0, 1], vectors[..., 1, 1]
    return (
        lam1 * x1 * x1 + lam2 * x2 * x2,
        lam1 * x1 * y1 + lam2 * x2 * y2,
        lam1 * y1 * y1 + lam2 * y2 * y2,
    )


def eed_tensor(j: Tensor, contrast: float) -> Tensor:
    """lam1 = 1 - exp(-3.31488 (K^2/mu1)^4) across the edge, g(0) = 1; lam2 = 1 along it; isotropic where mu1 = mu2."""
    mu1, mu2, vectors = eigen(j)
    s2 = np.maximum(mu1, 1e-30 * contrast**2)
    g = 1.0 - np.exp(-3.31488 * (contrast**2 / s2) ** 4)
    equal = mu1 == mu2
    return with_eigenvalues(vectors, np.where(equal, 0.5 * (1.0 + g), g), np.where(equal, 0.5 * (1.0 + g), 1.0))


def ced_tensor(j: Tensor, contrast: float, alpha: float) -> Tensor:
    """lam1 = alpha across the flow, lam2 = alpha + (1 - alpha) exp(-ln 2 K^4 / (mu1 - mu2)^2) along it."""
    mu1, mu2, vectors = eigen(j)
    coherence = np.maximum((mu1 - mu2) ** 2, 1e-30 * contrast**4)
    lam2 = alpha + (1.0 - alpha) * np.exp(-math.log(2.0) * contrast**4 / coherence)
    return with_eigenvalues(vectors, np.full_like(lam2, alpha), lam2)


def diffusion_tensor(u: Real, *, mode: str, contrast: float, sigma: float, rho: float, alpha: float) -> Tensor:
    """D at all corners, shape (h+1, w+1). Those of the border lie on an axis of symmetry: D is diagonal there."""
    j = structure_tensor(smooth(u, sigma), rho)
    a, b, c = eed_tensor(j, contrast) if mode == "eed" else ced_tensor(j, contrast, alpha)
    inner = np.zeros_like(b)
    inner[1:-1, 1:-1] = 1.0
    return a, b * inner, c


def stencil(d: Tensor) -> Real:
    """The weights of div(D grad u), shape (h, w, 3, 3), delta = ALPHA (a+c) + GAMMA (1-2 ALPHA) |b| at each corner."""
    a, b, c = d
    delta = ALPHA * (a + c) + GAMMA * (1.0 - 2.0 * ALPHA) * np.abs(b)
    h, w = a.shape[0] - 1, a.shape[1] - 1
    out = np.zeros((h, w, 3, 3))
    for i in (-1, 1):
        for j in (-1, 1):
            corner = np.s_[max(i, 0) : h + max(i, 0), max(j, 0) : w + max(j, 0)]
            out[:, :, 1, 1 + j] += 0.5 * (a - delta)[corner]
            out[:, :, 1 + i, 1] += 0.5 * (c - delta)[corner]
            out[:, :, 1 + i, 1 + j] += 0.5 * (delta + i * j * b)[corner]
    out[:, :, 1, 1] = -out.sum(axis=(2, 3))
    return out


def apply_stencil(weights: Real, u: Real) -> Real:
    """To the reflected picture."""
    around = np.lib.stride_tricks.sliding_window_view(np.pad(u, 1, mode="symmetric"), (3, 3))
    return np.asarray(np.einsum("yxij,yxij->yx", weights, around))


def cycle_length(time: float) -> int:
    """Steps of one FSI cycle that covers `time`: n = ceil(sqrt(3 t / tau_max + 1/4) - 1/2), at least 1."""
    return max(1, math.ceil(math.sqrt(3.0 * time / TAU_MAX + 0.25) - 0.5 - 1e-12))


def default_cycles(time: float) -> int:
    """Cycles taken when none are asked for: ceil(1.3 sqrt(time)), at least 3, or 4 below a time of 0.7."""
    return max(4 if time < 0.7 else 3, math.ceil(1.3 * math.sqrt(time)))


def elementary_steps(time: float, cycles: int) -> int:
    """The steps of all cycles."""
    cycles = cycles or default_cycles(time)
    return cycles * cycle_length(time / cycles)


def fsi_cycle(u: Real, d: Tensor, time: float) -> Real:
    """u^{j+1} = a_j (u^j + tau A u^j) + (1 - a_j) u^{j-1}, a_j = (4j+2) / (2j+3), tau = 3 t / (n (n+1))."""
    n = cycle_length(time)
    tau = 3.0 * time / (n * (n + 1))
    weights = stencil(d)
    before = now = u
    for j in range(n):
        a = (4 * j + 2) / (2 * j + 3)
        before, now = now, a * (now + tau * apply_stencil(weights, now)) + (1.0 - a) * before
    return now


def cycle_factor(lam: Real, time: float) -> Real:
    """What a cycle makes of an eigenvector of A, -lam its eigenvalue: the one-cycle factor of FED and FSI."""
    n = cycle_length(time)
    theta = np.arccos(np.clip(1.0 - 3.0 * time / (n * (n + 1)) * lam, -1.0, 1.0))
    safe = np.where(theta < 1e-9, 1.0, theta)
    out: Real = np.where(theta < 1e-9, 1.0, np.sin((n + 0.5) * safe) / ((2 * n + 1) * np.sin(safe / 2.0)))
    return out


def isotropic_eigenvalues(height: int, width: int) -> Real:
    """Of the cosine modes, for D the identity: 4 (sy + sx) - 8 delta sy sx, s = sin^2(pi p / 2N), delta = 2 ALPHA."""
    sy = np.sin(np.pi * np.arange(height) / (2 * height))[:, None] ** 2
    sx = np.sin(np.pi * np.arange(width) / (2 * width))[None, :] ** 2
    lam: Real = 4.0 * (sy + sx) - 16.0 * ALPHA * sy * sx
    return lam


def tensor_diffuse(
    u: Real,
    *,
    time: float,
    contrast: float,
    mode: str = "eed",
    sigma: float | None = None,
    rho: float | None = None,
    alpha: float = 0.001,
    cycles: int = 0,
) -> Real:
    """The picture u, shape (h, w), after `time` pixels^2.

    Args:
        u: The picture.
        time: Diffusion time.
        contrast: K in the units of u per pixel.
        mode: `eed` or `ced`.
        sigma: Smoothing of the picture for its gradient; None: 1 for `eed`, 0.7 for `ced`.
        rho: Smoothing of the structure tensor; None: 0 for `eed`, 3 for `ced`.
        alpha: Diffusivity of `ced` across the flow.
        cycles: D is renewed at the start of each; 0 takes `default_cycles`.
    """
    sigma = {"eed": 1.0, "ced": 0.7}[mode] if sigma is None else sigma
    rho = {"eed": 0.0, "ced": 3.0}[mode] if rho is None else rho
    cycles = cycles or default_cycles(time)
    for _ in range(cycles if time > 0 else 0):
        d = diffusion_tensor(u, mode=mode, contrast=contrast, sigma=sigma, rho=rho, alpha=alpha)
        u = fsi_cycle(u, d, time / cycles)
    return u
