"""Creates any number of orders by SQL, as copies of two real ones, so that the planner sees realistic table sizes.

Two in a hundred belong to the merchant, one of these to the person; the rest to five hundred other merchants and some
other people.

Triggers are disabled and there is no history, so invariants do not hold for these rows: they are only searched.
tests/simulation/generator.py creates complete orders.
"""

from collections.abc import Sequence
from uuid import UUID

from orders.models import Order
from tests.services import services as servers

MINE_EACH, HERS_EACH = 100, 100
#: Tables that the queries join; analysed too, so that statistics of earlier tests do not matter.
JOINED_TABLES = ("merchants_merchant", "merchants_service", "accounts_person", "accounts_user", "credit_agreement")
INSERT_SQL = """
CREATE TEMP TABLE plan ON COMMIT DROP AS
  SELECT n, lpad(to_hex(n), 32, '0')::uuid AS id, n %% %(each)s = 0 AS hers, n %% %(apart)s = 3 AS due
  FROM generate_series(1, %(orders)s) n;
INSERT INTO merchants_merchant ({shop_columns}) SELECT {shop_values} FROM generate_series(0, 499) n
  JOIN merchants_merchant t ON t.id = %(shop)s ON CONFLICT DO NOTHING;
INSERT INTO orders_order ({order_columns}) SELECT {order_values} FROM plan p
  JOIN orders_order t ON t.id = CASE WHEN p.due THEN %(owed)s::uuid ELSE %(paid)s::uuid END ORDER BY n;
INSERT INTO orders_obligation ({debt_columns}) SELECT {debt_values} FROM plan p
  JOIN orders_obligation t ON t.order_id = CASE WHEN p.due THEN %(owed)s::uuid ELSE %(paid)s::uuid END ORDER BY n;
"""
_PERSON = "CASE WHEN p.hers THEN t.person_id ELSE (%(others)s::uuid[])[1 + p.n / 20 %% %(many)s] END"
_MERCHANT = (
    "CASE WHEN p.n %% %(mine)s IN (0, 3) THEN t.merchant_id ELSE lpad(to_hex(p.n / 7 %% 500), 32, '0')::uuid END"
)
_ORDER = {
    "id": "p.id",
    "merchant_id": _MERCHANT,
    "person_id": _PERSON,
    "out_order_no": "'B' || p.n",
    "created_at": "t.created_at - (%(orders)s - p.n) * interval '1 second'",
}
_SHOP = {"id": "lpad(to_hex(n), 32, '0')::uuid", "twin_id": "NULL"}
_DEBT = {"id": "p.id", "order_id": "p.id", "merchant_id": _MERCHANT, "person_id": _PERSON}


def create_orders(orders: int, *, due: int, paid: Order, owed: Order, others: Sequence[UUID]) -> None:
    """Create orders, of which `due` are copies of `owed` that others owe; the rest are copies of `paid`."""
    with servers.superuser() as superuser, superuser.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        columns = {}
        for table in ("orders_order", "orders_obligation", "merchants_merchant"):
            cursor.execute("SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0", [table])
            columns[table] = [name for (name,) in cursor.fetchall()]
        superuser.autocommit = False
        cursor.execute(
            INSERT_SQL.format(
                shop_columns=", ".join(columns["merchants_merchant"]),
                shop_values=_values(columns["merchants_merchant"], _SHOP),
                order_columns=", ".join(columns["orders_order"]),
                order_values=_values(columns["orders_order"], _ORDER),
                debt_columns=", ".join(columns["orders_obligation"]),
                debt_values=_values(columns["orders_obligation"], _DEBT),
            ),
            {
                "each": HERS_EACH,
                "mine": MINE_EACH,
                "apart": max(orders // due, 1),
                "orders": orders,
                "owed": str(owed.id),
                "shop": str(paid.merchant_id),
                "paid": str(paid.id),
                "others": list(map(str, others)),
                "many": len(others),
            },
        )
        superuser.commit()
        superuser.autocommit = True
        cursor.execute("VACUUM ANALYZE orders_order, orders_obligation")
        cursor.execute(f"ANALYZE {', '.join(JOINED_TABLES)}")


def _values(columns: list[str], changed: dict[str, str]) -> str:
    """The copied columns, with the changed ones replaced."""
    return ", ".join(changed.get(name, f"t.{name}") for name in columns)
