"""Extrapolate: motion that goes on, where it is held, what appended frames carry."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import vapoursynth as vs

from cases import filter_cases
from reference.extrapolate import extrapolate
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
)

VSPIPE = Path(sys.executable).parent / "vspipe"
MOST = 2**31 - 1


@pytest.mark.parametrize("starts", [(), (2,), (4,)], ids=str)
@pytest.mark.parametrize("name", FORMATS)
def test_parity(core: Any, rng: np.random.Generator, name: str, starts: tuple[int, ...]) -> None:
    """A cut before the last frame holds it, an earlier one is no matter."""
    for case in filter_cases("Extrapolate"):
        video = Video(name, 93, 41)
        case.check(video, random_frames(rng, video, 5), starts)


@pytest.mark.parametrize("name", ["YUV420P8", "YUV422P10", "YUV444P16", "RGB48", "RGBS", "YUV444PS"])
def test_linear_motion_goes_on_exactly(core: Any, rng: np.random.Generator, name: str) -> None:
    """Every sample has a speed of its own, in codes or 2^-16 of float's range; integers stop at 0 and the peak."""
    video = Video(name, 46, 18)
    count, length = 4, 300
    step = video.samples(0).step
    start, speed = [], []
    for p in video.planes:
        start.append(rng.integers(0, round(video.samples(p).peak / step), video.shape(p), endpoint=True))
        speed.append(rng.integers(-3, 3, video.shape(p), endpoint=True))
        # The given frames do not reach the end of the range.
        start[p] = np.clip(start[p], 9, round(video.samples(p).peak / step) - 9)

    def frame(n: int) -> list[Any]:
        return [
            video.samples(p).store(step * (s + n * v).astype(np.float64))
            for p, (s, v) in enumerate(zip(start, speed, strict=True))
        ]

    out = core.vdiff.Extrapolate(make_clip(video, [frame(n) for n in range(count)]), length=length)
    assert_same(read(out), [frame(n) for n in range(count + length)])


@pytest.mark.parametrize("alpha", [-2.0, -1.3, -1.0, -0.999, -0.5, 0.0, 0.3, 0.5, 0.999, 1.0, 1.001, 1.5, 2.0])
def test_recursion_and_closed_form(core: Any, alpha: float) -> None:
    """Float frames of 0 and 1: the appended ones show the factor itself, against the recursion in float64."""
    length = 60
    out = core.vdiff.Extrapolate(gray(np.zeros((2, 3)), np.ones((2, 3))), length=length, alpha=alpha)
    wanted = extrapolate(np.zeros(1), np.ones(1), length=length, alpha=alpha)
    shown = [float(read_gray(out, n)[1, 2]) for n in range(2, length + 2)]
    factors = np.clip(wanted[:, 0] - 1, -1e6, 1e6)
    assert shown == pytest.approx((1 + factors).tolist(), rel=2.0**-23, abs=2.0**-23)


@pytest.mark.parametrize(("alpha", "limit"), [(0.5, 1.0), (-0.5, -1 / 3), (0.0, 0.0), (0.9999, 9999.0)])
def test_converges(core: Any, alpha: float, limit: float) -> None:
    """To alpha / (1 - alpha) times the last difference, and stays there: also as far away as clips can reach."""
    out = core.vdiff.Extrapolate(gray(np.zeros((1, 5)), np.ones((1, 5))), length=MOST - 2, alpha=alpha)
    for n in (2**20, MOST - 1):
        assert read_gray(out, n)[0, 0] == pytest.approx(1 + limit, rel=1e-6)


@pytest.mark.parametrize(
    ("alpha", "far"), [(1.0, 1e6), (2.0, 1e6), (1.0001, 1e6), (-2.0, None), (-1.0001, None), (-1.0, None)]
)
def test_furthest(core: Any, alpha: float, far: float | None) -> None:
    """A million times the last difference at most; from -1 down it swings."""
    out = core.vdiff.Extrapolate(gray(np.zeros((1, 5)), np.ones((1, 5))), length=MOST - 2, alpha=alpha)
    shown = [float(read_gray(out, n)[0, 0]) - 1 for n in (MOST - 3, MOST - 2, MOST - 1)]
    if far is not None:
        assert shown == [far] * 3
    elif alpha == -1:  # k = MOST - 4, which is odd, and on
        assert shown == [-1.0, 0.0, -1.0]
    else:
        assert shown == [-1e6, 1e6, -1e6]


@pytest.mark.parametrize("name", ["YUV420P8", "YUV444P16", "YUV444PH", "RGBS"])
def test_what_is_held(core: Any, rng: np.random.Generator, name: str) -> None:
    """The last frame: at alpha 0, after a cut, in a clip of one frame. Even what is no number, and without a copy."""
    video = Video(name, 22, 10)
    frames = random_frames(rng, video, 3)
    if name.startswith("RGB"):
        frames[2][0][1, 1], frames[1][0][1, 1] = np.nan, np.inf
    held = [
        (make_clip(video, frames), {"alpha": 0.0}),
        (make_clip(video, frames, starts=(2,)), {}),
        (make_clip(video, frames[2:]), {}),
    ]
    for clip, args in held:
        clip = cached(clip, 8)
        out = core.vdiff.Extrapolate(clip, length=4, **args)
        assert out.num_frames == clip.num_frames + 4
        with clip.get_frame(clip.num_frames - 1) as last:
            for n in range(clip.num_frames, out.num_frames):
                with out.get_frame(n) as frame:
                    for p in video.planes:
                        assert frame.get_read_ptr(p).value == last.get_read_ptr(p).value


@pytest.mark.parametrize("length", [0, 5])
def test_given_frames_pass_through(core: Any, rng: np.random.Generator, length: int) -> None:
    """Uncopied, with all their properties."""
    video = Video("YUV420P8", 64, 32)
    props = [{"_SceneChangePrev": 1, "_SceneChangeNext": 1, "_AbsoluteTime": 9.0 * n, "N": n} for n in range(6)]
    clip = cached(make_clip(video, random_frames(rng, video, 6), props=props), 8)
    out = core.vdiff.Extrapolate(clip, length=length)
    for n in range(6):
        with clip.get_frame(n) as before, out.get_frame(n) as after:
            assert dict(before.props) == dict(after.props)
            assert [before.get_read_ptr(p).value for p in video.planes] == [
                after.get_read_ptr(p).value for p in video.planes
            ]


@pytest.mark.parametrize("planes", [[0], [1, 2]], ids=str)
def test_planes_not_processed_hold_the_last_frame_s(core: Any, rng: np.random.Generator, planes: list[int]) -> None:
    video = Video("YUV422P10", 24, 9)
    frames = random_frames(rng, video, 4)
    clip = cached(make_clip(video, frames), 8)
    every = read(core.vdiff.Extrapolate(clip, length=3))
    out = core.vdiff.Extrapolate(clip, length=3, planes=planes)
    assert_same(read(out)[4:], [[every[n][p] if p in planes else frames[3][p] for p in range(3)] for n in range(4, 7)])
    with clip.get_frame(3) as last, out.get_frame(6) as frame:
        for p in {0, 1, 2} - set(planes):
            assert frame.get_read_ptr(p).value == last.get_read_ptr(p).value


# Properties


def appended(clip: Any, **last: Any) -> list[dict[str, Any]]:
    """Properties of three frames appended to a clip whose last frame has these, and others before."""
    clip = vs.core.std.SetFrameProps(clip, _AbsoluteTime=77.0, Other=1)
    clip = vs.core.std.RemoveFrameProps(clip, ["_DurationNum", "_DurationDen"])
    end = vs.core.std.RemoveFrameProps(clip[-1], ["_AbsoluteTime", "Other"])
    end = vs.core.std.SetFrameProps(end, **last) if last else end
    out = vs.core.vdiff.Extrapolate(clip[:-1] + end, length=3)
    return [dict(frame.props) for frame in frames_of(out)][-3:]


def test_properties_are_the_last_frame_s(core: Any) -> None:
    """No flag of a scene, no time, is put where none was."""
    clip = core.std.BlankClip(width=8, height=8, length=4)
    assert appended(clip) == [{}] * 3
    given = {"N": 5, "Text": b"text", "_Matrix": 1, "_Combed": 0, "Array": [1.5, 2.5]}
    assert appended(clip, **given) == appended(clip, **given, _SceneChangePrev=[], _SceneChangeNext=[])
    (first, *others) = appended(clip, **given)
    assert first == {**given, "Text": first["Text"]}
    assert others == [first, first]


@pytest.mark.parametrize("flag", [0, 1])
def test_no_scene_starts_or_ends(core: Any, flag: int) -> None:
    clip = core.std.BlankClip(width=8, height=8, length=4)
    assert (
        appended(clip, _SceneChangePrev=flag, _SceneChangeNext=flag)
        == [{"_SceneChangePrev": 0, "_SceneChangeNext": 0}] * 3
    )


def test_time_goes_on(core: Any) -> None:
    """By the duration of the last frame; without one, by the clip's; if there is none either, the time is unknown."""
    clip = core.std.BlankClip(width=8, height=8, length=4, fpsnum=30000, fpsden=1001)
    by_frame = appended(clip, _AbsoluteTime=2.5, _DurationNum=1, _DurationDen=8)
    assert [props["_AbsoluteTime"] for props in by_frame] == [2.625, 2.75, 2.875]
    assert {(props["_DurationNum"], props["_DurationDen"]) for props in by_frame} == {(1, 8)}
    by_rate = [2.5 + k * 1001 / 30000 for k in (1, 2, 3)]
    for duration in ({}, {"_DurationNum": 1}, {"_DurationNum": 1, "_DurationDen": 0}):
        shown = [props["_AbsoluteTime"] for props in appended(clip, _AbsoluteTime=2.5, **duration)]
        assert shown == pytest.approx(by_rate, rel=1e-15)
    assert appended(variable_rate(clip), _AbsoluteTime=2.5) == [{}] * 3


def variable_rate(clip: Any) -> Any:
    """A clip without a constant frame rate."""
    out = vs.core.std.Splice([clip[0], vs.core.std.AssumeFPS(clip[1:], fpsnum=7)])
    assert out.fps.numerator == 0
    return out


# Length


@pytest.mark.parametrize("frames", [1, 2, 1000])
def test_longest(core: Any, frames: int) -> None:
    """All that clips can be; one more is an error that names the limit and the value."""
    clip = core.std.BlankClip(width=8, height=8, length=frames, format=vs.GRAY8, keep=True)
    assert core.vdiff.Extrapolate(clip, length=MOST - frames).num_frames == MOST
    with pytest.raises(
        vs.Error, match=rf"^Extrapolate: length must be 0\.\.\.{MOST - frames}, got {MOST - frames + 1}\.$"
    ):
        core.vdiff.Extrapolate(clip, length=MOST - frames + 1)
    assert core.vdiff.Extrapolate(clip, length=0).num_frames == frames


def test_only_the_last_two_frames_are_asked_for(core: Any, rng: np.random.Generator) -> None:
    video = Video("GRAY8", 16, 8)
    frames = random_frames(rng, video, 9)
    asked: list[int] = []
    clip = make_clip(video, frames)

    def note(n: int, f: Any) -> Any:
        asked.append(n)
        return f

    out = core.vdiff.Extrapolate(core.std.ModifyFrame(clip, clip, note), length=50)
    for n in (58, 20, 9):
        read_frame(out, n)
    assert set(asked) == {7, 8}


def test_upstream_error_at_the_end(core: Any, rng: np.random.Generator) -> None:
    """Appended frames fail with the clip's own message, the others are there."""
    video = Video("GRAY8", 16, 8)
    clip = make_clip(video, random_frames(rng, video, 5))

    def fail(n: int, f: Any) -> Any:
        if n == 3:
            raise RuntimeError("frame cannot be decoded")
        return f

    out = core.vdiff.Extrapolate(core.std.ModifyFrame(clip, clip, fail), length=5)
    for n in (3, 5, 9):
        with pytest.raises(vs.Error, match="frame cannot be decoded"):
            out.get_frame(n)
    assert_same([read_frame(out, 4)], [read_frame(clip, 4)])


def test_vspipe(clips: Path, tmp_path: Path) -> None:
    """The whole of it arrives at the end of a pipe: 96 frames of a clip and 24 more."""
    script = tmp_path / "script.vpy"
    script.write_text(
        "import vapoursynth as vs\n"
        f"clip = vs.core.bs.VideoSource({str(clips / 'carphone_pristine.mp4')!r}, cachemode=0)[:96]\n"
        "vs.core.vdiff.Extrapolate(clip, length=24, alpha=0.8).set_output()\n",
        encoding="utf-8",
    )
    done = subprocess.run([VSPIPE, "-c", "y4m", script, "-"], capture_output=True, timeout=120, check=True)
    header = done.stdout.split(b"\n", 1)[0].decode()
    width, height = (int(next(f[1:] for f in header.split() if f[0] == letter)) for letter in "WH")
    assert len(done.stdout) == len(header) + 1 + 120 * (6 + width * height * 3 // 2)


def test_defaults(core: Any, rng: np.random.Generator) -> None:
    """Alpha 1, all planes."""
    video = Video("YUV420P8", 36, 26)
    clip = make_clip(video, random_frames(rng, video, 3))
    spelt = core.vdiff.Extrapolate(clip, length=2, alpha=1, planes=[0, 1, 2])
    assert_same(read(core.vdiff.Extrapolate(clip, length=2)), read(spelt))
