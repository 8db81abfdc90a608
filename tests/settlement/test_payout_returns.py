"""A payout is returned days after it arrived: a case is opened, the account is blocked, and it is owed again once."""

from datetime import timedelta
from uuid import uuid4

import pytest

from billing.channels import Declined
from billing.models import Case, Payout, Settlement
from billing.planning import FailureClass
from billing.refusals import CaseUnfit, PayoutNotOut, TransactionUsed
from billing.services import case_resolutions, cases
from billing.services.movements import MovementReport
from billing.services.payout_outcomes import PAYOUTS
from billing.services.payout_returns import record_payout_return
from billing.services.payouts import RETRY_AFTER, pay_out_due
from kernel.actor import Actor
from kernel.refusal import ApprovalRequired, Invalid
from merchants.models import Change, Event
from tests.billing.helpers import balances, paid_order
from tests.conftest import BY, Shop, make_shop, yuan
from tests.settlement.helpers import MIDNIGHT, ONE_DAY, settle_and_pay_out
from tests.settlement.test_payouts import TAKES, approve_account
from tests.unchanged import assert_unchanged

MEI = Actor.staff(uuid4())
LATER = MIDNIGHT + timedelta(days=3)
LETTER = {"txn": "back-1", "evidence": "招商银行退汇通知 11-23"}
pytestmark = pytest.mark.breaks_invariants  # the sandbox bank never sent it back


def paid_out(shop: Shop, amount: str = "6") -> Payout:
    approve_account(shop, TAKES)
    paid_order(shop, amount)
    settle_and_pay_out(shop, MIDNIGHT)
    row = Payout.objects.get()
    assert row.state == "succeeded"
    return row


def test_returned_payout_opens_a_case_and_is_owed_again_once(power_bank: Shop) -> None:
    row = paid_out(power_bank)
    before = balances(power_bank)
    case = record_payout_return(row.id, **LETTER, by=MEI, at=LATER)
    assert (case.kind, case_resolutions.amount_at_stake(case), balances(power_bank)) == (
        "declined_after_payout",
        yuan("5.96"),
        before,
    )
    assert Change.objects.get(verb="payout_returned").subject_id == row.settlement_id

    paid_order(power_bank, "7")
    settle_and_pay_out(power_bank, LATER)
    waiting = Settlement.objects.latest("id")
    assert (waiting.state, waiting.pay_at) == ("closed", LATER + RETRY_AFTER)
    assert waiting.history.latest("seq").kind == "account_in_question"
    with assert_unchanged(), pytest.raises(PayoutNotOut):
        record_payout_return(row.id, txn="back-2", evidence="x", by=MEI, at=LATER)

    cases.close_case(case.id, "merchant", "账户已核实", by=MEI, at=LATER)
    assert balances(power_bank)["payable"] == waiting.net_minor + 596
    told = Event.objects.get(type="settlement.returned")
    assert (told.subject_id, told.data["net"]) == (row.settlement_id, 596)
    pay_out_due(power_bank.realm_id, at=LATER + RETRY_AFTER)
    settle_and_pay_out(power_bank, LATER + ONE_DAY)
    again = Settlement.objects.latest("id")
    assert (again.state, again.adjustments_minor, again.net_minor) == ("paid", 596, 596)
    assert "payable" not in balances(power_bank)
    with assert_unchanged(), pytest.raises(PayoutNotOut):
        record_payout_return(row.id, txn="back-2", evidence="x", by=MEI, at=LATER + ONE_DAY)


def test_return_reported_twice_is_owed_again_once(power_bank: Shop) -> None:
    row = paid_out(power_bank)
    mine = record_payout_return(row.id, **LETTER, by=MEI, at=LATER)
    PAYOUTS.settle_all(
        [MovementReport(row.id, Declined("account_closed", FailureClass.HARD), "query")], by=BY, at=LATER
    )
    banks = Case.objects.latest("id")
    assert banks.id != mine.id
    cases.close_case(banks.id, "merchant", "x", by=MEI, at=LATER)
    with assert_unchanged(), pytest.raises(CaseUnfit):
        cases.close_case(mine.id, "merchant", "x", by=MEI, at=LATER)
    cases.close_case(mine.id, "stands", "x", by=MEI, at=LATER)
    assert balances(power_bank)["payable"] == 596


def test_other_account_is_paid_while_the_first_has_an_open_return(power_bank: Shop) -> None:
    row = paid_out(power_bank)
    case = record_payout_return(row.id, **LETTER, by=MEI, at=LATER)
    approve_account(power_bank, "6222021234569999")
    paid_order(power_bank, "7")
    settle_and_pay_out(power_bank, LATER)
    assert Settlement.objects.latest("id").state == "paid"
    cases.close_case(case.id, "stands", "退汇撤销", by=MEI, at=LATER)
    assert record_payout_return(row.id, txn="back-2", evidence="又退", by=MEI, at=LATER).closed_at is None


def test_payout_return_needs_an_arrived_payout_and_evidence(power_bank: Shop) -> None:
    row = paid_out(power_bank)
    used = {"txn": row.channel_txn, "evidence": "x"}
    for word, refusal in ((LETTER | {"evidence": " "}, Invalid), (used, TransactionUsed)):
        with assert_unchanged(), pytest.raises(refusal):
            record_payout_return(row.id, **word, by=MEI, at=LATER)  # type: ignore[arg-type]


def test_large_payout_return_needs_approval(db: None) -> None:
    shop = make_shop("大件", ceiling_minor=500_000)
    case = record_payout_return(paid_out(shop, "2000").id, **LETTER, by=MEI, at=LATER)
    with assert_unchanged(), pytest.raises(ApprovalRequired):
        cases.close_case(case.id, "merchant", "x", by=MEI, at=LATER)
    cases.close_case(case.id, "merchant", "x", by=MEI.approved_by(Actor.staff(uuid4())), at=LATER)
