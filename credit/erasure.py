"""Erasure of a person: close all their agreements and freeze their credit profile."""

from datetime import datetime
from uuid import UUID

from django.db import transaction

from accounts.models import Person
from credit.models import REVIEW_ACTOR, Agreement, LimitChange, Profile
from credit.services import stop_agreement
from kernel.actor import Actor

#: A phone index that matches no phone number.
NO_PHONE_INDEX = bytes(32)


def lock_credit(person_id: UUID) -> None:
    """Block holds and new agreements of this person until the transaction ends."""
    list(Profile.objects.select_for_update(no_key=True).filter(pk=person_id))
    list(Agreement.objects.select_for_update(no_key=True).filter(person_id=person_id).order_by("pk").values_list("pk"))


@transaction.atomic
def close_credit(person_id: UUID, *, by: Actor, at: datetime) -> None:
    """Stop every service and freeze the profile for good. The promise record stays, without reasons of staff."""
    lock_credit(person_id)
    Profile.objects.filter(pk=person_id, frozen_at__isnull=True).update(frozen_at=at, review_at=None)
    live = Agreement.objects.filter(person_id=person_id).exclude(state=Agreement.State.TERMINATED).order_by("pk")
    for key in live.values_list("pk", flat=True):
        stop_agreement(key, by=by, at=at)
    person = Person.objects.select_related("user").get(pk=person_id)
    if person.user is not None and person.user.phone_index is not None:  # agreements addressed to it
        Agreement.objects.filter(meant_phone=person.user.phone_index).update(meant_phone=NO_PHONE_INDEX)
    # The reasons staff gave are free text; those of reviews are figures.
    LimitChange.objects.filter(person_id=person_id).exclude(by=REVIEW_ACTOR).update(reason="")
    # A return URL may contain personal data.
    Agreement.objects.filter(person_id=person_id).exclude(return_url="").update(return_url="")
