"""What denoising before encoding saves: bitrate at equal quality, beside FFmpeg's own filters.

A clip is taken for clean. White Gaussian noise is added to all planes in float, and the result stored in 8 bits: that
is what a camera would give. It is encoded at a row of CRFs, as it is and after each filter, and what a player shows is
compared with the clean clip: VMAF, and SSIM of luma, both FFmpeg's. Bitrates are those of the coded pictures alone,
without container and comments.

The saving is the Bjøntegaard delta: the mean of the logarithm of the bitrate over the quality, by monotone cubic
interpolation, in the range that the noisy clip's own encodes cover, from the second highest CRF to their best, as far
as the other curve goes; for SSIM on the scale of decibels, -10 log10(1 - SSIM). An encode that is larger than another
one and no better is left out, because nobody would choose it.

Our filter is used at its three named strengths, each the same for all clips. FFmpeg's are used at their defaults and at
four strengths proportional to the noise, of which the best is taken for every single figure. All encoders and filters
run in one thread, so that with the same FFmpeg the figures, but those of speed, are the same in every run.
"""

import argparse
import json
import math
import re
import statistics
import subprocess
import sys
import tempfile
import time
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import vapoursynth as vs
from numpy.typing import NDArray
from scipy.interpolate import PchipInterpolator

import vs_vdiff
from vs_vdiff import ffmpeg

from .settings import clips_folder

core = vs.core
THREADS = 2
FRAMES = 48
SIGMAS = (4.0, 8.0)
MODEL = "vmaf_v0.6.1"
SPEED_ROUNDS = 5

type Clip = vs.VideoNode
type Real = NDArray[np.float64]
type Metric = Literal["vmaf", "ssim"]
METRICS: tuple[Metric, Metric] = ("vmaf", "ssim")


# What is encoded


@dataclass(frozen=True)
class Excerpt:
    """Frames of a clip.

    Attributes:
        name: The clip's file, without its suffix.
        first: Its first frame, not counting those left out.
        repeats: Frames left out, because they repeat the one before; the noise of a camera would not repeat.
        size: What it is scaled to, where encoding would take too long.
    """

    name: str
    first: int
    repeats: Sequence[int] = ()
    size: tuple[int, int] | None = None

    def clip(self) -> Clip:
        """Decodes."""
        clip = core.bs.VideoSource(f"{clips_folder()}/{self.name}.mp4", cachemode=0, showprogress=False)
        clip = core.std.DeleteFrames(clip, list(self.repeats)) if self.repeats else clip
        clip = clip[self.first :][:FRAMES]
        return core.resize.Spline36(clip, *self.size) if self.size else clip


EXCERPTS = (
    Excerpt("carphone_pristine", 30),
    Excerpt("bikes", 160),  # a cut at 187
    Excerpt("bigbuckbunny", 8, repeats=(32, 57), size=(640, 360)),
)


def noisy(clip: Clip, name: str, sigma: float) -> Clip:
    """The clip with noise that is the same in every run, in 8 bits."""
    if not sigma:
        return clip
    random = np.random.default_rng([zlib.crc32(name.encode()), round(1000 * sigma)])
    planes = [plane + random.normal(0, sigma, plane.shape) for plane in vs_vdiff.to_numpy(clip)]
    rounded = [np.clip(np.rint(plane), 0, 255).astype(np.uint8) for plane in planes]
    return vs_vdiff.from_numpy(rounded, clip.format, clip.fps)


# How it is encoded


@dataclass(frozen=True)
class Encoder:
    """An encoder of FFmpeg's.

    Attributes:
        name: Its name.
        options: What it is called with, apart from the CRF.
        suffix: Of its elementary stream.
        crfs: What it is measured at, in ascending order.
    """

    name: str
    options: str
    suffix: str
    crfs: Sequence[int]


USUAL_CRF = 23
"""What x264 takes where none is given."""

# The comments that x264 and x265 write into the stream are as long as a second of a small clip at a low bitrate.
X264 = Encoder(
    "x264",
    "-c:v libx264 -preset medium -threads 1 -bsf:v filter_units=remove_types=6",
    "h264",
    range(17, 36, 3),
)
X265 = Encoder(
    "x265",
    "-c:v libx265 -preset medium -x265-params pools=1:frame-threads=1:log-level=none "
    "-bsf:v filter_units=remove_types=39-40",
    "hevc",
    range(20, 39, 3),
)
SVT_AV1 = Encoder("SVT-AV1", "-c:v libsvtav1 -preset 6 -svtav1-params lp=1", "obu", range(23, 60, 6))


@dataclass(frozen=True)
class Setting:
    """What is done to a clip before the encoder has it, or by an option of the encoder: nothing, unless more is said.

    Attributes:
        strength: Of `vs_vdiff.denoise`.
        chain: FFmpeg's filters.
        options: Of the encoder.
    """

    strength: float | None = None
    chain: str = ""
    options: str = ""

    def __str__(self) -> str:
        """Names it in messages."""
        ours = f"vs_vdiff.denoise={self.strength:g}" if self.strength is not None else ""
        return ours or self.chain or self.options or "as it is"


AS_IT_IS = Setting()
OURS = {"light": Setting(0.5), "medium": Setting(1.0), "strong": Setting(1.5)}


@dataclass(frozen=True)
class Peer:
    """A filter of FFmpeg's, or an encoder's option.

    Attributes:
        name: Its name.
        setting: What it is at a strength; its other parameters stand at their defaults.
        default: Its own strength, if it is on by default.
        factors: Strengths to try, for noise of deviation 1.
        timed: The strength at which its speed is measured, if that is measured.
    """

    name: str
    setting: Callable[[float], Setting]
    default: float | None
    factors: Sequence[float]
    timed: float | None

    def tried(self, sigma: float) -> list[Setting]:
        """The settings of which the best counts."""
        tuned = [self.setting(float(f"{factor * sigma:.2g}")) for factor in self.factors]
        return [*self.defaults(), *tuned]

    def defaults(self) -> list[Setting]:
        """The default setting, if there is one."""
        return [] if self.default is None else [self.setting(self.default)]


def atadenoise(a: float) -> Setting:
    """The second threshold is twice the first, as it is by default."""
    return Setting(chain="atadenoise=" + ":".join(f"{plane}a={a:g}:{plane}b={2 * a:g}" for plane in range(3)))


PEERS = (
    # The other strengths follow from the first.
    Peer("`hqdn3d`", lambda s: Setting(chain=f"hqdn3d={s:g}"), 4, (0.5, 0.7, 1, 1.4), 4),
    Peer("`atadenoise`", atadenoise, 0.02, (0.007, 0.01, 0.014, 0.02), 0.04),
    Peer("`vaguedenoiser`", lambda s: Setting(chain=f"vaguedenoiser={s:g}"), 2, (0.5, 0.7, 1, 1.4), 4),
    Peer("`nlmeans`", lambda s: Setting(chain=f"nlmeans={s:g}"), 1, (0.4, 0.5, 0.65, 0.8), 4),
    # By default it does not group blocks. Groups of 8 take fourteen times as long, and leave more noise.
    Peer("`bm3d`", lambda s: Setting(chain=f"bm3d={s:g}"), 1, (2, 2.8, 3.4, 4), 12),
    Peer("x264's own `nr`", lambda s: Setting(options=f"-x264-params nr={s:.0f}"), None, (60, 125, 250), None),
)


# Measurement


@dataclass(frozen=True)
class Point:
    """An encode.

    Attributes:
        crf: The encoder's setting.
        rate: In kbit/s.
        vmaf: Mean over the frames.
        ssim: Of luma, mean over the frames.
    """

    crf: int
    rate: float
    vmaf: float
    ssim: float

    def quality(self, metric: Metric) -> float:
        """On a scale on which equal steps mean something alike."""
        return self.vmaf if metric == "vmaf" else -10 * math.log10(1 - self.ssim)


@dataclass(frozen=True)
class Case:
    """A clip with noise."""

    excerpt: Excerpt
    sigma: float

    def __str__(self) -> str:
        """Heads a column."""
        name = self.excerpt.name.split("_")[0]
        return f"{name}, {self.sigma:g}" if self.sigma else name


def run(folder: Path, *arguments: str) -> str:
    """Runs FFmpeg in a folder, where names need no quotes in its filters; gives its messages."""
    command = [ffmpeg.find(), "-hide_banner", "-nostdin", "-nostats", "-y", *arguments]
    done = subprocess.run(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    if done.returncode:
        sys.exit(f"bench: {' '.join(command)}\n{done.stderr}")
    return done.stderr


def raw(clip: Clip) -> list[str]:
    """FFmpeg's description of the clip as raw video."""
    options = f"-f rawvideo -pix_fmt yuv420p -s {clip.width}x{clip.height} -framerate {clip.fps} -i"
    return options.split()


def write(clip: Clip, path: Path) -> None:
    """Writes the clip as raw video."""
    with path.open("wb") as file:
        for frame in clip.frames(close=True):
            for plane in frame:
                file.write(np.ascontiguousarray(np.asarray(plane)).data)


@dataclass
class Bench:
    """Encodes and measures, and remembers what it measured.

    Attributes:
        model: Of VMAF.
        known: The encodes of each case, encoder and setting.
    """

    model: str
    known: dict[tuple[Case, str, Setting], list[Point]] = field(default_factory=dict)

    def measure(self, case: Case, encoder: Encoder, settings: Iterable[Setting]) -> None:
        """Measures what is not known yet, one thread to a setting."""
        wanted = [s for s in dict.fromkeys(settings) if (case, encoder.name, s) not in self.known]
        if not wanted:
            return
        clean = case.excerpt.clip()
        clip = noisy(clean, case.excerpt.name, case.sigma)
        with tempfile.TemporaryDirectory() as name, ThreadPoolExecutor(THREADS) as pool:
            folder = Path(name)
            write(clean, folder / "clean.yuv")
            write(clip, folder / "noisy.yuv")

            def encodes(numbered: tuple[int, Setting]) -> list[Point]:
                return self.encodes(folder, clip, encoder, *numbered)

            for setting, points in zip(wanted, pool.map(encodes, enumerate(wanted)), strict=True):
                self.known[case, encoder.name, setting] = points
                figures = ", ".join(f"{p.rate:.0f} {p.vmaf:.1f} {p.ssim:.4f}" for p in points)
                print(f"  {case}, {encoder.name}, {setting}: {figures}", file=sys.stderr, flush=True)

    def encodes(self, folder: Path, clip: Clip, encoder: Encoder, number: int, setting: Setting) -> list[Point]:
        """Filters once, and encodes at each CRF."""
        filtered = folder / f"{number}.yuv"
        if setting.strength is not None:
            write(vs_vdiff.denoise(clip, setting.strength), filtered)
        else:
            chain = f"-filter_threads 1 -vf {setting.chain or 'null'} -f rawvideo"
            run(folder, *raw(clip), "noisy.yuv", *chain.split(), filtered.name)
        points = [self.encode(folder, clip, encoder, crf, setting, filtered.name) for crf in encoder.crfs]
        filtered.unlink()
        return points

    def encode(self, folder: Path, clip: Clip, encoder: Encoder, crf: int, setting: Setting, filtered: str) -> Point:
        """Encodes once, and compares with the clean clip."""
        coded = folder / f"{filtered}.{encoder.suffix}"
        options = f"{encoder.options} {setting.options} -crf {crf}"
        run(folder, *raw(clip), filtered, *options.split(), coded.name)
        # The streams have no time stamps of their own, and a comparison with the frame before would be worth nothing.
        graph = (
            "[0:v]settb=1/25,setpts=N,split[a][b];[1:v]settb=1/25,setpts=N,split[c][d];"
            f"[a][c]libvmaf=log_fmt=json:log_path={coded.name}.json:n_threads=1:model=version={self.model},nullsink;"
            "[b][d]ssim[out]"
        )
        one = ["-threads", "1", "-i", coded.name, *raw(clip), "clean.yuv"]
        said = run(folder, "-filter_complex_threads", "1", *one, "-lavfi", graph, "-map", "[out]", "-f", "null", "-")
        report = json.loads((folder / f"{coded.name}.json").read_text(encoding="utf-8"))
        found = re.search(r"SSIM Y:([\d.]+)", said)
        if len(report["frames"]) != clip.num_frames or not found:
            sys.exit(f"bench: {len(report['frames'])} frames of {clip.num_frames} were compared\n{said}")
        rate = 0.008 * coded.stat().st_size * float(clip.fps) / clip.num_frames
        return Point(crf, rate, report["pooled_metrics"]["vmaf"]["mean"], float(found[1]))

    def points(self, case: Case, setting: Setting, encoder: Encoder = X264) -> list[Point]:
        """The encodes, which must be known."""
        return self.known[case, encoder.name, setting]

    def point(self, case: Case, setting: Setting, crf: int, encoder: Encoder = X264) -> Point:
        """The one of a CRF."""
        return next(point for point in self.points(case, setting, encoder) if point.crf == crf)


# Figures


@dataclass(frozen=True)
class Curve:
    """The encodes that are better than all cheaper ones.

    Attributes:
        quality: In ascending order.
        log_rate: The logarithm of the bitrate, in ascending order.
    """

    quality: Real
    log_rate: Real

    @classmethod
    def of(cls, points: Iterable[Point], metric: Metric) -> "Curve":
        """The curve of some encodes."""
        kept: list[tuple[float, float]] = []
        for point in sorted(points, key=lambda point: point.rate):
            if not kept or point.quality(metric) > kept[-1][0]:
                kept.append((point.quality(metric), math.log(point.rate)))
        quality, log_rate = np.array(kept).T
        return cls(quality, log_rate)

    def mean(self, low: float, high: float) -> float:
        """The mean logarithm of the bitrate between two qualities."""
        return float(PchipInterpolator(self.quality, self.log_rate).integrate(low, high) / (high - low))

    def at(self, quality: float) -> float:
        """The logarithm of the bitrate that a quality takes; NaN where the curve does not reach."""
        return float(PchipInterpolator(self.quality, self.log_rate, extrapolate=False)(quality))

    def reached(self, log_rate: float) -> float:
        """The quality at a bitrate; the highest one where the curve ends below that bitrate."""
        within = min(max(log_rate, self.log_rate[0]), self.log_rate[-1])
        return float(PchipInterpolator(self.log_rate, self.quality)(within))


@dataclass(frozen=True)
class Saving:
    """How much bitrate less, in per cent.

    Attributes:
        percent: The saving; NaN where the two curves share no quality.
        share: How much of the range of the noisy clip's encodes it was measured on.
    """

    percent: float
    share: float

    def __str__(self) -> str:
        """Marks a saving that holds for less than three quarters of the range."""
        return "—" if math.isnan(self.percent) else f"{self.percent:z.0f}{'°' if self.share < 0.75 else ''}"


def percent(log_ratio: float) -> float:
    """A difference of logarithms as a saving."""
    return 100 * (1 - math.exp(log_ratio))


def saving(points: Sequence[Point], plain: Sequence[Point], metric: Metric) -> Saving:
    """The Bjøntegaard delta."""
    curve, reference = Curve.of(points, metric), Curve.of(plain, metric)
    # Not down to the plain clip's highest CRF: the other curve was not measured below its own, where it is better.
    low, high = max(plain[-2].quality(metric), reference.quality[0]), reference.quality[-1]
    shared = max(low, curve.quality[0]), min(high, curve.quality[-1])
    if not shared[0] < shared[1]:
        return Saving(math.nan, 0)
    return Saving(percent(curve.mean(*shared) - reference.mean(*shared)), (shared[1] - shared[0]) / (high - low))


def best(savings: Iterable[Saving]) -> Saving:
    """The one that saves most."""
    return max(savings, key=lambda saving: -math.inf if math.isnan(saving.percent) else saving.percent)


def mean(values: Iterable[float], form: str = "z.0f") -> str:
    """The mean, if every value is known."""
    known = list(values)
    return "—" if not known or any(map(math.isnan, known)) else format(statistics.fmean(known), form)


type Row = tuple[str, Callable[[Case], Sequence[Setting]]]


def rows(defaults: bool) -> list[Row]:
    """Names of what is compared, and the settings of which each figure is the best."""

    def always(*settings: Setting) -> Callable[[Case], Sequence[Setting]]:
        return lambda case: settings

    def tried(peer: Peer) -> Callable[[Case], Sequence[Setting]]:
        return lambda case: peer.tried(case.sigma)

    out: list[Row] = [(f"**`vs_vdiff.denoise`, {name}**", always(setting)) for name, setting in OURS.items()]
    for peer in PEERS:
        if defaults and peer.default is not None:
            out.append((f"{peer.name}, default", always(*peer.defaults())))
        out.append((f"{peer.name}, best of {len(peer.tried(1))}", tried(peer)))
    return out


def table(title: str, header: Sequence[str], lines: Iterable[Sequence[str]]) -> None:
    """Prints a table in Markdown."""
    print(f"\n{title}\n")
    print(f"| {' | '.join(header)} |")
    print(f"|{' --- |' * len(header)}")
    for line in lines:
        print(f"| {' | '.join(line)} |", flush=True)


# Reports


def report_same_crf(bench: Bench, cases: Sequence[Case]) -> None:
    """What a user sees who adds the filter and changes nothing else."""

    def lines() -> Iterator[list[str]]:
        for case in cases:
            plain, ours = (bench.point(case, setting, USUAL_CRF) for setting in (AS_IT_IS, OURS["medium"]))
            figures = [text for p in (plain, ours) for text in (f"{p.rate:.0f}", f"{p.vmaf:.1f}", f"{p.ssim:.3f}")]
            yield [str(case), *figures, f"{100 * (1 - ours.rate / plain.rate):z.0f} %"]

    header = ["clip, noise", "as it is: kbit/s", "VMAF", "SSIM", "denoised: kbit/s", "VMAF", "SSIM", "smaller by"]
    table(f"x264 at CRF {USUAL_CRF}, as it is and after `vs_vdiff.denoise`:", header, lines())


def report_savings(bench: Bench, cases: Sequence[Case], metric: Metric, defaults: bool) -> None:
    """Every filter on every clip."""

    def lines() -> Iterator[list[str]]:
        for name, settings in rows(defaults):
            savings = [
                best(saving(bench.points(case, s), bench.points(case, AS_IT_IS), metric) for s in settings(case))
                for case in cases
            ]
            yield [name, *map(str, savings), mean(saving.percent for saving in savings)]

    header = ["filter", *map(str, cases), "mean"]
    table(f"Bitrate saved at equal {metric.upper()}, x264, in per cent:", header, lines())


def report_levels(bench: Bench, cases: Sequence[Case]) -> None:
    """The saving depends on the quality that is aimed at; and what the same bitrate gives."""
    fixed = X264.crfs[-3]

    def saved(case: Case, settings: Sequence[Setting], crf: int) -> float:
        plain = bench.point(case, AS_IT_IS, crf)
        rates = [Curve.of(bench.points(case, setting), "vmaf").at(plain.vmaf) for setting in settings]
        reached = [rate for rate in rates if not math.isnan(rate)]
        return percent(min(reached) - math.log(plain.rate)) if reached else math.nan

    def gained(case: Case, settings: Sequence[Setting], metric: Metric) -> float:
        plain = bench.point(case, AS_IT_IS, fixed)
        curves = (Curve.of(bench.points(case, setting), metric) for setting in settings)
        quality = max(curve.reached(math.log(plain.rate)) for curve in curves)
        return quality - plain.vmaf if metric == "vmaf" else 1 - 10 ** (-quality / 10) - plain.ssim

    def lines() -> Iterator[list[str]]:
        for name, settings in rows(defaults=False):
            cells = []
            for crf in X264.crfs[1:-1]:
                every = [saved(case, settings(case), crf) for case in cases]
                found = [value for value in every if not math.isnan(value)]
                cells.append(mean(found) + (f" ({len(found)})" if 0 < len(found) < len(every) else ""))
            vmaf, ssim = ([gained(case, settings(case), metric) for case in cases] for metric in METRICS)
            yield [name, *cells, mean(vmaf, "+z.1f"), mean(ssim, "+z.3f")]

    header = ["filter", *(f"as CRF {crf}" for crf in X264.crfs[1:-1]), "VMAF gained", "SSIM gained"]
    title = (
        "Bitrate saved, in per cent, at the VMAF that the noisy clip has at a CRF; and what is gained at the bitrate "
        f"that it has at CRF {fixed}; x264, means over clips and noise:"
    )
    table(title, header, lines())


def report_encoders(bench: Bench, cases: Sequence[Case]) -> None:
    """Other encoders, with our filter and the best of the others."""

    def strongest(case: Case) -> Setting:
        """FFmpeg's filter, and its strength, that saves most with x264."""
        plain = bench.points(case, AS_IT_IS)
        tried = [setting for peer in PEERS if peer.timed is not None for setting in peer.tried(case.sigma)]
        savings = {setting: saving(bench.points(case, setting), plain, "vmaf") for setting in tried}
        winner = best(savings.values())
        return next(setting for setting, found in savings.items() if found is winner)

    chosen: list[tuple[str, Callable[[Case], Setting]]] = [
        ("none", lambda case: AS_IT_IS),
        ("**`vs_vdiff.denoise`, medium**", lambda case: OURS["medium"]),
        ("the best of FFmpeg's filters", strongest),
    ]

    def lines() -> Iterator[list[str]]:
        for encoder in (X264, X265, SVT_AV1):
            for case in cases:
                bench.measure(case, encoder, (setting(case) for _, setting in chosen))
            plain = [bench.points(case, AS_IT_IS, encoder) for case in cases]
            for name, setting in chosen:
                points = [bench.points(case, setting(case), encoder) for case in cases]
                vmaf, ssim = ([saving(*pair, metric) for pair in zip(points, plain, strict=True)] for metric in METRICS)
                means = [mean(found.percent for found in each) for each in (vmaf, ssim)]
                highest = [
                    mean((max(p.vmaf for p in each) for each in points), ".1f"),
                    mean((max(p.ssim for p in each) for each in points), ".3f"),
                ]
                yield [encoder.name, name, *map(str, vmaf), *means, *highest]

    header = ["encoder", "filter", *map(str, cases), "mean", "at equal SSIM", "highest VMAF", "highest SSIM"]
    table(
        "Bitrate saved at equal VMAF by three encoders, in per cent; the mean at equal SSIM; the highest VMAF and SSIM "
        "of all encodes, means:",
        header,
        lines(),
    )


def report_clean(bench: Bench, cases: Sequence[Case]) -> None:
    """Clips as they come."""
    shown = [(f"**`vs_vdiff.denoise`, {name}**", setting) for name, setting in OURS.items()]
    shown += [(f"{peer.name}, default", setting) for peer in PEERS for setting in peer.defaults()]
    for case in cases:
        bench.measure(case, X264, [AS_IT_IS, *(setting for _, setting in shown)])

    def cell(case: Case, setting: Setting) -> str:
        points, plain = (bench.points(case, each) for each in (setting, AS_IT_IS))
        rate, before = (bench.point(case, each, USUAL_CRF).rate for each in (setting, AS_IT_IS))
        equal = [str(saving(points, plain, metric)) for metric in METRICS]
        return ", ".join([f"{100 * (1 - rate / before):z.0f}", *equal])

    title = f"Clips as they come. Bitrate saved, in per cent, at CRF {USUAL_CRF}, at equal VMAF, at equal SSIM; x264:"
    header = ["filter", *map(str, cases)]
    table(title, header, ([name, *(cell(case, s) for case in cases)] for name, s in shown))


def report_speed() -> None:
    """Each filter alone, and the encoder, one after the other in each round."""
    excerpt = next(excerpt for excerpt in EXCERPTS if excerpt.size)
    clip = noisy(Excerpt(excerpt.name, excerpt.first, excerpt.repeats).clip(), excerpt.name, SIGMAS[0])
    core.num_threads = THREADS

    def ours() -> float:
        start = time.perf_counter()
        for _ in vs_vdiff.denoise(clip).frames(close=True):
            pass
        return float(clip.num_frames / (time.perf_counter() - start))

    def seconds(folder: Path, options: str, frames: int) -> float:
        loop = ["-filter_threads", str(THREADS), "-stream_loop", "-1", *raw(clip), "clip.yuv"]
        start = time.perf_counter()
        run(folder, *loop, *options.split(), "-frames:v", str(frames), "-f", "null", "-")
        return time.perf_counter() - start

    def theirs(folder: Path, options: str, frames: int) -> float:
        return frames / (seconds(folder, options, frames) - seconds(folder, "-vf null", frames))

    memory = "/dev/shm" if Path("/dev/shm").is_dir() else None
    with tempfile.TemporaryDirectory(dir=memory) as name:
        folder = Path(name)
        write(clip, folder / "clip.yuv")
        measured: dict[str, Callable[[], float]] = {"**`vs_vdiff.denoise`**": ours}
        for peer in PEERS:
            if peer.timed is not None:
                options = f"-vf {peer.setting(peer.timed).chain}"
                # As many frames as take a second or so.
                frames = max(8, round(1.5 * theirs(folder, options, 8)))
                measured[peer.name] = lambda o=options, n=frames: theirs(folder, o, n)  # type: ignore[misc]
        x264 = f"-c:v libx264 -preset medium -threads {THREADS} -crf {USUAL_CRF}"
        measured["x264, preset medium, alone"] = lambda: theirs(folder, x264, FRAMES)
        rounds = [[measure() for measure in measured.values()] for _ in range(SPEED_ROUNDS)]
    columns = list(zip(*rounds, strict=True))
    rate = [statistics.median(column) for column in columns]
    ratio = [statistics.median(b / a for a, b in zip(columns[0], column, strict=True)) for column in columns]
    table(
        f"Speed, {clip.width}x{clip.height}, {THREADS} threads, median of {SPEED_ROUNDS} rounds:",
        ["filter", "frames a second", "beside ours"],
        ([name, f"{f:.3g}", f"{r:.2g}"] for name, f, r in zip(measured, rate, ratio, strict=True)),
    )


PARTS = ("savings", "encoders", "clean", "speed")


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures, prints tables in Markdown."""
    parser = argparse.ArgumentParser(
        prog="scripts/bench encoding", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    names = [excerpt.name for excerpt in EXCERPTS]
    parser.add_argument("--clips", nargs="+", choices=names, default=names, metavar="CLIP", help=", ".join(names))
    parser.add_argument("--sigmas", nargs="+", type=float, default=SIGMAS, metavar="SIGMA")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS, metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--model", default=MODEL, help=f"of VMAF: {MODEL}, {MODEL}neg, ... (default %(default)s)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="all encodes")
    options = parser.parse_args(arguments)
    core.num_threads = THREADS
    excerpts = [excerpt for excerpt in EXCERPTS if excerpt.name in options.clips]
    cases = [Case(excerpt, sigma) for excerpt in excerpts for sigma in options.sigmas]
    bench = Bench(options.model)
    if {"savings", "encoders"} & set(options.parts):
        for case in cases:
            tried = [setting for _, settings in rows(defaults=True) for setting in settings(case)]
            bench.measure(case, X264, [AS_IT_IS, *tried])
    if "savings" in options.parts:
        report_same_crf(bench, cases)
        report_levels(bench, cases)
        report_savings(bench, cases, "vmaf", defaults=True)
        report_savings(bench, cases, "ssim", defaults=False)
    if "encoders" in options.parts:
        report_encoders(bench, cases)
    if "clean" in options.parts:
        report_clean(bench, [Case(excerpt, 0) for excerpt in excerpts])
    if "speed" in options.parts:
        report_speed()
    if options.json:
        records: list[dict[str, Any]] = [
            {"case": str(case), "encoder": encoder, "setting": str(setting), "points": [vars(p) for p in points]}
            for (case, encoder, setting), points in bench.known.items()
        ]
        options.json.write_text(json.dumps(records, indent=1) + "\n", encoding="utf-8")
