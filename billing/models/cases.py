"""Channel reports and callbacks, kept as evidence, and the cases that staff have to resolve."""

from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from accounts.models import LockableQuerySet
from billing.models.deductions import Deduction
from billing.models.dual_approval import below_dual_approval
from billing.models.payouts import Payout
from billing.models.refunds import RefundPart
from kernel import guards
from kernel.models import Identified, Realm


class ChannelReport(Identified):
    """One answer of a channel about a deduction, a refund part or a payout. Append-only evidence."""

    prefix = "rep"
    append_only: ClassVar[bool] = True

    deduction = models.ForeignKey(Deduction, models.PROTECT, null=True, blank=True, related_name="reports")
    refund_part = models.ForeignKey(RefundPart, models.PROTECT, null=True, blank=True, related_name="reports")
    payout = models.ForeignKey(Payout, models.PROTECT, null=True, blank=True, related_name="reports")
    source = models.CharField(max_length=10)
    outcome = models.CharField(max_length=10)
    code = models.CharField(max_length=60, blank=True)
    channel_txn = models.CharField(max_length=64, blank=True)
    amount_minor = models.BigIntegerField(null=True, blank=True)
    at = models.DateTimeField()
    recorded_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["id"]
        constraints = [
            models.CheckConstraint(
                name="a_report_is_about_one_movement",
                condition=Q(deduction__isnull=False, refund_part__isnull=True, payout__isnull=True)
                | Q(deduction__isnull=True, refund_part__isnull=False, payout__isnull=True)
                | Q(deduction__isnull=True, refund_part__isnull=True, payout__isnull=False),
            ),
        ]
        triggers = guards.append_only()


class Callback(models.Model):
    """A channel's callback as received, stored before it is processed. Each is processed once."""

    append_only: ClassVar[bool] = True

    id = models.BigAutoField(primary_key=True)
    channel = models.CharField(max_length=20)
    notify_id = models.CharField(max_length=80)
    raw = models.BinaryField()
    at = models.DateTimeField()
    recorded_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [models.UniqueConstraint(fields=["channel", "notify_id"], name="a_callback_counts_once")]
        triggers = guards.append_only()

    def __str__(self) -> str:
        return f"{self.channel} {self.notify_id}"


class Case(Identified):
    """差错案件: a channel contradicts itself or our ledger; staff decide what to do with the money."""

    prefix = "cas"

    class Resolution(models.TextChoices):
        #: The channel has corrected it; its balance is restored.
        RETURNED = "returned"
        #: It belongs to the customer: moved to their wallet.
        WALLET = "wallet"
        #: It belongs to the merchant, or the merchant is liable for it.
        MERCHANT = "merchant"
        #: It is treated as an early refund; liability is decided with the return.
        AHEAD = "ahead"
        #: It belonged to the customer and was paid manually; `paid_as` is the reference.
        BY_HAND = "by_hand"
        #: The platform is liable.
        PLATFORM = "platform"
        #: Our ledger is correct; nothing is posted.
        STANDS = "stands"
        #: Staff determined the outcome of the movement.
        SAID = "said"

    realm = models.ForeignKey(Realm, models.PROTECT, related_name="+")
    kind = models.CharField(max_length=30)
    deduction = models.ForeignKey(Deduction, models.PROTECT, null=True, blank=True, related_name="cases")
    refund_part = models.ForeignKey(RefundPart, models.PROTECT, null=True, blank=True, related_name="cases")
    payout = models.ForeignKey(Payout, models.PROTECT, null=True, blank=True, related_name="cases")
    detail = models.JSONField(default=dict)
    opened_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True, blank=True)
    #: How staff closed it, why, and the amount; empty if it closed by itself.
    resolution = models.CharField(max_length=8, choices=Resolution.choices, blank=True)
    closed_because = models.CharField(max_length=200, blank=True)
    closed_by = models.CharField(max_length=80, blank=True)
    at_stake_minor = models.BigIntegerField(null=True, blank=True)
    at_stake_currency = models.CharField(max_length=3, blank=True)
    #: The bank's reference of a manual payment.
    paid_as = models.CharField(max_length=60, blank=True, db_default="", default="")

    objects = LockableQuerySet["Case"].as_manager()

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(
                name="a_judged_case_has_its_reason",
                condition=Q(resolution="", closed_by="", at_stake_minor__isnull=True)
                | Q(closed_at__isnull=False, at_stake_minor__isnull=False) & ~Q(resolution="") & ~Q(closed_by=""),
            ),
            models.CheckConstraint(
                name="a_large_case_is_closed_by_two",
                condition=~Q(closed_by__startswith="staff:")
                | Q(closed_by__contains="+")
                | below_dual_approval("at_stake_minor", "at_stake_currency") & ~Q(resolution="said"),
            ),
            models.CheckConstraint(
                name="exactly_what_is_paid_by_hand_says_as_what",
                condition=Q(resolution="by_hand") & ~Q(paid_as="") | ~Q(resolution="by_hand") & Q(paid_as=""),
            ),
            models.CheckConstraint(
                name="what_is_paid_by_hand_is_said_by_two",
                condition=~Q(resolution="by_hand") | Q(closed_by__contains="+"),
            ),
            models.UniqueConstraint(
                fields=["paid_as"], name="a_payment_by_hand_closes_one_case", condition=~Q(paid_as="")
            ),
        ]
        indexes = [
            models.Index(fields=["realm", "opened_at"], name="cases_open", condition=Q(closed_at__isnull=True)),
        ]

    @property
    def movement(self) -> Deduction | RefundPart | Payout | None:
        """The deduction, refund part or payout that the case is about."""
        return self.deduction or self.refund_part or self.payout
