"""Every recorded event of an order has a text for its person, in both languages."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from django.template.loader import render_to_string
from django.utils.translation import override

from orders.models import Pause

ROOT = Path(__file__).resolve().parents[2]
#: The names under which services record events of other objects than orders; a new name has to be added here.
OTHERS = {"obligation", "obligations", "rows", "overdue", "kept", "new", "finished", "running", "aged", "fees"}
OTHERS |= {"[fee for fee, _ in group]", "[_build_obligation(order, due_at)]", "[row for row in paid if row.owed]"}
OTHERS |= {"concern", "deductions", "newly_unknown", "left", "never_sent", "refund", "part", "parts", "orphans"}
OTHERS |= {"principal"}
OTHERS |= {"row", "settlement", "payout", "dispute"}
DATA = {"total": 1234, "amount": 200, "parts": 3, "every_days": 30, "reason": "outage"}
CHINESE = re.compile(r"[\u4e00-\u9fff]")


def noted() -> Iterator[tuple[str, str]]:
    """Each event kind that a service records, and the name of its subject."""
    for path in sorted(path for app in ("orders", "billing") for path in (ROOT / app / "services").rglob("*.py")):
        for call in (
            node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.Call)
        ):
            match call:
                case ast.Call(func=ast.Attribute(attr="record", value=holder), args=[kind, *_]):
                    yield from ((word, ast.unparse(holder)) for word in words_in(kind))
                case ast.Call(func=ast.Name("record_all"), args=[holder, kind, *_]):
                    yield from ((word, ast.unparse(holder)) for word in words_in(kind))


def words_in(kind: ast.expr) -> list[str]:
    """`"a"`, or both of `"a" if … else "b"`; anything else is ignored."""
    return [node.value for node in branches(kind) if isinstance(node, ast.Constant)]


def branches(kind: ast.expr) -> list[ast.expr]:
    return [kind.body, kind.orelse] if isinstance(kind, ast.IfExp) else [kind]


def of_orders() -> list[str]:
    return sorted({kind for kind, holder in noted() if holder not in OTHERS})


def told(kind: str, language: str) -> str:
    line = SimpleNamespace(kind=kind, data=DATA)
    with override(language):
        page = render_to_string("orders/event.html", {"line": line, "order": SimpleNamespace(currency="CNY")})
        return page.strip()


def test_the_scan_finds_recorded_events() -> None:
    kinds = of_orders()
    assert {"requested", "opened", "confirmed", "deducted", "overdue", "refunded", "eased", "written_off"} <= set(kinds)
    assert len(kinds) >= 18


@pytest.mark.parametrize("kind", of_orders())
def test_every_event_kind_has_a_text(kind: str) -> None:
    chinese, english = told(kind, "zh-hans"), told(kind, "en")
    assert CHINESE.search(chinese)
    assert not CHINESE.search(english)
    assert chinese != told("what nobody knows", "zh-hans")
    assert english != told("what nobody knows", "en")


def test_every_pause_reason_has_a_text() -> None:
    for language in ("zh-hans", "en"):
        with override(language):
            words = {render_to_string("orders/pause_reason.html", {"reason": reason}) for reason in Pause.Reason.values}
        assert len(words) == len(Pause.Reason.values)
