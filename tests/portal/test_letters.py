"""Password reset emails, and emails about disabled endpoints."""

import re
from datetime import datetime, timedelta
from smtplib import SMTPException
from typing import Any

import pytest
from celery.exceptions import SoftTimeLimitExceeded
from django.contrib.auth.hashers import check_password
from django.core import mail
from django.core.cache import cache
from django.core.mail import EmailMessage
from django.test import Client

from accounts import messaging
from accounts.models import User
from kernel.clock import live_now
from merchants.models import WebhookEndpoint
from merchants.services import endpoints
from merchants.services.endpoints import disable_endpoint
from portal import tasks
from portal.models import Letter
from portal.services import letter_triggers, letters
from portal.services.team import change_role, remove_member
from tests.browsing import visible_text
from tests.conftest import BY, NOON, make_shop
from tests.portal.conftest import PASSWORD, Company

FORGOTTEN = "/merchant/forgotten/"
NEW = "a better horse battery staple"

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _real_mail(settings: Any) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"


def ask(email: str) -> Any:
    return Client().post(FORGOTTEN, {"email": email}, follow=True)


def link_to(user: User) -> str:
    letters.send_due(at=live_now(), limit=10)
    text = next(str(sent.body) for sent in reversed(mail.outbox) if sent.to == [user.email])
    found = re.search(r"/merchant/forgotten/\S+", text)
    assert found
    return found[0]


def password_of(user: User) -> str:
    return User.objects.get(pk=user.pk).password


def test_a_link_leads_to_a_new_password_once_and_ends_every_session(firm: Company) -> None:
    owner, elsewhere = firm.staff["owner"].user, Client()
    elsewhere.post("/merchant/sign-in/", {"email": owner.email, "password": PASSWORD})
    assert elsewhere.get("/merchant/security/").status_code == 200
    assert ask(f" {owner.email.upper()}").status_code == 200
    link, client = link_to(owner), Client()
    assert client.get(link).status_code == 200
    weak = client.post(link, {"password": "short"})
    assert weak.status_code == 422
    assert check_password(PASSWORD, password_of(owner))
    assert client.post(link, {"password": NEW})["Location"] == "/merchant/sign-in/"
    assert check_password(NEW, password_of(owner))
    assert elsewhere.get("/merchant/security/").status_code == 302
    assert client.get(link).status_code == 410
    assert client.post(link, {"password": "another horse battery staple"}).status_code == 410
    assert check_password(NEW, password_of(owner))
    assert Client().post("/merchant/sign-in/", {"email": owner.email, "password": NEW}).status_code == 302


def test_whoever_asks_learns_nothing(firm: Company) -> None:
    User.objects.create_user("nobody@example.com", PASSWORD)
    remove_member(firm.shop.live.id, firm.staff["viewer"].id, by=BY, at=NOON)
    gone = firm.staff["viewer"].user.email
    asked = [firm.staff["owner"].user.email, "unknown@example.com", "nobody@example.com", gone]
    said = {visible_text(ask(email)) for email in asked}
    assert len(said) == 1
    theirs = [firm.staff["owner"].user, firm.staff["viewer"].user]  # whoever left has their address still
    assert [letter.user for letter in Letter.objects.order_by("id")] == theirs


@pytest.mark.parametrize("email", ["", "no address", "x" * 300 + "@example.com", "a\x00b@example.com"])
def test_what_is_no_address_is_said_to_be_none(email: str, db: None) -> None:
    assert Client().post(FORGOTTEN, {"email": email}).status_code == 422


def test_nobody_is_flooded_with_letters(firm: Company) -> None:
    owner = firm.staff["owner"].user
    for minute in (0, 0, 1, 2, 3, 4):
        letters.request_password_reset(owner.email, at=NOON + timedelta(minutes=minute))
    assert Letter.objects.filter(user=owner).count() == 3
    letters.request_password_reset(owner.email, at=NOON + timedelta(minutes=61))
    assert Letter.objects.filter(user=owner).count() == 4
    cache.clear()
    assert [ask(owner.email).status_code for _ in range(7)][-1] == 429


def test_a_link_does_not_outlive_its_hour_and_fits_nobody_else(firm: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    owner, viewer = firm.staff["owner"].user, firm.staff["viewer"].user
    ask(owner.email)
    link = link_to(owner)
    others = link.replace(owner.public_id, viewer.public_id)
    made_up = ["/merchant/forgotten/usr_x/y-z", f"/merchant/forgotten/{owner.public_id}/a-b", others]
    assert [Client().get(path).status_code for path in made_up] == [410] * 3
    later = datetime.now() + timedelta(minutes=61)  # noqa: DTZ005, TID251  Django's own clock for tokens
    monkeypatch.setattr("django.contrib.auth.tokens.PasswordResetTokenGenerator._now", lambda _self: later)
    assert Client().post(link, {"password": NEW}).status_code == 410
    assert check_password(PASSWORD, password_of(owner))


def switched_off(firm: Company, *, because: str = "failing", mode: str = "test") -> WebhookEndpoint:
    merchant = firm.shop.live if mode == "live" else firm.shop.merchant
    endpoint, _secret = endpoints.add_endpoint(merchant.id, "http://127.0.0.1:9/hook", by=BY, at=NOON)
    disable_endpoint(endpoint, because, by=BY, at=NOON)
    return endpoint


def test_owners_and_developers_hear_once_that_an_endpoint_was_switched_off(firm: Company) -> None:
    endpoint = switched_off(firm)
    switched_off(firm, because="by_merchant")
    tasks.send_letters()
    tasks.send_letters()
    heard = {firm.staff[role].user.email for role in ("owner", "developer")}
    assert {address for sent in mail.outbox for address in sent.to} == heard
    assert len(mail.outbox) == 2
    text = str(mail.outbox[0].body)
    assert endpoint.url in text
    assert f"{firm.at('test')}webhooks/{endpoint.public_id}" in text
    assert "127.0.0.1:9" in str(mail.outbox[0].body)
    assert "\n" not in str(mail.outbox[0].subject)


@pytest.mark.parametrize("how", ["left", "is there for something else"])
def test_whoever_is_not_of_those_any_more_when_it_goes_out_does_not_get_it(firm: Company, how: str) -> None:
    switched_off(firm)
    letter_triggers.queue_endpoint_letters(at=NOON, limit=9)
    live, developer = firm.shop.live.id, firm.staff["developer"]
    if how == "left":
        remove_member(live, developer.id, by=BY, at=NOON)
    else:
        change_role(live, developer.id, "viewer", by=BY, at=NOON)
    assert letters.send_due(at=NOON, limit=9) == 2
    assert [sent.to for sent in mail.outbox] == [[firm.staff["owner"].user.email]]
    dropped = Letter.objects.get(user=developer.user)
    assert (dropped.sent_at, dropped.next_at) == (None, None)


def test_a_mail_that_does_not_go_out_is_tried_again_and_given_up_in_the_end(
    firm: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_self: EmailMessage, *, fail_silently: bool = False) -> int:
        raise SMTPException

    monkeypatch.setattr(EmailMessage, "send", broken)
    letters.request_password_reset(firm.staff["owner"].user.email, at=NOON)
    at, tries = NOON, 0
    while letters.send_due(at=at, limit=10):
        tries += 1
        (row,) = Letter.objects.all()
        assert row.sent_at is None
        at = row.next_at or at + timedelta(days=1)
    assert tries == len(letters.RETRY_WAITS) + 1
    monkeypatch.undo()
    assert letters.send_due(at=at + timedelta(days=1), limit=10) == 0


def test_a_letter_whose_sender_died_is_sent_again_after_its_lease(firm: Company) -> None:
    letters.request_password_reset(firm.staff["owner"].user.email, at=NOON)
    letters._claim(at=NOON, limit=10)  # noqa: SLF001  and no further
    assert letters.send_due(at=NOON + timedelta(seconds=59), limit=10) == 0
    assert letters.send_due(at=NOON + timedelta(seconds=61), limit=10) == 1
    assert len(mail.outbox) == 1


def two_asked(firm: Company) -> None:
    for role in ("owner", "developer"):
        letters.request_password_reset(firm.staff[role].user.email, at=NOON)


def test_what_went_out_is_written_down_before_the_next_one_goes(firm: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    two_asked(firm)
    written: list[int] = []

    def noted(_address: str, _subject: str, _body: str) -> None:
        written.append(Letter.objects.filter(sent_at__isnull=False, next_at__isnull=True).count())

    monkeypatch.setattr(messaging, "send_mail", noted)
    letters.send_due(at=NOON, limit=50)
    assert written == [0, 1]


def test_a_late_failure_does_not_undo_what_another_worker_is_doing(
    firm: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    letters.request_password_reset(firm.staff["owner"].user.email, at=NOON)

    def slow(_address: str, _subject: str, _body: str) -> None:
        letters._claim(at=NOON + letters.LEASE, limit=9)  # noqa: SLF001  another worker took it up
        raise SMTPException

    monkeypatch.setattr(messaging, "send_mail", slow)
    letters.send_due(at=NOON, limit=9)
    assert Letter.objects.values_list("tries", "next_at").get() == (2, NOON + 2 * letters.LEASE)


def test_copies_not_reached_in_half_the_lease_are_released(firm: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    two_asked(firm)
    monkeypatch.setattr(letters, "LEASE", timedelta(0))  # those before them took all of the time there is
    for _ in range(len(letters.RETRY_WAITS) + 2):
        assert letters.send_due(at=NOON, limit=50) == 2
    monkeypatch.undo()
    assert set(Letter.objects.values_list("tries", "next_at")) == {(0, NOON)}
    letters.send_due(at=NOON, limit=50)
    assert len(mail.outbox) == 2


def test_when_the_workers_time_is_up_no_more_letters_are_sent(firm: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    two_asked(firm)
    went: list[str] = []

    def holds(address: str, _subject: str, _body: str) -> None:
        went.append(address)
        raise SoftTimeLimitExceeded

    monkeypatch.setattr(messaging, "send_mail", holds)
    with pytest.raises(SoftTimeLimitExceeded):
        letters.send_due(at=NOON, limit=50)
    assert len(went) == 1
    assert set(Letter.objects.values_list("tries", "next_at")) == {(1, NOON + letters.LEASE), (0, NOON)}


def test_endpoints_of_whom_nobody_works_yet_keep_nobody_from_hearing(firm: Company) -> None:
    for n in range(2):
        endpoint, _secret = endpoints.add_endpoint(
            make_shop(f"无人 {n}").merchant.id, "http://127.0.0.1:9/hook", by=BY, at=NOON
        )
        disable_endpoint(endpoint, "gone", by=BY, at=NOON)
    switched_off(firm)
    switched_off(firm, mode="live")
    assert letter_triggers.queue_endpoint_letters(at=NOON, limit=2) == 2
    assert Letter.objects.count() == 2 * 2  # an owner and a developer
    assert letter_triggers.queue_endpoint_letters(at=NOON, limit=2) == 0
