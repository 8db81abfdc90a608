"""Whose a phone number is, and how it becomes another's. Typed, it is nobody's yet: its code must come back."""

from datetime import datetime
from uuid import UUID

from django.db import transaction

from accounts import reach, refusals, rules
from accounts.clashes import told_apart
from accounts.models import AccountEvent, Person, User
from accounts.wording import Phrase
from kernel.actor import Actor


def e164(phone: str) -> str:
    """The number as it is kept.

    Raises:
        InvalidPhone: no text message can reach it.
    """
    number = rules.phone_in_e164(phone)
    if number is None:
        raise refusals.InvalidPhone
    return number


def is_taken(number: str) -> bool:
    """Whether somebody signs in by this E.164 number."""
    user = User.objects.with_phone(number)
    return user is not None and is_theirs(user)


def is_theirs(user: User) -> bool:
    """Whether their number is: a sign-up that never confirmed its code must not keep it from whom it belongs to."""
    return user.phone_verified_at is not None or Person.objects.filter(user=user).exists()


@transaction.atomic
def change_phone(user_id: UUID, phone: str, *, by: Actor, at: datetime) -> User:
    """The code sent to another phone came back: from now on that one signs in, and the one before it does not.

    Raises:
        InvalidPhone: no text message can reach it.
        PhoneTaken: it belongs to somebody.
    """
    user, number = User.objects.locked(user_id), e164(phone)
    if user.reveal_phone() == number:
        return user
    _free(number, by=by, at=at)
    user.take_phone(number)
    user.phone_verified_at = at
    with told_apart({"a_phone_belongs_to_one_user": refusals.PhoneTaken}):
        user.save(update_fields=["phone_sealed", "phone_index", "phone_verified_at"])
    masked = rules.masked_phone(number)
    what = Phrase({"zh-hans": f"已改为 {masked}", "en": f"changed to {masked}"})
    person = Person.objects.select_related("realm", "user").get(user=user)
    reach.tell(person, "phone_changed", what, by=by, at=at)
    return user


def _free(number: str, *, by: Actor, at: datetime) -> None:
    """A sign-up that only typed this number ends: whoever reads what arrives there has it.

    Raises:
        PhoneTaken: it belongs to somebody.
    """
    found = User.objects.with_phone(number)
    if found is None:
        return
    user = User.objects.locked(found.pk)
    if is_theirs(user):
        raise refusals.PhoneTaken
    if user.reveal_phone() == number:
        user.phone_sealed = user.phone_index = None
        user.is_active = False
        user.save(update_fields=["phone_sealed", "phone_index", "is_active"])
        AccountEvent.objects.create(user=user, kind="sign_up_ended", by=str(by), at=at)
