"""Sixty sandbox days of all kinds of orders: every settlement, line, fee, refund and balance is right to the cent."""

import os
from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import count
from typing import Any

import pytest

from billing.services.payout_accounts import AccountDetails, approve_payout_account, request_payout_account
from kernel.actor import Actor
from merchants import services as merchants
from merchants.models import Merchant
from tests.billing.helpers import balances
from tests.conftest import BY, NOON, Shop
from tests.sandbox.ci_job import START, CiJob
from tests.settlement.expected_amounts import ExpectedAccount
from tests.settlement.helpers import payouts_received

DAYS = 60
#: About as many orders; `make evidence-settlement` asks for 300.
ORDERS = int(os.environ.get("SETTLED_ORDERS", "20"))
#: While these accounts count the bank refuses, or loses its answer.
REFUSES, LOSES, TAKES = (20, "0002"), (40, "0003"), (26, "7890")
FEE_BPS, ADVANCE_FEE_BPS = 60, 100
_numbers = count(1)


class SimulatedMerchant:
    """A merchant who keeps independent books beside those of the platform."""

    def __init__(self, shop: Shop) -> None:
        Merchant.objects.filter(pk=shop.merchant.pk).update(reserve_bps=1_000, reserve_days=7)
        self.shop, self.job, self.books = shop, CiJob(shop), ExpectedAccount(reserve_bps=1_000, reserve_days=7)
        terms = {"name": "飞鸽", "mode": "dynamic", "ceiling_minor": 9900, "currency": "CNY"}
        advance = terms | {"funding": "advance", "fee_bps": ADVANCE_FEE_BPS}
        self.advance = merchants.offer_service(shop.merchant.id, advance, by=BY, at=NOON).public_id
        self.later: dict[int, list[Callable[[], None]]] = {}
        self.waiting: list[tuple[str, str, int]] = []
        self.day = 0

    @property
    def now(self) -> datetime:
        return datetime.fromisoformat(START) + timedelta(days=self.day)

    def order(
        self, total: int, behaviour: str = "pays", *, advance: bool = False, **final: Any
    ) -> tuple[str, str, Any]:
        """Open and complete an order today. Returns its number, id and person."""
        person = self.job.create_person(behaviour)
        agreement = self.job.api.agreement(self.advance if advance else self.job.service, person)
        number = f"S{next(_numbers)}"
        order = self.job.open_order(person, agreement, out_order_no=number)
        assert self.job.api.post(f"orders/{order}/complete", {"total": total, **final}).status_code == 200
        if advance:
            self.books.sale(self.now, number, total, ADVANCE_FEE_BPS)
        elif behaviour == "pays":
            self.books.sale(self.now, number, total, FEE_BPS)
        elif behaviour != "hard_decline":
            self.waiting.append((order, number, total))
        return number, order, person

    def refund(self, number: str, order: str, kept: int, amount: int, *, fails: bool = False) -> None:
        answer = self.job.api.post(f"orders/{order}/refunds", {"amount": amount, "reason": "x"})
        assert answer.json()["state"] == ("failed" if fails else "succeeded"), answer.content
        self.books.refund(self.now, number, kept, amount, FEE_BPS, fails=fails)

    def place_order(self, kind: int, total: int) -> None:
        """Place an order of one of twelve kinds, and schedule what happens to it two days later."""
        due = {"due_at": (self.now + timedelta(days=9)).isoformat()}
        soon = self.later.setdefault(self.day + 2, [])
        if kind in (1, 9, 11):
            number, order, person = self.order(total)
            amount = total if kind == 9 else total // 3
            if kind == 11:
                soon.append(lambda: self._close_bank_account(person))
            soon.append(lambda: self.refund(number, order, total, amount, fails=kind == 11))
        elif kind in (3, 7, 8):
            number, order, _person = self.order(total, advance=True, **due)
            to = {3: total // 2, 7: None, 8: 0}[kind]
            soon.append(lambda: self._change_order(number, order, total, to))
        else:
            behaviour = {4: "no_funds_until", 5: "no_funds", 6: "hard_decline", 10: "timeout_then_paid"}.get(
                kind, "pays"
            )
            self.order(total, behaviour, advance=kind in (2, 5))

    def _close_bank_account(self, person: Any) -> None:
        self.job.api.patch(f"sandbox/people/{person['id']}", {"behaviour": "hard_decline"})

    def _change_order(self, number: str, order: str, total: int, to: int | None) -> None:
        """Reduce or cancel an order paid at completion, or mark it as paid elsewhere, where our fee stays."""
        if to is None:
            paid = {"paid_at": self.now.isoformat(), "reference": number}
            assert self.job.api.post(f"orders/{order}/mark_paid", paid).status_code == 200
            self.books.add(self.now, number, adjustment=-total)
            return
        verb, body = ("modify", {"total": to, "reason": "x"}) if to else ("cancel", {"reason": "x"})
        assert self.job.api.post(f"orders/{order}/{verb}", body).status_code == 200
        self.books.reduce(self.now, number, total, to, ADVANCE_FEE_BPS)

    def change_payout_account(self, ending: str) -> None:
        account = AccountDetails(holder="来电", bank="招商银行", number=f"622202123456{ending}")
        row = request_payout_account(self.shop.merchant.id, account, by=Actor.system("she"), at=self.now)
        approve_payout_account(row.id, by=Actor.system("he"), at=self.now)

    def run(self) -> None:
        accounts = {day - 1: ending for day, ending in (REFUSES, LOSES, TAKES)}
        for self.day in range(DAYS):
            for act in self.later.pop(self.day, []):
                act()
            if self.day in accounts:
                self.change_payout_account(accounts[self.day])
            for place in range(self.day * ORDERS // DAYS, (self.day + 1) * ORDERS // DAYS):
                self.place_order(place % 12, 500 + place * 37 % 900)
            self.job.advance("P1D")
        for order, number, total in self.waiting:  # when such an account has money is the plan's affair
            paid_at = self.job.get_order(order)["deducted_at"]
            if paid_at:
                self.books.sale(datetime.fromisoformat(paid_at), number, total, FEE_BPS)


@pytest.mark.django_db
def test_sixty_days_are_settled_to_the_cent(power_bank: Shop) -> None:
    merchant = SimulatedMerchant(power_bank)
    merchant.run()
    begin = datetime.fromisoformat(START)
    midnight = begin.replace(hour=16)

    def bounces(cut: datetime) -> bool:
        return begin + timedelta(days=REFUSES[0]) <= cut < begin + timedelta(days=TAKES[0])

    expected = merchant.books.settle(midnight, DAYS, bounces)
    settlements = fetch_all(merchant.job, "settlements")[::-1]
    assert [datetime.fromisoformat(one["period_end"]) for one in settlements] == [day.cutoff for day in expected]
    for one, day in zip(settlements, expected, strict=True):
        amounts = [
            one[name] for name in ("gross", "fees", "refunds", "adjustments", "reserve", "carried", "net", "state")
        ]
        kinds = ("gross", "fee", "refund", "adjustment", "reserve", "carried")
        assert amounts == [*map(day.total, kinds), day.total(), day.state], day.cutoff
        lines = fetch_all(merchant.job, f"settlements/{one['id']}/lines")
        shown = sorted((line["kind"], line["out_order_no"] or "", line["amount"]) for line in lines)
        assert shown == sorted(day.lines), day.cutoff
    paid = [day.total() for day in expected if day.state == "paid"]
    assert payouts_received(power_bank) == paid
    last = expected[-1]
    late = sum(entry.amount for entry in merchant.books.entries if entry.at >= midnight + timedelta(days=DAYS - 1))
    book = balances(power_bank)
    carried = 0 if last.state == "paid" else last.total()
    assert book.get("payable", 0) == carried + late
    assert book.get("reserve", 0) == -sum(day.total("reserve") for day in expected)
    assert book["fees"] == -sum(entry.amount for entry in merchant.books.entries if entry.kind == "fee")
    assert {"failed", "paid"} <= {day.state for day in expected}
    assert any(day.total() < 0 for day in expected) or any(day.total("carried") for day in expected)


def fetch_all(job: CiJob, path: str) -> list[dict[str, Any]]:
    """All items of a paginated list."""
    found, cursor = [], ""
    while True:
        page = job.api.get(path, QUERY_STRING=f"limit=100{cursor}").json()
        found += page["data"]
        if page["next_cursor"] is None:
            return found
        cursor = f"&cursor={page['next_cursor']}"
