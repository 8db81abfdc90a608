"""`manage.py colleague` adds, reactivates and removes colleagues."""

from io import StringIO
from pathlib import Path

import pytest
from django.conf import LazySettings
from django.core.cache import cache
from django.core.management import CommandError, call_command
from django.test import Client

from accounts import colleagues, second_factor
from accounts.models import AccountEvent, User
from kernel.models import AuditLine
from tests.conftest import BY, NOON
from tests.console.conftest import staff
from tests.office.test_enrolment import CODE
from tests.office.test_staff_onboarding import joins
from tests.unchanged import assert_unchanged

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _reset_rate_limits() -> None:
    cache.clear()


def run_command(*words: str) -> str:
    said = StringIO()
    call_command("colleague", *words, stdout=said)
    return said.getvalue()


def test_the_first_supervisor_signs_in_with_the_printed_code() -> None:
    said = run_command("lin", "--role", "supervisor", "--role", "risk", "--note", "first day")
    (code,) = CODE.findall(said)
    assert "/ops/login/join" in said
    lin = User.objects.get(username="lin")
    assert (colleagues.roles_of(lin), lin.is_superuser) == (["risk", "supervisor"], False)
    assert joins(Client(), "lin", code).status_code == 302
    line = AuditLine.objects.get(act="new_colleague")
    assert (line.by, line.about, line.why) == ("system:colleague", lin.public_id, "first day")
    assert AccountEvent.objects.get(kind="staff_created").data == {
        "roles": ["risk", "supervisor"],
        "note": "first day",
    }
    assert code not in str([*AuditLine.objects.values(), *AccountEvent.objects.values()])


def test_a_new_code_replaces_the_first() -> None:
    (first,) = CODE.findall(run_command("lin", "--role", "viewer"))
    said = StringIO()
    call_command("enrol", "lin", stdout=said)
    assert "/ops/login/join" in said.getvalue()
    assert joins(Client(), "lin", first).status_code == 422
    assert joins(Client(), "lin", *CODE.findall(said.getvalue())).status_code == 302


def test_a_removed_colleague_can_be_reactivated() -> None:
    lin = staff("viewer", name="lin")
    assert run_command("lin", "--leaves", "--note", "left us") == "lin has left.\n"
    assert not User.objects.get(pk=lin.pk).is_active
    (code,) = CODE.findall(run_command("lin", "--returns", "--role", "finance"))
    assert joins(Client(), "lin", code).status_code == 302
    lines = AuditLine.objects.filter(by="system:colleague").order_by("pk").values_list("act", "why", "about")
    assert list(lines) == [("leave", "left us", lin.public_id), ("let_back_in", "", lin.public_id)]


def test_who_forgot_the_password_chooses_another_and_keeps_the_rest(settings: LazySettings) -> None:
    settings.CONSOLE_SECOND_STEP = True
    lin = staff("supervisor", "risk", name="lin")
    second_factor.activate_app(lin.pk, second_factor.generate_totp_secret(), by=BY, at=NOON)
    desk = Client()
    desk.force_login(lin, backend="django.contrib.auth.backends.ModelBackend")
    (code,) = CODE.findall(run_command("lin", "--forgot", "--note", "called, known by voice"))
    lin.refresh_from_db()
    assert not lin.has_usable_password()
    assert desk.get("/ops/").status_code == 302, "where they were signed in that has ended"

    come = Client()
    assert joins(come, "lin", code).status_code == 302
    assert come.get("/ops/own/").url.startswith("/ops/own/confirm"), "who only has the code has no second step"
    lin.refresh_from_db()
    assert (colleagues.roles_of(lin), lin.has_usable_password()) == (["risk", "supervisor"], True)
    assert AuditLine.objects.get(act="new_password").why == "called, known by voice"
    assert list(AccountEvent.objects.filter(user=lin).order_by("id").values_list("kind", flat=True))[-4:] == [
        "password_forgotten",
        "enrolment_code_given",
        "enrolment_code_used",
        "joined",
    ]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["new"], "which roles"),
        (["new", "--role", "king"], "No such role. (king)"),
        (["Bad Name", "--role", "viewer"], "lowercase letters"),
        (["here", "--role", "viewer"], "taken"),
        (["here", "--returns", "--role", "viewer"], "no such colleague"),
        (["nobody", "--forgot"], "no such colleague"),
        (["here", "--forgot", "--role", "viewer"], "which roles"),
        (["nobody", "--leaves"], "no such colleague"),
        (["here", "--leaves", "--role", "viewer"], "which roles"),
        (["here", "--leaves", "--returns"], "not allowed"),
        (["last", "--leaves"], "At least one supervisor"),
    ],
    ids=lambda given: " ".join(given) if isinstance(given, list) else "",
)
def test_invalid_calls_are_refused_with_a_message(words: list[str], says: str) -> None:
    staff("viewer", name="here")
    staff("supervisor", name="last")
    with assert_unchanged(), pytest.raises(CommandError) as refused:
        run_command(*words)
    assert says in str(refused.value)


def test_the_only_supervisor_who_lost_the_second_step_gets_in_again_by_whoever_runs_the_machine(
    settings: LazySettings,
) -> None:
    settings.CONSOLE_SECOND_STEP = True
    lin = staff("supervisor", name="lin")
    second_factor.activate_app(lin.pk, second_factor.generate_totp_secret(), by=BY, at=NOON)
    (guest,) = CODE.findall(run_command("guest", "--role", "supervisor", "--note", "stands in for lin"))
    assert joins(Client(), "guest", guest).status_code == 302
    run_command("lin", "--leaves", "--note", "app, passkey and codes are lost")
    (code,) = CODE.findall(run_command("lin", "--returns", "--role", "supervisor", "--note", "known by voice"))
    come = Client()
    assert joins(come, "lin", code).status_code == 302
    assert "confirm" not in come.get("/ops/own/", follow=True).request["PATH_INFO"], "another one is set up"
    run_command("guest", "--leaves", "--note", "lin is back")
    assert "stands in for them" in (Path(__file__).resolve().parents[2] / "docs" / "operations.md").read_text("utf-8")
