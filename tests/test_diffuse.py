"""Diffuse against its reference, the analytic solutions of linear diffusion, and the invariants of the equation.

Tests that take `diffuse` hold for the reference as well as for the filter, and run on both: an oracle that the
reference does not meet would prove nothing about the filter.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from cases import Case, filter_cases
from reference import Real, Samples
from reference import diffuse as reference
from support import Video, assert_same, assert_stored, gray, make_clip, picture, random_frames, read, read_gray

DIFFUSIVITIES = ("linear", "rational", "exp")
FLOAT = Samples(32, is_float=True)
SCHEMES = (("explicit", 0), ("explicit", 12), ("fed", 1), ("fed", 3))
"""Scheme and steps, for a time of up to 3."""

Diffuse = Callable[..., Real]
Turn = Callable[[NDArray[Any]], NDArray[Any]]


@pytest.fixture(params=["reference", "filter"])
def diffuse(request: pytest.FixtureRequest, core: Any) -> Diffuse:
    """Diffusion of one float picture, by the reference and by the filter on GRAYS; the arguments are the filter's."""

    def by_reference(u: Real, *, k: float = 8.0, diffusivity: str = "rational", **args: Any) -> Real:
        return reference.diffuse(u, contrast=k / 255.0, name=diffusivity, **args)

    def by_filter(u: Real, **args: Any) -> Real:
        return read_gray(core.vdiff.Diffuse(gray(u), **args))

    return by_reference if request.param == "reference" else by_filter


@pytest.fixture
def noise_picture(rng: np.random.Generator) -> Real:
    """A random picture with patches of different contrast, exact in float32."""
    values: Real = picture(rng, (31, 46), FLOAT).astype(np.float64)
    return values


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


# Parity.


@pytest.mark.parametrize("name", ["GRAY8", "YUV420P10", "YUV422P16", "RGBH", "YUV444PS"])
@pytest.mark.parametrize("case", filter_cases("Diffuse"), ids=str)
def test_parity(core: Any, rng: np.random.Generator, case: Case, name: str) -> None:
    video = Video(name, 117, 61)
    case.check(video, random_frames(rng, video, 2))


@pytest.mark.parametrize("diffusivity", DIFFUSIVITIES)
@pytest.mark.parametrize("k", [0.001, 0.5, 300.0, 10000.0])
def test_parity_at_extreme_contrasts(core: Any, noise_picture: Real, k: float, diffusivity: str) -> None:
    args = {"time": 2.0, "k": k, "diffusivity": diffusivity, "scheme": "explicit", "steps": 16}
    actual = read_gray(core.vdiff.Diffuse(gray(noise_picture), **args))
    wanted = reference.diffuse(noise_picture, time=2.0, contrast=k / 255.0, name=diffusivity, steps=16)
    assert relative(actual, wanted) < 2e-6


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (300, 1), (2, 2), (3, 300), (90, 2), (210, 33)], ids=str)
@pytest.mark.parametrize(("scheme", "steps", "time"), [("explicit", 200, 20.0), ("fed", 200, 60.0), ("fed", 1, 400.0)])
def test_parity_of_many_steps(
    core: Any, rng: np.random.Generator, size: tuple[int, int], scheme: str, steps: int, time: float
) -> None:
    """More steps than the picture has rows: the wavefront of rows in flight is larger than the picture."""
    u: Real = picture(rng, size, FLOAT).astype(np.float64)
    actual = read_gray(core.vdiff.Diffuse(gray(u), time=time, diffusivity="linear", scheme=scheme, steps=steps))
    wanted = reference.diffuse(u, time=time, contrast=1.0, name="linear", scheme=scheme, steps=steps)
    assert relative(actual, wanted) < 1e-5


@pytest.mark.parametrize("name", ["GRAY8", "GRAY16", "YUV410P8", "RGBH", "YUV420PS"])
@pytest.mark.parametrize("scheme", ["auto", "explicit", "fed"])
def test_time_zero_keeps_every_pixel(core: Any, rng: np.random.Generator, name: str, scheme: str) -> None:
    video = Video(name, 37, 22)
    frames = random_frames(rng, video, 1)
    assert_same(read(core.vdiff.Diffuse(make_clip(video, frames), time=0, scheme=scheme)), frames)


# Linear diffusion: analytic solutions.


@pytest.mark.parametrize("size", [(16, 24), (37, 23), (1, 40)], ids=str)
@pytest.mark.parametrize(
    ("scheme", "time", "steps"),
    [("explicit", 0.25, 1), ("explicit", 3.0, 12), ("explicit", 2.5, 0), ("fed", 1.0, 1), ("fed", 12.0, 2),
     ("fed", 50.0, 4)],
)  # fmt: skip
@pytest.mark.parametrize("mode", [(0, 1), (1, 0), (0, 3), (2, 5), (7, 4), (-1, -1)], ids=str)
def test_cosine_modes(
    diffuse: Diffuse, size: tuple[int, int], scheme: str, time: float, steps: int, mode: tuple[int, int]
) -> None:
    """Each mode is multiplied by its scheme's factor, to 1e-5 of its first amplitude; -1 is the highest mode."""
    q, p = (index % axis for index, axis in zip(mode, size, strict=True))
    u = reference.cosine_mode(*size, q, p)
    lam = reference.eigenvalues(*size)[q : q + 1, p]
    if scheme == "fed":
        factor = reference.fed_factor(lam, time, steps or 4)
    else:
        factor = reference.euler_factor(lam, time, steps or reference.euler_steps(time))
    out = diffuse(u, time=time, diffusivity="linear", scheme=scheme, steps=steps)
    assert abs(np.vdot(out, u) / np.vdot(u, u) - factor[0]) < 1e-5
    assert relative(out, factor[0] * u) < 1e-5


@pytest.mark.parametrize(("scheme", "time", "steps"), [("explicit", 4.0, 20), ("fed", 9.0, 1), ("fed", 30.0, 3)])
def test_all_modes_at_once(diffuse: Diffuse, noise_picture: Real, scheme: str, time: float, steps: int) -> None:
    """A random picture has every mode; the result is the spectral filter's."""

    def factor(lam: Real) -> Real:
        if scheme == "fed":
            return reference.fed_factor(lam, time, steps)
        return reference.euler_factor(lam, time, steps)

    out = diffuse(noise_picture, time=time, diffusivity="linear", scheme=scheme, steps=steps)
    assert relative(out, reference.spectral(noise_picture, factor)) < 1e-5


@pytest.mark.parametrize(("scheme", "time", "steps"), [("explicit", 2.0, 8), ("explicit", 3.3, 0), ("fed", 2.0, 1),
                                                       ("fed", 5.0, 4)])  # fmt: skip
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

every_diffusivity = pytest.mark.parametrize("diffusivity", DIFFUSIVITIES)
every_scheme = pytest.mark.parametrize(("scheme", "steps"), SCHEMES)


@every_diffusivity
@every_scheme
def test_mean_is_preserved(diffuse: Diffuse, noise_picture: Real, diffusivity: str, scheme: str, steps: int) -> None:
    out = diffuse(noise_picture, time=3.0, diffusivity=diffusivity, scheme=scheme, steps=steps)
    assert abs(np.mean(out) - np.mean(noise_picture)) < 1e-6
    assert relative(out, noise_picture) > 0.01


@pytest.mark.parametrize("name", ["GRAY8", "GRAY9", "GRAY16", "RGBH", "YUV444PS"])
@pytest.mark.parametrize("fraction", [0.0, 1.0, 0.3337])
@every_diffusivity
@pytest.mark.parametrize(("scheme", "steps"), [*SCHEMES, ("auto", 0)])
def test_constant_stays(core: Any, name: str, fraction: float, diffusivity: str, scheme: str, steps: int) -> None:
    """To the byte: a sum of weights that is not exactly one would show here."""
    video = Video(name, 35, 13)
    frame = []
    for p in video.planes:
        samples = video.samples(p)
        frame.append(samples.store(np.full(video.shape(p), samples.low + fraction * samples.peak)))
    out = core.vdiff.Diffuse(make_clip(video, [frame]), time=3, diffusivity=diffusivity, scheme=scheme, steps=steps)
    assert_same(read(out), [frame])


@pytest.mark.parametrize("offset", [0.25, -1.5])
@every_diffusivity
@every_scheme
def test_offset_passes_through(
    diffuse: Diffuse, noise_picture: Real, offset: float, diffusivity: str, scheme: str, steps: int
) -> None:
    args = {"time": 2.0, "diffusivity": diffusivity, "scheme": scheme, "steps": steps, "k": 25.0}
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
@every_diffusivity
@pytest.mark.parametrize(("scheme", "steps"), [*SCHEMES, ("auto", 0)])
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
    u = picture(rng, (23, 37), Video(name, 1, 1).samples(0))

    def run(a: NDArray[Any]) -> NDArray[Any]:
        clip = gray(a, name=name)
        return read(core.vdiff.Diffuse(clip, time=2.5, k=20, diffusivity=diffusivity, scheme=scheme, steps=steps))[0][0]

    assert_same([[run(turn(u))]], [[np.ascontiguousarray(turn(run(u)))]])


@pytest.mark.parametrize("tau", [0.25, 0.2, 0.125])
@every_diffusivity
def test_explicit_keeps_between_minimum_and_maximum(
    diffuse: Diffuse, noise_picture: Real, tau: float, diffusivity: str
) -> None:
    out = diffuse(noise_picture, time=40 * tau, k=40.0, diffusivity=diffusivity, scheme="explicit", steps=40)
    slack = 1e-6
    assert noise_picture.min() - slack <= out.min() < out.max() <= noise_picture.max() + slack


@every_diffusivity
def test_explicit_integers_keep_between_minimum_and_maximum(
    core: Any, rng: np.random.Generator, diffusivity: str
) -> None:
    """To the step: the checkerboard is where an Euler step of 1/4 goes furthest."""
    u = np.where(np.indices((24, 31)).sum(axis=0) % 2, 41000, 1003)
    u[8:16] = rng.integers(1003, 41001, (8, 31))
    clip = gray(u, name="GRAY16")
    out = read_gray(core.vdiff.Diffuse(clip, time=2, k=200, diffusivity=diffusivity, scheme="explicit", steps=8))
    assert out.min() >= 1003
    assert out.max() <= 41000


@pytest.mark.parametrize("time", [0.5, 3.0, 40.0])
@every_diffusivity
@pytest.mark.parametrize(("scheme", "steps"), [("explicit", 0), ("explicit", -1), ("fed", 1), ("fed", 3)])
def test_norm_never_grows(
    diffuse: Diffuse, noise_picture: Real, time: float, diffusivity: str, scheme: str, steps: int
) -> None:
    """L2, for every stable scheme; -1 stands for the fewest Euler steps, tau = 1/4."""
    steps = math.ceil(4 * time) if steps == -1 else steps
    out = diffuse(noise_picture, time=time, k=30.0, diffusivity=diffusivity, scheme=scheme, steps=steps)
    assert np.linalg.norm(out) <= np.linalg.norm(noise_picture) * (1 + 1e-6)


# The scheme that is chosen when none is named.


def auto(core: Any, u: Real, **args: Any) -> Real:
    """The filter with its own choice of scheme and steps."""
    return read_gray(core.vdiff.Diffuse(gray(u), **args))


@pytest.mark.parametrize("time", [0.03, 0.1, 0.125, 0.2, 0.29, 0.5, 0.66, 1.0, 1.3, 2.0, 5.0, 20.0, 100.0, 1000.0])
@pytest.mark.parametrize("scheme", ["auto", "fed"])
def test_default_steps_are_accurate_for_every_mode(core: Any, scheme: str, time: float) -> None:
    """Linear: every mode within 0.045 of e^(-lambda t). An impulse in the corner holds every mode."""
    u = np.zeros((32, 24))
    u[0, 0] = 1.0
    before = reference.to_modes(u)
    factor = reference.to_modes(auto(core, u, time=time, diffusivity="linear", scheme=scheme)) / before
    error = np.abs(factor - reference.exact_factor(reference.eigenvalues(*u.shape), time))
    assert np.max(error) <= 0.045


@pytest.mark.parametrize("time", [0.5, 2.0, 8.0, 30.0])
@pytest.mark.parametrize("diffusivity", ["rational", "exp"])
def test_auto_is_close_to_fine_steps(core: Any, rng: np.random.Generator, time: float, diffusivity: str) -> None:
    """Nonlinear: within 0.05 of the picture's deviation from its mean, of 800 and more Euler steps.

    `exp` diffuses backwards across edges of more than k/sqrt(2), which makes differences between two computations grow
    with time: the reference itself, at a tenth of its steps, is off by 0.03 at time 30.
    """
    bound = 0.1 if diffusivity == "exp" and time > 10 else 0.05
    y, x = np.mgrid[0:40, 0:56]
    u = 0.5 + 0.2 * np.tanh((x - 25 + 0.3 * y) / 2) + 0.1 * np.sin(y / 5) + rng.normal(0, 0.02, x.shape)
    u = u.astype(np.float32).astype(np.float64)
    fine = reference.diffuse(
        u, time=time, contrast=20 / 255, name=diffusivity, scheme="explicit", steps=max(800, int(60 * time))
    )
    coarse = auto(core, u, time=time, k=20, diffusivity=diffusivity)
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


@pytest.mark.parametrize(("time", "steps"), DEFAULT_STEPS)
@pytest.mark.parametrize("scheme", ["explicit", "auto"])
def test_default_is_explicit_up_to_time_4(
    core: Any, rng: np.random.Generator, scheme: str, time: float, steps: int
) -> None:
    clip = gray(picture(rng, (20, 30), FLOAT))
    assert reference.euler_steps(time) == steps
    wanted = core.vdiff.Diffuse(clip, time=time, scheme="explicit", steps=steps)
    assert_same(read(core.vdiff.Diffuse(clip, time=time, scheme=scheme)), read(wanted))


@pytest.mark.parametrize(
    ("time", "diffusivity", "cycles"),
    [(4.01, "linear", 4), (300.0, "linear", 4), (5.0, "rational", 4), (31.0, "rational", 7)],
)  # fmt: skip
@pytest.mark.parametrize("scheme", ["fed", "auto"])
def test_default_is_fed_beyond_time_4(
    core: Any, rng: np.random.Generator, scheme: str, time: float, diffusivity: str, cycles: int
) -> None:
    """Four cycles; for `rational` at least one for every five units of time."""
    clip = gray(picture(rng, (20, 30), FLOAT))
    assert reference.fed_cycles(time, diffusivity) == cycles
    wanted = core.vdiff.Diffuse(clip, time=time, diffusivity=diffusivity, scheme="fed", steps=cycles)
    assert_same(read(core.vdiff.Diffuse(clip, time=time, diffusivity=diffusivity, scheme=scheme)), read(wanted))


@pytest.mark.parametrize("time", [5.0, 20.1])
def test_exp_is_explicit_unless_asked_otherwise(core: Any, rng: np.random.Generator, time: float) -> None:
    """It is sensitive to being held: `auto` takes Euler steps at any time, `fed` a cycle for every unit of time."""
    clip = gray(picture(rng, (20, 30), FLOAT))
    steps = {"auto": ("explicit", reference.euler_steps(time)), "fed": ("fed", reference.fed_cycles(time, "exp"))}
    for scheme, (same, count) in steps.items():
        wanted = core.vdiff.Diffuse(clip, time=time, diffusivity="exp", scheme=same, steps=count)
        assert_same(read(core.vdiff.Diffuse(clip, time=time, diffusivity="exp", scheme=scheme)), read(wanted))


@pytest.mark.parametrize(
    ("time", "steps", "scheme"), [(2.0, 8, "explicit"), (2.0, 7, "fed"), (20.0, 80, "explicit"), (20.0, 3, "fed")]
)
def test_auto_with_steps(core: Any, rng: np.random.Generator, time: float, steps: int, scheme: str) -> None:
    """As many Euler steps where they are stable, else as many cycles."""
    clip = gray(picture(rng, (20, 30), FLOAT))
    wanted = core.vdiff.Diffuse(clip, time=time, scheme=scheme, steps=steps)
    assert_same(read(core.vdiff.Diffuse(clip, time=time, steps=steps)), read(wanted))


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
