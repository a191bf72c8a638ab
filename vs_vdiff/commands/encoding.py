"""What commands that encode share: what they take, and the way from a file through filters to FFmpeg."""

import shlex
from collections.abc import Callable, Sequence
from pathlib import Path

import click
import vapoursynth as vs

from vs_vdiff import ffmpeg
from vs_vdiff.commands.options import Decorator
from vs_vdiff.encode import carries_audio, check_arguments, encode
from vs_vdiff.output import Output
from vs_vdiff.progress import make_reporter
from vs_vdiff.source import open_source

__all__ = ["filter_and_encode", "target_argument"]

target_argument: Decorator = click.argument("target", metavar="OUTPUT", type=click.Path(path_type=Path))


def filter_and_encode(
    source: Path, output: Output, apply: Callable[[vs.VideoNode], vs.VideoNode], encoder: Sequence[str], quiet: bool
) -> None:
    """Encode what a filter makes of a video or script, with the sound and all else that the file carries.

    Raises:
        CommandError: Something failed; the message says why.
    """
    ffmpeg.find()
    check_arguments(encoder)
    with make_reporter(quiet) as reporter:
        opened = open_source(source, reporter.status)
        for note in [*opened.left_out, *opened.notes]:
            reporter.note(f"{shlex.quote(str(source))}: {note}")
        clip = apply(opened.clip)
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
