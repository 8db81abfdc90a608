"""The webhook endpoints API: manage endpoints, list deliveries, and resend."""

from collections.abc import Iterator
from datetime import timedelta
from functools import partial

import pytest
from django.db import connection
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from kernel.encryption import seal
from kernel.models import IdempotencyKey, Realm
from kernel.rate_limits import RateLimited
from merchants import services as merchants
from merchants.models import Change, WebhookDelivery, WebhookEndpoint
from merchants.rules.webhooks import ENDPOINTS_MAX, OLD_SECRETS_MAX, signature
from tests.api import Api, assert_problem, idempotency_header
from tests.conftest import BY, NOON, Shop, make_agreement, make_person
from tests.merchants.receiver import ReceiverServer, receiver, respond_with
from tests.threads import run_concurrently
from tests.unchanged import assert_unchanged

pytestmark = pytest.mark.django_db(transaction=True)
HOOKS = "webhook_endpoints"


@pytest.fixture
def server() -> Iterator[ReceiverServer]:
    with receiver() as server:
        yield server


@pytest.fixture
def api(power_bank: Shop) -> Api:
    """The shop's API client; its sandbox clock is frozen at noon."""
    Realm.objects.filter(pk=power_bank.realm_id).update(frozen_at=NOON)
    return Api(power_bank)


def set_clock(shop: Shop, **span: float) -> None:
    Realm.objects.filter(pk=shop.realm_id).update(frozen_at=NOON + timedelta(**span))


def deliver(shop: Shop) -> int:
    return merchants.deliver_due(shop.realm_id, at=Realm.objects.get(pk=shop.realm_id).frozen_at or NOON)


def test_an_endpoint_is_made_with_a_secret_that_is_shown_once_and_kept_sealed(api: Api, server: ReceiverServer) -> None:
    made = api.post(
        HOOKS, {"url": server.url(), "event_types": ["order.*"], "description": "收银"}, **idempotency_header("k")
    )
    assert made.status_code == 201
    endpoint = made.json()
    secret = endpoint.pop("secret")
    assert secret.startswith("whsec_")
    assert endpoint["state"] == "enabled"
    assert endpoint["event_types"] == ["order.*"]
    shown = [api.get(f"{HOOKS}/{endpoint['id']}"), api.get(HOOKS), api.patch(f"{HOOKS}/{endpoint['id']}", {})]
    assert not [answer for answer in shown if secret.encode() in answer.content]
    assert shown[0].json() == endpoint | {"secret": None}
    kept = bytes(WebhookEndpoint.objects.get().secret) + bytes(IdempotencyKey.objects.get().body)
    assert secret.encode() not in kept
    again = api.post(
        HOOKS, {"url": server.url(), "event_types": ["order.*"], "description": "收银"}, **idempotency_header("k")
    )
    assert again.content == made.content
    assert WebhookEndpoint.objects.count() == 1


def test_no_column_of_any_row_holds_the_secret(api: Api, server: ReceiverServer) -> None:
    secret = api.post(HOOKS, {"url": server.url()}).json()["secret"]
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f'SELECT count(*) FROM "{table}" t WHERE position(%s IN t::text) > 0', [secret])  # noqa: S608
            assert cursor.fetchone() == (0,), table


def test_there_are_so_many_endpoints_and_no_more(api: Api, server: ReceiverServer) -> None:
    made = [api.post(HOOKS, {"url": server.url(f"/{n}")}).json()["id"] for n in range(ENDPOINTS_MAX)]
    assert_problem(api.post(HOOKS, {"url": server.url()}), 409, "too_many_endpoints")
    assert api.call("DELETE", f"{HOOKS}/{made[0]}").json() == {}
    assert api.post(HOOKS, {"url": server.url()}).status_code == 201


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"url": "https://10.0.0.1/"}, "forbidden_address"),
        ({"url": "ftp://127.0.0.1/"}, "forbidden_address"),
        ({"url": "https://user@127.0.0.1/"}, "forbidden_address"),
        ({"url": "http://127.0.0.1/", "event_types": ["order.op*"]}, "unknown_event_type"),
        ({"url": "http://127.0.0.1/", "event_types": ["*", "webhook_endpoint.ping"]}, "unknown_event_type"),
        ({"url": ""}, "invalid_request"),
        ({"url": "http://127.0.0.1/", "description": "x" * 201}, "invalid_request"),
        ({}, "invalid_request"),
    ],
)
def test_what_cannot_be_an_endpoint_is_refused(api: Api, body: dict[str, object], code: str) -> None:
    assert_problem(api.post(HOOKS, body), 422, code)
    assert not WebhookEndpoint.objects.exists()


def test_a_removed_endpoint_gets_no_events_and_is_not_found(api: Api, server: ReceiverServer, power_bank: Shop) -> None:
    made = api.post(HOOKS, {"url": server.url()}).json()["id"]
    make_agreement(power_bank, make_person(power_bank))
    api.call("DELETE", f"{HOOKS}/{made}")
    for answer in (api.get(f"{HOOKS}/{made}"), api.call("DELETE", f"{HOOKS}/{made}"), api.post(f"{HOOKS}/{made}/ping")):
        assert_problem(answer, 404, "not_found")
    assert api.get(HOOKS).json()["data"] == []
    deliver(power_bank)
    assert server.requests == []
    row = WebhookDelivery.objects.get()
    assert (row.state, row.reason) == ("given_up", "endpoint_removed")
    assert WebhookEndpoint.objects.get().secret == b""


def test_during_a_rotation_both_secrets_sign_and_then_only_the_new_one(
    api: Api, server: ReceiverServer, power_bank: Shop
) -> None:
    made = api.post(HOOKS, {"url": server.url()}).json()
    rotated = api.post(f"{HOOKS}/{made['id']}/rotate_secret").json()
    old, new = made["secret"], rotated["secret"]
    assert rotated["old_secret_until"] == "2026-11-21T04:00:00Z"
    api.post(f"{HOOKS}/{made['id']}/ping")
    both = server.requests.pop()
    assert len(both.headers["webhook-signature"].split(" ")) == 2
    for secret in (old, new):
        assert Webhook(secret).verify(both.body, both.headers)["type"] == "webhook_endpoint.ping"
    set_clock(power_bank, hours=24)
    api.post(f"{HOOKS}/{made['id']}/ping")
    one = server.requests.pop()
    assert Webhook(new).verify(one.body, one.headers)
    assert api.get(f"{HOOKS}/{made['id']}").json()["old_secret_until"] is None
    with pytest.raises(WebhookVerificationError):
        Webhook(old).verify(one.body, one.headers)


def test_each_previous_secret_signs_until_its_expiry(power_bank: Shop) -> None:
    endpoint, first = merchants.add_endpoint(power_bank.merchant.id, "http://127.0.0.1:9/hook", by=BY, at=NOON)
    of = (power_bank.merchant.id, endpoint.id)
    _now, second = merchants.rotate_secret(*of, by=BY, at=NOON)
    now, third = merchants.rotate_secret(*of, by=BY, at=NOON + timedelta(hours=1))
    assert now.old_secret_until == NOON + timedelta(hours=25)
    found = [now.signing_secrets(at=NOON + timedelta(hours=hours)) for hours in (23, 24, 25)]
    assert found == [[third, second, first], [third, second], [third]]
    for _ in range(OLD_SECRETS_MAX - 2):
        merchants.rotate_secret(*of, by=BY, at=NOON + timedelta(hours=2))
    with assert_unchanged(), pytest.raises(RateLimited) as refused:
        merchants.rotate_secret(*of, by=BY, at=NOON + timedelta(hours=2))
    assert refused.value.retry_after == 22 * 3600
    alone, last = merchants.rotate_secret(*of, overlap=timedelta(0), by=BY, at=NOON + timedelta(hours=2))
    assert alone.signing_secrets(at=NOON + timedelta(hours=2)) == [last]


def test_a_previous_secret_in_the_old_format_still_signs(power_bank: Shop) -> None:
    endpoint, first = merchants.add_endpoint(power_bank.merchant.id, "http://127.0.0.1:9/hook", by=BY, at=NOON)
    endpoint.old_secret = seal("whsec_b2xk", place=f"merchants.webhookendpoint.old_secret:{endpoint.id.hex}")
    endpoint.old_secret_until = NOON + timedelta(hours=1)
    endpoint.save()
    now, second = merchants.rotate_secret(power_bank.merchant.id, endpoint.id, by=BY, at=NOON)
    assert now.signing_secrets(at=NOON) == [second, first, "whsec_b2xk"]
    assert now.signing_secrets(at=NOON + timedelta(hours=1)) == [second, first]


def test_rotation_without_overlap_ends_the_old_secret(api: Api, server: ReceiverServer) -> None:
    made = api.post(HOOKS, {"url": server.url()}).json()
    api.post(f"{HOOKS}/{made['id']}/rotate_secret", {"overlap_hours": 0})
    api.post(f"{HOOKS}/{made['id']}/ping")
    with pytest.raises(WebhookVerificationError):
        Webhook(made["secret"]).verify(server.requests[0].body, server.requests[0].headers)


def test_a_ping_returns_the_response_and_does_not_count(api: Api, server: ReceiverServer, power_bank: Shop) -> None:
    made = api.post(HOOKS, {"url": server.url()}).json()["id"]
    api.post(HOOKS, {"url": server.url("/other")})
    good = api.post(f"{HOOKS}/{made}/ping").json()
    assert (good["delivered"], good["status"], good["response"], good["error"]) == (True, 200, "ok", None)
    server.behave = respond_with(410, "没有了".encode())
    bad = api.post(f"{HOOKS}/{made}/ping").json()
    assert (bad["delivered"], bad["status"], bad["response"]) == (False, 410, "没有了")
    assert [request.path for request in server.requests] == ["/hooks", "/hooks"]
    endpoint = WebhookEndpoint.objects.earliest("id")
    assert (endpoint.state, endpoint.failures) == ("enabled", 0)
    assert [event["type"] for event in api.get("events").json()["data"]] == ["webhook_endpoint.ping"] * 2
    log = api.get(f"{HOOKS}/{made}/deliveries").json()["data"]
    assert [(row["state"], row["reason"], row["attempts"][0]["status"]) for row in log] == [
        ("given_up", "http_410", 410),
        ("delivered", None, 200),
    ]
    api.patch(f"{HOOKS}/{made}", {"state": "disabled"})
    server.behave = respond_with(200)
    assert api.post(f"{HOOKS}/{made}/ping").json()["delivered"]


def test_the_deliveries_of_an_endpoint_are_listed_with_attempts(
    api: Api, server: ReceiverServer, power_bank: Shop
) -> None:
    made = api.post(HOOKS, {"url": server.url()}).json()["id"]
    server.behave = respond_with(503, "忙".encode(), Retry_After="60")
    make_agreement(power_bank, make_person(power_bank))
    deliver(power_bank)
    (row,) = api.get(f"{HOOKS}/{made}/deliveries?state=pending").json()["data"]
    assert (row["type"], row["state"], row["reason"]) == ("agreement.activated", "pending", "http_503")
    assert row["next_attempt_at"] == "2026-11-20T04:01:00Z"
    (tried,) = row["attempts"]
    assert (tried["number"], tried["status"], tried["response"], tried["error"]) == (1, 503, "忙", None)
    assert 0 <= tried["latency_ms"] < 5_000
    assert api.get(f"{HOOKS}/{made}").json()["failing_since"] == "2026-11-20T04:00:00Z"
    assert api.get(f"{HOOKS}/{made}/deliveries?state=delivered").json()["data"] == []


def test_an_event_is_resent_to_all_subscribers_or_to_any_one_endpoint(
    api: Api, server: ReceiverServer, power_bank: Shop
) -> None:
    for path, types in (("/all", ["*"]), ("/orders", ["order.*"])):
        api.post(HOOKS, {"url": server.url(path), "event_types": types})
    orders = next(e for e in api.get(HOOKS).json()["data"] if e["url"].endswith("/orders"))
    make_agreement(power_bank, make_person(power_bank))
    event = api.get("events").json()["data"][0]["id"]
    assert deliver(power_bank) == 1
    assert api.post(f"events/{event}/redeliver").json()["deliveries"] == 1
    assert api.post(f"events/{event}/redeliver", {"endpoint": orders["id"]}).json()["deliveries"] == 1
    assert deliver(power_bank) == 2
    assert sorted(request.path for request in server.requests) == ["/all", "/all", "/orders"]
    assert {request.headers["webhook-id"] for request in server.requests} == {event}
    api.patch(f"{HOOKS}/{orders['id']}", {"state": "disabled"})
    assert_problem(api.post(f"events/{event}/redeliver", {"endpoint": orders["id"]}), 409, "endpoint_disabled")


def test_twenty_concurrent_resends_send_it_once(api: Api, server: ReceiverServer, power_bank: Shop) -> None:
    make_agreement(power_bank, make_person(power_bank))
    event = api.get("events").json()["data"][0]["id"]
    for n in range(3):
        api.post(HOOKS, {"url": server.url(f"/{n}")})
    answers = run_concurrently(*[partial(Api(power_bank).post, f"events/{event}/redeliver")] * 20)
    assert {answer.status_code for answer in answers} == {200}
    assert WebhookDelivery.objects.count() == 3
    assert deliver(power_bank) == 3


def test_an_event_without_subscribers_cannot_be_resent(api: Api, power_bank: Shop) -> None:
    make_agreement(power_bank, make_person(power_bank))
    event = api.get("events").json()["data"][0]["id"]
    assert_problem(api.post(f"events/{event}/redeliver"), 409, "nobody_listens")


def test_after_an_outage_everything_that_did_not_arrive_is_sent_again_in_one_request(
    api: Api, server: ReceiverServer, power_bank: Shop
) -> None:
    made = api.post(HOOKS, {"url": server.url(), "event_types": ["agreement.*"]}).json()["id"]
    make_agreement(power_bank, make_person(power_bank, name="先前"))
    deliver(power_bank)
    server.behave = respond_with(410)
    make_agreement(power_bank, make_person(power_bank, name="给掉的"))
    deliver(power_bank)
    assert_problem(api.post(f"{HOOKS}/{made}/redeliver", {"since": "2026-11-20T00:00:00Z"}), 409, "endpoint_disabled")
    make_agreement(power_bank, make_person(power_bank, name="没听到的"))
    server.behave = respond_with(200)
    assert api.patch(f"{HOOKS}/{made}", {"state": "enabled"}).json()["state"] == "enabled"
    server.requests.clear()
    since = {"since": "2026-11-20T04:00:00Z"}
    # The one given up, the one that happened while it was off, and nothing that had arrived.
    assert api.post(f"{HOOKS}/{made}/redeliver", since).json()["deliveries"] == 2
    deliver(power_bank)
    assert len(server.requests) == 2
    assert api.post(f"{HOOKS}/{made}/redeliver", since).json()["deliveries"] == 0
    assert set(WebhookDelivery.objects.values_list("state", flat=True)) == {"delivered"}


def test_who_changed_what_of_an_endpoint_is_on_record_and_no_secret_with_it(api: Api, server: ReceiverServer) -> None:
    made = api.post(HOOKS, {"url": server.url()}).json()
    api.patch(f"{HOOKS}/{made['id']}", {"description": "x", "event_types": ["order.*"], "state": "disabled"})
    rotated = api.post(f"{HOOKS}/{made['id']}/rotate_secret").json()
    api.call("DELETE", f"{HOOKS}/{made['id']}")
    endpoint = WebhookEndpoint.objects.get()
    rows = Change.objects.filter(subject_id=endpoint.id).order_by("id")
    assert [row.verb for row in rows] == ["endpoint_added", "endpoint_changed", "secret_rotated", "endpoint_removed"]
    assert all(row.by.startswith("merchant:key_") for row in rows)
    assert not [row for row in rows if made["secret"] in str(row.data) or rotated["secret"] in str(row.data)]


def test_the_request_that_caused_an_event_is_named_beside_it(
    api: Api, server: ReceiverServer, power_bank: Shop
) -> None:
    api.post(HOOKS, {"url": server.url()})
    person = api.person()
    made = api.post("agreements", {"service": power_bank.service.public_id, "person_ref": "x"}).json()["id"]
    asked = api.post(f"sandbox/agreements/{made}/sign", {"person": person["id"]})
    deliver(power_bank)
    assert server.requests[0].headers["Request-Id"] == asked["Request-Id"]


def test_a_signature_is_what_the_standard_says() -> None:
    """The example of the Standard Webhooks specification's libraries."""
    secret, name = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_p5jXN8AQM9LWM0D4loKWxJek"
    made = signature([secret], name, 1614265330, b'{"test": 2432232314}')
    assert made == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
