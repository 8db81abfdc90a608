"""Periodic reviews: limits follow the score; limits fixed by staff stay."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from accounts import notices
from accounts.models import Notice, Person
from billing.channels.bank import Behaviour
from billing.services.deduct import deduct_due
from billing.services.instruments import Script, create_scripted_person
from credit import limit_reviews, limits
from credit.erasure import close_credit
from credit.models import CurrencyLimit, LimitChange, LimitPolicy, Profile
from credit.queries import limit_terms_at
from credit.rules import LimitTerms, limit_of
from kernel.actor import Actor
from kernel.policy_versions import publish_version
from merchants import services as merchants
from orders import queries
from orders import services as orders
from orders.rules import PlanOffer
from tests.api import Api
from tests.conftest import BY, NOON, Shop, make_agreement, make_due_order, make_person, make_shop, yuan
from tests.threads import run_concurrently
from tests.unchanged import assert_unchanged

TWO = Actor("staff", "usr_" + "a" * 32 + "+usr_" + "b" * 32)
MONTH = timedelta(days=30)
TERMS = {
    "limits": {"D": 0, "C": 50_000, "B": 400_000, "A": 1_200_000, "S": 3_000_000},
    "open_orders_max": 2,
    "review_days": 7,
    "raises": True,
}


def scored(person: Person, score: int, **fields: object) -> None:
    Profile.objects.filter(pk=person.id).update(score=score, **fields)


def limit(person: Person) -> int:
    return Profile.objects.get(pk=person.id).limit_minor


def review(shop: Shop, at: object = NOON + MONTH) -> int:
    return limit_reviews.review_limits(shop.realm_id, at=at, limit=100)  # type: ignore[arg-type]


@pytest.fixture
def eve(power_bank: Shop) -> Person:
    person = make_person(power_bank)
    make_agreement(power_bank, person)
    scored(person, 650)
    Profile.objects.filter(pk=person.id).update(limit_minor=limit_of(650))
    return person


def test_a_limit_rises_and_falls_with_its_persons_score_and_they_are_told(power_bank: Shop, eve: Person) -> None:
    with assert_unchanged():
        assert review(power_bank, NOON + MONTH - timedelta(seconds=1)) == 0
    scored(eve, 702)
    assert review(power_bank) == 1
    assert limit(eve) == 1_000_000
    change = LimitChange.objects.get()
    assert (change.before_minor, change.limit_minor, change.pinned, change.is_by_review) == (
        500_000,
        1_000_000,
        False,
        True,
    )
    notice = Notice.objects.get(stage="limit_changed", person=eve)
    assert "10,000.00" in notice.subject
    scored(eve, 599)
    assert review(power_bank, NOON + 2 * MONTH) == 1
    assert limit(eve) == 100_000
    assert Notice.objects.filter(stage="limit_changed", person=eve).count() == 2


def test_nothing_is_written_but_the_next_day_where_the_score_is_in_the_same_band(power_bank: Shop, eve: Person) -> None:
    scored(eve, 699)
    assert review(power_bank) == 1
    assert not LimitChange.objects.exists()
    assert Profile.objects.get(pk=eve.id).review_at == NOON + 2 * MONTH
    assert review(power_bank) == 0


def test_a_missed_month_is_one_review(power_bank: Shop, eve: Person) -> None:
    scored(eve, 702)
    late = NOON + 5 * MONTH
    assert review(power_bank, late) == 1
    assert Profile.objects.get(pk=eve.id).review_at == late + MONTH
    assert LimitChange.objects.count() == 1


def test_limits_of_overdue_people_may_fall_but_not_rise(power_bank: Shop) -> None:
    order = make_due_order(power_bank, make_person(power_bank, "no_funds"), yuan("10"))
    deduct_due(power_bank.realm_id, at=NOON)
    orders.mark_overdue(power_bank.realm_id, at=NOON + timedelta(days=4), limit=9)
    scored(order.person, 800)
    before = limit(order.person)
    assert review(power_bank) == 1
    assert limit(order.person) == before
    scored(order.person, 560)
    review(power_bank, NOON + 2 * MONTH)
    assert limit(order.person) == 100_000


def test_whoever_pays_by_a_plan_is_raised_nothing(power_bank: Shop) -> None:
    order = make_due_order(power_bank, make_person(power_bank), yuan("10"))
    sums, by = queries.plan_options_for(order.person_id, order.id, at=NOON).sums, Actor.person(order.person_id)
    orders.choose_plan(order.person_id, order.id, PlanOffer(3, 30), expected=sums, by=by, at=NOON)
    scored(order.person, 800)
    before = limit(order.person)
    assert review(power_bank) == 1
    assert limit(order.person) == before


def test_a_pinned_limit_stays_until_it_is_unpinned(power_bank: Shop, eve: Person) -> None:
    scored(eve, 702)
    limits.change_limit(eve.id, 300_000, "x", by=TWO, at=NOON)
    review(power_bank)
    assert limit(eve) == 300_000
    limits.change_limit(eve.id, 310_000, "x", pinned=False, by=TWO, at=NOON + MONTH)
    review(power_bank, NOON + 2 * MONTH)
    assert limit(eve) == 1_000_000


def test_what_is_used_beyond_a_lower_limit_stays_owed_and_nothing_new_is_approved(
    power_bank: Shop, eve: Person
) -> None:
    api = Api(power_bank)
    agreement = eve.agreements.get().public_id
    wish = {"agreement": agreement, "title": "租借", "currency": "CNY", "ceiling": 9_900}
    assert api.post("orders", {**wish, "out_order_no": "before"}).status_code == 201
    scored(eve, 500)
    review(power_bank)
    profile = Profile.objects.get(pk=eve.id)
    assert (profile.limit_minor, profile.held_minor) == (0, 9_900)
    refused = api.post("orders", {**wish, "out_order_no": "after"})
    assert refused.json()["code"] == "order_refused"
    assert api.get("orders?out_order_no=before").json()["data"][0]["state"] == "open"


def test_a_limit_in_another_currency_follows_too(power_bank: Shop, eve: Person) -> None:
    abroad = merchants.offer_service(
        power_bank.merchant.id,
        {"name": "Locker", "mode": "dynamic", "ceiling_minor": 1_000, "currency": "JPY"},
        by=BY,
        at=NOON,
    )
    make_agreement(replace(power_bank, service=abroad), eve)
    before = CurrencyLimit.objects.get(person=eve).limit_minor
    assert before == limit_of(650, "JPY")
    scored(eve, 702)
    review(power_bank)
    assert CurrencyLimit.objects.get(person=eve).limit_minor == limit_of(702, "JPY")
    assert {change.currency for change in LimitChange.objects.all()} == {"CNY", "JPY"}


def test_whoever_has_left_is_not_looked_at_again(power_bank: Shop, eve: Person) -> None:
    close_credit(eve.id, by=BY, at=NOON)
    assert Profile.objects.get(pk=eve.id).review_at is None
    assert review(power_bank, NOON + 9 * MONTH) == 0


def test_another_realm_is_left_alone(power_bank: Shop, eve: Person) -> None:
    elsewhere = make_shop("别处")
    scored(eve, 702)
    assert review(elsewhere) == 0
    assert limit(eve) == 500_000


def test_a_version_counts_for_reviews_and_decisions_from_its_day_on(power_bank: Shop, eve: Person) -> None:
    day = NOON + timedelta(days=3)
    publish_version(LimitPolicy, TERMS, "x", after=1, since=day, by=TWO, at=NOON)
    assert limit_terms_at(day - timedelta(seconds=1)) == LimitTerms()
    assert limit_terms_at(day).limits["B"] == 400_000
    before, later = (
        create_scripted_person("小明", Script(Behaviour.PAYS), realm_id=power_bank.realm_id, by=BY, at=moment)
        for moment in (NOON, day)
    )
    make_agreement(power_bank, later, at=day)
    assert (limit(before), limit(later)) == (1_000_000, 1_200_000)
    assert Profile.objects.get(pk=later.id).review_at == day + timedelta(days=7)
    review(power_bank)
    assert limit(eve) == 400_000
    assert [decision.policy for decision in later.decisions.all()] == ["2026-11.2"]
    assert {decision.inputs["open_orders_max"] for decision in later.decisions.all()} == {2}


def test_a_policy_that_raises_nothing_only_lowers(power_bank: Shop, eve: Person) -> None:
    publish_version(LimitPolicy, {**TERMS, "raises": False}, "x", after=1, by=TWO, at=NOON)
    scored(eve, 750)
    review(power_bank)
    assert limit(eve) == 500_000
    scored(eve, 650)
    review(power_bank, NOON + 2 * MONTH)
    assert limit(eve) == 400_000


@pytest.mark.django_db(transaction=True)
def test_two_reviews_at_once_are_one(power_bank: Shop, eve: Person) -> None:
    scored(eve, 702)
    counts = run_concurrently(*[lambda: review(power_bank)] * 2)
    assert sorted(counts) in ([0, 1], [1, 0])
    assert LimitChange.objects.count() == 1


def test_a_review_that_breaks_in_the_middle_has_done_nothing(
    power_bank: Shop, eve: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    scored(eve, 702)

    def breaks(*_args: object, **_how: object) -> None:
        raise RuntimeError

    monkeypatch.setattr(notices, "write_notices", breaks)
    with assert_unchanged(), pytest.raises(RuntimeError):
        review(power_bank)


@pytest.mark.parametrize(("day", "next_day"), [("2028-01-31", "2028-03-01"), ("2027-01-31", "2027-03-02")])
def test_thirty_days_are_thirty_days_over_the_end_of_february(
    power_bank: Shop, eve: Person, day: str, next_day: str
) -> None:
    at = datetime.fromisoformat(f"{day}T23:59:59+00:00")
    review(power_bank, at)
    found = Profile.objects.get(pk=eve.id).review_at
    assert found is not None
    assert found.isoformat() == f"{next_day}T23:59:59+00:00"


def test_a_pinned_limit_caps_other_currencies(power_bank: Shop, eve: Person) -> None:
    limits.change_limit(eve.id, 10_000, "somebody else may be using it", by=TWO, at=NOON)
    locker = {"name": "ロッカー", "mode": "dynamic", "ceiling_minor": 1_000, "currency": "JPY"}
    make_agreement(
        replace(power_bank, service=merchants.offer_service(power_bank.merchant.id, locker, by=BY, at=NOON)), eve
    )
    yen = CurrencyLimit.objects.filter(person=eve)
    assert yen.get().limit_minor == 2_000
    review(power_bank)
    assert (limit(eve), yen.get().limit_minor) == (10_000, 2_000)
    limits.change_limit(eve.id, 10_000, "it was them", pinned=False, by=TWO, at=NOON + MONTH)
    review(power_bank, NOON + 2 * MONTH)
    assert (limit(eve), yen.get().limit_minor) == (limit_of(650), 20 * limit_of(650) // 100)


def test_a_pin_takes_nothing_that_another_currency_had_before(power_bank: Shop, eve: Person) -> None:
    locker = {"name": "ロッカー", "mode": "dynamic", "ceiling_minor": 1_000, "currency": "JPY"}
    make_agreement(
        replace(power_bank, service=merchants.offer_service(power_bank.merchant.id, locker, by=BY, at=NOON)), eve
    )
    yen = CurrencyLimit.objects.filter(person=eve)
    before = yen.get().limit_minor
    limits.change_limit(eve.id, 0, "x", by=TWO, at=NOON)
    scored(eve, 820)
    review(power_bank)
    assert (limit(eve), yen.get().limit_minor) == (0, before)
    scored(eve, 400)
    review(power_bank, NOON + 2 * MONTH)
    assert yen.get().limit_minor == 0
