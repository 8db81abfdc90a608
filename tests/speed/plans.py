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
_BIG = re.compile(r"\b(orders_(order|obligation)|accounts_delivery)\b")


@dataclass
class Plan:
    """One question: its tables and how each is read, the pages that were touched, and how long it took (ms)."""

    sql: str
    scans: list[tuple[str, str]] = field(default_factory=list)
    indexes: set[str] = field(default_factory=set)
    nodes: list[str] = field(default_factory=list)
    buffers: int = 0
    ms: float = 0.0


def plans_of(act: Callable[[], Any]) -> list[Plan]:
    """What the act asks of orders, debts and copies of notices, explained right after it; no lock is kept."""
    with CaptureQueriesContext(connection) as asked:
        act()
    with transaction.atomic():
        found = [_explained(*one) for one in _questions(query["sql"] for query in asked.captured_queries)]
        transaction.set_rollback(True)
    return found


def _questions(sent: Iterator[str]) -> Iterator[tuple[str, str]]:
    """Each question, and what was said of planning before it."""
    for sql in sent:
        mode = ""
        for asked in _END.split(sql):
            mode = asked if asked.startswith("SET LOCAL plan_cache_mode") else mode
            spelled = spelled_out(asked).lstrip()
            if spelled.startswith("SELECT") and re.search(
                r"\b(orders_(order|obligation)|accounts_delivery)\b", spelled
            ):
                yield asked, mode


def _explained(sql: str, mode: str) -> Plan:
    with connection.cursor() as cursor:
        if mode:
            cursor.execute(mode)
        cursor.execute(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {sql}")
        answer = cursor.fetchone()[0]
    [whole] = json.loads(answer) if isinstance(answer, str) else answer
    plan = Plan(spelled_out(sql), ms=whole["Execution Time"])
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
