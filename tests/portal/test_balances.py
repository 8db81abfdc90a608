"""A merchant's balances equal the sum of all its postings, however much was added up before."""

from collections import Counter
from importlib import import_module
from uuid import UUID

import pytest

from billing import rules
from billing.models import Standing
from billing.services import settlements
from billing.services.deduct import deduct_due
from bnpl.invariants import find_violations
from kernel.ids import uuid7
from kernel.money import Money
from ledger import accounts as chart
from ledger import services as ledger
from ledger.models import Posting
from merchants.services.commercial_terms import hold_reserve
from portal import balances
from tests.billing.helpers import issue_refund, paid_order
from tests.conftest import BY, NOON, Shop, make_due_order, make_person, yuan
from tests.db_errors import execute_sql
from tests.settlement.helpers import MIDNIGHT, ONE_DAY, payouts_received, settle_and_pay_out
from tests.unchanged import assert_unchanged


def whole(shop: Shop) -> list[tuple[int, ...]]:
    """The same, line by line from the first posting on."""
    found: dict[str, Counter[str]] = {}
    for posting in Posting.objects.all():
        for sign, owner, account, other in (
            (1, posting.credit_owner, posting.credit_account, posting.debit_account),
            (-1, posting.debit_owner, posting.debit_account, posting.credit_account),
        ):
            if owner != shop.merchant.id or account not in {"payable", "pending", "reserve"}:
                continue
            sums = found.setdefault(posting.currency, Counter())
            sums[account] += sign * posting.amount_minor
            sums["fees"] -= sign * posting.amount_minor if other == "fees" else 0
            if sign == 1 and account == "payable" and other not in {"fees", "reserve", "payouts"}:
                sums["credited"] += posting.amount_minor
    names = ("payable", "pending", "reserve", "fees", "credited")
    return [tuple(sums[name] for name in names) for _code, sums in sorted(found.items())]


def shown(shop: Shop) -> list[tuple[int, ...]]:
    return [
        (one.payable.minor, one.pending.minor, one.held.minor, one.fees.minor, one.credited.minor)
        for one in balances.balances_of(shop.merchant)
    ]


def test_what_was_added_up_and_what_came_since_is_the_whole_book(
    power_bank: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rules, "key_one_day_before", lambda key: key)  # nothing comes late here
    hold_reserve(power_bank.merchant.id, bps=1000, days=7, by=BY, at=NOON)
    kept = []
    for day in range(4):
        at = NOON + day * ONE_DAY
        order = paid_order(power_bank)
        issue_refund(order, "1")
        make_due_order(power_bank, make_person(power_bank), yuan("50"))
        assert shown(power_bank) == whole(power_bank)
        settle_and_pay_out(power_bank, MIDNIGHT + day * ONE_DAY)
        payouts_received(power_bank)
        assert shown(power_bank) == whole(power_bank)
        deduct_due(power_bank.realm_id, at=at)
        assert shown(power_bank) == whole(power_bank)
        kept.append(Standing.objects.get().below)
    assert kept == sorted(set(kept))
    assert whole(power_bank)[0] == (4970, 0, 1740, 132, 22400)
    with assert_unchanged():
        shown(power_bank)
    assert list(find_violations()) == []


@pytest.mark.breaks_invariants  # nobody ordered what is booked here
def test_a_currency_that_comes_later_begins_at_nothing(power_bank: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules, "key_one_day_before", lambda key: key)
    paid_order(power_bank)
    settle_and_pay_out(power_bank, MIDNIGHT)
    for day in (1, 2):
        move = chart.Move(chart.receivable(uuid7()), chart.payable(power_bank.merchant.id), Money(700 * day, "JPY"))
        ledger.post([ledger.JournalEntry(uuid7(), "completed", [move])], realm_id=power_bank.realm_id, at=NOON)
        settle_and_pay_out(power_bank, MIDNIGHT + day * ONE_DAY)
        assert shown(power_bank) == whole(power_bank)
        assert len(set(Standing.objects.values_list("below", flat=True))) == 1
    assert shown(power_bank)[1] == (0, 0, 0, 0, 2100)


def test_what_was_settled_before_is_added_up_by_the_migration(
    power_bank: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rules, "key_one_day_before", lambda key: key)
    monkeypatch.setattr(settlements, "roll_balances_forward", lambda *_merchant: None)
    hold_reserve(power_bank.merchant.id, bps=1000, days=7, by=BY, at=NOON)
    issue_refund(paid_order(power_bank), "1")
    settle_and_pay_out(power_bank, MIDNIGHT)
    issue_refund(paid_order(power_bank), "2")
    execute_sql(import_module("billing.migrations.0030_what_a_merchants_accounts_come_to").ADDED_UP)
    assert Standing.objects.get().credited_minor > 0
    assert shown(power_bank) == whole(power_bank)
    assert list(find_violations()) == []


def test_a_wrong_stored_sum_is_found(power_bank: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules, "key_one_day_before", lambda key: key)
    paid_order(power_bank)
    settle_and_pay_out(power_bank, MIDNIGHT)
    Standing.objects.update(fees_minor=1)
    assert [found.name for found in find_violations()] == ["merchant_balances_match_ledger"]
    Standing.objects.all().update(below=UUID(int=0), payable_minor=0, pending_minor=0, fees_minor=0, credited_minor=0)
    assert shown(power_bank) == whole(power_bank)


def test_what_may_still_come_is_not_added_up(power_bank: Shop) -> None:
    paid_order(power_bank)
    settle_and_pay_out(power_bank, MIDNIGHT)
    assert not Standing.objects.exists()
    assert shown(power_bank) == whole(power_bank)
