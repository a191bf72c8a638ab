"""Diffuse steered by a gradient other than each difference's own: `presmooth`, `guide`, `coupled`; the contrast k=0.

Tests that take `diffuse` hold for the reference as well as for the filter, and run on both, as in `test_diffuse`.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from cases import Case, Mirrored, diffuse_clip, diffuse_frame
from reference import Real, Samples
from reference import diffuse as reference
from support import (
    FORMATS,
    Frame,
    Video,
    assert_same,
    assert_stored,
    frames_of,
    gray,
    make_clip,
    picture,
    random_frames,
    read,
    read_frame,
)

FLOAT = Samples(32, is_float=True)
NONLINEAR = [d for d in reference.DIFFUSIVITIES if d != "linear"]
SCHEMES = [("explicit", 12), ("fed", 2), ("aos", 2)]
"""Scheme and steps, for a time of up to 3 on the scale of g(0) = 1."""

Diffuse = Callable[..., list[Real]]
Turn = Callable[[NDArray[Any]], NDArray[Any]]

every_nonlinear = pytest.mark.parametrize("diffusivity", NONLINEAR)
every_scheme = pytest.mark.parametrize(("scheme", "steps"), SCHEMES)


@pytest.fixture(params=["reference", "filter"])
def diffuse(request: pytest.FixtureRequest, core: Any) -> Diffuse:
    """Diffusion of one float picture of one or three planes, GRAYS or RGBS; a guide is given as a list of planes."""

    def by_reference(*planes: Real, guide: Sequence[Real] | None = None, **args: Any) -> list[Real]:
        other = None if guide is None else (float_video(guide), list(guide))
        return diffuse_frame(list(planes), float_video(planes), args, other)[0]

    def by_filter(*planes: Real, guide: Sequence[Real] | None = None, **args: Any) -> list[Real]:
        if guide is not None:
            args["guide"] = float_clip(guide)
        return [plane.astype(np.float64) for plane in read_frame(core.vdiff.Diffuse(float_clip(planes), **args), 0)]

    return by_reference if request.param == "reference" else by_filter


def float_video(planes: Sequence[Real]) -> Video:
    """The format of one plane or of three of one size."""
    return Video("GRAYS" if len(planes) == 1 else "RGBS", *planes[0].shape[::-1])


def float_clip(planes: Sequence[Real]) -> Any:
    """A clip of one frame."""
    return make_clip(float_video(planes), [[plane.astype(np.float32) for plane in planes]])


@pytest.fixture
def textures(rng: np.random.Generator) -> list[Real]:
    """Three pictures with edges, waves and noise, exact in float32."""
    y, x = np.mgrid[0:30, 0:44]
    shapes = [np.tanh((x - 20 + 0.3 * y) / 2), np.sin(y / 3), np.cos(x / 5) * np.sin(y / 7)]
    return [
        (0.5 + 0.2 * shape + rng.normal(0, 0.03, x.shape)).astype(np.float32).astype(np.float64) for shape in shapes
    ]


def slowed(time: float, diffusivity: str) -> float:
    """The time in which a diffusivity does as much as one with g(0) = 1 in `time`."""
    return time / reference.speed(diffusivity)


def relative(actual: Real, wanted: Real) -> float:
    """The largest difference."""
    return float(np.max(np.abs(actual - wanted)))


def stripes(height: int, width: int, contrast: float) -> Real:
    """Columns 0 1 1 0 0 1 1 0..., times the contrast: s is half the contrast at every pixel, if the width is even."""
    return np.tile((np.arange(width) + 1) // 2 % 2 * contrast, (height, 1))


# The parts of the reference, each by another way.


def test_squared_gradient_pixel_by_pixel(rng: np.random.Generator) -> None:
    for shape in ((1, 1), (1, 5), (4, 1), (2, 2), (5, 7)):
        u = rng.uniform(0, 255, shape)
        h, w = shape
        squared = reference.squared_gradient(u)
        for y in range(h):
            for x in range(w):
                right, left = u[y, min(x + 1, w - 1)], u[y, max(x - 1, 0)]
                below, above = u[min(y + 1, h - 1), x], u[max(y - 1, 0), x]
                assert squared[y, x] == pytest.approx(((right - left) ** 2 + (below - above) ** 2) / 4)


def test_gradient_of_stripes() -> None:
    squared = reference.squared_gradient(stripes(5, 12, 30.0))
    assert np.array_equal(squared, np.full((5, 12), 225.0))


def test_smoothing_is_the_heat_kernel_of_its_variance() -> None:
    """An impulse becomes a kernel of variance sigma^2 along each axis."""
    u = np.zeros((81, 81))
    u[40, 40] = 1.0
    out = reference.smoothed(u, 2.5)
    offsets = (np.arange(81) - 40) ** 2.0
    assert np.sum(out) == pytest.approx(1.0)
    assert np.sum(out.sum(axis=0) * offsets) == pytest.approx(2.5**2)
    assert np.sum(out.sum(axis=1) * offsets) == pytest.approx(2.5**2)


def test_block_means() -> None:
    u = np.arange(24.0).reshape(4, 6)
    assert np.array_equal(reference.block_means(u, (2, 3)), [[3.5, 5.5, 7.5], [15.5, 17.5, 19.5]])
    assert np.array_equal(reference.block_means(u, (4, 3))[0], [0.5, 2.5, 4.5])
    assert np.array_equal(reference.block_means(u, (4, 6)), u)


def test_implicit_axis_solves_its_equations(rng: np.random.Generator) -> None:
    """Against a dense solver; conductances of zero cut the line in two."""
    u, g = rng.uniform(0, 1, (9, 4)), rng.uniform(0, 1, (8, 4)) * (rng.uniform(0, 1, (8, 4)) > 0.2)
    out = reference.implicit_axis(u, g, 3.7)
    for x in range(4):
        matrix = np.eye(9)
        for y in range(8):
            matrix[y : y + 2, y : y + 2] += 3.7 * g[y, x] * np.array([[1, -1], [-1, 1]])
        assert np.allclose(out[:, x], np.linalg.solve(matrix, u[:, x]))


@pytest.mark.parametrize("count", [1, 2, 3, 4, 10, 11, 480])
def test_automatic_contrast_is_the_median_s(rng: np.random.Generator, count: int) -> None:
    """Of an even number of values the lower of the two in the middle, as `statistics.median_low`."""
    s = rng.uniform(0, 40, count)
    middle = statistics.median_low(s.tolist())
    deviation = statistics.median_low([abs(value - middle) for value in s])
    assert reference.automatic_contrast(s**2) == pytest.approx(max(1.4826 * deviation, 0.001))


# Parity in every format.


@pytest.mark.parametrize(
    "guide",
    ["GRAY8", "GRAY16", "GRAYH", "GRAYS", "YUV444P10", "YUV422P8", "YUV420P16", "YUV440P8", "YUV410P8", "YUV420PS",
     "RGB24", "RGB30", "RGBH", "RGBS"],
)  # fmt: skip
@pytest.mark.parametrize("name", ["GRAY8", "GRAYS", "YUV444P8", "YUV422P10", "YUV420PS", "YUV410P8", "RGB48", "RGBS"])
def test_guide_of_any_format(core: Any, rng: np.random.Generator, name: str, guide: str) -> None:
    """Which of the guide's planes steer depends on both formats; see `WHO_STEERS`."""
    video = Video(name, 44, 28)
    for coupled in (0, 1):
        args = {"time": 2.0, "k": [60.0, 25.0], "scheme": "explicit", "steps": 8, "coupled": coupled}
        Case("Diffuse", {**args, "guide": Mirrored(guide)}, diffuse_clip).check(video, random_frames(rng, video, 2))


@pytest.mark.parametrize("name", FORMATS)
def test_coupled_presmooth_and_contrast_in_every_format(core: Any, rng: np.random.Generator, name: str) -> None:
    args = {"time": 1.5, "k": [0.0, 40.0], "scheme": "fed", "steps": 2, "coupled": 1, "presmooth": 1.0}
    for size in ((1, 1), (2, 7), (40, 24)):
        video = Video(name, *size)
        Case("Diffuse", args, diffuse_clip).check(video, random_frames(rng, video, 2))


@every_nonlinear
@every_scheme
@pytest.mark.parametrize("presmooth", [0.05, 1.0, 6.0, 100.0])
def test_presmooth_parity(
    core: Any, textures: list[Real], diffusivity: str, scheme: str, steps: int, presmooth: float
) -> None:
    args = {"time": slowed(3.0, diffusivity), "k": 25.0, "diffusivity": diffusivity, "scheme": scheme, "steps": steps}
    video = float_video(textures)
    out = read_frame(core.vdiff.Diffuse(float_clip(textures), presmooth=presmooth, **args), 0)
    wanted, _ = diffuse_frame(textures, video, {**args, "presmooth": presmooth})
    for p in video.planes:
        assert relative(out[p], wanted[p]) < 2e-5
        assert relative(wanted[p], textures[p]) > 0.01


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (9, 1), (2, 2), (3, 4)], ids=str)
@pytest.mark.parametrize("presmooth", [0.5, 30.0, 100.0])
def test_presmooth_on_tiny_pictures(
    diffuse: Diffuse, rng: np.random.Generator, size: tuple[int, int], presmooth: float
) -> None:
    """The kernel is wider than the picture. At 100 only the mean is left, which steers nothing: linear diffusion."""
    u = rng.uniform(0, 1, size).astype(np.float32).astype(np.float64)
    args = {"time": 1.0, "k": 1.0, "scheme": "explicit", "steps": 8}
    [out] = diffuse(u, presmooth=presmooth, **args)
    assert relative(out, diffuse_frame([u], float_video([u]), {**args, "presmooth": presmooth})[0][0]) < 2e-6
    if presmooth == 100.0:
        assert relative(out, diffuse(u, diffusivity="linear", **args)[0]) < 1e-5


# A guide.


@every_nonlinear
@pytest.mark.parametrize(
    ("scheme", "time", "steps"), [("explicit", 3.0, 12), ("fed", 12.0, 2), ("fed", 50.0, 4), ("aos", 3.0, 3)]
)
@pytest.mark.parametrize("mode", [(0, 3), (2, 5), (19, 23)], ids=str)
@pytest.mark.parametrize("contrast", [0.0, 10.0])
def test_guide_of_even_gradient_makes_diffusion_linear(
    diffuse: Diffuse, diffusivity: str, scheme: str, time: float, steps: int, mode: tuple[int, int], contrast: float
) -> None:
    """A constant guide, g(0), and stripes, g(contrast / 2): cosine modes are multiplied by the factor of time g."""
    k, size = 8.0, (20, 24)
    u = reference.cosine_mode(*size, *mode)
    g = float(reference.diffusivity(diffusivity, np.array((contrast / 2) ** 2), k)) / reference.speed(diffusivity)
    lam = reference.eigenvalues(*size)
    if scheme == "fed":  # the number of steps is that of g = 1
        n = reference.cycle_length(time / steps)
        theta = np.arccos(1.0 - 3.0 * time / steps / (n * (n + 1)) * g * lam[mode])
        factor = (np.sin((n + 0.5) * theta) / ((2 * n + 1) * np.sin(theta / 2.0))) ** steps
    else:
        factor = reference.mode_factors(size, time * g, scheme, steps)[mode]
    args = {"time": slowed(time, diffusivity), "k": k, "diffusivity": diffusivity, "scheme": scheme, "steps": steps}
    [out] = diffuse(u, guide=[stripes(*size, contrast / 255.0)], **args)
    assert relative(out, factor * u) < 1e-5


@pytest.mark.parametrize("diffusivity", ["exp", "tukey", "weickert"])
@every_scheme
@pytest.mark.parametrize("upright", [True, False])
@pytest.mark.parametrize("presmooth", [0.0, 0.5])
def test_guide_with_an_edge_separates_the_halves(
    diffuse: Diffuse, textures: list[Real], diffusivity: str, scheme: str, steps: int, upright: bool, presmooth: float
) -> None:
    """No flux crosses an edge of far more than the contrast: each half keeps its mean, and is as if it were alone."""
    u, *_ = textures
    edge = np.zeros_like(u)
    first, second = (np.s_[:, :17], np.s_[:, 17:]) if upright else (np.s_[:13], np.s_[13:])
    edge[second] = 1.0
    args = {"time": 3.0, "k": 0.5, "diffusivity": diffusivity, "scheme": scheme, "steps": steps, "presmooth": presmooth}
    [out] = diffuse(u, guide=[edge], **args)
    for half in (first, second):
        assert abs(np.mean(out[half]) - np.mean(u[half])) < 1e-6
        assert relative(out[half], u[half]) > 0.01
        other = u.copy()
        other[first if half is second else second] = 0.25
        assert relative(diffuse(other, guide=[edge], **args)[0][half], out[half]) < 1e-6


@pytest.mark.parametrize("scheme", ["explicit", "fed", "aos"])
@every_nonlinear
def test_guide_that_is_the_clip(diffuse: Diffuse, textures: list[Real], diffusivity: str, scheme: str) -> None:
    """In the first step, or cycle, as the picture's own gradient without smoothing; not renewed after it.

    Never as without a guide, where each difference steers itself.
    """
    u, *_ = textures
    args = {"k": 20.0, "diffusivity": diffusivity, "scheme": scheme}
    short = {**args, "time": slowed(0.25, diffusivity), "steps": 1}
    [first] = diffuse(u, guide=[u], **short)
    assert relative(diffuse(u, presmooth=1e-3, **short)[0], first) < 3e-6
    assert relative(diffuse(u, coupled=1, **short)[0], first) < 1e-6
    assert relative(diffuse(u, **short)[0], first) > 1e-3
    longer = {**args, "time": slowed(2.5, diffusivity), "steps": 10}
    [held] = diffuse(u, guide=[u], **longer)
    [renewed] = diffuse(u, coupled=1, **longer)
    assert relative(held, renewed) > 1e-3
    again = u
    for _ in range(10):
        [again] = diffuse(again, guide=[again], **short)
    assert relative(again, renewed) < 1e-5


@pytest.mark.parametrize("tau", [0.06, 0.25])
@pytest.mark.parametrize("presmooth", [0.0, 0.8])
@pytest.mark.parametrize("steering", ["itself", "guide", "coupled"])
def test_two_pixels(diffuse: Diffuse, steering: str, presmooth: float, tau: float) -> None:
    """One step makes of their difference d, d (1 - 2 tau g); d e^(-sigma^2) / 2 is the gradient, d that of a guide."""
    u = np.array([[0.2, 0.2 + 24 / 255.0]]).astype(np.float32).astype(np.float64)
    before = 255.0 * float(np.ptp(u))
    guide = [np.array([[0.5, 0.5 + 40 / 255.0]])]
    givens: dict[str, dict[str, Any]] = {"itself": {}, "guide": {"guide": guide}, "coupled": {"coupled": 1}}
    s = 0.5 * math.exp(-(presmooth**2)) * (40.0 if steering == "guide" else before)
    [out] = diffuse(u, time=tau, k=11.0, scheme="explicit", steps=1, presmooth=presmooth or 1e-6, **givens[steering])
    assert abs(255.0 * np.ptp(out) - before * (1 - 2 * tau / (1 + (s / 11.0) ** 2))) < 1e-4


@pytest.mark.parametrize("turn", [False, True])
def test_three_pixels(diffuse: Diffuse, turn: bool) -> None:
    """An edge conducts as much as its two pixels do on average; here their gradients are 5, 25 and 20."""
    u, guide = np.array([[0.25, 0.5, 0.375]]), np.array([[0.0, 10.0, 50.0]]) / 255.0
    g = [1.0 / (1.0 + (s / 11.0) ** 2) for s in (5.0, 25.0, 20.0)]
    left, right = 0.2 * 0.5 * (g[0] + g[1]) * 0.25, 0.2 * 0.5 * (g[1] + g[2]) * -0.125
    args = {"time": 0.2, "k": 11.0, "scheme": "explicit", "steps": 1}
    [out] = diffuse(u.T if turn else u, guide=[guide.T if turn else guide], **args)
    assert np.allclose(out.ravel(), np.array([0.25 + left, 0.5 + right - left, 0.375 - right]), atol=1e-7)


def test_luma_steers_subsampled_chroma(core: Any, rng: np.random.Generator) -> None:
    """4:2:0: s^2 of luma, averaged over 2 by 2 pixels; one chroma pixel's step by hand."""
    video = Video("YUV420PS", 24, 16)
    luma = np.zeros((16, 24))
    luma[4:8] = stripes(4, 24, 60 / 255.0)
    squared = reference.squared_gradient(255.0 * luma)
    chroma = [picture(rng, (8, 12), video.samples(1)) for _ in range(2)]
    frame: Frame = [luma.astype(np.float32), *chroma]
    args = {"time": 0.2, "k": 12.0, "scheme": "explicit", "steps": 1, "planes": [1, 2]}
    by_guide = read(core.vdiff.Diffuse(make_clip(video, [frame]), guide=gray(luma), **args))[0]
    coupled = read(core.vdiff.Diffuse(make_clip(video, [frame]), coupled=1, **args))[0]
    for p in (1, 2):
        u, out = chroma[p - 1].astype(np.float64), by_guide[p].astype(np.float64)
        g = 1.0 / (
            1.0 + 0.25 * (squared[::2, ::2] + squared[1::2, ::2] + squared[::2, 1::2] + squared[1::2, 1::2]) / 144
        )
        y, x = 3, 5
        flux = sum(0.5 * (g[y, x] + g[i, j]) * (u[i, j] - u[y, x]) for i, j in ((2, 5), (4, 5), (3, 4), (3, 6)))
        assert abs(out[y, x] - u[y, x] - 0.2 * flux) < 1e-6
        assert relative(coupled[p], by_guide[p]) < 1e-6


WHO_STEERS: list[tuple[str, str, int, tuple[int, ...]]] = [
    # One family: each plane steers its own, unless it is smaller than the clip's; coupled: those of full size.
    ("GRAYS", "GRAY8", 0, (1,)),
    ("YUV444PS", "YUV444P8", 0, (1, 4, 16)),
    ("YUV444PS", "YUV444P8", 1, (21, 21, 21)),
    ("YUV420PS", "YUV420P8", 0, (1, 4, 16)),
    ("YUV420PS", "YUV420P8", 1, (1, 1, 1)),
    ("YUV420PS", "YUV444P8", 0, (1, 4, 16)),
    ("YUV420PS", "YUV444P8", 1, (21, 21, 21)),
    ("YUV420PS", "YUV422P8", 0, (1, 4, 16)),
    ("YUV422PS", "YUV420P8", 0, (1, 1, 1)),
    ("YUV420PS", "YUV410P8", 0, (1, 1, 1)),
    ("YUV422PS", "YUV440P8", 0, (1, 1, 1)),
    ("YUV444PS", "YUV420P8", 1, (1, 1, 1)),
    ("RGBS", "RGB24", 0, (1, 4, 16)),
    ("RGBS", "RGB24", 1, (21, 21, 21)),
    # GRAY: steers every plane.
    ("YUV420PS", "GRAY8", 0, (1, 1, 1)),
    ("RGBS", "GRAY8", 1, (1, 1, 1)),
    # Another family: its planes of full size together.
    ("GRAYS", "RGB24", 0, (21,)),
    ("YUV420PS", "RGB24", 0, (21, 21, 21)),
    ("YUV444PS", "RGB24", 1, (21, 21, 21)),
    ("RGBS", "YUV444P8", 0, (21, 21, 21)),
    ("GRAYS", "YUV444P8", 0, (21,)),
    ("RGBS", "YUV420P8", 0, (1, 1, 1)),
    ("GRAYS", "YUV422P8", 1, (1,)),
]
"""The clip's format, the guide's, `coupled`; the sum of 1, 4, 16 for the planes of the guide that steer each plane."""


@pytest.mark.parametrize(("name", "guide", "coupled", "wanted"), WHO_STEERS)
@pytest.mark.parametrize("by", ["reference", "filter"])
def test_which_planes_of_the_guide_steer(
    core: Any, rng: np.random.Generator, by: str, name: str, guide: str, coupled: int, wanted: tuple[int, ...]
) -> None:
    """The guide's planes have s = 1, 2 and 4 at every pixel: how far one step goes tells g, and g tells s^2."""
    video, other = Video(name, 48, 16), Video(guide, 48, 16)
    [frame] = random_frames(rng, video, 1)
    signs = [stripes(*other.shape(p), 2.0 ** (p + 1)).astype(np.uint8) for p in other.planes]
    args: dict[str, Any] = {"time": 0.2, "k": 3.0, "scheme": "explicit", "steps": 1, "coupled": coupled}
    if by == "reference":
        out, _ = diffuse_frame(frame, video, args, (other, signs))
    else:
        clip = core.vdiff.Diffuse(make_clip(video, [frame]), guide=make_clip(other, [signs]), **args)
        out = [plane.astype(np.float64) for plane in read_frame(clip, 0)]
    for p, squared in enumerate(wanted):
        u = frame[p].astype(np.float64)
        step = reference.divergence(u, (np.ones((u.shape[0] - 1, u.shape[1])), np.ones((u.shape[0], u.shape[1] - 1))))
        g = np.vdot(out[p] - u, step) / (0.2 * np.vdot(step, step))
        assert 9.0 * (1.0 / g - 1.0) == pytest.approx(squared, rel=1e-3)


@pytest.mark.parametrize("name", ["YUV420P8", "RGB30", "GRAYS"])
def test_last_frame_of_a_short_guide_holds(core: Any, rng: np.random.Generator, name: str) -> None:
    video = Video(name, 30, 18)
    clip, guide = (make_clip(video, random_frames(rng, video, 5)) for _ in range(2))
    args = {"time": 2.0, "k": 40.0}
    for count in (1, 3):
        held = core.std.Splice([guide[:count], *[guide[count - 1]] * (5 - count)])
        wanted = read(core.vdiff.Diffuse(clip, guide=held, **args))
        assert_same(read(core.vdiff.Diffuse(clip, guide=guide[:count], **args)), wanted)
        assert_same(read(core.vdiff.Diffuse(clip, guide=core.std.Splice([held, clip]), **args)), wanted)
    every = read(core.vdiff.Diffuse(clip, guide=guide, **args))
    for n in range(5):
        assert_same([read_frame(core.vdiff.Diffuse(clip[n], guide=guide[n], **args), 0)], [every[n]])


def test_guide_s_properties_are_not_taken(core: Any, rng: np.random.Generator) -> None:
    video = Video("GRAY8", 16, 8)
    frames = random_frames(rng, video, 2)
    clip = make_clip(video, frames, props=[{"Counter": n, "_Matrix": 1} for n in range(2)])
    guide = make_clip(video, frames, props=[{"Counter": -1, "Foreign": 1}] * 2)
    assert [dict(frame.props) for frame in frames_of(core.vdiff.Diffuse(clip, guide=guide))] == [
        dict(frame.props) for frame in frames_of(clip)
    ]


# Coupled planes.


@every_nonlinear
@every_scheme
def test_coupled_equal_planes(
    diffuse: Diffuse, textures: list[Real], diffusivity: str, scheme: str, steps: int
) -> None:
    """Three equal planes have three times the squared gradient of one: with k sqrt(3) they diffuse as one with k."""
    u, *_ = textures
    args = {"time": slowed(3.0, diffusivity), "diffusivity": diffusivity, "scheme": scheme, "steps": steps}
    for presmooth in (0.0, 0.8):
        planes = diffuse(u, u, u, k=20.0 * math.sqrt(3.0), coupled=1, presmooth=presmooth, **args)
        [single] = diffuse(u, k=20.0, coupled=1, presmooth=presmooth, **args)
        assert relative(planes[0], single) < 5e-6
        assert np.array_equal(planes[0], planes[1])
        assert np.array_equal(planes[0], planes[2])
    if diffusivity == "tv":  # at presmooth alone each plane steers itself
        return
    alone = diffuse(u, u, u, k=20.0, presmooth=0.8, **args)
    assert relative(alone[1], single) < 1e-6


@pytest.mark.parametrize(
    "given", [{}, {"coupled": 1}, {"presmooth": 1.0}, {"k": 0.0}, {"coupled": 1, "k": 0.0}], ids=str
)
@every_nonlinear
@pytest.mark.parametrize("scheme", ["auto", "explicit", "fed", "aos"])
@pytest.mark.parametrize("name", ["RGB24", "RGBS"])
def test_grey_stays_grey(
    core: Any, rng: np.random.Generator, name: str, scheme: str, diffusivity: str, given: dict[str, Any]
) -> None:
    """Byte for byte, with and without a common g."""
    video = Video(name, 33, 20)
    plane = picture(rng, video.shape(0), video.samples(0))
    args = {"time": slowed(2.0, diffusivity), "diffusivity": diffusivity, "scheme": scheme, **given}
    [out] = read(core.vdiff.Diffuse(make_clip(video, [[plane] * 3]), **args))
    assert_same([[out[1], out[2]]], [[out[0], out[0]]])
    assert not np.array_equal(out[0], plane)


@pytest.mark.parametrize("name", ["RGBS", "YUV444P8", "YUV420P10"])
@every_scheme
def test_coupled_planes_that_stand_still(
    core: Any, rng: np.random.Generator, name: str, scheme: str, steps: int
) -> None:
    """Planes that are not processed steer all the same, as they are; subsampled ones do not steer."""
    video = Video(name, 40, 24)
    frames = random_frames(rng, video, 2)
    args = {"time": 2.5, "k": 60.0, "scheme": scheme, "steps": steps, "coupled": 1}
    for planes in ([0], [1], [2], [1, 2], [0, 2]):
        out = read(core.vdiff.Diffuse(make_clip(video, frames), planes=planes, **args))
        for n, frame in enumerate(frames):
            wanted, _ = diffuse_frame(frame, video, {**args, "planes": planes})
            for p in video.planes:
                if p in planes:
                    assert_stored(out[n][p], wanted[p], video.samples(p), 2e-5 * video.samples(p).peak)
                else:
                    assert np.array_equal(out[n][p], frame[p])


def test_coupled_follows_every_full_plane(diffuse: Diffuse, textures: list[Real]) -> None:
    """An edge in one plane keeps the others from diffusing across it; uncoupled it does not."""
    edge = np.zeros_like(textures[0])
    edge[:, 20:] = 1.0
    waves = textures[1]
    args = {"time": 4.0, "k": 0.5, "diffusivity": "exp", "scheme": "fed", "steps": 1, "presmooth": 0.0}
    flat = np.full_like(edge, 0.5)
    step = np.where(np.arange(44) < 20, 0.5, 0.5 + 0.1 / 255.0) + 0.0 * flat
    _, kept, _ = diffuse(edge, step, flat, coupled=1, **args)
    _, lost, _ = diffuse(flat, step, flat, coupled=1, **args)
    assert relative(kept, step) < 1e-6
    assert relative(lost, step) > 1e-4
    assert relative(diffuse(edge, waves, flat, planes=[1], coupled=1, **args)[0], edge) == 0


def test_one_plane_coupled_is_a_plane(core: Any, rng: np.random.Generator) -> None:
    """GRAY: the plane's own squared gradient, as with a guide that is the picture itself, in a single cycle."""
    clip = gray(picture(rng, (20, 30), FLOAT))
    coupled, guided, zero = (
        read(core.vdiff.Diffuse(clip, scheme="fed", steps=1, **args)) for args in ({"coupled": 1}, {"guide": clip}, {})
    )
    assert_same(coupled, guided)
    assert not np.array_equal(zero[0][0], coupled[0][0])


# Invariants.

STEERINGS: list[dict[str, Any]] = [{"presmooth": 0.7}, {"presmooth": 3.0, "coupled": 1}, {"coupled": 1}, {"guide": 1},
                                   {"guide": 1, "presmooth": 1.5, "k": 0.0}, {"k": 0.0}]  # fmt: skip
every_steering = pytest.mark.parametrize("steering", STEERINGS, ids=str)


def with_guide(steering: dict[str, Any], guide: Any) -> dict[str, Any]:
    """The arguments; where one is wanted, with the guide."""
    return {**steering, **({"guide": guide} if "guide" in steering else {})}


@pytest.mark.parametrize("turn", [np.rot90, np.transpose], ids=["turn90", "transpose"])
@pytest.mark.parametrize("name", ["RGBS", "YUV420PS"])
@every_nonlinear
@pytest.mark.parametrize(("scheme", "steps"), [*SCHEMES, ("auto", 0)])
@every_steering
def test_symmetries_of_the_square_commute(
    core: Any,
    rng: np.random.Generator,
    turn: Turn,
    name: str,
    diffusivity: str,
    scheme: str,
    steps: int,
    steering: dict[str, Any],
) -> None:
    """Byte for byte, the guide turned along. The two symmetries generate the others."""
    args = {"time": slowed(2.5, diffusivity), "k": 20.0, "diffusivity": diffusivity, "scheme": scheme, "steps": steps}
    for size in ((18, 30), (16, 16)):
        video = Video(name, *size)
        frame, guide = random_frames(rng, video, 2)
        turned_frame, turned_guide = ([np.ascontiguousarray(turn(plane)) for plane in f] for f in (frame, guide))
        turned = Video(name, *turned_frame[0].shape[::-1])
        straight = {**args, **with_guide(steering, make_clip(video, [guide]))}
        around = {**args, **with_guide(steering, make_clip(turned, [turned_guide]))}
        [out] = read(core.vdiff.Diffuse(make_clip(video, [frame]), **straight))
        [other] = read(core.vdiff.Diffuse(make_clip(turned, [turned_frame]), **around))
        assert_same([other], [[np.ascontiguousarray(turn(plane)) for plane in out]])


@every_nonlinear
@every_scheme
@every_steering
def test_invariants(
    diffuse: Diffuse, textures: list[Real], diffusivity: str, scheme: str, steps: int, steering: dict[str, Any]
) -> None:
    """The mean stays; L2 never grows; `explicit` and `aos` stay between the minimum and the maximum."""
    time = slowed(3.0, diffusivity)
    args = {"time": time, "k": 20.0, "diffusivity": diffusivity, "scheme": scheme, "steps": steps}
    out = diffuse(*textures, **{**args, **with_guide(steering, [textures[2]])})
    for u, v in zip(textures, out, strict=True):
        assert abs(np.mean(v) - np.mean(u)) < 1e-6
        assert np.linalg.norm(v) <= np.linalg.norm(u) * (1 + 1e-6)
        assert relative(v, u) > 0.005
        if scheme != "fed":
            assert u.min() - 1e-6 <= v.min() <= v.max() <= u.max() + 1e-6


@every_nonlinear
@every_scheme
@every_steering
def test_constant_stays(core: Any, diffusivity: str, scheme: str, steps: int, steering: dict[str, Any]) -> None:
    """To the byte."""
    args = {"time": slowed(3.0, diffusivity), "diffusivity": diffusivity, "scheme": scheme, "steps": steps}
    args |= with_guide(steering, gray(stripes(14, 24, 0.3)))
    for name in ("GRAY8", "YUV420P10", "RGB48", "RGBH", "YUV444PS"):
        for fraction in (0.0, 1.0, 0.3337):
            video = Video(name, 24, 14)
            frame = []
            for p in video.planes:
                samples = video.samples(p)
                frame.append(samples.store(np.full(video.shape(p), samples.low + fraction * samples.peak)))
            assert_same(read(core.vdiff.Diffuse(make_clip(video, [frame]), **args)), [frame], f"{name} {fraction}")


# Steps taken when none are asked for.


@pytest.mark.parametrize(
    ("time", "cycles"), [(0.1, 8), (0.99, 8), (1.0, 4), (3.0, 4), (19.9, 4), (20.1, 5), (61.0, 13)]
)
@pytest.mark.parametrize("diffusivity", [d for d in NONLINEAR if d != "tv"])
@pytest.mark.parametrize("scheme", ["auto", "fed"])
@pytest.mark.parametrize("steering", ["presmooth", "guide", "coupled"])
def test_default_is_fed(
    core: Any, rng: np.random.Generator, time: float, cycles: int, diffusivity: str, scheme: str, steering: str
) -> None:
    """A steering picture is smooth, or at least another: g may be held for as long with every diffusivity.

    `auto` holds it for a time of 5 at most, `fed` takes four cycles unless told otherwise.
    """
    cycles = min(cycles, 8 if time < 1 else 4) if scheme == "fed" else cycles
    clip, guide = (gray(picture(rng, (16, 20), FLOAT)) for _ in range(2))
    args = {"time": time, "diffusivity": diffusivity, "k": 25.0}
    args |= {"presmooth": {"presmooth": 1.0}, "guide": {"guide": guide}, "coupled": {"coupled": 1}}[steering]
    assert reference.chosen(time, diffusivity, scheme, steered=True) == ("fed", cycles)
    wanted = read(core.vdiff.Diffuse(clip, **{**args, "scheme": "fed", "steps": cycles}))
    assert_same(read(core.vdiff.Diffuse(clip, **{**args, "scheme": scheme})), wanted)


# The contrast that is taken from the picture.


def reported(clip: Any, n: int = 0) -> list[float] | None:
    """`VdiffK` of frame n, None if there is none."""
    with clip.get_frame(n) as frame:
        value = frame.props.get("VdiffK")
    return None if value is None else [float(k) for k in np.atleast_1d(value)]


@pytest.mark.parametrize("name", ["GRAY8", "GRAY16", "GRAYS"])
@pytest.mark.parametrize("width", [1, 2, 3, 4, 15, 16])
@pytest.mark.parametrize("turn", [False, True])
def test_contrast_of_a_parabola(core: Any, name: str, width: int, turn: bool) -> None:
    """Columns x^2 have s = 2 x, but 1/2 and width - 3/2 at the ends; each as often as there are rows."""
    unit = Video(name, 1, 1).samples(0).unit
    u = np.tile(np.arange(width) ** 2 * unit, (6, 1))
    s = [0.0] if width == 1 else 6 * [0.5, *(2.0 * x for x in range(1, width - 1)), width - 1.5]
    middle = statistics.median_low(s)
    wanted = max(1.4826 * statistics.median_low([abs(value - middle) for value in s]), 0.001)
    assert reported(core.vdiff.Diffuse(gray(u.T if turn else u, name=name), k=0)) == pytest.approx([wanted], rel=1e-5)


def test_smallest_contrast(core: Any) -> None:
    """A constant picture, and one whose every gradient is the same."""
    for u in (np.full((5, 8), 77), np.tile(np.arange(40) * 5, (9, 1))):
        assert reported(core.vdiff.Diffuse(gray(u, name="GRAY8"), k=0)) == pytest.approx([0.001])


@pytest.mark.parametrize("name", ["GRAYS", "RGBS", "YUV444PS", "YUV420PS"])
@pytest.mark.parametrize("size", [(44, 30), (45, 31), (200, 9)], ids=str)
@pytest.mark.parametrize("steering", [{}, *STEERINGS[:4], {"guide": 1, "presmooth": 1.5, "coupled": 1}], ids=str)
@pytest.mark.parametrize(("scheme", "steps"), SCHEMES)
def test_contrast_from_the_picture(
    core: Any,
    rng: np.random.Generator,
    name: str,
    size: tuple[int, int],
    steering: dict[str, Any],
    scheme: str,
    steps: int,
) -> None:
    """1.4826 MAD of the steering gradients before the first step; the picture is what that contrast makes of it.

    Within 1e-5, and where the gradients that smoothing leaves are small, within 2^-21 of white. That may be 1e-4 of a
    contrast as small, and so of the diffusivities: hence the bound on the picture.
    """
    video = Video(name, *size)
    frames, guides = random_frames(rng, video, 2), random_frames(rng, video, 2)
    args = {"time": 2.0, "k": [0.0, 0.0, 17.0][: len(video.planes)], "scheme": scheme, "steps": steps}
    args |= steering
    out = core.vdiff.Diffuse(make_clip(video, frames), **with_guide(args, make_clip(video, guides)))
    args = {key: value for key, value in args.items() if key != "guide"}
    for n, frame in enumerate(frames):
        guide = (video, guides[n]) if "guide" in steering else None
        _, contrasts = diffuse_frame(frame, video, args, guide)
        found = reported(out, n)
        assert found == pytest.approx(contrasts, rel=1e-5, abs=255 * 2.0**-21)
        assert found is not None
        wanted, _ = diffuse_frame(frame, video, {**args, "k": found}, guide)
        for p in video.planes:
            assert relative(read_frame(out, n)[p], wanted[p]) < 5e-5 * max(1.0, float(np.ptp(frame[p])))
    assert reported(out, 0) != reported(out, 1)


def test_contrast_is_on_the_8_bit_scale(core: Any, rng: np.random.Generator) -> None:
    """The same picture at every depth has the same contrast."""
    u = rng.integers(0, 256, (20, 30))
    [wanted] = reported(core.vdiff.Diffuse(gray(u, name="GRAY8"), k=0)) or [0.0]
    assert wanted > 5
    for name in ("GRAY16", "GRAYS"):
        v = u * Video(name, 1, 1).samples(0).unit
        assert reported(core.vdiff.Diffuse(gray(v, name=name), k=0)) == pytest.approx([wanted], rel=1e-5)
    for bits in (9, 10, 12, 14):  # a bit more for each depth: not quite the same picture
        v = u * 2 ** (bits - 8)
        scale = 255 * 2 ** (bits - 8) / (2**bits - 1)
        assert reported(core.vdiff.Diffuse(gray(v, name=f"GRAY{bits}"), k=0)) == pytest.approx(
            [wanted * scale], rel=1e-5
        )


@pytest.mark.parametrize(
    ("k", "planes", "wanted"),
    [([8.0], [0, 1, 2], None), ([8.0, 0.0], [0], None), ([0.0, 8.0], [1, 2], None), ([0.0, 8.0], [0], (True, 0, 0)),
     ([8.0, 0.0], [2], (0, 0, True)), ([5.0, 0.0, 7.5], [0, 1], (5.0, True, 0)),
     ([0.0, 9.0], [0, 1, 2], (True, 9.0, 9.0)), (0.0, [0, 1, 2], (True, True, True))],
)  # fmt: skip
@pytest.mark.parametrize("coupled", [0, 1])
def test_property_of_the_contrast(
    core: Any, rng: np.random.Generator, k: Any, planes: list[int], wanted: Any, coupled: int
) -> None:
    """One value for each plane, 0 where it is not processed; only where one was found (True). Else nothing is added."""
    video = Video("YUV420P8", 40, 24)
    clip = make_clip(video, random_frames(rng, video, 1), props=[{"Counter": 3}])
    out = core.vdiff.Diffuse(clip, k=k, planes=planes, coupled=coupled)
    found = reported(out)
    if wanted is None:
        assert found is None
        with out.get_frame(0) as frame, clip.get_frame(0) as before:
            assert dict(frame.props) == dict(before.props)
        return
    assert found is not None
    assert len(found) == 3
    for value, expected in zip(found, wanted, strict=True):
        assert value > 0.001 if expected is True else value == pytest.approx(expected)
