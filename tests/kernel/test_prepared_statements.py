"""Prepared queries return the same rows as their queryset."""

import contextlib
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from django.db import NotSupportedError, connection, transaction
from django.test.utils import CaptureQueriesContext
from psycopg2 import extensions

from kernel import prepared_statements
from kernel.prepared_statements import PreparedQuery, PreparedStatement
from kernel.write_batching import batch_writes
from orders.models import Obligation, Order
from tests.conftest import NOON, Shop, make_agreement, make_due_order, make_order, make_person, yuan

pytestmark = pytest.mark.django_db

DUE = PreparedQuery(
    lambda realm, at: (
        Obligation.objects.filter(realm_id=realm, collect_at__lte=at, state__in=["pending", "100%"])
        .select_related("order__service", "person")
        .select_for_update(of=("self",), no_key=True)
        .order_by("collect_at", "id")[:10]
    ),
    ["bigint", "timestamptz"],
)
OF_KEYS = PreparedQuery(lambda keys: Order.objects.filter(pk__any=keys).order_by("pk"), ["uuid[]"])


def test_a_prepared_query_returns_the_querysets_rows_and_relations(power_bank: Shop) -> None:
    orders = [make_due_order(power_bank, make_person(power_bank), yuan("12.34")) for _ in range(3)]
    with transaction.atomic():
        found = DUE.rows(power_bank.realm_id, NOON)
        again = list(Obligation.objects.filter(realm_id=power_bank.realm_id).order_by("collect_at", "id"))
    assert found == again
    for row, same in zip(found, again, strict=True):
        assert {f.attname: getattr(row, f.attname) for f in row._meta.concrete_fields} == same.db_values | {
            "id": same.id
        }
        assert row.db_values == same.db_values
        assert row.changed_columns == set()
    with CaptureQueriesContext(connection) as asked:
        assert [row.order.service.name for row in found] == ["来电充电宝"] * 3
        assert {row.person.zone for row in found} == {"Asia/Shanghai"}
    assert len(asked) == 0
    assert DUE.rows(power_bank.realm_id, NOON - timedelta(seconds=1)) == []
    assert OF_KEYS.rows([order.id for order in orders]) == sorted(orders, key=lambda order: order.id)
    assert OF_KEYS.rows([]) == []


def test_json_is_read_as_django_reads_it(power_bank: Shop) -> None:
    told: list[Any] = [
        {"地点": "虹桥 ½ 😀", "deep": [{"a": [None, True, -1, 2.5]}], "": 10**30},
        [{"name": "雨伞 \\u0000", "amount": 2**53 + 1}],
    ]
    order = make_order(power_bank, make_agreement(power_bank, make_person(power_bank)))
    Order.objects.filter(pk=order.id).update(metadata=told[0], items=told[1])
    [found], same = OF_KEYS.rows([order.id]), Order.objects.get(pk=order.id)
    assert [found.metadata, found.items, found.discounts] == [same.metadata, same.items, same.discounts] == [*told, []]


@pytest.mark.django_db(transaction=True)
def test_outside_a_transaction_it_is_one_statement_without_locks(power_bank: Shop) -> None:
    order = make_due_order(power_bank, make_person(power_bank), yuan("12.34"))
    OF_KEYS.rows([])  # from now on this connection knows the question
    with CaptureQueriesContext(connection) as asked:
        assert OF_KEYS.rows([order.id]) == [order]
    assert len(asked) == 1
    with connection.cursor() as cursor:
        cursor.execute("SHOW plan_cache_mode")
        assert cursor.fetchone() == ("auto",)
    with pytest.raises(transaction.TransactionManagementError):
        DUE.rows(power_bank.realm_id, NOON)


@pytest.mark.django_db(transaction=True)
def test_it_is_prepared_once_per_connection_even_after_a_rollback(power_bank: Shop) -> None:
    with contextlib.suppress(ZeroDivisionError), transaction.atomic():
        OF_KEYS.rows([])
        raise ZeroDivisionError
    with CaptureQueriesContext(connection) as asked, transaction.atomic():
        OF_KEYS.rows([])
    assert not any("PREPARE" in query["sql"] for query in asked)
    connection.close()
    with CaptureQueriesContext(connection) as asked, transaction.atomic():
        OF_KEYS.rows([])
        OF_KEYS.rows([])
    assert sum("PREPARE" in query["sql"] for query in asked) == 1


@pytest.mark.django_db(transaction=True)
def test_a_connection_lost_between_two_requests_is_replaced_before_it_is_asked_what_is_prepared(
    power_bank: Shop, owner_connection: extensions.connection
) -> None:
    """A first query outside a transaction is the one that notices: it was sent unprepared on the new connection."""
    order = make_due_order(power_bank, make_person(power_bank), yuan("12.34"))
    OF_KEYS.rows([])
    with connection.cursor() as cursor, owner_connection.cursor() as owner:
        cursor.execute("SELECT pg_backend_pid()")
        owner.execute("SELECT pg_terminate_backend(%s, 5000)", cursor.fetchone())
    connection.close_if_unusable_or_obsolete()  # as before every request
    assert OF_KEYS.rows([order.id]) == [order]


def test_prepared_names_are_looked_up_once_per_transaction(power_bank: Shop) -> None:
    with transaction.atomic():
        OF_KEYS.rows([])
        with CaptureQueriesContext(connection) as asked:
            for _ in range(3):
                OF_KEYS.rows([])
    assert len(asked) == 3
    assert all("EXECUTE" in query["sql"] for query in asked)


def test_a_list_of_keys_is_one_parameter(power_bank: Shop) -> None:
    order = make_due_order(power_bank, make_person(power_bank), yuan("1.00"))
    assert list(Order.objects.filter(pk__any=[order.id])) == [order]


@pytest.fixture
def scratch_table(owner_connection: extensions.connection) -> Iterator[Callable[[str], None]]:
    """A table of the owner's; `scratch_table(statement)` does something to it."""

    def does(statement: str) -> None:
        with owner_connection.cursor() as cursor:
            cursor.execute(statement)

    does("CREATE TABLE kept (word varchar(10)); GRANT SELECT ON kept TO PUBLIC; INSERT INTO kept VALUES ('早')")
    yield does
    does("DROP TABLE kept")


@pytest.mark.django_db(transaction=True)
def test_after_a_migration_the_statement_has_another_name(
    scratch_table: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pooler's line knows what the release before has asked on it, and refuses to answer in another type."""
    asked = "SELECT word FROM kept"
    before = PreparedStatement(asked, [])
    assert before.rows() == [("早",)]
    scratch_table("ALTER TABLE kept ALTER word TYPE varchar(20)")
    with pytest.raises(NotSupportedError, match="must not change result type"):
        before.rows()
    monkeypatch.setattr(prepared_statements, "schema_version", lambda: "kept.0002_longer_words")
    assert PreparedStatement(asked, []).rows() == [("早",)]


def test_the_schema_version_lists_all_our_migrations() -> None:
    assert {"kernel.0001_initial", "orders.0001_initial", "billing.0001_initial"} <= set(
        prepared_statements.schema_version().split()
    )


class Struck(BaseException):
    """A time limit, wherever the process happens to be."""


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("outside", [True, False])
def test_an_interrupted_prepare_is_repeated(*, outside: bool) -> None:
    question = PreparedStatement(f"SELECT 1, {int(outside)}", [])

    def strike(execute: Callable[..., object], sql: str, *rest: object) -> object:
        result = execute(sql, *rest)
        if sql.startswith("PREPARE"):
            raise Struck
        return result

    around = contextlib.nullcontext() if outside else transaction.atomic()
    with connection.execute_wrapper(strike), pytest.raises(Struck), around:
        question.rows()
    assert question.rows() == [(1, int(outside))]
    with transaction.atomic():
        assert question.rows() == [(1, int(outside))]


PLAN_MODE = "SELECT current_setting('plan_cache_mode') || left($1, 0)"
GENERIC = PreparedStatement(PLAN_MODE, ["text"])
CUSTOM = PreparedStatement(f"{PLAN_MODE} || ''", ["text"], generic=False)
OF_LIST = PreparedStatement("SELECT $1", ["uuid[]"])


def discard_held_back_write() -> None:
    with batch_writes():
        GENERIC.execute("x")
        raise Struck


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    "unsent",
    [discard_held_back_write, partial(OF_LIST.rows, 5), partial(OF_LIST.execute, 5), partial(GENERIC.rows, "a\0b")],
    ids=["discarded", "unformattable", "unformattable write", "a NUL"],
)
def test_a_plan_mode_that_was_never_sent_is_sent_with_the_next_query(unsent: Callable[[], object]) -> None:
    with transaction.atomic():
        GENERIC.rows("x")
        OF_LIST.rows([])
        CUSTOM.rows("x")
        with pytest.raises((Struck, TypeError, ValueError)):
            unsent()
        assert GENERIC.rows("x") == [("force_generic_plan",)]
