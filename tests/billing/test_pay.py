"""Immediate payments: by the person, in full or in part, or collected now for the merchant, outside the plan."""

from datetime import datetime, timedelta
from uuid import uuid4

import pytest

from accounts import services as accounts
from accounts.models import Person
from billing.channels import bank
from billing.models import Deduction, Wallet
from billing.refusals import AmountChanged, AmountInvalid, NoInstrument, TooOften
from billing.services.attempt_plans import move_next_attempt
from billing.services.deduct import deduct_due
from billing.services.instruments import add_instrument, open_wallet
from billing.services.pay import collect_now, pay_all, pay_now
from billing.services.wallets import top_up
from kernel.models import LIVE
from kernel.refusal import NotFound
from merchants import services as merchants
from orders import refusals
from orders import services as orders
from tests.billing.helpers import balances, bank_debits_of, obligation_of
from tests.conftest import BY, NOON, Shop, make_agreement, make_due_order, make_order, make_person, state_of, yuan
from tests.unchanged import assert_unchanged


def test_paid_in_full_it_is_completed_and_no_longer_planned(power_bank: Shop, ada: Person) -> None:
    order = make_due_order(power_bank, ada, yuan("6"), due_at=NOON + timedelta(days=9))
    (done,) = pay_now(order.id, by=BY, at=NOON)

    assert (done.state, done.purpose, done.amount) == ("succeeded", "pay_now", yuan("6"))
    assert (state_of(order), obligation_of(order).plan) == ("deducted", [])
    assert deduct_due(power_bank.realm_id, at=NOON + timedelta(days=9)) == 0
    assert bank_debits_of(ada) == [yuan("6")]


def test_fees_of_partial_payments_add_up(power_bank: Shop, ada: Person) -> None:
    order = make_due_order(power_bank, ada, yuan("5.01"))
    for _ in range(3):
        pay_now(order.id, amount_minor=83, by=BY, at=NOON)
    owed = obligation_of(order)
    assert (owed.state, owed.paid_minor, owed.owed.minor, owed.collect_at) == ("pending", 249, 252, NOON)
    assert state_of(order) == "completed"
    deduct_due(power_bank.realm_id, at=NOON)

    assert bank_debits_of(ada) == [yuan("0.83")] * 3 + [yuan("2.52")]
    assert balances(power_bank) == {"clearing:sandbox": 501, "payable": 498, "fees": 3}
    assert obligation_of(order).attempts == 4


@pytest.mark.parametrize("amount", [601, 0, -1, 10**15])
def test_more_than_is_owed_or_nothing_is_refused(power_bank: Shop, ada: Person, amount: int) -> None:
    order = make_due_order(power_bank, ada, yuan("6"))
    with assert_unchanged(), pytest.raises(AmountInvalid):
        pay_now(order.id, amount_minor=amount, by=BY, at=NOON)
    assert bank_debits_of(ada) == []


def test_without_an_instrument_paying_is_refused(power_bank: Shop, ada: Person) -> None:
    order = make_due_order(power_bank, ada, yuan("6"))
    ada.instruments.update(state="dead")
    for act in (pay_now, collect_now):
        with assert_unchanged(), pytest.raises(NoInstrument):
            act(order.id, by=BY, at=NOON)


def test_the_person_chooses_among_their_own_instruments_only(power_bank: Shop, ada: Person) -> None:
    order, stranger = make_due_order(power_bank, ada, yuan("6")), make_person(power_bank)
    second = add_instrument(ada, "sandbox", f"{power_bank.realm_id}:{uuid4().hex}", "另一张卡", at=NOON)
    bank.open_account(second.token, bank.Behaviour.PAYS)
    with assert_unchanged(), pytest.raises(NoInstrument):
        pay_now(order.id, instrument_id=stranger.instruments.get().id, by=BY, at=NOON)
    pay_now(order.id, instrument_id=second.id, by=BY, at=NOON)

    assert bank.debits_of(second.token) == [yuan("6")]
    assert bank_debits_of(ada) == bank_debits_of(stranger) == []


def test_nothing_owed_cannot_be_paid(power_bank: Shop, ada: Person) -> None:
    agreement = make_agreement(power_bank, ada)
    going, paid, gone = (make_order(power_bank, agreement, ceiling=700) for _ in range(3))
    orders.complete_order(paid.id, orders.CompletionRequest(total=600), by=BY, at=NOON)
    pay_now(paid.id, by=BY, at=NOON)
    orders.cancel_order(gone.id, "x", by=BY, at=NOON)
    for order in (going, paid, gone):
        for act in (pay_now, collect_now):
            with assert_unchanged(), pytest.raises(refusals.OrderState):
                act(order.id, by=BY, at=NOON)
    with assert_unchanged(), pytest.raises(NotFound):
        pay_now(uuid4(), by=BY, at=NOON)


def test_no_second_attempt_while_one_is_in_flight(power_bank: Shop) -> None:
    person = make_person(power_bank, "slow")
    order = make_due_order(power_bank, person, yuan("6"))
    assert pay_now(order.id, amount_minor=100, by=BY, at=NOON)[0].state == "unknown"
    for act in (pay_now, collect_now):
        with assert_unchanged(), pytest.raises(refusals.DeductionInFlight):
            act(order.id, by=BY, at=NOON)
    assert deduct_due(power_bank.realm_id, at=NOON) == 0
    assert bank_debits_of(person) == [yuan("1")]


@pytest.mark.parametrize("act", [pay_now, collect_now])
def test_a_failed_immediate_payment_leaves_the_plan_unchanged(power_bank: Shop, act: type) -> None:
    order = make_due_order(power_bank, make_person(power_bank, "no_funds"), yuan("6"))
    deduct_due(power_bank.realm_id, at=NOON)
    before = obligation_of(order)
    (tried,) = act(order.id, by=BY, at=NOON + timedelta(hours=1))

    after = obligation_of(order)
    assert tried.state == "failed"
    assert (after.plan, after.collect_at, after.attempts) == (before.plan, before.collect_at, 2)


def test_only_the_person_may_pay_before_the_due_date(power_bank: Shop) -> None:
    order = make_order(power_bank, make_agreement(power_bank, make_person(power_bank)))
    orders.complete_order(
        order.id, orders.CompletionRequest(total=600, due_at=NOON + timedelta(days=20)), by=BY, at=NOON
    )
    for days in (0, 19.9):
        with assert_unchanged(), pytest.raises(refusals.NotDueYet):
            collect_now(order.id, by=BY, at=NOON + timedelta(days=days))
    pay_now(order.id, amount_minor=200, by=BY, at=NOON)
    (made,) = collect_now(order.id, by=BY, at=NOON + timedelta(days=20))

    assert made.amount == yuan("4")
    assert bank_debits_of(order.person) == [yuan("2"), yuan("4")]
    assert state_of(order) == "deducted"


def test_collect_respects_a_date_chosen_by_the_person(power_bank: Shop) -> None:
    due, chosen = NOON + timedelta(days=2), NOON + timedelta(days=5)
    order = make_order(power_bank, make_agreement(power_bank, make_person(power_bank)))
    orders.complete_order(order.id, orders.CompletionRequest(total=600, due_at=due), by=BY, at=NOON)
    move_next_attempt(obligation_of(order).id, chosen, at=NOON)
    for at in (NOON, chosen - timedelta(minutes=1)):
        with assert_unchanged(), pytest.raises(refusals.NotDueYet if at < due else refusals.DayChosen):
            collect_now(order.id, by=BY, at=at)
    pay_now(order.id, amount_minor=200, by=BY, at=due)
    (made,) = collect_now(order.id, by=BY, at=chosen)

    assert made.amount == yuan("4")
    assert state_of(order) == "deducted"


def test_a_moved_part_does_not_hold_back_other_parts(power_bank: Shop) -> None:
    """What a moved retry is for waits; the late fee of an overdue debt waits with it, as its page says."""
    order = make_due_order(power_bank, make_person(power_bank, "no_funds"), yuan("6"))
    deduct_due(power_bank.realm_id, at=NOON)
    row = obligation_of(order)
    move_next_attempt(row.id, datetime.fromisoformat(row.plan[0]["at"]) + timedelta(days=2), at=NOON)
    with assert_unchanged(), pytest.raises(refusals.DayChosen):
        collect_now(order.id, by=BY, at=NOON + timedelta(days=1))


def test_collect_is_limited_to_five_times_a_day(power_bank: Shop) -> None:
    order = make_due_order(power_bank, make_person(power_bank, "no_funds"), yuan("6"))
    for hour in range(5):
        collect_now(order.id, by=BY, at=NOON + timedelta(hours=hour))
    with assert_unchanged(), pytest.raises(TooOften) as refusal:
        collect_now(order.id, by=BY, at=NOON + timedelta(hours=23))
    assert refusal.value.retry_after
    collect_now(order.id, by=BY, at=NOON + timedelta(hours=24))
    assert Deduction.objects.filter(purpose="collect").count() == 6


def live(shop: Shop) -> Shop:
    """The same business among live ones."""
    terms = {"name": "live", "mode": "dynamic", "ceiling_minor": 9900}
    return Shop(shop.live, shop.live, "", merchants.offer_service(shop.live.id, terms, by=BY, at=NOON))


def test_paying_everything_leaves_out_paused_orders(power_bank: Shop, ada: Person) -> None:
    disputed = make_due_order(power_bank, ada, yuan("3"))
    other = make_order(power_bank, disputed.agreement)
    orders.complete_order(other.id, orders.CompletionRequest(total=400), by=BY, at=NOON)
    orders.pause_order(disputed.id, "problem_reported", by=BY, at=NOON)

    (done,) = pay_all(ada.id, by=BY, at=NOON)

    assert (done.amount, state_of(other), state_of(disputed)) == (yuan("4"), "deducted", "completed")
    with assert_unchanged(), pytest.raises(AmountInvalid):
        pay_all(ada.id, by=BY, at=NOON)
    pay_now(disputed.id, by=BY, at=NOON)  # on its own it may be paid at any time
    assert state_of(disputed) == "deducted"


def test_paying_everything_is_refused_if_the_total_changed(power_bank: Shop, ada: Person) -> None:
    make_due_order(power_bank, ada, yuan("3"))
    for other in ([], [yuan("2.99")], [yuan("3"), yuan("3.01")]):
        with assert_unchanged(), pytest.raises(AmountChanged):
            pay_all(ada.id, expected=other, by=BY, at=NOON)
    assert bank_debits_of(ada) == []
    pay_all(ada.id, expected=[yuan("3")], by=BY, at=NOON)
    assert bank_debits_of(ada) == [yuan("3")]


def test_paying_everything_is_one_deduction_across_merchants(power_bank: Shop, parcel: Shop) -> None:
    person = accounts.register_person("+8613812341234", realm_id=LIVE, by=BY, at=NOON)
    accounts.verify_identity(person.id, "欧阳修远", "11010519491231002X", by=BY, at=NOON)
    open_wallet(person, at=NOON)
    top_up(person.id, yuan("20"), "bank 1", at=NOON)
    owed = [
        make_due_order(live(place), person, yuan(amount)) for place, amount in ((power_bank, "3"), (parcel, "4.50"))
    ]

    (done,) = pay_all(person.id, by=BY, at=NOON)

    assert (done.state, done.amount, done.lines.count()) == ("succeeded", yuan("7.50"), 2)
    assert [state_of(order) for order in owed] == ["deducted", "deducted"]
    assert Wallet.objects.get(person=person).balance_minor == 1250
    with pytest.raises(AmountInvalid):
        pay_all(person.id, by=BY, at=NOON)


def test_paying_everything_leaves_out_what_is_in_flight(power_bank: Shop) -> None:
    person = make_person(power_bank, "slow")
    agreement = make_agreement(power_bank, person)
    under_way, owed = (make_order(power_bank, agreement, ceiling=700) for _ in range(2))
    for order in (under_way, owed):
        orders.complete_order(order.id, orders.CompletionRequest(total=600), by=BY, at=NOON)
    pay_now(under_way.id, amount_minor=100, by=BY, at=NOON)

    (made,) = pay_all(person.id, by=BY, at=NOON)

    assert [line.order_id for line in made.lines.all()] == [owed.id]
    assert bank_debits_of(person) == [yuan("1"), yuan("6")]
