"""Write off debts. The person may still pay them, but is not contacted about them."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from credit.usage import apply_deltas
from kernel.actor import Actor
from kernel.lifecycle import record_all
from kernel.refusal import ApprovalRequired
from ledger import services as ledger
from ledger.accounts import Move
from ledger.services import JournalEntry
from orders import rules
from orders.models import Obligation, Order
from orders.refusals import STATE_DETAILS, DeductionInFlight, OrderState
from orders.services.events import obligation_event, publish_events
from orders.services.promises import delta_for

_ONLY_OVERDUE = _("Only what is overdue is written off.")


@transaction.atomic
def write_off(order_id: UUID, reason: str, *, by: Actor, at: datetime) -> Order:
    """Write off what is overdue of the order: it becomes a loss in the ledger. Idempotent.

    The order stays overdue and the promise breached until the person pays, which is then a recovery.

    Raises:
        NotFound: there is no such order.
        ApprovalRequired: a write-off needs two members of staff.
        OrderState: nothing of it is overdue, or it is paused.
        DeductionInFlight: a deduction is in progress.
    """
    if by.is_unapproved_staff:
        raise ApprovalRequired
    order = Order.objects.locked(order_id)
    obligations = list(order.obligations.select_for_update(of=("self",), no_key=True).order_by("pk"))
    if all(row.state != Obligation.State.OVERDUE for row in obligations) and any(
        row.state == Obligation.State.WRITTEN_OFF for row in obligations
    ):
        return order
    rows = write_off_candidates(order, obligations)
    for row in rows:
        row.order = order
        row.write_off()
    lines = record_all(rows, "written_off", by=by, at=at, data=[{"reason": reason}] * len(rows))
    order.record("written_off", by=by, at=at, note=reason)
    loss_minor = sum(row.written_off_minor for row in rows)
    apply_deltas([delta_for(order, outstanding_minor=-loss_minor)], at=at)
    entries = [
        JournalEntry(line.id, "written_off", _write_off_moves(order, row), order.id)
        for line, row in zip(lines, rows, strict=True)
    ]
    ledger.post(entries, realm_id=order.realm_id, at=at)
    events = [obligation_event(row, "obligation.written_off") for row in rows]
    publish_events(events, realm_id=order.realm_id, at=at)
    return order


def write_off_candidates(order: Order, obligations: Sequence[Obligation]) -> list[Obligation]:
    """The overdue obligations of an order that can be written off.

    Raises:
        OrderState, DeductionInFlight: as write_off says.
    """
    if any(row.in_flight for row in obligations):
        raise DeductionInFlight(retry_after=5)
    rows = [row for row in obligations if row.state == Obligation.State.OVERDUE]
    if not rows:
        raise OrderState(format_lazy("{state} {text}", state=STATE_DETAILS[order.state], text=_ONLY_OVERDUE))
    if any(row.paused_at for row in obligations):
        raise OrderState(_("The order is paused; resume it first."))
    return rows


def _write_off_moves(order: Order, row: Obligation) -> list[Move]:
    platform_liable = row.kind != Obligation.Kind.PRINCIPAL or order.terms.is_advance
    return rules.write_off_moves(row.owed, order.terms, platform_liable=platform_liable)
