"""Sandbox sign-in links sign in as sandbox people, never as real ones."""

from datetime import timedelta
from functools import partial
from urllib.parse import urlsplit

import pytest
from django.contrib.auth import SESSION_KEY
from django.test import Client

from accounts import sandbox_links
from accounts import services as accounts
from accounts.models import Person
from accounts.refusals import SandboxLinkExpired, SandboxOnly
from credit import services as credit
from credit.models import Agreement
from kernel.clock import live_now
from kernel.models import LIVE
from merchants.models import Change
from tests.api import Api, assert_problem
from tests.browsing import client_for, visible_text
from tests.conftest import BY, NOON, Shop, make_person, make_shop
from tests.nonsense import NONSENSE
from tests.races.checks import rounds
from tests.threads import run_concurrently

pytestmark = pytest.mark.django_db


@pytest.fixture
def real_person() -> Person:
    return accounts.register_person("+8613812341234", realm_id=LIVE, by=BY, at=NOON)


def path_of(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.path}?{parts.query}" if parts.query else parts.path


def asked(shop: Shop) -> Agreement:
    return credit.request_agreement(shop.merchant.id, shop.service.id, "u-1", by=BY, at=NOON)


def test_a_link_signs_in_once_and_comes_out_at_the_page_that_was_named(power_bank: Shop) -> None:
    api, agreement = Api(power_bank), asked(power_bank)
    person = api.person(name="小贝")
    made = api.post(f"sandbox/people/{person['id']}/sign_in", {"to": f"/sign/{agreement.public_id}"}).json()
    browser, path = Client(headers={"accept-language": "zh-CN"}), path_of(made["url"])
    for _look in range(2):  # looking uses nothing up
        assert "以“小贝”登录" in visible_text(browser.get(path))
    assert browser.post(path)["Location"] == f"/sign/{agreement.public_id}"
    assert "同意并开通" in visible_text(browser.get(f"/sign/{agreement.public_id}"))
    assert "已使用过或已过期" in visible_text(browser.post(path))
    assert browser.get(path).status_code == 410
    assert Client().post(path).status_code == 410
    assert Change.objects.get(verb="person_opened").subject_id == Person.objects.get(ref=person["ref"]).id


def test_whoever_came_in_by_a_link_is_signed_out_from_elsewhere_like_anybody(power_bank: Shop) -> None:
    person, there, here = make_person(power_bank), Client(), Client()
    for browser in (there, here):
        browser.post(path_of(sandbox_links.link_for(person, now=live_now()).url))
    assert here.post("/settings/devices/sign-out-others").status_code == 302
    assert [SESSION_KEY in browser.session for browser in (there, here)] == [False, True]


def test_a_link_is_soon_too_old_and_none_of_ours_opens_nothing(power_bank: Shop) -> None:
    person, now = make_person(power_bank), live_now()
    token = sandbox_links.link_for(person, now=now).url.rpartition("/")[2]
    assert sandbox_links.person_of(token, now=now) == person
    with pytest.raises(SandboxLinkExpired):
        sandbox_links.use_link(token, now=now + sandbox_links.LINK_LIFETIME + timedelta(seconds=1))
    for other in ("x", token[:-1], token + "x"):
        assert Client().get(f"/sandbox/sign-in/{other}").status_code == 410


def test_nobody_real_is_ever_signed_in_by_a_link(power_bank: Shop, real_person: Person) -> None:
    with pytest.raises(SandboxOnly):
        sandbox_links.link_for(real_person, now=live_now())
    named = {"person": real_person.id.hex, "until": int(live_now().timestamp()) + 60, "once": "0" * 24}
    with pytest.raises(SandboxLinkExpired):  # not even by a link that we had signed
        sandbox_links.use_link(sandbox_links.SIGNER.sign_object(named), now=live_now())
    assert_problem(Api(power_bank).post(f"sandbox/people/{real_person.public_id}/sign_in"), 404)
    stranger = make_person(make_shop("别家"))
    assert_problem(Api(power_bank).post(f"sandbox/people/{stranger.public_id}/sign_in"), 404)


def test_a_link_never_leads_off_our_pages(power_bank: Shop) -> None:
    api = Api(power_bank)
    person = api.person()["id"]
    for to in ("https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)"):
        problem = assert_problem(api.post(f"sandbox/people/{person}/sign_in", {"to": to}), 422, "invalid_request")
        assert problem["errors"][0]["pointer"] == "/to"
    made = api.post(f"sandbox/people/{person}/sign_in").json()
    assert Client().post(f"{path_of(made['url'])}?next=//evil.example")["Location"] == "/home/"


@pytest.mark.django_db(transaction=True)
def test_of_two_browsers_that_open_a_link_at_once_one_is_signed_in(power_bank: Shop) -> None:
    person = make_person(power_bank)
    for _ in rounds("one link, two browsers"):
        path = path_of(sandbox_links.link_for(person, now=live_now()).url)
        browsers = [Client() for _ in range(2)]
        answers = run_concurrently(*(partial(browser.post, path) for browser in browsers))
        assert sorted(answer.status_code for answer in answers) == [302, 410]
        assert sum(SESSION_KEY in browser.session for browser in browsers) == 1


@pytest.mark.parametrize(
    "to", [*NONSENSE, "/home/\r\nSet-Cookie: a=b", "/主页/🔋", "/" + "x" * 10_000_000], ids=lambda to: f"{to[:12]!r}"
)
def test_wherever_it_should_lead_it_is_refused_or_leads_to_a_page_of_ours(power_bank: Shop, to: str) -> None:
    api = Api(power_bank)
    answer = api.post(f"sandbox/people/{api.person()['id']}/sign_in", {"to": to})
    assert answer.status_code in {201, 413, 422}, answer.status_code
    if answer.status_code == 201:
        came = Client().post(path_of(answer.json()["url"]))
        assert (came.status_code, came["Location"][:1], "\n" in came["Location"]) == (302, "/", False)
        assert "a" not in came.cookies


def test_a_sandbox_link_says_what_it_is_to_somebody_real(power_bank: Shop, real_person: Person) -> None:
    path = f"/sign/{asked(power_bank).public_id}"
    page = client_for(real_person).get(path)
    assert page.status_code == 404
    assert "这是沙箱链接" in visible_text(page)
    assert "退出登录" in visible_text(page)
    assert client_for(real_person).get("/sign/agr_" + "0" * 32).status_code == 404
    first = Client(headers={"accept-language": "zh-CN"})
    said = visible_text(first.get(first.get(path)["Location"]))
    assert "来电充电宝 邀请您开通“来电充电宝”" in said
    assert "这是沙箱链接" in said
    assert "邀请您开通" not in visible_text(first.get("/account/login/?next=/home/"))
