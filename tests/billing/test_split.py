"""A deduction for several debts exceeded the balance: the oldest debt is retried alone."""

from datetime import timedelta

from billing.channels import bank
from billing.models import Deduction
from billing.services.deduct import deduct_due
from billing.services.instruments import add_instrument
from orders import services as orders
from orders.models import Obligation, Order, Plan
from tests.billing.helpers import bank_debits_of
from tests.conftest import BY, NOON, Shop, make_agreement, make_order, make_person, state_of, yuan

MORNING = NOON.replace(hour=2)  # 10:00 in Shanghai
ONE_DAY = timedelta(days=1)


def debts(shop: Shop, *amounts: str, **script: object) -> list[Order]:
    """What one person owes, the oldest first, all due by NOON + 1 h."""
    agreement = make_agreement(shop, make_person(shop, "partial_balance", **script))
    made = []
    for minutes, amount in enumerate(amounts):
        order = make_order(shop, agreement)
        due = NOON + timedelta(minutes=minutes)
        final = orders.CompletionRequest(total=yuan(amount).minor, due_at=due)
        made.append(orders.complete_order(order.id, final, by=BY, at=NOON))
    return made


def test_the_oldest_debt_is_retried_alone_at_once(power_bank: Shop) -> None:
    first, second, third = debts(power_bank, "3", "4", "5", balance_minor=400)
    then = NOON + timedelta(hours=1)
    deduct_due(power_bank.realm_id, at=then)
    assert Deduction.objects.get().amount_minor == 1200
    assert Obligation.objects.get(order=first).plan[0]["reason"] == "split"
    assert {row.plan[0]["reason"] for row in Obligation.objects.filter(order__in=[second, third])} == {"retry_1d"}

    deduct_due(power_bank.realm_id, at=then)

    assert bank_debits_of(first.person) == [yuan("3")]
    assert [state_of(order) for order in (first, second, third)] == ["deducted", "completed", "completed"]
    assert deduct_due(power_bank.realm_id, at=then) == 0


def test_each_day_pays_as_much_as_the_balance_and_caps_allow(power_bank: Shop) -> None:
    made = debts(power_bank, "3", "4", "50", balance_minor=900)
    deduct_due(power_bank.realm_id, at=NOON + timedelta(hours=1))
    deduct_due(power_bank.realm_id, at=NOON + timedelta(hours=1))
    for day in range(1, 12):
        for hour in range(9):
            deduct_due(power_bank.realm_id, at=MORNING + day * ONE_DAY + timedelta(hours=hour))

    assert [state_of(order) for order in made] == ["deducted", "deducted", "completed"]
    assert sum(money.minor for money in bank_debits_of(made[0].person)) == 700
    retries = Deduction.objects.exclude(reason__in=["due", "channel_trouble"])
    days = [row.prepared_at.date() for row in retries]
    assert len(days) == len(set(days)), "one retry a day from one instrument"


def test_another_instrument_is_tried_before_splitting(power_bank: Shop) -> None:
    first, second = debts(power_bank, "3", "4", balance_minor=100)
    other = add_instrument(first.person, "sandbox", f"{power_bank.realm_id}:o", "另一张卡", at=NOON)
    bank.open_account(other.token, bank.Behaviour.PAYS)
    then = NOON + timedelta(hours=1)

    deduct_due(power_bank.realm_id, at=then)
    deduct_due(power_bank.realm_id, at=then)

    assert bank.debits_of(other.token) == [yuan("7")]
    assert {state_of(order) for order in (first, second)} == {"deducted"}


def test_an_instrument_that_failed_today_is_not_retried_today(power_bank: Shop) -> None:
    (order,) = debts(power_bank, "3", balance_minor=100)
    other = add_instrument(order.person, "sandbox", f"{power_bank.realm_id}:o", "另一张卡", at=NOON)
    bank.open_account(other.token, bank.Behaviour.NO_FUNDS)
    for _ in range(4):
        deduct_due(power_bank.realm_id, at=NOON + timedelta(hours=1))

    assert [row.instrument_id == other.id for row in Deduction.objects.order_by("id")] == [False, True]
    assert Obligation.objects.get().plan[0]["reason"] == "retry_1d"


def test_every_plan_is_recorded_with_its_reason(power_bank: Shop) -> None:
    (order,) = debts(power_bank, "3", balance_minor=100)
    deduct_due(power_bank.realm_id, at=NOON + timedelta(hours=1))
    deduct_due(power_bank.realm_id, at=MORNING + ONE_DAY)

    plans = list(Plan.objects.filter(obligation__order=order).order_by("id"))
    assert [plan.why for plan in plans] == ["failed", "failed"]
    assert plans[-1].attempts == Obligation.objects.get().plan
    planned = [row.lines.get().planned for row in Deduction.objects.order_by("id")]
    assert [attempt["reason"] for attempt in planned] == ["due", "retry_1d"]
    assert planned[1] == plans[0].attempts[0]


def test_unplanned_debts_are_planned_from_a_new_card(power_bank: Shop) -> None:
    person = make_person(power_bank, "hard_decline")
    agreement = make_agreement(power_bank, person)
    order = make_order(power_bank, agreement)
    orders.complete_order(order.id, orders.CompletionRequest(total=300), by=BY, at=NOON)
    deduct_due(power_bank.realm_id, at=NOON)
    assert Obligation.objects.get().plan == []

    night = NOON + timedelta(hours=11)  # 23:00 in Shanghai
    card = add_instrument(person, "sandbox", f"{power_bank.realm_id}:n", "新卡", at=night)
    bank.open_account(card.token, bank.Behaviour.PAYS)

    owed = Obligation.objects.get()
    assert (owed.collect_at, owed.plan[0]["reason"]) == (night + timedelta(hours=8), "new_instrument")
    assert deduct_due(power_bank.realm_id, at=night) == 0
    deduct_due(power_bank.realm_id, at=night + timedelta(hours=8))
    assert (state_of(order), bank.debits_of(card.token)) == ("deducted", [yuan("3")])


def test_a_persons_due_debts_are_one_deduction_for_any_batch_size(power_bank: Shop) -> None:
    agreement = make_agreement(power_bank, make_person(power_bank))
    for _ in range(5):
        order = make_order(power_bank, agreement, ceiling=100)
        orders.complete_order(order.id, orders.CompletionRequest(total=100), by=BY, at=NOON)

    assert deduct_due(power_bank.realm_id, at=NOON, limit=2) == 2

    assert Deduction.objects.get().amount_minor == 500
