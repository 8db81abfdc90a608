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
from tests.browser.conftest import PageInspector, Scenario, code_for, phone_of, sign_in
from tests.browsing import freeze_clock
from tests.conftest import BY, NOON, make_due_order, make_person, make_shop, state_of, yuan

ADULT = "11010519491231002X"
PHONE_ZH = (375, "zh-CN", "light")


def send(inspector: PageInspector, action: str, **fields: str) -> None:
    """Fill in the form that goes to this address, and send it."""
    form = inspector.page.locator(f'form[action$="{action}"]')
    for name, value in fields.items():
        form.locator(f"[name={name}]").fill(value)
    form.locator("button").first.click()


def choose(inspector: PageInspector, instrument: str) -> None:
    inspector.page.locator(f'input[value="{instrument}"]').check()


def comes_in(inspector: PageInspector, person: Person) -> None:
    inspector.go("/")
    inspector.check_page("01-landing")
    inspector.page.locator("a.button").first.click()
    inspector.check_page("02-sign-in")
    sign_in(inspector, person)
    assert inspector.page.url.endswith("/home/")
    inspector.check_page("03-home")


def test_a_person_short_of_money_puts_things_right(inspector: PageInspector, scenario: Scenario) -> None:
    comes_in(inspector, scenario.ada)
    inspector.go("/orders/?month=2026-11")
    inspector.check_page("03-record")
    for shelf in ("in_progress", "to_pay", "kept", "cancelled", "overdue"):
        inspector.go(f"/orders/?shelf={shelf}")
        inspector.check_page(f"04-record-{shelf}")

    waiting = f"/confirm/{scenario.waiting.public_id}"
    inspector.go(waiting)
    inspector.check_page("05-confirm")
    inspector.page.locator('button[value="yes"]').click()
    assert inspector.page.url.endswith("/result")
    inspector.check_page("06-not-confirmed")

    inspector.page.locator('main a[href*="overdue"]').click()
    inspector.page.locator("main .link a").click()
    inspector.check_page("07-overdue-order")
    send(inspector, "/pay")
    assert "/paid?of=ded_" in inspector.page.url
    inspector.check_page("08-payment-failed")

    inspector.go("/wallet/")
    inspector.check_page("09-no-wallet")
    send(inspector, "/instruments/wallet")
    inspector.check_page("09-wallet-empty")
    send(inspector, "/wallet/top-up", amount="5,5")
    inspector.check_page("10-top-up-refused", expected=422)
    send(inspector, "/wallet/top-up", amount="30")
    inspector.check_page("11-topped-up")

    wallet = scenario.ada.instruments.get(channel="wallet").public_id
    inspector.go(f"/orders/{scenario.overdue.public_id}")
    choose(inspector, wallet)
    send(inspector, "/pay")
    inspector.check_page("12-paid")
    assert state_of(scenario.overdue) == "deducted"
    inspector.go(f"/orders/{scenario.to_pay.public_id}")
    choose(inspector, wallet)
    send(inspector, "/pay", amount="100")
    inspector.check_page("13-too-much", expected=422)
    choose(inspector, wallet)
    send(inspector, "/pay", amount="5")
    inspector.check_page("14-paid-in-part")
    inspector.go(f"/orders/{scenario.to_pay.public_id}")
    inspector.check_page("15-order")

    inspector.go(waiting)
    inspector.page.locator('button[value="yes"]').click()
    assert state_of(scenario.waiting) == "open"
    inspector.check_page("16-confirmed")
    inspector.page.locator('nav a[href="/inbox/"]').click()
    inspector.check_page("18-inbox")
    inspector.go(waiting)
    inspector.check_page("17-confirmed-before")


def test_a_person_opens_a_service_and_stops_one(inspector: PageInspector, scenario: Scenario) -> None:
    orders.cancel_order(scenario.overdue.id, "forgiven", by=BY, at=NOON)
    inspector.go(f"/sign/{scenario.requested.public_id}")
    sign_in(inspector, scenario.ada)
    assert inspector.page.url.endswith(f"/sign/{scenario.requested.public_id}")
    inspector.check_page("20-sign")
    send(inspector, scenario.requested.public_id)
    inspector.check_page("21-opened")
    assert inspector.page.locator('a[href$="/back"]').is_visible()
    inspector.go(f"/sign/{scenario.too_high.public_id}")
    send(inspector, scenario.too_high.public_id)
    inspector.check_page("22-not-opened")
    inspector.go("/services/")
    inspector.page.locator("summary").last.click()
    inspector.check_page("23-services")
    wider = {"ceiling_minor": 500_00, "late_fee_daily_bps": 5, "late_fee_cap_bps": 1_000}
    service = scenario.requested.service
    merchants.change_service(service.merchant_id, service.id, wider, by=BY, at=NOON)
    inspector.go("/services/")
    inspector.check_page("23-services-asked-anew")
    inspector.page.locator('form[action$="/agree"] button').first.click()
    inspector.check_page("23-services-agreed-anew")
    assert Agreement.objects.get(pk=scenario.requested.pk).agreed_terms.ceiling_minor == 500_00
    inspector.page.locator("summary").last.click()
    inspector.page.locator("button.stop").last.click()
    inspector.check_page("24-stopped")
    inspector.go("/orders/ord_" + "0" * 32)
    inspector.check_page("25-nothing-here", expected=404)
    inspector.go("/orders/?cursor=x")
    inspector.check_page("26-refused", expected=422)


def test_a_newcomer_says_who_they_are(inspector: PageInspector, scenario: Scenario) -> None:
    person = accounts.register_person("+8613812341234", realm_id=scenario.bank.realm_id, by=BY, at=NOON)
    inspector.go(f"/sign/{scenario.requested.public_id}")
    sign_in(inspector, person)
    inspector.check_page("30-who-are-you")
    send(inspector, "/identity", name="欧阳修远", id_number="110105194912310021")
    inspector.check_page("31-wrong-number", expected=422)
    send(inspector, "/identity", name="欧阳修远", id_number=ADULT)
    inspector.check_page("32-terms")
    send(inspector, scenario.requested.public_id)
    inspector.go("/orders/")
    inspector.check_page("33-empty-record")
    inspector.go("/wallet/")
    inspector.check_page("34-empty-wallet")


def test_an_unknown_outcome_is_not_called_a_failure(inspector: PageInspector, transactional_db: None) -> None:
    order = owed_by_somebody("timeout_then_paid")
    inspector.go(f"/orders/{order.public_id}")
    sign_in(inspector, order.person)
    send(inspector, "/pay")
    inspector.check_page("40-being-confirmed")
    inspector.go(f"/orders/{order.public_id}")
    inspector.check_page("41-in-flight")


def test_a_double_click_pays_once(inspector_on: Callable[..., PageInspector], transactional_db: None) -> None:
    order = owed_by_somebody("pays")
    inspector = inspector_on(PHONE_ZH)
    inspector.go(f"/orders/{order.public_id}")
    sign_in(inspector, order.person)
    inspector.page.locator("#amount").fill("5")
    inspector.page.locator('form[action$="/pay"] button').dblclick()
    inspector.page.wait_for_load_state("networkidle")
    assert [money.minor for money in bank.debits_of(order.person.instruments.get().token)] == [500]


def test_signing_in_confirming_and_paying_need_no_mouse(
    inspector_on: Callable[..., PageInspector], scenario: Scenario
) -> None:
    orders.cancel_order(scenario.overdue.id, "forgiven", by=BY, at=NOON)
    inspector = inspector_on(PHONE_ZH)
    keys = inspector.page.keyboard
    inspector.go(f"/confirm/{scenario.waiting.public_id}")
    reach(inspector, "main input[type=tel]")
    keys.type(phone_of(scenario.ada))
    keys.press("Enter")
    reach(inspector, "main input[name=code]")
    keys.type(code_for(inspector, phone_of(scenario.ada)))
    keys.press("Enter")
    reach(inspector, 'button[value="yes"]')
    keys.press("Enter")
    inspector.page.wait_for_url("**/orders/ord_*")
    assert state_of(scenario.waiting) == "open"

    inspector.go(f"/orders/{scenario.to_pay.public_id}")
    keys.press("Tab")
    assert inspector.page.evaluate("document.activeElement.className") == "skip"
    keys.press("Enter")
    reach(inspector, "#amount")
    keys.press("Control+A")
    keys.type("1.5")
    reach(inspector, 'form[action$="/pay"] button')
    keys.press("Enter")
    inspector.page.wait_for_url("**/paid?*")


def test_the_language_and_the_way_out_stand_under_every_page(
    inspector_on: Callable[..., PageInspector], scenario: Scenario
) -> None:
    inspector = inspector_on(PHONE_ZH)
    inspector.go("/orders/?shelf=to_pay")
    sign_in(inspector, scenario.ada)
    inspector.page.locator('footer button[value="en"]').click()
    assert inspector.page.url.endswith("/orders/?shelf=to_pay")
    assert inspector.page.locator("h1").inner_text() == "Promise record"
    inspector.page.locator("footer form").last.locator("button").click()
    inspector.page.wait_for_url("**/account/login/")
    inspector.go("/orders/")
    assert "/account/login/" in inspector.page.url


def test_nothing_is_needed_but_html(chromium: Browser, live_server: LiveServer, scenario: Scenario) -> None:
    context = chromium.new_context(java_script_enabled=False, viewport={"width": 375, "height": 812})
    inspector = PageInspector(context.new_page(), live_server.url, PHONE_ZH)
    inspector.go(f"/orders/{scenario.to_pay.public_id}")
    sign_in(inspector, scenario.ada)
    send(inspector, "/pay", amount="1")
    assert "/paid?of=ded_" in inspector.page.url
    assert inspector.problems == []
    context.close()


def owed_by_somebody(behaviour: str) -> Order:
    shop = make_shop("来电充电宝")
    person = make_person(shop, behaviour)
    order = make_due_order(shop, person, yuan("12.34"))
    freeze_clock(NOON, person)
    return order


def reach(inspector: PageInspector, selector: str) -> None:
    """Tab on until the focus is there."""
    inspector.page.wait_for_selector(selector)
    for _ in range(30):
        if inspector.page.evaluate("s => document.activeElement?.matches(s)", selector):
            return
        inspector.page.keyboard.press("Tab")
    raise AssertionError(f"{selector} cannot be reached by keyboard")
