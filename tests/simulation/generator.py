"""A crowd of any size, in seconds: people, and the services they opened. What they ordered stands in `uses`.

The services make the pattern, SQL makes the others after it. `test_generator` holds every column of a generated life to
one that the services made.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any, TypeVar

from accounts.models import AccountEvent, Person, phone_index
from billing.models import Instrument
from credit.models import Decision, Profile
from kernel import encryption
from merchants.models import Event
from tests.simulation.copying import Copy, Role, Wanted, hex_of, key, key_of
from tests.simulation.pattern import NAME, Pattern, id_number_of, phone_of

#: So many copies a statement.
AT_ONCE = 2000
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Citizen:
    """Somebody to be made: registered, verified, with a profile and a bank account since `at`."""

    number: int
    zone: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Pact:
    """A citizen opens the pattern's service."""

    number: int
    citizen: int
    at: datetime


def make_people(person: Person, citizens: Sequence[Citizen]) -> None:
    """People such as `pattern.citizen_of` made this one."""
    user, instrument = person.user, Instrument.objects.get(person=person)
    registered, verified = AccountEvent.objects.filter(person=person).order_by("id")
    known = {"user_id": key_of(Role.USER), "person_id": key_of(Role.PERSON), "at": "n.at"}
    made = {"person_id": key_of(Role.PERSON), "created_at": "n.at"}
    identity = {
        "id": key_of(Role.PERSON),
        "user_id": key_of(Role.USER),
        "ref": f"'per_' || {hex_of(Role.PERSON)}",
        "verified_at": "n.at",
        "created_at": "n.at",
        **_own("zone", "name_sealed", "id_number_sealed", "id_number_index"),
    }
    empty = {"held_minor": "0", "outstanding_minor": "0", "open_orders": "0"}
    assert user is not None
    for some in chunks(citizens):
        _people(some).insert(
            Copy(user, {"id": key_of(Role.USER), "joined_at": "n.at", **_own("phone_sealed", "phone_index")}),
            Copy(person, identity),
            Copy(registered, known | {"id": key_of(Role.PERSON_EVENTS)}),
            Copy(verified, known | {"id": key_of(Role.PERSON_EVENTS + 1), "user_id": "NULL::uuid"}),
            Copy(Profile.objects.get(pk=person.pk), made | empty),
            Copy(instrument, made | {"id": key_of(Role.INSTRUMENT), "token": "'c' || n.number || '-1'"}),
        )


def make_pacts(pattern: Pattern, pacts: Sequence[Pact]) -> None:
    """Agreements such as the pattern's, asked for and signed in one moment."""
    asked, signed = pattern.signed.history.order_by("seq")
    decision = pattern.signed.decisions.get(occasion=Decision.Occasion.OPENING)
    told = Event.objects.get(subject_id=pattern.signed.id)
    mine = {"subject_id": key_of(Role.AGREEMENT), "at": "n.at"}
    ref = "'u-' || n.citizen"
    born = {"id": key_of(Role.AGREEMENT), "person_ref": ref, "created_at": "n.at"}
    signer = {"person_id": key_of(Role.PERSON, "n.citizen")}
    named = merged(id=f"'agr_' || {hex_of(Role.AGREEMENT)}", person_ref=ref)
    assessed = {"id": key_of(Role.AGREEMENT_DECISION), "agreement_id": key_of(Role.AGREEMENT), "at": "n.at"}
    for some in chunks(pacts):
        wanted = Wanted(columns_of(some, _PACT), _PACT)
        wanted.insert(
            Copy(pattern.asked, born),
            Copy(asked, mine | {"id": key_of(Role.AGREEMENT_EVENTS)}),
            Copy(decision, assessed | signer),
            Copy(signed, mine | {"id": key_of(Role.AGREEMENT_EVENTS + 1), "data": decided(Role.AGREEMENT_DECISION)}),
            Copy(told, mine | {"id": key_of(Role.NEWS), "data": named}),
        )
        active = {**signer, "activated_at": "n.at", "live_orders": "0"}
        wanted.move(Copy(pattern.signed, active), key_of(Role.AGREEMENT), kept=born)


def merged(**values: str) -> str:
    """The pattern's data with other values, in SQL."""
    pairs = ", ".join(f"'{name}', {value}" for name, value in values.items())
    return f"old.data || jsonb_build_object({pairs})"


def decided(role: Role) -> str:
    """What a line of history says of the decision behind it, in SQL."""
    return merged(decision=f"{key_of(role)}::text")


def columns_of(some: Sequence[Any], types: dict[str, str]) -> dict[str, list[Any]]:
    """What stands in each attribute of these."""
    return {name: [getattr(one, name) for one in some] for name in types}


def chunks(wanted: Sequence[_T]) -> Iterator[list[_T]]:
    """As many at once as one statement makes."""
    rest = iter(wanted)
    while some := list(islice(rest, AT_ONCE)):
        yield some


_PACT = {"number": "bigint", "citizen": "bigint", "at": "timestamptz"}
_PERSON = {
    "number": "bigint",
    "zone": "text",
    "at": "timestamptz",
    "phone_sealed": "bytea",
    "phone_index": "bytea",
    "name_sealed": "bytea",
    "id_number_sealed": "bytea",
    "id_number_index": "bytea",
}


def _people(some: Sequence[Citizen]) -> Wanted:
    """What SQL cannot write is sealed here: each seal is bound to its row."""
    rows = []
    for one in some:
        user, person = key(Role.USER, one.number), key(Role.PERSON, one.number)
        phone, id_number = phone_of(one.number), id_number_of(one.number)
        rows.append(
            (
                one.number,
                one.zone,
                one.at,
                encryption.seal(phone, place=f"accounts.user.phone:{user}"),
                phone_index(phone),
                encryption.seal(NAME, place=f"accounts.person.name:{person}"),
                encryption.seal(id_number, place=f"accounts.person.id_number:{person}"),
                encryption.blind(id_number, purpose="accounts.person.id_number"),
            )
        )
    return Wanted(dict(zip(_PERSON, map(list, zip(*rows, strict=True)), strict=True)), _PERSON)


def _own(*columns: str) -> dict[str, str]:
    return {column: f"n.{column}" for column in columns}
