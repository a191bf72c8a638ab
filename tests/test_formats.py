"""Every filter, every format, every size against the reference; formats that are refused."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
import vapoursynth as vs

from cases import CASES, ONE_EACH, Case
from support import FORMATS, SIZES, Video, random_frames


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_format_and_sizes(core: Any, rng: np.random.Generator, case: Case, name: str) -> None:
    """All sizes in one test, because most of the time of one each would be the test runner's.

    Of one size there are five frames and a cut, of the others two: time is the same at every size.
    """
    for size in SIZES:
        video = Video(name, *size)
        count = 5 if size == (37, 23) else 2
        case.check(video, random_frames(rng, video, count), starts=(3,) if count > 3 else ())


@pytest.mark.parametrize("case", ONE_EACH, ids=str)
def test_output_is_of_the_input_s_kind(core: Any, case: Case) -> None:
    clip = core.std.BlankClip(format=vs.YUV422P10, width=36, height=23, length=7, fpsnum=24000, fpsden=1001)
    out = case.apply(clip)
    for field in ("format", "width", "height"):
        assert getattr(out, field) == getattr(clip, field)
    assert out.fps == clip.fps * case.times
    assert out.num_frames == clip.num_frames * case.times + case.appended


def refused_clips() -> dict[str, Any]:
    """Clips that no filter takes, by the format that the message must name."""
    std = vs.core.std

    def clip(**args: Any) -> Any:
        return std.BlankClip(**{"format": vs.GRAY8, "width": 8, "height": 8, "length": 2} | args)

    return {
        "Gray32": clip(format=vs.GRAY32),
        "RGB96": clip(format=vs.core.query_video_format(vs.RGB, vs.INTEGER, 32).id),
        "Gray17": clip(format=vs.core.query_video_format(vs.GRAY, vs.INTEGER, 17).id),
        "variable": std.Splice([clip(), clip(format=vs.GRAY16)], mismatch=True),
        "variable size": std.Splice([clip(), clip(width=9)], mismatch=True),
    }


@pytest.mark.parametrize("case", ONE_EACH, ids=str)
@pytest.mark.parametrize("name", ["Gray32", "RGB96", "Gray17", "variable", "variable size"])
def test_refused(core: Any, case: Case, name: str) -> None:
    clip = refused_clips()[name]
    wanted = (
        f"{case.filter}: Input clip must be constant format 8..16 bit integer or 16-32 bit float, "
        f"passed {name.split()[0]}."
    )
    assert name.startswith("variable") or clip.format.name == name
    with pytest.raises(vs.Error, match=f"^{re.escape(wanted)}$"):
        case.apply(clip)
