"""What vdiff needs of a machine, checked one by one.

Nothing is imported before its check: whatever is missing is to be a line of the report, not the end of it.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal, NamedTuple

from vs_vdiff import ffmpeg as program
from vs_vdiff import interrupt
from vs_vdiff.errors import CommandError

__all__ = ["Finding", "ProblemError", "diagnose"]

CLI = 'pip install "vapoursynth-vdiff[cli]"'
PATIENCE = 30.0  # seconds for a program to say what it is
OLDEST_PYTHON = (3, 12)
# Encoders by what they make, the preferred one first.
ENCODERS = {
    "H.264": ("libx264", "libopenh264"),
    "H.265": ("libx265", "libkvazaar"),
    "AV1": ("libsvtav1", "libaom-av1", "librav1e"),
    "VP9": ("libvpx-vp9",),
    "FFV1": ("ffv1",),
    "ProRes": ("prores_ks", "prores"),
}
# A script that needs VapourSynth's Python to be this one, with the plugin in it.
SCRIPT = """import vapoursynth as vs
vs.core.vdiff.Diffuse(vs.core.std.BlankClip(width=16, height=16, length=1)).set_output()
"""

Verdict = Literal["ok", "optional", "wrong"]


@dataclass(frozen=True)
class Finding:
    """What a check found.

    Attributes:
        subject: What was looked at.
        verdict: `optional`: missing, but only some things need it.
        text: What is there; or what is wrong and what to do.
    """

    subject: str
    verdict: Verdict
    text: str


class ProblemError(Exception):
    """A check found something wrong; the message says what to do."""


def diagnose() -> Iterator[Finding]:
    """Check everything, in the order in which things need each other."""
    missed: set[str] = set()
    for check in CHECKS:
        try:
            if lacking := missed.intersection(check.needs):
                raise ProblemError(f"needs {' and '.join(sorted(lacking))}, see there")
            yield Finding(check.subject, "ok", check.find())
        except Exception as error:  # whatever is broken in whatever way: that is the finding
            missed.add(check.subject)
            text = " ".join(str(error).split()) or type(error).__name__
            if not isinstance(error, ProblemError | CommandError) and check.remedy:
                text = f"{text}: {check.remedy}"
            yield Finding(check.subject, "wrong" if check.is_needed else "optional", text)


def python() -> str:
    """The Python that runs this."""
    name = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info < OLDEST_PYTHON:
        raise ProblemError(f"{name}, {sys.executable}: Python 3.12 or later is needed")
    return f"{name}, {sys.executable}"


def vapoursynth() -> str:
    """VapourSynth's module and core."""
    try:
        vs = import_module("vapoursynth")
    except ModuleNotFoundError as error:
        raise ProblemError(f"not installed ({error}): pip install vapoursynth") from error
    except ImportError as error:
        raise ProblemError(f"broken ({error}): pip install --force-reinstall vapoursynth") from error
    return f"{vs.core.core_version}, {vs.core.num_threads} threads, {Path(str(vs.__file__)).parent}"


def vspipe() -> str:
    """The program that runs scripts, which finds its Python through VapourSynth's configuration."""
    found = shutil.which("vspipe", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]))
    if not found:
        raise ProblemError("not found; it comes with VapourSynth: pip install --force-reinstall vapoursynth")
    with interrupt.temporary_folder() as folder:
        script = folder / "script.vpy"
        script.write_text(SCRIPT)
        status, output = output_of([found, str(script), os.devnull])
    if status:
        reason = last_line(output) or f"exit status {status}"
        raise ProblemError(
            f"{found} cannot run a script with vdiff ({reason}): run once in this environment: {configure()}"
        )
    named = shutil.which("vspipe")
    if named and Path(named).samefile(found):
        return found
    return f"{found}; by its name alone, this shell finds {named or 'none'}: activate the environment"


def configure() -> str:
    """The command that tells vspipe which Python to take."""
    beside = shutil.which("vapoursynth", path=str(Path(sys.executable).parent))
    return f"{beside or 'vapoursynth'} config"


def plugin() -> str:
    """The native plugin."""
    import_module("vs_vdiff.plugin").load()
    vs = import_module("vapoursynth")
    level = import_module("vs_vdiff.plugin").level()
    return f"{'.'.join(map(str, vs.core.vdiff.version))}, CPU level {level}, {vs.core.vdiff.plugin_path}"


def bestsource() -> str:
    """The plugin that decodes."""
    return of_plugin("bs", "vapoursynth-bestsource", "BestSource, which decodes video, is not installed")


def motion() -> str:
    """The plugin that finds motion."""
    core = import_module("vapoursynth").core
    namespaces = [name for name in import_module("vs_vdiff.denoising").MOTION if hasattr(core, name)]
    complaint = "MVUtensils, with which denoise finds motion, is missing"
    return of_plugin(namespaces[0] if namespaces else "mvu", "vapoursynth-mvutensils", complaint)


def of_plugin(namespace: str, package: str, complaint: str) -> str:
    """Version and place of a plugin."""
    core = import_module("vapoursynth").core
    if not hasattr(core, namespace):
        raise ProblemError(
            f"{complaint}: {CLI}; if it is there but does not load: pip install --force-reinstall {package}"
        )
    loaded = getattr(core, namespace)
    return f"{loaded.name} {'.'.join(map(str, loaded.version))}, {loaded.plugin_path}"


def ffmpeg() -> str:
    """The program that encodes."""
    found, output = answer_of_ffmpeg("-version")
    name = re.search(r"^ffmpeg version (\S+)", output, re.MULTILINE)  # a loader may have something to say before
    if not name:
        raise ProblemError(f"{found} is no FFmpeg: take it off PATH and {CLI}")
    return f"{name[1]}, {found}"


def encoders() -> str:
    """What FFmpeg can encode to; without H.264 it makes no files that every player plays."""
    found, output = answer_of_ffmpeg("-encoders")
    there = set(re.findall(r"^ V\S{5} (\S+)", output, re.MULTILINE))
    chosen = {kind: next((name for name in names if name in there), "") for kind, names in ENCODERS.items()}
    listed = ", ".join(f"{kind} ({name})" for kind, name in chosen.items() if name)
    if not chosen["H.264"]:
        raise ProblemError(f"{found} has no H.264 encoder, only: {listed or 'none'}; take it off PATH and {CLI}")
    return listed


def answer_of_ffmpeg(question: str) -> tuple[str, str]:
    """Where FFmpeg is, and what it says."""
    found = program.find()
    status, output = output_of([found, "-hide_banner", question])
    if status:
        reason = last_line(output) or f"exit status {status}"
        raise ProblemError(f"{found} does not work ({reason}): install FFmpeg anew, or take it off PATH and {CLI}")
    return found, output


def matplotlib() -> str:
    """The package that draws the sheets of `compare`."""
    return of_package("matplotlib", f"not installed, `vdiff compare` needs it: {CLI}")


def numba() -> str:
    """The package that compiles kernels."""
    return of_package("numba", 'not installed, kernels of your own need it: pip install "vapoursynth-vdiff[kernels]"')


def of_package(name: str, complaint: str) -> str:
    """The version of a Python package that can be imported."""
    try:
        import_module(name)
        return version(name)
    except (ModuleNotFoundError, PackageNotFoundError) as error:
        missing = error.name or name
        raise ProblemError(complaint if missing == name else f"lacks {missing}: pip install {missing}") from error


def output_of(command: list[str]) -> tuple[int, str]:
    """Run a program; give its exit status and all that it says."""

    def start() -> "subprocess.Popen[str]":
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )

    try:
        with interrupt.held(start, program.end) as process:
            output, _ = process.communicate(timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        return 1, f"no answer in {PATIENCE:g} seconds"
    except OSError as error:
        return 1, f"does not start: {error.strerror}"
    return process.returncode, output


def last_line(output: str) -> str:
    """Where a program says what is the matter."""
    return next((line.strip() for line in reversed(output.splitlines()) if line.strip()), "")


class Check(NamedTuple):
    """What is looked at."""

    subject: str
    is_needed: bool
    """Whether vdiff does not work without it."""
    find: Callable[[], str]
    """Tells what is there, or raises."""
    needs: tuple[str, ...] = ()
    """Subjects without which there is nothing to look at."""
    remedy: str = ""
    """What to do about an error that does not say it."""


CHECKS = [
    Check("Python", True, python),
    Check("VapourSynth", True, vapoursynth, remedy="pip install --force-reinstall vapoursynth"),
    Check("plugin", True, plugin, ("VapourSynth",), "pip install --force-reinstall vapoursynth-vdiff"),
    Check("vspipe", True, vspipe, ("VapourSynth", "plugin"), "pip install --force-reinstall vapoursynth"),
    Check("BestSource", True, bestsource, ("VapourSynth",), CLI),
    Check("motion", False, motion, ("VapourSynth",), CLI),
    Check("FFmpeg", True, ffmpeg, remedy=CLI),
    Check("encoders", True, encoders, remedy=CLI),
    Check("pictures", False, matplotlib, remedy="pip install --force-reinstall matplotlib"),
    Check("kernels", False, numba, remedy="pip install --force-reinstall numba"),
]
