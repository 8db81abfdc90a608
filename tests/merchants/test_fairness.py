"""Slow or dead endpoints do not delay others, and have few deliveries in flight."""

import threading
import time
from datetime import timedelta
from types import ModuleType
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from kernel.models import Realm
from merchants import services as merchants
from merchants import tasks, webhook_sender
from merchants.models import WebhookDelivery, WebhookEndpoint
from merchants.rules.webhooks import Outcome
from merchants.services import NewEvent, deliver
from merchants.services.events import publish
from merchants.services.webhook_requests import send_request
from tests.conftest import BY, NOON, Shop, make_shop
from tests.merchants.receiver import ReceiverServer, never_respond, receiver, respond_with

pytestmark = pytest.mark.django_db(transaction=True)
DEAD, EVENTS = 20, 30


def publish_events(shop: Shop, count: int) -> None:
    """Publish this many events of the shop."""
    keys = [shop.service.id] * count
    publish(
        [NewEvent(shop.merchant.id, "order.opened", key, {"n": n}) for n, key in enumerate(keys)],
        realm_id=shop.realm_id,
        at=NOON,
    )


def shops_with_dead_endpoint(dead: ReceiverServer) -> list[Shop]:
    """Sandboxes with twenty endpoints in total that never respond, each with due deliveries."""
    shops = [make_shop(f"停机 {n}") for n in range(2)]
    for shop in shops:
        for n in range(DEAD // len(shops)):
            merchants.add_endpoint(shop.merchant.id, dead.url(f"/{shop.realm_id}/{n}"), by=BY, at=NOON)
        publish_events(shop, 10)
    return shops


def test_twenty_dead_endpoints_do_not_delay_a_healthy_one(power_bank: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhook_sender, "TIMEOUT_SECONDS", 6.0)
    with receiver(never_respond) as dead, receiver() as well:
        shops_with_dead_endpoint(dead)
        merchants.add_endpoint(power_bank.merchant.id, well.url(), by=BY, at=NOON)
        publish_events(power_bank, EVENTS)
        started = time.monotonic()
        ring = threading.Thread(target=tasks.deliver_webhooks)
        ring.start()
        while len(well.requests) < EVENTS and time.monotonic() - started < 5.5:
            time.sleep(0.01)
        took = time.monotonic() - started
        assert len(well.requests) == EVENTS
        assert took < 5.5  # before the first of the dead has run out of time
        in_flight = len(dead.requests)
        ring.join(20)
        assert DEAD <= in_flight <= DEAD * deliver.ENDPOINT_MAX
    assert WebhookEndpoint.objects.filter(failing_from__isnull=False).count() == DEAD


def test_failing_endpoints_have_a_task_of_their_own(power_bank: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhook_sender, "TIMEOUT_SECONDS", 1.0)
    with receiver(never_respond) as dead, receiver() as well:
        shops_with_dead_endpoint(dead)
        tasks.deliver_webhooks()
        merchants.add_endpoint(power_bank.merchant.id, well.url(), by=BY, at=NOON)
        publish_events(power_bank, 3)
        dead.requests.clear()
        monkeypatch.setattr(webhook_sender, "TIMEOUT_SECONDS", 10.0)
        started = time.monotonic()
        tasks.deliver_webhooks()
        assert time.monotonic() - started < 9
        assert (len(well.requests), len(dead.requests)) == (3, 0)


def test_an_endpoint_that_fails_is_tried_one_at_a_time(power_bank: Shop) -> None:
    merchants.add_endpoint(power_bank.merchant.id, "http://127.0.0.1:9/", by=BY, at=NOON)
    publish_events(power_bank, 10)
    now = {power_bank.realm_id: NOON}
    first, _ = deliver.claim_due(now, limit=50)
    assert len(first) == deliver.ENDPOINT_MAX
    assert deliver.claim_due(now, limit=50) == ([], 0)
    deliver.settle([(one, send_request(one)) for one in first])
    again, _ = deliver.claim_due(now, limit=50)
    assert len(again) == deliver.FAILING_ENDPOINT_MAX
    assert deliver.claim_due(now, limit=50, failing=(False,)) == ([], 0)


def test_a_merchant_has_a_limited_number_of_deliveries_in_flight(power_bank: Shop) -> None:
    busy, part = make_shop("繁忙"), deliver.MERCHANT_MAX
    for shop, endpoints in ((busy, 12), (power_bank, 1)):
        for n in range(endpoints):
            merchants.add_endpoint(shop.merchant.id, f"http://127.0.0.1:9/{n}", by=BY, at=NOON)
        publish_events(shop, 10)
    now = {busy.realm_id: NOON, power_bank.realm_id: NOON}
    claimed, _ = deliver.claim_due(now, limit=90)
    theirs = [one.endpoint_id for one in claimed if one.endpoint_id in endpoints_of(busy)]
    assert (len(theirs), len(claimed) - len(theirs)) == (part, deliver.ENDPOINT_MAX)
    assert set(theirs) == endpoints_of(busy)  # each of them has its first under way
    assert deliver.claim_due(now, limit=90) == ([], 0)
    one = next(each for each in claimed if each.endpoint_id in endpoints_of(busy))
    deliver.settle([(one, Outcome(200, 1))])
    assert [each.endpoint_id in endpoints_of(busy) for each in deliver.claim_due(now, limit=90)[0]] == [True]


def endpoints_of(shop: Shop) -> set[Any]:
    return set(shop.merchant.webhook_endpoints.values_list("id", flat=True))


def test_claimed_deliveries_are_skipped_by_other_workers(power_bank: Shop) -> None:
    with receiver() as well:
        for n in range(5):
            merchants.add_endpoint(power_bank.merchant.id, well.url(f"/{n}"), by=BY, at=NOON)
        publish_events(power_bank, 20)
        workers = [
            threading.Thread(
                target=merchants.deliver_due, args=(power_bank.realm_id,), kwargs={"at": NOON, "limit": 200}
            )
            for _ in range(3)
        ]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join(30)
        assert len(well.requests) == 100
        assert len({(request.path, request.headers["webhook-id"]) for request in well.requests}) == 100
    assert set(WebhookDelivery.objects.values_list("state", "tries")) == {("delivered", 1)}


def test_a_round_returns_at_once_while_another_is_claiming(power_bank: Shop) -> None:
    merchants.add_endpoint(power_bank.merchant.id, "http://127.0.0.1:9/", by=BY, at=NOON)
    publish_events(power_bank, 1)
    turn = threading.Lock()
    with turn:
        deliver.deliver_all_realms(lambda: {power_bank.realm_id: NOON}, failing=False, claim_lock=turn)
    assert WebhookDelivery.objects.get().tries == 0


def test_each_realm_is_served_by_its_own_time(power_bank: Shop) -> None:
    ahead = make_shop("未来", ceiling_minor=100)
    Realm.objects.filter(pk=ahead.realm_id).update(clock_offset=timedelta(days=30))
    with receiver() as well:
        for shop in (power_bank, ahead):
            merchants.add_endpoint(shop.merchant.id, well.url(f"/{shop.realm_id}"), by=BY, at=NOON)
            publish_events(shop, 1)
        WebhookDelivery.objects.update(next_at=NOON + timedelta(days=25))
        tasks.deliver_webhooks()
        assert [request.path for request in well.requests] == [f"/{ahead.realm_id}"]


#: What no calendar has, though it looks like a date; and what is no header at all.
ABSURD = (
    "Mon, 01 Jan 2024 00:00:00 +9999999999999999",
    "Mon, 01 Jan 99999999999999999999 00:00:00 GMT",
    "Fri, 31 Dec 9999 23:59:59 -2359",
    "Mon, 99 Jan 2024 99:99:99 GMT",
    "９" * 40,
    "-1",
    "",
)


@pytest.mark.parametrize("status", [200, 429, 503])
@pytest.mark.parametrize("asked", ABSURD)
def test_an_absurd_retry_after_is_no_more_than_one_answer(asked: str, status: int) -> None:
    with receiver(respond_with(status, Retry_After=asked.encode().decode("latin-1"))) as server:
        outcome = webhook_sender.post(webhook_sender.WebhookRequest(server.url(), {}, b"{}"), now=lambda: NOON)
    assert (outcome.status, outcome.error) == (status, "")


@pytest.mark.parametrize("way", ["ring", "moved on"])
@pytest.mark.parametrize(("module", "name"), [(webhook_sender, "parse_target"), (deliver, "sign_request")])
def test_an_unexpected_error_affects_only_one_delivery(
    power_bank: Shop, monkeypatch: pytest.MonkeyPatch, way: str, module: ModuleType, name: str
) -> None:
    """An unexpected exception in sending one delivery fails only that one."""
    strange, real = make_shop("怪"), getattr(module, name)

    def breaks(of: Any) -> Any:
        if "/strange" in (of if isinstance(of, str) else of.request.url):
            raise RuntimeError("never thought of")
        return real(of)

    with receiver() as well:
        merchants.add_endpoint(strange.merchant.id, well.url("/strange"), by=BY, at=NOON)
        merchants.add_endpoint(power_bank.merchant.id, well.url(), by=BY, at=NOON)
        monkeypatch.setattr(module, name, breaks)
        publish_events(strange, 4)
        publish_events(power_bank, 12)
        times = {shop.realm_id: NOON for shop in (strange, power_bank)}
        if way == "ring":
            deliver.deliver_all_realms(lambda: times, failing=False, claim_lock=threading.Lock())
        else:
            for realm, at in times.items():
                deliver.deliver_due(realm, at=at)
        assert len(well.requests) == 12
    assert {row.state for row in WebhookDelivery.objects.filter(endpoint__merchant=power_bank.merchant)} == {
        "delivered"
    }
    waiting = WebhookDelivery.objects.filter(endpoint__merchant=strange.merchant, state="pending", leased_until=None)
    assert {(row.reason, row.next_at > NOON) for row in waiting} == {("broken", True)}
    assert waiting.count() == 4
    assert WebhookEndpoint.objects.get(merchant=strange.merchant).failing_from == NOON


@pytest.mark.breaks_invariants
@pytest.mark.parametrize("spoilt", [b"k0:of a key that is not listed", b"k1:short", b""])
def test_an_unreadable_secret_affects_only_its_endpoint(power_bank: Shop, spoilt: bytes) -> None:
    other = make_shop("钥匙丢了")
    with receiver() as well:
        dark, _ = merchants.add_endpoint(other.merchant.id, well.url("/dark"), by=BY, at=NOON)
        merchants.add_endpoint(power_bank.merchant.id, well.url(), by=BY, at=NOON)
        WebhookEndpoint.objects.filter(pk=dark.pk).update(secret=spoilt)
        publish_events(other, 2)
        publish_events(power_bank, 3)
        times = {shop.realm_id: NOON for shop in (other, power_bank)}
        deliver.deliver_all_realms(lambda: times, failing=False, claim_lock=threading.Lock())
        assert [request.path for request in well.requests] == ["/hooks"] * 3
        given_up = WebhookDelivery.objects.filter(endpoint=dark)
        assert {(row.state, row.reason) for row in given_up} == {("given_up", "secret_unreadable")}
        merchants.rotate_secret(other.merchant.id, dark.id, by=BY, at=NOON)
        merchants.redeliver_failed(other.merchant.id, dark.id, since=NOON, by=BY, at=NOON)
        deliver.deliver_all_realms(lambda: times, failing=False, claim_lock=threading.Lock())
        assert [request.path for request in well.requests[3:]] == ["/dark"] * 2


@pytest.mark.parametrize(("troubled", "fewest", "most"), [(False, 2, 7), (True, 1, 1)])
def test_while_nothing_finishes_due_deliveries_are_polled_with_a_pause(
    troubled: bool,  # noqa: FBT001  one of two lanes
    fewest: int,
    most: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[float] = []
    monkeypatch.setattr(deliver, "claim_due", lambda *_now, **_of: (asked.append(time.monotonic()), ([], 0))[1])
    monkeypatch.setattr(deliver, "ROUND_SECONDS", 0.6)
    in_flight = deliver.DeliveryRound()
    in_flight.in_flight[uuid4(), 1] = object(), time.monotonic()  # type: ignore[assignment]  nobody looks at it
    in_flight.claim_while_due(lambda: {1: NOON}, failing=(troubled,))
    assert fewest <= len(asked) <= most


@pytest.mark.breaks_invariants
def test_a_ping_that_cannot_be_signed_says_so(power_bank: Shop) -> None:
    with receiver() as well:
        dark, _ = merchants.add_endpoint(power_bank.merchant.id, well.url(), by=BY, at=NOON)
        WebhookEndpoint.objects.update(secret=b"k1:short")
        ping = merchants.ping_endpoint(power_bank.merchant.id, dark.id, by=BY, at=NOON)
        assert well.requests == []
    assert (ping.outcome.succeeded, ping.outcome.reason) == (False, "secret_unreadable")
    assert WebhookDelivery.objects.get(event=ping.event).reason == "secret_unreadable"


def test_claiming_does_not_wait_for_the_disk_and_settling_does(power_bank: Shop) -> None:
    merchants.add_endpoint(power_bank.merchant.id, "http://127.0.0.1:9/", by=BY, at=NOON)
    publish_events(power_bank, 1)
    before = commits()
    with CaptureQueriesContext(connection) as sent:
        [one], _ = deliver.claim_due({power_bank.realm_id: NOON}, limit=5)
    assert sum("synchronous_commit = off" in query["sql"] for query in sent.captured_queries) == 1
    with CaptureQueriesContext(connection) as sent:
        deliver.settle([(one, Outcome(200, 1))])
    assert not any("synchronous_commit" in query["sql"] for query in sent.captured_queries)
    assert commits() == before


def commits() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SHOW synchronous_commit")
        return str(cursor.fetchone()[0])
