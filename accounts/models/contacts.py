"""What colleagues asked of people who owe: each call, text, letter and visit, with what came of it."""

from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from accounts.models.people import Person
from kernel import guards
from kernel.models import Identified, Realm


class Contact(Identified):
    """催收联系: a colleague asked a person for an overdue debt. Append-only; it counts against what a day may bring."""

    prefix = "cct"
    append_only: ClassVar[bool] = True
    #: What is emptied when its person leaves.
    erasable: ClassVar[tuple[str, ...]] = ("note",)

    class Way(models.TextChoices):
        CALL = "call"
        TEXT = "text"
        LETTER = "letter"
        VISIT = "visit"

    class Outcome(models.TextChoices):
        REACHED = "reached"
        NOT_REACHED = "not_reached"
        PROMISED = "promised"
        DISPUTES = "disputes"
        HARDSHIP = "hardship"
        WRONG_NUMBER = "wrong_number"

    realm = models.ForeignKey(Realm, models.PROTECT, related_name="+", db_index=False)
    person = models.ForeignKey(Person, models.PROTECT, related_name="contacts", db_index=False)
    #: The order it was about; empty when it was about everything that is overdue.
    order_id = models.UUIDField(null=True, blank=True)
    way = models.CharField(max_length=6, choices=Way.choices)
    outcome = models.CharField(max_length=12, choices=Outcome.choices)
    #: The day, by the person's own calendar, by which they said that they pay.
    promised_on = models.DateField(null=True, blank=True)
    note = models.TextField(blank=True)
    by = models.CharField(max_length=80)
    at = models.DateTimeField()
    recorded_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(
                name="exactly_a_promise_names_its_day",
                condition=Q(outcome="promised", promised_on__isnull=False)
                | (~Q(outcome="promised") & Q(promised_on__isnull=True)),
            ),
        ]
        indexes = [
            models.Index(fields=["person", "-at"], name="contacts_with_person"),
            models.Index(
                fields=["realm", "promised_on", "id"], name="promises_by_day", condition=Q(promised_on__isnull=False)
            ),
        ]
        triggers = guards.only_erased(
            "note",
            kept=[
                "id",
                "realm_id",
                "person_id",
                "order_id",
                "way",
                "outcome",
                "promised_on",
                "by",
                "at",
                "recorded_at",
            ],
        )
