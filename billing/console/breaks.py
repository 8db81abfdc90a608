"""Differences from channels' statements: put into suspense, or found to be none, by a colleague; a large one by two."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from billing.models import Break
from billing.refusals import NothingToPost
from billing.services import breaks
from kernel.actor import Actor
from kernel.desk import Verb, Words
from kernel.templatetags.house import money

JUDGES = ("finance", "supervisor")
LABELS: dict[str, Words] = {
    Break.Resolution.SUSPENSE: gettext_lazy("Put into suspense"),
    Break.Resolution.NOTHING: gettext_lazy("There is no difference"),
}


def _before_suspense(row: Break, at: datetime) -> Words:
    del at
    moves = breaks.suspense_moves(row, row.deduction or row.refund_part)
    if not moves:
        raise NothingToPost
    amounts = " · ".join(f"{move.debit.code} → {move.credit.code} {money(move.amount)}" for move in moves)
    return " ".join([_("In the book: %(moves)s.") % {"moves": amounts}, *_second(row)])


def _before_nothing(row: Break, at: datetime) -> Words:
    del at
    return " ".join([_("The difference is closed; the book stays as it is."), *_second(row)])


def _second(row: Break) -> list[str]:
    """What a large one still needs."""
    if not breaks.needs_second(row):
        return []
    if row.wanted:
        says = _("A colleague wants: %(wanted)s. It is done when a second one does too.")
        return [says % {"wanted": LABELS[row.wanted]}]
    return [_("It is large: it is done when a second colleague wants the same.")]


def _suspense(break_id: UUID, wish: dict[str, Any], by: Actor, at: datetime) -> Words:
    return _told(breaks.settle_break(break_id, Break.Resolution.SUSPENSE, wish["note"], by=by, at=at))


def _nothing(break_id: UUID, wish: dict[str, Any], by: Actor, at: datetime) -> Words:
    return _told(breaks.settle_break(break_id, Break.Resolution.NOTHING, wish["note"], by=by, at=at))


def _told(row: Break) -> Words:
    return _("The difference is settled.") if row.closed_at else _("Noted. A second colleague has to want the same.")


def _is_open(row: Break) -> bool:
    return row.closed_at is None


VERBS = [
    Verb("suspense", Break, LABELS["suspense"], JUDGES, _before_suspense, _suspense, fits=_is_open),
    Verb("nothing", Break, LABELS["nothing"], JUDGES, _before_nothing, _nothing, fits=_is_open),
]
