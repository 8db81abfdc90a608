"""The test database: made and migrated by the owner, used as the application's role, emptied between tests.

So a test meets the same refusals as production: the role it works as cannot truncate, delete history or change tables.
"""

from collections.abc import Iterator
from contextlib import closing

import psycopg2
import pytest
import redis
from django.conf import settings
from django.core.management import call_command
from django.db import connections
from django.test import TransactionTestCase
from psycopg2 import extensions
from pytest_django import DjangoDbBlocker

from bnpl.env import Environment
from bnpl.stack.embedded import OWNER
from tests.services import NAME, services

# Tables whose rows migrations made, and no test changes: they are left alone.
KEPT = ("django_migrations", "django_content_type", "auth_permission")
# What migrations put into any other table is copied once, and put back after each transactional test.
REMEMBER = """
CREATE SCHEMA seed;
CREATE FUNCTION seed.tables() RETURNS SETOF regclass LANGUAGE sql STABLE AS $$
  SELECT c.oid::regclass FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind = 'r' AND n.nspname NOT IN ('seed', 'information_schema') AND n.nspname NOT LIKE 'pg\\_%%'
    AND c.relname <> ALL (%(kept)s) ORDER BY c.oid
$$;
CREATE FUNCTION seed.columns(t regclass) RETURNS text LANGUAGE sql STABLE AS $$
  SELECT string_agg(quote_ident(attname), ',' ORDER BY attnum) FROM pg_attribute
  WHERE attrelid = t AND attnum > 0 AND NOT attisdropped AND attgenerated = ''
$$;
CREATE TABLE seed.copies (source regclass PRIMARY KEY, copy text NOT NULL);
DO $do$
DECLARE t regclass; filled boolean;
BEGIN
  FOR t IN SELECT seed.tables() LOOP
    EXECUTE format('SELECT EXISTS (SELECT 1 FROM %%s)', t) INTO filled;
    IF filled THEN
      EXECUTE format('CREATE TABLE seed.copy_%%s AS SELECT %%s FROM %%s', t::oid, seed.columns(t), t);
      INSERT INTO seed.copies VALUES (t, format('seed.copy_%%s', t::oid));
    END IF;
  END LOOP;
END $do$;
CREATE FUNCTION seed.restore() RETURNS void LANGUAGE plpgsql SET session_replication_role = replica AS $$
DECLARE t regclass; saved text; filled boolean;
BEGIN
  FOR t IN SELECT seed.tables() LOOP
    EXECUTE format('SELECT EXISTS (SELECT 1 FROM %%s)', t) INTO filled;
    IF filled THEN EXECUTE format('DELETE FROM %%s', t); END IF;
    SELECT copy INTO saved FROM seed.copies WHERE source = t;
    IF saved IS NOT NULL THEN
      EXECUTE format('INSERT INTO %%s (%%s) OVERRIDING SYSTEM VALUE SELECT * FROM %%s', t, seed.columns(t), saved);
    END IF;
  END LOOP;
END $$;
"""
IMPATIENT = "SET lock_timeout = '5s'"


@pytest.fixture(scope="session")
def django_db_setup(django_test_environment: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """One database for the run; Django is left connected to it as the application's role."""
    with services.superuser(inside=False) as superuser, superuser.cursor() as cursor:
        owner = f"OWNER {OWNER}" if services.postgres else ""
        cursor.execute(f"CREATE DATABASE {NAME} {owner}")
    with django_db_blocker.unblock():
        prepare_as_owner()
    with services.superuser() as superuser, superuser.cursor() as cursor:
        cursor.execute(REMEMBER, {"kept": list(KEPT)})
    TransactionTestCase._fixture_teardown = empty_tables  # type: ignore[method-assign]  # noqa: SLF001
    yield
    with django_db_blocker.unblock():
        connections.close_all()
    with services.superuser(inside=False) as superuser, superuser.cursor() as cursor:
        cursor.execute(f"DROP DATABASE {NAME} WITH (FORCE)")


def prepare_as_owner() -> None:
    """Lends Django the owner's name for as long as tables are made."""
    used = connections["default"].settings_dict
    app = dict(used)
    owner = Environment({"BNPL_POSTURE": "test", "DATABASE_URL": services.owner_url}).database()
    used.update({name: owner[name] for name in ("USER", "PASSWORD", "OPTIONS")})
    call_command("prepare", verbosity=0)
    connections["default"].close()
    used.update(app)


def empty_tables(_case: TransactionTestCase) -> None:
    """In place of Django's flush: append-only tables refuse the role the tests work as, and so they should."""
    with services.superuser() as superuser, superuser.cursor() as cursor:
        cursor.execute(IMPATIENT)  # a test that left a transaction open shows up here
        cursor.execute("SELECT seed.restore()")


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
