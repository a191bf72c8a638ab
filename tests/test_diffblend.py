"""DiffBlend against its reference: lags, cuts, references, thresholds, limits, rounding."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from cases import Case, filter_cases
from reference.diffblend import diffblend, lagged, scene_of, soft
from support import (
    Video,
    assert_same,
    assert_stored,
    gray,
    make_clip,
    random_frames,
    read,
    read_gray,
    stack,
)

FORMATS = ("GRAY8", "YUV420P8", "YUV422P10", "GRAY16", "RGB30", "RGBH", "YUV444PS")
NOISE = 2.0**-22


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("case", filter_cases("DiffBlend"), ids=str)
def test_parity(core: Any, rng: np.random.Generator, case: Case, name: str) -> None:
    video = Video(name, 93, 41)
    case.check(video, random_frames(rng, video, 8), starts=(3, 6))


def test_soft_threshold_by_hand() -> None:
    assert soft(np.array([-5.0, -2.0, 0.0, 1.0, 2.5]), 2.0).tolist() == [-3.0, 0.0, 0.0, 0.0, 0.5]


def test_scenes_by_hand() -> None:
    """Ten frames, cuts at 3 and 7: a frame stays in its scene; lag 3 at frame 4 finds frame 3, the scene's first."""
    starts = (7, 3)
    assert [scene_of(n, 10, starts) for n in (0, 2, 3, 6, 7, 9)] == [(0, 2), (0, 2), (3, 6), (3, 6), (7, 9), (7, 9)]
    assert [lagged(n, 3, 10, starts) for n in range(10)] == [0, 0, 0, 3, 3, 3, 3, 7, 7, 7]
    assert [lagged(n, -2, 10, starts) for n in range(10)] == [2, 2, 2, 5, 6, 6, 6, 9, 9, 9]
    assert [lagged(n, 2, 10) for n in range(10)] == [0, 0, 0, 1, 2, 3, 4, 5, 6, 7]


@pytest.mark.parametrize("scenechange", [0, 1])
@pytest.mark.parametrize("starts", [(), (0,), (5,), (1, 2, 3), (4, 9, 13), (15,), (0, 15), tuple(range(16))], ids=str)
@pytest.mark.parametrize("lag", [1, 2, 3, 5, 30, 100, -1, -2, -4, -100])
def test_lag_stays_in_the_scene(
    core: Any, rng: np.random.Generator, lag: int, starts: tuple[int, ...], scenechange: int
) -> None:
    """Alpha = -1 shows frame r itself: which one it is leaves no doubt, as every frame has its own value."""
    count = 16
    values = rng.permutation(256)[:count]
    clip = gray(*(np.full((2, 3), v) for v in values), starts=starts, name="GRAY8")
    out = core.vdiff.DiffBlend(clip, alpha=-1, lag=lag, scenechange=scenechange)
    shown = [int(frame[0][0, 0]) for frame in read(out)]
    cuts = starts if scenechange else ()
    assert shown == [int(values[lagged(n, lag, count, cuts)]) for n in range(count)]


def test_a_zero_property_is_no_cut(core: Any) -> None:
    video = Video("GRAY8", 4, 4)
    frames = [[np.full((4, 4), v, np.uint8)] for v in (10, 20, 30)]
    clip = make_clip(video, frames, props=[{"_SceneChangePrev": 0}] * 3)
    assert [int(f[0][0, 0]) for f in read(core.vdiff.DiffBlend(clip, alpha=-1))] == [10, 10, 20]


@pytest.mark.parametrize("name", FORMATS)
def test_reference_clip(core: Any, rng: np.random.Generator, name: str) -> None:
    """R is the same frame of `ref`, its last frame when it is shorter; cuts do not matter."""
    video = Video(name, 40, 26)
    frames, others = random_frames(rng, video, 6), random_frames(rng, video, 4)
    args: dict[str, Any] = {"alpha": 0.8, "threshold": 4.0, "limit": 60.0}
    out = core.vdiff.DiffBlend(make_clip(video, frames, starts=(2, 3)), ref=make_clip(video, others), **args)
    result = read(out)
    assert len(result) == 6
    for p in video.planes:
        samples = video.samples(p)
        x, r = stack(frames, p), stack(others, p)[[0, 1, 2, 3, 3, 3]]
        wanted = diffblend(x, r, alpha=0.8, threshold=4 * samples.unit, limit=60 * samples.unit)
        assert_stored(stack(result, p).astype(samples.dtype), wanted, samples, 4 * NOISE * samples.peak)


def test_a_longer_reference_clip_does_not_lengthen(core: Any) -> None:
    short, long = gray(*[np.zeros((3, 3))] * 2), gray(*[np.ones((3, 3))] * 9)
    assert core.vdiff.DiffBlend(short, ref=long).num_frames == 2


@pytest.mark.parametrize(
    ("alpha", "wanted"), [(0.5, 106), (0.25, 103), (-0.5, 97), (-0.25, 99), (1.5, 115), (-1.0, 92), (1000.0, 255)]
)
def test_ties_round_half_up(core: Any, alpha: float, wanted: int) -> None:
    """X = 101, r = 92: 105.5 is 106, 96.5 is 97, 114.5 is 115; in every place of a vector."""
    clip = gray(np.full((1, 41), 92), np.full((1, 41), 101), name="GRAY8")
    assert set(read_gray(core.vdiff.DiffBlend(clip, alpha=alpha), 1).ravel()) == {wanted}


@pytest.mark.parametrize("direction", [1, -1])
@pytest.mark.parametrize("name", ["GRAY8", "GRAY10", "GRAY12", "GRAY16"])
def test_threshold_and_limit_are_on_the_8_bit_scale(core: Any, name: str, direction: int) -> None:
    """Up to the threshold nothing moves, beyond it step by step, and up to the limit: 85 is a third of every peak."""
    peak = int(Video(name, 1, 1).samples(0).peak)
    third = peak // 3
    assert 3 * third == peak
    distance = np.array([[0, 1, third - 1, third, third + 1, third + 40, 2 * third - 1, 2 * third, 2 * third + 1]])
    start = 3 if direction == 1 else peak - 3
    x = start + direction * distance
    clip = gray(np.full(x.shape, start), x, name=name)
    out = read_gray(core.vdiff.DiffBlend(clip, alpha=1, threshold=85, limit=85), 1)
    wanted = np.clip(x + direction * np.clip(distance - third, 0, third), 0, peak)
    assert out.tolist() == wanted.tolist()


@pytest.mark.parametrize("alpha", [-0.5, -0.4, 0.0001])
def test_what_is_above_the_peak_is_clipped(core: Any, alpha: float) -> None:
    clip = gray(np.full((3, 70), 65535), name="GRAY10")
    assert read_gray(core.vdiff.DiffBlend(clip, alpha=alpha), 0).max() == 1023


def every_pair_of_bytes() -> tuple[np.ndarray, np.ndarray]:
    x, r = np.meshgrid(np.arange(256, dtype=np.float32), np.arange(256, dtype=np.float32))
    return x, r


def test_every_pair_of_bytes_in_fixed_point_is_as_in_floating_point(core: Any, rng: np.random.Generator) -> None:
    """The formula in float32, in the kernel's order; numbers that fixed point has and such that it has not."""
    x, r = every_pair_of_bytes()
    clip, ref = gray(x, name="GRAY8"), gray(r, name="GRAY8")
    alphas = [-1, -0.75, -0.5, -0.4, 0.3, 1 / 3, 0.499, 0.5, 1, 1.2, 1.37, 1.8, 2, 3.5, 31, 63.99, 64, 64.01]
    alphas += [100, 257, 1000, *rng.uniform(-1, 80, 9)]
    thresholds = [0, 0.3, 1, 2.5, 7, 100, 254.5, 255, 1e6, *rng.uniform(0, 20, 2)]
    limits = [0, 0.4, 0.5, 1, 2.5, 10, 60.2, 254.5, 255, 1e6, *rng.uniform(0, 99, 2)]
    for alpha in alphas:
        for threshold, limit in [(0, 255), *zip(rng.choice(thresholds, 12), rng.choice(limits, 12), strict=True)]:
            a, t, most = np.float32(alpha), np.float32(threshold), np.float32(limit)
            d = x - r
            change = np.clip(a * (d - np.clip(d, -t, t)), -most, most)
            wanted = np.clip(x + np.floor(change + np.float32(1024.5)) - 1024, 0, 255)
            given = {"alpha": alpha, "threshold": threshold, "limit": limit}
            found = read(core.vdiff.DiffBlend(clip, ref=ref, **given))[0][0]
            assert np.array_equal(found, wanted.astype(np.uint8)), given


def test_bytes_are_the_exact_ones_for_decimals(core: Any) -> None:
    """In fractions, not in floating point: 0.3 times 25 is 7.5, which is rounded up, and -7.5, too."""
    x, r = every_pair_of_bytes()
    clip, ref = gray(x, name="GRAY8"), gray(r, name="GRAY8")
    d = (x - r).astype(np.int64)
    for hundredths in range(-100, 301):
        wanted = np.clip(x + (2 * hundredths * d + 100) // 200, 0, 255)
        found = read(core.vdiff.DiffBlend(clip, ref=ref, alpha=hundredths / 100))[0][0]
        assert np.array_equal(found, wanted.astype(np.uint8)), hundredths


def test_float_is_not_clamped(core: Any) -> None:
    """Nor is a difference beyond the peak: only `limit`, 255 by default, bounds what is added."""
    clip = gray(np.full((2, 2), 0.25), np.full((2, 2), 1.0), np.full((2, 2), -0.5))
    by_default = core.vdiff.DiffBlend(clip, alpha=2)
    assert [float(read_gray(by_default, n)[0, 0]) for n in range(3)] == [0.25, 2.0, -1.5]
    free = core.vdiff.DiffBlend(clip, alpha=2, limit=1000)
    assert [float(read_gray(free, n)[0, 0]) for n in range(3)] == [0.25, 2.5, -3.5]


@pytest.mark.parametrize("name", FORMATS)
def test_alpha_zero_and_no_change_keep_every_pixel(core: Any, rng: np.random.Generator, name: str) -> None:
    video = Video(name, 21, 18)
    frames = random_frames(rng, video, 3)
    assert_same(read(core.vdiff.DiffBlend(make_clip(video, frames), alpha=0)), frames, "alpha=0")
    still = [frames[0]] * 3
    assert_same(read(core.vdiff.DiffBlend(make_clip(video, still), alpha=7)), still, "still clip")


@pytest.mark.parametrize("limit", [255, 1000])
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_is_no_number_shows(core: Any, bad: float, limit: float) -> None:
    """NaN in the other frame gives NaN, not a pixel that looks sound; an infinite difference is limited."""
    r, x = (np.full((2, 3), value, np.float32) for value in (bad, 0.5))
    y = read_gray(core.vdiff.DiffBlend(gray(r, x), alpha=0.5, limit=limit), 1)
    assert np.isnan(y).all() if np.isnan(bad) else np.allclose(y, 0.5 - limit / 255)
    assert (read_gray(core.vdiff.DiffBlend(gray(r, x), alpha=0), 1) == 0.5).all()


def test_defaults(core: Any, rng: np.random.Generator) -> None:
    """Alpha 0.5, lag 1, threshold 0, limit 255, scenechange 1, all planes."""
    video = Video("YUV420P8", 36, 26)
    clip = make_clip(video, random_frames(rng, video, 5), starts=(3,))
    spelt = core.vdiff.DiffBlend(clip, alpha=[0.5], lag=1, threshold=[0], limit=[255], scenechange=1, planes=[0, 1, 2])
    assert_same(read(core.vdiff.DiffBlend(clip)), read(spelt))
