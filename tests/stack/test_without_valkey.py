"""People who are signed in view their pages and pay while Valkey is unavailable."""

from collections.abc import Iterator
from typing import Any

import pytest
import redis
from django.test import Client

from tests.browsing import client_for, form_token
from tests.conftest import Shop, make_due_order, make_person, state_of, yuan

PAGES = ("/", "/orders/", "/services/", "/pay-all/")


@pytest.fixture
def no_valkey() -> Iterator[list[str]]:
    """Nobody gets a line to Valkey; who tried is written down."""
    attempts: list[str] = []

    def refuse(self: redis.Connection, *_args: Any, **_kwargs: Any) -> None:
        attempts.append(repr(self))
        raise redis.ConnectionError("connection refused")

    with pytest.MonkeyPatch.context() as patch:
        for kind in (redis.Connection, redis.UnixDomainSocketConnection):
            patch.setattr(kind, "connect", refuse)
            patch.setattr(kind, "send_packed_command", refuse)
        yield attempts


def test_signed_in_pages_do_not_use_valkey(power_bank: Shop, no_valkey: list[str]) -> None:
    person = make_person(power_bank)
    order = make_due_order(power_bank, person, yuan("6"))
    browser = client_for(person)
    for path in (*PAGES, f"/orders/{order.public_id}", f"/orders/{order.public_id}/pay"):
        assert browser.get(path, follow=True).status_code == 200, path
    assert Client().get("/account/login/").status_code == 200
    assert no_valkey == []


def test_paying_does_not_need_valkey(power_bank: Shop, no_valkey: list[str]) -> None:
    person = make_person(power_bank)
    order = make_due_order(power_bank, person, yuan("6"))
    browser, page = client_for(person), f"/orders/{order.public_id}"
    instrument = person.instruments.get().public_id
    fields = {"token": form_token(browser.get(page)), "amount": "6.00", "instrument": instrument}
    answer = browser.post(f"{page}/pay", fields)
    assert answer.status_code == 302, answer.content
    assert state_of(order) == "deducted"
    assert no_valkey == []
