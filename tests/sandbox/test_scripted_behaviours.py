"""Each behaviour of a scripted person to its end, over HTTP alone; the ledger is verified after every test."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.api import assert_problem
from tests.conftest import make_shop
from tests.sandbox.ci_job import BEHAVIOURS, CiJob


@pytest.fixture
def job(db: None) -> CiJob:
    return CiJob(make_shop("来电充电宝", late_fee_daily_bps=5, late_fee_cap_bps=1_000))


def time_until(job: CiJob, order: str, kind: str) -> timedelta:
    """Sandbox time from the order's completion to its first event of this kind."""
    events = job.events(order)
    times = {event["type"]: datetime.fromisoformat(event["created_at"]) for event in reversed(events)}
    return times[kind] - times["order.completed"]


OPENED = ["order.opened", "order.completed"]
PAID = ["obligation.paid", "order.deducted"]


@pytest.mark.parametrize("behaviour", ["pays", "duplicate_callback"])
def test_a_paying_person_pays_at_once_and_once(job: CiJob, behaviour: str) -> None:
    order = job.complete_order(job.create_person(behaviour))
    came = job.advance("PT1S")

    assert (job.get_order(order)["state"], job.get_order(order)["paid"]) == ("deducted", 600)
    assert time_until(job, order, "order.deducted") == timedelta()
    assert sorted(job.event_types(order)) == sorted([*OPENED, *PAID, "deduction.succeeded"])
    assert came["events"] == {"deduction.succeeded": 1, "obligation.paid": 1, "order.deducted": 1}
    assert came["work"]["deduct"] == 1
    assert came["work"].get("callbacks", 0) == (3 if behaviour == "duplicate_callback" else 0)


def test_a_late_callback_settles_the_order_a_day_later(job: CiJob) -> None:
    order = job.complete_order(job.create_person("late_callback"))
    job.advance("PT23H59M")
    assert (job.get_order(order)["state"], job.get_order(order)["collection"]["in_flight"]) == ("completed", True)
    job.advance("P1D")
    assert job.get_order(order)["state"] == "deducted"
    assert timedelta(hours=23) < time_until(job, order, "order.deducted") <= timedelta(days=1, hours=2)


@pytest.mark.parametrize("behaviour", ["timeout_then_paid", "slow"])
def test_a_lost_answer_is_polled_and_counted_once(job: CiJob, behaviour: str) -> None:
    order = job.complete_order(job.create_person(behaviour))
    job.advance("P1D")

    assert (job.get_order(order)["state"], job.get_order(order)["paid"]) == ("deducted", 600)
    assert job.get_order(order)["collection"]["attempts"] == 1
    assert timedelta() < time_until(job, order, "order.deducted") < timedelta(minutes=10)


def test_a_lost_request_is_abandoned_and_repeated(job: CiJob) -> None:
    order = job.complete_order(job.create_person("timeout_then_not_paid"))
    job.advance("P1D")

    assert (job.get_order(order)["state"], job.get_order(order)["collection"]["attempts"]) == ("deducted", 2)
    assert "deduction.failed" in job.event_types(order)
    assert time_until(job, order, "order.deducted") < timedelta(hours=1)


def test_without_money_for_four_days_the_order_is_paid_late_on_the_fifth(job: CiJob) -> None:
    order = job.complete_order(job.create_person("no_funds_until"))
    job.advance("P3DT1H")
    assert job.get_order(order)["state"] == "overdue"
    job.advance("P10D")

    told = job.event_types(order)
    assert (job.get_order(order)["state"], job.get_order(order)["outstanding"]) == ("deducted", 0)
    assert told.index("order.overdue") < told.index("order.deducted")
    assert timedelta(days=4) <= time_until(job, order, "order.deducted") <= timedelta(days=6)
    assert time_until(job, order, "order.overdue") == timedelta(hours=72)


def test_without_money_the_plan_runs_out_and_a_late_fee_is_owed(job: CiJob) -> None:
    order = job.complete_order(job.create_person("no_funds"), total=9_000)
    job.advance("P90D")

    seen = job.get_order(order)
    assert (seen["state"], seen["paid"]) == ("overdue", 0)
    assert seen["outstanding"] == sum(part["amount"] for part in seen["obligations"]) > seen["total"]
    assert seen["collection"]["attempts"] >= 12
    assert job.event_types(order).count("deduction.failed") >= 12


def test_a_closed_account_is_tried_once_and_another_account_pays(job: CiJob) -> None:
    person = job.create_person("hard_decline")
    order = job.complete_order(person)
    job.advance("P10D")
    assert (job.get_order(order)["state"], job.event_types(order).count("deduction.failed")) == ("overdue", 1)
    assert job.api.get(f"sandbox/people/{person['id']}").json()["usable"] is False

    changed = job.api.patch(f"sandbox/people/{person['id']}", {"behaviour": "pays"})
    assert (changed.status_code, changed.json()["usable"]) == (200, True)
    job.advance("P1D")
    assert job.get_order(order)["state"] == "deducted"


def test_a_partial_balance_fails_until_topped_up(job: CiJob) -> None:
    person = job.create_person("partial_balance")
    order = job.complete_order(person, total=600)
    job.advance("PT1H")
    assert job.get_order(order)["collection"]["last_failure"]["code"] == "insufficient_funds"

    topped = job.api.patch(f"sandbox/people/{person['id']}", {"behaviour": "partial_balance", "amount": 700})
    assert topped.json()["amount"] == 700
    job.advance("P2D")
    assert job.get_order(order)["state"] == "deducted"
    assert job.api.get(f"sandbox/people/{person['id']}").json()["amount"] == 100


def test_a_person_pays_what_is_overdue_by_themselves_in_parts(job: CiJob) -> None:
    person = job.create_person("no_funds")
    order = job.complete_order(person)
    job.advance("P4D")
    in_vain = job.api.post(f"sandbox/orders/{order}/pay")
    assert (in_vain.status_code, in_vain.json()["state"]) == (200, "overdue")

    job.api.patch(f"sandbox/people/{person['id']}", {"behaviour": "pays"})
    part = job.api.post(f"sandbox/orders/{order}/pay", {"amount": 200}).json()
    assert (part["state"], part["paid"]) == ("overdue", 200)
    rest = job.api.post(f"sandbox/orders/{order}/pay", HTTP_IDEMPOTENCY_KEY="rest")
    again = job.api.post(f"sandbox/orders/{order}/pay", HTTP_IDEMPOTENCY_KEY="rest")
    assert (rest.json()["state"], rest.content) == ("deducted", again.content)
    assert_problem(job.api.post(f"sandbox/orders/{order}/pay"), 409, "order_state")


def test_an_order_is_confirmed_declined_or_expires(db: None) -> None:
    job = CiJob(make_shop("云上小店", mode="fixed", confirmation=True, ceiling_minor=50_000))
    person = job.create_person()
    agreement = job.api.agreement(job.service, person)
    yes, no, never = (job.open_order(person, agreement, amount=4_990) for _ in range(3))

    assert job.api.post(f"sandbox/orders/{yes}/confirm").json()["state"] == "open"
    assert job.api.post(f"sandbox/orders/{no}/decline").json()["state"] == "cancelled"
    assert_problem(job.api.post(f"sandbox/orders/{no}/confirm"), 409, "order_state")
    came = job.advance("P31D")
    assert came["events"] == {"order.expired": 1}
    assert [job.get_order(order)["state"] for order in (yes, no, never)] == ["open", "cancelled", "expired"]
    stopped = job.api.post(f"sandbox/agreements/{agreement}/stop")
    assert stopped.json()["state"] == "closing"


def test_people_are_listed_with_their_current_behaviour(job: CiJob) -> None:
    made = [job.create_person(behaviour) for behaviour in BEHAVIOURS]
    shown = pages(job, limit=3)
    assert [one["behaviour"] for one in reversed(shown)] == list(BEHAVIOURS)
    assert [one["id"] for one in reversed(shown)] == [one["id"] for one in made]
    assert list(reversed(shown)) == made
    assert_problem(job.api.get("sandbox/people/per_0"), 404, "not_found")


def pages(job: CiJob, *, limit: int) -> list[dict[str, Any]]:
    found, cursor = [], ""
    while True:
        page = job.api.get(f"sandbox/people?limit={limit}{cursor}").json()
        found += page["data"]
        if page["next_cursor"] is None:
            return found
        cursor = f"&cursor={page['next_cursor']}"


@pytest.mark.parametrize(
    "body",
    [
        {"behaviour": "no_funds_until"},
        {"behaviour": "pays", "duration": "P1D"},
        {"behaviour": "no_funds_until", "duration": "1 day"},
        {"behaviour": "partial_balance"},
        {"behaviour": "pays", "amount": 1},
        {"behaviour": "partial_balance", "amount": -1},
        {"behaviour": "robs"},
        {},
    ],
)
def test_an_invalid_script_is_refused(job: CiJob, body: dict[str, Any]) -> None:
    person = job.create_person()
    assert_problem(job.api.patch(f"sandbox/people/{person['id']}", body), 422, "invalid_request")
