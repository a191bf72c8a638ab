"""What a library shows and needs, read from its file, so that no tool need be installed: ELF, PE and Mach-O of 64 bits.

As a program it prints that of files: `python tests/binaries.py FILE...`.
"""

from __future__ import annotations

import struct
import sys
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Binary:
    """A library's dynamic part. Symbols are as C has them."""

    exports: list[str] = field(default_factory=list)
    imports: list[str] = field(default_factory=list)
    libraries: list[str] = field(default_factory=list)
    search_paths: list[str] = field(default_factory=list)
    versions: list[str] = field(default_factory=list)
    """Of the symbols that are needed, such as GLIBC_2.17; ELF alone has them."""


def text(data: bytes, at: int) -> str:
    """A string that ends with a zero."""
    return data[at : data.index(b"\0", at)].decode()


def read_binary(file: Path) -> Binary:
    """Read a library.

    Args:
        file: It is told from its first bytes what it is.
    """
    data = file.read_bytes()
    if data[:6] == b"\x7fELF\x02\x01":
        return read_elf(data)
    if data[:2] == b"MZ":
        return read_pe(data)
    if data[:4] == b"\xcf\xfa\xed\xfe":
        return read_mach(data)
    raise ValueError(f"{file} is no little-endian library of 64 bits")


def read_elf(data: bytes) -> Binary:
    """Linux's, after the sections' headers."""
    dynamic, symbols, needs = 6, 11, 0x6FFFFFFE  # sections' kinds
    needed, rpath, runpath = 1, 15, 29  # entries of the dynamic section
    found = Binary()
    (start,) = struct.unpack_from("<Q", data, 0x28)
    size, count = struct.unpack_from("<HH", data, 0x3A)
    sections = [struct.unpack_from("<IIQQQQIIQQ", data, start + i * size) for i in range(count)]
    for _, kind, _, _, at, length, link, entries, _, entry in sections:
        names = sections[link][4]
        if kind == symbols:
            for symbol in range(at + entry, at + length, entry):  # the first one is empty
                name, _, other, section = struct.unpack_from("<IBBH", data, symbol)
                if section == 0:
                    found.imports.append(text(data, names + name))
                elif other & 3 not in (1, 2):  # internal, hidden
                    found.exports.append(text(data, names + name))
        elif kind == dynamic:
            for tag, value in struct.iter_unpack("<qQ", data[at : at + length]):
                if tag == needed:
                    found.libraries.append(text(data, names + value))
                elif tag in (rpath, runpath):
                    found.search_paths.append(text(data, names + value))
        elif kind == needs:
            for _ in range(entries):
                _, versions, _, first, following = struct.unpack_from("<HHIII", data, at)
                version = at + first
                for _ in range(versions):
                    name, more = struct.unpack_from("<8xII", data, version)
                    found.versions.append(text(data, names + name))
                    version += more
                at += following
    return found


def read_pe(data: bytes) -> Binary:
    """Windows', after the directories of exports and imports."""
    found = Binary()
    (header,) = struct.unpack_from("<I", data, 0x3C)
    (count,) = struct.unpack_from("<H", data, header + 6)
    (size,) = struct.unpack_from("<H", data, header + 20)
    optional = header + 24
    assert struct.unpack_from("<H", data, optional) == (0x20B,), "not of 64 bits"
    sections: list[tuple[int, ...]]
    sections = [struct.unpack_from("<8xIIII", data, optional + size + 40 * i) for i in range(count)]

    def offset(address: int) -> int:
        """In the file."""
        return next(raw + address - start for _, start, length, raw in sections if 0 <= address - start < length)

    exports, _, imports, _ = struct.unpack_from("<IIII", data, optional + 112)
    if exports:
        (names,) = struct.unpack_from("<I", data, offset(exports) + 24)
        (table,) = struct.unpack_from("<I", data, offset(exports) + 32)
        addresses = struct.unpack_from(f"<{names}I", data, offset(table)) if names else ()
        found.exports += [text(data, offset(address)) for address in addresses]
    library = offset(imports) if imports else 0
    while imports and any(data[library : library + 20]):
        thunks, _, _, name, _ = struct.unpack_from("<IIIII", data, library)
        found.libraries.append(text(data, offset(name)))
        thunk = offset(thunks)
        while (address := struct.unpack_from("<Q", data, thunk)[0]) != 0:
            if address < 1 << 63:  # by name, after a hint of two bytes
                found.imports.append(text(data, offset(address) + 2))
            thunk += 8
        library += 20
    return found


def read_mach(data: bytes) -> Binary:
    """That of macOS, after the load commands."""
    symbols, load, load_weak, rpath = 2, 0xC, 0x80000018, 0x8000001C  # commands
    found = Binary()
    (count,) = struct.unpack_from("<I", data, 16)
    at = 32
    for _ in range(count):
        command, size = struct.unpack_from("<II", data, at)
        if command == symbols:
            table, entries, names = struct.unpack_from("<III", data, at + 8)
            for symbol in range(table, table + 16 * entries, 16):
                name, kind = struct.unpack_from("<IB", data, symbol)
                if kind & 0xE0 or not kind & 1 or kind & 0x10:  # for debuggers, local, private
                    continue
                (found.exports if kind & 0xE else found.imports).append(text(data, names + name).removeprefix("_"))
        elif command in (load, load_weak):
            found.libraries.append(text(data, at + struct.unpack_from("<I", data, at + 8)[0]))
        elif command == rpath:
            found.search_paths.append(text(data, at + struct.unpack_from("<I", data, at + 8)[0]))
        at += size
    return found


if __name__ == "__main__":
    for argument in sys.argv[1:]:
        print(argument, read_binary(Path(argument)))
