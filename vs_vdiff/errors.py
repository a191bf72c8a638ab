"""Errors of the command that the user sees as one line."""

__all__ = ["CommandError", "UsageError", "one_line"]


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
