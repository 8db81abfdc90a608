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
from kernel.policy_versions import PolicyVersion
from merchants.models import Merchant
from orders.models.order import Order


class ConcernEvent(History):
    """One event of a concern's history."""

    subject = models.ForeignKey("Concern", models.PROTECT, related_name="history", db_index=False)


class Concern(Lifecycle):
    """求助: a person's request: a problem with an order, a hardship plan, or an objection to a decision."""

    prefix = "con"
    history_model = ConcernEvent
    initial_states = ("open",)

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
    #: The order it is about; a hardship request without one covers everything the person owes.
    order = models.ForeignKey(Order, models.PROTECT, null=True, blank=True, related_name="concerns")
    #: The merchant of that order or service, who may read and answer.
    merchant = models.ForeignKey(Merchant, models.PROTECT, null=True, blank=True, related_name="+")
    decision = models.ForeignKey(Decision, models.PROTECT, null=True, blank=True, related_name="objections")
    kind = models.CharField(max_length=9, choices=Kind.choices)
    #: The kind of problem, e.g. "wrong_amount"; empty for other kinds of concern.
    category = models.CharField(max_length=16, blank=True)
    #: The requested plan, `{parts, every_days}`, and after a decision the granted one.
    plan = models.JSONField(default=dict, blank=True)
    state = StateField(default=State.OPEN, choices=State.choices, protected=True)
    outcome = models.CharField(max_length=10, choices=Outcome.choices, blank=True)
    #: Who has to answer next, and since when they have had to.
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
                condition=Q(kind="objection") & ~Q(state="withdrawn"),
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
            "orders_concernevent", frozen_columns=["realm_id", "person_id", "order_id", "decision_id", "kind"]
        )

    @transition(field=state, source=State.OPEN, target=None)
    def pass_turn(self, turn: str, *, at: datetime) -> None:
        """Record a message: the other side has to answer now. The same `turn` again keeps its waiting time."""
        if turn != self.waits_for:
            self.waits_for, self.heard_at = turn, at

    @transition(field=state, source=State.OPEN, target=State.DECIDED)
    def decide(self, outcome: str, *, at: datetime) -> None:
        self.outcome, self.closed_at = outcome, at

    @transition(field=state, source=State.OPEN, target=State.WITHDRAWN)
    def withdraw(self, *, at: datetime) -> None:
        self.closed_at = at


class Message(Identified):
    """One message of a concern. Append-only."""

    prefix = "say"
    append_only: ClassVar[bool] = True
    #: Fields emptied when the person's data is erased.
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
        triggers = guards.append_only_but_erasable(
            "text", protected=["id", "concern_id", "person_id", "author", "by", "at", "recorded_at"]
        )


class EasePolicy(PolicyVersion):
    """Which payment plans are granted without review; `terms` holds the fields of `orders.rules.HardshipTerms`."""

    prefix = "epl"
