"""A merchant's day ends: what was booked for them becomes a settlement, each line once for ever, and is paid out."""

from datetime import timedelta

from billing.channels import bank_payouts
from billing.models import Settlement
from billing.services.payouts import pay_out_due
from billing.services.settlement import settle_due
from merchants.models import Event
from tests.billing.bench import balances, give_back, paid
from tests.conftest import NOON, Shop
from tests.stillness import nothing_moves

ONE_DAY = timedelta(days=1)
#: The first midnight in Shanghai after noon there.
MIDNIGHT = NOON + timedelta(hours=12)


def arrived(shop: Shop) -> list[int]:
    """What really came to the merchant's account at the bank."""
    return [money.minor for money in bank_payouts.payouts_to(f"{shop.realm_id}:out:")]


def test_a_day_is_settled_line_by_line_and_paid_out(power_bank: Shop) -> None:
    order = paid(power_bank)
    give_back(order, "2")
    assert settle_due(power_bank.realm_id, at=MIDNIGHT) == 1
    settlement = Settlement.objects.get()
    assert (settlement.state, settlement.period_start, settlement.period_end) == ("closed", NOON, MIDNIGHT)
    assert (settlement.gross_minor, settlement.fees_minor, settlement.refunds_minor) == (600, -2, -200)
    assert (settlement.net_minor, settlement.lines_count) == (398, 4)
    lines = [(line.kind, line.amount_minor, line.order_id) for line in settlement.lines.all()]
    assert lines == [("gross", 600, order.id), ("fee", -4, order.id), ("refund", -200, order.id), ("fee", 2, order.id)]

    assert pay_out_due(power_bank.realm_id, at=MIDNIGHT) == 1
    settlement = Settlement.objects.get()
    assert (settlement.state, settlement.paid_at, arrived(power_bank)) == ("paid", MIDNIGHT, [398])
    assert balances(power_bank) == {"clearing:sandbox": 2, "fees": 2}
    event = Event.objects.get(type="settlement.paid")
    assert (event.data["net"], event.data["state"], event.subject_id) == (398, "paid", settlement.id)


def test_settling_twice_changes_nothing(power_bank: Shop) -> None:
    paid(power_bank)
    settle_due(power_bank.realm_id, at=MIDNIGHT)
    pay_out_due(power_bank.realm_id, at=MIDNIGHT)
    with nothing_moves():
        assert settle_due(power_bank.realm_id, at=MIDNIGHT + timedelta(hours=1)) == 0
        assert pay_out_due(power_bank.realm_id, at=MIDNIGHT + timedelta(hours=1)) == 0
