"""Where a channel lets each question run into its time limit, what was heard is kept, and the rest is asked soon."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from billing import channels, rules
from billing.channels.sandbox import SandboxChannel
from billing.models import Deduction, Payout, RefundPart
from billing.services.ask import ask_unknown
from billing.services.ask_parts import ask_parts, ask_payouts
from billing.services.deduct import deduct_due
from billing.services.payout_accounts import Account, agree_payout_account, ask_payout_account
from kernel.actor import Actor
from tests.billing.bench import give_back, paid
from tests.conftest import NOON, Shop, completed, someone, yuan
from tests.settlement.bench import MIDNIGHT, ONE_DAY, day_ends

SOON = NOON + timedelta(seconds=70)


class Clock:
    """Time that passes only while the bank is asked."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def monotonic(self) -> float:
        return self.seconds


@pytest.fixture(autouse=True)
def _slow_bank(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each question takes as long as a third of the lease."""
    clock, query = Clock(), SandboxChannel.query

    def slowly(self: SandboxChannel, *values: Any, **more: Any) -> channels.Answer:
        answer = query(self, *values, **more)
        clock.seconds += 20
        return answer

    monkeypatch.setattr(rules, "SEND_LEASE", timedelta(seconds=60))
    monkeypatch.setattr(channels, "time", clock)
    monkeypatch.setattr(SandboxChannel, "query", slowly)


def deductions(shop: Shop) -> None:
    for _ in range(3):
        completed(shop, someone(shop, "timeout_then_paid"), yuan("6"))
    deduct_due(shop.realm_id, at=NOON)


def refunds(shop: Shop) -> None:
    for _ in range(3):
        give_back(paid(shop, behaviour="timeout_then_paid"), "2")


@pytest.mark.parametrize(
    ("model", "make", "ask"), [(Deduction, deductions, ask_unknown), (RefundPart, refunds, ask_parts)]
)
def test_what_was_heard_in_time_is_true_and_those_left_are_asked_in_the_next_round(
    power_bank: Shop, model: Any, make: Callable[[Shop], None], ask: Callable[..., int]
) -> None:
    make(power_bank)
    assert ask(power_bank.realm_id, at=SOON) == 3
    (left,) = model.objects.filter(state="unknown")
    assert (left.asks, left.ask_at) == (0, SOON)
    assert ask(power_bank.realm_id, at=SOON) == 1
    assert not model.objects.filter(state="unknown").exists()


def test_so_it_is_of_payouts(power_bank: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    account = Account(holder="来电科技有限公司", bank="招商银行", number="6222021234560003")
    asked = ask_payout_account(power_bank.merchant.id, account, by=Actor.system("she"), at=NOON - 2 * ONE_DAY)
    agree_payout_account(asked.id, by=Actor.system("he"), at=NOON - 2 * ONE_DAY)
    paid(power_bank)
    day_ends(power_bank, MIDNIGHT)
    later = MIDNIGHT + timedelta(hours=1)
    with monkeypatch.context() as broken:
        broken.setattr(rules, "SEND_LEASE", timedelta(0))
        ask_payouts(power_bank.realm_id, at=later)
    payout = Payout.objects.get()
    assert (payout.state, payout.asks, payout.ask_at) == ("unknown", 0, later)
    ask_payouts(power_bank.realm_id, at=later)
    assert Payout.objects.get().state == "succeeded"
