"""How well damage that is planted in real clips is found by RepairFrames, by kind: scripts/bench repair."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent / "tests"))

import vapoursynth as vs

import vs_vdiff  # noqa: F401
from damage import CUTS, DAMAGE, Clip, load, plant, undamaged
from quality import psnr
from support import frames_of, gray, read

from .settings import clips_folder


class Score:
    """Frames that were found, that were taken for damaged, and that were missed."""

    def __init__(self) -> None:
        self.found = self.false = self.missed = 0

    def add(self, given: set[int], wanted: set[int]) -> None:
        """Counts those of a clip."""
        self.found += len(given & wanted)
        self.false += len(given - wanted)
        self.missed += len(wanted - given)

    def __str__(self) -> str:
        f1 = 2 * self.found / max(1, 2 * self.found + self.false + self.missed)
        return f"{self.found:6} {self.missed:6} {self.false:6} {f1:6.3f}"


def repaired(clip: vs.VideoNode) -> set[int]:
    """The frames that are."""
    out = vs.core.vdiff.RepairFrames(clip)
    return {n for n, frame in enumerate(frames_of(out)) if frame.props["VdiffRepaired"]}


def fills(spoilt: Clip, whole: Clip, given: set[int]) -> list[tuple[float, float]]:
    """PSNR of what repaired frames show, and of the last good frame before them in their place."""
    out = read(vs.core.vdiff.RepairFrames(gray(*spoilt, name="GRAY8")))
    good = {n: max(m for m in range(n) if m not in given) for n in given}
    return [(psnr(out[n][0], whole[n], 255), psnr(whole[good[n]], whole[n], 255)) for n in given]


def main(arguments: Sequence[str] | None = None) -> None:
    """Prints a line for each kind of damage, for each clip, and for what is no damage."""
    parser = argparse.ArgumentParser(prog="scripts/bench repair", description=__doc__)
    parser.add_argument("--rounds", type=int, default=8, help="clips made of each, with damage elsewhere (default 8)")
    rounds = parser.parse_args(arguments).rounds
    folder = clips_folder()
    clips = {name: load(folder, name) for name in CUTS}

    print(f"{'':28} found missed  false     F1")
    for kind in DAMAGE:
        score = Score()
        for name, clip in clips.items():
            for n in range(rounds):
                spoilt, truth = plant(np.random.default_rng([n, 1]), clip, CUTS[name], [kind])
                score.add(repaired(gray(*spoilt, name="GRAY8")), set(truth))
        print(f"{kind:28}{score}", flush=True)
    total, shown = Score(), list[tuple[float, float]]()
    for name, clip in clips.items():
        score = Score()
        for n in range(rounds):
            spoilt, truth = plant(np.random.default_rng([n, 2]), clip, CUTS[name])
            given = repaired(gray(*spoilt, name="GRAY8"))
            score.add(given, set(truth))
            total.add(given, set(truth))
            shown += fills(spoilt, clip, given)
        print(f"{'all kinds in ' + name.removesuffix('.mp4'):28}{score}", flush=True)
    print(f"{'all kinds':28}{total}")
    fill, held = np.mean(shown, axis=0)
    print(f"PSNR of repaired frames {fill:.2f} dB, of the last good frame in their place {held:.2f} dB")

    untouched = {name: len(repaired(vs.core.bs.VideoSource(str(folder / name), cachemode=0))) for name in CUTS}
    print("repaired in the clips as they are:", ", ".join(f"{name} {count}" for name, count in untouched.items()))
    none = undamaged(np.random.default_rng(1), folder)
    counts = {name: len(repaired(gray(*clip, name="GRAY8"))) for name, clip in none.items()}
    wrong = {name: count for name, count in counts.items() if count > 0}
    print(f"of {len(none)} clips without damage, {sum(map(len, none.values()))} frames:", wrong or "none repaired")
