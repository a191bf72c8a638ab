"""`vdiff doctor`: what is missing on this machine, and how to mend it."""

import click
from rich.text import Text

from vs_vdiff.commands.options import refuse_encoder
from vs_vdiff.commands.printing import printing
from vs_vdiff.diagnosis import Finding, diagnose

__all__ = ["doctor"]

STYLES = {"ok": "green", "optional": "yellow", "wrong": "bold red"}


@click.command(
    options_metavar="[OPTIONS]",
    epilog="""\b
Example:
  vdiff doctor""",
)
@click.pass_obj
def doctor(encoder: list[str]) -> int:
    """See whether everything that vdiff needs is there and works.

    Each line is "ok", or says what is wrong and what to do; what is only needed for some things is "optional". The exit
    status is 0 if nothing is wrong, else 1.
    """
    refuse_encoder(encoder)
    findings = [*diagnose()]
    show(findings)
    return int(any(each.verdict == "wrong" for each in findings))


def show(findings: list[Finding]) -> None:
    """Print a line each on standard output."""
    with printing() as console:
        for each in findings:
            line = Text(f"{each.verdict:<8}", style=STYLES[each.verdict]).append(
                f"  {each.subject:<12}  ", style="bold"
            )
            console.print(line.append(each.text, style="default"), soft_wrap=True)
