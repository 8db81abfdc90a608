"""Twins of people who owe: the same life, row by row, under other names. Services would take minutes for thousands.

They are put in past the triggers, so whoever uses them looks at the invariants before anything else.
"""

import json
import re
from collections.abc import Sequence
from hashlib import blake2b
from typing import Any
from uuid import UUID

from django.db import connection

from accounts.models import Person
from tests.services import services

#: Where a life is written, with what says whose a row is: a person's, or something's that is the person's.
TABLES = {
    "accounts_user": "id = (SELECT user_id FROM accounts_person WHERE id = %(person)s)",
    "accounts_person": "id = %(person)s",
    "accounts_accountevent": "person_id = %(person)s",
    "credit_profile": "person_id = %(person)s",
    "credit_decision": "person_id = %(person)s",
    "credit_agreement": "person_id = %(person)s",
    "credit_agreementevent": "subject_id IN (SELECT id FROM credit_agreement WHERE person_id = %(person)s)",
    "billing_instrument": "person_id = %(person)s",
    "sandbox_bank.account": "token IN (SELECT token FROM billing_instrument WHERE person_id = %(person)s)",
    "orders_order": "person_id = %(person)s",
    "orders_orderevent": "subject_id IN (SELECT id FROM orders_order WHERE person_id = %(person)s)",
    "orders_obligation": "person_id = %(person)s",
    "orders_obligationevent": "subject_id IN (SELECT id FROM orders_obligation WHERE person_id = %(person)s)",
    "merchants_event": "subject_id IN (SELECT id FROM orders_order WHERE person_id = %(person)s UNION ALL"
    " SELECT id FROM credit_agreement WHERE person_id = %(person)s)",
    "ledger_posting": "order_id IN (SELECT id FROM orders_order WHERE person_id = %(person)s)",
}
READ = "SELECT coalesce(jsonb_agg(to_jsonb(t)), '[]')::text FROM {table} t WHERE {whose}"
WRITE = "INSERT INTO {table} SELECT * FROM jsonb_populate_recordset(NULL::{table}, %s)"
KEY = re.compile(r"[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}(?![0-9a-f])")
#: What is nobody else's beside the keys: the blind indexes, and the merchant's number of an order.
INDEX = re.compile(r'(_index": "\\\\x)([0-9a-f]{64})')
NUMBER = re.compile(r'("out_order_no": "T[0-9]+)')


def life_of(person: Person) -> dict[str, str]:
    """Every row of a person's, table by table, as JSON."""
    with connection.cursor() as cursor:
        life = {}
        for table, whose in TABLES.items():
            cursor.execute(READ.format(table=table, whose=whose), {"person": person.id})
            life[table] = cursor.fetchone()[0]
    return life


def twins(people: Sequence[Person], times: int, *, shared: Sequence[UUID]) -> None:
    """So many twins of each. The `shared` keys, the merchant's and its service's, stay as they are."""
    kept = {key.hex for key in shared}
    lives = [life_of(person) for person in people]
    with services.superuser() as superuser, superuser.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        for table in TABLES:
            rows: list[Any] = []
            for life in lives:
                for number in range(times):
                    rows += json.loads(renamed(life[table], number, kept))
            cursor.execute(WRITE.format(table=table), [json.dumps(rows)])


def renamed(text: str, number: int, kept: set[str]) -> str:
    """The same rows under this twin's keys, wherever in them a key stands."""

    def twin(found: re.Match[str]) -> str:
        key = found[0].replace("-", "")
        if key in kept:
            return found[0]
        other = UUID(hex=digest(key, number, 16))
        return str(other) if "-" in found[0] else other.hex

    text = INDEX.sub(lambda found: found[1] + digest(found[2], number, 32), KEY.sub(twin, text))
    return NUMBER.sub(rf"\1x{number}", text)


def digest(text: str, number: int, size: int) -> str:
    return blake2b(f"{text} {number}".encode(), digest_size=size).hexdigest()
