"""What the console calls the parts of an order's history and of its assessment, and how it shows them."""

from collections.abc import Iterable, Mapping
from dataclasses import fields
from typing import Any
from uuid import UUID

from django.utils.translation import gettext_lazy as _

from credit.models import Decision
from credit.rules import Facts, Reason
from kernel import ids
from kernel.console_actions import Words
from kernel.money import Money
from kernel.naming import HEARD, column, name_codes, name_parts, value
from kernel.templatetags.house import money
from orders.models import Concern
from portal.wording import FAILURES, TAKEN_BACK

#: What a channel's word came to, and by which way it was heard.
SAID = ("taken", "declined", "lost", "absent", "closed", "sync", "query", "callback", "statement", "colleagues")
#: Parts that name a row, and what its public id begins with.
ROWS = {"decision": Decision.prefix, "concern": Concern.prefix}
_MINOR, _CODES = {"total", "amount"}, {"reason", "outcome", "bearer", "category", "source", "mode"}

#: Why somebody was refused, and what moved a score.
REASONS: dict[str, Words] = {
    Reason.NOT_VERIFIED: _("Identity not verified"),
    Reason.OVERDUE: _("Has overdue debts"),
    Reason.SCORE: _("Score below the service's minimum"),
    Reason.LIMIT: _("Exceeds the available limit"),
    Reason.TOO_MANY_OPEN: _("Too many orders in progress"),
    Reason.NO_CREDIT: _("No limit for this score band"),
    Reason.FROZEN: _("Credit is frozen"),
    Reason.PLAN: _("On a payment plan at present"),
}
SCORE_MOVES: dict[str, Words] = {
    "kept": _("Paid on time"),
    "breached": _("Order went overdue"),
    "righted": _("Found not overdue; record withdrawn"),
    "cleared": _("Overdue debt paid"),
    "uncleared": _("Payment returned by a bank"),
    "corrected": _("Corrected after objection"),
}
#: Why a copy of a notice did not go out.
UNSENT: dict[str, Words] = {
    "no_phone": _("no phone"),
    "no_address": _("no email address"),
    "silenced": _("turned off by the customer"),
    "never_settled": _("no result from the sender"),
    "paid": _("paid in the meantime"),
    "settled": _("paid in the meantime"),
    "waived": _("waived in the meantime"),
    "written_off": _("written off in the meantime"),
    "gone": _("its subject no longer exists"),
    "paused": _("was paused"),
    "under_way": _("a deduction was in progress"),
    "too_late": _("too late to send"),
    "moved": _("the date was changed"),
    "overtaken": _("superseded by a newer notice"),
    "started_anew": _("new dates were agreed in the meantime"),
    "less_is_owed": _("the amount was reduced in the meantime"),
}

#: Why a clock stands still.
HOLDS = ("problem_reported", "return_under_way", "refund_in_flight", "channel_outage")


def name_them() -> None:
    """Let them be said in words."""
    name_codes(SAID, HEARD)
    name_codes((*HOLDS, "live", "test"))
    name_parts(["heard_by", "reference", "parts", "every_days", "txn"])
    name_parts(field.name.removesuffix("_minor") for field in fields(Facts))


def told_of(data: Mapping[str, Any], currency: str) -> Iterable[tuple[str, str]]:
    """What a line of history holds beside its kind: each part's name, and what it says."""
    for name, held in data.items():
        if name == "source" and held in SAID:
            yield column("heard_by"), value(str(held), HEARD)
        elif held not in {"", None}:
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
    if name == "code":
        return str(FAILURES.get(str(held)) or TAKEN_BACK.get(str(held), held))
    return value(str(held)) if name in _CODES else str(held)
