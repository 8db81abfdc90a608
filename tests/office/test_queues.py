"""Work queues: claim, assign, release, deadline; items leave a queue when they are handled."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from billing.models import Dispute
from billing.services.breaks import resolve_break
from kernel.clock import live_now
from kernel.console_lists import detail_url
from kernel.models import AuditLine, Realm
from kernel.refusal import Invalid, NotFound
from office.models import Handling, HandlingNote
from office.queries import queues
from office.queries.queues import QueueFilter
from office.queues import QUEUES
from office.refusals import AlreadyAssigned, CannotHandleQueue, NothingToHandle
from office.services import assignments
from orders import services as orders
from orders.models import Concern
from tests.browsing import form_token, signed_in_client
from tests.conftest import BY, NOON, Shop
from tests.console.conftest import page_text, staff
from tests.office import queue_fixtures
from tests.office.queue_fixtures import one_item_per_queue, post_action, problem_report, staff_user
from tests.unchanged import assert_unchanged

PROBLEMS = QUEUES["problem"]


def counts(role: str) -> dict[str, int]:
    look = QueueFilter(staff_user(role), live_now(), "test")
    return {name: queues.queue_stats_for(queue, look).count for name, queue in QUEUES.items()}


def test_each_thing_waits_in_its_queue_and_leaves_it_by_itself(
    power_bank: Shop, monkeypatch: pytest.MonkeyPatch, console_client: Callable[..., Client]
) -> None:
    unknown = queue_fixtures.unknown_deduction(power_bank, monkeypatch)
    there = one_item_per_queue(power_bank) | {"unknown": unknown}
    assert counts("supervisor") == dict.fromkeys(QUEUES, 1)
    page = page_text(console_client("supervisor").get("/ops/queues/?mode=test"))
    for queue in QUEUES.values():
        assert str(queue.label) in page
    supervisor = console_client("supervisor")
    for name, row in there.items():
        page = supervisor.get(f"/ops/queues/{name}?mode=test")
        assert QUEUES[name].url(row) in page.content.decode()
        assert supervisor.get(QUEUES[name].url(row)).status_code == 200
        assert row.public_id in page_text(supervisor.get(f"/ops/queues/{name}/{row.public_id}"))
    resolve_break(there["break"].pk, "nothing", "x", by=BY, at=NOON)
    orders.decide_report(there["problem"].pk, "resumed", "好的", by=BY, at=NOON)
    orders.add_message(there["hardship"].pk, "请补充", author="staff", by=BY, at=NOON)
    left = counts("supervisor")
    assert (left["break"], left["problem"], left["hardship"]) == (0, 0, 0)
    orders.add_message(there["hardship"].pk, "补充好了", author="person", by=BY, at=NOON)
    assert counts("supervisor")["hardship"] == 1, "the person has answered"
    assert counts("supervisor")["dispute"] == 1


def test_an_item_names_the_customer_it_is_about(power_bank: Shop, console_client: Callable[..., Client]) -> None:
    supervisor = console_client("supervisor")
    named = {}
    for name, row in one_item_per_queue(power_bank).items():
        person = queues.person_of(QUEUES[name], row)
        page = supervisor.get(f"/ops/queues/{name}/{row.public_id}").content.decode()
        named[name] = person is not None
        assert ("<dt>用户</dt>" in page) == named[name], name
        assert person is None or detail_url(person) in page, name
    about_nobody = {"break", "webhook"}  # a statement line of nobody's, and a merchant's endpoint
    assert {name for name, found in named.items() if not found} == about_nobody


def test_roles_see_their_own_queues_only(power_bank: Shop, console_client: Callable[..., Client]) -> None:
    one_item_per_queue(power_bank)
    page = page_text(console_client("risk").get("/ops/queues/?mode=test"))
    assert ("异议" in page, "拒付" in page, "用户反馈问题" in page) == (True, False, False)
    row = Concern.objects.get(kind="problem")
    assert console_client("risk").get(f"/ops/queues/problem/{row.public_id}").status_code == 403
    for wrong in ("queues/nothing", f"queues/hardship/{row.public_id}", f"queues/problem/{row.public_id}0"):
        assert console_client("supervisor").get(f"/ops/{wrong}").status_code == 404


def test_claim_assign_release_and_notes_are_recorded(power_bank: Shop, console_client: Callable[..., Client]) -> None:
    row = problem_report(power_bank)
    path = f"/ops/queues/problem/{row.public_id}"
    support, supervisor = console_client("support"), console_client("supervisor")
    assert "无人经办" in page_text(support.get(f"/ops/help/{row.public_id}"))
    assert post_action(support, path, "take").status_code == 302
    assert "support 经办中" in page_text(supervisor.get(f"/ops/help/{row.public_id}"))
    with assert_unchanged("kernel_idempotencykey"):
        late = post_action(supervisor, path, "take")
        assert (late.status_code, "support 正在经办" in page_text(late)) == (422, True)
    to = staff_user("collections").public_id
    holder = staff_user("support").public_id
    with assert_unchanged("kernel_idempotencykey", "accounts_user", "accounts_user_groups", "accounts_accountevent"):
        assert post_action(supervisor, path, "hand", to=to, holder="", note="x").status_code == 422
        assert post_action(supervisor, path, "hand", to=staff("finance").public_id, holder=holder).status_code == 422
        assert post_action(supervisor, path, "hand", to="", holder=holder).status_code == 422
    assert post_action(supervisor, path, "hand", to=to, holder=holder, note="已电话沟通🙂").status_code == 302
    assert post_action(support, path, "note", note="客户周五回电").status_code == 302
    page = page_text(support.get(path))
    for word in ("转交给 collections", "已电话沟通🙂", "客户周五回电", "认领 support"):
        assert word in page
    assert post_action(signed_in_client(staff_user("collections")), path, "put_back").status_code == 302
    assert Handling.objects.get().user is None
    acts = list(HandlingNote.objects.values_list("act", "by"))
    assert [act for act, _by in acts] == ["taken", "handed", "note", "put_back"]
    told = AuditLine.objects.filter(about=row.public_id).order_by("id").values_list("act", flat=True)
    for act in ("queue.take", "queue.take.done", "queue.take.refused", "queue.hand.done", "queue.note.done"):
        assert act in told


def test_a_deadline_is_set_and_shown_when_past(power_bank: Shop, console_client: Callable[..., Client]) -> None:
    row = problem_report(power_bank)
    supervisor = console_client("supervisor")
    path = f"/ops/queues/problem/{row.public_id}"
    with assert_unchanged("kernel_idempotencykey"):
        for wrong in ("2020-01-01T00:00", "2999-01-01T10:00", "x", ""):
            assert post_action(supervisor, path, "due", due_at=wrong).status_code == 422, wrong
    assert (
        post_action(
            supervisor, path, "due", due_at=f"{live_now() + timedelta(days=9):%Y-%m-%dT%H:%M}", note="等银行"
        ).status_code
        == 302
    )
    look = QueueFilter(staff_user("supervisor"), live_now(), "test")
    assert queues.queue_stats_for(PROBLEMS, look).past_due == 0
    at = NOON + PROBLEMS.time_limit
    Handling.objects.update(due_at=at)
    assert queues.queue_stats_for(PROBLEMS, QueueFilter(look.user, at, "test")).past_due == 1
    late = page_text(supervisor.get("/ops/queues/problem?mode=test&whose=late"))
    assert "已超时" in late


def test_a_dispute_is_due_a_day_before_the_channels_deadline(power_bank: Shop) -> None:
    row = one_item_per_queue(power_bank)["dispute"]
    queue = QUEUES["dispute"]
    for days, due in ((7, queue.time_limit), (3, timedelta(days=2))):
        Dispute.objects.filter(pk=row.pk).update(answer_until=NOON + timedelta(days=days))
        found = queues.find_item(queue, row.pk, live_now())
        assert found is not None
        assert found.due_at == NOON + due
        for at, late in ((NOON + due - timedelta(seconds=1), 0), (NOON + due, 1)):
            Realm.objects.filter(pk=power_bank.realm_id).update(frozen_at=at)
            assert (
                queues.queue_stats_for(queue, QueueFilter(staff_user("finance"), live_now(), "test")).past_due == late
            )


def test_bulk_assignment_names_conflicts(power_bank: Shop, console_client: Callable[..., Client]) -> None:
    rows = [problem_report(power_bank, f"第{n}件") for n in range(3)]
    supervisor = console_client("supervisor")
    page = supervisor.get("/ops/queues/problem?mode=test")
    assignments.claim(PROBLEMS, rows[0].id, staff_user("collections"), at=NOON)
    orders.decide_report(rows[1].id, "resumed", "好", by=BY, at=NOON)
    ticked = [f"{row.public_id}:" for row in rows]
    form = {"token": form_token(page), "to": staff_user("support").public_id, "note": "请今天处理", "row": ticked}
    with assert_unchanged("kernel_idempotencykey"):
        for wrong in ({"row": []}, {"row": ["x"]}, {"row": [f"{rows[0].public_id}:x"]}, {"to": "usr_0"}):
            assert supervisor.post("/ops/queues/problem/assign?mode=test", form | wrong).status_code == 422, wrong
    form["token"] = form_token(supervisor.get("/ops/queues/problem?mode=test"))
    answer = supervisor.post("/ops/queues/problem/assign?mode=test", form, follow=True)
    assert f"{rows[0].public_id}: collections 正在经办" in answer.content.decode()
    assert {hand.about: str(hand.user) for hand in Handling.objects.all()} == {
        rows[0].id: "collections",
        rows[2].id: "support",
    }
    support = signed_in_client(staff_user("support"))
    assert "您有 1 件待办" in support.get("/ops/").content.decode()
    assert "件待办" not in supervisor.get("/ops/").content.decode()
    mine = page_text(support.get("/ops/queues/problem?mode=test&whose=mine"))
    assert ("共 2 件待办：我的 1 件" in mine, "无人认领 0 件" in mine) == (True, True)


def test_a_queue_is_paged_by_key_and_asks_as_often_however_long_it_is(
    power_bank: Shop, console_client: Callable[..., Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    supervisor = console_client("supervisor")
    rows = [problem_report(power_bank) for _ in range(2)]
    with CaptureQueriesContext(
        connection,
    ) as few:
        supervisor.get("/ops/queues/problem?mode=test")
    rows += [problem_report(power_bank) for _ in range(3)]
    with CaptureQueriesContext(connection) as many:
        supervisor.get("/ops/queues/problem?mode=test")
    assert len(many) == len(few)
    monkeypatch.setattr(queues, "ROWS_A_PAGE", 2)
    look, seen, cursor = QueueFilter(staff_user("supervisor"), live_now(), "test"), list[Any](), ""
    while True:
        found, cursor = queues.list_page(PROBLEMS, look, cursor)
        seen += [one.row.pk for one in found]
        if not cursor:
            break
    assert seen == [row.pk for row in rows]
    for wrong in ("x", ".", f"1.{'0' * 31}", f"-1.{'0' * 32}", f"{'9' * 40}.{'0' * 32}", "\x00"):
        assert supervisor.get("/ops/queues/problem", {"cursor": wrong}).status_code == 404, wrong


def test_services_refuse_what_is_not_there_and_who_may_not(power_bank: Shop) -> None:
    row, mei = problem_report(power_bank), staff_user("support")
    fin = staff_user("finance")
    with assert_unchanged():
        with pytest.raises(CannotHandleQueue):
            assignments.assign(PROBLEMS, row.id, fin, "", seen_assignee=None, by=BY, at=NOON)
        with pytest.raises(NothingToHandle):
            assignments.claim(QUEUES["hardship"], row.id, mei, at=NOON)
        with pytest.raises(AlreadyAssigned):
            assignments.release(PROBLEMS, row.id, "", by=BY, at=NOON)
        with pytest.raises(NotFound):
            assignments.add_note(PROBLEMS, mei.pk, "x", by=BY, at=NOON)
        for wrong in ("", " ", "长" * 1001, "a\x00"):
            with pytest.raises(Invalid):
                assignments.add_note(PROBLEMS, row.id, wrong, by=BY, at=NOON)
        with pytest.raises(Invalid):
            assignments.assign_many(PROBLEMS, [(uuid4(), None) for _ in range(101)], mei, "", by=BY, at=NOON)
    assignments.claim(PROBLEMS, row.id, mei, at=NOON)
    with assert_unchanged():
        assert assignments.claim(PROBLEMS, row.id, mei, at=NOON).user == mei
    orders.withdraw_concern(row.id, by=BY, at=NOON)
    with assert_unchanged(), pytest.raises(NothingToHandle):
        assignments.set_due(PROBLEMS, row.id, NOON + timedelta(days=1), "", by=BY, at=NOON)
    assignments.add_note(PROBLEMS, row.id, "结案后补记", by=BY, at=NOON)
