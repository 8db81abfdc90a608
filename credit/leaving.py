"""Somebody leaves: every mandate they gave ends, and nothing can be borrowed in their name again."""

from datetime import datetime
from uuid import UUID

from django.db import transaction

from accounts.models import Person
from credit.models import Agreement, Profile
from credit.services import stop_agreement
from kernel.actor import Actor

#: The index of no phone number.
NOBODYS = bytes(32)


def lock_credit(person_id: UUID) -> None:
    """Nothing is held for this person, and no service opened, until the transaction ends."""
    list(Profile.objects.select_for_update(no_key=True).filter(pk=person_id))
    list(Agreement.objects.select_for_update(no_key=True).filter(person_id=person_id).order_by("pk").values_list("pk"))


@transaction.atomic
def end_credit(person_id: UUID, *, by: Actor, at: datetime) -> None:
    """Every service is stopped, and the profile frozen for good. What it says about promises stays with it."""
    lock_credit(person_id)
    Profile.objects.filter(pk=person_id, frozen_at__isnull=True).update(frozen_at=at, review_at=None)
    live = Agreement.objects.filter(person_id=person_id).exclude(state=Agreement.State.TERMINATED).order_by("pk")
    for key in live.values_list("pk", flat=True):
        stop_agreement(key, by=by, at=at)
    person = Person.objects.select_related("user").get(pk=person_id)
    if person.user is not None and person.user.phone_index is not None:  # what asked for them by it is nobody's now
        Agreement.objects.filter(meant_phone=person.user.phone_index).update(meant_phone=NOBODYS)
    # A way back may say more of its person than it needs to.
    Agreement.objects.filter(person_id=person_id).exclude(return_url="").update(return_url="")
