"""How PostgreSQL goes about what is asked: every question of an act, explained as it was sent."""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from kernel.prepared import spelled_out

#: Between the statements of one message.
_END = re.compile(r";\s+(?=[A-Z])")
_ASKED = re.compile(r"SELECT.*\b(orders_(order|obligation)|accounts_delivery)\b", re.DOTALL)
#: What writes rows that are there: all of a row's own, or into profiles.
WRITES = re.compile(r"UPDATE \S+ AS t|WITH locked.*UPDATE credit_profile", re.DOTALL)


@dataclass
class Plan:
    """One question: its tables and how each is read, the pages that were touched, and how long it took (ms)."""

    sql: str
    scans: list[tuple[str, str]] = field(default_factory=list)
    indexes: set[str] = field(default_factory=set)
    nodes: list[str] = field(default_factory=list)
    buffers: int = 0
    ms: float = 0.0


def plans_of(act: Callable[[], Any], asked: re.Pattern[str] = _ASKED) -> list[Plan]:
    """What the act asks of orders, debts and copies of notices, explained right after it; no lock is kept.

    `asked`: how what is explained begins or reads, if it is something else.
    """
    with CaptureQueriesContext(connection) as sent:
        act()
    with transaction.atomic():
        found = [_explained(*one) for one in _questions((query["sql"] for query in sent.captured_queries), asked)]
        transaction.set_rollback(True)
    return found


def _questions(sent: Iterator[str], asked: re.Pattern[str]) -> Iterator[tuple[str, str]]:
    """Each question, and what was said of planning before it."""
    for sql in sent:
        mode = ""
        for one in _END.split(sql):
            mode = one if one.startswith("SET LOCAL plan_cache_mode") else mode
            if asked.match(spelled_out(one).lstrip()):
                yield one, mode


def _explained(sql: str, mode: str) -> Plan:
    with connection.cursor() as cursor:
        if mode:
            cursor.execute(mode)
        carried_out = "" if WRITES.match(spelled_out(sql).lstrip()) else "ANALYZE, BUFFERS, "
        cursor.execute(f"EXPLAIN ({carried_out}FORMAT JSON) {sql}")
        answer = cursor.fetchone()[0]
    [whole] = json.loads(answer) if isinstance(answer, str) else answer
    plan = Plan(spelled_out(sql))
    if carried_out:
        plan.ms = whole["Execution Time"]
        plan.buffers = whole["Plan"]["Shared Hit Blocks"] + whole["Plan"]["Shared Read Blocks"]
    _walk(whole["Plan"], plan)
    return plan


def _walk(node: dict[str, Any], plan: Plan) -> None:
    plan.nodes.append(node["Node Type"])
    if "Relation Name" in node:
        plan.scans.append((node["Node Type"], node["Relation Name"]))
    if "Index Name" in node:
        plan.indexes.add(node["Index Name"])
    for below in node.get("Plans", ()):
        _walk(below, plan)
