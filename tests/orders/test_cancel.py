"""Cancelling an order waives what is owed; never while money was or may be collected."""

from datetime import timedelta
from uuid import uuid4

import pytest

from accounts.models import Person
from billing.services.deduct import deduct_due
from billing.services.pay import pay_now
from credit.models import Agreement, Profile
from kernel.refusal import NotFound
from ledger.queries import trial_balance
from merchants.models import Event
from orders import refusals
from orders import services as orders
from tests.conftest import BY, NOON, Shop, make_agreement, make_due_order, make_order, make_person, yuan
from tests.unchanged import assert_unchanged


def test_cancelling_an_open_order_releases_its_hold(power_bank: Shop, ada: Person) -> None:
    order = make_order(power_bank, make_agreement(power_bank, ada))

    gone = orders.cancel_order(order.id, "坏了", by=BY, at=NOON)

    assert (gone.state, gone.cancelled_at, gone.cancel_reason) == ("cancelled", NOON, "坏了")
    profile = Profile.objects.get(pk=ada.id)
    assert (profile.held_minor, profile.open_orders, profile.kept_orders) == (0, 0, 0)
    assert Agreement.objects.get().live_orders == 0
    assert list(trial_balance(power_bank.realm_id)) == []


def test_an_unconfirmed_order_can_be_cancelled(shop: Shop) -> None:
    agreement = make_agreement(shop, make_person(shop))
    wish = orders.OrderRequest(agreement_id=agreement.id, out_order_no="1", title="x", currency="CNY", amount=1)
    order = orders.open_order(shop.merchant.id, wish, by=BY, at=NOON).order
    assert order is not None

    gone = orders.cancel_order(order.id, "x", by=BY, at=NOON)

    assert (gone.state, gone.expires_at) == ("cancelled", None)
    assert Agreement.objects.get().live_orders == 0


@pytest.mark.parametrize("late", [timedelta(), timedelta(days=4)])
def test_cancelling_waives_what_is_owed_and_reverses_the_ledger(power_bank: Shop, late: timedelta) -> None:
    person = make_person(power_bank, "no_funds")
    order = make_due_order(power_bank, person, yuan("6"))
    if late:
        orders.mark_overdue(power_bank.realm_id, at=NOON + late, limit=9)

    orders.cancel_order(order.id, "x", by=BY, at=NOON + late)

    owed = order.obligations.get()
    assert (owed.state, owed.collect_at, owed.overdue_from, owed.plan) == ("waived", None, None, [])
    assert {row.net for row in trial_balance(power_bank.realm_id)} == {0}
    profile = Profile.objects.get(pk=person.id)
    assert (profile.outstanding_minor, profile.overdue_orders) == (0, 0)
    assert deduct_due(power_bank.realm_id, at=NOON + timedelta(days=30)) == 0
    types = list(Event.objects.filter(subject_id=order.id).order_by("sequence").values_list("type", flat=True))
    assert types[-2:] == ["order.cancelled", "obligation.waived"]


def test_cancelling_an_advance_is_charged_to_the_merchant_less_the_fee(parcel: Shop) -> None:
    order = make_due_order(parcel, make_person(parcel), yuan("12.50"))

    orders.cancel_order(order.id, "x", by=BY, at=NOON)

    assert {row.code: row.net for row in trial_balance(parcel.realm_id)} == {"fees": 0, "payable": 0, "receivable": 0}


def test_the_same_cancellation_again_is_once_and_another_reason_is_refused(power_bank: Shop, ada: Person) -> None:
    order = make_order(power_bank, make_agreement(power_bank, ada))
    orders.cancel_order(order.id, "x", by=BY, at=NOON)
    with assert_unchanged():
        assert orders.cancel_order(order.id, "x", by=BY, at=NOON + timedelta(1)).cancelled_at == NOON
    with assert_unchanged(), pytest.raises(refusals.OrderState):
        orders.cancel_order(order.id, "y", by=BY, at=NOON)


def test_a_paid_order_is_not_cancelled(power_bank: Shop, ada: Person) -> None:
    order = make_due_order(power_bank, ada, yuan("6"))
    deduct_due(power_bank.realm_id, at=NOON)
    with assert_unchanged(), pytest.raises(refusals.OrderState):
        orders.cancel_order(order.id, "x", by=BY, at=NOON)


def test_an_order_paid_in_part_is_not_cancelled(power_bank: Shop, ada: Person) -> None:
    order = make_due_order(power_bank, ada, yuan("6"))
    pay_now(order.id, amount_minor=100, by=BY, at=NOON)
    with assert_unchanged(), pytest.raises(refusals.AlreadyCollected):
        orders.cancel_order(order.id, "x", by=BY, at=NOON)


def test_nothing_is_waived_while_a_deduction_is_in_flight(power_bank: Shop) -> None:
    order = make_due_order(power_bank, make_person(power_bank, "slow"), yuan("6"))
    deduct_due(power_bank.realm_id, at=NOON)
    with assert_unchanged(), pytest.raises(refusals.DeductionInFlight) as refusal:
        orders.cancel_order(order.id, "x", by=BY, at=NOON)
    assert refusal.value.retry_after


def test_a_missing_order_is_not_found(power_bank: Shop) -> None:
    with assert_unchanged(), pytest.raises(NotFound):
        orders.cancel_order(uuid4(), "x", by=BY, at=NOON)
