"""What lies ahead is not told as if it had happened."""

from datetime import timedelta

import pytest

from accounts.models import Person
from orders import services as orders
from tests.browsing import client_for, freeze_clock, visible_text
from tests.conftest import BY, NOON, Shop, make_agreement, make_order

A_DAY = timedelta(days=1)
AHEAD = ("Planned start Nov 21, 2026 12:00 PM", "Planned end Nov 22, 2026 12:00 PM")
BEHIND = ("Started Nov 21, 2026 12:00 PM", "Ended Nov 22, 2026 11:00 AM")


def shown(person: Person, path: str) -> str:
    return visible_text(client_for(person, "en").get(path))


@pytest.mark.parametrize("ends", ["completed", "cancelled"])
def test_of_an_order_that_runs_beginning_and_end_are_planned_ones(power_bank: Shop, ada: Person, ends: str) -> None:
    order = make_order(power_bank, make_agreement(power_bank, ada), starts_at=NOON + A_DAY, ends_at=NOON + 2 * A_DAY)
    freeze_clock(NOON, ada)
    page = f"/orders/{order.public_id}"
    before = shown(ada, page)
    assert [part in before for part in (*AHEAD, *BEHIND)] == [True, True, False, False]
    if ends == "completed":
        at = NOON + 2 * A_DAY - timedelta(hours=1)
        orders.complete_order(order.id, orders.CompletionRequest(total=600), by=BY, at=at)
        freeze_clock(at, ada)
        after = shown(ada, page)
        assert [part in after for part in (*AHEAD, *BEHIND)] == [False, False, True, True]
    else:
        orders.cancel_order(order.id, "x", by=BY, at=NOON)
        receipt = shown(ada, f"{page}/receipt")
        assert "Began" not in receipt
        assert "Ended" not in receipt
