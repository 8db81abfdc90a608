"""The time inside PostgreSQL by kind of work: reading, writing rows, foreign keys, triggers.

auto_explain reports each statement, and the function statistics each trigger. Foreign keys are checked with their
statement instead of at commit. Measuring costs time itself, so only shares are reported. Parsing, planning and the
commit are not included.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from django.db import connection

from benchmarks.report import RESULTS_DIR, commit, machine
from tests.services import services as servers

_SETTINGS = {
    "session_preload_libraries": "auto_explain",
    "auto_explain.log_min_duration": "0",
    "auto_explain.log_analyze": "on",
    "auto_explain.log_triggers": "on",
    "auto_explain.log_format": "json",
    "auto_explain.log_level": "notice",
    "track_functions": "pl",
}
#: How many triggers are listed by name.
_LONGEST = 8
READING, ROWS, KEYS, GUARDS = "reading", "rows, their indexes and checks", "foreign keys", "guards"
_KEYS = "SELECT conrelid::regclass, quote_ident(conname) FROM pg_constraint WHERE contype = 'f' AND condeferrable"
_GUARDS = "SELECT funcname, self_time FROM pg_stat_user_functions ORDER BY self_time DESC"


@dataclass(slots=True)
class ExplainLog:
    """All notices of a connection (psycopg2 itself keeps fifty), and the time of each trigger function (ms)."""

    notices: list[str] = field(default_factory=list)
    guards: dict[str, float] = field(default_factory=dict)

    def append(self, notice: str) -> None:
        self.notices.append(notice)


@contextmanager
def explain_statements() -> Iterator[ExplainLog]:
    """Log the plan and timing of every statement that this thread's connection executes in the block."""
    log = ExplainLog()
    _role(_SETTINGS)
    _superuser(*_all_keys("NOT DEFERRABLE"), "SELECT pg_stat_reset()")
    connection.close()
    connection.ensure_connection()
    connection.connection.notices = log
    try:
        yield log
    finally:
        connection.close()
        log.guards = dict(_superuser("SELECT pg_sleep(1)", _GUARDS))
        _superuser(*_all_keys("DEFERRABLE INITIALLY DEFERRED"))
        _role(dict.fromkeys(_SETTINGS))


def _all_keys(how: str) -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute(_KEYS if how.startswith("NOT") else _KEYS.replace("condeferrable", "NOT condeferrable"))
        return [f"ALTER TABLE {table} ALTER CONSTRAINT {name} {how}" for table, name in cursor.fetchall()]


def _superuser(*statements: str) -> list[Any]:
    """Execute the statements as superuser, and return the last one's rows."""
    with servers.superuser() as superuser, superuser.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
        return cursor.fetchall() if cursor.description else []


def _role(settings: dict[str, str] | dict[str, None]) -> None:
    name = connection.settings_dict["USER"]
    how = (f"RESET {key}" if value is None else f"SET {key} = {value}" for key, value in settings.items())
    _superuser(*(f'ALTER ROLE "{name}" {one}' for one in how))


def time_by_kind(log: ExplainLog) -> dict[str, float]:
    """Milliseconds by kind of work, over all statements."""
    spent, early = dict.fromkeys((READING, ROWS, KEYS), 0.0), _before_rows()
    for notice in log.notices:
        head, found, text = notice.partition("plan:")
        if found and "duration:" in head:
            _add(json.loads(text), spent, early)
    return spent | {GUARDS: sum(log.guards.values())}


def _before_rows() -> set[str]:
    """BEFORE triggers, whose time PostgreSQL counts as part of the write as well."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT tgname FROM pg_trigger WHERE tgtype & 2 > 0")
        return {name for (name,) in cursor.fetchall()}


def _add(whole: dict[str, Any], spent: dict[str, float], early: set[str]) -> None:
    before = 0.0
    for trigger in whole.get("Triggers", ()):
        name = trigger["Trigger Name"]
        spent[KEYS] += trigger["Time"] if name.startswith("RI_") else 0.0
        before += trigger["Time"] if name in early else 0.0
    writes, reads = _split(whole["Plan"])
    spent[ROWS] += max(writes - before, 0.0)
    spent[READING] += reads


def _split(node: dict[str, Any]) -> tuple[float, float]:
    """The time of writing rows, including BEFORE triggers, and of everything else (ms)."""
    inner = [_split(below) for below in node.get("Plans", ())]
    written, read = sum(one for one, _ in inner), sum(one for _, one in inner)
    own = max(_whole(node) - sum(map(_whole, node.get("Plans", ()))), 0.0)
    return (written + own, read) if node["Node Type"] == "ModifyTable" else (written, read + own)


def _whole(node: dict[str, Any]) -> float:
    return float(node.get("Actual Total Time", 0.0) * node.get("Actual Loops", 1))


@dataclass(slots=True)
class PostgresProfile:
    """The time inside PostgreSQL of one unit of each operation, by kind of work (ms)."""

    rows: dict[str, dict[str, float]] = field(default_factory=dict)

    def write(self, name: str, log: ExplainLog, units: int) -> None:
        spent = time_by_kind(log)
        whole = sum(spent.values())
        if not log.notices or not whole:
            raise RuntimeError(f"PostgreSQL said nothing of {name}.")
        self.rows[name] = {kind: round(ms / units, 4) for kind, ms in spent.items()}
        shares = ", ".join(f"{kind} {100 * ms / whole:.0f} %" for kind, ms in spent.items())
        print(f"    {name}, {whole / units:.3f} ms in PostgreSQL: {shares}", flush=True)
        for guard, ms in [one for one in log.guards.items() if one[1]][:_LONGEST]:
            print(f"        {guard}: {1000 * ms / units:.1f} µs", flush=True)

    def save(self) -> None:
        whole = {"commit": commit(), "machine": machine(), "unit": "ms for each", "rows": self.rows}
        text = json.dumps(whole, ensure_ascii=False, indent=1)
        (RESULTS_DIR / "inside.json").write_text(f"{text}\n", encoding="utf-8")
