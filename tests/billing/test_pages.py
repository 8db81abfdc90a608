"""An order with its payments, paying now, and the wallet."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from pytest_django.fixtures import Settings

from accounts import services as accounts
from accounts.models import Person
from billing.channels import bank
from billing.models import Deduction, WalletEntry
from billing.services.ask import ask_unknown
from billing.services.deduct import deduct_due
from billing.services.instruments import open_wallet
from kernel.forms import first_time
from kernel.models import LIVE
from orders import services as orders
from orders.models import Order
from tests.conftest import BY, NOON, Shop, completed, fresh, make_shop, opened, ordered, someone, state_of, yuan
from tests.stillness import nothing_moves
from tests.visiting import it_is, token_on, visiting, words


def page_of(order: Order) -> str:
    return f"/orders/{order.public_id}"


def pay(browser: Client, order: Order, amount: str, *, token: str = "", instrument: str = "") -> str:
    """Fill in the form of the order's page and send it; where the answer leads."""
    instrument = instrument or order.person.instruments.order_by("priority")[0].public_id
    fields = {"amount": amount, "instrument": instrument}
    fields["token"] = token or token_on(browser.get(page_of(order)))
    answer = browser.post(f"{page_of(order)}/pay", fields)
    return answer["Location"] if answer.status_code == 302 else f"{answer.status_code} {words(answer)}"


def owing(shop: Shop, behaviour: str = "pays", amount: str = "12.34") -> tuple[Order, Client]:
    person = someone(shop, behaviour)
    order = completed(shop, person, yuan(amount))
    it_is(NOON, person)
    return order, visiting(person)


def taken_from(order: Order) -> list[int]:
    return [money.minor for money in bank.debits_of(order.person.instruments.get(channel="sandbox").token)]


def test_an_order_tells_what_was_used_what_it_costs_and_what_comes_next(power_bank: Shop) -> None:
    person = someone(power_bank, "no_funds")
    order = ordered(power_bank, opened(power_bank, person), start_location="人民广场站")
    it_is(NOON, person)
    browser = visiting(person)
    open_page = words(browser.get(page_of(order)))
    for shown in ("进行中", "最高金额 ¥99.00", "开始地点 人民广场站", "订单已创建", "对订单有疑问？ 来电充电宝"):
        assert shown in open_page, shown
    assert "立即支付" not in open_page

    items = [{"name": "3 小时", "amount": 1400}]
    final = orders.Final(items=items, discounts=[{"name": "会员", "amount": 166}])
    orders.complete_order(order.id, final, by=BY, at=NOON)
    deduct_due(power_bank.realm_id, at=NOON)
    page = words(browser.get(page_of(order)))
    for shown in (
        *("待付款", "3 小时 ¥14.00", "会员 −¥1.66", "合计 ¥12.34", "约定最高金额 ¥99.00", "已支付 ¥0.00"),
        *(
            "接下来 2026年11月21日 10:00",
            "之后还计划扣款 9 次",
            "余额不足",
            "2026年11月20日 12:00 · 自动扣款 · 沙箱银行卡",
        ),
        "服务结束，最终金额 ¥12.34",
    ):
        assert shown in page, shown
    english = words(visiting(person, "en").get(page_of(order)))
    for shown in ("To pay", "Total CN¥12.34", "Insufficient funds.", "and 9 more attempts after that"):
        assert shown in english, shown


def test_an_order_is_read_with_the_same_few_questions_however_much_was_tried(power_bank: Shop) -> None:
    order, browser = owing(power_bank, "no_funds")
    deduct_due(power_bank.realm_id, at=NOON)
    browser.get(page_of(order))
    with CaptureQueriesContext(connection) as few:
        browser.get(page_of(order))
    for day in (1, 3, 5, 7, 10):
        deduct_due(power_bank.realm_id, at=NOON + timedelta(days=day))
    with CaptureQueriesContext(connection) as many:
        page = browser.get(page_of(order))
    assert len(page.context["attempts"]) == 6
    assert len(many) == len(few) <= 15


def test_a_person_pays_all_of_it_and_the_page_says_so(power_bank: Shop) -> None:
    order, browser = owing(power_bank)
    assert pay(browser, order, "12.34").startswith(f"{page_of(order)}/paid?of=ded_")
    assert state_of(order) == "deducted"
    assert "已支付 ¥12.34" in words(browser.get(f"{page_of(order)}/paid"))
    page = words(browser.get(page_of(order)))
    assert "已守约" in page
    assert "主动付款 · 沙箱银行卡" in page
    assert taken_from(order) == [1234]


def test_a_double_click_pays_a_part_once(power_bank: Shop) -> None:
    order, browser = owing(power_bank)
    token = token_on(browser.get(page_of(order)))
    result = pay(browser, order, "5", token=token)
    assert result.startswith(f"{page_of(order)}/paid?of=ded_")
    assert pay(browser, order, "5", token=token) == result
    assert taken_from(order) == [500]
    assert pay(browser, order, "5").startswith(f"{page_of(order)}/paid?of=ded_")  # meant so: it is another form
    assert taken_from(order) == [500, 500]
    latest = words(browser.get(f"{page_of(order)}/paid"))
    assert "还需支付 ¥2.34" in latest
    assert latest.count("¥5.00") == 1


def test_a_second_click_while_the_first_is_under_way_is_told_how_things_stand(power_bank: Shop) -> None:
    order, browser = owing(power_bank)
    token = token_on(browser.get(page_of(order)))
    assert first_time(order.person_id, token, "pay")
    with nothing_moves():
        assert pay(browser, order, "5", token=token) == page_of(order)
    assert "您已提交过" in words(browser.get(page_of(order)))
    assert taken_from(order) == []


def test_a_failure_names_its_reason_and_leaves_the_plan_as_it_is(power_bank: Shop) -> None:
    order, browser = owing(power_bank, "no_funds")
    plan = order.obligations.get().plan
    assert pay(browser, order, "12.34").startswith(f"{page_of(order)}/paid?of=ded_")
    page = words(browser.get(f"{page_of(order)}/paid"))
    assert "未扣款 ¥12.34" in page
    assert "余额不足" in page
    assert order.obligations.get().plan == plan
    assert state_of(order) == "completed"


def test_an_unknown_outcome_is_called_so_until_the_bank_has_answered(power_bank: Shop) -> None:
    order, browser = owing(power_bank, "timeout_then_paid")
    assert pay(browser, order, "12.34").startswith(f"{page_of(order)}/paid?of=ded_")
    assert "确认中 ¥12.34" in words(browser.get(f"{page_of(order)}/paid"))
    shown = words(browser.get(page_of(order)))
    assert "结果出来之前不会再次扣款" in shown
    assert "立即支付" not in shown
    again = browser.post(f"{page_of(order)}/pay", {"amount": "1", "instrument": "ins_" + "0" * 32, "token": "0" * 24})
    assert again.status_code == 409
    assert "有一笔扣款正在进行" in words(again)
    ask_unknown(power_bank.realm_id, at=NOON + timedelta(seconds=5))
    assert "已支付 ¥12.34" in words(browser.get(f"{page_of(order)}/paid"))
    assert taken_from(order) == [1234]


@pytest.mark.parametrize("amount", ["0", "12.35", "-1", "1e2", "１２", "12.345", "", "1,000", "9" * 30, "\0"])
def test_an_amount_that_is_none_moves_nothing(power_bank: Shop, amount: str) -> None:
    order, browser = owing(power_bank)
    assert pay(browser, order, amount).startswith("422")
    assert not Deduction.objects.exists()


def test_a_form_that_is_none_of_ours_moves_nothing(power_bank: Shop) -> None:
    order, browser = owing(power_bank)
    stranger = someone(power_bank, name="陌生人")
    theirs = stranger.instruments.get().public_id
    assert pay(browser, order, "12.34", instrument=theirs).startswith("409")
    assert pay(browser, order, "12.34", instrument="ins_x").startswith("409")
    assert pay(browser, order, "12.34", token="x").startswith("422")
    assert visiting(stranger).post(f"{page_of(order)}/pay", {"amount": "1"}).status_code == 404
    assert visiting(stranger).get(f"{page_of(order)}/paid").status_code == 404
    assert browser.get(f"{page_of(order)}/paid")["Location"] == page_of(order)
    assert browser.get(f"{page_of(order)}/pay")["Location"] == page_of(order)
    assert not Deduction.objects.exists()


def test_what_is_paid_is_not_paid_again(power_bank: Shop) -> None:
    order, browser = owing(power_bank)
    stale = token_on(browser.get(page_of(order)))
    deduct_due(power_bank.realm_id, at=NOON)
    assert pay(browser, order, "12.34", token=stale).startswith("409")
    assert taken_from(order) == [1234]


def test_a_person_tops_up_once_a_form_and_pays_from_the_wallet(power_bank: Shop) -> None:
    order, browser = owing(power_bank, "no_funds")
    person = order.person
    assert "您还没有钱包" in words(browser.get("/wallet/"))
    assert not hasattr(Person.objects.get(pk=person.pk), "wallet")
    assert browser.post("/instruments/wallet", {"next": "/wallet/"})["Location"] == "/wallet/"
    empty = browser.get("/wallet/")
    assert "余额 ¥0.00 待付金额 ¥12.34 · 立即支付" in words(empty)
    form = {"amount": "20", "token": token_on(empty)}
    for _click in range(2):
        assert browser.post("/wallet/top-up", form)["Location"] == "/wallet/"
    page = words(browser.get("/wallet/"))
    assert "¥20.00 已充入钱包" in page
    assert "余额 ¥20.00" in page
    assert WalletEntry.objects.count() == 1

    wallet = person.instruments.get(channel="wallet").public_id
    assert pay(browser, order, "12.34", instrument=wallet).startswith(f"{page_of(order)}/paid?of=ded_")
    assert fresh(order.id).state == "deducted"
    page = words(browser.get("/wallet/"))
    assert "余额 ¥7.66 全部扣款方式" in page
    assert "充电宝 · 来电充电宝 −¥12.34" in page


def test_a_person_takes_out_what_is_in_their_wallet_once_a_form(ada: Person) -> None:
    open_wallet(ada, at=NOON)
    browser = visiting(ada)
    assert "提现" not in words(browser.get("/wallet/"))
    browser.post("/wallet/top-up", {"amount": "20", "token": token_on(browser.get("/wallet/"))})
    page = browser.get("/wallet/")
    assert 'name="amount" inputmode="decimal" autocomplete="off" required value="20.00"' in page.content.decode()
    form = {"amount": "12.5", "token": token_on(page)}
    for _click in range(2):
        assert browser.post("/wallet/take-out", form)["Location"] == "/wallet/"
    page = words(browser.get("/wallet/"))
    assert "¥12.50 已提现到您的银行" in page
    assert "余额 ¥7.50" in page
    assert "提现 −¥12.50" in page
    for amount in ("0", "-1", "x", "", "7.51", "1.001", "１２", "💴", "1e3", "9" * 100_000):
        answer = browser.post("/wallet/take-out", {"amount": amount, "token": token_on(browser.get("/wallet/"))})
        assert answer.status_code == 422, amount
        assert 'id="not-out"' in answer.content.decode()
    assert WalletEntry.objects.count() == 2


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"amount": "0"}, 422),
        ({"amount": "50000.01"}, 422),
        ({"amount": "x"}, 422),
        ({"amount": "5", "token": ""}, 422),
        ({"amount": "5", "token": "0" * 23 + "g"}, 422),
    ],
)
def test_a_top_up_that_is_none_is_refused_in_words(ada: Person, fields: dict[str, str], status: int) -> None:
    open_wallet(ada, at=NOON)
    browser = visiting(ada)
    answer = browser.post("/wallet/top-up", {"token": token_on(browser.get("/wallet/")), **fields})
    assert answer.status_code == status
    assert 'role="alert"' in answer.content.decode()
    assert not WalletEntry.objects.exists()


def test_the_sandbox_bank_is_not_there_for_living_people_in_production(settings: Settings, db: None) -> None:
    person = accounts.register_person("+8613812341234", realm_id=LIVE, by=BY, at=NOON)
    open_wallet(person, at=NOON)
    browser = visiting(person)
    assert "从沙箱银行充值" in words(browser.get("/wallet/"))
    settings.LOCAL_MESSAGES = False
    assert "从沙箱银行充值" not in words(browser.get("/wallet/"))
    for way in ("top-up", "take-out"):
        assert browser.post(f"/wallet/{way}", {"amount": "5", "token": "0" * 24}).status_code == 404
    assert not WalletEntry.objects.exists()


def test_a_wallet_turns_pages(ada: Person) -> None:
    open_wallet(ada, at=NOON)
    browser = visiting(ada)
    for _ in range(21):
        browser.post("/wallet/top-up", {"amount": "1", "token": token_on(browser.get("/wallet/"))})
    first = browser.get("/wallet/")
    assert words(first).count("充值 +¥1.00") == 20
    assert words(browser.get(f"/wallet/?cursor={first.context['further']}")).count("充值 +¥1.00") == 1
    assert browser.get("/wallet/?cursor=x").status_code == 422


@pytest.mark.usefixtures("all_asked")
def test_a_late_fee_stands_apart_from_what_was_used(db: None) -> None:
    strict = make_shop("严谨租赁", grace=timedelta(), late_fee_daily_bps=5, late_fee_cap_bps=100)
    person = someone(strict, "no_funds")
    order = completed(strict, person, yuan("98.00"))
    deduct_due(strict.realm_id, at=NOON)
    orders.mark_overdue(strict.realm_id, at=NOON, limit=10)
    week = NOON + timedelta(days=7)
    orders.close_days(strict.realm_id, at=week, limit=10)
    it_is(week, person)
    page = words(visiting(person).get(page_of(order)))
    for shown in ("已逾期", "待付金额 ¥98.34", "合计 ¥98.00", "逾期费 ¥0.34"):
        assert shown in page, shown


def test_more_than_the_wallet_holds_is_refused_where_it_is_typed(power_bank: Shop) -> None:
    order, browser = owing(power_bank, "no_funds")
    open_wallet(order.person, at=NOON)
    browser.post("/wallet/top-up", {"amount": "5", "token": token_on(browser.get("/wallet/"))})
    wallet = order.person.instruments.get(channel="wallet").public_id
    form = {"amount": "12.34", "instrument": wallet, "token": token_on(browser.get(page_of(order)))}
    answer = browser.post(f"{page_of(order)}/pay", form)
    assert answer.status_code == 422
    assert "钱包余额不足。 当前余额 ¥5.00" in words(answer)
    page = browser.get("/pay-all/")
    answer = browser.post("/pay-all/", {"instrument": wallet, "sum": "1234 CNY", "token": token_on(page)})
    assert "钱包余额不足。 当前余额 ¥5.00" in words(answer)
    assert not Deduction.objects.exists()
