"""Diffuse3D against its reference and against what is known in closed form."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import vapoursynth as vs

from cases import filter_cases
from reference import Real
from reference import diffuse3d as reference
from support import (
    Video,
    assert_same,
    frames_of,
    gray,
    make_clip,
    random_frames,
    read,
    read_frame,
    read_gray,
    stack,
)

UNLIMITED = 10000.0
"""The largest contrast, far above every difference: g = 1 in time, and within 1e-3 in space."""
PLAIN: dict[str, Any] = {"k": 20.0, "kt": 60.0}


def moving(rng: np.random.Generator, count: int, height: int = 31, width: int = 45, noise: float = 6.0) -> list[Real]:
    """Float frames of a wavy picture that moves, with noise; on the 8-bit scale."""
    y, x = np.mgrid[:height, :width]
    waves = [100.0 + 60.0 * np.sin(0.3 * (x + 0.5 * n)) * np.cos(0.2 * y) for n in range(count)]
    return [wave + rng.normal(0.0, noise, wave.shape) for wave in waves]


def filtered(pictures: Sequence[Real], starts: Sequence[int] = (), **args: Any) -> list[Real]:
    """Float frames, given and returned on the 8-bit scale."""
    clip = gray(*(picture / 255.0 for picture in pictures), starts=starts)
    return [frame[0].astype(np.float64) * 255.0 for frame in read(vs.core.vdiff.Diffuse3D(clip, **args))]


# Parity.


@pytest.mark.parametrize("name", ["GRAY8", "YUV420P8", "YUV422P10", "GRAY16", "RGB30", "RGBH", "YUV444PS"])
@pytest.mark.parametrize("case", filter_cases("Diffuse3D"), ids=str)
def test_parity(core: Any, rng: np.random.Generator, case: Any, name: str) -> None:
    video = Video(name, 93, 41)
    case.check(video, random_frames(rng, video, 9), starts=(3, 7))


@pytest.mark.parametrize("radius", range(8))
def test_parity_of_pictures(core: Any, rng: np.random.Generator, radius: int) -> None:
    """A picture that moves, every radius, both ends of the clip."""
    frames = moving(rng, 9)
    result = filtered(frames, radius=radius, k=9.0, kt=12.0)
    for n, out in enumerate(result):
        around = [frames[m] for m in range(max(0, n - radius), min(9, n + radius + 1)) if m != n]
        assert np.abs(out - reference.diffuse3d(frames[n], around, k=9.0, kt=12.0).middle).max() < 1e-3


@pytest.mark.parametrize("rho", [0.0, 0.3, 0.7, 1.0, 2.0, 3.0, 5.3, 10.0])
def test_parity_of_windows(core: Any, rng: np.random.Generator, rho: float) -> None:
    """Windows of every kind of radius, also larger than the picture."""
    for height, width in ((24, 37), (3, 2), (1, 11), (11, 1)):
        frames = moving(rng, 3, height, width)
        wanted = reference.diffuse3d(frames[1], [frames[0], frames[2]], k=9.0, kt=12.0, rho=rho, time=0.7)
        assert np.abs(filtered(frames, k=9.0, kt=12.0, rho=rho, time=0.7)[1] - wanted.middle).max() < 1e-3


@pytest.mark.parametrize("width", [255, 256, 257, 258, 272, 511, 512, 513, 769])
def test_parity_of_wide_pictures(core: Any, rng: np.random.Generator, width: int) -> None:
    """Rows go through the loops in segments of 256 pixels."""
    frames = moving(rng, 3, 5, width)
    for rho in (0.0, 2.0, 10.0):
        wanted = reference.diffuse3d(frames[1], [frames[0], frames[2]], k=9.0, kt=12.0, rho=rho)
        assert np.abs(filtered(frames, k=9.0, kt=12.0, rho=rho)[1] - wanted.middle).max() < 1e-3


def test_most_steps(core: Any, rng: np.random.Generator) -> None:
    frames = moving(rng, 3)
    wanted = reference.diffuse3d(frames[1], [frames[0], frames[2]], k=9.0, kt=12.0, time=3.0, weight=1.0, steps=64)
    result = filtered(frames, k=9.0, kt=12.0, time=3.0, weight=1.0, steps=64)
    assert np.abs(result[1] - wanted.middle).max() < 1e-3


# The reference itself.


def test_window_is_the_heat_kernel() -> None:
    """Nothing cut off: variance and mean of the weights; cut off: they still add up to one."""
    weights = reference.window(1.3, 12)
    reach = np.arange(-12, 13)
    assert weights.sum() == pytest.approx(1.0, abs=1e-12)
    assert (weights * reach**2).sum() == pytest.approx(1.3**2, abs=1e-6)
    assert reference.window(2.0, 3).sum() == pytest.approx(1.0, abs=1e-12)
    assert len(reference.window(2.0, 3)) == 7


def test_system_in_time_by_hand() -> None:
    """Two frames: x = 0 and 10, W g = 2: (1 + 2) u0 - 2 u1 = 0, (1 + 2) u1 - 2 u0 = 10, so u0 = 4, u1 = 6."""
    inverse = reference.propagator([np.ones((1, 1))], 2.0)[0, 0]
    assert inverse @ [0.0, 10.0] == pytest.approx([4.0, 6.0])


def test_volume_keeps_its_mean(rng: np.random.Generator) -> None:
    """After the step in time the sum of all frames is, at each pixel, what it was."""
    frames = moving(rng, 5)
    after = reference.diffuse3d(frames[0], frames[1:], k=9.0, kt=12.0).after_time
    assert np.abs(after.sum(axis=0) - np.sum(frames, axis=0)).max() < 1e-9
    assert np.abs(after[0] - frames[0]).max() > 1.0


# Special cases.


@pytest.mark.parametrize("time", [0.2, 1.0, 3.0, 16.0])
def test_no_neighbours_no_window_is_diffuse(core: Any, rng: np.random.Generator, time: float) -> None:
    """Radius 0 is `Diffuse`, rational, by as many explicit steps."""
    clip = gray(*(frame / 255.0 for frame in moving(rng, 2)))
    steps = math.ceil(4 * time)
    plain = core.vdiff.Diffuse(clip, time=time, k=7, scheme="explicit", steps=steps)
    for args in ({"radius": 0}, {"weight": 0}, {"weight": 0, "radius": 7}):
        volume = core.vdiff.Diffuse3D(clip, time=time, k=7, rho=0, **args)
        for n in (0, 1):
            assert np.abs(read_gray(volume, n) - read_gray(plain, n)).max() < 2e-6
            assert np.abs(read_gray(volume, n) - read_gray(clip, n)).max() > 1e-3


def test_no_weight_needs_no_frame_but_its_own(core: Any, rng: np.random.Generator) -> None:
    """With weight 0, or for a time of 0, no neighbour is asked for."""
    frames = random_frames(rng, Video("GRAY8", 8, 8), 5)
    for args in ({"weight": 0}, {"time": 0}):
        asked: list[int] = []

        def note(n: int, f: Any, asked: list[int] = asked) -> Any:
            asked.append(n)
            return f

        source = make_clip(Video("GRAY8", 8, 8), frames)
        core.vdiff.Diffuse3D(core.std.ModifyFrame(source, source, note), **args).get_frame(2).close()
        assert asked == [2]


def test_no_time_passes_frames_on(core: Any, rng: np.random.Generator) -> None:
    video = Video("YUV420P8", 20, 12)
    frames = random_frames(rng, video, 4)
    assert_same(read(core.vdiff.Diffuse3D(make_clip(video, frames), time=0)), frames)


# Closed forms.


@pytest.mark.parametrize("radius", [1, 2, 5])
@pytest.mark.parametrize("weight", [0.3, 9.0, 1000.0])
def test_linear_in_time(core: Any, rng: np.random.Generator, radius: int, weight: float) -> None:
    """Flat frames, contrasts without limit: the middle's distance from the mean of N frames is divided by 1 + W N.

    That is the eigenvalue N of the graph that joins the middle to each of the others.
    """
    values = rng.uniform(0.0, 255.0, 2 * radius + 1)
    frames = [np.full((5, 6), value) for value in values]
    result = filtered(frames, radius=radius, weight=weight, k=UNLIMITED, kt=UNLIMITED)[radius]
    wanted = values.mean() + (values[radius] - values.mean()) / (1.0 + weight * len(values))
    assert np.abs(result - wanted).max() < 2e-4


@pytest.mark.parametrize("modes", [(1, 0), (0, 3), (4, 2), (20, 15)], ids=str)
@pytest.mark.parametrize("rho", [0.0, 2.0])
def test_linear_in_space(core: Any, modes: tuple[int, int], rho: float) -> None:
    """A static cosine mode, contrasts without limit: each step multiplies it by 1 - tau lambda."""
    height, width, p, q = 16, 21, *modes[::-1]
    y = np.cos(np.pi * p * (np.arange(height) + 0.5) / height)
    x = np.cos(np.pi * q * (np.arange(width) + 0.5) / width)
    eigenvalue = 4.0 * (np.sin(np.pi * p / (2 * height)) ** 2 + np.sin(np.pi * q / (2 * width)) ** 2)
    mode = np.outer(y, x)
    result = filtered([128.0 + mode] * 3, k=UNLIMITED, kt=UNLIMITED, time=1.3, steps=7, rho=rho)[1]
    wanted = 128.0 + (1.0 - 1.3 / 7 * eigenvalue) ** 7 * mode
    assert np.abs(result - wanted).max() < 1e-4


def test_impulse_spreads_by_twice_the_time(core: Any) -> None:
    """Contrast without limit: the variance of what an impulse becomes is 2 time along each axis."""
    picture = np.zeros((41, 41))
    picture[20, 20] = 1.0
    out = filtered([picture], k=UNLIMITED, time=2.5)[0]
    reach = np.arange(-20, 21) ** 2
    assert out.sum() == pytest.approx(1.0, abs=1e-5)
    assert (out.sum(axis=0) * reach).sum() == pytest.approx(5.0, abs=1e-3)
    assert (out.sum(axis=1) * reach).sum() == pytest.approx(5.0, abs=1e-3)


@pytest.mark.parametrize("radius", [1, 3])
def test_noise_that_time_leaves(core: Any, rng: np.random.Generator, radius: int) -> None:
    """White noise, no limit in time, none of it touched in space.

    With m = W / (W + 1) for each neighbour, f^2 = (1 + 2r m^2) / (1 + 2r m)^2 of the variance are left.
    """
    frames = [128.0 + rng.normal(0.0, 4.0, (120, 130)) for _ in range(2 * radius + 1)]
    out = filtered(frames, radius=radius, k=0.001, kt=UNLIMITED, weight=3.0)[radius]
    m = 0.75
    left = (1.0 + 2 * radius * m**2) / (1.0 + 2 * radius * m) ** 2
    assert np.var(out) == pytest.approx(16.0 * left, rel=0.06)


def test_contrast_follows_the_noise_that_is_left(core: Any) -> None:
    """A clean step, seen with and without neighbours: with them, the same `k` protects it more."""
    step = np.where(np.arange(40) < 20, 100.0, 110.0)[None].repeat(9, axis=0)
    alone = filtered([step], radius=0, k=10.0)[0]
    among = filtered([step] * 7, radius=3, k=10.0, kt=15.0)[3]
    assert np.ptp(np.diff(alone[4])) < 0.75 * np.ptp(np.diff(among[4]))


# Invariants.


def test_two_frames_keep_their_mean(core: Any, rng: np.random.Generator) -> None:
    """The volume of either is both: what one gives, the other takes, at each pixel but for the steps in space."""
    frames = moving(rng, 2)
    out = filtered(frames, **PLAIN)
    assert sum(u.mean() for u in out) == pytest.approx(sum(u.mean() for u in frames), abs=1e-4)
    still = filtered(frames, **{**PLAIN, "k": 0.001})
    assert np.abs(sum(still) - sum(frames)).max() < 1e-3
    assert np.abs(still[0] - frames[0]).max() > 1.0


def test_frame_keeps_its_mean_in_space(core: Any, rng: np.random.Generator) -> None:
    (frame,) = moving(rng, 1)
    (out,) = filtered([frame], k=15.0, time=4.0)
    assert out.mean() == pytest.approx(frame.mean(), abs=1e-4)
    assert np.abs(out - frame).max() > 1.0


def test_max_min(core: Any, rng: np.random.Generator) -> None:
    """No value beyond those of the volume."""
    frames = [rng.uniform(0.0, 255.0, (25, 33)) for _ in range(7)]
    for n, out in enumerate(filtered(frames, **PLAIN)):
        volume = np.stack(frames[max(0, n - 2) : n + 3])
        assert out.min() >= volume.min() - 1e-4
        assert out.max() <= volume.max() + 1e-4


@pytest.mark.parametrize(
    "turn", [np.transpose, np.rot90, np.flipud, np.fliplr], ids=["transposed", "rotated", "flipped", "mirrored"]
)
def test_symmetry(core: Any, rng: np.random.Generator, turn: Callable[[Real], Real]) -> None:
    frames = moving(rng, 5)
    straight = filtered(frames, **PLAIN)
    turned = filtered([np.ascontiguousarray(turn(frame)) for frame in frames], **PLAIN)
    for a, b in zip(straight, turned, strict=True):
        assert np.abs(turn(a) - b).max() < 1e-3


def test_time_has_no_direction(core: Any, rng: np.random.Generator) -> None:
    frames = moving(rng, 7)
    for a, b in zip(filtered(frames, **PLAIN), filtered(frames[::-1], **PLAIN)[::-1], strict=True):
        assert np.abs(a - b).max() < 1e-3


def test_shift_of_brightness(core: Any, rng: np.random.Generator) -> None:
    frames = moving(rng, 3)
    for a, b in zip(filtered(frames, **PLAIN), filtered([f + 50.0 for f in frames], **PLAIN), strict=True):
        assert np.abs(a + 50.0 - b).max() < 1e-3


@pytest.mark.parametrize("args", [{}, PLAIN], ids=["noise", "given"])
def test_constant_stays(core: Any, args: dict[str, Any]) -> None:
    for value in (0.0, 1.0, 0.123, -3.5, 1e6):
        clip = core.std.BlankClip(format=vs.GRAYS, width=33, height=9, length=5, color=value)
        (plane,) = read_frame(core.vdiff.Diffuse3D(clip, **args), 2)
        assert np.ptp(plane) == 0.0
        assert plane[0, 0] == pytest.approx(value, rel=3e-7)


# Frames that are looked at.


@pytest.mark.parametrize("scenechange", [0, 1])
@pytest.mark.parametrize("starts", [(), (0,), (5,), (4, 5), (1, 2, 3), (2, 9)], ids=str)
@pytest.mark.parametrize("given", [False, True], ids=["own", "stand-ins"])
def test_stays_in_the_scene(
    core: Any, rng: np.random.Generator, starts: tuple[int, ...], scenechange: int, given: bool
) -> None:
    """Each scene is as if it were a clip of its own, whether neighbours are the clip's frames or others."""
    video = Video("YUV420P8", 18, 10)
    frames = random_frames(rng, video, 10)
    args = {"kt": 200.0, "k": 20.0, "scenechange": scenechange}

    def apply(clip: Any) -> Any:
        others = {"neighbours": offset_clips(clip, 3)} if given else {"radius": 3}
        return read(core.vdiff.Diffuse3D(clip, **others, **args))

    edges = sorted({0, len(frames), *(starts if scenechange else ())})
    scenes = [apply(make_clip(video, frames[a:b])) for a, b in itertools.pairwise(edges)]
    assert_same(apply(make_clip(video, frames, starts)), [frame for scene in scenes for frame in scene])


def offset_clips(clip: Any, radius: int) -> list[Any]:
    """The frames before and after each as clips, from the earliest; beyond the ends a frame that would show."""
    std = vs.core.std
    wrong = std.Invert(clip[0])
    clips = []
    for offset in [*range(-radius, 0), *range(1, radius + 1)]:
        beyond = std.Loop(wrong, abs(offset))
        clips.append((beyond + clip if offset < 0 else clip[offset:] + beyond)[: clip.num_frames]
                     if abs(offset) < clip.num_frames else std.Loop(wrong, clip.num_frames))  # fmt: skip
    return clips


@pytest.mark.parametrize("radius", [1, 2, 7])
def test_neighbours_are_in_order(core: Any, rng: np.random.Generator, radius: int) -> None:
    """The clip's own frames as stand-ins give the same bytes; in another order they do not, next to an end."""
    video = Video("YUV422P10", 26, 14)
    clip = make_clip(video, random_frames(rng, video, 2 * radius + 3))
    own = read(core.vdiff.Diffuse3D(clip, radius=radius, k=9, kt=200))
    clips = offset_clips(clip, radius)
    assert_same(read(core.vdiff.Diffuse3D(clip, clips, k=9, kt=200)), own)
    with pytest.raises(AssertionError):
        assert_same(read(core.vdiff.Diffuse3D(clip, clips[::-1], k=9, kt=200)), own)


def test_frames_are_asked_for_once_each(core: Any, rng: np.random.Generator) -> None:
    """And no others; of stand-ins only the frame itself."""
    video = Video("GRAY8", 8, 8)
    frames = random_frames(rng, video, 9)
    asked: dict[str, list[int]] = {"clip": [], "before": [], "after": []}

    def noted(name: str) -> Any:
        clip = make_clip(video, frames)

        def note(n: int, f: Any) -> Any:
            asked[name].append(n)
            return f

        return core.std.ModifyFrame(clip, clip, note)

    core.vdiff.Diffuse3D(noted("clip"), radius=2).get_frame(4).close()
    assert sorted(asked["clip"]) == [2, 3, 4, 5, 6]
    asked["clip"].clear()
    core.vdiff.Diffuse3D(noted("clip"), [noted("before"), noted("after")]).get_frame(4).close()
    assert {name: sorted(numbers) for name, numbers in asked.items()} == {
        "clip": [3, 4, 5],
        "before": [4],
        "after": [4],
    }
    asked["clip"].clear()
    core.vdiff.Diffuse3D(noted("clip"), [noted("before"), noted("after")], scenechange=0).get_frame(4).close()
    assert asked["clip"] == [4]


def test_ghosts_fade_with_the_difference(core: Any) -> None:
    """An object that is in one frame only: neither it nor its absence is mixed into another frame.

    But for a fiftieth, where the window at its corners holds little of it.
    """
    still = np.full((40, 40), 100.0)
    thing = still.copy()
    thing[10:25, 10:25] = 160.0
    frames = [still, still, thing, still, still]
    for out, frame in zip(filtered(frames, k=0.001, kt=6.0), frames, strict=True):
        assert np.abs(out - frame).max() < 0.02 * 60.0 + 0.1


# Values that only float has.


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("rho", [0.0, 2.0, 10.0])
def test_not_a_number_stays_near(core: Any, rng: np.random.Generator, value: float, rho: float) -> None:
    """It shows around its place, one pixel further with each step, in its frame and those that have it as a neighbour.

    Where it does not show, frames mix as much as without it, or less: its window counts as another picture.
    """
    frames = [
        np.full((40, 40), level) + rng.normal(0.0, 0.1, (40, 40)) for level in (100.0, 100.0, 200.0, 100.0, 100.0)
    ]
    frames[2][15, 20] = value
    result = filtered(frames, k=0.5, kt=5.0, rho=rho)
    assert not np.isfinite(result[2][15, 20])
    for out, frame in zip(result, frames, strict=True):
        bad = np.argwhere(~np.isfinite(out))
        assert all(abs(y - 15) + abs(x - 20) <= 4 for y, x in bad)
        good = np.isfinite(out)
        assert np.abs(out - frame)[good].max() < 1.0


@pytest.mark.parametrize("size", [1e5, 1e9, 1e15, 1e25, 1e33])
def test_huge_values(core: Any, rng: np.random.Generator, size: float) -> None:
    """Finite values give finite values, near the edges of size too."""
    frames = moving(rng, 3)
    for frame in frames:
        frame[10:20, 10:20] = size * rng.uniform(-1.0, 1.0, (10, 10))
    whole = [size * rng.uniform(-1.0, 1.0, (31, 45)) for _ in range(3)]
    arguments: list[dict[str, Any]] = [{"k": 9.0, "kt": 12.0}, {}, {"k": UNLIMITED, "kt": UNLIMITED, "rho": 0.0}]
    for args in arguments:
        assert all(np.isfinite(out).all() for out in [*filtered(frames, **args), *filtered(whole, **args)])


# Noise.


def sigmas(clip: Any) -> list[list[float]]:
    """The property of each frame."""
    values = [frame.props["VdiffSigma"] for frame in frames_of(clip)]
    return [value if isinstance(value, list) else [value] for value in values]


@pytest.mark.parametrize("given", [False, True], ids=["own", "stand-ins"])
@pytest.mark.parametrize("shape", [(31, 45), (3, 3), (130, 40), (3, 50), (200, 9)], ids=str)
def test_noise_is_the_reference_s(core: Any, rng: np.random.Generator, shape: tuple[int, int], given: bool) -> None:
    frames = moving(rng, 5, *shape)
    clip = gray(*(frame / 255.0 for frame in frames))
    others = {"neighbours": offset_clips(clip, 2)} if given else {}
    for n, (sigma,) in enumerate(sigmas(core.vdiff.Diffuse3D(clip, **others))):
        nearest = [frames[m] for m in (n - 1, n + 1) if 0 <= m < 5]
        assert sigma == pytest.approx(reference.noise(frames[n], nearest, fresh=not given), rel=1e-4)


def test_noise_takes_more_room_than_the_steps(core: Any, rng: np.random.Generator) -> None:
    """Many rows that are looked at, hardly any that the steps need."""
    (frame,) = moving(rng, 1, 127, 600)
    out = core.vdiff.Diffuse3D(gray(frame / 255.0), radius=0, rho=0, time=0.25)
    assert sigmas(out)[0][0] == pytest.approx(reference.noise(frame, [], fresh=True), rel=1e-4)


@pytest.mark.parametrize("sigma", [2.0, 5.0, 10.0, 20.0])
@pytest.mark.parametrize("name", ["bikes.mp4", "bigbuckbunny.mp4", "carphone_pristine.mp4"])
def test_noise_of_real_pictures(core: Any, clips: Path, rng: np.random.Generator, name: str, sigma: float) -> None:
    """White noise added to a clip, frames that move: known to an eighth."""
    luma = core.std.ShufflePlanes(core.bs.VideoSource(str(clips / name), cachemode=0)[60:63], 0, vs.GRAY)
    frames = [frame[0] + rng.normal(0.0, sigma, frame[0].shape) for frame in read(luma)]
    clip = gray(*(frame / 255.0 for frame in frames))
    for (found,) in sigmas(core.vdiff.Diffuse3D(clip)):
        assert found == pytest.approx(sigma, rel=0.125, abs=0.5)


def test_black_bars_are_no_picture(core: Any, rng: np.random.Generator) -> None:
    """Neither above nor beside the picture."""
    frames = moving(rng, 3, 60, 80)
    for rows, columns in ((30, 0), (0, 40), (30, 40)):
        barred = [np.pad(frame, ((rows, rows), (columns, columns))) for frame in frames]
        clip = gray(*(frame / 255.0 for frame in barred))
        assert sigmas(core.vdiff.Diffuse3D(clip))[1][0] == pytest.approx(6.0, rel=0.15)


def test_repeated_frames_are_no_witnesses(core: Any, rng: np.random.Generator) -> None:
    """A frame shown twice, exactly or but for a trace: its noise is still told from the frame."""
    first, second = moving(rng, 2)
    for copy in (first, first + rng.normal(0.0, 0.01, first.shape)):
        clip = gray(*(frame / 255.0 for frame in (first, copy, second, second)))
        for (sigma,) in sigmas(core.vdiff.Diffuse3D(clip)):
            assert 2.5 < sigma < 7.5


def test_contrasts_come_from_the_noise(core: Any, rng: np.random.Generator) -> None:
    """K = sigma and kt = 1.5 sigma, times `strength`."""
    frames = moving(rng, 3)
    for strength in (1.0, 1.7):
        clip = gray(*(frame / 255.0 for frame in frames))
        out = core.vdiff.Diffuse3D(clip, strength=strength)
        for n, (sigma,) in enumerate(sigmas(out)):
            k, kt = strength * sigma, 1.5 * strength * sigma
            for args in ({"k": k, "kt": kt}, {"k": k, "strength": strength}, {"kt": kt, "strength": strength}):
                same = core.vdiff.Diffuse3D(clip, **args)
                assert np.abs(read_gray(same, n) - read_gray(out, n)).max() < 1e-5


def test_property_only_where_noise_was_looked_for(core: Any, rng: np.random.Generator) -> None:
    """Per plane; 0 where both contrasts were given or the plane is not processed."""
    video = Video("YUV444P8", 40, 30)
    clip = make_clip(video, random_frames(rng, video, 3))
    assert "VdiffSigma" not in core.vdiff.Diffuse3D(clip, **PLAIN).get_frame(0).props
    assert "VdiffSigma" not in core.vdiff.Diffuse3D(clip, time=0).get_frame(0).props
    for alone in ({"radius": 0}, {"weight": 0}):
        assert "VdiffSigma" not in core.vdiff.Diffuse3D(clip, k=5, **alone).get_frame(0).props
    assert [s > 0 for s in sigmas(core.vdiff.Diffuse3D(clip, planes=[0, 2]))[0]] == [True, False, True]
    assert [s > 0 for s in sigmas(core.vdiff.Diffuse3D(clip, k=[0, 5], kt=[9, 9, 0]))[0]] == [True, False, True]
    assert all(s > 0 for s in sigmas(core.vdiff.Diffuse3D(clip))[0])


def test_noise_is_on_one_scale(core: Any, rng: np.random.Generator) -> None:
    """At 8 and 16 bit, half and float."""
    frames = [np.clip(frame, 0.0, 255.0).round() for frame in moving(rng, 3)]
    found = []
    units = {"GRAY8": 1.0, "GRAY10": 1023 / 255, "GRAY16": 257.0, "GRAYH": 1 / 255, "GRAYS": 1 / 255}
    for name, unit in units.items():
        clip = gray(*(np.rint(f * unit) if unit >= 1 else f * unit for f in frames), name=name)
        found.append(sigmas(core.vdiff.Diffuse3D(clip))[1][0])
    assert found == pytest.approx([found[0]] * 5, rel=0.02)


def test_noise_goes(core: Any, rng: np.random.Generator) -> None:
    """Without a number: a still picture with noise comes out with a fifth of it, its edge as it was."""
    clean = np.where(np.arange(120) < 60, 60.0, 180.0)[None].repeat(90, axis=0)
    frames = [clean + rng.normal(0.0, 8.0, clean.shape) for _ in range(7)]
    out = filtered(frames, radius=3)[3]
    assert np.sqrt(np.mean((out - clean) ** 2)) < 0.2 * 8.0
    assert np.abs(out.mean(axis=0) - clean[0]).max() < 2.5


def test_stacked_planes_are_planes_alone(core: Any, rng: np.random.Generator) -> None:
    """Each plane by its own noise: chroma is what it would be as a clip of one plane."""
    video = Video("YUV420P16", 40, 36)
    frames = random_frames(rng, video, 3)
    result = stack(read(core.vdiff.Diffuse3D(make_clip(video, frames))), 1)
    alone = gray(*(frame[1] for frame in frames), name="GRAY16")
    assert np.array_equal(result, stack(read(core.vdiff.Diffuse3D(alone)), 0))
