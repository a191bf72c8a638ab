"""The README against the plugin.

The convention that these tests read, for every filter of the plugin:

- One section `### Name` (third level, the filter's name alone), ending at the next heading of level 1 to 3.
- Its first fenced block has the info string `text` and holds the raw signature, `vdiff.Name(<signature>)`, exactly as
  VapourSynth prints it. Line breaks and blanks inside are ignored, so that a long one may be wrapped.
- One parameter table. Its header row begins `| argument |`; the first cell of each row is the argument in backticks.
  Rows stand in the order of the signature, one for each argument, `clip` included.
- A fenced block with the info string `python` or `vpy`, anywhere in the README, is a whole script. It runs in a folder
  that holds a video called `in.mp4`, with nothing else prepared; the first and the last frame of each output that it
  sets are requested. A fragment that cannot run alone takes another info string (`text`, `sh`).
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

README = Path(__file__).resolve().parent.parent / "README.md"
FENCE = re.compile(r"^```(?P<info>[^\n`]*)\n(?P<body>.*?)^```[ \t]*$", re.MULTILINE | re.DOTALL)
SCRIPT_LANGUAGES = ("python", "vpy")
RUNNER = """
import runpy, sys
import vapoursynth as vs
runpy.run_path(sys.argv[1], run_name="__vapoursynth__")
for output in vs.get_outputs().values():
    clip = output.clip
    for n in sorted({0, clip.num_frames - 1}):
        clip.get_frame(n).close()
"""


@dataclass(frozen=True)
class Block:
    """A fenced block: its info string, its text, and the README's line it starts on."""

    info: str
    body: str
    line: int


def blocks(text: str) -> list[Block]:
    """All fenced blocks of a Markdown text."""
    return [Block(m["info"].strip(), m["body"], text.count("\n", 0, m.start()) + 1) for m in FENCE.finditer(text)]


def section(text: str, name: str) -> str:
    """The text between the heading `### name` and the next heading of level 1 to 3, code blocks left in."""
    bare = FENCE.sub(lambda m: re.sub(r"[^\n]", " ", m[0]), text)  # a `# comment` in code is no heading
    start = re.search(rf"^### {name}[ \t]*$", bare, re.MULTILINE)
    assert start, f"README has no section '### {name}'"
    end = re.search(r"^#{1,3} ", bare[start.end() :], re.MULTILINE)
    return text[start.end() : start.end() + end.start() if end else None]


def table_arguments(text: str) -> list[str]:
    """First cells, without backticks, of the table whose header begins with `argument`."""
    rows: list[str] = []
    lines = iter(text.splitlines())
    for line in lines:
        if re.match(r"\|\s*argument\s*\|", line):
            next(lines)  # the rule under the header
            break
    for line in lines:
        cell = re.match(r"\|\s*`(\w+)`\s*\|", line)
        if not cell:
            break
        rows.append(cell[1])
    return rows


def filter_names() -> list[str]:
    """The plugin's filters; the plugin is loaded for its list of functions."""
    import vapoursynth as vs

    import vs_vdiff  # noqa: F401

    return sorted(function.name for function in vs.core.vdiff.functions())


def scripts() -> list[Block]:
    """The README's runnable blocks."""
    return [b for b in blocks(README.read_text(encoding="utf-8")) if b.info in SCRIPT_LANGUAGES]


@pytest.mark.parametrize("name", filter_names())
def test_signature_is_the_plugin_s(core: Any, name: str) -> None:
    found = blocks(section(README.read_text(encoding="utf-8"), name))
    assert found, f"'### {name}' has no fenced block"
    assert found[0].info == "text"
    assert re.sub(r"\s", "", found[0].body) == f"vdiff.{name}({getattr(core.vdiff, name).signature})"


@pytest.mark.parametrize("name", filter_names())
def test_table_names_every_argument(core: Any, name: str) -> None:
    signature: str = getattr(core.vdiff, name).signature
    arguments = [part.split(":")[0] for part in signature.split(";") if part]
    assert table_arguments(section(README.read_text(encoding="utf-8"), name)) == arguments


def test_filter_sections_are_filters() -> None:
    """No section documents a signature that the plugin does not have."""
    documented = re.findall(r"^vdiff\.(\w+)\(", README.read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(documented) == filter_names()


def test_readme_has_scripts() -> None:
    assert scripts()


@pytest.mark.parametrize("block", scripts(), ids=lambda block: f"line{block.line}")
def test_script_runs(block: Block, clips: Path, tmp_path: Path) -> None:
    shutil.copy(clips / "carphone_pristine.mp4", tmp_path / "in.mp4")
    script = tmp_path / "script.vpy"
    script.write_text(block.body, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-c", RUNNER, script.name], cwd=tmp_path, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, f"README line {block.line}:\n{done.stderr}"
