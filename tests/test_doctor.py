"""`vdiff doctor`: everything that vdiff needs, and each thing that may be wrong with it."""

import os
import re
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import click
import pytest
import vapoursynth as vs

from command_support import (
    VDIFF,
    Result,
    children,
    end_started,
    is_alive,
    names,
    on_terminal,
    refused,
    start,
    vdiff,
    wait_for,
    without,
)
from vs_vdiff import diagnosis, ffmpeg, plugin
from vs_vdiff.commands.doctor import doctor
from vs_vdiff.errors import UsageError

LINE = re.compile(r"(ok|optional|wrong) +(\S+) +(\S.*)")
SUBJECTS = [
    *("Python", "VapourSynth", "plugin", "vspipe", "BestSource", "motion"),
    *("FFmpeg", "encoders", "pictures", "kernels"),
]
PYTHON = Path(sys.executable)
SYSTEM = "/usr/bin:/bin"
CLI = 'pip install "vapoursynth-vdiff[cli]"'


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """An empty folder, with one in it for temporary files, in which nothing is left."""
    (tmp_path / "temporary").mkdir()
    yield tmp_path
    end_started()
    assert names(tmp_path / "temporary") == set()


@dataclass(frozen=True)
class Report:
    """What the command says: verdict and text of each subject."""

    lines: dict[str, tuple[str, str]]
    status: int

    def verdicts(self) -> dict[str, str]:
        """Those that are not ok."""
        return {subject: verdict for subject, (verdict, _) in self.lines.items() if verdict != "ok"}

    def says(self, subject: str, *parts: str) -> None:
        """Expect parts in a subject's line."""
        for part in parts:
            assert part in self.lines[subject][1]


def read_report(result: Result) -> Report:
    """Read a report, all of whose lines are there in their order."""
    found = [LINE.fullmatch(line) for line in result.stdout.splitlines()]
    assert [line and line[2] for line in found] == SUBJECTS, result.stdout + result.stderr
    lines = {line[2]: (line[1], line[3]) for line in found if line}
    assert result.returncode == int("wrong" in [verdict for verdict, _ in lines.values()])
    assert "Traceback" not in result.stderr
    assert "\x1b" not in result.stdout
    return Report(lines, result.returncode)


def examine(folder: Path, env: dict[str, str] | None = None, program: tuple[str, ...] = (VDIFF,)) -> Report:
    """Run the installed command."""
    env = {"TMPDIR": str(folder / "temporary")} | (env or {})
    return read_report(vdiff(*program[1:], "doctor", folder=folder, env=env, program=program[0]))


def test_everything_is_there(core: Any, folder: Path) -> None:
    """With what is found, and where."""
    report = examine(folder)
    assert report.verdicts() == {}
    assert report.status == 0
    report.says("Python", ".".join(map(str, sys.version_info[:3])), sys.executable)
    report.says("VapourSynth", str(vs.core.core_version), str(Path(vs.__file__).parent))
    loaded = Path(core.vdiff.plugin_path)
    level = {"libvdiff": "base", "libvdiff.avx2": "AVX2", "libvdiff.avx512": "AVX-512"}[loaded.stem]
    report.says("plugin", f"CPU level {level}, {loaded}")
    report.says("vspipe", str(PYTHON.with_name("vspipe")))
    report.says("BestSource", core.bs.plugin_path)
    report.says("motion", core.mvu.plugin_path)
    report.says("FFmpeg", ffmpeg.find())
    report.says("encoders", "H.264 (libx264)", "FFV1 (ffv1)")
    assert names(folder) == {"temporary"}


@pytest.mark.parametrize(
    ("library", "level"),
    [("libvdiff.so", "base"), ("libvdiff.avx2.so", "AVX2"), ("libvdiff.avx512.dll", "AVX-512"), ("my.so", "unknown")],
)
def test_level(monkeypatch: pytest.MonkeyPatch, library: str, level: str) -> None:
    core = SimpleNamespace(vdiff=SimpleNamespace(plugin_path=f"/somewhere/{library}"))
    monkeypatch.setattr(plugin, "vs", SimpleNamespace(core=core))
    assert plugin.level() == level


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], list[diagnosis.Finding]]:
    """Do some of the checks here."""

    def check(*subjects: str) -> list[diagnosis.Finding]:
        monkeypatch.setattr(diagnosis, "CHECKS", [each for each in diagnosis.CHECKS if each[0] in subjects])
        return [*diagnosis.diagnose()]

    return check


Check = Callable[..., list[diagnosis.Finding]]


def test_old_python(monkeypatch: pytest.MonkeyPatch, alone: Check) -> None:
    monkeypatch.setattr(diagnosis, "OLDEST_PYTHON", (4, 0))
    [finding] = alone("Python")
    assert finding.verdict == "wrong"
    assert "later is needed" in finding.text
    assert sys.executable in finding.text


# VapourSynth and plugins


def first(packages: Path) -> dict[str, str]:
    """Let Python look for modules in a folder first."""
    return {"PYTHONPATH": os.pathsep.join(filter(None, [str(packages), os.environ.get("PYTHONPATH")]))}


def broken_module(folder: Path, name: str, statement: str) -> dict[str, str]:
    """Put a module that fails before another one."""
    stubs = folder / "stubs"
    stubs.mkdir()
    (stubs / f"{name}.py").write_text(statement)
    return first(stubs)


@pytest.mark.parametrize(
    ("statement", "parts"),
    [
        (
            "raise ModuleNotFoundError(\"No module named 'vapoursynth'\", name='vapoursynth')",
            ("not installed", " vapou"),
        ),
        ("raise ImportError('libnone.so: cannot open')", ("libnone.so: cannot open", "--force-reinstall vapoursynth")),
    ],
)
def test_vapoursynth_that_cannot_be_imported(folder: Path, statement: str, parts: tuple[str, ...]) -> None:
    """All that needs it is wrong too, and says so; the rest is seen all the same."""
    report = examine(folder, broken_module(folder, "vapoursynth", statement))
    needy = ("plugin", "vspipe", "BestSource")
    assert report.verdicts() == dict.fromkeys(("VapourSynth", *needy), "wrong") | {"motion": "optional"}
    report.says("VapourSynth", "pip install", *parts)
    for subject in (*needy, "motion"):
        assert re.search("pip install|VapourSynth", report.lines[subject][1]), report.lines[subject]


def test_vapoursynth_that_is_broken_otherwise(monkeypatch: pytest.MonkeyPatch, alone: Check) -> None:
    """Whatever it raises: the reason in one line, and what to do."""

    def fail(name: str) -> None:
        raise RuntimeError("bad\nluck")

    monkeypatch.setattr(diagnosis, "import_module", fail)
    [finding] = alone("VapourSynth")
    assert finding.verdict == "wrong"
    assert "bad luck" in finding.text
    assert "pip install --force-reinstall vapoursynth" in finding.text


@pytest.fixture
def installation(folder: Path) -> dict[str, str]:
    """Link VapourSynth and its plugins to `packages/vapoursynth`, where tests remove some; give what leads there."""
    original = Path(vs.__file__).parent
    copy = folder / "packages" / "vapoursynth"
    (copy / "plugins").mkdir(parents=True)
    for path in (*original.iterdir(), *(original / "plugins").iterdir(), *original.parent.glob("vapoursynth_*.libs")):
        if path.name not in ("plugins", "__pycache__"):
            (copy.parent / path.relative_to(original.parent)).symlink_to(path)
    return first(copy.parent)


def plugins_of(folder: Path) -> Path:
    """The plugin folder of `installation`."""
    return folder / "packages" / "vapoursynth" / "plugins"


def test_no_plugin(folder: Path, installation: dict[str, str]) -> None:
    """Then vspipe is no worse than VapourSynth itself, and no configuration of it helps."""
    (plugins_of(folder) / "vdiff").unlink()
    report = examine(folder, installation)
    assert report.verdicts() == {"plugin": "wrong", "vspipe": "wrong"}
    report.says("plugin", "core.vdiff", "not installed", "pip install --force-reinstall vapoursynth-vdiff")
    report.says("VapourSynth", str(plugins_of(folder).parent))
    assert "vapoursynth config" not in report.lines["vspipe"][1]


def test_plugin_that_cannot_be_loaded(folder: Path, installation: dict[str, str]) -> None:
    """The reason is told."""
    ours = plugins_of(folder) / "vdiff"
    manifest = (ours / "manifest.vs").read_text()
    ours.unlink()
    ours.mkdir()
    (ours / "manifest.vs").write_text(manifest)
    (ours / "libvdiff.so").write_text("no library")
    report = examine(folder, installation)
    assert report.verdicts() == {"plugin": "wrong", "vspipe": "wrong"}
    report.says("plugin", "could not be loaded", str(ours / "libvdiff.so"))


def test_no_bestsource(folder: Path, installation: dict[str, str]) -> None:
    (plugins_of(folder) / "libbestsource.so").unlink()
    report = examine(folder, installation)
    assert report.verdicts() == {"BestSource": "wrong"}
    report.says("BestSource", "not installed", CLI)


@pytest.mark.parametrize("other", [False, True])
def test_no_mvutensils(folder: Path, installation: dict[str, str], other: bool) -> None:
    """Only denoising misses it, and is content with MVTools."""
    for name in ("mvutensils", *(() if other else ("mvtools.so",))):
        (plugins_of(folder) / name).unlink()
    report = examine(folder, installation)
    assert report.verdicts() == ({} if other else {"motion": "optional"})
    assert report.status == 0
    report.says("motion", *(["mvtools.so"] if other else ["MVUtensils", "denoise", "missing", CLI]))


# vspipe


def test_vspipe_configures_itself(folder: Path) -> None:
    """VapourSynth does it where its own command is on PATH; that is no fault to be told."""
    (folder / "config").mkdir()
    path = os.pathsep.join([str(PYTHON.parent), SYSTEM])
    assert examine(folder, {"XDG_CONFIG_HOME": str(folder / "config"), "PATH": path}).verdicts() == {}


@pytest.mark.parametrize("configured", [False, True])
def test_vspipe_without_configuration(folder: Path, configured: bool) -> None:
    """Or with one that speaks of a Python that is gone: the command that mends it is told, in full."""
    config = folder / "config" / "vapoursynth"
    config.mkdir(parents=True)
    library = str(Path(vs.__file__).with_name("libvsscript.so")).replace("/lib64/", "/lib/")
    line = f'"{library}" = ["{PYTHON}","{folder}/libgone.so","{int(PYTHON.stat().st_mtime)}"]\n'
    if configured:
        (config / "vapoursynth.toml").write_text(line)
    report = examine(folder, {"XDG_CONFIG_HOME": str(config.parent), "PATH": SYSTEM})
    assert report.verdicts() == {"vspipe": "wrong"}
    report.says("vspipe", "cannot run a script", f"{PYTHON.with_name('vapoursynth')} config")
    assert ("libgone.so" in report.lines["vspipe"][1]) == configured


def test_no_vspipe(folder: Path) -> None:
    """With a Python beside which there is none, nor on PATH."""
    python = folder / "bin" / "python"
    python.parent.mkdir()
    python.symlink_to(PYTHON.resolve())
    report = examine(folder, first(Path(vs.__file__).parent.parent) | {"PATH": SYSTEM}, (str(python), VDIFF))
    assert report.verdicts() == {"vspipe": "wrong"}
    report.says("vspipe", "not found", "pip install --force-reinstall vapoursynth")


# FFmpeg


def ffmpeg_that(folder: Path, what_it_does: str) -> Path:
    """Make a program of FFmpeg's name, in a folder of its own."""
    program = folder / "programs" / "ffmpeg"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\n{what_it_does}\n")
    program.chmod(0o755)
    return program


def path_with(program: Path) -> dict[str, str]:
    """Let a program come first on PATH."""
    return {"PATH": f"{program.parent}{os.pathsep}{os.environ['PATH']}"}


def test_no_ffmpeg(folder: Path) -> None:
    report = examine(folder, without(folder, "imageio_ffmpeg") | {"PATH": str(folder)})
    assert report.verdicts() == {"FFmpeg": "wrong", "encoders": "wrong"}
    for subject in ("FFmpeg", "encoders"):
        report.says(subject, "there is no FFmpeg", CLI)


def test_broken_ffmpeg(folder: Path) -> None:
    """It comes before the one that vdiff brings, so it is to go."""
    program = ffmpeg_that(folder, "echo 'error while loading shared libraries: libnone.so' >&2; exit 127")
    report = examine(folder, path_with(program))
    assert report.verdicts() == {"FFmpeg": "wrong", "encoders": "wrong"}
    report.says("FFmpeg", str(program), "does not work", "libnone.so", "PATH", CLI)
    report.says("encoders", str(program))


def test_ffmpeg_without_h264(folder: Path) -> None:
    """As a distribution without patents makes it."""
    program = ffmpeg_that(folder, f'{ffmpeg.find()} "$@" | grep -v -e 264')
    report = examine(folder, path_with(program))
    assert report.verdicts() == {"encoders": "wrong"}
    report.says("encoders", "no H.264", "FFV1 (ffv1)", str(program), "PATH", CLI)
    report.says("FFmpeg", str(program))


@pytest.mark.parametrize(
    "what_it_does",
    [
        "exit 3",
        "echo ffmpeg of mine",
        "kill -SEGV $$",
        "cat",
        "printf '\\377\\000\\n'",
        "echo ffmpeg version 1; exit 1",
    ],
)
def test_ffmpeg_that_does_not_work(
    folder: Path, monkeypatch: pytest.MonkeyPatch, alone: Check, what_it_does: str
) -> None:
    program = ffmpeg_that(folder, what_it_does)
    monkeypatch.setattr(ffmpeg, "find", lambda: str(program))
    findings = alone("FFmpeg", "encoders")
    assert [finding.verdict for finding in findings] == ["wrong", "wrong"]
    for finding in findings:
        assert str(program) in finding.text
        assert CLI in finding.text


def test_ffmpeg_that_does_not_start(folder: Path, monkeypatch: pytest.MonkeyPatch, alone: Check) -> None:
    program = ffmpeg_that(folder, "")
    program.write_bytes(b"\x7fELF no program")
    monkeypatch.setattr(ffmpeg, "find", lambda: str(program))
    assert [finding.verdict for finding in alone("FFmpeg", "encoders")] == ["wrong", "wrong"]


def test_ffmpeg_with_another_h264(folder: Path, monkeypatch: pytest.MonkeyPatch, alone: Check) -> None:
    program = ffmpeg_that(folder, f"{ffmpeg.find()} \"$@\" | sed 's/ libx264 / libopenh264 /'")
    monkeypatch.setattr(ffmpeg, "find", lambda: str(program))
    [finding] = alone("encoders")
    assert finding.verdict == "ok"
    assert "H.264 (libopenh264)" in finding.text


def test_ffmpeg_that_hangs(folder: Path, monkeypatch: pytest.MonkeyPatch, alone: Check) -> None:
    """There is an end to patience, and it is the reason that is told; the program does not stay behind."""
    program = ffmpeg_that(folder, f"echo $$ > {folder}/process\nexec sleep 1000")
    monkeypatch.setattr(ffmpeg, "find", lambda: str(program))
    monkeypatch.setattr(diagnosis, "PATIENCE", 0.5)
    [finding] = alone("FFmpeg")
    assert finding.verdict == "wrong"
    assert CLI in finding.text
    assert "no answer in 0.5 seconds" in finding.text
    assert not is_alive(int((folder / "process").read_text()))


# What only some things need


@pytest.mark.parametrize(
    ("module", "subject", "parts"),
    [
        ("matplotlib", "pictures", ("not installed", "vdiff compare", CLI)),
        ("numba", "kernels", ("not installed", "kernels", 'pip install "vapoursynth-vdiff[kernels]"')),
    ],
)
def test_optional_packages(folder: Path, module: str, subject: str, parts: tuple[str, ...]) -> None:
    report = examine(folder, without(folder, module))
    assert report.verdicts() == {subject: "optional"}
    assert report.status == 0
    report.says(subject, *parts)


def test_package_that_is_broken(folder: Path) -> None:
    """The reason is told, and the rest goes on."""
    report = examine(folder, broken_module(folder, "matplotlib", "raise RuntimeError('no matplotlib\\ntoday')"))
    assert report.verdicts() == {"pictures": "optional"}
    report.says("pictures", "no matplotlib today", "pip install")


def test_without_the_extra(folder: Path) -> None:
    """There is no report without what prints it, but still a way out."""
    refused(vdiff("doctor", folder=folder, env=without(folder, "rich")), "rich", CLI)


# How it is told


def test_terminal(folder: Path) -> None:
    """In colour, each line whole even on a narrow one; without colour on request."""
    for env in ({}, {"NO_COLOR": "1"}):
        given = env | {"TMPDIR": str(folder / "temporary")}
        status, shown = on_terminal(folder=folder, command="doctor", columns=40, env=given)
        assert status == 0
        assert bool(re.search(r"\x1b\[[\d;]*3[0-8]", shown)) != bool(env)
        lines = re.sub(r"\x1b\[[\d;]*m", "", shown).splitlines()
        assert [line.split()[:2] for line in lines] == [["ok", subject] for subject in SUBJECTS]


@pytest.mark.parametrize("arguments", [["more"], ["--fix"], ["-q"]])
def test_wrong_command_line(arguments: list[str]) -> None:
    with pytest.raises(click.UsageError, match=arguments[0]):
        doctor.main(arguments, obj=[], standalone_mode=False)


def test_nothing_goes_to_ffmpeg() -> None:
    with pytest.raises(UsageError, match="leave out --"):
        doctor.main([], obj=["-crf", "20"], standalone_mode=False)


@pytest.mark.parametrize("hangs", ["ffmpeg", "vspipe"])
def test_signal(folder: Path, hangs: str) -> None:
    """Stopped while it waits for a program: that ends too, and nothing is left."""
    env = os.environ | {"TMPDIR": str(folder / "temporary")}
    if hangs == "ffmpeg":
        env |= path_with(ffmpeg_that(folder, f"touch {folder}/waiting\nexec sleep 1000"))
    else:
        waits = f"open('{folder}/waiting', 'w'); time.sleep(1000)"
        text = f"import sys, time\nif any(each.endswith('.vpy') for each in sys.orig_argv):\n    {waits}\n"
        env |= broken_module(folder, "sitecustomize", text)
    process = start(folder=folder, command="doctor", env=env)
    wait_for((folder / "waiting").exists, hangs)
    waiting = children(process.pid)
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 128 + signal.SIGTERM
    left = [child for child in waiting if is_alive(child)]
    for child in left:
        os.kill(child, signal.SIGKILL)
    files = names(folder / "temporary")
    shutil.rmtree(folder / "temporary")
    (folder / "temporary").mkdir()
    assert (left, files) == ([], set())
