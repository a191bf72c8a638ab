"""What commands print on standard output, which may be a pipe whose reader has seen enough."""

import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console

from vs_vdiff.errors import CommandError

__all__ = ["printing"]


class Printer(Console):
    """Standard output, in colour on a terminal."""

    def on_broken_pipe(self) -> None:
        """Go on in silence: the reader has what it wanted."""
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, sys.stdout.fileno())
        os.close(null)


@contextmanager
def printing() -> Iterator[Console]:
    """Print on standard output.

    Raises:
        CommandError: It is closed or full.
    """
    if sys.stdout is None:
        raise CommandError("standard output is closed")
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # not every terminal has an ellipsis
    try:
        yield Printer(highlight=False)
        sys.stdout.flush()
    except BrokenPipeError:
        Printer().on_broken_pipe()
    except OSError as error:
        # What could not be written is still in the buffer, and would be tried again at the end.
        Printer().on_broken_pipe()
        raise CommandError(f"standard output: {error.strerror}") from error
