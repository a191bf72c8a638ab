"""Instructions that the main kernels take, with the plugin of a commit and with that of the working tree.

Both are built by the same tools, and run by the same host, `tests/native/drive.c`, under valgrind's `callgrind`. What
is counted is what the frames of a case take in the plugin, and in what it calls: the library of C, the function of a
Kernel. That is the same in every run. What is not, or is not the plugin's, is left out: clips, the making of filters,
VapourSynth, whose threads wait for each other, and what gives out memory.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import NoReturn

import vapoursynth as vs

ROOT = Path(__file__).resolve().parent.parent
BASE = ROOT / "tests" / "instructions.base"
SOURCES = ("meson.build", "src_cython")
"""What the plugin is built from."""
WIDTH, HEIGHT = 320, 180
SHOWN = 3
"""So many functions of a case that grew are named."""
MEMORY = {"malloc", "calloc", "realloc", "free", "posix_memalign"}
"""What they take depends on what else was given out before."""


@dataclass(frozen=True)
class Case:
    """A filter with arguments, as the host reads them, on a clip of so many frames."""

    format: str
    frames: int
    call: str

    def __str__(self) -> str:
        return f"{self.format} {self.call}"

    @property
    def line(self) -> str:
        """The case as the host reads it."""
        return f"{int(getattr(vs, self.format))} {WIDTH} {HEIGHT} {self.frames} {self.call}"

    @property
    def pixels(self) -> int:
        """Pixels of the clip, each counted once whatever its planes."""
        return WIDTH * HEIGHT * self.frames


EACH = "GRAY8 GRAY16 GRAYS"
CASES = [
    Case(name, frames, call)
    for formats, frames, call in (
        (EACH, 3, "Diffuse"),
        ("GRAYS", 3, "Diffuse scheme=fed"),
        ("GRAYS", 3, "Diffuse scheme=fed diffusivity=linear"),
        ("GRAYS", 3, "Diffuse scheme=exact diffusivity=linear"),
        ("GRAYS", 3, "Diffuse diffusivity=exp"),
        ("GRAY16", 2, "Diffuse scheme=aos"),
        ("YUV420P8", 2, "Diffuse k=0 presmooth=1 coupled=1"),
        ("GRAY8", 2, "TensorDiffuse"),
        ("GRAYS", 2, "TensorDiffuse rho=2"),
        ("GRAYS", 2, "TensorDiffuse mode=ced"),
        ("GRAY8", 2, "Shock"),
        ("GRAY8 GRAYS", 5, "Diffuse3D"),
        # More frames than it remembers.
        (EACH, 40, "Decay halflife=2"),
        (f"{EACH} YUV420P8", 40, "Decay halflife=2 mode=max"),
        ("GRAY8 GRAYS", 40, "Decay halflife=2 mode=sum"),
        ("GRAY8", 4, "Decay halflife=2 mode=fade"),
        (EACH, 4, "DiffBlend"),
        ("GRAY8", 4, "DiffBlend alpha=1.2 threshold=2 limit=60"),
        ("GRAY16", 4, "DiffBlend alpha=-0.5"),
        (EACH, 4, "ChangeMap"),
        ("GRAY8", 4, "ChangeMap norm=square"),
        ("GRAY8", 4, "ChangeMap threshold=20"),
        (EACH, 4, "Spread dx=2,-1,0,3 dy=0,1,-2,3 weights=0.4,0.3,0.2,0.2"),
        (EACH, 3, "Dilate"),
        ("GRAY8", 3, "Dilate radius=9"),
        ("GRAY8", 3, "Dilate radius=3 shape=cross"),
        ("GRAY8", 3, "Erode radius=5 shape=disc"),
        ("GRAY8", 3, "Extrapolate length=3"),
        ("GRAY8", 4, "Interpolate factor=2"),
        ("GRAY8", 2, "Inpaint mask=@mask"),
        ("GRAY8", 2, "Inpaint mask=@mask mode=biharmonic"),
        ("GRAY8", 2, "Inpaint mask=@mask mode=eed"),
        ("GRAY8", 4, "Inpaint mask=@masks temporal=2"),
        ("GRAY8", 2, "PoissonBlend overlay=@other mask=@mask"),
        ("GRAY8", 6, "SceneDetect"),
        ("GRAY8", 6, "SceneDetect metric=histogram"),
        (EACH, 6, "SceneDetect metric=mad"),
        ("GRAY8", 6, "RepairFrames"),
        ("GRAY8", 3, "Kernel kernel=@kernel lags=0,1 params=0.5"),
    )
    for name in formats.split()
]

type Counts = Counter[str]
"""Instructions by function."""


def say(message: str) -> None:
    """Tell of what is done."""
    print(f"instructions: {message}", file=sys.stderr, flush=True)


def fail(message: str) -> NoReturn:
    """End."""
    sys.exit(f"instructions: {message}")


# What callgrind wrote


def readable(symbol: str) -> str:
    """A function by module and name, whatever Cython and the compiler made of it."""
    name = re.split(r"[.']", symbol)[0]  # .constprop.0: one of several that the compiler makes of a function
    if "__pyx_f_" not in name:
        return name
    rest, parts = name.split("__pyx_f_")[1], []
    while length := re.match(r"\d+", rest):
        end = length.end() + int(length[0])
        parts.append(rest[length.end() : end])
        rest = rest[end + 1 :]
    return ".".join([*parts, rest])


def counted(library: str, function: str) -> bool:
    """Whether what the plugin calls there is counted with it."""
    return "vapoursynth" not in Path(library).name and function not in MEMORY


def parse(text: str, plugin: str) -> tuple[str, Counts]:
    """One of the profiles that callgrind writes.

    Args:
        text: The profile.
        plugin: The path of the plugin's library.

    Returns:
        The name that the host gave it, and what each function of the plugin took, with what it called elsewhere.
    """
    label = re.search(r"^desc: Trigger: Client Request: (.*)$", text, re.MULTILINE)
    names: dict[tuple[str, str], str] = {}
    at = {"ob": "", "fn": "", "cob": "", "cfn": ""}
    counts: Counts = Counter()
    call = False
    for line in text.splitlines():
        if place := re.match(r"(c?)(ob|fn)=(?:\((\d+)\) ?)?(.*)", line):
            called, kind, number, name = place.groups()
            if number:  # a name is written once, with its number, which stands for it from there on
                name = names.setdefault((kind, number), name)
            at[called + kind] = name
        elif line.startswith("calls="):
            call = True  # and the next line is what it took, with all that was called from there
        elif cost := re.match(r"[+*\-\d]\S*(?: (\d+))?$", line):
            own = at["ob"] == plugin
            if own and (not call or (at["cob"] not in ("", plugin) and counted(at["cob"], at["cfn"]))):
                counts[readable(at["fn"])] += int(cost[1] or 0)
            if call:
                call, at["cob"] = False, ""
    return label[1] if label else "", counts


# The comparison


def percent(base: int, now: int) -> float:
    """By how much it grew."""
    return 100.0 * (now - base) / base


def table(cases: Iterable[Case], base: Mapping[str, Counts], now: Mapping[str, Counts]) -> str:
    """Instructions for each pixel of the clip, and their ratio."""
    rows = [["instructions per pixel", "base", "now", "ratio"]]
    for case in cases:
        before, after = (counts[case.line].total() if case.line in counts else 0 for counts in (base, now))
        ratio = f"{after / before:.4f}" if before and after else "gone" if before else "new"
        figures = (f"{total / case.pixels:,.3f}" if total else "-" for total in (before, after))
        rows.append([str(case), *figures, ratio])
    width = max(len(row[0]) for row in rows)
    return "\n".join(row[0].ljust(width) + "".join(cell.rjust(11) for cell in row[1:]) for row in rows)


def grown(base: Counts, now: Counts) -> list[str]:
    """The functions that grew most."""
    most = sorted(base.keys() | now.keys(), key=lambda name: (base[name] - now[name], name))
    return [f"{name}: {now[name]:,}, was {base[name]:,}" for name in most[:SHOWN] if now[name] > base[name]]


def problems(cases: Iterable[Case], base: Mapping[str, Counts], now: Mapping[str, Counts], limit: float) -> list[str]:
    """What is worse than in the base.

    Args:
        cases: The cases.
        base: What each took there, by its line; those that the base does not know are missing.
        now: What each takes in the working tree.
        limit: By how many percent it may be more.

    Returns:
        For each case that is worse the figures, and where they come from.
    """
    found = []
    for case in cases:
        before, after = base.get(case.line), now.get(case.line)
        if after is None:
            found.append(f"{case}: this plugin does not do it")
        elif before is not None and (more := percent(before.total(), after.total())) > limit:
            figures = f"{after.total():,} instructions, {before.total():,} in the base: {more:.2f} % more"
            found.append("\n    ".join([f"{case}: {figures}", *grown(before, after)]))
    return found


# The commit


def git(*args: str | Path) -> subprocess.CompletedProcess[str]:
    """A command of git in this clone."""
    return subprocess.run(["git", "-C", ROOT, *args], capture_output=True, text=True, check=False)


def given_base(text: str) -> str:
    """The commit that a file as `tests/instructions.base` names."""
    (commit,) = (line for line in text.splitlines() if line and not line.startswith("#"))
    return commit


def resolve(name: str) -> str:
    """The full hash of a commit, which is fetched if this clone does not have it."""
    inside = git("rev-parse", "--show-prefix") if shutil.which("git") else None
    if inside is None or inside.returncode or inside.stdout.strip():
        said = "git is missing" if inside is None else inside.stderr.strip() or f"{ROOT} is none"
        fail(f"it compares with a commit, for which it takes a clone: {said}")

    def find() -> str:
        return git("rev-parse", "--verify", "--quiet", f"{name}^{{commit}}").stdout.strip()

    if found := find():
        return found
    fetched = git("fetch", "--quiet", "origin", name)
    if found := find():
        return found
    said = (fetched.stderr.splitlines() or ["origin has no such name"])[0]
    fail(
        f"there is no commit {name} in this clone, and it could not be fetched: {said}. If the clone is shallow, "
        "git fetch --unshallow mends that; --base COMMIT names another commit"
    )


# The plugins


def run(command: Sequence[str | Path], log: Path, what: str) -> None:
    """A command that has to succeed; what it says goes into the log."""
    with log.open("a", encoding="utf-8") as file:
        try:
            done = subprocess.run(command, stdout=file, stderr=subprocess.STDOUT, check=False).returncode == 0
        except FileNotFoundError as error:
            fail(f"{what}: {error}")
    if not done:
        tail = "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-15:])
        fail(f"{what}:\n{tail}\nThe whole log: {log}")


def library() -> str:
    """The library to count in: of the CPU levels that valgrind knows, which are none with AVX-512, the highest."""
    flags = Path("/proc/cpuinfo").read_text(encoding="utf-8") if platform.machine() == "x86_64" else ""
    return "libvdiff.avx2.so" if re.search(r"^flags\b.*\bavx2\b", flags, re.MULTILINE) else "libvdiff.so"


def build(sources: Path, folder: Path, log: Path) -> Path:
    """The plugin of these sources, built in the folder; of what is there already, only what has changed."""
    log.unlink(missing_ok=True)
    if not (folder / "build.ninja").exists():
        run(["meson", "setup", folder, sources, "-Dwerror=false"], log, "meson could not set the build up")
    run(["ninja", "-C", folder, library()], log, f"the plugin in {sources} could not be built")
    return folder / library()


def build_commit(commit: str, folder: Path) -> Path:
    """The plugin of a commit; it is kept."""
    kept = folder / f"{commit}.so"
    if not kept.exists():
        say(f"building the plugin of {commit[:12]} ...")
        with tempfile.TemporaryDirectory(dir=folder) as made:
            archive, sources = Path(made, "sources.tar"), Path(made, "sources")
            git("archive", "--output", archive, commit).check_returncode()
            with tarfile.open(archive) as files:
                files.extractall(sources, filter="data")
            build(sources, Path(made, "build"), kept.with_suffix(".log")).replace(kept)
    return kept


def tools() -> str:
    """A name for the tools that build: what others of them have built is not compared with."""
    try:
        said = subprocess.run(
            [*os.environ["CC"].split(), "--version"], capture_output=True, text=True, check=True
        ).stdout
    except (OSError, subprocess.CalledProcessError) as error:
        fail(f"there is no C compiler: {error}")
    flags = [os.environ.get(name, "") for name in ("CC", "CFLAGS", "CPPFLAGS", "LDFLAGS")]
    words = [said, version("cython"), version("vapoursynth"), *flags]
    return hashlib.sha256("\n".join(words).encode()).hexdigest()[:12]


# The runs


def compile_host(folder: Path) -> Path:
    """The host, with callgrind's requests in it."""
    sys.path[:0] = [str(ROOT / "tests"), str(ROOT)]
    import driving

    try:
        return driving.compile_host(folder, "-include", "valgrind/callgrind.h")
    except subprocess.CalledProcessError:
        fail(
            "tests/native/drive.c could not be compiled; what it takes are valgrind's headers (Fedora: valgrind-devel)"
        )


def count(host: Path, plugin: Path, folder: Path, cases: Sequence[Case]) -> dict[str, Counts]:
    """What the cases take with a plugin.

    Args:
        host: What runs them.
        plugin: The plugin's library.
        folder: Where to put the profiles.
        cases: The cases.

    Returns:
        Instructions by the cases' lines, without those that the plugin refuses.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    own = folder / "libvdiff.so"  # of a level that VapourSynth does not look for a higher one of
    shutil.copy(plugin, own)
    # One thread and one frame at a time: always in the same order. Nothing of the user's environment.
    profile = f"--callgrind-out-file={folder}/profile"
    done = subprocess.run(
        ["valgrind", "--tool=callgrind", profile, host, "-t1", "-a1", own],
        input="\n".join(case.line for case in cases),
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        env={"PATH": os.environ["PATH"], "LD_BIND_NOW": "1"},
    )
    if done.returncode:
        fail(
            f"the host failed, exit status {done.returncode}, with {plugin}:\n{done.stdout[-500:]}{done.stderr[-2000:]}"
        )
    for line in done.stdout.splitlines():
        if line.startswith("error: "):
            say(f"{folder.name}: {line.removeprefix('error: ')}")
    profiles = (parse(file.read_text(encoding="utf-8"), str(own)) for file in folder.glob("profile.*"))
    counts = {label: took for label, took in profiles if label}
    if blind := [label for label, took in counts.items() if not took]:
        fail(f"nothing of the plugin was counted in {blind[0]}: {folder}")
    return counts


def select(parts: Iterable[str]) -> list[Case]:
    """The cases in whose names one of the parts is; all of them, if there are no parts."""
    wanted = list(parts)
    for part in wanted:
        if not any(part in str(case) for case in CASES):
            fail(f"there is no case with {part} in its name:\n" + "\n".join(map(str, CASES)))
    return [case for case in CASES if not wanted or any(part in str(case) for part in wanted)]


def main() -> int:
    """Build, count, compare."""
    parser = argparse.ArgumentParser(prog="scripts/instructions", description="Instruction counts beside a commit's.")
    parser.add_argument("--base", metavar="COMMIT", help="default: the commit that tests/instructions.base names")
    parser.add_argument(
        "--limit", type=float, default=1.0, metavar="PERCENT", help="how much more is let pass, default 1"
    )
    parser.add_argument("cases", nargs="*", metavar="CASE", help="a part of the name of those to count, default all")
    args = parser.parse_args()
    cases = select(args.cases)
    if not shutil.which("valgrind"):
        fail("valgrind is missing: install it (Debian, Ubuntu: apt-get install valgrind)")
    commit = resolve(args.base or given_base(BASE.read_text(encoding="utf-8")))
    os.environ.setdefault("CC", "gcc")
    folder = Path(sys.prefix).resolve() / "instructions" / tools()
    folder.mkdir(parents=True, exist_ok=True)
    say("building the plugin of the working tree ...")
    plugin = build(ROOT, folder / "build", folder / "build.log")
    if git("diff", "--quiet", commit, "--", *SOURCES).returncode == 0:
        say(f"the sources are those of {commit[:12]}")
        base_plugin = plugin
    else:
        base_plugin = build_commit(commit, folder)
    host = compile_host(folder)
    say(f"counting, {len(cases)} cases ...")
    with ThreadPoolExecutor() as pool:  # each waits for a process
        theirs = pool.submit(count, host, base_plugin, folder / "base", cases)
        ours = pool.submit(count, host, plugin, folder / "tree", cases)
    base, now = theirs.result(), ours.result()
    print(table(cases, base, now), flush=True)
    found = problems(cases, base, now, args.limit)
    if found:
        say("\n".join([f"more than {args.limit:g} % above {commit[:12]}:", *found]))
        say("if that is meant, move tests/instructions.base to a commit that has it, in one that says why")
        return 1
    say(f"none takes {args.limit:g} % more than in {commit[:12]}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
