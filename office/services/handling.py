"""Who sees to what waits in a queue: taken, handed on, put back, noted. It says nothing about whether it waits."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import DateTimeField, Func, Q, QuerySet
from django.utils.translation import gettext_lazy as _

from accounts.models import Person, User
from kernel.actor import Actor
from kernel.admin_site import belongs
from kernel.refusal import FieldError, Invalid, NotFound
from office.models import Handling, HandlingNote
from office.queries import queues
from office.queues import QUEUES, Queue
from office.refusals import HandledBy, NothingWaits, UnfitColleague

NOTE_MAX, AT_ONCE_MAX = 1000, 100
#: Nothing is put off for longer.
DUE_WITHIN = timedelta(days=90)
_Act = HandlingNote.Act


class _Written(Func):
    """The moment itself: what was noted of somebody who had left was noted after that, however long it was waited."""

    function = "clock_timestamp"
    output_field = DateTimeField()


@transaction.atomic
def take(queue: Queue, about: UUID, user: User, *, at: datetime) -> Handling:
    """A colleague sees to it from now on. Taken again by the same it is theirs still, and nothing is noted.

    Raises:
        NothingWaits: it is done, or was never there.
        HandledBy: another colleague has it.
        UnfitColleague: they have left.
    """
    row = _locked(queue, about, at=at)
    if row.user_id == user.pk:
        return row
    if row.user is not None:
        raise HandledBy.by(row.user)
    return _given(row, user, _Act.TAKEN, "", by=Actor.staff(user.pk), at=at)


@transaction.atomic
def hand(queue: Queue, about: UUID, to: User, text: str, *, seen: UUID | None, by: Actor, at: datetime) -> Handling:
    """It is another colleague's from now on: given to them while nobody had it, or handed over by whoever sees it.

    `seen` is who had it when that was decided: whoever was quicker is not overruled unknowingly.

    Raises:
        NothingWaits: it is done, or was never there.
        HandledBy: somebody else has it by now.
        UnfitColleague: they may not decide it.
        Invalid: the note is too long.
    """
    if not fits(queue, to):
        raise UnfitColleague
    row = _locked(queue, about, at=at)
    if row.user_id == to.pk:
        return row
    if row.user_id != seen:
        raise HandledBy.by(row.user)
    return _given(row, to, _Act.HANDED, text, by=by, at=at)


def hand_all(
    queue: Queue, seen: Iterable[tuple[UUID, UUID | None]], to: User, text: str, *, by: Actor, at: datetime
) -> tuple[int, list[tuple[UUID, HandledBy]]]:
    """Many at once, each by itself: how many are theirs now, and who was quicker at which. What is done is passed over.

    Raises:
        UnfitColleague: they may not decide such things.
        Invalid: the note is too long, or they are too many.
    """
    wanted = list(dict(seen).items())
    if len(wanted) > AT_ONCE_MAX:
        raise Invalid
    if not fits(queue, to):
        raise UnfitColleague
    given, lost = 0, list[tuple[UUID, HandledBy]]()
    for about, holder in wanted:
        try:
            hand(queue, about, to, text, seen=holder, by=by, at=at)
        except HandledBy as quicker:
            lost.append((about, quicker))
        except NothingWaits:
            continue
        else:
            given += 1
    return given, lost


@transaction.atomic
def put_back(queue: Queue, about: UUID, text: str, *, by: Actor, at: datetime) -> Handling:
    """Whoever has it does not see to it any more: it is nobody's.

    Raises:
        NothingWaits: it is done, or was never there.
        HandledBy: it is somebody else's, or nobody's.
        Invalid: the note is too long.
    """
    row = _locked(queue, about, at=at)
    if row.user is None or str(Actor.staff(row.user.pk)) != str(by):
        raise HandledBy.by(row.user)
    return _given(row, None, _Act.PUT_BACK, text, by=by, at=at)


@transaction.atomic
def set_due(queue: Queue, about: UUID, due_at: datetime, text: str, *, by: Actor, at: datetime) -> Handling:
    """It is to be done by then; until another time is set, whoever has it.

    Raises:
        NothingWaits: it is done, or was never there.
        Invalid: the time has passed or is too far away, or the note is too long.
    """
    if not at < due_at <= at + DUE_WITHIN:
        raise Invalid(errors=[FieldError("/due_at", _("Enter a time within the next 90 days."))])
    row = _locked(queue, about, at=at)
    row.due_at = due_at
    return _noted(row, _Act.DUE, text, by=by, at=at)


@transaction.atomic
def note(queue: Queue, about: UUID, text: str, *, by: Actor, at: datetime) -> Handling:
    """Something to know for whoever comes next; also of what is done already.

    Raises:
        NotFound: there is no such thing.
        Invalid: it says nothing, or too much.
    """
    if not text.strip():
        raise Invalid
    if queues.one(queue, about, at) is None:
        raise NotFound
    return _noted(_row(queue, about, at=at), _Act.NOTE, text, by=by, at=at)


@transaction.atomic
def free_all(user_id: UUID, *, by: Actor, at: datetime) -> int:
    """Whatever still waits, and this colleague sees to, is nobody's. How much that was."""
    rows = list(in_hand(user_id).order_by("pk").select_for_update(no_key=True))
    for row in rows:
        _given(row, None, _Act.PUT_BACK, "", by=by, at=at)
    return len(rows)


def in_hand(user_id: UUID) -> QuerySet[Handling]:
    """What still waits, and this colleague sees to."""
    waiting: list[Any] = [
        Q(queue=queue.name, about__in=queue.model._default_manager.filter(queue.waits).values("pk"))
        for queue in QUEUES.values()
    ]
    return Handling.objects.filter(Q.create(waiting, connector=Q.OR), user_id=user_id)


def fits(queue: Queue, user: User) -> bool:
    """Whether they may decide what waits there."""
    return belongs(user, queue.groups)


def _locked(queue: Queue, about: UUID, *, at: datetime) -> Handling:
    """Its row, held: made by whoever is first."""
    if not queues.waits(queue, about):
        raise NothingWaits
    return _row(queue, about, at=at)


def _row(queue: Queue, about: UUID, *, at: datetime) -> Handling:
    here = _here(queue, about)
    Handling.objects.bulk_create([Handling(queue=queue.name, about=about, changed_at=at)], ignore_conflicts=True)
    row = Handling.objects.locked(Handling.objects.only("pk").get(queue=queue.name, about=about).pk)
    for person_id in sorted(here):  # whoever erases them sees what is noted here, or it is not noted
        try:
            Person.objects.staying(person_id)
        except NotFound:
            raise NothingWaits from None
    return row


def _here(queue: Queue, about: UUID) -> set[UUID]:
    """Whom it is about, if they have not left: what waits of those who have is seen to as ever."""
    rows = queue.model._default_manager.filter(pk=about)
    named = {key for keys in rows.values_list(*queue.people) for key in keys if key} if queue.people else set()
    left = Q(user__isnull=False, user__is_active=False)
    return set(Person.objects.filter(pk__in=named).exclude(left).values_list("pk", flat=True))


def _given(row: Handling, to: User | None, act: str, text: str, *, by: Actor, at: datetime) -> Handling:
    if to is not None and not User.objects.locked(to.pk).is_active:
        raise UnfitColleague
    row.user = to
    return _noted(row, act, text, by=by, at=at)


def _noted(row: Handling, act: str, text: str, *, by: Actor, at: datetime) -> Handling:
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
        recorded_at=_Written(),
    )
    return row
