"""The test database: made and migrated by the owner, used as the application's role, emptied between tests.

So a test meets the same refusals as production: the role it works as cannot truncate, delete history or change tables.
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
from tests.services import NAME, aim, services
from tests.stock import remember

T = TypeVar("T")
IMPATIENT = "SET lock_timeout = '5s'"


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
            remember(superuser)
    TransactionTestCase._fixture_teardown = empty_tables  # type: ignore[method-assign]  # noqa: SLF001
    yield
    with django_db_blocker.unblock():
        connections.close_all()
    for one in filter(None, (Lasting.checker, Lasting.superuser)):
        one.close()
    with services.superuser(inside=False) as superuser, superuser.cursor() as cursor:
        cursor.execute(f"DROP DATABASE {NAME} WITH (FORCE)")


@pytest.fixture(scope="module")
def once(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[Callable[[Callable[[], T]], T]]:
    """Makes in the database what every test of a module finds there as it was made: `once(world)`.

    A transaction lies around those of all its tests, each of which is rolled back to what was made. Not for a module
    in which a test is transactional: nobody else would see what was made, and emptying the tables would wait for it.
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
    """Lends Django the owner's name for as long as tables are made."""
    used = connections["default"].settings_dict
    app = dict(used)
    owner = Environment({"BNPL_POSTURE": "test", "DATABASE_URL": services.owner_url}).database()
    used.update({name: owner[name] for name in ("USER", "PASSWORD", "OPTIONS")})
    call_command("prepare", verbosity=0)
    connections["default"].close()
    used.update(app)


class Lasting:
    """Connections that outlive the tests: a new one reads the catalogue and plans long questions anew each time."""

    checker: BaseDatabaseWrapper | None = None
    superuser: extensions.connection | None = None


def empty_tables(_case: TransactionTestCase) -> None:
    """In place of Django's flush: append-only tables refuse the role the tests work as, and so they should."""
    if not (Lasting.superuser and answers(Lasting.superuser)):
        Lasting.superuser = psycopg2.connect(aim(services.superuser_url))
        Lasting.superuser.autocommit = True
    with Lasting.superuser.cursor() as cursor:
        cursor.execute(IMPATIENT)  # a test that left a transaction open shows up here
        cursor.execute("SELECT seed.restore()")


def answers(connection: extensions.connection) -> bool:
    """Whether it was not ended with all others, as some tests do."""
    with suppress(psycopg2.OperationalError, psycopg2.InterfaceError), connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        return True
    return False


@contextmanager
def over_what_lasts() -> Iterator[None]:
    """Meanwhile Django asks over a connection that has asked before, unless the test's transaction hides its rows."""
    if connection.in_atomic_block:
        yield
        return
    Lasting.checker = Lasting.checker or connections.create_connection(DEFAULT_DB_ALIAS)
    if not Lasting.checker.is_usable():
        Lasting.checker.close()
    of_the_test = connections[DEFAULT_DB_ALIAS]
    connections[DEFAULT_DB_ALIAS] = Lasting.checker
    try:
        yield
    finally:
        connections[DEFAULT_DB_ALIAS] = of_the_test


@pytest.fixture(scope="session")
def lasting() -> Callable[[], AbstractContextManager[None]]:
    return over_what_lasts


@pytest.fixture(scope="session")
def cache_server() -> Iterator[redis.Redis]:
    with redis.Redis.from_url(settings.CACHES["default"]["LOCATION"]) as server:
        yield server


@pytest.fixture(autouse=True)
def fresh_cache(cache_server: redis.Redis) -> Iterator[None]:
    """No test meets what another one left in the cache, such as a count of tries."""
    yield
    cache_server.flushdb()


@pytest.fixture
def owner_connection(transactional_db: None) -> Iterator[extensions.connection]:
    """The tables' owner on a connection of its own, outside any transaction of the test's."""
    with closing(psycopg2.connect(services.owner_url)) as owner:
        owner.autocommit = True
        yield owner


@pytest.fixture
def superuser_connection(transactional_db: None) -> Iterator[extensions.connection]:
    """Somebody who can switch every guard off, as a thief of the whole server could."""
    with services.superuser() as superuser:
        yield superuser
