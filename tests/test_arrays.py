"""The NumPy bridge: shapes and types, the same bits both ways, what is copied and when, what is refused."""

from __future__ import annotations

import gc
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import vapoursynth as vs
from numpy.typing import NDArray

from support import FORMATS, SIZES, Frames, Video, assert_freed, assert_same, make_clip, read, read_frame, uncached
from vs_vdiff import from_numpy, to_numpy

Arrays = NDArray[Any] | tuple[NDArray[Any], ...]
FOUR_SIZES = ((37, 23), (1, 1), (3, 5), (64, 48))


def random_bits(rng: np.random.Generator, video: Video, count: int) -> Frames:
    """Frames of any bits that the format can hold: for float that is NaN with payload, infinity, subnormal numbers."""
    frames = []
    for _ in range(count):
        planes = []
        for p in video.planes:
            size = video.format.bytes_per_sample
            bits = rng.integers(0, 1 << video.format.bits_per_sample, video.shape(p), dtype=np.uint64)
            planes.append(bits.astype(f"u{size}").view(video.samples(p).dtype))
        frames.append(planes)
    return frames


def stacked(video: Video, frames: Frames) -> Arrays:
    """What `to_numpy` is to give, plane by plane."""
    planes = [np.stack([frame[p] for frame in frames]) for p in video.planes]
    if video.format.num_planes == 1:
        return planes[0]
    same = video.format.subsampling_w == video.format.subsampling_h == 0
    return np.stack(planes, axis=1) if same else tuple(planes)


def assert_bits(actual: Arrays, wanted: Arrays) -> None:
    """Shape, type and bits are the same, and so is the kind of container."""
    assert isinstance(actual, tuple) == isinstance(wanted, tuple)
    pair = [one if isinstance(one, tuple) else (one,) for one in (actual, wanted)]
    for a, b in zip(*pair, strict=True):
        assert (a.shape, a.dtype) == (b.shape, b.dtype)
        assert a.tobytes() == b.tobytes()
        assert a.flags.c_contiguous and a.flags.writeable


def counting(count: int = 10) -> vs.VideoNode:
    """A clip whose frame n is n."""
    frames = [[np.full((2, 3), n, np.uint8)] for n in range(count)]
    clip: vs.VideoNode = make_clip(Video("GRAY8", 3, 2), frames)
    return clip


def gray(count: int = 4, value: int = 0, kind: str = "uint8") -> NDArray[Any]:
    return np.full((count, 6, 8), value, kind)


def varying(**options: Any) -> vs.VideoNode:
    """A clip whose second frame differs in format or size."""
    one = vs.core.std.BlankClip(width=16, height=16, format=vs.GRAY8, length=1)
    return vs.core.std.Splice([one, vs.core.std.BlankClip(one, **options)], mismatch=True)


# Both ways, bit for bit


@pytest.mark.parametrize("size", FOUR_SIZES, ids=str)
@pytest.mark.parametrize("name", FORMATS)
def test_layout(core: Any, rng: np.random.Generator, name: str, size: tuple[int, int]) -> None:
    video = Video(name, *size)
    frames = random_bits(rng, video, 3)
    assert_bits(to_numpy(make_clip(video, frames)), stacked(video, frames))


@pytest.mark.parametrize("name", FORMATS)
def test_clip_of_arrays(core: Any, rng: np.random.Generator, name: str) -> None:
    """At every size, and back again."""
    for size in SIZES:
        video = Video(name, *size)
        frames = random_bits(rng, video, 2)
        arrays = stacked(video, frames)
        clip = from_numpy(arrays, getattr(vs, name))
        assert (clip.format.id, clip.width, clip.height, clip.num_frames) == (
            video.format.id, video.width, video.height, 2
        )  # fmt: skip
        assert_same(read(clip), frames, str(video))
        assert_bits(to_numpy(clip), arrays)


@pytest.mark.parametrize("name", ["GRAY10", "YUV420P8", "RGBH", "YUV422P10", "YUV444PS"])
def test_round_trip_in_any_order(core: Any, threads: Any, rng: np.random.Generator, name: str) -> None:
    """A clip of its arrays, asked for at random by many threads."""
    threads.num_threads = 8
    video = Video(name, 18, 10)
    frames = random_bits(rng, video, 40)
    before = make_clip(video, frames)
    clip = uncached(from_numpy(to_numpy(before), before.format, before.fps))
    assert clip.fps == before.fps
    order = rng.integers(0, 40, 400).tolist()
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda n: read_frame(clip, n), order))
    assert_same(answers, [frames[n] for n in order])


def test_values_are_the_format_s(core: Any) -> None:
    ten = to_numpy(core.std.BlankClip(format=vs.YUV444P10, width=4, height=4, length=1, color=[1023, 512, 0]))
    assert isinstance(ten, np.ndarray)
    assert ten[0, :, 0, 0].tolist() == [1023, 512, 0]
    real = to_numpy(core.std.BlankClip(format=vs.YUV420PS, width=4, height=4, length=1, color=[1, -0.5, 0.5]))
    assert [float(plane[0, 0, 0]) for plane in real] == [1, -0.5, 0.5]


# to_numpy


@pytest.mark.parametrize("start", [0, 3, 9, 10, 99, -1, -4, -99, None])
@pytest.mark.parametrize("stop", [0, 3, 9, 10, 99, -1, -4, -99, None])
def test_range_is_a_slice(core: Any, start: int | None, stop: int | None) -> None:
    found = to_numpy(counting(), start, stop)
    assert isinstance(found, np.ndarray)
    assert found.shape[1:] == (2, 3)
    assert found[:, 0, 0].tolist() == list(range(10))[start:stop]


def test_no_frames(core: Any) -> None:
    assert_bits(to_numpy(counting(), 5, 5), np.empty((0, 2, 3), np.uint8))
    planes = to_numpy(core.std.BlankClip(format=vs.YUV420P16, width=6, height=4), 3, 2)
    assert_bits(planes, tuple(np.empty((0, *shape), np.uint16) for shape in ((4, 6), (2, 3), (2, 3))))
    assert_bits(to_numpy(core.std.BlankClip(format=vs.RGBH, width=6, height=4), 3, 3), np.empty((0, 3, 4, 6), "f2"))


def test_only_the_range_is_read(core: Any) -> None:
    asked: list[int] = []

    def modify(n: int, f: vs.VideoFrame) -> vs.VideoFrame:
        asked.append(n)
        return f

    base = core.std.BlankClip(format=vs.GRAY8, width=4, height=4, length=100)
    to_numpy(base.std.ModifyFrame(base, modify), 40, 44)
    assert sorted(asked) == [40, 41, 42, 43]


def test_arrays_are_copies(core: Any) -> None:
    clip = core.std.BlankClip(format=vs.GRAY8, width=4, height=4, length=3, keep=True)
    first = to_numpy(clip)
    assert isinstance(first, np.ndarray)
    first[0] = 77
    assert np.asarray(to_numpy(clip)).tolist() == np.zeros((3, 4, 4)).tolist()
    assert not first[1:].any()


def test_frames_are_made_in_parallel(core: Any, threads: Any) -> None:
    """Even and odd frames come from two filters that wait for each other, so one thread alone would not get on."""
    threads.num_threads = 2
    meeting = threading.Barrier(2)
    base = core.std.BlankClip(format=vs.GRAY8, width=4, height=4, length=5)

    def meet(n: int, f: vs.VideoFrame) -> vs.VideoFrame:
        meeting.wait(30)
        return f

    halves = [base.std.ModifyFrame(base, meet) for _ in range(2)]
    found = to_numpy(core.std.Interleave(halves))
    assert isinstance(found, np.ndarray)
    assert len(found) == 10


def test_memory_is_bounded(core: Any) -> None:
    """Frames are closed as they are copied: there are never many of them."""
    before, most = core.used_cache_size, 0
    size = 256 * 256

    def modify(n: int, f: vs.VideoFrame) -> vs.VideoFrame:
        nonlocal most
        most = max(most, core.used_cache_size - before)
        return f

    base = uncached(core.std.BlankClip(format=vs.GRAY8, width=256, height=256, length=300))
    to_numpy(uncached(base.std.ModifyFrame(base, modify)))
    assert 0 < most < (6 * core.num_threads + 8) * size


def test_upstream_error(core: Any) -> None:
    """It is VapourSynth's, with the message, and no frame is left behind."""
    gc.collect()
    before = core.used_cache_size

    def modify(n: int, f: vs.VideoFrame) -> vs.VideoFrame:
        if n == 7:
            raise RuntimeError("broken on purpose")
        return f

    base = core.std.BlankClip(format=vs.GRAY8, width=64, height=64, length=20)
    clip = base.std.ModifyFrame(base, modify)
    with pytest.raises(vs.Error, match="broken on purpose") as caught:
        to_numpy(clip)
    del base, clip, caught
    gc.collect()
    assert_freed(core, before)


@pytest.mark.parametrize(
    ("clip", "error", "message"),
    [
        (lambda: np.zeros((1, 2, 2)), TypeError, "clip must be a video clip, got ndarray"),
        (lambda: varying(width=32), ValueError, "changes its format or size; it must be constant"),
        (lambda: varying(format=vs.GRAY16), ValueError, "changes its format or size; it must be constant"),
        (lambda: vs.core.std.BlankClip(format=vs.GRAY32), ValueError, "8...16 bit integer, half or .* got Gray32"),
    ],
    ids=["array", "size", "format", "gray32"],
)
def test_to_numpy_refuses(core: Any, clip: Callable[[], Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=f"^to_numpy: .*{message}"):
        to_numpy(clip())


def test_to_numpy_refuses_bounds(core: Any) -> None:
    fraction: Any = 1.5
    with pytest.raises(TypeError, match=r"^to_numpy: start and stop must be whole numbers or None, got 1\.5, None"):
        to_numpy(counting(), fraction)


# from_numpy


def other_order(array: NDArray[Any]) -> NDArray[Any]:
    return array.astype(array.dtype.newbyteorder(">"))


def read_only(array: NDArray[Any]) -> NDArray[Any]:
    copy = array.copy()
    copy.flags.writeable = False
    return copy


@pytest.mark.parametrize(
    "dress",
    [
        lambda a: np.asfortranarray(a),
        lambda a: np.ascontiguousarray(a[::-1, ..., ::-1])[::-1, ..., ::-1],
        lambda a: np.repeat(a, 3, axis=-1)[..., 1::3],
        lambda a: np.moveaxis(np.ascontiguousarray(np.moveaxis(a, 1, -1)), -1, 1),
        read_only,
        other_order,
    ],
    ids=["fortran", "reversed", "every-third", "moved", "read-only", "big-endian"],
)
@pytest.mark.parametrize("name", ["GRAY16", "GRAYH", "RGBS", "YUV420P10"])
def test_any_memory(core: Any, rng: np.random.Generator, name: str, dress: Callable[[Any], Any]) -> None:
    video = Video(name, 10, 6)
    frames = random_bits(rng, video, 3)
    arrays = stacked(video, frames)
    dressed = tuple(map(dress, arrays)) if isinstance(arrays, tuple) else dress(arrays)
    assert_same(read(from_numpy(dressed, video.format)), frames)


def test_planes_in_any_container(core: Any, rng: np.random.Generator) -> None:
    for name in ("YUV444P16", "RGB24", "YUV420P8"):
        video = Video(name, 8, 4)
        frames = random_bits(rng, video, 3)
        planes = [np.stack([frame[p] for frame in frames]) for p in video.planes]
        for container in (list, tuple):
            assert_same(read(from_numpy(container(planes), video.format.id)), frames)


def test_memory_map(core: Any, rng: np.random.Generator, tmp_path: Path) -> None:
    values = rng.integers(0, 256, (5, 7, 9), dtype=np.uint8)
    path = tmp_path / "raw"
    path.write_bytes(values.tobytes())
    clip = from_numpy(np.memmap(path, np.uint8, "r", shape=values.shape), vs.GRAY8)
    assert_bits(to_numpy(clip), values)


def test_frames_are_copied_when_asked_for(core: Any) -> None:
    """What is changed before that shows, a frame that was given stays, and nobody writes to the array."""
    array = gray()
    clip = uncached(from_numpy(array, vs.GRAY8))
    with clip.get_frame(1) as given:
        array[:] = 5
        assert not np.asarray(given[0]).any()
    array[2] = 9
    assert [int(planes[0][0, 0]) for planes in read(clip)] == [5, 5, 9, 5]
    inverted = to_numpy(clip.std.Invert())
    assert isinstance(inverted, np.ndarray)
    assert inverted[0, 0, 0] == 250
    assert array[:, 0, 0].tolist() == [5, 5, 9, 5]


@pytest.mark.parametrize(
    ("fps", "rate"),
    [
        (25, Fraction(25)),
        (25.0, Fraction(25)),
        (np.float32(25), Fraction(25)),
        (np.int64(25), Fraction(25)),
        (Fraction(30000, 1001), Fraction(30000, 1001)),
        ((48000, 2002), Fraction(24000, 1001)),
        (0, Fraction(0)),
        (Fraction(1, 3), Fraction(1, 3)),
    ],
    ids=str,
)
@pytest.mark.parametrize("name", ["RGB24", "YUV420P10", "GRAYS"])
def test_rate_and_properties(core: Any, name: str, fps: Any, rate: Fraction) -> None:
    """Those of BlankClip: the duration, or nothing."""
    video = Video(name, 4, 4)
    clip = from_numpy(stacked(video, [[np.zeros(video.shape(p), video.samples(p).dtype) for p in video.planes]]),
                      video.format, fps)  # fmt: skip
    assert clip.fps == rate
    duration = {"_DurationNum": rate.denominator, "_DurationDen": rate.numerator} if rate else {}
    with clip.get_frame(0) as frame:
        assert dict(frame.props) == duration


def test_rate_by_default(core: Any) -> None:
    assert from_numpy(gray(), vs.GRAY8).fps == core.std.BlankClip().fps


@pytest.mark.parametrize(("bits", "name"), [(9, "GRAY9"), (10, "GRAY10"), (12, "GRAY12"), (14, "GRAY14")])
def test_values_above_the_peak(core: Any, bits: int, name: str) -> None:
    """The frame fails and the others do not."""
    array = gray(3, (1 << bits) - 1, "uint16")
    array[1, 5, 7] += 1
    clip = from_numpy(array, getattr(vs, name))
    peak = (1 << bits) - 1
    with pytest.raises(vs.Error, match=rf"from_numpy: frame 1, plane 0: .* at most {peak}, got {peak + 1}; .*minimum"):
        clip.get_frame(1)
    assert [read_frame(clip, n)[0].max() for n in (0, 2)] == [peak, peak]


def test_values_above_the_peak_of_chroma(core: Any) -> None:
    planes = [np.zeros((2, 4, 4), np.uint16) for _ in range(3)]
    planes[2][0, 3, 3] = 65535
    with pytest.raises(vs.Error, match=r"from_numpy: frame 0, plane 2: .* at most 1023, got 65535"):
        from_numpy(planes, vs.YUV444P10).get_frame(0)


def zeros(*shapes: tuple[int, ...]) -> list[NDArray[Any]]:
    return [np.zeros(shape, np.uint8) for shape in shapes]


WIDE = np.broadcast_to(np.uint8(0), (1, 2**16, 2**16))
LONG = np.broadcast_to(np.uint8(0), (2**31, 1, 1))


@pytest.mark.parametrize(
    ("array", "format", "error", "message"),
    [
        (gray(kind="uint16"), vs.GRAY8, TypeError, "Gray8 takes uint8, got uint16 in plane 0; array.astype"),
        (gray(kind="float64"), vs.GRAYS, TypeError, "GrayS takes float32, got float64"),
        (gray(kind="int16"), vs.GRAY16, TypeError, "Gray16 takes uint16, got int16"),
        (gray(kind="float32"), vs.GRAYH, TypeError, "GrayH takes float16, got float32"),
        ([*zeros((1, 2, 2), (1, 1, 1)), np.zeros((1, 1, 1))], vs.YUV420P8, TypeError, "got float64 in plane 2"),
        (np.ma.masked_equal(gray(), 3), vs.GRAY8, TypeError, r"a clip has no mask; array\.filled\(value\)"),
        ([*zeros((1, 2, 2), (1, 1, 1)), np.ma.array(zeros((1, 1, 1))[0])], vs.YUV420P8, TypeError, "has no mask"),
        (gray()[0], vs.GRAY8, ValueError, r"Gray8 takes \(frames, height, width\), got shape \(6, 8\)"),
        (gray(), vs.RGB24, ValueError, r"takes \(frames, 3, height, width\) or .*, got shape \(4, 6, 8\)$"),
        (gray()[..., None], vs.GRAY8, ValueError, r"got shape \(4, 6, 8, 1\)"),
        (np.zeros((2, 4, 5, 3), np.uint8), vs.RGB24, ValueError, r"got shape \(2, 4, 5, 3\); numpy.moveaxis"),
        (np.zeros((2, 3, 4, 4), np.uint8), vs.YUV420P8, ValueError, r"takes three arrays, .* got shape \(2, 3, 4, 4\)"),
        ([gray()[0], gray()[1]], vs.GRAY8, ValueError, r"takes \(frames, .*, got a list of 2; numpy.stack"),
        ([gray()], vs.GRAY8, ValueError, r"takes \(frames, .*, got a list of 1; numpy.stack"),
        (tuple(zeros((1, 2, 2), (1, 1, 1))), vs.YUV420P8, ValueError, "takes three arrays, .* got a tuple of 2"),
        (zeros((2, 2), (2, 2), (2, 2)), vs.RGB24, ValueError, r"got shapes \(2, 2\), \(2, 2\), \(2, 2\)"),
        (zeros((1, 4, 4), (1, 4, 4), (1, 4, 4)), vs.YUV420P8, ValueError,
         r"plane 1 must be \(1, 2, 2\) in YUV420P8 beside a first one of \(1, 4, 4\), got \(1, 4, 4\)"),
        (zeros((2, 4, 4), (2, 2, 2), (1, 2, 2)), vs.YUV420P8, ValueError, r"plane 2 must be \(2, 2, 2\) .*\(1, 2, 2\)"),
        (zeros((1, 4, 5), (1, 2, 2), (1, 2, 2)), vs.YUV420P8, ValueError, "width in YUV420P8 .* multiple of 2, got 5"),
        (zeros((1, 3, 4), (1, 1, 2), (1, 1, 2)), vs.YUV420P8, ValueError, "height in .* multiple of 2, got 3"),
        (zeros((1, 4, 6), (1, 4, 1), (1, 4, 1)), vs.YUV411P8, ValueError, "width in .* multiple of 4, got 6"),
        (gray(0), vs.GRAY8, ValueError, "at least 1 frame, got an array of 0"),
        (np.zeros((2, 0, 5), np.uint8), vs.GRAY8, ValueError, "at least 1x1, got 5x0"),
        (np.zeros((2, 3, 4, 0), np.uint8), vs.RGB24, ValueError, "at least 1x1, got 0x4"),
        (WIDE, vs.GRAY8, ValueError, "a plane must be at most 2147483647 bytes, got 65536x65536"),
        (LONG, vs.GRAY8, ValueError, "at most 2147483647 frames, got 2147483648"),
        (gray(), vs.GRAY32, ValueError, "8...16 bit integer, half or single float, got Gray32"),
        (gray(), 3, ValueError, "no format of id 3"),
        (gray(), -1, ValueError, "no format of id -1"),
        (gray(), 2**40, ValueError, "no format of id 1099511627776"),
        (gray(), "YUV420P8", TypeError, "format must be a format or its id, as in vs.YUV420P8, got str"),
        (gray(), None, TypeError, "format must be .* got NoneType"),
    ],
)  # fmt: skip
def test_from_numpy_refuses(core: Any, array: Any, format: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=f"^from_numpy: .*{message}"):
        from_numpy(array, format)


@pytest.mark.parametrize(
    ("fps", "message"),
    [
        (23.976, r"must be exact, got 23\.976; write \(24000, 1001\)"),
        (29.97, r"write \(30000, 1001\)"),
        (12.5, r"write \(25, 2\)"),
        (np.float32(23.976), r"must be exact, got np\.float32\(23\.976\); write \(24000, 1001\)"),
        (1 / 3, r"write \(1, 3\)"),
        (1e-5, r"got 1e-05; write \(1, 100000\)"),
        (0.005, r"write \(1, 200\)"),
        (1.2345678e-15, r"write \([1-9]\d*, \d+\)"),
        (1e-19, r"must be 0\.\.\.2\^63-1, .* got 1e-19"),
        (-1e-5, r"must be 0\.\.\.2\^63-1, .* got -1e-05"),
        (np.float32("nan"), r"got np\.float32\(nan\)"),
        (-1, r"must be 0\.\.\.2\^63-1, .* got -1"),
        ((24, 0), r"or \(numerator, denominator\), got \(24, 0\)"),
        ((24, 1, 1), r"got \(24, 1, 1\)"),
        (2**63, r"must be 0\.\.\.2\^63-1"),
        (Fraction(1, 2**63), r"must be 0\.\.\.2\^63-1"),
        (float("nan"), "got nan"),
        (float("inf"), "got inf"),
        (None, "got None"),
        ("fast", "got 'fast'"),
    ],
    ids=str,
)
def test_from_numpy_refuses_rates(core: Any, fps: Any, message: str) -> None:
    with pytest.raises(ValueError, match=f"^from_numpy: fps .*{message}"):
        from_numpy(gray(), vs.GRAY8, fps)


def test_largest_rates(core: Any) -> None:
    for rate in (Fraction(2**63 - 1), Fraction(1, 2**63 - 1)):
        assert from_numpy(gray(), vs.GRAY8, rate).fps == rate


# What is freed


def test_arrays_live_as_long_as_the_clip(core: Any) -> None:
    gc.collect()
    before = core.used_cache_size
    array = gray(20)
    known = weakref.ref(array)
    clip = from_numpy(array, vs.GRAY8)
    derived = clip.std.Invert()
    del array, clip
    gc.collect()
    assert known() is not None
    copies = to_numpy(derived)
    kept = weakref.ref(copies if isinstance(copies, np.ndarray) else copies[0])
    del derived
    gc.collect()
    assert known() is None
    assert_freed(core, before)
    del copies
    assert kept() is None


def test_failed_frames_are_freed(core: Any) -> None:
    gc.collect()
    before = core.used_cache_size
    clip = from_numpy(gray(4, 2000, "uint16"), vs.GRAY10)
    for n in range(4):
        with pytest.raises(vs.Error, match="at most 1023"):
            clip.get_frame(n)
    del clip
    gc.collect()
    assert_freed(core, before)


# NumPy is optional


@pytest.mark.parametrize(
    "call", [lambda: to_numpy(counting()), lambda: from_numpy(gray(), vs.GRAY8)], ids=["to", "from"]
)
def test_without_numpy(core: Any, monkeypatch: pytest.MonkeyPatch, call: Callable[[], object]) -> None:
    monkeypatch.setitem(sys.modules, "numpy", None)
    with pytest.raises(ModuleNotFoundError, match=r"^(to|from)_numpy: NumPy is missing: pip install numpy"):
        call()


def test_numpy_is_imported_when_it_is_needed() -> None:
    script = """
import sys, vapoursynth as vs, vs_vdiff
assert "numpy" not in sys.modules and "vs_vdiff.arrays" not in sys.modules
vs_vdiff.to_numpy
assert "numpy" not in sys.modules
print(vs_vdiff.to_numpy(vs.core.std.BlankClip(length=1)).shape)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "(1, 3, 480, 640)\n"
