"""Returns of goods: the early refund, the merchant's answer, and who is liable in the end."""

from datetime import datetime

from django.db import models
from django.db.models import Q
from django_fsm import transition

from accounts.models import Person
from billing.models.refunds import Refund
from kernel import guards
from kernel.lifecycle import Lifecycle, StateField
from kernel.models import History, Realm
from kernel.money import Money
from kernel.policy_versions import PolicyVersion
from merchants.models import Merchant
from orders.models import Order


class ReturnPolicy(PolicyVersion):
    """A version of the early refund terms: the fields of `billing.return_terms.Terms`."""

    prefix = "rpl"


class ReturnEvent(History):
    """An entry in a return's history."""

    subject = models.ForeignKey("Return", models.PROTECT, related_name="history", db_index=False)


class Return(Lifecycle):
    """退货: a person sends goods back. The merchant confirms receipt, or refuses with a reason."""

    prefix = "ret"
    history_model = ReturnEvent
    initial_states = ("open", "advanced")

    class State(models.TextChoices):
        OPEN = "open"
        ADVANCED = "advanced"
        REFUSED = "refused"
        CONFIRMED = "confirmed"
        DENIED = "denied"
        BORNE = "borne"
        WITHDRAWN = "withdrawn"

    #: WAITING: for the merchant's answer. LIVE: not decided yet.
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
    #: The person's reason for the return.
    reason = models.CharField(max_length=100)
    #: The merchant's reason for refusing it.
    because = models.CharField(max_length=200, blank=True)
    state = StateField(default=State.OPEN, choices=State.choices, protected=True)
    #: The early refund, if one was paid.
    advance = models.OneToOneField(Refund, models.PROTECT, null=True, blank=True, related_name="ahead_of")
    opened_at = models.DateTimeField()
    #: The merchant's deadline; without an answer by then, the return counts as confirmed.
    answer_until = models.DateTimeField()
    #: When the next action is due: remind the merchant, or confirm by default.
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
            frozen_columns=[
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
    def mark_borne(self, *, at: datetime) -> None:
        self.resolved_at = at

    @transition(field=state, source=State.OPEN, target=State.WITHDRAWN)
    def withdraw(self, *, at: datetime) -> None:
        self.resolved_at, self.act_at = at, None
