"""Assessment: every reason is collected; the merchant sees one coarse reason."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts import services as accounts
from accounts.models import Person
from credit import rules, usage
from credit import services as credit
from credit.models import Decision, Profile
from credit.rules import Facts, Reason, Verdict, assess
from kernel.money import Money
from orders import services as orders
from tests.api import Api, assert_problem
from tests.conftest import BY, NOON, Shop, make_agreement, make_order, make_person, make_shop
from tests.db_errors import CHECK, raises_db_error
from tests.unchanged import assert_unchanged

FINE = Facts(
    verified=True,
    score=720,
    score_min=650,
    limit_minor=1_000,
    used_minor=400,
    asked_minor=600,
    overdue_orders=0,
    open_orders=19,
)


def test_at_the_very_edge_of_everything_a_person_is_approved() -> None:
    assert assess(FINE) == Verdict(approved=True)
    assert assess(replace(FINE, score=650)).approved


@pytest.mark.parametrize(
    ("facts", "reason", "coarse"),
    [
        ({"verified": False}, Reason.NOT_VERIFIED, "not_eligible"),
        ({"frozen": True}, Reason.FROZEN, "not_eligible"),
        ({"overdue_orders": 1}, Reason.OVERDUE, "not_eligible"),
        ({"limit_minor": 0, "used_minor": 0}, Reason.NO_CREDIT, "not_eligible"),
        ({"score": 649}, Reason.SCORE, "not_eligible"),
        ({"open_orders": 20}, Reason.TOO_MANY_OPEN, "too_many_orders"),
        ({"asked_minor": 601}, Reason.LIMIT, "amount_too_high"),
    ],
)
def test_each_reason_by_itself_refuses(facts: dict[str, int], reason: Reason, coarse: str) -> None:
    verdict = assess(replace(FINE, **facts))  # type: ignore[arg-type]

    assert verdict == Verdict(approved=False, reasons=(reason,))
    assert verdict.coarse_reason == coarse


def test_all_reasons_are_collected_and_the_coarse_reason_reveals_none() -> None:
    verdict = assess(
        replace(
            FINE,
            verified=False,
            frozen=True,
            overdue_orders=2,
            eased_orders=1,
            score=1,
            open_orders=99,
            asked_minor=999,
        )
    )

    assert set(verdict.reasons) == set(Reason) - {Reason.NO_CREDIT}
    assert verdict.coarse_reason == "not_eligible"


@given(st.integers(rules.SCORE_LOWEST, rules.SCORE_HIGHEST), st.sampled_from(sorted(rules.SCORE_STEP)))
def test_a_score_stays_within_its_bounds_and_a_higher_one_never_allows_less(score: int, step: str) -> None:
    after = rules.clamp_score(score + rules.SCORE_STEP[step])
    assert rules.SCORE_LOWEST <= after <= rules.SCORE_HIGHEST
    assert (rules.limit_of(after) >= rules.limit_of(score)) or after < score


@pytest.mark.parametrize(
    ("score", "band", "limit"),
    [
        (350, "D", 0),
        (549, "D", 0),
        (550, "C", 100_000),
        (650, "B", 500_000),
        (799, "A", 1_000_000),
        (950, "S", 2 * 10**6),
    ],
)
def test_a_band_begins_at_its_floor(score: int, band: str, limit: int) -> None:
    assert (rules.band_of(score), rules.limit_of(score)) == (band, limit)


def test_someone_not_verified_opens_nothing_and_the_decision_says_why(power_bank: Shop) -> None:
    person = Person.objects.create(realm_id=power_bank.realm_id, ref="nobody", created_at=NOON)
    agreement = credit.request_agreement(power_bank.merchant.id, power_bank.service.id, "u", by=BY, at=NOON)
    with assert_unchanged("credit_decision", "credit_profile"):
        signing = credit.sign_agreement(agreement.id, person.id, by=BY, at=NOON)

    assert not signing.decision.approved
    assert signing.decision.reasons == ["identity_not_verified"]
    assert not Decision.objects.filter(approved=True).exists()


def test_a_real_person_starts_in_band_b(power_bank: Shop) -> None:
    person = accounts.create_sandbox_person("小博", realm_id=power_bank.realm_id, by=BY, at=NOON)
    make_agreement(power_bank, person)
    profile = Profile.objects.get(pk=person.id)
    assert (profile.score, profile.band, profile.limit_minor, profile.available_minor) == (650, "B", 500_000, 500_000)


def test_a_hold_beyond_the_limit_is_refused_by_the_database_too(power_bank: Shop, ada: Person) -> None:
    make_agreement(power_bank, ada)
    with assert_unchanged(), raises_db_error(CHECK, "a_hold_stays_within_the_limit"):
        Profile.objects.filter(pk=ada.id).update(held_minor=1_000_001)
    with assert_unchanged(), raises_db_error(CHECK, "what_is_used_is_not_negative"):
        Profile.objects.filter(pk=ada.id).update(outstanding_minor=-1)
    with assert_unchanged(), raises_db_error(CHECK, "a_score_has_bounds"):
        Profile.objects.filter(pk=ada.id).update(score=951)


def test_a_limit_below_its_use_allows_releases_but_no_new_holds(power_bank: Shop, ada: Person) -> None:
    order = make_order(power_bank, make_agreement(power_bank, ada))
    Profile.objects.filter(pk=ada.id).update(limit_minor=1)

    assert not usage.hold_credit(ada.id, Money(1), FINE)
    orders.complete_order(order.id, orders.CompletionRequest(total=order.ceiling_minor - 1), by=BY, at=NOON)

    profile = Profile.objects.get(pk=ada.id)
    assert (profile.held_minor, profile.outstanding_minor, profile.available_minor) == (0, 9_899, 0)


def test_eligibility_answers_coarsely_and_holds_nothing(power_bank: Shop) -> None:
    api, person = Api(power_bank), make_person(power_bank)
    agreement = make_agreement(power_bank, person).public_id
    with assert_unchanged():
        for amount, eligible, reason in ((9_900, True, None), (9_901, False, "amount_too_high")):
            told = api.post("eligibility", {"agreement": agreement, "amount": amount}).json()
            assert (told["eligible"], told["reason"]) == (eligible, reason)
    Profile.objects.filter(pk=person.id).update(frozen_at=NOON)
    told = api.post("eligibility", {"agreement": agreement, "amount": 1}).json()
    assert (told["eligible"], told["reason"]) == (False, "not_eligible")


def test_eligibility_of_another_merchants_agreement_is_a_missing_one(power_bank: Shop, ada: Person) -> None:
    other, agreement = make_shop("雨伞"), make_agreement(power_bank, ada).public_id
    with assert_unchanged():
        assert_problem(Api(other).post("eligibility", {"agreement": agreement, "amount": 1}), 404, "not_found")
