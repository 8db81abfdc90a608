"""A merchant may try again and again; the person hears of it once a day."""

from datetime import timedelta

from accounts.models import Delivery, Notice
from billing.services.deduct import deduct_due
from billing.services.pay import collect_now
from tests.conftest import BY, NOON, Shop, completed, someone, yuan


def test_however_often_a_merchant_tries_the_phone_rings_once_a_day(power_bank: Shop) -> None:
    order = completed(power_bank, someone(power_bank, "no_funds"), yuan("6"))
    deduct_due(power_bank.realm_id, at=NOON)
    for minutes in (1, 2, 3):
        collect_now(order.id, by=BY, at=NOON + timedelta(minutes=minutes))
    rung = Delivery.objects.exclude(channel="inbox").filter(notice__stage="debit_failed")
    assert (Notice.objects.filter(stage="debit_failed").count(), rung.count()) == (4, 1)
    collect_now(order.id, by=BY, at=NOON + timedelta(days=1, minutes=5))
    assert rung.count() == 2
