"""What a deed would write into the book: it is done, read, and taken back. Nothing of it remains."""

from collections.abc import Callable, Sequence

from django.db import transaction
from django.db.models import Q

from kernel.ids import uuid7
from ledger.models import Posting


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
