from datetime import datetime
from typing import ClassVar

from django.db import models
from django.db.models import F, Q
from django_fsm import transition

from accounts.models import Person
from billing.models.instruments import Instrument
from kernel import guards, ids
from kernel.lifecycle import Lifecycle, StateField
from kernel.models import History, Identified, Realm, Row
from kernel.money import Money
from merchants.models import Merchant
from orders.models import Obligation, Order


class RetryPolicy(Identified):
    """A version of how debts are collected, in force from its day on until the next one. Never changed."""

    prefix = "pol"
    append_only: ClassVar[bool] = True

    name = models.CharField(max_length=20)
    version = models.PositiveIntegerField()
    effective_from = models.DateTimeField()
    #: billing.planning.Policy, field by field.
    terms = models.JSONField()
    #: Why it was published.
    reason = models.CharField(max_length=200, blank=True)
    by = models.CharField(max_length=80)
    at = models.DateTimeField()

    class Meta:
        ordering = ["name", "version"]
        constraints = [models.UniqueConstraint(fields=["name", "version"], name="a_policy_version_is_published_once")]
        triggers = guards.append_only()


class DeductionEvent(History):
    """A line of a deduction's history."""

    subject = models.ForeignKey("Deduction", models.PROTECT, related_name="history", db_index=False)


class Deduction(Lifecycle):
    """扣款: one attempt to move money from a person's instrument, under one number for ever."""

    prefix = "ded"
    history_model = DeductionEvent
    begins = ("prepared",)

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
    #: What the plan called it: `due`, `retry_3d`, `next_instrument` …; empty for one that was not planned.
    reason = models.CharField(max_length=20, blank=True)
    currency = models.CharField(max_length=3)
    amount_minor = models.BigIntegerField()
    state = StateField(default=State.PREPARED, choices=State.choices, protected=True)
    prepared_at = models.DateTimeField()
    sent_at = models.DateTimeField(null=True, blank=True)
    resolved_at = models.DateTimeField(null=True, blank=True)
    #: The channel's own number for the money it moved.
    channel_txn = models.CharField(max_length=64, null=True, blank=True)
    failure_code = models.CharField(max_length=40, blank=True)
    failure_class = models.CharField(max_length=10, blank=True)
    asks = models.PositiveSmallIntegerField(default=0)
    #: When somebody should ask the channel how it ended; empty once that is known.
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
            frozen=["realm_id", "person_id", "instrument_id", "channel", "currency", "amount_minor"],
        )

    @property
    def amount(self) -> Money:
        return Money(self.amount_minor, self.currency)

    @property
    def number(self) -> str:
        """What the channel knows it by: made before anything was sent, the same however often it is."""
        return self.id.hex

    @transition(field=state, source=State.PREPARED, target=State.SENT)
    def send(self, *, at: datetime, ask_at: datetime) -> None:
        self.sent_at, self.ask_at = at, ask_at

    @transition(field=state, source=State.SENT, target=State.UNKNOWN)
    def lose(self, *, ask_at: datetime) -> None:
        self.ask_at = ask_at

    @transition(field=state, source=[State.SENT, State.UNKNOWN], target=State.SUCCEEDED)
    def succeed(self, channel_txn: str, *, at: datetime) -> None:
        self.channel_txn, self.resolved_at, self.ask_at = channel_txn, at, None

    @transition(field=state, source=[State.SENT, State.UNKNOWN], target=State.FAILED)
    def fail(self, code: str, kind: str, *, at: datetime) -> None:
        self.failure_code, self.failure_class, self.resolved_at, self.ask_at = code, kind, at, None

    @transition(field=state, source=State.UNKNOWN, target=State.NOT_SENT)
    def never_sent(self, *, at: datetime) -> None:
        self.failure_code, self.failure_class = "not_found_at_channel", "not_sent"
        self.resolved_at, self.ask_at = at, None


class DeductionLine(Row):
    """What a deduction is for: one obligation, and how much of it. The oldest debt stands first."""

    id = models.UUIDField(primary_key=True, default=ids.uuid7, editable=False)
    deduction = models.ForeignKey(Deduction, models.PROTECT, related_name="lines")
    obligation = models.ForeignKey(Obligation, models.PROTECT, related_name="deduction_lines")
    order = models.ForeignKey(Order, models.PROTECT, related_name="deduction_lines")
    merchant = models.ForeignKey(Merchant, models.PROTECT, related_name="+")
    amount_minor = models.BigIntegerField()
    #: Which attempt at its obligation this is.
    attempt = models.PositiveSmallIntegerField()
    #: The planned attempt it is, `{at, source, reason, …}` as it stood in the plan; empty for one nobody planned.
    planned = models.JSONField(null=True, blank=True)
    #: While the deduction's outcome is open: at most one such line an obligation.
    live = models.BooleanField(default=True)
    #: How much of it went back or is on its way back.
    refunded_minor = models.BigIntegerField(default=0)
    #: How much of it the channel took back, so that it is owed again.
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
        """What of it did not go back."""
        return self.amount_minor - self.refunded_minor - self.reopened_minor

    @property
    def again(self) -> bool:
        """Whether it was paid once more, after a return that did not stand."""
        return bool(self.obligation.kind == Obligation.Kind.ADVANCE)


class Wallet(models.Model):
    """A person's stored value. The book proves it; this row is what a debit is checked against."""

    person = models.OneToOneField(Person, models.PROTECT, primary_key=True, related_name="wallet")
    realm = models.ForeignKey(Realm, models.PROTECT, related_name="+")
    currency = models.CharField(max_length=3, default="CNY")
    balance_minor = models.BigIntegerField(default=0)

    class Meta:
        constraints = [models.CheckConstraint(name="a_wallet_is_never_overdrawn", condition=Q(balance_minor__gte=0))]

    def __str__(self) -> str:
        return f"{self.person_id} {self.balance_minor}"


#: How long a number of ours at a channel is.
_NUMBER = 32


class WalletEntry(Identified):
    """One movement of stored value under its own number: the same number moves nothing twice. Append-only."""

    prefix = "wal"
    append_only: ClassVar[bool] = True
    #: What a movement was: by hand from or to the person's bank, put right by colleagues, or a channel's number.
    TOPPED_UP, TAKEN_OUT, PUT_RIGHT, PAID, CAME_BACK = "topped_up", "taken_out", "put_right", "paid", "came_back"

    person = models.ForeignKey(Person, models.PROTECT, related_name="wallet_entries")
    number = models.CharField(max_length=64, unique=True)
    #: Into the wallet above zero, out of it below.
    amount_minor = models.BigIntegerField()
    at = models.DateTimeField()

    class Meta:
        ordering = ["id"]
        triggers = guards.append_only()

    @property
    def kind(self) -> str:
        """By its number: one of a channel's is bare, a hand's has its word before it."""
        word = self.number.partition(" ")[0]
        hands = {"top-up": self.TOPPED_UP, "out": self.TAKEN_OUT, "case": self.PUT_RIGHT}
        own = self.PAID if self.amount_minor < 0 else self.CAME_BACK if len(word) == _NUMBER else self.TOPPED_UP
        return hands.get(word, own)
