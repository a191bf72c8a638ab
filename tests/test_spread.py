"""Spread against its reference and against plain indexing: reflection, subsampled chroma, the level of no signal."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
import vapoursynth as vs
from scipy import ndimage

from cases import Case, filter_cases
from reference import Real
from reference.diffblend import lagged
from reference.spread import mirrored, spread
from support import (
    Frames,
    Video,
    assert_same,
    gray,
    make_clip,
    picture,
    random_frames,
    read,
    read_frame,
    read_gray,
    stack,
)

FORMATS = ("GRAY8", "YUV420P8", "YUV411P8", "YUV410P8", "YUV422P10", "GRAY16", "RGB30", "RGBH", "YUV444PS", "YUV420PS")
LIMITS = (-(2**31), 2**31 - 1)


def spread_one(picture: Any, dx: Any, dy: Any, weights: Any, name: str = "GRAYS", **args: Any) -> Real:
    """One picture through Spread, from the same frame."""
    clip = gray(picture, name=name)
    return read_gray(vs.core.vdiff.Spread(clip, dx=dx, dy=dy, weights=weights, **{"lag": 0, **args}))


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("case", filter_cases("Spread"), ids=str)
def test_parity(core: Any, rng: np.random.Generator, case: Case, name: str) -> None:
    video = Video(name, 93, 41)
    case.check(video, random_frames(rng, video, 8), starts=(3, 6))


@pytest.mark.parametrize("run", range(30))
def test_parity_of_random_taps(core: Any, rng: np.random.Generator, run: int) -> None:
    """Any number of taps, near each other, rows apart, beyond the picture or anywhere; wide and high pictures."""
    count, reach = int(rng.integers(1, 65)), int(rng.choice([1, 4, 40, 3000, 2**31 - 1]))
    dx, dy = (tuple(rng.integers(-reach, reach + 1, count).tolist()) for _ in range(2))
    weights = tuple(rng.normal(1.0 / count, 0.2, count).tolist())
    args = {"dx": dx, "dy": dy, "weights": weights, "lag": int(rng.integers(-3, 4))}
    video = Video(str(rng.choice(FORMATS)), int(rng.integers(1, 90)), int(rng.integers(1, 90)))
    Case("Spread", args, filter_cases("Spread")[0].reference).check(video, random_frames(rng, video, 5), starts=(2,))


INTEGERS = ("GRAY8", "YUV420P8", "YUV422P10", "GRAY16", "RGB24")


@pytest.mark.parametrize("run", range(40))
def test_parity_of_taps_that_are_counted(core: Any, rng: np.random.Generator, run: int) -> None:
    """Small multiples of one number, of either sign: any kernels, products of a column and a row, and means."""
    wide, high = (int(n) for n in rng.integers(1, 9, 2))
    kernels = (
        lambda: np.outer(rng.integers(-1, 4, high), rng.integers(-1, 4, wide)),
        lambda: rng.integers(-2, 5, (high, wide)),
        lambda: np.ones((high, wide), int),
    )
    factors = kernels[run % 3]()
    y, x = np.mgrid[:high, :wide] - rng.integers(-9, 9, (2, 1, 1))
    unit = 1 / max(1, abs(int(factors.sum())) + int(rng.integers(-1, 2)))
    args = {
        "dx": tuple((int(rng.integers(1, 3)) * x).ravel().tolist()),
        "dy": tuple(y.ravel().tolist()),
        "weights": tuple((unit * factors).ravel().tolist()),
        "lag": int(rng.integers(0, 2)),
    }
    video = Video(str(rng.choice(INTEGERS)), int(rng.integers(1, 200)), int(rng.integers(1, 60)))
    Case("Spread", args, filter_cases("Spread")[0].reference).check(video, random_frames(rng, video, 3), starts=(1,))


@pytest.mark.parametrize("name", ["GRAY8", "GRAY16"])
@pytest.mark.parametrize("across", [range(8), range(-7, 1)])
def test_last_panels_may_be_narrow(core: Any, rng: np.random.Generator, across: range, name: str) -> None:
    """A row that is cut into panels leaves one pixel for the last, whose mirror image is of the one before."""
    video = Video(name, 17_409, 9)
    factors = np.add.outer(np.arange(1, 9) % 3, np.arange(8) ** 2 % 5) + 1  # no column is a multiple of another
    y, x = np.meshgrid(range(8), across, indexing="ij")
    args = {
        "dx": tuple(x.ravel().tolist()),
        "dy": tuple(y.ravel().tolist()),
        "weights": tuple((factors / factors.sum()).ravel().tolist()),
        "lag": 0,
    }
    Case("Spread", args, filter_cases("Spread")[0].reference).check(video, random_frames(rng, video, 1), starts=())


@pytest.mark.parametrize("count", [1, 2, 3, 4, 7, 8, 15, 17])
@pytest.mark.parametrize("width", [1023, 1025, 2100])
def test_wide_pictures(core: Any, rng: np.random.Generator, width: int, count: int) -> None:
    """Wider than what is summed at a time, with every number of taps that is added at a time."""
    args = {
        "dx": tuple(rng.integers(-50, 51, count).tolist()),
        "dy": tuple(range(count)),
        "weights": tuple(rng.normal(1.0 / count, 0.2, count).tolist()),
    }
    video = Video("GRAY16", width, 5)
    Case("Spread", args, filter_cases("Spread")[0].reference).check(video, random_frames(rng, video, 2))


def test_mirrored_by_hand() -> None:
    assert mirrored(np.arange(-4, 8, dtype=np.int64), 3).tolist() == [2, 2, 1, 0, 0, 1, 2, 2, 1, 0, 0, 1]
    assert mirrored(np.arange(-2, 3, dtype=np.int64), 1).tolist() == [0] * 5


def test_reference_by_hand() -> None:
    """Moved to the right by one pixel; by half a pixel of a plane with a quarter of luma's width."""
    x = np.array([[10.0, 20.0, 40.0]])
    assert spread(x, dx=[1], dy=[0], weights=[1.0]).tolist() == [[10.0, 10.0, 20.0]]
    assert spread(x, dx=[-1], dy=[0], weights=[1.0]).tolist() == [[20.0, 40.0, 40.0]]
    assert spread(x, dx=[2], dy=[0], weights=[1.0], subsampling=(4, 1)).tolist() == [[10.0, 15.0, 30.0]]
    assert spread(x, dx=[-1], dy=[0], weights=[0.5], rest=8.0, subsampling=(4, 1)).tolist() == [[10.25, 16.5, 24.0]]


@pytest.mark.parametrize("name", FORMATS)
def test_identity(core: Any, rng: np.random.Generator, name: str) -> None:
    video = Video(name, 67, 21)
    frames = random_frames(rng, video, 3)
    for args in ({"dx": 0, "dy": 0, "weights": 1}, {"dx": [0, 5], "dy": [0, 3], "weights": [1, 0]}):
        assert_same(read(core.vdiff.Spread(make_clip(video, frames), lag=0, **args)), frames, str(args))


def test_identity_keeps_a_zero_s_sign(core: Any) -> None:
    shown = spread_one(np.full((2, 37), -0.0), 1, -1, 1)
    assert np.signbit(shown).all()


def far(size: int) -> list[int]:
    """Displacements within a picture of that size, up to its border, beyond it, and beyond several periods."""
    near = [1, size - 1, size, size + 1, 2 * size - 1, 2 * size, 2 * size + 1, 5 * size + 2, 14 * size - 3]
    return [0, *near, *(-d for d in near), *LIMITS]


def seen(size: int, d: int) -> Any:
    """Which pixels a row of that size shows, displaced by d: out of one period, written down."""
    period = [*range(size), *reversed(range(size))]
    return [period[(i - d) % len(period)] for i in range(size)]


@pytest.mark.parametrize("size", [(37, 23), (1, 1), (1, 6), (5, 1), (2, 3), (16, 4)], ids=str)
@pytest.mark.parametrize("name", ["GRAY8", "GRAY16", "GRAYH", "GRAYS"])
def test_whole_displacements_move_pixels(core: Any, rng: np.random.Generator, name: str, size: tuple[int, int]) -> None:
    width, height = size
    video = Video(name, width, height)
    frame = random_frames(rng, video, 1)
    clip = make_clip(video, frame)
    for dx, dy in [
        *((d, 0) for d in far(width)),
        *((0, d) for d in far(height)),
        *zip(far(width), far(height)[::-1], strict=True),
    ]:
        shown = read_frame(core.vdiff.Spread(clip, dx=dx, dy=dy, weights=1, lag=0), 0)[0]
        assert np.array_equal(shown, frame[0][0][np.ix_(seen(height, dy), seen(width, dx))]), (dx, dy)


@pytest.mark.parametrize(
    ("name", "factors"),
    [("YUV420PS", (2, 2)), ("YUV420P8", (2, 2)), ("YUV422P10", (2, 1)), ("YUV440P8", (1, 2)), ("YUV410P8", (4, 4))],
)
def test_whole_displacements_of_chroma(
    core: Any, rng: np.random.Generator, name: str, factors: tuple[int, int]
) -> None:
    """Where luma moves by a multiple of the subsampling, chroma moves by that many of its own pixels."""
    video = Video(name, 40, 24)
    frame = random_frames(rng, video, 1)
    height, width = video.shape(1)
    for across, down in [(1, 0), (-1, 2), (3, -5), (width, height + 1), (-7 * width - 2, 9 * height)]:
        dx, dy = across * factors[0], down * factors[1]
        shown = read_frame(core.vdiff.Spread(make_clip(video, frame), dx=dx, dy=dy, weights=1, lag=0), 0)
        for p in (1, 2):
            assert np.array_equal(shown[p], frame[0][p][np.ix_(seen(height, down), seen(width, across))]), (dx, dy, p)


@pytest.mark.parametrize(
    ("name", "factors"), [("YUV420PS", (2, 2)), ("YUV422PS", (2, 1)), ("YUV410PS", (4, 4)), ("YUV444PS", (1, 1))]
)
@pytest.mark.parametrize("d", [(1, 0), (0, 1), (3, -5), (-7, 2), (2, 6), (-1, -1)], ids=str)
def test_ramps_move_alike(core: Any, name: str, factors: tuple[int, int], d: tuple[int, int]) -> None:
    """A plane in the picture's coordinates stays one, moved: exact in luma and in chroma, between pixels too."""
    family = core.query_video_format(vs.YUV, vs.FLOAT, 32, *(f.bit_length() - 1 for f in factors))
    blank = core.std.BlankClip(format=family.id, width=64, height=48, length=1)
    frame = blank.get_frame(0).copy()
    sizes = [(1, 1), factors, factors]
    for p, (wide, high) in enumerate(sizes):
        height, width = np.asarray(frame[p]).shape
        y, x = np.mgrid[:height, :width]
        np.asarray(frame[p])[:] = (2 * wide * x - 3 * high * y) / 1024
    out = core.vdiff.Spread(core.std.ModifyFrame(blank, blank, lambda n, f: frame), dx=d[0], dy=d[1], weights=1, lag=0)
    for p, (shown, (wide, high)) in enumerate(zip(read_frame(out, 0), sizes, strict=True)):
        change = shown.astype(np.float64) - np.asarray(frame[p])
        inside = change[8 // high : -8 // high, 8 // wide : -8 // wide]
        assert inside.size
        assert np.abs(inside + (2 * d[0] - 3 * d[1]) / 1024).max() <= 2.0**-24, p


def test_against_scipy(core: Any, rng: np.random.Generator) -> None:
    """A convolution whose kernel is the weights at their displacements."""
    kernel = rng.normal(0.0, 0.2, (7, 9))
    x = rng.random((31, 50)).astype(np.float32).astype(np.float64)
    dy, dx = (axis.ravel().tolist() for axis in np.mgrid[-3:4, -4:5])
    shown = spread_one(x, dx, dy, kernel.ravel().tolist())
    assert np.abs(shown - ndimage.convolve(x, kernel, mode="reflect")).max() <= 1e-5


KERNELS: dict[str, tuple[Any, int]] = {
    "a box": (np.ones((3, 3)), 9),
    "a row": (np.ones((1, 7)), 7),
    "a column": (np.ones((6, 1)), 6),
    "binomial": (np.outer([1, 4, 6, 4, 1], [1, 4, 6, 4, 1]), 256),
    "two different columns": (np.array([[-1, -1, -1], [-1, 16, -1], [-1, -1, -1]]), 8),
    "edges": (np.array([[1, 0, -1], [2, 0, -2], [1, 0, -1]]), 1),
    "three": (np.array([[1, 2, 0], [0, 3, 1], [2, 0, 2]]), 11),
    "five, with a zero": (np.array([[3, 1, 0, 7, 2], [1, 5, 9, 2, 4]]), 34),
    "three times too bright": (np.array([[1, 1], [1, 0]]), 1),
}


PRODUCTS: dict[str, tuple[tuple[float, ...], tuple[float, ...]]] = {
    "box": ((1, 1, 1, 1, 1), (1, 1, 1, 1, 1)),
    "binomial": ((1, 4, 6, 4, 1), (1, 4, 6, 4, 1)),
    "of either sign": ((0.9, -1.3, 0.7), (-0.4, 1.1, 0.3, -0.8, 0.37, 0.62, 0.11)),
    "long": ((0.31, 0.7, 0.23, 0.19, 0.41, 0.17, 0.05, 0.61), (0.6, 0.29, 0.47, 0.13, 0.71, 0.37, 0.53, 0.09)),
}


def product_taps(
    rng: np.random.Generator, down: Sequence[float], across: Sequence[float], column_first: bool, step: int = 1
) -> dict[str, Any]:
    """Taps of a grid, whose places may lie anywhere near, in the order of rows or of columns."""
    y, x = np.mgrid[: len(down), : len(across)] * step - rng.integers(-3, 5, (2, 1, 1))
    weights = np.outer(down, across) / np.abs(np.outer(down, across)).sum()
    order = "F" if column_first else "C"
    return {
        "dx": tuple(x.ravel(order).tolist()),
        "dy": tuple(y.ravel(order).tolist()),
        "weights": tuple(weights.ravel(order).tolist()),
        "lag": 0,
    }


@pytest.mark.parametrize("size", [(1, 1), (7, 3), (15, 20), (16, 5), (93, 41), (550, 6)], ids=str)
@pytest.mark.parametrize("name", ["GRAYS", "YUV420PS", "RGBH", "YUV411P8", "GRAY16"])
@pytest.mark.parametrize("column_first", [False, True])
@pytest.mark.parametrize("kernel", PRODUCTS)
def test_parity_of_products(
    core: Any, rng: np.random.Generator, kernel: str, column_first: bool, name: str, size: tuple[int, int]
) -> None:
    """Sums of sums: across first or down first, of rows shorter than the taps reach and longer than a chunk."""
    args = product_taps(rng, *PRODUCTS[kernel], column_first, step=int(rng.integers(1, 4)))
    video = Video(name, max(size[0], 4), max(size[1], 2))
    Case("Spread", args, filter_cases("Spread")[0].reference).check(video, random_frames(rng, video, 1), starts=())


def test_products_far_apart(core: Any, rng: np.random.Generator) -> None:
    """Lines with rings of their own, and beyond the picture; and a grid that is as large as the picture."""
    taps = product_taps(rng, *PRODUCTS["of either sign"], False)
    for name in ("GRAYS", "GRAY16"):
        for far in (9, 60, 1000):
            args = taps | {"dy": tuple(far * y for y in taps["dy"])}
            video = Video(name, 40, 75)
            Case("Spread", args, filter_cases("Spread")[0].reference).check(video, random_frames(rng, video, 1))
        large = product_taps(rng, *PRODUCTS["long"], True)
        video = Video(name, 8, 8)
        Case("Spread", large, filter_cases("Spread")[0].reference).check(video, random_frames(rng, video, 1))


def test_a_grid_of_nearly_products(core: Any, rng: np.random.Generator) -> None:
    """One weight that is off by a thousandth; and a tap given twice, so that the grid has a hole."""
    taps = product_taps(rng, *PRODUCTS["binomial"], False)
    video = Video("GRAYS", 60, 30)
    frames = [[rng.random((30, 60)).astype(np.float32)]]
    for place, change in ((7, 1e-3), (7, -1.0), (0, -1.0)):
        weights = [w * (1.0 + change) if i == place else w for i, w in enumerate(taps["weights"])]
        args = taps | {"weights": tuple(weights)}
        Case("Spread", args, filter_cases("Spread")[0].reference).check(video, frames, starts=())
    doubled = taps | {key: (*taps[key][:-1], taps[key][0]) for key in ("dx", "dy")}
    Case("Spread", doubled, filter_cases("Spread")[0].reference).check(video, frames, starts=())


@pytest.mark.parametrize("size", [(1, 1), (2, 3), (63, 4), (65, 9), (130, 5), (3300, 3)], ids=str)
@pytest.mark.parametrize("name", ["GRAY8", "GRAY10", "GRAY16"])
@pytest.mark.parametrize("kernel", KERNELS)
def test_whole_numbers_are_exact(
    core: Any, rng: np.random.Generator, kernel: str, name: str, size: tuple[int, int]
) -> None:
    """Weights that are multiples of one number: the sum of integers, divided once, halves up."""
    factors, divisor = KERNELS[kernel]
    video = Video(name, *size, full=True)
    frame = random_frames(rng, video, 1)
    dy, dx = (axis.ravel() - 1 for axis in np.indices(factors.shape))
    shown = read_frame(
        core.vdiff.Spread(make_clip(video, frame), dx=dx, dy=dy, weights=factors.ravel() / divisor, lag=0), 0
    )
    x = frame[0][0].astype(np.int64)
    total = sum(
        int(factor) * x[np.ix_(seen(size[1], int(down)), seen(size[0], int(across)))]
        for factor, across, down in zip(factors.ravel(), dx, dy, strict=True)
    )
    wanted = np.clip((2 * total + divisor) // (2 * divisor), 0, int(video.samples(0).peak))
    # Five columns of words are summed as floats, which may miss a half.
    off = 1 if name != "GRAY8" and kernel.startswith("five") else 0
    assert np.abs(shown[0].astype(int) - wanted).max() <= off


def test_linearity(core: Any, rng: np.random.Generator) -> None:
    taps: dict[str, Any] = {"dx": [3, -2, 0, 40], "dy": [1, 5, -4, 9], "weights": [0.7, -1.2, 0.3, 0.5]}
    a, b = rng.random((2, 20, 30)).astype(np.float32).astype(np.float64)
    both = spread_one(0.5 * a - 2.0 * b, **taps)
    assert np.abs(both - (0.5 * spread_one(a, **taps) - 2.0 * spread_one(b, **taps))).max() <= 1e-5


@pytest.mark.parametrize("name", ["GRAY8", "GRAY10", "YUV420P8", "YUV444P16", "RGB24", "YUV420PS", "RGBH"])
@pytest.mark.parametrize("full", [True, False, None])
def test_weights_act_on_the_signal(core: Any, rng: np.random.Generator, name: str, full: bool | None) -> None:
    """Half of it is halfway to black, or to neutral; none of it is black, or neutral."""
    video = Video(name, 36, 12, full)
    frames = random_frames(rng, video, 2)
    clip = make_clip(video, frames)
    half = read(core.vdiff.Spread(clip, dx=0, dy=0, weights=0.5, lag=0))
    none = read(core.vdiff.Spread(clip, dx=[0, 3], dy=[0, 1], weights=[0, 0]))
    cancelled = read(core.vdiff.Spread(clip, dx=[1, 1], dy=[2, 2], weights=[3, -3]))
    for p in video.planes:
        samples = video.samples(p)
        assert samples.rest in {
            "GRAY8": [16, 0], "GRAY10": [64, 0], "YUV420P8": [16, 0, 128], "YUV444P16": [4096, 0, 32768],
            "RGB24": [16, 0], "YUV420PS": [0], "RGBH": [0],
        }[name]  # fmt: skip
        wanted = samples.rest + 0.5 * (stack(frames, p) - samples.rest)
        assert np.array_equal(stack(half, p), samples.store(wanted).astype(np.float64))
        assert (stack(none, p) == samples.rest).all()
        assert (stack(cancelled, p) == samples.rest).all()


def test_frames_may_differ_in_range(core: Any) -> None:
    """The level of black is that of the frame whose properties the output has."""
    video = Video("GRAY8", 3, 2)
    frames: Frames = [[np.full((2, 3), 116, np.uint8)] for _ in range(2)]
    clip = make_clip(video, frames, props=[{"_Range": 1}, {"_Range": 0}])
    out = core.vdiff.Spread(clip, dx=0, dy=0, weights=0.5, lag=1)
    assert [int(frame[0][0, 0]) for frame in read(out)] == [58, 66]


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_is_no_number_spreads_along_taps_only(core: Any, bad: float) -> None:
    """Nor along a tap of weight 0."""
    x = np.zeros((5, 40))
    x[2, 20] = bad
    shown = spread_one(x, [3, -1, 0], [1, 0, 0], [0.5, 0.5, 0.0])
    assert {(int(i), int(j)) for i, j in np.argwhere(~np.isfinite(shown))} == {(3, 23), (2, 19)}


@pytest.mark.parametrize("scenechange", [0, 1])
@pytest.mark.parametrize("starts", [(), (0,), (5,), (1, 2, 3), (4, 9, 13), (15,), tuple(range(16))], ids=str)
@pytest.mark.parametrize("lag", [0, 1, 2, 5, 100, -1, -4, -100])
def test_lag_stays_in_the_scene(
    core: Any, rng: np.random.Generator, lag: int, starts: tuple[int, ...], scenechange: int
) -> None:
    """Which frame is shown leaves no doubt, as every frame has its own value."""
    count = 16
    values = rng.permutation(256)[:count]
    clip = gray(*(np.full((2, 3), v) for v in values), starts=starts, name="GRAY8")
    out = core.vdiff.Spread(clip, dx=1, dy=1, weights=1, lag=lag, scenechange=scenechange)
    cuts = starts if scenechange else ()
    assert [int(frame[0][0, 0]) for frame in read(out)] == [
        int(values[lagged(n, lag, count, cuts)]) for n in range(count)
    ]


TURNS: dict[str, tuple[Callable[[Any], Any], Callable[[int, int], tuple[int, int]]]] = {
    "left to right": (lambda plane: plane[:, ::-1], lambda dx, dy: (-dx, dy)),
    "upside down": (lambda plane: plane[::-1], lambda dx, dy: (dx, -dy)),
    "transposed": (lambda plane: plane.T, lambda dx, dy: (dy, dx)),
    "by a quarter": (np.rot90, lambda dx, dy: (dy, -dx)),
}


@pytest.mark.parametrize("turn", TURNS)
@pytest.mark.parametrize("count", [1, 2, 3, 4, 7, 16, 25, 64])
@pytest.mark.parametrize("name", ["GRAYS", "YUV420PS", "YUV410P8", "RGB48"])
def test_symmetry(core: Any, rng: np.random.Generator, name: str, count: int, turn: str) -> None:
    """A turned picture with its displacements turned gives the same bytes, turned: interpolated chroma too."""
    picture_turn, tap_turn = TURNS[turn]
    video = Video(name, 44, 28)
    across = Video(name, *((28, 44) if turn in ("transposed", "by a quarter") else (44, 28)))
    samples = video.samples(0)
    frames = [[picture(rng, video.shape(p), samples) for p in video.planes]]
    turned = [[np.ascontiguousarray(picture_turn(plane)) for plane in frames[0]]]
    taps = rng.integers(-9, 10, (count, 2)).tolist()
    weights = rng.normal(0.3, 0.4, count).tolist()
    shown = read(core.vdiff.Spread(make_clip(video, frames), *map(list, zip(*taps, strict=True)), weights, lag=0))
    moved = [tap_turn(*tap) for tap in taps]
    shown_turned = read(
        core.vdiff.Spread(make_clip(across, turned), *map(list, zip(*moved, strict=True)), weights, lag=0)
    )
    assert_same(shown_turned, [[np.ascontiguousarray(picture_turn(plane)) for plane in shown[0]]], turn)


@pytest.mark.parametrize("turn", TURNS)
@pytest.mark.parametrize("name", ["GRAY8", "GRAY16", "YUV420P8"])
@pytest.mark.parametrize(
    "factors",
    [
        [[1, 4], [2, 3], [5, 0], [1, 1], [3, 2]],
        [[1, 1, 2], [2, 2, 4]],
        [[1, 0, 0, 1], [0, 3, 1, 0], [2, 0, 0, 2]],
    ],
    ids=["few columns", "a product", "three columns of four"],
)
def test_symmetry_of_whole_numbers(
    core: Any, rng: np.random.Generator, factors: list[list[int]], name: str, turn: str
) -> None:
    """Whichever way they are summed: as they add up to an even number, many sums are halfway between codes."""
    picture_turn, tap_turn = TURNS[turn]
    video = Video(name, 132, 84)
    across = Video(name, *((84, 132) if turn in ("transposed", "by a quarter") else (132, 84)))
    frames = random_frames(rng, video, 1)
    turned = [[np.ascontiguousarray(picture_turn(plane)) for plane in frames[0]]]
    kernel = np.array(factors)
    taps = [(int(x), int(y)) for y, x in np.ndindex(*kernel.shape)]
    weights = (kernel.ravel() / kernel.sum()).tolist()

    def shown(video: Video, frames: Frames, taps: list[tuple[int, int]]) -> Frames:
        return read(core.vdiff.Spread(make_clip(video, frames), *map(list, zip(*taps, strict=True)), weights, lag=0))

    wanted = [[np.ascontiguousarray(picture_turn(plane)) for plane in shown(video, frames, taps)[0]]]
    assert_same(shown(across, turned, [tap_turn(*tap) for tap in taps]), wanted, turn)


@pytest.mark.parametrize("turn", TURNS)
@pytest.mark.parametrize("name", ["GRAYS", "YUV420PS", "YUV410P8", "RGB48"])
@pytest.mark.parametrize("column_first", [False, True])
@pytest.mark.parametrize("kernel", PRODUCTS)
def test_symmetry_of_products(
    core: Any, rng: np.random.Generator, kernel: str, column_first: bool, name: str, turn: str
) -> None:
    """Sums across first become sums down first, where chroma is interpolated too."""
    picture_turn, tap_turn = TURNS[turn]
    video = Video(name, 44, 28)
    across = Video(name, *((28, 44) if turn in ("transposed", "by a quarter") else (44, 28)))
    frames = [[picture(rng, video.shape(p), video.samples(p)) for p in video.planes]]
    turned = [[np.ascontiguousarray(picture_turn(plane)) for plane in frames[0]]]
    args = product_taps(rng, *PRODUCTS[kernel], column_first, step=int(rng.integers(1, 4)))
    moved = [tap_turn(*tap) for tap in zip(args["dx"], args["dy"], strict=True)]
    dx, dy = map(list, zip(*moved, strict=True))
    shown = read(core.vdiff.Spread(make_clip(video, frames), **args))
    shown_turned = read(core.vdiff.Spread(make_clip(across, turned), **args | {"dx": dx, "dy": dy}))
    assert_same(shown_turned, [[np.ascontiguousarray(picture_turn(plane)) for plane in shown[0]]], turn)


def test_taps_on_one_pixel_are_one(core: Any, rng: np.random.Generator) -> None:
    x = rng.random((9, 21)).astype(np.float32)
    apart = spread_one(x, [2, 0, 2, 2], [1, 0, 1, 1], [0.25, 0.5, 0.5, -0.125])
    assert np.array_equal(apart, spread_one(x, [2, 0], [1, 0], [0.625, 0.5]))


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        ((2, 1, 1), "dx, dy and weights must have the same number of values, got 2, 1 and 1."),
        ((1, 3, 1), "dx, dy and weights must have the same number of values, got 1, 3 and 1."),
        ((4, 4, 5), "dx, dy and weights must have the same number of values, got 4, 4 and 5."),
        ((65, 65, 65), "dx, dy and weights must have 1...64 values, got 65."),
        ((10000, 10000, 10000), "dx, dy and weights must have 1...64 values, got 10000."),
    ],
)
def test_numbers_of_values(core: Any, counts: tuple[int, int, int], message: str) -> None:
    dx, dy, weights = ([1] * count for count in counts)
    with pytest.raises(vs.Error) as raised:
        core.vdiff.Spread(gray(np.zeros((2, 2))), dx=dx, dy=dy, weights=weights)
    assert str(raised.value) == f"Spread: {message}"


@pytest.mark.parametrize("empty", ["dx", "dy", "weights"])
def test_no_values(core: Any, empty: str) -> None:
    """VapourSynth itself refuses what is not given."""
    taps: dict[str, Any] = {"dx": [1], "dy": [1], "weights": [1.0]}
    with pytest.raises(vs.Error, match=empty):
        core.vdiff.Spread(gray(np.zeros((2, 2))), **{**taps, empty: []})
    del taps[empty]
    with pytest.raises(vs.Error, match=empty):
        core.vdiff.Spread(gray(np.zeros((2, 2))), **taps)


@pytest.mark.parametrize("argument", ["dx", "dy"])
@pytest.mark.parametrize("value", [2**31, -(2**31) - 1, 2**32 + 1, 2**62])
def test_displacements_are_32_bit(core: Any, argument: str, value: int) -> None:
    taps: dict[str, Any] = {"dx": [1, 1], "dy": [1, 1], "weights": [1, 1]} | {argument: [0, value]}
    with pytest.raises(vs.Error) as raised:
        core.vdiff.Spread(gray(np.zeros((2, 2))), **taps)
    assert str(raised.value) == f"Spread: {argument} must be -2147483648...2147483647, got {value}."


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1000.5, -1e300])
def test_every_weight_is_checked(core: Any, value: float) -> None:
    with pytest.raises(vs.Error, match=r"^Spread: weights must be -1000\.\.\.1000, got .*\.$"):
        core.vdiff.Spread(gray(np.zeros((2, 2))), dx=[0, 1, 2], dy=[0, 1, 2], weights=[1, 1, value])


def test_many_far_taps_on_a_high_picture(core: Any) -> None:
    """Each has rows of its own."""
    clip = core.std.BlankClip(format=vs.GRAYS, width=64, height=20000, length=2)
    dy = [(-1) ** i * 150 * i for i in range(64)]
    out = core.vdiff.Spread(clip, dx=[0] * 64, dy=dy, weights=[1 / 64] * 64)
    assert float(read_gray(out, 1).max()) == 0.0


def test_defaults(core: Any, rng: np.random.Generator) -> None:
    """Lag 1, scenechange 1, all planes."""
    video = Video("YUV420P8", 36, 26)
    clip = make_clip(video, random_frames(rng, video, 5), starts=(3,))
    taps: dict[str, Any] = {"dx": [3, 1], "dy": [0, -2], "weights": [0.75, 0.5]}
    spelt = core.vdiff.Spread(clip, **taps, lag=1, scenechange=1, planes=[0, 1, 2])
    assert_same(read(core.vdiff.Spread(clip, **taps)), read(spelt))
