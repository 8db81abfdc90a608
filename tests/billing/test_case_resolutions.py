"""Who may get the money of a case, and who may decide it."""

from datetime import UTC, datetime
from uuid import uuid4

import pytest

from billing.channels import Declined, Succeeded
from billing.models import Case, Payout, RefundPart, Wallet
from billing.planning import FailureClass
from billing.refusals import NoWallet
from billing.services import case_resolutions, cases
from billing.services.deduction_outcomes import DeductionReport, settle_all
from billing.services.movements import MovementReport
from billing.services.payout_outcomes import PAYOUTS
from billing.services.refund_outcomes import REFUND_PARTS
from kernel.actor import Actor
from kernel.money import Money
from kernel.refusal import ApprovalRequired
from personal import rules
from personal.services import erasures
from tests.billing.helpers import balances, issue_refund, latest_deduction_of, paid_order
from tests.conftest import BY, NOON, Shop, yuan
from tests.settlement.helpers import MIDNIGHT, settle_and_pay_out
from tests.unchanged import assert_unchanged

pytestmark = pytest.mark.breaks_invariants
NOW = datetime.now(UTC)  # noqa: TID251  days of an erasure are days of real time
MEI = Actor.staff(uuid4())


def case_of_departed_person(shop: Shop) -> Case:
    order = paid_order(shop)
    erasures.request_erasure(order.person_id, by=BY, at=NOW)
    assert erasures.erase_due(at=NOW + rules.ERASURE_DELAY) == 1
    settle_all(
        [DeductionReport(latest_deduction_of(order).id, Succeeded("second", yuan("6")), "callback")], by=BY, at=NOON
    )
    return Case.objects.get(kind="taken_twice")


def case_of_refund_report(shop: Shop, answer: Succeeded | Declined, behaviour: str = "pays") -> Case:
    issue_refund(paid_order(shop, behaviour=behaviour), "2")
    REFUND_PARTS.settle_all([MovementReport(RefundPart.objects.get().id, answer, "callback")], by=BY, at=NOON)
    return Case.objects.get()


def test_wallet_of_a_closed_account_is_not_credited(power_bank: Shop) -> None:
    case = case_of_departed_person(power_bank)
    with assert_unchanged(), pytest.raises(NoWallet):
        cases.close_case(case.id, "wallet", "x", by=BY, at=NOON)
    cases.close_case(case.id, "returned", "x", by=BY, at=NOON)


def test_wallet_of_an_account_closing_concurrently_is_not_credited(
    power_bank: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = case_of_departed_person(power_bank)
    monkeypatch.setattr(case_resolutions, "require_usable_wallet", lambda *_: None)  # it was looked at before
    with assert_unchanged(), pytest.raises(NoWallet):
        cases.close_case(case.id, "wallet", "x", by=BY, at=NOON)


def test_unpaid_refund_opens_a_wallet_if_there_is_none(power_bank: Shop) -> None:
    case = case_of_refund_report(power_bank, Declined("x", FailureClass.HARD))
    cases.close_case(case.id, "wallet", "x", by=BY, at=NOON)
    assert case.refund_part is not None
    person = case.refund_part.refund.person
    assert Wallet.objects.get(pk=person.id).balance_minor == 200
    assert person.instruments.filter(channel="wallet", state="active").count() == 1
    assert (balances(power_bank)["clearing:sandbox"], balances(power_bank)["wallet"]) == (600, 200)


def test_large_moved_amount_needs_approval_for_a_small_request(power_bank: Shop) -> None:
    case = case_of_refund_report(power_bank, Succeeded("t-1", yuan("50000")), "timeout_then_paid")
    assert (case_resolutions.amount_at_stake(case), case_resolutions.needs_approval(case)) == (yuan("50000"), True)
    with assert_unchanged(), pytest.raises(ApprovalRequired):
        cases.close_case(case.id, "returned", "x", by=MEI, at=NOON)
    done = cases.close_case(case.id, "returned", "x", by=MEI.approved_by(Actor.staff(uuid4())), at=NOON)
    assert done.at_stake_minor == 5_000_000


def test_large_amount_in_another_currency_needs_approval(power_bank: Shop) -> None:
    case = case_of_refund_report(power_bank, Succeeded("t-1", Money(20_000, "USD")), "timeout_then_paid")
    assert (case_resolutions.amount_at_stake(case), case_resolutions.needs_approval(case)) == (
        Money(20_000, "USD"),
        True,
    )


def test_requested_amount_is_at_stake_when_less_moved(power_bank: Shop) -> None:
    case = case_of_refund_report(power_bank, Succeeded("t-1", yuan("0.01")), "timeout_then_paid")
    assert case_resolutions.amount_at_stake(case) == yuan("2")


def test_large_moved_payout_needs_approval_for_a_small_request(power_bank: Shop) -> None:
    paid_order(power_bank)
    settle_and_pay_out(power_bank, MIDNIGHT)
    report = MovementReport(Payout.objects.get().id, Succeeded("p-2", yuan("50000")), "callback")
    PAYOUTS.settle_all([report], by=BY, at=MIDNIGHT)
    case = Case.objects.get()
    assert (case_resolutions.amount_at_stake(case), case_resolutions.needs_approval(case)) == (yuan("50000"), True)


@pytest.mark.parametrize("resolution", ["returned", "stands"])
def test_refund_reported_in_a_currency_we_do_not_offer_can_be_closed(power_bank: Shop, resolution: str) -> None:
    case = case_of_refund_report(power_bank, Succeeded("t", Money(200, "CNH")), behaviour="slow")
    with assert_unchanged(), pytest.raises(ApprovalRequired):
        cases.close_case(case.id, resolution, "x", by=MEI, at=NOON)
    closed = cases.close_case(case.id, resolution, "x", by=BY, at=NOON)
    assert (closed.at_stake_minor, closed.at_stake_currency) == (200, "CNH")
    assert RefundPart.objects.get().state == ("succeeded" if resolution == "stands" else "failed")
