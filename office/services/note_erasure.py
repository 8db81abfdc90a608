"""Erases the text of staff notes about a person whose data is erased; who handled the items, and when, is kept."""

from collections.abc import Iterator
from uuid import UUID

from django.db.models import Q, QuerySet

from office.models import Handling, HandlingNote
from office.queues import QUEUES
from personal.erasure_hooks import HOOKS, ErasureHook


def _handlings_about(person_id: UUID) -> Iterator["QuerySet[Handling]"]:
    """The handlings of queue items about this person, one queryset for each queue."""
    for queue in (queue for queue in QUEUES.values() if queue.person_lookups):
        by_person = Q.create([Q(**{way: person_id}) for way in queue.person_lookups], connector=Q.OR)
        about = queue.model._default_manager.filter(by_person).values("pk")
        yield Handling.objects.filter(queue=queue.name, about__in=about).order_by("pk")


def lock_notes(person_id: UUID) -> None:
    """Lock the handlings and their notes, so that no note is added during the erasure."""
    for handlings in _handlings_about(person_id):
        list(handlings.select_for_update(no_key=True).values_list("pk"))
        list(_notes_with_text(handlings).order_by("pk").select_for_update(no_key=True).values_list("pk"))


def erase_notes(person_id: UUID) -> int:
    """Empty the text of every note on items about this person. Returns how many notes."""
    return sum(_notes_with_text(handlings).update(text="") for handlings in _handlings_about(person_id))


def _notes_with_text(handlings: "QuerySet[Handling]") -> "QuerySet[HandlingNote]":
    """The notes of these handlings that have a text."""
    return HandlingNote.objects.filter(handling__in=handlings.order_by().values("pk")).exclude(text="")


def register_erasure_hooks() -> None:
    """Let the personal app, a layer below, run these hooks when it erases a person."""
    HOOKS.append(ErasureHook(lock_notes, erase_notes))
