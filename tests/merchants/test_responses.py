"""Receivers that respond too much, too slowly, not at all, or with an untrusted certificate."""

import time
from pathlib import Path

import pytest

from merchants import http_client, webhook_sender
from merchants import services as merchants
from merchants.models import WebhookAttempt
from tests.conftest import NOON, Shop
from tests.merchants.receiver import (
    Behaviour,
    Handler,
    Request,
    create_certificate,
    endpoint_with_event,
    never_respond,
    only_delivery,
    server_tls_context,
)

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

    with endpoint_with_event(power_bank, huge):
        started = time.monotonic()
        merchants.deliver_due(power_bank.realm_id, at=NOON)
        assert time.monotonic() - started < 30
    attempt = WebhookAttempt.objects.get()
    assert attempt.succeeded
    assert len(attempt.excerpt.encode()) <= 1_000
    assert attempt.excerpt.startswith("<script>\ufffd\ufffd[2J\ufffd中")
    assert sent < 20_000_000


def drips(handler: Handler, _request: Request) -> None:
    """Send a byte at a time, for ever, so that no single read takes long."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    while not handler.server.ended.wait(0.05):
        handler.wfile.write(b"x")


def drips_a_body(handler: Handler, _request: Request) -> None:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    while not handler.server.ended.wait(0.05):
        handler.wfile.write(b"x")


@pytest.mark.parametrize("behave", [never_respond, drips, drips_a_body])
def test_whatever_the_receiver_does_it_takes_no_longer_than_the_budget(
    power_bank: Shop, behave: Behaviour, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhook_sender, "TIMEOUT_SECONDS", 0.6)
    with endpoint_with_event(power_bank, behave):
        started = time.monotonic()
        merchants.deliver_due(power_bank.realm_id, at=NOON)
        assert 0.5 < time.monotonic() - started < 8
    assert (only_delivery().state, only_delivery().reason) == ("pending", "timeout")
    assert 500 < WebhookAttempt.objects.get().latency_ms < 8_000


def nonsense(handler: Handler, _request: Request) -> None:
    handler.wfile.write(b"\x00\x01\x02 this is no HTTP\r\n\r\n")


def hangs_up(handler: Handler, _request: Request) -> None:
    handler.connection.close()


@pytest.mark.parametrize("behave", [nonsense, hangs_up])
def test_an_invalid_response_is_a_failure(power_bank: Shop, behave: Behaviour) -> None:
    with endpoint_with_event(power_bank, behave):
        merchants.deliver_due(power_bank.realm_id, at=NOON)
    assert (only_delivery().state, only_delivery().reason) == ("pending", "broken_answer")


def test_a_closed_port_is_a_failure(power_bank: Shop) -> None:
    with endpoint_with_event(power_bank):
        pass
    merchants.deliver_due(power_bank.realm_id, at=NOON)
    assert (only_delivery().state, only_delivery().reason) == ("pending", "refused")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return create_certificate(tmp_path_factory.mktemp("tls"))


def test_an_untrusted_certificate_is_refused_before_sending(power_bank: Shop, certificate: Path) -> None:
    with endpoint_with_event(power_bank, tls=server_tls_context(certificate)) as server:
        merchants.deliver_due(power_bank.realm_id, at=NOON)
        assert server.requests == []
    assert (only_delivery().state, only_delivery().reason) == ("pending", "tls")


def test_a_trusted_certificate_is_accepted(
    power_bank: Shop, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate / "cert.pem"))
    http_client.tls_context.cache_clear()
    try:
        with endpoint_with_event(power_bank, tls=server_tls_context(certificate)) as server:
            merchants.deliver_due(power_bank.realm_id, at=NOON)
            assert len(server.requests) == 1
    finally:
        http_client.tls_context.cache_clear()
    assert only_delivery().state == "delivered"
