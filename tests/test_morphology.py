"""Dilate and Erode against SciPy, against VapourSynth's own filters, and against the laws of morphology."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from cases import Case, filter_cases
from reference.morphology import dilate, erode, window
from support import Plane, Video, assert_same, gray, make_clip, random_frames, read, read_frame

SHAPES = ("rect", "cross", "disc")
RADII = (1, 2, 3, 7, 15, 25)
NAMES = ("Dilate", "Erode")
SAMPLES = ("GRAY8", "GRAY10", "GRAY16", "GRAYH", "GRAYS")
SIZES = (
    (93, 41),
    (37, 23),
    (130, 3),
    (3, 70),
    (2, 2),
    (9, 1),
    (1, 9),
    (1, 1),
    (64, 1),
    (65, 2),
    (128, 5),
    (16, 2),
    (32, 3),
)
"""With rows shorter than a vector, of one, of several, and with a part left over, at 16 to 64 bytes."""
SCIPY: dict[str, Callable[..., Any]] = {"Dilate": ndimage.grey_dilation, "Erode": ndimage.grey_erosion}
SYMMETRIES: list[Callable[[Plane], Plane]] = [
    lambda x: x,
    np.fliplr,
    np.flipud,
    lambda x: np.rot90(x, 1),
    lambda x: np.rot90(x, 2),
    lambda x: np.rot90(x, 3),
    np.transpose,
    lambda x: np.rot90(x, 2).T,
]

every_name = pytest.mark.parametrize("name", NAMES)
every_shape = pytest.mark.parametrize("shape", SHAPES)
every_sample = pytest.mark.parametrize("sample", SAMPLES)


def apply(core: Any, name: str, picture: Plane, sample: str, **args: Any) -> Plane:
    """One of the two filters on one picture."""
    return read_frame(getattr(core.vdiff, name)(gray(picture, name=sample), **args), 0)[0]


def noise(rng: np.random.Generator, sample: str, size: tuple[int, int]) -> Plane:
    """White noise over the whole range, so that every window has its own extremes; float beyond 0...1 and signed."""
    samples = Video(sample, *size).samples(0)
    shape = size[::-1]
    if samples.is_float:
        return rng.normal(0.3, 2.0, shape).astype(samples.dtype)
    return rng.integers(0, int(samples.peak) + 1, shape).astype(samples.dtype)


def scipy_s(name: str, picture: Plane, shape: str, radius: int) -> NDArray[Any]:
    """SciPy's result. The reflection is np.pad's: SciPy's own is wrong for windows that exceed the picture."""
    known = picture.astype(np.float32) if picture.dtype == np.float16 else picture
    wide = np.pad(known, radius, mode="symmetric")
    result = SCIPY[name](wide, footprint=window(shape, radius))
    height, width = picture.shape
    return np.asarray(result[radius : radius + height, radius : radius + width].astype(picture.dtype))


@every_sample
@every_shape
@every_name
def test_scipy(core: Any, rng: np.random.Generator, name: str, shape: str, sample: str) -> None:
    """Byte for byte, at every radius and size, also where the window is larger than the picture."""
    for size in SIZES:
        picture = noise(rng, sample, size)
        for radius in RADII:
            actual = apply(core, name, picture, sample, shape=shape, radius=radius)
            assert actual.tobytes() == scipy_s(name, picture, shape, radius).tobytes(), f"{size} radius {radius}"


@every_shape
@every_name
def test_scipy_reflects_as_we_do(core: Any, rng: np.random.Generator, name: str, shape: str) -> None:
    """With SciPy's own default border, `reflect`."""
    picture = noise(rng, "GRAYS", (93, 41))
    for radius in (1, 3, 15, 20):
        actual = apply(core, name, picture, "GRAYS", shape=shape, radius=radius)
        assert actual.tobytes() == SCIPY[name](picture, footprint=window(shape, radius)).tobytes()


@every_shape
def test_reference_is_scipy_s(rng: np.random.Generator, shape: str) -> None:
    """What is outside may be left out or be the reflected picture: these windows have no gaps in a row or column."""
    for size in SIZES:
        picture = rng.normal(size=size[::-1])
        for radius in (1, 2, 7, 15):
            for name, reference in (("Dilate", dilate), ("Erode", erode)):
                assert (reference(picture, shape=shape, radius=radius) == scipy_s(name, picture, shape, radius)).all()


def test_windows_by_hand() -> None:
    """A disc of radius 3 has 29 pixels."""
    rows = ["...#...", ".#####.", ".#####.", "#######", ".#####.", ".#####.", "...#..."]
    assert window("disc", 3).tolist() == [[c == "#" for c in row] for row in rows]
    assert window("cross", 1).tolist() == window("disc", 1).tolist()
    assert [int(window(shape, 2).sum()) for shape in SHAPES] == [25, 9, 13]


@every_shape
@every_name
@pytest.mark.parametrize("radius", [1, 2, 4, 11, 33, 70])
def test_impulse_is_the_window(core: Any, name: str, shape: str, radius: int) -> None:
    """A single pixel becomes the window itself, cut off at the border."""
    height, width = 90, 150
    picture = np.zeros((height, width), np.uint8)
    wanted = np.zeros((height + 2 * radius, width + 2 * radius), np.uint8)
    for y, x in ((40, 71), (0, 3), (89, 149)):
        picture[y, x] = 1
        wanted[y : y + 2 * radius + 1, x : x + 2 * radius + 1] |= window(shape, radius).astype(np.uint8)
    wanted = wanted[radius:-radius, radius:-radius]
    if name == "Erode":
        picture, wanted = 255 - picture, 255 - wanted
    assert (apply(core, name, picture, "GRAY8", shape=shape, radius=radius) == wanted).all()


@pytest.mark.parametrize("format_name", ["GRAY8", "YUV420P8", "YUV422P10", "RGB48", "YUV444PS", "GRAYS"])
@pytest.mark.parametrize(("name", "peer"), [("Dilate", "Maximum"), ("Erode", "Minimum")])
def test_vapoursynth_s_own(core: Any, rng: np.random.Generator, name: str, peer: str, format_name: str) -> None:
    """A square of radius 1 is std.Maximum and std.Minimum, borders included; one of radius r is r of them."""
    video = Video(format_name, 70, 34)
    clip = make_clip(video, random_frames(rng, video, 3))
    chain = clip
    for radius in range(1, 6):
        chain = getattr(core.std, peer)(chain)
        assert_same(read(getattr(core.vdiff, name)(clip, radius=radius)), read(chain), f"radius {radius}")


@every_sample
@every_shape
def test_duality(core: Any, rng: np.random.Generator, shape: str, sample: str) -> None:
    """erode(u) = peak - dilate(peak - u); for float, of which differences round, -dilate(-u)."""
    samples = Video(sample, 1, 1).samples(0)
    peak = np.array(0 if samples.is_float else samples.peak, samples.dtype)
    picture = noise(rng, sample, (61, 44))
    for radius in (1, 6, 50):
        eroded = apply(core, "Erode", picture, sample, shape=shape, radius=radius)
        dilated = apply(core, "Dilate", peak - picture, sample, shape=shape, radius=radius)
        assert (eroded == peak - dilated).all()


@every_sample
@every_name
@pytest.mark.parametrize("radii", [(1, 1), (1, 14), (5, 8), (3, 90)], ids=str)
def test_squares_add_up(core: Any, rng: np.random.Generator, name: str, sample: str, radii: tuple[int, int]) -> None:
    """A square of radius r after one of radius s is one of radius r + s."""
    picture = noise(rng, sample, (83, 37))
    first = apply(core, name, picture, sample, radius=radii[0])
    both = apply(core, name, first, sample, radius=radii[1])
    assert both.tobytes() == apply(core, name, picture, sample, radius=sum(radii)).tobytes()


@every_sample
@every_shape
@every_name
def test_symmetries_of_the_square(core: Any, rng: np.random.Generator, name: str, shape: str, sample: str) -> None:
    picture = noise(rng, sample, (53, 37))
    for radius in (1, 4, 12, 60):
        wanted = apply(core, name, picture, sample, shape=shape, radius=radius)
        for turn in SYMMETRIES:
            turned = apply(core, name, np.ascontiguousarray(turn(picture)), sample, shape=shape, radius=radius)
            assert turned.tobytes() == np.ascontiguousarray(turn(wanted)).tobytes()


@every_sample
@every_shape
def test_opening_and_closing(core: Any, rng: np.random.Generator, shape: str, sample: str) -> None:
    """An opening lies below the picture, a closing above, and a second one changes nothing."""
    picture = noise(rng, sample, (67, 48))
    for radius in (1, 3, 10):
        for first, second in (NAMES, NAMES[::-1]):
            once = apply(core, second, apply(core, first, picture, sample, shape=shape, radius=radius), sample,
                         shape=shape, radius=radius)  # fmt: skip
            twice = apply(core, second, apply(core, first, once, sample, shape=shape, radius=radius), sample,
                          shape=shape, radius=radius)  # fmt: skip
            assert twice.tobytes() == once.tobytes()
            assert (once >= picture).all() if first == "Dilate" else (once <= picture).all()


def largest_of_runs(picture: NDArray[np.float64], radius: int, axis: int) -> NDArray[np.float64]:
    """SciPy's one-dimensional filter, nothing outside."""
    size = 2 * min(radius, picture.shape[axis] - 1) + 1
    return np.asarray(ndimage.maximum_filter1d(picture, size, axis=axis, mode="constant", cval=-np.inf))


@every_sample
@every_shape
@every_name
@pytest.mark.parametrize("size", [(1200, 7), (7, 1100), (2500, 330)], ids=str)
def test_large_windows(
    core: Any, rng: np.random.Generator, name: str, shape: str, sample: str, size: tuple[int, int]
) -> None:
    """Also beyond the whole picture, and where columns are processed in strips."""
    picture = noise(rng, sample, size)
    sign = 1.0 if name == "Dilate" else -1.0
    signed = sign * picture.astype(np.float64)
    for radius in (150, 10000):
        actual = sign * apply(core, name, picture, sample, shape=shape, radius=radius).astype(np.float64)
        columns = largest_of_runs(signed, radius, 0)
        if shape == "rect":
            assert (actual == largest_of_runs(columns, radius, 1)).all()
        elif shape == "cross":
            assert (actual == np.maximum(columns, largest_of_runs(signed, radius, 1))).all()
        else:
            rows, across = np.indices(picture.shape)
            for y, x in rng.integers(0, picture.shape, (40, 2)):
                assert actual[y, x] == signed[(rows - y) ** 2 + (across - x) ** 2 <= radius**2].max()


@pytest.mark.parametrize("sample", ["GRAYH", "GRAYS"])
@every_shape
@every_name
def test_what_is_no_number_spreads(core: Any, rng: np.random.Generator, name: str, shape: str, sample: str) -> None:
    """A window that holds NaN, of either sign, gives NaN, always the same bits; infinities are numbers."""
    picture = noise(rng, sample, (90, 40))
    picture[5, 7], picture[30, 80] = np.nan, np.copysign(picture.dtype.type(np.nan), -1)
    picture[20, 40], picture[33, 3] = np.inf, -np.inf
    for radius in (1, 3, 8):
        actual = apply(core, name, picture, sample, shape=shape, radius=radius)
        near = dilate(np.isnan(picture).astype(np.float64), shape=shape, radius=radius) > 0
        assert (np.isnan(actual) == near).all()
        calm = np.where(np.isnan(picture), -np.inf if name == "Dilate" else np.inf, picture).astype(picture.dtype)
        assert (actual == apply(core, name, calm, sample, shape=shape, radius=radius))[~near].all()
        bits = actual.view(np.uint16 if sample == "GRAYH" else np.uint32)
        assert len(set(bits[near].tolist())) == 1


@pytest.mark.parametrize("sample", ["GRAYH", "GRAYS"])
@every_shape
def test_zeros_have_an_order(core: Any, sample: str, shape: str) -> None:
    """-0 is below +0: the same zero wherever in the window it stands."""
    for picture in (np.array([[0.0, -0.0] * 9] * 5), np.array([[-0.0, 0.0] * 9] * 5)):
        assert not np.signbit(apply(core, "Dilate", picture, sample, shape=shape)).any()
        assert np.signbit(apply(core, "Erode", picture, sample, shape=shape)).all()


@every_sample
@every_shape
@every_name
def test_extremes_of_the_format(core: Any, name: str, shape: str, sample: str) -> None:
    """The smallest and the largest sample stay what they are, as do subnormal ones: what is outside is no sample."""
    samples = Video(sample, 1, 1).samples(0)
    if samples.is_float:
        info = np.finfo(samples.dtype)
        values = [info.min, -info.smallest_subnormal, info.smallest_subnormal, info.max, np.inf, -np.inf]
    else:
        values = [0, samples.peak]
    for value in values:
        picture = np.full((6, 70), value, samples.dtype)
        for radius in (1, 5, 100):
            actual = apply(core, name, picture, sample, shape=shape, radius=radius)
            assert actual.tobytes() == picture.tobytes()


@every_shape
@every_name
def test_radius_zero_is_the_clip(core: Any, rng: np.random.Generator, name: str, shape: str) -> None:
    video = Video("YUV420PS", 20, 10)
    frames = random_frames(rng, video, 2)
    assert_same(read(getattr(core.vdiff, name)(make_clip(video, frames), radius=0, shape=shape)), frames)


@every_name
def test_defaults(core: Any, rng: np.random.Generator, name: str) -> None:
    """Radius 1, rect, all planes."""
    video = Video("YUV420P8", 36, 26)
    clip = make_clip(video, random_frames(rng, video, 3))
    function = getattr(core.vdiff, name)
    assert_same(read(function(clip)), read(function(clip, radius=1, shape="rect", planes=[0, 1, 2])))


@pytest.mark.parametrize("format_name", ["YUV420P8", "YUV422P10", "RGBH", "YUV444PS"])
@pytest.mark.parametrize("case", [*filter_cases("Dilate"), *filter_cases("Erode")], ids=str)
def test_parity(core: Any, rng: np.random.Generator, case: Case, format_name: str) -> None:
    video = Video(format_name, 93, 41)
    case.check(video, random_frames(rng, video, 3))
