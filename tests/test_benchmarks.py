"""What `scripts/bench` computes of its measurements, and that the documents say what it found."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks import curves, machine, measuring, report
from benchmarks.settings import FORMATS, NotThereError, Setting
from benchmarks.works import WORKS, selected

ROOT = Path(__file__).resolve().parent.parent


class Fake:
    """A measurement of so many frames a second, on a machine that is slower each time it is asked."""

    clock = 1.0

    def __init__(self, fps: float) -> None:
        self.fps = fps
        self.frames: list[int] = []

    def __call__(self, frames: int) -> float:
        Fake.clock *= 1.01
        self.frames.append(frames)
        return Fake.clock * frames / self.fps


def test_ratios_do_not_drift_with_the_machine() -> None:
    fast, slow = Fake(3000), Fake(1000)
    results, _ = measuring.in_turn({"fast": measuring.Plan(fast), "slow": measuring.Plan(slow)})
    assert [len(each.seconds) for each in results.values()] == [5, 5]
    assert measuring.ratio(results["fast"], results["slow"]) == pytest.approx(3, rel=0.02)
    # Medians of each by itself are further off the more there is between them.
    assert results["slow"].seconds[4] > 1.05 * results["slow"].seconds[0]


def test_a_measurement_is_as_long_as_asked_and_not_too_long() -> None:
    quick, long, endless = Fake(1000), Fake(0.4), Fake(0.01)
    plans = {name: measuring.Plan(each, least=2) for name, each in (("quick", quick), ("long", long), ("no", endless))}
    results, _ = measuring.in_turn(plans, rounds=5)
    assert results["quick"].frames >= 1000 * measuring.SECONDS / 2
    assert min(quick.frames) == results["long"].frames == 2
    few, _ = measuring.in_turn({"few": measuring.Plan(Fake(50))})
    assert few["few"].frames >= measuring.STEADY > 50 * measuring.SECONDS
    assert [len(results[name].seconds) for name in plans] == [5, 1, 1]
    assert len(endless.frames) == 1  # what warmed up is the round


def test_what_cannot_be_measured_is_named() -> None:
    def absent(frames: int) -> float:
        raise NotThereError("no wheel")

    results, missing = measuring.in_turn({"there": measuring.Plan(Fake(1000)), "not": measuring.Plan(absent)})
    assert list(results) == ["there"]
    assert missing == {"not": "no wheel"}


def test_every_filter_is_measured(core: Any) -> None:
    filters = {function.name for function in core.vdiff.functions()} - {"Filters"}
    measured = {work.name.partition("-")[0] for work in WORKS}
    assert measured == filters - {"Erode"}  # the code of Dilate
    assert len({work.name for work in WORKS}) == len(WORKS)
    assert selected(["Spread-box"]) == [work for work in WORKS if work.name.startswith("Spread-box-")]
    with pytest.raises(NotThereError, match="there is no Spred, but Diffuse"):
        selected(["Spred"])


@pytest.mark.parametrize("work", [w for w in WORKS if w.name not in ("Kernel", "Diffuse-own")], ids=lambda w: w.name)
def test_works_are_filters(core: Any, work: Any) -> None:
    clip = core.std.BlankClip(format=FORMATS[work.family, "8"], width=640, height=360, length=6)
    out = work.apply(clip)
    assert (out.width, out.height, out.format.id) == (640, 360, clip.format.id)
    assert set(work.needs(Setting("720p", "float", 1))) <= {"memory", "add", "mul", "div"}


def test_curves_have_names_of_their_own() -> None:
    names = [(curve.name, curve.over) for curve in curves.curves()]
    assert len(set(names)) == len(names)
    assert all(len(curve.points) >= 3 for curve in curves.curves())


def test_the_machine_is_measured() -> None:
    assert machine.copying(100_000, 2)(10) > 0
    assert all(machine.operating(name, 1)(4) > 0 for name in machine.OPERATIONS)


def record(work: str, threads: int, fps: float, **peers: Any) -> dict[str, Any]:
    where = {"work": work, "size": "1080p", "depth": "8", "threads": threads}
    return where | {"fps": fps, "limits": {"memory": 0.5, "add": 0.25}, "bound": "memory", "peers": peers}


RESULTS: dict[str, Any] = {
    "cpu": "A CPU",
    "cores": 2,
    "level": "avx2",
    "vapoursynth": 81,
    "date": "2026-01-02",
    "commit": "abc",
    "command": "scripts/bench",
    "speed": [
        record("Spread", 1, 123.4, Other={"ratio": 1.234, "fps": 100, "same": True}, Gone={"missing": "no wheel"}),
        record("Spread", 2, 251.2, Other={"ratio": 17.6, "fps": 14, "same": True}, Gone={"missing": "no wheel"}),
    ],
    "curves": [
        {
            "curve": "Spread",
            "over": "pixels",
            "points": [100.0, 200.0],
            "milliseconds": [1.0, 2.0],
            "slope": 1.0,
            "megabytes": [3.0, 4.5],
        }
    ],
}
RUNS = {
    "speed": RESULTS,
    "curves": RESULTS
    | {
        "date": "2026-02-03",
        "commit": "def",
        "command": "scripts/bench curves",
        "curves": [RESULTS["curves"][0] | {"milliseconds": [3.0, 4.0]}],
    },
    "elsewhere": RESULTS
    | {
        "speed": [
            record("Spread", 1, 100, Other={"ratio": 0.957, "fps": 100, "same": True}),
            record("Spread", 2, 200, Other={"ratio": 1, "fps": 14, "same": True}, More={"ratio": 0.5, "same": False}),
        ]
    },
}


@pytest.mark.parametrize(
    ("what", "text"),
    [
        ("machine|speed", "A CPU, 2 cores, avx2, VapourSynth 81; 2026-01-02, commit abc; `scripts/bench`"),
        ("machine|curves", "A CPU, 2 cores, avx2, VapourSynth 81; 2026-02-03, commit def; `scripts/bench curves`"),
        ("below|speed", "0 of 2"),
        ("below|elsewhere", "1 of 2"),
        ("ratio|Spread|Other", "1.2…18"),
        ("ratio|Spread|Other|1080p 8 2", "18"),
        ("fps|Spread|1080p 8 1", "120"),
        ("part|Spread|1080p 8 1", "50 %"),
    ],
)
def test_figures_are_quoted(what: str, text: str) -> None:
    before = f"a <!--bench {what}-->0<!--/bench--> b"
    assert report.rewritten(before, RUNS) == f"a <!--bench {what}-->{text}<!--/bench--> b"


@pytest.mark.parametrize(
    "what", ["ratio|Spread|Gone", "ratio|Sprad|Other", "speed", "machine|speeds", "fps|Spread|1080p 9 1"]
)
def test_what_is_not_there_is_not_quoted(what: str) -> None:
    with pytest.raises(LookupError):
        report.rewritten(f"<!--bench {what}--><!--/bench-->", RUNS)


def test_tables() -> None:
    assert report.peers(RESULTS)[2:] == [
        "| Spread | Other | 18 |  |  | 1.2…18 |",
        "| Spread | Gone: no wheel |  |  |  |  |",
    ]
    assert report.slower(RESULTS)[2:] == []
    assert report.slower(RUNS["elsewhere"])[2:] == ["| Spread | Other | 1 of 2 | 1080p 8 1: 0.957 |"]
    assert report.limits(RESULTS)[2] == "| Spread | 250 | 50 % memory |  |  |  |  |"
    assert report.curves(RESULTS)[2] == "| Spread | pixels | 100 200 | 1 2 | 1.00 | 3 4.5 |"


@pytest.mark.parametrize(
    ("value", "text"), [(0.0123, "0.012"), (0.96, "0.96"), (9.96, "10"), (44.6, "45"), (1251, "1300")]
)
def test_two_figures(value: float, text: str) -> None:
    assert report.rounded(value) == text


def test_results_are_kept(tmp_path: Path) -> None:
    report.save(RESULTS, tmp_path / "results.json")
    assert report.load(tmp_path / "results.json") == json.loads(json.dumps(RESULTS))


def test_a_run_replaces_what_it_measured(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    document = tmp_path / "README.md"
    text = "<!--bench fps|Spread|1080p 8 1-->{}<!--/bench--> <!--bench machine|curves-->{}<!--/bench-->"
    document.write_text(text.format("", ""))
    report.save(RESULTS, tmp_path / "first.json")
    report.quote(tmp_path / "first.json", tmp_path)
    report.save(RUNS["curves"] | {"speed": []}, tmp_path / "second.json")
    report.quote(tmp_path / "second.json", tmp_path)
    assert document.read_text() == text.format("120", report.machine(RUNS["curves"]))
    report.save(RUNS["elsewhere"], tmp_path / "third.json")
    report.quote(tmp_path / "third.json", tmp_path, "elsewhere")
    assert document.read_text() == text.format("120", report.machine(RUNS["curves"]))
    assert report.stored(tmp_path)["elsewhere"]["speed"] == RUNS["elsewhere"]["speed"]
    for part, other in (("speed", "curves"), ("curves", "speed")):
        run = report.load(tmp_path / "docs" / f"{part}.json")
        assert other not in run
        assert run[part] == RUNS[part][part]
        assert run["commit"] == RUNS[part]["commit"]
    before = files(tmp_path)
    report.save(RESULTS | {"speed": RESULTS["speed"][1:], "curves": []}, tmp_path / "part.json")
    report.save(RESULTS | {"curves": [RESULTS["curves"][0] | {"over": "taps"}], "speed": []}, tmp_path / "taps.json")
    for file, name, reason in (
        ("part", "", r"speed would lose what part.json lacks: \('Spread', '1080p 8 1'\), 1 in all"),
        ("part", "elsewhere", "elsewhere would lose"),
        ("taps", "", r"curves would lose .*\('Spread', 'pixels'\)"),
        ("second", "elsewhere", "no speeds in"),
        ("first", "curves", "cannot be the name"),
        ("first", "../README", "cannot be the name"),
        ("docs/none", "", "none of the runs"),
        ("docs/speed", "other", "none of the runs"),
    ):
        with pytest.raises(LookupError, match=reason):
            report.quote(tmp_path / f"{file}.json", tmp_path, name)
    report.quote(tmp_path / "docs" / "elsewhere.json", tmp_path)
    assert files(tmp_path) == before


def files(folder: Path) -> dict[str, bytes]:
    """What documents and their results say."""
    return {path.name: path.read_bytes() for path in (folder / "README.md", *(folder / "docs").iterdir())}


@pytest.mark.skipif(sys.platform != "linux", reason="/proc")
def test_memory_is_that_of_the_frames_in_flight() -> None:
    (curve,) = curves.selected(["DiffBlend-threshold"], ["threads"])
    frame = 1920 * 1080 * 3 // 2
    for number, threads in enumerate((1, 2)):
        assert 0.9 * threads < curve.resident(number) / frame < threads + 0.9


@pytest.mark.parametrize("document", report.documents(ROOT), ids=lambda path: path.name)
def test_documents_say_what_was_measured(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    assert report.rewritten(text, report.stored(ROOT)) == text, "scripts/bench quote docs/speed.json"
    # A mark that is not closed, or not spelled right, would quote nothing.
    assert text.count("<!--bench") == text.count("<!--/bench-->") == len(report.MARKED.findall(text))
