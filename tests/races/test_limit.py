"""R1: a limit is never exceeded, however many concurrent requests, and whoever changes it."""

from datetime import timedelta
from functools import partial
from itertools import count

import pytest

from credit import limit_reviews, limits
from credit.models import REVIEW_ACTOR, Decision, LimitChange, Profile
from kernel.actor import Actor
from merchants.models import Event
from orders import services as orders
from orders.models import Order
from tests.conftest import BY, NOON, Shop, make_agreement, make_person
from tests.races.checks import rounds
from tests.threads import run_concurrently

THREADS, EACH, LIMIT = 40, 100, 1_000
pytestmark = pytest.mark.django_db(transaction=True)


def test_forty_orders_of_100_at_once_on_a_limit_of_1000_are_exactly_ten(power_bank: Shop) -> None:
    numbers = count()
    for _ in rounds("40 orders, one limit"):
        person = make_person(power_bank)
        agreement = make_agreement(power_bank, person)
        Profile.objects.filter(pk=person.id).update(limit_minor=LIMIT)

        def ask(number: int, agreement_id: object = agreement.id) -> orders.OpenResult:
            wish = orders.OrderRequest(
                agreement_id=agreement_id,  # type: ignore[arg-type]
                out_order_no=f"R-{number}",
                title="x",
                currency="CNY",
                ceiling=EACH,
            )
            return orders.open_order(power_bank.merchant.id, wish, by=BY, at=NOON)

        outcomes = run_concurrently(*(partial(ask, next(numbers)) for _ in range(THREADS)))

        accepted = [outcome.order for outcome in outcomes if outcome.order]
        assert len(accepted) == LIMIT // EACH
        profile = Profile.objects.get(pk=person.id)
        assert (profile.held_minor, profile.open_orders) == (LIMIT, LIMIT // EACH)
        assert Order.objects.filter(person=person).count() == LIMIT // EACH
        decisions = Decision.objects.filter(person=person, occasion="order")
        assert decisions.filter(approved=True).count() == LIMIT // EACH
        assert decisions.filter(approved=False, reasons=["limit_reached"]).count() == THREADS - LIMIT // EACH
        told = Event.objects.filter(type="order.opened", subject_id__in=[order.id for order in accepted])
        assert told.count() == LIMIT // EACH


def test_the_limit_of_twenty_open_orders_holds_at_once_too(power_bank: Shop) -> None:
    person = make_person(power_bank)
    agreement = make_agreement(power_bank, person)

    def ask(number: int) -> orders.OpenResult:
        wish = orders.OrderRequest(
            agreement_id=agreement.id, out_order_no=f"R-{number}", title="x", currency="CNY", ceiling=1
        )
        return orders.open_order(power_bank.merchant.id, wish, by=BY, at=NOON)

    outcomes = run_concurrently(*(partial(ask, number) for number in range(30)))

    assert sum(outcome.order is not None for outcome in outcomes) == 20
    assert Profile.objects.get(pk=person.id).open_orders == 20


def test_a_limit_that_is_reviewed_set_and_used_at_once_is_what_was_set_last(power_bank: Shop) -> None:
    numbers = count()
    two = Actor("staff", "usr_" + "a" * 32 + "+usr_" + "b" * 32)
    later = NOON + timedelta(days=30)
    for _ in rounds("a limit reviewed, set and used"):
        person = make_person(power_bank)
        agreement = make_agreement(power_bank, person)
        Profile.objects.filter(pk=person.id).update(score=600, limit_minor=1_000_000)
        wish = orders.OrderRequest(
            agreement_id=agreement.id, out_order_no=f"V-{next(numbers)}", title="x", currency="CNY", ceiling=9_900
        )
        _, change, opening, _ = run_concurrently(
            lambda: limit_reviews.review_limits(power_bank.realm_id, at=later, limit=10),
            partial(limits.change_limit, person.id, 20_000, "x", by=two, at=later),
            partial(orders.open_order, power_bank.merchant.id, wish, by=BY, at=later),
            lambda: limit_reviews.review_limits(power_bank.realm_id, at=later, limit=10),
        )
        profile = Profile.objects.get(pk=person.id)
        assert change == LimitChange.objects.filter(person=person).latest("id"), "what colleagues set no review moves"
        assert (profile.limit_minor, profile.held_minor) == (20_000, 9_900)
        assert opening.decision.inputs["limit_minor"] in {20_000, 500_000, 1_000_000}
        reviewed = LimitChange.objects.filter(person=person, by=REVIEW_ACTOR).count()
        limit_reviews.review_limits(power_bank.realm_id, at=later, limit=10)  # whose day it still was when it was set
        assert reviewed <= 1
        assert Profile.objects.get(pk=person.id).limit_minor == 20_000
