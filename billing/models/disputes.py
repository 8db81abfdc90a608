"""Disputes: deductions that a channel returned, who is liable, the evidence against them, and the outcome."""

from datetime import datetime
from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django_fsm import transition

from accounts.models import Person
from billing.models.deductions import Deduction, DeductionLine
from kernel import guards
from kernel.lifecycle import Lifecycle, StateField
from kernel.models import History, Identified, Realm
from kernel.money import Money
from kernel.policy_versions import PolicyVersion
from merchants.models import Merchant
from orders.models import Order


class DisputePolicy(PolicyVersion):
    """A version of who is liable for disputes, by channel reason: the fields of `billing.dispute_terms.Terms`."""

    prefix = "dpl"


class DisputeEvent(History):
    """An entry in a dispute's history."""

    subject = models.ForeignKey("Dispute", models.PROTECT, related_name="history", db_index=False)


class Dispute(Lifecycle):
    """拒付: a channel has returned a deduction. It ends won (the channel pays again) or lost (a party is liable)."""

    prefix = "dsp"
    history_model = DisputeEvent
    initial_states = ("open",)

    class State(models.TextChoices):
        OPEN = "open"
        CONTESTED = "contested"
        WON = "won"
        LOST = "lost"

    class Bearer(models.TextChoices):
        PERSON = "person"
        MERCHANT = "merchant"
        PLATFORM = "platform"

    LIVE = (State.OPEN, State.CONTESTED)

    realm = models.ForeignKey(Realm, models.PROTECT, related_name="+")
    person = models.ForeignKey(Person, models.PROTECT, related_name="+")
    deduction = models.ForeignKey(Deduction, models.PROTECT, related_name="disputes")
    channel = models.CharField(max_length=20)
    #: The channel's own number for the transaction that took the money back.
    channel_txn = models.CharField(max_length=64)
    #: The channel's reason code: `no_funds`, `account_closed`, `not_authorised`, `not_received` …
    code = models.CharField(max_length=40)
    currency = models.CharField(max_length=3)
    amount_minor = models.BigIntegerField()
    state = StateField(default=State.OPEN, choices=State.choices, protected=True)
    #: Who is liable if it is lost; once it is lost, who was held liable.
    bearer = models.CharField(max_length=8, choices=Bearer.choices)
    #: The evidence, exactly as it is sent to the channel.
    evidence = models.TextField(blank=True)
    opened_at = models.DateTimeField()
    #: The deadline for evidence; empty if the channel's decision is final.
    answer_until = models.DateTimeField(null=True, blank=True)
    #: When the next action is due: accept as lost, send the evidence, or query the ruling.
    act_at = models.DateTimeField(null=True, blank=True)
    said_at = models.DateTimeField(null=True, blank=True)
    resolved_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(name="a_dispute_is_about_something", condition=Q(amount_minor__gt=0)),
            models.UniqueConstraint(fields=["channel", "channel_txn"], name="a_channel_takes_back_once_by_one_number"),
            models.UniqueConstraint(
                fields=["deduction"],
                name="a_deduction_is_disputed_once_at_a_time",
                condition=Q(state__in=["open", "contested"]),
            ),
            models.CheckConstraint(
                name="only_a_live_dispute_is_seen_to",
                condition=Q(state__in=["open", "contested"], resolved_at__isnull=True)
                | Q(state__in=["won", "lost"], act_at__isnull=True, resolved_at__isnull=False),
            ),
            models.CheckConstraint(
                name="what_is_contested_has_its_evidence", condition=~Q(state="contested") | ~Q(evidence="")
            ),
        ]
        indexes = [
            models.Index(fields=["realm", "act_at", "id"], name="disputes_due", condition=Q(act_at__isnull=False)),
            models.Index(
                fields=["realm", "opened_at"], name="disputes_live", condition=Q(state__in=["open", "contested"])
            ),
        ]
        triggers = guards.lifecycle(
            "billing_disputeevent",
            frozen_columns=[
                "realm_id",
                "person_id",
                "deduction_id",
                "channel",
                "channel_txn",
                "currency",
                "amount_minor",
            ],
        )

    @property
    def amount(self) -> Money:
        return Money(self.amount_minor, self.currency)

    @transition(field=state, source=State.OPEN, target=None)
    def assign_liability(self, bearer: str) -> None:
        self.bearer = bearer

    @transition(field=state, source=State.OPEN, target=State.CONTESTED)
    def contest(self, evidence: str, *, at: datetime) -> None:
        self.evidence, self.act_at = evidence, at

    @transition(field=state, source=list(LIVE), target=State.WON)
    def win(self, *, at: datetime) -> None:
        self.resolved_at, self.act_at = at, None

    @transition(field=state, source=list(LIVE), target=State.LOST)
    def lose(self, bearer: str, *, at: datetime) -> None:
        self.bearer, self.resolved_at, self.act_at = bearer, at, None


class DisputeLine(Identified):
    """The part of a disputed deduction that was for one order. Append-only."""

    prefix = "dsl"
    append_only: ClassVar[bool] = True

    dispute = models.ForeignKey(Dispute, models.PROTECT, related_name="lines", db_index=False)
    taken = models.ForeignKey(DeductionLine, models.PROTECT, related_name="dispute_lines")
    order = models.ForeignKey(Order, models.PROTECT, related_name="+")
    merchant = models.ForeignKey(Merchant, models.PROTECT, related_name="+")
    amount_minor = models.BigIntegerField()

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["dispute", "taken"], name="a_dispute_names_a_line_once"),
            models.CheckConstraint(name="a_disputed_line_is_about_something", condition=Q(amount_minor__gt=0)),
        ]
        triggers = guards.append_only()


class DisputeAnswer(Identified):
    """The evidence submitted by one of the merchants, once. Append-only."""

    prefix = "dsa"
    append_only: ClassVar[bool] = True
    #: Redacted when the person's data is erased.
    erasable: ClassVar[tuple[str, ...]] = ("statement", "communication", "carrier", "tracking_number")

    dispute = models.ForeignKey(Dispute, models.PROTECT, related_name="answers", db_index=False)
    merchant = models.ForeignKey(Merchant, models.PROTECT, related_name="+")
    statement = models.CharField(max_length=1000)
    #: The communication with the customer about it.
    communication = models.CharField(max_length=600, blank=True)
    carrier = models.CharField(max_length=40, blank=True)
    tracking_number = models.CharField(max_length=40, blank=True)
    by = models.CharField(max_length=80)
    at = models.DateTimeField()
    recorded_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["dispute", "merchant"], name="a_merchant_answers_a_dispute_once"),
            models.CheckConstraint(name="an_answer_says_something", condition=~Q(statement="")),
        ]
        triggers = guards.append_only_but_erasable(
            "statement",
            "communication",
            "carrier",
            "tracking_number",
            protected=["id", "dispute_id", "merchant_id", "by", "at", "recorded_at"],
            erased_text=guards.REDACTED_TEXT,
        )
