"""What waits, as each colleague sees it: taken, handed on, put back, given another time; and gone when it is done."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from billing.models import Dispute
from billing.services.breaks import settle_break
from kernel.clock import live_now
from kernel.models import AuditLine, Realm
from kernel.refusal import Invalid, NotFound
from office.models import Handling, HandlingNote
from office.queries import queues
from office.queries.queues import Look
from office.queues import QUEUES
from office.refusals import HandledBy, NothingWaits, UnfitColleague
from office.services import handling
from orders import services as orders
from orders.models import Concern
from tests.conftest import BY, NOON, Shop
from tests.console.conftest import staff, words_of
from tests.office import waiting
from tests.office.waiting import colleague, one_of_each, problem_with, sends
from tests.stillness import nothing_moves
from tests.visiting import signed_in, token_on

PROBLEMS = QUEUES["problem"]


def counts(role: str) -> dict[str, int]:
    look = Look(colleague(role), live_now(), "test")
    return {name: queues.standing(queue, look).count for name, queue in QUEUES.items()}


def test_each_thing_waits_in_its_queue_and_leaves_it_by_itself(
    power_bank: Shop, monkeypatch: pytest.MonkeyPatch, at_desk: Callable[..., Client]
) -> None:
    unknown = waiting.unknown_at(power_bank, monkeypatch)
    there = one_of_each(power_bank) | {"unknown": unknown}
    assert counts("supervisor") == dict.fromkeys(QUEUES, 1)
    page = words_of(at_desk("supervisor").get("/ops/queues/?mode=test"))
    for queue in QUEUES.values():
        assert str(queue.label) in page
    boss = at_desk("supervisor")
    for name, row in there.items():
        page = boss.get(f"/ops/queues/{name}?mode=test")
        assert QUEUES[name].address(row) in page.content.decode()
        assert boss.get(QUEUES[name].address(row)).status_code == 200
        assert row.public_id in words_of(boss.get(f"/ops/queues/{name}/{row.public_id}"))
    settle_break(there["break"].pk, "nothing", "x", by=BY, at=NOON)
    orders.decide_report(there["problem"].pk, "resumed", "好的", by=BY, at=NOON)
    orders.say(there["hardship"].pk, "请补充", author="staff", by=BY, at=NOON)
    left = counts("supervisor")
    assert (left["break"], left["problem"], left["hardship"]) == (0, 0, 0)
    orders.say(there["hardship"].pk, "补充好了", author="person", by=BY, at=NOON)
    assert counts("supervisor")["hardship"] == 1, "the person has answered"
    assert counts("supervisor")["dispute"] == 1


def test_roles_see_their_own_queues_only(power_bank: Shop, at_desk: Callable[..., Client]) -> None:
    one_of_each(power_bank)
    page = words_of(at_desk("risk").get("/ops/queues/?mode=test"))
    assert ("异议" in page, "拒付" in page, "用户反馈问题" in page) == (True, False, False)
    row = Concern.objects.get(kind="problem")
    assert at_desk("risk").get(f"/ops/queues/problem/{row.public_id}").status_code == 403
    for wrong in ("queues/nothing", f"queues/hardship/{row.public_id}", f"queues/problem/{row.public_id}0"):
        assert at_desk("supervisor").get(f"/ops/{wrong}").status_code == 404


def test_taken_handed_over_put_back_and_noted_with_everybody_s_name(
    power_bank: Shop, at_desk: Callable[..., Client]
) -> None:
    row = problem_with(power_bank)
    path = f"/ops/queues/problem/{row.public_id}"
    support, boss = at_desk("support"), at_desk("supervisor")
    assert "无人经办" in words_of(support.get(f"/ops/help/{row.public_id}"))
    assert sends(support, path, "take").status_code == 302
    assert "support 经办中" in words_of(boss.get(f"/ops/help/{row.public_id}"))
    with nothing_moves("kernel_idempotencykey"):
        late = sends(boss, path, "take")
        assert (late.status_code, "support 正在经办" in words_of(late)) == (422, True)
    to = colleague("collections").public_id
    holder = colleague("support").public_id
    with nothing_moves("kernel_idempotencykey", "accounts_user", "accounts_user_groups", "accounts_accountevent"):
        assert sends(boss, path, "hand", to=to, holder="", note="x").status_code == 422
        assert sends(boss, path, "hand", to=staff("finance").public_id, holder=holder).status_code == 422
        assert sends(boss, path, "hand", to="", holder=holder).status_code == 422
    assert sends(boss, path, "hand", to=to, holder=holder, note="已电话沟通🙂").status_code == 302
    assert sends(support, path, "note", note="客户周五回电").status_code == 302
    page = words_of(support.get(path))
    for word in ("转交给 collections", "已电话沟通🙂", "客户周五回电", "认领 support"):
        assert word in page
    assert sends(signed_in(colleague("collections")), path, "put_back").status_code == 302
    assert Handling.objects.get().user is None
    acts = list(HandlingNote.objects.values_list("act", "by"))
    assert [act for act, _by in acts] == ["taken", "handed", "note", "put_back"]
    told = AuditLine.objects.filter(about=row.public_id).order_by("id").values_list("act", flat=True)
    for act in ("queue.take", "queue.take.done", "queue.take.refused", "queue.hand.done", "queue.note.done"):
        assert act in told


def test_another_time_is_set_and_what_is_past_it_is_said(power_bank: Shop, at_desk: Callable[..., Client]) -> None:
    row = problem_with(power_bank)
    boss = at_desk("supervisor")
    path = f"/ops/queues/problem/{row.public_id}"
    with nothing_moves("kernel_idempotencykey"):
        for wrong in ("2020-01-01T00:00", "2999-01-01T10:00", "x", ""):
            assert sends(boss, path, "due", due_at=wrong).status_code == 422, wrong
    assert (
        sends(boss, path, "due", due_at=f"{live_now() + timedelta(days=9):%Y-%m-%dT%H:%M}", note="等银行").status_code
        == 302
    )
    look = Look(colleague("supervisor"), live_now(), "test")
    assert queues.standing(PROBLEMS, look).late == 0
    at = NOON + PROBLEMS.within
    Handling.objects.update(due_at=at)
    assert queues.standing(PROBLEMS, Look(look.user, at, "test")).late == 1
    late = words_of(boss.get("/ops/queues/problem?mode=test&whose=late"))
    assert "已超时" in late


def test_what_a_channel_waits_for_is_due_a_day_before_it_waits_no_longer(power_bank: Shop) -> None:
    row = one_of_each(power_bank)["dispute"]
    queue = QUEUES["dispute"]
    for days, due in ((7, queue.within), (3, timedelta(days=2))):
        Dispute.objects.filter(pk=row.pk).update(answer_until=NOON + timedelta(days=days))
        found = queues.one(queue, row.pk, live_now())
        assert found is not None
        assert found.due_at == NOON + due
        for at, late in ((NOON + due - timedelta(seconds=1), 0), (NOON + due, 1)):
            Realm.objects.filter(pk=power_bank.realm_id).update(frozen_at=at)
            assert queues.standing(queue, Look(colleague("finance"), live_now(), "test")).late == late


def test_many_are_handed_over_at_once_and_who_was_quicker_is_named(
    power_bank: Shop, at_desk: Callable[..., Client]
) -> None:
    rows = [problem_with(power_bank, f"第{n}件") for n in range(3)]
    boss = at_desk("supervisor")
    page = boss.get("/ops/queues/problem?mode=test")
    handling.take(PROBLEMS, rows[0].id, colleague("collections"), at=NOON)
    orders.decide_report(rows[1].id, "resumed", "好", by=BY, at=NOON)
    ticked = [f"{row.public_id}:" for row in rows]
    form = {"token": token_on(page), "to": colleague("support").public_id, "note": "请今天处理", "row": ticked}
    with nothing_moves("kernel_idempotencykey"):
        for wrong in ({"row": []}, {"row": ["x"]}, {"row": [f"{rows[0].public_id}:x"]}, {"to": "usr_0"}):
            assert boss.post("/ops/queues/problem/assign?mode=test", form | wrong).status_code == 422, wrong
    form["token"] = token_on(boss.get("/ops/queues/problem?mode=test"))
    answer = boss.post("/ops/queues/problem/assign?mode=test", form, follow=True)
    assert f"{rows[0].public_id}: collections 正在经办" in answer.content.decode()
    assert {hand.about: str(hand.user) for hand in Handling.objects.all()} == {
        rows[0].id: "collections",
        rows[2].id: "support",
    }
    support = signed_in(colleague("support"))
    assert "您有 1 件待办" in support.get("/ops/").content.decode()
    assert "件待办" not in boss.get("/ops/").content.decode()
    mine = words_of(support.get("/ops/queues/problem?mode=test&whose=mine"))
    assert ("共 2 件待办：我的 1 件" in mine, "无人认领 0 件" in mine) == (True, True)


def test_a_queue_is_paged_by_key_and_asks_as_often_however_long_it_is(
    power_bank: Shop, at_desk: Callable[..., Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    boss = at_desk("supervisor")
    rows = [problem_with(power_bank) for _ in range(2)]
    with CaptureQueriesContext(
        connection,
    ) as few:
        boss.get("/ops/queues/problem?mode=test")
    rows += [problem_with(power_bank) for _ in range(3)]
    with CaptureQueriesContext(connection) as many:
        boss.get("/ops/queues/problem?mode=test")
    assert len(many) == len(few)
    monkeypatch.setattr(queues, "ROWS_A_PAGE", 2)
    look, seen, cursor = Look(colleague("supervisor"), live_now(), "test"), list[Any](), ""
    while True:
        found, cursor = queues.page_of(PROBLEMS, look, cursor)
        seen += [one.row.pk for one in found]
        if not cursor:
            break
    assert seen == [row.pk for row in rows]
    for wrong in ("x", ".", f"1.{'0' * 31}", f"-1.{'0' * 32}", f"{'9' * 40}.{'0' * 32}", "\x00"):
        assert boss.get("/ops/queues/problem", {"cursor": wrong}).status_code == 404, wrong


def test_services_refuse_what_is_not_there_and_who_may_not(power_bank: Shop) -> None:
    row, mei = problem_with(power_bank), colleague("support")
    fin = colleague("finance")
    with nothing_moves():
        with pytest.raises(UnfitColleague):
            handling.hand(PROBLEMS, row.id, fin, "", seen=None, by=BY, at=NOON)
        with pytest.raises(NothingWaits):
            handling.take(QUEUES["hardship"], row.id, mei, at=NOON)
        with pytest.raises(HandledBy):
            handling.put_back(PROBLEMS, row.id, "", by=BY, at=NOON)
        with pytest.raises(NotFound):
            handling.note(PROBLEMS, mei.pk, "x", by=BY, at=NOON)
        for wrong in ("", " ", "长" * 1001, "a\x00"):
            with pytest.raises(Invalid):
                handling.note(PROBLEMS, row.id, wrong, by=BY, at=NOON)
        with pytest.raises(Invalid):
            handling.hand_all(PROBLEMS, [(uuid4(), None) for _ in range(101)], mei, "", by=BY, at=NOON)
    handling.take(PROBLEMS, row.id, mei, at=NOON)
    with nothing_moves():
        assert handling.take(PROBLEMS, row.id, mei, at=NOON).user == mei
    orders.withdraw_concern(row.id, by=BY, at=NOON)
    with nothing_moves(), pytest.raises(NothingWaits):
        handling.set_due(PROBLEMS, row.id, NOON + timedelta(days=1), "", by=BY, at=NOON)
    handling.note(PROBLEMS, row.id, "结案后补记", by=BY, at=NOON)
