"""The courier is killed while events are under way: each arrives, some of them twice, under the same id."""

import os
from collections import Counter
from random import Random

import pytest

from merchants import services as merchants
from merchants.models import WebhookAttempt, WebhookDelivery
from merchants.services import News
from merchants.services.events import publish
from tests.conftest import BY, NOON, Shop
from tests.kills.crowd import SEED
from tests.kills.house import house, tally
from tests.merchants.receiver import Handler, Request, receiver

pytestmark = [pytest.mark.stack, pytest.mark.django_db(transaction=True)]
KILLS, EVENTS, ENDPOINTS = int(os.environ.get("KILL_COURIERS", "2")), int(os.environ.get("KILL_EVENTS", "300")), 5


def slowly(handler: Handler, _request: Request) -> None:
    """As most do: something is under way at any moment."""
    handler.server.ended.wait(0.05)
    handler.answer()


def test_a_courier_that_is_killed_loses_nothing(power_bank: Shop) -> None:
    dice = Random(SEED)  # noqa: S311  drawn again the same way
    due = WebhookDelivery.objects.filter(state="pending")
    with receiver(slowly) as there:
        there.keeps_lines = True
        for place in range(ENDPOINTS):
            merchants.add_endpoint(power_bank.merchant.id, there.url(f"/{place}"), by=BY, at=NOON)
        news = [News(power_bank.merchant.id, "order.opened", power_bank.service.id, {"n": n}) for n in range(EVENTS)]
        publish(news, realm_id=power_bank.realm_id, at=NOON)
        with house("courier", "beat", app="tests.kills.short_lease") as home:
            for done in range(1, KILLS + 1):
                share = ENDPOINTS * EVENTS * done // (KILLS + 2)
                home.until(lambda share=share: len(there.seen) >= share, "Nothing is sent.")  # type: ignore[misc]
                home.kill("courier", dice)
                home.until(home.whole, "The courier is not started again.")
            home.until(lambda: not due.exists(), "Not everything was delivered.", 90)
        seen = Counter((request.path, request.headers["webhook-id"]) for request in there.seen)
    twice = sum(seen.values()) - len(seen)
    tally(f"courier killed {KILLS} times: {len(seen)} deliveries, {twice} of them sent again, none lost")
    assert len(seen) == ENDPOINTS * EVENTS
    assert set(WebhookDelivery.objects.values_list("state", flat=True)) == {"delivered"}
    assert WebhookAttempt.objects.count() >= ENDPOINTS * EVENTS
