"""Channel outages: orders are paused wherever they are in their plan, and resume exactly there."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from typing import Any
from unittest import mock

import pytest

from accounts.models import Person
from billing import tasks
from billing.models import Deduction, Instrument, Outage
from billing.refusals import ChannelNotOut, ChannelOut, OrderPaused
from billing.services import outage
from billing.services.deduct import deduct_due, prepare_due
from billing.services.instruments import open_wallet
from billing.services.outage import BATCH, apply_outages, begin_outage, end_outage
from billing.services.pay import collect_now, pay_now
from billing.services.wallets import top_up
from kernel.models import Realm
from kernel.refusal import Invalid, NotFound
from orders import services as orders
from orders.models import Obligation, Order, Pause
from tests.billing.helpers import bank_debits_of, obligation_of
from tests.conftest import BY, NOON, Shop, make_agreement, make_due_order, make_order, make_person, state_of, yuan
from tests.threads import refusals, run_concurrently

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
#: The sandbox's clock is a day behind the real one, which is all that `real` says.
BEHIND = timedelta(days=1)
REAL = NOON + BEHIND


@pytest.fixture
def bank(power_bank: Shop) -> Iterator[Shop]:
    """The power bank shop, in a sandbox whose clock differs from real time."""
    Realm.objects.filter(pk=power_bank.realm_id).update(clock_offset=-BEHIND)
    return power_bank


def declare_outage(channel: str = "sandbox") -> Outage:
    return begin_outage(channel, "银行维护", by=BY, at=REAL)


def end_outage_after(after: timedelta, channel: str = "sandbox") -> None:
    end_outage(channel, "恢复了", by=BY, at=REAL + after)
    apply_outages(real=REAL + after)


def paused_orders() -> list[Order]:
    pauses = Pause.objects.filter(reason="channel_outage", ended_at__isnull=True).order_by("order_id")
    return [pause.order for pause in pauses.select_related("order")]


def with_wallet(person: Person, *, first: bool) -> Instrument:
    open_wallet(person, at=NOON)
    wallet = person.instruments.get(channel="wallet")
    Instrument.objects.filter(pk=wallet.pk).update(priority=0 if first else 9)
    return wallet


def test_orders_of_the_channel_are_paused_and_resumed_in_place(bank: Shop) -> None:
    order = make_due_order(bank, make_person(bank, "no_funds"), yuan("6"))
    deduct_due(bank.realm_id, at=NOON)
    before = obligation_of(order)
    assert before.collect_at
    assert before.overdue_from
    declare_outage()
    apply_outages(real=REAL)

    still = obligation_of(order)
    assert (still.paused_at, still.collect_at, still.overdue_from) == (NOON, None, None)
    assert paused_orders() == [order]

    end_outage_after(5 * HOUR)
    after = obligation_of(order)
    assert paused_orders() == []
    assert after.paused_at is None
    assert (after.collect_at, after.overdue_from) == (before.collect_at + 5 * HOUR, before.overdue_from + 5 * HOUR)
    pause = Pause.objects.get()
    assert (pause.began_at, pause.ended_at) == (NOON, NOON + 5 * HOUR)  # by the sandbox's own clock
    assert (pause.began_by, pause.ended_by) == ("system:outage", "system:outage")


def test_orders_completed_during_an_outage_wait_for_its_end(bank: Shop) -> None:
    declare_outage()
    apply_outages(real=REAL)
    order = make_due_order(bank, make_person(bank), yuan("6"), at=NOON + HOUR)  # due at once, before any round

    deduct_due(bank.realm_id, at=NOON + HOUR)
    assert not Deduction.objects.exists()
    assert paused_orders() == [order]

    end_outage_after(2 * HOUR)
    deduct_due(bank.realm_id, at=NOON + 2 * HOUR)
    assert state_of(order) == "deducted"
    assert bank_debits_of(order.person) == [yuan("6")]


def test_a_long_queue_of_due_orders_is_paused_and_the_sweep_ends(bank: Shop) -> None:
    declare_outage()
    orders_due = [make_due_order(bank, make_person(bank), yuan("6")) for _ in range(5)]
    spared = make_due_order(bank, rich(bank), yuan("6"))

    while deduct_due(bank.realm_id, at=NOON, limit=2) == 2:
        pass
    assert paused_orders() == sorted(orders_due, key=lambda order: order.id)
    assert state_of(spared) == "deducted"


def rich(shop: Shop) -> Person:
    """Somebody who pays by their wallet first, and has a bank account too."""
    person = make_person(shop)
    with_wallet(person, first=True)
    top_up(person.id, yuan("100"), f"ref {person.id}", at=NOON)
    return person


def test_what_becomes_due_between_check_and_claim_is_not_sent(bank: Shop) -> None:
    declare_outage()
    order = make_due_order(bank, make_person(bank), yuan("6"))
    assert prepare_due(bank.realm_id, at=NOON, limit=9) == ([], 1)
    assert obligation_of(order).collect_at == NOON


def test_other_channels_keep_collecting(bank: Shop) -> None:
    declare_outage("wallet")
    by_bank, by_wallet = (
        make_due_order(bank, make_person(bank), yuan("6")),
        make_due_order(bank, rich(bank), yuan("7")),
    )
    apply_outages(real=REAL)
    assert paused_orders() == [by_wallet]

    deduct_due(bank.realm_id, at=NOON)
    assert (state_of(by_bank), state_of(by_wallet)) == ("deducted", "completed")


def test_a_changed_instrument_resumes_the_order_during_the_outage(bank: Shop) -> None:
    person = make_person(bank)
    wallet = with_wallet(person, first=False)
    order = make_due_order(bank, person, yuan("6"))
    declare_outage()
    apply_outages(real=REAL)
    assert paused_orders() == [order]

    Instrument.objects.filter(pk=wallet.pk).update(priority=0)
    apply_outages(real=REAL + MINUTE)
    assert paused_orders() == []


def test_with_two_outages_an_order_waits_for_its_own_channel(bank: Shop) -> None:
    by_bank, by_wallet = (
        make_due_order(bank, make_person(bank), yuan("6")),
        make_due_order(bank, rich(bank), yuan("7")),
    )
    declare_outage()
    declare_outage("wallet")
    apply_outages(real=REAL)
    assert len(paused_orders()) == 2
    end_outage_after(HOUR)
    assert paused_orders() == [by_wallet]
    end_outage_after(2 * HOUR, "wallet")
    assert paused_orders() == []
    assert obligation_of(by_bank).collect_at == NOON + HOUR


def test_a_pause_for_another_reason_outlasts_the_outage(bank: Shop) -> None:
    order = make_due_order(bank, make_person(bank), yuan("6"))
    orders.pause_order(order.id, "hardship", by=BY, at=NOON)
    declare_outage()
    apply_outages(real=REAL)
    end_outage_after(HOUR)
    assert obligation_of(order).paused_at == NOON
    orders.resume_order(order.id, "hardship", by=BY, at=NOON + 2 * HOUR)
    assert obligation_of(order).collect_at == NOON + 2 * HOUR


def test_deductions_in_flight_are_completed(bank: Shop) -> None:
    order = make_due_order(bank, make_person(bank, "timeout_then_paid"), yuan("6"))
    deduct_due(bank.realm_id, at=NOON)
    declare_outage()
    apply_outages(real=REAL)
    assert paused_orders() == [order]
    from_the_bank = partial(tasks.outcome_polling.poll_deductions, bank.realm_id)
    for seconds in (5, 35, 400):
        from_the_bank(at=NOON + timedelta(seconds=seconds))
    assert state_of(order) == "deducted"
    end_outage_after(HOUR)
    assert paused_orders() == []


def test_during_an_outage_only_the_person_may_pay(bank: Shop) -> None:
    order = make_due_order(bank, make_person(bank), yuan("6"))
    declare_outage()
    apply_outages(real=REAL)
    with pytest.raises(OrderPaused):
        collect_now(order.id, by=BY, at=NOON)
    pay_now(order.id, by=BY, at=NOON)
    assert state_of(order) == "deducted"
    end_outage_after(HOUR)


def test_a_killed_run_goes_on_with_what_is_left(bank: Shop) -> None:
    everybody = [make_due_order(bank, make_person(bank, "no_funds"), yuan("6")) for _ in range(6)]
    declare_outage()
    for step, left in (("pause_next", 6), ("resume_next", 0)):
        few = mock.patch.object(outage, "BATCH", 2)
        dies = mock.patch.object(outage, step, only_once(getattr(outage, step)))
        with few, dies, pytest.raises(Killed):
            apply_outages(real=REAL)
        assert 0 < len(paused_orders()) < len(everybody)
        apply_outages(real=REAL)
        assert len(paused_orders()) == left
        Outage.objects.update(ended_at=REAL)  # and now it is back


def only_once(step: Callable[..., Any]) -> Callable[..., Any]:
    """Run the step once; kill the process at the second call."""
    done = []

    def once(*args: Any, **how: Any) -> Any:
        if done:
            raise Killed
        done.append(step(*args, **how))
        return done[0]

    return once


class Killed(BaseException):
    """Stands for the death of the process."""


def test_each_batch_is_one_transaction_and_all_orders_are_reached(bank: Shop) -> None:
    everybody = [make_due_order(bank, make_person(bank, "no_funds"), yuan("6")) for _ in range(5)]
    agreement = make_agreement(bank, make_person(bank))
    for number in range(3):  # one person's orders are held together
        order = make_order(bank, agreement, ceiling=100 + number)
        everybody.append(orders.complete_order(order.id, orders.CompletionRequest(total=100 + number), by=BY, at=NOON))
    declare_outage()
    with mock.patch.object(outage, "BATCH", 1):
        apply_outages(real=REAL)
        assert len(paused_orders()) == len(everybody)
        assert BATCH > 1
        end_outage_after(HOUR)
    assert paused_orders() == []
    assert not Obligation.objects.filter(paused_at__isnull=False).exists()


def test_a_clock_set_back_ends_no_pause_before_its_begin(bank: Shop) -> None:
    order = make_due_order(bank, make_person(bank), yuan("6"))
    declare_outage()
    apply_outages(real=REAL)
    Realm.objects.filter(pk=bank.realm_id).update(frozen_at=NOON - HOUR)
    end_outage_after(HOUR)
    assert obligation_of(order).collect_at == NOON


def test_a_run_without_outage_needs_few_queries(bank: Shop, django_assert_num_queries: Any) -> None:
    make_due_order(bank, make_person(bank), yuan("6"))
    with django_assert_num_queries(3):  # three questions
        apply_outages(real=REAL)


@pytest.mark.django_db
def test_who_declared_an_outage_and_why_is_recorded() -> None:
    declare_outage()
    end_outage("sandbox", " 恢复了 ", by=BY, at=REAL + HOUR)
    row = Outage.objects.get()
    assert (row.channel, row.reason, row.began_at, row.began_by) == ("sandbox", "银行维护", REAL, str(BY))
    assert (row.ended_because, row.ended_at, row.ended_by) == ("恢复了", REAL + HOUR, str(BY))


@pytest.mark.django_db
def test_invalid_outage_declarations_are_refused() -> None:
    with pytest.raises(NotFound):
        declare_outage("telegraph")
    with pytest.raises(ChannelNotOut):
        end_outage("sandbox", "x", by=BY, at=REAL)
    for reason in ("", "  ", "x" * 201):
        with pytest.raises(Invalid):
            begin_outage("sandbox", reason, by=BY, at=REAL)
    declare_outage()
    with pytest.raises(ChannelOut):
        declare_outage()


@pytest.mark.django_db(transaction=True)
def test_two_concurrent_declarations_make_one_outage(power_bank: Shop) -> None:
    del power_bank
    assert refusals(run_concurrently(*[declare_outage] * 4)) == ["channel_out"] * 3
    ends = [partial(end_outage, "sandbox", "x", by=BY, at=REAL)] * 4
    assert refusals(run_concurrently(*ends)) == ["channel_not_out"] * 3
