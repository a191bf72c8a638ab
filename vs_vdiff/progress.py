"""Progress on stderr: a bar on a terminal, a line now and then elsewhere."""

import sys
import time
from contextlib import suppress
from datetime import timedelta
from typing import Protocol, Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text

from vs_vdiff import interrupt

__all__ = ["Reporter", "make_reporter"]

SILENCE = 60.0  # seconds after which a log is told that work goes on


class Reporter(Protocol):
    """Tells the user how far the work is."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...

    def note(self, text: str) -> None:
        """Say something worth a line."""

    def status(self, text: str) -> None:
        """Show what happens before the first frame."""

    def frames(self, done: int, total: int) -> None:
        """Show how many frames are done."""


def make_reporter(quiet: bool) -> Reporter:
    """Choose by where stderr goes."""
    if quiet:
        return Silent()
    console = Console(file=sys.stderr)
    if console.is_terminal:
        return Bar(console)
    return Lines()


class Silent:
    """Says nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def note(self, text: str) -> None:
        pass

    def status(self, text: str) -> None:
        pass

    def frames(self, done: int, total: int) -> None:
        pass


class Lines(Silent):
    """Plain lines for a log: one every tenth of the way, and one a minute where that takes longer."""

    def __init__(self) -> None:
        self.stream = sys.stderr
        self.start = self.told = time.monotonic()
        self.tenth = 0

    def note(self, text: str) -> None:
        with suppress(OSError):  # the work does not depend on a reader of its log
            print(f"vdiff: {text}", file=self.stream, flush=True)

    def frames(self, done: int, total: int) -> None:
        now = time.monotonic()
        if done == 0:
            self.start = self.told = now
        elif done * 10 // total > self.tenth or now - self.told > SILENCE:
            self.tenth, self.told = done * 10 // total, now
            rate = done / max(now - self.start, 1e-6)
            left = timedelta(seconds=round((total - done) / rate))
            self.note(f"{done}/{total} frames, {rate:.1f} fps, {left} left")


class RateColumn(ProgressColumn):
    """Frames per second over the last seconds."""

    def render(self, task: Task) -> Text:
        rate = task.finished_speed or task.speed
        return Text(f"{rate:.1f} fps" if rate else "- fps", style="progress.data.speed")


class Bar(Silent):
    """A bar with frames, frame rate and time left."""

    def __init__(self, console: Console) -> None:
        left = TimeRemainingColumn(compact=True, elapsed_when_finished=True)
        columns = [TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), RateColumn(), left]
        self.progress = Progress(*columns, console=console)
        self.task = self.progress.add_task("reading", total=None)

    def __enter__(self) -> Self:
        self.context = interrupt.held(lambda: self.progress.start(), lambda _: self.progress.stop())
        self.context.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self.context.__exit__(None, None, None)

    def note(self, text: str) -> None:
        self.progress.console.print(f"vdiff: {text}", markup=False, highlight=False, soft_wrap=True)

    def status(self, text: str) -> None:
        self.progress.update(self.task, description=text)

    def frames(self, done: int, total: int) -> None:
        if done == 0:
            self.progress.reset(self.task, total=total, description="frames")
        self.progress.update(self.task, completed=done)
