"""Turning violations of database constraints into refusals."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from django.db import IntegrityError, transaction

from kernel.refusal import Refusal


@contextmanager
def refuse_on_conflict(refusals: Mapping[str, type[Refusal]]) -> Iterator[None]:
    """Raise the refusal that belongs to the violated constraint; other integrity errors pass through."""
    try:
        with transaction.atomic():
            yield
    except IntegrityError as error:
        constraint = getattr(getattr(error.__cause__, "diag", None), "constraint_name", None)
        refusal = refusals.get(str(constraint))
        if refusal is None:
            raise
        raise refusal from None
