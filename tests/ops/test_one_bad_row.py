"""A row that cannot be processed delays no other row in any sweep, and stays due itself."""

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.db import OperationalError
from structlog.testing import capture_logs

from accounts import deliver
from accounts.models import Delivery, Notice, Person
from billing.models import Outage, Settlement
from billing.services import attempt_plans, deduct, outage, payouts, reminders
from billing.services.deduct import deduct_due
from billing.services.settlements import settle_due
from credit import limit_reviews
from credit.models import Profile
from kernel import sweeps
from kernel.clock import live_now
from kernel.models import Realm
from kernel.sweeps import process_bisecting
from orders import services as orders
from orders.models import Obligation, Order
from orders.services.ageing import OVERDUE_SWEEP
from orders.services.expiry import expire_unconfirmed
from tests.conftest import (
    BY,
    NOON,
    Shop,
    make_agreement,
    make_due_order,
    make_order,
    make_person,
    reload_order,
    state_of,
    yuan,
)
from tests.overdue import make_overdue

A_DAY = timedelta(days=1)


@pytest.fixture
def crowd(power_bank: Shop) -> list[Order]:
    """Four people who owe; the zone of the second one's is none that there is, as after an import gone wrong."""
    made = [
        make_due_order(power_bank, make_person(power_bank, name=name), yuan("5")) for name in ("甲", "乙", "丙", "丁")
    ]
    Person.objects.filter(pk=made[1].person_id).update(zone="Nowhere/Atlantis")
    return made


def run_sweep(act: Callable[..., object], *args: Any, **kwargs: Any) -> None:
    """As its ring would do it: trouble is told to the log."""
    with suppress(Exception):
        act(*args, **kwargs)


def test_collecting(power_bank: Shop, crowd: list[Order], monkeypatch: pytest.MonkeyPatch) -> None:
    real, bad = attempt_plans._next_request, crowd[1].person_id  # noqa: SLF001  it is the one that fails

    def trip(row: Obligation, *args: Any) -> Any:
        if row.person_id == bad:
            raise ZeroDivisionError("poison")
        return real(row, *args)

    monkeypatch.setattr(attempt_plans, "_next_request", trip)
    run_sweep(deduct_due, power_bank.realm_id, at=NOON)

    assert [state_of(order) for order in crowd] == ["deducted", "completed", "deducted", "deducted"]
    assert Obligation.objects.get(order=crowd[1]).collect_at is not None


def test_marking_overdue(power_bank: Shop, crowd: list[Order]) -> None:
    run_sweep(make_overdue, power_bank.realm_id, at=NOON + 30 * A_DAY, limit=100)

    assert [state_of(order) for order in crowd] == ["overdue", "completed", "overdue", "overdue"]


def test_notices(power_bank: Shop, crowd: list[Order]) -> None:
    deduct_due_of = [order.person_id for order in crowd]
    Person.objects.filter(pk=crowd[1].person_id).update(zone="Asia/Shanghai")
    deduct_due(power_bank.realm_id, at=NOON)
    Person.objects.filter(pk=crowd[1].person_id).update(zone="Nowhere/Atlantis")
    due = Delivery.objects.filter(next_at__lte=NOON, person__in=deduct_due_of)
    assert due.values("person").distinct().count() == 4

    run_sweep(deliver.deliver_due, power_bank.realm_id, at=NOON, limit=100)

    left = set(Delivery.objects.filter(next_at__lte=NOON, state="queued").values_list("person", flat=True))
    assert left == {crowd[1].person_id}


def test_reminding(power_bank: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    due = NOON + 2 * A_DAY
    people = [make_person(power_bank, name=name) for name in ("甲", "乙", "丙")]
    made = [make_due_order(power_bank, person, yuan("5"), due_at=due) for person in people]
    real = reminders._build_item  # noqa: SLF001  it is the one that fails

    def trip(row: Obligation, *args: Any, **kwargs: Any) -> Any:
        if row.person_id == people[1].id:
            raise ZeroDivisionError("poison")
        return real(row, *args, **kwargs)

    monkeypatch.setattr(reminders, "_build_item", trip)
    run_sweep(reminders.remind_all, power_bank.realm_id, at=due - timedelta(hours=12), limit=100)

    told = set(Notice.objects.filter(stage="debit_planned").values_list("person_id", flat=True))
    assert told == {made[0].person_id, made[2].person_id}


def test_expiring(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    for name in ("甲", "乙", "丙"):
        agreement = make_agreement(shop, make_person(shop, name=name))
        wish = orders.OrderRequest(
            agreement_id=agreement.id, out_order_no=name, title="灯", currency="CNY", amount=4990
        )
        order = orders.open_order(shop.merchant.id, wish, by=BY, at=NOON).order
        assert order is not None
        made.append(order)
    real = Order.expire

    def trip(self: Order) -> None:
        if self.pk == made[1].pk:
            raise ZeroDivisionError("poison")
        real(self)

    monkeypatch.setattr(Order, "expire", trip)
    run_sweep(expire_unconfirmed, shop.realm_id, at=NOON + 60 * A_DAY, limit=100)

    assert [state_of(order) for order in made] == ["expired", "created", "expired"]


def test_reviewing_limits(power_bank: Shop, crowd: list[Order], monkeypatch: pytest.MonkeyPatch) -> None:
    real, bad = limit_reviews._review_limit, crowd[1].person_id  # noqa: SLF001  it is the one that fails

    def trip(row: Any, profile: Profile, *args: Any, **kwargs: Any) -> Any:
        if profile.person_id == bad:
            raise ZeroDivisionError("poison")
        return real(row, profile, *args, **kwargs)

    monkeypatch.setattr(limit_reviews, "_review_limit", trip)
    at = NOON + 60 * A_DAY
    run_sweep(limit_reviews.review_limits, power_bank.realm_id, at=at, limit=100)

    left = Profile.objects.filter(review_at__lte=at).values_list("person_id", flat=True)
    assert list(left) == [bad]


def test_pausing_for_an_outage_and_resuming_after_it(
    power_bank: Shop, crowd: list[Order], monkeypatch: pytest.MonkeyPatch
) -> None:
    out = Outage.objects.create(channel="sandbox", reason="down", began_at=NOON, began_by="test")
    real_pause, real_resume, bad = orders.pause_order, orders.resume_order, crowd[1].id

    def trip(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(order_id: Any, *args: Any, **kwargs: Any) -> Any:
            if order_id == bad:
                raise ZeroDivisionError("poison")
            return real(order_id, *args, **kwargs)

        return call

    Person.objects.filter(pk=crowd[1].person_id).update(zone="Asia/Shanghai")
    monkeypatch.setattr(orders, "pause_order", trip(real_pause))
    run_sweep(outage.apply_outages, real=NOON, realm_id=power_bank.realm_id)
    stopped = [reload_order(order.id).pauses.filter(ended_at=None).exists() for order in crowd]
    assert stopped == [True, False, True, True]

    monkeypatch.setattr(orders, "pause_order", real_pause)
    outage.apply_outages(real=NOON, realm_id=power_bank.realm_id)
    Outage.objects.filter(pk=out.pk).update(ended_at=NOON, ended_by="test", ended_because="up")
    monkeypatch.setattr(orders, "resume_order", trip(real_resume))
    run_sweep(outage.apply_outages, real=NOON, realm_id=power_bank.realm_id)
    stopped = [reload_order(order.id).pauses.filter(ended_at=None).exists() for order in crowd]
    assert stopped == [False, True, False, False]


def test_paying_merchants(power_bank: Shop, ada: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    agreement = make_agreement(power_bank, ada)
    for day in range(3):
        at = NOON + day * A_DAY
        order = make_order(power_bank, agreement, at=at)
        orders.complete_order(order.id, orders.CompletionRequest(total=500), by=BY, at=at)
        deduct_due(power_bank.realm_id, at=at)
        settle_due(power_bank.realm_id, at=at + A_DAY, limit=10)
    rows, real = list(Settlement.objects.order_by("id")), payouts._create_payout  # noqa: SLF001  it is the one that fails
    assert len(rows) == 3

    def trip(row: Settlement, *args: Any, **kwargs: Any) -> Any:
        if row.pk == rows[0].pk:
            raise ZeroDivisionError("poison")
        return real(row, *args, **kwargs)

    monkeypatch.setattr(payouts, "_create_payout", trip)
    run_sweep(payouts.pay_out_due, power_bank.realm_id, at=NOON + 10 * A_DAY)

    assert [row.state for row in Settlement.objects.order_by("id")] == ["closed", "paid", "paid"]


def crowded(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> tuple[list[Order], list[int]]:
    """Nine who owe, the first and the third of whom cannot be seen to; and how many of them each look tries."""
    made = [make_due_order(shop, make_person(shop, name=f"人{n}"), yuan("5")) for n in range(9)]
    real, bad, tried = attempt_plans._next_request, {made[0].person_id, made[2].person_id}, list[int]()  # noqa: SLF001
    prepared = deduct._prepare_obligations  # noqa: SLF001  whatever is looked at together goes through it

    def trip(row: Obligation, *args: Any) -> Any:
        if row.person_id in bad:
            raise ZeroDivisionError("poison")
        return real(row, *args)

    def watched(rows: Sequence[Obligation], **kwargs: Any) -> Any:
        tried.append(len(rows))
        return prepared(rows, **kwargs)

    monkeypatch.setattr(attempt_plans, "_next_request", trip)
    monkeypatch.setattr(deduct, "_prepare_obligations", watched)
    return made, tried


def test_one_run_processes_all_other_rows_over_many_batches(power_bank: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    made, tried = crowded(power_bank, monkeypatch)
    replace(deduct.SWEEP, batch_size=2).run_due()

    states = [state_of(order) for order in made]
    assert (states.count("deducted"), states[0], states[2]) == (7, "completed", "completed")
    assert sum(tried) - 7 < 2 * 7  # a bad one is not tried again with every batch
    replace(deduct.SWEEP, batch_size=2).run_due()
    assert Obligation.objects.filter(collect_at__isnull=False).count() == 2  # and stays due


def test_overdue_limits_and_expiry_process_all_other_rows(
    power_bank: Shop, crowd: list[Order], monkeypatch: pytest.MonkeyPatch
) -> None:
    real, bad = limit_reviews._review_limit, crowd[0].person_id  # noqa: SLF001  it is the one that fails

    def trip(row: Any, profile: Profile, *args: Any, **kwargs: Any) -> Any:
        if profile.person_id == bad:
            raise ZeroDivisionError("poison")
        return real(row, profile, *args, **kwargs)

    monkeypatch.setattr(limit_reviews, "_review_limit", trip)
    at = NOON + 60 * A_DAY
    Realm.objects.filter(pk=power_bank.realm_id).update(clock_offset=at - live_now())
    replace(limit_reviews.LIMIT_REVIEW_SWEEP, batch_size=1).run_due()
    Obligation.objects.update(collect_at=None, plan=[])
    replace(OVERDUE_SWEEP, batch_size=1).run_due()

    assert list(Profile.objects.filter(review_at__lte=at).values_list("person_id", flat=True)) == [bad]
    assert [state_of(order) for order in crowd] == ["overdue", "completed", "overdue", "overdue"]


def test_rows_are_not_retried_one_by_one_without_a_database(caplog: pytest.LogCaptureFixture) -> None:
    tried = list[int]()

    def away(some: Sequence[int]) -> None:
        tried.append(len(some))
        raise OperationalError("connection refused")

    (failure,) = process_bisecting(range(500), away, event="not_seen_to")

    assert isinstance(failure, OperationalError)
    assert (tried, caplog.records) == ([500], [])


def test_a_repeated_failure_is_logged_in_full_only_sometimes(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(_some: Sequence[int]) -> None:
        raise ZeroDivisionError("poison")

    with capture_logs() as lines:
        for later in (0.0, 1.0, sweeps.LOG_AGAIN_SECONDS + 2.0):
            now = time.monotonic() + later
            monkeypatch.setattr(sweeps.time, "monotonic", lambda now=now: now)
            process_bisecting([7], fails, event="not_seen_to_at_all")

    assert [(line["event"], line["key"], "exc_info" in line) for line in lines] == [
        ("not_seen_to_at_all", "7", whole) for whole in (True, False, True)
    ]
