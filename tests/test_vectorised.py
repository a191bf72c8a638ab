"""The compiler's own report: every loop marked `# hot` is vectorised, at every CPU level."""

import os
import re
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCES = ROOT / "src_cython"

type Place = tuple[str, int]


def hot_loops() -> set[Place]:
    """Places of the marked loops, as the compiler names them: file below src_cython, line."""
    return {
        (str(path.relative_to(SOURCES)), number)
        for path in SOURCES.rglob("*.pxd")
        for number, line in enumerate(path.read_text().splitlines(), start=1)
        if line.endswith("# hot")
    }


@pytest.fixture(scope="module")
def vectorised(tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[Place]]:
    """What was vectorised, by library."""
    build = tmp_path_factory.mktemp("build")
    tools = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}

    def meson(*arguments: str) -> str:
        result = subprocess.run(["meson", *arguments], env=tools, capture_output=True, text=True, check=False)
        assert result.returncode == 0, result.stdout + result.stderr
        return result.stdout

    meson("setup", str(build), str(ROOT), "-Dc_args=-fopt-info-vec-optimized")
    report = meson("compile", "-C", str(build))
    found: dict[str, set[Place]] = defaultdict(set)
    library = ""
    for line in report.splitlines():
        if target := re.search(r"Compiling C object (\S+)\.p/", line):
            library = target[1]
        elif loop := re.match(r"(?:.*/)?((?:kernels|common)/\w+\.pxd):(\d+):\d+: optimized: *loop vectorized", line):
            found[library].add((loop[1], int(loop[2])))
    return found


def test_every_hot_loop_is_vectorised(vectorised: dict[str, set[Place]]) -> None:
    loops = hot_loops()
    assert len(loops) > 20
    assert vectorised, "no report: this test reads GCC's -fopt-info"
    missing = {library: sorted(loops - places) for library, places in vectorised.items() if loops - places}
    assert not missing
