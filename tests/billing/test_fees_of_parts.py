"""Two parts of a plan are overdue: the order's one late fee is deducted and announced with one of them."""

import re
from datetime import timedelta

import pytest

from accounts.models import Notice
from billing.models import DeductionLine
from billing.services.deduct import deduct_due
from billing.services.instruments import open_wallet
from billing.services.pay import pay_now
from billing.services.reminders import remind_all
from billing.services.wallets import top_up
from orders import services as orders
from orders.models import Obligation
from orders.rules import PlanOffer
from tests.billing.test_home_page import home
from tests.browsing import freeze_clock
from tests.conftest import BY, NOON, make_due_order, make_person, make_shop, yuan

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)


@pytest.mark.parametrize("cap_bps", [60, 200, 1000])
@pytest.mark.parametrize(("amount", "parts", "daily_bps"), [("100", 2, 5), ("33.33", 3, 5), ("50", 3, 50)])
def test_the_announced_amount_is_deducted(cap_bps: int, amount: str, parts: int, daily_bps: int) -> None:
    shop = make_shop("飞鸽", ceiling_minor=200_00, late_fee_daily_bps=daily_bps, late_fee_cap_bps=cap_bps)
    person = make_person(shop, "no_funds")
    order = make_due_order(shop, person, yuan(amount))
    orders.choose_plan(person.id, order.id, PlanOffer(parts, 14), expected=[yuan(amount)], by=BY, at=NOON)
    wrong, seen = [], 0
    for hour in range(14 * 24, 52 * 24):
        at = NOON + hour * HOUR
        if not Obligation.objects.filter(collect_at__lte=at).exists() and (at.hour, at.minute) not in ((16, 0), (4, 0)):
            continue
        orders.mark_overdue(shop.realm_id, at=at, limit=9)
        orders.close_days(shop.realm_id, at=at, limit=9)
        remind_all(shop.realm_id, at=at)
        deduct_due(shop.realm_id, at=at)
        told = [row.body for row in Notice.objects.filter(stage="debit_planned", due_at__gt=at - HOUR, due_at__lte=at)]
        said = sum(round(float(body.partition("¥")[2].partition(" ")[0]) * 100) for body in told)
        taken = sum(line.amount_minor for line in DeductionLine.objects.filter(deduction__prepared_at=at))
        if told and taken:
            seen += 1
            wrong += [(hour, said, taken)] if said != taken else []
    assert seen > 5
    assert wrong == []


def test_the_home_page_says_the_same() -> None:
    shop = make_shop("飞鸽", ceiling_minor=200_00, late_fee_daily_bps=50, late_fee_cap_bps=1000)
    person = make_person(shop, "no_funds")
    order = make_due_order(shop, person, yuan("100"))
    orders.choose_plan(person.id, order.id, PlanOffer(2, 14), expected=[yuan("100")], by=BY, at=NOON)
    said: list[int] = []
    taken: list[int] = []
    for hour in range(14 * 24 - 2, 45 * 24):
        at = NOON + hour * HOUR
        if at.hour not in (2, 4, 16):  # ten, noon and midnight there
            continue
        orders.mark_overdue(shop.realm_id, at=at, limit=9)
        orders.close_days(shop.realm_id, at=at, limit=9)
        deduct_due(shop.realm_id, at=at)
        tried = sum(line.amount_minor for line in DeductionLine.objects.filter(deduction__prepared_at=at))
        if len(said) > len(taken) and tried:
            taken.append(tried)
        freeze_clock(at, person)
        told = re.search(r"即将扣款 \S+ \d\d:\d\d ¥([\d.]+)", home(person))
        if tried and told:
            said.append(round(float(told[1]) * 100))
    assert len(taken) > 5
    assert said[: len(taken)] == taken


def test_fees_of_paid_parts_count_against_the_cap_on_the_home_page() -> None:
    shop = make_shop("飞鸽", ceiling_minor=200_00, late_fee_daily_bps=50, late_fee_cap_bps=60)
    person = make_person(shop, "no_funds")
    order = make_due_order(shop, person, yuan("100"))
    orders.choose_plan(person.id, order.id, PlanOffer(2, 14), expected=[yuan("100")], by=BY, at=NOON)
    shown: set[str] = set()
    for hour in range(14 * 24 - 2, 37 * 24):
        at = NOON + hour * HOUR
        if at.hour not in (2, 4, 16):
            continue
        orders.mark_overdue(shop.realm_id, at=at, limit=9)
        orders.close_days(shop.realm_id, at=at, limit=9)
        if hour == 25 * 24:
            open_wallet(person, at=at)
            top_up(person.id, yuan("50.60"), "t", at=at)
            wallet = person.instruments.get(channel="wallet")
            pay_now(order.id, amount_minor=5_060, instrument_id=wallet.id, by=BY, at=at)
        deduct_due(shop.realm_id, at=at)
        if hour > 31 * 24:
            freeze_clock(at, person)
            shown |= set(re.findall(r"即将扣款 \S+ \d\d:\d\d ¥([\d.]+)", home(person)))
    row = order.obligations.get(state="overdue")
    assert (row.fee_units, row.owed) == (0, yuan("50"))
    assert shown == {"50.00"}
