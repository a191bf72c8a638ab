"""Whether a call is due to be refused, by whom and in which words: the rules, apart from the plugin's own code.

VapourSynth checks first what it knows from the signature: names, types, how many values. Python's int(), float() and
str() convert numbers and words, and say in their own errors what they cannot; the rest are VapourSynth's messages, all
of which HOST matches. Only a call that passes all that reaches the plugin, whose messages are those of `faults`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import vapoursynth as vs

from arguments import CHOICES, CONTRASTS, INTEGERS, NUMBERS, PER_PLANE
from reference.diffuse import speed

HOST = (
    r"(argument \w+ (does not accept empty arrays|is not of array type but more than one value was supplied|is required"
    r"|was passed an unsupported type \(.*\))|Function does not take argument\(s\) named .*"
    r"|Too many unnamed arguments specified)"
)
"""VapourSynth's own messages, after the name of the filter."""
CONVERSIONS = (TypeError, ValueError, OverflowError)
"""What Python raises of a value that is no number, or too large a one, or of text that has no bytes."""

Given = Mapping[str, list[Any]]
"""The values of each argument as the plugin sees them: ints, floats, bytes or clips."""


@dataclass(frozen=True)
class Parameter:
    """An argument in a filter's signature.

    Attributes:
        name: Its name.
        kind: `int`, `float`, `data` or `vnode`.
        many: Whether it takes several values.
        optional: Whether it can be left out.
    """

    name: str
    kind: str
    many: bool
    optional: bool


def parameters(signature: str) -> list[Parameter]:
    """Those of a signature."""
    found = []
    for part in signature.strip(";").split(";"):
        name, kind, *more = part.split(":")
        found.append(Parameter(name, kind.removesuffix("[]"), kind.endswith("[]"), "opt" in more))
    return found


class HostRefusesError(Exception):
    """A value that does not reach the plugin."""


def passed(parameter: Parameter, value: Any) -> list[Any]:
    """The values that the plugin sees, none if it sees no such argument."""
    if value is None:
        if parameter.optional:
            return []
        raise HostRefusesError(f"{parameter.name} is required")
    values = list(value) if isinstance(value, Sequence) and not isinstance(value, str | bytes) else [value]
    if not values or (len(values) > 1 and not parameter.many):
        raise HostRefusesError(f"{parameter.name}: {len(values)} values")
    try:
        return [converted(parameter.kind, each) for each in values]
    except CONVERSIONS as error:
        raise HostRefusesError(f"{parameter.name}: {error}") from None


def converted(kind: str, value: Any) -> Any:
    """One value as the plugin sees it."""
    if kind == "vnode":
        if not isinstance(value, vs.VideoNode):
            raise TypeError("not a clip")
        return value
    if kind == "data":
        return bytes(value) if isinstance(value, bytes) else str(value).encode()
    if kind == "float":
        return float(value)
    number = int(value)
    if not -(2**63) <= number < 2**63:
        raise OverflowError("more than 64 bits")
    return number


def given_values(signature: str, args: Mapping[str, Any]) -> dict[str, list[Any]]:
    """All arguments as the plugin sees them. An argument of another name, or none where one must be, is refused."""
    known = parameters(signature)
    if strange := set(args) - {p.name for p in known}:
        raise HostRefusesError(f"unknown: {strange}")
    found = {p.name: passed(p, args.get(p.name)) for p in known}
    return {name: values for name, values in found.items() if values}


# What the plugin refuses.


def is_constant(clip: Any) -> bool:
    """Whether format and size are."""
    return bool(clip.format is not None and clip.format.color_family != vs.UNDEFINED and clip.width and clip.height)


def is_supported(clip: Any) -> bool:
    """Whether a clip is one that every filter takes."""
    if not is_constant(clip):
        return False
    f = clip.format
    return f.bits_per_sample in ((16, 32) if f.sample_type == vs.FLOAT else range(8, 17))


def wrong_clip(argument: str, clip: Any) -> list[str]:
    """What is wrong with a clip of itself."""
    if is_supported(clip):
        return []
    subject = "Input clip" if argument in ("clip", "clips") else argument
    name = clip.format.name if is_constant(clip) else "variable"
    return [rf"{subject} must be constant format 8\.\.16 bit integer or 16-32 bit float, passed {re.escape(name)}\."]


def unlike(argument: str, clip: Any, other: Any) -> list[str]:
    """What is wrong with a clip that must have format and size of another one."""
    same = (clip.format.id, clip.width, clip.height) == (other.format.id, other.width, other.height)
    return [] if same else [rf"{argument} must have the format and size of clip, .*, got .*\."]


def quoted(word: bytes) -> str:
    """A pattern for how a message quotes a word: at most 64 bytes, whole characters, up to a zero byte."""
    shown = word.split(b"\0")[0]
    cut = shown[:64]
    while len(shown) > 64 and cut and shown[len(cut)] & 0xC0 == 0x80:
        cut = cut[:-1]
    more = " followed by a zero byte" if b"\0" in word else ""
    return f'got "{re.escape(cut.decode(errors="backslashreplace"))}"{more}'


def faults(name: str, given: Given, ticket: Any = None) -> list[str]:
    """Patterns for all that is wrong with a call, of which the message must be one; none: it must be accepted.

    Args:
        name: The filter.
        given: Its arguments as the plugin sees them.
        ticket: What stands for a compiled function that is good for this clip, as `kernel` or `diffusivity`.
    """
    clip = (given.get("clip") or given["clips"])[0]
    found = [
        fault for key, values in given.items() for each in values if isinstance(each, vs.VideoNode)
        for fault in wrong_clip(key, each)
    ]  # fmt: skip
    planes = clip.format.num_planes if is_constant(clip) else 3
    for filter_name, key, low, high, _ in NUMBERS:
        if filter_name == name and not all(low <= value <= high for value in given.get(key, [])):
            found.append(rf"{key} must be {re.escape(f'{low:.10g}')}\.\.\.{re.escape(f'{high:.10g}')}, got .*\.")
    for filter_name, key in CONTRASTS:
        if filter_name == name and not all(v == 0 or 0.001 <= v <= 10000 for v in given.get(key, [])):
            found.append(rf"{key} must be 0 \(chosen from each picture\) or 0\.001\.\.\.10000, got .*\.")
    for filter_name, key in PER_PLANE:
        if filter_name == name and len(given.get(key, [])) > planes:
            found.append(rf"{key} has {len(given[key])} values, but the clip has {planes} planes?\.")
    for filter_name, key, low, high in INTEGERS:
        most = 2**31 - 1 - clip.num_frames if key == "length" else high
        if filter_name == name and not all(low <= value <= most for value in given.get(key, [])):
            found.append(rf"{key} must be {low}\.\.\.{most}, got -?\d+\.")
    for filter_name, key, words, _ in CHOICES:
        for word in given.get(key, []) if filter_name == name else ():
            if word not in [each.encode() for each in words] and word != ticket:
                found.append(rf"{key} must be one of {', '.join(words)}, {quoted(word)}\.")
    chosen = given.get("planes", [])
    if not all(0 <= plane < planes for plane in chosen):
        found.append(rf"planes must be 0\.\.\.{planes - 1}, got -?\d+\.")
    if len(set(chosen)) < len(chosen):
        found.append(r"plane \d is given twice\.")
    if is_constant(clip) and name in RELATIONS:
        found += RELATIONS[name](clip, given, ticket)
    return found


def first(given: Given, key: str, default: Any) -> Any:
    """An argument's value, words as text."""
    value = given.get(key, [default])[0]
    return value.decode(errors="replace") if isinstance(value, bytes) else value


def wrong_diffuse(clip: Any, given: Given, ticket: Any) -> list[str]:
    """Steps, schemes and what steers."""
    found = []
    name, scheme = first(given, "diffusivity", "rational"), first(given, "scheme", "auto")
    steps, time = first(given, "steps", 0), first(given, "time", 2.0)
    if scheme == "exact" and name != "linear":
        found.append(r"scheme exact solves diffusivity linear only: .*\.")
    if scheme == "exact" and steps > 0:
        found.append(rf"scheme exact takes no steps, got steps={steps}: leave it out\.")
    if scheme == "explicit" and math.isfinite(time) and 0 < steps < 4 * speed(name) * time:
        found.append(rf"steps must be at least \d+ for scheme explicit to be stable at time .*, got {steps}: .*\.")
    if name == "linear" and (first(given, "presmooth", 0.0) > 0 or first(given, "coupled", 0) or "guide" in given):
        found.append(r"diffusivity linear has nothing to steer: .*\.")
    for guide in given.get("guide", []):
        if (guide.width, guide.height) != (clip.width, clip.height):
            found.append(rf"guide must have the size of clip, {clip.width}x{clip.height}, got .*\.")
    if len(given.get("diffusivity", [b""])[0]) == 40 and given["diffusivity"][0] != ticket:
        found.append(r"diffusivity is not one that vs_vdiff has compiled in this process: .*\.")
    return found


def wrong_diffuse3d(clip: Any, given: Given, ticket: Any) -> list[str]:
    """Steps, and neighbours."""
    found = []
    steps, time, clips = first(given, "steps", 0), first(given, "time", 1.0), given.get("neighbours", [])
    if math.isfinite(time) and 0 < steps < max(4 * time, 1):
        found.append(rf"steps must be at least \d+ to be stable at time .*, got {steps}: .*\.")
    if len(clips) % 2 or len(clips) > 14:
        found.append(rf"neighbours must be 2, 4, \.\.\. or 14 clips, .*, got {len(clips)}\.")
    elif clips and first(given, "radius", len(clips) // 2) != len(clips) // 2:
        found.append(rf"radius must be half the number of neighbours, {len(clips) // 2}, got .*\.")
    for other in clips:
        found += unlike("neighbours", clip, other)
        if other.num_frames < clip.num_frames:
            found.append(rf"neighbours must be as long as clip, {clip.num_frames} frames, got {other.num_frames}\.")
    return found


def wrong_pair(clip: Any, given: Given, ticket: Any) -> list[str]:
    """The frames that are compared."""
    found = [fault for other in given.get("ref", []) for fault in unlike("ref", clip, other)]
    if "ref" in given and "lag" in given:
        found.append(r"lag and ref exclude each other: .*\.")
    if first(given, "lag", 1) == 0:
        found.append(r"lag must not be 0: .*\.")
    return found


def wrong_decay(clip: Any, given: Given, ticket: Any) -> list[str]:
    """The one rate."""
    return [] if ("rate" in given) != ("halflife" in given) else [r"give exactly one of rate and halflife\."]


def wrong_interpolate(clip: Any, given: Given, ticket: Any) -> list[str]:
    """Length and rate."""
    factor, found = given["factor"][0], []
    if clip.num_frames * factor > 2**31 - 1:
        found.append(r"clip times factor must be at most 2147483647 frames, got .*\.")
    if clip.fps and Fraction(clip.fps * factor).numerator > 2**63 - 1:
        found.append(r"frames per second times factor must fit 64 bits, got .*\.")
    return found


def wrong_spread(clip: Any, given: Given, ticket: Any) -> list[str]:
    """How many taps there are."""
    counts, found = [len(given[key]) for key in ("dx", "dy", "weights")], []
    if len(set(counts)) > 1:
        found.append(r"dx, dy and weights must have the same number of values, got \d+, \d+ and \d+\.")
    if counts[0] > 64:
        found.append(rf"dx, dy and weights must have 1\.\.\.64 values, got {counts[0]}\.")
    return found


def wrong_mask(clip: Any, given: Given, ticket: Any) -> list[str]:
    """The mask, and what else must be like the clip."""
    found = [fault for other in given.get("overlay", []) for fault in unlike("overlay", clip, other)]
    mask = given["mask"][0]
    if (mask.width, mask.height) != (clip.width, clip.height):
        found.append(rf"mask must have the size of clip, {clip.width}x{clip.height}, got .*\.")
    if mask.num_frames not in (1, clip.num_frames):
        found.append(rf"mask must have 1 frame or as many as clip, {clip.num_frames}, got {mask.num_frames}\.")
    return found


def wrong_kernel(clip: Any, given: Given, ticket: Any) -> list[str]:
    """A function of three frames and two numbers."""
    found = []
    if given["kernel"][0] != ticket:
        found.append(r"kernel is not one that vs_vdiff has compiled in this process: .*\.")
    lags, params = given.get("lags", [0]), given.get("params", [])
    if not all(-100 <= lag <= 100 for lag in lags):
        found.append(r"lags must be -100\.\.\.100, got -?\d+\.")
    if len(lags) != 3:
        found.append(r"(clips times lags must be at most \d+, got .*|kernel was compiled for other clips: .*)\.")
    if len(params) not in (2, 2 * clip.format.num_planes):
        found.append(r"params must be the kernel's 2 numbers, or 2 for each of \d planes, got \d+\.")
    if not all(abs(value) <= 3.4028234663852886e38 for value in params):
        found.append(r"params must be .*, got .*\.")
    code = first(given, "format", 0)
    if not 0 <= code < 2**31:
        found.append(r"format must be 0\.\.\.2147483647, got -?\d+\.")
    elif code not in (0, clip.format.id):
        found.append(rf"format must be the id of one of .*, got {code}\.")
    return found


RELATIONS = {
    "ChangeMap": wrong_pair,
    "Decay": wrong_decay,
    "DiffBlend": wrong_pair,
    "Diffuse": wrong_diffuse,
    "Diffuse3D": wrong_diffuse3d,
    "Inpaint": wrong_mask,
    "Interpolate": wrong_interpolate,
    "Kernel": wrong_kernel,
    "PoissonBlend": wrong_mask,
    "Spread": wrong_spread,
}
"""Of some filters what must hold of arguments together."""


def wrong_words(name: str, due: Sequence[str], error: Exception, given: Given) -> str:
    """What is wrong with the error of a call that the plugin was due to refuse; empty: nothing."""
    message = str(error)
    if type(error) is not vs.Error:
        return f"raised {type(error).__name__}: {message}"
    if not any(re.fullmatch(f"{name}: (?:{pattern})", message, re.DOTALL) for pattern in due):
        return f"said {message!r}, where it should have said one of {list(due)}"
    value = re.search(r": (\w+) must be [^,]*\.\.\.[^,]*, got (-?[\d.]+(?:e[+-]?\d+)?|-?nan|-?inf)\.$", message)
    if value and value[1] in given:
        said, values = float(value[2]), [each for each in given[value[1]] if isinstance(each, int | float)]
        if values and not any(math.isclose(said, v, rel_tol=1e-8) or (said != said and v != v) for v in values):
            return f"said {message!r}, but was given {values}"
    return ""
