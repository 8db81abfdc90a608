"""Labels of wallets and sandbox cards in notices are in the reader's language."""

import pytest

from accounts.models import Notice, Person, User
from billing.services.deduct import deduct_due
from billing.services.instruments import open_wallet
from billing.services.pay import pay_now
from billing.services.wallets import top_up
from tests.billing.test_home_page import home
from tests.browsing import freeze_clock
from tests.conftest import BY, NOON, Shop, make_due_order, make_person, yuan

pytestmark = pytest.mark.django_db


def reads(person: Person, language: str) -> None:
    User.objects.filter(pk=person.user_id).update(language=language)


@pytest.mark.parametrize(("language", "told"), [("en", "deducted from your wallet"), ("zh-hans", "从 钱包余额 扣款")])
def test_the_label_of_a_wallet_payment(power_bank: Shop, language: str, told: str) -> None:
    person = make_person(power_bank, "no_funds")
    reads(person, language)
    order = make_due_order(power_bank, person, yuan("5"))
    open_wallet(person, at=NOON)
    top_up(person.id, yuan("5"), "bank 1", at=NOON)
    pay_now(order.id, instrument_id=person.instruments.get(channel="wallet").id, by=BY, at=NOON)
    assert told in Notice.objects.get(stage="debit_succeeded").body


def test_the_label_of_a_closed_card(power_bank: Shop) -> None:
    person = make_person(power_bank, "hard_decline")
    reads(person, "en")
    make_due_order(power_bank, person, yuan("5"))
    deduct_due(power_bank.realm_id, at=NOON)
    assert "could not be deducted from Sandbox bank card:" in Notice.objects.get(stage="debit_failed").body
    freeze_clock(NOON, person)
    assert "nothing more is deducted from it: Sandbox bank card ·" in home(person, "en")
    assert "不会再从中扣款： 沙箱银行卡" in home(person)
