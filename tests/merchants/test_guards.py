"""Database constraints and triggers of webhooks."""

import pytest

from merchants import services as merchants
from merchants.models import WebhookDelivery
from tests.conftest import BY, NOON, Shop, make_agreement, make_person
from tests.db_errors import CHECK, RESTRICT, UNIQUE, execute_sql, raises_db_error
from tests.merchants.receiver import receiver
from tests.unchanged import assert_unchanged

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def delivered(power_bank: Shop) -> WebhookDelivery:
    with receiver() as server:
        merchants.add_endpoint(power_bank.merchant.id, server.url(), by=BY, at=NOON)
        make_agreement(power_bank, make_person(power_bank))
        merchants.deliver_due(power_bank.realm_id, at=NOON)
    return WebhookDelivery.objects.get()


@pytest.mark.parametrize(
    ("change", "code", "rule"),
    [
        ("state = 'given_up', reason = 'x'", RESTRICT, "a_delivery_moves_legally"),
        ("state = 'nowhere'", RESTRICT, "a_delivery_moves_legally"),
        ("state = 'pending'", CHECK, "what_is_pending_has_a_next_time"),
        ("next_at = now()", CHECK, "what_is_pending_has_a_next_time"),
        ("leased_until = now()", CHECK, "what_is_pending_has_a_next_time"),
        ("tries = 0", CHECK, "what_is_given_up_says_why"),
        ("event_id = gen_random_uuid()", RESTRICT, "identity_is_frozen"),
        ("endpoint_id = gen_random_uuid()", RESTRICT, "identity_is_frozen"),
    ],
)
def test_a_delivery_makes_only_legal_transitions(delivered: WebhookDelivery, change: str, code: str, rule: str) -> None:
    with assert_unchanged(), raises_db_error(code, rule):
        execute_sql(f"UPDATE merchants_webhookdelivery SET {change}")  # noqa: S608


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ("state = 'disabled'", "a_disabled_endpoint_says_why"),
        ("disabled_because = 'gone'", "a_disabled_endpoint_says_why"),
        ("failures = 3", "an_endpoint_fails_since_its_first_failure"),
        ("failing_from = now()", "an_endpoint_fails_since_its_first_failure"),
        ("old_secret_until = now()", "an_old_secret_has_an_end"),
    ],
)
def test_constraints_of_endpoints(delivered: WebhookDelivery, change: str, rule: str) -> None:
    with assert_unchanged(), raises_db_error(CHECK, rule):
        execute_sql(f"UPDATE merchants_webhookendpoint SET {change}")  # noqa: S608


def test_an_event_goes_to_an_endpoint_once(delivered: WebhookDelivery) -> None:
    with assert_unchanged(), raises_db_error(UNIQUE, "an_event_goes_to_an_endpoint_once"):
        WebhookDelivery.objects.create(
            realm_id=delivered.realm_id,
            endpoint_id=delivered.endpoint_id,
            event_id=delivered.event_id,
            next_at=NOON,
            created_at=NOON,
        )
