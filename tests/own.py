"""Functions of one's own as the tables of cases take them: compiled for the clip at hand, handed over as a ticket."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import vapoursynth as vs

from vs_vdiff.kernel_layout import Signature
from vs_vdiff.kernels import Compiled, Kernel, compile_diffusivity, kernel, sample_of


@kernel
def lighten(dst: Any, src: Any, params: Any) -> None:
    """Of three frames u, r, v: u + params[0] max(r - u, 0) + params[1] (v, one pixel to the left, - u)."""
    for y in range(dst.height):
        for x in range(dst.width):
            u = src[0][y, x]
            moved = src[2][y, x - 1 if x > 0 else 0]
            dst[y, x] = u + params[0] * max(src[1][y, x] - u, 0) + params[1] * (moved - u)


def exp(s2: float) -> float:
    return math.exp(-s2)


def rational(s2: float) -> float:
    return 1 / (1 + s2)


def charbonnier(s2: float) -> float:
    return 1 / math.sqrt(1 + s2)


def tukey(s2: float) -> float:
    rest = max(1 - s2 / 5, 0)
    return rest * rest


compiled: dict[object, Compiled] = {}
"""Whatever was compiled, so that tickets stay good."""


def kept(name: object, make: Callable[[], Compiled]) -> bytes:
    """The ticket of what has a name, made once."""
    if name not in compiled:
        compiled[name] = make()
    return compiled[name].ticket


@dataclass(frozen=True)
class Compile:
    """The argument `kernel` of `Kernel`: a function for a clip's format.

    Attributes:
        function: The function.
        sources: How many frames it reads.
        params: How many numbers it takes.
        format: The format of the output; empty: the clip's.
    """

    function: Kernel
    sources: int = 1
    params: int = 0
    format: str = ""

    def __call__(self, clip: Any) -> bytes:
        """The ticket."""
        to = vs.core.get_video_format(getattr(vs, self.format)) if self.format else clip.format
        signature = Signature(sample_of(clip.format), sample_of(to), self.sources, self.params)
        return kept((self.function, signature), lambda: self.function.compile(signature))

    def __repr__(self) -> str:
        return self.function.__name__


@dataclass(frozen=True)
class PerPlane:
    """The argument `params` of `Kernel`, a row for each plane."""

    rows: tuple[Sequence[float], ...]

    def __call__(self, clip: Any) -> list[float]:
        """Those of the clip's planes."""
        return [number for row in self.rows[: clip.format.num_planes or 1] for number in row]

    def __repr__(self) -> str:
        return "per-plane"


class Own(str):
    """A diffusivity that has a name, written as one's own: the name for references, a ticket for the filter."""

    __slots__ = ()

    def __call__(self, clip: Any) -> bytes:
        """The ticket."""
        return kept(str(self), lambda: compile_diffusivity(globals()[str(self)]))

    def __format__(self, spec: str) -> str:
        return f"own-{self!s}"
