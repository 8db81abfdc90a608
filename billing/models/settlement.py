"""What a merchant is paid and why: a batch of the book's own lines, cut off once a day and never changed after."""

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
    """A line of a settlement's history."""

    subject = models.ForeignKey("Settlement", models.PROTECT, related_name="history", db_index=False)


class Settlement(Lifecycle):
    """结算单: everything owed to a merchant in one currency that was booked before a cut-off and not settled before."""

    prefix = "stl"
    history_model = SettlementEvent
    begins = ("open",)

    class State(models.TextChoices):
        OPEN = "open"
        CLOSED = "closed"
        PAYING = "paying"
        PAID = "paid"
        FAILED = "failed"
        #: Never sent: a later one is a debt, and the one after that carries both.
        CARRIED = "carried"

    realm = models.ForeignKey(Realm, models.PROTECT, related_name="+")
    merchant = models.ForeignKey(Merchant, models.PROTECT, related_name="settlements", db_index=False)
    currency = models.CharField(max_length=3)
    #: From the cut-off of the settlement before it up to its own, which is not in it.
    period_from = models.DateTimeField()
    period_until = models.DateTimeField()
    state = StateField(default=State.OPEN, choices=State.choices, protected=True)
    #: Signed as the merchant feels them: what they are owed is above zero. Together they are the net.
    gross_minor = models.BigIntegerField(default=0)
    fees_minor = models.BigIntegerField(default=0)
    refunds_minor = models.BigIntegerField(default=0)
    adjustments_minor = models.BigIntegerField(default=0)
    reserve_minor = models.BigIntegerField(default=0)
    carried_minor = models.BigIntegerField(default=0)
    net_minor = models.BigIntegerField(default=0)
    lines_count = models.PositiveIntegerField(default=0)
    #: What this one holds back, and until when.
    held_minor = models.BigIntegerField(default=0)
    held_until = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField()
    #: When it is to be paid out; empty while there is nothing to pay, or nowhere to pay it to.
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
                frozen=["realm_id", "merchant_id", "currency", "period_from", "period_until"],
            ),
            guards.kept_after("open", [*TOTALS, "net_minor", "lines_count", "held_minor", "held_until"]),
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
    def pay_out(self) -> None:
        self.pay_at = None

    @transition(field=state, source=State.CLOSED, target=State.CARRIED)
    def go_along(self) -> None:
        """Its merchant owes us by a later one: it is carried together with that debt, and not sent by itself."""
        self.pay_at = None

    @transition(field=state, source=State.PAYING, target=State.PAID)
    def arrive(self, *, at: datetime) -> None:
        self.paid_at = at

    @transition(field=state, source=State.PAYING, target=State.FAILED)
    def bounce(self) -> None:
        """The money is the merchant's balance again, and is carried into the next settlement."""


class SettlementLine(Identified):
    """One posting of what a merchant is owed, in the one settlement it is in for ever; or a net carried over."""

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
    #: A line for a posting has the posting's own key: by that it is found, and there is one.
    posting = models.ForeignKey(Posting, models.PROTECT, null=True, blank=True, related_name="+", db_index=False)
    #: The settlement whose net comes along: a debt, or what could not be paid out.
    earlier = models.ForeignKey(Settlement, models.PROTECT, null=True, blank=True, related_name="+", db_index=False)
    order_id = models.UUIDField(null=True, blank=True)
    amount_minor = models.BigIntegerField()
    #: When it was booked.
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
