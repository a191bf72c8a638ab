"""Cases for `tests/native/drive.c`, the host without Python, and how that host is compiled.

As a program it prints the cases: `python tests/driving.py [FORMAT...]`.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import vapoursynth as vs

from cases import CASES, Case, Holes, Mirrored, StandIns
from own import Compile, Own
from support import Video

NATIVE = Path(__file__).resolve().parent / "native"
HOST = Path(vs.__file__).resolve().parent
"""The folder of VapourSynth's library and headers."""


def compile_host(source: Path, folder: Path, *flags: str, compiler: str = "gcc", library: Path | None = None) -> Path:
    """A C program that uses VapourSynth's library, compiled without a warning.

    Args:
        source: Its one file.
        folder: Where to put the program.
        flags: Further flags.
        compiler: The compiler.
        library: The library's file, the installed one if not given.

    Returns:
        The program.
    """
    program = folder / source.stem
    library = library or next(HOST.glob("libvapoursynth.so*"))
    command = [compiler, "-std=gnu11", "-O2", "-Wall", "-Wextra", "-Werror", f"-I{HOST / 'include'}", *flags]
    command += [source, library, f"-Wl,-rpath,{library.parent}", "-lpthread", "-o", program]
    subprocess.run(command, check=True)
    return program


def written(value: Any) -> str:
    """An argument as the host reads it."""
    match value:
        case Mirrored():
            return "@other"
        case StandIns():
            return "@other,@other"
        case Holes(moving=False, every=1):
            return "@mask"
        case Holes():
            return "@masks"
        case Compile():
            return "@kernel"
        case str() | int() | float():
            return str(value)
    return ",".join(map(str, value))


def line_of(case: Case, video: Video, length: int) -> str:
    """The case on a clip of so many frames."""
    args = case.args
    if case.filter == "Kernel":
        args = {"kernel": args["kernel"], "lags": (0, 1), "params": 0.5}
    planes = len(video.planes)
    args = {key: value[:planes] if isinstance(value, list) else value for key, value in args.items()}
    words = [f"{key}={written(value)}" for key, value in args.items()]
    return " ".join([str(int(video.format)), str(video.width), str(video.height), str(length), case.filter, *words])


def drivable(cases: Iterable[Case]) -> list[Case]:
    """The cases that need no compiled Python."""
    return [case for case in cases if not any(isinstance(value, Own) for value in case.args.values())]


MARKING = [
    Case("SceneDetect", {}, CASES[0].reference),
    Case("SceneDetect", {"metric": "histogram"}, CASES[0].reference),
    Case("RepairFrames", {}, CASES[0].reference),
]
"""Of the filters that are in no table, because frames pass through them."""

EVERY = [*drivable(CASES), *MARKING]


def lines(formats: Sequence[str], width: int = 61, height: int = 47, length: int = 40) -> list[str]:
    """Every case in each of the formats."""
    return [line_of(case, Video(name, width, height), length) for name in formats for case in EVERY]


if __name__ == "__main__":
    print("\n".join(lines(sys.argv[1:] or ["YUV420P8", "YUV444P16", "GRAYH", "RGBS"])))
