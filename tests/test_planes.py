"""`planes` and arguments by plane: what is processed, what is passed through, which value belongs to which plane."""

from __future__ import annotations

from itertools import chain, combinations
from typing import Any

import numpy as np
import pytest

from cases import CASES, ONE_EACH, WHOLE, Case, of_plane
from support import Video, assert_same, cached, make_clip, random_frames, read

SUBSETS = list(chain.from_iterable(combinations(range(3), size) for size in range(1, 4)))
SELECTING = [case for case in CASES if case.filter not in WHOLE]
ONE_SELECTING = [case for case in ONE_EACH if case.filter not in WHOLE]
ARRAYS = [
    ("Diffuse", "k", {"time": 1.5, "scheme": "explicit"}, [[3.0, 30.0, 200.0], [60.0, 4.0], [11.0]]),
    ("Diffuse3D", "k", {"kt": 50.0}, [[3.0, 30.0, 200.0], [60.0, 4.0], [11.0]]),
    ("Diffuse3D", "kt", {"k": 10.0}, [[20.0, 60.0, 200.0], [100.0, 30.0], [50.0]]),
    ("TensorDiffuse", "k", {"time": 1.0}, [[3.0, 30.0, 200.0], [60.0, 4.0], [11.0]]),
    ("DiffBlend", "alpha", {}, [[-0.7, 0.2, 2.0], [1.0, -1.0], [0.3]]),
    ("DiffBlend", "threshold", {"alpha": 1.0}, [[0.0, 9.0, 40.0], [22.0, 5.0], [13.0]]),
    ("DiffBlend", "limit", {"alpha": 2.0}, [[255.0, 12.0, 30.0], [7.0, 90.0], [20.0]]),
]


@pytest.mark.parametrize("name", ["YUV420P8", "YUV444P16", "RGBH", "YUV422PS"])
@pytest.mark.parametrize("planes", SUBSETS, ids=str)
@pytest.mark.parametrize("case", ONE_SELECTING, ids=str)
def test_subset(core: Any, rng: np.random.Generator, case: Case, planes: tuple[int, ...], name: str) -> None:
    """A processed plane is as if all were processed; another is the source's. The order in `planes` is no matter."""
    video = Video(name, 43, 19)
    frames = random_frames(rng, video, 4)
    clip = make_clip(video, frames)
    all_planes = read(case.apply(clip))
    frames += [frames[-1]] * case.appended
    wanted = [[a[p] if p in planes else f[p] for p in range(3)] for a, f in zip(all_planes, frames, strict=True)]
    assert_same(read(case.apply(clip, planes=list(planes))), wanted)
    assert_same(read(case.apply(clip, planes=list(reversed(planes)))), wanted)


@pytest.mark.parametrize("case", ONE_SELECTING, ids=str)
def test_only_plane_of_gray(core: Any, rng: np.random.Generator, case: Case) -> None:
    video = Video("GRAY10", 20, 11)
    clip = make_clip(video, random_frames(rng, video, 3))
    assert_same(read(case.apply(clip, planes=0)), read(case.apply(clip)))


@pytest.mark.parametrize("case", SELECTING, ids=str)
def test_unprocessed_plane_is_not_copied(core: Any, rng: np.random.Generator, case: Case) -> None:
    """The output frame refers to the source frame's own memory."""
    video = Video("YUV420P8", 64, 32)
    clip = cached(make_clip(video, random_frames(rng, video, 4)), 8)
    out = case.apply(clip, planes=[1])
    for n in range(4):
        with clip.get_frame(n) as before, out.get_frame(n) as after:
            for p in (0, 2):
                assert before.get_read_ptr(p).value == after.get_read_ptr(p).value


@pytest.mark.parametrize(
    ("name", "argument", "args", "values"),
    [(name, argument, args, values) for name, argument, args, rows in ARRAYS for values in rows],
    ids=str,
)
@pytest.mark.parametrize("planes", [[0, 1, 2], [2], [1, 2]], ids=str)
def test_array_is_indexed_by_plane_number(
    core: Any,
    rng: np.random.Generator,
    name: str,
    argument: str,
    args: dict[str, Any],
    values: list[float],
    planes: list[int],
) -> None:
    """By the number of the plane, not by its place in `planes`; the last value repeats."""
    video = Video("YUV444P8", 37, 21)
    frames = random_frames(rng, video, 4)
    clip = make_clip(video, frames)
    function = getattr(core.vdiff, name)
    result = read(function(clip, planes=planes, **args, **{argument: values}))
    single = {p: read(function(clip, **args, **{argument: of_plane(values, p)})) for p in planes}
    wanted = [[single[p][n][p] if p in planes else frames[n][p] for p in range(3)] for n in range(4)]
    assert_same(result, wanted)
