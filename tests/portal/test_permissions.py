"""Every page of the merchant console × every role × both modes. A page missing from the table fails."""

import pytest
from allauth.mfa.webauthn.internal.auth import WebAuthn
from django.http import HttpResponse
from django.test import Client

from accounts import second_factor
from accounts import services as accounts
from bnpl.urls import MERCHANT_CONSOLE_URLS
from portal.rules import PAGES, PageAccess, Role
from tests.browsing import signed_in_client
from tests.conftest import BY, NOON
from tests.portal.conftest import PASSWORD, Company, authenticator_of
from tests.portal.page_fixtures import PageFixtures, missing_ids, page_fixtures_of
from tests.unchanged import assert_unchanged, table_digests

#: In live mode this world has none of these: whoever may look sees that they are missing.
NOT_LIVE = {"order", "event", "confirm_as_person"} | {name for name in PAGES if name.endswith("_order")}
NOT_LIVE |= {
    "confirm_return",
    "refuse_return",
    "dispute",
    "answer_dispute",
    "mark_order_paid",
    "answer_report",
    "settlement",
    "export_settlement",
    "print_settlement",
    "print_invoice",
}
NOT_LIVE -= {"export_orders"}
POSTS_ONLY = {"set_clock", "advance_clock"}


def seen(role: str, name: str, access: PageAccess, mode: str) -> int:
    """What opening a page answers."""
    if access.sandbox_only and mode == "live":
        return 404
    if role not in access.open_roles(mode):
        return 403
    if name in POSTS_ONLY:
        return 405
    return 404 if mode == "live" and name in NOT_LIVE else 200


def test_every_page_stands_in_the_table_and_everything_in_the_table_is_a_page() -> None:
    assert {str(row.name).removeprefix("merchant_") for row in MERCHANT_CONSOLE_URLS} == set(PAGES)
    assert len(MERCHANT_CONSOLE_URLS) == len(PAGES)
    for row in MERCHANT_CONSOLE_URLS:
        assert row.name == f"merchant_{getattr(row.callback, 'page', '')}"


@pytest.mark.parametrize("mode", ["test", "live"])
def test_each_role_sees_and_sends_what_it_may(mode: str, firm: Company) -> None:
    world = page_fixtures_of(firm, mode)
    browsers = {role: firm.browser(role) for role in Role}
    with assert_unchanged("django_session"):
        for role, client in browsers.items():
            for name, access in PAGES.items():
                address = world.url(name)
                if name not in POSTS_ONLY:
                    assert client.get(address).status_code == seen(role, name, access, mode), (role, name)
                if role not in access.submit_roles(mode) and not (access.sandbox_only and mode == "live"):
                    assert client.post(address, {"token": "x"}).status_code in (403, 405), (role, name)


@pytest.mark.parametrize("role", ["owner", "developer"])
def test_whoever_may_send_a_form_is_not_turned_away(role: str, firm: Company) -> None:
    world, client = page_fixtures_of(firm, "test"), firm.browser(role)
    for name, access in PAGES.items():
        if role in access.submit_roles("test"):
            assert client.post(world.url(name), {"token": "x"}).status_code in (200, 302, 404, 422), name


@pytest.mark.parametrize("mode", ["test", "live"])
def test_anothers_business_is_as_if_it_were_not_there(mode: str, firm: Company, rival: Company) -> None:
    theirs, client = page_fixtures_of(rival, mode), firm.browser("owner")
    mine = page_fixtures_of(firm, mode)
    nowhere = PageFixtures(theirs.merchant, theirs.ids)
    absent = client.get(f"/merchant/mch_{'0' * 32}/")
    before = table_digests("django_session")
    for name in PAGES:
        for answer in (client.get(nowhere.url(name)), client.post(nowhere.url(name), {"token": "x"})):
            assert answer.status_code in (404, 405), name
            assert answer.status_code == 405 or answer.content == absent.content
        own = client.get(mine.url(name, ids=theirs.ids | {"merchant": ""}))
        gone = client.get(mine.url(name, ids=missing_ids() | {"merchant": ""}))
        if mine.url(name) != mine.url(name, ids=theirs.ids):
            assert own.status_code == gone.status_code == (405 if name in POSTS_ONLY else 404), name
    assert table_digests("django_session") == before


def test_strangers_sign_in_and_people_and_colleagues_find_nothing(firm: Company) -> None:
    world = page_fixtures_of(firm, "test")
    person = accounts.register_person("+8613812341234", realm_id=firm.shop.realm_id, by=BY, at=NOON).user
    supervisor = accounts.create_staff("boss", PASSWORD, roles=["supervisor"], by=BY, at=NOON)
    assert person
    for name in PAGES:
        address = world.url(name)
        stranger = Client().post(address) if name in POSTS_ONLY else Client().get(address)
        assert stranger["Location"].startswith("/merchant/sign-in/?next="), name
        for user in (person, supervisor):
            client = signed_in_client(user)
            answer = client.post(address) if name in POSTS_ONLY else client.get(address)
            assert answer.status_code == 404, name
    for page in ("/merchant/security/", "/merchant/security/second-factor"):
        assert signed_in_client(person).get(page).status_code == 404
        assert signed_in_client(supervisor).get(page).status_code == 404
    for user in (person, supervisor):
        assert signed_in_client(user).get("/merchant/")["Location"] == "/merchant/sign-in/", (
            "they may work somewhere as another"
        )


def test_a_members_account_opens_nothing_of_people_or_colleagues(firm: Company) -> None:
    client = firm.browser("owner")
    assert client.get("/ops/")["Location"].startswith("/ops/login/")
    assert client.get("/orders/").status_code == 403
    assert client.get("/wallet/").status_code == 403
    assert client.get("/")["Location"] == "/merchant/"
    login = Client().post("/ops/login/", {"username": firm.staff["owner"].user.username, "password": PASSWORD})
    assert login.status_code == 200
    assert "_auth_user_id" not in login.wsgi_request.session


def test_without_a_second_factor_nothing_is_changed_in_live_mode_nor_in_the_team(firm: Company) -> None:
    client = firm.browser("owner", second=False)
    for mode in ("test", "live"):
        world = page_fixtures_of(firm, mode)
        for name, access in PAGES.items():
            if "owner" not in access.submit_roles(mode) or (mode == "test" and not access.always_second_factor):
                continue
            answer = client.post(world.url(name), {"token": "x"})
            assert answer["Location"].startswith("/merchant/security/second-factor"), (mode, name)


def where(answer: HttpResponse) -> str:
    return str(answer.get("Location", answer.status_code)).partition("?")[0]


def test_a_factor_that_is_gone_was_not_shown_nor_was_one_made_since(firm: Company) -> None:
    user, page = firm.staff["owner"].user, f"{firm.at('live')}team/invite"
    stolen = firm.browser("owner")
    assert where(stolen.get(page)) == "200"
    second_factor.remove_all_factors(user.id, by=BY, at=NOON)
    assert where(stolen.get(page)) == "/merchant/security/second-factor"
    shows = authenticator_of(user)
    assert where(stolen.get(page)) == "/merchant/security/confirm"
    stolen.post(f"/merchant/security/confirm?next={page}", {"code": shows()})
    assert where(stolen.get(page)) == "200"


def test_of_two_the_one_that_is_gone_was_not_shown_either(firm: Company) -> None:
    user, page = firm.staff["owner"].user, f"{firm.at('live')}team/invite"
    WebAuthn.add(user, "laptop", {})
    browser, shows = firm.browser("owner", second=False), authenticator_of(user)
    browser.post("/merchant/security/confirm", {"code": shows()})
    assert where(browser.get(page)) == "200"
    second_factor.remove_factor(user.id, second_factor.factors_of(user).app.pk, by=BY, at=NOON)
    assert where(browser.get(page)) == "/merchant/security/confirm"


def test_a_password_proves_nothing_any_more_where_a_factor_was_made_elsewhere(firm: Company) -> None:
    browser, page = firm.browser("owner", second=False), f"{firm.at('test')}keys/new"
    assert where(browser.get(page)) == "200"
    authenticator_of(firm.staff["owner"].user)
    assert where(browser.get(page)) == "/merchant/security/confirm"


def test_secrets_are_made_only_by_whoever_just_showed_who_they_are(firm: Company) -> None:
    world, client = page_fixtures_of(firm, "test"), firm.browser("owner", fresh=False)
    afresh = {name for name, access in PAGES.items() if access.fresh_auth}
    assert afresh == {"add_key", "rotate_key", "rotate_endpoint_secret", "ask_payout_account", "agree_payout_account"}
    with assert_unchanged("django_session"):
        for name in afresh:
            for answer in (client.get(world.url(name)), client.post(world.url(name), {"token": "x"})):
                assert answer["Location"].startswith("/merchant/security/confirm?next="), name


def test_whoever_was_removed_sees_nothing_at_once(firm: Company) -> None:
    client = firm.browser("viewer")
    assert client.get(firm.at("test")).status_code == 200
    member = firm.staff["viewer"]
    owner = firm.browser("owner")
    page = owner.get(f"{firm.at('test')}team/{member.public_id}/remove")
    token = page.context["token"]
    assert owner.post(f"{firm.at('test')}team/{member.public_id}/remove", {"token": token}).status_code == 302
    assert client.get(firm.at("test")).status_code == 404


def test_no_form_works_without_its_own_token(firm: Company) -> None:
    world = page_fixtures_of(firm, "test")
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(firm.staff["owner"].user, backend="django.contrib.auth.backends.ModelBackend")
    with assert_unchanged("django_session"):
        for name, access in PAGES.items():
            assert strict.post(world.url(name)).status_code in (403, 405) or not access.submit_roles("test"), name
