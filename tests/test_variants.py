"""Every CPU level gives the same bytes: each library is loaded into one core, under a name of its own.

VapourSynth picks a level by the file's suffix; so that each one is really the one that is asked for, the libraries are
copied to names without a suffix.
"""

from __future__ import annotations

import platform
import shutil
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import vapoursynth as vs

from arguments import ARGUMENTS
from cases import CASES, FILTERS, MARKERS, Case
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


@pytest.mark.parametrize("run", range(RANDOM_RUNS))
@pytest.mark.parametrize("name", FILTERS)
def test_levels_agree_on_random_arguments(namespaces: list[str], rng: np.random.Generator, name: str, run: int) -> None:
    case = Case(name, ARGUMENTS[name](rng), FILTERS[name][0])
    for name_of_format in rng.choice(FORMATS, 4, replace=False):
        width, height = (int(size) for size in rng.integers(1, 140, 2))
        compare(namespaces, case, Video(str(name_of_format), width, height), rng)


def test_every_filter_is_compared(core: Any) -> None:
    """The plugin's filters, the table of cases and the random arguments are the same list."""
    assert set(core.vdiff.Filters()) == set(FILTERS) | MARKERS == set(ARGUMENTS)


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
