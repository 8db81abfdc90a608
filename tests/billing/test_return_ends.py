"""What becomes of a return: silence is a yes, a no is decided by colleagues, and in the end somebody bears it."""

import pytest

from accounts.models import Notice
from billing.channels import bank, bank_returns
from billing.models import Refund, Settlement
from billing.refusals import NotReturnable, RefundTooMuch, ReturnClosed
from billing.services.callbacks import deliver_callbacks
from billing.services.deduct import deduct_due
from billing.services.pay import pay_now
from billing.services.return_ends import bear_return, confirm_return, deny_return, refuse_return
from billing.services.returns import Parcel, open_return
from billing.services.watch_returns import watch_returns
from credit.models import Profile
from kernel.refusal import Invalid
from orders import services as orders
from orders.models import Pause
from tests.billing.bench import balances, deduction_of, give_back, owed_of, paid, token_of
from tests.billing.returning import EVERYTHING, ONE_DAY, now, sent_back, told
from tests.conftest import BY, NOON, Shop, completed, fresh, someone, yuan
from tests.settlement.bench import MIDNIGHT, day_ends
from tests.stillness import nothing_moves


def test_a_merchant_who_says_nothing_is_reminded_and_has_confirmed(power_bank: Shop) -> None:
    order = paid(power_bank)
    row = sent_back(order)
    for day in range(12):
        watch_returns(power_bank.realm_id, at=NOON + day * ONE_DAY)
    assert told(order) == ["opened", "advanced", "unanswered", "confirmed"]
    assert now(row).resolved_at == NOON + 10 * ONE_DAY
    assert [line.at for line in row.history.filter(kind="reminded")] == [NOON + 7 * ONE_DAY]
    assert balances(power_bank) == {}


def test_after_the_deadline_a_no_comes_too_late_also_before_the_ring(power_bank: Shop) -> None:
    row = sent_back(paid(power_bank))
    with nothing_moves(), pytest.raises(ReturnClosed):
        refuse_return(row.id, "空包裹", by=BY, at=NOON + 10 * ONE_DAY)


def test_what_is_refused_and_denied_the_person_owes_by_hand_and_the_merchant_keeps_their_money(
    power_bank: Shop,
) -> None:
    order = paid(power_bank)
    before, score = balances(power_bank), Profile.objects.get().score
    row = sent_back(order)
    with nothing_moves(), pytest.raises(Invalid):
        refuse_return(row.id, " ", by=BY, at=NOON)
    for _ in range(2):
        refuse_return(row.id, "空包裹", by=BY, at=NOON)
    assert Notice.objects.get(stage="return_refused").body.count("空包裹") == 1
    with nothing_moves(), pytest.raises(ReturnClosed):
        refuse_return(row.id, "另一个理由", by=BY, at=NOON)
    deny_return(row.id, "开箱录像属实", by=BY, at=NOON)

    debt = order.obligations.get(kind="advance")
    assert (debt.state, debt.owed, debt.collect_at) == ("overdue", yuan("6"), None)
    assert fresh(order.id).state == "overdue"
    left = {name: minor for name, minor in before.items() if name != "clearing:sandbox"}
    assert balances(power_bank) == left | {"receivable": 600}
    assert Profile.objects.get().score < score
    assert deduct_due(power_bank.realm_id, at=NOON + 40 * ONE_DAY) == 0, "nobody tries by himself"
    assert "6.00" in Notice.objects.get(stage="return_denied").subject
    pay_now(order.id, by=BY, at=NOON + ONE_DAY)
    assert fresh(order.id).state == "deducted"
    assert balances(power_bank) == before
    assert told(order) == ["opened", "advanced", "refused", "denied"]


def test_the_bank_takes_back_what_was_paid_for_a_denied_return_and_it_is_owed_again(power_bank: Shop) -> None:
    order = paid(power_bank)
    before = balances(power_bank)
    row = sent_back(order)
    refuse_return(row.id, "空包裹", by=BY, at=NOON)
    deny_return(row.id, "x", by=BY, at=NOON)
    (made,) = pay_now(order.id, by=BY, at=NOON)
    assert bank_returns.take_back(made.number, "no_funds", at=NOON)
    deliver_callbacks(power_bank.realm_id, at=NOON)
    assert fresh(order.id).state == "overdue"
    left = {name: minor for name, minor in before.items() if name != "clearing:sandbox"}
    assert balances(power_bank) == left | {"receivable": 600}
    orders.write_off(order.id, "gone", by=BY, at=NOON)
    assert balances(power_bank) == left | {"losses": 600}


def test_we_bear_it_or_the_merchant_does_after_all(power_bank: Shop) -> None:
    ours, theirs = paid(power_bank), paid(power_bank)
    for order, end in ((ours, bear_return), (theirs, None)):
        row = sent_back(order)
        refuse_return(row.id, "少一件", by=BY, at=NOON)
        if end:
            end(row.id, "x", by=BY, at=NOON)
        else:
            confirm_return(row.id, by=BY, at=NOON)
    assert balances(power_bank) == {"losses": 600, "payable": 596, "fees": 4}
    assert told(ours)[-1] == "borne"
    assert told(theirs)[-1] == "confirmed"
    unpaid = completed(power_bank, someone(power_bank, "no_funds"), yuan("6"))
    row = sent_back(unpaid)
    refuse_return(row.id, "x", by=BY, at=NOON)
    with nothing_moves(), pytest.raises(ReturnClosed):
        bear_return(row.id, "x", by=BY, at=NOON)
    deny_return(row.id, "x", by=BY, at=NOON)
    assert not Pause.objects.filter(ended_at=None).exists()
    assert Notice.objects.filter(stage="return_ended").count() == 1
    assert owed_of(unpaid).owed == yuan("6")


def test_what_failed_to_go_ahead_is_nothing_to_bear_and_goes_when_the_merchant_bears_it(power_bank: Shop) -> None:
    order = paid(power_bank, behaviour="hard_decline")
    row = sent_back(order)
    assert (Refund.objects.get().state, row.state) == ("failed", "advanced")
    refuse_return(row.id, "x", by=BY, at=NOON)
    with nothing_moves(), pytest.raises(ReturnClosed):
        bear_return(row.id, "neither is to blame", by=BY, at=NOON)
    bank.change_account(token_of(order), bank.Behaviour.PAYS)
    confirm_return(row.id, by=BY, at=NOON)
    assert (now(row).state, fresh(order.id).refunded_minor, balances(power_bank)) == ("confirmed", 600, {})


def test_the_person_reads_why_we_bear_it(power_bank: Shop) -> None:
    row = sent_back(paid(power_bank))
    refuse_return(row.id, "x", by=BY, at=NOON)
    bear_return(row.id, "运输途中受损", by=BY, at=NOON)
    said = Notice.objects.get(stage="return_borne")
    assert ("6.00" in said.body, "运输途中受损" in said.body) == (True, True)


def test_a_channel_takes_the_rest_back_while_a_return_is_undecided_and_the_fee_stays_exact(power_bank: Shop) -> None:
    order = paid(power_bank, "9.99")
    row = sent_back(order, 333)
    assert bank_returns.take_back(deduction_of(order).number, "no_funds", at=NOON)
    deliver_callbacks(power_bank.realm_id, at=NOON)
    pay_now(order.id, by=BY, at=NOON)
    confirm_return(row.id, by=BY, at=NOON)
    give_back(order, "6.66")
    assert balances(power_bank) == {}


def test_what_is_disputed_or_on_its_way_back_does_not_go_ahead(power_bank: Shop) -> None:
    disputed, pending = paid(power_bank, "9"), paid(power_bank, "9", "timeout_then_paid")
    give_back(disputed, "1")
    assert bank_returns.take_back(deduction_of(disputed).number, "not_received", at=NOON)
    deliver_callbacks(power_bank.realm_id, at=NOON)
    give_back(pending, "1")
    for order in (disputed, pending):
        assert sent_back(order).state == "open"


def test_what_cannot_be_sent_back_is_refused_and_moves_nothing(power_bank: Shop) -> None:
    order = paid(power_bank)
    wrong = [
        Parcel(carrier=" ", tracking_number="SF1", reason="x"),
        Parcel(carrier="x", tracking_number="一二", reason="x"),
        Parcel(carrier="x", tracking_number="1" * 41, reason="x"),
        Parcel(carrier="x", tracking_number="1", reason="x" * 101),
    ]
    with nothing_moves():
        for parcel in wrong:
            with pytest.raises(Invalid):
                open_return(order.id, parcel, by=BY, at=NOON)
        with pytest.raises(RefundTooMuch):
            sent_back(order, 601)
        with pytest.raises(NotReturnable):
            open_return(order.id, EVERYTHING, by=BY, at=NOON + 31 * ONE_DAY)


def test_a_settlement_shows_a_confirmed_return_among_its_refunds(power_bank: Shop) -> None:
    order = paid(power_bank)
    confirm_return(sent_back(order).id, by=BY, at=NOON)
    paid(power_bank, "9")
    day_ends(power_bank, MIDNIGHT)
    row = Settlement.objects.get(merchant=power_bank.merchant)
    assert (row.gross_minor, row.refunds_minor, row.net_minor) == (1500, -600, 895)
