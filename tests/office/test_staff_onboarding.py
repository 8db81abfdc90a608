"""A new colleague: requested, approved, and admitted with a one-time code."""

from datetime import timedelta
from typing import Any

import pytest
from django.conf import LazySettings
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts import colleagues, enrolment, first_password
from accounts.models import AccountEvent, User
from accounts.refusals import InvalidEnrolmentCode, InvalidUsername, UnknownRole, UsernameTaken, WeakPassword
from kernel.actor import Actor
from kernel.clock import live_now
from kernel.models import AuditLine
from kernel.refusal import ApprovalRequired
from office.models import Proposal
from tests.conftest import BY
from tests.console.conftest import page_text, staff, submit_form
from tests.office.approval_helpers import PROPOSAL_TABLES, decide_on_page, propose_on_page, reloaded
from tests.office.test_enrolment import CODE, OWN, adds_app
from tests.portal.conftest import browser_of
from tests.unchanged import assert_unchanged

JOIN, NEW = "/ops/login/join", "/ops/colleagues/new"
PASSWORD = "my cat walks over the roof at night"
pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _no_try_used_up() -> None:
    cache.clear()


def joins(client: Client, name: str, code: str, password: str = PASSWORD) -> Any:
    return client.post(JOIN, {"username": name, "enrolment": code, "password": password})


def hired(name: str = "lin", *roles: str) -> str:
    """The code of somebody who was let in just now."""
    _user, code = colleagues.add_colleague(name, roles or ["viewer"], by=BY, at=live_now())
    return code.text


def test_two_let_somebody_in_and_the_code_opens_the_door_once(settings: LazySettings) -> None:
    supervisor, mei = (browser_of(staff("supervisor", name=name)) for name in ("boss", "mei"))
    row = propose_on_page(supervisor, NEW, username="lin", roles=["finance", "risk"], note="新同事，周一到岗")
    assert not User.objects.filter(username="lin").exists()
    assert decide_on_page(supervisor, row).status_code == 422
    assert "财务、风控" in page_text(mei.get(f"/ops/second/{row.public_id}"))
    answer = decide_on_page(mei, row)
    (code,) = CODE.findall(page_text(mei.get(answer["Location"])))
    assert not CODE.findall(page_text(mei.get(answer["Location"]))), "once"
    lin = User.objects.get(username="lin")
    assert (colleagues.roles_of(lin), lin.has_usable_password()) == (["finance", "risk"], False)
    assert code not in str([*AuditLine.objects.values(), *AccountEvent.objects.values(), *Proposal.objects.values()])
    made = AccountEvent.objects.get(user=lin, kind="staff_created")
    assert ("+" in made.by, made.data["note"]) == (True, "新同事，周一到岗")

    settings.CONSOLE_SECOND_STEP = True
    client = Client(headers={"accept-language": "zh-CN"})
    assert JOIN in client.get("/ops/login/").content.decode()
    assert joins(client, "lin", code.lower().replace("-", " "))["Location"] == OWN
    assert "密码已设置" in page_text(client.get(OWN))
    assert adds_app(client) == 200, "the code that was shown goes for the second step, too"
    assert client.get("/ops/").status_code == 200
    assert joins(Client(), "lin", code).status_code == 422
    kinds = AccountEvent.objects.filter(user=lin).order_by("pk").values_list("kind", flat=True)
    assert list(kinds) == ["staff_created", "enrolment_code_given", "enrolment_code_used", "joined", "second_factor"]
    assert AuditLine.objects.filter(act="joined", by=f"staff:{lin.public_id}").count() == 1


def test_where_no_second_step_is_demanded_a_newcomer_is_in_at_once() -> None:
    client, code = Client(), hired()
    assert joins(client, "lin", code)["Location"] == "/ops/"
    assert client.get("/ops/").status_code == 200
    again = Client().post("/ops/login/", {"username": "lin", "password": PASSWORD})
    assert again["Location"] == "/ops/"


def test_adding_a_colleague_needs_approval() -> None:
    supervisor = staff("supervisor", name="boss")
    colleagues.add_colleague("lin", ["viewer"], by=BY, at=live_now())
    lin, alone, at = User.objects.get(username="lin"), Actor.staff(supervisor.pk), live_now()
    with assert_unchanged():
        for deed in (
            lambda: colleagues.add_colleague("wu", ["viewer"], by=alone, at=at),
            lambda: enrolment.issue_code(lin.pk, by=alone, at=at),
            lambda: colleagues.deactivate(lin.pk, by=alone, at=at),
            lambda: colleagues.reinstate(lin.pk, ["viewer"], by=alone, at=at),
        ):
            with pytest.raises(ApprovalRequired):
                deed()


def test_another_code_of_a_newcomer_takes_two() -> None:
    first = hired()
    lin = User.objects.get(username="lin")
    supervisor, mei = (browser_of(staff("supervisor", name=name)) for name in ("boss", "mei"))
    row = propose_on_page(supervisor, f"/ops/do/{lin.public_id}/enrolment_code", note="昨天的已过期")
    answer = decide_on_page(mei, row)
    (second,) = CODE.findall(page_text(mei.get(answer["Location"])))
    assert joins(Client(), "lin", first).status_code == 422
    assert joins(Client(), "lin", second).status_code == 302


@pytest.mark.parametrize("name", ["", "x", "Lin", "lin wang", "林", "9lin", "lin@example.com", "l" * 33, "lіn"])
def test_a_bad_name_is_refused_in_words(name: str) -> None:
    supervisor = browser_of(staff("supervisor", name="boss"))
    with assert_unchanged(*PROPOSAL_TABLES[2:]), pytest.raises(InvalidUsername):
        colleagues.add_colleague(name, ["viewer"], by=BY, at=live_now())
    page = submit_form(supervisor, NEW, username=name, roles=["viewer"], note="x")
    assert page.status_code == 422
    assert "小写字母" in page_text(page)
    assert not Proposal.objects.exists()


def test_what_else_is_refused_when_somebody_is_asked_for() -> None:
    supervisor, mei = (browser_of(staff("supervisor", name=name)) for name in ("boss", "mei"))
    with pytest.raises(UsernameTaken):
        colleagues.add_colleague("boss", ["viewer"], by=BY, at=live_now())
    with pytest.raises(UnknownRole):
        colleagues.add_colleague("lin", ["king"], by=BY, at=live_now())
    for wish in (
        {"username": "boss", "roles": ["viewer"]},
        {"username": "lin"},
        {"username": "lin", "roles": ["king"]},
    ):
        assert submit_form(supervisor, NEW, note="x", **wish).status_code == 422, wish
    row = propose_on_page(supervisor, NEW, username="lin", roles=["viewer"], note="x")
    assert submit_form(mei, NEW, username="lin", roles=["risk"], note="x").status_code == 422, "the same waits"
    hired("lin")
    assert decide_on_page(mei, row).status_code == 422
    assert reloaded(row).state == "open"


def test_a_weak_password_uses_no_code_up() -> None:
    code = hired("linlinlinlinlinlin")
    with assert_unchanged():
        for weak in ("short", "linlinlinlinlinlin", "passwordpassword"[:8]):
            with pytest.raises(WeakPassword):
                first_password.set_first_password("linlinlinlinlinlin", code, weak, at=live_now())
    assert "15" in page_text(joins(Client(headers={"accept-language": "zh-CN"}), "linlinlinlinlinlin", code, "short"))
    assert joins(Client(), "linlinlinlinlinlin", code).status_code == 302


def test_a_code_is_too_old_after_a_day_and_opens_no_account_that_has_a_password() -> None:
    code, at = hired(), live_now()
    here = staff("viewer", name="here")
    theirs = enrolment.issue_code(here.pk, by=BY, at=at).text
    with assert_unchanged():
        for name, text, moment in (
            ("lin", code, at + enrolment.CODE_LIFETIME),
            ("here", theirs, at),
            ("lin", theirs, at),
        ):
            with pytest.raises(InvalidEnrolmentCode):
                first_password.set_first_password(name, text, PASSWORD, at=moment)
    first_password.set_first_password("lin", code, PASSWORD, at=at + enrolment.CODE_LIFETIME - timedelta(minutes=1))


def test_whatever_is_wrong_is_answered_alike_and_asked_alike() -> None:
    hired()
    here = staff("viewer", name="here")
    enrolment.issue_code(here.pk, by=BY, at=live_now())
    said, asks = set(), set()
    for name in ("lin", "nobody", "here"):
        with CaptureQueriesContext(connection) as queries:
            page = joins(Client(headers={"accept-language": "zh-CN"}), name, "2222-2222-2222-2222")
        said.add((page.status_code, page_text(page).replace(name, "")))
        asks.add(len(queries))
    assert len(said) == len(asks) == 1
    lines = AuditLine.objects.filter(act="joining.refused").order_by("pk").values_list("about", flat=True)
    lin = User.objects.get(username="lin")
    assert list(lines) == [lin.public_id, "", here.public_id]


def test_who_guesses_is_stopped_whether_the_name_is_known_or_not() -> None:
    code = hired()
    for name in ("lin", "nobody"):
        wide = "".join(chr(ord(sign) + 0xFEE0) for sign in name)
        tries = [name, wide] * 3
        pages = [joins(Client(headers={"accept-language": "zh-CN"}), one, "2222-2222-2222-2222") for one in tries]
        assert ["尝试次数过多" in page_text(page) for page in pages] == [False] * 5 + [True], name
    assert joins(Client(), "lin", code).status_code == 422
    cache.clear()
    assert joins(Client(), "lin", code).status_code == 302


def test_what_was_shown_goes_on_in_that_session_only_once_and_not_for_long(
    settings: LazySettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.CONSOLE_SECOND_STEP = True
    client, code = Client(), hired()
    joins(client, "lin", code)
    lin = User.objects.get(username="lin")
    assert adds_app(browser_of(lin, second=False)) == 422, "another session"
    session, later = client.session, live_now() + enrolment.SESSION_LIFETIME
    assert enrolment.used_in_session(session, lin, at=live_now())
    assert not enrolment.used_in_session(session, lin, at=later)
    enrolment.issue_code(lin.pk, by=BY, at=live_now())
    assert adds_app(client) == 422, "a newer one was given"


def test_after_the_second_step_was_set_up_the_next_first_one_takes_another_code(settings: LazySettings) -> None:
    settings.CONSOLE_SECOND_STEP = True
    client = Client()
    joins(client, "lin", hired())
    assert adds_app(client) == 200
    lin = User.objects.get(username="lin")
    factor = lin.authenticator_set.get(type="totp")  # type: ignore[attr-defined]
    assert client.post(f"{OWN}factors/{factor.pk}/remove")["Location"] == OWN
    assert adds_app(client) == 422


def test_who_has_no_password_comes_in_by_no_other_door() -> None:
    hired()
    for password in ("", "!", PASSWORD, User.objects.get(username="lin").password):
        answer = Client().post("/ops/login/", {"username": "lin", "password": password})
        assert answer.status_code == 200, password


def test_the_list_says_who_is_awaited_here_and_gone() -> None:
    supervisor = browser_of(staff("supervisor", name="boss"))
    hired("lin")
    colleagues.deactivate(staff("viewer", name="zhou").pk, by=BY, at=live_now())
    said = page_text(supervisor.get("/ops/colleagues/"))
    assert all(word in said for word in ("lin", "尚未加入", "在职", "zhou", "已离职"))


def test_who_forgot_their_password_is_not_said_to_be_new() -> None:
    supervisor, lin = browser_of(staff("supervisor", name="boss")), staff("viewer", name="lin")
    colleagues.reset_password(lin.pk, by=BY, at=live_now())
    said = page_text(supervisor.get("/ops/colleagues/"))
    assert ("待重设密码" in said, "尚未加入" in said) == (True, False)
    colleagues.deactivate(lin.pk, by=BY, at=live_now())
    colleagues.reinstate(lin.pk, ["viewer"], by=BY, at=live_now())
    said = page_text(supervisor.get("/ops/colleagues/"))
    assert ("待重设密码" in said, "尚未加入" in said) == (False, True), "who is back is let in anew"


def test_the_list_of_roles_calls_them_by_their_names() -> None:
    supervisor = browser_of(staff("supervisor", name="boss"))
    said = page_text(supervisor.get("/ops/auth/group/"))
    assert "主管" in said, said
