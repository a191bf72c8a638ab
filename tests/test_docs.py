"""README and docs/*.md against the plugin and against themselves.

The conventions that these tests read:

- README has a section `### Name` for every filter (third level, the filter's name alone), ending at the next heading of
  level 1 to 3. It begins with what the plugin says of the filter. Its first fenced block has the info string `text` and
  holds the raw signature, `vdiff.Name(<signature>)`, as VapourSynth prints it, but for line breaks and blanks. One
  parameter table follows, `| argument | default | range | ...`; its rows are the arguments in the order of the
  signature, in backticks, their defaults and, as in `0, 0.001…10000`, the values that they may have. It has a picture,
  speaks of cost and peers, and ends with a link to the filter's page.
- The page, docs/<name in lower case>.md, has the sections `PARTS` and names every argument in backticks.
- A fenced block with the info string `python` or `vpy` is a whole script. It runs in a folder that holds a video called
  `in.mp4`; the first and the last frame of each output that it sets are requested. One with `sh` is run by bash in such
  a folder, where `script.vpy` is the file's first `vpy` block, with `vdiff`, `vspipe` and `ffmpeg` at hand. What sets
  up a machine takes `console`, what is no program `text`, and nothing else is allowed.
- Links within the repository lead somewhere, and no picture is without use.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import vapoursynth as vs

from command_support import VDIFF
from vs_vdiff import ffmpeg
from vs_vdiff.presets import PRESETS

ROOT = Path(__file__).resolve().parent.parent
README = ROOT / "README.md"
FILES = [README, *sorted((ROOT / "docs").glob("*.md"))]
PARTS = ["Formula", "Parameters", "Examples", "Cost", "What people use now"]
FENCE = re.compile(r"^```(?P<info>[^\n`]*)\n(?P<body>.*?)^```[ \t]*$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
SCRIPT_LANGUAGES = ("python", "vpy")
RUNNER = """
import os, runpy, sys
import vapoursynth as vs
for script in sys.argv[1:]:
    print(script, file=sys.stderr)
    vs.clear_outputs()
    runpy.run_path(script, run_name="__vapoursynth__")
    assert vs.get_outputs() or script.endswith(".py"), f"{script} sets no output"
    for output in vs.get_outputs().values():
        clip = output.clip
        for n in sorted({0, clip.num_frames - 1}):
            clip.get_frame(n).close()
"""

every_file = pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)


@dataclass(frozen=True)
class Block:
    """A fenced block: its info string, its text, and the line it starts on."""

    info: str
    body: str
    line: int


@cache
def text_of(file: Path) -> str:
    return file.read_text(encoding="utf-8")


def blocks(text: str) -> list[Block]:
    """All fenced blocks of a Markdown text."""
    return [Block(m["info"].strip(), m["body"], text.count("\n", 0, m.start()) + 1) for m in FENCE.finditer(text)]


def without_code(text: str) -> str:
    """The text with its fenced blocks blanked: a `# comment` in code is no heading."""
    return FENCE.sub(lambda m: re.sub(r"[^\n]", " ", m[0]), text)


def headings(file: Path) -> list[str]:
    """The headings of a file, of all levels."""
    return re.findall(r"^#+ (.*?)[ \t]*$", without_code(text_of(file)), re.MULTILINE)


def anchor(heading: str) -> str:
    """What a heading is called in a link: as on GitHub."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def section(name: str) -> str:
    """The README's text between the heading `### name` and the next heading of level 1 to 3."""
    text = text_of(README)
    bare = without_code(text)
    start = re.search(rf"^### {name}[ \t]*$", bare, re.MULTILINE)
    assert start, f"README has no section '### {name}'"
    end = re.search(r"^#{1,3} ", bare[start.end() :], re.MULTILINE)
    return text[start.end() : start.end() + end.start() if end else None]


def table(text: str) -> dict[str, tuple[str, str]]:
    """Default and range, by argument, of the table whose header begins with `argument`; no backticks."""
    rows: dict[str, tuple[str, str]] = {}
    lines = iter(text.splitlines())
    for line in lines:
        if re.match(r"\|\s*argument\s*\|\s*default\s*\|", line):
            next(lines)  # the rule under the header
            break
    for line in lines:
        cells = re.match(r"\|\s*`(\w+)`\s*\|([^|]*)\|([^|]*)\|", line)
        if not cells:
            break
        default, limits = (cell.strip().replace("`", "") for cell in cells.groups()[1:])
        rows[cells[1]] = default, limits
    return rows


def told() -> dict[str, list[str]]:
    """What the plugin tells of its filters; it is loaded for the names of the tests."""
    import vs_vdiff  # noqa: F401

    found: dict[str, list[str]] = vs.core.vdiff.Filters()
    return found


every_filter = pytest.mark.parametrize("name", sorted(told()))


# Filters


@every_filter
def test_signature_is_the_plugin_s(core: Any, name: str) -> None:
    found = blocks(section(name))
    assert found, f"'### {name}' has no fenced block"
    assert found[0].info == "text"
    assert re.sub(r"\s", "", found[0].body) == f"vdiff.{name}({getattr(core.vdiff, name).signature})"


@every_filter
def test_table_names_every_argument(core: Any, name: str) -> None:
    """And the defaults that the plugin tells of."""
    signature: str = getattr(core.vdiff, name).signature
    rows = table(section(name))
    assert [*rows] == [part.split(":")[0] for part in signature.split(";") if part]
    defaults = dict(each.split("=") for each in told()[name][1].split(":") if each)
    assert {argument: rows[argument][0] for argument in defaults} == defaults


NEEDED: dict[str, dict[str, Any]] = {
    "Decay": {"halflife": 5},
    "Extrapolate": {"length": 1},
    "Spread": {"dx": [0], "dy": [0], "weights": [1]},
}
"""What filters ask for before they look at another argument."""


@every_filter
def test_ranges_are_the_plugin_s(core: Any, name: str) -> None:
    """Both ends are taken, and what is a little beyond is refused."""
    clip = core.std.BlankClip(width=16, height=16, format=vs.GRAY8, length=4)
    kinds = {part.split(":")[0]: part.split(":")[1] for part in getattr(core.vdiff, name).signature.split(";") if part}
    for argument, (_, limits) in table(section(name)).items():
        found = re.fullmatch(r"(?:0, )?([−\d.e-]+)…([\d.e]+)", limits)
        if not found or name == "Kernel":  # which needs a compiled kernel for anything
            continue
        whole = kinds[argument].startswith("int")
        low, high = (float(end.replace("−", "-")) for end in found.groups())
        beyond = 1.0 if whole else 1e-3 * max(abs(low), 1e-3)
        others = {key: value for key, value in NEEDED.get(name, {}).items() if (key, argument) != ("halflife", "rate")}
        for value, good in ((low, True), (high, True), (low - beyond, False), (high + max(beyond, 1e-3 * high), False)):
            given = {**others, argument: int(value) if whole else value}
            if good:
                getattr(core.vdiff, name)(clip, **given)
            else:
                with pytest.raises(vs.Error, match=f"^{name}: {argument} must be"):
                    getattr(core.vdiff, name)(clip, **given)


def test_presets_are_told_of() -> None:
    """In README's table and on their page, each with what it says of itself on the whole."""
    rows = re.findall(
        r"^\| `(\w+)` \| (.*) \|$", text_of(README).split("### Presets")[1].split("### ")[0], re.MULTILINE
    )
    assert [name for name, _ in rows] == [*PRESETS]
    page = headings(ROOT / "docs" / "presets.md")
    assert [heading for heading in page if heading in PRESETS] == [*PRESETS]


@every_filter
def test_section_is_complete(name: str) -> None:
    text = section(name).strip()
    assert " ".join(text.split()).startswith(told()[name][0])
    assert re.search(r"^!\[", text, re.MULTILINE), "no picture"
    for word in ("Cost: ", "Peers: "):
        assert f"\n{word}" in text
    assert text.endswith(f"More: [the page of {name}](docs/{name.lower()}.md).")


@every_filter
def test_page_is_complete(core: Any, name: str) -> None:
    file = ROOT / "docs" / f"{name.lower()}.md"
    assert headings(file)[0] == name
    assert [heading for heading in headings(file) if heading in PARTS] == PARTS
    assert re.search(r"^!\[", text_of(file), re.MULTILINE), "no picture"
    for part in getattr(core.vdiff, name).signature.rstrip(";").split(";"):
        assert f"`{part.split(':')[0]}`" in text_of(file)


def test_filter_sections_are_filters() -> None:
    """No section documents a signature that the plugin does not have."""
    documented = re.findall(r"^vdiff\.(\w+)\(", text_of(README), re.MULTILINE)
    assert sorted(documented) == sorted(told())


# Links and pictures


@every_file
def test_links_lead_somewhere(file: Path) -> None:
    for link in LINK.findall(without_code(text_of(file))):
        if "://" in link:
            continue
        path, _, fragment = link.partition("#")
        target = (file.parent / path).resolve() if path else file
        assert target.is_relative_to(ROOT), link
        assert target.exists(), link
        if fragment:
            assert fragment in map(anchor, headings(target)), link


def test_every_page_and_picture_is_linked() -> None:
    linked = {(file.parent / link).resolve() for file in FILES for link in LINK.findall(without_code(text_of(file)))}
    for path in (ROOT / "docs").iterdir():
        assert path in linked, path.name


# Code


@every_file
def test_blocks_are_of_known_kinds(file: Path) -> None:
    for block in blocks(text_of(file)):
        assert block.info in (*SCRIPT_LANGUAGES, "sh", "console", "text"), f"line {block.line}"
    if file != README:
        assert "console" not in [block.info for block in blocks(text_of(file))]


@pytest.mark.parametrize(
    "file",
    [file for file in FILES if any(b.info in SCRIPT_LANGUAGES for b in blocks(text_of(file)))],
    ids=lambda f: f.stem,
)
def test_scripts_run(file: Path, clips: Path, tmp_path: Path) -> None:
    shutil.copy(clips / "carphone_pristine.mp4", tmp_path / "in.mp4")
    names = []
    for block in blocks(text_of(file)):
        if block.info in SCRIPT_LANGUAGES:
            names.append(f"line{block.line}.{'vpy' if block.info == 'vpy' else 'py'}")
            (tmp_path / names[-1]).write_text(block.body, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-c", RUNNER, *names], cwd=tmp_path, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, f"{file.name}:\n{done.stderr}"


SHELL = [(file, block) for file in FILES for block in blocks(text_of(file)) if block.info == "sh"]


@pytest.mark.parametrize(("file", "block"), SHELL, ids=[f"{file.stem}-line{block.line}" for file, block in SHELL])
def test_shell_runs(file: Path, block: Block, clips: Path, tmp_path: Path) -> None:
    shutil.copy(clips / "carphone_pristine.mp4", tmp_path / "in.mp4")
    first = [each.body for each in blocks(text_of(file)) if each.info == "vpy"][:1]
    for body in first:
        (tmp_path / "script.vpy").write_text(body, encoding="utf-8")
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "ffmpeg").symlink_to(ffmpeg.find())
    path = os.pathsep.join([str(programs), str(Path(VDIFF).parent), os.environ["PATH"]])
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", block.body],
        cwd=tmp_path,
        env=os.environ | {"PATH": path},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, f"{file.name} line {block.line}:\n{done.stderr}"
