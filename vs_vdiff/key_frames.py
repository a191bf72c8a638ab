"""Key frames: the frames at which scenes begin, and the files that tell encoders of them."""

import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from fractions import Fraction
from itertools import pairwise
from operator import index
from os import PathLike
from pathlib import Path
from typing import Literal, get_args

import vapoursynth as vs

from vs_vdiff.output import write_text

__all__ = ["FORMATS", "METRICS", "format_keyframes", "keyframes", "write_keyframes"]

Metric = Literal["adaptive", "mse", "mad", "histogram"]
Format = Literal["list", "json", "qpfile", "av1an", "ffmpeg"]
METRICS: tuple[Metric, ...] = get_args(Metric)
FORMATS: tuple[Format, ...] = get_args(Format)

Progress = Callable[[int, int], None]


def keyframes(
    clip: vs.VideoNode,
    *,
    metric: Metric | None = "adaptive",
    threshold: float | None = None,
    min_length: int | None = None,
    interval: int | None = None,
    progress: Progress | None = None,
) -> list[int]:
    """Find the frames of a clip that should be key frames: its first one, and those that start a scene.

    The clip is read once, in order, with the core's threads; no more frames are held than are being worked on.

    Args:
        clip: The clip, of any format that `core.vdiff.SceneDetect` takes.
        metric: What tells how much a frame differs from the one before it, as for `core.vdiff.SceneDetect`; None: no
            frame is read, and only `interval` counts.
        threshold: A frame starts a scene where it differs by more than this, on the metric's scale; by default the
            metric's own.
        min_length: The shortest scene, in frames; by default the filter's own.
        interval: Where a scene is longer, there is a further key frame this many frames after the last one (what
            encoders call keyint).
        progress: Is called with how many frames are done and how many there are, in the calling thread, from 0 on.
            What it raises ends the reading.

    Returns:
        The numbers of the key frames, ascending; the first one is 0.

    Raises:
        TypeError: `clip` is not a video clip, or `interval` not a whole number.
        ValueError: An argument, or the clip's format, is not what it can be.
        vapoursynth.Error: A frame of the clip failed.
    """
    if not isinstance(clip, vs.VideoNode):
        raise TypeError(f"keyframes: clip must be a video clip, got {type(clip).__name__}")
    if interval is not None and index(interval) < 1:
        raise ValueError(f"keyframes: interval must be at least 1, got {interval}")
    cuts: Iterable[int]
    if metric is None:
        if interval is None:
            raise ValueError("keyframes: without a metric, interval must be given")
        if threshold is not None or min_length is not None:
            raise ValueError("keyframes: threshold and min_length are a metric's, and there is none")
        cuts = [0]
    else:
        options = {"metric": metric, "threshold": threshold, "min_length": min_length}
        try:
            detected = detect(clip, **{name: value for name, value in options.items() if value is not None})
        except (vs.Error, OverflowError) as error:  # the latter: beyond what VapourSynth's numbers hold
            raise ValueError(str(error)) from error
        cuts = starts(detected, progress or (lambda *_: None))
    return [frame for start, end in pairwise([*cuts, clip.num_frames]) for frame in range(start, end, interval or end)]


def detect(clip: vs.VideoNode, **options: object) -> vs.VideoNode:
    """Mark the frames that start a scene."""
    return vs.core.vdiff.SceneDetect(clip, **options)


def starts(detected: vs.VideoNode, progress: Progress) -> Iterator[int]:
    """Read a clip and give frame 0 and every frame with the property `_SceneChangePrev`."""
    total = detected.num_frames
    # Only the property comes here, on a picture of one pixel: the frames are free as soon as they have been looked at,
    # and what is read ahead weighs nothing.
    pixel = vs.core.std.BlankClip(width=1, height=1, format=vs.GRAY8, length=total, keep=True)
    marks = vs.core.std.CopyFrameProps(pixel, detected, props=["_SceneChangePrev"])
    progress(0, total)
    with closing(marks.frames(close=True)) as frames:  # waits for what is under way, whatever happens
        for number, frame in enumerate(frames):
            if number == 0 or frame.props.get("_SceneChangePrev"):
                yield number
            progress(number + 1, total)


def format_keyframes(keys: Iterable[int], clip: vs.VideoNode, format: Format = "list", *, start: float = 0) -> str:
    """Write key frames as an encoder reads them.

    | format | for | |
    | --- | --- | --- |
    | `list` | people and scripts | one frame number a line |
    | `json` | programs | `frames`, `fps` (as in "30000/1001"), `keyframes`, and their `times` in seconds after frame 0; `fps` and `times` are null where the rate varies |
    | `qpfile` | `x264 --qpfile`, `x265 --qpfile` | `<frame> I -1` a line: an IDR frame, its QP left to the encoder |
    | `av1an` | `av1an --scenes` | the scenes from each key frame to the next one, in JSON |
    | `ffmpeg` | `ffmpeg -force_key_frames` | times in seconds, separated by commas, with no end of line |

    Args:
        keys: The frames, in any order. The first frame is always one of them.
        clip: The clip they are of, whose length and rate count.
        format: One of those above.
        start: When frame 0 is shown in what FFmpeg reads, in seconds; `ffmpeg` alone needs it, for a video that starts
            later than its sound.

    Raises:
        ValueError: There is no such format, a frame is not in the clip, or `ffmpeg` meets a variable frame rate.
    """  # noqa: E501 - a table's row is a line
    frames = clip.num_frames
    numbers = sorted({0, *map(index, keys)})
    for wrong in (numbers[0], numbers[-1]):
        if not 0 <= wrong < frames:
            raise ValueError(f"key frames: must be in the clip, 0...{frames - 1}, got {wrong}")
    if format == "list":
        return "".join(f"{number}\n" for number in numbers)
    if format == "json":
        return as_json(numbers, frames, clip.fps)
    if format == "qpfile":
        return as_qpfile(numbers)
    if format == "av1an":
        return as_av1an(numbers, frames)
    if format == "ffmpeg":
        if not clip.fps:
            raise ValueError("key frames: FFmpeg takes times, and a clip of variable frame rate has none; "
                             "give it a rate, with std.AssumeFPS in a script")  # fmt: skip
        return as_times(numbers, clip.fps, Fraction(start))
    raise ValueError(f'key frames: format must be one of {", ".join(FORMATS)}, got "{format}"')


def write_keyframes(
    path: str | PathLike[str], keys: Iterable[int], clip: vs.VideoNode, format: Format = "list", *, start: float = 0
) -> None:
    """Write key frames to a file, replacing one of that name, which is there complete or not at all.

    The arguments and errors are those of `format_keyframes`.

    Raises:
        OSError: The file cannot be written.
    """
    write_text(Path(path), format_keyframes(keys, clip, format, start=start))


def as_json(keys: list[int], frames: int, fps: Fraction) -> str:
    """Write a description that explains itself."""
    known = {
        "frames": frames,
        "fps": f"{fps.numerator}/{fps.denominator}" if fps else None,
        "keyframes": keys,
        "times": [round(float(key / fps), 6) for key in keys] if fps else None,
    }
    return json.dumps(known, indent=2) + "\n"


def as_qpfile(keys: list[int]) -> str:
    """Write what x264 and x265 read alike, in all their versions that read frames with gaps between them.

    The format is that of `x264 --fullhelp` and of x265's documentation of `--qpfile`: "framenumber frametype QP". `I`
    is an IDR frame; `K` is one with closed GOPs only, and early versions of x265 do not know it. The QP may be left
    out today, but early versions of x264 take the next line's number for it; -1 leaves it to the encoder in all.
    """
    return "".join(f"{key} I -1\n" for key in keys)


def as_av1an(keys: list[int], frames: int) -> str:
    """Write a scenes file, that of Av1an's `ScenesData` (av1an-core/src/scenes).

    Since 2025 it has `split_scenes`, which Av1an encodes, beside `scenes`; a version in between refuses a file without
    it. Earlier ones encode `scenes`, and pass over what they do not know.
    """
    ends = pairwise([*keys, frames])
    scenes = [{"start_frame": start, "end_frame": end, "zone_overrides": None} for start, end in ends]
    return json.dumps({"frames": frames, "scenes": scenes, "split_scenes": scenes}, indent=2) + "\n"


def as_times(keys: list[int], fps: Fraction, start: Fraction) -> str:
    """Write a list of times, of which each forces the first frame at or after it (FFmpeg's manual, -force_key_frames).

    So the times are a quarter of a frame early: containers round those of frames, and FFmpeg those of the list. There
    is no end of line, which FFmpeg would not take in a file (-/force_key_frames).
    """
    moments = [max(0, int((start + (key - Fraction(1, 4)) / fps) * 10**6)) for key in keys]
    return ",".join(f"{moment // 10**6}.{moment % 10**6:06d}" for moment in moments)
