"""The second step in a real browser, with a passkey of a virtual authenticator, and by the keyboard alone."""

from collections.abc import Iterator

import pytest
from django.conf import LazySettings
from django.core.cache import cache
from playwright.sync_api import expect

from accounts import notification_settings
from kernel.clock import live_now
from tests.browser.conftest import PageInspector, Scenario, code_for, phone_of, sign_in
from tests.conftest import BY
from tests.portal.conftest import current_code

ANYTHING_BUT_ASKED = {
    "protocol": "ctap2",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}


@pytest.fixture(autouse=True)
def _no_limit_used_up() -> Iterator[None]:
    cache.clear()
    yield
    cache.clear()


def presses(inspector: PageInspector, *keys: str) -> None:
    for key in keys:
        inspector.page.keyboard.press(key)


def goes_to(inspector: PageInspector, selector: str) -> None:
    """By the keyboard: Tab until it has the focus."""
    for _ in range(60):
        presses(inspector, "Tab")
        if inspector.page.evaluate("selector => document.activeElement.matches(selector)", selector):
            return
    raise AssertionError(f"no way to {selector} by the keyboard")


def test_a_passkey_is_added_and_signs_in(inspector: PageInspector, scenario: Scenario, settings: LazySettings) -> None:
    settings.BASE_URL = inspector.base_url
    devtools = inspector.page.context.new_cdp_session(inspector.page)
    devtools.send("WebAuthn.enable")
    devtools.send("WebAuthn.addVirtualAuthenticator", {"options": ANYTHING_BUT_ASKED})
    inspector.go("/settings/")
    sign_in(inspector, scenario.ada)
    inspector.check_page("security-settings")
    goes_to(inspector, "a[href='/settings/second-factor']")
    presses(inspector, "Enter")
    inspector.page.wait_for_selector("a[href$=passkey]")
    inspector.check_page("second-factor-none")
    goes_to(inspector, "a[href$=passkey]")
    presses(inspector, "Enter")
    inspector.page.wait_for_selector("form[data-passkey]:not([hidden])")
    inspector.check_page("passkey-new")
    goes_to(inspector, "form[data-passkey] button")
    presses(inspector, "Enter")
    inspector.page.wait_for_selector("#codes")
    inspector.check_page("codes")
    expect(inspector.page.locator("#codes li")).to_have_count(10)
    goes_to(inspector, "form[action$=kept] button")
    presses(inspector, "Enter")
    inspector.page.wait_for_selector("form[action$=remove]")
    inspector.check_page("second-factor-passkey")

    cache.clear()
    inspector.page.locator(".foot form[action$='/logout/'] button").click()
    inspector.page.wait_for_url("**/account/login/**")
    inspector.go("/settings/second-factor")
    sign_in_half(inspector, scenario)
    inspector.page.wait_for_selector("form[data-passkey]:not([hidden])")
    inspector.check_page("second-step-passkey")
    goes_to(inspector, "form[data-passkey] button")
    presses(inspector, "Enter")
    inspector.page.wait_for_url("**/settings/second-factor")
    expect(inspector.page.locator("form[action$=remove]")).to_have_count(1)


def sign_in_half(inspector: PageInspector, scenario: Scenario) -> None:
    """The code of a text, after which more is asked."""
    inspector.page.locator("#main input[type=tel]").fill(phone_of(scenario.ada))
    inspector.page.locator("#main button[type=submit]").first.click()
    inspector.page.locator("#main input[name=code]").fill(code_for(inspector, phone_of(scenario.ada)))
    inspector.page.locator("#main button[type=submit]").first.click()


def test_an_app_a_number_and_how_one_is_told_things(inspector: PageInspector, scenario: Scenario) -> None:
    notification_settings.set_mail_address(scenario.ada.id, "ada@example.com", by=BY, at=live_now())
    inspector.go("/settings/second-factor/app")
    sign_in(inspector, scenario.ada)
    inspector.check_page("app-new")
    secret = inspector.page.locator("#main code").inner_text()
    inspector.page.locator("#main input[name=code]").fill("000000")
    presses(inspector, "Enter")
    inspector.page.wait_for_selector(".errorlist")
    inspector.check_page("app-wrong", expected=422)
    inspector.page.locator("#main input[name=code]").fill(current_code(secret))
    presses(inspector, "Enter")
    inspector.page.wait_for_selector("#codes")
    inspector.go("/settings/phone")
    inspector.check_page("phone-new")
    inspector.page.locator("#main input[type=tel], #main input[name=phone]").fill("139 0013 9000")
    presses(inspector, "Enter")
    inspector.page.wait_for_selector("#main input[name=code]")
    inspector.check_page("phone-code")
    inspector.go("/settings/mail")
    inspector.check_page("mail")
    inspector.go("/settings/notices")
    inspector.check_page("told")
    inspector.go("/inbox/?show=security")
    inspector.check_page("inbox-security")
    inspector.page.locator(".list a").first.click()
    inspector.page.wait_for_selector("article")
    inspector.check_page("notice")
