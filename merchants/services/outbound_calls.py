"""Outbound calls to a merchant's URLs during its own request: one at a time.

A receiver may take ten seconds to respond, and occupies one of a few threads meanwhile. A merchant occupies at most one
of them in each process, so that others are not blocked.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

from django.utils.translation import gettext_lazy as _

from kernel.rate_limits import RateLimited

RETRY_AFTER_SECONDS = 2
_lock = threading.Lock()
_in_progress: set[UUID] = set()


@contextmanager
def one_outbound_call(merchant_id: UUID) -> Iterator[None]:
    """Hold the merchant's only slot for an outbound call.

    Raises:
        RateLimited: a call for the merchant is already in progress.
    """
    with _lock:
        if merchant_id in _in_progress:
            raise RateLimited(
                _("Another request to one of your addresses is in progress; wait for it to finish."),
                retry_after=RETRY_AFTER_SECONDS,
            )
        _in_progress.add(merchant_id)
    try:
        yield
    finally:
        with _lock:
            _in_progress.discard(merchant_id)
