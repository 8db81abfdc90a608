"""Daily settlements: batches of ledger postings, cut off once a day, that say what a merchant is paid and why."""

from datetime import datetime
from typing import ClassVar

import pgtrigger
from django.db import models
from django.db.models import F, Q
from django_fsm import transition

from kernel import guards
from kernel.lifecycle import Lifecycle, StateField
from kernel.models import LIVE, History, Identified, Realm
from kernel.money import Money
from ledger.models import Posting
from merchants.models import Merchant

TOTALS = ("gross_minor", "fees_minor", "refunds_minor", "adjustments_minor", "reserve_minor", "carried_minor")


class SettlementEvent(History):
    """An entry in a settlement's history."""

    subject = models.ForeignKey("Settlement", models.PROTECT, related_name="history", db_index=False)


class Settlement(Lifecycle):
    """结算单: everything owed to a merchant in one currency that was posted before a cut-off and not settled yet."""

    prefix = "stl"
    history_model = SettlementEvent
    initial_states = ("open",)

    class State(models.TextChoices):
        OPEN = "open"
        CLOSED = "closed"
        PAYING = "paying"
        PAID = "paid"
        FAILED = "failed"
        #: Never paid out: a later settlement is negative, and the next one carries both.
        CARRIED = "carried"

    realm = models.ForeignKey(Realm, models.PROTECT, related_name="+")
    merchant = models.ForeignKey(Merchant, models.PROTECT, related_name="settlements", db_index=False)
    currency = models.CharField(max_length=3)
    #: From the previous cut-off (inclusive) to its own (exclusive).
    period_from = models.DateTimeField()
    period_until = models.DateTimeField()
    state = StateField(default=State.OPEN, choices=State.choices, protected=True)
    #: Signed from the merchant's side: positive is owed to them. The six sum to the net.
    gross_minor = models.BigIntegerField(default=0)
    fees_minor = models.BigIntegerField(default=0)
    refunds_minor = models.BigIntegerField(default=0)
    adjustments_minor = models.BigIntegerField(default=0)
    reserve_minor = models.BigIntegerField(default=0)
    carried_minor = models.BigIntegerField(default=0)
    net_minor = models.BigIntegerField(default=0)
    lines_count = models.PositiveIntegerField(default=0)
    #: The reserve held back from this settlement, and when it is released.
    held_minor = models.BigIntegerField(default=0)
    held_until = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField()
    #: When the payout is due; empty if there is nothing to pay or no account to pay it to.
    pay_at = models.DateTimeField(null=True, blank=True)
    paid_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["merchant", "currency", "period_until"], name="a_cut_off_settles_a_currency_once"
            ),
            models.CheckConstraint(name="a_period_has_a_length", condition=Q(period_until__gt=F("period_from"))),
            models.CheckConstraint(
                name="a_net_is_the_sum_of_its_parts",
                condition=Q(
                    net_minor=F("gross_minor")
                    + F("fees_minor")
                    + F("refunds_minor")
                    + F("adjustments_minor")
                    + F("reserve_minor")
                    + F("carried_minor")
                ),
            ),
            models.CheckConstraint(
                name="what_is_held_is_held_until_a_day",
                condition=Q(held_minor=0, held_until__isnull=True) | Q(held_minor__gt=0, held_until__isnull=False),
            ),
            models.CheckConstraint(
                name="only_a_closed_settlement_waits_to_be_paid", condition=Q(pay_at__isnull=True) | Q(state="closed")
            ),
            models.CheckConstraint(
                name="what_was_paid_says_when",
                condition=Q(state="paid", paid_at__isnull=False) | (~Q(state="paid") & Q(paid_at__isnull=True)),
            ),
            models.CheckConstraint(
                name="only_something_is_paid_out", condition=Q(state__in=["open", "closed"]) | Q(net_minor__gt=0)
            ),
        ]
        indexes = [
            models.Index(fields=["merchant", "-id"], name="settlements_of_merchant"),
            models.Index(
                fields=["realm", "pay_at", "id"], name="settlements_to_pay", condition=Q(pay_at__isnull=False)
            ),
            models.Index(
                fields=["merchant", "held_until"], name="settlements_that_hold", condition=Q(held_minor__gt=0)
            ),
            models.Index(
                fields=["merchant", "id"],
                name="settlements_to_carry",
                condition=Q(state__in=["failed", "carried"]) | Q(state="closed", net_minor__lt=0),
            ),
        ]
        triggers = [
            *guards.lifecycle(
                "billing_settlementevent",
                frozen_columns=["realm_id", "merchant_id", "currency", "period_from", "period_until"],
            ),
            guards.frozen_after("open", [*TOTALS, "net_minor", "lines_count", "held_minor", "held_until"]),
        ]

    @property
    def net(self) -> Money:
        return Money(self.net_minor, self.currency)

    @property
    def livemode(self) -> bool:
        return self.realm_id == LIVE

    @transition(field=state, source=State.OPEN, target=State.CLOSED)
    def close(self, *, pay_at: datetime | None) -> None:
        self.pay_at = pay_at

    @transition(field=state, source=State.CLOSED, target=State.PAYING)
    def start_payout(self) -> None:
        self.pay_at = None

    @transition(field=state, source=State.CLOSED, target=State.CARRIED)
    def carry_over(self) -> None:
        """A later settlement is negative: this one is carried along with it and not paid out by itself."""
        self.pay_at = None

    @transition(field=state, source=State.PAYING, target=State.PAID)
    def mark_paid(self, *, at: datetime) -> None:
        self.paid_at = at

    @transition(field=state, source=State.PAYING, target=State.FAILED)
    def mark_failed(self) -> None:
        """The payout failed: the money is the merchant's balance again and is carried into the next settlement."""


class SettlementLine(Identified):
    """One ledger posting in the settlement it belongs to, or the net of an earlier settlement carried over."""

    prefix = "sln"
    append_only: ClassVar[bool] = True

    class Kind(models.TextChoices):
        GROSS = "gross"
        FEE = "fee"
        REFUND = "refund"
        ADJUSTMENT = "adjustment"
        RESERVE = "reserve"
        CARRIED = "carried"

    merchant = models.ForeignKey(Merchant, models.PROTECT, related_name="+", db_index=False)
    settlement = models.ForeignKey(Settlement, models.PROTECT, related_name="lines", db_index=False)
    kind = models.CharField(max_length=10, choices=Kind.choices)
    #: A line for a posting has the posting's primary key, so there is at most one.
    posting = models.ForeignKey(Posting, models.PROTECT, null=True, blank=True, related_name="+", db_index=False)
    #: The settlement whose net is carried over: a debt, or what could not be paid out.
    earlier = models.ForeignKey(Settlement, models.PROTECT, null=True, blank=True, related_name="+", db_index=False)
    order_id = models.UUIDField(null=True, blank=True)
    amount_minor = models.BigIntegerField()
    #: When it was posted.
    at = models.DateTimeField()

    class Meta:
        ordering = ["id"]
        constraints = [
            models.CheckConstraint(
                name="a_settlement_line_has_one_origin",
                condition=(Q(posting=F("id"), earlier__isnull=True) & ~Q(kind="carried"))
                | Q(posting__isnull=True, earlier__isnull=False, kind="carried"),
            ),
            models.CheckConstraint(
                name="a_settlement_line_is_of_a_known_kind",
                condition=Q(kind__in=["gross", "fee", "refund", "adjustment", "reserve", "carried"]),
            ),
            models.CheckConstraint(name="a_settlement_line_moves_something", condition=~Q(amount_minor=0)),
            models.UniqueConstraint(
                fields=["earlier"], condition=Q(earlier__isnull=False), name="a_settlement_is_carried_once"
            ),
        ]
        indexes = [
            models.Index(fields=["settlement", "id"], name="lines_of_settlement"),
            models.Index(fields=["order_id"], name="settled_of_order", condition=Q(order_id__isnull=False)),
        ]
        triggers = [
            *guards.append_only(),
            pgtrigger.Trigger(
                name="lines_go_into_an_open_settlement",
                level=pgtrigger.Statement,
                when=pgtrigger.After,
                operation=pgtrigger.Insert,
                referencing=pgtrigger.Referencing(new="added"),  # type: ignore[no-untyped-call]
                declare=[("closed", "uuid")],
                func="""
                    SELECT a.settlement_id INTO closed FROM (SELECT DISTINCT settlement_id FROM added) a
                    WHERE NOT EXISTS (
                        SELECT 1 FROM billing_settlement s WHERE s.id = a.settlement_id AND s.state = 'open') LIMIT 1;
                    IF FOUND THEN
                        RAISE EXCEPTION 'settlement % takes no further lines', closed
                            USING ERRCODE = 'restrict_violation', TABLE = TG_TABLE_NAME,
                                  CONSTRAINT = 'lines_go_into_an_open_settlement';
                    END IF;
                    RETURN NULL;
                """,
            ),
        ]

    @property
    def amount(self) -> Money:
        return Money(self.amount_minor, self.settlement.currency)
