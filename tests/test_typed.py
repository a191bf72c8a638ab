"""`vs_vdiff.core` is VapourSynth's core, and its type stub says of the filters what the plugin says."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import pytest
import vapoursynth as vs
from mypy import api

import vs_vdiff

STUB = Path(vs_vdiff.__file__).with_name("typed.pyi")
TYPES = {
    "vnode": "vs.VideoNode",
    "vnode[]": "Sequence[vs.VideoNode]",
    "int": "int",
    "int[]": "Several[int]",
    "float": "float",
    "float[]": "Several[float]",
    "data": "str",
}
NEEDED = {"Decay": {"halflife": 5}}
"""Arguments that are asked for before a word is."""
GOOD = """
clip = core.vdiff.Diffuse(blank, time=4, k=[6, 3], diffusivity="exp", planes=0)
clip = core.vdiff.Decay(clip, halflife=5, mode="max")
clip = core.vdiff.DiffBlend(clip, 0.4, ref=clip, limit=[20, 10, 10])
clip = core.vdiff.Diffuse3D(clip, [clip, clip])
clip = core.vdiff.Spread(clip, [1], [0], weights=[0.5])
core.std.Transpose(clip)
meaning: str = core.vdiff.Filters()["Decay"][0]
"""
BAD = """
core.vdiff.Difuse(blank)
core.vdiff.Diffuse(blank, times=4)
core.vdiff.Diffuse(blank, time="long")
core.vdiff.Diffuse(blank, diffusivity="perona")
core.vdiff.Decay(blank, mode="maximum", halflife=5)
core.vdiff.Extrapolate(blank)
core.vdiff.Interpolate(blank)
core.vdiff.Diffuse3D(blank, radius=2.5)
"""


def methods() -> dict[str, ast.FunctionDef]:
    """The filters of the stub, and what else the plugin has."""
    module = ast.parse(STUB.read_text())
    (vdiff,) = [node for node in module.body if isinstance(node, ast.ClassDef) and node.name == "Vdiff"]
    return {node.name: node for node in vdiff.body if isinstance(node, ast.FunctionDef) and node.name[0].isupper()}


def options(annotation: str) -> list[str] | None:
    """The words that a literal type allows."""
    return list(ast.literal_eval(annotation.removeprefix("Literal"))) if annotation.startswith("Literal[") else None


def test_core_is_the_core(core: Any) -> None:
    assert vs_vdiff.core is vs.core


def test_every_function_is_there(core: Any) -> None:
    assert [*methods()] == [*core.vdiff.Filters(), "Filters"]


@pytest.mark.parametrize("name", [name for name in methods() if name != "Filters"])
def test_stub_is_the_plugin_s(core: Any, name: str) -> None:
    """Names in their order, types, what may be left out, defaults, and what the filter does."""
    stub, function = methods()[name], getattr(core.vdiff, name)
    meaning, told = core.vdiff.Filters()[name]
    assert ast.get_docstring(stub) == meaning
    assert stub.returns is not None
    assert ast.unparse(stub.returns) == "vs.VideoNode"
    defaults = dict(each.split("=") for each in told.split(":") if each)
    arguments = stub.args.args[1:]
    given = [None] * (len(arguments) - len(stub.args.defaults)) + [*stub.args.defaults]
    declared = [each.split(":") for each in function.signature.rstrip(";").split(";")]
    assert [argument.arg for argument in arguments] == [argument for argument, *_ in declared]
    for argument, default, (key, kind, *flags) in zip(arguments, given, declared, strict=True):
        assert argument.annotation is not None
        annotation = ast.unparse(argument.annotation)
        if key in defaults:
            assert default is not None
            assert str(ast.literal_eval(default)) == defaults[key]
        elif flags:
            assert default is not None
            assert ast.literal_eval(default) is None
            annotation = annotation.removesuffix(" | None")
        else:
            assert default is None
        words = options(annotation)
        assert words is not None or annotation == TYPES[kind]
        if words is not None:
            assert kind == "data"
            with pytest.raises(vs.Error, match=f"{key} must be one of {', '.join(words)}, got"):
                function(vs.core.std.BlankClip(length=1), **{key: "nonsense"}, **NEEDED.get(name, {}))


def test_type_checker(tmp_path: Path) -> None:
    """It takes what is right and finds a mistake in every line that has one."""
    lines = ["from vs_vdiff import core", "blank = core.std.BlankClip()", *GOOD.split("\n"), *BAD.split("\n")]
    script = tmp_path / "script.py"
    script.write_text("\n".join(lines))
    folder = str(tmp_path / "cache")
    # With VapourSynth's own types too, which pyright and editors read.
    options = ["--strict", "--cache-dir", folder, "--follow-imports=silent", "--follow-untyped-imports"]
    said, complaints, _ = api.run([*options, str(script)])
    assert not complaints
    found = {int(line.split(":")[1]) for line in said.splitlines() if ": error:" in line}
    assert found == {n for n, line in enumerate(lines, 1) if line and line in BAD}, said
