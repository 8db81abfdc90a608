"""A refund arrives after the channel reported failure: it is not paid twice unseen, and one party is liable."""

from datetime import timedelta
from typing import Any

import pytest

from billing.channels import Declined, Succeeded, bank
from billing.models import Case, RefundPart
from billing.planning import FailureClass
from billing.refusals import CaseUnfit, RefundTooMuch
from billing.services import case_resolutions, cases
from billing.services.movements import MovementReport
from billing.services.refund_outcomes import REFUND_PARTS
from billing.services.return_deadlines import process_due_returns
from billing.services.return_decisions import absorb_return, confirm_return, deny_return, refuse_return
from bnpl.invariants import find_violations
from kernel.money import Money
from kernel.refusal import Busy
from orders.models import Order
from tests.billing.helpers import balances, issue_refund, paid_order, token_of
from tests.billing.return_helpers import ONE_DAY, opened_return, reloaded
from tests.conftest import BY, NOON, Shop, reload_order
from tests.unchanged import assert_unchanged

pytestmark = pytest.mark.breaks_invariants  # the bank never said what these tests make it say


@pytest.fixture(autouse=True)
def _all_but_the_bank(db: None) -> Any:
    yield
    assert {one.name for one in find_violations(prepared=True)} <= {
        "deductions_match_the_bank",
        "refunds_match_the_bank",
    }


def refunded_after_failure(order: Order, amount: Money | None = None) -> Case:
    """The order's first refund, reported as failed, arrives after all. Returns its case."""
    part = RefundPart.objects.filter(refund__order=order).earliest("id")
    said = Succeeded(f"late-{order.id.hex[-8:]}", amount or part.amount)
    REFUND_PARTS.settle_all([MovementReport(part.id, said, "callback")], by=BY, at=NOON + timedelta(hours=1))
    bank.change_account(token_of(order), bank.Behaviour.PAYS)
    return Case.objects.get(kind="refunded_after_failure", refund_part=part)


def close(case: Case, how: str) -> Case:
    return cases.close_case(case.id, how, "x", by=BY, at=NOON + ONE_DAY)


def test_no_refund_of_the_order_while_the_case_is_open(power_bank: Shop) -> None:
    order = paid_order(power_bank, behaviour="hard_decline")
    issue_refund(order, "6")
    case = refunded_after_failure(order)
    with assert_unchanged(), pytest.raises(Busy):
        issue_refund(order, "6")
    close(case, "merchant")
    assert (reload_order(order.id).refunded_minor, balances(power_bank)) == (600, {})
    with assert_unchanged(), pytest.raises(RefundTooMuch):
        issue_refund(order, "0.01")


@pytest.mark.parametrize(("again", "theirs"), [("6", 0), ("2", 400)])
def test_merchant_is_charged_no_more_than_they_keep(power_bank: Shop, again: str, theirs: int) -> None:
    order = paid_order(power_bank, behaviour="hard_decline")
    issue_refund(order, "6")
    bank.change_account(token_of(order), bank.Behaviour.PAYS)
    issue_refund(order, again)
    case = refunded_after_failure(order)
    if theirs:
        close(case, "merchant")
        assert reload_order(order.id).refunded_minor == 600
    else:
        with assert_unchanged(), pytest.raises(CaseUnfit):
            close(case, "merchant")
        close(case, "platform")
    back = balances(power_bank).pop("clearing:sandbox")
    assert balances(power_bank) == {"losses": 600 - theirs, "clearing:sandbox": back}
    assert back == theirs - 600


def test_merchant_is_not_charged_in_another_currency(power_bank: Shop) -> None:
    order = paid_order(power_bank, behaviour="hard_decline")
    issue_refund(order, "6")
    case = refunded_after_failure(order, Money(600, "USD"))
    assert case_resolutions.allowed_resolutions(case) == ("returned", "platform")
    close(case, "returned")


def test_unanswered_return_waits_for_the_case_of_its_early_refund(power_bank: Shop) -> None:
    order = paid_order(power_bank, behaviour="hard_decline")
    row = opened_return(order)
    case = refunded_after_failure(order)
    for day in (7, 10):
        process_due_returns(power_bank.realm_id, at=NOON + day * ONE_DAY)
    assert reloaded(row).state == "advanced"
    assert case_resolutions.allowed_resolutions(case) == ("ahead", "returned")
    close(case, "ahead")
    assert balances(power_bank)["advances"] == 600
    process_due_returns(power_bank.realm_id, at=NOON + 11 * ONE_DAY)
    assert reloaded(row).state == "confirmed"
    assert RefundPart.objects.count() == 1
    assert (reload_order(order.id).refunded_minor, balances(power_bank)) == (600, {})


def test_unpaid_early_refund_is_paid_when_the_return_is_confirmed(power_bank: Shop) -> None:
    order = paid_order(power_bank, behaviour="hard_decline")
    row = opened_return(order)
    close(refunded_after_failure(order), "returned")
    confirm_return(row.id, by=BY, at=NOON + ONE_DAY)
    assert (reload_order(order.id).refunded_minor, RefundPart.objects.filter(state="succeeded").count()) == (600, 1)


@pytest.mark.parametrize(("end", "left"), [(deny_return, {"receivable": 600}), (absorb_return, {"losses": 600})])
def test_early_refund_paid_after_failure_is_owed_again_or_a_platform_loss(
    power_bank: Shop, end: Any, left: dict[str, int]
) -> None:
    order = paid_order(power_bank, behaviour="hard_decline")
    row = opened_return(order)
    case = refunded_after_failure(order)
    refuse_return(row.id, "空包裹", by=BY, at=NOON)
    with assert_unchanged(), pytest.raises(Busy):
        end(row.id, "x", by=BY, at=NOON)
    close(case, "ahead")
    end(row.id, "x", by=BY, at=NOON + ONE_DAY)
    assert {name: balances(power_bank)[name] for name in left} == left
    assert "advances" not in balances(power_bank)


def test_after_the_return_it_is_an_ordinary_case(power_bank: Shop) -> None:
    order = paid_order(power_bank, behaviour="hard_decline")
    row = opened_return(order)
    refuse_return(row.id, "空包裹", by=BY, at=NOON)
    deny_return(row.id, "x", by=BY, at=NOON)
    case = refunded_after_failure(order)
    assert case_resolutions.allowed_resolutions(case) == ("merchant", "returned", "platform")
    close(case, "platform")
    assert balances(power_bank)["losses"] == 600


def test_refund_reported_as_failed_again_is_no_case(power_bank: Shop) -> None:
    order = paid_order(power_bank, behaviour="hard_decline")
    issue_refund(order, "6")
    part = RefundPart.objects.get()
    REFUND_PARTS.settle_all([MovementReport(part.id, Declined("x", FailureClass.HARD), "callback")], by=BY, at=NOON)
    bank.change_account(token_of(order), bank.Behaviour.PAYS)
    issue_refund(order, "6")
    assert reload_order(order.id).refunded_minor == 600
