"""`vdiff run`: filter a video and encode it."""

from functools import partial
from pathlib import Path

import click

from vs_vdiff import chain, plugin
from vs_vdiff.commands.encoding import filter_and_encode, target_argument
from vs_vdiff.commands.filtering import preset_option, read_chains
from vs_vdiff.commands.options import overwrite_option, quiet_option, source_argument
from vs_vdiff.encode import check_output

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
@target_argument
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
    filter_and_encode(source, output, partial(chain.apply, filters), encoder, quiet)
