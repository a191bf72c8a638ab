"""Diffuse against its reference, the analytic solutions of linear diffusion, and the invariants of the equation.

Tests that take `diffuse` hold for the reference as well as for the filter, and run on both: an oracle that the
reference does not meet would prove nothing about the filter.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache, partial
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import ive

from cases import Case, diffuse_frame, filter_cases
from reference import Real, Samples
from reference import diffuse as reference
from support import Video, assert_same, assert_stored, gray, make_clip, picture, random_frames, read, read_gray

DIFFUSIVITIES = reference.DIFFUSIVITIES
FLOAT = Samples(32, is_float=True)
SCHEMES = (("explicit", 0), ("explicit", 12), ("fed", 1), ("fed", 3), ("aos", 1), ("aos", 4))
"""Scheme and steps, for a time of up to 3 on the scale of `slowed`."""
COMBINATIONS = [*((d, *scheme) for d in DIFFUSIVITIES for scheme in SCHEMES), ("linear", "exact", 0)]
"""Diffusivity, scheme and steps."""

Diffuse = Callable[..., Real]
Turn = Callable[[NDArray[Any]], NDArray[Any]]


every_diffusivity = pytest.mark.parametrize("diffusivity", DIFFUSIVITIES)
every_scheme = pytest.mark.parametrize(("scheme", "steps"), SCHEMES)
every_combination = pytest.mark.parametrize(("diffusivity", "scheme", "steps"), COMBINATIONS)


@pytest.fixture(params=["reference", "filter"])
def diffuse(request: pytest.FixtureRequest, core: Any) -> Diffuse:
    """Diffusion of one float picture, by the reference and by the filter on GRAYS; the arguments are the filter's."""

    def by_reference(u: Real, **args: Any) -> Real:
        return diffuse_frame([u], Video("GRAYS", *u.shape[::-1]), args)[0][0]

    def by_filter(u: Real, **args: Any) -> Real:
        return read_gray(core.vdiff.Diffuse(gray(u), **args))

    return by_reference if request.param == "reference" else by_filter


@pytest.fixture
def noise_picture(rng: np.random.Generator) -> Real:
    """A random picture with patches of different contrast, exact in float32."""
    values: Real = picture(rng, (31, 46), FLOAT).astype(np.float64)
    return values


def slowed(time: float, diffusivity: str) -> float:
    """The time in which a diffusivity does as much as one with g(0) = 1 in `time`."""
    return time / reference.speed(diffusivity)


def relative(actual: Real, wanted: Real) -> float:
    """The largest difference."""
    return float(np.max(np.abs(actual - wanted)))


# The reference itself: two independent ways to the same picture.


@pytest.mark.parametrize("time", [0.1, 0.4, 1.0, 7.3, 60.0])
def test_fsi_recurrence_is_the_fed_cycle(rng: np.random.Generator, time: float) -> None:
    u = rng.uniform(0.0, 1.0, (13, 21))
    g = reference.conductances(u, "rational", 0.1)
    assert relative(reference.fsi_cycle(u, g, time), reference.fed_cycle(u, g, time)) < 1e-10


def test_cycle_lengths_of_the_paper() -> None:
    """Steps for times 5, 20, 50 in 1, 2 and 4 cycles: the table of oracles for FED at tau_max 1/4."""
    table = {5.0: (8, 10, 16), 20.0: (15, 22, 32), 50.0: (24, 34, 48)}
    for time, totals in table.items():
        assert tuple(m * reference.cycle_length(time / m) for m in (1, 2, 4)) == totals


def g_of(name: str, s: float, k: float) -> float:
    """The diffusivities once more, a number at a time."""
    if s == 0:
        return 10.0 if name == "tv" else 1.0
    x = s / k
    return {
        "linear": lambda: 1.0,
        "exp": lambda: math.exp(-(x**2)),
        "rational": lambda: 1 / (1 + x**2),
        "charbonnier": lambda: 1 / math.sqrt(1 + x**2),
        "weickert": lambda: 1 - math.exp(-3.31488 * (1 / x) ** 8),
        "tukey": lambda: (1 - x**2 / 5) ** 2 if x**2 <= 5 else 0.0,
        "tv": lambda: 1 / math.hypot(x, 0.1),
    }[name]()


@pytest.mark.parametrize(("name", "peak"), [("exp", 8 / math.sqrt(2)), ("rational", 8), ("weickert", 8), ("tukey", 8)])
def test_flux_peaks_at_the_contrast(name: str, peak: float) -> None:
    """Where s g(s) is largest, differences begin to be edges: at k, for `exp` at k / sqrt(2)."""
    s = np.linspace(0.01, 40, 40000)
    assert abs(s[np.argmax(s * reference.diffusivity(name, s**2, 8.0))] - peak) < 2e-3


@pytest.mark.parametrize("name", ["linear", "charbonnier", "tv"])
def test_flux_grows_with_the_difference(name: str) -> None:
    s = np.linspace(0.0, 400, 40001)
    assert np.all(np.diff(s * reference.diffusivity(name, s**2, 8.0)) > 0)


@pytest.mark.parametrize("diffusivity", DIFFUSIVITIES)
@pytest.mark.parametrize("k", [0.5, 8.0, 37.0])
@pytest.mark.parametrize("turn", [False, True])
def test_one_edge_measures_g(diffuse: Diffuse, diffusivity: str, k: float, turn: bool) -> None:
    """Two pixels and one Euler step of tau: their difference s becomes s (1 - 2 tau g(s))."""
    tau = 0.2 / reference.speed(diffusivity)
    for s in (0.0, 1e-3, 0.4, 3.0, 7.5, 8.0, 9.0, 11.0, 17.0, 18.0, 40.0, 83.0, 255.0):
        u = np.array([[0.25, 0.25 + s / 255.0]]).astype(np.float32).astype(np.float64)
        v = diffuse(u.T if turn else u, time=tau, k=k, diffusivity=diffusivity, scheme="explicit", steps=1)
        before, after = float(np.ptp(u)), float(v.flat[1] - v.flat[0])
        assert abs(after - before * (1 - 2 * tau * g_of(diffusivity, 255.0 * before, k))) < 4e-7


@every_scheme
def test_tv_is_charbonnier_on_other_scales(diffuse: Diffuse, noise_picture: Real, scheme: str, steps: int) -> None:
    """Contrast k for time T as contrast 0.1 k for time 10 T, also in how many steps are taken unasked."""
    args = {"scheme": scheme, "steps": steps}
    tv = diffuse(noise_picture, time=0.3, k=60.0, diffusivity="tv", **args)
    assert relative(tv, diffuse(noise_picture, time=3.0, k=6.0, diffusivity="charbonnier", **args)) < 2e-6
    assert relative(tv, noise_picture) > 0.01 * np.ptp(noise_picture)


# Parity.


@pytest.mark.parametrize("name", ["GRAY8", "YUV420P10", "YUV422P16", "RGBH", "YUV444PS"])
@pytest.mark.parametrize("case", filter_cases("Diffuse"), ids=str)
def test_parity(core: Any, rng: np.random.Generator, case: Case, name: str) -> None:
    video = Video(name, 117, 61)
    case.check(video, random_frames(rng, video, 2))


@every_diffusivity
@pytest.mark.parametrize("k", [0.001, 0.5, 300.0, 10000.0])
@pytest.mark.parametrize(("scheme", "steps"), [("explicit", 16), ("aos", 5)])
def test_parity_at_extreme_contrasts(
    core: Any, noise_picture: Real, k: float, diffusivity: str, scheme: str, steps: int
) -> None:
    args: dict[str, Any] = {"time": slowed(2.0, diffusivity), "scheme": scheme, "steps": steps}
    actual = read_gray(core.vdiff.Diffuse(gray(noise_picture), k=k, diffusivity=diffusivity, **args))
    wanted = reference.diffuse(noise_picture, contrast=k / 255.0, name=diffusivity, **args)
    assert relative(actual, wanted) < 2e-6


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (300, 1), (2, 2), (3, 300), (90, 2), (210, 33)], ids=str)
@pytest.mark.parametrize(
    ("scheme", "steps", "time"),
    [("explicit", 200, 20.0), ("fed", 200, 60.0), ("fed", 1, 400.0), ("aos", 40, 60.0), ("exact", 0, 60.0),
     ("exact", 0, 10000.0)],
)  # fmt: skip
def test_parity_of_many_steps(
    core: Any, rng: np.random.Generator, size: tuple[int, int], scheme: str, steps: int, time: float
) -> None:
    """More steps than the picture has rows: the wavefront of rows in flight is larger than the picture."""
    u: Real = picture(rng, size, FLOAT).astype(np.float64)
    actual = read_gray(core.vdiff.Diffuse(gray(u), time=time, diffusivity="linear", scheme=scheme, steps=steps))
    wanted = reference.diffuse(u, time=time, contrast=1.0, name="linear", scheme=scheme, steps=steps)
    assert relative(actual, wanted) < 1e-5


@pytest.mark.parametrize("name", ["GRAY8", "GRAY16", "YUV410P8", "RGBH", "YUV420PS"])
@pytest.mark.parametrize("diffusivity", ["linear", "rational", "tv"])
@pytest.mark.parametrize("scheme", ["auto", "explicit", "fed", "aos", "exact"])
def test_time_zero_keeps_every_pixel(
    core: Any, rng: np.random.Generator, name: str, diffusivity: str, scheme: str
) -> None:
    if scheme == "exact":
        diffusivity = "linear"
    video = Video(name, 37, 22)
    frames = random_frames(rng, video, 1)
    out = core.vdiff.Diffuse(make_clip(video, frames), time=0, scheme=scheme, diffusivity=diffusivity)
    assert_same(read(out), frames)


# Linear diffusion: analytic solutions.


@pytest.mark.parametrize("size", [(16, 24), (37, 23), (1, 40)], ids=str)
@pytest.mark.parametrize(
    ("scheme", "time", "steps"),
    [("explicit", 0.25, 1), ("explicit", 3.0, 12), ("explicit", 2.5, 0), ("fed", 1.0, 1), ("fed", 12.0, 2),
     ("fed", 50.0, 4), ("fed", 9.0, 0), ("aos", 0.2, 1), ("aos", 3.0, 1), ("aos", 3.0, 4), ("aos", 40.0, 10),
     ("aos", 6.0, 0), ("aos", 100.0, 1), ("aos", 1000.0, 1), ("exact", 0.01, 0), ("exact", 0.3, 0), ("exact", 2.0, 0),
     ("exact", 7.7, 0), ("exact", 32.0, 0), ("exact", 150.0, 0), ("exact", 10000.0, 0), ("auto", 0.5, 0),
     ("auto", 30.0, 0)],
)  # fmt: skip
@pytest.mark.parametrize("mode", [(0, 1), (1, 0), (0, 3), (2, 5), (7, 4), (-1, -1)], ids=str)
def test_cosine_modes(
    diffuse: Diffuse, size: tuple[int, int], scheme: str, time: float, steps: int, mode: tuple[int, int]
) -> None:
    """Each mode is multiplied by its scheme's factor, to 1e-5 of its first amplitude; -1 is the highest mode."""
    q, p = (index % axis for index, axis in zip(mode, size, strict=True))
    u = reference.cosine_mode(*size, q, p)
    factor = reference.mode_factors(size, time, scheme, steps)[q, p]
    out = diffuse(u, time=time, diffusivity="linear", scheme=scheme, steps=steps)
    assert abs(np.vdot(out, u) / np.vdot(u, u) - factor) < 1e-5
    assert relative(out, factor * u) < 1e-5


@pytest.mark.parametrize(
    ("scheme", "time", "steps"),
    [("explicit", 4.0, 20), ("fed", 9.0, 1), ("fed", 30.0, 3), ("aos", 5.0, 3), ("aos", 12.0, 12), ("exact", 5.0, 0)],
)
def test_all_modes_at_once(diffuse: Diffuse, noise_picture: Real, scheme: str, time: float, steps: int) -> None:
    """A random picture has every mode; the result is the spectral filter's."""
    factors = reference.mode_factors(noise_picture.shape, time, scheme, steps)
    out = diffuse(noise_picture, time=time, diffusivity="linear", scheme=scheme, steps=steps)
    assert relative(out, reference.spectral(noise_picture, lambda lam: factors)) < 1e-5


@pytest.mark.parametrize(("time", "cycles"), [(50.0, 4), (12.5, 1)])
def test_fed_beside_exact(diffuse: Diffuse, noise_picture: Real, time: float, cycles: int) -> None:
    """What FED makes of a mode, against the exact solution: their ratio is that of the factors, cycle by cycle."""
    n = reference.cycle_length(time / cycles)
    assert n == 12
    fed = reference.to_modes(diffuse(noise_picture, time=time, diffusivity="linear", scheme="fed", steps=cycles))
    exact = reference.to_modes(diffuse(noise_picture, time=time, diffusivity="linear", scheme="exact"))
    modes, lam = reference.to_modes(noise_picture), reference.eigenvalues(*noise_picture.shape)
    half = np.arcsin(np.sqrt(3.0 * 12.5 / (n * (n + 1)) * lam / 2.0))
    half[0, 0] = 1.0
    cycle = np.sin((2 * n + 1) * half) / ((2 * n + 1) * np.sin(half))
    cycle[0, 0] = 1.0
    strongest = np.max(np.abs(modes))
    assert relative(fed - exact, (cycle**cycles - np.exp(-lam * time)) * modes) < 1e-5 * strongest
    assert np.max(np.abs(fed - exact)) > 1e-3 * np.max(np.abs(modes.flat[1:]))


@pytest.mark.parametrize("size", [(1, 1), (1, 2), (1, 9), (9, 1), (2, 2), (3, 5), (61, 2)], ids=str)
@pytest.mark.parametrize("time", [1e-4, 0.2, 3.0, 25.0, 900.0, 10000.0])
def test_exact_on_tiny_pictures(diffuse: Diffuse, rng: np.random.Generator, size: tuple[int, int], time: float) -> None:
    """The kernel is far wider than the picture: it is reflected many times."""
    u = rng.uniform(0.0, 1.0, size).astype(np.float32).astype(np.float64)
    wanted = reference.spectral(u, lambda lam: np.exp(-lam * time))
    assert relative(diffuse(u, time=time, diffusivity="linear", scheme="exact"), wanted) < 1e-5


@pytest.mark.parametrize("time", [0.1, 2.0, 8.0, 32.0])
def test_exact_is_the_discrete_heat_kernel(diffuse: Diffuse, time: float) -> None:
    """An impulse becomes e^(-2t) I_n(2t) along each axis, I_n the modified Bessel function."""
    reach = 60
    u = np.zeros((2 * reach + 1, 2 * reach + 1))
    u[reach, reach] = 1.0
    kernel = ive(np.abs(np.arange(-reach, reach + 1)), 2.0 * time)
    out = diffuse(u, time=time, diffusivity="linear", scheme="exact")
    assert relative(out, np.outer(kernel, kernel)) < 1e-6


@pytest.mark.parametrize(
    ("scheme", "time", "steps"),
    [("explicit", 2.0, 8), ("explicit", 3.3, 0), ("fed", 2.0, 1), ("fed", 5.0, 4), ("aos", 2.0, 1), ("aos", 4.0, 6),
     ("exact", 0.2, 0), ("exact", 5.0, 0), ("exact", 18.0, 0)],
)  # fmt: skip
def test_impulse_has_second_moment_of_twice_the_time(diffuse: Diffuse, scheme: str, time: float, steps: int) -> None:
    """An impulse's variance is 2 T along each axis, exactly, as long as nothing reaches the border."""
    reach = 40
    u = np.zeros((2 * reach + 1, 2 * reach + 1))
    u[reach, reach] = 1.0
    out = diffuse(u, time=time, diffusivity="linear", scheme=scheme, steps=steps)
    squared = (np.arange(2 * reach + 1) - reach) ** 2.0
    assert abs(np.sum(out) - 1.0) < 1e-5
    assert abs(np.sum(out.sum(axis=0) * squared) - 2 * time) < 1e-4 * max(1.0, 2 * time)
    assert abs(np.sum(out.sum(axis=1) * squared) - 2 * time) < 1e-4 * max(1.0, 2 * time)


# Invariants of the equation, with every diffusivity and scheme.


@every_combination
def test_mean_is_preserved(diffuse: Diffuse, noise_picture: Real, diffusivity: str, scheme: str, steps: int) -> None:
    time = slowed(3.0, diffusivity)
    out = diffuse(noise_picture, time=time, diffusivity=diffusivity, scheme=scheme, steps=steps)
    assert abs(np.mean(out) - np.mean(noise_picture)) < 1e-6
    assert relative(out, noise_picture) > 0.01 * np.ptp(noise_picture)


@pytest.mark.parametrize("name", ["GRAY8", "GRAY9", "GRAY16", "RGBH", "YUV444PS"])
@pytest.mark.parametrize("fraction", [0.0, 1.0, 0.3337])
@pytest.mark.parametrize(
    ("diffusivity", "scheme", "steps"), [*COMBINATIONS, *((d, "auto", 0) for d in DIFFUSIVITIES), ("linear", "aos", 0)]
)
def test_constant_stays(core: Any, name: str, fraction: float, diffusivity: str, scheme: str, steps: int) -> None:
    """To the byte: a sum of weights that is not exactly one would show here. `exact` may be off by an ulp in float."""
    video = Video(name, 35, 13)
    frame = []
    for p in video.planes:
        samples = video.samples(p)
        frame.append(samples.store(np.full(video.shape(p), samples.low + fraction * samples.peak)))
    for time in (slowed(3.0, diffusivity), slowed(0.07, diffusivity)):
        args = {"diffusivity": diffusivity, "scheme": scheme, "steps": steps}
        [out] = read(core.vdiff.Diffuse(make_clip(video, [frame]), time=time, **args))
        if name.endswith("S") and reference.chosen(time, diffusivity, scheme, steps)[0] == "exact":
            assert all(np.allclose(a, b, rtol=2e-7, atol=0) for a, b in zip(out, frame, strict=True))
        else:
            assert_same([out], [frame])


@pytest.mark.parametrize("offset", [0.25, -1.5])
@every_combination
def test_offset_passes_through(
    diffuse: Diffuse, noise_picture: Real, offset: float, diffusivity: str, scheme: str, steps: int
) -> None:
    time = slowed(2.0, diffusivity)
    args = {"time": time, "diffusivity": diffusivity, "scheme": scheme, "steps": steps, "k": 25.0}
    u = np.round(noise_picture * 1024.0) / 1024.0  # u + offset is exact in float32
    assert relative(diffuse(u + offset, **args), diffuse(u, **args) + offset) < 3e-6


def symmetries() -> list[tuple[str, Turn]]:
    """The seven symmetries of the square other than the identity."""
    return [
        ("turn90", np.rot90),
        ("turn180", partial(np.rot90, k=2)),
        ("turn270", partial(np.rot90, k=3)),
        ("transpose", np.transpose),
        ("mirror", np.fliplr),
        ("flip", np.flipud),
        ("antitranspose", lambda a: np.rot90(np.transpose(a), 2)),
    ]


@pytest.mark.parametrize("symmetry", symmetries(), ids=lambda s: s[0])
@pytest.mark.parametrize("name", ["GRAY8", "GRAYS"])
@pytest.mark.parametrize(
    ("diffusivity", "scheme", "steps"),
    [*COMBINATIONS, *((d, "auto", 0) for d in DIFFUSIVITIES), ("rational", "aos", 0)],
)
def test_symmetries_of_the_square_commute(
    core: Any,
    rng: np.random.Generator,
    symmetry: tuple[str, Turn],
    name: str,
    diffusivity: str,
    scheme: str,
    steps: int,
) -> None:
    """Byte for byte: no direction is summed before another in a way that rounding could show."""
    turn = symmetry[1]
    args = {"time": slowed(2.5, diffusivity), "diffusivity": diffusivity, "scheme": scheme, "steps": steps, "k": 20}
    for size in ((23, 37), (32, 32), (1, 19), (50, 3)):
        u = picture(rng, size, Video(name, 1, 1).samples(0))
        straight, turned = (read(core.vdiff.Diffuse(gray(a, name=name), **args))[0][0] for a in (u, turn(u)))
        assert_same([[turned]], [[np.ascontiguousarray(turn(straight))]])


@pytest.mark.parametrize("tau", [0.25, 0.2, 0.125])
@every_diffusivity
def test_explicit_keeps_between_minimum_and_maximum(
    diffuse: Diffuse, noise_picture: Real, tau: float, diffusivity: str
) -> None:
    time = slowed(40 * tau, diffusivity)
    out = diffuse(noise_picture, time=time, k=40.0, diffusivity=diffusivity, scheme="explicit", steps=40)
    assert_between(out, noise_picture)


def assert_between(out: Real, u: Real) -> None:
    """No value lies outside of the range of u."""
    slack = 1e-6
    assert u.min() - slack <= out.min() <= out.max() <= u.max() + slack


@pytest.mark.parametrize(("time", "steps"), [(0.3, 1), (5.0, 1), (200.0, 2), (30.0, 0)])
@every_diffusivity
def test_aos_keeps_between_minimum_and_maximum(
    diffuse: Diffuse, noise_picture: Real, time: float, steps: int, diffusivity: str
) -> None:
    """At any step: the inverse of I - tau A has no negative element."""
    out = diffuse(noise_picture, time=time, k=40.0, diffusivity=diffusivity, scheme="aos", steps=steps)
    assert_between(out, noise_picture)


@pytest.mark.parametrize("time", [0.02, 0.6, 4.0, 40.0])
def test_exact_keeps_between_minimum_and_maximum(diffuse: Diffuse, noise_picture: Real, time: float) -> None:
    assert_between(diffuse(noise_picture, time=time, diffusivity="linear", scheme="exact"), noise_picture)


@pytest.mark.parametrize(
    ("diffusivity", "scheme", "steps"),
    [*((d, s, n) for d in DIFFUSIVITIES for s, n in (("explicit", 8), ("aos", 1))), ("linear", "exact", 0)],
)
def test_integers_keep_between_minimum_and_maximum(
    core: Any, rng: np.random.Generator, diffusivity: str, scheme: str, steps: int
) -> None:
    """To the step: the checkerboard is where an Euler step of 1/4 goes furthest."""
    u = np.where(np.indices((24, 31)).sum(axis=0) % 2, 41000, 1003)
    u[8:16] = rng.integers(1003, 41001, (8, 31))
    clip = gray(u, name="GRAY16")
    args = {"time": slowed(2.0, diffusivity), "k": 200, "diffusivity": diffusivity, "scheme": scheme, "steps": steps}
    out = read_gray(core.vdiff.Diffuse(clip, **args))
    assert out.min() >= 1003
    assert out.max() <= 41000


@pytest.mark.parametrize("time", [0.5, 3.0, 40.0])
@every_diffusivity
@pytest.mark.parametrize(
    ("scheme", "steps"),
    [("explicit", 0), ("explicit", -1), ("fed", 1), ("fed", 3), ("aos", 1), ("aos", 5), ("exact", 0)],
)
def test_norm_never_grows(
    diffuse: Diffuse, noise_picture: Real, time: float, diffusivity: str, scheme: str, steps: int
) -> None:
    """L2, for every stable scheme; -1 stands for the fewest Euler steps, tau = 1/4."""
    if scheme == "exact":
        diffusivity = "linear"
    steps = math.ceil(4 * time) if steps == -1 else steps
    time = slowed(time, diffusivity)
    out = diffuse(noise_picture, time=time, k=30.0, diffusivity=diffusivity, scheme=scheme, steps=steps)
    assert np.linalg.norm(out) <= np.linalg.norm(noise_picture) * (1 + 1e-6)


@pytest.mark.parametrize("diffusivity", ["rational", "charbonnier", "tv"])
@pytest.mark.parametrize("presmooth", [0.0, 1.0])
@pytest.mark.parametrize("scheme", ["fed", "aos"])
def test_converges_at_first_order(diffuse: Diffuse, diffusivity: str, presmooth: float, scheme: str) -> None:
    """To Euler's solution at tiny steps: half as long a cycle, or AOS step, halves the error.

    For FED as long as the cycle has as many steps: what it leaves of a mode, e^-x (1 + c x^2 + ...), depends on them
    in c. Cycles of 1/2 and 1/4 have two each; down from 2, with six, the quarter of the error is approached.
    """
    time = slowed(16.0, diffusivity)
    args = {"time": time, "k": 20 / slowed(1.0, diffusivity), "diffusivity": diffusivity, "presmooth": presmooth}
    fine, u = fine_solution(**args)
    errors = [np.linalg.norm(diffuse(u, scheme=scheme, steps=steps, **args) - fine) for steps in (8, 32, 64)]
    assert errors[0] < 0.12 * np.linalg.norm(fine - u)
    assert 2.5 < errors[0] / errors[1] < 5.0
    assert 1.9 < errors[1] / errors[2] < 2.15


@cache
def fine_solution(**args: Any) -> tuple[Real, Real]:
    """Euler's solution in 4000 steps, and the picture that it began with: an edge, a wave, a little noise."""
    y, x = np.mgrid[0:20, 0:28]
    u = 0.5 + 0.2 * np.tanh((x - 13 + 0.3 * y) / 2) + 0.1 * np.sin(y / 3)
    u += np.random.default_rng(7).normal(0, 0.02, u.shape)
    u = u.astype(np.float32).astype(np.float64)
    args |= {"scheme": "explicit", "steps": 4000}
    return diffuse_frame([u], Video("GRAYS", *u.shape[::-1]), args)[0][0], u


# The scheme that is chosen when none is named.


def auto(core: Any, u: Real, **args: Any) -> Real:
    """The filter with its own choice of scheme and steps."""
    return read_gray(core.vdiff.Diffuse(gray(u), **args))


@pytest.mark.parametrize("time", [0.03, 0.1, 0.125, 0.2, 0.29, 0.5, 0.66, 1.0, 1.3, 2.0, 5.0, 20.0, 100.0, 1000.0])
@pytest.mark.parametrize(
    ("scheme", "bound"),
    [("auto", 1e-3), ("exact", 1e-3), ("fed", 0.045), ("explicit", 0.045), ("aos", reference.AOS_ERROR)],
)
def test_default_steps_are_accurate_for_every_mode(diffuse: Diffuse, scheme: str, bound: float, time: float) -> None:
    """Linear: every mode so close to e^(-lambda t). An impulse in the corner holds every mode, some at 2e-4 only."""
    u = np.zeros((32, 24))
    u[0, 0] = 1.0
    before = reference.to_modes(u)
    factor = reference.to_modes(diffuse(u, time=time, diffusivity="linear", scheme=scheme)) / before
    error = np.abs(factor - reference.exact_factor(reference.eigenvalues(*u.shape), time))
    assert np.max(error) <= bound


@pytest.mark.parametrize("time", np.geomspace(1e-3, 1e4, 57))
def test_default_aos_steps_are_accurate_on_any_picture(time: float) -> None:
    """The factors themselves, on a picture large enough to hold the modes that AOS damps worst."""
    size = (300, 7)
    lam = reference.eigenvalues(*size)
    factor = reference.aos_factor(*size, time, reference.aos_steps(time))
    assert np.max(np.abs(factor - reference.exact_factor(lam, time))) <= reference.AOS_ERROR


@pytest.mark.parametrize("time", [0.5, 2.0, 8.0, 30.0])
@pytest.mark.parametrize("diffusivity", [d for d in DIFFUSIVITIES if d != "linear"])
def test_auto_is_close_to_fine_steps(core: Any, rng: np.random.Generator, time: float, diffusivity: str) -> None:
    """Nonlinear: within 0.05 of the picture's deviation from its mean, of 800 and more Euler steps.

    `exp`, `weickert` and `tukey` diffuse backwards across edges, which makes differences between two computations grow
    with time: the reference itself, at a tenth of its steps, is off by 0.03 at time 30 with `exp`.
    """
    bound = 0.1 if time > {"exp": 10.0, "weickert": 2.0, "tukey": 10.0}.get(diffusivity, math.inf) else 0.05
    y, x = np.mgrid[0:40, 0:56]
    u = 0.5 + 0.2 * np.tanh((x - 25 + 0.3 * y) / 2) + 0.1 * np.sin(y / 5) + rng.normal(0, 0.02, x.shape)
    u = u.astype(np.float32).astype(np.float64)
    args = {"time": slowed(time, diffusivity), "diffusivity": diffusivity, "k": 20.0 / slowed(1.0, diffusivity)}
    steps = max(800, int(60 * time))
    fine = diffuse_frame([u], Video("GRAYS", 56, 40), {**args, "scheme": "explicit", "steps": steps})[0][0]
    coarse = auto(core, u, **args)
    assert np.linalg.norm(fine - u) > 0.02 * np.linalg.norm(u - u.mean())
    assert np.linalg.norm(coarse - fine) <= bound * np.linalg.norm(u - u.mean())


def test_defaults(core: Any, rng: np.random.Generator) -> None:
    """Time 2, k 8, rational, auto, all planes."""
    video = Video("YUV420P8", 50, 34)
    clip = make_clip(video, random_frames(rng, video, 2))
    spelt = core.vdiff.Diffuse(
        clip, time=2, k=[8], diffusivity="rational", scheme="auto", steps=0, planes=[0, 1, 2], presmooth=0, coupled=0
    )
    assert_same(read(core.vdiff.Diffuse(clip)), read(spelt))


DEFAULT_STEPS = [(0.01, 1), (0.1, 7), (0.25, 8), (0.26, 8), (1.6, 8), (1.7, 9), (2.0, 10), (3.3, 17), (4.0, 20)]
"""Times and max(ceil(5 time), min(8, ceil(64 time)), 1)."""


def assert_chosen(core: Any, u: NDArray[Any], scheme: str, same: str, steps: int, **args: Any) -> None:
    """What a scheme does unasked is, byte for byte, what another does with that many steps."""
    wanted = core.vdiff.Diffuse(gray(u), scheme=same, steps=steps, **args)
    assert_same(read(core.vdiff.Diffuse(gray(u), scheme=scheme, **args)), read(wanted))
    assert reference.chosen(args["time"], args["diffusivity"], scheme) == (same, steps)


@pytest.mark.parametrize(("time", "steps"), DEFAULT_STEPS)
@pytest.mark.parametrize("diffusivity", [d for d in DIFFUSIVITIES if d not in ("linear", "tv")])
@pytest.mark.parametrize("scheme", ["explicit", "auto"])
def test_default_is_explicit_up_to_time_4(
    core: Any, rng: np.random.Generator, scheme: str, diffusivity: str, time: float, steps: int
) -> None:
    u = picture(rng, (20, 30), FLOAT)
    assert_chosen(core, u, scheme, "explicit", steps, time=time, diffusivity=diffusivity)


@pytest.mark.parametrize(
    ("time", "diffusivity", "cycles"),
    [(5.0, "rational", 4), (31.0, "rational", 7), (4.01, "charbonnier", 4), (44.0, "charbonnier", 9)],
)
def test_default_is_fed_beyond_time_4(
    core: Any, rng: np.random.Generator, time: float, diffusivity: str, cycles: int
) -> None:
    """Four cycles, and for `auto` at least one for every five units of time."""
    u = picture(rng, (20, 30), FLOAT)
    assert_chosen(core, u, "auto", "fed", cycles, time=time, diffusivity=diffusivity)
    assert_chosen(core, u, "fed", "fed", 4, time=time, diffusivity=diffusivity)


@pytest.mark.parametrize(
    ("time", "scheme", "same", "steps"),
    [(0.01, "auto", "explicit", 7), (0.19, "auto", "explicit", 10), (0.39, "auto", "explicit", 20),
     (0.39, "explicit", "explicit", 20), (1.23, "explicit", "explicit", 62), (0.05, "fed", "fed", 8),
     (0.15, "fed", "fed", 4), (0.41, "auto", "fed", 4), (3.3, "auto", "fed", 7), (3.3, "fed", "fed", 4)],
)  # fmt: skip
def test_default_of_tv_is_that_of_ten_times_the_time(
    core: Any, rng: np.random.Generator, time: float, scheme: str, same: str, steps: int
) -> None:
    u = picture(rng, (20, 30), FLOAT)
    assert_chosen(core, u, scheme, same, steps, time=time, diffusivity="tv")


@pytest.mark.parametrize("time", [0.02, 1.0, 5.0, 300.0])
def test_default_of_linear_is_exact(core: Any, rng: np.random.Generator, time: float) -> None:
    """No steps are more accurate than none. FED takes four cycles at any time beyond 1."""
    u = picture(rng, (20, 30), FLOAT)
    assert_chosen(core, u, "auto", "exact", 0, time=time, diffusivity="linear")
    assert_chosen(core, u, "fed", "fed", 8 if time < 1 else 4, time=time, diffusivity="linear")


@pytest.mark.parametrize("time", [0.03, 1.0, 20.0, 300.0])
@every_diffusivity
def test_default_aos_steps(core: Any, rng: np.random.Generator, time: float, diffusivity: str) -> None:
    u, steps = picture(rng, (20, 30), FLOAT), reference.aos_steps(time, diffusivity)
    assert_chosen(core, u, "aos", "aos", steps, time=time, diffusivity=diffusivity)


@pytest.mark.parametrize("time", [5.0, 20.1])
@pytest.mark.parametrize("diffusivity", ["exp", "weickert", "tukey"])
def test_steep_ones_are_explicit_unless_asked_otherwise(
    core: Any, rng: np.random.Generator, diffusivity: str, time: float
) -> None:
    """They are sensitive to being held: `auto` takes Euler steps at any time, `fed` a cycle for every unit of time."""
    u = picture(rng, (20, 30), FLOAT)
    assert_chosen(core, u, "auto", "explicit", math.ceil(5 * time), time=time, diffusivity=diffusivity)
    assert_chosen(core, u, "fed", "fed", math.ceil(time), time=time, diffusivity=diffusivity)


@pytest.mark.parametrize(
    ("time", "steps", "scheme"), [(2.0, 8, "explicit"), (2.0, 7, "fed"), (20.0, 80, "explicit"), (20.0, 3, "fed")]
)
@every_diffusivity
def test_auto_with_steps(
    core: Any, rng: np.random.Generator, diffusivity: str, time: float, steps: int, scheme: str
) -> None:
    """As many Euler steps where they are stable, else as many cycles."""
    clip = gray(picture(rng, (20, 30), FLOAT))
    args = {"time": slowed(time, diffusivity), "diffusivity": diffusivity, "steps": steps}
    wanted = core.vdiff.Diffuse(clip, scheme=scheme, **args)
    assert_same(read(core.vdiff.Diffuse(clip, **args)), read(wanted))
    assert reference.chosen(args["time"], diffusivity, "auto", steps) == (scheme, steps)  # type: ignore[arg-type]


def test_largest_stable_step_is_allowed(core: Any, rng: np.random.Generator) -> None:
    """Tau = 1/4 is stable; here it is reached exactly."""
    video = Video("GRAY16", 33, 20)
    frames = random_frames(rng, video, 1)
    out = read(core.vdiff.Diffuse(make_clip(video, frames), time=10, k=30, scheme="explicit", steps=40))
    wanted = reference.diffuse(frames[0][0].astype(float), time=10.0, contrast=30 * 257.0, scheme="explicit", steps=40)
    assert_stored(out[0][0], wanted, video.samples(0), 2.0**-18 * 65535)


@pytest.mark.parametrize("diffusivity", ["linear", "rational"])
@pytest.mark.parametrize(
    ("name", "size", "time"),
    [("YUV422P8", (640, 128), 500.0), ("YUV422P8", (272, 400), 2000.0), ("YUV420P8", (1920, 28), 50.0),
     ("YUV410P8", (2048, 40), 100.0), ("YUV440P8", (3536, 16), 20.0)],
)  # fmt: skip
def test_planes_of_any_width_split_their_steps_alone(
    core: Any, rng: np.random.Generator, name: str, size: tuple[int, int], time: float, diffusivity: str
) -> None:
    """Narrow chroma fits more steps into a pass than luma: each plane is what it would be in a clip of its own."""
    video = Video(name, *size)
    [frame] = random_frames(rng, video, 1)
    args = {"time": time, "diffusivity": diffusivity}
    together = read(core.vdiff.Diffuse(make_clip(video, [frame]), **args))
    alone = [read(core.vdiff.Diffuse(gray(plane, name="GRAY8"), **args))[0][0] for plane in frame]
    assert_same(together, [alone])


def test_contrasts_far_beyond_white(core: Any) -> None:
    """Float: 1e5 times white beside mid-grey is an edge, as the formula has it."""
    u = np.full((5, 9), 0.5)
    u[:, 4] = 1e5
    args = {"time": 2.0, "steps": 10, "scheme": "explicit"}
    wanted = reference.diffuse(u, contrast=8 / 255, name="rational", **args)  # type: ignore[arg-type]
    assert np.allclose(read_gray(core.vdiff.Diffuse(gray(u), k=8, **args)), wanted, rtol=1e-6)


@pytest.mark.parametrize("peak", [63.9, 2.0**19 - 1.0, 1e7])
@pytest.mark.parametrize("k", [0.001, 8.0, 10000.0])
@pytest.mark.parametrize("diffusivity", ["rational", "charbonnier", "exp", "weickert", "tukey"])
def test_large_contrasts_of_large_values(
    core: Any, rng: np.random.Generator, peak: float, k: float, diffusivity: str
) -> None:
    """Float: products of squares, of large values and of contrasts, stay within float32."""
    u = rng.uniform(-peak, peak, (33, 40)).astype(np.float32).astype(np.float64)
    args = {"time": 2.0, "steps": 100, "scheme": "explicit"}
    wanted = reference.diffuse(u, contrast=k / 255, name=diffusivity, **args)  # type: ignore[arg-type]
    actual = read_gray(core.vdiff.Diffuse(gray(u), k=k, diffusivity=diffusivity, **args))
    assert relative(actual, wanted) < 2e-5 * peak


@pytest.mark.parametrize("time", [5e-324, 1e-300, 1e-155, 1e-30, 1e-9])
def test_next_to_no_time_changes_nothing(core: Any, rng: np.random.Generator, time: float) -> None:
    """The recurrence of the heat kernel would overflow."""
    u = picture(rng, (20, 30), FLOAT)
    for args in ({"diffusivity": "linear", "time": time}, {"presmooth": time**0.5, "time": 1e-9}):
        assert relative(read_gray(core.vdiff.Diffuse(gray(u), **args)), u) < 1e-6
