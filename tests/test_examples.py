"""The kernels in scripts/examples: each script as its docstring says it is run, each kernel against its formula."""

from __future__ import annotations

import ast
import os
import re
import runpy
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import vapoursynth as vs

from reference import Real, gallery
from reference.diffblend import lagged
from support import (
    FORMATS,
    Video,
    assert_same,
    assert_stored,
    make_clip,
    random_frames,
    read,
    read_frame,
    seeded,
    stack,
    uncached,
)

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "scripts" / "examples"
SIZES = ((64, 48), (17, 9), (1, 1), (33, 4))
NOISE = 2.0**-21
"""Of float32 arithmetic, in parts of the largest value: a few roundings of 2^-24."""
NEAR = 2.0**-20
"""Of a threshold, within which rounding decides on which side a difference is."""

Params = Sequence[float]
Reference = Callable[[Sequence[Real], Params, float], Real]


@dataclass(frozen=True)
class Example:
    """A kernel of the gallery.

    Attributes:
        reference: Its formula.
        lags: The frames that it reads.
        params: Its parameters for each plane.
        edges: Place of the parameter that is a threshold where the outcome jumps.
    """

    reference: Reference
    lags: tuple[int, ...]
    params: tuple[Params, Params, Params]
    edges: int | None = None

    def accepted(self, sources: Sequence[Real], plane: int, unit: float) -> Real:
        """Outcomes on a plane, with alternatives in front where rounding may decide between them."""
        params = self.params[plane]
        if self.edges is None:
            return self.reference(sources, params, unit)[None]
        around = [[*params] for _ in range(2)]
        around[0][self.edges] *= 1.0 - NEAR
        around[1][self.edges] *= 1.0 + NEAR
        return np.stack([self.reference(sources, one, unit) for one in around])

    def apply(self, kernel: Any, clip: Any, **more: Any) -> Any:
        """The kernel on a clip."""
        return kernel(clip, lags=self.lags, params=self.params[: clip.format.num_planes], **more)


TAPS = (0.0, 0.0, 0.5, 3.0, -2.0, 0.4, -5.0, 1.0, -0.3, 40.0, -90.0, 0.3, -200.0, 0.0, 0.1)
EXAMPLES = {
    "spread": Example(gallery.spread, (1,), (TAPS, (*TAPS[::-1][1:], 0.2), (2.0, 3.0, 1.0) * 5)),
    "heat": Example(gallery.heat, (0,), ((0.25,), (0.2,), (-0.1,))),
    "motion_blend": Example(gallery.motion_blend, (0, 1), ((20.0,), (60.0,), (0.0,)), edges=0),
    "diffblend": Example(gallery.diffblend, (0, 1), ((1.7, 3.0, 40.0), (-0.5, 0.0, 255.0), (0.4, 30.0, 1000.0))),
    "change_mask": Example(gallery.change_mask, (0, -2), ((20.0,), (60.0,), (0.0,)), edges=0),
    "echo": Example(gallery.echo, (0, 2, 4), ((0.5, 0.3, 0.2), (1.0, 0.5, 0.25), (0.2, -0.3, 1.1))),
    "false_colour": Example(gallery.false_colour, (0, 1), ((0.6, 8.0, 0.0), (0.8, 3.0, 1.0), (0.6, 0.5, 8.0))),
}
every_example = pytest.mark.parametrize("name", EXAMPLES)


def script(name: str) -> Path:
    """The file of a kernel."""
    return FOLDER / f"{name}.vpy"


@pytest.fixture
def run_script(core: Any, clips: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], dict[str, Any]]]:
    """Runs a script of the gallery on a real clip; gives its names, the kernel among them."""
    monkeypatch.chdir(ROOT)  # by the name that vspipe is told, so that what is compiled here is found there

    def run(name: str) -> dict[str, Any]:
        file = script(name).relative_to(ROOT)
        return runpy.run_path(
            str(file), init_globals={"source": str((clips / "bikes.mp4").absolute())}, run_name="__vapoursynth__"
        )

    yield run
    vs.clear_outputs()


# The kernels


@every_example
def test_kernel_is_its_formula(name: str, run_script: Callable[[str], dict[str, Any]], seed: int) -> None:
    kernel, example = run_script(name)[name], EXAMPLES[name]
    for format in FORMATS:
        for size in SIZES:
            video = Video(format, *size)
            frames = random_frames(seeded(seed, name, format, size), video, 6)
            if name == "change_mask":
                check_mask(kernel, video, frames)
            else:
                check(kernel, example, video, frames)


def check(kernel: Any, example: Example, video: Video, frames: Any) -> None:
    """A kernel against its formula on every plane, with a cut."""
    result = read(example.apply(kernel, make_clip(video, frames, starts=(3,))))
    for p in video.planes:
        samples, x = video.samples(p), stack(frames, p)
        sources = [x[[lagged(n, lag, len(x), (3,)) for n in range(len(x))]] for lag in example.lags]
        accepted = example.accepted(sources, p, samples.unit)
        noise = NOISE * max(samples.peak, float(np.abs(x).max())) * sum(map(abs, (1.0, *example.params[p][2::3])))
        stored = np.stack([frame[p] for frame in result])
        assert_stored(stored, accepted, samples, noise, f"{video} plane {p} (frame, y, x)")


def check_mask(kernel: Any, video: Video, frames: Any) -> None:
    """The same for masks of other formats than the clip's."""
    example, clip = EXAMPLES["change_mask"], make_clip(video, frames, starts=(3,))
    for sample_type, bits in ((vs.INTEGER, 8), (vs.INTEGER, 12), (vs.FLOAT, 32)):
        fmt = vs.core.query_video_format(
            video.format.color_family, sample_type, bits, video.format.subsampling_w, video.format.subsampling_h
        )
        mask = example.apply(kernel, clip, format=fmt.id)
        assert mask.format.id == fmt.id
        result = read(mask)
        for p in video.planes:
            x = stack(frames, p)
            r = x[[lagged(n, example.lags[1], len(x), (3,)) for n in range(len(x))]]
            peak = 1.0 if sample_type == vs.FLOAT else 2.0**bits - 1.0
            threshold = [number * video.samples(p).unit for number in example.params[p]]
            scaled = Example(example.reference, example.lags, (threshold,) * 3, example.edges)
            accepted = scaled.accepted([x, r], p, peak)
            assert (stack(result, p) == accepted).any(0).all(), f"{video} plane {p} to {fmt.name}"


def test_diffblend_is_the_filter(run_script: Callable[[str], dict[str, Any]], seed: int) -> None:
    """To within a code value; float to within rounding of the largest value."""
    kernel, example = run_script("diffblend")["diffblend"], EXAMPLES["diffblend"]
    for format in FORMATS:
        video = Video(format, 67, 21)
        clip = make_clip(video, random_frames(seeded(seed, format), video, 5), starts=(2,))
        alpha, threshold, limit = map(list, zip(*example.params[: len(video.planes)], strict=True))
        ours = read(example.apply(kernel, clip))
        theirs = read(vs.core.vdiff.DiffBlend(clip, alpha=alpha, threshold=threshold, limit=limit))
        for p in video.planes:
            a, b = stack(ours, p), stack(theirs, p)
            step = 1.0
            if video.samples(p).is_float:
                step = float(np.abs(b).max()) * (2.0**-10 if video.format.bits_per_sample == 16 else NOISE)
            assert np.abs(a - b).max() <= step, f"{format} plane {p}"


@every_example
def test_order_and_threads(
    name: str, run_script: Callable[[str], dict[str, Any]], rng: np.random.Generator, threads: Any
) -> None:
    """The same bytes, requested at random, and several at a time."""
    video = Video("YUV420P8", 70, 22)
    clip = make_clip(video, random_frames(rng, video, 20), starts=(7,))
    out = uncached(EXAMPLES[name].apply(run_script(name)[name], clip))
    linear = [read_frame(out, n) for n in range(20)]
    order = [int(n) for n in rng.integers(0, 20, 30)]
    assert_same([read_frame(out, n) for n in order], [linear[n] for n in order], "at random")
    for count in (1, 4):
        threads.num_threads = count
        assert_same(read(out, ahead=8), linear, f"{count} threads")


# The scripts


def test_every_file_is_tested() -> None:
    assert {file.name for file in FOLDER.glob("*.vpy")} == {f"{name}.vpy" for name in EXAMPLES}


def printed_command(name: str) -> str:
    """The command line in a script's docstring, up to the pipe."""
    docstring = ast.get_docstring(ast.parse(script(name).read_text(encoding="utf-8")))
    assert docstring
    (line,) = re.findall(r"^ +(vspipe .* -) \| ffplay -$", docstring, re.MULTILINE)
    return str(line)


@every_example
def test_script_runs_as_it_says(name: str, clips: Path, tmp_path: Path) -> None:
    """In a folder like the project's that holds the clip; three frames, to be quick."""
    shutil.copy(clips / "bikes.mp4", tmp_path / "in.mp4")
    shutil.copytree(FOLDER, tmp_path / "scripts" / "examples")
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        f"{printed_command(name)} -s 20 -e 22",
        shell=True, cwd=tmp_path, env=os.environ | {"PATH": path}, capture_output=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr.decode(errors="replace")
    header, frames = done.stdout.split(b"\n", 1)
    assert header.startswith(b"YUV4MPEG2 ") and b" W640 H272 " in header
    size = len(frames) // 3
    assert len(frames) == 3 * size and size >= 640 * 272
    assert all(frames[n * size :].startswith(b"FRAME\n") for n in range(3))


def earlier(clip: Any, lag: int) -> Any:
    """The clip `lag` frames later, its first frame held."""
    return clip[0] * lag + clip[:-lag]


def echo_by_expression(clip: Any) -> Any:
    """What the script echo.vpy makes, by the host's own filter."""
    return vs.core.std.Expr([clip, earlier(clip, 4), earlier(clip, 8)], "x 0.5 * y 0.3 * + z 0.2 * +")


def colours_by_expression(clip: Any) -> Any:
    """And false_colour.vpy, in RGB."""
    luma = vs.core.std.ShufflePlanes(clip, 0, vs.GRAY)
    factors = ((0.8, 3, 0), (0.8, 1, 0), (0.8, 0, 3))
    planes = [
        vs.core.std.Expr([luma, earlier(luma, 1)], f"x {grey} * x y - 0 max {up} * + y x - 0 max {down} * +")
        for grey, up, down in factors
    ]
    return vs.core.std.ShufflePlanes(planes, [0, 0, 0], vs.RGB)


PEERS: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "spread": (
        "clip",
        lambda clip: vs.core.vdiff.Spread(clip, [0, 8, 16, 24], [0, 2, 4, 6], [0.4, 0.3, 0.2, 0.1], scenechange=0),
    ),
    "heat": (
        "clip",
        lambda clip: vs.core.vdiff.Diffuse(
            vs.core.resize.Point(clip, format=vs.YUV420P16), time=2, diffusivity="linear", scheme="explicit", steps=10
        ),
    ),
    "motion_blend": (
        "clip",
        lambda clip: vs.core.std.Expr([clip, earlier(clip, 1)], "x y - abs 6 <= x y + 2 / x ?"),
    ),
    "diffblend": ("clip", lambda clip: vs.core.vdiff.DiffBlend(clip, alpha=2, threshold=2)),
    "change_mask": (
        "mask",
        lambda clip: vs.core.vdiff.ChangeMap(vs.core.std.ShufflePlanes(clip, 0, vs.GRAY), threshold=12),
    ),
    "echo": ("clip", echo_by_expression),
    "false_colour": ("rgb", colours_by_expression),
}
"""What each script makes, and another filter that makes the same, of the decoded clip."""


@every_example
def test_script_makes_what_another_filter_makes(
    name: str, run_script: Callable[[str], dict[str, Any]], core: Any, clips: Path
) -> None:
    """A few frames of the real clip, to within rounding: one code value, or one for each of heat's ten steps."""
    made, peer = PEERS[name]
    space = run_script(name)
    output = vs.get_output(0).clip
    assert output.num_frames == 250
    other = peer(core.bs.VideoSource(str(clips / "bikes.mp4"), cachemode=0))
    for n in (0, 1, 40, 249):
        output.get_frame(n).close()
        for ours, theirs in zip(read_frame(space[made], n), read_frame(other, n), strict=True):
            assert np.abs(ours.astype(int) - theirs).max() <= (10 if name == "heat" else 1)
