"""Events reach a merchant's endpoint, or are visibly given up."""

import json
from datetime import timedelta

import pytest
from standardwebhooks.webhooks import Webhook

from merchants import services as merchants
from merchants.models import Event, WebhookDelivery
from tests.conftest import BY, NOON, Shop, opened, ordered, someone
from tests.merchants.receiver import receiver, says

pytestmark = pytest.mark.django_db(transaction=True)


def test_what_happens_arrives_signed_as_the_public_library_wants_it(power_bank: Shop) -> None:
    with receiver() as home:
        _endpoint, secret = merchants.add_endpoint(power_bank.merchant.id, home.url(), by=BY, at=NOON)
        ordered(power_bank, opened(power_bank, someone(power_bank)))

        assert merchants.deliver_due(power_bank.realm_id, at=NOON) == 2

        assert len(home.seen) == 2
        for request in home.seen:
            event = Webhook(secret).verify(request.body, request.headers)
            assert event["id"] == request.headers["webhook-id"]
            assert event["object"] == "event"
        told = {json.loads(request.body)["type"] for request in home.seen}
        assert told == {"agreement.activated", "order.opened"}
    assert set(WebhookDelivery.objects.values_list("state", flat=True)) == {"delivered"}
    assert Event.objects.count() == 2


def test_a_failure_is_tried_again_by_the_realms_clock_alone(power_bank: Shop) -> None:
    with receiver(says(500, b"no")) as home:
        merchants.add_endpoint(power_bank.merchant.id, home.url(), by=BY, at=NOON)
        opened(power_bank, someone(power_bank))
        assert merchants.deliver_due(power_bank.realm_id, at=NOON) == 1
        assert merchants.deliver_due(power_bank.realm_id, at=NOON) == 0
        assert merchants.deliver_due(power_bank.realm_id, at=NOON + timedelta(seconds=6)) == 1
        row = WebhookDelivery.objects.get()
        assert (row.state, row.reason, row.tries) == ("pending", "http_500", 2)
