"""Row actions on statement discrepancies: move to suspense, or close as no discrepancy."""

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
from kernel.console_actions import RowAction, StrOrPromise
from kernel.templatetags.formatting import money

RESOLVERS = ("finance", "supervisor")
LABELS: dict[str, StrOrPromise] = {
    Break.Resolution.SUSPENSE: gettext_lazy("Move to suspense"),
    Break.Resolution.NOTHING: gettext_lazy("No discrepancy"),
}


def _preview_suspense(row: Break, at: datetime) -> StrOrPromise:
    del at
    moves = breaks.suspense_moves(row, row.deduction or row.refund_part)
    if not moves:
        raise NothingToPost
    amounts = " · ".join(f"{move.debit.code} → {move.credit.code} {money(move.amount)}" for move in moves)
    return " ".join([_("Ledger entries: %(moves)s.") % {"moves": amounts}, *_approval_note(row)])


def _preview_nothing(row: Break, at: datetime) -> StrOrPromise:
    del at
    return " ".join([_("The discrepancy is closed; the ledger does not change."), *_approval_note(row)])


def _approval_note(row: Break) -> list[str]:
    """A note that a large amount needs a second approval; empty otherwise."""
    if not breaks.needs_approval(row):
        return []
    return [_("Large amount: needs approval by a second colleague.")]


def _resolve_to_suspense(break_id: UUID, data: dict[str, Any], by: Actor, at: datetime) -> StrOrPromise:
    return _resolved_message(breaks.resolve_break(break_id, Break.Resolution.SUSPENSE, data["note"], by=by, at=at))


def _resolve_as_nothing(break_id: UUID, data: dict[str, Any], by: Actor, at: datetime) -> StrOrPromise:
    return _resolved_message(breaks.resolve_break(break_id, Break.Resolution.NOTHING, data["note"], by=by, at=at))


def _resolved_message(row: Break) -> StrOrPromise:
    del row
    return _("The discrepancy has been resolved.")


def _needs_approval(row: Break, data: Any) -> bool:
    del data
    return breaks.needs_approval(row)


def _posting_filter(row: Break) -> Q:
    return Q(cause_id=row.pk)


def _snapshot(row: Break) -> dict[str, Any]:
    theirs, ours = (str(amount) if amount else "" for amount in (row.theirs, row.ours))
    heard, closed = row.heard_at is not None, row.closed_at is not None
    return {"kind": row.kind, "theirs": theirs, "ours": ours, "heard": heard, "closed": closed}


def _is_open(row: Break) -> bool:
    return row.closed_at is None


ROW_ACTIONS = [
    RowAction(
        name,
        Break,
        LABELS[name],
        RESOLVERS,
        preview,
        run,
        applies_to=_is_open,
        posting_filter=_posting_filter,
        needs_approval=_needs_approval,
        approvers=RESOLVERS,
        snapshot=_snapshot,
        lock=breaks.lock_break,
    )
    for name, preview, run in (
        ("suspense", _preview_suspense, _resolve_to_suspense),
        ("nothing", _preview_nothing, _resolve_as_nothing),
    )
]
