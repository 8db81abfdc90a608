from datetime import datetime
from typing import Any, ClassVar

from django.db import models
from django.db.models import F, Q
from django_fsm import transition

from accounts.models import Person
from credit.models import Agreement
from kernel import guards
from kernel.lifecycle import Lifecycle, StateField
from kernel.models import History, Realm
from kernel.money import AMOUNT_MINOR_MAX, Money
from ledger import accounts as book
from merchants.models import Merchant, Service
from orders.rules import LedgerTerms


class OrderEvent(History):
    """One event of an order's history."""

    subject = models.ForeignKey("Order", models.PROTECT, related_name="history", db_index=False)

    #: The notes of staff in it, redacted when the person's data is erased.
    erasable: ClassVar[tuple[str, ...]] = ("data",)

    class Meta(History.Meta):
        triggers = guards.redactable_history("note")


class Order(Lifecycle):
    """信用服务订单: one use of a service. Its state moves only by the transitions below, on a locked row."""

    prefix = "ord"
    history_model = OrderEvent
    initial_states = ("created", "open")

    class State(models.TextChoices):
        CREATED = "created"
        OPEN = "open"
        COMPLETED = "completed"
        OVERDUE = "overdue"
        DEDUCTED = "deducted"
        CANCELLED = "cancelled"
        EXPIRED = "expired"

    realm = models.ForeignKey(Realm, models.PROTECT, related_name="+")
    merchant = models.ForeignKey(Merchant, models.PROTECT, related_name="+", db_index=False)
    service = models.ForeignKey(Service, models.PROTECT, related_name="+")
    agreement = models.ForeignKey(Agreement, models.PROTECT, related_name="orders")
    person = models.ForeignKey(Person, models.PROTECT, related_name="orders", db_index=False)
    out_order_no = models.CharField(max_length=32)
    #: SHA-256 of the request, to tell a repeated request from a different one.
    asked_hash = models.BinaryField(max_length=32)
    final_hash = models.BinaryField(max_length=32, null=True, blank=True)
    state = StateField(default=State.OPEN, choices=State.choices, protected=True)
    #: The service's terms when the order was opened.
    mode = models.CharField(max_length=7, choices=Service.Mode.choices)
    funding = models.CharField(max_length=13, choices=Service.Funding.choices)
    fee_bps = models.PositiveSmallIntegerField()
    grace = models.DurationField()
    late_fee_daily_bps = models.PositiveSmallIntegerField(default=0)
    late_fee_cap_bps = models.PositiveSmallIntegerField(default=0)
    title = models.CharField(max_length=100)
    currency = models.CharField(max_length=3)
    amount_minor = models.BigIntegerField(null=True, blank=True)
    ceiling_minor = models.BigIntegerField()
    total_minor = models.BigIntegerField(null=True, blank=True)
    #: The total refunded to the person.
    refunded_minor = models.BigIntegerField(default=0)
    #: The part of that paid by us ahead of a return, which the merchant has not been charged for.
    advanced_minor = models.BigIntegerField(default=0)
    #: The part of it that is our loss: the merchant keeps the money and pays the fee.
    ours_minor = models.BigIntegerField(default=0)
    items = models.JSONField(default=list, blank=True)
    discounts = models.JSONField(default=list, blank=True)
    starts_at = models.DateTimeField(null=True, blank=True)
    ends_at = models.DateTimeField(null=True, blank=True)
    start_location = models.CharField(max_length=100, blank=True)
    end_location = models.CharField(max_length=100, blank=True)
    attach = models.CharField(max_length=256, blank=True)
    metadata = models.JSONField(default=dict, blank=True)
    cancel_reason = models.CharField(max_length=100, blank=True)
    created_at = models.DateTimeField()
    opened_at = models.DateTimeField(null=True, blank=True)
    completed_at = models.DateTimeField(null=True, blank=True)
    deducted_at = models.DateTimeField(null=True, blank=True)
    overdue_at = models.DateTimeField(null=True, blank=True)
    cancelled_at = models.DateTimeField(null=True, blank=True)
    #: When a hardship plan was agreed; an order with one gets no further plan without review.
    eased_at = models.DateTimeField(null=True, blank=True)
    #: When a problem was first reported. The first report pauses the order, later ones do not.
    reported_at = models.DateTimeField(null=True, blank=True)
    #: When the order expires if the person does not confirm it.
    expires_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["merchant", "out_order_no"], name="an_order_number_is_used_once"),
            models.CheckConstraint(
                name="a_ceiling_is_positive", condition=Q(ceiling_minor__gt=0, ceiling_minor__lte=AMOUNT_MINOR_MAX)
            ),
            models.CheckConstraint(
                name="a_total_stays_under_its_ceiling",
                condition=Q(total_minor__isnull=True) | Q(total_minor__gte=0, total_minor__lte=F("ceiling_minor")),
            ),
            models.CheckConstraint(
                name="no_more_is_refunded_than_the_total",
                condition=Q(refunded_minor=0) | Q(refunded_minor__gt=0, refunded_minor__lte=F("total_minor")),
            ),
            models.CheckConstraint(
                name="what_was_advanced_went_back",
                condition=Q(advanced_minor__gte=0, advanced_minor__lte=F("refunded_minor")),
            ),
            models.CheckConstraint(
                name="what_we_bore_went_back",
                condition=Q(ours_minor__gte=0, ours_minor__lte=F("refunded_minor") - F("advanced_minor")),
            ),
            models.CheckConstraint(
                name="a_completed_order_has_a_total",
                condition=~Q(state__in=["completed", "overdue", "deducted"]) | Q(total_minor__isnull=False),
            ),
        ]
        indexes = [
            models.Index(fields=["merchant", "-id"], name="orders_of_merchant"),
            models.Index(fields=["merchant", "state", "-id"], name="orders_of_merchant_by_state"),
            models.Index(fields=["merchant", "created_at"], name="orders_of_merchant_by_day"),
            models.Index(
                fields=["merchant", "deducted_at"],
                name="orders_of_merchant_collected",
                condition=Q(deducted_at__isnull=False),
            ),
            models.Index(fields=["out_order_no"], name="orders_by_number"),
            models.Index(fields=["person", "-id"], name="orders_of_person"),
            models.Index(fields=["person", "state", "-id"], name="orders_of_person_by_state"),
            models.Index(fields=["person", "created_at"], name="orders_of_person_by_day"),
            models.Index(
                fields=["realm", "expires_at", "id"], name="orders_waiting", condition=Q(expires_at__isnull=False)
            ),
            models.Index(fields=["realm", "opened_at"], name="orders_held", condition=Q(state="open")),
        ]
        triggers = guards.lifecycle(
            "orders_orderevent",
            frozen_columns=[
                "realm_id",
                "merchant_id",
                "person_id",
                "agreement_id",
                "out_order_no",
                "currency",
                "ceiling_minor",
            ],
        )

    @property
    def ceiling(self) -> Money:
        return Money(self.ceiling_minor, self.currency)

    @property
    def total(self) -> Money:
        return Money(self.total_minor or 0, self.currency)

    @property
    def is_declined(self) -> bool:
        """Whether the person declined to confirm the order."""
        return self.history.filter(kind="declined").exists()

    @property
    def refunded(self) -> Money:
        return Money(self.refunded_minor, self.currency)

    @property
    def is_owed(self) -> bool:
        """Whether something may be owed, judged by the state."""
        return self.state in {self.State.COMPLETED, self.State.OVERDUE}

    @property
    def terms(self) -> LedgerTerms:
        return LedgerTerms(
            receivable=book.receivable(self.person_id),
            pending=book.pending(self.merchant_id),
            payable=book.payable(self.merchant_id),
            is_advance=self.funding == Service.Funding.ADVANCE,
            fee_bps=self.fee_bps,
        )

    @transition(field=state, source=State.CREATED, target=State.OPEN)
    def confirm(self, *, at: datetime) -> None:
        self.opened_at, self.expires_at = at, None

    @transition(field=state, source=State.CREATED, target=State.EXPIRED)
    def expire(self) -> None:
        self.expires_at = None

    @transition(field=state, source=State.OPEN, target=State.COMPLETED)
    def complete(self, total: Money, *, at: datetime, **final: Any) -> None:
        self.total_minor, self.completed_at = total.minor, at
        for name, value in final.items():
            setattr(self, name, value)

    @transition(field=state, source=[State.COMPLETED, State.OVERDUE], target=State.DEDUCTED)
    def mark_deducted(self, *, at: datetime) -> None:
        self.deducted_at = at

    @transition(field=state, source=State.COMPLETED, target=State.OVERDUE)
    def mark_overdue(self, *, at: datetime) -> None:
        self.overdue_at = at

    @transition(field=state, source=[State.COMPLETED, State.DEDUCTED], target=State.OVERDUE)
    def reopen(self, *, at: datetime) -> None:
        """A channel returned a deduction: the order is overdue again."""
        self.deducted_at, self.overdue_at = None, self.overdue_at or at

    @transition(field=state, source=State.OVERDUE, target=State.COMPLETED)
    def clear_overdue(self) -> None:
        """New dates were agreed, or everything late was paid: the order is no longer overdue."""

    @transition(
        field=state,
        source=[State.CREATED, State.OPEN, State.COMPLETED, State.OVERDUE],
        target=State.CANCELLED,
    )
    def cancel(self, reason: str, *, at: datetime) -> None:
        self.cancelled_at, self.cancel_reason, self.expires_at = at, reason, None

    @transition(field=state, source=[State.COMPLETED, State.OVERDUE], target=None)
    def reduce_total(self, total: Money) -> None:
        self.total_minor = total.minor

    @property
    def platform_funded_minor(self) -> int:
        """The refunded amount the merchant was not charged for, in minor units."""
        return self.advanced_minor + self.ours_minor

    @transition(field=state, source=[State.COMPLETED, State.OVERDUE, State.DEDUCTED], target=None)
    def add_refund(self, amount: Money, *, advanced: bool = False, platform_liable: bool = False) -> None:
        self.refunded_minor += amount.minor
        self.advanced_minor += amount.minor if advanced else 0
        self.ours_minor += amount.minor if platform_liable else 0

    @transition(field=state, source=[State.COMPLETED, State.OVERDUE, State.DEDUCTED], target=None)
    def charge_advance(self, amount: Money) -> None:
        """The merchant is charged for a part refunded early."""
        self.advanced_minor -= amount.minor

    @transition(field=state, source=[State.COMPLETED, State.OVERDUE, State.DEDUCTED], target=None)
    def uncharge_advance(self, amount: Money) -> None:
        """The refund charged to the merchant failed: undo `charge_advance`."""
        self.advanced_minor += amount.minor
