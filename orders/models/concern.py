from datetime import datetime
from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django_fsm import transition

from accounts.models import Person
from credit.models import Decision
from kernel import guards
from kernel.lifecycle import Lifecycle, StateField
from kernel.models import History, Identified, Realm
from kernel.versions import PolicyVersion
from merchants.models import Merchant
from orders.models.order import Order


class ConcernEvent(History):
    """A line of a concern's history."""

    subject = models.ForeignKey("Concern", models.PROTECT, related_name="history", db_index=False)


class Concern(Lifecycle):
    """求助: what a person asks help with: a problem with an order, a debt that is hard to pay, a wrong decision."""

    prefix = "con"
    history_model = ConcernEvent
    begins = ("open",)

    class State(models.TextChoices):
        OPEN = "open"
        DECIDED = "decided"
        WITHDRAWN = "withdrawn"

    class Kind(models.TextChoices):
        PROBLEM = "problem"
        HARDSHIP = "hardship"
        OBJECTION = "objection"

    class Turn(models.TextChoices):
        STAFF = "staff"
        PERSON = "person"

    class Outcome(models.TextChoices):
        RESUMED = "resumed"
        LOWERED = "lowered"
        CANCELLED = "cancelled"
        GRANTED = "granted"
        REFUSED = "refused"
        UPHELD = "upheld"
        REASSESSED = "reassessed"

    realm = models.ForeignKey(Realm, models.PROTECT, related_name="+")
    person = models.ForeignKey(Person, models.PROTECT, related_name="concerns", db_index=False)
    #: The order it is about; a hardship without one is about everything the person owes.
    order = models.ForeignKey(Order, models.PROTECT, null=True, blank=True, related_name="concerns")
    #: Whose order or service it is about: they may read along and answer.
    merchant = models.ForeignKey(Merchant, models.PROTECT, null=True, blank=True, related_name="+")
    decision = models.ForeignKey(Decision, models.PROTECT, null=True, blank=True, related_name="objections")
    kind = models.CharField(max_length=9, choices=Kind.choices)
    #: Which kind of problem it is, in one word; empty for the other kinds.
    category = models.CharField(max_length=16, blank=True)
    #: The plan that was asked for, `{parts, every_days}`, and what was granted of it.
    plan = models.JSONField(default=dict, blank=True)
    state = StateField(default=State.OPEN, choices=State.choices, protected=True)
    outcome = models.CharField(max_length=10, choices=Outcome.choices, blank=True)
    #: Whose answer it waits for, and since when.
    waits_for = models.CharField(max_length=6, choices=Turn.choices, default=Turn.STAFF)
    heard_at = models.DateTimeField()
    opened_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["order"],
                name="an_order_has_one_open_report",
                condition=Q(state="open", kind="problem"),
            ),
            models.UniqueConstraint(
                fields=["person"],
                name="a_person_asks_for_one_plan_at_a_time",
                condition=Q(state="open", kind="hardship"),
            ),
            models.UniqueConstraint(
                fields=["decision"],
                name="a_decision_is_objected_to_once",
                condition=Q(kind="objection"),
            ),
            models.CheckConstraint(
                name="a_concern_names_what_it_is_about",
                condition=Q(kind="problem", order__isnull=False, decision__isnull=True)
                | Q(kind="hardship", decision__isnull=True)
                | Q(kind="objection", decision__isnull=False),
            ),
            models.CheckConstraint(
                name="exactly_what_is_over_says_when",
                condition=Q(state="open", closed_at__isnull=True) | (~Q(state="open") & Q(closed_at__isnull=False)),
            ),
            models.CheckConstraint(
                name="exactly_what_is_decided_has_an_outcome",
                condition=(Q(state="decided") & ~Q(outcome="")) | (~Q(state="decided") & Q(outcome="")),
            ),
        ]
        indexes = [
            models.Index(fields=["person", "-id"], name="concerns_of_person"),
            models.Index(
                fields=["realm", "heard_at"], name="concerns_waiting", condition=Q(state="open", waits_for="staff")
            ),
        ]
        triggers = guards.lifecycle(
            "orders_concernevent", frozen=["realm_id", "person_id", "order_id", "decision_id", "kind"]
        )

    @transition(field=state, source=State.OPEN, target=None)
    def hear(self, turn: str, *, at: datetime) -> None:
        """Somebody has said something, and now it is the other side's turn; what waited longer keeps its place."""
        if turn != self.waits_for:
            self.waits_for, self.heard_at = turn, at

    @transition(field=state, source=State.OPEN, target=State.DECIDED)
    def decide(self, outcome: str, *, at: datetime) -> None:
        self.outcome, self.closed_at = outcome, at

    @transition(field=state, source=State.OPEN, target=State.WITHDRAWN)
    def withdraw(self, *, at: datetime) -> None:
        self.closed_at = at


class Message(Identified):
    """One thing that was said about a concern. Append-only."""

    prefix = "say"
    append_only: ClassVar[bool] = True
    #: What is emptied when its person leaves.
    erasable: ClassVar[tuple[str, ...]] = ("text",)

    class Author(models.TextChoices):
        PERSON = "person"
        STAFF = "staff"
        MERCHANT = "merchant"

    concern = models.ForeignKey(Concern, models.PROTECT, related_name="messages")
    person = models.ForeignKey(Person, models.PROTECT, related_name="+", db_index=False)
    author = models.CharField(max_length=8, choices=Author.choices)
    by = models.CharField(max_length=80)
    text = models.TextField()
    at = models.DateTimeField()
    recorded_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["concern_id", "id"]
        triggers = guards.only_erased(
            "text", kept=["id", "concern_id", "person_id", "author", "by", "at", "recorded_at"]
        )


class EasePolicy(PolicyVersion):
    """Which plans are granted at once to whoever says that paying is hard: `orders.rules.Ease`, field by field."""

    prefix = "epl"
