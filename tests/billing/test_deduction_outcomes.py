"""Every behaviour of the sandbox bank, from the first answer to the last posting."""

from datetime import timedelta
from typing import Any

import pytest

from billing.channels import Declined, NumberNotFound, Succeeded, Unknown, bank
from billing.models import Case, ChannelReport, Deduction, DeductionLine
from billing.services import deduct
from billing.services.callbacks import deliver_realm_callbacks
from billing.services.deduct import deduct_due
from billing.services.deduction_outcomes import DeductionReport, settle_all
from billing.services.instruments import add_instrument
from billing.services.outcome_polling import poll_deductions
from kernel.money import Money
from ledger.models import Posting
from merchants.models import Event
from orders.models import Order
from tests.billing.helpers import balances, bank_debits_of, latest_deduction_of, obligation_of, run_due_deductions
from tests.conftest import BY, NOON, Shop, make_due_order, make_person, state_of, yuan
from tests.unchanged import assert_unchanged

ONE_DAY, NEXT_MORNING = timedelta(days=1), NOON.replace(hour=2) + timedelta(days=1)  # 10:00 in Shanghai


def due_order(shop: Shop, behaviour: str, **script: Any) -> Order:
    return make_due_order(shop, make_person(shop, behaviour, **script), yuan("6"))


def event_types_of(order: Order) -> list[str]:
    rows = Event.objects.filter(subject_id=order.id).order_by("sequence")
    return list(rows.values_list("type", flat=True))


def test_pays(power_bank: Shop) -> None:
    order = due_order(power_bank, "pays")
    deduct_due(power_bank.realm_id, at=NOON)

    done = latest_deduction_of(order)
    assert (done.state, done.resolved_at, done.ask_at) == ("succeeded", NOON, None)
    assert done.channel_txn
    owed = obligation_of(order)
    assert (owed.state, owed.in_flight, owed.attempts) == ("paid", None, 1)
    assert bank_debits_of(order.person) == [yuan("6")]
    assert balances(power_bank) == {"clearing:sandbox": 600, "payable": 596, "fees": 4}
    assert [line.kind for line in done.history.all()] == ["prepared", "sent", "succeeded"]
    with assert_unchanged():
        assert deduct_due(power_bank.realm_id, at=NOON + 9 * ONE_DAY) == 0


def test_no_funds_is_tried_again_on_the_plans_mornings_and_never_more_often(power_bank: Shop) -> None:
    order = due_order(power_bank, "no_funds")
    deduct_due(power_bank.realm_id, at=NOON)

    owed = obligation_of(order)
    assert (owed.state, owed.in_flight, owed.collect_at) == ("pending", None, NEXT_MORNING)
    assert owed.last_failure == {"code": "insufficient_funds", "class": "soft", "at": NOON.isoformat()}
    assert [attempt["reason"] for attempt in owed.plan][:2] == ["retry_1d", "retry_3d"]
    assert event_types_of(order)[-1] == "deduction.failed"
    assert Event.objects.get(type="deduction.failed").data["next_attempt_at"] == "2026-11-21T02:00:00Z"
    hour, tries = NOON, 0
    while hour < NOON + 100 * ONE_DAY:
        tries += deduct_due(power_bank.realm_id, at=hour)
        hour += timedelta(hours=6)
    assert tries == 12
    assert Deduction.objects.count() == obligation_of(order).attempts == 13
    assert (obligation_of(order).collect_at, obligation_of(order).plan) == (None, [])
    assert bank_debits_of(order.person) == []


def test_no_funds_until_pays_on_the_first_morning_after(power_bank: Shop) -> None:
    order = due_order(power_bank, "no_funds_until", until=NOON + 3 * ONE_DAY)
    for day in range(5):
        deduct_due(power_bank.realm_id, at=NEXT_MORNING + (day - 1) * ONE_DAY if day else NOON)
    assert state_of(order) == "completed"
    deduct_due(power_bank.realm_id, at=NEXT_MORNING + 4 * ONE_DAY)

    assert state_of(order) == "deducted"
    assert bank_debits_of(order.person) == [yuan("6")]


def test_hard_decline_is_never_repeated_on_that_instrument(power_bank: Shop) -> None:
    order = due_order(power_bank, "hard_decline")
    deduct_due(power_bank.realm_id, at=NOON)

    instrument = order.person.instruments.get()
    assert (instrument.state, instrument.dead_because) == ("dead", "account_closed")
    assert (obligation_of(order).collect_at, obligation_of(order).plan) == (None, [])
    assert deduct_due(power_bank.realm_id, at=NOON + 40 * ONE_DAY) == 0
    assert Deduction.objects.count() == 1


def test_after_a_hard_decline_the_next_instrument_is_tried_at_once(power_bank: Shop) -> None:
    order = due_order(power_bank, "hard_decline")
    second = add_instrument(order.person, "sandbox", f"{power_bank.realm_id}:second", "另一张卡", at=NOON)
    bank.open_account(second.token, bank.Behaviour.PAYS)
    deduct_due(power_bank.realm_id, at=NOON)
    assert obligation_of(order).plan[0] == {
        "at": NOON.isoformat(),
        "instrument": "另一张卡",
        "source": str(second.id),
        "reason": "next_instrument",
    }
    deduct_due(power_bank.realm_id, at=NOON)

    assert state_of(order) == "deducted"
    assert latest_deduction_of(order).instrument == second
    assert bank_debits_of(order.person) == []
    assert bank.debits_of(second.token) == [yuan("6")]


def test_someone_with_nothing_to_take_from_is_left_until_they_act(power_bank: Shop) -> None:
    order = due_order(power_bank, "pays")
    order.person.instruments.update(state="removed")
    assert deduct_due(power_bank.realm_id, at=NOON) == 1

    assert obligation_of(order).last_failure["code"] == "no_instrument"
    assert obligation_of(order).collect_at is None
    assert not Deduction.objects.exists()
    assert deduct_due(power_bank.realm_id, at=NOON + ONE_DAY) == 0


def test_timeout_then_paid_is_asked_about_and_booked_once(power_bank: Shop) -> None:
    order = due_order(power_bank, "timeout_then_paid")
    deduct_due(power_bank.realm_id, at=NOON)
    assert (latest_deduction_of(order).state, obligation_of(order).collect_at) == ("unknown", None)
    assert bank_debits_of(order.person) == [yuan("6")]
    assert deduct_due(power_bank.realm_id, at=NOON + 3 * ONE_DAY) == 0
    assert poll_deductions(power_bank.realm_id, at=NOON + timedelta(seconds=4)) == 0
    assert poll_deductions(power_bank.realm_id, at=NOON + timedelta(seconds=5)) == 1

    assert (latest_deduction_of(order).state, state_of(order)) == ("succeeded", "deducted")
    assert Posting.objects.filter(kind="collected", credit_account="receivable").count() == 1


def test_timeout_then_not_paid_is_believed_after_its_window_and_a_later_attempt_pays(power_bank: Shop) -> None:
    order = due_order(power_bank, "timeout_then_not_paid")
    deduct_due(power_bank.realm_id, at=NOON)
    poll_deductions(power_bank.realm_id, at=NOON + timedelta(seconds=5))
    assert latest_deduction_of(order).state == "unknown"
    assert poll_deductions(power_bank.realm_id, at=NOON + timedelta(seconds=35)) == 1

    gone = latest_deduction_of(order)
    assert (gone.state, gone.failure_class, gone.ask_at) == ("not_sent", "not_sent", None)
    assert obligation_of(order).plan[0]["reason"] == "channel_trouble"
    again = NOON + timedelta(minutes=10, seconds=35)
    assert deduct_due(power_bank.realm_id, at=again - timedelta(seconds=1)) == 0
    assert deduct_due(power_bank.realm_id, at=again) == 1
    assert state_of(order) == "deducted"
    assert latest_deduction_of(order).number != gone.number
    assert bank_debits_of(order.person) == [yuan("6")]


def test_slow_is_not_charged_again_but_asked(power_bank: Shop) -> None:
    order = due_order(power_bank, "slow")
    deduct_due(power_bank.realm_id, at=NOON)
    assert latest_deduction_of(order).state == "unknown"
    run_due_deductions(power_bank, NOON + timedelta(seconds=5))

    assert state_of(order) == "deducted"
    assert bank_debits_of(order.person) == [yuan("6")]


def test_duplicate_callback_counts_once(power_bank: Shop) -> None:
    order = due_order(power_bank, "duplicate_callback")
    deduct_due(power_bank.realm_id, at=NOON)
    realm = power_bank.merchant.realm
    assert deliver_realm_callbacks(realm, real=NOON) == 3

    assert state_of(order) == "deducted"
    assert bank_debits_of(order.person) == [yuan("6")]
    assert balances(power_bank) == {"clearing:sandbox": 600, "payable": 596, "fees": 4}
    assert ChannelReport.objects.filter(source="callback").count() == 1
    assert not Case.objects.exists()
    with assert_unchanged():
        assert deliver_realm_callbacks(realm, real=NOON + ONE_DAY) == 0


def test_late_callback_settles_a_day_later_and_nothing_is_charged_meanwhile(power_bank: Shop) -> None:
    order = due_order(power_bank, "late_callback")
    deduct_due(power_bank.realm_id, at=NOON)
    for seconds in (5, 35, 335, 4_000):
        run_due_deductions(power_bank, NOON + timedelta(seconds=seconds))
    assert latest_deduction_of(order).state == "unknown"
    assert deliver_realm_callbacks(power_bank.merchant.realm, real=NOON + ONE_DAY) == 1

    assert (latest_deduction_of(order).state, state_of(order)) == ("succeeded", "deducted")
    assert latest_deduction_of(order).resolved_at == NOON + ONE_DAY
    assert bank_debits_of(order.person) == [yuan("6")]


def test_partial_balance_declines_what_it_cannot_pay_whole(power_bank: Shop) -> None:
    order = due_order(power_bank, "partial_balance", balance_minor=599)
    deduct_due(power_bank.realm_id, at=NOON)

    assert obligation_of(order).last_failure["class"] == "soft"
    assert bank_debits_of(order.person) == []
    rich = due_order(power_bank, "partial_balance", balance_minor=600)
    deduct_due(power_bank.realm_id, at=NOON)
    assert state_of(rich) == "deducted"


def test_a_process_killed_after_sending_leaves_a_row_that_is_asked_about_after_its_lease(power_bank: Shop) -> None:
    taken, lost = due_order(power_bank, "pays"), due_order(power_bank, "pays")
    prepared, _ = deduct.prepare_due(power_bank.realm_id, at=NOON, limit=9)
    by_order = {row.lines.get().order_id: row for row in prepared}
    row = by_order[taken.id]
    bank.debit(row.number, row.instrument.token, row.amount, at=NOON)  # and here the process is gone
    assert {row.state for row in Deduction.objects.all()} == {"sent"}

    assert poll_deductions(power_bank.realm_id, at=NOON + timedelta(seconds=59)) == 0
    assert deduct_due(power_bank.realm_id, at=NOON + timedelta(seconds=59)) == 0
    assert poll_deductions(power_bank.realm_id, at=NOON + timedelta(seconds=60)) == 2
    assert (state_of(taken), latest_deduction_of(lost).state) == ("deducted", "unknown")
    poll_deductions(power_bank.realm_id, at=NOON + timedelta(seconds=95))
    assert latest_deduction_of(lost).state == "not_sent"
    deduct_due(power_bank.realm_id, at=NOON + timedelta(hours=1))

    assert state_of(lost) == "deducted"
    assert bank_debits_of(taken.person) == bank_debits_of(lost.person) == [yuan("6")]


def unknown(shop: Shop) -> tuple[Order, Deduction]:
    order = due_order(shop, "slow")
    deduct_due(shop.realm_id, at=NOON)
    return order, latest_deduction_of(order)


def settle(row: Deduction, answer: Any) -> None:
    settle_all([DeductionReport(row.id, answer, "query")], by=BY, at=NOON)


@pytest.mark.breaks_invariants  # the bank never said so
@pytest.mark.parametrize("amount", [Money(601), Money(599), Money(600, "USD")])
def test_wrong_amount_waits_in_suspense_for_a_colleague(power_bank: Shop, amount: Money) -> None:
    order, row = unknown(power_bank)
    settle(row, Succeeded("t-1", amount))
    settle(row, Succeeded("t-1", amount))

    assert latest_deduction_of(order).state == "unknown"
    assert obligation_of(order).paid_minor == 0
    case = Case.objects.get()
    assert (case.kind, case.detail) == (
        "wrong_amount",
        {"txn": "t-1", "amount": amount.minor, "currency": amount.currency},
    )
    posting = Posting.objects.get(credit_account="suspense")
    assert (posting.amount_minor, posting.currency) == (amount.minor, amount.currency)


@pytest.mark.breaks_invariants  # the bank never said so
def test_money_taken_after_a_failure_is_booked_to_suspense_once_and_a_case_is_opened(power_bank: Shop) -> None:
    order, row = unknown(power_bank)
    settle(row, Declined("insufficient_funds", "soft"))
    for _ in range(2):
        settle(row, Succeeded("t-1", yuan("6")))

    assert latest_deduction_of(order).state == "failed"
    assert Case.objects.get().kind == "taken_after_failure"
    assert balances(power_bank)["suspense"] == 600


@pytest.mark.breaks_invariants  # the bank never said so
def test_a_second_transaction_under_one_number_is_a_case_and_the_first_stands(power_bank: Shop) -> None:
    order, row = unknown(power_bank)
    settle(row, Succeeded("t-1", yuan("6")))
    settle(row, Succeeded("t-1", yuan("6")))
    assert not Case.objects.exists()
    settle(row, Succeeded("t-2", yuan("6")))
    settle(row, Declined("account_closed", "hard"))

    assert (latest_deduction_of(order).channel_txn, state_of(order)) == ("t-1", "deducted")
    assert sorted(Case.objects.values_list("kind", flat=True)) == ["declined_after_success", "taken_twice"]
    assert balances(power_bank)["suspense"] == 600


@pytest.mark.breaks_invariants  # the bank never said so
def test_a_settled_deduction_does_not_become_unknown_again(power_bank: Shop) -> None:
    order, row = unknown(power_bank)
    settle(row, Succeeded("t-1", yuan("6")))
    with assert_unchanged("billing_channelreport"):
        settle(row, Unknown("timeout"))
        settle(row, NumberNotFound())
    assert state_of(order) == "deducted"


@pytest.mark.breaks_invariants  # the bank never said so
def test_one_deduction_that_cannot_be_settled_does_not_stop_the_others(power_bank: Shop) -> None:
    good, bad = unknown(power_bank), unknown(power_bank)
    reports = [DeductionReport(row.id, Succeeded("one txn for two", yuan("6")), "query") for _, row in (good, bad)]

    with pytest.raises(Exception, match="a_channel_transaction_is_used_once"):
        settle_all(reports, by=BY, at=NOON)

    assert sorted((state_of(good[0]), state_of(bad[0]))) == ["completed", "deducted"]
    assert {latest_deduction_of(good[0]).state, latest_deduction_of(bad[0]).state} == {"succeeded", "unknown"}
    assert DeductionLine.objects.filter(live=True).count() == 1
