"""Receivers that answer too much, too slowly, not at all, or with a certificate nobody vouches for."""

import time
from pathlib import Path

import pytest

from merchants import client, courier
from merchants import services as merchants
from merchants.models import WebhookAttempt
from tests.conftest import NOON, Shop
from tests.merchants.receiver import Behaviour, Handler, Request, certificate_in, hangs, listening, the_delivery, tls

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_huge_answer_is_read_no_further_than_needed_and_kept_as_a_safe_excerpt(power_bank: Shop) -> None:
    sent = 0

    def huge(handler: Handler, _request: Request) -> None:
        nonlocal sent
        handler.send_response(200)
        handler.send_header("Content-Length", str(10**9))
        handler.end_headers()
        for _ in range(2_000):
            handler.wfile.write(b"<script>\x00\x1b[2J\xff" + "中".encode() * 5_000)
            sent += 15_000

    with listening(power_bank, huge):
        began = time.monotonic()
        merchants.deliver_due(power_bank.realm_id, at=NOON)
        assert time.monotonic() - began < 30
    attempt = WebhookAttempt.objects.get()
    assert attempt.good
    assert len(attempt.excerpt.encode()) <= 1_000
    assert attempt.excerpt.startswith("<script>\ufffd\ufffd[2J\ufffd中")
    assert sent < 20_000_000


def drips(handler: Handler, _request: Request) -> None:
    """A byte at a time, for ever: no single wait is long."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    while not handler.server.ended.wait(0.05):
        handler.wfile.write(b"x")


def drips_a_body(handler: Handler, _request: Request) -> None:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    while not handler.server.ended.wait(0.05):
        handler.wfile.write(b"x")


@pytest.mark.parametrize("behave", [hangs, drips, drips_a_body])
def test_whatever_the_receiver_does_it_takes_no_longer_than_the_budget(
    power_bank: Shop, behave: Behaviour, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(courier, "BUDGET_SECONDS", 0.6)
    with listening(power_bank, behave):
        began = time.monotonic()
        merchants.deliver_due(power_bank.realm_id, at=NOON)
        assert 0.5 < time.monotonic() - began < 8
    assert (the_delivery().state, the_delivery().reason) == ("pending", "timeout")
    assert 500 < WebhookAttempt.objects.get().latency_ms < 8_000


def nonsense(handler: Handler, _request: Request) -> None:
    handler.wfile.write(b"\x00\x01\x02 this is no HTTP\r\n\r\n")


def hangs_up(handler: Handler, _request: Request) -> None:
    handler.connection.close()


@pytest.mark.parametrize("behave", [nonsense, hangs_up])
def test_an_answer_that_is_none_is_a_failure(power_bank: Shop, behave: Behaviour) -> None:
    with listening(power_bank, behave):
        merchants.deliver_due(power_bank.realm_id, at=NOON)
    assert (the_delivery().state, the_delivery().reason) == ("pending", "broken_answer")


def test_a_closed_port_is_a_failure(power_bank: Shop) -> None:
    with listening(power_bank):
        pass
    merchants.deliver_due(power_bank.realm_id, at=NOON)
    assert (the_delivery().state, the_delivery().reason) == ("pending", "refused")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return certificate_in(tmp_path_factory.mktemp("tls"))


def test_a_certificate_nobody_vouches_for_is_refused_and_nothing_was_sent(power_bank: Shop, certificate: Path) -> None:
    with listening(power_bank, tls=tls(certificate)) as home:
        merchants.deliver_due(power_bank.realm_id, at=NOON)
        assert home.seen == []
    assert (the_delivery().state, the_delivery().reason) == ("pending", "tls")


def test_a_certificate_that_is_vouched_for_is_taken(
    power_bank: Shop, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate / "cert.pem"))
    client.trust.cache_clear()
    try:
        with listening(power_bank, tls=tls(certificate)) as home:
            merchants.deliver_due(power_bank.realm_id, at=NOON)
            assert len(home.seen) == 1
    finally:
        client.trust.cache_clear()
    assert the_delivery().state == "delivered"
