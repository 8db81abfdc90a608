"""Refunds: before and after collection, in parts, whatever the channel does, and never more than was paid."""

from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction

from accounts.models import Notice
from billing.channels import Declined, Succeeded, bank, bank_refunds
from billing.models import Case, DeductionLine, Refund, RefundPart
from billing.planning import FailureClass
from billing.refusals import RefundNumberReused, RefundTooMuch
from billing.services.callbacks import deliver_realm_callbacks
from billing.services.deduct import deduct_due
from billing.services.instruments import open_wallet
from billing.services.movement_polling import poll_refund_parts
from billing.services.movements import MovementReport
from billing.services.pay import pay_now
from billing.services.refund_outcomes import REFUND_PARTS
from billing.services.wallets import top_up
from kernel.money import Money
from merchants.models import Event
from orders import services as orders
from orders.models import Order, Pause
from orders.refusals import WrittenOff
from tests.billing.helpers import balances, issue_refund, paid_order, token_of
from tests.conftest import BY, NOON, Shop, make_due_order, make_person, make_shop, reload_order, yuan
from tests.unchanged import assert_unchanged

ONE_DAY = timedelta(days=1)


def refunded_at_bank(order: Order) -> list[int]:
    """What really went back to the person's account at the bank."""
    return [money.minor for money in bank_refunds.refunds_of(token_of(order))]


def event_types_of(order: Order) -> list[str]:
    rows = Event.objects.filter(subject_id=order.id, type__startswith="refund.").order_by("sequence")
    return list(rows.values_list("type", flat=True))


def is_paused(order: Order) -> bool:
    return Pause.objects.filter(order=order, reason="refund_in_flight", ended_at=None).exists()


def test_collected_money_is_refunded_to_its_instrument_with_the_fee(power_bank: Shop) -> None:
    order = paid_order(power_bank)
    assert balances(power_bank) == {"clearing:sandbox": 600, "payable": 596, "fees": 4}
    refund = issue_refund(order, "2")

    assert (refund.state, refund.lowered_minor, refund.returned_minor, refund.resolved_at) == (
        "succeeded",
        0,
        200,
        NOON,
    )
    assert refunded_at_bank(order) == [200]
    assert balances(power_bank) == {"clearing:sandbox": 400, "payable": 398, "fees": 2}
    assert (reload_order(order.id).state, reload_order(order.id).refunded_minor) == ("deducted", 200)
    assert [line.kind for line in order.history.order_by("seq")][-2:] == ["refund_asked", "refunded"]
    assert event_types_of(order) == ["refund.succeeded"]
    notice = Notice.objects.get(stage="refund_succeeded", order_id=order.id)
    assert "2.00" in notice.subject
    assert "已原路退回" in notice.body


def test_many_small_parts_return_the_fee_to_the_cent(parcel: Shop) -> None:
    order = paid_order(parcel, "9.99")
    before = balances(parcel)
    for _ in range(37):
        issue_refund(order, "0.27")
    assert reload_order(order.id).refunded_minor == 999
    assert balances(parcel) == {}, before
    with assert_unchanged(), pytest.raises(RefundTooMuch, match=r"0\.00 CNY"):
        issue_refund(order, "0.01")


def test_before_collection_a_refund_lowers_what_is_owed(power_bank: Shop) -> None:
    order = make_due_order(power_bank, make_person(power_bank), yuan("6"), due_at=NOON + ONE_DAY)
    refund = issue_refund(order, "2")

    assert (refund.state, refund.lowered_minor, refund.returned_minor) == ("succeeded", 200, 0)
    assert (reload_order(order.id).total_minor, reload_order(order.id).refunded_minor) == (400, 0)
    assert event_types_of(order) == ["refund.succeeded"]
    assert not refund.parts.exists()
    issue_refund(order, "4")
    assert reload_order(order.id).state == "deducted"
    assert balances(power_bank) == {}


def test_refund_of_a_part_paid_order_reduces_the_debt_first(power_bank: Shop) -> None:
    order = make_due_order(power_bank, make_person(power_bank), yuan("6"), due_at=NOON + ONE_DAY)
    for amount in (100, 250):
        pay_now(order.id, amount_minor=amount, by=BY, at=NOON)
    refund = issue_refund(order, "5.20")

    assert (refund.lowered_minor, refund.returned_minor, refund.state) == (250, 270, "succeeded")
    newest, oldest = DeductionLine.objects.filter(order=order).order_by("-id")
    assert (newest.refunded_minor, oldest.refunded_minor) == (250, 20)
    assert sorted(refunded_at_bank(order)) == [20, 250]
    assert reload_order(order.id).state == "deducted"
    assert "2.50" in Notice.objects.get(stage="refund_succeeded").body


def test_a_wallets_payment_goes_back_into_the_wallet(power_bank: Shop) -> None:
    person = make_person(power_bank, "no_funds")
    open_wallet(person, at=NOON)
    top_up(person.id, yuan("10"), "bank-1", at=NOON)
    order = make_due_order(power_bank, person, yuan("6"))
    pay_now(order.id, instrument_id=person.instruments.get(channel="wallet").id, by=BY, at=NOON)
    issue_refund(order, "1.50")

    person.wallet.refresh_from_db()
    assert person.wallet.balance_minor == 550
    assert balances(power_bank)["wallet"] == 550
    assert "clearing:wallet" not in balances(power_bank), "what a wallet paid and got back is all in the wallet"


@pytest.mark.parametrize("behaviour", ["timeout_then_paid", "slow"])
def test_an_answer_that_is_lost_is_asked_for_and_nothing_is_refunded_twice(power_bank: Shop, behaviour: str) -> None:
    order = paid_order(power_bank, behaviour=behaviour)
    refund = issue_refund(order, "2")
    assert (refund.state, RefundPart.objects.get().state) == ("pending", "unknown")
    assert balances(power_bank)["refund_due"] == 200
    assert reload_order(order.id).refunded_minor == 0
    assert poll_refund_parts(power_bank.realm_id, at=NOON + timedelta(seconds=6)) == 1

    refund = Refund.objects.get(pk=refund.pk)
    assert (refund.state, refunded_at_bank(order)) == ("succeeded", [200])
    assert RefundPart.objects.get().reports.count() == 2
    with assert_unchanged():
        assert poll_refund_parts(power_bank.realm_id, at=NOON + ONE_DAY) == 0


def test_a_closed_account_cannot_be_refunded_and_the_merchant_has_the_money_again(power_bank: Shop) -> None:
    order = paid_order(power_bank, behaviour="hard_decline")
    before = balances(power_bank)
    refund = issue_refund(order, "2")
    assert (refund.state, refund.parts.get().failure_code) == ("failed", "account_closed")
    assert (balances(power_bank), refunded_at_bank(order)) == (before, [])


def test_fees_stay_exact_when_one_of_several_refunds_fails(power_bank: Shop) -> None:
    order = paid_order(power_bank, "9.99", behaviour="timeout_then_not_paid")
    issue_refund(order, "1.33")  # never arrives
    part = RefundPart.objects.get()
    for amount in ("2.17", "0.50"):
        issue_refund(order, amount)
    REFUND_PARTS.settle_all([MovementReport(part.id, Declined("closed", FailureClass.HARD), "query")], by=BY, at=NOON)
    assert balances(power_bank)["fees"] == Money(999 - 217 - 50).bps(power_bank.service.fee_bps).minor


def test_a_callback_said_three_times_counts_once_and_a_late_one_comes_a_day_later(power_bank: Shop) -> None:
    order = paid_order(power_bank, behaviour="duplicate_callback")
    realm = power_bank.merchant.realm
    issue_refund(order, "1")
    assert deliver_realm_callbacks(realm, real=NOON) == 3
    bank.change_account(token_of(order), bank.Behaviour.LATE_CALLBACK)
    refund = issue_refund(order, "2")
    assert refund.state == "pending"
    realm.frozen_at = NOON + ONE_DAY
    assert deliver_realm_callbacks(realm, real=NOON + ONE_DAY) == 1
    refund = Refund.objects.get(pk=refund.pk)
    assert (refund.state, refunded_at_bank(order), reload_order(order.id).refunded_minor) == (
        "succeeded",
        [100, 200],
        300,
    )


def test_order_is_paused_while_a_refund_is_pending(db: None) -> None:
    power_bank = make_shop("雨伞", late_fee_daily_bps=100, late_fee_cap_bps=1000)
    order = make_due_order(power_bank, make_person(power_bank), yuan("6"), due_at=NOON + ONE_DAY)
    pay_now(order.id, amount_minor=400, by=BY, at=NOON)
    owed = order.obligations.get()
    owed.collect_at = None
    owed.save(update_fields=["collect_at"])  # nobody asks
    late = NOON + 5 * ONE_DAY
    orders.mark_overdue(power_bank.realm_id, at=late, limit=10)
    orders.close_days(power_bank.realm_id, at=late + ONE_DAY, limit=10)
    fee = order.obligations.filter(kind="late_fee").first()
    assert fee is not None, "a day ended unpaid"
    bank.change_account(token_of(order), bank.Behaviour.SLOW)
    refund = issue_refund(order, "3", at=late + ONE_DAY)

    assert (refund.lowered_minor, refund.state, is_paused(order)) == (200, "pending", True)
    assert reload_order(order.id).state == "overdue", "its late fee is still owed"
    fee = order.obligations.get(kind="late_fee")
    assert (fee.collect_at, fee.paused_at) == (None, late + ONE_DAY)
    poll_refund_parts(power_bank.realm_id, at=late + 2 * ONE_DAY)
    assert not is_paused(order)
    assert reload_order(order.id).refunded_minor == 100


def test_merchant_refund_number_is_idempotent(power_bank: Shop) -> None:
    order, other = paid_order(power_bank), paid_order(power_bank)
    first = issue_refund(order, "2", number="R-1")
    with assert_unchanged():
        assert issue_refund(order, "2", number="R-1") == first
        for again in ((order, "3"), (other, "2")):
            with pytest.raises(RefundNumberReused):
                issue_refund(*again, number="R-1")


def test_a_debt_that_was_written_off_is_not_refunded(power_bank: Shop) -> None:
    order = make_due_order(power_bank, make_person(power_bank, "no_funds"), yuan("6"))
    deduct_due(power_bank.realm_id, at=NOON)
    orders.mark_overdue(power_bank.realm_id, at=NOON + 5 * ONE_DAY, limit=10)
    orders.write_off(order.id, "查无此人", by=BY, at=NOON + 6 * ONE_DAY)
    with assert_unchanged(), pytest.raises(WrittenOff):
        issue_refund(order, "1")


def test_a_channel_that_contradicts_itself_becomes_a_case(power_bank: Shop) -> None:
    order = paid_order(power_bank)
    issue_refund(order, "2")
    part = RefundPart.objects.get()
    for answer in (Succeeded("sb_other", yuan("2")),) * 2:
        REFUND_PARTS.settle_all([MovementReport(part.id, answer, "callback")], by=BY, at=NOON)
    assert [case.kind for case in Case.objects.all()] == ["refunded_twice"]
    assert balances(power_bank)["suspense"] == -200


def test_postgresql_prevents_refunding_more_than_was_paid(power_bank: Shop) -> None:
    order = paid_order(power_bank)
    line = DeductionLine.objects.get(order=order)
    with pytest.raises(IntegrityError, match="no_more_goes_back_than_came"), transaction.atomic():
        DeductionLine.objects.filter(pk=line.pk).update(refunded_minor=601)


def test_the_merchants_balance_may_go_below_zero(power_bank: Shop) -> None:
    order = paid_order(power_bank)
    issue_refund(order, "6")
    assert balances(power_bank) == {}
