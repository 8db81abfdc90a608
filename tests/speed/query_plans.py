"""Query plans: runs a function and explains each relevant statement it sent."""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from kernel.prepared_statements import expand_sql

#: Between the statements of one message.
_STATEMENT_END = re.compile(r";\s+(?=[A-Z])")
_RELEVANT = re.compile(r"SELECT.*\b(orders_(order|obligation)|accounts_delivery)\b", re.DOTALL)
#: Statements that update existing rows; they are explained without being executed.
UPDATES = re.compile(r"UPDATE \S+ AS t|WITH locked.*UPDATE credit_profile", re.DOTALL)


@dataclass
class Plan:
    """The plan of one statement: how each table is read, buffers touched, and execution time (ms)."""

    sql: str
    scans: list[tuple[str, str]] = field(default_factory=list)
    indexes: set[str] = field(default_factory=set)
    nodes: list[str] = field(default_factory=list)
    buffers: int = 0
    ms: float = 0.0


def plans_of(act: Callable[[], Any], asked: re.Pattern[str] = _RELEVANT) -> list[Plan]:
    """Run `act` and explain its queries on orders, obligations and deliveries afterwards; no locks are kept.

    `asked` is a pattern for the statements to explain instead of those.
    """
    with CaptureQueriesContext(connection) as sent:
        act()
    with transaction.atomic():
        found = [
            _explain(*one) for one in _relevant_statements((query["sql"] for query in sent.captured_queries), asked)
        ]
        transaction.set_rollback(True)
    return found


def _relevant_statements(sent: Iterator[str], asked: re.Pattern[str]) -> Iterator[tuple[str, str]]:
    """Each relevant statement, and the plan mode set before it."""
    for sql in sent:
        mode = ""
        for one in _STATEMENT_END.split(sql):
            mode = one if one.startswith("SET LOCAL plan_cache_mode") else mode
            if asked.match(expand_sql(one).lstrip()):
                yield one, mode


def _explain(sql: str, mode: str) -> Plan:
    with connection.cursor() as cursor:
        if mode:
            cursor.execute(mode)
        carried_out = "" if UPDATES.match(expand_sql(sql).lstrip()) else "ANALYZE, BUFFERS, "
        cursor.execute(f"EXPLAIN ({carried_out}FORMAT JSON) {sql}")
        answer = cursor.fetchone()[0]
    [whole] = json.loads(answer) if isinstance(answer, str) else answer
    plan = Plan(expand_sql(sql))
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
