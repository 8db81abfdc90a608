"""The time of the collections worklist and the queues at a million orders of which fifty thousand are overdue.

`make bench-worklist`. A scratch database of the tests' servers; rows are copied by SQL (tests/speed), each twentieth
order is overdue, of forty thousand people in the live realm. Times are of Django's whole response.
"""

import os
from collections.abc import Iterator

import pytest
from django.template import Template
from pytest_django import DjangoDbBlocker

from accounts import services as accounts
from benchmarks.lists import measure
from billing.services.deduct import deduct_due
from orders import services
from tests.browsing import signed_in_client
from tests.conftest import BY, NOON, make_due_order, make_order, make_person, make_shop, reload_order, yuan
from tests.services import services as servers
from tests.speed.bulk_orders import create_orders

ORDERS = int(os.environ.get("LISTED_ORDERS", "1000000"))
PEOPLE = ORDERS // 25
#: The limit of the 95th percentile. The first page sums all open debts.
MOST_MS = 500
#: 60 % are overdue by less than a month, 10 % by more than three.
_LATE = """
INSERT INTO accounts_person (id, realm_id, ref, zone, silenced, wake_hour, rest_hour, created_at)
SELECT lpad(to_hex(n + 1), 32, '0')::uuid, 1, 'B' || n, 'Asia/Shanghai', '[]', 8, 22, %(at)s
FROM generate_series(0, %(people)s - 1) n;
UPDATE orders_obligation SET state = 'overdue', realm_id = 1, overdue_days = days,
    bucket = CASE WHEN days > 90 THEN '90+' WHEN days > 60 THEN '61-90' WHEN days > 30 THEN '31-60' ELSE '1-30' END,
    person_id = lpad(to_hex(n %% %(people)s + 1), 32, '0')::uuid, collect_at = NULL, overdue_from = NULL, plan = '[]'
FROM (SELECT key, n, 1 + (n * 7919 %% 100) * (n * 7919 %% 100) / 90 AS days FROM (
          SELECT id AS key, row_number() OVER (ORDER BY id) AS n FROM orders_obligation
          WHERE collect_at IS NOT NULL) due) late
WHERE id = key;
INSERT INTO accounts_contact (id, realm_id, person_id, order_id, way, outcome, promised_on, note, by, at)
SELECT lpad(to_hex(n + 1), 32, '0')::uuid, 1, lpad(to_hex(n %% %(people)s + 1), 32, '0')::uuid, NULL, 'call',
       CASE WHEN n %% 4 = 0 THEN 'promised' ELSE 'reached' END,
       CASE WHEN n %% 4 = 0 THEN (now() - (n %% 60) * interval '1 day')::date END, '', 'system:test',
       now() - interval '3 days'
FROM generate_series(0, %(people)s - 1) n
"""
PAGES = ("/ops/collections/", "/ops/collections/?bucket=31-60", "/ops/collections/?bucket=90%2B", "/ops/queues/")


@pytest.fixture(scope="module")
def late(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """A million orders, one in twenty overdue."""
    with django_db_blocker.unblock():
        bank = make_shop("来电充电宝")
        paid = make_due_order(bank, make_person(bank), yuan("12.34"))
        deduct_due(bank.realm_id, at=NOON)
        made = make_order(bank, paid.agreement)
        services.complete_order(made.id, services.CompletionRequest(total=500), by=BY, at=NOON)
        others = [make_person(bank).id for _ in range(100)]
        create_orders(ORDERS, due=ORDERS // 20, paid=reload_order(paid.id), owed=reload_order(made.id), others=others)
        with servers.superuser() as superuser, superuser.cursor() as cursor:
            cursor.execute("SET session_replication_role = replica")
            cursor.execute(_LATE, {"at": NOON, "people": PEOPLE})
            cursor.execute("VACUUM ANALYZE orders_obligation, accounts_person, accounts_contact")
        yield


def test_the_worklist_of_a_million_orders(late: None, monkeypatch: pytest.MonkeyPatch) -> None:
    # As a server renders: the tests' own rendering keeps a copy of every part's context.
    monkeypatch.setattr(Template, "_render", lambda template, context: template.nodelist.render(context))
    browser = signed_in_client(
        accounts.create_staff("lin", "correct horse battery", roles=["supervisor"], by=BY, at=NOON)
    )
    page = browser.get(PAGES[0]).content.decode()
    after = page.rpartition("after=")[2][:32]
    slow = []
    print(f"\n{ORDERS} orders, {ORDERS // 20} overdue\n| page | p50 ms | p95 ms |\n|---|---|---|")
    for path in (*PAGES, f"{PAGES[0]}?bucket=1-30&after={after}"):
        half, most = measure(browser, path)
        print(f"| {path} | {half:.0f} | {most:.0f} |", flush=True)
        slow += [path] if most > MOST_MS else []
    assert slow == []
