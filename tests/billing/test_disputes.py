"""A bank takes back what it had collected: who bears it, what we say against it, and that every cent is somewhere."""

from datetime import timedelta

import pytest

from accounts.models import Notice
from billing.channels import bank, bank_returns
from billing.models import Break, DeductionLine, Dispute, StatementLine
from billing.refusals import DisputeClosed, EvidenceInvalid, RefundTooMuch
from billing.services.answers import contest_dispute
from billing.services.ask_parts import ask_parts
from billing.services.breaks import settle_break
from billing.services.callbacks import deliver_callbacks
from billing.services.deduct import deduct_due
from billing.services.disputes import Withdrawal, accept_dispute, take_back
from billing.services.pay import pay_now
from billing.services.press_disputes import press_disputes
from billing.services.send_again import send_again
from credit import services as credit
from credit.models import Agreement, Profile
from merchants.models import Event
from orders import services as orders
from orders.models import Order
from tests.billing.bench import balances, deduction_of, give_back, owed_of, paid, token_of
from tests.billing.statements import NEXT_DAY, STRAY, of_bank, taken_in, written
from tests.conftest import BY, NOON, Shop, completed, fresh, someone, yuan
from tests.falling import fall
from tests.settlement.bench import MIDNIGHT, day_ends, nets
from tests.stillness import nothing_moves

ONE_DAY, HOUR = timedelta(days=1), timedelta(hours=1)
EVIDENCE = f"签收单 {bank_returns.CONVINCING}"


def bank_takes_back(shop: Shop, order: Order, code: str, *, at: object = NOON) -> Dispute:
    """The bank does, and its callback is taken in."""
    assert bank_returns.take_back(deduction_of(order).number, code, at=at)
    assert deliver_callbacks(shop.realm_id, at=at) == 1
    return Dispute.objects.get(deduction=deduction_of(order))


def told(order: Order) -> list[str]:
    return list(Event.objects.filter(subject_id=order.id).order_by("sequence").values_list("type", flat=True))


def profile_of(order: Order) -> Profile:
    return Profile.objects.get(pk=order.person_id)


def test_what_the_bank_takes_back_for_want_of_money_is_owed_again_at_once(power_bank: Shop) -> None:
    order = paid(power_bank)
    score = profile_of(order).score
    dispute = bank_takes_back(power_bank, order, "no_funds")

    assert (dispute.state, dispute.bearer, dispute.answer_until) == ("lost", "person", None)
    assert balances(power_bank) == {"receivable": 600, "pending": 600}
    row = owed_of(order)
    assert (row.state, row.owed.minor, row.collect_at, row.overdue_days) == ("overdue", 600, None, 0)
    assert (fresh(order.id).state, fresh(order.id).deducted_at) == ("overdue", None)
    assert told(order)[-3:] == ["dispute.opened", "order.overdue", "dispute.lost"]
    profile = profile_of(order)
    assert (profile.outstanding_minor, profile.overdue_orders) == (600, 1)
    assert (profile.kept_orders, profile.breached_orders) == (0, 1)
    assert profile.score < score
    notice = Notice.objects.get(stage="debit_returned")
    assert "6.00" in notice.subject
    assert "余额不足" in notice.body
    assert bank_returns.returns_of(token_of(order)) == [yuan("6")]


def test_it_is_paid_again_by_the_person_and_by_nobody_else(power_bank: Shop) -> None:
    order = paid(power_bank)
    bank_takes_back(power_bank, order, "no_funds")
    assert deduct_due(power_bank.realm_id, at=NOON + timedelta(days=40)) == 0, "nobody tries by himself"
    pay_now(order.id, by=BY, at=NOON + HOUR)

    assert fresh(order.id).state == "deducted"
    assert balances(power_bank) == {"clearing:sandbox": 600, "payable": 596, "fees": 4}
    assert profile_of(order).overdue_orders == 0


def test_the_same_callback_again_and_the_same_word_again_change_nothing(power_bank: Shop) -> None:
    order = paid(power_bank)
    dispute = bank_takes_back(power_bank, order, "no_funds")
    word = Withdrawal(dispute.channel_txn, dispute.amount, "no_funds")
    with nothing_moves():
        assert take_back(dispute.deduction_id, word, by=BY, at=NOON) == dispute
        assert bank_returns.take_back(deduction_of(order).number, "no_funds", at=NOON) is None, "nothing is left there"


def test_what_went_back_before_is_not_owed_again_and_the_fee_ends_to_the_cent(power_bank: Shop) -> None:
    order = paid(power_bank, "9.99")
    give_back(order, "3.33")
    dispute = bank_takes_back(power_bank, order, "account_closed")

    assert dispute.amount == yuan("6.66")
    assert (owed_of(order).owed, fresh(order.id).refunded) == (yuan("6.66"), yuan("3.33"))
    assert balances(power_bank) == {"receivable": 666, "pending": 666}
    pay_now(order.id, by=BY, at=NOON)
    give_back(order, "6.66")
    assert balances(power_bank) == {}


def test_where_the_bank_hears_us_the_money_waits_and_cannot_be_refunded(shop: Shop) -> None:
    order = paid(shop, "49.90")
    dispute = bank_takes_back(shop, order, "not_received")

    assert (dispute.state, dispute.answer_until) == ("open", NOON + timedelta(days=7))
    assert (balances(shop)["disputed"], balances(shop).get("clearing:sandbox")) == (4990, None)
    assert fresh(order.id).state == "deducted", "the person owes nothing"
    with nothing_moves(), pytest.raises(RefundTooMuch):
        give_back(order, "0.01")
    with nothing_moves(), pytest.raises(EvidenceInvalid):
        contest_dispute(dispute.id, "  ", by=BY, at=NOON)


def test_evidence_that_convinces_brings_the_money_back(shop: Shop) -> None:
    order = paid(shop, "49.90")
    before = balances(shop)
    dispute = bank_takes_back(shop, order, "not_received")
    contest_dispute(dispute.id, EVIDENCE, by=BY, at=NOON)
    with nothing_moves(), pytest.raises(DisputeClosed):
        contest_dispute(dispute.id, EVIDENCE, by=BY, at=NOON)
    press_disputes(shop.realm_id, at=NOON)
    press_disputes(shop.realm_id, at=NOON + HOUR)
    assert Dispute.objects.get().state == "contested"
    press_disputes(shop.realm_id, at=NOON + ONE_DAY)

    assert Dispute.objects.get().state == "won"
    assert balances(shop) == before
    assert told(order)[-1] == "dispute.won"
    assert bank_returns.returns_of(token_of(order)) == []
    give_back(order, "49.90")
    assert fresh(order.id).refunded == yuan("49.90")


@pytest.mark.parametrize("evidence", ["我们认为已送达", None])
def test_what_does_not_convince_or_is_not_said_in_time_the_merchant_bears(shop: Shop, evidence: str | None) -> None:
    order = paid(shop, "49.90")
    dispute = bank_takes_back(shop, order, "not_received")
    if evidence:
        contest_dispute(dispute.id, evidence, by=BY, at=NOON)
    for day in range(9):
        press_disputes(shop.realm_id, at=NOON + day * ONE_DAY)

    lost = Dispute.objects.get()
    assert (lost.state, lost.bearer) == ("lost", "merchant")
    assert lost.resolved_at == NOON + (ONE_DAY if evidence else timedelta(days=7))
    assert balances(shop) == {}
    assert (fresh(order.id).state, fresh(order.id).refunded) == ("deducted", yuan("49.90"))
    assert not Notice.objects.filter(stage="debit_returned").exists()


def test_a_merchant_who_was_paid_already_owes_it_and_the_next_settlement_carries_it(shop: Shop) -> None:
    order = paid(shop, "49.90")
    day_ends(shop, MIDNIGHT)
    (first,) = nets(shop)
    dispute = bank_takes_back(shop, order, "not_received", at=MIDNIGHT)
    accept_dispute(dispute.id, "merchant", "没有签收单", by=BY, at=MIDNIGHT + HOUR)
    day_ends(shop, MIDNIGHT + ONE_DAY)

    assert nets(shop) == [first, -first]


def test_a_colleague_may_say_that_we_bear_it(shop: Shop) -> None:
    order = paid(shop, "49.90")
    before = balances(shop)
    dispute = bank_takes_back(shop, order, "not_received")
    accept_dispute(dispute.id, "platform", "我们的错", by=BY, at=NOON)

    assert balances(shop)["losses"] == 4990
    assert balances(shop)["payable"] == before["payable"]
    with nothing_moves(), pytest.raises(DisputeClosed):
        accept_dispute(dispute.id, "platform", "我们的错", by=BY, at=NOON)


def test_one_debit_for_two_orders_is_taken_back_for_both(power_bank: Shop) -> None:
    person = someone(power_bank)
    first = completed(power_bank, person, yuan("6"))
    agreement = Agreement.objects.get(person=person)
    opening = orders.open_order(
        power_bank.merchant.id,
        orders.Wish(agreement_id=agreement.id, out_order_no="second", title="充电宝", currency="CNY"),
        by=BY,
        at=NOON,
    )
    assert opening.order
    second = orders.complete_order(opening.order.id, orders.Final(total=400), by=BY, at=NOON)
    deduct_due(power_bank.realm_id, at=NOON)
    dispute = bank_takes_back(power_bank, first, "no_funds")

    assert dispute.amount == yuan("10")
    assert {fresh(one.id).state for one in (first, second)} == {"overdue"}
    assert Notice.objects.filter(stage="debit_returned").count() == 2


def test_an_order_is_owed_again_also_when_its_agreement_has_ended(power_bank: Shop) -> None:
    order = paid(power_bank)
    credit.stop_agreement(order.agreement_id, by=BY, at=NOON)
    bank_takes_back(power_bank, order, "no_funds")
    assert Agreement.objects.get(pk=order.agreement_id).live_orders == 1
    pay_now(order.id, by=BY, at=NOON)
    assert Agreement.objects.get(pk=order.agreement_id).live_orders == 0


def test_a_late_fee_that_was_paid_is_owed_again_beside_its_debt(shop: Shop) -> None:
    order = completed(shop, someone(shop, "no_funds"), yuan("49.90"))
    for day in range(4):
        fall(shop.realm_id, at=NOON + day * ONE_DAY, limit=10)
        orders.close_days(shop.realm_id, at=NOON + day * ONE_DAY, limit=10)
    bank.change_account(token_of(order), bank.Behaviour.PAYS)
    late = NOON + timedelta(days=5)
    pay_now(order.id, by=BY, at=late)
    assert fresh(order.id).state == "deducted"
    bank_takes_back(shop, order, "no_funds", at=late)
    assert fresh(order.id).state == "overdue"
    assert {row.state for row in order.obligations.all()} == {"overdue"}


def test_what_is_gone_of_a_debt_once_given_up_is_our_loss(parcel: Shop) -> None:
    order = completed(parcel, someone(parcel, "no_funds"), yuan("9"))
    late = NOON + timedelta(days=5)
    fall(parcel.realm_id, at=late, limit=10)
    orders.write_off(order.id, "x", by=BY, at=late)
    bank.change_account(token_of(order), bank.Behaviour.PAYS)
    pay_now(order.id, by=BY, at=late)
    dispute = bank_takes_back(parcel, order, "no_funds", at=late)

    assert (dispute.state, dispute.bearer) == ("lost", "platform")
    assert fresh(order.id).state == "deducted"


def test_a_return_waits_for_the_outcome_of_a_refund_and_takes_what_is_left(power_bank: Shop) -> None:
    order = paid(power_bank, behaviour="timeout_then_not_paid")
    give_back(order, "2")
    assert bank_returns.take_back(deduction_of(order).number, "no_funds", at=NOON) == yuan("6")
    with nothing_moves():
        deliver_callbacks(power_bank.realm_id, at=NOON)
    for minutes in (
        1,
        2,
        10,
        20,
        21,
    ):  # never heard of; sent again, which the bank refuses: nothing is left to give back
        ask_parts(power_bank.realm_id, at=NOON + timedelta(minutes=minutes))
        send_again(power_bank.realm_id, at=NOON + timedelta(minutes=minutes))
    deliver_callbacks(power_bank.realm_id, at=NOON + timedelta(minutes=22))

    assert (Dispute.objects.get().state, Dispute.objects.get().amount) == ("lost", yuan("6"))
    assert DeductionLine.objects.get().refunded_minor == 0
    assert fresh(order.id).state == "overdue"


def test_a_statement_has_what_the_bank_took_back_and_makes_it_true_where_no_callback_came(power_bank: Shop) -> None:
    known, unheard = paid(power_bank), paid(power_bank, "7")
    bank_takes_back(power_bank, known, "no_funds")
    assert bank_returns.take_back(deduction_of(unheard).number, "no_funds", at=NOON)
    statement = taken_in(power_bank, of_bank(power_bank))

    assert (statement.lines, statement.trouble) == (4, "")
    rows = StatementLine.objects.filter(kind="return").order_by("amount_minor")
    assert [row.verdict for row in rows] == ["matched", "missing_here"]
    assert (Break.objects.get().resolution, Dispute.objects.count()) == ("booked", 2)
    dispute = Dispute.objects.get(deduction=deduction_of(unheard))
    assert (dispute.code, dispute.state) == ("statement", "open"), "a statement does not say why"
    deliver_callbacks(power_bank.realm_id, at=NEXT_DAY)
    dispute = Dispute.objects.get(pk=dispute.pk)
    assert (dispute.code, dispute.state, dispute.bearer) == ("no_funds", "lost", "person"), "the callback does"
    assert (fresh(unheard.id).state, Dispute.objects.count()) == ("overdue", 2)
    with nothing_moves():
        take_back(dispute.deduction_id, Withdrawal(dispute.channel_txn, yuan("7"), "duplicate"), by=BY, at=NEXT_DAY)


def test_a_statement_that_took_back_another_amount_opens_a_break(power_bank: Shop) -> None:
    dispute = bank_takes_back(power_bank, paid(power_bank), "no_funds")
    line = STRAY | {"kind": "return", "transaction": dispute.channel_txn, "amount": 599}
    taken_in(power_bank, written([line | {"number": dispute.deduction.number}]))
    row = Break.objects.get(kind="amount")
    assert (row.theirs_minor, row.ours_minor, row.deduction_id, row.closed_at) == (599, 600, None, None)
    settle_break(row.id, Break.Resolution.SUSPENSE, "x", by=BY, at=NOON)
    assert balances(power_bank)["suspense"] == 1
