"""Daily settlements: each posting becomes a line of one settlement, and the settlement is paid out."""

from copy import copy
from datetime import datetime, timedelta

import pytest
from django.db import IntegrityError, transaction

from billing.models import Settlement, SettlementLine
from billing.services import settlements
from billing.services.deduct import deduct_due
from billing.services.payouts import pay_out_due
from billing.services.settlements import settle_due
from kernel.ids import uuid7
from kernel.money import Money
from kernel.refusal import Invalid
from ledger import accounts as book
from ledger import services as ledger
from ledger.models import Posting
from merchants.models import Event, Merchant
from merchants.services.commercial_terms import hold_reserve, move_cutoff
from orders import services as orders
from tests.billing.helpers import balances, issue_refund, paid_order
from tests.conftest import BY, NOON, Shop, make_due_order, make_person, yuan
from tests.settlement.helpers import MIDNIGHT, ONE_DAY, payouts_received, settle_and_pay_out, settlement_nets
from tests.unchanged import assert_unchanged


def test_a_day_is_settled_line_by_line_and_paid_out(power_bank: Shop) -> None:
    order = paid_order(power_bank)
    issue_refund(order, "2")
    assert settle_due(power_bank.realm_id, at=MIDNIGHT) == 1
    settlement = Settlement.objects.get()
    assert (settlement.state, settlement.period_from, settlement.period_until) == ("closed", NOON, MIDNIGHT)
    assert (settlement.gross_minor, settlement.fees_minor, settlement.refunds_minor) == (600, -2, -200)
    assert (settlement.net_minor, settlement.lines_count) == (398, 4)
    lines = [(line.kind, line.amount_minor, line.order_id) for line in settlement.lines.all()]
    assert lines == [("gross", 600, order.id), ("fee", -4, order.id), ("refund", -200, order.id), ("fee", 2, order.id)]

    assert pay_out_due(power_bank.realm_id, at=MIDNIGHT) == 1
    settlement = Settlement.objects.get()
    assert (settlement.state, settlement.paid_at, payouts_received(power_bank)) == ("paid", MIDNIGHT, [398])
    assert balances(power_bank) == {"clearing:sandbox": 2, "fees": 2}
    event = Event.objects.get(type="settlement.paid")
    assert (event.data["net"], event.data["state"], event.subject_id) == (398, "paid", settlement.id)


def test_settling_twice_changes_nothing(power_bank: Shop) -> None:
    paid_order(power_bank)
    settle_and_pay_out(power_bank, MIDNIGHT)
    with assert_unchanged():
        assert settle_due(power_bank.realm_id, at=MIDNIGHT + timedelta(hours=1)) == 0
        assert pay_out_due(power_bank.realm_id, at=MIDNIGHT + timedelta(hours=1)) == 0


@pytest.mark.parametrize("at_once", [1, 3, 8, 9])
def test_any_batch_size_settles_every_line_once(
    power_bank: Shop, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    for _ in range(4):
        paid_order(power_bank)
    monkeypatch.setattr(settlements, "LINES_PER_STATEMENT", at_once)
    settle_and_pay_out(power_bank, MIDNIGHT)
    (row,) = Settlement.objects.all()
    postings = Posting.objects.filter(credit_account="payable") | Posting.objects.filter(debit_account="payable")
    taken = SettlementLine.objects.filter(settlement=row).values_list("id", flat=True)
    assert set(taken) == set(postings.exclude(kind="paid_out").values_list("id", flat=True))
    assert row.lines_count == len(taken) == 8


def test_posting_at_the_cutoff_is_in_the_next_settlement(power_bank: Shop) -> None:
    for at in (MIDNIGHT - timedelta(seconds=1), MIDNIGHT):
        make_due_order(power_bank, make_person(power_bank), yuan("6"), at=at)
        deduct_due(power_bank.realm_id, at=at)
    settle_and_pay_out(power_bank, MIDNIGHT)
    assert settlement_nets(power_bank) == [596]
    settle_and_pay_out(power_bank, MIDNIGHT + ONE_DAY)
    assert settlement_nets(power_bank) == [596, 596]
    first, second = Settlement.objects.order_by("id")
    assert (second.period_from, second.period_until) == (first.period_until, MIDNIGHT + ONE_DAY)


def test_missed_days_are_settled_one_by_one_and_empty_ones_passed_over(power_bank: Shop) -> None:
    for day in (0, 1, 9):
        at = NOON + day * ONE_DAY
        make_due_order(power_bank, make_person(power_bank), yuan("6"), at=at)
        deduct_due(power_bank.realm_id, at=at)
    assert settle_due(power_bank.realm_id, at=NOON + 30 * ONE_DAY) == 1
    ends = list(Settlement.objects.order_by("id").values_list("period_until", flat=True))
    assert ends == [MIDNIGHT + day * ONE_DAY for day in (0, 1, 9)]
    assert Merchant.objects.get(pk=power_bank.merchant.pk).settles_at == MIDNIGHT + 30 * ONE_DAY


def test_debt_is_carried_over_and_makes_no_settlement_alone(power_bank: Shop) -> None:
    order = paid_order(power_bank)
    settle_and_pay_out(power_bank, MIDNIGHT)
    issue_refund(order, "6", at=MIDNIGHT + timedelta(hours=1))
    for day in (1, 2, 3):
        settle_and_pay_out(power_bank, MIDNIGHT + day * ONE_DAY)
    assert settlement_nets(power_bank) == [596, -596]
    assert Settlement.objects.latest("id").state == "closed"
    at = NOON + 4 * ONE_DAY
    make_due_order(power_bank, make_person(power_bank), yuan("9"), at=at)
    deduct_due(power_bank.realm_id, at=at)
    settle_and_pay_out(power_bank, MIDNIGHT + 4 * ONE_DAY)
    latest = Settlement.objects.latest("id")
    assert (latest.gross_minor, latest.fees_minor, latest.carried_minor, latest.net_minor) == (900, -5, -596, 299)
    assert latest.lines.get(kind="carried").earlier.net_minor == -596
    assert payouts_received(power_bank) == [596, 299]


def test_a_share_is_held_back_and_released_after_its_days(power_bank: Shop) -> None:
    Merchant.objects.filter(pk=power_bank.merchant.pk).update(reserve_bps=1_000, reserve_days=7)
    paid_order(power_bank)
    settle_and_pay_out(power_bank, MIDNIGHT)
    settlement = Settlement.objects.get()
    assert (settlement.reserve_minor, settlement.net_minor, settlement.held_minor) == (-60, 536, 60)
    assert balances(power_bank)["reserve"] == 60
    settle_and_pay_out(power_bank, MIDNIGHT + 6 * ONE_DAY)
    assert settlement_nets(power_bank) == [536]
    settle_and_pay_out(power_bank, MIDNIGHT + 30 * ONE_DAY)
    released = Settlement.objects.latest("id")
    assert (released.period_until, released.reserve_minor, released.net_minor) == (MIDNIGHT + 7 * ONE_DAY, 60, 60)
    assert payouts_received(power_bank) == [536, 60]
    assert balances(power_bank) == {"clearing:sandbox": 4, "fees": 4}


def test_a_reserve_never_makes_a_debt(power_bank: Shop) -> None:
    Merchant.objects.filter(pk=power_bank.merchant.pk).update(reserve_bps=9_000, reserve_days=7)
    issue_refund(paid_order(power_bank), "4")
    settle_and_pay_out(power_bank, MIDNIGHT)
    settlement = Settlement.objects.get()
    assert (settlement.held_minor, settlement.net_minor, settlement.state) == (199, 0, "closed")


def test_reduction_of_an_advanced_order_is_an_adjustment(parcel: Shop) -> None:
    order = make_due_order(parcel, make_person(parcel), yuan("10"), due_at=NOON + 9 * ONE_DAY)
    orders.reduce_total(order.id, 600, "x", by=BY, at=NOON)
    settle_and_pay_out(parcel, MIDNIGHT)
    settlement = Settlement.objects.get()
    assert (settlement.gross_minor, settlement.adjustments_minor, settlement.fees_minor) == (1000, -400, -6)
    assert payouts_received(parcel) == [594]


def test_each_currency_is_settled_by_itself(power_bank: Shop) -> None:
    paid_order(power_bank)
    merchant = power_bank.merchant.id
    euros = book.Move(book.pending(merchant), book.payable(merchant), Money(700, "EUR"))
    ledger.post([ledger.JournalEntry(uuid7(), "modified", [euros])], realm_id=power_bank.realm_id, at=NOON)
    settle_and_pay_out(power_bank, MIDNIGHT)
    rows = Settlement.objects.order_by("currency").values_list("currency", "net_minor", "state")
    assert list(rows) == [("CNY", 596, "paid"), ("EUR", 700, "paid")]


def test_a_late_commit_is_settled_with_the_next_day(power_bank: Shop) -> None:
    paid_order(power_bank)
    settle_and_pay_out(power_bank, MIDNIGHT)
    issue_refund(paid_order(power_bank), "1")  # booked as of noon, after that day was cut off
    settle_and_pay_out(power_bank, MIDNIGHT + ONE_DAY)
    assert settlement_nets(power_bank) == [596, 497]


def test_cutoff_hour_and_zone_take_effect_at_once(power_bank: Shop) -> None:
    six = datetime.fromisoformat("2026-11-20T17:00Z")
    paid_order(power_bank)
    move_cutoff(power_bank.merchant.id, zone="Europe/Berlin", hour=18, by=BY, at=NOON)
    assert settle_due(power_bank.realm_id, at=MIDNIGHT) == 0
    assert settle_due(power_bank.realm_id, at=six) == 1
    merchant = Merchant.objects.get(pk=power_bank.merchant.pk)
    assert (Settlement.objects.get().period_until, merchant.settles_at) == (six, six + ONE_DAY)
    hold_reserve(merchant.id, bps=500, days=30, by=BY, at=six)
    with assert_unchanged():
        for wrong in ({"zone": "Mars/Olympus", "hour": 1}, {"zone": "Asia/Shanghai", "hour": 24}):
            with pytest.raises(Invalid):
                move_cutoff(merchant.id, **wrong, by=BY, at=six)  # type: ignore[arg-type]
        with pytest.raises(Invalid):
            hold_reserve(merchant.id, bps=500, days=0, by=BY, at=six)


def test_postgresql_settles_a_posting_once_and_freezes_closed_settlements(power_bank: Shop) -> None:
    paid_order(power_bank)
    settle_due(power_bank.realm_id, at=MIDNIGHT)
    line, settlement = SettlementLine.objects.first(), Settlement.objects.get()
    assert line is not None
    again = SettlementLine(merchant=line.merchant, settlement=settlement, kind="gross", amount_minor=1, at=NOON)
    again.id = again.posting_id = line.id
    with pytest.raises(IntegrityError, match="duplicate key"), transaction.atomic():
        again.save(force_insert=True)
    again.id, again.posting, again.kind, again.earlier = uuid7(), None, "carried", settlement
    with pytest.raises(IntegrityError, match="no further lines"), transaction.atomic():
        SettlementLine.objects.bulk_create([again])
    twin = copy(again)
    twin.id = uuid7()
    with pytest.raises(IntegrityError, match="a_settlement_is_carried_once"), transaction.atomic():
        SettlementLine.objects.bulk_create([again, twin])
    with pytest.raises(IntegrityError, match="does not change any more"), transaction.atomic():
        Settlement.objects.update(gross_minor=601, net_minor=597)
