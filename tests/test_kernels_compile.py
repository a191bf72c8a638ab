"""Kernels of one's own, up to their native code: what it computes and refuses, where it is kept, when it is freed.

The code is called as the plugin calls it, through its descriptor, on NumPy's buffers.
"""

from __future__ import annotations

import ctypes
import dataclasses
import gc
import importlib.metadata
import importlib.util
import math
import operator
import os
import platform
import re
import subprocess
import sys
import textwrap
import threading
import time
import weakref
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import llvmlite.binding
import numpy as np
import pytest
import vapoursynth as vs

import vs_vdiff
from vs_vdiff import kernel_cache, kernels
from vs_vdiff.kernel_layout import ENTRY, EULER_ENTRY, KERNEL_MAGIC, Call, Describe, Descriptor, Run, Sample, Signature
from vs_vdiff.kernels import Compiled, Kernel, KernelError, compile_diffusivity, kernel

pytest.importorskip("numba")
import numba

from vs_vdiff import kernel_compiler

ROOT = Path(__file__).resolve().parent.parent
DTYPES: dict[Sample, Any] = {Sample.BYTE: np.uint8, Sample.WORD: np.uint16, Sample.SINGLE: np.float32}
SAMPLES = {np.dtype(dtype): sample for sample, dtype in DTYPES.items()}
PADDING = 77
HALF, WEIGHTS = 0.5, (0.25, 0.5, 0.25)

on_x86 = pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="reads the assembly of x86")


@pytest.fixture(scope="module", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Keep the user's own folder out of this."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("cache")
        patch.setenv("NUMBA_CACHE_DIR", str(folder))
        yield folder


# Calling native code.


def padded(plane: np.ndarray[Any, Any], padding: int) -> np.ndarray[Any, Any]:
    """Lay a plane into wider rows."""
    rows = np.full((plane.shape[0], plane.shape[1] + padding), PADDING, plane.dtype)
    rows[:, : plane.shape[1]] = plane
    return rows


def call(
    compiled: Compiled, planes: Sequence[Any], dst: Sample, params: Sequence[float] = (), peak: float = 255
) -> Any:
    """Call a kernel on planes of one size. Give what it stored, or the message of its exception."""
    height, width = planes[0].shape
    # No two rows are equally far apart, as little as in frames of different origin.
    rows = [padded(np.asarray(plane), 3 + i) for i, plane in enumerate(planes)]
    out = padded(np.full((height, width), PADDING, DTYPES[dst]), 5)
    count = len(rows)
    arguments = Call(
        out.ctypes.data,
        out.strides[0],
        (ctypes.c_void_p * count)(*[row.ctypes.data for row in rows]),
        (ctypes.c_int64 * count)(*[row.strides[0] for row in rows]),
        (ctypes.c_double * count)(*[7 + i for i in range(count)]),
        height,
        width,
        (ctypes.c_double * max(len(params), 1))(*params),
        peak,
    )
    exception = ctypes.c_void_p()
    failed = Run(compiled.descriptor.run)(ctypes.byref(arguments), ctypes.byref(exception))
    assert (out[:, width:] == PADDING).all(), "it wrote beyond the rows"
    if failed:
        return message(compiled, exception)
    return out[:, :width]


def message(compiled: Compiled, exception: ctypes.c_void_p, size: int = 200) -> str:
    """Ask for the message of an exception."""
    text = ctypes.create_string_buffer(b"\xff" * (size + 1), size + 1)
    Describe(compiled.descriptor.describe)(exception, ctypes.addressof(text), size)
    assert text.raw[size] == 0xFF, "it wrote beyond the buffer"
    return text.value.decode()


def run(
    function: Kernel, planes: Sequence[Any], dst: Sample | None = None, params: Sequence[float] = (), peak: float = 255
) -> Any:
    """Compile a kernel for planes and call it."""
    src = SAMPLES[planes[0].dtype]
    dst = src if dst is None else dst
    return call(function.compile(Signature(src, dst, len(planes), len(params))), planes, dst, params, peak)


def stored(values: Any, dst: Sample, peak: float) -> Any:
    """Store float32 as formats do: rounded half up and clamped, unless they are float."""
    if dst is Sample.SINGLE:
        return values.astype(np.float32)
    return np.floor(np.clip(values, 0, peak).astype(np.float32) + np.float32(0.5)).astype(DTYPES[dst])


def noise(rng: np.random.Generator, sample: Sample, peak: float = 255, shape: tuple[int, int] = (13, 67)) -> Any:
    """Make a plane of noise that uses all of its range."""
    values = rng.random(shape) * peak
    return (values if sample is Sample.SINGLE else np.rint(values)).astype(DTYPES[sample])


@kernel
def ghost(dst: Any, src: Any, params: Any) -> None:
    for y in range(dst.shape[0]):
        for x in range(dst.shape[1]):
            dst[y, x] = max(src[0][y, x], params[0] * src[1][y, x])


BYTES = Signature(Sample.BYTE, Sample.BYTE, 2, 1)
RAMP = (np.arange(12, dtype=np.uint8) * 20).reshape(3, 4)


# What is computed.


@pytest.mark.parametrize("dst", Sample)
@pytest.mark.parametrize("src", Sample)
def test_every_pair_of_formats(src: Sample, dst: Sample, rng: np.random.Generator) -> None:
    peak = {Sample.BYTE: 255, Sample.WORD: 1023, Sample.SINGLE: 1}
    a, b = (noise(rng, src, peak[src]) for _ in range(2))
    expected = np.maximum(a.astype(np.float32), np.float32(1.7) * b.astype(np.float32))
    assert np.array_equal(run(ghost, (a, b), dst, (1.7,), peak[dst]), stored(expected, dst, peak[dst]))


@pytest.mark.parametrize("shape", [(1, 1), (1, 200), (9, 1), (2, 33)])
def test_every_size(shape: tuple[int, int], rng: np.random.Generator) -> None:
    a, b = (noise(rng, Sample.BYTE, 255, shape) for _ in range(2))
    expected = np.maximum(a.astype(np.float32), np.float32(0.9) * b)
    assert np.array_equal(run(ghost, (a, b), params=(0.9,)), stored(expected, Sample.BYTE, 255))


@kernel
def odd_values(dst: Any, src: Any, params: Any) -> None:
    y, x = int(params[1]), int(params[1])  # where is not the question
    dst[y, x] = -3
    dst[y, x + 1] = 99.5
    dst[y, x + 2] = np.nan
    dst[y, x + 3] = 2**40
    dst[y + 1, x] = -(2**62)
    dst[y + 1, x + 1] = src[0][0, 0] >= 0
    dst[y + 1, x + 2] = 0.49
    dst[y + 1, x + 3] = 1e30
    dst[y + 2, x] = np.uint64(2**63 + 1)
    dst[y + 2, x + 1] = -np.inf
    dst[y + 2, x + 2] = np.float64(98.4999999999)
    dst[y + 2, x + 3] = params[0]


@pytest.mark.parametrize(("dst", "peak"), [(Sample.BYTE, 255), (Sample.WORD, 1023), (Sample.WORD, 65535)])
def test_integers_neither_wrap_nor_truncate(dst: Sample, peak: int) -> None:
    expected = [[0, 100, 0, peak], [0, 1, 0, peak], [peak, 0, 98, peak]]
    assert run(odd_values, [RAMP], dst, [math.inf, 0], peak).tolist() == expected


def test_floats_are_stored_as_they_are() -> None:
    result = run(odd_values, [RAMP], Sample.SINGLE, [math.inf, 0], 1)
    expected = [
        [-3, 99.5, math.nan, 2.0**40],
        [-(2.0**62), 1, 0.49, 1e30],
        [2.0**63, -math.inf, 98.4999999999, math.inf],
    ]
    assert np.array_equal(result, np.array(expected, np.float32), equal_nan=True)


def test_differences_of_unsigned_pixels(rng: np.random.Generator) -> None:
    @kernel
    def difference(dst: Any, src: Any, params: Any) -> None:
        for y in range(dst.height):
            for x in range(dst.width):
                dst[y, x] = abs(src[0][y, x] - src[1][y, x])

    a, b = (noise(rng, Sample.BYTE) for _ in range(2))
    assert np.array_equal(run(difference, (a, b)), np.abs(a.astype(int) - b))


@pytest.mark.parametrize("count", [1, 3, 64])
def test_sources_by_a_computed_number(count: int, rng: np.random.Generator) -> None:
    @kernel
    def mean(dst: Any, src: Any, params: Any) -> None:
        for y in range(dst.shape[0]):
            for x in range(dst.shape[1]):
                total = 0.0
                for i in range(len(src)):
                    total += src[i][y, x]
                dst[y, x] = total / len(src)

    planes = [noise(rng, Sample.WORD, 4095) for _ in range(count)]
    expected = np.sum(planes, axis=0, dtype=np.float32) / np.float32(count)
    assert np.array_equal(run(mean, planes, peak=4095), stored(expected, Sample.WORD, 4095))


def test_the_parameters_and_the_peaks() -> None:
    @kernel
    def tell(dst: Any, src: Any, params: Any) -> None:
        for x in range(dst.shape[1]):
            dst[0, x] = params[x]
            dst[1, x] = dst.peak + dst.ndim + src[0].ndim + 100 * src[0].peak + 1000 * src[1].peak
            dst[-1, x] = len(params)
        dst[-1, -1] = src[0][-1, -2]

    numbers = [0.1, -2.5, 1e9, 3]
    expected = [numbers, [8714] * 4, [4, 4, 4, RAMP[-1, -2]]]
    assert np.array_equal(run(tell, [RAMP, RAMP], Sample.SINGLE, numbers, 10), np.array(expected, np.float32))


def test_rows_and_planes_as_a_whole() -> None:
    @kernel
    def plane(dst: Any, src: Any, params: Any) -> None:
        dst[:] = np.maximum(src[0][:, :], params[0] * src[1][:, :]) * 0.5

    @kernel
    def rows(dst: Any, src: Any, params: Any) -> None:
        for y in range(dst.shape[0]):
            dst[y] = src[0][y] - src[1][y, :] + params[0]

    @kernel
    def wrong(dst: Any, src: Any, params: Any) -> None:
        dst[0] = src[0][:, 0]

    other = RAMP[::-1].copy()
    assert np.array_equal(
        run(plane, (RAMP, other), params=[2.0]), stored(np.maximum(RAMP / 2, other), Sample.BYTE, 255)
    )
    assert np.array_equal(run(rows, (RAMP, other), params=[9.0]), np.clip(RAMP.astype(int) - other + 9, 0, 255))
    assert run(wrong, [RAMP]) == f"ValueError: the array assigned to the output has another shape ({__file__}: wrong)"


def test_slices_of_arrays() -> None:
    @kernel
    def sums(dst: Any, src: Any, params: Any) -> None:
        width = dst.shape[1]
        for y in range(dst.shape[0]):
            row, line = np.ones(width, np.float32), src[0][y]
            row[1:width] += line[0 : width - 1]
            line[int(params[0]) :] = row
            dst[y] = line

    expected = np.hstack([np.ones((3, 1)), RAMP[:, :-1].astype(int) + 1])
    assert np.array_equal(run(sums, [RAMP], params=[0]), expected)
    said = run(sums, [RAMP], params=[1])
    assert said == f"ValueError: the array assigned to a slice has another shape ({__file__}: sums)"


GAIN = 3.0


def doubled(value: float, gain: float = 2) -> float:
    return value * gain


def raised(value: float) -> float:
    if value < 0:
        raise ValueError("negative")
    return doubled(value) + 0.1 * GAIN


def test_helpers_need_no_decorator() -> None:
    @kernel
    def helped(dst: Any, src: Any, params: Any) -> None:
        for y in range(dst.shape[0]):
            for x in range(dst.shape[1]):
                dst[y, x] = raised(src[0][y, x] + params[0]) + doubled(1, gain=params[0]) + support.luma(1)

    support = type(math)("support")
    support.luma = lambda value: value / 4  # type: ignore[attr-defined]
    expected = np.float32(2) * RAMP + np.float32(0.1) * np.float32(GAIN) + np.float32(0.25)
    assert np.array_equal(run(helped, [RAMP], Sample.SINGLE, [0]), expected)
    line = raised.__code__.co_firstlineno + 2
    assert run(helped, [RAMP], Sample.SINGLE, [-1]) == f"ValueError: negative ({__file__}:{line})"
    assert row_of(compile_diffusivity(lambda s2: 1 / doubled(1 + s2)), np.ones(3))[0] == 0.25


def fibonacci(n: int) -> int:
    return 1 if n < 2 else fibonacci(n - 1) + fibonacci(n - 2)


def test_what_else_numba_offers() -> None:
    @kernel
    def histogram(dst: Any, src: Any, params: Any) -> None:
        counts = np.zeros(256, np.int64)
        for y in range(dst.shape[0]):
            for x in range(dst.shape[1]):
                counts[int(src[0][y, x])] += 1
        for y in range(dst.shape[0]):
            for x in range(dst.shape[1]):
                dst[y, x] = counts[int(src[0][y, x])] + math.exp(0 * src[0][y, x])

    plane = np.repeat(RAMP[:, :2], 2, axis=1)
    assert (run(histogram, [plane]) == 3).all()


def test_calls_from_many_threads(rng: np.random.Generator) -> None:
    compiled = ghost.compile(BYTES)
    a, b = (noise(rng, Sample.BYTE) for _ in range(2))
    expected, wrong = call(compiled, (a, b), Sample.BYTE, [0.9]), []

    def work() -> None:
        for _ in range(50):
            if not np.array_equal(call(compiled, (a, b), Sample.BYTE, [0.9]), expected):
                wrong.append(1)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


# How.


def instructions(function: Kernel, src: Sample = Sample.SINGLE, sources: int = 2, params: int = 1) -> str:
    """Give the assembly of a kernel."""
    signature = Signature(src, src, sources, params)
    return str(kernel_compiler.compile_kernel(function.py_func, signature, function._options).library.get_asm_str())


@on_x86
@pytest.mark.parametrize("src", Sample)
def test_loops_are_vectorised_in_single_precision(src: Sample) -> None:
    assembly = instructions(ghost, src)
    assert re.search(r"\bv?mulps\b", assembly) and re.search(r"\bv?maxps\b", assembly)
    assert not re.search(r"\bv?mul[ps]d\b|fmadd|fmsub", assembly)
    if src is not Sample.SINGLE:
        assert re.search(r"\bv?cvttps2", assembly), "the conversion to integers is not vectorised"


@kernel
def heat(dst: Any, src: Any, params: Any) -> None:
    u = src[0]
    for y in range(1, dst.shape[0] - 1):
        for x in range(1, dst.shape[1] - 1):
            around = u[y - 1, x] + u[y + 1, x] + u[y, x - 1] + u[y, x + 1]
            dst[y, x] = u[y, x] + params[0] * (around - 4 * u[y, x])


@kernel
def bounded_heat(dst: Any, src: Any, params: Any) -> None:
    u = src[0]
    h, w = dst.shape
    for y in range(h):
        above, below = y - 1 if y > 0 else 0, y + 1 if y < h - 1 else y
        for x in range(w):
            left, right = max(x - 1, 0), x + 1 if x < w - 1 else w - 1
            around = u[above, x] + u[below, x] + u[y, left] + u[y, right]
            dst[y, x] = u[y, x] + params[0] * (around - 4 * u[y, x])


@on_x86
@pytest.mark.parametrize("function", [heat, bounded_heat])
def test_neighbours_are_vectorised(function: Kernel) -> None:
    assembly = instructions(function, Sample.BYTE)
    assert len(re.findall(r"\bv?addps\b", assembly)) >= 4
    assert not re.search(r"\bv?(mul|add|sub)[ps]d\b|gather", assembly)


def test_neighbours(rng: np.random.Generator) -> None:
    u = noise(rng, Sample.SINGLE, 1)
    p = np.pad(u, 1, mode="edge")
    expected = u + np.float32(0.2) * (p[:-2, 1:-1] + p[2:, 1:-1] + p[1:-1, :-2] + p[1:-1, 2:] - 4 * u)
    assert np.array_equal(run(bounded_heat, [u], params=[0.2]), expected)


@on_x86
def test_numbers_are_single_unless_asked_otherwise() -> None:
    gains = (2.0, (0.1, 3))

    @kernel
    def singles(dst: Any, src: Any, params: Any) -> None:
        for y in range(dst.shape[0]):
            for x in range(dst.shape[1]):
                value = (2 * src[0][y, x] + 1) / 3 - HALF * gains[0] + WEIGHTS[1] * gains[1][0]
                value **= 2
                dst[y, x] = min(1, max(value, 0)) if value > 7 else np.minimum(value, 1)

    @kernel
    def doubles(dst: Any, src: Any, params: Any) -> None:
        for y in range(dst.shape[0]):
            for x in range(dst.shape[1]):
                dst[y, x] = np.float64(0.1) * src[0][y, x] + 1

    assert not re.search(r"\bv?(mul|add|sub|div|min|max)[ps]d\b", instructions(singles))
    assert re.search(r"\bv?mulpd\b", instructions(doubles))


def test_large_numbers_are_not_rounded() -> None:
    @kernel
    def large(dst: Any, src: Any, params: Any) -> None:
        dst[0, 0] = (src[0][0, 0] + 16777217) - 16777216
        dst[0, 1] = src[0][0, 0] + 2**62

    assert run(large, [RAMP], Sample.SINGLE)[0, :2].tolist() == [1, 2**62]


@pytest.mark.parametrize("fastmath", [True, {"nnan", "contract"}])
def test_fast_arithmetic(fastmath: Any, rng: np.random.Generator) -> None:
    a, b = (noise(rng, Sample.SINGLE, 1) for _ in range(2))
    result = run(kernel(fastmath=fastmath)(ghost.py_func), (a, b), params=(0.9,))
    assert np.allclose(result, np.maximum(a, np.float32(0.9) * b), rtol=1e-6)


# exp, which is ours.


def everywhere() -> Any:
    """Give float32 numbers of all magnitudes and, densely, those whose exp is one; 64 in a row."""
    bits = np.arange(0, 2**32, 6451, dtype=np.uint64).astype(np.uint32).view(np.float32)
    ends = [0, -0.0, math.inf, -math.inf, math.nan, 88.72283, 88.72284, -87.33655, -103.97207, -103.97209, 1e38, -1e38]
    values = np.concatenate([np.linspace(-110, 95, 1 << 18, dtype=np.float32), bits, np.array(ends, np.float32)])
    return values[: values.size // 64 * 64].reshape(-1, 64)[::-1].copy()


@kernel
def scalar_exp(dst: Any, src: Any, params: Any) -> None:
    for y in range(dst.shape[0]):
        for x in range(dst.shape[1]):
            dst[y, x] = math.exp(src[0][y, x])


@numba.njit(error_model="numpy")  # type: ignore[untyped-decorator]
def helped_exp(value: float) -> float:
    return math.exp(value)


@numba.njit("void(float32)")  # type: ignore[untyped-decorator]
def talk(value: float) -> None:
    print(value)


def test_exp() -> None:
    x = everywhere()
    with np.errstate(all="ignore"):
        exact = np.exp(x.astype(np.float64))
        expected = exact.astype(np.float32)
    result = run(scalar_exp, [x])
    finite = np.isfinite(expected)
    assert np.array_equal(result[~finite], expected[~finite], equal_nan=True)
    assert (np.abs(result[finite] - exact[finite]) <= 2 * np.spacing(expected[finite]).astype(np.float64)).all()
    assert (result[x == 0] == 1).all() and (x == 0).any()
    assert (result[x < -103.98] == 0).all()


def test_exp_is_the_same_wherever_it_is_called() -> None:
    @kernel
    def by_numpy(dst: Any, src: Any, params: Any) -> None:
        for y in range(dst.shape[0]):
            for x in range(dst.shape[1]):
                dst[y, x] = np.exp(src[0][y, x])

    @kernel
    def by_helper(dst: Any, src: Any, params: Any) -> None:
        for y in range(dst.shape[0]):
            for x in range(dst.shape[1]):
                dst[y, x] = helped_exp(src[0][y, x])

    @kernel
    def of_arrays(dst: Any, src: Any, params: Any) -> None:
        dst[:] = np.exp(src[0][:, :])

    x = everywhere()[::20]
    expected = run(scalar_exp, [x])
    for function in (by_numpy, by_helper, of_arrays, kernel(fastmath=True)(scalar_exp.py_func)):
        assert np.array_equal(run(function, [x])[np.isfinite(x)], expected[np.isfinite(x)]), function.__name__


def test_exp_of_constants_and_of_doubles() -> None:
    @kernel
    def some(dst: Any, src: Any, params: Any) -> None:
        dst[0, 0] = math.exp(-1) - np.exp(np.float32(-1))
        dst[0, 1] = (math.exp(np.float64(1e-12)) - np.float64(1)) * np.float64(1e12)
        dst[0, 2] = np.exp(1)

    result = run(some, [RAMP], Sample.SINGLE)[0]
    assert result[0] == 0 and abs(result[1] - 1) < 1e-3 and abs(result[2] - math.e) < 1e-6


@on_x86
def test_exp_is_vectorised_in_single_precision() -> None:
    kernels_of_exp = [instructions(scalar_exp, sources=1), *row_instructions(lambda s2: math.exp(-s2 * math.exp(-4)))]
    for assembly in kernels_of_exp:
        assert len(re.findall(r"\bv?mulps\b", assembly)) >= 8
        assert not re.search(r"\bv?(mul|add|sub)[ps]d\b|fmadd|fmsub|\bcall|expf", assembly.split("vdiff_describe:")[0])


# The same on every CPU.


def for_cpu(function: Kernel, signature: Signature, cpu: str | None) -> tuple[Compiled, str]:
    """Compile a kernel for another CPU than this. Give it, and its assembly."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(numba.core.config, "CPU_NAME", cpu)
        patch.setattr(numba.core.config, "CPU_FEATURES", None if cpu is None else "")
        kernel_compiler.kernel_context.cache_clear()
        made = kernel_compiler.compile_kernel(function.py_func, signature, function._options)
    kernel_compiler.kernel_context.cache_clear()
    return kernels.load(made.code, made.externals, Descriptor(magic=KERNEL_MAGIC)), str(made.library.get_asm_str())


@kernel
def arithmetic(dst: Any, src: Any, params: Any) -> None:
    a, b = src[0], src[1]
    for y in range(dst.shape[0]):
        for x in range(dst.shape[1]):
            u, v = a[y, x], b[y, x]
            smooth = u * v + params[0] * u - v / (3 + u) + math.sqrt(u) + u**2 - v**3 + math.exp(-u / 50)
            rough = (
                np.floor(v / 3) + np.ceil(u / 7) + np.rint(v) + round(u / 3) + abs(u - v) + max(u, v) + u % 3 + v // 7
            )
            dst[y, x] = smooth + rough


@kernel
def whole_planes(dst: Any, src: Any, params: Any) -> None:
    a = src[0][:, :]
    total = params[0]
    for y in range(a.shape[0]):
        for x in range(a.shape[1]):
            total += a[y, x] * 1.1
    for y in range(dst.shape[0]):
        for x in range(dst.shape[1]):
            dst[y, x] = a[y, x] * a.sum() + total * src[1][y, x]


@on_x86
@pytest.mark.parametrize("function", [arithmetic, whole_planes])
def test_the_same_bytes_on_every_cpu(function: Kernel, rng: np.random.Generator) -> None:
    planes = [noise(rng, Sample.SINGLE) for _ in range(2)]
    signature = Signature(Sample.SINGLE, Sample.SINGLE, 2, 1)
    here, assembly = for_cpu(function, signature, None)
    plain, plain_assembly = for_cpu(function, signature, "x86-64-v2")
    assert not re.search("[yz]mm", plain_assembly) and assembly != plain_assembly
    assert not re.search("fmadd|fmsub", assembly)
    results = [call(compiled, planes, Sample.SINGLE, [0.3]) for compiled in (here, plain)]
    assert np.array_equal(*results) and np.unique(results[0]).size > 100


# Exceptions.


@kernel(boundscheck=True)
def stray(dst: Any, src: Any, params: Any) -> None:
    x = int(params[0])
    if x < 100:
        dst[0, 0] = src[0][0, x]
    else:
        dst[0, x - 100] = 1


@pytest.mark.parametrize("x", [-1, 4, 99])
def test_indices_are_checked(x: int) -> None:
    for read_or_written in (x, x + 100 if x >= 0 else 200):
        said = run(stray, [RAMP], params=[read_or_written])
        assert said == f"IndexError: index is out of bounds ({__file__}: stray)"


def test_indices_of_rows_are_always_checked() -> None:
    @kernel
    def lines(dst: Any, src: Any, params: Any) -> None:
        which, i = int(params[0]), int(params[1])
        dst[-1] = src[0][-1]
        if which == 0:
            dst[i] = src[0][0]
        if which == 1:
            dst[0] = src[0][i]
        if which == 2:
            dst[0] = src[0][i, :]
        if which == 3:
            dst[0, 0] = src[0][:, i][2] + src[0][:, -1][2] + src[0][-1, :][0]

    rows = [[1, 0], [0, 4], [0, 4], [0, 9 + 11 + 8]]  # which row is written, and what its first pixel becomes
    small = RAMP // 20
    for which in range(4):
        size = small.shape[which == 3]
        result = run(lines, [small], params=[which, 1])
        row, first = rows[which]
        assert np.array_equal(result[-1], small[-1]) and result[row, 0] == first
        for i in (-1, size):
            said = run(lines, [small], params=[which, i])
            assert said == f"IndexError: index is out of bounds ({__file__}: lines)"


def test_division_by_zero() -> None:
    def inverse(dst: Any, src: Any, params: Any) -> None:
        for y in range(dst.shape[0]):
            for x in range(dst.shape[1]):
                dst[y, x] = 1 / src[0][y, x]

    assert run(kernel(inverse), [RAMP])[0, 0] == 255
    said = run(kernel(error_model="python")(inverse), [RAMP])
    assert said == f"ZeroDivisionError: division by zero ({__file__}: inverse)"


class OwnError(Exception):
    """An exception of a script's own."""


def test_exceptions_of_numbas_own_functions() -> None:
    @kernel
    def extreme(dst: Any, src: Any, params: Any) -> None:
        dst[0, 0] = np.zeros(int(params[0])).max()

    said = run(extreme, [RAMP], params=[0])
    assert said.startswith("ValueError: zero-size array") and said.endswith(f" ({__file__}: extreme)")


def test_exceptions_name_the_line() -> None:
    @kernel
    def failing(dst: Any, src: Any, params: Any) -> None:
        if params[0] == 1:
            raise ValueError("größer", 7)
        if params[0] == 2:
            raise OwnError("own")
        raise OwnError

    line = failing.py_func.__code__.co_firstlineno
    for number, offset, text in ((1, 3, "ValueError: größer, 7"), (2, 5, "OwnError: own"), (3, 6, "OwnError")):
        assert run(failing, [RAMP], params=[number]) == f"{text} ({__file__}:{line + offset})"


def test_messages_with_any_character() -> None:
    space: dict[str, Any] = {}
    source = "def failing(dst, src, params):\n    raise ValueError('\\\\ \\\\5C \\\" \\t')\n"
    exec(compile(source, "C:\\scripts\\5Cuts.vpy", "exec"), space)
    assert run(kernel(space["failing"]), [RAMP]) == 'ValueError: \\ \\5C " \t (C:\\scripts\\5Cuts.vpy:2)'


def test_assertions() -> None:
    space: dict[str, Any] = {}  # not of this file, whose assertions pytest makes its own
    source = "def bounded(dst, src, params):\n    assert params[0] < 3, 'too much'\n"
    exec(compile(source, "bounded.vpy", "exec"), space)
    assert run(kernel(space["bounded"]), [RAMP], params=[4]) == "AssertionError: too much (bounded.vpy:2)"


def test_messages_are_cut_to_the_buffer() -> None:
    @kernel
    def failing(dst: Any, src: Any, params: Any) -> None:
        raise ValueError("üüüü")

    compiled = failing.compile(BYTES)
    exception = ctypes.c_void_p()
    arguments = Call(src=(ctypes.c_void_p * 2)(), src_stride=(ctypes.c_int64 * 2)(), src_peak=(ctypes.c_double * 2)())
    assert Run(compiled.descriptor.run)(ctypes.byref(arguments), ctypes.byref(exception)) != 0
    for size, text in ((16, "ValueError: ü"), (17, "ValueError: üü"), (18, "ValueError: üü"), (1, "")):
        assert message(compiled, exception, size) == text


# Errors.


def no_name(dst: Any, src: Any, params: Any) -> None:
    x = 3
    dst[0, 0] = undefined + x  # type: ignore[name-defined]  # noqa: F821


def no_attribute(dst: Any, src: Any, params: Any) -> None:
    x = 3
    dst[0, 0] = src[0].colour + x


def no_source(dst: Any, src: Any, params: Any) -> None:
    x = 3
    dst[0, 0] = dst[0, 1] + x


def no_integer(dst: Any, src: Any, params: Any) -> None:
    x = 3
    dst[0, 0] = src[0][0, x / 2]


def no_number(dst: Any, src: Any, params: Any) -> None:
    x = 3
    dst[0, x] = "white"


def no_sum(dst: Any, src: Any, params: Any) -> None:
    x = 3
    dst[0, x] = src[0][0, 0] + "white"


def no_parameter(dst: Any, src: Any, params: Any) -> None:
    x = 3
    dst[0, x] = params[5]


def no_output(dst: Any, src: Any, params: Any) -> None:
    x = 3
    src[0][0, x] = 1


def no_column(dst: Any, src: Any, params: Any) -> None:
    x = 3
    dst[:, x] = src[0][:, 0]


def no_scalar(dst: Any, src: Any, params: Any) -> None:
    x = 3
    dst[0, x] = np.clip(src[0][0, 0], 16, 235)


def no_print(dst: Any, src: Any, params: Any) -> None:
    x = 3
    print(params[0], x)


def no_blas(dst: Any, src: Any, params: Any) -> None:
    x = 3
    dst[:] = src[0][:, :x] @ src[0][:x, :]


def no_dot(dst: Any, src: Any, params: Any) -> None:
    x = 3
    dst[0, x] = np.dot(src[0][0], src[0][1])


def no_constant(dst: Any, src: Any, params: Any) -> None:
    x = 3
    raise ValueError("too much", params[0] + x)


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (no_name, "name 'undefined' is not defined"),
        (no_attribute, "Unknown attribute 'colour' of type Plane(uint8)"),
        (no_number, "a pixel of the output is a number, not "),
        (no_sum, "No implementation of function add found for signature: add(float32, Literal[str](white))"),
        (no_parameter, "tuple index out of range"),
        (no_output, "a source can be read, not written"),
        (no_source, "the output can be written, not read"),
        (no_integer, "an index is an integer, not a float: divide by //, or convert by int()"),
        (no_column, "the output takes dst[y, x] = number, dst[y] = row or dst[:] = plane"),
        (no_scalar, "No implementation of function clip found for signature: clip(float32, Literal[int](16), "),
        (no_print, "print takes Python, which native code cannot call"),
        (no_blas, "a product of matrices takes Python, which native code cannot call"),
        (no_dot, "a product of matrices takes Python, which native code cannot call"),
        (no_constant, "an exception in a kernel takes only constants"),
    ],
)
def test_compile_errors_are_one_line_that_names_the_place(function: Any, said: str) -> None:
    with pytest.raises(KernelError) as error:
        kernel(function).compile(BYTES)
    text = str(error.value)
    assert text.startswith(f"{__file__}:{function.__code__.co_firstlineno + 2}: {function.__name__}: ")
    assert said in text and "\n" not in text and len(text) < 300


@numba.njit  # type: ignore[untyped-decorator]
def gain_of_now(value: float) -> float:
    return value * GAIN


def test_what_helpers_take_is_that_of_now(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also if numba compiled them with what was there before."""

    @kernel
    def amplified(dst: Any, src: Any, params: Any) -> None:
        for y in range(dst.shape[0]):
            for x in range(dst.shape[1]):
                dst[y, x] = gain_of_now(src[0][y, x])

    for gain in (2.0, 5.0):
        monkeypatch.setitem(globals(), "GAIN", gain)
        gain_of_now(1.0)
        assert np.array_equal(run(amplified, [RAMP], Sample.SINGLE), np.float32(gain) * RAMP)


@pytest.mark.parametrize("gap", [1, 2])
@pytest.mark.parametrize("size", [40, 600_000])
def test_arrays_from_outside_become_part_of_the_code(size: int, gap: int) -> None:
    """Large ones and those with gaps too, whose address is what numba would keep."""
    table = np.arange(size, dtype=np.float32)[::gap]

    @kernel
    def look(dst: Any, src: Any, params: Any) -> None:
        for x in range(dst.shape[1]):
            dst[0, x] = table[x] + table[-1]

    compiled = look.compile(Signature(Sample.BYTE, Sample.SINGLE, 1, 0))
    expected = table[:4] + table[-1]
    table[:] = -1
    assert np.array_equal(call(compiled, [RAMP[:1, :4].astype(np.uint8)], Sample.SINGLE)[0], expected)


class Gains(NamedTuple):
    """What has no fingerprint."""

    first: float


def test_what_has_no_fingerprint_is_compiled_each_time() -> None:
    gains = Gains(2.0)

    @kernel
    def amplified(dst: Any, src: Any, params: Any) -> None:
        for x in range(dst.shape[1]):
            dst[0, x] = src[0][0, x] * gains.first

    for gain in (2.0, 3.0):
        gains = Gains(gain)
        assert run(amplified, [RAMP[:1, :4]], Sample.SINGLE)[0].tolist() == (gain * RAMP[0, :4]).tolist()


def test_numbers_beyond_float32_stay(recwarn: pytest.WarningsRecorder) -> None:
    @kernel
    def far(dst: Any, src: Any, params: Any) -> None:
        for x in range(dst.shape[1]):
            dst[0, x] = src[0][0, x] * 1e300 / 1e299

    assert np.allclose(run(far, [RAMP[:1, :4]], Sample.SINGLE)[0], np.float32(10) * RAMP[0, :4])
    assert not recwarn.list


def test_a_diffusivity_is_called_where_it_was_tried() -> None:
    compiled = compile_diffusivity(lambda s2: 1 - s2 * s2 * s2 * s2 / (s2 * s2 * s2 * s2 + 3))
    assert row_of(compiled, np.array([0, 1e12, 3e38, math.inf], np.float32)).tolist() == [1, 0, 0, 0]


def test_python_is_refused() -> None:
    @kernel
    def talking(dst: Any, src: Any, params: Any) -> None:
        talk(params[0])

    with pytest.raises(KernelError, match=r"talking: it takes Python, which native code cannot call: Py\w+, Py"):
        talking.compile(BYTES)


def test_functions_that_call_themselves() -> None:
    @kernel
    def growing(dst: Any, src: Any, params: Any) -> None:
        dst[0, 0] = fibonacci(int(params[0]))

    @kernel
    def constant(dst: Any, src: Any, params: Any) -> None:
        dst[0, 0] = fibonacci(5)

    assert run(growing, [RAMP], params=[6])[0, 0] == 13
    # numba gives the function with a constant another name than the one by which it calls itself.
    with pytest.raises(KernelError, match="constant: numba does not link a function that calls itself"):
        constant.compile(BYTES)


def test_only_functions_of_three_become_kernels() -> None:
    with pytest.raises(KernelError, match=r"test_kernels_compile.py:\d+: the function must be \w*\(dst, src, params\)"):

        @kernel
        def short(dst: Any, src: Any) -> None: ...

    with pytest.raises(KernelError, match="must be"):
        kernel(lambda dst, src, *params: None)
    with pytest.raises(TypeError, match=r"^kernel: it must be a Python function f\(dst, src, params\), got 3$"):
        kernel(3)  # type: ignore[call-overload]
    with pytest.raises(ValueError, match=r"^kernel: error_model must be numpy or python, got 'c'"):
        kernel(error_model="c")
    with pytest.raises(ValueError, match=r"1\.\.\.64 planes at a time, not 65"):
        Signature(Sample.BYTE, Sample.BYTE, 65, 0)


@pytest.mark.parametrize("flags", [["nnan"], ("nnan",), frozenset(["nnan"]), {"nnan": 1}.keys(), iter(["nnan"] * 2)])
def test_flags_of_fast_arithmetic(flags: Any) -> None:
    """Those and no others, whatever they come in."""
    true: Any = np.bool_(True)
    some, every = (kernel(fastmath=fastmath)(ghost.py_func) for fastmath in (flags, true))
    assert some._options["fastmath"] == ["nnan"]
    assert every._options["fastmath"] is True
    assert kernel(fastmath=())(ghost.py_func)._options == ghost._options


@pytest.mark.parametrize(
    ("fastmath", "error", "got"),
    [
        ("nnan", TypeError, "'nnan'"),
        (1, TypeError, "1"),
        (None, TypeError, "None"),
        ({"nnan": False}, TypeError, "{'nnan': False}"),
        (["nnan", "fast"], ValueError, "'fast'"),
        ([True], ValueError, "True"),
    ],
)
def test_other_flags_are_refused(fastmath: Any, error: type[Exception], got: str) -> None:
    wanted = "kernel: fastmath must be True, False or some of nnan, ninf, nsz, arcp, contract, afn, reassoc, got "
    with pytest.raises(error, match=f"^{re.escape(wanted + got)}$"):
        kernel(fastmath=fastmath)


def test_without_numba_the_message_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(KernelError, match=re.escape('pip install "vapoursynth-vdiff[kernels]"')):
        kernel(no_name)
    with pytest.raises(KernelError, match="numba"):
        compile_diffusivity(lambda s2: s2)


# Calls with clips.


def clip_of(core: Any, format: int = vs.GRAY8) -> Any:
    color = [9] * core.get_video_format(format).num_planes
    return core.std.BlankClip(width=16, height=8, format=format, length=3, color=color)


@kernel
def add(dst: Any, src: Any, params: Any) -> None:
    for y in range(dst.shape[0]):
        for x in range(dst.shape[1]):
            dst[y, x] = src[0][y, x] + params[0]


@pytest.mark.parametrize(
    ("params", "stored"),
    [
        (2, [11, 11, 11]),
        ([2.4], [11, 11, 11]),
        (np.array([2]), [11, 11, 11]),
        ([np.float32(2)], [11, 11, 11]),
        ([[1], [2], [3]], [10, 11, 12]),
        ([(1,), np.array([2])], [10, 11, 11]),
        (np.array([[1], [2]]), [10, 11, 11]),
        (iter([[5]]), [14, 14, 14]),
        (np.array(2.4), [11, 11, 11]),
        ([np.array(2)], [11, 11, 11]),
        ([[np.array(1)], [np.int8(-2)]], [10, 7, 7]),
    ],
)
def test_parameters_of_all_planes_or_of_each(core: Any, params: Any, stored: list[int]) -> None:
    frame = add(clip_of(core, vs.YUV444P8), params=params).get_frame(0)
    assert [np.asarray(frame[plane])[0, 0] for plane in range(3)] == stored


def test_clips_and_lags_of_any_sequence(core: Any) -> None:
    clip = clip_of(core)
    sequences: list[Any] = [([clip], (0, 1)), ((clip for _ in range(2)), 0), ([clip], np.array([0, -1]))]
    sequences += [([clip] * 2, np.int64(1)), ([clip] * 2, np.array(1)), ([clip], [np.uint8(0), np.array(-1)])]
    for clips, lags in sequences:
        assert np.asarray(ghost(clips, lags, 0.5).get_frame(1)[0])[0, 0] == 9


@pytest.mark.parametrize(
    ("arguments", "error", "said"),
    [
        ({"clips": []}, ValueError, "clips must be 1...8 clips, got 0"),
        ({"clips": "CCCCCCCCC"}, ValueError, "clips must be 1...8 clips, got 9"),
        ({"clips": None}, TypeError, "clips must be video nodes, got None"),
        ({"clips": "name"}, TypeError, "clips must be video nodes, got 'name'"),
        ({"clips": ["C", 3]}, TypeError, "clips must be video nodes, got 3"),
        ({"clips": ["C", "V"]}, ValueError, "clips must be of constant format, clips[1] is not"),
        ({"lags": ()}, ValueError, "lags must be at least one number, got none"),
        ({"lags": True}, TypeError, "lags must be integers, got True"),
        ({"lags": [0, 1.0]}, TypeError, "lags must be integers, got 1.0"),
        ({"lags": "01"}, TypeError, "lags must be integers, got '01'"),
        ({"lags": np.array(1.5)}, TypeError, "lags must be integers, got 1.5"),
        ({"lags": np.bool_(True)}, TypeError, "lags must be integers, got True"),
        ({"lags": -101}, ValueError, "lags must be -100...100, got -101"),
        ({"lags": 10**30}, ValueError, "lags must be -100...100, got 1000000000000000000000000000000"),
        ({"lags": range(65)}, ValueError, "clips times lags must be 1...64 planes, got 65"),
        ({"clips": "CC", "lags": range(33)}, ValueError, "clips times lags must be 1...64 planes, got 66"),
        ({"params": "12"}, TypeError, "params must be numbers, got '12'"),
        ({"params": ["1"]}, TypeError, "params must be numbers, got '1'"),
        ({"params": [None]}, TypeError, "params must be numbers, got None"),
        ({"params": [[1j]]}, TypeError, "params must be numbers, got 1j"),
        ({"params": [[[1]]]}, TypeError, "params must be numbers, got [1]"),
        ({"params": [1, [2]]}, TypeError, "params must be numbers or a sequence of them for each plane, not both"),
        ({"params": [[1], [2]]}, ValueError, "params must be for at most 1 planes, got 2"),
        ({"clips": "Y", "params": [[1], [2, 3]]}, ValueError, "params must be as many for each plane, got 1, 2"),
        ({"params": [1] * 65}, ValueError, "params must be 0...64 numbers, got 65"),
        ({"clips": "Y", "params": [[1] * 65]}, ValueError, "params must be 0...64 numbers, got 65"),
        ({"params": 10**400}, ValueError, "params must be -3.40282e+38...3.40282e+38, got 1000000"),
        ({"params": [math.nan]}, ValueError, "params must be -3.40282e+38...3.40282e+38, got nan"),
        ({"params": [[-math.inf]]}, ValueError, "params must be -3.40282e+38...3.40282e+38, got -inf"),
        ({"params": np.array("1")}, TypeError, "params must be numbers, got '1'"),
        ({"params": []}, KernelError, "add: tuple index out of range"),
        ({"format": 7}, ValueError, "format must be the id of a format, got 7"),
        ({"format": -1}, ValueError, "format must be the id of a format, got -1"),
        ({"format": "GRAY8"}, ValueError, "format must be the id of a format, got 'GRAY8'"),
        ({"format": vs.GRAY32}, vs.Error, "Kernel: format must be"),
        ({"lags": 101}, ValueError, "lags must be -100...100, got 101"),
        ({"planes": 3}, vs.Error, "Kernel: planes"),
    ],
)
def test_wrong_arguments(core: Any, arguments: Any, error: Any, said: str) -> None:
    clip = clip_of(core)
    named = {"C": clip, "Y": clip_of(core, vs.YUV444P8), "V": core.std.Splice([clip, clip_of(core, vs.GRAY16)], True)}
    arguments = {"clips": "C", "params": [1]} | arguments
    if isinstance(arguments["clips"], list) or arguments["clips"] in ("C", "CC", "Y", "C" * 9):
        arguments["clips"] = [named.get(one, one) for one in arguments["clips"]]
    with pytest.raises(error) as raised:
        add(**arguments)
    text = str(raised.value)
    assert said in text and (text.startswith(("add: ", "Kernel: ")) or error is KernelError), text


# Diffusivities.


def row_of(compiled: Compiled, values: Any, scale: float = 1) -> Any:
    row = np.full(values.size + 1, PADDING, np.float32)
    row[:-1] = values
    function = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64, ctypes.c_float)(compiled.descriptor.run)
    function(row.ctypes.data, values.size, scale)
    assert row[-1] == PADDING
    return row[:-1]


def rational(s2: float) -> float:
    return 1 / (1 + s2 / (6.0 * 6.0))


def test_diffusivity(rng: np.random.Generator) -> None:
    compiled = compile_diffusivity(rational)
    for count in (0, 1, 1000):
        s2 = (rng.random(count) * 255**2).astype(np.float32)
        assert np.array_equal(row_of(compiled, s2), 1 / (1 + s2 / np.float32(36)))
        assert np.array_equal(row_of(compiled, s2, 0.3), 1 / (1 + s2 * np.float32(0.3) / np.float32(36)))
    assert compiled.descriptor.magic == b"vdiff g 1"
    assert (compiled.descriptor.sources, compiled.descriptor.params) == (0, 0)
    s2 = np.linspace(0, 300, 50, dtype=np.float32)
    assert np.allclose(row_of(compile_diffusivity(lambda s2: math.exp(-s2 / 100)), s2), np.exp(-s2 / 100), rtol=1e-6)


@pytest.mark.parametrize("n", [1, 2, 15, 16, 17, 33, 1000])
def test_euler_step(n: int, rng: np.random.Generator) -> None:
    tau, scale = np.float32(0.2), np.float32(0.3)
    mid, down, flux = ((rng.random(n + 1) * 255).astype(np.float32) for _ in range(3))
    dst, below = np.full(n + 1, PADDING, np.float32), flux.copy()
    function = ctypes.CFUNCTYPE(
        None, *[ctypes.c_void_p] * 4, ctypes.c_int64, ctypes.c_float, ctypes.c_float
    )(compile_diffusivity(rational).descriptor.describe)  # fmt: skip
    rows = [row.copy() for row in (mid, down)]
    function(*[row.ctypes.data for row in (dst, *rows, below)], n, tau, scale)

    def flow(difference: Any) -> Any:
        return 1 / (1 + difference * difference * scale / np.float32(36)) * difference

    right, along = flow(mid[1:] - mid[:-1]), flow(down - mid)[:-1]
    left = np.concatenate([np.zeros(1, np.float32), right[:-1]])
    assert np.array_equal(dst[:-1], mid[:-1] + tau * ((right - left) + (along - flux[:-1])))
    assert np.array_equal(below[:-1], along)
    assert dst[-1] == PADDING and below[-1] == flux[-1], "it wrote beyond the row"
    assert np.array_equal(rows, (mid, down))


@on_x86
def test_diffusivities_are_vectorised_in_single_precision() -> None:
    for assembly in row_instructions(rational):
        assert re.search(r"\bv?divps\b", assembly)
        assert not re.search(r"\bv?div[ps]d\b|fmadd|fmsub|\bcall", assembly)


def row_instructions(function: Any) -> list[str]:
    """Give the assembly of the plugin's two entries to a diffusivity."""
    code = kernel_compiler.compile_diffusivity(function, kernel(no_name)._options)
    assembly = str(code.library.get_asm_str())
    return [re.split(r"\n\.Lfunc_end", assembly.split(f"\n{name}:")[1])[0] for name in (ENTRY, EULER_ENTRY)]


def test_what_a_diffusivity_cannot_be() -> None:
    def raising(s2: float) -> float:
        if s2 < 0:
            raise ValueError("negative")
        return s2

    with pytest.raises(KernelError, match=f"{__file__}.*a function of a number cannot raise an exception"):
        compile_diffusivity(raising)
    with pytest.raises(KernelError, match=r"must be <lambda>\(s2\)"):
        compile_diffusivity(lambda: 1)  # type: ignore[arg-type,misc]
    with pytest.raises(KernelError, match="add"):
        compile_diffusivity(lambda s2: s2 + "a")  # type: ignore[operator]


PAIR, TABLE = (1.0, 0.5), np.array([1, 0.5], np.float32)


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (lambda s2: 1.3 - s2 * 0.1, "(0) is 1.3"),
        (lambda s2: 1 / s2, "(0) is inf"),
        (lambda s2: s2 / s2, "(0) is nan"),
        (lambda s2: 1.00001 if s2 == 4 else 1.0, "(4) is 1.00001"),
        (lambda s2: 1 - s2 * 1e-9 if s2 < 1e9 else -0.01, "(1e+09) is -0.01"),
        (lambda s2: -2.0 if 2e-6 < s2 < 3e-6 else 1.0, "e-06) is -2"),
        (lambda s2: PAIR[int(s2)], "(2) is nan"),
        (lambda s2: TABLE[int(s2)], "(2) is nan"),
    ],
)
def test_a_diffusivity_is_tried_before_it_is_used(function: Any, said: str, cache: Path) -> None:
    before, loaded, place = files(cache), list(kernels.loaded), f"{__file__}:{function.__code__.co_firstlineno}: "
    for _ in range(2):  # the second time, too
        with pytest.raises(KernelError) as error:
            compile_diffusivity(function)
        assert str(error.value).startswith(f"{place}<lambda>: a diffusivity is within 0...1: <lambda>(")
        assert str(error.value).endswith(said)
    assert files(cache) == before and {id(one) for one in kernels.loaded} <= {id(one) for one in loaded}


def files(cache: Path) -> set[Path]:
    return set((cache / "vdiff").iterdir()) if (cache / "vdiff").exists() else set()


# What is kept on disk.

SCRIPT = """
    import sys
    sys.path[:0] = {paths!r}
    import numpy as np
    import vs_vdiff
    from vs_vdiff.kernel_layout import Sample, Signature
    from test_kernels_compile_script import GAIN, double
    HELPED = {helped}

    @vs_vdiff.kernel({options})
    def scale(dst, src, params):
        for y in range(dst.shape[0]):
            for x in range(dst.shape[1]):
                dst[y, x] = {expression}

    from vs_vdiff import kernel_cache
    compiled = scale.compile(Signature(Sample.BYTE, Sample.BYTE, 1, 0))
    is_compiled = "numba" in sys.modules
    import ctypes
    from vs_vdiff.kernel_layout import Call, Run
    a, b = (np.full((1, 1), 10, np.uint8) for _ in range(2))
    src = (ctypes.c_void_p * 1)(a.ctypes.data), (ctypes.c_int64 * 1)(1), (ctypes.c_double * 1)(255)
    call = Call(b.ctypes.data, 1, *src, 1, 1, None, 255)
    assert Run(compiled.descriptor.run)(ctypes.byref(call), ctypes.byref(ctypes.c_void_p())) == 0
    print(b[0, 0], "compiled" if is_compiled else "found")
"""
HELPER = """
    GAIN = {gain}
    def double(value):
        return value
"""


class Scripts:
    """A script with a kernel, in processes of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.cache = folder, folder / "cache"
        self.values = {"expression": "src[0][y, x] * 2", "options": "", "helped": "1", "gain": "2"}

    def start(self, **changes: str) -> subprocess.Popen[str]:
        self.values |= changes
        values = self.values | {"paths": [str(ROOT), str(self.folder)]}
        (self.folder / "script.py").write_text(textwrap.dedent(SCRIPT).format(**values))
        (self.folder / "test_kernels_compile_script.py").write_text(textwrap.dedent(HELPER).format(**values))
        environment = os.environ | {"NUMBA_CACHE_DIR": str(self.cache), "PYTHONDONTWRITEBYTECODE": "1"}
        return subprocess.Popen(
            [sys.executable, self.folder / "script.py"],
            env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    def run(self, **changes: str) -> str:
        return self.end(self.start(**changes))

    @staticmethod
    def end(process: subprocess.Popen[str]) -> str:
        out, errors = process.communicate()
        assert process.returncode == 0, errors
        return out.strip()

    @property
    def files(self) -> list[Path]:
        return sorted((self.cache / "vdiff").iterdir())


@pytest.fixture
def scripts(tmp_path: Path) -> Scripts:
    return Scripts(tmp_path)


def test_the_second_process_finds_the_code_without_numba(scripts: Scripts) -> None:
    processes = [scripts.start() for _ in range(2)]  # at once
    assert {scripts.end(process) for process in processes} <= {"20 compiled", "20 found"}
    assert scripts.run() == "20 found"
    assert len(scripts.files) == 1


def test_code_that_needs_numbas_runtime_is_found_too(scripts: Scripts) -> None:
    assert scripts.run(expression="np.zeros(1)[0] + 2 * src[0][y, x]") == "20 compiled"
    (file,) = scripts.files
    written = file.stat().st_mtime_ns
    assert scripts.run() == "20 compiled", "the runtime comes with numba"
    assert [file.stat().st_mtime_ns for file in scripts.files] == [written]


class Own:
    """A folder of compiled kernels of a test's own, and a count of what is compiled."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self.folder, self.count = folder, 0
        patch.setenv("NUMBA_CACHE_DIR", str(folder))
        compile_kernel = kernel_compiler.compile_kernel

        def counted(*arguments: Any) -> Any:
            self.count += 1
            return compile_kernel(*arguments)

        patch.setattr(kernel_compiler, "compile_kernel", counted)

    def compile(self) -> int:
        """Obtain a kernel that is not in memory, and try it. Give how often it was compiled so far."""
        assert call(fresh(7), [RAMP, RAMP], Sample.BYTE, [0])[0, 0] == 7
        return self.count

    @property
    def file(self) -> Path:
        (file,) = (self.folder / "vdiff").iterdir()
        return file


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Own:
    return Own(tmp_path, monkeypatch)


@pytest.mark.parametrize("damage", ["empty", "cut", "changed", "header"])
def test_damaged_files_are_replaced(own: Own, damage: str) -> None:
    assert own.compile() == own.compile() == 1
    sound = own.file.read_bytes()
    data = bytearray(sound)
    data[{"changed": -100, "header": 3}.get(damage, 0)] ^= 1
    own.file.write_bytes({"empty": b"", "cut": sound[:-7]}.get(damage, bytes(data)))
    assert own.compile() == own.compile() == 2
    assert len(own.file.read_bytes()) == len(sound)


def test_a_folder_that_cannot_be_written(own: Own) -> None:
    (own.folder / "vdiff").write_text("a file, where no folder can be made")
    assert [own.compile(), own.compile()] == [1, 2]
    (own.folder / "vdiff").unlink()
    assert [own.compile(), own.compile()] == [3, 3]
    taken = own.file
    taken.unlink()
    taken.mkdir()
    assert [own.compile(), own.compile()] == [4, 5]
    assert own.file == taken, "no unfinished file is left"


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="files have no such owners")
def test_files_of_another_user_are_not_loaded(own: Own, monkeypatch: pytest.MonkeyPatch) -> None:
    own.compile()
    with monkeypatch.context() as patch:
        patch.setattr(os, "fstat", lambda _: SimpleNamespace(st_uid=os.geteuid() + 1))
        assert own.compile() == 2
    assert own.compile() == 2


def test_code_with_addresses_of_this_process_is_not_kept(own: Own, monkeypatch: pytest.MonkeyPatch) -> None:
    compile_kernel = kernel_compiler.compile_kernel

    def bound(*arguments: Any) -> Any:
        return dataclasses.replace(compile_kernel(*arguments), is_portable=False)

    monkeypatch.setattr(kernel_compiler, "compile_kernel", bound)
    assert [own.compile(), own.compile()] == [1, 2]
    assert not (own.folder / "vdiff").exists()


def fingerprint(function: Callable[..., Any], *circumstances: object) -> str | None:
    return kernel_cache.fingerprint(function, *circumstances)  # type: ignore[arg-type]


def test_what_the_fingerprint_tells_apart() -> None:
    def make(inner: Any, outer: Any = None) -> Callable[[], Any]:
        def helper() -> Any:
            return outer, module.BIAS

        return lambda: (inner, helper(), module.GAIN, np.pi, math.exp)

    module = type(math)("settings")
    module.GAIN = module.BIAS = 1  # type: ignore[attr-defined]
    array = np.arange(3.0)
    values: list[Any] = [1, 2, 1.0, np.float32(1), np.float64(1), True, "1", (1, 2), (1, (2.5, None)), array, array + 1]
    values += [np.arange(3), max, min, np.sin, np.cos, math, operator, operator.add, 0.0, -0.0, int, OwnError]
    prints = [fingerprint(make(value)) for value in values]
    assert None not in prints and len(set(prints)) == len(values)
    assert prints == [fingerprint(make(value)) for value in values]
    assert fingerprint(make(1, 2)) != fingerprint(make(1, 3))
    assert fingerprint(make(1), "double") != prints[0]
    module.BIAS = 2  # type: ignore[attr-defined]
    assert fingerprint(make(1)) != prints[0]
    module.GAIN, module.BIAS = 2, 1  # type: ignore[attr-defined]
    assert fingerprint(make(1)) != prints[0]
    for unknown in ([1], {1: 2}, SimpleNamespace(), Path, object()):
        assert fingerprint(make(unknown)) is None


class Metres(float):
    """A number that looks like any other."""


@dataclasses.dataclass
class Source:
    """A function `f` from a string, so that two of them need not differ in their place.

    Attributes:
        text: Its source.
        value: The global `value`.
        file: Where it seems to be from.
        constant: What stands for the constant 0.5.
    """

    text: str = "def f(): return value, 0.5"
    value: Any = None
    file: str = "same.vpy"
    constant: float = 0.5

    def name(self) -> str | None:
        space: dict[str, Any] = {"value": self.value}
        exec(compile(self.text, self.file, "exec"), space)
        code = space["f"].__code__
        constants = tuple(self.constant if one == 0.5 else one for one in code.co_consts)
        space["f"].__code__ = code.replace(co_consts=constants)
        return fingerprint(space["f"])


SQUARE = np.arange(4.0).reshape(2, 2)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (Source("def f(a=1): return a"), Source("def f(a=2): return a")),
        (Source("def f(*, a=1): return a"), Source("def f(*, a=2): return a")),
        (Source(), Source("\n" + Source.text)),
        (Source("def f():\n return 1"), Source("def f():\n\n return 1")),
        (Source(), Source(file="other.vpy")),
        (Source(), Source(constant=1.5)),
        (Source(), Source(constant=Metres(0.5))),
        (Source(value=SQUARE), Source(value=np.asfortranarray(SQUARE))),
        (Source(value=np.zeros(2, np.int32)), Source(value=np.zeros(2, np.float32))),
        (Source(value=np.zeros(2, "<i4")), Source(value=np.zeros(2, ">i4"))),
        (Source(value=np.broadcast_to(1.0, (2, 3))), Source(value=np.broadcast_to(1.0, (3, 2)))),
    ],
    ids=[
        "default", "keyword", "first line", "line", "file", "constant", "its type", "strides", "type", "byte order",
        "shape",
    ],
)  # fmt: skip
def test_functions_that_differ_in_one_thing_only(one: Source, other: Source) -> None:
    assert one.name() == one.name() is not None
    assert other.name() == other.name() is not None
    assert one.name() != other.name()


def test_the_fingerprint_knows_the_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    before = fingerprint(no_name)
    monkeypatch.setenv("NUMBA_ENABLE_AVX", "0")
    assert fingerprint(no_name) != before
    monkeypatch.undo()
    assert fingerprint(no_name) == before
    for module, name in ((importlib.metadata, "version"), (llvmlite.binding, "get_host_cpu_name")):
        with monkeypatch.context() as patch:
            patch.setattr(module, name, lambda *_: "0")
            kernel_cache.installed.cache_clear()
            assert fingerprint(no_name) != before
        kernel_cache.installed.cache_clear()
    assert fingerprint(no_name) == before


def test_a_changed_global_is_seen_in_the_same_process() -> None:
    settings = {"gain": 2}
    space: dict[str, Any] = {"gain": 2}
    source = "def scaled(dst, src, params):\n    dst[0, 0] = src[0][0, 1] * gain\n"
    exec(source, space)
    scaled = kernel(space["scaled"])
    assert run(scaled, [RAMP])[0, 0] == 20 * settings["gain"]
    space["gain"] = 3
    assert run(scaled, [RAMP])[0, 0] == 60


def test_old_files_make_room(cache: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(kernel_cache, "MOST_FILES", 4)
    for name in "abcdef":
        kernel_cache.write(name, b"code", ("symbol",))
        os.utime(tmp_path / "vdiff" / name, (ord(name), ord(name)))
    assert sorted(path.name for path in (tmp_path / "vdiff").iterdir()) == ["c", "d", "e", "f"]
    assert kernel_cache.read("f") == (b"code", ("symbol",))
    assert kernel_cache.read("a") is None
    (tmp_path / "vdiff" / "f").rename(tmp_path / "vdiff" / "g")
    assert kernel_cache.read("g") is None, "a file under another's name is not that one's"


# Scripts with frames.

FILM = """
    import sys
    sys.path.insert(0, {root!r})
    import vapoursynth as vs
    import vs_vdiff

    @vs_vdiff.kernel
    def repeat(dst, src, params):
        for i in range(int(params[0])):
            for y in range(dst.shape[0]):
                for x in range(dst.shape[1]):
                    dst[y, x] = src[0][y, x] + i

    clip = vs.core.std.BlankClip(format=vs.GRAY8, width=2048, height=1024, length=30, color=7)
    if __name__ == "__main__":
        frames = [frame.get_frame_async(0) for frame in repeat(clip, params=50)]
        frames[1].result()
        print("end")
    else:
        repeat(clip, params=1)[:2].set_output()
        print([name for name in ("numba", "llvmlite") if name in sys.modules], file=sys.stderr)
"""


@pytest.fixture(scope="module")
def film(core: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A script with a kernel; by vspipe it gives two frames, by Python it ends while 30 are computed."""
    file = tmp_path_factory.mktemp("film") / "film.vpy"
    file.write_text(textwrap.dedent(FILM).format(root=str(ROOT)))
    return file


def test_vspipe_finds_the_kernel_without_numba(film: Path, tmp_path: Path) -> None:
    empty = tmp_path / "empty.vpy"
    empty.write_text("import vapoursynth as vs\nvs.core.std.BlankClip(length=2).set_output()\n")

    def run_vspipe(script: Path) -> tuple[float, str, bytes]:
        before = time.monotonic()
        command = [str(Path(sys.executable).parent / "vspipe"), str(script), "-"]
        done = subprocess.run(command, capture_output=True, timeout=120)
        errors = done.stderr.decode(errors="replace")
        assert done.returncode == 0, errors
        return time.monotonic() - before, errors, done.stdout

    run_vspipe(film)
    seconds, errors, frames = min(run_vspipe(film) for _ in range(2))
    assert frames == b"\x07" * (2 * 2048 * 1024)
    assert "['llvmlite']" in errors
    assert seconds - run_vspipe(empty)[0] < 1


def test_the_interpreter_may_end_while_frames_are_computed(film: Path) -> None:
    done = subprocess.run([sys.executable, film], capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout) == (0, "end\n"), done.stderr


# What is in memory.


def collect() -> int:
    """Unload what nobody uses. Give the number of what is left."""
    kernels.sweep()
    return len(kernels.loaded)


def fresh(value: int) -> Compiled:
    """Compile a kernel that no other test has."""

    @kernel
    def constant(dst: Any, src: Any, params: Any) -> None:
        dst[0, 0] = value

    return constant.compile(BYTES)


def test_the_ticket() -> None:
    compiled = ghost.compile(BYTES)
    descriptor, ticket = compiled.descriptor, compiled.ticket
    assert len(ticket) == 40 and ticket[:16] == b"vdiff kernel 1\0\0"
    address, process, checksum = (int.from_bytes(ticket[i : i + 8], "little") for i in (16, 24, 32))
    assert address == ctypes.addressof(descriptor) == descriptor.self
    assert process == os.getpid()
    value = 0xCBF29CE484222325
    for byte in ticket[:32]:
        value = ((value ^ byte) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    assert checksum == value
    assert descriptor.size == ctypes.sizeof(Descriptor) == 64
    assert (descriptor.sources, descriptor.params, descriptor.src_type, descriptor.dst_type) == (2, 1, 0, 0)
    # As the native plugin declares it.
    names = ("magic", "self", "size", "users", "sources", "params", "src_type", "dst_type", "run", "describe")
    assert [getattr(Descriptor, name).offset for name in names] == [0, 16, 24, 28, 32, 36, 40, 44, 48, 56]


def test_the_same_function_is_compiled_once() -> None:
    assert fresh(1) is not fresh(2)
    one, same = fresh(1), fresh(1)
    assert one is same
    assert ghost.compile(BYTES) is ghost.compile(BYTES)
    assert ghost.compile(BYTES) is not ghost.compile(Signature(Sample.BYTE, Sample.WORD, 2, 1))
    assert ghost.compile(BYTES) is not kernel(boundscheck=True)(ghost.py_func).compile(BYTES)


def test_code_lives_as_long_as_it_is_used() -> None:
    gc.collect()
    before = collect()
    compiled = fresh(3)
    descriptor = compiled.descriptor
    descriptor.users += 1  # as a node does
    del compiled
    assert collect() == before + 1
    again = fresh(3)
    assert again.descriptor is descriptor, "code that is in use is used again"
    assert call(again, [RAMP, RAMP], Sample.BYTE, [0])[0, 0] == 3
    descriptor.users -= 1
    assert collect() == before + 1
    del again
    assert collect() == before
    assert descriptor.self == 0 and descriptor.magic == b"", "an old ticket is found out"
    assert call(fresh(3), [RAMP, RAMP], Sample.BYTE, [0])[0, 0] == 3


@pytest.mark.parametrize("has_fingerprint", [True, False])
def test_descriptors_outlive_everything(has_fingerprint: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernels, "descriptors", {})
    if not has_fingerprint:
        monkeypatch.setattr(kernel_cache, "fingerprint", lambda *_: None)
    compiled = fresh(8)
    descriptor, is_alive = compiled.descriptor, weakref.ref(compiled.descriptor)
    address = descriptor.self
    del compiled, descriptor
    kernels.sweep()
    kernels.descriptors.clear()  # as when the interpreter ends
    gc.collect()
    assert is_alive() is not None
    assert Descriptor.from_address(address).magic == b"" and Descriptor.from_address(address).self == 0


def test_kernels_compiled_at_once() -> None:
    values, compiled, start = range(60, 63), [], threading.Barrier(6)

    def work(value: int) -> None:
        start.wait()
        one = fresh(value)
        if call(one, [RAMP, RAMP], Sample.BYTE, [0])[0, 0] == value:
            compiled.append(one)

    threads = [threading.Thread(target=work, args=[value]) for value in (*values, *values)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(compiled) == 6 and len({id(one) for one in compiled}) == 3


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="reads Linux's memory figures")
def test_a_thousand_kernels_leave_nothing() -> None:
    def resident() -> int:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")

    gc.collect()
    before = collect()
    for i in range(800):
        compiled = fresh(4)
        assert compiled.descriptor.self
        del compiled
        if i == 200:
            start = resident()
    assert collect() == before
    assert resident() - start < 2 << 20


def test_what_the_package_offers() -> None:
    for name in ("Kernel", "KernelError", "diffuse", "kernel"):
        assert name in vs_vdiff.__all__ and getattr(vs_vdiff, name) is getattr(kernels, name)
    assert not {"Compiled", "compile_diffusivity"} & set(vs_vdiff.__all__)
