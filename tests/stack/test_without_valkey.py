"""Whoever is signed in looks at their pages, and pays, while Valkey is away."""

from collections.abc import Iterator
from typing import Any

import pytest
import redis
from django.test import Client

from tests.conftest import Shop, completed, someone, state_of, yuan
from tests.visiting import token_on, visiting

PAGES = ("/", "/orders/", "/services/", "/pay-all/")


@pytest.fixture
def away() -> Iterator[list[str]]:
    """Nobody gets a line to Valkey; who tried is written down."""
    knocks: list[str] = []

    def closed(self: redis.Connection, *_args: Any, **_kwargs: Any) -> None:
        knocks.append(repr(self))
        raise redis.ConnectionError("connection refused")

    with pytest.MonkeyPatch.context() as gone:
        for kind in (redis.Connection, redis.UnixDomainSocketConnection):
            gone.setattr(kind, "connect", closed)
            gone.setattr(kind, "send_packed_command", closed)
        yield knocks


def test_pages_of_somebody_signed_in_do_not_even_ask_for_it(power_bank: Shop, away: list[str]) -> None:
    person = someone(power_bank)
    order = completed(power_bank, person, yuan("6"))
    browser = visiting(person)
    for path in (*PAGES, f"/orders/{order.public_id}", f"/orders/{order.public_id}/pay"):
        assert browser.get(path, follow=True).status_code == 200, path
    assert Client().get("/account/login/").status_code == 200
    assert away == []


def test_paying_needs_it_for_nothing(power_bank: Shop, away: list[str]) -> None:
    person = someone(power_bank)
    order = completed(power_bank, person, yuan("6"))
    browser, page = visiting(person), f"/orders/{order.public_id}"
    instrument = person.instruments.get().public_id
    fields = {"token": token_on(browser.get(page)), "amount": "6.00", "instrument": instrument}
    answer = browser.post(f"{page}/pay", fields)
    assert answer.status_code == 302, answer.content
    assert state_of(order) == "deducted"
    assert away == []
