"""Inpainting in float64: sparse direct solvers, and edge-enhancing diffusion from coarse to fine.

Sources of the formulas: Weickert and Welk, Tensor Field Interpolation with PDEs, 2006 (inpainting by edge-enhancing
diffusion); Damelin and Hoang, On Surface Completion and Image Inpainting by Biharmonic Functions, 2018.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import label, maximum_filter
from scipy.sparse import csr_matrix, diags, eye, kron
from scipy.sparse.linalg import spsolve

from . import Real
from .poisson import Mask, blend
from .tensordiffuse import apply_stencil, cycle_length, diffusion_tensor, stencil

CYCLES, CYCLE_TIME = 8, 20.0
"""Of edge-enhancing diffusion, on each level."""
WINDOW = 4
"""Pixels on each side of one whose changes tell whether it stands still."""


def laplacian(height: int, width: int) -> csr_matrix:
    """The 5-point operator -div grad on all pixels of a plane, nothing across its border."""

    def along(n: int) -> csr_matrix:
        ends = np.r_[1.0, np.full(max(n - 2, 0), 2.0), 1.0][:n] if n > 1 else np.zeros(1)
        links = np.full(n - 1, -1.0)
        return csr_matrix(diags([links, ends, links], [-1, 0, 1], shape=(n, n)))

    return csr_matrix(kron(along(height), eye(width)) + kron(eye(height), along(width)))


def harmonic(u: Real, mask: Mask) -> Real:
    """Laplace's equation at masked pixels, of shape (height, width)."""
    return blend(u, np.zeros_like(u), mask)


def biharmonic(u: Real, mask: Mask) -> Real:
    """L L u = 0 at masked pixels, what minimises the sum of (L u)^2."""
    unknown = mask.ravel()
    out: Real = np.where(unknown, 0.0, u.ravel())
    operator = laplacian(*mask.shape)
    system = csr_matrix(operator @ operator)[unknown]
    if unknown.any():
        out[unknown] = spsolve(system[:, unknown].tocsc(), -(system @ out))
    return out.reshape(mask.shape)


def margin(sigma: float) -> int:
    """Pixels around a hole whose structure counts."""
    return 8 + math.ceil(3 * sigma)


def groups(mask: Mask, reach: int) -> list[Mask]:
    """The masked pixels in sets, those within `reach` of each other along both axes in the same one."""
    if reach == 0:
        labels, count = label(mask)
    else:
        # Squares around pixels that are this far apart touch.
        size = 2 * mask.shape[0] - 1, 2 * mask.shape[1] - 1
        fine = np.zeros(size, bool)
        fine[::2, ::2] = mask
        labels, count = label(maximum_filter(fine, 2 * reach + 1), np.ones((3, 3)))
        labels = labels[::2, ::2]
    return [mask & (labels == i) for i in range(1, count + 1)]


def halve(u: Real, mask: Mask) -> tuple[Real, Mask]:
    """Means of the known ones of 2 x 2 pixels, and where there is none."""
    height, width = mask.shape
    pad = (0, height % 2), (0, width % 2)
    shape = (height + 1) // 2, 2, (width + 1) // 2, 2
    known = np.pad(~mask, pad).reshape(shape)
    count = known.sum(axis=(1, 3))
    total = (np.pad(np.where(mask, 0.0, u), pad).reshape(shape)).sum(axis=(1, 3))
    return np.where(count > 0, total / np.maximum(count, 1), 0.0), np.asarray(count == 0)


def refine(u: Real, height: int, width: int) -> Real:
    """Bilinear, twice the size, cut to this one."""

    def along(v: Real, n: int) -> Real:
        i = np.arange(n)
        beside = np.clip(i // 2 + np.where(i % 2 == 1, 1, -1), 0, len(v) - 1)
        return np.asarray(0.75 * v[i // 2] + 0.25 * v[beside])

    return along(along(u, height).T, width).T


def eed_level(u: Real, mask: Mask, contrast: float, sigma: float) -> Real:
    """Cycles of edge-enhancing diffusion at masked pixels."""
    n = cycle_length(CYCLE_TIME)
    tau = 3.0 * CYCLE_TIME / (n * (n + 1))
    for _ in range(CYCLES):
        d = diffusion_tensor(u, mode="eed", contrast=contrast, sigma=sigma, rho=0.0, alpha=0.0)
        weights = stencil(d)
        before = now = u
        for j in range(n):
            a = (4 * j + 2) / (2 * j + 3)
            before, now = now, np.where(mask, a * (now + tau * apply_stencil(weights, now)) + (1.0 - a) * before, u)
        u = now
    return u


def eed_box(u: Real, mask: Mask, contrast: float, sigma: float, known: Real | None = None) -> Real:
    """From coarse to fine; each level limited to the range of the box's known pixels."""
    if not mask.any():
        return u
    known = u[~mask] if known is None else known
    coarse = eed_box(*halve(u, mask), contrast, sigma, known)
    level = eed_level(np.where(mask, refine(coarse, *mask.shape), u), mask, contrast, sigma)
    return np.where(mask, np.clip(level, known.min(), known.max()), u)


def eed(u: Real, mask: Mask, contrast: float, sigma: float) -> Real:
    """Each set of masked pixels in the box around it, contrast in the units of u per pixel."""
    out = u.copy()
    m = margin(sigma)
    for group in groups(mask, m):
        y, x = np.nonzero(group)
        box = np.s_[max(y.min() - m, 0) : y.max() + m + 1, max(x.min() - m, 0) : x.max() + m + 1]
        out[box] = np.where(group[box], eed_box(u[box], mask[box], contrast, sigma), out[box])
    return out


def nearest(clip: Real, masks: NDArray[np.bool_], frames: range) -> tuple[Real, Real]:
    """Of each pixel, the first one of these frames that has it unmasked, and how many they are up to there; else 0."""
    value, count = np.zeros(clip.shape[1:]), np.zeros(clip.shape[1:])
    for i, m in enumerate(frames, 1):
        take = (count == 0) & ~masks[m]
        value[take], count[take] = clip[m][take], i
    return value, count


def windowed(x: Real) -> Real:
    """Sums over a square of WINDOW pixels on each side, as far as there are any."""
    padded = np.pad(x, WINDOW)
    size = 2 * WINDOW + 1
    return np.asarray(np.lib.stride_tricks.sliding_window_view(padded, (size, size)).sum(axis=(2, 3)))


def still(
    clip: Real, masks: NDArray[np.bool_], n: int, scene: range, temporal: int, threshold: float
) -> tuple[Real, Mask]:
    """Frame n with masked pixels from others where nothing moves; and those that are left.

    Args:
        clip: Frames of shape (frames, height, width).
        masks: Of the same shape.
        n: The frame.
        scene: The frames of its scene.
        temporal: How many frames each way are looked at.
        threshold: Of the mean change in a window.
    """
    u, mask = clip[n], masks[n]
    before, b = nearest(clip, masks, range(n - 1, max(n - temporal, scene[0]) - 1, -1))
    after, a = nearest(clip, masks, range(n + 1, min(n + temporal, scene[-1]) + 1))
    both = (a > 0) & (b > 0)
    value = np.where(both, (before * a + after * b) / np.where(both, a + b, 1.0), before + after)
    shown = a + b > 0
    if mask.all():
        return np.where(shown, value, u), ~shown
    tells = np.where(mask, both, shown)
    change = np.where(tells, np.where(mask, np.abs(after - before), np.abs(u - value)), 0.0)
    weight = windowed(tells.astype(np.float64))
    trust = np.where(weight > 0, windowed(change) <= threshold * weight, False)
    for group in groups(mask, 2 * WINDOW):  # where a window tells nothing, the box around it does
        y, x = np.nonzero(group)
        near = WINDOW + 1
        cut = np.s_[max(y.min() - near, 0) : y.max() + near + 1, max(x.min() - near, 0) : x.max() + near + 1]
        calm = tells[cut].any() and change[cut].sum() <= threshold * tells[cut].sum()
        trust[cut] = np.where(weight[cut] > 0, trust[cut], calm)
    trust &= shown
    return blend(u, value, mask, trust=trust), np.asarray(mask & ~trust)
