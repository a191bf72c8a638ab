"""A host without Python, `tests/native/drive.c`, runs every filter: bytes, memory and frames, and that it sees faults.

`scripts/sanitize` runs the same host under sanitizers and valgrind, and over many more frames.
"""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest
import vapoursynth as vs

from driving import EVERY, compile_host, lines

PLUGIN = Path(vs.get_plugin_dir()) / "vdiff" / "libvdiff.so"
FORMATS = ["YUV420P8", "GRAYS"]
KERNEL = "805830913 16 12 {} Kernel kernel=@{} lags=0,1 params=0.5 planes=0"


@dataclass(frozen=True)
class Outcome:
    """What the host printed, and how it ended."""

    status: int
    lines: list[str]
    errors: str


@pytest.fixture(scope="session")
def drive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The host, compiled."""
    return compile_host(tmp_path_factory.mktemp("drive"))


def run(program: Path, cases: list[str], *options: str) -> Outcome:
    """The host's run of some cases."""
    done = subprocess.run(
        [program, *options, PLUGIN], input="\n".join(cases), capture_output=True, text=True, check=False
    )
    return Outcome(done.returncode, done.stdout.splitlines(), done.stderr)


@pytest.fixture(scope="session")
def played(drive: Path) -> list[str]:
    """The answers to every case in one thread, a frame at a time, in order."""
    outcome = run(drive, lines(FORMATS, [(33, 22)], 32), "-t1", "-a1")
    assert (outcome.status, outcome.errors) == (0, "")
    assert len(outcome.lines) == len(FORMATS) * len(EVERY)
    assert not [line for line in outcome.lines if line.startswith("error")]
    return outcome.lines


@pytest.mark.parametrize(
    "options", [("-o", "backward"), ("-o", "random", "-t4", "-k"), ("-t3", "-a9", "-j2")], ids=" ".join
)
def test_same_bytes(drive: Path, played: list[str], options: tuple[str, ...]) -> None:
    """In any order, in several threads and instances at once, and after an instance that was let go of at work."""
    outcome = run(drive, lines(FORMATS, [(33, 22)], 32), *options)
    assert outcome.errors == ""
    assert outcome.lines == played
    assert outcome.status == 0


def test_memory_is_flat(drive: Path) -> None:
    """In 20 000 frames of each kind of Decay, which remembers the most, less than 1 KB per 100 frames is added."""
    cases = [line for line in lines(["YUV420P8"], [(8, 8)], 20_000) if " Decay " in line]
    assert len(cases) >= 8
    outcome = run(drive, cases, "-l1024")
    assert (outcome.status, outcome.errors) == (0, "")


@pytest.mark.parametrize(
    ("case", "complaint"),
    [
        (KERNEL.format(2000, "leak"), "memory grows by"),
        ("805830913 16 12 40 Diffuse guide=@lost", "(YUV420P8 16x12) allocated by Source"),
        ("805830913 16 12 40 Kernel kernel=@fail lags=0,1 params=0.5", ": Kernel: planted: "),
    ],
)
def test_faults_are_seen(drive: Path, case: str, complaint: str) -> None:
    """A block that is lost in each frame, a frame that is kept, a frame that fails."""
    outcome = run(drive, [case], "-l2048")
    assert complaint in outcome.errors
    assert outcome.status == 1


def test_refusals_are_no_faults(drive: Path) -> None:
    """What is wrong with a case is its answer."""
    case = "805830913 16 12 40 Diffuse time=-1"
    outcome = run(drive, [case])
    assert (outcome.status, outcome.errors) == (0, "")
    (answer,) = outcome.lines
    assert answer.startswith("error: Diffuse: time must be") and answer.endswith(case)
