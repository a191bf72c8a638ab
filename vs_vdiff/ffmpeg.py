"""Find FFmpeg and ask it what it knows: about a file, about itself.

`python -m vs_vdiff.ffmpeg ...` runs the FFmpeg that `vdiff` uses.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from vs_vdiff import interrupt
from vs_vdiff.errors import CommandError

__all__ = ["Examination", "can_write", "end", "examine", "find", "readable_formats", "spawn", "summary"]

# FFmpeg tells these from a cause only by their wording.
CONSEQUENCES = re.compile(
    r"Error opening (input|output)( files?)?\b|misdetection possible|Error selecting an encoder|Conversion failed"
    r"|Could not open encoder before EOF|Nothing was written into output file|Error sending frames to consumers"
    r"|Error muxing a packet|Terminating thread|Task finished with error|Last message repeated"
)


@cache
def find() -> str:
    """Give the path of FFmpeg: the one on PATH, else the one that comes with imageio-ffmpeg.

    Raises:
        CommandError: There is neither.
    """
    if system := shutil.which("ffmpeg"):
        return system
    try:
        import imageio_ffmpeg

        return str(imageio_ffmpeg.get_ffmpeg_exe())
    except (ImportError, RuntimeError) as error:
        raise CommandError('there is no FFmpeg: install it, or pip install "vapoursynth-vdiff[cli]"') from error


def spawn(arguments: Sequence[str], stdin: int = subprocess.DEVNULL) -> "subprocess.Popen[bytes]":
    """Start FFmpeg in a session of its own, where the terminal's Ctrl-C does not reach it."""
    try:
        return subprocess.Popen(
            [find(), "-hide_banner", "-nostdin", *arguments],
            stdin=stdin,
            bufsize=0,  # frames are large, and what a buffer still held could not be dropped
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
    except OSError as error:
        raise CommandError(f"FFmpeg does not start: {find()}: {error.strerror}") from error


def end(process: "subprocess.Popen[Any]") -> None:
    """End a program, if it still runs, and what it started: `ffmpeg` may be a script around the program."""
    if process.poll() is None:
        with suppress(OSError):
            os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def run(*arguments: str) -> tuple[int, str]:
    """Run FFmpeg to its end; give its exit status and its messages."""
    with interrupt.held(lambda: spawn(arguments), end) as process:
        _, messages = process.communicate()
    return process.returncode, messages.decode(errors="replace")


def summary(messages: Iterable[str], limit: int = 4) -> str:
    """Name the cause in FFmpeg's messages, without addresses, repetitions and mere consequences."""
    bare = dict.fromkeys(re.sub(r"^(\[[^\]]*? @ 0x[0-9a-f]+\] )+", "", line).strip() for line in messages)
    causes = [line for line in bare if line and not CONSEQUENCES.search(line)]
    return "; ".join(line.rstrip(".") for line in (causes or [line for line in bare if line])[-limit:])


@dataclass(frozen=True)
class Examination:
    """What a pass over a file's packets tells."""

    start: float
    """Time stamp of the earliest stream, in seconds."""
    announced: float
    """Length by the file's header, in seconds; 0 if it has none."""
    reached: float
    """Last time stamp, from the start, in seconds."""
    streams: dict[int, str]
    """What FFmpeg says of each stream, as in `Audio: aac (LC), 44100 Hz`."""
    truncation: str
    """Why the file must have been cut off; empty if it does not look so."""
    corrupt: bool
    """Some packets are damaged."""
    error: str
    """Why it cannot be opened; empty if it can."""

    def count(self, kind: str) -> int:
        """Count the streams of a kind: `Audio`, `Subtitle`, `Attachment`."""
        return sum(stream.startswith(f"{kind}:") for stream in self.streams.values())

    def size(self, stream: int) -> tuple[int, int] | None:
        """Give width and height of the pictures in a stream."""
        found = re.search(r", (\d+)x(\d+)\b", self.streams.get(stream, ""))
        return (int(found[1]), int(found[2])) if found else None


def examine(path: Path) -> Examination:
    """Read the packets of a file, without decoding them: where it starts, and whether its end is missing."""
    # The header's length is that of the longest stream, whatever its kind: the pass has to see them all.
    maps = [option for kind in "Vasd" for option in ("-map", f"0:{kind}?")]
    selection = [*maps, "-copy_unknown", "-c", "copy", "-f", "null"]
    status, output = run("-loglevel", "info", "-stats", "-i", str(path), *selection, os.devnull)
    opening, _, reading = output.partition("Output #0")
    seconds = re.compile(r"(\d+):(\d\d):(\d\d\.\d+)")

    def time(label: str, text: str) -> float:
        found = re.findall(label + seconds.pattern, text) or ["000"]
        return sum(float(part) * unit for part, unit in zip(found[-1], (3600, 60, 1), strict=True))

    start = re.search(r"Duration: .*?start: (-?[\d.]+)", opening)
    # Messages begin with their origin in brackets; what does not may be a title.
    complaints = "\n".join(re.findall(r"^\[.*", reading, re.MULTILINE))
    complaint = re.search(r"partial file|ended prematurely|[Tt]runcat\w+", complaints)
    errors = output.splitlines() if status and not reading else []
    return Examination(
        start=float(start[1]) if start else 0.0,
        streams={
            int(number): text
            for number, text in re.findall(r"^ *Stream #0:(\d+).*?: ([A-Z]\w+: .*)$", opening, re.MULTILINE)
        },
        announced=time("Duration: ", opening),
        reached=time(r"\btime=", reading),
        truncation=complaint[0] if complaint else "",
        corrupt="corrupt" in complaints,
        error=summary((line for line in errors if line.startswith(("[", "Error"))), limit=1),
    )


def can_write(source: Path, stream: int, arguments: Sequence[str], suffix: str) -> bool:
    """Try whether a second of an audio stream of `source` goes into a file of this kind."""
    with interrupt.temporary_folder() as folder:
        trial = folder / f"trial{suffix}"
        status, _ = run("-i", str(source), "-map", f"0:a:{stream}", "-t", "1", *arguments, str(trial))
        return status == 0


@cache
def readable_formats() -> frozenset[str]:
    """List the pixel formats that FFmpeg can convert from.

    Raises:
        CommandError: FFmpeg is broken.
    """
    command = [find(), "-hide_banner", "-pix_fmts"]
    try:
        result = subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL, errors="replace", check=False)
    except OSError as error:
        raise CommandError(f"FFmpeg does not start: {find()}: {error.strerror}") from error
    formats = frozenset(re.findall(r"^I\S{4} (\w+) ", result.stdout, re.MULTILINE))
    if result.returncode or not formats:
        reason = (result.stderr.strip().splitlines() or [f"exit status {result.returncode}"])[-1]
        raise CommandError(f"FFmpeg does not work: {find()}: {reason}")
    return formats


if __name__ == "__main__":
    os.execv(find(), [find(), *sys.argv[1:]])
