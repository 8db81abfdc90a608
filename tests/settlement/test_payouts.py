"""Money out to a merchant: whatever the bank does, it arrives once or comes back; and no one person says where to."""

from datetime import timedelta

import pytest

from billing.channels import Taken
from billing.models import Case, Payout, PayoutAccount, Settlement
from billing.refusals import PayoutAccountAsked, PayoutAccountDecided, PayoutAccountInvalid, PayoutAccountOwn
from billing.services.ask_parts import ask_payouts
from billing.services.callbacks import deliver_sandbox_callbacks
from billing.services.movements import MovementReport
from billing.services.payout_accounts import Account, agree_payout_account, ask_payout_account, refuse_payout_account
from billing.services.settle_payouts import PAYOUTS
from kernel.actor import Actor
from merchants.models import Event
from tests.billing.bench import balances, paid
from tests.conftest import BY, NOON, Shop, yuan
from tests.settlement.bench import MIDNIGHT, ONE_DAY, arrived, day_ends, nets
from tests.stillness import nothing_moves

SHE, HE = Actor.system("she"), Actor.system("he")
TAKES = "6222 0212 3456 7890"


def account(number: str = TAKES) -> Account:
    return Account(holder="来电科技有限公司", bank="招商银行", number=number)


def sent_to(shop: Shop, number: str) -> PayoutAccount:
    """Two people agreed on it long ago."""
    before = NOON - 2 * ONE_DAY
    row = ask_payout_account(shop.merchant.id, account(number), by=SHE, at=before)
    return agree_payout_account(row.id, by=HE, at=before)


@pytest.mark.parametrize("ending", ["0003", "0005"])
def test_an_answer_that_is_lost_is_asked_for_and_nothing_is_paid_twice(power_bank: Shop, ending: str) -> None:
    sent_to(power_bank, f"622202123456{ending}")
    paid(power_bank)
    day_ends(power_bank, MIDNIGHT)
    assert (Payout.objects.get().state, Settlement.objects.get().state) == ("unknown", "paying")
    assert balances(power_bank)["payouts"] == 596
    assert not Event.objects.filter(type="settlement.paid").exists()
    realm, later = power_bank.merchant.realm, MIDNIGHT + ONE_DAY
    realm.frozen_at = later
    deliver_sandbox_callbacks(realm, real=later)
    ask_payouts(power_bank.realm_id, at=later)
    assert (Payout.objects.get().state, Settlement.objects.get().state) == ("succeeded", "paid")
    assert arrived(power_bank) == [596]
    with nothing_moves():
        assert ask_payouts(power_bank.realm_id, at=later + ONE_DAY) == 0


def test_one_that_never_arrived_is_closed_given_up_and_sent_again_with_the_next_settlement(power_bank: Shop) -> None:
    sent_to(power_bank, "6222021234560004")
    paid(power_bank)
    day_ends(power_bank, MIDNIGHT)
    for minutes in (10, 20, 40, 120):
        ask_payouts(power_bank.realm_id, at=MIDNIGHT + timedelta(minutes=minutes))
    assert (Payout.objects.get().state, Settlement.objects.get().state) == ("not_sent", "failed")
    assert balances(power_bank) == {"clearing:sandbox": 600, "fees": 4, "payable": 596}
    day_ends(power_bank, MIDNIGHT + ONE_DAY)
    latest = Settlement.objects.latest("id")
    assert (latest.state, latest.carried_minor, nets(power_bank), arrived(power_bank)) == (
        "paid",
        596,
        [596, 596],
        [596],
    )


def test_a_closed_account_sends_it_back_each_day_until_there_is_another(power_bank: Shop) -> None:
    sent_to(power_bank, "6222021234560002")
    paid(power_bank)
    for day in range(3):
        day_ends(power_bank, MIDNIGHT + day * ONE_DAY)
    assert list(Settlement.objects.order_by("id").values_list("state", flat=True)) == ["failed"] * 3
    assert (nets(power_bank), arrived(power_bank)) == ([596] * 3, [])
    row = ask_payout_account(power_bank.merchant.id, account(), by=SHE, at=MIDNIGHT)
    agree_payout_account(row.id, by=HE, at=MIDNIGHT + 2 * ONE_DAY)
    day_ends(power_bank, MIDNIGHT + 3 * ONE_DAY)
    assert arrived(power_bank) == [596]
    assert Payout.objects.latest("id").account_id == row.id


def test_a_bank_that_contradicts_itself_makes_a_case(power_bank: Shop) -> None:
    paid(power_bank)
    day_ends(power_bank, MIDNIGHT)
    payout = Payout.objects.get()
    for _ in range(2):
        PAYOUTS.settle_all([MovementReport(payout.id, Taken("sb_x", yuan("5.96")), "query")], by=BY, at=MIDNIGHT)
    assert [case.kind for case in Case.objects.all()] == ["paid_out_twice"]
    assert balances(power_bank)["suspense"] == -596


def test_nobody_says_alone_where_the_money_goes(power_bank: Shop) -> None:
    row = ask_payout_account(power_bank.merchant.id, account(), by=SHE, at=NOON)
    assert (row.number_masked, row.number) == ("•••• 7890", TAKES.replace(" ", ""))
    assert b"7890" not in bytes(row.number_sealed)
    with nothing_moves():
        with pytest.raises(PayoutAccountAsked):
            ask_payout_account(power_bank.merchant.id, account(), by=HE, at=NOON)
        with pytest.raises(PayoutAccountOwn):
            agree_payout_account(row.id, by=SHE, at=NOON)
        with pytest.raises(PayoutAccountInvalid) as wrong:
            ask_payout_account(power_bank.merchant.id, Account(holder="", bank="x" * 81, number="1"), by=HE, at=NOON)
    assert {error.pointer for error in wrong.value.errors} == {"/holder", "/bank", "/number"}
    agreed = agree_payout_account(row.id, by=HE, at=NOON)
    assert agreed.effective_at == NOON + ONE_DAY
    with nothing_moves(), pytest.raises(PayoutAccountDecided):
        refuse_payout_account(row.id, by=HE, at=NOON)


def test_an_account_counts_only_after_its_day(power_bank: Shop) -> None:
    paid(power_bank)
    row = ask_payout_account(power_bank.merchant.id, account(), by=SHE, at=NOON)
    agree_payout_account(row.id, by=HE, at=NOON)
    day_ends(power_bank, MIDNIGHT)
    assert Payout.objects.get().account is None
