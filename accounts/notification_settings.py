"""A person's notification settings: silenced notices, quiet hours, and the email address."""

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction
from django.utils.functional import Promise
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from accounts import account_notices, notice_rules, refusals, rules
from accounts.models import Delivery, Person
from kernel.actor import Actor
from kernel.refusal import FieldError, Invalid

MAIL_LENGTH_MAX = 254
_SMS, _MAIL = Delivery.Channel.SMS, Delivery.Channel.MAIL
#: All copies that may be silenced, as "stage:channel". Sign-ins are never notified by text message, see `is_silenced`.
OPTIONAL_COPIES = frozenset(
    f"{stage}:{channel}"
    for stage in notice_rules.OPTIONAL_STAGES
    for channel in (_SMS, _MAIL)
    if (stage, channel) != ("signed_in", _SMS)
)


@transaction.atomic
def change_settings(
    person_id: UUID, silenced: Collection[str], hours: tuple[int, int], *, by: Actor, at: datetime
) -> Person:
    """Change which copies are silenced, and the hours for text messages. No effect if nothing changes.

    Raises:
        NotFound: there is no such person.
        Invalid: a mandatory notice is silenced, or the hours are out of range.
    """
    (wake, rest), mandatory = hours, sorted(set(silenced) - OPTIONAL_COPIES)
    errors = [FieldError("/silenced", format_lazy(_("{name} is always sent"), name=name)) for name in mandatory]
    if not notice_rules.WAKE_HOUR <= wake <= notice_rules.WAKE_HOUR_MAX:
        errors.append(FieldError("/wake", _hours(notice_rules.WAKE_HOUR, notice_rules.WAKE_HOUR_MAX)))
    if not notice_rules.REST_HOUR_MIN <= rest <= notice_rules.REST_HOUR:
        errors.append(FieldError("/rest", _hours(notice_rules.REST_HOUR_MIN, notice_rules.REST_HOUR)))
    if errors:
        raise Invalid(errors=errors)
    person, chosen = Person.objects.locked(person_id), sorted(silenced)
    if (person.silenced, person.notification_hours) != (chosen, hours):
        person.silenced, person.wake_hour, person.rest_hour = chosen, wake, rest
        person.save(update_fields=["silenced", "wake_hour", "rest_hour"])
        account_notices.record_person_event(person, "notices_chosen", by=by, at=at, silenced=chosen, hours=[wake, rest])
    return person


@transaction.atomic
def set_mail_address(person_id: UUID, address: str, *, by: Actor, at: datetime) -> Person:
    """Set the email address for notices, after the code sent to it was verified.

    Raises:
        NotFound: there is no such person, or their account is closed.
        InvalidMail: it is not an address.
    """
    cleaned = validate_mail(address)
    person = Person.objects.locked_active(person_id)
    if person.reveal_mail() != cleaned:
        person.set_mail(cleaned)
        person.save(update_fields=["mail_sealed"])
        masked = rules.mask_mail(cleaned)
        phrase = notice_rules.Phrase({"zh-hans": f"已改为 {masked}", "en": f"changed to {masked}"})
        account_notices.notify_account_change(person, "mail_changed", phrase, by=by, at=at)
    return person


@transaction.atomic
def remove_mail_address(person_id: UUID, *, by: Actor, at: datetime) -> Person:
    """Remove the email address for notices. No effect if there is none."""
    person = Person.objects.locked(person_id)
    if person.mail_sealed is not None:
        person.set_mail("")
        person.save(update_fields=["mail_sealed"])
        account_notices.notify_account_change(
            person, "mail_changed", notice_rules.Phrase({"zh-hans": "已移除", "en": "it was removed"}), by=by, at=at
        )
    return person


def validate_mail(address: str) -> str:
    """The address in the form in which it is stored.

    Raises:
        InvalidMail: it is not a valid address.
    """
    cleaned = address.strip()
    try:
        validate_email(cleaned)
    except ValidationError:
        raise refusals.InvalidMail(errors=[FieldError("/address", refusals.InvalidMail.title)]) from None
    if len(cleaned) > MAIL_LENGTH_MAX or not cleaned.isascii():
        raise refusals.InvalidMail(errors=[FieldError("/address", refusals.InvalidMail.title)])
    return cleaned


def _hours(low: int, high: int) -> Promise:
    """The hours that may be chosen."""
    return format_lazy(_("{low} to {high}"), low=low, high=high)
