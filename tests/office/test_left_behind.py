"""What came back into the stored value of somebody who had left: two colleagues pay it out and say so."""

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
from kernel.refusal import NotFound, SecondNeeded
from orders.models import Order
from personal import rules
from personal.services import erase
from tests.billing.bench import balances, paid
from tests.conftest import BY, NOON, Shop, yuan
from tests.console.conftest import words_of
from tests.office.seconds import asked, decided
from tests.stillness import nothing_moves

NOW = datetime.now(UTC)  # noqa: TID251  days of an erasure are days of real time
BOTH = Actor.staff(uuid4()).agreed(Actor.staff(uuid4()))


def left(shop: Shop) -> Order:
    order = paid(shop)
    open_wallet(order.person, at=NOON)
    erase.ask_erasure(order.person_id, by=BY, at=NOW)
    assert erase.erase_due(at=NOW + rules.ERASURE_WAITS) == 1
    wallets.top_up(order.person_id, yuan("2"), f"top-up {order.id.hex}", at=NOON)
    return order


def test_two_colleagues_pay_it_out(power_bank: Shop, at_desk: Callable[..., Client]) -> None:
    person = left(power_bank).person
    finance, boss = at_desk("finance"), at_desk("supervisor")
    path = f"/ops/do/{person.public_id}/pay_out_left"
    assert "付出用户注销后退回的款项" in words_of(finance.get(f"/ops/person/{person.public_id}"))
    row = asked(finance, path, reference="银行 7788", note="来信要求")
    assert Wallet.objects.get(pk=person.id).balance_minor == 200
    assert decided(boss, row).status_code == 302
    assert Wallet.objects.get(pk=person.id).balance_minor == 0
    assert WalletEntry.objects.latest("id").kind == WalletEntry.TAKEN_OUT
    assert "wallet" not in balances(power_bank)
    assert finance.get(path).status_code == 404


def test_nobody_alone_and_of_nobody_who_is_here(power_bank: Shop) -> None:
    here, gone = paid(power_bank).person, left(power_bank)
    open_wallet(here, at=NOON)
    wallets.top_up(here.id, yuan("1"), "top-up 1", at=NOON)
    with nothing_moves():
        with pytest.raises(SecondNeeded):
            wallets.pay_out_left(gone.person_id, "x", by=Actor.staff(uuid4()), at=NOON)
        with pytest.raises(NotFound):
            wallets.pay_out_left(here.id, "x", by=BOTH, at=NOON)
    wallets.pay_out_left(gone.person_id, "x", by=BOTH, at=NOON)
    with nothing_moves(), pytest.raises(NotFound):
        wallets.pay_out_left(gone.person_id, "x", by=BOTH, at=NOON)


def test_one_payment_is_said_once(power_bank: Shop) -> None:
    first, second = left(power_bank), left(power_bank)
    wallets.pay_out_left(first.person_id, "x", by=BOTH, at=NOON)
    with nothing_moves(), pytest.raises(ReferenceReused):
        wallets.pay_out_left(second.person_id, "x", by=BOTH, at=NOON)
