"""vspipe: any range of a real clip, byte for byte that part of the whole; the y4m stream that encoders read."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

VSPIPE = Path(sys.executable).parent / "vspipe"
FRAMES, WIDTH, HEIGHT = 250, 640, 272
FRAME_BYTES = WIDTH * HEIGHT * 3 // 2
CHAINS = {
    "diffuse": "core.vdiff.Diffuse(clip, time=2, k=6)",
    "trails": "core.vdiff.Decay(clip, halflife=13.5, mode='max')",
    "average": "core.vdiff.Decay(clip, halflife=5)",
    "dark": "core.vdiff.Decay(clip, halflife=40, mode='min')",
    "light": "core.vdiff.Decay(clip, halflife=13.5, mode='sum')",
    "fade": "core.vdiff.Decay(clip, halflife=60, mode='fade')",
    "blend": "core.vdiff.DiffBlend(clip, alpha=0.4, lag=-3, threshold=2)",
    "all": "core.vdiff.DiffBlend(core.vdiff.Decay(core.vdiff.Diffuse(clip, time=1), halflife=2, mode='max'), lag=2)",
}
RANGES = [(1, 3), (134, 139), (246, 249)]
CUTS = (30, 76, 137, 187, 242)
"""Of the clip. They are marked, so that ranges begin and end on either side of them."""


def run_vspipe(*arguments: object) -> bytes:
    """What vspipe writes to its standard output."""
    done = subprocess.run([VSPIPE, *map(str, arguments), "-"], capture_output=True, timeout=120)
    assert done.returncode == 0, done.stderr.decode(errors="replace")
    return done.stdout


@pytest.fixture(scope="session", params=CHAINS)
def script(request: pytest.FixtureRequest, clips: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A .vpy of one chain, which finds the plugin as users do: autoloaded."""
    file = tmp_path_factory.mktemp("vspipe") / f"{request.param}.vpy"
    video = str(clips / "bikes.mp4")
    file.write_text(
        "import vapoursynth as vs\n"
        "core = vs.core\n"
        f"clip = core.bs.VideoSource({video!r}, cachemode=0)\n"
        f"for n in {CUTS}:\n"
        "    clip = clip[:n] + clip[n].std.SetFrameProps(_SceneChangePrev=1) + clip[n + 1 :]\n"
        f"{CHAINS[request.param]}.set_output()\n",
        encoding="utf-8",
    )
    return file


def test_ranges_are_parts_of_the_whole(script: Path) -> None:
    """The whole is also a y4m stream whose header states size, rate and format, for encoders to read."""
    stream = run_vspipe("-c", "y4m", script)
    header, rest = stream.split(b"\n", 1)
    fields = header.decode().split(" ")
    assert fields[0] == "YUV4MPEG2"
    assert {f"W{WIDTH}", f"H{HEIGHT}", "F25:1", "Ip"} <= set(fields)
    assert any(field.startswith("C420") for field in fields)
    mark = b"FRAME\n"
    frame = len(mark) + FRAME_BYTES
    assert len(rest) == FRAMES * frame
    frames = [rest[n * frame : (n + 1) * frame].removeprefix(mark) for n in range(FRAMES)]
    assert {len(pixels) for pixels in frames} == {FRAME_BYTES}
    for first, last in RANGES:
        part = run_vspipe("-s", first, "-e", last, script)
        assert part == b"".join(frames[first : last + 1]), f"frames {first} to {last}"
