"""Diffusion of a frame with those around it, in time and then in space, in float64.

In time, one implicit Euler step of the graph that joins each neighbour to the frame in the middle: the linear system
`(I + W L) u = x` is solved for all frames of the volume at once (`propagator`). In space, Perona and Malik's explicit
scheme (IEEE TPAMI 12(7), 1990) with the rational diffusivity. What steers both are squared differences averaged over a
neighbourhood (`window_mean`), in the spirit of Catte, Lions, Morel, Coll, SIAM J. Numer. Anal. 29, 1992. The noise is
told from the second difference along both axes of Immerkaer, CVIU 64(2), 1996, by its median.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import ive
from scipy.stats import norm

from . import Real
from .diffuse import lower_median

SLOPE = 0.02
"""Beyond kt^2, g falls as the rational diffusivity of contrast sqrt(SLOPE) * kt."""
SAMPLED_ROWS = 64
SMALLEST_CONTRAST = 0.001


@dataclass(frozen=True)
class Volume:
    """What becomes of a volume.

    Attributes:
        middle: The frame in the middle: the output.
        after_time: All frames after the step in time, the middle one first.
        variance: What that step leaves of the variance of white noise in the middle frame, at each pixel.
    """

    middle: Real
    after_time: Real
    variance: Real


def window(deviation: float, radius: int) -> Real:
    """The heat kernel of a variance, cut off at a radius; the last weights take what lies beyond."""
    if deviation == 0.0:
        return np.ones(1)
    half = ive(np.arange(400), deviation**2)
    half[radius] += half[radius + 1 :].sum()
    half = half[: radius + 1]
    half[0] = 1.0 - 2.0 * half[1:].sum()
    return np.concatenate([half[:0:-1], half])


def window_mean(values: Real, weights: Real) -> Real:
    """Means over both axes of what was padded by the radius on every side."""
    rows = sum(w * values[k : len(values) - len(weights) + 1 + k] for k, w in enumerate(weights))
    columns = np.transpose(rows)
    means = sum(w * columns[k : len(columns) - len(weights) + 1 + k] for k, w in enumerate(weights))
    return np.transpose(np.asarray(means))


def mirrored(u: Real, reach: int) -> Real:
    """The picture continued by its mirror image: ... 1 0 | 0 1 ..."""
    return np.pad(u, reach, mode="symmetric")


def time_radius(rho: float) -> int:
    """Of the window over differences in time."""
    return math.ceil(1.5 * rho)


def space_radius(rho: float) -> int:
    """Of the window over differences in space, half as wide."""
    return math.ceil(0.5 * rho)


def time_diffusivity(middle: Real, other: Real, kt: float, rho: float) -> Real:
    """G of the edge between two frames, at each pixel."""
    radius = time_radius(rho)
    s2 = window_mean(mirrored((other - middle) ** 2, radius), window(rho, radius))
    return 1.0 / (1.0 + np.maximum(s2 - kt**2, 0.0) / (SLOPE * kt**2))


def propagator(g: Sequence[Real], coupling: float) -> Real:
    """(I + coupling * L)^-1 at each pixel, shape (h, w, n, n); frame 0 is joined to frame i with conductance g[i-1]."""
    n = 1 + len(g)
    matrix = np.zeros((*g[0].shape, n, n))
    matrix[..., range(n), range(n)] = 1.0
    for i, each in enumerate(g, start=1):
        for a, b in ((0, i), (i, 0)):
            matrix[..., a, a] += coupling * each
            matrix[..., a, b] -= coupling * each
    return np.linalg.inv(matrix)


def space_step(u: Real, variance: Real, tau: float, k: float, rho: float) -> Real:
    """One Euler step. Squared differences are those of the mirrored picture."""
    radius = space_radius(rho)
    weights = window(0.5 * rho, radius)
    wide = mirrored(u, radius + 1)
    change = np.zeros_like(u)
    for axis in (0, 1):
        squares = np.diff(wide, axis=axis) ** 2
        # Edges before and after each pixel of this axis; of the other one, as many as the window needs.
        other = 1 - axis
        squares = np.take(squares, range(1, squares.shape[other] - 1), axis=other)
        s2 = np.take(window_mean(squares, weights), range(1, u.shape[axis]), axis=axis)
        f2 = 0.5 * (np.take(variance, range(1, u.shape[axis]), axis=axis) + np.take(
            variance, range(u.shape[axis] - 1), axis=axis))  # fmt: skip
        flux = np.diff(u, axis=axis) / (1.0 + s2 / (f2 * k**2))
        none = np.zeros_like(np.take(u, [0], axis=axis))
        change += np.diff(np.concatenate([none, flux, none], axis=axis), axis=axis)
    return u + tau * change


def diffuse3d(
    middle: Real,
    around: Sequence[Real],
    *,
    time: float = 1.0,
    k: float,
    kt: float,
    weight: float = 9.0,
    rho: float = 2.0,
    steps: int = 0,
) -> Volume:
    """Diffuse a frame with those around it.

    Args:
        middle: The frame, shape (h, w).
        around: The frames around it.
        time: In space; in time it is `weight` times as long.
        k: Contrast in space of a frame as it comes, in the units of the frames.
        kt: Contrast in time.
        weight: Of time against space.
        rho: Deviation of the window over squared differences in time; in space it is half as wide.
        steps: In space; 0: the fewest that are stable.
    """
    frames = [middle, *around]
    if around:
        inverse = propagator([time_diffusivity(middle, other, kt, rho) for other in around], weight * time)
        after = np.einsum("yxij,jyx->iyx", inverse, np.stack(frames))
        variance = (inverse[..., 0, :] ** 2).sum(axis=-1)
    else:
        after, variance = np.stack(frames), np.ones_like(middle)
    steps = steps or max(1, math.ceil(4.0 * time))
    u = after[0]
    for _ in range(steps):
        u = space_step(u, variance, time / steps, k, rho)
    return Volume(u, after, variance)


def second_difference(u: Real) -> Real:
    """[1 -2 1; -2 4 -2; 1 -2 1] / 6 at every inner pixel."""
    rows = u[:-2] - 2.0 * u[1:-1] + u[2:]
    return np.asarray(rows[:, :-2] - 2.0 * rows[:, 1:-1] + rows[:, 2:]) / 6.0


def deviation(u: Real) -> float | None:
    """The deviation of a plane's noise, None if there is nothing to tell it from."""
    if min(u.shape) < 3:
        return None
    rows = np.abs(second_difference(u)[:: max(1, len(u) // SAMPLED_ROWS)])
    kept = [row[row.nonzero()[0][0] : row.nonzero()[0][-1] + 1] for row in rows if row.any()]
    return lower_median(np.concatenate(kept)) / float(norm.ppf(0.75)) if kept else None


def noise(middle: Real, nearest: Sequence[Real], *, fresh: bool) -> float:
    """The deviation of a frame's noise.

    Args:
        middle: The frame.
        nearest: The frames before and after it, what there is of them.
        fresh: Whether their noise is independent and as strong.
    """
    alone = deviation(middle) or 0.0
    changes = [deviation(middle - other) for other in nearest]
    witnesses = [change / math.sqrt(2.0) if fresh else change for change in changes if change is not None]
    return max(min([alone, *witnesses]), 0.5 * alone)
