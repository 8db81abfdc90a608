"""Somebody is forgotten: what says who they are is emptied, what says that something happened stays."""

from datetime import datetime
from uuid import UUID

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from django.db import transaction
from django.db.models import BinaryField

from accounts import sessions
from accounts.models import DEFAULT_LANGUAGE, AccountEvent, Contact, Delivery, Notice, Person, User
from kernel.actor import Actor


@transaction.atomic
def forget_person(person_id: UUID, *, by: Actor, at: datetime) -> Person:
    """Phone, name, ID number, mail and the words of what they were told are gone, and nobody signs in as them again.

    The person stays as a number that nothing leads to. Their phone is free for whoever has it next.

    Raises:
        NotFound: there is no such person.
    """
    person = Person.objects.locked(person_id)
    _empty(person)
    person.verified_at, person.ref = None, person.public_id
    person.save()
    Notice.objects.filter(person=person).exclude(subject="", body="").update(subject="", body="")
    Contact.objects.filter(person=person).exclude(note="").update(note="")
    waiting = Delivery.objects.filter(person=person, state=Delivery.State.QUEUED)
    waiting.update(state=Delivery.State.SKIPPED, reason="left", next_at=None)
    if person.user_id:
        _close(User.objects.locked(person.user_id))
    AccountEvent.objects.create(user_id=person.user_id, person=person, kind="erased", by=str(by), at=at)
    return person


def _close(user: User) -> None:
    """Nothing signs in by it any more, and whoever is signed in is signed out."""
    _empty(user)
    user.phone_verified_at = user.username = user.last_login = None
    user.email, user.language, user.is_active = "", DEFAULT_LANGUAGE, False
    user.set_unusable_password()
    user.save()
    sessions.end_all(user)
    for rows in (Authenticator.objects.filter(user=user), EmailAddress.objects.filter(user=user)):
        rows.delete()


def _empty(row: Person | User) -> None:
    """Whatever is sealed in it, and whatever it could be found by."""
    for field in row._meta.concrete_fields:
        if isinstance(field, BinaryField):
            setattr(row, field.attname, None)
