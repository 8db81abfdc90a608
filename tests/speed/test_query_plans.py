"""Plans of the most frequent queries on many orders: a missing index fails here, without measuring time."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import transaction

from accounts import deliver
from accounts.models import Person
from billing.services.deduct import deduct_due
from orders import services
from orders.models import Order
from tests.api import Api
from tests.browsing import client_for, freeze_clock
from tests.conftest import (
    BY,
    NOON,
    Shop,
    make_agreement,
    make_due_order,
    make_order,
    make_person,
    reload_order,
    yuan,
)
from tests.services import services as servers
from tests.speed.bulk_orders import create_orders
from tests.speed.query_plans import UPDATES, Plan, plans_of

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.breaks_invariants]
ORDERS, DUE = 20_000, 100
#: The most buffers a frequent query may touch for a page of twenty, whatever the number of orders.
PAGES_MAX = 200
#: Of one merchant or of all: there is one order behind a number as a rule.
NUMBERED = {"an_order_number_is_used_once", "orders_by_number"}
#: Of twenty thousand orders, one a second up to noon, a third.
LONG_AGO = "after=2026-11-19T22:40:00Z&before=2026-11-20T00:30:00Z"
LARGE_TABLES = ("orders_order", "orders_obligation")
PROFILES = """
INSERT INTO credit_profile
SELECT (json_populate_record(p, json_build_object('person_id', gen_random_uuid()))).*
FROM credit_profile p, generate_series(1, %s) WHERE person_id = %s
"""


def expensive_plans(plans: list[Plan]) -> list[str]:
    """The statements that scan a large table, or touch too many buffers."""
    return [
        f"{plan.scans} {plan.buffers} buffers: {plan.sql[:300]}"
        for plan in plans
        if plan.buffers > PAGES_MAX or any(kind == "Seq Scan" and table in LARGE_TABLES for kind, table in plan.scans)
    ]


def create_many_orders(shop: Shop, person: Person) -> Order:
    """Create many orders; returns the one that is owed."""
    paid = make_due_order(shop, person, yuan("12.34"))
    deduct_due(shop.realm_id, at=NOON)
    owed = make_order(shop, paid.agreement)
    services.complete_order(owed.id, services.CompletionRequest(total=500), by=BY, at=NOON)
    others = [make_person(shop).id for _ in range(10)]
    create_orders(ORDERS, due=DUE, paid=reload_order(paid.id), owed=reload_order(owed.id), others=others)
    return owed


def test_frequent_queries_use_indexes_and_touch_few_pages(
    power_bank: Shop, ada: Person, subtests: pytest.Subtests
) -> None:
    owed = create_many_orders(power_bank, ada)
    freeze_clock(NOON, ada)
    api, browser = Api(power_bank), client_for(ada)
    agreement, number = owed.agreement.public_id, owed.out_order_no
    deep = f"ord_{ORDERS // 2:032x}"
    asked: dict[str, tuple[Callable[[], object], set[str]]] = {
        "a list": (lambda: api.get("orders"), {"orders_of_merchant"}),
        "a list from deep": (lambda: api.get(f"orders?cursor={deep}"), {"orders_of_merchant"}),
        "a list of a state": (
            lambda: api.get("orders?state=deducted"),
            {"orders_of_merchant", "orders_of_merchant_by_state"},
        ),
        "a list of a long span, long ago": (lambda: api.get(f"orders?{LONG_AGO}"), {"orders_of_merchant_by_day"}),
        "a list of all since": (lambda: api.get(f"orders?after={LONG_AGO[6:26]}"), {"orders_of_merchant_by_day"}),
        "a number": (lambda: api.get(f"orders?out_order_no={number}"), NUMBERED),
        "one order": (lambda: api.get(f"orders/{owed.public_id}"), {"orders_order_pkey", "orders_of_merchant"}),
        "the same number again": (
            lambda: api.post("orders", {"agreement": agreement, "out_order_no": "B77", "title": "x", "ceiling": 1}),
            NUMBERED,
        ),
        "the promise record": (lambda: browser.get("/orders/"), {"orders_of_person"}),
        "the record from deep": (lambda: browser.get(f"/orders/?cursor={deep}"), {"orders_of_person"}),
    }
    for name, (act, indexes) in asked.items():
        act()  # what is asked for the first time is prepared first
        with subtests.test(name):
            plans = plans_of(act)
            assert plans
            assert expensive_plans(plans) == []
            assert indexes & set().union(*(plan.indexes for plan in plans)), plans


def test_due_work_is_claimed_by_its_one_index(power_bank: Shop, ada: Person) -> None:
    create_many_orders(power_bank, ada)
    at = NOON + timedelta(minutes=1)

    def claim() -> None:
        with transaction.atomic():
            rows, seen = services.lock_due(power_bank.realm_id, at=at, limit=20)
            assert seen == 20 <= len(rows)

    claim()
    plans = plans_of(claim)
    assert expensive_plans(plans[:1]) == []
    assert {name for name in plans[0].indexes if "obligation" in name} == {"obligations_due"}, plans[0]
    assert not any("Sort" in kind for kind in plans[0].nodes), plans[0]
    assert {table for _, table in plans[0].scans} == {"orders_obligation"}, plans[0]


def test_no_person_is_read_when_no_notice_is_due(power_bank: Shop) -> None:
    def claim() -> None:
        assert deliver.claim_due(power_bank.realm_id, at=NOON, limit=100) == ([], 0)

    claim()
    plans = plans_of(claim)
    assert [table for plan in plans for _, table in plan.scans] == ["accounts_delivery"]


def test_rows_are_updated_by_primary_key_index(power_bank: Shop, ada: Person) -> None:
    """Narrow rows of a middling house are soon read from end to end, if a planner expects more of them than come."""
    first, second = (
        make_order(power_bank, make_agreement(power_bank, person)) for person in (ada, make_person(power_bank))
    )
    services.complete_order(first.id, services.CompletionRequest(total=500), by=BY, at=NOON)
    with servers.superuser() as superuser, superuser.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        cursor.execute(PROFILES, [ORDERS, ada.pk])
        cursor.execute("ANALYZE credit_profile")

    plans = plans_of(
        lambda: services.complete_order(second.id, services.CompletionRequest(total=500), by=BY, at=NOON), UPDATES
    )
    assert [plan.sql.split()[1] for plan in plans] == ['"orders_order"', "locked"]
    for plan in plans:
        assert ("Seq Scan", "credit_profile") not in plan.scans, plan
