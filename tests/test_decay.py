"""Decay against its reference, its closed forms and FFmpeg: averages, trails, sums, cuts, black, white and neutral.

The reference recursion is never truncated. `mean` and `sum` may differ from it by what they are allowed to forget, half
a step of the output, and by rounding.
"""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import vapoursynth as vs

from cases import FILTERS, Case, filter_cases
from reference import Real
from reference import decay as reference
from support import (
    Frames,
    Video,
    assert_same,
    assert_stored,
    gray,
    make_clip,
    random_frames,
    read,
    read_frame,
    read_gray,
    stack,
)
from vs_vdiff import ffmpeg

FORMATS = ("GRAY8", "YUV420P8", "YUV422P10", "YUV444P16", "RGB24", "RGBH", "YUV444PS")
HALFLIVES = (0.5, 2.0, 5.0, 13.5, 40.0, 200.0)
MODES = ("mean", "max", "min", "sum")
"""The modes with memory."""
every_halflife = pytest.mark.parametrize("halflife", HALFLIVES)
every_mode = pytest.mark.parametrize("mode", MODES)
old_property = pytest.mark.filterwarnings("ignore:The _ColorRange frame property has been deprecated")


def decay_case(**args: Any) -> Case:
    """A case of the filter with these arguments."""
    return Case("Decay", args, FILTERS["Decay"][0])


def flashes(rng: np.random.Generator, video: Video, count: int, mode: str = "max") -> Frames:
    """Random frames, most of them dim, in `min` next to white, so that trails of the others last."""
    frames = random_frames(rng, video, count)
    for n in range(count):
        if n % 9:
            for p in video.planes:
                samples = video.samples(p)
                goal = samples.white if mode == "min" and not samples.chroma else samples.rest
                frames[n][p] = samples.store(goal + (frames[n][p] - goal) * rng.uniform(0.0, 0.1))
    return frames


# The reference itself.


def test_reference_mean_is_the_weighted_sum(rng: np.random.Generator) -> None:
    """y_n = q^n x_0 + (1 - q) sum of q^j x_{n-j}, j < n."""
    x, q = rng.uniform(0.0, 1.0, (12, 2, 3)), 0.7
    weights = np.array([(1 - q) * q**j for j in range(11)] + [q**11])
    assert np.allclose(reference.mean(x, q)[11], np.tensordot(weights, x[::-1], 1), atol=1e-14)


def test_reference_max_is_the_largest_of_the_decayed_past(rng: np.random.Generator) -> None:
    x, q = rng.uniform(0.0, 1.0, (12, 2, 3)), 0.7
    past = q ** np.arange(12)[:, None, None] * x[::-1]
    trails = reference.maximum(x, q, 0.0, signed=False, floor=0.0)
    assert np.allclose(trails[:, 11], past.max(axis=0), atol=1e-14)
    signed = reference.maximum(x - 0.5, q, 0.0, signed=True, floor=0.0)[0, 11]
    past = q ** np.arange(12)[:, None, None] * (x[::-1] - 0.5)
    furthest = np.take_along_axis(past, np.abs(past).argmax(axis=0)[None], 0)[0]
    assert np.allclose(signed, furthest, atol=1e-14)


def test_reference_min_is_the_smallest_of_the_decayed_past(rng: np.random.Generator) -> None:
    x, q = rng.uniform(0.0, 1.0, (12, 2, 3)), 0.7
    past = 1.0 - q ** np.arange(12)[:, None, None] * (1.0 - x[::-1])
    trails = reference.minimum(x, q, 1.0, floor=0.0)
    assert np.allclose(trails[:, 11], past.min(axis=0), atol=1e-14)


def test_reference_total_is_the_sum_of_the_decayed_past(rng: np.random.Generator) -> None:
    """Within bounds; of an impulse train with period P it is (1 - q^(m P)) / (1 - q^P) after m impulses."""
    x, q = rng.uniform(0.0, 1.0, (12, 2, 3)), 0.7
    past = q ** np.arange(12)[:, None, None] * (x[::-1] - 0.5)
    sums = reference.total(x, q, 0.5, signed=True, low=-100.0, high=100.0)
    assert np.allclose(sums[11], 0.5 + past.sum(axis=0), atol=1e-13)
    train = np.tile([1.0, 0.0, 0.0], 5)[:, None, None]
    sums = reference.total(train, q, 0.0, signed=False, low=0.0, high=9.0)
    assert np.allclose(sums[::3, 0, 0], (1 - q ** (3 * np.arange(1, 6))) / (1 - q**3), atol=1e-14)
    sums = reference.total(train, q, 0.0, signed=False, low=0.0, high=1.25)
    assert sums[:5, 0, 0].tolist() == pytest.approx([1.0, q, q * q, 1.25, 1.25 * q])


def test_frames_of_memory() -> None:
    """The table of oracles: frames of memory at 8 and 16 bit for a = 0.5, 0.25, 0.1, 0.05."""
    table = {0.5: (9, 17), 0.25: (22, 41), 0.1: (60, 112), 0.05: (122, 230)}
    for a, frames in table.items():
        assert (reference.memory(1 - a, 255), reference.memory(1 - a, 65535)) == frames


# Parity.


@pytest.mark.parametrize("name", FORMATS)
@every_mode
@every_halflife
def test_parity(core: Any, rng: np.random.Generator, halflife: float, mode: str, name: str) -> None:
    """Over two cuts; long enough that short half-lives forget and begin anew several times."""
    video = Video(name, 23, 9)
    frames = flashes(rng, video, 120, mode)
    decay_case(halflife=halflife, mode=mode).check(video, frames, starts=(47, 52))


@pytest.mark.parametrize("name", FORMATS)
@every_halflife
def test_parity_of_fade(core: Any, rng: np.random.Generator, halflife: float, name: str) -> None:
    """Cuts change nothing: it has no past."""
    video = Video(name, 23, 9)
    decay_case(halflife=halflife, mode="fade", scenechange=0).check(video, random_frames(rng, video, 40), starts=(9,))


@pytest.mark.parametrize(
    ("halflife", "name"),
    [
        *((halflife, name) for halflife in (5.0, 40.0) for name in ("YUV420P8", "GRAY10", "GRAY16", "GRAYS")),
        (200.0, "GRAY8"),
    ],
)
@every_mode
def test_parity_over_several_memories(
    core: Any, rng: np.random.Generator, halflife: float, mode: str, name: str
) -> None:
    """A clip without a cut, two and a half times as long as the memory."""
    video = Video(name, 8, 4)
    levels = 255 if video.format.bits_per_sample == 8 else 65535
    count = int(2.5 * reference.memory(reference.factor(halflife=halflife), levels)) + 3
    decay_case(halflife=halflife, mode=mode).check(video, flashes(rng, video, count, mode))


@pytest.mark.parametrize("case", filter_cases("Decay"), ids=str)
def test_several_cuts(core: Any, rng: np.random.Generator, case: Case) -> None:
    """Cuts next to each other, at the first and at the last frame."""
    video = Video("YUV420P8", 20, 10)
    frames = flashes(rng, video, 40, case.args.get("mode", "mean"))
    case.check(video, frames, starts=(0, 1, 7, 8, 9, 25, 39))


@every_mode
@every_halflife
def test_black_white_flip_is_forgotten_in_time(core: Any, mode: str, halflife: float) -> None:
    """The worst case of a truncated past: long white, then black, and the reverse."""
    q = reference.factor(halflife=halflife)
    count = min(reference.memory(q, 255), 600)
    wave = np.repeat([255, 0, 255, 0], count)
    x = np.stack([wave, 255 - wave], axis=1)[:, None, :]
    frames: Frames = [[frame.astype(np.uint8)] for frame in x]
    video = Video("GRAY8", 2, 1, full=True)
    decay_case(halflife=halflife, mode=mode).check(video, frames)


@every_mode
@pytest.mark.parametrize("name", FORMATS)
def test_rate_is_halflife(core: Any, rng: np.random.Generator, mode: str, name: str) -> None:
    """Rate = ln 2 / halflife. The two q may differ in their last place: by a step where a tie is rounded."""
    video = Video(name, 19, 8)
    clip = make_clip(video, flashes(rng, video, 30, mode))
    by_rate = read(core.vdiff.Decay(clip, rate=np.log(2.0) / 5.0, mode=mode))
    by_halflife = read(core.vdiff.Decay(clip, halflife=5, mode=mode))
    for p in video.planes:
        samples = video.samples(p)
        bound = 1.0 if not samples.is_float else 2.0 ** (-10 if samples.bits == 16 else -20)
        difference = np.abs(stack(by_rate, p) - stack(by_halflife, p))
        assert difference.max() <= bound
        assert np.mean(difference > 0) < 0.01


# Every mode, and FFmpeg.


@pytest.mark.parametrize(("mode", "step"), [("mean", 0), ("max", 0), ("min", 1), ("sum", 0), ("fade", 1)])
@pytest.mark.parametrize("halflife", HALFLIVES)
def test_step_decays_by_q_per_frame(core: Any, halflife: float, mode: str, step: int) -> None:
    """A step from 1 to 0 leaves q^n, in `min` one from 0 to 1; `fade` leaves q^n of a constant."""
    q = reference.factor(halflife=halflife)
    before = np.full((2, 3), 1 if mode == "fade" else 1 - step)
    clip = gray(before, *[np.full((2, 3), step)] * 40)
    out = np.array([frame[0][1, 2] for frame in read(core.vdiff.Decay(clip, halflife=halflife, mode=mode))])
    left = 1 - out if mode == "min" else out
    assert np.abs(left - q ** np.arange(41)).max() < 2.0**-17 + 1e-6


@pytest.mark.parametrize("halflife", [2.0, 5.0, 40.0])
def test_lagfun(core: Any, clips: Path, halflife: float) -> None:
    """FFmpeg's light trails of a real clip, from its first frame on, within a step: grey, full range, no cut."""
    clip = core.bs.VideoSource(str(clips / "bikes.mp4"), cachemode=0)[77:137]
    clip = core.std.SetFrameProps(core.std.ShufflePlanes(clip, 0, vs.GRAY), _Range=1)
    frames = np.stack([frame[0] for frame in read(clip)])
    command = [ffmpeg.find(), "-v", "error", "-f", "rawvideo", "-pix_fmt", "gray", "-s", f"{clip.width}x{clip.height}"]
    command += ["-i", "-", "-vf", f"lagfun=decay={reference.factor(halflife=halflife)}", "-f", "rawvideo", "-"]
    done = subprocess.run(command, input=frames.tobytes(), stdout=subprocess.PIPE, check=True)
    wanted = np.frombuffer(done.stdout, np.uint8).reshape(frames.shape)
    trails = stack(read(core.vdiff.Decay(clip, halflife=halflife, mode="max")), 0)
    assert np.abs(trails - wanted).max() <= 1
    assert np.mean(wanted > frames + 2) > 0.02, "no trails"


# mean.


@every_halflife
@pytest.mark.parametrize("name", ["GRAY8", "YUV420P10", "GRAY16", "RGBH", "YUV420PS"])
def test_constant_stays_in_mean(core: Any, rng: np.random.Generator, name: str, halflife: float) -> None:
    """To the byte, however long: an average that rounds to one side would drift."""
    video = Video(name, 33, 10)
    frames = [random_frames(rng, video, 1)[0]] * 300
    assert_same(read(core.vdiff.Decay(make_clip(video, frames), halflife=halflife)), frames)


@pytest.mark.parametrize("halflife", [0.5, 2.0, 5.0])
@pytest.mark.parametrize("name", ["GRAY8", "GRAYS"])
def test_white_noise_loses_variance(core: Any, rng: np.random.Generator, halflife: float, name: str) -> None:
    """White noise is left with a / (2 - a) of its variance, a = 1 - q; 2.5 % are five deviations of the estimate."""
    samples = Video(name, 1, 1).samples(0)
    noise = [samples.store((0.5 + 0.1 * rng.standard_normal((300, 320))) * samples.peak) for _ in range(64)]
    out = read(core.vdiff.Decay(gray(*noise, name=name), halflife=halflife))
    settled = np.stack([frame[0] for frame in out[56:]]).astype(float)
    rounding = 0.0 if samples.is_float else 1.0 / 12.0  # of the output
    a = 1.0 - reference.factor(halflife=halflife)
    ratio = (settled.var() - rounding) / np.stack(noise).astype(float).var()
    assert abs(ratio / (a / (2.0 - a)) - 1.0) < 0.025


@pytest.mark.parametrize("halflife", [0.5, 5.0, 40.0, 200.0])
@pytest.mark.parametrize("name", ["GRAY8", "GRAY16"])
def test_mean_has_no_bias(core: Any, rng: np.random.Generator, halflife: float, name: str) -> None:
    """Rounding is to both sides: the average error stays far below a step."""
    video = Video(name, 60, 40)
    frames = random_frames(rng, video, 80)
    x = stack(frames, 0)
    out = stack(read(core.vdiff.Decay(make_clip(video, frames), halflife=halflife)), 0)
    error = out - reference.mean(x, reference.factor(halflife=halflife))
    assert abs(error[8:].mean()) < 0.05


# max and min.


@pytest.mark.parametrize("mode", ["max", "min", "sum", "fade"])
@pytest.mark.parametrize("name", ["GRAY8", "YUV420P8", "YUV422P10", "YUV444P16", "RGB24", "RGB48", "YUV420PS"])
@pytest.mark.parametrize("full", [True, False, None])
@pytest.mark.parametrize("halflife", [0.5, 5.0, 40.0])
def test_trails_by_range(
    core: Any, rng: np.random.Generator, halflife: float, full: bool | None, name: str, mode: str
) -> None:
    """`_Range` decides on black and white, else RGB is full and the rest limited.

    A quarter of the samples is below black, in `min` above white.
    """
    video = Video(name, 24, 12, full)
    frames = flashes(rng, video, 60, mode)
    low, high = (0.91, 1.0) if mode == "min" else (0.0, 0.07)
    for frame in frames:
        for p in video.planes:
            beyond = rng.random(video.shape(p)) < 0.25
            frame[p][beyond] = video.samples(p).store(rng.uniform(low, high, beyond.sum()) * video.samples(p).peak)
    decay_case(halflife=halflife, mode=mode).check(video, frames, starts=(31,))


@old_property
@pytest.mark.parametrize(
    ("props", "black"),
    [
        ({}, 16),
        ({"_Range": 1}, 0),
        ({"_Range": 0}, 16),
        ({"_ColorRange": 0}, 0),
        ({"_ColorRange": 1}, 16),
    ],
    ids=str,
)
@pytest.mark.parametrize("name", ["GRAY8", "YUV420P8", "YUV444P10", "GRAY16"])
def test_levels_of_the_properties(core: Any, props: dict[str, int], black: int, name: str) -> None:
    """`_Range`, or the deprecated `_ColorRange`, which counts the other way round."""
    assert_levels(core, name, props, black)


@old_property
@pytest.mark.parametrize(
    ("props", "black"), [({}, 0), ({"_Range": 1}, 0), ({"_Range": 0}, 16), ({"_ColorRange": 1}, 16)]
)
@pytest.mark.parametrize("name", ["RGB24", "RGB30", "RGB48"])
def test_levels_of_rgb(core: Any, props: dict[str, int], black: int, name: str) -> None:
    assert_levels(core, name, props, black)


@old_property
@pytest.mark.parametrize("props", [{}, {"_Range": 0}, {"_ColorRange": 1}], ids=str)
@pytest.mark.parametrize("name", ["GRAYS", "RGBH"])
def test_levels_of_float(core: Any, props: dict[str, int], name: str) -> None:
    """Black is 0, white 1."""
    assert_levels(core, name, props, 0)


def assert_levels(core: Any, name: str, props: dict[str, int], black: int) -> None:
    """Where the trail of a flash, half-life 1, is heading for: 2 y_2 - y_1, in `max` in exact halves."""
    samples = Video(name, 4, 4).samples(0)
    scale = 1 / 256 if samples.is_float else 2.0 ** (samples.bits - 8)
    assert goal_of_a_trail(core, name, props, "max", 144 * scale, 0.0) == black * scale
    white = 235 * scale if black else samples.peak
    assert goal_of_a_trail(core, name, props, "min", 139 * scale, samples.peak) == pytest.approx(white, abs=1.5)


def goal_of_a_trail(core: Any, name: str, props: dict[str, int], mode: str, flash: float, still: float) -> float:
    """2 y_2 - y_1 of a frame with the value `flash` and two with the value `still`."""
    video = Video(name, 4, 4)
    first, *others = (
        [np.full(video.shape(p), value).astype(video.samples(p).dtype) for p in video.planes]
        for value in (flash, still, still)
    )
    clip = make_clip(video, [first, *others])
    clip = core.std.SetFrameProps(clip, **props) if props else clip
    out = core.vdiff.Decay(clip, halflife=1, mode=mode)
    return 2 * read_frame_value(out, 2) - read_frame_value(out, 1)


def read_frame_value(clip: Any, n: int) -> float:
    """The first sample of a frame."""
    with clip.get_frame(n) as frame:
        return float(frame[0][0, 0])


def chroma_trail(core: Any, video: Video, deviation: Real, halflife: float, count: int) -> Real:
    """U minus neutral in the frames after a frame with this deviation, shape (count + 1, h, w)."""
    samples = video.samples(1)
    luma = np.zeros(video.shape(0), samples.dtype)
    flash, still = samples.store(samples.rest + deviation), samples.store(samples.rest + 0.0 * deviation)
    clip = make_clip(video, [[luma, flash, still]] + [[luma, still, still]] * count)
    return stack(read(core.vdiff.Decay(clip, halflife=halflife, mode="max")), 1) - samples.rest


@pytest.mark.parametrize("name", ["YUV444P8", "YUV420P10", "YUV444P16", "YUV444PH", "YUV420PS"])
@pytest.mark.parametrize("halflife", [2.0, 7.0])
def test_blue_and_yellow_trails_are_mirror_images(core: Any, name: str, halflife: float) -> None:
    """Chroma goes to neutral from both sides alike, but for a tie, which is rounded up on both."""
    video = Video(name, 32, 8)
    samples = video.samples(1)
    width = video.shape(1)[1]
    deviation = np.arange(1, width + 1) / width * np.full(video.shape(1), 0.45 * samples.peak)
    if not samples.is_float:
        deviation = np.floor(deviation)
    blue, yellow = (chroma_trail(core, video, sign * deviation, halflife, 30) for sign in (1, -1))
    assert np.all(blue[1] > 0)
    assert np.all(yellow[1] < 0)
    exact = deviation * reference.factor(halflife=halflife) ** np.arange(31)[:, None, None]
    tie = (np.abs(exact % 1.0 - 0.5) < 0.02) & (not samples.is_float)
    lopsided = blue + yellow
    assert np.all((lopsided == 0) | (tie & (lopsided == 1)))


@pytest.mark.parametrize("name", ["GRAY8", "GRAY12", "GRAYH", "GRAYS"])
@every_halflife
def test_rising_input_has_no_trail(core: Any, rng: np.random.Generator, name: str, halflife: float) -> None:
    """Max of frames that only get brighter is the frames."""
    video = Video(name, 17, 6)
    samples = video.samples(0)
    rising = np.cumsum(rng.uniform(0, 1 / 40, (40, 6, 17)), axis=0) * samples.peak
    frames: Frames = [[samples.store(frame)] for frame in rising]
    assert_same(read(core.vdiff.Decay(make_clip(video, frames), halflife=halflife, mode="max")), frames)


@pytest.mark.parametrize("name", ["YUV420P8", "RGB48", "YUV444PS"])
def test_trails_never_darken(core: Any, rng: np.random.Generator, name: str) -> None:
    """Max is at least x in luma and RGB, and at least as far from neutral in chroma."""
    video = Video(name, 22, 14)
    frames = flashes(rng, video, 40)
    out = read(core.vdiff.Decay(make_clip(video, frames), halflife=8, mode="max"))
    for p in video.planes:
        x, y, samples = stack(frames, p), stack(out, p), video.samples(p)
        assert np.all(np.abs(y - samples.rest) >= np.abs(x - samples.rest) if samples.chroma else y >= x)
        assert np.any(y != x)


@pytest.mark.parametrize("name", ["GRAY8", "GRAY16", "GRAYS"])
def test_trails_come_to_rest(core: Any, name: str) -> None:
    """A trail below half a step is gone, and does not come back."""
    video = Video(name, 5, 3, full=True)
    samples = video.samples(0)
    flash, dark = (samples.store(np.full((3, 5), v)) for v in (samples.peak, 0.0))
    out = stack(read(core.vdiff.Decay(make_clip(video, [[flash]] + [[dark]] * 120), halflife=5, mode="max")), 0)
    shown = np.flatnonzero(out[:, 1, 1])
    frames = reference.memory(reference.factor(halflife=5.0), samples.peak / samples.step)
    assert shown.tolist() == list(range(shown[-1] + 1))
    assert abs(shown[-1] + 1 - frames) <= 1


@pytest.mark.parametrize("name", ["GRAY8", "RGB24", "GRAY10", "GRAY16", "RGBH", "GRAYS"])
@every_halflife
def test_min_is_max_of_the_negative(core: Any, rng: np.random.Generator, halflife: float, name: str) -> None:
    """Exactly where memory is in fixed point; else but for the rounding of float and of ties, up in both."""
    video = Video(name, 29, 8, full=True)
    samples = video.samples(0)
    frames = flashes(rng, video, 60)
    negative: Frames = [[(samples.peak - plane).astype(samples.dtype) for plane in frame] for frame in frames]
    light, dark = (
        read(core.vdiff.Decay(make_clip(video, pictures), halflife=halflife, mode=mode))
        for pictures, mode in ((frames, "max"), (negative, "min"))
    )
    difference = np.stack([np.abs(stack(light, p) + stack(dark, p) - samples.peak) for p in video.planes])
    exact = samples.bits == 8 and halflife <= 13.5
    assert difference.max() <= (
        0.0 if exact else 2.0 ** (-10 if samples.bits == 16 else -22) if samples.is_float else 1.0
    )


@pytest.mark.parametrize("name", ["YUV420P8", "YUV422P10", "YUV444PS"])
@pytest.mark.parametrize("halflife", [5.0, 40.0])
def test_chroma_of_min_is_that_of_max(core: Any, rng: np.random.Generator, halflife: float, name: str) -> None:
    video = Video(name, 26, 12)
    clip = make_clip(video, flashes(rng, video, 40))
    dark, light = (read(core.vdiff.Decay(clip, halflife=halflife, mode=mode)) for mode in ("min", "max"))
    assert_same([frame[1:] for frame in dark], [frame[1:] for frame in light])


# sum.


@pytest.mark.parametrize("full", [True, False])
@pytest.mark.parametrize("name", ["GRAY8", "GRAY16", "RGBH", "GRAYS"])
@pytest.mark.parametrize(("halflife", "period"), [(2.0, 3), (13.5, 20), (40.0, 50)])
def test_sum_of_an_impulse_train(core: Any, name: str, full: bool, halflife: float, period: int) -> None:
    """(1 - q^(m P)) / (1 - q^P) times the impulse, of period P, after m of them: a geometric series."""
    video = Video(name, 3, 2, full)
    samples, q = video.samples(0), reference.factor(halflife=halflife)
    high = 0.3 * samples.peak
    flash, dark = (
        [samples.store(np.full(video.shape(p), samples.rest + value)) for p in video.planes] for value in (high, 0.0)
    )
    clip = make_clip(video, [flash if n % period == 0 else dark for n in range(5 * period)])
    out = stack(read(core.vdiff.Decay(clip, halflife=halflife, mode="sum")), 0)[:, 1, 1] - samples.rest
    n = np.arange(5 * period)
    exact = (1 - q ** (period * (n // period + 1))) / (1 - q**period) * q ** (n % period)
    impulse = float(flash[0][0, 0]) - samples.rest
    rounding = 2.0 ** (-11 if samples.bits == 16 else -16) if samples.is_float else 0.7
    assert np.abs(out - impulse * exact).max() <= rounding


@pytest.mark.parametrize("name", ["YUV444P8", "YUV444P10", "YUV444P16", "YUV444PH", "YUV444PS"])
@pytest.mark.parametrize("halflife", [3.0, 30.0])
def test_sum_ends_at_the_ends_of_the_range(core: Any, name: str, halflife: float) -> None:
    """Luma at the peak, chroma at either end; from there on it falls by q, whatever went before."""
    video = Video(name, 2, 2)
    q = reference.factor(halflife=halflife)
    pushed = [video.samples(p).rest + 0.3 * sign * video.samples(p).peak for p, sign in enumerate((1, 1, -1))]
    frames = [
        [video.samples(p).store(np.full((2, 2), pushed[p] if n < 60 else video.samples(p).rest)) for p in video.planes]
        for n in range(70)
    ]
    out = read(core.vdiff.Decay(make_clip(video, frames), halflife=halflife, mode="sum"))
    for p, end in enumerate(("high", "high", "low")):
        samples = video.samples(p)
        y, reached = stack(out, p)[:, 1, 1], getattr(samples, end)
        assert np.all(y[40:60] == reached)
        exact = samples.rest + (reached - samples.rest) * q ** np.arange(1, 11)
        assert np.abs(y[60:] - exact).max() <= (2.0**-10 if samples.is_float else 0.75)


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("mode", ["sum", "mean"])
def test_no_past_is_the_clip(core: Any, rng: np.random.Generator, mode: str, name: str) -> None:
    """At the highest rate, q = e^-100."""
    video = Video(name, 21, 8)
    frames = random_frames(rng, video, 9)
    out = read(core.vdiff.Decay(make_clip(video, frames), rate=100, mode=mode))
    for p in video.planes:
        rounding = 2.0**-23 if video.samples(p).is_float else 0.0
        assert np.abs(stack(out, p) - stack(frames, p)).max() <= rounding


# fade.


@pytest.mark.parametrize("name", [*FORMATS, "GRAY16"])
def test_fade(core: Any, rng: np.random.Generator, name: str) -> None:
    """Frame 0 is the clip's; in the end all is black or neutral, what was below black too; any frame is by itself."""
    video = Video(name, 18, 10)
    frames = random_frames(rng, video, 4)
    clip = core.std.Loop(make_clip(video, frames), 25)
    out = core.vdiff.Decay(clip, halflife=2, mode="fade")
    assert_same([read_frame(out, 0)], [frames[0]])
    late = read_frame(out, 99)
    for p in video.planes:
        assert np.abs(late[p].astype(float) - video.samples(p).rest).max() <= 2.0**-40
    order = rng.permutation(40).tolist()
    linear = read(out)
    assert_same([read_frame(out, n) for n in order], [linear[n] for n in order])


@pytest.mark.parametrize("full", [True, False])
def test_fade_rises_to_black(core: Any, full: bool) -> None:
    """What is below black is not cut off: it takes as long."""
    video = Video("GRAY8", 2, 1, full)
    clip = make_clip(video, [[np.array([[0, 116]], np.uint8)]] * 5)
    out = stack(read(core.vdiff.Decay(clip, halflife=1, mode="fade")), 0)[:, 0]
    limited = [[0, 116], [8, 66], [12, 41], [14, 29], [15, 22]]
    assert out.tolist() == ([[0, 116], [0, 58], [0, 29], [0, 15], [0, 7]] if full else limited)


@pytest.mark.parametrize("mode", ["fade", "sum"])
def test_fade_and_sum_of_the_infinite(core: Any, mode: str) -> None:
    """Infinite and no numbers show where they are, at any time."""
    values = np.array([[np.inf, -np.inf, np.nan, 0.5]], np.float32)
    clip = gray(*[values] * 400)
    out = np.concatenate([frame[0] for frame in read(core.vdiff.Decay(clip, halflife=1, mode=mode))])
    assert np.all(out[:, 0] == np.inf)
    assert np.all(out[:, 1] == -np.inf)
    assert np.all(np.isnan(out[:, 2]))
    assert np.all(np.isfinite(out[:, 3]))


# All.


@every_mode
@pytest.mark.parametrize("halflife", [0.5, 13.5])
def test_float_beyond_one(core: Any, rng: np.random.Generator, mode: str, halflife: float) -> None:
    """Highlights above 1 and values below 0 take part as they are."""
    video = Video("YUV444PS", 15, 7)
    frames = flashes(rng, video, 70)
    for n in range(0, 70, 11):
        frames[n][0] = rng.uniform(-1.0, 5.0, video.shape(0)).astype(np.float32)
    decay_case(halflife=halflife, mode=mode).check(video, frames)


@every_mode
@every_halflife
@pytest.mark.parametrize("size", [(1, 1), (1, 50), (50, 1)], ids=str)
def test_thin_pictures(core: Any, rng: np.random.Generator, size: tuple[int, int], halflife: float, mode: str) -> None:
    video = Video("YUV444P8", *size)
    decay_case(halflife=halflife, mode=mode).check(video, flashes(rng, video, 90))


@every_mode
def test_cuts_can_be_ignored(core: Any, rng: np.random.Generator, mode: str) -> None:
    video = Video("YUV420P8", 20, 12)
    frames = flashes(rng, video, 30)
    decay_case(halflife=6.0, mode=mode, scenechange=0).check(video, frames, starts=(4, 20))


@every_mode
def test_a_cut_starts_anew(core: Any, rng: np.random.Generator, mode: str) -> None:
    """The frames from a cut on are the same bytes as those of a clip that starts there."""
    video = Video("YUV420P10", 26, 14)
    frames = flashes(rng, video, 50)
    whole = read(core.vdiff.Decay(make_clip(video, frames, starts=(21,)), halflife=9, mode=mode))
    wanted, noise = FILTERS["Decay"][0](stack(frames[21:], 0), video.samples(0), 0, (), {"halflife": 9, "mode": mode})
    assert_stored(stack(whole[21:], 0).astype(np.uint16), wanted, video.samples(0), noise)
    assert_same([whole[21]], [frames[21]])


@pytest.mark.parametrize("halflife", [12.0, 17.0])
def test_black_that_rises(core: Any, halflife: float) -> None:
    """A trail from a full-range frame in frames of limited range ends at the peak, not beyond."""
    white, dark = (np.full((3, 5), value, np.uint8) for value in (255, 20))
    clip = make_clip(
        Video("GRAY8", 5, 3), [[white], [dark], [dark]], props=[{"_Range": 1}, {"_Range": 0}, {"_Range": 0}]
    )
    out = core.vdiff.Decay(clip, halflife=halflife, mode="max")
    assert read_gray(out, 1)[0, 0] == 255
    assert abs(read_gray(out, 2)[0, 0] - (16 + 255 * 2 ** (-2 / halflife))) <= 1


@pytest.mark.parametrize("mode", ["max", "min", "sum"])
@pytest.mark.parametrize("halflife", [1.0, 10.0])
@pytest.mark.parametrize("plane", [0, 1])
def test_no_number_leaves_no_trail(core: Any, plane: int, halflife: float, mode: str) -> None:
    """A NaN shows where it is; the trail that it interrupts goes on beside it."""
    video = Video("YUV444PS", 3, 2)
    level = 1.0 if mode == "min" and plane == 0 else 0.0
    frames = [[np.full(video.shape(p), level, np.float32) for p in video.planes] for _ in range(4)]
    frames[0][plane][0, 0] = abs(level - 0.4)
    frames[1][plane][:] = np.nan
    clip = make_clip(video, frames)
    out = [frame[plane] for frame in read(core.vdiff.Decay(clip, halflife=halflife, mode=mode))]
    assert np.isnan(out[1].flat[1:]).all()
    left = abs(level - 0.4 * 2 ** (-2 / halflife))
    assert np.allclose(out[2].flat, [left, *[level] * 5], atol=1e-6)


@pytest.mark.parametrize(("mode", "sign"), [("max", 1), ("min", -1), ("sum", 1)])
@pytest.mark.parametrize("plane", [0, 1])
def test_the_infinite_leaves_a_bounded_trail(core: Any, plane: int, mode: str, sign: int) -> None:
    """That of 128 times white; what it leaves of a sum is bounded anyway."""
    video = Video("YUV444PS", 1, 1)
    level = 1.0 if mode == "min" and plane == 0 else 0.0
    frames = [[np.full((1, 1), level, np.float32) for _ in video.planes] for _ in range(24)]
    frames[0][plane][:] = sign * np.inf
    out = stack(read(core.vdiff.Decay(make_clip(video, frames), halflife=1, mode=mode)), plane)[:, 0, 0]
    trail = 128 * 0.5 ** np.arange(1, 24)
    trail = np.minimum(trail, 0.5 if plane else 1.0) if mode == "sum" else trail
    trail[trail < 2.0**-17] = 0.0
    assert out[0] == sign * np.inf
    if mode != "sum":
        assert np.allclose(out[1:], level + sign * trail, atol=1e-6)
    else:
        assert out[1] == trail[0]
        assert np.allclose(out[1:], trail[0] * 0.5 ** np.arange(23), atol=1e-6)


@pytest.mark.parametrize(
    ("name", "halflife"), [("GRAY16", 1000.0), ("GRAY16", 20.0), ("GRAYS", 5000.0), ("GRAY8", 1e5)]
)
def test_mean_creeps_up_to_its_goal(core: Any, name: str, halflife: float) -> None:
    """A small step is followed, however small the part of it that a frame adds."""
    count = int(min(3 * halflife, 6000))
    samples = Video(name, 2, 1).samples(0)
    peak = 1.0 if samples.is_float else 2.0**samples.bits - 1
    x = np.r_[0.78125, np.full(count, 0.78125 + 10 / 65536 if samples.bits > 8 else 0.8)] * peak
    stored = [samples.store(np.full((1, 2), value)) for value in x]
    y = read_gray(core.vdiff.Decay(gray(*stored, name=name), halflife=halflife), count)[0, 0]
    first, last = float(stored[0][0, 0]), float(stored[-1][0, 0])
    wanted = last - (last - first) * 2 ** (-count / halflife)
    assert abs(y - wanted) <= (0.6 if not samples.is_float else 2.0**-20)


def test_defaults(core: Any, rng: np.random.Generator) -> None:
    """mean, scenechange 1, all planes."""
    video = Video("YUV420P8", 30, 22)
    clip = make_clip(video, random_frames(rng, video, 9), starts=(5,))
    spelt = core.vdiff.Decay(clip, halflife=3, mode="mean", scenechange=1, planes=[0, 1, 2])
    assert_same(read(core.vdiff.Decay(clip, halflife=3)), read(spelt))
