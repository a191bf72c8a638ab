"""The commands of `vdiff`."""

import math
import shlex
import sys
from pathlib import Path
from typing import Literal

import click
import vapoursynth as vs

from vs_vdiff import __version__, chain, ffmpeg, key_frames, plugin, presets
from vs_vdiff.encode import carries_audio, check_arguments, check_output, encode
from vs_vdiff.errors import CommandError, UsageError, one_line
from vs_vdiff.output import Output
from vs_vdiff.progress import make_reporter
from vs_vdiff.source import Source, open_source

__all__ = ["vdiff"]


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="vdiff")
def vdiff() -> None:
    """Video diffusion with VapourSynth, from file to encoder."""


@vdiff.command(
    options_metavar="[OPTIONS]",
    epilog="What follows -- goes to FFmpeg, before the output's name: only options and inputs.",
)
@click.argument("source", metavar="INPUT", type=click.Path(path_type=Path))
@click.argument("target", metavar="OUTPUT", type=click.Path(path_type=Path))
@click.option("--preset", type=click.Choice([*presets.PRESETS]), help="A ready-made filter, before those of --vf.")
@click.option(
    "--vf", metavar="CHAIN", default="", help="Filters in FFmpeg's syntax, as in 'diffuse=time=4:k=6,decay=halflife=5'."
)
@click.option("-y", "--overwrite", is_flag=True, help="Replace OUTPUT if it exists.")
@click.option("-q", "--quiet", is_flag=True, help="Say nothing but errors.")
@click.pass_obj
def run(
    encoder: list[str], source: Path, target: Path, preset: str | None, vf: str, overwrite: bool, quiet: bool
) -> None:
    """Filter INPUT, a video or a .vpy script, and encode it with FFmpeg to OUTPUT.

    The preset denoise removes noise, along motion and not across cuts.

    Names in --vf are filters of core.vdiff, or std.Transpose and the like. Of a video, all audio streams, chapters and
    metadata are carried over; audio is copied where OUTPUT's container takes it as it is. A script brings pictures
    alone.

    Options after -- are FFmpeg's: -crf 16, -c:v libx265, -an, ... The filtered video is FFmpeg's input 0, the file
    INPUT its input 1; for a script, "-- -i music.flac -map 1:a" adds the first. With a -map of yours, no audio is
    mapped for you.
    """
    output = check_output(target, source, overwrite)
    plugin.load()
    filters = chain.parse(vf) if vf else []
    if preset:
        presets.check(preset)
    ffmpeg.find()
    check_arguments(encoder)
    with make_reporter(quiet) as reporter:
        opened = open_source(source, reporter.status)
        for note in [*opened.left_out, *opened.notes]:
            reporter.note(f"{shlex.quote(str(source))}: {note}")
        clip = presets.apply(preset, opened.clip) if preset else opened.clip
        clip = chain.apply(filters, clip)
        if carries_audio(opened, encoder) and (change := change_of_length(opened.clip, clip)):
            reporter.note(f"the chain changes the length {change}: the sound stays as it is, out of sync")
        encode(opened.with_clip(clip), output, encoder, reporter)


def change_of_length(before: vs.VideoNode, after: vs.VideoNode) -> str:
    """Tell how a chain changes the length, if by a frame or more; less comes from choosing every n-th frame."""
    if not before.fps or not after.fps:
        return ""
    old, new = before.num_frames / before.fps, after.num_frames / after.fps
    if abs(new - old) < max(1 / before.fps, 1 / after.fps):
        return ""
    return f"from {float(old):.6g} to {float(new):.6g} s"


@vdiff.command(
    options_metavar="[OPTIONS]",
    epilog="""\b
To have key frames where the scenes begin:
  keys=$(vdiff keyframes in.mp4 --format ffmpeg)
  vdiff run in.mp4 out.mp4 -- -force_key_frames "$keys"
or
  vdiff keyframes in.mp4 --format qpfile -o keys.txt
  x264 --qpfile keys.txt -o out.264 in.mp4""",
)
@click.argument("source", metavar="INPUT", type=click.Path(path_type=Path))
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
@click.option("-y", "--overwrite", is_flag=True, help="Replace FILE if it exists.")
@click.option("-q", "--quiet", is_flag=True, help="Say nothing but errors.")
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
    if encoder:
        raise UsageError("nothing here goes to FFmpeg: leave out -- and what follows it")
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
