"""Creating users and people, verifying identities, changing language and password. Each records an account event."""

from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from uuid import UUID
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.contrib.auth.models import Group
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from accounts import account_notices, phones, refusals, rules
from accounts.constraint_errors import refuse_on_conflict
from accounts.emails import normalize_email
from accounts.models import DEFAULT_ZONE, REF_LENGTH_MAX, AccountEvent, Person, User
from accounts.models.notices import LANGUAGES
from kernel import ids
from kernel.actor import Actor
from kernel.labels import ROLE, register_codes
from kernel.models import LIVE
from kernel.refusal import FieldError, Invalid, Unavailable

ROLES = ("viewer", "support", "collections", "risk", "finance", "supervisor", "auditor")
register_codes(ROLES, ROLE)
NAME_LENGTH_MAX = 50
LANGUAGE_CODES = tuple(code for code, _name in LANGUAGES)
#: Random numbers collide now and then, but not this many times in a row.
DRAW_ATTEMPTS_MAX = 20


@transaction.atomic
def sign_up(phone: str, *, language: str = LANGUAGE_CODES[0], by: Actor, at: datetime) -> User:
    """Create a user for a phone number whose code was not verified yet: see `confirm_phone`.

    `language` is the language of their texts and notices.

    Raises:
        InvalidPhone: it cannot receive text messages.
        PhoneTaken: it has an account already.
    """
    user = _new_user(phones.normalize_phone(phone), language=language, at=at)
    _record_event("signed_up", user=user, by=by, at=at)
    return user


@transaction.atomic
def confirm_phone(user_id: UUID, phone: str, *, by: Actor, at: datetime) -> User:
    """Mark the phone as verified, after its code was entered; new users become people of the live realm.

    Raises:
        PhoneNotOwned: the user's number has changed meanwhile, or their account is closed.
    """
    user = User.objects.locked(user_id)
    if not user.is_active or user.reveal_phone() != phones.normalize_phone(phone):
        raise refusals.PhoneNotOwned
    if user.phone_verified_at is None:
        user.phone_verified_at = at
        user.save(update_fields=["phone_verified_at"])
        _record_event("phone_confirmed", user=user, by=by, at=at)
    if not user.is_staff and not Person.objects.filter(user=user).exists():
        _new_person(ids.uuid7(), user, realm_id=LIVE, ref=None, zone=DEFAULT_ZONE, by=by, at=at)
    return user


@transaction.atomic
def register_person(
    phone: str, *, realm_id: int, ref: str | None = None, zone: str = DEFAULT_ZONE, by: Actor, at: datetime
) -> Person:
    """Create a person who signs in by a code sent to this phone. Without a `ref` their id is their reference.

    Raises:
        InvalidPhone, InvalidZone, Invalid: a value is invalid.
        PhoneTaken, RefTaken: phone or reference belong to another person.
    """
    return _register(ids.uuid7(), phone, realm_id=realm_id, ref=ref, zone=zone, by=by, at=at)


@transaction.atomic
def verify_identity(person_id: UUID, name: str, id_number: str, *, by: Actor, at: datetime) -> Person:
    """Record the verified identity of a person: name and ID number, of an adult in their time zone.

    Raises:
        NotFound: there is no such person, or their account is closed.
        AlreadyVerified: the identity was verified before.
        InvalidName, InvalidIdNumber, UnderAge: a value is not permitted.
        IdNumberTaken: the number belongs to another person of the realm.
    """
    person = Person.objects.locked_active(person_id)
    if person.verified_at is not None:
        raise refusals.AlreadyVerified
    number = rules.parse_id_number(id_number)
    today = at.astimezone(ZoneInfo(person.zone)).date()
    if number is None or number.born_on > today:
        raise refusals.InvalidIdNumber
    if rules.age_on(number.born_on, today) < rules.AGE_MIN:
        raise refusals.UnderAge
    person.set_identity(_validate_name(name), number.text)
    person.verified_at = at
    with refuse_on_conflict({"an_id_number_belongs_to_one_person_of_its_realm": refusals.IdNumberTaken}):
        person.save(update_fields=["name_sealed", "id_number_sealed", "id_number_index", "verified_at"])
    _record_event("identity_verified", person=person, by=by, at=at)
    return person


@transaction.atomic
def choose_language(user_id: UUID, language: str, *, by: Actor, at: datetime) -> None:
    """Set the language of pages and notices for a user. No effect if it is unchanged.

    Raises:
        NotFound: there is no such user.
        Invalid: the language is not supported.
    """
    if language not in LANGUAGE_CODES:
        raise Invalid(
            errors=[FieldError("/language", format_lazy(_("one of {choices}"), choices=", ".join(LANGUAGE_CODES)))]
        )
    user = User.objects.locked(user_id)
    if user.language != language:
        user.language = language
        user.save(update_fields=["language"])
        _record_event("language_chosen", user=user, by=by, at=at, language=language)


@transaction.atomic
def create_sandbox_person(name: str, *, realm_id: int, by: Actor, at: datetime) -> Person:
    """Create a verified fictional adult in a sandbox, with a phone and an ID number that do not exist.

    Raises:
        SandboxOnly: the realm is live.
        InvalidName: the name is not valid.
    """
    if realm_id == LIVE:
        raise refusals.SandboxOnly
    person_id = ids.uuid7()
    for draw in range(DRAW_ATTEMPTS_MAX):
        phone = rules.fictional_phone(person_id.bytes, draw)
        number = rules.fictional_id_number(person_id.bytes, draw)
        with suppress(refusals.PhoneTaken, refusals.IdNumberTaken), transaction.atomic():
            _register(person_id, phone, realm_id=realm_id, ref=None, zone=DEFAULT_ZONE, by=by, at=at)
            return verify_identity(person_id, name, number, by=by, at=at)
    raise Unavailable


@transaction.atomic
def create_staff(
    username: str, password: str | None, *, roles: Sequence[str], note: str = "", by: Actor, at: datetime
) -> User:
    """Create a colleague with these roles for the operations console; without a password they choose one later.

    Raises:
        UnknownRole, WeakPassword, UsernameTaken: a value is not permitted.
    """
    groups = list(Group.objects.filter(name__in=set(roles) & set(ROLES)))
    if unknown := set(roles) - {group.name for group in groups}:
        raise refusals.UnknownRole(", ".join(sorted(unknown)))
    user = User(username=User.normalize_username(username), is_staff=True, joined_at=at)
    user.set_unusable_password() if password is None else validate_and_set_password(user, password)
    with refuse_on_conflict({"a_username_belongs_to_one_user": refusals.UsernameTaken}):
        user.save(force_insert=True)
    user.groups.set(groups)
    _record_event("staff_created", user=user, by=by, at=at, roles=sorted(roles), note=note)
    return user


@transaction.atomic
def create_merchant_user(email: str, password: str, *, by: Actor, at: datetime) -> User:
    """Create a user for a merchant's staff: signs in by email and password, and is neither a person nor a colleague.

    Raises:
        InvalidEmail, WeakPassword, UsernameTaken: a value is not permitted.
    """
    address = normalize_email(email)
    user = User(username=address, email=address, joined_at=at)
    validate_and_set_password(user, password)
    with refuse_on_conflict({"a_username_belongs_to_one_user": refusals.UsernameTaken}):
        user.save(force_insert=True)
    _record_event("signed_up_by_mail", user=user, by=by, at=at)
    return user


@transaction.atomic
def change_password(user_id: UUID, password: str, *, by: Actor, at: datetime) -> User:
    """Change the password of a user, and notify them.

    Raises:
        WeakPassword, LongPassword: the password is not permitted.
    """
    user = User.objects.locked(user_id)
    validate_and_set_password(user, password)
    user.save(update_fields=["password"])
    account_notices.notify_staff(_record_event("password_changed", user=user, by=by, at=at))
    return user


def validate_and_set_password(user: User, password: str) -> None:
    """Check a password and set it on the user, without saving.

    Raises:
        WeakPassword, LongPassword: the password is not permitted.
    """
    if len(password) > rules.PASSWORD_LENGTH_MAX:  # first, as validating long input is slow
        raise refusals.LongPassword(errors=[FieldError("/password", refusals.LongPassword.title)])
    try:
        validate_password(password, user)
    except ValidationError as weak:
        raise refusals.WeakPassword(errors=[FieldError("/password", text) for text in weak.messages]) from None
    user.set_password(password)


def _register(
    person_id: UUID, phone: str, *, realm_id: int, ref: str | None, zone: str, by: Actor, at: datetime
) -> Person:
    number = phones.normalize_phone(phone)
    user = User.objects.find_by_phone(number)
    if user is None:
        user = _new_user(number, language=LANGUAGE_CODES[0], at=at)
    elif phones.owns_phone(User.objects.locked(user.id)):
        raise refusals.PhoneTaken
    return _new_person(person_id, user, realm_id=realm_id, ref=ref, zone=zone, by=by, at=at)


def _new_user(number: str, *, language: str, at: datetime) -> User:
    user = User(joined_at=at, language=language)
    user.set_unusable_password()
    user.set_phone(number)
    with refuse_on_conflict({"a_phone_belongs_to_one_user": refusals.PhoneTaken}):
        user.save(force_insert=True)
    return user


def _new_person(
    person_id: UUID, user: User, *, realm_id: int, ref: str | None, zone: str, by: Actor, at: datetime
) -> Person:
    name = ids.public(Person.prefix, person_id) if ref is None else ref
    if not 0 < len(name) <= REF_LENGTH_MAX or not name.isprintable():
        raise Invalid(
            errors=[FieldError("/ref", format_lazy(_("1 to {most} printable characters"), most=REF_LENGTH_MAX))]
        )
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise refusals.InvalidZone from None
    person = Person(id=person_id, realm_id=realm_id, user=user, ref=name, zone=zone, created_at=at)
    with refuse_on_conflict({"a_ref_names_one_person_of_its_realm": refusals.RefTaken}):
        person.save(force_insert=True)
    _record_event("registered", user=user, person=person, by=by, at=at)
    return person


def _validate_name(text: str) -> str:
    name = text.strip()
    if not 0 < len(name) <= NAME_LENGTH_MAX or not name.isprintable():
        raise refusals.InvalidName
    return name


def _record_event(
    kind: str, *, user: User | None = None, person: Person | None = None, by: Actor, at: datetime, **data: object
) -> AccountEvent:
    return AccountEvent.objects.create(user=user, person=person, kind=kind, by=str(by), at=at, data=data)
