"""R8: every job runs twice at once, and against what people do meanwhile. Each thing is done once.

Sweeps that merge debts, overdue, day ends, reminders, expiry; settlement has races of its own.
"""

from collections import Counter
from datetime import timedelta
from functools import partial

import pytest

from accounts.models import Notice
from billing.models import Deduction, DeductionLine
from billing.services.deduct import deduct_due
from billing.services.pay import pay_now
from billing.services.reminders import remind_all
from credit.models import Profile
from ledger.models import Posting
from orders import services as orders
from orders.models import Order
from tests.conftest import BY, NOON, Shop, make_agreement, make_order, make_person, make_shop, state_of
from tests.overdue import make_overdue
from tests.races.checks import count_events, deducted_from, ledger_collected_from, rounds
from tests.threads import refusals, run_concurrently

A_DAY = timedelta(days=1)
#: Midnight in Shanghai.
MIDNIGHT = NOON.replace(hour=16)
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def strict(db: None) -> Shop:
    """No grace; 1 % a day, up to a tenth."""
    return make_shop("严格", grace=timedelta(), late_fee_daily_bps=100, late_fee_cap_bps=1_000)


def owing(shop: Shop, behaviour: str = "pays", count: int = 1) -> list[Order]:
    """Somebody new owes so many orders of ¥5, due now."""
    agreement = make_agreement(shop, make_person(shop, behaviour))
    made = [make_order(shop, agreement, ceiling=1_000) for _ in range(count)]
    return [orders.complete_order(order.id, orders.CompletionRequest(total=500), by=BY, at=NOON) for order in made]


def late_fees(order: Order) -> int:
    rows = order.obligations.filter(kind="late_fee")
    return sum(row.amount_minor for row in rows)


def test_two_sweeps_at_once_merge_and_take_each_debt_once(power_bank: Shop) -> None:
    for _ in rounds("two sweeps with merging"):
        made = [order for _ in range(3) for order in owing(power_bank, count=2)]

        seen = run_concurrently(*[partial(deduct_due, power_bank.realm_id, at=NOON, limit=4)] * 2)
        while deduct_due(power_bank.realm_id, at=NOON, limit=5):
            pass

        assert sum(seen) <= len(made)
        assert {state_of(order) for order in made} == {"deducted"}
        people = {order.person for order in made}
        assert (
            [deducted_from(person) for person in people]
            == [ledger_collected_from(person) for person in people]
            == [1_000] * 3
        )
        lines = DeductionLine.objects.filter(order__in=made)
        assert max(Counter(lines.values_list("obligation_id", flat=True)).values()) == 1
        assert set(Deduction.objects.filter(lines__in=lines).values_list("state", flat=True)) == {"succeeded"}


def test_two_who_mark_overdue_at_once_breach_each_promise_once(strict: Shop) -> None:
    for _ in rounds("overdue twice"):
        made = owing(strict, "no_funds", 3)

        run_concurrently(*[partial(make_overdue, strict.realm_id, at=NOON, limit=9)] * 2)
        make_overdue(strict.realm_id, at=NOON, limit=9)

        assert [count_events(order, "order.overdue") for order in made] == [1, 1, 1]
        profile = Profile.objects.get(pk=made[0].person_id)
        assert (profile.overdue_orders, profile.breached_orders, profile.score) == (3, 3, 720 - 3 * 40)


def test_two_who_end_the_day_at_once_count_each_day_once(strict: Shop) -> None:
    for _ in rounds("day end twice"):
        made = owing(strict, "no_funds", 2)
        make_overdue(strict.realm_id, at=NOON, limit=9)

        run_concurrently(*[partial(orders.close_days, strict.realm_id, at=MIDNIGHT + 2 * A_DAY, limit=9)] * 3)

        for order in made:
            row = order.obligations.get(kind="principal")
            assert (row.overdue_days, row.day_end_at, row.day_end_error) == (3, MIDNIGHT + 3 * A_DAY, "")
            assert late_fees(order) == 15
            assert Posting.objects.filter(order_id=order.id, kind="late_fee").count() == 3


def test_a_day_ends_while_the_debt_is_paid(strict: Shop) -> None:
    for _ in rounds("day end, pay now"):
        (order,) = owing(strict)
        make_overdue(strict.realm_id, at=NOON, limit=9)

        outcomes = run_concurrently(
            partial(orders.close_days, strict.realm_id, at=MIDNIGHT, limit=9),
            partial(pay_now, order.id, by=BY, at=MIDNIGHT),
        )

        assert refusals(outcomes) == []
        assert order.obligations.get(kind="principal").day_end_error == ""
        if state_of(order) != "deducted":  # the fee came after the payment was under way
            pay_now(order.id, by=BY, at=MIDNIGHT)
        assert state_of(order) == "deducted"
        assert deducted_from(order.person) == ledger_collected_from(order.person) == 500 + late_fees(order)
        assert late_fees(order) in (0, 5)


def test_a_pause_while_the_day_is_closed(strict: Shop) -> None:
    for _ in rounds("day end, pause"):
        (order,) = owing(strict, "no_funds")
        make_overdue(strict.realm_id, at=NOON, limit=9)

        run_concurrently(
            partial(orders.close_days, strict.realm_id, at=MIDNIGHT, limit=9),
            partial(orders.pause_order, order.id, "hardship", by=BY, at=MIDNIGHT),
        )
        orders.close_days(strict.realm_id, at=MIDNIGHT + 9 * A_DAY, limit=9)

        row = order.obligations.get(kind="principal")
        assert (row.paused_at, row.day_end_at, row.day_end_error) == (MIDNIGHT, None, "")
        assert (row.overdue_days, late_fees(order)) in ((0, 0), (1, 5))


def test_two_who_remind_at_once_tell_each_stage_once(strict: Shop) -> None:
    for _ in rounds("remind twice"):
        made = owing(strict, "no_funds", 2)
        make_overdue(strict.realm_id, at=NOON, limit=9)

        run_concurrently(*[partial(remind_all, strict.realm_id, at=NOON + timedelta(hours=1), limit=50)] * 3)

        for order in made:
            assert Notice.objects.filter(about=order.obligations.get().id, stage="overdue_1").count() == 1


def test_it_expires_or_is_confirmed_and_never_both(shop: Shop) -> None:
    agreement = make_agreement(shop, make_person(shop))
    for turn in rounds("expire, confirm"):
        wish = orders.OrderRequest(
            agreement_id=agreement.id, out_order_no=f"E-{turn}", title="x", currency="CNY", amount=100
        )
        order = orders.open_order(shop.merchant.id, wish, by=BY, at=NOON).order
        assert order is not None
        last = order.expires_at
        assert last is not None

        outcomes = run_concurrently(
            partial(orders.expire_unconfirmed, shop.realm_id, at=last, limit=9),
            partial(orders.expire_unconfirmed, shop.realm_id, at=last, limit=9),
            partial(orders.confirm_order, order.id, by=BY, at=last - timedelta(seconds=1)),
        )

        codes = refusals(outcomes)
        assert (state_of(order), codes) in (("expired", ["order_state"]), ("open", []))
        if not codes:
            orders.cancel_order(order.id, "x", by=BY, at=last)
        assert count_events(order, "order.expired") + count_events(order, "order.opened") == 1
