"""Only public https URLs are permitted for webhooks, both when saving an endpoint and when sending."""

import errno
import socket
from collections.abc import Iterator
from datetime import UTC, datetime
from ipaddress import ip_address, ip_network
from typing import Any

import pytest
from aiohttp import connector
from django.conf import LazySettings

from merchants import services as merchants
from merchants import webhook_sender
from merchants.models import WebhookAttempt, WebhookDelivery, WebhookEndpoint
from merchants.rules.webhook_urls import AddressPolicy, parse_webhook_url
from tests.conftest import BY, NOON, Shop, make_agreement, make_person
from tests.merchants.receiver import ReceiverServer, receiver
from tests.unchanged import assert_unchanged

PUBLIC, INNER = "93.184.215.14", "10.0.0.5"
#: PORT is the trap's: whoever goes there is seen.
HOSTILE = [
    "https://127.0.0.1/",
    "https://127.0.0.1:PORT/",
    "https://127.1/",
    "https://127.1:PORT/",
    "https://0x7f000001/",
    "https://0x7f000001:PORT/",
    "https://0x7f.0.0.1:PORT/",
    "https://2130706433:PORT/",
    "https://017700000001:PORT/",
    "https://0177.0.0.1:PORT/",
    "https://127.0.0.1.:PORT/",
    "https://0:PORT/",
    "https://0.0.0.0:PORT/",
    "https://localhost/",
    "https://localhost:PORT/",
    "https://LOCALHOST:PORT/",
    "https://localhost.:PORT/",
    "https://①②⑦.0.0.1:PORT/",
    "https://127。0。0。1:PORT/",
    "https://lоcalhost:PORT/",
    "https://[::1]/",
    "https://[::1]:PORT/",
    "https://[0:0:0:0:0:0:0:1]:PORT/",
    "https://[::ffff:127.0.0.1]:PORT/",
    "https://[::ffff:7f00:1]/",
    "https://[::127.0.0.1]/",
    "https://[::]:PORT/",
    "https://[64:ff9b::7f00:1]/",
    "https://[64:ff9b::a9fe:a9fe]/",
    "https://[64:ff9b:1::7f00:1]/",
    "https://[2002:7f00:1::]/",
    "https://[2001:0:7f00:1::]/",
    "https://[fe80::1]/",
    "https://[fe80::1%25lo]/",
    "https://[fec0::1]/",
    "https://[fc00::1]/",
    "https://[fd00:ec2::254]/",
    "https://[ff02::1]/",
    "https://[100::1]/",
    "https://[2001:db8::1]/",
    "https://[5f00::1]/",
    "https://10.0.0.1/",
    "https://172.16.0.1/",
    "https://172.31.255.255/",
    "https://192.168.1.1/",
    "https://169.254.169.254/latest/meta-data/",
    "https://100.100.100.200/",
    "https://100.64.0.1/",
    "https://192.0.0.8/",
    "https://192.0.0.192/",
    "https://192.0.2.1/",
    "https://192.88.99.1/",
    "https://198.18.0.1/",
    "https://198.51.100.1/",
    "https://203.0.113.1/",
    "https://224.0.0.1/",
    "https://239.255.255.250/",
    "https://240.0.0.1/",
    "https://255.255.255.255/",
    "http://93.184.215.14/",
    "http://127.0.0.1:PORT/",
    "https://93.184.215.14:PORT/",
    "https://93.184.215.14:22/",
    "https://93.184.215.14:0/",
    "https://93.184.215.14:65536/",
    "https://93.184.215.14:-1/",
    "https://93.184.215.14:0443/",
    "https://user@127.0.0.1:PORT/",
    "https://user:word@93.184.215.14/",
    "https://93.184.215.14@127.0.0.1:PORT/",
    "https://93.184.215.14:443@127.0.0.1:PORT/",
    "https://127.0.0.1:PORT\\@93.184.215.14/",
    "https://93.184.215.14#@127.0.0.1:PORT/",
    "https://127.0.0.1%2f:PORT/",
    "https://127.0.0.1\t:PORT/",
    "https://127.0.0.1\r\nHost: x/",
    "https://93.184.215.14/\r\nX-Injected: 1",
    "https://93.184.215.14/ x",
    "https:///127.0.0.1:PORT/",
    "https:127.0.0.1:PORT/",
    "//127.0.0.1:PORT/",
    "127.0.0.1:PORT",
    "file:///etc/passwd",
    "gopher://127.0.0.1:PORT/_x",
    "ftp://127.0.0.1:PORT/",
    "unix:///var/run/x.sock",
    "javascript:alert(1)",
    "data:text/plain,x",
    "https://",
    "https://.",
    "https://-.example/",
    "https://a..b/",
    "https://[/",
    "https://[127.0.0.1]:PORT/",
    "https://" + "a" * 64 + ".example/",
    "https://x.example/" + "a" * 500,
    "",
    "\0",
]


@pytest.fixture
def trap() -> Iterator[ReceiverServer]:
    """A local server that must not be reached."""
    with receiver() as server:
        yield server


@pytest.fixture
def production(settings: LazySettings) -> None:
    settings.WEBHOOKS_AT_HOME = False


def resolve_to(monkeypatch: pytest.MonkeyPatch, *answers: list[str]) -> list[str]:
    """Replace the resolver by one that returns these answers in turn, and then the last one for ever."""
    left, asked = list(answers), list[str]()

    def resolve(host: str, port: int, **_how: Any) -> list[Any]:
        asked.append(host)
        found = left.pop(0) if len(left) > 1 else left[0]
        return [(socket.AF_INET6 if ":" in one else socket.AF_INET, 1, 6, "", (one, port)) for one in found]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    return asked


def test_the_list_of_hostile_urls_is_long_enough() -> None:
    assert len(set(HOSTILE)) >= 60


@pytest.mark.django_db(transaction=True)
def test_no_hostile_address_is_saved_and_none_that_was_is_sent_to(
    power_bank: Shop, trap: ReceiverServer, production: None
) -> None:
    port = str(trap.server_address[1])
    with assert_unchanged():
        for url in HOSTILE:
            with pytest.raises((merchants.ForbiddenAddress, merchants.AddressNotFound)):
                merchants.add_endpoint(power_bank.merchant.id, url.replace("PORT", port), by=BY, at=NOON)
    for url in HOSTILE:
        parcel = webhook_sender.WebhookRequest(url.replace("PORT", port), {}, b"{}")
        outcome = webhook_sender.post(parcel, now=lambda: datetime.now(UTC))  # noqa: TID251
        assert (outcome.status, outcome.error) in ((None, "forbidden_address"), (None, "unknown_host")), url
    assert trap.requests == []


@pytest.mark.parametrize("inner", ["127.0.0.1", "::1", "::ffff:127.0.0.1", INNER, "169.254.169.254", "100.100.100.200"])
@pytest.mark.django_db(transaction=True)
def test_a_host_that_became_private_after_saving_is_not_sent_to(
    power_bank: Shop, trap: ReceiverServer, settings: LazySettings, monkeypatch: pytest.MonkeyPatch, inner: str
) -> None:
    settings.WEBHOOKS_AT_HOME, settings.WEBHOOK_PORTS = False, {443, trap.server_address[1]}
    resolve_to(monkeypatch, [PUBLIC], [inner])
    url = f"https://rebinding.example:{trap.server_address[1]}/"
    merchants.add_endpoint(power_bank.merchant.id, url, by=BY, at=NOON)
    make_agreement(power_bank, make_person(power_bank))

    merchants.deliver_due(power_bank.realm_id, at=NOON)

    row = WebhookDelivery.objects.get()
    assert (row.state, row.reason) == ("pending", "forbidden_address")
    assert WebhookAttempt.objects.get().status is None
    assert trap.requests == []


def test_one_private_address_among_public_ones_is_refused(monkeypatch: pytest.MonkeyPatch, production: None) -> None:
    resolve_to(monkeypatch, [PUBLIC, INNER])
    with pytest.raises(webhook_sender.NotSentError, match="forbidden_address"):
        webhook_sender.resolve_url("https://two.example/")


def test_the_host_is_resolved_once_and_connected_by_the_checked_address(
    monkeypatch: pytest.MonkeyPatch, production: None
) -> None:
    asked = resolve_to(monkeypatch, [PUBLIC], ["127.0.0.1"])
    tried = list[Any]()

    async def connect(*, addr_infos: list[Any], **_how: Any) -> socket.socket:
        tried.extend(way[4] for way in addr_infos)
        raise ConnectionRefusedError(errno.ECONNREFUSED, "refused")

    monkeypatch.setattr(connector.aiohappyeyeballs, "start_connection", connect)
    outcome = webhook_sender.post(webhook_sender.WebhookRequest("https://once.example/", {}, b"{}"), now=lambda: NOON)
    assert (asked, tried, outcome.error) == (["once.example"], [(PUBLIC, 443)], "refused")


@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "HTTP_PROXY", "http_proxy"])
def test_proxies_of_the_environment_are_ignored(
    trap: ReceiverServer, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv(variable, "http://127.0.0.1:9")
    outcome = webhook_sender.post(webhook_sender.WebhookRequest(trap.url(), {}, b"{}"), now=lambda: NOON)
    assert outcome.succeeded


def test_locally_loopback_is_permitted_and_other_private_addresses_are_not(trap: ReceiverServer) -> None:
    server = AddressPolicy(allow_local=True)
    assert server.allows("127.0.0.1")
    assert server.allows("::1")
    assert not any(map(server.allows, [INNER, "169.254.169.254", "192.168.0.1", "100.64.0.1", "fd00::1", "0.0.0.0"]))  # noqa: S104
    assert parse_webhook_url(trap.url(), server)
    assert parse_webhook_url(trap.url(), AddressPolicy()) is None


def test_first_and_last_address_of_each_denied_network_are_refused() -> None:
    special = "0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24 192.0.2.0/24"
    special += " 192.88.99.0/24 192.168.0.0/16 198.18.0.0/15 198.51.100.0/24 203.0.113.0/24 224.0.0.0/4 240.0.0.0/4"
    special += " ::/128 ::1/128 ::ffff:127.0.0.0/104 64:ff9b::/96 100::/64 2001:db8::/32 2002::/16 fc00::/7 fe80::/10"
    for text in special.split():
        network = ip_network(text)
        for address in (network[0], network[-1]):
            assert not AddressPolicy().allows(str(address)), address


@pytest.mark.parametrize("address", [PUBLIC, "1.1.1.1", "8.8.8.8", "2606:4700:4700::1111", "2a00:1450:4001::1"])
def test_a_public_address_is_let_pass(address: str) -> None:
    assert AddressPolicy().allows(address)
    assert ip_address(address).is_global


@pytest.mark.parametrize(
    "url",
    [
        "https://shop.example/hooks?a=1&b=%E4%B8%AD",
        "https://xn--fiq228c.example/",
        "https://93.184.215.14",
        "https://93.184.215.14:443/x",
        "https://[2606:4700:4700::1111]/x",
        "https://a-b.c_d.example:443/",
    ],
)
def test_a_plain_public_address_is_taken(url: str) -> None:
    target = parse_webhook_url(url, AddressPolicy())
    assert target
    assert target.port == 443
    assert target.path.startswith("/")


@pytest.mark.django_db(transaction=True)
def test_a_name_without_an_address_is_not_saved_and_says_so(
    power_bank: Shop, production: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def resolve(*_args: Any, **_how: Any) -> Any:
        raise socket.gaierror(socket.EAI_NONAME, "no such name")

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    with pytest.raises(merchants.AddressNotFound):
        merchants.add_endpoint(power_bank.merchant.id, "https://nowhere.example/", by=BY, at=NOON)
    assert not WebhookEndpoint.objects.exists()
