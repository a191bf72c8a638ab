"""What there is: the plugin's filters, as the plugin itself tells of them, and what is made of them."""

from collections.abc import Iterator
from dataclasses import dataclass

import vapoursynth as vs

from vs_vdiff.presets import COMPOSITIONS, Composition

__all__ = ["Argument", "Entry", "entries"]

TYPES = {"vnode": "clip", "int": "int", "float": "float", "data": "str"}


@dataclass(frozen=True)
class Argument:
    """An argument of a filter.

    Attributes:
        name: Its name.
        kind: Its type: clip, int, float, str; `float[]` takes one or several.
        optional: Whether it may be left out.
        default: What it is then, if that is one value; else empty.
    """

    name: str
    kind: str
    optional: bool
    default: str

    def __str__(self) -> str:
        given = f" = {self.default}" if self.default else " = …" if self.optional else ""
        return f"{self.name}: {self.kind}{given}"


@dataclass(frozen=True)
class Entry:
    """A filter: its name, what it does in one sentence, and its arguments in order."""

    name: str
    meaning: str
    arguments: list[Argument]

    def __str__(self) -> str:
        return f"{self.name}({', '.join(map(str, self.arguments))})"


def entries() -> Iterator[Entry]:
    """Tell of all filters of `core.vdiff`, then of those that are made of them."""
    told: dict[str, tuple[str, str]] = vs.core.vdiff.Filters()
    for name, (meaning, defaults) in told.items():
        yield entry(getattr(vs.core.vdiff, name), meaning, defaults)
    for each in COMPOSITIONS.values():
        yield entry(each, each.meaning, each.defaults)


def entry(function: vs.Function | Composition, meaning: str, defaults: str) -> Entry:
    """Put together what a signature and a line of defaults, as in a chain of filters, say."""
    values = dict(default.split("=") for default in defaults.split(":") if default)
    arguments = []
    for declaration in function.signature.rstrip(";").split(";"):
        name, kind, *flags = declaration.split(":")
        brackets = "[]" if kind.endswith("[]") else ""
        kind = TYPES[kind.removesuffix("[]")] + brackets
        arguments.append(Argument(name, kind, "opt" in flags, values.get(name, "")))
    return Entry(function.name, meaning, arguments)
