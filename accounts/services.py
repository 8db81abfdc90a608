"""People and colleagues come in; an identity is proved. One transaction each, one line of events each."""

from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from uuid import UUID
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.contrib.auth.models import Group
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import transaction

from accounts import phones, reach, refusals, rules
from accounts.addresses import address_of
from accounts.clashes import told_apart
from accounts.models import DEFAULT_ZONE, REF_LENGTH_MAX, AccountEvent, Person, User
from accounts.models.notices import LANGUAGES
from kernel import ids
from kernel.actor import Actor
from kernel.models import LIVE
from kernel.naming import ROLE, name_codes
from kernel.refusal import FieldError, Invalid, Unavailable

ROLES = ("viewer", "support", "collections", "risk", "finance", "supervisor", "auditor")
name_codes(ROLES, ROLE)
NAME_LENGTH_MAX = 50
LANGUAGES_SPOKEN = tuple(code for code, _name in LANGUAGES)
#: Made-up numbers collide now and then; that many draws in a row do not.
DRAWS_MAX = 20


@transaction.atomic
def sign_up(phone: str, *, by: Actor, at: datetime) -> User:
    """Somebody typed a phone number. Who they are is open until the code comes back: see `confirm_phone`.

    Raises:
        InvalidPhone: no text message can reach it.
        PhoneTaken: it has an account already.
    """
    user = _new_user(phones.e164(phone), at=at)
    _tell("signed_up", user=user, by=by, at=at)
    return user


@transaction.atomic
def confirm_phone(user_id: UUID, phone: str, *, by: Actor, at: datetime) -> User:
    """The code sent to this phone came back: it is theirs, and somebody new becomes a person of the live realm.

    Raises:
        NotTheirPhone: meanwhile they have another, or none, or their account is closed.
    """
    user = User.objects.locked(user_id)
    if not user.is_active or user.reveal_phone() != phones.e164(phone):
        raise refusals.NotTheirPhone
    if user.phone_verified_at is None:
        user.phone_verified_at = at
        user.save(update_fields=["phone_verified_at"])
        _tell("phone_confirmed", user=user, by=by, at=at)
    if not user.is_staff and not Person.objects.filter(user=user).exists():
        _new_person(ids.uuid7(), user, realm_id=LIVE, ref=None, zone=DEFAULT_ZONE, by=by, at=at)
    return user


@transaction.atomic
def register_person(
    phone: str, *, realm_id: int, ref: str | None = None, zone: str = DEFAULT_ZONE, by: Actor, at: datetime
) -> Person:
    """A person is known by phone, and signs in by a code sent to it. Without a `ref` their id is their reference.

    Raises:
        InvalidPhone, InvalidZone, Invalid: a value is not what it should be.
        PhoneTaken, RefTaken: it belongs to somebody already.
    """
    return _register(ids.uuid7(), phone, realm_id=realm_id, ref=ref, zone=zone, by=by, at=at)


@transaction.atomic
def verify_identity(person_id: UUID, name: str, id_number: str, *, by: Actor, at: datetime) -> Person:
    """The real-name record is made: this person is who this ID number names, and an adult where they live.

    Raises:
        NotFound: there is no such person, or they have left.
        AlreadyVerified: a record stands already.
        InvalidName, InvalidIdNumber, UnderAge: it cannot be made.
        IdNumberTaken: the number is another person's of this realm.
    """
    person = Person.objects.staying(person_id)
    if person.verified_at is not None:
        raise refusals.AlreadyVerified
    number = rules.id_number(id_number)
    today = at.astimezone(ZoneInfo(person.zone)).date()
    if number is None or number.born_on > today:
        raise refusals.InvalidIdNumber
    if rules.age_on(number.born_on, today) < rules.AGE_MIN:
        raise refusals.UnderAge
    person.take_identity(_name(name), number.text)
    person.verified_at = at
    with told_apart({"an_id_number_belongs_to_one_person_of_its_realm": refusals.IdNumberTaken}):
        person.save(update_fields=["name_sealed", "id_number_sealed", "id_number_index", "verified_at"])
    _tell("identity_verified", person=person, by=by, at=at)
    return person


@transaction.atomic
def choose_language(user_id: UUID, language: str, *, by: Actor, at: datetime) -> None:
    """Whoever reads our pages in this language is told things in it from now on. The same again changes nothing.

    Raises:
        NotFound: there is no such user.
        Invalid: we do not speak it.
    """
    if language not in LANGUAGES_SPOKEN:
        raise Invalid(errors=[FieldError("/language", f"one of {', '.join(LANGUAGES_SPOKEN)}")])
    user = User.objects.locked(user_id)
    if user.language != language:
        user.language = language
        user.save(update_fields=["language"])
        _tell("language_chosen", user=user, by=by, at=at, language=language)


@transaction.atomic
def make_sandbox_person(name: str, *, realm_id: int, by: Actor, at: datetime) -> Person:
    """A made-up adult of a sandbox: a phone that rings nowhere, an ID number that stands on no card, verified.

    Raises:
        SandboxOnly: the live realm has real people.
        InvalidName: it is not a name.
    """
    if realm_id == LIVE:
        raise refusals.SandboxOnly
    person_id = ids.uuid7()
    for draw in range(DRAWS_MAX):
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
    """A colleague may sign in to the operations console with these roles; without a password once one was chosen.

    Raises:
        UnknownRole, WeakPassword, UsernameTaken: it cannot be.
    """
    groups = list(Group.objects.filter(name__in=set(roles) & set(ROLES)))
    if unknown := set(roles) - {group.name for group in groups}:
        raise refusals.UnknownRole(", ".join(sorted(unknown)))
    user = User(username=User.normalize_username(username), is_staff=True, joined_at=at)
    user.set_unusable_password() if password is None else take_password(user, password)
    with told_apart({"a_username_belongs_to_one_user": refusals.UsernameTaken}):
        user.save(force_insert=True)
    user.groups.set(groups)
    _tell("staff_created", user=user, by=by, at=at, roles=sorted(roles), note=note)
    return user


@transaction.atomic
def sign_up_by_mail(email: str, password: str, *, by: Actor, at: datetime) -> User:
    """Somebody who works for a merchant: signs in by address and password, and is neither a person nor a colleague.

    Raises:
        InvalidEmail, WeakPassword, UsernameTaken: it cannot be.
    """
    address = address_of(email)
    user = User(username=address, email=address, joined_at=at)
    take_password(user, password)
    with told_apart({"a_username_belongs_to_one_user": refusals.UsernameTaken}):
        user.save(force_insert=True)
    _tell("signed_up_by_mail", user=user, by=by, at=at)
    return user


@transaction.atomic
def change_password(user_id: UUID, password: str, *, by: Actor, at: datetime) -> User:
    """Another password counts from now on, and whoever has an address with us is told.

    Raises:
        WeakPassword, LongPassword: it is too easy to guess, or no form takes it.
    """
    user = User.objects.locked(user_id)
    take_password(user, password)
    user.save(update_fields=["password"])
    reach.tell_staff(_tell("password_changed", user=user, by=by, at=at))
    return user


def take_password(user: User, password: str) -> None:
    """It becomes theirs, not yet saved.

    Raises:
        WeakPassword, LongPassword: it is too easy to guess, or no form takes it.
    """
    if len(password) > rules.PASSWORD_LENGTH_MAX:  # before it is compared with everything they are called
        raise refusals.LongPassword(errors=[FieldError("/password", refusals.LongPassword.title)])
    try:
        validate_password(password, user)
    except ValidationError as weak:
        raise refusals.WeakPassword(errors=[FieldError("/password", text) for text in weak.messages]) from None
    user.set_password(password)


def _register(
    person_id: UUID, phone: str, *, realm_id: int, ref: str | None, zone: str, by: Actor, at: datetime
) -> Person:
    number = phones.e164(phone)
    user = User.objects.with_phone(number)
    if user is None:
        user = _new_user(number, at=at)
    elif phones.is_theirs(User.objects.locked(user.id)):
        raise refusals.PhoneTaken
    return _new_person(person_id, user, realm_id=realm_id, ref=ref, zone=zone, by=by, at=at)


def _new_user(number: str, *, at: datetime) -> User:
    user = User(joined_at=at)
    user.set_unusable_password()
    user.take_phone(number)
    with told_apart({"a_phone_belongs_to_one_user": refusals.PhoneTaken}):
        user.save(force_insert=True)
    return user


def _new_person(
    person_id: UUID, user: User, *, realm_id: int, ref: str | None, zone: str, by: Actor, at: datetime
) -> Person:
    name = ids.public(Person.prefix, person_id) if ref is None else ref
    if not 0 < len(name) <= REF_LENGTH_MAX or not name.isprintable():
        raise Invalid(errors=[FieldError("/ref", f"1 to {REF_LENGTH_MAX} printable characters")])
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise refusals.InvalidZone from None
    person = Person(id=person_id, realm_id=realm_id, user=user, ref=name, zone=zone, created_at=at)
    with told_apart({"a_ref_names_one_person_of_its_realm": refusals.RefTaken}):
        person.save(force_insert=True)
    _tell("registered", user=user, person=person, by=by, at=at)
    return person


def _name(text: str) -> str:
    name = text.strip()
    if not 0 < len(name) <= NAME_LENGTH_MAX or not name.isprintable():
        raise refusals.InvalidName
    return name


def _tell(
    kind: str, *, user: User | None = None, person: Person | None = None, by: Actor, at: datetime, **data: object
) -> AccountEvent:
    return AccountEvent.objects.create(user=user, person=person, kind=kind, by=str(by), at=at, data=data)
