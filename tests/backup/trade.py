"""A shop's business on whichever database DATABASE_URL names: `python -m tests.backup.trade 200` sells 200 times."""

import itertools
import sys
from datetime import timedelta

import django

django.setup()

from billing.services.deduct import deduct_due  # noqa: E402  Django must be set up before its tables are named
from billing.services.refunds import RefundDetails, refund_order  # noqa: E402
from orders import services as orders  # noqa: E402
from tests.conftest import BY, NOON, make_agreement, make_order, make_person, make_shop  # noqa: E402
from tests.settlement.helpers import MIDNIGHT, settle_and_pay_out  # noqa: E402

AT_ONCE = 10


def trade(count: int) -> None:
    """Sold, collected, one in seven refunded in part, and settled at midnight."""
    shop, numbers = make_shop("来电充电宝"), itertools.count()
    while (first := next(numbers) * AT_ONCE) < count:
        agreement = make_agreement(shop, make_person(shop))
        for number in range(first, min(first + AT_ONCE, count)):
            order = make_order(shop, agreement)
            orders.complete_order(order.id, orders.CompletionRequest(total=500 + number % 400), by=BY, at=NOON)
            deduct_due(shop.realm_id, at=NOON)
            if number % 7 == 0:
                refund_order(order.id, RefundDetails(amount_minor=123, reason="退货"), by=BY, at=NOON)
    settle_and_pay_out(shop, MIDNIGHT + timedelta(minutes=1))


if __name__ == "__main__":
    trade(int(sys.argv[1]))
