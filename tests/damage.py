"""Real clips with damage planted in them, and clips without any that a filter could take for damaged."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import vapoursynth as vs
from numpy.typing import NDArray

from support import frames_of

Clip = NDArray[np.uint8]
"""Luma of 8 bits, shape (frames, h, w)."""

CUTS = {"bikes.mp4": [30, 76, 137, 187, 242], "bigbuckbunny.mp4": [], "carphone_pristine.mp4": []}
LONGEST = 3
"""Frames of a run of damage."""
SPARSE = 12
"""Good frames between two runs, at least."""
SEEN = 0.5
"""How far a repeat has to be from the frame it stands for: where nothing moves, it is no damage."""


@cache
def load(folder: Path, name: str, width: int = 320) -> Clip:
    """Luma of a clip, reduced to at most this width; not to be written to."""
    clip = vs.core.bs.VideoSource(str(folder / name), cachemode=0)
    width = min(width, clip.width)
    clip = vs.core.resize.Bilinear(clip, width, clip.height * width // clip.width, format=vs.GRAY8)
    pictures = np.stack([np.array(frame[0]) for frame in frames_of(clip)])
    pictures.flags.writeable = False
    return pictures


# Damage: each makes the frames of a run from the clip, the place and the length of the run.

Damage = Callable[[np.random.Generator, Clip, int, int], Clip]


def solid(level: int) -> Damage:
    """Frames of one level."""
    return lambda rng, clip, start, length: np.full((length, *clip.shape[1:]), level, np.uint8)


def noise(rng: np.random.Generator, clip: Clip, start: int, length: int) -> Clip:
    """Samples that have nothing to do with each other."""
    return rng.integers(0, 256, (length, *clip.shape[1:]), np.uint8)


def lower_part(spoil: Callable[[np.random.Generator, Clip], Any]) -> Damage:
    """From a third to two thirds of the height on, each frame is spoilt."""

    def run(rng: np.random.Generator, clip: Clip, start: int, length: int) -> Clip:
        out = clip[start : start + length].copy()
        for picture in out:
            y = int(len(picture) * rng.uniform(0.33, 0.67))
            picture[y:] = spoil(rng, picture[y:])
        return out

    return run


def blocks(rng: np.random.Generator, clip: Clip, start: int, length: int) -> Clip:
    """Two of five macroblocks are those of another place."""
    out = clip[start : start + length].copy()
    height, width = clip.shape[1:]
    for i in range(length):
        for y in range(0, height - 15, 16):
            for x in range(0, width - 15, 16):
                if rng.random() < 0.4:
                    v, u = rng.integers(0, height - 15), rng.integers(0, width - 15)
                    out[i, y : y + 16, x : x + 16] = clip[start + i, v : v + 16, u : u + 16]
    return out


def elsewhere(rng: np.random.Generator, clip: Clip, start: int, length: int) -> Clip:
    """Frames from another part of the clip."""
    far = min(40, len(clip) // 3)
    first = start + int(rng.integers(far, len(clip) - far))
    return clip[np.arange(first, first + length) % len(clip)]


def dark(rng: np.random.Generator, clip: Clip, start: int, length: int) -> Clip:
    """A part of the light."""
    return (clip[start : start + length] * rng.uniform(0.2, 0.5)).astype(np.uint8)


def upside_down(rng: np.random.Generator, clip: Clip, start: int, length: int) -> Clip:
    """Frames upside down."""
    return clip[start : start + length, ::-1]


def repeat(rng: np.random.Generator, clip: Clip, start: int, length: int) -> Clip:
    """The frame before, in place of frames that were dropped."""
    return np.repeat(clip[start - 1 : start], length, axis=0)


DAMAGE: dict[str, Damage] = {
    "black": solid(16),
    "white": solid(235),
    "grey": solid(128),
    "green": solid(60),
    "noise": noise,
    "lower part grey": lower_part(lambda rng, part: 128),
    "lower part shifted": lower_part(lambda rng, part: np.roll(part, int(part.shape[1] * rng.uniform(0.2, 0.8)), 1)),
    "lower part smeared": lower_part(lambda rng, part: part[0]),
    "blocks": blocks,
    "from elsewhere": elsewhere,
    "dark": dark,
    "upside down": upside_down,
    "repeat": repeat,
}


def plant(
    rng: np.random.Generator, clip: Clip, cuts: Collection[int], kinds: Collection[str] = tuple(DAMAGE)
) -> tuple[Clip, dict[int, str]]:
    """A clip with runs of damage at random places between two good frames of one scene.

    Args:
        rng: Where and what.
        clip: The clip.
        cuts: Frames that start its scenes.
        kinds: The damage to choose from.

    Returns:
        The clip, and of each damaged frame the kind.
    """
    out, spoilt = clip.copy(), dict[int, str]()
    start = int(rng.integers(2, SPARSE))
    while start < len(clip) - LONGEST - 2:
        length, kind = int(rng.integers(1, LONGEST + 1)), str(rng.choice(list(kinds)))
        run = DAMAGE[kind](rng, clip, start, length)
        shift = np.abs(run.astype(float) - clip[start : start + length]).mean(axis=(1, 2)).min()
        if any(start <= cut <= start + length for cut in cuts) or shift < SEEN:
            start += 1
            continue
        out[start : start + length] = run
        spoilt |= dict.fromkeys(range(start, start + length), kind)
        start += length + SPARSE + int(rng.integers(0, SPARSE))
    return out, spoilt


# No damage.


def crop(picture: NDArray[Any], x: float, y: float, scale: float = 1.0, height: int = 90, width: int = 160) -> Any:
    """A part of a picture between its pixels, from (x, y) on, by bilinear interpolation."""
    v = np.clip(y + scale * np.arange(height), 0, picture.shape[0] - 1.001)
    u = np.clip(x + scale * np.arange(width), 0, picture.shape[1] - 1.001)
    j, i = v.astype(int), u.astype(int)
    b, a = (v - j)[:, None], (u - i)[None]
    rows = picture[j] * (1 - b) + picture[j + 1] * b
    return rows[:, i] * (1 - a) + rows[:, i + 1] * a


def path(picture: NDArray[Any], xs: Any, ys: Any = 0.0, scales: Any = 1.0) -> NDArray[Any]:
    """A camera that moves over a picture."""
    xs, ys, scales = np.broadcast_arrays(np.asarray(xs, float), ys, scales)
    return np.stack([crop(picture, x, y, s) for x, y, s in zip(xs, ys, scales, strict=True)])


def undamaged(rng: np.random.Generator, folder: Path) -> Mapping[str, Clip]:
    """Clips of a second or two, by what they show."""
    bunny = load(folder, "bigbuckbunny.mp4", 640)[:60].astype(float)
    bikes = load(folder, "bikes.mp4", 640)[:201].astype(float)
    carphone = load(folder, "carphone_pristine.mp4").astype(float)
    wall = np.tile(rng.uniform(0, 255, (30, 80)).repeat(8, axis=0).repeat(8, axis=1), (2, 1))
    stills = {"street": bikes[200], "texture": wall}
    t = np.arange(32)
    clips: dict[str, Any] = {}
    for name, still in stills.items():
        room_x, room_y = still.shape[1] - 160.0, still.shape[0] - 90.0
        for speed in (0.3, 2.0, 7.0, 30.0):
            there = np.abs((speed * t + 31) % (2 * room_x) - room_x)
            clips[f"{name}, pan of {speed:g}"] = path(still, there, room_y / 2)
        clips[f"{name}, pan that starts and stops"] = path(still, np.cumsum(8.0 * ((t // 12) % 2)), room_y / 3)
        clips[f"{name}, pan that accelerates"] = path(still, 0.18 * t**2, room_y / 3)
        clips[f"{name}, zoom"] = path(still, room_x / 4, room_y / 4, 1.6 - 0.02 * t)
        clips[f"{name}, fast zoom"] = path(still, room_x / 4, room_y / 4, 1.7 * 0.94**t)
        jolts = [np.convolve(rng.normal(0, 6, 34), (0.25, 0.5, 0.25), "valid") for _ in range(2)]
        clips[f"{name}, shaking camera"] = path(still, room_x / 2 + jolts[0], room_y / 2 + jolts[1] / 2)
        bump = 9.0 * np.exp(-np.maximum(t - 20, 0) / 4) * np.sin(np.maximum(t - 20, 0) * 1.3)
        clips[f"{name}, bumped camera"] = path(still, room_x / 2 + bump, room_y / 2 + bump / 2)
        clips[f"{name}, fades"] = path(still, 2.0 * t) * np.abs(np.cos(t * np.pi / 24))[:, None, None]
        grain = rng.normal(0, 12, (32, 90, 160))
        clips[f"{name}, still in grain"] = path(still, np.full(32, 50.0)) + grain
        clips[f"{name}, freezes"] = path(still, np.minimum(4.0 * t, 60) + np.maximum(0, 4.0 * (t - 25)))
    moving = bunny[:60, 100:190, 200:360]
    driven = carphone[:60]
    for name, shot in (("animation", moving), ("talk", driven)):
        for each, what in ((2, "twos"), (3, "threes")):
            clips[f"{name} on {what}"] = shot[np.arange(60) // each * each]
        clips[f"{name} on ones and twos"] = shot[np.cumsum(np.resize([1, 1, 0, 1, 0, 1, 1, 1, 0], 60))[:50] % 60]
        clips[f"{name}, 24 to 30"] = shot[np.arange(60) * 4 // 5]
        clips[f"{name}, 25 to 30"] = shot[np.arange(60) * 5 // 6]
        clips[f"{name}, 24 to 25"] = shot[np.arange(60) * 24 // 25]
    shots = [bikes[m, 90:180, 200:360] for m in (0, 40, 100, 150, 200)]
    for length in (1, 2, 3, 5):
        clips[f"shots of {length}"] = np.concatenate([np.repeat(s[None], length, axis=0) for s in shots * 3])
    for length in (1, 2, 3):
        clips[f"two shots that alternate every {length}"] = np.stack([shots[i // length % 2] for i in range(36)])
    ball = path(stills["street"], np.full(32, 100.0))
    for n in range(20, 28):
        ball[n, 30:60, 20 * (n - 20) : 20 * (n - 20) + 24] = 240
    clips["a ball flies by"] = ball
    for seen in range(1, 9):
        moving = path(stills["street"], 100 + seen % 3 * t)
        height = int(rng.integers(12, 40))
        width, tone, speed = int(rng.integers(6, 800 // height + 1)), rng.uniform(0, 255), int(rng.integers(2, 30))
        for n in range(16, 16 + seen):
            left = 5 + speed * (n - 16) % 120
            moving[n, 30 : 30 + height, left : left + width] = tone
        clips[f"a thing is seen for {seen} frames"] = moving
    light = path(stills["street"], 1.5 * t)
    for n, power in ((10, 0.7), (20, 0.5), (21, 0.25), (28, 0.85)):
        light[n] += power * (255 - light[n])
    clips["flashes"] = light
    dissolve = np.clip((t - 8) / 16, 0, 1)[:, None, None]
    ridden, run = bikes[np.minimum(t, 29), 90:180, 200:360], bunny[t, 100:190, 200:360]
    clips["dissolve"] = ridden * (1 - dissolve) + run * dissolve
    return {name: np.clip(np.rint(clip), 0, 255).astype(np.uint8) for name, clip in clips.items()}
