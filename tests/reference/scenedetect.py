"""Scores of cuts, in float64 on the 8-bit scale.

`mse` and `mad` are means over pixels. `histogram` is the earth mover's distance between histograms (Rubner, Tomasi and
Guibas 2000), in one dimension the area between cumulative histograms. `adaptive` is this project's own: a change that
parts all frames before from all after, in relation to the motion around it, as adaptive detectors relate the change
from one frame to the next to its neighbours'.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from . import Real

COLUMNS, ROWS = 64, 32
REACH, NEAR, FLOOR = 6, 4, 5.0
"""Frames that a cut parts on each side, frames from whose motion it stands out, and what is added to that motion."""
THRESHOLDS = {"adaptive": 1.4, "mse": 2500.0, "mad": 35.0, "histogram": 20.0}


def thumbnail(picture: Real) -> Real:
    """Means of 64x32 cells, fewer if the picture has fewer pixels; of cells of 16 rows and more, every h//8-th row."""
    height, width = picture.shape
    rows, columns = min(ROWS, height), min(COLUMNS, width)
    y, x = np.arange(rows + 1) * height // rows, np.arange(columns + 1) * width // columns
    bands = [picture[a : b : max(1, (b - a) // 8)].mean(axis=0) for a, b in pairwise(y)]
    return np.array([[band[a:b].mean() for a, b in pairwise(x)] for band in bands])


def distance(a: Real, b: Real, dx: int = 0, dy: int = 0) -> float:
    """Mean |a(x, y) - b(x + dx, y + dy)| where both are."""
    height, width = a.shape
    ours = a[max(0, -dy) : height - max(0, dy), max(0, -dx) : width - max(0, dx)]
    theirs = b[max(0, dy) : height - max(0, -dy), max(0, dx) : width - max(0, -dx)]
    return float(np.abs(ours - theirs).mean())


def shift(a: Real, b: Real) -> int:
    """d, |d| <= n/8, for which the profiles a(x), b(x + d) differ least inside; the smallest if several do."""
    most = len(a) // 8
    inside = np.arange(most, len(a) - most)
    order = sorted(range(-most, most + 1), key=lambda d: (abs(d), -d))
    return min(order, key=lambda d: float(np.abs(a[inside] - b[inside + d]).sum()))


def motion(a: Real, b: Real) -> float:
    """Distance of two thumbnails, one of them shifted along either axis, along both or not at all."""
    dx, dy = shift(a.mean(axis=0), b.mean(axis=0)), shift(a.mean(axis=1), b.mean(axis=1))
    return min(distance(a, b, x, y) for x in {0, dx} for y in {0, dy})


def adaptive(pictures: Real) -> Real:
    """Scores of frames, shape (frames, h, w), luma or the mean of R, G and B."""
    cells = [thumbnail(picture) for picture in pictures]
    count = len(cells)
    moved = np.array([0.0, *(motion(a, b) for a, b in pairwise(cells))])
    scores = np.zeros(count)
    for n in range(1, count):
        apart = [
            distance(cells[i], cells[j]) for i in range(max(0, n - REACH), n) for j in range(n, min(count, n + REACH))
        ]
        around = [moved[m] for m in range(max(0, n - NEAR), min(count, n + NEAR + 1)) if m != n]
        scores[n] = min([moved[n], *apart]) / (FLOOR + max(around))
    return scores


def differences(planes: Real, power: int) -> Real:
    """Scores of frames, shape (frames, planes, h, w): the mean of |difference| to a power."""
    changes = np.abs(np.diff(planes, axis=0)) ** power
    return np.concatenate([[0.0], changes.mean(axis=(1, 2, 3))])


def histogram(planes: Real, working: float) -> Real:
    """Scores of frames, shape (frames, planes, h, w): histograms of 256 equal parts of the working scale.

    That scale is `working` times the 8-bit scale: an 8-bit value v has the part floor(v).
    """
    parts = np.clip(np.floor(np.round(planes * working, 6)), 0, 255).reshape(*planes.shape[:2], -1)
    # Of as many samples on both sides, what has to be moved is the difference of the sorted samples.
    return np.concatenate([[0.0], np.abs(np.diff(np.sort(parts, axis=2), axis=0)).mean(axis=(1, 2))])


def cuts(scores: Real, threshold: float, min_length: int = 1) -> list[int]:
    """Frames that start a scene: above the threshold, and no better one (of equals: earlier one) is too near.

    What is too near to the start of the clip does not count.
    """
    found = []
    for n in range(min_length, len(scores)):
        near = range(max(min_length, n - min_length + 1), min(len(scores), n + min_length))
        beaten = any(scores[m] > scores[n] or (scores[m] == scores[n] and m < n) for m in near)
        if scores[n] > threshold and not beaten:
            found.append(n)
    return found
