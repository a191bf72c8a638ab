"""The compiler's own report: every loop marked `# hot` is vectorised, at every CPU level."""

import os
import platform
import re
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

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


def build_log(folder: Path) -> str:
    """What GCC reports of the build: that of the installed plugin, VDIFF_BUILD_LOG, else of one of its own."""
    if given := os.environ.get("VDIFF_BUILD_LOG"):
        return Path(given).read_text()
    tools = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}

    def meson(*arguments: str) -> str:
        result = subprocess.run(["meson", *arguments], env=tools, capture_output=True, text=True, check=False)
        assert result.returncode == 0, result.stdout + result.stderr
        return result.stdout

    meson("setup", str(folder), str(ROOT), "-Dc_args=-fopt-info-vec-optimized")
    return meson("compile", "-C", str(folder))


def vectorised(log: str) -> dict[str, set[Place]]:
    """What was vectorised, by library."""
    found: dict[str, set[Place]] = defaultdict(set)
    library = ""
    for line in log.splitlines():
        if target := re.search(r"Compiling C object (\S+)\.p/", line):
            library = target[1]
        elif loop := re.search(r"((?:kernels|common)/\w+\.pxd):(\d+):\d+: optimized: *loop vectorized", line):
            found[library].add((loop[1], int(loop[2])))
    return found


def test_every_hot_loop_is_vectorised(tmp_path: Path) -> None:
    loops = hot_loops()
    assert len(loops) > 20
    libraries = vectorised(build_log(tmp_path))
    assert len(libraries) == (3 if platform.machine().lower() in ("x86_64", "amd64") else 1), "this reads -fopt-info"
    missing = {library: sorted(loops - places) for library, places in libraries.items() if loops - places}
    assert not missing
