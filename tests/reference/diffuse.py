"""Isotropic diffusion du/dt = div(g(|grad u|) grad u) on the grid, in float64.

Sources of the formulas: Perona and Malik, IEEE TPAMI 12(7), 1990 (the four-neighbour scheme, `exp` and `rational`);
Charbonnier, Blanc-Feraud, Aubert, Barlaud, ICIP 1994 (`charbonnier`); Weickert, Anisotropic Diffusion in Image
Processing, 1998 (`weickert`); Black, Sapiro, Marimont, Heeger, IEEE TIP 7(3), 1998 (`tukey`, the contrast from the
MAD); Rudin, Osher, Fatemi, Physica D 60, 1992 (`tv`); Catte, Lions, Morel, Coll, SIAM J. Numer. Anal. 29, 1992
(`presmooth`); Gerig, Kubler, Kikinis, Jolesz, IEEE TMI 11(2), 1992 (`coupled`); Grewenig, Weickert, Bruhn, DAGM 2010
(FED: `fed_cycle`); Hafner, Ochs, Weickert, Welk, GCPR 2016 (FSI: `fsi_cycle`); Weickert, ter Haar Romeny, Viergever,
IEEE TIP 7(3), 1998 (AOS: `aos_step`).
The border is reflecting: no flux crosses it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from scipy.linalg import solve_banded

from . import Real

DIFFUSIVITIES = ("linear", "exp", "rational", "charbonnier", "weickert", "tukey", "tv")

TAU_MAX = 0.25
"""Largest stable Euler step in two dimensions, 1 / (2 + 2), for g <= 1."""

TV_SPEED = 10.0
"""g(0) of `tv`, of every other diffusivity it is 1: the stable Euler step is as many times shorter."""

AOS_ERROR = 0.045
"""How far `aos_steps` leaves a mode of linear diffusion from the exact solution, in parts of its first amplitude."""

SMALLEST_CONTRAST = 0.001
"""The lower end of K, on the 8-bit scale."""

Conductances = tuple[Real, Real]


def speed(name: str) -> float:
    """The largest g: by how much diffusion is faster than the linear one where the picture is flat."""
    return TV_SPEED if name == "tv" else 1.0


def diffusivity(name: str, squared: Real, contrast: float) -> Real:
    """Compute g as a function of s^2, s the difference of two neighbouring pixels or a gradient, K the contrast.

    With r = s^2 / K^2: `linear` 1; `exp` exp(-r); `rational` 1 / (1 + r); `charbonnier` 1 / sqrt(1 + r);
    `weickert` 1 - exp(-3.31488 / r^4), 1 at s = 0; `tukey` (1 - r/5)^2 up to r = 5, then 0; `tv` 1 / sqrt(r + 0.1^2).
    """
    r = squared / contrast**2
    if name == "linear":
        return np.ones_like(squared)
    if name == "exp":
        return np.exp(-r)
    if name == "rational":
        return 1.0 / (1.0 + r)
    if name == "charbonnier":
        return (1.0 + r) ** -0.5
    if name == "weickert":
        with np.errstate(divide="ignore", over="ignore"):
            return -np.expm1(-3.31488 / r**4)
    if name == "tukey":
        return np.maximum(1.0 - r / 5.0, 0.0) ** 2
    if name == "tv":
        return 1.0 / np.sqrt(r + 0.1**2)
    raise ValueError(name)


def conductances(u: Real, name: str, contrast: float) -> Conductances:
    """Compute g of each edge between vertical neighbours, shape (h-1, w), and between horizontal ones, (h, w-1)."""
    return (
        diffusivity(name, np.diff(u, axis=0) ** 2, contrast),
        diffusivity(name, np.diff(u, axis=1) ** 2, contrast),
    )


def edge_means(g: Real) -> Conductances:
    """The mean of g over the two pixels of each edge: vertical neighbours, then horizontal ones."""
    return 0.5 * (g[:-1] + g[1:]), 0.5 * (g[:, :-1] + g[:, 1:])


def squared_gradient(u: Real) -> Real:
    """s^2 at each pixel: 1/4 [(u(y+1) - u(y-1))^2 + (u(x+1) - u(x-1))^2], beyond the border the border pixel."""
    padded = np.pad(u, 1, mode="edge")
    vertical = padded[2:, 1:-1] - padded[:-2, 1:-1]
    horizontal = padded[1:-1, 2:] - padded[1:-1, :-2]
    squared: Real = 0.25 * (vertical**2 + horizontal**2)
    return squared


def block_means(values: Real, shape: tuple[int, int]) -> Real:
    """The mean over the block of pixels that each pixel of a smaller plane covers."""
    (height, width), (h, w) = values.shape, shape
    means: Real = values.reshape(h, height // h, w, width // w).mean(axis=(1, 3))
    return means


def smoothed(u: Real, deviation: float) -> Real:
    """The heat kernel of variance `deviation`^2: every mode times exp(-lambda deviation^2 / 2)."""
    return spectral(u, lambda lam: exact_factor(lam, 0.5 * deviation**2)) if deviation > 0.0 else u


@dataclass(frozen=True)
class Steering:
    """The picture whose gradient steers g, where it is not each difference between neighbours that steers itself.

    Attributes:
        presmooth: Deviation of the heat kernel that smooths the steering planes, in their pixels.
        coupled: Whether the squared gradients of all planes of full size are added up and steer every plane.
        guide: The guide's planes, scaled as the clip's; None: the evolving planes steer themselves.
        foreign: Whether the guide is neither of the clip's colour family nor GRAY: then its planes of full size
            together steer every plane.
    """

    presmooth: float = 0.0
    coupled: bool = False
    guide: Sequence[Real] | None = None
    foreign: bool = False

    def squared(self, planes: Sequence[Real]) -> list[Real]:
        """s^2 for every pixel of every plane."""
        sources = planes if self.guide is None else self.guide
        squares = [squared_gradient(smoothed(source, self.presmooth)) for source in sources]
        largest = squares[0].shape
        if self.coupled or self.foreign:
            squares = [np.sum([s for s in squares if s.shape == largest], axis=0)]
        steering = []
        for p, plane in enumerate(planes):
            has_own = p < len(squares) and all(np.greater_equal(squares[p].shape, plane.shape))
            steering.append(block_means(squares[p if has_own else 0], plane.shape))
        return steering


def lower_median(values: Real) -> float:
    """The value of rank (n-1) // 2: of an even number the lower of the two in the middle."""
    return float(np.sort(values, axis=None)[(values.size - 1) // 2])


def automatic_contrast(squared: Real, unit: float = 1.0) -> float:
    """1.4826 MAD(s) = 1.4826 median(|s - median(s)|), s the gradient's magnitude; at least 0.001 units.

    Args:
        squared: s^2 at each pixel.
        unit: One unit of the 8-bit scale in the units of s.
    """
    s = np.sqrt(squared)
    return max(1.4826 * lower_median(np.abs(s - lower_median(s))), SMALLEST_CONTRAST * unit)


def divergence(u: Real, g: Conductances) -> Real:
    """A u: for each pixel the sum over its neighbours of g (neighbour - pixel); outside the picture there are none."""
    vertical, horizontal = g[0] * np.diff(u, axis=0), g[1] * np.diff(u, axis=1)
    out = np.zeros_like(u)
    out[:-1] += vertical
    out[1:] -= vertical
    out[:, :-1] += horizontal
    out[:, 1:] -= horizontal
    return out


def euler_step(u: Real, g: Conductances, tau: float, fastest: float = 1.0) -> Real:
    """One Euler step: u + tau A u."""
    return u + tau * divergence(u, g)


def cycle_length(time: float, fastest: float = 1.0) -> int:
    """Steps of one FED cycle that covers `time`: n = ceil(sqrt(3 t / tau_max + 1/4) - 1/2), at least 1.

    tau_max is 1/4 over the largest g. A whole number is that number, whatever rounding makes of it.
    """
    return max(1, math.ceil(math.sqrt(3.0 * (time * fastest) / TAU_MAX + 0.25) - 0.5 - 1e-12))


def fsi_cycle(u: Real, g: Conductances, time: float, fastest: float = 1.0) -> Real:
    """One cycle of the recurrence u^{j+1} = a_j (u^j + tau A u^j) + (1 - a_j) u^{j-1}, a_j = (4j+2) / (2j+3).

    tau = 3 t / (n (n+1)), u^{-1} = u^0; A is fixed during the cycle.
    """
    n = cycle_length(time, fastest)
    tau = 3.0 * time / (n * (n + 1))
    before = now = u
    for j in range(n):
        a = (4 * j + 2) / (2 * j + 3)
        before, now = now, a * (now + tau * divergence(now, g)) + (1.0 - a) * before
    return now


def fed_cycle(u: Real, g: Conductances, time: float, fastest: float = 1.0) -> Real:
    """The same cycle as Euler steps tau_i = s tau_max / (2 cos^2(pi (2i+1) / (4n+2))), in a numerically kind order.

    s = 3 t / (tau_max n (n+1)). The order: ((k+1) kappa mod p) - 1 below n, p the smallest prime >= n+1, kappa ~ n/4.
    """
    n = cycle_length(time, fastest)
    scaled = 3.0 * time / (n * (n + 1))
    taus = [scaled / (2.0 * math.cos(math.pi * (2 * i + 1) / (4 * n + 2)) ** 2) for i in range(n)]
    prime = next(p for p in range(n + 1, 2 * n + 3) if all(p % d for d in range(2, p)) and p > 1)
    order = [(k + 1) * max(1, n // 4) % prime - 1 for k in range(prime - 1)]
    for i in order:
        if i < n:
            u = u + taus[i] * divergence(u, g)
    return u


def implicit_axis(u: Real, g: Real, tau: float) -> Real:
    """(I - tau A)^{-1} u along the first axis, A v = g (v(y+1) - v) + g (v(y-1) - v).

    Args:
        u: Right-hand side, shape (n, m); all columns are solved as one tridiagonal system.
        g: Conductances of the edges, shape (n-1, m).
        tau: Step.
    """
    above = np.zeros_like(u.T)
    above[:, 1:] = -tau * g.T
    above = above.ravel()
    below = np.roll(above, -1)
    out: Real = solve_banded((1, 1), [above, 1.0 - above - below, below], u.T.ravel()).reshape(u.T.shape).T
    return out


def aos_step(u: Real, g: Conductances, tau: float, fastest: float = 1.0) -> Real:
    """1/2 sum over the two axes of (I - 2 tau A_l)^{-1} u."""
    return 0.5 * (implicit_axis(u, g[0], 2.0 * tau) + implicit_axis(u.T, g[1].T, 2.0 * tau).T)


def euler_steps(time: float, name: str = "linear") -> int:
    """Euler steps when none are asked for, t = time, for `tv` 10 time: max(ceil(5 t), min(8, ceil(64 t)), 1)."""
    t = time * speed(name)
    return max(math.ceil(5.0 * t), min(8, math.ceil(64.0 * t)), 1)


def is_steep(name: str, steered: bool = False) -> bool:
    """Whether edges sharpen themselves, unless a steering picture tells where they are."""
    return name not in ("linear", "rational", "charbonnier", "tv") and not steered


def fed_cycles(time: float, name: str, steered: bool = False, *, auto: bool = False) -> int:
    """FED cycles taken when none are asked for: 4, or 8 below t = 1; steep diffusivities ceil(t); `auto` ceil(t / 5).

    t is the time, for `tv` 10 times as long.
    """
    t = time * speed(name)
    cycles = 8 if t < 1 else 4
    if is_steep(name, steered):
        cycles = max(cycles, math.ceil(t))
    return max(cycles, math.ceil(t / 5.0)) if auto else cycles


def aos_steps(time: float, name: str = "linear") -> int:
    """AOS steps taken when none are asked for, t = time, for `tv` 10 time: max(18, ceil(t / 5)).

    A mode along one axis errs by at most 1.5 (lambda t)^2 e^(-lambda t) / n to first order, 0.81 / n at lambda t = 2.
    """
    return max(18, math.ceil(time * speed(name) / 5.0))


def chosen(time: float, name: str, scheme: str, steps: int = 0, steered: bool = False) -> tuple[str, int]:
    """The scheme that `auto` takes, and how many steps are taken; `exact` has none."""
    t = time * speed(name)
    if scheme == "auto":
        if steps > 0:
            scheme = "explicit" if t <= TAU_MAX * steps else "fed"
        elif name == "linear":
            scheme = "exact"
        elif steered:
            scheme, steps = "fed", fed_cycles(time, name, steered, auto=True)
        elif t <= 4.0 or is_steep(name):
            scheme = "explicit"
        else:
            scheme, steps = "fed", fed_cycles(time, name, auto=True)
    if scheme == "exact":
        return scheme, 0
    if scheme == "fed":
        return scheme, steps or fed_cycles(time, name, steered)
    return scheme, steps or {"explicit": euler_steps, "aos": aos_steps}[scheme](time, name)


def elementary_steps(time: float, name: str, scheme: str, steps: int, steered: bool = False) -> int:
    """How often A, or its inverse, is applied: Euler or AOS steps, or the steps of all FED cycles; `exact` once."""
    scheme, steps = chosen(time, name, scheme, steps, steered)
    return steps * cycle_length(time / steps, speed(name)) if scheme == "fed" else max(steps, 1)


def diffuse_planes(
    planes: Sequence[Real],
    *,
    time: float,
    contrasts: Sequence[float],
    name: str = "rational",
    scheme: str = "explicit",
    steps: int = 0,
    steering: Steering | None = None,
    processed: Collection[int] | None = None,
) -> list[Real]:
    """The planes of a picture, each of shape (h, w), after `time` pixels^2; they evolve together.

    Args:
        planes: The planes, on one scale.
        time: Diffusion time; the linear equation blurs by a Gaussian of deviation sqrt(2 time).
        contrasts: K of each plane in the units of the planes; not used by `linear`.
        name: Diffusivity.
        scheme: `explicit`: `steps` Euler steps. `fed`: `steps` cycles, g renewed at the start of each. `aos`: `steps`
            steps. `exact`: the solution of the linear equation. `auto`: see `chosen`.
        steps: 0 takes `euler_steps`, `fed_cycles` or `aos_steps`.
        steering: What g is taken of; None: of each difference between neighbours.
        processed: Indices of the planes that change; None: all.
    """
    planes = list(planes)
    moving = range(len(planes)) if processed is None else processed
    scheme, steps = chosen(time, name, scheme, steps, steering is not None)
    if time == 0.0:
        return planes
    if scheme == "exact":
        assert name == "linear"
        return [spectral(u, lambda lam: exact_factor(lam, time)) if p in moving else u for p, u in enumerate(planes)]
    advance = {"explicit": euler_step, "fed": fsi_cycle, "aos": aos_step}[scheme]
    squared: list[Real] | None = None
    for _ in range(steps):
        if steering is not None and (squared is None or steering.guide is None):
            squared = steering.squared(planes)
        for p in moving:
            if squared is None:
                g = conductances(planes[p], name, contrasts[p])
            else:
                g = edge_means(diffusivity(name, squared[p], contrasts[p]))
            planes[p] = advance(planes[p], g, time / steps, speed(name))
    return planes


def diffuse(
    u: Real,
    *,
    time: float,
    contrast: float,
    name: str = "rational",
    scheme: str = "explicit",
    steps: int = 0,
    steering: Steering | None = None,
) -> Real:
    """A picture of one plane; see `diffuse_planes`."""
    [out] = diffuse_planes(
        [u], time=time, contrasts=[contrast], name=name, scheme=scheme, steps=steps, steering=steering
    )
    return out


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


def aos_factor(height: int, width: int, time: float, steps: int) -> Real:
    """What AOS makes of every mode, shape (h, w): [1/2 (1 / (1 + 2 tau lambda_x) + 1 / (1 + 2 tau lambda_y))]^steps."""
    lam = eigenvalues(height, width)
    tau = 2.0 * time / steps
    factor: Real = (0.5 / (1.0 + tau * lam[:1]) + 0.5 / (1.0 + tau * lam[:, :1])) ** steps
    return factor


def exact_factor(lam: Real, time: float) -> Real:
    """What the exact solution makes of a mode: e^(-lambda t)."""
    factor: Real = np.exp(-lam * time)
    return factor


def mode_factors(shape: tuple[int, int], time: float, scheme: str, steps: int = 0) -> Real:
    """What a scheme of linear diffusion makes of every mode, shape (h, w); arguments as in `diffuse`."""
    scheme, steps = chosen(time, "linear", scheme, steps)
    if scheme == "aos":
        return aos_factor(*shape, time, steps)
    lam = eigenvalues(*shape)
    if scheme == "exact":
        return exact_factor(lam, time)
    return {"explicit": euler_factor, "fed": fed_factor}[scheme](lam, time, steps)


@cache
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
