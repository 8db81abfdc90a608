"""A refund part that failed temporarily is resent under its own number; if all resends fail, a case is opened."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import pairwise

import pytest
from django.db import IntegrityError, connection

from accounts.models import Notice
from billing import channels
from billing.channels import Answer, Declined, RefundRequest, Succeeded, bank, bank_refunds
from billing.channels.sandbox import SandboxChannel
from billing.models import Case, Refund, RefundPart
from billing.planning import FailureClass
from billing.rules import RESEND_DELAYS
from billing.services.clock_advance import SweepRunner
from billing.services.movement_polling import poll_refund_parts
from billing.services.movements import MovementReport
from billing.services.refund_outcomes import REFUND_PARTS
from billing.services.refund_retries import retry_refunds
from merchants.models import Event
from orders.models import Order
from tests.billing.helpers import balances, issue_refund, paid_order, token_of
from tests.conftest import BY, NOON, Shop, reload_order, yuan
from tests.unchanged import assert_unchanged

Sent = list[tuple[str, datetime]]


@pytest.fixture
def trouble(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sent]:
    """The channel has trouble of its own with whatever is to go back. What it was sent, and when."""
    seen: Sent = []

    def refuses(_channel: SandboxChannel, asked: RefundRequest) -> Answer:
        seen.append((asked.number, asked.at))
        return Declined("channel_down", FailureClass.TECHNICAL)

    monkeypatch.setattr(SandboxChannel, "refund", refuses)
    yield seen
    monkeypatch.undo()


def event_types_of(order: Order) -> list[str]:
    rows = Event.objects.filter(subject_id=order.id, type__startswith="refund.").order_by("sequence")
    return list(rows.values_list("type", flat=True))


def pass_days(shop: Shop, days: int) -> None:
    """Time passes, and everything happens that is due meanwhile."""
    passing = SweepRunner(shop.realm_id, lambda to: to)
    assert passing.run_until(NOON, NOON + timedelta(days=days), until=float("inf"))


def test_unreceived_part_is_resent_under_its_number_and_paid_once(power_bank: Shop) -> None:
    order = paid_order(power_bank, behaviour="timeout_then_not_paid")
    refund = issue_refund(order, "2")
    number = RefundPart.objects.get().number
    for minutes in (1, 2, 9):
        poll_refund_parts(power_bank.realm_id, at=NOON + timedelta(minutes=minutes))
    part = RefundPart.objects.get()
    assert (part.state, part.again_at, part.sends) == ("waiting", NOON + timedelta(minutes=12), 1)
    assert (balances(power_bank)["refund_due"], event_types_of(order)) == (200, [])
    with assert_unchanged():
        assert retry_refunds(power_bank.realm_id, at=NOON + timedelta(minutes=11)) == 0

    assert retry_refunds(power_bank.realm_id, at=NOON + timedelta(minutes=12)) == 1
    part = RefundPart.objects.get()
    assert (part.state, part.sends, part.number) == ("succeeded", 2, number)
    assert Refund.objects.get(pk=refund.pk).state == "succeeded"
    assert [money.minor for money in bank_refunds.refunds_of(token_of(order))] == [200]
    assert (event_types_of(order), Case.objects.count()) == (["refund.succeeded"], 0)
    late = bank_refunds.refund(number, part.taken.deduction.channel_txn or "", yuan("2"), at=NOON + timedelta(days=1))
    assert isinstance(late, Succeeded)
    assert [money.minor for money in bank_refunds.refunds_of(token_of(order))] == [200], (
        "a held-up request adds nothing"
    )


def test_permanent_trouble_is_resent_four_times_and_then_a_case(power_bank: Shop, trouble: Sent) -> None:
    order = paid_order(power_bank)
    fee = balances(power_bank)["fees"]
    refund = issue_refund(order, "2")
    assert (refund.state, refund.parts.get().state) == ("pending", "waiting")
    pass_days(power_bank, days=3)

    refund = Refund.objects.get(pk=refund.pk)
    assert len({number for number, _at in trouble}) == 1, "always the same number"
    waits = [later - earlier for (_, earlier), (_, later) in pairwise(trouble)]
    assert waits == list(RESEND_DELAYS)
    assert (refund.state, refund.parts.get().failure_code, event_types_of(order)) == (
        "failed",
        "channel_down",
        ["refund.failed"],
    )
    assert (balances(power_bank)["fees"], reload_order(order.id).refunded_minor) == (fee, 0)
    assert "refund_due" not in balances(power_bank), "the merchant has it again"
    case = Case.objects.get()
    assert (case.kind, case.detail["sends"], case.closed_at) == ("refund_given_up", 5, None)
    assert Notice.objects.filter(stage="refund_failed").count() == 1


def test_the_case_ends_with_the_next_refund_that_arrives(
    power_bank: Shop, trouble: Sent, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = paid_order(power_bank)
    issue_refund(order, "2")
    pass_days(power_bank, days=3)
    monkeypatch.undo()
    later = NOON + timedelta(days=4)
    assert issue_refund(order, "2", at=later).state == "succeeded"
    assert Case.objects.get().closed_at == later


def test_a_callback_that_comes_while_it_waits_ends_the_waiting(power_bank: Shop, trouble: Sent) -> None:
    order = paid_order(power_bank)
    refund = issue_refund(order, "2")
    part = refund.parts.get()
    arrived = bank_refunds.refund(part.number, part.taken.deduction.channel_txn or "", yuan("2"), at=NOON)
    answers = (Declined("channel_down", FailureClass.TECHNICAL), arrived)
    REFUND_PARTS.settle_all([MovementReport(part.id, answer, "callback") for answer in answers], by=BY, at=NOON)

    part = refund.parts.get()
    assert (part.state, part.again_at) == ("succeeded", None)
    with assert_unchanged():
        assert retry_refunds(power_bank.realm_id, at=NOON + timedelta(days=2)) == 0
    assert len(trouble) == 1


def test_number_is_closed_at_the_channel_before_giving_up(power_bank: Shop) -> None:
    order = paid_order(power_bank, behaviour="timeout_then_not_paid")
    issue_refund(order, "2")
    with connection.cursor() as cursor:  # as often as it may be
        cursor.execute("UPDATE billing_refundpart SET sends = %s", [len(RESEND_DELAYS) + 1])
    for minutes in (1, 2, 9):
        poll_refund_parts(power_bank.realm_id, at=NOON + timedelta(minutes=minutes))
    part = RefundPart.objects.get()
    assert (part.state, part.failure_code) == ("not_sent", "not_found_at_channel")
    assert (Case.objects.get().kind, event_types_of(order)) == ("refund_given_up", ["refund.failed"])
    late = bank_refunds.refund(part.number, part.taken.deduction.channel_txn or "", yuan("2"), at=NOON)
    assert not isinstance(late, Succeeded), "a held-up request moves nothing any more"
    bank.change_account(token_of(order), bank.Behaviour.PAYS)
    assert issue_refund(order, "6").state == "succeeded"
    assert [money.minor for money in bank_refunds.refunds_of(token_of(order))] == [600]


@pytest.mark.breaks_invariants  # the bank of our sandboxes has a number for each
def test_channel_refund_number_is_shared_within_one_debit_only(power_bank: Shop) -> None:
    order, other = (paid_order(power_bank, behaviour="timeout_then_paid") for _ in range(2))
    for one, amount in ((order, "2"), (order, "1"), (other, "3")):
        bank.change_account(token_of(one), bank.Behaviour("timeout_then_paid"))
        issue_refund(one, amount)
    first, second, third = RefundPart.objects.order_by("id")
    for part in (first, second):
        REFUND_PARTS.settle_all(
            [MovementReport(part.id, Succeeded("one-number", part.amount), "query")], by=BY, at=NOON
        )
    assert reload_order(order.id).refunded_minor == 300
    with pytest.raises(IntegrityError, match="gave another debit back"), assert_unchanged():
        REFUND_PARTS.settle_all(
            [MovementReport(third.id, Succeeded("one-number", third.amount), "query")], by=BY, at=NOON
        )


def test_unsent_part_is_deferred_without_using_an_attempt(power_bank: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(2):
        issue_refund(paid_order(power_bank, behaviour="timeout_then_not_paid"), "2")
    for minutes in (1, 2, 9):
        poll_refund_parts(power_bank.realm_id, at=NOON + timedelta(minutes=minutes))
    later = NOON + timedelta(minutes=12)
    with monkeypatch.context() as slow:
        slow.setattr(channels, "refund_all", lambda refunds, **_: list(refunds)[:0])
        for _ in range(9):
            assert retry_refunds(power_bank.realm_id, at=later) == 2
    assert set(RefundPart.objects.values_list("state", "sends", "again_at")) == {("waiting", 1, later)}
    assert retry_refunds(power_bank.realm_id, at=later) == 2
    assert set(RefundPart.objects.values_list("state", "sends")) == {("succeeded", 2)}
