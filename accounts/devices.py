"""Where somebody is signed in: one line for each session that still opens, and its end."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from allauth.usersessions.models import UserSession
from django.contrib.sessions.models import Session
from django.db import transaction

from accounts import reach, rules
from accounts.models import AccountEvent, Person, User
from accounts.wording import Phrase
from kernel.actor import Actor
from kernel.refusal import NotFound


@dataclass(frozen=True, slots=True)
class Device:
    """A browser in which somebody is signed in."""

    key: int
    browser: str
    system: str
    address: str
    since: datetime
    here: bool


def devices_of(user_id: UUID, *, session_key: str | None, at: datetime) -> list[Device]:
    """This browser first, then the one that signed in last. What ran out does not open any more and is not shown."""
    still_open = Session.objects.filter(expire_date__gt=at).values("session_key")
    rows = UserSession.objects.filter(user_id=user_id, session_key__in=still_open).order_by("-created_at", "-pk")
    found = [
        Device(
            row.pk, *rules.browser_and_system(row.user_agent), row.ip, row.created_at, row.session_key == session_key
        )
        for row in rows
    ]
    return sorted(found, key=lambda device: not device.here)


@transaction.atomic
def sign_out_device(user_id: UUID, key: int, *, session_key: str | None, by: Actor, at: datetime) -> None:
    """Whoever sits there has to sign in again.

    Raises:
        NotFound: it is not one of theirs, or the one that asks: that one signs out by its own button.
    """
    user = User.objects.locked(user_id)
    row = UserSession.objects.filter(user_id=user_id, pk=key).exclude(session_key=session_key).first()
    if row is None:
        raise NotFound
    _end(user, [row], by=by, at=at)


@transaction.atomic
def sign_out_others(user_id: UUID, *, session_key: str | None, by: Actor, at: datetime) -> int:
    """Only the browser that asks stays signed in. Returns how many do not."""
    user = User.objects.locked(user_id)
    rows = list(UserSession.objects.filter(user_id=user_id).exclude(session_key=session_key))
    if rows:
        _end(user, rows, by=by, at=at)
    return len(rows)


@transaction.atomic
def note_sign_in(user_id: UUID, user_agent: str, *, by: Actor, at: datetime) -> None:
    """Somebody signed in. In a browser that was not seen before they are told; the first one ever is no news."""
    user = User.objects.locked(user_id)
    browser, system = rules.browser_and_system(user_agent)
    before = AccountEvent.objects.filter(user=user, kind="signed_in")
    person = Person.objects.select_related("realm", "user").filter(user=user).first()
    known = before.filter(data__browser=browser, data__system=system).exists() or not before.exists()
    if known or person is None:
        seen = {"browser": browser, "system": system}
        AccountEvent.objects.create(user=user, person=person, kind="signed_in", by=str(by), at=at, data=seen)
        return
    named = " · ".join(filter(None, (browser, system)))
    what = named or Phrase({"zh-hans": "未知浏览器", "en": "an unknown browser"})
    reach.tell(person, "signed_in", what, by=by, at=at, browser=browser, system=system)


def _end(user: User, rows: Sequence[UserSession], *, by: Actor, at: datetime) -> None:
    Session.objects.filter(session_key__in=[row.session_key for row in rows]).delete()
    UserSession.objects.filter(pk__in=[row.pk for row in rows]).delete()
    AccountEvent.objects.create(user=user, kind="signed_out_elsewhere", by=str(by), at=at, data={"sessions": len(rows)})
