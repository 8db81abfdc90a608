"""A form that the database broke off is sent again and counts; one that was sent before says so."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from django.db import OperationalError
from django.test import Client

from billing.console import orders as desk
from billing.pages import help as help_pages
from kernel.forms import first_time, free_if_broken_off, new_token, was_sent
from orders.models import Concern, Order, Pause
from tests.conftest import NOON, Shop, completed, someone, yuan
from tests.visiting import it_is, token_on, visiting, words


@pytest.fixture
def order(power_bank: Shop) -> Order:
    order = completed(power_bank, someone(power_bank), yuan("8"))
    it_is(NOON, order.person)
    return order


def waits_once(patch: pytest.MonkeyPatch, place: object, verb: str) -> None:
    """The first time it waits too long for a lock."""
    real, tries = getattr(place, verb), list[None]()

    def tried(*asked: Any, **named: Any) -> Any:
        tries.append(None)
        if len(tries) == 1:
            raise OperationalError("canceling statement due to lock timeout")
        return real(*asked, **named)

    patch.setattr(place, verb, tried)


def test_a_report_that_met_a_503_is_taken_when_it_is_sent_again(order: Order, monkeypatch: pytest.MonkeyPatch) -> None:
    browser, path = visiting(order.person), f"/orders/{order.public_id}/report"
    form = {"token": token_on(browser.get(path)), "category": "not_received", "text": "没借到"}
    waits_once(monkeypatch, help_pages.services, "report_problem")
    assert browser.post(path, form).status_code == 503
    assert "没借到" in words(browser.post(path, form, follow=True))
    assert Concern.objects.get().order_id == order.id
    assert "您已提交过" in words(browser.post(path, form, follow=True))
    assert Concern.objects.count() == 1


def test_so_is_a_deed_of_a_colleague(
    order: Order, monkeypatch: pytest.MonkeyPatch, at_desk: Callable[..., Client]
) -> None:
    support, path = at_desk("support"), f"/ops/do/{order.public_id}/pause"
    form = {"token": token_on(support.get(path)), "reason": "hardship", "note": "x"}
    waits_once(monkeypatch, desk.orders, "pause_order")
    assert support.post(path, form).status_code == 503
    for said in ("订单已暂停计时", "您已提交过"):
        assert said in words(support.post(path, form, follow=True))
    assert Pause.objects.count() == 1


@pytest.mark.parametrize("gone", [True, False])
def test_what_may_have_been_done_stays_sent(order: Order, monkeypatch: pytest.MonkeyPatch, *, gone: bool) -> None:
    scope, token = order.person_id, new_token()
    assert first_time(scope, token, "x")
    if gone:
        monkeypatch.setattr("kernel.forms.connection", SimpleNamespace(connection=None))
    with pytest.raises(OperationalError), free_if_broken_off(scope, token):
        raise OperationalError
    assert was_sent(scope, token) is gone
