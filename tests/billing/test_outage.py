"""A channel is out: what it would collect stands still, wherever it stands, and goes on exactly there."""

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
from billing.services.outage import BATCH, begin_outage, end_outage, keep_outages
from billing.services.pay import collect_now, pay_now
from billing.services.wallets import top_up
from kernel.models import Realm
from kernel.refusal import Invalid, NotFound
from orders import services as orders
from orders.models import Obligation, Order, Pause
from tests.billing.bench import owed_of, taken_from
from tests.conftest import BY, NOON, Shop, completed, opened, ordered, someone, state_of, yuan
from tests.threads import at_once, refusals

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
#: The sandbox's clock is a day behind the real one, which is all that `real` says.
BEHIND = timedelta(days=1)
REAL = NOON + BEHIND


@pytest.fixture
def bank(power_bank: Shop) -> Iterator[Shop]:
    """The power banks, in a sandbox whose time is not the real one."""
    Realm.objects.filter(pk=power_bank.realm_id).update(clock_offset=-BEHIND)
    return power_bank


def out(channel: str = "sandbox") -> Outage:
    return begin_outage(channel, "银行维护", by=BY, at=REAL)


def back(after: timedelta, channel: str = "sandbox") -> None:
    end_outage(channel, "恢复了", by=BY, at=REAL + after)
    keep_outages(real=REAL + after)


def held() -> list[Order]:
    pauses = Pause.objects.filter(reason="channel_outage", ended_at__isnull=True).order_by("order_id")
    return [pause.order for pause in pauses.select_related("order")]


def with_wallet(person: Person, *, first: bool) -> Instrument:
    open_wallet(person, at=NOON)
    wallet = person.instruments.get(channel="wallet")
    Instrument.objects.filter(pk=wallet.pk).update(priority=0 if first else 9)
    return wallet


def test_what_the_channel_would_collect_stands_still_and_goes_on_where_it_stood(bank: Shop) -> None:
    order = completed(bank, someone(bank, "no_funds"), yuan("6"))
    deduct_due(bank.realm_id, at=NOON)
    before = owed_of(order)
    assert before.collect_at
    assert before.overdue_from
    out()
    keep_outages(real=REAL)

    still = owed_of(order)
    assert (still.paused_at, still.collect_at, still.overdue_from) == (NOON, None, None)
    assert held() == [order]

    back(5 * HOUR)
    after = owed_of(order)
    assert held() == []
    assert after.paused_at is None
    assert (after.collect_at, after.overdue_from) == (before.collect_at + 5 * HOUR, before.overdue_from + 5 * HOUR)
    pause = Pause.objects.get()
    assert (pause.began_at, pause.ended_at) == (NOON, NOON + 5 * HOUR)  # by the sandbox's own clock
    assert (pause.began_by, pause.ended_by) == ("system:outage", "system:outage")


def test_what_is_completed_meanwhile_is_not_asked_for_before_the_channel_is_back(bank: Shop) -> None:
    out()
    keep_outages(real=REAL)
    order = completed(bank, someone(bank), yuan("6"), at=NOON + HOUR)  # due at once, before any round

    deduct_due(bank.realm_id, at=NOON + HOUR)
    assert not Deduction.objects.exists()
    assert held() == [order]

    back(2 * HOUR)
    deduct_due(bank.realm_id, at=NOON + 2 * HOUR)
    assert state_of(order) == "deducted"
    assert taken_from(order.person) == [yuan("6")]


def test_a_long_line_of_what_came_due_is_held_and_the_sweep_comes_to_an_end(bank: Shop) -> None:
    out()
    orders_due = [completed(bank, someone(bank), yuan("6")) for _ in range(5)]
    spared = completed(bank, rich(bank), yuan("6"))

    while deduct_due(bank.realm_id, at=NOON, limit=2) == 2:
        pass
    assert held() == sorted(orders_due, key=lambda order: order.id)
    assert state_of(spared) == "deducted"


def rich(shop: Shop) -> Person:
    """Somebody who pays by their wallet first, and has a bank account too."""
    person = someone(shop)
    with_wallet(person, first=True)
    top_up(person.id, yuan("100"), f"ref {person.id}", at=NOON)
    return person


def test_what_comes_due_between_the_look_and_the_claim_is_not_sent_either(bank: Shop) -> None:
    out()
    order = completed(bank, someone(bank), yuan("6"))
    assert prepare_due(bank.realm_id, at=NOON, limit=9) == ([], 1)
    assert owed_of(order).collect_at == NOON


def test_other_channels_collect_on(bank: Shop) -> None:
    out("wallet")
    by_bank, by_wallet = completed(bank, someone(bank), yuan("6")), completed(bank, rich(bank), yuan("7"))
    keep_outages(real=REAL)
    assert held() == [by_wallet]

    deduct_due(bank.realm_id, at=NOON)
    assert (state_of(by_bank), state_of(by_wallet)) == ("deducted", "completed")


def test_whose_instrument_changes_goes_on_before_the_channel_is_back(bank: Shop) -> None:
    person = someone(bank)
    wallet = with_wallet(person, first=False)
    order = completed(bank, person, yuan("6"))
    out()
    keep_outages(real=REAL)
    assert held() == [order]

    Instrument.objects.filter(pk=wallet.pk).update(priority=0)
    keep_outages(real=REAL + MINUTE)
    assert held() == []


def test_two_channels_out_hold_an_order_until_its_own_is_back(bank: Shop) -> None:
    by_bank, by_wallet = completed(bank, someone(bank), yuan("6")), completed(bank, rich(bank), yuan("7"))
    out()
    out("wallet")
    keep_outages(real=REAL)
    assert len(held()) == 2
    back(HOUR)
    assert held() == [by_wallet]
    back(2 * HOUR, "wallet")
    assert held() == []
    assert owed_of(by_bank).collect_at == NOON + HOUR


def test_another_reason_holds_on_when_the_channel_is_back(bank: Shop) -> None:
    order = completed(bank, someone(bank), yuan("6"))
    orders.pause_order(order.id, "hardship", by=BY, at=NOON)
    out()
    keep_outages(real=REAL)
    back(HOUR)
    assert owed_of(order).paused_at == NOON
    orders.resume_order(order.id, "hardship", by=BY, at=NOON + 2 * HOUR)
    assert owed_of(order).collect_at == NOON + 2 * HOUR


def test_what_is_in_flight_runs_to_its_end(bank: Shop) -> None:
    order = completed(bank, someone(bank, "timeout_then_paid"), yuan("6"))
    deduct_due(bank.realm_id, at=NOON)
    out()
    keep_outages(real=REAL)
    assert held() == [order]
    from_the_bank = partial(tasks.ask.ask_unknown, bank.realm_id)
    for seconds in (5, 35, 400):
        from_the_bank(at=NOON + timedelta(seconds=seconds))
    assert state_of(order) == "deducted"
    back(HOUR)
    assert held() == []


def test_the_person_may_pay_and_nobody_else_collects_meanwhile(bank: Shop) -> None:
    order = completed(bank, someone(bank), yuan("6"))
    out()
    keep_outages(real=REAL)
    with pytest.raises(OrderPaused):
        collect_now(order.id, by=BY, at=NOON)
    pay_now(order.id, by=BY, at=NOON)
    assert state_of(order) == "deducted"
    back(HOUR)


def test_a_round_that_dies_half_way_goes_on_with_what_is_left(bank: Shop) -> None:
    everybody = [completed(bank, someone(bank, "no_funds"), yuan("6")) for _ in range(6)]
    out()
    for step, left in (("hold_next", 6), ("let_go_next", 0)):
        few = mock.patch.object(outage, "BATCH", 2)
        dies = mock.patch.object(outage, step, only_once(getattr(outage, step)))
        with few, dies, pytest.raises(Killed):
            keep_outages(real=REAL)
        assert 0 < len(held()) < len(everybody)
        keep_outages(real=REAL)
        assert len(held()) == left
        Outage.objects.update(ended_at=REAL)  # and now it is back


def only_once(step: Callable[..., Any]) -> Callable[..., Any]:
    """The step, and the second time the process is gone."""
    done = []

    def once(*args: Any, **how: Any) -> Any:
        if done:
            raise Killed
        done.append(step(*args, **how))
        return done[0]

    return once


class Killed(BaseException):
    """Not even an exception: the process is gone."""


def test_every_batch_is_a_transaction_of_its_own_and_everybody_is_reached(bank: Shop) -> None:
    everybody = [completed(bank, someone(bank, "no_funds"), yuan("6")) for _ in range(5)]
    agreement = opened(bank, someone(bank))
    for number in range(3):  # one person's orders are held together
        order = ordered(bank, agreement, ceiling=100 + number)
        everybody.append(orders.complete_order(order.id, orders.Final(total=100 + number), by=BY, at=NOON))
    out()
    with mock.patch.object(outage, "BATCH", 1):
        keep_outages(real=REAL)
        assert len(held()) == len(everybody)
        assert BATCH > 1
        back(HOUR)
    assert held() == []
    assert not Obligation.objects.filter(paused_at__isnull=False).exists()


def test_a_clock_that_was_set_back_meanwhile_ends_no_pause_before_it_began(bank: Shop) -> None:
    order = completed(bank, someone(bank), yuan("6"))
    out()
    keep_outages(real=REAL)
    Realm.objects.filter(pk=bank.realm_id).update(frozen_at=NOON - HOUR)
    back(HOUR)
    assert owed_of(order).collect_at == NOON


def test_a_round_with_nothing_out_asks_little(bank: Shop, django_assert_num_queries: Any) -> None:
    completed(bank, someone(bank), yuan("6"))
    with django_assert_num_queries(3):  # three questions
        keep_outages(real=REAL)


@pytest.mark.django_db
def test_who_said_so_and_why_stays_on_record() -> None:
    out()
    end_outage("sandbox", " 恢复了 ", by=BY, at=REAL + HOUR)
    row = Outage.objects.get()
    assert (row.channel, row.reason, row.began_at, row.began_by) == ("sandbox", "银行维护", REAL, str(BY))
    assert (row.ended_because, row.ended_at, row.ended_by) == ("恢复了", REAL + HOUR, str(BY))


@pytest.mark.django_db
def test_what_cannot_be_declared_is_refused() -> None:
    with pytest.raises(NotFound):
        out("telegraph")
    with pytest.raises(ChannelNotOut):
        end_outage("sandbox", "x", by=BY, at=REAL)
    for reason in ("", "  ", "x" * 201):
        with pytest.raises(Invalid):
            begin_outage("sandbox", reason, by=BY, at=REAL)
    out()
    with pytest.raises(ChannelOut):
        out()


@pytest.mark.django_db(transaction=True)
def test_two_who_declare_at_once_declare_one_outage(power_bank: Shop) -> None:
    del power_bank
    assert refusals(at_once(*[out] * 4)) == ["channel_out"] * 3
    ends = [partial(end_outage, "sandbox", "x", by=BY, at=REAL)] * 4
    assert refusals(at_once(*ends)) == ["channel_not_out"] * 3
