"""`manage.py prepare` refuses a key that the data was not written with, and active clients."""

import threading
from collections.abc import Callable, Iterator
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.test import override_settings

from bnpl.management.commands import prepare
from kernel import audit, encryption
from tests.conftest import BY, NOON, Shop, make_person

OTHER = override_settings(BLIND_INDEX_KEY=bytes(range(32)))


@pytest.fixture(autouse=True)
def prepared_already(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prepare, "call_command", lambda *_args, **_more: None)


def test_a_wrong_blind_index_key_is_detected() -> None:
    call_command("prepare", stdout=StringIO())  # nothing is written yet
    audit.record("look", by=BY, at=NOON)
    call_command("prepare", stdout=StringIO())
    with OTHER, pytest.raises(CommandError, match="BLIND_INDEX_KEY is not the one"):
        call_command("prepare", stdout=StringIO())
    with OTHER:
        call_command("prepare", "--whatever-the-keys", stdout=StringIO())


def test_a_missing_encryption_key_is_detected(power_bank: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    make_person(power_bank, name="艾达")
    keys = encryption._keys()  # noqa: SLF001  as the settings gave them
    monkeypatch.setattr(encryption, "_keys", lambda: {"k2": keys["k1"], **keys})
    call_command("prepare", stdout=StringIO())
    monkeypatch.setattr(encryption, "_keys", lambda: {"k2": keys["k1"]})
    with pytest.raises(CommandError, match=r"PII_KEYS lacks .*: k1"):
        call_command("prepare", stdout=StringIO())


@pytest.fixture
def active_client() -> Iterator[Callable[[], None]]:
    """A process of the application that is still connected; it asks something when it is told to."""
    others = connection.copy("beside")
    with others.cursor() as cursor:
        yield lambda: cursor.execute("SELECT 1")
    others.close()


@pytest.fixture
def pending_migration(monkeypatch: pytest.MonkeyPatch) -> None:
    """The database is a migration behind the code, and nobody is waited for longer than a moment."""
    monkeypatch.setattr(MigrationExecutor, "migration_plan", lambda *_: [("one", False)])
    monkeypatch.setattr(prepare, "WAIT_SECONDS", 0)
    monkeypatch.setattr(prepare, "PAUSE_SECONDS", 0)


@pytest.mark.usefixtures("pending_migration")
def test_nothing_is_migrated_beside_processes_that_go_on_working(active_client: Callable[[], None]) -> None:
    active_client()
    with pytest.raises(CommandError, match=r"still works in this database .*Upgrading"):
        call_command("prepare", stdout=StringIO())
    call_command("prepare", "--beside-the-old-code", stdout=StringIO())


def test_where_there_is_nothing_to_migrate_they_may_go_on(active_client: Callable[[], None]) -> None:
    active_client()
    call_command("prepare", stdout=StringIO())


@pytest.mark.usefixtures("pending_migration")
def test_idle_pooled_connections_do_not_count_as_active(
    active_client: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prepare, "ACTIVE_SECONDS", 0)
    active_client()
    call_command("prepare", stdout=StringIO())


def test_of_two_hosts_that_start_together_one_migrates_and_the_other_waits() -> None:
    first, second = connection.copy("first"), StringIO()
    done = threading.Event()
    with first.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", [prepare.ADVISORY_LOCK])

    def prepares() -> None:
        call_command("prepare", stdout=second)
        connection.close()
        done.set()

    threading.Thread(target=prepares).start()
    while "waiting" not in second.getvalue():
        assert not done.wait(0.02)
    first.close()
    assert done.wait(10)
