"""A merchant's console in a real browser: come in with two factors, make a key, find an order; every page looked at."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from billing.models import Settlement
from billing.services.deduct import deduct_due
from billing.services.invoices import issue_due_invoices
from billing.services.payout_accounts import AccountDetails, request_payout_account
from billing.services.settlements import settle_due
from kernel.models import Realm
from merchants.models import Event
from orders import services as orders
from portal.models import Member
from portal.services import team
from tests.browser.conftest import ALL_SCREENS, PageInspector, offer_service
from tests.conftest import (
    BY,
    NOON,
    Shop,
    make_agreement,
    make_due_order,
    make_order,
    make_person,
    make_shop,
    yuan,
)
from tests.late_policy import publish_late_policy
from tests.office.test_tally import counted
from tests.portal.conftest import PASSWORD, current_code
from tests.settlement.helpers import settle_and_pay_out

PHONE_ZH, DESK_EN = (375, "zh-CN", "light"), (1280, "en", "dark")


@pytest.fixture
def firm(transactional_db: None) -> tuple[Shop, Member]:
    """A power-bank shop with some orders, one of which cannot be collected, and its owner."""
    shop = make_shop("来电充电宝")
    owner = team.create_team(shop.live.id, "owner@example.com", PASSWORD, by=BY, at=NOON)
    late = NOON - timedelta(days=5)
    make_due_order(shop, make_person(shop, "no_funds", "段欣"), yuan("36"), at=late)
    deduct_due(shop.realm_id, at=late + timedelta(hours=1))
    orders.mark_overdue(shop.realm_id, at=NOON, limit=10)
    ada = make_person(shop)
    agreement = make_agreement(shop, ada, at=late)
    for hours in range(1, 4):
        order = make_order(shop, agreement, title=f"共享充电宝 {hours} 小时", at=NOON - timedelta(hours=hours))
        orders.complete_order(order.id, orders.CompletionRequest(total=300 * hours), by=BY, at=NOON)
    deduct_due(shop.realm_id, at=NOON)
    make_order(shop, agreement, title="正在使用的充电宝", at=NOON)
    offer_service(shop.live, "共享充电宝", mode="dynamic", ceiling_minor=9900)
    Realm.objects.filter(pk=shop.realm_id).update(frozen_at=NOON)
    return shop, owner


def comes_in(inspector: PageInspector) -> None:
    inspector.go("/merchant/")
    inspector.page.locator("#main input[name=email]").fill("owner@example.com")
    inspector.page.locator("#main input[name=password]").fill(PASSWORD)
    inspector.page.locator("#main button[type=submit]").click()


def sends(inspector: PageInspector) -> None:
    inspector.page.locator("#main form button[type=submit]").last.click()


@pytest.mark.parametrize("look", [PHONE_ZH, DESK_EN] if ALL_SCREENS else [PHONE_ZH])
def test_every_page_reads_well(
    look: tuple[int, str, str], inspector_on: Callable[..., PageInspector], firm: tuple[Shop, Member]
) -> None:
    shop, _owner = firm
    settle_and_pay_out(shop, NOON + timedelta(days=1))
    for act in (settle_due, issue_due_invoices):
        act(shop.realm_id, at=NOON + timedelta(days=20))
    account = AccountDetails(holder="来电科技有限公司", bank="招商银行上海分行", number="6222021234567890")
    request_payout_account(shop.merchant.id, account, by=BY, at=NOON)
    harsh = {"grace": timedelta(), "late_fee_daily_bps": 100, "late_fee_cap_bps": 2000}
    offer_service(shop.merchant, "相机租赁", mode="dynamic", ceiling_minor=500_00, **harsh)
    publish_late_policy(grace_hours_least=48, daily_bps_most=5, cap_bps_most=1000)
    counted()
    inspector, base = inspector_on(look), f"/merchant/{shop.merchant.public_id}/"
    inspector.go("/merchant/sign-in/")
    inspector.check_page("50-merchant-sign-in")
    comes_in(inspector)
    inspector.page.wait_for_url("**/mch_*/")
    inspector.check_page("51-merchant-overview")
    order = Event.objects.filter(type="order.overdue").get()
    for n, page in enumerate(
        (
            "figures/",
            "orders/",
            "services/",
            "keys/",
            "webhooks/",
            "events/",
            "sandbox/",
            "settlements/",
            "team/",
            "invoices/",
        )
    ):
        inspector.go(base + page)
        inspector.check_page(f"52-merchant-{n}-{page.strip('/')}")
    inspector.go(f"{base}orders/ord_{order.subject_id.hex}")
    inspector.check_page("53-merchant-order")
    inspector.go(f"{base}events/{order.public_id}")
    inspector.check_page("54-merchant-event")
    settlement = Settlement.objects.get()
    inspector.go(f"{base}settlements/{settlement.public_id}")
    inspector.check_page("54-merchant-settlement")
    inspector.go(f"{base}services/new")
    sends(inspector)
    inspector.go("/merchant/security/")
    inspector.check_page("55-merchant-account")
    inspector.go("/merchant/security/passkey")
    inspector.check_page("56-merchant-passkey")


def sets_up_an_app(inspector: PageInspector) -> str:
    """The second factor is set up, after a wrong code; a code for emergencies."""
    inspector.check_page("60-second-factor")
    secret = inspector.page.locator("#secret").inner_text()
    inspector.page.locator("input[name=code]").fill("12")
    sends(inspector)
    inspector.check_page("61-wrong-code", expected=422)
    inspector.page.locator("input[name=code]").fill(current_code(secret))
    sends(inspector)
    inspector.check_page("62-codes")
    code = inspector.page.locator("#codes li").first.inner_text()
    inspector.page.locator("main a.button").click()
    return code


def completes_what_is_found(inspector: PageInspector) -> None:
    """The order in use is looked for while typing, and completed, at first for too much."""
    inspector.page.locator("#id_q").press_sequentially("正在使用")
    inspector.page.locator("#list tbody tr").nth(1).wait_for(state="detached")
    assert "q=" in inspector.page.url
    inspector.check_page("66-found")
    inspector.page.locator("#list a").first.click()
    inspector.page.locator('main a[href$="/complete"]').click()
    inspector.page.locator("input[name=total]").fill("100000")
    inspector.page.locator("input[name=reason]").fill("归还")
    sends(inspector)
    inspector.check_page("67-too-much", expected=422)
    inspector.page.locator("input[name=total]").fill("4.50")
    sends(inspector)
    inspector.check_page("68-completed")


def test_an_owner_sets_up_two_factors_makes_a_key_and_finds_an_order(
    inspector_on: Callable[..., PageInspector], firm: tuple[Shop, Member]
) -> None:
    shop, _owner = firm
    inspector = inspector_on(PHONE_ZH)
    comes_in(inspector)
    inspector.page.locator(".mode a").last.click()  # live: nothing is changed there without a second factor
    inspector.page.locator('.side a[href$="/keys/"]').click()
    inspector.page.locator('main a[href$="/keys/new"]').click()
    assert "/merchant/security/second-factor" in inspector.page.url
    code = sets_up_an_app(inspector)
    assert inspector.page.url.endswith("/keys/new")
    inspector.check_page("63-new-key")
    sends(inspector)
    assert inspector.page.locator("#secret").inner_text().startswith("sk_live_")
    inspector.check_page("64-secret")
    inspector.page.locator(".mine button").click()
    comes_in(inspector)
    inspector.check_page("65-code")
    inspector.page.locator("input[name=code]").fill(code)
    sends(inspector)
    inspector.go(f"/merchant/{shop.merchant.public_id}/orders/")
    completes_what_is_found(inspector)


def test_the_console_speaks_english_needs_no_mouse_and_lets_time_pass(
    inspector_on: Callable[..., PageInspector], firm: tuple[Shop, Member]
) -> None:
    shop, _owner = firm
    inspector = inspector_on(DESK_EN)
    keys = inspector.page.keyboard
    inspector.go("/merchant/sign-in/")
    keys.type("owner@example.com")
    keys.press("Tab")
    keys.type(PASSWORD)
    keys.press("Enter")
    inspector.page.wait_for_url("**/mch_*/")
    keys.press("Tab")
    assert inspector.page.evaluate("document.activeElement.className") == "skip"
    inspector.go(f"/merchant/{shop.merchant.public_id}/sandbox/")
    inspector.page.locator('button[name=days][value="1"]').click()
    inspector.check_page("70-a-day-later")
    assert "Nov 21, 2026" in inspector.page.locator(".sandbox").inner_text()
    inspector.page.locator('main a[href$="/people/new"]').click()
    inspector.page.locator("select[name=behaviour]").select_option("no_funds_until")
    sends(inspector)
    inspector.check_page("71-how-many-days", expected=422)
    inspector.go("/merchant/mch_" + "0" * 32 + "/")
    inspector.check_page("72-nothing-here", expected=404)
