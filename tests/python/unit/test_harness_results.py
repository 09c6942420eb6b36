"""Saved runs come back as they were; tables and charts are made from them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from rich.console import Console

from benchmarks.harness import results
from benchmarks.harness.bars import faster_than_both
from benchmarks.harness.chart import draw
from benchmarks.harness.cli import main
from benchmarks.harness.clocks import Sample
from benchmarks.harness.environment import describe
from benchmarks.harness.paths import without_folders
from benchmarks.harness.report import show
from benchmarks.harness.results import CaseResult, PeerResult, Run
from benchmarks.harness.server import with_write_concern


@pytest.fixture
def run() -> Run:
    def peer(wall: int) -> PeerResult:
        return PeerResult(samples=[Sample(3, 3 * (wall + step), wall, 2 * wall, 10**7, True) for step in range(6)])

    wrong = PeerResult()
    wrong.reject("incorrect", "stored is 1, expected 2 [red]")
    peers = {"pymongo": wrong, "pymongo-async": peer(4_000), "motor": peer(5_000), "barewire-async": peer(1_000)}
    case = CaseResult("find_one/1", "How fast?", "find", 3, peers, faster_than_both(wall=2.5, cpu=5))
    return Run(describe({"version": "6.0.5", "topology": "replica set rs of 1", "write_concern": "w=1"}), [case])


def test_json_round_trip(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "deep" / "run.json"
    results.save(run, file)
    assert results.load(file) == run
    assert [entry.name for entry in file.parent.iterdir()] == ["run.json"]


def test_another_format_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "run.json"
    file.write_text(json.dumps({"format": 99}))
    with pytest.raises(ValueError, match="format 1"):
        results.load(file)


def test_the_environment_says_what_figures_depend_on(run: Run) -> None:
    found = run.environment
    assert found["libraries"]["bson_c_extension"] is True and found["libraries"]["pymongo_c_extension"] is True
    assert isinstance(found["python"]["profile_guided"], bool)
    assert found["machine"]["cores"] >= 1 and len(found["machine"]["load_average"]) == 3


def test_show_prints_figures_verdicts_and_reasons_but_none_of_the_incorrect(run: Run) -> None:
    console = Console(width=170, record=True, file=open("/dev/null", "w"))
    with console.file:
        show(run, console)
        text = console.export_text()
    assert "pymongo incorrect: stored is 1, expected 2 [red]" in text
    (row,) = [line for line in text.splitlines() if line.startswith("│ pymongo ")]
    assert not any(character.isdigit() for character in row)
    (wall,) = [line for line in text.splitlines() if "find_one/1" in line and " wall " in line]
    assert "3.99x" in wall and "met" in wall and "pymongo-async" in wall
    (cpu,) = [line for line in text.splitlines() if "find_one/1" in line and " cpu " in line]
    assert "missed" in cpu


def test_chart_is_a_picture(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "chart.png"
    draw(run, file)
    assert file.read_bytes().startswith(b"\x89PNG")
    for peer in run.cases[0].peers.values():
        peer.reject("failed", "")
    with pytest.raises(ValueError, match="no figure"):
        draw(run, file)


def test_list_names_every_case(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list"]) == 0
    printed = capsys.readouterr().out
    for name in ("codec/encode/flat", "insert_many_unsafe/50000", "find_one/50", "flights", "accelerate/find_10000"):
        assert name in printed


@pytest.mark.parametrize("arguments", [["run", "no_such_case"], ["run", "ping", "--peers", "nobody"], ["show", "none.json"]])
def test_bad_arguments_give_one_line(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    assert capsys.readouterr().out.startswith("error: ")


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ("mongodb://h", "mongodb://h/?w=1"),
        ("mongodb://h:1/db", "mongodb://h:1/db?w=1"),
        ("mongodb://h/?replicaSet=rs", "mongodb://h/?replicaSet=rs&w=1"),
        ("mongodb://h/?w=1", "mongodb://h/?w=1"),
    ],
)
def test_write_concern_is_part_of_every_uri(given: str, wanted: str) -> None:
    assert with_write_concern(given) == wanted


def test_another_write_concern_is_refused() -> None:
    with pytest.raises(ValueError, match="w=majority"):
        with_write_concern("mongodb://h/?w=majority")


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("'--prefix=/home/me/python/3.11' '--with-lto'", "'--prefix=3.11' '--with-lto'"),
        ('File "/home/me/barewire/pkg/mongo.py", line 3', 'File "mongo.py", line 3'),
        ("mongodb://127.0.0.1:27017/?w=1", "mongodb://127.0.0.1:27017/?w=1"),
        ("ms/op and 3/4", "ms/op and 3/4"),
    ],
)
def test_saved_texts_hold_no_folders_of_the_machine(text: str, left: str) -> None:
    assert without_folders({"a": [text]}) == {"a": [left]}
