"""Generates any number of people and agreements in seconds. Orders are generated in `order_copies`.

The services create template rows, and SQL copies them. `test_generator` compares every column of a generated person
with one that the services created.
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
from tests.simulation.row_copies import CopyBatch, Role, RowCopy, copy_key, copy_key_hex_sql, copy_key_sql
from tests.simulation.template_rows import NAME, TemplateRows, id_number_of, phone_of

#: Copies per statement.
BATCH_SIZE = 2000
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class PersonCopy:
    """A person to generate: registered, verified, with a profile and a bank account since `at`."""

    number: int
    zone: str
    at: datetime


@dataclass(frozen=True, slots=True)
class AgreementCopy:
    """An agreement of a person with the template's service."""

    number: int
    citizen: int
    at: datetime


def make_people(person: Person, people: Sequence[PersonCopy]) -> None:
    """People such as `pattern.citizen_of` made this one."""
    user, instrument = person.user, Instrument.objects.get(person=person)
    registered, verified = AccountEvent.objects.filter(person=person).order_by("id")
    known = {"user_id": copy_key_sql(Role.USER), "person_id": copy_key_sql(Role.PERSON), "at": "n.at"}
    made = {"person_id": copy_key_sql(Role.PERSON), "created_at": "n.at"}
    identity = {
        "id": copy_key_sql(Role.PERSON),
        "user_id": copy_key_sql(Role.USER),
        "ref": f"'per_' || {copy_key_hex_sql(Role.PERSON)}",
        "verified_at": "n.at",
        "created_at": "n.at",
        **_own("zone", "name_sealed", "id_number_sealed", "id_number_index"),
    }
    empty = {"held_minor": "0", "outstanding_minor": "0", "open_orders": "0"}
    assert user is not None
    for copies in batches(people):
        _person_batch(copies).insert(
            RowCopy(user, {"id": copy_key_sql(Role.USER), "joined_at": "n.at", **_own("phone_sealed", "phone_index")}),
            RowCopy(person, identity),
            RowCopy(registered, known | {"id": copy_key_sql(Role.PERSON_EVENTS)}),
            RowCopy(verified, known | {"id": copy_key_sql(Role.PERSON_EVENTS + 1), "user_id": "NULL::uuid"}),
            RowCopy(Profile.objects.get(pk=person.pk), made | empty),
            RowCopy(instrument, made | {"id": copy_key_sql(Role.INSTRUMENT), "token": "'c' || n.number || '-1'"}),
        )


def make_agreements(template: TemplateRows, agreements: Sequence[AgreementCopy]) -> None:
    """Generate agreements like the template's, requested and signed at the same moment."""
    asked, signed = template.signed.history.order_by("seq")
    decision = template.signed.decisions.get(occasion=Decision.Occasion.OPENING)
    told = Event.objects.get(subject_id=template.signed.id)
    mine = {"subject_id": copy_key_sql(Role.AGREEMENT), "at": "n.at"}
    ref = "'u-' || n.citizen"
    born = {"id": copy_key_sql(Role.AGREEMENT), "person_ref": ref, "created_at": "n.at"}
    signer = {"person_id": copy_key_sql(Role.PERSON, "n.citizen")}
    named = merged_data_sql(id=f"'agr_' || {copy_key_hex_sql(Role.AGREEMENT)}", person_ref=ref)
    assessed = {"id": copy_key_sql(Role.AGREEMENT_DECISION), "agreement_id": copy_key_sql(Role.AGREEMENT), "at": "n.at"}
    for copies in batches(agreements):
        batch = CopyBatch(columns_of(copies, _PACT), _PACT)
        batch.insert(
            RowCopy(template.requested, born),
            RowCopy(asked, mine | {"id": copy_key_sql(Role.AGREEMENT_EVENTS)}),
            RowCopy(decision, assessed | signer),
            RowCopy(
                signed,
                mine
                | {"id": copy_key_sql(Role.AGREEMENT_EVENTS + 1), "data": decision_data_sql(Role.AGREEMENT_DECISION)},
            ),
            RowCopy(told, mine | {"id": copy_key_sql(Role.NEWS), "data": named}),
        )
        active = {**signer, "activated_at": "n.at", "live_orders": "0"}
        batch.update(RowCopy(template.signed, active), copy_key_sql(Role.AGREEMENT), kept=born)


def merged_data_sql(**values: str) -> str:
    """SQL for the template's JSON data with other values."""
    pairs = ", ".join(f"'{name}', {value}" for name, value in values.items())
    return f"old.data || jsonb_build_object({pairs})"


def decision_data_sql(role: Role) -> str:
    """SQL for the data of a history event that names its decision."""
    return merged_data_sql(decision=f"{copy_key_sql(role)}::text")


def columns_of(copies: Sequence[Any], types: dict[str, str]) -> dict[str, list[Any]]:
    """The values of each attribute, by attribute name."""
    return {name: [getattr(one, name) for one in copies] for name in types}


def batches(batch: Sequence[_T]) -> Iterator[list[_T]]:
    """Split into lists of `BATCH_SIZE`."""
    rest = iter(batch)
    while copies := list(islice(rest, BATCH_SIZE)):
        yield copies


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


def _person_batch(copies: Sequence[PersonCopy]) -> CopyBatch:
    """The batch with encrypted columns, which SQL cannot write: each ciphertext is bound to its row."""
    rows = []
    for one in copies:
        user, person = copy_key(Role.USER, one.number), copy_key(Role.PERSON, one.number)
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
                encryption.blind_index(id_number, purpose="accounts.person.id_number"),
            )
        )
    return CopyBatch(dict(zip(_PERSON, map(list, zip(*rows, strict=True)), strict=True)), _PERSON)


def _own(*columns: str) -> dict[str, str]:
    return {column: f"n.{column}" for column in columns}
