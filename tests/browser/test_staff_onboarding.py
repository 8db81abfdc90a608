"""Somebody new chooses a password and sets up the second step, in a real browser and by the keyboard alone."""

from collections.abc import Callable, Iterator

import pytest
from django.conf import LazySettings
from django.core.cache import cache

from accounts import colleagues
from bnpl.urls import CONSOLE_URLS
from kernel.clock import live_now
from office.services.offboarding import offboard
from tests.browser.conftest import PageInspector
from tests.browser.test_console_pages import WIDTHS, check_console_page
from tests.browser.test_security import goes_to, presses
from tests.conftest import BY, NOON
from tests.console.conftest import staff
from tests.portal.conftest import current_code

assert CONSOLE_URLS  # what takes two is registered there
WORDS = "my cat walks over the roof at night"


@pytest.fixture(autouse=True)
def _no_try_used_up(transactional_db: None) -> Iterator[None]:
    cache.clear()
    yield
    cache.clear()


@pytest.mark.parametrize("look", WIDTHS, ids=lambda look: "-".join(map(str, look)))
def test_a_newcomer_gets_in_by_the_keyboard(
    inspector_on: Callable[..., PageInspector], settings: LazySettings, look: tuple[int, str, str]
) -> None:
    settings.CONSOLE_SECOND_STEP = True
    _lin, code = colleagues.add_colleague("lin", ["viewer"], by=BY, at=live_now())
    inspector = inspector_on(look)
    inspector.go("/ops/")
    check_console_page(inspector, "sign-in")
    goes_to(inspector, "a[href='/ops/login/join']")
    presses(inspector, "Enter")
    inspector.page.wait_for_selector("[name=enrolment]")
    check_console_page(inspector, "join")
    for name, typed in (("username", "lin"), ("enrolment", "2222-2222-2222-2222"), ("password", WORDS)):
        goes_to(inspector, f"[name={name}]")
        inspector.page.keyboard.type(typed)
    presses(inspector, "Enter")
    inspector.page.wait_for_selector(".refused")
    check_console_page(inspector, "join-wrong")
    for name, typed in (("enrolment", code.text), ("password", WORDS)):
        inspector.page.locator(f"[name={name}]").fill(typed)
    presses(inspector, "Enter")
    inspector.page.wait_for_url("**/ops/own/")
    check_console_page(inspector, "join-own")
    goes_to(inspector, "a[href='/ops/own/app']")
    presses(inspector, "Enter")
    inspector.page.locator("[name=code]").fill(current_code(inspector.page.locator("#secret").inner_text()))
    presses(inspector, "Enter")
    inspector.page.wait_for_selector("#codes")
    inspector.go("/ops/")
    assert inspector.page.url.endswith("/ops/")


@pytest.mark.parametrize("look", WIDTHS, ids=lambda look: "-".join(map(str, look)))
def test_supervisors_see_who_is_here_and_let_in(
    inspector_on: Callable[..., PageInspector], look: tuple[int, str, str]
) -> None:
    inspector = inspector_on(look)
    inspector.sign_in_staff("supervisor")
    colleagues.add_colleague("chen", ["finance", "risk"], by=BY, at=NOON)
    gone = offboard(staff("viewer", name="zhou").pk, by=BY, at=NOON)
    here = staff("support", name="wang")
    for name, path in {
        "colleagues": "/ops/colleagues/",
        "new-colleague": "/ops/colleagues/new",
        "leave": f"/ops/do/{here.public_id}/leave",
        "back-in": f"/ops/do/{gone.public_id}/let_back_in",
    }.items():
        inspector.go(path)
        check_console_page(inspector, name)
