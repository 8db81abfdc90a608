"""Assignment of queue items: claim, assign, release, deadline, notes. Whether an item is open its queue decides."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import DateTimeField, Func, Q, QuerySet
from django.utils.translation import gettext_lazy as _

from accounts.models import Person, User
from kernel.actor import Actor
from kernel.admin_site import is_in_groups
from kernel.refusal import FieldError, Invalid, NotFound
from office.models import Handling, HandlingNote
from office.queries import queues
from office.queues import QUEUES, Queue
from office.refusals import AlreadyAssigned, CannotHandleQueue, NothingToHandle

NOTE_MAX, ASSIGN_MAX = 1000, 100
#: How far ahead a deadline may be set.
DUE_MAX = timedelta(days=90)
_Act = HandlingNote.Act


class _ClockTimestamp(Func):
    """The wall-clock time of the insert, not of the transaction's start: a note that waited for a lock is later."""

    function = "clock_timestamp"
    output_field = DateTimeField()


@transaction.atomic
def claim(queue: Queue, about: UUID, user: User, *, at: datetime) -> Handling:
    """Assign an unassigned item to the user who claims it. Claiming their own item changes nothing.

    Raises:
        NothingToHandle: the item is handled already, or does not exist.
        AlreadyAssigned: it is another colleague's.
        CannotHandleQueue: the user is no longer active.
    """
    row = _lock_open_item(queue, about, at=at)
    if row.user_id == user.pk:
        return row
    if row.user is not None:
        raise AlreadyAssigned.assigned_to(row.user)
    return _set_assignee(row, user, _Act.TAKEN, "", by=Actor.staff(user.pk), at=at)


@transaction.atomic
def assign(
    queue: Queue, about: UUID, to: User, text: str, *, seen_assignee: UUID | None, by: Actor, at: datetime
) -> Handling:
    """Assign an item to a colleague, whoever had it.

    `seen_assignee` is the assignee the page showed, so that a change since then is not overwritten.

    Raises:
        NothingToHandle: the item is handled already, or does not exist.
        AlreadyAssigned: it has another assignee by now.
        CannotHandleQueue: the colleague may not decide it.
        Invalid: the note is too long.
    """
    if not can_handle(queue, to):
        raise CannotHandleQueue
    row = _lock_open_item(queue, about, at=at)
    if row.user_id == to.pk:
        return row
    if row.user_id != seen_assignee:
        raise AlreadyAssigned.assigned_to(row.user)
    return _set_assignee(row, to, _Act.HANDED, text, by=by, at=at)


def assign_many(
    queue: Queue, selected: Iterable[tuple[UUID, UUID | None]], to: User, text: str, *, by: Actor, at: datetime
) -> tuple[int, list[tuple[UUID, AlreadyAssigned]]]:
    """Assign many items, each in its own transaction: how many were assigned, and which had another assignee by now.

    Items that are handled already are skipped.

    Raises:
        CannotHandleQueue: the colleague may not decide such items.
        Invalid: the note is too long, or there are too many items.
    """
    items = list(dict(selected).items())
    if len(items) > ASSIGN_MAX:
        raise Invalid
    if not can_handle(queue, to):
        raise CannotHandleQueue
    assigned_count, conflicts = 0, list[tuple[UUID, AlreadyAssigned]]()
    for about, assignee_id in items:
        try:
            assign(queue, about, to, text, seen_assignee=assignee_id, by=by, at=at)
        except AlreadyAssigned as conflict:
            conflicts.append((about, conflict))
        except NothingToHandle:
            continue
        else:
            assigned_count += 1
    return assigned_count, conflicts


@transaction.atomic
def release(queue: Queue, about: UUID, text: str, *, by: Actor, at: datetime) -> Handling:
    """Return the assignee's own item to the queue, unassigned.

    Raises:
        NothingToHandle: the item is handled already, or does not exist.
        AlreadyAssigned: it is somebody else's, or nobody's.
        Invalid: the note is too long.
    """
    row = _lock_open_item(queue, about, at=at)
    if row.user is None or str(Actor.staff(row.user.pk)) != str(by):
        raise AlreadyAssigned.assigned_to(row.user)
    return _set_assignee(row, None, _Act.PUT_BACK, text, by=by, at=at)


@transaction.atomic
def set_due(queue: Queue, about: UUID, due_at: datetime, text: str, *, by: Actor, at: datetime) -> Handling:
    """Set the item's deadline. It stays when the assignee changes.

    Raises:
        NothingToHandle: the item is handled already, or does not exist.
        Invalid: the time is past or too far ahead, or the note is too long.
    """
    if not at < due_at <= at + DUE_MAX:
        raise Invalid(errors=[FieldError("/due_at", _("Enter a time within the next 90 days."))])
    row = _lock_open_item(queue, about, at=at)
    row.due_at = due_at
    return _save_with_note(row, _Act.DUE, text, by=by, at=at)


@transaction.atomic
def add_note(queue: Queue, about: UUID, text: str, *, by: Actor, at: datetime) -> Handling:
    """Add a note to an item, open or handled.

    Raises:
        NotFound: there is no such item.
        Invalid: the note is empty or too long.
    """
    if not text.strip():
        raise Invalid
    if queues.find_item(queue, about, at) is None:
        raise NotFound
    return _save_with_note(_lock_handling(queue, about, at=at), _Act.NOTE, text, by=by, at=at)


@transaction.atomic
def release_all(user_id: UUID, *, by: Actor, at: datetime) -> int:
    """Release all open items of this user. Returns how many."""
    rows = list(open_assignments(user_id).order_by("pk").select_for_update(no_key=True))
    for row in rows:
        _set_assignee(row, None, _Act.PUT_BACK, "", by=by, at=at)
    return len(rows)


def open_assignments(user_id: UUID) -> QuerySet[Handling]:
    """The handlings of open items assigned to this user."""
    open_items: list[Any] = [
        Q(queue=queue.name, about__in=queue.model._default_manager.filter(queue.open_filter).values("pk"))
        for queue in QUEUES.values()
    ]
    return Handling.objects.filter(Q.create(open_items, connector=Q.OR), user_id=user_id)


def can_handle(queue: Queue, user: User) -> bool:
    """Whether the user may decide the queue's items."""
    return is_in_groups(user, queue.groups)


def _lock_open_item(queue: Queue, about: UUID, *, at: datetime) -> Handling:
    """The handling of an open item, locked; created on first use.

    Raises:
        NothingToHandle: the item is not open, or its person is being erased.
    """
    if not queues.is_open(queue, about):
        raise NothingToHandle
    return _lock_handling(queue, about, at=at)


def _lock_handling(queue: Queue, about: UUID, *, at: datetime) -> Handling:
    person_ids = _active_person_ids(queue, about)
    Handling.objects.bulk_create([Handling(queue=queue.name, about=about, changed_at=at)], ignore_conflicts=True)
    row = Handling.objects.locked(Handling.objects.only("pk").get(queue=queue.name, about=about).pk)
    for person_id in sorted(person_ids):  # an erasure either sees this note or comes first and prevents it
        try:
            Person.objects.locked_active(person_id)
        except NotFound:
            raise NothingToHandle from None
    return row


def _active_person_ids(queue: Queue, about: UUID) -> set[UUID]:
    """The people the item is about, without those whose account is closed: their items are still handled."""
    rows = queue.model._default_manager.filter(pk=about)
    person_ids = (
        {key for keys in rows.values_list(*queue.person_lookups) for key in keys if key}
        if queue.person_lookups
        else set()
    )
    left = Q(user__isnull=False, user__is_active=False)
    return set(Person.objects.filter(pk__in=person_ids).exclude(left).values_list("pk", flat=True))


def _set_assignee(row: Handling, to: User | None, act: str, text: str, *, by: Actor, at: datetime) -> Handling:
    if to is not None and not User.objects.locked(to.pk).is_active:
        raise CannotHandleQueue
    row.user = to
    return _save_with_note(row, act, text, by=by, at=at)


def _save_with_note(row: Handling, act: str, text: str, *, by: Actor, at: datetime) -> Handling:
    text = text.strip()
    if len(text) > NOTE_MAX or "\x00" in text:
        raise Invalid
    row.changed_at = at
    row.save()
    HandlingNote.objects.create(
        handling=row,
        act=act,
        user=row.user,
        due_at=row.due_at if act == _Act.DUE else None,
        text=text,
        by=str(by),
        at=at,
        recorded_at=_ClockTimestamp(),
    )
    return row
