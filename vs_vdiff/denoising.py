"""Denoising: `Diffuse3D` along motion vectors."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from operator import index

import vapoursynth as vs

from vs_vdiff import plugin
from vs_vdiff.composing import Strength, factor, within_scenes

__all__ = ["MotionError", "denoise"]

BLOCK = 16
"""Side of the blocks whose motion is looked for; they overlap by half. Smaller ones follow the noise."""
LARGEST_RADIUS = 7
BLUR = 1.0
"""Standard deviation of the blur under which motion is looked for, in pixels."""


class MotionError(ImportError):
    """There is no plugin that finds motion."""


def denoise(clip: vs.VideoNode, strength: Strength = "medium", radius: int = 3, motion: bool = True) -> vs.VideoNode:
    """Removes noise: along motion, not across cuts, as much as the noise of each frame asks for.

    It is `Diffuse3D`, with neighbours that are compensated for motion.

    Args:
        clip: Any format that vdiff takes.
        strength: light, medium, strong, or what the contrasts found from the noise are multiplied by, 0.01 to 100:
            these stand for 0.5, 1 and 1.5.
        radius: Frames before and after each that take part, 0 to 7.
        motion: Whether these are compensated for motion, by MVUtensils (`mvu`) or else MVTools (`mv`). Where they are
            not, only what stands still is averaged in time. Pictures smaller than two blocks, 32 pixels, never are.

    Returns:
        A clip with the format, length and properties of the given one, and `VdiffSigma`.

    Raises:
        MotionError: Neither plugin is installed, and `motion` is on.
        PluginNotFoundError: vdiff's own plugin is not there.
        TypeError: `radius` is no whole number.
        vapoursynth.Error: An argument is out of range, or vdiff does not take the format; the message says which one.
    """
    plugin.load()
    core = vs.core
    radius = index(radius)
    if not 0 <= radius <= LARGEST_RADIUS:
        raise vs.Error(f"denoise: radius must be 0...{LARGEST_RADIUS}, got {radius:.6g}.")
    if motion not in (False, True):
        raise vs.Error(f"denoise: motion must be 0 or 1, got {motion!s:.40}.")
    options = {"radius": radius, "strength": factor("denoise", strength)}
    core.vdiff.Diffuse3D(clip, **options)  # refuses before anything is built
    given = {}
    if motion and radius > 0 and min(clip.width, clip.height) >= 2 * BLOCK:
        given["neighbours"] = list(find_motion().neighbours(clip, radius))
    return within_scenes(clip, lambda cut: core.vdiff.Diffuse3D(cut, **options, **given), "VdiffSigma")


@dataclass(frozen=True)
class Motion:
    """A plugin that finds motion, by blocks of half a pixel's precision, and moves pictures along it.

    Attributes:
        takes_float: Whether its clips may be single float.
        move: Moves, for each of the offsets, the frames so many later (negative: earlier) of each of the clips in the
            list to where the frames of the first argument are; motion is looked for in the first plane of that one.
    """

    takes_float: bool
    move: Callable[[vs.VideoNode, list[vs.VideoNode], list[int]], Iterator[list[vs.VideoNode]]]

    def takes(self, clip: vs.VideoNode) -> vs.VideoNode:
        """The clip in the nearest format that the plugin takes."""
        is_float = clip.format.sample_type == vs.FLOAT and self.takes_float
        wide = clip.format.subsampling_w > 1 or clip.format.subsampling_h > 1
        taken = clip.format.replace(
            sample_type=vs.FLOAT if is_float else vs.INTEGER,
            bits_per_sample=32 if is_float else min(16, clip.format.bits_per_sample),
            **({"subsampling_w": 0, "subsampling_h": 0} if wide else {}),
        )
        return vs.core.resize.Bicubic(clip, format=taken.id)

    def neighbours(self, clip: vs.VideoNode, radius: int) -> Iterator[vs.VideoNode]:
        """The clips that stand in for the frames around each, from the earliest."""
        core = vs.core
        # Conversions there and back need no properties, and would fail by some: a YUV matrix that RGB has kept, fields.
        clip = core.std.RemoveFrameProps(clip)
        if clip.format.color_family == vs.RGB:
            parts = core.std.SplitPlanes(clip)
            seen = core.resize.Bicubic(clip, format=parts[0].format.id, matrix=vs.MATRIX_BT709)
        else:
            parts = [clip]
            seen = clip
        blurred = core.vdiff.Diffuse(self.takes(seen), time=0.5 * BLUR**2, diffusivity="linear", planes=[0])
        offsets = [*range(-radius, 0), *range(1, radius + 1)]
        for moved in self.move(blurred, [self.takes(part) for part in parts], offsets):
            restored = [core.resize.Bicubic(part, format=parts[0].format.id) for part in moved]
            yield restored[0] if len(parts) == 1 else core.std.ShufflePlanes(restored, [0, 0, 0], vs.RGB)


def move_by_mvutensils(
    seen: vs.VideoNode, clips: list[vs.VideoNode], offsets: list[int]
) -> Iterator[list[vs.VideoNode]]:
    """With thresholds that let every block through: what does not fit is for `Diffuse3D` to see."""
    mvu = vs.core.mvu
    blocks = {"blksize": BLOCK, "overlap": BLOCK // 2}
    searched = mvu.Super(seen, pel=2, **blocks)
    supers = [mvu.Super(clip, pel=2, onelevel=1, **blocks) for clip in clips]
    for offset in offsets:
        vectors = mvu.Analyse(searched, chroma=0, satd=1, delta=offset, **blocks)
        yield [
            mvu.Compensate(clip, finest, vectors, thsad=10**6, thscd1=16320, thscd2=100)
            for clip, finest in zip(clips, supers, strict=True)
        ]


def move_by_mvtools(seen: vs.VideoNode, clips: list[vs.VideoNode], offsets: list[int]) -> Iterator[list[vs.VideoNode]]:
    """The same with the older plugin."""
    mv = vs.core.mv
    blocks = {"blksize": BLOCK, "overlap": BLOCK // 2}
    searched = mv.Super(seen, pel=2)
    supers = [mv.Super(clip, pel=2, levels=1) for clip in clips]
    for offset in offsets:
        vectors = mv.Analyse(searched, chroma=0, isb=offset > 0, delta=abs(offset), **blocks)
        yield [
            mv.Compensate(clip, finest, vectors, thsad=16320, thscd1=16320, thscd2=255)
            for clip, finest in zip(clips, supers, strict=True)
        ]


MOTION = {"mvu": Motion(True, move_by_mvutensils), "mv": Motion(False, move_by_mvtools)}
"""By the plugin's namespace, the better one first."""


def find_motion() -> Motion:
    """Choose the plugin that compensates.

    Raises:
        MotionError: There is none.
    """
    for namespace, motion in MOTION.items():
        if hasattr(vs.core, namespace):
            return motion
    raise MotionError(
        "denoise needs a plugin that finds motion: pip install vapoursynth-mvutensils; motion=False (in a chain, "
        "denoise=motion=0) does without, but then averages only what stands still"
    )
