"""The notices of a debt through its life: before, at and after its due time; once each, and only while true."""

from datetime import datetime, timedelta
from functools import partial
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.deliver import claim_due, deliver_due
from accounts.models import Delivery, LocalMessage, Notice, User
from accounts.tasks import deliver_notices
from billing import tasks
from billing.models import Instrument
from billing.services.attempt_plans import move_next_attempt
from billing.services.deduct import deduct_due
from billing.services.instruments import open_wallet
from billing.services.pay import pay_now
from billing.services.reminders import remind_all
from kernel.clock import live_now
from kernel.models import Realm
from orders import services as orders
from orders.models import Order
from orders.services.pauses import pause_order, resume_order
from tests.billing.crowd import create_crowd
from tests.billing.helpers import obligation_of
from tests.conftest import BY, NOON, Shop, make_due_order, make_order, make_person, make_shop, yuan
from tests.overdue import make_overdue
from tests.threads import run_concurrently
from tests.unchanged import assert_unchanged

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
DUE = NOON + 5 * DAY
FALLS = NOON + 3 * DAY
LINK = "http://testserver/orders/"
HOW = f"提前付款、改期，或反馈问题：{LINK}"


def owing(shop: Shop, behaviour: str = "no_funds", *, language: str = "zh-hans", **final: Any) -> Order:
    """A completed order over ¥12.34 of a person with phone and email."""
    person = make_person(shop, behaviour)
    User.objects.filter(pk=person.user_id).update(language=language)
    person.set_mail(f"{person.id.hex}@example.com")
    person.save(update_fields=["mail_sealed"])
    return make_due_order(shop, person, yuan("12.34"), **final)


def stages(order: Order) -> list[str]:
    """The stages of the notices to the order's person, in order."""
    return list(Notice.objects.filter(person_id=order.person_id).order_by("id").values_list("stage", flat=True))


def texts(order: Order) -> list[str]:
    """What arrived on the person's phone."""
    assert order.person.user
    phone = order.person.user.reveal_phone()
    return list(LocalMessage.objects.filter(to=phone).order_by("id").values_list("text", flat=True))


def skips(order: Order) -> set[str]:
    rows = Delivery.objects.filter(person_id=order.person_id, state="skipped")
    return {f"{stage} {reason}" for stage, reason in rows.values_list("notice__stage", "reason")}


def run_sweeps(shop: Shop, at: datetime) -> None:
    """Write and deliver the reminders due at this time."""
    remind_all(shop.realm_id, at=at)
    deliver_due(shop.realm_id, at=at)


def days_pass(shop: Shop, first: datetime, last: datetime, step: timedelta = 12 * HOUR) -> None:
    """Run all sweeps but the deductions, every twelve hours."""
    at = first
    while at <= last:
        make_overdue(shop.realm_id, at=at, limit=99)
        orders.close_days(shop.realm_id, at=at, limit=99)
        run_sweeps(shop, at)
        at += step


def test_reminders_three_days_and_one_day_before_and_of_the_deduction(
    power_bank: Shop,
) -> None:
    order = owing(power_bank, due_at=DUE)
    for span, told in [
        (2 * DAY - HOUR, []),
        (2 * DAY, ["due_in_3_days"]),
        (4 * DAY - HOUR, ["due_in_3_days"]),
        (4 * DAY, ["due_in_3_days", "debit_planned", "due_in_1_day"]),
        (5 * DAY - HOUR, ["due_in_3_days", "debit_planned", "due_in_1_day"]),
        (5 * DAY, ["due_in_3_days", "debit_planned", "due_in_1_day"]),
    ]:
        run_sweeps(power_bank, NOON + span)
        with assert_unchanged():
            run_sweeps(power_bank, NOON + span)
        assert stages(order) == told
    assert texts(order) == [
        f"【先享后付】来电充电宝“充电宝”¥12.34 将于 11月25日 12:00 到期。查看与付款：{LINK}{order.public_id}",
        f"【先享后付】来电充电宝“充电宝”¥12.34 将于 11月25日 12:00 从 沙箱银行卡 自动扣款。{HOW}{order.public_id}",
    ]  # the last day's is only in the inbox: the announcement of the deduction is sent


def test_an_immediate_deduction_is_reported_in_the_persons_language(power_bank: Shop) -> None:
    order = owing(power_bank, "pays", language="en")
    run_sweeps(power_bank, NOON)
    deduct_due(power_bank.realm_id, at=NOON)
    run_sweeps(power_bank, NOON)
    assert stages(order) == ["debit_succeeded"]
    (text,) = texts(order)
    assert text.startswith("CN¥12.34 for 充电宝 (来电充电宝) was deducted from Sandbox bank card on 20 Nov, 12:00.")


def test_a_failure_notice_has_the_reason_and_the_next_attempt(power_bank: Shop) -> None:
    order = owing(power_bank)
    deduct_due(power_bank.realm_id, at=NOON)
    run_sweeps(power_bank, NOON)
    assert stages(order) == ["debit_failed", "debit_planned"]
    failed, planned = texts(order)
    assert "扣款失败：余额不足。将于 11月21日 10:00 再次扣款。" in failed
    assert "将于 11月21日 10:00 从 沙箱银行卡 自动扣款" in planned
    deduct_due(power_bank.realm_id, at=NOON + 22 * HOUR)
    run_sweeps(power_bank, NOON + 22 * HOUR)
    assert stages(order) == ["debit_failed", "debit_planned", "debit_failed"]
    run_sweeps(power_bank, NOON + 47 * HOUR)  # the next one is on the third day
    assert stages(order) == ["debit_failed", "debit_planned"] * 2


def test_technical_failures_send_no_messages(power_bank: Shop) -> None:
    order = owing(power_bank, "timeout_then_not_paid")
    deduct_due(power_bank.realm_id, at=NOON)
    for seconds in (5, 35, 335, 4_000, 90_000):
        tasks.outcome_polling.poll_deductions(power_bank.realm_id, at=NOON + timedelta(seconds=seconds))
    assert stages(order) == ["debit_failed"]
    assert list(Delivery.objects.values_list("channel", flat=True)) == ["inbox"]


def test_a_person_without_instruments_is_notified(power_bank: Shop) -> None:
    order = owing(power_bank)
    Instrument.objects.filter(person_id=order.person_id).update(state="removed")
    deduct_due(power_bank.realm_id, at=NOON)
    run_sweeps(power_bank, NOON)
    assert stages(order) == ["debit_failed"]
    assert "没有可用的扣款方式。不会再自动扣款，请主动付款。" in texts(order)[0]


def test_a_deduction_for_several_orders_is_one_notice(power_bank: Shop) -> None:
    order = owing(power_bank)
    second = make_order(power_bank, order.agreement, title="另一个", ceiling=500)
    orders.complete_order(second.id, orders.CompletionRequest(total=66), by=BY, at=NOON)
    deduct_due(power_bank.realm_id, at=NOON)
    (notice,) = Notice.objects.all()
    assert (notice.stage, notice.order_id) == ("debit_failed", None)
    assert "等 2 笔”¥13.00 从 沙箱银行卡 扣款失败" in notice.body


def test_a_moved_deduction_is_announced_again_and_the_old_notice_skipped(power_bank: Shop) -> None:
    order = owing(power_bank)
    deduct_due(power_bank.realm_id, at=NOON)
    night = NOON + 11 * HOUR
    remind_all(power_bank.realm_id, at=night)
    move_next_attempt(obligation_of(order).id, NOON + 4 * DAY, at=night)
    run_sweeps(power_bank, NOON + 20 * HOUR)
    assert "debit_planned moved" in skips(order)
    run_sweeps(power_bank, NOON + 3 * DAY)
    assert stages(order).count("debit_planned") == 2
    assert "11月24日 12:00" in texts(order)[-1]


@pytest.mark.parametrize("how", ["paid", "waived", "paused"])
def test_what_was_paid_at_night_sends_nothing_in_the_morning(power_bank: Shop, how: str) -> None:
    order = owing(power_bank, due_at=DUE + 10 * HOUR)
    remind_all(power_bank.realm_id, at=NOON + 4 * DAY + 11 * HOUR)
    assert stages(order) == ["debit_planned", "due_in_1_day"]
    if how == "paid":
        orders.mark_paid(order.id, NOON + 4 * DAY, "till", by=BY, at=NOON + 4 * DAY + 12 * HOUR)
    elif how == "waived":
        orders.cancel_order(order.id, "x", by=BY, at=NOON + 4 * DAY + 12 * HOUR)
    else:
        pause_order(order.id, "hardship", by=BY, at=NOON + 4 * DAY + 12 * HOUR)
    run_sweeps(power_bank, NOON + 4 * DAY + 20 * HOUR)
    assert texts(order) == []
    assert skips(order) >= {f"debit_planned {how}"}


def test_a_failure_is_not_reported_once_it_is_paid(power_bank: Shop) -> None:
    night = NOON + 11 * HOUR
    order = owing(power_bank, at=night)
    deduct_due(power_bank.realm_id, at=night)
    orders.mark_paid(order.id, night, "till", by=BY, at=night)
    run_sweeps(power_bank, NOON + 20 * HOUR)
    assert (texts(order), skips(order)) == ([], {"debit_failed settled"})


def test_overdue_reminders_on_days_1_3_7_15_and_30_and_never_again(power_bank: Shop) -> None:
    order = owing(power_bank)
    days_pass(power_bank, NOON, NOON + 45 * DAY)
    told = Notice.objects.filter(person_id=order.person_id, stage__startswith="overdue_").order_by("id")
    assert [(n.stage, (n.at - FALLS).days) for n in told] == [
        ("overdue_1", 0),
        ("overdue_3", 1),  # at local midnight: the third day of the calendar
        ("overdue_7", 5),
        ("overdue_15", 13),
        ("overdue_30", 28),
    ]
    sent = Delivery.objects.filter(collection=True)
    assert {row.state for row in sent} == {"sent"}
    assert {row.channel for row in sent} == {"inbox", "sms"}
    assert all(8 <= (row.sent_at.hour + 8) % 24 < 22 for row in sent if row.sent_at)
    assert "已逾期" in texts(order)[-1]


def test_paused_days_do_not_count_for_reminders(power_bank: Shop) -> None:
    order = owing(power_bank)
    days_pass(power_bank, NOON, FALLS)
    pause_order(order.id, "problem_reported", by=BY, at=FALLS + HOUR)
    days_pass(power_bank, FALLS + HOUR, FALLS + 10 * DAY)
    assert stages(order)[-1] == "overdue_1"
    resume_order(order.id, "problem_reported", by=BY, at=FALLS + 10 * DAY)
    days_pass(power_bank, FALLS + 10 * DAY, FALLS + 11 * DAY)
    assert stages(order)[-1] == "overdue_1"
    days_pass(power_bank, FALLS + 11 * DAY, FALLS + 12 * DAY)
    assert stages(order)[-1] == "overdue_3"


def test_after_an_outage_only_the_latest_overdue_stage_is_sent(power_bank: Shop) -> None:
    order = owing(power_bank)
    make_overdue(power_bank.realm_id, at=FALLS, limit=9)
    remind_all(power_bank.realm_id, at=FALLS)  # and nobody delivers for a week
    for day in range(1, 9):
        orders.close_days(power_bank.realm_id, at=FALLS + day * DAY, limit=9)
    run_sweeps(power_bank, FALLS + 8 * DAY)
    assert [stage for stage in stages(order) if "overdue" in stage] == ["overdue_1", "overdue_7"]
    assert skips(order) == {"overdue_1 overtaken"}
    assert len(texts(order)) == 1


def test_no_reminders_once_paid(power_bank: Shop) -> None:
    order = owing(power_bank, "pays")
    make_overdue(power_bank.realm_id, at=FALLS, limit=9)
    remind_all(power_bank.realm_id, at=FALLS + 11 * HOUR)
    pay_now(order.id, by=BY, at=FALLS + 12 * HOUR)
    days_pass(power_bank, FALLS + 20 * HOUR, FALLS + 10 * DAY)
    assert stages(order) == ["overdue_1", "debit_succeeded"]
    assert skips(order) == {"overdue_1 paid"}


def test_several_overdue_orders_send_at_most_three_reminders_a_day(power_bank: Shop) -> None:
    order = owing(power_bank)
    for _ in range(4):
        more = make_order(power_bank, order.agreement, title="x", ceiling=100)
        orders.complete_order(more.id, orders.CompletionRequest(total=100), by=BY, at=NOON)
    make_overdue(power_bank.realm_id, at=FALLS, limit=99)
    for hour in range(10):
        run_sweeps(power_bank, FALLS + hour * HOUR)
    assert len(texts(order)) == 3
    run_sweeps(power_bank, FALLS + 20 * HOUR)
    assert len(texts(order)) == 5


@pytest.mark.django_db(transaction=True)
def test_eight_concurrent_sweeps_write_each_reminder_once(power_bank: Shop) -> None:
    made = [owing(power_bank, due_at=DUE) for _ in range(6)]
    for at in (NOON + 2 * DAY, NOON + 4 * DAY):
        run_concurrently(*(partial(remind_all, power_bank.realm_id, at=at, limit=4) for _ in range(8)))
        while remind_all(power_bank.realm_id, at=at, limit=4) == 4:
            pass
    for order in made:
        assert sorted(stages(order)) == ["debit_planned", "due_in_1_day", "due_in_3_days"]


def test_reminder_jobs_use_the_realms_time(power_bank: Shop) -> None:
    open_wallet(make_person(power_bank), at=NOON)
    order = owing(power_bank, due_at=DUE)
    Realm.objects.filter(pk=power_bank.realm_id).update(clock_offset=NOON + 2 * DAY - live_now())
    tasks.remind_due()
    deliver_notices()
    assert stages(order) == ["due_in_3_days"]
    assert len(texts(order)) == 1


@pytest.mark.breaks_invariants
def test_six_hundred_reminders_take_a_few_statements(db: None) -> None:
    shop = make_shop("来电充电宝")
    one = obligation_of(owing(shop, due_at=NOON + 30 * HOUR))
    create_crowd(one, 599)
    with CaptureQueriesContext(connection) as asked:
        assert remind_all(shop.realm_id, at=NOON, limit=5_000) == 600
    assert len(asked) <= 32
    assert Notice.objects.count() == 600
    assert claim_due(shop.realm_id, at=NOON - 24 * HOUR, limit=500) == ([], 0)  # the connection learns the question
    with CaptureQueriesContext(connection) as asked:
        assert len(claim_due(shop.realm_id, at=NOON, limit=500)[0]) == 500
    assert len(asked) <= 10
    assert remind_all(shop.realm_id, at=NOON, limit=5_000) == 0
