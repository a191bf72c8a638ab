"""Sheets: pictures side by side, labelled, with a curve over time below. Drawn by matplotlib, pixel by pixel."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import vapoursynth as vs

from vs_vdiff import pixels
from vs_vdiff.arrays import to_numpy
from vs_vdiff.errors import one_line

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

__all__ = ["LONGEST_SIDES", "Curve", "Panel", "check_size", "difference", "draw", "picture", "require_matplotlib"]

LONGEST_SIDES = {".png": 2**16 - 1, ".jpg": 65500, ".jpeg": 65500, ".webp": 16383}
"""How many rows or columns a picture may have, by its suffix."""
DPI = 64  # a power of two, so that inches give back the very pixels
FONT = 13  # pixels
BAND = 24  # above each picture, for its label
GAP = 4
QUALITY = 90  # of JPEG and WebP
CURVE = 260
NARROWEST = 320  # smaller pictures are enlarged to this width at least, lest there be no place for a label
BRIGHTEST = 1e6
TALLEST = 1200  # but none to more than this height
LARGEST_AREA = 2**27  # pixels; some two gigabytes of memory for twenty rows of 1920x1080
LONGEST = 60  # letters of a label in a legend
LEGEND_ROWS = 8
BACKGROUND, INK, FAINT = "#202020", "#e8e8e8", "#808080"
COLOURS = ("#9a9a9a", "#4fb3ff", "#ffb347", "#7ddc7d", "#ff7f9f", "#c9a0ff", "#e0d060")


@dataclass(frozen=True)
class Panel:
    """A picture of shape (height, width, 3), 8-bit RGB, and what stands above it."""

    label: str
    pixels: "NDArray[np.uint8]"


@dataclass(frozen=True)
class Curve:
    """Values over frames, one line for each label, and the frames at which scenes begin."""

    title: str
    lines: dict[str, list[float]]
    cuts: list[int]
    marked: int
    """The frame that the pictures show."""


def picture(clip: vs.VideoNode, n: int) -> "NDArray[np.float32]":
    """Give frame n in RGB on the 8-bit scale, 0 to 255, not rounded, of shape (height, width, 3).

    Raises:
        CommandError: The clip cannot be converted to RGB; the message says why.
        vapoursynth.Error: The frame fails.
    """
    frame = clip[n]
    planes = to_numpy(pixels.to_rgb(frame, frame.get_frame(0).props))
    assert isinstance(planes, np.ndarray)
    # What is no number has no colour either: NaN is black, infinity as bright as any screen.
    finite = np.nan_to_num(planes[0], nan=0, posinf=BRIGHTEST, neginf=-BRIGHTEST)
    return np.moveaxis(finite * np.float32(255), 0, -1)


def shown(picture: "NDArray[np.float32]") -> "NDArray[np.uint8]":
    """Round to what a screen shows."""
    return np.clip(np.rint(picture), 0, 255).astype(np.uint8)


def difference(before: "NDArray[np.float32]", after: "NDArray[np.float32]", gain: float) -> Panel:
    """Draw `gain` times what was added or taken away, around grey."""
    change = after - before
    sizes = np.abs(change)
    label = f"difference ×{gain:g}: mean {sizes.mean():.2f}, at most {sizes.max():.0f}"
    return Panel(label, shown(128 + np.float32(gain) * change))


def require_matplotlib() -> None:
    """Import what draws, which takes a moment, under no settings of the user's that could stop it.

    Raises:
        ModuleNotFoundError: It is missing.
    """
    os.environ.pop("MPLBACKEND", None)  # for windows, of which there are none
    import_module("matplotlib")


@dataclass(frozen=True)
class Layout:
    """Where things stand in a sheet, in pixels."""

    zoom: int
    across: int
    """From a picture to the next one."""
    down: int
    width: int
    height: int


def lay(height: int, width: int, columns: int, rows: int, has_curve: bool) -> Layout:
    """Lay out pictures of a size."""
    zoom = max(1, min(-(-NARROWEST // width), TALLEST // height))
    across, down = zoom * width + GAP, zoom * height + BAND + GAP
    whole = (max(across * columns + GAP, NARROWEST), down * rows + GAP + CURVE * has_curve)
    return Layout(zoom, across, down, *whole)


def check_size(suffix: str, height: int, width: int, columns: int, rows: int, has_curve: bool) -> None:
    """Refuse sheets that are too large.

    Raises:
        ValueError: The message says by how much.
    """
    sheet = lay(height, width, columns, rows, has_curve)
    longest = LONGEST_SIDES[suffix.lower()]
    if max(sheet.width, sheet.height) > longest or sheet.width * sheet.height > LARGEST_AREA:
        raise ValueError(
            f"the sheet would be {sheet.width}x{sheet.height} pixels; {suffix} holds {longest} in one direction, "
            f"{LARGEST_AREA} in all"
        )


def draw(path: Path, rows: Sequence[Sequence[Panel]], curve: Curve | None = None) -> None:
    """Write a sheet: rows of pictures of one size, and below them the curve.

    Args:
        path: The file; its suffix, one of those of `LONGEST_SIDES`, says of which kind.
        rows: The pictures.
        curve: The curve, if there is one.

    Raises:
        ValueError: The sheet would be too large.
    """
    height, width, _ = rows[0][0].pixels.shape
    columns = max(map(len, rows))
    check_size(path.suffix, height, width, columns, len(rows), curve is not None)
    sheet = lay(height, width, columns, len(rows), curve is not None)
    require_matplotlib()
    import matplotlib

    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        figure = make_figure(sheet, rows)
        if curve:
            plot(figure, curve, sheet.width, sheet.height)
        options = {} if path.suffix.lower() == ".png" else {"quality": QUALITY}
        figure.savefig(path, dpi=DPI, facecolor=BACKGROUND, pil_kwargs=options)


def make_figure(sheet: Layout, rows: Sequence[Sequence[Panel]]) -> "Figure":
    """Put the pictures and their labels into their places."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(sheet.width / DPI, sheet.height / DPI), dpi=DPI, facecolor=BACKGROUND)
    FigureCanvasAgg(figure)
    for j, row in enumerate(rows):
        for i, panel in enumerate(row):
            large = panel.pixels.repeat(sheet.zoom, axis=0).repeat(sheet.zoom, axis=1)
            left, bottom = GAP + i * sheet.across, sheet.height - (j + 1) * sheet.down
            figure.figimage(large, left, bottom, origin="upper")
            write(figure, panel.label, left, bottom + large.shape[0], large.shape[1])
    return figure


def points(size: float) -> float:
    """Give a size in pixels in the points that matplotlib measures type in."""
    return size * 72 / DPI


def write(figure: "Figure", label: str, left: int, bottom: int, width: int) -> None:
    """Write a label into the band above a picture, cut off where it is too long."""
    w, h = figure.get_size_inches() * DPI
    place = (left / w, (bottom + BAND / 2 - 1) / h)
    full = one_line(label)[:width]  # no letter is narrower than a pixel
    # A dollar sign is no formula here.
    text = figure.text(*place, full, size=points(FONT), color=INK, va="center", parse_math=False)
    fits, fails = 0, len(full)  # letters
    if text.get_window_extent().width <= width:
        return
    while fails - fits > 1:
        middle = (fits + fails) // 2
        text.set_text(full[:middle].rstrip() + "…")
        fits, fails = (middle, fails) if text.get_window_extent().width <= width else (fits, middle)
    text.set_text(full[:fits].rstrip() + "…" if fits else "")


def plot(figure: "Figure", curve: Curve, width: int, height: int) -> None:
    """Draw the curve into the lowest part of a sheet."""
    left, bottom, top = 60, 44, 28
    place = (left / width, bottom / height, (width - left - 16) / width, (CURVE - bottom - top) / height)
    axes = figure.add_axes(place, facecolor=BACKGROUND)
    longest = max(map(len, curve.lines.values()))
    for (label, values), colour in zip(curve.lines.items(), cycle(COLOURS)):
        name = label if len(label) <= LONGEST else f"{label[:LONGEST]}…"
        axes.plot(values, label=name, color=colour, linewidth=1.2)
    for n, cut in enumerate(curve.cuts):
        axes.axvline(cut, color="#ff5050", linewidth=1, linestyle="--", label="cut" if n == 0 else None)
    axes.axvline(curve.marked, color=INK, linewidth=1, linestyle=":", label="frame shown")
    axes.set_xlim(0, max(1, longest - 1))
    axes.set_ylim(bottom=0)
    small = points(FONT - 2)
    axes.set_title(curve.title, size=points(FONT), color=INK, loc="left")
    axes.set_xlabel("frame", size=small, color=INK)
    axes.tick_params(colors=INK, labelsize=small)
    for spine in axes.spines.values():
        spine.set_color(FAINT)
    entries = len(axes.get_legend_handles_labels()[1])
    legend = axes.legend(
        fontsize=small,
        labelcolor=INK,
        facecolor=BACKGROUND,
        edgecolor=FAINT,
        framealpha=0.7,
        loc="upper right",
        ncols=-(-entries // LEGEND_ROWS),
    )
    for text in legend.get_texts():
        text.set_parse_math(False)
