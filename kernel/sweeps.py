"""Working off what is due, realm by realm, each by its own clock."""

import time
from collections import deque
from collections.abc import Callable
from datetime import datetime

import structlog
from django.db.models import DateTimeField, Exists, ExpressionWrapper, Model, OuterRef, Value
from django.db.models.functions import Coalesce

from kernel.clock import live_now, now_in
from kernel.models import Realm

log = structlog.get_logger(__name__)
#: How long one ring goes on beginning batches. What is left is still due at the next ring; meanwhile the worker has its
#: hands free for the other jobs, and no task comes near its time limit.
WORKS_FOR_SECONDS = 10.0


def realms_due(work: type[Model], column: str, *, frozen: bool = False) -> list[Realm]:
    """Realms whose clock runs and in which a row's `column` has come, by the realm's own time, in no order.

    A frozen realm is left alone: there, time passes only when its owner says so. With `frozen`, what is due there at
    the moment that stands still counts too: for work that changes nothing in the realm's own story.
    """
    running = ExpressionWrapper(Value(live_now()) + OuterRef("clock_offset"), output_field=DateTimeField())
    now = Coalesce(OuterRef("frozen_at"), running) if frozen else running
    due = work._default_manager.filter(realm_id=OuterRef("pk"), **{f"{column}__lte": now})
    realms = Realm.objects.all() if frozen else Realm.objects.filter(frozen_at__isnull=True)
    return list(realms.filter(Exists(due)).order_by("?"))


def everywhere(work: type[Model], column: str, sweep: Callable[[int, datetime, int], int], *, batch: int) -> None:
    """Let `sweep(realm_id, at, limit)` work in each realm that has work, a batch in turn, while it has a full one left.

    It ends when the time is up, too. Trouble in one realm is logged and does not keep the others waiting; its rows are
    still due the next time.
    """
    until = time.monotonic() + WORKS_FOR_SECONDS
    left = deque(realms_due(work, column))
    while left and time.monotonic() < until:
        realm = left.popleft()
        try:
            if sweep(realm.id, now_in(realm), batch) == batch:
                left.append(realm)
        except Exception:
            log.exception("sweep_failed", realm=realm.id, due=column)
