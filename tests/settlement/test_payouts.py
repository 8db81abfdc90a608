"""Payouts: whatever the bank does, a payout arrives once or fails; payout accounts take two people."""

from datetime import timedelta

import pytest

from billing.channels import Succeeded
from billing.models import Case, Payout, PayoutAccount, Settlement
from billing.refusals import PayoutAccountAsked, PayoutAccountDecided, PayoutAccountInvalid, PayoutAccountOwn
from billing.services.callbacks import deliver_realm_callbacks
from billing.services.movement_polling import poll_payouts
from billing.services.movements import MovementReport
from billing.services.payout_accounts import (
    AccountDetails,
    approve_payout_account,
    reject_payout_account,
    request_payout_account,
)
from billing.services.payout_outcomes import PAYOUTS
from kernel.actor import Actor
from merchants.models import Event
from tests.billing.helpers import balances, paid_order
from tests.conftest import BY, NOON, Shop, yuan
from tests.settlement.helpers import MIDNIGHT, ONE_DAY, payouts_received, settle_and_pay_out, settlement_nets
from tests.unchanged import assert_unchanged

SHE, HE = Actor.system("she"), Actor.system("he")
TAKES = "6222 0212 3456 7890"


def account_details(number: str = TAKES) -> AccountDetails:
    return AccountDetails(holder="来电科技有限公司", bank="招商银行", number=number)


def approve_account(shop: Shop, number: str) -> PayoutAccount:
    """Two people agreed on it long ago."""
    before = NOON - 2 * ONE_DAY
    row = request_payout_account(shop.merchant.id, account_details(number), by=SHE, at=before)
    return approve_payout_account(row.id, by=HE, at=before)


@pytest.mark.parametrize("ending", ["0003", "0005"])
def test_an_answer_that_is_lost_is_asked_for_and_nothing_is_paid_twice(power_bank: Shop, ending: str) -> None:
    approve_account(power_bank, f"622202123456{ending}")
    paid_order(power_bank)
    settle_and_pay_out(power_bank, MIDNIGHT)
    assert (Payout.objects.get().state, Settlement.objects.get().state) == ("unknown", "paying")
    assert balances(power_bank)["payouts"] == 596
    assert not Event.objects.filter(type="settlement.paid").exists()
    realm, later = power_bank.merchant.realm, MIDNIGHT + ONE_DAY
    realm.frozen_at = later
    deliver_realm_callbacks(realm, real=later)
    poll_payouts(power_bank.realm_id, at=later)
    assert (Payout.objects.get().state, Settlement.objects.get().state) == ("succeeded", "paid")
    assert payouts_received(power_bank) == [596]
    with assert_unchanged():
        assert poll_payouts(power_bank.realm_id, at=later + ONE_DAY) == 0


def test_unreceived_payout_fails_and_is_carried_over(power_bank: Shop) -> None:
    approve_account(power_bank, "6222021234560004")
    paid_order(power_bank)
    settle_and_pay_out(power_bank, MIDNIGHT)
    for minutes in (10, 20, 40, 120):
        poll_payouts(power_bank.realm_id, at=MIDNIGHT + timedelta(minutes=minutes))
    assert (Payout.objects.get().state, Settlement.objects.get().state) == ("not_sent", "failed")
    assert balances(power_bank) == {"clearing:sandbox": 600, "fees": 4, "payable": 596}
    settle_and_pay_out(power_bank, MIDNIGHT + ONE_DAY)
    latest = Settlement.objects.latest("id")
    assert (latest.state, latest.carried_minor, settlement_nets(power_bank), payouts_received(power_bank)) == (
        "paid",
        596,
        [596, 596],
        [596],
    )


def test_payouts_to_a_closed_account_fail_until_it_is_replaced(power_bank: Shop) -> None:
    approve_account(power_bank, "6222021234560002")
    paid_order(power_bank)
    for day in range(3):
        settle_and_pay_out(power_bank, MIDNIGHT + day * ONE_DAY)
    assert list(Settlement.objects.order_by("id").values_list("state", flat=True)) == ["failed"] * 3
    assert (settlement_nets(power_bank), payouts_received(power_bank)) == ([596] * 3, [])
    row = request_payout_account(power_bank.merchant.id, account_details(), by=SHE, at=MIDNIGHT)
    approve_payout_account(row.id, by=HE, at=MIDNIGHT + 2 * ONE_DAY)
    settle_and_pay_out(power_bank, MIDNIGHT + 3 * ONE_DAY)
    assert payouts_received(power_bank) == [596]
    assert Payout.objects.latest("id").account_id == row.id


def test_a_bank_that_contradicts_itself_makes_a_case(power_bank: Shop) -> None:
    paid_order(power_bank)
    settle_and_pay_out(power_bank, MIDNIGHT)
    payout = Payout.objects.get()
    for _ in range(2):
        PAYOUTS.settle_all([MovementReport(payout.id, Succeeded("sb_x", yuan("5.96")), "query")], by=BY, at=MIDNIGHT)
    assert [case.kind for case in Case.objects.all()] == ["paid_out_twice"]
    assert balances(power_bank)["suspense"] == -596


def test_payout_account_needs_a_second_person(power_bank: Shop) -> None:
    row = request_payout_account(power_bank.merchant.id, account_details(), by=SHE, at=NOON)
    assert (row.number_masked, row.number) == ("•••• 7890", TAKES.replace(" ", ""))
    assert b"7890" not in bytes(row.number_sealed)
    with assert_unchanged():
        with pytest.raises(PayoutAccountAsked):
            request_payout_account(power_bank.merchant.id, account_details(), by=HE, at=NOON)
        with pytest.raises(PayoutAccountOwn):
            approve_payout_account(row.id, by=SHE, at=NOON)
        with pytest.raises(PayoutAccountInvalid) as wrong:
            request_payout_account(
                power_bank.merchant.id, AccountDetails(holder="", bank="x" * 81, number="1"), by=HE, at=NOON
            )
    assert {error.pointer for error in wrong.value.errors} == {"/holder", "/bank", "/number"}
    agreed = approve_payout_account(row.id, by=HE, at=NOON)
    assert agreed.effective_at == NOON + ONE_DAY
    with assert_unchanged(), pytest.raises(PayoutAccountDecided):
        reject_payout_account(row.id, by=HE, at=NOON)


def test_payout_account_is_used_after_a_day(power_bank: Shop) -> None:
    paid_order(power_bank)
    row = request_payout_account(power_bank.merchant.id, account_details(), by=SHE, at=NOON)
    approve_payout_account(row.id, by=HE, at=NOON)
    settle_and_pay_out(power_bank, MIDNIGHT)
    assert Payout.objects.get().account is None
