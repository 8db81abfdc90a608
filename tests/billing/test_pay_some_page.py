"""Paying only selected debts."""

from tests.billing.helpers import bank_debits_of
from tests.billing.test_pay_all_page import MARK, PAGE, owing
from tests.browsing import client_for, form_token, visible_text
from tests.conftest import Shop, state_of, yuan
from tests.unchanged import assert_unchanged


def test_selected_orders_are_paid_and_the_others_stay_owed(power_bank: Shop) -> None:
    person, (first, second, third) = owing(power_bank, "3", "4", "5")
    browser = client_for(person)
    page = browser.get(PAGE, {"some": "1", "order": [first.public_id, third.public_id]})
    assert "本次支付 3 笔中的 2 笔 ¥8.00" in visible_text(page)
    html = page.content.decode()
    assert [f'value="{order.public_id}"' in html.partition("</form>")[0] for order in (first, second, third)] == [
        True,
        False,
        True,
    ]
    form = {"token": form_token(page), "sum": "800 CNY", "instrument": person.instruments.get().public_id}
    chosen = {"order": [first.public_id, third.public_id]}
    with assert_unchanged(MARK):
        wrong = browser.post(PAGE, form | chosen | {"sum": "1200 CNY", "token": "f" * 24})
    assert (wrong.status_code, wrong.context["selected_ids"]) == (409, {first.id, third.id})
    browser.post(PAGE, form | chosen)
    assert bank_debits_of(person) == [yuan("8")]
    assert [state_of(order) for order in (first, second, third)] == ["deducted", "completed", "deducted"]


def test_without_a_selection_there_is_no_button(power_bank: Shop) -> None:
    person, _owed = owing(power_bank, "3", "4")
    page = client_for(person).get(PAGE, {"some": "1"})
    assert "还没有选择" in visible_text(page)
    assert 'name="sum"' not in page.content.decode()


def test_another_persons_order_cannot_be_selected(power_bank: Shop) -> None:
    person, _owed = owing(power_bank, "3")
    _other, (theirs,) = owing(power_bank, "9")
    browser = client_for(person)
    assert browser.get(PAGE, {"some": "1", "order": theirs.public_id}).context["sums"] == []
    form = {"token": form_token(browser.get(PAGE)), "sum": "900 CNY", "instrument": person.instruments.get().public_id}
    with assert_unchanged(MARK):
        assert browser.post(PAGE, form | {"order": theirs.public_id}).status_code == 409
