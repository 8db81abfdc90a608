"""Returns: trusted people get an early refund, and the merchant confirms that the goods arrived."""

from datetime import timedelta

import pytest

from accounts.models import Notice
from billing.channels import bank, bank_disputes, bank_refunds
from billing.models import Refund, Return, ReturnPolicy
from billing.return_refusals import NotReturnable, ReturnClosed, ReturnOpen
from billing.return_terms import ReturnTerms
from billing.services.callbacks import deliver_callbacks
from billing.services.deduct import deduct_due
from billing.services.movement_polling import poll_refund_parts
from billing.services.refund_retries import retry_refunds
from billing.services.return_decisions import absorb_return, confirm_return, deny_return, refuse_return
from billing.services.returns import open_return, withdraw_return
from kernel.money import Money
from kernel.policy_versions import publish_version
from kernel.refusal import Busy
from merchants import services as merchants
from orders import services as orders
from orders.models import Order, Pause
from tests.billing.helpers import balances, issue_refund, latest_deduction_of, obligation_of, paid_order, token_of
from tests.billing.return_helpers import ONE_DAY, WHOLE_ORDER_PARCEL, opened_return, reloaded, return_events_of
from tests.conftest import (
    BY,
    NOON,
    Shop,
    make_agreement,
    make_due_order,
    make_order,
    make_person,
    make_shop,
    reload_order,
    yuan,
)
from tests.unchanged import assert_unchanged


def test_trusted_person_gets_an_early_refund_charged_to_the_merchant_later(shop: Shop) -> None:
    order = paid_order(shop, "49.90")
    before = balances(shop)
    row = opened_return(order)

    assert (row.state, row.answer_until) == ("advanced", NOON + 10 * ONE_DAY)
    assert bank_refunds.refunds_of(token_of(order)) == [yuan("49.90")]
    assert balances(shop) == {name: minor for name, minor in before.items() if name != "clearing:sandbox"} | {
        "advances": 4990
    }, "the merchant has what they had"
    assert (reload_order(order.id).refunded_minor, reload_order(order.id).advanced_minor) == (4990, 4990)
    assert Notice.objects.filter(stage="refund_succeeded").count() == 1
    with assert_unchanged():
        assert opened_return(order) == row, "the same parcel is the same return"
    confirm_return(row.id, by=BY, at=NOON + ONE_DAY)
    with assert_unchanged():
        confirm_return(row.id, by=BY, at=NOON + ONE_DAY)
    assert reloaded(row).state == "confirmed"
    assert balances(shop) == {}
    assert reload_order(order.id).advanced_minor == 0
    assert return_events_of(order) == ["opened", "advanced", "confirmed"]
    for late in (refuse_return, deny_return, absorb_return):
        with assert_unchanged(), pytest.raises(ReturnClosed):
            late(row.id, "x", by=BY, at=NOON + ONE_DAY)


def test_partial_returns_and_refunds_keep_the_fee_exact(power_bank: Shop) -> None:
    order = paid_order(power_bank, "9.99")
    issue_refund(order, "1.11")
    row = opened_return(order, 333)
    with assert_unchanged(), pytest.raises(ReturnOpen):
        issue_refund(order, "0.01")
    confirm_return(row.id, by=BY, at=NOON)
    issue_refund(order, "2.22")
    left = balances(power_bank)
    assert left["payable"] + left["fees"] == left["clearing:sandbox"] == 333
    issue_refund(order, "3.33")
    assert balances(power_bank) == {}
    with assert_unchanged(), pytest.raises(NotReturnable):
        opened_return(order, number="SF2")


def test_unpaid_order_is_paused_without_early_refund(power_bank: Shop) -> None:
    order = make_due_order(power_bank, make_person(power_bank, "no_funds"), yuan("6"))
    row = opened_return(order, 200)
    assert (row.state, row.advance) == ("open", None)
    assert Pause.objects.get(ended_at=None).reason == "return_under_way"
    assert deduct_due(power_bank.realm_id, at=NOON + ONE_DAY) == 0
    confirm_return(row.id, by=BY, at=NOON + 2 * ONE_DAY)
    assert obligation_of(order).owed == yuan("4")
    assert not Pause.objects.filter(ended_at=None).exists()
    assert reload_order(order.id).total_minor == 400


def test_withdrawn_return_resumes_the_order_and_allows_another(power_bank: Shop) -> None:
    order = make_due_order(power_bank, make_person(power_bank, "no_funds"), yuan("6"))
    row = opened_return(order)
    for _ in range(2):
        withdraw_return(row.id, by=BY, at=NOON + ONE_DAY)
    assert (reloaded(row).state, return_events_of(order)) == ("withdrawn", ["opened", "withdrawn"])
    assert not Pause.objects.filter(ended_at=None).exists()
    again, fresh_one = open_return(order.id, WHOLE_ORDER_PARCEL, by=BY, at=NOON + ONE_DAY)
    assert (again.state, fresh_one) == ("open", True)
    done = opened_return(paid_order(power_bank))
    with assert_unchanged(), pytest.raises(ReturnClosed):
        withdraw_return(done.id, by=BY, at=NOON)


@pytest.mark.parametrize(
    "terms", [{"score_min": 950}, {"ceiling_minor": 599}, {"open_max": 0}], ids=lambda each: next(iter(each))
)
def test_untrusted_person_waits_for_the_merchant(power_bank: Shop, terms: dict[str, int]) -> None:
    first = ReturnPolicy.objects.get().terms
    publish_version(ReturnPolicy, first | terms, "x", after=1, by=BY, at=NOON)
    order = paid_order(power_bank)
    row = opened_return(order)
    assert (row.state, balances(power_bank).get("advances")) == ("open", None)
    confirm_return(row.id, by=BY, at=NOON)
    refund = Refund.objects.get()
    assert (refund.advanced, refund.state) == (False, "succeeded")
    assert balances(power_bank) == {}


@pytest.mark.parametrize(
    ("most", "more"),
    [(Money(50_000), Money(50_001)), (Money(10_000, "JPY"), Money(10_001, "JPY")), (Money(0, "XXX"), Money(1, "XXX"))],
    ids=str,
)
def test_a_ceiling_in_yuan_is_one_in_every_currency(most: Money, more: Money) -> None:
    terms = ReturnTerms(score_min=650, ceiling_minor=50_000, open_max=2, within_days=30, answer_days=10, remind_days=3)
    assert [
        terms.allows_early_refund(650, has_overdue=False, open_returns=0, amount=amount) for amount in (most, more)
    ] == [True, False]


def test_early_refunds_of_one_person_are_limited(power_bank: Shop) -> None:
    agreement, rows = make_agreement(power_bank, make_person(power_bank)), []
    for number in range(3):
        order = make_order(power_bank, agreement)
        orders.complete_order(order.id, orders.CompletionRequest(total=600), by=BY, at=NOON)
        deduct_due(power_bank.realm_id, at=NOON)
        rows.append(opened_return(order, number=f"SF{number}"))
    assert [row.state for row in rows] == ["advanced", "advanced", "open"]


def test_return_waits_for_an_unknown_early_refund(power_bank: Shop) -> None:
    order = paid_order(power_bank, behaviour="timeout_then_paid")
    row = opened_return(order)
    assert (row.state, Refund.objects.get().state) == ("advanced", "pending")
    assert balances(power_bank)["advances"] == 600
    with assert_unchanged(), pytest.raises(Busy):
        confirm_return(row.id, by=BY, at=NOON)
    poll_refund_parts(power_bank.realm_id, at=NOON + timedelta(minutes=5))
    assert bank_refunds.refunds_of(token_of(order)) == [yuan("6")]
    confirm_return(row.id, by=BY, at=NOON + ONE_DAY)
    assert balances(power_bank) == {}


def test_merchant_refunds_when_the_early_refund_failed(power_bank: Shop) -> None:
    order = paid_order(power_bank, behaviour="hard_decline")
    row = opened_return(order)
    assert Refund.objects.get().state == "failed"
    assert "advances" not in balances(power_bank)
    bank.change_account(token_of(order), bank.Behaviour.PAYS)
    confirm_return(row.id, by=BY, at=NOON)
    assert [refund.state for refund in Refund.objects.order_by("id")] == ["failed", "succeeded"]
    assert balances(power_bank) == {}


def test_resent_early_refund_is_paid_once(power_bank: Shop) -> None:
    order = paid_order(power_bank, behaviour="timeout_then_not_paid")
    opened_return(order)
    for minutes in (1, 2, 10, 30, 60, 240, 1500):
        at = NOON + timedelta(minutes=minutes)
        poll_refund_parts(power_bank.realm_id, at=at)
        retry_refunds(power_bank.realm_id, at=at)
    assert bank_refunds.refunds_of(token_of(order)) == [yuan("6")]
    assert balances(power_bank)["advances"] == 600


def test_no_early_refund_for_a_suspended_merchant(power_bank: Shop) -> None:
    order = paid_order(power_bank)
    merchants.suspend_merchant(power_bank.merchant.id, "x", by=BY, at=NOON)
    assert opened_return(order).state == "open"


def test_returns_postpone_a_debt_three_times_at_most(power_bank: Shop) -> None:
    order = make_due_order(power_bank, make_person(power_bank, "no_funds"), yuan("6"))
    for number in range(3):
        withdraw_return(opened_return(order, number=f"SF{number}").id, by=BY, at=NOON)
    with assert_unchanged(), pytest.raises(NotReturnable):
        opened_return(order, number="SF9")


def return_of_untrusted_person(shop: Shop) -> tuple[Order, Return]:
    """A paid order, and its goods on their way back with nothing ahead of them."""
    terms = ReturnPolicy.objects.get().terms | {"score_min": 950}
    publish_version(ReturnPolicy, terms, "x", after=1, by=BY, at=NOON)
    order = paid_order(shop, "60")
    row = opened_return(order)
    assert row.state == "open"
    return order, row


def dispute_order(shop: Shop, order: Order) -> None:
    assert bank_disputes.reverse_debit(latest_deduction_of(order).number, "no_funds", at=NOON)
    assert deliver_callbacks(shop.realm_id, at=NOON) == 1
    assert reload_order(order.id).state == "overdue"


def pass_days(shop: Shop) -> None:
    for day in range(1, 7):
        orders.mark_overdue(shop.realm_id, at=NOON + day * ONE_DAY, limit=100)
        orders.close_days(shop.realm_id, at=NOON + day * ONE_DAY, limit=100)


def test_debt_reopened_during_a_return_is_paused(db: None) -> None:
    shop = make_shop("飞鸽", late_fee_daily_bps=50, late_fee_cap_bps=2000, ceiling_minor=50_000)
    order, row = return_of_untrusted_person(shop)
    dispute_order(shop, order)
    pass_days(shop)
    (debt,) = order.obligations.all()
    assert (debt.overdue_days, debt.day_end_at) == (0, None)

    confirm_return(row.id, by=BY, at=NOON + 7 * ONE_DAY)
    assert reload_order(order.id).state == "deducted"


@pytest.mark.parametrize("end", ["denied", "withdrawn"])
def test_reopened_debt_resumes_when_the_return_ends(power_bank: Shop, end: str) -> None:
    order, row = return_of_untrusted_person(power_bank)
    dispute_order(power_bank, order)
    if end == "denied":
        refuse_return(row.id, "空盒", by=BY, at=NOON)
        deny_return(row.id, "空盒", by=BY, at=NOON)
    else:
        withdraw_return(row.id, by=BY, at=NOON)
    pass_days(power_bank)
    assert order.obligations.get().overdue_days == 6
