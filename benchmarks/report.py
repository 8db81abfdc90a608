"""The report of `make bench`: a row for each goal, as a table, as JSON and as charts."""

import json
import os
import platform
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.charts import bar_chart, line_chart
from benchmarks.goals import BY_NAME, GOALS

RESULTS_DIR = Path(__file__).parent / "results"
_AT = "; measured at "
Rounds = Mapping[str, Sequence[float]]


@dataclass(slots=True)
class BenchmarkReport:
    """Filled by the benchmarks as they run. A goal without a value is reported as not measured."""

    values: dict[str, float] = field(default_factory=dict)
    rounds: dict[str, list[float]] = field(default_factory=dict)
    #: Further results, such as each program's CPU for a unit of work.
    notes: list[str] = field(default_factory=list)
    pictures: dict[str, str] = field(default_factory=dict)

    def ratio(self, name: str, ours: Sequence[float], theirs: Sequence[float], unit: str, sides: Rounds) -> None:
        """Record a goal's ratio, computed round by round, since both sides of a round had the same conditions."""
        self.write(name, [mine / other for mine, other in zip(ours, theirs, strict=True)], unit, sides)

    def write(self, name: str, figures: Sequence[float], unit: str = "", sides: Rounds | None = None) -> None:
        self.values[name], self.rounds[name] = median(figures), list(figures)
        goal = BY_NAME[name]
        self.pictures[name] = bar_chart(f"{name} ({goal.says})", sides or {"": figures}, unit or goal.unit)

    def growth(self, name: str, unit: str, curves: Mapping[str, Mapping[int, float]]) -> None:
        """Add a chart of how something grows with its table."""
        self.pictures[name] = line_chart(name, unit, curves)

    def note(self, text: str) -> None:
        self.notes.append(text)
        print(f"    {text}", flush=True)

    def rows(self) -> list[dict[str, Any]]:
        return [self._row(goal.name) for goal in GOALS]

    def _row(self, name: str) -> dict[str, Any]:
        goal, value = BY_NAME[name], self.values.get(name)
        return {
            "name": name,
            "value": None if value is None else round(value, 3),
            "unit": goal.unit,
            "against": goal.against if value is not None else f"{goal.against}; not measured: {goal.unmeasured}",
            "goal": goal.says,
            "met": None if value is None else goal.met(value),
            "rounds": [round(figure, 3) for figure in self.rounds.get(name, ())],
        }

    def save(self) -> None:
        """Print the table; write results/latest.json and a picture for each row, unless KEEP is 0.

        With KEEP=add, after some parts alone, what those did not measure stays, and says of which commit it is.
        """
        print(self.table())
        if os.environ.get("KEEP") == "0":
            return
        RESULTS_DIR.mkdir(exist_ok=True)
        rows = self.rows()
        if os.environ.get("KEEP") == "add":
            before = json.loads((RESULTS_DIR / "latest.json").read_text("utf-8"))
            rows = [row if row["value"] is not None else _earlier_row(row, before) for row in rows]
        whole = {"commit": commit(), "machine": machine(), "rows": rows}
        text = json.dumps(whole, ensure_ascii=False, indent=1)
        (RESULTS_DIR / "latest.json").write_text(f"{text}\n", encoding="utf-8")
        for name, picture in self.pictures.items():
            (RESULTS_DIR / f"{slugify(name)}.svg").write_text(picture, encoding="utf-8")

    def table(self) -> str:
        lines = ["", "| goal | measured | aim | met | rounds |", "|---|---|---|---|---|"]
        for row in self.rows():
            value = "–" if row["value"] is None else f"{row['value']:g} {row['unit']}".strip()
            met = {None: "–" if row["rounds"] else "not measured", True: "yes", False: "no"}[row["met"]]
            lines.append(f"| {row['name']} | {value} | {row['goal']} | {met} | {len(row['rounds'])} |")
        return "\n".join([*lines, "", *self.notes])


def _earlier_row(row: dict[str, Any], before: Mapping[str, Any]) -> dict[str, Any]:
    """The row of an earlier run, if it was measured then."""
    old = next((one for one in before["rows"] if one["name"] == row["name"] and one["value"] is not None), None)
    if old is None or _AT in old["against"]:
        return old or row
    return {**old, "against": f"{old['against']}{_AT}{before['commit']}"}


def slugify(name: str) -> str:
    return "-".join("".join(sign if sign.isalnum() else " " for sign in name.lower()).split())


def commit() -> str:
    process = subprocess.run(
        ["git", "describe", "--always", "--dirty", "--abbrev=12"],  # noqa: S607  as whoever runs it would
        cwd=RESULTS_DIR.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    return process.stdout.strip() or "unknown"


def machine() -> str:
    load = os.getloadavg()[0]
    return (
        f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}, load {load:.1f} at the end"
    )
