"""Retry policies: published as versions, validated by field, previewed, never changed."""

from dataclasses import fields
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import pytest
from django.db import IntegrityError, ProgrammingError, transaction
from msgspec import to_builtins

from billing import queries
from billing.console.retry_policy_forms import TERMS
from billing.models import RetryPolicy
from billing.planning import Policy
from billing.refusals import PolicyInvalid, PolicyMoved
from billing.services.deduct import deduct_due
from billing.services.retry_policies import INTEGER_TERMS, LIST_TERMS, publish_policy, republish_policy
from kernel.actor import Actor
from kernel.ids import uuid7
from kernel.refusal import NotFound
from merchants import services as merchants
from merchants.models import Service
from merchants.services import UnknownPolicy
from tests.api import Api, assert_problem
from tests.billing.helpers import obligation_of
from tests.conftest import BY, NOON, Shop, make_due_order, make_person, make_shop, yuan
from tests.threads import refusals, run_concurrently
from tests.unchanged import assert_unchanged

STAFF = Actor.staff(uuid7()).approved_by(Actor.staff(uuid7()))
DAY = timedelta(days=1)
TERMS_NOW = {"retry_days": [1, 2, 3, 5, 7, 10, 14, 21, 30], "paydays": [10, 15]}


def publish(name: str = "standard", *, at: datetime = NOON, **terms: Any) -> RetryPolicy:
    return publish_policy(name, TERMS_NOW | terms, at, "因为需要", by=STAFF, at=at)


def invalid_fields(errors: PolicyInvalid) -> set[str]:
    return {error.pointer for error in errors.errors}


@pytest.mark.django_db
def test_a_version_applies_from_its_day_on() -> None:
    made = publish_policy("standard", {"retry_hour": 15}, NOON + DAY, "工资日改到下午", by=STAFF, at=NOON)

    assert (made.version, made.by, made.at, made.reason) == (2, str(STAFF), NOON, "工资日改到下午")
    before, after = (
        queries.retry_policies_at(["standard"], at)["standard"]
        for at in (NOON + DAY - timedelta(seconds=1), NOON + DAY)
    )
    assert (before.retry_hour, after.retry_hour) == (10, 15)
    assert before.paydays == (10, 15)


@pytest.mark.django_db
def test_a_version_is_stored_with_all_terms() -> None:
    """A default that the code changes later changes no version that was published before."""
    assert set(publish(retry_hour=9).terms) == {field.name for field in fields(Policy)}


@pytest.mark.django_db
def test_a_rollback_publishes_the_old_terms_as_a_new_version() -> None:
    publish(retry_hour=15)
    back = republish_policy("standard", 1, NOON + DAY, "回到原来的", by=STAFF, at=NOON)

    assert back.version == 3
    assert back.terms == RetryPolicy.objects.get(name="standard", version=1).terms
    with pytest.raises(NotFound):
        republish_policy("standard", 9, NOON, "x", by=STAFF, at=NOON)


@pytest.mark.django_db
def test_a_later_version_supersedes_one_with_a_later_day() -> None:
    publish_policy("standard", {"retry_hour": 15}, NOON + 9 * DAY, "下周", by=STAFF, at=NOON)
    publish_policy("standard", {"retry_hour": 16}, NOON + DAY, "还是明天", by=STAFF, at=NOON)

    def standings(at: datetime) -> list[str]:
        (shelf,) = queries.policy_histories(at)
        return [standing for _, standing in shelf.with_status()]

    assert queries.retry_policies_at(["standard"], NOON + 20 * DAY)["standard"].retry_hour == 16
    assert standings(NOON) == ["coming", "never", "now"]
    assert standings(NOON + 20 * DAY) == ["now", "never", "past"]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("terms", "field"),
    [
        ({"retry_hour": 24}, "retry_hour"),
        ({"retry_hour": -1}, "retry_hour"),
        ({"retry_hour": "10"}, "retry_hour"),
        ({"retry_hour": True}, "retry_hour"),
        ({"retry_hour": 10.0}, "retry_hour"),
        ({"retry_hour": 23}, "retry_hour"),  # quiet
        ({"retry_hour": 6}, "retry_hour"),
        ({"quiet_from": 24}, "quiet_from"),
        ({"quiet_until": -1}, "quiet_until"),
        ({"quiet_from": 7, "quiet_until": 22}, "quiet_until"),  # nothing would ever be allowed
        ({"quiet_from": 7, "quiet_until": 7}, "quiet_until"),
        ({"retry_days": [0, 1]}, "retry_days"),
        ({"retry_days": [366]}, "retry_days"),
        ({"retry_days": [2, 1]}, "retry_days"),
        ({"retry_days": [1, 1]}, "retry_days"),
        ({"retry_days": list(range(1, 32))}, "retry_days"),
        ({"retry_days": 3}, "retry_days"),
        ({"retry_days": ["1"]}, "retry_days"),
        ({"retry_days": None}, "retry_days"),
        ({"instrument_a_day": 0}, "instrument_a_day"),
        ({"instrument_in_30_days": 0}, "instrument_in_30_days"),
        ({"person_a_day": 0}, "person_a_day"),
        ({"person_a_day": 2**63}, "person_a_day"),
        ({"paydays": [32]}, "paydays"),
        ({"paydays": [0]}, "paydays"),
        ({"payday_reach": 31}, "payday_reach"),
        ({"business_days_of": "XX"}, "business_days_of"),
        ({"business_days_of": None}, "business_days_of"),
        ({"business_days_of": ["CN"]}, "business_days_of"),
        ({"switch_on_soft": 1}, "switch_on_soft"),
        ({"switch_on_soft": None}, "switch_on_soft"),
        ({"technical_minutes": [0]}, "technical_minutes"),
        ({"technical_minutes": [1441]}, "technical_minutes"),
        ({"move_days_max": -1}, "move_days_max"),
        ({"retry_weeks": 1}, "retry_weeks"),
    ],
    ids=str,
)
def test_an_invalid_term_is_refused_by_name(terms: dict[str, Any], field: str) -> None:
    with assert_unchanged(), pytest.raises(PolicyInvalid) as refusal:
        publish(**terms)
    assert invalid_fields(refusal.value) == {f"/terms/{field}"}
    assert refusal.value.code == "policy_invalid"
    assert all(str(error.detail) for error in refusal.value.errors)


@pytest.mark.django_db
@pytest.mark.parametrize(
    "terms",
    [
        {"retry_days": []},
        {"retry_days": [365]},
        {"retry_days": list(range(1, 31))},
        {"retry_hour": 7},
        {"retry_hour": 21},
        {"quiet_from": 23, "quiet_until": 0, "retry_hour": 0},
        {"paydays": [], "payday_reach": 0},
        {"paydays": [1, 31]},
        {"business_days_of": "CN"},
        {"technical_minutes": []},
        {"move_days_max": 0},
        {"switch_on_soft": False},
    ],
    ids=str,
)
def test_boundary_values_are_accepted(terms: dict[str, Any]) -> None:
    made = publish(**terms)
    assert {name: made.terms[name] for name in terms} == terms
    in_force = to_builtins(queries.retry_policies_at(["standard"], NOON)["standard"])
    assert {name: list(value) if isinstance(value, tuple) else value for name, value in in_force.items()} == made.terms


@pytest.mark.django_db
def test_all_errors_are_reported_together() -> None:
    terms = {"retry_hour": 24, "paydays": [40]}
    with pytest.raises(PolicyInvalid) as refusal:
        publish_policy("Standard!", terms, NOON - timedelta(seconds=1), " ", by=STAFF, at=NOON)
    said = {"/terms/retry_hour", "/terms/paydays", "/name", "/effective_from", "/reason"}
    assert invalid_fields(refusal.value) == said


def test_every_term_is_validated_and_labelled() -> None:
    names = {field.name for field in fields(Policy)}
    assert {*INTEGER_TERMS, *LIST_TERMS, "switch_on_soft", "business_days_of"} == names == set(TERMS)


@pytest.mark.django_db
def test_publishing_from_an_outdated_version_is_refused() -> None:
    publish(retry_hour=15)
    with assert_unchanged(), pytest.raises(PolicyMoved):
        publish_policy("standard", {}, NOON, "x", after=1, by=STAFF, at=NOON)


@pytest.mark.django_db(transaction=True)
def test_concurrent_publishing_creates_two_versions_or_refuses_one() -> None:
    acts = [partial(publish_policy, "standard", {}, NOON, "同时", after=1, by=STAFF, at=NOON) for _ in range(8)]
    outcomes = run_concurrently(*acts)

    assert refusals(outcomes) == ["policy_moved"] * 7
    assert list(RetryPolicy.objects.values_list("version", flat=True)) == [1, 2]


@pytest.mark.django_db
def test_a_version_cannot_be_changed_or_deleted() -> None:
    for change in (partial(RetryPolicy.objects.update, reason="x"), RetryPolicy.objects.all().delete):
        with pytest.raises(ProgrammingError, match="permission denied"), transaction.atomic():
            change()


def test_a_service_may_use_any_existing_policy(power_bank: Shop) -> None:
    publish("gentle", retry_days=[7])
    made = Api(power_bank).post("services", {"name": "x", "mode": "dynamic", "ceiling": 1, "retry_policy": "gentle"})
    assert made.status_code == 201
    assert made.json()["retry_policy"] == "gentle"


@pytest.mark.parametrize("name", ["gentle", "Standard", "'; --", "标准", ""])
def test_a_service_with_an_unknown_policy_is_refused(power_bank: Shop, name: str) -> None:
    with assert_unchanged("kernel_idempotencykey"):
        answer = Api(power_bank).post("services", {"name": "x", "mode": "dynamic", "ceiling": 1, "retry_policy": name})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "/retry_policy"


def test_the_api_refusal_is_in_english_in_every_locale(power_bank: Shop) -> None:
    asked = {"name": "x", "mode": "dynamic", "ceiling": 1, "retry_policy": "gentle"}
    answer = Api(power_bank).post("services", asked, HTTP_ACCEPT_LANGUAGE="zh-CN")
    assert_problem(answer, 422, "unknown_policy")
    assert answer.json()["errors"] == [{"pointer": "/retry_policy", "detail": "No such retry policy."}]


def test_postgresql_enforces_the_policy_reference(power_bank: Shop) -> None:
    with pytest.raises(IntegrityError, match="there is no retry policy"), transaction.atomic():
        Service.objects.filter(pk=power_bank.service.pk).update(retry_policy="gentle")
    with pytest.raises(UnknownPolicy):
        merchants.change_service(power_bank.merchant.id, power_bank.service.id, {"retry_policy": "x"}, by=BY, at=NOON)


def test_a_policy_in_the_future_does_not_affect_sweeps(power_bank: Shop) -> None:
    """A sandbox's clock may stand before a policy's first day: until then its first version is what there is."""
    publish_policy("young", {"retry_days": [4]}, NOON + 30 * DAY, "新策略", by=STAFF, at=NOON)
    shop = make_shop("新店", retry_policy="young")
    order = make_due_order(shop, make_person(shop, "no_funds"), yuan("5"))

    deduct_due(shop.realm_id, at=NOON)

    assert [attempt["reason"] for attempt in obligation_of(order).plan] == ["retry_4d"]
