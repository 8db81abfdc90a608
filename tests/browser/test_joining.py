"""Somebody new chooses a password and sets up the second step, in a real browser and by the keyboard alone."""

from collections.abc import Callable, Iterator

import pytest
from django.conf import LazySettings
from django.core.cache import cache

from accounts import colleagues
from bnpl.urls import CONSOLE
from kernel.clock import live_now
from office.services.seeing_off import see_off
from tests.browser.conftest import Eye
from tests.browser.test_console_desks import WIDTHS, looks
from tests.browser.test_security import goes_to, presses
from tests.conftest import BY, NOON
from tests.console.conftest import staff
from tests.portal.conftest import digits

assert CONSOLE  # what takes two is registered there
WORDS = "my cat walks over the roof at night"


@pytest.fixture(autouse=True)
def _no_try_used_up(transactional_db: None) -> Iterator[None]:
    cache.clear()
    yield
    cache.clear()


@pytest.mark.parametrize("look", WIDTHS, ids=lambda look: "-".join(map(str, look)))
def test_a_newcomer_gets_in_by_the_keyboard(
    eye_with: Callable[..., Eye], settings: LazySettings, look: tuple[int, str, str]
) -> None:
    settings.CONSOLE_SECOND_STEP = True
    _lin, code = colleagues.hire("lin", ["viewer"], by=BY, at=live_now())
    eye = eye_with(look)
    eye.go("/ops/")
    looks(eye, "sign-in")
    goes_to(eye, "a[href='/ops/login/join']")
    presses(eye, "Enter")
    eye.page.wait_for_selector("[name=enrolment]")
    looks(eye, "join")
    for name, typed in (("username", "lin"), ("enrolment", "2222-2222-2222-2222"), ("password", WORDS)):
        goes_to(eye, f"[name={name}]")
        eye.page.keyboard.type(typed)
    presses(eye, "Enter")
    eye.page.wait_for_selector(".refused")
    looks(eye, "join-wrong")
    for name, typed in (("enrolment", code.text), ("password", WORDS)):
        eye.page.locator(f"[name={name}]").fill(typed)
    presses(eye, "Enter")
    eye.page.wait_for_url("**/ops/own/")
    looks(eye, "join-own")
    goes_to(eye, "a[href='/ops/own/app']")
    presses(eye, "Enter")
    eye.page.locator("[name=code]").fill(digits(eye.page.locator("#secret").inner_text()))
    presses(eye, "Enter")
    eye.page.wait_for_selector("#codes")
    eye.go("/ops/")
    assert eye.page.url.endswith("/ops/")


@pytest.mark.parametrize("look", WIDTHS, ids=lambda look: "-".join(map(str, look)))
def test_supervisors_see_who_is_here_and_let_in(eye_with: Callable[..., Eye], look: tuple[int, str, str]) -> None:
    eye = eye_with(look)
    eye.sits_down("supervisor")
    colleagues.hire("chen", ["finance", "risk"], by=BY, at=NOON)
    gone = see_off(staff("viewer", name="zhou").pk, by=BY, at=NOON)
    here = staff("support", name="wang")
    for name, path in {
        "colleagues": "/ops/colleagues/",
        "new-colleague": "/ops/colleagues/new",
        "leave": f"/ops/do/{here.public_id}/leave",
        "back-in": f"/ops/do/{gone.public_id}/let_back_in",
    }.items():
        eye.go(path)
        looks(eye, name)
