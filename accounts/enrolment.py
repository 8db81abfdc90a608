"""The code without which no colleague sets up a first second step: whoever only stole a password has none.

It is given by a supervisor or at the machine (`manage.py enrol`), said in person, and good once and for a day.
"""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.utils.crypto import constant_time_compare

from accounts.models import AccountEvent, EnrolmentCode, User
from accounts.refusals import EnrolmentCodeOver
from kernel import sealed
from kernel.actor import Actor
from kernel.refusal import NotFound

GOOD_FOR = timedelta(days=1)
#: No letter or digit that is read as another, sixteen of them: 79 bits.
_ALPHABET = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"
_GROUPS, _IN_A_GROUP = 4, 4


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
    """
    user = User.objects.locked(user_id)
    if not (user.is_staff and user.is_active):
        raise NotFound
    groups = ("".join(secrets.choice(_ALPHABET) for _ in range(_IN_A_GROUP)) for _ in range(_GROUPS))
    code = Code("-".join(groups), at + GOOD_FOR)
    EnrolmentCode.objects.create(user=user, digest=_digest(user, code.text), by=str(by), at=at, ends_at=code.ends_at)
    AccountEvent.objects.create(user=user, kind="enrolment_code_given", by=str(by), at=at, data={"note": note})
    return code


@transaction.atomic
def use_code(user_id: UUID, text: str, *, by: Actor, at: datetime) -> None:
    """The code was shown, and is used up together with what is done in the same transaction.

    Raises:
        EnrolmentCodeOver: it is not the newest that was given to them, too old, or used.
    """
    user = User.objects.locked(user_id)
    newest = EnrolmentCode.objects.filter(user=user).order_by("-id").first()
    right = newest is not None and constant_time_compare(bytes(newest.digest), _digest(user, text))
    if newest is None or not right or newest.spent_at is not None or at >= newest.ends_at:
        raise EnrolmentCodeOver
    newest.spent_at = at
    newest.save(update_fields=["spent_at"])
    AccountEvent.objects.create(user=user, kind="enrolment_code_used", by=str(by), at=at)


def _digest(user: User, text: str) -> bytes:
    """However it was typed: in small letters, without its dashes."""
    typed = "".join(sign for sign in text.upper() if sign.isalnum())
    return sealed.blind(typed, purpose=f"accounts.enrolment:{user.id}")
