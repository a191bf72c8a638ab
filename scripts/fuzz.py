"""Random cases of tests/fuzzing.py in processes of their own, so that a crash or a hang ends a case and not the run.

A worker reads the numbers of cases, one a line, and answers each with a line of JSON. Whoever started it knows which
one it was at when it died or went silent.
"""

from __future__ import annotations

import argparse
import faulthandler
import json
import os
import queue
import select
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any

ROOT = Path(__file__).resolve().parent.parent
LIMIT = 120.0
"""Seconds after which a case is taken for one that never ends; the slowest take a few."""
DEFAULT_SEED = 20260101


@dataclass(frozen=True)
class Result:
    """How a case ended.

    Attributes:
        number: The case.
        text: What it was, as far as it is known.
        ends: Of each filter that took part how it ended.
        finds: What is wrong.
        seconds: How long it took.
        resident: Bytes of memory that the worker has then; 0: it died.
    """

    number: int
    text: str = ""
    ends: list[tuple[str, str]] = field(default_factory=list)
    finds: list[str] = field(default_factory=list)
    seconds: float = 0.0
    resident: int = 0


def worker_command(seed: int, library: Path | None = None) -> list[str]:
    """What starts a worker."""
    more = [] if library is None else ["--library", str(library)]
    return [sys.executable, str(Path(__file__).resolve()), "--worker", "--seed", str(seed), *more]


class Worker:
    """A process that runs cases, and is replaced when it dies."""

    def __init__(self, command: Sequence[str], limit: float) -> None:
        """Start it at its first case.

        Args:
            command: What starts it.
            limit: Seconds that a case may take.
        """
        self.command, self.limit = command, limit
        self.process: subprocess.Popen[bytes] | None = None
        self.errors: IO[bytes] | None = None

    def start(self) -> subprocess.Popen[bytes]:
        """The process, a new one if there is none."""
        if self.process is None:
            self.errors = tempfile.TemporaryFile()  # noqa: SIM115
            self.process = subprocess.Popen(
                self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors, bufsize=0
            )
        return self.process

    def run(self, number: int) -> Result:
        """A case."""
        process = self.start()
        assert process.stdin is not None and process.stdout is not None
        started = time.monotonic()
        try:
            process.stdin.write(f"{number}\n".encode())
        except BrokenPipeError:
            return self.died(number)
        line, end = b"", started + self.limit
        while not line.endswith(b"\n"):
            ready, _, _ = select.select([process.stdout], [], [], max(0.0, end - time.monotonic()))
            if not ready:
                return self.died(number, f"no end after {self.limit:g} seconds")
            part = os.read(process.stdout.fileno(), 1 << 16)
            if not part:
                return self.died(number)
            line += part
        return Result(**json.loads(line))

    def died(self, number: int, problem: str = "") -> Result:
        """What is known of a case that did not come to an end. The process is gone afterwards."""
        assert self.process is not None and self.errors is not None
        if problem:
            self.process.send_signal(signal.SIGABRT)  # says where its threads are
        try:
            status = self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            status = self.process.wait()
        name = signal.Signals(-status).name if status < 0 else f"exit status {status}"
        self.errors.seek(0)
        said = self.errors.read().decode(errors="replace").split("\nExtension modules:")[0][:3000]
        self.stop()
        return Result(number, finds=[f"{problem or f'crashed, {name}'}\n{said}".rstrip()])

    def stop(self) -> None:
        """End the process."""
        if self.process is not None and self.errors is not None:
            assert self.process.stdin is not None and self.process.stdout is not None
            self.process.stdin.close()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
            self.process.stdout.close()
            self.errors.close()
        self.process = self.errors = None


def run_cases(
    command: Sequence[str], numbers: Iterable[int], workers: int = 1, limit: float = LIMIT
) -> Iterator[Result]:
    """Results of cases, in the order in which they end.

    Args:
        command: What starts a worker.
        numbers: The cases.
        workers: How many run at once.
        limit: Seconds that a case may take.
    """
    pending, lock = iter(numbers), threading.Lock()
    results: queue.Queue[Result | BaseException | None] = queue.Queue()

    def work() -> None:
        worker = Worker(command, limit)
        try:
            while True:
                with lock:
                    number = next(pending, None)
                if number is None:
                    break
                results.put(worker.run(number))
        except BaseException as error:
            results.put(error)
        finally:
            worker.stop()
            results.put(None)

    for _ in range(workers):
        threading.Thread(target=work, daemon=True).start()
    running = workers
    while running:
        result = results.get()
        if result is None:
            running -= 1
        elif isinstance(result, BaseException):
            raise result
        else:
            yield result


def work(seed: int, library: Path | None) -> None:
    """Run the cases whose numbers come, until there are no more."""
    faulthandler.enable()
    sys.path[:0] = [str(ROOT / "tests"), str(ROOT)]
    import vapoursynth as vs

    import fuzzing
    import vs_vdiff  # noqa: F401

    if library is not None:
        vs.core.std.LoadPlugin(str(library.resolve()), forcens="fuzzed", forceid="test.fuzzed")
        fuzzing.namespace = "fuzzed"
    fuzzing.warm_up()
    for line in sys.stdin:
        outcome: dict[str, Any] = asdict(fuzzing.run(seed, int(line)))
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
        print(json.dumps(outcome | {"resident": pages * os.sysconf("SC_PAGE_SIZE")}), flush=True)


def table(counts: Counter[tuple[str, str]]) -> str:
    """How often each filter ended in each way."""
    columns = ("compared", "delicate", "drawn", "made", "refused")
    names = sorted({name for name, _ in counts})
    rows = [(name, *(f"{counts[name, end]:,}" for end in columns)) for name in names]
    rows.append(("all", *(f"{sum(counts[name, end] for name in names):,}" for end in columns)))
    return "\n".join("".join(cell.rjust(11) if i else cell.ljust(14) for i, cell in enumerate(row))
                     for row in [("", *columns), *rows])  # fmt: skip


def report(result: Result, seed: int) -> None:
    """Say what is wrong with a case, and how to have it again."""
    print(f"\ncase {result.number}: {result.text}")
    for find in result.finds:
        print(f"  {find}")
    print(f"  again: scripts/fuzz --seed {seed} --only {result.number}", flush=True)


def positive(text: str) -> int:
    """A number of cases or workers."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, got {value}")
    return value


def main() -> int:
    """Run cases, report what is found."""
    parser = argparse.ArgumentParser(prog="scripts/fuzz", description="Random chains of filters against references.")
    parser.add_argument("--cases", type=positive, default=2000, help="how many, default 2000")
    parser.add_argument("--seed", type=int, default=int(os.environ.get("VDIFF_SEED", DEFAULT_SEED)))
    parser.add_argument("--first", type=int, default=0, help="the number of the first one, default 0")
    parser.add_argument("--only", type=int, metavar="NUMBER", help="one case")
    parser.add_argument("--workers", type=positive, default=os.cpu_count() or 1, help="processes, default one a core")
    parser.add_argument("--limit", type=float, default=LIMIT, help=f"seconds that a case may take, default {LIMIT:g}")
    parser.add_argument("--library", type=Path, help="the libvdiff.so to try instead of the one installed")
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.library is not None and not args.library.is_file():
        parser.error(f"--library: {args.library} is no file")
    if args.seed < 0 or args.first < 0 or (args.only or 0) < 0:
        parser.error("--seed, --first and --only must not be negative")
    if args.worker:
        work(args.seed, args.library)
        return 0
    numbers = range(args.first, args.first + args.cases) if args.only is None else [args.only]
    workers = min(args.workers, len(numbers))
    print(f"seed {args.seed}, {len(numbers):,} cases", flush=True)
    counts: Counter[tuple[str, str]] = Counter()
    bad, done, slowest, shown = 0, 0, Result(0), time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        os.environ.setdefault("NUMBA_CACHE_DIR", folder)
        for result in run_cases(worker_command(args.seed, args.library), numbers, workers, args.limit):
            done += 1
            counts.update((name, end) for name, end in result.ends)
            slowest = max(slowest, result, key=lambda each: each.seconds)
            if result.finds:
                bad += 1
                report(result, args.seed)
            if args.only is not None:
                print(result.text)
            if time.monotonic() - shown > 60:
                shown = time.monotonic()
                print(f"{done:,} cases, {bad} bad, {result.resident / 2**20:.0f} MB", flush=True)
    print(
        f"\n{table(counts)}\n\n{done:,} cases, {bad} bad; the slowest, {slowest.number}, took {slowest.seconds:.1f} s"
    )
    return 1 if bad or done < len(numbers) else 0


if __name__ == "__main__":
    sys.exit(main())
