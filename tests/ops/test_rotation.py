"""Key rotation under load: processes at neighbouring steps decrypt each other's data."""

import base64
import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import pytest
from django.conf import settings
from django.test import override_settings

from kernel import encryption
from tests.browsing import client_for
from tests.conftest import Shop, make_person

OLD, NEW = bytes(range(32)), bytes(range(1, 33))
DOCS = (Path(__file__).resolve().parents[2] / "docs" / "operations.md").read_text(encoding="utf-8")
#: As docs/operations.md says: behind the one in use everywhere, then in front, and the old ones stay.
STEPS = ({"k1": OLD}, {"k1": OLD, "k2": NEW}, {"k2": NEW, "k1": OLD})
#: The same for the key that signs: (what signs, what else counts).
SIGNS = (("old" * 20, []), ("old" * 20, ["new" * 20]), ("new" * 20, ["old" * 20]), ("new" * 20, []))


@contextmanager
def process(keys: dict[str, bytes]) -> Iterator[None]:
    """One that was started with these keys."""
    with override_settings(PII_KEYS=keys):
        encryption._keys.cache_clear()  # noqa: SLF001  as a process that was just started
        yield
    encryption._keys.cache_clear()  # noqa: SLF001


def read_by(other: dict[str, bytes], one: dict[str, bytes]) -> str:
    with process(one):
        kept = encryption.seal("艾达", place="here")
    with process(other):
        return encryption.unseal(kept, place="here")


@pytest.mark.parametrize(("before", "after"), list(pairwise(STEPS)))
def test_processes_at_neighbouring_steps_decrypt_each_others_data(
    before: dict[str, bytes], after: dict[str, bytes]
) -> None:
    assert {read_by(*both) for both in itertools.permutations((before, after))} == {"艾达"}


def test_rotating_in_one_step_breaks_processes_not_yet_restarted() -> None:
    with pytest.raises(KeyError):
        read_by(STEPS[0], STEPS[2])
    assert "First list a new key on every process behind the one in use" in DOCS.replace("\n", " ")


@pytest.mark.parametrize(("before", "after"), list(pairwise(SIGNS)))
def test_nobody_is_signed_out_by_a_step_of_the_key_that_signs(
    power_bank: Shop, before: tuple[str, list[str]], after: tuple[str, list[str]]
) -> None:
    person = make_person(power_bank)
    with override_settings(SECRET_KEY=before[0], SECRET_KEY_FALLBACKS=before[1]):
        browser = client_for(person)
        assert browser.get("/settings/").status_code == 200
    with override_settings(SECRET_KEY=after[0], SECRET_KEY_FALLBACKS=after[1]):
        seen = browser.get("/settings/").status_code
    with override_settings(SECRET_KEY=before[0], SECRET_KEY_FALLBACKS=before[1]):
        assert (seen, browser.get("/settings/").status_code) == (200, 200)


def test_a_replaced_key_signs_nothing(power_bank: Shop) -> None:
    browser = client_for(make_person(power_bank))
    with override_settings(SECRET_KEY=base64.b64encode(NEW).decode() * 2):
        assert browser.get("/settings/").status_code == 302
    assert settings.SECRET_KEY_FALLBACKS == []
