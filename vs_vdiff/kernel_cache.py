"""Compiled kernels on disk, so that the next process starts without compiling.

A file is found by a fingerprint of all that its code depends on: the function's bytecode, the values that it takes
from outside, the compilers' versions, the CPU. What no fingerprint can tell apart is not kept.

This is not numba's own cache, which takes numba to be read, asks the source file rather than the values, and is not to
be had for a function from a string.
"""

import contextlib
import hashlib
import json
import os
import platform
import sys
import tempfile
from collections.abc import Iterator
from functools import cache
from importlib import metadata
from pathlib import Path
from types import BuiltinFunctionType, CodeType, FunctionType, ModuleType
from typing import Any

import llvmlite.binding as llvm

__all__ = ["fingerprint", "folder", "read", "write"]

HEADER = b"vdiff object 1\n"
# Files are a few KB each.
MOST_FILES = 1000


class UnknownValueError(Exception):
    """A value whose meaning for the compiled code is not known."""


def fingerprint(function: FunctionType, *circumstances: object) -> str | None:
    """Name what compiled code depends on.

    Returns:
        A name for a file, or None where the function depends on something that cannot be named.
    """
    digest = hashlib.sha256()
    try:
        for part in (*toolchain(), *circumstances, *describe_function(function, set())):
            text = repr(part).encode(errors="surrogatepass")
            digest.update(len(text).to_bytes(8, "little") + text)
    except UnknownValueError:
        return None
    return digest.hexdigest()


def toolchain() -> Iterator[object]:
    yield from installed()
    yield sorted(item for item in os.environ.items() if item[0].startswith("NUMBA_") and item[0] != "NUMBA_CACHE_DIR")


@cache
def installed() -> list[object]:
    """List what stays as it is as long as the process runs."""
    files = [Path(__file__).parent / name for name in ("kernel_compiler.py", "kernel_layout.py")]
    return [
        (sys.implementation.cache_tag, platform.machine(), sys.platform),
        [metadata.version(name) for name in ("numba", "llvmlite", "numpy")],
        (llvm.get_host_cpu_name(), llvm.get_host_cpu_features().flatten()),
        [hashlib.sha256(file.read_bytes()).hexdigest() for file in files],
    ]


def describe_function(function: FunctionType, seen: set[object]) -> Iterator[object]:
    """List what a function consists of, and whatever it takes from outside."""
    if id(function) in seen:
        return
    seen.add(id(function))
    yield from describe_code(function.__code__)
    yield "defaults"
    yield from describe_value(function.__defaults__, (), seen)
    yield from describe_value(tuple(sorted((function.__kwdefaults__ or {}).items())), (), seen)
    names = sorted(set(names_in(function.__code__)))
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        yield "closure", name
        with contextlib.suppress(ValueError):  # an empty cell
            yield from describe_value(cell.cell_contents, names, seen)
    for name in names:
        if name in function.__globals__:
            yield "global", name
            yield from describe_value(function.__globals__[name], names, seen)


def describe_code(code: CodeType) -> Iterator[object]:
    # With the place in the source, which the messages of exceptions name.
    yield code.co_code, code.co_filename, code.co_firstlineno, code.co_linetable, code.co_exceptiontable, code.co_flags
    yield code.co_argcount, code.co_kwonlyargcount, code.co_name
    yield code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from describe_code(constant)
        else:
            yield type(constant), constant


def names_in(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from names_in(constant)
        elif isinstance(constant, str):  # as in getattr(module, "name")
            yield constant


def describe_value(value: Any, names: Any, seen: set[object]) -> Iterator[object]:
    """List what a value means to compiled code.

    Args:
        value: The value.
        names: The names that the function mentions, among them those of the attributes that it takes from modules.
        seen: The functions, and attributes of modules, that have been listed.
    """
    kind = type(value)
    if value is None or kind in (bool, int, float, complex, str, bytes):
        yield kind.__name__, value
    elif kind is tuple:
        yield "tuple", len(value)
        for element in value:
            yield from describe_value(element, names, seen)
    elif kind.__module__ == "numpy" and hasattr(value, "dtype") and not value.dtype.hasobject:
        yield kind.__name__, str(value.dtype), value.shape, value.strides, value.tobytes()
    elif isinstance(value, ModuleType):
        yield "module", value.__name__
        if value.__name__.partition(".")[0] not in sys.stdlib_module_names | {"numpy", "numba"}:
            for name in names:
                # Another function may take other names of the same module.
                if hasattr(value, name) and (id(value), name) not in seen:
                    seen.add((id(value), name))
                    yield "attribute", name
                    yield from describe_value(getattr(value, name), names, seen)
    elif isinstance(value, BuiltinFunctionType):
        yield "function", value.__module__, value.__qualname__
    elif getattr(value, "_can_compile", False) and hasattr(value, "py_func"):  # by numba, for any types
        yield "jit", sorted(value.targetoptions.items(), key=repr)
        yield from describe_function(value.py_func, seen)
    elif is_numpy(value) or is_known_type(value):
        yield "named", value.__module__, value.__qualname__
    elif isinstance(value, FunctionType):
        yield "function", value.__module__, value.__qualname__
        yield from describe_function(value, seen)
    else:
        raise UnknownValueError


def is_known_type(value: Any) -> bool:
    """Tell Python's own types, and exceptions, of which only the name gets into a message."""
    return isinstance(value, type) and (value.__module__ == "builtins" or issubclass(value, BaseException))


def is_numpy(value: Any) -> bool:
    """Tell NumPy's own functions and types, whose meaning is that of their version."""
    return (
        (getattr(value, "__module__", None) or "").partition(".")[0] == "numpy"
        and hasattr(value, "__qualname__")
        and getattr(sys.modules.get("numpy"), value.__name__, None) is value
    )


def folder() -> Path:
    """Give the folder of compiled kernels: `NUMBA_CACHE_DIR`, or the platform's folder for caches."""
    if chosen := os.environ.get("NUMBA_CACHE_DIR"):
        return Path(chosen) / "vdiff"
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData/Local") / "vdiff/Cache"
    if sys.platform == "darwin":
        return Path.home() / "Library/Caches/vdiff"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "vdiff"


def read(name: str) -> tuple[bytes, tuple[str, ...]] | None:
    """Find a kernel.

    Returns:
        Its object code and the symbols that it needs; None where there is none, or only a damaged one, or that of
        another user, who could have written anything.
    """
    try:
        with (folder() / name).open("rb") as file:
            owner = os.fstat(file.fileno()).st_uid
            data = file.read()
    except (OSError, RuntimeError):  # there is no home
        return None
    if hasattr(os, "geteuid") and owner not in (0, os.geteuid()):
        return None
    content = data[len(HEADER) + 32 :]
    if data[: len(HEADER) + 32] != HEADER + checksum(name, content):
        return None
    externals, _, code = content.partition(b"\n")
    return code, tuple(json.loads(externals))


def write(name: str, code: bytes, externals: tuple[str, ...]) -> None:
    """Keep a kernel, if there is a place to keep it."""
    content = json.dumps(externals).encode() + b"\n" + code
    with contextlib.suppress(OSError, RuntimeError):
        place = folder()
        place.mkdir(parents=True, exist_ok=True)
        make_room(place)
        # Another process sees the whole file or none.
        with tempfile.NamedTemporaryFile(dir=place, prefix="new-", delete=False) as file:
            try:
                file.write(HEADER + checksum(name, content) + content)
                file.close()
                Path(file.name).replace(place / name)
            except BaseException:
                Path(file.name).unlink(missing_ok=True)
                raise


def checksum(name: str, content: bytes) -> bytes:
    return hashlib.sha256(name.encode() + b"\n" + content).digest()


def make_room(place: Path) -> None:
    """Drop the files that were written first, when there are very many."""
    files = list(place.iterdir())
    if len(files) >= MOST_FILES:
        for file in sorted(files, key=lambda file: file.stat().st_mtime)[: len(files) // 2]:
            file.unlink(missing_ok=True)
