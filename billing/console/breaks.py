"""Differences from channels' statements: put into suspense, or found to be none, by a colleague; a large one by two."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import Q
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from billing.models import Break
from billing.refusals import NothingToPost
from billing.services import breaks
from kernel.actor import Actor
from kernel.console_actions import Verb, Words
from kernel.templatetags.house import money

JUDGES = ("finance", "supervisor")
LABELS: dict[str, Words] = {
    Break.Resolution.SUSPENSE: gettext_lazy("Move to suspense"),
    Break.Resolution.NOTHING: gettext_lazy("No discrepancy"),
}


def _before_suspense(row: Break, at: datetime) -> Words:
    del at
    moves = breaks.suspense_moves(row, row.deduction or row.refund_part)
    if not moves:
        raise NothingToPost
    amounts = " · ".join(f"{move.debit.code} → {move.credit.code} {money(move.amount)}" for move in moves)
    return " ".join([_("Ledger entries: %(moves)s.") % {"moves": amounts}, *_second(row)])


def _before_nothing(row: Break, at: datetime) -> Words:
    del at
    return " ".join([_("The discrepancy is closed; the ledger does not change."), *_second(row)])


def _second(row: Break) -> list[str]:
    """What a large one still needs."""
    if not breaks.needs_second(row):
        return []
    return [_("Large amount: needs approval by a second colleague.")]


def _suspense(break_id: UUID, wish: dict[str, Any], by: Actor, at: datetime) -> Words:
    return _told(breaks.settle_break(break_id, Break.Resolution.SUSPENSE, wish["note"], by=by, at=at))


def _nothing(break_id: UUID, wish: dict[str, Any], by: Actor, at: datetime) -> Words:
    return _told(breaks.settle_break(break_id, Break.Resolution.NOTHING, wish["note"], by=by, at=at))


def _told(row: Break) -> Words:
    del row
    return _("The discrepancy has been resolved.")


def _is_large(row: Break, wish: Any) -> bool:
    del wish
    return breaks.needs_second(row)


def _books(row: Break) -> Q:
    return Q(cause_id=row.pk)


def _stands(row: Break) -> dict[str, Any]:
    theirs, ours = (str(amount) if amount else "" for amount in (row.theirs, row.ours))
    heard, closed = row.heard_at is not None, row.closed_at is not None
    return {"kind": row.kind, "theirs": theirs, "ours": ours, "heard": heard, "closed": closed}


def _is_open(row: Break) -> bool:
    return row.closed_at is None


VERBS = [
    Verb(
        name,
        Break,
        LABELS[name],
        JUDGES,
        preview,
        run,
        fits=_is_open,
        books=_books,
        second=_is_large,
        deciders=JUDGES,
        stands=_stands,
        hold=breaks.hold_break,
    )
    for name, preview, run in (("suspense", _before_suspense, _suspense), ("nothing", _before_nothing, _nothing))
]
