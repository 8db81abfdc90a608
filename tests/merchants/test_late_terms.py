"""Late terms of services within the limits of the platform's policy."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import translation
from hypothesis import given
from hypothesis import strategies as st

from kernel.refusal import Invalid
from merchants import queries
from merchants import services as merchants
from merchants.models import Change, LatePolicy, Service
from merchants.rules import LateBounds, LateTerms
from merchants.rules.late_terms import GRACE_HOURS_MAX, POLICY_RANGES, out_of_range_fields
from tests.api import Api
from tests.conftest import BY, NOON, Shop, make_shop
from tests.late_policy import FIRST, publish_late_policy
from tests.unchanged import assert_unchanged

HOURS, BPS = st.integers(0, GRACE_HOURS_MAX), st.integers(0, 10_000)
TERMS = st.builds(LateTerms, st.builds(lambda hours: timedelta(hours=hours), HOURS), BPS, BPS)
BOUNDS = st.builds(LateBounds, HOURS, BPS, BPS)
A_DAY = timedelta(days=1)


@given(TERMS, BOUNDS)
def test_each_field_is_the_more_lenient_of_service_and_policy(asked: LateTerms, bounds: LateBounds) -> None:
    counts, least = bounds.clamp(asked), timedelta(hours=bounds.grace_hours_least)
    assert counts.grace in (asked.grace, least)
    assert counts.grace >= asked.grace
    assert counts.grace >= least
    for name, most in (("late_fee_daily_bps", bounds.daily_bps_most), ("late_fee_cap_bps", bounds.cap_bps_most)):
        value, wish = counts.columns[name], asked.columns[name]
        assert value in (wish, most)
        assert value <= wish
        assert value <= most


@given(TERMS, BOUNDS, BOUNDS)
def test_clamping_is_idempotent_and_commutative(asked: LateTerms, one: LateBounds, other: LateBounds) -> None:
    counts = one.clamp(asked)
    assert one.clamp(counts) == counts
    assert not list(one.violations(counts.columns))
    assert (counts == asked) == (not list(one.violations(asked.columns)))
    assert other.clamp(counts) == one.clamp(other.clamp(asked))


@given(TERMS)
def test_the_first_policy_version_permits_all_terms(asked: LateTerms) -> None:
    assert LateBounds.from_terms(FIRST).clamp(asked) == asked


@given(st.builds(LateBounds, *[st.integers(-5, 2 * 10_000)] * 3))
def test_fields_out_of_range_are_named(bounds: LateBounds) -> None:
    wrong = set(out_of_range_fields(bounds))
    assert wrong == {
        name for name, (low, high) in POLICY_RANGES.items() if getattr(bounds, name) not in range(low, high + 1)
    }


@pytest.mark.django_db
def test_the_first_version_is_the_one_that_was_migrated() -> None:
    assert LatePolicy.objects.get().terms == FIRST


@pytest.mark.parametrize(
    ("terms", "pointer", "says"),
    [
        ({"grace": timedelta(hours=95)}, "/grace_hours", ("at least 96 hours", "至少 96 小时")),
        ({"late_fee_daily_bps": 6}, "/late_fee_daily_bps", ("at most 5 basis points", "最高允许万分之 5")),
        ({"late_fee_cap_bps": 501}, "/late_fee_cap_bps", ("at most 500 basis points", "最高允许万分之 500")),
    ],
)
def test_what_the_policy_does_not_permit_is_refused_by_name(
    power_bank: Shop, terms: dict[str, Any], pointer: str, says: tuple[str, str]
) -> None:
    publish_late_policy(grace_hours_least=96, daily_bps_most=5, cap_bps_most=500)
    whole = {"name": "雨伞", "mode": "dynamic", "ceiling_minor": 900} | terms
    with assert_unchanged(), pytest.raises(Invalid) as offered:
        merchants.offer_service(power_bank.merchant.id, whole, by=BY, at=NOON)
    with assert_unchanged(), pytest.raises(Invalid) as changed:
        merchants.change_service(power_bank.merchant.id, power_bank.service.id, terms, by=BY, at=NOON)
    for refusal in (offered.value, changed.value):
        (error,) = refusal.errors
        assert error.pointer == pointer
        for language, words in zip(("en", "zh-hans"), says, strict=True):
            with translation.override(language):
                assert words in str(error.detail)


def test_every_part_that_is_too_much_is_named_at_once(power_bank: Shop) -> None:
    publish_late_policy(grace_hours_least=96, daily_bps_most=0, cap_bps_most=0)
    asked = {
        "name": "x",
        "mode": "fixed",
        "ceiling": 1,
        "grace_hours": 1,
        "late_fee_daily_bps": 1,
        "late_fee_cap_bps": 1,
    }
    with assert_unchanged("kernel_idempotencykey", "merchants_apikey"):
        answer = Api(power_bank).post("services", asked)
    assert answer.status_code == 422
    pointers = [error["pointer"] for error in answer.json()["errors"]]
    assert pointers == ["/grace_hours", "/late_fee_daily_bps", "/late_fee_cap_bps"]


@pytest.mark.parametrize(("least", "hours"), [(0, 72), (71, 72), (96, 96)])
def test_without_a_grace_period_a_service_gets_the_standard_or_the_policys(
    power_bank: Shop, least: int, hours: int
) -> None:
    publish_late_policy(grace_hours_least=least)
    made = Api(power_bank).post("services", {"name": "x", "mode": "dynamic", "ceiling": 900}).json()
    assert made["grace_hours"] == hours
    assert Service.objects.latest("id").grace == timedelta(hours=hours)


def test_an_older_service_keeps_its_terms_and_may_change_others(db: None) -> None:
    shop = make_shop("严谨", grace=timedelta(), late_fee_daily_bps=100, late_fee_cap_bps=2000)
    publish_late_policy(grace_hours_least=48, daily_bps_most=5, cap_bps_most=1000)
    same = {"name": "严谨租赁", "grace": timedelta(), "late_fee_daily_bps": 100}
    row = merchants.change_service(shop.merchant.id, shop.service.id, same, by=BY, at=NOON)
    assert (row.name, row.late_terms) == ("严谨租赁", LateTerms(timedelta(), 100, 2000))
    assert queries.late_bounds(NOON).clamp(row.late_terms) == LateTerms(timedelta(hours=48), 5, 1000)
    with assert_unchanged(), pytest.raises(Invalid):
        merchants.change_service(shop.merchant.id, row.id, {"grace": timedelta(hours=1)}, by=BY, at=NOON)
    row = merchants.change_service(shop.merchant.id, row.id, {"grace": timedelta(hours=48)}, by=BY, at=NOON)
    assert row.grace == timedelta(hours=48)
    assert Change.objects.filter(subject_id=row.id, verb="service_changed").count() == 2


def test_the_policy_version_in_force_depends_on_the_realms_time(power_bank: Shop) -> None:
    publish_late_policy(NOON, grace_hours_least=96)
    asked = {"grace": timedelta(hours=24)}
    before = merchants.change_service(
        power_bank.merchant.id, power_bank.service.id, asked, by=BY, at=NOON - timedelta(seconds=1)
    )
    assert before.grace == timedelta(hours=24)
    with assert_unchanged(), pytest.raises(Invalid):
        merchants.change_service(
            power_bank.merchant.id, power_bank.service.id, {"grace": timedelta(hours=25)}, by=BY, at=NOON
        )
    publish_late_policy(NOON + A_DAY, grace_hours_least=0)
    late = NOON + A_DAY
    merchants.change_service(
        power_bank.merchant.id, power_bank.service.id, {"grace": timedelta(hours=1)}, by=BY, at=late
    )
