"""Breaks (discrepancies with a channel's statement): settled automatically where possible, else by colleagues."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import structlog
from celery.exceptions import SoftTimeLimitExceeded
from django.db import transaction
from django.db.models import Count, Q

from billing.channels import Succeeded
from billing.models import Break, Deduction, RefundPart, StatementFile
from billing.refusals import BreakClosed, BreakInFlight, NothingToPost
from billing.services.contradictions import STATEMENT
from billing.services.deduction_outcomes import DeductionReport, settle_all
from billing.services.discrepancy_checks import OwnMovement, is_booked, is_booked_elsewhere, matching_breaks
from billing.services.disputes import REASON_UNKNOWN, record_chargeback
from billing.services.movements import MovementReport
from billing.services.refund_outcomes import REFUND_PARTS
from billing.services.stray_chargebacks import Chargeback
from billing.services.suspense import BREAK_TO_SUSPENSE
from credit.rules import needs_dual_approval
from kernel.actor import Actor
from kernel.money import Money
from kernel.refusal import ApprovalRequired, Busy, NotFound
from ledger import accounts as book
from ledger import services as ledger

log = structlog.get_logger(__name__)


def process_breaks(realm_id: int, *, by: Actor, at: datetime, limit: int = 100) -> None:
    """Settle what only the statement told us as if the channel had called back.

    What cannot be settled is logged and stays open for a colleague. A return whose order is just being refunded or
    collected waits for the next statement, and so do all later lines of the same number.
    """
    waiting: set[UUID] = set()
    while batch := _next_batch(realm_id, waiting, limit):
        try:
            debits = [row for row in batch if row.deduction_id and not _is_return(row)]
            settle_all([DeductionReport(*_report_args(row)) for row in debits], by=by, at=at)
        except SoftTimeLimitExceeded:
            raise
        except Exception:
            log.exception("statement_not_settled", realm=realm_id)
        try:
            REFUND_PARTS.settle_all(
                [MovementReport(*_report_args(row)) for row in batch if row.refund_part_id], by=by, at=at
            )
        except SoftTimeLimitExceeded:
            raise
        except Exception:
            log.exception("statement_not_settled", realm=realm_id)
        left = [row for row in batch if _is_return(row) and not _apply_return(row, by=by, at=at)]
        waiting |= {row.deduction_id for row in left if row.deduction_id}
        _mark_processed([row.id for row in batch if row not in left], by=by, at=at)


def _next_batch(realm_id: int, postponed: set[UUID], limit: int) -> list[Break]:
    """The next unprocessed breaks: one at a time for each number, in the order of the channel's statement."""
    waiting = Break.objects.filter(realm_id=realm_id, heard_at__isnull=True).exclude(deduction_id__in=postponed)
    batch: dict[UUID, Break] = {}
    for row in waiting.select_related("line", "deduction", "refund_part").order_by("id")[:limit]:
        batch.setdefault(row.deduction_id or row.refund_part_id or row.id, row)
    return list(batch.values())


def _is_return(row: Break) -> bool:
    return row.line is not None and row.line.kind == "return"


def _apply_return(row: Break, *, by: Actor, at: datetime) -> bool:
    """Record a returned debit that the statement lists. False if it has to wait."""
    if row.deduction_id is None or row.line is None or row.theirs is None:
        return True
    try:
        record_chargeback(row.deduction_id, Chargeback(row.line.channel_txn, row.theirs, REASON_UNKNOWN), by=by, at=at)
    except Busy:
        return False
    except SoftTimeLimitExceeded:
        raise
    except Exception:
        log.exception("statement_not_settled", realm=row.realm_id)
    return True


def _report_args(row: Break) -> tuple[UUID, Succeeded, str]:
    """The arguments of a report from the statement line about one of our numbers."""
    movement_id, line = row.deduction_id or row.refund_part_id, row.line
    if movement_id is None or line is None or row.theirs is None:
        raise RuntimeError(f"{row} has nothing to say")
    return movement_id, Succeeded(line.channel_txn, row.theirs), STATEMENT


@transaction.atomic
def _mark_processed(keys: Sequence[UUID], *, by: Actor, at: datetime) -> None:
    """Mark breaks as processed, and close those that are booked now."""
    rows = Break.objects.filter(pk__in=keys).select_related("line", "deduction", "refund_part").order_by("id")
    for row in rows.select_for_update(of=("self",), no_key=True):
        row.heard_at = at
        if row.closed_at is None and is_booked(row, row.deduction or row.refund_part):
            _close(row, Break.Resolution.BOOKED, "", by=by, at=at)
        row.save()


@transaction.atomic
def resolve_break(break_id: UUID, resolution: str, reason: str, *, by: Actor, at: datetime) -> Break:
    """Close a break by a colleague's decision: move the difference to suspense, or leave it. Large ones need approval.

    Raises:
        NotFound: there is no such break.
        ApprovalRequired: the amount is large.
        BreakClosed: it is closed already.
        BreakInFlight: its movement has no outcome yet, or the break has not been processed yet.
        NothingToPost: the ledger holds no difference that could be moved to suspense.
    """
    found = Break.objects.filter(pk=break_id).first()
    if found is None:
        raise NotFound
    row = lock_break(found)
    if row.closed_at is not None:
        raise BreakClosed
    movement = row.deduction or row.refund_part
    if resolution == Break.Resolution.SUSPENSE:
        moves = suspense_moves(row, movement)
        if not moves:
            raise NothingToPost
    else:
        moves = []
    if by.is_unapproved_staff and needs_approval(row):
        raise ApprovalRequired
    ledger.post([ledger.JournalEntry(row.id, BREAK_TO_SUSPENSE, moves)], realm_id=row.realm_id, at=at)
    _close(row, resolution, reason[:200], by=by, at=at)
    row.save()
    return row


def lock_break(row: Break) -> Break:
    """Lock the break, its copies in other files, and before them its movement.

    A callback may arrive at the same moment, or another colleague may resolve the same line of another file.

    Raises:
        NotFound: there is no such break.
    """
    for model, key in ((Deduction, row.deduction_id), (RefundPart, row.refund_part_id)):
        if key is not None:
            model.objects.lock_all([key])
    copies = {one.pk: one for one in matching_breaks(row).order_by("id").select_for_update(of=("self",), no_key=True)}
    if row.pk not in copies:
        raise NotFound
    return copies[row.pk]


def count_breaks_by_kind(statement: StatementFile) -> dict[str, tuple[int, int]]:
    """By kind, how many breaks were found in a file, and how many of them are still open."""
    kinds = Break.objects.filter(statement=statement).order_by("kind").values_list("kind")
    counted = kinds.annotate(whole=Count("id"), still_open=Count("id", filter=Q(closed_at__isnull=True)))
    return {kind: (whole, still_open) for kind, whole, still_open in counted}


def needs_approval(row: Break) -> bool:
    """Whether the amount is so large that resolving it takes dual approval."""
    return any(needs_dual_approval(side) for side in (row.theirs, row.ours) if side)


def suspense_moves(row: Break, movement: OwnMovement | None) -> list[book.Move]:
    """The moves that make the clearing account agree with the channel, with the difference in suspense.

    Raises:
        BreakInFlight: the movement has no outcome yet, or the break is not processed yet and may be booked by that.
    """
    if row.heard_at is None or (movement is not None and movement.state in ("prepared", "sent", "unknown")):
        raise BreakInFlight
    if is_booked(row, movement) or is_booked_elsewhere(row, movement):
        return []
    clearing = book.clearing(row.channel)
    theirs = row.theirs if row.kind not in Break.NOT_AT_CHANNEL else None
    moves = [
        _move(clearing, book.SUSPENSE, theirs, reverse=row.refund),
        _move(book.SUSPENSE, clearing, row.ours, reverse=row.refund),
    ]
    return [move for move in moves if move]


def _move(debit: book.Account, credit: book.Account, amount: Money | None, *, reverse: bool) -> book.Move | None:
    """A move of money that came in; reversed, of money that went back."""
    if amount is None:
        return None
    return book.Move(credit, debit, amount) if reverse else book.Move(debit, credit, amount)


def _close(row: Break, resolution: str, reason: str, *, by: Actor, at: datetime) -> None:
    row.resolution, row.closed_because, row.closed_by, row.closed_at = resolution, reason, str(by), at
