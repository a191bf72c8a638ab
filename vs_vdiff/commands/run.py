"""`vdiff run`: filter a video and encode it."""

import shlex
from pathlib import Path

import click
import vapoursynth as vs

from vs_vdiff import chain, ffmpeg, plugin
from vs_vdiff.commands.filtering import preset_option, read_chains
from vs_vdiff.commands.options import overwrite_option, quiet_option, source_argument
from vs_vdiff.encode import carries_audio, check_arguments, check_output, encode
from vs_vdiff.progress import make_reporter
from vs_vdiff.source import open_source

__all__ = ["run"]


@click.command(
    options_metavar="[OPTIONS]",
    epilog="""\b
What follows -- goes to FFmpeg, before the output's name: only options and inputs.

\b
Examples:
  vdiff run in.mp4 out.mp4 --preset denoise -- -crf 20
  vdiff run in.mp4 out.mp4 -y --vf "diffuse=time=4:k=6,decay=mode=max:halflife=5\"""",
)
@source_argument
@click.argument("target", metavar="OUTPUT", type=click.Path(path_type=Path))
@preset_option
@click.option(
    "--vf", metavar="CHAIN", default="", help="Filters in FFmpeg's syntax, as in 'diffuse=time=4:k=6,decay=halflife=5'."
)
@overwrite_option("OUTPUT")
@quiet_option
@click.pass_obj
def run(
    encoder: list[str], source: Path, target: Path, preset: str | None, vf: str, overwrite: bool, quiet: bool
) -> None:
    """Filter INPUT, a video or a .vpy script, and encode it with FFmpeg to OUTPUT.

    Names in --vf are filters of core.vdiff, presets, or std.Transpose and the like; "vdiff filters" lists them. Of a
    video, all audio streams, chapters and metadata are carried over; audio is copied where OUTPUT's container takes it
    as it is. A script brings pictures alone.

    Options after -- are FFmpeg's: -crf 16, -c:v libx265, -an, ... The filtered video is FFmpeg's input 0, the file
    INPUT its input 1; for a script, "-- -i music.flac -map 1:a" adds the first. With a -map of yours, no audio is
    mapped for you.
    """
    output = check_output(target, source, overwrite)
    plugin.load()
    (filters,) = read_chains(preset, [vf])
    ffmpeg.find()
    check_arguments(encoder)
    with make_reporter(quiet) as reporter:
        opened = open_source(source, reporter.status)
        for note in [*opened.left_out, *opened.notes]:
            reporter.note(f"{shlex.quote(str(source))}: {note}")
        clip = chain.apply(filters, opened.clip)
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
