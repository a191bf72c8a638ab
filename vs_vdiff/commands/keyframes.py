"""`vdiff keyframes`: find the frames that start a scene."""

import math
import shlex
import sys
from pathlib import Path
from typing import Literal

import click
import vapoursynth as vs

from vs_vdiff import key_frames, plugin
from vs_vdiff.commands.options import overwrite_option, quiet_option, refuse_encoder, source_argument
from vs_vdiff.errors import CommandError, UsageError, one_line
from vs_vdiff.output import Output
from vs_vdiff.progress import make_reporter
from vs_vdiff.source import Source, open_source

__all__ = ["keyframes"]


@click.command(
    options_metavar="[OPTIONS]",
    epilog="""\b
Examples:
  vdiff keyframes in.mp4 --format qpfile -o keys.txt
  vdiff run in.mp4 out.mp4 -- -force_key_frames "$(vdiff keyframes in.mp4 --format ffmpeg)\"""",
)
@source_argument
@click.option("-o", "--output", "target", metavar="FILE", type=click.Path(path_type=Path), help="Write to FILE.")
@click.option(
    "--format",
    "kind",
    type=click.Choice(key_frames.FORMATS),
    default="list",
    show_default=True,
    help="A number a line; JSON with times; for x264 and x265; for Av1an; for -force_key_frames.",
)
@click.option(
    "--metric",
    type=click.Choice([*key_frames.METRICS, "none"]),
    default="adaptive",
    show_default=True,
    help="What tells a change of scene; none: only --interval counts.",
)
@click.option(
    "--threshold",
    metavar="X",
    type=float,
    help="A frame that differs by more starts a scene; by default the metric's own.",
)
@click.option("--min-length", metavar="N", type=click.IntRange(1, 1000), help="The shortest scene, in frames.")
@click.option(
    "--interval",
    metavar="N",
    type=click.IntRange(1, 2**31 - 1),
    help="In longer scenes, a further key frame N frames after the last one.",
)
@overwrite_option("FILE")
@quiet_option
@click.pass_obj
def keyframes(
    encoder: list[str],
    source: Path,
    target: Path | None,
    kind: key_frames.Format,
    metric: key_frames.Metric | Literal["none"],
    threshold: float | None,
    min_length: int | None,
    interval: int | None,
    overwrite: bool,
    quiet: bool,
) -> None:
    """Find the frames of INPUT, a video or a .vpy script, that start a scene, and tell an encoder of them.

    Frames are counted from 0, which is always a key frame. The result goes to standard output, or to FILE.
    """
    refuse_encoder(encoder)
    output = None if target is None or str(target) == "-" else Output.check(target, source, overwrite)
    if not output and sys.stdout is None:
        raise CommandError("standard output is closed; -o writes to a file")
    plugin.load()
    with make_reporter(quiet) as reporter:
        opened = open_source(source, reporter.status)
        for note in opened.notes:
            reporter.note(f"{shlex.quote(str(source))}: {note}")
        if opened.is_converted:
            reporter.note("frames are counted after this conversion: their numbers are not those of the file")
        start, is_of_file = start_of(opened)
        if kind == "ffmpeg" and not is_of_file:
            reporter.note("the video starts later than the sound: the times are for what vdiff run makes of it; "
                          "of the file itself, they are those of the next frames")  # fmt: skip
        try:  # what is the fault of the source, not of the options, and before the work
            key_frames.format_keyframes([], opened.clip, kind, start=start)
            if metric != "none":
                key_frames.detect(opened.clip)
        except (ValueError, vs.Error) as error:
            raise CommandError(f"{source}: {one_line(error)}") from error
        try:
            keys = key_frames.keyframes(
                opened.clip,
                metric=None if metric == "none" else metric,
                threshold=threshold,
                min_length=min_length,
                interval=interval,
                progress=reporter.frames,
            )
        except ValueError as error:
            raise UsageError(one_line(error)) from error
        except vs.Error as error:
            raise CommandError(f"{source}: {one_line(error)}") from error
    text = key_frames.format_keyframes(keys, opened.clip, kind, start=start)
    if output:
        output.write(text)
    else:
        show(text)


def start_of(source: Source) -> tuple[float, bool]:
    """Tell when FFmpeg shows frame 0 in what `run` makes of the source, and whether it does in the file itself.

    It gives the frame the nearest number from its time on, `run` the next: its pictures start a whole number of frames
    late, and no later than the sound does. Half a frame or more makes no difference.
    """
    frames = source.delay * source.clip.fps
    late = math.ceil(round(frames, 3))
    if late - frames <= 0.5:
        return source.delay, True
    return float(late / source.clip.fps), False


def show(text: str) -> None:
    """Write the result to standard output, which may be a pipe whose reader has seen enough."""
    end = "\n" if sys.stdout.isatty() and not text.endswith("\n") else ""
    try:
        # Past sys.stdout, which would try again at the end of the process.
        with open(sys.stdout.fileno(), "wb", closefd=False) as stream:
            stream.write((text + end).encode())
    except BrokenPipeError:
        pass
    except OSError as error:
        raise CommandError(f"standard output: {error.strerror}") from error
