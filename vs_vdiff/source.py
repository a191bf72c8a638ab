"""Open what the user names: a video file through BestSource, or a VapourSynth script."""

import contextlib
import io
import os
import re
import stat
import sys
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from types import TracebackType
from typing import Any

import vapoursynth as vs

from vs_vdiff import ffmpeg, interrupt
from vs_vdiff.errors import CommandError, one_line

__all__ = ["Source", "check_file", "open_source"]

UNKNOWN_TIME = -(2**63)  # FFmpeg's AV_NOPTS_VALUE
TEXT_CODECS = {"ansi", "bintext", "idf", "xbin"}  # FFmpeg plays text files as the films of old terminals
ATTACHED_PICTURE = 1024  # FFmpeg's AV_DISPOSITION_ATTACHED_PIC
HIGHEST_RATE = 240
# A header's length may be a little off. A file that ends earlier than this was cut.
MISSING_SECONDS, MISSING_PART = 0.5, 0.05
COMMON_RATES = [Fraction(n * 1000, d) for n in (24, 25, 30, 48, 50, 60, 100, 120) for d in (1000, 1001)]

Report = Callable[[str], None]


@dataclass(frozen=True)
class Source:
    """A clip and what FFmpeg has to know of the file it comes from."""

    clip: vs.VideoNode
    file: Path | None = None
    """Where audio, chapters and metadata come from; none for a script."""
    video_stream: int = 0
    """Index of the video stream in the file."""
    audio_streams: int = 0
    delay: float = 0.0
    """How many seconds the video starts after the file's earliest stream."""
    notes: list[str] = field(default_factory=list)
    """What the user should know of the pictures."""
    left_out: list[str] = field(default_factory=list)
    """And of what else is in the file."""
    is_converted: bool = False
    """Frames are not those of the file: their rate varied."""

    def with_clip(self, clip: vs.VideoNode) -> "Source":
        """Put another clip in the place of this one."""
        return replace(self, clip=clip)


def open_source(path: Path, status: Report) -> Source:
    """Open a video file or a `.vpy` script.

    Args:
        path: The file.
        status: Is told now and then how far the reading of a video file is.

    Raises:
        CommandError: It cannot be opened; the message says why.
    """
    check_file(path)
    try:
        str(path.resolve()).encode()
    except UnicodeEncodeError as error:
        raise CommandError(f"{path}: VapourSynth opens only what has a name in UTF-8: rename it") from error
    return run_script(path) if path.suffix.lower() == ".vpy" else open_video(path.resolve(), str(path), status)


def check_file(path: Path) -> None:
    """See that there is a file that holds something.

    Raises:
        CommandError: There is none; the message says what is there instead.
    """
    try:
        mode = path.stat().st_mode
        if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):  # to open a pipe would be to wait for its other end
            raise CommandError(f"{path}: not a regular file")
        with path.open("rb") as file:
            if not file.read(1):
                raise CommandError(f"{path}: the file is empty")
    except OSError as error:
        raise CommandError(f"{path}: {error.strerror}") from error


def open_video(path: Path, name: str, status: Report) -> Source:
    """Open a video file at a constant frame rate, upright, with nothing written beside it."""
    if not hasattr(vs.core, "bs"):
        raise CommandError('BestSource, which decodes video, is not installed: pip install "vapoursynth-vdiff[cli]"')
    facts = ffmpeg.examine(path)
    try:
        with log_read_by(status):
            tracks: dict[str, Any] = vs.core.bs.TrackInfo(str(path))
    except vs.Error as error:
        raise CommandError(f"{name}: not a video that can be read: {facts.error or one_line(error)}") from error
    track = find_video(tracks)
    if track is None:
        raise CommandError(f"{name}: there is no video in it")
    if facts.truncation:
        raise CommandError(f"{name}: the file is truncated: {facts.truncation}")

    notes = ["some packets of the input are damaged"] if facts.corrupt else []
    counts = {kind: facts.count(kind.capitalize()) for kind in ("subtitle", "attachment")}
    others = [f"{count} {kind} stream{'s' * (count > 1)}" for kind, count in counts.items() if count]
    left_out = [f"{' and '.join(others)} left out, unless a -map of yours takes them"] if others else []
    # BestSource decodes the whole file to know its frames. The index it keeps makes opening it again quick.
    with interrupt.temporary_folder() as cache:
        # Mode 4 gives the index this very name; others make one out of the file's, which may become too long.
        options = {"track": track, "cachemode": 4, "cachepath": str(cache / "index")}
        try:
            with log_read_by(status):
                opened: dict[str, Any] = vs.core.bs.VideoSource(
                    str(path), exporttimestamps=1, apply_rotation=0, **options
                )
            clip: vs.VideoNode = opened["clip"]
            base = Fraction(opened["timebasenum"], opened["timebaseden"])
            stamps: list[int] = as_list(opened["timestamps"])
            if UNKNOWN_TIME in stamps:
                stamps = []
            rate, is_constant = frame_rate(stamps, base, clip.fps)
            props = clip.get_frame(0).props
            if not is_constant:
                options |= {"fpsnum": rate.numerator, "fpsden": rate.denominator}
                notes.append(
                    f"the frame rate varies: converted to constant {float(rate):.6g} fps, length and sync kept"
                )
            clip = vs.core.bs.VideoSource(str(path), **options)
            if is_constant and clip.fps != rate:
                clip = clip.std.AssumeFPS(fpsnum=rate.numerator, fpsden=rate.denominator)
        except vs.Error as error:
            raise CommandError(f"{name}: {one_line(error)}") from error
    if props.get("Rotation") in (90, 270) and "_SARNum" in props:
        # BestSource turns the picture, but not the shape of its pixels.
        clip = clip.std.SetFrameProps(_SARNum=props["_SARDen"], _SARDen=props["_SARNum"])
    if "_Alpha" in props:
        notes.append("the alpha channel is left out")
    if props.get("_FieldBased", 0) > 0:
        notes.append("the video is interlaced, but is treated as progressive: deinterlace it first, in a .vpy script")
    size = facts.size(track)
    if size and clip.width and sorted(size) != sorted((clip.width, clip.height)):
        notes.append(f"the picture is cut from {size[0]}x{size[1]}, which its chroma does not divide, to "
                     f"{clip.width}x{clip.height}")  # fmt: skip
    delay = max(0.0, float(stamps[0] * base) - facts.start) if stamps else 0.0
    end = max(facts.reached, delay + clip.num_frames / clip.fps)
    if facts.announced - end > max(MISSING_SECONDS, MISSING_PART * facts.announced):
        raise CommandError(f"{name}: the file is truncated: it ends after {end:.1f} of {facts.announced:.1f} seconds")
    return Source(clip, path, track, facts.count("Audio"), delay, notes, left_out, not is_constant)


def as_list(value: Any) -> list[Any]:
    """Undo what VapourSynth does to an array of one."""
    return list(value) if isinstance(value, Sequence) and not isinstance(value, str | bytes) else [value]


def find_video(tracks: dict[str, Any]) -> int | None:
    """Give the first video track that is neither a cover picture nor text."""
    columns = [as_list(tracks[column]) for column in ("tracktypestr", "disposition", "codecstr")]
    for number, (kind, disposition, codec) in enumerate(zip(*columns, strict=True)):
        if kind == "video" and not disposition & ATTACHED_PICTURE and codec not in TEXT_CODECS:
            return number
    return None


def frame_rate(stamps: Sequence[int], base: Fraction, declared: Fraction) -> tuple[Fraction, bool]:
    """Tell at which constant rate to play frames, and whether they already come at it.

    They do if at that rate no frame is displaced by as much as half a frame: containers round time stamps, and a rate
    that is declared or common is more likely than the exact mean. Else the rate is the highest that occurs often, so
    that few frames are lost in the fast parts and frames are repeated in the slow ones.

    Args:
        stamps: Time stamps in display order.
        base: The unit of the time stamps, in seconds.
        declared: The rate that the file claims.
    """
    durations = [later - earlier for earlier, later in pairwise(stamps)]
    if not durations or min(durations) < 0 or stamps[-1] == stamps[0]:
        return (declared, True) if declared > 0 else (Fraction(25), True)
    mean = len(durations) / ((stamps[-1] - stamps[0]) * base)

    def fits(rate: Fraction) -> bool:
        ticks = float(1 / (rate * base))
        return all(abs(stamp - stamps[0] - n * ticks) < ticks / 2 for n, stamp in enumerate(stamps))

    for rate in (declared, nearest_common(mean), mean):
        if rate > 0 and fits(rate):
            return rate.limit_denominator(100_000), True
    often = [duration for duration, count in Counter(durations).items() if duration > 0 and count * 20 > len(durations)]
    shortest = min(often) if often else max(1, sorted(durations)[len(durations) // 20])
    # Where the unit is coarse, one duration is rounded now down, now up: 33 and 34 ms at 29.97 fps.
    near = [duration for duration in durations if shortest <= duration <= shortest + 1]
    return nearest_common(min(len(near) / (sum(near) * base), Fraction(HIGHEST_RATE))), False


def nearest_common(rate: Fraction) -> Fraction:
    """Snap a rate to a common one within one percent, or to a plain fraction."""
    common = min(COMMON_RATES, key=lambda each: abs(each - rate))
    return common if abs(common - rate) < rate / 100 else rate.limit_denominator(1001)


@contextlib.contextmanager
def log_read_by(status: Report) -> Iterator[None]:
    """Report BestSource's progress, and keep off stderr its messages on return values that it did not declare."""

    def log(_: vs.MessageType, message: str) -> None:
        if percent := re.search(r"progress (\d+%)", message):
            status(f"reading {percent[1]}")

    handle = vs.core.add_log_handler(log)
    try:
        with contextlib.redirect_stderr(io.StringIO()):
            yield
    finally:
        vs.core.remove_log_handler(handle)


def run_script(path: Path) -> Source:
    """Run a `.vpy` script as vspipe does, in its own folder, and take its output 0."""
    script = str(path.resolve())
    before, arguments = Path.cwd(), sys.argv
    vs.clear_outputs()
    try:
        code = compile(path.read_bytes(), script, "exec", dont_inherit=True)
        os.chdir(path.resolve().parent)
        sys.argv = [script]
        exec(code, {"__name__": "__vapoursynth__", "__file__": script})
    except BaseException as error:  # a KeyboardInterrupt too is the script's own: signals raise none here
        raise CommandError(f"{path}{line_of(error, script)}: {describe(error)}") from error
    finally:
        os.chdir(before)
        sys.argv = arguments
    output = vs.get_outputs().get(0)
    if output is None:
        raise CommandError(f"{path}: the script sets no output: end it with clip.set_output()")
    if not isinstance(output, vs.VideoOutputTuple):
        raise CommandError(f"{path}: output 0 of the script is audio")
    return Source(output.clip, notes=["the alpha channel is left out"] if output.alpha else [])


def describe(error: BaseException) -> str:
    kind = type(error)
    name = kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__name__}"
    text = error.msg if isinstance(error, SyntaxError) else one_line(error)
    return f"{name}: {text}" if text else name


def line_of(error: BaseException, script: str) -> str:
    """Give `:line` of the script's innermost line that led to an error."""
    if isinstance(error, SyntaxError) and error.filename == script:
        return f":{error.lineno}"
    trace: TracebackType | None = error.__traceback__
    lines = [line for frame, line in traceback.walk_tb(trace) if frame.f_code.co_filename == script]
    return f":{lines[-1]}" if lines else ""
