"""The code that a colleague is given in person: with it a newcomer chooses a first password, and a first second step is
set up by whoever has none: somebody who only stole a password has no code.

It is given by supervisors or at the machine (`manage.py colleague`, `manage.py enrol`), and good once and for a day.
"""

import secrets
from collections.abc import MutableMapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils.crypto import constant_time_compare

from accounts.models import AccountEvent, EnrolmentCode, User
from accounts.refusals import EnrolmentCodeOver
from kernel import encryption
from kernel.actor import Actor
from kernel.refusal import NotFound, SecondNeeded

GOOD_FOR = timedelta(days=1)
#: Whoever has chosen their password with a code sets up the second step with it, too, in the same session.
GOES_ON_FOR = timedelta(minutes=30)
#: No letter or digit that is read as another, sixteen of them: 79 bits.
_ALPHABET = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"
_GROUPS, _IN_A_GROUP = 4, 4
#: What a session keeps of the code that was shown in it.
_SHOWN = "enrolment_code_shown"


@dataclass(frozen=True, slots=True)
class Code:
    """What is said to the colleague, once, and until when it is good."""

    text: str
    ends_at: datetime


@transaction.atomic
def give_code(user_id: UUID, *, note: str = "", by: Actor, at: datetime) -> Code:
    """A new code; one that was given before it is worth nothing.

    Raises:
        NotFound: there is no such colleague.
        SecondNeeded: whoever shows it first becomes this colleague, as no password was chosen yet: that takes two.
    """
    user = User.objects.locked(user_id)
    if not (user.is_staff and user.is_active):
        raise NotFound
    if by.alone and not user.has_usable_password():
        raise SecondNeeded
    groups = ("".join(secrets.choice(_ALPHABET) for _ in range(_IN_A_GROUP)) for _ in range(_GROUPS))
    code = Code("-".join(groups), at + GOOD_FOR)
    digest = _digest(user.pk, code.text)
    EnrolmentCode.objects.create(user=user, digest=digest, by=str(by), at=at, ends_at=code.ends_at)
    AccountEvent.objects.create(user=user, kind="enrolment_code_given", by=str(by), at=at, data={"note": note})
    return code


@transaction.atomic
def use_code(user_id: UUID, text: str, *, by: Actor, at: datetime) -> EnrolmentCode:
    """The code was shown, and is used up together with what is done in the same transaction.

    Raises:
        EnrolmentCodeOver: it is not the newest that was given to them, too old, or used.
    """
    user = User.objects.locked(user_id)
    newest = _newest(user_id=user_id)
    right = newest is not None and constant_time_compare(bytes(newest.digest), _digest(user.pk, text))
    if newest is None or not right or newest.spent_at is not None or at >= newest.ends_at:
        raise EnrolmentCodeOver
    newest.spent_at = at
    newest.save(update_fields=["spent_at"])
    AccountEvent.objects.create(user=user, kind="enrolment_code_used", by=str(by), at=at)
    return newest


def whose(username: str, text: str) -> UUID | None:
    """The colleague of this name, if this is the newest code they were given. What is wrong takes as long to say."""
    newest = _newest(user__username=username)
    kept, key = (bytes(newest.digest), newest.user_id) if newest else (b"", UUID(int=0))
    return key if constant_time_compare(kept, _digest(key, text)) else None


def keep_shown(session: MutableMapping[str, Any], code: EnrolmentCode) -> None:
    """In this session the code was shown: it goes on to the second step, if that is set up soon."""
    session[_SHOWN] = str(code.pk)


def was_shown(session: MutableMapping[str, Any], user: User, *, at: datetime) -> bool:
    """Whether the newest code of theirs was used in this session, and just now."""
    kept = session.get(_SHOWN)
    newest = _newest(user_id=user.pk) if kept else None
    if newest is None or newest.spent_at is None or str(newest.pk) != kept:
        return False
    return at < newest.spent_at + GOES_ON_FOR


def forget_shown(session: MutableMapping[str, Any]) -> None:
    """What it was good for is done."""
    if _SHOWN in session:
        del session[_SHOWN]


def _newest(**whose: Any) -> EnrolmentCode | None:
    return EnrolmentCode.objects.filter(**whose).order_by("-id").first()


def _digest(user_id: UUID, text: str) -> bytes:
    """However it was typed: in small letters, without its dashes."""
    typed = "".join(sign for sign in text.upper() if sign.isalnum())
    return encryption.blind(typed, purpose=f"accounts.enrolment:{user_id}")
