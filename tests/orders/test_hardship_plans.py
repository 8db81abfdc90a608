"""Hardship plans: instalments with dates of their own, exact sums, no late fees while the plan is kept."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.channels import bank
from billing.channels.bank import Behaviour
from billing.services.deduct import deduct_due
from billing.services.pay import collect_now, pay_all, pay_now
from billing.services.refunds import RefundDetails, refund_order
from credit.models import Profile
from credit.rules import Reason
from kernel.actor import Actor
from kernel.money import Money
from kernel.refusal import Invalid, NotFound
from ledger.queries import trial_balance
from orders import queries, rules
from orders import services as orders
from orders.models import Concern, Obligation, Order, Plan
from orders.refusals import ConcernOpen, DebtChanged, NothingToReschedule, PlanAgreed, PlanUnavailable
from orders.rules import HardshipTerms, PlanOffer
from orders.services import hardship_policy
from tests.billing.helpers import bank_debits_of
from tests.conftest import BY, NOON, Shop, make_due_order, make_order, make_person, reload_order, state_of, yuan
from tests.threads import run_concurrently
from tests.unchanged import assert_unchanged

DAY = timedelta(days=1)
STAFF = Actor.system("staff")
MONTHLY = PlanOffer(3, 30)


def choose_plan(order: Order, offer: PlanOffer = MONTHLY, *, alone: bool = True, days: int = 0) -> Concern:
    at, order_id = NOON + days * DAY, order.id if alone else None
    expected = queries.plan_options_for(order.person_id, order_id, at=at).sums
    by = Actor.person(order.person_id)
    return orders.choose_plan(order.person_id, order_id, offer, expected=expected, by=by, at=at)


def parts_of(order: Order) -> list[tuple[int, str, str]]:
    rows = Obligation.objects.filter(order=order).order_by("due_at", "sequence")
    return [(row.amount_minor, f"{row.due_at:%m-%d %H}", row.state) for row in rows]


def overdue(shop: Shop, total: str = "100") -> Order:
    order = make_due_order(shop, make_person(shop, "no_funds"), yuan(total))
    deduct_due(shop.realm_id, at=NOON)
    orders.mark_overdue(shop.realm_id, at=NOON + 4 * DAY, limit=9)
    assert state_of(order) == "overdue"
    return order


@given(st.lists(st.integers(1, 10**9), min_size=1, max_size=30), st.integers(1, 24))
def test_every_minor_unit_of_every_debt_falls_into_one_part(debts: Sequence[int], parts: int) -> None:
    cut = rules.allocate_to_parts(debts, parts)
    assert [sum(row) for row in cut] == list(debts)
    sums = [sum(column) for column in zip(*cut, strict=True)]
    assert max(sums) - min(sums) <= 1
    assert all(minor >= 0 for row in cut for minor in row)
    firsts = [next(i for i, minor in enumerate(row) if minor) for row in cut]
    assert firsts == sorted(firsts)


def test_the_cap_of_late_fees_is_what_the_other_parts_leave() -> None:
    assert [rules.remaining_cap(10, units) for units in (0, 1, 10_000, 99_999, 200_000)] == [10, 9, 9, 0, 0]


def test_a_plan_is_granted_at_once_and_adds_up(power_bank: Shop) -> None:
    order = make_due_order(power_bank, make_person(power_bank), yuan("10"))
    book = [(row.code, row.net) for row in trial_balance(power_bank.realm_id)]

    concern = choose_plan(order)

    assert (concern.state, concern.outcome) == ("decided", "granted")
    assert (concern.plan["parts"], concern.plan["every_days"]) == (3, 30)
    assert [part["minor"] for part in concern.plan["due"]] == [334, 333, 333]
    days = ("12-20 04", "01-19 04", "02-18 04")
    assert sorted(parts_of(order)) == sorted((m, d, "pending") for m, d in zip((334, 333, 333), days, strict=True))
    assert [(row.code, row.net) for row in trial_balance(power_bank.realm_id)] == book
    assert Plan.objects.filter(why="eased").count() == 3
    assert deduct_due(power_bank.realm_id, at=NOON + 29 * DAY) == 0
    for day, taken in ((30, 1), (60, 2), (90, 3)):
        deduct_due(power_bank.realm_id, at=NOON + day * DAY)
        assert len(bank_debits_of(order.person)) == taken
    assert state_of(order) == "deducted"
    profile = Profile.objects.get(pk=order.person_id)
    assert (profile.eased_orders, profile.kept_orders) == (0, 1)


@pytest.mark.usefixtures("all_attempted")
def test_a_plan_clears_overdue_until_an_instalment_is_missed(fees: Shop) -> None:
    order = overdue(fees)
    orders.close_days(fees.realm_id, at=NOON + 6 * DAY, limit=9)
    owed = queries.plan_options_for(order.person_id, order.id, at=NOON + 6 * DAY).sums
    assert owed > [yuan("100")]
    fee = owed[0].minor - 10_000

    choose_plan(order, PlanOffer(2, 14), days=6)

    assert state_of(order) == "completed"
    profile = Profile.objects.get(pk=order.person_id)
    assert (profile.overdue_orders, profile.breached_orders, profile.eased_orders) == (0, 1, 1)
    orders.close_days(fees.realm_id, at=NOON + 19 * DAY, limit=9)
    assert sum(m for m, _, _ in parts_of(order)) == 10_000 + fee

    deduct_due(fees.realm_id, at=NOON + 20 * DAY)
    assert orders.mark_overdue(fees.realm_id, at=NOON + 24 * DAY, limit=9) == 1
    assert state_of(order) == "overdue"
    profile.refresh_from_db()
    assert (profile.overdue_orders, profile.breached_orders) == (1, 1)
    for day in range(25, 140):
        at = NOON + day * DAY
        orders.mark_overdue(fees.realm_id, at=at, limit=9)
        orders.close_days(fees.realm_id, at=at, limit=9)
    late = Obligation.objects.filter(order=order, kind="late_fee")
    assert sum(row.amount_minor for row in late) == 1_000  # the cap is the order's, not each part's


def test_all_debts_are_one_plan_that_pays_the_oldest_first(power_bank: Shop) -> None:
    first = make_due_order(power_bank, make_person(power_bank), yuan("4"), due_at=NOON + DAY)
    second = make_order(power_bank, first.agreement)
    orders.complete_order(second.id, orders.CompletionRequest(total=800), by=BY, at=NOON)
    choose_plan(first, PlanOffer(2, 14), alone=False)
    assert parts_of(second) == [(600, "12-04 04", "pending"), (200, "12-18 04", "pending")]
    assert parts_of(first) == [(400, "12-18 04", "pending")]
    deduct_due(power_bank.realm_id, at=NOON + 14 * DAY)
    deduct_due(power_bank.realm_id, at=NOON + 28 * DAY)
    assert bank_debits_of(first.person) == [yuan("6"), yuan("6")]


def test_a_plan_that_is_not_offered_is_refused_and_nothing_moves(power_bank: Shop) -> None:
    order = make_due_order(power_bank, make_person(power_bank), yuan("10"))
    for offer in (
        PlanOffer(5, 14),
        PlanOffer(2, 15),
        PlanOffer(6, 30),
        PlanOffer(4, 14),
        PlanOffer(0, 30),
        PlanOffer(-2, 14),
    ):
        with assert_unchanged(), pytest.raises(PlanUnavailable):
            choose_plan(order, offer)
    by = Actor.person(order.person_id)
    with assert_unchanged(), pytest.raises(DebtChanged):
        orders.choose_plan(order.person_id, order.id, MONTHLY, expected=[yuan("9")], by=by, at=NOON)
    stranger = make_person(power_bank)
    with assert_unchanged(), pytest.raises(NothingToReschedule):
        orders.choose_plan(stranger.id, order.id, MONTHLY, expected=[yuan("10")], by=by, at=NOON)
    choose_plan(order)
    with assert_unchanged(), pytest.raises(NothingToReschedule):
        choose_plan(order)


def test_debts_in_flight_or_paused_are_left_out(power_bank: Shop) -> None:
    flying = make_due_order(power_bank, make_person(power_bank, "timeout_then_paid"), yuan("10"))
    deduct_due(power_bank.realm_id, at=NOON)
    still = make_due_order(power_bank, make_person(power_bank), yuan("10"))
    orders.pause_order(still.id, "problem_reported", by=BY, at=NOON)
    for order in (flying, still):
        with assert_unchanged(), pytest.raises(NothingToReschedule):
            choose_plan(order)


def test_whoever_pays_by_a_plan_is_not_asked_before_its_dates_and_gets_no_new_orders(power_bank: Shop) -> None:
    order = make_due_order(power_bank, make_person(power_bank), yuan("10"))
    choose_plan(order)
    with assert_unchanged(), pytest.raises(PlanAgreed):
        collect_now(order.id, by=BY, at=NOON)
    wish = orders.OrderRequest(agreement_id=order.agreement_id, out_order_no="w", title="x", currency="CNY", ceiling=1)
    opening = orders.open_order(power_bank.merchant.id, wish, by=BY, at=NOON)
    assert opening.decision.reasons == [Reason.PLAN]
    pay_now(order.id, amount_minor=334, by=BY, at=NOON)
    pay_all(order.person_id, by=BY, at=NOON)
    assert bank_debits_of(order.person) == [yuan("3.34"), yuan("6.66")]
    wish = orders.OrderRequest(agreement_id=order.agreement_id, out_order_no="v", title="x", currency="CNY", ceiling=1)
    assert orders.open_order(power_bank.merchant.id, wish, by=BY, at=NOON).order


def test_a_plan_ends_with_its_order_however_that_ends(power_bank: Shop) -> None:
    for end in ("cancel", "lower", "elsewhere"):
        order = make_due_order(power_bank, make_person(power_bank), yuan("10"))
        choose_plan(order)
        if end == "cancel":
            orders.cancel_order(order.id, "x", by=BY, at=NOON)
        elif end == "lower":
            orders.reduce_total(order.id, 500, "x", by=BY, at=NOON)
            assert [part[:2] for part in parts_of(order) if part[2] == "pending"] == [
                (334, "12-20 04"),
                (166, "01-19 04"),
            ]
            orders.reduce_total(order.id, 0, "x", by=BY, at=NOON)
        else:
            orders.mark_paid(order.id, NOON, "till", by=BY, at=NOON)
        assert Profile.objects.get(pk=order.person_id).eased_orders == 0


def test_beyond_the_policy_a_colleague_grants_or_refuses(power_bank: Shop) -> None:
    order = make_due_order(power_bank, make_person(power_bank), yuan("10"))
    by = Actor.person(order.person_id)
    asked = orders.request_plan(order.person_id, order.id, PlanOffer(10, 30), "失业了", by=by, at=NOON)
    with assert_unchanged(), pytest.raises(ConcernOpen):
        orders.request_plan(order.person_id, None, PlanOffer(10, 30), "失业了", by=by, at=NOON)
    with assert_unchanged(), pytest.raises(ConcernOpen):
        choose_plan(order)
    orders.refuse_plan(asked.id, "请先选择三期", by=STAFF, at=NOON)
    again = orders.request_plan(order.person_id, order.id, PlanOffer(10, 30), "真的不行", by=by, at=NOON)
    with assert_unchanged(), pytest.raises(PlanUnavailable):
        orders.grant_plan(again.id, PlanOffer(24, 30), "好", by=STAFF, at=NOON)
    with assert_unchanged(), pytest.raises(Invalid):
        orders.grant_plan(again.id, PlanOffer(10, 30), " ", by=STAFF, at=NOON)
    orders.grant_plan(again.id, PlanOffer(10, 30), "同意", by=STAFF, at=NOON)
    assert [m for m, _, _ in parts_of(order)] == [100] * 10
    with assert_unchanged(), pytest.raises(NotFound):
        orders.request_plan(order.person_id, order.agreement_id, PlanOffer(2, 30), "x", by=by, at=NOON)
    with assert_unchanged(), pytest.raises(Invalid):
        orders.request_plan(order.person_id, order.id, PlanOffer(100, 30), "x", by=by, at=NOON)


def test_a_second_plan_soon_after_is_a_colleagues_to_grant(power_bank: Shop) -> None:
    first = make_due_order(power_bank, make_person(power_bank), yuan("10"))
    second = make_order(power_bank, first.agreement)
    orders.complete_order(second.id, orders.CompletionRequest(total=1000), by=BY, at=NOON)
    choose_plan(first)
    with assert_unchanged(), pytest.raises(PlanUnavailable):
        choose_plan(second)
    assert queries.plan_options_for(first.person_id, None, at=NOON).has_recent_plan


@pytest.mark.django_db(transaction=True)
def test_of_two_plans_and_a_deduction_at_once_each_minor_unit_is_taken_once(power_bank: Shop) -> None:
    order = make_due_order(power_bank, make_person(power_bank), yuan("10"))
    run_concurrently(
        lambda: choose_plan(order), lambda: choose_plan(order), lambda: deduct_due(power_bank.realm_id, at=NOON)
    )
    assert Concern.objects.filter(outcome="granted").count() <= 1
    for day in (0, 30, 60, 90):
        deduct_due(power_bank.realm_id, at=NOON + day * DAY)
    assert sum((money.minor for money in bank_debits_of(order.person)), 0) == 1000
    assert state_of(order) == "deducted"
    assert reload_order(order.id).total == Money(1000)


def test_other_terms_are_previewed(power_bank: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hardship_policy, "LIVE", power_bank.realm_id)
    for total in ("5", "99", "60"):
        make_due_order(power_bank, make_person(power_bank), yuan(total))
    now = queries.hardship_terms_at(NOON)
    with assert_unchanged():
        same = orders.preview_hardship_terms(now, at=NOON)
        least = max(now.parts) * 10_000
        none = orders.preview_hardship_terms(replace(now, part_min_minor=least), at=NOON)
        more = orders.preview_hardship_terms(HardshipTerms((2,), (1,), 30, 1, 0), at=NOON)
    assert (same.people, same.gain, same.lose, same.others, same.then) == (3, 0, 0, 0, same.now)
    assert (none.then, none.lose) == (0, same.now)
    assert (more.then, more.gain) == (3, 3 - same.now)


@pytest.mark.parametrize("ends", ["cancelled", "paid elsewhere", "less still", "nothing", "paid", "refunded", "late"])
def test_a_plan_whose_last_part_fell_away_ends_in_every_way_there_is(power_bank: Shop, ends: str) -> None:
    """The merchant reduces the total so far that the last instalment is waived; and then ..."""
    order = make_due_order(power_bank, make_person(power_bank), yuan("9"))
    choose_plan(order)
    orders.reduce_total(order.id, 600, "x", by=BY, at=NOON)
    assert sorted(state for _minor, _due, state in parts_of(order)) == ["pending", "pending", "waived"]
    if ends == "cancelled":
        orders.cancel_order(order.id, "x", by=BY, at=NOON)
    elif ends == "paid elsewhere":
        orders.mark_paid(order.id, NOON, "till", by=BY, at=NOON)
    elif ends in {"less still", "nothing"}:
        orders.reduce_total(order.id, 200 if ends == "less still" else 0, "y", by=BY, at=NOON)
    elif ends == "paid":
        pay_now(order.id, amount_minor=600, by=BY, at=NOON)
    elif ends == "refunded":
        refund_order(order.id, RefundDetails(amount_minor=250, reason="x"), by=BY, at=NOON)
    else:
        bank.change_account(order.person.instruments.get(channel="sandbox").token, Behaviour.NO_FUNDS)
        deduct_due(power_bank.realm_id, at=NOON + 30 * DAY)
        orders.mark_overdue(power_bank.realm_id, at=NOON + 40 * DAY, limit=9)
        orders.write_off(order.id, "x", by=STAFF, at=NOON + 41 * DAY)
    deduct_due(power_bank.realm_id, at=NOON + 90 * DAY)
    came_to = {"cancelled": "cancelled", "late": "overdue"}.get(ends, "deducted")
    left = {"less still": 200, "paid": 600, "refunded": 350}.get(ends, 0)
    assert (state_of(order), sum(money.minor for money in bank_debits_of(order.person))) == (came_to, left)
    owed = {"late": 300}.get(ends, 0)  # what is not due yet; the other part is a loss
    assert Profile.objects.get(pk=order.person_id).outstanding_minor == owed
