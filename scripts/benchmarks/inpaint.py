"""Inpainting as decibels: real frames with masks of several kinds, filled by Inpaint and by what else there is.

Luma of 8 bits. The masked pixels are overwritten before anything sees the frame, and the PSNR is theirs alone.
`--temporal` measures instead what other frames add where each frame has dirt of its own, at a part of the picture that
stands still and one that moves; `--tune` measures the contrasts and deviations of mode eed.
"""

import argparse
import math
import zlib
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import product
from typing import Any

import numpy as np
import vapoursynth as vs
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter

import vs_vdiff
from quality import psnr

from .settings import NotThereError, clips_folder

core = vs.core
THREADS = 2
RADIUS = 3
"""Of the pixels that cv2.inpaint looks at."""
FRAMES = {"bikes": (10, 100), "bigbuckbunny": (40, 100)}

type Picture = NDArray[np.uint8]
type Mask = NDArray[np.bool_]
type Fill = Callable[[Picture, Mask], Picture]


def opencv() -> Any:
    """OpenCV."""
    try:
        import cv2
    except ImportError as error:
        raise NotThereError(f"{error}; it comes with opencv-contrib-python-headless") from error
    return cv2


def biharmonic() -> Callable[..., NDArray[np.float64]]:
    """The function of scikit-image."""
    try:
        from skimage.restoration import inpaint_biharmonic
    except ImportError as error:
        raise NotThereError(f"{error}; it comes with scikit-image") from error
    return inpaint_biharmonic  # type: ignore[no-any-return]


# Pictures


def frames(name: str, numbers: Sequence[int]) -> list[Picture]:
    """The luma of frames of a clip."""
    clip = core.bs.VideoSource(f"{clips_folder()}/{name}.mp4", cachemode=0, showprogress=False)
    return [np.array(clip.get_frame(n)[0]) for n in numbers]


def gray(pictures: Sequence[Picture]) -> vs.VideoNode:
    """A clip of them."""
    return vs_vdiff.from_numpy(np.stack(pictures), vs.GRAY8)


def spoilt(picture: Picture, mask: Mask) -> Picture:
    """White where masked."""
    return np.where(mask, np.uint8(255), picture)


# Masks


def text(height: int, width: int, rng: np.random.Generator) -> Mask:
    """Two lines of subtitles."""
    cv2, mask = opencv(), np.zeros((height, width), np.uint8)
    scale = height / 300
    for row, line in ((0.82, "Diffusion fills what is missing,"), (0.93, "from what lies around the hole.")):
        font = cv2.FONT_HERSHEY_SIMPLEX
        (long, _), _ = cv2.getTextSize(line, font, scale, round(4 * scale))
        place = ((width - long) // 2, round(row * height))
        cv2.putText(mask, line, place, font, scale, 255, round(4 * scale))
    return np.asarray(mask > 0)


def places(height: int, width: int, rng: np.random.Generator) -> Iterator[tuple[int, int]]:
    """Two rows of four places, each somewhere within a cell of its own."""
    for row, column in product(range(2), range(4)):
        y, x = (rng.uniform(0.3, 0.7) + at for at in (row, column))
        yield round(y * height / 2), round(x * width / 4)


def boxes(height: int, width: int, rng: np.random.Generator) -> Mask:
    """Logos, twice as wide as high."""
    mask = np.zeros((height, width), bool)
    half = height // 22
    for y, x in places(height, width, rng):
        mask[y - half : y + half, x - 2 * half : x + 2 * half] = True
    return mask


def discs(height: int, width: int, rng: np.random.Generator) -> Mask:
    """Round ones."""
    rows, columns = np.indices((height, width))
    near = [np.hypot(rows - y, columns - x) <= height / 16 for y, x in places(height, width, rng)]
    return np.asarray(np.any(near, axis=0))


def scratches(height: int, width: int, rng: np.random.Generator) -> Mask:
    """Straight lines of one to three pixels."""
    cv2, mask = opencv(), np.zeros((height, width), np.uint8)
    for _ in range(40):
        y, x, angle = rng.uniform(0, height), rng.uniform(0, width), rng.uniform(0, math.pi)
        reach = rng.uniform(0.05, 0.3) * height
        ends = [(round(x + s * reach * math.cos(angle)), round(y + s * reach * math.sin(angle))) for s in (-1, 1)]
        cv2.line(mask, *ends, 255, int(rng.integers(1, 4)))
    return np.asarray(mask > 0)


def scattered(height: int, width: int, rng: np.random.Generator) -> Mask:
    """A fifth of all pixels."""
    return np.asarray(rng.random((height, width)) < 0.2)


MASKS = {"text": text, "boxes": boxes, "discs": discs, "scratches": scratches, "scattered": scattered}


def mask_of(kind: str, name: str, n: int, shape: tuple[int, ...]) -> Mask:
    """The same in every run."""
    height, width = shape
    return MASKS[kind](height, width, np.random.default_rng([zlib.crc32(f"{kind} {name}".encode()), n]))


# What fills them


def inpaint(picture: Picture, mask: Mask, **args: Any) -> Picture:
    """Ours."""
    out = core.vdiff.Inpaint(gray([picture]), gray([255 * mask.astype(np.uint8)]), **args)
    return np.array(out.get_frame(0)[0])


def cv2_inpaint(picture: Picture, mask: Mask, method: str) -> Picture:
    """OpenCV's, INPAINT_TELEA or INPAINT_NS."""
    cv2 = opencv()
    filled: Picture = cv2.inpaint(picture, mask.astype(np.uint8), RADIUS, getattr(cv2, method))
    return filled


def skimage_biharmonic(picture: Picture, mask: Mask) -> Picture:
    """That of scikit-image, rounded."""
    filled = biharmonic()(picture / 255, mask, split_into_regions=True)
    return np.clip(np.rint(255 * filled), 0, 255).astype(np.uint8)


OURS: dict[str, Fill] = {mode: partial(inpaint, mode=mode) for mode in ("harmonic", "biharmonic", "eed")}
PEERS: dict[str, Fill] = {
    "cv2 Telea": partial(cv2_inpaint, method="INPAINT_TELEA"),
    "cv2 NS": partial(cv2_inpaint, method="INPAINT_NS"),
    "skimage biharmonic": skimage_biharmonic,
}


def within(picture: Picture, wanted: Picture, mask: Mask) -> float:
    """PSNR of the masked pixels."""
    return psnr(picture[mask], wanted[mask], 255.0)


# Tables


def cases() -> Iterator[tuple[str, str, Picture, Mask]]:
    """Masks and frames."""
    for kind, (name, numbers) in product(MASKS, FRAMES.items()):
        for n, picture in zip(numbers, frames(name, numbers), strict=True):
            yield kind, f"{name} {n}", picture, mask_of(kind, name, n, picture.shape)


EQUAL = 0.02
"""Decibels that rounding to whole steps makes."""


def quality() -> Iterator[str]:
    """Our modes beside other programs; which modes reach the best of those."""
    yield "| mask | frame | masked | " + " | ".join([*OURS, *PEERS, "reach the peers' best"]) + " |"
    yield "|---" * (len(OURS) + len(PEERS) + 4) + "|"
    rows = []
    for kind, frame, picture, mask in cases():
        given = spoilt(picture, mask)
        rows.append([within(fill(given, mask), picture, mask) for fill in (OURS | PEERS).values()])
        yield f"| {kind} | {frame} | {100 * mask.mean():.1f} % | {figures(rows[-1])} |"
    yield f"| mean | | | {figures(list(np.mean(rows, axis=0)))} |"


def figures(found: Sequence[float]) -> str:
    """Cells of a row, the best ones bold."""
    best, peers = max(found), max(found[len(OURS) :])
    cells = [f"**{value:.2f}**" if value >= best - EQUAL else f"{value:.2f}" for value in found]
    reach = [mode for mode, value in zip(OURS, found, strict=False) if value >= peers - EQUAL]
    return " | ".join([*cells, ", ".join(reach)])


def tuning() -> Iterator[str]:
    """Mode eed: means over the frames for each kind of mask."""
    yield "| k | sigma | " + " | ".join([*MASKS, "mean"]) + " |"
    yield "|---" * (len(MASKS) + 3) + "|"
    every = list(cases())
    for k, sigma in product((1, 1.5, 2, 3, 4), (0.7, 1, 1.5)):
        found: dict[str, list[float]] = {kind: [] for kind in MASKS}
        for kind, _, picture, mask in every:
            filled = inpaint(spoilt(picture, mask), mask, mode="eed", k=k, sigma=sigma)
            found[kind].append(within(filled, picture, mask))
        means = [float(np.mean(values)) for values in found.values()]
        yield f"| {k} | {sigma} | " + " | ".join(f"{value:.2f}" for value in [*means, float(np.mean(means))]) + " |"


STILL = 3
"""Mean absolute change to the frames beside, over 9 x 9 pixels, below which a part is called still."""
MOST = 3
"""Frames each way."""
DIRTY = {"bikes": (10, 100), "bigbuckbunny": (40, 90)}
"""One that changes little, and one that changes much, of each clip."""


def change(pictures: Sequence[Picture]) -> NDArray[np.float64]:
    """How much the middle one of three differs from the others, around each pixel."""
    before, now, after = (picture.astype(np.float64) for picture in pictures)
    most = np.maximum(abs(now - before), abs(now - after))
    return np.asarray(uniform_filter(most, 9))


def temporal() -> Iterator[str]:
    """What other frames add, with other scratches in every frame."""
    yield "| frame | part | masked pixels | " + " | ".join(f"temporal={t}" for t in range(MOST + 1)) + " |"
    yield "|---" * (MOST + 4) + "|"
    for name, numbers in DIRTY.items():
        for n in numbers:
            clean = frames(name, range(n - MOST, n + MOST + 1))
            masks = [mask_of("scratches", name, n + m - MOST, clean[0].shape) for m in range(len(clean))]
            clip = gray([spoilt(picture, mask) for picture, mask in zip(clean, masks, strict=True)])
            mask = gray([255 * mask.astype(np.uint8) for mask in masks])
            filled = [np.array(core.vdiff.Inpaint(clip, mask, temporal=t).get_frame(MOST)[0]) for t in range(MOST + 1)]
            moves = change(clean[MOST - 1 : MOST + 2]) > STILL
            for part, where in (("still", ~moves), ("moves", moves)):
                chosen = masks[MOST] & where
                found = [f"{within(picture, clean[MOST], chosen):.2f}" for picture in filled]
                yield f"| {name} {n} | {part} | {chosen.sum()} | " + " | ".join(found) + " |"


def main(arguments: Sequence[str] | None = None) -> None:
    """Prints a table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--temporal", dest="table", action="store_const", const=temporal, default=quality)
    which.add_argument("--tune", dest="table", action="store_const", const=tuning)
    options = parser.parse_args(arguments)
    core.num_threads = THREADS
    for line in options.table():
        print(line, flush=True)
