"""Two want what only one can have: PostgreSQL stops the second, who hears why."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from django.db import IntegrityError, transaction

from kernel.refusal import Refusal


@contextmanager
def told_apart(clashes: Mapping[str, type[Refusal]]) -> Iterator[None]:
    """Whoever comes second hears why: the constraint that stopped the row becomes the refusal that it means."""
    try:
        with transaction.atomic():
            yield
    except IntegrityError as clash:
        constraint = getattr(getattr(clash.__cause__, "diag", None), "constraint_name", None)
        refusal = clashes.get(str(constraint))
        if refusal is None:
            raise
        raise refusal from None
