"""What the installed libraries need and show: nothing of Python, and one entry point.

The dynamic symbols are read from the file itself, so that no tool need be installed.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

SHT_DYNAMIC, SHT_DYNSYM = 6, 11
DT_NEEDED, DT_RPATH, DT_RUNPATH = 1, 15, 29
ROUNDED = re.compile(
    r"_*(exp|exp2|exp10|expm1|log|log2|log10|log1p|pow|a?(sin|cos|tan)h?|atan2|sincos|cbrt|hypot|erfc?|[lt]gamma)[fl]?"
)
"""Functions whose last bit is a matter of the library of mathematics, and in glibc of the processor."""
ALLOWED_LIBRARIES = ("libc.so", "libm.so", "libpthread.so", "libdl.so", "libgcc_s.so", "ld-linux")


@dataclass(frozen=True)
class Section:
    """A section's header."""

    kind: int
    offset: int
    size: int
    link: int
    entry: int


@dataclass(frozen=True)
class Symbol:
    """A dynamic symbol."""

    name: str
    defined: bool
    hidden: bool


class Elf:
    """The dynamic part of a little-endian 64-bit ELF file."""

    def __init__(self, file: Path) -> None:
        self.data = file.read_bytes()
        assert self.data[:6] == b"\x7fELF\x02\x01", f"{file} is not a little-endian 64-bit ELF file"
        (start,) = struct.unpack_from("<Q", self.data, 0x28)
        size, count = struct.unpack_from("<HH", self.data, 0x3A)
        headers = [struct.unpack_from("<IIQQQQIIQQ", self.data, start + i * size) for i in range(count)]
        self.sections = [Section(kind=h[1], offset=h[4], size=h[5], link=h[6], entry=h[9]) for h in headers]

    def section(self, kind: int) -> Section:
        """The section of a kind that exists once."""
        (found,) = (s for s in self.sections if s.kind == kind)
        return found

    def string(self, table: Section, at: int) -> str:
        """A name in a string table."""
        start = table.offset + at
        return self.data[start : self.data.index(b"\0", start)].decode()

    def symbols(self) -> list[Symbol]:
        """All dynamic symbols but the empty first one."""
        table = self.section(SHT_DYNSYM)
        names = self.sections[table.link]
        found = []
        for at in range(table.offset + table.entry, table.offset + table.size, table.entry):
            name, _, other, section = struct.unpack_from("<IBBH", self.data, at)
            found.append(Symbol(self.string(names, name), defined=section != 0, hidden=other & 3 in (1, 2)))
        return found

    def dynamic(self, *tags: int) -> list[str]:
        """The strings of some entries of the dynamic section."""
        table = self.section(SHT_DYNAMIC)
        entries = struct.iter_unpack("<qQ", self.data[table.offset : table.offset + table.size])
        return [self.string(self.sections[table.link], value) for tag, value in entries if tag in tags]


@pytest.fixture(scope="session")
def libraries(core: Any) -> dict[str, Elf]:
    """All installed libraries of the plugin, by name."""
    files = sorted(Path(core.vdiff.plugin_path).parent.glob("*.so"))
    assert files
    return {file.name: Elf(file) for file in files}


def test_reader_sees_python_where_it_is() -> None:
    """The reader is not blind: a Python extension shows its symbols."""
    import vapoursynth

    (extension,) = (f for f in Path(vapoursynth.__file__).parent.glob("vapoursynth*.so"))
    symbols = Elf(extension).symbols()
    assert any(s.name.startswith("Py") and not s.defined for s in symbols)
    assert any(s.name.startswith("PyInit_") and s.defined for s in symbols)
    assert Elf(extension).dynamic(DT_NEEDED)


def test_no_symbol_of_python(libraries: dict[str, Elf]) -> None:
    for name, elf in libraries.items():
        assert [s.name for s in elf.symbols() if s.name.lstrip("_").startswith("Py")] == [], name


def test_one_entry_point(libraries: dict[str, Elf]) -> None:
    for name, elf in libraries.items():
        exported = [s.name for s in elf.symbols() if s.defined and not s.hidden]
        assert exported == ["VapourSynthPluginInit2"], name


def test_no_library_but_the_system_s(libraries: dict[str, Elf]) -> None:
    for name, elf in libraries.items():
        assert [need for need in elf.dynamic(DT_NEEDED) if not need.startswith(ALLOWED_LIBRARIES)] == [], name


def test_no_search_path(libraries: dict[str, Elf]) -> None:
    """A path of the machine that built it has no place in a plugin."""
    for name, elf in libraries.items():
        assert elf.dynamic(DT_RPATH, DT_RUNPATH) == [], name


def test_no_function_that_is_rounded_otherwise_elsewhere(libraries: dict[str, Elf]) -> None:
    """The same bytes on every machine: `common/maths.pxd` has what is needed of these."""
    for name, elf in libraries.items():
        assert [s.name for s in elf.symbols() if not s.defined and ROUNDED.fullmatch(s.name)] == [], name
