"""What several commands take."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from vs_vdiff.errors import UsageError

__all__ = ["Decorator", "overwrite_option", "quiet_option", "refuse_encoder", "source_argument"]

type Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


source_argument: Decorator = click.argument("source", metavar="INPUT", type=click.Path(path_type=Path))
quiet_option: Decorator = click.option("-q", "--quiet", is_flag=True, help="Say nothing but errors.")


def overwrite_option(target: str) -> Decorator:
    """Let an existing file be replaced."""
    return click.option("-y", "--overwrite", is_flag=True, help=f"Replace {target} if it exists.")


def refuse_encoder(arguments: Sequence[str]) -> None:
    """Refuse what follows `--`, for a command that encodes nothing.

    Raises:
        UsageError: Something does.
    """
    if arguments:
        raise UsageError("nothing here goes to FFmpeg: leave out -- and what follows it")
