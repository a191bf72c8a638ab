"""Inpaint: exact solutions, sparse direct solvers, edges that are carried on, still scenes, what stays, masks."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
import vapoursynth as vs
from numpy.typing import NDArray

from cases import Holes, filter_cases, holes
from reference import Real
from reference.inpaint import biharmonic, eed, harmonic, margin, still
from reference.poisson import Mask, union
from support import (
    FORMATS,
    Video,
    assert_same,
    fingerprint,
    gray,
    make_clip,
    planes_of,
    random_frames,
    read,
    read_frame,
    read_gray,
    uncached,
)
from test_poissonblend import (
    HARMONIC,
    HEIGHT,
    MASKS,
    TOLERANCE,
    WIDTH,
    Field,
    box,
    comb,
    disc,
    every_mask,
    grid,
    mask_clip,
)

MODES = ["harmonic", "biharmonic", "eed"]
every_mode = pytest.mark.parametrize("mode", MODES)
SOLVERS: dict[str, Callable[[Real, Mask], Real]] = {"harmonic": harmonic, "biharmonic": biharmonic}


def masks_clip(masks: list[Mask]) -> Any:
    """A mask of several frames."""
    return vs.core.std.Splice([mask_clip(mask) for mask in masks])


def apply(picture: NDArray[Any], mask: Mask, **args: Any) -> Real:
    """The filter on a float picture."""
    return read_gray(vs.core.vdiff.Inpaint(gray(picture.astype(np.float32)), mask_clip(mask), **args))


def patches(rng: np.random.Generator, height: int = HEIGHT, width: int = WIDTH) -> NDArray[np.float32]:
    """Noise on large patches, which takes long and short waves."""
    large = np.kron(rng.uniform(0, 0.7, (height // 7 + 1, width // 7 + 1)), np.ones((7, 7)))[:height, :width]
    return (large + rng.uniform(0, 0.3, (height, width))).astype(np.float32)


# References


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("case", filter_cases("Inpaint"), ids=str)
def test_parity(core: Any, rng: np.random.Generator, case: Any, name: str) -> None:
    """Of a size beside those of test_formats."""
    video = Video(name, 67, 45)
    case.check(video, random_frames(rng, video, 3 if case.args.get("temporal") else 1))


@every_mask
@pytest.mark.parametrize("mode", SOLVERS)
def test_direct_solver(core: Any, rng: np.random.Generator, mask: Mask, mode: str) -> None:
    picture = patches(rng)
    error = np.abs(apply(picture, mask, mode=mode) - SOLVERS[mode](picture.astype(np.float64), mask))
    print(error.max() * 255)
    assert error.max() <= TOLERANCE


@pytest.mark.parametrize("mode", SOLVERS)
@pytest.mark.parametrize("share", [0.02, 0.2, 0.6, 0.9])
def test_random_masks(core: Any, rng: np.random.Generator, share: float, mode: str) -> None:
    """Of lone pixels, of regions that wind, of all but some."""
    picture = patches(rng)
    mask = rng.uniform(size=picture.shape) < share
    error = np.abs(apply(picture, mask, mode=mode) - SOLVERS[mode](picture.astype(np.float64), mask))
    print(error.max() * 255)
    assert error.max() <= TOLERANCE


@pytest.mark.parametrize("mode", SOLVERS)
@pytest.mark.parametrize("width", [50, 34, 98, 63])
def test_frame_is_continued(core: Any, rng: np.random.Generator, width: int, mode: str) -> None:
    """Of each border and corner, a hole of many widths: nothing crosses the border."""
    picture = patches(rng, 66, 100)
    right, corner = np.zeros((66, 100), bool), np.zeros((66, 100), bool)
    right[:, -width:] = corner[20:, -width:] = True
    for mask in (right, right[:, ::-1], corner, corner[::-1], corner[:, ::-1]):
        error = np.abs(apply(picture, mask, mode=mode) - SOLVERS[mode](picture.astype(np.float64), mask))
        assert error.max() <= TOLERANCE
    turned = SOLVERS[mode](picture.T.astype(np.float64), corner.T)
    assert np.abs(apply(picture.T, corner.T, mode=mode) - turned).max() <= TOLERANCE


@pytest.mark.parametrize("mode", SOLVERS)
@pytest.mark.parametrize(("height", "width"), [(1, 300), (2, 240), (3, 77), (8, 240), (300, 1)])
def test_thin_planes(core: Any, rng: np.random.Generator, height: int, width: int, mode: str) -> None:
    """Known at one end, which is all that tells."""
    picture, mask = patches(rng, height, width), np.ones((height, width), bool)
    mask[(slice(None), slice(0, 3)) if width > 1 else slice(0, 3)] = False
    error = np.abs(apply(picture, mask, mode=mode) - SOLVERS[mode](picture.astype(np.float64), mask))
    print(error.max() * 255)
    assert error.max() <= TOLERANCE


@pytest.mark.parametrize("mode", SOLVERS)
def test_scratches_side_by_side(core: Any, rng: np.random.Generator, mode: str) -> None:
    """Regions whose boxes are one another's are solved at once; a full one among them alone."""
    picture = patches(rng, 120, 150)
    y, x = np.mgrid[0:120, 0:150]
    mask = ((x + y) % 30 < 2) & (abs(x - y) < 70)
    mask[40:60, 62:72] = True
    error = np.abs(apply(picture, mask, mode=mode) - SOLVERS[mode](picture.astype(np.float64), mask))
    print(error.max() * 255)
    assert error.max() <= TOLERANCE


@pytest.mark.parametrize("mode", SOLVERS)
def test_tolerance(core: Any, rng: np.random.Generator, mode: str) -> None:
    """A smaller one is kept, too; a larger one leaves more."""
    picture, mask = patches(rng), disc()
    wanted = SOLVERS[mode](picture.astype(np.float64), mask)
    errors = [np.abs(apply(picture, mask, mode=mode, tol=tol) - wanted).max() * 255 for tol in (0.005, 0.25, 50.0)]
    print(errors)
    assert errors[0] <= 0.005
    assert errors[1] <= 0.25 < errors[2] <= 50


@pytest.mark.parametrize("mode", SOLVERS)
def test_large_region(core: Any, rng: np.random.Generator, mode: str) -> None:
    """Solved to the same error."""
    height, width = 120, 210
    mask = np.zeros((height, width), bool)
    mask[3:-5, 2:-1] = True
    picture = np.kron(rng.uniform(0, 1, (2, 4)), np.ones((100, 100))).astype(np.float32)[:height, :width]
    error = np.abs(apply(picture, mask, mode=mode) - SOLVERS[mode](picture.astype(np.float64), mask))
    print(error.max() * 255)
    assert error.max() <= TOLERANCE


@every_mask
def test_eed_reference(core: Any, rng: np.random.Generator, mask: Mask) -> None:
    picture = patches(rng)
    for args in ({"k": 2.0, "sigma": 1.0}, {"k": 9.0, "sigma": 0.5}):
        wanted = eed(picture.astype(np.float64), mask, args["k"] / 255, args["sigma"])
        error = np.abs(apply(picture, mask, mode="eed", **args) - wanted)
        assert error.max() * 255 <= 0.05


def test_eed_of_sets_that_are_far_apart(core: Any, rng: np.random.Generator) -> None:
    """One lies in the box of the other, whose two arms are too far from it to count."""
    picture, far = patches(rng, 80, 90), margin(1.0) + 1
    mask = np.zeros((80, 90), bool)
    mask[2:70, 3:6] = mask[2:5, 3:80] = True
    mask[40:50, 5 + far : 60] = True
    wanted = eed(picture.astype(np.float64), mask, 2.0 / 255, 1.0)
    assert np.abs(apply(picture, mask, mode="eed") - wanted).max() * 255 <= 0.05


# Mathematics


BIHARMONIC: dict[str, Field] = {
    "1": lambda x, y: 0 * x + 0.4,
    "x": lambda x, y: 0.5 + 0.4 * x,
    "y": lambda x, y: 0.5 - 0.6 * y,
    "x2": lambda x, y: 0.2 + 0.6 * x**2,
    "xy": lambda x, y: 0.5 + 0.7 * x * y,
    "x2+y2": lambda x, y: 0.3 + 0.4 * (x**2 + y**2),
    "x3": lambda x, y: 0.5 + 0.4 * x**3,
    "x2y": lambda x, y: 0.5 + 0.6 * x**2 * y,
    "xy2": lambda x, y: 0.5 + 0.6 * x * y**2,
    "y3": lambda x, y: 0.5 - 0.9 * y**3,
    "x3y": lambda x, y: 0.5 + 0.7 * x**3 * y,
    "x4-6x2y2+y4": lambda x, y: 0.5 + 0.3 * (x**4 - 6 * x**2 * y**2 + y**4),
}
INNER = [box(), disc(), comb(), holes(HEIGHT, WIDTH)]
inner_masks = pytest.mark.parametrize("mask", INNER, ids=["box", "disc", "comb", "holes"])


def away_from_the_border(mask: Mask, ring: int) -> Mask:
    """Where the frame ends, nothing crosses its border, which polynomials do."""
    inside = np.zeros_like(mask)
    inside[ring:-ring, ring:-ring] = mask[ring:-ring, ring:-ring]
    return inside


@inner_masks
@pytest.mark.parametrize("field", HARMONIC.values(), ids=HARMONIC)
def test_harmonic_functions(core: Any, field: Field, mask: Mask) -> None:
    """They solve Laplace's equation on the grid, too, wherever a ring of one pixel is known."""
    inside, picture = away_from_the_border(mask, 1), field(*grid())
    ruined = np.where(inside, 0.9 - picture, picture)
    assert np.abs(apply(ruined, inside) - picture).max() <= TOLERANCE


@inner_masks
@pytest.mark.parametrize("field", BIHARMONIC.values(), ids=BIHARMONIC)
def test_biharmonic_functions(core: Any, field: Field, mask: Mask) -> None:
    """A ring of two pixels is known."""
    inside, picture = away_from_the_border(mask, 2), field(*grid())
    ruined = np.where(inside, 0.9 - picture, picture)
    assert np.abs(apply(ruined, inside, mode="biharmonic") - picture).max() <= TOLERANCE


def test_what_the_equations_do_not_solve(core: Any) -> None:
    """x^4 - 6 x^2 y^2 + y^4 is harmonic, but not on the grid, and x^4 is not biharmonic; nor is x^2 harmonic."""
    x, _ = grid()
    for mode, picture in (("harmonic", 0.2 + 0.6 * x**2), ("biharmonic", 0.2 + 0.6 * x**4)):
        error = np.abs(apply(picture, disc(), mode=mode) - picture)
        assert error.max() > 4 * TOLERANCE


def test_maximum_and_minimum_are_at_the_border(core: Any, rng: np.random.Generator) -> None:
    """`harmonic`: of what is around each region."""
    picture, mask = rng.uniform(0.2, 0.8, (HEIGHT, WIDTH)).astype(np.float32), disc()
    picture[mask] = rng.uniform(0, 1, int(mask.sum()))
    ring = ~mask & (np.roll(mask, 1, 0) | np.roll(mask, -1, 0) | np.roll(mask, 1, 1) | np.roll(mask, -1, 1))
    inside = apply(picture, mask)[mask]
    assert picture[ring].min() - TOLERANCE <= inside.min() < inside.max() <= picture[ring].max() + TOLERANCE


@pytest.mark.parametrize("k", [0.5, 2.0, 50.0])
def test_eed_stays_within_what_is_known(core: Any, rng: np.random.Generator, k: float) -> None:
    """Of its box."""
    picture, mask = rng.uniform(0.2, 0.8, (HEIGHT, WIDTH)).astype(np.float32), holes(HEIGHT, WIDTH)
    known, found = picture[~mask], apply(picture, mask, mode="eed", k=k)[mask]
    assert known.min() <= found.min() < found.max() <= known.max()


EDGES: dict[str, tuple[Field, Mask]] = {}
Y, X = np.mgrid[0:96, 0:96] - 47.5
HOLE = (np.abs(Y) < 14) & (np.abs(X) < 14)


def straight(angle: int) -> Field:
    """An edge through the origin."""
    c, s = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    return lambda x, y: 0.2 + 0.5 * np.clip(c * x + s * y + 0.5, 0, 1)


for angle in (0, 20, 45, 70, 90, 160):
    EDGES[f"edge at {angle}"] = straight(angle), HOLE
EDGES["disc"] = (lambda x, y: 0.2 + 0.5 * np.clip(40.5 - np.hypot(x + 40, y), 0, 1)), HOLE
EDGES["disc, darker"] = (lambda x, y: 0.7 - 0.5 * np.clip(30.5 - np.hypot(x, y + 30), 0, 1)), HOLE


@pytest.mark.parametrize(("field", "mask"), EDGES.values(), ids=EDGES)
def test_eed_carries_edges_across(core: Any, field: Field, mask: Mask) -> None:
    """With less than a quarter of harmonic's mean error."""
    picture = field(X, Y)
    errors = {mode: np.abs(apply(picture, mask, mode=mode) - picture)[mask].mean() for mode in MODES}
    print({mode: error / errors["harmonic"] for mode, error in errors.items()})
    assert errors["eed"] < 0.25 * errors["harmonic"]


@pytest.mark.parametrize("mode", SOLVERS)
@pytest.mark.parametrize("mask", [box(), comb(), holes(HEIGHT, WIDTH), MASKS["corner"]])
def test_symmetries(core: Any, rng: np.random.Generator, mask: Mask, mode: str) -> None:
    """Of the square, within the tolerance: the grids of coarse levels are not symmetric."""
    picture = patches(rng)
    wanted = apply(picture, mask, mode=mode)
    for turn in (np.fliplr, np.flipud, np.transpose):
        turned = apply(np.ascontiguousarray(turn(picture)), np.ascontiguousarray(turn(mask)), mode=mode)
        assert np.abs(turn(turned) - wanted).max() <= 2 * TOLERANCE


# Other frames


def drifting(rng: np.random.Generator, count: int) -> Real:
    """A still picture whose right third moves, each frame a little brighter, float32 values."""
    left, right = patches(rng, 60, 90).astype(np.float64), patches(rng, 60, 90 + 9 * count).astype(np.float64)
    frames = []
    for n in range(count):
        frame = left.copy()
        frame[:, 60:] = right[:, 9 * n + 60 : 9 * n + 90]
        frames.append(frame + 0.0001 * n)
    return np.stack(frames).astype(np.float32).astype(np.float64)


def dirt(rng: np.random.Generator, count: int, height: int = 60, width: int = 90) -> NDArray[np.bool_]:
    """Blots at other places in each frame."""
    masks = np.zeros((count, height, width), bool)
    for mask in masks:
        for _ in range(12):
            y, x, size = rng.integers(0, height - 9), rng.integers(0, width - 9), rng.integers(1, 9)
            mask[y : y + size, x : x + size + 3] = True
    return masks


@pytest.mark.parametrize(("temporal", "mode"), [(1, "harmonic"), (2, "eed"), (2, "biharmonic"), (5, "harmonic")])
def test_temporal_reference(core: Any, rng: np.random.Generator, temporal: int, mode: str) -> None:
    """At the ends of the clip and of its scenes, too."""
    clip, masks, starts = drifting(rng, 7), dirt(rng, 7), (3,)
    found = read(
        core.vdiff.Inpaint(gray(*clip, starts=starts), masks_clip(list(masks)), mode=mode, temporal=temporal, tol=0.02)
    )
    solvers: dict[str, Callable[[Real, Mask], Real]] = {**SOLVERS, "eed": partial(eed, contrast=2 / 255, sigma=1.0)}
    shown = 0
    for n in range(7):
        scene = range(0, 3) if n < 3 else range(3, 7)
        picture, rest = still(clip, masks, n, scene, temporal, 2 * 2 / 255)
        shown += int((masks[n] & ~rest).sum())
        error = np.abs(found[n][0] - solvers[mode](picture, rest))
        print(n, int(masks[n].sum()), int(rest.sum()), error.max() * 255)
        assert error.max() * 255 <= (0.05 if mode == "harmonic" else 0.3)
    assert 0.2 < shown / masks.sum() < 0.8


@every_mode
def test_still_scene_comes_back(core: Any, rng: np.random.Generator, mode: str) -> None:
    """Whatever is in a hole, if another frame shows it; also one that is brighter."""
    picture = patches(rng)
    ruined, mask = np.where(box(), 0.0, picture), box()
    none = np.zeros_like(mask)
    for change in (0.0, 1.5 / 255):
        clip = gray(ruined, picture + np.float32(change))
        found = read_gray(core.vdiff.Inpaint(clip, masks_clip([mask, none]), mode=mode, temporal=1))
        assert np.abs(found - picture).max() <= TOLERANCE


@every_mode
def test_no_number_of_another_frame_is_nothing(core: Any, rng: np.random.Generator, mode: str) -> None:
    """As if it were masked there."""
    picture, mask, blot = patches(rng), box(20, 40, 20, 50), box(25, 30, 30, 35)
    none = np.zeros_like(mask)
    results = []
    for spoilt, covered in ((np.nan, none), (0.5, blot)):
        clip = gray(np.where(mask, 0, picture), np.where(blot, np.float32(spoilt), picture))
        results.append(read_frame(core.vdiff.Inpaint(clip, masks_clip([mask, covered]), mode=mode, temporal=1), 0))
    assert_same(results[:1], results[1:])


def test_temporal_and_a_mask_of_one_frame(core: Any, rng: np.random.Generator) -> None:
    """What is masked in all frames no frame shows."""
    clip, mask = gray(*[patches(rng) for _ in range(3)]), mask_clip(disc())
    assert_same(read(core.vdiff.Inpaint(clip, mask, temporal=2)), read(core.vdiff.Inpaint(clip, mask)))


@every_mode
def test_what_moves_is_not_believed(core: Any, rng: np.random.Generator, mode: str) -> None:
    """The bytes are those of the frame alone."""
    clip, mask = [rng.uniform(0, 1, (HEIGHT, WIDTH)) for _ in range(3)], disc()
    masks = masks_clip([np.zeros_like(mask), mask, np.zeros_like(mask)])
    found = read_frame(core.vdiff.Inpaint(gray(*clip), masks, mode=mode, temporal=1), 1)
    assert_same([found], [read_frame(core.vdiff.Inpaint(gray(clip[1]), mask_clip(mask), mode=mode), 0)])


def test_cut_is_not_looked_across(core: Any, rng: np.random.Generator) -> None:
    """Though both scenes are the same picture."""
    picture, mask = patches(rng), disc()
    ruined, none = np.where(mask, 0.0, picture), np.zeros_like(mask)
    for starts, there in ([], True), ([1], False), ([2], True), ([1, 2], False), ([0], True):
        clip, masks = gray(picture, ruined, picture, starts=starts), masks_clip([none, mask, none])
        alone = core.vdiff.Inpaint(clip, masks)
        found = core.vdiff.Inpaint(clip, masks, temporal=1)
        after = 2 not in starts
        same = fingerprint(read_frame(found, 1)) == fingerprint(read_frame(alone, 1))
        assert same != (there or after)


@pytest.mark.parametrize("name", ["YUV420P8", "YUV422P10", "GRAYS", "RGB24"])
def test_whole_frame_from_neighbours(core: Any, rng: np.random.Generator, name: str) -> None:
    """The dissolve of the nearest ones, by their distance, whatever moves; the nearest one at a scene's end."""
    video = Video(name, 48, 40)
    frames = random_frames(rng, video, 6)
    full, none = np.ones((40, 48), bool), np.zeros((40, 48), bool)
    clip = make_clip(video, frames, starts=(5,))
    result = read(core.vdiff.Inpaint(clip, masks_clip([none, full, full, none, full, none]), temporal=2))
    for p in video.planes:
        samples = video.samples(p)
        a, b = frames[0][p].astype(np.float64), frames[3][p].astype(np.float64)
        bound = (0.501 if not samples.is_float else 1e-3) * (1 if not samples.is_float else samples.peak)
        for n, wanted in ((1, (2 * a + b) / 3), (2, (a + 2 * b) / 3), (4, b)):
            assert np.abs(result[n][p].astype(np.float64) - wanted).max() <= bound


def test_whole_frame_from_parts(core: Any, rng: np.random.Generator) -> None:
    """What no other frame has is solved for."""
    picture = patches(rng)
    full, half, other = np.ones((HEIGHT, WIDTH), bool), MASKS["side"], box(0, HEIGHT, 20, 40)
    clip = gray(np.where(half, 0, picture), np.zeros_like(picture), np.where(other, 0, picture))
    found = read_gray(core.vdiff.Inpaint(clip, masks_clip([half, full, other]), temporal=1), 1)
    wanted = harmonic(picture.astype(np.float64), half & other)
    assert np.abs(found - wanted).max() <= TOLERANCE
    assert np.abs(found - picture)[~(half & other)].max() <= 1e-6


# What stays


@every_mode
@pytest.mark.parametrize("name", FORMATS)
def test_unmasked_pixels_stay(core: Any, rng: np.random.Generator, name: str, mode: str) -> None:
    """To the byte, in every format and plane; and what is in the mask is not what was there."""
    video = Video(name, 64, 48)
    clip = make_clip(video, random_frames(rng, video, 1))
    mask = holes(video.height, video.width)
    before, after = read_frame(clip, 0), read_frame(core.vdiff.Inpaint(clip, mask_clip(mask), mode=mode), 0)
    for p in video.planes:
        covered = union(mask, video.samples(p).subsampling)
        assert before[p][~covered].tobytes() == after[p][~covered].tobytes()
        assert np.mean(before[p][covered] != after[p][covered]) > 0.5


@every_mode
def test_what_is_masked_does_not_count(core: Any, rng: np.random.Generator, mode: str) -> None:
    """Not even what is no number; and beside a hole, a number that is none spreads in it alone."""
    picture = patches(rng)
    first, second = box(5, 20, 5, 25), box(35, 50, 40, 80)
    wanted = apply(picture, first | second, mode=mode)
    ruined = picture.copy()
    ruined[first], ruined[second] = np.nan, np.inf
    assert np.array_equal(apply(ruined, first | second, mode=mode), wanted)
    ruined[12, 4] = np.nan
    found = apply(ruined, first | second, mode=mode)
    assert np.isnan(found[first]).any()
    assert np.array_equal(found[second], wanted[second])


@pytest.mark.parametrize("temporal", [0, 2])
def test_nothing_masked_is_not_copied(core: Any, rng: np.random.Generator, temporal: int) -> None:
    video = Video("YUV420P8", 64, 48)
    clip = make_clip(video, random_frames(rng, video, 1))
    result = core.vdiff.Inpaint(clip, mask_clip(np.zeros((48, 64), bool)), temporal=temporal)
    assert_same(read(result), read(clip))


@every_mode
def test_regions_do_not_know_of_each_other(core: Any, rng: np.random.Generator, mode: str) -> None:
    """Each has the same bytes as alone, if they are far enough apart for their mode."""
    picture, far = patches(rng, 90, 120), {"harmonic": 2, "biharmonic": 3, "eed": margin(1.0) + 1}[mode]
    first, second = np.zeros((90, 120), bool), np.zeros((90, 120), bool)
    first[10:40, 10:30] = True
    second[15:60, 29 + far : 29 + far + 20] = True
    both = apply(picture, first | second, mode=mode)
    assert np.array_equal(both[first], apply(picture, first, mode=mode)[first])
    assert np.array_equal(both[second], apply(picture, second, mode=mode)[second])


# Masks


@pytest.mark.parametrize("name", ["GRAY8", "GRAY16", "GRAYH", "GRAYS", "YUV420P8", "YUV422P10", "RGBS"])
def test_formats_of_masks(core: Any, rng: np.random.Generator, name: str) -> None:
    video = Video("YUV422P10", 64, 48)
    clip, mask = make_clip(video, random_frames(rng, video, 1)), holes(48, 64)
    assert_same(read(core.vdiff.Inpaint(clip, mask_clip(mask, name))), read(core.vdiff.Inpaint(clip, mask_clip(mask))))


@every_mode
def test_mask_of_each_frame(core: Any, rng: np.random.Generator, mode: str) -> None:
    video = Video("YUV420P8", 48, 40)
    clip = make_clip(video, random_frames(rng, video, 3))
    masks = [holes(40, 48), np.zeros((40, 48), bool), np.roll(holes(40, 48), 5, 1) & holes(40, 48)]
    found = read(core.vdiff.Inpaint(clip, masks_clip(masks), mode=mode))
    for n, mask in enumerate(masks):
        assert_same([found[n]], read(core.vdiff.Inpaint(clip[n], mask_clip(mask), mode=mode)))


@pytest.mark.parametrize(("mode", "temporal"), [("harmonic", 0), ("eed", 0), ("biharmonic", 1)])
def test_masks_that_come_back(threads: Any, rng: np.random.Generator, mode: str, temporal: int) -> None:
    """What was found in one is kept for the next only if that is the same: held or made anew, in whatever order."""
    threads.num_threads = 3
    video = Video("YUV422P8", 48, 40)
    none, first, second = np.zeros((40, 48), bool), holes(40, 48), box(8, 30, 10, 20)[:40, :48]
    clip, one = make_clip(video, random_frames(rng, video, 1)) * 12, masks_clip([first, second, none, first & second])
    masks = one[0] * 3 + one[1] * 2 + one[0] + one + one[3] * 2
    anew = uncached(masks.std.Expr("x 0 > 255 0 ?"))
    fill = partial(threads.vdiff.Inpaint, clip, mode=mode, temporal=temporal)
    wanted = [fingerprint(read_frame(uncached(fill(mask=masks)), n)) for n in range(12)]
    for mask in (masks, anew):
        out, other = uncached(fill(mask=mask)), uncached(fill(mask=mask))
        order = rng.permutation(24) % 12
        futures = [(n, (out, other)[i % 2].get_frame_async(n)) for i, n in enumerate(order.tolist())]
        del out, other
        for n, future in futures:
            with future.result() as frame:
                assert fingerprint(planes_of(frame)) == wanted[n], f"frame {n}"


# Errors


@every_mode
@pytest.mark.parametrize(("name", "width"), [("GRAY8", 48), ("YUV420P8", 48), ("GRAYS", 1)])
def test_mask_that_covers_everything(core: Any, name: str, width: int, mode: str) -> None:
    """Is an error of that frame alone, and says what would do."""
    height = width * 5 // 6 if width > 1 else 1
    clip = core.std.BlankClip(format=getattr(vs, name), width=width, height=height, length=5)
    masks = masks_clip([np.full((height, width), full) for full in (False, True, True, True, False)])
    ways_out = {0: r"give temporal", 1: r"within temporal: give more"}
    for temporal, bad in (0, (1, 2, 3)), (1, (2,)):
        result = core.vdiff.Inpaint(clip, masks, mode=mode, temporal=temporal)
        for n in range(5):
            if n in bad:
                message = rf"^Inpaint: frame {n}, plane 0: the mask covers the whole of it, .*{ways_out[temporal]}\.$"
                with pytest.raises(vs.Error, match=message):
                    result.get_frame(n)
            else:
                assert_same([read_frame(result, n)], [read_frame(clip, n)])


def test_ways_out_of_a_mask_that_covers_everything(core: Any) -> None:
    """None that would not help."""
    clip = core.std.BlankClip(format=vs.GRAY8, width=48, height=40, length=25)
    full = mask_clip(np.ones((40, 48), bool))
    for many, one in ((clip, full), (clip[0], full[0])):
        with pytest.raises(vs.Error, match=r"nothing to fill it from: leave some pixels out\.$"):
            core.vdiff.Inpaint(many, one, temporal=3).get_frame(0)
    with pytest.raises(vs.Error, match=r"frames of the scene within 10: leave some pixels out\.$"):
        core.vdiff.Inpaint(clip, full * 25, temporal=10).get_frame(12)


def test_mask_that_covers_all_of_chroma(core: Any) -> None:
    """By one luma pixel for each; luma alone can be had."""
    clip = core.std.BlankClip(format=vs.YUV420P8, width=48, height=40, length=1)
    mask = np.zeros((40, 48), bool)
    mask[::2, ::2] = True
    with pytest.raises(vs.Error, match=r"^Inpaint: frame 0, plane 1: the mask covers the whole of it"):
        core.vdiff.Inpaint(clip, mask_clip(mask)).get_frame(0)
    core.vdiff.Inpaint(clip, mask_clip(mask), planes=0).get_frame(0).close()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"width": 46}, r"mask must have the size of clip, 48x40, got 46x40"),
        ({"length": 2}, r"mask must have 1 frame or as many as clip, 3, got 2"),
        ({"length": 4}, r"mask must have 1 frame or as many as clip, 3, got 4"),
        ({"format": vs.GRAY32}, r"mask must be constant format 8\.\.16 bit"),
    ],
)
def test_bad_masks(core: Any, given: dict[str, Any], message: str) -> None:
    clip = core.std.BlankClip(format=vs.YUV420P8, width=48, height=40, length=3)
    with pytest.raises(vs.Error, match=f"^Inpaint: {message}"):
        core.vdiff.Inpaint(clip, core.std.BlankClip(clip, **{"format": vs.GRAY8, **given}))


def test_properties(core: Any) -> None:
    """Those of the clip's frame; of the mask's, none."""
    clip = core.std.BlankClip(format=vs.GRAY8, width=48, height=40, length=3).std.SetFrameProps(a=5)
    mask = Holes()(clip).std.SetFrameProps(a=6, b=7)
    with core.vdiff.Inpaint(clip, mask).get_frame(1) as found, clip.get_frame(1) as wanted:
        assert dict(found.props) == dict(wanted.props)
