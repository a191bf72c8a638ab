"""What is under a logo: `vs_vdiff.delogo` and FFmpeg's `delogo` and `removelogo` on logos that are planted.

A logo is planted in places of three clips, 24 frames each, and removed by its box and by its shape. PSNR is of luma,
in the box or the shape, against the clip without it, over all frames together. Flicker is how much what is filled
changes from frame to frame: the mean absolute difference there, on the 8-bit scale, beside that of the clip.
Milliseconds a frame are of the processor, on one thread, decoding included. With --grow, the clips are encoded by x264
with the logo, and the shape is grown: PSNR within 6 pixels of it, against the clip encoded without the logo.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import vapoursynth as vs
from numpy.typing import NDArray

import logo
import vs_vdiff
from quality import psnr
from vs_vdiff import ffmpeg, pixels
from vs_vdiff.logos import MODES

from .settings import clips_folder

core = vs.core
FIRST = {"carphone_pristine": 72, "bikes": 140, "bigbuckbunny": 33}
"""The first of the frames: motion, no cut."""
FRAMES = 24
PLACES = ("top left", "top right", "bottom right", "centre")
NEAR = 6
CRF = 23

type Clip = vs.VideoNode
type Box = tuple[int, int, int, int]
type Picture = NDArray[np.uint8]


@dataclass(frozen=True)
class Case:
    """A logo in a clip.

    Attributes:
        name: Of the clip and the place.
        clean: The clip without it.
        planted: The clip with it.
        box: Around it.
        shape: How opaque it is.
    """

    name: str
    clean: Clip
    planted: Clip
    box: Box
    shape: Clip


def place(clip: Clip, where: str) -> Box:
    """The box of a logo: in a corner a tenth as high as the picture, in the centre a fifth."""
    height = round(clip.height / (5 if where == "centre" else 10))
    width = round(height * logo.SIZE[1] / logo.SIZE[0])
    margin = clip.height // 16
    if where == "centre":
        return (clip.width - width) // 2, (clip.height - height) // 2, width, height
    left = margin if "left" in where else clip.width - margin - width
    return left, margin if "top" in where else clip.height - margin - height, width, height


def cases(folder: Path) -> Iterator[Case]:
    """All clips and places."""
    for name, first in FIRST.items():
        clip = core.bs.VideoSource(str(folder / f"{name}.mp4"), cachemode=0)[first : first + FRAMES]
        for where in PLACES:
            box = place(clip, where)
            shape = logo.opacity(clip, box)
            yield Case(f"{name}, {where}", clip, logo.plant(clip, shape), box, shape)


def luma(clip: Clip) -> list[Picture]:
    """The luma of all frames."""
    return [np.array(frame[0]) for frame in clip.frames(close=True)]


def by_ffmpeg(clip: Clip, chain: str) -> list[Picture]:
    """The luma of what FFmpeg's filters make of a clip."""
    frames = [*clip.frames()]
    given = b"".join(plane for frame in frames for plane in pixels.pack(frame))
    command = [ffmpeg.find(), "-v", "error", *pixels.description(clip, frames[0].props), "-i", "pipe:0", "-vf", chain]
    done = subprocess.run([*command, "-f", "rawvideo", "pipe:1"], input=given, check=True, stdout=subprocess.PIPE)
    whole = np.frombuffer(done.stdout, np.uint8).reshape(len(frames), -1)
    return [each[: clip.width * clip.height].reshape(clip.height, clip.width) for each in whole]


def write_png(mask: Picture, file: Path) -> None:
    """Writes a picture of a mask."""
    size = f"{mask.shape[1]}x{mask.shape[0]}"
    raw = ["-f", "rawvideo", "-pixel_format", "gray", "-video_size", size, "-i", "pipe:0"]
    subprocess.run([ffmpeg.find(), "-v", "error", "-y", *raw, str(file)], input=mask.tobytes(), check=True)


def encoded(clip: Clip, file: Path) -> Clip:
    """What x264 leaves of a clip."""
    props = clip.get_frame(0).props
    command = [ffmpeg.find(), "-v", "error", "-y", *pixels.description(clip, props), "-i", "pipe:0"]
    given = b"".join(plane for frame in clip.frames() for plane in pixels.pack(frame))
    subprocess.run([*command, "-crf", str(CRF), "-threads", "1", str(file)], input=given, check=True)
    return core.bs.VideoSource(str(file), cachemode=0)


def flicker(frames: list[Picture], where: NDArray[Any]) -> float:
    """How much a place changes from frame to frame."""
    return float(np.abs(np.diff(np.stack([frame[where] for frame in frames]).astype(int), axis=0)).mean())


def nearness(made: list[Picture], clean: list[Picture], where: NDArray[Any]) -> float:
    """PSNR of a place, over all frames."""
    filled, wanted = (np.stack([frame[where] for frame in frames]) for frames in (made, clean))
    return psnr(filled, wanted, 255)


def compare(folder: Path, temporary: Path) -> None:
    """Prints a table of methods, on boxes and on shapes."""
    found: dict[str, list[tuple[float, float, float]]] = {}
    still = []
    names = []
    for case in cases(folder):
        names.append(case.name)
        clean = luma(case.clean)
        x, y, w, h = case.box
        shape = np.array(case.shape.get_frame(0)[0]) > 0
        box = np.zeros_like(shape)
        box[y : y + h, x : x + w] = True
        picture = temporary / "mask.png"
        write_png(np.where(shape, 255, 0).astype(np.uint8), picture)
        for kind, where, theirs, ours in (
            ("box", box, f"delogo={x}:{y}:{w}:{h}", {"x": x, "y": y, "w": w, "h": h}),
            ("shape", shape, f"removelogo={picture}", {"mask": case.shape, "grow": 0}),
        ):
            made = by_ffmpeg(case.planted, theirs)
            name = f"{kind}: FFmpeg's `{theirs.partition('=')[0]}`"
            found.setdefault(name, []).append((nearness(made, clean, where), flicker(made, where), 0.0))
            for mode in MODES:
                result = vs_vdiff.delogo(case.planted, mode=mode, **ours)
                begin = time.process_time()
                made = luma(result)
                spent = (time.process_time() - begin) / FRAMES * 1000
                found.setdefault(f"{kind}: {mode}", []).append(
                    (nearness(made, clean, where), flicker(made, where), spent)
                )
            still.append(flicker(clean, where))
        print(case.name, file=sys.stderr)
    means = {name: np.mean(values, axis=0) for name, values in found.items()}
    print(f"| | {' | '.join(found)} |")
    print("| --- |" + " --- |" * len(found))
    for n, name in enumerate(names):
        print(f"| {name} | {' | '.join(f'{values[n][0]:.1f}' for values in found.values())} |")
    print(f"| mean | {' | '.join(f'{mean[0]:.1f}' for mean in means.values())} |")
    print(
        f"| flicker ({np.mean(still):.1f} in the clips) | {' | '.join(f'{mean[1]:.1f}' for mean in means.values())} |"
    )
    print(f"| ms a frame | {' | '.join(f'{mean[2]:.1f}' if mean[2] else '' for mean in means.values())} |")


def compare_growth(folder: Path, temporary: Path) -> None:
    """Prints a table of what growing the mask does on encoded clips."""
    grows = range(6)
    print("| encoded |" + "".join(f" grow={grow} |" for grow in grows))
    print("| --- |" + " --- |" * len(grows))
    total = []
    for case in cases(folder):
        clean = luma(encoded(case.clean, temporary / "clean.mp4"))
        planted = encoded(case.planted, temporary / "planted.mp4")
        around = core.vdiff.Dilate(core.std.Expr(case.shape, "x 0 > 255 0 ?"), radius=NEAR)
        where = np.array(around.get_frame(0)[0]) > 0
        values = [nearness(luma(vs_vdiff.delogo(planted, mask=case.shape, grow=grow)), clean, where) for grow in grows]
        total.append(values)
        print(f"| {case.name} |" + "".join(f" {value:.1f} |" for value in values), flush=True)
    print("| mean |" + "".join(f" {value:.1f} |" for value in np.mean(total, axis=0)))


def main(arguments: Sequence[str] | None = None) -> None:
    """Prints what is asked for, in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--grow", action="store_true", help="the table of growing the mask")
    options = parser.parse_args(arguments)
    core.num_threads = 1
    with tempfile.TemporaryDirectory() as temporary:
        (compare_growth if options.grow else compare)(clips_folder(), Path(temporary))
