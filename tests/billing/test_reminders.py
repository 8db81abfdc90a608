"""What a person hears of a debt through its life: before, at, after; once each, and only while it is true."""

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
from billing.services.deduct import deduct_due
from billing.services.instruments import open_wallet
from billing.services.pay import pay_now
from billing.services.plan import move_next
from billing.services.remind import remind_due
from kernel.clock import live_now
from kernel.models import Realm
from orders import services as orders
from orders.models import Order
from orders.services.pause import pause_order, resume_order
from tests.billing.bench import owed_of
from tests.billing.crowd import crowd
from tests.conftest import BY, NOON, Shop, completed, make_shop, someone, yuan
from tests.falling import fall
from tests.stillness import nothing_moves
from tests.threads import at_once

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
DUE = NOON + 5 * DAY
FALLS = NOON + 3 * DAY
LINK = "http://testserver/orders/"
HOW = f"提前付款、改期或暂停：{LINK}"


def owing(shop: Shop, behaviour: str = "no_funds", *, language: str = "zh-hans", **final: Any) -> Order:
    """Somebody with a phone and a mail address owes ¥12.34."""
    person = someone(shop, behaviour)
    User.objects.filter(pk=person.user_id).update(language=language)
    person.take_mail(f"{person.id.hex}@example.com")
    person.save(update_fields=["mail_sealed"])
    return completed(shop, person, yuan("12.34"), **final)


def stages(order: Order) -> list[str]:
    """What the order's person was told, in order."""
    return list(Notice.objects.filter(person_id=order.person_id).order_by("id").values_list("stage", flat=True))


def texts(order: Order) -> list[str]:
    """What arrived on the person's phone."""
    assert order.person.user
    phone = order.person.user.reveal_phone()
    return list(LocalMessage.objects.filter(to=phone).order_by("id").values_list("text", flat=True))


def skips(order: Order) -> set[str]:
    rows = Delivery.objects.filter(person_id=order.person_id, state="skipped")
    return {f"{stage} {reason}" for stage, reason in rows.values_list("notice__stage", "reason")}


def pass_by(shop: Shop, at: datetime) -> None:
    """What the alarm clocks about notices do at that moment."""
    remind_due(shop.realm_id, at=at)
    deliver_due(shop.realm_id, at=at)


def days_pass(shop: Shop, first: datetime, last: datetime, step: timedelta = 12 * HOUR) -> None:
    """All clocks but the deducting one, every twelve hours."""
    at = first
    while at <= last:
        fall(shop.realm_id, at=at, limit=99)
        orders.close_days(shop.realm_id, at=at, limit=99)
        pass_by(shop, at)
        at += step


def test_before_it_is_due_the_person_hears_of_it_three_days_and_one_day_ahead_and_of_the_debit(
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
        pass_by(power_bank, NOON + span)
        with nothing_moves():
            pass_by(power_bank, NOON + span)
        assert stages(order) == told
    assert texts(order) == [
        f"【先享后付】来电充电宝“充电宝”¥12.34 将于 11月25日 12:00 到期。查看与付款：{LINK}{order.public_id}",
        f"【先享后付】来电充电宝“充电宝”¥12.34 将于 11月25日 12:00 从 沙箱银行卡 自动扣款。{HOW}{order.public_id}",
    ]  # the last day's stands in the inbox only: the debit's own announcement rings


def test_what_is_collected_at_once_is_told_afterwards_in_the_persons_language(power_bank: Shop) -> None:
    order = owing(power_bank, "pays", language="en")
    pass_by(power_bank, NOON)
    deduct_due(power_bank.realm_id, at=NOON)
    pass_by(power_bank, NOON)
    assert stages(order) == ["debit_succeeded"]
    (text,) = texts(order)
    assert text.startswith("CN¥12.34 for 充电宝 (来电充电宝) was deducted from Sandbox bank card on 20 Nov, 12:00.")


def test_a_failure_is_told_with_its_reason_and_the_next_time_and_the_next_debit_before_it(power_bank: Shop) -> None:
    order = owing(power_bank)
    deduct_due(power_bank.realm_id, at=NOON)
    pass_by(power_bank, NOON)
    assert stages(order) == ["debit_failed", "debit_planned"]
    failed, planned = texts(order)
    assert "扣款失败：余额不足。将于 11月21日 10:00 再次扣款。" in failed
    assert "将于 11月21日 10:00 从 沙箱银行卡 自动扣款" in planned
    deduct_due(power_bank.realm_id, at=NOON + 22 * HOUR)
    pass_by(power_bank, NOON + 22 * HOUR)
    assert stages(order) == ["debit_failed", "debit_planned", "debit_failed"]
    pass_by(power_bank, NOON + 47 * HOUR)  # the next one is on the third day
    assert stages(order) == ["debit_failed", "debit_planned"] * 2


def test_trouble_of_the_channels_own_rings_nobody(power_bank: Shop) -> None:
    order = owing(power_bank, "timeout_then_not_paid")
    deduct_due(power_bank.realm_id, at=NOON)
    for seconds in (5, 35, 335, 4_000, 90_000):
        tasks.ask.ask_unknown(power_bank.realm_id, at=NOON + timedelta(seconds=seconds))
    assert stages(order) == ["debit_failed"]
    assert list(Delivery.objects.values_list("channel", flat=True)) == ["inbox"]


def test_somebody_with_nothing_to_take_it_from_hears_so(power_bank: Shop) -> None:
    order = owing(power_bank)
    Instrument.objects.filter(person_id=order.person_id).update(state="removed")
    deduct_due(power_bank.realm_id, at=NOON)
    pass_by(power_bank, NOON)
    assert stages(order) == ["debit_failed"]
    assert "没有可用的扣款方式。不会再自动扣款，请主动付款。" in texts(order)[0]


def test_a_debit_for_several_orders_is_one_notice(power_bank: Shop) -> None:
    order = owing(power_bank)
    wish = orders.Wish(agreement_id=order.agreement_id, out_order_no="2", title="另一个", currency="CNY", ceiling=500)
    second = orders.open_order(power_bank.merchant.id, wish, by=BY, at=NOON).order
    assert second
    orders.complete_order(second.id, orders.Final(total=66), by=BY, at=NOON)
    deduct_due(power_bank.realm_id, at=NOON)
    (notice,) = Notice.objects.all()
    assert (notice.stage, notice.order_id) == ("debit_failed", None)
    assert "等 2 笔”¥13.00 从 沙箱银行卡 扣款失败" in notice.body


def test_a_debit_the_person_moved_is_announced_anew_and_the_old_text_is_not_sent(power_bank: Shop) -> None:
    order = owing(power_bank)
    deduct_due(power_bank.realm_id, at=NOON)
    night = NOON + 11 * HOUR
    remind_due(power_bank.realm_id, at=night)
    move_next(owed_of(order).id, NOON + 4 * DAY, at=night)
    pass_by(power_bank, NOON + 20 * HOUR)
    assert "debit_planned moved" in skips(order)
    pass_by(power_bank, NOON + 3 * DAY)
    assert stages(order).count("debit_planned") == 2
    assert "11月24日 12:00" in texts(order)[-1]


@pytest.mark.parametrize("how", ["paid", "waived", "paused"])
def test_what_was_settled_in_the_night_rings_nobody_in_the_morning(power_bank: Shop, how: str) -> None:
    order = owing(power_bank, due_at=DUE + 10 * HOUR)
    remind_due(power_bank.realm_id, at=NOON + 4 * DAY + 11 * HOUR)
    assert stages(order) == ["debit_planned", "due_in_1_day"]
    if how == "paid":
        orders.mark_paid(order.id, NOON + 4 * DAY, "till", by=BY, at=NOON + 4 * DAY + 12 * HOUR)
    elif how == "waived":
        orders.cancel_order(order.id, "x", by=BY, at=NOON + 4 * DAY + 12 * HOUR)
    else:
        pause_order(order.id, "hardship", by=BY, at=NOON + 4 * DAY + 12 * HOUR)
    pass_by(power_bank, NOON + 4 * DAY + 20 * HOUR)
    assert texts(order) == []
    assert skips(order) >= {f"debit_planned {how}"}


def test_a_failure_is_not_reported_once_it_is_paid(power_bank: Shop) -> None:
    night = NOON + 11 * HOUR
    order = owing(power_bank, at=night)
    deduct_due(power_bank.realm_id, at=night)
    orders.mark_paid(order.id, night, "till", by=BY, at=night)
    pass_by(power_bank, NOON + 20 * HOUR)
    assert (texts(order), skips(order)) == ([], {"debit_failed settled"})


def test_overdue_is_told_on_days_1_3_7_15_and_30_by_day_and_never_again(power_bank: Shop) -> None:
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


def test_days_on_which_the_clock_stood_still_do_not_count(power_bank: Shop) -> None:
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


def test_after_an_outage_only_the_latest_stage_is_told_and_an_overtaken_one_is_not_sent(power_bank: Shop) -> None:
    order = owing(power_bank)
    fall(power_bank.realm_id, at=FALLS, limit=9)
    remind_due(power_bank.realm_id, at=FALLS)  # and nobody delivers for a week
    for day in range(1, 9):
        orders.close_days(power_bank.realm_id, at=FALLS + day * DAY, limit=9)
    pass_by(power_bank, FALLS + 8 * DAY)
    assert [stage for stage in stages(order) if "overdue" in stage] == ["overdue_1", "overdue_7"]
    assert skips(order) == {"overdue_1 overtaken"}
    assert len(texts(order)) == 1


def test_paid_means_silence(power_bank: Shop) -> None:
    order = owing(power_bank, "pays")
    fall(power_bank.realm_id, at=FALLS, limit=9)
    remind_due(power_bank.realm_id, at=FALLS + 11 * HOUR)
    pay_now(order.id, by=BY, at=FALLS + 12 * HOUR)
    days_pass(power_bank, FALLS + 20 * HOUR, FALLS + 10 * DAY)
    assert stages(order) == ["overdue_1", "debit_succeeded"]
    assert skips(order) == {"overdue_1 paid"}


def test_several_overdue_orders_of_one_person_make_three_demands_a_day(power_bank: Shop) -> None:
    order = owing(power_bank)
    for n in range(4):
        wish = orders.Wish(agreement_id=order.agreement_id, out_order_no=f"{n}", title="x", currency="CNY", ceiling=100)
        more = orders.open_order(power_bank.merchant.id, wish, by=BY, at=NOON).order
        assert more
        orders.complete_order(more.id, orders.Final(total=100), by=BY, at=NOON)
    fall(power_bank.realm_id, at=FALLS, limit=99)
    for hour in range(10):
        pass_by(power_bank, FALLS + hour * HOUR)
    assert len(texts(order)) == 3
    pass_by(power_bank, FALLS + 20 * HOUR)
    assert len(texts(order)) == 5


@pytest.mark.django_db(transaction=True)
def test_eight_sweeps_at_once_tell_each_stage_once(power_bank: Shop) -> None:
    made = [owing(power_bank, due_at=DUE) for _ in range(6)]
    for at in (NOON + 2 * DAY, NOON + 4 * DAY):
        at_once(*(partial(remind_due, power_bank.realm_id, at=at, limit=4) for _ in range(8)))
        while remind_due(power_bank.realm_id, at=at, limit=4) == 4:
            pass
    for order in made:
        assert sorted(stages(order)) == ["debit_planned", "due_in_1_day", "due_in_3_days"]


def test_the_alarm_clocks_ring_by_the_realms_own_time(power_bank: Shop) -> None:
    open_wallet(someone(power_bank), at=NOON)
    order = owing(power_bank, due_at=DUE)
    Realm.objects.filter(pk=power_bank.realm_id).update(clock_offset=NOON + 2 * DAY - live_now())
    tasks.remind_due()
    deliver_notices()
    assert stages(order) == ["due_in_3_days"]
    assert len(texts(order)) == 1


@pytest.mark.breaks_the_house
def test_six_hundred_people_are_one_sweep_of_a_few_statements(db: None) -> None:
    shop = make_shop("来电充电宝")
    one = owed_of(owing(shop, due_at=NOON + 30 * HOUR))
    crowd(one, 599)
    with CaptureQueriesContext(connection) as asked:
        assert remind_due(shop.realm_id, at=NOON, limit=5_000) == 600
    assert len(asked) <= 32
    assert Notice.objects.count() == 600
    assert claim_due(shop.realm_id, at=NOON - 24 * HOUR, limit=500) == ([], 0)  # the connection learns the question
    with CaptureQueriesContext(connection) as asked:
        assert len(claim_due(shop.realm_id, at=NOON, limit=500)[0]) == 500
    assert len(asked) <= 10
    assert remind_due(shop.realm_id, at=NOON, limit=5_000) == 0
