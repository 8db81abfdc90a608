"""Encrypting session data, ending sessions, and pruning expired ones with the records of their browsers.

During a sign-in, a session holds the phone number and the code sent to it.
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

#: Browser records younger than this are not pruned, as they may be written just before their session is.
ORPHAN_MIN_AGE = timedelta(days=1)
_PLACE = "django_session.session_data"


class SealedSerializer:
    """The setting SESSION_SERIALIZER. Django starts a new session if data cannot be decrypted."""

    def dumps(self, obj: Any) -> bytes:
        return encryption.seal(json.dumps(obj, separators=(",", ":")), place=_PLACE)

    def loads(self, data: bytes) -> Any:
        return json.loads(encryption.unseal(data, place=_PLACE))


def end_all_sessions(user: User) -> None:
    """Sign the user out everywhere."""
    browsers = UserSession.objects.filter(user=user)
    Session.objects.filter(session_key__in=list(browsers.values_list("session_key", flat=True))).delete()
    browsers.delete()


@transaction.atomic
def prune_expired_sessions(*, at: datetime, limit: int) -> int:
    """Delete up to `limit` expired sessions, oldest first, with the records of their browsers. Returns how many.

    Concurrent runs take different sessions.
    """
    expired = Session.objects.filter(expire_date__lt=at).order_by("expire_date")
    keys = list(expired.select_for_update(skip_locked=True).values_list("pk", flat=True)[:limit])
    UserSession.objects.filter(session_key__in=keys).delete()
    Session.objects.filter(pk__in=keys).delete()
    return len(keys)


def prune_orphaned_browsers(after: int, *, at: datetime, limit: int) -> int | None:
    """Among the next browser records after this id, delete those whose session no longer exists.

    Returns the last id examined; None if there were none.
    """
    browsers = UserSession.objects.filter(pk__gt=after, created_at__lt=at - ORPHAN_MIN_AGE).order_by("pk")
    keys = dict(browsers.values_list("pk", "session_key")[:limit])
    existing = _existing_sessions(keys.values())
    UserSession.objects.filter(pk__in=[pk for pk, key in keys.items() if key not in existing]).delete()
    return max(keys, default=None)


def _existing_sessions(keys: Collection[str]) -> set[str]:
    return set(Session.objects.filter(pk__in=keys).values_list("pk", flat=True))
