"""Every argument error, with its message: the filter, the argument, what it must be, what was given."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

import pytest
import vapoursynth as vs

from arguments import CHOICES, CONTRASTS, INTEGERS, NUMBERS, PER_PLANE, REQUIRED, Args
from cases import FILTERS, WHOLE
from reference.diffuse import DIFFUSIVITIES, speed
from support import assert_freed


def clip_of(name: str = "YUV444P8", width: int = 16, height: int = 16, length: int = 3) -> Any:
    """A blank clip."""
    return vs.core.std.BlankClip(format=getattr(vs, name), width=width, height=height, length=length)


def call(name: str, clip: Any = None, **args: Any) -> Any:
    """A filter on a three-plane clip, or on the one given."""
    clip = clip_of() if clip is None else clip
    args = {key: value(clip) if callable(value) else value for key, value in args.items()}
    return getattr(vs.core.vdiff, name)(clip, **args)


def assert_refused(pattern: str, name: str, clip: Any = None, **args: Any) -> None:
    """The filter raises, at creation, a message that matches the whole pattern after `Name: `."""
    with pytest.raises(vs.Error) as raised:
        call(name, clip, **args)
    assert re.fullmatch(f"{name}: (?:{pattern})", str(raised.value)), str(raised.value)


def assert_out_of_range(name: str, argument: str, low: float, high: float, value: float, **others: Any) -> None:
    """The message names the argument, its range and the value. How many digits it spends on them is its own choice."""
    with pytest.raises(vs.Error) as raised:
        call(name, **{argument: value}, **others)
    message = re.fullmatch(rf"{name}: {argument} must be (\S+)\.\.\.(\S+), got (\S+)\.", str(raised.value))
    assert message, str(raised.value)
    assert [float(part) for part in message.groups()] == pytest.approx([low, high, value], rel=1e-5, nan_ok=True)


every_number = pytest.mark.parametrize(("name", "argument", "low", "high", "others"), NUMBERS)


@every_number
def test_number_out_of_range(core: Any, name: str, argument: str, low: float, high: float, others: Args) -> None:
    below, above = low - max(0.25 * abs(low), 5e-7 if low else 0.5), high * 1.5
    for value in (below, above, -1e30, 1e30, math.nan, math.inf, -math.inf):
        assert_out_of_range(name, argument, low, high, value, **others)


@every_number
def test_ends_of_the_range_are_allowed(
    core: Any, name: str, argument: str, low: float, high: float, others: Args
) -> None:
    for value in (low, high):
        assert call(name, **{argument: value}, **others).num_frames == 3


@pytest.mark.parametrize(("name", "argument"), CONTRASTS)
def test_contrast_out_of_range(core: Any, name: str, argument: str) -> None:
    """Zero is allowed beside the range: the contrast chosen from the picture."""
    for value in (-1e30, -1.0, -0.001, 1e-30, 0.0009, 10001.0, 1e30, math.nan, math.inf, -math.inf):
        with pytest.raises(vs.Error) as raised:
            call(name, **{argument: value})
        message = re.fullmatch(
            rf"{name}: {argument}" + r" must be .*\b0\.001\.\.\.10000\b.*, got (\S+)\.", str(raised.value)
        )
        assert message, str(raised.value)
        assert float(message[1]) == pytest.approx(value, rel=1e-5, nan_ok=True)
    for allowed in (0.0, 0.001, 10000.0, [8.0, 0.0], [0.0, 8.0, 0.0]):
        assert call(name, **{argument: allowed}).num_frames == 3


@pytest.mark.parametrize(("name", "argument"), PER_PLANE)
def test_arrays(core: Any, name: str, argument: str) -> None:
    """Each value is checked, whether its plane is processed or not; there are no more values than planes."""
    assert_refused(rf"{argument} must be .*, got -77\.", name, **{argument: [1.0, 2.0, -77.0]})
    assert_refused(rf"{argument} must be .*, got -?nan\.", name, **{argument: [1.0, math.nan]}, planes=0)
    assert_refused(rf"{argument} has 4 values, but the clip has 3 planes\.", name, **{argument: [1.0] * 4})
    assert_refused(rf"{argument} has 2 values, but the clip has 1 planes?\.", name, clip_of("GRAY8"),
                   **{argument: [1.0] * 2})  # fmt: skip
    assert_refused(rf"{argument} has 1000 values, but the clip has 3 planes\.", name, **{argument: [1.0] * 1000})
    assert call(name, **{argument: [1.0, 2.0, 3.0]}).num_frames == 3


@pytest.mark.parametrize("name", [name for name in FILTERS if name not in WHOLE])
def test_planes(core: Any, name: str) -> None:
    needed = REQUIRED.get(name, {})
    for bad in (3, -1, 77, 2**31 - 1, 2**32, 2**40 + 1, -(2**63)):
        assert_out_of_range(name, "planes", 0, 2, bad, **needed)
    assert_refused(r"planes must be 0\.\.\.2, got 3\.", name, planes=[0, 3], **needed)
    assert_refused(r"planes must be 0\.\.\.0, got 1\.", name, clip_of("GRAY8"), planes=1, **needed)
    for twice in ([1, 1], [0, 1, 2, 1], [1, 0, 1]):
        assert_refused(r"plane 1 is given twice\.", name, planes=twice, **needed)


@pytest.mark.parametrize(("name", "argument", "low", "high"), INTEGERS)
def test_integers(core: Any, name: str, argument: str, low: int, high: int) -> None:
    """Not truncated to 32 bits: 2^32 + 1 is not 1."""
    others = {key: value for key, value in REQUIRED.get(name, {}).items() if key != argument}
    for value in (low - 1, high + 1, 2**31, 2**32 + max(low, 1), -(2**32) + high, 2**62, 2**63 - 1, -(2**63)):
        assert_out_of_range(name, argument, low, high, value, **others)


every_pair = pytest.mark.parametrize("name", ["DiffBlend", "ChangeMap"])


@every_pair
def test_lag_zero(core: Any, name: str) -> None:
    assert_refused(r"lag must not be 0.*", name, lag=0)


@pytest.mark.parametrize(("name", "argument", "names", "others"), CHOICES)
@pytest.mark.parametrize("value", ["foo", "", "Linear", "MEAN", "auto ", "linearly", "x" * 5000])
def test_choices(core: Any, name: str, argument: str, names: list[str], others: Args, value: str) -> None:
    """The message lists every name, and quotes what was given; a very long one may be cut off."""
    with pytest.raises(vs.Error) as raised:
        call(name, **{argument: value}, **others)
    message = re.fullmatch(rf'{name}: {argument} must be one of (.*), got "(.*)\.', str(raised.value))
    assert message, str(raised.value)
    assert sorted(message[1].split(", ")) == sorted(names)
    assert message[2].startswith(value[:50])


@pytest.mark.parametrize(("name", "argument", "names", "others"), CHOICES)
def test_words_with_zero_bytes(core: Any, name: str, argument: str, names: list[str], others: Args) -> None:
    """A word does not end there."""
    for value in (f"{names[0]}\0", f"{names[-1]}\0more", "\0", f"\0{names[0]}", f"x{names[0]}\0".encode()):
        shown = (value if isinstance(value, str) else value.decode()).split("\0")[0]
        assert_refused(rf'{argument} must be one of .*, got "{shown}" followed by a zero byte\.', name,
                       **{argument: value}, **others)  # fmt: skip


@pytest.mark.parametrize(
    ("value", "shown"),
    [("é" * 40, "é" * 32), ("x" + "é" * 40, "x" + "é" * 31), ("日本" * 30, "日本" * 10 + "日"), ("𝄞" * 17, "𝄞" * 16)],
)
def test_words_are_cut_between_characters(core: Any, value: str, shown: str) -> None:
    assert_refused(rf'shape must be one of rect, cross, disc, got "{shown}"\.', "Dilate", shape=value)


@pytest.mark.parametrize("time", [0.26, 2.0, 10.0, 12.3, 1000.0, 10000.0])
@pytest.mark.parametrize("diffusivity", DIFFUSIVITIES)
def test_unstable_steps(core: Any, diffusivity: str, time: float) -> None:
    """The message says how many steps are stable, or the scheme that always is; that many then are."""
    enough, most = math.ceil(4 * speed(diffusivity) * time), 100000
    args = {"time": time, "diffusivity": diffusivity, "scheme": "explicit"}
    said = rf".*\b{enough}\b.*fed.*" if enough <= most else r".*fed.*"
    assert_refused(said, "Diffuse", **args, steps=min(enough - 1, most))
    if enough <= most:
        assert call("Diffuse", **args, steps=enough).num_frames == 3


@pytest.mark.parametrize("time", [0.26, 1.0, 7.7, 16.0])
def test_unstable_steps_of_diffuse3d(core: Any, time: float) -> None:
    enough = math.ceil(4 * time)
    assert_refused(
        rf"steps must be at least {enough} .* got {enough - 1}: .*", "Diffuse3D", time=time, steps=enough - 1
    )
    assert call("Diffuse3D", time=time, steps=enough).num_frames == 3


@pytest.mark.parametrize("count", [1, 3, 15, 16, 1000])
def test_number_of_neighbours(core: Any, count: int) -> None:
    assert_refused(rf"neighbours must be .*\b14\b.*, got {count}\.", "Diffuse3D", neighbours=[clip_of()] * count)


def test_neighbours_and_radius(core: Any) -> None:
    pattern = r"radius must be half the number of neighbours, 2, got 3: .*"
    assert_refused(pattern, "Diffuse3D", neighbours=[clip_of()] * 4, radius=3)
    for count in (2, 4, 14):
        assert call("Diffuse3D", neighbours=[clip_of()] * count).num_frames == 3
    assert call("Diffuse3D", neighbours=[clip_of()] * 4, radius=2).num_frames == 3


@pytest.mark.parametrize("at", [0, 3])
@pytest.mark.parametrize(
    "other",
    [("YUV444P8", 16, 18), ("YUV444P16", 16, 16), ("GRAY8", 16, 16), ("RGB24", 16, 16), ("GRAY32", 16, 16)],
    ids=str,
)
def test_neighbours_must_match(core: Any, other: tuple[str, int, int], at: int) -> None:
    clips = [clip_of()] * 4
    clips[at] = clip_of(*other)
    assert_refused(
        r"neighbours must (have the format and size of clip|be constant format).*", "Diffuse3D", neighbours=clips
    )


def test_neighbours_must_be_as_long(core: Any) -> None:
    clips = [clip_of(), clip_of(length=2)]
    assert_refused(r"neighbours must be as long as clip, 3 frames, got 2\.", "Diffuse3D", neighbours=clips)
    assert call("Diffuse3D", neighbours=[clip_of(length=4)] * 2).num_frames == 3


@pytest.mark.parametrize("diffusivity", [d for d in (None, *DIFFUSIVITIES) if d != "linear"])
def test_exact_is_linear(core: Any, diffusivity: str | None) -> None:
    """Also where the diffusivity is the default's."""
    args = {} if diffusivity is None else {"diffusivity": diffusivity}
    assert_refused(r"(?=.*\bexact\b)(?=.*\blinear\b).*", "Diffuse", scheme="exact", **args)


def test_exact_has_no_steps(core: Any) -> None:
    for steps in (1, 20):
        assert_refused(
            r"(?=.*\bexact\b)(?=.*\bsteps\b).*", "Diffuse", scheme="exact", diffusivity="linear", steps=steps
        )
    assert call("Diffuse", scheme="exact", diffusivity="linear", steps=0).num_frames == 3


STEERING: list[Callable[[], Args]] = [lambda: {"presmooth": 0.5}, lambda: {"coupled": 1}, lambda: {"guide": clip_of()}]


@pytest.mark.parametrize("scheme", ["auto", "explicit", "fed", "aos", "exact"])
@pytest.mark.parametrize("steering", STEERING, ids=["presmooth", "coupled", "guide"])
def test_nothing_to_steer(core: Any, steering: Callable[[], Args], scheme: str) -> None:
    """Linear diffusion has no edges: the message names what is given and the diffusivity."""
    args = steering()
    pattern = rf"(?=.*\blinear\b)(?=.*\b{next(iter(args))}\b).*"
    assert_refused(pattern, "Diffuse", diffusivity="linear", scheme=scheme, **args)


@pytest.mark.parametrize("size", [(16, 18), (18, 16), (8, 8), (2, 128)], ids=str)
@pytest.mark.parametrize("name", ["YUV444P8", "GRAYS", "RGB48"])
def test_guide_of_another_size(core: Any, name: str, size: tuple[int, int]) -> None:
    pattern = rf"(?=.*\bguide\b)(?=.*\b{size[0]} ?x ?{size[1]}\b)(?=.*\b16 ?x ?16\b).*"
    assert_refused(pattern, "Diffuse", guide=clip_of(name, *size))


def test_guide_that_is_no_picture(core: Any) -> None:
    """Variable in format or size, or a format that no filter takes."""
    mixed = [core.std.Splice([clip_of(), clip_of(*other)], mismatch=True) for other in (("GRAY8",), ("YUV444P8", 18))]
    for guide in (*mixed, clip_of("GRAY32")):
        assert_refused(r".*\bguide\b.*", "Diffuse", guide=guide)


@pytest.mark.parametrize("name", ["GRAY9", "GRAYH", "YUV420P10", "YUV410P8", "RGBS"])
@pytest.mark.parametrize("length", [1, 2, 7])
def test_guide_of_any_format_and_length(core: Any, name: str, length: int) -> None:
    assert call("Diffuse", guide=clip_of(name, length=length)).num_frames == 3


@every_pair
def test_ref_and_lag_exclude_each_other(core: Any, name: str) -> None:
    assert_refused(r"(?=.*\bref\b)(?=.*\blag\b).*", name, ref=clip_of(), lag=1)


@every_pair
@pytest.mark.parametrize(
    "other",
    [("YUV444P8", 16, 18), ("YUV444P8", 18, 16), ("YUV444P16", 16, 16), ("YUV420P8", 16, 16), ("GRAY8", 16, 16),
     ("RGB24", 16, 16), ("GRAY32", 16, 16)],
    ids=str,
)  # fmt: skip
def test_ref_must_match(core: Any, name: str, other: tuple[str, int, int]) -> None:
    assert_refused(r"ref must .*", name, ref=clip_of(*other))


@every_pair
def test_ref_must_be_constant(core: Any, name: str) -> None:
    mixed = core.std.Splice([clip_of(), clip_of(width=18)], mismatch=True)
    assert_refused(r"ref must .*", name, ref=mixed)


@pytest.mark.parametrize("args", [{}, {"rate": 0.1, "halflife": 5.0}, {"mode": "max"}], ids=str)
def test_rate_or_halflife(core: Any, args: Args) -> None:
    """Exactly one of the two."""
    assert_refused(r"(?=.*\brate\b)(?=.*\bhalflife\b).*", "Decay", **args)


@pytest.mark.parametrize("name", FILTERS)
def test_unknown_and_missing_arguments(core: Any, name: str) -> None:
    """VapourSynth's own checks know the signature."""
    with pytest.raises(vs.Error):
        call(name, foo=1, **REQUIRED.get(name, {}))
    required = {key: value for key, value in REQUIRED.get(name, {}).items() if not callable(value)}
    with pytest.raises(vs.Error):
        getattr(core.vdiff, name)(**required)


@pytest.mark.parametrize("name", FILTERS)
def test_a_refusal_leaves_nothing_behind(core: Any, name: str) -> None:
    """Clips of refused calls are freed: their memory is back."""
    before = core.used_cache_size
    for _ in range(50):
        clip = core.std.BlankClip(format=vs.YUV444P8, width=256, height=256, length=1, keep=True)
        clip.get_frame(0).close()
        with pytest.raises(vs.Error):
            call(name, clip, planes=7, **REQUIRED.get(name, {}))
        del clip
    assert core.used_cache_size <= before + 256 * 256 * 4


def test_parameters_that_may_ask_for_much_do_not_allocate(core: Any) -> None:
    """The longest memory and the most steps are created at once, without reserving frames for them."""
    before = core.used_cache_size
    call("Decay", halflife=100000)
    call("DiffBlend", lag=-100)
    call("Extrapolate", length=2**31 - 4)
    call("Interpolate", factor=100)
    call("Diffuse", time=10000)
    call("Diffuse3D", radius=7, time=16, steps=64, rho=10)
    call("Dilate", radius=10000, shape="disc")
    assert_freed(core, before)


@pytest.mark.parametrize(
    ("name", "args"),
    [
        ("Diffuse3D", {"radius": 7}),
        ("DiffBlend", {"lag": -100}),
        ("Decay", {"halflife": 3.0}),
        ("Decay", {"halflife": 3.0, "mode": "max"}),
        ("SceneDetect", {}),
        ("RepairFrames", {"max_gap": 10}),
        ("Spread", {"dx": 1, "dy": 0, "weights": 1.0, "lag": -3}),
    ],
)
def test_end_of_the_longest_clip(core: Any, name: str, args: Args) -> None:
    """Frames after the last one are not asked for, though their numbers would not fit 32 bits."""
    clip = core.std.BlankClip(format=vs.GRAY8, width=8, height=8, length=2**31 - 1, keep=True)
    out = call(name, clip, **args)
    for n in range(2**31 - 2, 2**31 - 40, -1):
        with out.get_frame(n) as frame:
            assert (frame.width, frame.height) == (8, 8)
