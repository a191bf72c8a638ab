"""How frames travel to FFmpeg: as raw pictures in one of its pixel formats, with what is known of their colours.

What is known are the properties of frame 0, `props`, which hold for all frames.
"""

import sys
from collections.abc import Iterator

import vapoursynth as vs

from vs_vdiff import ffmpeg
from vs_vdiff.errors import CommandError, one_line

__all__ = ["description", "pack", "playable", "prepare", "to_rgb", "without_rgb"]

SUBSAMPLINGS = {(0, 0): "444", (1, 0): "422", (1, 1): "420", (0, 1): "440", (2, 0): "411", (2, 2): "410"}
HD_HEIGHT = 720  # from here on, pictures of unknown matrix are taken for BT.709
UNKNOWN = 2  # in ITU-T H.273, where VapourSynth and FFmpeg have their colour codes from


def name(video: vs.VideoFormat) -> str:
    """Name a format as FFmpeg would, whether it has it or not."""
    bits = f"f{video.bits_per_sample}" if video.sample_type == vs.FLOAT else str(video.bits_per_sample)
    depth = "" if bits == "8" else f"{bits}{'le' if sys.byteorder == 'little' else 'be'}"
    if video.color_family == vs.GRAY:
        return f"gray{depth}"
    if video.color_family == vs.RGB:
        return f"gbrp{depth}"
    subsampling = SUBSAMPLINGS.get((video.subsampling_w, video.subsampling_h), "?")
    return f"yuv{subsampling}p{depth}"


def playable(clip: vs.VideoNode, props: vs.FrameProps) -> tuple[vs.VideoNode, str]:
    """Convert a clip to what every player of MP4 files takes: 4:2:0 in 8 bit, in 10 if it has 9 or 10.

    Returns:
        The clip and, if it was converted, the name of what it is now.
    """
    now = clip.format
    deep = now.sample_type == vs.INTEGER and now.bits_per_sample in (9, 10)
    wanted = vs.core.get_video_format(vs.YUV420P10 if deep else vs.YUV420P8)
    if now.id == wanted.id or clip.width % 2 or clip.height % 2:
        return clip, ""
    return convert(clip, props, wanted), name(wanted)


def without_rgb(clip: vs.VideoNode, props: vs.FrameProps) -> tuple[vs.VideoNode, str]:
    """Convert RGB to YUV of the same depth: FFmpeg would take BT.601 whatever the size, and tag nothing.

    Returns:
        The clip and, if it was converted, the name of what it is now.
    """
    now = clip.format
    if now.color_family != vs.RGB:
        return clip, ""
    bits = 16 if now.sample_type == vs.FLOAT else now.bits_per_sample
    wanted = vs.core.query_video_format(vs.YUV, vs.INTEGER, bits, 0, 0)
    return convert(clip, props, wanted), name(wanted)


def prepare(clip: vs.VideoNode, props: vs.FrameProps) -> tuple[vs.VideoNode, str]:
    """Bring a clip to the nearest format that FFmpeg reads, and reads right.

    Integers and RGB in float go as they are; half floats become single ones where FFmpeg is too old for them. YUV in
    float, which FFmpeg has not, and GRAY in float, which it converts wrongly, become 16 bit integer. GRAY of limited
    range gets neutral chroma: FFmpeg takes every gray picture for full range when it converts it.

    Returns:
        The clip and, if its samples were converted, the name of what it is now.
    """
    now = clip.format
    family, sample, bits = now.color_family, now.sample_type, now.bits_per_sample
    subsampling = (now.subsampling_w, now.subsampling_h)
    if family != vs.RGB and sample == vs.FLOAT:
        sample, bits = vs.INTEGER, 16
    if family == vs.GRAY and not is_full(props):
        family, subsampling = vs.YUV, (0, 0) if clip.width % 2 or clip.height % 2 else (1, 1)
    # As it is; else in single floats or in 16 bit; else without subsampling.
    nearest = [(sample, bits, *subsampling), (sample, 32, 0, 0), (vs.INTEGER, 16, *subsampling), (vs.INTEGER, 16, 0, 0)]
    for candidate in nearest:
        wanted = vs.core.query_video_format(family, *candidate)
        if name(wanted) in ffmpeg.readable_formats():
            is_same = candidate == (now.sample_type, now.bits_per_sample, *subsampling)
            return clip if wanted.id == now.id else convert(clip, props, wanted), "" if is_same else name(wanted)
    raise CommandError(f"FFmpeg has no pixel format for {now.name}")


def is_full(props: vs.FrameProps) -> bool | None:
    """Read the range; None if it is not said, which for GRAY and YUV means limited."""
    if "_Range" in props:
        return bool(props["_Range"] == 1)
    return bool(props["_ColorRange"] == 0) if "_ColorRange" in props else None


def convert(clip: vs.VideoNode, props: vs.FrameProps, wanted: vs.VideoFormat) -> vs.VideoNode:
    """Convert the format. RGB and GRAY become YUV of limited range, with the matrix that players assume for it."""
    options = {}
    if clip.format.color_family != wanted.color_family:
        matrix = props.get("_Matrix", UNKNOWN)
        known = matrix not in (0, UNKNOWN)
        options = {"matrix": matrix if known else assumed_matrix(clip), "range": vs.RANGE_LIMITED}
        if clip.format.color_family == vs.RGB:
            clip = clip.std.SetFrameProps(_Matrix=vs.MATRIX_RGB)  # some scripts leave that of an earlier YUV behind
    elif wanted.color_family == vs.GRAY:
        options = {"range": vs.RANGE_FULL if is_full(props) else vs.RANGE_LIMITED}
    try:
        return clip.resize.Bicubic(format=wanted.id, dither_type="error_diffusion", **options)
    except vs.Error as error:
        raise CommandError(f"{clip.format.name} cannot be converted to {wanted.name}: {one_line(error)}") from error


def to_rgb(clip: vs.VideoNode, props: vs.FrameProps) -> vs.VideoNode:
    """Convert a clip to RGB in float, with its own transfer: HDR is not mapped to a screen's range."""
    unneeded = ["_FieldBased"]
    if props.get("_Matrix") not in (vs.MATRIX_BT2020_CL, vs.MATRIX_ICTCP):  # others need no transfer and no primaries
        unneeded += ["_Transfer", "_Primaries"]
    progressive = clip.std.RemoveFrameProps(unneeded)
    if clip.format.color_family == vs.RGB:
        progressive = progressive.std.SetFrameProps(_Matrix=vs.MATRIX_RGB)  # whatever an earlier YUV has left behind
    elif clip.format.color_family == vs.YUV and props.get("_Matrix", UNKNOWN) in (0, UNKNOWN):
        progressive = progressive.std.SetFrameProps(_Matrix=assumed_matrix(clip))
    try:
        if clip.format.color_family == vs.GRAY:
            gray = progressive.resize.Point(format=vs.GRAYS)
            return vs.core.std.ShufflePlanes([gray] * 3, [0, 0, 0], vs.RGB)
        return progressive.resize.Bicubic(format=vs.RGBS)
    except vs.Error as error:
        raise CommandError(f"{clip.format.name} cannot be converted to RGB: {one_line(error)}") from error


def assumed_matrix(clip: vs.VideoNode) -> vs.MatrixCoefficients:
    """Guess the matrix of YUV as players do, where nothing states it."""
    return vs.MATRIX_BT709 if clip.height >= HD_HEIGHT else vs.MATRIX_ST170_M


def description(clip: vs.VideoNode, props: vs.FrameProps) -> list[str]:
    """Describe raw pictures by FFmpeg's input options."""
    options = ["-f", "rawvideo", "-pixel_format", name(clip.format), "-video_size", f"{clip.width}x{clip.height}"]
    options += ["-framerate", f"{clip.fps.numerator}/{clip.fps.denominator}"]
    colours = {"_Primaries": "color_primaries", "_Transfer": "color_trc"}
    if clip.format.color_family == vs.YUV:
        colours["_Matrix"] = "colorspace"
    for prop, option in colours.items():
        if props.get(prop, UNKNOWN) != UNKNOWN:
            options += [f"-{option}", str(int(props[prop]))]
    if (full := is_full(props)) is not None:
        options += ["-color_range", "pc" if full else "tv"]
    if clip.format.subsampling_w and "_ChromaLocation" in props:
        options += ["-chroma_sample_location", str(int(props["_ChromaLocation"]) + 1)]
    return options


def pack(frame: vs.VideoFrame) -> Iterator[bytes]:
    """Give a frame's planes without the padding of their rows, in FFmpeg's order (which begins RGB with green)."""
    order = (1, 2, 0) if frame.format.color_family == vs.RGB else range(frame.format.num_planes)
    for plane in order:
        yield frame[plane].tobytes()
