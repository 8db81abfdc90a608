"""What colleagues do to an order: what will happen is said before, why is asked, and both stand in its history."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from accounts.models import User
from billing.models import Deduction, DeductionEvent
from billing.services.deduct import deduct_due
from billing.services.plan import move_next
from kernel.actor import Actor
from kernel.admin_site import VIEWERS
from kernel.console_actions import VERBS
from orders import services as orders
from orders.models import Order, Pause
from tests.billing.bench import taken_from
from tests.conftest import BY, NOON, Shop, completed, opened, ordered, someone, state_of, yuan
from tests.console.conftest import does, words_of
from tests.stillness import nothing_moves
from tests.visiting import it_is, token_on


@pytest.fixture
def order(power_bank: Shop) -> Order:
    order = completed(power_bank, someone(power_bank), yuan("12.34"))
    it_is(NOON, order.person)
    return order


def at(order: Order, verb: str) -> str:
    return f"/ops/do/{order.public_id}/{verb}"


def by_the_boss() -> str:
    return str(Actor.staff(User.objects.get(username="supervisor").pk))


def last_line(order: Order) -> dict[str, Any]:
    line = order.history.latest("seq")
    return {"kind": line.kind, "by": line.by, **line.data}


def test_a_clock_is_stopped_and_goes_on_again(order: Order, boss: Client) -> None:
    assert "欠款 ¥12.34" in words_of(boss.get(at(order, "pause")))
    answer = does(boss, at(order, "pause"), reason="hardship", note="来电说失业了")
    assert answer["Location"] == f"/ops/order/{order.public_id}"
    assert last_line(order) == {"kind": "paused", "by": by_the_boss(), "reason": "hardship", "note": "来电说失业了"}
    assert deduct_due(order.realm_id, at=NOON) == 0

    page = boss.get(at(order, "resume"))
    assert "顺延" in words_of(page)
    assert b'value="hardship"' in page.content
    assert b'value="problem_reported"' not in page.content
    does(boss, at(order, "resume"), reason="hardship", note="谈妥了")
    assert last_line(order) == {"kind": "resumed", "by": by_the_boss(), "reason": "hardship", "note": "谈妥了"}
    assert Pause.objects.get().ended_by == by_the_boss()


def test_an_order_is_collected_now(order: Order, boss: Client) -> None:
    assert "沙箱银行卡" in words_of(boss.get(at(order, "collect")))
    answer = does(boss, at(order, "collect"), note="用户来电要求")
    assert "扣款成功" in words_of(boss.get(answer["Location"]))
    assert state_of(order) == "deducted"
    assert taken_from(order.person) == [yuan("12.34")]
    asked = order.history.get(kind="collect_asked")
    assert (asked.by, asked.data["note"]) == (by_the_boss(), "用户来电要求")
    assert set(DeductionEvent.objects.values_list("by", flat=True)) == {by_the_boss()}


def test_the_second_click_of_two_collects_nothing(power_bank: Shop, boss: Client) -> None:
    order = completed(power_bank, someone(power_bank, "no_funds"), yuan("5"))
    form = {"token": token_on(boss.get(at(order, "collect"))), "note": "两下"}
    first, second = (boss.post(at(order, "collect"), form) for _ in range(2))
    assert first["Location"] == second["Location"]
    assert "扣款失败：insufficient_funds" in words_of(boss.get(first["Location"]))
    assert Deduction.objects.count() == 1


@pytest.mark.parametrize("verb", ["pause", "collect"])
def test_a_reason_is_asked_for(order: Order, boss: Client, verb: str) -> None:
    for note in ("", "   ", "长" * 201):
        page = does(boss, at(order, verb), reason="hardship", note=note)
        assert page.status_code == 422
        assert b'id="id_note_error"' in page.content
    assert state_of(order) == "completed"


@pytest.mark.parametrize("reason", ["channel_outage", "boredom", ""])
def test_an_outage_is_not_one_orders_and_other_reasons_there_are_none(order: Order, boss: Client, reason: str) -> None:
    assert does(boss, at(order, "pause"), reason=reason, note="x").status_code == 422
    assert not Pause.objects.exists()


def test_what_cannot_be_done_is_said_before_it_is_asked_for(order: Order, boss: Client) -> None:
    assert "没有可由您解除的暂停" in words_of(boss.get(at(order, "resume")))
    orders.pause_order(order.id, "channel_outage", by=BY, at=NOON)
    assert "没有可由您解除的暂停" in words_of(boss.get(at(order, "resume")))
    assert "恢复之前不扣款" in words_of(boss.get(at(order, "collect")))
    orders.resume_order(order.id, "channel_outage", by=BY, at=NOON)
    deduct_due(order.realm_id, at=NOON)
    for verb in ("pause", "collect"):
        page = boss.get(at(order, verb))
        assert "没有欠款" in words_of(page)
        assert b'class="do" type="submit"' not in page.content


def test_what_is_due_another_day_is_not_collected_by_colleagues_either(power_bank: Shop, boss: Client) -> None:
    later = ordered(power_bank, opened(power_bank, someone(power_bank)))
    it_is(NOON, later.person)
    orders.complete_order(later.id, orders.Final(total=600, due_at=NOON + timedelta(days=9)), by=BY, at=NOON)
    page = boss.get(at(later, "collect"))
    assert "尚未到应付时间" in words_of(page)
    assert b'class="do" type="submit"' not in page.content


def test_what_its_person_put_off_is_not_collected_by_colleagues_either(order: Order, boss: Client) -> None:
    it_is(NOON, order.person)
    whole, collect = f"/ops/order/{order.public_id}", at(order, "collect")
    assert collect.encode() in boss.get(whole).content
    move_next(order.obligations.get().id, NOON + timedelta(days=2), at=NOON)
    assert "用户已将此次扣款改到较晚的日期" in words_of(page := boss.get(collect))
    assert b'class="do" type="submit"' not in page.content
    assert collect.encode() not in boss.get(whole).content


def test_what_can_no_longer_be_done_when_it_is_sent_is_said_in_words(order: Order, boss: Client) -> None:
    form = {"token": token_on(boss.get(at(order, "pause"))), "reason": "hardship", "note": "x"}
    deduct_due(order.realm_id, at=NOON)
    page = boss.post(at(order, "pause"), form)
    assert page.status_code == 422
    assert "没有欠款" in words_of(page)
    assert not Pause.objects.exists()


def test_what_a_colleague_or_a_merchant_writes_stays_text(power_bank: Shop, boss: Client) -> None:
    order = completed(power_bank, someone(power_bank), yuan("5"))
    bad = "<script>alert(1)</script>"
    page = boss.post(at(order, "pause"), {"token": "0" * 24, "reason": "boredom", "note": bad})
    assert bad.encode() not in page.content
    assert b"&lt;script&gt;" in page.content


def test_a_form_that_nobody_rendered_does_nothing(order: Order, boss: Client) -> None:
    with nothing_moves():
        assert boss.post(at(order, "pause"), {"token": "x", "reason": "hardship", "note": "x"}).status_code == 422


def test_every_verb_names_groups_that_there_are_and_its_own_address(order: Order) -> None:
    assert len({(verb.model, verb.name) for verb in VERBS}) == len(VERBS)
    assert all(set(verb.groups) <= set(VIEWERS) - {"viewer", "auditor"} for verb in VERBS)
