"""Key frames: what is found, the files that tell encoders of it, and `vdiff keyframes`."""

import json
import os
import pty
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import vapoursynth as vs

import vs_vdiff
from command_support import VDIFF, Result, make, names, refused, run, script, start, vdiff, wait_for
from vs_vdiff import ffmpeg, format_keyframes, key_frames, keyframes, write_keyframes

CUTS = {"bikes.mp4": [30, 76, 137, 187, 242], "bigbuckbunny.mp4": [], "carphone_pristine.mp4": []}
EVERY_TENTH = ("--metric", "none", "--interval", "10")
ENDLESS = "core.std.BlankClip(width=16, height=16, format=vs.YUV420P8, length=10**6).set_output()"


def blank(length: int, fps: Fraction | int = 25, **options: Any) -> vs.VideoNode:
    """Make a clip of a length and a rate."""
    rate = Fraction(fps)
    size = {"width": 16, "height": 16, "format": vs.GRAY8} | options
    return vs.core.std.BlankClip(length=length, fpsnum=rate.numerator, fpsden=rate.denominator, **size)


def varying(length: int) -> vs.VideoNode:
    """Make a clip of variable rate."""
    return vs.core.std.Splice([blank(1), blank(length - 1, 30)], mismatch=True)


def acting(clip: vs.VideoNode, act: Callable[[int], object]) -> vs.VideoNode:
    """Do something when a frame is made."""

    def modify(n: int, f: vs.VideoFrame) -> vs.VideoFrame:
        act(n)
        return f

    return clip.std.ModifyFrame(clip, modify)


def failing(length: int, number: int) -> vs.VideoNode:
    """Make a clip of which one frame fails."""

    def act(n: int) -> None:
        if n == number:
            raise RuntimeError("broken on purpose")

    return acting(blank(length), act)


def marking(cuts: list[int]) -> Callable[..., vs.VideoNode]:
    """Stand in for SceneDetect: these frames start a scene."""

    def detect(clip: vs.VideoNode, **_: object) -> vs.VideoNode:
        def mark(n: int, f: vs.VideoFrame) -> vs.VideoFrame:
            marked = f.copy()
            marked.props["_SceneChangePrev"] = int(n in cuts)
            return marked

        return clip.std.ModifyFrame(clip, mark)

    return detect


# What is found


@pytest.mark.parametrize("name", CUTS)
def test_real_clips(core: Any, clips: Path, name: str) -> None:
    clip = core.bs.VideoSource(str(clips / name), cachemode=0)
    assert keyframes(clip) == [0, *CUTS[name]]


@pytest.mark.parametrize("metric", key_frames.METRICS)
@pytest.mark.parametrize("video", [vs.GRAY8, vs.RGB24, vs.YUV420P10, vs.YUV444PS])
def test_metrics(core: Any, metric: key_frames.Metric, video: int) -> None:
    """From black to white is a change by any measure, in any format."""
    white = [1.0, 0.0, 0.0] if video == vs.YUV444PS else [235.0 * (4 if video == vs.YUV420P10 else 1)] * 3
    clip = blank(40, width=64, height=64, format=video)
    bright = core.std.BlankClip(clip, color=white[: clip.format.num_planes])
    assert keyframes(clip[:20] + bright[:20], metric=metric) == [0, 20]


def test_threshold_and_min_length(core: Any) -> None:
    """Steps of grey, by 5, 10, 20 and 40: those above the threshold count, but not next to larger ones."""
    levels = [40, 45, 55, 75, 115]
    clip = core.std.Splice([blank(20, color=[float(level)]) for level in levels])
    assert keyframes(clip, metric="mad", threshold=7.5, min_length=1) == [0, 40, 60, 80]
    assert keyframes(clip, metric="mse", threshold=7.5**2, min_length=1) == [0, 40, 60, 80]
    assert keyframes(clip, metric="mse", threshold=30.0**2, min_length=1) == [0, 80]
    assert keyframes(clip, metric="mad", threshold=7.5, min_length=30) == [0, 80]


@pytest.mark.parametrize("interval", [None, 1, 2, 7, 50, 1000])
def test_interval(core: Any, monkeypatch: pytest.MonkeyPatch, rng: np.random.Generator, interval: int | None) -> None:
    """As an encoder counts: a key frame at a cut, and when so many frames have passed since the last one."""
    cuts = sorted(int(cut) for cut in rng.choice(np.arange(1, 300), 12, replace=False))
    monkeypatch.setattr(key_frames, "detect", marking(cuts))
    expected = [0]
    for number in range(1, 300):
        if number in cuts or (interval and number - expected[-1] == interval):
            expected.append(number)
    assert keyframes(blank(300), interval=interval) == expected


def test_interval_alone_reads_no_frame() -> None:
    told: list[tuple[int, int]] = []
    clip = failing(25, 0)
    assert keyframes(clip, metric=None, interval=10, progress=lambda *state: told.append(state)) == [0, 10, 20]
    assert keyframes(clip, metric=None, interval=25) == [0]
    assert told == []


def test_options_reach_the_filter(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that are given; the defaults are the filter's."""
    seen: list[dict[str, object]] = []

    def detect(clip: vs.VideoNode, **options: object) -> vs.VideoNode:
        seen.append(options)
        return clip

    monkeypatch.setattr(key_frames, "detect", detect)
    assert keyframes(blank(3)) == [0]
    keyframes(blank(3), metric="mse", threshold=0.0, min_length=0)
    assert seen == [{"metric": "adaptive"}, {"metric": "mse", "threshold": 0.0, "min_length": 0}]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"interval": 0}, "interval must be at least 1, got 0"),
        ({"interval": -3}, "interval must be at least 1, got -3"),
        ({"metric": None}, "without a metric, interval must be given"),
        ({"metric": None, "interval": 5, "threshold": 3.0}, "threshold and min_length are a metric's"),
        ({"metric": None, "interval": 5, "min_length": 3}, "threshold and min_length are a metric's"),
        ({"metric": "nonsense"}, "SceneDetect: metric"),
        ({"threshold": float("nan")}, "SceneDetect: threshold"),
        ({"min_length": -1}, "SceneDetect: min_length"),
        ({"min_length": 2**70}, "too large"),
        ({"threshold": 10**400}, "too large"),
    ],
)
def test_wrong_arguments(core: Any, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        keyframes(blank(3), **arguments)


@pytest.mark.parametrize("interval", [2.5, np.float64(10), float("nan"), "10"], ids=repr)
def test_interval_that_is_no_whole_number(interval: Any) -> None:
    """Told before the clip is read, not after."""
    with pytest.raises(TypeError):
        keyframes(blank(3), interval=interval, progress=lambda *_: pytest.fail("a frame was read"))


def test_wrong_clips(core: Any) -> None:
    with pytest.raises(TypeError, match="clip must be a video clip, got AudioNode"):
        keyframes(core.std.BlankAudio(length=1000))
    mixed = core.std.Splice([blank(2), blank(2, width=32)], mismatch=True)
    with pytest.raises(ValueError, match=r"SceneDetect: .*constant format"):
        keyframes(mixed)
    assert keyframes(mixed, metric=None, interval=2) == [0, 2]


# How it is read


def test_progress(monkeypatch: pytest.MonkeyPatch) -> None:
    """From none to all, in the calling thread."""
    monkeypatch.setattr(key_frames, "detect", marking([]))
    told: list[tuple[int, int]] = []

    def progress(done: int, total: int) -> None:
        assert threading.current_thread() is threading.main_thread()
        told.append((done, total))

    keyframes(blank(50), progress=progress)
    assert told == [(done, 50) for done in range(51)]


class Watched:
    """A slow clip that knows which of its frames were made and which are being made."""

    def __init__(self, length: int) -> None:
        self.made: Counter[int] = Counter()
        self.under_way = 0
        self.clip = acting(blank(length), self.make)

    def make(self, number: int) -> None:
        self.under_way += 1
        time.sleep(0.005)
        self.made[number] += 1
        self.under_way -= 1


def test_frames_are_read_once_and_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(key_frames, "detect", marking([]))
    watched = Watched(60)
    keyframes(watched.clip)
    assert watched.made == Counter(range(60))
    # Frames that two threads make at the same time may be noted in either order.
    assert all(abs(place - n) <= 2 * vs.core.num_threads for place, n in enumerate(watched.made))


@pytest.mark.parametrize("at", [0, 1, 20])
def test_progress_that_raises(monkeypatch: pytest.MonkeyPatch, at: int) -> None:
    """What it raises comes out, and nothing goes on behind it, though the exception holds the frames of Python."""
    monkeypatch.setattr(key_frames, "detect", marking([]))
    watched = Watched(1000)

    def progress(done: int, _: int) -> None:
        if done == at:
            raise KeyError("enough")

    with pytest.raises(KeyError, match="enough"):
        keyframes(watched.clip, progress=progress)
    assert watched.under_way == 0
    made = sum(watched.made.values())
    assert made <= at + 40
    time.sleep(0.05)
    assert sum(watched.made.values()) == made


@pytest.mark.parametrize("number", [0, 17, 59])
def test_frame_that_fails(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    monkeypatch.setattr(key_frames, "detect", marking([]))
    told: list[int] = []
    with pytest.raises(vs.Error, match="broken on purpose"):
        keyframes(failing(60, number), progress=lambda done, _: told.append(done))
    assert told == list(range(number + 1))


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A clip of 1000 frames of 1 MB each: a few of them are held, and as many at the end as in the middle."""
    monkeypatch.setattr(key_frames, "detect", lambda clip, **_: clip.std.SetFrameProps(_SceneChangePrev=0))
    before = vs.core.used_cache_size
    held: list[int] = []
    clip = blank(1000, width=1024, height=1024)
    keyframes(clip, progress=lambda *_: held.append(vs.core.used_cache_size - before))
    assert max(held) < 60 * 2**20


# Files for encoders


KEYS = [0, 1, 30, 76, 137]


def test_list() -> None:
    assert format_keyframes(KEYS, blank(200)) == "0\n1\n30\n76\n137\n"


@pytest.mark.parametrize("keys", [[30, 137, 76, 1, 30], KEYS, (n for n in KEYS), np.array(KEYS)])
def test_order_is_no_matter(keys: Any) -> None:
    """And frame 0 is always one of them."""
    assert format_keyframes(keys, blank(200)) == "0\n1\n30\n76\n137\n"


def test_json() -> None:
    text = format_keyframes(KEYS, blank(200, Fraction(30000, 1001)), "json")
    known = json.loads(text)
    assert text.endswith("}\n")
    assert (known["frames"], known["fps"], known["keyframes"]) == (200, "30000/1001", KEYS)
    assert known["times"] == pytest.approx([key * 1001 / 30000 for key in KEYS], abs=1e-6)
    assert Fraction(known["fps"]) == Fraction(30000, 1001)
    assert json.loads(format_keyframes(KEYS, varying(200), "json")) == known | {"fps": None, "times": None}


def test_times_are_a_quarter_of_a_frame_early() -> None:
    """But not before the beginning; `start` is when frame 0 is shown."""
    assert format_keyframes([1, 50], blank(200), "ffmpeg") == "0.000000,0.030000,1.990000"
    assert format_keyframes([1, 50], blank(200), "ffmpeg", start=0.5) == "0.490000,0.530000,2.490000"


def test_times_need_a_rate() -> None:
    with pytest.raises(ValueError, match="AssumeFPS"):
        format_keyframes(KEYS, varying(200), "ffmpeg")


def scan(text: str, conversions: str) -> tuple[list[Any], int]:
    """Read with C's `fscanf`: d, c, blank, and * for blanks that must be; give the values, and how far it came."""
    values: list[Any] = []
    place = 0
    for conversion in conversions:
        if conversion in " d":
            place += len(text[place:]) - len(text[place:].lstrip())
        if conversion == "d":
            if not (match := re.match(r"[+-]?\d+", text[place:])):
                break
            values.append(int(match[0]))
            place += match.end()
        elif conversion == "c":
            if place == len(text):
                break
            values.append(text[place])
            place += 1
        elif conversion == "*":
            if not (match := re.match(r"[ \t]+", text[place:])):
                break
            place += match.end()
    return values, place


# How encoders read a line, and how many values they need: early versions of x264; later ones, and x265.
READERS = {"early": ("d c d ", 3), "later": ("d c*d ", 2)}


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("keys", [KEYS, [0], list(range(150)), [0, 149]])
def test_qpfile(keys: list[int], reader: str) -> None:
    """An encoder that reads it frame by frame, as x264 and x265 do, forces these frames and no QP."""
    conversions, wanted = READERS[reader]
    text = format_keyframes(keys, blank(150), "qpfile")
    place = 0
    forced = []
    for frame in range(150):
        number = -1
        while number < frame:
            values, length = scan(text[place:], conversions)
            if not values or values[0] > frame:
                break
            assert len(values) >= wanted
            place += length
            number, kind, qp = values
            assert kind == "I"
            assert qp == -1
            if number == frame:
                forced.append(frame)
    assert forced == keys
    assert text[place:] == ""


@pytest.mark.parametrize("fields", [("frames", "scenes"), ("frames", "scenes", "split_scenes")])
def test_av1an(fields: tuple[str, ...]) -> None:
    """Both versions of the file find what they need: scenes that cover the clip, ends not included."""
    data = json.loads(format_keyframes(KEYS, blank(200), "av1an"))
    assert data["frames"] == 200
    for field in fields[1:]:
        assert all(set(scene) == {"start_frame", "end_frame", "zone_overrides"} for scene in data[field])
        covered = [frame for scene in data[field] for frame in range(scene["start_frame"], scene["end_frame"])]
        assert covered == list(range(200))
        assert [scene["start_frame"] for scene in data[field]] == KEYS
        assert all(scene["zone_overrides"] is None for scene in data[field])


def key_frames_of(path: Path) -> list[int]:
    """Tell which frames of a video are key frames."""
    command = [ffmpeg.find(), "-hide_banner", "-nostdin", "-i", str(path), "-map", "0:v:0", "-vf", "showinfo"]
    text = subprocess.run([*command, "-f", "null", "-"], capture_output=True, text=True, check=True).stderr
    shown = re.findall(r"\] n: *(\d+) .*? iskey:(\d) type:(\w)", text)
    assert all((key == "1") == (kind == "I") for _, key, kind in shown)
    return [int(number) for number, key, _ in shown if key == "1"]


# Key frames nowhere but where they are asked for.
ENCODER = ["-c:v", "libx264", "-preset", "ultrafast", "-g", "9999", "-sc_threshold", "0"]


@pytest.mark.parametrize(
    ("rate", "suffix"),
    [
        ("24000/1001", "mkv"),
        ("30000/1001", "mp4"),
        ("30000/1001", "mkv"),
        ("60", "nut"),
        ("240", "mkv"),
        ("7/3", "mkv"),
    ],
)
def test_ffmpeg_makes_these_key_frames(tmp_path: Path, rate: str, suffix: str) -> None:
    """Whatever the rate, and however a container rounds the times of frames."""
    keys = [0, 1, 2, 30, 31, 76, 137, 138, 139, 199]
    times = format_keyframes(keys, blank(200, Fraction(rate)), "ffmpeg")
    source = tmp_path / f"in.{suffix}"
    make("-f", "lavfi", "-i", f"testsrc2=s=32x32:r={rate}", "-frames:v", "200", "-preset", "ultrafast", source)
    for base in ("filter", "demux"):  # the times of frames as FFmpeg puts them straight, and as they are in the file
        make("-i", source, *ENCODER, "-enc_time_base", base, "-force_key_frames", times, "-y", tmp_path / "out.mkv")
        assert key_frames_of(tmp_path / "out.mkv") == keys


def test_ffmpeg_reads_the_file(tmp_path: Path) -> None:
    write_keyframes(tmp_path / "keys", KEYS, blank(200), "ffmpeg")
    source = ["-f", "lavfi", "-i", "testsrc2=s=32x32:r=25", "-frames:v", "200"]
    make(*source, *ENCODER, "-/force_key_frames", tmp_path / "keys", tmp_path / "out.mkv")
    assert key_frames_of(tmp_path / "out.mkv") == KEYS


@pytest.mark.parametrize(("keys", "wrong"), [([200], "200"), ([-1, 5], "-1"), ([0, 10**30], str(10**30))])
@pytest.mark.parametrize("kind", key_frames.FORMATS)
def test_frames_outside_the_clip(keys: list[int], wrong: str, kind: key_frames.Format) -> None:
    with pytest.raises(ValueError, match=rf"in the clip, 0\.\.\.199, got {wrong}"):
        format_keyframes(keys, blank(200), kind)


def test_wrong_format() -> None:
    with pytest.raises(ValueError, match='must be one of list, json, qpfile, av1an, ffmpeg, got "x264"'):
        format_keyframes(KEYS, blank(200), "x264")  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        format_keyframes([0.5], blank(200))  # type: ignore[list-item]


def test_file(tmp_path: Path) -> None:
    """A file is replaced in one step, a link stays one, and what fails leaves the old one."""
    target = tmp_path / "keys.txt"
    target.write_text("old")
    (tmp_path / "link").symlink_to("keys.txt")
    write_keyframes(str(tmp_path / "link"), [30], blank(200), "qpfile")
    assert target.read_bytes() == b"0 I -1\n30 I -1\n"
    assert (tmp_path / "link").is_symlink()
    with pytest.raises(ValueError, match="in the clip"):
        write_keyframes(target, [300], blank(200))
    assert target.read_bytes() == b"0 I -1\n30 I -1\n"
    for name in ("none/keys.txt", "keys.txt/keys.txt"):
        with pytest.raises(OSError, match=r"No such file|Not a directory"):
            write_keyframes(tmp_path / name, KEYS, blank(200))
    assert names(tmp_path) == {"keys.txt", "link"}


def test_what_is_no_regular_file_is_not_replaced(tmp_path: Path) -> None:
    """Nor a link to it: a device stays one, though its owner might replace it."""
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "link").symlink_to("fifo")
    (tmp_path / "folder").mkdir()
    for name in ("fifo", "link", "folder"):
        with pytest.raises(OSError, match="not a regular file"):
            write_keyframes(tmp_path / name, KEYS, blank(200))
    assert (tmp_path / "fifo").is_fifo()
    assert names(tmp_path) == {"fifo", "link", "folder"}


def test_import_is_light() -> None:
    """Neither of the command's packages is loaded, and no module hides the function of its name."""
    code = """
        import sys, vs_vdiff
        assert "vs_vdiff.key_frames" not in sys.modules
        assert vs_vdiff.keyframes and vs_vdiff.write_keyframes and vs_vdiff.format_keyframes
        assert not {"click", "rich"} & set(sys.modules)
        import vs_vdiff.commands
        assert callable(vs_vdiff.keyframes)
    """
    lines = "\n".join(line.strip() for line in code.splitlines())
    subprocess.run([sys.executable, "-c", lines], check=True, timeout=60)
    assert set(vs_vdiff.__all__) <= {
        *dir(vs_vdiff),
        "keyframes",
        "write_keyframes",
        "format_keyframes",
        *vs_vdiff.__all__,
    }


# The command


def find(*arguments: object, folder: Path, env: dict[str, str] | None = None) -> Result:
    """Run `vdiff keyframes` and expect it to succeed."""
    result = vdiff("keyframes", *arguments, folder=folder, env=env)
    assert result.returncode == 0, result.stderr
    return result


@pytest.mark.parametrize("name", CUTS)
def test_command(clips: Path, tmp_path: Path, name: str) -> None:
    """The result alone on standard output; progress elsewhere."""
    result = find(clips / name, folder=tmp_path)
    assert [int(line) for line in result.stdout.splitlines()] == [0, *CUTS[name]]
    assert all(re.fullmatch(r"vdiff: \d+/\d+ frames, .*", line) for line in result.stderr.splitlines())
    assert names(tmp_path) == set()


def test_quiet(folder: Path) -> None:
    assert find("in.mp4", "-q", folder=folder).stderr == ""


def test_help_works_as_printed(clips: Path, tmp_path: Path) -> None:
    """The example that encodes, in a shell: key frames where the scenes begin."""
    text = find("--help", folder=tmp_path).stdout
    example = re.findall(r"^ +(vdiff run .*)$", text, re.MULTILINE)
    assert len(example) == 1
    shutil.copy(clips / "bikes.mp4", tmp_path / "in.mp4")
    fast = ["-preset", "ultrafast", "-g", "9999", "-sc_threshold", "0", "-vf", "scale=64:48"]
    path = os.environ | {"PATH": f"{Path(VDIFF).parent}{os.pathsep}{os.environ['PATH']}"}
    command = f"{example[0]} {' '.join(fast)}"
    subprocess.run(["sh", "-c", command], cwd=tmp_path, env=path, check=True, timeout=60)
    assert key_frames_of(tmp_path / "out.mp4") == [0, *CUTS["bikes.mp4"]]


@pytest.mark.parametrize("kind", key_frames.FORMATS)
def test_formats(folder: Path, kind: key_frames.Format) -> None:
    """What Python gives."""
    shown = find("in.mp4", *EVERY_TENTH, "--format", kind, folder=folder).stdout
    assert shown == format_keyframes(range(0, 120, 10), blank(120, Fraction(30000, 1001)), kind)


def test_output(folder: Path) -> None:
    """A file, or standard output by its usual name."""
    shown = find("in.mp4", *EVERY_TENTH, "-o", "-", folder=folder).stdout
    result = find("in.mp4", *EVERY_TENTH, "-o", "keys", folder=folder)
    assert result.stdout == ""
    assert (folder / "keys").read_text() == shown == "".join(f"{n}\n" for n in range(0, 120, 10))
    assert names(folder) == {"in.mp4", "keys"}


def test_options(folder: Path) -> None:
    greys = "[core.std.BlankClip(None, 64, 64, vs.GRAY8, 20, color=x) for x in (40, 45, 55, 75, 115)]"
    script(folder, f"core.std.Splice({greys}).set_output()")
    options = ["--metric", "mad", "--threshold", "7.5", "--min-length", "1", "--interval", "15"]
    assert find("script.vpy", *options, folder=folder).stdout.split() == [
        str(n) for n in (0, 15, 30, 40, 55, 60, 75, 80, 95)
    ]


@pytest.mark.parametrize("delay", [0.005, 0.021, 0.4])
def test_late_video(folder: Path, delay: float) -> None:
    """The times are right for `vdiff run`, and for FFmpeg with the file itself unless a line says otherwise."""
    inputs = [
        "-itsoffset",
        delay,
        "-i",
        folder / "in.mp4",
        "-f",
        "lavfi",
        "-i",
        "sine=d=4",
        "-map",
        "0:v",
        "-map",
        "1:a",
    ]
    make(*inputs, "-c:v", "copy", "-c:a", "flac", folder / "late.mkv")
    result = find("late.mkv", *EVERY_TENTH, "--format", "ffmpeg", folder=folder)
    assert ("the video starts later than the sound" in result.stderr) == (delay == 0.005)
    forced = [*ENCODER, "-force_key_frames", result.stdout]
    run("late.mkv", "out.mkv", "--", *forced, folder=folder)
    assert key_frames_of(folder / "out.mkv") == list(range(0, 120, 10))
    if delay != 0.005:
        make("-i", folder / "late.mkv", *forced, folder / "own.mkv")
        assert key_frames_of(folder / "own.mkv") == list(range(0, 120, 10))


def test_variable_frame_rate(folder: Path) -> None:
    """Frames are those of the converted clip, and a line says so."""
    drop = ["-vf", "select='lt(n,60)+not(mod(n,3))'", "-fps_mode", "vfr", "-preset", "ultrafast"]
    make("-i", folder / "in.mp4", *drop, folder / "vfr.mp4")
    result = find("vfr.mp4", *EVERY_TENTH, folder=folder)
    assert "the frame rate varies: converted to constant 29.97 fps" in result.stderr
    assert "their numbers are not those of the file" in result.stderr
    assert int(result.stdout.split()[-1]) == 110
    assert "numbers" not in find("in.mp4", *EVERY_TENTH, folder=folder).stderr


def test_what_is_no_picture_is_no_matter(folder: Path) -> None:
    """A file's subtitles are nothing to hear of where nothing is encoded."""
    (folder / "text.srt").write_text("1\n00:00:00,000 --> 00:00:01,000\nHello\n")
    make(
        "-i", folder / "in.mp4", "-i", folder / "text.srt", "-map", "0:v", "-map", "1", "-c:v", "copy", folder / "t.mkv"
    )
    assert find("t.mkv", *EVERY_TENTH, folder=folder).stderr == ""


def test_terminal(folder: Path) -> None:
    """A bar while it works, and the result on its own."""
    master, slave = pty.openpty()
    env = os.environ | {"TERM": "xterm-256color", "COLUMNS": "100"}
    process = start("in.mp4", folder=folder, command="keyframes", stdout=subprocess.PIPE, stderr=slave, env=env)
    os.close(slave)
    shown = b""
    with suppress(OSError):  # Linux says so when the other end of a terminal is closed
        while chunk := os.read(master, 65536):
            shown += chunk
    os.close(master)
    assert process.stdout
    assert process.stdout.read() == "0\n"
    assert process.wait() == 0
    assert "120/120" in shown.decode()


def test_existing_output_is_kept(folder: Path) -> None:
    (folder / "keys").write_text("mine")
    refused(vdiff("keyframes", "in.mp4", "-o", "keys", folder=folder), "keys exists already", "--overwrite")
    assert (folder / "keys").read_text() == "mine"
    find("in.mp4", "-o", "keys", "-y", *EVERY_TENTH, folder=folder)
    assert (folder / "keys").read_text().startswith("0\n10\n")


def test_output_that_appears_meanwhile_is_kept(folder: Path) -> None:
    script(folder, "open('keys', 'w').write('mine')\n" + ENDLESS)
    refused(vdiff("keyframes", "script.vpy", *EVERY_TENTH, "-o", "keys", folder=folder), "keys appeared meanwhile")
    assert (folder / "keys").read_text() == "mine"


@pytest.mark.parametrize(
    ("target", "part"),
    [
        ("/dev/null", "/dev/null is not a regular file"),
        (".", "is a folder"),
        ("none/keys", "does not exist"),
        ("in.mp4/keys", "Not a directory"),
        ("/proc/keys", "not writable"),
        ("in.mp4", "input and output are the same file"),
    ],
)
def test_bad_outputs(folder: Path, target: str, part: str) -> None:
    refused(vdiff("keyframes", "-y", "in.mp4", "-o", target, folder=folder), part)
    assert names(folder) == {"in.mp4"}


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        ((), "INPUT"),
        (("in.mp4", "--format", "x264"), "'x264'"),
        (("in.mp4", "--metric", "ssim"), "'ssim'"),
        (("in.mp4", "--metric", "none"), "interval must be given"),
        (("in.mp4", "--metric", "none", "--interval", "5", "--threshold", "3"), "threshold"),
        (("in.mp4", "--interval", "0"), "--interval"),
        (("in.mp4", "--interval", str(2**70)), "--interval"),
        (("in.mp4", "--min-length", "-1"), "--min-length"),
        (("in.mp4", "--min-length", str(2**70)), "--min-length"),
        (("in.mp4", "--threshold", "much"), "'much'"),
        (("in.mp4", "--threshold", "-1"), "SceneDetect: threshold"),
        (("in.mp4", "--threshold", "nan"), "SceneDetect: threshold"),
        (("in.mp4", "--", "-crf", "20"), "leave out --"),
    ],
)
def test_wrong_command_line(folder: Path, arguments: tuple[str, ...], part: str) -> None:
    result = vdiff("keyframes", *arguments, folder=folder)
    refused(result, part, status=2)
    assert result.stdout == ""


@pytest.mark.parametrize(
    ("name", "part"),
    [("none.mp4", "No such file"), ("text.mp4", "not a video that can be read"), ("empty.mp4", "is empty"), (".", ".")],
)
def test_bad_input(folder: Path, name: str, part: str) -> None:
    (folder / "text.mp4").write_text("no film at all\n" * 100)
    (folder / "empty.mp4").touch()
    result = vdiff("keyframes", name, "-o", "keys", folder=folder)
    refused(result, name, part)
    assert names(folder) == {"in.mp4", "text.mp4", "empty.mp4"}


@pytest.mark.parametrize(
    ("text", "options", "parts", "status"),
    [
        ("1/0", (), ("script.vpy:3: ZeroDivisionError",), 1),
        ("", (), ("sets no output",), 1),
        ("core.std.BlankAudio().set_output()", (), ("is audio",), 1),
        (
            "a, b = core.std.BlankClip(width=16), core.std.BlankClip(width=32)\n"
            "core.std.Splice([a, b], mismatch=True).set_output()",
            (),
            ("script.vpy: SceneDetect: ", "constant format"),
            1,
        ),
        (
            "core.std.Splice([core.std.BlankClip(), core.std.BlankClip(fpsnum=50)], mismatch=True).set_output()",
            ("--format", "ffmpeg"),
            ("AssumeFPS",),
            1,
        ),
        (
            "clip = core.std.BlankClip(width=64, height=64, format=vs.GRAY8, length=50)\n"
            "def fail(n, f):\n    if n == 20: raise ValueError('broken on purpose')\n    return f\n"
            "clip.std.ModifyFrame(clip, fail).set_output()",
            (),
            ("script.vpy: ", "broken on purpose"),
            1,
        ),
    ],
)
def test_bad_script(folder: Path, text: str, options: tuple[str, ...], parts: tuple[str, ...], status: int) -> None:
    script(folder, text)
    result = vdiff("keyframes", "script.vpy", *options, "-o", "keys", folder=folder)
    refused(result, *parts, status=status)
    assert names(folder) == {"in.mp4", "script.vpy"}


def test_reader_that_has_seen_enough(folder: Path) -> None:
    """`| head -1`: more than a pipe holds, and no word about it."""
    script(folder, ENDLESS)
    process = start(
        "script.vpy", "--metric", "none", "--interval", "1", folder=folder, command="keyframes", stdout=subprocess.PIPE
    )
    assert process.stdout
    assert process.stdout.readline() == "0\n"
    process.stdout.close()
    assert process.stderr
    assert process.stderr.read() == ""
    assert process.wait(60) == 0


@pytest.mark.parametrize(("redirection", "part"), [(">/dev/full", "No space left on device"), (">&-", "is closed")])
def test_standard_output_that_takes_nothing(folder: Path, redirection: str, part: str) -> None:
    command = f"'{VDIFF}' keyframes in.mp4 {' '.join(EVERY_TENTH)} {redirection}"
    result = subprocess.run(["sh", "-c", command], cwd=folder, capture_output=True, text=True, check=False, timeout=60)
    refused(result, "standard output", part)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals(folder: Path, number: signal.Signals) -> None:
    """Stopped in the middle: nothing is left, not even a name."""
    waits = "clip = core.std.BlankClip(width=64, height=64, format=vs.GRAY8, length=10**6)\n"
    waits += "def act(n, f):\n    if n == 20: open('working', 'w')\n    return f\n"
    script(folder, waits + "clip.std.ModifyFrame(clip, act).set_output()")
    process = start("script.vpy", "-o", "keys", folder=folder, command="keyframes")
    wait_for((folder / "working").exists, "frames")
    process.send_signal(number)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 128 + number
    assert errors == f"vdiff: stopped by {number.name}\n"
    assert names(folder) == {"in.mp4", "script.vpy", "working"}
