"""What no colleague does alone: asked for by one, looked at and agreed to by another, and then done by both."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from billing.services.deduct import deduct_due
from kernel.actor import Actor
from kernel.clock import live_now
from kernel.models import AuditLine
from kernel.refusal import SecondNeeded
from office import tasks
from office.models import Proposal
from office.refusals import (
    ProposalAskerGone,
    ProposalDecided,
    ProposalExpired,
    ProposalNotOwn,
    ProposalOwn,
    ProposalStale,
)
from office.services import proposals
from orders import services as orders
from orders.models import Order
from tests.conftest import BY, NOON, Shop, completed, someone, state_of, yuan
from tests.console.conftest import does, words_of
from tests.guards import CHECK, RESTRICT, refused_by, run
from tests.office.seconds import ASKED, asked, decided, now
from tests.stillness import nothing_moves
from tests.visiting import it_is, token_on

LATE = NOON + timedelta(days=10)


@pytest.fixture
def order(power_bank: Shop) -> Order:
    """Overdue, and nobody could take it."""
    order = completed(power_bank, someone(power_bank, "hard_decline"), yuan("12.34"))
    deduct_due(power_bank.realm_id, at=NOON)
    orders.mark_overdue(power_bank.realm_id, at=LATE, limit=9)
    it_is(LATE, order.person)
    return order


@pytest.fixture
def lin(at_desk: Callable[..., Client]) -> Client:
    return at_desk("collections")


def named(role: str) -> Actor:
    return Actor.staff(User.objects.get(username=role).pk)


def path_of(order: Order) -> str:
    return f"/ops/do/{order.public_id}/write_off"


def test_one_asks_another_agrees_and_it_is_done_by_both(order: Order, lin: Client, boss: Client) -> None:
    page = words_of(lin.get(path_of(order)))
    assert "须双人复核" in page
    assert "账簿将如何变动" in page
    assert "待结商户款" in page
    with nothing_moves(*ASKED):
        row = asked(lin, path_of(order), note="查无此人 <b>")
    assert (row.matter, row.about, row.why) == ("write_off", order.public_id, "查无此人 <b>")

    assert "有 1 项等您复核" in boss.get("/ops/").content.decode()
    assert "有 1 项" not in lin.get("/ops/").content.decode()
    page = boss.get(f"/ops/second/{row.public_id}")
    assert b"<b>" not in page.content.partition(b"<main")[2].partition(b"</main>")[0].replace(b"<b></b>", b"")
    for shown in ("查无此人", "collections", "¥12.34", "账簿将如何变动", "同意并执行"):
        assert shown in words_of(page), shown

    assert decided(boss, row, because="看过工单")["Location"] == f"/ops/second/{row.public_id}"
    both = str(named("collections").agreed(named("supervisor")))
    line = order.history.latest("seq")
    assert (line.kind, line.by, line.data["note"]) == ("written_off", both, "查无此人 <b>")
    row = now(row)
    assert (row.state, row.decided_by, row.because) == ("approved", str(named("supervisor")), "看过工单")
    assert "collections + supervisor" in words_of(boss.get(f"/ops/order/{order.public_id}"))

    assert "您提交的 1 项已有结果" in lin.get("/ops/").content.decode()
    assert "新结果" in words_of(lin.get("/ops/second/"))
    assert "已有结果" not in lin.get("/ops/").content.decode()
    acts = list(AuditLine.objects.order_by("id").values_list("act", flat=True))
    assert acts == ["write_off", "proposed", "write_off.done", "proposal.approve"]


def test_nobody_agrees_to_what_they_asked_for_and_only_they_take_it_back(order: Order, boss: Client) -> None:
    row, me = asked(boss, path_of(order), note="x"), named("supervisor")
    page = boss.get(f"/ops/second/{row.public_id}")
    assert "须由其他同事处理" in words_of(page)
    assert b'value="approve"' not in page.content
    with nothing_moves(*ASKED[2:]):
        assert decided(boss, row).status_code == 422
    for verb in (proposals.approve, proposals.refuse):
        with nothing_moves(), pytest.raises(ProposalOwn):
            verb(row.pk, "x", by=me, at=live_now())
    with nothing_moves(), pytest.raises(ProposalNotOwn):
        proposals.withdraw(row.pk, "x", by=BY, at=live_now())
    assert decided(boss, row, "withdraw", "写错了").status_code == 302
    row = now(row)
    assert (row.state, row.because) == ("withdrawn", "写错了")
    with nothing_moves(), pytest.raises(ProposalDecided):
        proposals.withdraw(row.pk, "x", by=me, at=live_now())


def test_what_has_changed_since_is_not_agreed_to(order: Order, lin: Client, boss: Client) -> None:
    row = asked(lin, path_of(order), note="x")
    before = boss.get(f"/ops/second/{row.public_id}")
    orders.pause_order(order.id, "hardship", by=BY, at=LATE)
    orders.resume_order(order.id, "hardship", by=BY, at=LATE)
    with nothing_moves(*ASKED[2:]):
        page = decided(boss, row, page=before)
    assert page.status_code == 422
    assert "提交之后情况已经变化" in words_of(page)
    assert b'value="approve"' not in page.content
    with nothing_moves(), pytest.raises(ProposalStale):
        proposals.approve(row.pk, "x", by=named("supervisor"), at=live_now())
    decided(boss, row, "refuse", "重新提交")
    row = now(row)
    assert (row.state, state_of(order)) == ("refused", "overdue")


@pytest.mark.parametrize("gone", ["role", "account"])
def test_what_somebody_asked_for_who_may_not_any_more_is_not_done(
    order: Order, lin: Client, boss: Client, gone: str
) -> None:
    row, user = asked(lin, path_of(order), note="x"), User.objects.get(username="collections")
    before = boss.get(f"/ops/second/{row.public_id}")
    user.groups.clear() if gone == "role" else User.objects.filter(pk=user.pk).update(is_active=False)
    with nothing_moves(*ASKED[2:]):
        page = decided(boss, row, page=before)
    assert (page.status_code, "提交人已无权" in words_of(page)) == (422, True)
    assert b'value="approve"' not in page.content
    with nothing_moves(), pytest.raises(ProposalAskerGone):
        proposals.approve(row.pk, "x", by=named("supervisor"), at=live_now())
    decided(boss, row, "refuse", "已离职")
    row = now(row)
    assert row.state == "refused"


def test_what_cannot_be_done_now_stays_open(order: Order, lin: Client, boss: Client) -> None:
    row = asked(lin, path_of(order), note="x")
    orders.pause_order(order.id, "hardship", by=BY, at=LATE)
    with nothing_moves(*ASKED[2:]):
        assert decided(boss, row).status_code == 422
    row = now(row)
    assert row.state == "open"


def test_what_nobody_agreed_to_in_time_is_over(order: Order, lin: Client) -> None:
    row = asked(lin, path_of(order), note="x")
    with nothing_moves(), pytest.raises(ProposalExpired):
        proposals.approve(row.pk, "x", by=BY, at=row.expires_at)
    tasks.expire_proposals()
    assert proposals.expire_due(at=row.expires_at - timedelta(seconds=1)) == 0
    assert proposals.expire_due(at=row.expires_at) == 1
    row = now(row)
    assert (row.state, row.decided_by) == ("expired", "system:expire")
    assert "逾期未处理" in words_of(lin.get("/ops/second/"))
    assert asked(lin, path_of(order), note="再来").state == "open"


def test_one_at_a_time_and_the_second_click_asks_nothing(order: Order, lin: Client) -> None:
    form = {"token": token_on(lin.get(path_of(order))), "note": "两下"}
    for _ in range(2):
        assert lin.post(path_of(order), form).status_code == 302
    assert Proposal.objects.count() == 1
    page = does(lin, path_of(order), note="又一次")
    assert page.status_code == 422
    assert "正等待复核" in words_of(page)


def test_who_does_not_decide_it_reads_it_and_no_more(order: Order, lin: Client, at_desk: Callable[..., Client]) -> None:
    row = asked(lin, path_of(order), note="x")
    for role in ("viewer", "support", "finance"):
        client, form = at_desk(role), lin.get(f"/ops/second/{row.public_id}")
        assert "您的角色无权处理此项" in words_of(client.get(f"/ops/second/{row.public_id}")), role
        with nothing_moves("django_session"):
            assert decided(client, row, page=form).status_code == 403
    for odd in ("prp_" + "0" * 32, "nonsense", row.about):
        assert lin.get(f"/ops/second/{odd}").status_code == 404
    assert lin.get(f"/ops/second/{row.public_id}/decide").status_code == 405


def test_a_decision_needs_its_reason_and_a_deed_there_is(order: Order, lin: Client, boss: Client) -> None:
    row = asked(lin, path_of(order), note="x")
    for because in ("", "  ", "长" * 201):
        with nothing_moves(*ASKED[2:]):
            assert decided(boss, row, because=because).status_code == 422
    with nothing_moves(*ASKED[2:]):
        assert decided(boss, row, "explode").status_code == 404
        assert boss.post(f"/ops/second/{row.public_id}/decide", {"deed": "approve", "because": "x"}).status_code == 422


def test_the_database_holds_to_it_too(order: Order, lin: Client) -> None:
    row = asked(lin, path_of(order), note="x")
    own = "UPDATE office_proposal SET version = 2, state = 'approved', decided_by = asked_by, decided_at = now()"
    with refused_by(CHECK, "nobody_decides_what_they_asked_for"):
        run(own)
    for edit in ("wish = '{\"a\": 1}'", "before = '{}'", "about = 'x'", "asked_by = 'staff:x'", "matter = 'refund'"):
        with refused_by(RESTRICT, "identity_is_frozen"):
            run(f"UPDATE office_proposal SET {edit}")  # noqa: S608  our own words
    assert Proposal.objects.get(pk=row.pk).wish == row.wish


def test_no_service_does_for_one_colleague_what_takes_two(order: Order) -> None:
    alone = Actor.staff(order.person_id)
    for verb in (orders.write_off, orders.waive_fees):
        with nothing_moves(), pytest.raises(SecondNeeded):
            verb(order.id, "x", by=alone, at=LATE)
    assert not alone.agreed(Actor.staff(order.id)).alone


def test_the_queue_asks_the_same_however_much_waits(order: Order, power_bank: Shop, boss: Client, lin: Client) -> None:
    asked(lin, path_of(order), note="x")
    counts = []
    for _ in range(2):
        with CaptureQueriesContext(connection) as seen:
            boss.get("/ops/second/")
        counts.append(len(seen))
        for number in range(3):
            proposals.propose("retry_policy", f"p{number}", {"terms": {}, "effective_from": ""}, "x", by=BY, at=NOON)
        proposals.expire_due(at=NOON + proposals.WAITS_FOR)
    assert counts[0] == counts[1]
