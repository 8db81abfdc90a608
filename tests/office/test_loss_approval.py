"""Platform losses need approval from ¥1,000 on, in parts too: disputes, returns, and refunds of one order."""

from collections.abc import Callable
from datetime import timedelta
from uuid import uuid4

import pytest
from django.test import Client

from billing.channels import bank_disputes
from billing.console import disputes as desk
from billing.models import Deduction, Dispute, DisputePolicy, Return
from billing.services.callbacks import deliver_callbacks
from billing.services.dispute_evidence import contest_dispute
from billing.services.disputes import Chargeback, accept_dispute, record_chargeback, record_ruling
from billing.services.pay import pay_now
from billing.services.return_decisions import absorb_return, prepare_confirmation, refuse_return
from kernel.actor import Actor
from kernel.money import Money
from kernel.policy_versions import publish_version
from kernel.refusal import ApprovalRequired
from orders.models import Order
from tests.billing.helpers import balances, latest_deduction_of, paid_order
from tests.billing.return_helpers import opened_return, reloaded
from tests.billing.test_disputes import dispute_at_bank
from tests.browsing import freeze_clock
from tests.conftest import BY, NOON, Shop, make_due_order, make_person, make_shop, yuan
from tests.console.conftest import page_text, submit_form
from tests.office.approval_helpers import PROPOSAL_TABLES, decide_on_page, propose_on_page
from tests.office.test_waiver_refund_approval import by_two
from tests.unchanged import assert_unchanged

LIN, MEI = Actor.staff(uuid4()), Actor.staff(uuid4())
BOTH = LIN.approved_by(MEI)


@pytest.fixture
def dear(db: None) -> Shop:
    return make_shop("大件", ceiling_minor=500_000)


@pytest.fixture
def finance(console_client: Callable[..., Client]) -> Client:
    return console_client("finance")


def of_hand(shop: Shop, *amounts: str) -> tuple[Order, list[Deduction]]:
    """An order that its person paid by so many debits of their own."""
    total = sum(yuan(amount).minor for amount in amounts)
    order = make_due_order(shop, make_person(shop), Money(total, "CNY"), due_at=NOON + timedelta(days=9))
    made = [pay_now(order.id, amount_minor=yuan(amount).minor, by=BY, at=NOON)[0] for amount in amounts]
    return order, made


def taken_back(shop: Shop, debit: Deduction) -> Dispute:
    assert bank_disputes.reverse_debit(debit.number, "not_received", at=NOON)
    deliver_callbacks(shop.realm_id, at=NOON)
    return Dispute.objects.get(deduction=debit)


def refused(order: Order, amount: int | None = None, number: str = "SF1") -> Return:
    return refuse_return(opened_return(order, amount, number).id, "少一件", by=BY, at=NOON)


def test_accepting_a_dispute_as_our_loss_needs_approval(dear: Shop, finance: Client, supervisor: Client) -> None:
    order = paid_order(dear, "1000")
    freeze_clock(NOON, order.person)
    dispute = dispute_at_bank(dear, order, "not_received")
    path = f"/ops/do/{dispute.public_id}/accept"
    assert "须双人复核" not in page_text(finance.get(path)), "as long as their merchant would bear it"
    row = by_two(finance, supervisor, path, bearer="platform", note="仓库失火")
    assert (row.matter, Dispute.objects.get().bearer, balances(dear)["losses"]) == ("accept", "platform", 100_000)
    assert "+" in dispute.history.get(kind="lost").by


def test_others_liability_and_small_losses_need_no_approval(dear: Shop, finance: Client) -> None:
    for amount, bearer in (("3000", "merchant"), ("3000", "person"), ("999.99", "platform")):
        dispute = dispute_at_bank(dear, paid_order(dear, amount), "not_received")
        freeze_clock(NOON, dispute.person)
        submit_form(finance, f"/ops/do/{dispute.public_id}/accept", bearer=bearer, note="x")
        assert Dispute.objects.get(pk=dispute.pk).bearer == bearer
        assert Dispute.objects.get(pk=dispute.pk).state == "lost"


def test_losses_of_one_order_are_added_up(dear: Shop) -> None:
    _order, debits = of_hand(dear, "600", "600", "600", "399.99")
    first, second, third, fourth = (taken_back(dear, debit) for debit in debits)
    accept_dispute(first.id, "platform", "x", by=LIN, at=NOON)
    with assert_unchanged(), pytest.raises(ApprovalRequired):
        accept_dispute(second.id, "platform", "x", by=LIN, at=NOON)
    accept_dispute(second.id, "merchant", "x", by=LIN, at=NOON)
    accept_dispute(third.id, "platform", "x", by=BOTH, at=NOON)
    accept_dispute(fourth.id, "platform", "what two agreed to does not count", by=MEI, at=NOON)
    assert balances(dear)["losses"] == 60_000 + 60_000 + 39_999


def test_recording_a_lost_dispute_as_our_loss_needs_approval(dear: Shop) -> None:
    ours, theirs = (dispute_at_bank(dear, paid_order(dear, "1000"), "not_received") for _ in range(2))
    Dispute.objects.filter(pk=ours.pk).update(bearer="platform")
    for one in (ours, theirs):
        contest_dispute(one.id, "签收单", by=BY, at=NOON)
    with assert_unchanged(), pytest.raises(ApprovalRequired):
        record_ruling(ours.id, won=False, reason="x", by=LIN, at=NOON)
    record_ruling(theirs.id, won=False, reason="x", by=LIN, at=NOON)
    record_ruling(ours.id, won=False, reason="x", by=BOTH, at=NOON)
    assert balances(dear)["losses"] == 100_000


@pytest.mark.breaks_invariants  # a movement that no bank made
def test_recording_a_final_dispute_as_our_loss_needs_approval(
    dear: Shop, finance: Client, supervisor: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(desk, "SANDBOX", "another")  # it is one that does not call
    debit = latest_deduction_of(paid_order(dear, "1000"))
    freeze_clock(NOON, debit.person)
    terms = DisputePolicy.objects.get().terms
    terms["words"]["duplicate"] = {"bearer": "platform", "heard": False}
    publish_version(DisputePolicy, terms, "x", after=1, by=BOTH, at=NOON)
    told = Chargeback("bank-1", yuan("1000"), "duplicate")
    with assert_unchanged(), pytest.raises(ApprovalRequired):
        record_chargeback(debit.id, told, by=LIN, at=NOON)
    by_two(finance, supervisor, f"/ops/do/{debit.public_id}/taken_back", code="duplicate", txn="bank-1", note="对账单")
    assert (Dispute.objects.get().bearer, Dispute.objects.get().channel_txn) == ("platform", "bank-1")


def test_bearing_a_large_return_needs_approval(dear: Shop, support: Client, supervisor: Client) -> None:
    order = paid_order(dear, "3000")
    freeze_clock(NOON, order.person)
    for number in ("SF1", "SF2"):
        absorb_return(refused(order, 49_000, number).id, "x", by=LIN, at=NOON)
    third = refused(order, 49_000, "SF3")
    with assert_unchanged(), pytest.raises(ApprovalRequired):
        absorb_return(third.id, "x", by=MEI, at=NOON)
    path = f"/ops/do/{third.public_id}/return_borne"
    assert "须双人复核" in page_text(support.get(path))
    by_two(support, supervisor, path, note="看过录像")
    assert (reloaded(third).state, balances(dear)["losses"]) == ("borne", 3 * 49_000)


def test_returns_and_what_a_channel_took_back_of_one_order_count_together(dear: Shop) -> None:
    order, (debit, _other) = of_hand(dear, "600", "900")
    absorb_return(refused(order, 45_000).id, "x", by=LIN, at=NOON)
    dispute = taken_back(dear, debit)
    assert dispute.amount_minor >= 55_000
    with assert_unchanged(), pytest.raises(ApprovalRequired):
        accept_dispute(dispute.id, "platform", "x", by=LIN, at=NOON)


def test_a_large_return_refund_needs_approval(dear: Shop, support: Client, supervisor: Client) -> None:
    order = paid_order(dear, "3000")
    freeze_clock(NOON, order.person)
    row = refused(order)
    with assert_unchanged(), pytest.raises(ApprovalRequired):
        prepare_confirmation(row.id, by=LIN, at=NOON)
    path = f"/ops/do/{row.public_id}/return_came"
    assert "须双人复核" in page_text(support.get(path))
    with assert_unchanged(*PROPOSAL_TABLES):
        proposal = propose_on_page(support, path, note="收到了")
    decide_on_page(supervisor, proposal)
    assert (reloaded(row).state, Order.objects.get(pk=order.pk).refunded_minor) == ("confirmed", 300_000)
