"""Other programs, prepared to do a filter's work on the frames of a setting."""

from __future__ import annotations

import importlib
import math
import os
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import vapoursynth as vs
from scipy.sparse import csc_matrix, diags_array
from scipy.sparse.linalg import cg, spsolve

import vs_vdiff
from vs_vdiff import ffmpeg
from vs_vdiff.errors import CommandError

from . import inpaint
from .measuring import SECONDS, Measurement, called, played
from .settings import FRAMES, SIZES, Clip, NotThereError, Picture, Setting

core = vs.core

type Apply = Callable[[Clip], Clip]


@dataclass(frozen=True)
class Peer:
    """Something to pick instead of a filter.

    Attributes:
        name: What is measured.
        prepare: Makes the measurement for a setting and a family of formats.
        same: Whether it does the same work: the same values, or as good a solution of the same problem.
        least: Frames of a measurement, at least.
        depths: What it takes.
        sizes: What it is measured on.
        seconds: What a measurement should take, at least.
        hosted: Whether VapourSynth plays it, as ours.
    """

    name: str
    prepare: Callable[[Setting, str], Measurement]
    same: bool = True
    least: int = 1
    depths: tuple[str, ...] = ("8", "16", "float")
    sizes: tuple[str, ...] = tuple(SIZES)
    seconds: float = SECONDS
    hosted: bool = False

    def refuses(self, setting: Setting) -> str:
        """Why it is not measured there, or nothing."""
        if setting.depth not in self.depths:
            return "it does not take that depth"
        return "" if setting.size in self.sizes else "it takes long, and is measured at 1080p"


# VapourSynth


def applied(apply: Apply, clip: Clip) -> Clip:
    """The filter on the clip, if it is there and takes it."""
    try:
        return apply(clip)
    except (vs.Error, AttributeError, vs_vdiff.KernelError) as error:
        raise NotThereError(str(error)) from error


def filtered(apply: Apply) -> Callable[[Setting, str], Measurement]:
    """Measures a filter of VapourSynth."""

    def prepare(setting: Setting, family: str) -> Measurement:
        applied(apply, setting.clip(family, 2))
        return played(lambda frames: applied(apply, setting.clip(family, frames)))

    return prepare


def plugin(name: str, apply: Apply, same: bool = True, **args: Any) -> Peer:
    """A filter, or several, of VapourSynth."""
    return Peer(name, filtered(apply), same, hosted=True, **args)


def earlier(clip: Clip) -> Clip:
    """The frame before."""
    return core.std.DuplicateFrames(clip, 0)[: clip.num_frames]


def expression(clip: Clip, *others: Clip, each: Callable[[Clip], str], **args: Any) -> Clip:
    """akarin.Expr. It takes numbers of the format's own scale."""
    return core.akarin.Expr([clip, *others], each(clip), **args)


def white(clip: Clip) -> float:
    """What stands for 255."""
    return 1.0 if clip.format.sample_type == vs.FLOAT else float((1 << clip.format.bits_per_sample) - 1)


def perona_malik(steps: int, tau: float, k: float) -> Apply:
    """Perona and Malik's scheme as a chain of expressions, one node a step: what a user could write today."""

    def apply(clip: Clip) -> Clip:
        g = f"dup dup * {(255 / k / white(clip)) ** 2} * 1 + /"
        differences = " ".join(f"x[{dx},{dy}] x - {g}" for dx, dy in ((-1, 0), (1, 0), (0, -1), (0, 1)))
        for _ in range(steps):
            clip = core.akarin.Expr(clip, f"{differences} + + + {tau} * x +", boundary=1)
        return clip

    return apply


def repeated(name: str, count: int) -> Apply:
    """A filter of the core several times."""

    def apply(clip: Clip) -> Clip:
        for _ in range(count):
            clip = getattr(core.std, name)(clip)
        return clip

    return apply


# FFmpeg


@cache
def folder() -> Path:
    """A folder in memory if there is one; it goes with the process."""
    memory = "/dev/shm" if Path("/dev/shm").is_dir() else None
    return Path(KEPT.enter_context(tempfile.TemporaryDirectory(dir=memory)))


KEPT = ExitStack()
PIXELS = {
    ("YUV420", "8"): "yuv420p",
    ("YUV420", "16"): "yuv420p16le",
    ("GRAY", "8"): "gray",
    ("GRAY", "16"): "gray16le",
}


@lru_cache(maxsize=1)
def raw_video(setting: Setting, family: str) -> Path:
    """The frames as a file."""
    raw = folder() / "clip.yuv"
    with raw.open("wb") as file:
        for planes in setting.planes(family):
            for plane in planes:
                file.write(np.ascontiguousarray(plane).data)
    return raw


def ffmpeg_filter(chain: str, name: str = "", same: bool = True, slow: bool = False, **args: Any) -> Peer:
    """FFmpeg's filters on the same frames in memory, less the time of a run without them.

    It may use as many CPUs as the core has threads: other work than that of filters has threads of its own.
    """

    def prepare(setting: Setting, family: str) -> Measurement:
        if (family, setting.depth) not in PIXELS:
            raise NotThereError(f"FFmpeg has no {family} in {setting.depth}")
        raw = raw_video(Setting(setting.size, setting.depth, 0), family)
        try:
            cpus = sorted(os.sched_getaffinity(0))[: setting.threads]
            command = ["taskset", "--cpu-list", ",".join(map(str, cpus)), ffmpeg.find()]
        except (AttributeError, CommandError) as error:
            raise NotThereError(str(error)) from error
        given = ["-f", "rawvideo", "-pix_fmt", PIXELS[family, setting.depth], "-s", f"{setting.width}x{setting.height}"]
        threads = ["-threads", "1", "-filter_threads", str(setting.threads)]
        options = ["-v", "error", "-nostdin", *threads, *given, "-i", str(raw)]

        def seconds(filters: str, frames: int) -> float:
            # Read once, and shown over and over: reading would take longer than many a filter.
            looped = f"loop=loop={-(-frames // FRAMES)}:size={FRAMES},{filters}"
            start = time.perf_counter()
            output = ["-frames:v", str(frames), "-vf", looped, "-f", "null", "-"]
            done = subprocess.run([*command, *options, *output], stderr=subprocess.PIPE, text=True)
            if done.returncode:
                raise NotThereError(done.stderr.strip().splitlines()[-1])
            return time.perf_counter() - start

        return lambda frames: max(1e-4, seconds(chain, frames) - seconds("null", frames))

    args = {"depths": ("8", "16"), "sizes": tuple(SIZES) if same else ("1080p",)} | args
    return Peer(
        name or f"FFmpeg {chain.split('=')[0]}", prepare, same, least=2 if slow else 16, seconds=3 * SECONDS, **args
    )


# OpenCV


def opencv(threads: int) -> Any:
    """OpenCV with as many threads as we take."""
    try:
        import cv2
    except ImportError as error:
        raise NotThereError(f"{error}; it comes with opencv-contrib-python-headless") from error
    cv2.setNumThreads(threads)
    return cv2


def planewise(
    name: str,
    function: Callable[[Any], Callable[[Picture], object]],
    same: bool = True,
    depths: tuple[str, ...] = ("8", "16", "float"),
) -> Peer:
    """OpenCV's function on every plane of a frame.

    Args:
        name: What is measured.
        function: From the module cv2 to the function of a plane.
        same: Whether it does the same work.
        depths: What it takes.
    """

    def prepare(setting: Setting, family: str) -> Measurement:
        of_plane = function(opencv(setting.threads))
        return called(lambda planes: [of_plane(plane) for plane in planes], setting.planes(family))

    return Peer(name, prepare, same, depths=depths)


def opencv_diffusion(setting: Setting, family: str) -> Measurement:
    """Perona and Malik's scheme on 8-bit pictures of three channels, all it takes: three planes each."""
    cv2 = opencv(setting.threads)
    if not hasattr(cv2, "ximgproc"):
        raise NotThereError("this cv2 lacks ximgproc, which comes with opencv-contrib-python-headless")
    frames = [np.repeat(planes[0][..., None], 3, 2) for planes in setting.planes(family, 2)]
    measure = called(lambda frame: cv2.ximgproc.anisotropicDiffusion(frame, 0.2, 8.0, 10), frames)
    return lambda count: measure(-(-count // 3)) * count / (3 * -(-count // 3))


LOGO = (200, 100)
"""Width and height of what PoissonBlend composes and Inpaint fills."""
PLACE = (300, 100)
AROUND = 8
"""Pixels around a logo that other programs see of a frame; more would cost them time."""


@cache
def logo(width: int, height: int) -> Clip:
    """A mask of one frame."""
    spot = core.std.BlankClip(format=vs.GRAY8, width=LOGO[0], height=LOGO[1], length=1, color=255, keep=True)
    (x, y), (w, h) = PLACE, LOGO
    return core.std.AddBorders(spot, x, width - x - w, y, height - y - h)


def opencv_clone(setting: Setting, family: str) -> Measurement:
    """Seamless cloning in pictures of three channels; the mask goes in whole, as for us."""
    cv2 = opencv(setting.threads)
    frames = [np.stack(planes, axis=-1) for planes in setting.planes(family)]
    mask = np.array(logo(setting.width, setting.height).get_frame(0)[0])
    middle = (PLACE[0] + LOGO[0] // 2, PLACE[1] + LOGO[1] // 2)
    pairs = list(zip(frames, frames[1:] + frames[:1], strict=True))
    return called(lambda pair: cv2.seamlessClone(pair[1], pair[0], mask, middle, cv2.NORMAL_CLONE), pairs)


def logo_planes(setting: Setting) -> list[list[tuple[Picture, Picture]]]:
    """What surrounds the logo in each plane of 4:2:0 frames, and the mask there."""

    def part(plane: Picture, shift: int) -> tuple[Picture, Picture]:
        left, top, width, height = (each >> shift for each in (*PLACE, *LOGO))
        rows, columns = slice(top - AROUND, top + height + AROUND), slice(left - AROUND, left + width + AROUND)
        mask = np.zeros((height + 2 * AROUND, width + 2 * AROUND), np.uint8)
        mask[AROUND:-AROUND, AROUND:-AROUND] = 1
        return np.ascontiguousarray(plane[rows, columns]), mask

    return [
        [part(plane, shift) for plane, shift in zip(planes, (0, 1, 1), strict=True)]
        for planes in setting.planes("YUV420")
    ]


def opencv_inpaint(method: str) -> Callable[[Setting, str], Measurement]:
    """The three planes of frames, on as many threads of Python as we take: it has none of its own."""

    def prepare(setting: Setting, _: str) -> Measurement:
        cv2, frames = opencv(1), logo_planes(setting)

        def fill(n: int) -> None:
            for plane, mask in frames[n % len(frames)]:
                cv2.inpaint(plane, mask, inpaint.RADIUS, getattr(cv2, method))

        def seconds(count: int) -> float:
            start = time.perf_counter()
            with ThreadPoolExecutor(setting.threads) as pool:
                list(pool.map(fill, range(count)))
            return time.perf_counter() - start

        return seconds

    return prepare


SKETCH = {"sigma": 11, "str_sigma": 11, "blend": 0.5, "iterations": 4}


def coherence_sample(setting: Setting, family: str) -> Measurement:
    """The equation of OpenCV's sample coherence.py, with its numbers, in calls of cv2."""
    cv2 = opencv(setting.threads)

    def enhance(planes: list[Picture]) -> Picture:
        picture = planes[0]
        for _ in range(int(SKETCH["iterations"])):
            eigen = cv2.cornerEigenValsAndVecs(picture, int(SKETCH["str_sigma"]), 3)
            x, y = eigen[..., 2], eigen[..., 3]
            second = {
                order: cv2.Sobel(picture, cv2.CV_32F, *order, ksize=int(SKETCH["sigma"]))
                for order in ((2, 0), (1, 1), (0, 2))
            }
            across = x * x * second[2, 0] + 2 * x * y * second[1, 1] + y * y * second[0, 2]
            shocked = cv2.erode(picture, None)
            rising = across < 0
            shocked[rising] = cv2.dilate(picture, None)[rising]
            picture = cv2.addWeighted(picture, 1 - SKETCH["blend"], shocked, SKETCH["blend"], 0)
        return picture

    return called(enhance, setting.planes(family, 4))


# The rest


def module(name: str, package: str) -> Any:
    """A module that may be there."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise NotThereError(f"{error}; it comes with {package}") from error


def gmic(command: str) -> Peer:
    """A command of G'MIC on every plane, as float32, which is all it takes, on the one thread that its wheel has."""

    def prepare(setting: Setting, family: str) -> Measurement:
        library = module("gmic", "gmic")
        frames = [[plane.astype(np.float32) for plane in planes] for planes in setting.planes(family, 2)]

        def run(planes: list[Picture]) -> None:
            for plane in planes:
                library.run(command, [library.Image(plane)])

        return called(run, frames)

    return Peer(f"G'MIC {command}, one thread", prepare, same=False, depths=("float",), sizes=("1080p",))


def numpy_diffusion(setting: Setting, family: str) -> Measurement:
    """Ten steps in NumPy, with as few passes as it takes."""

    def diffuse(planes: list[Picture]) -> Picture:
        u = planes[0].copy()
        inverse = np.float32((255 / 8) ** 2)
        for _ in range(10):
            x, y = np.diff(u, axis=1), np.diff(u, axis=0)
            x /= 1 + inverse * x * x
            y /= 1 + inverse * y * y
            x *= np.float32(0.2)
            y *= np.float32(0.2)
            u[:, :-1] += x
            u[:, 1:] -= x
            u[:-1] += y
            u[1:] -= y
        return u

    return called(diffuse, setting.planes(family, 4))


def simpleitk_diffusion(setting: Setting, family: str) -> Measurement:
    """Ten iterations of ITK's gradient anisotropic diffusion."""
    itk = module("SimpleITK", "simpleitk")
    diffusion = itk.GradientAnisotropicDiffusionImageFilter()
    diffusion.SetTimeStep(0.125)  # the largest that it holds for stable in two dimensions
    diffusion.SetNumberOfIterations(10)
    diffusion.SetNumberOfThreads(setting.threads)
    return called(diffusion.Execute, [itk.GetImageFromArray(setting.planes(family, 1)[0][0])])


LBR = """
import sys, time, itk, numpy
itk.MultiThreaderBase.SetGlobalMaximumNumberOfThreads(int(sys.argv[2]))
image = itk.image_from_array(numpy.load(sys.argv[1]))
start = time.perf_counter()
for _ in range(int(sys.argv[3])):
    diffusion = itk.CoherenceEnhancingDiffusionImageFilter[type(image)].New(image)
    diffusion.SetDiffusionTime(2)
    diffusion.SetEnhancement(2)  # EED
    diffusion.Update()
print(time.perf_counter() - start)
"""


def itk_lbr(setting: Setting, family: str) -> Measurement:
    """ITK's anisotropic diffusion by lattice basis reduction, run by an older Python."""
    python = os.environ.get("VDIFF_BENCH_ITK")
    if not python:
        raise NotThereError(
            "set VDIFF_BENCH_ITK to a Python 3.9 with itk==5.2.1.post1, itk-anisotropicdiffusionlbr==1.2.1 and "
            "numpy<1.24; there are no wheels for a later Python"
        )
    array = folder() / "picture.npy"
    np.save(array, setting.planes(family, 1)[0][0])

    def seconds(frames: int) -> float:
        command = [python, "-c", LBR, str(array), str(setting.threads), str(frames)]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            raise NotThereError(f"{python}: {done.stderr.strip().splitlines()[-1]}")
        return float(done.stdout)

    return seconds


def skimage_inpaint(setting: Setting, _: str) -> Measurement:
    """The three planes of a frame, on one thread."""
    biharmonic, frames = inpaint.biharmonic(), logo_planes(setting)
    return called(lambda planes: [biharmonic(plane / 255, mask) for plane, mask in planes], frames)


SCATTERED = 0.2
"""Share of the frame that is masked."""


@cache
def scattered(width: int, height: int, share: float = SCATTERED) -> Clip:
    """A mask of pixels at random."""
    pixels = np.random.default_rng(2).random((1, height, width)) < share
    return vs_vdiff.from_numpy(255 * pixels.astype(np.uint8), vs.GRAY8)


def scipy_harmonic(solver: str) -> Callable[[Setting, str], Measurement]:
    """Laplace's equation at the scattered pixels by a sparse solver, with what it takes to write the system down."""

    def prepare(setting: Setting, family: str) -> Measurement:
        mask = np.array(scattered(setting.width, setting.height).get_frame(0)[0]) > 0

        def fill(planes: Sequence[Picture]) -> Picture:
            picture = planes[0]
            number = np.full((mask.shape[0] + 2, mask.shape[1] + 2), -1)
            number[1:-1, 1:-1][mask] = np.arange(mask.sum())
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
                step = 0.25 / 255 * (values.max() - values.min())
                found, _ = cg(matrix, right, start, rtol=0, atol=step * math.sqrt(rows.size), maxiter=1000)
            else:
                found = spsolve(matrix, right)
            out = picture.copy()
            out[mask] = np.rint(found) if picture.dtype.kind == "u" else found
            return out

        return called(fill, setting.planes(family, 1))

    return prepare


@cache
def hole(width: int, height: int, pixels: int) -> Clip:
    """A mask of one rectangle, of the frame's shape."""
    rows = round(math.sqrt(pixels * height / width))
    pixels_of = np.zeros((1, height, width), np.uint8)
    if rows:
        pixels_of[0, 40 : 40 + rows, 40 : 40 + pixels // rows] = 255
    return vs_vdiff.from_numpy(pixels_of, vs.GRAY8)


def still(setting: Setting, family: str, frames: int) -> Clip:
    """A clip that shows one frame."""
    return core.std.Loop(setting.clip(family, 1, frames=1), frames)
