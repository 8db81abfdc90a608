"""However often a merchant collects, the person is notified of failures once a day."""

from datetime import timedelta

from accounts.models import Delivery, Notice
from billing.services.deduct import deduct_due
from billing.services.pay import collect_now
from tests.conftest import BY, NOON, Shop, make_due_order, make_person, yuan


def test_repeated_collections_send_one_message_a_day(power_bank: Shop) -> None:
    order = make_due_order(power_bank, make_person(power_bank, "no_funds"), yuan("6"))
    deduct_due(power_bank.realm_id, at=NOON)
    for minutes in (1, 2, 3):
        collect_now(order.id, by=BY, at=NOON + timedelta(minutes=minutes))
    rung = Delivery.objects.exclude(channel="inbox").filter(notice__stage="debit_failed")
    assert (Notice.objects.filter(stage="debit_failed").count(), rung.count()) == (4, 1)
    collect_now(order.id, by=BY, at=NOON + timedelta(days=1, minutes=5))
    assert rung.count() == 2
