"""An order on a plan is no longer overdue once its late instalments are paid, even if others are due later."""

from datetime import timedelta

from billing.channels import bank, bank_disputes
from billing.services.callbacks import deliver_callbacks
from billing.services.deduct import deduct_due
from billing.services.pay import pay_now
from credit.models import Profile
from merchants.models import Event
from orders import services as orders
from orders.models import Order
from orders.rules import PlanOffer
from tests.billing.helpers import latest_deduction_of, token_of
from tests.conftest import BY, NOON, Shop, make_due_order, make_person, state_of, yuan

A_DAY = timedelta(days=1)


def late_by_a_part(shop: Shop, *, days: int = 18) -> Order:
    """The first of three instalments, two weeks apart, has just become overdue."""
    order = make_due_order(shop, make_person(shop, "no_funds"), yuan("90"))
    orders.choose_plan(order.person_id, order.id, PlanOffer(3, 14), expected=[yuan("90")], by=BY, at=NOON)
    for day in range(14, days):
        deduct_due(shop.realm_id, at=NOON + day * A_DAY)
        orders.mark_overdue(shop.realm_id, at=NOON + day * A_DAY, limit=10)
        orders.close_days(shop.realm_id, at=NOON + day * A_DAY, limit=10)
    assert (state_of(order), overdue_of(order)) == ("overdue", 1)
    bank.change_account(token_of(order), bank.Behaviour.PAYS)
    return order


def overdue_of(order: Order) -> int:
    return Profile.objects.get(pk=order.person_id).overdue_orders


def event_types(order: Order) -> list[str]:
    rows = Event.objects.filter(subject_id=order.id, type__startswith="order.").order_by("sequence")
    return list(rows.values_list("type", flat=True))


def caught_up(order: Order) -> bool:
    line = order.history.latest("seq")
    return (state_of(order), overdue_of(order), line.kind) == ("completed", 0, "caught_up")


def test_the_late_part_is_paid_by_hand_and_the_rest_is_due_later(power_bank: Shop) -> None:
    order = late_by_a_part(power_bank)
    pay_now(order.id, amount_minor=1000, by=BY, at=NOON + 18 * A_DAY)
    assert state_of(order) == "overdue", "a part of it is late still"
    pay_now(order.id, amount_minor=2000, by=BY, at=NOON + 18 * A_DAY)

    assert caught_up(order)
    assert event_types(order)[-2:] == ["order.overdue", "order.caught_up"]


def test_the_late_part_is_collected_by_the_plan(power_bank: Shop) -> None:
    order = late_by_a_part(power_bank)
    for day in range(18, 23):
        deduct_due(power_bank.realm_id, at=NOON + day * A_DAY)
    assert caught_up(order)


def test_a_part_that_is_late_again_is_overdue_again_and_broken_once(power_bank: Shop) -> None:
    order = late_by_a_part(power_bank)
    pay_now(order.id, amount_minor=3000, by=BY, at=NOON + 18 * A_DAY)
    bank.change_account(token_of(order), bank.Behaviour.NO_FUNDS)
    deduct_due(power_bank.realm_id, at=NOON + 28 * A_DAY)
    orders.mark_overdue(power_bank.realm_id, at=NOON + 32 * A_DAY, limit=10)

    assert (state_of(order), overdue_of(order)) == ("overdue", 1)
    assert Profile.objects.get(pk=order.person_id).breached_orders == 1


def test_waiving_the_late_fee_clears_the_overdue_state(fees: Shop) -> None:
    order = late_by_a_part(fees, days=21)
    pay_now(order.id, amount_minor=3000, by=BY, at=NOON + 21 * A_DAY)
    assert state_of(order) == "overdue", "its late fee is late still"
    orders.waive_fees(order.id, "goodwill", by=BY, at=NOON + 21 * A_DAY)
    assert caught_up(order)


def test_reducing_the_total_by_what_is_late_clears_the_overdue_state(power_bank: Shop) -> None:
    order = make_due_order(power_bank, make_person(power_bank), yuan("90"))
    orders.choose_plan(order.person_id, order.id, PlanOffer(3, 14), expected=[yuan("90")], by=BY, at=NOON)
    asked = orders.request_plan(order.person_id, order.id, PlanOffer(4, 30), "失业了", by=BY, at=NOON)
    orders.grant_plan(asked.id, PlanOffer(4, 30), "同意", by=BY, at=NOON)
    deduct_due(power_bank.realm_id, at=NOON + 30 * A_DAY)
    bank.change_account(token_of(order), bank.Behaviour.NO_FUNDS)
    deduct_due(power_bank.realm_id, at=NOON + 60 * A_DAY)
    orders.mark_overdue(power_bank.realm_id, at=NOON + 63 * A_DAY, limit=10)
    bank.change_account(token_of(order), bank.Behaviour.PAYS)
    pay_now(order.id, amount_minor=1500, by=BY, at=NOON + 63 * A_DAY)
    owed = order.obligations.order_by("sequence")
    parts = [(row.state, row.owed.minor) for row in owed if row.owed]
    assert parts == [("pending", 750), ("overdue", 750), ("pending", 1500), ("pending", 2250)]

    orders.reduce_total(order.id, 9000 - 750 - 1500 - 2250, "goodwill", by=BY, at=NOON + 63 * A_DAY)

    assert caught_up(order)


def test_a_part_that_was_paid_ahead_bounces_and_is_paid_again(power_bank: Shop) -> None:
    order = make_due_order(power_bank, make_person(power_bank), yuan("90"))
    orders.choose_plan(order.person_id, order.id, PlanOffer(3, 14), expected=[yuan("90")], by=BY, at=NOON)
    deduct_due(power_bank.realm_id, at=NOON + 14 * A_DAY)
    at = NOON + 15 * A_DAY
    assert bank_disputes.reverse_debit(latest_deduction_of(order).number, "no_funds", at=at)
    assert deliver_callbacks(power_bank.realm_id, at=at) == 1
    assert (state_of(order), overdue_of(order)) == ("overdue", 1)
    pay_now(order.id, amount_minor=3000, by=BY, at=at)

    assert caught_up(order)
