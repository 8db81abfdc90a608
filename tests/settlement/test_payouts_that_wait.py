"""A settlement that cannot be paid out now waits by itself, and keeps no other waiting."""

from datetime import datetime
from functools import partial
from typing import Any
from uuid import uuid4

import pytest

from billing import channels
from billing.models import Payout, Settlement
from billing.rules import ACCOUNT_WAITS
from billing.services.payout_accounts import Account, agree_payout_account, ask_payout_account
from billing.services.payouts import OPENS_AGAIN, pay_out_due
from billing.services.settlement import settle_due
from bnpl.invariants import violations
from kernel import encryption
from kernel.actor import Actor
from ledger import rules as book
from ledger.services import Fact, post
from tests.billing.bench import balances, paid
from tests.conftest import NOON, Shop, yuan
from tests.settlement.bench import MIDNIGHT, ONE_DAY, arrived
from tests.threads import at_once, halted

SHE, HE = Actor.system("she"), Actor.system("he")
ACCOUNT = Account(holder="来电科技有限公司", bank="招商银行", number="6222021234567890")


def states() -> list[str]:
    return list(Settlement.objects.order_by("id").values_list("state", flat=True))


def test_an_account_that_does_not_open_keeps_no_other_settlement_from_being_paid(
    power_bank: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, after = NOON - 2 * ONE_DAY, MIDNIGHT + ONE_DAY
    asked = ask_payout_account(power_bank.merchant.id, ACCOUNT, by=SHE, at=before)
    agree_payout_account(asked.id, by=HE, at=before)
    paid(power_bank)
    settle_due(power_bank.realm_id, at=MIDNIGHT)
    paid(power_bank, "9")
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
    assert (first.state, first.pay_at) == ("closed", after + OPENS_AGAIN)
    assert (states(), Payout.objects.count()) == (["closed", "paid"], 1)
    assert first.history.latest("id").kind == "account_not_opened"
    assert balances(power_bank)["payable"] == owed - Payout.objects.get().amount_minor
    pay_out_due(power_bank.realm_id, at=after + OPENS_AGAIN)
    assert (states(), len(arrived(power_bank))) == (["paid", "paid"], 2)


@pytest.mark.breaks_the_house  # money that no order stands behind
@pytest.mark.django_db(transaction=True)
def test_an_account_agreed_to_while_its_settlement_is_looked_at_pays_that_settlement(
    power_bank: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(channels.PAYER_OF, "live", "sandbox")
    merchant = power_bank.live
    came_in = book.Move(book.clearing("sandbox"), book.payable(merchant.id), yuan("6"))
    post([Fact(uuid4(), "collected", [came_in])], realm_id=merchant.realm_id, at=merchant.created_at)
    at = merchant.created_at + 2 * ONE_DAY
    settle_due(merchant.realm_id, at=at)
    asked = ask_payout_account(merchant.id, ACCOUNT, by=SHE, at=at)
    with halted(Settlement, "record") as halt:
        agree = partial(halt.then, partial(agree_payout_account, asked.id, by=HE, at=at))
        at_once(partial(pay_out_due, merchant.realm_id, at=at), agree)
    row = Settlement.objects.get(merchant=merchant)
    assert (row.state, row.pay_at) == ("closed", at + ACCOUNT_WAITS)


def owed(shop: Shop, amount: str, at: datetime) -> None:
    """The live merchant is owed so much more, or less, without any order."""
    there, here = book.clearing("sandbox"), book.payable(shop.live.id)
    less, much = amount.startswith("-"), yuan(amount.removeprefix("-"))
    move = book.Move(here, book.SUSPENSE, much) if less else book.Move(there, here, much)
    post([Fact(uuid4(), "refund_asked" if less else "collected", [move])], realm_id=shop.live.realm_id, at=at)


def live_day_ends(shop: Shop, at: datetime) -> None:
    settle_due(shop.live.realm_id, at=at)
    pay_out_due(shop.live.realm_id, at=at)


def agreed(shop: Shop, at: datetime) -> None:
    """Two people of the live merchant agree on an account; it counts a day later."""
    asked = ask_payout_account(shop.live.id, ACCOUNT, by=SHE, at=at)
    agree_payout_account(asked.id, by=HE, at=at)


@pytest.mark.breaks_the_house  # money that no order stands behind
def test_what_waits_for_a_channel_is_paid_when_there_is_one_and_says_once_that_it_waits(
    power_bank: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = power_bank.live.created_at
    agreed(power_bank, begun)
    owed(power_bank, "6", begun)
    for day in range(2, 5):
        live_day_ends(power_bank, begun + day * ONE_DAY)
    row = Settlement.objects.get()
    assert (row.state, row.pay_at) == ("closed", begun + 4 * ONE_DAY + OPENS_AGAIN)
    assert [line.kind for line in row.history.all()] == ["opened", "closed", "waits_for_channel"]
    monkeypatch.setitem(channels.PAYER_OF, "live", "sandbox")
    pay_out_due(row.realm_id, at=begun + 4 * ONE_DAY + OPENS_AGAIN)
    assert (states(), Payout.objects.get().amount_minor) == (["paid"], 600)


@pytest.mark.breaks_the_house  # money that no order stands behind
@pytest.mark.parametrize(("back", "paid_out"), [("-80", [2000]), ("-100", []), ("-130", [])])
def test_who_owes_us_by_a_later_settlement_is_not_paid_an_older_one_in_full(
    power_bank: Shop, monkeypatch: pytest.MonkeyPatch, back: str, paid_out: list[int]
) -> None:
    monkeypatch.setitem(channels.PAYER_OF, "live", "sandbox")
    begun = power_bank.live.created_at
    owed(power_bank, "100", begun)
    live_day_ends(power_bank, begun + 2 * ONE_DAY)
    owed(power_bank, back, begun + 2 * ONE_DAY)
    live_day_ends(power_bank, begun + 4 * ONE_DAY)
    assert states() == ["closed", "closed"]
    agreed(power_bank, begun + 4 * ONE_DAY)
    for day in range(6, 9):
        live_day_ends(power_bank, begun + day * ONE_DAY)
    assert list(Payout.objects.values_list("amount_minor", flat=True)) == paid_out
    both = Settlement.objects.latest("id")
    assert (states()[0], both.carried_minor, both.lines_count) == ("carried", both.net_minor, 2)
    assert both.net_minor == 10000 + yuan(back).minor
    assert [row for row in violations() if "settle" in row.name or "carried" in row.name or "payout" in row.name] == []
