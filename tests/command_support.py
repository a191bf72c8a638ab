"""Run the installed `vdiff` as its users do, and look at what it made."""

import fcntl
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import vapoursynth as vs

from vs_vdiff import ffmpeg

VDIFF = str(Path(sys.executable).with_name("vdiff"))
PATIENCE = 60  # seconds that nothing here needs; only a hang takes them

Result = subprocess.CompletedProcess[str]
_started: list["subprocess.Popen[str]"] = []


def default_signals() -> None:
    """Undo what a shell does to jobs in the background: they would not see SIGINT."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


def vdiff(*arguments: object, folder: Path, env: dict[str, str] | None = None, program: str = VDIFF) -> Result:
    """Run `vdiff` in a folder to its end."""
    return subprocess.run(
        [program, *map(str, arguments)],
        cwd=folder,
        env=os.environ | (env or {}),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


def run(*arguments: object, folder: Path, env: dict[str, str] | None = None) -> Result:
    """Run `vdiff run` and expect it to succeed."""
    result = vdiff("run", *arguments, folder=folder, env=env)
    assert result.returncode == 0, result.stderr
    return result


def refused(result: Result, *parts: str, status: int = 1) -> None:
    """Expect one line that names the cause, and the exit status."""
    errors = [line for line in result.stderr.splitlines() if not re.match(r"vdiff: \d+/\d+ frames", line)]
    assert len(errors) == 1, result.stderr
    assert errors[0].startswith("vdiff: ")
    for part in parts:
        assert part in errors[0]
    assert result.returncode == status


def start(*arguments: object, folder: Path, command: str = "run", **options: Any) -> "subprocess.Popen[str]":
    """Start `vdiff run` in a session of its own; `end_started` ends it if it hangs."""
    process = subprocess.Popen(
        [VDIFF, command, *map(str, arguments)],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=options.pop("stdout", subprocess.DEVNULL),
        stderr=options.pop("stderr", subprocess.PIPE),
        text=True,
        start_new_session=True,
        preexec_fn=default_signals,
        **options,
    )
    _started.append(process)
    return process


def read_terminal(descriptor: int) -> bytes:
    """Read what a program has written to a terminal; nothing once it has gone."""
    try:
        return os.read(descriptor, 65536)
    except OSError:  # Linux says so when the other end of a terminal is closed
        return b""


def on_terminal(
    *arguments: object, folder: Path, command: str, columns: int = 100, env: dict[str, str] | None = None
) -> tuple[int, str]:
    """Run a command on a terminal of a width, in colour unless `env` says otherwise; give its status and its output."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    hidden = ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE", "COLUMNS", "LINES")
    plain = {key: value for key, value in os.environ.items() if key not in hidden}
    terminal = plain | {"TERM": "xterm-256color"} | (env or {})
    process = start(*arguments, folder=folder, command=command, stdout=slave, stderr=slave, env=terminal)
    os.close(slave)
    shown = b""
    while chunk := read_terminal(master):
        shown += chunk
    os.close(master)
    return process.wait(PATIENCE), shown.decode()


def end_started() -> None:
    """End what a failed test left running."""
    while _started:
        with _started.pop() as process:
            process.kill()


def wait_for(condition: Callable[[], Any], what: str) -> Any:
    """Wait until something has happened."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if value := condition():
            return value
        time.sleep(0.01)
    raise AssertionError(f"waited in vain for {what}")


def children(process: int) -> list[int]:
    """List the children of a process."""
    tasks = Path(f"/proc/{process}/task")
    return [int(child) for task in tasks.iterdir() for child in (task / "children").read_text().split()]


def is_alive(process: int) -> bool:
    try:
        return " (" in (text := Path(f"/proc/{process}/stat").read_text()) and ") Z" not in text
    except OSError:
        return False


def names(folder: Path) -> set[str]:
    """Name all files in a folder, hidden ones too."""
    return {path.name for path in folder.iterdir()}


def script(folder: Path, text: str, name: str = "script.vpy") -> Path:
    """Write a VapourSynth script."""
    path = folder / name
    path.write_text(f"import vapoursynth as vs\ncore = vs.core\n{text}\n")
    return path


def evaluated(path: Path) -> vs.VideoNode:
    """Run a test's own script here."""
    vs.clear_outputs()
    exec(path.read_text(), {})
    output = vs.get_output(0)
    assert isinstance(output, vs.VideoOutputTuple)
    return output.clip


def make(*arguments: object) -> None:
    """Make a video with FFmpeg."""
    command = [ffmpeg.find(), "-hide_banner", "-loglevel", "error", "-nostdin", "-y", *map(str, arguments)]
    subprocess.run(command, check=True)


def without(folder: Path, *modules: str) -> dict[str, str]:
    """Pretend that modules are not installed."""
    missing = folder / "missing"
    missing.mkdir()
    for module in modules:
        (missing / f"{module}.py").write_text(
            f"raise ModuleNotFoundError(\"No module named '{module}'\", name='{module}')"
        )
    return {"PYTHONPATH": os.pathsep.join([str(missing), os.environ.get("PYTHONPATH", "")])}


def describe(path: Path) -> str:
    """Give what FFmpeg says of a file."""
    command = [ffmpeg.find(), "-hide_banner", "-nostdin", "-i", str(path)]
    return subprocess.run(command, capture_output=True, text=True, check=False).stderr


def streams(path: Path, kind: str) -> list[str]:
    """Give FFmpeg's line for each stream of a kind ("Video", "Audio")."""
    return re.findall(rf"^ *Stream #.*?: {kind}: (.*)$", describe(path), re.MULTILINE)


def duration(path: Path) -> float:
    """Give the length of a file in seconds."""
    hours, minutes, seconds = re.findall(r"Duration: (\d+):(\d+):([\d.]+)", describe(path))[0]
    return int(hours) * 3600 + int(minutes) * 60 + float(seconds)


def decode(path: Path, **options: Any) -> vs.VideoNode:
    """Open a video with BestSource."""
    return vs.core.bs.VideoSource(str(path), cachemode=0, showprogress=0, **options)


def packets(path: Path, stream: str) -> str:
    """Give a checksum of a stream's packets as they are in the file."""
    command = [ffmpeg.find(), "-v", "error", "-nostdin", "-i", str(path), "-map", f"0:{stream}", "-c", "copy"]
    return subprocess.run([*command, "-f", "md5", "-"], capture_output=True, text=True, check=True).stdout
