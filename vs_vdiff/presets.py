"""Ready-made filters for people who do not know PDEs: compositions of ours with one knob, how strong.

Each keeps the format, size, length and properties of the clip. `PRESETS` has them under the names that `--preset`
gives, `COMPOSITIONS` under those that a chain of filters (`--vf`) gives, and `delogo`, which has to be told where.
"""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import vapoursynth as vs

from vs_vdiff import plugin
from vs_vdiff.composing import Integers, Strength, factor, within_scenes
from vs_vdiff.denoising import denoise
from vs_vdiff.logos import delogo

__all__ = ["COMPOSITIONS", "PRESETS", "Composition", "deband", "denoise", "dream", "motion", "trails"]


def trails(clip: vs.VideoNode, strength: Strength = "medium") -> vs.VideoNode:
    """Light trails: what is bright fades slowly where it has been.

    It is `Decay` in mode `max` with a half-life of 8 frames, within scenes.

    Args:
        clip: Any format that vdiff takes.
        strength: light, medium, strong, or what the half-life is multiplied by, 0.01 to 100: these stand for 0.5, 1
            and 1.5.

    Returns:
        A clip with the format, length and properties of the given one.

    Raises:
        vapoursynth.Error: The strength is out of range, or vdiff does not take the format; the message says which.
    """
    halflife = 8 * factor("trails", strength)
    return within_scenes(clip, lambda cut: vs.core.vdiff.Decay(cut, mode="max", halflife=halflife))


def deband(clip: vs.VideoNode, strength: Strength = "medium") -> vs.VideoNode:
    """Smooths the steps of banding in gradients, and moves no pixel by more than half a step before it is dithered.

    It is `Diffuse` for a time of 16 with a diffusivity that stops at gradients steeper than bands make, between 16-bit
    pictures, and `DiffBlend` that limits the change to what rounding to the bands can have taken. Integers of less than
    16 bits are dithered (error diffusion); a clip converted to 16 bits before keeps the gradients as they are.

    Args:
        clip: Any format that vdiff takes.
        strength: light, medium, strong, or half the height of the steps, 0.01 to 100 on the 8-bit scale: these stand
            for 0.5 (rounding to 8 bits), 1 and 1.5.

    Returns:
        A clip with the format, length and properties of the given one.

    Raises:
        vapoursynth.Error: The strength is out of range, or vdiff does not take the format; the message says which.
    """
    plugin.load()
    core = vs.core
    half = factor("deband", strength)
    # Three cycles of fast explicit diffusion do for a gradient; the limit sees to the rest.
    smooth: dict[str, Any] = {"time": 16, "k": 0.7 * half, "diffusivity": "weickert", "presmooth": 2}
    smooth |= {"scheme": "fed", "steps": 3}
    core.vdiff.Diffuse(clip, **smooth)  # refuses before anything is built
    video = clip.format
    deep = clip
    if video.sample_type == vs.INTEGER and video.bits_per_sample < 16:
        # The same there and back, whatever the properties say of the range.
        deep = core.resize.Point(core.std.RemoveFrameProps(clip), format=video.replace(bits_per_sample=16).id)
    result = core.vdiff.DiffBlend(deep, ref=core.vdiff.Diffuse(deep, **smooth), alpha=-1, limit=half)
    if deep is not clip:
        result = core.resize.Point(result, format=video.id, dither_type="error_diffusion")
    return core.std.CopyFrameProps(result, clip)


def dream(clip: vs.VideoNode, strength: Strength = "medium") -> vs.VideoNode:
    """Turns the picture into a painting whose strokes follow what flows in it: hair, grass, water, folds.

    It is `TensorDiffuse` in mode `ced` for a time of 20, then `Shock` for a time of 2.

    Args:
        clip: Any format that vdiff takes.
        strength: light, medium, strong, or what both times are multiplied by, 0.01 to 100: these stand for 0.5, 1
            and 1.5.

    Returns:
        A clip with the format, length and properties of the given one.

    Raises:
        vapoursynth.Error: The strength is out of range, or vdiff does not take the format; the message says which.
    """
    plugin.load()
    by = factor("dream", strength)
    strokes = vs.core.vdiff.TensorDiffuse(clip, time=20 * by, mode="ced", k=2, rho=4)
    return vs.core.vdiff.Shock(strokes, time=2 * by, rho=4)


def motion(clip: vs.VideoNode, strength: Strength = "medium") -> vs.VideoNode:
    """Makes what moves stand out, and leaves alone what stands still.

    It is `DiffBlend`: twice the difference from the frame before is added, beyond a threshold of 2 for noise, within
    scenes.

    Args:
        clip: Any format that vdiff takes.
        strength: light, medium, strong, or half of what the difference is multiplied by, 0.01 to 100: these stand for
            0.5, 1 and 1.5.

    Returns:
        A clip with the format, length and properties of the given one.

    Raises:
        vapoursynth.Error: The strength is out of range, or vdiff does not take the format; the message says which.
    """
    alpha = 2 * factor("motion", strength)
    return within_scenes(clip, lambda cut: vs.core.vdiff.DiffBlend(cut, alpha=alpha, threshold=2))


@dataclass(frozen=True)
class Composition:
    """A ready-made filter in the shape of a plugin's: with a name and a signature, and called with a clip."""

    call: Callable[..., vs.VideoNode]

    def __call__(self, clip: vs.VideoNode, **arguments: Any) -> vs.VideoNode:
        """Apply it."""
        return self.call(clip, **arguments)

    @property
    def name(self) -> str:
        """The function's name."""
        return self.call.__name__

    @property
    def meaning(self) -> str:
        """The first sentence of its documentation."""
        return (inspect.getdoc(self.call) or "").partition("\n")[0]

    @cached_property
    def options(self) -> list[inspect.Parameter]:
        """Its parameters but for the clip."""
        return [*inspect.signature(self.call).parameters.values()][1:]

    @property
    def signature(self) -> str:
        """The signature as VapourSynth writes it. A strength is text: its name, or a number."""
        kinds = {float: "float", int: "int", int | None: "int", bool: "int", Integers: "int[]"}
        return "clip:vnode;" + "".join(
            f"{each.name}:{kinds.get(each.annotation, 'data')}:opt;" for each in self.options
        )

    @property
    def defaults(self) -> str:
        """What its arguments are by default, if that is one value, as in a chain of filters."""
        values = ((each.name, each.default) for each in self.options if each.default not in (None, ()))
        return ":".join(f"{name}={int(value) if isinstance(value, bool) else value}" for name, value in values)


PRESETS = {preset.name: preset for preset in map(Composition, (denoise, trails, deband, dream, motion))}
COMPOSITIONS = PRESETS | {delogo.__name__: Composition(delogo)}
