"""`vdiff filters`: what filters there are."""

import click
from rich.padding import Padding
from rich.text import Text

from vs_vdiff import plugin
from vs_vdiff.catalogue import Entry, entries
from vs_vdiff.chain import suggestion
from vs_vdiff.commands.options import refuse_encoder
from vs_vdiff.commands.printing import printing
from vs_vdiff.errors import UsageError

__all__ = ["filters"]


def complete_name(_context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[str]:
    """Name the filters and presets that begin so, for the shell."""
    try:
        plugin.load()
    except plugin.PluginNotFoundError:
        return []
    return [each.name for each in entries() if each.name.lower().startswith(incomplete.lower())]


@click.command(
    options_metavar="[OPTIONS]",
    epilog="""\b
Examples:
  vdiff filters
  vdiff filters Diffuse trails""",
)
@click.argument("names", metavar="[NAME]...", nargs=-1, shell_complete=complete_name)
@click.pass_obj
def filters(encoder: list[str], names: tuple[str, ...]) -> None:
    """List the filters of core.vdiff, the presets and delogo, or those with the NAMEs given.

    For each: what it does, its arguments with their types, and what they are if they are left out ("…": see README). In
    a chain (--vf) write the name in any case, and the arguments as in diffuse=time=4:k=6.
    """
    refuse_encoder(encoder)
    plugin.load()
    known = {each.name.lower(): each for each in entries()}
    for name in names:
        if name.lower() not in known:
            raise UsageError(f'there is no filter "{name}"{suggestion(name, known)}; "vdiff filters" lists them')
    show([known[name.lower()] for name in names] or [*known.values()])


def show(chosen: list[Entry]) -> None:
    """Print on standard output: wrapped to the width of a terminal, for a pipe each in three lines."""
    with printing() as console:
        for each in chosen:
            console.print(Text(each.name, style="bold"), soft_wrap=True)
            for text in (Text(each.meaning), arguments(each)):
                if console.is_terminal:
                    console.print(Padding(text, (0, 0, 0, 2)))
                else:
                    console.print(Text("  ").append(text), soft_wrap=True)


def arguments(each: Entry) -> Text:
    """Give a filter's arguments, their names in colour."""
    text = Text()
    for n, argument in enumerate(each.arguments):
        name, colon, rest = str(argument).partition(":")
        text.append(", " if n else "").append(name, style="cyan").append(colon + rest)
    return text
