"""ChangeMap against its reference, against `std.PlaneStats`, and where it is exact."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cases import Case, changemap_clip, filter_cases
from reference.changemap import Change, change
from reference.diffblend import lagged
from support import (
    FORMATS,
    SIZES,
    Frames,
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

COUNT = 5
NAMES = ("VdiffMAD", "VdiffMSE", "VdiffChanged")


def statistics(clip: Any) -> list[list[Change]]:
    """The properties of all frames and planes."""
    return [
        [Change(*values) for values in zip(*(np.atleast_1d(frame.props[name]) for name in NAMES), strict=True)]
        for frame in frames_of(clip)
    ]


def expected(video: Video, frames: Frames, others: Frames, threshold: float) -> list[list[Change]]:
    """The same by the reference, from the frames that are compared."""
    return [
        [
            change(x[p].astype(np.float64), r[p].astype(np.float64), peak=video.samples(p).peak, threshold=threshold)
            for p in video.planes
        ]
        for x, r in zip(frames, others, strict=True)
    ]


def assert_statistics(actual: list[list[Change]], wanted: list[list[Change]], *, exact: bool) -> None:
    """Sums of integers are exact, of floats as good as float32's differences; the parts are exact always."""
    relative = 4e-16 if exact else 2.0**-24
    for got, want in zip(actual, wanted, strict=True):
        for a, b in zip(got, want, strict=True):
            assert a.changed == pytest.approx(b.changed, rel=4e-16, abs=0)
            assert a.mad == pytest.approx(b.mad, rel=2 * relative, abs=0)
            assert a.mse == pytest.approx(b.mse, rel=4 * relative, abs=0)


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("args", [{}, {"norm": "square"}, {"threshold": 17.3}, {"norm": "none", "threshold": 17.3}],
                         ids=str)  # fmt: skip
def test_statistics(core: Any, rng: np.random.Generator, args: dict[str, Any], name: str) -> None:
    """They are the same whatever is drawn; also across the pieces of rows: 512 floats, 2048 bytes."""
    for width, height in ((93, 41), (4096 + 600, 3), *SIZES[2:5]):
        video = Video(name, width, height)
        frames = random_frames(rng, video, COUNT)
        others = [frames[lagged(n, 2, COUNT, (3,))] for n in range(COUNT)]
        clip = make_clip(video, frames, starts=(3,))
        wanted = expected(video, frames, others, args.get("threshold", 0.0))
        exact = not video.samples(0).is_float
        assert_statistics(statistics(core.vdiff.ChangeMap(clip, lag=2, **args)), wanted, exact=exact)


@pytest.mark.parametrize("name", ["GRAY8", "GRAY9", "GRAY10", "GRAY12", "GRAY16", "YUV420P10", "GRAYS", "YUV444PS"])
def test_mad_is_that_of_planestats(core: Any, rng: np.random.Generator, name: str) -> None:
    video = Video(name, 214, 122)
    clip, other = (make_clip(video, random_frames(rng, video, 3)) for _ in range(2))
    for p in video.planes:
        peer = [frame.props["PlaneStatsDiff"] for frame in frames_of(core.std.PlaneStats(clip, other, plane=p))]
        ours = [frame[p].mad for frame in statistics(core.vdiff.ChangeMap(clip, other))]
        assert ours == pytest.approx([255 * d for d in peer], rel=2e-7 if name.endswith("S") else 1e-15, abs=0)


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize(
    "case",
    [
        *filter_cases("ChangeMap"),
        Case("ChangeMap", {"norm": "none", "threshold": 3.0}, changemap_clip),
        Case("ChangeMap", {"norm": "square", "threshold": 9.1}, changemap_clip),
    ],
    ids=str,
)
def test_picture(core: Any, rng: np.random.Generator, case: Case, name: str) -> None:
    """As in the reference; also across the parts that rows are taken in."""
    for width, height in ((93, 41), (4096 + 600, 3)):
        video = Video(name, width, height)
        case.check(video, random_frames(rng, video, COUNT), starts=(2,))


@pytest.mark.parametrize("name", ["GRAY8", "GRAY9", "GRAY10", "GRAY12", "GRAY14", "GRAY16"])
def test_square_is_rounded_exactly(core: Any, name: str) -> None:
    """For every difference, whichever of the two is larger: d^2 / peak, in integers."""
    peak = int(Video(name, 1, 1).samples(0).peak)
    d = np.arange(peak + 1, dtype=np.int64)[None]
    wanted = ((2 * d * d + peak) // (2 * peak)).tolist()
    up = gray(np.zeros_like(d), d, name=name)
    down = gray(d, np.zeros_like(d), name=name)
    for clip in (up, down):
        assert read_gray(core.vdiff.ChangeMap(clip, norm="square"), 1).tolist() == wanted


@pytest.mark.parametrize("name", ["GRAY8", "GRAY10", "GRAY12", "GRAY16"])
@pytest.mark.parametrize("threshold", [0.0, 0.2, 1.0, 2.49, 85.0, 254.9, 255.0, 256.0, 1e6])
def test_mask_at_its_border(core: Any, name: str, threshold: float) -> None:
    """Strictly above threshold * peak / 255, which at 10 bit is no whole code."""
    peak = int(Video(name, 1, 1).samples(0).peak)
    d = np.arange(peak + 1)[None]
    out = core.vdiff.ChangeMap(gray(np.zeros_like(d), d, name=name), threshold=threshold)
    above = d * 255 > round(threshold * 100) * peak / 100
    assert read_gray(out, 1).tolist() == np.where(above, peak, 0).tolist()
    assert statistics(out)[1][0].changed == above.mean()


@pytest.mark.parametrize("name", ["GRAYH", "GRAYS"])
def test_mask_of_float(core: Any, name: str) -> None:
    """51 is a fifth of the range, in float32: what float32 makes of it is not above it, the next number is."""
    fifth = np.float32(0.2) if name == "GRAYS" else np.float16(np.float32(0.2))
    x = np.array([[0.0, 0.1, np.nextafter(fifth, 0, dtype=fifth.dtype), fifth, np.nextafter(fifth, 1), 0.3, 9.0]])
    for sign in (1, -1):
        out = core.vdiff.ChangeMap(gray(np.zeros_like(x), sign * x, name=name), threshold=51)
        above = (np.abs(x.astype(fifth.dtype).astype(np.float32)) > np.float32(0.2)).astype(float)
        assert read_gray(out, 1).tolist() == above.tolist()
        assert statistics(out)[1][0].changed == above.mean()


@pytest.mark.parametrize("size", [(16384, 8192), (8192, 16384)], ids=str)
@pytest.mark.parametrize("name", ["GRAY8", "GRAY16"])
def test_largest_sums(core: Any, name: str, size: tuple[int, int]) -> None:
    """Every sample differs by the whole range: 2^27 times 65535^2 is far beyond 32 bits."""
    video = Video(name, *size)
    peak = video.samples(0).peak
    flat = [
        core.std.BlankClip(format=video.format.id, width=size[0], height=size[1], length=1, keep=True, color=value)
        for value in (0, peak)
    ]
    assert statistics(core.vdiff.ChangeMap(*flat, norm="none")) == [[Change(255.0, 65025.0, 1.0)]]


@pytest.mark.parametrize("name", ["GRAYS", "GRAYH"])
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_is_no_number_shows(core: Any, name: str, bad: float) -> None:
    """In the picture and in the means; it is not above a threshold, an infinite difference is."""
    x = np.full((3, 70), 0.5)
    x[1, 33] = bad
    clip = gray(np.zeros_like(x), x, name=name)
    picture = read_gray(core.vdiff.ChangeMap(clip), 1)
    np.testing.assert_equal(picture, x)
    (found,) = statistics(core.vdiff.ChangeMap(clip, threshold=100))[1]
    for mean in (found.mad, found.mse):
        assert np.isnan(mean) if np.isnan(bad) else mean == np.inf
    assert found.changed == (1.0 if bad == np.inf else 209 / 210)
    assert read_gray(core.vdiff.ChangeMap(clip, threshold=100), 1)[1, 33] == float(bad == np.inf)


@pytest.mark.parametrize("scenechange", [0, 1])
@pytest.mark.parametrize("lag", [1, 3, -2, 100])
def test_lag_and_cuts(core: Any, rng: np.random.Generator, lag: int, scenechange: int) -> None:
    video = Video("YUV420P8", 22, 10)
    starts = (0, 4, 5, 9)
    frames = random_frames(rng, video, 12)
    cuts = starts if scenechange else ()
    others = [frames[lagged(n, lag, 12, cuts)] for n in range(12)]
    out = core.vdiff.ChangeMap(make_clip(video, frames, starts), lag=lag, scenechange=scenechange)
    assert_statistics(statistics(out), expected(video, frames, others, 0.0), exact=True)
    assert_same(read(out), [[np.maximum(a, b) - np.minimum(a, b) for a, b in zip(x, r, strict=True)]
                            for x, r in zip(frames, others, strict=True)])  # fmt: skip


@pytest.mark.parametrize("name", ["YUV420P8", "YUV422P10", "RGBH", "YUV444PS"])
def test_reference_clip(core: Any, rng: np.random.Generator, name: str) -> None:
    """R is the same frame of `ref`, its last frame when it is shorter; cuts do not matter."""
    video = Video(name, 40, 26)
    frames, others = random_frames(rng, video, 6), random_frames(rng, video, 4)
    out = core.vdiff.ChangeMap(make_clip(video, frames, starts=(2, 3)), make_clip(video, others))
    wanted = expected(video, frames, [*others, others[-1], others[-1]], 0.0)
    assert_statistics(statistics(out), wanted, exact=not video.samples(0).is_float)


@pytest.mark.parametrize("planes", [[0], [1], [2, 0], [0, 1, 2]], ids=str)
@pytest.mark.parametrize("norm", ["abs", "none"])
def test_planes_not_processed_are_0_in_the_properties(
    core: Any, rng: np.random.Generator, norm: str, planes: list[int]
) -> None:
    """And by the number of the plane, not by its place in `planes`."""
    video = Video("YUV420P8", 36, 26)
    clip = make_clip(video, random_frames(rng, video, 4))
    every = statistics(core.vdiff.ChangeMap(clip, norm=norm))
    wanted = [[c if p in planes else Change(0.0, 0.0, 0.0) for p, c in enumerate(frame)] for frame in every]
    assert statistics(core.vdiff.ChangeMap(clip, norm=norm, planes=planes)) == wanted


def test_none_copies_no_pixel(core: Any, rng: np.random.Generator) -> None:
    video = Video("YUV420P8", 64, 32)
    frames = random_frames(rng, video, 4)
    clip = cached(make_clip(video, frames), 8)
    out = core.vdiff.ChangeMap(clip, norm="none", threshold=4)
    for n in range(4):
        with clip.get_frame(n) as before, out.get_frame(n) as after:
            for p in video.planes:
                assert before.get_read_ptr(p).value == after.get_read_ptr(p).value


def test_earlier_statistics_are_replaced(core: Any, rng: np.random.Generator) -> None:
    """Of whatever kind and length; the clip's other properties stay."""
    video = Video("YUV420P8", 16, 16)
    props = [{"VdiffMAD": [1, 2, 3, 4], "VdiffMSE": "text", "Other": n} for n in range(4)]
    clip = make_clip(video, random_frames(rng, video, 4), props=props)
    once = core.vdiff.ChangeMap(clip, norm="none")
    assert statistics(once) == statistics(core.vdiff.ChangeMap(once, norm="none"))
    assert [frame.props["Other"] for frame in frames_of(once)] == [0, 1, 2, 3]
    assert {len(frame.props["VdiffMAD"]) for frame in frames_of(once)} == {3}


def test_properties_in_any_order(threads: Any, rng: np.random.Generator) -> None:
    """Asked for at once, in no order, from four threads."""
    video = Video("YUV444PS", 131, 17)
    frames = random_frames(rng, video, 40)
    clip = uncached(make_clip(video, frames, starts=(20,)))
    args = {"lag": -3, "threshold": 5}
    wanted = statistics(threads.vdiff.ChangeMap(clip, **args))
    threads.num_threads = 4
    out = uncached(threads.vdiff.ChangeMap(clip, **args))
    futures = [(int(n), out.get_frame_async(int(n))) for n in rng.permutation(40)]
    for n, future in futures:
        with future.result() as frame:
            assert [list(frame.props[name]) for name in NAMES] == [
                [getattr(c, field) for c in wanted[n]] for field in ("mad", "mse", "changed")
            ]


def test_a_real_clip(core: Any, clips: Path) -> None:
    """The cuts of bikes.mp4 are its largest changes."""
    clip = core.bs.VideoSource(str(clips / "bikes.mp4"), cachemode=0)
    mad = [frame[0].mad for frame in statistics(core.vdiff.ChangeMap(clip, norm="none", planes=0))]
    peer = [255 * f.props["PlaneStatsDiff"] for f in frames_of(core.std.PlaneStats(clip[1:], clip[:-1]))]
    assert mad[0] == 0
    assert mad[1:] == pytest.approx(peer, rel=1e-15)
    assert sorted(np.argsort(mad)[-5:].tolist()) == [30, 76, 137, 187, 242]


def test_defaults(core: Any, rng: np.random.Generator) -> None:
    """Lag 1, abs, scenechange 1, all planes, threshold 0 for the part that changed but no mask."""
    video = Video("YUV420P8", 36, 26)
    clip = make_clip(video, random_frames(rng, video, 5), starts=(3,))
    plain = core.vdiff.ChangeMap(clip)
    spelt = core.vdiff.ChangeMap(clip, lag=1, norm="abs", scenechange=1, planes=[0, 1, 2])
    assert_same(read(plain), read(spelt))
    assert statistics(plain) == statistics(spelt)
    assert statistics(plain) == statistics(core.vdiff.ChangeMap(clip, threshold=0))
    mask = read_frame(core.vdiff.ChangeMap(clip, threshold=0), 1)
    assert {int(value) for plane in mask for value in plane.flat} == {0, 255}
