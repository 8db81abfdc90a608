"""Collection contacts: each call, text, letter and visit of a colleague about overdue debts, with its outcome."""

from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from accounts.models.people import Person
from kernel import guards
from kernel.models import Identified, Realm


class Contact(Identified):
    """催收联系: a colleague contacted a person about overdue debts. Append-only; counts towards the daily limit."""

    prefix = "cct"
    append_only: ClassVar[bool] = True
    #: Cleared when the person is erased.
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
    #: The order it was about; NULL if it was about everything overdue.
    order_id = models.UUIDField(null=True, blank=True)
    way = models.CharField(max_length=6, choices=Way.choices)
    outcome = models.CharField(max_length=12, choices=Outcome.choices)
    #: The day, in the person's time zone, by which they promised to pay.
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
        triggers = guards.append_only_but_erasable(
            "note",
            protected=[
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
