"""A stolen initial password cannot set up a second factor: that needs an enrolment code as well."""

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
from accounts.refusals import InvalidEnrolmentCode
from kernel.clock import live_now
from kernel.models import AuditLine
from tests.conftest import BY
from tests.console.conftest import page_text, staff, submit_form
from tests.portal.conftest import browser_of, current_code

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
    return enrolment.issue_code(user.pk, by=BY, at=live_now()).text


def adds_app(client: Client, **typed: str) -> int:
    page = client.get(f"{OWN}app")
    return client.post(f"{OWN}app", {"code": current_code(page.context["secret"]), **typed}).status_code


def test_a_password_alone_cannot_set_up_a_second_factor(lin: User) -> None:
    thief = browser_of(lin, second=False)
    code = given(lin)
    for typed in ({}, {"enrolment": ""}, {"enrolment": "2222-2222-2222-2222"}, {"enrolment": given(staff(name="mei"))}):
        assert adds_app(thief, **typed) == 422, typed
    assert thief.post(f"{OWN}passkey", {"credential": "{}", "name": "x"}).status_code == 422
    assert "登记码不正确" in page_text(thief.post(f"{OWN}passkey", {"credential": "{}", "enrolment": ""}))
    assert not Authenticator.objects.exists()
    assert AuditLine.objects.filter(act="enrolment.refused", by=f"staff:{lin.public_id}").count() == 2

    assert adds_app(browser_of(lin, second=False), enrolment=code.lower().replace("-", " ")) == 200
    kinds = AccountEvent.objects.filter(user=lin).order_by("pk").values_list("kind", flat=True)
    assert list(kinds)[1:4] == ["enrolment_code_given", "enrolment_code_used", "second_factor"]


def test_a_passkey_takes_one_as_an_app_does(lin: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passkeys, "complete_registration", lambda _answer: {"type": "public-key"})
    client, code = browser_of(lin, second=False), given(lin)
    sent = {"credential": "{}", "name": "phone"}
    assert client.post(f"{OWN}passkey", {**sent, "enrolment": "x"}).status_code == 422
    assert client.post(f"{OWN}passkey", {**sent, "enrolment": code}).status_code == 200
    assert second_factor.is_verified_in_session(client.get("/ops/").wsgi_request, lin)


def test_a_wrong_authenticator_code_does_not_use_up_the_enrolment_code(lin: User) -> None:
    client, code = browser_of(lin, second=False), given(lin)
    assert client.post(f"{OWN}app", {"code": "000000", "enrolment": code}).status_code == 422
    assert adds_app(client, enrolment=code) == 200


def test_an_enrolment_code_works_once_within_a_day(lin: User) -> None:
    now = live_now()
    first, second = (enrolment.issue_code(lin.pk, by=BY, at=now).text for _ in range(2))
    wrong = [(first, now), (second, now + enrolment.CODE_LIFETIME)]
    for code, at in wrong:
        with pytest.raises(InvalidEnrolmentCode):
            enrolment.use_code(lin.pk, code, by=BY, at=at)
    enrolment.use_code(lin.pk, second, by=BY, at=now + enrolment.CODE_LIFETIME - timedelta(seconds=1))
    with pytest.raises(InvalidEnrolmentCode):
        enrolment.use_code(lin.pk, second, by=BY, at=now)
    kept = [bytes(row.digest) for row in EnrolmentCode.objects.all()]
    assert not any(code.encode() in digest for code in (first, second) for digest in kept)


def test_after_removing_the_last_factor_a_new_code_is_needed(lin: User) -> None:
    client = browser_of(lin)
    row = Authenticator.objects.get(type=Authenticator.Type.TOTP)
    assert client.post(f"{OWN}factors/{row.pk}/remove")["Location"] == OWN
    assert adds_app(client) == 422
    assert adds_app(client, enrolment=given(lin)) == 200


def test_a_supervisor_gives_one_at_the_colleagues_page_and_no_record_keeps_it(lin: User) -> None:
    supervisor, path = browser_of(staff("supervisor", name="boss")), f"/ops/do/{lin.public_id}/enrolment_code"
    assert path in supervisor.get(f"/ops/accounts/user/{lin.pk}/change/").content.decode()
    answer = submit_form(supervisor, path, note="第一天，当面告知")
    (code,) = CODE.findall(page_text(supervisor.get(answer["Location"])))
    assert not CODE.findall(page_text(supervisor.get(answer["Location"]))), "once"
    lines = AuditLine.objects.filter(act__startswith="enrolment_code")
    assert {line.act for line in lines} == {"enrolment_code", "enrolment_code.done"}
    assert code not in str([*lines.values(), *AccountEvent.objects.values()])
    assert adds_app(browser_of(lin, second=False), enrolment=code) == 200
    assert supervisor.get(path).status_code == 404, "who has one adds others alone"


def test_the_first_superuser_gets_a_code_from_the_command_line() -> None:
    root, said = User.objects.create_superuser("root", "correct horse battery"), StringIO()
    call_command("enrol", "root", "--note", "first day", stdout=said)
    assert adds_app(browser_of(root, second=False), enrolment=CODE.findall(said.getvalue())[0]) == 200
    line = AuditLine.objects.get(act="enrolment_code")
    assert (line.by, line.about, line.why) == ("system:enrol", root.public_id, "first day")
    for nobody in ("nobody", User.objects.create_user("shop@example.com", is_staff=False).username):
        with pytest.raises(CommandError):
            call_command("enrol", nobody)


def test_without_required_second_factor_no_code_is_needed(settings: LazySettings, lin: User) -> None:
    settings.CONSOLE_SECOND_STEP = False
    assert adds_app(browser_of(lin, second=False)) == 200
