"""The host without Python: compiled and run as README prints it, and what it says when something is wrong."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from test_docs import ROOT, blocks, section


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The folder that README's commands ran in, and what they printed."""
    assert shutil.which("cc"), "there is no C compiler"
    folder = tmp_path_factory.mktemp("host")
    (folder / "scripts").symlink_to(ROOT / "scripts")
    (commands,) = (block.body for block in blocks(section("In a host without Python")) if block.info == "console")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    shell = ["bash", "-e", "-u", "-c", commands]
    done = subprocess.run(
        shell, cwd=folder, env={**os.environ, "PATH": path}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == "", "a warning"
    return folder, done.stdout


def told(folder: Path, *arguments: str) -> tuple[int, str]:
    """The program's exit status and its complaint."""
    done = subprocess.run([folder / "host", *arguments], capture_output=True, text=True, check=False)
    return done.returncode, done.stderr


def test_prints_what_fades(built: tuple[Path, str]) -> None:
    """White, 235, halves its distance to black, 16, every second frame."""
    rows = [line.removeprefix("frame ").split(": ") for line in built[1].splitlines()]
    assert [int(n) for n, _ in rows] == list(range(10))
    for n, value in rows:
        assert abs(int(value) - (16 + 219 * 2 ** (-int(n) / 2))) <= 0.51


def test_is_thirty_lines() -> None:
    source = (ROOT / "scripts/examples/host.c").read_text(encoding="utf-8").split("*/", 1)[1]
    code = [line for line in source.splitlines() if line.strip("} ") and not line.startswith("#")]
    assert len(code) <= 30


def test_names_what_is_wrong(built: tuple[Path, str], core: Any) -> None:
    folder, _ = built
    assert told(folder) == (2, "usage: host LIBVDIFF\n")
    status, said = told(folder, "nowhere.so")
    assert status == 1
    assert said.startswith("host: LoadPlugin: ")
    assert "nowhere.so" in said
    status, said = told(folder, core.mv.plugin_path)
    assert (status, said) == (1, "host: Decay: this plugin is not vdiff\n")
