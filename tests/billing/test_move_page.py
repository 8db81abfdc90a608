"""Planned deductions on the order page, and moving the next one to another day, once."""

import re
from datetime import datetime, timedelta
from functools import partial
from zoneinfo import ZoneInfo

import pytest
from django.http import HttpResponse
from django.test import Client

from accounts.models import Person
from billing import queries
from billing.models import RetryPolicy
from billing.planning import Policy
from billing.services.deduct import deduct_due
from billing.services.instruments import open_wallet
from billing.services.outcome_polling import poll_deductions
from orders import services as orders
from orders.models import Obligation, Order
from tests.billing.helpers import bank_debits_of, obligation_of
from tests.browsing import client_for, freeze_clock, visible_text
from tests.conftest import BY, NOON, Shop, make_due_order, make_person, make_shop, yuan
from tests.threads import run_concurrently
from tests.unchanged import assert_unchanged

TOMORROW_AT_TEN = NOON + timedelta(hours=22)
_TOKEN = re.compile(r'action="[^"]*/move#move">.*?name="token" value="([0-9a-f]{24})"', re.DOTALL)
_OPTION = re.compile(r'name="day" value="([0-9-]+)"[^>]*><span>([^<]+)</span>')
#: Written before anything is decided: that this form was sent.
MARK = "kernel_idempotencykey"


def _november(first: int, last: int, hour: str = "10:00") -> list[str]:
    return [f"11-{day:02} {hour}" for day in range(first, last + 1)]


def page_of(order: Order) -> str:
    return f"/orders/{order.public_id}"


def failed(shop: Shop, behaviour: str = "no_funds", *, at: datetime = NOON) -> Order:
    """What was due could not be taken; the person looks at it at noon."""
    order = make_due_order(shop, make_person(shop, behaviour), yuan("12.34"))
    deduct_due(shop.realm_id, at=at)
    freeze_clock(NOON, order.person)
    return order


def offered(response: HttpResponse) -> dict[str, str]:
    """The days that can be chosen, and how they read."""
    return dict(_OPTION.findall(response.content.decode()))


def move(browser: Client, order: Order, day: str, *, token: str = "", obligation: str = "") -> HttpResponse:
    """Choose this day in the order's form, and send it."""
    found = _TOKEN.search(browser.get(page_of(order)).content.decode())
    fields = {"day": day, "token": token or (found[1] if found else "0" * 24)}
    fields["obligation"] = obligation or order.obligations.earliest("sequence").public_id
    return browser.post(f"{page_of(order)}/move", fields)


def test_planned_attempts_are_shown(power_bank: Shop) -> None:
    order = make_due_order(power_bank, make_person(power_bank), yuan("5"), due_at=NOON + timedelta(days=2))
    freeze_clock(NOON, order.person)
    assert "接下来 2026年11月22日 12:00 到期自动扣款 · 沙箱银行卡" in visible_text(
        client_for(order.person).get(page_of(order))
    )
    order = failed(power_bank)
    page = visible_text(client_for(order.person).get(page_of(order)))
    assert "2026年11月21日 10:00 此前扣款失败，再次扣款 · 沙箱银行卡" in page
    assert "到期自动扣款" not in page
    order.person.instruments.update(state="removed")
    assert "再次扣款 · 还没有可用的扣款方式" in visible_text(client_for(order.person).get(page_of(order)))

    order = failed(power_bank, "timeout_then_not_paid")
    for seconds in (5, 35):
        poll_deductions(power_bank.realm_id, at=NOON + timedelta(seconds=seconds))
    assert "12:10 银行系统故障，再次扣款 · 沙箱银行卡" in visible_text(client_for(order.person).get(page_of(order)))

    order = make_due_order(power_bank, make_person(power_bank, "no_funds"), yuan("5"))
    open_wallet(order.person, at=NOON)
    deduct_due(power_bank.realm_id, at=NOON)
    page = visible_text(client_for(order.person).get(page_of(order)))
    assert "12:00 上一个扣款方式扣款失败，改用下一个 · 钱包余额" in page


def test_a_person_moves_the_next_deduction_once(power_bank: Shop) -> None:
    order = failed(power_bank)
    browser = client_for(order.person)
    page = browser.get(page_of(order))
    days = offered(page)
    assert list(days) == [f"2026-11-{day}" for day in range(22, 29)]
    assert days["2026-11-25"] == "11月25日周三 10:00"
    assert "只能改一次，最晚到 11月28日周六 10:00" in visible_text(page)

    answer = move(browser, order, "2026-11-25")

    assert (answer.status_code, answer["Location"]) == (302, page_of(order))
    assert obligation_of(order).collect_at == TOMORROW_AT_TEN + timedelta(days=4)
    page = browser.get(page_of(order))
    for shown in ("已改期，将于 11月25日周三 10:00 扣款", "2026年11月25日 10:00 在您选择的日期扣款", "不能再改"):
        assert shown in visible_text(page), shown
    assert offered(page) == {}
    with assert_unchanged(MARK):
        again = move(browser, order, "2026-11-26")
    assert again.status_code == 409
    assert "这笔扣款已改期一次，不能再改。" in visible_text(again)
    assert "it cannot be changed again" in visible_text(client_for(order.person, "en").get(page_of(order)))


def test_a_double_click_moves_once_without_an_error(power_bank: Shop) -> None:
    order = failed(power_bank)
    browser = client_for(order.person)
    for _click in range(2):
        assert move(browser, order, "2026-11-25", token="1" * 24)["Location"] == page_of(order)
    assert "您已提交过" in visible_text(browser.get(page_of(order)))
    assert obligation_of(order).collect_at == TOMORROW_AT_TEN + timedelta(days=4)


@pytest.mark.django_db(transaction=True)
def test_of_two_concurrent_moves_one_succeeds(power_bank: Shop) -> None:
    order = failed(power_bank)
    days = ["2026-11-24", "2026-11-26"]
    answers = run_concurrently(*(partial(move, client_for(order.person), order, day) for day in days))

    assert sorted(answer.status_code for answer in answers) == [302, 409]
    chosen = days[[answer.status_code for answer in answers].index(302)]
    assert str(obligation_of(order).collect_at).startswith(chosen)


@pytest.mark.parametrize(
    "day",
    [
        *("", "2026-11-20", "2026-11-21", "2026-11-29", "2027-01-01", "2026-02-30", "0000-00-00", "2026-W48-3"),
        *("tomorrow", "２０２６-11-25", "2026-11-25 ", "2026-11-25T10:00:00Z", "\0", "9" * 999),
    ],
)
def test_a_day_that_was_not_offered_is_refused_beside_the_form(power_bank: Shop, day: str) -> None:
    order = failed(power_bank)
    browser = client_for(order.person)
    with assert_unchanged(MARK):
        answer = move(browser, order, day)
    assert answer.status_code == 422
    assert 'role="alert" id="not-moved"' in answer.content.decode()
    assert "不能改到这一天，请从可选日期中选择。" in visible_text(answer)
    assert len(offered(answer)) == 7
    assert "open" in answer.content.decode().partition('<details id="move"')[2][:6]


def test_nothing_is_moved_while_a_deduction_is_in_flight(power_bank: Shop) -> None:
    order = make_due_order(power_bank, make_person(power_bank, "slow"), yuan("5"), due_at=NOON + timedelta(days=1))
    freeze_clock(NOON, order.person)
    browser = client_for(order.person)
    deduct_due(power_bank.realm_id, at=NOON + timedelta(days=1))
    with assert_unchanged(MARK):
        answer = move(browser, order, "2026-11-25")
    assert answer.status_code == 409
    assert "有一笔扣款正在进行" in visible_text(answer)
    assert offered(answer) == {}


def test_nothing_is_moved_without_a_plan(power_bank: Shop) -> None:
    order = failed(power_bank, "hard_decline")
    browser = client_for(order.person)
    assert "没有后续的自动扣款" in visible_text(browser.get(page_of(order)))
    paid = make_due_order(power_bank, make_person(power_bank), yuan("5"))
    deduct_due(power_bank.realm_id, at=NOON)
    still = failed(power_bank)
    orders.pause_order(still.id, "hardship", by=BY, at=NOON)
    for unplanned in (order, paid, still):
        browser = client_for(unplanned.person)
        with assert_unchanged(MARK):
            answer = move(browser, unplanned, "2026-11-25")
        assert answer.status_code == 409
        assert "目前没有可改期的扣款。" in visible_text(answer)
        assert offered(answer) == {}


def test_another_persons_order_is_not_found(power_bank: Shop) -> None:
    mine, theirs = failed(power_bank), failed(power_bank)
    browser = client_for(mine.person)
    obligation = obligation_of(theirs).public_id
    with assert_unchanged():
        assert move(browser, theirs, "2026-11-25").status_code == 404
        for named in (obligation, "obl_x", "obl_" + "0" * 32, mine.public_id):
            assert move(browser, mine, "2026-11-25", obligation=named).status_code == 404
        assert browser.post(f"/orders/ord_{'0' * 32}/move", {"day": "2026-11-25"}).status_code == 404
        assert browser.get(f"{page_of(mine)}/move")["Location"] == page_of(mine)
        assert browser.post(f"{page_of(mine)}/move", {}).status_code == 404
        nonsense = {"day": "2026-11-25", "obligation": obligation_of(mine).public_id, "token": "x"}
        assert browser.post(f"{page_of(mine)}/move", nonsense).status_code == 422


@pytest.mark.parametrize(
    ("zone", "planned", "days"),
    [
        # The clocks go back on 1 November: the seventh day is an hour more than seven days away.
        ("America/New_York", "2026-10-28 10:00", [*(f"10-{day} 10:00" for day in (29, 30, 31)), *_november(1, 3)]),
        # What is planned for the night waits for the next morning.
        ("Australia/Lord_Howe", "2026-10-02 02:15", [f"10-{day:02} 07:00" for day in range(3, 9)]),
        ("Asia/Kathmandu", "2026-11-20 23:30", _november(21, 27, "07:00")),
        ("Pacific/Kiritimati", "2026-11-20 21:59", _november(21, 27, "21:59")),
    ],
)
def test_days_are_in_the_persons_time_zone(zone: str, planned: str, days: list[str]) -> None:
    there = ZoneInfo(zone)
    at = datetime.fromisoformat(planned).replace(tzinfo=there).astimezone(ZoneInfo("UTC"))
    row = Obligation(plan=[{"at": at.isoformat(), "reason": "due"}])
    moves = queries.rescheduling_options(row, Policy(), zone=zone, at=at - timedelta(hours=1))
    assert [f"{moment.astimezone(there):%m-%d %H:%M}" for moment in moves] == days


def test_times_are_shown_in_the_persons_time_zone(power_bank: Shop) -> None:
    person = make_person(power_bank, "no_funds")
    Person.objects.filter(pk=person.pk).update(zone="America/New_York")
    order = make_due_order(power_bank, person, yuan("5"))
    deduct_due(power_bank.realm_id, at=NOON)
    freeze_clock(NOON, person)
    browser = client_for(person, "en")
    page = browser.get(page_of(order))
    assert "Nov 20, 2026 10:00" in visible_text(page)
    assert next(iter(offered(page))) == "2026-11-21"
    move(browser, order, "2026-11-27")
    moved = obligation_of(order).collect_at
    assert moved
    assert moved.astimezone(ZoneInfo("America/New_York")).isoformat() == "2026-11-27T10:00:00-05:00"


def test_the_policy_limits_the_offered_days(power_bank: Shop) -> None:
    strict = {"move_days_max": 1, "retry_hour": 9}
    RetryPolicy.objects.create(name="standard", version=99, effective_from=NOON, terms=strict, by="test", at=NOON)
    order = failed(power_bank)
    browser = client_for(order.person)
    assert offered(browser.get(page_of(order))) == {"2026-11-22": "11月22日周日 09:00"}
    assert move(browser, order, "2026-11-22").status_code == 302


def test_days_after_the_grace_period_are_marked(power_bank: Shop) -> None:
    order = failed(power_bank)
    page = client_for(order.person).get(page_of(order)).content.decode()
    in_time, late = page.split("<legend>改到以下日期，扣款前就会逾期</legend>")
    assert list(dict(_OPTION.findall(in_time))) == ["2026-11-22", "2026-11-23"]
    assert len(_OPTION.findall(late)) == 5
    assert "2026年11月23日 12:00</time> 之后仍未付清都会记为逾期" in late
    generous = make_shop("宽限小店", grace=timedelta(days=30))
    kind = failed(generous)
    assert "改到以下日期，扣款前就会逾期" not in client_for(kind.person).get(page_of(kind)).content.decode()


def test_the_late_fee_moves_with_its_debt(db: None) -> None:
    shop = make_shop("严谨租赁", grace=timedelta(), late_fee_daily_bps=50, late_fee_cap_bps=60)
    order = make_due_order(shop, make_person(shop, "no_funds"), yuan("98"))
    deduct_due(shop.realm_id, at=NOON)
    orders.mark_overdue(shop.realm_id, at=NOON, limit=10)
    later = NOON + timedelta(days=3, hours=1)
    orders.close_days(shop.realm_id, at=later, limit=10)  # the fee has reached its highest: no day touches it again
    deduct_due(shop.realm_id, at=later)
    freeze_clock(later, order.person)
    browser = client_for(order.person)
    page = visible_text(browser.get(page_of(order)))
    assert page.count("2026年11月25日 10:00 此前扣款失败") == 1
    assert "改期不会解除逾期，付清才会。" in page

    assert move(browser, order, "2026-11-28").status_code == 302

    debt, fee = order.obligations.order_by("sequence")
    assert (debt.kind, fee.kind) == ("principal", "late_fee")
    assert debt.collect_at == fee.collect_at == NOON + timedelta(days=7, hours=22)
    assert fee.moved_at == debt.moved_at == later
    assert bank_debits_of(order.person) == []
