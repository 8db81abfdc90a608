"""Money on its way back: what a merchant asked to refund, and each movement that gives a part of it back."""

from datetime import datetime

from django.db import models
from django.db.models import F, Q
from django_fsm import transition

from accounts.models import Person
from billing.models.collecting import DeductionLine
from kernel import guards
from kernel.lifecycle import Lifecycle, StateField
from kernel.models import History, Realm
from kernel.money import Money
from merchants.models import Merchant
from orders.models import Order


class RefundEvent(History):
    """A line of a refund's history."""

    subject = models.ForeignKey("Refund", models.PROTECT, related_name="history")


class Refund(Lifecycle):
    """退款: a merchant gives back a part of an order. What was not collected is no longer owed; the rest returns."""

    prefix = "rfd"
    history_model = RefundEvent
    begins = ("pending",)

    class State(models.TextChoices):
        PENDING = "pending"
        SUCCEEDED = "succeeded"
        FAILED = "failed"

    realm = models.ForeignKey(Realm, models.PROTECT, related_name="+")
    merchant = models.ForeignKey(Merchant, models.PROTECT, related_name="+")
    person = models.ForeignKey(Person, models.PROTECT, related_name="refunds")
    order = models.ForeignKey(Order, models.PROTECT, related_name="refunds")
    currency = models.CharField(max_length=3)
    amount_minor = models.BigIntegerField()
    #: How much of it was taken off what was owed, and how much has come back to where it was taken from.
    lowered_minor = models.BigIntegerField(default=0)
    returned_minor = models.BigIntegerField(default=0)
    reason = models.CharField(max_length=100)
    #: The merchant's own number of it, if they gave one.
    out_refund_no = models.CharField(max_length=32, null=True, blank=True)
    state = StateField(default=State.PENDING, choices=State.choices, protected=True)
    created_at = models.DateTimeField()
    resolved_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["merchant", "out_refund_no"],
                name="a_refund_number_is_used_once",
                condition=Q(out_refund_no__isnull=False),
            ),
            models.CheckConstraint(
                name="a_refund_gives_no_more_than_it_says",
                condition=Q(
                    amount_minor__gt=0,
                    lowered_minor__gte=0,
                    returned_minor__gte=0,
                    amount_minor__gte=F("lowered_minor") + F("returned_minor"),
                ),
            ),
            models.CheckConstraint(
                name="a_refund_that_succeeded_gave_all",
                condition=~Q(state="succeeded") | Q(amount_minor=F("lowered_minor") + F("returned_minor")),
            ),
        ]
        indexes = [models.Index(fields=["merchant", "-id"], name="refunds_of_merchant")]
        triggers = guards.lifecycle(
            "billing_refundevent",
            frozen=["realm_id", "merchant_id", "person_id", "order_id", "currency", "amount_minor", "out_refund_no"],
        )

    @property
    def amount(self) -> Money:
        return Money(self.amount_minor, self.currency)

    @transition(field=state, source=State.PENDING, target=None)
    def come_back(self, amount: Money) -> None:
        self.returned_minor += amount.minor

    @transition(field=state, source=State.PENDING, target=State.SUCCEEDED)
    def succeed(self, *, at: datetime) -> None:
        self.resolved_at = at

    @transition(field=state, source=State.PENDING, target=State.FAILED)
    def fail(self, *, at: datetime) -> None:
        self.resolved_at = at


class RefundPartEvent(History):
    """A line of the history of a refund's part."""

    subject = models.ForeignKey("RefundPart", models.PROTECT, related_name="history")


class RefundPart(Lifecycle):
    """退款指令: one attempt to return money the way it came, against one deduction, under one number for ever."""

    prefix = "rfp"
    history_model = RefundPartEvent
    begins = ("prepared",)

    class State(models.TextChoices):
        PREPARED = "prepared"
        SENT = "sent"
        UNKNOWN = "unknown"
        SUCCEEDED = "succeeded"
        FAILED = "failed"
        NOT_SENT = "not_sent"

    OPEN = (State.PREPARED, State.SENT, State.UNKNOWN)

    realm = models.ForeignKey(Realm, models.PROTECT, related_name="+")
    refund = models.ForeignKey(Refund, models.PROTECT, related_name="parts")
    #: What was taken then: the deduction whose transaction is refunded, and for which obligation.
    taken = models.ForeignKey(DeductionLine, models.PROTECT, related_name="refund_parts")
    channel = models.CharField(max_length=20)
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
        ordering = ["id"]
        constraints = [
            models.CheckConstraint(name="a_part_returns_something", condition=Q(amount_minor__gt=0)),
            models.UniqueConstraint(
                fields=["channel", "channel_txn"],
                name="a_channels_refund_is_used_once",
                condition=Q(channel_txn__isnull=False),
            ),
            models.CheckConstraint(
                name="what_came_back_names_its_transaction",
                condition=~Q(state="succeeded") | Q(channel_txn__isnull=False),
            ),
            models.CheckConstraint(
                name="only_an_open_part_is_asked_about",
                condition=Q(state__in=["sent", "unknown"]) | Q(ask_at__isnull=True),
            ),
        ]
        indexes = [
            models.Index(
                fields=["realm", "ask_at", "id"], name="refund_parts_to_ask", condition=Q(ask_at__isnull=False)
            ),
            models.Index(
                fields=["realm", "channel", "resolved_at"], name="refund_parts_by_end", condition=Q(state="succeeded")
            ),
        ]
        triggers = guards.lifecycle(
            "billing_refundpartevent",
            frozen=["realm_id", "refund_id", "taken_id", "channel", "currency", "amount_minor"],
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
