"""What a deed would write into the book: it is done, read, and taken back. Nothing of it remains."""

import hashlib
from collections.abc import Callable, Sequence
from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.db.models import Q

from billing.models import Settlement
from billing.services.settlement import settle_next
from billing.services.unsettled import unsettled
from kernel.ids import uuid7
from ledger.models import Posting
from merchants.models import Merchant
from office.refusals import TooManyLines

#: A statement of more lines than these is not made for a look.
LINES_MAX = 20_000


@transaction.atomic
def postings_of(deed: Callable[[], object], books: Q) -> Sequence[Posting]:
    """The postings it would make, where they would stand. What the deed asks of the world outside is not asked.

    Raises:
        Refusal: it could not be done.
    """
    edge = uuid7()
    try:
        deed()
        return list(Posting.objects.filter(books, pk__gt=edge).order_by("pk"))
    finally:
        transaction.set_rollback(True)


def seal_of(postings: Sequence[Posting]) -> str:
    """What these move between which accounts, in a word that is the same for the same; empty for nothing."""
    moves = sorted(
        (one.kind, one.debit_account, one.credit_account, one.currency, one.amount_minor, str(one.order_id))
        for one in postings
    )
    return hashlib.sha256(repr(moves).encode()).hexdigest() if moves else ""


@transaction.atomic
def statement_of(merchant_id: UUID, *, at: datetime) -> list[Settlement]:
    """The settlements there would be if the merchant's day ended now: made, read, and taken back.

    Raises:
        TooManyLines: more than a page can wait for.
    """
    merchant = Merchant.objects.get(pk=merchant_id)
    if unsettled(merchant, most=LINES_MAX + 1) > LINES_MAX:
        raise TooManyLines
    edge = uuid7()
    try:
        Merchant.objects.filter(pk=merchant_id).update(settles_at=at)
        settle_next(merchant_id, at=at)
        return list(Settlement.objects.filter(merchant_id=merchant_id, pk__gt=edge).order_by("currency"))
    finally:
        transaction.set_rollback(True)
