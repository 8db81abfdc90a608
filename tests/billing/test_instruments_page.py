"""The page of payment methods: add, reorder, limit, remove, and refusals."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts import services as accounts
from accounts.models import Person
from billing.channels import bank
from billing.channels.bank import Behaviour
from billing.models import Instrument, InstrumentChange
from billing.services import sandbox_people
from billing.services.deduct import deduct_due
from billing.services.instruments import (
    INSTRUMENTS_MAX,
    Script,
    add_bank_account,
    move_instrument,
    open_wallet,
    remove_instrument,
)
from billing.services.outcome_polling import poll_deductions
from billing.services.pay import pay_now
from credit import services as credit
from kernel.models import LIVE
from orders.models import Obligation
from tests.browsing import client_for, form_token, freeze_clock, visible_text
from tests.conftest import BY, NOON, Shop, make_agreement, make_due_order, make_order, make_person, state_of, yuan
from tests.unchanged import assert_unchanged

PAGE = "/instruments/"
MARK = "kernel_idempotencykey"


@pytest.fixture
def browser(ada: Person) -> Client:
    freeze_clock(NOON, ada)
    return client_for(ada)


def second(person: Person, behaviour: Behaviour = Behaviour.PAYS, name: str = "工资卡") -> Instrument:
    return add_bank_account(person, Script(behaviour), name, by=BY, at=NOON)


def labels(person: Person) -> list[str]:
    mine = person.instruments.exclude(state="removed")
    return [row.display_name for row in mine.order_by("priority", "id")]


def add(browser: Client, **fields: str) -> str:
    """Fill in the form and send it twice, as an impatient finger does."""
    form = {"token": form_token(browser.get(PAGE)), "behaviour": "pays"} | fields
    browser.post(f"{PAGE}add", form)
    return str(browser.post(f"{PAGE}add", form)["Location"])


def test_a_form_sent_twice_adds_one_account(ada: Person, browser: Client) -> None:
    assert add(browser, name="工资卡") == PAGE
    assert labels(ada) == ["沙箱银行卡", "工资卡"]
    assert InstrumentChange.objects.get(verb="added").by == f"person:{ada.public_id}"
    page, label = visible_text(browser.get(PAGE)), ada.instruments.get(name="工资卡").label
    for shown in (
        "1. 沙箱银行卡 优先扣款 未设扣款限额 下移",
        f"2. 工资卡 {label} · 未设扣款限额 上移",
        "已添加 工资卡。",
    ):
        assert shown in page, shown


def test_the_default_label_has_four_digits_in_both_languages(ada: Person, browser: Client) -> None:
    add(browser)
    label = labels(ada)[1]
    assert label[:6] == "沙箱银行卡 "
    assert label[6:].isdecimal()
    assert f"Sandbox bank card {label[6:]}" in visible_text(client_for(ada, "en").get(PAGE))


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"name": "名" * 21}, "名称最多 20 个字符"),
        ({"name": "a\0b"}, "名称最多 20 个字符"),
        ({"behaviour": "generous"}, ""),
        ({"token": "x"}, ""),
    ],
)
def test_an_invalid_account_is_refused_and_the_input_kept(browser: Client, fields: dict[str, str], says: str) -> None:
    form = {"token": form_token(browser.get(PAGE)), "behaviour": "no_funds", "name": "工资卡"} | fields
    with assert_unchanged(MARK):
        answer = browser.post(f"{PAGE}add", form)
    assert answer.status_code == 422
    assert says in visible_text(answer)
    if "behaviour" not in fields:
        assert '<option value="no_funds" selected>' in answer.content.decode()


def test_a_name_is_escaped(ada: Person, browser: Client) -> None:
    add(browser, name="<b>x</b>")
    assert "&lt;b&gt;x&lt;/b&gt;" in browser.get(PAGE).content.decode()
    assert "<b>x" not in browser.get(PAGE).content.decode()


def test_the_number_of_instruments_is_limited(ada: Person, browser: Client) -> None:
    for number in range(INSTRUMENTS_MAX - 1):
        second(ada, name=f"卡{number}")
    form = {"token": form_token(browser.get(PAGE)), "behaviour": "pays"}
    answer = browser.post(f"{PAGE}add", form)
    assert (answer.status_code, "扣款方式已达上限" in visible_text(answer)) == (409, True)
    assert len(labels(ada)) == INSTRUMENTS_MAX


def test_instruments_are_reordered_by_buttons(ada: Person, browser: Client) -> None:
    other = second(ada)
    path = f"{PAGE}{other.public_id}/put"
    for _click in range(2):
        assert browser.post(path, {"place": "0"})["Location"] == f"{PAGE}#{other.public_id}"
    assert labels(ada) == ["工资卡", "沙箱银行卡"]
    assert InstrumentChange.objects.filter(verb="put").count() == 1
    browser.post(path, {"place": "999"})
    assert labels(ada) == ["沙箱银行卡", "工资卡"]
    for nonsense in ("", "-1", "x", "1000", "１"):
        assert browser.post(path, {"place": nonsense}).status_code == 422


def test_limits_are_set_shown_and_removed(ada: Person, browser: Client) -> None:
    mine = ada.instruments.get()
    path = f"{PAGE}{mine.public_id}/limit"
    browser.post(path, {"most": "200", "daily": "500.50"})
    assert "单笔最高 ¥200.00，每日最高 ¥500.50" in visible_text(browser.get(PAGE))
    for wrong in ({"most": "0"}, {"daily": "-3"}, {"most": "1,5"}, {"most": "9" * 30}):
        with assert_unchanged():
            answer = browser.post(path, wrong)
        assert (answer.status_code, "请输入金额" in visible_text(answer)) == (422, True), wrong
        typed = next(iter(wrong.values()))
        assert f'value="{typed}"' in answer.content.decode()
    browser.post(path, {"most": "", "daily": " "})
    assert "未设扣款限额" in visible_text(browser.get(PAGE))
    assert InstrumentChange.objects.filter(verb="limited").count() == 2


def test_after_removal_planned_deductions_use_the_next_instrument(power_bank: Shop) -> None:
    person = make_person(power_bank, "no_funds")
    order = make_due_order(power_bank, person, yuan("6"))
    freeze_clock(NOON, person)
    deduct_due(power_bank.realm_id, at=NOON)
    first, browser = person.instruments.get(), client_for(person)
    path = f"{PAGE}{first.public_id}/remove"
    with assert_unchanged():
        answer = browser.post(path)
    assert (answer.status_code, "您还有待付款项" in visible_text(answer)) == (409, True)
    assert "下次扣款 2026年11月21日 10:00" in visible_text(answer)

    other = second(person)
    for _click in range(2):
        assert browser.post(path)["Location"] == PAGE
    page = visible_text(browser.get(PAGE))
    assert "已移除" in page
    assert page.count("沙箱银行卡") == 1, "which is what the bank calls the other one"
    assert {p["source"] for p in Obligation.objects.get(order=order).plan} == {str(other.id)}
    deduct_due(power_bank.realm_id, at=NOON + timedelta(days=1))
    assert state_of(order) == "deducted"


def test_the_last_instrument_cannot_be_removed_while_orders_are_open(
    power_bank: Shop, ada: Person, browser: Client
) -> None:
    make_order(power_bank, make_agreement(power_bank, ada))
    answer = browser.post(f"{PAGE}{ada.instruments.get().public_id}/remove")
    assert (answer.status_code, "使用中的订单" in visible_text(answer)) == (409, True)


def test_a_merchants_script_changes_the_newest_usable_account(power_bank: Shop, ada: Person) -> None:
    def behaves(behaviour: Behaviour) -> None:
        sandbox_people.change_script(power_bank.realm_id, ada.id, Script(behaviour), by=BY, at=NOON)

    first, newest = ada.instruments.get(), second(ada)
    move_instrument(ada.id, newest.id, 0, by=BY, at=NOON)
    behaves(Behaviour.NO_FUNDS)
    remove_instrument(ada.id, newest.id, by=BY, at=NOON)
    behaves(Behaviour.SLOW)
    accounts_now = bank.accounts_of([first.token, newest.token])
    assert [accounts_now[row.token].behaviour for row in (first, newest)] == [Behaviour.SLOW, Behaviour.NO_FUNDS]
    remove_instrument(ada.id, first.id, by=BY, at=NOON)
    behaves(Behaviour.PAYS)
    assert ada.instruments.filter(state="active").count() == 1


def test_without_debts_the_last_instrument_can_be_removed(ada: Person, browser: Client) -> None:
    browser.post(f"{PAGE}{ada.instruments.get().public_id}/remove")
    assert "您还没有扣款方式。" in visible_text(browser.get(PAGE))


def test_an_instrument_with_an_unknown_outcome_cannot_be_removed(power_bank: Shop) -> None:
    person = make_person(power_bank, "timeout_then_paid")
    order = make_due_order(power_bank, person, yuan("6"))
    freeze_clock(NOON, person)
    mine = person.instruments.get()
    second(person)
    pay_now(order.id, instrument_id=mine.id, by=BY, at=NOON)
    browser, path = client_for(person), f"{PAGE}{mine.public_id}/remove"
    with assert_unchanged():
        answer = browser.post(path)
    assert (answer.status_code, "正有一笔扣款从这里进行" in visible_text(answer)) == (409, True)
    poll_deductions(power_bank.realm_id, at=NOON + timedelta(seconds=5))
    assert browser.post(path).status_code == 302
    assert labels(person) == ["工资卡"]


def test_a_closed_account_is_explained(power_bank: Shop) -> None:
    person = make_person(power_bank, "hard_decline")
    make_due_order(power_bank, person, yuan("6"))
    deduct_due(power_bank.realm_id, at=NOON)
    freeze_clock(NOON, person)
    page = visible_text(client_for(person).get(PAGE))
    assert "已失效" in page
    assert "账户已注销" in page
    assert "您可以移除它" in page
    assert "优先扣款" not in page
    second(person)
    page = visible_text(client_for(person).get(PAGE))
    assert page.index("工资卡") < page.index("已失效")
    order = Obligation.objects.get(person=person).order
    asked = credit.request_agreement(power_bank.merchant.id, power_bank.service.id, "u-2", by=BY, at=NOON)
    for elsewhere in (f"/orders/{order.public_id}", "/pay-all/", f"/sign/{asked.public_id}"):
        shown = client_for(person).get(elsewhere)
        assert "沙箱银行卡 · 已失效 · 更换" in visible_text(shown), elsewhere
        assert f'href="/instruments/?next={elsewhere.replace("/", "%2F")}"' in shown.content.decode()
    remove_instrument(person.id, person.instruments.get(state="dead").id, by=BY, at=NOON)


def test_the_wallet_is_opened_here_and_cannot_be_removed(ada: Person, browser: Client) -> None:
    for _click in range(2):
        browser.post(f"{PAGE}wallet")
    wallet = ada.instruments.get(channel="wallet")
    assert "余额 ¥0.00" in visible_text(browser.get(PAGE))
    answer = browser.post(f"{PAGE}{wallet.public_id}/remove")
    assert (answer.status_code, "不能移除" in visible_text(answer)) == (409, True)


def test_form_urls_show_the_page_after_signing_in_again(ada: Person, browser: Client) -> None:
    mine = ada.instruments.get().public_id
    with assert_unchanged():
        for verb in ("add", "wallet", f"{mine}/put", f"{mine}/limit", f"{mine}/remove"):
            assert browser.get(f"{PAGE}{verb}")["Location"] == PAGE


def test_another_persons_instrument_is_not_found(power_bank: Shop, ada: Person, browser: Client) -> None:
    theirs = make_person(power_bank, name="博文").instruments.get()
    for verb, fields in (("put", {"place": "0"}), ("limit", {"most": "1"}), ("remove", {})):
        answers = []
        for name in (theirs.public_id, "ins_" + "0" * 32, "x"):
            with assert_unchanged():
                answers.append(browser.post(f"{PAGE}{name}/{verb}", fields))
        assert [answer.status_code for answer in answers] == [404, 404, 404]
        assert len({answer.content for answer in answers}) == 1


def test_in_production_no_sandbox_account_can_be_added(power_bank: Shop, settings: object) -> None:
    settings.LOCAL_MESSAGES = False  # type: ignore[attr-defined]
    person = accounts.register_person("+8613812341234", realm_id=LIVE, by=BY, at=NOON)
    browser = client_for(person)
    assert "这里尚未接入银行" in visible_text(browser.get(PAGE))
    assert browser.post(f"{PAGE}add", {"behaviour": "pays"}).status_code == 404


@pytest.mark.parametrize(
    ("path", "goes"),
    [
        ("/sign/agr_1", "/sign/agr_1"),
        ("https://evil.example/", PAGE),
        ("//evil.example/", PAGE),
        ("/\\evil.example/", PAGE),
        ("javascript:alert(1)", PAGE),
    ],
)
def test_next_redirects_to_local_paths_only(browser: Client, path: str, goes: str) -> None:
    assert add(browser, next=path) == goes
    page = browser.get(PAGE, {"next": path}).content.decode()
    assert (f'href="{path}"' in page) == (goes == path)


def test_the_number_of_queries_is_constant(power_bank: Shop, ada: Person, browser: Client) -> None:
    def query_count() -> int:
        with CaptureQueriesContext(connection) as seen:
            browser.get(PAGE)
        return len(seen)

    browser.get(PAGE)
    few = query_count()
    open_wallet(ada, at=NOON)
    agreement = make_agreement(power_bank, ada)
    for number in range(4):
        second(ada, name=f"卡{number}")
        make_order(power_bank, agreement, ceiling=600)
    assert query_count() == few
