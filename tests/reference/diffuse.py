"""Isotropic diffusion du/dt = div(g(|grad u|) grad u) on the grid, in float64.

Sources of the formulas: Perona and Malik, IEEE TPAMI 12(7), 1990 (the four-neighbour scheme, `exp` and `rational`);
Grewenig, Weickert, Bruhn, DAGM 2010 (FED: `fed_cycle`); Hafner, Ochs, Weickert, Welk, SSVM 2016 (FSI: `fsi_cycle`).
The border is reflecting: no flux crosses it.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from . import Real

TAU_MAX = 0.25
"""Largest stable Euler step in two dimensions, 1 / (2 + 2), for g <= 1."""

Conductances = tuple[Real, Real]


def diffusivity(name: str, squared: Real, contrast: float) -> Real:
    """Compute g as a function of s^2, s the difference of two neighbouring pixels, K the contrast.

    `linear` 1; `exp` exp(-s^2 / K^2); `rational` 1 / (1 + s^2 / K^2).
    """
    if name == "linear":
        return np.ones_like(squared)
    if name == "exp":
        return np.exp(-squared / contrast**2)
    if name == "rational":
        return 1.0 / (1.0 + squared / contrast**2)
    raise ValueError(name)


def conductances(u: Real, name: str, contrast: float) -> Conductances:
    """Compute g of each edge between vertical neighbours, shape (h-1, w), and between horizontal ones, (h, w-1)."""
    return (
        diffusivity(name, np.diff(u, axis=0) ** 2, contrast),
        diffusivity(name, np.diff(u, axis=1) ** 2, contrast),
    )


def divergence(u: Real, g: Conductances) -> Real:
    """A u: for each pixel the sum over its neighbours of g (neighbour - pixel); outside the picture there are none."""
    vertical, horizontal = g[0] * np.diff(u, axis=0), g[1] * np.diff(u, axis=1)
    out = np.zeros_like(u)
    out[:-1] += vertical
    out[1:] -= vertical
    out[:, :-1] += horizontal
    out[:, 1:] -= horizontal
    return out


def cycle_length(time: float) -> int:
    """Steps of one FED cycle that covers `time`: n = ceil(sqrt(3 t / tau_max + 1/4) - 1/2), at least 1."""
    return max(1, math.ceil(math.sqrt(3.0 * time / TAU_MAX + 0.25) - 0.5))


def fsi_cycle(u: Real, g: Conductances, time: float) -> Real:
    """One cycle of the recurrence u^{j+1} = a_j (u^j + tau A u^j) + (1 - a_j) u^{j-1}, a_j = (4j+2) / (2j+3).

    tau = 3 t / (n (n+1)), u^{-1} = u^0; A is fixed during the cycle.
    """
    n = cycle_length(time)
    tau = 3.0 * time / (n * (n + 1))
    before = now = u
    for j in range(n):
        a = (4 * j + 2) / (2 * j + 3)
        before, now = now, a * (now + tau * divergence(now, g)) + (1.0 - a) * before
    return now


def fed_cycle(u: Real, g: Conductances, time: float) -> Real:
    """The same cycle as Euler steps tau_i = s tau_max / (2 cos^2(pi (2i+1) / (4n+2))), in a numerically kind order.

    s = 3 t / (tau_max n (n+1)). The order: ((k+1) kappa mod p) - 1 below n, p the smallest prime >= n+1, kappa ~ n/4.
    """
    n = cycle_length(time)
    scaled = 3.0 * time / (n * (n + 1))
    taus = [scaled / (2.0 * math.cos(math.pi * (2 * i + 1) / (4 * n + 2)) ** 2) for i in range(n)]
    prime = next(p for p in range(n + 1, 2 * n + 3) if all(p % d for d in range(2, p)) and p > 1)
    order = [(k + 1) * max(1, n // 4) % prime - 1 for k in range(prime - 1)]
    for i in order:
        if i < n:
            u = u + taus[i] * divergence(u, g)
    return u


def euler_steps(time: float) -> int:
    """Euler steps taken when none are asked for: max(ceil(5 time), min(8, ceil(64 time)), 1)."""
    return max(math.ceil(5.0 * time), min(8, math.ceil(64.0 * time)), 1)


def fed_cycles(time: float, name: str) -> int:
    """FED cycles taken when none are asked for: 4, or 8 below time 1; `rational` ceil(time / 5), `exp` ceil(time)."""
    longest = {"linear": math.inf, "rational": 5.0, "exp": 1.0}[name]
    return max(8 if time < 1 else 4, math.ceil(time / longest))


def elementary_steps(time: float, name: str, scheme: str, steps: int) -> int:
    """How often A is applied: Euler steps, or the steps of all FED cycles."""
    if scheme == "explicit":
        return steps or euler_steps(time)
    cycles = steps or fed_cycles(time, name)
    return cycles * cycle_length(time / cycles)


def diffuse(
    u: Real, *, time: float, contrast: float, name: str = "rational", scheme: str = "explicit", steps: int = 0
) -> Real:
    """The picture u, shape (h, w), after `time` pixels^2.

    Args:
        u: The picture.
        time: Diffusion time; the linear equation blurs by a Gaussian of deviation sqrt(2 time).
        contrast: K in the units of u; not used by `linear`.
        name: Diffusivity.
        scheme: `explicit`: `steps` Euler steps. `fed`: `steps` cycles, g renewed at the start of each.
        steps: 0 takes `euler_steps` or `fed_cycles`.
    """
    if time == 0.0:
        return u
    if scheme == "explicit":
        steps = steps or euler_steps(time)
        for _ in range(steps):
            u = u + time / steps * divergence(u, conductances(u, name, contrast))
        return u
    if scheme == "fed":
        steps = steps or fed_cycles(time, name)
        for _ in range(steps):
            u = fsi_cycle(u, conductances(u, name, contrast), time / steps)
        return u
    raise ValueError(scheme)


def cosine_mode(height: int, width: int, q: int, p: int) -> Real:
    """cos(pi q (j+1/2) / M) cos(pi p (i+1/2) / N), an eigenvector of the linear operator; M the height, N the width."""
    return np.outer(
        np.cos(np.pi * q * (np.arange(height) + 0.5) / height), np.cos(np.pi * p * (np.arange(width) + 0.5) / width)
    )


def eigenvalues(height: int, width: int) -> Real:
    """Lambda of every mode, shape (h, w): 4 [sin^2(pi q / 2M) + sin^2(pi p / 2N)]; A has -lambda."""
    vertical = np.sin(np.pi * np.arange(height) / (2 * height)) ** 2
    horizontal = np.sin(np.pi * np.arange(width) / (2 * width)) ** 2
    lam: Real = 4.0 * (vertical[:, None] + horizontal[None, :])
    return lam


def euler_factor(lam: Real, time: float, steps: int) -> Real:
    """What `steps` Euler steps make of a mode: (1 - tau lambda)^steps."""
    factor: Real = (1.0 - time / steps * lam) ** steps
    return factor


def fed_factor(lam: Real, time: float, cycles: int) -> Real:
    """What FED makes of a mode: [sin((n+1/2) theta) / ((2n+1) sin(theta/2))]^cycles, cos theta = 1 - tau lambda."""
    n = cycle_length(time / cycles)
    tau = 3.0 * time / cycles / (n * (n + 1))
    theta = np.arccos(np.clip(1.0 - tau * lam, -1.0, 1.0))
    still = theta < 1e-9
    safe = np.where(still, 1.0, theta)
    factor: Real = np.where(still, 1.0, np.sin((n + 0.5) * safe) / ((2 * n + 1) * np.sin(safe / 2.0))) ** cycles
    return factor


def exact_factor(lam: Real, time: float) -> Real:
    """What the exact solution makes of a mode: e^(-lambda t)."""
    factor: Real = np.exp(-lam * time)
    return factor


def cosine_basis(size: int) -> Real:
    """Orthonormal cosine modes of one axis as rows, shape (size, size): the DCT-II matrix."""
    rows = np.cos(np.pi * np.outer(np.arange(size), np.arange(size) + 0.5) / size)
    basis: Real = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return basis


def to_modes(u: Real) -> Real:
    """Amplitudes of the orthonormal cosine modes of a picture."""
    return cosine_basis(u.shape[0]) @ u @ cosine_basis(u.shape[1]).T


def spectral(u: Real, factor: Callable[[Real], Real]) -> Real:
    """The linear filter that multiplies each mode of u by factor(lambda)."""
    modes = to_modes(u) * factor(eigenvalues(*u.shape))
    return cosine_basis(u.shape[0]).T @ modes @ cosine_basis(u.shape[1])
