"""Enrolment codes, given to colleagues in person, to choose a first password and to set up a first second factor.

Somebody who only stole a password cannot set up a second factor. Codes are issued by supervisors or on the server
(`manage.py colleague`, `manage.py enrol`), and valid once and for a day.
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
from accounts.refusals import InvalidEnrolmentCode
from kernel import encryption
from kernel.actor import Actor
from kernel.refusal import ApprovalRequired, NotFound

CODE_LIFETIME = timedelta(days=1)
#: A code used for the first password also permits to set up a second factor in the same session, for this long.
SESSION_LIFETIME = timedelta(minutes=30)
#: Without look-alike letters and digits; 16 characters: 79 bits.
_ALPHABET = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"
_GROUPS, _GROUP_LENGTH = 4, 4
#: The session key that holds the id of the used code.
_SESSION_KEY = "enrolment_code_shown"


@dataclass(frozen=True, slots=True)
class IssuedCode:
    """A new code in clear, shown once, and its expiry."""

    text: str
    ends_at: datetime


@transaction.atomic
def issue_code(user_id: UUID, *, note: str = "", by: Actor, at: datetime) -> IssuedCode:
    """Issue a code; earlier ones become invalid.

    Raises:
        NotFound: there is no such active colleague.
        ApprovalRequired: the colleague has no password yet, so whoever has the code takes over the account: this needs
            the approval of a second colleague.
    """
    user = User.objects.locked(user_id)
    if not (user.is_staff and user.is_active):
        raise NotFound
    if by.is_unapproved_staff and not user.has_usable_password():
        raise ApprovalRequired
    groups = ("".join(secrets.choice(_ALPHABET) for _ in range(_GROUP_LENGTH)) for _ in range(_GROUPS))
    code = IssuedCode("-".join(groups), at + CODE_LIFETIME)
    digest = _digest(user.pk, code.text)
    EnrolmentCode.objects.create(user=user, digest=digest, by=str(by), at=at, ends_at=code.ends_at)
    AccountEvent.objects.create(user=user, kind="enrolment_code_given", by=str(by), at=at, data={"note": note})
    return code


@transaction.atomic
def use_code(user_id: UUID, text: str, *, by: Actor, at: datetime) -> EnrolmentCode:
    """Use up the code, in the transaction of what it is used for.

    Raises:
        InvalidEnrolmentCode: it is not the user's newest code, is expired, or was used.
    """
    user = User.objects.locked(user_id)
    newest = _newest_code(user_id=user_id)
    is_right = newest is not None and constant_time_compare(bytes(newest.digest), _digest(user.pk, text))
    if newest is None or not is_right or newest.spent_at is not None or at >= newest.ends_at:
        raise InvalidEnrolmentCode
    newest.spent_at = at
    newest.save(update_fields=["spent_at"])
    AccountEvent.objects.create(user=user, kind="enrolment_code_used", by=str(by), at=at)
    return newest


def find_code_owner(username: str, text: str) -> UUID | None:
    """The user id behind this username, if this is their newest code. Takes equally long for wrong input."""
    newest = _newest_code(user__username=username)
    digest, key = (bytes(newest.digest), newest.user_id) if newest else (b"", UUID(int=0))
    return key if constant_time_compare(digest, _digest(key, text)) else None


def remember_used_code(session: MutableMapping[str, Any], code: EnrolmentCode) -> None:
    """Remember in the session that the code was used, so that a second factor can be set up without another code."""
    session[_SESSION_KEY] = str(code.pk)


def used_in_session(session: MutableMapping[str, Any], user: User, *, at: datetime) -> bool:
    """Whether the user's newest code was used in this session within SESSION_LIFETIME."""
    code_id = session.get(_SESSION_KEY)
    newest = _newest_code(user_id=user.pk) if code_id else None
    if newest is None or newest.spent_at is None or str(newest.pk) != code_id:
        return False
    return at < newest.spent_at + SESSION_LIFETIME


def forget_used_code(session: MutableMapping[str, Any]) -> None:
    """Remove the used code from the session."""
    if _SESSION_KEY in session:
        del session[_SESSION_KEY]


def _newest_code(**lookup: Any) -> EnrolmentCode | None:
    return EnrolmentCode.objects.filter(**lookup).order_by("-id").first()


def _digest(user_id: UUID, text: str) -> bytes:
    """The digest of a code, regardless of case and separators."""
    typed = "".join(sign for sign in text.upper() if sign.isalnum())
    return encryption.blind_index(typed, purpose=f"accounts.enrolment:{user_id}")
