"""The `vdiff` command from end to end, and everything that can go wrong around it."""

import errno
import os
import pty
import re
import resource
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import pytest
import vapoursynth as vs

from command_support import (
    VDIFF,
    children,
    decode,
    describe,
    duration,
    end_started,
    evaluated,
    is_alive,
    make,
    names,
    packets,
    read_terminal,
    refused,
    run,
    script,
    start,
    streams,
    vdiff,
    wait_for,
    without,
)
from vs_vdiff import denoise, ffmpeg, interrupt, plugin, trails
from vs_vdiff.errors import CommandError
from vs_vdiff.output import Output
from vs_vdiff.presets import PRESETS

CHAIN = "diffuse=time=4:k=6,decay=mode=max:halflife=5,diffblend=alpha=0.4"
FAST = ("--", "-preset", "ultrafast")
# For a test that has to catch `vdiff` at work; small, for the sake of the disk if it is not caught.
ENDLESS = "core.std.BlankClip(width=16, height=16, format=vs.YUV420P8, length=10**6).set_output()"


@pytest.fixture(scope="session")
def movie(clips: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a small film with 5.1 sound, a title and a chapter: 2 seconds, 50 frames."""
    folder = tmp_path_factory.mktemp("movie")
    meta = folder / "meta"
    meta.write_text(";FFMETADATA1\ntitle=Bunny, truncated\n[CHAPTER]\nTIMEBASE=1/1\nSTART=0\nEND=1\ntitle=First\n")
    path = folder / "movie.mp4"
    sound = ["-map", "0:v", "-map", "0:a", "-map_metadata", "1", "-c:a", "copy", "-metadata:s:a:0", "language=eng"]
    small = [
        "-t",
        "2",
        "-vf",
        "scale=160:90,setsar=4/3",
        "-preset",
        "ultrafast",
        "-colorspace",
        "bt709",
        "-color_range",
        "tv",
    ]
    make("-i", clips / "bigbuckbunny.mp4", "-i", meta, *sound, *small, path)
    return path


@pytest.fixture
def folder(tmp_path: Path, movie: Path) -> Iterator[Path]:
    """Give a folder with `in.mp4`, and see that no run leaves anything hidden in it."""
    shutil.copy(movie, tmp_path / "in.mp4")
    yield tmp_path
    end_started()
    assert not [name for name in names(tmp_path) if name.startswith(".")]


# The main job


def test_real_clip(clips: Path, tmp_path: Path) -> None:
    """The README's example: the clip comes out with its length, size, rate and pixel shape, and changed."""
    source, target = clips / "carphone_pristine.mp4", tmp_path / "out.mp4"
    run(source, target, "--vf", CHAIN, folder=tmp_path)
    before, after = decode(source), decode(target)
    assert (after.num_frames, after.width, after.height) == (before.num_frames, before.width, before.height)
    assert after.fps == before.fps == Fraction(30000, 1001)
    assert after.format.id == before.format.id
    for prop in ("_SARNum", "_SARDen"):
        assert after.get_frame(0).props[prop] == before.get_frame(0).props[prop]
    assert names(tmp_path) == {"out.mp4"}
    difference = vs.core.std.PlaneStats(before, after).get_frame(60).props["PlaneStatsDiff"]
    assert 0.001 < float(difference) < 0.1


def test_filters_are_applied(folder: Path) -> None:
    run("in.mp4", "out.mkv", "--vf", "std.Crop=left=20:right=40,std.Transpose", *FAST, folder=folder)
    clip = decode(folder / "out.mkv")
    assert (clip.width, clip.height, clip.num_frames) == (90, 100, 50)


def test_result_equals_vapoursynth(folder: Path) -> None:
    """Frame for frame and byte for byte what the same filters give in a script."""
    run("in.mp4", "out.mkv", "--vf", "diffuse=time=2:k=9|5", "--", "-c:v", "ffv1", folder=folder)
    expected = decode(folder / "in.mp4").vdiff.Diffuse(time=2, k=[9, 5])
    assert same(decode(folder / "out.mkv"), expected)


def test_preset(folder: Path) -> None:
    """Frame for frame what its function gives in a script."""
    run("in.mp4", "out.mkv", "--preset", "denoise", "--", "-c:v", "ffv1", folder=folder)
    source = decode(folder / "in.mp4")
    assert same(decode(folder / "out.mkv"), denoise(source))
    assert not same(decode(folder / "out.mkv"), source)


@pytest.mark.parametrize(
    ("options", "preset"),
    [
        (("--preset", "denoise=strong"), lambda clip: denoise(clip, "strong")),
        (("--preset", "denoise=1.2:radius=1"), lambda clip: denoise(clip, 1.2, radius=1)),
        (("--vf", "denoise=light:motion=0"), lambda clip: denoise(clip, "light", motion=False)),
        (("--vf", "trails=strong"), lambda clip: trails(clip, 1.5)),
    ],
)
def test_arguments_of_presets(
    folder: Path, options: tuple[str, ...], preset: Callable[[vs.VideoNode], vs.VideoNode]
) -> None:
    run("in.mp4", "out.mkv", *options, "--", "-c:v", "ffv1", folder=folder)
    assert same(decode(folder / "out.mkv"), preset(decode(folder / "in.mp4")))


@pytest.mark.parametrize("text", ["denoise=mighty", "denoise=0", "denoise=nan", "denoise=101"])
def test_bad_strength_of_presets(folder: Path, text: str) -> None:
    """Seen before the input is read."""
    result = vdiff("run", "missing.mp4", "out.mkv", "--preset", text, folder=folder)
    given = text.partition("=")[2]
    refused(result, f"--preset: denoise: strength must be light, medium, strong or 0.01...100, got {given}", status=2)


def test_several_presets(folder: Path) -> None:
    result = vdiff("run", "in.mp4", "out.mkv", "--preset", "denoise,trails", folder=folder)
    refused(result, '--preset: "denoise,trails" is several presets', "--vf", status=2)
    run("in.mp4", "out.mkv", "--vf", "denoise,trails", "--", "-c:v", "ffv1", folder=folder)
    assert same(decode(folder / "out.mkv"), trails(denoise(decode(folder / "in.mp4"))))


def test_preset_comes_before_the_chain(folder: Path) -> None:
    options = ("--vf", "std.Crop=left=40:right=80", "--preset", "denoise", "--", "-c:v", "ffv1")
    run("in.mp4", "out.mkv", *options, folder=folder)
    source = decode(folder / "in.mp4")
    assert same(decode(folder / "out.mkv"), denoise(source).std.Crop(left=40, right=80))
    assert not same(decode(folder / "out.mkv"), denoise(source.std.Crop(left=40, right=80)))


def same(left: vs.VideoNode, right: vs.VideoNode) -> bool:
    """Compare two clips byte for byte."""
    assert (left.format.id, left.num_frames) == (right.format.id, right.num_frames)
    pairs = zip(left.frames(close=True), right.frames(close=True), strict=True)
    return all(a[plane].tobytes() == b[plane].tobytes() for a, b in pairs for plane in range(left.format.num_planes))


def test_what_the_file_carries(folder: Path, movie: Path) -> None:
    """Sound as it is, rate, length, pixel shape, colours, title, language and chapters."""
    run("in.mp4", "out.mp4", *FAST, folder=folder)
    assert packets(folder / "out.mp4", "a") == packets(movie, "a")
    [sound] = streams(folder / "out.mp4", "Audio")
    assert "aac" in sound
    assert "5.1" in sound
    assert duration(folder / "out.mp4") == pytest.approx(duration(movie), abs=0.05)
    [video] = streams(folder / "out.mp4", "Video")
    for part in ("yuv420p(tv, bt709", "160x90 [SAR 4:3 DAR", "25 fps"):
        assert part in video
    text = describe(folder / "out.mp4")
    assert re.search(r"title +: Bunny, truncated", text)
    assert re.search(r"title +: First", text)
    assert re.search(r"#0:1\S*\(eng\)", text)


def test_sound_that_the_container_does_not_take_is_encoded(folder: Path) -> None:
    result = run("in.mp4", "out.webm", "--", "-deadline", "realtime", "-cpu-used", "8", folder=folder)
    assert "audio stream 0 is encoded again" in result.stderr
    [sound] = streams(folder / "out.webm", "Audio")
    assert sound.startswith(("opus", "vorbis"))


def test_sound_that_the_container_does_not_hold(folder: Path) -> None:
    result = run("in.mp4", "out.y4m", folder=folder)
    assert "audio stream 0 is left out: .y4m does not hold it" in result.stderr
    assert decode(folder / "out.y4m").num_frames == 50


def test_output_without_suffix(folder: Path) -> None:
    result = run("in.mp4", "out", "--", "-f", "yuv4mpegpipe", folder=folder)
    assert "audio stream 0 is left out: the output does not hold it" in result.stderr


def test_all_audio_streams(folder: Path) -> None:
    more = ["-map", "0:v", "-map", "0:a", "-map", "1", "-map", "0:a", "-ac:a:2", "2", "-c:v", "copy"]
    more += ["-c:a:0", "copy", "-c:a:1", "flac", "-c:a:2", "mp2"]
    make("-i", folder / "in.mp4", "-f", "lavfi", "-i", "sine=d=2", *more, "-shortest", folder / "three.mkv")
    run("three.mkv", "out.mkv", *FAST, folder=folder)
    assert [sound.split()[0].rstrip(",") for sound in streams(folder / "out.mkv", "Audio")] == ["aac", "flac", "mp2"]


@pytest.mark.parametrize("delay", [0.005, 0.021, 0.035, 0.4])
@pytest.mark.parametrize("late", ["video", "audio"])
@pytest.mark.parametrize("target", ["out.mkv", "out.mp4"])
def test_late_streams_stay_in_sync(folder: Path, late: str, delay: float, target: str) -> None:
    """To a few milliseconds, though raw video knows no time between two frames."""
    inputs = ["-i", folder / "in.mp4", "-itsoffset", delay, "-i", folder / "in.mp4"]
    order = ["-map", "1:v", "-map", "0:a"] if late == "video" else ["-map", "0:v", "-map", "1:a"]
    make(*inputs, *order, "-c", "copy", folder / "late.mkv")
    run("late.mkv", target, *FAST, folder=folder)
    video, audio = first_times(folder / target)
    expected_video, expected_audio = first_times(folder / "late.mkv")
    assert video - audio == pytest.approx(expected_video - expected_audio, abs=0.003)
    assert abs(video - expected_video) < 0.04


def first_times(path: Path) -> list[float]:
    """Give the first time stamp of video and audio."""
    result = []
    for stream in ("v", "a"):
        command = [ffmpeg.find(), "-v", "error", "-copyts", "-i", str(path), "-map", f"0:{stream}", "-c", "copy"]
        lines = subprocess.run([*command, "-f", "framecrc", "-"], capture_output=True, text=True, check=True).stdout
        [base] = re.findall(r"^#tb 0: (\d+)/(\d+)", lines, re.MULTILINE)
        first = next(line for line in lines.splitlines() if not line.startswith("#"))
        result.append(int(first.split(",")[2]) * int(base[0]) / int(base[1]))
    return result


def test_rotation_is_applied(folder: Path) -> None:
    """As FFmpeg does: an upright picture, its pixels' shape turned with it, and no rotation left to apply."""
    make("-display_rotation", "90", "-i", folder / "in.mp4", "-c", "copy", folder / "turned.mp4")
    run("turned.mp4", "out.mp4", *FAST, folder=folder)
    assert "90x160 [SAR 3:4 DAR" in streams(folder / "out.mp4", "Video")[0]
    assert "rotation of" not in describe(folder / "out.mp4")


def test_variable_frame_rate(folder: Path) -> None:
    """25 fps that drop to 8.3 in the second half: a constant 25, with the length and the sound."""
    drop = ["-vf", "select='lt(n,25)+not(mod(n,3))'", "-fps_mode", "vfr", "-c:a", "copy"]
    make("-i", folder / "in.mp4", *drop, folder / "vfr.mp4")
    result = run("vfr.mp4", "out.mp4", *FAST, folder=folder)
    assert "the frame rate varies: converted to constant 25 fps" in result.stderr
    clip = decode(folder / "out.mp4")
    assert clip.fps == 25
    assert clip.num_frames / 25 == pytest.approx(2, abs=0.13)
    assert duration(folder / "out.mp4") == pytest.approx(duration(folder / "vfr.mp4"), abs=0.1)


def test_rounded_time_stamps_are_no_variable_rate(clips: Path, folder: Path) -> None:
    """Matroska rounds to milliseconds: 29.97 fps stay 29.97."""
    make("-i", clips / "carphone_pristine.mp4", "-c", "copy", folder / "ms.mkv")
    result = run("ms.mkv", "out.mp4", *FAST, folder=folder)
    assert "varies" not in result.stderr
    clip = decode(folder / "out.mp4")
    assert (clip.fps.numerator, clip.fps.denominator, clip.num_frames) == (30000, 1001, 120)


def test_encoder_arguments(folder: Path) -> None:
    run("in.mp4", "out.mp4", "--", "-c:v", "mpeg4", "-q:v", "5", "-an", "-metadata", "title=Mine", folder=folder)
    assert streams(folder / "out.mp4", "Video")[0].startswith("mpeg4")
    assert streams(folder / "out.mp4", "Audio") == []
    assert re.search(r"title +: Mine", describe(folder / "out.mp4"))


@pytest.mark.parametrize(
    "options", [["-b:a", "32k", "-ac", "1"], ["-ar:a:0", "22050", "-ac:a", "1"], ["-af", "pan=mono|c0=c0"]]
)
def test_audio_options_of_the_user(folder: Path, options: list[str]) -> None:
    """They have an effect: what is copied would take none, or fail."""
    run("in.mp4", "out.mp4", *FAST, *options, folder=folder)
    [sound] = streams(folder / "out.mp4", "Audio")
    assert "mono" in sound
    assert ("22050 Hz" in sound) == ("22050" in options)


def test_maps_of_the_user_keep_languages(folder: Path) -> None:
    """What FFmpeg carries over by itself, it still does."""
    run("in.mp4", "out.mkv", *FAST, "-map", "1:a:0", "-c:a", "copy", folder=folder)
    assert re.search(r"\(eng\).*: Audio", describe(folder / "out.mkv"))
    assert re.search(r"title +: Bunny, truncated", describe(folder / "out.mkv"))


@pytest.mark.parametrize("colours", [{}, {"AV_LOG_FORCE_COLOR": "1"}])
@pytest.mark.parametrize(
    "words",
    [["extra.mp4"], ["extra.mp4", "-crf", "20"], ["-crf", "20", "-an", "extra.mp4"], ["an\nextra.mp4"]],
)
def test_another_output(folder: Path, words: list[str], colours: dict[str, str]) -> None:
    """FFmpeg would write it, filtered or not, and give our options to it."""
    result = vdiff("run", "in.mp4", "out.mp4", "--vf", "std.Crop=20", "--", *words, folder=folder, env=colours)
    refused(result, 'extra.mp4" would be another output', "--", status=2)
    assert names(folder) == {"in.mp4"}


@pytest.mark.parametrize("option", ["-c:v", "-c", "-vcodec", "-c:v:0"])
def test_filtered_pictures_cannot_be_copied(folder: Path, option: str) -> None:
    refused(vdiff("run", "in.mp4", "out.mp4", "--", option, "copy", folder=folder), "cannot be copied", status=2)


@pytest.mark.parametrize(
    ("chain", "change"),
    [
        ("std.Trim=first=10", "from 2 to 1.6 s"),
        ("std.Trim=first=1", "from 2 to 1.96 s"),
        ("std.Loop=2", "from 2 to 4 s"),
        ("std.AssumeFPS=fpsnum=50", "from 2 to 1 s"),
        ("std.SelectEvery=3:0", ""),  # 50 frames are no whole number of cycles
        ("diffuse", ""),
    ],
)
def test_change_of_length(folder: Path, chain: str, change: str) -> None:
    """The sound does not follow a chain; the user is told."""
    result = run("in.mp4", "out.mkv", "--vf", chain, *FAST, folder=folder)
    assert ("out of sync" in result.stderr) == bool(change)
    assert change in result.stderr
    assert "out of sync" not in run("in.mp4", "no.mkv", "--vf", chain, *FAST, "-an", folder=folder).stderr


def test_audio_codec_of_the_user(folder: Path) -> None:
    run("in.mp4", "out.mkv", *FAST, "-c:a", "flac", "-ac", "1", folder=folder)
    assert re.match(r"flac.*mono", streams(folder / "out.mkv", "Audio")[0])


@pytest.mark.parametrize("option", ["-vf", "-filter:v", "-filter:v:0"])
def test_video_filter_of_the_user_keeps_the_pixel_shape(folder: Path, option: str) -> None:
    run("in.mp4", "out.mkv", *FAST, option, "scale=80:90", folder=folder)
    assert "80x90 [SAR 8:3 DAR" in streams(folder / "out.mkv", "Video")[0]


def test_fewer_frames_on_request(folder: Path) -> None:
    """FFmpeg ends before the last frame because it was told to; that is no failure."""
    script(folder, ENDLESS)
    run("script.vpy", "out.mkv", *FAST, "-frames:v", "5", folder=folder)
    assert decode(folder / "out.mkv").num_frames == 5


def test_nothing_is_written_beside_the_input(folder: Path) -> None:
    home = folder / "home"
    home.mkdir()
    run(
        "in.mp4",
        "out.mkv",
        *FAST,
        folder=folder,
        env={"HOME": str(home), "XDG_CACHE_HOME": str(home), "TMPDIR": str(home)},
    )
    assert names(folder) == {"in.mp4", "out.mkv", "home"}
    assert names(home) == set()


# Scripts


def test_script(folder: Path) -> None:
    """A script finds its folder, its name and its neighbours, wherever it is called from."""
    scripts = folder / "scripts"
    scripts.mkdir()
    (scripts / "width.txt").write_text("64")
    text = """
        import os, sys
        assert __name__ == "__vapoursynth__"
        assert __file__ == sys.argv[0] == os.path.abspath("script.vpy")
        width = int(open("width.txt").read())
        clip = core.std.BlankClip(None, width, 32, vs.YUV420P8, 7, 24000, 1001)
        clip.vdiff.Diffuse(time=1).set_output()
        clip[:3].set_output(1)
    """
    script(scripts, "\n".join(line.strip() for line in text.splitlines()))
    run("scripts/script.vpy", "out.mkv", "--vf", "std.Transpose", *FAST, folder=folder)
    clip = decode(folder / "out.mkv")
    assert (clip.width, clip.height, clip.num_frames) == (32, 64, 7)
    assert (clip.fps.numerator, clip.fps.denominator) == (24000, 1001)
    assert streams(folder / "out.mkv", "Audio") == []


def test_script_with_sound_from_a_file(folder: Path) -> None:
    script(folder, "core.std.BlankClip(width=64, height=32, format=vs.YUV420P8, length=25, fpsnum=25).set_output()")
    run(
        "script.vpy",
        "out.mkv",
        "--",
        "-i",
        "in.mp4",
        "-map",
        "1:a",
        "-c:a",
        "copy",
        "-preset",
        "ultrafast",
        folder=folder,
    )
    assert len(streams(folder / "out.mkv", "Video")) == 1
    assert streams(folder / "out.mkv", "Audio")[0].startswith("aac")
    run("script.vpy", "own.mkv", "--", "-i", "in.mp4", "-map", "0:v", "-map", "1:a", "-c:a", "copy", folder=folder)
    assert len(streams(folder / "own.mkv", "Video")) == 1


def picture(video: str) -> str:
    """Write the script of a clip with a different value in every pixel of a row, and a known one in frame 0."""
    return f"""
base = core.std.BlankClip(width=64, height=32, format=vs.GRAY16, length=3, keep=True)
def ramp(n, f):
    out = f.copy()
    for y in range(32):
        for x in range(64):
            out[0][y, x] = 4096 + 800 * x + 16 * y + 100 * n
    return out
gray = base.std.ModifyFrame(base, ramp).std.SetFrameProps(_Range=1)
other = gray.std.FlipHorizontal()
rgb = core.std.ShufflePlanes([gray, other, gray.std.FlipVertical()], [0, 0, 0], vs.RGB)
video = core.get_video_format(vs.{video})
if video.color_family == vs.GRAY:
    clip = gray.resize.Point(format=video.id)
elif video.color_family == vs.YUV:
    clip = rgb.resize.Bicubic(format=video.id, matrix=1)
else:
    clip = rgb.resize.Point(format=video.id)
clip.set_output()
"""


@pytest.mark.parametrize(
    "video",
    ["GRAY8", "GRAY16", "YUV420P8", "YUV422P10", "YUV444P16", "YUV411P8", "YUV440P8", "RGB24", "RGB30", "RGB48"],
)
def test_pixels_reach_ffmpeg_exactly(folder: Path, video: str) -> None:
    """Lossless encoding gives back what the script made."""
    path = script(folder, picture(video))
    run("script.vpy", "out.nut", "--", "-c:v", "rawvideo", folder=folder)
    assert same(decode(folder / "out.nut"), evaluated(path))


@pytest.mark.parametrize(
    "video", ["GRAY8", "GRAY10", "GRAY16", "GRAYH", "GRAYS", "RGBH", "RGBS", "YUV420PS", "YUV444PH"]
)
def test_pixels_reach_ffmpeg_in_its_formats(folder: Path, video: str) -> None:
    """FFmpeg's conversion to 16 bit gives what VapourSynth's gives, within a step of 8 bit and its chroma filters."""
    path = script(folder, picture(video))
    run(
        "script.vpy",
        "out.mkv",
        "--",
        "-c:v",
        "ffv1",
        "-pix_fmt",
        "gray16le" if "GRAY" in video else "gbrp16le",
        folder=folder,
    )
    clip = evaluated(path)
    wanted = vs.GRAY16 if "GRAY" in video else vs.RGB48
    expected = clip.resize.Bicubic(format=wanted, range=1, **({"matrix_in": 1} if "YUV" in video else {}))
    stats = expected.std.PlaneStats(decode(folder / "out.mkv")).get_frame(1).props
    assert float(stats["PlaneStatsDiff"]) < (0.02 if "420" in video else 0.004)


@pytest.mark.parametrize(
    ("video", "expected"),
    [
        ("YUV420P8", "yuv420p("),
        ("YUV420P10", "yuv420p10le("),
        ("YUV444P8", "yuv420p("),
        ("YUV420P16", "yuv420p("),
        ("GRAY8", "yuv420p("),
        ("GRAYS", "yuv420p("),
        ("RGB24", "yuv420p("),
        ("RGBH", "yuv420p("),
        ("YUV444PS", "yuv420p("),
    ],
)
def test_mp4_is_playable(folder: Path, video: str, expected: str) -> None:
    script(folder, f"core.std.BlankClip(width=64, height=32, format=vs.{video}, length=3).set_output()")
    result = run("script.vpy", "out.mp4", *FAST, folder=folder)
    assert expected in streams(folder / "out.mp4", "Video")[0] + "("
    assert ("is converted to" in result.stderr) == (video not in ("YUV420P8", "YUV420P10"))


def test_pixel_format_of_the_user(folder: Path) -> None:
    script(folder, "core.std.BlankClip(width=64, height=32, format=vs.RGB24, length=3).set_output()")
    result = run("script.vpy", "out.mp4", *FAST, "-pix_fmt", "yuv444p", folder=folder)
    assert "yuv444p" in streams(folder / "out.mp4", "Video")[0]
    assert "converted" not in result.stderr


@pytest.mark.parametrize(
    ("codec", "target", "expected"),
    [
        ("libx264", "out.mp4", "yuv420p("),
        ("mpeg4", "out.mov", "yuv420p("),
        ("libx264", "out.mkv", "yuv422p10le("),
        ("prores_ks", "out.mov", "yuv422p10le("),
        ("ffv1", "out.mkv", "yuv422p10le("),
    ],
)
def test_codec_of_the_user_stays_playable(folder: Path, codec: str, target: str, expected: str) -> None:
    """An encoder alone is no wish for a pixel format, unless it is one for editing."""
    script(folder, "core.std.BlankClip(width=64, height=32, format=vs.YUV422P10, length=3).set_output()")
    result = run("script.vpy", target, "--", "-c:v", codec, folder=folder)
    expected = "yuv420p10le(" if (codec, target) == ("libx264", "out.mp4") else expected
    assert expected in streams(folder / target, "Video")[0].replace(",", "(")
    assert ("is converted to yuv420p" in result.stderr) == expected.startswith("yuv420p")


def test_profile_of_the_user(folder: Path) -> None:
    """One for 4:2:2 says which pixels are wanted."""
    script(folder, "core.std.BlankClip(width=64, height=32, format=vs.YUV422P10, length=3).set_output()")
    run("script.vpy", "out.mp4", "--", "-c:v", "libx264", "-profile:v", "high422", folder=folder)
    assert "yuv422p10le" in streams(folder / "out.mp4", "Video")[0]


@pytest.mark.parametrize(
    ("options", "target", "expected"),
    [
        (["-c:v", "ffv1"], "out.mkv", "gbrp"),
        (["-c:v", "libx264rgb"], "out.mp4", "gbrp"),
        (["-pix_fmt", "bgr24", "-c:v", "rawvideo"], "out.avi", "bgr24"),
        (["-c:v", "libx264"], "out.mkv", "yuv444p"),
        (["-c:v", "libx264", "-pix_fmt", "yuv420p"], "out.mkv", "yuv420p"),
        (["-frames:v", "1"], "out.png", "rgb24"),
    ],
)
def test_rgb_stays_only_where_it_is_asked_for(folder: Path, options: list[str], target: str, expected: str) -> None:
    script(folder, "core.std.BlankClip(width=64, height=720, format=vs.RGB24, length=2).set_output()")
    run("script.vpy", target, "--", *options, folder=folder)
    [video] = streams(folder / target, "Video")
    assert re.search(rf"\b{expected}\b", video) or (expected == "gbrp" and "bgr0" in video)
    assert ("bt709" in video) == expected.startswith("yuv")


@pytest.mark.parametrize(("full", "written", "read"), [(0, 235, 235), (0, 16, 16), (1, 255, 235), (1, 0, 16)])
def test_range_of_gray(folder: Path, full: int, written: int, read: int) -> None:
    """A limited gray keeps its values as luma; a full one is brought into the limited range."""
    blank = f"core.std.BlankClip(width=64, height=32, format=vs.GRAY8, length=2, color={written})"
    script(folder, f"{blank}.std.SetFrameProps(_Range={full}).set_output()")
    run("script.vpy", "out.mkv", "--", "-c:v", "ffv1", "-pix_fmt", "yuv420p", folder=folder)
    frame = decode(folder / "out.mkv").get_frame(1)
    assert (frame[0][5, 5], frame[1][5, 5], frame[2][5, 5]) == (read, 128, 128)


@pytest.mark.parametrize(("target", "width"), [("out.mp4", 64), ("out.mkv", 64), ("out.mp4", 63), ("out.avi", 64)])
@pytest.mark.parametrize(("height", "matrix"), [(32, (81, 90, 240)), (720, (63, 102, 240))])
def test_colours_of_rgb(folder: Path, height: int, matrix: tuple[int, int, int], target: str, width: int) -> None:
    """Red gets the matrix that players assume for its size, and its tag where the file has place for one."""
    red = f"core.std.BlankClip(None, {width}, {height}, vs.RGB24, 2, color=[255, 0, 0])"
    script(folder, f"{red}.set_output()")
    run("script.vpy", target, "--", "-crf", "0", "-q:v", "1", folder=folder)
    frame = decode(folder / target).get_frame(1)
    assert [frame[plane][5, 5] for plane in range(3)] == pytest.approx(matrix, abs=1)
    if target != "out.avi":
        assert ("bt709" if height == 720 else "smpte170m") in streams(folder / target, "Video")[0]


def test_properties_that_rgb_should_not_have(folder: Path) -> None:
    """Sources give RGB a range, and scripts leave a matrix behind; what comes out is limited all the same."""
    blank = "core.std.BlankClip(None, 64, 32, vs.RGB24, 2, color=[255, 255, 255])"
    script(folder, f"{blank}.std.SetFrameProps(_Matrix=1, _Range=1).set_output()")
    run("script.vpy", "out.mp4", *FAST, folder=folder)
    assert decode(folder / "out.mp4").get_frame(1)[0][5, 5] == pytest.approx(235, abs=1)
    assert "tv, bt709" in streams(folder / "out.mp4", "Video")[0]


def test_properties_become_tags(folder: Path) -> None:
    props = "_Matrix=9, _Primaries=9, _Transfer=16, _Range=1, _SARNum=128, _SARDen=117"
    script(
        folder,
        f"core.std.BlankClip(None, 64, 32, vs.YUV420P10, 2).std.SetFrameProps({props}).set_output()",
    )
    run("script.vpy", "out.mkv", *FAST, folder=folder)
    [video] = streams(folder / "out.mkv", "Video")
    assert "yuv420p10le(pc, bt2020nc/bt2020/smpte2084" in video
    assert "SAR 128:117" in video


# Progress


def test_plain_lines(folder: Path) -> None:
    """A log gets a line every tenth of the way, the last one with all frames."""
    script(folder, "core.std.BlankClip(width=64, height=32, format=vs.YUV420P8, length=1000).set_output()")
    result = run("script.vpy", "out.mkv", *FAST, folder=folder)
    lines = result.stderr.splitlines()
    assert len(lines) == 10
    assert all(re.fullmatch(r"vdiff: \d+/1000 frames, [\d.]+ fps, \d+:\d\d:\d\d left", line) for line in lines)
    assert lines[0].startswith("vdiff: 100/1000 ")
    assert lines[-1].startswith("vdiff: 1000/1000 ")
    assert result.stdout == ""


def test_quiet(folder: Path) -> None:
    result = run("in.mp4", "out.webm", "-q", "--", "-deadline", "realtime", "-cpu-used", "8", folder=folder)
    assert result.stderr == result.stdout == ""


def test_log_that_nobody_reads(folder: Path) -> None:
    """The work goes on when the reader of stderr has gone, and its status is its own, whether Python buffers or not."""
    buffered = {key: value for key, value in os.environ.items() if key != "PYTHONUNBUFFERED"}
    for env in (buffered, buffered | {"PYTHONUNBUFFERED": "1"}):
        for name, status in (("in.mp4", 0), ("missing.mp4", 1)):
            process = start(name, "out.mkv", "-y", *FAST, folder=folder, env=env)
            assert process.stderr
            process.stderr.close()
            assert process.wait(60) == status
    assert decode(folder / "out.mkv").num_frames == 50


@pytest.mark.parametrize("no_color", [False, True])
def test_terminal(folder: Path, no_color: bool) -> None:
    """A terminal gets a bar with frames, rate and time, in colours unless NO_COLOR is set."""
    master, slave = pty.openpty()
    env = {key: value for key, value in os.environ.items() if key != "NO_COLOR"} | {
        "TERM": "xterm-256color",
        "COLUMNS": "100",
    }
    process = start(
        "in.mp4", "out.mkv", *FAST, folder=folder, stderr=slave, env=env | ({"NO_COLOR": "1"} if no_color else {})
    )
    os.close(slave)
    shown = b""
    while chunk := read_terminal(master):
        shown += chunk
    os.close(master)
    assert process.wait() == 0
    text = shown.decode()
    assert "50/50" in text
    assert re.search(r"[\d.]+ fps", text)
    assert "━" in text
    assert bool(re.search(r"\x1b\[[\d;]*3[1-8]", text)) != no_color
    assert text.rfind("\x1b[?25h") > text.rfind("\x1b[?25l")  # the cursor is shown again


# The output


def test_existing_output_is_kept(folder: Path) -> None:
    (folder / "out.mp4").write_text("mine")
    refused(vdiff("run", "in.mp4", "out.mp4", folder=folder), "out.mp4 exists already", "--overwrite")
    assert (folder / "out.mp4").read_text() == "mine"
    run("in.mp4", "out.mp4", "-y", *FAST, folder=folder)
    assert decode(folder / "out.mp4").num_frames == 50


def test_failure_keeps_the_file_to_be_overwritten(folder: Path) -> None:
    (folder / "out.mp4").write_text("mine")
    refused(vdiff("run", "-y", "in.mp4", "out.mp4", "--", "-c:v", "nope", folder=folder), "nope")
    assert (folder / "out.mp4").read_text() == "mine"


def test_output_that_appears_meanwhile_is_kept(folder: Path) -> None:
    script(folder, writes_at_frame(5, "open('out.mkv', 'w').write('mine')"))
    refused(vdiff("run", "script.vpy", "out.mkv", folder=folder), "out.mkv appeared meanwhile")
    assert (folder / "out.mkv").read_text() == "mine"


def writes_at_frame(number: int, statement: str) -> str:
    """Write a script that does something when frame `number` is made."""
    return f"""
clip = core.std.BlankClip(width=64, height=32, format=vs.YUV420P8, length=50, keep=True)
def act(n, f):
    if n == {number}:
        {statement}
    return f
clip.std.ModifyFrame(clip, act).set_output()
"""


def test_output_is_not_there_before_it_is_complete(folder: Path) -> None:
    """At the last frame there is no out.mkv yet."""
    script(folder, writes_at_frame(49, "import os; assert not os.path.exists('out.mkv'); open('seen', 'w')"))
    run("script.vpy", "out.mkv", *FAST, folder=folder)
    assert (folder / "seen").exists()


@pytest.mark.parametrize("link", ["symlink_to", "hardlink_to"])
def test_input_is_not_overwritten(folder: Path, link: str) -> None:
    before = (folder / "in.mp4").read_bytes()
    getattr(folder / "link.mp4", link)(folder / "in.mp4")
    for target in ("in.mp4", "./in.mp4", "link.mp4"):
        refused(vdiff("run", "-y", "in.mp4", target, folder=folder), "input and output are the same file")
    assert (folder / "in.mp4").read_bytes() == before


def test_linked_output(folder: Path) -> None:
    """A link stays one; the file that it leads to is written, where that is."""
    (folder / "elsewhere").mkdir()
    (folder / "out.mkv").symlink_to("elsewhere/real.mkv")
    run("in.mp4", "out.mkv", *FAST, folder=folder)
    assert (folder / "out.mkv").is_symlink()
    assert names(folder / "elsewhere") == {"real.mkv"}
    assert decode(folder / "elsewhere" / "real.mkv").num_frames == 50


def test_permissions_of_the_output(folder: Path) -> None:
    run("in.mp4", "out.mkv", *FAST, folder=folder)
    mask = os.umask(0o22)
    os.umask(mask)
    assert (folder / "out.mkv").stat().st_mode & 0o777 == 0o666 & ~mask


@pytest.mark.parametrize(
    ("target", "part"),
    [
        ("/dev/null", "/dev/null is not a regular file"),
        ("-", "must be a file"),
        (".", "is a folder"),
        ("none/out.mp4", "does not exist"),
        ("in.mp4/out.mp4", "Not a directory"),
        ("/proc/out.mp4", "not writable"),
        ("out.unknown", "out.unknown"),
        ("out", "out"),
        ("out.m3u8", "one file"),
        ("frames_%03d.png", "one file"),
    ],
)
def test_bad_outputs(folder: Path, target: str, part: str) -> None:
    before = names(folder)
    refused(vdiff("run", "-y", "in.mp4", target, "--", "-an", folder=folder), part)
    assert names(folder) == before
    assert Path("/dev/null").is_char_device()


@pytest.mark.parametrize("target", ["out.m3u8", "out.MPD", "frames_%03d.png", "%d.jpg"])
def test_several_files_are_refused_before_any_work(folder: Path, target: str) -> None:
    refused(vdiff("run", "none.mp4", target, folder=folder), "one file")
    run("in.mp4", "100%d.mp4", *FAST, folder=folder)


@pytest.mark.parametrize("fails", [False, True])
def test_file_system_without_hard_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fails: bool) -> None:
    """The name is claimed first; a claim that leads to nothing goes away."""

    def refuse(*_: object) -> None:
        raise OSError(errno.EPERM, "not here")

    monkeypatch.setattr(Path, "hardlink_to", refuse)
    if fails:
        monkeypatch.setattr(Path, "replace", refuse)
    made = tmp_path / "hidden"
    made.mkdir()
    (made / "out.mkv").write_text("film")
    output = Output(tmp_path / "out.mkv", overwrite=False)
    with pytest.raises(CommandError, match="not here") if fails else nullcontext():
        output.publish(made)
    assert names(tmp_path) == ({"hidden"} if fails else {"hidden", "out.mkv"})


def test_no_signal_while_the_output_gets_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def check(source: Path, target: Path) -> Path:
        held = threading.Thread(target=lambda: free.append(interrupt.ending.acquire(blocking=False)))
        held.start()
        held.join()
        return target

    free: list[bool] = []
    monkeypatch.setattr(Path, "replace", check)
    (tmp_path / "out.mkv").touch()
    Output(tmp_path / "out.mkv", overwrite=True).publish(tmp_path)
    assert free == [False]


def test_two_at_once(folder: Path) -> None:
    """Two runs in one folder, to different files and to the same."""
    processes = [start("-y", "in.mp4", target, *FAST, folder=folder) for target in ("a.mkv", "b.mkv", "b.mkv")]
    for process in processes:
        _, errors = process.communicate()
        assert process.returncode == 0, errors
    assert names(folder) == {"in.mp4", "a.mkv", "b.mkv"}
    assert decode(folder / "a.mkv").num_frames == decode(folder / "b.mkv").num_frames == 50


# Signals


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("group", [False, True])
def test_signals(folder: Path, number: signal.Signals, group: bool) -> None:
    """Stopped in the middle: FFmpeg ends, nothing is left, the status tells the signal."""
    script(folder, ENDLESS)
    process = start("script.vpy", "out.nut", "--", "-c:v", "rawvideo", folder=folder)
    encoder = wait_for(lambda: encoding(folder) and children(process.pid), "FFmpeg to write")
    assert len(encoder) == 1
    assert os.getsid(encoder[0]) == encoder[0]  # where the terminal's Ctrl-C does not reach it
    (os.killpg if group else os.kill)(process.pid, number)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 128 + number
    assert [line for line in errors.splitlines() if " frames, " not in line] == [f"vdiff: stopped by {number.name}"]
    assert not is_alive(encoder[0])
    assert names(folder) == {"in.mp4", "script.vpy"}


def encoding(folder: Path) -> bool:
    """Tell whether FFmpeg has written something."""
    return any(path.stat().st_size for path in folder.glob(".vdiff-*/*"))


def test_signal_in_native_code(folder: Path) -> None:
    """While a script waits for a frame that never comes, Python cannot handle signals in its main thread."""
    waits = writes_at_frame(0, "open('waiting', 'w'); __import__('time').sleep(1000)")
    script(folder, waits.replace(".set_output()", ".get_frame(0)"))
    process = start("script.vpy", "out.mkv", folder=folder)
    wait_for((folder / "waiting").exists, "the script")
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 130
    assert names(folder) == {"in.mp4", "script.vpy", "waiting"}


def test_signal_on_a_terminal(folder: Path) -> None:
    """Ctrl-C under a bar: the cursor comes back, the message has a line of its own."""
    script(folder, ENDLESS)
    master, slave = pty.openpty()
    process = start("script.vpy", "out.mkv", *FAST, folder=folder, stderr=slave, env=os.environ | {"TERM": "xterm"})
    os.close(slave)
    shown = b""
    while b"/1000000" not in shown:
        shown += read_terminal(master)
    process.send_signal(signal.SIGINT)
    while chunk := read_terminal(master):
        shown += chunk
    os.close(master)
    assert process.wait() == 130
    assert re.search(rb"\n\x1b\[\?25hvdiff: stopped by SIGINT\r?\n$", shown, re.DOTALL)


# Bad input


def test_command_line(folder: Path) -> None:
    refused(vdiff("run", "in.mp4", folder=folder), "OUTPUT", status=2)
    refused(vdiff("run", "in.mp4", "out.mp4", "third", folder=folder), "third", status=2)
    refused(vdiff("run", "in.mp4", "out.mp4", "--nope", folder=folder), "--nope", status=2)
    refused(vdiff("rnu", folder=folder), "rnu", status=2)
    assert vdiff("--version", folder=folder).stdout.startswith("vdiff")
    assert "run" in vdiff("--help", folder=folder).stdout
    text = vdiff("run", "--help", folder=folder).stdout
    assert "--vf" in text
    assert all(preset in text for preset in ["--preset", *PRESETS])
    assert names(folder) == {"in.mp4"}


def test_unknown_preset(folder: Path) -> None:
    result = vdiff("run", "in.mp4", "out.mp4", "--preset", "denose", folder=folder)
    refused(result, '--preset: there is no preset "denose" (did you mean "denoise"?)', *PRESETS, status=2)
    assert names(folder) == {"in.mp4"}


@pytest.mark.parametrize("video", ["format=vs.GRAY32", "format=vs.YUV420P8, varformat=1"])
def test_preset_that_cannot_take_the_clip(folder: Path, video: str) -> None:
    script(folder, f"core.std.BlankClip(width=64, height=32, length=3, {video}).set_output()")
    result = vdiff("run", "script.vpy", "out.mkv", "--preset", "denoise", folder=folder)
    refused(result, "--preset: Diffuse3D: Input clip must be constant format", status=2)
    assert names(folder) == {"in.mp4", "script.vpy"}


@pytest.mark.parametrize(
    ("chain", "parts"),
    [
        ("difuse", ('no filter "difuse"', '"diffuse"')),
        ("diffuse=tme=4", ('no option "tme"', '"time"')),
        ("diffuse=time=four", ('time must be a number, got "four"',)),
        ("diffuse=k=-1", ("Diffuse: k must be", "got -1")),
        (f"diffuse=steps={10**23}", ("steps is out of range",)),
        ("std.SetFrameProps=a=1", ("a has no type",)),
        ("diffuse;decay", ("not supported",)),
    ],
)
def test_bad_chain(folder: Path, chain: str, parts: tuple[str, ...]) -> None:
    refused(vdiff("run", "in.mp4", "out.mp4", "--vf", chain, folder=folder), *parts, status=2)
    assert names(folder) == {"in.mp4"}


def cut(target: Path, source: Path, *options: str) -> None:
    """Make the first half of a file."""
    whole = target.with_name(f"whole{target.suffix}")
    make("-i", source, "-c", "copy", *options, whole)
    data = whole.read_bytes()
    target.write_bytes(data[: len(data) // 2])
    whole.unlink()


BAD_INPUTS: dict[str, tuple[Callable[[Path, Path], object] | None, str]] = {
    "missing.mp4": (None, "No such file or directory"),
    "folder.mp4": (lambda path, _: path.mkdir(), "Is a directory"),
    "empty.mp4": (lambda path, _: path.touch(), "the file is empty"),
    "empty.vpy": (lambda path, _: path.touch(), "the file is empty"),
    "text.mp4": (lambda path, _: path.write_text("This is no video.\n" * 100), "not a video"),
    "text.txt": (lambda path, _: path.write_text("This is no video.\n" * 100), "no video in it"),
    "binary": (lambda path, _: path.write_bytes(bytes(range(256)) * 1000), "not a video"),
    "audio.m4a": (lambda path, movie: make("-i", movie, "-vn", "-c", "copy", path), "no video in it"),
    "audio.mp3": (
        lambda path, movie: make(
            *("-i", movie, "-f", "lavfi", "-i", "color=red:s=64x64", "-map", "0:a", "-map", "1:v", "-ac", "2"),
            *("-frames:v", "1", "-c:v", "png", "-disposition:v", "attached_pic", path),
        ),
        "no video in it",
    ),
    "cut.mp4": (lambda path, movie: cut(path, movie), "not a video that can be read: moov atom not found"),
    "cut.mov": (lambda path, movie: cut(path, movie, "-movflags", "+faststart"), "truncated"),
    "cut.mkv": (cut, "truncated"),
    "cut_live.mkv": (lambda path, movie: cut(path, movie, "-live", "1"), "truncated"),  # no length in its header
    "cut.flv": (cut, "truncated"),
}


@pytest.mark.parametrize("name", BAD_INPUTS)
def test_bad_input(folder: Path, name: str) -> None:
    make_it, part = BAD_INPUTS[name]
    if make_it:
        make_it(folder / name, folder / "in.mp4")
    before = names(folder)
    refused(vdiff("run", name, "out.mp4", folder=folder), name, part)
    assert names(folder) == before


@pytest.mark.parametrize(
    ("path", "part"), [("/proc/self/mem", "Input/output error"), ("in.mp4/in.mp4", "Not a directory")]
)
def test_unreadable_input(folder: Path, path: str, part: str) -> None:
    """What even root cannot read."""
    refused(vdiff("run", path, "out.mp4", folder=folder), path, part)


def test_forbidden_input(folder: Path) -> None:
    (folder / "in.mp4").chmod(0)
    result = vdiff("run", "in.mp4", "out.mp4", folder=folder)
    if os.geteuid():  # root may read it
        refused(result, "in.mp4: Permission denied")
    else:
        assert result.returncode == 0


BAD_SCRIPTS = {
    "raises": ("1 / 0", "script.vpy:3: ZeroDivisionError: division by zero"),
    "raises deeper": ("def f():\n    open('none')\nf()", "script.vpy:4: FileNotFoundError: "),
    "syntax": ("clip = = 3", "script.vpy:3: SyntaxError: invalid syntax"),
    "null byte": ("\0", "SyntaxError"),
    "filter": ("core.std.BlankClip(width=-1)", "script.vpy:3: vapoursynth.Error: BlankClip: "),
    "exits": ("import sys; sys.exit(0)", "script.vpy:3: SystemExit: 0"),
    "no output": ("core.std.BlankClip()", "script.vpy: the script sets no output"),
    "other output": ("core.std.BlankClip().set_output(1)", "script.vpy: the script sets no output"),
    "audio": ("core.std.BlankAudio().set_output()", "output 0 of the script is audio"),
    "first frame": (writes_at_frame(0, "raise ValueError('bad luck')"), "frame 0: ValueError: bad luck"),
    "later frame": (writes_at_frame(7, "raise ValueError('bad luck')"), "frame 7: ValueError: bad luck"),
    "last frame": (writes_at_frame(49, "raise ValueError('bad luck')"), "frame 49: ValueError: bad luck"),
    "variable size": ("a = core.std.BlankClip(); core.std.Splice([a, a.std.Crop(2)], 1).set_output()", "be constant"),
    "variable format": (
        "a = core.std.BlankClip(format=vs.GRAY8); b = a.resize.Point(format=vs.GRAYS)\n"
        "core.std.Splice([a, b], mismatch=1).set_output()",
        "be constant",
    ),
    "variable rate": ("a = core.std.BlankClip(); (a + a.std.AssumeFPS(fpsnum=30)).set_output()", "frame rate"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD_SCRIPTS)
def test_bad_script(folder: Path, case: str) -> None:
    text, part = BAD_SCRIPTS[case]
    script(folder, text)
    refused(vdiff("run", "script.vpy", "out.mkv", folder=folder), part)
    assert names(folder) == {"in.mp4", "script.vpy"}


# FFmpeg


def test_unknown_encoder(folder: Path) -> None:
    refused(
        vdiff("run", "in.mp4", "out.mp4", "--", "-c:v", "nope", folder=folder), "FFmpeg failed: Unknown encoder 'nope'"
    )
    assert names(folder) == {"in.mp4"}


def test_unknown_encoder_option(folder: Path) -> None:
    refused(vdiff("run", "in.mp4", "out.mp4", "--", "-nope", "1", folder=folder), "FFmpeg failed: ", "'nope'")


def stand_in(folder: Path, what_it_does: str) -> dict[str, str]:
    """Put a program before FFmpeg on PATH that is FFmpeg, except when it is to encode."""
    programs = folder / "programs"
    programs.mkdir()
    program = programs / "ffmpeg"
    program.write_text(
        f'#!/bin/sh\ncase " $* " in *" pipe:0 "*) {what_it_does};; *) exec {ffmpeg.find()} "$@";; esac\n'
    )
    program.chmod(0o755)
    return {"PATH": f"{programs}{os.pathsep}{os.environ['PATH']}"}


@pytest.mark.parametrize(
    ("what_it_does", "part"),
    [
        ("head -c 99999 >/dev/null; echo 'muxer: No space left on device' >&2; exit 228", "No space left on device"),
        ("head -c 100000 >/dev/null; kill -KILL $$", "FFmpeg was killed by SIGKILL"),
        ("cat >/dev/null; kill -SEGV $$", "FFmpeg was killed by SIGSEGV"),
        ("cat >/dev/null; exit 3", "FFmpeg failed: exit status 3"),
        ("exit 0", "FFmpeg wrote nothing"),
    ],
)  # fmt: skip
def test_ffmpeg_fails_halfway(folder: Path, what_it_does: str, part: str) -> None:
    env = stand_in(folder, what_it_does)
    refused(vdiff("run", "in.mp4", "out.mp4", folder=folder, env=env), part)
    assert names(folder) == {"in.mp4", "programs"}


def test_file_that_grows_too_large(folder: Path) -> None:
    """The real FFmpeg runs into a limit of the system while it writes."""
    script(folder, ENDLESS)

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))

    command = [VDIFF, "run", "script.vpy", "out.nut", "--", "-c:v", "rawvideo"]
    result = subprocess.run(command, cwd=folder, preexec_fn=limit, capture_output=True, text=True, check=False)
    refused(result, "FFmpeg")
    assert names(folder) == {"in.mp4", "script.vpy"}


def test_no_ffmpeg(folder: Path) -> None:
    env = without(folder, "imageio_ffmpeg") | {"PATH": str(folder)}
    refused(vdiff("run", "in.mp4", "out.mp4", folder=folder, env=env), "there is no FFmpeg", "vapoursynth-vdiff[cli]")


@pytest.mark.parametrize("source", ["in.mp4", "missing.mp4"])
def test_no_motion_plugin(folder: Path, source: str) -> None:
    """Told before the input is read, which may take long."""
    env = without(folder)
    (folder / "missing" / "sitecustomize.py").write_text("from vs_vdiff import denoising\ndenoising.MOTION.clear()\n")
    result = vdiff("run", source, "out.mp4", "--preset", "denoise", folder=folder, env=env)
    refused(result, "--preset: denoise needs a plugin", "pip install vapoursynth-mvutensils")
    assert names(folder) == {"in.mp4", "missing"}


def test_ffmpeg_of_the_system_comes_first(folder: Path) -> None:
    env = stand_in(folder, "touch ../used 2>/dev/null; touch used; exit 1")
    refused(vdiff("run", "in.mp4", "out.mp4", folder=folder, env=env), "FFmpeg failed")
    assert (folder / "used").exists()


@pytest.mark.parametrize("module", ["click", "rich"])
def test_without_the_extra(folder: Path, module: str) -> None:
    """Help of all commands imports none of them."""
    env = without(folder, module)
    if module == "rich":
        assert "doctor" in vdiff("--help", folder=folder, env=env).stdout
    for arguments in (["--help"] if module == "click" else ["run", "--help"], ["run", "in.mp4", "out.mp4"]):
        refused(vdiff(*arguments, folder=folder, env=env), module, 'pip install "vapoursynth-vdiff[cli]"')


def test_frames_are_held_back(folder: Path) -> None:
    """While FFmpeg takes nothing, only a few of very many frames are made."""
    script(
        folder,
        """
clip = core.std.BlankClip(width=640, height=360, format=vs.YUV420P8, length=10**6, keep=True)
def count(n, f):
    with open("made", "a") as file:
        file.write("x")
    return f
clip.std.ModifyFrame(clip, count).set_output()
""",
    )
    process = start("script.vpy", "out.mkv", folder=folder, env=os.environ | stand_in(folder, "exec sleep 1000"))
    counts = []

    def stands_still() -> bool:
        """The number of frames is the same for a second."""
        counts.append((folder / "made").stat().st_size if (folder / "made").exists() else 0)
        return len(counts) > 100 and 0 < counts[-1] == counts[-100]

    wait_for(stands_still, "the pipe to be full")
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 143
    assert counts[-1] < 200


# Loading the plugin


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a source checkout on a VapourSynth without the plugin that notes down what it loads."""

    def load(path: str) -> None:
        (tmp_path / "loaded").write_text(path)

    core = SimpleNamespace(std=SimpleNamespace(LoadPlugin=load))
    monkeypatch.setattr(plugin, "ROOT", tmp_path)
    monkeypatch.setattr(plugin, "vs", SimpleNamespace(core=core, Error=vs.Error, get_plugin_dir=lambda: tmp_path))
    (tmp_path / "meson.build").touch()
    return tmp_path


def test_newest_build_is_loaded(checkout: Path) -> None:
    """Of the base libraries under build*, not of their variants, nor of what lies elsewhere."""
    libraries = ["build/libvdiff.so", "build-new/src/libvdiff.so", "build/libvdiff.avx2.so", "elsewhere/libvdiff.so"]
    for age, name in enumerate(libraries):
        library = checkout / name
        library.parent.mkdir(parents=True, exist_ok=True)
        library.touch()
        os.utime(library, (1e9 + age, 1e9 + age))
    plugin.load()
    assert (checkout / "loaded").read_text() == str(checkout / "build-new" / "src" / "libvdiff.so")


def test_installed_plugin_that_was_not_loaded(checkout: Path) -> None:
    """VapourSynth says nothing when it cannot load what is in its folder; we try again, and would."""
    (checkout / "vdiff").mkdir()
    library = checkout / "vdiff" / "libvdiff.so"
    library.touch()
    plugin.load()
    assert (checkout / "loaded").read_text() == str(library)


def test_no_plugin(checkout: Path) -> None:
    with pytest.raises(ImportError, match=r"core\.vdiff.*pip install"):
        plugin.load()
    (checkout / "meson.build").unlink()
    with pytest.raises(plugin.PluginNotFoundError, match="vapoursynth-vdiff"):
        plugin.load()


def test_import_brings_the_plugin(tmp_path: Path) -> None:
    code = "import vs_vdiff, vapoursynth as vs; print(vs_vdiff.__version__, vs.core.vdiff.Diffuse.name)"
    result = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert re.fullmatch(r"\d+\.\S+ Diffuse\n", result.stdout)
