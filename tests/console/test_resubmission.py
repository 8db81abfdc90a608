"""A form interrupted by a database failure can be resubmitted; one that was processed cannot."""

from collections.abc import Callable
from typing import Any

import psycopg2
import pytest
from django.db import OperationalError, connection
from django.test import Client

from billing.console import order_actions as desk
from billing.models import Deduction, Refund
from billing.pages import concerns as help_pages
from billing.services import deduct, refunds
from kernel.forms import claim_token, new_form_token, release_on_database_error, was_submitted
from orders.models import Concern, Order, Pause
from tests.billing.helpers import paid_order
from tests.browsing import client_for, form_token, freeze_clock, visible_text
from tests.conftest import NOON, Shop, make_due_order, make_person, yuan
from tests.db_errors import raise_sqlstate

LOCK_TIMEOUT, STATEMENT_TIMEOUT = "55P03", "57014"


@pytest.fixture
def order(power_bank: Shop) -> Order:
    order = make_due_order(power_bank, make_person(power_bank), yuan("8"))
    freeze_clock(NOON, order.person)
    return order


def fails_once(patch: pytest.MonkeyPatch, place: object, verb: str) -> None:
    """The first time it waits too long for a lock."""
    real, tries = getattr(place, verb), list[None]()

    def tried(*asked: Any, **named: Any) -> Any:
        tries.append(None)
        if len(tries) == 1:
            raise_sqlstate(LOCK_TIMEOUT)
        return real(*asked, **named)

    patch.setattr(place, verb, tried)


def test_a_report_that_got_a_503_succeeds_when_resubmitted(order: Order, monkeypatch: pytest.MonkeyPatch) -> None:
    browser, path = client_for(order.person), f"/orders/{order.public_id}/report"
    form = {"token": form_token(browser.get(path)), "category": "not_received", "text": "没借到"}
    fails_once(monkeypatch, help_pages.services, "report_problem")
    assert browser.post(path, form).status_code == 503
    assert "没借到" in visible_text(browser.post(path, form, follow=True))
    assert Concern.objects.get().order_id == order.id
    assert "您已提交过" in visible_text(browser.post(path, form, follow=True))
    assert Concern.objects.count() == 1


def test_a_console_action_that_got_a_503_succeeds_when_resubmitted(
    order: Order, monkeypatch: pytest.MonkeyPatch, console_client: Callable[..., Client]
) -> None:
    support, path = console_client("support"), f"/ops/do/{order.public_id}/pause"
    form = {"token": form_token(support.get(path)), "reason": "hardship", "note": "x"}
    fails_once(monkeypatch, desk.orders, "pause_order")
    assert support.post(path, form).status_code == 503
    for said in ("订单已暂停计时", "您已提交过"):
        assert said in visible_text(support.post(path, form, follow=True))
    assert Pause.objects.count() == 1


def lose_connection() -> None:
    """Raise what Django raises when the connection is lost: the driver's error has no SQLSTATE."""
    raise OperationalError("server closed the connection") from psycopg2.OperationalError()


@pytest.mark.parametrize(
    ("sqlstate", "released"),
    [
        (LOCK_TIMEOUT, True),
        (STATEMENT_TIMEOUT, True),
        ("40P01", True),  # deadlock
        ("53200", True),  # out of memory
        ("40003", False),  # statement completion unknown
        ("57P01", False),  # the server is shut down
        ("", False),  # the connection is lost
    ],
)
def test_a_form_with_an_uncertain_outcome_cannot_be_resubmitted(order: Order, sqlstate: str, *, released: bool) -> None:
    scope, token = order.person_id, new_form_token()
    assert claim_token(scope, token, "x")
    with pytest.raises(OperationalError), release_on_database_error(scope, token):
        raise_sqlstate(sqlstate) if sqlstate else lose_connection()
    assert was_submitted(scope, token) is not released


@pytest.mark.django_db(transaction=True)
def test_a_refund_whose_connection_was_lost_at_commit_is_not_repeated(
    power_bank: Shop, monkeypatch: pytest.MonkeyPatch, console_client: Callable[..., Client]
) -> None:
    order = paid_order(power_bank)
    freeze_clock(NOON, order.person)
    finance, path = console_client("finance"), f"/ops/do/{order.public_id}/refund"
    form = {"token": form_token(finance.get(path)), "amount": "2", "note": "x"}
    begin = refunds.begin_refund

    def commit_and_lose() -> None:
        connection.connection.commit()
        connection.connection.close()
        lose_connection()

    def begin_and_lose(*asked: Any, **named: Any) -> Any:
        with monkeypatch.context() as patch:
            patch.setattr(connection, "_commit", commit_and_lose)
            return begin(*asked, **named)

    with monkeypatch.context() as patch:
        patch.setattr(refunds, "begin_refund", begin_and_lose)
        assert finance.post(path, form).status_code == 503
    assert "您已提交过" in visible_text(finance.post(path, form, follow=True))
    assert Refund.objects.count() == 1


def test_a_deduction_that_timed_out_once_it_was_sent_is_not_repeated(
    power_bank: Shop, monkeypatch: pytest.MonkeyPatch, console_client: Callable[..., Client]
) -> None:
    order = make_due_order(power_bank, make_person(power_bank, "no_funds"), yuan("8"))
    freeze_clock(NOON, order.person)
    staff, path = console_client("collections"), f"/ops/do/{order.public_id}/collect"
    form = {"token": form_token(staff.get(path)), "note": "x"}
    charge = deduct.charge

    def charge_and_time_out(*asked: Any, **named: Any) -> None:
        charge(*asked, **named)
        raise_sqlstate(STATEMENT_TIMEOUT)

    with monkeypatch.context() as patch:
        patch.setattr(deduct, "charge", charge_and_time_out)
        assert staff.post(path, form).status_code == 503
    assert "您已提交过" in visible_text(staff.post(path, form, follow=True))
    assert Deduction.objects.count() == 1
