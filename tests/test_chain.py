"""FFmpeg's filter syntax in `--vf`, judged by what FFmpeg's manual says of it."""

from typing import Any

import pytest
import vapoursynth as vs

from vs_vdiff import chain
from vs_vdiff.errors import UsageError


@pytest.fixture(autouse=True)
def plugin(core: Any) -> None:
    """Load the plugin."""


def read(text: str) -> list[tuple[str, dict[str, Any]]]:
    return [(each.function.name, each.arguments) for each in chain.parse(text)]


def refused(text: str, *parts: str) -> None:
    with pytest.raises(UsageError) as caught:
        chain.parse(text)
    for part in ("--vf: ", *parts):
        assert part in str(caught.value)
    assert caught.value.status == 2


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("diffuse", [("Diffuse", {})]),
        ("diffuse=", [("Diffuse", {})]),
        ("diffuse=time=4:k=6", [("Diffuse", {"time": 4.0, "k": [6.0]})]),
        ("diffuse=4", [("Diffuse", {"time": 4.0})]),
        ("diffuse=4:6|3:exp", [("Diffuse", {"time": 4.0, "k": [6.0, 3.0], "diffusivity": "exp"})]),
        ("diffuse3d=3:0.5", [("Diffuse3D", {"radius": 3, "time": 0.5})]),
        ("diffuse=4:k=6|3|1", [("Diffuse", {"time": 4.0, "k": [6.0, 3.0, 1.0]})]),
        ("diffuse=planes=0|2", [("Diffuse", {"planes": [0, 2]})]),
        ("DIFFUSE=Time=1e-1", [("Diffuse", {"time": 0.1})]),
        ("STD.Transpose,VDiff.diffuse", [("Transpose", {}), ("Diffuse", {})]),
        ("std.PlaneStats=plane=1", [("PlaneStats", {"plane": 1})]),
        ("std.SetFrameProps", [("SetFrameProps", {})]),
        (
            "diffuse=time=4:k=6,decay=mode=max:halflife=5,diffblend=alpha=0.4",
            [
                ("Diffuse", {"time": 4.0, "k": [6.0]}),
                ("Decay", {"mode": "max", "halflife": 5.0}),
                ("DiffBlend", {"alpha": [0.4]}),
            ],
        ),
        (
            " diffuse = time = 4 : k = 6 , decay = halflife=5 ",
            [("Diffuse", {"time": 4.0, "k": [6.0]}), ("Decay", {"halflife": 5.0})],
        ),
        ("denoise", [("denoise", {})]),
        ("Trails=strong", [("trails", {"strength": "strong"})]),
        ("denoise=0.7:radius=2:motion=0", [("denoise", {"strength": "0.7", "radius": 2, "motion": 0})]),
        ("deband,diffuse=4", [("deband", {}), ("Diffuse", {"time": 4.0})]),
        ("diffblend=lag=-2", [("DiffBlend", {"lag": -2})]),
        ("diffuse=diffusivity='exp'", [("Diffuse", {"diffusivity": "exp"})]),
        ("std.Transpose", [("Transpose", {})]),
        ("std.transpose,diffuse", [("Transpose", {}), ("Diffuse", {})]),
        ("std.Crop=2:4", [("Crop", {"left": 2, "right": 4})]),
    ],
)
def test_syntax(text: str, expected: list[tuple[str, dict[str, Any]]]) -> None:
    assert read(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (r"text.Text=a\,b", "a,b"),
        (r"text.Text='a,b'", "a,b"),
        (r"text.Text='a\:b'", "a:b"),
        (r"text.Text=a\\:b", "a:b"),
        (r"text.Text=text=a=b", "a=b"),
        (r"text.Text='  a  '", "a"),  # quoted for the chain, bare for the arguments
        (r"text.Text=\'  a  \'", "  a  "),
        (r"text.Text='a'b", "ab"),
        (r"text.Text=\[a\]", "[a]"),
        # The example of FFmpeg's manual, "Notes on filtergraph escaping".
        (r"text.Text=a \\\'string\\\'\\: may contain one\, or more", "a 'string': may contain one, or more"),
    ],
)  # fmt: skip
def test_quoting(text: str, expected: str) -> None:
    [(_, arguments)] = read(text)
    assert arguments == {"text": expected}


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("difuse=time=4", ('no filter "difuse"', 'did you mean "diffuse"?', "vdiff filters")),
        ("denose", ('no filter "denose"', 'did you mean "denoise"?')),
        ("zzz", ('no filter "zzz"; "vdiff filters" lists them',)),
        ("denoise=strong:3:1:7", ("denoise", '"7" needs a name', "strength, radius, motion")),
        ("trails=radius=3", ('trails has no option "radius"', "strength")),
        ("std.Transpos", ('no filter "std.Transpos"', '"std.transpose"')),
        ("sdt.Transpose", ('no plugin "sdt"', '"std"')),
        ("std.BlankClip", ("std.BlankClip takes no clip", ".vpy")),
        ("std.LoadPlugin", ("std.LoadPlugin takes no clip",)),
        ("std.Splice", ("std.Splice takes several clips", ".vpy")),
        ("std.Merge", ("std.Merge takes several clips",)),
        ("std.ModifyFrame", ("std.ModifyFrame takes several clips",)),
        ("std.SetFrameProps=a=1", ("setframeprops: a has no type", ".vpy")),
        (f"diffuse=steps={10**23}", (f"diffuse: steps is out of range: {10**23}",)),
        (f"diffuse=planes=0|{-(10**23)}", (f"diffuse: planes is out of range: {-(10**23)}",)),
        (f"diffuse=steps={'9' * 5000}", ("diffuse: steps must be a whole number",)),
        ("diffuse=tme=4", ('diffuse has no option "tme"', 'did you mean "time"?', "diffusivity, scheme")),
        ("diffuse=clip=4", ('diffuse has no option "clip"',)),
        ("diffuse=time=four", ('diffuse: time must be a number, got "four"',)),
        ("diffuse=steps=1.5", ('diffuse: steps must be a whole number, got "1.5"',)),
        ("diffuse=k=6|x", ('diffuse: k must be a number, got "x"',)),
        ("diffuse=time=", ('diffuse: time must be a number, got ""',)),
        ("diffuse=time=4:time=5", ("diffuse: time is given twice",)),
        ("diffuse=4:time=5", ("diffuse: time is given twice",)),
        ("diffuse=time=4:6", ('diffuse: "6" needs a name',)),
        ("std.Transpose=1", ('transpose: "1" needs a name', "there are none")),
        ("diffuse=guide=other", ("diffuse: guide is a clip", ".vpy")),
        ("diffblend=ref=other", ("diffblend: ref is a clip", ".vpy")),
        ("std.Expr=expr=x", ("std.Expr takes several clips",)),
        ("diffuse,", ("a filter's name is missing",)),
        (",diffuse", ("a filter's name is missing",)),
        ("diffuse,,decay", ("a filter's name is missing",)),
        ("diffuse;decay", ('";" is not supported',)),
        ("[in]diffuse", ("",)),
        ("diffuse[out]", ('"[" is not supported',)),
        ("diffuse=diffusivity='exp", ("a quote is not closed",)),
    ],
)
def test_errors(text: str, parts: tuple[str, ...]) -> None:
    refused(text, *parts)


@pytest.mark.parametrize("text", ["std.nope", "resize.point=nope=1"])
def test_no_long_listings(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        chain.parse(text)
    assert "there are" not in str(caught.value)
    assert len(str(caught.value)) < 100


def test_text_that_is_not_utf8(core: Any) -> None:
    clip = core.std.BlankClip(format=vs.GRAY8, width=8, height=8, length=1)
    with pytest.raises(UsageError, match=r"^--vf: .*utf-8"):
        chain.apply(chain.parse("text.Text=\udcff"), clip)


def test_value_refused_by_the_filter(core: Any) -> None:
    clip = core.std.BlankClip(format=vs.GRAY8, width=8, height=8, length=1)
    with pytest.raises(UsageError, match=r"^--vf: Diffuse: k must be .* got -1"):
        chain.apply(chain.parse("diffuse=k=-1"), clip)


def test_apply(core: Any) -> None:
    """Filters come one after the other: crop, then transpose."""
    clip = core.std.BlankClip(format=vs.GRAY8, width=8, height=6, length=1)
    result = chain.apply(chain.parse("std.crop=2,std.transpose"), clip)
    assert (result.width, result.height) == (6, 6)
    assert chain.apply([], clip) is clip


def test_signatures_are_read(core: Any) -> None:
    """Every filter of the plugin can be named with every option that its signature has and is no clip."""
    for function in core.vdiff.functions():
        for name, kind in chain.parameters(function).items():
            text = f"{function.name}={name}={'x' if kind == 'data' else 1}"
            if chain.obstacle(function):
                refused(text, function.name, chain.obstacle(function))
            elif kind.removesuffix("[]") in chain.NODES:
                refused(text, f"{name} is a clip")
            else:
                assert list(read(text)[0][1]) == [name]
