"""Of everything owed, only what is ticked."""

from tests.billing.bench import taken_from
from tests.billing.test_pay_all_page import MARK, PAGE, owing
from tests.conftest import Shop, state_of, yuan
from tests.stillness import nothing_moves
from tests.visiting import token_on, visiting, words


def test_some_of_them_are_chosen_and_the_others_stay_owed(power_bank: Shop) -> None:
    person, (first, second, third) = owing(power_bank, "3", "4", "5")
    browser = visiting(person)
    page = browser.get(PAGE, {"some": "1", "order": [first.public_id, third.public_id]})
    assert "本次支付 3 笔中的 2 笔 ¥8.00" in words(page)
    html = page.content.decode()
    assert [f'value="{order.public_id}"' in html.partition("</form>")[0] for order in (first, second, third)] == [
        True,
        False,
        True,
    ]
    form = {"token": token_on(page), "sum": "800 CNY", "instrument": person.instruments.get().public_id}
    chosen = {"order": [first.public_id, third.public_id]}
    with nothing_moves(MARK):
        wrong = browser.post(PAGE, form | chosen | {"sum": "1200 CNY", "token": "f" * 24})
    assert (wrong.status_code, wrong.context["ticked"]) == (409, {first.id, third.id})
    browser.post(PAGE, form | chosen)
    assert taken_from(person) == [yuan("8")]
    assert [state_of(order) for order in (first, second, third)] == ["deducted", "completed", "deducted"]


def test_with_nothing_ticked_there_is_nothing_to_press(power_bank: Shop) -> None:
    person, _owed = owing(power_bank, "3", "4")
    page = visiting(person).get(PAGE, {"some": "1"})
    assert "还没有选择" in words(page)
    assert 'name="sum"' not in page.content.decode()


def test_somebody_elses_order_is_never_among_the_chosen(power_bank: Shop) -> None:
    person, _owed = owing(power_bank, "3")
    _other, (theirs,) = owing(power_bank, "9")
    browser = visiting(person)
    assert browser.get(PAGE, {"some": "1", "order": theirs.public_id}).context["sums"] == []
    form = {"token": token_on(browser.get(PAGE)), "sum": "900 CNY", "instrument": person.instruments.get().public_id}
    with nothing_moves(MARK):
        assert browser.post(PAGE, form | {"order": theirs.public_id}).status_code == 409
