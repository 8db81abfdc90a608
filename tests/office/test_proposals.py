"""Dual approval: proposed by one colleague, previewed and approved by another, then executed."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from billing.services.deduct import deduct_due
from kernel.actor import Actor
from kernel.clock import live_now
from kernel.models import AuditLine
from kernel.refusal import ApprovalRequired
from office import tasks
from office.models import Proposal
from office.refusals import (
    NotProposer,
    ProposalDecided,
    ProposalExpired,
    ProposalSelfApproval,
    ProposalStale,
    ProposerNotAuthorized,
)
from office.services import proposals
from orders import services as orders
from orders.models import Order
from tests.browsing import form_token, freeze_clock
from tests.conftest import BY, NOON, Shop, make_due_order, make_person, state_of, yuan
from tests.console.conftest import page_text, submit_form
from tests.db_errors import CHECK, RESTRICT, execute_sql, raise_sqlstate, raises_db_error
from tests.office.approval_helpers import PROPOSAL_TABLES, decide_on_page, propose_on_page, reloaded
from tests.unchanged import assert_unchanged

LATE = NOON + timedelta(days=10)


@pytest.fixture
def order(power_bank: Shop) -> Order:
    """Overdue, and nobody could take it."""
    order = make_due_order(power_bank, make_person(power_bank, "hard_decline"), yuan("12.34"))
    deduct_due(power_bank.realm_id, at=NOON)
    orders.mark_overdue(power_bank.realm_id, at=LATE, limit=9)
    freeze_clock(LATE, order.person)
    return order


@pytest.fixture
def lin(console_client: Callable[..., Client]) -> Client:
    return console_client("collections")


def named(role: str) -> Actor:
    return Actor.staff(User.objects.get(username=role).pk)


def path_of(order: Order) -> str:
    return f"/ops/do/{order.public_id}/write_off"


def test_a_proposal_is_approved_by_another_and_executed(order: Order, lin: Client, supervisor: Client) -> None:
    page = page_text(lin.get(path_of(order)))
    assert "须双人复核" in page
    assert "账簿将如何变动" in page
    assert "待结商户款" in page
    with assert_unchanged(*PROPOSAL_TABLES):
        row = propose_on_page(lin, path_of(order), note="查无此人 <b>")
    assert (row.matter, row.about, row.why) == ("write_off", order.public_id, "查无此人 <b>")

    assert "有 1 项等您复核" in supervisor.get("/ops/").content.decode()
    assert "有 1 项" not in lin.get("/ops/").content.decode()
    page = supervisor.get(f"/ops/second/{row.public_id}")
    assert b"<b>" not in page.content.partition(b"<main")[2].partition(b"</main>")[0].replace(b"<b></b>", b"")
    for shown in ("查无此人", "collections", "¥12.34", "账簿将如何变动", "同意并执行"):
        assert shown in page_text(page), shown

    assert decide_on_page(supervisor, row, because="看过工单")["Location"] == f"/ops/second/{row.public_id}"
    both = str(named("collections").approved_by(named("supervisor")))
    line = order.history.latest("seq")
    assert (line.kind, line.by, line.data["note"]) == ("written_off", both, "查无此人 <b>")
    row = reloaded(row)
    assert (row.state, row.decided_by, row.because) == ("approved", str(named("supervisor")), "看过工单")
    assert "collections + supervisor" in page_text(supervisor.get(f"/ops/order/{order.public_id}"))

    assert "您提交的 1 项已有结果" in lin.get("/ops/").content.decode()
    assert "新结果" in page_text(lin.get("/ops/second/"))
    assert "已有结果" not in lin.get("/ops/").content.decode()
    acts = list(AuditLine.objects.order_by("id").values_list("act", flat=True))
    assert acts == ["write_off", "proposed", "write_off.done", "proposal.approve", "viewed.order"]


def test_requesters_cannot_approve_and_only_they_withdraw(order: Order, supervisor: Client) -> None:
    row, me = propose_on_page(supervisor, path_of(order), note="x"), named("supervisor")
    page = supervisor.get(f"/ops/second/{row.public_id}")
    assert "须由其他同事处理" in page_text(page)
    assert b'value="approve"' not in page.content
    with assert_unchanged(*PROPOSAL_TABLES[2:]):
        assert decide_on_page(supervisor, row).status_code == 422
    for verb in (proposals.approve, proposals.refuse):
        with assert_unchanged(), pytest.raises(ProposalSelfApproval):
            verb(row.pk, "x", by=me, at=live_now())
    with assert_unchanged(), pytest.raises(NotProposer):
        proposals.withdraw(row.pk, "x", by=BY, at=live_now())
    assert decide_on_page(supervisor, row, "withdraw", "写错了").status_code == 302
    row = reloaded(row)
    assert (row.state, row.because) == ("withdrawn", "写错了")
    with assert_unchanged(), pytest.raises(ProposalDecided):
        proposals.withdraw(row.pk, "x", by=me, at=live_now())


def test_a_stale_proposal_cannot_be_approved(order: Order, lin: Client, supervisor: Client) -> None:
    row = propose_on_page(lin, path_of(order), note="x")
    before = supervisor.get(f"/ops/second/{row.public_id}")
    orders.pause_order(order.id, "hardship", by=BY, at=LATE)
    orders.resume_order(order.id, "hardship", by=BY, at=LATE)
    with assert_unchanged(*PROPOSAL_TABLES[2:]):
        page = decide_on_page(supervisor, row, page=before)
    assert page.status_code == 422
    assert "提交之后情况已经变化" in page_text(page)
    assert b'value="approve"' not in page.content
    with assert_unchanged(), pytest.raises(ProposalStale):
        proposals.approve(row.pk, "x", by=named("supervisor"), at=live_now())
    decide_on_page(supervisor, row, "refuse", "重新提交")
    row = reloaded(row)
    assert (row.state, state_of(order)) == ("refused", "overdue")


@pytest.mark.parametrize("gone", ["role", "account"])
def test_a_requester_without_permission_blocks_approval(
    order: Order, lin: Client, supervisor: Client, gone: str
) -> None:
    row, user = propose_on_page(lin, path_of(order), note="x"), User.objects.get(username="collections")
    before = supervisor.get(f"/ops/second/{row.public_id}")
    user.groups.clear() if gone == "role" else User.objects.filter(pk=user.pk).update(is_active=False)
    with assert_unchanged(*PROPOSAL_TABLES[2:]):
        page = decide_on_page(supervisor, row, page=before)
    assert (page.status_code, "提交人已无权" in page_text(page)) == (422, True)
    assert b'value="approve"' not in page.content
    with assert_unchanged(), pytest.raises(ProposerNotAuthorized):
        proposals.approve(row.pk, "x", by=named("supervisor"), at=live_now())
    decide_on_page(supervisor, row, "refuse", "已离职")
    row = reloaded(row)
    assert row.state == "refused"


def test_a_failing_action_leaves_the_proposal_open(order: Order, lin: Client, supervisor: Client) -> None:
    row = propose_on_page(lin, path_of(order), note="x")
    orders.pause_order(order.id, "hardship", by=BY, at=LATE)
    with assert_unchanged(*PROPOSAL_TABLES[2:]):
        assert decide_on_page(supervisor, row).status_code == 422
    row = reloaded(row)
    assert row.state == "open"


def test_an_approval_whose_follow_up_timed_out_is_not_repeated(
    order: Order, lin: Client, supervisor: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    row, begin = propose_on_page(lin, path_of(order), note="追不回来"), proposals.begin_approval

    def begin_and_time_out(*asked: Any, **named: Any) -> Any:
        return begin(*asked, **named)[0], lambda: raise_sqlstate("57014")

    page = supervisor.get(f"/ops/second/{row.public_id}")
    with monkeypatch.context() as patch:
        patch.setattr(proposals, "begin_approval", begin_and_time_out)
        assert decide_on_page(supervisor, row, page=page).status_code == 503
    answer = decide_on_page(supervisor, row, page=page)
    assert "您已提交过" in page_text(supervisor.get(answer["Location"]))
    assert reloaded(row).state == "approved"


def test_an_undecided_proposal_expires(order: Order, lin: Client) -> None:
    row = propose_on_page(lin, path_of(order), note="x")
    with assert_unchanged(), pytest.raises(ProposalExpired):
        proposals.approve(row.pk, "x", by=BY, at=row.expires_at)
    tasks.expire_proposals()
    assert proposals.expire_due(at=row.expires_at - timedelta(seconds=1)) == 0
    assert proposals.expire_due(at=row.expires_at) == 1
    row = reloaded(row)
    assert (row.state, row.decided_by) == ("expired", "system:expire")
    assert "逾期未处理" in page_text(lin.get("/ops/second/"))
    assert propose_on_page(lin, path_of(order), note="再来").state == "open"


def test_one_at_a_time_and_the_second_click_asks_nothing(order: Order, lin: Client) -> None:
    form = {"token": form_token(lin.get(path_of(order))), "note": "两下"}
    for _ in range(2):
        assert lin.post(path_of(order), form).status_code == 302
    assert Proposal.objects.count() == 1
    page = submit_form(lin, path_of(order), note="又一次")
    assert page.status_code == 422
    assert "正等待复核" in page_text(page)


def test_who_does_not_decide_it_reads_it_and_no_more(
    order: Order, lin: Client, console_client: Callable[..., Client]
) -> None:
    row = propose_on_page(lin, path_of(order), note="x")
    for role in ("viewer", "support", "finance"):
        client, form = console_client(role), lin.get(f"/ops/second/{row.public_id}")
        assert "您的角色无权处理此项" in page_text(client.get(f"/ops/second/{row.public_id}")), role
        with assert_unchanged("django_session"):
            assert decide_on_page(client, row, page=form).status_code == 403
    for odd in ("prp_" + "0" * 32, "nonsense", row.about):
        assert lin.get(f"/ops/second/{odd}").status_code == 404
    assert lin.get(f"/ops/second/{row.public_id}/decide").status_code == 405


def test_a_decision_needs_its_reason_and_a_deed_there_is(order: Order, lin: Client, supervisor: Client) -> None:
    row = propose_on_page(lin, path_of(order), note="x")
    for because in ("", "  ", "长" * 201):
        with assert_unchanged(*PROPOSAL_TABLES[2:]):
            assert decide_on_page(supervisor, row, because=because).status_code == 422
    with assert_unchanged(*PROPOSAL_TABLES[2:]):
        assert decide_on_page(supervisor, row, "explode").status_code == 404
        assert (
            supervisor.post(f"/ops/second/{row.public_id}/decide", {"deed": "approve", "because": "x"}).status_code
            == 422
        )


def test_the_database_enforces_two_people(order: Order, lin: Client) -> None:
    row = propose_on_page(lin, path_of(order), note="x")
    own = "UPDATE office_proposal SET version = 2, state = 'approved', decided_by = asked_by, decided_at = now()"
    with raises_db_error(CHECK, "nobody_decides_what_they_asked_for"):
        execute_sql(own)
    for edit in ("wish = '{\"a\": 1}'", "before = '{}'", "about = 'x'", "asked_by = 'staff:x'", "matter = 'refund'"):
        with raises_db_error(RESTRICT, "identity_is_frozen"):
            execute_sql(f"UPDATE office_proposal SET {edit}")  # noqa: S608  our own words
    assert Proposal.objects.get(pk=row.pk).wish == row.wish


def test_services_refuse_unapproved_staff_actions(order: Order) -> None:
    alone = Actor.staff(order.person_id)
    for verb in (orders.write_off, orders.waive_fees):
        with assert_unchanged(), pytest.raises(ApprovalRequired):
            verb(order.id, "x", by=alone, at=LATE)
    assert not alone.approved_by(Actor.staff(order.id)).is_unapproved_staff


def test_the_list_takes_the_same_number_of_queries(
    order: Order, power_bank: Shop, supervisor: Client, lin: Client
) -> None:
    propose_on_page(lin, path_of(order), note="x")
    counts = []
    for _ in range(2):
        with CaptureQueriesContext(connection) as seen:
            supervisor.get("/ops/second/")
        counts.append(len(seen))
        for number in range(3):
            proposals.propose("retry_policy", f"p{number}", {"terms": {}, "effective_from": ""}, "x", by=BY, at=NOON)
        proposals.expire_due(at=NOON + proposals.OPEN_FOR)
    assert counts[0] == counts[1]
