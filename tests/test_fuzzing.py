"""Random chains of filters, clips, arguments and orders of requests; the run with 100 000 of them is `scripts/fuzz`.

They run in a process of their own: what crashes or never ends is named, and the others go on.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import vapoursynth as vs

import fuzz
import fuzzing
from arguments import ARGUMENTS
from cases import FILTERS
from refusals import faults

CASES, PARTS = 2000, 4
WORKER = """
import json, os, sys, time
for line in sys.stdin:
    number = int(line)
    if number == 3:
        os.abort()
    if number == 5:
        time.sleep(60)
    print(json.dumps({"number": number, "finds": ["odd"] if number == 7 else []}), flush=True)
"""
"""Stands in for what runs cases: the third crashes, the fifth never ends, the seventh finds something."""


@pytest.mark.parametrize("part", range(PARTS))
def test_random_cases(core: Any, seed: int, part: int) -> None:
    """Each is refused as it should, or what its reference says; and every filter is tried in both ways."""
    ends: Counter[tuple[str, str]] = Counter()
    finds: list[str] = []
    for result in fuzz.run_cases(fuzz.worker_command(seed), range(part, CASES, PARTS)):
        ends.update((name, end) for name, end in result.ends)
        finds += [f"case {result.number}: {find}\n  {result.text}" for find in result.finds]
    print(fuzz.table(ends))
    assert not finds, "\n".join([*finds, f"Again, one of them: scripts/fuzz --seed {seed} --only NUMBER"])
    assert {name for name in ARGUMENTS if not (ends[name, "compared"] and ends[name, "refused"])} == set()


@pytest.mark.parametrize("number", [1, 7, 15])
def test_cases_can_be_had_again(core: Any, seed: int, number: int) -> None:
    """The same chain from the same two numbers, and another one from others."""
    once, again, other = (fuzzing.run(*numbers) for numbers in ((seed, number), (seed, number), (seed + 1, number)))
    assert (once.text, once.ends, once.finds) == (again.text, again.ends, again.finds)
    assert once.text != other.text


def test_a_crash_and_a_hang_are_named() -> None:
    """And the other cases are run."""
    command = [sys.executable, "-c", WORKER]
    results = list(fuzz.run_cases(command, range(10), limit=5))
    assert [result.number for result in results] == list(range(10))
    found = {result.number: result.finds for result in results if result.finds}
    assert found.keys() == {3, 5, 7}
    assert found[3][0].startswith("crashed, SIGABRT")
    assert found[5][0].startswith("no end after 5 seconds")
    assert found[7] == ["odd"]


# That the judge sees what is wrong.


def finds_of(numbers: range) -> list[str]:
    """Everything that is wrong with some cases."""
    return [find for number in numbers for find in fuzzing.run(1, number).finds]


def test_wrong_pixels_are_found(core: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Against a reference that is one step off everywhere."""

    def off(reference: Any) -> Any:
        def run(x: Any, samples: Any, *rest: Any) -> Any:
            wanted, noise = reference(x, samples, *rest)
            return wanted + (0.01 if samples.is_float else 1.2), noise

        return run

    assert finds_of(range(30)) == []
    monkeypatch.setattr(fuzzing, "FILTERS", {name: (off(each), rows) for name, (each, rows) in FILTERS.items()})
    outcomes = [fuzzing.run(1, number) for number in range(60)]
    finds = [find for outcome in outcomes for find in outcome.finds if "beyond rounding" in find]
    samples = {re.search(r" (?:GRAY|YUV\d*P?|RGB)(H|S|\d+) \d+x\d+ plane", find)[1] for find in finds}  # type: ignore[index]
    assert {"H", "S"} < samples, "of integers, half and single"
    assert [outcome.text for outcome in outcomes if "delicate" in dict(outcome.ends).values()] == []


def test_needless_and_missing_refusals_are_found(core: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """By rules that call everything wrong, and by rules that call nothing wrong."""
    monkeypatch.setattr(fuzzing, "faults", lambda name, given, ticket: [*faults(name, given, ticket), "never said"])
    assert [find for find in finds_of(range(10)) if find.startswith("not refused, though due")]
    monkeypatch.setattr(fuzzing, "faults", lambda *_: [])
    assert [find for find in finds_of(range(30)) if find.startswith("refused without need")]


def test_frames_that_are_left_are_found(core: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    kept: list[Any] = []
    show = fuzzing.show

    def keep(clip: Any) -> Any:
        kept.append(clip.get_frame(0))
        return show(clip)

    def freed_at_once(core: Any, before: int) -> None:
        assert core.used_cache_size == before

    monkeypatch.setattr(fuzzing, "show", keep)
    monkeypatch.setattr(fuzzing, "assert_freed", freed_at_once)  # it waits for long
    assert [find for find in finds_of(range(5)) if find.endswith("bytes of frames are left")]
    for frame in kept:
        frame.close()


def test_frames_that_depend_on_their_order_are_found(core: Any, rng: np.random.Generator) -> None:
    """A filter that counts its requests."""

    def make(clip: Any) -> Any:
        served = iter(range(1, 10000))
        return core.std.FrameEval(clip, lambda n: core.std.BlankClip(clip, length=1, color=next(served) % 256))

    clip = core.std.BlankClip(format=vs.GRAY8, width=4, height=4, length=20)
    with pytest.raises(AssertionError, match="is not the same as in order"):
        for _ in range(5):
            made = make(clip)
            fuzzing.ask_again(rng, clip, [fuzzing.Stage("counts", make)], made, fuzzing.show(made))


def test_command() -> None:
    """One case, said and done; and numbers that are none."""
    script = Path(fuzz.__file__)
    done = subprocess.run([sys.executable, script, "--only", "2"], capture_output=True, text=True, check=True)
    assert "1 cases, 0 bad" in done.stdout
    for wrong, said in (
        (["--cases", "0"], "must be at least 1, got 0"),
        (["--library", "nowhere.so"], "--library: nowhere.so is no file"),
        (["--seed", "-1"], "must not be negative"),
    ):
        refused = subprocess.run([sys.executable, script, *wrong], capture_output=True, text=True)
        assert (refused.returncode, said in refused.stderr) == (2, True)
