"""A merchant's console in a real browser: come in with two factors, make a key, find an order; every page looked at."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from billing.models import Settlement
from billing.services.deduct import deduct_due
from billing.services.invoice import invoice_due
from billing.services.payout_accounts import Account, ask_payout_account
from billing.services.settlement import settle_due
from kernel.models import Realm
from merchants.models import Event
from orders import services as orders
from portal.models import Member
from portal.services import team
from tests.browser.conftest import IN_ALL, Eye, offer
from tests.conftest import BY, NOON, Shop, completed, make_shop, opened, ordered, someone, yuan
from tests.late import permit
from tests.office.test_tally import counted
from tests.portal.conftest import PASSWORD, digits
from tests.settlement.bench import day_ends

PHONE_ZH, DESK_EN = (375, "zh-CN", "light"), (1280, "en", "dark")


@pytest.fixture
def firm(transactional_db: None) -> tuple[Shop, Member]:
    """A power-bank shop with some orders, one of which cannot be collected, and its owner."""
    shop = make_shop("来电充电宝")
    owner = team.found_team(shop.live.id, "owner@example.com", PASSWORD, by=BY, at=NOON)
    late = NOON - timedelta(days=5)
    completed(shop, someone(shop, "no_funds", "段欣"), yuan("36"), at=late)
    deduct_due(shop.realm_id, at=late + timedelta(hours=1))
    orders.mark_overdue(shop.realm_id, at=NOON, limit=10)
    ada = someone(shop)
    agreement = opened(shop, ada, at=late)
    for hours in range(1, 4):
        order = ordered(shop, agreement, title=f"共享充电宝 {hours} 小时", at=NOON - timedelta(hours=hours))
        orders.complete_order(order.id, orders.Final(total=300 * hours), by=BY, at=NOON)
    deduct_due(shop.realm_id, at=NOON)
    ordered(shop, agreement, title="正在使用的充电宝", at=NOON)
    offer(shop.live, "共享充电宝", mode="dynamic", ceiling_minor=9900)
    Realm.objects.filter(pk=shop.realm_id).update(frozen_at=NOON)
    return shop, owner


def comes_in(eye: Eye) -> None:
    eye.go("/merchant/")
    eye.page.locator("#main input[name=email]").fill("owner@example.com")
    eye.page.locator("#main input[name=password]").fill(PASSWORD)
    eye.page.locator("#main button[type=submit]").click()


def sends(eye: Eye) -> None:
    eye.page.locator("#main form button[type=submit]").last.click()


@pytest.mark.parametrize("look", [PHONE_ZH, DESK_EN] if IN_ALL else [PHONE_ZH])
def test_every_page_reads_well(
    look: tuple[int, str, str], eye_with: Callable[..., Eye], firm: tuple[Shop, Member]
) -> None:
    shop, _owner = firm
    day_ends(shop, NOON + timedelta(days=1))
    for act in (settle_due, invoice_due):
        act(shop.realm_id, at=NOON + timedelta(days=20))
    account = Account(holder="来电科技有限公司", bank="招商银行上海分行", number="6222021234567890")
    ask_payout_account(shop.merchant.id, account, by=BY, at=NOON)
    harsh = {"grace": timedelta(), "late_fee_daily_bps": 100, "late_fee_cap_bps": 2000}
    offer(shop.merchant, "相机租赁", mode="dynamic", ceiling_minor=500_00, **harsh)
    permit(grace_hours_least=48, daily_bps_most=5, cap_bps_most=1000)
    counted()
    eye, base = eye_with(look), f"/merchant/{shop.merchant.public_id}/"
    eye.go("/merchant/sign-in/")
    eye.sees("50-merchant-sign-in")
    comes_in(eye)
    eye.page.wait_for_url("**/mch_*/")
    eye.sees("51-merchant-overview")
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
        eye.go(base + page)
        eye.sees(f"52-merchant-{n}-{page.strip('/')}")
    eye.go(f"{base}orders/ord_{order.subject_id.hex}")
    eye.sees("53-merchant-order")
    eye.go(f"{base}events/{order.public_id}")
    eye.sees("54-merchant-event")
    settlement = Settlement.objects.get()
    eye.go(f"{base}settlements/{settlement.public_id}")
    eye.sees("54-merchant-settlement")
    eye.go(f"{base}services/new")
    sends(eye)
    eye.go("/merchant/security/")
    eye.sees("55-merchant-account")
    eye.go("/merchant/security/passkey")
    eye.sees("56-merchant-passkey")


def sets_up_an_app(eye: Eye) -> str:
    """The second factor is set up, after a wrong code; a code for emergencies."""
    eye.sees("60-second-factor")
    secret = eye.page.locator("#secret").inner_text()
    eye.page.locator("input[name=code]").fill("12")
    sends(eye)
    eye.sees("61-wrong-code", expected=422)
    eye.page.locator("input[name=code]").fill(digits(secret))
    sends(eye)
    eye.sees("62-codes")
    code = eye.page.locator("#codes li").first.inner_text()
    eye.page.locator("main a.button").click()
    return code


def completes_what_is_found(eye: Eye) -> None:
    """The order in use is looked for while typing, and completed, at first for too much."""
    eye.page.locator("#id_q").press_sequentially("正在使用")
    eye.page.locator("#list tbody tr").nth(1).wait_for(state="detached")
    assert "q=" in eye.page.url
    eye.sees("66-found")
    eye.page.locator("#list a").first.click()
    eye.page.locator('main a[href$="/complete"]').click()
    eye.page.locator("input[name=total]").fill("100000")
    eye.page.locator("input[name=reason]").fill("归还")
    sends(eye)
    eye.sees("67-too-much", expected=422)
    eye.page.locator("input[name=total]").fill("4.50")
    sends(eye)
    eye.sees("68-completed")


def test_an_owner_sets_up_two_factors_makes_a_key_and_finds_an_order(
    eye_with: Callable[..., Eye], firm: tuple[Shop, Member]
) -> None:
    shop, _owner = firm
    eye = eye_with(PHONE_ZH)
    comes_in(eye)
    eye.page.locator(".mode a").last.click()  # live: nothing is changed there without a second factor
    eye.page.locator('.side a[href$="/keys/"]').click()
    eye.page.locator('main a[href$="/keys/new"]').click()
    assert "/merchant/security/second-factor" in eye.page.url
    code = sets_up_an_app(eye)
    assert eye.page.url.endswith("/keys/new")
    eye.sees("63-new-key")
    sends(eye)
    assert eye.page.locator("#secret").inner_text().startswith("sk_live_")
    eye.sees("64-secret")
    eye.page.locator(".mine button").click()
    comes_in(eye)
    eye.sees("65-code")
    eye.page.locator("input[name=code]").fill(code)
    sends(eye)
    eye.go(f"/merchant/{shop.merchant.public_id}/orders/")
    completes_what_is_found(eye)


def test_the_console_speaks_english_needs_no_mouse_and_lets_time_pass(
    eye_with: Callable[..., Eye], firm: tuple[Shop, Member]
) -> None:
    shop, _owner = firm
    eye = eye_with(DESK_EN)
    keys = eye.page.keyboard
    eye.go("/merchant/sign-in/")
    keys.type("owner@example.com")
    keys.press("Tab")
    keys.type(PASSWORD)
    keys.press("Enter")
    eye.page.wait_for_url("**/mch_*/")
    keys.press("Tab")
    assert eye.page.evaluate("document.activeElement.className") == "skip"
    eye.go(f"/merchant/{shop.merchant.public_id}/sandbox/")
    eye.page.locator('button[name=days][value="1"]').click()
    eye.sees("70-a-day-later")
    assert "Nov 21, 2026" in eye.page.locator(".sandbox").inner_text()
    eye.page.locator('main a[href$="/people/new"]').click()
    eye.page.locator("select[name=behaviour]").select_option("no_funds_until")
    sends(eye)
    eye.sees("71-how-many-days", expected=422)
    eye.go("/merchant/mch_" + "0" * 32 + "/")
    eye.sees("72-nothing-here", expected=404)
