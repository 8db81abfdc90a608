"""Passkeys at the two doors with passwords, a merchant's and the console's, in a browser that has an authenticator."""

from collections.abc import Callable, Iterator

import pytest
from django.conf import LazySettings
from django.core.cache import cache
from playwright.sync_api import expect

from accounts import services as accounts
from portal.services import team
from tests.browser.conftest import EVERY_LOOK, IN_ALL, Eye, pictured
from tests.browser.test_security import ANYTHING_BUT_ASKED
from tests.conftest import BY, NOON, make_shop
from tests.portal.conftest import PASSWORD

DOORS = {
    "merchant": ("/merchant/security/", "/merchant/", "owner@example.com"),
    "console": ("/ops/own/", "/ops/", "lin"),
}


@pytest.fixture(autouse=True)
def _no_limit_used_up(transactional_db: None) -> Iterator[None]:
    cache.clear()
    yield
    cache.clear()


@pytest.fixture
def _everybody() -> None:
    team.found_team(make_shop("来电充电宝").live.id, "owner@example.com", PASSWORD, by=BY, at=NOON)
    accounts.create_staff("lin", PASSWORD, roles=["viewer"], by=BY, at=NOON)


class Person:
    """Somebody at one of the doors, with a phone that answers for them as soon as it is asked."""

    def __init__(self, eye: Eye, door: str) -> None:
        self.eye, self.page, self.door = eye, eye.page, door
        self.own, self.home, self.name = DOORS[door]
        devtools = eye.page.context.new_cdp_session(eye.page)
        devtools.send("WebAuthn.enable")
        devtools.send("WebAuthn.addVirtualAuthenticator", {"options": ANYTHING_BUT_ASKED})

    def sees(self, name: str) -> None:
        """A merchant's pages are judged as a person's; the console's are for a desk, and only must not be wrong."""
        if self.door == "merchant":
            self.eye.sees(f"57-{name}")
            return
        self.page.wait_for_load_state()
        pictured(self.page, f"57-console-{name}")
        assert self.eye.wrong == []

    def shows_password(self) -> None:
        self.eye.go(self.home)
        self.page.locator("[name=email], [name=username]").fill(self.name)
        self.page.locator("[name=password]").fill(PASSWORD)
        self.page.locator("[name=password]").press("Enter")

    def asks_the_phone(self) -> None:
        form = self.page.locator("form[data-passkey]:not([hidden])")
        form.wait_for()
        form.locator("button").focus()
        self.page.keyboard.press("Enter")

    def makes_a_passkey(self) -> None:
        self.eye.go(self.own)
        self.sees("none")
        self.eye.go(f"{self.own}passkey")
        self.page.locator("form[data-passkey]:not([hidden])").wait_for()
        self.sees("new")
        self.asks_the_phone()
        expect(self.page.locator("#codes li")).to_have_count(10)
        self.sees("codes")
        self.eye.go(self.own)
        self.sees("made")


@pytest.mark.usefixtures("_everybody")
@pytest.mark.parametrize("look", EVERY_LOOK if IN_ALL else EVERY_LOOK[:1])
@pytest.mark.parametrize("door", DOORS)
def test_a_passkey_is_made_and_opens_the_door(
    door: str, look: tuple[int, str, str], eye_with: Callable[..., Eye], settings: LazySettings
) -> None:
    eye = eye_with(look if door == "merchant" else (1280, *look[1:]))
    settings.BASE_URL = eye.home
    person = Person(eye, door)
    person.shows_password()
    person.makes_a_passkey()

    eye.page.context.clear_cookies()
    person.shows_password()
    eye.page.locator("form[data-passkey]:not([hidden])").wait_for()
    person.sees("asked")
    assert eye.page.goto(eye.home + person.own).url != eye.home + person.own, "a password alone opens nothing"
    person.shows_password()
    person.asks_the_phone()
    eye.page.wait_for_url(lambda url: "sign-in" not in url and "login" not in url and "second" not in url)
    eye.go(person.own)
    expect(eye.page.locator("form[action*=remove]")).to_have_count(1)


@pytest.mark.usefixtures("_everybody")
@pytest.mark.parametrize("door", DOORS)
def test_who_is_not_the_phones_owner_stays_outside(
    door: str, eye_with: Callable[..., Eye], settings: LazySettings
) -> None:
    eye = eye_with((1280, "zh-CN", "light"))
    settings.BASE_URL = eye.home
    owner = Person(eye, door)
    owner.shows_password()
    owner.makes_a_passkey()

    thief = Person(eye_with((375, "zh-CN", "light")), door)
    thief.shows_password()
    thief.asks_the_phone()  # one that knows no passkey of theirs
    thief.page.locator("[data-failed]:not([hidden])").wait_for()
    thief.page.goto(eye.home + thief.own)
    assert "sign-in" in thief.page.url or "login" in thief.page.url
