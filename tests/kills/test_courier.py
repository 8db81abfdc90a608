"""The courier is killed while it delivers events: each event arrives, some of them twice with the same id."""

import os
from collections import Counter
from random import Random

import pytest

from merchants import services as merchants
from merchants.models import WebhookAttempt, WebhookDelivery
from merchants.services import NewEvent
from merchants.services.events import publish
from tests.conftest import BY, NOON, Shop
from tests.kills.crowd import SEED
from tests.kills.running_stack import print_result, run_stack
from tests.merchants.receiver import Handler, Request, receiver

pytestmark = [pytest.mark.stack, pytest.mark.django_db(transaction=True)]
KILLS, EVENTS, ENDPOINTS = int(os.environ.get("KILL_COURIERS", "2")), int(os.environ.get("KILL_EVENTS", "300")), 5


def respond_slowly(handler: Handler, _request: Request) -> None:
    """As most do: something is under way at any moment."""
    handler.server.ended.wait(0.05)
    handler.respond()


def test_a_courier_that_is_killed_loses_nothing(power_bank: Shop) -> None:
    dice = Random(SEED)  # noqa: S311  drawn again the same way
    due = WebhookDelivery.objects.filter(state="pending")
    with receiver(respond_slowly) as server:
        server.keep_alive = True
        for place in range(ENDPOINTS):
            merchants.add_endpoint(power_bank.merchant.id, server.url(f"/{place}"), by=BY, at=NOON)
        events = [
            NewEvent(power_bank.merchant.id, "order.opened", power_bank.service.id, {"n": n}) for n in range(EVENTS)
        ]
        publish(events, realm_id=power_bank.realm_id, at=NOON)
        with run_stack("courier", "beat", app="tests.kills.short_lease") as stack:
            for done in range(1, KILLS + 1):
                share = ENDPOINTS * EVENTS * done // (KILLS + 2)
                stack.wait_until(lambda share=share: len(server.requests) >= share, "Nothing is sent.")  # type: ignore[misc]
                stack.kill("courier", dice)
                stack.wait_until(stack.is_complete, "The courier is not started again.")
            stack.wait_until(lambda: not due.exists(), "Not everything was delivered.", 90)
        seen = Counter((request.path, request.headers["webhook-id"]) for request in server.requests)
    twice = sum(seen.values()) - len(seen)
    print_result(f"courier killed {KILLS} times: {len(seen)} deliveries, {twice} of them sent again, none lost")
    assert len(seen) == ENDPOINTS * EVENTS
    assert set(WebhookDelivery.objects.values_list("state", flat=True)) == {"delivered"}
    assert WebhookAttempt.objects.count() >= ENDPOINTS * EVENTS
