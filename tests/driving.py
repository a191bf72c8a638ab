"""Cases for `tests/native/drive.c`, the host without Python, and how that host is compiled.

As a program it prints the cases: `python tests/driving.py [--frames N] [--size WxH]... [FORMAT...]`.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from cases import CASES, MARKING, Case, Holes, Mirrored, StandIns
from native_code import NATIVE, compile_c, host_library
from own import Compile, Own
from support import Video


def compile_host(folder: Path, *flags: str, compiler: str = "", library: Path | None = None) -> Path:
    """The host, compiled.

    Args:
        folder: Where to put it.
        flags: Further flags.
        compiler: The compiler, if not that of `compile_c`.
        library: VapourSynth's library, the installed one if not given.

    Returns:
        The program.
    """
    library = library or host_library()
    linked = library, f"-Wl,-rpath,{library.parent}", "-lpthread"
    return compile_c(NATIVE / "drive.c", folder / "drive", *flags, *linked, compiler=compiler)


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
