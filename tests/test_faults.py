"""What happens when something fails or goes away: an error where one is due, and nothing else.

Memory runs out: `tests/native/faults.c` stands between the host and the library, fails what it allocates, and counts
what it holds.
"""

from __future__ import annotations

import gc
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import vapoursynth as vs

from cases import CASES, MARKING, ONE_EACH, Case
from faulty import FOREVER, Faulty
from support import (
    FORMATS,
    Video,
    assert_freed,
    blank,
    cached,
    fingerprint,
    frames_of,
    make_clip,
    planes_of,
    random_frames,
    read,
    uncached,
)

LENGTH = 9
CUTS = (5,)
PATIENCE = 60
"""Seconds after which a request hangs."""

every_case = pytest.mark.parametrize("case", [*CASES, *MARKING], ids=str)
every_format = pytest.mark.parametrize("name", FORMATS if "VDIFF_ALL_FAULTS" in os.environ else ["YUV422PH"])
"""Half and subsampled: what allocates most. VDIFF_ALL_FAULTS asks for all formats, which takes ten minutes."""

Content = tuple[tuple[bytes, ...], tuple[tuple[str, Any], ...]]


def content(frame: Any) -> Content:
    """Pixels and properties."""
    return fingerprint(planes_of(frame)), tuple(sorted(dict(frame.props).items()))


@pytest.fixture(scope="session")
def loaded(core: Any, tmp_path_factory: pytest.TempPathFactory) -> Faulty:
    """The plugin with memory that runs out, in the core."""
    plugin = Faulty(tmp_path_factory.mktemp("faulty"))
    plugin.enter(core)
    return plugin


@pytest.fixture
def faulty(loaded: Faulty) -> Faulty:
    """The same, for a test of its own."""
    loaded.before = loaded.held()
    return loaded


def apply(case: Case, clip: Any) -> Any:
    """The case by the plugin with memory that runs out."""
    return uncached(case.apply(clip, namespace=Faulty.namespace))


def all_at_hand(rng: np.random.Generator, video: Video) -> Any:
    """A clip of random frames, all in its cache: nothing of Python runs when they are asked for."""
    clip = cached(make_clip(video, random_frames(rng, video, LENGTH), CUTS), LENGTH + 3)
    read(clip)
    return clip


def outcome(case: Case, request: Callable[[], Any]) -> Content | None:
    """The frame's content, or None: it failed, and said of whom and why."""
    try:
        with request() as frame:
            return content(frame)
    except vs.Error as error:
        assert re.fullmatch(rf"{case.filter}: (frame \d+, plane \d: )?out of memory\.", str(error)), error
        return None


def request_all(case: Case, clip: Any, order: Iterable[int]) -> list[tuple[int, Content | None]]:
    """The outcomes of frames requested one at a time."""
    return [(n, outcome(case, lambda n=n: clip.get_frame_async(n).result(PATIENCE))) for n in order]  # type: ignore[misc]


def order_of(clip: Any) -> list[int]:
    """Seeks, then playback, backwards."""
    last = clip.num_frames - 1
    return [last, 1, last // 2, *range(last + 1)]


@pytest.fixture
def one_thread(threads: Any) -> Iterator[None]:
    """So that calls come in the same order each time."""
    threads.num_threads = 1
    yield


# Memory that runs out.


@every_format
@every_case
def test_each_allocation_fails(
    faulty: Faulty, one_thread: None, rng: np.random.Generator, case: Case, name: str
) -> None:
    """Each in turn, alone, and all from it on: at creation it is refused, else frames fail; after it, all are right."""
    clip = all_at_hand(rng, Video(name, 22, 10))
    with faulty.failing() as counts:
        out = apply(case, clip)
        order = order_of(out)
        wanted = dict(request_all(case, out, order))
        total = counts.calls
    assert total > len(wanted) // 3, "frames are made of what can fail"
    del out
    faulty.assert_nothing_held("without failures")
    for first in range(1, total + 1):
        for last in (first, FOREVER):
            label = f"{case} {name}: {first}...{last} of {total}"
            check_failing(faulty, case, clip, first, last, wanted, label)
            faulty.assert_nothing_held(label)


def check_failing(
    faulty: Faulty, case: Case, clip: Any, first: int, last: int, wanted: dict[int, Content | None], label: str
) -> None:
    """The case, while calls fail and after that."""
    with faulty.failing(first, last) as counts:
        try:
            out = apply(case, clip)
        except vs.Error as error:
            assert str(error) == f"{case.filter}: out of memory.", label
            assert counts.failed > 0, label
            return
        order = order_of(out)
        got = request_all(case, out, order)
        failed = counts.failed
    assert [n for n, frame in got if frame is not None and frame != wanted[n]] == [], label
    errors = sum(frame is None for _, frame in got)
    assert errors == 1 if first == last else errors >= 1, label
    assert failed >= errors, label
    assert [n for n, frame in request_all(case, out, order) if frame != wanted[n]] == [], label


REFUSED: dict[str, dict[str, Any]] = {
    "Interpolate": {"factor": 1},
    "SceneDetect": {"threshold": -1.0},
    "RepairFrames": {"max_gap": 0},
}
"""Arguments that filters without `planes` refuse."""


@every_case
def test_what_is_refused_leaves_nothing(faulty: Faulty, core: Any, case: Case) -> None:
    """Other arguments have been read by then, clips among them."""
    clip = blank(Video("YUV422PH", 22, 10), LENGTH)
    for _ in range(3):
        with pytest.raises(vs.Error, match=f"^{case.filter}: "):
            case.apply(clip, namespace=Faulty.namespace, **REFUSED.get(case.filter, {"planes": [0, 0]}))
    faulty.assert_nothing_held(str(case))


@every_case
def test_allocations_fail_among_threads(
    faulty: Faulty, threads: Any, rng: np.random.Generator, seed: int, case: Case
) -> None:
    """One in ten fails, with all frames in flight, some of them twice: each is right or an error, and right later."""
    threads.num_threads = 4
    clip = all_at_hand(rng, Video("YUV420P8", 22, 10))
    out = apply(case, clip)
    wanted = dict(request_all(case, out, range(out.num_frames)))
    errors = failed = 0
    for turn in range(3):
        out = apply(case, clip)
        order = rng.permutation(np.repeat(np.arange(out.num_frames), 2)).tolist()
        with faulty.failing(rate=0.1, seed=seed + turn) as counts:
            futures = [(n, out.get_frame_async(n)) for n in order]
            got = [(n, outcome(case, lambda f=f: f.result(PATIENCE))) for n, f in futures]  # type: ignore[misc]
            failed += counts.failed
        errors += sum(frame is None for _, frame in got)
        assert [n for n, frame in got if frame is not None and frame != wanted[n]] == []
        assert [n for n, frame in request_all(case, out, order) if frame != wanted[n]] == []
    assert failed > 0
    assert errors > 0
    del out
    faulty.assert_nothing_held(str(case))


@pytest.mark.parametrize("case", [*ONE_EACH, *MARKING], ids=str)
def test_the_least_cache(threads: Any, rng: np.random.Generator, case: Case) -> None:
    """Frames larger than all that the core may keep are right."""
    threads.num_threads = 2
    video = Video("GRAYS", 704, 396)
    clip = make_clip(video, random_frames(rng, video, LENGTH), CUTS)
    wanted = [content(frame) for frame in frames_of(case.apply(clip))]
    before = threads.max_cache_size
    threads.max_cache_size = 1
    try:
        assert video.width * video.height * 4 > threads.max_cache_size << 20
        out = case.apply(clip)
        got = [content(frame) for frame in frames_of(out, ahead=6)]
    finally:
        threads.max_cache_size = before
    assert [n for n, frame in enumerate(got) if frame != wanted[n]] == []


# Clips and cores that go away.


@every_case
def test_a_clip_goes_while_its_frames_are_made(
    faulty: Faulty, threads: Any, rng: np.random.Generator, case: Case
) -> None:
    """They come all the same, and are right; so does nobody's frame, and nothing is left."""
    threads.num_threads = 4
    clip = all_at_hand(rng, Video("YUV420P8", 40, 24))
    wanted = [content(frame) for frame in frames_of(apply(case, clip))]
    order = rng.permutation(len(wanted)).tolist()
    futures = [(n, apply(case, clip).get_frame_async(n)) for n in order]
    out = apply(case, clip)
    futures += [(n, out.get_frame_async(n)) for n in order]
    del out
    forgotten = apply(case, clip)
    for n in order:
        forgotten.get_frame_async(n)
    del forgotten
    gc.collect(0)
    for n, future in futures:
        with future.result(PATIENCE) as frame:
            assert content(frame) == wanted[n], f"frame {n}"
    del futures, future, frame
    faulty.assert_nothing_held(str(case))


@pytest.mark.parametrize("keep", [False, True], ids=["filter first", "core first"])
@every_case
def test_a_core_goes_in_the_middle(faulty: Faulty, case: Case, keep: bool) -> None:
    """As soon as the last frame that was asked for has come, with all that is kept for others; nothing is left."""
    video = Video("YUV420P8", 176, 144)
    assert faulty.destroy_core(case, video, 40, asked=9, threads=3, keep=keep) == 9
    faulty.assert_nothing_held(str(case))


def resident() -> int:
    """Bytes of memory that the process has."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def test_thousands_of_instances(faulty: Faulty, threads: Any, rng: np.random.Generator, seed: int) -> None:
    """Four threads make them, take a frame or two or leave them in the works, and let go; memory stays flat."""
    threads.num_threads = 4
    cases = [*CASES, *MARKING]
    clip = all_at_hand(rng, Video("YUV420P8", 22, 10))
    wanted = [[content(frame) for frame in frames_of(case.apply(clip))] for case in cases]
    gc.collect()
    before = threads.used_cache_size
    wrong: list[str] = []

    def use(thread: int, turns: int) -> None:
        own = np.random.default_rng([seed, thread])
        for _ in range(turns):
            i = int(own.integers(len(cases)))
            out = apply(cases[i], clip)
            frames = own.integers(0, out.num_frames, 3).tolist()
            out.get_frame_async(frames[0])
            for n in frames[1:]:
                with out.get_frame_async(n).result(PATIENCE) as frame:
                    if content(frame) != wanted[i][n]:
                        wrong.append(f"{cases[i]} frame {n}")

    def run(turns: int) -> int:
        with ThreadPoolExecutor(4) as pool:
            for future in [pool.submit(use, thread, turns) for thread in range(4)]:
                future.result()
        faulty.assert_nothing_held("all instances")
        return resident()

    sizes = [run(turns) for turns in (150, 300, 300)]
    assert wrong == []
    assert_freed(threads, before)
    assert sizes[2] - sizes[1] < 4 << 20, f"{sizes[2] - sizes[1]} bytes more after 1200 instances"


@pytest.mark.parametrize("leaving", ["process", "environment"])
def test_leaving(leaving: str) -> None:
    """A program or an environment of Python's that ends with frames in the works: nothing is said, nothing crashes."""
    program = Path(__file__).resolve().parent / "leaving.py"
    ended = subprocess.run([sys.executable, program, leaving], capture_output=True, text=True, timeout=5 * PATIENCE)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert re.fullmatch(r"left [1-9]\d*\n", ended.stdout)
