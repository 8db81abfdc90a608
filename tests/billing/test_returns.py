"""A person sends goods back: their money goes ahead of them where they are trusted, and the merchant says they came."""

from datetime import timedelta

import pytest

from accounts.models import Notice
from billing.channels import bank, bank_refunds, bank_returns
from billing.models import Refund, Return, ReturnPolicy
from billing.refusals import NotReturnable, ReturnClosed, ReturnOpen
from billing.returns import Terms
from billing.services.ask_parts import ask_parts
from billing.services.callbacks import deliver_callbacks
from billing.services.deduct import deduct_due
from billing.services.return_ends import bear_return, confirm_return, deny_return, refuse_return
from billing.services.returns import open_return, withdraw_return
from billing.services.send_again import send_again
from kernel.money import Money
from kernel.refusal import Busy
from kernel.versions import publish_version
from merchants import services as merchants
from orders import services as orders
from orders.models import Order, Pause
from tests.billing.bench import balances, deduction_of, give_back, owed_of, paid, token_of
from tests.billing.returning import EVERYTHING, ONE_DAY, now, sent_back, told
from tests.conftest import BY, NOON, Shop, completed, fresh, make_shop, opened, ordered, someone, yuan
from tests.stillness import nothing_moves


def test_whoever_is_trusted_has_the_money_at_once_and_the_merchant_bears_it_later(shop: Shop) -> None:
    order = paid(shop, "49.90")
    before = balances(shop)
    row = sent_back(order)

    assert (row.state, row.answer_until) == ("advanced", NOON + 10 * ONE_DAY)
    assert bank_refunds.refunds_of(token_of(order)) == [yuan("49.90")]
    assert balances(shop) == {name: minor for name, minor in before.items() if name != "clearing:sandbox"} | {
        "advances": 4990
    }, "the merchant has what they had"
    assert (fresh(order.id).refunded_minor, fresh(order.id).advanced_minor) == (4990, 4990)
    assert Notice.objects.filter(stage="refund_succeeded").count() == 1
    with nothing_moves():
        assert sent_back(order) == row, "the same parcel is the same return"
    confirm_return(row.id, by=BY, at=NOON + ONE_DAY)
    with nothing_moves():
        confirm_return(row.id, by=BY, at=NOON + ONE_DAY)
    assert now(row).state == "confirmed"
    assert balances(shop) == {}
    assert fresh(order.id).advanced_minor == 0
    assert told(order) == ["opened", "advanced", "confirmed"]
    for late in (refuse_return, deny_return, bear_return):
        with nothing_moves(), pytest.raises(ReturnClosed):
            late(row.id, "x", by=BY, at=NOON + ONE_DAY)


def test_a_part_of_it_leaves_the_fee_exact_whatever_comes_before_and_after(power_bank: Shop) -> None:
    order = paid(power_bank, "9.99")
    give_back(order, "1.11")
    row = sent_back(order, 333)
    with nothing_moves(), pytest.raises(ReturnOpen):
        give_back(order, "0.01")
    confirm_return(row.id, by=BY, at=NOON)
    give_back(order, "2.22")
    left = balances(power_bank)
    assert left["payable"] + left["fees"] == left["clearing:sandbox"] == 333
    give_back(order, "3.33")
    assert balances(power_bank) == {}
    with nothing_moves(), pytest.raises(NotReturnable):
        sent_back(order, number="SF2")


def test_of_what_is_not_paid_yet_nothing_goes_ahead_and_the_clock_stands_still(power_bank: Shop) -> None:
    order = completed(power_bank, someone(power_bank, "no_funds"), yuan("6"))
    row = sent_back(order, 200)
    assert (row.state, row.advance) == ("open", None)
    assert Pause.objects.get(ended_at=None).reason == "return_under_way"
    assert deduct_due(power_bank.realm_id, at=NOON + ONE_DAY) == 0
    confirm_return(row.id, by=BY, at=NOON + 2 * ONE_DAY)
    assert owed_of(order).owed == yuan("4")
    assert not Pause.objects.filter(ended_at=None).exists()
    assert fresh(order.id).total_minor == 400


def test_keeping_it_after_all_lets_the_clock_go_on_and_another_parcel_may_come(power_bank: Shop) -> None:
    order = completed(power_bank, someone(power_bank, "no_funds"), yuan("6"))
    row = sent_back(order)
    for _ in range(2):
        withdraw_return(row.id, by=BY, at=NOON + ONE_DAY)
    assert (now(row).state, told(order)) == ("withdrawn", ["opened", "withdrawn"])
    assert not Pause.objects.filter(ended_at=None).exists()
    again, fresh_one = open_return(order.id, EVERYTHING, by=BY, at=NOON + ONE_DAY)
    assert (again.state, fresh_one) == ("open", True)
    done = sent_back(paid(power_bank))
    with nothing_moves(), pytest.raises(ReturnClosed):
        withdraw_return(done.id, by=BY, at=NOON)


@pytest.mark.parametrize(
    "terms", [{"score_min": 950}, {"ceiling_minor": 599}, {"open_max": 0}], ids=lambda each: next(iter(each))
)
def test_whoever_is_not_trusted_so_far_waits_for_the_merchant(power_bank: Shop, terms: dict[str, int]) -> None:
    first = ReturnPolicy.objects.get().terms
    publish_version(ReturnPolicy, first | terms, "x", after=1, by=BY, at=NOON)
    order = paid(power_bank)
    row = sent_back(order)
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
    terms = Terms(score_min=650, ceiling_minor=50_000, open_max=2, within_days=30, answer_days=10, remind_days=3)
    assert [terms.trusts(650, overdue=False, undecided=0, amount=amount) for amount in (most, more)] == [True, False]


def test_so_many_at_a_time_and_no_more(power_bank: Shop) -> None:
    agreement, rows = opened(power_bank, someone(power_bank)), []
    for number in range(3):
        order = ordered(power_bank, agreement)
        orders.complete_order(order.id, orders.Final(total=600), by=BY, at=NOON)
        deduct_due(power_bank.realm_id, at=NOON)
        rows.append(sent_back(order, number=f"SF{number}"))
    assert [row.state for row in rows] == ["advanced", "advanced", "open"]


def test_a_lost_answer_is_asked_for_and_nothing_is_decided_before(power_bank: Shop) -> None:
    order = paid(power_bank, behaviour="timeout_then_paid")
    row = sent_back(order)
    assert (row.state, Refund.objects.get().state) == ("advanced", "pending")
    assert balances(power_bank)["advances"] == 600
    with nothing_moves(), pytest.raises(Busy):
        confirm_return(row.id, by=BY, at=NOON)
    ask_parts(power_bank.realm_id, at=NOON + timedelta(minutes=5))
    assert bank_refunds.refunds_of(token_of(order)) == [yuan("6")]
    confirm_return(row.id, by=BY, at=NOON + ONE_DAY)
    assert balances(power_bank) == {}


def test_where_it_could_not_go_ahead_the_merchant_gives_it_back_as_ever(power_bank: Shop) -> None:
    order = paid(power_bank, behaviour="hard_decline")
    row = sent_back(order)
    assert Refund.objects.get().state == "failed"
    assert "advances" not in balances(power_bank)
    bank.change_account(token_of(order), bank.Behaviour.PAYS)
    confirm_return(row.id, by=BY, at=NOON)
    assert [refund.state for refund in Refund.objects.order_by("id")] == ["failed", "succeeded"]
    assert balances(power_bank) == {}


def test_what_is_sent_again_ahead_of_a_return_arrives_once(power_bank: Shop) -> None:
    order = paid(power_bank, behaviour="timeout_then_not_paid")
    sent_back(order)
    for minutes in (1, 2, 10, 30, 60, 240, 1500):
        at = NOON + timedelta(minutes=minutes)
        ask_parts(power_bank.realm_id, at=at)
        send_again(power_bank.realm_id, at=at)
    assert bank_refunds.refunds_of(token_of(order)) == [yuan("6")]
    assert balances(power_bank)["advances"] == 600


def test_what_a_suspended_merchant_would_have_to_bear_does_not_go_ahead(power_bank: Shop) -> None:
    order = paid(power_bank)
    merchants.suspend_merchant(power_bank.merchant.id, "x", by=BY, at=NOON)
    assert sent_back(order).state == "open"


def test_saying_so_and_keeping_it_puts_a_debt_off_three_times_and_no_more(power_bank: Shop) -> None:
    order = completed(power_bank, someone(power_bank, "no_funds"), yuan("6"))
    for number in range(3):
        withdraw_return(sent_back(order, number=f"SF{number}").id, by=BY, at=NOON)
    with nothing_moves(), pytest.raises(NotReturnable):
        sent_back(order, number="SF9")


def of_somebody_untrusted(shop: Shop) -> tuple[Order, Return]:
    """A paid order, and its goods on their way back with nothing ahead of them."""
    terms = ReturnPolicy.objects.get().terms | {"score_min": 950}
    publish_version(ReturnPolicy, terms, "x", after=1, by=BY, at=NOON)
    order = paid(shop, "60")
    row = sent_back(order)
    assert row.state == "open"
    return order, row


def bounces(shop: Shop, order: Order) -> None:
    assert bank_returns.take_back(deduction_of(order).number, "no_funds", at=NOON)
    assert deliver_callbacks(shop.realm_id, at=NOON) == 1
    assert fresh(order.id).state == "overdue"


def days_pass(shop: Shop) -> None:
    for day in range(1, 7):
        orders.mark_overdue(shop.realm_id, at=NOON + day * ONE_DAY, limit=100)
        orders.close_days(shop.realm_id, at=NOON + day * ONE_DAY, limit=100)


def test_what_bounces_while_goods_are_on_their_way_back_stands_still_too(db: None) -> None:
    shop = make_shop("飞鸽", late_fee_daily_bps=50, late_fee_cap_bps=2000, ceiling_minor=50_000)
    order, row = of_somebody_untrusted(shop)
    bounces(shop, order)
    days_pass(shop)
    (debt,) = order.obligations.all()
    assert (debt.overdue_days, debt.day_end_at) == (0, None)

    confirm_return(row.id, by=BY, at=NOON + 7 * ONE_DAY)
    assert fresh(order.id).state == "deducted"


@pytest.mark.parametrize("end", ["denied", "withdrawn"])
def test_it_goes_on_when_the_goods_do_not_come(power_bank: Shop, end: str) -> None:
    order, row = of_somebody_untrusted(power_bank)
    bounces(power_bank, order)
    if end == "denied":
        refuse_return(row.id, "空盒", by=BY, at=NOON)
        deny_return(row.id, "空盒", by=BY, at=NOON)
    else:
        withdraw_return(row.id, by=BY, at=NOON)
    days_pass(power_bank)
    assert order.obligations.get().overdue_days == 6
