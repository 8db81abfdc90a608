"""A process is killed at every point of one request under a key; the same request again, and there is one effect."""

import itertools
import os
import sys
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from django.db.models.functions import Now

from billing.channels import bank
from kernel.idempotency import RUNNING, RUNNING_MAX
from kernel.models import IdempotencyKey
from merchants.models import Event, Service
from orders.models import Order
from tests.api import Api, idempotency_header, order_body
from tests.conftest import Shop
from tests.crashes.fault_injection import KILLED, run_and_kill

#: Of all points every so manieth, as in test_kills; requests are short, so there are more of them here.
STRIDE = max(int(os.environ.get("CRASH_STRIDE", "512")) // 24, 1)
COLLECT_STRIDE = STRIDE * 4

pytestmark = [pytest.mark.django_db(transaction=True)]


def kill_at_every_point(ask: Callable[[int], Any], check: Callable[[int, Any], None]) -> dict[str, int]:
    """Die at each point in turn, repeat the request, and look: how often the answer was new, and how often kept."""
    told = {"new": 0, "kept": 0}
    for turn in itertools.count(1, STRIDE):
        code, _points = run_and_kill(partial(ask, turn), turn)
        again = ask(turn)
        check(turn, again)
        told["kept" if "Idempotent-Replayed" in again else "new"] += 1
        assert ask(turn).content == again.content
        if code == 0:
            return told
        assert code == KILLED
    raise AssertionError


def print_result(verb: str, told: dict[str, int]) -> None:
    sys.stdout.write(f"\nkilled at every point of {verb}, then repeated: {told}, one effect each\n")
    assert told["new"] > 1
    assert told["kept"] >= 1


def test_a_service_is_offered_once_wherever_its_request_was_killed(power_bank: Shop) -> None:
    def ask(turn: int) -> Any:
        body = {"name": f"雨伞 {turn}", "mode": "dynamic", "ceiling": 9900}
        return Api(power_bank).post("services", body, **idempotency_header(f"s{turn}"))

    def check(turn: int, again: Any) -> None:
        assert again.status_code == 201
        assert Service.objects.get(name=f"雨伞 {turn}").public_id == again.json()["id"]

    print_result("a new service", kill_at_every_point(ask, check))


def test_an_order_is_opened_once_wherever_its_request_was_killed(power_bank: Shop) -> None:
    api = Api(power_bank)
    agreement = api.agreement(power_bank.service.public_id)
    wishes = [order_body(agreement, ceiling=1) for _ in range(200)]

    def ask(turn: int) -> Any:
        return Api(power_bank).post("orders", wishes[turn], **idempotency_header(f"o{turn}"))

    def check(turn: int, again: Any) -> None:
        assert again.status_code == 201
        order = Order.objects.get(out_order_no=wishes[turn]["out_order_no"])
        assert order.public_id == again.json()["id"]
        assert Event.objects.filter(subject_id=order.id).count() == 1
        api.post(f"orders/{order.public_id}/cancel", {"reason": "x"})

    print_result("a new order", kill_at_every_point(ask, check))


def test_money_is_taken_once_wherever_the_request_for_it_was_killed(power_bank: Shop) -> None:
    """The verb calls the bank: its key is marked meanwhile, and the mark of whoever died is forgotten after a while."""
    api = Api(power_bank)
    person = api.person()
    agreement = api.agreement(power_bank.service.public_id, person)
    token = f"{power_bank.realm_id}:{person['id'].removeprefix('per_')}"
    waited = 0
    for turn in itertools.count(1, COLLECT_STRIDE):
        order = api.order(agreement, ceiling=100 + turn)["id"]
        api.post(f"orders/{order}/complete", {"total": 100 + turn})
        ask = partial(Api(power_bank).post, f"orders/{order}/collect", **idempotency_header(f"c{turn}"))
        code, _points = run_and_kill(lambda asked=ask: asked(), turn)  # type: ignore[misc]
        again = ask()
        if again.status_code == 409 and again.json()["code"] == "request_in_progress":
            waited += 1
            assert int(again["Retry-After"]) >= 1
            IdempotencyKey.objects.filter(status=RUNNING).update(created_at=Now() - RUNNING_MAX - timedelta(seconds=1))
            again = ask()
        assert again.status_code == 200, again.content
        assert [money.minor for money in bank.debits_of(token)].count(100 + turn) <= 1
        now = api.get(f"orders/{order}").json()
        assert now["state"] == "deducted" or now["collection"]["in_flight"], (turn, again.content)
        if code == 0:
            break
    assert waited
    assert len(bank.debits_of(token)) == len({money.minor for money in bank.debits_of(token)})
    told = f"{waited} were told to wait, none was charged twice"
    sys.stdout.write(f"\nkilled at every {COLLECT_STRIDE}th of {turn} points of a collection: {told}\n")
