"""Encode a clip with FFmpeg into a file that appears under its name only when it is complete."""

import math
import mimetypes
import re
import signal
import subprocess
import threading
from collections import deque
from collections.abc import Iterable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import IO

import vapoursynth as vs

from vs_vdiff import ffmpeg, interrupt, pixels
from vs_vdiff.errors import CommandError, UsageError, one_line
from vs_vdiff.output import Output, hidden_folder
from vs_vdiff.progress import Reporter
from vs_vdiff.source import Source

__all__ = ["carries_audio", "check_arguments", "check_output", "encode"]

# What players of these take is narrower than what FFmpeg puts into them.
PLAYABLE = {".mp4", ".m4v", ".mov"}
# Encoders for playing, not for editing or archives: what they make is kept playable.
DELIVERY = re.compile(r"av1|h26[45]|hevc|mpeg[124]|vp[89x]|x26[45]$|xvid")
# Pixel formats, encoders and files in which RGB stays RGB.
RGB = re.compile(r"rgb|bgr|gbr|pal8|ffv1|huff|utvideo|magicyuv|rawvideo|qtrle|r210|r10k|png|gif|bmp|tif|webp|xyz")
# Output options, also in their forms for a single stream. Those for audio make no sense for audio that is copied.
AUDIO = re.compile(
    r"-(c|codec|(c|codec|b|q|qscale|filter):a(:.*)?|(acodec|ab|ac|aq|ar|af|an|sample_fmt|ch_layout|channel_layout)(:.*)?)"
)
VIDEO_CODEC = re.compile(r"-((c|codec)(:v)?|vcodec)(:0)?")
VIDEO_FILTER = re.compile(r"-(filter(:v)?|vf)(:0)?")
CONTAINER = re.compile(r"-f")
PIXEL_FORMAT = re.compile(r"-pix_fmt(:v)?(:0)?")
PROFILE = re.compile(r"-(profile(:v)?|vprofile)(:0)?")
SPECIAL = re.compile(r"10|12|16|4:?[024]:?[024]")  # depths and subsamplings in names of profiles
SEVERAL_FILES = (".m3u8", ".mpd")


def check_output(name: Path, source: Path, overwrite: bool) -> Output:
    """Refuse a video that could not be written at the end, or must not be.

    Raises:
        CommandError: The message says why.
    """
    if str(name) == "-":
        raise CommandError("the output must be a file; to pipe frames, use vspipe with a .vpy script")
    is_picture = (mimetypes.guess_type(name.name)[0] or "").startswith("image/")
    if name.suffix.lower() in SEVERAL_FILES or (is_picture and re.search(r"%\d*d", name.name)):
        raise CommandError(f"{name}: the output is to be one file")
    return Output.check(name, source, overwrite)


def check_arguments(arguments: Sequence[str]) -> None:
    """Refuse what FFmpeg would take for another output, and pictures that are not encoded.

    FFmpeg alone knows which of its options take a value: it says so, asked with an input at which it stops.

    Raises:
        UsageError: The message says why.
    """
    if last(arguments, VIDEO_CODEC) == "copy":
        raise UsageError(
            "filtered pictures cannot be copied: after --, give a video encoder, or -c:a copy for the sound"
        )
    if arguments:
        name = "output"
        lines = [argument.replace("\n", " ") for argument in arguments]
        _, messages = ffmpeg.run("-loglevel", "debug", "-f", "none", "-i", "none", *lines, name)
        outputs = re.findall(r"Reading option '(.*)' \.\.\..* matched as output url", messages)  # perhaps in colours
        if outputs not in ([], [name]):
            raise UsageError(f'"{outputs[0]}" would be another output: only FFmpeg\'s options and inputs may follow --')


def encode(source: Source, output: Output, arguments: Sequence[str], reporter: Reporter) -> None:
    """Encode `source.clip` with FFmpeg, with audio, chapters and metadata of the file it comes from.

    Args:
        source: What to encode.
        output: Where to.
        arguments: FFmpeg's output options, given by the user; more inputs may come first.
        reporter: Is told of the progress.

    Raises:
        CommandError: A frame or FFmpeg failed; the message says why. Nothing is left behind.
    """
    suffix = output.path.suffix
    clip = to_encode(source.clip, arguments, suffix.lower(), reporter)
    with hidden_folder(output.path) as folder:
        command = command_line(clip, source, arguments, suffix, reporter)
        unfinished = folder / output.path.name
        with interrupt.held(lambda: ffmpeg.spawn([*command, str(unfinished)], subprocess.PIPE), ffmpeg.end) as process:
            messages = feed(clip, process, reporter)
            finish(process, [line.replace(str(unfinished), output.path.name) for line in messages], reporter)
        check_made(folder, output.path.name)
        output.publish(folder)


def check_made(folder: Path, name: str) -> None:
    """Expect FFmpeg to have made this one file."""
    made = [each.name for each in folder.iterdir()]
    if made != [name]:
        what = f"several files ({', '.join(sorted(made)[:3])}, ...)" if made else "nothing"
        raise CommandError(f"{name}: FFmpeg wrote {what}, but the output is to be one file")


def first_properties(clip: vs.VideoNode) -> vs.FrameProps:
    """Give frame 0's properties; refuse clips that cannot become one raw stream, and those whose first frame fails."""
    if clip.format.color_family == vs.UNDEFINED or not clip.width:
        raise CommandError("the clip changes its format or size; it must be constant")
    if clip.fps <= 0:
        raise CommandError("the clip has no constant frame rate; give it one, with std.AssumeFPS in a script")
    try:
        return clip.get_frame(0).props
    except vs.Error as error:
        raise CommandError(f"frame 0: {one_line(error)}") from error


def last(arguments: Sequence[str], option: re.Pattern[str]) -> str:
    """Give the last value of an option, which is the one that counts; empty if there is none."""
    return next((value for name, value in reversed([*pairwise(arguments)]) if option.fullmatch(name)), "")


def to_encode(clip: vs.VideoNode, arguments: Sequence[str], suffix: str, reporter: Reporter) -> vs.VideoNode:
    """Convert what players or FFmpeg would not take, or not take right, as far as the user does not decide."""
    props = first_properties(clip)
    before = clip.format.name
    codec, pixel_format = last(arguments, VIDEO_CODEC), last(arguments, PIXEL_FORMAT)
    decided = pixel_format or SPECIAL.search(last(arguments, PROFILE)) or (codec and not DELIVERY.search(codec))
    if suffix in PLAYABLE and not decided:
        clip, converted = pixels.playable(clip, props)
        if converted:
            reporter.note(f"{before} is converted to {converted}, as players of {suffix} expect; "
                          f"-- -pix_fmt decides otherwise")  # fmt: skip
    if not RGB.search(pixel_format or codec or last(arguments, CONTAINER) or suffix):
        clip, converted = pixels.without_rgb(clip, props)
        if converted and not pixel_format:
            reporter.note(f"{before} is converted to {converted}, as encoders expect; -- -pix_fmt decides otherwise")
    clip, converted = pixels.prepare(clip, props)
    if converted:
        reporter.note(f"{before} goes to FFmpeg as {converted}")
    return clip


def carries_audio(source: Source, arguments: Sequence[str]) -> bool:
    """Tell whether audio of the source is carried over without the user's doing."""
    return bool(source.audio_streams) and not any(option in ("-map", "-an") for option in arguments)


def command_line(
    clip: vs.VideoNode, source: Source, arguments: Sequence[str], suffix: str, reporter: Reporter
) -> list[str]:
    """Put FFmpeg's options together; the user's come last and so win."""
    props = clip.get_frame(0).props
    # The time stamps of raw pictures are whole frames. The rest of the delay is for the other streams to wait.
    frames = math.ceil(round(source.delay * clip.fps, 3))
    inputs = ["-loglevel", "error", *pixels.description(clip, props)]
    inputs += ["-itsoffset", f"{float(frames / clip.fps):.6f}", "-i", "pipe:0"]
    if source.file:
        inputs += ["-itsoffset", f"{float(frames / clip.fps) - source.delay:.6f}", "-i", str(source.file)]

    # Options belong to the input or output that follows them: the user's inputs have to stay before our output options.
    split = max((n + 2 for n, argument in enumerate(arguments) if argument == "-i"), default=0)
    inputs += arguments[:split]
    rest = list(arguments[split:])
    maps = [value for option, value in pairwise(rest) if option == "-map"]
    outputs = ["-map_metadata", "1", "-map_chapters", "1"] if source.file else []
    if source.file and not maps:  # with this, FFmpeg no longer carries over what streams are called by itself
        outputs += ["-map_metadata:s:v:0", f"1:s:{source.video_stream}"]
    if not any(value.startswith(("0", "[")) for value in maps):
        outputs += ["-map", "0:v"]
    if not maps:
        outputs += audio_options(source, rest, suffix, reporter)
    return [*inputs, *outputs, *with_pixel_shape(rest, props)]


def with_pixel_shape(arguments: list[str], props: vs.FrameProps) -> list[str]:
    """Let the user's video filters begin with the pixel's shape, which raw pictures do not carry."""
    width, height = props.get("_SARNum", 0), props.get("_SARDen", 0)
    if not (width and height) or not {"-filter_complex", "-lavfi"}.isdisjoint(arguments):
        return arguments
    shape = f"setsar=r={width}/{height}:max={2**31 - 1}"
    shaped = [
        f"{shape},{value}" if VIDEO_FILTER.fullmatch(option) else value for option, value in pairwise(["", *arguments])
    ]
    return shaped if shaped != arguments else ["-vf", shape, *arguments]


def audio_options(source: Source, arguments: list[str], suffix: str, reporter: Reporter) -> list[str]:
    """Carry over every audio stream, as it is where the container takes it so, else by the container's encoder."""
    container = ["-f", named] if (named := last(arguments, CONTAINER)) else []
    is_users = any(AUDIO.fullmatch(argument) for argument in arguments)
    kind = suffix or "the output"
    options: list[str] = []
    place = 0
    for stream in range(source.audio_streams):
        assert source.file
        here = ["-map", f"1:a:{stream}", f"-map_metadata:s:a:{place}", f"1:s:a:{stream}"]
        if is_users:
            options += here
        elif ffmpeg.can_write(source.file, stream, [*container, "-c", "copy"], suffix):
            options += [*here, f"-c:a:{place}", "copy"]
        elif ffmpeg.can_write(source.file, stream, container, suffix):
            options += here
            reporter.note(f"audio stream {stream} is encoded again: it does not fit into {kind} as it is")
        else:
            reporter.note(f"audio stream {stream} is left out: {kind} does not hold it")
            continue
        place += 1
    return options


def feed(clip: vs.VideoNode, process: "subprocess.Popen[bytes]", reporter: Reporter) -> Iterable[str]:
    """Write every frame to FFmpeg and wait until it has finished with them; give its last messages."""
    assert process.stdin and process.stderr
    messages: deque[bytes] = deque(maxlen=50)
    reader = threading.Thread(target=messages.extend, args=(process.stderr,), daemon=True)
    reader.start()
    done = 0
    reporter.frames(0, clip.num_frames)
    try:
        # The pipe holds VapourSynth back: a few frames are worked on ahead, no more.
        for frame in clip.frames(close=True):
            if not write(frame, process.stdin):
                break
            done += 1
            reporter.frames(done, clip.num_frames)
    except vs.Error as error:
        raise CommandError(f"frame {done}: {one_line(error)}") from error
    process.stdin.close()
    process.wait()
    reader.join()
    return [message.decode(errors="replace") for message in messages]


def finish(process: "subprocess.Popen[bytes]", messages: Sequence[str], reporter: Reporter) -> None:
    """Judge how FFmpeg ended."""
    status = process.returncode
    if status < 0:
        raise CommandError(f"FFmpeg was killed by {signal.Signals(-status).name}")
    if status > 0:
        raise CommandError(f"FFmpeg failed: {ffmpeg.summary(messages) or f'exit status {status}'}")
    if warning := ffmpeg.summary(messages, limit=1):
        reporter.note(f"warning from FFmpeg: {warning}")


def write(frame: vs.VideoFrame, stream: IO[bytes]) -> bool:
    """Write a frame, or tell that FFmpeg has ended: it failed, or the user's options told it to (-t, -frames:v)."""
    try:
        for plane in pixels.pack(frame):
            rest = memoryview(plane)
            while rest:
                rest = rest[stream.write(rest) :]
    except BrokenPipeError:
        return False
    return True
