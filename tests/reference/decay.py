"""Exponential memory along time, in float64 and never truncated.

`mean` is the first-order recursive average (exponential smoothing: Brown 1956). `maximum` keeps what is furthest from
rest, the new frame or the decayed past: a trail; `minimum` the same below white. `total` adds the decayed past to the
frame, `fade` is a closed form. But for `mean` the formulas are this project's own definitions.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from typing import Any

import numpy as np

from . import Real


def factor(*, rate: float | None = None, halflife: float | None = None) -> float:
    """Weight of the past after one frame, q = e^-rate = 2^(-1 / halflife)."""
    if rate is not None:
        return math.exp(-rate)
    assert halflife is not None
    return math.exp2(-1.0 / halflife)


def memory(q: float, levels: float) -> int:
    """W, the first number of frames after which the past, `levels` output steps high, weighs less than half a step."""
    return max(1, math.floor(math.log(0.5 / levels) / math.log(q)) + 1)


def mean(x: Real, q: float, starts: Collection[int] = ()) -> Real:
    """y_n = (1 - q) x_n + q y_{n-1}; y = x at frame 0 and at each of `starts`. Shape (frames, h, w)."""
    y = np.empty_like(x)
    for n, frame in enumerate(x):
        y[n] = frame if n == 0 or n in starts else (1.0 - q) * frame + q * y[n - 1]
    return y


def maximum(
    x: Real, q: float, rest: float, *, signed: bool, floor: float, starts: Collection[int] = (), margin: float = 0.0
) -> Real:
    """Trails: the outcomes that the definition allows, shape (3, frames, h, w); without `margin` all three are one.

    Deviation of a frame: e = max(0, x - rest), or x - rest when `signed` (chroma). The trail is q d_{n-1}; it is
    kept as d_n where |trail| > |e|, else d_n = e. Where it is kept and is at least `floor`, the output is rest + trail,
    else x; for unsigned planes that is max(x, rest + trail). At frame 0 and at each of `starts` there is no past.

    Args:
        x: Frames, shape (frames, h, w).
        q: Weight of the past after one frame.
        rest: Black or neutral.
        signed: Whether deviations have a sign.
        floor: The smallest trail that shows.
        starts: Frames that begin a scene.
        margin: Comparisons closer than this may fall either way: the second outcome takes the trail, the third x, where
            the first one is not sure; a trail whose sign is not sure is followed with both signs.
    """
    outcomes = np.empty((3, *x.shape))
    deviation = x - rest if signed else np.maximum(x - rest, 0.0)
    d = other = np.zeros(x.shape[1:])  # `other`: equal to d, or its opposite where the sign hangs on the margin
    for n, e in enumerate(deviation):
        fresh = n == 0 or n in starts
        trail, rival = (np.zeros_like(d), np.zeros_like(d)) if fresh else (q * d, q * other)
        surplus = np.abs(trail) - np.abs(e)
        kept = surplus > 0.0
        unsure_kept = (np.abs(surplus) <= margin) & (not fresh)
        shown = kept & (np.abs(trail) >= floor)
        unsure = (unsure_kept & (np.abs(trail) >= floor - margin)) | (kept & (np.abs(np.abs(trail) - floor) <= margin))
        unsure &= not fresh
        outcomes[0, n] = np.where(shown, rest + trail, x[n])
        outcomes[1, n] = np.where(shown | unsure, rest + rival, x[n])
        outcomes[2, n] = np.where(unsure, x[n], outcomes[0, n])
        d = np.where(kept, trail, e)
        flipped = np.select([d * e < 0.0, d * trail < 0.0, d * rival < 0.0], [e, trail, rival], d)
        other = np.where(unsure_kept, flipped, np.where(kept, rival, e))
    return outcomes


def minimum(x: Real, q: float, white: float, **args: Any) -> Real:
    """Dark trails of a plane that is not chroma, d_n = max(white - x_n, q d_{n-1}) below white: those of the negative.

    `args` are those of `maximum`, and so is the shape.
    """
    return -maximum(-x, q, -white, signed=False, **args)


def total(
    x: Real, q: float, rest: float, *, signed: bool, low: float, high: float, starts: Collection[int] = ()
) -> Real:
    """y_n = x_n + q d_{n-1}, d = max(0, y - rest), or y - rest when `signed` (chroma). Shape (frames, h, w).

    The sum ends at `low` and `high`, or at x where that is beyond them. At frame 0 and at each of `starts` y = x.
    """
    y = np.empty_like(x)
    d = np.zeros(x.shape[1:])
    for n, frame in enumerate(x):
        past = 0.0 * d if n in starts else q * d
        y[n] = np.clip(frame + past, np.minimum(frame, low), np.maximum(frame, high))
        d = y[n] - rest if signed else np.maximum(y[n] - rest, 0.0)
    return y


def fade(x: Real, q: float, rest: float) -> Real:
    """y_n = rest + (x_n - rest) q^n. Shape (frames, h, w)."""
    return rest + (x - rest) * q ** np.arange(len(x))[:, None, None]
