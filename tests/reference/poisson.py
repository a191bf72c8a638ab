"""Poisson's equation on the masked pixels of a picture, by a sparse direct solver in float64.

Source: Pérez, Gangnet and Blake, Poisson Image Editing, SIGGRAPH 2003, equations 7 (the system), 11 (the guide's
gradients) and 12 (mixed gradients).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csc_matrix
from scipy.sparse.linalg import spsolve

from . import Real

Mask = NDArray[np.bool_]
NEIGHBOURS = ((0, 1), (0, -1), (1, 0), (-1, 0))


def union(mask: Mask, subsampling: tuple[int, int]) -> Mask:
    """Which pixels of a plane that is subsampled, across and down, cover any masked pixel."""
    across, down = subsampling
    height, width = mask.shape
    return np.asarray(mask.reshape(height // down, down, width // across, across).any(axis=(1, 3)))


def blend(
    picture: Real, guide: Real, mask: Mask, mixed: bool = False, margin: float = 0.0, trust: Mask | None = None
) -> Real:
    """The picture, in the mask solved for: of each pixel and its neighbours, sum(u_i - u_j) = sum(v_ij).

    Args:
        picture: Of shape (height, width).
        guide: v_ij are its differences,
        mask: where this is True, somewhere it must be False.
        mixed: Whether v_ij are the picture's differences where those are larger,
        margin: by more than this.
        trust: Where it is False for one of two pixels, v_ij is 0 instead.
    """
    count = int(mask.sum())
    if count == 0:
        return picture.copy()
    height, width = picture.shape
    y, x = np.nonzero(mask)
    number = np.full(mask.shape, -1)
    number[y, x] = np.arange(count)
    diagonal, right = np.zeros(count), np.zeros(count)
    rows, columns = [np.arange(count)], [np.arange(count)]
    links = []
    for dy, dx in NEIGHBOURS:
        inside = (y + dy >= 0) & (y + dy < height) & (x + dx >= 0) & (x + dx < width)
        i = np.flatnonzero(inside)
        here, there = (y[i], x[i]), (y[i] + dy, x[i] + dx)
        wanted, own = guide[here] - guide[there], picture[here] - picture[there]
        wanted = np.where(mixed & (np.abs(own) > np.abs(wanted) + margin), own, wanted)
        right[i] += wanted if trust is None else np.where(trust[here] & trust[there], wanted, 0.0)
        diagonal[i] += 1
        known = ~mask[there]
        right[i[known]] += picture[there][known]
        rows.append(i[~known])
        columns.append(number[there][~known])
        links.append(np.full(int((~known).sum()), -1.0))
    values = np.concatenate([diagonal, *links])
    system = csc_matrix((values, (np.concatenate(rows), np.concatenate(columns))), (count, count))
    out = picture.copy()
    out[y, x] = spsolve(system, right)
    return out
