"""RepairFrames: planted damage is found, cuts, motion and still scenes are not taken for it; decisions and fills."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import vapoursynth as vs

from damage import CUTS, DAMAGE, load, plant, undamaged
from markers import OFF, best_scores, filled, frames_in, repair_scores
from reference import Real
from reference import repairframes as reference
from scenes import KINDS, load_shots, make_scenes
from support import (
    SIZES,
    Frames,
    Video,
    assert_all_freed,
    assert_same,
    assert_stored,
    blank,
    cached,
    fingerprint,
    frames_of,
    gray,
    make_clip,
    planes_of,
    random_frames,
    read,
    uncached,
)

Found = list[tuple[int, float]]


def found(clip: Any, **args: Any) -> Found:
    """Of each frame whether it is repaired, and its score."""
    return [
        (frame.props["VdiffRepaired"], frame.props["VdiffRepairScore"])
        for frame in frames_of(vs.core.vdiff.RepairFrames(clip, **args))
    ]


def repaired(pictures: Any, **args: Any) -> set[int]:
    """The frames of a clip of one plane that are repaired."""
    return {n for n, (is_so, _) in enumerate(found(gray(*pictures, name="GRAY8"), **args)) if is_so}


def damaged_frames(rng: np.random.Generator, video: Video, count: int) -> Frames:
    """Coarse pictures that drift, with noise, a cut, and frames and pairs of frames of nothing but noise."""
    scenes = [[np.kron(rng.random((9, 9)), np.ones((40, 40))) for _ in video.planes] for _ in range(2)]
    start = int(rng.integers(2, 5))
    bad = {start, start + 7, start + 8, start + 15}
    frames: Frames = []
    for n in range(count):
        frame = []
        for p in video.planes:
            (h, w), samples = video.shape(p), video.samples(p)
            values = scenes[n > count // 2][p][n : n + h, n : n + w] + rng.normal(0, 0.02, (h, w))
            values = rng.random((h, w)) ** 2 if n in bad else values
            frame.append(samples.store(samples.low + values * (samples.high - samples.low)))
        frames.append(frame)
    return frames


# Against the reference.


@pytest.mark.parametrize("name", ["GRAY8", "GRAYH", "YUV420P8", "YUV422P10", "YUV444P16", "RGB30", "RGBS", "YUV410P8"])
def test_parity(core: Any, rng: np.random.Generator, name: str) -> None:
    """Scores, decisions, and every plane of what is filled; other frames are as they were."""
    for size, max_gap in (((83, 41), 3), ((70, 66), 2)):
        video = Video(name, *size)
        frames = damaged_frames(rng, video, 26)
        out = core.vdiff.RepairFrames(make_clip(video, frames), max_gap=max_gap)
        scores = repair_scores(frames, video, max_gap)
        marks = found(make_clip(video, frames), max_gap=max_gap)
        wanted = best_scores(scores, 26)
        np.testing.assert_allclose([score for _, score in marks], wanted, rtol=1e-4, atol=1e-4)
        runs = reference.repairs(scores)
        assert {n for n, (is_so, _) in enumerate(marks) if is_so} == frames_in(runs)
        assert {run.length for run in runs} == {1, 2}
        result = read(out)
        for p in video.planes:
            samples = video.samples(p)
            actual = np.stack([frame[p] for frame in result])
            assert_stored(actual, filled(frames, video, p, runs), samples, OFF * samples.peak, f"{name} plane {p}")


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_sizes(core: Any, rng: np.random.Generator, size: tuple[int, int]) -> None:
    for name in ("GRAY8", "YUV420P16", "RGBS"):
        video = Video(name, *size)
        frames = random_frames(rng, video, 9)
        clip = make_clip(video, frames)
        scores = repair_scores(frames, video)
        wanted = best_scores(scores, 9)
        np.testing.assert_allclose([score for _, score in found(clip)], wanted, rtol=1e-3, atol=1e-3)
        assert len(read(core.vdiff.RepairFrames(clip, threshold=0))) == 9


@pytest.mark.parametrize("max_gap", [1, 3, 10])
def test_decisions(core: Any, rng: np.random.Generator, max_gap: int) -> None:
    """Of runs in conflict too: many frames hardly fit."""
    count = 60 if max_gap == 10 else 100
    levels = np.where(rng.random(count) < 0.15, rng.uniform(0, 255, count), 100 + rng.uniform(-2, 2, count).cumsum())
    pattern = rng.uniform(-9, 9, (count, 6, 8))
    pictures = np.clip(levels[:, None, None] + pattern, 0, 255).astype(np.uint8)
    scores = reference.scores(pictures.astype(np.float64), max_gap)
    for threshold in (0.0, 1.0):
        runs = reference.repairs(scores, threshold)
        assert repaired(pictures, max_gap=max_gap, threshold=threshold) == frames_in(runs)
        assert len(runs) > 3
        assert len(frames_in(runs)) == sum(run.length for run in runs)


@pytest.mark.parametrize("name", ["GRAY10", "GRAY16", "GRAYH", "GRAYS", "RGB24"])
def test_one_scale(core: Any, rng: np.random.Generator, clips: Path, name: str) -> None:
    """The same picture has the same score at every depth."""
    clip = core.bs.VideoSource(str(clips / "bikes.mp4"), cachemode=0)[60:90]
    clip = core.resize.Bilinear(clip, 160, 68, format=vs.GRAY8)
    clip = core.std.SetFrameProps(clip, _Range=1)
    clip = cached(
        clip[:11] + core.std.SetFrameProps(core.std.BlankClip(clip, length=2, color=60), _Range=1) + clip[13:], 40
    )
    other = core.resize.Point(clip, format=getattr(vs, name))
    wanted = [score for _, score in found(clip)]
    assert max(wanted) > 3
    np.testing.assert_allclose([score for _, score in found(other)], wanted, rtol=0.02, atol=0.02)


# What is damage.


def test_planted_damage_is_found(core: Any, rng: np.random.Generator, clips: Path) -> None:
    """F1 of frames at least 0.95, and hardly a good frame is touched."""
    hits = false = missed = 0
    for name, cuts in CUTS.items():
        clip = load(clips, name)
        for _ in range(4):
            spoilt, truth = plant(rng, clip, cuts)
            given = repaired(spoilt)
            hits, false, missed = (
                hits + len(given & set(truth)),
                false + len(given - set(truth)),
                missed + len(set(truth) - given),
            )
    assert hits > 120
    assert 2 * hits / (2 * hits + false + missed) >= 0.95
    assert false <= 0.02 * hits


@pytest.mark.parametrize("kind", DAMAGE)
def test_every_kind_is_found(core: Any, rng: np.random.Generator, clips: Path, kind: str) -> None:
    """Runs of one frame up to three."""
    clip = load(clips, "bigbuckbunny.mp4", 160)
    for length in (1, 2, 3):
        spoilt, start = clip.copy(), int(rng.integers(40, 46))
        spoilt[start : start + length] = DAMAGE[kind](rng, clip, start, length)
        assert repaired(spoilt) == set(range(start, start + length)), (kind, start, length)


@pytest.mark.parametrize("name", CUTS)
def test_untouched_clips(core: Any, clips: Path, name: str) -> None:
    marks = found(core.bs.VideoSource(str(clips / name), cachemode=0))
    assert max(score for _, score in marks) < 1
    assert not any(is_so for is_so, _ in marks)


def test_nothing_is_mistaken_for_damage(core: Any, rng: np.random.Generator, clips: Path) -> None:
    """Cuts, pans, zooms, shaking, fades, still scenes in grain, animation on twos, telecine, flashes and more."""
    wrong = {name: frames for name, clip in undamaged(rng, clips).items() if (frames := repaired(clip))}
    assert wrong == {}


@cache
def shots(folder: Path) -> list[Real]:
    """What scenes are made of."""
    return load_shots(folder)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if "flash" not in kind])
def test_scenes(core: Any, rng: np.random.Generator, clips: Path, kind: str) -> None:
    """What SceneDetect is tried on: cuts between shots that are still, noisy, in a pan or a fade."""
    assert repaired(make_scenes(rng, shots(clips), kind).frames) == set()


def test_a_fade_that_turns(core: Any) -> None:
    """Down to black, held for a frame, and up twice as fast."""
    light = np.concatenate([np.linspace(1, 0, 20), np.linspace(0, 1, 10)])
    assert repaired(moving(1)[0] * light[:, None, None]) == set()


def moving(count: int, speed: float = 3.0) -> Real:
    """Waves that move."""
    y, x = np.mgrid[0:96, 0:128]
    moved = x + speed * np.arange(count)[:, None, None]
    waves: Real = 120 + 50 * np.sin(moved / 17 + y / 23) + 40 * np.cos(moved / 29 - y / 11)
    return waves


def test_longer_runs_than_max_gap_are_left(core: Any) -> None:
    clip = moving(40, 1.0)
    for length in (1, 2, 3, 4, 9, 10, 11):
        spoilt = clip.copy()
        spoilt[15 : 15 + length] = 16
        for max_gap in (1, 3, 9, 10):
            run = set(range(15, 15 + length)) if length <= max_gap else set()
            assert repaired(spoilt, max_gap=max_gap) == run, (length, max_gap)


def test_a_repeat_in_whose_place_nothing_is_missing_is_left(core: Any) -> None:
    """The jump after it tells: a frame of film that is shown twice has none."""
    clip = moving(40)
    dropped = clip.copy()
    dropped[20] = clip[19]
    assert repaired(dropped) == {20}
    assert repaired(np.insert(clip, 20, clip[19], axis=0)) == set()


def test_ends_are_left(core: Any) -> None:
    """A first frame, or a last one, is between none."""
    clip = moving(20)
    for bad in (0, 19):
        spoilt = clip.copy()
        spoilt[bad] = 16
        assert repaired(spoilt) == set()
    spoilt = clip.copy()
    spoilt[[1, 18]] = 16
    assert repaired(spoilt) == {1, 18}


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5])
def test_short_clips(core: Any, count: int) -> None:
    clip = moving(count)
    assert repaired(clip) == set()
    clip[count // 2] = 16
    assert repaired(clip) == ({count // 2} if 0 < count // 2 < count - 1 else set())


@pytest.mark.parametrize("first", range(16, 25))
@pytest.mark.parametrize("length", [1, 3])
def test_beside_a_cut(core: Any, clips: Path, first: int, length: int) -> None:
    """A run that ends before a scene's last frame is repaired, one at its border is left: it is between none."""
    scenes = load(clips, "bikes.mp4")
    clip = np.concatenate([scenes[150:170], scenes[210:230]])
    assert repaired(clip) == set()
    clip[first : first + length] = 16
    inside = first + length < 20 or first > 20
    assert repaired(clip) == (set(range(first, first + length)) if inside else set())


@pytest.mark.parametrize("marked", range(17, 24))
def test_marked_cuts_are_respected(core: Any, marked: int) -> None:
    """Nothing is mixed across a frame that is marked as a scene's first, whatever the scores say."""
    clip = moving(40)
    clip[19:21] = 16
    video = Video("GRAY8", 128, 96)
    frames = [[picture.astype(np.uint8)] for picture in clip]
    out = read(core.vdiff.RepairFrames(make_clip(video, frames, starts=(marked,))))
    touched = {n for n in range(40) if not np.array_equal(out[n][0], frames[n][0])}
    assert touched == (set() if marked in (19, 20, 21) else {19, 20})


def test_the_longest_run_is_taken(core: Any) -> None:
    """Between two frames that are bad alike, a worse one is not filled from them, but all three from good ones."""
    clip = moving(40)
    spoilt = clip.copy()
    spoilt[[15, 17]], spoilt[16] = 110, 255
    assert found(gray(*spoilt, name="GRAY8"), max_gap=1)[16][1] > found(gray(*spoilt, name="GRAY8"))[15][1] > 2
    assert repaired(spoilt, max_gap=1) == {16}
    assert repaired(spoilt) == {15, 16, 17}
    out = read(core.vdiff.RepairFrames(gray(*spoilt, name="GRAY8")))
    for n in (15, 16, 17):
        assert np.abs(out[n][0] - clip[n]).mean() < 4


def test_damage_beside_damage(core: Any) -> None:
    """Each for itself, if it is five frames away; pictures that take turns are no damage."""
    for apart in (6, 7, 9):
        clip = moving(40)
        clip[12], clip[12 + apart] = 16, 240
        assert repaired(clip) == {12, 12 + apart}
    clip = moving(40)
    clip[12:30:2] = 16
    assert repaired(clip) == set()


# What damage is replaced by.


@pytest.mark.parametrize("length", [1, 2, 3])
@pytest.mark.parametrize("name", ["YUV420P8", "YUV444P16", "RGBS"])
def test_what_agrees_is_dissolved(core: Any, rng: np.random.Generator, name: str, length: int) -> None:
    """All planes, and linear in time: of a still picture that fades, the fade goes on."""
    video, count = Video(name, 64, 48), 24
    smooth = [rng.uniform(0.3, 0.5) * (video.samples(p).high - video.samples(p).low) for p in video.planes]
    frames = []
    for n in range(count):
        frame = []
        for p in video.planes:
            ramp = np.linspace(0.1, 0.2, video.shape(p)[1])[None] * np.ones((video.shape(p)[0], 1))
            samples = video.samples(p)
            frame.append(samples.store(samples.low + (smooth[p] + ramp * samples.peak) * (0.5 + 0.01 * n)))
        frames.append(frame)
    bad = random_frames(rng, video, 1)[0]
    bad[0][...] = video.samples(0).store(np.full(bad[0].shape, video.samples(0).high))
    spoilt = [bad if 10 <= n < 10 + length else frame for n, frame in enumerate(frames)]
    out = read(core.vdiff.RepairFrames(make_clip(video, spoilt)))
    for n in range(count):
        for p in video.planes:
            samples = video.samples(p)
            step = samples.step if not samples.is_float else 1e-5
            assert np.abs(out[n][p].astype(float) - frames[n][p]).max() <= (1.01 * step if 10 <= n < 10 + length else 0)


def test_repair_is_nearer_to_the_truth(core: Any, clips: Path) -> None:
    """Than the damage, and than holding the frame before."""
    clip = load(clips, "carphone_pristine.mp4")
    spoilt = clip.copy()
    bad = range(10, 110, 10)
    spoilt[list(bad)] = 235
    out = read(core.vdiff.RepairFrames(gray(*spoilt, name="GRAY8")))

    def error(n: int, picture: Any) -> float:
        return float(np.mean((picture.astype(float) - clip[n]) ** 2))

    assert repaired(spoilt) == set(bad)
    assert np.mean([error(n, out[n][0]) for n in bad]) < 0.6 * np.mean([error(n, clip[n - 1]) for n in bad])


# The filter as a part of a graph.


def spoilt_clip(video: Video, rng: np.random.Generator, count: int = 40, props: Sequence[Any] | None = None) -> Any:
    """A clip with damage, kept."""
    return cached(make_clip(video, damaged_frames(rng, video, count), props=props), count + 4)


def test_frames_and_properties(core: Any, rng: np.random.Generator) -> None:
    """Good frames are the source's own memory; a repaired one has the properties of the one it replaces."""
    video = Video("YUV420P8", 64, 32)
    props = [{"Counter": n, "_SceneChangePrev": 0, "_Matrix": 5, "VdiffRepaired": 7} for n in range(40)]
    clip = spoilt_clip(video, rng, props=props)
    out = core.vdiff.RepairFrames(clip)
    for field in ("format", "width", "height", "num_frames", "fps"):
        assert getattr(out, field) == getattr(clip, field)
    seen = set()
    for n in range(40):
        with clip.get_frame(n) as before, out.get_frame(n) as after:
            added = {"VdiffRepaired": after.props["VdiffRepaired"], "VdiffRepairScore": after.props["VdiffRepairScore"]}
            assert dict(after.props) == dict(before.props) | added
            same = [before.get_read_ptr(p).value == after.get_read_ptr(p).value for p in range(3)]
            assert same == [not added["VdiffRepaired"]] * 3
            assert added["VdiffRepaired"] == (added["VdiffRepairScore"] > 2)
            seen.add(added["VdiffRepaired"])
    assert seen == {0, 1}


@pytest.mark.parametrize("max_gap", [1, 3, 10])
def test_order_of_requests(core: Any, rng: np.random.Generator, max_gap: int) -> None:
    clip = spoilt_clip(Video("YUV420P8", 66, 34), rng)
    wanted = read(core.vdiff.RepairFrames(clip, max_gap=max_gap))
    assert sum(fingerprint(a) != fingerprint(b) for a, b in zip(wanted, read(clip), strict=True)) >= 2
    out = uncached(core.vdiff.RepairFrames(clip, max_gap=max_gap))
    for n in (*range(39, -1, -1), *rng.permutation(40).tolist(), *(n * 7 % 40 for n in range(40))):
        with out.get_frame(n) as frame:
            assert fingerprint(planes_of(frame)) == fingerprint(wanted[n]), n
    for first in (1, 9, 17):
        assert_same(read(core.vdiff.RepairFrames(clip, max_gap=max_gap)[first : first + 6]), wanted[first : first + 6])


@pytest.mark.parametrize("count", [1, 2, 4])
def test_threads(threads: Any, rng: np.random.Generator, count: int) -> None:
    clip = spoilt_clip(Video("YUV420P8", 66, 34), rng)
    threads.num_threads = 1
    wanted = read(vs.core.vdiff.RepairFrames(clip))
    threads.num_threads = count
    assert_same(read(vs.core.vdiff.RepairFrames(clip), 3 * count), wanted)
    out = uncached(vs.core.vdiff.RepairFrames(clip))
    futures = [(n, out.get_frame_async(n)) for n in rng.permutation(np.repeat(range(40), 2)).tolist()]
    for n, future in futures:
        with future.result() as frame:
            assert fingerprint(planes_of(frame)) == fingerprint(wanted[n])


@pytest.mark.parametrize("max_gap", [1, 3, 10])
def test_playback_computes_nothing_twice(core: Any, max_gap: int) -> None:
    """Each frame is asked for once, though it is compared long before it is passed on."""
    asked: list[int] = []
    base = blank(Video("GRAY8", 64, 32), 200)

    def note(n: int, f: Any) -> Any:
        asked.append(n)
        return f

    found(uncached(core.std.ModifyFrame(base, base, note)), max_gap=max_gap)
    assert sorted(asked) == list(range(200))


def test_upstream_errors_and_freed_frames(core: Any, rng: np.random.Generator) -> None:
    """An error reaches the frames that depend on the bad one, and no others; afterwards nothing is left behind."""
    video, bad = Video("GRAY8", 256, 128), 40

    def use() -> list[int]:
        clip = make_clip(video, damaged_frames(rng, video, 80))

        def break_it(n: int, f: Any) -> Any:
            if n == bad:
                raise RuntimeError("frame cannot be decoded")
            return f

        out = core.vdiff.RepairFrames(uncached(core.std.ModifyFrame(clip, clip, break_it)))
        failed = []
        for n in range(80):
            try:
                out.get_frame(n).close()
            except vs.Error as error:
                assert "frame cannot be decoded" in str(error)
                failed.append(n)
        return failed

    failed = assert_all_freed(core, use)
    assert failed == list(range(bad - 15, bad + 16))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e30])
def test_what_is_no_number(core: Any, value: float) -> None:
    """It says nothing of frames, and a fill beside it does not crash."""
    clip = moving(20) / 255
    clip[10] = value
    clip[4] = 0
    clip[5, :20, :20] = value
    out = read(core.vdiff.RepairFrames(gray(*clip), threshold=0.5))
    assert len(out) == 20


# Arguments.


def test_defaults(core: Any, rng: np.random.Generator) -> None:
    clip = spoilt_clip(Video("YUV420P8", 66, 34), rng)
    assert_same(read(core.vdiff.RepairFrames(clip)), read(core.vdiff.RepairFrames(clip, threshold=2, max_gap=3)))
    assert (reference.THRESHOLD, reference.MAX_GAP) == (2, 3)


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ({"threshold": -1}, "threshold must be 0...1000000, got -1."),
        ({"threshold": float("nan")}, "threshold must be 0...1000000, got nan."),
        ({"max_gap": 0}, "max_gap must be 1...10, got 0."),
        ({"max_gap": 11}, "max_gap must be 1...10, got 11."),
        ({"max_gap": 2**32 + 1}, "max_gap must be 1...10, got 4294967297."),
    ],
    ids=str,
)
def test_errors(core: Any, args: dict[str, Any], message: str) -> None:
    with pytest.raises(vs.Error, match=f"^{re.escape('RepairFrames: ' + message)}$"):
        core.vdiff.RepairFrames(blank(Video("GRAY8", 16, 16), 3), **args)


@pytest.mark.parametrize("fmt", ["GRAY32", "variable"])
def test_refused_formats(core: Any, fmt: str) -> None:
    clip = core.std.BlankClip(format=vs.GRAY8, width=8, height=8, length=2)
    clip = core.std.Splice([clip, clip.resize.Point(16, 16)], mismatch=True) if fmt == "variable" else clip
    if fmt != "variable":
        clip = core.std.BlankClip(format=vs.GRAY32, width=8, height=8)
    with pytest.raises(vs.Error, match=r"^RepairFrames: Input clip must be constant format 8..16 bit"):
        core.vdiff.RepairFrames(clip)
