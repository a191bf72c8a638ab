"""`vdiff delogo`: fill the place of a logo from the picture around it."""

import re
from pathlib import Path

import click
import vapoursynth as vs

from vs_vdiff import logos, plugin
from vs_vdiff.commands.encoding import filter_and_encode, target_argument
from vs_vdiff.commands.options import overwrite_option, quiet_option, source_argument
from vs_vdiff.encode import check_output
from vs_vdiff.errors import UsageError, one_line

__all__ = ["delogo"]


class Box(click.ParamType[tuple[int, int, int, int]]):
    """Where a logo is: what FFmpeg's `delogo` is told, in its order."""

    name = "X,Y,W,H"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, int, int, int]:
        """Read it."""
        found = re.fullmatch(r"(\d{1,9})([,:])(\d{1,9})\2(\d{1,9})\2(\d{1,9})", str(value), re.ASCII)
        if not found:
            self.fail(f'"{value}" is not x,y,width,height, as in 20,16,120,40', param, ctx)
        x, _, y, width, height = found.groups()
        return int(x), int(y), int(width), int(height)


@click.command(
    options_metavar="[OPTIONS]",
    epilog="""\b
What follows -- goes to FFmpeg, as with vdiff run.

\b
Examples:
  vdiff compare in.mp4 --vf delogo=x=12:y=10:w=40:h=20 -o look.png
  vdiff delogo in.mp4 out.mp4 --box 12,10,40,20
  vdiff delogo in.mp4 out.mp4 -y --box 12,10,40,20 --box 120,110,48,24 -- -crf 20""",
)
@source_argument
@target_argument
@click.option(
    "--box", "boxes", metavar=Box.name, type=Box(), multiple=True, help="Left, top, width and height; may be repeated."
)
@click.option(
    "--mask",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="A picture of the video's size: what is not black is filled; if it is transparent anywhere, what is opaque.",
)
@click.option(
    "--grow",
    metavar="N",
    type=click.IntRange(0, logos.MOST_GROWN),
    help=f"Pixels that boxes and mask are grown by; by default {logos.GROWN} for a mask, 0 for boxes.",
)
@click.option(
    "--mode",
    type=click.Choice(logos.MODES),
    default="harmonic",
    show_default=True,
    help="As even as can be; slopes go on; edges go on.",
)
@overwrite_option("OUTPUT")
@quiet_option
@click.pass_obj
def delogo(
    encoder: list[str],
    source: Path,
    target: Path,
    boxes: tuple[tuple[int, int, int, int], ...],
    mask: Path | None,
    grow: int | None,
    mode: logos.Mode,
    overwrite: bool,
    quiet: bool,
) -> None:
    """Remove logos from INPUT, a video or a .vpy script, and encode it with FFmpeg to OUTPUT.

    Boxes and mask are filled from the picture around them, by the filter Inpaint; both may be given. To find a box,
    look at what it covers with "vdiff compare", as below. In chains (--vf) it is a filter, delogo=x=12:y=10:w=40:h=20,
    also with mask=FILE.
    """
    output = check_output(target, source, overwrite)
    if not boxes and mask is None:
        raise UsageError("--box or --mask must say where the logo is")
    plugin.load()
    picture = None if mask is None else logos.read_mask(mask)

    def remove(clip: vs.VideoNode) -> vs.VideoNode:
        x, y, w, h = zip(*boxes, strict=True) if boxes else ((),) * 4
        try:
            return logos.delogo(clip, x, y, w, h, picture, grow, mode)
        except vs.Error as error:
            raise UsageError(one_line(error)) from error

    filter_and_encode(source, output, remove, encoder, quiet)
