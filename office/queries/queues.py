"""What waits in a queue, how much of it is whose, and who sees to which."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
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

from accounts.models import User
from kernel import ids
from kernel.admin_site import belongs
from kernel.models import LIVE, Identified
from kernel.refusal import FieldError, Invalid
from office.models import Handling
from office.queues import QUEUES, Queue

#: Counted up to here; the page then says "or more".
COUNT_MAX = 10_000
ROWS_A_PAGE = 50
#: What somebody outside waits for is done so long before they wait no longer.
BEFORE = timedelta(days=1)
#: Whose things are shown.
MINE, NOBODYS, LATE = "mine", "nobody", "late"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Standing:
    """How a queue stands for whoever looks."""

    queue: Queue
    count: int
    oldest: datetime | None
    mine: int
    nobodys: int
    late: int

    @property
    def most(self) -> bool:
        return self.count >= COUNT_MAX


@dataclass(frozen=True, slots=True)
class Waiting:
    """One thing that waits, and who sees to it until when."""

    row: Identified
    since: datetime
    due_at: datetime
    late: bool
    holder: User | None


@dataclass(frozen=True, slots=True)
class Look:
    """Which of a queue's things are asked for, by whom, and at which moment of real time."""

    user: User
    at: datetime
    mode: str = "live"
    whose: str = ""
    kind: str = ""


def waiting(queue: Queue, mode: str) -> "QuerySet[Any]":
    """Everything in it, in live or in the sandboxes."""
    world = Q(realm_id=LIVE) if mode == "live" else ~Q(realm_id=LIVE)
    rows: QuerySet[Any] = queue.model._default_manager.filter(queue.waits, world)
    return rows.order_by()


def standing(queue: Queue, look: Look) -> Standing:
    """Its count, its oldest, and whose they are: one question, of so many of the oldest."""
    rows = _handled(queue, look).order_by(queue.since, "pk")[:COUNT_MAX]
    found = rows.aggregate(
        count=Count("pk"),
        oldest=Min("waits_since"),
        mine=Count("pk", filter=Q(holder=look.user.pk)),
        nobodys=Count("pk", filter=Q(holder__isnull=True)),
        late=Count("pk", filter=_late(queue, look.at)),
    )
    return Standing(queue, **found)


def page_of(queue: Queue, look: Look, cursor: str) -> tuple[list[Waiting], str]:
    """A page of what is asked for, the oldest first, and the cursor of the next; empty where there is none.

    Raises:
        Invalid: the cursor is not one we gave.
    """
    rows = _handled(queue, look)
    chosen = {
        MINE: Q(holder=look.user.pk),
        NOBODYS: Q(holder__isnull=True),
        LATE: _late(queue, look.at),
    }.get(look.whose, Q())
    rows = rows.filter(chosen, **({queue.kind: look.kind} if look.kind else {}))
    if cursor:
        since, key = _place(cursor)
        rows = rows.filter(Q(waits_since__gt=since) | Q(waits_since=since, pk__gt=key))
    found = list(rows.select_related(*queue.beside).order_by(queue.since, "pk")[: ROWS_A_PAGE + 1])
    shown = found[:ROWS_A_PAGE]
    return _told(queue, shown, look.at), _cursor(shown[-1]) if len(found) > ROWS_A_PAGE else ""


def one(queue: Queue, key: UUID, at: datetime) -> Waiting | None:
    """One thing as it waits, or as it stands when it does no longer; None where there is no such thing."""
    rows = queue.model._default_manager.filter(pk=key).select_related(*queue.beside)
    found = list(_with_times(queue, rows, at))
    return _told(queue, found, at)[0] if found and is_of(queue, found[0]) else None


def is_of(queue: Queue, row: Any) -> bool:
    """Whether such a thing belongs to this queue, and not to another of the same table."""
    others = [other for other in QUEUES.values() if other.model is queue.model]
    return len(others) == 1 or str(row.kind) == queue.name


def waits(queue: Queue, key: UUID) -> bool:
    """Whether it is still to be seen to."""
    return queue.model._default_manager.filter(queue.waits, pk=key).exists()


def queue_of(row: Any) -> Queue | None:
    """The queue in which this row waits."""
    for queue in QUEUES.values():
        if isinstance(row, queue.model) and is_of(queue, row):
            return queue if waits(queue, row.pk) else None
    return None


def kinds_of(queue: Queue, look: Look) -> Sequence[str]:
    """What its things can be told apart by."""
    found = waiting(queue, look.mode).values_list(queue.kind, flat=True)
    return [kind for kind in found.distinct().order_by(queue.kind)[:100] if kind]


def yours(user: User) -> int:
    """How much of what waits in their queues a colleague has in hand: asked of what waits, which stays few."""
    return sum(_in_hand(queue, user).count() for queue in QUEUES.values() if belongs(user, queue.groups))


def _in_hand(queue: Queue, user: User) -> "QuerySet[Any]":
    mine = Handling.objects.filter(queue=queue.name, about=OuterRef("pk"), user=user)
    rows: QuerySet[Any] = queue.model._default_manager.filter(queue.waits, Exists(mine))
    return rows.order_by()[:COUNT_MAX]


def handling_of(queue: Queue, key: UUID) -> Handling | None:
    return Handling.objects.select_related("user").filter(queue=queue.name, about=key).first()


def colleagues_of(queue: Queue) -> "QuerySet[User]":
    """Everybody it may be handed to: whoever decides it."""
    may = Q(groups__name__in=queue.groups) | Q(is_superuser=True)
    return User.objects.filter(may, is_staff=True, is_active=True).distinct().order_by("username")


def _handled(queue: Queue, look: Look) -> "QuerySet[Any]":
    hands = Handling.objects.filter(queue=queue.name, about=OuterRef("pk"))
    rows = _with_times(queue, waiting(queue, look.mode), look.at)
    holder, promised = (Subquery(hands.values(column)[:1]) for column in ("user_id", "due_at"))
    handled: QuerySet[Any] = rows.annotate(holder=holder, promised=promised)
    return handled


def _with_times(queue: Queue, rows: "QuerySet[Any]", at: datetime) -> "QuerySet[Any]":
    """Since when each waits, and what time it is there: a sandbox lives by its own clock."""
    moved = ExpressionWrapper(Value(at) + F("realm__clock_offset"), output_field=DateTimeField())
    timed: QuerySet[Any] = rows.annotate(waits_since=F(queue.since), there=Coalesce("realm__frozen_at", moved))
    return timed


def _late(queue: Queue, at: datetime) -> Q:
    """Past the time somebody set, or else past the queue's own."""
    due = ExpressionWrapper(F("there") - Value(queue.within), output_field=DateTimeField())
    by_itself = Q(waits_since__lte=due)
    if queue.ends:
        last = ExpressionWrapper(F("there") + Value(BEFORE), output_field=DateTimeField())
        by_itself |= Q(**{f"{queue.ends}__lte": last})
    return Q(promised__lte=at) | Q(promised__isnull=True) & by_itself


def _told(queue: Queue, rows: Iterable[Any], at: datetime) -> list[Waiting]:
    found = list(rows)
    hands = Handling.objects.select_related("user").filter(queue=queue.name, about__in=[row.pk for row in found])
    by_key = {hand.about: hand for hand in hands}
    return [_one(queue, row, by_key.get(row.pk), at) for row in found]


def _one(queue: Queue, row: Any, hand: Handling | None, at: datetime) -> Waiting:
    promised = hand.due_at if hand else None
    since = row.waits_since or at
    ends = getattr(row, queue.ends) if queue.ends else None
    due_at = promised or min(since + queue.within, ends - BEFORE if ends else datetime.max.replace(tzinfo=UTC))
    return Waiting(row, since, due_at, due_at <= (at if promised else row.there), hand.user if hand else None)


def _cursor(row: Any) -> str:
    return f"{(row.waits_since - _EPOCH) // _MICROSECOND}.{row.pk.hex}"


def _place(cursor: str) -> tuple[datetime, UUID]:
    moment, _dot, text = cursor.partition(".")
    key = ids.bare(text)
    if key is None or not (moment.isascii() and moment.isdigit() and len(moment) <= 17):  # noqa: PLR2004  year 5138
        raise Invalid(errors=[FieldError("?cursor", "not a cursor of this list")])
    return _EPOCH + int(moment) * _MICROSECOND, key
