"""Breaches that are undone: paid in time but reported late, or never owed."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from accounts.models import Notice, Person
from billing.models import Instrument
from billing.services.deduct import deduct_due
from billing.services.instruments import open_wallet
from billing.services.pay import pay_now
from billing.services.wallets import top_up
from credit.limit_reviews import review_limits
from credit.models import Profile, ScoreChange
from credit.usage import ProfileDelta, apply_deltas
from orders import services as orders
from orders.models import Order
from orders.queries import last_overdue_end
from personal.queries import provable_facts
from tests.browsing import client_for, freeze_clock, visible_text
from tests.conftest import BY, NOON, Shop, make_due_order, make_order, make_person, reload_order, yuan

pytestmark = pytest.mark.django_db
LATE = NOON + timedelta(days=4)


def overdue_order(shop: Shop) -> Order:
    """Overdue since the fourth day, after a failed attempt."""
    order = make_due_order(shop, make_person(shop, "no_funds"), yuan("6"))
    deduct_due(shop.realm_id, at=NOON)
    assert orders.mark_overdue(shop.realm_id, at=LATE, limit=9) == 1
    return order


def record_of(person: Person) -> tuple[int, int, int, int]:
    profile = Profile.objects.get(pk=person.id)
    return profile.score, profile.kept_orders, profile.breached_orders, profile.overdue_orders


def test_paid_in_time_but_reported_late_is_kept(power_bank: Shop) -> None:
    order = overdue_order(power_bank)
    assert record_of(order.person) == (680, 0, 1, 1)

    orders.mark_paid(order.id, LATE - timedelta(seconds=1), "till-17", by=BY, at=LATE + timedelta(days=9))

    assert record_of(order.person) == (722, 1, 0, 0)
    assert reload_order(order.id).overdue_at is None
    assert list(ScoreChange.objects.order_by("id").values_list("reason", "delta", "order_id")) == [
        ("breached", -40, order.id),
        ("righted", 40, order.id),
        ("kept", 2, order.id),
    ]


def test_paid_when_it_was_overdue_stays_broken(power_bank: Shop) -> None:
    order = overdue_order(power_bank)
    orders.mark_paid(order.id, LATE, "till-17", by=BY, at=LATE)
    assert record_of(order.person) == (690, 0, 1, 0)


def cancelled(order: Order) -> None:
    orders.cancel_order(order.id, "never used", by=BY, at=LATE)


def reported(order: Order, outcome: str, total: int | None) -> None:
    concern = orders.report_problem(order.id, "not_mine", "x", by=BY, at=LATE)
    orders.decide_report(concern.id, outcome, "您说得对", total_minor=total, by=BY, at=LATE)


@pytest.mark.parametrize(
    ("end", "record"),
    [
        (cancelled, (720, 0, 0, 0)),
        (lambda order: reported(order, "cancelled", None), (720, 0, 0, 0)),
        (lambda order: orders.reduce_total(order.id, 0, "x", by=BY, at=LATE), (720, 0, 0, 0)),
        (lambda order: reported(order, "lowered", 0), (720, 0, 0, 0)),
        (lambda order: reported(order, "lowered", 1), (680, 0, 1, 1)),
        (lambda order: reported(order, "resumed", None), (680, 0, 1, 1)),
    ],
)
def test_what_was_never_owed_breaks_no_promise(
    power_bank: Shop, end: Callable[[Order], object], record: tuple[int, ...]
) -> None:
    order = overdue_order(power_bank)
    end(order)
    assert record_of(order.person) == record


def limit_of(person: Person) -> int:
    return Profile.objects.get(pk=person.id).limit_minor


def test_the_limit_that_went_with_the_score_comes_back_with_it_at_once(power_bank: Shop) -> None:
    order = overdue_order(power_bank)
    assert limit_of(order.person) == 1_000_000
    Profile.objects.update(review_at=LATE)
    review_limits(power_bank.realm_id, at=LATE, limit=9)
    assert limit_of(order.person) == 500_000

    day = LATE + timedelta(days=1)
    orders.cancel_order(order.id, "never used", by=BY, at=day)
    assert review_limits(power_bank.realm_id, at=day, limit=9) == 1

    assert limit_of(order.person) == 1_000_000
    assert Notice.objects.filter(person=order.person, stage="limit_changed").count() == 2


def test_the_limit_follows_points_given_back_by_staff(power_bank: Shop) -> None:
    order = overdue_order(power_bank)
    Profile.objects.update(review_at=LATE)
    review_limits(power_bank.realm_id, at=LATE, limit=9)
    wish = orders.OrderRequest(agreement_id=order.agreement_id, out_order_no="N1", title="x", currency="CNY")
    refused = orders.open_order(power_bank.merchant.id, wish, by=BY, at=LATE).decision
    assert refused
    pay_now(order.id, instrument_id=funded(order.person).id, by=BY, at=LATE)
    concern = orders.object_to_decision(refused.id, order.person_id, "x", by=BY, at=LATE)
    orders.decide_objection(concern.id, "ok", reassess=True, points=30, by=BY, at=LATE)
    assert review_limits(power_bank.realm_id, at=LATE, limit=9) == 1
    assert limit_of(order.person) == 1_000_000


def funded(person: Person) -> Instrument:
    open_wallet(person, at=NOON)
    top_up(person.id, yuan("200"), "t", at=NOON)
    return person.instruments.get(channel="wallet")


def test_pages_and_proofs_do_not_show_the_undone_breach(power_bank: Shop) -> None:
    order = overdue_order(power_bank)
    person = order.person
    cancelled(order)
    assert last_overdue_end(person.id) is None
    assert provable_facts(person)["kept_since"] == "2026-11-20"
    freeze_clock(LATE, person)
    assert "Overdue record withdrawn after review" in visible_text(client_for(person, "en").get("/credit/"))
    assert "经核实并未逾期" in visible_text(client_for(person).get("/credit/"))


@pytest.mark.parametrize(("score", "low", "again"), [(720, 680, 722), (360, 350, 362), (350, 350, 352)])
def test_as_much_comes_back_as_was_taken(power_bank: Shop, score: int, low: int, again: int) -> None:
    """Near the lower bound of the score a breach takes fewer points, or none."""
    order = make_due_order(power_bank, make_person(power_bank, "no_funds"), yuan("6"))
    Profile.objects.filter(pk=order.person_id).update(score=score)
    deduct_due(power_bank.realm_id, at=NOON)
    orders.mark_overdue(power_bank.realm_id, at=LATE, limit=9)
    assert record_of(order.person)[0] == low
    orders.mark_paid(order.id, LATE - timedelta(seconds=1), "till-17", by=BY, at=LATE)
    assert record_of(order.person)[0] == again


def test_a_returned_deduction_takes_back_only_the_points_it_gave(power_bank: Shop) -> None:
    order = make_due_order(power_bank, make_person(power_bank), yuan("6"))
    other = make_order(power_bank, order.agreement)
    Profile.objects.filter(pk=order.person_id).update(score=946)
    for step, score in (("cleared", 950), ("uncleared", 946), ("cleared", 950), ("uncleared", 946)):
        apply_deltas([ProfileDelta(order.person_id, "CNY", score_step=step, order_id=order.id)], at=NOON)
        assert record_of(order.person)[0] == score
    both = [ProfileDelta(order.person_id, "CNY", score_step="cleared", order_id=one.id) for one in (order, other)]
    apply_deltas(both, at=NOON)
    apply_deltas([replace(one, score_step="uncleared") for one in both], at=NOON)
    assert record_of(order.person)[0] == 946
