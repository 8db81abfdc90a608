"""Marking an order as paid outside the platform: nothing is owed through us, and nothing is deducted."""

from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest

from accounts.models import Person
from billing.channels import bank
from billing.services.deduct import deduct_due
from billing.services.pay import pay_now
from credit.models import Profile
from kernel.refusal import Refusal
from ledger.queries import trial_balance
from orders import refusals
from orders import services as orders
from tests.api import Api
from tests.browsing import freeze_clock
from tests.conftest import BY, NOON, Shop, make_agreement, make_due_order, make_order, make_person, yuan
from tests.overdue import make_overdue
from tests.unchanged import assert_unchanged


def test_marking_paid_deducts_nothing_and_balances_the_ledger(power_bank: Shop, ada: Person) -> None:
    order = make_due_order(power_bank, ada, yuan("6"))

    done = orders.mark_paid(order.id, NOON, "till-17", by=BY, at=NOON + timedelta(hours=1))

    assert (done.state, done.deducted_at) == ("deducted", NOON + timedelta(hours=1))
    assert deduct_due(power_bank.realm_id, at=NOON + timedelta(days=30)) == 0
    assert bank.debits_of(ada.instruments.get().token) == []
    assert {row.code: row.net for row in trial_balance(power_bank.realm_id)} == {"pending": 0, "receivable": 0}
    profile = Profile.objects.get(pk=ada.id)
    assert (profile.outstanding_minor, profile.kept_orders) == (0, 1)


def test_an_advance_paid_elsewhere_is_what_the_merchant_owes_back_and_the_fee_stands(parcel: Shop) -> None:
    order = make_due_order(parcel, make_person(parcel), yuan("12.50"))

    orders.mark_paid(order.id, NOON, "till-17", by=BY, at=NOON)

    balances = {row.code: row.net for row in trial_balance(parcel.realm_id)}
    assert balances == {"fees": 13, "payable": -13, "receivable": 0}


def test_an_overdue_order_paid_elsewhere_is_cleared_and_stays_breached(power_bank: Shop) -> None:
    person = make_person(power_bank, "no_funds")
    order = make_due_order(power_bank, person, yuan("6"))
    late = NOON + timedelta(days=4)
    make_overdue(power_bank.realm_id, at=late, limit=9)

    orders.mark_paid(order.id, late, "till-17", by=BY, at=late)

    profile = Profile.objects.get(pk=person.id)
    assert (profile.overdue_orders, profile.breached_orders, profile.kept_orders) == (0, 1, 0)


def test_the_same_reference_again_is_once(power_bank: Shop, ada: Person) -> None:
    order = make_due_order(power_bank, ada, yuan("6"))
    orders.mark_paid(order.id, NOON, "till-17", by=BY, at=NOON)
    with assert_unchanged():
        orders.mark_paid(order.id, NOON, "till-17", by=BY, at=NOON)
        orders.mark_paid(order.id, NOON.astimezone(ZoneInfo("Asia/Shanghai")), "till-17", by=BY, at=NOON)
        orders.mark_paid(order.id, None, "till-17", by=BY, at=NOON + timedelta(hours=1))  # by whoever does not say when
    with assert_unchanged(), pytest.raises(refusals.AlreadyCollected):
        orders.mark_paid(order.id, NOON, "till-18", by=BY, at=NOON)


def test_the_same_reference_with_another_moment_is_refused_and_told_which_stands(power_bank: Shop) -> None:
    api, order = Api(power_bank), make_due_order(power_bank, make_person(power_bank), yuan("6"))
    sent = {"paid_at": "2026-11-20T04:00:00Z", "reference": "till-17"}
    freeze_clock(NOON, order.person)
    assert api.post(f"orders/{order.public_id}/mark_paid", sent).status_code == 200
    with assert_unchanged("kernel_idempotencykey"):
        again = api.post(f"orders/{order.public_id}/mark_paid", sent | {"paid_at": "2026-11-20T04:00:01Z"})
    assert (again.status_code, again.json()["code"]) == (409, "order_state")
    assert "2026-11-20T04:00:00" in again.json()["detail"]


@pytest.mark.parametrize("collected", ["whole", "part"])
def test_once_we_took_money_it_was_not_paid_elsewhere(power_bank: Shop, ada: Person, collected: str) -> None:
    order = make_due_order(power_bank, ada, yuan("6"))
    pay_now(order.id, amount_minor=600 if collected == "whole" else 1, by=BY, at=NOON)
    with assert_unchanged(), pytest.raises(refusals.AlreadyCollected):
        orders.mark_paid(order.id, NOON, "till-17", by=BY, at=NOON)


def test_while_a_deduction_is_under_way_it_is_refused_with_a_hint(power_bank: Shop) -> None:
    order = make_due_order(power_bank, make_person(power_bank, "slow"), yuan("6"))
    deduct_due(power_bank.realm_id, at=NOON)
    with assert_unchanged(), pytest.raises(refusals.DeductionInFlight) as refusal:
        orders.mark_paid(order.id, NOON, "till-17", by=BY, at=NOON)
    assert refusal.value.retry_after


@pytest.mark.parametrize(
    ("paid_at", "refusal"),
    [(NOON + timedelta(seconds=1), refusals.TimesInvalid), (NOON, refusals.OrderState)],
)
def test_the_future_and_what_is_not_owed_are_refused(
    power_bank: Shop, ada: Person, paid_at: object, refusal: type[Refusal]
) -> None:
    order = make_order(power_bank, make_agreement(power_bank, ada))
    with assert_unchanged(), pytest.raises(refusal):
        orders.mark_paid(order.id, paid_at, "till-17", by=BY, at=NOON)  # type: ignore[arg-type]


def test_an_order_is_not_paid_before_there_was_one(power_bank: Shop, ada: Person) -> None:
    """Merchants may round down to the minute: a payment in the minute of the order's creation counts."""
    began = NOON + timedelta(seconds=40)
    order = make_order(power_bank, make_agreement(power_bank, ada), at=began)
    orders.complete_order(order.id, orders.CompletionRequest(total=600), by=BY, at=began)
    late = began + timedelta(days=9)
    for paid_at in (NOON - timedelta(seconds=1), NOON - timedelta(days=365)):
        with assert_unchanged(), pytest.raises(refusals.TimesInvalid) as refusal:
            orders.mark_paid(order.id, paid_at, "till-17", by=BY, at=late)
        assert refusal.value.field == "/paid_at"
    assert orders.mark_paid(order.id, NOON, "till-17", by=BY, at=late).state == "deducted"
