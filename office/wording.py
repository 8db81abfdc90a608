"""What the console calls the parts of an order's history and of its assessment, and how it shows them."""

from collections.abc import Iterable, Mapping
from dataclasses import fields
from typing import Any
from uuid import UUID

from credit.models import Decision
from credit.rules import Facts
from kernel import ids
from kernel.money import Money
from kernel.naming import HEARD, column, name_codes, name_parts, value
from kernel.templatetags.house import money
from orders.models import Concern

#: What a channel's word came to, and by which way it was heard.
SAID = ("taken", "declined", "lost", "absent", "closed", "sync", "query", "callback", "statement", "colleagues")
#: Parts that name a row, and what its public id begins with.
ROWS = {"decision": Decision.prefix, "concern": Concern.prefix}
_MINOR, _CODES = {"total", "amount"}, {"reason", "outcome", "bearer", "category", "source", "mode"}

#: Why a clock stands still.
HOLDS = ("problem_reported", "return_under_way", "refund_in_flight", "channel_outage")


def name_them() -> None:
    """Let them be said in words."""
    name_codes(SAID, HEARD)
    name_codes((*HOLDS, "live", "test"))
    name_parts(["reference", "parts", "every_days", "txn"])
    name_parts(field.name.removesuffix("_minor") for field in fields(Facts))


def told_of(data: Mapping[str, Any], currency: str) -> Iterable[tuple[str, str]]:
    """What a line of history holds beside its kind: each part's name, and what it says."""
    for name, held in data.items():
        if held not in {"", None}:
            yield column(name), _shown(name, held, currency)


def judged_by(inputs: Mapping[str, Any], currency: str) -> Iterable[tuple[str, Any]]:
    """What an assessment looked at, each fact by its name."""
    for name, held in inputs.items():
        called = column(name.removesuffix("_minor"))
        yield called, money(Money(held, currency)) if name.endswith("_minor") else held


def _shown(name: str, held: Any, currency: str) -> str:
    if name in _MINOR and isinstance(held, int):
        return money(Money(held, currency))
    if name in ROWS:
        return ids.public(ROWS[name], UUID(str(held)))
    return value(str(held)) if name in _CODES else str(held)
