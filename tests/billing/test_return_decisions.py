"""Decisions on a return: silence confirms, colleagues decide a refused one, and somebody bears the early refund."""

import pytest

from accounts.models import Notice
from billing.channels import bank, bank_disputes
from billing.models import Refund, Settlement
from billing.refusals import RefundTooMuch
from billing.return_refusals import NotReturnable, ReturnClosed
from billing.services.callbacks import deliver_callbacks
from billing.services.deduct import deduct_due
from billing.services.pay import pay_now
from billing.services.return_deadlines import process_due_returns
from billing.services.return_decisions import absorb_return, confirm_return, deny_return, refuse_return
from billing.services.returns import Parcel, open_return
from credit.models import Profile
from kernel.refusal import Invalid
from orders import services as orders
from orders.models import Pause
from tests.billing.helpers import balances, issue_refund, latest_deduction_of, obligation_of, paid_order, token_of
from tests.billing.return_helpers import ONE_DAY, WHOLE_ORDER_PARCEL, opened_return, reloaded, return_events_of
from tests.conftest import BY, NOON, Shop, make_due_order, make_person, reload_order, yuan
from tests.settlement.helpers import MIDNIGHT, settle_and_pay_out
from tests.unchanged import assert_unchanged


def test_silent_merchant_is_reminded_and_then_confirmed(power_bank: Shop) -> None:
    order = paid_order(power_bank)
    row = opened_return(order)
    for day in range(12):
        process_due_returns(power_bank.realm_id, at=NOON + day * ONE_DAY)
    assert return_events_of(order) == ["opened", "advanced", "unanswered", "confirmed"]
    assert reloaded(row).resolved_at == NOON + 10 * ONE_DAY
    assert [line.at for line in row.history.filter(kind="reminded")] == [NOON + 7 * ONE_DAY]
    assert balances(power_bank) == {}


def test_refusal_after_the_deadline_is_too_late_even_before_the_job_runs(power_bank: Shop) -> None:
    row = opened_return(paid_order(power_bank))
    with assert_unchanged(), pytest.raises(ReturnClosed):
        refuse_return(row.id, "空包裹", by=BY, at=NOON + 10 * ONE_DAY)


def test_denied_return_is_owed_by_the_person_and_the_merchant_keeps_the_money(
    power_bank: Shop,
) -> None:
    order = paid_order(power_bank)
    before, score = balances(power_bank), Profile.objects.get().score
    row = opened_return(order)
    with assert_unchanged(), pytest.raises(Invalid):
        refuse_return(row.id, " ", by=BY, at=NOON)
    for _ in range(2):
        refuse_return(row.id, "空包裹", by=BY, at=NOON)
    assert Notice.objects.get(stage="return_refused").body.count("空包裹") == 1
    with assert_unchanged(), pytest.raises(ReturnClosed):
        refuse_return(row.id, "另一个理由", by=BY, at=NOON)
    deny_return(row.id, "开箱录像属实", by=BY, at=NOON)

    debt = order.obligations.get(kind="advance")
    assert (debt.state, debt.owed, debt.collect_at) == ("overdue", yuan("6"), None)
    assert reload_order(order.id).state == "overdue"
    left = {name: minor for name, minor in before.items() if name != "clearing:sandbox"}
    assert balances(power_bank) == left | {"receivable": 600}
    assert Profile.objects.get().score < score
    assert deduct_due(power_bank.realm_id, at=NOON + 40 * ONE_DAY) == 0, "nobody tries by himself"
    assert "6.00" in Notice.objects.get(stage="return_denied").subject
    pay_now(order.id, by=BY, at=NOON + ONE_DAY)
    assert reload_order(order.id).state == "deducted"
    assert balances(power_bank) == before
    assert return_events_of(order) == ["opened", "advanced", "refused", "denied"]


def test_disputed_repayment_of_a_denied_return_is_owed_again(power_bank: Shop) -> None:
    order = paid_order(power_bank)
    before = balances(power_bank)
    row = opened_return(order)
    refuse_return(row.id, "空包裹", by=BY, at=NOON)
    deny_return(row.id, "x", by=BY, at=NOON)
    (made,) = pay_now(order.id, by=BY, at=NOON)
    assert bank_disputes.reverse_debit(made.number, "no_funds", at=NOON)
    deliver_callbacks(power_bank.realm_id, at=NOON)
    assert reload_order(order.id).state == "overdue"
    left = {name: minor for name, minor in before.items() if name != "clearing:sandbox"}
    assert balances(power_bank) == left | {"receivable": 600}
    orders.write_off(order.id, "gone", by=BY, at=NOON)
    assert balances(power_bank) == left | {"losses": 600}


def test_platform_bears_the_early_refund_or_the_merchant_confirms(power_bank: Shop) -> None:
    ours, theirs = paid_order(power_bank), paid_order(power_bank)
    for order, end in ((ours, absorb_return), (theirs, None)):
        row = opened_return(order)
        refuse_return(row.id, "少一件", by=BY, at=NOON)
        if end:
            end(row.id, "x", by=BY, at=NOON)
        else:
            confirm_return(row.id, by=BY, at=NOON)
    assert balances(power_bank) == {"losses": 600, "payable": 596, "fees": 4}
    assert return_events_of(ours)[-1] == "borne"
    assert return_events_of(theirs)[-1] == "confirmed"
    unpaid = make_due_order(power_bank, make_person(power_bank, "no_funds"), yuan("6"))
    row = opened_return(unpaid)
    refuse_return(row.id, "x", by=BY, at=NOON)
    with assert_unchanged(), pytest.raises(ReturnClosed):
        absorb_return(row.id, "x", by=BY, at=NOON)
    deny_return(row.id, "x", by=BY, at=NOON)
    assert not Pause.objects.filter(ended_at=None).exists()
    assert Notice.objects.filter(stage="return_ended").count() == 1
    assert obligation_of(unpaid).owed == yuan("6")


def test_failed_early_refund_is_no_loss_and_is_paid_on_confirmation(power_bank: Shop) -> None:
    order = paid_order(power_bank, behaviour="hard_decline")
    row = opened_return(order)
    assert (Refund.objects.get().state, row.state) == ("failed", "advanced")
    refuse_return(row.id, "x", by=BY, at=NOON)
    with assert_unchanged(), pytest.raises(ReturnClosed):
        absorb_return(row.id, "neither is to blame", by=BY, at=NOON)
    bank.change_account(token_of(order), bank.Behaviour.PAYS)
    confirm_return(row.id, by=BY, at=NOON)
    assert (reloaded(row).state, reload_order(order.id).refunded_minor, balances(power_bank)) == ("confirmed", 600, {})


def test_person_is_notified_why_the_platform_bears_it(power_bank: Shop) -> None:
    row = opened_return(paid_order(power_bank))
    refuse_return(row.id, "x", by=BY, at=NOON)
    absorb_return(row.id, "运输途中受损", by=BY, at=NOON)
    said = Notice.objects.get(stage="return_borne")
    assert ("6.00" in said.body, "运输途中受损" in said.body) == (True, True)


def test_dispute_of_the_rest_during_a_return_keeps_the_fee_exact(power_bank: Shop) -> None:
    order = paid_order(power_bank, "9.99")
    row = opened_return(order, 333)
    assert bank_disputes.reverse_debit(latest_deduction_of(order).number, "no_funds", at=NOON)
    deliver_callbacks(power_bank.realm_id, at=NOON)
    pay_now(order.id, by=BY, at=NOON)
    confirm_return(row.id, by=BY, at=NOON)
    issue_refund(order, "6.66")
    assert balances(power_bank) == {}


def test_no_early_refund_while_money_is_in_flight(power_bank: Shop) -> None:
    disputed, pending = paid_order(power_bank, "9"), paid_order(power_bank, "9", "timeout_then_paid")
    issue_refund(disputed, "1")
    assert bank_disputes.reverse_debit(latest_deduction_of(disputed).number, "not_received", at=NOON)
    deliver_callbacks(power_bank.realm_id, at=NOON)
    issue_refund(pending, "1")
    for order in (disputed, pending):
        assert opened_return(order).state == "open"


def test_unreturnable_order_is_refused_and_nothing_moves(power_bank: Shop) -> None:
    order = paid_order(power_bank)
    wrong = [
        Parcel(carrier=" ", tracking_number="SF1", reason="x"),
        Parcel(carrier="x", tracking_number="一二", reason="x"),
        Parcel(carrier="x", tracking_number="1" * 41, reason="x"),
        Parcel(carrier="x", tracking_number="1", reason="x" * 101),
    ]
    with assert_unchanged():
        for parcel in wrong:
            with pytest.raises(Invalid):
                open_return(order.id, parcel, by=BY, at=NOON)
        with pytest.raises(RefundTooMuch):
            opened_return(order, 601)
        with pytest.raises(NotReturnable):
            open_return(order.id, WHOLE_ORDER_PARCEL, by=BY, at=NOON + 31 * ONE_DAY)


def test_a_settlement_shows_a_confirmed_return_among_its_refunds(power_bank: Shop) -> None:
    order = paid_order(power_bank)
    confirm_return(opened_return(order).id, by=BY, at=NOON)
    paid_order(power_bank, "9")
    settle_and_pay_out(power_bank, MIDNIGHT)
    row = Settlement.objects.get(merchant=power_bank.merchant)
    assert (row.gross_minor, row.refunds_minor, row.net_minor) == (1500, -600, 895)
