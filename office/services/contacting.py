"""A colleague has asked a person for what is overdue: kept, if it was allowed."""

from dataclasses import replace
from datetime import date, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db import transaction
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from accounts import contacts
from accounts.contacts import Made
from accounts.models import Contact, Person
from kernel.actor import Actor
from kernel.refusal import FieldError, Invalid, NotFound
from office.queries import worklist
from office.refusals import MayNotBeAsked, NothingOverdue
from orders.models import Order

NOTE_MAX = 1000
#: A contact is noted within so long, and a promise is for a day no further ahead.
NOTED_WITHIN, PROMISED_WITHIN = timedelta(hours=1), timedelta(days=90)
HELD: dict[str, str | Promise] = {
    "stands_still": _("it is paused"),
    "under_way": _("a deduction is in progress"),
    "problem": _("a reported problem is not decided yet"),
    "hardship": _("a payment plan request is not decided yet"),
    "dispute": _("a dispute is not decided yet"),
}


@transaction.atomic
def log_contact(person_id: UUID, made: Made, *, ago: timedelta = timedelta(), by: Actor, at: datetime) -> Contact:
    """A person was asked, `ago` before this moment, for an order's debt or for all that is overdue of theirs.

    Their late orders are held meanwhile: whoever stops one's clock at the same moment comes before it or after.

    Raises:
        NotFound: there is no such person, or the order is not theirs.
        NothingOverdue: nothing of it is overdue.
        MayNotBeAsked: its clock stands still, or something about it is not decided.
        OutsideHours, AskedEnough: as contacts.keep_contact says.
        Invalid: the note is too long, the moment too far away, or the day of a promise is none.
    """
    person = Person.objects.filter(pk=person_id).first()
    if person is None:
        raise NotFound
    if len(made.note) > NOTE_MAX or not timedelta() <= ago <= NOTED_WITHIN:
        raise Invalid
    _promise(made, person, at=at)
    late = [row.order.id for row in worklist.late_orders(person_id)]
    if made.order_id is not None:
        late = _only(made.order_id, late, person_id)
    if not late:
        raise NothingOverdue
    Order.objects.lock_all(late)
    held = worklist.holds(late)
    if set(late) <= set(held):
        raise MayNotBeAsked.because([HELD[reason] for reason in dict.fromkeys(held.values())])
    return contacts.keep_contact(person_id, replace(made, note=made.note.strip()), by=by, at=at - ago)


def _only(order_id: UUID, late: list[UUID], person_id: UUID) -> list[UUID]:
    if not Order.objects.filter(pk=order_id, person_id=person_id).exists():
        raise NotFound
    return [order_id] if order_id in late else []


def _promise(made: Made, person: Person, *, at: datetime) -> None:
    """The day of a promise is one of the coming ones; without a promise there is none.

    Raises:
        Invalid: it is not so.
    """
    promised = made.outcome == Contact.Outcome.PROMISED
    today = at.astimezone(ZoneInfo(person.zone)).date()
    if promised != (made.promised_on is not None) or not _coming(made.promised_on or today, today):
        raise Invalid(
            errors=[FieldError("/promised_on", _("A date within the next 90 days, if the customer promised to pay."))]
        )


def _coming(day: date, today: date) -> bool:
    return today <= day <= today + PROMISED_WITHIN
