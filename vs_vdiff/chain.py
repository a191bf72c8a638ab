"""FFmpeg's filter syntax, applied to the filters of VapourSynth.

`diffuse=time=4:k=6|3,decay=mode=max:halflife=5` names filters of `core.vdiff`, `std.Transpose` one of another plugin,
`denoise=strong` a preset, and `delogo=x=20:y=16:w=120:h=40` is as in FFmpeg. What a filter takes is read from its
signature, so that a new filter works here without a line of code.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from difflib import get_close_matches

import vapoursynth as vs

from vs_vdiff.denoising import MotionError
from vs_vdiff.errors import CommandError, UsageError, one_line
from vs_vdiff.presets import COMPOSITIONS, PRESETS, Composition

__all__ = ["Filter", "apply", "check", "parse", "parse_preset"]

Value = int | float | str
NODES = ("vnode", "anode", "vframe", "aframe")
LONGEST_LISTING = 12  # of names in a message that is to be one clear line


@dataclass(frozen=True)
class Filter:
    """A filter and its arguments, checked against its signature."""

    function: vs.Function | Composition
    arguments: dict[str, Value | list[Value]]
    option: str
    """Where on the command line it stands."""

    def __call__(self, clip: vs.VideoNode) -> vs.VideoNode:
        """Apply the filter; what it refuses is the command line's fault, but for a plugin that is missing."""
        try:
            result = self.function(clip, **self.arguments)
        except MotionError as error:
            raise CommandError(f"{self.option}: {error}") from error
        except (vs.Error, ValueError) as error:  # the latter: text that is not UTF-8
            raise UsageError(f"{self.option}: {one_line(error)}") from error
        if not isinstance(result, vs.VideoNode):
            raise UsageError(f"{self.option}: {self.function.name} returns no single clip")
        return result


def apply(filters: Iterable[Filter], clip: vs.VideoNode) -> vs.VideoNode:
    """Run a clip through the filters, in their order."""
    for each in filters:
        clip = each(clip)
    return clip


def check(filters: Iterable[Filter]) -> None:
    """See that presets have what they need: it would be a pity to learn it after the input has been read.

    Raises:
        CommandError: A plugin is missing; the message says which.
    """
    blank = vs.core.std.BlankClip(width=64, height=64, format=vs.YUV420P8, length=1)
    for each in filters:
        if each.function in PRESETS.values():
            each(blank)


def parse(text: str) -> list[Filter]:
    r"""Read a chain such as `diffuse=time=4:k=6,decay=mode=max:halflife=5`.

    Filters are separated by `,`, arguments by `:`. An argument is `name=value`, or a value alone: those come first, in
    the order of the filter's signature, clips left out. Values of an array are separated by `|`. As in FFmpeg, `'...'`
    and `\` protect special characters, and each of the two levels (chain, arguments) takes its own layer away. Case
    does not matter in names.

    Raises:
        UsageError: The syntax is wrong, or there is no such filter, argument or value.
    """
    with errors_of("--vf"):
        return parse_chain(text, find_function, "--vf")


def parse_preset(text: str) -> list[Filter]:
    """Read what `--preset` is given, one preset and perhaps its arguments, such as `denoise` or `denoise=strong`.

    Raises:
        UsageError: There is no such preset, argument or value.
    """
    with errors_of("--preset"):
        filters = parse_chain(text, find_preset, "--preset")
        if len(filters) > 1:
            raise UsageError(f'"{text}" is several presets: a chain of them goes into --vf')
        return filters


@contextmanager
def errors_of(option: str) -> Iterator[None]:
    """Say of errors in which option they are."""
    try:
        yield
    except UsageError as error:
        raise UsageError(f"{option}: {error}") from error


def parse_chain(text: str, find: Callable[[str], vs.Function | Composition], option: str) -> list[Filter]:
    filters = []
    rest = text
    while True:
        name, rest = token(rest, "=,;[")
        if not name:
            raise UsageError(f'a filter\'s name is missing in "{text}"')
        arguments = ""
        if rest.startswith("="):
            arguments, rest = token(rest[1:], "[],;")
        if rest and rest[0] != ",":
            raise UsageError(f'"{rest[0]}" is not supported: a chain has one input, one output and no branches')
        function = find(name)
        filters.append(Filter(function, parse_arguments(function, arguments), option))
        if not rest:
            return filters
        rest = rest[1:]


def token(text: str, stops: str) -> tuple[str, str]:
    """Split `text` before the first of `stops` that is not protected, as FFmpeg's `av_get_token` does.

    Returns:
        The first part without its quotes, backslashes and surrounding blanks, and the rest.
    """
    result = ""
    protected = 0  # blanks at the end go, except quoted ones
    position = len(text) - len(text.lstrip())
    while position < len(text) and text[position] not in stops:
        char = text[position]
        position += 1
        if char == "\\" and position < len(text):
            result += text[position]
            position += 1
            protected = len(result)
        elif char == "'":
            end = text.find("'", position)
            if end < 0:
                raise UsageError(f"a quote is not closed: {text[position - 1 :]}")
            result += text[position:end]
            position = end + 1
            protected = len(result)
        else:
            result += char
    return result[:protected] + result[protected:].rstrip(), text[position:]


def find_preset(name: str) -> Composition:
    """Look up a preset."""
    if preset := PRESETS.get(name.lower()):
        return preset
    raise UsageError(f'there is no preset "{name}"{suggestion(name, PRESETS)}{listing(PRESETS)}')


def find_function(name: str) -> vs.Function | Composition:
    """Look up `Name` of `core.vdiff`, a preset or `delogo`, or `namespace.Name`."""
    namespace, _, wanted = name.lower().rpartition(".")
    if not namespace and wanted in COMPOSITIONS:
        return COMPOSITIONS[wanted]
    namespace = namespace or "vdiff"
    plugins = {plugin.namespace.lower(): plugin for plugin in vs.core.plugins()}
    if namespace not in plugins:
        known = suggestion(namespace, plugins) + listing(sorted(plugins))
        raise UsageError(f'there is no plugin "{namespace}"{known}')
    functions = {function.name.lower(): function for function in plugins[namespace].functions()}
    if wanted not in functions:
        filters = [each for each, function in functions.items() if not obstacle(function)]
        names = [*filters, *COMPOSITIONS] if namespace == "vdiff" else [f"{namespace}.{each}" for each in filters]
        where = '; "vdiff filters" lists them' if namespace == "vdiff" else listing(names)
        raise UsageError(f'there is no filter "{name}"{suggestion(name, names)}{where}')
    if why := obstacle(functions[wanted]):
        raise UsageError(f"{name} {why}: write a .vpy script for it")
    return functions[wanted]


def obstacle(function: vs.Function | Composition) -> str:
    """Tell why a function cannot stand in a chain; empty if it can: a chain hands on one clip."""
    kinds = [kind for _, kind, *flags in declarations(function) if "opt" not in flags]
    if kinds.count("vnode") + 2 * kinds.count("vnode[]") > 1:
        return "takes several clips"
    first = declarations(function)[:1]
    return "" if first and first[0][1] == "vnode" and "opt" not in first[0] else "takes no clip of a chain"


def declarations(function: vs.Function | Composition) -> list[list[str]]:
    """Give name, type and flags of each argument in a signature such as `clip:vnode;k:float[]:opt;`.

    A signature may end in a bare `any`: arguments of any name. Without a type to read, a chain cannot give them.
    """
    return [declaration.split(":") for declaration in function.signature.split(";") if ":" in declaration]


def parameters(function: vs.Function | Composition) -> dict[str, str]:
    """Give the types of a filter's arguments by their names, without the clip."""
    return {name: kind for name, kind, *_ in declarations(function)[1:]}


def parse_arguments(function: vs.Function | Composition, text: str) -> dict[str, Value | list[Value]]:
    """Read `value:value:name=value` for a filter."""
    kinds = parameters(function)
    positional = iter([name for name, kind in kinds.items() if kind.removesuffix("[]") not in NODES])
    arguments: dict[str, Value | list[Value]] = {}
    filter_name = function.name.lower()
    rest = text
    while rest:
        if match := re.match(r"\s*([\w.-]+)\s*=", rest):
            name = match[1].lower()
            rest = rest[match.end() :]
            positional = iter(())  # as in FFmpeg: after a name, every argument needs one
        else:
            name = next(positional, "")
        value, rest = token(rest, ":")
        rest = rest[1:]
        if not name:
            raise UsageError(f'{filter_name}: "{value}" needs a name, as in name=value{listing(kinds)}')
        if name not in kinds:
            if function.signature.endswith("any"):
                raise UsageError(f"{filter_name}: {name} has no type of its own: write a .vpy script for it")
            raise UsageError(f'{filter_name} has no option "{name}"{suggestion(name, kinds)}{listing(kinds)}')
        if name in arguments:
            raise UsageError(f"{filter_name}: {name} is given twice")
        arguments[name] = convert(filter_name, name, kinds[name], value)
    return arguments


def convert(filter_name: str, name: str, kind: str, text: str) -> Value | list[Value]:
    """Convert an argument's text to the type that the signature names."""
    if kind.endswith("[]"):
        return [scalar(filter_name, name, kind[:-2], each) for each in text.split("|")]
    return scalar(filter_name, name, kind, text)


def scalar(filter_name: str, name: str, kind: str, text: str) -> Value:
    if kind in NODES:
        raise UsageError(f"{filter_name}: {name} is a clip, which a chain cannot name: write a .vpy script for it")
    if kind == "data":
        return text
    converters: dict[str, tuple[type[int] | type[float], str]] = {
        "int": (int, "a whole number"),
        "float": (float, "a number"),
    }
    if kind not in converters:
        raise UsageError(f"{filter_name}: {name} ({kind}) cannot be given in a chain: write a .vpy script for it")
    converter, wanted = converters[kind]
    try:
        value = converter(text)
    except ValueError as error:
        raise UsageError(f'{filter_name}: {name} must be {wanted}, got "{text}"') from error
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        raise UsageError(f"{filter_name}: {name} is out of range: {text}")
    return value


def suggestion(wrong: str, names: Iterable[str]) -> str:
    close = get_close_matches(wrong.lower(), list(names), n=1)
    return f' (did you mean "{close[0]}"?)' if close else ""


def listing(names: Iterable[str]) -> str:
    """Name what there is, if that is not too long for a message."""
    names = list(names)
    if len(names) > LONGEST_LISTING:
        return ""
    return f"; there are: {', '.join(names)}" if names else "; there are none"
