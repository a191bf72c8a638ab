"""What the machine can do at most: bytes copied, float32 operations, each by all threads together."""

from __future__ import annotations

import ctypes
import datetime
import os
import platform
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import vapoursynth as vs

import vs_vdiff  # noqa: F401  # loads the plugin

from .measuring import Measurement
from .settings import FRAMES, NotThereError

LEVELS = {"": ("-march=x86-64-v2", 16), ".avx2": ("-march=x86-64-v3", 32), ".avx512": ("-march=x86-64-v4", 64)}
"""Flags and bytes of a vector, by the end of the plugin's name."""
OPERATIONS = ("add", "mul", "div")


def level() -> str:
    """The CPU level of the plugin that is loaded: the end of its file's name."""
    return Path(vs.core.vdiff.plugin_path).name.removeprefix("libvdiff").removesuffix(".so")


def described(command: str) -> dict[str, Any]:
    """The machine, and what it was that was measured."""
    cpu = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text(encoding="utf-8"))
    root = Path(__file__).parent
    git = ["git", "-C", str(root), "describe", "--always", "--dirty", "--abbrev=10", "--exclude=*"]
    commit = subprocess.run(git, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True).stdout.strip()
    return {
        "command": command,
        "date": datetime.date.today().isoformat(),
        "commit": commit or "unknown",
        "cpu": cpu[1] if cpu else platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "level": level().lstrip(".") or "base",
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "vapoursynth": vs.__version__.release_major,
    }


@cache
def library() -> ctypes.CDLL:
    """limit.c, compiled for the level of the plugin."""
    compiler = os.environ.get("CC") or shutil.which("gcc") or shutil.which("cc")
    if not compiler:
        raise NotThereError("there is no C compiler")
    march, width = LEVELS[level()] if platform.machine() == "x86_64" else ("-march=native", 16)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "limit.so"
        flags = ["-O3", march, f"-DWIDTH={width}", "-ffp-contract=off", "-shared", "-fPIC"]
        done = subprocess.run([compiler, *flags, str(Path(__file__).with_name("limit.c")), "-o", str(file)])
        if done.returncode:
            raise NotThereError(f"{compiler} cannot compile limit.c")
        found = ctypes.CDLL(str(file))
    for name in OPERATIONS:
        getattr(found, name).argtypes = (ctypes.c_float, ctypes.c_long)
    pointer, size = ctypes.c_void_p, ctypes.c_size_t
    found.copy.argtypes = (pointer, size, pointer, size, size, ctypes.c_long)
    return found


def shared(work: Callable[[int, int], object], threads: int) -> Measurement:
    """How long threads take to do something so many times, each its part; ctypes lets them run side by side.

    Args:
        work: Called with the thread's number and how often to do it.
        threads: How many.
    """
    pool = ThreadPoolExecutor(threads)

    def seconds(count: int) -> float:
        each = -(-count // threads)
        start = time.perf_counter()
        list(pool.map(lambda thread: work(thread, each), range(threads)))
        return (time.perf_counter() - start) * count / (each * threads)

    return seconds


def operating(name: str, threads: int) -> Measurement:
    """So many times a million float32 operations of a kind."""
    call = getattr(library(), name)
    rounds = 1_000_000 // library().operations()
    return shared(lambda _, count: call(1.0, count * rounds), threads)


def copying(size: int, threads: int) -> Measurement:
    """Copies of so many bytes, as a filter would make that does nothing.

    They come from as many frames as the clips of the table have, and go where the frame before the last one went, as
    the host gives out its memory again.
    """
    found = library()
    source = np.ones((FRAMES, size), np.uint8)
    places = 2
    target = np.ones((threads, places, size), np.uint8)
    each = target.strides[0]

    def copy(thread: int, count: int) -> None:
        found.copy(target.ctypes.data + thread * each, places, source.ctypes.data, FRAMES, size, count)

    return shared(copy, threads)
