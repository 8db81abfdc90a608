"""Goods on their way back: what was given back ahead of them, what the merchant says, and who bears it in the end."""

from datetime import datetime

from django.db import models
from django.db.models import Q
from django_fsm import transition

from accounts.models import Person
from billing.models.refunding import Refund
from kernel import guards
from kernel.lifecycle import Lifecycle, StateField
from kernel.models import History, Realm
from kernel.money import Money
from kernel.versions import PolicyVersion
from merchants.models import Merchant
from orders.models import Order


class ReturnPolicy(PolicyVersion):
    """For whom we give back ahead of a return, how much, and how long a merchant has: `billing.returns.Terms`."""

    prefix = "rpl"


class ReturnEvent(History):
    """A line of a return's history."""

    subject = models.ForeignKey("Return", models.PROTECT, related_name="history", db_index=False)


class Return(Lifecycle):
    """退货: a person sends back what an order was for. The merchant confirms it, or refuses it and says why."""

    prefix = "ret"
    history_model = ReturnEvent
    begins = ("open", "advanced")

    class State(models.TextChoices):
        OPEN = "open"
        ADVANCED = "advanced"
        REFUSED = "refused"
        CONFIRMED = "confirmed"
        DENIED = "denied"
        BORNE = "borne"
        WITHDRAWN = "withdrawn"

    #: The merchant has not answered; and nobody has decided.
    WAITING = (State.OPEN, State.ADVANCED)
    LIVE = (*WAITING, State.REFUSED)

    realm = models.ForeignKey(Realm, models.PROTECT, related_name="+")
    merchant = models.ForeignKey(Merchant, models.PROTECT, related_name="+", db_index=False)
    person = models.ForeignKey(Person, models.PROTECT, related_name="+", db_index=False)
    order = models.ForeignKey(Order, models.PROTECT, related_name="returns")
    currency = models.CharField(max_length=3)
    amount_minor = models.BigIntegerField()
    carrier = models.CharField(max_length=40)
    tracking_number = models.CharField(max_length=40)
    #: Why the person sends it back.
    reason = models.CharField(max_length=100)
    #: Why the merchant does not take it.
    because = models.CharField(max_length=200, blank=True)
    state = StateField(default=State.OPEN, choices=State.choices, protected=True)
    #: What we gave back ahead of it, if we did.
    advance = models.OneToOneField(Refund, models.PROTECT, null=True, blank=True, related_name="ahead_of")
    opened_at = models.DateTimeField()
    #: Until when the merchant answers; who says nothing until then has confirmed it.
    answer_until = models.DateTimeField()
    #: When something is to be done: the merchant is reminded, or their silence counts.
    act_at = models.DateTimeField(null=True, blank=True)
    resolved_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(name="a_return_is_of_something", condition=Q(amount_minor__gt=0)),
            models.CheckConstraint(name="a_return_has_its_parcel", condition=~Q(carrier="") & ~Q(tracking_number="")),
            models.UniqueConstraint(
                fields=["order"],
                name="an_order_has_one_return_at_a_time",
                condition=Q(state__in=["open", "advanced", "refused"]),
            ),
            models.CheckConstraint(
                name="what_is_advanced_names_its_refund",
                condition=~Q(state__in=["advanced", "borne"]) | Q(advance__isnull=False),
            ),
            models.CheckConstraint(
                name="only_a_waiting_return_is_seen_to",
                condition=Q(state__in=["open", "advanced"], resolved_at__isnull=True, act_at__isnull=False)
                | Q(state="refused", resolved_at__isnull=True, act_at__isnull=True)
                | Q(
                    state__in=["confirmed", "denied", "borne", "withdrawn"],
                    resolved_at__isnull=False,
                    act_at__isnull=True,
                ),
            ),
            models.CheckConstraint(
                name="a_refused_return_says_why",
                condition=~Q(state__in=["refused", "denied", "borne"]) | ~Q(because=""),
            ),
        ]
        indexes = [
            models.Index(fields=["merchant", "-id"], name="returns_of_merchant"),
            models.Index(
                fields=["person"], name="returns_undecided", condition=Q(state__in=["open", "advanced", "refused"])
            ),
            models.Index(fields=["realm", "opened_at"], name="returns_refused", condition=Q(state="refused")),
            models.Index(fields=["realm", "act_at", "id"], name="returns_due", condition=Q(act_at__isnull=False)),
        ]
        triggers = guards.lifecycle(
            "billing_returnevent",
            frozen=[
                "realm_id",
                "merchant_id",
                "person_id",
                "order_id",
                "currency",
                "amount_minor",
                "advance_id",
            ],
        )

    @property
    def amount(self) -> Money:
        return Money(self.amount_minor, self.currency)

    @transition(field=state, source=list(LIVE), target=State.CONFIRMED)
    def confirm(self, *, at: datetime) -> None:
        self.resolved_at, self.act_at = at, None

    @transition(field=state, source=list(WAITING), target=State.REFUSED)
    def refuse(self, because: str) -> None:
        self.because, self.act_at = because, None

    @transition(field=state, source=State.REFUSED, target=State.DENIED)
    def deny(self, *, at: datetime) -> None:
        self.resolved_at = at

    @transition(field=state, source=State.REFUSED, target=State.BORNE)
    def be_borne(self, *, at: datetime) -> None:
        self.resolved_at = at

    @transition(field=state, source=State.OPEN, target=State.WITHDRAWN)
    def withdraw(self, *, at: datetime) -> None:
        self.resolved_at, self.act_at = at, None
