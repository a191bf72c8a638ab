"""Measures the filters of vdiff; see scripts/bench --help."""

import argparse
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

from . import curves, machine, report, speed
from .measuring import ROUNDS
from .settings import DEPTHS, SIZES, NotThereError
from .works import selected

ROOT = Path(__file__).resolve().parent.parent.parent
TABLES = ("quality", "inpaint", "interpolation", "repair", "encoding", "delogo")
HELP = f"""
Without a command: everything but the tables of quality, as a table, into a file and a picture, in three quarters of an
hour. Nothing else should run meanwhile. Other commands: {", ".join(TABLES)}; see COMMAND --help.
"""


def measure_speed(options: argparse.Namespace) -> Iterator[tuple[str, Any]]:
    """Measures the table, prints a line for each record."""
    where = speed.settings(options.sizes, options.depths, options.threads)
    for found in speed.table(selected(options.work), where, options.rounds):
        print(found if isinstance(found, str) else speed.line(found), flush=True)
        yield ("missing" if isinstance(found, str) else "speed"), found


def measure_curves(options: argparse.Namespace) -> Iterator[tuple[str, Any]]:
    """Measures curves, prints a line for each."""
    for curve in curves.selected(options.curve, options.over):
        record = curve.measured()
        print(curves.line(record), flush=True)
        yield "curves", record


def measure_all(options: argparse.Namespace) -> Iterator[tuple[str, Any]]:
    """Measures both."""
    yield from measure_speed(options)
    yield from measure_curves(options)


def quote(options: argparse.Namespace) -> Iterator[tuple[str, Any]]:
    """Puts results into the documents."""
    try:
        report.quote(options.file, ROOT, options.name)
    except (LookupError, OSError, ValueError) as reason:
        sys.exit(f"bench: {options.file} cannot be quoted: {reason}")
    return iter(())


def resident(options: argparse.Namespace) -> Iterator[tuple[str, Any]]:
    """Measures memory at a point of a curve, in this process."""
    curves.print_resident(options.curve, options.over, options.point)
    return iter(())


def parsed(arguments: list[str]) -> argparse.Namespace:
    """The command line."""
    # Suppressed: what is not given has the defaults of all commands.
    measured = argparse.ArgumentParser(add_help=False, argument_default=argparse.SUPPRESS)
    measured.add_argument("--json", type=Path, metavar="FILE", help="all figures; without a command bench.json")
    where = argparse.ArgumentParser(add_help=False, argument_default=argparse.SUPPRESS)
    where.add_argument("--sizes", nargs="+", choices=SIZES, metavar="SIZE", help=", ".join(SIZES))
    where.add_argument("--depths", nargs="+", choices=DEPTHS, metavar="DEPTH", help=", ".join(DEPTHS))
    where.add_argument("--threads", nargs="+", type=int, metavar="N")
    where.add_argument("--rounds", type=int, help=f"of what does not take too long (default {ROUNDS})")
    parser = argparse.ArgumentParser(
        prog="scripts/bench", description=__doc__, epilog=HELP, parents=[measured, where], conflict_handler="resolve"
    )
    parser.set_defaults(run=measure_all, work=[], curve=[], over=[])
    parser.set_defaults(sizes=list(speed.TABLE), depths=list(DEPTHS), threads=list(speed.THREADS), rounds=ROUNDS)
    commands = parser.add_subparsers(metavar="COMMAND")
    add = commands.add_parser("speed", parents=[measured, where], help="beside peers and the machine's limit")
    add.add_argument("work", nargs="*", help="Diffuse, Spread-box, ... (default: all)")
    add.set_defaults(run=measure_speed)
    add = commands.add_parser("curves", parents=[measured], help="over sizes, threads, steps, ...")
    add.add_argument("curve", nargs="*", help="Diffuse, Decay, ... (default: all)")
    add.add_argument("--over", nargs="+", default=[], help="pixels, threads, steps, ... (default: all)")
    add.set_defaults(run=measure_curves)
    add = commands.add_parser("quote", help="results into the documents")
    add.add_argument("file", type=Path)
    add.add_argument("--name", default="", help="keep them as docs/NAME.json: speeds of a further machine")
    add.set_defaults(run=quote)
    add = commands.add_parser("resident")
    add.add_argument("curve")
    add.add_argument("over")
    add.add_argument("point", type=int)
    add.set_defaults(run=resident)
    return parser.parse_args(arguments)


def main() -> None:
    """Does what is asked for."""
    arguments = sys.argv[1:]
    if arguments and arguments[0] in TABLES:
        import_module(f"benchmarks.{arguments[0]}").main(arguments[1:])
        return
    options = parsed(arguments)
    results = machine.described(" ".join(["scripts/bench", *arguments]))
    results |= {"speed": [], "curves": [], "missing": []}
    file = getattr(options, "json", ROOT / "bench.json" if options.run == measure_all else None)
    try:
        for key, record in options.run(options):
            results[key].append(record)
            if file:
                report.save(results, file)
    except NotThereError as reason:
        sys.exit(f"bench: {reason}")
    if file and results["speed"]:
        report.draw_speed(results, file.with_suffix(".svg"))


if __name__ == "__main__":
    main()
