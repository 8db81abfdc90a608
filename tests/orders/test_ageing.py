"""Ageing of unpaid obligations: overdue days, late fees, and pauses."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.services.deduct import deduct_due
from billing.services.instruments import open_wallet
from billing.services.pay import pay_now
from billing.services.wallets import top_up
from kernel.money import Money
from ledger import accounts as book
from ledger.queries import balance
from orders import rules
from orders import services as orders
from orders.models import Obligation, Order
from tests.conftest import BY, NOON, Shop, make_due_order, make_person, make_shop, state_of, yuan

pytestmark = pytest.mark.usefixtures("all_attempted")
MIDNIGHT = datetime(2026, 11, 20, 16, tzinfo=UTC)  # of Shanghai's 20 November
A_DAY = timedelta(days=1)


@pytest.fixture
def strict(db: None) -> Shop:
    """No grace; 5 bps a day, 1 % at most."""
    return make_shop("严谨租赁", grace=timedelta(), late_fee_daily_bps=5, late_fee_cap_bps=100, ceiling_minor=1_000_000)


def overdue(shop: Shop, amount: str = "1234.56") -> Order:
    order = make_due_order(shop, make_person(shop, "no_funds"), yuan(amount))
    deduct_due(shop.realm_id, at=NOON)
    assert orders.mark_overdue(shop.realm_id, at=NOON, limit=10) == 1
    return order


def principal(order: Order) -> Obligation:
    return Obligation.objects.get(order=order, kind="principal")


def late_fee(order: Order) -> int:
    return sum(Obligation.objects.filter(order=order, kind="late_fee").values_list("amount_minor", flat=True))


def test_each_day_costs_its_share_of_what_is_unpaid_and_no_day_is_lost_to_rounding(strict: Shop) -> None:
    order = overdue(strict)
    fees = []
    for day in range(5):
        orders.close_days(strict.realm_id, at=MIDNIGHT + day * A_DAY, limit=10)
        fees.append(late_fee(order))

    assert fees == [123456 * 5 * n // 10_000 for n in (1, 2, 3, 4, 5)]
    assert balance(book.Account("late_fees"), realm_id=strict.realm_id, currency="CNY") == Money(fees[-1])


def test_missed_days_are_caught_up_in_order_to_the_same_fee(strict: Shop) -> None:
    daily, late = overdue(strict), overdue(strict)
    for day in range(30):
        orders.close_days(strict.realm_id, at=MIDNIGHT + day * A_DAY, limit=1)  # one row a day falls behind
    orders.close_days(strict.realm_id, at=MIDNIGHT + 29 * A_DAY, limit=10)

    assert principal(daily).overdue_days == principal(late).overdue_days == 30
    assert late_fee(daily) == late_fee(late) == 1235  # the cap: 1 % of 1234.56, rounded to the cent


def test_buckets_change_on_their_days_with_a_line_of_history_each(strict: Shop) -> None:
    order = overdue(strict)
    orders.close_days(strict.realm_id, at=MIDNIGHT + 100 * A_DAY, limit=10)

    row = principal(order)
    aged = row.history.filter(kind="aged").order_by("seq")
    assert [(line.data["bucket"], (line.at - MIDNIGHT).days + 1) for line in aged] == [
        ("1-30", 1),
        ("31-60", 31),
        ("61-90", 61),
        ("90+", 91),
    ]
    assert (row.overdue_days, row.bucket) == (101, "90+")


def test_a_late_fee_is_paid_with_the_debt_and_only_then_is_the_order_done(strict: Shop) -> None:
    order = overdue(strict, "100")
    orders.close_days(strict.realm_id, at=MIDNIGHT + 9 * A_DAY, limit=10)
    open_wallet(order.person, at=NOON)
    top_up(order.person_id, yuan("200"), "t", at=NOON)
    wallet = order.person.instruments.get(channel="wallet")

    pay_now(order.id, amount_minor=10_000, instrument_id=wallet.id, by=BY, at=MIDNIGHT + 9 * A_DAY)
    assert (state_of(order), principal(order).state) == ("overdue", "paid")
    pay_now(order.id, instrument_id=wallet.id, by=BY, at=MIDNIGHT + 9 * A_DAY)

    assert (state_of(order), late_fee(order)) == ("deducted", 50)
    assert balance(book.payable(order.merchant_id), realm_id=strict.realm_id, currency="CNY") == Money(10_000 - 60)


def test_a_total_lowered_below_what_its_cap_allowed_costs_no_more_and_what_accrued_stands(strict: Shop) -> None:
    order = overdue(strict, "100")
    orders.close_days(strict.realm_id, at=MIDNIGHT + 9 * A_DAY, limit=10)
    assert late_fee(order) == 50
    orders.reduce_total(order.id, 1_000, "goodwill", by=BY, at=MIDNIGHT + 9 * A_DAY)

    orders.close_days(strict.realm_id, at=MIDNIGHT + 20 * A_DAY, limit=10)

    assert (principal(order).overdue_days, principal(order).day_end_error, late_fee(order)) == (21, "", 50)


def test_cancelling_waives_the_late_fee(strict: Shop) -> None:
    order = overdue(strict, "100")
    orders.close_days(strict.realm_id, at=MIDNIGHT + 9 * A_DAY, limit=10)

    orders.cancel_order(order.id, "goodwill", by=BY, at=MIDNIGHT + 9 * A_DAY)

    assert state_of(order) == "cancelled"
    assert balance(book.Account("late_fees"), realm_id=strict.realm_id, currency="CNY") == Money(0)


def test_a_row_whose_day_cannot_be_closed_keeps_its_error_and_stops_nobody_else(
    strict: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    poison, sound = overdue(strict, "666"), overdue(strict, "100")
    real = rules.accrue_fee_units

    def trip(units: int, unpaid_minor: int, daily_bps: int, *, cap_minor: int) -> tuple[int, int]:
        if unpaid_minor == 666_00:
            raise ZeroDivisionError("poison")
        return real(units, unpaid_minor, daily_bps, cap_minor=cap_minor)

    monkeypatch.setattr(rules, "accrue_fee_units", trip)
    orders.close_days(strict.realm_id, at=MIDNIGHT, limit=10)
    assert principal(sound).overdue_days == 1
    for day in (1, 2):
        orders.close_days(strict.realm_id, at=MIDNIGHT + day * A_DAY, limit=10)

    assert (principal(sound).overdue_days, late_fee(sound), principal(sound).day_end_error) == (3, 15, "")
    assert (principal(poison).overdue_days, late_fee(poison)) == (0, 0)
    assert principal(poison).day_end_error == "ZeroDivisionError: poison"


def test_while_paused_nothing_is_collected_counted_or_charged(strict: Shop) -> None:
    order = overdue(strict)
    planned = principal(order).collect_at
    orders.pause_order(order.id, "problem_reported", by=BY, at=NOON + timedelta(hours=1))
    orders.pause_order(order.id, "hardship", by=BY, at=NOON + timedelta(hours=2))

    for day in range(10):
        assert deduct_due(strict.realm_id, at=MIDNIGHT + day * A_DAY) == 0
        assert orders.close_days(strict.realm_id, at=MIDNIGHT + day * A_DAY, limit=10) == 0
    orders.resume_order(order.id, "problem_reported", by=BY, at=NOON + timedelta(days=9, hours=1))
    assert principal(order).collect_at is None
    orders.resume_order(order.id, "hardship", by=BY, at=NOON + timedelta(days=10, hours=1))

    row = principal(order)
    assert row.collect_at == planned + timedelta(days=10)
    assert (row.overdue_days, late_fee(order)) == (0, 0)
    assert row.day_end_at == MIDNIGHT + 10 * A_DAY


def test_an_order_that_is_paused_does_not_fall_overdue_and_has_its_whole_grace_afterwards(power_bank: Shop) -> None:
    order = make_due_order(power_bank, make_person(power_bank, "no_funds"), yuan("5"))
    deduct_due(power_bank.realm_id, at=NOON)
    orders.pause_order(order.id, "return_under_way", by=BY, at=NOON + timedelta(hours=70))
    assert orders.mark_overdue(power_bank.realm_id, at=NOON + timedelta(days=30), limit=10) == 0

    orders.resume_order(order.id, "return_under_way", by=BY, at=NOON + timedelta(days=30))
    still, over = NOON + timedelta(days=30, hours=1, minutes=59), NOON + timedelta(days=30, hours=2)
    assert orders.mark_overdue(power_bank.realm_id, at=still, limit=10) == 0
    assert orders.mark_overdue(power_bank.realm_id, at=over, limit=10) == 1


def test_days_paused_before_overdue_are_not_overdue_days(power_bank: Shop) -> None:
    still, moved = (make_due_order(power_bank, make_person(power_bank, "no_funds"), yuan("5")) for _ in range(2))
    deduct_due(power_bank.realm_id, at=NOON)
    orders.pause_order(still.id, "problem_reported", by=BY, at=NOON + timedelta(hours=1))
    orders.mark_overdue(power_bank.realm_id, at=NOON + 3 * A_DAY, limit=10)
    orders.resume_order(still.id, "problem_reported", by=BY, at=NOON + timedelta(days=40, hours=1))
    orders.mark_overdue(power_bank.realm_id, at=NOON + 43 * A_DAY, limit=10)

    for row in (principal(moved), principal(still)):
        assert (row.state, row.overdue_days, row.grace_days, row.bucket) == ("overdue", 3, 3, "1-30")


@pytest.mark.parametrize("year", [2027, 2028])
def test_days_of_grace_are_as_many_over_the_end_of_february(power_bank: Shop, year: int) -> None:
    """From half an hour before midnight in Shanghai on the 27th, paused until the first of March."""
    due = datetime(year, 2, 27, 15, 30, tzinfo=UTC)
    order = make_due_order(power_bank, make_person(power_bank, "no_funds"), yuan("5"), at=due)
    deduct_due(power_bank.realm_id, at=due)
    orders.pause_order(order.id, "problem_reported", by=BY, at=due + timedelta(minutes=20))
    goes_on = datetime(year, 3, 1, 15, 50, tzinfo=UTC)
    orders.resume_order(order.id, "problem_reported", by=BY, at=goes_on)
    assert orders.mark_overdue(power_bank.realm_id, at=goes_on + 3 * A_DAY - timedelta(minutes=21), limit=10) == 0
    assert orders.mark_overdue(power_bank.realm_id, at=goes_on + 3 * A_DAY - timedelta(minutes=20), limit=10) == 1
    row = principal(order)
    assert (row.overdue_days, row.grace_days, row.bucket) == (3, 3, "1-30")


@given(st.lists(st.integers(0, 10**9), min_size=1, max_size=60), st.integers(0, 9999), st.integers(0, 10**9))
def test_the_sum_of_the_days_is_the_whole_rounded_once(unpaid: list[int], bps: int, cap: int) -> None:
    units = whole = posted = 0
    for minor in unpaid:
        before = units
        units, whole = rules.accrue_fee_units(units, minor, bps, cap_minor=cap)
        posted += whole - before // 10_000
    assert posted == whole == min(sum(unpaid) * bps // 10_000, cap)


def test_the_history_says_who_paused_and_why(power_bank: Shop) -> None:
    order = make_due_order(power_bank, make_person(power_bank), yuan("6"))
    for reason in ("hardship", "problem_reported", "hardship"):  # the second stops what stands; the third is the first
        orders.pause_order(order.id, reason, note=f"因为 {reason}", by=BY, at=NOON)
    for reason in ("hardship", "hardship", "problem_reported"):
        orders.resume_order(order.id, reason, note="好了", by=BY, at=NOON + A_DAY)

    lines = order.history.filter(kind__in=["paused", "resumed"]).order_by("seq")
    assert [(line.kind, line.data["reason"], line.data["note"], line.by) for line in lines] == [
        ("paused", "hardship", "因为 hardship", str(BY)),
        ("paused", "problem_reported", "因为 problem_reported", str(BY)),
        ("resumed", "hardship", "好了", str(BY)),
        ("resumed", "problem_reported", "好了", str(BY)),
    ]


def test_a_late_fee_has_no_days_of_its_own_that_nobody_would_count(strict: Shop) -> None:
    order = overdue(strict)
    orders.close_days(strict.realm_id, at=MIDNIGHT + A_DAY, limit=10)
    orders.pause_order(order.id, "hardship", by=BY, at=MIDNIGHT + 2 * A_DAY)
    orders.resume_order(order.id, "hardship", by=BY, at=MIDNIGHT + 3 * A_DAY)

    ends = dict(Obligation.objects.filter(order=order).values_list("kind", "day_end_at"))
    assert ends == {"principal": MIDNIGHT + 4 * A_DAY, "late_fee": None}
