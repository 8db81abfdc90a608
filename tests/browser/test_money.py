"""What people do with what they pay from: name it, order it, limit it, choose it, top it up, take it away."""

from collections.abc import Callable

from django.conf import settings

from billing.channels import bank
from billing.channels.bank import Behaviour
from billing.models import Instrument
from billing.services.deduct import deduct_due
from billing.services.instruments import Script, add_bank_account
from orders import services as orders
from orders.models import Order
from tests.browser.conftest import ALL_SCREENS, PageInspector, Scenario, sign_in
from tests.browser.test_people import PHONE_ZH, choose, reach, send
from tests.browsing import freeze_clock
from tests.conftest import (
    BY,
    NOON,
    make_agreement,
    make_due_order,
    make_order,
    make_person,
    make_shop,
    state_of,
    yuan,
)

OTHER_LOOKS = (
    [(375, "en", "dark"), (1280, "zh-CN", "dark"), (1280, "en", "light")] if ALL_SCREENS else [(1280, "en", "dark")]
)


def sees_all_ways(inspector: PageInspector, name: str) -> None:
    """This page in every width, language and scheme, without walking here again."""
    inspector.check_page(name)
    for look in (*OTHER_LOOKS, PHONE_ZH):
        width, language, scheme = inspector.screen = look
        inspector.page.set_viewport_size({"width": width, "height": 812})
        inspector.page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
        code = "en" if language == "en" else "zh-hans"
        inspector.page.context.add_cookies(
            [{"name": settings.LANGUAGE_COOKIE_NAME, "value": code, "url": inspector.base_url}]
        )
        inspector.page.reload()
        if look != PHONE_ZH:
            inspector.check_page(name)


def test_what_is_paid_from_is_named_ordered_limited_and_taken_away(
    inspector_on: Callable[..., PageInspector], transactional_db: None
) -> None:
    shop = make_shop("来电充电宝")
    person = make_person(shop, "hard_decline")
    order = make_due_order(shop, person, yuan("12.34"))
    deduct_due(shop.realm_id, at=NOON)
    freeze_clock(NOON, person)
    inspector = inspector_on(PHONE_ZH)
    inspector.go("/instruments/")
    sign_in(inspector, person)
    inspector.page.locator("select[name=behaviour]").select_option("no_funds")
    send(inspector, "/add", name="工资卡 · 建设银行 · 尾号 1234")
    send(inspector, "/wallet")
    assert [row.state for row in person.instruments.order_by("priority")] == ["dead", "active", "active"]
    new = person.instruments.get(channel="sandbox", state="active")
    inspector.page.locator(f"#{new.public_id} summary").first.click()
    send(inspector, f"{new.public_id}/limit", most="200", daily="500")
    sees_all_ways(inspector, "60-instruments")
    inspector.page.locator(f"#{new.public_id} summary").first.click()
    send(inspector, f"{new.public_id}/limit", most="viel")
    inspector.check_page("61-limit-refused", expected=422)
    inspector.go("/instruments/")
    inspector.page.locator(f'form[action$="{new.public_id}/put"] button').last.click()
    dead = person.instruments.get(state="dead")
    inspector.page.locator(f"#{dead.public_id} summary").first.click()
    send(inspector, f"{dead.public_id}/remove")
    inspector.check_page("62-one-removed")
    assert state_of(order) == "completed"


def test_some_debts_are_chosen_and_paid(inspector_on: Callable[..., PageInspector], transactional_db: None) -> None:
    shop = make_shop("来电充电宝", ceiling_minor=9900)
    person = make_person(shop, "pays")
    agreement = make_agreement(shop, person)
    titles = ("共享充电宝", "从人民广场到外滩，借还于不同网点的一次比较长的行程", "寄往杭州 2.4kg")
    owed: list[Order] = []
    for title in titles:
        order = make_order(shop, agreement, title=title, ceiling=1234)
        owed.append(orders.complete_order(order.id, orders.CompletionRequest(total=1234), by=BY, at=NOON))
    add_bank_account(person, Script(Behaviour.PAYS), by=BY, at=NOON)
    freeze_clock(NOON, person)
    inspector = inspector_on(PHONE_ZH)
    inspector.go("/pay-all/")
    sign_in(inspector, person)
    inspector.page.locator("input[type=checkbox]").nth(1).uncheck()
    inspector.page.locator('form[method="get"] button').click()
    sees_all_ways(inspector, "63-pay-some")
    reach(inspector, 'form[method="post"][action="/pay-all/"] button')
    inspector.page.keyboard.press("Enter")
    inspector.page.wait_for_url("**/pay-all/paid?*")
    inspector.check_page("64-paid-some")
    assert [state_of(order) for order in owed] == ["deducted", "completed", "deducted"]
    first = person.instruments.earliest("priority")
    assert [money.minor for money in bank.debits_of(first.token)] == [2468]


def test_a_service_is_opened_from_what_was_chosen(
    inspector_on: Callable[..., PageInspector], scenario: Scenario
) -> None:
    orders.cancel_order(scenario.overdue.id, "forgiven", by=BY, at=NOON)
    inspector = inspector_on(PHONE_ZH)
    path = f"/sign/{scenario.requested.public_id}"
    inspector.go(path)
    sign_in(inspector, scenario.ada)
    inspector.page.locator('a[href^="/instruments/?next="]').click()
    send(inspector, "/add", name="工资卡")
    assert inspector.page.url.endswith(path)
    sees_all_ways(inspector, "65-sign")
    mine: Instrument = scenario.ada.instruments.get(name="工资卡")
    choose(inspector, mine.public_id)
    send(inspector, scenario.requested.public_id)
    inspector.check_page("66-opened")
    assert scenario.ada.instruments.earliest("priority") == mine
    inspector.go("/wallet/")
    send(inspector, "/instruments/wallet")
    send(inspector, "/wallet/top-up", amount="88.80")
    sees_all_ways(inspector, "67-wallet")
