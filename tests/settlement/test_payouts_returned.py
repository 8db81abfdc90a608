"""A payout comes back days after it arrived: somebody looks, nothing more goes there, and it is owed again once."""

from datetime import timedelta
from uuid import uuid4

import pytest

from billing.channels import Declined
from billing.models import Case, Payout, Settlement
from billing.planning import Kind
from billing.refusals import CaseUnfit, PayoutNotOut, TransactionUsed
from billing.services import cases
from billing.services.movements import MovementReport
from billing.services.payout_returns import say_returned
from billing.services.payouts import OPENS_AGAIN, pay_out_due
from billing.services.settle_payouts import PAYOUTS
from kernel.actor import Actor
from kernel.refusal import Invalid, SecondNeeded
from merchants.models import Change, Event
from tests.billing.bench import balances, paid
from tests.conftest import BY, Shop, make_shop, yuan
from tests.settlement.bench import MIDNIGHT, ONE_DAY, day_ends
from tests.settlement.test_payouts import TAKES, sent_to
from tests.stillness import nothing_moves

MEI = Actor.staff(uuid4())
LATER = MIDNIGHT + timedelta(days=3)
LETTER = {"txn": "back-1", "evidence": "招商银行退汇通知 11-23"}
pytestmark = pytest.mark.breaks_the_house  # the sandbox bank never sent it back


def out(shop: Shop, amount: str = "6") -> Payout:
    sent_to(shop, TAKES)
    paid(shop, amount)
    day_ends(shop, MIDNIGHT)
    row = Payout.objects.get()
    assert row.state == "succeeded"
    return row


def test_it_is_a_case_nothing_more_goes_there_and_then_it_is_owed_again_once(power_bank: Shop) -> None:
    row = out(power_bank)
    before = balances(power_bank)
    case = say_returned(row.id, **LETTER, by=MEI, at=LATER)
    assert (case.kind, cases.at_stake(case), balances(power_bank)) == ("declined_after_payout", yuan("5.96"), before)
    assert Change.objects.get(verb="payout_returned").subject_id == row.settlement_id

    paid(power_bank, "7")
    day_ends(power_bank, LATER)
    waiting = Settlement.objects.latest("id")
    assert (waiting.state, waiting.pay_at) == ("closed", LATER + OPENS_AGAIN)
    assert waiting.history.latest("seq").kind == "account_in_question"
    with nothing_moves(), pytest.raises(PayoutNotOut):
        say_returned(row.id, txn="back-2", evidence="x", by=MEI, at=LATER)

    cases.close_case(case.id, "merchant", "账户已核实", by=MEI, at=LATER)
    assert balances(power_bank)["payable"] == waiting.net_minor + 596
    told = Event.objects.get(type="settlement.returned")
    assert (told.subject_id, told.data["net"]) == (row.settlement_id, 596)
    pay_out_due(power_bank.realm_id, at=LATER + OPENS_AGAIN)
    day_ends(power_bank, LATER + ONE_DAY)
    again = Settlement.objects.latest("id")
    assert (again.state, again.adjustments_minor, again.net_minor) == ("paid", 596, 596)
    assert "payable" not in balances(power_bank)
    with nothing_moves(), pytest.raises(PayoutNotOut):
        say_returned(row.id, txn="back-2", evidence="x", by=MEI, at=LATER + ONE_DAY)


def test_the_bank_and_a_colleague_say_so_and_it_is_owed_again_once(power_bank: Shop) -> None:
    row = out(power_bank)
    mine = say_returned(row.id, **LETTER, by=MEI, at=LATER)
    PAYOUTS.settle_all([MovementReport(row.id, Declined("account_closed", Kind.HARD), "query")], by=BY, at=LATER)
    banks = Case.objects.latest("id")
    assert banks.id != mine.id
    cases.close_case(banks.id, "merchant", "x", by=MEI, at=LATER)
    with nothing_moves(), pytest.raises(CaseUnfit):
        cases.close_case(mine.id, "merchant", "x", by=MEI, at=LATER)
    cases.close_case(mine.id, "stands", "x", by=MEI, at=LATER)
    assert balances(power_bank)["payable"] == 596


def test_money_goes_to_another_account_meanwhile_and_the_first_may_be_right_after_all(power_bank: Shop) -> None:
    row = out(power_bank)
    case = say_returned(row.id, **LETTER, by=MEI, at=LATER)
    sent_to(power_bank, "6222021234569999")
    paid(power_bank, "7")
    day_ends(power_bank, LATER)
    assert Settlement.objects.latest("id").state == "paid"
    cases.close_case(case.id, "stands", "退汇撤销", by=MEI, at=LATER)
    assert say_returned(row.id, txn="back-2", evidence="又退", by=MEI, at=LATER).closed_at is None


def test_what_did_not_arrive_cannot_come_back_and_a_word_needs_evidence(power_bank: Shop) -> None:
    row = out(power_bank)
    used = {"txn": row.channel_txn, "evidence": "x"}
    for word, refusal in ((LETTER | {"evidence": " "}, Invalid), (used, TransactionUsed)):
        with nothing_moves(), pytest.raises(refusal):
            say_returned(row.id, **word, by=MEI, at=LATER)  # type: ignore[arg-type]


def test_a_large_one_is_owed_again_by_two(db: None) -> None:
    shop = make_shop("大件", ceiling_minor=500_000)
    case = say_returned(out(shop, "2000").id, **LETTER, by=MEI, at=LATER)
    with nothing_moves(), pytest.raises(SecondNeeded):
        cases.close_case(case.id, "merchant", "x", by=MEI, at=LATER)
    cases.close_case(case.id, "merchant", "x", by=MEI.agreed(Actor.staff(uuid4())), at=LATER)
