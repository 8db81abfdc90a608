"""Stored value of a person who left: paying it out needs dual approval."""

from collections.abc import Callable
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from django.test import Client

from billing.models import Wallet, WalletEntry
from billing.refusals import ReferenceReused
from billing.services import wallets
from billing.services.instruments import open_wallet
from kernel.actor import Actor
from kernel.refusal import ApprovalRequired, NotFound
from orders.models import Order
from personal import rules
from personal.services import erasures
from tests.billing.helpers import balances, paid_order
from tests.conftest import BY, NOON, Shop, yuan
from tests.console.conftest import page_text
from tests.office.approval_helpers import decide_on_page, propose_on_page
from tests.unchanged import assert_unchanged

NOW = datetime.now(UTC)  # noqa: TID251  days of an erasure are days of real time
BOTH = Actor.staff(uuid4()).approved_by(Actor.staff(uuid4()))


def left(shop: Shop) -> Order:
    order = paid_order(shop)
    open_wallet(order.person, at=NOON)
    erasures.request_erasure(order.person_id, by=BY, at=NOW)
    assert erasures.erase_due(at=NOW + rules.ERASURE_DELAY) == 1
    wallets.top_up(order.person_id, yuan("2"), f"top-up {order.id.hex}", at=NOON)
    return order


def test_two_colleagues_pay_it_out(power_bank: Shop, console_client: Callable[..., Client]) -> None:
    person = left(power_bank).person
    finance, supervisor = console_client("finance"), console_client("supervisor")
    path = f"/ops/do/{person.public_id}/pay_out_left"
    assert "付出用户注销后退回的款项" in page_text(finance.get(f"/ops/person/{person.public_id}"))
    row = propose_on_page(finance, path, reference="银行 7788", note="来信要求")
    assert Wallet.objects.get(pk=person.id).balance_minor == 200
    assert decide_on_page(supervisor, row).status_code == 302
    assert Wallet.objects.get(pk=person.id).balance_minor == 0
    assert WalletEntry.objects.latest("id").kind == WalletEntry.WITHDRAWN
    assert "wallet" not in balances(power_bank)
    assert finance.get(path).status_code == 404


def test_paying_out_needs_approval_and_an_erased_person(power_bank: Shop) -> None:
    here, gone = paid_order(power_bank).person, left(power_bank)
    open_wallet(here, at=NOON)
    wallets.top_up(here.id, yuan("1"), "top-up 1", at=NOON)
    with assert_unchanged():
        with pytest.raises(ApprovalRequired):
            wallets.pay_out_remaining(gone.person_id, "x", by=Actor.staff(uuid4()), at=NOON)
        with pytest.raises(NotFound):
            wallets.pay_out_remaining(here.id, "x", by=BOTH, at=NOON)
    wallets.pay_out_remaining(gone.person_id, "x", by=BOTH, at=NOON)
    with assert_unchanged(), pytest.raises(NotFound):
        wallets.pay_out_remaining(gone.person_id, "x", by=BOTH, at=NOON)


def test_one_payment_is_said_once(power_bank: Shop) -> None:
    first, second = left(power_bank), left(power_bank)
    wallets.pay_out_remaining(first.person_id, "x", by=BOTH, at=NOON)
    with assert_unchanged(), pytest.raises(ReferenceReused):
        wallets.pay_out_remaining(second.person_id, "x", by=BOTH, at=NOON)
