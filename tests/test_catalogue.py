"""`core.vdiff.Filters` and `vdiff filters`: what they say of each filter is what it does."""

import os
import re
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import vapoursynth as vs

from cases import FILTERS, Holes, Mirrored
from command_support import PATIENCE, VDIFF, end_started, on_terminal, refused, start, vdiff
from own import Compile, lighten
from support import Frames, Video, frames_of, make_clip, planes_of, random_frames
from vs_vdiff import catalogue, chain
from vs_vdiff.commands.filters import filters
from vs_vdiff.errors import UsageError
from vs_vdiff.presets import COMPOSITIONS

Props = dict[str, Any]

# Arguments that may be left out and have no one value then: what they are depends on others, or on the clip.
UNSTATED = {
    "ChangeMap": {"ref", "threshold", "planes"},
    "Decay": {"rate", "halflife", "planes"},
    "DiffBlend": {"ref", "planes"},
    "Diffuse": {"guide", "planes"},
    "Diffuse3D": {"neighbours", "planes"},
    "Dilate": {"planes"},
    "Erode": {"planes"},
    "Extrapolate": {"planes"},
    "Inpaint": {"planes"},
    "Interpolate": set(),
    "Kernel": {"params", "format", "planes"},
    "RepairFrames": set(),
    "SceneDetect": {"threshold"},
    "PoissonBlend": {"planes"},
    "Shock": {"planes"},
    "Spread": {"planes"},
    "TensorDiffuse": {"sigma", "rho", "planes"},
    "delogo": {"x", "y", "w", "h", "mask", "grow"},
}
REQUIRED = {
    "Extrapolate": {"length"},
    "Inpaint": {"clip", "mask"},
    "Interpolate": {"factor"},
    "Kernel": {"clips", "kernel"},
    "PoissonBlend": {"clip", "overlay", "mask"},
    "Spread": {"dx", "dy", "weights"},
}

# For each default another value, which gives another result, and what else the filter needs for that.
OTHERS: dict[tuple[str, str], tuple[Any, Mapping[str, Any]]] = {
    ("ChangeMap", "lag"): (2, {}),
    ("ChangeMap", "norm"): ("square", {}),
    ("ChangeMap", "scenechange"): (0, {}),
    ("Decay", "mode"): ("max", {"halflife": 4}),
    ("Decay", "scenechange"): (0, {"rate": 0.2}),
    ("DiffBlend", "alpha"): (0.4, {}),
    ("DiffBlend", "lag"): (-1, {}),
    ("DiffBlend", "threshold"): (3, {}),
    ("DiffBlend", "limit"): (20, {"alpha": 2}),
    ("DiffBlend", "scenechange"): (0, {}),
    ("Diffuse", "time"): (2.5, {}),
    ("Diffuse", "k"): (9, {}),
    ("Diffuse", "diffusivity"): ("exp", {}),
    ("Diffuse", "scheme"): ("explicit", {"time": 20}),
    ("Diffuse", "steps"): (1, {"time": 20}),
    ("Diffuse", "presmooth"): (1, {}),
    ("Diffuse", "coupled"): (1, {}),
    ("Diffuse3D", "radius"): (3, {}),
    ("Diffuse3D", "time"): (1.5, {}),
    ("Diffuse3D", "k"): (30, {"kt": 90}),
    ("Diffuse3D", "kt"): (90, {"k": 30}),
    ("Diffuse3D", "weight"): (5, {}),
    ("Diffuse3D", "rho"): (1, {}),
    ("Diffuse3D", "strength"): (0.7, {}),
    ("Diffuse3D", "steps"): (9, {}),
    ("Diffuse3D", "scenechange"): (0, {}),
    ("Dilate", "radius"): (2, {}),
    ("Dilate", "shape"): ("cross", {"radius": 2}),
    ("Erode", "radius"): (2, {}),
    ("Erode", "shape"): ("disc", {"radius": 3}),
    ("Extrapolate", "alpha"): (0.8, {"length": 2}),
    ("Inpaint", "mode"): ("biharmonic", {}),
    ("Inpaint", "k"): (20, {"mode": "eed"}),
    ("Inpaint", "sigma"): (2, {"mode": "eed"}),
    ("Inpaint", "temporal"): (1, {"k": 255}),
    ("Inpaint", "tol"): (50, {}),
    ("Kernel", "lags"): (1, {}),
    ("Kernel", "scenechange"): (0, {"lags": 1}),
    ("RepairFrames", "threshold"): (1e5, {}),
    ("RepairFrames", "max_gap"): (1, {}),
    ("SceneDetect", "metric"): ("mad", {}),
    ("SceneDetect", "min_length"): (5, {"metric": "mad", "threshold": 5}),
    ("PoissonBlend", "mixed"): (1, {}),
    ("Shock", "time"): (2, {}),
    ("Shock", "sigma"): (1, {}),
    ("Shock", "rho"): (1, {}),
    ("Spread", "lag"): (2, {"dx": 1, "dy": 0, "weights": 0.5}),
    ("Spread", "scenechange"): (0, {"dx": 1, "dy": 0, "weights": 0.5}),
    ("TensorDiffuse", "time"): (3, {}),
    ("TensorDiffuse", "mode"): ("ced", {}),
    ("TensorDiffuse", "k"): (9, {}),
    ("TensorDiffuse", "alpha"): (0.1, {"mode": "ced"}),
    ("TensorDiffuse", "steps"): (5, {"time": 20}),
    ("delogo", "mode"): ("eed", {"x": 20, "y": 9, "w": 12, "h": 16}),
    ("denoise", "strength"): ("strong", {}),
    ("denoise", "radius"): (2, {}),
    ("denoise", "motion"): (0, {}),
    ("trails", "strength"): ("light", {}),
    ("deband", "strength"): ("light", {}),
    ("dream", "strength"): ("light", {}),
    ("motion", "strength"): ("light", {}),
}


def told() -> dict[str, tuple[str, dict[str, str]]]:
    """What the plugin says of its filters: a sentence, and defaults."""
    found = vs.core.vdiff.Filters()
    return {name: (meaning, pairs(defaults)) for name, (meaning, defaults) in found.items()}


def pairs(defaults: str) -> dict[str, str]:
    """Read `name=value:name=value`."""
    return dict(each.split("=") for each in defaults.split(":") if each)


def all_told() -> dict[str, tuple[str, dict[str, str]]]:
    """What is said of filters and presets."""
    return told() | {name: (preset.meaning, pairs(preset.defaults)) for name, preset in COMPOSITIONS.items()}


def signature_of(name: str) -> str:
    """A filter's signature, or a preset's, as VapourSynth writes it."""
    return str(COMPOSITIONS[name].signature if name in COMPOSITIONS else getattr(vs.core.vdiff, name).signature)


def declared(name: str) -> dict[str, list[str]]:
    """Type and flags of a filter's arguments, in order."""
    return {each.split(":")[0]: each.split(":")[1:] for each in signature_of(name).rstrip(";").split(";")}


every_name = pytest.mark.parametrize("name", sorted({*UNSTATED, *COMPOSITIONS}))


# What the plugin says


def test_every_filter_is_told_of(core: Any) -> None:
    """All functions that return a clip; the rest is the one that tells."""
    returned = {function.name: function.return_signature for function in core.vdiff.functions()}
    assert (
        {name for name, what in returned.items() if what == "clip:vnode;"}
        == set(told())
        == set(UNSTATED) - set(COMPOSITIONS)
    )
    assert set(returned) - set(told()) == {"Filters"}
    assert set(FILTERS) <= set(told())


def test_filters_takes_nothing(core: Any) -> None:
    """And says the same each time."""
    with pytest.raises(vs.Error):
        core.vdiff.Filters(1)
    with pytest.raises(vs.Error):
        core.vdiff.Filters(clip=core.std.BlankClip())
    assert core.vdiff.Filters() == core.vdiff.Filters()


@every_name
def test_meaning_is_a_sentence(core: Any, name: str) -> None:
    meaning = all_told()[name][0]
    assert re.fullmatch(r"[A-Z][^.!?\n]*\.", re.sub(r"(?<=\w)\.(?=\w)", "", meaning)), meaning
    assert meaning == " ".join(meaning.split())
    assert 20 < len(meaning) < 120


def test_meanings_differ(core: Any) -> None:
    meanings = [meaning for meaning, _ in all_told().values()]
    assert len(set(meanings)) == len(meanings)


@every_name
def test_defaults_are_of_arguments(core: Any, name: str) -> None:
    """In the order of the signature; those without are known to have none."""
    arguments, defaults = declared(name), all_told()[name][1]
    optional = [argument for argument, (_, *flags) in arguments.items() if "opt" in flags]
    assert [argument for argument in optional if argument in defaults] == [*defaults]
    assert set(optional) - set(defaults) == UNSTATED.get(name, set())
    assert set(arguments) - set(optional) == REQUIRED.get(name, set()) | ({"clip"} & set(arguments))


def test_every_default_is_tried(core: Any) -> None:
    assert set(OTHERS) == {(name, argument) for name, (_, defaults) in all_told().items() for argument in defaults}


@pytest.fixture(scope="module")
def clip() -> vs.VideoNode:
    """Small pictures that move, with a cut that is marked and two more that are to be found."""
    import vs_vdiff  # noqa: F401

    rng = np.random.default_rng(7)
    video = Video("YUV444P8", 48, 40)
    first, *scenes = random_frames(rng, video, 4)
    frames: Frames = []
    for n in range(9):
        still = first if n < 4 else scenes[0] if n < 7 else scenes[1]
        noise = [rng.integers(-6, 7, plane.shape) for plane in still]
        moved = [
            np.roll(plane.astype(int) // 2 + 60, n, axis=1) + each for plane, each in zip(still, noise, strict=True)
        ]
        frames.append([plane.astype(np.uint8) for plane in moved])
    made: vs.VideoNode = make_clip(video, frames, starts=(7,))
    return made


def now_and_then(clip: vs.VideoNode) -> vs.VideoNode:
    """A mask with holes in every second frame."""
    holes = Holes()(clip)
    mask: vs.VideoNode = vs.core.std.Loop(holes + vs.core.std.BlankClip(holes, color=0))[: clip.num_frames]
    return mask


CLIPS: dict[str, Callable[[vs.VideoNode], dict[str, Any]]] = {
    "Inpaint": lambda clip: {"clip": clip, "mask": now_and_then(clip)},
    "Kernel": lambda clip: {
        "clips": [clip] * 3,
        "kernel": Compile(lighten, sources=3, params=2)(clip),
        "params": [0.9, 0.25],
        "planes": [0],
    },
    "PoissonBlend": lambda clip: {"clip": clip, "overlay": Mirrored()(clip), "mask": Holes()(clip)},
}
"""What filters of several clips are called with."""


def outcome(clip: vs.VideoNode, name: str, arguments: Mapping[str, Any]) -> list[tuple[Props, list[bytes]]]:
    """What a filter makes, properties and bytes of each frame; its arguments are read as a chain's are."""
    if name.lower() == "repairframes":  # two frames of another scene, where there is something to repair
        clip = clip[:2] + clip[4:6] + clip[:4]
    if name in CLIPS:  # no chain can name these, but what they take besides is of the same types
        kinds = {argument: kind for argument, (kind, *_) in declared(name).items()}
        given = {key: chain.convert(name, key, kinds[key], str(value)) for key, value in arguments.items()}
        result = getattr(vs.core.vdiff, name)(**CLIPS[name](clip), **given)
    else:
        text = ":".join(f"{key}={value}" for key, value in arguments.items())
        [parsed] = chain.parse(f"{name}={text}" if text else name)
        result = parsed(clip)
    return [(dict(frame.props), [plane.tobytes() for plane in planes_of(frame)]) for frame in frames_of(result)]


@pytest.mark.parametrize(("name", "argument"), OTHERS, ids=[f"{name}-{argument}" for name, argument in OTHERS])
def test_default(core: Any, clip: vs.VideoNode, name: str, argument: str) -> None:
    """Given, it changes nothing; another value would."""
    other, needed = OTHERS[name, argument]
    default = all_told()[name][1][argument]
    left_out = outcome(clip, name, needed)
    assert outcome(clip, name, {**needed, argument: default}) == left_out
    assert outcome(clip, name, {**needed, argument: other}) != left_out


@every_name
def test_all_defaults_together(core: Any, clip: vs.VideoNode, name: str) -> None:
    """As in a chain, whatever case the name is in."""
    needs: dict[str, dict[str, Any]] = {
        "Decay": {"halflife": 3},
        "Extrapolate": {"length": 2},
        "Interpolate": {"factor": 3},
        "Spread": {"dx": "1|2", "dy": "0|-1", "weights": "0.5|0.25"},
        "delogo": {"x": "0|20", "y": "9|9", "w": "12|12", "h": "3|16"},
    }
    needed = needs.get(name, {})
    left_out = outcome(clip, name, needed)
    assert outcome(clip, name if name in CLIPS else name.upper(), needed | all_told()[name][1]) == left_out


# The catalogue


def test_entries(core: Any) -> None:
    """The plugin's filters in its order, then the presets and delogo; each with the arguments of its signature."""
    entries = [*catalogue.entries()]
    assert [each.name for each in entries] == [*told(), *COMPOSITIONS]
    for each in entries:
        meaning, defaults = all_told()[each.name]
        assert each.meaning == meaning
        assert {argument.name: argument.default for argument in each.arguments if argument.default} == defaults
        assert [argument.name for argument in each.arguments] == [*declared(each.name)]
        for argument in each.arguments:
            kind, *flags = declared(each.name)[argument.name]
            assert argument.kind == kind.replace("vnode", "clip").replace("data", "str")
            assert argument.optional == ("opt" in flags)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("Dilate", "Dilate(clip: clip, radius: int = 1, shape: str = rect, planes: int[] = …)"),
        ("Extrapolate", "Extrapolate(clip: clip, length: int, alpha: float = 1, planes: int[] = …)"),
        ("denoise", "denoise(clip: clip, strength: str = medium, radius: int = 3, motion: int = 1)"),
        ("trails", "trails(clip: clip, strength: str = medium)"),
    ],
)
def test_entry_as_text(core: Any, name: str, text: str) -> None:
    assert text in map(str, catalogue.entries())


# The command


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """An empty folder."""
    yield tmp_path
    end_started()


def lines_of(each: catalogue.Entry) -> list[str]:
    """What a pipe is to get of a filter."""
    return [each.name, f"  {each.meaning}", f"  {', '.join(map(str, each.arguments))}"]


def test_pipe(core: Any, folder: Path) -> None:
    """Three lines a filter, however narrow the terminal is said to be; without colour."""
    env = {"COLUMNS": "20", "TERM": "xterm-256color"}
    result = vdiff("filters", folder=folder, env=env)
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.splitlines() == [line for each in catalogue.entries() for line in lines_of(each)]


def test_names(core: Any, folder: Path) -> None:
    """In any case, in the order given."""
    result = vdiff("filters", "tRails", "DIFFUSE3D", "decay", folder=folder)
    assert (result.returncode, result.stderr) == (0, "")
    known = {each.name: each for each in catalogue.entries()}
    assert result.stdout.splitlines() == [n for name in ("trails", "Diffuse3D", "Decay") for n in lines_of(known[name])]


@pytest.mark.parametrize(
    ("name", "near"), [("Difuse", "diffuse"), ("dekay", "decay"), ("DENOSE", "denoise"), ("Filters", ""), ("", "")]
)
def test_unknown_name(core: Any, name: str, near: str) -> None:
    with pytest.raises(UsageError) as caught:
        filters.main(["Decay", name], obj=[], standalone_mode=False)
    assert f'no filter "{name}"' in str(caught.value)
    assert caught.value.status == 2
    assert (f'did you mean "{near}"' in str(caught.value).lower()) == bool(near)


def test_errors_are_one_line(folder: Path) -> None:
    result = vdiff("filters", "Decay", "Difuse", folder=folder)
    refused(result, 'no filter "Difuse"', "diffuse", status=2)
    assert result.stdout == ""


def test_nothing_goes_to_ffmpeg(core: Any) -> None:
    with pytest.raises(UsageError, match="leave out --"):
        filters.main([], obj=["-crf", "20"], standalone_mode=False)


@pytest.mark.parametrize("columns", [40, 100])
@pytest.mark.parametrize("colour", [True, False])
def test_terminal(core: Any, folder: Path, columns: int, colour: bool) -> None:
    """Wrapped to its width between words, indented; in colour unless NO_COLOR is set."""
    env = {} if colour else {"NO_COLOR": "1"}
    status, shown = on_terminal("Diffuse", "denoise", folder=folder, command="filters", columns=columns, env=env)
    assert status == 0
    assert bool(re.search(r"\x1b\[[\d;]*3[1-8]", shown)) == colour
    lines = [line.rstrip() for line in re.sub(r"\x1b\[[\d;]*m", "", shown).splitlines()]
    assert all(len(line) <= columns for line in lines)
    assert max(map(len, lines)) > columns - 20
    assert [line for line in lines if not line.startswith("  ")] == ["Diffuse", "denoise"]
    known = {each.name: each for each in catalogue.entries()}
    words = " ".join(line for name in ("Diffuse", "denoise") for line in lines_of(known[name]))
    assert " ".join(lines).split() == words.split()


def test_reader_that_has_seen_enough(folder: Path) -> None:
    """`| head -1`: no word about it."""
    read_end, write_end = os.pipe()
    process = start(folder=folder, command="filters", stdout=write_end)
    os.close(write_end)
    os.close(read_end)
    _, errors = process.communicate(timeout=PATIENCE)
    assert errors == ""
    assert process.returncode == 0


@pytest.mark.parametrize(
    ("redirection", "encoding", "part"),
    [(">/dev/full", "utf-8", "No space left on device"), ("| cat", "ascii", ""), (">&-", "utf-8", "is closed")],
)
def test_standard_output_that_takes_little(folder: Path, redirection: str, encoding: str, part: str) -> None:
    """A full disk is told of in one line; what cannot be written in an encoding is no end of the program."""
    env = os.environ | {"PYTHONIOENCODING": encoding}
    command = f"set -o pipefail; '{VDIFF}' filters Decay {redirection}"
    result = subprocess.run(
        ["bash", "-c", command], cwd=folder, env=env, capture_output=True, text=True, check=False, timeout=PATIENCE
    )
    if part:
        refused(result, part)
    else:
        assert (result.returncode, result.stderr) == (0, "")
