"""The tests' own servers: the database roles in use, and the isolation between tests."""

import psycopg2.errors
import pytest
from django.contrib.auth.models import Group, Permission
from django.core.cache import cache
from django.db import ProgrammingError, connection
from psycopg2 import extensions

from kernel.models import LegalMove, Realm

ROUNDS = 2


@pytest.mark.django_db
def test_tests_work_as_the_applications_role_with_its_limits() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_user, current_setting('statement_timeout'), current_setting('lock_timeout')")
        assert cursor.fetchone() == ("bnpl_app", "5s", "2s")
        cursor.execute("SELECT relowner::regrole::text FROM pg_class WHERE relname = 'orders_order'")
        assert cursor.fetchone() != ("bnpl_app",)


@pytest.mark.django_db(transaction=True)
def test_the_applications_role_may_not_truncate_or_change_a_table() -> None:
    for statement in (
        "TRUNCATE kernel_realm CASCADE",
        "ALTER TABLE kernel_realm ADD COLUMN x int",
        "CREATE TABLE x ()",
    ):
        with pytest.raises(ProgrammingError) as refusal, connection.cursor() as cursor:
            cursor.execute(statement)
        assert isinstance(refusal.value.__cause__, psycopg2.errors.InsufficientPrivilege)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("_round", range(ROUNDS))
def test_a_committed_row_does_not_reach_the_next_test_and_a_migrations_row_does(
    _round: int, superuser_connection: extensions.connection
) -> None:
    assert not Group.objects.filter(name="left behind").exists()
    assert Realm.objects.filter(pk=1).exists()
    assert LegalMove.objects.exists()
    assert Permission.objects.exists()
    Group.objects.create(name="left behind")
    with superuser_connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        cursor.execute("DELETE FROM kernel_realm")
        cursor.execute("DELETE FROM kernel_legalmove")


@pytest.mark.parametrize("_round", range(ROUNDS))
def test_the_cache_is_empty_for_every_test(_round: int) -> None:
    assert cache.get("left-behind") is None
    cache.set("left-behind", 1)
