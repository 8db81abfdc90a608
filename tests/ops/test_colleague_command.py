"""`manage.py colleague`: whoever runs the machine lets colleagues in, back in, and out."""

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
from tests.office.test_newcomers_of_ours import joins
from tests.stillness import nothing_moves

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _no_try_used_up() -> None:
    cache.clear()


def typed(*words: str) -> str:
    said = StringIO()
    call_command("colleague", *words, stdout=said)
    return said.getvalue()


def test_the_first_supervisor_comes_in_by_what_it_prints() -> None:
    said = typed("lin", "--role", "supervisor", "--role", "risk", "--note", "first day")
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


def test_another_code_at_the_machine_takes_the_place_of_the_first() -> None:
    (first,) = CODE.findall(typed("lin", "--role", "viewer"))
    said = StringIO()
    call_command("enrol", "lin", stdout=said)
    assert "/ops/login/join" in said.getvalue()
    assert joins(Client(), "lin", first).status_code == 422
    assert joins(Client(), "lin", *CODE.findall(said.getvalue())).status_code == 302


def test_who_leaves_at_the_machine_may_come_back_by_another_code() -> None:
    lin = staff("viewer", name="lin")
    assert typed("lin", "--leaves", "--note", "left us") == "lin has left.\n"
    assert not User.objects.get(pk=lin.pk).is_active
    (code,) = CODE.findall(typed("lin", "--returns", "--role", "finance"))
    assert joins(Client(), "lin", code).status_code == 302
    lines = AuditLine.objects.filter(by="system:colleague").order_by("pk").values_list("act", "why", "about")
    assert list(lines) == [("leave", "left us", lin.public_id), ("let_back_in", "", lin.public_id)]


def test_who_forgot_the_password_chooses_another_and_keeps_the_rest(settings: LazySettings) -> None:
    settings.CONSOLE_SECOND_STEP = True
    lin = staff("supervisor", "risk", name="lin")
    second_factor.take_app(lin.pk, second_factor.generate_totp_secret(), by=BY, at=NOON)
    desk = Client()
    desk.force_login(lin, backend="django.contrib.auth.backends.ModelBackend")
    (code,) = CODE.findall(typed("lin", "--forgot", "--note", "called, known by voice"))
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
def test_what_cannot_be_is_refused_in_words(words: list[str], says: str) -> None:
    staff("viewer", name="here")
    staff("supervisor", name="last")
    with nothing_moves(), pytest.raises(CommandError) as refused:
        typed(*words)
    assert says in str(refused.value)


def test_the_only_supervisor_who_lost_the_second_step_gets_in_again_by_whoever_runs_the_machine(
    settings: LazySettings,
) -> None:
    settings.CONSOLE_SECOND_STEP = True
    lin = staff("supervisor", name="lin")
    second_factor.take_app(lin.pk, second_factor.generate_totp_secret(), by=BY, at=NOON)
    (guest,) = CODE.findall(typed("guest", "--role", "supervisor", "--note", "stands in for lin"))
    assert joins(Client(), "guest", guest).status_code == 302
    typed("lin", "--leaves", "--note", "app, passkey and codes are lost")
    (code,) = CODE.findall(typed("lin", "--returns", "--role", "supervisor", "--note", "known by voice"))
    come = Client()
    assert joins(come, "lin", code).status_code == 302
    assert "confirm" not in come.get("/ops/own/", follow=True).request["PATH_INFO"], "another one is set up"
    typed("guest", "--leaves", "--note", "lin is back")
    assert "stands in for them" in (Path(__file__).resolve().parents[2] / "docs" / "operations.md").read_text("utf-8")
