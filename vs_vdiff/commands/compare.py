"""`vdiff compare`: before, after and what lies between, in one picture."""

import logging
import math
import re
import shlex
import warnings
from collections.abc import Sequence
from contextlib import ExitStack, closing
from itertools import zip_longest
from pathlib import Path

import click
import vapoursynth as vs

from vs_vdiff import chain, plugin, sheet
from vs_vdiff.commands.filtering import preset_option, read_chains
from vs_vdiff.commands.options import overwrite_option, quiet_option, refuse_encoder, source_argument
from vs_vdiff.errors import CommandError, UsageError, one_line
from vs_vdiff.output import Output
from vs_vdiff.progress import Reporter, make_reporter
from vs_vdiff.source import open_source

__all__ = ["compare"]

COLUMNS = 3  # before, after, difference


class Crop(click.ParamType[tuple[int, int, int, int]]):
    """A part of the picture, as FFmpeg's `crop` names it."""

    name = "W:H:X:Y"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, int, int, int]:
        """Read it."""
        found = re.fullmatch(r"0*([1-9]\d{0,8}):0*([1-9]\d{0,8}):(\d{1,9}):(\d{1,9})", str(value))
        if not found:
            self.fail(f'"{value}" is not width:height:x:y, as in 320:200:160:36', param, ctx)
        width, height, x, y = map(int, found.groups())
        return width, height, x, y


def finite(_context: click.Context, _parameter: click.Parameter, value: float) -> float:
    """Refuse what no range excludes."""
    if math.isnan(value):
        raise click.BadParameter("nan is no number")
    return value


@click.command(
    options_metavar="[OPTIONS]",
    epilog="""\b
Examples:
  vdiff compare in.mp4 --preset denoise -o cmp.png
  vdiff compare in.mp4 --vf diffuse=time=4:k=4 --vf diffuse=time=4:k=8 --frame 20 --curve -o cmp.png -y""",
)
@source_argument
@preset_option
@click.option(
    "--vf", "chains", metavar="CHAIN", multiple=True, help="Filters in FFmpeg's syntax; several: a row for each."
)
@click.option(
    "--frame", metavar="N", type=click.IntRange(0), help="The frame, counted from 0; by default the middle one."
)
@click.option(
    "-o",
    "--output",
    "target",
    metavar="FILE",
    required=True,
    type=click.Path(path_type=Path),
    help=f"The picture: {', '.join(sheet.LONGEST_SIDES)}.",
)
@click.option(
    "--amplify",
    metavar="X",
    type=click.FloatRange(0.01, 1000),
    callback=finite,
    default=8,
    show_default=True,
    help="What the difference is multiplied by.",
)
@click.option("--crop", metavar=Crop.name, type=Crop(), help="Show this part of the picture: width, height, left, top.")
@click.option("--curve", is_flag=True, help="Below, how much each frame differs from the one before, and the cuts.")
@overwrite_option("FILE")
@quiet_option
@click.pass_obj
def compare(
    encoder: list[str],
    source: Path,
    preset: str | None,
    chains: tuple[str, ...],
    frame: int | None,
    target: Path,
    amplify: float,
    crop: tuple[int, int, int, int] | None,
    curve: bool,
    overwrite: bool,
    quiet: bool,
) -> None:
    """Show a frame of INPUT, a video or a .vpy script, before and after filters, and their difference.

    Each --vf is a row: choose a parameter by eye. Pictures are shown pixel by pixel, small ones enlarged; the
    difference is amplified, around grey, and its mean and its largest value are on the 8-bit scale.
    """
    refuse_encoder(encoder)
    if preset is None and not any(chains):
        raise UsageError("there is nothing to compare: give --vf or --preset")
    if target.suffix.lower() not in sheet.LONGEST_SIDES:
        raise UsageError(f"{target}: the picture must end in {', '.join(sheet.LONGEST_SIDES)}")
    output = Output.check(target, source, overwrite)
    logging.disable()  # matplotlib tells of its fonts and folders
    sheet.require_matplotlib()
    plugin.load()
    filters = read_chains(preset, chains or [""])
    with make_reporter(quiet) as reporter:
        opened = open_source(source, reporter.status)
        for note in opened.notes:
            reporter.note(f"{shlex.quote(str(source))}: {note}")
        before = opened.clip
        if before.format.color_family == vs.UNDEFINED or not before.width:
            raise CommandError(f"{source}: the clip changes its format or size; it must be constant")
        n = before.num_frames // 2 if frame is None else frame
        labels = [", ".join(part for part in (preset, text) if part) for text in chains or [""]]
        afters = [(label, chain.apply(each, before)) for label, each in zip(labels, filters, strict=True)]
        check_clips(before, afters, n, crop)
        width, height = crop[:2] if crop else (before.width, before.height)
        try:
            sheet.check_size(target.suffix, height, width, COLUMNS, len(afters), curve)
        except ValueError as error:
            raise UsageError(f"{error}: give fewer --vf, or --crop") from error
        try:
            rows = make_rows(before, afters, n, amplify, crop)
            line = make_curve(before, afters, n, reporter) if curve else None
        except vs.Error as error:
            raise CommandError(f"{source}: {one_line(error)}") from error
        with warnings.catch_warnings(action="ignore"):  # matplotlib tells of letters that its font has not
            output.make(lambda path: sheet.draw(path, rows, line))


def check_clips(
    before: vs.VideoNode,
    afters: Sequence[tuple[str, vs.VideoNode]],
    n: int,
    crop: tuple[int, int, int, int] | None,
) -> None:
    """Refuse what cannot stand in one sheet."""
    for label, after in [("the input", before), *afters]:
        if n >= after.num_frames:
            raise UsageError(f"--frame must be 0...{after.num_frames - 1} for {label}, got {n}")
        if (after.width, after.height) != (before.width, before.height):
            raise UsageError(
                f"{label} makes {after.width}x{after.height} of {before.width}x{before.height}: there is no difference "
                "to show; let a .vpy script change the size, and compare from there"
            )
    if crop:
        width, height, x, y = crop
        if x + width > before.width or y + height > before.height:
            raise UsageError(f"--crop must lie within {before.width}x{before.height}, got {width}:{height}:{x}:{y}")


def make_rows(
    before: vs.VideoNode,
    afters: Sequence[tuple[str, vs.VideoNode]],
    n: int,
    amplify: float,
    crop: tuple[int, int, int, int] | None,
) -> list[list[sheet.Panel]]:
    """Make a row for each chain: before, after, difference."""
    width, height, x, y = crop or (before.width, before.height, 0, 0)
    part = (slice(y, y + height), slice(x, x + width))
    first = sheet.picture(before, n)[part]
    rows = []
    for label, clip in afters:
        second = sheet.picture(clip, n)[part]
        panels = [sheet.Panel(f"before: frame {n}", sheet.shown(first)), sheet.Panel(label, sheet.shown(second))]
        rows.append([*panels, sheet.difference(first, second, amplify)])
    return rows


def make_curve(
    before: vs.VideoNode, afters: Sequence[tuple[str, vs.VideoNode]], n: int, reporter: Reporter
) -> sheet.Curve:
    """Read the whole clip, before and after: the mean absolute difference in the first plane from frame to frame."""
    core = vs.core
    cuts = core.vdiff.SceneDetect(before)
    measured = [core.vdiff.ChangeMap(clip, norm="none", scenechange=0, planes=0) for _, clip in afters]
    measured.insert(0, core.vdiff.ChangeMap(cuts, norm="none", scenechange=0, planes=0))
    lines: list[list[float]] = [[] for _ in measured]
    starts = []
    total = max(clip.num_frames for clip in measured)
    reporter.frames(0, total)
    with ExitStack() as stack:
        streams = [stack.enter_context(closing(clip.frames(close=True))) for clip in measured]
        for m, frames in enumerate(zip_longest(*streams)):
            for line, frame in zip(lines, frames, strict=True):
                if frame is not None:
                    value = frame.props["VdiffMAD"]
                    line.append(float(value[0] if isinstance(value, list) else value))
            if frames[0] is not None and frames[0].props["_SceneChangePrev"] == 1:
                starts.append(m)
            reporter.frames(m + 1, total)
    labels = ["before", *(label for label, _ in afters)]
    title = "change: mean absolute difference from the frame before, first plane, 8-bit scale"
    return sheet.Curve(title, dict(zip(labels, lines, strict=True)), starts, n)
