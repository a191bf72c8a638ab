"""TensorDiffuse against its reference, the analytic solution of its isotropic case, and what it is made for.

Tests that take `diffuse` hold for the reference as well as for the filter, and run on both.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates
from scipy.special import erf

from cases import Case, filter_cases
from reference import Real, Samples
from reference import tensordiffuse as reference
from reference.diffuse import automatic_contrast, cosine_mode, exact_factor, smoothed, squared_gradient
from support import SIZES, Video, assert_same, gray, make_clip, picture, random_frames, read, read_gray
from test_diffuse import symmetries

FLOAT = Samples(32, is_float=True)
MODES: tuple[dict[str, Any], ...] = (
    {"mode": "eed"},
    {"mode": "eed", "k": 20.0, "rho": 1.5},
    {"mode": "ced", "k": 6.0},
    {"mode": "ced", "k": 20.0, "rho": 0.0, "alpha": 0.2},
)
"""With and without smoothed structure."""
every_mode = pytest.mark.parametrize("mode", MODES, ids=str)
IDENTITY = {"mode": "eed", "k": 10000.0}
"""A contrast that nothing reaches: both eigenvalues are 1."""

Diffuse = Callable[..., Real]
Turn = Callable[[NDArray[Any]], NDArray[Any]]


@pytest.fixture(params=["reference", "filter"])
def diffuse(request: pytest.FixtureRequest, core: Any) -> Diffuse:
    """Diffusion of one float picture, by the reference and by the filter on GRAYS; the arguments are the filter's."""

    def by_reference(u: Real, *, k: float = 4.0, steps: int = 0, **args: Any) -> Real:
        return reference.tensor_diffuse(u, contrast=k / 255.0, cycles=steps, **args)

    def by_filter(u: Real, **args: Any) -> Real:
        return read_gray(core.vdiff.TensorDiffuse(gray(u), **args))

    return by_reference if request.param == "reference" else by_filter


@pytest.fixture
def noise_picture(rng: np.random.Generator) -> Real:
    """A random picture with patches of different contrast, exact in float32."""
    values: Real = picture(rng, (31, 46), FLOAT).astype(np.float64)
    return values


def soft_disc(size: int, radius: float, softness: float) -> Real:
    """A disc of contrast 1 on 0, its edge a normal distribution's, each pixel the mean of 64 samples."""
    fine = (np.arange(8 * size) + 0.5) / 8.0 - 0.5 * size
    distance = np.hypot(fine[None, :], fine[:, None]) - radius
    disc: Real = (0.5 - 0.5 * erf(distance / (np.sqrt(2.0) * softness))).reshape(size, 8, size, 8).mean(axis=(1, 3))
    return disc


def profile(u: Real, degrees: float) -> Real:
    """Values along a ray from the centre of a square picture."""
    r, angle = np.arange(2.0, 0.45 * len(u), 0.1), np.radians(degrees)
    centre = 0.5 * (len(u) - 1)
    values: Real = map_coordinates(u, [centre + r * np.sin(angle), centre + r * np.cos(angle)], order=5)
    return values


# Parity.


@pytest.mark.parametrize("name", ["GRAYS", "GRAY16", "RGBS", "YUV420PS"])
@pytest.mark.parametrize("mode", [{"mode": "eed"}, {"mode": "eed", "sigma": 0.0, "steps": 1}, {"mode": "ced"}], ids=str)
def test_contrast_from_the_picture(core: Any, rng: np.random.Generator, name: str, mode: dict[str, Any]) -> None:
    """k=0: 1.4826 MAD of the smoothed picture's gradient, reported; the picture is what that contrast makes of it."""
    video = Video(name, 46, 30)
    clip = make_clip(video, random_frames(rng, video, 2))
    ks = [0.0, 17.0, 0.0][: len(video.planes)]
    out = core.vdiff.TensorDiffuse(clip, k=ks, planes=video.planes[:2], **mode)
    for n, frame in enumerate(read(clip)):
        wanted = [0.0] * len(video.planes)
        for p in video.planes[:2]:
            s2 = squared_gradient(
                smoothed(frame[p].astype(np.float64), mode.get("sigma", 1.0 if mode["mode"] == "eed" else 0.7))
            )
            wanted[p] = automatic_contrast(s2, video.samples(p).unit) / video.samples(p).unit if ks[p] == 0.0 else ks[p]
        with out.get_frame(n) as result:
            found = [float(k) for k in np.atleast_1d(result.props["VdiffK"])]
        assert found == pytest.approx(wanted, rel=1e-5, abs=255 * 2.0**-21)
        spelt = core.vdiff.TensorDiffuse(clip, k=[k or 1.0 for k in found], planes=video.planes[:2], **mode)
        assert_same([read(spelt)[n]], [read(out)[n]])
    with core.vdiff.TensorDiffuse(clip, **mode).get_frame(0) as result:
        assert "VdiffK" not in result.props


@pytest.mark.parametrize("name", ["GRAY8", "YUV420P10", "YUV422P16", "RGBH", "YUV444PS"])
@pytest.mark.parametrize("case", filter_cases("TensorDiffuse"), ids=str)
def test_parity(core: Any, rng: np.random.Generator, case: Case, name: str) -> None:
    video = Video(name, 117, 61)
    case.check(video, random_frames(rng, video, 2))


@pytest.mark.parametrize("size", [*SIZES, (1, 90), (200, 2), (48, 48)], ids=str)
@pytest.mark.parametrize(("time", "steps"), [(2.0, 0), (40.0, 2), (0.1, 1)])
@pytest.mark.parametrize("mode", [*MODES, IDENTITY], ids=str)
def test_parity_of_sizes(
    core: Any, rng: np.random.Generator, size: tuple[int, int], time: float, steps: int, mode: dict[str, Any]
) -> None:
    """More steps in flight than the picture has rows; the longest smoothing reaches beyond it many times.

    Random pictures have no place where structure has no direction, where alone the formula of `eed` is not continuous.
    """
    u: Real = picture(rng, (size[1], size[0]), FLOAT).astype(np.float64)
    args = {**mode, "time": time, "sigma": 1.2}
    contrast = float(args.pop("k", 4.0)) / 255.0
    actual = read_gray(core.vdiff.TensorDiffuse(gray(u), steps=steps, k=255.0 * contrast, **args))
    wanted = reference.tensor_diffuse(u, contrast=contrast, cycles=steps, **args)
    assert np.max(np.abs(actual - wanted)) < 2e-5
    assert min(size) < 20 or np.max(np.abs(wanted - u)) > 1e-6


@pytest.mark.parametrize("name", ["GRAY8", "YUV410P8", "RGBH"])
def test_time_zero_keeps_every_pixel(core: Any, rng: np.random.Generator, name: str) -> None:
    video = Video(name, 37, 22)
    frames = random_frames(rng, video, 1)
    assert_same(read(core.vdiff.TensorDiffuse(make_clip(video, frames), time=0)), frames)


# The stencil where the tensor is the identity: linear diffusion, with eigenvalues of its own.


@pytest.mark.parametrize("size", [(16, 24), (37, 23), (1, 40)], ids=str)
@pytest.mark.parametrize(("time", "steps"), [(1.0, 1), (2.0, 3), (30.0, 2)])
@pytest.mark.parametrize("mode", [(0, 1), (1, 0), (0, 3), (2, 5), (7, 4), (-1, -1)], ids=str)
def test_identity_is_isotropic_diffusion(
    diffuse: Diffuse, size: tuple[int, int], time: float, steps: int, mode: tuple[int, int]
) -> None:
    """Each cosine mode is multiplied by its factor, to 1e-5; -1 is the highest mode."""
    q, p = (index % axis for index, axis in zip(mode, size, strict=True))
    u = cosine_mode(*size, q, p)
    lam = reference.isotropic_eigenvalues(*size)[q, p]
    factor = reference.cycle_factor(np.array([lam]), time / steps) ** steps
    assert np.max(np.abs(diffuse(u, time=time, steps=steps, **IDENTITY) - factor * u)) < 1e-5


@pytest.mark.parametrize("size", [(13, 18), (1, 9)], ids=str)
def test_stencil_of_the_identity_is_the_reference_s(diffuse: Diffuse, rng: np.random.Generator, size: Any) -> None:
    """The reference with D the identity, not computed from the picture."""
    u = rng.uniform(0.0, 1.0, size)
    ones = np.ones((size[0] + 1, size[1] + 1))
    wanted = reference.fsi_cycle(u, (ones, 0.0 * ones, ones), 3.0)
    assert np.max(np.abs(diffuse(u, time=3.0, steps=1, **IDENTITY) - wanted)) < 1e-6


@pytest.mark.parametrize("time", [0.03, 0.1, 0.3, 0.45, 0.66, 0.69, 0.7, 1.0, 2.0, 5.0, 30.0, 300.0, 10000.0])
def test_default_cycles_are_accurate_in_flat_regions(time: float) -> None:
    """Every mode within 0.075 of e^(-lambda t)."""
    lam = np.linspace(0.0, 4.0, 2001)
    cycles = reference.default_cycles(time)
    factor = reference.cycle_factor(lam, time / cycles) ** cycles
    assert np.max(np.abs(factor - exact_factor(lam, time))) <= 0.075


@pytest.mark.parametrize("time", [0.1, 0.69, 0.7, 2.0, 6.0, 12.3])
def test_default_cycles_are_taken(core: Any, noise_picture: Real, time: float) -> None:
    clip = gray(noise_picture)
    spelt = core.vdiff.TensorDiffuse(clip, time=time, steps=reference.default_cycles(time))
    assert_same(read(core.vdiff.TensorDiffuse(clip, time=time)), read(spelt))


# The border is a mirror.


@every_mode
def test_rows_alike_stay_alike(diffuse: Diffuse, rng: np.random.Generator, mode: dict[str, Any]) -> None:
    """A picture that is constant along one axis diffuses as a line does, at the border as anywhere."""
    line = rng.uniform(0.0, 1.0, (1, 33)).astype(np.float32).astype(np.float64)
    args = {**mode, "time": 3.0}
    wide = diffuse(np.repeat(line, 9, axis=0), **args)
    assert np.max(np.abs(wide - diffuse(line, **args))) < 1e-6
    assert np.max(np.abs(wide - line)) > (1e-4 if mode["mode"] == "ced" else 0.01)


@pytest.mark.parametrize("mode", [MODES[0], MODES[3]], ids=str)
def test_reflected_picture_gives_reflected_picture(diffuse: Diffuse, noise_picture: Real, mode: dict[str, Any]) -> None:
    """Where structure is not smoothed: the picture beside its mirror image has no border between them."""
    doubled = np.hstack([noise_picture, noise_picture[:, ::-1]])
    one, two = (diffuse(u, **mode, time=2.0) for u in (noise_picture, doubled))
    assert np.max(np.abs(two[:, : one.shape[1]] - one)) < 2e-6


# Invariants.


@every_mode
@pytest.mark.parametrize(("time", "steps"), [(2.0, 0), (30.0, 1), (30.0, 7)])
def test_mean_is_preserved(
    diffuse: Diffuse, noise_picture: Real, mode: dict[str, Any], time: float, steps: int
) -> None:
    out = diffuse(noise_picture, time=time, steps=steps, **mode)
    assert abs(np.mean(out) - np.mean(noise_picture)) < 1e-6
    assert np.max(np.abs(out - noise_picture)) > 1e-6


@every_mode
@pytest.mark.parametrize(("time", "steps"), [(0.5, 0), (3.0, 1), (40.0, 1), (200.0, 3)])
def test_norm_never_grows(diffuse: Diffuse, noise_picture: Real, mode: dict[str, Any], time: float, steps: int) -> None:
    out = diffuse(noise_picture, time=time, steps=steps, **mode)
    assert np.linalg.norm(out) <= np.linalg.norm(noise_picture) * (1 + 1e-6)


def test_stencil_is_stable_for_every_tensor(rng: np.random.Generator) -> None:
    """Eigenvalues of A between -2/tau_max and 0, with tensors as different as they can be from corner to corner."""
    h, w = 6, 7
    for _ in range(30):
        angle = rng.uniform(0.0, np.pi, (h + 1, w + 1))
        across = rng.choice([0.0, 0.001, 1.0], angle.shape)
        b: Real = ((across - 1.0) * np.cos(angle) * np.sin(angle)).astype(np.float64)
        b[[0, -1]] = b[:, [0, -1]] = 0.0
        cos2, sin2 = np.cos(angle) ** 2, np.sin(angle) ** 2
        d = (across * cos2 + sin2, b, across * sin2 + cos2)
        weights = reference.stencil(d)
        a = np.array([reference.apply_stencil(weights, e.reshape(h, w)).ravel() for e in np.eye(h * w)])
        assert np.max(np.abs(a - a.T)) < 1e-12
        values = np.linalg.eigvalsh(a)
        assert values[0] >= -2.0 / reference.TAU_MAX
        assert values[-1] < 1e-12


@pytest.mark.parametrize("name", ["GRAY8", "GRAY9", "GRAY16", "RGBH", "YUV444PS"])
@pytest.mark.parametrize("fraction", [0.0, 1.0, 0.3337])
@every_mode
def test_constant_stays(core: Any, name: str, fraction: float, mode: dict[str, Any]) -> None:
    """To the byte."""
    video = Video(name, 35, 13)
    frame = []
    for p in video.planes:
        samples = video.samples(p)
        frame.append(samples.store(np.full(video.shape(p), samples.low + fraction * samples.peak)))
    assert_same(read(core.vdiff.TensorDiffuse(make_clip(video, [frame]), time=9, **mode)), [frame])


@pytest.mark.parametrize("symmetry", symmetries(), ids=lambda s: s[0])
@pytest.mark.parametrize("name", ["GRAY8", "GRAYS"])
@pytest.mark.parametrize("shape", [(23, 37), (32, 32), (31, 32)], ids=str)
@every_mode
def test_symmetries_of_the_square_commute(
    core: Any,
    rng: np.random.Generator,
    symmetry: tuple[str, Turn],
    name: str,
    shape: tuple[int, int],
    mode: dict[str, Any],
) -> None:
    """Byte for byte."""
    turn = symmetry[1]
    u = picture(rng, shape, Video(name, 1, 1).samples(0))

    def run(a: NDArray[Any]) -> NDArray[Any]:
        return read(core.vdiff.TensorDiffuse(gray(a, name=name), time=4, steps=2, **mode))[0][0]

    assert_same([[run(turn(u))]], [[np.ascontiguousarray(turn(run(u)))]])


# What it is for.


@pytest.mark.parametrize("time", [2.0, 10.0])
@pytest.mark.parametrize("degrees", [45.0, 22.5])
@pytest.mark.parametrize("mode", [{"mode": "eed"}, {"mode": "eed", "rho": 1.0}, {"mode": "ced"}], ids=str)
def test_a_disc_stays_round(diffuse: Diffuse, time: float, degrees: float, mode: dict[str, Any]) -> None:
    """Its profiles along an axis and between the axes differ by at most 2 % of its contrast."""
    disc = soft_disc(64, 16.0, 1.0)
    assert np.max(np.abs(profile(disc, degrees) - profile(disc, 0.0))) < 0.002
    out = diffuse(0.2 + 0.4 * disc, time=time, **mode)
    assert np.max(np.abs(profile(out, degrees) - profile(out, 0.0))) <= 0.02 * 0.4


def test_edges_stay_and_noise_goes(diffuse: Diffuse, rng: np.random.Generator) -> None:
    """`eed` removes most of the noise on a step edge, right beside it too, and keeps its height, which `k` is below."""
    step = np.where(np.arange(48) < 24, 0.3, 0.7) * np.ones((48, 1))
    noisy = step + rng.normal(0.0, 0.01, step.shape)
    out, blurred = (diffuse(noisy, time=8.0, **mode) for mode in ({"k": 12.0}, IDENTITY))
    near = np.s_[:, 22:26]
    assert np.std((out - step)[near]) < 0.6 * np.std((noisy - step)[near])
    assert np.std((out - step)[:, :20]) < 0.2 * np.std((noisy - step)[:, :20])
    assert np.std((blurred - step)[near]) > 10 * np.std((noisy - step)[near])


@pytest.mark.parametrize("width", [4, 8])
def test_gaps_of_a_fingerprint_are_closed(diffuse: Diffuse, width: int) -> None:
    """A scar across ridges: what comes back in it are the ridges that were there. Isotropic diffusion brings none."""
    y, x = np.mgrid[0:72, 0:96]
    ridges = 0.3 * np.cos(2.0 * np.pi * np.hypot(x + 30, y - 30) / 8.0)
    scar = np.abs((x - 48) + 0.3 * (y - 36)) <= 0.5 * width
    cut = 0.5 + np.where(scar, 0.0, ridges)

    def found(u: Real) -> float:
        return float(np.corrcoef(u[scar], ridges[scar])[0, 1])

    closed, blurred = diffuse(cut, time=30.0, mode="ced"), diffuse(cut, time=30.0, **IDENTITY)
    assert found(closed) > 0.75
    assert found(blurred) < 0.0
    gain = np.vdot(closed[scar] - 0.5, ridges[scar]) / np.vdot(ridges[scar], ridges[scar])
    assert gain > 0.18
    kept = np.vdot((closed - 0.5)[~scar], ridges[~scar]) / np.vdot(ridges[~scar], ridges[~scar])
    assert kept > 0.85


@pytest.mark.parametrize("mode", [{"mode": "eed", "k": 8.0}, {"mode": "ced"}], ids=str)
def test_converges_in_the_number_of_cycles(core: Any, rng: np.random.Generator, mode: dict[str, Any]) -> None:
    """At first order; the default within 0.025 of the picture's deviation from its mean."""
    y, x = np.mgrid[0:48, 0:64]
    u = 0.5 + 0.2 * np.tanh((x - 25 + 0.3 * y) / 2) + 0.1 * np.sin(y / 3 + x / 5) + rng.normal(0, 0.01, x.shape)
    for time in (1.0, 4.0, 20.0):
        fine = read_gray(core.vdiff.TensorDiffuse(gray(u), time=time, steps=640, **mode))

        def error(steps: int, time: float = time, fine: Real = fine) -> float:
            coarse = read_gray(core.vdiff.TensorDiffuse(gray(u), time=time, steps=steps, **mode))
            return float(np.linalg.norm(coarse - fine) / np.linalg.norm(u - u.mean()))

        assert error(0) < 0.025
        assert error(64) < 0.5 * error(16) < 0.25 * error(4)
        assert np.linalg.norm(fine - u) > 0.01 * np.linalg.norm(u - u.mean())


def test_defaults(core: Any, rng: np.random.Generator) -> None:
    video = Video("YUV420P8", 50, 34)
    clip = make_clip(video, random_frames(rng, video, 2))
    common = {"time": 2, "k": [4], "alpha": 0.001, "steps": 0, "planes": [0, 1, 2]}
    eed = core.vdiff.TensorDiffuse(clip, mode="eed", sigma=1, rho=0, **common)
    assert_same(read(core.vdiff.TensorDiffuse(clip)), read(eed))
    ced = core.vdiff.TensorDiffuse(clip, mode="ced", sigma=0.7, rho=3, **common)
    assert_same(read(core.vdiff.TensorDiffuse(clip, mode="ced")), read(ced))


@pytest.mark.parametrize("mode", MODES, ids=str)
def test_planes_of_any_size_share_scratch(core: Any, rng: np.random.Generator, mode: dict[str, Any]) -> None:
    """Each plane is what it would be in a clip of its own; a square chroma plane needs scratch that luma does not."""
    video = Video("YUV422P8", 96, 48)
    [frame] = random_frames(rng, video, 1)
    args = {"time": 6.0, **mode}
    together = read(core.vdiff.TensorDiffuse(make_clip(video, [frame]), **args))
    alone = [read(core.vdiff.TensorDiffuse(gray(plane, name="GRAY8"), **args))[0][0] for plane in frame]
    assert_same(together, [alone])
