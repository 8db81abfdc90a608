"""Events reach a merchant's endpoint, or are visibly given up: a receiver of every kind, over real sockets."""

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
from merchants.rules.webhooks import TRIES_MAX, WAITS
from merchants.services import deliver
from tests.conftest import BY, NOON, Shop, opened, ordered, someone
from tests.merchants.receiver import Handler, Request, listening, receiver, says, the_delivery

pytestmark = pytest.mark.django_db(transaction=True)
SECOND, DAY = timedelta(seconds=1), timedelta(days=1)


def live_on(shop: Shop, *, until: timedelta) -> int:
    """Time goes by until then: whatever is due is sent when it is. Returns how many times something was."""
    rounds = 0
    while True:
        row = the_delivery()
        if row.next_at is None or row.next_at > NOON + until:
            return rounds
        merchants.deliver_due(shop.realm_id, at=row.next_at)
        rounds += 1


def test_what_happens_arrives_signed_as_the_public_library_wants_it(power_bank: Shop) -> None:
    with receiver() as home:
        _endpoint, secret = merchants.add_endpoint(power_bank.merchant.id, home.url(), by=BY, at=NOON)
        order = ordered(power_bank, opened(power_bank, someone(power_bank)))

        assert merchants.deliver_due(power_bank.realm_id, at=NOON) == 2

        told = [Webhook(secret).verify(request.body, request.headers) for request in home.seen]
        assert {event["type"] for event in told} == {"agreement.activated", "order.opened"}
        for event, request in zip(told, home.seen, strict=True):
            assert event["id"] == request.headers["webhook-id"]
            assert event["created"] == "2026-11-20T04:00:00Z"  # the sandbox's time; the signature's is real
            assert abs(int(request.headers["webhook-timestamp"]) - live_now().timestamp()) < 30
            assert (event["object"], event["livemode"], event["sequence"]) == ("event", False, 1)
            assert request.headers["Content-Type"].startswith("application/json")
            assert request.headers["User-Agent"] == "bnpl-webhooks/1"
        assert {event["subject"] for event in told} >= {order.public_id}
    assert set(WebhookDelivery.objects.values_list("state", flat=True)) == {"delivered"}


def test_a_receiver_that_is_down_for_three_days_gets_it_on_the_fourth(power_bank: Shop) -> None:
    up_again = False

    def behave(handler: Handler, _request: Request) -> None:
        handler.answer(200 if up_again else 503)

    with listening(power_bank, behave) as home:
        tries = live_on(power_bank, until=3 * DAY)
        row = the_delivery()
        assert (row.state, row.reason) == ("pending", "http_503")
        assert tries == TRIES_MAX - 1
        up_again = True
        live_on(power_bank, until=4 * DAY)
        assert the_delivery().state == "delivered"
        assert len({request.headers["webhook-id"] for request in home.seen}) == 1
        assert len({request.body for request in home.seen}) == 1
    assert WebhookEndpoint.objects.get().failing_from is None


def test_after_the_last_try_it_is_given_up_with_its_reason_and_every_try_is_on_record(power_bank: Shop) -> None:
    with listening(power_bank, says(500, "坏了".encode())):
        live_on(power_bank, until=10 * DAY)
    row = the_delivery()
    assert (row.state, row.reason, row.tries) == ("given_up", "http_500", TRIES_MAX)
    tries = list(row.attempts.order_by("number"))
    assert [one.number for one in tries] == list(range(1, TRIES_MAX + 1))
    assert {(one.status, one.excerpt, one.error) for one in tries} == {(500, "坏了", "")}
    for wait, (one, following) in zip(WAITS, itertools.pairwise(tries), strict=True):
        assert wait <= following.at - one.at <= wait * 1.1


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_a_failure_and_is_never_followed(power_bank: Shop, status: int) -> None:
    with receiver() as elsewhere, listening(power_bank, says(status, Location=elsewhere.url())):
        merchants.deliver_due(power_bank.realm_id, at=NOON)
        assert elsewhere.seen == []
    assert (the_delivery().state, the_delivery().reason) == ("pending", f"http_{status}")


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_any_status_of_two_hundred_is_success(power_bank: Shop, status: int) -> None:
    with listening(power_bank, says(status, b"")):
        merchants.deliver_due(power_bank.realm_id, at=NOON)
    assert the_delivery().state == "delivered"


def test_gone_switches_the_endpoint_off_and_the_others_hear_of_it(power_bank: Shop) -> None:
    with receiver() as other, listening(power_bank, says(410)) as gone:
        merchants.add_endpoint(power_bank.merchant.id, other.url(), by=BY, at=NOON)
        merchants.deliver_due(power_bank.realm_id, at=NOON)
        opened(power_bank, someone(power_bank, name="博文"), at=NOON + SECOND)
        merchants.deliver_due(power_bank.realm_id, at=NOON + SECOND)
        assert len(gone.seen) == 1
        assert b"webhook_endpoint.disabled" in b"".join(request.body for request in other.seen)
    endpoint = WebhookEndpoint.objects.get(state="disabled")
    assert endpoint.disabled_because == "gone"
    first = WebhookDelivery.objects.get(endpoint=endpoint)
    assert (first.state, first.reason) == ("given_up", "http_410")
    assert Event.objects.get(type="webhook_endpoint.disabled").data["disabled_because"] == "gone"
    assert Change.objects.filter(verb="endpoint_disabled", subject_id=endpoint.id).count() == 1


def test_five_days_of_nothing_but_failure_switch_it_off_and_what_waits_is_given_up(power_bank: Shop) -> None:
    with listening(power_bank, says(500)):
        live_on(power_bank, until=4 * DAY)
        assert WebhookEndpoint.objects.get().state == "enabled"
        for name, days in (("博文", 5), ("段欣", 5)):
            opened(power_bank, someone(power_bank, name=name), at=NOON + days * DAY)
        merchants.deliver_due(power_bank.realm_id, at=NOON + 5 * DAY + timedelta(hours=1))
    endpoint = WebhookEndpoint.objects.get()
    assert (endpoint.state, endpoint.disabled_because) == ("disabled", "failing")
    merchants.deliver_due(power_bank.realm_id, at=NOON + 6 * DAY)
    assert set(WebhookDelivery.objects.values_list("state", flat=True)) == {"given_up"}
    assert WebhookDelivery.objects.filter(reason="endpoint_disabled").count() == 2


def test_a_sandbox_moved_on_by_ninety_days_between_two_failures_is_not_switched_off_for_it(power_bank: Shop) -> None:
    with listening(power_bank, says(500)):
        merchants.deliver_due(power_bank.realm_id, at=NOON)
        merchants.deliver_due(power_bank.realm_id, at=NOON + 90 * DAY)
    assert WebhookEndpoint.objects.get().state == "enabled"


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(("asked", "waits"), [("3600", timedelta(hours=1)), ("9999999", DAY), ("nonsense", 5 * SECOND)])
def test_a_busy_receiver_says_when_to_come_back(power_bank: Shop, status: int, asked: str, waits: timedelta) -> None:
    with listening(power_bank, says(status, Retry_After=asked)):
        merchants.deliver_due(power_bank.realm_id, at=NOON)
    wait = the_delivery().next_at - NOON  # type: ignore[operator]
    assert waits <= wait <= waits * 1.1


def test_retry_after_as_a_date_is_told_by_the_real_clock_and_means_nothing_on_other_statuses(power_bank: Shop) -> None:
    date = (live_now() + timedelta(hours=2)).strftime("%a, %d %b %Y %H:%M:%S GMT")
    with listening(power_bank, says(503, Retry_After=date)) as home:
        merchants.deliver_due(power_bank.realm_id, at=NOON)
        wait = the_delivery().next_at - NOON  # type: ignore[operator]
        assert timedelta(hours=1, minutes=59) < wait < timedelta(hours=2, minutes=1)
        home.behave = says(500, Retry_After="80000")
        merchants.deliver_due(power_bank.realm_id, at=NOON + wait)
        assert the_delivery().next_at <= NOON + wait + timedelta(minutes=6)  # type: ignore[operator]


def test_a_frozen_sandbox_sends_what_is_due_at_its_moment_and_tries_again_when_it_moves(power_bank: Shop) -> None:
    frozen = Realm.objects.filter(pk=power_bank.realm_id)
    frozen.update(frozen_at=NOON)
    with listening(power_bank, says(500)) as home:
        tasks.deliver_webhooks()
        assert len(home.seen) == 1
        tasks.deliver_webhooks()
        tasks.retry_webhooks()
        assert len(home.seen) == 1
        home.behave = says(200)
        frozen.update(frozen_at=NOON + 6 * SECOND)
        tasks.retry_webhooks()
    row = the_delivery()
    assert (row.state, row.ended_at) == ("delivered", NOON + 6 * SECOND)


def test_a_sender_that_dies_between_sending_and_writing_it_down_sends_again_under_the_same_id(power_bank: Shop) -> None:
    with listening(power_bank) as home:
        with mock.patch.object(deliver, "settle", side_effect=SystemExit), pytest.raises(SystemExit):
            merchants.deliver_due(power_bank.realm_id, at=NOON)
        assert len(home.seen) == 1
        assert the_delivery().state == "pending"
        assert merchants.deliver_due(power_bank.realm_id, at=NOON) == 0  # its lease still runs
        WebhookDelivery.objects.update(leased_until=live_now() - SECOND)
        assert merchants.deliver_due(power_bank.realm_id, at=NOON) == 1
        first, second = home.seen
        assert first.headers["webhook-id"] == second.headers["webhook-id"]
        assert first.body == second.body
    row = the_delivery()
    assert (row.state, row.tries, row.attempts.get().number) == ("delivered", 2, 2)


def test_one_whose_senders_all_die_is_not_sent_for_ever(power_bank: Shop) -> None:
    with listening(power_bank) as home:
        for _ in range(TRIES_MAX):
            with mock.patch.object(deliver, "settle", side_effect=SystemExit), pytest.raises(SystemExit):
                merchants.deliver_due(power_bank.realm_id, at=NOON)
            WebhookDelivery.objects.update(leased_until=live_now() - SECOND)
        merchants.deliver_due(power_bank.realm_id, at=NOON)
        assert len(home.seen) == TRIES_MAX
    assert (the_delivery().state, the_delivery().reason) == ("given_up", "never_settled")
