"""What only a person can judge is judged: where money in suspense belongs, or that our book was right all along."""

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from django.db import transaction

from billing import rules
from billing.channels import Answer, Declined, Taken
from billing.models import Case, Deduction, Payout, RefundPart
from billing.planning import Kind
from billing.refusals import CaseClosed, CaseUnfit, NoWallet, TransactionUsed
from billing.services import after_all, payout_returns
from billing.services.case_wallet import paid_as_of, put_into_wallet, refuse_wallet, refuse_who_leaves
from billing.services.movements import MovementReport
from billing.services.out_of_suspense import missing_of, take_out
from billing.services.resolve import CODE, SOURCE, is_used, word_of
from billing.services.same_money import NEVER_WENT
from billing.services.settle import AFTER_FAILURE, TOO_LONG, TWICE, WRONG_AMOUNT, Report, settle_all
from billing.services.settle_parts import AFTER_ALL, GIVEN_UP, PARTS, lock_lines
from billing.services.settle_payouts import PAYOUTS
from billing.statements import GONE_BACK
from kernel.actor import Actor
from kernel.money import Money
from kernel.refusal import Busy, NotFound, SecondNeeded
from ledger import rules as book
from ledger import services as ledger
from ledger.models import Posting

CLOSED = "case_closed"
RETURNED, WALLET, MERCHANT = Case.Resolution.RETURNED, Case.Resolution.WALLET, Case.Resolution.MERCHANT
BY_HAND = Case.Resolution.BY_HAND
PLATFORM, STANDS, SAID = Case.Resolution.PLATFORM, Case.Resolution.STANDS, Case.Resolution.SAID
_BORNE = (RETURNED, PLATFORM)
#: How a case of each kind may end. What is named nowhere can still be closed as it stands.
ENDS: Mapping[str, tuple[str, ...]] = {
    AFTER_FAILURE: (RETURNED, WALLET),
    TWICE: (RETURNED, WALLET),
    WRONG_AMOUNT: (RETURNED, WALLET),
    "declined_after_success": (STANDS,),
    "refunded_twice": _BORNE,
    "refund_of_wrong_amount": (RETURNED, STANDS),
    NEVER_WENT: (STANDS, WALLET, BY_HAND),
    GIVEN_UP: (STANDS,),
    "paid_out_twice": (MERCHANT, *_BORNE),
    "paid_out_after_failure": (MERCHANT, *_BORNE),
    "payout_of_wrong_amount": (RETURNED, STANDS),
    GONE_BACK: (STANDS, MERCHANT),
    "taken_back_untaken": _BORNE,
    "taken_back_wrong_amount": _BORNE,
    "taken_back_same_number": _BORNE,
}
#: Those whose movement has no outcome until they are judged.
OPEN_UNTIL_JUDGED = (WRONG_AMOUNT, "refund_of_wrong_amount", "payout_of_wrong_amount")
#: Those by which a channel says that what left never did: who has it again has it once, however often that is said.
NEVER_LEFT = (NEVER_WENT, GONE_BACK)
_UNDECIDED = ("prepared", "sent", "unknown", "waiting")


def ends_of(case: Case) -> tuple[str, ...]:
    """How it may end. How something ended that nobody knows is said at another deed, as long as nobody does."""
    if case.kind == TOO_LONG:
        return () if _is_open(case) else (STANDS,)
    if case.kind == AFTER_ALL and case.refund_part is not None:
        return after_all.ends(case.refund_part, at_stake(case))
    if case.kind in OPEN_UNTIL_JUDGED and held(case) is None and not _is_open(case):
        return (STANDS,)
    if case.kind in NEVER_LEFT and _was_given(case):
        return (STANDS,)
    return ENDS.get(case.kind, (STANDS,))


def held(case: Case) -> Posting | None:
    """What stands in suspense for it; nothing where the resolver booked nothing."""
    return Posting.objects.filter(cause_id=case.pk, kind=case.kind).first()


def at_stake(case: Case) -> Money:
    """How much it is about: what stands in suspense; else the movement, or what the channel moved if that is more.

    Raises:
        NotFound: it is about no movement.
    """
    posted, row = held(case), _movement(case)
    if posted is not None:
        return Money(posted.amount_minor, posted.currency)
    told = Money(case.detail.get("amount", 0), case.detail.get("currency", row.currency))
    return max(row.amount, told, key=rules.weight)


def needs_second(case: Case) -> bool:
    """Whether it is so large that one colleague alone does not close it."""
    return rules.takes_two(at_stake(case))


def moves_of(case: Case, resolution: str) -> list[book.Move]:
    """What closing it so moves in the book.

    Raises:
        CaseUnfit: it cannot end so.
        NoWallet: the person can have no stored value in this currency, or has left for good.
    """
    if resolution not in ends_of(case):
        raise CaseUnfit
    posted, amount, clearing = held(case), at_stake(case), book.clearing(_movement(case).channel)
    if resolution == WALLET:
        refuse_wallet(_person_of(_movement(case)), amount)
    if case.refund_part is not None and resolution in after_all.COUNTED:
        return after_all.moves(case.refund_part, resolution, amount)
    to = _account(case, resolution)
    if to is None:
        return []
    if posted is None:  # the book says that it left; it never did
        return [] if to == clearing else [book.Move(clearing, to, amount)]
    came_in = posted.credit_account == book.SUSPENSE.code
    if came_in:
        return [book.Move(book.SUSPENSE, to, amount)]
    return [book.Move(to, book.SUSPENSE, amount)]


@transaction.atomic
def close_case(case_id: UUID, resolution: str, because: str, *, paid_as: str = "", by: Actor, at: datetime) -> Case:
    """Colleagues say where its money belongs, or that nothing is wrong with our book. A large one takes two.

    What went to its person by hand takes two as well, and says as what the bank knows it (`paid_as`). Where another
    amount was moved than was asked for, and the channel took that back or the person has it otherwise, the movement
    itself ends: what it was for is free again.

    Raises:
        NotFound: there is no such case.
        CaseClosed: it is closed already.
        CaseUnfit, NoWallet: as moves_of says.
        SecondNeeded: it is large, or was paid by hand.
        Invalid: it was paid by hand, and nothing says as what; or it was not, and something does.
        ReferenceReused: that was another payment.
        Busy: its movement is being sent once more.
    """
    case = _open(case_id)
    case.paid_as = paid_as_of(resolution, paid_as)
    if case.refund_part is not None:
        lock_lines(case.refund_part.refund.order_id)  # what is left to be given back, and a return's end, stay so
    moves = moves_of(case, resolution)
    if by.alone and (needs_second(case) or resolution == BY_HAND):
        raise SecondNeeded
    stake = at_stake(case)
    if case.refund_part is not None and case.kind == NEVER_WENT and resolution != STANDS:
        take_out(missing_of(case.refund_part), realm_id=case.realm_id, at=at)  # a statement's word on the same money
    ledger.post([ledger.Fact(case.id, CLOSED, moves, _order_of(case, resolution))], realm_id=case.realm_id, at=at)
    _carry_out(case, resolution, stake, by=by, at=at)
    if case.kind in OPEN_UNTIL_JUDGED:
        _end_movement(case, took_place=resolution == STANDS, by=by, at=at)
    if resolution == WALLET:
        refuse_who_leaves(_person_of(_movement(case)))
    _close(case, resolution, because, stake, by=by, at=at)
    return case


def _carry_out(case: Case, resolution: str, stake: Money, *, by: Actor, at: datetime) -> None:
    """What follows from where its money belongs: it is in a wallet, counts as given back, or owed to a merchant."""
    if resolution == WALLET:
        put_into_wallet(case, _person_of(_movement(case)), stake, at=at)
    if case.refund_part is not None and resolution in after_all.COUNTED:
        after_all.count(case, case.refund_part, resolution, stake, by=by, at=at)
    if case.payout is not None and case.kind == GONE_BACK and resolution == MERCHANT:
        payout_returns.tell_owed_again(case.payout, at=at)


@transaction.atomic
def say_movement(case_id: UUID, *, txn: str, evidence: str, reason: str = "", by: Actor, at: datetime) -> Case:
    """How a refund's part or a payout ended of which nobody knew for days: said by two, on evidence.

    It left under the channel's transaction `txn`; or, where that is empty, it never did.

    Raises:
        NotFound: there is no such case.
        SecondNeeded: no colleague says it alone.
        CaseClosed: it is closed already.
        CaseUnfit: it is about something else.
        TransactionUsed: the channel's transaction is another movement's, or a case's.
        Invalid: there is no evidence, or more than is kept.
        Busy: its movement is being sent once more.
    """
    if by.alone:
        raise SecondNeeded
    case = _open(case_id)
    if not sayable(case):
        raise CaseUnfit
    evidence, txn = word_of(evidence, txn)
    row = _movement(case)
    if is_used(row, txn):
        raise TransactionUsed
    row.record("said_by_colleagues", by=by, at=at, txn=txn, evidence=evidence, note=reason)
    _settle(row, Taken(txn, row.amount) if txn else Declined(CODE, Kind.HARD), by=by, at=at)
    case.refresh_from_db()
    _close(case, SAID, reason, row.amount, by=by, at=at)
    return case


def sayable(case: Case) -> bool:
    """Whether colleagues may say here how it ended. Of a deduction they say it on its own page."""
    return case.closed_at is None and case.kind == TOO_LONG and case.deduction_id is None and _is_open(case)


def hold_case(case: Case) -> Case:
    """The case as it stays until the transaction ends, its movement being locked before it.

    Raises:
        NotFound: there is none.
    """
    for model, key in ((Deduction, case.deduction_id), (RefundPart, case.refund_part_id), (Payout, case.payout_id)):
        if key is not None:
            model.objects.lock_all([key])
    return Case.objects.locked(case.pk)


def _open(case_id: UUID) -> Case:
    named = Case.objects.filter(pk=case_id).first()
    if named is None:
        raise NotFound
    case = hold_case(named)
    if case.closed_at is not None:
        raise CaseClosed
    return case


def _close(case: Case, resolution: str, because: str, stake: Money, *, by: Actor, at: datetime) -> None:
    case.resolution, case.closed_because, case.closed_by = resolution, because[:200], str(by)
    case.at_stake_minor, case.at_stake_currency, case.closed_at = stake.minor, stake.currency, at
    case.save()


def _was_given(case: Case) -> bool:
    """Whether another case of its movement has given the money to whom it belongs."""
    others = _movement(case).cases.filter(kind=case.kind).exclude(pk=case.pk)
    return others.filter(resolution__in=(WALLET, MERCHANT, BY_HAND)).exists()


def _movement(case: Case) -> Deduction | RefundPart | Payout:
    if case.about is None:
        raise NotFound
    return case.about


def _is_open(case: Case) -> bool:
    return _movement(case).state in _UNDECIDED


def _account(case: Case, resolution: str) -> book.Account | None:
    """Where the money belongs; nowhere else where our book was right."""
    row = _movement(case)
    if resolution == RETURNED:
        return book.clearing(row.channel)
    if resolution == WALLET:
        return book.wallet(_person_of(row))
    if resolution == MERCHANT and isinstance(row, Payout):
        return book.payable(row.merchant_id)
    return book.LOSSES if resolution == PLATFORM else None


def _person_of(row: Deduction | RefundPart | Payout) -> UUID:
    """Whose money it is.

    Raises:
        NoWallet: it is a merchant's.
    """
    if isinstance(row, Payout):
        raise NoWallet
    return row.refund.person_id if isinstance(row, RefundPart) else row.person_id


def _order_of(case: Case, resolution: str) -> UUID | None:
    """Beside which of its orders a merchant reads it."""
    return case.refund_part.refund.order_id if resolution in after_all.COUNTED and case.refund_part else None


def _end_movement(case: Case, *, took_place: bool, by: Actor, at: datetime) -> None:
    """What waited for this is over: it took place as it was asked for, or nothing of it did."""
    row = _movement(case)
    if row.state not in _UNDECIDED:
        return
    row.record("case_closed", by=by, at=at, case=case.public_id)
    txn = str(case.detail.get("txn", ""))
    _settle(row, Taken(txn, row.amount) if took_place else Declined(WRONG_AMOUNT, _kind_of(row)), by=by, at=at)


def _kind_of(row: Deduction | RefundPart | Payout) -> Kind:
    """A debit is tried once more as after the channel's own trouble; what goes out is not sent again by itself."""
    return Kind.TECHNICAL if isinstance(row, Deduction) else Kind.HARD


def _settle(row: Deduction | RefundPart | Payout, answer: Answer, *, by: Actor, at: datetime) -> None:
    """Through the one resolver, as if the channel had said so."""
    if row.state not in ("sent", "unknown"):
        raise Busy(retry_after=60)
    if isinstance(row, Deduction):
        settle_all([Report(row.id, answer, SOURCE)], by=by, at=at)
    else:
        resolver = PARTS if isinstance(row, RefundPart) else PAYOUTS
        resolver.settle_all([MovementReport(row.id, answer, SOURCE)], by=by, at=at)
