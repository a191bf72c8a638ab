"""Every CPU level gives the same bytes: each library is loaded into one core, under a name of its own.

VapourSynth picks a level by the file's suffix; so that each one is really the one that is asked for, the libraries are
copied to names without a suffix.
"""

from __future__ import annotations

import platform
import shutil
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import vapoursynth as vs

from cases import CASES, FILTERS, MARKERS, Case, Holes, Mirrored, StandIns
from own import Compile, PerPlane, lighten
from reference.diffuse import DIFFUSIVITIES, speed
from support import FORMATS, SIZES, Frames, Video, assert_same, frames_of, make_clip, planes_of, random_frames

X86_64 = platform.machine().lower() in ("x86_64", "amd64")
FLAGS: dict[str, set[str]] = {
    "base": set(),
    "avx2": {"avx", "avx2", "bmi1", "bmi2", "f16c", "fma", "abm", "movbe"},
    "avx512": {"avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"},
}
"""The levels of a build, and what of /proc/cpuinfo each needs beyond the level before it."""
LEVELS = tuple(FLAGS) if X86_64 else ("base",)
RANDOM_RUNS = 12


def cpu_flags() -> set[str]:
    """The CPU's features, as Linux calls them."""
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("flags"):
            return set(line.split(":", 1)[1].split())
    return set()


def missing(level: str) -> set[str]:
    """What this CPU lacks for a level."""
    needed = set().union(*(FLAGS[name] for name in LEVELS[: LEVELS.index(level) + 1]))
    return needed - cpu_flags() if needed else set()


def library(folder: Path, level: str) -> Path:
    """The file of a level."""
    return folder / ("libvdiff.so" if level == "base" else f"libvdiff.{level}.so")


@pytest.fixture(scope="session")
def installed(core: Any) -> Path:
    """The folder of the installed plugin."""
    return Path(core.vdiff.plugin_path).parent


@pytest.fixture(scope="session")
def namespaces(core: Any, installed: Path, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Namespaces of all levels that this CPU can run, base first. A level that it lacks is reported by name."""
    folder = tmp_path_factory.mktemp("levels")
    loaded = []
    for level in LEVELS:
        if lacks := missing(level):
            warnings.warn(f"level {level} is not compared: this CPU lacks {' '.join(sorted(lacks))}", stacklevel=1)
            continue
        copy = folder / f"level_{level}.so"
        shutil.copy(library(installed, level), copy)
        name = f"vdiff_{level}"
        core.std.LoadPlugin(str(copy), forcens=name, forceid=f"test.{name}")
        assert Path(getattr(core, name).plugin_path).name == copy.name
        loaded.append(name)
    return loaded


def test_levels_are_installed(installed: Path) -> None:
    """Exactly the levels of this architecture, and the manifest that makes VapourSynth choose among them."""
    assert {file.name for file in installed.glob("*.so")} == {library(installed, level).name for level in LEVELS}
    assert (installed / "manifest.vs").read_text(encoding="utf-8").split("\n")[:2] == [
        "[VapourSynth Manifest V1]",
        "libvdiff",
    ]


def test_levels_are_different_code(installed: Path) -> None:
    """Else comparing them would prove nothing."""
    assert len({library(installed, level).read_bytes() for level in LEVELS}) == len(LEVELS)


def test_the_best_level_is_chosen(core: Any, installed: Path) -> None:
    best = [level for level in LEVELS if not missing(level)][-1]
    assert Path(core.vdiff.plugin_path) == library(installed, best)


def read_all(clip: Any) -> tuple[Frames, list[dict[str, Any]]]:
    """The planes and the properties of all frames."""
    both = [(planes_of(frame), dict(frame.props)) for frame in frames_of(clip)]
    return [frame for frame, _ in both], [props for _, props in both]


def compare(namespaces: list[str], case: Case, video: Video, rng: np.random.Generator) -> None:
    """All levels on the same random clip: pixels and properties."""
    clip = make_clip(video, random_frames(rng, video, 6), starts=(4,))
    base, base_props = read_all(case.apply(clip, namespace=namespaces[0]))
    for name in namespaces[1:]:
        frames, props = read_all(case.apply(clip, namespace=name))
        assert_same(frames, base, f"{name} {case} {video}")
        assert props == base_props, f"{name} {case} {video}"


def test_base_is_compared(namespaces: list[str]) -> None:
    assert namespaces[0] == "vdiff_base"
    assert len(namespaces) == len([level for level in LEVELS if not missing(level)])


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_levels_agree(namespaces: list[str], rng: np.random.Generator, case: Case, name: str) -> None:
    for width, height in ((67, 21), (270, 4), *SIZES[2:6]):
        compare(namespaces, case, Video(name, width, height), rng)


def diffuse_arguments(rng: np.random.Generator) -> dict[str, Any]:
    """Random valid arguments of Diffuse."""
    time, diffusivity = float(rng.uniform(0.0, 6.0)), str(rng.choice(DIFFUSIVITIES))
    stable = int(np.ceil(4 * speed(diffusivity) * time))
    schemes: list[dict[str, Any]] = [
        {"scheme": "auto"},
        {"scheme": "fed", "steps": int(rng.integers(1, 5))},
        {"scheme": "explicit", "steps": stable + int(rng.integers(1, 9))},
        {"scheme": "aos", "steps": int(rng.integers(0, 5))},
    ]
    steering: dict[str, Any] = {
        "presmooth": float(rng.uniform(0.0, 3.0)),
        "coupled": int(rng.integers(0, 2)),
        "guide": rng.choice([Mirrored(), Mirrored("GRAYS")]),
    }
    contrasts = [float(10.0 ** rng.uniform(-2, 3)) for _ in range(3)]
    if diffusivity == "linear":
        schemes.append({"scheme": "exact"})
        steering = {}
    elif rng.uniform() < 0.3:
        contrasts[rng.integers(0, 3)] = 0.0
    return {
        "time": time,
        "k": contrasts,
        "diffusivity": diffusivity,
        **schemes[rng.integers(0, len(schemes))],
        **{key: value for key, value in steering.items() if rng.uniform() < 0.3},
    }


def diffuse3d_arguments(rng: np.random.Generator) -> dict[str, Any]:
    """Random valid arguments of Diffuse3D."""
    time = float(rng.uniform(0.0, 4.0))
    contrasts = {key: [float(10.0 ** rng.uniform(-1, 3)) for _ in range(3)] for key in ("k", "kt")}
    around: dict[str, Any] = {"neighbours": StandIns()} if rng.uniform() < 0.3 else {"radius": int(rng.integers(0, 8))}
    return {
        "time": time,
        **{key: values for key, values in contrasts.items() if rng.uniform() < 0.6},
        **around,
        "weight": float(rng.choice([0.0, 10.0 ** rng.uniform(-2, 3)])),
        "rho": float(rng.choice([0.0, rng.uniform(0.0, 10.0)])),
        "steps": int(rng.choice([0, np.ceil(4 * time) + rng.integers(0, 9)])),
        "strength": float(rng.uniform(0.3, 3.0)),
        "scenechange": int(rng.integers(0, 2)),
    }


def tensordiffuse_arguments(rng: np.random.Generator) -> dict[str, Any]:
    """Random valid arguments of TensorDiffuse."""
    return {
        "time": float(rng.uniform(0.0, 6.0)),
        "mode": str(rng.choice(["eed", "ced"])),
        "k": [float(10.0 ** rng.uniform(-2, 3)) for _ in range(3)],
        "sigma": float(rng.uniform(0.0, 3.0)),
        "rho": float(rng.choice([0.0, rng.uniform(0.0, 4.0)])),
        "alpha": float(rng.uniform(0.0, 1.0)),
        "steps": int(rng.integers(0, 4)),
    }


def shock_arguments(rng: np.random.Generator) -> dict[str, Any]:
    """Random valid arguments of Shock."""
    return {name: float(rng.uniform(0.0, 3.0)) for name in ("time", "sigma", "rho")}


def diffblend_arguments(rng: np.random.Generator) -> dict[str, Any]:
    """Random valid arguments of DiffBlend."""
    return {
        "alpha": [float(rng.uniform(-1, 4)) for _ in range(3)],
        "threshold": [float(rng.uniform(0, 30)) for _ in range(3)],
        "limit": [float(rng.uniform(0, 255)) for _ in range(3)],
        "lag": int(rng.choice([-3, -1, 1, 2, 5])),
    }


def changemap_arguments(rng: np.random.Generator) -> dict[str, Any]:
    """Random valid arguments of ChangeMap."""
    threshold = {"threshold": float(10.0 ** rng.uniform(-1, 2.5))} if rng.uniform() < 0.5 else {}
    norm, lag = str(rng.choice(["abs", "square", "none"])), int(rng.choice([-3, -1, 1, 2, 5]))
    return {"norm": norm, "lag": lag, **threshold}


def extrapolate_arguments(rng: np.random.Generator) -> dict[str, Any]:
    """Random valid arguments of Extrapolate."""
    return {"length": int(rng.integers(0, 20)), "alpha": float(rng.uniform(-2, 2))}


def interpolate_arguments(rng: np.random.Generator) -> dict[str, Any]:
    """Random valid arguments of Interpolate."""
    return {"factor": int(rng.integers(2, 12))}


def decay_arguments(rng: np.random.Generator) -> dict[str, Any]:
    """Random valid arguments of Decay."""
    modes = ["mean", "max", "min", "sum", "fade"]
    return {"halflife": float(10.0 ** rng.uniform(-1, 2.5)), "mode": str(rng.choice(modes))}


def spread_arguments(rng: np.random.Generator) -> dict[str, Any]:
    """Random valid arguments of Spread: taps near each other, far apart, or anywhere."""
    count, reach = int(rng.integers(1, 65)), int(rng.choice([2, 20, 500, 2**31 - 1]))
    return {
        "dx": tuple(rng.integers(-reach, reach + 1, count).tolist()),
        "dy": tuple(rng.integers(-reach, reach + 1, count).tolist()),
        "weights": tuple(rng.normal(1.0 / count, 0.1, count).tolist()),
        "lag": int(rng.choice([-2, 0, 1, 3])),
    }


def morphology_arguments(rng: np.random.Generator) -> dict[str, Any]:
    """Random valid arguments of Dilate and Erode, also windows larger than the picture."""
    return {"radius": int(10.0 ** rng.uniform(0, 2.5)), "shape": str(rng.choice(["rect", "cross", "disc"]))}


def kernel_arguments(rng: np.random.Generator) -> dict[str, Any]:
    """Random valid arguments of Kernel, of a function of three frames and two numbers."""
    return {
        "kernel": Compile(lighten, sources=3, params=2),
        "lags": tuple(int(lag) for lag in rng.integers(-5, 6, 3)),
        "params": PerPlane(tuple(rng.normal(0.0, 1.0, 2).tolist() for _ in range(3))),
        "scenechange": int(rng.integers(0, 2)),
    }


def poissonblend_arguments(rng: np.random.Generator) -> dict[str, Any]:
    """Random valid arguments of PoissonBlend."""
    return {"overlay": Mirrored(), "mask": Holes(), "mixed": int(rng.integers(0, 2))}


def inpaint_arguments(rng: np.random.Generator) -> dict[str, Any]:
    """Random valid arguments of Inpaint."""
    return {
        "mask": Holes(moving=bool(rng.integers(0, 2))),
        "mode": str(rng.choice(["harmonic", "biharmonic", "eed"])),
        "k": float(10.0 ** rng.uniform(0, 3)),
        "sigma": float(rng.choice([0.0, 0.7, 2.0])),
        "temporal": int(rng.integers(0, 3)),
        "tol": float(10.0 ** rng.uniform(-2, 0)),
    }


ARGUMENTS: dict[str, Callable[[np.random.Generator], dict[str, Any]]] = {
    "Diffuse": diffuse_arguments,
    "Diffuse3D": diffuse3d_arguments,
    "TensorDiffuse": tensordiffuse_arguments,
    "Shock": shock_arguments,
    "DiffBlend": diffblend_arguments,
    "Decay": decay_arguments,
    "ChangeMap": changemap_arguments,
    "Extrapolate": extrapolate_arguments,
    "Interpolate": interpolate_arguments,
    "Spread": spread_arguments,
    "Dilate": morphology_arguments,
    "Erode": morphology_arguments,
    "Inpaint": inpaint_arguments,
    "PoissonBlend": poissonblend_arguments,
    "Kernel": kernel_arguments,
}


@pytest.mark.parametrize("run", range(RANDOM_RUNS))
@pytest.mark.parametrize("name", FILTERS)
def test_levels_agree_on_random_arguments(namespaces: list[str], rng: np.random.Generator, name: str, run: int) -> None:
    case = Case(name, ARGUMENTS[name](rng), FILTERS[name][0])
    for name_of_format in rng.choice(FORMATS, 4, replace=False):
        width, height = (int(size) for size in rng.integers(1, 140, 2))
        compare(namespaces, case, Video(str(name_of_format), width, height), rng)


def test_every_filter_is_compared(core: Any) -> None:
    """The plugin's filters, the table of cases and the random arguments are the same list."""
    assert set(core.vdiff.Filters()) - MARKERS == set(FILTERS) == set(ARGUMENTS)


@pytest.mark.parametrize("metric", ["adaptive", "mse", "mad", "histogram"])
@pytest.mark.parametrize("name", FORMATS)
def test_levels_agree_on_scenes(namespaces: list[str], rng: np.random.Generator, name: str, metric: str) -> None:
    """Scores are properties."""
    for size in ((131, 47), (40, 700)):
        compare(namespaces, Case("SceneDetect", {"metric": metric}, FILTERS["Dilate"][0]), Video(name, *size), rng)


@pytest.mark.parametrize("name", FORMATS)
def test_levels_agree_on_repairs(namespaces: list[str], rng: np.random.Generator, name: str) -> None:
    """Of random frames too some are repaired, if any that may be are."""
    for size, max_gap in (((131, 47), 3), ((40, 300), 10)):
        args = {"threshold": 0, "max_gap": max_gap}
        compare(namespaces, Case("RepairFrames", args, FILTERS["Dilate"][0]), Video(name, *size), rng)


def test_all_levels_have_the_same_functions(core: Any, namespaces: list[str]) -> None:
    signatures = [
        {f.name: (f.signature, f.return_signature) for f in getattr(core, name).functions()} for name in namespaces
    ]
    assert signatures == [signatures[0]] * len(signatures)
    filters = [getattr(core, name).Filters() for name in namespaces]
    assert filters == [filters[0]] * len(filters)
    assert signatures[0].pop("Filters") == ("", "any")
    assert signatures[0].keys() == filters[0].keys()
    assert all(returned == "clip:vnode;" for _, returned in signatures[0].values())


def test_version_is_the_package_s(core: Any, namespaces: list[str]) -> None:
    from importlib.metadata import version

    major, minor = version("vapoursynth-vdiff").split(".")[:2]
    for name in ("vdiff", *namespaces):
        assert tuple(getattr(core, name).version) == (int(major), int(minor))
    assert isinstance(core.vdiff, vs.Plugin)
