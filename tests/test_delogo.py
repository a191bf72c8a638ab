"""`vs_vdiff.delogo`, the filter of chains and the command: what is filled, and by what; the rest is untouched."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import click
import numpy as np
import pytest
import vapoursynth as vs
from numpy.typing import NDArray

import vs_vdiff
from command_support import decode, end_started, make, names, packets, refused, script, streams, vdiff
from support import Video, assert_same, make_clip, random_frames, read, read_frame
from vs_vdiff import chain, logos
from vs_vdiff.cli import split_at_dashes
from vs_vdiff.commands.delogo import delogo as command
from vs_vdiff.errors import CommandError, UsageError

WIDTH, HEIGHT = 64, 48
LOSSLESS = ("--", "-c:v", "ffv1")
Mask = NDArray[np.bool_]


def mask_of(*boxes: tuple[int, int, int, int]) -> Mask:
    """What boxes, left, top, width and height, cover."""
    mask = np.zeros((HEIGHT, WIDTH), bool)
    for x, y, w, h in boxes:
        mask[y : y + h, x : x + w] = True
    return mask


def clip_of(mask: Mask) -> vs.VideoNode:
    """A mask as a clip of one frame."""
    return vs_vdiff.from_numpy(np.where(mask, 255, 0).astype(np.uint8)[None], vs.GRAY8, 25)


def inpainted(clip: vs.VideoNode, mask: Mask, mode: str = "harmonic") -> list[list[NDArray[Any]]]:
    """What the filter Inpaint makes of it."""
    return read(vs.core.vdiff.Inpaint(clip, clip_of(mask), mode=mode))


@pytest.fixture
def clip(core: Any, rng: np.random.Generator) -> vs.VideoNode:
    """Three frames of noise in 4:2:0."""
    video = Video("YUV420P8", WIDTH, HEIGHT)
    made: vs.VideoNode = make_clip(video, random_frames(rng, video, 3), props=[{"number": n} for n in range(3)])
    return made


@pytest.fixture(scope="module")
def movie(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Half a second of noise, 4:2:0 in 10 bits, with sound and a title."""
    path = tmp_path_factory.mktemp("movie") / "in.mkv"
    noise = f"testsrc2=s={WIDTH}x{HEIGHT}:r=12:d=0.5,noise=alls=40:allf=t,format=yuv420p10le"
    sound = ["-f", "lavfi", "-i", "sine=d=0.5", "-c:a", "flac", "-metadata", "title=Logo"]
    make("-f", "lavfi", "-i", noise, *sound, "-c:v", "ffv1", path)
    return path


@pytest.fixture
def folder(tmp_path: Path, movie: Path) -> Iterator[Path]:
    """A folder with `in.mkv`, in which nothing hidden is left."""
    shutil.copy(movie, tmp_path / "in.mkv")
    yield tmp_path
    end_started()
    assert not [name for name in names(tmp_path) if name.startswith(".")]


def picture(file: Path, mask: Mask, pixel_format: str = "gray", *options: str) -> Path:
    """Write a mask as a picture, white on black."""
    raw = file.with_suffix(".raw")
    raw.write_bytes(np.where(mask, 255, 0).astype(np.uint8).tobytes())
    size = f"{mask.shape[1]}x{mask.shape[0]}"
    given = ["-f", "rawvideo", "-pixel_format", "gray", "-video_size", size, "-i", raw]
    make(*given, "-pix_fmt", pixel_format, *options, file)
    raw.unlink()
    return file


def drawn(file: Path, rgba: NDArray[np.uint8]) -> Path:
    """Write colours and opacity, of shape (height, width, 4), as a picture."""
    raw = file.with_suffix(".raw")
    raw.write_bytes(rgba.tobytes())
    size = f"{rgba.shape[1]}x{rgba.shape[0]}"
    make("-f", "rawvideo", "-pixel_format", "rgba", "-video_size", size, "-i", raw, "-pix_fmt", "rgba", file)
    raw.unlink()
    return file


def is_marked(mask: vs.VideoNode) -> Mask:
    """What a mask marks; it holds nothing between."""
    [[plane]] = read(mask)
    assert set(np.unique(plane)) <= {0, 255}
    return np.asarray(plane == 255)


# What is filled


@pytest.mark.parametrize("format_name", ["GRAY8", "YUV420P8", "YUV420P10", "YUV444P16", "RGB24", "YUV422PS", "GRAYH"])
@pytest.mark.parametrize("box", [(11, 7, 17, 9), (0, 0, 5, 6), (50, 41, 14, 7)])
def test_a_ramp_comes_back(core: Any, format_name: str, box: tuple[int, int, int, int]) -> None:
    """It is harmonic, at odd places too; where the picture's edge is in the box, what is near to it goes on."""
    video = Video(format_name, WIDTH, HEIGHT)
    left, top, width, height = box
    frame, planted = [], []
    for p in video.planes:
        samples, (rows, columns) = video.samples(p), video.shape(p)
        y, x = np.mgrid[0:rows, 0:columns] * (HEIGHT / rows)
        ramp = (60 + x + 0.5 * y) * samples.unit
        frame.append((np.rint(ramp) if not samples.is_float else ramp).astype(samples.dtype))
        step = HEIGHT // rows
        covered = np.s_[
            top // step : -(-(top + height) // step),
            left // (WIDTH // columns) : -(-(left + width) // (WIDTH // columns)),
        ]
        hidden = frame[p].copy()
        hidden[covered] = samples.peak
        planted.append(hidden)
    result = read(vs_vdiff.delogo(make_clip(video, [planted]), *box))[0]
    inner = left > 0 and top > 0 and left + width < WIDTH
    for p in video.planes:
        error = np.abs(result[p].astype(float) - frame[p].astype(float)) / video.samples(p).unit
        assert error.max() <= (1.5 if inner else 12), p
        rest = planted[p] == frame[p]
        assert (result[p] == frame[p])[rest].all()


@pytest.mark.parametrize("mode", logos.MODES)
def test_modes(clip: vs.VideoNode, mode: logos.Mode) -> None:
    """Those of Inpaint; properties are the clip's."""
    result = vs_vdiff.delogo(clip, 11, 7, 17, 9, mode=mode)
    assert_same(read(result), inpainted(clip, mask_of((11, 7, 17, 9)), mode))
    assert [frame.props["number"] for frame in result.frames()] == [0, 1, 2]


def test_default_is_harmonic(clip: vs.VideoNode) -> None:
    assert_same(read(vs_vdiff.delogo(clip, 11, 7, 17, 9)), inpainted(clip, mask_of((11, 7, 17, 9))))


def test_several_boxes(clip: vs.VideoNode) -> None:
    """Their union, all at once: what one of them covers does not show in another one."""
    boxes = [(3, 5, 20, 8), (10, 9, 30, 20), (63, 47, 1, 1)]
    x, y, w, h = zip(*boxes, strict=True)
    assert_same(read(vs_vdiff.delogo(clip, x, y, w, h)), inpainted(clip, mask_of(*boxes)))


@pytest.mark.parametrize("grow", [0, 3])
def test_growing(clip: vs.VideoNode, grow: int) -> None:
    """Boxes and masks, in all directions, up to the edge."""
    grown = mask_of((20 - grow, 10 - grow, 9 + 2 * grow, 4 + 2 * grow), (0, 30 - grow, 8 + grow, 5 + 2 * grow))
    mask = clip_of(mask_of((0, 30, 8, 5)))
    assert_same(read(vs_vdiff.delogo(clip, 20, 10, 9, 4, mask, grow)), inpainted(clip, grown))


def test_masks_grow_by_one(clip: vs.VideoNode) -> None:
    """Boxes do not."""
    mask = clip_of(mask_of((40, 30, 8, 5)))
    result = read(vs_vdiff.delogo(clip, 20, 10, 9, 4, mask))
    assert_same(result, inpainted(clip, mask_of((20, 10, 9, 4), (39, 29, 10, 7))))


@pytest.mark.parametrize("format_name", ["GRAY8", "GRAY16", "GRAYS", "GRAYH", "RGB24", "YUV420P10"])
def test_masks_of_several_frames(clip: vs.VideoNode, format_name: str) -> None:
    """What is not 0 in the first plane, with a box in all frames."""
    video = Video(format_name, WIDTH, HEIGHT)
    frames = []
    for n in range(3):
        planes = [np.zeros(video.shape(p), video.samples(p).dtype) for p in video.planes]
        planes[0][5 * n : 5 * n + 4, 30:40] = video.samples(0).peak / 200 + (not video.samples(0).is_float)
        frames.append(planes)
    result = read(vs_vdiff.delogo(clip, 3, 5, 20, 8, make_clip(video, frames), grow=0))
    for n in range(3):
        mask = mask_of((3, 5, 20, 8), (30, 5 * n, 10, 4))
        assert_same([result[n]], [inpainted(clip, mask)[n]], f"frame {n}")


# What is refused


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "x, y, w and h, or mask, must say where the logo is"),
        ({"x": 1, "y": 2}, "must be as many, one of each for a box, got 1, 1, 0, 0"),
        ({"x": [1, 2], "y": 2, "w": 3, "h": 4}, "must be as many, one of each for a box, got 2, 1, 1, 1"),
        ({"x": 1, "y": 2, "w": 0, "h": 4}, r"w must be 1\.\.\.64, got 0\."),
        ({"x": 1, "y": 2, "w": 4, "h": -1}, r"h must be 1\.\.\.48, got -1\."),
        ({"x": 0, "y": 0, "w": 65, "h": 4}, r"w must be 1\.\.\.64, got 65\."),
        ({"x": 60, "y": 0, "w": 5, "h": 4}, r"x must be 0\.\.\.59 for a box with w=5 in a clip of 64x48, got 60\."),
        ({"x": -1, "y": 0, "w": 5, "h": 4}, r"x must be 0\.\.\.59 for a box with w=5 in a clip of 64x48, got -1\."),
        ({"x": 0, "y": 45, "w": 5, "h": 4}, r"y must be 0\.\.\.44 for a box with h=4 in a clip of 64x48, got 45\."),
        ({"x": 2**70, "y": 0, "w": 5, "h": 4}, rf"x must be 0\.\.\.59 .*, got {2**70}\."),
        ({"x": [1, 1], "y": [1, 99], "w": [5, 5], "h": [4, 4]}, r"y must be 0\.\.\.44 "),
        ({"x": 1, "y": 2, "w": 3, "h": 4, "grow": -1}, r"grow must be 0\.\.\.100, got -1\."),
        ({"x": 1, "y": 2, "w": 3, "h": 4, "grow": 101}, r"grow must be 0\.\.\.100, got 101\."),
        ({"x": 0, "y": 0, "w": 64, "h": 48}, "all of the picture, or of its chroma"),
        ({"x": 0, "y": 0, "w": 63, "h": 48}, "all of the picture, or of its chroma"),
        ({"x": 9, "y": 9, "w": 9, "h": 9, "grow": 60}, "all of the picture, or of its chroma"),
    ],
)
def test_refused(clip: vs.VideoNode, arguments: dict[str, Any], message: str) -> None:
    """When it is called, naming the limit and the value."""
    with pytest.raises(vs.Error, match=f"^delogo: .*{message}"):
        vs_vdiff.delogo(clip, **arguments)


def test_what_is_left_of_chroma_is_enough(clip: vs.VideoNode) -> None:
    vs_vdiff.delogo(clip, 0, 0, 62, 48).get_frame(0).close()


def test_refused_by_inpaint(core: Any, clip: vs.VideoNode) -> None:
    with pytest.raises(vs.Error, match=r"^Inpaint: mode must be"):
        vs_vdiff.delogo(clip, 1, 2, 3, 4, mode="linear")  # type: ignore[arg-type]
    with pytest.raises(vs.Error, match=r"^Inpaint: mask must have 1 frame"):
        vs_vdiff.delogo(clip, mask=clip_of(mask_of((1, 2, 3, 4))).std.Loop(2))
    blank = core.std.BlankClip(width=64, height=48, format=vs.GRAY32)
    varying = core.std.Splice([blank, core.std.BlankClip(blank, width=80)], mismatch=True)
    for other in (blank, varying):
        with pytest.raises(vs.Error, match=r"^Inpaint: Input clip must be constant format"):
            vs_vdiff.delogo(other, 1, 2, 3, 4)
    with pytest.raises(TypeError):
        vs_vdiff.delogo(clip, 1.5, 2, 3, 4)  # type: ignore[arg-type]


def test_size_of_the_mask(clip: vs.VideoNode) -> None:
    """The message names both."""
    with pytest.raises(vs.Error, match=r"^delogo: mask must have the size of the clip, 64x48, got 32x48\.$"):
        vs_vdiff.delogo(clip, mask=clip_of(mask_of((1, 2, 3, 4))[:, :32]))


# Pictures


SHAPE = mask_of((20, 10, 17, 9), (3, 40, 1, 1)) ^ mask_of((24, 12, 3, 3))


@pytest.mark.parametrize(
    ("name", "pixel_format"),
    [
        ("m.png", "gray"),
        ("m.png", "monob"),
        ("m.png", "gray16be"),
        ("m.png", "rgb24"),
        ("m.png", "rgba"),
        ("m.png", "ya8"),
        ("m.bmp", "bgr24"),
        ("m.bmp", "monob"),
        ("m.gif", "gray"),
        ("m.pbm", "monow"),
        ("m.tiff", "rgb24"),
        ("m.webp", "bgra"),
    ],
)
def test_pictures(tmp_path: Path, name: str, pixel_format: str) -> None:
    """White is meant, whatever the format, also where there is an alpha channel that hides nothing."""
    options = ["-lossless", "1"] if name.endswith("webp") else []
    mask = logos.read_mask(picture(tmp_path / name, SHAPE, pixel_format, *options))
    assert (is_marked(mask) == SHAPE).all()
    assert names(tmp_path) == {name}


def test_name_that_is_a_pattern_to_ffmpeg(tmp_path: Path) -> None:
    """The file of that name is read, not the first of a sequence."""
    first, second = mask_of((4, 5, 6, 7)), mask_of((30, 20, 9, 5))
    picture(tmp_path / "plain.png", second).rename(tmp_path / "logo%d.png")
    picture(tmp_path / "logo1.png", first)
    assert (is_marked(logos.read_mask(tmp_path / "logo%d.png")) == second).all()


def test_jpeg(tmp_path: Path) -> None:
    """What its compression makes of black, beside what is white, is black."""
    box = mask_of((19, 10, 22, 13))  # across its blocks
    assert (is_marked(logos.read_mask(picture(tmp_path / "m.jpg", box, "yuvj420p", "-q:v", "2"))) == box).all()


def test_colours(tmp_path: Path) -> None:
    """Dark ones count, if any channel is bright enough; 16 of 255 is black."""
    rgba = np.zeros((HEIGHT, WIDTH, 4), np.uint8)
    rgba[..., 3] = 255
    for n, colour in enumerate(((0, 0, 17), (17, 0, 0), (0, 17, 0), (16, 16, 16))):
        rgba[5, 10 * n, :3] = colour
    assert (
        is_marked(logos.read_mask(drawn(tmp_path / "m.png", rgba))) == mask_of(*((10 * n, 5, 1, 1) for n in range(3)))
    ).all()


def test_alpha(tmp_path: Path) -> None:
    """Where something is transparent, what is opaque is meant, and black is a colour like any other."""
    rgba = np.full((HEIGHT, WIDTH, 4), 200, np.uint8)
    rgba[..., 3] = 0
    rgba[5, 10] = (0, 0, 0, 255)
    rgba[5, 20] = (0, 0, 0, 17)
    rgba[5, 30] = (255, 255, 255, 16)
    assert (is_marked(logos.read_mask(drawn(tmp_path / "m.png", rgba))) == mask_of((10, 5, 1, 1), (20, 5, 1, 1))).all()


def unreadable(folder: Path, name: str) -> Path:
    """Make what is no picture."""
    file = folder / name
    if name == "text.png":
        file.write_text("no picture\n")
    elif name.startswith("cut"):
        picture(
            file, np.random.default_rng(1).random((HEIGHT, WIDTH)) < 0.5, "yuvj420p" if name == "cut.jpg" else "gray"
        )
        file.write_bytes(file.read_bytes()[:-200])
    elif name == "empty.png":
        file.touch()
    elif name == "folder.png":
        file.mkdir()
    elif name == "black.png":
        picture(file, mask_of())
    elif name == "clear.png":
        drawn(file, np.where(np.arange(4) == 3, 0, 255).astype(np.uint8) * np.ones((HEIGHT, WIDTH, 4), np.uint8))
    return file


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("none.png", "No such file"),
        ("text.png", r"not a picture that can be read: \w"),
        ("cut.png", r"not a picture that can be read: \w"),
        ("cut.jpg", r"not a picture that can be read: \w"),
        ("cut.gif", r"not a picture that can be read: \w"),
        ("empty.png", "the file is empty"),
        ("folder.png", "Is a directory"),
        ("black.png", "the picture shows no logo: all of it is black"),
        ("clear.png", "the picture shows no logo: all of it is transparent"),
    ],
)
def test_unreadable_pictures(tmp_path: Path, name: str, message: str) -> None:
    with pytest.raises(CommandError, match=rf"{name}: {message}"):
        logos.read_mask(unreadable(tmp_path, name))


def test_picture_in_a_script(clip: vs.VideoNode, tmp_path: Path) -> None:
    """By its name; it grows as any mask does."""
    file = picture(tmp_path / "m.png", mask_of((20, 10, 17, 9)))
    for name in (file, str(file)):
        assert_same(read(vs_vdiff.delogo(clip, mask=name)), inpainted(clip, mask_of((19, 9, 19, 11))))


# In chains


@pytest.mark.parametrize(
    ("text", "boxes", "mode"),
    [
        ("delogo=x=20:y=10:w=17:h=9", [(20, 10, 17, 9)], "harmonic"),
        ("DeLogo=20:10:17:9:mode=eed", [(20, 10, 17, 9)], "eed"),
        ("delogo=x=20|1:y=10|2:w=17|9:h=9|7", [(20, 10, 17, 9), (1, 2, 9, 7)], "harmonic"),
        ("delogo=20:10:17:9:grow=2", [(18, 8, 21, 13)], "harmonic"),
        ("delogo=mask=MASK:grow=0", [(50, 3, 5, 5)], "harmonic"),
    ],
)
def test_chain(
    clip: vs.VideoNode, tmp_path: Path, text: str, boxes: Sequence[tuple[int, int, int, int]], mode: str
) -> None:
    """As FFmpeg's is called, and with what it does not have."""
    file = picture(tmp_path / "m.png", mask_of((50, 3, 5, 5)))
    filters = chain.parse(text.replace("MASK", str(file)))
    chain.check(filters)  # which knows no size
    assert_same(read(chain.apply(filters, clip)), inpainted(clip, mask_of(*boxes), mode))


def test_chain_refused(clip: vs.VideoNode) -> None:
    with pytest.raises(UsageError, match=r"^--vf: delogo: x must be 0\.\.\.59 "):
        chain.apply(chain.parse("delogo=60:10:5:9"), clip)
    with pytest.raises(UsageError, match=r'^--preset: there is no preset "delogo"'):
        chain.parse_preset("delogo=1:2:3:4")


# The command


def test_box_and_what_the_file_carries(folder: Path) -> None:
    """A 10-bit video stays one; what is not in the box is the same, and so are sound and title."""
    result = vdiff("delogo", "in.mkv", "out.mkv", "--box", "11,7,17,9", *LOSSLESS, folder=folder)
    assert result.returncode == 0, result.stderr
    before, after = decode(folder / "in.mkv"), decode(folder / "out.mkv")
    assert after.format.id == vs.YUV420P10
    assert_same(read(after), inpainted(before, mask_of((11, 7, 17, 9))))
    box = mask_of((11, 7, 17, 9))
    for ours, theirs in zip(read(after), read(before), strict=True):
        assert (ours[0] == theirs[0])[~box].all()
        assert (ours[0] != theirs[0])[box].mean() > 0.9
    assert packets(folder / "out.mkv", "a") == packets(folder / "in.mkv", "a")
    assert len(streams(folder / "out.mkv", "Audio")) == 1


def test_boxes_mask_and_options(folder: Path) -> None:
    """All together; of boxes, FFmpeg's separator too."""
    picture(folder / "m.png", mask_of((40, 30, 8, 5)))
    options = [
        "--box",
        "3,5,20,8",
        "--box",
        "30:9:5:20",
        "--mask",
        "m.png",
        "--grow",
        "2",
        "--mode",
        "biharmonic",
        "-q",
    ]
    result = vdiff("delogo", "in.mkv", "out.mkv", *options, *LOSSLESS, "-an", folder=folder)
    assert (result.returncode, result.stderr) == (0, "")
    mask = mask_of((1, 3, 24, 12), (28, 7, 9, 24), (38, 28, 12, 9))
    assert_same(read(decode(folder / "out.mkv")), inpainted(decode(folder / "in.mkv"), mask, "biharmonic"))
    assert streams(folder / "out.mkv", "Audio") == []


def test_script_and_mask(folder: Path) -> None:
    script(
        folder, "core.std.BlankClip(width=64, height=48, format=vs.YUV420P8, length=2, color=[90, 99, 9]).set_output()"
    )
    picture(folder / "m.png", mask_of((40, 30, 8, 5)))
    result = vdiff("delogo", "script.vpy", "out.mkv", "--mask", "m.png", *LOSSLESS, folder=folder)
    assert result.returncode == 0, result.stderr
    assert [int(plane.max()) for plane in read_frame(decode(folder / "out.mkv"), 1)] == [90, 99, 9]


def test_error_is_one_line(folder: Path) -> None:
    result = vdiff("delogo", "in.mkv", "out.mkv", "--box", "60,2,5,4", "-q", folder=folder)
    refused(result, "delogo: x must be 0...59 for a box with w=5 in a clip of 64x48, got 60.", status=2)


def test_overwriting(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    (folder / "out.mkv").write_text("mine")
    for target, part in (("out.mkv", "exists already"), ("in.mkv", "same file")):
        with pytest.raises(CommandError, match=part):
            command.main(["in.mkv", target, "--box", "1,2,3,4"], obj=[], standalone_mode=False)
    assert (folder / "out.mkv").read_text() == "mine"
    result = vdiff("delogo", "in.mkv", "out.mkv", "--box", "1,2,3,4", "-y", *LOSSLESS, folder=folder)
    assert result.returncode == 0, result.stderr
    assert decode(folder / "out.mkv").num_frames == 6


@pytest.mark.parametrize(
    ("options", "part"),
    [
        ([], "--box or --mask must say where the logo is"),
        (["--box", "60,2,5,4"], "delogo: x must be 0...59 for a box with w=5 in a clip of 64x48, got 60."),
        (["--box", "1,2,0,4"], "delogo: w must be 1...64, got 0."),
        (["--box", "0,0,64,48"], "nothing left to fill it from"),
        (["--mask", "small.png"], "delogo: mask must have the size of the clip, 64x48, got 64x32."),
        (["--box", "1,2,3,4", "--", "-c:v", "copy"], "cannot be copied"),
    ],
)
def test_wrong_command_lines(folder: Path, monkeypatch: pytest.MonkeyPatch, options: list[str], part: str) -> None:
    monkeypatch.chdir(folder)
    picture(folder / "small.png", SHAPE[:32])
    own, encoder = split_at_dashes(["in.mkv", "out.mkv", "-q", *options])
    with pytest.raises(UsageError) as caught:
        command.main(own, obj=encoder, standalone_mode=False)
    assert part in str(caught.value)
    assert names(folder) == {"in.mkv", "small.png"}


@pytest.mark.parametrize(
    "box", ["", "1,2,3", "1,2,3,4,5", "1,2:3,4", "-1,2,3,4", "1,2,3,x", "1.5,2,3,4", "1,2,3,4\n", "1,2,3,²"]
)
def test_malformed_boxes(folder: Path, box: str) -> None:
    with pytest.raises(click.BadParameter, match="is not x,y,width,height, as in 20,16,120,40"):
        command.main(["missing.mkv", str(folder / "out.mkv"), "--box", box], obj=[], standalone_mode=False)


def test_picture_is_read_before_the_video(folder: Path) -> None:
    """Which may take long."""
    arguments = [str(folder / "missing.mkv"), str(folder / "out.mkv"), "--mask", str(folder / "none.png")]
    with pytest.raises(CommandError, match=r"none\.png: No such file or directory"):
        command.main(arguments, obj=[], standalone_mode=False)
