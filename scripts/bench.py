"""Speed as ratios: every filter beside a peer that does the same work, in the same run.

1920x1080, two threads, source frames in memory. Each round measures our filter and the peer one after the other; a
case's figure is the median of the rounds' ratios, so that a machine whose speed drifts slows both.
"""

import argparse
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import vapoursynth as vs

import vs_vdiff  # noqa: F401  (makes sure of core.vdiff)
from vs_vdiff import ffmpeg

core = vs.core
WIDTH, HEIGHT, THREADS = 1920, 1080, 2
FRAMES = 16
"""Different frames of a source, more than the caches of a CPU hold."""

type Clip = vs.VideoNode
type Measurement = Callable[[], float]


def source(fmt: vs.PresetVideoFormat, length: int) -> Clip:
    """A clip of smooth moving noise, its frames already in memory."""
    random = np.random.default_rng(1)
    blank = core.std.BlankClip(format=fmt, width=WIDTH, height=HEIGHT, length=1)

    def picture() -> Clip:
        frame = blank.get_frame(0).copy()
        for plane in frame:
            pixels = np.asarray(plane)
            coarse = random.random((pixels.shape[0] // 8 + 1, pixels.shape[1] // 8 + 1))
            values = np.kron(coarse, np.ones((8, 8)))[: pixels.shape[0], : pixels.shape[1]]
            values = 0.9 * values + 0.1 * random.random(pixels.shape)
            pixels[...] = values * np.iinfo(pixels.dtype).max if pixels.dtype.kind == "u" else values
        return core.std.ModifyFrame(blank, blank, lambda n, f: frame)

    pictures = core.std.Splice([picture() for _ in range(FRAMES)])
    core.std.SetVideoCache(pictures, mode=1, fixedsize=1, maxsize=FRAMES, maxhistory=0)
    for n in range(FRAMES):
        pictures.get_frame(n)
    return core.std.Loop(pictures, -(-length // FRAMES))[:length]


def rate(make: Callable[[], Clip]) -> Measurement:
    """Measures the frame rate of a clip, made anew each time so that no cache holds its frames."""

    def measure() -> float:
        clip = make()
        start = time.perf_counter()
        for _ in clip.frames(close=True):
            pass
        return float(clip.num_frames / (time.perf_counter() - start))

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


def perona_malik(clip: Clip, steps: int, tau: float, k: float) -> Clip:
    """Perona and Malik's scheme as a chain of expressions, one node a step: what a user could write today."""
    g = f"dup dup * {255 * 255 / k / k} * 1 + /"
    differences = " ".join(f"x[{dx},{dy}] x - {g}" for dx, dy in ((-1, 0), (1, 0), (0, -1), (0, 1)))
    for _ in range(steps):
        clip = core.akarin.Expr(clip, f"{differences} + + + {tau} * x +", boundary=1)
    return clip


def maxima(clip: Clip, count: int) -> Clip:
    """A square of radius `count` as a chain of the core's own filter."""
    for _ in range(count):
        clip = core.std.Maximum(clip)
    return clip


def cases(folder: Path) -> dict[str, tuple[str, Measurement, Measurement]]:
    """Name of the case: what it is measured against, our measurement, the peer's."""
    gray = source(vs.GRAYS, 160)
    video = source(vs.YUV420P8, 800)
    words = source(vs.GRAY16, 400)
    shorter = video[:120]
    earlier = core.std.DuplicateFrames(video, 0)[: video.num_frames]

    def diffuse(clip: Clip) -> Clip:
        return core.vdiff.Diffuse(clip, time=2, k=8, scheme="explicit", steps=10)

    def slow() -> Clip:
        return core.vdiff.Diffuse(shorter, time=12, k=8, scheme="explicit", steps=60)

    def dilate(clip: Clip, radius: int) -> tuple[Measurement, Measurement]:
        # The peer's frames are fewer by its nodes, so that both take a while.
        fewer = clip[: max(16, clip.num_frames // radius)]
        return rate(lambda: core.vdiff.Dilate(clip, radius=radius)), rate(lambda: maxima(fewer, radius))

    lagfun = ffmpeg_rate(shorter, "lagfun=decay=0.87", folder)
    return {
        "Diffuse": (
            "10 nodes of akarin.Expr; rational, 10 explicit steps, GRAYS",
            rate(lambda: diffuse(gray)),
            rate(lambda: perona_malik(gray, 10, 0.2, 8)),
        ),
        "DiffBlend": (
            "akarin.Expr of two clips; YUV420P8",
            rate(lambda: core.vdiff.DiffBlend(video, alpha=0.4)),
            rate(lambda: core.akarin.Expr([video, earlier], "x x y - 0.4 * +")),
        ),
        "Decay": (
            "FFmpeg lagfun, raw video from memory; mode max, half-life 5, YUV420P8",
            rate(lambda: core.vdiff.Decay(video, halflife=5, mode="max")),
            lagfun,
        ),
        **{
            f"Dilate{radius}{name}": (
                f"{radius} node{'s' * (radius > 1)} of std.Maximum; radius {radius}, {clip.format.name}",
                *dilate(clip, radius),
            )
            for radius in (1, 15)
            for name, clip in (("", video), ("w", words), ("s", gray))
        },
        "slow": (
            "a slow filter alone; the same with Decay after it",
            rate(lambda: core.vdiff.Decay(slow(), halflife=5, mode="max")),
            rate(slow),
        ),
    }


def main() -> None:
    """Measures the cases asked for, prints a line each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("case", nargs="*", help="Diffuse, DiffBlend, Decay, Dilate1, Dilate15, slow (default: all)")
    parser.add_argument("--rounds", type=int, default=7, help="measurements of each case (default 7)")
    options = parser.parse_args()
    core.num_threads = THREADS
    print(f"{WIDTH}x{HEIGHT}, {THREADS} threads, median of {options.rounds} rounds")
    memory = "/dev/shm" if Path("/dev/shm").is_dir() else None
    with tempfile.TemporaryDirectory(dir=memory) as folder:
        for name, (against, ours, peers) in cases(Path(folder)).items():
            if options.case and name not in options.case:
                continue
            ours(), peers()
            rounds = [(ours(), peers()) for _ in range(options.rounds)]
            ratio = statistics.median(a / b for a, b in rounds)
            a, b = (statistics.median(side) for side in zip(*rounds, strict=True))
            print(f"{name:10} {ratio:6.2f}x   {a:7.1f} fps / {b:7.1f} fps   against {against}")


if __name__ == "__main__":
    main()
