"""Database triggers refuse invalid changes, and name the violated rule."""

from uuid import uuid4

import pytest
from django.apps import apps
from django.db import transaction
from django.db.models import F
from psycopg2 import errors, extensions

from accounts.models import Person
from billing.models import ChannelReport, Deduction
from billing.services.deduct import deduct_due
from bnpl.invariants import INVARIANTS
from kernel.models import LIVE, IdempotencyKey, LegalMove, Realm
from ledger.models import Posting
from merchants.models import Event
from orders.models import Obligation, Order, OrderEvent
from tests.conftest import NOON, Shop, make_agreement, make_due_order, make_order, yuan
from tests.db_errors import CHECK, NO_RIGHT, RESTRICT, UNIQUE, execute_sql, raises_db_error
from tests.unchanged import assert_unchanged

APPEND_ONLY = sorted(model._meta.db_table for model in apps.get_models() if getattr(model, "append_only", False))
DISABLED = "ALTER TABLE billing_invoice DISABLE TRIGGER USER"
SLEEPY = (
    "CREATE OR REPLACE FUNCTION _pgtrigger_should_ignore(trigger_name name) RETURNS boolean"
    " LANGUAGE sql AS 'SELECT true'"
)
LIVES = ("orders_order", "orders_obligation", "billing_deduction", "credit_agreement")


@pytest.fixture
def order(power_bank: Shop, ada: Person) -> Order:
    return make_order(power_bank, make_agreement(power_bank, ada))


@pytest.fixture
def recorded_order(power_bank: Shop, ada: Person) -> Order:
    """An order whose life has left a row in every table that matters."""
    done = make_due_order(power_bank, ada, yuan("6"))
    deduct_due(power_bank.realm_id, at=NOON)
    return done


def test_an_illegal_move_is_refused_even_by_update(order: Order) -> None:
    with assert_unchanged(), raises_db_error(RESTRICT, "legal_moves_only"):
        Order.objects.filter(pk=order.pk).update(state="deducted", version=F("version") + 1)


def test_an_illegal_move_is_refused_even_in_raw_sql(recorded_order: Order) -> None:
    with assert_unchanged(), raises_db_error(RESTRICT, "legal_moves_only"):
        execute_sql("UPDATE orders_order SET state = 'open', version = version + 1 WHERE id = %s", recorded_order.id)
    with assert_unchanged(), raises_db_error(RESTRICT, "legal_moves_only"):
        execute_sql("UPDATE orders_obligation SET state = 'pending', version = version + 1")
    with assert_unchanged(), raises_db_error(RESTRICT, "legal_moves_only"):
        execute_sql("UPDATE billing_deduction SET state = 'failed', version = version + 1")
    with assert_unchanged(), raises_db_error(RESTRICT, "legal_moves_only"):
        execute_sql("UPDATE credit_agreement SET state = 'pending', version = version + 1")


def test_no_session_can_disable_a_trigger(recorded_order: Order) -> None:
    execute_sql("SELECT set_config('pgtrigger.ignore', (SELECT array_agg(tgname)::text FROM pg_trigger), true)")
    with assert_unchanged(), raises_db_error(RESTRICT, "legal_moves_only"):
        execute_sql("UPDATE orders_order SET state = 'open', version = version + 1 WHERE id = %s", recorded_order.id)


def test_a_disabled_trigger_is_noticed(db: None, owner_connection: extensions.connection) -> None:
    awake = next(one for one in INVARIANTS if one.name == "triggers_are_enabled")
    with owner_connection.cursor() as owner:
        for deed in (DISABLED, SLEEPY):
            owner.execute(awake.sql)
            assert owner.fetchall() == []
            owner.execute(f"BEGIN; {deed}")
            owner.execute(awake.sql)
            assert owner.fetchall()
            owner.execute("ROLLBACK")


def test_an_unknown_state_is_refused(order: Order) -> None:
    with assert_unchanged(), raises_db_error(RESTRICT, "legal_moves_only"):
        execute_sql("UPDATE orders_order SET state = 'OPEN', version = version + 1 WHERE id = %s", order.id)


@pytest.mark.parametrize("version", ["version", "version + 2", "version - 1", "0"])
def test_a_state_moves_with_exactly_one_version(order: Order, version: str) -> None:
    with assert_unchanged(), raises_db_error(RESTRICT, "one_version_a_step"):
        execute_sql(f"UPDATE orders_order SET state = 'cancelled', version = {version} WHERE id = %s", order.id)  # noqa: S608


@pytest.mark.parametrize("version", ["version + 2", "version - 1", "7"])
def test_a_version_does_not_jump_though_the_state_stays(order: Order, version: str) -> None:
    with assert_unchanged(), raises_db_error(RESTRICT, "one_version_a_step"):
        execute_sql(f"UPDATE orders_order SET version = {version} WHERE id = %s", order.id)  # noqa: S608


def test_a_step_without_history_is_refused_when_constraints_are_checked(order: Order) -> None:
    with assert_unchanged(), raises_db_error(RESTRICT, "every_step_is_told"):
        assert execute_sql("UPDATE orders_order SET state = 'cancelled', version = 2 WHERE id = %s", order.id) == 1


@pytest.mark.django_db(transaction=True)
def test_a_step_without_history_is_refused_by_the_commit(power_bank: Shop, ada: Person) -> None:
    order = make_order(power_bank, make_agreement(power_bank, ada))
    with assert_unchanged(), pytest.raises(Exception, match="has no line in orders_orderevent") as caught:  # noqa: SIM117
        with transaction.atomic():
            assert Order.objects.filter(pk=order.pk).update(state="cancelled", version=2) == 1
    assert isinstance(caught.value.__cause__, errors.RestrictViolation)


def test_a_history_line_with_another_state_does_not_count(order: Order) -> None:
    with assert_unchanged(), raises_db_error(RESTRICT, "every_step_is_told"):
        line = {"kind": "cancelled", "source": "open", "target": "completed", "by": "x", "at": NOON}
        OrderEvent.objects.create(subject=order, seq=2, **line)
        execute_sql("UPDATE orders_order SET state = 'cancelled', version = 2 WHERE id = %s", order.id)


def test_history_has_no_second_line_for_one_step(order: Order) -> None:
    with assert_unchanged(), raises_db_error(UNIQUE, "orderevent_has_no_twin"):
        OrderEvent.objects.create(subject=order, seq=1, kind="x", source="", target="open", by="x", at=NOON)


@pytest.mark.parametrize(("state", "version"), [("deducted", 1), ("completed", 1), ("open", 2), ("open", 0), ("x", 1)])
def test_a_lifecycle_starts_in_an_initial_state(order: Order, state: str, version: int) -> None:
    columns = [field.column for field in Order._meta.concrete_fields]
    values = {"id": f"'{uuid4()}'", "state": f"'{state}'", "version": str(version), "out_order_no": "'other'"}
    names, taken = ", ".join(columns), ", ".join(values.get(name, name) for name in columns)
    with assert_unchanged(), raises_db_error(RESTRICT, "starts_legally"):
        execute_sql(f"INSERT INTO orders_order ({names}) SELECT {taken} FROM orders_order WHERE id = %s", order.id)  # noqa: S608


@pytest.mark.parametrize(
    "change",
    [
        "out_order_no = 'other'",
        "ceiling_minor = 1",
        "currency = 'USD'",
        "id = gen_random_uuid()",
        "person_id = gen_random_uuid()",
    ],
)
def test_identifying_columns_of_an_order_are_frozen(order: Order, change: str) -> None:
    with assert_unchanged(), raises_db_error(RESTRICT, "identity_is_frozen"):
        execute_sql(f"UPDATE orders_order SET {change} WHERE id = %s", order.id)  # noqa: S608


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("table", LIVES)
def test_lifecycle_rows_are_never_deleted_not_even_by_the_owner(
    table: str, power_bank: Shop, ada: Person, owner_connection: extensions.connection
) -> None:
    make_due_order(power_bank, ada, yuan("6"))
    deduct_due(power_bank.realm_id, at=NOON)
    with assert_unchanged():
        for statement in (f"DELETE FROM {table}", f"TRUNCATE {table} CASCADE"):  # noqa: S608
            with raises_db_error(NO_RIGHT):
                execute_sql(statement)
            with pytest.raises(errors.RestrictViolation) as caught, owner_connection.cursor() as cursor:
                cursor.execute(statement)
            assert caught.value.diag.constraint_name in ("never_deleted", "append_only")


@pytest.mark.django_db(transaction=True)
def test_append_only_tables_refuse_every_change_by_us_and_by_their_owner(
    power_bank: Shop, ada: Person, owner_connection: extensions.connection
) -> None:
    make_due_order(power_bank, ada, yuan("6"))
    deduct_due(power_bank.realm_id, at=NOON)
    with assert_unchanged():
        for table in APPEND_ONLY:
            key = "id"
            for statement in (f"UPDATE {table} SET {key} = {key}", f"DELETE FROM {table}", f"TRUNCATE {table} CASCADE"):  # noqa: S608
                with raises_db_error(NO_RIGHT):
                    execute_sql(statement)
                with pytest.raises(errors.RestrictViolation) as caught, owner_connection.cursor() as cursor:
                    cursor.execute(statement)
                assert caught.value.diag.constraint_name == "append_only", statement


def test_exactly_the_append_only_models_have_the_trigger(db: None) -> None:
    sql = "SELECT tgrelid::regclass::text FROM pg_trigger WHERE tgname LIKE 'pgtrigger_append_only_%%'"
    with transaction.get_connection().cursor() as cursor:
        cursor.execute(sql, [])
        assert sorted(row[0] for row in cursor.fetchall()) == APPEND_ONLY
    recorded_order = {"ledger_posting", "orders_orderevent", "credit_decision", "merchants_event", "billing_callback"}
    assert recorded_order <= set(APPEND_ONLY)


@pytest.mark.parametrize("how", ["ALTER TABLE orders_order DISABLE TRIGGER ALL", "DROP TABLE ledger_posting"])
def test_the_application_cannot_disable_triggers(recorded_order: Order, how: str) -> None:
    with assert_unchanged(), raises_db_error(NO_RIGHT):
        execute_sql(how)
    with assert_unchanged(), raises_db_error(NO_RIGHT):
        execute_sql("SET session_replication_role = replica")


def test_the_application_cannot_add_legal_moves(db: None) -> None:
    with assert_unchanged(), raises_db_error(NO_RIGHT):
        LegalMove.objects.create(lifecycle="orders_order", source="cancelled", target="open")


def test_append_only_tables_had_rows_to_attack(recorded_order: Order) -> None:
    tables = (Posting, ChannelReport, Event, OrderEvent, Obligation, Deduction)
    assert all(table.objects.exists() for table in tables)
    assert not IdempotencyKey.objects.exists()


@pytest.mark.parametrize("fields", ["mode = 'test'", "clock_offset = interval '1 second'", "frozen_at = now()"])
def test_live_time_is_real_time_and_the_live_realm_stays_live(db: None, fields: str) -> None:
    rule = "only_realm_1_is_live" if "mode" in fields else "live_time_is_real_time"
    with assert_unchanged(), raises_db_error(CHECK, rule):
        execute_sql(f"UPDATE kernel_realm SET {fields} WHERE id = {LIVE}")  # noqa: S608


def test_there_is_no_second_live_realm(db: None) -> None:
    with assert_unchanged(), raises_db_error(CHECK, "only_realm_1_is_live"):
        Realm.objects.create(mode="live")
    with assert_unchanged(), raises_db_error(CHECK, "only_realm_1_is_live"):
        Realm.objects.create(mode="x")


def test_a_sandbox_has_its_own_clock_and_the_live_realm_real_time(db: None) -> None:
    moved = Realm.objects.create(mode="test", clock_offset=NOON - NOON.replace(year=2025))
    frozen = Realm.objects.create(mode="test", frozen_at=NOON)

    assert moved.now(NOON) > NOON
    assert frozen.now(NOON.replace(year=2030)) == NOON
    assert Realm.objects.get(pk=LIVE).now(NOON) == NOON
