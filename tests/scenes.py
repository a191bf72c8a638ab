"""Clips with known cuts, made of real shots: pans, flashes, fades, dissolves and noise that are no cuts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import vapoursynth as vs
from numpy.typing import NDArray

from reference import Real
from support import frames_of

WIDTH, HEIGHT = 160, 72
SHOTS = {
    "bikes.mp4": [(0, 30), (30, 76), (76, 137), (137, 187), (187, 242)],
    "bigbuckbunny.mp4": [(0, 66), (66, 132)],
    "carphone_pristine.mp4": [(0, 60), (60, 120)],
}
KINDS = ("still", "noise", "flash", "pan", "fade", "noise flash", "noise pan", "flash pan")
QUIET = 9
"""Frames between flashes, and between a flash and a cut."""


@dataclass(frozen=True)
class Scenes:
    """A clip, shape (frames, h, w) in 8 bits, and its cuts."""

    kind: str
    frames: NDArray[np.uint8]
    cuts: list[int]


def load_shots(folder: Path) -> list[Real]:
    """Luma of real shots, 320 pixels wide."""
    shots: list[Real] = []
    for name, ranges in SHOTS.items():
        clip = vs.core.bs.VideoSource(str(folder / name), cachemode=0)
        clip = vs.core.resize.Bilinear(clip, 320, clip.height * 320 // clip.width, format=vs.GRAY8)
        frames = np.stack([np.asarray(frame[0]).copy() for frame in frames_of(clip)])
        shots += [frames[first:last].astype(np.float64) for first, last in ranges]
    return shots


def view(rng: np.random.Generator, shot: Real, count: int, speed: float) -> Real:
    """A window of a shot, which moves so many pixels a frame, to and fro; the shot is played to and fro as well."""
    height, width = shot.shape[1:]
    x, y = rng.uniform(0, width - WIDTH), int(rng.integers(0, height - HEIGHT + 1))
    start, flip = int(rng.integers(0, len(shot))), rng.random() < 0.5
    out = np.empty((count, HEIGHT, WIDTH))
    for i in range(count):
        n = (start + i) % (2 * len(shot) - 2)
        n = n if n < len(shot) else 2 * len(shot) - 2 - n
        out[i] = shot[n, y : y + HEIGHT, int(x) : int(x) + WIDTH]
        if not 0 <= x + speed <= width - WIDTH:
            speed = -speed
        x += speed
    return np.flip(out, axis=2) if flip else out


def add_flashes(rng: np.random.Generator, scene: Real) -> None:
    """Flashes of one to four frames: a light goes on and off, or on and fades."""
    n = QUIET
    while n + 4 + QUIET <= len(scene):
        length, power = int(rng.integers(1, 5)), rng.uniform(0.5, 1.0)
        for i in range(length):
            part = power * (1 - i / length if rng.random() < 0.5 else 1.0)
            scene[n + i] += (255 - scene[n + i]) * part
        n += length + QUIET + int(rng.integers(0, 9))


def join(rng: np.random.Generator, before: Real, after: Real) -> tuple[Real, Real]:
    """A gradual transition of 8 to 20 frames instead of a cut: through black, or a dissolve."""
    length = int(rng.integers(8, 21))
    ramp = np.linspace(0.0, 1.0, length)[:, None, None]
    after = after.copy()
    if rng.random() < 0.5:
        before = np.concatenate([before[:-length], before[-length:] * (1 - ramp)])
        after[:length] *= ramp
        return before, after
    after[:length] = before[-length:] * (1 - ramp) + after[:length] * ramp
    return before[:-length], after


def make_scenes(rng: np.random.Generator, shots: Sequence[Real], kind: str) -> Scenes:
    """Five shots of 24 to 48 frames, of different brightness and contrast."""
    parts: list[Real] = []
    cuts: list[int] = []
    order = rng.permutation(len(shots))[:5]
    for shot in order:
        speed = float(rng.uniform(4, 20) * rng.choice([-1, 1])) if "pan" in kind else 0.0
        scene = view(rng, shots[shot], int(rng.integers(44, 69) if "fade" in kind else rng.integers(24, 49)), speed)
        scene = np.clip((scene - 128) * rng.uniform(0.7, 1.2) + 128 + rng.uniform(-20, 20), 0, 255)
        if "flash" in kind:
            add_flashes(rng, scene)
        if parts and kind == "fade" and rng.random() < 0.7:
            parts[-1], scene = join(rng, parts[-1], scene)
        elif parts:
            cuts.append(sum(map(len, parts)))
        parts.append(scene)
    frames = np.concatenate(parts)
    if "noise" in kind:
        frames = frames + rng.normal(0.0, rng.uniform(5.0, 25.0), frames.shape)
    return Scenes(kind, np.clip(np.rint(frames), 0, 255).astype(np.uint8), cuts)
