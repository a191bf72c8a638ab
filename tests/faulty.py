"""The plugin with memory that runs out, `tests/native/faults.c`, as a second plugin beside the real one."""

from __future__ import annotations

import ctypes
import gc
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import vapoursynth as vs

from cases import Case, Holes, Mirrored, StandIns
from native_code import NATIVE, compile_c, host_library
from support import Video, blank

API_4 = 4 << 16
FOREVER = 2**62


class Counts(ctypes.Structure):
    """What the library has done and holds, as in C."""

    calls: int
    failed: int
    blocks: int
    bytes: int
    frames: int
    nodes: int
    instances: int
    _fields_ = [(name, ctypes.c_longlong) for name in __annotations__ if not name.startswith("_")]


class Argument(ctypes.Structure):
    """An argument of a filter, as in C; `type` says which of the others counts, and that a clip or a mask is meant."""

    _fields_ = [
        ("key", ctypes.c_char_p),
        ("data", ctypes.c_char_p),
        ("number", ctypes.c_double),
        ("size", ctypes.c_int),
        ("type", ctypes.c_char),
    ]


class Job(ctypes.Structure):
    """A filter in a core of its own, as in C."""

    _fields_ = [
        ("shim", ctypes.c_char_p),
        ("filter", ctypes.c_char_p),
        ("args", ctypes.POINTER(Argument)),
        *(
            (name, ctypes.c_int)
            for name in ("count", "format", "width", "height", "frames", "asked", "threads", "keep")
        ),
    ]


def arguments(case: Case, video: Video) -> list[Argument]:
    """The case's arguments; each clip among them is the filtered one, each mask one that moves nowhere."""

    def written(key: str, value: Any) -> list[Argument]:
        match value:
            case list():
                return [a for each in value[: len(video.planes)] for a in written(key, each)]
            case tuple():
                return [a for each in value for a in written(key, each)]
            case str() | bytes():
                data = value.encode() if isinstance(value, str) else value
                return [Argument(key.encode(), data, 0.0, len(data), b"d")]
            case int() | float():
                return [Argument(key.encode(), None, value, 0, b"i" if isinstance(value, int) else b"f")]
            case Mirrored():
                return [Argument(key.encode(), None, 0.0, 0, b"c")]
            case StandIns():
                return [Argument(key.encode(), None, 0.0, 0, b"c")] * 2
            case Holes():
                return [Argument(key.encode(), None, 0.0, 0, b"m")]
        made = value(blank(video, 1))
        return written(key, tuple(made) if isinstance(made, list) else made)  # numbers for all planes, or a ticket

    args = {"clips" if case.filter == "Kernel" else "clip": Mirrored(), **case.args}
    return [a for key, value in args.items() for a in written(key, value)]


class Faulty:
    """A copy of the installed library, loaded into this process, whose allocations fail when they are told to.

    Args:
        folder: Where the shim and the copy are put.
        library: The library; VapourSynth's choice of the CPU level if not given.

    Attributes:
        namespace: The name of its namespace, in each core that it is loaded into.
        counts: What the library has done and holds.
        before: What it held when the test began, after one that has found a leak.
    """

    namespace = "faulty"

    def __init__(self, folder: Path, library: Path | None = None) -> None:
        import vs_vdiff  # noqa: F401

        self.file = folder / "faults.so"
        if not self.file.exists():
            compile_c(NATIVE / "faults.c", self.file, "-g", "-shared", "-fPIC")
        copy = folder / "library.so"  # the installed one is in use
        shutil.copy(library or vs.core.vdiff.plugin_path, copy)
        self.shim = ctypes.CDLL(str(self.file))
        self.shim.load.argtypes = [ctypes.c_char_p, ctypes.c_void_p]
        self.shim.plan.argtypes = [ctypes.c_int64, ctypes.c_int64, ctypes.c_double, ctypes.c_uint64]
        self.shim.plan.restype = None
        self.shim.count.restype = ctypes.POINTER(Counts)
        host = ctypes.CDLL(str(host_library()))
        host.getVapourSynthAPI.restype = ctypes.c_void_p
        slots = self.shim.load(str(copy).encode(), host.getVapourSynthAPI(API_4))
        assert slots == 4, f"{slots} of malloc, calloc, posix_memalign, free and no other allocator"
        self.counts: Counts = self.shim.count().contents
        self.before = self.held()

    def enter(self, core: Any) -> None:
        """Loads the plugin into a core."""
        core.std.LoadPlugin(str(self.file), forcens=self.namespace, forceid="test.faulty")

    @contextmanager
    def failing(self, first: int = 0, last: int = 0, *, rate: float = 0.0, seed: int = 0) -> Iterator[Counts]:
        """Within the block, allocations fail: those from first to last, counted from 1, and a part of the others.

        No frame may be in the works where the block begins and where it ends.
        """
        self.shim.plan(first, last, rate, seed)
        try:
            yield self.counts
        finally:
            self.shim.plan(0, 0, 0.0, 0)

    def destroy_core(self, case: Case, video: Video, length: int, *, asked: int, threads: int, keep: bool) -> int:
        """Asks the case for some of its frames, in a core of its own that is destroyed as soon as they have come.

        Args:
            case: The case.
            video: The clip's format and size.
            length: The clip's length.
            asked: How many frames are asked for, all at once.
            threads: Threads of that core.
            keep: Whether the filter is let go of after the core, not before it.

        Returns:
            How many frames came.
        """
        args = arguments(case, video)
        job = Job(
            str(self.file).encode(),
            case.filter.encode(),
            (Argument * len(args))(*args),
            len(args),
            int(video.format),
            video.width,
            video.height,
            length,
            asked,
            threads,
            keep,
        )
        made: int = self.shim.destroy(ctypes.byref(job))
        return made

    def held(self) -> dict[str, int]:
        """What the library holds."""
        return {name: getattr(self.counts, name) for name in ("blocks", "bytes", "frames", "nodes", "instances")}

    def assert_nothing_held(self, label: str = "") -> None:
        """Every clip of it is gone, and with it all that the library has taken, once threads have let go of it."""
        gc.collect(0)  # clips are in cycles; those just made are among the youngest
        for wait in range(400):
            left = {name: number - self.before[name] for name, number in self.held().items()}
            if all(number <= 0 for number in left.values()):
                return
            if wait == 1:
                gc.collect()
            time.sleep(0.005)
        raise AssertionError(f"{label}: left behind {left}")
