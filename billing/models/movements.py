"""Base of outgoing money movements (refund parts, payouts): one number, one outcome, queried until it is known."""

from datetime import datetime

from django.db import models
from django_fsm import transition

from kernel.lifecycle import Lifecycle, StateField
from kernel.models import Realm
from kernel.money import Money


class MovementState(models.TextChoices):
    PREPARED = "prepared"
    SENT = "sent"
    UNKNOWN = "unknown"
    #: Nothing moved. A refund part is sent again under its number; a payout is included in the next one.
    WAITING = "waiting"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    NOT_SENT = "not_sent"


class Movement(Lifecycle):
    """One attempt to send money, always under the same number."""

    initial_states = ("prepared",)
    State = MovementState
    OPEN = (State.PREPARED, State.SENT, State.UNKNOWN, State.WAITING)

    realm = models.ForeignKey(Realm, models.PROTECT, related_name="+")
    channel = models.CharField(max_length=20)
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
        abstract = True

    @property
    def amount(self) -> Money:
        return Money(self.amount_minor, self.currency)

    @property
    def number(self) -> str:
        """The number sent to the channel, its idempotency key: fixed before it is first sent."""
        return self.id.hex

    @transition(field="state", source=State.PREPARED, target=State.SENT)
    def send(self, *, at: datetime, ask_at: datetime) -> None:
        self.sent_at, self.ask_at = at, ask_at

    @transition(field="state", source=State.SENT, target=State.UNKNOWN)
    def mark_unknown(self, *, ask_at: datetime) -> None:
        self.ask_at = ask_at

    @transition(field="state", source=[State.SENT, State.UNKNOWN], target=State.SUCCEEDED)
    def succeed(self, channel_txn: str, *, at: datetime) -> None:
        self.channel_txn, self.resolved_at, self.ask_at = channel_txn, at, None

    @transition(field="state", source=[State.SENT, State.UNKNOWN], target=State.FAILED)
    def fail(self, code: str, kind: str, *, at: datetime) -> None:
        self.failure_code, self.failure_class, self.resolved_at, self.ask_at = code, kind, at, None

    @transition(field="state", source=State.UNKNOWN, target=State.NOT_SENT)
    def mark_not_sent(self, *, at: datetime) -> None:
        self.failure_code, self.failure_class = "not_found_at_channel", "not_sent"
        self.resolved_at, self.ask_at = at, None
