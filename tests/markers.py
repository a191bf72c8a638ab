"""What the filters that mark frames, SceneDetect and RepairFrames, should find in a clip, by their references."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np
import vapoursynth as vs

from reference import Real, repairframes, scenedetect
from reference.interpolate import between
from reference.repairframes import Run
from support import Frames, Video, stack

OFF = 2e-4
"""What a fill may be off, in parts of the values' span."""


def compared(frames: Frames, video: Video) -> Real:
    """What is looked at, on the 8-bit scale, shape (frames, planes, h, w): luma, or R, G and B."""
    planes = range(3) if video.format.color_family == vs.RGB else range(1)
    return np.stack([stack(frames, p) / video.samples(p).unit for p in planes], axis=1)


def scene_scores(frames: Frames, video: Video, metric: str) -> Real:
    """The score of each frame."""
    planes = compared(frames, video)
    samples = video.samples(0)
    if metric == "adaptive":
        return scenedetect.adaptive(planes.mean(axis=1))
    if metric == "histogram":
        working = 256.0 / samples.peak if samples.is_float else 2.0 ** (8 - samples.bits)
        return scenedetect.histogram(planes, working * samples.unit)
    return scenedetect.differences(planes, {"mad": 1, "mse": 2}[metric])


def repair_scores(frames: Frames, video: Video, max_gap: int = repairframes.MAX_GAP) -> dict[Run, float]:
    """The score of each run."""
    return repairframes.scores(compared(frames, video).mean(axis=1), max_gap)


def frames_in(runs: Collection[Run]) -> set[int]:
    """The frames of runs."""
    return {n for run in runs for n in range(run.start, run.start + run.length)}


def best_scores(scores: Mapping[Run, float], count: int) -> list[float]:
    """Of each of so many frames the best score that a run with it has."""
    return [max((score for run, score in scores.items() if n in frames_in([run])), default=0.0) for n in range(count)]


def filled(frames: Frames, video: Video, plane: int, runs: Collection[Run]) -> Real:
    """A plane of all frames, those of runs filled, unrounded."""
    unit, out = video.samples(plane).unit, stack(frames, plane)
    for run in runs:
        p, q = run.start - 1, run.start + run.length
        out[run.start : q] = unit * between(out[p] / unit, out[q] / unit, run.length + 1)
    return out
