"""Cases for `tests/native/drive.c`, the host without Python, and how that host is compiled.

As a program it prints the cases: `python tests/driving.py [--frames N] [--size WxH]... [FORMAT...]`.
"""

from __future__ import annotations

import argparse
import subprocess
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


SIZE = (61, 47)


def lines(formats: Sequence[str], sizes: Sequence[tuple[int, int]] = (SIZE,), length: int = 40) -> list[str]:
    """Every case in each of the formats and sizes; of subsampled formats sizes are rounded up."""
    return [line_of(case, Video(name, *size), length) for name in formats for size in sizes for case in EVERY]


def size(text: str) -> tuple[int, int]:
    """The size that is written as 61x47."""
    width, height = map(int, text.split("x"))
    return width, height


def main() -> None:
    """Print what the arguments ask for."""
    parser = argparse.ArgumentParser(description="Print a case of every kind for tests/native/drive.c.")
    parser.add_argument("--frames", type=int, default=40, help="length of the clips")
    parser.add_argument("--size", type=size, action="append", help="width x height, several times for several sizes")
    parser.add_argument("formats", nargs="*", default=["YUV420P8", "YUV444P16", "GRAYH", "RGBS"])
    args = parser.parse_args()
    print("\n".join(lines(args.formats, args.size or [SIZE], args.frames)))


if __name__ == "__main__":
    main()
