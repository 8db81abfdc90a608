"""Money on its way back: what a merchant asked to refund, and each movement that gives a part of it back."""

from datetime import datetime

import pgtrigger
from django.db import models
from django.db.models import F, Q
from django_fsm import transition

from accounts.models import Person
from billing.models.collecting import DeductionLine
from billing.models.movement import Movement, MovementState
from kernel import guards
from kernel.lifecycle import Lifecycle, StateField
from kernel.models import History, Realm
from kernel.money import Money
from merchants.models import Merchant
from orders.models import Order


class RefundEvent(History):
    """A line of a refund's history."""

    subject = models.ForeignKey("Refund", models.PROTECT, related_name="history", db_index=False)


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
    merchant = models.ForeignKey(Merchant, models.PROTECT, related_name="+", db_index=False)
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
    #: We give it back ahead of a return; the merchant bears it when they have the goods again.
    advanced = models.BooleanField(default=False)
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
            frozen=[
                "realm_id",
                "merchant_id",
                "person_id",
                "order_id",
                "currency",
                "amount_minor",
                "out_refund_no",
                "advanced",
            ],
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

    subject = models.ForeignKey("RefundPart", models.PROTECT, related_name="history", db_index=False)


#: A channel may have one number for all that goes back of a debit, and never the same for two debits.
_OF_ONE_DEBIT = pgtrigger.Trigger(
    name="a_channels_refund_is_of_one_debit",
    when=pgtrigger.Before,
    operation=pgtrigger.Insert | pgtrigger.UpdateOf("channel_txn"),  # type: ignore[no-untyped-call]
    condition=pgtrigger.Q(new__channel_txn__isnull=False),
    func="""
        IF EXISTS (
            SELECT 1 FROM billing_refundpart p JOIN billing_deductionline l ON l.id = p.taken_id
            WHERE p.channel = NEW.channel AND p.channel_txn = NEW.channel_txn
              AND l.deduction_id <> (SELECT deduction_id FROM billing_deductionline WHERE id = NEW.taken_id)) THEN
            RAISE EXCEPTION 'transaction % of % gave another debit back', NEW.channel_txn, NEW.channel
                USING ERRCODE = 'unique_violation', TABLE = TG_TABLE_NAME,
                      CONSTRAINT = 'a_channels_refund_is_of_one_debit';
        END IF;
        RETURN NEW;
    """,
)


class RefundPart(Movement):
    """退款指令: one attempt to return money the way it came, against one deduction, under one number for ever."""

    prefix = "rfp"
    history_model = RefundPartEvent

    refund = models.ForeignKey(Refund, models.PROTECT, related_name="parts")
    #: What was taken then: the deduction whose transaction is refunded, and for which obligation.
    taken = models.ForeignKey(DeductionLine, models.PROTECT, related_name="refund_parts")
    #: How often it was sent, always under its one number; and when it is sent again, while it waits for that.
    sends = models.PositiveSmallIntegerField(default=0)
    again_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["id"]
        constraints = [
            models.CheckConstraint(name="a_part_returns_something", condition=Q(amount_minor__gt=0)),
            models.CheckConstraint(
                name="what_came_back_names_its_transaction",
                condition=~Q(state="succeeded") | Q(channel_txn__isnull=False),
            ),
            models.CheckConstraint(
                name="only_an_open_part_is_asked_about",
                condition=Q(state__in=["sent", "unknown"]) | Q(ask_at__isnull=True),
            ),
            models.CheckConstraint(
                name="only_a_waiting_part_is_sent_again",
                condition=Q(state="waiting", again_at__isnull=False) | (~Q(state="waiting") & Q(again_at__isnull=True)),
            ),
        ]
        indexes = [
            models.Index(
                fields=["channel", "channel_txn"],
                name="refund_parts_by_transaction",
                condition=Q(channel_txn__isnull=False),
            ),
            models.Index(
                fields=["realm", "again_at", "id"], name="refund_parts_to_send", condition=Q(again_at__isnull=False)
            ),
            models.Index(
                fields=["realm", "ask_at", "id"], name="refund_parts_to_ask", condition=Q(ask_at__isnull=False)
            ),
            models.Index(
                fields=["realm", "channel", "resolved_at"], name="refund_parts_by_end", condition=Q(state="succeeded")
            ),
        ]
        triggers = [
            *guards.lifecycle(
                "billing_refundpartevent",
                frozen=["realm_id", "refund_id", "taken_id", "channel", "currency", "amount_minor"],
            ),
            _OF_ONE_DEBIT,
        ]

    @transition(field="state", source=[MovementState.PREPARED, MovementState.WAITING], target=MovementState.SENT)
    def send(self, *, at: datetime, ask_at: datetime) -> None:
        self.sent_at, self.ask_at, self.again_at = at, ask_at, None
        self.asks, self.sends = 0, self.sends + 1

    @transition(field="state", source=[MovementState.SENT, MovementState.UNKNOWN], target=MovementState.WAITING)
    def put_off(self, *, again_at: datetime) -> None:
        """Nothing moved, for no reason that lasts: it is sent again under its number, which moves money once."""
        self.again_at, self.ask_at = again_at, None

    @transition(field="state", source=MovementState.SENT, target=MovementState.WAITING)
    def leave(self, *, again_at: datetime) -> None:
        """Its turn did not come in time: nobody sent it, and it was no try."""
        self.again_at, self.ask_at, self.sends = again_at, None, self.sends - 1

    @transition(
        field="state",
        source=[MovementState.SENT, MovementState.UNKNOWN, MovementState.WAITING],
        target=MovementState.SUCCEEDED,
    )
    def succeed(self, channel_txn: str, *, at: datetime) -> None:
        self.channel_txn, self.resolved_at, self.ask_at, self.again_at = channel_txn, at, None, None
