"""What people do about a coming deduction, in a real browser: move it, pay everything, read what they were told."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import pytest
from playwright.sync_api import Browser
from pytest_django.live_server_helper import LiveServer

from accounts.deliver import deliver_due
from accounts.models import Person
from billing.services.deduct import deduct_due
from billing.services.instruments import open_wallet
from billing.services.reminders import remind_all
from billing.services.wallets import top_up
from credit.models import Agreement
from orders import services as orders
from orders.models import Order
from tests.accounts.notice_fixtures import new_notice, write
from tests.billing.helpers import bank_debits_of, obligation_of
from tests.browser.conftest import PageInspector, sign_in
from tests.browser.test_people import PHONE_ZH, choose, reach, send
from tests.browsing import freeze_clock
from tests.conftest import BY, NOON, Shop, make_agreement, make_order, make_person, make_shop, state_of, yuan

LONG = "共享充电宝租借：从人民广场地铁站二号口到外滩观景平台，借还于不同网点，含夜间封顶与会员日优惠的一次行程。"
MOVE = 'form[action$="/move#move"]'


@dataclass(frozen=True)
class Debts:
    """Ada owes something overdue with a late fee, something due in two days, and something she complained about."""

    shop: Shop
    ada: Person
    late: Order
    coming: Order
    disputed: Order


def used(
    shop: Shop, agreement: Agreement, title: str, total: str, *, at: datetime = NOON, due: datetime | None = None
) -> Order:
    order = make_order(shop, agreement, title=title, at=at, ceiling=yuan(total).minor)
    final = orders.CompletionRequest(total=yuan(total).minor, due_at=due)
    return orders.complete_order(order.id, final, by=BY, at=at)


@pytest.fixture
def debts(transactional_db: None) -> Debts:
    shop = make_shop("严谨租赁", ceiling_minor=500_00, late_fee_daily_bps=5, late_fee_cap_bps=1000)
    ada = make_person(shop, "no_funds")
    agreement = make_agreement(shop, ada)
    late = used(shop, agreement, "单车骑行", "98.00", at=NOON - timedelta(days=8))
    disputed = used(shop, agreement, (LONG * 2)[:100], "45.60", at=NOON - timedelta(days=1))
    coming = used(shop, agreement, "充电宝租借", "12.34", at=NOON - timedelta(hours=2), due=NOON + timedelta(days=2))
    deduct_due(shop.realm_id, at=NOON - timedelta(hours=1))
    orders.pause_order(disputed.id, "problem_reported", by=BY, at=NOON - timedelta(hours=1))
    orders.mark_overdue(shop.realm_id, at=NOON - timedelta(days=4), limit=10)
    orders.close_days(shop.realm_id, at=NOON, limit=10)
    remind_all(shop.realm_id, at=NOON)
    deliver_due(shop.realm_id, at=NOON)
    freeze_clock(NOON, ada)
    return Debts(shop, ada, late, coming, disputed)


def test_a_person_reads_what_is_coming_and_moves_it(inspector: PageInspector, debts: Debts) -> None:
    inspector.go("/orders/")
    sign_in(inspector, debts.ada)
    inspector.check_page("60-record-with-debts")
    inspector.page.locator('nav a[href="/inbox/"]').click()
    inspector.check_page("61-inbox")
    inspector.go(f"/orders/{debts.late.public_id}")
    inspector.check_page("62-overdue")
    inspector.go(f"/orders/{debts.disputed.public_id}")
    inspector.check_page("63-stands-still")
    inspector.go(f"/orders/{debts.coming.public_id}")
    inspector.page.locator("#move summary").click()
    inspector.check_page("64-move")
    day = inspector.page.locator("[name=day]").nth(1)
    day.check()
    day.evaluate("choice => { choice.value = '2027-01-01' }")
    inspector.page.locator(MOVE).locator("button").click()
    inspector.check_page("65-not-moved", expected=422)
    inspector.page.locator("[name=day]").nth(1).check()
    inspector.page.locator(MOVE).locator("button").click()
    inspector.check_page("66-moved")
    assert obligation_of(debts.coming).collect_at == NOON + timedelta(days=4)


def test_a_person_pays_everything_at_once(inspector: PageInspector, debts: Debts) -> None:
    inspector.go("/pay-all/")
    sign_in(inspector, debts.ada)
    inspector.check_page("70-pay-all")
    send(inspector, "/pay-all/")
    inspector.check_page("71-all-failed")
    open_wallet(debts.ada, at=NOON)
    top_up(debts.ada.id, yuan("200"), "bank 1", at=NOON)
    inspector.page.locator('main a[href="/pay-all/"]').click()
    choose(inspector, debts.ada.instruments.get(channel="wallet").public_id)
    orders.reduce_total(debts.late.id, 9000, "goodwill", by=BY, at=NOON)
    send(inspector, "/pay-all/")
    inspector.check_page("72-amount-changed", expected=409)
    send(inspector, "/pay-all/")
    inspector.page.locator("summary").click()
    inspector.check_page("73-all-paid")
    inspector.go("/pay-all/")
    inspector.check_page("74-only-what-stands-still")
    assert [state_of(order) for order in (debts.late, debts.coming, debts.disputed)] == ["deducted"] * 2 + ["completed"]


def test_what_nobody_knows_yet_is_called_so(inspector: PageInspector, transactional_db: None) -> None:
    shop = make_shop("来电充电宝")
    ada = make_person(shop, "timeout_then_paid")
    agreement = make_agreement(shop, ada)
    for n in range(30):
        used(shop, agreement, f"{n + 1:02} {LONG}", "1.50", due=NOON + timedelta(days=n))
    write(*(new_notice(ada) for _ in range(100)), realm_id=shop.realm_id)
    freeze_clock(NOON, ada)
    inspector.go("/pay-all/")
    sign_in(inspector, ada)
    inspector.check_page("80-thirty-debts")
    send(inspector, "/pay-all/")
    inspector.page.locator("summary").click()
    inspector.check_page("81-all-being-confirmed")
    inspector.go("/pay-all/")
    inspector.check_page("82-all-under-way")


def test_nothing_to_pay_and_nothing_told(inspector: PageInspector, transactional_db: None) -> None:
    ada = make_person(make_shop("来电充电宝"))
    inspector.go("/pay-all/")
    sign_in(inspector, ada)
    inspector.check_page("90-nothing-owed")
    inspector.go("/inbox/")
    inspector.check_page("91-empty-inbox")


def test_moving_and_paying_everything_need_no_mouse(inspector_on: Callable[..., PageInspector], debts: Debts) -> None:
    open_wallet(debts.ada, at=NOON)
    top_up(debts.ada.id, yuan("200"), "bank 1", at=NOON)
    inspector = inspector_on(PHONE_ZH)
    keys = inspector.page.keyboard
    inspector.go(f"/orders/{debts.coming.public_id}")
    sign_in(inspector, debts.ada)
    reach(inspector, "#move summary")
    keys.press("Enter")
    reach(inspector, "[name=day]")
    keys.press("ArrowDown")
    reach(inspector, f"{MOVE} button")
    keys.press("Enter")
    inspector.page.wait_for_selector(".note.good")
    assert obligation_of(debts.coming).collect_at == NOON + timedelta(days=4)

    for path in ("/inbox/", "/orders/"):
        reach(inspector, f'nav a[href="{path}"]')
        keys.press("Enter")
        inspector.page.wait_for_url(f"**{path}")
        assert inspector.page.locator('nav [aria-current="page"]').count() >= 1
    reach(inspector, 'a[href="/pay-all/"]')
    keys.press("Enter")
    reach(inspector, "input[name=instrument]")
    keys.press("ArrowDown")
    reach(inspector, 'form[action="/pay-all/"] button')
    keys.press("Enter")
    inspector.page.wait_for_url("**/pay-all/paid?*")
    assert state_of(debts.coming) == "deducted"


def test_moving_and_paying_everything_need_nothing_but_html(
    chromium: Browser, live_server: LiveServer, debts: Debts
) -> None:
    context = chromium.new_context(java_script_enabled=False, viewport={"width": 375, "height": 812})
    inspector = PageInspector(context.new_page(), live_server.url, PHONE_ZH)
    inspector.go(f"/orders/{debts.coming.public_id}")
    sign_in(inspector, debts.ada)
    inspector.page.locator("#move summary").click()
    inspector.page.locator("[name=day][value='2026-11-24']").check()
    inspector.page.locator(MOVE).locator("button").click()
    assert obligation_of(debts.coming).collect_at == NOON + timedelta(days=4)
    inspector.go("/pay-all/")
    send(inspector, "/pay-all/")
    assert "/pay-all/paid?of=ded_" in inspector.page.url
    assert inspector.problems == []
    context.close()


def test_a_double_click_pays_everything_once(
    inspector_on: Callable[..., PageInspector], transactional_db: None
) -> None:
    shop = make_shop("来电充电宝")
    ada = make_person(shop)
    agreement = make_agreement(shop, ada)
    for total in ("3", "4"):
        used(shop, agreement, "充电宝", total)
    freeze_clock(NOON, ada)
    inspector = inspector_on(PHONE_ZH)
    inspector.go("/pay-all/")
    sign_in(inspector, ada)
    inspector.page.locator('form[action="/pay-all/"] button').first.dblclick()
    inspector.page.wait_for_load_state("networkidle")
    assert bank_debits_of(ada) == [yuan("7")]
