"""Disputes: who bears the amount, contesting with evidence, and a ledger that adds up to the cent."""

from datetime import timedelta

import pytest

from accounts.models import Notice
from billing.channels import bank, bank_disputes
from billing.models import Break, DeductionLine, Dispute, StatementLine
from billing.refusals import DisputeClosed, EvidenceInvalid, RefundTooMuch
from billing.services.breaks import resolve_break
from billing.services.callbacks import deliver_callbacks
from billing.services.deduct import deduct_due
from billing.services.dispute_deadlines import process_due_disputes
from billing.services.dispute_evidence import contest_dispute
from billing.services.disputes import Chargeback, accept_dispute, record_chargeback
from billing.services.movement_polling import poll_refund_parts
from billing.services.pay import pay_now
from billing.services.refund_retries import retry_refunds
from credit import services as credit
from credit.models import Agreement, Profile
from merchants.models import Event
from orders import services as orders
from orders.models import Order
from tests.billing.helpers import balances, issue_refund, latest_deduction_of, obligation_of, paid_order, token_of
from tests.billing.statements import NEXT_DAY, STRAY, bank_statement, import_file, statement_of
from tests.conftest import BY, NOON, Shop, make_due_order, make_person, reload_order, yuan
from tests.overdue import make_overdue
from tests.settlement.helpers import MIDNIGHT, settle_and_pay_out, settlement_nets
from tests.unchanged import assert_unchanged

ONE_DAY, HOUR = timedelta(days=1), timedelta(hours=1)
EVIDENCE = f"签收单 {bank_disputes.WINNING_EVIDENCE}"


def dispute_at_bank(shop: Shop, order: Order, code: str, *, at: object = NOON) -> Dispute:
    """The bank does, and its callback is taken in."""
    assert bank_disputes.reverse_debit(latest_deduction_of(order).number, code, at=at)
    assert deliver_callbacks(shop.realm_id, at=at) == 1
    return Dispute.objects.get(deduction=latest_deduction_of(order))


def event_types_of(order: Order) -> list[str]:
    return list(Event.objects.filter(subject_id=order.id).order_by("sequence").values_list("type", flat=True))


def profile_of(order: Order) -> Profile:
    return Profile.objects.get(pk=order.person_id)


def test_dispute_for_no_funds_is_owed_again_at_once(power_bank: Shop) -> None:
    order = paid_order(power_bank)
    score = profile_of(order).score
    dispute = dispute_at_bank(power_bank, order, "no_funds")

    assert (dispute.state, dispute.bearer, dispute.answer_until) == ("lost", "person", None)
    assert balances(power_bank) == {"receivable": 600, "pending": 600}
    row = obligation_of(order)
    assert (row.state, row.owed.minor, row.collect_at, row.overdue_days) == ("overdue", 600, None, 0)
    assert (reload_order(order.id).state, reload_order(order.id).deducted_at) == ("overdue", None)
    assert event_types_of(order)[-3:] == ["dispute.opened", "order.overdue", "dispute.lost"]
    profile = profile_of(order)
    assert (profile.outstanding_minor, profile.overdue_orders) == (600, 1)
    assert (profile.kept_orders, profile.breached_orders) == (0, 1)
    assert profile.score < score
    notice = Notice.objects.get(stage="debit_returned")
    assert "6.00" in notice.subject
    assert "余额不足" in notice.body
    assert bank_disputes.reversals_of(token_of(order)) == [yuan("6")]


def test_reopened_debt_is_paid_by_the_person_only(power_bank: Shop) -> None:
    order = paid_order(power_bank)
    dispute_at_bank(power_bank, order, "no_funds")
    assert deduct_due(power_bank.realm_id, at=NOON + timedelta(days=40)) == 0, "nobody tries by himself"
    pay_now(order.id, by=BY, at=NOON + HOUR)

    assert reload_order(order.id).state == "deducted"
    assert balances(power_bank) == {"clearing:sandbox": 600, "payable": 596, "fees": 4}
    assert profile_of(order).overdue_orders == 0


def test_repeated_chargeback_reports_change_nothing(power_bank: Shop) -> None:
    order = paid_order(power_bank)
    dispute = dispute_at_bank(power_bank, order, "no_funds")
    word = Chargeback(dispute.channel_txn, dispute.amount, "no_funds")
    with assert_unchanged():
        assert record_chargeback(dispute.deduction_id, word, by=BY, at=NOON) == dispute
        assert bank_disputes.reverse_debit(latest_deduction_of(order).number, "no_funds", at=NOON) is None, (
            "nothing is left there"
        )


def test_refunded_part_is_not_owed_again_after_a_dispute(power_bank: Shop) -> None:
    order = paid_order(power_bank, "9.99")
    issue_refund(order, "3.33")
    dispute = dispute_at_bank(power_bank, order, "account_closed")

    assert dispute.amount == yuan("6.66")
    assert (obligation_of(order).owed, reload_order(order.id).refunded) == (yuan("6.66"), yuan("3.33"))
    assert balances(power_bank) == {"receivable": 666, "pending": 666}
    pay_now(order.id, by=BY, at=NOON)
    issue_refund(order, "6.66")
    assert balances(power_bank) == {}


def test_contestable_dispute_waits_and_blocks_refunds(shop: Shop) -> None:
    order = paid_order(shop, "49.90")
    dispute = dispute_at_bank(shop, order, "not_received")

    assert (dispute.state, dispute.answer_until) == ("open", NOON + timedelta(days=7))
    assert (balances(shop)["disputed"], balances(shop).get("clearing:sandbox")) == (4990, None)
    assert reload_order(order.id).state == "deducted", "the person owes nothing"
    with assert_unchanged(), pytest.raises(RefundTooMuch):
        issue_refund(order, "0.01")
    with assert_unchanged(), pytest.raises(EvidenceInvalid):
        contest_dispute(dispute.id, "  ", by=BY, at=NOON)


def test_won_dispute_returns_the_money(shop: Shop) -> None:
    order = paid_order(shop, "49.90")
    before = balances(shop)
    dispute = dispute_at_bank(shop, order, "not_received")
    contest_dispute(dispute.id, EVIDENCE, by=BY, at=NOON)
    with assert_unchanged(), pytest.raises(DisputeClosed):
        contest_dispute(dispute.id, EVIDENCE, by=BY, at=NOON)
    process_due_disputes(shop.realm_id, at=NOON)
    process_due_disputes(shop.realm_id, at=NOON + HOUR)
    assert Dispute.objects.get().state == "contested"
    process_due_disputes(shop.realm_id, at=NOON + ONE_DAY)

    assert Dispute.objects.get().state == "won"
    assert balances(shop) == before
    assert event_types_of(order)[-1] == "dispute.won"
    assert bank_disputes.reversals_of(token_of(order)) == []
    issue_refund(order, "49.90")
    assert reload_order(order.id).refunded == yuan("49.90")


@pytest.mark.parametrize("evidence", ["我们认为已送达", None])
def test_merchant_bears_a_dispute_lost_or_unanswered(shop: Shop, evidence: str | None) -> None:
    order = paid_order(shop, "49.90")
    dispute = dispute_at_bank(shop, order, "not_received")
    if evidence:
        contest_dispute(dispute.id, evidence, by=BY, at=NOON)
    for day in range(9):
        process_due_disputes(shop.realm_id, at=NOON + day * ONE_DAY)

    lost = Dispute.objects.get()
    assert (lost.state, lost.bearer) == ("lost", "merchant")
    assert lost.resolved_at == NOON + (ONE_DAY if evidence else timedelta(days=7))
    assert balances(shop) == {}
    assert (reload_order(order.id).state, reload_order(order.id).refunded) == ("deducted", yuan("49.90"))
    assert not Notice.objects.filter(stage="debit_returned").exists()


def test_settled_merchant_owes_a_lost_dispute_in_the_next_settlement(shop: Shop) -> None:
    order = paid_order(shop, "49.90")
    settle_and_pay_out(shop, MIDNIGHT)
    (first,) = settlement_nets(shop)
    dispute = dispute_at_bank(shop, order, "not_received", at=MIDNIGHT)
    accept_dispute(dispute.id, "merchant", "没有签收单", by=BY, at=MIDNIGHT + HOUR)
    settle_and_pay_out(shop, MIDNIGHT + ONE_DAY)

    assert settlement_nets(shop) == [first, -first]


def test_a_colleague_may_make_the_platform_liable(shop: Shop) -> None:
    order = paid_order(shop, "49.90")
    before = balances(shop)
    dispute = dispute_at_bank(shop, order, "not_received")
    accept_dispute(dispute.id, "platform", "我们的错", by=BY, at=NOON)

    assert balances(shop)["losses"] == 4990
    assert balances(shop)["payable"] == before["payable"]
    with assert_unchanged(), pytest.raises(DisputeClosed):
        accept_dispute(dispute.id, "platform", "我们的错", by=BY, at=NOON)


def test_dispute_of_one_debit_for_two_orders_concerns_both(power_bank: Shop) -> None:
    person = make_person(power_bank)
    first = make_due_order(power_bank, person, yuan("6"))
    agreement = Agreement.objects.get(person=person)
    opening = orders.open_order(
        power_bank.merchant.id,
        orders.OrderRequest(agreement_id=agreement.id, out_order_no="second", title="充电宝", currency="CNY"),
        by=BY,
        at=NOON,
    )
    assert opening.order
    second = orders.complete_order(opening.order.id, orders.CompletionRequest(total=400), by=BY, at=NOON)
    deduct_due(power_bank.realm_id, at=NOON)
    dispute = dispute_at_bank(power_bank, first, "no_funds")

    assert dispute.amount == yuan("10")
    assert {reload_order(one.id).state for one in (first, second)} == {"overdue"}
    assert Notice.objects.filter(stage="debit_returned").count() == 2


def test_an_order_is_owed_again_also_when_its_agreement_has_ended(power_bank: Shop) -> None:
    order = paid_order(power_bank)
    credit.stop_agreement(order.agreement_id, by=BY, at=NOON)
    dispute_at_bank(power_bank, order, "no_funds")
    assert Agreement.objects.get(pk=order.agreement_id).live_orders == 1
    pay_now(order.id, by=BY, at=NOON)
    assert Agreement.objects.get(pk=order.agreement_id).live_orders == 0


def test_a_late_fee_that_was_paid_is_owed_again_beside_its_debt(shop: Shop) -> None:
    order = make_due_order(shop, make_person(shop, "no_funds"), yuan("49.90"))
    for day in range(4):
        make_overdue(shop.realm_id, at=NOON + day * ONE_DAY, limit=10)
        orders.close_days(shop.realm_id, at=NOON + day * ONE_DAY, limit=10)
    bank.change_account(token_of(order), bank.Behaviour.PAYS)
    late = NOON + timedelta(days=5)
    pay_now(order.id, by=BY, at=late)
    assert reload_order(order.id).state == "deducted"
    dispute_at_bank(shop, order, "no_funds", at=late)
    assert reload_order(order.id).state == "overdue"
    assert {row.state for row in order.obligations.all()} == {"overdue"}


def test_dispute_of_a_written_off_debt_is_a_platform_loss(parcel: Shop) -> None:
    order = make_due_order(parcel, make_person(parcel, "no_funds"), yuan("9"))
    late = NOON + timedelta(days=5)
    make_overdue(parcel.realm_id, at=late, limit=10)
    orders.write_off(order.id, "x", by=BY, at=late)
    bank.change_account(token_of(order), bank.Behaviour.PAYS)
    pay_now(order.id, by=BY, at=late)
    dispute = dispute_at_bank(parcel, order, "no_funds", at=late)

    assert (dispute.state, dispute.bearer) == ("lost", "platform")
    assert reload_order(order.id).state == "deducted"


def test_chargeback_waits_for_a_pending_refund(power_bank: Shop) -> None:
    order = paid_order(power_bank, behaviour="timeout_then_not_paid")
    issue_refund(order, "2")
    assert bank_disputes.reverse_debit(latest_deduction_of(order).number, "no_funds", at=NOON) == yuan("6")
    with assert_unchanged():
        deliver_callbacks(power_bank.realm_id, at=NOON)
    # The refund was never received; the bank refuses its resend, because nothing is left to refund.
    for minutes in (1, 2, 10, 20, 21):
        poll_refund_parts(power_bank.realm_id, at=NOON + timedelta(minutes=minutes))
        retry_refunds(power_bank.realm_id, at=NOON + timedelta(minutes=minutes))
    deliver_callbacks(power_bank.realm_id, at=NOON + timedelta(minutes=22))

    assert (Dispute.objects.get().state, Dispute.objects.get().amount) == ("lost", yuan("6"))
    assert DeductionLine.objects.get().refunded_minor == 0
    assert reload_order(order.id).state == "overdue"


def test_statement_records_a_chargeback_without_a_callback(power_bank: Shop) -> None:
    known, unheard = paid_order(power_bank), paid_order(power_bank, "7")
    dispute_at_bank(power_bank, known, "no_funds")
    assert bank_disputes.reverse_debit(latest_deduction_of(unheard).number, "no_funds", at=NOON)
    statement = import_file(power_bank, bank_statement(power_bank))

    assert (statement.lines, statement.trouble) == (4, "")
    rows = StatementLine.objects.filter(kind="return").order_by("amount_minor")
    assert [row.verdict for row in rows] == ["matched", "missing_here"]
    assert (Break.objects.get().resolution, Dispute.objects.count()) == ("booked", 2)
    dispute = Dispute.objects.get(deduction=latest_deduction_of(unheard))
    assert (dispute.code, dispute.state) == ("statement", "open"), "a statement does not say why"
    deliver_callbacks(power_bank.realm_id, at=NEXT_DAY)
    dispute = Dispute.objects.get(pk=dispute.pk)
    assert (dispute.code, dispute.state, dispute.bearer) == ("no_funds", "lost", "person"), "the callback does"
    assert (reload_order(unheard.id).state, Dispute.objects.count()) == ("overdue", 2)
    with assert_unchanged():
        record_chargeback(
            dispute.deduction_id, Chargeback(dispute.channel_txn, yuan("7"), "duplicate"), by=BY, at=NEXT_DAY
        )


def test_statement_chargeback_of_another_amount_opens_a_break(power_bank: Shop) -> None:
    dispute = dispute_at_bank(power_bank, paid_order(power_bank), "no_funds")
    line = STRAY | {"kind": "return", "transaction": dispute.channel_txn, "amount": 599}
    import_file(power_bank, statement_of([line | {"number": dispute.deduction.number}]))
    row = Break.objects.get(kind="amount")
    assert (row.theirs_minor, row.ours_minor, row.deduction_id, row.closed_at) == (599, 600, None, None)
    resolve_break(row.id, Break.Resolution.SUSPENSE, "x", by=BY, at=NOON)
    assert balances(power_bank)["suspense"] == 1
