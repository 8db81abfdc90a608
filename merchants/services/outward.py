"""What a merchant has us ask of its own addresses while it waits: one thing at a time.

Whoever is asked may be silent for ten seconds, and holds one of a few threads meanwhile. A merchant holds no more than
one of them in each process, so that its neighbours find theirs.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

from django.utils.translation import gettext_lazy as _

from kernel.rate_limits import RateLimited

RETRY_AFTER_SECONDS = 2
_lock = threading.Lock()
_going_out: set[UUID] = set()


@contextmanager
def one_at_a_time(merchant_id: UUID) -> Iterator[None]:
    """The merchant's turn to have the outside asked, until that is over.

    Raises:
        RateLimited: it has one already.
    """
    with _lock:
        if merchant_id in _going_out:
            raise RateLimited(
                _("Another request to one of your addresses is in progress; wait for it to finish."),
                retry_after=RETRY_AFTER_SECONDS,
            )
        _going_out.add(merchant_id)
    try:
        yield
    finally:
        with _lock:
            _going_out.discard(merchant_id)
