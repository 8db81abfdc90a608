"""Limits for contacting people about overdue debts: notices and contacts by colleagues are counted together."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db import transaction

from accounts import notice_rules
from accounts.models import Contact, Delivery, Person
from accounts.refusals import OutsideHours, TooManyContacts
from kernel.actor import Actor

#: Longer than any local day, so that nothing that happened today is missed.
_LOOKBACK = timedelta(hours=26)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewContact:
    """A contact to record."""

    way: str
    outcome: str
    order_id: UUID | None = None
    promised_on: date | None = None
    note: str = ""


@transaction.atomic
def record_contact(person_id: UUID, contact: NewContact, *, by: Actor, at: datetime) -> Contact:
    """Record that a colleague contacted a person about overdue debts. The person is locked while contacts are counted.

    Raises:
        NotFound: there is no such person.
        OutsideHours: it was outside the permitted hours.
        TooManyContacts: the daily limit was reached already.
    """
    person = Person.objects.locked(person_id)
    check_contact_allowed(person, contacts_today({person.id: person.zone}, at=at)[person.id], at=at)
    return Contact.objects.create(
        realm_id=person.realm_id,
        person=person,
        order_id=contact.order_id,
        way=contact.way,
        outcome=contact.outcome,
        promised_on=contact.promised_on,
        note=contact.note,
        by=str(by),
        at=at,
    )


def check_contact_allowed(person: Person, contacts: set[UUID], *, at: datetime) -> None:
    """Check that the person may be contacted now, after these contacts today.

    Raises:
        OutsideHours, TooManyContacts: see record_contact.
    """
    if notice_rules.next_allowed_time(at, person.zone, person.notification_hours) != at:
        raise OutsideHours
    if len(contacts) >= notice_rules.DEMANDS_PER_DAY:
        raise TooManyContacts


def next_contact_at(person: Person, contacts: set[UUID], *, at: datetime) -> datetime:
    """When the person may be contacted next."""
    first = at if len(contacts) < notice_rules.DEMANDS_PER_DAY else notice_rules.next_morning(at, person.zone)
    return notice_rules.next_allowed_time(first, person.zone, person.notification_hours)


def contacts_today(zones: Mapping[UUID, str], *, at: datetime) -> dict[UUID, set[UUID]]:
    """The contacts of each person about overdue debts on their local day: ids of notices with an attempted copy, and of
    colleagues' contacts.
    """
    contacts_by_person: dict[UUID, set[UUID]] = {key: set() for key in zones}
    since = at - _LOOKBACK
    deliveries = Delivery.objects.filter(person_id__in=zones, collection=True, tried_at__gt=since)
    recorded = Contact.objects.filter(person_id__in=zones, at__gt=since)
    for rows in (
        deliveries.values_list("person_id", "notice_id", "tried_at"),
        recorded.values_list("person_id", "id", "at"),
    ):
        _add_same_day(contacts_by_person, rows, zones, at)
    return contacts_by_person


def _add_same_day(
    contacts_by_person: dict[UUID, set[UUID]],
    rows: Iterable[tuple[UUID, UUID, datetime | None]],
    zones: Mapping[UUID, str],
    at: datetime,
) -> None:
    for person_id, key, moment in rows:
        zone = ZoneInfo(zones[person_id])
        if moment and moment.astimezone(zone).date() == at.astimezone(zone).date():
            contacts_by_person[person_id].add(key)
