"""The commands of `vdiff`, each in the module of its name."""

from importlib import import_module

import click

from vs_vdiff import __version__

__all__ = ["vdiff"]

COMMANDS = ("run", "compare", "keyframes", "filters", "doctor")


class Commands(click.Group):
    """Imports a command when it is asked for: `doctor` is to run where the others could not even begin."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Name them in the order of their importance."""
        return [*COMMANDS]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Give the command of a name."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = getattr(import_module(f"vs_vdiff.commands.{cmd_name}"), cmd_name)
        return command


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="""\b
Examples:
  vdiff run in.mp4 out.mp4 --preset denoise
  vdiff doctor""",
)
@click.version_option(__version__, prog_name="vdiff")
def vdiff() -> None:
    """Video diffusion with VapourSynth, from file to encoder."""
