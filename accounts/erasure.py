"""Erasing a person's data in accounts: identifying values are cleared, records of events stay."""

from datetime import datetime
from uuid import UUID

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from django.db import transaction
from django.db.models import BinaryField, Q

from accounts import sessions
from accounts.models import DEFAULT_LANGUAGE, AccountEvent, Contact, Delivery, Notice, Person, User
from kernel.actor import Actor
from kernel.bulk_writes import redact_json
from kernel.guards import REDACTED_TEXT


@transaction.atomic
def erase_person(person_id: UUID, *, by: Actor, at: datetime) -> Person:
    """Erase phone, name, ID number, email and the texts of notices, contacts and staff's notes, and close the account.

    The person stays as an id without identifying data. The phone number can be registered again.

    Raises:
        NotFound: there is no such person.
    """
    person = Person.objects.locked(person_id)
    _clear_sealed_fields(person)
    person.verified_at, person.ref = None, person.public_id
    person.save()
    Notice.objects.filter(person=person).exclude(subject="", body="").update(subject="", body="")
    Contact.objects.filter(person=person).exclude(note="").update(note="")
    noted = AccountEvent.objects.filter(Q(person=person) | Q(user_id=person.user_id, user__isnull=False))
    redact_json(noted.filter(data__has_key="note"), "data", {"note": REDACTED_TEXT})
    queued = Delivery.objects.filter(person=person, state=Delivery.State.QUEUED)
    queued.update(state=Delivery.State.SKIPPED, reason="left", next_at=None)
    if person.user_id:
        _close_account(User.objects.locked(person.user_id))
    AccountEvent.objects.create(user_id=person.user_id, person=person, kind="erased", by=str(by), at=at)
    return person


def _close_account(user: User) -> None:
    """Remove everything the user could sign in with, and end all sessions."""
    _clear_sealed_fields(user)
    user.phone_verified_at = user.username = user.last_login = None
    user.email, user.language, user.is_active = "", DEFAULT_LANGUAGE, False
    user.set_unusable_password()
    user.save()
    sessions.end_all_sessions(user)
    for rows in (Authenticator.objects.filter(user=user), EmailAddress.objects.filter(user=user)):
        rows.delete()


def _clear_sealed_fields(row: Person | User) -> None:
    """Clear all encrypted columns and search indexes of the row."""
    for field in row._meta.concrete_fields:
        if isinstance(field, BinaryField):
            setattr(row, field.attname, None)
