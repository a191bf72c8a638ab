"""What the command makes of files out of the ordinary, and how it starts and ends."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from fractions import Fraction
from functools import partial
from pathlib import Path

import pytest

from command_support import (
    VDIFF,
    children,
    decode,
    end_started,
    is_alive,
    make,
    names,
    refused,
    run,
    script,
    start,
    streams,
    vdiff,
    wait_for,
)
from vs_vdiff import ffmpeg, progress
from vs_vdiff.errors import CommandError

FAST = ("--", "-preset", "ultrafast")
CLIP = "core.std.BlankClip(width=16, height=16, format=vs.YUV420P8, length={}).set_output()"


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """Give a folder, and see that no run leaves anything hidden in it."""
    yield tmp_path
    end_started()
    assert not [name for name in names(tmp_path) if name.startswith(".")]


def film(path: Path, *options: object, seconds: int = 2, rate: object = 25) -> None:
    """Make a small film."""
    make("-f", "lavfi", "-i", f"testsrc2=s=64x48:d={seconds}:r={rate}", *options, path)


# Frame rates


@pytest.mark.parametrize("rate", ["24000/1001", "24", "25", "30000/1001", "30", "50", "60000/1001", "60", "120"])
def test_rate_of_a_film_with_a_gap(folder: Path, rate: str) -> None:
    """Matroska rounds to milliseconds: the rate is found all the same, and a gap is filled up."""
    gap = ["-vf", "select='not(between(n,50,53))'", "-fps_mode", "vfr", "-preset", "ultrafast"]
    film(folder / "gap.mkv", *gap, seconds=8, rate=rate)
    run("gap.mkv", "out.nut", "--", "-c:v", "rawvideo", folder=folder)
    clip = decode(folder / "out.nut")
    assert Fraction(clip.fps.numerator, clip.fps.denominator) == Fraction(rate)
    assert clip.num_frames == pytest.approx(8 * Fraction(rate), abs=1)


# Streams


@pytest.mark.parametrize("codec", ["srt", "mov_text"])
def test_subtitles_that_last_longer_than_the_pictures(folder: Path, codec: str) -> None:
    (folder / "text.srt").write_text("1\n00:00:00,500 --> 00:00:05,000\nStill here\n")
    name = "in.mp4" if codec == "mov_text" else "in.mkv"
    film(folder / name, "-i", folder / "text.srt", "-map", "0", "-map", "1", "-c:s", codec)
    result = run(name, "out.mkv", *FAST, folder=folder)
    assert f"{name}: 1 subtitle stream left out" in result.stderr
    assert decode(folder / "out.mkv").num_frames == 50


def test_attachments_are_left_out_with_a_note(folder: Path) -> None:
    (folder / "font.ttf").write_bytes(bytes(100))
    film(folder / "in.mkv", "-attach", folder / "font.ttf", "-metadata:s:t", "mimetype=font/ttf")
    assert "1 attachment stream left out" in run("in.mkv", "out.mkv", *FAST, folder=folder).stderr
    assert streams(folder / "out.mkv", "Attachment") == []


def test_interlaced_film(folder: Path) -> None:
    film(folder / "in.mkv", "-vf", "interlace", "-flags", "+ilme+ildct", "-c:v", "mpeg2video", rate=50)
    assert "deinterlace it first" in run("in.mkv", "out.mkv", *FAST, folder=folder).stderr


@pytest.mark.parametrize("turn", [0, 90])
def test_odd_size(folder: Path, turn: int) -> None:
    """VapourSynth has no 4:2:0 of odd sizes; a picture whose chroma is whole stays as it is."""
    for chroma, codec in (("yuv420p", "mpeg4"), ("yuv444p", "libx264")):
        odd = folder / f"{chroma}.mp4"
        film(folder / "flat.mp4", "-vf", f"scale=65:49,format={chroma}", "-c:v", codec)
        make("-display_rotation", turn, "-i", folder / "flat.mp4", "-c", "copy", odd)
    assert "cut from 65x49" in run("yuv420p.mp4", "out.mkv", *FAST, folder=folder).stderr
    assert "cut from" not in run("yuv444p.mp4", "out444.mkv", *FAST, folder=folder).stderr


# Names and kinds of files


def test_name_that_is_not_utf8(folder: Path) -> None:
    for name, make_it in ((b"\xff.mkv", film), (b"\xff.vpy", lambda path: path.write_text("1 / 0"))):
        path = folder / os.fsdecode(name)
        make_it(path)
        refused(vdiff("run", path.name, "out.mkv", folder=folder), "UTF-8", "rename it")


@pytest.mark.parametrize("directory", ["", "d" * 250])
def test_long_name(folder: Path, directory: str) -> None:
    """As long as a name can be: no other name may be made out of it."""
    name = Path(directory) / f"{'n' * 251}.mkv"
    (folder / directory).mkdir(exist_ok=True)
    film(folder / "in.mkv")
    (folder / "in.mkv").rename(folder / name)
    run(name, "out.mkv", *FAST, folder=folder)
    assert decode(folder / "out.mkv").num_frames == 50


@pytest.mark.parametrize("name", ["pipe.mkv", "pipe.vpy", "/dev/stdin", "/dev/zero"])
def test_not_a_regular_file(folder: Path, name: str) -> None:
    if not name.startswith("/"):
        os.mkfifo(folder / name)
    command = [VDIFF, "run", name, "out.mkv"]
    with subprocess.Popen(["sleep", "60"], stdout=subprocess.PIPE) as writer:
        try:
            result = subprocess.run(
                command, cwd=folder, stdin=writer.stdout, capture_output=True, text=True, timeout=30, check=False
            )
        finally:
            writer.kill()
    refused(result, f"{name}: not a regular file")


@pytest.mark.parametrize("error", ["KeyboardInterrupt", "GeneratorExit", "SystemExit"])
def test_script_raises_what_is_no_exception(folder: Path, error: str) -> None:
    script(folder, f"raise {error}")
    refused(vdiff("run", "script.vpy", "out.mkv", folder=folder), f"script.vpy:3: {error}")


# FFmpeg


@pytest.mark.parametrize(
    ("what_it_does", "reason"),
    [
        ("echo 'error while loading shared libraries: libavdevice.so.61' >&2; exit 127", "libavdevice.so.61"),
        ("exit 3", "exit status 3"),
        ("exit 0", "exit status 0"),
    ],
)
def test_broken_ffmpeg(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what_it_does: str, reason: str) -> None:
    program = tmp_path / "ffmpeg"
    program.write_text(f"#!/bin/sh\n{what_it_does}\n")
    program.chmod(0o755)
    monkeypatch.setattr(ffmpeg, "find", lambda: str(program))
    with pytest.raises(CommandError, match=f"FFmpeg does not work: {program}: .*{reason}"):
        ffmpeg.readable_formats.__wrapped__()


def test_wrapper_of_ffmpeg_ends_with_its_children(folder: Path) -> None:
    """A script in FFmpeg's place that waits for a program of its own."""
    programs = folder / "programs"
    programs.mkdir()
    wrapper = programs / "ffmpeg"
    wrapper.write_text(
        f'#!/bin/sh\ncase " $* " in *" pipe:0 "*) sleep 100; exit;; *) exec {ffmpeg.find()} "$@";; esac\n'
    )
    wrapper.chmod(0o755)
    script(folder, CLIP.format(10**6))
    path = f"{programs}{os.pathsep}{os.environ['PATH']}"
    process = start("script.vpy", "out.mkv", folder=folder, env=os.environ | {"PATH": path})

    def sleeper() -> list[int]:
        return [below for child in children(process.pid) for below in children(child)]

    [grandchild] = wait_for(sleeper, "the wrapper")
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 143
    wait_for(lambda: not is_alive(grandchild), "the program to end")


# Signals


def full_pipe() -> tuple[int, int]:
    """Make a pipe that is full."""
    read_end, write_end = os.pipe()
    os.set_blocking(write_end, False)
    for size in (4096, 1):  # what a single byte no longer fits into
        try:
            while True:
                os.write(write_end, bytes(size))
        except BlockingIOError:
            pass
    os.set_blocking(write_end, True)
    return read_end, write_end


@pytest.mark.parametrize("text", [CLIP.format(10**6), "open('failing', 'w'); 1 / 0"])
def test_signal_while_nobody_reads_stderr(folder: Path, text: str) -> None:
    """At work and while a failure is told: the process ends, and FFmpeg with it."""
    script(folder, text)
    read_end, write_end = full_pipe()
    process = start("script.vpy", "out.nut", "--", "-c:v", "rawvideo", folder=folder, stderr=write_end)
    try:
        wait_for((folder / "failing").exists if "failing" in text else lambda: children(process.pid), "the work")
        time.sleep(0.5)
        encoders = children(process.pid)
        process.send_signal(signal.SIGTERM)
        assert process.wait(15) == 143
        assert not any(map(is_alive, encoders))
    finally:
        os.close(read_end)
        os.close(write_end)


def test_signal_while_modules_are_imported(folder: Path) -> None:
    """That takes the longest of all before the work."""
    modules = folder / "modules"
    modules.mkdir()
    (modules / "vapoursynth.py").write_text("import time\nopen('importing', 'w')\ntime.sleep(1000)\n")
    path = f"{modules}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"
    process = start("in.mkv", "out.mkv", folder=folder, env=os.environ | {"PYTHONPATH": path})
    wait_for((folder / "importing").exists, "the import")
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert (process.returncode, errors) == (130, "vdiff: stopped by SIGINT\n")


def test_signal_at_any_moment(folder: Path) -> None:
    """Up to the very last, the status tells the truth."""
    script(folder, CLIP.format(5))
    lengths = []
    for step in range(40):
        (folder / "out.mkv").unlink(missing_ok=True)
        process = start("script.vpy", "out.mkv", *FAST, folder=folder)
        began = time.monotonic()
        wait_for(partial(is_watching, process.pid), "the watch")
        if step < 3:  # to see how long it takes
            process.wait()
            lengths.append(time.monotonic() - began)
            continue
        time.sleep(max(0, min(lengths) - (40 - step) * 0.002))
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=30)
        assert process.returncode in (0, 130), (step, errors)
        assert (folder / "out.mkv").exists() >= (process.returncode == 0)
        assert "Traceback" not in errors


def is_watching(process: int) -> bool:
    """Tell whether a process handles SIGTERM, as Python alone does not."""
    caught = re.search(r"^SigCgt:\s*(\w+)", Path(f"/proc/{process}/status").read_text(), re.MULTILINE)
    return bool(caught and int(caught[1], 16) >> (signal.SIGTERM - 1) & 1)


# Progress


def test_log_is_told_of_long_reading(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    now = 0.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    with progress.make_reporter(quiet=False) as reporter:
        for now in range(0, 200, 10):
            reporter.status(f"reading {now // 2}%")
    lines = capsys.readouterr().err.splitlines()
    assert lines == ["vdiff: reading 30%", "vdiff: reading 60%", "vdiff: reading 90%"]


# The package


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Make a copy of the package without its plugin, and a VapourSynth that has none."""
    shutil.copytree(Path(ffmpeg.__file__).parent, tmp_path / "vs_vdiff")
    (tmp_path / "meson.build").touch()
    fake = "class Error(Exception): pass\nclass Core: pass\ncore = Core()\n"
    fake += "VideoNode = VideoFrame = MessageType = Function = int\n"
    fake += "def get_plugin_dir(): return 'nowhere'\ndef __getattr__(name): return 0\n"
    (tmp_path / "vapoursynth.py").write_text(fake)
    return tmp_path


def test_missing_plugin(checkout: Path) -> None:
    """Any program that imports the package hears of it, whatever its name; the command in one line."""
    program = checkout / "vdiff.py"
    program.write_text("import vs_vdiff\n")
    result = subprocess.run([sys.executable, program], cwd=checkout, capture_output=True, text=True, check=False)
    assert "PluginNotFoundError: the native plugin (core.vdiff) is not installed: pip install" in result.stderr
    command = checkout / "vdiff"
    command.write_text("from vs_vdiff.cli import main\nmain(['run', 'vdiff.py', 'out.mkv'])\n")
    result = subprocess.run([sys.executable, command], cwd=checkout, capture_output=True, text=True, check=False)
    refused(result, "the native plugin (core.vdiff) is not installed: pip install")
