"""Races that once were bugs, each stepped through the interleaving that went wrong."""

from datetime import timedelta
from functools import partial
from unittest import mock

import pytest

from accounts.models.people import PersonQuerySet
from billing.channels import Declined, bank
from billing.models import Deduction
from billing.services import attempt_plans, deduct, instruments, notices
from billing.services.deduction_outcomes import DeductionReport, settle_all
from billing.services.instruments import Script, add_bank_account, remove_instrument, set_instrument_limits
from billing.services.pay import collect_now
from kernel.actor import Actor
from merchants.models import Event
from orders import queries
from orders import services as orders
from orders.models import Concern, Obligation, Order
from orders.services import ageing, hardship_plans
from tests.billing.helpers import agree_three_instalments, overdue_with_fees
from tests.conftest import (
    BY,
    NOON,
    Shop,
    make_agreement,
    make_due_order,
    make_order,
    make_person,
    make_shop,
    state_of,
    yuan,
)
from tests.overdue import make_overdue
from tests.races.checks import deducted_from
from tests.threads import pause_before, refusals, run_concurrently

ONE_DAY = timedelta(days=1)
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


@pytest.mark.parametrize("other", ["request", "sweep"])
def test_the_limit_of_a_day_holds_when_two_orders_are_deducted_at_once(power_bank: Shop, other: str) -> None:
    first, second = two_due_orders(power_bank, "6")
    at = NOON + ONE_DAY
    if other == "request":
        deduct.deduct_due(power_bank.realm_id, at=NOON)  # fails, so that nothing is due again before the morning
    card = first.person.instruments.get()
    set_instrument_limits(first.person_id, card.id, None, yuan("10"), by=BY, at=NOON)
    bank.change_account(card.token, bank.Behaviour.PAYS)
    beside = {
        "request": partial(collect_now, second.id, by=BY, at=at),
        "sweep": partial(deduct.deduct_due, power_bank.realm_id, at=at),
    }
    with pause_before(deduct, "create_deductions") as halt:  # it has looked at what was taken today
        outcomes = run_concurrently(
            partial(collect_now, first.id, by=BY, at=at), partial(halt.run_while_paused, beside[other])
        )
    assert refusals(outcomes) == (["above_limits"] if other == "request" else [])
    assert deducted_from(first.person) == 600


def test_the_last_two_payment_methods_are_not_removed_at_once(power_bank: Shop) -> None:
    person = make_person(power_bank)
    make_due_order(power_bank, person, yuan("6"))
    one, two = person.instruments.get(), add_bank_account(person, Script(bank.Behaviour.PAYS), by=BY, at=NOON)
    with pause_before(instruments, "_record_change") as halt:  # it is removed, and that is not committed
        outcomes = run_concurrently(
            partial(remove_instrument, person.id, one.id, by=BY, at=NOON),
            partial(halt.run_while_paused, partial(remove_instrument, person.id, two.id, by=BY, at=NOON)),
        )
    assert refusals(outcomes) == ["instrument_needed"]
    assert person.instruments.filter(state="active").count() == 1


@pytest.mark.usefixtures("all_attempted")
def test_a_problem_is_reported_while_an_account_is_added(fees: Shop) -> None:
    order = overdue_with_fees(fees)
    order.obligations.update(plan=[], collect_at=None)
    at, who = NOON + 7 * ONE_DAY, Actor.person(order.person_id)
    with pause_before(PersonQuerySet, "locked_active") as halt:  # the report has locked the order and what is owed
        run_concurrently(
            partial(orders.report_problem, order.id, "other", "坏了", by=who, at=at),
            partial(
                halt.run_while_paused,
                partial(add_bank_account, order.person, Script(bank.Behaviour.PAYS), by=BY, at=at),
            ),
        )
    assert Concern.objects.filter(order=order).count() == 1
    assert order.person.instruments.count() == 2


@pytest.mark.usefixtures("all_attempted")
def test_an_instalment_is_moved_while_an_account_is_added(fees: Shop) -> None:
    """The late fee has a smaller key than the instalment that is moved together with it."""
    order, at = overdue_with_fees(fees), NOON + 7 * ONE_DAY
    agree_three_instalments(order)
    fee = order.obligations.get(kind=Obligation.Kind.LATE_FEE)
    moved = order.obligations.filter(kind=Obligation.Kind.PRINCIPAL, pk__gt=fee.pk).earliest("due_at")
    to = moved.due_at + 2 * ONE_DAY
    with pause_before(attempt_plans, "_policy_of") as halt:  # the instalment is locked
        run_concurrently(
            partial(attempt_plans.move_next_attempt, moved.pk, to, at=at),
            partial(
                halt.run_while_paused,
                partial(add_bank_account, order.person, Script(bank.Behaviour.PAYS), by=BY, at=at),
            ),
        )
    assert Obligation.objects.get(pk=moved.pk).moved_at == at
    assert order.person.instruments.count() == 2


def test_of_two_payment_plans_chosen_at_once_one_is_agreed(power_bank: Shop) -> None:
    two, at = two_due_orders(power_bank, "99"), NOON + ONE_DAY
    deduct.deduct_due(power_bank.realm_id, at=NOON)
    choices = []
    for order in two:
        options, who = queries.plan_options_for(order.person_id, order.id, at=at), Actor.person(order.person_id)
        offer = options.offers[-1]
        choices.append(
            partial(orders.choose_plan, order.person_id, order.id, offer, expected=options.sums, by=who, at=at)
        )
    with pause_before(hardship_plans, "_apply_plan") as halt:  # no other plan has been agreed
        outcomes = run_concurrently(choices[0], partial(halt.run_while_paused, choices[1]))
    assert refusals(outcomes) == ["cannot_ease"]
    assert Concern.objects.filter(outcome=Concern.Outcome.GRANTED).count() == 1


def two_due_orders(shop: Shop, amount: str) -> list[Order]:
    """Two orders of this amount, due now, of one person whose account is empty."""
    agreement = make_agreement(shop, make_person(shop, "no_funds"))
    request = orders.CompletionRequest(total=yuan(amount).minor)
    two = [make_order(shop, agreement, ceiling=request.total) for _ in range(2)]
    return [orders.complete_order(order.id, request, by=BY, at=NOON) for order in two]
