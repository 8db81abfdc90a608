"""Deductions from a person's payment methods, the retry policies behind them, and the stored-value wallet."""

from datetime import datetime
from typing import ClassVar

from django.db import models
from django.db.models import F, Q
from django_fsm import transition

from accounts.models import Person
from billing.models.instruments import Instrument
from kernel import guards, ids
from kernel.lifecycle import Lifecycle, StateField
from kernel.models import FastInitModel, History, Identified, Realm
from kernel.money import Money
from merchants.models import Merchant
from orders.models import Obligation, Order


class RetryPolicy(Identified):
    """A version of the retry terms, in force from `effective_from` until the next version. Append-only."""

    prefix = "pol"
    append_only: ClassVar[bool] = True

    name = models.CharField(max_length=20)
    version = models.PositiveIntegerField()
    effective_from = models.DateTimeField()
    #: The fields of billing.planning.Policy.
    terms = models.JSONField()
    #: Why this version was published.
    reason = models.CharField(max_length=200, blank=True)
    by = models.CharField(max_length=80)
    at = models.DateTimeField()

    class Meta:
        ordering = ["name", "version"]
        constraints = [models.UniqueConstraint(fields=["name", "version"], name="a_policy_version_is_published_once")]
        triggers = guards.append_only()


class DeductionEvent(History):
    """An entry in a deduction's history."""

    subject = models.ForeignKey("Deduction", models.PROTECT, related_name="history", db_index=False)


class Deduction(Lifecycle):
    """扣款: one attempt to collect money from a person's instrument, always under the same number."""

    prefix = "ded"
    history_model = DeductionEvent
    initial_states = ("prepared",)

    class State(models.TextChoices):
        PREPARED = "prepared"
        SENT = "sent"
        UNKNOWN = "unknown"
        SUCCEEDED = "succeeded"
        FAILED = "failed"
        NOT_SENT = "not_sent"

    class Purpose(models.TextChoices):
        PLANNED = "planned"
        COLLECT = "collect"
        PAY_NOW = "pay_now"

    LIVE = (State.PREPARED, State.SENT, State.UNKNOWN)

    realm = models.ForeignKey(Realm, models.PROTECT, related_name="+")
    person = models.ForeignKey(Person, models.PROTECT, related_name="deductions", db_index=False)
    instrument = models.ForeignKey(Instrument, models.PROTECT, related_name="deductions")
    channel = models.CharField(max_length=20)
    purpose = models.CharField(max_length=8, choices=Purpose.choices)
    #: The reason given in the plan: `due`, `retry_3d`, `next_instrument` …; empty if it was not planned.
    reason = models.CharField(max_length=20, blank=True)
    currency = models.CharField(max_length=3)
    amount_minor = models.BigIntegerField()
    state = StateField(default=State.PREPARED, choices=State.choices, protected=True)
    prepared_at = models.DateTimeField()
    sent_at = models.DateTimeField(null=True, blank=True)
    resolved_at = models.DateTimeField(null=True, blank=True)
    #: The channel's own transaction number.
    channel_txn = models.CharField(max_length=64, null=True, blank=True)
    failure_code = models.CharField(max_length=40, blank=True)
    failure_class = models.CharField(max_length=10, blank=True)
    asks = models.PositiveSmallIntegerField(default=0)
    #: When the channel is next queried for the outcome; empty once it is known.
    ask_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(name="a_deduction_asks_for_something", condition=Q(amount_minor__gt=0)),
            models.UniqueConstraint(
                fields=["channel", "channel_txn"],
                name="a_channel_transaction_is_used_once",
                condition=Q(channel_txn__isnull=False),
            ),
            models.CheckConstraint(
                name="a_success_names_its_transaction",
                condition=~Q(state="succeeded") | Q(channel_txn__isnull=False),
            ),
            models.CheckConstraint(
                name="only_the_unresolved_is_asked_about",
                condition=Q(state__in=["sent", "unknown"]) | Q(ask_at__isnull=True),
            ),
        ]
        indexes = [
            models.Index(fields=["realm", "ask_at", "id"], name="deductions_to_ask", condition=Q(ask_at__isnull=False)),
            models.Index(fields=["person", "-id"], name="deductions_of_person"),
            models.Index(
                fields=["realm", "channel", "resolved_at"], name="deductions_by_end", condition=Q(state="succeeded")
            ),
        ]
        triggers = guards.lifecycle(
            "billing_deductionevent",
            frozen_columns=["realm_id", "person_id", "instrument_id", "channel", "currency", "amount_minor"],
        )

    @property
    def amount(self) -> Money:
        return Money(self.amount_minor, self.currency)

    @property
    def number(self) -> str:
        """The number sent to the channel, its idempotency key: fixed before it is first sent."""
        return self.id.hex

    @transition(field=state, source=State.PREPARED, target=State.SENT)
    def send(self, *, at: datetime, ask_at: datetime) -> None:
        self.sent_at, self.ask_at = at, ask_at

    @transition(field=state, source=State.SENT, target=State.UNKNOWN)
    def mark_unknown(self, *, ask_at: datetime) -> None:
        self.ask_at = ask_at

    @transition(field=state, source=[State.SENT, State.UNKNOWN], target=State.SUCCEEDED)
    def succeed(self, channel_txn: str, *, at: datetime) -> None:
        self.channel_txn, self.resolved_at, self.ask_at = channel_txn, at, None

    @transition(field=state, source=[State.SENT, State.UNKNOWN], target=State.FAILED)
    def fail(self, code: str, kind: str, *, at: datetime) -> None:
        self.failure_code, self.failure_class, self.resolved_at, self.ask_at = code, kind, at, None

    @transition(field=state, source=State.UNKNOWN, target=State.NOT_SENT)
    def mark_not_sent(self, *, at: datetime) -> None:
        self.failure_code, self.failure_class = "not_found_at_channel", "not_sent"
        self.resolved_at, self.ask_at = at, None


class DeductionLine(FastInitModel):
    """The part of a deduction that pays one obligation. Lines are in the order of their debts, oldest first."""

    id = models.UUIDField(primary_key=True, default=ids.uuid7, editable=False)
    deduction = models.ForeignKey(Deduction, models.PROTECT, related_name="lines")
    obligation = models.ForeignKey(Obligation, models.PROTECT, related_name="deduction_lines")
    order = models.ForeignKey(Order, models.PROTECT, related_name="deduction_lines")
    merchant = models.ForeignKey(Merchant, models.PROTECT, related_name="+")
    amount_minor = models.BigIntegerField()
    #: The number of this attempt at its obligation, from 1.
    attempt = models.PositiveSmallIntegerField()
    #: A copy of the planned attempt, `{at, source, reason, …}`; empty if it was not planned.
    planned = models.JSONField(null=True, blank=True)
    #: True while the deduction's outcome is open: at most one such line per obligation.
    live = models.BooleanField(default=True)
    #: How much of it was refunded or is being refunded.
    refunded_minor = models.BigIntegerField(default=0)
    #: How much of it the channel returned in a dispute, so that it is owed again.
    reopened_minor = models.BigIntegerField(default=0)

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(
                fields=["obligation"], name="one_live_deduction_an_obligation", condition=Q(live=True)
            ),
            models.CheckConstraint(name="a_line_asks_for_something", condition=Q(amount_minor__gt=0)),
            models.CheckConstraint(
                name="no_more_goes_back_than_came",
                condition=Q(refunded_minor__gte=0, reopened_minor__gte=0)
                & Q(amount_minor__gte=F("refunded_minor") + F("reopened_minor")),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.deduction_id}: {self.amount_minor}"

    @property
    def kept_minor(self) -> int:
        """The amount that was neither refunded nor disputed."""
        return self.amount_minor - self.refunded_minor - self.reopened_minor

    @property
    def is_advance_repayment(self) -> bool:
        """Whether it repays an early refund whose return was denied."""
        return bool(self.obligation.kind == Obligation.Kind.ADVANCE)


class Wallet(models.Model):
    """A person's stored value. The ledger is the record; this row is the balance that a debit is checked against."""

    person = models.OneToOneField(Person, models.PROTECT, primary_key=True, related_name="wallet")
    realm = models.ForeignKey(Realm, models.PROTECT, related_name="+")
    currency = models.CharField(max_length=3, default="CNY")
    balance_minor = models.BigIntegerField(default=0)

    class Meta:
        constraints = [models.CheckConstraint(name="a_wallet_is_never_overdrawn", condition=Q(balance_minor__gte=0))]

    def __str__(self) -> str:
        return f"{self.person_id} {self.balance_minor}"


#: Length of a movement number sent to a channel (UUID in hex).
_NUMBER_LENGTH = 32


class WalletEntry(Identified):
    """One movement of stored value. Its number is its idempotency key: the same number moves nothing twice."""

    prefix = "wal"
    append_only: ClassVar[bool] = True
    #: What an entry is: a top-up or withdrawal by the person, a correction by staff, or a channel's.
    TOPPED_UP, WITHDRAWN, CORRECTED, PAID, REFUNDED = "topped_up", "withdrawn", "corrected", "paid", "refunded"

    person = models.ForeignKey(Person, models.PROTECT, related_name="wallet_entries")
    number = models.CharField(max_length=64, unique=True)
    #: Signed: positive into the wallet, negative out of it.
    amount_minor = models.BigIntegerField()
    at = models.DateTimeField()

    class Meta:
        ordering = ["id"]
        triggers = guards.append_only()

    @property
    def kind(self) -> str:
        """Derived from the number: one made by a channel is bare, any other starts with a word for its origin."""
        word = self.number.partition(" ")[0]
        by_word = {"top-up": self.TOPPED_UP, "out": self.WITHDRAWN, "case": self.CORRECTED}
        if word in by_word:
            return by_word[word]
        if self.amount_minor < 0:
            return self.PAID
        return self.REFUNDED if len(word) == _NUMBER_LENGTH else self.TOPPED_UP
