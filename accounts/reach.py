"""How a person is reached: what also comes by text and mail, when they rest, where they read mail. And what was done
to their account is told to them, by every way there is.
"""

from collections.abc import Callable, Collection
from datetime import datetime
from uuid import UUID

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction
from django.utils.module_loading import import_string

from accounts import inbox, refusals, rules, wording
from accounts.models import AccountEvent, Delivery, Person
from accounts.wording import Value
from kernel.actor import Actor
from kernel.refusal import FieldError, Invalid

MAIL_LENGTH_MAX = 254
_SMS, _MAIL = Delivery.Channel.SMS, Delivery.Channel.MAIL
#: Everything that may be done without: a text of a sign-in is never sent, its code was one.
OPTIONAL = frozenset(
    f"{stage}:{channel}"
    for stage in wording.OPTIONAL
    for channel in (_SMS, _MAIL)
    if (stage, channel) != ("signed_in", _SMS)
)

#: What was done to what guards an account.
DONE = {
    "app_added": wording.Phrase({"zh-hans": "已添加验证器", "en": "an authenticator app was added"}),
    "app_removed": wording.Phrase({"zh-hans": "已移除验证器", "en": "the authenticator app was removed"}),
    "passkey_added": wording.Phrase({"zh-hans": "已添加通行密钥", "en": "a passkey was added"}),
    "passkey_removed": wording.Phrase({"zh-hans": "已移除通行密钥", "en": "a passkey was removed"}),
    "codes_renewed": wording.Phrase({"zh-hans": "已更换恢复码", "en": "the recovery codes were renewed"}),
    "all_removed": wording.Phrase(
        {"zh-hans": "客服已关闭两步验证", "en": "our staff turned off two-step verification"}
    ),
    "password_changed": wording.Phrase({"zh-hans": "密码已修改", "en": "the password was changed"}),
}


@transaction.atomic
def choose_notices(
    person_id: UUID, silenced: Collection[str], hours: tuple[int, int], *, by: Actor, at: datetime
) -> Person:
    """The person says what they do without outside the inbox, and when they rest. The same again changes nothing.

    Raises:
        NotFound: there is no such person.
        Invalid: what the rules demand cannot be silenced, nor can the night be made shorter.
    """
    (wake, rest), unknown = hours, sorted(set(silenced) - OPTIONAL)
    errors = [FieldError("/silenced", f"{name} is always sent") for name in unknown]
    if not wording.WAKE_HOUR <= wake <= wording.WAKE_HOUR_MAX:
        errors.append(FieldError("/wake", f"{wording.WAKE_HOUR} to {wording.WAKE_HOUR_MAX}"))
    if not wording.REST_HOUR_MIN <= rest <= wording.REST_HOUR:
        errors.append(FieldError("/rest", f"{wording.REST_HOUR_MIN} to {wording.REST_HOUR}"))
    if errors:
        raise Invalid(errors=errors)
    person, chosen = Person.objects.locked(person_id), sorted(silenced)
    if (person.silenced, person.hours) != (chosen, hours):
        person.silenced, person.wake_hour, person.rest_hour = chosen, wake, rest
        person.save(update_fields=["silenced", "wake_hour", "rest_hour"])
        _write(person, "notices_chosen", by=by, at=at, silenced=chosen, hours=[wake, rest])
    return person


@transaction.atomic
def take_mail(person_id: UUID, address: str, *, by: Actor, at: datetime) -> Person:
    """The code sent to this address came back: the person reads there, too, what they are told.

    Raises:
        NotFound: there is no such person, or they have left.
        InvalidMail: it is not an address.
    """
    clear = clean_mail(address)
    person = Person.objects.staying(person_id)
    if person.reveal_mail() != clear:
        person.take_mail(clear)
        person.save(update_fields=["mail_sealed"])
        masked = rules.masked_mail(clear)
        what = wording.Phrase({"zh-hans": f"已改为 {masked}", "en": f"changed to {masked}"})
        tell(person, "mail_changed", what, by=by, at=at)
    return person


@transaction.atomic
def forget_mail(person_id: UUID, *, by: Actor, at: datetime) -> Person:
    """Nothing is mailed to the person any more. Where there is no address this changes nothing."""
    person = Person.objects.locked(person_id)
    if person.mail_sealed is not None:
        person.take_mail("")
        person.save(update_fields=["mail_sealed"])
        tell(person, "mail_changed", wording.Phrase({"zh-hans": "已移除", "en": "it was removed"}), by=by, at=at)
    return person


def clean_mail(address: str) -> str:
    """The address as it is kept.

    Raises:
        InvalidMail: no mail can reach it.
    """
    clear = address.strip()
    try:
        validate_email(clear)
    except ValidationError:
        raise refusals.InvalidMail(errors=[FieldError("/address", refusals.InvalidMail.title)]) from None
    if len(clear) > MAIL_LENGTH_MAX or not clear.isascii():
        raise refusals.InvalidMail(errors=[FieldError("/address", refusals.InvalidMail.title)])
    return clear


def tell(person: Person, stage: str, what: Value, *, by: Actor, at: datetime, **data: object) -> None:
    """Something was done to the person's account: it stands in its history, and they are told at once."""
    event = _write(person, stage, by=by, at=at, **data)
    moment = person.realm.now(at)
    item = inbox.Item(
        person_id=person.id,
        stage=stage,
        about=event.id,
        due_at=moment,
        values={"what": what, "when": moment, "link": f"{settings.BASE_URL}/settings/"},
    )
    inbox.write_notices([item], realm_id=person.realm_id, at=moment)


def tell_staff(event: AccountEvent) -> None:
    """Something was done to the account of somebody who is no person: how they are told is named by STAFF_TOLD."""
    write: Callable[[AccountEvent], None] = import_string(settings.STAFF_TOLD)
    write(event)


def done_in(event: AccountEvent, language: str) -> str:
    """What was done to the account, in this language."""
    return DONE[event.data.get("done", event.kind)].words[language]


def _write(person: Person, kind: str, *, by: Actor, at: datetime, **data: object) -> AccountEvent:
    return AccountEvent.objects.create(user_id=person.user_id, person=person, kind=kind, by=str(by), at=at, data=data)
