"""Shock against its reference, and what a shock filter must do: sharpen, and create nothing that was not there.

Tests that take `shock` hold for the reference as well as for the filter, and run on both.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import erf

from cases import Case, filter_cases
from reference import Real, Samples
from reference import shock as reference
from support import SIZES, Video, assert_same, gray, make_clip, picture, random_frames, read, read_gray
from test_diffuse import symmetries

FLOAT = Samples(32, is_float=True)
ARGUMENTS: tuple[dict[str, float], ...] = (
    {"time": 1.0},
    {"time": 3.0, "sigma": 1.0, "rho": 0.0},
    {"time": 0.4, "sigma": 0.0, "rho": 1.0},
)
every_argument = pytest.mark.parametrize("args", ARGUMENTS, ids=str)

Shock = Callable[..., Real]
Turn = Callable[[NDArray[Any]], NDArray[Any]]


@pytest.fixture(params=["reference", "filter"])
def shock(request: pytest.FixtureRequest, core: Any) -> Shock:
    """The filter on one float picture, and its reference."""

    def by_reference(u: Real, *, time: float = 1.0, sigma: float = 1.5, rho: float = 2.0) -> Real:
        return reference.shock(u, time=time, sigma=sigma, rho=rho, unit=1.0 / 255.0)

    def by_filter(u: Real, **args: Any) -> Real:
        return read_gray(core.vdiff.Shock(gray(u), **args))

    return by_reference if request.param == "reference" else by_filter


def blurred_edge(degrees: float, contrast: float, deviation: float = 2.0, shape: tuple[int, int] = (40, 64)) -> Real:
    """A straight edge of that deviation, at an angle to the columns, through the middle."""
    y, x = np.mgrid[: shape[0], : shape[1]]
    angle = np.radians(degrees)
    distance = (x - 0.5 * shape[1] + 0.2) * np.cos(angle) + (y - 0.5 * shape[0] + 0.5) * np.sin(angle)
    edge: Real = 0.25 + contrast * (0.5 + 0.5 * erf(distance / (np.sqrt(2.0) * deviation)))
    return edge


def rise_width(u: Real) -> float:
    """Pixels from 10 to 90 % of the rise along rows, the mean of the rows in the middle."""
    widths = []
    for line in u[10:-10]:
        rise = np.maximum.accumulate((line - line[0]) / (line[-1] - line[0]))
        ends = [np.interp(level, rise + 1e-9 * np.arange(len(rise)), np.arange(len(rise))) for level in (0.1, 0.9)]
        widths.append(ends[1] - ends[0])
    return float(np.mean(widths))


def waves(shape: tuple[int, int]) -> Real:
    """Slopes in all directions, none of them steep."""
    y, x = np.mgrid[: shape[0], : shape[1]]
    values: Real = 0.5 + 0.15 * np.sin(x / 3.1 + 0.4) * np.cos(y / 4.3) + 0.1 * np.sin((x + 2 * y) / 7.7)
    return values


# Parity.


@pytest.mark.parametrize("name", ["GRAY8", "YUV420P10", "YUV422P16", "RGBH", "YUV444PS"])
@pytest.mark.parametrize("case", filter_cases("Shock"), ids=str)
def test_parity(core: Any, rng: np.random.Generator, case: Case, name: str) -> None:
    video = Video(name, 117, 61)
    case.check(video, random_frames(rng, video, 2))


@every_argument
@pytest.mark.parametrize("size", [*SIZES, (1, 90), (200, 2), (48, 48)], ids=str)
def test_parity_of_many_steps(core: Any, size: tuple[int, int], args: dict[str, float]) -> None:
    """On a picture without noise, where rounding is not what decides over a sign."""
    u = waves((size[1], size[0])).astype(np.float32).astype(np.float64)
    wanted = reference.shock(u, **{"sigma": 1.5, "rho": 2.0, **args}, unit=1.0 / 255.0)
    assert np.max(np.abs(read_gray(core.vdiff.Shock(gray(u), **args)) - wanted)) < 1e-5
    assert min(size) < 20 or np.max(np.abs(wanted - u)) > 0.01


@pytest.mark.parametrize("name", ["GRAY8", "YUV410P8", "RGBH"])
def test_time_zero_keeps_every_pixel(core: Any, rng: np.random.Generator, name: str) -> None:
    video = Video(name, 37, 22)
    frames = random_frames(rng, video, 1)
    assert_same(read(core.vdiff.Shock(make_clip(video, frames), time=0)), frames)


# Invariants.


@every_argument
def test_keeps_between_neighbours(shock: Shock, rng: np.random.Generator, args: dict[str, float]) -> None:
    """One step takes no pixel beyond its neighbours; any number of them none beyond the picture's range."""
    u: Real = picture(rng, (31, 46), FLOAT).astype(np.float64)
    out = shock(u, **args)
    assert u.min() <= out.min() < out.max() <= u.max()
    assert np.max(np.abs(out - u)) > 1e-4
    padded = np.pad(u, 1, mode="edge")
    around = np.stack([u, padded[:-2, 1:-1], padded[2:, 1:-1], padded[1:-1, :-2], padded[1:-1, 2:]])
    one = shock(u, **{**args, "time": 0.5})
    assert np.all(one >= around.min(axis=0))
    assert np.all(one <= around.max(axis=0))


@pytest.mark.parametrize("time", [1.0, 7.0, 50.0])
def test_integers_keep_between_minimum_and_maximum(core: Any, rng: np.random.Generator, time: float) -> None:
    """To the step, on the checkerboard and on noise."""
    u = np.where(np.indices((24, 31)).sum(axis=0) % 2, 41000, 1003)
    u[8:16] = rng.integers(1003, 41001, (8, 31))
    out = read_gray(core.vdiff.Shock(gray(u, name="GRAY16"), time=time, sigma=0.5))
    assert out.min() >= 1003
    assert out.max() <= 41000


@pytest.mark.parametrize("name", ["GRAY8", "GRAY9", "GRAY16", "RGBH", "YUV444PS"])
@pytest.mark.parametrize("fraction", [0.0, 1.0, 0.3337])
@every_argument
def test_constant_stays(core: Any, name: str, fraction: float, args: dict[str, float]) -> None:
    """To the byte."""
    video = Video(name, 35, 13)
    frame = []
    for p in video.planes:
        samples = video.samples(p)
        frame.append(samples.store(np.full(video.shape(p), samples.low + fraction * samples.peak)))
    assert_same(read(core.vdiff.Shock(make_clip(video, [frame]), **args)), [frame])


@every_argument
def test_negative_gives_negative(shock: Shock, rng: np.random.Generator, args: dict[str, float]) -> None:
    """Dilation and erosion change places."""
    u = np.round(1024.0 * waves((30, 41))) / 1024.0
    assert np.max(np.abs(shock(1.0 - u, **args) - (1.0 - shock(u, **args)))) < 1e-5


@pytest.mark.parametrize("symmetry", symmetries(), ids=lambda s: s[0])
@pytest.mark.parametrize("name", ["GRAY8", "GRAYS"])
@pytest.mark.parametrize("shape", [(23, 37), (32, 32), (31, 32)], ids=str)
@every_argument
def test_symmetries_of_the_square_commute(
    core: Any,
    rng: np.random.Generator,
    symmetry: tuple[str, Turn],
    name: str,
    shape: tuple[int, int],
    args: dict[str, float],
) -> None:
    """Byte for byte."""
    turn = symmetry[1]
    u = picture(rng, shape, Video(name, 1, 1).samples(0))

    def run(a: NDArray[Any]) -> NDArray[Any]:
        return read(core.vdiff.Shock(gray(a, name=name), **args))[0][0]

    assert_same([[run(turn(u))]], [[np.ascontiguousarray(turn(run(u)))]])


# What it is for.


@pytest.mark.parametrize("contrast", [0.5, 0.1])
@pytest.mark.parametrize("degrees", [0.0, 17.0, 30.0])
def test_blurred_edge_becomes_sharp(shock: Shock, contrast: float, degrees: float) -> None:
    """A slope moves a pixel in a time of 1, from both sides: so much narrower is the edge, until it is one pixel."""
    edge = blurred_edge(degrees, contrast)
    before = rise_width(edge)
    widths = [rise_width(shock(edge, time=time)) for time in (1.0, 2.0, 4.0)]
    if contrast > 0.3:
        assert widths[0] < 0.75 * before
        assert widths[1] < 0.5 * before
        assert widths[2] < 1.8
    assert widths[0] < 0.9 * before
    assert widths[2] < 0.5 * before
    out = shock(edge, time=4.0)
    assert edge.min() <= out.min() < out.max() <= edge.max()


@pytest.mark.parametrize("degrees", [10.0, 17.0, 40.0])
def test_edge_stays_where_it_is_and_straight(shock: Shock, degrees: float) -> None:
    """The area above the edge is kept in every row, within a 20th of a pixel: no stairs."""
    edge = blurred_edge(degrees, 0.5)
    rows = np.s_[14:-14]
    area, sharp = edge[rows].sum(axis=1) / 0.5, shock(edge, time=2.0)[rows].sum(axis=1) / 0.5
    assert np.max(np.abs(sharp - area)) < 0.05


def test_weak_noise_is_hardly_amplified(shock: Shock, rng: np.random.Generator) -> None:
    """Deviation 2 on the 8-bit scale grows by less than 15 % in a time of 2; a hard sign makes it two thirds more."""
    u = 0.5 + rng.normal(0.0, 2.0 / 255.0, (64, 64))
    assert np.std(shock(u, time=2.0)) < 1.15 * np.std(u)


def test_rho_aligns_the_direction(shock: Shock) -> None:
    """A dotted line becomes one line, with a structure tensor that sees further than from dot to dot."""
    y, x = np.mgrid[0:40, 0:80]
    dots = 0.3 + 0.4 * np.exp(-((y - 20.0) ** 2) / 8.0) * (0.6 + 0.4 * np.cos(2.0 * np.pi * x / 8.0))
    ridges = [shock(dots, time=6.0, sigma=1.5, rho=rho)[20, 16:-16] for rho in (0.0, 4.0)]
    assert np.ptp(ridges[1]) < 0.7 * np.ptp(ridges[0])


def test_defaults(core: Any, rng: np.random.Generator) -> None:
    video = Video("YUV420P8", 50, 34)
    clip = make_clip(video, random_frames(rng, video, 2))
    spelt = core.vdiff.Shock(clip, time=1, sigma=1.5, rho=2, planes=[0, 1, 2])
    assert_same(read(core.vdiff.Shock(clip)), read(spelt))


def test_planes_of_any_size_share_scratch(core: Any, rng: np.random.Generator) -> None:
    """Each plane is what it would be in a clip of its own; a square chroma plane needs scratch that luma does not."""
    video = Video("YUV422P8", 96, 48)
    [frame] = random_frames(rng, video, 1)
    together = read(core.vdiff.Shock(make_clip(video, [frame]), time=2))
    alone = [read(core.vdiff.Shock(gray(plane, name="GRAY8"), time=2))[0][0] for plane in frame]
    assert_same(together, [alone])
