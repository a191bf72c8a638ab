"""What the installed libraries need and show: nothing of Python, nothing newer than their systems, one entry point."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import pytest

from binaries import Binary, read_binary

ALLOWED_LIBRARIES = {
    "linux": ("libc.so", "libm.so", "libpthread.so", "libdl.so", "libgcc_s.so", "ld-linux"),
    "win32": ("kernel32.dll", "msvcrt.dll", "ucrtbase.dll", "api-ms-win-crt-"),
    "darwin": ("/usr/lib/libsystem.",),
}
ABSOLUTE = re.compile(rb"(?:[A-Z]:)?[/\\\\][\w.+-]{2,}[/\\\\][\w.+/\\\\-]{6,}")
"""A path of two parts or more, of such length that it is in no code by chance."""
ROUNDED = re.compile(
    r"_*(exp|exp2|exp10|expm1|log|log2|log10|log1p|pow|a?(sin|cos|tan)h?|atan2|sincos|cbrt|hypot|erfc?|[lt]gamma)[fl]?"
)
"""Functions whose last bit is a matter of the library of mathematics, and in glibc of the processor."""
NEWEST_GLIBC = (2, 28)
"""That of the platform that wheels are tagged for, manylinux_2_28."""


@pytest.fixture(scope="session")
def files(core: Any) -> list[Path]:
    """All installed libraries of the plugin."""
    found = [file for file in Path(core.vdiff.plugin_path).parent.iterdir() if file.suffix in (".so", ".dll", ".dylib")]
    assert found
    return sorted(found)


@pytest.fixture(scope="session")
def libraries(files: list[Path]) -> dict[str, Binary]:
    """What they are, by name."""
    return {file.name: read_binary(file) for file in files}


def test_reader_sees_python_where_it_is() -> None:
    """The reader is not blind: a Python extension shows its symbols."""
    import vapoursynth

    folder = Path(vapoursynth.__file__).parent
    (extension,) = (file for file in folder.glob("vapoursynth*") if file.suffix in (".so", ".pyd"))
    binary = read_binary(extension)
    assert any(name.startswith("Py") for name in binary.imports)
    assert any(name.startswith("PyInit_") for name in binary.exports)
    assert binary.libraries
    if sys.platform == "linux":
        assert any(version.startswith("GLIBC_") for version in binary.versions)


def test_no_symbol_of_python(libraries: dict[str, Binary]) -> None:
    for name, binary in libraries.items():
        shown = binary.imports + binary.exports
        assert [symbol for symbol in shown if symbol.lstrip("_").startswith("Py")] == [], name


def test_one_entry_point(libraries: dict[str, Binary]) -> None:
    for name, binary in libraries.items():
        assert binary.exports == ["VapourSynthPluginInit2"], name


def test_no_library_but_the_system_s(libraries: dict[str, Binary]) -> None:
    for name, binary in libraries.items():
        allowed = ALLOWED_LIBRARIES[sys.platform]
        assert [need for need in binary.libraries if not need.lower().startswith(allowed)] == [], name


def test_no_search_path(libraries: dict[str, Binary]) -> None:
    """A path of the machine that built it has no place in a plugin."""
    for name, binary in libraries.items():
        assert binary.search_paths == [], name


@pytest.mark.skipif(sys.platform != "linux", reason="versions of symbols are a matter of glibc")
def test_no_newer_glibc(libraries: dict[str, Binary]) -> None:
    """Whatever machine built it, as old a Linux loads it as VapourSynth's own wheels."""
    for name, binary in libraries.items():
        versions = [version.removeprefix("GLIBC_") for version in binary.versions]
        newer = [v for v in versions if tuple(map(int, v.split("."))) > NEWEST_GLIBC]
        assert newer == [], name


def test_no_path_of_the_machine_that_built_it(files: list[Path]) -> None:
    """Nor is there a place of a source file in it: the same bytes come from any folder."""
    for file in files:
        found = {path.decode() for path in ABSOLUTE.findall(file.read_bytes())}
        assert {path for path in found if not path.startswith("/usr/lib/")} == set(), file.name


def test_no_function_that_is_rounded_otherwise_elsewhere(libraries: dict[str, Binary]) -> None:
    """The same bytes on every machine: `common/maths.pxd` has what is needed of these."""
    for name, binary in libraries.items():
        assert [symbol for symbol in binary.imports if ROUNDED.fullmatch(symbol)] == [], name
