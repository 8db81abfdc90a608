"""Compares the database with the model: orders, debts, people, attempts, the bank's debits and suspense."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from uuid import UUID

from django.db import connection

from accounts.models import Delivery
from tests.machine.attempts import Attempt
from tests.machine.debt import CHINA, Debt
from tests.machine.world import World

#: Everything there is to compare, as rows of a kind, a key and texts; moments are microseconds.
ACTUAL_QUERY = """
WITH at AS (SELECT %(realm)s::bigint AS realm)
SELECT 'order', id::text, ARRAY[state, total_minor::text] FROM orders_order, at WHERE realm_id = realm
UNION ALL SELECT 'agreement', id::text, ARRAY[state, live_orders::text] FROM credit_agreement, at WHERE realm_id = realm
UNION ALL SELECT 'profile', person_id::text, ARRAY[held_minor, outstanding_minor, score]::text[]
    FROM credit_profile, at WHERE realm_id = realm
UNION ALL SELECT 'attempt', id::text, ARRAY[state, asks::text, {ask_at}]
    FROM billing_deduction, at WHERE realm_id = realm
UNION ALL SELECT 'debt', order_id || '/' || sequence, ARRAY[state, amount_minor::text, paid_minor::text,
        in_flight::text, attempts::text, {due_at}, {overdue_from}, {paused_at}, day_end_error]
        || CASE kind WHEN 'principal' THEN ARRAY[{day_end_at}, overdue_days::text, fee_units::text] ELSE '{{}}' END
    FROM orders_obligation, at WHERE realm_id = realm
UNION ALL SELECT 'waits for another time than its plan says', order_id || '/' || sequence, '{{}}'
    FROM orders_obligation, at WHERE realm_id = realm AND collect_at IS DISTINCT FROM CASE
        WHEN state IN ('pending', 'overdue') AND in_flight IS NULL AND paused_at IS NULL
        THEN (plan->0->>'at')::timestamptz END
UNION ALL SELECT 'wallet', person_id::text, ARRAY[balance_minor::text] FROM billing_wallet, at WHERE realm_id = realm
UNION ALL SELECT 'taken', token, array_agg(amount_minor::text ORDER BY amount_minor) FROM sandbox_bank.debit, at
    WHERE code = '' AND token LIKE realm || ':%%' GROUP BY 2
UNION ALL SELECT 'suspense', '', ARRAY[
        coalesce(sum(CASE credit_account WHEN 'suspense' THEN amount_minor ELSE -amount_minor END), 0)::text,
        (SELECT count(*) FROM billing_case WHERE realm_id = realm)::text]
    FROM at LEFT JOIN ledger_posting ON realm_id = realm AND 'suspense' IN (credit_account, debit_account)
    GROUP BY realm
"""
MOMENTS = ("ask_at", "due_at", "overdue_from", "paused_at", "day_end_at")
ACTUAL_QUERY = ACTUAL_QUERY.format(
    **{name: f"(extract(epoch FROM {name}) * 1000000)::bigint::text" for name in MOMENTS}
)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
DEMANDS_A_DAY, FIRST_HOUR, LAST_HOUR = 3, 8, 22
Key, Values = tuple[str, str], list[str | None]
Row = tuple[str, str, Values]


def assert_same(world: World) -> None:
    """Everything that can be compared is equal."""
    with connection.cursor() as cursor:
        cursor.execute(ACTUAL_QUERY, {"realm": world.realm_id})
        seen = {(kind, key): values for kind, key, values in cursor.fetchall()}
    expected = {(kind, key): values for kind, key, values in rows_of(world)}
    assert seen == expected, [(row, seen.get(row), expected.get(row)) for row in differing(seen, expected)]


def differing(seen: Mapping[Key, Values], expected: Mapping[Key, Values]) -> list[Key]:
    return sorted(row for row in seen.keys() | expected.keys() if seen.get(row) != expected.get(row))


def rows_of(world: World) -> Iterator[Row]:
    """What the model says, in the same shape."""
    for order in world.orders:
        yield "order", str(order.id), texts(order.state, order.total)
        yield from (debt_row(debt) for debt in order.debts)
    for key, agreement in world.agreements.items():
        yield "agreement", str(key), texts(agreement.state, agreement.live)
    for key, person in world.people.items():
        yield "profile", str(key), texts(person.held, person.outstanding, person.score)
    yield from (attempt_row(attempt) for attempt in world.collection.attempts.values())
    yield from money_rows(world)


def money_rows(world: World) -> Iterator[Row]:
    accounts = world.bank.accounts
    wallets = ((token, account) for token, account in accounts.items() if account.wallet)
    yield from (("wallet", token, texts(account.balance)) for token, account in wallets)
    taken = world.bank.debits_by_token().items()
    yield from (("taken", token, texts(*amounts)) for token, amounts in taken if not accounts[token].wallet)
    yield "suspense", "", texts(world.collection.suspense, world.collection.cases)


def debt_row(debt: Debt) -> Row:
    values = [debt.state, debt.amount, debt.paid, debt.in_flight, debt.attempts, debt.due_at, debt.overdue_from]
    more = [debt.day_end_at, debt.days, debt.units] if debt.sequence == 1 else []
    return "debt", f"{debt.order.id}/{debt.sequence}", texts(*values, debt.paused_at, "", *more)


def attempt_row(attempt: Attempt) -> Row:
    return "attempt", str(attempt.id), texts(attempt.state, attempt.asks, attempt.ask_at)


def texts(*values: object) -> list[str | None]:
    return [None if value is None else str(micros(value) if isinstance(value, datetime) else value) for value in values]


def micros(moment: datetime) -> int:
    return (moment - EPOCH) // timedelta(microseconds=1)


def assert_contact_limits(world: World) -> None:
    """What asks for an overdue debt goes out by day, and at most three times of it."""
    days: dict[tuple[UUID, object], set[UUID]] = defaultdict(set)
    asked = Delivery.objects.filter(realm_id=world.realm_id, collection=True, sent_at__isnull=False)
    for person_id, notice_id, sent_at in asked.values_list("person_id", "notice_id", "sent_at"):
        local = sent_at + CHINA
        assert FIRST_HOUR <= local.hour < LAST_HOUR
        days[person_id, local.date()].add(notice_id)
    assert all(len(notices) <= DEMANDS_A_DAY for notices in days.values())
