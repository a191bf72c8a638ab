"""Diffusivities of one's own: `vs_vdiff.diffuse`, and `Diffuse` with what it compiled."""

from __future__ import annotations

import gc
import math
import re
from typing import Any

import numpy as np
import pytest
import vapoursynth as vs

from cases import Case, diffuse_clip
from own import Own
from support import FORMATS, Video, assert_same, gray, make_clip, random_frames, read, read_gray, seeded
from vs_vdiff import KernelError, diffuse, kernels
from vs_vdiff.kernels import compile_diffusivity

NAMES = ("rational", "exp", "charbonnier", "tukey")
SCHEMES: list[dict[str, Any]] = [
    {"time": 2.0},
    {"time": 7.0},
    {"time": 3.0, "scheme": "explicit", "steps": 13},
    {"time": 9.0, "scheme": "fed", "steps": 3},
    {"time": 3.0, "scheme": "aos", "steps": 4},
    {"time": 1.5, "presmooth": 1.0},
    {"time": 1.5, "coupled": 1, "scheme": "explicit"},
    {"time": 2.0, "k": [0.0, 25.0]},
]
every_name = pytest.mark.parametrize("name", NAMES)


@pytest.mark.parametrize("args", SCHEMES, ids=str)
@every_name
def test_parity(core: Any, seed: int, name: str, args: dict[str, Any]) -> None:
    """Written as one's own, a diffusivity that has a name is the same, by the same reference and in the same steps."""
    case = Case("Diffuse", {"k": 30.0, "diffusivity": Own(name), **args}, diffuse_clip)
    for format in ("GRAY8", "YUV420P16", "RGBS", "YUV422PH"):
        for size in ((67, 21), (3, 5), (1, 1)):
            video = Video(format, *size)
            case.check(video, random_frames(seeded(seed, name, format, size), video, 2))


def test_euler_steps_in_every_format(core: Any, seed: int) -> None:
    """What is compiled around the function itself: columns of every number, several passes of many steps."""
    for steps in (8, 70):
        args = {"time": 2.0, "k": [20.0, 9.0], "diffusivity": Own("rational"), "scheme": "explicit", "steps": steps}
        for format in FORMATS if steps == 8 else ("GRAY8", "GRAYS"):
            for size in [(width, 5) for width in (*range(1, 20), 33, 64, 100)] if format == "GRAYS" else [(40, 30)]:
                video = Video(format, *size)
                Case("Diffuse", args, diffuse_clip).check(video, random_frames(seeded(seed, format, size), video, 1))


@pytest.mark.parametrize("time", [0.3, 2.0, 4.0, 4.1, 12.0, 60.0])
@every_name
def test_the_slope_decides_the_steps(core: Any, rng: np.random.Generator, name: str, time: float) -> None:
    """A function takes the scheme and the steps that the same one takes by name: they follow from how edges sharpen."""
    u = rng.uniform(0.0, 1.0, (40, 50))
    clip = gray(u)
    by_name = read_gray(core.vdiff.Diffuse(clip, time=time, k=30, diffusivity=name))
    own = read_gray(core.vdiff.Diffuse(clip, time=time, k=30, diffusivity=Own(name)(clip)))
    # One more step or cycle changes more than this.
    assert np.abs(own - by_name).max() < 2e-5


def geman_mcclure(s2: float) -> float:
    """The slope of whose flow is -1/4 at least."""
    return 1 / ((1 + s2) * (1 + s2))


def rational(s2: float) -> float:
    """The same, -1/8."""
    return 1 / (1 + s2)


@pytest.mark.parametrize(("function", "scheme"), [(geman_mcclure, "explicit"), (rational, "fed")])
def test_between_which_slopes_the_scheme_changes(
    core: Any, rng: np.random.Generator, function: Any, scheme: str
) -> None:
    clip = gray(rng.uniform(0.0, 1.0, (40, 50)))
    by_itself, euler, fed = (
        read_gray(diffuse(clip, function, time=12, k=30, scheme=one)) for one in ("auto", "explicit", "fed")
    )
    assert not np.array_equal(euler, fed)
    assert np.array_equal(by_itself, euler if scheme == "explicit" else fed)


def test_contrast_is_1_unless_given(core: Any, rng: np.random.Generator) -> None:
    """So that s is on the 8-bit scale, at every depth."""

    def g(s2: float) -> float:
        return 1 / (1 + s2 / 64)

    def of_one(s2: float) -> float:
        return 1 / (1 + s2)

    for name in ("GRAY8", "GRAY10", "GRAY16", "GRAYS", "GRAYH"):
        video = Video(name, 50, 40)
        clip = make_clip(video, random_frames(rng, video, 1))
        by_name = read(core.vdiff.Diffuse(clip, k=8))[0][0].astype(float)
        for result in (diffuse(clip, g), diffuse(clip, g, k=1), diffuse(clip, of_one, k=8), diffuse(clip, k=8)):
            difference = np.abs(read(result)[0][0] - by_name).max()
            samples = video.samples(0)
            assert difference <= (1e-3 * np.abs(by_name).max() if samples.is_float else 1)


def test_names_too(core: Any, rng: np.random.Generator) -> None:
    video = Video("YUV420P8", 32, 32)
    clip = make_clip(video, random_frames(rng, video, 2))
    assert_same(read(diffuse(clip)), read(core.vdiff.Diffuse(clip)))
    assert_same(read(diffuse(clip, "exp", time=3, planes=[1])),
                read(core.vdiff.Diffuse(clip, diffusivity="exp", time=3, planes=[1])))  # fmt: skip


def linear(s2: float) -> float:
    return 1.0


def wall(s2: float) -> float:
    """Steep as can be: all, or nothing."""
    return 1.0 if s2 < 900 else 0.0


def wavy(s2: float) -> float:
    """No monotone one."""
    return 0.5 + 0.5 * math.cos(math.sqrt(s2))


def table(s2: float) -> float:
    """Neither arithmetic alone nor vectorised."""
    steps = (1.0, 0.9, 0.5, 0.2)
    return steps[min(int(s2 / 100), 3)]


@pytest.mark.parametrize("function", [linear, wall, wavy, table])
@pytest.mark.parametrize("scheme", ["explicit", "fed", "aos"])
def test_invariants_hold_for_any_function(core: Any, rng: np.random.Generator, function: Any, scheme: str) -> None:
    u = rng.uniform(0.0, 1.0, (37, 45))
    out = read_gray(diffuse(gray(u), function, time=3, scheme=scheme))
    assert abs(out.mean() - u.mean()) < 1e-6
    assert np.sum((out - out.mean()) ** 2) < np.sum((u - u.mean()) ** 2)
    if scheme == "explicit":
        assert u.min() - 1e-6 <= out.min() and out.max() <= u.max() + 1e-6
    turned = read_gray(diffuse(gray(np.ascontiguousarray(u.T)), function, time=3, scheme=scheme))
    assert np.array_equal(turned.T, out)
    mirrored = read_gray(diffuse(gray(np.ascontiguousarray(u[:, ::-1])), function, time=3, scheme=scheme))
    assert np.array_equal(mirrored[:, ::-1], out)


def test_a_constant_function_is_linear_diffusion(core: Any, rng: np.random.Generator) -> None:
    u = rng.uniform(0.0, 1.0, (40, 50))
    for args in ({"time": 2.0, "scheme": "explicit"}, {"time": 20.0, "scheme": "fed"}, {"time": 2.0, "scheme": "aos"}):
        by_name = read_gray(core.vdiff.Diffuse(gray(u), diffusivity="linear", **args))
        assert np.abs(read_gray(diffuse(gray(u), linear, **args)) - by_name).max() < 2e-6


def test_a_wall_parts_regions(core: Any) -> None:
    """Nothing crosses an edge beyond 30, at any depth."""
    step = np.zeros((20, 30))
    step[:, 15:] = 31 / 255
    noise = seeded(1).uniform(-10, 10, step.shape) / 255
    noise[:, 15:] *= 0.01
    noise[:, :15] *= 0.01
    out = read_gray(diffuse(gray(step + noise), wall, time=50))
    assert np.ptp(out[:, :15]) < 0.1 / 255 and np.ptp(out[:, 15:]) < 0.1 / 255
    assert abs(out[:, 15:].mean() - out[:, :15].mean() - 31 / 255) < 1e-3


# Errors


def test_it_must_be_within_0_and_1(core: Any) -> None:
    clip = vs.core.std.BlankClip(length=1)
    for function in (lambda s2: 1.5, lambda s2: -0.1, lambda s2: 1 - s2, lambda s2: math.nan):
        with pytest.raises(KernelError, match=r"test_diffuse_own\.py:\d+.* within 0\.\.\.1"):
            diffuse(clip, function)


def test_other_arguments_are_the_filter_s(core: Any) -> None:
    clip = vs.core.std.BlankClip(length=1)
    with pytest.raises(vs.Error, match=r"^Diffuse: time must be"):
        diffuse(clip, linear, time=-1)
    with pytest.raises(vs.Error, match=r"^Diffuse: scheme exact solves diffusivity linear only"):
        diffuse(clip, linear, scheme="exact")
    with pytest.raises(vs.Error, match=r"^Diffuse: steps must be at least 8"):
        diffuse(clip, linear, time=2, scheme="explicit", steps=7)
    with pytest.raises(KernelError, match=r"must be <lambda>\(s2\)"):
        diffuse(clip, lambda: 1.0)  # type: ignore[arg-type,misc]
    for other in (None, 5, b"rational"):
        said = re.escape(f"diffuse: diffusivity must be a name or a Python function g(s2), got {other!r}")
        with pytest.raises(TypeError, match=f"^{said}$"):
            diffuse(clip, other)  # type: ignore[arg-type]


def test_what_is_no_diffusivity(core: Any) -> None:
    clip = vs.core.std.BlankClip(length=1)
    compiled = compile_diffusivity(linear)
    core.vdiff.Diffuse(clip, diffusivity=compiled.ticket)
    for bit in range(16 * 8, 40 * 8):
        forged = bytearray(compiled.ticket)
        forged[bit // 8] ^= 1 << bit % 8
        with pytest.raises(vs.Error, match=r"^Diffuse: diffusivity is not one that vs_vdiff has compiled"):
            core.vdiff.Diffuse(clip, diffusivity=bytes(forged))


# How long code lives


def test_code_outlives_its_python_object(core: Any, rng: np.random.Generator) -> None:
    offset = 0.125

    def mine(s2: float) -> float:
        return offset + (1 - offset) / (1 + s2)

    clip = gray(*rng.uniform(0.0, 1.0, (9, 20, 20)))
    for more in ({}, {"scheme": "aos"}, {"presmooth": 1.0}):
        descriptor = compile_diffusivity(mine).descriptor
        result = diffuse(clip, mine, **more)
        gc.collect()
        kernels.sweep()
        assert descriptor.users == 1 and descriptor.self
        read(result)
        with pytest.raises(vs.Error):
            core.vdiff.Diffuse(clip, diffusivity=compile_diffusivity(mine).ticket, planes=7)
        assert descriptor.users == 1
        del result
        gc.collect()
        kernels.sweep()
        assert descriptor.users == 0 and not descriptor.self
