"""The commands of `vdiff`."""

import shlex
from pathlib import Path

import click

from vs_vdiff import __version__, chain, ffmpeg, plugin
from vs_vdiff.encode import Output, encode
from vs_vdiff.progress import make_reporter
from vs_vdiff.source import open_source

__all__ = ["vdiff"]


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="vdiff")
def vdiff() -> None:
    """Video diffusion with VapourSynth, from file to encoder."""


@vdiff.command(options_metavar="[OPTIONS]", epilog="Everything after -- goes to FFmpeg, before the output's name.")
@click.argument("source", metavar="INPUT", type=click.Path(path_type=Path))
@click.argument("target", metavar="OUTPUT", type=click.Path(path_type=Path))
@click.option(
    "--vf", metavar="CHAIN", default="", help="Filters in FFmpeg's syntax, as in 'diffuse=time=4:k=6,decay=halflife=5'."
)
@click.option("-y", "--overwrite", is_flag=True, help="Replace OUTPUT if it exists.")
@click.option("-q", "--quiet", is_flag=True, help="Say nothing but errors.")
@click.pass_obj
def run(encoder: list[str], source: Path, target: Path, vf: str, overwrite: bool, quiet: bool) -> None:
    """Filter INPUT, a video or a .vpy script, and encode it with FFmpeg to OUTPUT.

    Names in --vf are filters of core.vdiff, or std.Transpose and the like. Of a video, all audio streams, chapters and
    metadata are carried over; audio is copied where OUTPUT's container takes it as it is. A script brings pictures
    alone.

    Options after -- are FFmpeg's: -crf 16, -c:v libx265, -an, ... The filtered video is FFmpeg's input 0, the file
    INPUT its input 1; for a script, "-- -i music.flac -map 1:a" adds the first. With a -map of yours, no audio is
    mapped for you.
    """
    output = Output.check(target, source, overwrite)
    plugin.load()
    filters = chain.parse(vf) if vf else []
    ffmpeg.find()
    with make_reporter(quiet) as reporter:
        opened = open_source(source, reporter.status)
        for note in opened.notes:
            reporter.note(f"{shlex.quote(str(source))}: {note}")
        encode(opened.with_clip(chain.apply(filters, opened.clip)), output, encoder, reporter)
