"""What could not be given back is sent again by itself, under its own number; where that is in vain, it is a case."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import pairwise

import pytest
from django.db import IntegrityError, connection

from accounts.models import Notice
from billing import channels
from billing.channels import Answer, Declined, Return, Taken, bank, bank_refunds
from billing.channels.sandbox import SandboxChannel
from billing.models import Case, Refund, RefundPart
from billing.planning import Kind
from billing.rules import SEND_AGAIN
from billing.services.ask_parts import ask_parts
from billing.services.movements import MovementReport
from billing.services.passing import Passing
from billing.services.send_again import send_again
from billing.services.settle_parts import PARTS
from merchants.models import Event
from orders.models import Order
from tests.billing.bench import balances, give_back, paid, token_of
from tests.conftest import BY, NOON, Shop, fresh, yuan
from tests.stillness import nothing_moves

Sent = list[tuple[str, datetime]]


@pytest.fixture
def trouble(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sent]:
    """The channel has trouble of its own with whatever is to go back. What it was sent, and when."""
    seen: Sent = []

    def refuses(_channel: SandboxChannel, asked: Return) -> Answer:
        seen.append((asked.number, asked.at))
        return Declined("channel_down", Kind.TECHNICAL)

    monkeypatch.setattr(SandboxChannel, "give_back", refuses)
    yield seen
    monkeypatch.undo()


def told(order: Order) -> list[str]:
    rows = Event.objects.filter(subject_id=order.id, type__startswith="refund.").order_by("sequence")
    return list(rows.values_list("type", flat=True))


def lived(shop: Shop, days: int) -> None:
    """Time passes, and everything happens that is due meanwhile."""
    passing = Passing(shop.realm_id, lambda to: to)
    assert passing.live(NOON, NOON + timedelta(days=days), until=float("inf"))


def test_what_never_arrived_is_sent_again_under_its_number_and_arrives_once(power_bank: Shop) -> None:
    order = paid(power_bank, behaviour="timeout_then_not_paid")
    refund = give_back(order, "2")
    number = RefundPart.objects.get().number
    for minutes in (1, 2, 9):
        ask_parts(power_bank.realm_id, at=NOON + timedelta(minutes=minutes))
    part = RefundPart.objects.get()
    assert (part.state, part.again_at, part.sends) == ("waiting", NOON + timedelta(minutes=12), 1)
    assert (balances(power_bank)["refund_due"], told(order)) == (200, [])
    with nothing_moves():
        assert send_again(power_bank.realm_id, at=NOON + timedelta(minutes=11)) == 0

    assert send_again(power_bank.realm_id, at=NOON + timedelta(minutes=12)) == 1
    part = RefundPart.objects.get()
    assert (part.state, part.sends, part.number) == ("succeeded", 2, number)
    assert Refund.objects.get(pk=refund.pk).state == "succeeded"
    assert [money.minor for money in bank_refunds.refunds_of(token_of(order))] == [200]
    assert (told(order), Case.objects.count()) == (["refund.succeeded"], 0)
    late = bank_refunds.refund(number, part.taken.deduction.channel_txn or "", yuan("2"), at=NOON + timedelta(days=1))
    assert isinstance(late, Taken)
    assert [money.minor for money in bank_refunds.refunds_of(token_of(order))] == [200], (
        "a held-up request adds nothing"
    )


def test_trouble_that_does_not_pass_is_tried_four_times_more_and_then_a_case(power_bank: Shop, trouble: Sent) -> None:
    order = paid(power_bank)
    fee = balances(power_bank)["fees"]
    refund = give_back(order, "2")
    assert (refund.state, refund.parts.get().state) == ("pending", "waiting")
    lived(power_bank, days=3)

    refund = Refund.objects.get(pk=refund.pk)
    assert len({number for number, _at in trouble}) == 1, "always the same number"
    waits = [later - earlier for (_, earlier), (_, later) in pairwise(trouble)]
    assert waits == list(SEND_AGAIN)
    assert (refund.state, refund.parts.get().failure_code, told(order)) == ("failed", "channel_down", ["refund.failed"])
    assert (balances(power_bank)["fees"], fresh(order.id).refunded_minor) == (fee, 0)
    assert "refund_due" not in balances(power_bank), "the merchant has it again"
    case = Case.objects.get()
    assert (case.kind, case.detail["sends"], case.closed_at) == ("refund_given_up", 5, None)
    assert Notice.objects.filter(stage="refund_failed").count() == 1


def test_the_case_ends_with_the_next_refund_that_arrives(
    power_bank: Shop, trouble: Sent, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = paid(power_bank)
    give_back(order, "2")
    lived(power_bank, days=3)
    monkeypatch.undo()
    later = NOON + timedelta(days=4)
    assert give_back(order, "2", at=later).state == "succeeded"
    assert Case.objects.get().closed_at == later


def test_a_callback_that_comes_while_it_waits_ends_the_waiting(power_bank: Shop, trouble: Sent) -> None:
    order = paid(power_bank)
    refund = give_back(order, "2")
    part = refund.parts.get()
    arrived = bank_refunds.refund(part.number, part.taken.deduction.channel_txn or "", yuan("2"), at=NOON)
    answers = (Declined("channel_down", Kind.TECHNICAL), arrived)
    PARTS.settle_all([MovementReport(part.id, answer, "callback") for answer in answers], by=BY, at=NOON)

    part = refund.parts.get()
    assert (part.state, part.again_at) == ("succeeded", None)
    with nothing_moves():
        assert send_again(power_bank.realm_id, at=NOON + timedelta(days=2)) == 0
    assert len(trouble) == 1


def test_a_number_that_is_given_up_at_last_is_closed_first(power_bank: Shop) -> None:
    order = paid(power_bank, behaviour="timeout_then_not_paid")
    give_back(order, "2")
    with connection.cursor() as cursor:  # as often as it may be
        cursor.execute("UPDATE billing_refundpart SET sends = %s", [len(SEND_AGAIN) + 1])
    for minutes in (1, 2, 9):
        ask_parts(power_bank.realm_id, at=NOON + timedelta(minutes=minutes))
    part = RefundPart.objects.get()
    assert (part.state, part.failure_code) == ("not_sent", "not_found_at_channel")
    assert (Case.objects.get().kind, told(order)) == ("refund_given_up", ["refund.failed"])
    late = bank_refunds.refund(part.number, part.taken.deduction.channel_txn or "", yuan("2"), at=NOON)
    assert not isinstance(late, Taken), "a held-up request moves nothing any more"
    bank.change_account(token_of(order), bank.Behaviour.PAYS)
    assert give_back(order, "6").state == "succeeded"
    assert [money.minor for money in bank_refunds.refunds_of(token_of(order))] == [600]


@pytest.mark.breaks_the_house  # the bank of our sandboxes has a number for each
def test_a_channel_may_have_one_number_for_all_that_goes_back_of_a_debit_and_never_of_two(power_bank: Shop) -> None:
    order, other = (paid(power_bank, behaviour="timeout_then_paid") for _ in range(2))
    for one, amount in ((order, "2"), (order, "1"), (other, "3")):
        bank.change_account(token_of(one), bank.Behaviour("timeout_then_paid"))
        give_back(one, amount)
    first, second, third = RefundPart.objects.order_by("id")
    for part in (first, second):
        PARTS.settle_all([MovementReport(part.id, Taken("one-number", part.amount), "query")], by=BY, at=NOON)
    assert fresh(order.id).refunded_minor == 300
    with pytest.raises(IntegrityError, match="gave another debit back"), nothing_moves():
        PARTS.settle_all([MovementReport(third.id, Taken("one-number", third.amount), "query")], by=BY, at=NOON)


def test_what_was_not_sent_in_time_is_the_next_ones_turn_and_has_used_up_no_try(
    power_bank: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(2):
        give_back(paid(power_bank, behaviour="timeout_then_not_paid"), "2")
    for minutes in (1, 2, 9):
        ask_parts(power_bank.realm_id, at=NOON + timedelta(minutes=minutes))
    later = NOON + timedelta(minutes=12)
    with monkeypatch.context() as slow:
        slow.setattr(channels, "give_back_all", lambda returns, **_: list(returns)[:0])
        for _ in range(9):
            assert send_again(power_bank.realm_id, at=later) == 2
    assert set(RefundPart.objects.values_list("state", "sends", "again_at")) == {("waiting", 1, later)}
    assert send_again(power_bank.realm_id, at=later) == 2
    assert set(RefundPart.objects.values_list("state", "sends")) == {("succeeded", 2)}
