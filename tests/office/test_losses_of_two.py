"""What we bear takes two from ¥1,000 on, in pieces too: what channels took back, returns, and what goes back of one."""

from collections.abc import Callable
from datetime import timedelta
from uuid import uuid4

import pytest
from django.test import Client

from billing.channels import bank_returns
from billing.console import disputes as desk
from billing.models import Deduction, Dispute, DisputePolicy, Return
from billing.services.answers import contest_dispute
from billing.services.callbacks import deliver_callbacks
from billing.services.disputes import Withdrawal, accept_dispute, rule_dispute, take_back
from billing.services.pay import pay_now
from billing.services.return_ends import bear_return, begin_confirmation, refuse_return
from kernel.actor import Actor
from kernel.money import Money
from kernel.refusal import SecondNeeded
from kernel.versions import publish_version
from orders.models import Order
from tests.billing.bench import balances, deduction_of, paid
from tests.billing.returning import now, sent_back
from tests.billing.test_disputes import bank_takes_back
from tests.conftest import BY, NOON, Shop, completed, make_shop, someone, yuan
from tests.console.conftest import does, words_of
from tests.office.seconds import ASKED, asked, decided
from tests.office.test_fees_of_two import by_two
from tests.stillness import nothing_moves
from tests.visiting import it_is

LIN, MEI = Actor.staff(uuid4()), Actor.staff(uuid4())
BOTH = LIN.agreed(MEI)


@pytest.fixture
def dear(db: None) -> Shop:
    return make_shop("大件", ceiling_minor=500_000)


@pytest.fixture
def finance(at_desk: Callable[..., Client]) -> Client:
    return at_desk("finance")


def of_hand(shop: Shop, *amounts: str) -> tuple[Order, list[Deduction]]:
    """An order that its person paid by so many debits of their own."""
    total = sum(yuan(amount).minor for amount in amounts)
    order = completed(shop, someone(shop), Money(total, "CNY"), due_at=NOON + timedelta(days=9))
    made = [pay_now(order.id, amount_minor=yuan(amount).minor, by=BY, at=NOON)[0] for amount in amounts]
    return order, made


def taken_back(shop: Shop, debit: Deduction) -> Dispute:
    assert bank_returns.take_back(debit.number, "not_received", at=NOON)
    deliver_callbacks(shop.realm_id, at=NOON)
    return Dispute.objects.get(deduction=debit)


def refused(order: Order, amount: int | None = None, number: str = "SF1") -> Return:
    return refuse_return(sent_back(order, amount, number).id, "少一件", by=BY, at=NOON)


def test_what_a_channel_took_back_is_our_loss_when_two_say_so(dear: Shop, finance: Client, boss: Client) -> None:
    order = paid(dear, "1000")
    it_is(NOON, order.person)
    dispute = bank_takes_back(dear, order, "not_received")
    path = f"/ops/do/{dispute.public_id}/accept"
    assert "须双人复核" not in words_of(finance.get(path)), "as long as their merchant would bear it"
    row = by_two(finance, boss, path, bearer="platform", note="仓库失火")
    assert (row.matter, Dispute.objects.get().bearer, balances(dear)["losses"]) == ("accept", "platform", 100_000)
    assert "+" in dispute.history.get(kind="lost").by


def test_what_the_person_or_the_merchant_bears_or_is_little_one_colleague_says(dear: Shop, finance: Client) -> None:
    for amount, bearer in (("3000", "merchant"), ("3000", "person"), ("999.99", "platform")):
        dispute = bank_takes_back(dear, paid(dear, amount), "not_received")
        it_is(NOON, dispute.person)
        does(finance, f"/ops/do/{dispute.public_id}/accept", bearer=bearer, note="x")
        assert Dispute.objects.get(pk=dispute.pk).bearer == bearer
        assert Dispute.objects.get(pk=dispute.pk).state == "lost"


def test_in_pieces_of_one_order_it_is_as_much_as_in_one(dear: Shop) -> None:
    _order, debits = of_hand(dear, "600", "600", "600", "399.99")
    first, second, third, fourth = (taken_back(dear, debit) for debit in debits)
    accept_dispute(first.id, "platform", "x", by=LIN, at=NOON)
    with nothing_moves(), pytest.raises(SecondNeeded):
        accept_dispute(second.id, "platform", "x", by=LIN, at=NOON)
    accept_dispute(second.id, "merchant", "x", by=LIN, at=NOON)
    accept_dispute(third.id, "platform", "x", by=BOTH, at=NOON)
    accept_dispute(fourth.id, "platform", "what two agreed to does not count", by=MEI, at=NOON)
    assert balances(dear)["losses"] == 60_000 + 60_000 + 39_999


def test_where_a_channel_does_not_tell_its_last_word_is_said_by_two_if_we_bear_it(dear: Shop) -> None:
    ours, theirs = (bank_takes_back(dear, paid(dear, "1000"), "not_received") for _ in range(2))
    Dispute.objects.filter(pk=ours.pk).update(bearer="platform")
    for one in (ours, theirs):
        contest_dispute(one.id, "签收单", by=BY, at=NOON)
    with nothing_moves(), pytest.raises(SecondNeeded):
        rule_dispute(ours.id, won=False, because="x", by=LIN, at=NOON)
    rule_dispute(theirs.id, won=False, because="x", by=LIN, at=NOON)
    rule_dispute(ours.id, won=False, because="x", by=BOTH, at=NOON)
    assert balances(dear)["losses"] == 100_000


@pytest.mark.breaks_the_house  # a movement that no bank made
def test_what_is_final_at_once_and_ours_is_noted_by_two(
    dear: Shop, finance: Client, boss: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(desk, "SANDBOX", "another")  # it is one that does not call
    debit = deduction_of(paid(dear, "1000"))
    it_is(NOON, debit.person)
    terms = DisputePolicy.objects.get().terms
    terms["words"]["duplicate"] = {"bearer": "platform", "heard": False}
    publish_version(DisputePolicy, terms, "x", after=1, by=BOTH, at=NOON)
    told = Withdrawal("bank-1", yuan("1000"), "duplicate")
    with nothing_moves(), pytest.raises(SecondNeeded):
        take_back(debit.id, told, by=LIN, at=NOON)
    by_two(finance, boss, f"/ops/do/{debit.public_id}/taken_back", code="duplicate", txn="bank-1", note="对账单")
    assert (Dispute.objects.get().bearer, Dispute.objects.get().channel_txn) == ("platform", "bank-1")


def test_of_a_return_we_bear_as_much_by_two(dear: Shop, support: Client, boss: Client) -> None:
    order = paid(dear, "3000")
    it_is(NOON, order.person)
    for number in ("SF1", "SF2"):
        bear_return(refused(order, 49_000, number).id, "x", by=LIN, at=NOON)
    third = refused(order, 49_000, "SF3")
    with nothing_moves(), pytest.raises(SecondNeeded):
        bear_return(third.id, "x", by=MEI, at=NOON)
    path = f"/ops/do/{third.public_id}/return_borne"
    assert "须双人复核" in words_of(support.get(path))
    by_two(support, boss, path, note="看过录像")
    assert (now(third).state, balances(dear)["losses"]) == ("borne", 3 * 49_000)


def test_returns_and_what_a_channel_took_back_of_one_order_count_together(dear: Shop) -> None:
    order, (debit, _other) = of_hand(dear, "600", "900")
    bear_return(refused(order, 45_000).id, "x", by=LIN, at=NOON)
    dispute = taken_back(dear, debit)
    assert dispute.amount_minor >= 55_000
    with nothing_moves(), pytest.raises(SecondNeeded):
        accept_dispute(dispute.id, "platform", "x", by=LIN, at=NOON)


def test_much_goes_back_of_a_return_by_two_whatever_its_merchant_said(
    dear: Shop, support: Client, boss: Client
) -> None:
    order = paid(dear, "3000")
    it_is(NOON, order.person)
    row = refused(order)
    with nothing_moves(), pytest.raises(SecondNeeded):
        begin_confirmation(row.id, by=LIN, at=NOON)
    path = f"/ops/do/{row.public_id}/return_came"
    assert "须双人复核" in words_of(support.get(path))
    with nothing_moves(*ASKED):
        proposal = asked(support, path, note="收到了")
    decided(boss, proposal)
    assert (now(row).state, Order.objects.get(pk=order.pk).refunded_minor) == ("confirmed", 300_000)
