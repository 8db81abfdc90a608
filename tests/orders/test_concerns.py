"""Concerns: people report problems and are answered; an open first report pauses the order."""

from datetime import timedelta

import pytest

from accounts.models import Notice
from billing.services.deduct import deduct_due
from billing.services.outcome_polling import poll_deductions
from credit import reassessments
from credit import services as credit
from credit.models import Decision
from credit.refusals import AgreementState
from kernel.actor import Actor
from kernel.refusal import Invalid, NotFound
from orders import rules
from orders import services as orders
from orders.models import Concern, Message, Obligation, Order, Pause
from orders.refusals import (
    ConcernClosed,
    DeductionInFlight,
    NotObjectionable,
    OrderState,
    ReportedOften,
    ReportOpen,
    ReportTooLate,
    TooManyMessages,
    TotalRaised,
)
from tests.billing.helpers import bank_debits_of, obligation_of
from tests.browsing import client_for, visible_text
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
from tests.threads import run_concurrently
from tests.unchanged import assert_unchanged

DAY = timedelta(days=1)
STAFF = Actor.system("staff")


def reported(order: Order, text: str = "车没借到", *, category: str = "not_received", days: int = 0) -> Concern:
    by = Actor.person(order.person_id)
    return orders.report_problem(order.id, category, text, by=by, at=NOON + days * DAY)


def owing(shop: Shop, behaviour: str = "no_funds", total: str = "12.34") -> Order:
    return make_due_order(shop, make_person(shop, behaviour), yuan(total), due_at=NOON + 2 * DAY)


def stages(order: Order) -> list[str]:
    return list(Notice.objects.filter(order_id=order.id).order_by("id").values_list("stage", flat=True))


def test_a_first_report_pauses_the_order_until_it_is_decided(power_bank: Shop) -> None:
    order = owing(power_bank)
    due, left = obligation_of(order).collect_at, obligation_of(order).overdue_from
    concern = reported(order)
    assert (concern.state, concern.waits_for, obligation_of(order).paused_at) == ("open", "staff", NOON)
    assert deduct_due(power_bank.realm_id, at=NOON + 5 * DAY) == 0
    assert make_overdue(power_bank.realm_id, at=NOON + 9 * DAY, limit=9) == 0

    orders.decide_report(concern.id, "resumed", "已核实，费用无误。", by=STAFF, at=NOON + 10 * DAY)

    assert due is not None
    assert left is not None
    row = obligation_of(order)
    assert (row.collect_at, row.overdue_from) == (due + 10 * DAY, left + 10 * DAY)
    assert stages(order) == ["help_received", "help_decided"]
    assert "已核实" in Notice.objects.latest("id").body
    assert concern.public_id in Notice.objects.latest("id").body
    with assert_unchanged(), pytest.raises(ConcernClosed):
        orders.decide_report(concern.id, "cancelled", "x", by=STAFF, at=NOON + 11 * DAY)


def test_deciding_a_report_reduces_or_cancels_the_order(power_bank: Shop) -> None:
    lowered, forgiven = owing(power_bank), owing(power_bank)
    first, second = reported(lowered), reported(forgiven)
    orders.decide_report(first.id, "lowered", "多收了", total_minor=500, by=STAFF, at=NOON)
    orders.decide_report(second.id, "cancelled", "设备故障", by=STAFF, at=NOON)
    assert (reload_order(lowered.id).total_minor, state_of(forgiven)) == (500, "cancelled")
    assert reload_order(forgiven.id).cancel_reason == "设备故障"
    assert not Pause.objects.filter(ended_at__isnull=True).exists()
    third = reported(owing(power_bank))
    with assert_unchanged(), pytest.raises(TotalRaised):
        orders.decide_report(third.id, "lowered", "x", total_minor=9999, by=STAFF, at=NOON)


def test_withdrawing_resumes_and_a_second_report_does_not_pause(power_bank: Shop) -> None:
    order = owing(power_bank)
    by = Actor.person(order.person_id)
    for days in range(rules.REPORTS_MAX):
        concern = reported(order, days=days)
        with assert_unchanged(), pytest.raises(ReportOpen):
            reported(order, days=days)
        assert bool(obligation_of(order).paused_at) is (days == 0)
        for _click in range(2):
            concern = orders.withdraw_concern(concern.id, by=by, at=NOON + days * DAY)
        assert concern.state == "withdrawn"
        assert obligation_of(order).paused_at is None
    with assert_unchanged(), pytest.raises(ReportedOften):
        reported(order)
    with assert_unchanged(), pytest.raises(ConcernClosed):
        orders.add_message(concern.id, "还有", author="person", by=by, at=NOON)


def test_withdrawing_does_not_end_a_pause_by_staff(power_bank: Shop) -> None:
    order = owing(power_bank)
    orders.pause_order(order.id, "problem_reported", by=STAFF, at=NOON)
    orders.withdraw_concern(reported(order).id, by=Actor.person(order.person_id), at=NOON)
    assert obligation_of(order).paused_at == NOON


def test_a_report_without_debt_pauses_nothing(power_bank: Shop) -> None:
    person = make_person(power_bank)
    running = make_order(power_bank, make_agreement(power_bank, person))
    assert reported(running).state == "open"
    paid = make_due_order(power_bank, make_person(power_bank), yuan("3"))
    deduct_due(power_bank.realm_id, at=NOON)
    reported(paid)
    assert not Pause.objects.exists()
    with assert_unchanged(), pytest.raises(ReportTooLate):
        reported(paid, days=91)


def test_an_order_reported_before_completion_is_paused_at_completion(power_bank: Shop) -> None:
    order, taken_back = (make_order(power_bank, make_agreement(power_bank, make_person(power_bank))) for _ in range(2))
    concern, by = reported(order), Actor.person(taken_back.person_id)
    orders.withdraw_concern(reported(taken_back).id, by=by, at=NOON)
    reported(taken_back)
    for one in (order, taken_back):
        orders.complete_order(one.id, orders.CompletionRequest(total=600), by=BY, at=NOON)
    assert deduct_due(power_bank.realm_id, at=NOON) == 1
    assert (obligation_of(order).paused_at, state_of(taken_back)) == (NOON, "deducted")
    assert [line.kind for line in order.history.order_by("seq")] == ["opened", "reported", "completed", "paused"]
    orders.withdraw_concern(concern.id, by=BY, at=NOON + DAY)
    assert obligation_of(order).collect_at == NOON + DAY


def test_an_order_that_never_began_is_not_reported(shop: Shop) -> None:
    agreement = make_agreement(shop, make_person(shop))
    wish = orders.OrderRequest(agreement_id=agreement.id, out_order_no="w", title="x", currency="CNY", amount=1)
    waiting = orders.open_order(shop.merchant.id, wish, by=BY, at=NOON).order
    assert waiting
    with assert_unchanged(), pytest.raises(ReportTooLate):
        reported(waiting)


@pytest.mark.parametrize("text", ["", "  \n ", "\u202e\x00", "长" * (rules.TEXT_MAX + 1)])
def test_a_report_needs_a_text_of_limited_length(power_bank: Shop, text: str) -> None:
    order = owing(power_bank)
    with assert_unchanged(), pytest.raises(Invalid):
        reported(order, text)
    with assert_unchanged(), pytest.raises(Invalid):
        reported(order, category="boredom")
    concern = reported(order, "a\x00b\u202ec\r\n👩‍👧")
    assert concern.messages.get().text == "abc\n👩‍👧"


def test_both_sides_talk_in_turn(power_bank: Shop) -> None:
    order = owing(power_bank)
    concern, by = reported(order), Actor.person(order.person_id)
    orders.add_message(concern.id, "请问借还时间？", author="staff", by=STAFF, at=NOON + DAY)
    assert (Concern.objects.get().waits_for, Concern.objects.get().heard_at) == ("person", NOON + DAY)
    for _ in range(rules.UNANSWERED_MAX):
        orders.add_message(concern.id, "上午十点", author="person", by=by, at=NOON + 2 * DAY)
    with assert_unchanged(), pytest.raises(TooManyMessages):
        orders.add_message(concern.id, "喂", author="person", by=by, at=NOON + 2 * DAY)
    orders.add_message(concern.id, "我们查过了", author="merchant", by=BY, at=NOON + 2 * DAY)
    assert Concern.objects.get().waits_for == "staff"
    assert list(Message.objects.values_list("author", flat=True)) == ["person", "staff", *["person"] * 5, "merchant"]
    assert stages(order) == ["help_received", "help_answered", "help_answered"]


def test_a_report_beside_a_deduction_in_flight_lets_it_run_to_its_end(power_bank: Shop) -> None:
    order = make_due_order(power_bank, make_person(power_bank, "timeout_then_paid"), yuan("6"))
    deduct_due(power_bank.realm_id, at=NOON)
    concern = reported(order)
    assert obligation_of(order).in_flight
    with assert_unchanged(), pytest.raises(DeductionInFlight):
        orders.decide_report(concern.id, "cancelled", "x", by=STAFF, at=NOON)
    poll_deductions(power_bank.realm_id, at=NOON + timedelta(seconds=5))
    assert state_of(order) == "deducted"
    with assert_unchanged(), pytest.raises(OrderState):
        orders.decide_report(concern.id, "lowered", "x", total_minor=1, by=STAFF, at=NOON)
    orders.decide_report(concern.id, "resumed", "已扣款，如需退款请联系商户", by=STAFF, at=NOON)
    assert bank_debits_of(order.person) == [yuan("6")]


@pytest.mark.django_db(transaction=True)
def test_of_two_reports_at_once_one_counts_and_a_sweep_beside_them_takes_once_or_nothing(power_bank: Shop) -> None:
    order = make_due_order(power_bank, make_person(power_bank), yuan("6"))
    answers = run_concurrently(
        lambda: reported(order), lambda: reported(order), lambda: deduct_due(power_bank.realm_id, at=NOON)
    )
    assert sum(isinstance(answer, ReportOpen) for answer in answers) == 1
    assert Concern.objects.count() == 1
    deduct_due(power_bank.realm_id, at=NOON)
    paused = Obligation.objects.filter(order=order, paused_at__isnull=False).exists()
    assert bank_debits_of(order.person) == ([] if paused else [yuan("6")])


def refused(shop: Shop) -> Decision:
    person = make_person(shop, "no_funds")
    agreement = make_agreement(shop, person)
    late = make_order(shop, agreement)
    orders.complete_order(late.id, orders.CompletionRequest(total=500), by=BY, at=NOON)
    make_overdue(shop.realm_id, at=NOON + 4 * DAY, limit=9)
    wish = orders.OrderRequest(agreement_id=agreement.id, out_order_no="w", title="x", currency="CNY", ceiling=1)
    opening = orders.open_order(shop.merchant.id, wish, by=BY, at=NOON + 4 * DAY)
    assert opening.order is None
    return opening.decision


def test_a_refusal_is_objected_to_once_and_judged_again(power_bank: Shop) -> None:
    decision = refused(power_bank)
    person_id, by = decision.person_id, Actor.person(decision.person_id)
    stranger = make_person(power_bank)
    with assert_unchanged(), pytest.raises(NotFound):
        orders.object_to_decision(decision.id, stranger.id, "x", by=by, at=NOON)
    concern = orders.object_to_decision(decision.id, person_id, "我没有逾期", by=by, at=NOON)
    with assert_unchanged(), pytest.raises(NotObjectionable):
        orders.object_to_decision(decision.id, person_id, "再说一次", by=by, at=NOON)
    score = decision.person.profile.score
    still = orders.decide_objection(concern.id, "确有逾期", reassess=True, points=40, by=STAFF, at=NOON)
    assert still
    assert (still.approved, still.occasion, still.out_order_no) == (False, "review", "w")
    profile = type(decision.person.profile).objects.get(pk=person_id)
    assert profile.score == score + 40
    assert profile.person.score_changes.first().reason == "corrected"
    approved = Decision.objects.filter(approved=True).latest("id")
    with assert_unchanged(), pytest.raises(NotObjectionable):
        orders.object_to_decision(approved.id, person_id, "x", by=by, at=NOON)


def test_a_withdrawn_objection_can_be_raised_again(power_bank: Shop) -> None:
    decision = refused(power_bank)
    withdrawn = orders.object_to_decision(decision.id, decision.person_id, "x", by=BY, at=NOON)
    orders.withdraw_concern(withdrawn.id, by=BY, at=NOON)
    page = client_for(decision.person).get(f"/credit/{decision.public_id}")
    assert "已对此评估提出异议" not in visible_text(page)
    again = orders.object_to_decision(decision.id, decision.person_id, "y", by=BY, at=NOON)
    orders.decide_objection(again.id, "确有逾期", reassess=False, by=STAFF, at=NOON)
    with assert_unchanged(), pytest.raises(NotObjectionable):
        orders.object_to_decision(decision.id, decision.person_id, "z", by=BY, at=NOON)


def test_a_correct_refusal_is_upheld(power_bank: Shop) -> None:
    decision = refused(power_bank)
    concern = orders.object_to_decision(decision.id, decision.person_id, "x", by=BY, at=NOON)
    assert orders.decide_objection(concern.id, "有一笔逾期未还", reassess=False, by=STAFF, at=NOON) is None
    assert Concern.objects.get().outcome == "upheld"
    assert Decision.objects.filter(occasion="review").count() == 0


def test_a_service_that_is_being_stopped_is_opened_again(power_bank: Shop) -> None:
    agreement = make_agreement(power_bank, make_person(power_bank))
    order = make_order(power_bank, agreement)
    credit.stop_agreement(agreement.id, by=BY, at=NOON)
    for _click in range(2):
        assert reassessments.reopen_agreement(agreement.id, by=BY, at=NOON).state == "active"
    make_order(power_bank, agreement)
    credit.stop_agreement(agreement.id, by=BY, at=NOON)
    assert state_of(order) == "open"
    other = make_agreement(power_bank, make_person(power_bank))
    credit.stop_agreement(other.id, by=BY, at=NOON)
    with assert_unchanged(), pytest.raises(AgreementState):
        reassessments.reopen_agreement(other.id, by=BY, at=NOON)


@pytest.mark.django_db(transaction=True)
def test_concurrent_decisions_and_a_withdrawal_have_one_winner(power_bank: Shop) -> None:
    order = owing(power_bank)
    concern, by = reported(order), Actor.person(order.person_id)
    answers = run_concurrently(
        lambda: orders.decide_report(concern.id, "lowered", "x", total_minor=900, by=STAFF, at=NOON),
        lambda: orders.decide_report(concern.id, "cancelled", "x", by=STAFF, at=NOON),
        lambda: orders.withdraw_concern(concern.id, by=by, at=NOON),
    )
    assert sum(isinstance(answer, ConcernClosed) for answer in answers) == 2
    found = Concern.objects.get()
    assert found.history.count() == 2
    assert not Pause.objects.filter(ended_at__isnull=True).exists()
    ends = {"lowered": (900, "completed"), "cancelled": (1234, "cancelled"), "": (1234, "completed")}
    assert (reload_order(order.id).total_minor, state_of(order)) == ends[found.outcome]
