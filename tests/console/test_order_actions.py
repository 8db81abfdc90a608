"""Row actions on an order: each shows a preview, requires a reason, and is recorded in the history."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from accounts.models import User
from billing.models import Deduction, DeductionEvent
from billing.services.attempt_plans import move_next_attempt
from billing.services.deduct import deduct_due
from kernel.actor import Actor
from kernel.admin_site import VIEWERS
from kernel.console_actions import ROW_ACTIONS
from orders import services as orders
from orders.models import Order, Pause
from tests.billing.helpers import bank_debits_of
from tests.browsing import form_token, freeze_clock
from tests.conftest import BY, NOON, Shop, make_agreement, make_due_order, make_order, make_person, state_of, yuan
from tests.console.conftest import page_text, submit_form
from tests.unchanged import assert_unchanged


@pytest.fixture
def order(power_bank: Shop) -> Order:
    order = make_due_order(power_bank, make_person(power_bank), yuan("12.34"))
    freeze_clock(NOON, order.person)
    return order


def at(order: Order, verb: str) -> str:
    return f"/ops/do/{order.public_id}/{verb}"


def by_the_boss() -> str:
    return str(Actor.staff(User.objects.get(username="supervisor").pk))


def last_line(order: Order) -> dict[str, Any]:
    line = order.history.latest("seq")
    return {"kind": line.kind, "by": line.by, **line.data}


def test_an_order_is_paused_and_resumed(order: Order, supervisor: Client) -> None:
    assert "欠款 ¥12.34" in page_text(supervisor.get(at(order, "pause")))
    answer = submit_form(supervisor, at(order, "pause"), reason="hardship", note="来电说失业了")
    assert answer["Location"] == f"/ops/order/{order.public_id}"
    assert last_line(order) == {"kind": "paused", "by": by_the_boss(), "reason": "hardship", "note": "来电说失业了"}
    assert deduct_due(order.realm_id, at=NOON) == 0

    page = supervisor.get(at(order, "resume"))
    assert "顺延" in page_text(page)
    assert b'value="hardship"' in page.content
    assert b'value="problem_reported"' not in page.content
    submit_form(supervisor, at(order, "resume"), reason="hardship", note="谈妥了")
    assert last_line(order) == {"kind": "resumed", "by": by_the_boss(), "reason": "hardship", "note": "谈妥了"}
    assert Pause.objects.get().ended_by == by_the_boss()


def test_an_order_is_collected_now(order: Order, supervisor: Client) -> None:
    assert "沙箱银行卡" in page_text(supervisor.get(at(order, "collect")))
    answer = submit_form(supervisor, at(order, "collect"), note="用户来电要求")
    assert "扣款成功" in page_text(supervisor.get(answer["Location"]))
    assert state_of(order) == "deducted"
    assert bank_debits_of(order.person) == [yuan("12.34")]
    asked = order.history.get(kind="collect_asked")
    assert (asked.by, asked.data["note"]) == (by_the_boss(), "用户来电要求")
    assert set(DeductionEvent.objects.values_list("by", flat=True)) == {by_the_boss()}


def test_a_double_click_collects_once(power_bank: Shop, supervisor: Client) -> None:
    order = make_due_order(power_bank, make_person(power_bank, "no_funds"), yuan("5"))
    form = {"token": form_token(supervisor.get(at(order, "collect"))), "note": "两下"}
    first, second = (supervisor.post(at(order, "collect"), form) for _ in range(2))
    assert first["Location"] == second["Location"]
    assert "扣款失败：insufficient_funds" in page_text(supervisor.get(first["Location"]))
    assert Deduction.objects.count() == 1


@pytest.mark.parametrize("verb", ["pause", "collect"])
def test_a_reason_is_required(order: Order, supervisor: Client, verb: str) -> None:
    for note in ("", "   ", "长" * 201):
        page = submit_form(supervisor, at(order, verb), reason="hardship", note=note)
        assert page.status_code == 422
        assert b'id="id_note_error"' in page.content
    assert state_of(order) == "completed"


@pytest.mark.parametrize("reason", ["channel_outage", "boredom", ""])
def test_only_staff_pause_reasons_are_accepted(order: Order, supervisor: Client, reason: str) -> None:
    assert submit_form(supervisor, at(order, "pause"), reason=reason, note="x").status_code == 422
    assert not Pause.objects.exists()


def test_the_preview_refuses_what_is_impossible(order: Order, supervisor: Client) -> None:
    assert "没有可由您解除的暂停" in page_text(supervisor.get(at(order, "resume")))
    orders.pause_order(order.id, "channel_outage", by=BY, at=NOON)
    assert "没有可由您解除的暂停" in page_text(supervisor.get(at(order, "resume")))
    assert "恢复之前不扣款" in page_text(supervisor.get(at(order, "collect")))
    orders.resume_order(order.id, "channel_outage", by=BY, at=NOON)
    deduct_due(order.realm_id, at=NOON)
    for verb in ("pause", "collect"):
        page = supervisor.get(at(order, verb))
        assert "没有欠款" in page_text(page)
        assert b'class="do" type="submit"' not in page.content


def test_staff_do_not_collect_before_the_due_date(power_bank: Shop, supervisor: Client) -> None:
    later = make_order(power_bank, make_agreement(power_bank, make_person(power_bank)))
    freeze_clock(NOON, later.person)
    orders.complete_order(
        later.id, orders.CompletionRequest(total=600, due_at=NOON + timedelta(days=9)), by=BY, at=NOON
    )
    page = supervisor.get(at(later, "collect"))
    assert "尚未到应付时间" in page_text(page)
    assert b'class="do" type="submit"' not in page.content


def test_staff_do_not_collect_before_the_date_chosen_by_the_person(order: Order, supervisor: Client) -> None:
    freeze_clock(NOON, order.person)
    whole, collect = f"/ops/order/{order.public_id}", at(order, "collect")
    assert collect.encode() in supervisor.get(whole).content
    move_next_attempt(order.obligations.get().id, NOON + timedelta(days=2), at=NOON)
    assert "用户已将此次扣款改到较晚的日期" in page_text(page := supervisor.get(collect))
    assert b'class="do" type="submit"' not in page.content
    assert collect.encode() not in supervisor.get(whole).content


def test_an_action_that_became_impossible_shows_the_refusal(order: Order, supervisor: Client) -> None:
    form = {"token": form_token(supervisor.get(at(order, "pause"))), "reason": "hardship", "note": "x"}
    deduct_due(order.realm_id, at=NOON)
    page = supervisor.post(at(order, "pause"), form)
    assert page.status_code == 422
    assert "没有欠款" in page_text(page)
    assert not Pause.objects.exists()


def test_notes_and_names_are_escaped(power_bank: Shop, supervisor: Client) -> None:
    order = make_due_order(power_bank, make_person(power_bank), yuan("5"))
    bad = "<script>alert(1)</script>"
    page = supervisor.post(at(order, "pause"), {"token": "0" * 24, "reason": "boredom", "note": bad})
    assert bad.encode() not in page.content
    assert b"&lt;script&gt;" in page.content


def test_a_form_without_a_valid_token_does_nothing(order: Order, supervisor: Client) -> None:
    with assert_unchanged():
        assert supervisor.post(at(order, "pause"), {"token": "x", "reason": "hardship", "note": "x"}).status_code == 422


def test_every_action_has_existing_groups_and_a_unique_url(order: Order) -> None:
    assert len({(verb.model, verb.name) for verb in ROW_ACTIONS}) == len(ROW_ACTIONS)
    assert all(set(verb.groups) <= set(VIEWERS) - {"viewer", "auditor"} for verb in ROW_ACTIONS)
