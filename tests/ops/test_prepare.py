"""A release is not prepared under a key that the data was not written with."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.test import override_settings

from bnpl.management.commands import prepare
from kernel import audit, sealed
from tests.conftest import BY, NOON, Shop, someone

OTHER = override_settings(BLIND_INDEX_KEY=bytes(range(32)))


@pytest.fixture(autouse=True)
def prepared_already(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prepare, "call_command", lambda *_args, **_more: None)


def test_another_blind_index_key_is_noticed_before_anything_is_started_with_it() -> None:
    call_command("prepare", stdout=StringIO())  # nothing is written yet
    audit.record("look", by=BY, at=NOON)
    call_command("prepare", stdout=StringIO())
    with OTHER, pytest.raises(CommandError, match="BLIND_INDEX_KEY is not the one"):
        call_command("prepare", stdout=StringIO())
    with OTHER:
        call_command("prepare", "--whatever-the-keys", stdout=StringIO())


def test_a_key_that_peoples_data_is_sealed_under_is_missed_before_anything_is_started_without_it(
    power_bank: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    someone(power_bank, name="艾达")
    keys = sealed._keys()  # noqa: SLF001  as the settings gave them
    monkeypatch.setattr(sealed, "_keys", lambda: {"k2": keys["k1"], **keys})
    call_command("prepare", stdout=StringIO())
    monkeypatch.setattr(sealed, "_keys", lambda: {"k2": keys["k1"]})
    with pytest.raises(CommandError, match=r"PII_KEYS lacks .*: k1"):
        call_command("prepare", stdout=StringIO())
