"""What a way to pay is called that only we have named is said in its reader's language."""

import pytest

from accounts.models import Notice, Person, User
from billing.services.deduct import deduct_due
from billing.services.instruments import open_wallet
from billing.services.pay import pay_now
from billing.services.wallets import top_up
from tests.billing.test_home_page import home
from tests.conftest import BY, NOON, Shop, completed, someone, yuan
from tests.visiting import it_is

pytestmark = pytest.mark.django_db


def reads(person: Person, language: str) -> None:
    User.objects.filter(pk=person.user_id).update(language=language)


@pytest.mark.parametrize(("language", "told"), [("en", "deducted from your wallet"), ("zh-hans", "从 钱包余额 扣款")])
def test_of_a_payment_out_of_a_wallet(power_bank: Shop, language: str, told: str) -> None:
    person = someone(power_bank, "no_funds")
    reads(person, language)
    order = completed(power_bank, person, yuan("5"))
    open_wallet(person, at=NOON)
    top_up(person.id, yuan("5"), "bank 1", at=NOON)
    pay_now(order.id, instrument_id=person.instruments.get(channel="wallet").id, by=BY, at=NOON)
    assert told in Notice.objects.get(stage="debit_succeeded").body


def test_of_a_card_that_its_bank_has_closed(power_bank: Shop) -> None:
    person = someone(power_bank, "hard_decline")
    reads(person, "en")
    completed(power_bank, person, yuan("5"))
    deduct_due(power_bank.realm_id, at=NOON)
    assert "could not be deducted from Sandbox bank card:" in Notice.objects.get(stage="debit_failed").body
    it_is(NOON, person)
    assert "nothing more is deducted from it: Sandbox bank card ·" in home(person, "en")
    assert "不会再从中扣款： 沙箱银行卡" in home(person)
