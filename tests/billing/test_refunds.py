"""Money back: before it was collected and after, in parts, whatever the channel does, and never more than there was."""

from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction

from accounts.models import Notice
from billing.channels import Declined, Taken, bank, bank_refunds
from billing.models import Case, DeductionLine, Refund, RefundPart
from billing.planning import Kind
from billing.refusals import RefundNumberReused, RefundTooMuch
from billing.services.ask_parts import ask_parts
from billing.services.callbacks import deliver_sandbox_callbacks
from billing.services.deduct import deduct_due
from billing.services.instruments import open_wallet
from billing.services.movements import MovementReport
from billing.services.pay import pay_now
from billing.services.settle_parts import PARTS
from billing.services.wallets import top_up
from kernel.money import Money
from merchants.models import Event
from orders import services as orders
from orders.models import Order, Pause
from orders.refusals import WrittenOff
from tests.billing.bench import balances, give_back, paid, token_of
from tests.conftest import BY, NOON, Shop, completed, fresh, make_shop, someone, yuan
from tests.stillness import nothing_moves

ONE_DAY = timedelta(days=1)


def back_at(order: Order) -> list[int]:
    """What really went back to the person's account at the bank."""
    return [money.minor for money in bank_refunds.refunds_of(token_of(order))]


def told(order: Order) -> list[str]:
    rows = Event.objects.filter(subject_id=order.id, type__startswith="refund.").order_by("sequence")
    return list(rows.values_list("type", flat=True))


def still(order: Order) -> bool:
    return Pause.objects.filter(order=order, reason="refund_in_flight", ended_at=None).exists()


def test_what_was_collected_goes_back_the_way_it_came_with_its_fee(power_bank: Shop) -> None:
    order = paid(power_bank)
    assert balances(power_bank) == {"clearing:sandbox": 600, "payable": 596, "fees": 4}
    refund = give_back(order, "2")

    assert (refund.state, refund.lowered_minor, refund.returned_minor, refund.resolved_at) == (
        "succeeded",
        0,
        200,
        NOON,
    )
    assert back_at(order) == [200]
    assert balances(power_bank) == {"clearing:sandbox": 400, "payable": 398, "fees": 2}
    assert (fresh(order.id).state, fresh(order.id).refunded_minor) == ("deducted", 200)
    assert [line.kind for line in order.history.order_by("seq")][-2:] == ["refund_asked", "refunded"]
    assert told(order) == ["refund.succeeded"]
    notice = Notice.objects.get(stage="refund_succeeded", order_id=order.id)
    assert "2.00" in notice.subject
    assert "已原路退回" in notice.body


def test_many_small_parts_return_the_fee_to_the_cent(parcel: Shop) -> None:
    order = paid(parcel, "9.99")
    before = balances(parcel)
    for _ in range(37):
        give_back(order, "0.27")
    assert fresh(order.id).refunded_minor == 999
    assert balances(parcel) == {}, before
    with nothing_moves(), pytest.raises(RefundTooMuch, match=r"0\.00 CNY"):
        give_back(order, "0.01")


def test_before_collection_a_refund_lowers_what_is_owed(power_bank: Shop) -> None:
    order = completed(power_bank, someone(power_bank), yuan("6"), due_at=NOON + ONE_DAY)
    refund = give_back(order, "2")

    assert (refund.state, refund.lowered_minor, refund.returned_minor) == ("succeeded", 200, 0)
    assert (fresh(order.id).total_minor, fresh(order.id).refunded_minor) == (400, 0)
    assert told(order) == ["refund.succeeded"]
    assert not refund.parts.exists()
    give_back(order, "4")
    assert fresh(order.id).state == "deducted"
    assert balances(power_bank) == {}


def test_of_a_part_paid_order_what_is_owed_goes_first_and_the_newest_money_next(power_bank: Shop) -> None:
    order = completed(power_bank, someone(power_bank), yuan("6"), due_at=NOON + ONE_DAY)
    for amount in (100, 250):
        pay_now(order.id, amount_minor=amount, by=BY, at=NOON)
    refund = give_back(order, "5.20")

    assert (refund.lowered_minor, refund.returned_minor, refund.state) == (250, 270, "succeeded")
    newest, oldest = DeductionLine.objects.filter(order=order).order_by("-id")
    assert (newest.refunded_minor, oldest.refunded_minor) == (250, 20)
    assert sorted(back_at(order)) == [20, 250]
    assert fresh(order.id).state == "deducted"
    assert "2.50" in Notice.objects.get(stage="refund_succeeded").body


def test_a_wallets_payment_goes_back_into_the_wallet(power_bank: Shop) -> None:
    person = someone(power_bank, "no_funds")
    open_wallet(person, at=NOON)
    top_up(person.id, yuan("10"), "bank-1", at=NOON)
    order = completed(power_bank, person, yuan("6"))
    pay_now(order.id, instrument_id=person.instruments.get(channel="wallet").id, by=BY, at=NOON)
    give_back(order, "1.50")

    person.wallet.refresh_from_db()
    assert person.wallet.balance_minor == 550
    assert balances(power_bank)["wallet"] == 550
    assert "clearing:wallet" not in balances(power_bank), "what a wallet paid and got back is all in the wallet"


@pytest.mark.parametrize("behaviour", ["timeout_then_paid", "slow"])
def test_an_answer_that_is_lost_is_asked_for_and_nothing_is_refunded_twice(power_bank: Shop, behaviour: str) -> None:
    order = paid(power_bank, behaviour=behaviour)
    refund = give_back(order, "2")
    assert (refund.state, RefundPart.objects.get().state) == ("pending", "unknown")
    assert balances(power_bank)["refund_due"] == 200
    assert fresh(order.id).refunded_minor == 0
    assert ask_parts(power_bank.realm_id, at=NOON + timedelta(seconds=6)) == 1

    refund = Refund.objects.get(pk=refund.pk)
    assert (refund.state, back_at(order)) == ("succeeded", [200])
    assert RefundPart.objects.get().reports.count() == 2
    with nothing_moves():
        assert ask_parts(power_bank.realm_id, at=NOON + ONE_DAY) == 0


def test_a_closed_account_cannot_be_refunded_and_the_merchant_has_the_money_again(power_bank: Shop) -> None:
    order = paid(power_bank, behaviour="hard_decline")
    before = balances(power_bank)
    refund = give_back(order, "2")
    assert (refund.state, refund.parts.get().failure_code) == ("failed", "account_closed")
    assert (balances(power_bank), back_at(order)) == (before, [])


def test_fees_stay_exact_when_one_of_several_refunds_fails(power_bank: Shop) -> None:
    order = paid(power_bank, "9.99", behaviour="timeout_then_not_paid")
    give_back(order, "1.33")  # never arrives
    part = RefundPart.objects.get()
    for amount in ("2.17", "0.50"):
        give_back(order, amount)
    PARTS.settle_all([MovementReport(part.id, Declined("closed", Kind.HARD), "query")], by=BY, at=NOON)
    assert balances(power_bank)["fees"] == Money(999 - 217 - 50).bps(power_bank.service.fee_bps).minor


def test_a_callback_said_three_times_counts_once_and_a_late_one_comes_a_day_later(power_bank: Shop) -> None:
    order = paid(power_bank, behaviour="duplicate_callback")
    realm = power_bank.merchant.realm
    give_back(order, "1")
    assert deliver_sandbox_callbacks(realm, real=NOON) == 3
    bank.change_account(token_of(order), bank.Behaviour.LATE_CALLBACK)
    refund = give_back(order, "2")
    assert refund.state == "pending"
    realm.frozen_at = NOON + ONE_DAY
    assert deliver_sandbox_callbacks(realm, real=NOON + ONE_DAY) == 1
    refund = Refund.objects.get(pk=refund.pk)
    assert (refund.state, back_at(order), fresh(order.id).refunded_minor) == ("succeeded", [100, 200], 300)


def test_while_money_goes_back_nothing_that_is_still_owed_is_counted(db: None) -> None:
    power_bank = make_shop("雨伞", late_fee_daily_bps=100, late_fee_cap_bps=1000)
    order = completed(power_bank, someone(power_bank), yuan("6"), due_at=NOON + ONE_DAY)
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
    refund = give_back(order, "3", at=late + ONE_DAY)

    assert (refund.lowered_minor, refund.state, still(order)) == (200, "pending", True)
    assert fresh(order.id).state == "overdue", "its late fee is still owed"
    fee = order.obligations.get(kind="late_fee")
    assert (fee.collect_at, fee.paused_at) == (None, late + ONE_DAY)
    ask_parts(power_bank.realm_id, at=late + 2 * ONE_DAY)
    assert not still(order)
    assert fresh(order.id).refunded_minor == 100


def test_a_number_of_the_merchants_is_one_refund_for_ever(power_bank: Shop) -> None:
    order, other = paid(power_bank), paid(power_bank)
    first = give_back(order, "2", number="R-1")
    with nothing_moves():
        assert give_back(order, "2", number="R-1") == first
        for again in ((order, "3"), (other, "2")):
            with pytest.raises(RefundNumberReused):
                give_back(*again, number="R-1")


def test_a_debt_that_was_written_off_is_not_refunded(power_bank: Shop) -> None:
    order = completed(power_bank, someone(power_bank, "no_funds"), yuan("6"))
    deduct_due(power_bank.realm_id, at=NOON)
    orders.mark_overdue(power_bank.realm_id, at=NOON + 5 * ONE_DAY, limit=10)
    orders.write_off(order.id, "查无此人", by=BY, at=NOON + 6 * ONE_DAY)
    with nothing_moves(), pytest.raises(WrittenOff):
        give_back(order, "1")


def test_a_channel_that_contradicts_itself_becomes_a_case(power_bank: Shop) -> None:
    order = paid(power_bank)
    give_back(order, "2")
    part = RefundPart.objects.get()
    for answer in (Taken("sb_other", yuan("2")),) * 2:
        PARTS.settle_all([MovementReport(part.id, answer, "callback")], by=BY, at=NOON)
    assert [case.kind for case in Case.objects.all()] == ["refunded_twice"]
    assert balances(power_bank)["suspense"] == -200


def test_postgres_itself_lets_no_more_go_back_than_came(power_bank: Shop) -> None:
    order = paid(power_bank)
    line = DeductionLine.objects.get(order=order)
    with pytest.raises(IntegrityError, match="no_more_goes_back_than_came"), transaction.atomic():
        DeductionLine.objects.filter(pk=line.pk).update(refunded_minor=601)


def test_the_merchants_balance_may_go_below_zero(power_bank: Shop) -> None:
    order = paid(power_bank)
    give_back(order, "6")
    assert balances(power_bank) == {}
