"""The page that lists all debts and pays them at once."""

from datetime import timedelta
from functools import partial

import pytest
from django.db import connection
from django.http import HttpResponse
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.models import Person
from billing.channels import bank
from billing.models import Deduction
from billing.services.deduct import deduct_due
from billing.services.instruments import open_wallet
from billing.services.outcome_polling import poll_deductions
from billing.services.pay import pay_now
from billing.services.wallets import top_up
from credit.models import Agreement
from orders import services as orders
from orders.models import Order
from tests.billing.helpers import bank_debits_of
from tests.browsing import client_for, form_token, freeze_clock, visible_text
from tests.conftest import BY, NOON, Shop, make_agreement, make_order, make_person, make_shop, state_of, yuan
from tests.threads import run_concurrently
from tests.unchanged import assert_unchanged

PAGE = "/pay-all/"
MARK = "kernel_idempotencykey"
A_DAY = timedelta(days=1)


def owing(shop: Shop, *amounts: str, behaviour: str = "pays") -> tuple[Person, list[Order]]:
    """Somebody who owes these amounts, the later ones due later."""
    person = make_person(shop, behaviour)
    agreement = make_agreement(shop, person)
    found = [used(shop, agreement, amount, due=n) for n, amount in enumerate(amounts)]
    freeze_clock(NOON, person)
    return person, found


def used(shop: Shop, agreement: Agreement, amount: str, *, due: int = 0, title: str = "") -> Order:
    order = make_order(shop, agreement, title=title or f"第 {amount} 单", ceiling=yuan(amount).minor)
    final = orders.CompletionRequest(total=yuan(amount).minor, due_at=NOON + due * A_DAY)
    return orders.complete_order(order.id, final, by=BY, at=NOON)


def pay(browser: Client, *sums: str, token: str = "", instrument: str = "") -> HttpResponse:
    """Look at the page, press its button."""
    page = browser.get(PAGE)
    shown = [f"{amount.minor} {amount.currency}" for amount in page.context["sums"]]
    usable = page.context["instruments"]
    fields = {"token": token or form_token(page), "sum": list(sums) or shown}
    return browser.post(PAGE, {**fields, "instrument": instrument or usable[0].public_id})


def test_debts_are_listed_oldest_first_and_paid_together(power_bank: Shop) -> None:
    person, (old, new) = owing(power_bank, "3", "4.50")
    browser = client_for(person)
    assert 'href="/pay-all/"' in browser.get("/orders/").content.decode()
    page = visible_text(browser.get(PAGE))
    assert "本次支付 ¥7.50" in page
    assert "扣款方式 沙箱银行卡 支付 ¥7.50" in page
    assert "共 2 笔，按应付时间从早到晚 也可以只付其中几笔" in page
    assert "第 3 单 ¥3.00 来电充电宝 · 应付日 2026年11月20日 第 4.50 单 ¥4.50" in page
    assert "逾期费" not in page

    answer = pay(browser)

    assert answer["Location"].startswith("/pay-all/paid?of=ded_")
    assert (bank_debits_of(person), state_of(old), state_of(new)) == ([yuan("7.50")], "deducted", "deducted")
    result = visible_text(browser.get(answer["Location"]))
    assert "已支付 ¥7.50 沙箱银行卡 · 2026年11月20日 12:00 查看明细（2 项） 第 3 单 · 来电充电宝 ¥3.00" in result
    assert "还需支付" not in result
    assert "没有待付款项。" in visible_text(browser.get(PAGE))
    assert 'href="/pay-all/"' not in browser.get("/orders/").content.decode()


@pytest.mark.usefixtures("all_attempted")
def test_late_fees_are_shown_separately(db: None) -> None:
    shop = make_shop("严谨租赁", grace=timedelta(), late_fee_daily_bps=5, late_fee_cap_bps=1000, ceiling_minor=500_00)
    person, (late, _other) = owing(shop, "98", "2", behaviour="no_funds")
    deduct_due(shop.realm_id, at=NOON)
    orders.mark_overdue(shop.realm_id, at=NOON, limit=10)
    orders.close_days(shop.realm_id, at=NOON + 7 * A_DAY, limit=10)
    freeze_clock(NOON + 7 * A_DAY, person)
    browser = client_for(person)
    page = visible_text(browser.get(PAGE))
    assert "本次支付 ¥100.34 订单款项 ¥100.00 逾期费合计 ¥0.34" in page
    assert "¥98.00 严谨租赁 · 应付日 2026年11月20日 已逾期 逾期费 ¥0.34" in page

    open_wallet(person, at=NOON)
    top_up(person.id, yuan("98"), "bank 1", at=NOON)
    wallet = person.instruments.get(channel="wallet")
    pay_now(late.id, amount_minor=9800, instrument_id=wallet.id, by=BY, at=NOON + 7 * A_DAY)
    page = visible_text(browser.get(PAGE))
    assert "¥0.34 严谨租赁 · 应付日 2026年11月20日 已逾期 逾期费" in page  # the fee alone is left of it
    assert "本次支付 ¥2.34" in page


def test_a_double_click_pays_once(power_bank: Shop) -> None:
    person, _owed = owing(power_bank, "3", "4")
    browser = client_for(person)
    page = browser.get(PAGE)
    form = {"token": form_token(page), "sum": "700 CNY", "instrument": person.instruments.get().public_id}
    result = browser.post(PAGE, form)["Location"]
    assert "/paid?of=" in result
    assert browser.post(PAGE, form)["Location"] == result
    assert bank_debits_of(person) == [yuan("7")]


@pytest.mark.django_db(transaction=True)
def test_of_two_concurrent_payments_one_succeeds(power_bank: Shop) -> None:
    for tokens in (["1" * 24, "1" * 24], ["2" * 24, "3" * 24]):
        person, _owed = owing(power_bank, "3", "4")
        instrument = person.instruments.get().public_id
        forms = [{"token": token, "sum": "700 CNY", "instrument": instrument} for token in tokens]
        answers = run_concurrently(*(partial(client_for(person).post, PAGE, form) for form in forms))
        assert sum("/paid?of=" in answer.get("Location", "") for answer in answers) == 1
        assert {answer.status_code for answer in answers} <= {302, 409}
        assert bank_debits_of(person) == [yuan("7")]


def test_a_failed_payment_shows_its_reason(power_bank: Shop) -> None:
    person, _owed = owing(power_bank, "3", "4", behaviour="no_funds")
    browser = client_for(person)
    result = visible_text(browser.get(pay(browser)["Location"]))
    assert "未扣款 ¥7.00 沙箱银行卡 · 余额不足。 没有扣款。" in result
    assert "还需支付 ¥7.00" in result
    assert "支付余款或更换扣款方式" in result
    assert bank_debits_of(person) == []


def test_an_unknown_outcome_is_shown_and_not_charged_twice(power_bank: Shop) -> None:
    person, orders_of = owing(power_bank, "3", "4", behaviour="timeout_then_paid")
    browser = client_for(person)
    address = pay(browser)["Location"]
    result = visible_text(browser.get(address))
    assert "确认中 ¥7.00" in result
    assert "结果出来之前不会再次扣款，您不会重复支付。" in result
    assert "刷新结果" in result
    agreement = orders_of[0].agreement
    used(power_bank, agreement, "5")
    page = browser.get(PAGE)
    assert "本次支付 ¥5.00" in visible_text(page)
    assert "共 1 笔" in visible_text(page)
    under_way = visible_text(page).partition("确认中 以下款项正在扣款")[2]
    assert "第 3 单 ¥3.00" in under_way
    assert "第 4 单 ¥4.00" in under_way
    assert "第 5 单" not in under_way

    poll_deductions(power_bank.realm_id, at=NOON + timedelta(seconds=5))
    assert "已支付 ¥7.00" in visible_text(browser.get(address))
    assert bank_debits_of(person) == [yuan("7")]


def test_with_everything_in_flight_there_is_no_button(power_bank: Shop) -> None:
    person, _owed = owing(power_bank, "3", behaviour="slow")
    browser = client_for(person)
    form = {"token": "1" * 24, "sum": "300 CNY", "instrument": person.instruments.get().public_id}
    browser.post(PAGE, form)
    page = browser.get(PAGE)
    assert "没有其他待付款项。" in visible_text(page)
    assert 'name="instrument"' not in page.content.decode()
    with assert_unchanged(MARK):
        again = browser.post(PAGE, form | {"token": "2" * 24})
    assert again.status_code == 409
    assert "待付金额有变动" in visible_text(again)


def test_paused_debts_are_shown_separately_and_not_paid(power_bank: Shop) -> None:
    person, (disputed, other) = owing(power_bank, "3", "4")
    orders.pause_order(disputed.id, "problem_reported", by=BY, at=NOON)
    browser = client_for(person)
    page = visible_text(browser.get(PAGE))
    assert "本次支付 ¥4.00" in page
    assert "已暂停扣款和逾期计算 以下款项现在可以先不付，未计入本次支付。" in page
    assert "还需支付" not in visible_text(browser.get(pay(browser)["Location"]))
    assert (state_of(disputed), state_of(other)) == ("completed", "deducted")


def test_a_changed_total_is_refused(power_bank: Shop) -> None:
    person, (first, _second) = owing(power_bank, "3", "4")
    browser = client_for(person)
    shown = browser.get(PAGE)
    used(power_bank, first.agreement, "5")
    form = {"token": form_token(shown), "sum": "700 CNY", "instrument": person.instruments.get().public_id}
    with assert_unchanged(MARK):
        answer = browser.post(PAGE, form)
    assert answer.status_code == 409
    assert 'role="alert"' in answer.content.decode()
    assert "待付金额有变动，请核对新金额后再付款。" in visible_text(answer)
    assert "支付 ¥12.00" in visible_text(answer)


@pytest.mark.parametrize(
    ("changed", "status"),
    [
        ({"sum": ""}, 409),
        ({"sum": "7"}, 409),
        ({"sum": "700"}, 409),
        ({"sum": "700 cny"}, 409),
        ({"sum": "７00 CNY"}, 409),
        ({"sum": "-700 CNY"}, 409),
        ({"sum": "9" * 999 + " CNY"}, 409),
        ({"sum": ["700 CNY", "1 USD"]}, 409),
        ({"sum": []}, 409),
        ({"instrument": ""}, 409),
        ({"instrument": "ins_" + "0" * 32}, 409),
        ({"instrument": "\0"}, 409),
        ({"token": ""}, 422),
        ({"token": "0" * 23 + "g"}, 422),
    ],
)
def test_an_invalid_form_is_refused(power_bank: Shop, changed: dict[str, str], status: int) -> None:
    person, _owed = owing(power_bank, "3", "4")
    browser = client_for(person)
    form = {"token": "1" * 24, "sum": "700 CNY", "instrument": person.instruments.get().public_id}
    with assert_unchanged(MARK):
        answer = browser.post(PAGE, form | changed)
    assert answer.status_code == status
    assert 'role="alert"' in answer.content.decode()
    assert "支付 ¥7.00" in visible_text(answer)


def test_other_peoples_debts_are_not_shown_or_paid(power_bank: Shop) -> None:
    mine, _owed = owing(power_bank, "3")
    theirs, (order, *_) = owing(power_bank, "4")
    address = pay(client_for(theirs))["Location"]
    browser = client_for(mine)
    assert browser.get(address)["Location"] == PAGE
    assert browser.get(f"{PAGE}paid")["Location"] == PAGE
    assert browser.get(f"{PAGE}paid?of=x&of=ded_{'0' * 32}&of=%00")["Location"] == PAGE
    assert "第 4 单" not in visible_text(browser.get(PAGE))
    with assert_unchanged(MARK):
        assert pay(browser, instrument=theirs.instruments.get().public_id).status_code == 409
    automatic = Deduction.objects.get()
    assert (automatic.person_id, state_of(order)) == (theirs.id, "deducted")
    assert Client().get(PAGE)["Location"] == f"/account/login/?next={PAGE}"


def test_without_an_instrument_it_says_so(power_bank: Shop) -> None:
    person, _owed = owing(power_bank, "3")
    person.instruments.update(state="dead")
    page = client_for(person).get(PAGE)
    assert "您还没有扣款方式。 添加扣款方式" in visible_text(page)
    assert 'name="instrument"' not in page.content.decode()


def test_the_number_of_queries_does_not_grow_with_debts(db: None) -> None:
    shop = make_shop("来电充电宝", ceiling_minor=10_00)
    person, (first,) = owing(shop, "1")
    browser = client_for(person)
    browser.get(PAGE)
    with CaptureQueriesContext(connection) as few:
        browser.get(PAGE)
    long = "从人民广场地铁站二号口到外滩观景平台" * 5
    for n in range(29):
        used(shop, first.agreement, "2", due=29 - n, title=f"{n:02}{long}")
    with CaptureQueriesContext(connection) as many:
        page = browser.get(PAGE)
    assert len(many) == len(few) <= 9
    assert "共 30 笔" in visible_text(page)
    assert "本次支付 ¥59.00" in visible_text(page)
    titles = [debt.order.title[:2] for debt in page.context["debts"]]
    assert titles == ["第 ", *(f"{n:02}" for n in reversed(range(29)))]

    address = pay(browser)["Location"]
    with CaptureQueriesContext(connection) as asked:
        assert "查看明细（30 项）" in visible_text(browser.get(address))
    assert len(asked) <= 9
    assert bank_debits_of(person) == [yuan("59")]


def test_days_are_in_the_persons_time_zone(power_bank: Shop) -> None:
    person, _owed = owing(power_bank, "3")
    Person.objects.filter(pk=person.pk).update(zone="Pacific/Kiritimati")
    assert "应付日 2026年11月20日" in visible_text(client_for(person).get(PAGE))
    Person.objects.filter(pk=person.pk).update(zone="America/New_York")
    assert "due Nov 19, 2026" in visible_text(client_for(person, "en").get(PAGE))
    assert bank.debits_of(person.instruments.get().token) == []
