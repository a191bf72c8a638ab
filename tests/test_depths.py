"""One scale for every depth: the same picture at 8...16 bit, half and float gives the same picture within rounding."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from cases import CASES, Case
from reference import Samples
from support import Frames, Video, make_clip, random_frames, read, stack

SIZE = (45, 29)
COUNT = 12


def resolution(case: Case, samples: Samples) -> float:
    """Half a step of the output, and for a truncated average another half, in parts of the peak."""
    halves = 2.0 if case.filter == "Decay" else 1.0
    return 0.5 * halves * samples.step / samples.peak


def slack(case: Case) -> float:
    """What the arithmetic may add, in parts of the peak.

    Dividing by the peak rounds. `Shock` takes second derivatives, whose sum of weights is 8, over a unit of the 8-bit
    scale, times up to half the gradient: half an ulp, 2^-25, may become 2^-14; half of that is more than enough.
    `Interpolate` takes variances as differences of squares up to 2^14, whose roundings, some 2^-10, over the 4 that
    stand for noise, times 10, the slope of conductances, are a part of what neighbours change a pixel by.
    """
    return {"Shock": 2.0**-15, "Interpolate": 2.0**-14}.get(case.filter, 2.0**-17)


@pytest.mark.parametrize("name", ["GRAY8", "GRAY9", "GRAY10", "GRAY12", "GRAY14", "GRAY16", "RGB24", "RGB30", "RGB48"])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_integers_agree_with_float(core: Any, rng: np.random.Generator, case: Case, name: str) -> None:
    """The float picture is the integer one divided by its peak. Full range, so that black is 0 in both."""
    whole = Video(name, *SIZE, full=True)
    single = Video("RGBS" if name.startswith("RGB") else "GRAYS", *SIZE)
    peak = whole.samples(0).peak
    frames = random_frames(rng, whole, COUNT)
    divided: Frames = [[(plane / peak).astype(np.float32) for plane in frame] for frame in frames]
    by_integer = read(case.apply(make_clip(whole, frames, starts=(7,))))
    by_float = read(case.apply(make_clip(single, divided, starts=(7,))))
    for p in whole.planes:
        result, exact = stack(by_integer, p) / peak, np.clip(stack(by_float, p), 0.0, 1.0)
        bound = resolution(case, whole.samples(p)) + slack(case)
        error = np.abs(result - exact).max()
        assert error <= bound, f"plane {p}: {error * peak:.3f} steps"
        assert np.abs(result[-COUNT:] - stack(frames, p) / peak).max() > bound, "nothing was changed"


@pytest.mark.parametrize("name", ["GRAY", "RGB", "YUV444P", "YUV420P"])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_half_agrees_with_float(core: Any, rng: np.random.Generator, case: Case, name: str) -> None:
    """On the same numbers, the result of half is float's, rounded to nearest even."""
    half = Video(name + "H", *SIZE)
    single = Video(name + "S", *SIZE)
    frames = random_frames(rng, half, COUNT)
    wide: Frames = [[plane.astype(np.float32) for plane in frame] for frame in frames]
    by_half = read(case.apply(make_clip(half, frames)))
    by_single = read(case.apply(make_clip(single, wide)))
    for p in half.planes:
        excess = half.samples(p).excess(np.stack([f[p] for f in by_half]), stack(by_single, p))
        assert excess.max() <= 2.0**-20


@pytest.mark.parametrize("case", CASES, ids=str)
@pytest.mark.parametrize("names", [("GRAY8", "GRAY16"), ("RGB24", "RGB48")], ids=str)
def test_8_bit_agrees_with_16_bit(core: Any, rng: np.random.Generator, case: Case, names: tuple[str, str]) -> None:
    """Any 8-bit picture times 257 is the same picture at 16 bit."""
    narrow, wide = (Video(name, *SIZE, full=True) for name in names)
    frames = random_frames(rng, narrow, COUNT)
    scaled: Frames = [[plane.astype(np.uint16) * 257 for plane in frame] for frame in frames]
    by_narrow = read(case.apply(make_clip(narrow, frames)))
    by_wide = read(case.apply(make_clip(wide, scaled)))
    halves = 2.0 if case.filter == "Decay" else 1.0
    for p in narrow.planes:
        error = np.abs(stack(by_narrow, p) - stack(by_wide, p) / 257.0)
        assert error.max() <= 0.5 * halves * (1 + 1 / 257.0) + 2.0**-10
