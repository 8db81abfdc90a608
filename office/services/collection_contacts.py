"""Records a colleague's collection contact with a person about overdue debts, if it was allowed."""

from dataclasses import replace
from datetime import date, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db import transaction
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from accounts import contacts
from accounts.contacts import NewContact
from accounts.models import Contact, Person
from kernel.actor import Actor
from kernel.refusal import FieldError, Invalid, NotFound
from office.queries import worklist
from office.refusals import ContactNotAllowed, NothingOverdue
from orders.models import Order

NOTE_MAX = 1000
#: How late a contact may be recorded, and how far ahead a promise to pay may lie.
LOG_WITHIN, PROMISE_WITHIN = timedelta(hours=1), timedelta(days=90)
HOLD_LABELS: dict[str, str | Promise] = {
    "paused": _("it is paused"),
    "in_flight": _("a deduction is in progress"),
    "problem": _("a reported problem is not decided yet"),
    "hardship": _("a payment plan request is not decided yet"),
    "dispute": _("a dispute is not decided yet"),
}


@transaction.atomic
def log_contact(
    person_id: UUID, contact: NewContact, *, ago: timedelta = timedelta(), by: Actor, at: datetime
) -> Contact:
    """Record a contact made `ago` before `at`, about one order's debt or everything overdue of the person.

    Locks the overdue orders, so that a pause at the same moment happens either before or after it.

    Raises:
        NotFound: there is no such person, or the order is not theirs.
        NothingOverdue: nothing of it is overdue.
        ContactNotAllowed: every order is paused, being deducted or disputed, or a request about it is open.
        OutsideHours, TooManyContacts: see contacts.record_contact.
        Invalid: the note is too long, the contact too long ago, or the promised day is not valid.
    """
    person = Person.objects.filter(pk=person_id).first()
    if person is None:
        raise NotFound
    if len(contact.note) > NOTE_MAX or not timedelta() <= ago <= LOG_WITHIN:
        raise Invalid
    _validate_promise(contact, person, at=at)
    order_ids = [row.order.id for row in worklist.overdue_orders(person_id)]
    if contact.order_id is not None:
        order_ids = _only_order(contact.order_id, order_ids, person_id)
    if not order_ids:
        raise NothingOverdue
    Order.objects.lock_all(order_ids)
    holds = worklist.contact_holds(order_ids)
    if set(order_ids) <= set(holds):
        raise ContactNotAllowed.with_reasons([HOLD_LABELS[reason] for reason in dict.fromkeys(holds.values())])
    return contacts.record_contact(person_id, replace(contact, note=contact.note.strip()), by=by, at=at - ago)


def _only_order(order_id: UUID, overdue: list[UUID], person_id: UUID) -> list[UUID]:
    if not Order.objects.filter(pk=order_id, person_id=person_id).exists():
        raise NotFound
    return [order_id] if order_id in overdue else []


def _validate_promise(contact: NewContact, person: Person, *, at: datetime) -> None:
    """A promise needs a day within the next `PROMISE_WITHIN`; any other outcome must have none.

    Raises:
        Invalid: the promised day is missing, out of range or not expected.
    """
    is_promise = contact.outcome == Contact.Outcome.PROMISED
    today = at.astimezone(ZoneInfo(person.zone)).date()
    if is_promise != (contact.promised_on is not None) or not _is_within_window(contact.promised_on or today, today):
        raise Invalid(
            errors=[FieldError("/promised_on", _("A date within the next 90 days, if the customer promised to pay."))]
        )


def _is_within_window(day: date, today: date) -> bool:
    return today <= day <= today + PROMISE_WITHIN
