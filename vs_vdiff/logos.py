"""Logos: boxes and masks say where they are, and `Inpaint` fills the place from the picture around it."""

import shutil
from collections.abc import Iterable
from functools import reduce
from operator import index
from pathlib import Path
from typing import Literal

import vapoursynth as vs

from vs_vdiff import ffmpeg, interrupt, plugin
from vs_vdiff.composing import Integers
from vs_vdiff.errors import CommandError
from vs_vdiff.source import check_file

__all__ = ["GROWN", "MODES", "MOST_GROWN", "Mode", "delogo", "read_mask"]

type Mode = Literal["harmonic", "biharmonic", "eed"]
type Box = tuple[int, int, int, int]
"""Left, top, width, height."""

MODES: tuple[Mode, ...] = ("harmonic", "biharmonic", "eed")
GROWN = 1
"""What masks are grown by, for what an encoder smears, which shows where the picture is even."""
MOST_GROWN = 100
DARK = 16
"""Of 255: what is no brighter, or no more opaque, is no part of a mask. JPEG does not keep black black."""


def delogo(
    clip: vs.VideoNode,
    x: Integers = (),
    y: Integers = (),
    w: Integers = (),
    h: Integers = (),
    mask: vs.VideoNode | Path | str | None = None,
    grow: int | None = None,
    mode: Mode = "harmonic",
) -> vs.VideoNode:
    """Removes logos: boxes, and what a mask shows, are filled from the picture around them.

    It is `Inpaint`. Boxes and mask may both be given: their union is filled, and no other pixel changes, but for chroma
    that shares a sample with a filled pixel.

    Args:
        clip: Any format that vdiff takes.
        x: Left of the box, in pixels from 0; of several boxes, one number for each, as with y, w and h.
        y: Top of it.
        w: Its width.
        h: Its height.
        mask: A picture of the clip's size: what is not black is filled, or, if it is transparent anywhere, what is
            opaque (see `read_mask`). Or a clip of one frame, or as many as `clip`: what is not 0 in its first plane.
        grow: By how many pixels boxes and mask are grown in all directions, 0 to 100; by default a mask by 1, for what
            encoders smear, and boxes not.
        mode: harmonic: as even as can be, and the calmest; biharmonic: slopes go on; eed: edges go on.

    Returns:
        A clip with the format, length and properties of the given one.

    Raises:
        CommandError: The picture cannot be read; the message says why.
        vapoursynth.Error: An argument is wrong, or vdiff does not take the format; the message says which one.
    """
    plugin.load()
    core = vs.core
    core.vdiff.Inpaint(clip, clip, mode=mode)  # refuses before anything is built
    boxes = boxes_within(clip, x, y, w, h)
    if not boxes and mask is None:
        raise vs.Error("delogo: x, y, w and h, or mask, must say where the logo is.")
    if grow is not None and not 0 <= (grow := index(grow)) <= MOST_GROWN:
        raise vs.Error(f"delogo: grow must be 0...{MOST_GROWN}, got {grow}.")
    parts = [grown(draw(box, clip), grow or 0) for box in boxes]
    if mask is not None:
        picture = mask if isinstance(mask, vs.VideoNode) else read_mask(mask)
        parts.append(grown(marked(picture, clip), GROWN if grow is None else grow))
    where = reduce(unite, parts)
    if where.num_frames == 1:
        check_border(clip, where)
    return core.vdiff.Inpaint(clip, where, mode=mode)


def boxes_within(clip: vs.VideoNode, x: Integers, y: Integers, w: Integers, h: Integers) -> list[Box]:
    """Put the boxes together, and refuse those that are empty or not within the clip."""
    given = [[index(each) for each in (numbers if isinstance(numbers, Iterable) else [numbers])]
             for numbers in (x, y, w, h)]  # fmt: skip
    if len({*map(len, given)}) > 1:
        counts = ", ".join(str(len(each)) for each in given)
        raise vs.Error(f"delogo: x, y, w and h must be as many, one of each for a box, got {counts}.")
    boxes: list[Box] = [*zip(*given, strict=True)]
    for left, top, width, height in boxes:
        for names, start, length, whole in (("xw", left, width, clip.width), ("yh", top, height, clip.height)):
            if not 1 <= length <= whole:
                raise vs.Error(f"delogo: {names[1]} must be 1...{whole}, got {length}.")
            if not 0 <= start <= whole - length:
                raise vs.Error(
                    f"delogo: {names[0]} must be 0...{whole - length} for a box with {names[1]}={length} in a clip of "
                    f"{clip.width}x{clip.height}, got {start}."
                )
    return boxes


def draw(box: Box, clip: vs.VideoNode) -> vs.VideoNode:
    """Make a mask of a box."""
    left, top, width, height = box
    white = vs.core.std.BlankClip(width=width, height=height, format=vs.GRAY8, length=1, color=255, keep=True)
    return vs.core.std.AddBorders(white, left, clip.width - left - width, top, clip.height - top - height)


def marked(mask: vs.VideoNode, clip: vs.VideoNode) -> vs.VideoNode:
    """Make a mask in 8 bits of another one."""
    if (mask.width, mask.height) != (clip.width, clip.height):
        raise vs.Error(
            f"delogo: mask must have the size of the clip, {clip.width}x{clip.height}, got {mask.width}x{mask.height}."
        )
    first = vs.core.std.ShufflePlanes(mask, 0, vs.GRAY)
    return vs.core.std.Expr(first, "x 0 = 0 255 ?", vs.GRAY8)


def grown(mask: vs.VideoNode, pixels: int) -> vs.VideoNode:
    """Grow what is marked in all directions."""
    return vs.core.vdiff.Dilate(mask, radius=pixels) if pixels else mask


def unite(one: vs.VideoNode, other: vs.VideoNode) -> vs.VideoNode:
    """Mark what either mask does; a mask of one frame holds for all frames."""
    length = max(one.num_frames, other.num_frames)
    whole = [each if each.num_frames == length else vs.core.std.Loop(each, length) for each in (one, other)]
    return vs.core.std.Expr(whole, "x y max")


def check_border(clip: vs.VideoNode, mask: vs.VideoNode) -> None:
    """Refuse a mask that leaves nothing of a plane, before a frame fails."""
    blank = vs.core.std.BlankClip(clip, length=1)
    try:
        vs.core.vdiff.Inpaint(blank, mask).get_frame(0).close()
    except vs.Error as error:
        raise vs.Error("delogo: all of the picture, or of its chroma, is to be filled, and nothing left to fill it "
                       "from.") from error  # fmt: skip


def read_mask(name: Path | str) -> vs.VideoNode:
    """Read a picture that shows where a logo is, in any format that FFmpeg knows.

    If it is transparent anywhere, what is opaque is the logo, whatever its colour, as in a logo that has been cut out.
    Else it is what is not black. Both begin at 1/16: JPEG does not keep black black.

    Args:
        name: The file.

    Returns:
        A mask of one frame, GRAY8: 255 where the logo is, else 0.

    Raises:
        CommandError: It cannot be read, or shows nothing; the message says why.
    """
    import numpy as np

    from vs_vdiff.arrays import from_numpy

    path = Path(name)
    check_file(path)
    with interrupt.temporary_folder() as folder:
        # A name of ours: FFmpeg takes one with %d for a sequence of pictures.
        given = folder / f"given{path.suffix if path.suffix[1:].isalnum() else ''}"
        shutil.copyfile(path, given)
        raw = folder / "picture.pam"
        options = ["-frames:v", "1", "-pix_fmt", "rgba", "-update", "1"]
        status, messages = ffmpeg.run("-loglevel", "error", "-i", str(given), *options, str(raw))
        if status or messages or not raw.exists():  # of some damaged pictures it gives what it has
            reason = ffmpeg.summary(messages.splitlines(), limit=1)
            raise CommandError(f"{path}: not a picture that can be read: {reason}")
        header, _, samples = raw.read_bytes().partition(b"ENDHDR\n")
    size = dict(line.split() for line in header.decode().splitlines() if line.startswith(("WIDTH", "HEIGHT")))
    picture = np.frombuffer(samples, np.uint8).reshape(int(size["HEIGHT"]), int(size["WIDTH"]), 4)
    colours, alpha = picture[..., :3], picture[..., 3]
    shown = (colours.max(axis=2) if alpha.min() == 255 else alpha) > DARK
    if not shown.any():
        raise CommandError(
            f"{path}: the picture shows no logo: all of it is {'black' if alpha.min() else 'transparent'}"
        )
    return from_numpy(np.where(shown, 255, 0).astype(np.uint8)[None], vs.GRAY8, 25)
