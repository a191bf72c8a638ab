"""Which frames do not fit between their neighbours, in float64 on thumbnails of the 8-bit scale.

This project's own. A run of frames s...s+L-1 stands between p = s-1 and q = s+L. It is *damaged* if each of its frames
lies outside of p and q, cell by cell, and is further from both of them, and from the frames beyond them, than frames
are here that follow each other. It is a *repeat* of p, in whose place something is missing, if none of it differs
from p and the jump to q is larger than the steps beside it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from . import Real
from .scenedetect import distance, motion, thumbnail

NEAR, AROUND = 4, 6
"""Frames on each side that say what is usual, and steps on each side without another repeat."""
FLOOR, CUT_FLOOR, CUT = 1.0, 5.0, 1.65
REPEATED, JUMP, STILL, GOES_ON = 0.05, 8.0, 0.1, 0.75
"""Part of a usual step that a repeat may differ; score of a jump twice as large as usual; a step that is none; part of
the jump that the frames beside it have to be from its far end."""
RAISED, DARKENED, ALIKE, FEWEST = 2.0, 0.1, 0.5, 20
"""What makes a flash: how much brighter its cells are, how much darkening there may be, how alike and how many."""
PART, SHARE = 0.25, 0.08
"""Cells that count are outside by this part of the most; a frame that fails has this share of them at least."""
THRESHOLD, MAX_GAP = 2.0, 3


@dataclass(frozen=True)
class Run:
    """A run of frames that is replaced: `length` from `start` on."""

    start: int
    length: int

    def conflicts(self, other: Run) -> bool:
        """Whether one has frames of the other or those beside it."""
        return other.start <= self.start + self.length and self.start <= other.start + other.length


def outside(f: Real, p: Real, q: Real) -> Real:
    """By how much each cell of f is above (positive) or below (negative) those of p and q."""
    above, below = np.maximum(f - np.maximum(p, q), 0.0), np.maximum(np.minimum(p, q) - f, 0.0)
    return np.asarray(above - below)


def is_flash(f: Real, p: Real, q: Real) -> bool:
    """Whether a frame is p and q with more light: brighter, and brighter parts still are the brighter ones."""
    out, between = outside(f, p, q), (p + q) / 2
    if -out[out < 0].sum() > DARKENED * out[out > 0].sum():
        return False
    raised = out > RAISED
    if raised.sum() < FEWEST:
        return False
    a, b = f[raised] - f[raised].mean(), between[raised] - between[raised].mean()
    product, power = float((a * b).sum()), float((a * a).sum())
    if power <= 0.01 * raised.sum():
        return False
    return product > 0 and product**2 > ALIKE**2 * power * float((b * b).sum())


def is_thing(f: Real, p: Real, q: Real) -> bool:
    """Whether what is outside of p and q is a small part of the picture, a thing that passes."""
    out = np.abs(outside(f, p, q))
    return float(np.mean(out > PART * out.max())) < SHARE


def spread(cells: Sequence[Real], m: int, far: int) -> float:
    """How far frame m lies outside of those so far before and after it."""
    return float(np.abs(outside(cells[m], cells[m - far], cells[m + far])).mean())


def usual_step(cells: Sequence[Real], p: int, q: int) -> float:
    """The upper quartile of the steps before p and after q."""
    around = [*range(max(0, p - NEAR), p), *range(q, min(len(cells) - 1, q + NEAR))]
    steps = sorted(distance(cells[m], cells[m + 1]) for m in around)
    return steps[len(steps) * 3 // 4] if steps else 0.0


def is_cut(cells: Sequence[Real], p: int, q: int) -> bool:
    """Whether all frames up to p are far from all that follow from q on, as SceneDetect tells it."""
    before, after = range(max(0, p - NEAR), p + 1), range(q, min(len(cells), q + NEAR + 1))
    change = min([motion(cells[p], cells[q]), *(distance(cells[i], cells[j]) for i in before for j in after)])
    return change > CUT * (CUT_FLOOR + usual_step(cells, p, q))


def damage(cells: Sequence[Real], start: int, length: int) -> float:
    """How far the frame of the run that fits best is from fitting, in relation to what is usual."""
    count, p, q = len(cells), start - 1, start + length
    run = range(start, q)
    sides = [
        [spread(cells, m, length) for m in side if length <= m < count - length]
        for side in (range(p - length - NEAR + 1, p - length + 1), range(q + length, q + length + NEAR))
    ]
    usual = min((sorted(side)[len(side) * 3 // 4] for side in sides if side), default=0.0)
    most = max(0.5 * distance(cells[p], cells[q]), usual_step(cells, p, q))
    beyond = [*range(max(0, p - length - 1), p), *range(q + 1, min(count, q + length + 2))]
    score = np.inf
    for f in run:
        near = min(motion(cells[p], cells[f]), motion(cells[q], cells[f]))
        near = min([near, *(distance(cells[f], cells[m]) for m in beyond)])
        score = min(score, near - most, float(np.abs(outside(cells[f], cells[p], cells[q])).mean()))
    if score <= 0 or any(is_flash(cells[f], cells[p], cells[q]) or is_thing(cells[f], cells[p], cells[q]) for f in run):
        return 0.0
    return score / (FLOOR + usual)


def repeat(cells: Sequence[Real], start: int, length: int) -> float:
    """How much larger the jump after a repeat is than the steps beside it."""
    count, p, q = len(cells), start - 1, start + length
    if p == 0 or q == count - 1:
        return 0.0
    step = max(distance(cells[p - 1], cells[p]), distance(cells[q], cells[q + 1]))
    around = [
        distance(cells[m], cells[m + 1])
        for m in [*range(max(0, p - AROUND), p), *range(q - 1, min(count - 1, q + AROUND))]
    ]
    jump = distance(cells[p], cells[q])
    if min(distance(cells[p - 1], cells[q]), distance(cells[p], cells[q + 1])) < GOES_ON * jump:
        return 0.0
    if any(distance(cells[p], cells[f]) > REPEATED * step for f in range(start, q)) or min(around) <= REPEATED * step:
        return 0.0
    return JUMP * max(0.0, jump / (STILL + step) - 1.0)


def scores(pictures: Real, max_gap: int = MAX_GAP) -> dict[Run, float]:
    """Of every run within a clip, shape (frames, h, w), luma or the mean of R, G and B."""
    cells = [thumbnail(picture) for picture in pictures]
    found = {}
    for n in range(1, max_gap + 1):
        for s in range(1, len(cells) - n):
            score = max(damage(cells, s, n), repeat(cells, s, n))
            found[Run(s, n)] = 0.0 if score > 0 and is_cut(cells, s - 1, s + n) else score
    return found


def repairs(found: dict[Run, float], threshold: float = THRESHOLD) -> list[Run]:
    """The runs that are replaced: above the threshold, and none in conflict is longer, or as long and better.

    Of equals the first is taken.
    """
    above = {run: score for run, score in found.items() if score > threshold}

    def order(run: Run) -> tuple[int, float, int]:
        return run.length, above[run], -run.start

    return [run for run in above if all(order(run) >= order(other) for other in above if run.conflicts(other))]
