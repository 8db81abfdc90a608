"""Whoever stole a password before its colleague first signed in sets up no second step: that takes a code, too."""

import re
from datetime import timedelta
from io import StringIO

import pytest
from allauth.mfa.models import Authenticator
from django.conf import LazySettings
from django.core.cache import cache
from django.core.management import CommandError, call_command
from django.test import Client

from accounts import enrolment, passkeys, second_factor
from accounts.models import AccountEvent, EnrolmentCode, User
from accounts.refusals import EnrolmentCodeOver
from kernel.clock import live_now
from kernel.models import AuditLine
from tests.conftest import BY
from tests.console.conftest import does, staff, words_of
from tests.portal.conftest import browser_of, digits

OWN = "/ops/own/"
CODE = re.compile(r"[2-9A-Z]{4}(?:-[2-9A-Z]{4}){3}")
pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _demanded(settings: LazySettings) -> None:
    settings.CONSOLE_SECOND_STEP = True
    cache.clear()


@pytest.fixture
def lin() -> User:
    return staff("viewer", name="lin")


def given(user: User) -> str:
    return enrolment.give_code(user.pk, by=BY, at=live_now()).text


def adds_app(client: Client, **typed: str) -> int:
    page = client.get(f"{OWN}app")
    return client.post(f"{OWN}app", {"code": digits(page.context["secret"]), **typed}).status_code


def test_the_password_alone_sets_nothing_up(lin: User) -> None:
    thief = browser_of(lin, second=False)
    code = given(lin)
    for typed in ({}, {"enrolment": ""}, {"enrolment": "2222-2222-2222-2222"}, {"enrolment": given(staff(name="mei"))}):
        assert adds_app(thief, **typed) == 422, typed
    assert thief.post(f"{OWN}passkey", {"credential": "{}", "name": "x"}).status_code == 422
    assert "登记码不正确" in words_of(thief.post(f"{OWN}passkey", {"credential": "{}", "enrolment": ""}))
    assert not Authenticator.objects.exists()
    assert AuditLine.objects.filter(act="enrolment.refused", by=f"staff:{lin.public_id}").count() == 2

    assert adds_app(browser_of(lin, second=False), enrolment=code.lower().replace("-", " ")) == 200
    kinds = AccountEvent.objects.filter(user=lin).order_by("pk").values_list("kind", flat=True)
    assert list(kinds)[1:4] == ["enrolment_code_given", "enrolment_code_used", "second_factor"]


def test_a_passkey_takes_one_as_an_app_does(lin: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passkeys, "created", lambda _answer: {"type": "public-key"})
    client, code = browser_of(lin, second=False), given(lin)
    sent = {"credential": "{}", "name": "phone"}
    assert client.post(f"{OWN}passkey", {**sent, "enrolment": "x"}).status_code == 422
    assert client.post(f"{OWN}passkey", {**sent, "enrolment": code}).status_code == 200
    assert second_factor.shown_in(client.get("/ops/").wsgi_request, lin)


def test_digits_that_are_wrong_use_no_code_up(lin: User) -> None:
    client, code = browser_of(lin, second=False), given(lin)
    assert client.post(f"{OWN}app", {"code": "000000", "enrolment": code}).status_code == 422
    assert adds_app(client, enrolment=code) == 200


def test_a_code_is_good_once_for_a_day_and_the_newest_counts(lin: User) -> None:
    now = live_now()
    first, second = (enrolment.give_code(lin.pk, by=BY, at=now).text for _ in range(2))
    wrong = [(first, now), (second, now + enrolment.GOOD_FOR)]
    for code, at in wrong:
        with pytest.raises(EnrolmentCodeOver):
            enrolment.use_code(lin.pk, code, by=BY, at=at)
    enrolment.use_code(lin.pk, second, by=BY, at=now + enrolment.GOOD_FOR - timedelta(seconds=1))
    with pytest.raises(EnrolmentCodeOver):
        enrolment.use_code(lin.pk, second, by=BY, at=now)
    kept = [bytes(row.digest) for row in EnrolmentCode.objects.all()]
    assert not any(code.encode() in digest for code in (first, second) for digest in kept)


def test_whoever_removed_the_last_one_needs_a_code_for_another(lin: User) -> None:
    client = browser_of(lin)
    row = Authenticator.objects.get(type=Authenticator.Type.TOTP)
    assert client.post(f"{OWN}factors/{row.pk}/remove")["Location"] == OWN
    assert adds_app(client) == 422
    assert adds_app(client, enrolment=given(lin)) == 200


def test_a_supervisor_gives_one_at_the_colleagues_page_and_no_record_keeps_it(lin: User) -> None:
    boss, path = browser_of(staff("supervisor", name="boss")), f"/ops/do/{lin.public_id}/enrolment_code"
    assert path in boss.get(f"/ops/accounts/user/{lin.pk}/change/").content.decode()
    answer = does(boss, path, note="第一天，当面告知")
    (code,) = CODE.findall(words_of(boss.get(answer["Location"])))
    assert not CODE.findall(words_of(boss.get(answer["Location"]))), "once"
    lines = AuditLine.objects.filter(act__startswith="enrolment_code")
    assert {line.act for line in lines} == {"enrolment_code", "enrolment_code.done"}
    assert code not in str([*lines.values(), *AccountEvent.objects.values()])
    assert adds_app(browser_of(lin, second=False), enrolment=code) == 200
    assert boss.get(path).status_code == 404, "who has one adds others alone"


def test_the_first_superuser_is_given_one_at_the_machine() -> None:
    root, said = User.objects.create_superuser("root", "correct horse battery"), StringIO()
    call_command("enrol", "root", "--note", "first day", stdout=said)
    assert adds_app(browser_of(root, second=False), enrolment=CODE.findall(said.getvalue())[0]) == 200
    line = AuditLine.objects.get(act="enrolment_code")
    assert (line.by, line.about, line.why) == ("system:enrol", root.public_id, "first day")
    for nobody in ("nobody", User.objects.create_user("shop@example.com", is_staff=False).username):
        with pytest.raises(CommandError):
            call_command("enrol", nobody)


def test_where_no_second_step_is_demanded_none_is_asked_for(settings: LazySettings, lin: User) -> None:
    settings.CONSOLE_SECOND_STEP = False
    assert adds_app(browser_of(lin, second=False)) == 200
