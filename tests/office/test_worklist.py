"""The collections worklist: who is listed first, and when contact is not allowed."""

from collections.abc import Callable
from datetime import date, timedelta
from functools import partial
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts import deliver
from accounts.contacts import NewContact, contacts_today
from accounts.models import Contact, Delivery, Notice, Person
from accounts.refusals import OutsideHours, TooManyContacts
from billing.channels import bank_disputes
from billing.services.callbacks import deliver_callbacks
from billing.services.reminders import remind_all
from kernel.models import AuditLine, Realm
from kernel.refusal import Invalid, NotFound
from office.queries import worklist
from office.refusals import ContactNotAllowed, NothingOverdue
from office.services.collection_contacts import log_contact
from orders import services as orders
from orders.models import Order
from tests.billing.helpers import latest_deduction_of, paid_order
from tests.browsing import freeze_clock
from tests.conftest import BY, NOON, Shop, make_person
from tests.console.conftest import page_text, submit_form
from tests.office.queue_fixtures import overdue_order
from tests.unchanged import assert_unchanged

DAY = timedelta(days=1)
CALL = NewContact(way="call", outcome="reached", note="说月底还")


def promise(day: date, order: Order | None = None) -> NewContact:
    return NewContact(way="call", outcome="promised", promised_on=day, order_id=order.id if order else None)


def asks(order: Order, made: NewContact = CALL, at: Any = NOON, **more: Any) -> Contact:
    return log_contact(order.person_id, made, by=BY, at=at, **more)


def test_people_stand_by_the_age_of_their_oldest_debt_with_all_they_owe(power_bank: Shop) -> None:
    young, old = overdue_order(power_bank, "9", days=10), overdue_order(power_bank, "8", days=40)
    found = {one.name: (one.people, [str(sum_) for sum_ in one.sums]) for one in worklist.ageing_buckets("test")}
    assert found["1-30"] == (1, ["9.00 CNY"])
    assert found["31-60"] == (1, ["8.00 CNY"])
    assert found["90+"] == (0, [])
    assert worklist.ageing_buckets("live")[0].people == 0
    for bucket, order in (("1-30", young), ("31-60", old)):
        keys, more = worklist.people_in_bucket("test", bucket, None, [])
        assert (keys, more) == ([order.person_id], None)
        (one,) = worklist.debtors_for(keys, NOON)
        assert [str(sum_) for sum_ in one.owed] == [str(order.total)]
        assert one.can_contact


def test_who_broke_a_promise_stands_first_until_they_pay_or_promise_anew(
    power_bank: Shop, console_client: Callable[..., Client]
) -> None:
    first, second, kept = (overdue_order(power_bank, amount, days=10) for amount in ("9", "8", "7"))
    for order in (second, kept):
        asks(order, promise(NOON.date()))
    assert worklist.broken_promises("test", NOON) == []
    later = NOON + DAY
    freeze_clock(later, first.person)
    orders.mark_paid(kept.id, later, "现金", by=BY, at=later)
    assert worklist.broken_promises("test", later) == [second.person_id]
    page = console_client("collections").get("/ops/collections/?mode=test").content.decode()
    assert page.index(second.person.public_id) < page.index(first.person.public_id)
    assert ("未履行" in page, kept.person.public_id in page) == (True, False)
    asks(second, promise(later.date() + 3 * DAY), at=later)
    assert worklist.broken_promises("test", later) == []
    other = overdue_order(power_bank, "5", days=10)
    asks(other, promise(later.date(), other), at=later)
    for days, late in ((2, [other.person_id]), (200, [])):
        freeze_clock(later + days * DAY, first.person)
        assert worklist.broken_promises("test", later) == late


def test_no_contact_at_night_in_the_customers_zone(power_bank: Shop) -> None:
    order = overdue_order(power_bank)
    night = NOON + timedelta(hours=10)  # 22:00 in Shanghai
    for wrong in (night, NOON - timedelta(hours=4, seconds=1)):
        with assert_unchanged(), pytest.raises(OutsideHours):
            asks(order, at=wrong)
    Person.objects.filter(pk=order.person_id).update(zone="Europe/London")
    with assert_unchanged(), pytest.raises(OutsideHours):
        asks(order, at=NOON)  # four in the morning there
    asks(order, at=night)
    Person.objects.filter(pk=order.person_id).update(zone="Asia/Shanghai", rest_hour=18)
    with assert_unchanged(), pytest.raises(OutsideHours):
        asks(order, at=NOON + timedelta(hours=7))


def test_what_was_done_shortly_before_is_judged_by_its_own_moment(power_bank: Shop) -> None:
    order = overdue_order(power_bank)
    made = asks(order, at=NOON + timedelta(hours=10, minutes=5), ago=timedelta(minutes=10))
    assert made.at == NOON + timedelta(hours=9, minutes=55)
    for wrong in (timedelta(minutes=61), timedelta(minutes=-1)):
        with assert_unchanged(), pytest.raises(Invalid):
            asks(order, ago=wrong)


def test_three_times_a_day_is_enough_our_notices_among_them(power_bank: Shop) -> None:
    order = overdue_order(power_bank)
    remind_all(power_bank.realm_id, at=NOON)
    deliver.deliver_due(power_bank.realm_id, at=NOON)
    assert Delivery.objects.filter(collection=True, tried_at__isnull=False).exists()
    assert Notice.objects.filter(stage__startswith="overdue_").count() == 1
    for minutes in (1, 2):
        asks(order, at=NOON + timedelta(minutes=minutes))
    with assert_unchanged(), pytest.raises(TooManyContacts):
        asks(order, at=NOON + timedelta(hours=3))
    (one,) = worklist.debtors_for([order.person_id], NOON + timedelta(hours=3))
    assert one.next_contact_at == NOON + timedelta(hours=20)
    asks(order, at=NOON + timedelta(hours=20))


def test_a_notice_waits_for_the_morning_when_colleagues_have_asked_often_enough(power_bank: Shop) -> None:
    order = overdue_order(power_bank)
    for minutes in range(3):
        asks(order, at=NOON + timedelta(minutes=minutes))
    remind_all(power_bank.realm_id, at=NOON)
    deliver.deliver_due(power_bank.realm_id, at=NOON + timedelta(hours=1))
    copies = Delivery.objects.filter(collection=True)
    assert {copy.next_at for copy in copies} == {NOON + timedelta(hours=20)}
    assert len(contacts_today({order.person_id: "Asia/Shanghai"}, at=NOON)[order.person_id]) == 3


@pytest.mark.parametrize("reason", ["paused", "problem", "hardship"])
def test_paused_or_undecided_orders_are_on_hold(power_bank: Shop, reason: str) -> None:
    order = overdue_order(power_bank)
    stops: dict[str, Callable[[], Any]] = {
        "paused": partial(orders.pause_order, order.id, "hardship", by=BY, at=NOON),
        "problem": partial(orders.report_problem, order.id, "other", "x", by=BY, at=NOON),
        "hardship": partial(orders.request_plan, order.person_id, None, orders.PlanOffer(2, 7), "x", by=BY, at=NOON),
    }
    stops[reason]()
    assert worklist.contact_holds([order.id]) == {order.id: reason}
    with assert_unchanged():
        for made in (CALL, NewContact(way="visit", outcome="reached", order_id=order.id)):
            with pytest.raises(ContactNotAllowed):
                asks(order, made)
    (one,) = worklist.debtors_for([order.person_id], NOON)
    assert (one.next_contact_at, one.can_contact) == (None, False)


def test_what_a_channel_took_money_back_for_is_not_asked_for_until_that_is_decided(power_bank: Shop) -> None:
    order = paid_order(power_bank)
    bank_disputes.reverse_debit(latest_deduction_of(order).number, "not_received", at=NOON)
    deliver_callbacks(power_bank.realm_id, at=NOON)
    assert worklist.contact_holds([order.id]) == {order.id: "dispute"}


def test_one_order_of_two_may_still_be_asked_for(power_bank: Shop) -> None:
    order = overdue_order(power_bank)
    other = overdue_order(power_bank, "4")
    orders.pause_order(order.id, "hardship", by=BY, at=NOON)
    with assert_unchanged(), pytest.raises(ContactNotAllowed):
        asks(order)
    asks(other)
    with assert_unchanged(), pytest.raises(NotFound):
        asks(order, NewContact(way="call", outcome="reached", order_id=other.id))


def test_nothing_overdue_cannot_be_collected(power_bank: Shop) -> None:
    order = paid_order(power_bank)
    late = overdue_order(power_bank)
    with assert_unchanged():
        with pytest.raises(NothingOverdue):
            asks(order)
        with pytest.raises(NotFound):
            log_contact(order.id, CALL, by=BY, at=NOON)
        for day in (None, NOON.date() - DAY, NOON.date() + 91 * DAY):
            with pytest.raises(Invalid):
                asks(late, NewContact(way="call", outcome="promised", promised_on=day))
        for made in (
            NewContact(way="call", outcome="reached", promised_on=NOON.date()),
            NewContact(way="call", outcome="reached", note="长" * 1001),
        ):
            with pytest.raises(Invalid):
                asks(late, made)


def test_the_log_is_never_changed_and_its_words_go_with_the_person(power_bank: Shop) -> None:
    row = asks(overdue_order(power_bank))
    for change in ({"outcome": "wrong_number"}, {"note": "x"}):
        with pytest.raises(DatabaseError), transaction.atomic():
            Contact.objects.filter(pk=row.pk).update(**change)
    Contact.objects.filter(pk=row.pk).update(note="")


GOOD = {"way": "call", "outcome": "promised", "promised_on": "2026-11-25", "minutes": "5", "note": "周三还🙂<b>"}


def test_a_contact_is_noted_at_the_persons_page_and_refused_there(
    power_bank: Shop, console_client: Callable[..., Client]
) -> None:
    order = overdue_order(power_bank)
    desk, path = console_client("collections"), f"/ops/collections/{order.person.public_id}"
    page = page_text(desk.get(path))
    assert 'href="/ops/collections/?mode=test"' in desk.get(path).content.decode()
    for word in ("¥9.00", "现在", "今天已联系 0 次", "充电宝"):
        assert word in page
    assert order.person.user is not None
    assert (order.person.user.reveal_phone() or "-") not in page
    with assert_unchanged("kernel_idempotencykey"):
        for wrong in (
            {"way": "fax"},
            {"promised_on": ""},
            {"promised_on": "x"},
            {"minutes": "61"},
            {"note": ""},
            {"order": "x"},
        ):
            assert submit_form(desk, path, **(GOOD | wrong)).status_code == 422, wrong
    assert submit_form(desk, path, **GOOD).status_code == 302
    made = Contact.objects.get()
    assert (made.outcome, made.promised_on, made.at) == ("promised", date(2026, 11, 25), NOON - timedelta(minutes=5))
    page = page_text(desk.get(path))
    assert "承诺还款" in page
    assert "周三还🙂<b>" in page
    assert AuditLine.objects.filter(act="debtor.done", about=order.person.public_id).count() == 1
    assert desk.get("/ops/collections/per_0").status_code == 404
    assert desk.get(f"/ops/collections/{paid_order(power_bank).person.public_id}").status_code == 404


def test_what_stands_still_and_whoever_sleeps_is_left_in_peace_at_their_page(
    power_bank: Shop, console_client: Callable[..., Client]
) -> None:
    order = overdue_order(power_bank)
    desk, path = console_client("collections"), f"/ops/collections/{order.person.public_id}"
    orders.pause_order(order.id, "hardship", by=BY, at=NOON)
    assert "已暂停计时" in page_text(desk.get(path))
    with assert_unchanged("kernel_idempotencykey"):
        token = {"token": "0" * 24}
        assert desk.post(path, GOOD | token).status_code == 422
    orders.resume_order(order.id, "hardship", by=BY, at=NOON)
    Realm.objects.filter(pk=power_bank.realm_id).update(frozen_at=NOON + timedelta(hours=10, minutes=5))
    assert "一小时之内" in page_text(desk.get(path))
    with assert_unchanged("kernel_idempotencykey"):
        assert submit_form(desk, path, **(GOOD | {"minutes": "4"})).status_code == 422
    assert submit_form(desk, path, **(GOOD | {"minutes": "6"})).status_code == 302
    Realm.objects.filter(pk=power_bank.realm_id).update(frozen_at=NOON + timedelta(hours=11, minutes=1))
    assert "按用户当地时间" in page_text(desk.get(path))


def test_the_list_is_paged_by_key_and_asks_as_often_however_long_it_is(
    power_bank: Shop, console_client: Callable[..., Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = console_client("collections")
    rows = [overdue_order(power_bank) for _ in range(2)]
    asks(rows[0])
    with CaptureQueriesContext(connection) as few:
        desk.get("/ops/collections/?mode=test")
    rows += [overdue_order(power_bank) for _ in range(3)]
    with CaptureQueriesContext(connection) as many:
        desk.get("/ops/collections/?mode=test")
    assert len(many) == len(few)
    monkeypatch.setattr(worklist, "ROWS_A_PAGE", 2)
    seen, after = list[Any](), None
    while True:
        keys, after = worklist.people_in_bucket("test", "1-30", after, [])
        seen += keys
        if after is None:
            break
    assert seen == [row.person_id for row in rows]
    assert make_person(power_bank).id not in seen
    for wrong in ("x", "", "\x00"):
        assert desk.get("/ops/collections/", {"after": wrong}).status_code == 404
    assert desk.get("/ops/collections/", {"bucket": "x", "mode": "y"}).status_code == 200
