"""What commands that filter take besides."""

from collections.abc import Sequence

import click

from vs_vdiff import chain
from vs_vdiff.commands.options import Decorator
from vs_vdiff.presets import PRESETS

__all__ = ["preset_option", "read_chains"]


def complete_preset(_context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[str]:
    """Name the presets that begin so, for the shell."""
    return [name for name in PRESETS if name.startswith(incomplete)]


preset_option: Decorator = click.option(
    "--preset",
    metavar="NAME[=STRENGTH]",
    shell_complete=complete_preset,
    help=f"A ready-made filter, before those of --vf: {', '.join(PRESETS)}; light, medium or strong.",
)


def read_chains(preset: str | None, chains: Sequence[str]) -> list[list[chain.Filter]]:
    """Read the filters of `--preset`, which come first in each chain, and those of each `--vf`.

    Raises:
        CommandError: There is no such filter, or it lacks a plugin.
    """
    first = chain.parse_preset(preset) if preset is not None else []
    filters = [[*first, *(chain.parse(text) if text else [])] for text in chains]
    for each in filters:
        chain.check(each)
    return filters
