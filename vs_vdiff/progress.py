"""Progress on stderr: a bar on a terminal, a line now and then elsewhere."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text

from vs_vdiff import interrupt
from vs_vdiff.errors import say

__all__ = ["Reporter", "make_reporter"]

SILENCE = 60.0  # seconds after which a log is told that work goes on


class Reporter(Protocol):
    """Tells the user how far the work is."""

    def note(self, text: str) -> None:
        """Say something worth a line."""

    def status(self, text: str) -> None:
        """Show what happens before the first frame."""

    def frames(self, done: int, total: int) -> None:
        """Show how many frames are done."""


@contextmanager
def make_reporter(quiet: bool) -> Iterator[Reporter]:
    """Choose by where stderr goes."""
    console = Console(file=sys.stderr)
    if quiet:
        yield Silent()
    elif console.is_terminal:
        bar = Bar(console)
        with interrupt.held(bar.progress.start, lambda _: bar.progress.stop()):
            yield bar
    else:
        yield Lines()


class Silent:
    """Says nothing."""

    def note(self, text: str) -> None:
        pass

    def status(self, text: str) -> None:
        pass

    def frames(self, done: int, total: int) -> None:
        pass


class Lines(Silent):
    """Plain lines for a log: one every tenth of the way, and one a minute where that takes longer."""

    def __init__(self) -> None:
        self.start = self.told = time.monotonic()
        self.tenth = 0

    def note(self, text: str) -> None:
        say(text)

    def status(self, text: str) -> None:
        if (now := time.monotonic()) - self.told >= SILENCE:
            self.told = now
            self.note(text)

    def frames(self, done: int, total: int) -> None:
        now = time.monotonic()
        if done == 0:
            self.start = self.told = now
        elif done * 10 // total > self.tenth or now - self.told >= SILENCE:
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

    def note(self, text: str) -> None:
        self.progress.console.print(f"vdiff: {text}", markup=False, highlight=False, soft_wrap=True)

    def status(self, text: str) -> None:
        self.progress.update(self.task, description=text)

    def frames(self, done: int, total: int) -> None:
        if done == 0:
            self.progress.reset(self.task, total=total, description="frames")
        self.progress.update(self.task, completed=done)
