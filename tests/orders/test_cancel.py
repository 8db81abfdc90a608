"""An order is called off, or what is owed of it is forgiven; never while money is or may be taken for it."""

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
from tests.conftest import BY, NOON, Shop, completed, opened, ordered, someone, yuan
from tests.stillness import nothing_moves


def test_an_open_order_is_called_off_and_its_hold_is_free(power_bank: Shop, ada: Person) -> None:
    order = ordered(power_bank, opened(power_bank, ada))

    gone = orders.cancel_order(order.id, "坏了", by=BY, at=NOON)

    assert (gone.state, gone.cancelled_at, gone.cancel_reason) == ("cancelled", NOON, "坏了")
    profile = Profile.objects.get(pk=ada.id)
    assert (profile.held_minor, profile.open_orders, profile.kept_orders) == (0, 0, 0)
    assert Agreement.objects.get().live_orders == 0
    assert list(trial_balance(power_bank.realm_id)) == []


def test_an_order_nobody_confirmed_yet_is_called_off(shop: Shop) -> None:
    agreement = opened(shop, someone(shop))
    wish = orders.Wish(agreement_id=agreement.id, out_order_no="1", title="x", currency="CNY", amount=1)
    order = orders.open_order(shop.merchant.id, wish, by=BY, at=NOON).order
    assert order is not None

    gone = orders.cancel_order(order.id, "x", by=BY, at=NOON)

    assert (gone.state, gone.expires_at) == ("cancelled", None)
    assert Agreement.objects.get().live_orders == 0


@pytest.mark.parametrize("late", [timedelta(), timedelta(days=4)])
def test_what_is_owed_is_forgiven_and_the_book_is_as_before(power_bank: Shop, late: timedelta) -> None:
    person = someone(power_bank, "no_funds")
    order = completed(power_bank, person, yuan("6"))
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


def test_forgiving_an_advance_takes_it_back_from_the_merchant_with_the_fee(parcel: Shop) -> None:
    order = completed(parcel, someone(parcel), yuan("12.50"))

    orders.cancel_order(order.id, "x", by=BY, at=NOON)

    assert {row.code: row.net for row in trial_balance(parcel.realm_id)} == {"fees": 0, "payable": 0, "receivable": 0}


def test_the_same_cancellation_again_is_once_and_another_reason_is_refused(power_bank: Shop, ada: Person) -> None:
    order = ordered(power_bank, opened(power_bank, ada))
    orders.cancel_order(order.id, "x", by=BY, at=NOON)
    with nothing_moves():
        assert orders.cancel_order(order.id, "x", by=BY, at=NOON + timedelta(1)).cancelled_at == NOON
    with nothing_moves(), pytest.raises(refusals.OrderState):
        orders.cancel_order(order.id, "y", by=BY, at=NOON)


def test_a_paid_order_is_not_cancelled(power_bank: Shop, ada: Person) -> None:
    order = completed(power_bank, ada, yuan("6"))
    deduct_due(power_bank.realm_id, at=NOON)
    with nothing_moves(), pytest.raises(refusals.OrderState):
        orders.cancel_order(order.id, "x", by=BY, at=NOON)


def test_an_order_paid_in_part_is_not_cancelled(power_bank: Shop, ada: Person) -> None:
    order = completed(power_bank, ada, yuan("6"))
    pay_now(order.id, amount_minor=100, by=BY, at=NOON)
    with nothing_moves(), pytest.raises(refusals.AlreadyCollected):
        orders.cancel_order(order.id, "x", by=BY, at=NOON)


def test_while_a_deduction_is_under_way_nobody_forgives(power_bank: Shop) -> None:
    order = completed(power_bank, someone(power_bank, "slow"), yuan("6"))
    deduct_due(power_bank.realm_id, at=NOON)
    with nothing_moves(), pytest.raises(refusals.DeductionInFlight) as refusal:
        orders.cancel_order(order.id, "x", by=BY, at=NOON)
    assert refusal.value.retry_after


def test_a_missing_order_is_not_found(power_bank: Shop) -> None:
    with nothing_moves(), pytest.raises(NotFound):
        orders.cancel_order(uuid4(), "x", by=BY, at=NOON)
