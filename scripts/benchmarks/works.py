"""What is measured: each filter with its arguments, what it must move and compute at least, and its peers."""

from __future__ import annotations

import math
import runpy
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import vapoursynth as vs

import vs_vdiff

from . import interpolation, quality
from .peers import (
    LOGO,
    Apply,
    Peer,
    coherence_sample,
    earlier,
    expression,
    ffmpeg_filter,
    filtered,
    folder,
    gmic,
    itk_lbr,
    logo,
    numpy_diffusion,
    opencv_clone,
    opencv_diffusion,
    opencv_inpaint,
    perona_malik,
    planewise,
    plugin,
    repeated,
    scattered,
    scipy_harmonic,
    simpleitk_diffusion,
    skimage_inpaint,
    white,
)
from .settings import Clip, NotThereError, Setting

core = vs.core


type Count = float | Callable[[Setting], float]
"""A number, or what it is in a setting."""

LONG: dict[str, Any] = {"sizes": ("1080p",)}
"""For peers that take a large part of a second for a frame, and of other sizes as many times as much or as little."""


@dataclass(frozen=True)
class Work:
    """A filter with its arguments.

    Attributes:
        name: Filter, and what distinguishes it from other works of the filter.
        what: The arguments, in words.
        family: Of the formats.
        apply: The filter on a clip.
        peers: What else does it.
        moved: What must at least be read and written, in frames of the clip.
        add: Float32 additions and subtractions that the formula takes for a sample of the clip, at least, in the
            cheapest form that is known: what two samples share is computed once, constants are folded;
        mul: multiplications;
        div: divisions.
        integers: Depths at which they are integer operations, which are not counted.
        worked: Samples of a frame that they are counted for, all by default.
        least: Frames of a measurement, at least.
        depths: That are measured.
    """

    name: str
    what: str
    family: str
    apply: Apply
    peers: tuple[Peer, ...] = ()
    moved: Count = 2
    add: Count = 0
    mul: Count = 0
    div: Count = 0
    integers: tuple[str, ...] = ()
    worked: float = 0
    least: int = 1
    depths: tuple[str, ...] = field(default=("8", "16", "float"))

    @property
    def ours(self) -> Peer:
        """Our own measurement."""
        return Peer(self.name, filtered(self.apply), least=self.least, depths=self.depths)

    def needs(self, setting: Setting) -> dict[str, float]:
        """What a frame takes at least: copies of a frame (memory), and float32 operations."""

        def number(count: Count) -> float:
            return count(setting) if callable(count) else count

        samples = self.worked or setting.samples(self.family)
        counts = {"add": self.add, "mul": self.mul, "div": self.div} if setting.depth not in self.integers else {}
        # A copy reads a frame and writes one.
        return {"memory": number(self.moved) / 2} | {
            name: samples * number(count) for name, count in counts.items() if count
        }


def diffuse(**args: Any) -> Apply:
    """Diffuse with these arguments."""
    return lambda clip: core.vdiff.Diffuse(clip, **args)


def own_diffuse(**args: Any) -> Apply:
    """The same with `rational` as a function of one's own."""
    return lambda clip: vs_vdiff.diffuse(clip, lambda s2: 1 / (1 + s2), k=8, **args)


def diffuse_works() -> Iterator[Work]:
    """Diffuse: its schemes."""
    yield Work(
        "Diffuse-explicit",
        "rational, 10 explicit steps",
        "GRAY",
        diffuse(time=2, k=8, scheme="explicit", steps=10),
        (
            plugin("akarin.Expr, 10 nodes", perona_malik(10, 0.2, 8)),
            Peer("cv2.ximgproc.anisotropicDiffusion", opencv_diffusion, depths=("8",)),
            Peer("ITK GradientAnisotropicDiffusion", simpleitk_diffusion, depths=("float",), **LONG),
            Peer("NumPy, one thread", numpy_diffusion, depths=("float",), **LONG),
        ),
        add=80,
        mul=20,
        div=10,
    )
    yield Work(
        "Diffuse",
        "defaults; others are other methods that keep edges",
        "YUV420",
        diffuse(),
        (
            ffmpeg_filter("bilateral=sigmaS=3:sigmaR=0.05", same=False),
            ffmpeg_filter("guided", same=False, **LONG, slow=True),
            ffmpeg_filter("nlmeans", same=False, **LONG, slow=True, depths=("8",)),
            plugin("vszip.Bilateral", lambda clip: core.vszip.Bilateral(clip, sigmaS=3, sigmaR=0.05), same=False),
            gmic("tv_flow 10,2"),
        ),
        add=80,
        mul=20,
        div=10,
    )
    yield Work(
        "Diffuse-fed",
        "rational, time 50, 4 cycles",
        "GRAY",
        diffuse(time=50, scheme="fed", steps=4),
        (plugin("200 explicit steps", diffuse(time=50, scheme="explicit", steps=200)),),
        add=400,
        mul=104,
        div=4,
    )
    yield Work(
        "Diffuse-aos",
        "rational, time 20, 4 steps",
        "GRAY",
        diffuse(time=20, scheme="aos", steps=4),
        (plugin("80 explicit steps", diffuse(time=20, scheme="explicit", steps=80)),),
        add=52,
        mul=56,
        div=4,
    )
    for sigma, of_bytes, radius in ((2, 9, 10), (4, 16, 19), (8, 32, 37)):

        def neighbours(setting: Setting, of_bytes: int = of_bytes, radius: int = radius) -> float:
            """On each side and axis."""
            return 2 * (of_bytes if setting.depth == "8" else radius)

        yield Work(
            f"Diffuse-exact-{sigma}",
            f"linear, the heat kernel of standard deviation {sigma}",
            "GRAY",
            diffuse(time=sigma * sigma / 2, diffusivity="linear", scheme="exact"),
            (
                planewise("cv2.GaussianBlur", lambda cv2, s=sigma: lambda p: cv2.GaussianBlur(p, (0, 0), s)),  # type: ignore[misc]
                ffmpeg_filter(f"gblur=sigma={sigma}:steps=3", same=False),
            ),
            add=lambda setting, neighbours=neighbours: 2 * neighbours(setting),  # type: ignore[misc]
            mul=neighbours,
        )
    yield Work(
        "Diffuse-own",
        "rational as a function of one's own",
        "YUV420",
        own_diffuse(),
        (plugin("by name", diffuse(k=8), same=False),),
        add=80,
        mul=20,
        div=10,
    )


def diffuse3d_works() -> Iterator[Work]:
    """Diffuse3D beside denoisers of about its quality, as the quality table has them; frames are not moved."""

    def wnnm(**args: Any) -> Apply:
        return lambda clip: core.vszip.WNNM(clip, sigma=[18], radius=1, **args)

    yield Work(
        "Diffuse3D",
        "radius 3; others are other denoisers",
        "GRAY",
        lambda clip: core.vdiff.Diffuse3D(clip, radius=3),
        (
            *(
                plugin(
                    f"dfttest2_cpu, blocks every {step}",
                    lambda clip, step=step: quality.dfttest(clip, 100, step),  # type: ignore[misc]
                    same=False,
                )
                for step in (4, 8)
            ),
            plugin("vszip.WNNM, blocks every 4", wnnm(block_step=4), same=False, depths=("float",), **LONG),
            plugin("vszip.WNNM, blocks every 8", wnnm(block_step=8), same=False, depths=("float",), **LONG),
            plugin(
                "vszip.WNNM, best quality", wnnm(block_step=4, group_size=32, residual=1), same=False, sizes=("720p",)
            ),
            plugin(
                "bm3d.VBasic, VAggregate, radius 1",
                lambda clip: core.bm3d.VAggregate(core.bm3d.VBasic(clip, sigma=10, radius=1), radius=1),
                same=False,
                **LONG,
            ),
            plugin("nlm_ispc, d=2", lambda clip: core.nlm_ispc.NLMeans(clip, d=2), same=False, **LONG),
            ffmpeg_filter("atadenoise", same=False),
            ffmpeg_filter("vaguedenoiser", same=False),
        ),
        add=168,
        mul=91,
        div=8,
        least=4,
    )


def tensor_works() -> Iterator[Work]:
    """TensorDiffuse and Shock."""
    yield Work(
        "TensorDiffuse",
        "mode eed, time 2",
        "GRAY",
        lambda clip: core.vdiff.TensorDiffuse(clip, time=2, mode="eed"),
        (
            Peer("ITK AnisotropicDiffusionLBR", itk_lbr, depths=("float",), **LONG),
            gmic("smooth 20,0.5,0.8,0.6,1.1"),
        ),
        add=240,
        mul=126,
        div=3,
    )
    yield Work(
        "TensorDiffuse-ced",
        "mode ced, defaults",
        "GRAY",
        lambda clip: core.vdiff.TensorDiffuse(clip, mode="ced"),
        (gmic("smooth 60,0.9,0.1,1.5,2"),),
        add=639,
        mul=321,
        div=3,
    )
    yield Work(
        "Shock",
        "defaults",
        "GRAY",
        lambda clip: core.vdiff.Shock(clip),
        (
            Peer("the steps of OpenCV's coherence.py, 4", coherence_sample, same=False, depths=("8", "float"), **LONG),
            gmic("sharpen 100,1"),
        ),
        add=316,
        mul=168,
        div=2,
    )


def grid(count: int) -> list[tuple[int, int]]:
    """Displacements by two pixels, so that chroma's are whole: four neighbours, or a square of 3x3, 5x5."""
    if count == 4:
        return [(2, 0), (-2, 0), (0, 2), (0, -2)]
    reach = math.isqrt(count) // 2
    return [(2 * x, 2 * y) for y, x in product(range(-reach, reach + 1), repeat=2)]


def spread(places: list[tuple[int, int]]) -> Apply:
    """Spread from the same frame, every tap of the same weight."""
    dx, dy = map(list, zip(*places, strict=True))
    return lambda clip: core.vdiff.Spread(clip, dx=dx, dy=dy, weights=[1 / len(places)] * len(places), lag=0)


def expression_of_taps(places: list[tuple[int, int]]) -> Apply:
    """The same as an expression."""

    def of_plane(size: int) -> str:
        taps = " ".join(f"x[{-x // size},{-y // size}] {1 / len(places)} *" for x, y in places)
        return taps + " +" * (len(places) - 1)

    def apply(clip: Clip) -> Clip:
        planes = [of_plane(1), of_plane(1 << clip.format.subsampling_w)][: clip.format.num_planes]
        return core.akarin.Expr(clip, planes, boundary=1)

    return apply


def spread_works() -> Iterator[Work]:
    """Spread with more and more taps, and as a box."""
    for count in (4, 9, 25):
        yield Work(
            f"Spread-{count}",
            f"{count} taps at even displacements; the limit is that of any weights",
            "YUV420",
            spread(grid(count)),
            (plugin(f"akarin.Expr, {count} taps", expression_of_taps(grid(count))),),
            add=count - 1,
            mul=count,
            integers=("8", "16"),
        )
    for side in (3, 5):
        reach = side // 2
        places = [(x, y) for y, x in product(range(-reach, reach + 1), repeat=2)]
        kernel = np.full((side, side), 1 / side**2, np.float32)
        yield Work(
            f"Spread-box-{side}",
            f"the mean of {side}×{side} pixels",
            "GRAY",
            spread(places),
            (
                plugin(
                    f"std.Convolution, {side}×{side}",
                    lambda clip, n=side * side: core.std.Convolution(clip, [1] * n),  # type: ignore[misc]
                ),
                planewise(
                    f"cv2.filter2D, {side}×{side}",
                    lambda cv2, kernel=kernel: lambda p: cv2.filter2D(p, -1, kernel),  # type: ignore[misc]
                ),
            ),
            add=side * side - 1,
            mul=side * side,
            integers=("8", "16"),
        )


def morphology_works() -> Iterator[Work]:
    """Dilate; Erode is the same code."""
    for radius in (1, 15):
        side = 2 * radius + 1
        peers = [
            plugin(f"std.Maximum, {radius} node{'s' * (radius > 1)}", repeated("Maximum", radius)),
            planewise(
                f"cv2.dilate, {side}×{side}",
                lambda cv2, side=side: lambda p: cv2.dilate(p, np.ones((side, side), np.uint8)),  # type: ignore[misc]
            ),
        ]
        if radius == 1:
            peers.append(ffmpeg_filter("dilation"))
        yield Work(
            f"Dilate-{radius}",
            f"radius {radius}",
            "YUV420",
            lambda clip, radius=radius: core.vdiff.Dilate(clip, radius=radius),  # type: ignore[misc]
            tuple(peers),
        )


def decay_works() -> Iterator[Work]:
    """Decay beside FFmpeg's trails and means of frames, and beside a mean of frames in VapourSynth."""

    def moved(setting: Setting) -> float:
        """The frame, what comes out, and the state, of 16 bits for bytes and else float32, to and fro."""
        return 2 + 2 * {"8": 2, "16": 2, "float": 1}[setting.depth]

    for mode in ("max", "sum"):
        yield Work(
            f"Decay-{mode}",
            f"mode {mode}, half-life 5",
            "YUV420",
            lambda clip, mode=mode: core.vdiff.Decay(clip, halflife=5, mode=mode),  # type: ignore[misc]
            (ffmpeg_filter("lagfun=decay=0.87"),),
            moved=moved,
            add=3 if mode == "sum" else 2,
            mul=1,
            integers=("8",),
            least=200 if mode == "sum" else 32,
        )
    # The recursive mean that leaves as much of white noise as the mean of so many frames, (1 - q) / (1 + q) of it.
    noise_of = 9
    q = (noise_of - 1) / (noise_of + 1)
    yield Work(
        "Decay-mean",
        f"mode mean, that leaves as much noise as the mean of {noise_of} frames",
        "YUV420",
        lambda clip: core.vdiff.Decay(clip, rate=-math.log(q)),
        (
            plugin(
                "zsmooth.TemporalSoften, 9 frames",
                lambda clip: core.zsmooth.TemporalSoften(
                    clip, radius=4, threshold=min(255, white(clip)), scenechange=0
                ),
            ),
            ffmpeg_filter("tmix=frames=9", "FFmpeg tmix, 9 frames"),
            ffmpeg_filter("hqdn3d=0:0:30:30", "FFmpeg hqdn3d, in time alone", same=False),
            ffmpeg_filter("atadenoise", same=False),
        ),
        moved=moved,
        add=1,
        mul=1,
        integers=("8",),
        least=150,
    )


FACTORS = (2.0, 2.0, 60.0)
"""Alpha, threshold and limit of the change that is exaggerated."""


def diffblend(factors: tuple[float, float, float]) -> Apply:
    """The native filter."""
    alpha, threshold, limit = factors
    return lambda clip: core.vdiff.DiffBlend(clip, alpha=alpha, threshold=threshold, limit=limit)


def diffblend_kernel(factors: tuple[float, float, float]) -> Apply:
    """The same as a kernel, that of scripts/examples/diffblend.vpy."""
    return lambda clip: example("diffblend")(clip, lags=(0, 1), params=factors)


@cache
def example(name: str) -> Any:
    """A kernel of scripts/examples. The script wants a clip."""
    video = folder() / "clip.y4m"
    with video.open("wb") as file:
        core.std.BlankClip(format=vs.YUV420P8, width=64, height=64, length=2).output(file, y4m=True)
    script = Path(__file__).parent.parent / "examples" / f"{name}.vpy"
    return runpy.run_path(str(script), init_globals={"source": str(video)})[name]


def diffblend_numpy(clip: Clip) -> Clip:
    """The same as a function of arrays that the host calls for each frame."""
    scale = white(clip) / 255
    alpha, threshold, limit = FACTORS[0], FACTORS[1] * scale, FACTORS[2] * scale
    integer = clip.format.sample_type == vs.INTEGER

    def blend(n: int, f: list[vs.VideoFrame]) -> vs.VideoFrame:
        out = f[0].copy()
        for plane in range(out.format.num_planes):
            x, r = (np.asarray(frame[plane]).astype(np.float32) for frame in f)
            d = x - r
            d -= np.clip(d, -threshold, threshold)
            y = x + np.clip(alpha * d, -limit, limit)
            if integer:
                y = np.clip(y, 0, white(clip)) + np.float32(0.5)
            np.copyto(np.asarray(out[plane]), y, casting="unsafe")
        return out

    return core.std.ModifyFrame(clip, [clip, earlier(clip)], blend)


def diffblend_expr(clip: Clip) -> Clip:
    """The same as an expression."""
    scale = white(clip) / 255
    alpha, threshold, limit = FACTORS[0], FACTORS[1] * scale, FACTORS[2] * scale
    soft = f"x y - dup {-threshold} max {threshold} min -"
    return core.akarin.Expr([clip, earlier(clip)], f"{soft} {alpha} * {-limit} max {limit} min x +")


def statistics(clip: Clip) -> Clip:
    """The mean of |x - r|, and least, most and mean of x."""
    return core.std.PlaneStats(clip, earlier(clip))


def three_statistics(clip: Clip) -> Clip:
    """Those of ChangeMap, of luma, on scales of their own: means of |x - r|, of its square, of where it is not 0."""
    luma = core.std.ShufflePlanes(clip, 0, vs.GRAY)
    pair = [luma, earlier(luma)]
    squares = core.akarin.Expr(pair, "x y - dup *", format=vs.GRAYS)
    changed = core.akarin.Expr(pair, "x y = 0 255 ?", format=vs.GRAY8)
    measured = [statistics(luma), core.std.PlaneStats(squares), core.std.PlaneStats(changed)]
    means = {"MAD": "y.PlaneStatsDiff", "MSE": "z.PlaneStatsAverage", "Changed": "a.PlaneStatsAverage"}
    return core.akarin.PropExpr([clip, *measured], lambda: means)


def marked_by_statistics(clip: Clip) -> Clip:
    """Both sides of what the mean of |x - r| takes for a cut are marked, as SceneDetect does."""
    measured = statistics(clip)
    cut = 35 / 255
    marks = {"_SceneChangePrev": f"x.PlaneStatsDiff {cut} >", "_SceneChangeNext": f"y.PlaneStatsDiff {cut} >"}
    return core.akarin.PropExpr([measured, measured[1:] + measured[-1]], lambda: marks)


def difference_works() -> Iterator[Work]:
    """Along the difference between two frames."""
    yield Work(
        "DiffBlend",
        "alpha 0.4",
        "YUV420",
        lambda clip: core.vdiff.DiffBlend(clip, alpha=0.4),
        (
            plugin("akarin.Expr", lambda clip: expression(clip, earlier(clip), each=lambda clip: "x x y - 0.4 * +")),
            ffmpeg_filter("amplify=radius=1:factor=1.4", same=False),
        ),
        moved=3,
        add=2,
        mul=1,
        integers=("8",),
    )
    yield Work(
        "DiffBlend-average",
        "alpha −0.5, the mean of two frames",
        "YUV420",
        lambda clip: core.vdiff.DiffBlend(clip, alpha=-0.5),
        (
            plugin("std.Merge", lambda clip: core.std.Merge(clip, earlier(clip))),
            ffmpeg_filter("tblend=all_mode=average", "FFmpeg tblend, average"),
        ),
        moved=3,
        add=2,
        mul=1,
        integers=("8", "16"),
    )
    yield Work(
        "DiffBlend-threshold",
        "alpha 2, threshold 2, limit 60",
        "YUV420",
        diffblend(FACTORS),
        (plugin("akarin.Expr", diffblend_expr),),
        moved=3,
        add=3,
        mul=1,
        integers=("8",),
    )
    yield Work(
        "Kernel",
        "DiffBlend with threshold and limit in Python",
        "YUV420",
        diffblend_kernel(FACTORS),
        (
            plugin("DiffBlend", diffblend(FACTORS), same=False),
            plugin("akarin.Expr", diffblend_expr),
            plugin("std.ModifyFrame with NumPy", diffblend_numpy),
        ),
        moved=3,
        add=3,
        mul=1,
    )

    def ahead(clip: Clip) -> Clip:
        length = clip.num_frames
        return core.vdiff.Extrapolate(clip[0] + clip[-1], length=length)[2:]

    def held(clip: Clip) -> Clip:
        before, last = (core.std.Loop(clip[n], clip.num_frames) for n in (0, -1))
        return core.akarin.Expr([last, before], "x x y - N 1 + * +")

    yield Work(
        "Extrapolate",
        "new frames",
        "YUV420",
        ahead,
        (plugin("akarin.Expr of the last two frames", held),),
        moved=3,
        add=2,
        mul=1,
        integers=("8",),
        least=2,
    )
    yield Work(
        "ChangeMap",
        "statistics of luma alone; std.PlaneStats has one of a difference, and three of a clip",
        "YUV420",
        lambda clip: core.vdiff.ChangeMap(clip, norm="none", planes=[0]),
        (
            plugin("std.PlaneStats of two clips", statistics, same=False),
            plugin("std.PlaneStats, 3, and akarin.Expr, 2", three_statistics),
        ),
        moved=2 / 1.5,
    )
    yield Work(
        "ChangeMap-abs",
        "|x − r| and statistics; the expressions alone are without statistics",
        "YUV420",
        lambda clip: core.vdiff.ChangeMap(clip),
        (
            plugin("akarin.Expr", difference("akarin"), same=False),
            plugin("akarin.Expr, std.PlaneStats", difference("akarin", measured=True)),
            plugin("std.Expr", difference("std"), same=False),
            plugin("std.Expr, std.PlaneStats", difference("std", measured=True)),
        ),
        moved=3,
    )


def difference(name: str, measured: bool = False) -> Apply:
    """|x − r| as an expression, and statistics of its luma."""

    def apply(clip: Clip) -> Clip:
        out = getattr(core, name).Expr([clip, earlier(clip)], "x y - abs")
        return core.std.PlaneStats(out) if measured else out

    return apply


def thumbnail_rows(setting: Setting) -> float:
    """The share of a 4:2:0 frame that a thumbnail is made of: of 32 bands of luma every (height // 8)-th row."""
    band = setting.height / 32
    return 2 / 3 * len(range(0, int(band), max(1, int(band) // 8))) / band


def scene_works() -> Iterator[Work]:
    """SceneDetect and RepairFrames in linear playback, beside the statistics of which scripts make scores today."""
    read: dict[str, Callable[[Setting], float]] = {
        "adaptive": thumbnail_rows,
        "mad": lambda _: 4 / 3,
        "histogram": lambda _: 2 / 3,
    }
    marked = plugin("std.PlaneStats and akarin.PropExpr", marked_by_statistics)
    for metric, moved in read.items():
        yield Work(
            f"SceneDetect-{metric}",
            f"metric {metric}",
            "YUV420",
            lambda clip, metric=metric: core.vdiff.SceneDetect(clip, metric=metric),  # type: ignore[misc]
            (
                *((marked,) if metric == "mad" else ()),
                plugin("std.PlaneStats of two clips", statistics, same=False),
                ffmpeg_filter("scdet", same=False),
            ),
            moved=moved,
            least=48,
        )
    yield Work(
        "RepairFrames",
        "good frames; others find repeats alone",
        "YUV420",
        lambda clip: core.vdiff.RepairFrames(clip),
        (
            plugin("std.PlaneStats of two clips", statistics, same=False),
            ffmpeg_filter("freezedetect", same=False),
        ),
        moved=thumbnail_rows,
        least=48,
    )


def interpolate_works() -> Iterator[Work]:
    """New frames between frames that have nothing in common, the longest way."""

    def twice(method: Callable[[Clip, int], Clip]) -> Apply:
        return lambda clip: method(clip[: -(-clip.num_frames // 2) + 1], 2)[: clip.num_frames]

    yield Work(
        "Interpolate",
        "factor 2; others but std.Merge follow motion",
        "YUV420",
        twice(interpolation.ours),
        (
            plugin("mv.FlowFPS", twice(interpolation.flow("mv")), same=False),
            plugin("mvu.FlowFPS", twice(interpolation.flow("mvu")), same=False),
            plugin("std.Merge and Interleave", twice(interpolation.dissolve), same=False, least=4),
            ffmpeg_filter("minterpolate=fps=50", same=False, **LONG, slow=True, depths=("8",)),
        ),
        moved=1.5,  # every second frame is given
        add=55,
        mul=19,
        div=0.5,
        least=4,
    )


def fill_works() -> Iterator[Work]:
    """Inpaint and PoissonBlend."""
    logo_samples = LOGO[0] * LOGO[1]
    operations = {"harmonic": (295, 128, 0), "biharmonic": (1900, 600, 0), "eed": (3380, 1240, 14)}
    for mode, (add, mul, div) in operations.items():
        peers = [
            Peer(f"cv2.inpaint, {method}", opencv_inpaint(f"INPAINT_{method}"), same=False, depths=("8",))
            for method in ("TELEA", "NS")
        ]
        if mode == "biharmonic":
            peers.append(Peer("skimage.inpaint_biharmonic, one thread", skimage_inpaint, depths=("8",), **LONG))
        if mode == "harmonic":
            x, y, w, h = 300, 100, *LOGO
            peers.append(ffmpeg_filter(f"delogo=x={x}:y={y}:w={w}:h={h}", same=False, depths=("8",)))
        yield Work(
            f"Inpaint-{mode}",
            f"a logo of {LOGO[0]}×{LOGO[1]}, {mode}; OpenCV and scikit-image see the logo and 8 pixels around it",
            "YUV420",
            lambda clip, mode=mode: core.vdiff.Inpaint(clip, logo(clip.width, clip.height), mode=mode),  # type: ignore[misc]
            tuple(peers),
            add=add,
            mul=mul,
            div=div,
            worked=1.5 * logo_samples,
        )
    yield Work(
        "Inpaint-scattered",
        "20 % of the pixels at random, harmonic; others run on one thread",
        "GRAY",
        lambda clip: core.vdiff.Inpaint(clip, scattered(clip.width, clip.height)),
        tuple(Peer(f"scipy.sparse.linalg.{solver}", scipy_harmonic(solver), **LONG) for solver in ("cg", "spsolve")),
    )
    yield Work(
        "PoissonBlend",
        f"a mask of {LOGO[0]}×{LOGO[1]}",
        "RGB",
        lambda clip: core.vdiff.PoissonBlend(clip, earlier(clip), logo(clip.width, clip.height)),
        (Peer("cv2.seamlessClone", opencv_clone, depths=("8",)),),
        add=295,
        mul=128,
        worked=3 * logo_samples,
    )


WORKS: list[Work] = [
    *diffuse_works(),
    *diffuse3d_works(),
    *tensor_works(),
    *spread_works(),
    *morphology_works(),
    *decay_works(),
    *difference_works(),
    *scene_works(),
    *interpolate_works(),
    *fill_works(),
]


def selected(names: list[str]) -> list[Work]:
    """The works asked for, by name or by its first parts."""
    for name in names:
        if not any(f"{work.name}-".startswith(f"{name}-") for work in WORKS):
            raise NotThereError(f"there is no {name}, but {', '.join(work.name for work in WORKS)}")
    return [work for work in WORKS if not names or any(f"{work.name}-".startswith(f"{n}-") for n in names)]
