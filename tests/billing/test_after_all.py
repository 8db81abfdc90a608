"""A refund that went although the channel had said that it did not: nobody has it twice unseen, and one bears it."""

from datetime import timedelta
from typing import Any

import pytest

from billing.channels import Declined, Taken, bank
from billing.models import Case, RefundPart
from billing.planning import Kind
from billing.refusals import CaseUnfit, RefundTooMuch
from billing.services import cases
from billing.services.movements import MovementReport
from billing.services.return_ends import bear_return, confirm_return, deny_return, refuse_return
from billing.services.settle_parts import PARTS
from billing.services.watch_returns import watch_returns
from bnpl.invariants import violations
from kernel.money import Money
from kernel.refusal import Busy
from orders.models import Order
from tests.billing.bench import balances, give_back, paid, token_of
from tests.billing.returning import ONE_DAY, now, sent_back
from tests.conftest import BY, NOON, Shop, fresh
from tests.stillness import nothing_moves

pytestmark = pytest.mark.breaks_the_house  # the bank never said what these tests make it say


@pytest.fixture(autouse=True)
def _all_but_the_bank(db: None) -> Any:
    yield
    assert {one.name for one in violations(often=True)} <= {"the_bank_agrees", "the_bank_agrees_on_refunds"}


def went_after_all(order: Order, amount: Money | None = None) -> Case:
    """The order's first refund, which failed, went all the same."""
    part = RefundPart.objects.filter(refund__order=order).earliest("id")
    said = Taken(f"late-{order.id.hex[-8:]}", amount or part.amount)
    PARTS.settle_all([MovementReport(part.id, said, "callback")], by=BY, at=NOON + timedelta(hours=1))
    bank.change_account(token_of(order), bank.Behaviour.PAYS)
    return Case.objects.get(kind="refunded_after_failure", refund_part=part)


def closed(case: Case, how: str) -> Case:
    return cases.close_case(case.id, how, "x", by=BY, at=NOON + ONE_DAY)


def test_until_it_is_judged_nothing_of_the_order_goes_back_again(power_bank: Shop) -> None:
    order = paid(power_bank, behaviour="hard_decline")
    give_back(order, "6")
    case = went_after_all(order)
    with nothing_moves(), pytest.raises(Busy):
        give_back(order, "6")
    closed(case, "merchant")
    assert (fresh(order.id).refunded_minor, balances(power_bank)) == (600, {})
    with nothing_moves(), pytest.raises(RefundTooMuch):
        give_back(order, "0.01")


@pytest.mark.parametrize(("again", "theirs"), [("6", 0), ("2", 400)])
def test_a_merchant_bears_no_more_of_it_than_they_still_keep(power_bank: Shop, again: str, theirs: int) -> None:
    order = paid(power_bank, behaviour="hard_decline")
    give_back(order, "6")
    bank.change_account(token_of(order), bank.Behaviour.PAYS)
    give_back(order, again)
    case = went_after_all(order)
    if theirs:
        closed(case, "merchant")
        assert fresh(order.id).refunded_minor == 600
    else:
        with nothing_moves(), pytest.raises(CaseUnfit):
            closed(case, "merchant")
        closed(case, "platform")
    back = balances(power_bank).pop("clearing:sandbox")
    assert balances(power_bank) == {"losses": 600 - theirs, "clearing:sandbox": back}
    assert back == theirs - 600


def test_in_another_currency_it_is_nothing_that_a_merchant_bears(power_bank: Shop) -> None:
    order = paid(power_bank, behaviour="hard_decline")
    give_back(order, "6")
    case = went_after_all(order, Money(600, "USD"))
    assert cases.ends_of(case) == ("returned", "platform")
    closed(case, "returned")


def test_ahead_of_a_return_silence_waits_until_it_is_judged_and_pays_nobody_twice(power_bank: Shop) -> None:
    order = paid(power_bank, behaviour="hard_decline")
    row = sent_back(order)
    case = went_after_all(order)
    for day in (7, 10):
        watch_returns(power_bank.realm_id, at=NOON + day * ONE_DAY)
    assert now(row).state == "advanced"
    assert cases.ends_of(case) == ("ahead", "returned")
    closed(case, "ahead")
    assert balances(power_bank)["advances"] == 600
    watch_returns(power_bank.realm_id, at=NOON + 11 * ONE_DAY)
    assert now(row).state == "confirmed"
    assert RefundPart.objects.count() == 1
    assert (fresh(order.id).refunded_minor, balances(power_bank)) == (600, {})


def test_what_never_went_and_came_back_to_us_goes_when_the_return_is_confirmed(power_bank: Shop) -> None:
    order = paid(power_bank, behaviour="hard_decline")
    row = sent_back(order)
    closed(went_after_all(order), "returned")
    confirm_return(row.id, by=BY, at=NOON + ONE_DAY)
    assert (fresh(order.id).refunded_minor, RefundPart.objects.filter(state="succeeded").count()) == (600, 1)


@pytest.mark.parametrize(("end", "left"), [(deny_return, {"receivable": 600}), (bear_return, {"losses": 600})])
def test_what_went_ahead_after_all_is_owed_again_or_ours(power_bank: Shop, end: Any, left: dict[str, int]) -> None:
    order = paid(power_bank, behaviour="hard_decline")
    row = sent_back(order)
    case = went_after_all(order)
    refuse_return(row.id, "空包裹", by=BY, at=NOON)
    with nothing_moves(), pytest.raises(Busy):
        end(row.id, "x", by=BY, at=NOON)
    closed(case, "ahead")
    end(row.id, "x", by=BY, at=NOON + ONE_DAY)
    assert {name: balances(power_bank)[name] for name in left} == left
    assert "advances" not in balances(power_bank)


def test_once_a_return_is_over_it_is_a_case_like_any_other(power_bank: Shop) -> None:
    order = paid(power_bank, behaviour="hard_decline")
    row = sent_back(order)
    refuse_return(row.id, "空包裹", by=BY, at=NOON)
    deny_return(row.id, "x", by=BY, at=NOON)
    case = went_after_all(order)
    assert cases.ends_of(case) == ("merchant", "returned", "platform")
    closed(case, "platform")
    assert balances(power_bank)["losses"] == 600


def test_a_word_against_it_alone_is_no_case(power_bank: Shop) -> None:
    order = paid(power_bank, behaviour="hard_decline")
    give_back(order, "6")
    part = RefundPart.objects.get()
    PARTS.settle_all([MovementReport(part.id, Declined("x", Kind.HARD), "callback")], by=BY, at=NOON)
    bank.change_account(token_of(order), bank.Behaviour.PAYS)
    give_back(order, "6")
    assert fresh(order.id).refunded_minor == 600
