"""One table of all filters: what tests that hold for every filter run over. A new filter needs one row in `FILTERS`."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise
from typing import Any, Protocol

import numpy as np
import vapoursynth as vs
from numpy.typing import NDArray

from own import Compile, Own, PerPlane, lighten
from reference import Real, Samples
from reference import decay as decay_reference
from reference.changemap import changemap
from reference.diffblend import diffblend, lagged, scene_of
from reference.diffuse import (
    Steering,
    automatic_contrast,
    chosen,
    diffuse_planes,
    elementary_steps,
    smoothed,
    speed,
    squared_gradient,
)
from reference.diffuse3d import SMALLEST_CONTRAST, diffuse3d
from reference.diffuse3d import noise as noise_of
from reference.extrapolate import extrapolate
from reference.inpaint import biharmonic, eed, harmonic, still
from reference.interpolate import interpolate
from reference.kernel import lighten as lighten_reference
from reference.morphology import dilate, erode
from reference.poisson import Mask, blend, union
from reference.shock import shock
from reference.spread import spread
from reference.tensordiffuse import elementary_steps as tensor_steps
from reference.tensordiffuse import tensor_diffuse
from support import Frame, Frames, Video, assert_stored, make_clip, read, stack

Args = Mapping[str, Any]


class Reference(Protocol):
    """A filter's float64 reference on one plane of a whole clip."""

    def __call__(
        self, x: Real, samples: Samples, plane: int, starts: Collection[int], args: Args
    ) -> tuple[Real, float]:
        """Unrounded outcomes, shape (frames, h, w) or with alternatives in front, and the bound on arithmetic noise.

        `args` are the filter's, and as `clip` the whole clip, (video, frames), for planes that depend on each other;
        `planes` are those that are processed.
        """


@dataclass(frozen=True)
class Case:
    """A filter with arguments.

    Attributes:
        filter: The filter's name.
        args: Its arguments. One that can be called is a clip made of the filtered one.
        reference: What to compare with.
    """

    filter: str
    args: Args
    reference: Reference = field(repr=False, compare=False)

    def __str__(self) -> str:
        return "-".join([self.filter, *(f"{key}={value}".replace(" ", "") for key, value in self.args.items())])

    @property
    def appended(self) -> int:
        """Frames that the filter adds at the end."""
        return int(self.args.get("length", 0))

    @property
    def times(self) -> int:
        """Frames that the filter makes of each."""
        return int(self.args.get("factor", 1))

    def apply(self, clip: Any, *, namespace: str = "vdiff", **more: Any) -> Any:
        """The filter on a clip.

        Args:
            clip: The clip. Arrays of arguments are cut to its number of planes.
            namespace: Another one for a second plugin.
            more: Further arguments.

        Returns:
            The filtered clip.
        """
        planes = clip.format.num_planes
        args = {key: value[:planes] if isinstance(value, list) else value for key, value in self.args.items()}
        args = {key: value(clip) if callable(value) else value for key, value in args.items()}
        return getattr(getattr(vs.core, namespace), self.filter)(clip, **{**args, **more})

    def check(self, video: Video, frames: Frames, starts: Collection[int] = ()) -> None:
        """The filter against its reference on every plane of every frame."""
        self.compare(video, frames, starts, read(self.apply(make_clip(video, frames, starts))))

    def compare(
        self,
        video: Video,
        frames: Frames,
        starts: Collection[int],
        result: Frames,
        planes: Collection[int] | None = None,
    ) -> None:
        """What the filter made of a clip, against its reference on every plane of every frame.

        Args:
            video: Format and size of the clip.
            frames: Its frames.
            starts: Those that begin a scene.
            result: What came of them.
            planes: The planes that were processed, the others being those of the clip; None: all.
        """
        assert len(result) == len(frames) * self.times + self.appended
        for p in video.planes:
            samples = video.samples(p)
            actual = np.stack([frame[p] for frame in result])
            assert actual.dtype == samples.dtype
            label = f"{self} {video.name} {video.width}x{video.height} plane {p} (frame, y, x)"
            if planes is not None and p not in planes:
                wanted = np.stack([frame[p] for frame in [*frames, *[frames[-1]] * self.appended]])
                assert wanted.tobytes() == actual.tobytes(), f"{label}: not the clip's"
                continue
            args = {**self.args, "clip": (video, frames), "planes": video.planes if planes is None else planes}
            accepted, noise = self.reference(stack(frames, p), samples, p, starts, args)
            assert actual.shape == accepted.shape[-3:]
            assert_stored(actual, accepted, samples, noise, label)


def of_plane(value: Any, plane: int) -> Any:
    """An argument's value for a plane: arrays are indexed by plane, the last value repeats."""
    return value[min(plane, len(value) - 1)] if isinstance(value, Sequence) else value


def span(x: Real, samples: Samples) -> float:
    """The distance that values can have: the peak, or what float values beyond it make it."""
    return float(max(samples.peak, np.ptp(x)))


@dataclass(frozen=True)
class Mirrored:
    """A guide made of the clip itself, mirrored.

    Attributes:
        name: Its format; empty: the clip's.
    """

    name: str = ""

    def __call__(self, clip: Any) -> Any:
        """The guide."""
        return vs.core.std.FlipHorizontal(in_format(clip, self.name) if self.name else clip)

    def __repr__(self) -> str:
        return f"mirrored{self.name}"


@dataclass(frozen=True)
class StandIns:
    """Two clips in the place of the frames before and after each: the clip itself, mirrored either way."""

    def __call__(self, clip: Any) -> list[Any]:
        """The clips."""
        return [vs.core.std.FlipHorizontal(clip), vs.core.std.FlipVertical(clip)]

    def __repr__(self) -> str:
        return "mirrored"


def holes(height: int, width: int) -> NDArray[np.bool_]:
    """Masked pixels: blots, lines and lone ones; the first pixels of all planes are not."""
    y, x = np.mgrid[0:height, 0:width]
    blots = (x // 9 + y // 5) % 3 == 1
    mask = (blots & ((x + 2 * y) % 13 != 0)) | ((x * 7 + y * 11) % 29 == 0) | (x == y + 3)
    mask[:4, :4] = False
    return np.asarray(mask)


@dataclass(frozen=True)
class Holes:
    """A mask of the clip's size.

    Attributes:
        moving: Whether it has as many frames as the clip, and not the same holes in all of them, else one.
        every: Unless this is 1, it has as many frames, and holes in one of so many.
    """

    moving: bool = False
    every: int = 1

    def __call__(self, clip: Any) -> Any:
        """The mask."""
        video = Video("GRAY8", clip.width or 8, clip.height or 8)  # of a size that varies, there is none
        mask = holes(video.height, video.width)
        masks = [mask & np.roll(mask, 3 * n, n % 2) for n in range(7 if self.moving else 1)]
        masks += [np.zeros_like(mask)] * (self.every - 1)
        made = make_clip(video, [[each.astype(np.uint8) * 255] for each in masks])
        return made.std.Loop()[: clip.num_frames] if len(masks) > 1 else made

    def __repr__(self) -> str:
        return "moving" if self.moving else "holes" if self.every == 1 else "rare"


def in_format(clip: Any, name: str) -> Any:
    """The clip converted to another format; families are converted as BT.709."""
    to = vs.core.get_video_format(getattr(vs, name))
    matrix = {} if to.color_family == vs.RGB else {"matrix": vs.MATRIX_BT709}
    source = {} if clip.format.color_family == vs.RGB else {"matrix_in": vs.MATRIX_BT709}
    return vs.core.resize.Point(clip, format=to.id, **matrix, **source)


def on_8_bits(frame: Frame, video: Video) -> list[Real]:
    """The planes of a frame on the 8-bit scale."""
    return [plane.astype(np.float64) / video.samples(p).unit for p, plane in enumerate(frame)]


def diffuse_frame(
    frame: Frame, video: Video, args: Args, guide: tuple[Video, Frame] | None = None
) -> tuple[list[Real], list[float]]:
    """`Diffuse` on one frame.

    Args:
        frame: Its planes.
        video: Its format.
        args: The filter's arguments, `planes` a list.
        guide: The guide's format and its frame.

    Returns:
        The planes in sample units, and K of each: what is given, or found where that is 0; 0 for planes not processed.
    """
    planes = on_8_bits(frame, video)
    processed = args.get("planes", video.planes)
    presmooth, coupled = args.get("presmooth", 0.0), bool(args.get("coupled", 0))
    steering = Steering(presmooth, coupled) if presmooth > 0.0 or coupled else None
    if guide is not None:
        foreign = guide[0].format.color_family not in (vs.GRAY, video.format.color_family)
        steering = Steering(presmooth, coupled, on_8_bits(guide[1], guide[0]), foreign)
    contrasts = [float(of_plane(contrast(args), p)) if p in processed else 0.0 for p in video.planes]
    if any(contrasts[p] == 0.0 for p in processed):
        squared = (steering or Steering()).squared(planes)
        contrasts = [
            automatic_contrast(squared[p]) if p in processed and k == 0.0 else k for p, k in enumerate(contrasts)
        ]
    out = diffuse_planes(
        planes,
        time=args.get("time", 2.0),
        contrasts=contrasts,
        name=args.get("diffusivity", "rational"),
        scheme=args.get("scheme", "auto"),
        steps=args.get("steps", 0),
        steering=steering,
        processed=processed,
    )
    return [u * video.samples(p).unit for p, u in enumerate(out)], contrasts


def contrast(args: Args) -> Any:
    """K of `Diffuse`: one for all planes, or one for each."""
    return args.get("k", 1.0 if isinstance(args.get("diffusivity"), Own) else 8.0)


def guides_of(args: Args) -> list[tuple[Video, Frame] | None]:
    """Format and planes of each frame of `guide`; what is no clip is that already."""
    if isinstance(args["guide"], list):
        return args["guide"]
    guide = args["guide"](make_clip(*args["clip"]))
    of = Video(guide.format.name.upper(), guide.width, guide.height)
    return [(of, frame) for frame in read(guide)]


def diffuse_clip(x: Real, samples: Samples, plane: int, starts: Collection[int], args: Args) -> tuple[Real, float]:
    """`Diffuse` frame by frame."""
    video, frames = args["clip"]
    guides = guides_of(args) if "guide" in args else [None]
    moving = {} if args.get("coupled", 0) else {"planes": [plane]}
    pictures = [
        diffuse_frame(frame, video, {**args, **moving}, guides[min(n, len(guides) - 1)])[0][plane]
        for n, frame in enumerate(frames)
    ]
    return np.stack(pictures), diffuse_noise(args, samples, plane) * span(x, samples)


def diffuse_noise(args: Args, samples: Samples, plane: int) -> float:
    """The bound on float32's errors in a plane of `Diffuse`, in parts of the values' span.

    Each step may be off by two ulps, 2^-23 of the span. What multiplies it: AOS solves with a matrix whose diagonal is
    up to 1 + 4 tau. The flux s g(s) of `exp`, `weickert` and `tukey` falls steeply beyond the contrast, by up to 0.45,
    2.3 and 0.8 per unit of s, so that errors of s grow from step to step. A steering gradient may be small where the
    differences that it steers are large: they multiply its error, and that of a contrast that was found from it; it is
    an error in parts of the contrast, on the 8-bit scale. The heat kernel may be cut off where it weighs 1e-5, or,
    along each axis, a 64th of a code.
    """
    time, name, scheme = args.get("time", 2.0), args.get("diffusivity", "rational"), args.get("scheme", "auto")
    steered = bool(args.get("presmooth", 0.0) > 0.0 or args.get("coupled", 0) or "guide" in args)
    scheme, steps = chosen(time, name, scheme, args.get("steps", 0), steered)
    if scheme == "exact":
        return max(1e-5, 2.0**-samples.bits / 32.0)
    noise = 2.0**-23 * elementary_steps(time, name, scheme, steps, steered)
    noise *= 1.0 + 4.0 * time * speed(name) / steps if scheme == "aos" else 1.0
    noise *= {"exp": 2.0, "weickert": 4.0, "tukey": 2.0}.get(name, 1.0)
    steers = args["planes"] if args.get("coupled", 0) else [plane]
    contrasts = [of_plane(contrast(args), p) for p in steers]
    noise *= 4.0 * (1.0 + 4.0 / min((k for k in contrasts if k > 0.0), default=np.inf)) if steered else 1.0
    return noise * (4.0 if 0.0 in contrasts else 1.0)


def diffuse3d_clip(x: Real, samples: Samples, plane: int, starts: Collection[int], args: Args) -> tuple[Real, float]:
    """`Diffuse3D`, by the frames around or the clips that stand in for them, within the scene.

    Frames that weigh nothing tell nothing of the noise, either. Each step may be off by four ulps. Just beyond `kt`, g
    falls so steeply that an ulp of s^2 moves it by 1/SLOPE of them; a difference of two frames is what that acts on,
    and half of it at most.
    """
    cuts = starts if args.get("scenechange", 1) else ()
    alone = args.get("weight", 9.0) * args.get("time", 1.0) == 0.0
    clips = [] if alone else [np.stack([f[plane] for f in read(c)]) for c in make_stand_ins(args)]
    radius = 0 if alone else len(clips) // 2 or args.get("radius", 2)
    given = {key: args[key] for key in ("time", "weight", "rho", "steps") if key in args}
    pictures = []
    for n, middle in enumerate(x):
        first, last = scene_of(n, len(x), cuts)
        near = [m for m in range(max(first, n - radius), min(last, n + radius) + 1) if m != n]
        if clips:
            around = {m: clips[m - n + radius - (m > n)][n].astype(np.float64) for m in near}
        else:
            around = {m: x[m] for m in near}
        sigma = noise_of(middle, [around[m] for m in near if abs(m - n) == 1], fresh=not clips)
        contrasts = {}
        for name, factor in (("k", 1.0), ("kt", 1.5)):
            value = of_plane(args.get(name, 0.0), plane) * samples.unit
            least = SMALLEST_CONTRAST * samples.unit
            contrasts[name] = value or max(factor * args.get("strength", 1.0) * sigma, least)
        pictures.append(diffuse3d(middle, list(around.values()), **contrasts, **given).middle)
    steps = args.get("steps", 0) or 4.0 * args.get("time", 1.0)
    return np.stack(pictures), (2.0**-21 * steps + 2.0**-18) * span(x, samples)


def make_stand_ins(args: Args) -> list[Any]:
    """The clips of the argument `neighbours`."""
    return args["neighbours"](make_clip(*args["clip"])) if "neighbours" in args else []


def other_frames(x: Real, plane: int, starts: Collection[int], args: Args) -> Real:
    """The frames that those of a plane are compared with: the clip's own, `lag` before, or those of `ref`."""
    if "ref" in args:
        ref = stack(read(args["ref"](make_clip(*args["clip"]))), plane)
        return ref[[min(n, len(ref) - 1) for n in range(len(x))]]
    cuts = starts if args.get("scenechange", 1) else ()
    return x[[lagged(n, args.get("lag", 1), len(x), cuts) for n in range(len(x))]]


def diffblend_clip(x: Real, samples: Samples, plane: int, starts: Collection[int], args: Args) -> tuple[Real, float]:
    """`DiffBlend`; float32 is off by a few units in the last place of the result."""
    r = other_frames(x, plane, starts, args)
    alpha = of_plane(args.get("alpha", 0.5), plane)
    y = diffblend(
        x,
        r,
        alpha=alpha,
        threshold=of_plane(args.get("threshold", 0.0), plane) * samples.unit,
        limit=of_plane(args.get("limit", 255.0), plane) * samples.unit,
    )
    return y, 2.0**-22 * (1.0 + abs(alpha)) * span(np.stack([x, r]), samples)


def decay_clip(x: Real, samples: Samples, plane: int, starts: Collection[int], args: Args) -> tuple[Real, float]:
    """`Decay`; `mean` and `sum` may forget what weighs less than half a step; arithmetic errs by an ulp in each frame.

    The ulp is float32's, but at 8 bit the 256th part of a step, and as much again, q's own rounding times white; of
    trails with rounding never more than a step in all, of a sum no more than a fifth, beyond which float takes its
    place.
    """
    q = decay_reference.factor(rate=args.get("rate"), halflife=args.get("halflife"))
    cuts = starts if args.get("scenechange", 1) else ()
    mode = args.get("mode", "mean")
    ulp = 2.0**-24 * span(x, samples)
    noise = ulp / (1.0 - q)
    forgotten = 0.5 * samples.step * span(x, samples) / samples.peak
    if mode == "mean":
        return decay_reference.mean(x, q, cuts), noise + forgotten
    if mode == "sum":
        noise = max(noise, min(2.0**-7 / (1.0 - q), 0.2)) if samples.bits == 8 else noise
        ends = {"low": samples.low, "high": samples.high}
        return decay_reference.total(x, q, samples.rest, signed=samples.chroma, starts=cuts, **ends), noise + forgotten
    if mode == "fade":
        return decay_reference.fade(x, q, samples.rest), 4.0 * ulp
    if samples.bits == 8:
        noise = min(2.0**-7 / (1.0 - q), 0.5)
    given: dict[str, Any] = {"floor": 0.5 * samples.step, "starts": cuts, "margin": noise}
    if mode == "min" and not samples.chroma:
        return decay_reference.minimum(x, q, samples.white, **given), noise + ulp
    return decay_reference.maximum(x, q, samples.rest, signed=samples.chroma, **given), noise


def tensor_clip(x: Real, samples: Samples, plane: int, starts: Collection[int], args: Args) -> tuple[Real, float]:
    """`TensorDiffuse` frame by frame.

    Each step may be off by two ulps, and by what their part of the contrast is; one that is found from the picture is
    as far off as for `Diffuse`.
    """
    given = {key: args[key] for key in ("mode", "sigma", "rho", "alpha") if key in args}
    time, steps = args.get("time", 2.0), args.get("steps", 0)
    sigma = args.get("sigma", 0.7 if args.get("mode") == "ced" else 1.0)
    k = of_plane(args.get("k", 4.0), plane) * samples.unit
    contrasts = [k or automatic_contrast(squared_gradient(smoothed(picture, sigma)), samples.unit) for picture in x]
    pictures = [
        tensor_diffuse(picture, time=time, contrast=contrast, cycles=steps, **given)
        for picture, contrast in zip(x, contrasts, strict=True)
    ]
    reach = span(x, samples)
    noise = 2.0**-23 * tensor_steps(time, steps) * reach * (1.0 + reach / (16.0 * min(contrasts)))
    return np.stack(pictures), noise * (1.0 if k else 4.0)


def shock_clip(x: Real, samples: Samples, plane: int, starts: Collection[int], args: Args) -> tuple[Real, float]:
    """`Shock` frame by frame.

    A few ulps of the second derivatives decide over the sign where it changes: what 16 of them make of a picture, twice
    over, is the bound.
    """
    given = {key: args.get(key, default) for key, default in (("time", 1.0), ("sigma", 1.5), ("rho", 2.0))}
    ulps = 2.0**-20 * span(x, samples)

    def run(bias: float) -> Real:
        return np.stack([shock(picture, **given, unit=samples.unit, bias=bias) for picture in x])

    return run(0.0), 2.0 * float(np.max(np.abs(run(ulps) - run(-ulps)))) + ulps


def spread_clip(x: Real, samples: Samples, plane: int, starts: Collection[int], args: Args) -> tuple[Real, float]:
    """`Spread`; each product and each sum may be off by an ulp of float32, of the span times the sum of weights."""
    y = spread(
        other_frames(x, plane, starts, args),
        dx=args["dx"],
        dy=args["dy"],
        weights=args["weights"],
        rest=samples.rest,
        subsampling=samples.subsampling,
    )
    reach = 1.0 + float(np.abs(args["weights"]).sum())
    return y, 2.0**-23 * (len(args["dx"]) + 2) * reach * span(x, samples)


def dilate_clip(x: Real, samples: Samples, plane: int, starts: Collection[int], args: Args) -> tuple[Real, float]:
    """`Dilate` frame by frame, exact."""
    return dilate(x, shape=args.get("shape", "rect"), radius=args.get("radius", 1)), 0.0


def erode_clip(x: Real, samples: Samples, plane: int, starts: Collection[int], args: Args) -> tuple[Real, float]:
    """`Erode` frame by frame, exact."""
    return erode(x, shape=args.get("shape", "rect"), radius=args.get("radius", 1)), 0.0


def changemap_clip(x: Real, samples: Samples, plane: int, starts: Collection[int], args: Args) -> tuple[Real, float]:
    """`ChangeMap`; exact, but that differences and squares of floats are rounded."""
    r = other_frames(x, plane, starts, args)
    norm = args.get("norm", "abs")
    y = changemap(x, r, peak=samples.peak, threshold=args.get("threshold"), norm=norm)
    return y, 2.0**-22 * float(np.abs(y).max()) if samples.is_float else 0.0


def extrapolate_clip(x: Real, samples: Samples, plane: int, starts: Collection[int], args: Args) -> tuple[Real, float]:
    """`Extrapolate`; the factor of the last difference, the product and the sum are rounded."""
    last = len(x) - 1
    r = x[lagged(last, 1, len(x), starts)]
    new = extrapolate(r, x[last], length=args["length"], alpha=args.get("alpha", 1.0))
    furthest = float(np.abs(new - x[last]).max(initial=0.0)) + span(x, samples)
    return np.concatenate([x, new]), 2.0**-22 * furthest


def interpolate_clip(x: Real, samples: Samples, plane: int, starts: Collection[int], args: Args) -> tuple[Real, float]:
    """`Interpolate`; of a picture's modes, none has a weight that is off by more than 2e-4."""
    return interpolate(x, samples.unit, args["factor"], starts), 3e-4 * span(x, samples)


def kernel_clip(x: Real, samples: Samples, plane: int, starts: Collection[int], args: Args) -> tuple[Real, float]:
    """`Kernel` with a function of three frames; each of its few operations rounds."""
    cuts = starts if args.get("scenechange", 1) else ()
    u, r, v = (x[[lagged(n, lag, len(x), cuts) for n in range(len(x))]] for lag in args["lags"])
    a, b = args["params"].rows[plane]
    return lighten_reference(u, r, v, a, b), 2.0**-22 * (1.0 + abs(a) + abs(b)) * span(x, samples)


def poissonblend_clip(x: Real, samples: Samples, plane: int, starts: Collection[int], args: Args) -> tuple[Real, float]:
    """`PoissonBlend` frame by frame, solved to about a quarter of a step of the 8-bit scale, and a fourth of that.

    The solver stops when a cycle would move no pixel further, which is what is left but for the slowest modes.
    """
    video, frames = args["clip"]
    overlay = stack(read(args["overlay"](make_clip(video, frames))), plane)
    overlay = overlay[[min(n, len(overlay) - 1) for n in range(len(x))]]
    masks = masks_of(args, video, frames, samples)
    mixed = bool(args.get("mixed", 0))
    margin = samples.unit / 1024
    pictures = [blend(u, guide, mask, mixed, margin) for u, guide, mask in zip(x, overlay, masks, strict=True)]
    return np.stack(pictures), 1.25 * 0.25 * samples.unit


def masks_of(args: Args, video: Video, frames: Frames, samples: Samples) -> list[Mask]:
    """The argument `mask` for a plane of each frame."""
    masks = [each[0] != 0 for each in read(args["mask"](make_clip(video, frames)))]
    return [union(mask, samples.subsampling) for mask in (masks if len(masks) > 1 else masks * len(frames))]


def inpaint_clip(x: Real, samples: Samples, plane: int, starts: Collection[int], args: Args) -> tuple[Real, float]:
    """`Inpaint` frame by frame, solved to about `tol` on the 8-bit scale, as `PoissonBlend` is.

    What other frames show is off by that, and by its rounding; the biharmonic equation, which extrapolates, makes up to
    three times as much of it.
    """
    video, frames = args["clip"]
    masks = masks_of(args, video, frames, samples)
    k, sigma, temporal = args.get("k", 2.0) * samples.unit, args.get("sigma", 1.0), args.get("temporal", 0)
    solve: dict[str, Callable[[Real, Mask], Real]] = {
        "harmonic": harmonic,
        "biharmonic": biharmonic,
        "eed": partial(eed, contrast=k, sigma=sigma),
    }
    mode = args.get("mode", "harmonic")
    out = []
    for n, (picture, mask) in enumerate(zip(x, masks, strict=True)):
        if not temporal:
            out.append(solve[mode](picture, mask))
            continue
        given, left = still(x, np.stack(masks), n, scene_range(n, len(x), starts), temporal, 2 * k)
        # What is left is solved for from what is shown, unless it was with the others.
        apart = mode != "harmonic" or bool(mask.all())
        shown = samples.store(given).astype(np.float64) if apart else given
        out.append(np.where(left, solve[mode](shown, left), given))
    noise = 1.25 * args.get("tol", 0.25) * samples.unit + 2.0**-16 * span(x, samples)
    return np.stack(out), noise + (3.0 * (noise + 0.5 * samples.step) if temporal and mode == "biharmonic" else 0.0)


def scene_range(n: int, length: int, starts: Collection[int]) -> range:
    """The frames of the scene that frame n is in."""
    bounds = [0, *sorted(m for m in starts if m > 0), length]
    return next(range(first, end) for first, end in pairwise(bounds) if first <= n < end)


FILTERS: dict[str, tuple[Reference, list[dict[str, Any]]]] = {
    "Diffuse": (
        diffuse_clip,
        [
            {"time": 1.0, "diffusivity": "linear", "scheme": "explicit"},
            {"time": 2.0, "k": [12.0, 30.0, 5.0], "scheme": "explicit", "steps": 9},
            {"time": 1.5, "k": 20.0, "diffusivity": "exp", "scheme": "explicit", "steps": 6},
            {"time": 2.0, "k": [12.0, 30.0, 5.0], "diffusivity": Own("rational"), "scheme": "explicit", "steps": 9},
            {"time": 6.0, "k": [9.0, 14.0], "scheme": "fed", "steps": 2},
            {"time": 5.0, "k": 40.0, "diffusivity": "exp", "scheme": "fed", "steps": 3},
            {"time": 8.0, "diffusivity": "linear", "scheme": "fed", "steps": 1},
            {"time": 2.5, "k": [20.0, 35.0], "diffusivity": "charbonnier", "scheme": "aos", "steps": 3},
            {"time": 1.0, "k": 60.0, "diffusivity": "weickert", "scheme": "explicit", "steps": 6},
            {"time": 0.2, "k": [0.0, 25.0], "diffusivity": "tv", "scheme": "explicit", "steps": 9},
            {"time": 4.5, "diffusivity": "linear", "scheme": "exact"},
            {"time": 2.0, "k": 50.0, "diffusivity": "tukey", "scheme": "fed", "steps": 2, "presmooth": 1.2},
            {"time": 2.5, "k": 60.0, "scheme": "fed", "steps": 2, "presmooth": 0.7, "coupled": 1},
            {"time": 2.0, "k": [0.0, 25.0], "scheme": "aos", "steps": 2, "guide": Mirrored()},
        ],
    ),
    "Diffuse3D": (
        diffuse3d_clip,
        [
            {"k": 20.0, "kt": 90.0},
            {
                "radius": 3,
                "time": 1.6,
                "k": [40.0, 15.0, 60.0],
                "kt": [120.0, 30.0],
                "weight": 2.5,
                "rho": 1.2,
                "steps": 9,
            },
            {"radius": 1, "k": 25.0, "kt": 50.0, "rho": 0.0},
            {"strength": 0.8, "rho": 4.5},
            {"neighbours": StandIns(), "k": [20.0, 0.0], "kt": [90.0, 0.0]},
        ],
    ),
    "TensorDiffuse": (
        tensor_clip,
        [
            {"time": 2.0},
            {"time": 1.5, "k": [12.0, 30.0, 6.0], "sigma": 0.8, "steps": 2},
            {"time": 5.0, "mode": "ced", "k": [7.0, 9.0], "rho": 2.0, "alpha": 0.01, "steps": 1},
        ],
    ),
    "Shock": (
        shock_clip,
        [
            {"time": 0.5},
            {"time": 0.4, "sigma": 0.8, "rho": 0.0},
        ],
    ),
    "DiffBlend": (
        diffblend_clip,
        [
            {},
            {"alpha": -0.4, "lag": 3},
            {"alpha": [1.5, 0.7], "lag": -2, "threshold": [3.0, 1.25], "limit": [40.0, 20.0, 11.0]},
            {"alpha": 30.0, "threshold": 12.0, "limit": 25.5, "lag": 1},
            {"alpha": [-0.5, 100.0, 1.2]},
        ],
    ),
    "Decay": (
        decay_clip,
        [
            {"halflife": 2.0},
            {"rate": 0.05},
            {"halflife": 0.5, "mode": "max"},
            {"halflife": 13.5, "mode": "max"},
            {"halflife": 5.0, "mode": "min"},
            {"halflife": 3.0, "mode": "sum"},
            {"halflife": 40.0, "mode": "sum"},
            {"halflife": 4.0, "mode": "fade"},
        ],
    ),
    "ChangeMap": (
        changemap_clip,
        [
            {},
            {"norm": "square", "lag": -2},
            {"threshold": 20.3, "lag": 3},
            {"threshold": 0.0, "norm": "square", "scenechange": 0},
        ],
    ),
    "Extrapolate": (
        extrapolate_clip,
        [
            {"length": 3},
            {"length": 5, "alpha": 0.6},
            {"length": 4, "alpha": -1.3},
        ],
    ),
    "Interpolate": (
        interpolate_clip,
        [
            {"factor": 2},
            {"factor": 5},
        ],
    ),
    # Tuples: a list would be cut to the number of planes.
    "Spread": (
        spread_clip,
        [
            {"dx": (2, -1, 0, 3), "dy": (0, 1, -2, 3), "weights": (0.4, 0.3, 0.2, 0.2)},
            {"dx": (5, -7, 1), "dy": (1, 3, -30), "weights": (1.5, -0.75, 0.125), "lag": -2, "scenechange": 0},
            {
                "dx": tuple(range(-32, 32)),
                "dy": tuple(d * d % 23 - 11 for d in range(64)),
                "weights": tuple(0.03 - 0.0005 * d for d in range(64)),
                "lag": 0,
            },
            {"dx": (-1001, 2**31 - 1, 64), "dy": (77, 0, -(2**31)), "weights": (0.5, 0.3, 0.1), "lag": 3},
        ],
    ),
    "Dilate": (
        dilate_clip,
        [
            {},
            {"radius": 9},
            {"radius": 3, "shape": "cross"},
            {"radius": 5, "shape": "disc"},
        ],
    ),
    "Erode": (
        erode_clip,
        [
            {"radius": 2},
            {"radius": 1, "shape": "cross"},
            {"radius": 7, "shape": "disc"},
        ],
    ),
    "Inpaint": (
        inpaint_clip,
        [
            {"mask": Holes()},
            {"mask": Holes(), "mode": "biharmonic"},
            {"mask": Holes(every=5), "mode": "eed", "k": 60.0, "sigma": 0.8},
            {"mask": Holes(moving=True), "temporal": 2, "k": 1000.0},
        ],
    ),
    "PoissonBlend": (
        poissonblend_clip,
        [
            {"overlay": Mirrored(), "mask": Holes()},
            {"overlay": Mirrored(), "mask": Holes(), "mixed": 1},
        ],
    ),
    "Kernel": (
        kernel_clip,
        [
            {
                "kernel": Compile(lighten, sources=3, params=2),
                "lags": (0, 1, -2),
                "params": PerPlane(((0.9, 0.25), (0.6, -0.5), (1.5, 0.1))),
            },
        ],
    ),
}
"""For each filter its reference and the arguments to try; the first row of each is the one for tests that need one."""

WHOLE = {"Interpolate"}
"""Filters that process all planes: they have no argument `planes`."""

MARKERS = {"SceneDetect", "RepairFrames"}
"""Filters by which frames pass through with properties, all or all but a few. Their own modules test all of them."""

CASES = [Case(name, args, reference) for name, (reference, rows) in FILTERS.items() for args in rows]
ONE_EACH = [Case(name, rows[0], reference) for name, (reference, rows) in FILTERS.items()]


def elsewhere(x: Real, samples: Samples, plane: int, starts: Collection[int], args: Args) -> tuple[Real, float]:
    """The reference of filters that are in no table."""
    raise AssertionError("the filter's own module compares it with its reference")


MARKING = [
    Case("SceneDetect", {}, elsewhere),
    Case("SceneDetect", {"metric": "histogram"}, elsewhere),
    Case("SceneDetect", {"metric": "mse", "min_length": 3}, elsewhere),
    Case("SceneDetect", {"metric": "mad"}, elsewhere),
    Case("RepairFrames", {"threshold": 0.0, "max_gap": 1}, elsewhere),
    Case("RepairFrames", {}, elsewhere),
]
"""Cases of `MARKERS`, for tests of whatever is not the values."""


def filter_cases(name: str) -> list[Case]:
    """The cases of one filter."""
    return [case for case in CASES if case.filter == name]
