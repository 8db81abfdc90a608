"""Two-step verification at the console's sign-in, with rate limiting."""

import pytest
from allauth.mfa.models import Authenticator
from django.core.cache import cache
from django.test import Client

from accounts import services as accounts
from accounts.models import AccountEvent, User
from kernel.models import AuditLine
from tests.browsing import signed_in_client
from tests.conftest import BY, NOON
from tests.office.approval_helpers import decide_on_page, propose_on_page
from tests.passkey import Passkey
from tests.portal.conftest import authenticator_of, browser_of, current_code
from tests.unchanged import assert_unchanged

SIGN_IN, STEP, OWN = "/ops/login/", "/ops/login/second-step", "/ops/own/"
SEEN = ("django_session", "usersessions_usersession")
PASSWORD, NEW = "correct horse battery", "an entirely other sentence"
CHANGE = f"{OWN}password"
pytestmark = pytest.mark.django_db


@pytest.fixture
def lin() -> User:
    cache.clear()
    return accounts.create_staff("lin", PASSWORD, roles=["viewer"], by=BY, at=NOON)


def tries(client: Client, password: str = PASSWORD) -> str:
    answer = client.post(f"{SIGN_IN}?next=/ops/system/", {"username": "lin", "password": password})
    return str(answer.get("Location", ""))


def inside(client: Client) -> bool:
    return bool(client.get(OWN).status_code == 200)


def test_a_passkey_is_made_and_asked_for_after_the_password(lin: User) -> None:
    client = Client()
    assert tries(client) == "/ops/system/"
    passkey = Passkey()
    options = client.get(f"{OWN}passkey").context["options"]
    answer = client.post(f"{OWN}passkey", {"credential": passkey.made(options), "name": "工位电脑"})
    assert len(answer.context["codes"]) == 10
    assert "工位电脑" in client.get(OWN).content.decode()

    again = Client()
    assert tries(again) == STEP
    assert not inside(again)
    options = again.get(STEP).context["options"]
    with assert_unchanged(*SEEN):
        for wrong in (Passkey().shown(options), "{}", passkey.shown(options)):  # the challenge is used up by then
            assert again.post(STEP, {"credential": wrong}).status_code == 422
    assert not inside(again)
    options = again.get(STEP).context["options"]
    assert again.post(STEP, {"credential": passkey.shown(options)})["Location"] == "/ops/system/"
    assert inside(again)
    assert AuditLine.objects.filter(act="signed_in", by=f"staff:{lin.public_id}").count() == 2


def test_a_password_that_was_changed_meanwhile_no_longer_opens_the_second_step(lin: User) -> None:
    shows, early = authenticator_of(lin), Client()
    assert tries(early) == STEP
    accounts.change_password(lin.id, "a longer sentence than before", by=BY, at=NOON)
    assert early.post(STEP, {"code": shows()})["Location"] == SIGN_IN
    assert not inside(early)


def test_an_app_is_set_up_and_its_digits_and_codes_count_once(lin: User) -> None:
    client = Client()
    tries(client)
    page = client.get(f"{OWN}app")
    assert client.post(f"{OWN}app", {"code": "1"}).status_code == 422
    codes = client.post(f"{OWN}app", {"code": current_code(page.context["secret"])}).context["codes"]
    for expected in (302, 422):
        again = Client()
        assert tries(again) == STEP
        assert again.post(STEP, {"code": codes[0]}).status_code == expected
    assert not inside(again)
    assert client.post(f"{OWN}codes").context["codes"] != codes
    row = Authenticator.objects.get(type=Authenticator.Type.TOTP)
    assert client.post(f"{OWN}factors/{row.pk}/remove")["Location"] == OWN
    assert not Authenticator.objects.exists()


def test_the_second_step_cannot_be_reached_alone_nor_by_who_guesses(lin: User) -> None:
    assert Client().get(STEP)["Location"] == SIGN_IN
    assert Client().post(STEP, {"code": "000000"})["Location"] == SIGN_IN
    client = Client()
    assert [tries(client, f"guess {n} of many") for n in range(6)] == [""] * 6
    assert tries(client) == "", "even the right one opens nothing for a while"
    assert not inside(client)


def test_a_screen_that_was_left_open_changes_nothing(lin: User) -> None:
    client = browser_of(lin, second=False, fresh=False)
    for page in ("app", "passkey"):
        assert client.get(OWN + page)["Location"].startswith(f"{OWN}confirm?next=")
    assert client.post(f"{OWN}codes")["Location"].startswith(f"{OWN}confirm?next=")
    asked = client.get(f"{OWN}passkey")["Location"]
    assert client.post(asked, {"password": "wrong horse battery"}).status_code == 422
    assert client.post(asked, {"password": PASSWORD})["Location"] == f"{OWN}passkey"
    assert client.get(f"{OWN}passkey").status_code == 200

    shows = authenticator_of(lin)
    client = browser_of(lin, second=False, fresh=False)
    asked = client.get(f"{OWN}app")["Location"]
    assert client.post(asked, {"password": PASSWORD}).status_code == 422, "who has a factor shows that"
    assert client.post(asked, {"code": shows()})["Location"] == f"{OWN}app"


def test_it_is_ones_own_and_for_colleagues_with_a_role(lin: User) -> None:
    other = accounts.create_staff("mei", PASSWORD, roles=["viewer"], by=BY, at=NOON)
    authenticator_of(other)
    row, client = Authenticator.objects.get(), browser_of(lin, second=False)
    nobody = signed_in_client(accounts.create_staff("new", PASSWORD, roles=[], by=BY, at=NOON))
    with assert_unchanged(*SEEN):
        assert client.post(f"{OWN}factors/{row.pk}/remove").status_code == 404
        for page in ("", "app", "passkey", "confirm"):
            assert Client().get(OWN + page)["Location"].startswith(SIGN_IN)
            assert nobody.get(OWN + page).status_code == 403


def test_what_a_colleague_lost_is_switched_off_by_two_others(lin: User) -> None:
    def supervisor_client(name: str) -> Client:
        return signed_in_client(accounts.create_staff(name, PASSWORD, roles=["supervisor"], by=BY, at=NOON))

    supervisor, zhao = supervisor_client("boss"), supervisor_client("zhao")
    path = f"/ops/do/{lin.public_id}/forget_colleague"
    assert supervisor.get(path).status_code == 404, "there is nothing to switch off"
    authenticator_of(lin)
    row = propose_on_page(supervisor, path, note="手机被偷，当面核实")
    assert Authenticator.objects.exists()
    decide_on_page(zhao, row)
    assert not Authenticator.objects.exists()
    client = Client()
    assert tries(client) == "/ops/system/"


def test_a_password_is_changed_by_whoever_knows_it_and_stands_in_the_audit(lin: User) -> None:
    here, elsewhere = browser_of(lin, second=False), browser_of(lin, second=False)
    assert here.get("/ops/password_change/", follow=True).redirect_chain == [(CHANGE, 302)]
    assert here.post("/ops/password_change/", {"old_password": PASSWORD})["Location"] == CHANGE
    with assert_unchanged(*SEEN):
        for current, new in (("wrong horse battery", NEW), (PASSWORD, "short"), (PASSWORD, NEW * 9)):
            assert here.post(CHANGE, {"current": current, "password": new}).status_code == 422
    assert here.post(CHANGE, {"current": PASSWORD, "password": NEW})["Location"] == OWN
    assert (inside(here), inside(elsewhere)) == (True, False)
    assert tries(Client(), NEW) == "/ops/system/"
    by = f"staff:{lin.public_id}"
    assert AuditLine.objects.filter(act="password_changed", by=by).count() == 1
    assert AccountEvent.objects.filter(user=lin, kind="password_changed", by=by).count() == 1


def test_guesses_of_the_password_until_now_have_an_end(lin: User) -> None:
    here = browser_of(lin, second=False)
    for n in range(12):
        here.post(CHANGE, {"current": f"guess {n} of many", "password": NEW})
    assert here.post(CHANGE, {"current": PASSWORD, "password": NEW}).status_code == 422
