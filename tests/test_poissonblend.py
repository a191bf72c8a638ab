"""PoissonBlend: exact solutions, a sparse direct solver, what stays, masks of all kinds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import vapoursynth as vs
from numpy.typing import NDArray

from cases import Holes, filter_cases, holes
from reference import Real
from reference.poisson import Mask, blend, union
from support import (
    FORMATS,
    Video,
    assert_same,
    fingerprint,
    gray,
    make_clip,
    random_frames,
    read,
    read_frame,
    read_gray,
)

HEIGHT, WIDTH = 61, 87
TOLERANCE = 0.25 / 255
"""What the solution may be off by, in float."""
Field = Callable[[Real, Real], Real]


def mask_clip(mask: Mask, name: str = "GRAY8", length: int = 1) -> Any:
    """A mask as a clip, its peak where it is True."""
    video = Video(name, mask.shape[1], mask.shape[0])
    samples = video.samples(0)
    plane = (mask * samples.peak).astype(samples.dtype)
    rest = [np.full(video.shape(p), samples.peak / 2).astype(samples.dtype) for p in video.planes if p > 0]
    return make_clip(video, [[plane, *rest]] * length)


def apply(picture: NDArray[Any], overlay: NDArray[Any], mask: Mask, **args: Any) -> Real:
    """The filter on float pictures."""
    clips = [gray(each.astype(np.float32)) for each in (picture, overlay)]
    return read_gray(vs.core.vdiff.PoissonBlend(*clips, mask_clip(mask), **args))


def grid() -> tuple[Real, Real]:
    """Coordinates of pixels, in the order of x, y, -1 to 1 along the longer side."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    return (x - WIDTH / 2) / (WIDTH / 2), (y - HEIGHT / 2) / (WIDTH / 2)


def box(top: int = 9, bottom: int = 52, left: int = 12, right: int = 80) -> Mask:
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[top:bottom, left:right] = True
    return mask


def disc(radius: float = 25.0) -> Mask:
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    return np.asarray((x - WIDTH / 2) ** 2 + (y - HEIGHT / 2) ** 2 < radius**2)


def comb() -> Mask:
    """One region that winds, and holes in it."""
    mask = box()
    mask[9:48:6, 12:74] = False
    mask[12:52:6, 18:80] = False
    return mask


MASKS = {
    "box": box(),
    "disc": disc(),
    "comb": comb(),
    "holes": holes(HEIGHT, WIDTH),
    "corner": box(0, 40, 0, 50),
    "side": box(0, HEIGHT, 30, WIDTH),
    "all but one": np.arange(HEIGHT * WIDTH).reshape(HEIGHT, WIDTH) != 1234,
    "one": np.arange(HEIGHT * WIDTH).reshape(HEIGHT, WIDTH) == 1234,
    "line": box(30, 31, 0, 80),
    "none": np.zeros((HEIGHT, WIDTH), bool),
}
every_mask = pytest.mark.parametrize("mask", MASKS.values(), ids=MASKS)


# Reference


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("case", filter_cases("PoissonBlend"), ids=str)
def test_parity(core: Any, rng: np.random.Generator, case: Any, name: str) -> None:
    """Of a size beside those of test_formats."""
    video = Video(name, 67, 45)
    case.check(video, random_frames(rng, video, 2))


@every_mask
@pytest.mark.parametrize("mixed", [0, 1])
def test_direct_solver(core: Any, rng: np.random.Generator, mask: Mask, mixed: int) -> None:
    """Of noise on large patches, which takes long and short waves."""
    patches = [np.kron(rng.uniform(0, 0.7, (9, 13)), np.ones((7, 7)))[:HEIGHT, :WIDTH] for _ in range(2)]
    picture, overlay = ((each + rng.uniform(0, 0.3, each.shape)).astype(np.float32) for each in patches)
    wanted = blend(picture.astype(np.float64), overlay.astype(np.float64), mask, bool(mixed), 1 / (255 * 1024))
    error = np.abs(apply(picture, overlay, mask, mixed=mixed) - wanted)
    print(error.max() * 255)
    assert error.max() <= TOLERANCE


def test_large_region(core: Any, rng: np.random.Generator) -> None:
    """The number of iterations does not grow: nor does the error."""
    height, width = 400, 700
    mask = np.zeros((height, width), bool)
    mask[3:-5, 2:-1] = True
    picture = np.kron(rng.uniform(0, 1, (4, 7)), np.ones((100, 100))).astype(np.float32)
    wanted = blend(picture.astype(np.float64), np.zeros((height, width)), mask)
    error = np.abs(apply(picture, np.zeros_like(picture), mask) - wanted)
    print(error.max() * 255)
    assert error.max() <= TOLERANCE


# Mathematics


HARMONIC: dict[str, Field] = {
    "1": lambda x, y: 0 * x + 0.4,
    "x": lambda x, y: 0.5 + 0.4 * x,
    "y": lambda x, y: 0.5 - 0.6 * y,
    "xy": lambda x, y: 0.5 + 0.7 * x * y,
    "x2-y2": lambda x, y: 0.4 + 0.5 * (x**2 - y**2),
    "x3-3xy2": lambda x, y: 0.5 + 0.4 * (x**3 - 3 * x * y**2),
    "x3y-xy3": lambda x, y: 0.5 + 0.7 * (x**3 * y - x * y**3),
}


@pytest.mark.parametrize("field", HARMONIC.values(), ids=HARMONIC)
@pytest.mark.parametrize("mask", [box(), disc(), comb(), holes(HEIGHT, WIDTH)], ids=["box", "disc", "comb", "holes"])
def test_flat_overlay_gives_the_harmonic_function(core: Any, field: Field, mask: Mask) -> None:
    """What is in the mask does not count: these functions solve Laplace's equation on the grid, too."""
    inside = mask.copy()
    inside[[0, -1]] = False  # where the frame ends, nothing crosses its border, which these functions do
    inside[:, [0, -1]] = False
    picture = field(*grid())
    ruined = np.where(inside, 0.9 - picture, picture)
    assert np.abs(apply(ruined, np.full_like(picture, 0.3), inside) - picture).max() <= TOLERANCE


@every_mask
def test_overlay_that_differs_by_a_constant_changes_nothing(core: Any, rng: np.random.Generator, mask: Mask) -> None:
    picture = rng.uniform(0, 0.5, (HEIGHT, WIDTH)).astype(np.float32)
    result = apply(picture, picture + np.float32(0.4), mask)
    assert np.abs(result - picture).max() <= TOLERANCE


@every_mask
def test_mixed_with_a_flat_overlay_changes_nothing(core: Any, rng: np.random.Generator, mask: Mask) -> None:
    """The clip's own differences are the stronger ones everywhere."""
    picture = rng.uniform(0, 1, (HEIGHT, WIDTH)).astype(np.float32)
    assert np.abs(apply(picture, np.full_like(picture, 0.6), mask, mixed=1) - picture).max() <= TOLERANCE


def test_maximum_and_minimum_are_at_the_border(core: Any, rng: np.random.Generator) -> None:
    """With a flat overlay, of what is around each region."""
    picture = rng.uniform(0.2, 0.8, (HEIGHT, WIDTH)).astype(np.float32)
    mask = disc()
    picture[mask] = rng.uniform(0, 1, int(mask.sum()))
    ring = ~mask & (np.roll(mask, 1, 0) | np.roll(mask, -1, 0) | np.roll(mask, 1, 1) | np.roll(mask, -1, 1))
    inside = apply(picture, np.zeros_like(picture), mask)[mask]
    assert picture[ring].min() - TOLERANCE <= inside.min() < inside.max() <= picture[ring].max() + TOLERANCE


@every_mask
def test_symmetries(core: Any, rng: np.random.Generator, mask: Mask) -> None:
    """Of the square, within the tolerance: the grids of coarse levels are not symmetric."""
    picture, overlay = (rng.uniform(0, 1, (HEIGHT, WIDTH)).astype(np.float32) for _ in range(2))
    wanted = apply(picture, overlay, mask)
    for turn in (np.fliplr, np.flipud, np.transpose):
        turned = apply(np.ascontiguousarray(turn(picture)), np.ascontiguousarray(turn(overlay)), turn(mask))
        assert np.abs(turn(turned) - wanted).max() <= 2 * TOLERANCE


def test_regions_do_not_know_of_each_other(core: Any, rng: np.random.Generator) -> None:
    """Each has the same bytes as alone, also where one lies in another's box."""
    picture, overlay = (rng.uniform(0, 1, (HEIGHT, WIDTH)).astype(np.float32) for _ in range(2))
    first, second = box() & ~box(12, 49, 15, 77), box(20, 40, 30, 60)
    both = apply(picture, overlay, first | second)
    assert np.array_equal(both[first], apply(picture, overlay, first)[first])
    assert np.array_equal(both[second], apply(picture, overlay, second)[second])


# What stays


@pytest.mark.parametrize("name", FORMATS)
def test_unmasked_pixels_stay(core: Any, rng: np.random.Generator, name: str) -> None:
    """To the byte, in every format and plane; and what is in the mask is not what was there."""
    video = Video(name, 64, 48)
    clip, overlay = (make_clip(video, random_frames(rng, video, 1)) for _ in range(2))
    mask = holes(video.height, video.width)
    before, after = read_frame(clip, 0), read_frame(core.vdiff.PoissonBlend(clip, overlay, mask_clip(mask)), 0)
    for p in video.planes:
        covered = union(mask, video.samples(p).subsampling)
        assert before[p][~covered].tobytes() == after[p][~covered].tobytes()
        assert np.mean(before[p][covered] != after[p][covered]) > 0.8


def test_nothing_masked_is_not_copied(core: Any, rng: np.random.Generator) -> None:
    video = Video("YUV420P8", 64, 48)
    clip, overlay = (make_clip(video, random_frames(rng, video, 1)) for _ in range(2))
    result = core.vdiff.PoissonBlend(clip, overlay, mask_clip(np.zeros((48, 64), bool)))
    assert_same(read(result), read(clip))


# Masks


@pytest.mark.parametrize("name", ["GRAY8", "GRAY10", "GRAY16", "GRAYH", "GRAYS", "YUV420P8", "YUV444P16", "RGBS"])
def test_formats_of_masks(core: Any, rng: np.random.Generator, name: str) -> None:
    """Of any format: the first plane counts, and in it what is not 0, however small."""
    video = Video("YUV422P10", 64, 48)
    clip, overlay = (make_clip(video, random_frames(rng, video, 2)) for _ in range(2))
    mask = holes(48, 64)
    wanted = read(core.vdiff.PoissonBlend(clip, overlay, mask_clip(mask)))
    assert_same(read(core.vdiff.PoissonBlend(clip, overlay, mask_clip(mask, name))), wanted)
    faint = core.std.Expr(mask_clip(mask, name), "x 0 > 1 0 ?" if name[-1] not in "HS" else "x 0 > 0.0001 0 ?")
    assert_same(read(core.vdiff.PoissonBlend(clip, overlay, faint)), wanted)


@pytest.mark.parametrize(("name", "dtype"), [("GRAYH", np.float16), ("GRAYS", np.float32)])
def test_zeros_and_no_numbers_in_masks(core: Any, rng: np.random.Generator, name: str, dtype: Any) -> None:
    """-0 is 0; what is below 0, infinite or NaN is not."""
    values = np.array([0.0, -0.0, -1.0, np.inf, np.nan, 1e-7], dtype)
    plane = np.zeros((20, 30), dtype)
    plane[5, 3:27:4] = values
    clip, overlay = (gray(rng.uniform(0, 1, (20, 30)).astype(np.float32)) for _ in range(2))
    changed = read_gray(core.vdiff.PoissonBlend(clip, overlay, gray(plane, name=name))) != read_gray(clip)
    assert changed[5, 3:27:4].tolist() == [False, False, True, True, True, True]


@pytest.mark.parametrize("name", ["YUV420P8", "YUV411P8", "YUV410P8", "YUV440P8"])
def test_chroma_takes_the_union(core: Any, rng: np.random.Generator, name: str) -> None:
    """One luma pixel masks the chroma pixel that covers it, and no other."""
    video = Video(name, 32, 24)
    clip, overlay = (make_clip(video, random_frames(rng, video, 1)) for _ in range(2))
    for x, y in ((0, 0), (13, 7), (31, 23)):
        mask = np.zeros((24, 32), bool)
        mask[y, x] = True
        before, after = read_frame(clip, 0), read_frame(core.vdiff.PoissonBlend(clip, overlay, mask_clip(mask)), 0)
        for p in video.planes:
            across, down = video.samples(p).subsampling
            changed = before[p] != after[p]
            assert changed.sum() <= 1
            assert changed[y // down, x // across] or not changed.any()
            assert union(mask, (across, down))[y // down, x // across]


def test_mask_of_each_frame(core: Any, rng: np.random.Generator) -> None:
    video = Video("YUV420P8", 48, 40)
    clip, overlay = (make_clip(video, random_frames(rng, video, 3)) for _ in range(2))
    masks = [holes(40, 48), np.zeros((40, 48), bool), np.roll(holes(40, 48), 5, 1) & holes(40, 48)]
    many = core.std.Splice([mask_clip(mask) for mask in masks])
    found = read(core.vdiff.PoissonBlend(clip, overlay, many))
    for n, mask in enumerate(masks):
        wanted = read(core.vdiff.PoissonBlend(clip[n], overlay[n], mask_clip(mask)))[0]
        assert fingerprint(found[n]) == fingerprint(wanted)


def test_shorter_overlay_holds_its_last_frame(core: Any, rng: np.random.Generator) -> None:
    video = Video("YUV444P8", 48, 40)
    clip, overlay = (make_clip(video, random_frames(rng, video, 4)) for _ in range(2))
    found = read(core.vdiff.PoissonBlend(clip, overlay[:2], Holes()(clip)))
    assert_same(found, read(core.vdiff.PoissonBlend(clip, overlay[:2] + overlay[1] * 2, Holes()(clip))))


# Errors


@pytest.mark.parametrize(("name", "width"), [("GRAY8", 48), ("YUV420P8", 48), ("GRAYS", 1)])
def test_mask_that_covers_everything(core: Any, name: str, width: int) -> None:
    """Is an error of that frame alone."""
    height = width * 5 // 6 if width > 1 else 1
    clip = core.std.BlankClip(format=getattr(vs, name), width=width, height=height, length=3)
    full, empty = (mask_clip(np.full((height, width), value)) for value in (True, False))
    result = core.vdiff.PoissonBlend(clip, clip, core.std.Splice([empty, full, empty]))
    for n in (0, 2):
        assert_same([read_frame(result, n)], [read_frame(clip, n)])
    with pytest.raises(vs.Error, match=r"^PoissonBlend: frame 1, plane 0: the mask covers the whole of it"):
        result.get_frame(1)
    result.get_frame(2).close()


def test_mask_that_covers_all_of_chroma(core: Any) -> None:
    """By one luma pixel for each; luma alone can be had."""
    clip = core.std.BlankClip(format=vs.YUV420P8, width=48, height=40, length=1)
    mask = np.zeros((40, 48), bool)
    mask[::2, ::2] = True
    with pytest.raises(vs.Error, match=r"^PoissonBlend: frame 0, plane 1: the mask covers the whole of it"):
        core.vdiff.PoissonBlend(clip, clip, mask_clip(mask)).get_frame(0)
    core.vdiff.PoissonBlend(clip, clip, mask_clip(mask), planes=0).get_frame(0).close()


def test_blocks_of_memory_keep_their_size(threads: Any) -> None:
    """Each serves one purpose: frames after the first ones take no more memory."""
    threads.num_threads = 1
    clip = threads.std.BlankClip(format=vs.GRAY8, width=700, height=700, length=12, keep=True)
    mask = np.zeros((700, 700), bool)
    mask[1:-1, 1:-1] = True
    result = threads.vdiff.PoissonBlend(clip, clip, mask_clip(mask))
    pages = []
    for n in range(12):
        result.get_frame(n).close()
        pages.append(int(Path("/proc/self/statm").read_text().split()[1]))
    grid = 700 * 700 * 57 // 4096
    print(pages, grid)
    assert max(pages[1:]) - pages[0] < grid / 2


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            {"overlay": {"width": 40}},
            r"overlay must have the format and size of clip, YUV420P8 48x40, got YUV420P8 40x40",
        ),
        ({"overlay": {"format": vs.YUV444P8}}, r"overlay must have the format and size of clip, YUV420P8 .* YUV444P8"),
        ({"overlay": {"format": vs.GRAY32}}, r"overlay must be constant format 8\.\.16 bit"),
        ({"mask": {"format": vs.GRAY8, "width": 46}}, r"mask must have the size of clip, 48x40, got 46x40"),
        ({"mask": {"format": vs.GRAY8, "length": 2}}, r"mask must have 1 frame or as many as clip, 3, got 2"),
        ({"mask": {"format": vs.GRAY8, "length": 4}}, r"mask must have 1 frame or as many as clip, 3, got 4"),
        ({"mask": {"format": vs.GRAY32}}, r"mask must be constant format 8\.\.16 bit"),
    ],
)
def test_bad_clips(core: Any, given: dict[str, Any], message: str) -> None:
    clip = core.std.BlankClip(format=vs.YUV420P8, width=48, height=40, length=3)
    clips = {name: core.std.BlankClip(clip, **given.get(name, {})) for name in ("overlay", "mask")}
    with pytest.raises(vs.Error, match=f"^PoissonBlend: {message}"):
        core.vdiff.PoissonBlend(clip, **clips)


@pytest.mark.parametrize("value", [-1, 2, 2**32])
def test_bad_mixed(core: Any, value: int) -> None:
    clip = core.std.BlankClip(format=vs.GRAY8, width=48, height=40, length=3)
    with pytest.raises(vs.Error, match=rf"^PoissonBlend: mixed must be 0\.\.\.1, got {value}\."):
        core.vdiff.PoissonBlend(clip, clip, Holes()(clip), mixed=value)


def test_no_number_stays_in_its_region(core: Any, rng: np.random.Generator) -> None:
    """NaN beside a region spreads in it, and not beyond."""
    picture, overlay = (rng.uniform(0, 1, (HEIGHT, WIDTH)).astype(np.float32) for _ in range(2))
    first, second = box(5, 20, 5, 30), box(30, 50, 40, 80)
    picture[12, 4] = np.nan
    result = apply(picture, overlay, first | second)
    assert np.isnan(result[first]).any()
    assert not np.isnan(result[second]).any()
    assert np.isnan(result[~(first | second)]).sum() == 1
