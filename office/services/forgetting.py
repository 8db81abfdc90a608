"""Somebody leaves: what colleagues noted about what was theirs is emptied; who saw to it, and when, stays."""

from uuid import UUID

from django.db.models import Q

from office.models import Handling, HandlingNote
from office.queues import QUEUES
from personal.leaving import ABOVE


def forget_notes(person_id: UUID) -> int:
    """The words of every note on what waited because of them. How many notes that were.

    Whoever notes something holds the row of what it is about: it is there before, or comes after they have left.
    """
    count = 0
    for queue in (queue for queue in QUEUES.values() if queue.people):
        theirs = Q.create([Q(**{way: person_id}) for way in queue.people], connector=Q.OR)
        about = queue.model._default_manager.filter(theirs).values("pk")
        handlings = Handling.objects.filter(queue=queue.name, about__in=about).order_by("pk")
        keys = list(handlings.select_for_update(no_key=True).values_list("pk", flat=True))
        count += HandlingNote.objects.filter(handling__in=keys).exclude(text="").update(text="")
    return count


def heed_leaving() -> None:
    """The floor below erases people, and cannot know of this."""
    ABOVE.append(forget_notes)
