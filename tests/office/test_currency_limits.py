"""A limit in another currency than the person's own: set with approval, refused where there is none."""

from dataclasses import replace

import pytest
from django.test import Client

from accounts.models import Notice, Person
from credit.erasure import close_credit
from credit.models import CurrencyLimit, LimitChange
from merchants import services as merchants
from office.models import Proposal
from tests.browsing import signed_in_client
from tests.conftest import BY, NOON, Shop, make_agreement, make_person
from tests.console.conftest import page_text, staff, submit_form
from tests.office.approval_helpers import decide_on_page, propose_on_page
from tests.unchanged import assert_unchanged

FORM = "kernel_idempotencykey", "django_session", "kernel_auditline", "kernel_audithead"


@pytest.fixture
def risk() -> Client:
    return signed_in_client(staff("risk"))


@pytest.fixture
def supervisor() -> Client:
    return signed_in_client(staff("supervisor", name="boss"))


@pytest.fixture
def person(power_bank: Shop) -> Person:
    """Somebody with yuan and yen."""
    person = make_person(power_bank)
    make_agreement(power_bank, person)
    terms = {"name": "東京のロッカー", "currency": "JPY", "mode": "dynamic", "ceiling_minor": 5000}
    make_agreement(
        replace(power_bank, service=merchants.offer_service(power_bank.merchant.id, terms, by=BY, at=NOON)), person
    )
    return person


def page(person: Person) -> str:
    return f"/ops/do/{person.public_id}/change_limit"


def test_a_currency_limit_is_set_with_approval(risk: Client, supervisor: Client, person: Person) -> None:
    said = page_text(risk.get(page(person)))
    assert "JP¥200,000" in said
    assert "¥10,000.00" in said
    with assert_unchanged(*FORM):
        for wrong in (
            ("currency", "EUR"),
            ("currency", "💴"),
            ("limit", "20.50"),
            ("limit", "九"),
            ("limit", "1" * 99),
        ):
            given = {"currency": "JPY", "limit": "5000", "note": "x"} | dict([wrong])
            assert submit_form(risk, page(person), **given).status_code == 422, wrong
    decide_on_page(supervisor, propose_on_page(risk, page(person), currency="JPY", limit="5000", note="收入下降🙂"))
    assert CurrencyLimit.objects.get(person=person).limit_minor == 5000
    change = LimitChange.objects.get()
    assert (change.currency, change.before_minor, change.limit_minor) == ("JPY", 200_000, 5000)


def test_an_erased_person_gets_no_limit(risk: Client, supervisor: Client, person: Person) -> None:
    row = propose_on_page(risk, page(person), currency="JPY", limit="5000", note="x")
    close_credit(person.id, by=BY, at=NOON)
    assert supervisor.get(f"/ops/second/{row.public_id}").status_code < 500
    with assert_unchanged(*FORM):
        assert decide_on_page(supervisor, row).status_code in {404, 409, 422}
    assert not LimitChange.objects.exists()
    assert Proposal.objects.get(pk=row.pk).state == "open"


def test_the_approver_sees_the_requested_limit(risk: Client, supervisor: Client, person: Person) -> None:
    """A box that was left empty says so, and a limit stands beside the one of its own currency."""
    decide_on_page(supervisor, propose_on_page(risk, page(person), currency="JPY", limit="5000", pinned="on", note="x"))
    row = propose_on_page(risk, page(person), currency="JPY", limit="7000", note="y")
    text = page_text(supervisor.get(f"/ops/second/{row.public_id}"))
    assert "额度 JPY 有改动 5000 7000" in text
    assert "固定此额度，不随信用分变化 JPY 有改动 是 否" in text
    assert "额度 CNY 10000.00 不变" in text
    decide_on_page(supervisor, row)
    assert [change.pinned for change in LimitChange.objects.order_by("id")] == [True, False]
    close_credit(person.id, by=BY, at=NOON)
    assert "7000" in page_text(supervisor.get(f"/ops/second/{row.public_id}"))


def test_pinning_the_same_limit_sends_no_notice(risk: Client, supervisor: Client, person: Person) -> None:
    told = Notice.objects.filter(person=person, stage="limit_changed")
    for pinned in ({"pinned": "on"}, {}):
        decide_on_page(
            supervisor, propose_on_page(risk, page(person), currency="JPY", limit="200000", note="x", **pinned)
        )
        assert LimitChange.objects.latest("id").pinned == bool(pinned)
        with assert_unchanged(*FORM):
            again = submit_form(risk, page(person), currency="JPY", limit="200000", note="x", **pinned)
            assert again.status_code == 422
    assert CurrencyLimit.objects.get(person=person).limit_minor == 200_000
    assert not told.exists()
