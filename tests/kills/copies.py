"""Copies of people with debts: all their rows under new keys. Creating thousands by the services would take minutes.

The rows are inserted without triggers, so tests check the invariants first.
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

#: The tables with a person's rows, and the condition that selects them.
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
#: What is unique beside the keys: the blind indexes, and the merchant's order number.
INDEX = re.compile(r'(_index": "\\\\x)([0-9a-f]{64})')
NUMBER = re.compile(r'("out_order_no": "T[0-9]+)')


def rows_of(person: Person) -> dict[str, str]:
    """All rows of a person by table, as JSON."""
    with connection.cursor() as cursor:
        life = {}
        for table, whose in TABLES.items():
            cursor.execute(READ.format(table=table, whose=whose), {"person": person.id})
            life[table] = cursor.fetchone()[0]
    return life


def create_copies(people: Sequence[Person], times: int, *, shared: Sequence[UUID]) -> None:
    """Insert `times` copies of each person. The `shared` keys, of the merchant and its service, stay the same."""
    kept = {key.hex for key in shared}
    lives = [rows_of(person) for person in people]
    with services.superuser() as superuser, superuser.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        for table in TABLES:
            rows: list[Any] = []
            for life in lives:
                for number in range(times):
                    rows += json.loads(rekey(life[table], number, kept))
            cursor.execute(WRITE.format(table=table), [json.dumps(rows)])


def rekey(text: str, number: int, kept: set[str]) -> str:
    """The same rows with every key replaced by this copy's."""

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
