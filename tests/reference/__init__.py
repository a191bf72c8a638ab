"""NumPy float64 references, written from the formulas, and the one place where values become stored samples.

Nothing here knows of VapourSynth. A reference takes and returns values in sample units (0...peak for integers) before
rounding; how they are stored is a matter of `Samples`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

Real = NDArray[np.float64]


@dataclass(frozen=True)
class Samples:
    """How the samples of one plane are stored.

    Attributes:
        bits: Bits per sample: 8...16 for integers, 16 or 32 for float.
        is_float: Whether samples are float; then the range is 0...1, or -0.5...0.5 for chroma.
        chroma: Whether the plane is U or V.
        limited: Whether an integer plane has limited range, black at 16 on the 8-bit scale.
        subsampling: Luma pixels of a sample, across and down.
    """

    bits: int
    is_float: bool = False
    chroma: bool = False
    limited: bool = False
    subsampling: tuple[int, int] = (1, 1)

    @property
    def dtype(self) -> DTypeLike:
        """The NumPy type of a stored sample."""
        if self.is_float:
            return np.float16 if self.bits == 16 else np.float32
        return np.uint8 if self.bits == 8 else np.uint16

    @property
    def peak(self) -> float:
        """The largest integer sample, 1.0 for float."""
        return 1.0 if self.is_float else 2.0**self.bits - 1.0

    @property
    def unit(self) -> float:
        """One unit of the 8-bit scale, in which parameters are given."""
        return self.peak / 255.0

    @property
    def step(self) -> float:
        """The resolution of the output: 1 for integers, 2^-16 of the range for float."""
        return 2.0**-16 if self.is_float else 1.0

    @property
    def rest(self) -> float:
        """The value of no signal: black, or neutral for chroma."""
        if self.is_float:
            return 0.0
        if self.chroma:
            return 2.0 ** (self.bits - 1)
        return 16.0 * 2.0 ** (self.bits - 8) if self.limited else 0.0

    @property
    def white(self) -> float:
        """White of luma and RGB."""
        return 235.0 * 2.0 ** (self.bits - 8) if self.limited and not self.is_float else self.peak

    @property
    def low(self) -> float:
        """The lower end of the nominal range."""
        return -0.5 if self.is_float and self.chroma else 0.0

    @property
    def high(self) -> float:
        """The upper end of the nominal range."""
        return self.low + self.peak

    def clamp(self, values: Real) -> Real:
        """Values as far as they can be stored: integers are clamped to 0...peak, float is left alone."""
        return values if self.is_float else np.clip(values, 0.0, self.peak)

    def store(self, values: Real) -> NDArray[Any]:
        """Stored samples: integers clamped and rounded half up, float rounded to nearest even."""
        if self.is_float:
            return values.astype(self.dtype)
        return np.floor(self.clamp(values) + 0.5).astype(self.dtype)

    def excess(self, stored: NDArray[Any], values: Real) -> Real:
        """How much further stored samples are from their unrounded values than rounding explains; exact ones <= 0."""
        exact, found = self.clamp(values), stored.astype(np.float64)
        half_step: float | Real = 0.5
        if self.is_float:
            # What is too large for the format is infinite in it: the next number that it would have.
            largest = np.finfo(self.dtype)
            beyond = 2.0**largest.maxexp
            exact, found = np.clip(exact, -beyond, beyond), np.clip(found, -beyond, beyond)
            magnitude = np.minimum(np.abs(exact), 0.75 * float(largest.max)).astype(self.dtype)  # of the same spacing
            half_step = 0.5 * np.spacing(magnitude).astype(np.float64)
        distance: Real = np.abs(found - exact) - half_step
        return distance
