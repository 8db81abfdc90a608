"""Spending limits are set in a currency in which the person may owe."""

from dataclasses import replace

from accounts.models import Person
from billing.models import InstrumentChange
from billing.services.instruments import open_wallet
from merchants import services as merchants
from tests.billing.test_instruments_page import PAGE
from tests.browsing import client_for, freeze_clock, visible_text
from tests.conftest import BY, NOON, Shop, make_agreement
from tests.unchanged import assert_unchanged


def test_limits_are_in_currencies_the_person_may_owe(power_bank: Shop, ada: Person) -> None:
    """An amount that was typed is one of the currency beside it; a wallet holds one and no other."""
    freeze_clock(NOON, ada)
    browser = client_for(ada)
    make_agreement(power_bank, ada)
    page = visible_text(browser.get(PAGE))
    assert "单笔最高（人民币）" in page
    assert "币种" not in page

    terms = {"name": "東京のロッカー", "currency": "JPY", "mode": "dynamic", "ceiling_minor": 5000}
    abroad = merchants.offer_service(power_bank.merchant.id, terms, by=BY, at=NOON)
    make_agreement(replace(power_bank, service=abroad), ada)
    wallet = open_wallet(ada, at=NOON).person.instruments.get(channel="wallet")
    mine, path = ada.instruments.get(channel="sandbox"), PAGE + "{}/limit"
    assert visible_text(browser.get(PAGE)).count("币种 人民币 日元") == 1
    with assert_unchanged():  # a yen has no parts
        answer = browser.post(path.format(mine.public_id), {"most": "20.50", "currency": "JPY"})
    assert (answer.status_code, "币种 日元 人民币" in visible_text(answer)) == (422, True)
    browser.post(path.format(mine.public_id), {"most": "3000", "currency": "JPY"})
    browser.post(path.format(wallet.public_id), {"most": "30", "currency": "JPY"})
    page = browser.get(PAGE)
    assert "单笔最高 ¥30.00" in visible_text(page)
    assert "单笔最高 JP¥3,000" in visible_text(page)
    assert 'value="3000"' in page.content.decode()
    browser.post(path.format(mine.public_id), {"most": "3000", "currency": "XXX"})
    assert not InstrumentChange.objects.filter(instrument=mine, data__currency="XXX").exists()
