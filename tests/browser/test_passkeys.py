"""Passkeys at the two doors with passwords, a merchant's and the console's, in a browser that has an authenticator."""

from collections.abc import Callable, Iterator

import pytest
from django.conf import LazySettings
from django.core.cache import cache
from playwright.sync_api import expect

from accounts import services as accounts
from portal.services import team
from tests.browser.conftest import ALL_SCREENS, SCREENS, PageInspector, take_screenshot
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
    team.create_team(make_shop("来电充电宝").live.id, "owner@example.com", PASSWORD, by=BY, at=NOON)
    accounts.create_staff("lin", PASSWORD, roles=["viewer"], by=BY, at=NOON)


class Person:
    """Somebody at one of the doors, with a phone that answers for them as soon as it is asked."""

    def __init__(self, inspector: PageInspector, door: str) -> None:
        self.inspector, self.page, self.door = inspector, inspector.page, door
        self.own, self.home, self.name = DOORS[door]
        devtools = inspector.page.context.new_cdp_session(inspector.page)
        devtools.send("WebAuthn.enable")
        devtools.send("WebAuthn.addVirtualAuthenticator", {"options": ANYTHING_BUT_ASKED})

    def sees(self, name: str) -> None:
        """A merchant's pages are judged as a person's; the console's are for a desk, and only must not be wrong."""
        if self.door == "merchant":
            self.inspector.check_page(f"57-{name}")
            return
        self.page.wait_for_load_state()
        take_screenshot(self.page, f"57-console-{name}")
        assert self.inspector.problems == []

    def shows_password(self) -> None:
        self.inspector.go(self.home)
        self.page.locator("[name=email], [name=username]").fill(self.name)
        self.page.locator("[name=password]").fill(PASSWORD)
        self.page.locator("[name=password]").press("Enter")

    def asks_the_phone(self) -> None:
        form = self.page.locator("form[data-passkey]:not([hidden])")
        form.wait_for()
        form.locator("button").focus()
        self.page.keyboard.press("Enter")

    def makes_a_passkey(self) -> None:
        self.inspector.go(self.own)
        self.sees("none")
        self.inspector.go(f"{self.own}passkey")
        self.page.locator("form[data-passkey]:not([hidden])").wait_for()
        self.sees("new")
        self.asks_the_phone()
        expect(self.page.locator("#codes li")).to_have_count(10)
        self.sees("codes")
        self.inspector.go(self.own)
        self.sees("made")


@pytest.mark.usefixtures("_everybody")
@pytest.mark.parametrize("look", SCREENS if ALL_SCREENS else SCREENS[:1])
@pytest.mark.parametrize("door", DOORS)
def test_a_passkey_is_made_and_opens_the_door(
    door: str, look: tuple[int, str, str], inspector_on: Callable[..., PageInspector], settings: LazySettings
) -> None:
    inspector = inspector_on(look if door == "merchant" else (1280, *look[1:]))
    settings.BASE_URL = inspector.base_url
    person = Person(inspector, door)
    person.shows_password()
    person.makes_a_passkey()

    inspector.page.context.clear_cookies()
    person.shows_password()
    inspector.page.locator("form[data-passkey]:not([hidden])").wait_for()
    person.sees("asked")
    assert inspector.page.goto(inspector.base_url + person.own).url != inspector.base_url + person.own, (
        "a password alone opens nothing"
    )
    person.shows_password()
    person.asks_the_phone()
    inspector.page.wait_for_url(lambda url: "sign-in" not in url and "login" not in url and "second" not in url)
    inspector.go(person.own)
    expect(inspector.page.locator("form[action*=remove]")).to_have_count(1)


@pytest.mark.usefixtures("_everybody")
@pytest.mark.parametrize("door", DOORS)
def test_who_is_not_the_phones_owner_stays_outside(
    door: str, inspector_on: Callable[..., PageInspector], settings: LazySettings
) -> None:
    inspector = inspector_on((1280, "zh-CN", "light"))
    settings.BASE_URL = inspector.base_url
    owner = Person(inspector, door)
    owner.shows_password()
    owner.makes_a_passkey()

    thief = Person(inspector_on((375, "zh-CN", "light")), door)
    thief.shows_password()
    thief.asks_the_phone()  # one that knows no passkey of theirs
    thief.page.locator("[data-failed]:not([hidden])").wait_for()
    thief.page.goto(inspector.base_url + thief.own)
    assert "sign-in" in thief.page.url or "login" in thief.page.url
