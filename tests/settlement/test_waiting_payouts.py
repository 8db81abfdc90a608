"""A settlement that cannot be paid out waits by itself and does not stop the others."""

from datetime import datetime
from functools import partial
from typing import Any
from uuid import uuid4

import pytest

from billing import channels
from billing.models import Payout, Settlement
from billing.rules import PAYOUT_ACCOUNT_DELAY
from billing.services.payout_accounts import AccountDetails, approve_payout_account, request_payout_account
from billing.services.payouts import RETRY_AFTER, pay_out_due
from billing.services.settlements import settle_due
from bnpl.invariants import find_violations
from kernel import encryption
from kernel.actor import Actor
from ledger import accounts as book
from ledger.services import JournalEntry, post
from tests.billing.helpers import balances, paid_order
from tests.conftest import NOON, Shop, yuan
from tests.settlement.helpers import MIDNIGHT, ONE_DAY, payouts_received
from tests.threads import pause_before, run_concurrently

SHE, HE = Actor.system("she"), Actor.system("he")
ACCOUNT = AccountDetails(holder="来电科技有限公司", bank="招商银行", number="6222021234567890")


def settlement_states() -> list[str]:
    return list(Settlement.objects.order_by("id").values_list("state", flat=True))


def test_undecryptable_account_does_not_stop_other_payouts(power_bank: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    before, after = NOON - 2 * ONE_DAY, MIDNIGHT + ONE_DAY
    asked = request_payout_account(power_bank.merchant.id, ACCOUNT, by=SHE, at=before)
    approve_payout_account(asked.id, by=HE, at=before)
    paid_order(power_bank)
    settle_due(power_bank.realm_id, at=MIDNIGHT)
    paid_order(power_bank, "9")
    settle_due(power_bank.realm_id, at=after)
    unseal, failures = encryption.unseal, [KeyError("a key that is gone")]

    def fails_once(*values: Any, **more: Any) -> str:
        if failures:
            raise failures.pop()
        return unseal(*values, **more)

    monkeypatch.setattr(encryption, "unseal", fails_once)
    owed = balances(power_bank)["payable"]
    assert pay_out_due(power_bank.realm_id, at=after) == Settlement.objects.count()
    first = Settlement.objects.earliest("id")
    assert (first.state, first.pay_at) == ("closed", after + RETRY_AFTER)
    assert (settlement_states(), Payout.objects.count()) == (["closed", "paid"], 1)
    assert first.history.latest("id").kind == "account_not_opened"
    assert balances(power_bank)["payable"] == owed - Payout.objects.get().amount_minor
    pay_out_due(power_bank.realm_id, at=after + RETRY_AFTER)
    assert (settlement_states(), len(payouts_received(power_bank))) == (["paid", "paid"], 2)


@pytest.mark.breaks_invariants  # money that no order stands behind
@pytest.mark.django_db(transaction=True)
def test_account_approved_concurrently_pays_the_settlement(power_bank: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(channels.PAYOUT_CHANNEL_BY_MODE, "live", "sandbox")
    merchant = power_bank.live
    came_in = book.Move(book.clearing("sandbox"), book.payable(merchant.id), yuan("6"))
    post([JournalEntry(uuid4(), "collected", [came_in])], realm_id=merchant.realm_id, at=merchant.created_at)
    at = merchant.created_at + 2 * ONE_DAY
    settle_due(merchant.realm_id, at=at)
    asked = request_payout_account(merchant.id, ACCOUNT, by=SHE, at=at)
    with pause_before(Settlement, "record") as halt:
        agree = partial(halt.run_while_paused, partial(approve_payout_account, asked.id, by=HE, at=at))
        run_concurrently(partial(pay_out_due, merchant.realm_id, at=at), agree)
    row = Settlement.objects.get(merchant=merchant)
    assert (row.state, row.pay_at) == ("closed", at + PAYOUT_ACCOUNT_DELAY)


def credit_merchant(shop: Shop, amount: str, at: datetime) -> None:
    """The live merchant is owed so much more, or less, without any order."""
    there, here = book.clearing("sandbox"), book.payable(shop.live.id)
    less, much = amount.startswith("-"), yuan(amount.removeprefix("-"))
    move = book.Move(here, book.SUSPENSE, much) if less else book.Move(there, here, much)
    post([JournalEntry(uuid4(), "refund_asked" if less else "collected", [move])], realm_id=shop.live.realm_id, at=at)


def settle_and_pay_out_live(shop: Shop, at: datetime) -> None:
    settle_due(shop.live.realm_id, at=at)
    pay_out_due(shop.live.realm_id, at=at)


def approved_account(shop: Shop, at: datetime) -> None:
    """Two people of the live merchant agree on an account; it counts a day later."""
    asked = request_payout_account(shop.live.id, ACCOUNT, by=SHE, at=at)
    approve_payout_account(asked.id, by=HE, at=at)


@pytest.mark.breaks_invariants  # money that no order stands behind
def test_settlement_waits_for_a_channel_and_records_it_once(power_bank: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    begun = power_bank.live.created_at
    approved_account(power_bank, begun)
    credit_merchant(power_bank, "6", begun)
    for day in range(2, 5):
        settle_and_pay_out_live(power_bank, begun + day * ONE_DAY)
    row = Settlement.objects.get()
    assert (row.state, row.pay_at) == ("closed", begun + 4 * ONE_DAY + RETRY_AFTER)
    assert [line.kind for line in row.history.all()] == ["opened", "closed", "waits_for_channel"]
    monkeypatch.setitem(channels.PAYOUT_CHANNEL_BY_MODE, "live", "sandbox")
    pay_out_due(row.realm_id, at=begun + 4 * ONE_DAY + RETRY_AFTER)
    assert (settlement_states(), Payout.objects.get().amount_minor) == (["paid"], 600)


@pytest.mark.breaks_invariants  # money that no order stands behind
@pytest.mark.parametrize(("back", "paid_out"), [("-80", [2000]), ("-100", []), ("-130", [])])
def test_merchant_in_debt_is_not_paid_an_older_settlement(
    power_bank: Shop, monkeypatch: pytest.MonkeyPatch, back: str, paid_out: list[int]
) -> None:
    monkeypatch.setitem(channels.PAYOUT_CHANNEL_BY_MODE, "live", "sandbox")
    begun = power_bank.live.created_at
    credit_merchant(power_bank, "100", begun)
    settle_and_pay_out_live(power_bank, begun + 2 * ONE_DAY)
    credit_merchant(power_bank, back, begun + 2 * ONE_DAY)
    settle_and_pay_out_live(power_bank, begun + 4 * ONE_DAY)
    assert settlement_states() == ["closed", "closed"]
    approved_account(power_bank, begun + 4 * ONE_DAY)
    for day in range(6, 9):
        settle_and_pay_out_live(power_bank, begun + day * ONE_DAY)
    assert list(Payout.objects.values_list("amount_minor", flat=True)) == paid_out
    both = Settlement.objects.latest("id")
    assert (settlement_states()[0], both.carried_minor, both.lines_count) == ("carried", both.net_minor, 2)
    assert both.net_minor == 10000 + yuan(back).minor
    assert [
        row for row in find_violations() if "settle" in row.name or "carried" in row.name or "payout" in row.name
    ] == []
