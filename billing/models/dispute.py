"""Money that a channel took back: who bears it, what we say against it, and how it ended."""

from datetime import datetime
from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django_fsm import transition

from accounts.models import Person
from billing.models.collecting import Deduction, DeductionLine
from kernel import guards
from kernel.lifecycle import Lifecycle, StateField
from kernel.models import History, Identified, Realm
from kernel.money import Money
from kernel.versions import PolicyVersion
from merchants.models import Merchant
from orders.models import Order


class DisputePolicy(PolicyVersion):
    """Who bears what channels take back, by their reason: `billing.bearing.Terms`, field by field."""

    prefix = "dpl"


class DisputeEvent(History):
    """A line of a dispute's history."""

    subject = models.ForeignKey("Dispute", models.PROTECT, related_name="history", db_index=False)


class Dispute(Lifecycle):
    """拒付: a channel has taken a debit back. The money is gone until somebody bears it, or the channel gives way."""

    prefix = "dsp"
    history_model = DisputeEvent
    begins = ("open",)

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
    #: The channel's own number for the movement with which it took the money back.
    channel_txn = models.CharField(max_length=64)
    #: Why, in the channel's word: `no_funds`, `account_closed`, `not_authorised`, `not_received` …
    code = models.CharField(max_length=40)
    currency = models.CharField(max_length=3)
    amount_minor = models.BigIntegerField()
    state = StateField(default=State.OPEN, choices=State.choices, protected=True)
    #: Who bears it if it is lost; when it is lost, who does.
    bearer = models.CharField(max_length=8, choices=Bearer.choices)
    #: What we say against it, in the words that are sent to the channel.
    evidence = models.TextField(blank=True)
    opened_at = models.DateTimeField()
    #: Until when the channel hears us; empty where its word is final.
    answer_until = models.DateTimeField(null=True, blank=True)
    #: When something is to be done: given up as lost, said to the channel, or asked there.
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
            frozen=["realm_id", "person_id", "deduction_id", "channel", "channel_txn", "currency", "amount_minor"],
        )

    @property
    def amount(self) -> Money:
        return Money(self.amount_minor, self.currency)

    @transition(field=state, source=State.OPEN, target=None)
    def be_borne_by(self, bearer: str) -> None:
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
    """What of a disputed debit was for which order. Append-only."""

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
    """What one of the merchants said against it, once. Append-only."""

    prefix = "dsa"
    append_only: ClassVar[bool] = True

    dispute = models.ForeignKey(Dispute, models.PROTECT, related_name="answers", db_index=False)
    merchant = models.ForeignKey(Merchant, models.PROTECT, related_name="+")
    statement = models.CharField(max_length=1000)
    #: What was written to the person about it.
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
        triggers = guards.append_only()
