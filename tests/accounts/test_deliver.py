"""Delivering notices: quiet hours, daily limits, real backends, and workers that die."""

import socket
from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.handlers import Message
from celery.exceptions import SoftTimeLimitExceeded
from django.conf import LazySettings
from django.db import connection, transaction

from accounts import deliver, messaging, notices
from accounts.models import Delivery, LocalMessage, Person
from kernel.models import LIVE, Realm
from tests.accounts.notice_fixtures import (
    DAY,
    MORNING,
    NIGHT,
    NOON,
    STALE,
    create_person,
    deliver_texts,
    new_notice,
    override,
    write,
)
from tests.threads import run_concurrently

BROKEN = "tests.accounts.notice_fixtures.BrokenSmsBackend"


@pytest.fixture(autouse=True)
def _use_stale_notices(settings: LazySettings) -> None:
    STALE.clear()
    settings.NOTICES_STANDING = "tests.accounts.notice_fixtures.stale_notices"
    settings.EMAIL_BACKEND = "accounts.messaging.LocalMail"  # pytest-django puts another one in its place


@pytest.mark.django_db
def test_at_night_only_the_inbox_gets_it_and_texts_wait_until_eight() -> None:
    person = create_person(email="ada@example.com")
    write(new_notice(person), at=NIGHT)
    assert notices.inbox_of(person.id).count() == 1
    assert [text.count("\n\n") for text in deliver_texts(NIGHT)] == [1]  # a mail wakes nobody
    assert deliver_texts(MORNING - timedelta(seconds=1)) == []
    assert len(deliver_texts(MORNING)) == 1


@pytest.mark.django_db
def test_what_failed_in_the_evening_is_not_tried_again_at_night(settings: LazySettings) -> None:
    write(new_notice(create_person()), at=NIGHT - timedelta(hours=1, seconds=1))
    with override(settings, SMS_BACKEND=BROKEN):
        assert deliver_texts(NIGHT - timedelta(hours=1, seconds=1)) == []
    assert deliver_texts(NIGHT) == []
    assert len(deliver_texts(MORNING)) == 1


@pytest.mark.django_db
def test_demands_wait_until_morning_in_the_inbox_too() -> None:
    person = create_person()
    write(new_notice(person, "overdue_1"), at=NIGHT)
    assert deliver_texts(NIGHT) == []
    assert notices.inbox_of(person.id).count() == 0
    assert len(deliver_texts(MORNING)) == 1
    assert notices.inbox_of(person.id).count() == 1


@pytest.mark.django_db
def test_the_hours_are_the_persons_own() -> None:
    person = create_person()
    Person.objects.filter(pk=person.id).update(zone="America/New_York")
    write(new_notice(person), at=NOON)  # 23:00 there
    assert deliver_texts(NOON) == []
    assert deliver_texts(NOON + timedelta(hours=9) - timedelta(seconds=1)) == []
    assert len(deliver_texts(NOON + timedelta(hours=9))) == 1


@pytest.mark.django_db
def test_at_most_three_demands_a_day_over_all_orders() -> None:
    person, other = create_person(email="ada@example.com"), create_person("+8613800138001")
    write(*(new_notice(person, "overdue_1") for _ in range(7)), new_notice(person), new_notice(other, "overdue_1"))
    first = deliver_texts(NOON)
    demands = [text for text in first if "逾期" in text]
    assert len(demands) == 3 + 1  # a demand goes by one way only, and another person's counts for them
    assert len(first) == 4 + 2
    assert notices.inbox_of(person.id).filter(stage="overdue_1").count() == 3
    assert deliver_texts(NOON + timedelta(hours=9)) == []
    assert [
        len(deliver_texts(MORNING)),
        len(deliver_texts(MORNING)),
        len(deliver_texts(MORNING + DAY)),
        len(deliver_texts(MORNING + 2 * DAY)),
    ] == [
        3,
        0,
        1,
        0,
    ]


@pytest.mark.django_db(transaction=True)
def test_eight_workers_at_once_do_not_send_a_fourth_demand() -> None:
    person = create_person()
    write(*(new_notice(person, "overdue_1") for _ in range(10)))
    eight = [partial(deliver.deliver_due, LIVE, at=NOON, limit=3)] * 8
    for _ in range(20):  # who finds that another has them in hand leaves them for the next round
        run_concurrently(*eight)
        if LocalMessage.objects.count() >= 3:
            break
    run_concurrently(*eight)
    assert LocalMessage.objects.count() == 3


@pytest.mark.django_db
def test_stale_notices_are_skipped_with_the_reason() -> None:
    first, second = new_notice(create_person(), "overdue_1"), new_notice(create_person("+8613800138001"), "overdue_1")
    write(first, second)
    STALE[first.about] = "paid"
    assert len(deliver_texts(NOON)) == 1
    skipped = Delivery.objects.filter(notice__about=first.about)
    assert set(skipped.values_list("state", "reason", "next_at", "tries")) == {("skipped", "paid", None, 0)}


@pytest.fixture
def post_office(settings: LazySettings) -> Iterator[list[Any]]:
    """A real SMTP server, with the mails it received."""
    letters: list[Any] = []

    class Keep(Message):
        def handle_message(self, message: Any) -> None:
            letters.append(message)

    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    server = Controller(Keep(), hostname="127.0.0.1", port=port)
    server.start()
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT, settings.DEFAULT_FROM_EMAIL = "127.0.0.1", port, "bnpl@example.com"
    yield letters
    server.stop()


@pytest.mark.django_db
def test_a_mail_arrives_at_a_real_server(post_office: list[Any]) -> None:
    write(new_notice(create_person(email="ada@example.com")), new_notice(create_person("+8613800138001")))
    deliver.deliver_due(LIVE, at=NOON)
    (letter,) = post_office
    assert (letter["To"], letter["From"]) == ("ada@example.com", "bnpl@example.com")
    assert "从 银行卡 扣款成功" in letter.get_payload(decode=True).decode()
    assert not Delivery.objects.exclude(state="sent").exists()
    assert Delivery.objects.filter(channel="mail").count() == 1  # without an address there is no mail


@pytest.mark.django_db
def test_what_a_dead_server_did_not_take_is_tried_again_and_then_given_up(
    post_office: list[Any], settings: LazySettings
) -> None:
    write(new_notice(create_person(email="ada@example.com")))
    at = NOON
    with socket.create_server(("127.0.0.1", 0)) as free:
        settings.EMAIL_PORT = free.getsockname()[1]
    for wait in deliver.RETRY_DELAYS:
        deliver.deliver_due(LIVE, at=at)
        mail = Delivery.objects.get(channel="mail")
        assert (mail.state, mail.reason, mail.next_at) == ("queued", "ConnectionRefusedError", at + wait)
        at += wait
    deliver.deliver_due(LIVE, at=at)
    mail.refresh_from_db()
    assert (mail.state, mail.tries, mail.next_at) == ("failed", 6, None)
    assert post_office == []


@pytest.mark.django_db
def test_nothing_for_a_sandbox_leaves_whatever_the_settings_say(post_office: list[Any], settings: LazySettings) -> None:
    settings.SMS_BACKEND = BROKEN
    realm = Realm.objects.create(mode="test")
    write(new_notice(create_person(realm_id=realm.id, email="ada@example.com")), realm_id=realm.id)
    assert len(deliver_texts(NOON, realm_id=realm.id)) == 2
    settings.LOCAL_MESSAGES = False
    write(new_notice(Person.objects.get()), realm_id=realm.id)
    assert deliver_texts(NOON, realm_id=realm.id) == []
    assert post_office == []
    assert set(Delivery.objects.values_list("state", flat=True)) == {"sent"}


@pytest.mark.django_db
def test_no_row_of_a_delivery_holds_an_address(settings: LazySettings) -> None:
    write(new_notice(create_person(email="ada@example.com")))
    with override(settings, SMS_BACKEND=BROKEN):
        deliver.deliver_due(LIVE, at=NOON)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT string_agg(d::text, ' ') || string_agg(n::text, ' ') FROM accounts_delivery d, accounts_notice n"
        )
        stored = cursor.fetchone()[0]
    assert "ConnectionError" in stored
    assert not {word for word in ("13800138000", "ada@example.com") if word in stored}


@pytest.mark.django_db(transaction=True)
def test_nothing_is_sent_inside_a_transaction() -> None:
    write(new_notice(create_person()))
    claimed, _ = deliver.claim_due(LIVE, at=NOON, limit=9)
    with transaction.atomic(), pytest.raises(deliver.InsideTransactionError):
        list(deliver.send_all(claimed))
    assert LocalMessage.objects.count() == 0


@pytest.mark.django_db
def test_killed_before_sending_it_is_sent_when_the_lease_is_over() -> None:
    write(new_notice(create_person()))
    deliver.claim_due(LIVE, at=NOON, limit=9)
    assert deliver_texts(NOON + deliver.LEASE - timedelta(seconds=1)) == []
    assert len(deliver_texts(NOON + deliver.LEASE)) == 1
    assert deliver_texts(NOON + DAY) == []


@pytest.mark.django_db
def test_killed_between_sending_and_settling_it_is_sent_once_more_and_not_again() -> None:
    write(new_notice(create_person()))
    claimed, _ = deliver.claim_due(LIVE, at=NOON, limit=9)
    outcomes = list(deliver.send_all(claimed))
    assert len(deliver_texts(NOON + deliver.LEASE)) == 1
    deliver.settle(outcomes, at=NOON + DAY)  # the dead one was only slow
    assert deliver_texts(NOON + DAY) == []
    assert LocalMessage.objects.count() == 2


@pytest.mark.django_db
def test_a_slow_failure_does_not_undo_what_another_worker_is_doing() -> None:
    write(new_notice(create_person()))
    slow, _ = deliver.claim_due(LIVE, at=NOON, limit=9)
    (other,), _ = deliver.claim_due(LIVE, at=NOON + deliver.LEASE, limit=9)
    deliver.settle([(slow[0], "TimeoutError")], at=NOON + deliver.LEASE)
    row = Delivery.objects.get(channel="sms")
    assert (row.state, row.next_at, row.tries) == ("queued", other.next_at, 2)


@pytest.mark.django_db
def test_what_kills_every_worker_is_given_up() -> None:
    write(new_notice(create_person()))
    for n in range(len(deliver.RETRY_DELAYS) + 1):
        assert deliver.claim_due(LIVE, at=NOON + n * deliver.LEASE, limit=9)[0]
    assert deliver.claim_due(LIVE, at=NOON + timedelta(hours=1), limit=9) == ([], 1)
    row = Delivery.objects.get(channel="sms")
    assert (row.state, row.reason) == ("failed", "never_settled")


def waiting() -> list[tuple[str, int, Any, Any]]:
    rows = Delivery.objects.filter(channel="sms").order_by("tries", "id")
    return [(row.state, row.tries, row.next_at, row.tried_at) for row in rows]


@pytest.mark.django_db
def test_copies_not_reached_in_half_the_lease_are_released(monkeypatch: pytest.MonkeyPatch) -> None:
    write(new_notice(create_person()))
    monkeypatch.setattr(deliver, "LEASE", timedelta(0))  # those before it took all of the time there is
    for _ in range(len(deliver.RETRY_DELAYS) + 2):
        deliver.deliver_due(LIVE, at=NOON)
        assert waiting() == [("queued", 0, NOON, None)]
    monkeypatch.undo()
    assert len(deliver_texts(NOON)) == 1


@pytest.mark.django_db
def test_when_the_workers_time_is_up_only_the_current_copy_counts_as_tried(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    write(*(new_notice(create_person(f"+861380013800{n}")) for n in range(3)))
    seen: list[str] = []

    def holds(phone: str, _text: str) -> None:
        seen.append(phone)
        if len(seen) == 2:
            raise SoftTimeLimitExceeded

    monkeypatch.setattr(messaging, "send_text", holds)
    with pytest.raises(SoftTimeLimitExceeded):
        deliver.deliver_due(LIVE, at=NOON)
    assert len(seen) == 2
    assert sorted(waiting()) == [
        ("queued", 0, NOON, None),
        ("queued", 1, NOON + deliver.LEASE, NOON),
        ("sent", 1, None, NOON),
    ]
