"""SIGINT, SIGTERM and SIGHUP end the command at once and leave nothing behind.

Python runs signal handlers between two bytecodes of the main thread, which may sit for minutes in native code, as when
BestSource reads a film. So the signals wake a thread of their own, which undoes what is held and ends the process.
"""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["ending", "held", "ignore", "temporary_folder", "watch"]

PATIENCE = 2.0  # seconds; to undo everything takes less, unless it hangs
SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]

# Whoever owns this lock ends the process or changes what has to be undone at the end; the other one waits. A signal
# never gives it back, so that no second message comes from the thread whose FFmpeg it killed.
ending = threading.RLock()
_undo: list[Callable[[], None]] = []
_settled = threading.Event()


@contextmanager
def held[T](make: Callable[[], T], undo: Callable[[T], None]) -> Iterator[T]:
    """Hold what `make` returns; `undo` it when the block is left or when a signal ends the process."""
    with ending:
        thing = make()
        action = partial(undo, thing)
        _undo.append(action)
    try:
        yield thing
    finally:
        with ending:
            _undo.remove(action)
            action()


@contextmanager
def temporary_folder(parent: "Path | None" = None) -> "Iterator[Path]":
    """Hold a hidden folder in `parent`, or one where the system has such things."""
    # Imported here because until `watch` is called, a signal ends in a traceback: what comes before has to be quick.
    import shutil
    import tempfile
    from pathlib import Path

    def make() -> Path:
        return Path(tempfile.mkdtemp(prefix=".vdiff-", dir=parent))

    with held(make, lambda folder: shutil.rmtree(folder, ignore_errors=True)) as folder:
        yield folder


def watch() -> None:
    """End the process on a signal from now on, with status 128 + the signal's number."""
    read_end, write_end = os.pipe()
    os.set_blocking(write_end, False)
    signal.set_wakeup_fd(write_end, warn_on_full_buffer=False)
    for number in SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:  # nohup
            signal.signal(number, lambda *_: None)
    threading.Thread(target=_wait, args=(read_end,), name="signals", daemon=True).start()


def ignore() -> None:
    """Let no signal end the process any more: its work is done, and its status settled."""
    with ending:
        _settled.set()
        for number in SIGNALS:
            signal.signal(number, signal.SIG_IGN)


def _wait(read_end: int) -> None:
    number = os.read(read_end, 1)[0]
    # Whoever writes to stderr waits for ever if its reader has stalled: this thread, or the one that owns the lock.
    timer = threading.Timer(PATIENCE, os._exit, [128 + number])
    timer.daemon = True
    timer.start()
    with ending:
        if _settled.is_set():
            timer.cancel()
            return
        for action in reversed(_undo):
            with suppress(Exception):
                action()
        with suppress(OSError):  # past sys.stderr, whose own lock may be taken
            os.write(2, f"vdiff: stopped by {signal.Signals(number).name}\n".encode())
        # Other threads may be in native code for long, and nothing of theirs is worth waiting for.
        os._exit(128 + number)
