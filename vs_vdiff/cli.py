"""Entry point of the `vdiff` command: messages and exit status."""

import sys
from collections.abc import Sequence
from typing import NoReturn

from vs_vdiff import interrupt
from vs_vdiff.errors import CommandError, one_line, say

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command and exit: 0 done, 1 failed, 2 wrong command line, 128 + n stopped by signal n.

    Args:
        arguments: The command line without the program's name; by default that of the process.
    """
    interrupt.watch()
    own, encoder = split_at_dashes(sys.argv[1:] if arguments is None else arguments)
    try:
        status = call(own, encoder)
    except CommandError as error:
        fail(str(error), error.status)
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("vs_vdiff"):
            raise
        fail(
            f'the command needs packages that are not installed ({error}): pip install "vapoursynth-vdiff[cli]"; '
            "vdiff doctor says more"
        )
    except (ImportError, OSError) as error:  # of the first kind is a plugin that is not found
        fail(str(error))
    except Exception as error:
        vapoursynth = sys.modules.get("vapoursynth")  # which may be what is missing
        if vapoursynth is None or not isinstance(error, vapoursynth.Error):
            raise
        fail(str(error))
    interrupt.ignore()
    sys.exit(status)


def call(own: Sequence[str], encoder: Sequence[str]) -> int:
    """Run a command and give its exit status."""
    import click

    from vs_vdiff.commands import vdiff

    try:
        return int(vdiff.main(own, prog_name="vdiff", obj=encoder, standalone_mode=False) or 0)
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        return 2
    except click.ClickException as error:
        fail(error.format_message(), error.exit_code)


def split_at_dashes(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """Split the command line at the first `--` into vdiff's own part and FFmpeg's."""
    if "--" not in arguments:
        return list(arguments), []
    position = arguments.index("--")
    return list(arguments[:position]), list(arguments[position + 1 :])


def fail(message: str, status: int = 1) -> NoReturn:
    """Say in one line what is wrong, and exit."""
    with interrupt.ending:  # not if a signal ends the process: that has its own message
        pass
    say(one_line(message))
    interrupt.ignore()
    sys.exit(status)
