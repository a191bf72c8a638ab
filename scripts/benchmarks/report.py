"""A file of results as tables, pictures, and the figures that documents quote.

What stands in a document between `<!--bench WHAT-->` and `<!--/bench-->` is written by `scripts/bench quote FILE`, and
a test sees that it is what docs/RUN.json says: `speed`, `curves`, or the speeds of another machine. WHAT is words apart
by `|`:

    machine|RUN                     the machine, date and command
    slower|RUN                      a table of the peers that are faster at the same work
    below|RUN                       how many comparisons with the same work that is, of how many
    ratio|WORK|PEER[|SETTING]       how many times as fast ours is; without a setting, from ... to ... over all
    fps|WORK|SETTING                frames a second
    part|WORK|SETTING               of the machine's limit
    peers, limits, curves           tables; in this and the three above, of the run `speed`, curves of `curves`

SETTING is `1080p 8 2`: size, depth, threads.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from .settings import DEPTHS

type Results = dict[str, Any]
type Record = dict[str, Any]
type Runs = dict[str, Results]
"""What the documents quote, by name."""

PARTS = ("speed", "curves")
"""The parts of a file of results; each is the name, too, of the run that most is quoted of."""

MARKED = re.compile(r"(<!--bench ([^>]*?)-->)(.*?)(<!--/bench-->)", re.DOTALL)
MAIN = "1080p {} 2"
"""The setting of the tables, of a depth."""


def load(file: Path) -> Results:
    """The results in a file."""
    found: Results = json.loads(file.read_text(encoding="utf-8"))
    return found


def save(results: Results, file: Path) -> None:
    """Writes them, a record in a line."""
    parts = []
    for key, value in results.items():
        if isinstance(value, list):
            lines = ",\n  ".join(json.dumps(each, ensure_ascii=False) for each in value)
            parts.append(f'"{key}": [\n  {lines}\n ]' if value else f'"{key}": []')
        else:
            parts.append(f'"{key}": {json.dumps(value, ensure_ascii=False)}')
    file.write_text("{\n " + ",\n ".join(parts) + "\n}\n", encoding="utf-8")


def stored(root: Path) -> Runs:
    """What lies beside the documents: the only JSON files there."""
    return {file.stem: load(file) for file in sorted((root / "docs").glob("*.json"))}


# Figures


def rounded(value: float) -> str:
    """Two figures, more of none."""
    if value == 0 or not math.isfinite(value):
        return f"{value:g}"
    value = float(f"{value:.1e}")
    return f"{value:.{max(0, 1 - math.floor(math.log10(abs(value))))}f}"


def setting_of(record: Record) -> str:
    """As documents write it."""
    return f"{record['size']} {record['depth']} {record['threads']}"


def records_of(results: Results, work: str) -> dict[str, Record]:
    """By setting."""
    found = {setting_of(record): record for record in results["speed"] if record["work"] == work}
    if not found:
        raise LookupError(f"no results of {work}")
    return found


def ratios(results: Results, work: str, peer: str) -> dict[str, float]:
    """How many times as fast as a peer ours is, by setting."""
    found = {
        setting: record["peers"][peer]["ratio"]
        for setting, record in records_of(results, work).items()
        if "ratio" in record["peers"].get(peer, {})
    }
    if not found:
        raise LookupError(f"no results of {work} beside {peer}")
    return found


def span(values: Iterable[float]) -> str:
    """From the least to the most."""
    found = sorted(values)
    low, high = rounded(found[0]), rounded(found[-1])
    return low if low == high else f"{low}…{high}"


def part(record: Record) -> float:
    """Of the nearest limit."""
    return float(record["limits"][record["bound"]])


def machine(results: Results) -> str:
    """Where and when it was measured, and how."""
    return (
        f"{results['cpu']}, {results['cores']} cores, {results['level']}, VapourSynth {results['vapoursynth']}; "
        f"{results['date']}, commit {results['commit']}; `{results['command']}`"
    )


def quoted(runs: Runs, what: str) -> str:
    """What stands in the place of a mark."""
    name, *words = what.strip().split("|")
    speed = runs["speed"]
    match name, words:
        case "machine", [of]:
            return machine(runs[of])
        case "slower", [of]:
            return table(slower(runs[of]))
        case "below", [of]:
            found = [found for *_, found in same_work(runs[of])]
            return f"{sum(each < 1 for each in found)} of {len(found)}"
        case "ratio", [work, peer]:
            return span(ratios(speed, work, peer).values())
        case "ratio", [work, peer, setting]:
            return rounded(ratios(speed, work, peer)[setting])
        case "fps", [work, setting]:
            return rounded(records_of(speed, work)[setting]["fps"])
        case "part", [work, setting]:
            return f"{100 * part(records_of(speed, work)[setting]):.0f} %"
        case _, [] if name in TABLES:
            of, lines = TABLES[name]
            return table(lines(runs[of]))
    raise LookupError(f"what is {what}?")


def rewritten(text: str, runs: Runs) -> str:
    """A document with its figures."""

    def write(match: re.Match[str]) -> str:
        return match[1] + quoted(runs, match[2]) + match[4]

    return MARKED.sub(write, text)


# Tables


def table(lines: list[str]) -> str:
    """As it stands between marks."""
    return "\n\n" + "\n".join(lines) + "\n\n"


def row(cells: Iterable[str]) -> str:
    """A line of a table."""
    return "| " + " | ".join(cells) + " |"


def peers(results: Results) -> list[str]:
    """Every filter beside every peer."""
    lines = [
        row(("filter", "beside", *(kind(depth) for depth in DEPTHS), "all settings")),
        row(("---", "---", *("---:" for _ in DEPTHS), "---:")),
    ]
    for work in works(results):
        records = records_of(results, work)
        names = dict.fromkeys(name for record in records.values() for name in record["peers"])
        for name in names:
            found = [record["peers"][name] for record in records.values() if name in record["peers"]]
            measured = [each for each in found if "ratio" in each]
            if not measured:
                lines.append(row((work, f"{name}: {found[0]['missing']}", *("" for _ in DEPTHS), "")))
                continue
            by_setting = ratios(results, work, name)
            cells = [rounded(by_setting[at]) if (at := MAIN.format(d)) in by_setting else "" for d in DEPTHS]
            label = name if measured[0]["same"] else f"*{name}*"
            lines.append(row((work, label, *cells, span(by_setting.values()))))
    return lines


def same_work(results: Results) -> Iterator[tuple[str, str, str, float]]:
    """Work, peer, setting, and how many times as fast ours is, of peers that do the same work."""
    for record in results["speed"]:
        for name, peer in record["peers"].items():
            if peer.get("same"):
                yield record["work"], name, setting_of(record), peer["ratio"]


def slower(results: Results) -> list[str]:
    """Where a peer is faster at the same work."""
    lines = [row(("filter", "beside", "faster in", "size, depth, threads: ours, times as fast as the peer"))]
    lines.append(row(("---", "---", "---:", "---")))
    by_peer: dict[tuple[str, str], dict[str, float]] = {}
    for work, name, setting, found in same_work(results):
        by_peer.setdefault((work, name), {})[setting] = found
    for names, by_setting in by_peer.items():
        below = [f"{setting}: {found:.4g}" for setting, found in by_setting.items() if found < 1]
        if below:
            lines.append(row((*names, f"{len(below)} of {len(by_setting)}", ", ".join(below))))
    return lines


def kind(depth: str) -> str:
    """A depth in a heading."""
    return "float" if depth == "float" else f"{depth} bit"


def works(results: Results) -> list[str]:
    """In order."""
    return list(dict.fromkeys(record["work"] for record in results["speed"]))


def limits(results: Results) -> list[str]:
    """How far every filter is from the machine's limit."""
    lines = [
        row(("filter", *(f"{kind(depth)}: fps | of the limit" for depth in DEPTHS))),
        row(("---", *("---: | ---" for _ in DEPTHS))),
    ]
    for work in works(results):
        records = records_of(results, work)
        cells = []
        for depth in DEPTHS:
            record = records.get(MAIN.format(depth))
            cells.append(
                f"{rounded(record['fps'])} | {100 * part(record):.0f} % {record['bound']}" if record else " | "
            )
        lines.append(row((work, *cells)))
    return lines


def curves(results: Results) -> list[str]:
    """Time and memory at the points of every curve."""
    lines = [row(("filter", "over", "points", "ms a frame", "slope", "MB")), row(("---", "---", *("---:",) * 4))]
    for record in results["curves"]:
        points, times, memory = (
            " ".join(f"{each:.4g}" for each in record[key]) for key in ("points", "milliseconds", "megabytes")
        )
        lines.append(row((record["curve"], record["over"], points, times, f"{record['slope']:.2f}", memory)))
    return lines


TABLES: dict[str, tuple[str, Callable[[Results], list[str]]]] = {
    "peers": ("speed", peers),
    "limits": ("speed", limits),
    "curves": ("curves", curves),
}
"""The part that a table is of, and its lines."""


# Pictures

BOUNDS = {"memory": "#4477aa", "add": "#ee6677", "mul": "#228833", "div": "#ccbb44"}


def draw_speed(results: Results, file: Path) -> None:
    """Every filter beside its peers, and beside the machine's limit."""
    import matplotlib

    matplotlib.use("svg")
    from matplotlib import pyplot as plt
    from matplotlib.patches import Patch

    names = works(results)
    plt.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "vdiff", "font.size": 9})
    figure, (left, right) = plt.subplots(
        1, 2, figsize=(10, 0.26 * len(names) + 1.2), sharey=True, width_ratios=(3, 2), layout="constrained"
    )
    for y, work in enumerate(names):
        records = records_of(results, work)
        for name in dict.fromkeys(name for record in records.values() for name in record["peers"]):
            found = [r["peers"][name] for r in records.values() if "ratio" in r["peers"].get(name, {})]
            if not found:
                continue
            low, high = min(f["ratio"] for f in found), max(f["ratio"] for f in found)
            color, middle = ("#332288" if found[0]["same"] else "#aaaaaa"), math.sqrt(low * high)
            left.plot([low, high], [y, y], color=color, alpha=0.5, linewidth=2)
            left.plot([middle], [y], "o", color=color, markersize=4)
        for offset, depth in zip((-0.25, 0, 0.25), DEPTHS, strict=True):
            if record := records.get(MAIN.format(depth)):
                right.barh(y + offset, 100 * part(record), 0.24, color=BOUNDS[record["bound"]])
    left.set(xscale="log", yticks=range(len(names)), yticklabels=names, ylim=(len(names) - 0.4, -0.6))
    left.axvline(1, color="black", linewidth=0.8)
    left.set_xlabel(
        "times as fast as a peer, over all settings\n(dark: the same work, grey: other work to the same end)"
    )
    right.axvline(100, color="black", linewidth=0.8)
    right.set_xlim(0, 130)
    right.set_xlabel("% of the machine's limit, 1080p, two threads:\n8 bit, 16 bit, float")
    right.legend(
        [Patch(color=color) for color in BOUNDS.values()],
        ["copying memory", "additions", "multiplications", "divisions"],
        loc="lower right",
        fontsize=8,
    )
    for axes in (left, right):
        axes.grid(axis="x", linewidth=0.4, alpha=0.5)
    figure.savefig(file, metadata={"Date": None})
    plt.close(figure)


def draw_curves(results: Results, file: Path) -> None:
    """The curves."""
    import matplotlib

    matplotlib.use("svg")
    from matplotlib import pyplot as plt

    plt.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "vdiff", "font.size": 8})
    groups = {
        "pixels": "ns a pixel",
        "threads": "times one thread's speed",
        "steps": "ms a frame",
        "time": "ms a frame",
        "half-life": "ms a frame",
        "masked pixels": "ms a frame",
    }
    figure, axes = plt.subplots(2, 3, figsize=(11, 8), layout="constrained")
    for (over, label), plot in zip(groups.items(), axes.flat, strict=True):
        for number, record in enumerate(r for r in results["curves"] if r["over"] == over):
            points, times = record["points"], record["milliseconds"]
            if over == "pixels":
                times = [1e6 * ms / n for n, ms in zip(points, times, strict=True)]
            elif over == "threads":
                times = [times[0] / ms for ms in times]
            style = ("-", "--", ":", "-.")[number // 10 % 4]
            plot.plot(points, times, style, marker=".", linewidth=1, label=record["curve"])
        plot.set(xscale="log", yscale="linear" if over == "threads" else "log", xlabel=over, ylabel=label)
        plot.grid(linewidth=0.4, alpha=0.5)
        if plot.lines:
            plot.legend(fontsize=4.5 if over in ("pixels", "threads") else 6, ncols=3 if over == "pixels" else 1)
    figure.savefig(file, metadata={"Date": None})
    plt.close(figure)


def documents(root: Path) -> list[Path]:
    """Those that may quote."""
    return [root / "README.md", *sorted((root / "docs").glob("*.md"))]


def quote(file: Path, root: Path, name: str = "") -> None:
    """Makes the documents say what the file says, of the speeds, of the curves, or of both.

    Args:
        file: Results; one of those that lie beside the documents is only quoted.
        root: The folder of the README.
        name: That of the run, if it is not the one that most is quoted of; then of the speeds.
    """
    runs = stored(root)
    if file.resolve().parent != (root / "docs").resolve():
        new = taken_apart(load(file), name)
        for each, results in new.items():
            if lost := measured(runs[each]) - measured(results) if each in runs else ():
                raise LookupError(f"{each} would lose what {file.name} lacks: {min(lost)}, {len(lost)} in all")
        runs |= new
    elif file.stem not in runs or name:
        raise LookupError(f"{file} is none of the runs that are quoted, which have their names already")
    # Figures may be missing: all texts are there before anything is written.
    texts = {document: rewritten(document.read_text(encoding="utf-8"), runs) for document in documents(root)}
    draw_speed(runs["speed"], root / "docs" / "speed.svg")
    draw_curves(runs["curves"], root / "docs" / "scaling.svg")
    for each, results in runs.items():
        save(results, root / "docs" / f"{each}.json")
    for document, text in texts.items():
        document.write_text(text, encoding="utf-8")


def measured(results: Results) -> set[tuple[str, str]]:
    """What there are results of."""
    speeds = {(record["work"], setting_of(record)) for record in results.get("speed", ())}
    return speeds | {(record["curve"], record["over"]) for record in results.get("curves", ())}


def taken_apart(results: Results, name: str) -> Runs:
    """The parts of a file of results, each with what the file says of its machine."""
    if name in PARTS or name != Path(name).name:
        raise LookupError(
            f"{name} cannot be the name of a further run; {', '.join(PARTS)} take none, others are a word"
        )
    parts = [part for part in PARTS if results.get(part) and (part == "speed" or not name)]
    if not parts:
        raise LookupError(f"there are no {'speeds' if name else 'speeds and no curves'} in the file")
    about = {key: value for key, value in results.items() if key not in (*PARTS, "missing")}
    return {name or part: about | {part: results[part]} for part in parts}
