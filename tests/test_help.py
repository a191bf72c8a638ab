"""Help, its examples as they are printed, and completion in the shell."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import click
import pytest

from command_support import PATIENCE, VDIFF, names, refused, vdiff, without
from vs_vdiff import catalogue
from vs_vdiff.commands import COMMANDS
from vs_vdiff.commands import vdiff as group
from vs_vdiff.presets import PRESETS

BESIDE = f"{Path(VDIFF).parent}{os.pathsep}{os.environ['PATH']}"


def command_of(name: str) -> click.Command:
    """A command, or the group for an empty name."""
    found = group.get_command(click.Context(group), name) if name else group
    assert found
    return found


def help_of(name: str) -> str:
    """What `--help` prints."""
    result = vdiff(*([name] if name else []), "--help", folder=Path.cwd())
    assert (result.returncode, result.stderr) == (0, "")
    return result.stdout


def examples(text: str) -> list[str]:
    """The lines of the help's examples, which are at its end."""
    [block] = re.findall(r"^ +Examples?:\n((?: +\S.*\n)+)\Z", text, re.MULTILINE)
    return [line.strip() for line in block.splitlines()]


# Help


@pytest.mark.parametrize("name", ["", *COMMANDS])
def test_help(tmp_path: Path, clips: Path, name: str) -> None:
    """It names every option and argument; its examples work as they are printed, one after the other."""
    text = help_of(name)
    assert text.startswith("Usage: vdiff")
    for parameter in command_of(name).get_params(click.Context(command_of(name), info_name=name)):
        for option in (
            parameter.opts if isinstance(parameter, click.Option) else [parameter.make_metavar(context(name))]
        ):
            assert re.search(rf"(?<![\w-]){re.escape(option)}(?![\w-])", text), option
    if not name:
        listed = re.findall(r"^  (\w+)  +\S", text, re.MULTILINE)
        assert listed == ["run", "delogo", "compare", "keyframes", "filters", "doctor"]
    shutil.copy(clips / "carphone_pristine.mp4", tmp_path / "in.mp4")
    commands = examples(text)
    assert commands
    assert all(command.startswith("vdiff ") for command in commands)
    assert name in " ".join(commands)
    for command in commands:
        result = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", command],
            cwd=tmp_path,
            env=os.environ | {"PATH": BESIDE},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        assert result.returncode == 0, f"{command}\n{result.stderr}"
        for word in re.findall(r"(?<!\S)(?:-o )?([\w.]+\.(?:png|mp4|txt))\b", command):
            assert (tmp_path / word).stat().st_size > 0
    assert not [each for each in names(tmp_path) if each.startswith(".")]


def context(name: str) -> click.Context:
    """What Click knows when it prints a command's help."""
    return click.Context(command_of(name), info_name=name)


def test_help_of_the_group_tells_what_each_does() -> None:
    """In its first sentence, and that none is without one."""
    for name in COMMANDS:
        assert command_of(name).get_short_help_str(200).endswith((".", "…", "..."))


def test_help_names_presets_and_strengths() -> None:
    for name in ("run", "compare"):
        [option] = [each for each in command_of(name).params if each.name == "preset"]
        assert isinstance(option, click.Option)
        for word in (*PRESETS, "light", "medium", "strong"):
            assert word in (option.help or "")


def test_short_option_and_version(tmp_path: Path) -> None:
    assert vdiff("compare", "-h", folder=tmp_path).stdout == help_of("compare")
    assert re.fullmatch(r"vdiff, version \d\S+\n", vdiff("--version", folder=tmp_path).stdout)


def test_nothing_at_all(tmp_path: Path) -> None:
    """The help, and the status of a wrong command line."""
    result = vdiff(folder=tmp_path)
    assert result.returncode == 2
    assert (result.stdout + result.stderr).strip() == help_of("").strip()


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (("compere",), ("No such command", "compere", "compare")),
        (("DOCTOR",), ("No such command", "DOCTOR")),
        (("--nope",), ("No such option", "--nope")),
        (("compare", "--crpo", "1:1:0:0"), ("No such option", "--crpo", "--crop")),
        (("run", "--preset"), ("--preset", "argument")),
    ],
)
def test_wrong_command_line(tmp_path: Path, arguments: tuple[str, ...], parts: tuple[str, ...]) -> None:
    refused(vdiff(*arguments, folder=tmp_path), *parts, status=2)


# A broken environment


@pytest.mark.parametrize(
    "broken", ["ModuleNotFoundError('No module named x', name='x')", "ImportError('libx.so: gone')"]
)
def test_broken_environment(tmp_path: Path, broken: str) -> None:
    """The way to what tells of it is open; where something is missing, it is one line."""
    (tmp_path / "vapoursynth.py").write_text(f"raise {broken}")
    env = {"PYTHONPATH": os.pathsep.join(filter(None, [str(tmp_path), os.environ.get("PYTHONPATH")]))}
    text = vdiff("doctor", "--help", folder=tmp_path, env=env)
    assert (text.returncode, text.stderr) == (0, "")
    assert "Usage: vdiff doctor" in text.stdout
    assert complete(["vdiff", "doc"], "bash", tmp_path, env) == ["doctor"]
    refused(vdiff("compare", "in.mp4", "--vf", "diffuse", "-o", "o.png", folder=tmp_path, env=env), "x")


def test_group_in_a_broken_environment(tmp_path: Path) -> None:
    """Whoever asks for help because nothing works learns of `doctor`."""
    result = vdiff("--help", folder=tmp_path, env=without(tmp_path, "vapoursynth"))
    assert "doctor" in result.stdout + result.stderr
    assert "Traceback" not in result.stderr


# Completion


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_script_for_the_shell(tmp_path: Path, shell: str) -> None:
    """It is what the shell is to read, and leads back to the command."""
    result = vdiff(folder=tmp_path, env={"_VDIFF_COMPLETE": f"{shell}_source"})
    assert (result.returncode, result.stderr) == (0, "")
    assert f"_VDIFF_COMPLETE={shell}_complete" in result.stdout
    program = shutil.which(shell)
    if program:
        read = subprocess.run([program, "-n"], input=result.stdout, capture_output=True, text=True, check=False)
        assert (read.returncode, read.stderr) == (0, "")


def complete(words: list[str], shell: str, folder: Path, env: dict[str, str] | None = None) -> list[str]:
    """Ask as a shell does for what may stand for the last of the words."""
    last = words[-1] if shell == "fish" else str(len(words) - 1)
    asked = {"_VDIFF_COMPLETE": f"{shell}_complete", "COMP_WORDS": " ".join(words), "COMP_CWORD": last}
    result = vdiff(folder=folder, env=asked | (env or {}))
    assert result.stderr == ""
    if shell == "zsh":
        lines = result.stdout.splitlines()
        assert set(lines[::3]) == {"plain"}
        return lines[1::3]
    found = [line.partition(",") for line in result.stdout.splitlines()]
    assert {kind for kind, _, _ in found} == {"plain"}
    return [value.partition("\t")[0] for _, _, value in found]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_presets_are_completed(tmp_path: Path, shell: str) -> None:
    assert complete(["vdiff", "run", "in.mp4", "--preset", "tr"], shell, tmp_path) == ["trails"]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["vdiff", ""], [*COMMANDS]),
        (["vdiff", "co"], ["compare"]),
        (["vdiff", "compare", "--preset", "de"], ["denoise", "deband"]),
        (["vdiff", "filters", "Dec"], ["Decay"]),
        (["vdiff", "filters", "Decay", "di"], ["DiffBlend", "Diffuse", "Diffuse3D", "Dilate"]),
        (["vdiff", "keyframes", "--format", "q"], ["qpfile"]),
        (["vdiff", "del"], ["delogo"]),
        (["vdiff", "delogo", "--mode", "b"], ["biharmonic"]),
        (["vdiff", "compare", "--cur"], ["--curve"]),
    ],
    ids=lambda words: words[-1],
)
def test_words_are_completed(tmp_path: Path, words: list[str], expected: list[str]) -> None:
    assert complete(words, "bash", tmp_path) == expected


def test_every_name_is_completed(tmp_path: Path) -> None:
    """Filters and presets, from nothing."""
    assert complete(["vdiff", "filters", ""], "bash", tmp_path) == [each.name for each in catalogue.entries()]
    assert complete(["vdiff", "run", "--preset", ""], "bash", tmp_path) == [*PRESETS]


def test_completion_in_bash(tmp_path: Path) -> None:
    """As bash itself does it, with the script that is printed."""
    commands = """
        eval "$(_VDIFF_COMPLETE=bash_source vdiff)"
        complete -p vdiff
        COMP_WORDS=(vdiff filters Dec) COMP_CWORD=2
        _vdiff_completion vdiff Dec filters
        echo "${COMPREPLY[@]}"
    """
    result = subprocess.run(
        ["bash", "-c", commands],
        cwd=tmp_path,
        env=os.environ | {"PATH": BESIDE},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert result.stderr == ""
    assert result.stdout.splitlines()[-1] == "Decay"
    assert "_vdiff_completion vdiff" in result.stdout


@pytest.mark.parametrize("instruction", ["nonsense", "bash_nonsense", "nonsense_complete"])
def test_wrong_instruction(tmp_path: Path, instruction: str) -> None:
    result = vdiff(folder=tmp_path, env={"_VDIFF_COMPLETE": instruction})
    assert result.returncode == 1
    assert "Traceback" not in result.stderr
