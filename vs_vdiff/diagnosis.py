"""What vdiff needs of a machine, checked one by one.

Nothing is imported before its check: whatever is missing is to be a line of the report, not the end of it.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal

__all__ = ["Finding", "ProblemError", "diagnose"]

CLI = 'pip install "vapoursynth-vdiff[cli]"'
PATIENCE = 60.0  # seconds for a program to say what it is
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
    for subject, is_needed, check in CHECKS:
        try:
            yield Finding(subject, "ok", check())
        except ProblemError as problem:
            yield Finding(subject, "wrong" if is_needed else "optional", str(problem))
        except Exception as error:  # whatever is broken in whatever way: that is the finding
            text = " ".join(str(error).split()) or type(error).__name__
            yield Finding(subject, "wrong" if is_needed else "optional", text)


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
    with tempfile.TemporaryDirectory(prefix="vdiff-") as folder:
        script = Path(folder) / "script.vpy"
        script.write_text(SCRIPT)
        status, output = output_of([found, str(script), os.devnull])
    if status:
        reason = (output.strip().splitlines() or [f"exit status {status}"])[-1].strip()
        raise ProblemError(
            f"{found} cannot run a script with vdiff ({reason}): run once in this environment: {configure()}"
        )
    return found


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
    return of_plugin("bs", "BestSource, which decodes video, is not installed")


def motion() -> str:
    """The plugin that finds motion."""
    core = import_module("vapoursynth").core
    namespaces = [name for name in import_module("vs_vdiff.denoising").MOTION if hasattr(core, name)]
    return of_plugin(namespaces[0] if namespaces else "mvu", "MVUtensils, with which denoise finds motion, is missing")


def of_plugin(namespace: str, complaint: str) -> str:
    """Version and place of a plugin."""
    core = import_module("vapoursynth").core
    if not hasattr(core, namespace):
        raise ProblemError(f"{complaint}: {CLI}")
    loaded = getattr(core, namespace)
    return f"{loaded.name} {'.'.join(map(str, loaded.version))}, {loaded.plugin_path}"


def ffmpeg() -> str:
    """The program that encodes."""
    found = import_module("vs_vdiff.ffmpeg").find()
    status, output = output_of([found, "-hide_banner", "-version"])
    name = re.match(r"ffmpeg version (\S+)", output)
    if status or not name:
        raise ProblemError(f"{found} does not work: install FFmpeg anew, or take it off PATH and {CLI}")
    return f"{name[1]}, {found}"


def encoders() -> str:
    """What FFmpeg can encode to; without H.264 it makes no files that every player plays."""
    found = import_module("vs_vdiff.ffmpeg").find()
    _, output = output_of([found, "-hide_banner", "-encoders"])
    there = set(re.findall(r"^ V\S{5} (\S+)", output, re.MULTILINE))
    chosen = {kind: next((name for name in names if name in there), "") for kind, names in ENCODERS.items()}
    listed = ", ".join(f"{kind} ({name})" for kind, name in chosen.items() if name)
    if not chosen["H.264"]:
        raise ProblemError(f"{found} has no H.264 encoder, only: {listed or 'none'}; take it off PATH and {CLI}")
    return listed


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
        raise ProblemError(complaint) from error


def output_of(command: list[str]) -> tuple[int, str]:
    """Run a program; give its exit status and all that it says."""
    try:
        result = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            errors="replace",
            timeout=PATIENCE,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return 1, f"no answer in {PATIENCE:g} seconds"
    except OSError as error:
        return 1, f"does not start: {error.strerror}"
    return result.returncode, result.stdout


CHECKS: list[tuple[str, bool, Callable[[], str]]] = [
    ("Python", True, python),
    ("VapourSynth", True, vapoursynth),
    ("plugin", True, plugin),
    ("vspipe", True, vspipe),
    ("BestSource", True, bestsource),
    ("motion", False, motion),
    ("FFmpeg", True, ffmpeg),
    ("encoders", True, encoders),
    ("pictures", False, matplotlib),
    ("kernels", False, numba),
]
"""What is looked at, whether vdiff works without it, and the check: it returns what is there or raises."""
