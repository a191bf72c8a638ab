"""Speed as ratios: every filter beside a peer that does the same work, in the same run.

1920x1080, two threads, source frames in memory. Each round measures our filter and the peer one after the other; a
row's figure is the median of the rounds' ratios, so that a machine whose speed drifts slows both. A peer that is not
there is named with the reason.
"""

import argparse
import math
import os
import runpy
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import vapoursynth as vs
from numpy.typing import NDArray
from scipy.sparse import csc_matrix, diags_array
from scipy.sparse.linalg import cg, spsolve

import bench_encoding
import bench_inpaint
import bench_interpolation
import bench_quality
import bench_repair
import vs_vdiff
from vs_vdiff import ffmpeg

core = vs.core
NotThereError = bench_quality.NotThereError
WIDTH, HEIGHT, THREADS = 1920, 1080, 2
FRAMES = 16
"""Different frames of a source, more than the caches of a CPU hold."""

type Clip = vs.VideoNode
type Picture = NDArray[Any]
type Measurement = Callable[[], float]


@dataclass(frozen=True)
class Row:
    """A line of the report.

    Attributes:
        name: What it is asked for by; the part before the first `-` asks for all rows that share it.
        against: What is compared.
        ours: Prepares our measurement, frames a second.
        peer: Prepares the peer's.
        rounds: At most so many rounds, for peers that take long.
    """

    name: str
    against: str
    ours: Callable[[], Measurement]
    peer: Callable[[], Measurement]
    rounds: int = 1000

    def lines(self, rounds: int) -> Iterator[str]:
        """Measures and reports."""
        ours, peer = self.ours(), self.peer()
        ours(), peer()
        measured = [(ours(), peer()) for _ in range(min(rounds, self.rounds))]
        ratio = statistics.median(a / b for a, b in measured)
        a, b = (statistics.median(side) for side in zip(*measured, strict=True))
        yield f"{self.name:19} {ratio:7.2f}x  {a:7.4g} fps / {b:7.4g} fps   {self.against}"


@dataclass(frozen=True)
class Scaling:
    """Lines on one filter: time of a pixel from small pictures to large ones, memory beyond input and output.

    Attributes:
        name: What it is asked for by.
        filters: Filters of a clip by the name of the line.
    """

    name: str
    filters: dict[str, Callable[[Clip], Clip]]

    def lines(self, rounds: int) -> Iterator[str]:
        """Measures and reports."""
        yield f"{self.name}: ns a pixel, one thread; memory of a frame in flight beyond its input and output"
        yield f"{'':16}" + "".join(f"{w}x{h}".rjust(12) for w, h in SIZES) + "   largest/smallest   bytes a pixel at"
        for name, apply in self.filters.items():
            try:
                yield f"{name:16}" + self.line(name, apply, rounds)
            except NotThereError as reason:
                yield f"{name:16} not measured: {reason}"

    def line(self, name: str, apply: Callable[[Clip], Clip], rounds: int) -> str:
        """The figures of one filter."""
        measurements = [self.nanoseconds(apply, *size) for size in SIZES]
        core.num_threads = 1
        try:
            for measure in measurements:
                measure()
            measured = [[measure() for measure in measurements] for _ in range(rounds)]
        finally:
            core.num_threads = THREADS
        times = [statistics.median(column) for column in zip(*measured, strict=True)]
        memory = ", ".join(f"{w}x{h} {self.bytes_of_pixel(name, w, h):.1f}" for w, h in (SIZES[2], SIZES[4]))
        return "".join(f"{t:12.2f}" for t in times) + f"{max(times) / min(times):18.2f}x   {memory}"

    @staticmethod
    def nanoseconds(apply: Callable[[Clip], Clip], width: int, height: int) -> Measurement:
        """Measures the time that a pixel takes."""
        length = max(1, 16_000_000 // (width * height))
        clip = source(vs.GRAYS, length, width, height, frames=1)
        measure = rate(lambda: filtered(apply, clip))
        return lambda: 1e9 / (measure() * width * height)

    def bytes_of_pixel(self, name: str, width: int, height: int) -> float:
        """What each further frame in flight adds to the peak of memory, in a process of its own, less the output."""
        flights = (1, 5)

        def peak(flight: int) -> int:
            command = [sys.executable, __file__, "--peak", f"{self.name},{name},{width},{height},{flight}"]
            return int(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)

        low, high = (min(peak(flight) for _ in range(2)) for flight in flights)
        return (high - low) / (flights[1] - flights[0]) / (width * height) - 4

    def print_peak(self, name: str, width: int, height: int, flight: int) -> None:
        """Peak memory, in bytes, of a process that computes so many frames at once."""
        core.num_threads = flight
        clip = core.std.BlankClip(format=vs.GRAYS, width=width, height=height, length=flight, keep=True)
        clip.get_frame(0).close()
        out = self.filters[name](clip)
        frames = [request.result() for request in [out.get_frame_async(n) for n in range(flight)]]
        status = Path("/proc/self/status").read_text(encoding="utf-8")
        print(1024 * int(status.split("VmHWM:")[1].split()[0]))
        del frames


@dataclass(frozen=True)
class Growth:
    """Lines on Inpaint: CPU time of a frame, less that of a frame without holes, over the number of masked pixels.

    Attributes:
        name: What it is asked for by.
        masks: Masks of about so many pixels, by the name of the line, and the mode.
    """

    name: str
    masks: dict[str, tuple[Callable[[int], Clip], str]]

    def lines(self, rounds: int) -> Iterator[str]:
        """Measures and reports."""
        yield f"{self.name}: CPU time of a frame and of a masked pixel, GRAY8"
        yield f"{'':22}" + "".join(f"{n:,} px".rjust(20) for n in MASKED)
        for name, (mask, mode) in self.masks.items():
            yield f"{name:22}" + self.line(mask, mode, rounds)

    @staticmethod
    def line(mask: Callable[[int], Clip], mode: str, rounds: int) -> str:
        """The figures of one kind of mask."""

        def prepared(pixels: int) -> tuple[int, Measurement]:
            holes = mask(pixels)
            count = int(np.count_nonzero(np.asarray(holes.get_frame(0)[0])))
            length = max(1, min(20, 300_000 // max(count, 1)))

            def milliseconds() -> float:
                clip = filtered(lambda clip: core.vdiff.Inpaint(clip, holes, mode=mode), source(vs.GRAY8, length))
                start = time.process_time()
                for _ in clip.frames(close=True):
                    pass
                return 1e3 * (time.process_time() - start) / length

            return count, milliseconds

        counts, measurements = zip(*map(prepared, (0, *MASKED)), strict=True)
        measured = [[measure() for measure in measurements] for _ in range(min(rounds, 3))]
        idle, *times = (min(column) for column in zip(*measured, strict=True))
        cells = (f"{t - idle:.1f} ms, {1e6 * (t - idle) / n:.0f} ns" for t, n in zip(times, counts[1:], strict=True))
        return "".join(cell.rjust(20) for cell in cells)


MASKED = (10_000, 30_000, 100_000, 300_000, 1_000_000)
SIZES = ((854, 480), (1280, 720), (1920, 1080), (3840, 2160), (7680, 4320))


# Frames


@cache
def source(
    fmt: vs.PresetVideoFormat, length: int, width: int = WIDTH, height: int = HEIGHT, frames: int = FRAMES
) -> Clip:
    """A clip of smooth moving noise, its frames already in memory."""
    random = np.random.default_rng(1)
    blank = core.std.BlankClip(format=fmt, width=width, height=height, length=1)

    def picture() -> Clip:
        frame = blank.get_frame(0).copy()
        for plane in frame:
            pixels = np.asarray(plane)
            coarse = random.random((pixels.shape[0] // 8 + 1, pixels.shape[1] // 8 + 1))
            values = np.kron(coarse, np.ones((8, 8)))[: pixels.shape[0], : pixels.shape[1]]
            values = 0.9 * values + 0.1 * random.random(pixels.shape)
            pixels[...] = values * np.iinfo(pixels.dtype).max if pixels.dtype.kind == "u" else values
        return core.std.ModifyFrame(blank, blank, lambda n, f: frame)

    pictures = core.std.Splice([picture() for _ in range(frames)])
    core.std.SetVideoCache(pictures, mode=1, fixedsize=1, maxsize=frames, maxhistory=0)
    for n in range(frames):
        pictures.get_frame(n)
    return core.std.Loop(pictures, -(-length // frames))[:length]


def pictures(fmt: vs.PresetVideoFormat) -> list[Picture]:
    """The first planes of the same frames as arrays."""
    return [np.array(frame[0]) for frame in source(fmt, FRAMES).frames(close=True)]


# Measurements


def rate(make: Callable[[], Clip]) -> Measurement:
    """Measures the frame rate of a clip, made anew each time so that no cache holds its frames."""

    def measure() -> float:
        clip = make()
        start = time.perf_counter()
        for _ in clip.frames(close=True):
            pass
        return float(clip.num_frames / (time.perf_counter() - start))

    return measure


def filtered(apply: Callable[[Clip], Clip], clip: Clip) -> Clip:
    """The filter on the clip, if this build has it with these arguments."""
    try:
        return apply(clip)
    except (vs.Error, AttributeError) as error:
        raise NotThereError(f"this build says: {error}") from error


def ours(apply: Callable[[Clip], Clip], clip: Callable[[], Clip]) -> Callable[[], Measurement]:
    """Our filter on a clip."""
    return lambda: rate(lambda: filtered(apply, clip()))


def array_rate(call: Callable[[Any], object], frames: Sequence[Any], planes: int = 1) -> Measurement:
    """Measures the rate of a function of arrays in memory, in planes a second if a call processes several."""

    def measure() -> float:
        start = time.perf_counter()
        for frame in frames:
            call(frame)
        return len(frames) * planes / (time.perf_counter() - start)

    return measure


def ffmpeg_rate(clip: Clip, filters: str, folder: Path) -> Measurement:
    """Measures FFmpeg's filters on the clip's frames as raw video in memory, less the time of a run without them."""
    raw = folder / "clip.yuv"
    with raw.open("wb") as file:
        for frame in clip.frames(close=True):
            for plane in frame:
                file.write(np.ascontiguousarray(np.asarray(plane)).data)

    def seconds(chain: str) -> float:
        options = f"-v error -filter_threads {THREADS} -f rawvideo -pix_fmt yuv420p -s {WIDTH}x{HEIGHT}"
        start = time.perf_counter()
        command = [ffmpeg.find(), *options.split(), "-i", str(raw), "-vf", chain, "-f", "null", "-"]
        subprocess.run(command, check=True)
        return time.perf_counter() - start

    return lambda: float(clip.num_frames / (seconds(filters) - seconds("null")))


# Peers


def perona_malik(clip: Clip, steps: int, tau: float, k: float) -> Clip:
    """Perona and Malik's scheme as a chain of expressions, one node a step: what a user could write today."""
    g = f"dup dup * {255 * 255 / k / k} * 1 + /"
    differences = " ".join(f"x[{dx},{dy}] x - {g}" for dx, dy in ((-1, 0), (1, 0), (0, -1), (0, 1)))
    for _ in range(steps):
        clip = core.akarin.Expr(clip, f"{differences} + + + {tau} * x +", boundary=1)
    return clip


@cache
def folder() -> Path:
    """A folder in memory if there is one; it goes with the process."""
    memory = "/dev/shm" if Path("/dev/shm").is_dir() else None
    held.append(tempfile.TemporaryDirectory(dir=memory))
    return Path(held[-1].name)


held: list[tempfile.TemporaryDirectory[str]] = []


def opencv() -> Any:
    """OpenCV with as many threads as we take."""
    try:
        import cv2
    except ImportError as error:
        raise NotThereError(f"{error}; it comes with opencv-contrib-python-headless") from error
    cv2.setNumThreads(THREADS)
    return cv2


def opencv_diffusion() -> Measurement:
    """Perona and Malik's `exp` on 8-bit pictures of three channels, all it takes: three planes each."""
    cv2 = opencv()
    if not hasattr(cv2, "ximgproc"):
        raise NotThereError("this cv2 lacks ximgproc, which comes with opencv-contrib-python-headless")
    frames = [np.repeat((255 * picture).astype(np.uint8)[..., None], 3, 2) for picture in pictures(vs.GRAYS)[:2]]
    return array_rate(lambda frame: cv2.ximgproc.anisotropicDiffusion(frame, 0.2, 8.0, 10), frames, planes=3)


def opencv_blur(sigma: float) -> Measurement:
    """A sampled Gaussian, cut off at four sigmas."""
    cv2 = opencv()
    return array_rate(lambda frame: cv2.GaussianBlur(frame, (0, 0), sigma), pictures(vs.GRAYS))


LOGO = (200, 100)
"""Width and height of what PoissonBlend composes and Inpaint fills."""


def logo() -> Clip:
    """A mask of one frame."""
    spot = core.std.BlankClip(format=vs.GRAY8, width=LOGO[0], height=LOGO[1], length=1, color=255)
    return core.std.AddBorders(spot, 300, WIDTH - 300 - LOGO[0], 100, HEIGHT - 100 - LOGO[1])


def opencv_clone() -> Measurement:
    """Seamless cloning in pictures of three channels; the mask goes in whole, as for us."""
    cv2 = opencv()
    frames = [
        np.stack([np.array(frame[plane]) for plane in range(3)], axis=-1)
        for frame in source(vs.RGB24, FRAMES).frames(close=True)
    ]
    mask = np.array(logo().get_frame(0)[0])
    middle = (300 + LOGO[0] // 2, 100 + LOGO[1] // 2)
    pairs = list(zip(frames, frames[1:] + frames[:1], strict=True))
    return array_rate(lambda pair: cv2.seamlessClone(pair[1], pair[0], mask, middle, cv2.NORMAL_CLONE), pairs)


AROUND = 8
"""Pixels around a logo that other programs see of a frame; more would cost them time."""


def logo_planes() -> list[tuple[Picture, Picture]]:
    """What surrounds the logo in each plane of 4:2:0 frames, and the mask there."""
    pairs = []
    for frame in source(vs.YUV420P8, FRAMES).frames(close=True):
        for plane, shift in zip(frame, (0, 1, 1), strict=True):
            left, top, width, height = (each >> shift for each in (300, 100, *LOGO))
            rows, columns = slice(top - AROUND, top + height + AROUND), slice(left - AROUND, left + width + AROUND)
            mask = np.zeros((height + 2 * AROUND, width + 2 * AROUND), np.uint8)
            mask[AROUND:-AROUND, AROUND:-AROUND] = 1
            pairs.append((np.array(plane)[rows, columns], mask))
    return pairs


def opencv_inpaint(method: str) -> Measurement:
    """The three planes of frames, on as many threads of Python as we take: it has none of its own."""
    cv2, planes = opencv(), logo_planes()

    def fill(plane: tuple[Picture, Picture]) -> None:
        cv2.inpaint(*plane, bench_inpaint.RADIUS, getattr(cv2, method))

    def measure() -> float:
        start = time.perf_counter()
        with ThreadPoolExecutor(THREADS) as pool:
            list(pool.map(fill, planes))
        return len(planes) / 3 / (time.perf_counter() - start)

    return measure


def skimage_inpaint() -> Measurement:
    """The three planes of one frame, on one thread."""
    biharmonic, planes = bench_inpaint.biharmonic(), logo_planes()[:3]
    return array_rate(lambda frame: [biharmonic(plane / 255, mask) for plane, mask in frame], [planes])


def scattered(share: float) -> Clip:
    """A mask of pixels at random."""
    pixels = np.random.default_rng(2).random((1, HEIGHT, WIDTH)) < share
    return vs_vdiff.from_numpy(255 * pixels.astype(np.uint8), vs.GRAY8)


def scipy_harmonic(solver: str) -> Measurement:
    """Laplace's equation at the scattered pixels by a sparse solver, with what it takes to write the system down."""
    mask = np.array(scattered(SCATTERED).get_frame(0)[0]) > 0

    def fill(picture: Picture) -> Picture:
        number = np.full((HEIGHT + 2, WIDTH + 2), -1)
        number[1:-1, 1:-1][mask] = range(mask.sum())
        inside = np.pad(np.ones_like(mask), 1)
        values = np.pad(picture, 1).astype(np.float64)
        rows, columns = np.nonzero(number >= 0)
        links, diagonal, right = [], np.zeros(rows.size), np.zeros(rows.size)
        for dy, dx in ((0, 1), (0, -1), (1, 0), (-1, 0)):
            beside = rows + dy, columns + dx
            masked = number[beside] >= 0
            diagonal += inside[beside]
            right += np.where(masked, 0, values[beside])
            links.append((np.flatnonzero(masked), number[beside][masked]))
        i, j = (np.concatenate(side) for side in zip(*links, strict=True))
        matrix = csc_matrix((-np.ones(i.size), (i, j)), (rows.size,) * 2) + diags_array(diagonal, format="csc")
        if solver == "cg":
            # Without a preconditioner: no group of masked pixels is large. From the mean, which is near.
            start = np.full(rows.size, values.mean())
            found, _ = cg(matrix, right, start, rtol=0, atol=0.25 * math.sqrt(rows.size), maxiter=1000)
        else:
            found = spsolve(matrix, right)
        out = picture.copy()
        out[mask] = np.clip(np.rint(found), 0, 255)
        return out

    return array_rate(fill, pictures(vs.GRAY8)[:1])


def simpleitk_diffusion() -> Measurement:
    """Ten iterations of ITK's gradient anisotropic diffusion."""
    try:
        import SimpleITK
    except ImportError as error:
        raise NotThereError(f"{error}; it comes with simpleitk") from error
    itk: Any = SimpleITK
    diffusion = itk.GradientAnisotropicDiffusionImageFilter()
    diffusion.SetTimeStep(0.125)  # the largest that it holds for stable in two dimensions
    diffusion.SetNumberOfIterations(10)
    diffusion.SetNumberOfThreads(THREADS)
    return array_rate(diffusion.Execute, [itk.GetImageFromArray(pictures(vs.GRAYS)[0])])


LBR = """
import sys, time, itk, numpy
itk.MultiThreaderBase.SetGlobalMaximumNumberOfThreads(int(sys.argv[2]))
image = itk.image_from_array(numpy.load(sys.argv[1]))
diffusion = itk.CoherenceEnhancingDiffusionImageFilter[type(image)].New(image)
diffusion.SetDiffusionTime(2)
diffusion.SetEnhancement(2)  # EED
start = time.perf_counter()
diffusion.Update()
print(time.perf_counter() - start)
"""


def itk_lbr() -> Measurement:
    """ITK's anisotropic diffusion by lattice basis reduction; an older Python runs it, one frame a round."""
    python = os.environ.get("VDIFF_BENCH_ITK")
    if not python:
        raise NotThereError(
            "set VDIFF_BENCH_ITK to a Python 3.9 with itk==5.2.1.post1, itk-anisotropicdiffusionlbr==1.2.1 and "
            "numpy<1.24; there are no wheels for a later Python"
        )
    array = folder() / "picture.npy"
    np.save(array, pictures(vs.GRAYS)[0])

    def measure() -> float:
        done = subprocess.run([python, "-c", LBR, str(array), str(THREADS)], capture_output=True, text=True)
        if done.returncode:
            raise NotThereError(f"{python}: {done.stderr.strip().splitlines()[-1]}")
        return 1 / float(done.stdout)

    return measure


# Rows


def gray() -> Clip:
    """Float frames of one plane."""
    return source(vs.GRAYS, 160)


def video(length: int = 800) -> Clip:
    """8-bit 4:2:0 frames."""
    return source(vs.YUV420P8, length)


def earlier() -> Clip:
    """The same, a frame later."""
    return core.std.DuplicateFrames(video(), 0)[: video().num_frames]


def diffuse(**args: Any) -> Callable[[Clip], Clip]:
    """Diffuse with these arguments."""
    return lambda clip: core.vdiff.Diffuse(clip, **args)


TEN_STEPS = diffuse(time=2, k=8, scheme="explicit", steps=10)
TRAILS: dict[str, Any] = {"halflife": 5, "mode": "max"}


def own_diffuse(**args: Any) -> Callable[[Clip], Clip]:
    """The same with `rational` as a function of one's own."""

    def apply(clip: Clip) -> Clip:
        try:
            return vs_vdiff.diffuse(clip, lambda s2: 1 / (1 + s2), k=8, **args)
        except vs_vdiff.KernelError as error:
            raise NotThereError(str(error)) from error

    return apply


OWN: dict[str, dict[str, Any]] = {
    "default": {},
    "fed": {"time": 20},
    "aos": {"scheme": "aos", "steps": 2},
    "presmooth": {"presmooth": 1},
}


def slow(clip: Clip) -> Clip:
    """A filter beside which another's cost should not show."""
    return core.vdiff.Diffuse(clip, time=12, k=8, scheme="explicit", steps=60)


def grid(count: int) -> list[tuple[int, int]]:
    """Displacements by two pixels, so that chroma's are whole: four neighbours, or a square of 3x3, 5x5."""
    if count == 4:
        return [(2, 0), (-2, 0), (0, 2), (0, -2)]
    reach = math.isqrt(count) // 2
    return [(2 * x, 2 * y) for y, x in product(range(-reach, reach + 1), repeat=2)]


def spread_taps(count: int) -> Callable[[Clip], Clip]:
    """Spread from the same frame, every tap of the same weight."""
    dx, dy = map(list, zip(*grid(count), strict=True))
    return lambda clip: core.vdiff.Spread(clip, dx=dx, dy=dy, weights=[1 / count] * count, lag=0)


def expr_taps(count: int) -> Callable[[Clip], Clip]:
    """The same as an expression."""

    def expression(size: int) -> str:
        return " ".join(f"x[{-x // size},{-y // size}] {1 / count} *" for x, y in grid(count)) + " +" * (count - 1)

    def apply(clip: Clip) -> Clip:
        planes = [expression(1), expression(1 << clip.format.subsampling_w)][: clip.format.num_planes]
        return core.akarin.Expr(clip, planes, boundary=1)

    return apply


def box(clip: Clip) -> Clip:
    """The mean of 3x3 pixels."""
    dx, dy = map(list, zip(*((x, y) for x in (-1, 0, 1) for y in (-1, 0, 1)), strict=True))
    return core.vdiff.Spread(clip, dx=dx, dy=dy, weights=[1 / 9] * 9, lag=0)


def spread_rows() -> Iterator[Row]:
    """Spread beside an expression with as many taps."""
    for count in (4, 9, 25):
        for name, clip in (("GRAYS", gray), ("YUV420P8", lambda: video(240))):
            yield Row(
                f"Spread-{count}-{name}",
                f"akarin.Expr, {count} taps at even displacements; {name}",
                ours(spread_taps(count), clip),
                ours(expr_taps(count), clip),
            )
    for name, clip in (("GRAYS", gray), ("GRAY8", lambda: source(vs.GRAY8, 400))):
        yield Row(
            f"Spread-box-{name}",
            f"std.Convolution, 3x3, fixed to neighbours of the same frame; {name}",
            ours(box, clip),
            ours(lambda clip: core.std.Convolution(clip, [1] * 9), clip),
        )


def diffuse_rows() -> Iterator[Row]:
    """Diffuse beside other programs, and its schemes beside each other."""
    yield Row(
        "Diffuse",
        "10 nodes of akarin.Expr; rational, 10 explicit steps, GRAYS",
        ours(TEN_STEPS, gray),
        ours(lambda clip: perona_malik(clip, 10, 0.2, 8), gray),
    )
    yield Row(
        "Diffuse-opencv",
        "cv2.ximgproc.anisotropicDiffusion, a third of its three channels; rational, 10 explicit steps, GRAY8",
        ours(TEN_STEPS, lambda: source(vs.GRAY8, 160)),
        opencv_diffusion,
    )
    yield Row(
        "Diffuse-itk",
        "SimpleITK GradientAnisotropicDiffusion, 10 iterations; rational, 10 explicit steps, GRAYS",
        ours(TEN_STEPS, gray),
        simpleitk_diffusion,
        rounds=3,
    )
    for name, args in OWN.items():
        yield Row(
            f"Diffuse-own-{name}",
            f"rational by name; a function, {', '.join(f'{key}={value}' for key, value in args.items())}; YUV420P8",
            ours(own_diffuse(**args), lambda: video(160)),
            ours(diffuse(**args), lambda: video(160)),
        )
    for kind in ("rational", "linear"):
        yield Row(
            f"fed-{kind}",
            f"200 explicit steps; 4 cycles of fed, {kind}, time 50, GRAYS",
            ours(diffuse(time=50, diffusivity=kind, scheme="fed", steps=4), few),
            ours(diffuse(time=50, diffusivity=kind, scheme="explicit", steps=200), few),
            rounds=5,
        )
        yield Row(
            f"fed-{kind}-cost",
            f"time 64, how many times as long; 4 cycles of fed, {kind}, time 4, GRAYS",
            ours(diffuse(time=4, diffusivity=kind, scheme="fed", steps=4), few),
            ours(diffuse(time=64, diffusivity=kind, scheme="fed", steps=4), few),
            rounds=5,
        )
    for sigma in (2, 4, 8):
        yield Row(
            f"exact-{sigma}",
            f"cv2.GaussianBlur of float32; scheme exact, standard deviation {sigma}, GRAYS",
            ours(diffuse(time=sigma * sigma / 2, diffusivity="linear", scheme="exact"), gray),
            lambda sigma=sigma: opencv_blur(sigma),  # type: ignore[misc]
        )


def diffuse3d_rows() -> Iterator[Row]:
    """Diffuse3D beside denoisers of about its quality, as the quality table has them; frames are not moved."""
    denoised = ours(lambda clip: core.vdiff.Diffuse3D(clip, radius=3), lambda: source(vs.GRAYS, 48))
    for step in (4, 8):
        yield Row(
            f"Diffuse3D-dfttest2-{step}",
            f"dfttest2_cpu, radius 3, blocks of 16 every {step} pixels; radius 3, GRAYS",
            denoised,
            ours(lambda clip, step=step: bench_quality.dfttest(clip, 100, step), lambda: source(vs.GRAYS, 12)),  # type: ignore[misc]
            rounds=5,
        )
    for step in (4, 8):
        yield Row(
            f"Diffuse3D-WNNM-{step}",
            f"vszip.WNNM, radius 1, blocks of 8 every {step} pixels; radius 3, GRAYS",
            denoised,
            ours(
                lambda clip, step=step: core.vszip.WNNM(clip, sigma=[18], radius=1, block_step=step),  # type: ignore[misc]
                lambda: source(vs.GRAYS, 4),
            ),
            rounds=5,
        )
    yield Row(
        "Diffuse3D-WNNM-32",
        "vszip.WNNM, radius 1, the setting of the best quality; radius 3, GRAYS",
        denoised,
        ours(
            lambda clip: core.vszip.WNNM(clip, sigma=[18], radius=1, block_step=4, group_size=32, residual=1),
            lambda: source(vs.GRAYS, 1),
        ),
        rounds=1,
    )
    yield Row(
        "Diffuse3D-nlm",
        "nlm_ispc, d=2, with its own defaults; radius 3, GRAYS",
        denoised,
        ours(lambda clip: core.nlm_ispc.NLMeans(clip, d=2), lambda: source(vs.GRAYS, 12)),
        rounds=5,
    )


def maxima(clip: Clip, count: int) -> Clip:
    """A square of radius `count` as a chain of the core's own filter."""
    for _ in range(count):
        clip = core.std.Maximum(clip)
    return clip


def dilate_rows() -> Iterator[Row]:
    """Dilate beside a chain of the core's filter."""
    formats: dict[str, Callable[[int], Clip]] = {
        "YUV420P8": video,
        "GRAY16": lambda length: source(vs.GRAY16, length),
        "GRAYS": lambda length: source(vs.GRAYS, length),
    }
    for radius in (1, 15):
        for name, clip in formats.items():
            yield Row(
                f"Dilate-{radius}-{name}",
                f"{radius} node{'s' * (radius > 1)} of std.Maximum; radius {radius}, {name}",
                ours(lambda clip, r=radius: core.vdiff.Dilate(clip, radius=r), lambda clip=clip: clip(400)),  # type: ignore[misc]
                ours(lambda clip, r=radius: maxima(clip, r), lambda clip=clip, r=radius: clip(400 // r)),  # type: ignore[misc]
            )


def scene_rows() -> Iterator[Row]:
    """SceneDetect in linear playback beside the core's statistics of two clips, of which scripts make scores today."""
    for metric in ("adaptive", "mad", "mse", "histogram"):
        yield Row(
            f"SceneDetect-{metric}",
            f"std.PlaneStats of two clips, plane 0; metric {metric}, YUV420P8",
            ours(lambda clip, metric=metric: core.vdiff.SceneDetect(clip, metric=metric), video),  # type: ignore[misc]
            ours(lambda clip: core.std.PlaneStats(clip, earlier()), video),
        )


def repair_rows() -> Iterator[Row]:
    """RepairFrames on good frames beside the statistics that FillDrops goes by."""
    against = "std.PlaneStats of two clips, by which FillDrops finds repeats"
    yield Row(
        "RepairFrames",
        f"{against}; good frames, YUV420P8",
        ours(lambda clip: core.vdiff.RepairFrames(clip), video),
        ours(lambda clip: core.std.PlaneStats(clip, earlier()), video),
    )


def mean_of(frames: int) -> Callable[[Clip], Clip]:
    """The recursive mean that leaves as much of white noise as the mean of so many frames: (1 - q) / (1 + q) of it."""
    q = (frames - 1) / (frames + 1)
    return lambda clip: core.vdiff.Decay(clip, rate=-math.log(q))


def decay_rows() -> Iterator[Row]:
    """Decay beside FFmpeg's trails and mean of frames, and beside a mean of frames in VapourSynth."""
    lagfun = "FFmpeg lagfun, raw video from memory"
    for name, mode in (("Decay", "max"), ("Decay-min", "min"), ("Decay-sum", "sum")):
        yield Row(
            name,
            f"{lagfun}; mode {mode}, half-life 5, YUV420P8",
            ours(lambda clip, mode=mode: core.vdiff.Decay(clip, **{**TRAILS, "mode": mode}), video),  # type: ignore[misc]
            lambda: ffmpeg_rate(video(120), "lagfun=decay=0.87", folder()),
        )
    yield Row(
        "Decay-tmix",
        "FFmpeg tmix, 8 frames, raw video from memory; mode mean, as much noise left, YUV420P8",
        ours(mean_of(8), video),
        lambda: ffmpeg_rate(video(120), "tmix=frames=8", folder()),
    )
    yield Row(
        "Decay-soften",
        "zsmooth.TemporalSoften, radius 4, no threshold: 9 frames; mode mean, as much noise left, YUV420P8",
        ours(mean_of(9), video),
        ours(lambda clip: core.zsmooth.TemporalSoften(clip, radius=4, threshold=255, scenechange=0), video),
    )


FACTORS = (2.0, 2.0, 60.0)
"""Alpha, threshold and limit of the change that is exaggerated."""
ALPHA = (0.4, 0.0, 255.0)
"""The same where alpha alone matters, which the native filter then computes in 16-bit integers."""


def diffblend(factors: Sequence[float]) -> Callable[[Clip], Clip]:
    """The native filter."""
    alpha, threshold, limit = factors
    return lambda clip: core.vdiff.DiffBlend(clip, alpha=alpha, threshold=threshold, limit=limit)


def diffblend_kernel(factors: Sequence[float]) -> Callable[[Clip], Clip]:
    """The same as a kernel, that of scripts/examples/diffblend.vpy."""

    def apply(clip: Clip) -> Clip:
        try:
            return example("diffblend")(clip, lags=(0, 1), params=factors)
        except vs_vdiff.KernelError as error:
            raise NotThereError(str(error)) from error

    return apply


@cache
def example(name: str) -> Any:
    """A kernel of scripts/examples. The script wants a clip."""
    video = folder() / "clip.y4m"
    with video.open("wb") as file:
        core.std.BlankClip(format=vs.YUV420P8, width=64, height=64, length=2).output(file, y4m=True)
    script = Path(__file__).parent / "examples" / f"{name}.vpy"
    return runpy.run_path(str(script), init_globals={"source": str(video)})[name]


def diffblend_numpy(clip: Clip) -> Clip:
    """The same as a function of arrays that the host calls for each frame."""
    alpha, threshold, limit = FACTORS

    def blend(n: int, f: list[vs.VideoFrame]) -> vs.VideoFrame:
        out = f[0].copy()
        for plane in range(out.format.num_planes):
            x, r = (np.asarray(frame[plane]).astype(np.float32) for frame in f)
            d = x - r
            d -= np.clip(d, -threshold, threshold)
            y = x + np.clip(alpha * d, -limit, limit)
            np.copyto(np.asarray(out[plane]), np.clip(y, 0, 255) + np.float32(0.5), casting="unsafe")
        return out

    return core.std.ModifyFrame(clip, [clip, earlier()[: clip.num_frames]], blend)


def diffblend_expr(clip: Clip) -> Clip:
    """The same as an expression."""
    alpha, threshold, limit = FACTORS
    soft = f"x y - dup {-threshold} max {threshold} min -"
    return core.akarin.Expr([clip, earlier()], f"{soft} {alpha} * {-limit} max {limit} min x +")


def on_threads(count: int, prepare: Callable[[], Measurement]) -> Callable[[], Measurement]:
    """A measurement with another number of threads."""

    def prepared() -> Measurement:
        measure = prepare()

        def measured() -> float:
            core.num_threads = count
            try:
                return measure()
            finally:
                core.num_threads = THREADS

        return measured

    return prepared


def interpolate_rows() -> Iterator[Row]:
    """New frames between frames that have nothing in common, the longest way, and between still ones."""

    def still(length: int = 800) -> Clip:
        return core.std.Loop(video()[0], length)

    def twice(method: Callable[[Clip, int], Clip]) -> Callable[[Clip], Clip]:
        return lambda clip: method(clip, 2)

    def flow(namespace: str, clip: Callable[[], Clip]) -> Callable[[], Measurement]:
        return lambda: rate(lambda: filtered(twice(bench_interpolation.flow(namespace)), clip()))

    def minterpolate() -> Measurement:
        return ffmpeg_rate(video(8), "minterpolate=fps=50", folder())

    mine = twice(bench_interpolation.ours)
    merge = ours(twice(bench_interpolation.dissolve), lambda: video(160))
    yield Row("Interpolate", "std.Merge and Interleave; factor 2, YUV420P8", ours(mine, lambda: video(80)), merge)
    yield Row("Interpolate-still", "the same; a still picture", ours(mine, lambda: still(160)), merge)
    few, many = (lambda: video(16)), (lambda: video(80))
    yield Row("Interpolate-mv", "mv.FlowFPS; factor 2, YUV420P8", ours(mine, many), flow("mv", few), rounds=3)
    yield Row("Interpolate-mvu", "mvu.FlowFPS; factor 2, YUV420P8", ours(mine, many), flow("mvu", few), rounds=3)
    yield Row(
        "Interpolate-ffmpeg",
        "FFmpeg minterpolate, frames given a second; factor 2, YUV420P8",
        ours(lambda clip: core.std.SelectEvery(mine(clip), 2, [1]), many),
        minterpolate,
        rounds=2,
    )


def kernel_rows() -> Iterator[Row]:
    """A kernel beside the other ways to write it."""
    kernel = ours(diffblend_kernel(FACTORS), video)
    yield Row("Kernel", "vdiff.DiffBlend, the same as a kernel; YUV420P8", kernel, ours(diffblend(FACTORS), video))
    yield Row(
        "Kernel-alpha",
        "vdiff.DiffBlend with alpha alone, in integers; YUV420P8",
        ours(diffblend_kernel(ALPHA), video),
        ours(diffblend(ALPHA), video),
    )
    yield Row(
        "Kernel-akarin",
        "akarin.Expr of two clips, the same as a kernel; YUV420P8",
        kernel,
        ours(diffblend_expr, video),
    )
    yield Row(
        "Kernel-numpy",
        "std.ModifyFrame with NumPy, the same as a kernel; YUV420P8",
        kernel,
        ours(diffblend_numpy, lambda: video(24)),
    )
    yield Row("Kernel-threads", "one thread; the same kernel on two, YUV420P8", kernel, on_threads(1, kernel))


SCATTERED = 0.2
"""Share of the frame."""


def hole(pixels: int) -> Clip:
    """A mask of one rectangle, of the frame's shape."""
    height = round(math.sqrt(pixels * HEIGHT / WIDTH))
    pixels_of = np.zeros((1, HEIGHT, WIDTH), np.uint8)
    if height:
        pixels_of[0, 40 : 40 + height, 40 : 40 + pixels // height] = 255
    return vs_vdiff.from_numpy(pixels_of, vs.GRAY8)


def inpaint_rows() -> Iterator[Row | Growth]:
    """Inpaint beside what fills holes in single pictures."""
    for mode in ("harmonic", "biharmonic", "eed"):
        fill = ours(lambda clip, mode=mode: core.vdiff.Inpaint(clip, logo(), mode=mode), lambda: video(120))  # type: ignore[misc]
        for method in ("TELEA", "NS"):
            yield Row(
                f"Inpaint-{mode}-{method}",
                f"cv2.inpaint, radius {bench_inpaint.RADIUS}, of the logo and {AROUND} pixels around it; "
                f"{LOGO[0]}x{LOGO[1]}, {mode}, YUV420P8",
                fill,
                lambda method=method: opencv_inpaint(f"INPAINT_{method}"),  # type: ignore[misc]
            )
        if mode == "biharmonic":
            yield Row(
                "Inpaint-biharmonic-skimage",
                f"skimage.restoration.inpaint_biharmonic of the logo and {AROUND} pixels around it, one thread; "
                f"{LOGO[0]}x{LOGO[1]}, YUV420P8",
                fill,
                skimage_inpaint,
                rounds=1,
            )
    for solver in ("cg", "spsolve"):
        yield Row(
            f"Inpaint-scattered-{solver}",
            f"scipy.sparse.linalg.{solver}, one thread; {100 * SCATTERED:.0f} % of the pixels, harmonic, GRAY8",
            ours(lambda clip: core.vdiff.Inpaint(clip, scattered(SCATTERED)), lambda: source(vs.GRAY8, 24)),
            lambda solver=solver: scipy_harmonic(solver),  # type: ignore[misc]
            rounds=3,
        )
    masks: dict[str, tuple[Callable[[int], Clip], str]] = {
        f"{mode}, one box": (hole, mode) for mode in ("harmonic", "biharmonic", "eed")
    }
    masks["harmonic, scattered"] = (lambda pixels: scattered(pixels / (WIDTH * HEIGHT)), "harmonic")
    yield Growth("Inpaint-growth", masks)


def few() -> Clip:
    """Float frames for filters that take long."""
    return source(vs.GRAYS, 24)


def rows() -> list[Row | Scaling | Growth]:
    """All that can be measured. Nothing is prepared before it is."""
    return [
        *diffuse_rows(),
        *diffuse3d_rows(),
        Row(
            "TensorDiffuse",
            "ITK AnisotropicDiffusionLBR, EED, one frame a round; mode eed, time 2, GRAYS",
            ours(lambda clip: core.vdiff.TensorDiffuse(clip, time=2, mode="eed"), few),
            itk_lbr,
            rounds=3,
        ),
        Row(
            "DiffBlend",
            "akarin.Expr of two clips; YUV420P8",
            ours(lambda clip: core.vdiff.DiffBlend(clip, alpha=0.4), video),
            ours(lambda clip: core.akarin.Expr([clip, earlier()], "x x y - 0.4 * +"), video),
        ),
        *interpolate_rows(),
        Row(
            "ChangeMap",
            "std.PlaneStats of two clips; statistics of luma alone, YUV420P8",
            ours(lambda clip: core.vdiff.ChangeMap(clip, norm="none", planes=[0]), video),
            ours(lambda clip: core.std.PlaneStats(clip, earlier()), video),
        ),
        *(
            Row(
                f"ChangeMap-abs-{name}",
                f"{name}.Expr of two clips, without statistics; YUV420P8",
                ours(lambda clip: core.vdiff.ChangeMap(clip), video),
                ours(lambda clip, name=name: getattr(core, name).Expr([clip, earlier()], "x y - abs"), video),  # type: ignore[misc]
            )
            for name in ("akarin", "std")
        ),
        *decay_rows(),
        Row(
            "slow",
            "a slow filter alone; the same with Decay after it",
            ours(lambda clip: core.vdiff.Decay(slow(clip), **TRAILS), lambda: video(120)),
            ours(slow, lambda: video(120)),
        ),
        *kernel_rows(),
        *scene_rows(),
        *repair_rows(),
        *spread_rows(),
        *dilate_rows(),
        Row(
            "PoissonBlend",
            f"cv2.seamlessClone; a mask of {LOGO[0]}x{LOGO[1]}, RGB24",
            ours(
                lambda clip: core.vdiff.PoissonBlend(
                    clip, core.std.DuplicateFrames(clip, 0)[: clip.num_frames], logo()
                ),
                lambda: source(vs.RGB24, 160),
            ),
            opencv_clone,
        ),
        *inpaint_rows(),
        Scaling(
            "scaling",
            {
                "explicit": TEN_STEPS,
                "fed": diffuse(time=16, k=8, scheme="fed", steps=4),
                "exact": diffuse(time=8, diffusivity="linear", scheme="exact"),
            },
        ),
    ]


def selected(names: Sequence[str]) -> list[Row | Scaling | Growth]:
    """The rows asked for, by name or by its first parts."""
    everything = rows()
    for name in names:
        if not any(f"{row.name}-".startswith(f"{name}-") for row in everything):
            sys.exit(f"bench: there is no {name}, but {', '.join(row.name for row in everything)}")
    return [row for row in everything if not names or any(f"{row.name}-".startswith(f"{n}-") for n in names)]


def main() -> None:
    """Measures the rows asked for, prints a line each."""
    if "--quality" in sys.argv[1:]:
        bench_quality.main([argument for argument in sys.argv[1:] if argument != "--quality"])
        return
    if "--inpaint" in sys.argv[1:]:
        bench_inpaint.main([argument for argument in sys.argv[1:] if argument != "--inpaint"])
        return
    if "--encoding" in sys.argv[1:]:
        bench_encoding.main([argument for argument in sys.argv[1:] if argument != "--encoding"])
        return
    if "--repair" in sys.argv[1:]:
        bench_repair.main([argument for argument in sys.argv[1:] if argument != "--repair"])
        return
    if "--interpolation" in sys.argv[1:]:
        bench_interpolation.main([argument for argument in sys.argv[1:] if argument != "--interpolation"])
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("row", nargs="*", help="Diffuse, Diffuse-opencv, fed, Spread, scaling, ... (default: all)")
    parser.add_argument("--rounds", type=int, default=7, help="measurements of each row (default 7)")
    parser.add_argument("--quality", action="store_true", help="denoisers in decibels instead, see --quality --help")
    parser.add_argument("--inpaint", action="store_true", help="inpainting in decibels, see --inpaint --help")
    parser.add_argument("--interpolation", action="store_true", help="frames left out and put back, in decibels")
    parser.add_argument("--encoding", action="store_true", help="bits that denoising saves, see --encoding --help")
    parser.add_argument("--repair", action="store_true", help="damage that is found, see --repair --help")
    parser.add_argument("--peak", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.peak:
        name, scheme, *numbers = options.peak.split(",")
        (scaling,) = (row for row in rows() if isinstance(row, Scaling) and row.name == name)
        scaling.print_peak(scheme, *map(int, numbers))
        return
    core.num_threads = THREADS
    print(f"{WIDTH}x{HEIGHT}, {THREADS} threads, median of {options.rounds} rounds or fewer")
    for row in selected(options.row):
        try:
            for line in row.lines(options.rounds):
                print(line, flush=True)
        except NotThereError as reason:
            print(f"{row.name:19} not measured: {reason}", flush=True)


if __name__ == "__main__":
    main()
