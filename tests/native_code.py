"""The C code of the tests, `tests/native`, and how it is compiled against the installed VapourSynth."""

from __future__ import annotations

import subprocess
from pathlib import Path

import vapoursynth as vs

NATIVE = Path(__file__).resolve().parent / "native"
HOST = Path(vs.__file__).resolve().parent
"""The folder of VapourSynth's library and headers."""


def host_library() -> Path:
    """VapourSynth's library."""
    return next(HOST.glob("libvapoursynth.so*"))


def compile_c(source: Path, file: Path, *more: str | Path, compiler: str = "gcc") -> Path:
    """Compiles a file of C that includes VapourSynth's headers, without a warning.

    Args:
        source: The file.
        file: What to make of it.
        more: Further flags and files.
        compiler: The compiler.

    Returns:
        What was made.
    """
    command = [compiler, "-std=gnu11", "-O2", "-Wall", "-Wextra", "-Werror", f"-I{HOST / 'include'}", source, *more]
    subprocess.run([*command, "-o", file], check=True)
    return file
