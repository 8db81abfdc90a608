"""How often and when a person may be asked for what is overdue: by our notices and by colleagues, counted together."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db import transaction

from accounts import wording
from accounts.models import Contact, Delivery, Person
from accounts.refusals import AskedEnough, OutsideHours
from kernel.actor import Actor

#: What may have happened on anybody's day.
_A_DAY = timedelta(hours=26)


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A contact as it was made."""

    way: str
    outcome: str
    order_id: UUID | None = None
    promised_on: date | None = None
    note: str = ""


@transaction.atomic
def keep_contact(person_id: UUID, made: Made, *, by: Actor, at: datetime) -> Contact:
    """A colleague has asked a person for what is overdue, at that moment. The person is held while it is counted.

    Raises:
        NotFound: there is no such person.
        OutsideHours: it was at an hour at which they are left in peace.
        AskedEnough: they were asked as often on that day as anybody may be.
    """
    person = Person.objects.locked(person_id)
    may_be_asked(person, asked_today({person.id: person.zone}, at=at)[person.id], at=at)
    return Contact.objects.create(
        realm_id=person.realm_id,
        person=person,
        order_id=made.order_id,
        way=made.way,
        outcome=made.outcome,
        promised_on=made.promised_on,
        note=made.note,
        by=str(by),
        at=at,
    )


def may_be_asked(person: Person, asked: set[UUID], *, at: datetime) -> None:
    """Go no further unless they may be asked at this moment, having been asked so often on their day.

    Raises:
        OutsideHours, AskedEnough: as keep_contact says.
    """
    if wording.awake(at, person.zone, person.hours) != at:
        raise OutsideHours
    if len(asked) >= wording.COLLECTIONS_A_DAY:
        raise AskedEnough


def next_allowed(person: Person, asked: set[UUID], *, at: datetime) -> datetime:
    """From when on they may be asked."""
    first = at if len(asked) < wording.COLLECTIONS_A_DAY else wording.next_morning(at, person.zone)
    return wording.awake(first, person.zone, person.hours)


def asked_today(zones: Mapping[UUID, str], *, at: datetime) -> dict[UUID, set[UUID]]:
    """What asked each person for an overdue debt on their own day: notices that went out, or were handed to a sender,
    and what colleagues did.
    """
    found: dict[UUID, set[UUID]] = {key: set() for key in zones}
    since = at - _A_DAY
    sent = Delivery.objects.filter(person_id__in=zones, collection=True, tried_at__gt=since)
    made = Contact.objects.filter(person_id__in=zones, at__gt=since)
    for rows in (sent.values_list("person_id", "notice_id", "tried_at"), made.values_list("person_id", "id", "at")):
        _on_this_day(found, rows, zones, at)
    return found


def _on_this_day(
    found: dict[UUID, set[UUID]],
    rows: Iterable[tuple[UUID, UUID, datetime | None]],
    zones: Mapping[UUID, str],
    at: datetime,
) -> None:
    for person_id, key, moment in rows:
        zone = ZoneInfo(zones[person_id])
        if moment and moment.astimezone(zone).date() == at.astimezone(zone).date():
            found[person_id].add(key)
