"""How long something takes. Things to compare are measured in turn, and ratios are those of one turn.

A machine whose speed drifts slows all that is measured in the same turn; the median of the turns' ratios leaves out
the turn in which it changed.
"""

from __future__ import annotations

import gc
import math
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import vapoursynth as vs

from .settings import NotThereError

type Measurement = Callable[[int], float]
"""Seconds that so many frames take."""

ROUNDS = 5
SECONDS = 0.06
"""What a measurement should take at least: a hundred times what starting and waking threads takes."""
STEADY = 10
"""And frames it should take at least, unless they take STEADY_SECONDS: the first ones are of memory never touched."""
STEADY_SECONDS = 0.3
BUDGET = 3.0
"""What all rounds of one measurement may take; of what takes longer there are fewer rounds, down to one."""
MOST = 5000
"""Frames of a measurement."""


@dataclass(frozen=True)
class Plan:
    """What to measure.

    Attributes:
        measure: The measurement.
        least: Frames, at least.
        seconds: What it should take, at least.
    """

    measure: Measurement
    least: int = 1
    seconds: float = SECONDS


@dataclass(frozen=True)
class Result:
    """Measurements of one thing.

    Attributes:
        frames: Frames of each.
        seconds: What each took.
    """

    frames: int
    seconds: tuple[float, ...]

    @property
    def fps(self) -> float:
        """The median."""
        return self.frames / statistics.median(self.seconds)


def less(a: Result, b: Result) -> Result:
    """What a took beyond as many frames of b, and half of it at least: less would be noise."""
    pairs = zip(a.seconds, b.seconds, strict=False)
    return Result(a.frames, tuple(max(0.5 * own, own - a.frames / b.frames * other) for own, other in pairs))


def ratio(a: Result, b: Result) -> float:
    """How many times as fast a is as b: the median of the rounds that both have."""
    pairs = zip(a.seconds, b.seconds, strict=False)
    return a.frames / b.frames * statistics.median(other / own for own, other in pairs)


def frames_of(clip: vs.VideoNode) -> Iterator[vs.VideoFrame]:
    """Its frames, its own cache off, as vspipe has it: else the first twenty were all of memory never touched."""
    vs.core.std.SetVideoCache(clip, mode=0)
    yield from clip.frames(close=True)


def played(make: Callable[[int], vs.VideoNode]) -> Measurement:
    """A clip of so many frames, made anew each time, so that no cache holds what it shows.

    The clock stops at the last frame: after it VapourSynth has Python look for garbage, which takes as long as a
    hundred frames.
    """

    def seconds(frames: int) -> float:
        gc.collect()  # the clip of the last time, and what it holds
        shown = frames_of(make(frames))
        start = time.perf_counter()
        for _ in range(frames):
            next(shown)
        return time.perf_counter() - start

    return seconds


def called(call: Callable[[Any], object], inputs: Sequence[Any]) -> Measurement:
    """A function of arrays in memory, one call for a frame."""

    def seconds(frames: int) -> float:
        start = time.perf_counter()
        for n in range(frames):
            call(inputs[n % len(inputs)])
        return time.perf_counter() - start

    return seconds


def calibrated(plan: Plan) -> tuple[int, float]:
    """How many frames to measure, and the seconds that they took. It warms up, too."""
    frames = plan.least
    while True:
        taken = plan.measure(frames)
        if taken < 5 * plan.seconds:  # or it may only have been held up
            taken = min(taken, plan.measure(frames))
        aim = max(plan.seconds, min(STEADY_SECONDS, STEADY * taken / frames))
        if taken >= aim or frames == MOST:
            return frames, taken
        frames = min(MOST, max(2 * frames, math.ceil(1.2 * frames * aim / max(taken, 1e-4))))


def in_turn(plans: dict[str, Plan], rounds: int = ROUNDS) -> tuple[dict[str, Result], dict[str, str]]:
    """Measures each once in every round.

    Args:
        plans: What to measure, by name.
        rounds: Rounds of what does not take too long. What takes so long that there is one is not run again for it.

    Returns:
        What was measured, and of what cannot be measured here the reason, by name.
    """
    gc.unfreeze()  # or what has gone since would never be found: clips
    gc.collect()
    gc.freeze()  # what is there now need not be looked through after each measurement
    found, missing = {}, {}
    for name, plan in plans.items():
        try:
            found[name] = calibrated(plan)
        except NotThereError as reason:
            missing[name] = str(reason)
    turns = {name: max(1, min(rounds, int(BUDGET / taken))) for name, (_, taken) in found.items()}
    seconds = {name: [taken] if turns[name] == 1 else [] for name, (_, taken) in found.items()}
    for _ in range(rounds):
        for name, (frames, _) in found.items():
            if len(seconds[name]) < turns[name]:
                seconds[name].append(plans[name].measure(frames))
    return {name: Result(frames, tuple(seconds[name])) for name, (frames, _) in found.items()}, missing
