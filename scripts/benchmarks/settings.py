"""Pictures to measure on: sizes, depths, families, threads, and clips whose frames are in memory."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import vapoursynth as vs
from numpy.typing import NDArray

core = vs.core

type Clip = vs.VideoNode
type Picture = NDArray[Any]

SIZES = {
    "480p": (854, 480),
    "720p": (1280, 720),
    "1080p": (1920, 1080),
    "2160p": (3840, 2160),
    "4320p": (7680, 4320),
}
DEPTHS = {"8": 1, "16": 2, "float": 4}
"""Bytes of a sample."""
FORMATS = {
    ("GRAY", "8"): vs.GRAY8,
    ("GRAY", "16"): vs.GRAY16,
    ("GRAY", "float"): vs.GRAYS,
    ("YUV420", "8"): vs.YUV420P8,
    ("YUV420", "16"): vs.YUV420P16,
    ("YUV420", "float"): vs.YUV420PS,
    ("RGB", "8"): vs.RGB24,
    ("RGB", "16"): vs.RGB48,
    ("RGB", "float"): vs.RGBS,
}
SAMPLES = {"GRAY": 1.0, "YUV420": 1.5, "RGB": 3.0}
"""Of a frame, for each pixel."""
FRAMES = 16
"""Different frames of a clip: together they are more than the second-level caches hold."""


class NotThereError(Exception):
    """Something that cannot be measured here; the reason."""


@cache
def clips_folder() -> Path:
    """The folder of the real clips: VDIFF_CLIPS, else what `scripts/fetch-clips` prints."""
    if given := os.environ.get("VDIFF_CLIPS"):
        return Path(given)
    script = Path(__file__).parent.parent / "fetch-clips"
    return Path(subprocess.run([script], check=True, stdout=subprocess.PIPE, text=True).stdout.strip())


@dataclass(frozen=True)
class Setting:
    """Where something is measured.

    Attributes:
        size: One of SIZES.
        depth: One of DEPTHS.
        threads: Of the core, and of peers.
    """

    size: str
    depth: str
    threads: int

    def __str__(self) -> str:
        kind = "float" if self.depth == "float" else f"{self.depth} bit"
        return f"{self.size} {kind}, {self.threads} thread{'s' * (self.threads > 1)}"

    @property
    def width(self) -> int:
        return SIZES[self.size][0]

    @property
    def height(self) -> int:
        return SIZES[self.size][1]

    def samples(self, family: str) -> float:
        """Samples of a frame."""
        return SAMPLES[family] * self.width * self.height

    def bytes(self, family: str) -> float:
        """Bytes of a frame."""
        return self.samples(family) * DEPTHS[self.depth]

    def clip(self, family: str, length: int, frames: int = FRAMES) -> Clip:
        """A clip of smooth moving noise, its frames already in memory."""
        pictures = held(FORMATS[family, self.depth], self.width, self.height, frames)
        # Once more than it takes, or a clip of as many frames would be the held one, whose cache is not to be touched.
        return core.std.Loop(pictures, -(-length // frames) + 1)[:length]

    def planes(self, family: str = "GRAY", frames: int = FRAMES) -> list[list[Picture]]:
        """The planes of the same frames as arrays."""
        return [[np.array(plane) for plane in frame] for frame in self.clip(family, frames).frames(close=True)]


def texture(shape: tuple[int, int], random: np.random.Generator) -> Picture:
    """Smooth noise with a tenth of white noise, 0...1."""
    coarse = random.random((shape[0] // 8 + 1, shape[1] // 8 + 1), np.float32)
    values = np.kron(coarse, np.ones((8, 8), np.float32))[: shape[0], : shape[1]]
    return 0.9 * values + 0.1 * random.random(shape, np.float32)


@lru_cache(maxsize=2)
def held(fmt: vs.PresetVideoFormat, width: int, height: int, frames: int) -> Clip:
    """Frames that a cache holds. They are a picture moved about, so that none is like the one before."""
    random = np.random.default_rng(1)
    blank = core.std.BlankClip(format=fmt, width=width, height=height, length=1)
    first = blank.get_frame(0)
    chroma = blank.format.color_family == vs.YUV
    textures = [texture(np.asarray(plane).shape, random) for plane in first]

    def picture(n: int) -> Clip:
        frame = first.copy()
        for number, (plane, values) in enumerate(zip(frame, textures, strict=True)):
            pixels = np.asarray(plane)
            moved = np.roll(values, (5 * n, 44 * n), (0, 1))
            if pixels.dtype.kind == "u":
                pixels[...] = moved * np.iinfo(pixels.dtype).max
            else:
                pixels[...] = moved - 0.5 * (chroma and number > 0)
        return core.std.ModifyFrame(blank, blank, lambda n, f: frame)

    clip = core.std.Splice([picture(n) for n in range(frames)])
    core.std.SetVideoCache(clip, mode=1, fixedsize=1, maxsize=frames, maxhistory=0)
    for n in range(frames):
        clip.get_frame(n).close()
    return clip
