"""Offboarding a colleague with approval: access ends and their queue items are released."""

from datetime import timedelta
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from django.core.cache import cache
from django.test import Client

from accounts import colleagues, enrolment
from accounts.models import AccountEvent, User
from accounts.refusals import InvalidEnrolmentCode, LastSupervisor
from kernel.actor import Actor
from kernel.clock import live_now
from kernel.refusal import Busy, NotFound
from office.models import Handling, HandlingNote, Proposal
from office.queues import QUEUES
from office.refusals import CannotHandleQueue, ProposerNotAuthorized
from office.services import assignments, proposals
from office.services.offboarding import offboard
from tests.conftest import BY, NOON, Shop
from tests.console.conftest import page_text, staff
from tests.office.approval_helpers import PROPOSAL_TABLES, decide_on_page, propose_on_page, reloaded
from tests.office.queue_fixtures import problem_report
from tests.office.test_enrolment import CODE
from tests.office.test_staff_onboarding import PASSWORD, joins
from tests.portal.conftest import browser_of
from tests.unchanged import assert_unchanged

PROBLEMS = QUEUES["problem"]
pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _no_try_used_up() -> None:
    cache.clear()


@pytest.fixture
def supervisor() -> Client:
    return browser_of(staff("supervisor", name="boss"))


@pytest.fixture
def mei() -> Client:
    return browser_of(staff("supervisor", name="mei"))


def goes(user: User, *by: Client) -> Any:
    asks, agrees = by
    return decide_on_page(agrees, propose_on_page(asks, f"/ops/do/{user.public_id}/leave", note="离职"))


def test_an_offboarded_colleague_has_no_access(supervisor: Client, mei: Client) -> None:
    lin = staff("support", name="lin")
    here = browser_of(lin)
    assert here.get("/ops/").status_code == 200
    code = enrolment.issue_code(lin.pk, by=BY, at=live_now()).text
    assert goes(lin, supervisor, mei).status_code == 302
    assert here.get("/ops/")["Location"].startswith("/ops/login/")
    assert not Authenticator.objects.filter(user=lin).exists()
    assert Client().post("/ops/login/", {"username": "lin", "password": "correct horse battery"}).status_code == 200
    assert joins(Client(), "lin", code).status_code == 422
    with pytest.raises(InvalidEnrolmentCode), assert_unchanged():
        enrolment.use_code(lin.pk, "x", by=BY, at=live_now())
    event = AccountEvent.objects.get(user=lin, kind="left")
    assert ("+" in event.by, event.data) == (True, {"before": ["support"], "note": "离职"})
    assert supervisor.get(f"/ops/do/{lin.public_id}/leave").status_code == 404


def test_their_queue_items_are_released(power_bank: Shop, supervisor: Client, mei: Client) -> None:
    lin, other = staff("support", name="lin"), staff("support", name="other")
    problem, kept = problem_report(power_bank), problem_report(power_bank)
    assignments.claim(PROBLEMS, problem.id, lin, at=NOON)
    assignments.claim(PROBLEMS, kept.id, other, at=NOON)
    assert "Their 1 assigned" in page_text(
        browser_of(staff("supervisor", name="en"), language="en").get(f"/ops/do/{lin.public_id}/leave")
    )
    goes(lin, supervisor, mei)
    assert dict(Handling.objects.values_list("about", "user")) == {problem.id: None, kept.id: other.pk}
    note = HandlingNote.objects.latest("id")
    assert (note.act, "+" in note.by) == ("put_back", True)
    with assert_unchanged():
        for give in (
            lambda: assignments.claim(PROBLEMS, problem.id, lin, at=NOON),
            lambda: assignments.assign(PROBLEMS, problem.id, lin, "", seen_assignee=None, by=BY, at=NOON),
        ):
            with pytest.raises(CannotHandleQueue):
                give()
    assert assignments.claim(PROBLEMS, problem.id, other, at=NOON).user_id == other.pk


def test_an_assignment_at_the_same_moment_blocks_offboarding(power_bank: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    lin, problem = staff("support", name="lin"), problem_report(power_bank)
    free = assignments.release_all

    def freed(user_id: Any, **said: Any) -> int:
        number = free(user_id, **said)
        assignments.claim(PROBLEMS, problem.id, lin, at=NOON)
        return number

    monkeypatch.setattr(assignments, "release_all", freed)
    with pytest.raises(Busy):
        offboard(lin.pk, by=BY, at=NOON)
    assert User.objects.get(pk=lin.pk).is_active


def test_their_proposals_cannot_be_approved_even_after_return(supervisor: Client, mei: Client) -> None:
    lin, wang = staff("supervisor", name="lin"), staff("viewer", name="wang")
    row = propose_on_page(browser_of(lin), f"/ops/do/{wang.public_id}/change_roles", roles=["finance"], note="x")
    goes(lin, supervisor, mei)
    by = Actor.staff(User.objects.get(username="mei").pk)
    for _again in ("gone", "back"):
        with pytest.raises(ProposerNotAuthorized), assert_unchanged():
            proposals.approve(row.pk, "x", by=by, at=live_now())
        assert "提交人已无权" in page_text(mei.get(f"/ops/second/{row.public_id}"))
        if not User.objects.get(pk=lin.pk).is_active:
            colleagues.reinstate(lin.pk, ["supervisor"], by=BY, at=live_now())
    decide_on_page(mei, row, "refuse", "已离职")
    assert reloaded(row).state == "refused"


def test_readmission_needs_approval_and_a_code(supervisor: Client, mei: Client) -> None:
    lin = staff("supervisor", "risk", name="lin")
    goes(lin, supervisor, mei)
    row = propose_on_page(supervisor, f"/ops/do/{lin.public_id}/let_back_in", roles=["viewer"], note="返聘")
    (code,) = CODE.findall(page_text(mei.get(decide_on_page(mei, row)["Location"])))
    assert joins(Client(), "lin", code, "correct horse battery")["Location"] == "/ops/"
    assert colleagues.roles_of(lin) == ["viewer"]
    assert joins(Client(), "lin", code, PASSWORD).status_code == 422
    kinds = AccountEvent.objects.filter(user=lin, kind__in=["left", "let_back_in", "joined"]).order_by("pk")
    assert list(kinds.values_list("kind", flat=True)) == ["left", "let_back_in", "joined"]
    assert supervisor.get(f"/ops/do/{lin.public_id}/let_back_in").status_code == 404


def test_whoever_was_switched_off_by_hand_comes_back_as_everybody_does() -> None:
    root = User.objects.create_superuser("root", "correct horse battery")
    browser_of(root)
    User.objects.filter(pk=root.pk).update(is_active=False)
    colleagues.reinstate(root.pk, ["viewer"], by=BY, at=live_now())
    back = User.objects.get(pk=root.pk)
    assert (back.is_active, back.is_superuser, back.has_usable_password()) == (True, False, False)
    assert not Authenticator.objects.filter(user=root).exists()


def test_nobody_comes_back_without_a_role(supervisor: Client) -> None:
    lin = colleagues.deactivate(staff("viewer", name="lin").pk, by=BY, at=live_now())
    path = f"/ops/do/{lin.public_id}/let_back_in"
    token = {"token": supervisor.get(path).context["token"], "note": "x"}
    assert supervisor.post(path, token).status_code == 422
    assert not Proposal.objects.exists()


def test_nobody_approves_their_own_offboarding(supervisor: Client, mei: Client) -> None:
    me = User.objects.get(username="mei")
    row = propose_on_page(supervisor, f"/ops/do/{me.public_id}/leave", note="x")
    with assert_unchanged(*PROPOSAL_TABLES[2:]):
        assert decide_on_page(mei, row).status_code == 422


def test_the_last_approver_cannot_be_offboarded() -> None:
    last, at = staff("supervisor", name="last"), live_now()
    root = User.objects.create_superuser("root", "correct horse battery")
    awaited, _code = colleagues.add_colleague("awaited", ["supervisor"], by=BY, at=at)
    with assert_unchanged():
        with pytest.raises(LastSupervisor):
            colleagues.deactivate(last.pk, by=BY, at=at)
        with pytest.raises(LastSupervisor):
            colleagues.change_roles(last.pk, ["viewer"], by=BY, at=at)
    colleagues.deactivate(awaited.pk, by=BY, at=at)
    gone = colleagues.deactivate(root.pk, by=BY, at=at)
    assert (gone.is_superuser, gone.is_active) == (False, False)
    for nobody in (root.pk, User.objects.create_user("shop@example.com").pk):
        with pytest.raises(NotFound):
            colleagues.deactivate(nobody, by=BY, at=at + timedelta(seconds=1))
    with pytest.raises(NotFound):
        colleagues.reinstate(last.pk, ["viewer"], by=BY, at=at)


def test_the_first_superuser_stays_while_there_is_no_supervisor() -> None:
    root = User.objects.create_superuser("root", "correct horse battery")
    with pytest.raises(LastSupervisor), assert_unchanged():
        colleagues.deactivate(root.pk, by=BY, at=live_now())
