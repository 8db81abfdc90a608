"""Changes of an endpoint while deliveries to it are in flight."""

from datetime import timedelta

import pytest

from merchants import services as merchants
from merchants.models import WebhookDelivery, WebhookEndpoint
from merchants.rules.webhooks import FAILURES_MIN, Outcome
from merchants.services import NoSubscribers, deliver
from tests.conftest import BY, NOON, Shop, make_shop
from tests.merchants.test_fairness import publish_events
from tests.unchanged import assert_unchanged

pytestmark = pytest.mark.django_db(transaction=True)
OLD, NEW = "http://127.0.0.1:9/old", "http://127.0.0.1:9/new"
DAYS = timedelta(days=5)


def endpoint_of(shop: Shop) -> WebhookEndpoint:
    return WebhookEndpoint.objects.get(merchant=shop.merchant)


@pytest.mark.parametrize("status", [410, 500, 200])
def test_the_outcome_at_the_old_url_does_not_count_for_the_new_one(power_bank: Shop, status: int) -> None:
    endpoint, _ = merchants.add_endpoint(power_bank.merchant.id, OLD, by=BY, at=NOON)
    publish_events(power_bank, 1)
    now = {power_bank.realm_id: NOON}
    [claimed], _ = deliver.claim_due(now, limit=9)
    merchants.change_endpoint(power_bank.merchant.id, endpoint.id, {"url": NEW}, by=BY, at=NOON)
    deliver.settle([(claimed, Outcome(status, 1))])

    assert (endpoint_of(power_bank).state, endpoint_of(power_bank).failures) == ("enabled", 0)
    assert WebhookDelivery.objects.get().attempts.get().status == status
    again, _ = deliver.claim_due(now, limit=9)
    assert [one.request.url for one in again] == ([] if status == 200 else [NEW])


def test_a_new_url_resets_failures(power_bank: Shop) -> None:
    endpoint, _ = merchants.add_endpoint(power_bank.merchant.id, OLD, by=BY, at=NOON)
    WebhookEndpoint.objects.update(failing_from=NOON - DAYS, failures=FAILURES_MIN)
    merchants.change_endpoint(power_bank.merchant.id, endpoint.id, {"url": NEW}, by=BY, at=NOON)
    publish_events(power_bank, 1)
    claimed, _ = deliver.claim_due({power_bank.realm_id: NOON}, limit=9, failing=(False,))
    deliver.settle([(one, Outcome(500, 1)) for one in claimed])
    now = endpoint_of(power_bank)
    assert (now.state, now.failing_from, now.failures) == ("enabled", NOON, 1)


def test_saving_the_same_url_keeps_failures(power_bank: Shop) -> None:
    endpoint, _ = merchants.add_endpoint(power_bank.merchant.id, OLD, by=BY, at=NOON)
    WebhookEndpoint.objects.update(failing_from=NOON, failures=3)
    merchants.change_endpoint(power_bank.merchant.id, endpoint.id, {"url": OLD}, by=BY, at=NOON)
    assert endpoint_of(power_bank).failures == 3


def test_a_ping_is_not_sent_again(power_bank: Shop) -> None:
    endpoint, _ = merchants.add_endpoint(power_bank.merchant.id, OLD, by=BY, at=NOON)
    other, _ = merchants.add_endpoint(power_bank.merchant.id, NEW, by=BY, at=NOON)
    event = merchants.ping_endpoint(power_bank.merchant.id, endpoint.id, by=BY, at=NOON).event
    for one in (endpoint, other):
        with assert_unchanged(), pytest.raises(NoSubscribers):
            merchants.redeliver_event(power_bank.merchant.id, event.id, endpoint_id=one.id, by=BY, at=NOON)


def test_deliveries_of_disabled_endpoints_are_claimed_last(power_bank: Shop) -> None:
    busy = make_shop("关掉的")
    for n in range(2):
        merchants.add_endpoint(busy.merchant.id, f"{OLD}/{n}", by=BY, at=NOON)
    publish_events(busy, 60)
    for endpoint in busy.merchant.webhook_endpoints.all():
        merchants.change_endpoint(busy.merchant.id, endpoint.id, {"state": "disabled"}, by=BY, at=NOON)
    merchants.add_endpoint(power_bank.merchant.id, NEW, by=BY, at=NOON)
    publish_events(power_bank, 1)
    now = {busy.realm_id: NOON, power_bank.realm_id: NOON}
    claimed, seen = deliver.claim_due(now, limit=10)
    assert ([one.request.url for one in claimed], seen) == ([NEW], 10)
    assert WebhookDelivery.objects.filter(state="given_up").count() == 9
