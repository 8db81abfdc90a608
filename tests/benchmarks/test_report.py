"""The report of a benchmark: a row for each goal, and valid SVG charts."""

import json
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from benchmarks import report as report_module
from benchmarks.charts import line_chart
from benchmarks.goals import BY_NAME, GOALS
from benchmarks.measurement import Measurement, rates_by_side, run_in_turn
from benchmarks.report import BenchmarkReport, slugify

NAME = "1 create over HTTP"


def test_each_goal_has_a_row_whether_it_was_measured_or_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report_module, "RESULTS_DIR", tmp_path)
    report, pace = BenchmarkReport(), {"ours": [40.0, 90.0, 60.0], "theirs": [10.0, 20.0, 20.0]}
    report.ratio(NAME, pace["ours"], pace["theirs"], "/s", pace)
    report.growth("5 history, growth", "ms", {"time": {100: 1.0, 10_000: 1.2}})
    report.save()

    kept = json.loads((tmp_path / "latest.json").read_text(encoding="utf-8"))
    assert set(kept) == {"commit", "machine", "rows"}
    assert [row["name"] for row in kept["rows"]] == [goal.name for goal in GOALS]
    assert all(set(row) == {"name", "value", "unit", "against", "goal", "met", "rounds"} for row in kept["rows"])
    rows = {row["name"]: row for row in kept["rows"]}
    assert (rows[NAME]["value"], rows[NAME]["met"], rows[NAME]["rounds"]) == (4.0, True, [4.0, 4.5, 3.0])
    other = rows["8 export"]
    assert (other["value"], other["met"]) == (None, None)
    assert "not measured" in other["against"]
    for picture in (f"{slugify(NAME)}.svg", "5-history-growth.svg"):
        assert ET.fromstring((tmp_path / picture).read_text(encoding="utf-8")).tag.endswith("svg")  # noqa: S314  ours


def test_a_part_that_is_measured_alone_leaves_the_other_rows_as_they_were(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report_module, "RESULTS_DIR", tmp_path)
    whole, part = BenchmarkReport(), BenchmarkReport()
    whole.write(NAME, [4.0])
    whole.write("8 export", [2.0])
    whole.save()
    monkeypatch.setattr(report_module, "commit", lambda: "later")
    monkeypatch.setenv("KEEP", "add")
    part.write("8 export", [3.0])
    for _ in range(2):
        part.save()
    kept = json.loads((tmp_path / "latest.json").read_text(encoding="utf-8"))
    rows = {row["name"]: row for row in kept["rows"]}
    assert (kept["commit"], rows["8 export"]["value"], rows[NAME]["value"]) == ("later", 3.0, 4.0)
    assert rows[NAME]["against"].count("measured at") == 1
    assert "measured at" not in rows["8 export"]["against"]


def test_a_goal_is_met_at_its_bound_and_not_beyond() -> None:
    assert BY_NAME[NAME].met(3.5)
    assert not BY_NAME[NAME].met(3.49)
    assert BY_NAME["5 history, time"].met(1.3)
    assert not BY_NAME["5 history, time"].met(1.31)


def test_sides_are_measured_in_turn_and_each_begins_once() -> None:
    order: list[str] = []

    def side(name: str) -> Measurement:
        order.append(name)
        return Measurement(10, 2.0, {"web": 1.0})

    done = run_in_turn({name: (lambda name=name: side(name)) for name in "ab"}, rounds=2)  # type: ignore[misc]
    assert order == ["a", "b", "b", "a"]
    assert rates_by_side(done) == {"a": [5.0, 5.0], "b": [5.0, 5.0]}
    assert done["a"][0].cpu_each() == 0.1


def test_a_curve_of_one_size_can_be_drawn() -> None:
    assert "<svg" in line_chart("one", "ms", {"time": {100: 0.0}})
