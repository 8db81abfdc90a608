"""The browsers in which a user is signed in, signing them out, and notices of new ones."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from allauth.usersessions.models import UserSession
from django.contrib.sessions.models import Session
from django.db import transaction

from accounts import account_notices, rules
from accounts.models import AccountEvent, Person, User
from accounts.notice_rules import Phrase
from kernel.actor import Actor
from kernel.refusal import NotFound


@dataclass(frozen=True, slots=True)
class Device:
    """A browser in which the user is signed in."""

    key: int
    browser: str
    system: str
    address: str
    since: datetime
    is_current: bool


def devices_of(user_id: UUID, *, session_key: str | None, at: datetime) -> list[Device]:
    """The user's browsers with an unexpired session: this one first, then by last sign-in."""
    unexpired = Session.objects.filter(expire_date__gt=at).values("session_key")
    rows = UserSession.objects.filter(user_id=user_id, session_key__in=unexpired).order_by("-created_at", "-pk")
    devices = [
        Device(row.pk, *rules.parse_user_agent(row.user_agent), row.ip, row.created_at, row.session_key == session_key)
        for row in rows
    ]
    return sorted(devices, key=lambda device: not device.is_current)


@transaction.atomic
def sign_out_device(user_id: UUID, key: int, *, session_key: str | None, by: Actor, at: datetime) -> None:
    """Sign out one browser.

    Raises:
        NotFound: it is not one of theirs, or it is the current one, which has its own sign-out button.
    """
    user = User.objects.locked(user_id)
    row = UserSession.objects.filter(user_id=user_id, pk=key).exclude(session_key=session_key).first()
    if row is None:
        raise NotFound
    _end_sessions(user, [row], by=by, at=at)


@transaction.atomic
def sign_out_others(user_id: UUID, *, session_key: str | None, by: Actor, at: datetime) -> int:
    """Sign out all other browsers. Returns how many."""
    user = User.objects.locked(user_id)
    rows = list(UserSession.objects.filter(user_id=user_id).exclude(session_key=session_key))
    if rows:
        _end_sessions(user, rows, by=by, at=at)
    return len(rows)


@transaction.atomic
def record_sign_in(user_id: UUID, user_agent: str, *, by: Actor, at: datetime) -> None:
    """Record a sign-in. The person is notified if browser and system are new, except at their very first sign-in."""
    user = User.objects.locked(user_id)
    browser, system = rules.parse_user_agent(user_agent)
    earlier = AccountEvent.objects.filter(user=user, kind="signed_in")
    person = Person.objects.select_related("realm", "user").filter(user=user).first()
    is_known = earlier.filter(data__browser=browser, data__system=system).exists() or not earlier.exists()
    if is_known or person is None:
        data = {"browser": browser, "system": system}
        AccountEvent.objects.create(user=user, person=person, kind="signed_in", by=str(by), at=at, data=data)
        return
    device_name = " · ".join(filter(None, (browser, system)))
    shown_name = device_name or Phrase({"zh-hans": "未知浏览器", "en": "an unknown browser"})
    account_notices.notify_account_change(person, "signed_in", shown_name, by=by, at=at, browser=browser, system=system)


def _end_sessions(user: User, rows: Sequence[UserSession], *, by: Actor, at: datetime) -> None:
    Session.objects.filter(session_key__in=[row.session_key for row in rows]).delete()
    UserSession.objects.filter(pk__in=[row.pk for row in rows]).delete()
    AccountEvent.objects.create(user=user, kind="signed_out_elsewhere", by=str(by), at=at, data={"sessions": len(rows)})
