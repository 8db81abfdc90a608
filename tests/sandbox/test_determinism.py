"""The same script on a frozen clock is the same log, to the byte, once ids are named by where they first appear."""

import json
import os
from collections.abc import Iterator
from typing import Any

import pytest

from merchants.models import Event
from tests.conftest import Shop, make_shop
from tests.sandbox.ci_job import BEHAVIOURS, CiJob, normalize_ids

#: `make evidence-sandbox` lives all ninety days of it.
LAST = os.environ.get("LAST_STEP", "P5D")


def script(shop: Shop) -> Iterator[str]:
    """Weeks with every behaviour: orders, payments, top-ups, reductions, cancellations; and what the API returned."""
    job = CiJob(shop)
    people = [job.create_person(behaviour) for behaviour in (*BEHAVIOURS, "no_funds", "pays")]
    orders = []
    for place, person in enumerate(people):
        orders.append(job.complete_order(person, total=700 + 10 * place))
        yield json.dumps(job.advance("PT7H"))
    for day in range(1, 8):
        yield json.dumps(job.advance(f"P{day}DT{day}H"))
    job.api.patch(f"sandbox/people/{people[1]['id']}", {"behaviour": "pays"})
    job.api.patch(f"sandbox/people/{people[3]['id']}", {"behaviour": "pays"})
    yield job.api.post(f"sandbox/orders/{orders[10]}/pay").content.decode().partition('"request_id"')[0]
    yield json.dumps(job.advance(LAST))
    yield from (json.dumps([job.get_order(order), job.events(order)], ensure_ascii=False) for order in orders)
    yield json.dumps(list(feed(shop)), default=str)


def feed(shop: Shop) -> Iterator[dict[str, Any]]:
    """All events of the merchant, in the order in which they were written."""
    for row in Event.objects.filter(merchant=shop.merchant).order_by("id"):
        yield {"id": row.public_id, "type": row.type, "sequence": row.sequence, "at": row.at, "data": row.data}


@pytest.mark.django_db
def test_two_new_sandboxes_produce_identical_logs() -> None:
    terms = {"late_fee_daily_bps": 5, "late_fee_cap_bps": 1_000}
    here, there = (normalize_ids("\n".join(script(make_shop("来电充电宝", **terms)))) for _ in range(2))
    assert here.splitlines() == there.splitlines()
    assert here.encode() == there.encode()
    assert here.count("order.deducted") > 20
    assert here.count("deduction.failed") > 50
