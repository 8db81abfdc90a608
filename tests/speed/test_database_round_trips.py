"""The number of database round trips per API request, which cost more than most statements."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.api import Api
from tests.conftest import Shop

#: Including authentication, BEGIN and COMMIT. The goal is fewer: docs/performance.md.
BUDGETS = {"create": 7, "complete": 9, "cancel": 11, "get": 2, "list": 3}


@pytest.mark.django_db(transaction=True)
def test_each_operation_keeps_to_its_round_trip_budget(power_bank: Shop) -> None:
    api = Api(power_bank)
    agreement = api.agreement(power_bank.service.public_id)

    def create(number: str) -> Any:
        wish = {"agreement": agreement, "out_order_no": number, "title": "充电宝", "ceiling": 100}
        made = api.post("orders", wish, HTTP_IDEMPOTENCY_KEY=number)
        assert made.status_code == 201, made.content
        return made.json()["id"]

    def verb(name: str, key: str, **body: Any) -> None:
        done = api.post(f"orders/{key}/{name}", body, HTTP_IDEMPOTENCY_KEY=f"{name} {key}")
        assert done.status_code == 200, done.content

    first, second, third, fourth = (create(f"N{n}") for n in range(4))
    acts: dict[str, tuple[Callable[[], Any], Callable[[], Any]]] = {
        "create": (lambda: create("N5"), lambda: create("N6")),
        "complete": (lambda: verb("complete", first, total=1), lambda: verb("complete", second, total=1)),
        "cancel": (lambda: verb("cancel", third, reason="x"), lambda: verb("cancel", fourth, reason="x")),
        "get": (lambda: api.get(f"orders/{first}"), lambda: api.get(f"orders/{second}")),
        "list": (lambda: api.get("orders"), lambda: api.get("orders")),
    }
    asked = {}
    for name, (before, act) in acts.items():
        before()  # a connection prepares what it is asked for the first time
        with CaptureQueriesContext(connection) as sent:
            act()
        asked[name] = len(sent)
    assert asked == BUDGETS
