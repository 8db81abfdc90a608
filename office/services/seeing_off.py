"""A colleague leaves: nothing opens to them any more, and what they saw to is free for others."""

from datetime import datetime
from uuid import UUID

from django.db import transaction

from accounts import colleagues
from accounts.models import User
from kernel.actor import Actor
from kernel.refusal import Busy
from office.services import handling


@transaction.atomic
def see_off(user_id: UUID, *, note: str = "", by: Actor, at: datetime) -> User:
    """What they asked a second colleague for stays to be seen, and nobody can agree to it any more.

    Raises:
        NotFound, SecondNeeded, LastSupervisor: as colleagues.leave says.
        Busy: something was handed to them at this very moment.
    """
    handling.free_all(user_id, by=by, at=at)
    user = colleagues.leave(user_id, note=note, by=by, at=at)
    if handling.in_hand(user_id).exists():
        raise Busy
    return user
