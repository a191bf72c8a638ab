"""What scripts/instructions reads of callgrind, what it says of counts, and the commit that it compares with.

It is run by continuous integration; here are neither valgrind nor a compiler.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections import Counter
from pathlib import Path

import pytest

import instructions
from cases import FILTERS, MARKERS
from instructions import CASES, Case, Counts

PLUGIN = "/there/libvdiff.so"
PROFILE = """\
# callgrind format
version: 1
creator: callgrind-3.19.0
pid: 4242
cmd:  drive -t1 -a1 /there/libvdiff.so
part: 3

desc: Timerange: Basic block 5199065 - 7272417
desc: Trigger: Client Request: 268959744 320 180 3 Diffuse

positions: line
events: Ir
summary: 99999

ob=(1) /usr/lib/libvapoursynth.so.4
fl=(1) ???
fn=(1) 0x00001000
0 1000
cob=(2) /there/libvdiff.so
cfi=(1)
cfn=(2) __pyx_f_7diffuse_get_frame.part.0
calls=3 0
0 5000

ob=(2)
fn=(2)
0 30
cfn=(3) __pyx_f_7kernels_7diffuse_run_pass
calls=3 0
* 4000
+2 7
cob=(1)
cfn=(4) newVideoFrame
calls=1 0
0 600
cob=(3) /lib/x86_64-linux-gnu/libc.so.6
cfn=(5) posix_memalign
calls=1 0
0 50
cob=(3)
cfn=(6) memcpy
calls=2 0
0 200
cfn=(3)
calls=1 0
0 700
cob=(2)
cfn=(3)
calls=1 0
0 800

fn=(3)
0 3000
-1 500
cob=(4) /there/drive
cfn=(7) run_bytes
calls=2 0
0 400

fn=(8) __pyx_fuse_1__pyx_f_7kernels_7diffuse_run_pass.constprop.0'2
16 90
fe=(2) elsewhere.pxd
+3 10

ob=(3)
fn=(6)
0 200

ob=(4)
fn=(7)
0 400

totals: 99999
"""


def counts(**took: int) -> Counts:
    """Counts of functions."""
    return Counter(took)


ONE, TWO = Case("GRAY8", 2, "Diffuse"), Case("GRAYS", 1, "Decay halflife=2")


def test_profile() -> None:
    """A function's own, and what it calls outside, but not VapourSynth, memory, and what is the plugin's own."""
    assert instructions.parse(PROFILE, PLUGIN) == (
        "268959744 320 180 3 Diffuse",
        {"diffuse.get_frame": 30 + 7 + 200, "kernels.diffuse.run_pass": 3500 + 400 + 100},
    )


def test_profile_of_something_else() -> None:
    """What another library took is nothing of the plugin's; the last profile of a run has no name."""
    assert instructions.parse(PROFILE, "/elsewhere/libvdiff.so")[1] == {}
    assert instructions.parse(PROFILE.replace("Client Request: ", "Program termination "), PLUGIN)[0] == ""


@pytest.mark.parametrize(
    ("symbol", "name"),
    [
        ("__pyx_f_7kernels_9diffblend_blend_halves.constprop.0.isra.0", "kernels.diffblend.blend_halves"),
        ("__pyx_f_5decay_get_frame", "decay.get_frame"),
        ("__pyx_fuse_2__pyx_f_7kernels_10morphology_rect_or_cross_plane", "kernels.morphology.rect_or_cross_plane"),
        ("vdiff_add_decay", "vdiff_add_decay"),
        ("__divhc3'2", "__divhc3"),
    ],
)
def test_names(symbol: str, name: str) -> None:
    assert instructions.readable(symbol) == name


def test_growth_is_told() -> None:
    """With the figures, and the functions that grew most, the most first."""
    base = {ONE.line: counts(rows=10_000, edges=500, gone=90, a=1, b=1), TWO.line: counts(rows=100)}
    now = {ONE.line: counts(rows=10_400, edges=450, added=300, a=3, b=2), TWO.line: counts(rows=100)}
    assert instructions.problems([ONE, TWO], base, now, 1.0) == [
        "GRAY8 Diffuse: 11,155 instructions, 10,592 in the base: 5.32 % more\n"
        "    rows: 10,400, was 10,000\n"
        "    added: 300, was 0\n"
        "    a: 3, was 1"
    ]


@pytest.mark.parametrize(("now", "bad"), [(9000, False), (10_000, False), (10_100, False), (10_101, True)])
def test_limit(now: int, bad: bool) -> None:
    """What is less, the same or within the limit is no problem."""
    assert bool(instructions.problems([ONE], {ONE.line: counts(f=10_000)}, {ONE.line: counts(f=now)}, 1.0)) == bad


def test_new_and_gone() -> None:
    """A case that the base does not know is none of growth; one that the working tree does not know is a fault."""
    known = {ONE.line: counts(f=1000)}
    assert instructions.problems([ONE], {}, known, 1.0) == []
    assert instructions.problems([ONE], known, {}, 1.0) == ["GRAY8 Diffuse: this plugin does not do it"]
    assert instructions.problems([ONE], {}, {}, 1.0) == ["GRAY8 Diffuse: this plugin does not do it"]


def test_table() -> None:
    """Per pixel, in columns."""
    three = Case("GRAY16", 1, "Shock")
    base = {ONE.line: counts(f=57_600, g=57_600), TWO.line: counts(f=57_600 * 1200)}
    now = {ONE.line: counts(f=120_960), three.line: counts(f=57_600)}
    assert instructions.table([ONE, TWO, three], base, now).splitlines() == [
        "instructions per pixel       base        now      ratio",
        "GRAY8 Diffuse               1.000      1.050     1.0500",
        "GRAYS Decay halflife=2  1,200.000          -       gone",
        "GRAY16 Shock                    -      1.000        new",
    ]


def test_cases() -> None:
    """Each once, of every filter at least one."""
    assert len({case.line for case in CASES}) == len(CASES)
    assert {case.call.split()[0] for case in CASES} == FILTERS.keys() | MARKERS
    assert CASES[0].line == "268959744 320 180 3 Diffuse"


def test_choice_of_cases() -> None:
    chosen = instructions.select(["GRAYS Decay", "fade"])
    assert [str(case) for case in chosen] == [
        "GRAYS Decay halflife=2",
        "GRAYS Decay halflife=2 mode=max",
        "GRAYS Decay halflife=2 mode=sum",
        "GRAY8 Decay halflife=2 mode=fade",
    ]
    assert instructions.select([]) == CASES
    with pytest.raises(SystemExit, match="there is no case with Decoy in its name"):
        instructions.select(["Decay", "Decoy"])


def test_base() -> None:
    """A whole hash, because a clone may have to fetch it."""
    assert re.fullmatch(r"[0-9a-f]{40}", instructions.given_base(instructions.BASE.read_text(encoding="utf-8")))


@pytest.mark.skipif(not shutil.which("git"), reason="there is no git")
def test_commits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that a shallow clone lacks is fetched; what is nowhere, and a folder that is no clone, are told of."""
    whole, shallow = tmp_path / "whole", tmp_path / "shallow"

    def git(*args: str | Path) -> str:
        return subprocess.run(["git", *args], check=True, capture_output=True, text=True).stdout.strip()

    for name in ("GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL", "GIT_COMMITTER_NAME", "GIT_COMMITTER_EMAIL"):
        monkeypatch.setenv(name, "nobody")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    git("init", "--quiet", whole)
    for message in ("one", "two"):
        git("-C", whole, "commit", "--quiet", "--allow-empty", "-m", message)
    git("clone", "--quiet", "--depth=1", whole.as_uri(), shallow)
    first = git("-C", whole, "rev-parse", "HEAD~1")

    monkeypatch.setattr(instructions, "ROOT", shallow)
    assert instructions.git("rev-parse", "--verify", "HEAD~1").returncode
    assert instructions.resolve(first) == first
    assert instructions.resolve("HEAD") == git("-C", whole, "rev-parse", "HEAD")
    with pytest.raises(SystemExit, match=r"there is no commit nonesuch .* could not be fetched: .*nonesuch"):
        instructions.resolve("nonesuch")
    monkeypatch.setattr(instructions, "ROOT", tmp_path)
    with pytest.raises(SystemExit, match=r"it takes a clone: .*not a git repository"):
        instructions.resolve("HEAD")
