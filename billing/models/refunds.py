"""Refunds requested by merchants, and the movements (refund parts) that return the money."""

from datetime import datetime

import pgtrigger
from django.db import models
from django.db.models import F, Q
from django_fsm import transition

from accounts.models import Person
from billing.models.deductions import DeductionLine
from billing.models.movements import Movement, MovementState
from kernel import guards
from kernel.lifecycle import Lifecycle, StateField
from kernel.models import History, Realm
from kernel.money import Money
from merchants.models import Merchant
from orders.models import Order


class RefundEvent(History):
    """An entry in a refund's history."""

    subject = models.ForeignKey("Refund", models.PROTECT, related_name="history", db_index=False)


class Refund(Lifecycle):
    """退款: part or all of an order refunded. First what is unpaid is reduced, then what was collected is returned."""

    prefix = "rfd"
    history_model = RefundEvent
    initial_states = ("pending",)

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
    #: How much reduced what is owed, and how much has been returned to the payment method.
    lowered_minor = models.BigIntegerField(default=0)
    returned_minor = models.BigIntegerField(default=0)
    reason = models.CharField(max_length=100)
    #: The merchant's own refund number, if given.
    out_refund_no = models.CharField(max_length=32, null=True, blank=True)
    #: An early refund, paid by the platform; the merchant is charged once the return is confirmed.
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
            frozen_columns=[
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
    def add_returned(self, amount: Money) -> None:
        self.returned_minor += amount.minor

    @transition(field=state, source=State.PENDING, target=State.SUCCEEDED)
    def succeed(self, *, at: datetime) -> None:
        self.resolved_at = at

    @transition(field=state, source=State.PENDING, target=State.FAILED)
    def fail(self, *, at: datetime) -> None:
        self.resolved_at = at


class RefundPartEvent(History):
    """An entry in a refund part's history."""

    subject = models.ForeignKey("RefundPart", models.PROTECT, related_name="history", db_index=False)


#: A channel may use one transaction number for several refunds of one deduction, but not for two deductions.
_ONE_DEBIT_PER_TRANSACTION = pgtrigger.Trigger(
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
    """退款指令: one attempt to return money to where it was deducted, always under the same number."""

    prefix = "rfp"
    history_model = RefundPartEvent

    refund = models.ForeignKey(Refund, models.PROTECT, related_name="parts")
    #: The deduction line that is refunded: which deduction, and for which obligation.
    taken = models.ForeignKey(DeductionLine, models.PROTECT, related_name="refund_parts")
    #: How often it was sent, and while it is waiting, when it is sent again.
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
                frozen_columns=["realm_id", "refund_id", "taken_id", "channel", "currency", "amount_minor"],
            ),
            _ONE_DEBIT_PER_TRANSACTION,
        ]

    @transition(field="state", source=[MovementState.PREPARED, MovementState.WAITING], target=MovementState.SENT)
    def send(self, *, at: datetime, ask_at: datetime) -> None:
        self.sent_at, self.ask_at, self.again_at = at, ask_at, None
        self.asks, self.sends = 0, self.sends + 1

    @transition(field="state", source=[MovementState.SENT, MovementState.UNKNOWN], target=MovementState.WAITING)
    def schedule_retry(self, *, again_at: datetime) -> None:
        """Nothing moved, for a temporary reason: it will be sent again under the same number."""
        self.again_at, self.ask_at = again_at, None

    @transition(field="state", source=MovementState.SENT, target=MovementState.WAITING)
    def requeue_unsent(self, *, again_at: datetime) -> None:
        """It was claimed but not sent before the batch ran out of time: the attempt does not count."""
        self.again_at, self.ask_at, self.sends = again_at, None, self.sends - 1

    @transition(
        field="state",
        source=[MovementState.SENT, MovementState.UNKNOWN, MovementState.WAITING],
        target=MovementState.SUCCEEDED,
    )
    def succeed(self, channel_txn: str, *, at: datetime) -> None:
        self.channel_txn, self.resolved_at, self.ask_at, self.again_at = channel_txn, at, None, None
