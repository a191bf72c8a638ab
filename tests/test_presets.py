"""The presets do what they say, on real clips: judged by the pictures, not by the filters that they are made of."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import vapoursynth as vs
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

import vs_vdiff
from quality import psnr
from reference.structure import eigen, scharr, smooth_tensor
from support import Video, assert_same, cached, fingerprint, frames_of, make_clip, random_frames, read, read_frame
from vs_vdiff.composing import STRENGTHS
from vs_vdiff.presets import PRESETS

FORMATS = ("GRAY8", "GRAYS", "YUV420P8", "YUV411P8", "YUV422P10", "YUV444P16", "YUV420PS", "RGB24", "RGB48", "RGBH")
CUT = 137
"""A frame of bikes.mp4 that starts a scene."""
Real = NDArray[np.float64]

every_preset = pytest.mark.parametrize("name", PRESETS)


def real(clips: Path, name: str, first: int, last: int, crop: tuple[int, int, int, int]) -> Any:
    """A part of a real clip, kept in memory."""
    width, height, left, top = crop
    clip = vs.core.bs.VideoSource(str(clips / name), cachemode=0)[first:last]
    return cached(vs.core.std.CropAbs(clip, width, height, left, top), last - first)


@pytest.fixture(scope="module")
def street(core: Any, clips: Path) -> Any:
    """Cars with lights, a camera that pans, and at frame 7 a cut."""
    return real(clips, "bikes.mp4", CUT - 7, CUT + 7, (160, 96, 100, 20))


def luma(clip: Any, n: int) -> Real:
    return read_frame(clip, n)[0].astype(np.float64)


# Trails


def test_trails(clips: Path) -> None:
    """What was bright is half as bright 8 frames later, at least, and nothing becomes darker."""
    clip = real(clips, "bikes.mp4", 76, 100, (320, 160, 0, 0))
    result = vs_vdiff.trails(clip)
    before, now, trail = luma(clip, 12), luma(clip, 20), luma(result, 20)
    assert np.all(trail >= now - 0.5)
    fading = 16 + (before - 16) / 2
    assert np.all(trail >= fading - 1)
    # That is more than what is there without trails, at many places.
    assert np.mean(now < fading - 5) > 0.01
    # And it is a trail: 16 frames later a quarter is left.
    faded = np.maximum.reduce([16 + (luma(clip, 20 - age) - 16) * 2 ** (-age / 8) for age in range(21)])
    assert np.max(np.abs(trail - faded)) < 2


@pytest.mark.parametrize("name", ["trails", "motion"])
def test_cuts_are_not_crossed(street: Any, name: str) -> None:
    """No frame of a scene shows anything of the other one. The cut is not marked in what is given."""
    preset = PRESETS[name]
    assert "_SceneChangePrev" not in street.get_frame(7).props
    assert_same(read(preset(street)), [*read(preset(street[:7])), *read(preset(street[7:]))])
    assert fingerprint(read_frame(preset(street), 9)) != fingerprint(read_frame(street, 9))


# Banding


def test_banding_goes_from_a_gradient(core: Any) -> None:
    """The steps of a gradient become as small as 16 bits allow, from narrow bands to wide ones."""
    for width in (4, 8, 16):
        y, x = np.mgrid[0:96, 0:320]
        true = 60 + x / width + np.sin(y / 20)
        bands = np.floor(true / 2) * 2 + 1
        clip = vs_vdiff.from_numpy(np.round(bands[None] * 256).astype(np.uint16), vs.GRAY16)
        result = luma(vs_vdiff.deband(clip), 0) / 256
        inner = (slice(16, -16), slice(32, -32))
        assert np.max(np.abs(np.diff(bands[inner]))) == 2
        assert np.max(np.abs(np.diff(result[inner]))) < 0.45
        assert np.std((result - true)[inner]) < np.std((bands - true)[inner]) / 2.5
        assert np.max(np.abs(result - bands)) <= 1 + 1 / 256


def test_banding_goes_from_a_real_picture(clips: Path) -> None:
    """Of its gradients, in steps of 4, those of the picture itself come back, and in 8 bits no contour is left."""
    source = real(clips, "bigbuckbunny.mp4", 60, 61, (320, 180, 320, 400))
    belly = (slice(20, 130), slice(30, 240))
    gradients = gaussian_filter(luma(source, 0), 4)
    bands = gradients // 4 * 4 + 2
    for depth in (8, 16):
        scale = 2 ** (depth - 8)
        stored = (bands[None] * scale).astype(np.uint8 if depth == 8 else np.uint16)
        clip = vs_vdiff.from_numpy(stored, vs.GRAY8 if depth == 8 else vs.GRAY16)
        result = luma(vs_vdiff.deband(clip, 2), 0) / scale
        # Seen from where the dither cannot be told.
        true, before, after = (np.diff(gaussian_filter(picture, 0.7)[belly]) for picture in (gradients, bands, result))
        errors = [np.std(slopes - true) for slopes in (before, after)]
        contours = [np.mean(np.abs(np.diff(picture[belly])) >= 3) for picture in (bands, result)]
        print(depth, errors, contours)
        assert errors[1] < errors[0] / (2 if depth == 8 else 3)
        assert contours[0] > 0.05
        assert contours[1] < contours[0] / 50
        assert np.max(np.abs(result - bands)) <= (3 if depth == 8 else 2 + 3 / 256)  # half a step, and the dither


@pytest.mark.parametrize("bits", [8, 10])
def test_dither_keeps_what_is_between_codes(bits: int) -> None:
    """Means of a neighbourhood are those of the result in 16 bits; mere rounding is off by more."""
    step = 2 << bits - 8  # of the format, 2 of the 8-bit scale
    bands = np.broadcast_to((60 + np.arange(320) // 24) * step, (96, 320))
    results = []
    for depth in (bits, 16):
        video = Video(f"GRAY{depth}", 320, 96)
        clip = make_clip(video, [[(bands << depth - bits).astype(video.samples(0).dtype)]])
        results.append(luma(vs_vdiff.deband(clip), 0) / 2 ** (depth - bits))
    assert set(np.unique(results[0] - np.round(results[1]))) <= {-1, 0, 1}
    error = np.std(gaussian_filter(results[0] - results[1], 2)[8:-8, 32:-32])
    print(error)
    assert error < 0.03


def test_detail_stays_where_bands_go(clips: Path) -> None:
    """Grass is what it was."""
    clip = real(clips, "bigbuckbunny.mp4", 60, 61, (160, 120, 40, 240))
    before, after = luma(clip, 0), luma(vs_vdiff.deband(clip), 0)
    print(psnr(after, before, 255))
    assert psnr(after, before, 255) > 50


@pytest.mark.parametrize("props", [{"_Range": 0}, {"_Range": 1}, {"_FieldBased": 1}, {"_Matrix": 0}], ids=str)
def test_flat_pictures_stay(core: Any, props: dict[str, int]) -> None:
    """Converted there and back, whatever the properties say."""
    for name in ("YUV420P8", "RGB24", "YUV444P12", "GRAY10"):
        video = Video(name, 24, 17 if name != "YUV420P8" else 18)
        color = [(70 << video.format.bits_per_sample) >> 8, 1, (1 << video.format.bits_per_sample) - 1]
        frame = [np.full(video.shape(p), color[p], video.samples(p).dtype) for p in video.planes]
        clip = make_clip(video, [frame], props=[dict(props)])
        assert_same(read(vs_vdiff.deband(clip)), [frame], name)


# Dream


def coherence(picture: Real) -> float:
    """How much the directions around each pixel agree, 0 to 1, where there are any."""
    x, y = scharr(picture)
    mu1, mu2, _ = eigen(smooth_tensor((x * x, x * y, y * y), 3.0))
    return float(np.sum((mu1 - mu2) ** 2) / np.sum((mu1 + mu2) ** 2))


def test_dream(clips: Path) -> None:
    """Lines that flow flow on: what is not along them goes; edges become no softer."""
    clip = real(clips, "bigbuckbunny.mp4", 100, 101, (160, 120, 640, 300))
    before, after = luma(clip, 0), luma(vs_vdiff.dream(clip), 0)
    print(coherence(before), coherence(after))
    assert coherence(after) > coherence(before) + 0.15
    assert np.std(after) > 0.8 * np.std(before)
    weak = luma(vs_vdiff.dream(clip, "light"), 0)
    assert coherence(before) < coherence(weak) < coherence(after)


def test_dream_is_what_it_says(street: Any) -> None:
    """The composition that README and docstring name."""
    for strength in (0.5, 1.0):
        strokes = vs.core.vdiff.TensorDiffuse(street, time=20 * strength, mode="ced", k=2, rho=4)
        wanted = vs.core.vdiff.Shock(strokes, time=2 * strength, rho=4)
        assert fingerprint(read_frame(vs_vdiff.dream(street, strength), 3)) == fingerprint(read_frame(wanted, 3))


# Motion


def test_motion(street: Any) -> None:
    """What changed goes on by twice what it changed beyond 2; the rest is as it was, to the byte."""
    result = vs_vdiff.motion(street)
    for n in (1, 5, 9, 13):
        earlier, now, then = luma(street, n - 1), luma(street, n), luma(result, n)
        change = now - earlier
        still = np.abs(change) <= 2
        assert np.any(still)
        assert np.any(~still)
        assert np.array_equal(then[still], now[still])
        wanted = np.clip(now + 2 * np.sign(change) * (np.abs(change) - 2), 0, 255)
        assert np.max(np.abs(then - wanted)[~still]) <= 0.5
        moving = np.abs(change) > 10
        assert np.mean(np.abs(then - earlier)[moving]) > 1.8 * np.mean(np.abs(change)[moving])


# All


@every_preset
def test_strengths(street: Any, rng: np.random.Generator, name: str) -> None:
    """By name or number, also as text; the stronger, the more changes in a picture with some noise."""
    preset = PRESETS[name]
    noisy = [
        [np.clip(plane + rng.normal(0, 4, plane.shape), 0, 255).astype(np.uint8) for plane in f] for f in read(street)
    ]
    street = make_clip(Video("YUV420P8", 160, 96), noisy)
    assert STRENGTHS == {"light": 0.5, "medium": 1, "strong": 1.5}
    by_name = [read_frame(preset(street, strength=each), 5) for each in STRENGTHS]
    assert fingerprint(read_frame(preset(street), 5)) == fingerprint(by_name[1])
    for (word, number), wanted in zip(STRENGTHS.items(), by_name, strict=True):
        for same in (word, number, str(number)):
            assert fingerprint(read_frame(preset(street, strength=same), 5)) == fingerprint(wanted), same
    before = luma(street, 5)
    changes = [float(np.mean((frame[0] - before) ** 2)) for frame in by_name]
    assert 0 < changes[0] < changes[1] < changes[2]


@every_preset
@pytest.mark.parametrize("strength", ["", "Strong", "weak", 0, -1, 0.009, 100.1, float("nan"), float("inf"), None, []])
def test_bad_strengths(street: Any, name: str, strength: Any) -> None:
    with pytest.raises(vs.Error, match=rf"^{name}: strength must be light, medium, strong or 0\.01\.\.\.100, got "):
        PRESETS[name](street, strength=strength)


@every_preset
@pytest.mark.parametrize("strength", [0.01, 100])
def test_extreme_strengths(street: Any, name: str, strength: float) -> None:
    """All filters take what comes of them."""
    clip = vs.core.std.CropAbs(street, 8, 8)[:2]
    read(PRESETS[name](clip, strength=strength))


@every_preset
@pytest.mark.parametrize("format_name", FORMATS)
def test_format_and_properties_stay(rng: np.random.Generator, name: str, format_name: str) -> None:
    props: list[dict[str, Any]] = [
        {},
        {"_SceneChangePrev": 1, "text": "a", "numbers": [1, 2, 3], "VdiffSceneScore": 3.0},
        {"_SceneChangeNext": 1, "_Range": 1, "_Matrix": 6, "_DurationNum": 1, "_DurationDen": 25},
    ]
    for size in ((40, 36), (1, 1), (7, 3)):
        video = Video(format_name, *size)
        clip = make_clip(video, random_frames(rng, video, 3), props=props).std.AssumeFPS(fpsnum=30000, fpsden=1001)
        result = PRESETS[name](clip)
        assert (result.format.id, result.width, result.height) == (clip.format.id, clip.width, clip.height)
        assert (result.num_frames, result.fps) == (3, clip.fps)
        for before, after in zip(frames_of(clip), frames_of(result), strict=True):
            found = dict(after.props)
            found.pop("VdiffSigma", None)
            assert found == dict(before.props)
        assert [fingerprint(read_frame(PRESETS[name](clip), n)) for n in (2, 0)] == [
            fingerprint(frame) for frame in (read(result)[2], read(result)[0])
        ]


@every_preset
def test_other_formats_are_refused(core: Any, name: str) -> None:
    blank = core.std.BlankClip(width=64, height=48, format=vs.GRAY32)
    varying = core.std.Splice([blank, core.std.BlankClip(blank, width=80)], mismatch=True)
    for clip in (blank, varying):
        with pytest.raises(vs.Error, match=r": Input clip must be constant format"):
            PRESETS[name](clip)


@every_preset
def test_preset_tells_of_itself(name: str) -> None:
    """In the words of VapourSynth's signatures and of a chain of filters."""
    preset = PRESETS[name]
    assert preset.name == name
    assert getattr(vs_vdiff, name) is preset.call
    assert preset.meaning.endswith(".")
    more = ("radius:int:opt;motion:int:opt;", ":radius=3:motion=1") if name == "denoise" else ("", "")
    assert preset.signature == f"clip:vnode;strength:data:opt;{more[0]}"
    assert preset.defaults == f"strength=medium{more[1]}"
