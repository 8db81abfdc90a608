"""If each query runs into its time limit, the answers so far are kept, and the rest is polled again soon."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from billing import channels, rules
from billing.channels.sandbox import SandboxChannel
from billing.models import Deduction, Payout, RefundPart
from billing.services.deduct import deduct_due
from billing.services.movement_polling import poll_payouts, poll_refund_parts
from billing.services.outcome_polling import poll_deductions
from billing.services.payout_accounts import AccountDetails, approve_payout_account, request_payout_account
from kernel.actor import Actor
from tests.billing.helpers import issue_refund, paid_order
from tests.conftest import NOON, Shop, make_due_order, make_person, yuan
from tests.settlement.helpers import MIDNIGHT, ONE_DAY, settle_and_pay_out

SOON = NOON + timedelta(seconds=70)


class Clock:
    """A clock that advances only while the bank is queried."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def monotonic(self) -> float:
        return self.seconds


@pytest.fixture(autouse=True)
def _slow_bank(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each query takes a third of the lease."""
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
        make_due_order(shop, make_person(shop, "timeout_then_paid"), yuan("6"))
    deduct_due(shop.realm_id, at=NOON)


def refunds(shop: Shop) -> None:
    for _ in range(3):
        issue_refund(paid_order(shop, behaviour="timeout_then_paid"), "2")


@pytest.mark.parametrize(
    ("model", "make", "ask"), [(Deduction, deductions, poll_deductions), (RefundPart, refunds, poll_refund_parts)]
)
def test_answers_in_time_are_applied_and_the_rest_is_polled_next(
    power_bank: Shop, model: Any, make: Callable[[Shop], None], ask: Callable[..., int]
) -> None:
    make(power_bank)
    assert ask(power_bank.realm_id, at=SOON) == 3
    (left,) = model.objects.filter(state="unknown")
    assert (left.asks, left.ask_at) == (0, SOON)
    assert ask(power_bank.realm_id, at=SOON) == 1
    assert not model.objects.filter(state="unknown").exists()


def test_the_same_holds_for_payouts(power_bank: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    account = AccountDetails(holder="来电科技有限公司", bank="招商银行", number="6222021234560003")
    asked = request_payout_account(power_bank.merchant.id, account, by=Actor.system("she"), at=NOON - 2 * ONE_DAY)
    approve_payout_account(asked.id, by=Actor.system("he"), at=NOON - 2 * ONE_DAY)
    paid_order(power_bank)
    settle_and_pay_out(power_bank, MIDNIGHT)
    later = MIDNIGHT + timedelta(hours=1)
    with monkeypatch.context() as broken:
        broken.setattr(rules, "SEND_LEASE", timedelta(0))
        poll_payouts(power_bank.realm_id, at=later)
    payout = Payout.objects.get()
    assert (payout.state, payout.asks, payout.ask_at) == ("unknown", 0, later)
    poll_payouts(power_bank.realm_id, at=later)
    assert Payout.objects.get().state == "succeeded"
