"""Fixtures of all tests: the core with the plugin loaded, the video clips, the seed."""

from __future__ import annotations

import gc
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from support import seeded

DEFAULT_SEED = 20260101
ROOT = Path(__file__).resolve().parent.parent
RUN = pytest.StashKey[int]()
"""How many tests have run in this process."""


@pytest.fixture(scope="session")
def core() -> Any:
    """VapourSynth's core, with `core.vdiff`."""
    import vapoursynth as vs

    import vs_vdiff  # noqa: F401

    return vs.core


@pytest.fixture(scope="session", autouse=True)
def compiled_kernels(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder where kernels of all processes of this run are kept, and not in the user's own."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "kernels"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NUMBA_CACHE_DIR", str(folder))
        yield folder


@pytest.fixture(scope="session")
def clips() -> Path:
    """The folder that holds the video clips: VDIFF_CLIPS, else what `scripts/fetch-clips` prints."""
    given = os.environ.get("VDIFF_CLIPS")
    if not given:
        script = ROOT / "scripts" / "fetch-clips"
        printed = subprocess.run([script], stdout=subprocess.PIPE, text=True, check=True).stdout
        given = printed.strip().splitlines()[-1]
    folder = Path(given)
    for name in ("bikes.mp4", "bigbuckbunny.mp4", "carphone_pristine.mp4"):
        assert (folder / name).is_file(), f"{folder} does not hold {name}"
    return folder


@pytest.fixture
def folder(tmp_path: Path, clips: Path) -> Iterator[Path]:
    """Give a folder with `in.mp4`, 120 frames of 29.97 fps, and see that nothing hidden is left in it."""
    # Windows has no terminals of this kind, and the other tests need none.
    from command_support import end_started, names

    shutil.copy(clips / "carphone_pristine.mp4", tmp_path / "in.mp4")
    yield tmp_path
    end_started()
    assert not [name for name in names(tmp_path) if name.startswith(".")]


@pytest.fixture
def seed() -> int:
    """The seed of the run: VDIFF_SEED, else a fixed one. It is printed, so a failure shows it."""
    value = int(os.environ.get("VDIFF_SEED", DEFAULT_SEED))
    print(f"VDIFF_SEED={value}")
    return value


@pytest.fixture
def rng(seed: int, request: pytest.FixtureRequest) -> np.random.Generator:
    """A generator of this test's own: the same numbers whatever other tests run."""
    return seeded(seed, request.node.name)


@pytest.fixture
def threads(core: Any) -> Iterator[Any]:
    """The core, for a test that changes the number of threads; restored after it."""
    before = core.num_threads
    yield core
    core.num_threads = before


def set_aside() -> None:
    """Frees cycles; what is left lives on, and later searches for cycles need not look at it."""
    gc.collect()
    gc.freeze()


def pytest_collection_finish() -> None:
    """Twenty thousand tests are no garbage: what is there before the first one is not searched for any."""
    set_aside()


def pytest_runtest_teardown(item: pytest.Item) -> None:
    """Nor is what gathers while they run, and makes each search in a test longer than the one before."""
    item.session.stash[RUN] = item.session.stash.get(RUN, 0) + 1
    if item.session.stash[RUN] % 250 == 0:
        set_aside()
