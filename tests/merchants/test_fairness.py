"""One slow or dead endpoint keeps nobody else waiting, and has little under way itself."""

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
from merchants import courier, tasks
from merchants import services as merchants
from merchants.models import WebhookDelivery, WebhookEndpoint
from merchants.rules.webhooks import Outcome
from merchants.services import News, deliver
from merchants.services.events import publish
from merchants.services.parcels import send
from tests.conftest import BY, NOON, Shop, make_shop
from tests.merchants.receiver import Server, hangs, receiver, says

pytestmark = pytest.mark.django_db(transaction=True)
DEAD, EVENTS = 20, 30


def tell(shop: Shop, count: int) -> None:
    """So many things happen to the shop's own orders."""
    keys = [shop.service.id] * count
    publish(
        [News(shop.merchant.id, "order.opened", key, {"n": n}) for n, key in enumerate(keys)],
        realm_id=shop.realm_id,
        at=NOON,
    )


def dead_shops(dead: Server) -> list[Shop]:
    """Sandboxes whose twenty endpoints take a request and never answer, each with events on their way."""
    shops = [make_shop(f"停机 {n}") for n in range(2)]
    for shop in shops:
        for n in range(DEAD // len(shops)):
            merchants.add_endpoint(shop.merchant.id, dead.url(f"/{shop.realm_id}/{n}"), by=BY, at=NOON)
        tell(shop, 10)
    return shops


def test_twenty_dead_endpoints_and_one_that_is_well(power_bank: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(courier, "BUDGET_SECONDS", 6.0)
    with receiver(hangs) as dead, receiver() as well:
        dead_shops(dead)
        merchants.add_endpoint(power_bank.merchant.id, well.url(), by=BY, at=NOON)
        tell(power_bank, EVENTS)
        began = time.monotonic()
        ring = threading.Thread(target=tasks.deliver_webhooks)
        ring.start()
        while len(well.seen) < EVENTS and time.monotonic() - began < 5.5:
            time.sleep(0.01)
        took = time.monotonic() - began
        assert len(well.seen) == EVENTS
        assert took < 5.5  # before the first of the dead has run out of time
        under_way = len(dead.seen)
        ring.join(20)
        assert DEAD <= under_way <= DEAD * deliver.WIDTH
    assert WebhookEndpoint.objects.filter(failing_from__isnull=False).count() == DEAD


def test_endpoints_that_fail_stand_in_a_line_of_their_own(power_bank: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(courier, "BUDGET_SECONDS", 1.0)
    with receiver(hangs) as dead, receiver() as well:
        dead_shops(dead)
        tasks.deliver_webhooks()
        merchants.add_endpoint(power_bank.merchant.id, well.url(), by=BY, at=NOON)
        tell(power_bank, 3)
        dead.seen.clear()
        monkeypatch.setattr(courier, "BUDGET_SECONDS", 10.0)
        began = time.monotonic()
        tasks.deliver_webhooks()
        assert time.monotonic() - began < 9
        assert (len(well.seen), len(dead.seen)) == (3, 0)


def test_an_endpoint_that_fails_is_tried_one_at_a_time(power_bank: Shop) -> None:
    merchants.add_endpoint(power_bank.merchant.id, "http://127.0.0.1:9/", by=BY, at=NOON)
    tell(power_bank, 10)
    now = {power_bank.realm_id: NOON}
    first, _ = deliver.take_up(now, limit=50)
    assert len(first) == deliver.WIDTH
    assert deliver.take_up(now, limit=50) == ([], 0)
    deliver.settle([(one, send(one)) for one in first])
    again, _ = deliver.take_up(now, limit=50)
    assert len(again) == deliver.WIDTH_TROUBLED
    assert deliver.take_up(now, limit=50, lanes=(False,)) == ([], 0)


def test_one_merchant_has_no_more_than_its_part_of_what_is_under_way(power_bank: Shop) -> None:
    busy, part = make_shop("繁忙"), deliver.WIDTH_MERCHANT
    for shop, endpoints in ((busy, 12), (power_bank, 1)):
        for n in range(endpoints):
            merchants.add_endpoint(shop.merchant.id, f"http://127.0.0.1:9/{n}", by=BY, at=NOON)
        tell(shop, 10)
    now = {busy.realm_id: NOON, power_bank.realm_id: NOON}
    taken, _ = deliver.take_up(now, limit=90)
    theirs = [one.endpoint_id for one in taken if one.endpoint_id in endpoints_of(busy)]
    assert (len(theirs), len(taken) - len(theirs)) == (part, deliver.WIDTH)
    assert set(theirs) == endpoints_of(busy)  # each of them has its first under way
    assert deliver.take_up(now, limit=90) == ([], 0)
    one = next(each for each in taken if each.endpoint_id in endpoints_of(busy))
    deliver.settle([(one, Outcome(200, 1))])
    assert [each.endpoint_id in endpoints_of(busy) for each in deliver.take_up(now, limit=90)[0]] == [True]


def endpoints_of(shop: Shop) -> set[Any]:
    return set(shop.merchant.webhook_endpoints.values_list("id", flat=True))


def test_what_one_worker_holds_another_passes_over(power_bank: Shop) -> None:
    with receiver() as well:
        for n in range(5):
            merchants.add_endpoint(power_bank.merchant.id, well.url(f"/{n}"), by=BY, at=NOON)
        tell(power_bank, 20)
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
        assert len(well.seen) == 100
        assert len({(request.path, request.headers["webhook-id"]) for request in well.seen}) == 100
    assert set(WebhookDelivery.objects.values_list("state", "tries")) == {("delivered", 1)}


def test_a_ring_that_comes_while_another_takes_up_goes_home_at_once(power_bank: Shop) -> None:
    merchants.add_endpoint(power_bank.merchant.id, "http://127.0.0.1:9/", by=BY, at=NOON)
    tell(power_bank, 1)
    turn = threading.Lock()
    with turn:
        deliver.deliver_everywhere(lambda: {power_bank.realm_id: NOON}, troubled=False, turn=turn)
    assert WebhookDelivery.objects.get().tries == 0


def test_each_realm_is_served_by_its_own_time(power_bank: Shop) -> None:
    ahead = make_shop("未来", ceiling_minor=100)
    Realm.objects.filter(pk=ahead.realm_id).update(clock_offset=timedelta(days=30))
    with receiver() as well:
        for shop in (power_bank, ahead):
            merchants.add_endpoint(shop.merchant.id, well.url(f"/{shop.realm_id}"), by=BY, at=NOON)
            tell(shop, 1)
        WebhookDelivery.objects.update(next_at=NOON + timedelta(days=25))
        tasks.deliver_webhooks()
        assert [request.path for request in well.seen] == [f"/{ahead.realm_id}"]


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
    with receiver(says(status, Retry_After=asked.encode().decode("latin-1"))) as home:
        outcome = courier.post(courier.Parcel(home.url(), {}, b"{}"), real=lambda: NOON)
    assert (outcome.status, outcome.error) == (status, "")


@pytest.mark.parametrize("way", ["ring", "moved on"])
@pytest.mark.parametrize(("module", "name"), [(courier, "plain_target"), (deliver, "signed")])
def test_one_that_breaks_takes_nobody_along(
    power_bank: Shop, monkeypatch: pytest.MonkeyPatch, way: str, module: ModuleType, name: str
) -> None:
    """Something nobody thought of goes wrong in sending to one; it is that one's end alone."""
    strange, real = make_shop("怪"), getattr(module, name)

    def breaks(of: Any) -> Any:
        if "/strange" in (of if isinstance(of, str) else of.parcel.url):
            raise RuntimeError("never thought of")
        return real(of)

    with receiver() as well:
        merchants.add_endpoint(strange.merchant.id, well.url("/strange"), by=BY, at=NOON)
        merchants.add_endpoint(power_bank.merchant.id, well.url(), by=BY, at=NOON)
        monkeypatch.setattr(module, name, breaks)
        tell(strange, 4)
        tell(power_bank, 12)
        times = {shop.realm_id: NOON for shop in (strange, power_bank)}
        if way == "ring":
            deliver.deliver_everywhere(lambda: times, troubled=False, turn=threading.Lock())
        else:
            for realm, at in times.items():
                deliver.deliver_due(realm, at=at)
        assert len(well.seen) == 12
    assert {row.state for row in WebhookDelivery.objects.filter(endpoint__merchant=power_bank.merchant)} == {
        "delivered"
    }
    waiting = WebhookDelivery.objects.filter(endpoint__merchant=strange.merchant, state="pending", leased_until=None)
    assert {(row.reason, row.next_at > NOON) for row in waiting} == {("broken", True)}
    assert waiting.count() == 4
    assert WebhookEndpoint.objects.get(merchant=strange.merchant).failing_from == NOON


@pytest.mark.breaks_the_house
@pytest.mark.parametrize("spoilt", [b"k0:of a key that is not listed", b"k1:short", b""])
def test_a_secret_that_does_not_open_takes_nobody_along(power_bank: Shop, spoilt: bytes) -> None:
    other = make_shop("钥匙丢了")
    with receiver() as well:
        dark, _ = merchants.add_endpoint(other.merchant.id, well.url("/dark"), by=BY, at=NOON)
        merchants.add_endpoint(power_bank.merchant.id, well.url(), by=BY, at=NOON)
        WebhookEndpoint.objects.filter(pk=dark.pk).update(secret=spoilt)
        tell(other, 2)
        tell(power_bank, 3)
        times = {shop.realm_id: NOON for shop in (other, power_bank)}
        deliver.deliver_everywhere(lambda: times, troubled=False, turn=threading.Lock())
        assert [request.path for request in well.seen] == ["/hooks"] * 3
        given_up = WebhookDelivery.objects.filter(endpoint=dark)
        assert {(row.state, row.reason) for row in given_up} == {("given_up", "secret_unreadable")}
        merchants.rotate_secret(other.merchant.id, dark.id, by=BY, at=NOON)
        merchants.redeliver_failed(other.merchant.id, dark.id, since=NOON, by=BY, at=NOON)
        deliver.deliver_everywhere(lambda: times, troubled=False, turn=threading.Lock())
        assert [request.path for request in well.seen[3:]] == ["/dark"] * 2


@pytest.mark.parametrize(("troubled", "fewest", "most"), [(False, 2, 7), (True, 1, 1)])
def test_while_nothing_ends_it_is_not_asked_over_and_over_what_is_due(
    troubled: bool,  # noqa: FBT001  one of two lanes
    fewest: int,
    most: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[float] = []
    monkeypatch.setattr(deliver, "take_up", lambda *_now, **_of: (asked.append(time.monotonic()), ([], 0))[1])
    monkeypatch.setattr(deliver, "WORKS_FOR_SECONDS", 0.6)
    under_way = deliver.Round()
    under_way.underway[uuid4(), 1] = object(), time.monotonic()  # type: ignore[assignment]  nobody looks at it
    under_way.take_up_while_there_is_something(lambda: {1: NOON}, lanes=(troubled,))
    assert fewest <= len(asked) <= most


@pytest.mark.breaks_the_house
def test_a_ping_that_cannot_be_signed_says_so(power_bank: Shop) -> None:
    with receiver() as well:
        dark, _ = merchants.add_endpoint(power_bank.merchant.id, well.url(), by=BY, at=NOON)
        WebhookEndpoint.objects.update(secret=b"k1:short")
        ping = merchants.ping_endpoint(power_bank.merchant.id, dark.id, by=BY, at=NOON)
        assert well.seen == []
    assert (ping.outcome.good, ping.outcome.reason) == (False, "secret_unreadable")
    assert WebhookDelivery.objects.get(event=ping.event).reason == "secret_unreadable"


def test_taking_up_waits_for_no_disk_and_what_came_back_does(power_bank: Shop) -> None:
    merchants.add_endpoint(power_bank.merchant.id, "http://127.0.0.1:9/", by=BY, at=NOON)
    tell(power_bank, 1)
    before = commits()
    with CaptureQueriesContext(connection) as sent:
        [one], _ = deliver.take_up({power_bank.realm_id: NOON}, limit=5)
    assert sum("synchronous_commit = off" in query["sql"] for query in sent.captured_queries) == 1
    with CaptureQueriesContext(connection) as sent:
        deliver.settle([(one, Outcome(200, 1))])
    assert not any("synchronous_commit" in query["sql"] for query in sent.captured_queries)
    assert commits() == before


def commits() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SHOW synchronous_commit")
        return str(cursor.fetchone()[0])
