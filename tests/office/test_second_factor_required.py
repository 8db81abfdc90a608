"""Where a second factor is required, a password alone opens only the pages that set one up."""

import re
from collections.abc import Iterator, Sequence

import pytest
from allauth.mfa.models import Authenticator
from django.conf import LazySettings
from django.core.cache import cache
from django.core.management import call_command
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from accounts import services as accounts
from accounts.enrolment import issue_code
from accounts.models import User
from bnpl.urls import CONSOLE_URLS
from bnpl.urls import SIGN_IN_URLS as OWN_PAGES
from kernel.admin_site import VIEWERS
from kernel.clock import live_now
from office.checks import check_second_factor_required
from tests.conftest import BY, NOON
from tests.console.conftest import page_text, staff
from tests.portal.conftest import authenticator_of, browser_of, current_code

OPS, OWN, CONFIRM = "/ops/", "/ops/own/", "/ops/own/confirm"
PASSWORD = "correct horse battery"
#: Whoever has none opens these, and those send to one of them or out.
OPEN = {OWN, f"{OWN}app", f"{OWN}passkey", CONFIRM, f"{OWN}password", f"{OPS}login/", f"{OPS}login/join"}
PASSED_ON = {f"{OPS}login/second-step", f"{OPS}logout/", f"{OPS}password_change/", f"{OPS}password_change/done/"}
pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _demanded(settings: LazySettings) -> None:
    settings.CONSOLE_SECOND_STEP = True
    cache.clear()


def addresses(routes: Sequence[URLPattern | URLResolver], before: str = "/") -> Iterator[tuple[str, str]]:
    """Every address there is, a word standing for what an address names, and in which room its page is written."""
    for route in routes:
        here = before + re.sub(r"<int:\w+>", "1", str(route.pattern)).replace("(?P<url>.*)$", "any/thing")
        here = re.sub(r"<\w+:\w+>|<\w+>", "word", here)
        here = re.sub(r"[\^$]|\(\?P.*?\)", "", here)
        if isinstance(route, URLResolver):
            yield from addresses(route.url_patterns, here)
        else:
            yield here, route.callback.__module__


def of_the_console() -> list[str]:
    return [one for one, _room in addresses(get_resolver().url_patterns) if one.startswith(OPS)]


def inside(client: Client) -> bool:
    return bool(client.get("/ops/system/").status_code == 200)


def test_without_a_factor_only_the_setup_pages_open() -> None:
    client, wrong = browser_of(staff(*VIEWERS, name="lin"), second=False), []
    everything = of_the_console()
    desks = {one for one, _room in addresses([*CONSOLE_URLS, *OWN_PAGES], OPS)} | {f"{OPS}orders/order/word/change/"}
    assert {*OPEN, *PASSED_ON, OPS, "/ops/orders/order/", "/ops/files/new", "/ops/find"} < set(everything)
    assert len(everything) > 400
    for address in everything:
        if address in OPEN:
            wrong += [address] if client.get(address).status_code != 200 else []
        elif address not in PASSED_ON:
            answers = [client.get(f"{address}?_as=csv")]
            answers += [client.post(address, {"note": "x"})] if address in desks else []
            wrong += [address for answer in answers if (answer.status_code, answer.get("Location")) != (302, OWN)]
    assert wrong == []
    assert "两步验证" in page_text(client.get(OWN))
    assert client.get("/ops/password_change/", follow=True).redirect_chain == [(f"{OWN}password", 302)]
    assert client.post("/ops/logout/").status_code == 200
    assert not client.session.get("_auth_user_id")


def test_every_console_page_is_below_the_guarded_path() -> None:
    rooms = {one for one, room in addresses(get_resolver().url_patterns) if ".console" in room or "admin" in room}
    assert {one for one in rooms if not one.startswith(OPS)} == set()
    assert len(rooms) > 400


def test_what_leads_elsewhere_is_not_shown_to_whoever_is_held_back() -> None:
    user = staff(*VIEWERS, name="lin")
    assert b'class="rail"' not in browser_of(user, second=False).get(OWN).content
    assert b'class="rail"' in browser_of(user).get(OWN).content


def test_the_first_of_all_signs_in_sets_one_up_and_is_in() -> None:
    root = User.objects.create_superuser("root", PASSWORD)
    client = Client()
    answer = client.post(f"{OPS}login/?next=/ops/system/", {"username": "root", "password": PASSWORD}, follow=True)
    assert answer.redirect_chain[-1] == (OWN, 302)
    secret = client.get(f"{OWN}app").context["secret"]
    assert not inside(client)
    code = issue_code(root.pk, by=BY, at=live_now()).text
    assert len(client.post(f"{OWN}app", {"code": current_code(secret), "enrolment": code}).context["codes"]) == 10
    assert inside(client)


def test_one_that_was_set_up_elsewhere_is_shown_here_before_anything_is_opened() -> None:
    lin = staff("viewer", name="lin")
    here = browser_of(lin, second=False)
    shows = authenticator_of(lin)
    for address in ("/ops/system/", OPS, OWN, f"{OWN}password", f"{OWN}app"):
        assert here.get(address)["Location"].startswith(f"{CONFIRM}?next="), address
        assert here.post(address, {"note": "x"})["Location"] == f"{CONFIRM}?next=%2Fops%2F", address
    asked = here.get("/ops/system/")["Location"]
    assert "尚未" in page_text(here.get(asked))
    assert here.post(asked, {"password": PASSWORD}).status_code == 422
    assert here.post(asked, {"code": shows()})["Location"] == "/ops/system/"
    assert inside(here)


def test_one_that_was_removed_counts_in_no_session_as_shown() -> None:
    lin = staff("viewer", name="lin")
    here, elsewhere = browser_of(lin), browser_of(lin)
    row = Authenticator.objects.get(type=Authenticator.Type.TOTP)
    assert here.post(f"{OWN}factors/{row.pk}/remove")["Location"] == OWN
    for client in (here, elsewhere):
        assert client.get("/ops/system/")["Location"] == OWN
    authenticator_of(lin)
    assert [inside(client) for client in (here, elsewhere)] == [False, False]


def test_strangers_and_people_are_answered_as_ever() -> None:
    person = accounts.sign_up("+8613800138000", by=BY, at=NOON)
    for client in (Client(), browser_of(person, second=False)):
        assert client.get("/ops/system/")["Location"].startswith("/ops/login/")


def test_at_home_it_is_not_demanded_and_production_is_told_when_it_is_off(settings: LazySettings) -> None:
    assert check_second_factor_required() == []
    settings.CONSOLE_SECOND_STEP = False
    assert inside(browser_of(staff("viewer", name="lin"), second=False))
    assert [found.id for found in check_second_factor_required()] == ["office.W001"]
    call_command("check", deploy=True, fail_level="CRITICAL")
