"""Translate kernels into object code, by numba's front end and LLVM.

numba infers types and writes LLVM code; around the result stands an entry of the C layout that `vdiff.Kernel` calls.
The object code refers to nothing of this process, so that it can be kept and loaded later without numba, and be
unloaded, which numba's own engine never does.

Of numba this takes, beside its documented ways of extension (`numba.extending`, compiler passes): `_FunctionCompiler`,
the code generator with its library, the calling convention, how its code keeps exceptions, and what raises that of a
slice of another shape. They are named in this module and nowhere else.
"""

import math
import operator
import pickle
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from types import FunctionType
from typing import Any

import numba
import numpy as np
from llvmlite import ir as llvm
from llvmlite.binding import parse_assembly
from numba.core import cgutils, errors, ir, ir_utils, types
from numba.core.codegen import AOTCodeLibrary, JITCPUCodegen
from numba.core.compiler import CompilerBase, DefaultPassBuilder
from numba.core.compiler_lock import global_compiler_lock
from numba.core.compiler_machinery import FunctionPass, register_pass
from numba.core.cpu import CPUContext
from numba.core.dispatcher import Dispatcher, _FunctionCompiler
from numba.core.registry import cpu_target
from numba.core.typed_passes import NopythonTypeInference
from numba.core.untyped_passes import ReconstructSSA
from numba.extending import (
    intrinsic,
    make_attribute_wrapper,
    models,
    overload,
    overload_attribute,
    register_jitable,
    register_model,
)
from numba.np.arrayobj import raise_with_shape_context

from vs_vdiff.kernel_layout import (
    DESCRIBE_ENTRY,
    ENTRY,
    EULER_ENTRY,
    LARGEST_S2,
    Call,
    KernelError,
    Sample,
    Signature,
)

__all__ = ["ObjectCode", "compile_diffusivity", "compile_kernel"]

DTYPES = {Sample.BYTE: types.uint8, Sample.WORD: types.uint16, Sample.SINGLE: types.float32}
NUMBA = Path(numba.__file__).parent
EXACT = 2**24  # integers up to it are float32 without rounding
ROUNDER = 1.5 * 2**23  # added to a small float32 and taken away again, it leaves the nearest integer
LN2, LN2_HIGH = math.log(2), 355 / 512  # of few bits: its multiples are exact
BYTE_POINTER = llvm.IntType(8).as_pointer()
INT32, INT64 = llvm.IntType(32), llvm.IntType(64)
FLOAT32, DOUBLE = llvm.FloatType(), llvm.DoubleType()


@dataclass(frozen=True)
class ObjectCode:
    """A compiled kernel."""

    code: bytes
    """An object file for this machine."""
    externals: tuple[str, ...]
    """The symbols that it needs."""
    is_portable: bool
    """Whether it means the same in another process: it contains no address of this one."""
    library: Any
    """numba's own view of it, for those who want to read the assembly."""


# Planes, as kernels see them.


class PlaneType(types.Type):  # type: ignore[misc]
    """A plane that is read: `plane[y, x]` is a float32 at every format."""

    def __init__(self, dtype: Any, is_checked: bool) -> None:
        self.dtype, self.is_checked = dtype, is_checked
        super().__init__(f"{type(self).__name__.removesuffix('Type')}({dtype}{', checked' if is_checked else ''})")


class OutputType(PlaneType):
    """A plane that is written: `plane[y, x] = value` rounds and clamps to an integer format."""


FIELDS = [("height", types.int64), ("width", types.int64), ("peak", types.float32), ("stride", types.int64)]


@register_model(PlaneType)
@register_model(OutputType)
class PlaneModel(models.StructModel):  # type: ignore[misc]
    def __init__(self, manager: Any, plane: PlaneType) -> None:
        super().__init__(manager, plane, [("data", types.CPointer(plane.dtype)), *FIELDS])


for _field in ("height", "width", "peak"):
    make_attribute_wrapper(PlaneType, _field, _field)


@overload_attribute(PlaneType, "shape", strict=False)  # type: ignore[untyped-decorator]
def plane_shape(plane: Any) -> Any:
    return lambda plane: (plane.height, plane.width)


@overload_attribute(PlaneType, "ndim", strict=False)  # type: ignore[untyped-decorator]
def plane_ndim(plane: Any) -> Any:
    return lambda plane: 2


def sample_address(context: Any, builder: Any, plane: PlaneType, args: Any) -> Any:
    value, y, x = args[:3]
    view = cgutils.create_struct_proxy(plane)(context, builder, value=value)
    row = builder.gep(builder.bitcast(view.data, BYTE_POINTER), [builder.mul(y, view.stride)])
    return view, builder.gep(builder.bitcast(row, view.data.type), [x])


@intrinsic  # type: ignore[untyped-decorator]
def load(_: Any, plane: Any, y: Any, x: Any) -> Any:
    """Read a sample as float32, which every value of 16 bits fits."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        _, address = sample_address(context, builder, plane, args)
        return context.cast(builder, builder.load(address), plane.dtype, types.float32)

    return types.float32(plane, types.intp, types.intp), generate


@intrinsic  # type: ignore[untyped-decorator]
def store(_: Any, plane: Any, y: Any, x: Any, value: Any) -> Any:
    """Write a sample. What an integer format cannot hold is clamped; a fraction is rounded, half up; NaN becomes 0."""
    kept = value if isinstance(value, types.Float) else types.int64 if value != types.uint64 else types.uint64

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        view, address = sample_address(context, builder, plane, args)
        sample = args[3]
        if isinstance(plane.dtype, types.Float):
            builder.store(context.cast(builder, sample, kept, plane.dtype), address)
            return context.get_dummy_value()
        peak = context.cast(builder, view.peak, types.float32, kept)
        zero = context.get_constant(kept, 0)
        if isinstance(kept, types.Float):
            # The order of clamping and rounding, and what they do to NaN, is that of vdiff's other filters.
            sample = builder.select(builder.fcmp_ordered(">", sample, zero), sample, zero)
            sample = builder.select(builder.fcmp_ordered("<", sample, peak), sample, peak)
            sample = builder.fptosi(builder.fadd(sample, context.get_constant(kept, 0.5)), INT32)
        else:
            less = builder.icmp_signed if kept.signed else builder.icmp_unsigned
            sample = builder.select(less(">", sample, zero), sample, zero)
            sample = builder.select(less("<", sample, peak), sample, peak)
        builder.store(builder.trunc(sample, address.type.pointee), address)
        return context.get_dummy_value()

    return types.void(plane, types.intp, types.intp, kept), generate


@intrinsic  # type: ignore[untyped-decorator]
def as_array(_: Any, plane: Any) -> Any:
    """See a plane's memory as an array of its own format."""
    array = types.Array(plane.dtype, 2, "A", readonly=True)

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        view = cgutils.create_struct_proxy(plane)(context, builder, value=args[0])
        result = context.make_array(array)(context, builder)
        size = INT64(plane.dtype.bitwidth // 8)
        result.data = view.data
        result.meminfo = result.meminfo.type(None)
        result.parent = result.parent.type(None)
        result.nitems = builder.mul(view.height, view.width)
        result.itemsize = size
        result.shape = cgutils.pack_array(builder, [view.height, view.width])
        result.strides = cgutils.pack_array(builder, [view.stride, size])
        return result._getvalue()

    return array(plane), generate


@register_jitable  # type: ignore[untyped-decorator]
def check(y: int, x: int, plane: Any) -> None:
    if y < 0 or y >= plane.height or x < 0 or x >= plane.width:
        raise IndexError("index is out of bounds")


def is_position(index: Any) -> bool:
    return (
        isinstance(index, types.BaseTuple) and len(index) == 2 and all(isinstance(one, types.Integer) for one in index)
    )


def check_integers(index: Any) -> None:
    parts = index if isinstance(index, types.BaseTuple) else (index,)
    if any(isinstance(part, types.Float) for part in parts):
        raise errors.TypingError("an index is an integer, not a float: divide by //, or convert by int()")


def positioner(index: Any, is_checked: bool) -> Any:
    """Give the function that finds a pixel.

    Negative constants count from the end. Computed indices do not: a neighbour of the first column is not in the last
    one, and the question at every pixel would make stencils three times slower.
    """
    y_ends, x_ends = (isinstance(one, types.IntegerLiteral) and one.literal_value < 0 for one in index)

    def position(plane: Any, index: Any) -> tuple[int, int]:
        y = index[0] + plane.height if y_ends else index[0]
        x = index[1] + plane.width if x_ends else index[1]
        if is_checked:
            check(y, x, plane)
        return y, x

    return register_jitable(position)


ZERO = types.literal(0)


def lines_getter(index: Any) -> Any:
    """Give the function that copies rows, columns or blocks. Next to the copy, a check of the index costs nothing."""
    if isinstance(index, types.Integer):
        position = positioner((index, ZERO), True)

        def row(plane: Any, index: Any) -> Any:
            y, _ = position(plane, (index, 0))
            return as_array(plane)[y].astype(np.float32)

        return row
    kinds = tuple(index) if isinstance(index, types.BaseTuple) and len(index) == 2 else ()
    if kinds and isinstance(kinds[0], types.Integer):
        position = positioner((kinds[0], ZERO), True)

        def part_of_row(plane: Any, index: Any) -> Any:
            y, _ = position(plane, (index[0], 0))
            return as_array(plane)[y, index[1]].astype(np.float32)

        return part_of_row
    if kinds and isinstance(kinds[1], types.Integer):
        position = positioner((ZERO, kinds[1]), True)

        def part_of_column(plane: Any, index: Any) -> Any:
            _, x = position(plane, (0, index[1]))
            return as_array(plane)[index[0], x].astype(np.float32)

        return part_of_column
    return lambda plane, index: as_array(plane)[index].astype(np.float32)


@overload(operator.getitem, strict=False, prefer_literal=True)  # type: ignore[untyped-decorator]
def plane_getitem(plane: Any, index: Any) -> Any:
    if not isinstance(plane, PlaneType):
        return None
    if isinstance(plane, OutputType):
        raise errors.TypingError("the output can be written, not read")
    check_integers(index)
    if not is_position(index):
        return lines_getter(index)
    position = positioner(index, plane.is_checked)

    def get(plane: Any, index: Any) -> Any:
        y, x = position(plane, index)
        return load(plane, y, x)

    return get


@overload(operator.setitem, strict=False, prefer_literal=True)  # type: ignore[untyped-decorator]
def output_setitem(plane: Any, index: Any, value: Any) -> Any:
    if not isinstance(plane, PlaneType):
        return None
    if not isinstance(plane, OutputType):
        raise errors.TypingError("a source can be read, not written")
    check_integers(index)
    if is_position(index):
        if not isinstance(value, types.Integer | types.Float | types.Boolean):
            raise errors.TypingError(f"a pixel of the output is a number, not {value}")
        position = positioner(index, plane.is_checked)

        def put(plane: Any, index: Any, value: Any) -> None:
            y, x = position(plane, index)
            store(plane, y, x, value)

        return put
    if isinstance(index, types.SliceType) and isinstance(value, types.Array) and value.ndim == 2:

        def rows(plane: Any, index: Any, value: Any) -> None:
            first, _, step = index.indices(plane.height)
            if value.shape[0] != len(range(*index.indices(plane.height))) or value.shape[1] != plane.width:
                raise ValueError("the array assigned to the output has another shape")
            for y in range(value.shape[0]):
                for x in range(plane.width):
                    store(plane, first + y * step, x, value[y, x])

        return rows
    if isinstance(index, types.Integer) and isinstance(value, types.Array) and value.ndim == 1:
        position = positioner((index, ZERO), True)

        def row(plane: Any, index: Any, value: Any) -> None:
            y, _ = position(plane, (index, 0))
            if value.shape[0] != plane.width:
                raise ValueError("the array assigned to the output has another shape")
            for x in range(plane.width):
                store(plane, y, x, value[x])

        return row
    raise errors.TypingError("the output takes dst[y, x] = number, dst[y] = row or dst[:] = plane")


def is_matrix_product(statement: Any, function: Any) -> bool:
    """Tell what calls BLAS, which numba finds by Python."""
    value = statement.value if isinstance(statement, ir.Assign) else None
    if not isinstance(value, ir.Expr):
        return False
    if value.op == "call":
        called: object = ir_utils.guard(ir_utils.find_callname, function, value)
        return called == ("dot", "numpy")
    return value.op in ("binop", "inplace_binop") and value.fn in {operator.matmul, operator.imatmul}


@register_pass(mutates_CFG=False, analysis_only=True)
class CheckPython(FunctionPass):  # type: ignore[misc]
    """Refuse, where there is a line to name, what numba would do through Python.

    That is `print`, products of matrices, and exceptions with values that would have to become Python objects.
    """

    _name = "vdiff_check_python"

    def __init__(self) -> None:
        super().__init__()

    def run_pass(self, state: Any) -> bool:
        for block in state.func_ir.blocks.values():
            for statement in block.body:
                if isinstance(statement, ir.Print) or is_matrix_product(statement, state.func_ir):
                    what = "print" if isinstance(statement, ir.Print) else "a product of matrices"
                    raise errors.UnsupportedError(f"{what} takes Python, which native code cannot call", statement.loc)
                if isinstance(statement, ir.DynamicRaise | ir.DynamicTryRaise):
                    raise errors.UnsupportedError("an exception in a kernel takes only constants", statement.loc)
                is_number = isinstance(state.return_type, types.Float)  # that of helpers is not known yet
                if is_number and isinstance(statement, ir.Raise | ir.StaticRaise | ir.TryRaise):
                    raise errors.UnsupportedError("a function of a number cannot raise an exception", statement.loc)
        return False


# Numbers written in a kernel do not make its arithmetic double.


def as_single(value: Any) -> Any:
    """Turn Python's floats, also in tuples, into float32; leave the rest, as explicit float64 or 1e300, alone."""
    if type(value) is float:
        is_there = abs(value) <= float(np.finfo(np.float32).max) or math.isinf(value)
        return np.float32(value) if is_there or math.isnan(value) else value
    return tuple(as_single(one) for one in value) if type(value) is tuple else value


def outside(value: Any, loc: Any) -> Any:
    """Make a constant that looks like one from outside of the kernel: numba expects only Python's numbers inside."""
    return ir.Global("single", value, loc)


@register_pass(mutates_CFG=False, analysis_only=False)
class SingleFloats(FunctionPass):  # type: ignore[misc]
    """Give Python's floats, written in the kernel or found outside of it, the precision of pixels.

    The number in `np.float64(0.1)` is left alone.
    """

    _name = "vdiff_single_floats"

    def __init__(self) -> None:
        super().__init__()

    def run_pass(self, state: Any) -> bool:
        blocks = state.func_ir.blocks.values()
        doubles = {
            argument.name
            for block in blocks
            for call in block.find_exprs("call")
            if ir_utils.guard(ir_utils.find_callname, state.func_ir, call) == ("float64", "numpy")
            for argument in call.args
        }
        for block in blocks:
            for statement in block.find_insts(ir.Assign):
                value = statement.value
                if statement.target.name in doubles:
                    continue
                if isinstance(value, ir.Const | ir.Global | ir.FreeVar):
                    single = as_single(value.value)
                    if single is not value.value and repr(single) != repr(value.value):
                        statement.value = outside(single, value.loc)
        state.func_ir._definitions = ir_utils.build_definitions(state.func_ir.blocks)
        return True


@register_pass(mutates_CFG=False, analysis_only=False)
class SingleIntegers(FunctionPass):  # type: ignore[misc]
    """Where an integer constant meets a float32, make it one: NumPy 2's rule, in place of numba's float64.

    And where exp takes one, so that what is computed of it is not double.
    """

    _name = "vdiff_single_integers"
    FUNCTIONS = (("max", "builtins"), ("min", "builtins"), ("maximum", "numpy"), ("minimum", "numpy"))
    EXP = (("exp", "math"), ("exp", "numpy"))
    POWERS = (operator.pow, operator.ipow)

    def __init__(self) -> None:
        super().__init__()

    def run_pass(self, state: Any) -> bool:
        while self.rewrite(state):
            state.func_ir._definitions = ir_utils.build_definitions(state.func_ir.blocks)
            NopythonTypeInference().run_pass(state)
        return True

    def rewrite(self, state: Any) -> bool:
        changed = False
        for block in state.func_ir.blocks.values():
            for statement in list(block.find_insts(ir.Assign)):
                expression = statement.value
                if not isinstance(expression, ir.Expr):
                    continue
                called = None
                if expression.op in ("binop", "inplace_binop"):
                    operands = [expression.lhs, expression.rhs]
                elif expression.op == "call" and (
                    called := ir_utils.guard(ir_utils.find_callname, state.func_ir, expression)
                ) in (*self.FUNCTIONS, *self.EXP):
                    operands = list(expression.args)
                else:
                    continue
                are_singles = [state.typemap[operand.name] == types.float32 for operand in operands]
                if not any(are_singles) and called not in self.EXP:
                    continue
                for place, operand in enumerate(operands):
                    number = ir_utils.guard(ir_utils.find_const, state.func_ir, operand)
                    is_exponent = place == 1 and expression.op != "call" and expression.fn in self.POWERS
                    if type(number) is not int or abs(number) > EXACT or is_exponent:
                        continue
                    single = ir.Var(block.scope, ir_utils.mk_unique_var("$single"), statement.loc)
                    constant = ir.Assign(outside(np.float32(number), statement.loc), single, statement.loc)
                    block.body.insert(block.body.index(statement), constant)
                    operands[place] = single
                    changed = True
                if expression.op == "call":
                    expression.args = tuple(operands)
                else:
                    expression.lhs, expression.rhs = operands
        return changed


@register_pass(mutates_CFG=False, analysis_only=False)
class Helpers(FunctionPass):  # type: ignore[misc]
    """Let a kernel call Python functions, and those others, as if they were part of it.

    Also those that numba was told of: what they take from outside is then taken now, not when they were first compiled.
    """

    _name = "vdiff_helpers"

    def __init__(self) -> None:
        super().__init__()

    def run_pass(self, state: Any) -> bool:
        changed = False
        for block in state.func_ir.blocks.values():
            for statement in block.find_insts(ir.Assign):
                function = ir_utils.guard(ir_utils.find_outer_value, state.func_ir, statement.target)
                options: dict[str, Any] = {}
                if isinstance(function, Dispatcher) and function._can_compile:  # for any types of arguments
                    function, options = function.py_func, function.targetoptions
                elif not isinstance(function, FunctionType) or is_known(state.typingctx, function):
                    continue
                statement.value = ir.Global(function.__name__, state.pipeline.helper(function, options), statement.loc)
                changed = True
        state.func_ir._definitions = ir_utils.build_definitions(state.func_ir.blocks)
        return changed


def is_known(context: Any, function: FunctionType) -> bool:
    """Tell whether numba has an implementation of its own of a Python function."""
    try:
        context.resolve_value_type(function)
    except ValueError:
        return False
    return True


class KernelPipeline(CompilerBase):  # type: ignore[misc]
    """numba's own stages, and ours; of one kernel and the functions that it calls."""

    options: dict[str, Any]
    helpers: dict[Any, Any]

    @classmethod
    def of(cls, options: dict[str, Any]) -> "type[KernelPipeline]":
        return type("Pipeline", (cls,), {"options": options, "helpers": {}})

    def helper(self, function: FunctionType, options: dict[str, Any]) -> Any:
        key = function, repr(sorted(options.items()))
        if key not in self.helpers:
            given = {name: value for name, value in options.items() if value not in (None, False)}
            hidden = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True, "forceinline": True}
            options = self.options | given | hidden
            self.helpers[key] = numba.jit(pipeline_class=type(self), **options)(function)
        return self.helpers[key]

    def define_pipelines(self) -> list[Any]:
        stages = DefaultPassBuilder.define_nopython_pipeline(self.state)
        stages.add_pass_after(CheckPython, ReconstructSSA)
        stages.add_pass_after(Helpers, CheckPython)
        stages.add_pass_after(SingleFloats, Helpers)
        stages.add_pass_after(SingleIntegers, NopythonTypeInference)
        stages.finalize()
        return [stages]


@cache
def exp_function() -> str:
    """Write exp of a float32 as arithmetic that several pixels share and that is the same on every CPU.

    The C library's is neither. exp(x) is 2^n exp(f), n the integer nearest to x log2(e), exp(f) a Taylor polynomial.
    The error is below 2 units in the last place, of subnormal numbers too.
    """
    function = llvm.Function(llvm.Module(), llvm.FunctionType(FLOAT32, [FLOAT32]), "vdiff_exp")
    function.linkage = "private"
    function.attributes.add("alwaysinline")
    builder = llvm.IRBuilder(function.append_basic_block())
    number = partial(llvm.Constant, FLOAT32)
    (x,) = function.args
    # Beyond these it is 0 and infinity. NaN stays.
    x = builder.select(builder.fcmp_ordered("<", x, number(-104)), number(-104), x)
    x = builder.select(builder.fcmp_ordered(">", x, number(89)), number(89), x)
    # The last bits of this sum are n: no conversion, whose result for NaN would be undefined.
    shifted = builder.fadd(builder.fmul(x, number(1 / LN2)), number(ROUNDER))
    n = builder.fsub(shifted, number(ROUNDER))
    f = builder.fsub(x, builder.fmul(n, number(LN2_HIGH)))  # exact
    f = builder.fsub(f, builder.fmul(n, number(LN2 - LN2_HIGH)))
    result = number(1 / math.factorial(7))
    for i in reversed(range(7)):
        result = builder.fadd(builder.fmul(result, f), number(1 / math.factorial(i)))
    # 2^n in two factors, which are normal numbers where 2^n is not.
    exponent = builder.sub(builder.bitcast(shifted, INT32), builder.bitcast(number(ROUNDER), INT32))
    half = builder.ashr(exponent, INT32(1))
    for part in (half, builder.sub(exponent, half)):
        power = builder.shl(builder.add(part, INT32(127)), INT32(23))
        result = builder.fmul(result, builder.bitcast(power, FLOAT32))
    builder.ret(result)
    return str(function)


class KernelLibrary(AOTCodeLibrary):  # type: ignore[misc]
    """Code in which exp is ours, that of helpers and of whole arrays too."""

    _final_module: Any

    def _optimize_final_module(self) -> None:
        text = str(self._final_module)
        ours = re.sub(r"^declare float @llvm\.exp\.f32\(.*", lambda _: exp_function(), text, flags=re.M)
        if ours != text:
            self._final_module = parse_assembly(ours.replace("@llvm.exp.f32(", "@vdiff_exp("))
        super()._optimize_final_module()


class KernelCodegen(JITCPUCodegen):  # type: ignore[misc]
    """Code for this very CPU, which numba's engine does not take in."""

    _library_class = KernelLibrary

    def _customize_tm_options(self, options: dict[str, Any]) -> None:
        super()._customize_tm_options(options)
        options["reloc"] = "pic"

    def _add_module(self, module: Any) -> None:
        pass


class KernelContext(CPUContext):  # type: ignore[misc]
    """numba's knowledge of the CPU, but that code refers to nothing of this process."""

    def make_constant_array(self, builder: Any, typ: Any, ary: Any) -> Any:
        """Copy an array from outside into the code, where numba would keep the address of a large one."""
        context = self.subtarget(allow_dynamic_globals=False)
        return CPUContext.make_constant_array(
            context, builder, typ, np.ascontiguousarray(ary) if typ.layout == "A" else ary
        )

    def get_function(self, fn: Any, sig: Any, _firstcall: bool = True) -> Any:
        # A slice assigned from another shape: to put the shapes into words takes Python.
        if getattr(fn, "typing_key", None) is raise_with_shape_context:
            return lambda builder, _: self.call_conv.return_user_exc(
                builder, ValueError, ("the array assigned to a slice has another shape",)
            )
        return super().get_function(fn, sig, _firstcall)


class KernelFunction(_FunctionCompiler):  # type: ignore[misc]
    """A function on its way to native code, which is not yet complete."""

    def _customize_flags(self, flags: Any) -> Any:
        flags.no_cpython_wrapper = True
        flags.no_cfunc_wrapper = True
        flags.no_compile = True
        flags.noalias = True
        flags.forceinline = True
        return flags


def compile_kernel(function: FunctionType, signature: Signature, options: dict[str, Any]) -> ObjectCode:
    """Compile a kernel and its entries.

    `int32_t run(const struct VdiffCall *call, void **exception)` and
    `void describe(void *exception, char *text, int32_t size)`.

    Raises:
        KernelError: numba does not understand the function.
    """
    is_checked = bool(options["boundscheck"])
    output = OutputType(DTYPES[signature.dst], is_checked)
    source = PlaneType(DTYPES[signature.src], is_checked)
    arguments = (
        output,
        types.UniTuple(source, signature.sources),
        types.UniTuple(types.float32, signature.params),
    )
    return compile_entry(function, arguments, types.void, options, build_kernel_entry)


def compile_diffusivity(function: FunctionType, options: dict[str, Any]) -> ObjectCode:
    """Compile a function of a squared contrast, and the loops of diffusion over it.

    `void row(float *s2, int64_t n, float scale)` replaces s2 by g = function(min(s2 * scale, LARGEST_S2)), and
    `void euler_row(float *dst, const float *mid, const float *down, float *flux, int64_t n, float tau, float scale)`
    takes a row through an Euler step: with the flows g(d²)·d along the differences d to the right and to the row below,
    dst = mid + tau·((to the right - from the left) + (down - flux)), and flux = down for the next row.

    Raises:
        KernelError: numba does not understand the function.
    """
    return compile_entry(function, (types.float32,), types.float32, options, build_diffusivity_entries)


Build = Callable[[Any, Any, Any, Any], None]


def compile_entry(
    function: FunctionType, arguments: tuple[Any, ...], result: Any, options: dict[str, Any], build: Build
) -> ObjectCode:
    with global_compiler_lock:
        context = kernel_context()
        options = options | {"fastmath": set(options["fastmath"])} if isinstance(options["fastmath"], list) else options
        compiler = KernelFunction(function, KernelTarget(context), options, {}, KernelPipeline.of(options))
        try:
            compiled = compiler.compile(arguments, result)
        except Exception as error:  # numba raises its own, and now and then others
            raise KernelError(explain(error, function)) from None
        library = compiled.library
        module = library.create_ir_module("vdiff_entry")
        callee = llvm.Function(
            module,
            context.call_conv.get_function_type(compiled.fndesc.restype, compiled.fndesc.argtypes),
            compiled.fndesc.llvm_func_name,
        )
        with context.push_code_library(library):
            build(context, module, callee, compiled.fndesc)
        library.add_ir_module(module)
        library.finalize()
        final = parse_assembly(with_messages(str(library._final_module), function))
        externals = [
            one.name
            for one in (*final.functions, *final.global_variables)
            if one.is_declaration and not one.name.startswith("llvm.")
        ]
        refuse_externals(externals, function)
        code = context.codegen()._tm.emit_object(final)
        return ObjectCode(code, tuple(externals), not library.has_dynamic_globals, library)


def refuse_externals(externals: list[str], function: FunctionType) -> None:
    """Refuse code that needs what no process could give it."""
    place = f"{function.__code__.co_filename}:{function.__code__.co_firstlineno}: {function.__name__}"
    if python := sorted(name for name in externals if name.startswith(("Py", "_Py"))):
        raise KernelError(f"{place}: it takes Python, which native code cannot call: {', '.join(python)}")
    if any(name.startswith(".numba.unresolved") for name in externals):
        raise KernelError(f"{place}: numba does not link a function that calls itself, with these arguments")


def with_messages(text: str, function: FunctionType) -> str:
    """Put the messages of exceptions, ended by 0, in the place of their pickles.

    So that to tell a message takes no Python. For an exception numba's code gives the address of a structure that
    begins with the pickle's address.
    """

    def message(found: re.Match[str]) -> str:
        # A byte is written as itself or in hexadecimal, but a backslash as two.
        pickled = re.sub(
            rb"\\(\\|[0-9A-F]{2})",
            lambda code: code[1] if code[1] == b"\\" else bytes.fromhex(code[1].decode()),
            found[2].encode(),
        )
        kind, arguments, place = pickle.loads(pickled)
        said = f"{kind.__name__}: {', '.join(map(str, arguments))}" if arguments else kind.__name__
        # What is raised by numba's code or by ours names no line of the user's.
        if place is None or Path(place[1]).parent.is_relative_to(NUMBA) or place[1] == __file__:
            said += f" ({function.__code__.co_filename}: {function.__name__})"
        else:
            said += f" ({place[1]}:{place[2]})"
        return f"{found[1]} {constant_text(said)}"

    return re.sub(r'^(@\.const\.pickledata\.\w+(?:\.\d+)? = .*) \[\d+ x i8\] c"(.*?)"', message, text, flags=re.M)


def constant_text(text: str) -> llvm.Constant:
    """Write a text as an LLVM constant, ended by 0."""
    data = bytearray(text.encode(errors="replace") + b"\0")
    return llvm.Constant(llvm.ArrayType(llvm.IntType(8), len(data)), data)


def copy_message(message: Any, text: Any, size: int) -> None:
    """Copy UTF-8 that ends with 0 into a buffer, up to the last character that fits."""
    count = 0
    while message[count] != 0 and count < size - 1:
        text[count] = message[count]
        count += 1
    while count > 0 and message[count] & 0xC0 == 0x80:
        count -= 1
    text[count] = 0


@cache
def kernel_context() -> Any:
    """Give numba's knowledge of the CPU, with a code generator of our own."""
    context = cpu_target.target_context.subtarget(_internal_codegen=KernelCodegen("vdiff"))
    context.__class__ = KernelContext  # a copy of numba's, whose making would take long
    return context


class KernelTarget:
    """What numba takes for a description of a target."""

    options = cpu_target.options

    def __init__(self, context: Any) -> None:
        self.target_context = context
        self.typing_context = cpu_target.typing_context


def build_kernel_entry(context: Any, module: Any, callee: Any, description: Any) -> None:
    kind = llvm.FunctionType(INT32, [BYTE_POINTER, BYTE_POINTER.as_pointer()])
    entry = llvm.Function(module, kind, ENTRY)
    builder = llvm.IRBuilder(entry.append_basic_block("entry"))
    call, exception = entry.args

    def field(name: str, kind: Any) -> Any:
        address = builder.gep(call, [INT64(getattr(Call, name).offset)])
        return builder.load(builder.bitcast(address, kind.as_pointer()))

    height, width = field("height", INT64), field("width", INT64)

    def plane(kind: PlaneType, data: Any, stride: Any, peak: Any) -> Any:
        view = cgutils.create_struct_proxy(kind)(context, builder)
        view.data = builder.bitcast(data, view.data.type)
        view.stride, view.height, view.width, view.peak = stride, height, width, builder.fptrunc(peak, FLOAT32)
        return view._getvalue()

    def element(array: Any, index: int) -> Any:
        return builder.load(builder.gep(array, [INT64(index)]))

    output, sources, params = description.argtypes
    src = field("src", BYTE_POINTER.as_pointer())
    src_stride = field("src_stride", INT64.as_pointer())
    src_peak = field("src_peak", DOUBLE.as_pointer())
    numbers = field("params", DOUBLE.as_pointer())
    planes = [
        plane(sources.dtype, element(src, i), element(src_stride, i), element(src_peak, i)) for i in range(len(sources))
    ]
    singles = [builder.fptrunc(element(numbers, i), FLOAT32) for i in range(len(params))]
    arguments = [
        plane(output, field("dst", BYTE_POINTER), field("dst_stride", INT64), field("dst_peak", DOUBLE)),
        context.make_tuple(builder, sources, planes),
        context.make_tuple(builder, params, singles),
    ]
    status, _ = context.call_conv.call_function(builder, callee, description.restype, description.argtypes, arguments)
    with builder.if_then(status.is_error, likely=False):
        builder.store(builder.bitcast(status.excinfoptr, BYTE_POINTER), exception)
        builder.ret(INT32(1))
    builder.ret(INT32(0))

    kind = llvm.FunctionType(llvm.VoidType(), [BYTE_POINTER.as_pointer(), BYTE_POINTER, INT32])
    tell = llvm.Function(module, kind, DESCRIBE_ENTRY)
    builder = llvm.IRBuilder(tell.append_basic_block("entry"))
    exception, text, size = tell.args
    signature = types.void(types.CPointer(types.uint8), types.CPointer(types.uint8), types.int32)
    copy = context.declare_function(module, context.compile_subroutine(builder, copy_message, signature).fndesc)
    context.call_conv.call_function(builder, copy, types.void, signature.args, [builder.load(exception), text, size])
    builder.ret_void()


def build_diffusivity_entries(context: Any, module: Any, callee: Any, description: Any) -> None:
    single, pointer = FLOAT32, FLOAT32.as_pointer()

    def entry(name: str, *parameters: Any) -> tuple[Any, ...]:
        function = llvm.Function(module, llvm.FunctionType(llvm.VoidType(), parameters), name)
        return llvm.IRBuilder(function.append_basic_block("entry")), *function.args

    def at(builder: Any, row: Any, index: Any) -> Any:
        return builder.gep(row, [index])

    def diffusivity(builder: Any, s2: Any, scale: Any) -> Any:
        s2, largest = builder.fmul(s2, scale), llvm.Constant(FLOAT32, LARGEST_S2)
        s2 = builder.select(builder.fcmp_ordered("<", s2, largest), s2, largest)
        status, result = context.call_conv.call_function(
            builder, callee, description.restype, description.argtypes, [s2]
        )
        return builder.select(status.is_error, llvm.Constant(FLOAT32, math.nan), result)

    builder, row, count, scale = entry(ENTRY, pointer, INT64, single)
    with cgutils.for_range(builder, count) as loop:
        address = at(builder, row, loop.index)
        builder.store(diffusivity(builder, builder.load(address), scale), address)
    builder.ret_void()

    builder, dst, mid, down, flux, count, tau, scale = entry(
        EULER_ENTRY, pointer, pointer, pointer, pointer, INT64, single, single
    )
    for argument in (dst, flux):
        argument.add_attribute("noalias")

    def flow(difference: Any) -> Any:
        return builder.fmul(diffusivity(builder, builder.fmul(difference, difference), scale), difference)

    left = cgutils.alloca_once_value(builder, llvm.Constant(FLOAT32, 0))
    with cgutils.for_range(builder, count) as loop:
        x = loop.index
        u = builder.load(at(builder, mid, x))
        right = flow(builder.fsub(builder.load(at(builder, mid, builder.add(x, INT64(1)))), u))
        below = flow(builder.fsub(builder.load(at(builder, down, x)), u))
        across = builder.fsub(right, builder.load(left))
        along = builder.fsub(below, builder.load(at(builder, flux, x)))
        change = builder.fmul(tau, builder.fadd(across, along))
        builder.store(builder.fadd(u, change), at(builder, dst, x))
        builder.store(below, at(builder, flux, x))
        builder.store(right, left)
    builder.ret_void()


def provide_runtime() -> None:
    """Make the symbols of numba's run-time library known to LLVM."""
    cpu_target.target_context.refresh()


def explain(error: Exception, function: FunctionType) -> str:
    """Make one line of what numba says: the user's file and line, and what it did not understand."""
    code = function.__code__
    text = re.sub(r"\x1b\[[0-9;]*m", "", str(error))
    lines = [
        int(line)
        for path, line in re.findall(r"^During: .* at (.*) \((\d+)\)$", text, re.M)
        if path == code.co_filename
    ]
    loc = getattr(error, "loc", None)
    if not lines and loc is not None and loc.filename == code.co_filename:
        lines = [loc.line]
    if not lines:
        lines = [int(line) for line in re.findall(r'^File ".*", line (\d+):', text, re.M)]
    if specific := re.search(r"raised a specific error:\n\s+\w+: (?!Failed in nopython mode)(.*)", text):
        text = specific[1]
    message = [line for line in text.split("\n") if line.strip() and not line.startswith("Failed in nopython mode")]
    end = next((i for i, line in enumerate(message) if line.startswith(("During: ", "File ", "There are "))), None)
    said = " ".join(" ".join(message[:end]).split()).replace(" >>> ", " ")
    said = re.sub(r" for '\$.*", "", said)
    said = re.sub(r"Function\(<(?:built-in )?function (\w+)(?: at 0x\w+)?>\)", r"\1", said)
    return f"{code.co_filename}:{lines[0] if lines else code.co_firstlineno}: {function.__name__}: {said}"
