"""Kernels of one's own: Python functions, compiled to native code that `core.vdiff.Kernel` runs without Python.

A compiled function is handed to the native plugin as a ticket: the address of its descriptor, which the plugin checks,
together with the process and a checksum. Its code stays in memory as long as Python knows the function or the plugin
uses it, as the descriptor's `users` tells.
"""

import contextlib
import ctypes
import importlib.util
import inspect
import os
import reprlib
import threading
import weakref
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from numbers import Integral, Real
from types import FunctionType
from typing import TYPE_CHECKING, Any, overload

from vs_vdiff.kernel_layout import (
    DESCRIBE_ENTRY,
    DIFFUSIVITY_MAGIC,
    ENTRY,
    EULER_ENTRY,
    KERNEL_MAGIC,
    LARGEST_S2,
    MAX_CLIPS,
    MAX_PARAMS,
    MAX_SOURCES,
    Descriptor,
    KernelError,
    Sample,
    Signature,
)

if TYPE_CHECKING:
    import vapoursynth as vs

__all__ = ["Compiled", "Kernel", "KernelError", "compile_diffusivity", "diffuse", "kernel"]

ERROR_MODELS = ("numpy", "python")
FASTMATH = ("nnan", "ninf", "nsz", "arcp", "contract", "afn", "reassoc")
MAX_LAG = 100
MAX_FLOAT32 = (2 - 2**-23) * 2.0**127
ROUNDING = 1e-6  # by which a diffusivity may leave 0...1
VARIADIC = inspect.CO_VARARGS | inspect.CO_VARKEYWORDS | inspect.CO_GENERATOR | inspect.CO_COROUTINE


class Compiled:
    """A function in native code. While there is this object, its ticket is valid."""

    def __init__(self, loaded: "Loaded") -> None:
        self._loaded = loaded

    @property
    def descriptor(self) -> Descriptor:
        """What the native plugin sees."""
        return self._loaded.descriptor

    @property
    def ticket(self) -> bytes:
        """What the native plugin is given: magic, address, process, checksum."""
        text = bytes(self.descriptor)[:16]
        text += ctypes.addressof(self.descriptor).to_bytes(8, "little") + os.getpid().to_bytes(8, "little")
        return text + fnv1a(text).to_bytes(8, "little")


def fnv1a(text: bytes) -> int:
    """Compute the 64-bit FNV-1a hash."""
    value = 0xCBF29CE484222325
    for byte in text:
        value = (value ^ byte) * 0x100000001B3 % 2**64
    return value


# What is in memory.


@dataclass
class Loaded:
    """Object code in memory, and its descriptor."""

    engine: Any
    descriptor: Descriptor
    owner: weakref.ref[Compiled] | None = None


lock = threading.RLock()
loaded: list[Loaded] = []
by_fingerprint: weakref.WeakValueDictionary[str, Compiled] = weakref.WeakValueDictionary()
# By fingerprint, or by an object where there is none.
descriptors: dict[object, Descriptor] = {}


def sweep() -> None:
    """Unload the code that neither Python nor the native plugin uses."""
    for one in list(loaded):
        if one.owner is not None and one.owner() is None and one.descriptor.users == 0:
            unload(one)


def unload(one: Loaded) -> None:
    loaded.remove(one)
    one.descriptor.magic = b""
    one.descriptor.self = 0
    one.engine.close()


def new_descriptor() -> Descriptor:
    """Make a descriptor that is never freed.

    A ticket that outlived its kernel is found out, instead of read from memory that is gone; and while the interpreter
    ends, frames may still be computed.
    """
    descriptor = Descriptor()
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(descriptor))
    return descriptor


def load(code: bytes, externals: Sequence[str], descriptor: Descriptor) -> Compiled:
    """Load object code and complete its descriptor.

    Args:
        code: An object file with the functions `ENTRY` and `DESCRIBE_ENTRY`, or of a diffusivity `EULER_ENTRY`.
        externals: The symbols that it needs.
        descriptor: All of the descriptor that is known before.

    Raises:
        KernelError: Nothing in this process provides one of the symbols.
    """
    import llvmlite.binding as llvm

    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    if any(llvm.address_of_symbol(name) is None for name in externals):
        from vs_vdiff import kernel_compiler  # numba's run-time library is among its symbols

        kernel_compiler.provide_runtime()
    # LLVM ends the process when a symbol is missing.
    if missing := [name for name in externals if llvm.address_of_symbol(name) is None]:
        raise KernelError(f"the kernel uses what cannot be called from native code: {', '.join(missing)}")
    triple = llvm.get_process_triple()
    # An engine of its own, because only a whole engine gives its memory back.
    engine = llvm.create_mcjit_compiler(
        llvm.parse_assembly(f'target triple = "{triple}"'), llvm.Target.from_triple(triple).create_target_machine()
    )
    engine.add_object_file(llvm.ObjectFileRef.from_data(code))
    engine.finalize_object()
    descriptor.self = ctypes.addressof(descriptor)
    descriptor.size = ctypes.sizeof(Descriptor)
    descriptor.run = engine.get_function_address(ENTRY)
    is_kernel = descriptor.magic == KERNEL_MAGIC.rstrip(b"\0")
    descriptor.describe = engine.get_function_address(DESCRIBE_ENTRY if is_kernel else EULER_ENTRY)
    one = Loaded(engine, descriptor)
    compiled = Compiled(one)
    one.owner = weakref.ref(compiled)
    loaded.append(one)
    return compiled


# What is compiled.


def require_numba() -> None:
    for name in ("numba", "llvmlite"):
        if importlib.util.find_spec(name) is None:
            raise KernelError(
                'kernels are compiled by numba, which is missing: pip install "vapoursynth-vdiff[kernels]"'
            )


def obtain(function: FunctionType, options: dict[str, Any], signature: Signature | None) -> Compiled:
    """Find a function's code in memory or on disk, or compile it.

    Functions that have no fingerprint are compiled each time, as nobody knows whether what they use is still the same.

    Args:
        function: The function.
        options: How to compile it.
        signature: That of a kernel; None for a function of a number.
    """
    from vs_vdiff import kernel_cache

    with lock:
        sweep()
        name = kernel_cache.fingerprint(function, sorted(options.items()), signature)
        if name is not None and (known := by_fingerprint.get(name)) is not None:
            return known
        key = object() if name is None else name
        if key not in descriptors:
            descriptors[key] = new_descriptor()
        descriptor = descriptors[key]
        if descriptor.self:  # a kernel without an owner that is still in use
            compiled = adopt(descriptor)
        else:
            descriptor.magic = DIFFUSIVITY_MAGIC if signature is None else KERNEL_MAGIC
            if signature is not None:
                descriptor.sources, descriptor.params = signature.sources, signature.params
                descriptor.src_type, descriptor.dst_type = signature.src, signature.dst
            if name is not None and (found := kernel_cache.read(name)) is not None:
                compiled = load(*found, descriptor)
            else:
                compiled = make(function, options, signature, name, descriptor)
        if name is not None:
            by_fingerprint[name] = compiled
        return compiled


def make(
    function: FunctionType,
    options: dict[str, Any],
    signature: Signature | None,
    name: str | None,
    descriptor: Descriptor,
) -> Compiled:
    """Compile a function, load it, and keep it on disk once it is known to be good."""
    from vs_vdiff import kernel_cache, kernel_compiler

    if signature is None:
        made = kernel_compiler.compile_diffusivity(function, options)
    else:
        made = kernel_compiler.compile_kernel(function, signature, options)
    compiled = load(made.code, made.externals, descriptor)
    if signature is None:
        try:
            check_range(function, descriptor.run)
        except BaseException:
            unload(compiled._loaded)
            raise
    if name is not None and made.is_portable:
        kernel_cache.write(name, made.code, made.externals)
    return compiled


def check_range(function: FunctionType, address: int) -> None:
    """Refuse a diffusivity that is not within 0...1 at every contrast: no scheme would be stable with it."""
    import numpy as np

    s2 = np.unique(np.concatenate([np.arange(1 << 12), np.geomspace(1e-6, LARGEST_S2, 1 << 14)]).astype(np.float32))
    g = s2.copy()
    ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64, ctypes.c_float)(address)(g.ctypes.data, g.size, 1)
    wrong = np.flatnonzero(~((g >= -ROUNDING) & (g <= 1 + ROUNDING)))
    if wrong.size:
        code, name, i = function.__code__, function.__name__, wrong[0]
        said = f"a diffusivity is within 0...1: {name}({s2[i]:g}) is {g[i]:g}"
        raise KernelError(f"{code.co_filename}:{code.co_firstlineno}: {name}: {said}")


def adopt(descriptor: Descriptor) -> Compiled:
    """Own code again that only the native plugin used."""
    for one in loaded:
        if one.descriptor is descriptor:
            compiled = Compiled(one)
            one.owner = weakref.ref(compiled)
            return compiled
    raise AssertionError("a descriptor without code")


class Kernel:
    """A Python function that computes a plane, at home in the filter graph; made by `kernel`."""

    def __init__(self, function: FunctionType, options: dict[str, Any]) -> None:
        self.py_func = function
        self.__name__, self.__doc__, self.__wrapped__ = function.__name__, function.__doc__, function
        self._options = options

    def compile(self, signature: Signature) -> Compiled:
        """Compile the function, unless that was done before, in this process or another.

        Raises:
            KernelError: It cannot be compiled; the message names the line.
        """
        require_numba()
        return obtain(self.py_func, self._options, signature)

    def __call__(
        self,
        clips: "vs.VideoNode | Iterable[vs.VideoNode]",
        lags: int | Iterable[int] = 0,
        params: float | Iterable[float] | Iterable[Iterable[float]] = (),
        *,
        planes: int | Sequence[int] | None = None,
        format: int | None = None,
        scenechange: bool = True,
    ) -> "vs.VideoNode":
        """Run the function on every plane of every frame.

        Samples are in the format's own values: 0...255 at 8 bit, 0...65535 at 16 bit, 0...1 in float, where chroma is
        -0.5...0.5. What the function stores is in the values of the output's format, `dst.peak` at most if that is of
        integers; with another `format`, to scale is up to the function.

        Args:
            clips: One to eight clips of one size, color family and subsampling, all of 8 bits, all of 9 to 16 bits, or
                all float. The output has the first one's length and properties.
            lags: How many frames back to look, -100...100; a negative lag is a later frame. The function's `src` holds
                all of the first clip's frames in this order, then those of the second clip, 64 planes of `[height,
                width]` at most. Beyond its ends, a clip's first and last frames stand for those that are missing.
            params: The function's `params`, at most 64 numbers, which become float32; or for each plane a sequence of
                them, the last of which holds for the planes that remain.
            planes: The planes to process [all]; the others are those of the first clip.
            format: The id of the output's format [that of the first clip], of the same color family and subsampling.
            scenechange: Do not look past a frame that begins a scene (`_SceneChangePrev`): the one nearest to the
                wanted, on this side of the cut, stands for it.

        Raises:
            KernelError: The function cannot be compiled for these clips.
            TypeError: An argument is not of the kind that it must be.
            ValueError: It is of that kind, but out of its limits.
            vapoursynth.Error: The filter refuses an argument.
        """
        import vapoursynth as vs

        nodes = self._clips([clips] if isinstance(clips, vs.VideoNode) else clips)
        delays = self._lags(lags, len(nodes))
        rows = self._params(params, nodes[0].format.num_planes)
        result = nodes[0].format if format is None else self._format(format)
        compiled = self.compile(
            Signature(sample_of(nodes[0].format), sample_of(result), len(nodes) * len(delays), len(rows[0]))
        )
        numbers = [number for row in rows for number in row]
        optional = {"params": numbers or None, "planes": planes, "format": None if format is None else result.id}
        return vs.core.vdiff.Kernel(
            nodes,
            compiled.ticket,
            lags=delays,
            scenechange=scenechange,
            **{key: value for key, value in optional.items() if value is not None},
        )

    def _clips(self, clips: Any) -> list["vs.VideoNode"]:
        import vapoursynth as vs

        nodes = self._list("clips", "video nodes", clips)
        for i, node in enumerate(nodes):
            if not isinstance(node, vs.VideoNode):
                raise TypeError(f"{self.__name__}: clips must be video nodes, got {node!r}")
            if node.format is None or node.format.id == vs.NONE:
                raise ValueError(f"{self.__name__}: clips must be of constant format, clips[{i}] is not")
        if not 1 <= len(nodes) <= MAX_CLIPS:
            raise ValueError(f"{self.__name__}: clips must be 1...{MAX_CLIPS} clips, got {len(nodes)}")
        return nodes

    def _format(self, format: Any) -> Any:
        import vapoursynth as vs

        with contextlib.suppress(TypeError, ValueError, OverflowError):
            found = vs.core.get_video_format(format)
            if found.id != vs.NONE:
                return found
        raise ValueError(f"{self.__name__}: format must be the id of a format, got {format!r}")

    def _lags(self, lags: Any, clips: int) -> list[int]:
        numbers = self._list("lags", "integers", [lags] if isinstance(scalar(lags), Integral) else lags)
        if not numbers:
            raise ValueError(f"{self.__name__}: lags must be at least one number, got none")
        for lag in numbers:
            if isinstance(lag, bool) or not isinstance(lag, Integral):
                raise TypeError(f"{self.__name__}: lags must be integers, got {lag!r}")
            if not -MAX_LAG <= int(lag) <= MAX_LAG:
                raise ValueError(f"{self.__name__}: lags must be {-MAX_LAG}...{MAX_LAG}, got {reprlib.repr(lag)}")
        if (planes := clips * len(numbers)) > MAX_SOURCES:
            raise ValueError(f"{self.__name__}: clips times lags must be 1...{MAX_SOURCES} planes, got {planes}")
        return [int(lag) for lag in numbers]

    def _params(self, params: Any, planes: int) -> list[list[float]]:
        """Give the parameters of each plane; one list if they are the same for all."""
        rows = self._list("params", "numbers", [params] if isinstance(scalar(params), Real) else params)
        if all(isinstance(number, Real) for number in rows):
            return [self._numbers(rows)]
        if any(isinstance(row, Real) for row in rows):
            raise TypeError(f"{self.__name__}: params must be numbers or a sequence of them for each plane, not both")
        rows = [self._numbers(self._list("params", "numbers", row)) for row in rows]
        if len(rows) > planes:
            raise ValueError(f"{self.__name__}: params must be for at most {planes} planes, got {len(rows)}")
        if len({len(row) for row in rows}) > 1:
            counts = ", ".join(str(len(row)) for row in rows)
            raise ValueError(f"{self.__name__}: params must be as many for each plane, got {counts}")
        return rows + [rows[-1]] * (planes - len(rows))

    def _numbers(self, row: list[Any]) -> list[float]:
        """Take a row of parameters that float32 can hold."""
        if len(row) > MAX_PARAMS:
            raise ValueError(f"{self.__name__}: params must be 0...{MAX_PARAMS} numbers, got {len(row)}")
        for number in row:
            if not isinstance(number, Real):
                raise TypeError(f"{self.__name__}: params must be numbers, got {number!r}")
        for number in row:
            # Compared as it is: a large integer becomes no float.
            if not -MAX_FLOAT32 <= number <= MAX_FLOAT32:
                limit = f"{-MAX_FLOAT32:.6g}...{MAX_FLOAT32:.6g}"
                raise ValueError(f"{self.__name__}: params must be {limit}, got {reprlib.repr(number)}")
        return [float(number) for number in row]

    def _list(self, name: str, what: str, values: Any) -> list[Any]:
        values = scalar(values)  # an array of no dimensions has __iter__, but no elements
        if isinstance(values, str | bytes) or not hasattr(values, "__iter__"):
            raise TypeError(f"{self.__name__}: {name} must be {what}, got {values!r}")
        return [scalar(value) for value in values]


def scalar(value: Any) -> Any:
    """Take the number out of an array of no dimensions; anything else is what it was."""
    return value.item() if getattr(value, "shape", None) == () else value


def sample_of(format: Any) -> Sample:
    """Tell as what kernels see a format's samples; half is handed over as float32."""
    if format.sample_type.name == "FLOAT":
        return Sample.SINGLE
    return Sample.BYTE if format.bits_per_sample == 8 else Sample.WORD


@overload
def kernel(function: Callable[..., None], /) -> Kernel: ...
@overload
def kernel(
    *, boundscheck: bool = ..., error_model: str = ..., fastmath: bool | Iterable[str] = ...
) -> Callable[[Callable[..., None]], Kernel]: ...
def kernel(
    function: Callable[..., None] | None = None,
    /,
    *,
    boundscheck: bool = False,
    error_model: str = "numpy",
    fastmath: bool | Iterable[str] = False,
) -> Kernel | Callable[[Callable[..., None]], Kernel]:
    """Make a kernel of a function `f(dst, src, params)`, compiled when it is called with clips.

    The function computes a plane, every pixel of it: `dst[y, x] = …` from `src[i][y, x]` and `params[j]`. Those are
    `float32` at every format, in the format's own values (0...255 at 8 bit), and so is what is computed of them and of
    numbers written in the function. What is stored in an integer format is rounded and clamped to 0...`dst.peak`; NaN
    becomes 0. Planes have `shape`, `height`, `width` and `peak`. Rows and planes can be taken as a whole:
    `src[i][y, :]` and `src[i][:, :]` are float32 arrays, copies; `dst[y] = row` and `dst[:] = plane` store them.

    A negative constant as index counts from the end. The index of any other pixel beyond the plane is an error with
    `boundscheck`, and without it reads or destroys other memory: switch it on while a kernel is new. That of a whole
    row or column is always checked.

    With `width = dst.width`, loops over neighbours are fast when written `src[i][y, max(x - 1, 0)]` or `src[i][y, x - 1
    if x > 0 else 0]`, and three times slower with `src[i][y, x + 1 if x < width - 1 else width - 1]` or an assignment
    under `if x < width - 1:`. Ten times slower than the first are `min(x + 1, width - 1)`, `… else x`, and pixels more
    than a few columns to the left. Rows above and below are fast in every form.

    `+ - * /`, comparisons, `abs`, `min`, `max`, `round`, `math.exp`, `math.sqrt` and NumPy's `exp`, `sqrt`, `floor`,
    `ceil`, `trunc` and `rint` are computed for several pixels at a time and give the same bytes on every machine; `exp`
    is within 2 units in the last place. Other functions, as `log`, `sin`, `tanh` and powers except integer ones, are
    calls of the C library for every pixel, and the last bit may differ from machine to machine.

    Args:
        function: The function.
        boundscheck: Check indices; an `IndexError` fails the frame.
        error_model: `numpy`: a division by zero gives infinity or NaN. `python`: it raises ZeroDivisionError.
        fastmath: Let the compiler reorder arithmetic, in all of LLVM's ways or those named: nnan, ninf, nsz, arcp,
            contract, afn, reassoc. The result then differs from CPU to CPU.

    Raises:
        KernelError: numba is not installed, or the function has other parameters.
        TypeError: It is no Python function.
        ValueError: There is no such `error_model` or flag of `fastmath`.
    """
    if error_model not in ERROR_MODELS:
        raise ValueError(f"kernel: error_model must be {' or '.join(ERROR_MODELS)}, got {error_model!r}")
    require_numba()
    options = {
        "nopython": True,
        "boundscheck": bool(boundscheck),
        "error_model": error_model,
        "fastmath": fast_flags(fastmath),
    }

    def decorate(function: Callable[..., None]) -> Kernel:
        what = "kernel: it must be a Python function f(dst, src, params)"
        return Kernel(plain_function(function, what, "dst", "src", "params"), options)

    return decorate if function is None else decorate(function)


def fast_flags(fastmath: Any) -> bool | list[str]:
    """Take LLVM's flags: all, none or some of them."""
    wanted = f"kernel: fastmath must be True, False or some of {', '.join(FASTMATH)}"
    fastmath = scalar(fastmath)
    if isinstance(fastmath, bool):
        return fastmath
    # Iterating would make letters of the one, and of the other lose what is said of the flags.
    if isinstance(fastmath, str | Mapping) or not isinstance(fastmath, Iterable):
        raise TypeError(f"{wanted}, got {fastmath!r}")
    flags = list(fastmath)
    for flag in flags:
        if flag not in FASTMATH:
            raise ValueError(f"{wanted}, got {flag!r}")
    return sorted(set(flags)) or False


def plain_function(function: Any, what: str, *parameters: str) -> FunctionType:
    """Take a Python function of so many parameters out of what numba made of it; `what` says what it must be."""
    given, function = function, getattr(function, "py_func", function)
    if not isinstance(function, FunctionType):
        raise TypeError(f"{what}, got {given!r}")
    code = function.__code__
    if code.co_argcount != len(parameters) or code.co_kwonlyargcount or code.co_flags & VARIADIC:
        wanted = f"{function.__name__}({', '.join(parameters)})"
        raise KernelError(f"{code.co_filename}:{code.co_firstlineno}: the function must be {wanted}")
    return function


def diffuse(clip: "vs.VideoNode", diffusivity: str | Callable[[float], float] = "rational", **arguments: Any) -> Any:
    """Diffuse, with a diffusivity of one's own: `core.vdiff.Diffuse`, which takes it by name or compiled.

    Args:
        clip: The clip.
        diffusivity: A name that `Diffuse` knows, or a Python function g(s²) within 0...1, 1 where all is to be
            smoothed. It is compiled for float32, by LLVM for several pixels at once where it has no branches. s is the
            difference between neighbours, or the steering picture's gradient, divided by `k`, which is 1 unless given:
            on the 8-bit scale at every depth.
        **arguments: The other arguments of `Diffuse`.

    Raises:
        KernelError: The function cannot be compiled, raises an exception of its own, or leaves 0...1 somewhere.
        TypeError: `diffusivity` is neither a name nor a Python function.
        vapoursynth.Error: The filter refuses an argument.
    """
    import vapoursynth as vs

    compiled = None if isinstance(diffusivity, str) else compile_diffusivity(diffusivity)
    return vs.core.vdiff.Diffuse(clip, diffusivity=diffusivity if compiled is None else compiled.ticket, **arguments)


def compile_diffusivity(function: Callable[[float], float]) -> Compiled:
    """Compile a diffusivity g(s²) for `core.vdiff.Diffuse`: a number of the squared gradient, on the 8-bit scale.

    It is computed in float32, several pixels at a time where it has no branches, and must be within 0...1 at every s²;
    this is tried from 0 to 1e9, and for larger s² it is g(1e9).

    Raises:
        KernelError: It cannot be compiled, it raises an exception of its own, or it is not within 0...1.
    """
    require_numba()
    # An index beyond a table is found out at the trial.
    options = {"nopython": True, "boundscheck": True, "error_model": "numpy", "fastmath": False}
    what = "diffuse: diffusivity must be a name or a Python function g(s2)"
    return obtain(plain_function(function, what, "s2"), options, None)
