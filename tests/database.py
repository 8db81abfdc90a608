"""The test database: created and migrated by the owner, used as the application's role, emptied between tests.

So a test has the same privileges as production: its role cannot truncate, delete history or alter tables.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from typing import TypeVar

import psycopg2
import pytest
import redis
from django.conf import settings
from django.core.management import call_command
from django.db import DEFAULT_DB_ALIAS, connection, connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.test import TransactionTestCase
from psycopg2 import extensions
from pytest_django import DjangoDbBlocker

from bnpl.env import Environment
from bnpl.stack.embedded import DATABASE
from tests.cluster_template import install_restore_function
from tests.services import NAME, services, with_test_database

T = TypeVar("T")
SHORT_LOCK_TIMEOUT = "SET lock_timeout = '5s'"


@pytest.fixture(scope="session")
def django_db_setup(django_test_environment: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """One database for the run; Django is left connected to it as the application's role."""
    with services.superuser(inside=False) as superuser, superuser.cursor() as cursor:
        made = f"ALTER DATABASE {DATABASE} RENAME TO {NAME}" if services.postgres else f"CREATE DATABASE {NAME}"
        cursor.execute(made)
    if not services.postgres:
        with django_db_blocker.unblock():
            prepare_as_owner()
        with services.superuser() as superuser:
            install_restore_function(superuser)
    TransactionTestCase._fixture_teardown = empty_tables  # type: ignore[method-assign]  # noqa: SLF001
    yield
    with django_db_blocker.unblock():
        connections.close_all()
    for one in filter(None, (KeptConnections.checker, KeptConnections.superuser)):
        one.close()
    with services.superuser(inside=False) as superuser, superuser.cursor() as cursor:
        cursor.execute(f"DROP DATABASE {NAME} WITH (FORCE)")


@pytest.fixture(scope="module")
def once(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[Callable[[Callable[[], T]], T]]:
    """Create data once for all tests of a module: `once(function)`.

    All tests of the module run inside one transaction, and each is rolled back to the created data. It cannot be used
    in a module with transactional tests: no other connection sees the data, and emptying the tables would wait for it.
    """
    around = transaction.atomic()
    around._from_testcase = True  # type: ignore[attr-defined]  # noqa: SLF001  as that of a test it is not really durable

    def make(what: Callable[[], T]) -> T:
        with django_db_blocker.unblock():
            made = what()
            connection.check_constraints()  # what waits for a commit is looked at now, and not again in every test
        return made

    with django_db_blocker.unblock():
        around.__enter__()
    yield make
    with django_db_blocker.unblock():
        transaction.set_rollback(True)
        around.__exit__(None, None, None)


def prepare_as_owner() -> None:
    """Run `prepare` with Django connected as the tables' owner."""
    used = connections["default"].settings_dict
    app = dict(used)
    owner = Environment({"BNPL_POSTURE": "test", "DATABASE_URL": services.owner_url}).database()
    used.update({name: owner[name] for name in ("USER", "PASSWORD", "OPTIONS")})
    call_command("prepare", verbosity=0)
    connections["default"].close()
    used.update(app)


class KeptConnections:
    """Connections that are kept across tests, as a new one has to load the catalogue and plan long queries again."""

    checker: BaseDatabaseWrapper | None = None
    superuser: extensions.connection | None = None


def empty_tables(_case: TransactionTestCase) -> None:
    """Replaces Django's flush, which the application's role may not do: it cannot delete from append-only tables."""
    if not (KeptConnections.superuser and is_usable(KeptConnections.superuser)):
        KeptConnections.superuser = psycopg2.connect(with_test_database(services.superuser_url))
        KeptConnections.superuser.autocommit = True
    with KeptConnections.superuser.cursor() as cursor:
        cursor.execute(SHORT_LOCK_TIMEOUT)  # a test that left a transaction open shows up here
        cursor.execute("SELECT seed.restore()")


def is_usable(connection: extensions.connection) -> bool:
    """Whether the connection is usable; some tests terminate all connections."""
    with suppress(psycopg2.OperationalError, psycopg2.InterfaceError), connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        return True
    return False


@contextmanager
def use_kept_connection() -> Iterator[None]:
    """Use the kept connection in the block, unless the rows are visible only in the test's transaction."""
    if connection.in_atomic_block:
        yield
        return
    KeptConnections.checker = KeptConnections.checker or connections.create_connection(DEFAULT_DB_ALIAS)
    if not KeptConnections.checker.is_usable():
        KeptConnections.checker.close()
    of_the_test = connections[DEFAULT_DB_ALIAS]
    connections[DEFAULT_DB_ALIAS] = KeptConnections.checker
    try:
        yield
    finally:
        connections[DEFAULT_DB_ALIAS] = of_the_test


@pytest.fixture(scope="session")
def kept_connection() -> Callable[[], AbstractContextManager[None]]:
    return use_kept_connection


@pytest.fixture(scope="session")
def cache_server() -> Iterator[redis.Redis]:
    with redis.Redis.from_url(settings.CACHES["default"]["LOCATION"]) as server:
        yield server


@pytest.fixture(autouse=True)
def fresh_cache(cache_server: redis.Redis) -> Iterator[None]:
    """Empty the cache after each test."""
    yield
    cache_server.flushdb()


@pytest.fixture
def owner_connection(transactional_db: None) -> Iterator[extensions.connection]:
    """A connection of the tables' owner, outside any transaction of the test."""
    with closing(psycopg2.connect(services.owner_url)) as owner:
        owner.autocommit = True
        yield owner


@pytest.fixture
def superuser_connection(transactional_db: None) -> Iterator[extensions.connection]:
    """A superuser's connection, which can disable every trigger."""
    with services.superuser() as superuser:
        yield superuser
