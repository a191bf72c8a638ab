"""The workflows of .github: what they run is there, and what is tested here is what runs there."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent
FILES = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
OURS = re.compile(r"(?:scripts|\.ci|tests)/[\w./-]+")
SYSTEMS = {"linux-x86_64", "linux-aarch64", "macos-arm64", "macos-x86_64", "windows-x86_64"}

pytestmark = pytest.mark.skipif(not FILES, reason="an sdist is without them")


def read_workflow(file: Path) -> dict[Any, Any]:
    """A workflow, in which the word `on` is the truth value that YAML 1.1 takes it for."""
    content = yaml.safe_load(file.read_text(encoding="utf-8"))
    assert isinstance(content, dict)
    return content


def steps_of(workflow: dict[Any, Any]) -> list[dict[str, Any]]:
    """Those of all its jobs."""
    return [step for job in workflow["jobs"].values() for step in job["steps"]]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_what_is_named_is_there(file: Path) -> None:
    """Files of ours that are run exist; others' actions have a version."""
    named = OURS.findall(file.read_text(encoding="utf-8"))
    assert named
    for name in named:
        assert (ROOT / name).is_file(), name
        assert name.endswith(".py") or os.access(ROOT / name, os.X_OK), f"{name} cannot be run"
    for step in steps_of(read_workflow(file)):
        assert ("uses" in step) != ("run" in step), step
        assert re.fullmatch(r"[\w.-]+/[\w.-]+@(v\d+|release/v\d+)", step.get("uses", "a/b@v1")), step


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_no_more_rights_than_it_takes(file: Path) -> None:
    """Nothing is written to the repository, no job runs for hours."""
    workflow = read_workflow(file)
    assert workflow["permissions"] == {"contents": "read"}
    for name, job in workflow["jobs"].items():
        assert job["timeout-minutes"] <= 90, name
        assert job.get("permissions") in (None, {"id-token": "write"}), name


def test_every_system_has_a_wheel() -> None:
    workflow = read_workflow(ROOT / ".github" / "workflows" / "wheels.yml")
    rows = workflow["jobs"]["wheel"]["strategy"]["matrix"]["include"]
    assert {row["platform"] for row in rows} == SYSTEMS
    assert workflow["jobs"]["publish"]["needs"] == "wheel"
    assert workflow["jobs"]["publish"]["if"] == "github.ref_type == 'tag'"
    assert workflow[True]["push"]["tags"] == ["v*"]
