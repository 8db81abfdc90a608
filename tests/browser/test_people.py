"""What people do on their pages, in a real browser: on a phone and a desk, in both languages, in light and dark."""

from collections.abc import Callable

from playwright.sync_api import Browser
from pytest_django.live_server_helper import LiveServer

from accounts import services as accounts
from accounts.models import Person
from billing.channels import bank
from credit.models import Agreement
from merchants import services as merchants
from orders import services as orders
from orders.models import Order
from tests.browser.conftest import Eye, Story, code_for, phone_of, sign_in
from tests.conftest import BY, NOON, completed, make_shop, someone, state_of, yuan
from tests.visiting import it_is

ADULT = "11010519491231002X"
PHONE_ZH = (375, "zh-CN", "light")


def send(eye: Eye, action: str, **fields: str) -> None:
    """Fill in the form that goes to this address, and send it."""
    form = eye.page.locator(f'form[action$="{action}"]')
    for name, value in fields.items():
        form.locator(f"[name={name}]").fill(value)
    form.locator("button").first.click()


def choose(eye: Eye, instrument: str) -> None:
    eye.page.locator(f'input[value="{instrument}"]').check()


def comes_in(eye: Eye, person: Person) -> None:
    eye.go("/")
    eye.sees("01-landing")
    eye.page.locator("a.button").first.click()
    eye.sees("02-sign-in")
    sign_in(eye, person)
    assert eye.page.url.endswith("/home/")
    eye.sees("03-home")


def test_a_person_short_of_money_puts_things_right(eye: Eye, story: Story) -> None:
    comes_in(eye, story.ada)
    eye.go("/orders/?month=2026-11")
    eye.sees("03-record")
    for shelf in ("in_progress", "to_pay", "kept", "cancelled", "overdue"):
        eye.go(f"/orders/?shelf={shelf}")
        eye.sees(f"04-record-{shelf}")

    waiting = f"/confirm/{story.waiting.public_id}"
    eye.go(waiting)
    eye.sees("05-confirm")
    eye.page.locator('button[value="yes"]').click()
    assert eye.page.url.endswith("/result")
    eye.sees("06-not-confirmed")

    eye.page.locator('main a[href*="overdue"]').click()
    eye.page.locator("main .link a").click()
    eye.sees("07-overdue-order")
    send(eye, "/pay")
    assert "/paid?of=ded_" in eye.page.url
    eye.sees("08-payment-failed")

    eye.go("/wallet/")
    eye.sees("09-no-wallet")
    send(eye, "/instruments/wallet")
    eye.sees("09-wallet-empty")
    send(eye, "/wallet/top-up", amount="5,5")
    eye.sees("10-top-up-refused", expected=422)
    send(eye, "/wallet/top-up", amount="30")
    eye.sees("11-topped-up")

    wallet = story.ada.instruments.get(channel="wallet").public_id
    eye.go(f"/orders/{story.overdue.public_id}")
    choose(eye, wallet)
    send(eye, "/pay")
    eye.sees("12-paid")
    assert state_of(story.overdue) == "deducted"
    eye.go(f"/orders/{story.to_pay.public_id}")
    choose(eye, wallet)
    send(eye, "/pay", amount="100")
    eye.sees("13-too-much", expected=422)
    choose(eye, wallet)
    send(eye, "/pay", amount="5")
    eye.sees("14-paid-in-part")
    eye.go(f"/orders/{story.to_pay.public_id}")
    eye.sees("15-order")

    eye.go(waiting)
    eye.page.locator('button[value="yes"]').click()
    assert state_of(story.waiting) == "open"
    eye.sees("16-confirmed")
    eye.page.locator('nav a[href="/inbox/"]').click()
    eye.sees("18-inbox")
    eye.go(waiting)
    eye.sees("17-confirmed-before")


def test_a_person_opens_a_service_and_stops_one(eye: Eye, story: Story) -> None:
    orders.cancel_order(story.overdue.id, "forgiven", by=BY, at=NOON)
    eye.go(f"/sign/{story.asked.public_id}")
    sign_in(eye, story.ada)
    assert eye.page.url.endswith(f"/sign/{story.asked.public_id}")
    eye.sees("20-sign")
    send(eye, story.asked.public_id)
    eye.sees("21-opened")
    assert eye.page.locator('a[href$="/back"]').is_visible()
    eye.go(f"/sign/{story.too_high.public_id}")
    send(eye, story.too_high.public_id)
    eye.sees("22-not-opened")
    eye.go("/services/")
    eye.page.locator("summary").last.click()
    eye.sees("23-services")
    wider = {"ceiling_minor": 500_00, "late_fee_daily_bps": 5, "late_fee_cap_bps": 1_000}
    service = story.asked.service
    merchants.change_service(service.merchant_id, service.id, wider, by=BY, at=NOON)
    eye.go("/services/")
    eye.sees("23-services-asked-anew")
    eye.page.locator('form[action$="/agree"] button').first.click()
    eye.sees("23-services-agreed-anew")
    assert Agreement.objects.get(pk=story.asked.pk).agreed.ceiling_minor == 500_00
    eye.page.locator("summary").last.click()
    eye.page.locator("button.stop").last.click()
    eye.sees("24-stopped")
    eye.go("/orders/ord_" + "0" * 32)
    eye.sees("25-nothing-here", expected=404)
    eye.go("/orders/?cursor=x")
    eye.sees("26-refused", expected=422)


def test_a_newcomer_says_who_they_are(eye: Eye, story: Story) -> None:
    person = accounts.register_person("+8613812341234", realm_id=story.bank.realm_id, by=BY, at=NOON)
    eye.go(f"/sign/{story.asked.public_id}")
    sign_in(eye, person)
    eye.sees("30-who-are-you")
    send(eye, "/identity", name="欧阳修远", id_number="110105194912310021")
    eye.sees("31-wrong-number", expected=422)
    send(eye, "/identity", name="欧阳修远", id_number=ADULT)
    eye.sees("32-terms")
    send(eye, story.asked.public_id)
    eye.go("/orders/")
    eye.sees("33-empty-record")
    eye.go("/wallet/")
    eye.sees("34-empty-wallet")


def test_an_unknown_outcome_is_not_called_a_failure(eye: Eye, transactional_db: None) -> None:
    order = owed_by_somebody("timeout_then_paid")
    eye.go(f"/orders/{order.public_id}")
    sign_in(eye, order.person)
    send(eye, "/pay")
    eye.sees("40-being-confirmed")
    eye.go(f"/orders/{order.public_id}")
    eye.sees("41-in-flight")


def test_a_double_click_pays_once(eye_with: Callable[..., Eye], transactional_db: None) -> None:
    order = owed_by_somebody("pays")
    eye = eye_with(PHONE_ZH)
    eye.go(f"/orders/{order.public_id}")
    sign_in(eye, order.person)
    eye.page.locator("#amount").fill("5")
    eye.page.locator('form[action$="/pay"] button').dblclick()
    eye.page.wait_for_load_state("networkidle")
    assert [money.minor for money in bank.debits_of(order.person.instruments.get().token)] == [500]


def test_signing_in_confirming_and_paying_need_no_mouse(eye_with: Callable[..., Eye], story: Story) -> None:
    orders.cancel_order(story.overdue.id, "forgiven", by=BY, at=NOON)
    eye = eye_with(PHONE_ZH)
    keys = eye.page.keyboard
    eye.go(f"/confirm/{story.waiting.public_id}")
    reach(eye, "main input[type=tel]")
    keys.type(phone_of(story.ada))
    keys.press("Enter")
    reach(eye, "main input[name=code]")
    keys.type(code_for(eye, phone_of(story.ada)))
    keys.press("Enter")
    reach(eye, 'button[value="yes"]')
    keys.press("Enter")
    eye.page.wait_for_url("**/orders/ord_*")
    assert state_of(story.waiting) == "open"

    eye.go(f"/orders/{story.to_pay.public_id}")
    keys.press("Tab")
    assert eye.page.evaluate("document.activeElement.className") == "skip"
    keys.press("Enter")
    reach(eye, "#amount")
    keys.press("Control+A")
    keys.type("1.5")
    reach(eye, 'form[action$="/pay"] button')
    keys.press("Enter")
    eye.page.wait_for_url("**/paid?*")


def test_the_language_and_the_way_out_stand_under_every_page(eye_with: Callable[..., Eye], story: Story) -> None:
    eye = eye_with(PHONE_ZH)
    eye.go("/orders/?shelf=to_pay")
    sign_in(eye, story.ada)
    eye.page.locator('footer button[value="en"]').click()
    assert eye.page.url.endswith("/orders/?shelf=to_pay")
    assert eye.page.locator("h1").inner_text() == "Promise record"
    eye.page.locator("footer form").last.locator("button").click()
    eye.page.wait_for_url("**/account/login/")
    eye.go("/orders/")
    assert "/account/login/" in eye.page.url


def test_nothing_is_needed_but_html(chromium: Browser, live_server: LiveServer, story: Story) -> None:
    context = chromium.new_context(java_script_enabled=False, viewport={"width": 375, "height": 812})
    eye = Eye(context.new_page(), live_server.url, PHONE_ZH)
    eye.go(f"/orders/{story.to_pay.public_id}")
    sign_in(eye, story.ada)
    send(eye, "/pay", amount="1")
    assert "/paid?of=ded_" in eye.page.url
    assert eye.wrong == []
    context.close()


def owed_by_somebody(behaviour: str) -> Order:
    shop = make_shop("来电充电宝")
    person = someone(shop, behaviour)
    order = completed(shop, person, yuan("12.34"))
    it_is(NOON, person)
    return order


def reach(eye: Eye, selector: str) -> None:
    """Tab on until the focus is there."""
    eye.page.wait_for_selector(selector)
    for _ in range(30):
        if eye.page.evaluate("s => document.activeElement?.matches(s)", selector):
            return
        eye.page.keyboard.press("Tab")
    raise AssertionError(f"{selector} cannot be reached by keyboard")
