"""A limit in a currency other than a person's own is chosen, set by two, and refused where there is none."""

from dataclasses import replace

import pytest
from django.test import Client

from accounts.models import Notice, Person
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


def test_the_second_colleague_reads_what_they_agree_to(risk: Client, boss: Client, person: Person) -> None:
    """A box that was left empty says so, and a limit stands beside the one of its own currency."""
    decided(boss, asked(risk, page(person), currency="JPY", limit="5000", pinned="on", note="x"))
    row = asked(risk, page(person), currency="JPY", limit="7000", note="y")
    text = words_of(boss.get(f"/ops/second/{row.public_id}"))
    assert "额度 JPY 有改动 5000 7000" in text
    assert "固定此额度，不随信用分变化 JPY 有改动 是 否" in text
    assert "额度 CNY 10000.00 不变" in text
    decided(boss, row)
    assert [change.pinned for change in LimitChange.objects.order_by("id")] == [True, False]
    end_credit(person.id, by=BY, at=NOON)
    assert "7000" in words_of(boss.get(f"/ops/second/{row.public_id}"))


def test_the_same_amount_may_be_pinned_and_let_go_and_nobody_is_told(
    risk: Client, boss: Client, person: Person
) -> None:
    told = Notice.objects.filter(person=person, stage="limit_changed")
    for pinned in ({"pinned": "on"}, {}):
        decided(boss, asked(risk, page(person), currency="JPY", limit="200000", note="x", **pinned))
        assert LimitChange.objects.latest("id").pinned == bool(pinned)
        row = asked(risk, page(person), currency="JPY", limit="200000", note="x", **pinned)
        with nothing_moves(*FORM):
            assert decided(boss, row).status_code == 422
        assert decided(boss, row, "refuse").status_code == 302
    assert CurrencyLimit.objects.get(person=person).limit_minor == 200_000
    assert not told.exists()
