"""The C code of the tests, `tests/native`, and how it is compiled against the installed VapourSynth."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import vapoursynth as vs

NATIVE = Path(__file__).resolve().parent / "native"
HOST = Path(vs.__file__).resolve().parent
"""The folder of VapourSynth's library and headers."""


def host_library() -> Path:
    """VapourSynth's library."""
    return next(HOST.glob("libvapoursynth.so*"))


def compile_c(source: Path, file: Path, *more: str | Path, compiler: str = "") -> Path:
    """Compiles a file of C that includes VapourSynth's headers, without a warning.

    Args:
        source: The file.
        file: What to make of it.
        more: Further flags and files.
        compiler: The compiler; if none is named, that of the variable CC, else gcc, else cc.

    Returns:
        What was made.
    """
    compiler = compiler or os.environ.get("CC") or ("gcc" if shutil.which("gcc") else "cc")
    command = [compiler, "-std=gnu11", "-O2", "-Wall", "-Wextra", "-Werror", f"-I{HOST / 'include'}", source, *more]
    subprocess.run([*command, "-o", file], check=True)
    return file
