"""One complete story through the real API: requested, signed, opened, completed, deducted, and booked."""

from datetime import timedelta

import pytest

from billing.services.deduct import deduct_due
from kernel.clock import live_now
from ledger.queries import trial_balance
from tests.api import Api
from tests.conftest import Shop


@pytest.fixture
def api(power_bank: Shop) -> Api:
    return Api(power_bank)


def test_a_power_bank_is_used_first_and_paid_later(api: Api, power_bank: Shop) -> None:
    person = api.post("sandbox/people", {"name": "艾达", "behaviour": "pays"}).json()
    asked = api.post("agreements", {"service": power_bank.service.public_id, "person_ref": person["ref"]})
    assert asked.status_code == 201
    agreement = asked.json()
    assert agreement["state"] == "pending"
    assert agreement["sign_url"].endswith(f"/sign/{agreement['id']}")

    signed = api.post(f"sandbox/agreements/{agreement['id']}/sign", {"person": person["id"]})
    assert signed.json()["state"] == "active"

    wish = {"agreement": agreement["id"], "out_order_no": "PB-1001", "title": "共享充电宝", "currency": "CNY"}
    order = api.post("orders", wish)
    assert order.status_code == 201, order.content
    assert order.json()["state"] == "open"
    assert order.json()["ceiling"] == 9900
    assert api.post("orders", wish).status_code == 200

    path = f"orders/{order.json()['id']}"
    completed = api.post(f"{path}/complete", {"total": 600})
    assert completed.json()["state"] == "completed"
    assert completed.json()["collection"]["next_attempts"][0]["reason"] == "due"

    deduct_due(power_bank.realm_id, at=live_now() + timedelta(seconds=1))

    done = api.get(path).json()
    assert (done["state"], done["paid"], done["outstanding"]) == ("deducted", 600, 0)
    events = [event["type"] for event in api.get(f"{path}/events").json()["data"]]
    assert events == ["order.opened", "order.completed", "obligation.paid", "order.deducted", "deduction.succeeded"]
    balances = {row.code: row.net for row in trial_balance(power_bank.realm_id)}
    assert balances == {"clearing:sandbox": 600, "fees": 4, "payable": 596, "pending": 0, "receivable": 0}
