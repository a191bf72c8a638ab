"""Kernel, the native host of compiled functions: what it refuses, what it hands over, how long code lives."""

from __future__ import annotations

import gc
import os
import re
import struct
import threading
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pytest
import vapoursynth as vs

from cases import filter_cases
from own import Compile, lighten
from support import (
    FORMATS,
    SIZES,
    Frames,
    Video,
    assert_same,
    assert_stored,
    make_clip,
    random_frames,
    read,
    read_frame,
    seeded,
    stack,
)
from vs_vdiff import kernels
from vs_vdiff.kernel_layout import Sample, Signature
from vs_vdiff.kernels import fnv1a, kernel


@kernel
def copy(dst: Any, src: Any, params: Any) -> None:
    for y in range(dst.height):
        for x in range(dst.width):
            dst[y, x] = src[0][y, x]


@kernel
def half_of_last(dst: Any, src: Any, params: Any) -> None:
    """Half of the last source, whichever number it has."""
    for y in range(dst.height):
        for x in range(dst.width):
            dst[y, x] = src[len(src) - 1][y, x] / 2


@kernel
def scaled(dst: Any, src: Any, params: Any) -> None:
    for y in range(dst.height):
        for x in range(dst.width):
            dst[y, x] = src[0][y, x] * params[0] + params[1]


@kernel(error_model="python")
def reciprocal(dst: Any, src: Any, params: Any) -> None:
    for y in range(dst.height):
        for x in range(dst.width):
            dst[y, x] = 100 // int(src[0][y, x])


@kernel(boundscheck=True)
def beyond(dst: Any, src: Any, params: Any) -> None:
    for y in range(dst.height):
        dst[y, 0] = src[0][y, int(params[0])]


def blank(name: str = "YUV444P8", width: int = 16, height: int = 8, length: int = 3, **more: Any) -> Any:
    """A blank clip."""
    return vs.core.std.BlankClip(format=getattr(vs, name), width=width, height=height, length=length, **more)


# Pixels


@pytest.mark.parametrize("case", filter_cases("Kernel"), ids=str)
@pytest.mark.parametrize("name", FORMATS)
def test_parity(core: Any, seed: int, case: Any, name: str) -> None:
    for size in SIZES:
        video = Video(name, *size)
        case.check(video, random_frames(seeded(seed, name, size), video, 5), starts=(3,))


SAMPLES = ("GRAY8", "GRAY10", "GRAY16", "GRAYH", "GRAYS")


@pytest.mark.parametrize("given", SAMPLES)
@pytest.mark.parametrize("wanted", SAMPLES)
def test_another_format(core: Any, rng: np.random.Generator, given: str, wanted: str) -> None:
    """The function's values are those of the output's format: rounded and clamped where it is of integers."""
    video, to = Video(given, 67, 9), Video(wanted, 67, 9)
    frames = random_frames(rng, video, 2)
    # Some values are beyond white, some are below black.
    factor, offset = 1.5 * to.samples(0).peak / video.samples(0).peak, -0.25 * to.samples(0).peak
    result = read(scaled(make_clip(video, frames), params=(factor, offset), format=to.format.id))
    outcome = stack(frames, 0) * np.float32(factor) + np.float32(offset)
    actual = np.stack([frame[0] for frame in result])
    assert actual.dtype == to.samples(0).dtype
    assert_stored(actual, outcome[None], to.samples(0), 2.0**-22 * float(np.abs(outcome).max()), f"{given} to {wanted}")


def test_every_plane_has_the_peak_of_its_format(core: Any) -> None:
    @kernel
    def peaks(dst: Any, src: Any, params: Any) -> None:
        dst[0, 0], dst[0, 1], dst[0, 2] = dst.peak, src[0].peak, src[3].peak

    for second, format, wanted in (("GRAY16", vs.GRAYS, [1, 1023, 65535]), ("GRAY10", vs.GRAY16, [65535, 1023, 1023])):
        result = peaks([blank("GRAY10"), blank(second)], lags=(0, 1), format=format)
        assert read_frame(result, 0)[0][0, :3].tolist() == wanted


def test_another_format_of_several_planes(core: Any, rng: np.random.Generator) -> None:
    video = Video("YUV420P8", 36, 22)
    frames = random_frames(rng, video, 2)
    clip = copy(make_clip(video, frames), format=vs.YUV420PS)
    assert clip.format.id == vs.YUV420PS
    for result, frame in zip(read(clip), frames, strict=True):
        for a, b in zip(result, frame, strict=True):
            assert np.array_equal(a, b.astype(np.float32))


def test_the_clip_s_own_format_named(core: Any, rng: np.random.Generator) -> None:
    """It is not another one: planes can be left out."""
    video = Video("YUV420P8", 36, 22)
    clip = make_clip(video, random_frames(rng, video, 2))
    assert_same(read(scaled(clip, params=(0, 7), format=video.format.id, planes=1)),
                read(scaled(clip, params=(0, 7), planes=1)))  # fmt: skip


def test_clips_and_lags_in_their_order(core: Any, rng: np.random.Generator) -> None:
    """All frames of the first clip, then those of the second, which may be of another depth and shorter."""
    video, other = Video("GRAY10", 20, 6), Video("GRAY16", 20, 6)
    frames, others = random_frames(rng, video, 6), random_frames(rng, other, 4)
    clips = [make_clip(video, frames), make_clip(other, others)]
    signature = Signature(Sample.WORD, Sample.WORD, 4, 0)

    def source(number: int) -> Frames:
        @kernel
        def choose(dst: Any, src: Any, params: Any) -> None:
            for y in range(dst.height):
                for x in range(dst.width):
                    dst[y, x] = src[number][y, x] / 64

        assert choose.compile(signature).descriptor.sources == 4
        return read(choose(clips, lags=(1, -2)))

    def wanted(of: Frames, indices: Sequence[int]) -> Frames:
        return [[np.minimum(np.floor(of[n][0] / np.float32(64) + 0.5), 1023).astype(np.uint16)] for n in indices]

    assert_same(source(0), wanted(frames, [0, 0, 1, 2, 3, 4]), "first clip, one back")
    assert_same(source(1), wanted(frames, [2, 3, 4, 5, 5, 5]), "first clip, two on")
    # After its end the other clip is its last frame, and so is the past of that.
    assert_same(source(2), wanted(others, [0, 0, 1, 2, 2, 2]), "second clip, one back")
    assert_same(source(3), wanted(others, [2, 3, 3, 3, 3, 3]), "second clip, two on")


@pytest.mark.parametrize("name", ["YUV420P8", "YUV422PH"])
def test_eight_clips_of_eight_frames(core: Any, rng: np.random.Generator, name: str) -> None:
    video = Video(name, 19, 7)
    all_frames = [random_frames(rng, video, 9) for _ in range(8)]
    clips = [make_clip(video, frames) for frames in all_frames]
    result = half_of_last(clips, lags=range(8))
    last = [[frame[p] for p in video.planes] for frame in all_frames[7]]
    wanted = half_of_last(make_clip(video, last), lags=7)
    assert_same(read(result), read(wanted))


def test_rows_of_any_distance(core: Any, rng: np.random.Generator) -> None:
    """A cropped frame's rows are as far apart as before."""
    video = Video("GRAY16", 200, 40)
    frames = random_frames(rng, video, 2)
    cropped = core.std.CropAbs(make_clip(video, frames), width=37, height=11, left=64, top=5)
    assert_same(read(copy(cropped)), [[frame[0][5:16, 64:101].copy()] for frame in frames])


def test_numbers_for_each_plane(core: Any, rng: np.random.Generator) -> None:
    video = Video("RGB24", 17, 5)
    clip = make_clip(video, random_frames(rng, video, 2))
    for params in ([(0.0, 3.0), (0.0, 5.0), (0.0, 9.0)], [(0.0, 3.0), (0.0, 5.0)]):
        rows = [*params, params[-1]][:3]
        for frame in read(scaled(clip, params=params)):
            assert [int(plane.max()) for plane in frame] == [int(row[1]) for row in rows]
            assert [int(plane.min()) for plane in frame] == [int(row[1]) for row in rows]


def test_integers_round_half_up_and_nan_is_0(core: Any) -> None:
    clip = blank("GRAY8", color=5)

    @kernel
    def odd(dst: Any, src: Any, params: Any) -> None:
        u = src[0][0, 0]
        dst[0, 0], dst[0, 1], dst[0, 2], dst[0, 3] = u / 2, u / 0, -u / 0, (u - 5) / (u - 5)
        dst[0, 4], dst[0, 5], dst[0, 6], dst[0, 7] = 254.5, 255.4999, -0.5, -1e30

    assert read_frame(odd(clip), 0)[0][0, :8].tolist() == [3, 255, 0, 0, 255, 255, 0, 0]


# Errors


def refused(pattern: str, *args: Any, **more: Any) -> None:
    """The native filter refuses its arguments with a message that matches a pattern."""
    with pytest.raises(vs.Error) as raised:
        vs.core.vdiff.Kernel(*args, **more)
    assert re.fullmatch(f"Kernel: (?:{pattern})", str(raised.value)), str(raised.value)


BYTES = Compile(copy)


@pytest.mark.parametrize("count", [9, 20])
def test_number_of_clips(core: Any, count: int) -> None:
    refused(rf"clips must be 1\.\.\.8 clips, got {count}\.", [blank()] * count, BYTES(blank()))


@pytest.mark.parametrize(
    "other", [("YUV444P8", 18, 8), ("YUV444P8", 16, 10), ("RGB24", 16, 8), ("YUV420P8", 16, 8), ("GRAY8", 16, 8),
              ("YUV444P10", 16, 8), ("YUV444PS", 16, 8), ("YUV444PH", 16, 8)], ids=str,
)  # fmt: skip
def test_clips_that_do_not_match(core: Any, other: tuple[str, int, int]) -> None:
    name, width, height = other
    sample = vs.core.get_video_format(getattr(vs, name)).name
    refused(
        "clips must be of the same size, color family and subsampling, all of 8 bits, all of 9...16, or all float: "
        f"clip 0 is YUV444P8 16x8, clip 1 is {sample} {width}x{height}.",
        [blank(), blank(name, width, height)],
        Compile(copy, 2)(blank()),
    )


def test_depths_of_one_type_match(core: Any) -> None:
    for first, second in (("YUV444P10", "YUV444P16"), ("YUV444PS", "YUV444PH"), ("YUV444PH", "YUV444PS")):
        result = copy([blank(first), blank(second)])
        assert result.format.id == getattr(vs, first)
        result.get_frame(0).close()


def test_lags_out_of_range(core: Any) -> None:
    for lag in (101, -101, 2**40):
        refused(rf"lags must be -100\.\.\.100, got {lag}\.", blank(), BYTES(blank()), lags=lag)
    refused(r"clips times lags must be at most 64, got 65\.", blank(), BYTES(blank()), lags=list(range(65)))
    refused(r"clips times lags must be at most 64, got 66\.", [blank()] * 2, BYTES(blank()), lags=list(range(33)))
    for lag in (100, -100):
        assert copy(blank(), lags=lag).get_frame(0) is not None


def test_params_that_do_not_fit(core: Any) -> None:
    ticket = Compile(scaled, 1, 2)(blank())
    message = "params must be the kernel's 2 numbers, or 2 for each of 3 planes, got {}\\."
    for params in ([], [1.0], [1.0] * 3, [1.0] * 4, [1.0] * 7):
        given = {"params": params} if params else {}
        refused(message.format(len(params)), blank(), ticket, **given)
    for value in (float("nan"), float("inf"), 1e39):
        refused(r"params must be -3\.40\S+\.\.\.3\.40\S+, got \S+\.", blank(), ticket, params=[1.0, value])


def test_formats_that_cannot_be(core: Any) -> None:
    ticket = BYTES(blank())
    for format in (vs.YUV420P8, vs.RGB24, vs.GRAY8, 12345, vs.YUV444P16 + (16 << 16),
                   core.query_video_format(vs.YUV, vs.INTEGER, 32, 0, 0).id):  # fmt: skip
        refused(
            "format must be the id of one of 8...16 bit integer or 16-32 bit float, of the clips' color family and "
            f"subsampling, got {int(format)}.",
            blank(),
            ticket,
            format=format,
        )
    refused(r"format must be 0\.\.\.2147483647, got -1\.", blank(), ticket, format=-1)
    refused("with another format, all planes are processed: leave out planes.",
            blank(), Compile(copy, format="YUV444PS")(blank()), format=vs.YUV444PS, planes=0)  # fmt: skip


def test_a_kernel_for_other_clips(core: Any) -> None:
    message = "kernel was compiled for other clips: call it through vs_vdiff."
    refused(message, blank(), BYTES(blank()), lags=[0, 1])
    refused(message, blank("YUV444P16"), BYTES(blank()))
    refused(message, blank("YUV444PS"), BYTES(blank()))
    refused(message, blank(), BYTES(blank()), format=vs.YUV444P16)
    refused(message, blank(), Compile(copy, format="YUV444PS")(blank()))


NOT_OURS = "kernel is not one that vs_vdiff has compiled in this process: call Kernel through vs_vdiff."


def with_sum(ticket: bytes) -> bytes:
    """A ticket of 32 bytes, completed."""
    return ticket + struct.pack("<Q", fnv1a(ticket))


def test_what_is_no_kernel(core: Any) -> None:
    good = BYTES(blank())
    assert len(good) == 40 and good == with_sum(good[:32])
    core.vdiff.Kernel(blank(), good)
    for bit in range(0, 40 * 8, 3):
        forged = bytearray(good)
        forged[bit // 8] ^= 1 << bit % 8
        refused(NOT_OURS, blank(), bytes(forged))
    pid = struct.pack("<Q", os.getpid())
    forgeries = [b"", b"copy", good[:-1], good + b"\0", bytes(40), good[:16], "ghost"]
    # With a good checksum: of another process, and another kind of function.
    forgeries.append(with_sum(good[:24] + struct.pack("<Q", os.getpid() + 1)))
    forgeries.append(with_sum(b"vdiff kernel 2\0\0" + good[16:24] + pid))
    diffusivity = kernels.compile_diffusivity(lambda s2: 1 / (1 + s2)).ticket
    forgeries += [diffusivity, with_sum(good[:16] + diffusivity[16:32])]
    for forgery in forgeries:
        refused(NOT_OURS, blank(), forgery)


def test_a_kernel_is_no_diffusivity(core: Any) -> None:
    with pytest.raises(vs.Error, match=r"^Diffuse: diffusivity must be one of "):
        core.vdiff.Diffuse(blank(), diffusivity=BYTES(blank()))


def test_a_ticket_that_outlived_its_kernel(core: Any) -> None:
    @kernel
    def brief(dst: Any, src: Any, params: Any) -> None:
        dst[0, 0] = 77

    ticket = brief.compile(Signature(Sample.BYTE, Sample.BYTE, 1, 0)).ticket
    gc.collect()
    kernels.sweep()
    refused(NOT_OURS, blank(), ticket)


def test_an_exception_fails_its_frame_alone(core: Any) -> None:
    values = [2, 0, 50, 0, 4]
    clip = core.std.Splice([blank("GRAY8", color=value, length=1) for value in values])
    result = reciprocal(clip)
    for n in (1, 0, 3, 4, 2, 1):
        if values[n] == 0:
            with pytest.raises(vs.Error, match=rf"^Kernel: ZeroDivisionError: .*\({re.escape(__file__)}"):
                result.get_frame(n)
        else:
            assert (read_frame(result, n)[0] == 100 // values[n]).all()


def test_an_index_beyond_the_plane(core: Any) -> None:
    for name in ("GRAY8", "GRAY16", "GRAYS", "GRAYH"):
        beyond(blank(name), params=15).get_frame(0).close()
        for x in (16, -17, 1e9):
            with pytest.raises(vs.Error, match=r"^Kernel: IndexError: index is out of bounds"):
                beyond(blank(name), params=x).get_frame(0)


def test_frames_of_failures_are_freed(core: Any) -> None:
    """Sources, output and what of it is half: a thousand failures leave nothing behind."""
    clip = blank("GRAYH", 256, 256, 1000)
    failing = beyond(clip, params=300)
    with pytest.raises(vs.Error):
        failing.get_frame(0)
    before = core.used_cache_size
    for n in range(1000):
        with pytest.raises(vs.Error):
            failing.get_frame(n)
    assert core.used_cache_size <= before + 40 * 256 * 256 * 2  # what the host caches of the source


def test_an_upstream_error_is_the_frame_s(core: Any) -> None:
    def fail(n: int, f: Any) -> Any:
        raise ValueError("upstream is broken")

    broken = core.std.ModifyFrame(blank(), blank(), fail)
    with pytest.raises(vs.Error, match="upstream is broken"):
        copy([blank(), broken]).get_frame(0)


# How long code lives


@pytest.fixture
def swept() -> Iterator[None]:
    """No code of other tests that is about to go."""
    gc.collect()
    kernels.sweep()
    yield
    gc.collect()
    kernels.sweep()


def make_constant(value: int) -> Any:
    """A kernel of its own for each value."""

    @kernel
    def constant(dst: Any, src: Any, params: Any) -> None:
        for y in range(dst.height):
            for x in range(dst.width):
                dst[y, x] = value

    return constant


def test_code_outlives_its_python_object(core: Any, swept: None) -> None:
    constant = make_constant(123)
    result = constant(blank("GRAY8", length=100))
    descriptor = constant.compile(Signature(Sample.BYTE, Sample.BYTE, 1, 0)).descriptor
    assert descriptor.users == 1
    chained = core.std.Invert(core.vdiff.Dilate(result))
    del constant, result
    gc.collect()
    kernels.sweep()
    assert descriptor.users == 1 and descriptor.self
    for n in range(100):
        assert (read_frame(chained, n)[0] == 255 - 123).all()
    del chained
    gc.collect()
    kernels.sweep()
    assert descriptor.users == 0 and not descriptor.self


def test_refused_calls_do_not_count(core: Any, swept: None) -> None:
    compiled = make_constant(9).compile(Signature(Sample.BYTE, Sample.BYTE, 1, 0))
    for more in ({"planes": 7}, {"lags": [1, 2]}, {"params": [1.0]}, {"format": vs.RGB24}):
        with pytest.raises(vs.Error):
            core.vdiff.Kernel(blank("GRAY8"), compiled.ticket, **more)
    assert compiled.descriptor.users == 0


def test_created_and_dropped_a_thousand_times(core: Any, rng: np.random.Generator, swept: None) -> None:
    """From eight threads, with frames in random order; code, frames and scratch memory are all given back."""
    clip = blank("YUV420PH", 64, 64, length=50, keep=True)
    kept = len(kernels.loaded)
    orders = rng.integers(0, 50, (8, 125, 4)).tolist()
    failures: list[object] = []
    before = core.used_cache_size

    def work(orders: list[list[int]]) -> None:
        try:
            for i, order in enumerate(orders):
                value = i % 5
                result = make_constant(value)(clip, lags=(0, 1))
                futures = [result.get_frame_async(n) for n in order]
                if i % 3 == 0:
                    del result  # while its frames are being made
                for future in futures:
                    with future.result() as frame:
                        if float(np.asarray(frame[0])[5, 5]) != value:
                            failures.append((value, np.asarray(frame[0])[5, 5]))
        except Exception as error:  # in a thread nobody would hear of it
            failures.append(error)

    threads = [threading.Thread(target=work, args=(one,)) for one in orders]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    gc.collect()
    kernels.sweep()
    assert len(kernels.loaded) == kept
    assert core.used_cache_size <= before + 50 * 64 * 64 * 4


def test_random_order_from_many_threads(core: Any, rng: np.random.Generator, threads: Any) -> None:
    """Frames asked for in any order are those of a linear pass with one thread."""
    video = Video("YUV420P16", 50, 30)
    frames = random_frames(rng, video, 40)
    threads.num_threads = 1
    wanted = read(lighten(make_clip(video, frames, (17,)), (0, 1, -2), (0.7, 0.3)))
    threads.num_threads = 8
    clip = lighten(make_clip(video, frames, (17,)), (0, 1, -2), (0.7, 0.3))
    order = [int(n) for n in rng.permutation(np.repeat(np.arange(40), 3))]
    futures = [(n, clip.get_frame_async(n)) for n in order]
    for n, future in futures:
        with future.result() as frame:
            assert_same([[np.asarray(frame[p]).copy() for p in video.planes]], [wanted[n]], f"frame {n}")
