"""The output is the same bytes in whatever order and from however many threads frames are requested.

Filters run without a cache here, so that each request is computed anew. Long clips are loops of 61 random frames: the
period has no divisor in common with any block of a filter, and looping costs nothing.
"""

from __future__ import annotations

import gc
import itertools
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import vapoursynth as vs

from cases import CASES, FILTERS, ONE_EACH, Case
from reference import decay as reference
from support import (
    Video,
    assert_all_freed,
    cached,
    fingerprint,
    make_clip,
    planes_of,
    random_frames,
    read,
    read_frame,
    source,
    uncached,
)

PERIOD = 61
HALFLIVES = {0.5: 150, 2.0: 150, 5.0: 250, 13.5: 400, 40.0: 1100, 200.0: 4000}
"""Half-lives and a number of frames above twice the memory at 8 bit, so that one chain takes over from another."""

Bytes = tuple[bytes, ...]
Order = Callable[[np.random.Generator, int], Sequence[int]]


def decay(halflife: float, mode: str) -> Case:
    """A case of the filter with memory."""
    return Case("Decay", {"halflife": halflife, "mode": mode}, FILTERS["Decay"][0])


MODES = ("mean", "max", "min", "sum")
"""The modes with memory."""
every_mode = pytest.mark.parametrize("mode", MODES)
DECAYS = [decay(halflife, mode) for halflife in HALFLIVES for mode in MODES]
SHORT = [*CASES, decay(5.0, "mean"), decay(5.0, "max")]


def length(case: Case) -> int:
    """Frames that are enough for a case."""
    return HALFLIVES.get(case.args.get("halflife", 0.0), 150)


def looped(rng: np.random.Generator, video: Video, count: int, starts: Iterable[int] = ()) -> Any:
    """`count` frames, scenes beginning at `starts`."""
    period = cached(make_clip(video, random_frames(rng, video, PERIOD)), PERIOD + 3)
    return marked(vs.core.std.Loop(period, count // PERIOD + 1)[:count], starts)


def marked(clip: Any, starts: Iterable[int]) -> Any:
    """The clip with scenes beginning at `starts`."""
    std = vs.core.std
    for start in starts:
        mark = std.SetFrameProps(clip[start], _SceneChangePrev=1)
        before = [clip[:start]] if start else []
        after = [clip[start + 1 :]] if start + 1 < clip.num_frames else []
        clip = std.Splice([*before, mark, *after])
    return clip


def linear(clip: Any) -> list[Bytes]:
    """All frames, requested in order, one at a time."""
    return [fingerprint(read_frame(clip, n)) for n in range(clip.num_frames)]


def mismatches(clip: Any, order: Iterable[int], wanted: Sequence[Bytes]) -> list[int]:
    """Frames, requested one at a time in this order, that are not what they should be."""
    return [n for n in order if fingerprint(read_frame(clip, n)) != wanted[n]]


def at_random(rng: np.random.Generator, count: int) -> Sequence[int]:
    """Anywhere, some of them twice."""
    order = rng.integers(0, count, 14).tolist()
    return [*order, order[3], order[3], order[0]]


def backwards(rng: np.random.Generator, count: int) -> Sequence[int]:
    """From some frame down, then from the end down."""
    middle = int(rng.integers(20, count - 20))
    return [*range(middle, middle - 12, -1), *range(count - 1, count - 5, -1)]


def interleaved(rng: np.random.Generator, count: int) -> Sequence[int]:
    """Three readers take turns."""
    readers = rng.integers(0, count - 12, 3)
    return [int(reader) + n for n in range(12) for reader in readers]


def in_jumps(rng: np.random.Generator, count: int) -> Sequence[int]:
    """Forward, with steps of 1...5 and now and then a long one; then the first frames again."""
    steps = rng.choice([1, 1, 1, 2, 3, 5, 40], 30)
    return [*(int(n) for n in np.cumsum(steps) if n < count), 1, 0, count - 1]


ORDERS: list[Order] = [at_random, backwards, interleaved, in_jumps]
every_order = pytest.mark.parametrize("order", ORDERS, ids=lambda order: order.__name__)


@every_order
@pytest.mark.parametrize("case", [*ONE_EACH, *DECAYS], ids=str)
def test_order_of_requests(core: Any, rng: np.random.Generator, case: Case, order: Order) -> None:
    count = length(case)
    clip = looped(rng, Video("YUV420P8", 22, 10), count)
    wanted = linear(uncached(case.apply(clip)))
    assert mismatches(uncached(case.apply(clip)), order(rng, len(wanted)), wanted) == []


@every_order
@pytest.mark.parametrize("name", ["GRAYS", "YUV420P10", "GRAY16", "YUV444PH"])
@every_mode
def test_order_in_other_formats(core: Any, rng: np.random.Generator, mode: str, name: str, order: Order) -> None:
    case = decay(13.5, mode)
    clip = looped(rng, Video(name, 22, 10), 600)
    wanted = linear(uncached(case.apply(clip)))
    assert mismatches(uncached(case.apply(clip)), order(rng, 600), wanted) == []


@every_order
@pytest.mark.parametrize("scenechange", [0, 1])
@pytest.mark.parametrize("case", [*SHORT, decay(40.0, "mean"), decay(40.0, "max")], ids=str)
def test_order_with_cuts(core: Any, rng: np.random.Generator, case: Case, scenechange: int, order: Order) -> None:
    """Cuts anywhere, next to each other, at the first and the last frame."""
    count = length(case)
    starts = sorted({0, 70, 71, 73, count - 1, *rng.integers(1, count - 1, 3).tolist()})
    clip = looped(rng, Video("YUV420P8", 22, 10), count, starts)
    knows_cuts = "scenechange:" in getattr(core.vdiff, case.filter).signature
    more: dict[str, Any] = {"scenechange": scenechange} if knows_cuts else {}
    wanted = linear(uncached(case.apply(clip, **more)))
    assert mismatches(uncached(case.apply(clip, **more)), order(rng, len(wanted)), wanted) == []


@pytest.mark.parametrize("case", DECAYS, ids=str)
def test_linear_is_the_reference_of_orders(core: Any, rng: np.random.Generator, case: Case) -> None:
    """What orders are compared with does change with the past: else the tests above would show nothing."""
    clip = looped(rng, Video("GRAY8", 16, 8), 20)
    assert linear(case.apply(clip)) != linear(clip)


# Real footage.


CUTS = (30, 76, 137, 187, 242)
every_memory = pytest.mark.parametrize("halflife", [0.5, 5.0, 40.0, 200.0])


@pytest.fixture(scope="module")
def footage(core: Any, clips: Path) -> Any:
    """A part of the picture of `bikes.mp4`, all frames in memory, its cuts marked."""
    clip = core.bs.VideoSource(str(clips / "bikes.mp4"), cachemode=0)
    clip = core.std.CropAbs(clip, 160, 64, 240, 100)
    return marked(cached(clip, clip.num_frames), CUTS)


@every_memory
@every_mode
def test_footage_in_any_order(core: Any, rng: np.random.Generator, footage: Any, mode: str, halflife: float) -> None:
    """Backwards, anywhere, and three readers in turn."""
    case, count = decay(halflife, mode), footage.num_frames
    wanted = linear(uncached(case.apply(footage)))
    assert mismatches(uncached(case.apply(footage)), range(count - 1, -1, -1), wanted) == []
    for order in (rng.permutation(count)[:60].tolist(), interleaved(rng, count)):
        assert mismatches(uncached(case.apply(footage)), order, wanted) == []


@every_memory
@every_mode
def test_footage_by_threads_and_chunks(threads: Any, footage: Any, mode: str, halflife: float) -> None:
    """Playback with 1, 2 and 4 threads; ten parts, each by a filter of its own as by workers apart, joined."""
    case, count = decay(halflife, mode), footage.num_frames
    threads.num_threads = 1
    wanted = linear(uncached(case.apply(footage)))
    for number in (1, 2, 4):
        threads.num_threads = number
        played = read(uncached(case.apply(footage)), ahead=3 * number)
        assert [fingerprint(frame) for frame in played] == wanted, f"{number} threads"
    edges = [count * part // 10 for part in range(11)]
    chunks = [linear(uncached(case.apply(footage))[first:end]) for first, end in itertools.pairwise(edges)]
    assert [frame for chunk in chunks for frame in chunk] == wanted


# Threads.


@pytest.mark.parametrize("count", [1, 2, 4])
@pytest.mark.parametrize("case", [*SHORT, decay(40.0, "mean"), decay(40.0, "max")], ids=str)
def test_threads(threads: Any, rng: np.random.Generator, case: Case, count: int) -> None:
    """Frames in playback order, as many in flight as there are threads and more."""
    clip = looped(rng, Video("YUV420P8", 33, 17), 300, starts=(90,))
    threads.num_threads = 1
    wanted = linear(uncached(case.apply(clip)))
    threads.num_threads = count
    out = uncached(case.apply(clip))
    result = [fingerprint(frame) for frame in read(out, ahead=3 * count)]
    assert result == wanted


@pytest.mark.parametrize("count", [1, 2, 4])
@pytest.mark.parametrize("case", [*SHORT, decay(40.0, "mean"), decay(40.0, "max")], ids=str)
def test_many_requests_at_once(threads: Any, rng: np.random.Generator, case: Case, count: int) -> None:
    """Hundreds outstanding at once, in no order, each frame up to three times."""
    clip = looped(rng, Video("YUV420P8", 33, 17), 150, starts=(60,))
    wanted = linear(uncached(case.apply(clip)))
    threads.num_threads = count
    out = uncached(case.apply(clip))
    frames = np.arange(out.num_frames)
    order = rng.permutation(np.repeat(frames, rng.integers(1, 4, len(frames)))).tolist()
    futures = [(n, out.get_frame_async(n)) for n in order]
    assert [n for n, future in futures if fingerprint(planes_of(future.result())) != wanted[n]] == []


@pytest.mark.parametrize("mode", ["mean", "max"])
def test_many_seeks_at_once(threads: Any, rng: np.random.Generator, mode: str) -> None:
    """Far more requests far apart than states are kept: they take turns, and each frame is right."""
    case, count = decay(13.5, mode), 6000
    clip = looped(rng, Video("GRAY8", 9, 5), count, starts=range(200, count, 331))
    wanted = linear(case.apply(clip))
    threads.num_threads = 2
    out = uncached(case.apply(clip))
    order = rng.permutation(count)[:30].tolist()
    futures = [(n, out.get_frame_async(n)) for n in order]
    assert [n for n, future in futures if fingerprint(planes_of(future.result())) != wanted[n]] == []


def test_no_request_waits_for_ever(threads: Any) -> None:
    """Newer requests have all states there are, and upstream serves older ones first, which need one: they get one."""
    older, newer, way = 20, 80, 100
    case, count = decay(3.0, "mean"), way * 400
    served, limit = [0], (older + newer) * (way + 64)  # frames of their ways, and those asked for while waiting

    def note(n: int, f: Any) -> Any:
        served[0] += 1
        return f

    def hold(clip: Any, until: Callable[[], bool]) -> Any:
        """The clip, whose first frame is late."""
        asked: list[int] = []

        def select(n: int) -> Any:
            asked.append(n)
            if len(asked) == 1:
                while not until():
                    time.sleep(0.02)
            return clip

        return uncached(vs.core.std.FrameEval(clip, select))

    def at_rest() -> bool:
        before = served[0]
        time.sleep(0.3)
        return served[0] == before or served[0] > limit

    blank = vs.core.std.BlankClip(format=vs.GRAY8, width=9, height=5, length=count, keep=True)
    counted = uncached(vs.core.std.ModifyFrame(blank, blank, note))
    wanted = [2 * way * (i + 1) for i in range(older)]
    wanted += [count // 2 + 2 * way * (i + 1) for i in range(newer)]
    late = hold(counted, lambda: len(requests) == len(wanted))  # the frames themselves that are asked for first,
    held = hold(counted, at_rest)  # and what the others need
    parts, at = [], 0
    for i, n in enumerate(wanted):
        parts += [(counted if i < older else held)[at:n], (late if i < older else counted)[n]]
        at = n + 1
    source = uncached(vs.core.std.Splice([*parts, counted[at:]]))
    threads.num_threads = 3
    out = uncached(case.apply(source))
    requests: list[Any] = []
    for n in wanted:
        requests.append(out.get_frame_async(n))
    for request in requests:
        request.result().close()
    assert served[0] <= limit


@pytest.mark.parametrize("case", [*SHORT, decay(13.5, "mean"), decay(13.5, "max")], ids=str)
def test_slow_upstream_out_of_order(threads: Any, rng: np.random.Generator, seed: int, case: Case) -> None:
    """Four sources, each with its own random delay, take turns: their frames arrive in an order of chance."""
    video = Video("YUV420P8", 20, 12)
    frames = random_frames(rng, video, 96)
    wanted = linear(uncached(case.apply(make_clip(video, frames, starts=(50,)))))

    def part(i: int) -> Any:
        delays = np.random.default_rng([seed, i]).exponential(0.001, 24)

        def serve(n: int) -> list[Any]:
            time.sleep(delays[n])
            return frames[4 * n + i]

        return source(video, 24, serve, lambda n: {"_SceneChangePrev": int(4 * n + i == 50)})

    threads.num_threads = 4
    clip = uncached(vs.core.std.Interleave([uncached(part(i)) for i in range(4)]))
    out = uncached(case.apply(clip))
    assert [fingerprint(frame) for frame in read(out, ahead=12)] == wanted


# What stands after the filter.


@pytest.mark.parametrize("case", [*SHORT, decay(40.0, "mean"), decay(40.0, "max")], ids=str)
def test_trim_after_the_filter(core: Any, rng: np.random.Generator, case: Case) -> None:
    """A range that starts anywhere is that part of the whole."""
    count = length(case)
    clip = looped(rng, Video("YUV420P8", 22, 10), count)
    wanted = linear(case.apply(clip))
    for first in (1, 17, 18, 19, *rng.integers(20, count - 10, 3).tolist(), count - 3):
        assert linear(case.apply(clip)[first : first + 9]) == wanted[first : first + 9], f"from frame {first}"


@pytest.mark.parametrize("keep", [False, True], ids=["uncached", "cached"])
@pytest.mark.parametrize("distance", [1, 20, 71])
@pytest.mark.parametrize("case", [*SHORT, decay(13.5, "mean"), decay(13.5, "max")], ids=str)
def test_two_consumers(core: Any, rng: np.random.Generator, case: Case, distance: int, keep: bool) -> None:
    """One node read at two positions in the same graph, and by a third reader that goes backwards."""
    clip = looped(rng, Video("GRAY8", 22, 10), 140)
    wanted = linear(case.apply(clip))
    out = case.apply(clip)
    if not keep:
        uncached(out)
    span = out.num_frames - distance
    pairs = core.std.Interleave([out[:span], out[distance:], core.std.Reverse(out)[:span]])
    result = [fingerprint(frame) for frame in read(pairs, ahead=8)]
    assert result[0::3] == wanted[:span]
    assert result[1::3] == wanted[distance:]
    assert result[2::3] == wanted[: distance - 1 : -1]


# An upstream that fails.


def fragile(clip: Any, *bad: int) -> tuple[Any, set[int]]:
    """A clip whose frames `bad` cannot be had as long as they are in the set that comes with it."""
    broken = set(bad)

    def select(n: int, f: Any) -> Any:
        if n in broken:
            raise RuntimeError("frame cannot be decoded")
        return f

    return uncached(vs.core.std.ModifyFrame(clip, clip, select)), broken


def may_fail(case: Case, bad: int) -> range:
    """The frames that may depend on the source's frame `bad`."""
    if case.filter in ("Diffuse", "TensorDiffuse", "Shock", "Dilate", "Erode", "PoissonBlend"):
        return range(bad, bad + 1)
    if case.filter == "Extrapolate":  # bad is none of the last two
        return range(bad, bad + 1)
    if case.filter == "Interpolate":
        return range((bad - 1) * case.times + 1, (bad + 1) * case.times)
    if case.filter in ("DiffBlend", "ChangeMap", "Spread"):  # frames between n and n - lag tell whether there is a cut
        lag = case.args.get("lag", 1)
        return range(bad + min(lag, 0), bad + max(lag, 0) + 1)
    if case.filter == "Inpaint":
        temporal = case.args.get("temporal", 0)
        return range(bad - temporal, bad + temporal + 1)
    if case.filter == "Diffuse3D":  # frames of the clip itself tell whether there is a cut
        radius = 1 if "neighbours" in case.args else case.args.get("radius", 2)
        return range(bad - radius, bad + radius + 1)
    if case.filter == "Kernel":
        return range(bad + min(*case.args["lags"], 0), bad + max(*case.args["lags"], 0) + 1)
    q = reference.factor(rate=case.args.get("rate"), halflife=case.args.get("halflife"))
    return range(bad, bad + 3 * reference.memory(q, 256))


def outcome(request: Callable[[], Any]) -> Bytes | None:
    """The frame's bytes, or None if it failed with upstream's message."""
    try:
        with request() as frame:
            return fingerprint(planes_of(frame))
    except vs.Error as error:
        assert "frame cannot be decoded" in str(error)
        return None


def assert_failures_are_local(got: dict[int, Bytes | None], wanted: list[Bytes], bad: int, allowed: range) -> None:
    """The bad frame failed, others only where they may, and what did not fail is right."""
    assert got[bad] is None
    assert [n for n, frame in got.items() if frame is None and n not in allowed] == []
    assert [n for n, frame in got.items() if frame is not None and frame != wanted[n]] == []


@pytest.mark.parametrize("at_once", [False, True], ids=["in turn", "at once"])
@pytest.mark.parametrize("case", [*CASES, decay(5.0, "mean"), decay(5.0, "max")], ids=str)
def test_upstream_error(core: Any, rng: np.random.Generator, case: Case, at_once: bool) -> None:
    """Frames that do not depend on the bad one are right; all are, once upstream is well again."""
    bad = 50
    allowed = may_fail(case, bad)
    count = max(allowed.stop, bad) + 15
    clip = looped(rng, Video("YUV420P8", 22, 10), count)
    wanted = linear(case.apply(clip))
    weak, broken = fragile(clip, bad)
    out = uncached(case.apply(weak))
    if at_once:
        futures = {n: out.get_frame_async(n) for n in range(count)}
        got = {n: outcome(future.result) for n, future in futures.items()}
    else:
        got = {n: outcome(lambda n=n: out.get_frame(n)) for n in range(count)}  # type: ignore[misc]
    assert_failures_are_local(got, wanted, bad * case.times, allowed)
    seeks = rng.permutation(count)[:30].tolist()
    got = {n: outcome(lambda n=n: out.get_frame(n)) for n in [*seeks, bad * case.times]}  # type: ignore[misc]
    assert_failures_are_local(got, wanted, bad * case.times, allowed)
    broken.clear()
    assert mismatches(out, [bad + 1, bad, *range(bad + 2, count), *range(bad)], wanted) == []


@pytest.mark.parametrize("case", [*CASES, decay(5.0, "mean"), decay(5.0, "max")], ids=str)
def test_random_upstream_errors(threads: Any, rng: np.random.Generator, case: Case) -> None:
    """A few fail, other ones each time, with all frames in flight, twice and in no order; in the end, all are right."""
    threads.num_threads = 4
    count = 90
    clip = looped(rng, Video("YUV420P8", 22, 10), count, starts=(50,))
    wanted = linear(case.apply(clip))
    weak, broken = fragile(clip)
    out = uncached(case.apply(weak))
    for _ in range(2):
        broken.update(rng.integers(2, count - 2, 3).tolist())
        allowed = {n for bad in broken for n in may_fail(case, bad)}
        order = rng.permutation(np.repeat(np.arange(len(wanted)), 2)).tolist()
        futures = [(n, out.get_frame_async(n)) for n in order]
        got = [(n, outcome(future.result)) for n, future in futures]
        assert {bad * case.times for bad in broken} <= {n for n, frame in got if frame is None} <= allowed
        assert [n for n, frame in got if frame is not None and frame != wanted[n]] == []
        broken.clear()
    assert linear(out) == wanted


@every_mode
def test_a_cut_ends_an_upstream_error(core: Any, rng: np.random.Generator, mode: str) -> None:
    """In playback, frames from the next cut on are right."""
    case, bad, cut = decay(13.5, mode), 30, 33
    clip = looped(rng, Video("GRAY8", 22, 10), 60, starts=(cut,))
    wanted = linear(case.apply(clip))
    out = uncached(case.apply(fragile(clip, bad)[0]))
    got = {n: outcome(lambda n=n: out.get_frame(n)) for n in range(60)}  # type: ignore[misc]
    assert_failures_are_local(got, wanted, bad, range(bad, cut))


# Memory.


def counted(video: Video, count: int, samples: list[int]) -> Any:
    """A clip of new frames; the memory that all live frames take is noted at each request."""
    fresh = uncached(
        vs.core.std.BlankClip(format=video.format.id, width=video.width, height=video.height, length=count)
    )

    def note(n: int, f: Any) -> Any:
        samples.append(vs.core.used_cache_size)
        return f

    return uncached(vs.core.std.ModifyFrame(fresh, fresh, note))


def most_frames_alive(core: Any, case: Case, video: Video, count: int, order: Iterable[int]) -> float:
    """The largest number of frames that are alive while frames are requested in this order."""
    samples: list[int] = []
    gc.collect()
    before = core.used_cache_size
    out = uncached(case.apply(counted(video, count, samples)))
    for n in order:
        out.get_frame(n).close()
    assert len(samples) > 30
    most = (max(samples) - before) / sum(rows * columns for rows, columns in map(video.shape, video.planes))
    assert most >= 1, "nothing was counted"
    return float(most)


@pytest.mark.parametrize("halflife", [5.0, 40.0, 200.0])
@pytest.mark.parametrize("mode", ["mean", "max", "sum"])
def test_a_seek_holds_few_frames(core: Any, mode: str, halflife: float) -> None:
    """At most 32 frames are alive at any time, though thousands are needed."""
    count = HALFLIVES[halflife]
    order = (count - 1, count // 2, 3, count - 2)
    assert most_frames_alive(core, decay(halflife, mode), Video("GRAY8", 512, 256), count, order) <= 32.5


@pytest.mark.parametrize(("mode", "name"), [("mean", "YUV420P8"), ("max", "YUV444P8"), ("sum", "GRAY8")])
def test_a_hundred_seeks_hold_few_frames(core: Any, rng: np.random.Generator, mode: str, name: str) -> None:
    """Nor does seeking again and again add to them; by far the most of each way is still to go at each."""
    order = rng.integers(0, 600, 100).tolist()
    assert most_frames_alive(core, decay(200.0, mode), Video(name, 256, 128), 600, order) <= 32.5


@pytest.mark.parametrize("case", CASES, ids=str)
def test_every_frame_is_freed(core: Any, rng: np.random.Generator, case: Case) -> None:
    """After playback, seeks and errors no frame is left behind."""

    def use() -> None:
        video = Video("YUV420P8", 64, 64)
        out = case.apply(fragile(looped(rng, video, 90), 40)[0])
        for n in (*range(30), 70, 41, 40, 12, 40, 41, 80):
            outcome(lambda n=n: out.get_frame(n))  # type: ignore[misc]

    assert_all_freed(core, use)
