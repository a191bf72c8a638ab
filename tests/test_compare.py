"""`vdiff compare`: the sheet to the pixel, its labels and its curve, and everything that can go wrong around it."""

import os
import re
import signal
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import click
import numpy as np
import pytest
import vapoursynth as vs
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

from command_support import (
    Result,
    decode,
    evaluated,
    names,
    on_terminal,
    refused,
    script,
    start,
    vdiff,
    wait_for,
    without,
)
from support import Video, make_clip, random_frames
from vs_vdiff import sheet, trails
from vs_vdiff.commands.compare import compare, make_curve
from vs_vdiff.errors import CommandError
from vs_vdiff.progress import make_reporter

Pixels = NDArray[np.uint8]
Picture = NDArray[np.floating[Any]]

BT709, BT601, BT2020 = 1, 6, 9
BACKGROUND = np.round(np.array(to_rgb(sheet.BACKGROUND)) * 255).astype(np.uint8)
RATE = re.compile(r"vdiff: (\d+)/(\d+) frames, [\d.]+ fps, \d+:\d\d:\d\d left")
CUT = "a = core.std.BlankClip(width=64, height=64, format=vs.GRAY8, length=20)\n"
CUT += "(a + core.std.BlankClip(a, color=235)).set_output()"
FAILS = """
clip = core.std.BlankClip(width=64, height=64, format=vs.GRAY8, length=50)
def fail(n, f):
    if n == 20:
        raise ValueError('broken on purpose')
    return f
clip.std.ModifyFrame(clip, fail).set_output()
"""


# The sheet


def compare_here(*arguments: object, encoder: Sequence[str] = ()) -> None:
    """Run the command in this process, for what another one proves no better. Nothing may warn: that would be shown."""
    with warnings.catch_warnings():
        for kind in (RuntimeWarning, UserWarning):
            warnings.simplefilter("error", kind)
        compare.main([*map(str, arguments), "-q"], obj=[*encoder], standalone_mode=False)


def compare_well(*arguments: object, folder: Path, env: dict[str, str] | None = None) -> Result:
    """Run the installed command and expect it to succeed."""
    result = vdiff("compare", *arguments, folder=folder, env=env)
    assert result.returncode == 0, result.stderr
    assert result.stdout == ""
    return result


def opened(path: Path) -> Pixels:
    """Open a sheet, which has nothing that shows through."""
    with Image.open(path) as image:
        image.load()
        assert image.getchannel("A").getextrema() == (255, 255) if "A" in image.getbands() else True
        return np.array(image.convert("RGB"))


@dataclass(frozen=True)
class Layout:
    """Where the pictures are in a sheet, of a size and so many rows of three."""

    width: int
    height: int
    rows: int = 1
    curve: bool = False

    @property
    def zoom(self) -> int:
        return max(1, min(-(-sheet.NARROWEST // self.width), sheet.TALLEST // self.height))

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the sheet."""
        height = self.rows * (self.zoom * self.height + sheet.BAND + sheet.GAP) + sheet.GAP
        width = 3 * (self.zoom * self.width + sheet.GAP) + sheet.GAP
        return height + sheet.CURVE * self.curve, max(width, sheet.NARROWEST)

    def corner(self, row: int, column: int) -> tuple[int, int]:
        """Top and left of the band over a picture."""
        down, across = self.zoom * self.height + sheet.BAND + sheet.GAP, self.zoom * self.width + sheet.GAP
        return sheet.GAP + row * down, sheet.GAP + column * across

    def band(self, image: Pixels, row: int, column: int) -> Pixels:
        """What stands above a picture."""
        top, left = self.corner(row, column)
        return image[top : top + sheet.BAND, left : left + self.zoom * self.width]

    def panel(self, image: Pixels, row: int, column: int) -> Pixels:
        """A picture, no more enlarged."""
        top, left = self.corner(row, column)
        top += sheet.BAND
        large = image[top : top + self.zoom * self.height, left : left + self.zoom * self.width]
        small = large[:: self.zoom, :: self.zoom]
        assert np.array_equal(large, small.repeat(self.zoom, 0).repeat(self.zoom, 1))
        return small

    def check_frame(self, image: Pixels) -> None:
        """The sheet has its size, and nothing stands between bands, pictures and curve."""
        assert image.shape == (*self.size, 3)
        left = image.copy()
        for row in range(self.rows):
            for column in range(3):
                for part in (self.band(left, row, column), self.whole(left, row, column)):
                    part[...] = BACKGROUND
        if self.curve:
            left[-sheet.CURVE :] = BACKGROUND
        assert np.all(left == BACKGROUND)

    def whole(self, image: Pixels, row: int, column: int) -> Pixels:
        """A picture as it is in the sheet."""
        top, left = self.corner(row, column)
        top += sheet.BAND
        return image[top : top + self.zoom * self.height, left : left + self.zoom * self.width]


def in_rgb(clip: vs.VideoNode, n: int, matrix: int = BT601) -> Picture:
    """A frame in RGB on the 8-bit scale, not rounded: GRAY by its definition, the rest by VapourSynth."""
    video = clip.format
    frame = clip[n].std.RemoveFrameProps(["_FieldBased", "_Matrix"])
    if video.color_family == vs.GRAY:
        plane = np.asarray(frame.get_frame(0)[0]).astype(np.float64)
        if video.sample_type == vs.FLOAT:
            low, span = 0.0, 1.0
        elif frame.get_frame(0).props.get("_Range") == vs.RANGE_FULL:
            low, span = 0.0, 2.0**video.bits_per_sample - 1
        else:
            step = 2.0 ** (video.bits_per_sample - 8)
            low, span = 16 * step, 219 * step
        return np.stack([(plane - low) / span * 255] * 3, axis=-1)
    options = {"matrix_in": matrix} if video.color_family == vs.YUV else {}
    planes = frame.resize.Bicubic(format=vs.RGBS, **options).get_frame(0)
    return np.stack([np.asarray(planes[p]).astype(np.float64) * 255 for p in range(3)], axis=-1)


def assert_shows(actual: Pixels, exact: Picture, noise: float = 1e-3) -> None:
    """A picture shows values: rounded, and cut off where 8 bits end."""
    assert actual.shape == exact.shape
    excess = np.abs(actual - np.clip(exact, 0, 255)) - 0.5
    assert excess.max() <= noise, np.unravel_index(np.argmax(excess), excess.shape)


def check_sheet(
    image: Pixels, before: Picture, afters: Sequence[Picture], gain: float = 8, *, curve: bool = False
) -> Layout:
    """The sheet shows these pictures, and their differences."""
    layout = Layout(before.shape[1], before.shape[0], len(afters), curve)
    layout.check_frame(image)
    for row, after in enumerate(afters):
        assert_shows(layout.panel(image, row, 0), before)
        assert_shows(layout.panel(image, row, 1), after)
        assert_shows(layout.panel(image, row, 2), 128 + gain * (after - before))
        for column in range(3):
            assert np.any(layout.band(image, row, column) != BACKGROUND)
    return layout


def test_real_clip(folder: Path) -> None:
    """Two chains after a preset, a frame and a gain of one's own, and the curve; plain lines tell how far it is."""
    chains = ("--preset", "trails", "--vf", "diffuse=time=4:k=4", "--vf", "diffblend=alpha=-0.5,diffuse=k=9|5")
    result = compare_well("in.mp4", *chains, "--frame", 20, "--amplify", 2.5, "--curve", "-o", "cmp.png", folder=folder)
    assert names(folder) == {"in.mp4", "cmp.png"}
    told = [RATE.fullmatch(line) for line in result.stderr.splitlines()]
    assert [line and (line[1], line[2]) for line in told] == [(str(n), "120") for n in range(12, 121, 12)]
    clip = decode(folder / "in.mp4")
    first = trails(clip).vdiff.Diffuse(time=4, k=4)
    second = trails(clip).vdiff.DiffBlend(alpha=-0.5).vdiff.Diffuse(k=[9, 5])
    before, afters = in_rgb(clip, 20), [in_rgb(first, 20), in_rgb(second, 20)]
    image = opened(folder / "cmp.png")
    layout = check_sheet(image, before, afters, 2.5, curve=True)
    assert np.array_equal(layout.panel(image, 0, 0), np.rint(np.clip(before, 0, 255)).astype(np.uint8))
    assert np.array_equal(layout.band(image, 0, 0), layout.band(image, 1, 0))
    for column in (1, 2):
        assert not np.array_equal(layout.band(image, 0, column), layout.band(image, 1, column))
    assert np.abs(afters[0] - before).mean() > 0.5


def test_options_that_are_left_out(folder: Path) -> None:
    """The middle frame, eight times the difference, no curve; and a word from nobody."""
    result = compare_well("in.mp4", "--preset", "trails", "-q", "-o", "cmp.png", folder=folder)
    assert result.stderr == ""
    clip = decode(folder / "in.mp4")
    check_sheet(opened(folder / "cmp.png"), in_rgb(clip, 60), [in_rgb(trails(clip), 60)])


def painted(video: str, width: int, height: int, **props: int) -> str:
    """Write a script of three frames of noise, as every conversion shows it in its own way."""
    return f"""
import numpy as np
clip = core.std.BlankClip(width={width}, height={height}, format=vs.{video}, length=3).std.SetFrameProps(**{props})
def paint(n, f):
    out = f.copy()
    for p in range(f.format.num_planes):
        plane = np.asarray(out[p])
        rng = np.random.default_rng([n, p])
        if f.format.sample_type == vs.FLOAT:
            rest = 0.5 * (p > 0 and f.format.color_family == vs.YUV)
            plane[...] = rng.uniform(-0.1, 1.1, plane.shape) - rest
        else:
            plane[...] = rng.integers(0, 2**f.format.bits_per_sample, plane.shape)
    return out
clip.std.ModifyFrame(clip, paint).set_output()
"""


@pytest.mark.parametrize(
    ("video", "size", "props", "matrix"),
    [
        ("GRAY8", (64, 48), {}, 0),
        ("GRAY8", (37, 23), {"_Range": 1}, 0),
        ("GRAY16", (37, 23), {"_Range": 0, "_FieldBased": 1}, 0),
        ("GRAYS", (400, 9), {}, 0),
        ("YUV420P8", (66, 50), {"_FieldBased": 2}, BT601),
        ("YUV420P10", (322, 30), {"_Range": 0, "_Matrix": BT709}, BT709),
        ("YUV422P16", (38, 23), {"_Matrix": BT2020, "_FieldBased": 1}, BT2020),
        ("YUV444PS", (37, 23), {"_Matrix": 2}, BT601),
        ("YUV444P8", (320, 719), {}, BT601),
        ("YUV444P8", (320, 720), {}, BT709),
        ("YUV444P8", (64, 48), {"_Matrix": 0}, BT601),
        ("RGB24", (31, 21), {}, 0),
        ("RGB24", (31, 21), {"_Matrix": BT709}, 0),
        ("RGB48", (8, 8), {"_Range": 1, "_Matrix": 0}, 0),
        ("RGBH", (33, 17), {}, 0),
        ("GRAY8", (1, 1), {}, 0),
        ("YUV444P10", (1, 1), {}, BT601),
        ("GRAYH", (3, 1), {}, 0),
    ],
)
def test_formats(folder: Path, video: str, size: tuple[int, int], props: dict[str, int], matrix: int) -> None:
    """Any format and size, an unknown matrix as players take it, and what RGB and YUV kept of each other."""
    path = script(folder, painted(video, *size, **props))
    compare_here(path, "--vf", "diffuse=time=1:k=20", "-o", folder / "cmp.png")
    clip = evaluated(path)
    after = clip.vdiff.Diffuse(time=1, k=20)
    check_sheet(opened(folder / "cmp.png"), in_rgb(clip, 1, matrix), [in_rgb(after, 1, matrix)])


@pytest.mark.parametrize("crop", [(40, 30, 100, 50), (176, 144, 0, 0), (1, 1, 175, 143), (100, 1, 0, 0)])
def test_crop(folder: Path, crop: tuple[int, int, int, int]) -> None:
    """A part, enlarged to the width that labels need; numbers are those of the part."""
    clip = decode(folder / "in.mp4")
    width, height, x, y = crop
    part = (slice(y, y + height), slice(x, x + width))
    options = ("--vf", "diffuse", "--frame", 0, "--crop", ":".join(map(str, crop)), "--amplify", 0.5)
    compare_here(folder / "in.mp4", *options, "-o", folder / "cmp.png")
    before, after = in_rgb(clip, 0)[part], in_rgb(clip.vdiff.Diffuse(), 0)[part]
    layout = check_sheet(opened(folder / "cmp.png"), before, [after], 0.5)
    assert (layout.width, layout.height) == (width, height)


def test_other_format_after_the_chain(folder: Path) -> None:
    """What the filters make may be of another format and length, if it has the size."""
    chain = "resize.Bicubic=format=3000:matrix_in=6,std.Trim=last=30"
    assert int(vs.GRAY8) != 3000
    chain = chain.replace("3000", str(int(vs.RGB48)))
    compare_here(folder / "in.mp4", "--vf", chain, "--frame", 30, "--curve", "-o", folder / "cmp.png")
    clip = decode(folder / "in.mp4")
    after = clip.resize.Bicubic(format=vs.RGB48, matrix_in=6)
    check_sheet(opened(folder / "cmp.png"), in_rgb(clip, 30), [in_rgb(after, 30)], curve=True)


def test_difference(rng: np.random.Generator) -> None:
    """Its label has the mean and the largest change, of values that nothing was rounded or cut off of."""
    before = rng.uniform(-30, 300, (9, 7, 3)).astype(np.float32)
    after = before + rng.uniform(-2, 3, before.shape).astype(np.float32)
    panel = sheet.difference(before, after, 2.5)
    sizes = np.abs(after.astype(float) - before)
    assert panel.label == f"difference ×2.5: mean {sizes.mean():.2f}, at most {sizes.max():.0f}"
    assert_shows(panel.pixels, 128 + 2.5 * (after.astype(float) - before))


@pytest.mark.parametrize(("suffix", "kind"), [(".jpg", "JPEG"), (".JPEG", "JPEG"), (".webp", "WEBP"), (".PNG", "PNG")])
def test_kinds_of_files(folder: Path, suffix: str, kind: str) -> None:
    """All of one size, and alike but for what compression costs."""
    path = script(folder, "core.std.BlankClip(width=320, height=80, color=[190, 40, 90], length=2).set_output()")
    for name in ("cmp.png", f"other{suffix}"):
        compare_here(path, "--vf", "text.Text=text=after", "-o", folder / name)
    with Image.open(folder / f"other{suffix}") as image:
        assert image.format == kind
    exact, other = opened(folder / "cmp.png").astype(float), opened(folder / f"other{suffix}")
    assert exact.shape == other.shape == (*Layout(320, 80).size, 3)
    assert np.abs(exact - other).mean() < (1e-9 if kind == "PNG" else 4)


# Labels


LABELS = {
    "plain": "diffuse=time=4",
    "formula": "text.Text=text=$^$",
    "percent": "text.Text=text=100% _a_ {b}",
    "long": ",".join(f"diffuse=time=1:k={k}" for k in range(1, 20)),
    "wide": "text.Text=text=" + "W" * 400,
    "lines": "text.Text=text=a\nb\nc",
    "tab": "text.Text=text=a\tb",
    "no glyph": "text.Text=text=日本語 🎬",
}


@pytest.mark.parametrize("name", LABELS)
def test_label(folder: Path, name: str) -> None:
    """It stays in its band, whatever is in it; one that is too long is cut off near the end of the panel."""
    path = script(folder, painted("GRAY8", 320, 48))
    compare_here(path, "--vf", LABELS[name], "-o", folder / "cmp.png")
    layout = Layout(320, 48)
    image = opened(folder / "cmp.png")
    layout.check_frame(image)
    ink = np.argwhere(np.any(layout.band(image, 0, 1) != BACKGROUND, axis=-1))
    assert len(ink) > 20
    if name in ("long", "wide"):
        assert ink[:, 1].max() > 280
    clip = evaluated(path)
    assert_shows(layout.panel(image, 0, 0), in_rgb(clip, 1))


def test_labels_differ(folder: Path) -> None:
    """Those of different chains, of the same chain after a preset, and of different frames; the same are the same."""
    path = script(folder, painted("GRAY8", 320, 48))
    rows = ("--vf", "diffuse=k=4", "--vf", "diffuse=k=5", "--vf", "diffuse=k=4")
    layout = Layout(320, 48, 3)
    for target, options in {"a": (), "b": ("--preset", "trails"), "c": ("--frame", "2")}.items():
        compare_here(path, *rows, *options, "-o", folder / f"{target}.png")
    plain, after_preset, later = (opened(folder / f"{target}.png") for target in "abc")
    bands = [layout.band(image, row, 1).tobytes() for image in (plain, after_preset) for row in range(3)]
    assert len(set(bands)) == 4
    assert bands[0] == bands[2]
    assert not np.array_equal(layout.band(plain, 0, 0), layout.band(later, 0, 0))
    assert np.array_equal(layout.band(plain, 0, 1), layout.band(later, 0, 1))


def test_label_of_the_difference_fits(folder: Path) -> None:
    """Above the narrowest picture, the longest of its kind is whole: more room does not make it longer."""
    ends = []
    for width in (sheet.NARROWEST, 2 * sheet.NARROWEST):
        blank = f"core.std.BlankClip(width={width}, height=8, format=vs.GRAY8, length=1, color=16)"
        path = script(folder, f"{blank}.set_output()")
        chain = "std.BinarizeMask=0:0:235"
        compare_here(path, "--vf", chain, "--amplify", "888.88", "-o", folder / "cmp.png", "-y")
        band = Layout(width, 8).band(opened(folder / "cmp.png"), 0, 2)
        ends.append(np.argwhere(np.any(band != BACKGROUND, axis=-1))[:, 1].max())
    assert ends[0] == ends[1]


def test_settings_of_the_user_for_other_pictures(folder: Path) -> None:
    """What matplotlib reads from a file, which also lies in the current folder, does not touch the sheet."""
    settings = ["savefig.bbox: tight", "figure.autolayout: True", "font.size: 30", "font.family: monospace"]
    settings += ["axes.grid: True", "lines.linewidth: 9", "image.origin: lower", "savefig.transparent: True"]
    (folder / "matplotlibrc").write_text("\n".join(settings))
    options = ("--vf", "diffuse", "--curve", "-q")
    compare_here(folder / "in.mp4", *options, "-o", folder / "here.png")
    compare_well("in.mp4", *options, "-o", "there.png", folder=folder)
    assert np.array_equal(opened(folder / "here.png"), opened(folder / "there.png"))


# The curve


def columns_of(image: Pixels, colour: Sequence[int]) -> list[int]:
    """The columns that a vertical line of a colour takes up, dashed or dotted, in the curve's part below its legend."""
    height, width, _ = image.shape
    [axes] = figure_of({"": [0.0, 0.0]}, width, height).axes
    (left, low), (right, middle) = axes.transAxes.transform([(0, 0), (1, 0.5)])
    part = image[height - int(middle) : height - int(low) - 2].astype(float) - BACKGROUND
    direction = np.array(colour, dtype=float) - BACKGROUND
    share = part @ direction / (direction @ direction)
    strange = np.abs(part - share[..., None] * direction).max(axis=-1)
    found = np.flatnonzero(((share > 0.25) & (strange < 12)).mean(axis=0) > 0.4)
    return [int(column) for column in found if left + 2 < column < right - 2]


def figure_of(lines: dict[str, list[float]], width: int, height: int, cuts: Sequence[int] = ()) -> Figure:
    """Draw a curve alone, into a sheet of a size."""
    figure = Figure(figsize=(width / sheet.DPI, height / sheet.DPI), dpi=sheet.DPI)
    sheet.plot(figure, sheet.Curve("a title", lines, [*cuts], 2), width, height)
    return figure


def place(image: Pixels, lines: dict[str, list[float]], frame: int) -> float:
    """The column of a frame, by the axes as they are laid out in a sheet of this size."""
    height, width, _ = image.shape
    [axes] = figure_of(lines, width, height).axes
    return float(axes.transData.transform((frame, 0))[0])


RED, INK = (255, 80, 80), (232, 232, 232)


def assert_at(columns: list[int], wanted: Sequence[float]) -> None:
    """There is a line at each of the places, a pixel or two wide, and none elsewhere."""
    assert {min(range(len(wanted)), key=lambda i: abs(wanted[i] - c - 0.5)) for c in columns} == {*range(len(wanted))}
    for column in columns:
        assert min(abs(column + 0.5 - each) for each in wanted) <= 1.5


@pytest.mark.parametrize(("frame", "chain"), [(5, "std.Levels"), (39, "std.Loop=2"), (11, "std.Trim=last=11")])
def test_cut(folder: Path, frame: int, chain: str) -> None:
    """A line at the first frame of a scene, one at the frame shown; the axis is as long as the longest clip."""
    path = script(folder, CUT)
    compare_here(path, "--vf", chain, "--frame", frame, "--curve", "-o", folder / "cmp.png")
    image = opened(folder / "cmp.png")
    longest = 80 if "Loop" in chain else 40
    lines = {"a": [0.0] * longest}
    assert_at(columns_of(image, RED), [place(image, lines, 20)])
    assert_at(columns_of(image, INK), [place(image, lines, frame)])


def test_real_cuts(clips: Path, tmp_path: Path) -> None:
    """Where `vdiff keyframes` finds them; the rest of the sheet is as without a curve."""
    source = clips / "bikes.mp4"
    compare_well(source, "--vf", "std.Levels", "--frame", 0, "--curve", "-q", "-o", "cmp.png", folder=tmp_path)
    image = opened(tmp_path / "cmp.png")
    assert_at(columns_of(image, RED), [place(image, {"a": [0.0] * 250}, n) for n in (30, 76, 137, 187, 242)])
    compare_here(source, "--vf", "std.Levels", "--frame", 0, "-o", tmp_path / "plain.png")
    assert np.array_equal(opened(tmp_path / "plain.png"), image[: -sheet.CURVE])


def test_no_cut(folder: Path) -> None:
    """Nothing red; but both lines, the chain's in its colour."""
    compare_here(folder / "in.mp4", "--vf", "diffuse=time=50:k=90", "--curve", "-o", folder / "cmp.png")
    image = opened(folder / "cmp.png")
    lowest = image[-sheet.CURVE :].astype(int)
    assert columns_of(image, RED) == []
    assert not np.any((lowest[..., 0] - lowest[..., 1] > 60) & (lowest[..., 0] - lowest[..., 2] > 60))
    for colour in sheet.COLOURS[:2]:
        wanted = np.array(to_rgb(colour)) * 255
        assert (np.abs(lowest - wanted).max(axis=-1) < 20).sum() > 300


@pytest.mark.parametrize("name", ["GRAY8", "YUV420P8", "YUV422P10", "YUV444P16", "RGB24", "GRAYH", "YUV444PS"])
def test_values_of_the_curve(core: Any, rng: np.random.Generator, name: str) -> None:
    """The mean absolute difference of the first plane from frame to frame, across cuts too, on the 8-bit scale."""
    video = Video(name, 38, 22)
    frames = random_frames(rng, video, 7)
    clip = make_clip(video, frames, starts=(3,))
    afters = [("one", clip[:4]), ("two", clip + clip[:2])]
    with make_reporter(quiet=True) as reporter:
        curve = make_curve(clip, afters, 5, reporter)
    planes = [frame[0].astype(np.float64) / video.samples(0).unit for frame in frames]
    expected = [0.0, *(float(np.abs(b - a).mean()) for a, b in pairwise(planes))]
    again = [float(np.abs(planes[0] - planes[6]).mean()), expected[1]]
    wanted = {"before": expected, "one": expected[:4], "two": expected + again}
    assert curve.lines.keys() == wanted.keys()
    for label, values in wanted.items():
        assert curve.lines[label] == pytest.approx(values, rel=1e-4, abs=1e-6)
    assert curve.marked == 5


def test_curve_of_the_clip(folder: Path) -> None:
    """Of decoded frames; and the cuts of a clip that has some, which are not those of what the filters make of it."""
    clip = decode(folder / "in.mp4")[:30]
    with make_reporter(quiet=True) as reporter:
        curve = make_curve(clip, [("flat", clip.std.BlankClip(keep=True))], 0, reporter)
        cut = make_curve(evaluated(script(folder, CUT)), [("flat", clip)], 0, reporter)
    luma = np.stack([np.asarray(frame[0]).astype(float) for frame in clip.frames()])
    expected = [0.0, *np.abs(np.diff(luma, axis=0)).mean(axis=(1, 2))]
    assert curve.lines["before"] == pytest.approx(expected, rel=1e-6)
    assert curve.lines["flat"] == [0.0] * 30
    assert curve.cuts == []
    assert cut.cuts == [20]
    assert cut.lines["before"] == [0.0] * 20 + [235.0] + [0.0] * 19


def test_plotted_lines() -> None:
    """What is drawn are the values; the legend names them as they are on the command line."""
    lines = {"before": [0.0, 3.0, 2.0], "diffuse=k=$4": [0.0, 1.0, 1.5], "std.Trim=last=1": [0.0, 1.0]}
    [axes] = figure_of(lines, 640, 320, cuts=[1]).axes
    for line, values in zip(axes.lines, lines.values(), strict=False):
        assert list(map(float, np.asarray(line.get_ydata()))) == values
    legend = axes.get_legend()
    assert legend
    assert [text.get_text() for text in legend.get_texts()] == [*lines, "cut", "frame shown"]
    assert axes.get_xlim() == (0, 2)
    assert axes.get_ylim()[0] == 0


@pytest.mark.parametrize(("lines", "length"), [(1, 300), (1, 20), (12, 20)])
def test_legend_fits(lines: int, length: int) -> None:
    """Many chains, and long ones, leave the legend within the axes."""
    values = {f"{n} {'W' * length}": [0.0, 1.0] for n in range(lines)}
    figure = figure_of(values, 976, 600)
    FigureCanvasAgg(figure).draw()  # type: ignore[no-untyped-call]
    [axes] = figure.axes
    legend = axes.get_legend()
    assert legend
    inner, outer = legend.get_window_extent(), axes.get_window_extent()
    assert outer.x0 <= inner.x0 <= inner.x1 <= outer.x1
    assert outer.y0 <= inner.y0 <= inner.y1 <= outer.y1


def test_single_frame(folder: Path) -> None:
    path = script(folder, "core.std.BlankClip(width=64, height=64, format=vs.GRAY8, length=1).set_output()")
    compare_here(path, "--vf", "std.Levels", "--curve", "-o", folder / "cmp.png")
    Layout(64, 64, curve=True).check_frame(opened(folder / "cmp.png"))


@pytest.mark.parametrize("value", ["np.nan", "np.inf", "-np.inf"])
def test_floats_that_are_no_numbers(folder: Path, value: str) -> None:
    """Some filter's fault, which is what one wants to see; not a word of Python's about it."""
    spoilt = painted("GRAYS", 64, 48).replace("    return out", f"    plane[:24] = {value}\n    return out")
    path = script(folder, "import numpy as np\n" + spoilt)
    compare_here(path, "--vf", "std.FlipVertical", "--curve", "-o", folder / "cmp.png")
    image = opened(folder / "cmp.png")
    layout = Layout(64, 48, curve=True)
    layout.check_frame(image)
    assert_shows(layout.panel(image, 0, 0)[24:], in_rgb(evaluated(path), 1)[24:])


# Errors


def complaint(*arguments: object, encoder: Sequence[str] = ()) -> tuple[int, str]:
    """Run the command here and expect it to say what is wrong; give the exit status and the message."""
    try:
        compare_here(*arguments, encoder=encoder)
    except CommandError as error:
        return error.status, str(error)
    except click.ClickException as error:
        return error.exit_code, error.format_message()
    raise AssertionError("nothing was wrong")


@pytest.mark.parametrize(
    ("options", "parts", "status"),
    [
        ((), ("give --vf or --preset",), 2),
        (("--vf", ""), ("give --vf or --preset",), 2),
        (("--vf", "difuse"), ('no filter "difuse"', "diffuse"), 2),
        (("--vf", "diffuse=tme=4"), ('no option "tme"',), 2),
        (("--vf", "diffuse=k=-1"), ("Diffuse: k must be",), 2),
        (("--vf", "std.SplitPlanes"), ("no single clip",), 2),
        (("--preset", "denose"), ('no preset "denose"', "denoise"), 2),
        (("--preset", "denoise=mighty"), ("strength must be", "mighty"), 2),
        (("--preset", "denoise,trails"), ("several presets",), 2),
        (("--vf", "diffuse", "--frame", "120"), ("--frame must be 0...119", "got 120"), 2),
        (("--vf", "diffuse", "--frame", "-1"), ("--frame",), 2),
        (("--vf", "diffuse", "--frame", str(2**70)), ("--frame must be 0...119",), 2),
        (("--vf", "diffuse", "--frame", "many"), ("--frame",), 2),
        (("--vf", "std.Crop=2"), ("std.Crop=2", "174x144", "176x144"), 2),
        (("--vf", "diffuse", "--vf", "std.Transpose"), ("std.Transpose", "144x176", "176x144"), 2),
        (("--vf", "std.Trim=last=10"), ("--frame", "0...10", "std.Trim=last=10"), 2),
        (("--vf", "diffuse", "--vf", "std.Trim=last=10", "--frame", "11"), ("0...10", "got 11"), 2),
        (("--vf", "diffuse", "--", "more"), ("more",), 2),
        *[
            (("--vf", "diffuse", "--crop", crop), ("--crop",), 2)
            for crop in (
                *("177:144:0:0", "176:145:0:0", "176:144:1:0", "176:144:0:1", "1:1:176:0", "9" * 30 + ":1:0:0"),
                *("0:1:0:0", "1:0:0:0", "00:10:0:0", "10:000:0:0"),
                *("", "10", "10:10", "10:10:0", "10:10:0:0:0", "a:b:c:d", "10:10:-1:0", "10.5:10:0:0", "10:10:0:0\n"),
                "9" * 5000 + ":1:0:0",
            )
        ],
        *[
            (("--vf", "diffuse", "--amplify", gain), ("--amplify",), 2)
            for gain in ("nan", "inf", "-inf", "0", "-1", "0.009", "1001", "1e400", "much", "")
        ],
    ],
    ids=lambda value: None if isinstance(value, int) else "-".join(each[:20] for each in value),
)
def test_wrong_options(folder: Path, options: tuple[str, ...], parts: tuple[str, ...], status: int) -> None:
    code, message = complaint(folder / "in.mp4", "-o", folder / "cmp.png", *options)
    for part in parts:
        assert part in message
    assert code == status
    assert names(folder) == {"in.mp4"}


@pytest.mark.parametrize(
    ("target", "part", "status"),
    [
        ("cmp.bmp", ".png, .jpg, .jpeg, .webp", 2),
        ("cmp", ".png", 2),
        ("-", ".png", 2),
        (".png", ".png", 2),
        ("none/cmp.png", "does not exist", 1),
        ("in.mp4/cmp.png", "Not a directory", 1),
        ("folder.png", "is a folder", 1),
        ("device.png", "is not a regular file", 1),
        ("/proc/cmp.png", "not writable", 1),
        ("clip.png", "input and output are the same file", 1),
        ("link.png", "input and output are the same file", 1),
        ("old.png", "exists already; --overwrite (-y)", 1),
    ],
)
def test_bad_outputs(folder: Path, monkeypatch: pytest.MonkeyPatch, target: str, part: str, status: int) -> None:
    monkeypatch.chdir(folder)
    (folder / "folder.png").mkdir()
    (folder / "device.png").symlink_to("/dev/null")
    (folder / "in.mp4").rename(folder / "clip.png")
    (folder / "in.mp4").symlink_to("clip.png")
    (folder / "link.png").symlink_to("clip.png")
    (folder / "old.png").write_text("mine")
    before, data = names(folder), (folder / "clip.png").read_bytes()
    options = () if target == "old.png" else ("-y",)
    code, message = complaint("in.mp4", "--vf", "diffuse", "-o", target, *options)
    assert part in message
    assert code == status
    assert names(folder) == before
    assert (folder / "old.png").read_text() == "mine"
    assert (folder / "clip.png").read_bytes() == data


def test_file_that_is_to_be_replaced(folder: Path) -> None:
    """With -y it is; but a failure keeps it."""
    target = folder / "cmp.png"
    target.write_text("mine")
    assert complaint(folder / "in.mp4", "--vf", "std.Crop=2", "-y", "-o", target)[0] == 2
    assert target.read_text() == "mine"
    compare_here(folder / "in.mp4", "--vf", "diffuse", "-y", "-o", target)
    Layout(176, 144).check_frame(opened(target))


VARIABLE = "a = core.std.BlankClip(format=vs.GRAY8, width=64, height=64, length=5)\n"
VARIABLE += "core.std.Splice([a, core.std.BlankClip(a, {change})], mismatch=True).set_output()"


@pytest.mark.parametrize(
    ("text", "chain", "parts"),
    [
        ("1 / 0", "diffuse", ("script.vpy:3: ZeroDivisionError",)),
        ("core.std.BlankAudio().set_output()", "diffuse", ("is audio",)),
        (VARIABLE.format(change="width=32"), "std.FlipVertical", ("must be constant",)),
        (VARIABLE.format(change="format=vs.GRAY16"), "std.FlipVertical", ("must be constant",)),
        (VARIABLE.format(change="format=vs.GRAY16"), "diffuse", ("must be constant",)),
        ("core.std.BlankClip(width=64, height=64, format=vs.GRAY32).set_output()", "std.FlipVertical", ("Gray32",)),
        (FAILS, "std.FlipVertical", ("script.vpy: ", "broken on purpose")),
    ],
)
def test_bad_scripts(folder: Path, text: str, chain: str, parts: tuple[str, ...]) -> None:
    path = script(folder, text)
    code, message = complaint(path, "--vf", chain, "--frame", 5, "--curve", "-o", folder / "cmp.png")
    for part in parts:
        assert part in message
    assert code in (1, 2)
    assert names(folder) == {"in.mp4", "script.vpy"}


def test_frame_that_is_not_asked_for_may_fail(folder: Path) -> None:
    path = script(folder, FAILS)
    compare_here(path, "--vf", "std.FlipVertical", "--frame", 21, "-o", folder / "cmp.png")
    assert complaint(path, "--vf", "std.FlipVertical", "--frame", 20, "-o", folder / "other.png")[0] == 1
    assert names(folder) == {"in.mp4", "script.vpy", "cmp.png"}


@pytest.mark.parametrize(
    ("name", "part"),
    [("none.mp4", "No such file"), ("text.mp4", "not a video"), ("empty.mp4", "is empty"), ("", "Is a directory")],
)
def test_bad_input(folder: Path, name: str, part: str) -> None:
    (folder / "text.mp4").write_text("no film at all\n" * 100)
    (folder / "empty.mp4").touch()
    code, message = complaint(folder / name, "--vf", "diffuse", "-o", folder / "cmp.png")
    assert part in message
    assert code == 1
    assert names(folder) == {"in.mp4", "text.mp4", "empty.mp4"}


def test_nothing_goes_to_ffmpeg(folder: Path) -> None:
    code, message = complaint(folder / "in.mp4", "--vf", "diffuse", "-o", folder / "cmp.png", encoder=["-crf", "20"])
    assert (code, "leave out --" in message) == (2, True)


@pytest.mark.parametrize(
    ("width", "suffix"), [(21_900, ".png"), (21_900, ".jpg"), (21_835, ".jpg"), (5_600, ".webp"), (2**20, ".png")]
)
def test_sheet_that_is_too_large(folder: Path, width: int, suffix: str) -> None:
    """For matplotlib, or for the kind of file: the way out is told."""
    path = script(folder, f"core.std.BlankClip(width={width}, height=1, format=vs.GRAY8, length=3).set_output()")
    code, message = complaint(path, "--vf", "std.Levels", "-o", folder / f"cmp{suffix}")
    assert "--crop" in message
    assert code == 2
    assert names(folder) == {"in.mp4", "script.vpy"}


@pytest.mark.parametrize("size", [(1, 1200), (1, 2000), (16, 4320), (2, 601)])
def test_narrow_picture(folder: Path, size: tuple[int, int]) -> None:
    """What is far higher than wide is not enlarged beyond all measure, and its labels do without the room."""
    path = script(folder, painted("GRAY8", *size))
    compare_here(path, "--vf", "std.FlipVertical", "--curve", "-o", folder / "cmp.png")
    image = opened(folder / "cmp.png")
    layout = Layout(*size, curve=True)
    layout.check_frame(image)
    assert image.shape[0] < 1600 or layout.zoom == 1
    assert_shows(layout.panel(image, 0, 0), in_rgb(evaluated(path), 1))


# The process


@pytest.mark.parametrize(
    ("options", "part", "status"),
    [
        (("in.mp4", "--vf", "diffuse"), "'--output'", 2),
        (("in.mp4", "--vf", "diffuse", "--crop", "00:10:0:0", "-o", "cmp.png"), "--crop", 2),
        (("in.mp4", "--vf", "diffuse", "-o", "old.png"), "old.png exists already", 1),
        (("script.vpy", "--vf", "std.Levels", "--frame", "0", "--curve", "-o", "cmp.png"), "broken on purpose", 1),
    ],
)
def test_errors_are_one_line(folder: Path, options: tuple[str, ...], part: str, status: int) -> None:
    (folder / "old.png").write_text("mine")
    script(folder, FAILS)
    result = vdiff("compare", *options, folder=folder)
    refused(result, part, status=status)
    assert result.stdout == ""
    assert "\x1b" not in result.stderr
    assert names(folder) == {"in.mp4", "script.vpy", "old.png"}
    assert (folder / "old.png").read_text() == "mine"


@pytest.mark.parametrize("source", ["in.mp4", "missing.mp4"])
def test_no_matplotlib(folder: Path, source: str) -> None:
    """Told before the input is read, which may take long."""
    env = without(folder, "matplotlib")
    result = vdiff("compare", source, "--vf", "diffuse", "-o", "cmp.png", folder=folder, env=env)
    refused(result, "matplotlib", 'pip install "vapoursynth-vdiff[cli]"')
    assert names(folder) == {"in.mp4", "missing"}


def test_backend_that_there_is_not(folder: Path) -> None:
    """A setting for windows, which no sheet needs."""
    env = {"MPLBACKEND": "nonsense"}
    compare_well("in.mp4", "--vf", "diffuse", "-q", "-o", "cmp.png", folder=folder, env=env)


def test_home_that_takes_nothing(folder: Path) -> None:
    """Where matplotlib can keep nothing, it says so at length; nobody asked."""
    (folder / "temporary").mkdir()
    home = str(folder / "in.mp4" / "home")
    env = dict.fromkeys(("HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "MPLCONFIGDIR"), home)
    env["TMPDIR"] = str(folder / "temporary")
    result = compare_well("in.mp4", "--vf", "diffuse", "-q", "-o", "cmp.png", folder=folder, env=env)
    assert result.stderr == ""
    assert names(folder / "temporary") == set()


def test_folder_that_is_read_only(folder: Path) -> None:
    (folder / "locked").mkdir(mode=0o555)
    result = vdiff("compare", "in.mp4", "--vf", "diffuse", "-q", "-o", "locked/cmp.png", folder=folder)
    if os.geteuid():  # root may write there
        refused(result, "locked is not writable")
    else:
        assert (result.returncode, result.stderr) == (0, "")


@pytest.mark.parametrize("colour", [True, False])
def test_terminal(folder: Path, colour: bool) -> None:
    """A bar while frames are read, in colours unless NO_COLOR is set; then the cursor is there again."""
    options = ("in.mp4", "--vf", "diffuse", "--curve", "-o", "cmp.png")
    status, shown = on_terminal(*options, folder=folder, command="compare", env={} if colour else {"NO_COLOR": "1"})
    assert status == 0, shown
    assert "120/120" in shown
    assert "━" in shown
    assert bool(re.search(r"\x1b\[[\d;]*3[1-8]", shown)) == colour
    assert shown.rfind("\x1b[?25h") > shown.rfind("\x1b[?25l")
    assert (folder / "cmp.png").exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals(folder: Path, number: signal.Signals) -> None:
    """Stopped in the middle of the curve: nothing is left, not even a name."""
    waits = "clip = core.std.BlankClip(width=64, height=64, format=vs.GRAY8, length=10**6)\n"
    waits += "def act(n, f):\n    if n == 20: open('working', 'w')\n    return f\n"
    script(folder, waits + "clip.std.ModifyFrame(clip, act).set_output()")
    options = ("--vf", "std.FlipVertical", "--frame", 0, "--curve", "-o", "cmp.png")
    process = start("script.vpy", *options, folder=folder, command="compare")
    wait_for((folder / "working").exists, "frames")
    process.send_signal(number)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 128 + number
    assert errors == f"vdiff: stopped by {number.name}\n"
    assert names(folder) == {"in.mp4", "script.vpy", "working"}
