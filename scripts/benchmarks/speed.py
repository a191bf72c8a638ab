"""The table: every filter beside its peers and the machine's limit, in every setting.

A record is what a work showed in a setting:

    work, size, depth, threads
    fps         of ours, the median
    frames      of a measurement, and how many rounds there were
    limits      which part it reaches of what the machine allows at most: by memory, add, mul, div
    bound       which of them is the nearest
    machine     copies of a frame a second, and millions of operations
    peers       by name: fps, ratio (ours to theirs, the median of the rounds), rounds, same; or missing, the reason

A peer's time that has no host in it is compared with ours less that of the same frames without a filter, with one
thread, and half of ours at least. With two threads the host's work and the filter's overlap, and the peer is compared
with all of ours.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby, product
from typing import Any

import vapoursynth as vs

from . import machine
from .measuring import Plan, Result, in_turn, less, played, ratio
from .settings import NotThereError, Setting
from .works import Work

TABLE = ("720p", "1080p", "2160p")
THREADS = (1, 2)
HOST = "frames without a filter"
SHORT = 0.02
"""Seconds of a measurement of the machine."""

type Record = dict[str, Any]


def limits(work: Work, setting: Setting) -> tuple[dict[str, Plan], dict[str, float]]:
    """The machine's limits.

    Returns:
        What to measure of the machine, by name, and how many of these a frame takes at least.
    """
    counts = work.needs(setting)
    copying = machine.copying(int(setting.bytes(work.family)), setting.threads)
    plans = {"memory": Plan(copying, seconds=SHORT)}
    for name in counts.keys() - plans.keys():
        plans[name] = Plan(machine.operating(name, setting.threads), seconds=SHORT)
        counts[name] /= 1e6
    return plans, counts


def settings(sizes: Iterable[str], depths: Iterable[str], threads: Iterable[int]) -> list[Setting]:
    """All of them, those with the same frames together."""
    return [Setting(*each) for each in product(sizes, depths, threads)]


def measured(work: Work, setting: Setting, rounds: int) -> Record:
    """Measures ours and the peers in turn."""
    vs.core.num_threads = setting.threads
    missing: dict[str, str] = {}
    plans = {}
    for peer in (work.ours, *work.peers):
        if reason := peer.refuses(setting):
            missing[peer.name] = reason
            continue
        try:
            measure = peer.prepare(setting, work.family)
            plans[peer.name] = Plan(measure, max(peer.least, setting.threads), peer.seconds)
        except NotThereError as reason:
            missing[peer.name] = str(reason)
    bare = {peer.name for peer in work.peers if setting.threads == 1 and not peer.hosted and peer.name in plans}
    if bare:
        plans[HOST] = Plan(played(lambda frames: setting.clip(work.family, frames)))
    of_machine, counts = limits(work, setting)
    results, failed = in_turn(of_machine | plans, rounds)
    missing |= failed
    if work.name in missing:
        raise NotThereError(missing[work.name])
    ours = results[work.name]
    parts = {name: count * ratio(ours, results[name]) for name, count in counts.items()}
    bound = max(parts, key=lambda name: parts[name])
    same = {peer.name: peer.same for peer in work.peers}
    ours_in = {name: less(ours, results[HOST]) if name in bare else ours for name in same}
    return {
        "work": work.name,
        "size": setting.size,
        "depth": setting.depth,
        "threads": setting.threads,
        "fps": shortened(ours.fps),
        "frames": ours.frames,
        "rounds": len(ours.seconds),
        "limits": {name: shortened(each) for name, each in parts.items()},
        "bound": bound,
        "machine": {name: shortened(results[name].fps) for name in counts},
        "peers": {name: beside(ours_in[name], results[name], same[name]) for name in same if name in results}
        | {name: {"missing": reason} for name, reason in missing.items()},
    }


def beside(ours: Result, peer: Result, same: bool) -> dict[str, Any]:
    """What a peer showed."""
    rounds = min(len(peer.seconds), len(ours.seconds))
    return {"fps": shortened(peer.fps), "ratio": shortened(ratio(ours, peer)), "rounds": rounds, "same": same}


def shortened(value: float) -> float:
    """Four figures, as many as there can be something to."""
    return float(f"{value:.4g}")


def table(works: list[Work], where: list[Setting], rounds: int) -> Iterator[Record | str]:
    """Measures everything.

    Yields:
        A record; or a line that says why there is none.
    """
    for (size, depth), group in groupby(where, key=lambda setting: (setting.size, setting.depth)):
        same_frames = list(group)
        for family in dict.fromkeys(work.family for work in works):
            for work, setting in product((w for w in works if w.family == family), same_frames):
                try:
                    yield measured(work, setting, rounds)
                except NotThereError as reason:
                    yield f"{work.name} in {size} {depth} not measured: {reason}"


def line(record: Record) -> str:
    """A record in a line."""
    setting = Setting(record["size"], record["depth"], record["threads"])
    part = 100 * record["limits"][record["bound"]]
    peers = ", ".join(
        f"{peer['ratio']:.2f}x {name}{'' if peer['same'] else ' (other work)'}"
        for name, peer in record["peers"].items()
        if "missing" not in peer
    )
    start = f"{record['work']:22} {setting!s:26} {record['fps']:8.4g} fps  {part:4.0f} % of {record['bound']:6}"
    return f"{start}  {peers}"
