"""The feed of events: a reader who follows it misses none, however late it was committed."""

import threading
from functools import partial
from random import Random

import pytest
from django.db import connection, transaction

from merchants import queries
from merchants.models import Event
from merchants.services import NewEvent
from merchants.services.events import publish
from tests.api import Api, assert_problem
from tests.conftest import NOON, Shop, make_agreement, make_due_order, make_person, make_shop, yuan
from tests.races.checks import ROUNDS
from tests.threads import run_concurrently

pytestmark = pytest.mark.django_db(transaction=True)
WRITERS, EACH = 4, 12


def list_events(api: Api, query: str = "") -> list[str]:
    """The whole feed, page by page."""
    found, cursor = list[str](), ""
    while True:
        page = api.get(f"events?limit=3{query}{cursor}").json()
        found += [event["id"] for event in page["data"]]
        if page["next_cursor"] is None:
            return found
        cursor = f"&cursor={page['next_cursor']}"


def new_event(shop: Shop, n: int) -> NewEvent:
    return NewEvent(shop.merchant.id, "order.opened", shop.service.id, {"n": n})


def test_an_event_that_is_committed_late_is_not_skipped(power_bank: Shop) -> None:
    """The slow transaction's id is made first and committed last: ordered by id alone, a reader would miss it."""
    other, begun, go_on = make_shop("慢"), threading.Event(), threading.Event()

    def slow() -> None:
        with transaction.atomic():
            publish(
                [NewEvent(power_bank.merchant.id, "order.opened", other.service.id, {})],
                realm_id=power_bank.realm_id,
                at=NOON,
            )
            begun.set()
            assert go_on.wait(10)

    def quick() -> list[str]:
        assert begun.wait(10)
        publish([new_event(power_bank, 1)], realm_id=power_bank.realm_id, at=NOON)
        seen = list_events(Api(power_bank), "&order=asc")
        go_on.set()
        return seen

    _, seen = run_concurrently(slow, quick)
    assert seen == []  # nothing is shown before what may still come before it
    late, early = list_events(Api(power_bank), "&order=asc")
    assert late < early


def test_whoever_follows_the_feed_while_many_write_sees_each_event_once_and_in_order(power_bank: Shop) -> None:
    shops = [make_shop(f"写 {n}") for n in range(WRITERS)]
    total, done = WRITERS * EACH * ROUNDS, threading.Event()

    def write(place: int) -> None:
        pause = Random(place)  # noqa: S311
        for n in range(EACH * ROUNDS):
            with transaction.atomic():
                first = pause.random() < 0.5
                if first:
                    with connection.cursor() as cursor:
                        cursor.execute("SELECT pg_current_xact_id(), pg_sleep(%s)", [pause.random() / 200])
                publish(
                    [NewEvent(power_bank.merchant.id, "order.opened", shops[place].service.id, {"n": n})],
                    realm_id=power_bank.realm_id,
                    at=NOON,
                )
                with connection.cursor() as cursor:
                    cursor.execute("SELECT pg_sleep(%s)", [pause.random() / 200])

    def read() -> list[str]:
        api, seen, last = Api(power_bank), list[str](), ""
        while len(seen) < total and not done.wait(0.001):
            page = api.get(f"events?order=asc&limit=100{last}").json()["data"]
            seen += [event["id"] for event in page]
            last = f"&cursor={seen[-1]}" if seen else ""
        return seen

    guard = threading.Timer(20, done.set)
    guard.start()
    *_, seen = run_concurrently(*(partial(write, n) for n in range(WRITERS)), read)
    guard.cancel()
    assert len(seen) == len(set(seen)) == total
    assert seen == list_events(Api(power_bank), "&order=asc") == list_events(Api(power_bank))[::-1]


def test_the_feed_is_read_newest_first_or_oldest_first_and_filtered(power_bank: Shop) -> None:
    api = Api(power_bank)
    order = make_due_order(power_bank, make_person(power_bank), yuan("6"))
    everything = api.get("events").json()
    assert everything["next_cursor"] is None
    assert [event["type"] for event in everything["data"]] == ["order.completed", "order.opened", "agreement.activated"]
    assert list_events(api, "&order=asc") == list_events(api)[::-1]
    assert len(list_events(api, f"&subject={order.public_id}")) == 2
    assert len(list_events(api, "&type=agreement.*")) == 1
    assert len(list_events(api, "&type=order.opened,agreement.activated")) == 2
    assert list_events(api, "&after=2026-11-20T04:00:00Z") == list_events(api)
    assert list_events(api, "&before=2026-11-20T04:00:00Z") == []
    one = everything["data"][0]
    assert api.get(f"events/{one['id']}").json() == one
    assert one == {
        "id": one["id"],
        "object": "event",
        "type": "order.completed",
        "created": "2026-11-20T04:00:00Z",
        "subject": order.public_id,
        "sequence": 2,
        "livemode": False,
        "data": one["data"],
    }


NONSENSE = "cursor=x cursor=evt_ type=order.nothing type= type=webhook_endpoint.pin subject=x subject=per_x order=up"
NONSENSE += f" after=yesterday after=2026-11-20T04:00:00 limit=0 limit=101 cursor={'0' * 32}"


@pytest.mark.parametrize("query", NONSENSE.split())
def test_an_invalid_query_is_refused(power_bank: Shop, query: str) -> None:
    assert_problem(Api(power_bank).get(f"events?{query}"), 422)


def test_another_merchants_event_is_not_a_cursor(power_bank: Shop) -> None:
    other = make_shop("别人家")
    make_agreement(other, make_person(other))
    theirs = Event.objects.get(merchant=other.merchant)
    assert queries.feed_position(power_bank.merchant.id, theirs.id) is None
    assert_problem(Api(power_bank).get(f"events?cursor={theirs.public_id}"), 422)
