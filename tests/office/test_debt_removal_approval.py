"""Whatever takes a large debt off a customer needs two colleagues, also in parts; a merchant decides alone."""

from collections.abc import Callable
from datetime import timedelta
from uuid import uuid4

import pytest
from django.test import Client

from billing.services.refunds import RefundDetails, begin_refund
from kernel.actor import Actor
from kernel.refusal import ApprovalRequired
from office.models import Proposal
from orders import services as orders
from orders.models import Order
from tests.browsing import freeze_clock
from tests.conftest import BY, NOON, make_due_order, make_person, make_shop, reload_order, state_of, yuan
from tests.console.conftest import page_text, submit_form
from tests.office.approval_helpers import PROPOSAL_TABLES, decide_on_page, propose_on_page
from tests.unchanged import assert_unchanged

pytestmark = pytest.mark.usefixtures("all_attempted")

ALONE = Actor.staff(uuid4())
#: The ways in which a debt of ¥5,000 ends, and the state of the order afterwards.
WAYS = [
    ("mark_paid", {"reference": "R1", "paid_at": "2026-11-20T12:00"}, "deducted"),
    ("cancel", {}, "cancelled"),
    ("lower_total", {"total": "0.01"}, "completed"),
]


@pytest.fixture
def large(db: None) -> Order:
    """An order of ¥5,000 that is not deducted yet."""
    shop = make_shop("大件", ceiling_minor=500_000)
    order = make_due_order(shop, make_person(shop), yuan("5000"))
    freeze_clock(NOON, order.person)
    return order


def removals(order: Order, by: Actor) -> list[Callable[[], object]]:
    """Every service that takes ¥1,000 or more off the debt."""
    problem = orders.report_problem(order.id, "other", "x", by=BY, at=NOON)
    return [
        lambda: orders.mark_paid(order.id, NOON, "R1", by=by, at=NOON),
        lambda: orders.cancel_order(order.id, "x", by=by, at=NOON),
        lambda: orders.reduce_total(order.id, 400_000, "x", by=by, at=NOON),
        lambda: orders.decide_report(problem.id, "cancelled", "x", by=by, at=NOON),
        lambda: orders.decide_report(problem.id, "lowered", "x", total_minor=1, by=by, at=NOON),
    ]


def test_no_service_removes_a_large_debt_for_one_colleague(large: Order) -> None:
    for remove in removals(large, ALONE):
        with assert_unchanged(), pytest.raises(ApprovalRequired):
            remove()


@pytest.mark.parametrize("way", range(5))
@pytest.mark.parametrize("by", [BY, Actor.member(uuid4()), ALONE.approved_by(Actor.staff(uuid4()))])
def test_merchants_and_two_colleagues_may(large: Order, by: Actor, way: int) -> None:
    removals(large, by)[way]()
    assert reload_order(large.id).version > large.version


@pytest.mark.parametrize(("verb", "fields", "ends"), WAYS)
def test_the_console_submits_a_proposal(
    verb: str, fields: dict[str, str], ends: str, large: Order, support: Client, *, supervisor: Client
) -> None:
    with assert_unchanged(*PROPOSAL_TABLES):
        row = propose_on_page(support, f"/ops/do/{large.public_id}/{verb}", note="x", **fields)
    assert decide_on_page(supervisor, row).status_code == 302
    assert state_of(large) == ends


@pytest.mark.parametrize(("verb", "fields"), [("call_off", {}), ("lower", {"total": "0.01"})])
def test_so_does_the_decision_of_a_report(
    verb: str, fields: dict[str, str], large: Order, support: Client, supervisor: Client
) -> None:
    problem = orders.report_problem(large.id, "other", "x", by=BY, at=NOON)
    path = f"/ops/do/{problem.public_id}/{verb}"
    assert "双人复核" in page_text(support.get(path))
    with assert_unchanged(*PROPOSAL_TABLES):
        row = propose_on_page(support, path, note="对不起", **fields)
    assert decide_on_page(supervisor, row).status_code == 302
    assert reload_order(large.id).version > large.version


def test_parts_count_together_by_whichever_action(large: Order) -> None:
    orders.reduce_total(large.id, 460_000, "x", by=ALONE, at=NOON)
    begin_refund(large.id, RefundDetails(amount_minor=40_000, reason="x"), by=Actor.staff(uuid4()), at=NOON)
    with assert_unchanged(), pytest.raises(ApprovalRequired):
        begin_refund(large.id, RefundDetails(amount_minor=20_000, reason="x"), by=ALONE, at=NOON)
    with assert_unchanged(), pytest.raises(ApprovalRequired):
        orders.reduce_total(large.id, 400_000, "x", by=ALONE, at=NOON)
    orders.reduce_total(large.id, 400_001, "x", by=ALONE, at=NOON)
    orders.reduce_total(large.id, 100, "x", by=BY, at=NOON)  # the merchant's reductions do not count
    with assert_unchanged(), pytest.raises(ApprovalRequired):
        orders.cancel_order(large.id, "x", by=ALONE, at=NOON)


def test_small_debts_and_orders_in_use_are_removed_by_one(support: Client) -> None:
    shop = make_shop("小件", ceiling_minor=500_000)
    small = make_due_order(shop, make_person(shop), yuan("999.99"))
    orders.mark_paid(small.id, NOON, "R1", by=ALONE, at=NOON)
    other = make_due_order(shop, make_person(shop), yuan("999.99"), at=NOON + timedelta(hours=1))
    freeze_clock(NOON + timedelta(hours=2), other.person)
    assert submit_form(support, f"/ops/do/{other.public_id}/cancel", note="x").status_code == 302
    assert (state_of(other), Proposal.objects.exists()) == ("cancelled", False)
