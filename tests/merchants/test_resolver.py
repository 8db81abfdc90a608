"""Host names whose DNS servers do not respond: lookups time out, and do not block others."""

import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from django.utils.translation import override

from kernel.rate_limits import RateLimited
from kernel.refusal import Unavailable
from merchants import services as merchants
from merchants import webhook_sender
from merchants.models import WebhookEndpoint
from merchants.resolver import DnsTimeoutError, Resolver, TooManyLookupsError
from tests.conftest import BY, NOON, Shop, make_shop
from tests.threads import run_concurrently

URL = "http://localhost:9/"


@pytest.fixture
def silent(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Lookups block until this event is set."""
    spoken = threading.Event()

    def resolve(*_args: Any, **_how: Any) -> list[Any]:
        spoken.wait(20)
        return [(socket.AF_INET, 1, 6, "", ("127.0.0.1", 9))]

    monkeypatch.setattr("socket.getaddrinfo", resolve)
    monkeypatch.setattr(webhook_sender, "_resolver", Resolver())
    yield spoken
    spoken.set()


def test_dns_has_a_share_of_the_time_limit(silent: threading.Event, monkeypatch: pytest.MonkeyPatch) -> None:
    assert webhook_sender.DNS_TIMEOUT_SECONDS < webhook_sender.TIMEOUT_SECONDS
    monkeypatch.setattr(webhook_sender, "DNS_TIMEOUT_SECONDS", 0.2)
    started = time.monotonic()
    outcome = webhook_sender.post(webhook_sender.WebhookRequest(URL, {}, b"{}"), now=lambda: NOON)
    assert (outcome.status, outcome.error) == (None, "timeout")
    assert time.monotonic() - started < 10


def test_the_number_of_concurrent_lookups_is_limited(silent: threading.Event) -> None:
    few = Resolver(2)
    for _ in range(2):
        with pytest.raises(DnsTimeoutError):
            few.resolve("silent.example", 443, timeout=0.05)
    started = time.monotonic()
    with pytest.raises(TooManyLookupsError):
        few.resolve("well.example", 443, timeout=0.1)
    assert time.monotonic() - started < 10
    silent.set()
    assert few.resolve("well.example", 443, timeout=5) == ["127.0.0.1"]


@pytest.mark.parametrize(("most", "word"), [(64, "timeout"), (0, "resolver_busy")])
def test_a_lookup_that_could_not_start_is_not_reported_as_unknown_host(
    silent: threading.Event, monkeypatch: pytest.MonkeyPatch, most: int, word: str
) -> None:
    monkeypatch.setattr(webhook_sender, "DNS_TIMEOUT_SECONDS", 0.1)
    monkeypatch.setattr(webhook_sender, "_resolver", Resolver(most))
    with pytest.raises(webhook_sender.NotSentError, match=word):
        webhook_sender.resolve_url(URL)


@pytest.mark.django_db(transaction=True)
def test_an_endpoint_whose_lookup_times_out_is_refused(
    power_bank: Shop, silent: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhook_sender, "DNS_TIMEOUT_SECONDS", 0.1)
    with override("en"), pytest.raises(Unavailable, match="in time"):
        merchants.add_endpoint(power_bank.merchant.id, URL, by=BY, at=NOON)
    assert not WebhookEndpoint.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_each_merchant_has_one_outbound_call_at_a_time(power_bank: Shop, silent: threading.Event) -> None:
    neighbour = make_shop("邻居")

    def add(shop: Shop) -> WebhookEndpoint:
        return merchants.add_endpoint(shop.merchant.id, URL, by=BY, at=NOON)[0]

    threading.Timer(0.3, silent.set).start()
    *mine, theirs = run_concurrently(lambda: add(power_bank), lambda: add(power_bank), lambda: add(neighbour))
    assert sorted(type(each).__name__ for each in mine) == ["RateLimited", "WebhookEndpoint"]
    assert next(each for each in mine if isinstance(each, RateLimited)).retry_after
    assert isinstance(theirs, WebhookEndpoint)
    assert add(power_bank).merchant_id == power_bank.merchant.id  # the turn was given back
