"""Calendar edges: one long advance and many short ones lead to the same result, at the end of a month or not."""

import os
from collections.abc import Iterator

import pytest

from tests.conftest import make_shop
from tests.sandbox.ci_job import CiJob, normalize_ids

#: A leap day, a month of 31 days, and a year end, each seen from Shanghai and a moment before midnight there.
EDGES = ("2028-02-28T15:59:30Z", "2027-01-31T15:59:30Z", "2027-12-31T15:59:59Z")
PEOPLE = ("no_funds", "no_funds_until", "late_callback")


def run_script(start: str, ways: list[str]) -> Iterator[str]:
    """The events of each order with their times, after advancing the clock in these steps."""
    job = CiJob(make_shop("充电宝🔋", late_fee_daily_bps=5, late_fee_cap_bps=1_000), start=start)
    orders = [job.complete_order(job.create_person(behaviour, name="艾达🙂")) for behaviour in PEOPLE]
    for way in ways:
        job.advance(way)
    for order in orders:
        yield normalize_ids(str([(event["type"], event["created_at"], event["data"]) for event in job.events(order)]))
        yield normalize_ids(
            str({name: value for name, value in job.get_order(order).items() if name != "out_order_no"})
        )


@pytest.mark.django_db
@pytest.mark.parametrize("start", EDGES[: int(os.environ.get("CALENDAR_EDGES", "1"))])
def test_one_long_advance_equals_many_short_ones(start: str) -> None:
    at_once = list(run_script(start, ["P12D"]))
    in_steps = list(run_script(start, ["PT29S", "PT1S", "PT1S", "P1D", "P10DT23H", "PT59M29S"]))
    assert at_once == in_steps
    assert "order.overdue" in at_once[0]
    assert "order.deducted" in at_once[2]
