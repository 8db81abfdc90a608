"""Three times more is asked than can be done: the excess is told so at once, and the rest is done as well as ever."""

import asyncio
import os
from collections import Counter
from itertools import count
from uuid import uuid4

import pytest

from orders.models import Order
from tests.conftest import Shop, opened, someone
from tests.kills.house import house, tally
from tests.overload.load import Lines, Shot, evenly, get, in_turn, post, quantile
from tests.threads import awaited

pytestmark = [pytest.mark.stack, pytest.mark.django_db(transaction=True)]

#: `make evidence-overload` takes a minute of it.
SECONDS = float(os.environ.get("OVERLOAD_SECONDS", "2"))
MEASURED_SECONDS = float(os.environ.get("OVERLOAD_MEASURED_SECONDS", "1.5"))
PEOPLE = int(os.environ.get("OVERLOAD_PEOPLE", "200"))
#: How well it has to go. On a machine that others use too a slice of seconds says little about speed.
GOODPUT = float(os.environ.get("OVERLOAD_GOODPUT", "0.2"))
TIMES, AT_ONCE = 3.0, 16
BACK_SECONDS = 10.0
#: The person's own limit of open orders.
ORDERS_EACH = 20
#: What was promised of those who are let in, and of people's pages meanwhile: a second, when the machine is ours.
ACCEPTED_P99 = float(os.environ.get("OVERLOAD_P99", "10"))
PAGE_P99 = 3 * ACCEPTED_P99


class Till:
    """Orders to be opened, spread over people who may have only so many at once."""

    def __init__(self, shop: Shop) -> None:
        self.secret = shop.secret
        self.agreements = [opened(shop, someone(shop)).public_id for _ in range(PEOPLE)]
        self.turns = count()

    def order(self) -> tuple[bytes, str]:
        number = f"O-{uuid4().hex[:24]}"
        agreement = self.agreements[next(self.turns) % len(self.agreements)]
        wish = {"agreement": agreement, "out_order_no": number, "title": "充电宝", "ceiling": 1}
        return post("/v1/orders", self.secret, wish, number), number


@pytest.fixture
def till(power_bank: Shop) -> Till:
    return Till(power_bank)


async def siege(till: Till, port: int) -> tuple[float, dict[str, list[Shot]], list[Shot]]:
    """What is possible; three times that, with people and probes among it; and half of it afterwards."""
    lines, pages = Lines(port), Lines(port)
    await in_turn(lines, till.order, at_once=AT_ONCE, seconds=0.5)
    measured = await in_turn(lines, till.order, at_once=AT_ONCE, seconds=MEASURED_SECONDS)
    capacity = sum(shot.status == 201 for shot in measured) / MEASURED_SECONDS
    orders, people, probes = await asyncio.gather(
        evenly(lambda: lines.ask(*till.order()), rate=capacity * TIMES, seconds=SECONDS),
        evenly(lambda: pages.ask(get("/account/login/")), rate=4, seconds=SECONDS),
        evenly(lambda: pages.ask(get("/healthz")), rate=4, seconds=SECONDS),
    )
    after = await evenly(lambda: lines.ask(*till.order()), rate=capacity / 2, seconds=min(SECONDS, BACK_SECONDS))
    lines.close()
    pages.close()
    return capacity, {"before": measured, "orders": orders, "people": people, "probes": probes}, after


def test_three_times_too_much_is_turned_away_at_once_and_nothing_accepted_is_lost(till: Till) -> None:
    with house("web") as home:  # what it said is shown when anything is wrong
        capacity, shots, after = awaited(siege(till, home.port))
        judged(capacity, shots, after)
    nothing_is_lost([*shots["before"], *shots["orders"], *after])


def judged(capacity: float, shots: dict[str, list[Shot]], after: list[Shot]) -> None:
    orders, people, probes = shots["orders"], shots["people"], shots["probes"]
    good = [shot for shot in orders if shot.status == 201]
    turned_away = [shot for shot in orders if shot.status in (429, 503)]
    goodput = len(good) / SECONDS
    began = max(shot.at for shot in orders)
    late = [shot for shot in after if shot.status != 201 or shot.seconds > ACCEPTED_P99]
    back = max((shot.at - began for shot in late), default=0.0)
    tally(
        f"L3 {capacity:.0f} orders/s possible (p99 {quantile(shots['before'], 0.99) * 1000:.0f} ms); asked for"
        f" {len(orders) / SECONDS:.0f}/s during {SECONDS:.0f} s: {dict(Counter(shot.status for shot in orders))};"
        f" {goodput:.0f}/s opened, {goodput / capacity:.0%} of what is possible; accepted p50"
        f" {quantile(good, 0.5) * 1000:.0f} p99 {quantile(good, 0.99) * 1000:.0f} ms, turned away p50"
        f" {quantile(turned_away, 0.5) * 1000:.0f} p99 {quantile(turned_away, 0.99) * 1000:.0f} ms; people's pages"
        f" {dict(Counter(s.status for s in people))} p99"
        f" {quantile(people, 0.99) * 1000:.0f} ms, probes p99 {quantile(probes, 0.99) * 1000:.0f} ms; back to normal"
        f" after {back:.1f} s {dict(Counter(shot.status for shot in after))}"
    )
    assert len(good) + len(turned_away) == len(orders), Counter(shot.status for shot in orders)
    assert all(int(shot.retry_after) >= 1 for shot in turned_away)
    assert turned_away
    assert goodput >= GOODPUT * capacity
    assert quantile(good, 0.99) <= max(ACCEPTED_P99, 3 * quantile(shots["before"], 0.99))
    assert back <= BACK_SECONDS
    assert {shot.status for shot in people} == {200}
    assert {shot.status for shot in probes} == {200}
    assert quantile(people, 0.99) <= PAGE_P99


def nothing_is_lost(shots: list[Shot]) -> None:
    """Every order that was answered 201 is there, and none of those that were turned away."""
    there = set(Order.objects.values_list("out_order_no", flat=True))
    accepted = {shot.number for shot in shots if shot.status == 201}
    refused = {shot.number for shot in shots if shot.status in (429, 503)}
    assert not accepted - there
    assert not refused & there
    tally(f"L3 {len(accepted)} accepted orders, 0 lost; {len(refused)} turned away, 0 of them left anything")
