"""Offboards a staff user: their access ends and their queue items become unassigned."""

from datetime import datetime
from uuid import UUID

from django.db import transaction

from accounts import colleagues
from accounts.models import User
from kernel.actor import Actor
from kernel.refusal import Busy
from office.services import assignments


@transaction.atomic
def offboard(user_id: UUID, *, note: str = "", by: Actor, at: datetime) -> User:
    """Deactivate the account and release the user's queue items. Their open proposals can no longer be approved.

    Raises:
        NotFound, ApprovalRequired, LastSupervisor: see accounts.colleagues.
        Busy: an item was assigned to them at the same moment.
    """
    assignments.release_all(user_id, by=by, at=at)
    user = colleagues.deactivate(user_id, note=note, by=by, at=at)
    if assignments.open_assignments(user_id).exists():
        raise Busy
    return user
