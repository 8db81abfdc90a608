"""An order that somebody else has in hand, or a database that cannot just now, costs no day: it is counted later."""

from datetime import timedelta

import pytest
from django.db import OperationalError
from psycopg2 import extensions

from orders import rules
from orders import services as orders
from tests.conftest import Shop, make_shop
from tests.orders.test_ageing import A_DAY, MIDNIGHT, late_fee, overdue, principal

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("all_asked")]


@pytest.fixture
def strict(transactional_db: None) -> Shop:
    return make_shop("严谨租赁", grace=timedelta(), late_fee_daily_bps=5, late_fee_cap_bps=100, ceiling_minor=1_000_000)


def test_who_holds_an_order_keeps_its_days_waiting_and_nobody_elses(
    strict: Shop, superuser_connection: extensions.connection
) -> None:
    held, free = overdue(strict, "666"), overdue(strict, "100")
    with superuser_connection.cursor() as somebody:
        somebody.execute("BEGIN; SELECT 1 FROM orders_order WHERE id = %s FOR NO KEY UPDATE", [str(held.id)])
        assert orders.close_days(strict.realm_id, at=MIDNIGHT, limit=10) == 1
        somebody.execute("COMMIT")
    assert [(principal(one).overdue_days, principal(one).day_end_error) for one in (held, free)] == [(0, ""), (1, "")]
    assert orders.close_days(strict.realm_id, at=MIDNIGHT + 2 * A_DAY, limit=10) == 2
    assert [principal(one).overdue_days for one in (held, free)] == [3, 3]
    assert late_fee(held) == 666_00 * 15 // 10_000


def test_a_database_that_cannot_just_now_is_no_fault_of_the_row(strict: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    order, real = overdue(strict), rules.fee_after

    def late(*_args: object, **_how: object) -> tuple[int, int]:
        raise OperationalError("canceling statement due to lock timeout")

    monkeypatch.setattr(rules, "fee_after", late)
    assert orders.close_days(strict.realm_id, at=MIDNIGHT, limit=10) == 0
    assert (principal(order).overdue_days, principal(order).day_end_error) == (0, "")
    monkeypatch.setattr(rules, "fee_after", real)
    assert orders.close_days(strict.realm_id, at=MIDNIGHT, limit=10) == 1
    assert (principal(order).overdue_days, principal(order).day_end_error) == (1, "")
