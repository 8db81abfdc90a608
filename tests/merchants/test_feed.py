"""The feed of events is whole: a reader who follows it misses none, however late one was committed."""

import threading
from functools import partial
from random import Random

import pytest
from django.db import connection, transaction

from merchants import queries
from merchants.models import Event
from merchants.services import News
from merchants.services.events import publish
from tests.api import Api, refused
from tests.conftest import NOON, Shop, completed, make_shop, opened, someone, yuan
from tests.races.ground import ROUNDS
from tests.threads import at_once

pytestmark = pytest.mark.django_db(transaction=True)
WRITERS, EACH = 4, 12


def told(api: Api, query: str = "") -> list[str]:
    """The whole feed, page by page."""
    found, cursor = list[str](), ""
    while True:
        page = api.get(f"events?limit=3{query}{cursor}").json()
        found += [event["id"] for event in page["data"]]
        if page["next_cursor"] is None:
            return found
        cursor = f"&cursor={page['next_cursor']}"


def news(shop: Shop, n: int) -> News:
    return News(shop.merchant.id, "order.opened", shop.service.id, {"n": n})


def test_an_event_committed_late_is_not_passed_over(power_bank: Shop) -> None:
    """The slow one's key is made first and committed last: by keys alone a reader would have gone past it."""
    other, begun, go_on = make_shop("慢"), threading.Event(), threading.Event()

    def slow() -> None:
        with transaction.atomic():
            publish(
                [News(power_bank.merchant.id, "order.opened", other.service.id, {})],
                realm_id=power_bank.realm_id,
                at=NOON,
            )
            begun.set()
            assert go_on.wait(10)

    def quick() -> list[str]:
        assert begun.wait(10)
        publish([news(power_bank, 1)], realm_id=power_bank.realm_id, at=NOON)
        seen = told(Api(power_bank), "&order=asc")
        go_on.set()
        return seen

    _, seen = at_once(slow, quick)
    assert seen == []  # nothing is shown before what may still come before it
    late, early = told(Api(power_bank), "&order=asc")
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
                    [News(power_bank.merchant.id, "order.opened", shops[place].service.id, {"n": n})],
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
    *_, seen = at_once(*(partial(write, n) for n in range(WRITERS)), read)
    guard.cancel()
    assert len(seen) == len(set(seen)) == total
    assert seen == told(Api(power_bank), "&order=asc") == told(Api(power_bank))[::-1]


def test_the_feed_is_read_newest_first_or_oldest_first_and_filtered(power_bank: Shop) -> None:
    api = Api(power_bank)
    order = completed(power_bank, someone(power_bank), yuan("6"))
    everything = api.get("events").json()
    assert everything["next_cursor"] is None
    assert [event["type"] for event in everything["data"]] == ["order.completed", "order.opened", "agreement.activated"]
    assert told(api, "&order=asc") == told(api)[::-1]
    assert len(told(api, f"&subject={order.public_id}")) == 2
    assert len(told(api, "&type=agreement.*")) == 1
    assert len(told(api, "&type=order.opened,agreement.activated")) == 2
    assert told(api, "&after=2026-11-20T04:00:00Z") == told(api)
    assert told(api, "&before=2026-11-20T04:00:00Z") == []
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
def test_a_question_that_means_nothing_is_refused(power_bank: Shop, query: str) -> None:
    refused(Api(power_bank).get(f"events?{query}"), 422)


def test_anothers_event_is_no_cursor_of_ones_own(power_bank: Shop) -> None:
    other = make_shop("别人家")
    opened(other, someone(other))
    theirs = Event.objects.get(merchant=other.merchant)
    assert queries.place_of(power_bank.merchant.id, theirs.id) is None
    refused(Api(power_bank).get(f"events?cursor={theirs.public_id}"), 422)
