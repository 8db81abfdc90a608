"""Events are delivered to endpoints, or visibly given up: all kinds of receivers, over real sockets."""

import itertools
from datetime import timedelta
from unittest import mock

import pytest
from standardwebhooks.webhooks import Webhook

from kernel.clock import live_now
from kernel.models import Realm
from merchants import services as merchants
from merchants import tasks
from merchants.models import Change, Event, WebhookDelivery, WebhookEndpoint
from merchants.rules.webhooks import ATTEMPTS_MAX, RETRY_DELAYS
from merchants.services import deliver
from tests.conftest import BY, NOON, Shop, make_agreement, make_order, make_person
from tests.merchants.receiver import Handler, Request, endpoint_with_event, only_delivery, receiver, respond_with

pytestmark = pytest.mark.django_db(transaction=True)
SECOND, DAY = timedelta(seconds=1), timedelta(days=1)


def deliver_until(shop: Shop, *, until: timedelta) -> int:
    """Run deliveries whenever one is due until then. Returns how many runs there were."""
    rounds = 0
    while True:
        row = only_delivery()
        if row.next_at is None or row.next_at > NOON + until:
            return rounds
        merchants.deliver_due(shop.realm_id, at=row.next_at)
        rounds += 1


def test_what_happens_arrives_signed_as_the_public_library_wants_it(power_bank: Shop) -> None:
    with receiver() as server:
        _endpoint, secret = merchants.add_endpoint(power_bank.merchant.id, server.url(), by=BY, at=NOON)
        order = make_order(power_bank, make_agreement(power_bank, make_person(power_bank)))

        assert merchants.deliver_due(power_bank.realm_id, at=NOON) == 2

        events = [Webhook(secret).verify(request.body, request.headers) for request in server.requests]
        assert {event["type"] for event in events} == {"agreement.activated", "order.opened"}
        for event, request in zip(events, server.requests, strict=True):
            assert event["id"] == request.headers["webhook-id"]
            assert event["created"] == "2026-11-20T04:00:00Z"  # the sandbox's time; the signature's is real
            assert abs(int(request.headers["webhook-timestamp"]) - live_now().timestamp()) < 30
            assert (event["object"], event["livemode"], event["sequence"]) == ("event", False, 1)
            assert request.headers["Content-Type"].startswith("application/json")
            assert request.headers["User-Agent"] == "bnpl-webhooks/1"
        assert {event["subject"] for event in events} >= {order.public_id}
    assert set(WebhookDelivery.objects.values_list("state", flat=True)) == {"delivered"}


def test_a_receiver_that_is_down_for_three_days_gets_it_on_the_fourth(power_bank: Shop) -> None:
    up_again = False

    def behave(handler: Handler, _request: Request) -> None:
        handler.respond(200 if up_again else 503)

    with endpoint_with_event(power_bank, behave) as server:
        tries = deliver_until(power_bank, until=3 * DAY)
        row = only_delivery()
        assert (row.state, row.reason) == ("pending", "http_503")
        assert tries == ATTEMPTS_MAX - 1
        up_again = True
        deliver_until(power_bank, until=4 * DAY)
        assert only_delivery().state == "delivered"
        assert len({request.headers["webhook-id"] for request in server.requests}) == 1
        assert len({request.body for request in server.requests}) == 1
    assert WebhookEndpoint.objects.get().failing_from is None


def test_after_the_last_try_it_is_given_up_with_its_reason_and_every_try_is_on_record(power_bank: Shop) -> None:
    with endpoint_with_event(power_bank, respond_with(500, "坏了".encode())):
        deliver_until(power_bank, until=10 * DAY)
    row = only_delivery()
    assert (row.state, row.reason, row.tries) == ("given_up", "http_500", ATTEMPTS_MAX)
    tries = list(row.attempts.order_by("number"))
    assert [one.number for one in tries] == list(range(1, ATTEMPTS_MAX + 1))
    assert {(one.status, one.excerpt, one.error) for one in tries} == {(500, "坏了", "")}
    for wait, (one, following) in zip(RETRY_DELAYS, itertools.pairwise(tries), strict=True):
        assert wait <= following.at - one.at <= wait * 1.1


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_a_failure_and_is_never_followed(power_bank: Shop, status: int) -> None:
    with receiver() as elsewhere, endpoint_with_event(power_bank, respond_with(status, Location=elsewhere.url())):
        merchants.deliver_due(power_bank.realm_id, at=NOON)
        assert elsewhere.requests == []
    assert (only_delivery().state, only_delivery().reason) == ("pending", f"http_{status}")


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_any_status_of_two_hundred_is_success(power_bank: Shop, status: int) -> None:
    with endpoint_with_event(power_bank, respond_with(status, b"")):
        merchants.deliver_due(power_bank.realm_id, at=NOON)
    assert only_delivery().state == "delivered"


def test_gone_disables_the_endpoint_and_notifies_the_others(power_bank: Shop) -> None:
    with receiver() as other, endpoint_with_event(power_bank, respond_with(410)) as gone:
        merchants.add_endpoint(power_bank.merchant.id, other.url(), by=BY, at=NOON)
        merchants.deliver_due(power_bank.realm_id, at=NOON)
        make_agreement(power_bank, make_person(power_bank, name="博文"), at=NOON + SECOND)
        merchants.deliver_due(power_bank.realm_id, at=NOON + SECOND)
        assert len(gone.requests) == 1
        assert b"webhook_endpoint.disabled" in b"".join(request.body for request in other.requests)
    endpoint = WebhookEndpoint.objects.get(state="disabled")
    assert endpoint.disabled_because == "gone"
    first = WebhookDelivery.objects.get(endpoint=endpoint)
    assert (first.state, first.reason) == ("given_up", "http_410")
    assert Event.objects.get(type="webhook_endpoint.disabled").data["disabled_because"] == "gone"
    assert Change.objects.filter(verb="endpoint_disabled", subject_id=endpoint.id).count() == 1


def test_five_days_of_failures_disable_the_endpoint_and_give_up_its_deliveries(power_bank: Shop) -> None:
    with endpoint_with_event(power_bank, respond_with(500)):
        deliver_until(power_bank, until=4 * DAY)
        assert WebhookEndpoint.objects.get().state == "enabled"
        for name, days in (("博文", 5), ("段欣", 5)):
            make_agreement(power_bank, make_person(power_bank, name=name), at=NOON + days * DAY)
        merchants.deliver_due(power_bank.realm_id, at=NOON + 5 * DAY + timedelta(hours=1))
    endpoint = WebhookEndpoint.objects.get()
    assert (endpoint.state, endpoint.disabled_because) == ("disabled", "failing")
    merchants.deliver_due(power_bank.realm_id, at=NOON + 6 * DAY)
    assert set(WebhookDelivery.objects.values_list("state", flat=True)) == {"given_up"}
    assert WebhookDelivery.objects.filter(reason="endpoint_disabled").count() == 2


def test_advancing_a_sandbox_between_two_failures_does_not_disable_the_endpoint(power_bank: Shop) -> None:
    with endpoint_with_event(power_bank, respond_with(500)):
        merchants.deliver_due(power_bank.realm_id, at=NOON)
        merchants.deliver_due(power_bank.realm_id, at=NOON + 90 * DAY)
    assert WebhookEndpoint.objects.get().state == "enabled"


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(("asked", "waits"), [("3600", timedelta(hours=1)), ("9999999", DAY), ("nonsense", 5 * SECOND)])
def test_retry_after_of_a_busy_receiver_is_respected(
    power_bank: Shop, status: int, asked: str, waits: timedelta
) -> None:
    with endpoint_with_event(power_bank, respond_with(status, Retry_After=asked)):
        merchants.deliver_due(power_bank.realm_id, at=NOON)
    wait = only_delivery().next_at - NOON  # type: ignore[operator]
    assert waits <= wait <= waits * 1.1


def test_retry_after_as_a_date_is_told_by_the_real_clock_and_means_nothing_on_other_statuses(power_bank: Shop) -> None:
    date = (live_now() + timedelta(hours=2)).strftime("%a, %d %b %Y %H:%M:%S GMT")
    with endpoint_with_event(power_bank, respond_with(503, Retry_After=date)) as server:
        merchants.deliver_due(power_bank.realm_id, at=NOON)
        wait = only_delivery().next_at - NOON  # type: ignore[operator]
        assert timedelta(hours=1, minutes=59) < wait < timedelta(hours=2, minutes=1)
        server.behave = respond_with(500, Retry_After="80000")
        merchants.deliver_due(power_bank.realm_id, at=NOON + wait)
        assert only_delivery().next_at <= NOON + wait + timedelta(minutes=6)  # type: ignore[operator]


def test_a_frozen_sandbox_sends_what_is_due_at_its_moment_and_tries_again_when_it_moves(power_bank: Shop) -> None:
    frozen = Realm.objects.filter(pk=power_bank.realm_id)
    frozen.update(frozen_at=NOON)
    with endpoint_with_event(power_bank, respond_with(500)) as server:
        tasks.deliver_webhooks()
        assert len(server.requests) == 1
        tasks.deliver_webhooks()
        tasks.retry_webhooks()
        assert len(server.requests) == 1
        server.behave = respond_with(200)
        frozen.update(frozen_at=NOON + 6 * SECOND)
        tasks.retry_webhooks()
    row = only_delivery()
    assert (row.state, row.ended_at) == ("delivered", NOON + 6 * SECOND)


def test_a_sender_that_dies_between_sending_and_writing_it_down_sends_again_under_the_same_id(power_bank: Shop) -> None:
    with endpoint_with_event(power_bank) as server:
        with mock.patch.object(deliver, "settle", side_effect=SystemExit), pytest.raises(SystemExit):
            merchants.deliver_due(power_bank.realm_id, at=NOON)
        assert len(server.requests) == 1
        assert only_delivery().state == "pending"
        assert merchants.deliver_due(power_bank.realm_id, at=NOON) == 0  # its lease still runs
        WebhookDelivery.objects.update(leased_until=live_now() - SECOND)
        assert merchants.deliver_due(power_bank.realm_id, at=NOON) == 1
        first, second = server.requests
        assert first.headers["webhook-id"] == second.headers["webhook-id"]
        assert first.body == second.body
    row = only_delivery()
    assert (row.state, row.tries, row.attempts.get().number) == ("delivered", 2, 2)


def test_a_delivery_whose_workers_all_die_is_given_up(power_bank: Shop) -> None:
    with endpoint_with_event(power_bank) as server:
        for _ in range(ATTEMPTS_MAX):
            with mock.patch.object(deliver, "settle", side_effect=SystemExit), pytest.raises(SystemExit):
                merchants.deliver_due(power_bank.realm_id, at=NOON)
            WebhookDelivery.objects.update(leased_until=live_now() - SECOND)
        merchants.deliver_due(power_bank.realm_id, at=NOON)
        assert len(server.requests) == ATTEMPTS_MAX
    assert (only_delivery().state, only_delivery().reason) == ("given_up", "never_settled")
