"""If an order is locked or the database fails, its day is closed later."""

from datetime import timedelta

import pytest
from django.db import OperationalError
from psycopg2 import extensions

from orders import rules
from orders import services as orders
from tests.conftest import Shop, make_shop
from tests.orders.test_ageing import A_DAY, MIDNIGHT, late_fee, overdue, principal

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("all_attempted")]


@pytest.fixture
def strict(transactional_db: None) -> Shop:
    return make_shop("严谨租赁", grace=timedelta(), late_fee_daily_bps=5, late_fee_cap_bps=100, ceiling_minor=1_000_000)


def test_a_locked_order_delays_only_its_own_day_ends(strict: Shop, superuser_connection: extensions.connection) -> None:
    held, free = overdue(strict, "666"), overdue(strict, "100")
    with superuser_connection.cursor() as somebody:
        somebody.execute("BEGIN; SELECT 1 FROM orders_order WHERE id = %s FOR NO KEY UPDATE", [str(held.id)])
        assert orders.close_days(strict.realm_id, at=MIDNIGHT, limit=10) == 1
        somebody.execute("COMMIT")
    assert [(principal(one).overdue_days, principal(one).day_end_error) for one in (held, free)] == [(0, ""), (1, "")]
    assert orders.close_days(strict.realm_id, at=MIDNIGHT + 2 * A_DAY, limit=10) == 2
    assert [principal(one).overdue_days for one in (held, free)] == [3, 3]
    assert late_fee(held) == 666_00 * 15 // 10_000


def test_a_database_error_is_not_stored_as_the_rows_error(strict: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    order, real = overdue(strict), rules.accrue_fee_units

    def late(*_args: object, **_how: object) -> tuple[int, int]:
        raise OperationalError("canceling statement due to lock timeout")

    monkeypatch.setattr(rules, "accrue_fee_units", late)
    assert orders.close_days(strict.realm_id, at=MIDNIGHT, limit=10) == 0
    assert (principal(order).overdue_days, principal(order).day_end_error) == (0, "")
    monkeypatch.setattr(rules, "accrue_fee_units", real)
    assert orders.close_days(strict.realm_id, at=MIDNIGHT, limit=10) == 1
    assert (principal(order).overdue_days, principal(order).day_end_error) == (1, "")
