"""Phone numbers of accounts: normalizing, ownership and change. A user owns a number once its code was verified."""

from datetime import datetime
from uuid import UUID

from django.db import transaction

from accounts import account_notices, refusals, rules
from accounts.constraint_errors import refuse_on_conflict
from accounts.models import AccountEvent, Person, User
from accounts.notice_rules import Phrase
from kernel.actor import Actor


def normalize_phone(phone: str) -> str:
    """The number in E.164, as it is stored.

    Raises:
        InvalidPhone: it cannot receive text messages.
    """
    number = rules.parse_phone(phone)
    if number is None:
        raise refusals.InvalidPhone
    return number


def is_taken(number: str) -> bool:
    """Whether this E.164 number belongs to a user."""
    user = User.objects.find_by_phone(number)
    return user is not None and owns_phone(user)


def owns_phone(user: User) -> bool:
    """Whether the number belongs to the user: an unconfirmed sign-up must not block the number's real owner."""
    return user.phone_verified_at is not None or Person.objects.filter(user=user).exists()


@transaction.atomic
def change_phone(user_id: UUID, phone: str, *, by: Actor, at: datetime) -> User:
    """Change the phone number to sign in with, after the code sent to the new one was verified.

    Raises:
        InvalidPhone: it cannot receive text messages.
        PhoneTaken: it belongs to another user.
    """
    user, number = User.objects.locked(user_id), normalize_phone(phone)
    if user.reveal_phone() == number:
        return user
    _release_unconfirmed(number, by=by, at=at)
    user.set_phone(number)
    user.phone_verified_at = at
    with refuse_on_conflict({"a_phone_belongs_to_one_user": refusals.PhoneTaken}):
        user.save(update_fields=["phone_sealed", "phone_index", "phone_verified_at"])
    masked = rules.mask_phone(number)
    phrase = Phrase({"zh-hans": f"已改为 {masked}", "en": f"changed to {masked}"})
    person = Person.objects.select_related("realm", "user").get(user=user)
    account_notices.notify_account_change(person, "phone_changed", phrase, by=by, at=at)
    return user


def _release_unconfirmed(number: str, *, by: Actor, at: datetime) -> None:
    """Release the number from an unconfirmed sign-up, which is closed.

    Raises:
        PhoneTaken: it belongs to another user.
    """
    owner = User.objects.find_by_phone(number)
    if owner is None:
        return
    user = User.objects.locked(owner.pk)
    if owns_phone(user):
        raise refusals.PhoneTaken
    if user.reveal_phone() == number:
        user.phone_sealed = user.phone_index = None
        user.is_active = False
        user.save(update_fields=["phone_sealed", "phone_index", "is_active"])
        AccountEvent.objects.create(user=user, kind="sign_up_ended", by=str(by), at=at)
