"""What SQL makes is what the services make, column by column."""

import json
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import connection

from accounts.models import Person
from billing.models import Instrument
from bnpl.invariants import find_violations
from kernel.models import LIVE
from merchants import services as merchants
from merchants.models import Service
from orders import services as orders
from orders.models import Order
from tests.conftest import NOON
from tests.simulation import generator
from tests.simulation import template_rows as patterns
from tests.simulation.generator import AgreementCopy, PersonCopy, make_agreements, make_people
from tests.simulation.order_copies import OrderCopy, completion_of, make_orders, order_request_of
from tests.simulation.row_copies import Role, copy_key
from tests.simulation.template_rows import BY, TemplateRows, create_person, create_template_rows, id_number_of, phone_of

pytestmark = pytest.mark.django_db
GOING = OrderCopy(1, 1, 1, NOON)
OWED = OrderCopy(
    2, 1, 1, NOON, used_minor=9900, open_before=1, total_minor=1234, completed_at=NOON, due_at=NOON + timedelta(days=3)
)
#: Every table in which a life leaves rows, and how to find them by their person or what they are about.
TABLES = {
    "accounts_user": "id = ANY(%s)",
    "accounts_person": "id = ANY(%s)",
    "accounts_accountevent": "person_id = ANY(%s)",
    "credit_profile": "person_id = ANY(%s)",
    "billing_instrument": "person_id = ANY(%s)",
    "credit_agreement": "id = ANY(%s)",
    "credit_agreementevent": "subject_id = ANY(%s)",
    "credit_decision": "person_id = ANY(%s)",
    "orders_order": "person_id = ANY(%s)",
    "orders_orderevent": "subject_id = ANY(%s)",
    "orders_obligation": "person_id = ANY(%s)",
    "orders_obligationevent": "subject_id = ANY(%s)",
    "merchants_event": "subject_id = ANY(%s)",
    "ledger_posting": "order_id = ANY(%s)",
}
#: Different for every row by their nature; what is sealed, found or hashed by them is tried out below instead.
SEALED = {"phone_sealed", "phone_index", "name_sealed", "id_number_sealed", "id_number_index"}
UNLIKE = {"recorded_at", "password", "asked_hash", *SEALED}
EVERY_TABLE = """
SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = 'public' AND c.relkind = 'r'
"""


def service_of(**terms: Any) -> Service:
    _, live = merchants.join_merchant("来电充电宝", by=BY, at=NOON)
    standard = {"name": "充电宝", "mode": "dynamic", "ceiling_minor": 9900}
    return merchants.offer_service(live.id, standard | terms, by=BY, at=NOON)


def generated(**terms: Any) -> TemplateRows:
    """Citizen 1, who opened the service, ordered twice, and used one of them."""
    person, _ = create_person(90, "Asia/Shanghai", at=NOON)
    pattern = create_template_rows(service_of(**terms), person, 90, at=NOON)
    make_people(person, [PersonCopy(1, "Asia/Shanghai", NOON)])
    make_agreements(pattern, [AgreementCopy(1, 1, NOON)])
    make_orders(pattern, [GOING, OWED])
    return pattern


def served(pattern: TemplateRows) -> Person:
    """The same life, by the services; whoever had the same numbers gives them up for it."""
    person, _ = create_person(2, "Asia/Shanghai", at=NOON)
    agreement = patterns.credit.request_agreement(
        pattern.service.merchant_id, pattern.service.id, "u-1", by=BY, at=NOON
    )
    signed = patterns.credit.sign_agreement(agreement.id, person.id, by=BY, at=NOON).agreement
    wishes = [patterns.replace(order_request_of(pattern, use), agreement_id=signed.id) for use in (GOING, OWED)]
    patterns.open_order(pattern.service, patterns.replace(wishes[0], out_order_no="T00000001"), at=NOON)
    order = patterns.open_order(pattern.service, patterns.replace(wishes[1], out_order_no="T00000002"), at=NOON)
    orders.complete_order(order.id, completion_of(OWED), by=BY, at=NOON)
    return person


def life_of(person: Person) -> dict[str, list[dict[str, Any]]]:
    """All that was written of a person, with each key replaced by the name of what it stands for."""
    names = {person.id: "person", person.user_id: "user"}
    names |= {row.id: f"agreement {row.version}" for row in person.agreements.all()}
    for row in Order.objects.filter(person=person):
        names[row.id] = f"order {row.state}"
        names |= {debt.id: "obligation" for debt in row.obligations.all()}
    names |= {row.id: f"decision of {row.out_order_no[1:]}" for row in person.decisions.all()}
    known = [key for key in names if key is not None]
    with connection.cursor() as cursor:
        return {table: _rows(cursor, table, found_by, known, names) for table, found_by in TABLES.items()}


def _rows(
    cursor: Any, table: str, found_by: str, known: list[UUID], names: dict[UUID | None, str]
) -> list[dict[str, Any]]:
    cursor.execute(f"SELECT row_to_json(t)::text FROM {table} t WHERE {found_by}", [known])  # noqa: S608
    found = []
    for (text,) in cursor.fetchall():
        for name, word in names.items():
            text = text.replace(str(name), word).replace(name.hex if name else "-", word)  # noqa: PLW2901
        row = {column: value for column, value in json.loads(text).items() if column not in UNLIKE}
        if isinstance(row.get("id"), str) and len(row["id"]) == len(str(UUID(int=0))):
            row["id"] = "its own"
        found.append(row)
    return sorted(found, key=lambda row: json.dumps(row, sort_keys=True))


def alike(text: str) -> str:
    """The numbers in which the two lives differ."""
    return text.replace("T0000000", "S0000000").replace("c2-1", "c1-1")


def different(theirs: list[dict[str, Any]], ours: list[dict[str, Any]]) -> list[tuple[str, Any, Any]]:
    """The columns in which two lists of rows differ."""
    pairs = zip(theirs, ours, strict=True)
    return [(name, a[name], b.get(name)) for a, b in pairs for name in a if a[name] != b.get(name)]


@pytest.mark.parametrize("terms", [{}, {"funding": "advance", "fee_bps": 100}, {"late_fee_daily_bps": 5}], ids=str)
def test_a_generated_life_is_what_the_services_make_of_it(terms: dict[str, Any]) -> None:
    pattern = generated(**terms)
    made, true = Person.objects.get(pk=copy_key(Role.PERSON, 1)), served(pattern)
    theirs, ours = life_of(true), life_of(made)
    for table in TABLES:
        assert theirs[table], table
        assert different(json.loads(alike(json.dumps(theirs[table]))), ours[table]) == [], table
    assert list(find_violations()) == []


def test_no_other_table_knows_of_a_life() -> None:
    pattern = generated()
    with connection.cursor() as cursor:
        cursor.execute(EVERY_TABLE)
        others = [name for (name,) in cursor.fetchall() if name not in TABLES]
        counts = {name: _count(cursor, name) for name in others}
        served(pattern)
        assert {name: _count(cursor, name) for name in others} == counts


def test_what_is_sealed_opens_and_is_found() -> None:
    generated()
    person = Person.objects.select_related("user").get(pk=copy_key(Role.PERSON, 1))
    assert person.user is not None
    assert (person.user.reveal_phone(), person.reveal_id_number()) == (phone_of(1), id_number_of(1))
    assert (person.reveal_name(), person.user.phone_index is not None) == (patterns.NAME, True)
    assert type(person.user).objects.find_by_phone(phone_of(1)) == person.user
    assert Instrument.objects.get(person=person).token == patterns.token_of(1, 1)


def test_the_services_take_a_generated_order_for_their_own() -> None:
    pattern = generated()
    again = orders.open_order(pattern.service.merchant_id, order_request_of(pattern, OWED), by=BY, at=NOON)
    assert again.order is not None
    assert again.order.id == copy_key(Role.ORDER, OWED.number)
    assert orders.complete_order(again.order.id, completion_of(OWED), by=BY, at=NOON).state == "completed"
    going = orders.complete_order(
        copy_key(Role.ORDER, GOING.number), orders.CompletionRequest(total=500), by=BY, at=NOON
    )
    assert (going.state, going.realm_id) == ("completed", LIVE)


def test_many_are_made_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generator, "BATCH_SIZE", 100)
    pattern = generated()
    make_people(pattern.open.person, [PersonCopy(n, "Europe/London", NOON) for n in range(1000, 1250)])
    make_agreements(pattern, [AgreementCopy(n, n, NOON) for n in range(1000, 1250)])
    make_orders(pattern, [OrderCopy(n, n, n, NOON) for n in range(1000, 1250)])
    assert Order.objects.filter(state="open", person__zone="Europe/London").count() == 250
    assert list(find_violations()) == []


def _count(cursor: Any, table: str) -> int:
    cursor.execute(f"SELECT count(*) FROM {table}")  # noqa: S608
    return int(cursor.fetchone()[0])
