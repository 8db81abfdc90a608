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
from billing.services.remind import remind_due
from billing.services.wallets import top_up
from credit.models import Agreement
from orders import services as orders
from orders.models import Order
from tests.accounts.telling import item, tell
from tests.billing.bench import owed_of, taken_from
from tests.browser.conftest import Eye, sign_in
from tests.browser.test_people import PHONE_ZH, choose, reach, send
from tests.conftest import BY, NOON, Shop, make_shop, opened, ordered, someone, state_of, yuan
from tests.visiting import it_is

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
    order = ordered(shop, agreement, title=title, at=at, ceiling=yuan(total).minor)
    final = orders.Final(total=yuan(total).minor, due_at=due)
    return orders.complete_order(order.id, final, by=BY, at=at)


@pytest.fixture
def debts(transactional_db: None) -> Debts:
    shop = make_shop("严谨租赁", ceiling_minor=500_00, late_fee_daily_bps=5, late_fee_cap_bps=1000)
    ada = someone(shop, "no_funds")
    agreement = opened(shop, ada)
    late = used(shop, agreement, "单车骑行", "98.00", at=NOON - timedelta(days=8))
    disputed = used(shop, agreement, (LONG * 2)[:100], "45.60", at=NOON - timedelta(days=1))
    coming = used(shop, agreement, "充电宝租借", "12.34", at=NOON - timedelta(hours=2), due=NOON + timedelta(days=2))
    deduct_due(shop.realm_id, at=NOON - timedelta(hours=1))
    orders.pause_order(disputed.id, "problem_reported", by=BY, at=NOON - timedelta(hours=1))
    orders.mark_overdue(shop.realm_id, at=NOON - timedelta(days=4), limit=10)
    orders.close_days(shop.realm_id, at=NOON, limit=10)
    remind_due(shop.realm_id, at=NOON)
    deliver_due(shop.realm_id, at=NOON)
    it_is(NOON, ada)
    return Debts(shop, ada, late, coming, disputed)


def test_a_person_reads_what_is_coming_and_moves_it(eye: Eye, debts: Debts) -> None:
    eye.go("/orders/")
    sign_in(eye, debts.ada)
    eye.sees("60-record-with-debts")
    eye.page.locator('nav a[href="/inbox/"]').click()
    eye.sees("61-inbox")
    eye.go(f"/orders/{debts.late.public_id}")
    eye.sees("62-overdue")
    eye.go(f"/orders/{debts.disputed.public_id}")
    eye.sees("63-stands-still")
    eye.go(f"/orders/{debts.coming.public_id}")
    eye.page.locator("#move summary").click()
    eye.sees("64-move")
    day = eye.page.locator("[name=day]").nth(1)
    day.check()
    day.evaluate("choice => { choice.value = '2027-01-01' }")
    eye.page.locator(MOVE).locator("button").click()
    eye.sees("65-not-moved", expected=422)
    eye.page.locator("[name=day]").nth(1).check()
    eye.page.locator(MOVE).locator("button").click()
    eye.sees("66-moved")
    assert owed_of(debts.coming).collect_at == NOON + timedelta(days=4)


def test_a_person_pays_everything_at_once(eye: Eye, debts: Debts) -> None:
    eye.go("/pay-all/")
    sign_in(eye, debts.ada)
    eye.sees("70-pay-all")
    send(eye, "/pay-all/")
    eye.sees("71-all-failed")
    open_wallet(debts.ada, at=NOON)
    top_up(debts.ada.id, yuan("200"), "bank 1", at=NOON)
    eye.page.locator('main a[href="/pay-all/"]').click()
    choose(eye, debts.ada.instruments.get(channel="wallet").public_id)
    orders.lower_total(debts.late.id, 9000, "goodwill", by=BY, at=NOON)
    send(eye, "/pay-all/")
    eye.sees("72-amount-changed", expected=409)
    send(eye, "/pay-all/")
    eye.page.locator("summary").click()
    eye.sees("73-all-paid")
    eye.go("/pay-all/")
    eye.sees("74-only-what-stands-still")
    assert [state_of(order) for order in (debts.late, debts.coming, debts.disputed)] == ["deducted"] * 2 + ["completed"]


def test_what_nobody_knows_yet_is_called_so(eye: Eye, transactional_db: None) -> None:
    shop = make_shop("来电充电宝")
    ada = someone(shop, "timeout_then_paid")
    agreement = opened(shop, ada)
    for n in range(30):
        used(shop, agreement, f"{n + 1:02} {LONG}", "1.50", due=NOON + timedelta(days=n))
    tell(*(item(ada) for _ in range(100)), realm_id=shop.realm_id)
    it_is(NOON, ada)
    eye.go("/pay-all/")
    sign_in(eye, ada)
    eye.sees("80-thirty-debts")
    send(eye, "/pay-all/")
    eye.page.locator("summary").click()
    eye.sees("81-all-being-confirmed")
    eye.go("/pay-all/")
    eye.sees("82-all-under-way")


def test_nothing_to_pay_and_nothing_told(eye: Eye, transactional_db: None) -> None:
    ada = someone(make_shop("来电充电宝"))
    eye.go("/pay-all/")
    sign_in(eye, ada)
    eye.sees("90-nothing-owed")
    eye.go("/inbox/")
    eye.sees("91-empty-inbox")


def test_moving_and_paying_everything_need_no_mouse(eye_with: Callable[..., Eye], debts: Debts) -> None:
    open_wallet(debts.ada, at=NOON)
    top_up(debts.ada.id, yuan("200"), "bank 1", at=NOON)
    eye = eye_with(PHONE_ZH)
    keys = eye.page.keyboard
    eye.go(f"/orders/{debts.coming.public_id}")
    sign_in(eye, debts.ada)
    reach(eye, "#move summary")
    keys.press("Enter")
    reach(eye, "[name=day]")
    keys.press("ArrowDown")
    reach(eye, f"{MOVE} button")
    keys.press("Enter")
    eye.page.wait_for_selector(".note.good")
    assert owed_of(debts.coming).collect_at == NOON + timedelta(days=4)

    for path in ("/inbox/", "/orders/"):
        reach(eye, f'nav a[href="{path}"]')
        keys.press("Enter")
        eye.page.wait_for_url(f"**{path}")
        assert eye.page.locator('nav [aria-current="page"]').count() >= 1
    reach(eye, 'a[href="/pay-all/"]')
    keys.press("Enter")
    reach(eye, "input[name=instrument]")
    keys.press("ArrowDown")
    reach(eye, 'form[action="/pay-all/"] button')
    keys.press("Enter")
    eye.page.wait_for_url("**/pay-all/paid?*")
    assert state_of(debts.coming) == "deducted"


def test_moving_and_paying_everything_need_nothing_but_html(
    chromium: Browser, live_server: LiveServer, debts: Debts
) -> None:
    context = chromium.new_context(java_script_enabled=False, viewport={"width": 375, "height": 812})
    eye = Eye(context.new_page(), live_server.url, PHONE_ZH)
    eye.go(f"/orders/{debts.coming.public_id}")
    sign_in(eye, debts.ada)
    eye.page.locator("#move summary").click()
    eye.page.locator("[name=day][value='2026-11-24']").check()
    eye.page.locator(MOVE).locator("button").click()
    assert owed_of(debts.coming).collect_at == NOON + timedelta(days=4)
    eye.go("/pay-all/")
    send(eye, "/pay-all/")
    assert "/pay-all/paid?of=ded_" in eye.page.url
    assert eye.wrong == []
    context.close()


def test_a_double_click_pays_everything_once(eye_with: Callable[..., Eye], transactional_db: None) -> None:
    shop = make_shop("来电充电宝")
    ada = someone(shop)
    agreement = opened(shop, ada)
    for total in ("3", "4"):
        used(shop, agreement, "充电宝", total)
    it_is(NOON, ada)
    eye = eye_with(PHONE_ZH)
    eye.go("/pay-all/")
    sign_in(eye, ada)
    eye.page.locator('form[action="/pay-all/"] button').first.dblclick()
    eye.page.wait_for_load_state("networkidle")
    assert taken_from(ada) == [yuan("7")]
