"""A colleague leaves: two let them go, nothing opens to them any more, and what they had in hand is free."""

from datetime import timedelta
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from django.core.cache import cache
from django.test import Client

from accounts import colleagues, enrolment
from accounts.models import AccountEvent, User
from accounts.refusals import EnrolmentCodeOver, LastSupervisor
from kernel.actor import Actor
from kernel.clock import live_now
from kernel.refusal import Busy, NotFound
from office.models import Handling, HandlingNote, Proposal
from office.queues import QUEUES
from office.refusals import ProposalAskerGone, UnfitColleague
from office.services import handling, proposals
from office.services.seeing_off import see_off
from tests.conftest import BY, NOON, Shop
from tests.console.conftest import staff, words_of
from tests.office.seconds import ASKED, asked, decided, now
from tests.office.test_enrolment import CODE
from tests.office.test_newcomers_of_ours import PASSWORD, joins
from tests.office.waiting import problem_with
from tests.portal.conftest import browser_of
from tests.stillness import nothing_moves

PROBLEMS = QUEUES["problem"]
pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _no_try_used_up() -> None:
    cache.clear()


@pytest.fixture
def boss() -> Client:
    return browser_of(staff("supervisor", name="boss"))


@pytest.fixture
def mei() -> Client:
    return browser_of(staff("supervisor", name="mei"))


def goes(user: User, *by: Client) -> Any:
    asks, agrees = by
    return decided(agrees, asked(asks, f"/ops/do/{user.public_id}/leave", note="离职"))


def test_nothing_opens_any_more_to_whoever_left(boss: Client, mei: Client) -> None:
    lin = staff("support", name="lin")
    here = browser_of(lin)
    assert here.get("/ops/").status_code == 200
    code = enrolment.give_code(lin.pk, by=BY, at=live_now()).text
    assert goes(lin, boss, mei).status_code == 302
    assert here.get("/ops/")["Location"].startswith("/ops/login/")
    assert not Authenticator.objects.filter(user=lin).exists()
    assert Client().post("/ops/login/", {"username": "lin", "password": "correct horse battery"}).status_code == 200
    assert joins(Client(), "lin", code).status_code == 422
    with pytest.raises(EnrolmentCodeOver), nothing_moves():
        enrolment.use_code(lin.pk, "x", by=BY, at=live_now())
    event = AccountEvent.objects.get(user=lin, kind="left")
    assert ("+" in event.by, event.data) == (True, {"before": ["support"], "note": "离职"})
    assert boss.get(f"/ops/do/{lin.public_id}/leave").status_code == 404


def test_what_they_had_in_hand_is_free_again(power_bank: Shop, boss: Client, mei: Client) -> None:
    lin, other = staff("support", name="lin"), staff("support", name="other")
    problem, kept = problem_with(power_bank), problem_with(power_bank)
    handling.take(PROBLEMS, problem.id, lin, at=NOON)
    handling.take(PROBLEMS, kept.id, other, at=NOON)
    assert "Their 1 assigned" in words_of(
        browser_of(staff("supervisor", name="en"), language="en").get(f"/ops/do/{lin.public_id}/leave")
    )
    goes(lin, boss, mei)
    assert dict(Handling.objects.values_list("about", "user")) == {problem.id: None, kept.id: other.pk}
    note = HandlingNote.objects.latest("id")
    assert (note.act, "+" in note.by) == ("put_back", True)
    with nothing_moves():
        for give in (
            lambda: handling.take(PROBLEMS, problem.id, lin, at=NOON),
            lambda: handling.hand(PROBLEMS, problem.id, lin, "", seen=None, by=BY, at=NOON),
        ):
            with pytest.raises(UnfitColleague):
                give()
    assert handling.take(PROBLEMS, problem.id, other, at=NOON).user_id == other.pk


def test_what_is_handed_to_them_at_that_moment_holds_them(power_bank: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    lin, problem = staff("support", name="lin"), problem_with(power_bank)
    free = handling.free_all

    def freed(user_id: Any, **said: Any) -> int:
        number = free(user_id, **said)
        handling.take(PROBLEMS, problem.id, lin, at=NOON)
        return number

    monkeypatch.setattr(handling, "free_all", freed)
    with pytest.raises(Busy):
        see_off(lin.pk, by=BY, at=NOON)
    assert User.objects.get(pk=lin.pk).is_active


def test_what_they_asked_for_is_not_done_even_when_they_are_back(boss: Client, mei: Client) -> None:
    lin, wang = staff("supervisor", name="lin"), staff("viewer", name="wang")
    row = asked(browser_of(lin), f"/ops/do/{wang.public_id}/change_roles", roles=["finance"], note="x")
    goes(lin, boss, mei)
    by = Actor.staff(User.objects.get(username="mei").pk)
    for _again in ("gone", "back"):
        with pytest.raises(ProposalAskerGone), nothing_moves():
            proposals.approve(row.pk, "x", by=by, at=live_now())
        assert "提交人已无权" in words_of(mei.get(f"/ops/second/{row.public_id}"))
        if not User.objects.get(pk=lin.pk).is_active:
            colleagues.let_back_in(lin.pk, ["supervisor"], by=BY, at=live_now())
    decided(mei, row, "refuse", "已离职")
    assert now(row).state == "refused"


def test_two_let_them_back_in_by_a_code_with_other_roles(boss: Client, mei: Client) -> None:
    lin = staff("supervisor", "risk", name="lin")
    goes(lin, boss, mei)
    row = asked(boss, f"/ops/do/{lin.public_id}/let_back_in", roles=["viewer"], note="返聘")
    (code,) = CODE.findall(words_of(mei.get(decided(mei, row)["Location"])))
    assert joins(Client(), "lin", code, "correct horse battery")["Location"] == "/ops/"
    assert colleagues.roles_of(lin) == ["viewer"]
    assert joins(Client(), "lin", code, PASSWORD).status_code == 422
    kinds = AccountEvent.objects.filter(user=lin, kind__in=["left", "let_back_in", "joined"]).order_by("pk")
    assert list(kinds.values_list("kind", flat=True)) == ["left", "let_back_in", "joined"]
    assert boss.get(f"/ops/do/{lin.public_id}/let_back_in").status_code == 404


def test_whoever_was_switched_off_by_hand_comes_back_as_everybody_does() -> None:
    root = User.objects.create_superuser("root", "correct horse battery")
    browser_of(root)
    User.objects.filter(pk=root.pk).update(is_active=False)
    colleagues.let_back_in(root.pk, ["viewer"], by=BY, at=live_now())
    back = User.objects.get(pk=root.pk)
    assert (back.is_active, back.is_superuser, back.has_usable_password()) == (True, False, False)
    assert not Authenticator.objects.filter(user=root).exists()


def test_nobody_comes_back_without_a_role(boss: Client) -> None:
    lin = colleagues.leave(staff("viewer", name="lin").pk, by=BY, at=live_now())
    path = f"/ops/do/{lin.public_id}/let_back_in"
    token = {"token": boss.get(path).context["token"], "note": "x"}
    assert boss.post(path, token).status_code == 422
    assert not Proposal.objects.exists()


def test_nobody_agrees_that_they_go_themselves(boss: Client, mei: Client) -> None:
    me = User.objects.get(username="mei")
    row = asked(boss, f"/ops/do/{me.public_id}/leave", note="x")
    with nothing_moves(*ASKED[2:]):
        assert decided(mei, row).status_code == 422


def test_the_last_who_can_agree_stays() -> None:
    last, at = staff("supervisor", name="last"), live_now()
    root = User.objects.create_superuser("root", "correct horse battery")
    awaited, _code = colleagues.hire("awaited", ["supervisor"], by=BY, at=at)
    with nothing_moves():
        with pytest.raises(LastSupervisor):
            colleagues.leave(last.pk, by=BY, at=at)
        with pytest.raises(LastSupervisor):
            colleagues.change_roles(last.pk, ["viewer"], by=BY, at=at)
    colleagues.leave(awaited.pk, by=BY, at=at)
    gone = colleagues.leave(root.pk, by=BY, at=at)
    assert (gone.is_superuser, gone.is_active) == (False, False)
    for nobody in (root.pk, User.objects.create_user("shop@example.com").pk):
        with pytest.raises(NotFound):
            colleagues.leave(nobody, by=BY, at=at + timedelta(seconds=1))
    with pytest.raises(NotFound):
        colleagues.let_back_in(last.pk, ["viewer"], by=BY, at=at)


def test_the_first_superuser_stays_while_there_is_no_supervisor() -> None:
    root = User.objects.create_superuser("root", "correct horse battery")
    with pytest.raises(LastSupervisor), nothing_moves():
        colleagues.leave(root.pk, by=BY, at=live_now())
