"""Amounts that need approval need it in parts too, whichever action is used: refunds of one order, and late fees."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.test import Client

from billing.models import Refund
from billing.services.refunds import RefundDetails, begin_refund
from billing.services.return_decisions import refuse_return
from billing.services.returns import Parcel, open_return
from kernel.actor import Actor
from kernel.refusal import ApprovalRequired
from office.models import Proposal
from orders import services as orders
from orders.models import Order
from tests.billing.helpers import balances, overdue_with_fees, paid_order
from tests.browsing import freeze_clock
from tests.conftest import BY, NOON, Shop, make_shop, state_of
from tests.console.conftest import page_text, submit_form
from tests.office.approval_helpers import PROPOSAL_TABLES, decide_on_page, propose_on_page
from tests.unchanged import assert_unchanged

pytestmark = pytest.mark.usefixtures("all_attempted")

LATER = NOON + timedelta(days=6)


@pytest.fixture
def late(fees: Shop) -> Order:
    """A hundred yuan overdue, with late fees."""
    order = overdue_with_fees(fees)
    freeze_clock(LATER, order.person)
    return order


def by_two(support: Client, supervisor: Client, path: str, **fields: str) -> Proposal:
    """One asks, which changes nothing; another agrees."""
    with assert_unchanged(*PROPOSAL_TABLES):
        row = propose_on_page(support, path, **fields)
    answer = decide_on_page(supervisor, row)
    assert answer.status_code == 302, page_text(answer)
    return row


def fee_of(order: Order) -> str:
    return str(order.obligations.get(kind="late_fee").state)


def test_money_given_back_in_pieces_is_as_much_as_in_one(support: Client, supervisor: Client) -> None:
    order = paid_order(make_shop("大件", ceiling_minor=500_000), "3000")
    freeze_clock(NOON, order.person)
    path = f"/ops/do/{order.public_id}/refund"
    assert submit_form(support, path, amount="950", note="坏了").status_code == 302
    by_two(support, supervisor, path, amount="950", note="又坏了")
    assert list(Refund.objects.values_list("amount_minor", flat=True)) == [95_000, 95_000]
    submit_form(support, path, amount="49.99", note="运费")
    assert Refund.objects.count() == 3, "what two agreed to does not count against one"
    alone = Actor.staff(uuid4())
    with assert_unchanged(), pytest.raises(ApprovalRequired):
        begin_refund(order.id, RefundDetails(amount_minor=1, reason="x"), by=alone, at=NOON)


@pytest.mark.parametrize(
    ("verb", "fields", "ends"),
    [
        ("mark_paid", {"reference": "R1", "paid_at": "2026-11-26T10:00"}, "deducted"),
        ("cancel", {}, "cancelled"),
        ("lower_total", {"total": "0"}, "deducted"),
        ("refund", {"amount": "100"}, "deducted"),
    ],
)
def test_waiving_fees_by_any_action_needs_approval(
    verb: str, fields: dict[str, str], ends: str, late: Order, support: Client, *, supervisor: Client
) -> None:
    by_two(support, supervisor, f"/ops/do/{late.public_id}/{verb}", note="x", **fields)
    assert (fee_of(late), state_of(late)) == ("waived", ends)


@pytest.mark.parametrize(("verb", "fields"), [("lower_total", {"total": "10"}), ("refund", {"amount": "10"})])
def test_what_leaves_them_owed_is_done_by_one(verb: str, fields: dict[str, str], late: Order, support: Client) -> None:
    submit_form(support, f"/ops/do/{late.public_id}/{verb}", note="x", **fields)
    assert (fee_of(late), state_of(late), Proposal.objects.exists()) == ("overdue", "overdue", False)


@pytest.mark.parametrize(("verb", "fields"), [("call_off", {}), ("lower", {"total": "0"})])
def test_they_do_not_with_a_report_that_one_decides(
    verb: str, fields: dict[str, str], late: Order, support: Client, supervisor: Client
) -> None:
    problem = orders.report_problem(late.id, "other", "x", by=BY, at=LATER)
    path = f"/ops/do/{problem.public_id}/{verb}"
    page = submit_form(support, path, note="长" * 201, **fields)
    assert "200 个字" in page_text(page)
    row = propose_on_page(support, path, note="对不起", **fields)
    page = page_text(supervisor.get(f"/ops/second/{row.public_id}"))
    assert "逾期费减免" in page
    decide_on_page(supervisor, row)
    assert fee_of(late) == "waived"


def test_nor_with_a_return_that_one_decides(late: Order, support: Client, supervisor: Client) -> None:
    row, _new = open_return(late.id, Parcel(carrier="x", tracking_number="1", reason="x"), by=BY, at=LATER)
    refuse_return(row.id, "少一件", by=BY, at=LATER)
    by_two(support, supervisor, f"/ops/do/{row.public_id}/return_came", note="看过录像")
    assert (fee_of(late), balances(late)) == ("waived", {})


def test_no_service_lets_them_fall_away_for_one_colleague(late: Order) -> None:
    alone = Actor.staff(uuid4())
    for verb in (
        lambda: orders.mark_paid(late.id, LATER, "R1", by=alone, at=LATER),
        lambda: orders.cancel_order(late.id, "x", by=alone, at=LATER),
        lambda: orders.reduce_total(late.id, 0, "x", by=alone, at=LATER),
    ):
        with assert_unchanged(), pytest.raises(ApprovalRequired):
            verb()
