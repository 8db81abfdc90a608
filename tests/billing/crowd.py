"""Thousands of people within seconds: copies of one debt, each of another person. They have no ledger postings."""

from django.db import connection

from accounts.models import Person, User
from kernel.ids import uuid7
from orders.models import Obligation
from tests.conftest import NOON

#: Copies a row with changed values, once for each number; the insert triggers run.
COPY = """
INSERT INTO {table} SELECT (jsonb_populate_record(old, jsonb_build_object({changes}))).*
FROM {table} old, unnest(%s::uuid[], %s::uuid[], %s::uuid[]) WITH ORDINALITY n (id, person, event, number)
WHERE old.id = %s
"""
BATCH_SIZE = 1000
#: Creating them, and checking every foreign key at the end of the test, is not what is measured.
LONG_TIMEOUT = "SET LOCAL statement_timeout = '120s'"


def create_crowd(like: Obligation, size: int) -> None:
    """Create other people with phone numbers who owe the same."""
    with connection.cursor() as cursor:
        cursor.execute(LONG_TIMEOUT)
    users = [User(joined_at=NOON, password="!") for _ in range(size)]
    for n, user in enumerate(users):
        user.set_phone(f"+86154{n:08}")
    User.objects.bulk_create(users)
    realm = like.realm_id
    people = [Person(realm_id=realm, user=user, ref=user.public_id, created_at=NOON) for user in users]
    Person.objects.bulk_create(people)
    for first in range(0, size, BATCH_SIZE):
        copy_debt(like, people[first : first + BATCH_SIZE], first)
    with connection.cursor() as cursor:  # plans for the few rows that were there; else the next ANALYZE drops them
        cursor.execute("DISCARD PLANS")


def copy_debt(like: Obligation, people: list[Person], first: int) -> None:
    keys = [[uuid7() for _ in people], [person.id for person in people], [uuid7() for _ in people]]
    debt = f"'id', n.id, 'person_id', n.person, 'sequence', n.number + 1 + {first}"
    line = "'id', n.event, 'subject_id', n.id"
    with connection.cursor() as cursor:
        cursor.execute(COPY.format(table="orders_obligation", changes=debt), [*keys, like.id])
        cursor.execute(COPY.format(table="orders_obligationevent", changes=line), [*keys, like.history.get().id])
