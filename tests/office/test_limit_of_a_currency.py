"""A limit in a currency other than a person's own is chosen, set by two, and refused where there is none."""

from dataclasses import replace

import pytest
from django.test import Client

from accounts.models import Person
from credit.leaving import end_credit
from credit.models import CurrencyLimit, LimitChange
from merchants import services as merchants
from office.models import Proposal
from tests.conftest import BY, NOON, Shop, opened, someone
from tests.console.conftest import does, staff, words_of
from tests.office.seconds import asked, decided
from tests.stillness import nothing_moves
from tests.visiting import signed_in

FORM = "kernel_idempotencykey", "django_session", "kernel_auditline", "kernel_audithead"


@pytest.fixture
def risk() -> Client:
    return signed_in(staff("risk"))


@pytest.fixture
def boss() -> Client:
    return signed_in(staff("supervisor", name="boss"))


@pytest.fixture
def person(power_bank: Shop) -> Person:
    """Somebody with yuan and yen."""
    person = someone(power_bank)
    opened(power_bank, person)
    terms = {"name": "東京のロッカー", "currency": "JPY", "mode": "dynamic", "ceiling_minor": 5000}
    opened(replace(power_bank, service=merchants.offer_service(power_bank.merchant.id, terms, by=BY, at=NOON)), person)
    return person


def page(person: Person) -> str:
    return f"/ops/do/{person.public_id}/change_limit"


def test_it_is_chosen_and_two_set_it(risk: Client, boss: Client, person: Person) -> None:
    said = words_of(risk.get(page(person)))
    assert "JP¥200,000" in said
    assert "¥10,000.00" in said
    with nothing_moves(*FORM):
        for wrong in (
            ("currency", "EUR"),
            ("currency", "💴"),
            ("limit", "20.50"),
            ("limit", "九"),
            ("limit", "1" * 99),
        ):
            given = {"currency": "JPY", "limit": "5000", "note": "x"} | dict([wrong])
            assert does(risk, page(person), **given).status_code == 422, wrong
    decided(boss, asked(risk, page(person), currency="JPY", limit="5000", note="收入下降🙂"))
    assert CurrencyLimit.objects.get(person=person).limit_minor == 5000
    change = LimitChange.objects.get()
    assert (change.currency, change.before_minor, change.limit_minor) == ("JPY", 200_000, 5000)


def test_whoever_has_left_meanwhile_gets_none(risk: Client, boss: Client, person: Person) -> None:
    row = asked(risk, page(person), currency="JPY", limit="5000", note="x")
    end_credit(person.id, by=BY, at=NOON)
    assert boss.get(f"/ops/second/{row.public_id}").status_code < 500
    with nothing_moves(*FORM):
        assert decided(boss, row).status_code in {404, 409, 422}
    assert not LimitChange.objects.exists()
    assert Proposal.objects.get(pk=row.pk).state == "open"
