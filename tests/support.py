"""Clips from arrays and arrays from clips; the formats and sizes that every filter is tried on."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import vapoursynth as vs
from numpy.typing import NDArray

from reference import Real, Samples

Plane = NDArray[Any]
Frame = list[Plane]
Frames = list[Frame]
Props = Mapping[str, Any]

FORMATS = (
    "GRAY8",
    "GRAY9",
    "GRAY10",
    "GRAY12",
    "GRAY14",
    "GRAY16",
    "GRAYH",
    "GRAYS",
    "YUV420P8",
    "YUV411P8",
    "YUV410P8",
    "YUV440P8",
    "YUV422P10",
    "YUV444P16",
    "YUV420P16",
    "YUV444PH",
    "YUV422PH",
    "YUV420PS",
    "YUV444PS",
    "RGB24",
    "RGB30",
    "RGB48",
    "RGBH",
    "RGBS",
)

SIZES = (
    (64, 48),
    (37, 23),
    (1, 1),
    (1, 9),
    (9, 1),
    (2, 2),
    (3, 5),
    (15, 6),
    (16, 6),
    (17, 6),
    (31, 5),
    (33, 4),
    (65, 3),
)
"""Width and height: ordinary, odd, degenerate, and on both sides of the width of a vector."""


@dataclass(frozen=True)
class Video:
    """Format and size of a clip; sizes that the chroma subsampling does not allow are rounded up.

    Attributes:
        name: Name of the format, as in `vs.YUV420P8`.
        width: Width in pixels.
        height: Height in pixels.
        full: Whether `_Range` says full range; None: the property is absent, and RGB is full, the rest limited.
    """

    name: str
    width: int
    height: int
    full: bool | None = None

    def __post_init__(self) -> None:
        for field, shift in (("width", self.format.subsampling_w), ("height", self.format.subsampling_h)):
            object.__setattr__(self, field, -(-getattr(self, field) >> shift) << shift)

    @property
    def format(self) -> Any:
        """VapourSynth's description of the format."""
        return vs.core.get_video_format(getattr(vs, self.name))

    @property
    def planes(self) -> range:
        """Indices of the planes."""
        return range(self.format.num_planes)

    def shape(self, plane: int) -> tuple[int, int]:
        """Height and width of a plane."""
        if plane == 0:
            return self.height, self.width
        return self.height >> self.format.subsampling_h, self.width >> self.format.subsampling_w

    def samples(self, plane: int) -> Samples:
        """How a plane's samples are stored."""
        rgb = self.format.color_family == vs.RGB
        return Samples(
            bits=self.format.bits_per_sample,
            is_float=self.format.sample_type == vs.FLOAT,
            chroma=plane > 0 and not rgb,
            limited=not (rgb if self.full is None else self.full),
            subsampling=(1 << self.format.subsampling_w, 1 << self.format.subsampling_h) if plane > 0 else (1, 1),
        )

    @property
    def props(self) -> dict[str, Any]:
        """Frame properties that state the range."""
        return {} if self.full is None else {"_Range": int(self.full)}


def seeded(seed: int, *parts: object) -> np.random.Generator:
    """A generator that depends on the run's seed and on what the test calls itself, not on the order of tests."""
    return np.random.default_rng([seed, *(ord(c) for c in "/".join(map(str, parts)))])


def picture(rng: np.random.Generator, shape: tuple[int, int], samples: Samples) -> Plane:
    """A random plane: noise over a random part of the range, brighter patches, and for float also values beyond it."""
    low, high = np.sort(rng.uniform(samples.low, samples.high, 2))
    values = rng.uniform(low, high, shape)
    patch = tuple(slice(*sorted(rng.integers(0, size + 1, 2))) for size in shape)
    values[patch] += rng.uniform(-0.5, 0.5) * samples.peak
    return samples.store(values)


def random_frames(rng: np.random.Generator, video: Video, count: int) -> Frames:
    """`count` random frames."""
    return [[picture(rng, video.shape(p), video.samples(p)) for p in video.planes] for _ in range(count)]


def stack(frames: Frames, plane: int) -> Real:
    """One plane of all frames in float64, shape (frames, h, w)."""
    return np.stack([frame[plane] for frame in frames]).astype(np.float64)


def blank(video: Video, count: int, **extra: Any) -> Any:
    """A clip of the format and size, one shared frame."""
    return vs.core.std.BlankClip(
        format=video.format.id, width=video.width, height=video.height, length=count, keep=True, **extra
    )


def source(video: Video, count: int, frame: Callable[[int], Frame], props: Callable[[int], Props] | None = None) -> Any:
    """A clip whose pixels and properties are asked for at each request."""

    def serve(n: int, f: Any) -> Any:
        out = f.copy()
        for p, values in enumerate(frame(n)):
            np.copyto(np.asarray(out[p]), values)
        out.props.update(video.props | dict(props(n) if props else {}))
        return out

    base = blank(video, count)
    return vs.core.std.ModifyFrame(base, base, serve)


def make_clip(video: Video, frames: Frames, starts: Iterable[int] = (), props: Sequence[Props] | None = None) -> Any:
    """A clip of given frames.

    Args:
        video: Format and size.
        frames: Planes of each frame.
        starts: Frames that begin a scene; they carry `_SceneChangePrev`.
        props: Further properties of each frame.
    """
    cuts = set(starts)
    assert all(plane.shape == video.shape(p) for p, plane in enumerate(frames[0]))

    def of(n: int) -> Props:
        return (dict(props[n]) if props else {}) | ({"_SceneChangePrev": 1} if n in cuts else {})

    return source(video, len(frames), frames.__getitem__, of)


def gray(*pictures: NDArray[Any], starts: Iterable[int] = (), name: str = "GRAYS") -> Any:
    """A clip of one plane, float unless another format is named, from two-dimensional arrays."""
    height, width = pictures[0].shape
    video = Video(name, width, height)
    return make_clip(video, [[p.astype(video.samples(0).dtype)] for p in pictures], starts)


def planes_of(frame: Any) -> Frame:
    """Copies of a frame's planes."""
    return [np.array(plane) for plane in frame]


def read_frame(clip: Any, n: int) -> Frame:
    """The planes of frame n."""
    with clip.get_frame(n) as frame:
        return planes_of(frame)


def frames_of(clip: Any, ahead: int | None = None) -> Iterator[Any]:
    """The frames in order, each closed after use; `ahead` are requested before they are needed."""
    frames: Iterator[Any] = clip.frames(
        prefetch=ahead, backlog=3 * ahead if ahead else None, close=True, collect_garbage=False
    )
    return frames


def read(clip: Any, ahead: int | None = None) -> Frames:
    """The planes of all frames, requested in order."""
    return [planes_of(frame) for frame in frames_of(clip, ahead)]


def read_gray(clip: Any, n: int = 0) -> Real:
    """The only plane of frame n in float64."""
    return read_frame(clip, n)[0].astype(np.float64)


def fingerprint(frame: Frame) -> tuple[bytes, ...]:
    """What two frames must share to be the same bytes."""
    return tuple(plane.tobytes() for plane in frame)


def assert_same(actual: Frames, wanted: Frames, label: str = "") -> None:
    """Both clips are the same bytes, else the first differing sample is named."""
    assert len(actual) == len(wanted)
    for n, (a, b) in enumerate(zip(actual, wanted, strict=True)):
        if fingerprint(a) == fingerprint(b):
            continue
        for p, (left, right) in enumerate(zip(a, b, strict=True)):
            assert left.shape == right.shape
            differ = np.argwhere((left != right) & ~((left != left) & (right != right)))
            if len(differ):
                y, x = differ[0]
                raise AssertionError(
                    f"{label} frame {n} plane {p}: {len(differ)} samples differ, first at x={x} y={y}: "
                    f"{left[y, x]} instead of {right[y, x]}"
                )
        raise AssertionError(f"{label} frame {n}: same values, other bytes (signed zeros or NaNs)")


def assert_stored(stored: NDArray[Any], accepted: Real, samples: Samples, noise: float, label: str = "") -> None:
    """Samples are the reference's values, rounded, but for `noise` (in sample units) of the arithmetic before rounding.

    Args:
        stored: What the filter returned, any shape.
        accepted: Unrounded values, of the same shape or with a leading axis of alternatives.
        samples: How the samples are stored.
        noise: The bound.
        label: What to say of a failure.
    """
    choices = accepted if accepted.ndim > stored.ndim else accepted[None]
    excess = np.min([samples.excess(stored, choice) for choice in choices], axis=0)
    assert np.all(np.isfinite(excess)), f"{label}: not finite"
    worst = np.unravel_index(np.argmax(excess), excess.shape)
    assert excess[worst] <= noise, (
        f"{label}: at {tuple(map(int, worst))} stored {stored[worst]}, reference {[float(c[worst]) for c in choices]}, "
        f"{excess[worst]:.3g} beyond rounding, allowed {noise:.3g}; {np.mean(excess > noise):.2%} of samples"
    )


def assert_freed(core: Any, before: int) -> None:
    """The core holds as many bytes of frames as before, once its threads have let go of what they worked on."""
    for _ in range(6000):
        if core.used_cache_size <= before:
            break
        time.sleep(0.01)
    assert core.used_cache_size <= before


def assert_all_freed[T](core: Any, use: Callable[[], T]) -> T:
    """What is used within a function is gone after it.

    Args:
        core: The core.
        use: The function.

    Returns:
        What it returns.
    """
    gc.collect()
    core.clear_cache()
    before = core.used_cache_size
    result = use()
    gc.collect()
    assert_freed(core, before)
    return result


def uncached(clip: Any) -> Any:
    """The clip, each request computed anew."""
    vs.core.std.SetVideoCache(clip, mode=0)
    return clip


def cached(clip: Any, frames: int) -> Any:
    """The clip, its last `frames` frames kept."""
    vs.core.std.SetVideoCache(clip, mode=1, fixedsize=1, maxsize=frames, maxhistory=0)
    return clip
