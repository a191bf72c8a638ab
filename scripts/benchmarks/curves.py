"""Curves: the time of a frame and the memory it takes over the pixels, threads, steps, half-lives, ... of a filter.

A record is a curve:

    curve, over             what is measured, and over what
    points                  where
    milliseconds            of a frame, the median
    slope                   of the logarithm of the time over that of the point, by least squares: 1 is proportional
    megabytes               by how much the peak of resident memory, once the filter is made, is above that before it,
                            with as many frames asked for at once as there are threads
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import vapoursynth as vs

from .measuring import Plan, in_turn, played
from .peers import Apply, applied, hole, scattered
from .settings import SIZES, NotThereError, Setting
from .works import WORKS, Work, diffuse, grid, spread

core = vs.core

ROUNDS = 3
ALOFT = 4
"""Frames for each thread while memory is measured."""
KEPT = 8
"""Frames whose memory the host may have kept when the clip is made: fewer are gone at a time."""
SETTLED = 0.005
"""Seconds after which the host's threads have let go of frames that are closed."""

type Record = dict[str, Any]


@dataclass(frozen=True)
class Point:
    """A point of a curve.

    Attributes:
        at: Where it is.
        setting: The frames.
        family: Of the formats.
        apply: The filter.
        least: Frames of a measurement, at least.
    """

    at: float
    setting: Setting
    family: str
    apply: Apply
    least: int = 1

    def played(self, frames: int) -> vs.VideoNode:
        """The filter on so many frames, of few different ones."""
        return applied(self.apply, self.setting.clip(self.family, frames, frames=4))


@dataclass(frozen=True)
class Curve:
    """What is measured at some points.

    Attributes:
        name: The filter, and what of it.
        over: What the points are.
        points: The points.
    """

    name: str
    over: str
    points: tuple[Point, ...]

    def measured(self, rounds: int = ROUNDS) -> Record:
        """Measures it."""
        plans = {}
        for point in self.points:

            def seconds(frames: int, point: Point = point) -> float:
                core.num_threads = point.setting.threads
                return played(point.played)(frames)

            plans[str(point.at)] = Plan(seconds, max(point.least, point.setting.threads))
        results, missing = in_turn(plans, rounds)
        if missing:
            raise NotThereError(f"{self.name} over {self.over}: {missing}")
        times = [1e3 / results[str(point.at)].fps for point in self.points]
        at = [point.at for point in self.points]
        with ThreadPoolExecutor(2) as pool:
            resident = list(pool.map(self.resident, range(len(self.points))))
        slope = np.polyfit(np.log(at), np.log(times), 1)[0]
        return {
            "curve": self.name,
            "over": self.over,
            "points": at,
            "milliseconds": [float(f"{each:.4g}") for each in times],
            "slope": round(float(slope), 3),
            "megabytes": [round(each / 1e6, 1) for each in resident],
        }

    def resident(self, number: int) -> int:
        """Bytes at a point, in a process of its own."""
        command = [sys.executable, "-P", "-m", "benchmarks", "resident", self.name, self.over, str(number)]
        # Memory that malloc keeps from before would be used again, unseen; and its threshold rises unless it is set.
        settings = {"GLIBC_TUNABLES": "glibc.malloc.mmap_threshold=65536", "PYTHONPATH": os.pathsep.join(sys.path)}
        return int(subprocess.check_output(command, env=os.environ | settings))


def status(key: str) -> int:
    """A line of /proc/self/status, in bytes."""
    text = Path("/proc/self/status").read_text(encoding="utf-8")
    return 1024 * int(text.split(f"{key}:")[1].split()[0])


def print_resident(name: str, over: str, number: int) -> None:
    """By how much the peak of this process rises above what it has before the filter."""
    (curve,) = (curve for curve in curves() if (curve.name, curve.over) == (name, over))
    point = curve.points[number]
    core.num_threads = point.setting.threads
    frames = max(point.least, ALOFT * point.setting.threads)
    clip = point.setting.clip(point.family, frames, frames=4)
    for _ in clip.frames(close=True):
        pass
    # The host keeps the memory of frames that are gone. Take it, or the filter would use it again, unseen.
    taken = list(core.std.BlankClip(clip, length=KEPT).frames())
    before = status("VmRSS")
    shown = point.played(frames)
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew: what it took to make masks is gone
    core.std.SetVideoCache(shown, mode=0)  # as frames_of
    # Those that are asked for at once are kept until all are there: not as many as who is faster allows.
    for first in range(0, frames, point.setting.threads):
        numbers = range(first, min(first + point.setting.threads, frames))
        for frame in [future.result() for future in [shown.get_frame_async(n) for n in numbers]]:
            frame.close()
        time.sleep(SETTLED)
    print(max(0, status("VmHWM") - before))
    del taken


def over_sizes(work: Work) -> Curve:
    """A work on pictures of all sizes."""
    settings = [Setting(size, "8", 2) for size in SIZES]
    points = (Point(s.width * s.height, s, work.family, work.apply, min(work.least, 64)) for s in settings)
    return Curve(work.name, "pixels", tuple(points))


def over_threads(work: Work) -> Curve:
    """A work with more and more threads, some of them more than there are cores."""
    settings = [Setting("1080p", "8", threads) for threads in (1, 2, 4)]
    return Curve(
        work.name, "threads", tuple(Point(s.threads, s, work.family, work.apply, work.least) for s in settings)
    )


def over_values(
    name: str, over: str, values: tuple[float, ...], make: Callable[[Any], Apply], family: str = "GRAY", least: int = 1
) -> Curve:
    """A filter with values of an argument, on 1080p of 8 bits."""
    setting = Setting("1080p", "8", 2)
    return Curve(name, over, tuple(Point(value, setting, family, make(value), least) for value in values))


def vdiff(filter_name: str, argument: str, **args: Any) -> Callable[[Any], Apply]:
    """Filters by the value of an argument."""
    return lambda value: lambda clip: getattr(core.vdiff, filter_name)(clip, **{argument: value}, **args)


def taps(count: float) -> Apply:
    """Spread with a square of taps."""
    return spread(grid(int(count)))


def masked(make: Callable[[int, int, int], vs.VideoNode], mode: str, count: float) -> Apply:
    """Inpaint of so many masked pixels."""
    return lambda clip: core.vdiff.Inpaint(clip, make(clip.width, clip.height, int(count)), mode=mode)


def dots(width: int, height: int, pixels: int) -> vs.VideoNode:
    """Masked pixels at random."""
    return scattered(width, height, pixels / (width * height))


def curves() -> Iterator[Curve]:
    """All of them."""
    for work in WORKS:
        yield over_sizes(work)
    for work in WORKS:
        yield over_threads(work)
    steps = (1, 2, 5, 10, 20, 50, 100)
    yield over_values("Diffuse-explicit", "steps", steps, lambda n: diffuse(time=n / 5, scheme="explicit", steps=n))
    yield over_values("Diffuse-aos", "steps", steps[:6], lambda n: diffuse(time=5 * n, scheme="aos", steps=n))
    times = (1, 4, 16, 64, 256)
    yield over_values("Diffuse-fed", "time", times, vdiff("Diffuse", "time", scheme="fed", steps=4))
    yield over_values(
        "Diffuse-fed, as many cycles as are accurate", "time", times, vdiff("Diffuse", "time", scheme="fed")
    )
    yield over_values(
        "Diffuse-exact", "time", (*times, 1024), vdiff("Diffuse", "time", diffusivity="linear", scheme="exact")
    )
    yield over_values("TensorDiffuse", "time", (1, 4, 16, 64), vdiff("TensorDiffuse", "time"))
    yield over_values("Shock", "time", (1, 4, 16), vdiff("Shock", "time"))
    yield over_values("Diffuse3D", "radius", (1, 2, 4, 7), vdiff("Diffuse3D", "radius"), least=4)
    yield over_values("Spread", "taps", (1, 9, 25, 49), taps, "YUV420")
    for shape in ("rect", "cross", "disc"):
        yield over_values(f"Dilate-{shape}", "radius", (1, 4, 16, 64), vdiff("Dilate", "radius", shape=shape))
    lives = (1, 3, 10, 30, 100, 300)
    for mode in ("max", "sum", "mean"):
        decay = vdiff("Decay", "halflife", mode=mode)
        yield over_values(f"Decay-{mode}", "half-life", lives, decay, "YUV420", least=256)
    for mode in ("harmonic", "biharmonic", "eed"):
        fill = partial(masked, hole, mode)
        yield over_values(f"Inpaint-{mode}, one box", "masked pixels", (1e4, 3e4, 1e5, 3e5), fill)
    yield over_values(
        "Inpaint-harmonic, scattered", "masked pixels", (1e4, 3e4, 1e5, 3e5, 1e6), partial(masked, dots, "harmonic")
    )


def selected(names: list[str], overs: list[str]) -> Iterator[Curve]:
    """Those asked for, by name or by its first parts."""
    for curve in curves():
        if names and not any(f"{curve.name}-".startswith(f"{name}-") for name in names):
            continue
        if not overs or curve.over in overs:
            yield curve


def line(record: Record) -> str:
    """A curve in a line."""
    points = "  ".join(
        f"{at:g}: {ms:g} ms, {mb:g} MB"
        for at, ms, mb in zip(record["points"], record["milliseconds"], record["megabytes"], strict=True)
    )
    return f"{record['curve']} over {record['over']}: slope {record['slope']:.2f}   {points}"
