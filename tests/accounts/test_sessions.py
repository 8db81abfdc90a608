"""Pruning expired sessions with the records of their browsers."""

from datetime import timedelta

import pytest
from allauth.usersessions.models import UserSession
from django.contrib.sessions.models import Session
from django.test import Client

from accounts import sessions, tasks
from accounts.models import User
from kernel.clock import live_now

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)


@pytest.fixture
def user() -> User:
    return User.objects.create_user("lin@example.com", "correct horse battery")


def browser(user: User, name: str, *, expires_in: timedelta = DAY, noted_ago: timedelta = 2 * DAY) -> str:
    """Create a session and its browser record. Returns the session key."""
    now = live_now()
    Session.objects.create(session_key=name, session_data="", expire_date=now + expires_in)
    UserSession.objects.create(
        user=user, ip="203.0.113.9", session_key=name, user_agent="x", created_at=now - noted_ago
    )
    return name


def remaining() -> tuple[set[str], set[str]]:
    """The keys of existing sessions, and of browser records."""
    return (
        set(Session.objects.values_list("pk", flat=True)),
        set(UserSession.objects.values_list("session_key", flat=True)),
    )


def test_what_has_expired_goes_and_what_has_not_stays(user: User) -> None:
    browser(user, "over", expires_in=-timedelta(seconds=1))
    browser(user, "good", expires_in=timedelta(minutes=1))
    tasks.forget_sessions()
    assert remaining() == ({"good"}, {"good"})


def test_a_browser_whose_session_is_gone_goes_too_but_not_one_of_just_now(user: User) -> None:
    for name, noted_ago in (("out", 2 * DAY), ("just now", timedelta(minutes=1))):
        browser(user, name, noted_ago=noted_ago)
    Session.objects.all().delete()
    browser(user, "good")
    tasks.forget_sessions()
    assert remaining() == ({"good"}, {"just now", "good"})


def test_they_go_in_batches_the_oldest_first(user: User, monkeypatch: pytest.MonkeyPatch) -> None:
    for n in range(5):
        browser(user, f"over {n}", expires_in=-timedelta(hours=9 - n))
        browser(user, f"out {n}")
        Session.objects.filter(pk=f"out {n}").delete()
    assert sessions.prune_expired_sessions(at=live_now(), limit=2) == 2
    assert remaining()[0] == {"over 2", "over 3", "over 4"}
    monkeypatch.setattr(tasks, "BATCH", 2)
    tasks.forget_sessions()
    assert remaining() == (set(), set())


def test_whoever_is_signed_in_stays_so(user: User) -> None:
    client = Client()
    client.force_login(user, "django.contrib.auth.backends.ModelBackend")
    UserSession.objects.update(created_at=live_now() - 2 * DAY)
    tasks.forget_sessions()
    assert client.session.session_key in remaining()[0]
