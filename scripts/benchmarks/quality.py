"""Quality as decibels: denoisers on clips with known noise, each tuned to its best PSNR.

Luma alone, as it is coded, 24 frames that each method sees as a clip of their own. The noise is white and Gaussian and
is not clipped. A method's parameters are tuned per clip and noise by climbing a small grid, from the middle of each
axis to its neighbours, until no step gains PSNR; a best strength at the edge of its grid is marked, because more might
lie beyond. PSNR and SSIM are means over the frames.
"""

import argparse
import json
import math
import subprocess
import sys
import time
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import vapoursynth as vs
from numpy.typing import NDArray

import vs_vdiff
from quality import psnr, ssim
from vs_vdiff import denoising, ffmpeg
from vs_vdiff.errors import CommandError

from .settings import NotThereError, clips_folder

core = vs.core
THREADS = 2
CLIPS = {"carphone_pristine": 72, "bikes": 140, "bigbuckbunny": 33}
"""First of the frames of each clip: motion, no cut, no frame twice."""
FRAMES = 24
SIGMAS = (5.0, 10.0, 20.0)

type Clip = vs.VideoNode
type Picture = NDArray[np.float64]
type Params = dict[str, Any]


@dataclass(frozen=True)
class Method:
    """A denoiser.

    Attributes:
        name: What it is asked for by.
        needs: Namespaces of the plugins whose versions its figures depend on; `ffmpeg` is the program.
        denoise: The filter of a noisy clip, GRAYS, with parameters.
        grid: Values of each parameter for a standard deviation of the noise. The first parameter is the strength.
        fixed: Parameters that are not tuned.
        ours: Changes without a new version, so that its figures are never taken from the cache.
        most_pixels: Larger frames take too long.
    """

    name: str
    needs: Sequence[str]
    denoise: Callable[..., Clip]
    grid: Callable[[float], dict[str, Sequence[Any]]]
    fixed: Params = field(default_factory=dict)
    ours: bool = False
    most_pixels: int = 10**9


@dataclass(frozen=True)
class Measured:
    """A method's figures with some parameters."""

    method: str
    clip: str
    sigma: float
    params: Params
    versions: str
    psnr: float = math.nan
    ssim: float = math.nan
    seconds: float = math.nan

    @property
    def key(self) -> str:
        """What the figures depend on."""
        return json.dumps([self.method, self.clip, self.sigma, self.params, self.versions], sort_keys=True)


# Pictures and noise


def clip_of(pictures: Sequence[NDArray[Any]]) -> Clip:
    """A float clip of pictures with code values of 8 bits, not clipped."""
    height, width = pictures[0].shape
    blank = core.std.BlankClip(format=vs.GRAYS, width=width, height=height, length=len(pictures), keep=True)
    frames = []
    for picture in pictures:
        frames.append(blank.get_frame(0).copy())
        np.asarray(frames[-1][0])[...] = picture / 255
    return core.std.ModifyFrame(blank, blank, lambda n, f: frames[n])


def pictures_of(clip: Clip) -> list[Picture]:
    """The frames of a float clip on the scale of 8 bits."""
    return [255 * np.asarray(frame[0], dtype=np.float64) for frame in clip.frames(close=True)]


def label(name: str) -> str:
    """The clip and its frames."""
    return f"{name} {CLIPS[name]}-{CLIPS[name] + FRAMES - 1}"


def shot(name: str, frames: int) -> Clip:
    """Frames of a clip within a scene."""
    if not hasattr(core, "bs"):
        raise NotThereError("the clips are read by the plugin bs: pip install vapoursynth-bestsource")
    return core.bs.VideoSource(f"{clips_folder()}/{name}.mp4", showprogress=False)[CLIPS[name] :][:frames]


@lru_cache(1)
def clean(name: str) -> list[Picture]:
    """The luma of the clip's frames."""
    video = shot(name, FRAMES)
    return [np.asarray(frame[0]).astype(np.float64) for frame in video.frames(close=True)]


def noisy(name: str, sigma: float) -> Clip:
    """The clip with noise that is the same in every run."""
    seeds = ([zlib.crc32(name.encode()), CLIPS[name] + n, round(1000 * sigma)] for n in range(FRAMES))
    noise = (np.random.default_rng(seed) for seed in seeds)
    return clip_of([x + random.normal(0, sigma, x.shape) for x, random in zip(clean(name), noise, strict=True)])


# Motion

MOTION: Params = {"blur": 1, "blksize": 16, "search": 3, "searchparam": 4, "pnew": 0, "badsad": 400}
"""Found by the PSNR of what is denoised with it. Blocks of 8 move neighbours closer to the clean frame, and yet the
results are worse: they follow the frame's noise, which the neighbours then share with it."""


def blurred(clip: Clip, passes: int) -> Clip:
    """Binomial blur, each pass with a variance of half a squared pixel per axis."""
    for _ in range(passes):
        clip = core.std.Convolution(clip, [1, 2, 1, 2, 4, 2, 1, 2, 1])
    return clip


def compensated(clip: Clip, radius: int, blur: int, blksize: int, pel: int = 2, **analyse: Any) -> list[Clip]:
    """Neighbours of every frame, moved onto it, in the order t-r ... t-1, t+1 ... t+r.

    Where a neighbour lies outside the clip, the frame itself stands in for it, as mvu.Compensate leaves it. Thresholds
    are open: no block and no frame is left out for its difference, which is noise above all.
    """
    shape = {"blksize": blksize, "overlap": blksize // 2, "pel": pel}
    vectors_of = core.mvu.Super(blurred(clip, blur), **shape)
    pixels_of = core.mvu.Super(clip, onelevel=True, **shape)
    # A positive delta is a frame of the future: where mvu's documentation says past, it means vectors that point back.
    offsets = [*range(-radius, 0), *range(1, radius + 1)]
    vectors = (core.mvu.Analyse(vectors_of, delta=offset, **analyse) for offset in offsets)
    return [core.mvu.Compensate(clip, pixels_of, v, thsad=1_000_000, thscd1=16_320, thscd2=100) for v in vectors]


# Methods


def degrain(clip: Clip, thsad: int, blksize: int, blur: int) -> Clip:
    """MVTools with a radius of 3: vectors of a blurred clip, pixels of the noisy one; integers only."""
    integer = core.std.Expr(clip, "x 65535 *", vs.GRAY16)
    vectors_of = core.mv.Super(blurred(integer, blur), pel=2)
    block = {"blksize": blksize, "overlap": blksize // 2}
    vectors = [
        core.mv.Analyse(vectors_of, isb=backward, delta=delta, **block) for delta in (1, 2, 3) for backward in (1, 0)
    ]
    out = core.mv.Degrain3(integer, core.mv.Super(integer, pel=2, levels=1), *vectors, thsad=thsad, thscd1=16_320)
    return core.std.Expr(out, "x 65535 /", vs.GRAYS)


@cache
def dft_window(radius: int, step: int, size: int = 16) -> tuple[list[float], list[float], float]:
    """The defaults of dfttest: Hann's window in space, normalised for the overlap, a flat one in time.

    Returns:
        The window, its transform on the scale of 8 bits, and the power of white noise of unit variance under it.
    """
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * (np.arange(size) + 0.5) / size)
    overlapping = np.array([np.sum(hann[q % step :: step] ** 2) for q in range(size)])
    space = hann / np.sqrt(overlapping)
    shape = (2 * radius + 1, size, size)
    window = (np.ones(shape) * np.outer(space, space) / math.sqrt(math.prod(shape))).ravel()
    spectrum = core.dfttest2_cpu.RDFT((255 * window).tolist(), shape)
    return window.tolist(), spectrum, float(np.sum(window**2))


def dfttest(clip: Clip, sigma: float, step: int) -> Clip:
    """Wiener filter of the spectrum of blocks, 7x16x16; sigma is the power of the noise, as in dfttest."""
    window, spectrum, power = dft_window(3, step)
    wiener = {"filter_type": 0, "sigma": [sigma * power] * (7 * 16 * 9), "sigma2": 0, "pmin": 0, "pmax": 0}
    blocks = {"radius": 3, "block_size": 16, "block_step": step}
    return core.dfttest2_cpu.DFTTest(clip, window, window_freq=spectrum, **wiener, **blocks)


def dfttest_moved(clip: Clip, sigma: float, step: int, **motion: Any) -> Clip:
    """The same over seven frames that are moved onto the one in the middle.

    Beyond the clip's ends the neighbour on the other side stands in: the frame itself, with the same noise, costs more.
    """
    moved = compensated(clip, 3, **motion)
    for distance, (past, future) in enumerate(zip(moved[2::-1], moved[3:], strict=True), 1):
        moved[3 - distance] = future[:distance] + past[distance:]
        moved[2 + distance] = future[:-distance] + past[-distance:]
    volume = core.std.Interleave([*moved[:3], clip, *moved[3:]])
    return core.std.SelectEvery(dfttest(volume, sigma, step), 7, [3])


def ffmpeg_filter(name: str, clip: Clip, **params: float) -> Clip:
    """FFmpeg's filter on raw video of 8 bits."""
    # YUV, because FFmpeg's gray might be taken for another range on the way.
    pixels = [np.clip(np.rint(picture), 0, 255).astype(np.uint8) for picture in pictures_of(clip)]
    neutral = bytes([128]) * (clip.width * clip.height // 2)
    raw = f"-f rawvideo -pix_fmt yuv420p -s {clip.width}x{clip.height}"
    chain = f"{name}={':'.join(f'{key}={value}' for key, value in params.items())}"
    options = f"-v error -filter_threads {THREADS} {raw} -i - -vf {chain} {raw} -"
    data = b"".join(picture.tobytes() + neutral for picture in pixels)
    out = subprocess.run([ffmpeg.find(), *options.split()], check=True, input=data, stdout=subprocess.PIPE).stdout
    frames = np.frombuffer(out, np.uint8).reshape(len(pixels), -1)[:, : clip.width * clip.height]
    return clip_of(list(frames.reshape(len(pixels), clip.height, clip.width)))


def denoise(clip: Clip, motion: bool = True) -> Clip:
    """Ours as users call it: it finds the noise itself."""
    try:
        return vs_vdiff.denoise(clip, motion=motion)
    except vs_vdiff.MotionError as error:
        raise NotThereError(str(error)) from error


def diffuse3d(clip: Clip, k: float, kt: float) -> Clip:
    """Our filter with contrasts that are given, along the motion that denoise finds."""
    try:
        return core.vdiff.Diffuse3D(clip, list(denoising.find_motion().neighbours(clip, 3)), k=k, kt=kt)
    except vs_vdiff.MotionError as error:
        raise NotThereError(str(error)) from error


def around(middle: float, ratio: float, steps: int) -> list[float]:
    """A geometric series around its middle, in figures short enough to quote."""
    return [float(f"{middle * ratio**n:.3g}") for n in range(-steps, steps + 1)]


METHODS = (
    # Not tuned: one rule from the noise that was added, then what the filter finds by itself.
    Method(
        "Diffuse3D, moved",
        ["vdiff", "mvu"],
        diffuse3d,
        lambda noise: {"k": [noise], "kt": [1.5 * noise]},
        ours=True,
    ),
    Method("vs_vdiff.denoise", ["vdiff", "mvu"], denoise, lambda noise: {}, ours=True),
    Method("denoise, motion=False", ["vdiff"], partial(denoise, motion=False), lambda noise: {}, ours=True),
    Method(
        "mv.Degrain3",
        ["mv"],
        degrain,
        lambda noise: {
            "thsad": [round(threshold) for threshold in around(60 * noise, 2**0.5, 5)],
            "blksize": [8, 16],
            "blur": [0, 1, 2, 4],
        },
    ),
    Method(
        "nlm_ispc",
        ["nlm_ispc"],
        lambda clip, **params: core.nlm_ispc.NLMeans(clip, d=2, wref=1.0, **params),
        # Without the default, mode 0, which gives infinities where no patch is like the pixel's.
        lambda noise: {"h": around(2.2 * noise, 1.12, 5), "a": [1, 2, 3, 4], "s": [1, 2, 3, 4], "wmode": [1, 2, 3]},
    ),
    Method(
        "dfttest2",
        ["dfttest2_cpu"],
        dfttest,
        lambda noise: {"sigma": around(2 * noise**2, 2**0.5, 4), "step": [2, 4, 8]},
    ),
    Method(
        "dfttest2, moved",
        ["dfttest2_cpu", "mvu"],
        dfttest_moved,
        lambda noise: {"sigma": around(2 * noise**2, 2**0.5, 4), "step": [2, 4, 8], "pel": [4, 2]},
        fixed=MOTION,
    ),
    Method(
        "ffmpeg nlmeans",
        ["ffmpeg"],
        partial(ffmpeg_filter, "nlmeans"),
        lambda noise: {
            "s": [s for s in around(0.6 * noise, 1.2, 7) if 1 <= s <= 30],
            "p": [3, 5, 7],
            "r": [5, 7, 9, 11, 15, 21],
        },
        fixed={"pc": 1, "rc": 1},
    ),
    Method(
        "ffmpeg hqdn3d",
        ["ffmpeg"],
        partial(ffmpeg_filter, "hqdn3d"),
        lambda noise: {"luma_spatial": around(0.8 * noise, 1.3, 8), "luma_tmp": around(noise, 1.3, 8)},
    ),
    Method(
        "vszip.WNNM",
        ["vszip"],
        lambda clip, **params: core.vszip.WNNM(clip, radius=1, **params),
        # Its sigma has a scale of its own.
        lambda noise: {"sigma": around(1.5 * noise, 1.12, 5)},
        fixed={"block_step": 4},
    ),
    Method(
        "vszip.WNNM, groups of 32",
        ["vszip"],
        lambda clip, **params: core.vszip.WNNM(clip, radius=1, **params),
        lambda noise: {"sigma": around(1.8 * noise, 1.12, 5)},
        # The best there is of it, at a second for the smallest clip's frames and five minutes for the largest one's 24.
        fixed={"group_size": 32, "residual": 1, "block_step": 4},
        most_pixels=400_000,
    ),
)


def version(name: str) -> str:
    """The version of a plugin, or of FFmpeg."""
    if name == "ffmpeg":
        out = subprocess.run([ffmpeg.find(), "-version"], check=True, stdout=subprocess.PIPE, text=True).stdout
        return f"ffmpeg {out.split()[2]}"
    if not hasattr(core, name):
        raise NotThereError(f"there is no plugin {name}")
    number = getattr(core, name).version
    return f"{name} {number.major}.{number.minor}"


# Measurement


@dataclass
class Bench:
    """Measures, and remembers what it measured.

    Attributes:
        file: Where the figures are kept, if anywhere.
        known: All figures by what they depend on.
    """

    file: Path | None
    known: dict[str, Measured] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Reads what is known."""
        if self.file and self.file.exists():
            records = [Measured(**record) for record in json.loads(self.file.read_text(encoding="utf-8"))]
            self.known = {record.key: record for record in records}

    def measure(self, method: Method, name: str, sigma: float, params: Params) -> Measured:
        """One method with one set of parameters."""
        versions = ", ".join(version(need) for need in method.needs)
        wanted = Measured(method.name, label(name), sigma, params, versions)
        if wanted.key not in self.known:
            start = time.perf_counter()
            out = pictures_of(method.denoise(noisy(name, sigma), **params))
            seconds = time.perf_counter() - start
            figures = [(psnr(y, x, 255.0), ssim(y, x, 255.0)) for x, y in zip(clean(name), out, strict=True)]
            mean = [round(float(figure), 4) for figure in np.mean(figures, axis=0)]
            self.known[wanted.key] = replace(wanted, psnr=mean[0], ssim=mean[1], seconds=round(seconds, 2))
            print(f"  {method.name}, {name}, {sigma:g}: {params} {mean[0]:.2f}", file=sys.stderr, flush=True)
            self.write()
        return self.known[wanted.key]

    def write(self) -> None:
        """Keeps what is known, but for ours."""
        if self.file:
            passing = {method.name for method in METHODS if method.ours}
            records = [json.dumps(vars(record)) for record in self.known.values() if record.method not in passing]
            self.file.write_text("[\n" + ",\n".join(records) + "\n]\n", encoding="utf-8")

    def tuned(self, method: Method, name: str, sigma: float) -> tuple[Measured, bool]:
        """The best figures, and whether the strength stands at the edge of its grid."""
        grid = method.grid(sigma)
        at = {axis: len(values) // 2 for axis, values in grid.items()}

        def value(at: dict[str, int]) -> Measured:
            return self.measure(method, name, sigma, {**{a: grid[a][i] for a, i in at.items()}, **method.fixed})

        best, before = value(at), None
        while best is not before:
            before = best
            for axis in grid:
                for step in (1, -1):
                    while 0 <= at[axis] + step < len(grid[axis]):
                        there = {**at, axis: at[axis] + step}
                        if not (found := value(there)).psnr > best.psnr:
                            break
                        best, at = found, there
        edge = [len(values) > 1 and at[axis] in (0, len(values) - 1) for axis, values in grid.items()]
        return best, any(edge[:1])


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures the methods asked for, prints a table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", nargs="+", choices=CLIPS, default=list(CLIPS), metavar="CLIP")
    parser.add_argument("--sigmas", nargs="+", type=float, default=SIGMAS, metavar="SIGMA")
    names = [method.name for method in METHODS]
    parser.add_argument("--methods", nargs="+", choices=names, default=names, metavar="METHOD", help=", ".join(names))
    parser.add_argument("--json", type=Path, metavar="FILE", help="all figures of this run's methods")
    parser.add_argument("--cache", type=Path, metavar="FILE", help="figures of peers that need not be measured again")
    options = parser.parse_args(arguments)
    core.num_threads = THREADS
    core.max_cache_size = 4096
    bench = Bench(options.cache)
    print("| method | clip, frames | noise | PSNR, dB | SSIM | best parameters |")
    print("|---|---|---|---|---|---|")
    results, missing = [], {}
    for method in (method for method in METHODS if method.name in options.methods):
        try:
            for name in options.clips:
                if clean(name)[0].size > method.most_pixels:
                    print(f"| {method.name} | {label(name)} | | not measured: takes too long | | |", flush=True)
                    continue
                for sigma in options.sigmas:
                    best, edge = bench.tuned(method, name, sigma)
                    results.append(best)
                    params = ", ".join(f"{key}={value}" for key, value in best.params.items())
                    start = f"| {best.method} | {best.clip} | {sigma:g} | {best.psnr:.2f} | {best.ssim:.4f} |"
                    print(f"{start} {params}{' (edge of the grid)' * edge} |", flush=True)
        except (NotThereError, CommandError) as reason:
            missing[method.name] = str(reason)
            print(f"| {method.name} | | | not measured: {reason} | | |", flush=True)
    if options.json:
        measured = [vars(record) for record in bench.known.values() if record.method in options.methods]
        report = {"best": [vars(record) for record in results], "missing": missing, "measured": measured}
        options.json.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
