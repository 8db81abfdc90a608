"""A refund the channel never paid is paid by hand where no wallet can hold it: dual approval and a bank reference."""

from collections.abc import Callable, Iterator
from uuid import uuid4

import pytest
from django.db import IntegrityError, transaction
from django.test import Client

from billing.channels import Declined
from billing.models import Break, Case, Wallet
from billing.planning import FailureClass
from billing.refusals import CaseUnfit, NothingToPost, NoWallet, ReferenceReused
from billing.services import cases, wallets
from billing.services.breaks import resolve_break
from billing.services.movements import MovementReport
from billing.services.refund_outcomes import REFUND_PARTS
from bnpl.invariants import find_violations
from kernel.actor import Actor
from kernel.money import Money
from kernel.refusal import ApprovalRequired, Invalid
from tests.billing.helpers import balances, case_of_unsent_usd_refund
from tests.billing.statements import NEXT_DAY
from tests.billing.test_cases import OF_THE_BANK
from tests.billing.test_corrected_once import unpaid_refund
from tests.conftest import BY, NOON, Shop, make_shop
from tests.console.conftest import console_client, page_text
from tests.office.approval_helpers import decide_on_page, propose_on_page
from tests.unchanged import assert_unchanged

__all__ = ["console_client"]
pytestmark = pytest.mark.breaks_invariants  # the bank knows nothing of what is said here
LIN = Actor.staff(uuid4())
BOTH = LIN.approved_by(Actor.staff(uuid4()))


@pytest.fixture(autouse=True)
def _all_but_the_bank(db: None) -> Iterator[None]:
    yield
    assert {one.name for one in find_violations()} <= OF_THE_BANK


@pytest.fixture
def dollars(db: None) -> Case:
    return case_of_unsent_usd_refund(make_shop("Abroad", currency="USD"))


def test_payment_by_hand_takes_two_people_and_a_reference(dollars: Case) -> None:
    assert cases.amount_at_stake(dollars) == Money(200, "USD")
    with assert_unchanged():
        with pytest.raises(NoWallet):
            cases.close_case(dollars.id, "wallet", "x", by=BOTH, at=NOON)
        with pytest.raises(ApprovalRequired):
            cases.close_case(dollars.id, "by_hand", "x", paid_as="TT 7788", by=LIN, at=NOON)
        for paid_as in ("", " ", "x" * 61, "a\x00b"):
            with pytest.raises(Invalid):
                cases.close_case(dollars.id, "by_hand", "x", paid_as=paid_as, by=BOTH, at=NOON)
        with pytest.raises(Invalid):
            cases.close_case(dollars.id, "stands", "x", paid_as="TT 7788", by=BOTH, at=NOON)
    done = cases.close_case(dollars.id, "by_hand", "已电汇", paid_as=" TT 7788 ", by=BOTH, at=NOON)
    assert (done.resolution, done.paid_as, done.closed_by) == ("by_hand", "TT 7788", str(BOTH))
    with pytest.raises(IntegrityError, match="what_is_paid_by_hand_is_said_by_two"), transaction.atomic():
        Case.objects.filter(pk=done.pk).update(closed_by=str(LIN))


def test_a_reference_closes_one_case_and_no_wallet_withdrawal(dollars: Case, power_bank: Shop) -> None:
    other, _row = unpaid_refund(power_bank)
    cases.close_case(dollars.id, "by_hand", "x", paid_as="TT 7788", by=BOTH, at=NOON)
    with assert_unchanged(), pytest.raises(ReferenceReused):
        cases.close_case(other.id, "by_hand", "x", paid_as="TT 7788", by=BOTH, at=NOON)
    with pytest.raises(ReferenceReused), transaction.atomic():
        wallets.ensure_reference_unused("TT 7788")


def test_paid_by_hand_is_paid_once_whatever_the_channel_reports_later(power_bank: Shop) -> None:
    case, row = unpaid_refund(power_bank)
    resolve_break(row.id, Break.Resolution.SUSPENSE, "x", by=BY, at=NEXT_DAY)
    before = balances(power_bank)
    assert before["suspense"] == 200
    cases.close_case(case.id, "by_hand", "x", paid_as="TT 1", by=BOTH, at=NEXT_DAY)
    assert "suspense" not in balances(power_bank)
    assert balances(power_bank)["clearing:sandbox"] == before["clearing:sandbox"] - 200, "it has left the house now"
    assert case.refund_part is not None
    assert not Wallet.objects.filter(pk=case.refund_part.refund.person_id, balance_minor__gt=0).exists()
    again = MovementReport(case.refund_part.id, Declined("y", FailureClass.HARD), "query")
    REFUND_PARTS.settle_all([again], by=BY, at=NOON)
    for other in Case.objects.filter(kind=case.kind, closed_at=None):
        with assert_unchanged(), pytest.raises(CaseUnfit):
            cases.close_case(other.id, "wallet", "x", by=BOTH, at=NEXT_DAY)


def test_missing_line_cannot_be_moved_to_suspense_after_payment_by_hand(power_bank: Shop) -> None:
    case, row = unpaid_refund(power_bank)
    cases.close_case(case.id, "by_hand", "x", paid_as="TT 1", by=BOTH, at=NEXT_DAY)
    with assert_unchanged(), pytest.raises(NothingToPost):
        resolve_break(row.id, Break.Resolution.SUSPENSE, "x", by=BY, at=NEXT_DAY)


def test_console_form_asks_for_the_reference_and_an_approval(
    dollars: Case, console_client: Callable[..., Client]
) -> None:
    finance, supervisor = console_client("finance"), console_client("supervisor")
    path = f"/ops/do/{dollars.public_id}/close_case"
    assert "银行流水号" in page_text(finance.get(path))
    row = propose_on_page(finance, path, resolution="by_hand", paid_as="TT 9", note="钱包不支持美元，已电汇")
    assert decide_on_page(supervisor, row).status_code == 302
    closed = Case.objects.get()
    assert (closed.resolution, closed.paid_as) == ("by_hand", "TT 9")
    assert "TT 9" in page_text(finance.get(f"/ops/case/{dollars.public_id}"))
