"""Races that once were bugs, each stepped through the interleaving that went wrong."""

from datetime import timedelta
from functools import partial
from unittest import mock

import pytest

from billing.channels import Declined
from billing.models import Deduction
from billing.services import deduct, notices
from billing.services.deduction_outcomes import DeductionReport, settle_all
from merchants.models import Event
from orders import services as orders
from orders.models import Order
from orders.services import ageing
from tests.conftest import BY, NOON, Shop, make_due_order, make_person, make_shop, state_of, yuan
from tests.overdue import make_overdue
from tests.races.checks import deducted_from
from tests.threads import pause_before, run_concurrently

MIDNIGHT = NOON.replace(hour=16)  # in Shanghai
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def strict(db: None) -> Shop:
    """No grace; 1 % a day."""
    return make_shop("严格", grace=timedelta(), late_fee_daily_bps=100, late_fee_cap_bps=1_000)


def overdue(shop: Shop, behaviour: str) -> Order:
    order = make_due_order(shop, make_person(shop, behaviour), yuan("5"))
    row = order.obligations.get()
    make_overdue(shop.realm_id, at=NOON, limit=9)
    order.obligations.update(collect_at=row.collect_at, plan=row.plan)  # it is asked for once more
    return order


@pytest.mark.usefixtures("all_attempted")
def test_two_debits_of_one_order_are_refused_at_the_same_moment_and_the_merchant_hears_of_both(strict: Shop) -> None:
    """A part of the debt is paid by hand and its late fee by the sweep: both number their event after the same last
    one.
    """
    order = overdue(strict, "no_funds")
    orders.close_days(strict.realm_id, at=MIDNIGHT, limit=9)
    by_hand = deduct.prepare_for_order(
        order.id, purpose="pay_now", amount_minor=1, instrument_id=None, by=BY, at=MIDNIGHT
    )
    swept, _seen = deduct.prepare_due(strict.realm_id, at=MIDNIGHT, limit=9)
    said = Declined("insufficient_funds", "soft")
    first, second = ([DeductionReport(row.id, said, "sync")] for row in (*by_hand, *swept))

    with pause_before(
        notices, "notify_deduction_failed"
    ) as halt:  # the first has numbered its event, and not committed it
        run_concurrently(
            partial(settle_all, first, by=BY, at=MIDNIGHT),
            partial(halt.run_while_paused, partial(settle_all, second, by=BY, at=MIDNIGHT)),
        )

    assert set(Deduction.objects.values_list("state", flat=True)) == {"failed"}
    assert Event.objects.filter(subject_id=order.id, type="deduction.failed").count() == 2


def test_a_debt_that_is_claimed_between_being_found_and_its_day_being_ended_waits_for_its_outcome(strict: Shop) -> None:
    order, end_day = overdue(strict, "pays"), ageing._close_days_of  # noqa: SLF001  the moment between two statements

    def claimed_just_before(*args: object, **kwargs: object) -> None:
        deduct.prepare_due(strict.realm_id, at=MIDNIGHT, limit=9)
        end_day(*args, **kwargs)  # type: ignore[arg-type]

    with mock.patch.object(ageing, "_close_days_of", claimed_just_before):
        orders.close_days(strict.realm_id, at=MIDNIGHT, limit=9)

    row = order.obligations.get()
    assert (row.overdue_days, row.day_end_at, row.in_flight is None) == (0, MIDNIGHT, False)
    deduct.charge(list(Deduction.objects.all()), by=BY, at=MIDNIGHT)
    orders.close_days(strict.realm_id, at=MIDNIGHT, limit=9)
    assert (state_of(order), deducted_from(order.person)) == ("deducted", 500)
