from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import models
from django.db.models import F, Q
from django_fsm import transition

from accounts.models import Person
from kernel import guards
from kernel.lifecycle import Lifecycle, StateField
from kernel.models import Realm
from kernel.money import Money
from merchants.models import Merchant
from orders.models.obligation_history import ObligationEvent
from orders.models.order import Order
from orders.rules import days_between

#: The opposite of `Obligation.NOT_YET_ATTEMPTED`, as SQL.
ATTEMPTED_SQL = """(
    collect_at <= overdue_from AND plan -> 0 ->> 'reason' IN ('due', 'due_moved')
    OR collect_at IS NOT NULL AND last_failure ->> 'class' IN ('technical', 'not_sent')
       AND plan -> 0 ->> 'reason' NOT IN ('moved', 'limits')) IS NOT TRUE"""


class Obligation(Lifecycle):
    """应付款: a part of an order's total with a due time. The row is the job: `collect_at` says when to collect."""

    prefix = "obl"
    history_model = ObligationEvent
    initial_states = ("pending", "overdue")

    class State(models.TextChoices):
        PENDING = "pending"
        OVERDUE = "overdue"
        PAID = "paid"
        WAIVED = "waived"
        WRITTEN_OFF = "written_off"

    class Kind(models.TextChoices):
        PRINCIPAL = "principal"
        LATE_FEE = "late_fee"
        #: An early refund whose return the merchant rejected: the person owes it to us.
        ADVANCE = "advance"

    #: Owed in the ledger; and payable by the person, which includes written-off debts.
    OWED = (State.PENDING, State.OVERDUE)
    PAYABLE = (*OWED, State.WRITTEN_OFF)
    #: Kinds whose overdue days are counted. Late fees belong to a debt and have no days of their own.
    AGEING = (Kind.PRINCIPAL, Kind.ADVANCE)
    #: Not overdue yet: the first attempt was scheduled before `overdue_from` but has not been made; or the last one
    #: failed for the channel's own reasons and is retried, unless the person deferred it.
    NOT_YET_ATTEMPTED = Q(collect_at__lte=F("overdue_from"), plan__0__reason__in=["due", "due_moved"]) | Q(
        ~Q(plan__0__reason__in=["moved", "limits"]),
        collect_at__isnull=False,
        last_failure__class__in=["technical", "not_sent"],
    )

    realm = models.ForeignKey(Realm, models.PROTECT, related_name="+")
    order = models.ForeignKey(Order, models.PROTECT, related_name="obligations", db_index=False)
    merchant = models.ForeignKey(Merchant, models.PROTECT, related_name="+")
    person = models.ForeignKey(Person, models.PROTECT, related_name="obligations")
    sequence = models.PositiveSmallIntegerField(default=1)
    kind = models.CharField(max_length=9, choices=Kind.choices, default=Kind.PRINCIPAL)
    currency = models.CharField(max_length=3)
    amount_minor = models.BigIntegerField()
    paid_minor = models.BigIntegerField(default=0)
    #: The part that was written off; payments after that are recoveries.
    written_off_minor = models.BigIntegerField(default=0)
    state = StateField(default=State.PENDING, choices=State.choices, protected=True)
    due_at = models.DateTimeField()
    #: When it becomes overdue if unpaid; empty once it is overdue.
    overdue_from = models.DateTimeField(null=True, blank=True)
    #: When the next automatic attempt is due; empty while one is in flight or none is planned.
    collect_at = models.DateTimeField(null=True, blank=True)
    #: The deduction in flight: until it ends, nothing else may collect or change the amount.
    in_flight = models.UUIDField(null=True, blank=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    #: Those attempts whose deduction also collects an earlier obligation of the order, and is counted there.
    shared_attempts = models.PositiveSmallIntegerField(default=0, db_default=0)
    #: The planned attempts, `[{at, instrument, reason}]`, and the last failure, `{code, class, at}`.
    plan = models.JSONField(default=list, blank=True)
    #: Only the person can pay it: after a returned deduction or a rejected return. A payment plan clears this.
    by_hand = models.BooleanField(default=False)
    #: When the person moved the next attempt; allowed once.
    moved_at = models.DateTimeField(null=True, blank=True)
    last_failure = models.JSONField(null=True, blank=True)
    #: While paused: since when, and how much time was left until it becomes overdue.
    paused_at = models.DateTimeField(null=True, blank=True)
    overdue_left = models.DurationField(null=True, blank=True)
    #: The end of the next day to be counted, in the person's time zone; paused days are never counted.
    day_end_at = models.DateTimeField(null=True, blank=True)
    overdue_days = models.PositiveIntegerField(default=0)
    #: Days already passed when it became overdue: its days of grace.
    grace_days = models.PositiveIntegerField(default=0)
    bucket = models.CharField(max_length=5, blank=True)
    #: Late fee so far in 1/10,000 minor units, so that no day's share is lost to rounding.
    fee_units = models.BigIntegerField(default=0)
    #: Why its day could not be closed. Such a row is skipped until staff look at it.
    day_end_error = models.CharField(max_length=300, blank=True)

    class Meta:
        ordering = ["order_id", "sequence"]
        constraints = [
            models.UniqueConstraint(fields=["order", "sequence"], name="obligations_of_an_order_are_numbered"),
            models.CheckConstraint(
                name="never_more_is_paid_than_owed",
                condition=Q(amount_minor__gt=0, paid_minor__gte=0, paid_minor__lte=F("amount_minor")),
            ),
            models.CheckConstraint(
                name="paid_means_paid_in_full",
                condition=~Q(state="paid") | Q(paid_minor=F("amount_minor")),
            ),
            models.CheckConstraint(
                name="only_the_unpaid_is_written_off",
                condition=Q(written_off_minor__gte=0, written_off_minor__lte=F("amount_minor"))
                & (Q(state__in=["written_off", "paid"]) | Q(written_off_minor=0)),
            ),
            models.CheckConstraint(
                name="what_is_over_is_not_collected",
                condition=Q(state__in=["pending", "overdue"]) | Q(collect_at__isnull=True, overdue_from__isnull=True),
            ),
            models.CheckConstraint(
                name="what_stands_still_is_not_due",
                condition=Q(paused_at__isnull=True)
                | Q(collect_at__isnull=True, overdue_from__isnull=True, day_end_at__isnull=True),
            ),
            models.CheckConstraint(
                name="what_is_paid_by_hand_is_not_planned",
                condition=Q(by_hand=False) | Q(collect_at__isnull=True, plan=[]),
            ),
            models.CheckConstraint(
                name="in_flight_means_not_due", condition=Q(in_flight__isnull=True) | Q(collect_at__isnull=True)
            ),
        ]
        indexes = [
            # Ties are broken by age, so that runs are reproducible.
            models.Index(
                fields=["realm", "collect_at", "id"], name="obligations_due", condition=Q(collect_at__isnull=False)
            ),
            models.Index(
                fields=["realm", "overdue_from", "id"],
                name="obligations_going_overdue",
                condition=Q(overdue_from__isnull=False),
            ),
            models.Index(
                fields=["realm", "day_end_at", "id"],
                name="obligations_day_end",
                condition=Q(day_end_at__isnull=False, day_end_error=""),
            ),
            models.Index(
                fields=["realm", "day_end_at"],
                name="obligations_day_end_stuck",
                condition=Q(day_end_at__isnull=False, day_end_error__gt=""),
            ),
            models.Index(
                fields=["person"], name="obligations_owed", condition=Q(state__in=["pending", "overdue", "written_off"])
            ),
            models.Index(fields=["realm", "bucket", "-id"], name="obligations_overdue", condition=Q(state="overdue")),
            models.Index(fields=["-id"], name="obligations_waived", condition=Q(state="waived")),
        ]
        triggers = guards.lifecycle(
            "orders_obligationevent", frozen_columns=["realm_id", "order_id", "person_id", "currency"]
        )

    @property
    def owed(self) -> Money:
        """The unpaid amount, including a written-off one."""
        unpaid = self.amount_minor - self.paid_minor if self.state in self.PAYABLE else 0
        return Money(unpaid, self.currency)

    @property
    def paid(self) -> Money:
        return Money(self.paid_minor, self.currency)

    @property
    def chosen_at(self) -> datetime | None:
        """The date the person chose for the next attempt, if they moved it."""
        first = self.plan[0] if self.plan else {}
        return datetime.fromisoformat(first["at"]) if first.get("reason") in ("moved", "due_moved") else None

    @transition(field=state, source=list(PAYABLE), target=State.PAID)
    def mark_paid(self) -> None:
        self.paid_minor = self.amount_minor
        self._clear_schedule()

    @transition(field=state, source=list(PAYABLE), target=None)
    def pay_part(self, amount: Money) -> None:
        self.paid_minor += amount.minor

    @transition(field=state, source=list(PAYABLE), target=None)
    def reduce_to(self, amount: Money) -> None:
        if self.state == self.State.WRITTEN_OFF:  # a late fee is waived: the loss is smaller
            self.written_off_minor -= self.amount_minor - amount.minor
        self.amount_minor = amount.minor

    @transition(field=state, source=State.PENDING, target=State.OVERDUE)
    def mark_overdue(self, *, days: int, bucket: str, day_end_at: datetime | None) -> None:
        self.overdue_from, self.overdue_days, self.bucket, self.day_end_at = None, days, bucket, day_end_at
        self.grace_days = days

    @transition(field=state, source=State.OVERDUE, target=State.PENDING)
    def clear_overdue(self) -> None:
        """A new due date was agreed: it is no longer overdue, and days are counted from that date."""
        self.overdue_days, self.grace_days, self.bucket, self.day_end_at = 0, 0, "", None

    @transition(field=state, source=State.PAID, target=State.OVERDUE)
    def reopen(self, amount: Money, *, day_end_at: datetime | None) -> None:
        """The channel returned the payment: overdue again from day zero, and nothing is deducted automatically."""
        self.paid_minor -= amount.minor
        self.plan, self.by_hand = [], True
        self.overdue_days, self.grace_days, self.bucket, self.day_end_at = 0, 0, "", day_end_at

    @transition(field=state, source=[State.PENDING, State.OVERDUE], target=None)
    def reopen_part(self, amount: Money) -> None:
        """Another part of the payment was returned; only for a debt that the person pays by hand."""
        self.paid_minor -= amount.minor

    @transition(field=state, source=[State.PENDING, State.OVERDUE], target=None)
    def split_off(self, amount: Money) -> None:
        """Move a returned part into an obligation of its own: the amount left to pay here stays the same."""
        self.paid_minor -= amount.minor
        self.amount_minor -= amount.minor

    @transition(field=state, source=State.PENDING, target=None)
    def reschedule(self, amount: Money, *, due_at: datetime, overdue_from: datetime) -> None:
        """Set a new amount and due date; it is collected then, and the person may move that date once."""
        self.amount_minor, self.due_at, self.overdue_from = amount.minor, due_at, overdue_from
        self.moved_at = self.last_failure = None
        self.by_hand = False
        self.plan = [{"at": due_at.isoformat(), "instrument": None, "reason": "due"}]
        self.schedule_next()

    @transition(field=state, source=State.OVERDUE, target=None)
    def age(self, *, days: int, bucket: str, fee_units: int) -> None:
        self.overdue_days, self.bucket, self.fee_units = days, bucket, fee_units

    @transition(field=state, source=State.OVERDUE, target=None)
    def accrue(self, amount: Money) -> None:
        self.amount_minor += amount.minor

    def pause(self, *, at: datetime) -> None:
        """Pause: nothing is collected, counted or charged until `resume`."""
        self.overdue_left = self.overdue_from - at if self.overdue_from else None
        self.paused_at, self.collect_at, self.overdue_from, self.day_end_at = at, None, None, None

    def resume(self, *, at: datetime, day_end_at: datetime) -> None:
        """Resume: every date moves later by the length of the pause."""
        paused_for = at - (self.paused_at or at)
        self.plan = [p | {"at": (datetime.fromisoformat(p["at"]) + paused_for).isoformat()} for p in self.plan]
        self.overdue_from = at + self.overdue_left if self.overdue_left is not None else None
        self.paused_at = self.overdue_left = None
        ages = self.state == self.State.OVERDUE and self.kind in self.AGEING
        self.day_end_at = day_end_at if ages else None
        self.schedule_next()

    def plan_as_of_pause(self, plan: Sequence[Mapping[str, Any]], *, at: datetime) -> list[dict[str, Any]]:
        """Shift the dates of a plan made during a pause back by the time paused so far.

        `resume` moves all dates later by the whole pause, so they end up where they were planned.
        """
        paused_for = at - (self.paused_at or at)
        return [{**p, "at": (datetime.fromisoformat(p["at"]) - paused_for).isoformat()} for p in plan]

    def paused_duration(self, *, grace: timedelta, zone: str, at: datetime) -> timedelta:
        """How long it has been paused since it was due. Unknown (zero) for an overdue late fee; its debt knows."""
        overdue_at = self.overdue_from if self.overdue_left is None else at + self.overdue_left
        if overdue_at is not None:
            return max(overdue_at - grace - self.due_at, timedelta(0))
        if self.state != self.State.OVERDUE or self.kind not in self.AGEING:
            return timedelta(0)
        return timedelta(days=max(0, days_between(self.due_at, at, zone) - self.overdue_days))

    def schedule_next(self) -> None:
        """Set `collect_at` to the first planned attempt, if the obligation can be collected now."""
        free = self.owed and self.in_flight is None and self.paused_at is None
        self.collect_at = datetime.fromisoformat(self.plan[0]["at"]) if free and self.plan else None

    def _clear_schedule(self) -> None:
        self.collect_at = self.overdue_from = self.day_end_at = self.paused_at = self.overdue_left = None
        self.plan = []

    @transition(field=state, source=[State.PENDING, State.OVERDUE], target=State.WAIVED)
    def waive(self) -> None:
        self._clear_schedule()

    @transition(field=state, source=State.WRITTEN_OFF, target=State.WAIVED)
    def waive_written_off(self) -> None:
        """A late fee that was written off, and of which nothing was paid, is waived: it is no loss any more."""
        self.written_off_minor = 0

    @transition(field=state, source=State.OVERDUE, target=State.WRITTEN_OFF)
    def write_off(self) -> None:
        self.written_off_minor = self.amount_minor - self.paid_minor
        self._clear_schedule()
