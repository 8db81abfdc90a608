"""Somebody leaves: what colleagues noted about what was theirs is emptied; who saw to it, and when, stays."""

from collections.abc import Iterator
from uuid import UUID

from django.db.models import Q, QuerySet

from office.models import Handling, HandlingNote
from office.queues import QUEUES
from personal.leaving import ABOVE, Above


def _theirs(person_id: UUID) -> Iterator["QuerySet[Handling]"]:
    """Who sees to what waited because of them, queue by queue."""
    for queue in (queue for queue in QUEUES.values() if queue.people):
        theirs = Q.create([Q(**{way: person_id}) for way in queue.people], connector=Q.OR)
        about = queue.model._default_manager.filter(theirs).values("pk")
        yield Handling.objects.filter(queue=queue.name, about__in=about).order_by("pk")


def hold_notes(person_id: UUID) -> None:
    """Nothing is noted on any of it meanwhile: whoever does holds the same rows."""
    for handlings in _theirs(person_id):
        list(handlings.select_for_update(no_key=True).values_list("pk"))
        list(_notes(handlings).order_by("pk").select_for_update(no_key=True).values_list("pk"))


def forget_notes(person_id: UUID) -> int:
    """The words of every note on what waited because of them. How many notes that were."""
    return sum(_notes(handlings).update(text="") for handlings in _theirs(person_id))


def _notes(handlings: "QuerySet[Handling]") -> "QuerySet[HandlingNote]":
    """The notes on these that say something."""
    return HandlingNote.objects.filter(handling__in=handlings.order_by().values("pk")).exclude(text="")


def heed_leaving() -> None:
    """The floor below erases people, and cannot know of this."""
    ABOVE.append(Above(hold_notes, forget_notes))
