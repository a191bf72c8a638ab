"""vs_vdiff.denoise: noise goes, the picture and its properties stay; along motion, with either plugin that finds it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import vapoursynth as vs
from scipy.ndimage import gaussian_filter

from quality import psnr, ssim
from support import (
    Frame,
    Frames,
    Props,
    Video,
    assert_same,
    cached,
    fingerprint,
    frames_of,
    make_clip,
    random_frames,
    read,
    read_frame,
    uncached,
)
from vs_vdiff import MotionError, denoise, denoising

FORMATS = (
    "GRAY8",
    "GRAY16",
    "GRAYH",
    "GRAYS",
    "YUV420P8",
    "YUV411P8",
    "YUV410P8",
    "YUV440P8",
    "YUV422P10",
    "YUV444P16",
    "YUV444PH",
    "YUV420PS",
    "RGB24",
    "RGB48",
    "RGBH",
    "RGBS",
)
PLUGINS = tuple(denoising.MOTION)
STEP = 4
"""Pixels that a pan moves from frame to frame: a whole number in planes of any subsampling."""

every_format = pytest.mark.parametrize("name", FORMATS)
every_plugin = pytest.mark.parametrize("plugin", PLUGINS)


def use(monkeypatch: pytest.MonkeyPatch, *plugins: str) -> None:
    """Let only these plugins find motion."""
    monkeypatch.setattr(denoising, "MOTION", {plugin: denoising.MOTION[plugin] for plugin in plugins})


def real(clips: Path, name: str, first: int, count: int) -> Any:
    """Some frames of a real clip, kept in memory."""
    return cached(vs.core.bs.VideoSource(str(clips / name), cachemode=0)[first : first + count], count)


def pan(rng: np.random.Generator, video: Video, count: int) -> Frames:
    """A camera that moves over a picture along a diagonal; each plane has a picture of its own."""
    frames: list[Frame] = [[] for _ in range(count)]
    for p in video.planes:
        samples, (height, width) = video.samples(p), video.shape(p)
        across, down = (STEP // each for each in samples.subsampling)
        scene = gaussian_filter(rng.uniform(0, 1, (height + down * count, width + across * count)), 2.0)
        scene = np.interp(scene, (scene.min(), scene.max()), (40, 200))
        for n in range(count):
            window = scene[down * (count - n) :, across * n :][:height, :width]
            frames[n].append(samples.store(window * samples.unit + samples.low))
    return frames


def with_noise(rng: np.random.Generator, video: Video, frames: Frames, sigma: float) -> Frames:
    """Frames with white Gaussian noise, its deviation on the 8-bit scale."""
    return [
        [
            video.samples(p).store(plane + rng.normal(0, sigma * video.samples(p).unit, plane.shape))
            for p, plane in enumerate(frame)
        ]
        for frame in frames
    ]


# Noise


@pytest.mark.parametrize("name", ["YUV444PS", "YUV420PS", "RGBS"])
@pytest.mark.parametrize(
    ("file", "first", "sigma"),
    [("carphone_pristine.mp4", 72, 10), ("carphone_pristine.mp4", 72, 30), ("bikes.mp4", 140, 10)],
)
def test_noise_goes(
    core: Any, clips: Path, rng: np.random.Generator, file: str, first: int, sigma: float, name: str
) -> None:
    """In all planes of real footage; more of it along motion, with either plugin, and under strong noise too."""
    options = {"matrix_in": vs.MATRIX_BT709} if name == "RGBS" else {}
    source = core.resize.Bicubic(real(clips, file, first, 9), format=getattr(vs, name), **options)
    video, clean = Video(name, source.width, source.height), read(source)
    noisy = with_noise(rng, video, clean, sigma)
    clip = make_clip(video, noisy)

    def gains(**options: Any) -> list[float]:
        with denoise(clip, **options).get_frame(4) as frame:
            assert frame.props["VdiffSigma"] == pytest.approx([sigma] * 3, rel=0.1)
            found = [psnr(np.asarray(frame[p]), clean[4][p]) - psnr(noisy[4][p], clean[4][p]) for p in video.planes]
        print([f"{gain:.2f}" for gain in found])
        return found

    still = gains(motion=False)
    for plugin in PLUGINS:
        with pytest.MonkeyPatch.context() as patch:
            use(patch, plugin)
            moved = gains()
        assert min(moved) >= 9
        assert moved[0] >= still[0] + 1
        assert min(np.subtract(moved, still)) >= 0.1


@every_plugin
@every_format
@pytest.mark.parametrize("size", [(96, 64), (67, 45)])
def test_formats(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch, name: str, plugin: str, size: tuple[int, int]
) -> None:
    """In all planes, noise goes from what moves; format, size, length and rate are kept."""
    use(monkeypatch, plugin)
    video = Video(name, *size)
    clean = pan(rng, video, 5)
    noisy = with_noise(rng, video, clean, 8)
    clip = make_clip(video, noisy).std.AssumeFPS(fpsnum=30000, fpsden=1001)
    result = denoise(clip, radius=2)
    assert (result.format, result.width, result.height) == (clip.format, clip.width, clip.height)
    assert (result.num_frames, result.fps) == (clip.num_frames, clip.fps)
    moved, still = read_frame(result, 2), read_frame(denoise(clip, radius=2, motion=False), 2)
    for p in video.planes:
        samples = video.samples(p)
        before, after, without = (psnr(frame[p], clean[2][p], samples.peak) for frame in (noisy[2], moved, still))
        assert after > before + 3
        # In chroma of a dozen rows, there is little motion to follow.
        assert after > without + (-0.5 if samples.chroma else 0.5)


@every_format
@pytest.mark.parametrize("size", [(1, 1), (8, 4), (31, 200), (200, 31), (33, 32)])
def test_small_pictures(rng: np.random.Generator, name: str, size: tuple[int, int]) -> None:
    """Less than two blocks are too small to look for motion in."""
    video = Video(name, *size)
    clip = make_clip(video, with_noise(rng, video, pan(rng, video, 5), 8))
    same = [fingerprint(f) for f in read(denoise(clip))] == [fingerprint(f) for f in read(denoise(clip, motion=False))]
    assert same == (min(video.width, video.height) < 32)


@pytest.mark.parametrize(
    ("name", "frames"),
    [
        ("carphone_pristine.mp4", (0, 60, 119)),
        ("bikes.mp4", (0, 20, 136, 137, 138, 150, 249)),
        ("bigbuckbunny.mp4", (20, 60)),
    ],
)
def test_clean_pictures_stay(core: Any, clips: Path, name: str, frames: tuple[int, ...]) -> None:
    """What has no noise but a codec's is hardly touched, also next to a cut."""
    clip = core.bs.VideoSource(str(clips / name), cachemode=0)
    result = denoise(clip)
    for n in frames:
        before, after = read_frame(clip, n), read_frame(result, n)
        similar = [ssim(new, old, 255.0) for new, old in zip(after, before, strict=True)]
        print(n, [f"{each:.4f}" for each in similar])
        assert min(similar) >= 0.99


# Properties


def test_properties(rng: np.random.Generator) -> None:
    """All stay as they are, of every type and on every frame; those that SceneDetect sets do not remain."""
    video = Video("YUV420P8", 48, 40)
    props: list[Props] = [
        {},
        {"_SceneChangePrev": 1, "text": "a", "numbers": [1, 2, 3], "number": 0.5, "VdiffSigma": [99.0, 99.0, 99.0]},
        {"_SceneChangePrev": 0, "_SceneChangeNext": 1, "VdiffSceneScore": 3.0},
        {"_Range": 1, "_Matrix": 6, "_FieldBased": 2, "_DurationNum": 1, "_DurationDen": 25},
        {},
    ]
    clip = make_clip(video, with_noise(rng, video, pan(rng, video, len(props)), 10), props=props)
    for options in ({}, {"motion": False}, {"radius": 0}):
        for before, after in zip(frames_of(clip), frames_of(denoise(clip, **options)), strict=True):
            found = dict(after.props)
            assert found.pop("VdiffSigma") == pytest.approx([10] * 3, rel=0.5)
            assert found == {key: value for key, value in before.props.items() if key != "VdiffSigma"}


@every_plugin
@every_format
@pytest.mark.parametrize(
    "props",
    [
        {"_FieldBased": 1},
        {"_Matrix": 1, "_Range": 1, "_Transfer": 16, "_Primaries": 9},
        {"_Matrix": 0, "_Range": 0},
        {"_Matrix": 10, "_ChromaLocation": 3},
        {"_Matrix": 77},
    ],
    ids=str,
)
def test_properties_do_not_count(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch, name: str, plugin: str, props: Props
) -> None:
    """Not for the conversions to what finds motion: some would fail, as with a YUV matrix that RGB has kept."""
    use(monkeypatch, plugin)
    video = Video(name, 45, 37)
    frames = random_frames(rng, video, 3)
    wanted = read(denoise(make_clip(video, frames), radius=1))
    assert_same(read(denoise(make_clip(video, frames, props=[props] * 3), radius=1)), wanted)


# Motion


@every_plugin
@every_format
def test_neighbours(rng: np.random.Generator, name: str, plugin: str) -> None:
    """Of a pan by whole pixels, they are the frame in the middle, away from the border."""
    video = Video(name, 128, 96)
    frames = pan(rng, video, 5)
    neighbours = list(denoising.MOTION[plugin].neighbours(make_clip(video, frames), 2))
    assert len(neighbours) == 4
    dense = video.format.subsampling_w > 1 or video.format.subsampling_h > 1
    for clip in neighbours:
        assert clip.format.id == video.format.id
        moved = read_frame(clip, 2)
        for p in video.planes:
            samples = video.samples(p)
            across, down = (24 // each for each in samples.subsampling)
            inner = (slice(down, -down), slice(across, -across))
            errors = np.abs(moved[p][inner].astype(np.float64) - frames[2][p][inner].astype(np.float64))
            # The plugins weigh blocks that overlap in steps of 2^-11. Wide chroma is made dense for them, and back.
            rounding = max(1.0, samples.peak * 2.0**-10) if not samples.is_float else 2.0**-10
            assert np.max(errors) <= rounding + (3 * samples.unit if dense and p > 0 else 0)


@every_plugin
@pytest.mark.parametrize("name", ["GRAYS", "RGB24", "YUV420P8"])
@pytest.mark.parametrize("radius", [1, 3, 7])
def test_neighbours_are_in_order(name: str, plugin: str, radius: int) -> None:
    """From the earliest; beyond the ends of the clip, the frame itself stands in."""
    video, count = Video(name, 48, 40), 16
    levels = [40.0 + 10 * n for n in range(count)]
    samples = [video.samples(p) for p in video.planes]
    frames = [
        [s.store(np.full(video.shape(p), level * s.unit + s.low)) for p, s in enumerate(samples)] for level in levels
    ]
    neighbours = list(denoising.MOTION[plugin].neighbours(make_clip(video, frames), radius))
    for n in (0, 7, count - 1):
        found = [(read_frame(clip, n)[0].astype(np.float64).mean() / samples[0].unit - 40) / 10 for clip in neighbours]
        around = [m if 0 <= m < count else n for m in range(n - radius, n + radius + 1) if m != n]
        assert found == pytest.approx(around, abs=0.05)


def test_cut(core: Any, clips: Path) -> None:
    """Of the other scene nothing shows: each is what it would be alone. The cut is not marked in what is given."""
    clip = core.std.CropAbs(real(clips, "bikes.mp4", 130, 15), 320, 136, 160, 68)
    assert "_SceneChangePrev" not in clip.get_frame(7).props
    for options in ({}, {"radius": 7}, {"motion": False}):
        whole = denoise(clip, **options)
        assert_same(
            read(whole), [*read(denoise(clip[:7], **options)), *read(denoise(clip[7:], **options))], str(options)
        )
        for n in (6, 7):
            assert fingerprint(read_frame(whole, n)) != fingerprint(read_frame(clip, n))


# Requests


@every_plugin
def test_order_and_threads(
    threads: Any, clips: Path, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch, plugin: str
) -> None:
    """The same bytes in any order and from one thread or two."""
    use(monkeypatch, plugin)
    clip = threads.std.CropAbs(real(clips, "bikes.mp4", 128, 20), 160, 96, 240, 88)
    threads.num_threads = 1
    wanted = read(uncached(denoise(clip)))
    again = denoise(clip)
    for n in rng.permutation(20).tolist():
        assert fingerprint(read_frame(again, n)) == fingerprint(wanted[n])
    threads.num_threads = 2
    assert_same(read(denoise(clip), ahead=6), wanted)


# Plugins that are missing


@pytest.fixture
def pictures(rng: np.random.Generator) -> Any:
    """A clip with motion."""
    video = Video("YUV420P8", 64, 48)
    return make_clip(video, with_noise(rng, video, pan(rng, video, 7), 8))


def test_no_plugin(pictures: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message has the ways out, and the second one works; so does what needs no motion."""
    still = read(denoise(pictures, motion=False))
    use(monkeypatch)
    with pytest.raises(MotionError, match=r"pip install vapoursynth-mvutensils.*motion=False"):
        denoise(pictures)
    assert_same(read(denoise(pictures, motion=False)), still)
    assert_same(read(denoise(pictures, radius=0)), read(denoise(pictures, radius=0, motion=False)))
    read(denoise(pictures.std.CropAbs(30, 30)))


def test_older_plugin(pictures: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """It steps in where the other one is not there, and only there."""
    both = denoising.MOTION
    by_default = read(denoise(pictures))
    use(monkeypatch, "mvu")
    assert_same(read(denoise(pictures)), by_default)
    monkeypatch.setattr(denoising, "MOTION", {"missing": both["mvu"], "mv": both["mv"]})
    by_older = read(denoise(pictures))
    use(monkeypatch, "mv")
    assert_same(read(denoise(pictures)), by_older)
    assert fingerprint(by_older[3]) != fingerprint(by_default[3])


# Arguments


@pytest.mark.parametrize("motion", [False, True])
@pytest.mark.parametrize(
    ("argument", "value"),
    [
        ("radius", 8),
        ("radius", -1),
        ("strength", 0.0),
        ("strength", -1.0),
        ("strength", 101.0),
        ("strength", float("nan")),
        ("strength", float("inf")),
    ],
)
def test_bad_arguments(
    pictures: Any, monkeypatch: pytest.MonkeyPatch, argument: str, value: float, motion: bool
) -> None:
    """They are told before a plugin is missed."""
    use(monkeypatch)
    arguments: dict[str, Any] = {argument: value}
    with pytest.raises(vs.Error, match=rf"^(Diffuse3D|denoise): {argument} must be"):
        denoise(pictures, motion=motion, **arguments)


@pytest.mark.parametrize("motion", [False, True])
def test_bad_clips(core: Any, motion: bool) -> None:
    blank = core.std.BlankClip(width=64, height=48, format=vs.GRAY32)
    varying = core.std.Splice([blank, core.std.BlankClip(blank, width=80)], mismatch=True)
    for clip in (blank, varying):
        with pytest.raises(vs.Error, match=r"^Diffuse3D: Input clip must be constant format"):
            denoise(clip, motion=motion)


def strengths(clip: Any, values: Sequence[float]) -> list[float]:
    """How far each strength takes frame 3 from what it was."""
    before = read_frame(clip, 3)[0].astype(np.float64)
    return [float(np.mean((read_frame(denoise(clip, strength=each), 3)[0] - before) ** 2)) for each in values]


def test_strength(pictures: Any) -> None:
    """The stronger, the more changes; a hundredth is next to nothing."""
    changes = strengths(pictures, [0.01, 0.3, 1.0, 3.0])
    assert changes == sorted(changes)
    assert changes[0] < 0.1 * changes[2]


@pytest.mark.parametrize("motion", [False, True])
def test_radius(pictures: Any, motion: bool) -> None:
    """Frames farther away than it do not count, those within do."""
    frames = read(pictures)
    changed = make_clip(Video("YUV420P8", 64, 48), [frames[1], *frames[1:]])
    for radius, same in ((0, True), (2, True), (3, False)):
        before, after = (read_frame(denoise(clip, radius=radius, motion=motion), 3) for clip in (pictures, changed))
        assert (fingerprint(before) == fingerprint(after)) == same
