"""Files that appear under their names only when they are complete."""

import errno
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from vs_vdiff import interrupt
from vs_vdiff.errors import CommandError

__all__ = ["Output", "hidden_folder", "write_text"]


@dataclass(frozen=True)
class Output:
    """The file that a command is to make, checked before any work."""

    path: Path
    overwrite: bool

    @classmethod
    def check(cls, name: Path, source: Path, overwrite: bool) -> "Output":
        """Refuse what could not be written at the end, or must not be.

        Raises:
            CommandError: The message says why.
        """
        path = Path(os.path.realpath(name))  # a link stays a link: its target is what is written
        try:
            mode = path.stat().st_mode
        except FileNotFoundError:
            pass
        except OSError as error:
            raise CommandError(f"{name}: {error.strerror}") from error
        else:
            if stat.S_ISDIR(mode):
                raise CommandError(f"{name} is a folder")
            if not stat.S_ISREG(mode):
                raise CommandError(f"{name} is not a regular file")
            if source.exists() and path.samefile(source):
                raise CommandError(f"{name}: input and output are the same file")
            if not overwrite:
                raise CommandError(f"{name} exists already; --overwrite (-y) replaces it")
        if not path.parent.is_dir():
            raise CommandError(f"{name}: the folder {path.parent} does not exist")
        if not os.access(path.parent, os.W_OK | os.X_OK):
            raise CommandError(f"{name}: the folder {path.parent} is not writable")
        return cls(path, overwrite)

    def publish(self, folder: Path) -> None:
        """Give the finished file, which has its name in `folder`, its place in one step."""
        with self.errors():
            put(folder / self.path.name, self.path, self.overwrite)

    def write(self, text: str) -> None:
        """Write a text file."""
        self.make(lambda path: save(path, text))

    def make(self, write: Callable[[Path], None]) -> None:
        """Have a file written, to the path given, and give it its place."""
        with self.errors(), hidden_folder(self.path) as folder:
            write(folder / self.path.name)
            self.publish(folder)

    @contextmanager
    def errors(self) -> Iterator[None]:
        """Tell the user what the system refuses."""
        try:
            yield
        except FileExistsError as error:
            raise CommandError(f"{self.path} appeared meanwhile; it was not touched") from error
        except OSError as error:
            raise CommandError(f"{self.path}: {error.strerror or error}") from error


@contextmanager
def hidden_folder(output: Path) -> Iterator[Path]:
    """Hold a folder beside the output, on the same file system, for another program to write to."""
    with ExitStack() as stack:
        try:
            folder = stack.enter_context(interrupt.temporary_folder(output.parent))
        except OSError as error:
            raise CommandError(f"{output}: the folder is not writable: {error.strerror}") from error
        yield folder


def write_text(path: Path, text: str) -> None:
    """Write a text file, replacing one of that name, that is there complete or not at all.

    Raises:
        OSError: It cannot be written, or what has that name is no regular file.
    """
    path = Path(os.path.realpath(path))
    if path.exists() and not path.is_file():  # whoever may would put a file in the place of a device
        raise OSError(errno.EINVAL, "not a regular file", str(path))
    with interrupt.temporary_folder(path.parent) as folder:
        save(folder / path.name, text)
        put(folder / path.name, path, overwrite=True)


def save(path: Path, text: str) -> None:
    """Write a text file, the same bytes on every system."""
    path.write_text(text, encoding="utf-8", newline="\n")


def put(finished: Path, target: Path, overwrite: bool) -> None:
    """Rename a finished file in one step; a signal comes before or after it."""
    with interrupt.ending:
        if overwrite:
            finished.replace(target)
        else:
            rename_without_replacing(finished, target)


def rename_without_replacing(source: Path, target: Path) -> None:
    """Rename, but fail if the target exists, even if it came this very moment."""
    try:
        target.hardlink_to(source)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links: claim the name, then replace the claim
        target.touch(exist_ok=False)
        try:
            source.replace(target)
        except OSError:
            target.unlink()
            raise
