"""Interpolate: the temporal fill against its oracles, where frames are held, the rate and what frames say of time."""

from __future__ import annotations

import re
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import vapoursynth as vs

from cases import filter_cases
from reference import Real
from reference.interpolate import conductance
from support import (
    FORMATS,
    Video,
    assert_same,
    cached,
    frames_of,
    gray,
    make_clip,
    random_frames,
    read,
    read_frame,
    read_gray,
    uncached,
)

MOST = 2**31 - 1


@pytest.mark.parametrize("starts", [(), (1,), (2, 4)], ids=str)
@pytest.mark.parametrize("name", FORMATS)
def test_parity(core: Any, rng: np.random.Generator, name: str, starts: tuple[int, ...]) -> None:
    """Uncorrelated frames; the reference solves the equations of all times at once."""
    for case in filter_cases("Interpolate"):
        video = Video(name, 43, 21)
        case.check(video, random_frames(rng, video, 5), starts)


@pytest.mark.parametrize("name", ["GRAY8", "GRAY16", "GRAYH", "GRAYS"])
def test_parity_of_frames_that_agree_in_parts(core: Any, rng: np.random.Generator, name: str) -> None:
    """All conductances from 0 to 1 occur."""
    video = Video(name, 90, 60)
    samples = video.samples(0)
    first = rng.uniform(0.2, 0.5, (60, 90))
    share = np.linspace(0.0, 1.2, 90)
    second = 0.4 + np.clip(1.0 - share, 0.0, 1.0) * (first - 0.35) + share * rng.uniform(-0.2, 0.2, (60, 90))
    found = conductance(255.0 * first, 255.0 * second)
    assert found.min() == 0.0
    assert found.max() == 1.0
    assert np.mean((found > 0.1) & (found < 0.9)) > 0.1
    frames = [[samples.store(samples.peak * picture)] for picture in (first, second)]
    for case in filter_cases("Interpolate"):
        case.check(video, frames)


# Oracles


def modes(count: int) -> Real:
    """The cosine modes of a reflecting border, a row each, orthonormal."""
    n = np.arange(count)
    rows = np.cos(np.pi * np.outer(n, n + 0.5) / count) * np.sqrt(2.0 / count)
    rows[0] /= np.sqrt(2.0)
    return np.asarray(rows)


def harmonic_weight(mu: Real, t: int, length: int) -> Real:
    """sinh(theta t) / sinh(theta length) with 2 cosh(theta) = 2 + mu; t / length for mu = 0."""
    theta = np.arccosh(1.0 + np.maximum(mu, 1e-12) / 2.0)
    weight = np.exp(theta * (t - length)) * np.expm1(-2.0 * theta * t) / np.expm1(-2.0 * theta * length)
    return np.asarray(np.where(mu < 1e-12, t / length, weight))


@pytest.mark.parametrize("length", [2, 3, 4, 7, 16, 100])
def test_harmonic_between_pictures_that_have_nothing_in_common(
    core: Any, rng: np.random.Generator, length: int
) -> None:
    """A picture of all modes, and its negative, brighter: every mode is weighted as the formula says."""
    height, width = 24, 37
    first = rng.uniform(0.0, 1.0, (height, width)).astype(np.float32).astype(np.float64)
    last = (1.25 - first).astype(np.float32).astype(np.float64)
    assert np.all(conductance(255.0 * first, 255.0 * last) == 1.0)
    y, x = modes(height), modes(width)
    mu = 4.0 * np.add.outer(
        np.sin(np.pi * np.arange(height) / (2 * height)) ** 2, np.sin(np.pi * np.arange(width) / (2 * width)) ** 2
    )
    out = core.vdiff.Interpolate(gray(first, last), factor=length)
    for t in sorted({1, length // 2, length - 1}):
        spectrum = (y @ first @ x.T) * harmonic_weight(mu, length - t, length)
        spectrum += (y @ last @ x.T) * harmonic_weight(mu, t, length)
        assert np.abs(read_gray(out, t) - y.T @ spectrum @ x).max() < 2e-5


def test_a_single_mode(core: Any) -> None:
    """On a constant, against its negative: its contrast follows sinh."""
    height, width, length = 12, 40, 6
    n = np.arange(width)
    wave = np.broadcast_to(np.cos(np.pi * 20 * (n + 0.5) / width), (height, width))
    theta = np.arccosh(1.0 + 2.0 * np.sin(np.pi * 20 / (2 * width)) ** 2)
    out = core.vdiff.Interpolate(gray(0.3 + 0.2 * wave, 0.7 - 0.1 * wave), factor=length)
    for t in range(1, length):
        contrast = (0.2 * np.sinh(theta * (length - t)) - 0.1 * np.sinh(theta * t)) / np.sinh(theta * length)
        assert np.abs(read_gray(out, t) - (0.3 + 0.4 * t / length + contrast * wave)).max() < 2e-4 * 0.3


@pytest.mark.parametrize("name", ["GRAY8", "GRAY16", "GRAYS"])
def test_dissolve_of_what_differs_in_brightness(core: Any, rng: np.random.Generator, name: str) -> None:
    """Constants, and a picture that fades: linear in time, within rounding."""
    video = Video(name, 50, 30)
    samples = video.samples(0)
    picture = rng.uniform(0.1, 0.5, (30, 50))
    constants = np.full((30, 50), 0.1), np.full((30, 50), 0.9)
    for first, last in (constants, (picture, 0.3 + picture), (picture, 0.6 * picture)):
        stored = [samples.store(samples.peak * each) for each in (first, last)]
        a, b = (each.astype(np.float64) for each in stored)
        out = core.vdiff.Interpolate(make_clip(video, [[each] for each in stored]), factor=5)
        for t in range(1, 5):
            excess = samples.excess(read_frame(out, t)[0], a + t / 5 * (b - a))
            assert excess.max() <= 1e-4 * samples.step + 1e-6 * samples.peak


@pytest.mark.parametrize("name", FORMATS)
def test_still_pictures_stay(core: Any, rng: np.random.Generator, name: str) -> None:
    """Byte for byte."""
    video = Video(name, 37, 22)
    (frame,) = random_frames(rng, video, 1)
    out = core.vdiff.Interpolate(make_clip(video, [frame, frame]), factor=7)
    assert_same(read(out), [frame] * 14)


@pytest.mark.parametrize("name", ["GRAY8", "GRAY10", "GRAY16"])
@pytest.mark.parametrize("factor", [2, 3, 10])
def test_maximum_and_minimum(core: Any, rng: np.random.Generator, name: str, factor: int) -> None:
    """No new frame goes beyond the two that it lies between, but for what the expansion leaves out."""
    video = Video(name, 64, 40)
    samples = video.samples(0)
    low, high = 60.0 * samples.unit, 150.0 * samples.unit
    frames = [[samples.store(np.where(rng.uniform(size=(40, 64)) < 0.5, low, high))] for _ in range(2)]
    beyond = np.ceil(2e-4 * (high - low))
    for frame in read(core.vdiff.Interpolate(make_clip(video, frames), factor=factor)):
        assert frame[0].min() >= np.floor(low) - beyond
        assert frame[0].max() <= np.ceil(high) + beyond


def test_symmetry(core: Any, rng: np.random.Generator) -> None:
    """Mirrored, transposed and reversed clips: mirrored, transposed and reversed results."""
    video = Video("GRAY8", 41, 28)
    clip = make_clip(video, random_frames(rng, video, 2))
    std = core.std
    between = core.vdiff.Interpolate(clip, factor=4)[1:4]
    for turn in (std.FlipHorizontal, std.FlipVertical, std.Transpose):
        assert_same(read(core.vdiff.Interpolate(turn(clip), factor=4)[1:4]), read(turn(between)))
    back = read(core.vdiff.Interpolate(std.Reverse(clip), factor=4)[1:4])
    assert max(np.abs(a[0].astype(int) - b[0]).max() for a, b in zip(back, reversed(read(between)), strict=True)) <= 1


def test_what_is_no_number_stays_near(core: Any, rng: np.random.Generator) -> None:
    """NaN and infinity: where they are, and no further; nor do they change what is 5 pixels off in another way."""
    first, last = rng.uniform(0.0, 1.0, (2, 40, 60)).astype(np.float32)
    for bad in (np.nan, np.inf, 1e30):
        broken = first.copy()
        broken[20, 30] = bad
        shown = read_gray(core.vdiff.Interpolate(gray(broken, last), factor=3), 1)
        wild = ~np.isfinite(shown) | (np.abs(shown) > 10)
        assert [tuple(each) for each in np.argwhere(wild)] == [(20, 30)]


# Frames


@pytest.mark.parametrize("factor", [2, 5])
def test_given_frames_and_held_ones(core: Any, rng: np.random.Generator, factor: int) -> None:
    """Given frames are shown as they are and uncopied; the last one of the clip and of a scene is held."""
    video = Video("YUV420P8", 64, 32)
    clip = cached(make_clip(video, random_frames(rng, video, 6), starts=(0, 3)), 8)
    out = core.vdiff.Interpolate(clip, factor=factor)
    assert out.num_frames == 6 * factor
    for n in range(out.num_frames):
        k, t = divmod(n, factor)
        with clip.get_frame(k) as given, out.get_frame(n) as shown:
            same = [given.get_read_ptr(p).value == shown.get_read_ptr(p).value for p in video.planes]
        assert all(same) if t == 0 or k in (2, 5) else not any(same)


def test_only_two_frames_are_asked_for(core: Any, rng: np.random.Generator) -> None:
    video = Video("GRAY8", 16, 8)
    asked: list[int] = []
    clip = make_clip(video, random_frames(rng, video, 9))

    def note(n: int, f: Any) -> Any:
        asked.append(n)
        return f

    out = core.vdiff.Interpolate(uncached(core.std.ModifyFrame(clip, clip, note)), factor=4)
    for n, wanted in ((12, {3}), (21, {5, 6}), (23, {5, 6}), (35, {8})):
        asked.clear()
        out.get_frame(n).close()
        assert set(asked) == wanted


def props_of(clip: Any) -> list[dict[str, Any]]:
    """The properties of all frames."""
    return [dict(frame.props) for frame in frames_of(clip)]


def test_cuts_are_marked_for_the_new_rate(core: Any, rng: np.random.Generator) -> None:
    """The first frame of a scene alone starts it, the last alone ends it; the rest is the earlier frame's."""
    video = Video("GRAY8", 8, 8)
    given = [{"_SceneChangePrev": int(n == 2), "_SceneChangeNext": int(n == 1), "Number": n} for n in range(4)]
    shown = props_of(core.vdiff.Interpolate(make_clip(video, random_frames(rng, video, 4), props=given), factor=3))
    assert [n for n, props in enumerate(shown) if props["_SceneChangePrev"]] == [6]
    assert [n for n, props in enumerate(shown) if props["_SceneChangeNext"]] == [5]
    assert [props["Number"] for props in shown] == [n // 3 for n in range(12)]


def test_no_property_is_put_where_none_was(core: Any, rng: np.random.Generator) -> None:
    video = Video("GRAY8", 8, 8)
    bare = core.std.RemoveFrameProps(make_clip(video, random_frames(rng, video, 3)))
    assert props_of(core.vdiff.Interpolate(bare, factor=3)) == [{}] * 9


@pytest.mark.parametrize(
    ("rate", "factor", "wanted"),
    [
        ((24000, 1001), 2, (48000, 1001)),
        ((25, 2), 4, (50, 1)),
        ((30000, 1001), 77, (30000, 13)),
        ((1, 100), 100, (1, 1)),
    ],
)
def test_rate(core: Any, rate: tuple[int, int], factor: int, wanted: tuple[int, int]) -> None:
    """Reduced, and durations and times go with it."""
    clip = core.std.BlankClip(width=8, height=8, length=3, fpsnum=rate[0], fpsden=rate[1])
    clip = core.std.Splice([core.std.SetFrameProps(clip[n], _AbsoluteTime=n * rate[1] / rate[0]) for n in range(3)])
    out = core.vdiff.Interpolate(clip, factor=factor)
    assert (out.fps.numerator, out.fps.denominator) == wanted
    shown = props_of(out)
    assert {(props["_DurationNum"], props["_DurationDen"]) for props in shown} == {wanted[::-1]}
    times = [n * wanted[1] / wanted[0] for n in range(3 * factor)]
    assert [props["_AbsoluteTime"] for props in shown] == pytest.approx(times, rel=1e-12)


def test_variable_rate(core: Any) -> None:
    """Every frame's duration is divided; the clip's rate stays unknown."""
    clip = core.std.BlankClip(width=8, height=8, length=2, fpsnum=25)
    slow = core.std.SetFrameProps(core.std.AssumeFPS(clip, fpsnum=7), _AbsoluteTime=3.0)
    out = core.vdiff.Interpolate(core.std.Splice([clip, slow[:1]]), factor=3)
    assert out.fps == 0
    durations = [Fraction(props["_DurationNum"], props["_DurationDen"]) for props in props_of(out)]
    assert durations == [Fraction(1, 75)] * 6 + [Fraction(1, 21)] * 3
    assert [props.get("_AbsoluteTime") for props in props_of(out)[6:]] == pytest.approx([3, 3 + 1 / 21, 3 + 2 / 21])


def test_times_that_cannot_be_told(core: Any) -> None:
    """Durations that are none stay; one too short for 64 bits is left out; without any, new frames have no time."""
    clip = core.std.BlankClip(width=8, height=8, length=1, fpsnum=25)
    assert core.vdiff.Interpolate(clip, factor=2).get_frame(1).props["_DurationDen"] == 50

    def shown(**props: int | float) -> list[dict[str, Any]]:
        variable = core.std.Splice([clip, core.std.AssumeFPS(clip, fpsnum=7)])
        variable = core.std.RemoveFrameProps(variable, ["_DurationNum", "_DurationDen"])
        return props_of(core.vdiff.Interpolate(core.std.SetFrameProps(variable[0], **props), factor=2))

    assert shown(_DurationNum=0, _DurationDen=0) == [{"_DurationNum": 0, "_DurationDen": 0}] * 2
    assert shown(_DurationNum=5, _DurationDen=2**62) == [{}] * 2
    assert shown(_DurationNum=2, _DurationDen=2**62) == [{"_DurationNum": 1, "_DurationDen": 2**62}] * 2
    variable = core.std.Splice([clip, core.std.AssumeFPS(clip, fpsnum=7)])
    variable = core.std.RemoveFrameProps(core.std.SetFrameProps(variable, _AbsoluteTime=1.0), ["_DurationNum"])
    times = [props.get("_AbsoluteTime") for props in props_of(core.vdiff.Interpolate(variable, factor=2))]
    assert times == [1.0, None] * 2


@pytest.mark.parametrize(("count", "factor"), [(MOST, 2), (MOST // 2 + 1, 2), (MOST // 100 + 1, 100)])
def test_too_long(core: Any, count: int, factor: int) -> None:
    clip = core.std.BlankClip(width=8, height=8, length=count, format=vs.GRAY8, keep=True)
    said = f"Interpolate: clip times factor must be at most {MOST} frames, got {count} times {factor}: "
    with pytest.raises(vs.Error, match=f"^{re.escape(said)}"):
        core.vdiff.Interpolate(clip, factor=factor)
    longest = core.vdiff.Interpolate(clip[: MOST // factor], factor=factor)
    assert longest.num_frames == MOST // factor * factor
    longest.get_frame(longest.num_frames - 1).close()


def test_rate_that_does_not_fit(core: Any) -> None:
    clip = core.std.BlankClip(width=8, height=8, length=2, fpsnum=2**62, fpsden=5)
    with pytest.raises(vs.Error, match=r"^Interpolate: frames per second times factor must fit 64 bits, got "):
        core.vdiff.Interpolate(clip, factor=3)
    assert core.vdiff.Interpolate(clip, factor=5).fps == 2**62


@pytest.mark.parametrize("name", ["bikes.mp4", "carphone_pristine.mp4"])
def test_left_out_frames(core: Any, clips: Path, name: str) -> None:
    """Put back between their neighbours: no worse than the dissolve, on real clips within their scenes."""
    clip = core.bs.VideoSource(str(clips / name), cachemode=0)
    clip = core.std.ShufflePlanes(clip, 0, vs.GRAY)[40:72]
    new = core.vdiff.Interpolate(clip[::2], factor=2)[1:-1:2]
    mixed = core.std.Merge(clip[:-2:2], clip[2::2])
    left_out = clip[1:-1:2]

    def psnr(made: Any) -> float:
        pairs = zip(read(made), read(left_out), strict=True)
        return float(np.mean([-10 * np.log10(np.mean((a[0] / 255.0 - b[0] / 255.0) ** 2)) for a, b in pairs]))

    assert psnr(new) > psnr(mixed) - 0.02
