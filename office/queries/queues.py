"""Open items of the work queues: counts, pages, assignees and deadlines."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, cast
from uuid import UUID

from django.db.models import (
    Count,
    DateTimeField,
    Exists,
    ExpressionWrapper,
    F,
    Min,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    Value,
)
from django.db.models.functions import Coalesce

from accounts.models import Person, User
from kernel import ids
from kernel.admin_site import is_in_groups
from kernel.models import LIVE, Identified
from kernel.refusal import FieldError, Invalid
from office.models import Handling
from office.queues import QUEUES, Queue

#: Items are counted up to here; the page then shows "+".
COUNT_MAX = 10_000
ROWS_A_PAGE = 50
#: An item with an external deadline is due this long before it.
DEADLINE_MARGIN = timedelta(days=1)
#: Values of the assignment filter.
MINE, UNASSIGNED, PAST_DUE = "mine", "nobody", "late"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class QueueStats:
    """Counts of a queue for one colleague."""

    queue: Queue
    count: int
    oldest: datetime | None
    mine: int
    unassigned: int
    past_due: int

    @property
    def is_capped(self) -> bool:
        return self.count >= COUNT_MAX


@dataclass(frozen=True, slots=True)
class QueueItem:
    """One item of a queue, with its assignee and deadline."""

    row: Identified
    since: datetime
    due_at: datetime
    is_late: bool
    assignee: User | None


@dataclass(frozen=True, slots=True)
class QueueFilter:
    """Which items of a queue to show, for which user, at which moment of real time."""

    user: User
    at: datetime
    mode: str = "live"
    assigned: str = ""
    kind: str = ""


def open_rows(queue: Queue, mode: str) -> "QuerySet[Any]":
    """All open items of a queue in live mode or in the sandboxes."""
    by_mode = Q(realm_id=LIVE) if mode == "live" else ~Q(realm_id=LIVE)
    rows: QuerySet[Any] = queue.model._default_manager.filter(queue.open_filter, by_mode)
    return rows.order_by()


def queue_stats_for(queue: Queue, filters: QueueFilter) -> QueueStats:
    """Count, oldest and assignment totals in one query, over the oldest `COUNT_MAX` items."""
    rows = _with_assignment(queue, filters).order_by(queue.since_field, "pk")[:COUNT_MAX]
    found = rows.aggregate(
        count=Count("pk"),
        oldest=Min("waiting_since"),
        mine=Count("pk", filter=Q(assignee_id=filters.user.pk)),
        unassigned=Count("pk", filter=Q(assignee_id__isnull=True)),
        past_due=Count("pk", filter=_is_past_due(queue, filters.at)),
    )
    return QueueStats(queue, **found)


def list_page(queue: Queue, filters: QueueFilter, cursor: str) -> tuple[list[QueueItem], str]:
    """A page of matching items, the oldest first, and the cursor of the next page ("" on the last).

    Raises:
        Invalid: the cursor is malformed.
    """
    rows = _with_assignment(queue, filters)
    condition = {
        MINE: Q(assignee_id=filters.user.pk),
        UNASSIGNED: Q(assignee_id__isnull=True),
        PAST_DUE: _is_past_due(queue, filters.at),
    }.get(filters.assigned, Q())
    rows = rows.filter(condition, **({queue.kind_field: filters.kind} if filters.kind else {}))
    if cursor:
        since, key = _parse_cursor(cursor)
        rows = rows.filter(Q(waiting_since__gt=since) | Q(waiting_since=since, pk__gt=key))
    found = list(rows.select_related(*queue.related).order_by(queue.since_field, "pk")[: ROWS_A_PAGE + 1])
    page = found[:ROWS_A_PAGE]
    return _items(queue, page, filters.at), _cursor(page[-1]) if len(found) > ROWS_A_PAGE else ""


def find_item(queue: Queue, key: UUID, at: datetime) -> QueueItem | None:
    """One item, open or already handled; None if it does not exist or belongs to another queue."""
    rows = queue.model._default_manager.filter(pk=key).select_related(*queue.related, *queue.person_lookups)
    found = list(_with_times(queue, rows, at))
    return _items(queue, found, at)[0] if found and is_in_queue(queue, found[0]) else None


def person_of(queue: Queue, row: Any) -> Person | None:
    """The person an item is about; None if it is about a merchant only."""
    for lookup in queue.person_lookups:
        related = row
        for name in lookup.split("__"):
            related = getattr(related, name) if related else None
        if related:
            return cast(Person, related)
    return None


def is_in_queue(queue: Queue, row: Any) -> bool:
    """Whether the row belongs to this queue rather than to another queue of the same table."""
    others = [other for other in QUEUES.values() if other.model is queue.model]
    return len(others) == 1 or str(row.kind) == queue.name


def is_open(queue: Queue, key: UUID) -> bool:
    """Whether the item is still in the queue."""
    return queue.model._default_manager.filter(queue.open_filter, pk=key).exists()


def queue_of(row: Any) -> Queue | None:
    """The queue the row is open in; None if it is in none."""
    for queue in QUEUES.values():
        if isinstance(row, queue.model) and is_in_queue(queue, row):
            return queue if is_open(queue, row.pk) else None
    return None


def kinds_of(queue: Queue, filters: QueueFilter) -> Sequence[str]:
    """The distinct kinds among the queue's open items, at most 100."""
    found = open_rows(queue, filters.mode).values_list(queue.kind_field, flat=True)
    return [kind for kind in found.distinct().order_by(queue.kind_field)[:100] if kind]


def count_assigned(user: User) -> int:
    """How many open items of their queues are assigned to this user. Reads open items, of which there are few."""
    return sum(_assigned_rows(queue, user).count() for queue in QUEUES.values() if is_in_groups(user, queue.groups))


def _assigned_rows(queue: Queue, user: User) -> "QuerySet[Any]":
    mine = Handling.objects.filter(queue=queue.name, about=OuterRef("pk"), user=user)
    rows: QuerySet[Any] = queue.model._default_manager.filter(queue.open_filter, Exists(mine))
    return rows.order_by()[:COUNT_MAX]


def handling_of(queue: Queue, key: UUID) -> Handling | None:
    return Handling.objects.select_related("user").filter(queue=queue.name, about=key).first()


def eligible_users(queue: Queue) -> "QuerySet[User]":
    """The active staff users who may handle this queue."""
    may = Q(groups__name__in=queue.groups) | Q(is_superuser=True)
    return User.objects.filter(may, is_staff=True, is_active=True).distinct().order_by("username")


def _with_assignment(queue: Queue, filters: QueueFilter) -> "QuerySet[Any]":
    handlings = Handling.objects.filter(queue=queue.name, about=OuterRef("pk"))
    rows = _with_times(queue, open_rows(queue, filters.mode), filters.at)
    assignee_id, own_due_at = (Subquery(handlings.values(column)[:1]) for column in ("user_id", "due_at"))
    assigned: QuerySet[Any] = rows.annotate(assignee_id=assignee_id, own_due_at=own_due_at)
    return assigned


def _with_times(queue: Queue, rows: "QuerySet[Any]", at: datetime) -> "QuerySet[Any]":
    """Annotate since when each row waits and the current time of its realm (a sandbox has its own clock)."""
    running_now = ExpressionWrapper(Value(at) + F("realm__clock_offset"), output_field=DateTimeField())
    annotated: QuerySet[Any] = rows.annotate(
        waiting_since=F(queue.since_field), realm_now=Coalesce("realm__frozen_at", running_now)
    )
    return annotated


def _is_past_due(queue: Queue, at: datetime) -> Q:
    """Past the deadline somebody set, or else past the queue's default deadline."""
    due = ExpressionWrapper(F("realm_now") - Value(queue.time_limit), output_field=DateTimeField())
    by_queue = Q(waiting_since__lte=due)
    if queue.deadline_field:
        last = ExpressionWrapper(F("realm_now") + Value(DEADLINE_MARGIN), output_field=DateTimeField())
        by_queue |= Q(**{f"{queue.deadline_field}__lte": last})
    return Q(own_due_at__lte=at) | Q(own_due_at__isnull=True) & by_queue


def _items(queue: Queue, rows: Iterable[Any], at: datetime) -> list[QueueItem]:
    found = list(rows)
    handlings = Handling.objects.select_related("user").filter(queue=queue.name, about__in=[row.pk for row in found])
    by_key = {handling.about: handling for handling in handlings}
    return [_item(queue, row, by_key.get(row.pk), at) for row in found]


def _item(queue: Queue, row: Any, handling: Handling | None, at: datetime) -> QueueItem:
    own_due_at = handling.due_at if handling else None
    since = row.waiting_since or at
    deadline = getattr(row, queue.deadline_field) if queue.deadline_field else None
    due_at = own_due_at or min(
        since + queue.time_limit, deadline - DEADLINE_MARGIN if deadline else datetime.max.replace(tzinfo=UTC)
    )
    return QueueItem(
        row, since, due_at, due_at <= (at if own_due_at else row.realm_now), handling.user if handling else None
    )


def _cursor(row: Any) -> str:
    return f"{(row.waiting_since - _EPOCH) // _MICROSECOND}.{row.pk.hex}"


def _parse_cursor(cursor: str) -> tuple[datetime, UUID]:
    moment, _dot, text = cursor.partition(".")
    key = ids.parse_hex(text)
    if key is None or not (moment.isascii() and moment.isdigit() and len(moment) <= 17):  # noqa: PLR2004  year 5138
        raise Invalid(errors=[FieldError("?cursor", "not a cursor of this list")])
    return _EPOCH + int(moment) * _MICROSECOND, key
