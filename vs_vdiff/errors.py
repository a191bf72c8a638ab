"""What the command says of errors: one line each, on stderr."""

import os
import sys

__all__ = ["CommandError", "UsageError", "one_line", "say"]


class CommandError(Exception):
    """Something outside of the program is wrong; the message names the cause and, where there is one, the way out."""

    status = 1


class UsageError(CommandError):
    """The command line is wrong."""

    status = 2


def one_line(text: object) -> str:
    """Fold a message that may span lines into one; of a Python traceback, keep the exception."""
    lines = str(text).split("\n")
    if any(line.startswith("Traceback ") for line in lines):
        lines = [line for line in lines if line.strip()][-1:]
    return " ".join(" ".join(lines).split())


def say(text: str) -> None:
    """Print a line on stderr. The work does not depend on somebody who reads it."""
    try:
        print(f"vdiff: {text}", file=sys.stderr, flush=True)
    except OSError:
        # What could not be written is still in the buffer. Python would fail to write it again when it ends, and exit
        # with a status of its own.
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, sys.stderr.fileno())
        os.close(null)
