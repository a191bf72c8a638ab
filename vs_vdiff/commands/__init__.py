"""The commands of `vdiff`, each in the module of its name."""

from difflib import get_close_matches
from importlib import import_module

import click
from click.shell_completion import CompletionItem

from vs_vdiff import __version__

__all__ = ["vdiff"]

COMMANDS = {
    "run": "Filter a video or a script, and encode it with FFmpeg.",
    "delogo": "Remove logos, by boxes or a picture that shows where they are.",
    "compare": "Show a frame before and after filters, and their difference.",
    "keyframes": "Find the frames that start a scene, and tell an encoder of them.",
    "filters": "List the filters and presets, with their arguments.",
    "doctor": "See whether everything that vdiff needs is there and works.",
}


class Commands(click.Group):
    """Imports a command when it runs: help is quick, and `doctor` is there where the others could not even begin."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Name them in the order of their importance."""
        return [*COMMANDS]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Give the command of a name."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = getattr(import_module(f"vs_vdiff.commands.{cmd_name}"), cmd_name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Describe them without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([*COMMANDS.items()])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Name them for the shell, without importing them."""
        own = click.Command.shell_complete(self, ctx, incomplete)
        return [CompletionItem(name, help=text) for name, text in COMMANDS.items() if name.startswith(incomplete)] + own

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command, or suggest one."""
        if args and args[0] not in COMMANDS and (close := get_close_matches(args[0], COMMANDS, n=1)):
            ctx.fail(f'No such command "{args[0]}" (did you mean "{close[0]}"?).')
        return super().resolve_command(ctx, args)


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
