"""What a session remembers, sealed: while somebody signs in it holds their phone number and the code sent to it.

One that has expired is deleted, and so is what was noted of its browser.
"""

import json
from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any

from allauth.usersessions.models import UserSession
from django.contrib.sessions.models import Session
from django.db import transaction

from accounts.models import User
from kernel import encryption

#: A browser that signed in just now may be noted a moment before its session is to be seen.
SETTLED_AFTER = timedelta(days=1)
_PLACE = "django_session.session_data"


class SealedSerializer:
    """Named by SESSION_SERIALIZER. Django signs what comes out of it, and starts a new session if it does not open."""

    def dumps(self, obj: Any) -> bytes:
        return encryption.seal(json.dumps(obj, separators=(",", ":")), place=_PLACE)

    def loads(self, data: bytes) -> Any:
        return json.loads(encryption.unseal(data, place=_PLACE))


def end_all(user: User) -> None:
    """Wherever they are signed in, they are not any more."""
    theirs = UserSession.objects.filter(user=user)
    Session.objects.filter(session_key__in=list(theirs.values_list("session_key", flat=True))).delete()
    theirs.delete()


@transaction.atomic
def forget_expired(*, at: datetime, limit: int) -> int:
    """Delete so many of the sessions that have expired, the oldest first, with their browsers. How many there were.

    Two sweeps at once take different ones.
    """
    over = Session.objects.filter(expire_date__lt=at).order_by("expire_date")
    keys = list(over.select_for_update(skip_locked=True).values_list("pk", flat=True)[:limit])
    UserSession.objects.filter(session_key__in=keys).delete()
    Session.objects.filter(pk__in=keys).delete()
    return len(keys)


def forget_gone(after: int, *, at: datetime, limit: int) -> int | None:
    """Of the next so many browsers, delete those whose session is gone: who signs in or out has another one.

    Returns the last that was looked at; None if there were none.
    """
    noted = UserSession.objects.filter(pk__gt=after, created_at__lt=at - SETTLED_AFTER).order_by("pk")
    keys = dict(noted.values_list("pk", "session_key")[:limit])
    there = _there(keys.values())
    UserSession.objects.filter(pk__in=[pk for pk, key in keys.items() if key not in there]).delete()
    return max(keys, default=None)


def _there(keys: Collection[str]) -> set[str]:
    return set(Session.objects.filter(pk__in=keys).values_list("pk", flat=True))
