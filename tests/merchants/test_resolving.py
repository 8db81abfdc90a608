"""A host name whose servers keep silent: nobody waits for them for long, and nobody else waits at all."""

import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from django.utils.translation import override

from kernel.rate_limits import RateLimited
from kernel.refusal import Unavailable
from merchants import courier
from merchants import services as merchants
from merchants.models import WebhookEndpoint
from merchants.resolver import NoAnswerError, Resolver, ResolverBusyError
from tests.conftest import BY, NOON, Shop, make_shop
from tests.threads import at_once

URL = "http://localhost:9/"


@pytest.fixture
def silent(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Names are not answered before this is set."""
    spoken = threading.Event()

    def resolve(*_args: Any, **_how: Any) -> list[Any]:
        spoken.wait(20)
        return [(socket.AF_INET, 1, 6, "", ("127.0.0.1", 9))]

    monkeypatch.setattr("socket.getaddrinfo", resolve)
    monkeypatch.setattr(courier, "_resolver", Resolver())
    yield spoken
    spoken.set()


def test_the_names_servers_have_a_part_of_the_ten_seconds(
    silent: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert courier.NAME_SECONDS < courier.BUDGET_SECONDS
    monkeypatch.setattr(courier, "NAME_SECONDS", 0.2)
    began = time.monotonic()
    outcome = courier.post(courier.Parcel(URL, {}, b"{}"), real=lambda: NOON)
    assert (outcome.status, outcome.error) == (None, "timeout")
    assert time.monotonic() - began < 10


def test_so_many_silent_names_and_no_more_and_the_next_is_told_why(silent: threading.Event) -> None:
    few = Resolver(2)
    for _ in range(2):
        with pytest.raises(NoAnswerError):
            few.addresses("silent.example", 443, seconds=0.05)
    began = time.monotonic()
    with pytest.raises(ResolverBusyError):
        few.addresses("well.example", 443, seconds=0.1)
    assert time.monotonic() - began < 10
    silent.set()
    assert few.addresses("well.example", 443, seconds=5) == ["127.0.0.1"]


@pytest.mark.parametrize(("most", "word"), [(64, "timeout"), (0, "resolver_busy")])
def test_a_name_that_nobody_could_ask_for_is_not_called_wrong(
    silent: threading.Event, monkeypatch: pytest.MonkeyPatch, most: int, word: str
) -> None:
    monkeypatch.setattr(courier, "NAME_SECONDS", 0.1)
    monkeypatch.setattr(courier, "_resolver", Resolver(most))
    with pytest.raises(courier.NotSentError, match=word):
        courier.look_up(URL)


@pytest.mark.django_db(transaction=True)
def test_an_endpoint_whose_name_is_silent_is_not_added_and_says_so(
    power_bank: Shop, silent: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(courier, "NAME_SECONDS", 0.1)
    with override("en"), pytest.raises(Unavailable, match="in time"):
        merchants.add_endpoint(power_bank.merchant.id, URL, by=BY, at=NOON)
    assert not WebhookEndpoint.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_a_merchant_has_one_address_asked_at_a_time_and_its_neighbour_too(
    power_bank: Shop, silent: threading.Event
) -> None:
    neighbour = make_shop("邻居")

    def add(shop: Shop) -> WebhookEndpoint:
        return merchants.add_endpoint(shop.merchant.id, URL, by=BY, at=NOON)[0]

    threading.Timer(0.3, silent.set).start()
    *mine, theirs = at_once(lambda: add(power_bank), lambda: add(power_bank), lambda: add(neighbour))
    assert sorted(type(each).__name__ for each in mine) == ["RateLimited", "WebhookEndpoint"]
    assert next(each for each in mine if isinstance(each, RateLimited)).retry_after
    assert isinstance(theirs, WebhookEndpoint)
    assert add(power_bank).merchant_id == power_bank.merchant.id  # the turn was given back
