"""Dry runs: an action or a settlement runs in a transaction, its result is read, and everything is rolled back."""

import hashlib
from collections.abc import Callable, Sequence
from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.db.models import Q

from billing.models import Settlement
from billing.services.settlements import settle_next_cutoff
from billing.services.unsettled_postings import count_unsettled
from kernel.ids import uuid7
from ledger.models import Posting
from merchants.models import Merchant
from office.refusals import TooManyLines

#: Settlements with more lines than this are not previewed.
PREVIEW_LINES_MAX = 20_000


@transaction.atomic
def dry_run(action: Callable[[], object]) -> None:
    """Run an action and roll it back, to learn whether it would fail. Calls to external services are not made.

    Raises:
        Refusal: the action would fail.
    """
    try:
        action()
    finally:
        transaction.set_rollback(True)


@transaction.atomic
def preview_postings(action: Callable[[], object], posting_filter: Q) -> Sequence[Posting]:
    """The ledger postings that the action would make and that match the filter. Calls to channels are not made.

    Raises:
        Refusal: the action would fail.
    """
    first_key = uuid7()
    try:
        action()
        return list(Posting.objects.filter(posting_filter, pk__gt=first_key).order_by("pk"))
    finally:
        transaction.set_rollback(True)


def postings_digest(postings: Sequence[Posting]) -> str:
    """A digest of the amounts these move between accounts, equal for equal moves; "" for no postings."""
    moves = sorted(
        (one.kind, one.debit_account, one.credit_account, one.currency, one.amount_minor, str(one.order_id))
        for one in postings
    )
    return hashlib.sha256(repr(moves).encode()).hexdigest() if moves else ""


@transaction.atomic
def preview_settlements(merchant_id: UUID, *, at: datetime) -> list[Settlement]:
    """The settlements the merchant would get if the settlement day ended now.

    Raises:
        TooManyLines: there are too many lines for a preview.
    """
    merchant = Merchant.objects.get(pk=merchant_id)
    if count_unsettled(merchant, most=PREVIEW_LINES_MAX + 1) > PREVIEW_LINES_MAX:
        raise TooManyLines
    first_key = uuid7()
    try:
        Merchant.objects.filter(pk=merchant_id).update(settles_at=at)
        settle_next_cutoff(merchant_id, at=at)
        return list(Settlement.objects.filter(merchant_id=merchant_id, pk__gt=first_key).order_by("currency"))
    finally:
        transaction.set_rollback(True)
