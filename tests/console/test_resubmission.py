"""A form interrupted by a database failure can be resubmitted; one that was processed cannot."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from django.db import OperationalError
from django.test import Client

from billing.console import order_actions as desk
from billing.pages import concerns as help_pages
from kernel.forms import claim_token, new_form_token, release_on_database_error, was_submitted
from orders.models import Concern, Order, Pause
from tests.browsing import client_for, form_token, freeze_clock, visible_text
from tests.conftest import NOON, Shop, make_due_order, make_person, yuan


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
            raise OperationalError("canceling statement due to lock timeout")
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


@pytest.mark.parametrize("gone", [True, False])
def test_a_form_with_an_uncertain_outcome_cannot_be_resubmitted(
    order: Order, monkeypatch: pytest.MonkeyPatch, *, gone: bool
) -> None:
    scope, token = order.person_id, new_form_token()
    assert claim_token(scope, token, "x")
    if gone:
        monkeypatch.setattr("kernel.forms.connection", SimpleNamespace(connection=None))
    with pytest.raises(OperationalError), release_on_database_error(scope, token):
        raise OperationalError
    assert was_submitted(scope, token) is gone
