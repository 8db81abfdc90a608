"""Grace has passed unpaid: the promise is breached, new orders are refused, and paying clears it."""

from datetime import timedelta

import pytest

from accounts.models import Person
from billing.services.deduct import deduct_due
from billing.services.outcome_polling import poll_deductions
from billing.services.pay import pay_now
from credit.models import Decision, Profile, ScoreChange
from merchants.models import Event
from orders import services as orders
from orders.rules import PlanOffer
from tests import overdue
from tests.billing.helpers import obligation_of
from tests.conftest import BY, NOON, Shop, make_due_order, make_order, make_person, make_shop, state_of, yuan
from tests.unchanged import assert_unchanged

GRACE = timedelta(hours=72)


def fall(shop: Shop, after: timedelta = GRACE) -> int:
    return overdue.make_overdue(shop.realm_id, at=NOON + after, limit=9)


def wish_again(shop: Shop, person: Person, number: str) -> orders.OpenResult:
    agreement = person.agreements.get()
    wish = orders.OrderRequest(agreement_id=agreement.id, out_order_no=number, title="x", currency="CNY", ceiling=1)
    return orders.open_order(shop.merchant.id, wish, by=BY, at=NOON + GRACE)


def test_it_falls_when_its_grace_has_passed_and_not_a_second_before(power_bank: Shop) -> None:
    person = make_person(power_bank, "no_funds_until", until=NOON + timedelta(days=5))
    order = make_due_order(power_bank, person, yuan("6"))
    deduct_due(power_bank.realm_id, at=NOON)
    planned = obligation_of(order).collect_at
    with assert_unchanged():
        assert fall(power_bank, GRACE - timedelta(seconds=1)) == 0
    assert fall(power_bank) == 1

    assert (state_of(order), obligation_of(order).state, obligation_of(order).overdue_from) == (
        "overdue",
        "overdue",
        None,
    )
    assert planned is not None
    assert obligation_of(order).collect_at == planned
    profile = Profile.objects.get(pk=person.id)
    assert (profile.overdue_orders, profile.breached_orders, profile.score) == (1, 1, 680)
    assert list(ScoreChange.objects.values_list("reason", "delta", "score")) == [("breached", -40, 680)]
    assert Event.objects.filter(subject_id=order.id).latest("sequence").type == "order.overdue"
    with assert_unchanged():
        assert fall(power_bank, timedelta(days=30)) == 0


def test_while_something_is_overdue_new_orders_are_refused_everywhere_and_paying_clears_it(power_bank: Shop) -> None:
    person = make_person(power_bank)
    order = make_due_order(power_bank, person, yuan("6"))
    fall(power_bank)
    with assert_unchanged("credit_decision"):
        refusal = wish_again(power_bank, person, "again")
    assert (refusal.order, refusal.coarse_reason) == (None, "not_eligible")
    assert Decision.objects.latest("id").reasons == ["something_is_overdue"]

    pay_now(order.id, by=BY, at=NOON + GRACE)

    assert state_of(order) == "deducted"
    profile = Profile.objects.get(pk=person.id)
    assert (profile.overdue_orders, profile.breached_orders, profile.kept_orders, profile.score) == (0, 1, 0, 690)
    assert wish_again(power_bank, person, "again").order is not None


def test_a_part_payment_does_not_clear_it(power_bank: Shop, ada: Person) -> None:
    order = make_due_order(power_bank, ada, yuan("6"))
    fall(power_bank)
    pay_now(order.id, amount_minor=599, by=BY, at=NOON + GRACE)

    assert (state_of(order), obligation_of(order).owed) == ("overdue", yuan("0.01"))
    assert Profile.objects.get(pk=ada.id).overdue_orders == 1


def test_the_plan_goes_on_after_it_fell_and_may_still_collect(power_bank: Shop) -> None:
    order = make_due_order(
        power_bank, make_person(power_bank, "no_funds_until", until=NOON + timedelta(days=4)), yuan("6")
    )
    deduct_due(power_bank.realm_id, at=NOON)
    fall(power_bank)
    deduct_due(power_bank.realm_id, at=NOON + timedelta(days=5))

    assert (state_of(order), obligation_of(order).state) == ("deducted", "paid")


def test_what_is_under_way_does_not_fall_until_its_outcome_is_known(power_bank: Shop) -> None:
    order = make_due_order(power_bank, make_person(power_bank, "slow"), yuan("6"))
    deduct_due(power_bank.realm_id, at=NOON)
    with assert_unchanged():
        assert fall(power_bank) == 0
    poll_deductions(power_bank.realm_id, at=NOON + GRACE)
    assert state_of(order) == "deducted"
    assert fall(power_bank) == 0
    assert Profile.objects.get().breached_orders == 0


def test_what_is_paid_or_forgiven_in_time_never_falls(power_bank: Shop, ada: Person) -> None:
    paid = make_due_order(power_bank, ada, yuan("6"))
    deduct_due(power_bank.realm_id, at=NOON)
    forgiven = make_order(power_bank, ada.agreements.get())
    orders.complete_order(forgiven.id, orders.CompletionRequest(total=1), by=BY, at=NOON)
    orders.cancel_order(forgiven.id, "x", by=BY, at=NOON)
    with assert_unchanged():
        assert fall(power_bank, timedelta(days=30)) == 0
    assert (state_of(paid), state_of(forgiven)) == ("deducted", "cancelled")


@pytest.mark.parametrize("hours", [0, 1, 24])
def test_grace_is_the_services_own(db: None, hours: int) -> None:
    shop = make_shop("短", grace=timedelta(hours=hours))
    make_due_order(shop, make_person(shop), yuan("6"))
    if hours:
        assert fall(shop, timedelta(hours=hours) - timedelta(seconds=1)) == 0
    assert fall(shop, timedelta(hours=hours)) == 1


def test_a_batch_falls_by_and_by_and_another_sandbox_keeps_its_own_time(power_bank: Shop, parcel: Shop) -> None:
    for _ in range(3):
        make_due_order(power_bank, make_person(power_bank), yuan("6"))
    make_due_order(parcel, make_person(parcel), yuan("6"))
    late = NOON + GRACE
    assert [overdue.make_overdue(power_bank.realm_id, at=late, limit=2) for _ in range(3)] == [2, 1, 0]
    assert Profile.objects.filter(overdue_orders=1).count() == 3


def test_whoever_asks_for_one_batch_more_is_told_that_it_was_full_also_where_an_order_has_more_that_is_late(
    power_bank: Shop,
) -> None:
    order = make_due_order(power_bank, make_person(power_bank), yuan("6"))
    fall(power_bank)
    orders.choose_plan(order.person_id, order.id, PlanOffer(2, 14), expected=[yuan("6")], by=BY, at=NOON + GRACE)
    other = make_due_order(power_bank, make_person(power_bank), yuan("6"), at=NOON + timedelta(days=50))
    late = NOON + timedelta(days=60)
    assert [overdue.make_overdue(power_bank.realm_id, at=late, limit=1) for _ in range(3)] == [1, 1, 0]
    assert [row.state for row in order.obligations.order_by("id")] == ["overdue", "overdue"]
    assert state_of(other) == "overdue"
