"""Pictures between two given ones by diffusion in time and space, solved as the block-tridiagonal system that it is.

u(t+1) - 2 u(t) + u(t-1) = K u(t), 0 < t < T, with u(0) and u(T) given and K of -div(c grad) on the 4-neighbour grid: no
expansion, no eigenvalues. Equations of all times are one matrix.
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from reference import Real

WINDOW = 4
NOISE = 4.0


def mean_of_81(u: Real) -> Real:
    """Of the 9x9 pixels around, those beyond the border being copies of its own."""
    for axis in (0, 1):
        u = np.pad(u, [(WINDOW, WINDOW) if a == axis else (0, 0) for a in (0, 1)], mode="edge")
        count = u.shape[axis] - 2 * WINDOW
        u = np.mean([np.take(u, range(k, k + count), axis) for k in range(9)], axis=0)
    return u


def conductance(first: Real, last: Real) -> Real:
    """Of pixels, from pictures on the 8-bit scale."""
    half, mean = 0.5 * (last - first), 0.5 * (last + first)
    p, q = (np.maximum(mean_of_81(u * u) - mean_of_81(u) ** 2, 0.0) for u in (half, mean))
    return np.clip(10.0 * p / (p + q + NOISE) - 4.5, 0.0, 1.0)


def links(c: Real) -> tuple[Real, Real]:
    """From each pixel to the one right of it, and to the one below."""
    return np.minimum(c[:, 1:], c[:, :-1]), np.minimum(c[1:], c[:-1])


def apply(u: Real, across: Real, down: Real) -> Real:
    """K u."""
    out = np.zeros_like(u)
    flow = across * (u[:, 1:] - u[:, :-1])
    out[:, :-1] -= flow
    out[:, 1:] += flow
    flow = down * (u[1:] - u[:-1])
    out[:-1] -= flow
    out[1:] += flow
    return out


def between(first: Real, last: Real, length: int, c: Real | None = None) -> Real:
    """All pictures between, on the scale of the given ones; by conjugate gradients on all times at once.

    Args:
        first: The picture at time 0, on the 8-bit scale.
        last: That at time `length`.
        length: T.
        c: Conductances of pixels; by default those that the pictures have.

    Returns:
        The pictures 1 ... T-1, shape (T-1, h, w).
    """
    across, down = links(conductance(first, last) if c is None else c)
    weights = (np.arange(1, length) / length)[:, None, None]
    dissolve = first + weights * (last - first)

    def system(u: Real) -> Real:
        out = 2.0 * u + np.stack([apply(each, across, down) for each in u])
        out[1:] -= u[:-1]
        out[:-1] -= u[1:]
        return out

    # What is to be added to the dissolve, which has no second difference in time.
    residual = -np.stack([apply(each, across, down) for each in dissolve])
    added = np.zeros_like(dissolve)
    direction, power = residual.copy(), float(np.sum(residual**2))
    while power > 1e-20 * residual.size:
        moved = system(direction)
        step = power / float(np.sum(direction * moved))
        added += step * direction
        residual -= step * moved
        direction, power = residual + float(np.sum(residual**2)) / power * direction, float(np.sum(residual**2))
    return dissolve + added


def interpolate(x: Real, unit: float, factor: int, starts: Collection[int] = ()) -> Real:
    """All frames of a plane, (frames, h, w), times `factor`; `unit` is one of the 8-bit scale."""
    out = []
    for n, picture in enumerate(x):
        held = n + 1 == len(x) or n + 1 in starts
        out.append(picture[None])
        if held:
            out.append(np.repeat(picture[None], factor - 1, axis=0))
        else:
            out.append(unit * between(picture / unit, x[n + 1] / unit, factor))
    return np.concatenate(out)
