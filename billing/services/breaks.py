"""What parts from a channel's statement is put right: by the resolver where it can be, else by colleagues."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import structlog
from django.db import transaction
from django.db.models import Count, Q

from billing import rules
from billing.channels import Taken
from billing.models import Break, Deduction, RefundPart, StatementFile
from billing.refusals import BreakClosed, BreakInFlight, NothingToPost
from billing.services.disputes import UNSAID, take_back
from billing.services.movements import MovementReport
from billing.services.out_of_suspense import PLACED
from billing.services.same_money import Ours, copies_of, is_booked, stands_elsewhere
from billing.services.settle import Report, settle_all
from billing.services.settle_parts import PARTS
from billing.services.stray_returns import Withdrawal
from kernel.actor import Actor
from kernel.money import Money
from kernel.refusal import Busy, NotFound, SecondNeeded
from kernel.time_limit import TimeIsUp
from ledger import rules as book
from ledger import services as ledger

log = structlog.get_logger(__name__)
SOURCE = "statement"


def hear_breaks(realm_id: int, *, by: Actor, at: datetime, limit: int = 100) -> None:
    """Hand what only the channel knows to the resolver, as if it had called back.

    What cannot be settled so is logged and stays open for a colleague. A return of which the order is just now being
    refunded or collected waits for the next statement, and with it all that the channel says of the same number later.
    """
    waits: set[UUID] = set()
    while heard := _turn(realm_id, waits, limit):
        try:
            debits = [row for row in heard if row.deduction_id and not _is_return(row)]
            settle_all([Report(*_word(row)) for row in debits], by=by, at=at)
        except TimeIsUp:
            raise
        except Exception:
            log.exception("statement_not_settled", realm=realm_id)
        try:
            PARTS.settle_all([MovementReport(*_word(row)) for row in heard if row.refund_part_id], by=by, at=at)
        except TimeIsUp:
            raise
        except Exception:
            log.exception("statement_not_settled", realm=realm_id)
        left = [row for row in heard if _is_return(row) and not _took_back(row, by=by, at=at)]
        waits |= {row.deduction_id for row in left if row.deduction_id}
        _note_heard([row.id for row in heard if row not in left], by=by, at=at)


def _turn(realm_id: int, waits: set[UUID], limit: int) -> list[Break]:
    """The next to be heard: of one number one thing at a time, in the order in which the channel says it."""
    waiting = Break.objects.filter(realm_id=realm_id, heard_at__isnull=True).exclude(deduction_id__in=waits)
    turn: dict[UUID, Break] = {}
    for row in waiting.select_related("line", "deduction", "refund_part").order_by("id")[:limit]:
        turn.setdefault(row.deduction_id or row.refund_part_id or row.id, row)
    return list(turn.values())


def _is_return(row: Break) -> bool:
    return row.line is not None and row.line.kind == "return"


def _took_back(row: Break, *, by: Actor, at: datetime) -> bool:
    """A statement says that the channel took a debit back. Whether it could be taken in now."""
    if row.deduction_id is None or row.line is None or row.theirs is None:
        return True
    try:
        take_back(row.deduction_id, Withdrawal(row.line.channel_txn, row.theirs, UNSAID), by=by, at=at)
    except Busy:
        return False
    except TimeIsUp:
        raise
    except Exception:
        log.exception("statement_not_settled", realm=row.realm_id)
    return True


def _word(row: Break) -> tuple[UUID, Taken, str]:
    """What the statement's line says about one of our numbers."""
    ours, line = row.deduction_id or row.refund_part_id, row.line
    if ours is None or line is None or row.theirs is None:
        raise RuntimeError(f"{row} has nothing to say")
    return ours, Taken(line.channel_txn, row.theirs), SOURCE


@transaction.atomic
def _note_heard(keys: Sequence[UUID], *, by: Actor, at: datetime) -> None:
    """What the resolver has booked needs nobody any more."""
    rows = Break.objects.filter(pk__in=keys).select_related("line", "deduction", "refund_part").order_by("id")
    for row in rows.select_for_update(of=("self",), no_key=True):
        row.heard_at = at
        if row.closed_at is None and is_booked(row, row.deduction or row.refund_part):
            _close(row, Break.Resolution.BOOKED, "", by=by, at=at)
        row.save()


@transaction.atomic
def settle_break(break_id: UUID, resolution: str, because: str, *, by: Actor, at: datetime) -> Break:
    """A colleague judges: the difference is put into suspense, or there is none. A large one takes two.

    Raises:
        NotFound: there is no such break.
        SecondNeeded: it is large.
        BreakClosed: it is settled already.
        BreakInFlight: nobody knows yet how what it is about ended, or the resolver has still to hear of it.
        NothingToPost: the book holds no difference that could be put into suspense.
    """
    named = Break.objects.filter(pk=break_id).first()
    if named is None:
        raise NotFound
    row = hold_break(named)
    if row.closed_at is not None:
        raise BreakClosed
    ours = row.deduction or row.refund_part
    if resolution == Break.Resolution.SUSPENSE:
        moves = suspense_moves(row, ours)
        if not moves:
            raise NothingToPost
    else:
        moves = []
    if by.alone and needs_second(row):
        raise SecondNeeded
    ledger.post([ledger.Fact(row.id, PLACED, moves)], realm_id=row.realm_id, at=at)
    _close(row, resolution, because[:200], by=by, at=at)
    row.save()
    return row


def hold_break(row: Break) -> Break:
    """The difference as it stays until it is settled, with all that says the same, and before it what it is about.

    A callback may come at the same moment, or another colleague may place the same line of another file.

    Raises:
        NotFound: there is none.
    """
    for model, key in ((Deduction, row.deduction_id), (RefundPart, row.refund_part_id)):
        if key is not None:
            model.objects.lock_all([key])
    same = {one.pk: one for one in copies_of(row).order_by("id").select_for_update(of=("self",), no_key=True)}
    if row.pk not in same:
        raise NotFound
    return same[row.pk]


def breaks_of(statement: StatementFile) -> dict[str, tuple[int, int]]:
    """How many breaks of each kind were found in a file, and how many of them are still open."""
    kinds = Break.objects.filter(statement=statement).order_by("kind").values_list("kind")
    counted = kinds.annotate(whole=Count("id"), still_open=Count("id", filter=Q(closed_at__isnull=True)))
    return {kind: (whole, still_open) for kind, whole, still_open in counted}


def needs_second(row: Break) -> bool:
    """Whether it is so large that one colleague alone does not settle it."""
    return any(rules.takes_two(side) for side in (row.theirs, row.ours) if side)


def suspense_moves(row: Break, ours: Ours | None) -> list[book.Move]:
    """What the book must move so that money at the channel is what the channel says, the difference in suspense.

    Raises:
        BreakInFlight: what it is about has no outcome yet, or is still to be heard and will then be booked by itself;
            until then its money is nobody's to place.
    """
    if row.heard_at is None or (ours is not None and ours.state in ("prepared", "sent", "unknown")):
        raise BreakInFlight
    if is_booked(row, ours) or stands_elsewhere(row, ours):
        return []
    clearing = book.clearing(row.channel)
    theirs = row.theirs if row.kind not in Break.GONE else None
    moves = [
        _move(clearing, book.SUSPENSE, theirs, back=row.refund),
        _move(book.SUSPENSE, clearing, row.ours, back=row.refund),
    ]
    return [move for move in moves if move]


def _move(debit: book.Account, credit: book.Account, amount: Money | None, *, back: bool) -> book.Move | None:
    """Money that came; or, turned round, money that went back."""
    if amount is None:
        return None
    return book.Move(credit, debit, amount) if back else book.Move(debit, credit, amount)


def _close(row: Break, resolution: str, because: str, *, by: Actor, at: datetime) -> None:
    row.resolution, row.closed_because, row.closed_by, row.closed_at = resolution, because, str(by), at
