"""Frames as NumPy arrays, and arrays as clips.

One layout serves both ways: (frames, height, width) for formats of one plane, (frames, 3, height, width) for three
planes of one size, and for subsampled formats a tuple of three arrays (frames, height, width), each of its own size.
"""

import importlib.util
from collections.abc import Sequence
from contextlib import closing
from fractions import Fraction
from numbers import Rational, Real
from operator import index
from typing import TYPE_CHECKING, Any

import vapoursynth as vs

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["from_numpy", "to_numpy"]

LARGEST = 2**31 - 1
"""The most frames, rows or columns that VapourSynth counts; and the bytes of a plane are to be no more either."""
LARGEST_RATE = 2**63 - 1
"""The largest numerator and denominator of a frame rate."""


def to_numpy(
    clip: vs.VideoNode, start: int | None = 0, stop: int | None = None
) -> "NDArray[Any] | tuple[NDArray[Any], ...]":
    """Copy frames of a clip into memory: all of them, or those from `start` up to, not including, `stop`.

    The core's threads make the frames; they are copied in order as they come, and no more of them are held than are
    being worked on. The memory is allocated once: 3.1 MB for each frame of 1920x1080 in YUV420P8.

    Not to be called from within a callback of the same core, as that of `std.ModifyFrame` or `std.FrameEval`: it would
    wait for frames on a thread that they may need, and with `core.num_threads = 1` for ever.

    Args:
        clip: The clip, of constant format and size: 8 to 16-bit integer, half or single float; GRAY, YUV or
            RGB.
        start: The first frame. Both bounds are those of a Python slice: negative ones count from the end, None is the
            beginning or the end, and what is beyond the clip is left out.
        stop: The frame after the last one.

    Returns:
        Copies, C-contiguous and writable. GRAY: one array of shape (frames, height, width). RGB and YUV444: one of
        shape (frames, 3, height, width), the planes being R, G, B or Y, U, V. Subsampled YUV: a tuple of three, Y, U
        and V, each of shape (frames, height, width) with its plane's own size. An empty range gives arrays of 0 frames.

        The type is uint8, uint16 (9 to 16 bits), float16 or float32, and the values are those of the format, neither
        scaled nor shifted: 0...1023 at 10 bits, 0...1 in float, where chroma is -0.5...0.5.

    Raises:
        TypeError: `clip` is not a video clip, or a bound not a whole number.
        ValueError: The clip's format or size varies, or its format is none of those above.
        MemoryError: The frames do not fit into memory.
        ModuleNotFoundError: NumPy is missing.
        vapoursynth.Error: A frame of the clip failed.
    """
    require_numpy("to_numpy")
    import numpy as np

    if not isinstance(clip, vs.VideoNode):
        raise TypeError(f"to_numpy: clip must be a video clip, got {type(clip).__name__}")
    video = clip.format
    if video is None or video.color_family == vs.UNDEFINED or not clip.width:
        raise ValueError("to_numpy: the clip changes its format or size; it must be constant")
    check_format("to_numpy", video)
    try:
        numbers = range(clip.num_frames)[start:stop]
    except TypeError:
        raise TypeError(f"to_numpy: start and stop must be whole numbers or None, got {start!r}, {stop!r}") from None
    count, kind = len(numbers), sample_type(video)
    arrays: NDArray[Any] | tuple[NDArray[Any], ...]
    if is_subsampled(video):
        arrays = tuple(np.empty((count, *plane_shape(video, p, clip.height, clip.width)), kind) for p in range(3))
        planes = [*arrays]
    else:
        arrays = np.empty((count, video.num_planes, clip.height, clip.width), kind)
        planes = [arrays[:, p] for p in range(video.num_planes)]
    if numbers:
        part = clip if len(numbers) == clip.num_frames else clip[numbers.start : numbers.stop]
        # Closing waits for what is under way, whatever happens. No garbage holds these frames, and looking for some
        # would cost time in every call.
        with closing(part.frames(close=True, collect_garbage=False)) as frames:
            for n, frame in enumerate(frames):
                for p, plane in enumerate(planes):
                    np.copyto(plane[n], np.asarray(frame[p]))
    return planes[0] if video.num_planes == 1 else arrays


def from_numpy(
    array: "NDArray[Any] | Sequence[NDArray[Any]]",
    format: int | vs.VideoFormat,
    fps: Fraction | int | tuple[int, int] | float = 24,
) -> vs.VideoNode:
    """Make a clip of arrays, as `to_numpy` gives them.

    The arrays are kept and not copied, so that a memory map may be larger than the memory: a frame is copied each time
    it is asked for and not in a cache. What is changed in an array later shows in those frames, and the clip never
    writes to it. Frames have the properties that `std.BlankClip` gives, their duration, and none that states matrix or
    range; `std.SetFrameProps(clip, _Matrix=1, _Range=0)` adds them.

    Args:
        array: GRAY: of shape (frames, height, width). RGB and YUV444: of shape (frames, 3, height, width), or a tuple
            or list of three as that which follows. Subsampled YUV: a tuple or list of three, Y, U and V, each of shape
            (frames, height, width), the chroma planes of the size that the format says. Of any strides and byte order;
            read-only arrays and memory maps too.

            The type must be the format's: uint8, uint16 (9 to 16 bits), float16 or float32. The values are taken as
            they are, up to 1023 at 10 bits; those of float can be any, and keep their bits.
        format: The format or its id: `vs.YUV420P8`, `clip.format`; 8 to 16-bit integer, half or single float.
        fps: The frame rate [24]: a whole number, a Fraction, or numerator and denominator, as in (24000, 1001). 0:
            unknown or variable, and frames have no duration.

    Raises:
        TypeError: The array's type is not the format's, it is masked, or an argument is not of a kind named above.
        ValueError: The array's shape does not fit the format, or an argument is not what it can be.
        ModuleNotFoundError: NumPy is missing.
        vapoursynth.Error: When a frame is asked for, not before: it holds a value above the format's peak.
    """
    require_numpy("from_numpy")
    import numpy as np

    video = video_format(format)
    rate = frame_rate(fps)
    planes = planes_of(array, video)
    length, height, width = planes[0].shape
    peak = (1 << video.bits_per_sample) - 1
    may_exceed = video.sample_type == vs.INTEGER and video.bits_per_sample < 8 * video.bytes_per_sample

    def fill(n: int, f: vs.VideoFrame) -> vs.VideoFrame:
        frame = vs.core.create_video_frame(video, width, height)
        for p, plane in enumerate(planes):
            samples = np.asarray(frame[p])
            np.copyto(samples, plane[n])
            # Here and not in the array: whoever writes to it at the same time does not bring them in.
            if may_exceed and (highest := int(samples.max())) > peak:
                raise ValueError(
                    f"from_numpy: frame {n}, plane {p}: values of {video.name} must be at most {peak}, got {highest}; "
                    f"numpy.minimum(array, {peak}) cuts them"
                )
        frame.props.update(f.props)
        return frame

    shape = {"width": width, "height": height, "format": video.id}
    blank = vs.core.std.BlankClip(length=length, fpsnum=rate.numerator, fpsden=rate.denominator, **shape)
    # The properties come on a picture of one pixel, so that no frame is made only to be filled again.
    pixel = vs.core.std.BlankClip(blank, width=1, height=1, format=vs.GRAY8, keep=True)
    return vs.core.std.ModifyFrame(blank, pixel, fill)


def require_numpy(function: str) -> None:
    """See that NumPy, which is optional, is there."""
    if importlib.util.find_spec("numpy") is None:
        raise ModuleNotFoundError(
            f'{function}: NumPy is missing: pip install numpy; "vapoursynth-vdiff[kernels]" brings it too', name="numpy"
        )


# Formats.


def check_format(function: str, video: vs.VideoFormat) -> None:
    """Refuse formats that the filters would refuse."""
    bits = (16, 32) if video.sample_type == vs.FLOAT else range(8, 17)
    if video.bits_per_sample not in bits:
        raise ValueError(f"{function}: the format must be 8...16 bit integer, half or single float, got {video.name}")


def video_format(format: int | vs.VideoFormat) -> vs.VideoFormat:
    """Give the format of an id."""
    if isinstance(format, vs.VideoFormat):
        video = format
    else:
        try:
            video = vs.core.get_video_format(index(format))
        except TypeError:
            kind = type(format).__name__
            raise TypeError(f"from_numpy: format must be a format or its id, as in vs.YUV420P8, got {kind}") from None
        except OverflowError:
            raise ValueError(f"from_numpy: there is no format of id {format}") from None
    if video.color_family == vs.UNDEFINED:
        raise ValueError(f"from_numpy: there is no format of id {int(format)}")
    check_format("from_numpy", video)
    return video


def sample_type(video: vs.VideoFormat) -> str:
    """Name the type of a format's samples as NumPy does."""
    return f"{'float' if video.sample_type == vs.FLOAT else 'uint'}{8 * video.bytes_per_sample}"


def is_subsampled(video: vs.VideoFormat) -> bool:
    """Tell whether the planes are of different sizes."""
    return bool(video.subsampling_w or video.subsampling_h)


def plane_shape(video: vs.VideoFormat, plane: int, height: int, width: int) -> tuple[int, int]:
    """Give a plane's height and width."""
    return (height >> video.subsampling_h, width >> video.subsampling_w) if plane else (height, width)


# What from_numpy is given.


def frame_rate(fps: Fraction | int | tuple[int, int] | float) -> Fraction:
    """Take a frame rate, of which there must be no doubt."""
    # NumPy's numbers too, of which only float64 is a float.
    number = float(fps) if isinstance(fps, Real) and not isinstance(fps, Rational) else None
    try:
        rate = Fraction(*map(index, fps)) if isinstance(fps, tuple) else Fraction(fps if number is None else number)
    except (TypeError, ValueError, OverflowError, ZeroDivisionError):
        raise ValueError(
            f"from_numpy: fps must be a whole number, a Fraction or (numerator, denominator), got {fps!r}"
        ) from None
    # Those of a float that is no whole number say nothing.
    is_exact = number is None or number.is_integer()
    ends = (rate.numerator, rate.denominator) if is_exact else (rate, 1 / rate)
    if rate < 0 or max(ends) > LARGEST_RATE:
        raise ValueError(f"from_numpy: fps must be 0...2^63-1, as its numerator and denominator, got {fps!r}")
    if number is not None and not number.is_integer():
        meant = likely_rate(number)
        raise ValueError(
            f"from_numpy: fps must be exact, got {fps!r}; write ({meant.numerator}, {meant.denominator}), "
            "or what else is meant"
        )
    return rate


def likely_rate(number: float) -> Fraction:
    """Guess the rate of which somebody wrote the decimals: of NTSC, a simple fraction, or just these decimals."""
    rate = Fraction(number)
    ntsc, simple = Fraction(round(number * 1.001) * 1000, 1001), rate.limit_denominator(1000)
    if abs(ntsc - rate) < min(Fraction(1, 100), rate / 2000):
        return ntsc
    return simple if abs(simple - rate) < rate / 10**6 else Fraction(repr(number)).limit_denominator(LARGEST_RATE)


def planes_of(array: "NDArray[Any] | Sequence[NDArray[Any]]", video: vs.VideoFormat) -> "list[NDArray[Any]]":
    """Give an array (frames, height, width) for each plane, and refuse what is no clip of the format."""
    import numpy as np

    count, name = video.num_planes, video.name
    whole = "(frames, height, width)" if count == 1 else "(frames, 3, height, width)"
    each = "three arrays, each (frames, height, width)"
    wanted = whole if count == 1 else each if is_subsampled(video) else f"{whole} or {each}"
    if any(isinstance(one, np.ma.MaskedArray) for one in (array, *(array if isinstance(array, list | tuple) else ()))):
        raise TypeError("from_numpy: a clip has no mask; array.filled(value) puts a value where the array is masked")
    if isinstance(array, list | tuple):
        if count == 1 or len(array) != count:
            what = f"a {type(array).__name__} of {len(array)}"
            raise ValueError(f"from_numpy: {name} takes {wanted}, got {what}; numpy.stack(frames) joins frames")
        planes = [np.asarray(one) for one in array]
        shapes = [one.shape for one in planes]
        if any(one.ndim != 3 for one in planes):
            raise ValueError(f"from_numpy: {name} takes {wanted}, got shapes {', '.join(map(str, shapes))}")
    else:
        one = np.asarray(array)
        if one.ndim == 3 and count == 1:
            planes = [one]
        elif one.ndim == 4 and one.shape[1] == count and count > 1 and not is_subsampled(video):
            planes = [one[:, p] for p in range(count)]
        else:
            hint = "; numpy.moveaxis(array, -1, 1) puts the planes there" if one.ndim == 4 and one.shape[3] == 3 else ""
            raise ValueError(f"from_numpy: {name} takes {wanted}, got shape {one.shape}{hint}")
    for p, plane in enumerate(planes):
        if plane.dtype.newbyteorder("=") != np.dtype(sample_type(video)):
            raise TypeError(
                f"from_numpy: {name} takes {sample_type(video)}, got {plane.dtype} in plane {p}; "
                "array.astype converts, and does not scale"
            )
    check_shapes([plane.shape for plane in planes], video)
    return planes


def check_shapes(shapes: list[tuple[int, ...]], video: vs.VideoFormat) -> None:
    """Refuse sizes that a clip cannot have."""
    name = video.name
    length, height, width = shapes[0]
    if not length:
        raise ValueError("from_numpy: a clip must have at least 1 frame, got an array of 0")
    if not height or not width:
        raise ValueError(f"from_numpy: a frame must be at least 1x1, got {width}x{height}")
    for axis, step in (("width", 1 << video.subsampling_w), ("height", 1 << video.subsampling_h)):
        size = width if axis == "width" else height
        if size % step:
            raise ValueError(f"from_numpy: the {axis} in {name} must be a multiple of {step}, got {size}")
    for p, shape in enumerate(shapes):
        must = (length, *plane_shape(video, p, height, width))
        if shape != must:
            raise ValueError(
                f"from_numpy: plane {p} must be {must} in {name} beside a first one of {shapes[0]}, got {shape}"
            )
    if length > LARGEST:
        raise ValueError(f"from_numpy: a clip must have at most {LARGEST} frames, got {length}")
    if height * width * video.bytes_per_sample > LARGEST:
        raise ValueError(f"from_numpy: a plane must be at most {LARGEST} bytes, got {width}x{height} in {name}")
