"""Frame properties: those of the first clip's frame, all of them, and beside them only `Vdiff...`."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from cases import ONE_EACH, WHOLE, Case
from support import Video, frames_of, make_clip, random_frames

COUNT = 6
DOCUMENTED = {"_ChromaLocation", "_ColorRange", "_Range", "_Primaries", "_Matrix", "_Transfer", "_FieldBased",
              "_AbsoluteTime", "_DurationNum", "_DurationDen", "_Combed", "_Field", "_PictType", "_SARNum", "_SARDen",
              "_SceneChangeNext", "_SceneChangePrev", "_Alpha"}  # fmt: skip
"""The properties that VapourSynth defines."""


def properties(n: int) -> dict[str, Any]:
    """Properties of every kind, different in each frame."""
    return {
        "_Matrix": 1,
        "_Range": n % 2,
        "_SARNum": 117,
        "_SARDen": 128,
        "_AbsoluteTime": n / 7,
        "_PictType": b"IPB"[n % 3 : n % 3 + 1],
        "_SceneChangePrev": int(n == 4),
        "_SceneChangeNext": int(n == 3),
        "Counter": n,
        "Numbers": [n, n + 1, 2**40],
        "Fractions": [0.5 * n, -1.25],
        "Text": f"frame {n}",
        **({"OnlyInTheThird": 1} if n == 3 else {}),
    }


def props_of(clip: Any) -> list[dict[str, Any]]:
    """Properties of all frames."""
    return [dict(frame.props) for frame in frames_of(clip)]


def clips(rng: np.random.Generator) -> tuple[Any, Any]:
    """A clip with properties and one with quite other ones."""
    video = Video("YUV420P8", 16, 8)
    frames = random_frames(rng, video, COUNT)
    first = make_clip(video, frames, props=[properties(n) for n in range(COUNT)])
    second = make_clip(video, frames, props=[{"Counter": -1, "Foreign": 1, "_Matrix": 5}] * COUNT)
    return first, second


@pytest.mark.parametrize("planes", [[0], [1, 2], [0, 1, 2]], ids=str)
@pytest.mark.parametrize("case", [case for case in ONE_EACH if case.filter not in WHOLE], ids=str)
def test_properties_are_the_first_clip_s(core: Any, rng: np.random.Generator, case: Case, planes: list[int]) -> None:
    clip, _ = clips(rng)
    given = [{key: value for key, value in props.items() if not key.startswith("Vdiff")}
             for props in props_of(case.apply(clip, planes=planes)[:COUNT])]  # fmt: skip
    assert given == props_of(clip)
    assert len({p["Counter"] for p in props_of(clip)}) == COUNT


@pytest.mark.parametrize("lag", [-3, -1, 2])
def test_properties_of_a_lagged_frame_are_not_taken(core: Any, rng: np.random.Generator, lag: int) -> None:
    clip, _ = clips(rng)
    assert props_of(core.vdiff.DiffBlend(clip, lag=lag)) == props_of(clip)


def test_properties_of_a_reference_clip_are_not_taken(core: Any, rng: np.random.Generator) -> None:
    clip, other = clips(rng)
    assert props_of(core.vdiff.DiffBlend(clip, ref=other)) == props_of(clip)
    assert props_of(core.vdiff.DiffBlend(clip, ref=other[:2])) == props_of(clip)


@pytest.mark.parametrize("case", ONE_EACH, ids=str)
def test_own_properties_are_vdiff_s(core: Any, case: Case) -> None:
    """What a filter adds to a bare frame is `Vdiff...`, or one of VapourSynth's own."""
    added = {key for props in props_of(case.apply(core.std.BlankClip(width=8, height=8, length=2))) for key in props}
    assert not {key for key in added if not key.startswith("Vdiff") and key not in DOCUMENTED}
