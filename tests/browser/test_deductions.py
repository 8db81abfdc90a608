"""What people do about a coming deduction, in a real browser: move it, pay everything, read what they were told."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from accounts import inbox
from accounts.deliver import deliver_due
from accounts.models import Person
from billing.channels import bank
from billing.services.deduct import deduct_due
from billing.services.instruments import open_wallet, top_up
from billing.services.pay import pay_now
from billing.services.remind import remind_due
from orders import services as orders
from orders.models import Order
from tests.billing.bench import owed_of
from tests.browser.conftest import Eye, sign_in
from tests.browser.test_people import PHONE_ZH, choose, reach, send
from tests.conftest import BY, NOON, Shop, completed, make_shop, opened, ordered, someone, yuan
from tests.visiting import it_is

LONG = "共享充电宝租借：从人民广场地铁站二号口到外滩观景平台，借还于不同网点，含夜间封顶与会员日优惠的一次很长很长的行程订单标题"


class Debts:
    """Ada owes something overdue with a late fee, something due next week, and something she has complained about."""

    def __init__(self) -> None:
        self.shop = make_shop("严谨租赁", ceiling_minor=500_00, late_fee_daily_bps=5, late_fee_cap_bps=1000)
        self.ada = someone(self.shop, "no_funds")
        self.agreement = opened(self.shop, self.ada)
        self.late = self.used("单车骑行", "98.00", NOON - timedelta(days=8))
        self.coming = self.used("充电宝租借", "12.34", NOON - timedelta(hours=2), due=NOON + timedelta(days=2))
        self.disputed = self.used(LONG[:100], "45.60", NOON - timedelta(days=1))
        deduct_due(self.shop.realm_id, at=NOON - timedelta(hours=1))
        orders.pause_order(self.disputed.id, "problem_reported", by=BY, at=NOON - timedelta(hours=1))
        orders.mark_overdue(self.shop.realm_id, at=NOON - timedelta(days=4), limit=10)
        orders.close_days(self.shop.realm_id, at=NOON, limit=10)
        remind_due(self.shop.realm_id, at=NOON)
        deliver_due(self.shop.realm_id, at=NOON)
        it_is(NOON, self.ada)

    def used(self, title: str, total: str, at: object, due: object = None) -> Order:
        order = ordered(self.shop, self.agreement, title=title, at=at)
        final = orders.Final(total=yuan(total).minor, due_at=due)
        return orders.complete_order(order.id, final, by=BY, at=at)


@pytest.fixture
def debts(transactional_db: None) -> Debts:
    return Debts()


def test_a_person_moves_a_deduction_and_pays_everything(eye: Eye, debts: Debts) -> None:
    eye.go("/inbox/")
    sign_in(eye, debts.ada)
    eye.sees("60-inbox")
    eye.go(f"/orders/{debts.late.public_id}")
    eye.sees("61-overdue")
    eye.go(f"/orders/{debts.disputed.public_id}")
    eye.sees("62-paused")
    eye.go(f"/orders/{debts.coming.public_id}")
    eye.page.locator("#move summary").click()
    eye.sees("63-move")
    eye.page.locator("#day").select_option(index=2)
    eye.page.evaluate("document.querySelector('#day').selectedOptions[0].value = '2027-01-01'")
    eye.page.locator('form[action$="/move#move"] button').click()
    eye.sees("64-not-moved", expected=422)
    eye.page.locator("#day").select_option(index=2)
    eye.page.locator('form[action$="/move#move"] button').click()
    eye.sees("65-moved")
    eye.go("/orders/")
    eye.page.locator('a[href="/pay-all/"]').click()
    eye.sees("66-pay-all")
    send(eye, "/pay-all/")
    eye.sees("67-all-failed")
    open_wallet(debts.ada, at=NOON)
    top_up(debts.ada.id, yuan("200"), "t", at=NOON)
    eye.go("/pay-all/")
    choose(eye, debts.ada.instruments.get(channel="wallet").public_id)
    send(eye, "/pay-all/")
    eye.page.locator("summary").click()
    eye.sees("68-all-paid")
    eye.go("/pay-all/")
    eye.sees("69-nothing-owed")
