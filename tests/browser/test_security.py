"""The second step in a real browser, with a passkey of a virtual authenticator, and by the keyboard alone."""

from collections.abc import Iterator

import pytest
from django.conf import LazySettings
from django.core.cache import cache
from playwright.sync_api import expect

from accounts import reach
from kernel.clock import live_now
from tests.browser.conftest import Eye, Story, code_for, phone_of, sign_in
from tests.conftest import BY
from tests.portal.conftest import digits

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


def presses(eye: Eye, *keys: str) -> None:
    for key in keys:
        eye.page.keyboard.press(key)


def goes_to(eye: Eye, selector: str) -> None:
    """By the keyboard: Tab until it has the focus."""
    for _ in range(60):
        presses(eye, "Tab")
        if eye.page.evaluate("selector => document.activeElement.matches(selector)", selector):
            return
    raise AssertionError(f"no way to {selector} by the keyboard")


def test_a_passkey_is_added_and_signs_in(eye: Eye, story: Story, settings: LazySettings) -> None:
    settings.BASE_URL = eye.home
    devtools = eye.page.context.new_cdp_session(eye.page)
    devtools.send("WebAuthn.enable")
    devtools.send("WebAuthn.addVirtualAuthenticator", {"options": ANYTHING_BUT_ASKED})
    eye.go("/settings/")
    sign_in(eye, story.ada)
    eye.sees("security-settings")
    goes_to(eye, "a[href='/settings/second-factor']")
    presses(eye, "Enter")
    eye.page.wait_for_selector("a[href$=passkey]")
    eye.sees("second-factor-none")
    goes_to(eye, "a[href$=passkey]")
    presses(eye, "Enter")
    eye.page.wait_for_selector("form[data-passkey]:not([hidden])")
    eye.sees("passkey-new")
    goes_to(eye, "form[data-passkey] button")
    presses(eye, "Enter")
    eye.page.wait_for_selector("#codes")
    eye.sees("codes")
    expect(eye.page.locator("#codes li")).to_have_count(10)
    goes_to(eye, "form[action$=kept] button")
    presses(eye, "Enter")
    eye.page.wait_for_selector("form[action$=remove]")
    eye.sees("second-factor-passkey")

    cache.clear()
    eye.page.locator(".foot form[action$='/logout/'] button").click()
    eye.page.wait_for_url("**/account/login/**")
    eye.go("/settings/second-factor")
    sign_in_half(eye, story)
    eye.page.wait_for_selector("form[data-passkey]:not([hidden])")
    eye.sees("second-step-passkey")
    goes_to(eye, "form[data-passkey] button")
    presses(eye, "Enter")
    eye.page.wait_for_url("**/settings/second-factor")
    expect(eye.page.locator("form[action$=remove]")).to_have_count(1)


def sign_in_half(eye: Eye, story: Story) -> None:
    """The code of a text, after which more is asked."""
    eye.page.locator("#main input[type=tel]").fill(phone_of(story.ada))
    eye.page.locator("#main button[type=submit]").first.click()
    eye.page.locator("#main input[name=code]").fill(code_for(eye, phone_of(story.ada)))
    eye.page.locator("#main button[type=submit]").first.click()


def test_an_app_a_number_and_how_one_is_told_things(eye: Eye, story: Story) -> None:
    reach.take_mail(story.ada.id, "ada@example.com", by=BY, at=live_now())
    eye.go("/settings/second-factor/app")
    sign_in(eye, story.ada)
    eye.sees("app-new")
    secret = eye.page.locator("#main code").inner_text()
    eye.page.locator("#main input[name=code]").fill("000000")
    presses(eye, "Enter")
    eye.page.wait_for_selector(".errorlist")
    eye.sees("app-wrong", expected=422)
    eye.page.locator("#main input[name=code]").fill(digits(secret))
    presses(eye, "Enter")
    eye.page.wait_for_selector("#codes")
    eye.go("/settings/phone")
    eye.sees("phone-new")
    eye.page.locator("#main input[type=tel], #main input[name=phone]").fill("139 0013 9000")
    presses(eye, "Enter")
    eye.page.wait_for_selector("#main input[name=code]")
    eye.sees("phone-code")
    eye.go("/settings/mail")
    eye.sees("mail")
    eye.go("/settings/notices")
    eye.sees("told")
    eye.go("/inbox/?show=security")
    eye.sees("inbox-security")
    eye.page.locator(".list a").first.click()
    eye.page.wait_for_selector("article")
    eye.sees("notice")
