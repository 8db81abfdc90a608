"""Payouts to merchants, and the payout accounts they go to, each approved by two people."""

from datetime import datetime

from django.db import models
from django.db.models import F, Q
from django_fsm import transition

from billing.models.movements import Movement
from billing.models.settlements import Settlement
from kernel import encryption, guards
from kernel.lifecycle import Lifecycle, StateField
from kernel.models import History, Realm
from merchants.models import Merchant


class PayoutAccountEvent(History):
    """An entry in a payout account's history."""

    subject = models.ForeignKey("PayoutAccount", models.PROTECT, related_name="history", db_index=False)


class PayoutAccount(Lifecycle):
    """收款账户: where payouts are sent. One person requests it, another approves, and it takes effect a day later."""

    prefix = "pac"
    history_model = PayoutAccountEvent
    initial_states = ("asked",)

    class State(models.TextChoices):
        ASKED = "asked"
        AGREED = "agreed"
        REFUSED = "refused"

    realm = models.ForeignKey(Realm, models.PROTECT, related_name="+")
    merchant = models.ForeignKey(Merchant, models.PROTECT, related_name="payout_accounts", db_index=False)
    holder = models.CharField(max_length=80)
    bank = models.CharField(max_length=80)
    #: Encrypted for this row only; the masked number shows the last four characters.
    number_sealed = models.BinaryField()
    number_masked = models.CharField(max_length=40)
    state = StateField(default=State.ASKED, choices=State.choices, protected=True)
    asked_by = models.CharField(max_length=80)
    asked_at = models.DateTimeField()
    decided_by = models.CharField(max_length=80, blank=True)
    decided_at = models.DateTimeField(null=True, blank=True)
    #: When payouts to it begin.
    effective_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["merchant"], name="one_payout_account_is_asked_for_at_a_time", condition=Q(state="asked")
            ),
            models.CheckConstraint(
                name="nobody_agrees_to_their_own_account", condition=~Q(state="agreed") | ~Q(asked_by=F("decided_by"))
            ),
            models.CheckConstraint(
                name="an_account_that_was_agreed_counts_from_a_day",
                condition=Q(state="agreed", effective_at__gte=F("decided_at"))
                | (~Q(state="agreed") & Q(effective_at__isnull=True)),
            ),
        ]
        indexes = [models.Index(fields=["merchant", "-effective_at"], name="payout_accounts_in_force")]
        triggers = guards.lifecycle(
            "billing_payoutaccountevent",
            frozen_columns=["realm_id", "merchant_id", "holder", "bank", "number_sealed", "number_masked", "asked_by"],
        )

    @property
    def place(self) -> str:
        """Where its number opens and nowhere else."""
        return f"billing.payoutaccount.number:{self.id}"

    @property
    def number(self) -> str:
        return encryption.unseal(self.number_sealed, place=self.place)

    @transition(field=state, source=State.ASKED, target=State.AGREED)
    def agree(self, *, by: str, at: datetime, effective_at: datetime) -> None:
        self.decided_by, self.decided_at, self.effective_at = by, at, effective_at

    @transition(field=state, source=State.ASKED, target=State.REFUSED)
    def refuse(self, *, by: str, at: datetime) -> None:
        self.decided_by, self.decided_at = by, at


class PayoutEvent(History):
    """An entry in a payout's history."""

    subject = models.ForeignKey("Payout", models.PROTECT, related_name="history", db_index=False)


class Payout(Movement):
    """打款指令: one attempt to send a settlement's net to its merchant, always under the same number."""

    prefix = "pyo"
    history_model = PayoutEvent

    merchant = models.ForeignKey(Merchant, models.PROTECT, related_name="payouts")
    settlement = models.OneToOneField(Settlement, models.PROTECT, related_name="payout")
    #: Empty if a sandbox merchant has none: the sandbox bank then pays a default account.
    account = models.ForeignKey(PayoutAccount, models.PROTECT, null=True, blank=True, related_name="payouts")

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(name="a_payout_sends_something", condition=Q(amount_minor__gt=0)),
            models.UniqueConstraint(
                fields=["channel", "channel_txn"],
                name="a_channels_payout_is_used_once",
                condition=Q(channel_txn__isnull=False),
            ),
            models.CheckConstraint(
                name="what_arrived_names_its_transaction",
                condition=~Q(state="succeeded") | Q(channel_txn__isnull=False),
            ),
            models.CheckConstraint(
                name="only_an_open_payout_is_asked_about",
                condition=Q(state__in=["sent", "unknown"]) | Q(ask_at__isnull=True),
            ),
        ]
        indexes = [
            models.Index(fields=["realm", "ask_at", "id"], name="payouts_to_ask", condition=Q(ask_at__isnull=False)),
        ]
        triggers = guards.lifecycle(
            "billing_payoutevent",
            frozen_columns=[
                "realm_id",
                "merchant_id",
                "settlement_id",
                "account_id",
                "channel",
                "currency",
                "amount_minor",
            ],
        )
