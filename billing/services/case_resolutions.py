"""How cases may be closed: the allowed resolutions of each kind, the amount concerned, and the ledger moves."""

from collections.abc import Mapping
from uuid import UUID

from billing import rules
from billing.models import Case, Deduction, Payout, RefundPart
from billing.refusals import CaseUnfit, NoWallet
from billing.services import refunds_after_failure
from billing.services.case_wallet import require_usable_wallet
from billing.services.deduction_outcomes import TAKEN_AFTER_FAILURE, TAKEN_TWICE, UNKNOWN_TOO_LONG, WRONG_AMOUNT
from billing.services.discrepancy_checks import NOT_REFUNDED
from billing.services.refund_outcomes import REFUND_GIVEN_UP, REFUNDED_AFTER_FAILURE
from billing.settlement_queries import PAYOUT_RETURNED
from credit.rules import needs_dual_approval
from kernel.money import Money
from kernel.refusal import NotFound
from ledger import accounts as book
from ledger.models import Posting

RETURNED, WALLET, MERCHANT = Case.Resolution.RETURNED, Case.Resolution.WALLET, Case.Resolution.MERCHANT
BY_HAND = Case.Resolution.BY_HAND
PLATFORM, STANDS, SAID = Case.Resolution.PLATFORM, Case.Resolution.STANDS, Case.Resolution.SAID
_LOSS_RESOLUTIONS = (RETURNED, PLATFORM)
#: The resolutions allowed for each kind of case. Any other kind can only be closed with the ledger left as it is.
RESOLUTIONS_BY_KIND: Mapping[str, tuple[str, ...]] = {
    TAKEN_AFTER_FAILURE: (RETURNED, WALLET),
    TAKEN_TWICE: (RETURNED, WALLET),
    WRONG_AMOUNT: (RETURNED, WALLET),
    "declined_after_success": (STANDS,),
    "refunded_twice": _LOSS_RESOLUTIONS,
    "refund_of_wrong_amount": (RETURNED, STANDS),
    NOT_REFUNDED: (STANDS, WALLET, BY_HAND),
    REFUND_GIVEN_UP: (STANDS,),
    "paid_out_twice": (MERCHANT, *_LOSS_RESOLUTIONS),
    "paid_out_after_failure": (MERCHANT, *_LOSS_RESOLUTIONS),
    "payout_of_wrong_amount": (RETURNED, STANDS),
    PAYOUT_RETURNED: (STANDS, MERCHANT),
    "taken_back_untaken": _LOSS_RESOLUTIONS,
    "taken_back_wrong_amount": _LOSS_RESOLUTIONS,
    "taken_back_same_number": _LOSS_RESOLUTIONS,
    "taken_back_one_of_two": _LOSS_RESOLUTIONS,
}
#: Kinds whose movement has no outcome until the case is closed.
BLOCKING_KINDS = (WRONG_AMOUNT, "refund_of_wrong_amount", "payout_of_wrong_amount")
#: Kinds by which a channel reports that a payment never left after all. It is given back once, however often reported.
NEVER_LEFT_KINDS = (NOT_REFUNDED, PAYOUT_RETURNED)
UNDECIDED_STATES = ("prepared", "sent", "unknown", "waiting")


def allowed_resolutions(case: Case) -> tuple[str, ...]:
    """The resolutions this case may be closed with. None while an unknown result is recorded by another action."""
    if case.kind == UNKNOWN_TOO_LONG:
        return () if is_undecided(case) else (STANDS,)
    if case.kind == REFUNDED_AFTER_FAILURE and case.refund_part is not None:
        return refunds_after_failure.allowed_resolutions(case.refund_part, amount_at_stake(case))
    if case.kind in BLOCKING_KINDS and suspense_posting(case) is None and not is_undecided(case):
        return (STANDS,)
    if case.kind in NEVER_LEFT_KINDS and _is_paid_by_other_case(case):
        return (STANDS,)
    return RESOLUTIONS_BY_KIND.get(case.kind, (STANDS,))


def suspense_posting(case: Case) -> Posting | None:
    """The posting that holds the case's money in suspense, if one was made."""
    return Posting.objects.filter(cause_id=case.pk, kind=case.kind).first()


def amount_at_stake(case: Case) -> Money:
    """The amount concerned: what is in suspense, else the larger of the movement and what the channel moved.

    Raises:
        NotFound: the case has no movement.
    """
    posted, row = suspense_posting(case), movement_of(case)
    if posted is not None:
        return Money(posted.amount_minor, posted.currency)
    reported = Money(case.detail.get("amount", 0), case.detail.get("currency", row.currency))
    return max(row.amount, reported, key=rules.relative_amount)


def needs_approval(case: Case) -> bool:
    """Whether the amount is so large that closing the case takes dual approval."""
    return needs_dual_approval(amount_at_stake(case))


def closing_moves(case: Case, resolution: str) -> list[book.Move]:
    """The ledger moves for closing the case with this resolution.

    Raises:
        CaseUnfit: the resolution is not allowed.
        NoWallet: the person cannot have a wallet in this currency, or has closed their account.
    """
    if resolution not in allowed_resolutions(case):
        raise CaseUnfit
    posted, amount, clearing = suspense_posting(case), amount_at_stake(case), book.clearing(movement_of(case).channel)
    if resolution == WALLET:
        require_usable_wallet(person_of(movement_of(case)), amount)
    if case.refund_part is not None and resolution in refunds_after_failure.REFUNDED_RESOLUTIONS:
        return refunds_after_failure.resolution_moves(case.refund_part, resolution, amount)
    target = _target_account(case, resolution)
    if target is None:
        return []
    if posted is None:  # the ledger says that it left; it never did
        return [] if target == clearing else [book.Move(clearing, target, amount)]
    came_in = posted.credit_account == book.SUSPENSE.code
    if came_in:
        return [book.Move(book.SUSPENSE, target, amount)]
    return [book.Move(target, book.SUSPENSE, amount)]


def _is_paid_by_other_case(case: Case) -> bool:
    """Whether another case of the same movement has already given the money to its owner."""
    others = movement_of(case).cases.filter(kind=case.kind).exclude(pk=case.pk)
    return others.filter(resolution__in=(WALLET, MERCHANT, BY_HAND)).exists()


def movement_of(case: Case) -> Deduction | RefundPart | Payout:
    """The movement the case is about.

    Raises:
        NotFound: it is about none.
    """
    if case.movement is None:
        raise NotFound
    return case.movement


def is_undecided(case: Case) -> bool:
    """Whether the movement has no final outcome yet."""
    return movement_of(case).state in UNDECIDED_STATES


def _target_account(case: Case, resolution: str) -> book.Account | None:
    """The account the money belongs to. None if the ledger was right and nothing moves."""
    row = movement_of(case)
    if resolution == RETURNED:
        return book.clearing(row.channel)
    if resolution == WALLET:
        return book.wallet(person_of(row))
    if resolution == MERCHANT and isinstance(row, Payout):
        return book.payable(row.merchant_id)
    return book.LOSSES if resolution == PLATFORM else None


def person_of(row: Deduction | RefundPart | Payout) -> UUID:
    """The person whose money it is.

    Raises:
        NoWallet: it is a merchant's money.
    """
    if isinstance(row, Payout):
        raise NoWallet
    return row.refund.person_id if isinstance(row, RefundPart) else row.person_id
