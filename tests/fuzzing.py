"""Random cases: chains of filters with random arguments on random clips, requested in random order, and their judge.

A case is made of two numbers alone, the seed and its own. Whatever it is, it ends in one of these ways:

- A call is refused in the words, and by whom, that `refusals` says. What is due to be refused must be, and no more.
- Frames come, and every stage of the chain is what its reference makes of the frames that it was given, within the
  bound; asked for again in another order, by another instance of the chain, they are the same bytes and properties.
- Where the reference itself moves by more than the bound when its input moves by an ulp, it has as much more room.
- Frames come that no reference is defined for, or that it would take too long for: samples beyond what the format
  holds, NaN, infinity, thousands of steps. Then they must be the same again, and no more.

No frame may be left in memory.
"""

from __future__ import annotations

import gc
import re
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import vapoursynth as vs

from arguments import ARGUMENTS, CHOICES, CONTRASTS, INTEGERS, NUMBERS
from cases import FILTERS, MARKERS, WHOLE, Args, Case, guides_of, masks_of
from markers import OFF, best_scores, filled, frames_in, repair_scores, scene_scores
from own import Compile, Own, PerPlane, lighten
from reference import Real, repairframes, scenedetect
from reference import decay as decay_reference
from reference.diffuse import elementary_steps
from reference.tensordiffuse import elementary_steps as tensor_steps
from refusals import (
    CONVERSIONS,
    HOST,
    Given,
    HostRefusesError,
    Parameter,
    faults,
    given_values,
    is_supported,
    parameters,
    wrong_words,
)
from support import (
    FORMATS,
    Frame,
    Frames,
    Video,
    assert_freed,
    assert_stored,
    blank,
    cached,
    make_clip,
    picture,
    planes_of,
    random_frames,
    seeded,
    stack,
    uncached,
)

Generator = np.random.Generator

REFERENCE_SECONDS, DRAWN_SECONDS = 0.03, 0.15
"""What a stage may take by estimate: its reference, else it is drawn only; the filter itself, else it is made only."""
READABLE = 300
"""Frames of a clip that is read as a whole."""

namespace = "vdiff"
"""Of the plugin that is tried."""


def core() -> Any:
    """VapourSynth's core."""
    return vs.core


@cache
def signature(name: str) -> str:
    """A filter's."""
    return str(getattr(getattr(core(), namespace), name).signature)


@cache
def words_of(name: str) -> list[Parameter]:
    """A filter's parameters beside the clip."""
    return parameters(signature(name))[1:]


def pick(rng: Generator, options: Sequence[Any]) -> Any:
    """One of them, as it is."""
    return options[int(rng.integers(len(options)))]


def maybe(rng: Generator, share: float) -> bool:
    """Yes, in this share of cases."""
    return bool(rng.random() < share)


# Clips


def random_size(rng: Generator) -> tuple[int, int]:
    """Width and height: 1 to 300, most of them small."""
    kind = rng.random()
    if kind < 0.1:
        return int(rng.integers(1, 4)), int(rng.integers(1, 4))
    width, height = (int(10.0 ** rng.uniform(0.3, 1.55)) for _ in range(2))
    if kind < 0.16:
        width, height = int(rng.integers(40, 301)), 1 + height % 9
    return (width, height) if maybe(rng, 0.5) else (height, width)


def random_bits(rng: Generator, shape: tuple[int, int], dtype: Any) -> Any:
    """Samples of any bits: beyond the peak, NaN, infinite, subnormal."""
    count = shape[0] * shape[1]
    return np.frombuffer(rng.bytes(count * np.dtype(dtype).itemsize), dtype).reshape(shape).copy()


def random_frame(rng: Generator, video: Video, kind: str) -> Frame:
    """A frame of a kind."""
    frame = []
    for p in video.planes:
        samples, shape = video.samples(p), video.shape(p)
        if kind == "any bits":
            frame.append(random_bits(rng, shape, samples.dtype))
        elif kind == "some bits":
            plane = picture(rng, shape, samples)
            odd = rng.random(shape) < 0.05
            plane[odd] = random_bits(rng, shape, samples.dtype)[odd]
            frame.append(plane)
        elif kind == "flat":
            frame.append(samples.store(np.full(shape, rng.uniform(samples.low, samples.high))))
        elif kind == "extremes":
            ends = np.where(rng.random(shape) < rng.random(), samples.low, samples.high)
            frame.append(samples.store(ends))
        elif kind == "steps":
            coarse = rng.uniform(samples.low, samples.high, (9, 9)).repeat(34, axis=0).repeat(34, axis=1)
            frame.append(samples.store(coarse[: shape[0], : shape[1]]))
        else:
            frame.append(picture(rng, shape, samples))
    return frame


def random_content(rng: Generator, video: Video, count: int) -> Frames:
    """Frames that differ much, a little or not at all from each other."""
    kind = pick(rng, ["noise"] * 6 + ["flat", "extremes", "steps", "mixed", "any bits", "some bits"])
    still = maybe(rng, 0.3)
    frames: Frames = []
    for _ in range(count):
        each = pick(rng, ["noise", "flat", "extremes", "steps"]) if kind == "mixed" else kind
        if frames and still and maybe(rng, 0.8):
            frame = [plane.copy() for plane in frames[-1]]
            for plane, new in zip(frame, random_frame(rng, video, "noise"), strict=True):
                changed = rng.random(plane.shape) < pick(rng, [0.0, 0.02, 0.3])
                plane[changed] = new[changed]
        else:
            frame = random_frame(rng, video, each)
        frames.append(frame)
    return frames


def random_props(rng: Generator, count: int) -> list[dict[str, Any]]:
    """Properties of each frame: cuts, and what is none although it has that name."""
    share = pick(rng, [0.0, 0.0, 0.15, 0.5])
    marks: list[Any] = [1, 1, 1, 1, 2, -1, 0, 1.0, "1"]
    return [{"_SceneChangePrev": pick(rng, marks)} if maybe(rng, share) else {} for _ in range(count)]


def random_clip(rng: Generator) -> tuple[Any, str]:
    """A clip that filters take, and what it is."""
    video = Video(str(pick(rng, FORMATS)), *random_size(rng), full=pick(rng, [None, None, False, True]))
    pixels = video.width * video.height
    count = 1 + min(int(10.0 ** rng.uniform(0.0, 1.0)), 6000 // pixels)
    if maybe(rng, 0.06) and pixels < 200:
        count = int(rng.integers(16, 80))
    if maybe(rng, 0.1):
        count = 1
    clip = make_clip(video, random_content(rng, video, count), props=random_props(rng, count))
    name = f"{video.name} {video.width}x{video.height}, {count} frames"
    if maybe(rng, 0.02):
        times = (2**31 - 1) // count
        return core().std.Loop(cached(clip, count), times), f"{name}, {times} times"
    return clip, name


def refused_clip(rng: Generator) -> tuple[Any, str]:
    """A clip that no filter takes."""
    std = core().std

    def of(**args: Any) -> Any:
        return std.BlankClip(**{"format": vs.GRAY8, "width": 8, "height": 8, "length": 2} | args)

    family, bits = pick(rng, [vs.GRAY, vs.YUV, vs.RGB]), int(rng.integers(17, 33))
    clips = {
        f"{family.name} of {bits} bits": of(format=core().query_video_format(family, vs.INTEGER, bits).id),
        "variable format": std.Splice([of(), of(format=vs.GRAY16)], mismatch=True),
        "variable size": std.Splice([of(), of(width=9)], mismatch=True),
        "variable both": std.Splice([of(), of(width=9, format=vs.RGBS)], mismatch=True),
    }
    name = str(pick(rng, list(clips)))
    return clips[name], name


@dataclass(frozen=True)
class Blots:
    """A mask at random.

    Attributes:
        seed: Of the mask.
        share: Of masked pixels.
        many: Whether there is one of each frame.
        name: Its format.
    """

    seed: int
    share: float
    many: bool
    name: str = "GRAY8"

    def __call__(self, clip: Any) -> Any:
        """The mask."""
        rng = np.random.default_rng(self.seed)
        video = Video(self.name, clip.width or 8, clip.height or 8)
        count = min(clip.num_frames, READABLE) if self.many else 1
        frames = random_frames(rng, video, count)
        for frame in frames:
            coarse = rng.random(((video.height + 3) // 4, (video.width + 3) // 4)) < self.share
            covered = coarse.repeat(4, axis=0).repeat(4, axis=1)[: video.height, : video.width]
            frame[0][...] = np.where(covered, np.maximum(frame[0], 1), 0)
        mask = make_clip(video, frames)
        return mask if not self.many or clip.num_frames == count else core().std.Loop(mask, 0)[: clip.num_frames]


@dataclass(frozen=True)
class Other:
    """Another clip, like the one at hand but for one thing.

    Attributes:
        change: That thing.
    """

    change: str

    def __call__(self, clip: Any) -> Any:
        """The clip."""
        std = core().std
        like = {"format": clip.format.id, "width": clip.width or 8, "height": clip.height or 8, "length": 3}
        f, step = clip.format, 1 << clip.format.subsampling_w
        if self.change == "nothing":
            return std.FlipVertical(clip)
        if self.change == "one frame":
            return std.FlipVertical(clip)[0]
        if self.change == "longer":
            return std.FlipVertical(clip) + clip if clip.num_frames < READABLE else std.FlipVertical(clip)
        if self.change == "shorter":
            return std.FlipVertical(clip)[: max(1, clip.num_frames - 1)]
        if self.change == "wider":
            return std.BlankClip(**like | {"width": like["width"] + step})
        if self.change == "higher":
            return std.BlankClip(**like | {"height": like["height"] + (1 << f.subsampling_h)})
        if self.change == "format":
            return std.BlankClip(**like | {"format": vs.GRAY16 if f.id != vs.GRAY16 else vs.GRAYS})
        if self.change == "refused":
            return std.BlankClip(**like | {"format": vs.GRAY32})
        return std.Splice(
            [std.BlankClip(**like), std.BlankClip(**like | {"width": like["width"] + step})], mismatch=True
        )


@dataclass(frozen=True)
class Several:
    """Some other clips."""

    changes: tuple[str, ...]

    def __call__(self, clip: Any) -> list[Any]:
        """The clips."""
        return [Other(change)(clip) for change in self.changes]


@dataclass(frozen=True)
class SpoiltTicket:
    """What stands for a compiled function, spoilt.

    Attributes:
        of: What makes a good one.
        how: What becomes of it.
    """

    of: Callable[[Any], bytes]
    how: str

    def __call__(self, clip: Any) -> bytes:
        """The bytes."""
        good = self.of(clip)
        return {
            "cut": good[:-1],
            "longer": good + b"\0",
            "empty": b"",
            "magic": good[:16],
            "address": good[:16] + bytes(8) + good[24:],
            "process": good[:24] + b"\1" + good[25:],
            "checksum": good[:-1] + bytes([good[-1] ^ 1]),
            "nothing but zeros": bytes(40),
        }[self.how]

    SPOILT = ("cut", "longer", "empty", "magic", "address", "process", "checksum", "nothing but zeros")


# Arguments

FLOATS = (
    float("nan"), float("-nan"), float("inf"), float("-inf"), 1e308, -1e308, 1.8e308, 5e-324, -5e-324, 1e-40, 0.0, -0.0,
    1e30, -1e30, 1e-30, float(2**31), float(2**63), -float(2**63), 0.5, 1.0, -1.0, 255.0, 3.4e38, 3.5e38, 1 + 2**-52,
)  # fmt: skip
INTS = (
    0, 1, -1, 2, 3, 255, 2**16, 2**31 - 1, 2**31, -(2**31), -(2**31) - 1, 2**32, 2**32 + 1, 2**62, 2**63 - 1, -(2**63),
    2**63, -(2**63) - 1, 2**64, 10**400,
)  # fmt: skip
WORDS = (
    "", " ", "auto ", "Auto", "x" * 64, "x" * 65, "x" * 5000, "é" * 32, "é" * 64, "a" + "é" * 64, "日本語" * 30,
    "𝄞" * 40, "%s%n%d%99999999d", "a\nb", '"', b"\xff\xfe", b"\xc3", b"linear\0", "linear\0x", b"\0", b"\0linear",
    "rect\0\0", "mean\0", b"vdiff kernel 1\0\0", "\ud800", "None", "0",
)  # fmt: skip


def wild_value(rng: Generator, name: str, parameter: Parameter, clip: Any) -> Any:
    """A value that no one would give, or hardly; some are good."""
    kind = parameter.kind
    if maybe(rng, 0.12):  # of another type
        return pick(rng, [None, "3", "many", 2.5, 3, True, [], [None], [[1]], (), 1j, b"7", b"\xff", Other("nothing")])
    if kind == "vnode":
        changes = ["nothing", "one frame", "longer", "shorter", "wider", "higher", "format", "refused", "variable"]
        if parameter.many:
            return Several(tuple(pick(rng, changes[:4] * 3 + changes) for _ in range(int(rng.integers(1, 17)))))
        return Other(pick(rng, changes))
    if kind == "data":
        good: Any = Compile(lighten, 3, 2) if parameter.name == "kernel" else Own("rational")
        if maybe(rng, 0.3):
            return SpoiltTicket(good, pick(rng, SpoiltTicket.SPOILT))
        words = [word for each, key, several, _ in CHOICES if (each, key) == (name, parameter.name) for word in several]
        word = pick(rng, WORDS)
        return pick(rng, [word, f"{word}{pick(rng, words or [''])}", f"{pick(rng, words or [''])}{word}"]
                    if isinstance(word, str) else [word])  # fmt: skip
    limits = [limit for each, key, *pair, _ in NUMBERS if (each, key) == (name, parameter.name) for limit in pair]
    limits += [0.0, 0.001, 10000.0] if (name, parameter.name) in CONTRASTS else []
    ends: list[Any] = [float(np.nextafter(limit, limit + step)) for limit in limits for step in (-1, 0, 1)]
    whole = [limit for each, key, *pair in INTEGERS if (each, key) == (name, parameter.name) for limit in pair]
    ends += [limit + step for limit in whole for step in (-1, 0, 1)]
    if parameter.name == "length":
        ends += [2**31 - 1 - clip.num_frames, 2**31 - clip.num_frames]
    values = ends * 3 + list(FLOATS if kind == "float" else INTS)
    if parameter.many and maybe(rng, 0.6):
        count = pick(rng, [1, 2, 3, 3, 3, 4, 64, 65, 1000])
        few = [pick(rng, values) for _ in range(2)]
        return [pick(rng, few) for _ in range(count)]
    return pick(rng, values)


def random_planes(rng: Generator, clip: Any) -> list[int]:
    """Some planes of a clip, in any order."""
    count = clip.format.num_planes or 1
    return [int(p) for p in rng.permutation(count)[: int(rng.integers(1, count + 1))]]


def random_arguments(rng: Generator, name: str, clip: Any) -> Args:
    """Arguments that are good, at least of themselves: any of those that may be left out may be missing."""
    args = dict(ARGUMENTS[name](rng))
    planes = clip.format.num_planes or 1
    args = {key: value[:planes] if isinstance(value, list) else value for key, value in args.items()}
    if "mask" in args and maybe(rng, 0.7):
        share = pick(rng, [0.0, 0.1, 0.3, 0.5, 0.8, 0.98, 1.0])
        formats = ["GRAY8", "GRAY16", "GRAYH", "GRAYS", "YUV444P8", "RGB24"]
        args["mask"] = Blots(int(rng.integers(2**31)), share, maybe(rng, 0.5), pick(rng, formats))
    if name in ("DiffBlend", "ChangeMap") and maybe(rng, 0.3):
        args.pop("lag")
        args["ref"] = Other(pick(rng, ["nothing", "one frame", "longer", "shorter"]))
    if name == "Diffuse" and args.get("diffusivity") == "rational" and args.get("steps", 0) and maybe(rng, 0.5):
        args["diffusivity"] = Own("rational")
    optional = {p.name for p in words_of(name) if p.optional}
    if maybe(rng, 0.4):
        args = {key: value for key, value in args.items() if key not in optional or maybe(rng, 0.6)}
    for parameter in words_of(name):  # switches, and what the generators leave out
        if parameter.name in ("scenechange", "coupled", "mixed") and maybe(rng, 0.15):
            args[parameter.name] = int(rng.integers(0, 2))
    if name not in WHOLE | MARKERS and maybe(rng, 0.35):
        args["planes"] = random_planes(rng, clip)
    return args


def spoil(rng: Generator, name: str, args: Args, clip: Any) -> Args:
    """The arguments, one or a few of them changed to something wild."""
    spoilt = dict(args)
    for _ in range(pick(rng, [1, 1, 1, 2, 3])):
        if maybe(rng, 0.06):
            spoilt[pick(rng, ["foo", "Clip", "clips_", "é", "k ", "opt"])] = 1
        elif maybe(rng, 0.06) and spoilt:
            spoilt.pop(pick(rng, list(spoilt)))
        else:
            parameter = pick(rng, words_of(name))
            spoilt[parameter.name] = wild_value(rng, name, parameter, clip)
    return spoilt


# Stages

Make = Callable[[Any], Any]


@dataclass
class Stage:
    """A step of a chain.

    Attributes:
        text: What it is.
        make: What makes a clip of one.
        name: The filter of the plugin; empty: one of the host's.
        args: Its arguments, as the references take them.
    """

    text: str
    make: Make
    name: str = ""
    args: dict[str, Any] = field(default_factory=dict)


def host_stage(rng: Generator, clip: Any) -> Stage | None:
    """A step of the host's own filters; None: not for this clip."""
    std, f = core().std, clip.format
    x, y = 1 << f.subsampling_w, 1 << f.subsampling_h
    kinds = "crop border flip turn transpose plane resize resize resize trim every reverse twice cut interleave rate"
    kind = pick(rng, kinds.split())
    count = clip.num_frames
    if kind == "crop" and clip.width > 2 * x and clip.height > 2 * y:
        return Stage(f"Crop({x}, {y})", lambda c: std.Crop(c, left=x, bottom=y))
    if kind == "border" and clip.width < 60:
        return Stage(f"AddBorders({x}, {y})", lambda c: std.AddBorders(c, right=x, top=y))
    if kind == "flip":
        return Stage("FlipVertical", lambda c: std.FlipVertical(c))
    if kind == "turn":
        return Stage("Turn180", lambda c: std.Turn180(c))
    if kind == "transpose" and x == y:
        return Stage("Transpose", lambda c: std.Transpose(c))
    if kind == "plane":
        plane = int(rng.integers(f.num_planes))
        return Stage(f"plane {plane}", lambda c: std.ShufflePlanes(c, plane, vs.GRAY))
    if kind == "resize":
        name = str(pick(rng, FORMATS))
        to = core().get_video_format(getattr(vs, name))
        if clip.width % (1 << to.subsampling_w) or clip.height % (1 << to.subsampling_h):
            return None
        from_matrix = {} if f.color_family == vs.RGB else {"matrix_in": vs.MATRIX_BT709}
        matrix = {} if to.color_family == vs.RGB else {"matrix": vs.MATRIX_BT709}
        return Stage(f"resize to {name}", lambda c: core().resize.Point(c, format=to.id, **from_matrix, **matrix))
    if kind == "trim" and count > 2:
        start = int(rng.integers(1, min(count, READABLE) - 1))
        return Stage(f"[{start}:]", lambda c: c[start:])
    if kind in ("every", "interleave") and max(clip.fps.numerator, clip.fps.denominator) > 2**40:
        return None  # VapourSynth refuses the rate that this gives, and keeps the clip for ever
    if kind == "every" and count > 2:
        offset = int(rng.integers(2))
        return Stage(f"SelectEvery(2, {offset})", lambda c: std.SelectEvery(c, 2, [offset]))
    if kind == "reverse":
        return Stage("Reverse", lambda c: std.Reverse(c))
    if kind == "twice" and count < 40:
        return Stage("Loop(2)", lambda c: std.Loop(c, 2))
    if kind == "cut" and count < READABLE:
        at = int(rng.integers(count))
        return Stage(f"cut at {at}", lambda c: std.Splice([*([c[:at]] if at else []),
                                                           std.SetFrameProps(c[at:], _SceneChangePrev=1)]))  # fmt: skip
    if kind == "interleave" and count < 30:
        return Stage("interleaved with itself reversed", lambda c: std.Interleave([c, std.Reverse(c)]))
    if kind == "rate":
        rate = pick(rng, [(24000, 1001), (2**62, 1), (2**63 - 1, 2**31 - 1), (1, 2**62)])
        return Stage(f"AssumeFPS{rate}", lambda c: std.AssumeFPS(c, fpsnum=rate[0], fpsden=rate[1]))
    return None


def call(name: str, clip: Any, args: Args) -> Any:
    """A filter on a clip, arguments that can be called being made of it."""
    args = {key: value(clip) if callable(value) else value for key, value in args.items()}
    return getattr(getattr(core(), namespace), name)(clip, **args)


def spelt(name: str, args: Args) -> str:
    """A call as one reads it."""
    return f"{name}({', '.join(f'{key}={shortened(repr(value))}' for key, value in args.items())})"


def shortened(text: str) -> str:
    """Without the middle, if it is long."""
    return text if len(text) < 300 else f"{text[:140]} ... {text[-140:]}"


# Costs


def passes(name: str, args: Args, video: Video, length: int) -> tuple[float, float]:
    """How often each pixel is visited, about, by the reference in steps of NumPy and by the filter."""
    side = 2 * max(video.width, video.height)
    blur = 12.0 * (args.get("sigma", 1.0) + args.get("rho", 3.0) + args.get("presmooth", 0.0))
    if name == "Diffuse":
        time, kind, scheme = args.get("time", 2.0), args.get("diffusivity", "rational"), args.get("scheme", "auto")
        steered = args.get("presmooth", 0.0) > 0 or args.get("coupled", 0) or "guide" in args
        steps = elementary_steps(time, kind, scheme, args.get("steps", 0), bool(steered)) if time else 0
        factor = (6.0 if scheme == "aos" else 1.0) * (3.0 if steered else 1.0)
        wide = 8 * np.sqrt(time) if kind == "linear" else 0.0
        return 4 * factor * steps, 2 * factor * steps + wide + (blur * args.get("steps", 8) if steered else 0)
    if name == "TensorDiffuse":
        steps = tensor_steps(args.get("time", 2.0), args.get("steps", 0))
        return 12.0 * steps, 8.0 * steps + blur * (args.get("steps", 0) or 4 + np.sqrt(args.get("time", 2.0)))
    if name == "Shock":
        steps = 2.0 * args.get("time", 1.0) + 1
        return 60.0 * steps, steps * (blur + 10)
    if name == "Diffuse3D":
        around = 2 * args.get("radius", 2)
        steps = 4 * args.get("time", 1.0) + args.get("steps", 0)
        return 30.0 + 16 * steps + around * (20 + 8 * args.get("rho", 2.0)) + around**2, 20 * (steps + around)
    if name == "Interpolate":
        return 60.0 * args["factor"], 100.0 * args["factor"]
    if name == "Spread":
        return 12.0 * len(args["dx"]), 8.0 * len(args["dx"])
    if name in ("Dilate", "Erode"):
        width = min(2 * args.get("radius", 1) + 1, side)
        return (width * 2.0 if args.get("shape") == "cross" else 1.0 * width**2), 3.0 * width
    if name == "Inpaint":
        hard = {"eed": (3500.0, 6000.0), "biharmonic": (150.0, 1000.0)}.get(args.get("mode", ""), (100.0, 500.0))
        return hard[0] * (1 + args.get("temporal", 0)), hard[1] * (1 + args.get("temporal", 0))
    if name == "PoissonBlend":
        return 100.0, 500.0
    if name == "RepairFrames":
        return 40.0 * args.get("max_gap", 3) ** 2, 1000.0
    if name == "SceneDetect":
        return 250.0, 200.0
    if name == "Decay":
        q = decay_reference.factor(rate=args.get("rate"), halflife=args.get("halflife"))
        return 8.0, 4.0 * min(decay_reference.memory(q, 2.0**17), length)
    return 8.0, 8.0


def seconds(name: str, args: Args, video: Video, length: int) -> tuple[float, float]:
    """What the reference and the filter take for a clip of so many frames, or for as many as are read, about."""
    count = min(length, READABLE)
    planes = len(video.planes)
    pixels = sum(rows * columns for rows, columns in map(video.shape, video.planes))
    by_reference, by_filter = passes(name, args, video, length)
    fixed = 1.5e-5 * planes * count * args["factor"] ** 2 if name == "Interpolate" else 0.0
    return count * by_reference * (8e-6 * planes + 6e-9 * pixels), count * by_filter * 4e-9 * pixels + fixed


# Judging


@dataclass
class Shown:
    """All frames of a clip."""

    video: Video
    frames: Frames
    props: list[dict[str, Any]]

    @property
    def starts(self) -> list[int]:
        """Frames that begin a scene."""
        marks = [props.get("_SceneChangePrev", 0) for props in self.props]
        return [n for n, mark in enumerate(marks) if isinstance(mark, int) and mark]

    @property
    def is_tame(self) -> bool:
        """Whether references are defined for it."""
        for frame in self.frames:
            for p, plane in enumerate(frame):
                samples = self.video.samples(p)
                with np.errstate(invalid="ignore"):
                    values = plane.astype(np.float64)
                if not (
                    np.isfinite(values).all() and np.abs(values).max() <= (4.0 if samples.is_float else samples.peak)
                ):
                    return False
        ranges = {(props.get("_Range"), props.get("_ColorRange")) for props in self.props}
        return len(ranges) == 1


def video_of(clip: Any, props: dict[str, Any]) -> Video:
    """Format, size and range of a clip."""
    full = props.get("_Range")
    if full is None and "_ColorRange" in props:
        full = 1 - int(props["_ColorRange"])
    return Video(clip.format.name.upper(), clip.width, clip.height, None if full is None else full == 1)


def show(clip: Any) -> Shown:
    """Ask for all frames, in order."""
    frames, props = [], []
    for _, frame, its_props in requested(clip, range(clip.num_frames), at_once=False):
        frames.append(frame)
        props.append(its_props)
    return Shown(video_of(clip, props[0]), frames, props)


def judge(stage: Stage, before: Shown, after: Shown) -> str:
    """A filter's frames against its reference's; how they compare, `compared` or `delicate`."""
    if stage.name == "SceneDetect":
        return judge_scenes(stage.args, before, after)
    if stage.name == "RepairFrames":
        return judge_repairs(stage.args, before, after)
    case = Case(stage.name, stage.args, FILTERS[stage.name][0])
    try:
        case.compare(before.video, before.frames, before.starts, after.frames, stage.args.get("planes"))
    except AssertionError as error:
        if "beyond rounding" not in str(error) or not is_delicate(case, before, after):
            raise
        return "delicate"
    return "compared"


def shaken(video: Video, given: Frames) -> list[Frames]:
    """Frames, each sample moved by up to two ulps of float32's of the peak.

    By chance, or to the next whole multiple of an ulp: what is next to nothing may be nothing to float32.
    """
    rng, ulp = np.random.default_rng(0), 2.0**-23
    units = [ulp * video.samples(p).peak for p in video.planes]
    given = [[plane.astype(np.float64) for plane in frame] for frame in given]
    by_chance = [
        [
            [plane + rng.uniform(-2, 2, plane.shape) * unit for plane, unit in zip(frame, units, strict=True)]
            for frame in given
        ] for _ in range(5)
    ]  # fmt: skip
    whole = [[np.round(plane / unit) * unit for plane, unit in zip(frame, units, strict=True)] for frame in given]
    return [whole, *by_chance]


def is_delicate(case: Case, before: Shown, after: Shown) -> bool:
    """Whether the reference's own frames move as far when its input is `shaken`, or a 16th as far.

    A contrast that is the median of five samples does, and so does what grows from step to step, as edges do that
    sharpen themselves. Where a picture is smoothed, what was moved by chance is levelled; what is rounded later is not.
    """
    video, clip = before.video, make_clip(before.video, before.frames)
    made = ("guide", "overlay", "mask", "neighbours", "ref")
    args: dict[str, Any] = {
        key: partial(as_is, value(clip)) if key in made else value for key, value in case.args.items()
    }
    args["planes"] = case.args.get("planes", list(video.planes))

    guides: list[Any] = [None] * 6
    if "guide" in args:
        pairs = guides_of({**args, "clip": (video, before.frames)})
        of = pairs[0][0] if pairs[0] else video
        variants = shaken(of, [pair[1] for pair in pairs if pair])
        guides = [[(of, frame) for frame in frames] for frames in variants]

    def reference(frames: Frames, plane: int, guide: Any = None) -> tuple[Real, float]:
        given = {**args, "clip": (video, frames), **({"guide": guide} if guide else {})}
        return case.reference(stack(frames, plane), video.samples(plane), plane, before.starts, given)

    inputs = list(zip(shaken(video, before.frames), guides, strict=True))
    for p in args["planes"]:
        accepted, noise = reference(before.frames, p)
        choices = accepted if accepted.ndim == 4 else accepted[None]
        actual = np.stack([frame[p] for frame in after.frames])
        excess = np.min([video.samples(p).excess(actual, choice) for choice in choices], axis=0)
        moved = np.max([np.abs(reference(frames, p, guide)[0] - accepted) for frames, guide in inputs], axis=0)
        moved = moved if moved.ndim == 3 else moved.max(axis=0)
        room = noise + 16.0 * moved.max(axis=(1, 2))
        if not (np.all(np.isfinite(room)) and np.all(excess.max(axis=(1, 2)) <= room)):
            return False
    return True


def judge_scores(before: Shown, given: Real, scores: Callable[[Frames], Real], off: float) -> str:
    """Scores against the reference's, or against those of what is `shaken`: of shifts that fit alike, one is taken."""
    wanted = scores(before.frames)
    if np.allclose(given, wanted, rtol=off, atol=off):
        return "compared"
    others = np.array([wanted, *(scores(frames) for frames in shaken(before.video, before.frames))])
    low, high = others.min(axis=0), others.max(axis=0)
    room = off * (1.0 + high)
    assert np.all((low - room <= given) & (given <= high + room)), f"scores {given}, reference {wanted}"
    return "delicate"


def as_is(made: Any, clip: Any) -> Any:
    """What was made before, whatever it is asked to be made of."""
    return made


def is_covered(stage: Stage, before: Shown) -> bool:
    """Whether a mask covers all of a plane that is processed, in any frame."""
    if "mask" not in stage.args:
        return False
    video = before.video
    args = {**stage.args, "clip": (video, before.frames)}
    return any(
        mask.all() for p in stage.args.get("planes", video.planes)
        for mask in masks_of(args, video, before.frames, video.samples(p))
    )  # fmt: skip


def judge_scenes(args: Args, before: Shown, after: Shown) -> str:
    """Scores are the reference's, cuts those that belong to them, frames the clip's."""
    metric = args.get("metric", "adaptive")
    scores = np.array([props["VdiffSceneScore"] for props in after.props])
    end = judge_scores(before, scores, lambda frames: scene_scores(frames, before.video, metric), 2e-4)
    threshold = args.get("threshold", scenedetect.THRESHOLDS[metric])
    cuts = scenedetect.cuts(scores, threshold, args.get("min_length", 1))
    assert [n for n, props in enumerate(after.props) if props["_SceneChangePrev"]] == cuts
    assert [n + 1 for n, props in enumerate(after.props) if props["_SceneChangeNext"]] == cuts
    assert fingerprints(before.frames) == fingerprints(after.frames)
    return end


def judge_repairs(args: Args, before: Shown, after: Shown) -> str:
    """Scores are the reference's; so is what is replaced, if none of them is too near to another or the threshold."""
    video, frames = before.video, before.frames
    count, max_gap = len(frames), args.get("max_gap", repairframes.MAX_GAP)
    given = np.array([props["VdiffRepairScore"] for props in after.props])

    def best(frames: Frames) -> Real:
        return np.array(best_scores(repair_scores(frames, video, max_gap), count))

    end, scores = judge_scores(before, given, best, 2e-3), repair_scores(frames, video, max_gap)
    threshold = args.get("threshold", repairframes.THRESHOLD)
    values = np.sort([threshold, *scores.values()])
    above = values[np.flatnonzero(values <= threshold)[-1] :] if np.any(values <= threshold) else values
    if end == "delicate" or np.any(np.diff(above) < 5e-3 + 5e-3 * above[1:]):
        return end
    runs = [
        run for run in repairframes.repairs(scores, threshold)
        if not any(run.start <= start <= run.start + run.length for start in before.starts)
    ]  # fmt: skip
    assert {n for n, props in enumerate(after.props) if props["VdiffRepaired"]} == frames_in(runs)
    for p in video.planes:
        samples = video.samples(p)
        actual, wanted = np.stack([frame[p] for frame in after.frames]), filled(frames, video, p, runs)
        assert_stored(actual, wanted, samples, OFF * max(samples.peak, float(np.ptp(wanted))), f"plane {p}")
    return end


def fingerprints(frames: Frames) -> list[tuple[bytes, ...]]:
    """The bytes of all frames."""
    return [tuple(plane.tobytes() for plane in frame) for frame in frames]


# Orders of requests


def random_order(rng: Generator, count: int) -> list[int]:
    """Frames to ask for."""
    kind, few = pick(rng, ["linear", "backwards", "anywhere", "jumps"]), 12
    if kind == "linear":
        return list(range(min(count, few)))
    if kind == "backwards":
        return list(range(count - 1, max(-1, count - 1 - few), -1))
    if kind == "jumps":
        start = int(rng.integers(count))
        return [min(count - 1, start + int(step)) for step in np.cumsum(rng.integers(1, 4, few))] + [0]
    order = [int(n) for n in rng.integers(0, count, few)]
    return [*order, order[0], order[-1]]


class CoveredError(Exception):
    """A frame that cannot be had: a mask covers a plane of it; the filter that says so."""


COVERED = r"(Inpaint|PoissonBlend): frame \d+, plane \d: the mask covers the whole of it.*\."
"""The only error that frames may end in, and only where a mask may be so large."""


def requested(clip: Any, order: Sequence[int], *, at_once: bool) -> Iterator[tuple[int, Frame, dict[str, Any]]]:
    """The frames, asked for one at a time or all at once."""
    futures = [clip.get_frame_async(n) for n in order] if at_once else []
    try:
        for i, n in enumerate(order):
            with futures[i].result() if at_once else clip.get_frame(n) as frame:
                yield n, planes_of(frame), dict(frame.props)
    except vs.Error as error:
        for future in futures:
            future.exception()  # so that none is under way when the clip goes
        covered = re.fullmatch(COVERED, str(error))
        if covered is None:
            raise
        raise CoveredError(covered[1]) from None


# Cases


@dataclass
class Outcome:
    """How a case ended.

    Attributes:
        number: The case.
        text: What it was.
        ends: Of each filter that took part how it ended: `refused`, `compared`, `delicate` (compared, but with more
            room than the reference asks for), `drawn` or `made`.
        finds: What is wrong.
        seconds: How long it took.
    """

    number: int
    text: str = ""
    ends: list[tuple[str, str]] = field(default_factory=list)
    finds: list[str] = field(default_factory=list)
    seconds: float = 0.0

    def counts(self) -> Counter[tuple[str, str]]:
        """Ends by filter."""
        return Counter(self.ends)


def warm_up() -> None:
    """Compile what cases need compiled; then the garbage collector, asked twice in each, has little to look at."""
    for name in ("GRAY8", "GRAY16", "GRAYS"):
        Compile(lighten, 3, 2)(blank(Video(name, 1, 1), 1))
    Own("rational")(None)
    gc.collect()
    gc.freeze()


def run(seed: int, number: int) -> Outcome:
    """A case from its two numbers, with what is wrong about it."""
    outcome = Outcome(number)
    started = time.perf_counter()
    gc.collect()
    before, threads = core().used_cache_size, core().num_threads
    try:
        play(seeded(seed, "case", number), outcome)
    except CoveredError as covered:  # of a clip that is not read as a whole
        outcome.ends.append((covered.args[0], "refused"))
    except Exception as error:
        place = traceback.extract_tb(error.__traceback__)[-1]
        outcome.finds.append(f"{type(error).__name__}: {error} ({Path(place.filename).name}: {place.line})")
    core().num_threads = threads
    gc.collect()
    try:
        assert_freed(core(), before)
    except AssertionError:
        outcome.finds.append(f"{core().used_cache_size - before} bytes of frames are left")
    outcome.seconds = time.perf_counter() - started
    return outcome


def play(rng: Generator, outcome: Outcome) -> None:
    """Build a chain, stage by stage, judge each and ask again for the frames of the last."""
    clip, outcome.text = random_clip(rng)
    refuse = maybe(rng, 0.03)
    if refuse:
        clip, outcome.text = refused_clip(rng)
    source, stages = clip, list[Stage]()
    wild = maybe(rng, 0.45)  # the last stage's arguments are
    length = pick(rng, [1, 1, 2, 2, 3, 4])
    shown = None
    for place in range(length):
        if not refuse and maybe(rng, 0.25):
            stage = host_stage(rng, clip)
            if stage is not None and (made := tried(stage, clip)) is not None:
                outcome.text += f" | {stage.text}"
                stages.append(stage)
                clip, shown = made, None
            continue
        name = str(pick(rng, list(ARGUMENTS)))
        args = random_arguments(rng, name, clip)
        if wild and place == length - 1:
            args = spoil(rng, name, args, clip)
        outcome.text += f" | {spelt(name, args)}"
        stage, made = attempt(name, args, clip, outcome)
        if stage is None:
            return
        video = Video(clip.format.name.upper(), clip.width, clip.height)
        by_reference, by_filter = seconds(name, stage.args, video, clip.num_frames)
        if by_filter > DRAWN_SECONDS:
            outcome.ends.append((name, "made"))
            return
        stages.append(stage)
        if made.num_frames > READABLE or clip.num_frames > READABLE:
            clip = made
            outcome.ends.append((name, "drawn"))
            break
        shown = show(clip) if shown is None else shown
        covered = is_covered(stage, shown)
        try:
            after = show(made)
        except CoveredError:
            if not covered:
                raise AssertionError(f"{name} says that a mask covers a whole plane, but none does") from None
            outcome.ends.append((name, "refused"))
            return
        assert not covered or stage.args.get("temporal", 0), f"{name} filled a plane that is masked as a whole"
        if by_reference < REFERENCE_SECONDS and shown.is_tame and max(made.width, made.height) <= 300:
            outcome.ends.append((name, judge(stage, shown, after)))
        else:
            outcome.ends.append((name, "drawn"))
        clip, shown = made, after
    ask_again(rng, source, stages, clip, shown)


def tried(stage: Stage, clip: Any) -> Any:
    """What a step of the host makes of a clip, None if it does not take it."""
    try:
        made = stage.make(clip)
        made.get_frame(0).close()
    except vs.Error:
        return None
    return made


def attempt(name: str, args: Args, clip: Any, outcome: Outcome) -> tuple[Stage | None, Any]:
    """Call a filter. None: it was refused, as it should or should not."""
    like = clip if is_supported(clip) else blank(Video("GRAY8", 8, 8), 2)
    resolved = {key: value(like) if callable(value) else value for key, value in args.items()}
    first = parameters(signature(name))[0].name
    try:
        given = given_values(signature(name), {first: clip, **resolved})
        due = faults(name, given, good_ticket(name, clip))
    except HostRefusesError:
        given, due = {}, [HOST]
    try:
        made = getattr(getattr(core(), namespace), name)(clip, **resolved)
    except Exception as error:
        outcome.ends.append((name, "refused"))
        if not due:
            outcome.finds.append(f"refused without need: {type(error).__name__}: {error}")
        elif due == [HOST]:
            if type(error) is vs.Error and not fits(name, str(error)):
                outcome.finds.append(f"VapourSynth should have refused this before the plugin, which said: {error}")
            elif not isinstance(error, (vs.Error, *CONVERSIONS)):
                outcome.finds.append(f"raised {type(error).__name__}: {error}")
        elif wrong := wrong_words(name, due, error, given):
            outcome.finds.append(wrong)
        return None, None
    if due:
        outcome.finds.append(f"not refused, though due: {due}")
        return None, None
    return Stage(spelt(name, args), lambda c: call(name, c, args), name, as_referenced(name, args, given)), made


def fits(name: str, message: str) -> bool:
    """Whether a message is one of VapourSynth's own."""
    return re.fullmatch(f"{name}: {HOST}", message, re.DOTALL) is not None


def good_ticket(name: str, clip: Any) -> bytes | None:
    """What stands for a compiled function that this filter takes for this clip."""
    if not is_supported(clip):
        return None
    if name == "Kernel":
        return Compile(lighten, 3, 2)(clip)
    return Own("rational")(clip) if name == "Diffuse" else None


def as_referenced(name: str, args: Args, given: Given) -> dict[str, Any]:
    """The arguments as references take them: numbers and words as the plugin saw them, clips by what makes them."""
    many = {p.name for p in words_of(name) if p.many}
    found: dict[str, Any] = {}
    for key, values in given.items():
        if key in ("clip", "clips"):
            continue
        if callable(args[key]) and not isinstance(args[key], PerPlane):
            found[key] = args[key]
        elif key in many:
            found[key] = values
        else:
            found[key] = values[0].decode() if isinstance(values[0], bytes) else values[0]
    if name == "Kernel":
        numbers = found["params"]
        rows = [numbers[i : i + 2] for i in range(0, len(numbers), 2)]
        found["params"] = PerPlane(tuple(rows if len(rows) > 1 else rows * 3))
    return found


def ask_again(rng: Generator, source: Any, stages: Sequence[Stage], clip: Any, shown: Shown | None) -> None:
    """The same chain once more, in another order: the same bytes."""
    if not stages:
        return
    again = source
    slow = int(rng.integers(len(stages)))  # this one computes all anew at each request, others keep a few frames
    for place, stage in enumerate(stages):
        again = stage.make(again)
        if place in (slow, len(stages) - 1):
            uncached(again)
        elif maybe(rng, 0.5):
            cached(again, min(again.num_frames, 60))
    if maybe(rng, 0.2):
        core().num_threads = pick(rng, [1, 2, 4])
    order = random_order(rng, again.num_frames)
    if shown is not None and shown.frames and again.num_frames == len(shown.frames):
        wanted: Any = list(zip(shown.frames, shown.props, strict=True))
    else:
        wanted = {n: (frame, props) for n, frame, props in requested(clip, sorted(set(order)), at_once=False)}
    for n, frame, props in requested(again, order, at_once=maybe(rng, 0.5)):
        frame_before, props_before = wanted[n]
        same = fingerprints([frame]) == fingerprints([frame_before])
        assert same, f"frame {n} is not the same as in order {order}"
        assert repr(props) == repr(props_before), f"frame {n}: properties {props}, in order {props_before}"
