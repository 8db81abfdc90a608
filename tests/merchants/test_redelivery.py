"""After an outage one request sends everything again that has not arrived, without waiting for scheduled retries."""

from datetime import timedelta

import pytest

from kernel.clock import now_in
from kernel.models import Realm
from merchants.models import WebhookDelivery
from merchants.services.deliver import deliver_due
from tests.api import Api
from tests.conftest import Shop

pytestmark = pytest.mark.django_db(transaction=True)


def test_what_waits_for_its_next_attempt_is_sent_now(power_bank: Shop) -> None:
    api = Api(power_bank)
    api.call("PUT", "sandbox/clock", {"mode": "frozen", "now": "2027-01-01T00:00:00Z"})
    at = now_in(Realm.objects.get(pk=power_bank.realm_id))
    closed = {"url": "http://127.0.0.1:9/hooks", "event_types": ["order.*"]}
    endpoint = api.post("webhook_endpoints", closed).json()["id"]
    api.order(api.agreement(power_bank.service.public_id), ceiling=100)
    assert deliver_due(power_bank.realm_id, at=at) == 1
    waiting = WebhookDelivery.objects.get()
    assert (waiting.state, waiting.tries) == ("pending", 1)
    assert waiting.next_at is not None
    assert waiting.next_at > at + timedelta(seconds=1)

    since = {"since": "2026-12-31T00:00:00Z"}
    assert api.post(f"webhook_endpoints/{endpoint}/redeliver", since).json()["deliveries"] == 1
    due = WebhookDelivery.objects.get()
    assert (due.state, due.tries, due.next_at) == ("pending", 0, at)
    assert api.post(f"webhook_endpoints/{endpoint}/redeliver", since).json()["deliveries"] == 0, "it is on its way"
