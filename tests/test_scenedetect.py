"""SceneDetect against its reference, against real clips whose cuts are known, and against what is easily taken for one.

It draws nothing: what it says are properties, so the tests that hold for filters which draw are not for it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import vapoursynth as vs

from damage import CUTS
from markers import scene_scores
from reference import Real
from reference import scenedetect as reference
from scenes import HEIGHT, KINDS, WIDTH, Scenes, load_shots, make_scenes
from support import (
    FORMATS,
    SIZES,
    Frames,
    Video,
    assert_all_freed,
    assert_same,
    blank,
    cached,
    frames_of,
    make_clip,
    random_frames,
    read,
    uncached,
)

METRICS = tuple(reference.THRESHOLDS)
every_metric = pytest.mark.parametrize("metric", METRICS)

Marks = tuple[float, int, int]


def marks_of(frame: Any) -> Marks:
    """The score and both marks of a frame."""
    return frame.props["VdiffSceneScore"], frame.props["_SceneChangePrev"], frame.props["_SceneChangeNext"]


def detect(clip: Any, ahead: int | None = None, **args: Any) -> list[Marks]:
    """The marks of all frames, requested in order."""
    return [marks_of(frame) for frame in frames_of(vs.core.vdiff.SceneDetect(clip, **args), ahead)]


def scores_of(marks: Sequence[Marks]) -> Real:
    return np.array([score for score, _, _ in marks])


def cuts_of(marks: Sequence[Marks]) -> list[int]:
    """Frames that start a scene; that the frames before them say so too is checked on the way."""
    starts = [n for n, (_, before, _) in enumerate(marks) if before]
    assert starts == [n + 1 for n, (_, _, after) in enumerate(marks) if after]
    return starts


def shots_of(rng: np.random.Generator, video: Video, count: int) -> Frames:
    """Frames of a few scenes: coarse random pictures that move a little, with noise."""
    frames: Frames = []
    while len(frames) < count:
        scene = [np.kron(rng.random((9, 9)), np.ones((40, 40))) for _ in video.planes]
        for n in range(int(rng.integers(3, 12))):
            frame = []
            for p in video.planes:
                (h, w), samples = video.shape(p), video.samples(p)
                values = scene[p][n : n + h, 2 * n : 2 * n + w] + rng.normal(0, 0.02, (h, w))
                frame.append(samples.store(samples.low + values * (samples.high - samples.low)))
            frames.append(frame)
    return frames[:count]


# Against the reference.


@every_metric
@pytest.mark.parametrize("name", FORMATS)
def test_scores(core: Any, rng: np.random.Generator, name: str, metric: str) -> None:
    for size in ((67, 41), (130, 71)):
        video = Video(name, *size)
        frames = shots_of(rng, video, 22)
        scores = scores_of(detect(make_clip(video, frames), metric=metric))
        np.testing.assert_allclose(scores, scene_scores(frames, video, metric), rtol=2e-5, atol=2e-5)


@every_metric
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_sizes(core: Any, rng: np.random.Generator, size: tuple[int, int], metric: str) -> None:
    for name in ("GRAY8", "YUV420P16", "GRAYS"):
        video = Video(name, *size)
        frames = random_frames(rng, video, 9)
        scores = scores_of(detect(make_clip(video, frames), metric=metric))
        np.testing.assert_allclose(scores, scene_scores(frames, video, metric), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", ["GRAY8", "GRAY12", "GRAY16", "GRAYH", "GRAYS"])
def test_large_cells(core: Any, rng: np.random.Generator, name: str) -> None:
    """Of cells of 16 rows or more only some are looked at."""
    video = Video(name, 320, 1090)
    frames = random_frames(rng, video, 3)
    scores = scores_of(detect(make_clip(video, frames)))
    np.testing.assert_allclose(scores, scene_scores(frames, video, "adaptive"), rtol=1e-4)


@pytest.mark.parametrize("name", ["GRAY8", "GRAY10", "GRAYH", "GRAYS"])
def test_histogram_of_wide_pictures(core: Any, rng: np.random.Generator, name: str) -> None:
    """Rows are taken in parts of 1024."""
    video = Video(name, 2 * 1024 + 77, 2)
    frames = random_frames(rng, video, 3)
    scores = scores_of(detect(make_clip(video, frames), metric="histogram"))
    np.testing.assert_allclose(scores, scene_scores(frames, video, "histogram"), rtol=1e-4)


@every_metric
@pytest.mark.parametrize("threshold", [None, 0.5])
@pytest.mark.parametrize("min_length", [1, 2, 5, 12])
def test_cuts(core: Any, rng: np.random.Generator, metric: str, threshold: float | None, min_length: int) -> None:
    """Cuts are those of the reference, for the scores that the filter itself found."""
    video = Video("GRAY8", 66, 40)
    clip = make_clip(video, shots_of(rng, video, 60))
    given: dict[str, Any] = {} if threshold is None else {"threshold": threshold}
    marks = detect(clip, metric=metric, min_length=min_length, **given)
    limit = reference.THRESHOLDS[metric] if threshold is None else threshold
    found = cuts_of(marks)
    assert found == reference.cuts(scores_of(marks), limit, min_length)
    assert found
    assert all(b - a >= min_length for a, b in zip([0, *found], found, strict=False))


@pytest.mark.parametrize(("metric", "step"), [("adaptive", 7), ("mse", 50), ("mad", 35), ("histogram", 20)])
def test_default_thresholds(core: Any, metric: str, step: int) -> None:
    """A step of grey that scores the threshold itself is no cut, the next one is."""
    for more in (0, 1):
        levels = [100] * 6 + [100 + step + more] * 6
        clip = make_clip(Video("GRAY8", 4, 4), [[np.full((4, 4), v, np.uint8)] for v in levels])
        assert cuts_of(detect(clip, metric=metric)) == [6] * more


def test_of_equal_scores_the_first_is_the_cut(core: Any) -> None:
    levels = [10, 10, 10, 10, 110, 10, 110, 110, 110, 110, 110, 10, 10]
    clip = make_clip(Video("GRAY8", 4, 4), [[np.full((4, 4), v, np.uint8)] for v in levels])
    assert cuts_of(detect(clip, metric="mad")) == [4, 5, 6, 11]
    assert cuts_of(detect(clip, metric="mad", min_length=3)) == [4, 11]
    assert cuts_of(detect(clip, metric="mad", min_length=4)) == [4, 11]
    assert cuts_of(detect(clip, metric="mad", min_length=5)) == [5, 11]  # 4 is too near to the start
    assert cuts_of(detect(clip, metric="mad", min_length=8)) == [11]
    assert cuts_of(detect(clip, metric="mad", min_length=12)) == []


# Against others.


@pytest.mark.parametrize("name", ["GRAY8", "YUV420P10", "YUV422P16", "GRAYS"])
def test_mad_is_that_of_planestats(core: Any, rng: np.random.Generator, name: str) -> None:
    video = Video(name, 61, 33)
    clip = make_clip(video, random_frames(rng, video, 8))
    stats = core.std.PlaneStats(clip[1:], clip[:-1])
    wanted = [255.0 * frame.props["PlaneStatsDiff"] for frame in frames_of(stats)]
    np.testing.assert_allclose(scores_of(detect(clip, metric="mad"))[1:], wanted, rtol=1e-6)


@every_metric
def test_one_scale(core: Any, rng: np.random.Generator, metric: str) -> None:
    """The same picture has the same score at every depth."""
    video = Video("GRAY8", 90, 50)
    frames = shots_of(rng, video, 20)
    exact = scores_of(detect(make_clip(video, frames), metric=metric))
    for name in ("GRAY10", "GRAY16", "GRAYH", "GRAYS"):
        other = Video(name, 90, 50)
        peak = other.samples(0).peak
        same = [[other.samples(0).store(frame[0] / 255.0 * peak)] for frame in frames]
        scores = scores_of(detect(make_clip(other, same), metric=metric))
        # A histogram has steps: samples on their border change their part of it.
        np.testing.assert_allclose(scores, exact, rtol=0.01, atol=1.0 if metric == "histogram" else 0.3)


def test_histogram_does_not_see_where(core: Any, rng: np.random.Generator) -> None:
    picture = rng.integers(0, 256, (40, 60), dtype=np.uint8)
    shuffled = rng.permutation(picture.ravel()).reshape(picture.shape)
    brighter = np.minimum(shuffled.astype(int) + 7, 255).astype(np.uint8)
    clip = make_clip(Video("GRAY8", 60, 40), [[picture], [shuffled], [brighter]])
    scores = scores_of(detect(clip, metric="histogram"))
    np.testing.assert_allclose(scores, [0, 0, float(np.mean(brighter.astype(int) - shuffled))], rtol=1e-5, atol=1e-6)


# Real clips.


@pytest.mark.parametrize("name", CUTS)
def test_real_clips(core: Any, clips: Path, name: str) -> None:
    assert cuts_of(detect(core.bs.VideoSource(str(clips / name), cachemode=0))) == CUTS[name]


@pytest.mark.parametrize("change", ["10 bit", "half size", "noise", "dark"])
def test_real_clips_changed(core: Any, clips: Path, rng: np.random.Generator, change: str) -> None:
    """The defaults hold at other depths and sizes, in noise, and in the dark."""
    clip = core.bs.VideoSource(str(clips / "bikes.mp4"), cachemode=0)
    if change == "10 bit":
        clip = core.resize.Point(clip, format=vs.YUV420P10)
    elif change == "half size":
        clip = core.resize.Bilinear(clip, clip.width // 2, clip.height // 2, format=vs.GRAYS)
    elif change == "dark":
        clip = core.std.Expr(clip, ["x 16 - 0.35 * 16 +", "x 128 - 0.35 * 128 +"])
    else:
        noise = [[np.rint(128 + rng.normal(0, 12, (272, 640))).clip(0, 255).astype(np.uint8)] for _ in range(11)]
        grain = core.std.Loop(cached(make_clip(Video("GRAY8", 640, 272), noise), 12), 30)[: clip.num_frames]
        clip = core.std.Expr([core.std.ShufflePlanes(clip, 0, vs.GRAY), grain], "x y + 128 -")
    assert cuts_of(detect(clip)) == CUTS["bikes.mp4"]


@cache
def synthetic(folder: Path) -> list[Scenes]:
    """The set that the defaults are judged by."""
    shots = load_shots(folder)
    return [
        make_scenes(np.random.default_rng([seed, k]), shots, kind) for seed in range(3) for k, kind in enumerate(KINDS)
    ]


def found_in(scenes: Scenes) -> set[int]:
    video = Video("GRAY8", WIDTH, HEIGHT)
    return set(cuts_of(detect(make_clip(video, [[frame] for frame in scenes.frames]))))


def test_synthetic_set(core: Any, clips: Path) -> None:
    """F1 at tolerance 0 over all kinds of clips; each kind by itself is worse by a cut or two at most."""
    right = extra = missed = 0
    for scenes in synthetic(clips):
        found, cuts = found_in(scenes), set(scenes.cuts)
        right, extra, missed = right + len(found & cuts), extra + len(found - cuts), missed + len(cuts - found)
    assert right + missed > 80
    assert 2 * right / (2 * right + extra + missed) >= 0.95


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_else_is_taken_for_a_cut(core: Any, clips: Path, kind: str) -> None:
    """Flashes, pans, fades, dissolves and noise."""
    for scenes in synthetic(clips):
        if scenes.kind == kind:
            assert found_in(scenes) - set(scenes.cuts) == set()


# What a cut is not.


def moving(rng: np.random.Generator, count: int, step: int) -> Frames:
    """A window of 160x80 pixels that moves over a coarse random picture by `step` pixels a frame."""
    wide = np.kron(rng.integers(16, 236, (10, 12 + 2 * count)), np.ones((8, 20))).astype(np.uint8)
    return [[np.ascontiguousarray(wide[:, step * n : step * n + 160])] for n in range(count)]


@pytest.mark.parametrize("step", [0, 1, 3, 8, 20])
def test_a_pan_is_no_cut(core: Any, rng: np.random.Generator, step: int) -> None:
    """Up to an eighth of the width a frame; also where it begins and ends at once."""
    still = moving(rng, 12, 0)
    pan = moving(rng, 24, step)
    clip = make_clip(Video("GRAY8", 160, 80), [*[pan[0]] * 12, *pan, *[pan[-1]] * 12, *still])
    assert cuts_of(detect(clip)) == [48]


def test_no_shift_is_the_first_to_be_tried(core: Any) -> None:
    """Squares whose rows and columns all have one mean fit as well at any shift: none is taken, and this is a cut."""
    squares = np.kron(np.indices((4, 8)).sum(axis=0) % 2, np.ones((8, 8))).astype(np.uint8) * 100
    clip = make_clip(Video("GRAY8", 64, 32), [*[[squares]] * 10, *[[100 - squares]] * 10])
    assert detect(clip)[10] == (20.0, 1, 0)


@pytest.mark.parametrize("length", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("level", [0, 255])
def test_a_flash_is_no_cut(core: Any, rng: np.random.Generator, length: int, level: int) -> None:
    """White or black frames between the same picture; between two pictures they are one."""
    picture, other = (np.kron(rng.integers(16, 236, (8, 8)), np.ones((8, 8))).astype(np.uint8) for _ in range(2))
    flash = [[np.full((64, 64), level, np.uint8)]] * length
    video = Video("GRAY8", 64, 64)
    assert cuts_of(detect(make_clip(video, [*[[picture]] * 15, *flash, *[[picture]] * 15, *[[other]] * 9]))) == [
        30 + length
    ]


@pytest.mark.parametrize("through", ["black", "dissolve"])
@pytest.mark.parametrize("length", [8, 12, 25])
def test_a_gradual_transition_is_no_cut(core: Any, rng: np.random.Generator, through: str, length: int) -> None:
    a, b = (np.kron(rng.integers(16, 236, (8, 8)), np.ones((8, 8))) for _ in range(2))
    ramp = np.linspace(0, 1, length)
    between = (
        [a * (1 - t) for t in ramp] + [b * t for t in ramp]
        if through == "black"
        else [a * (1 - t) + b * t for t in ramp]
    )
    frames = [[np.rint(v).astype(np.uint8)] for v in [a] * 10 + between + [b] * 10]
    assert cuts_of(detect(make_clip(Video("GRAY8", 64, 64), frames))) == []


@every_metric
def test_a_still_clip_has_no_cut(core: Any, rng: np.random.Generator, metric: str) -> None:
    video = Video("YUV420P8", 40, 30)
    marks = detect(make_clip(video, random_frames(rng, video, 1) * 20), metric=metric, threshold=0)
    assert marks == [(0.0, 0, 0)] * 20


@every_metric
@pytest.mark.parametrize("count", [1, 2, 3])
def test_short_clips(core: Any, metric: str, count: int) -> None:
    """The first frame is never marked, nor is what would come after the last."""
    frames: Frames = [[np.full((20, 30), 200 * (n % 2), np.uint8)] for n in range(count)]
    marks = detect(make_clip(Video("GRAY8", 30, 20), frames), metric=metric, threshold=0.01)
    assert marks[0][:2] == (0.0, 0)
    assert marks[-1][2] == 0
    if metric != "adaptive":  # which takes two frames that alternate for flashes
        assert cuts_of(marks) == list(range(1, count))


@every_metric
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e30])
@pytest.mark.parametrize("at", [5, 18])
def test_no_numbers_start_no_scene(core: Any, at: int, metric: str, value: float) -> None:
    """A float clip may hold anything: a cut elsewhere, also a near one, is found, and nothing crashes."""
    frames: Frames = [[np.full((16, 16), 0.1 if n < 20 else 0.9, np.float32)] for n in range(40)]
    frames[at][0][3, 3] = value
    found = cuts_of(detect(make_clip(Video("GRAYS", 16, 16), frames), metric=metric))
    assert 20 in found
    assert set(found) <= {at, at + 1, 20}


# What is common to filters.


@every_metric
def test_frames_pass_through(core: Any, rng: np.random.Generator, metric: str) -> None:
    """The frames are the source's own memory, with all its other properties; marks of before are replaced."""
    video = Video("YUV420P8", 64, 32)
    props = [{"Counter": n, "_SceneChangePrev": 1, "_SceneChangeNext": 1, "_Matrix": 5} for n in range(4)]
    clip = cached(make_clip(video, random_frames(rng, video, 4), props=props), 8)
    out = core.vdiff.SceneDetect(clip, metric=metric, threshold=1e6)
    for field in ("format", "width", "height", "num_frames", "fps"):
        assert getattr(out, field) == getattr(clip, field)
    for n in range(4):
        with clip.get_frame(n) as before, out.get_frame(n) as after:
            assert [before.get_read_ptr(p).value for p in range(3)] == [after.get_read_ptr(p).value for p in range(3)]
            wanted = dict(before.props) | {"_SceneChangePrev": 0, "_SceneChangeNext": 0}
            assert {key: value for key, value in after.props.items() if key != "VdiffSceneScore"} == wanted
    assert_same(read(out), read(clip))


ORDERS: dict[str, Callable[[np.random.Generator, int], Sequence[int]]] = {
    "backwards": lambda rng, count: range(count - 1, -1, -1),
    "at random": lambda rng, count: rng.permutation(count).tolist(),
    "every seventh": lambda rng, count: [n * 7 % count for n in range(count)],
}


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("min_length", [1, 10])
@every_metric
def test_order_of_requests(core: Any, rng: np.random.Generator, metric: str, min_length: int, order: str) -> None:
    video = Video("YUV420P8", 66, 34)
    clip = cached(make_clip(video, shots_of(rng, video, 50)), 60)
    wanted = detect(clip, metric=metric, min_length=min_length)
    out = uncached(core.vdiff.SceneDetect(clip, metric=metric, min_length=min_length))
    for n in ORDERS[order](rng, 50):
        with out.get_frame(n) as frame:
            assert marks_of(frame) == wanted[n], n
    assert (
        marks_of(next(frames_of(core.vdiff.SceneDetect(clip, metric=metric, min_length=min_length)[17]))) == wanted[17]
    )


@pytest.mark.parametrize("count", [1, 2, 4])
@every_metric
def test_threads(threads: Any, rng: np.random.Generator, metric: str, count: int) -> None:
    video = Video("YUV420P8", 66, 34)
    clip = cached(make_clip(video, shots_of(rng, video, 50)), 60)
    threads.num_threads = 1
    wanted = detect(clip, metric=metric, min_length=3)
    threads.num_threads = count
    assert detect(clip, 3 * count, metric=metric, min_length=3) == wanted
    out = uncached(vs.core.vdiff.SceneDetect(clip, metric=metric, min_length=3))
    futures = [(n, out.get_frame_async(n)) for n in rng.permutation(50).tolist()]
    for n, future in futures:
        with future.result() as frame:
            assert marks_of(frame) == wanted[n]


@pytest.mark.parametrize("min_length", [1, 15])
@every_metric
def test_playback_computes_nothing_twice(core: Any, metric: str, min_length: int) -> None:
    """Each frame is asked for to pass it on, and to compare it: once, or with the one before and the one after it."""
    asked: list[int] = []
    base = blank(Video("GRAY8", 64, 32), 200)

    def note(n: int, f: Any) -> Any:
        asked.append(n)
        return f

    detect(uncached(core.std.ModifyFrame(base, base, note)), metric=metric, min_length=min_length)
    assert set(asked) == set(range(200))
    assert len(asked) <= 200 * (2 if metric in ("adaptive", "histogram") else 3)


@every_metric
def test_upstream_errors_and_freed_frames(core: Any, rng: np.random.Generator, metric: str) -> None:
    """An error reaches the frames that depend on the bad one, and no others; afterwards nothing is left behind."""
    video = Video("GRAY8", 256, 128)
    bad = 40

    def use() -> list[int]:
        clip = make_clip(video, shots_of(rng, video, 80))

        def break_it(n: int, f: Any) -> Any:
            if n == bad:
                raise RuntimeError("frame cannot be decoded")
            return f

        out = core.vdiff.SceneDetect(uncached(core.std.ModifyFrame(clip, clip, break_it)), metric=metric)
        failed = []
        for n in range(80):
            try:
                out.get_frame(n).close()
            except vs.Error as error:
                assert "frame cannot be decoded" in str(error)
                failed.append(n)
        return failed

    failed = assert_all_freed(core, use)
    assert bad in failed
    reach = reference.REACH + reference.NEAR if metric == "adaptive" else 1
    assert failed == list(range(bad - reach, bad + reach + 1))


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ({"metric": "best"}, 'metric must be one of adaptive, mse, mad, histogram, got "best".'),
        ({"threshold": -1}, "threshold must be 0...1000000, got -1."),
        ({"threshold": float("nan")}, "threshold must be 0...1000000, got nan."),
        ({"min_length": 0}, "min_length must be 1...1000, got 0."),
        ({"min_length": 1001}, "min_length must be 1...1000, got 1001."),
    ],
    ids=str,
)
def test_errors(core: Any, args: dict[str, Any], message: str) -> None:
    clip = blank(Video("GRAY8", 16, 16), 3)
    with pytest.raises(vs.Error, match=f"^{re.escape('SceneDetect: ' + message)}$"):
        core.vdiff.SceneDetect(clip, **args)


@pytest.mark.parametrize("fmt", ["GRAY32", "variable"])
def test_refused_formats(core: Any, fmt: str) -> None:
    clip = core.std.BlankClip(format=vs.GRAY8, width=8, height=8, length=2)
    clip = core.std.Splice([clip, clip.resize.Point(16, 16)], mismatch=True) if fmt == "variable" else clip
    if fmt != "variable":
        clip = core.std.BlankClip(format=vs.GRAY32, width=8, height=8)
    with pytest.raises(vs.Error, match=r"^SceneDetect: Input clip must be constant format 8..16 bit"):
        core.vdiff.SceneDetect(clip)


def test_the_longest_min_length(core: Any, rng: np.random.Generator) -> None:
    """The longest scene length is right, though it looks far."""
    black = core.std.BlankClip(format=vs.GRAY8, width=8, height=8, length=1, keep=True)
    scenes = {v: cached(core.std.BlankClip(black, color=v), 2) for v in (0, 90, 110)}
    clip = core.std.Splice([core.std.Loop(scenes[v], n) for v, n in ((0, 700), (90, 600), (0, 1001), (110, 299))])
    out = core.vdiff.SceneDetect(clip, metric="mad", min_length=1000)
    marked = {n: out.get_frame(n).props["_SceneChangePrev"] for n in (700, 1300, 2301, 2300, 2302)}
    assert marked == {700: 0, 1300: 1, 2301: 1, 2300: 0, 2302: 0}
