"""Interpolation as decibels: frames are left out of clips, put back by each method, and compared with what was there.

Luma alone, 8 bits. Of 25 frames within a scene every 2nd or every 4th is kept; PSNR is the mean over the others.
Motion-compensated methods get blocks of 16 with an overlap of 8, else their defaults, and their thresholds of scene
changes are open, as there is no cut.
"""

import argparse
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import vapoursynth as vs

import vs_vdiff  # noqa: F401  # loads the plugin
from quality import psnr

from .quality import CLIPS, shot
from .settings import NotThereError

core = vs.core
FRAMES = 25
FACTORS = (2, 4)

type Clip = vs.VideoNode


def held(clip: Clip, factor: int) -> Clip:
    """The nearest frame, the earlier one of two."""
    late = clip[1:] + clip[-1]
    return core.std.Interleave([clip if 2 * t <= factor else late for t in range(factor)])


def dissolve(clip: Clip, factor: int) -> Clip:
    """The linear cross-dissolve."""
    late = clip[1:] + clip[-1]
    return core.std.Interleave([core.std.Merge(clip, late, t / factor) for t in range(factor)])


def ours(clip: Clip, factor: int) -> Clip:
    """Our filter."""
    return core.vdiff.Interpolate(clip, factor=factor)


def flow(namespace: str) -> Callable[[Clip, int], Clip]:
    """FlowFPS of MVTools, or of MVUtensils, which has its interface but for the direction."""

    def apply(clip: Clip, factor: int) -> Clip:
        if not hasattr(core, namespace):
            raise NotThereError(f"there is no plugin {namespace}")
        plugin = getattr(core, namespace)
        rate: dict[str, Any] = {"num": clip.fps.numerator * factor, "den": clip.fps.denominator}
        if namespace == "mv":
            searched = plugin.Super(clip, pel=2)
            backward, forward = (plugin.Analyse(searched, isb=isb, blksize=16, overlap=8) for isb in (1, 0))
            return plugin.FlowFPS(clip, searched, backward, forward, thscd1=16_320, thscd2=255, **rate)
        searched = plugin.Super(clip, pel=2, blksize=16, overlap=8)
        vectors = [plugin.Analyse(searched, delta=delta) for delta in (1, -1)]
        return plugin.FlowFPS(clip, searched, vectors, thscd1=16_320, thscd2=100, **rate)

    return apply


METHODS: dict[str, Callable[[Clip, int], Clip]] = {
    "the nearest frame": held,
    "std.Merge, a dissolve": dissolve,
    "vdiff.Interpolate": ours,
    "mv.FlowFPS": flow("mv"),
    "mvu.FlowFPS": flow("mvu"),
}


def measure(method: Callable[[Clip, int], Clip], clip: Clip, factor: int) -> float:
    """The mean PSNR of the frames put back."""
    made = method(clip[::factor], factor)
    figures = [
        psnr(np.asarray(made.get_frame(n)[0]), np.asarray(clip.get_frame(n)[0]), 255.0)
        for n in range(FRAMES)
        if n % factor
    ]
    return float(np.mean(figures))


def main(arguments: Sequence[str] | None = None) -> None:
    """Prints a table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.parse_args(arguments)
    clips = {name: core.std.ShufflePlanes(shot(name, FRAMES), 0, vs.GRAY) for name in CLIPS}
    columns = [(name, factor) for name in CLIPS for factor in FACTORS]
    print("| PSNR, dB |" + "".join(f" {name}, 1 of {factor} |" for name, factor in columns))
    print("| --- |" + " --- |" * len(columns))
    for label, method in METHODS.items():
        try:
            figures = [measure(method, clips[name], factor) for name, factor in columns]
            print(f"| {label} |" + "".join(f" {figure:.2f} |" for figure in figures), flush=True)
        except NotThereError as reason:
            print(f"| {label} | not measured: {reason} |", flush=True)
