"""Where a merchant's events go, how each copy of one gets on, and every try that was made."""

from contextlib import suppress
from datetime import datetime
from typing import Any, ClassVar

import pgtrigger
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now
from django_fsm import transition

from kernel import guards
from kernel.encryption import UNREADABLE, seal, unseal
from kernel.lifecycle import StateField
from kernel.models import LIVE, Identified, Realm
from merchants.models.events import Event
from merchants.models.tenant import Merchant
from merchants.rules import webhooks as rules
from merchants.rules.addresses import URL_MAX

_MOVES = """
    IF NEW.state <> OLD.state AND (OLD.state, NEW.state) NOT IN (('pending', 'delivered'), ('pending', 'given_up'),
                                                                ('delivered', 'pending'), ('given_up', 'pending')) THEN
        RAISE EXCEPTION '% %: % may not become %', TG_TABLE_NAME, OLD.id, OLD.state, NEW.state
            USING ERRCODE = 'restrict_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = 'a_delivery_moves_legally';
    END IF;
    IF (NEW.id, NEW.realm_id, NEW.endpoint_id, NEW.event_id)
       <> (OLD.id, OLD.realm_id, OLD.endpoint_id, OLD.event_id) THEN
        RAISE EXCEPTION '% %: a column that names it was changed', TG_TABLE_NAME, OLD.id
            USING ERRCODE = 'restrict_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = 'identity_is_frozen';
    END IF;
    RETURN NEW;
"""


class WebhookEndpoint(Identified):
    """An address of the merchant's that hears of events. One that was removed stays for its deliveries' sake."""

    prefix = "whe"

    class State(models.TextChoices):
        ENABLED = "enabled"
        DISABLED = "disabled"
        REMOVED = "removed"

    realm = models.ForeignKey(Realm, models.PROTECT, related_name="+", db_index=False)
    merchant = models.ForeignKey(Merchant, models.PROTECT, related_name="webhook_endpoints")
    url = models.CharField(max_length=URL_MAX)
    description = models.CharField(max_length=200, blank=True)
    #: Types, `order.*` or `*`: what it hears of.
    event_types = models.JSONField(default=list)
    state = StateField(default=State.ENABLED, choices=State.choices, protected=True)
    #: `gone`, `failing` or `by_merchant`.
    disabled_because = models.CharField(max_length=20, blank=True)
    disabled_at = models.DateTimeField(null=True, blank=True)
    #: Sealed; signs what is sent, and so do those before it, a line each with its end, until the last one's time is up.
    secret = models.BinaryField()
    old_secret = models.BinaryField(null=True, blank=True)
    old_secret_until = models.DateTimeField(null=True, blank=True)
    #: Since when, and how often in a row, nothing but failure came back.
    failing_from = models.DateTimeField(null=True, blank=True)
    failures = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField()
    removed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["id"]
        indexes = [
            models.Index(fields=["realm"], name="endpoints_of_realm", condition=~Q(state="removed")),
            models.Index(
                fields=["realm", "failing_from"], name="endpoints_failing", condition=Q(failing_from__isnull=False)
            ),
        ]
        constraints = [
            models.CheckConstraint(
                name="a_disabled_endpoint_says_why",
                condition=Q(state="removed")
                | Q(state="enabled", disabled_because="", disabled_at__isnull=True)
                | (Q(state="disabled", disabled_at__isnull=False) & ~Q(disabled_because="")),
            ),
            models.CheckConstraint(
                name="an_endpoint_fails_since_its_first_failure",
                condition=Q(failing_from__isnull=True, failures=0) | Q(failing_from__isnull=False, failures__gt=0),
            ),
            models.CheckConstraint(
                name="an_old_secret_has_an_end",
                condition=Q(old_secret__isnull=True, old_secret_until__isnull=True)
                | Q(old_secret__isnull=False, old_secret_until__isnull=False),
            ),
        ]

    @property
    def livemode(self) -> bool:
        return self.realm_id == LIVE

    @transition(field=state, source=State.ENABLED, target=State.DISABLED)
    def disable(self, because: str, *, at: datetime) -> None:
        self.disabled_because, self.disabled_at = because, at

    @transition(field=state, source=State.DISABLED, target=State.ENABLED)
    def enable(self) -> None:
        """A new start: what went wrong before no longer counts."""
        self.disabled_because, self.disabled_at = "", None
        self.begin_anew()

    @transition(field=state, source=[State.ENABLED, State.DISABLED], target=State.REMOVED)
    def remove(self, *, at: datetime) -> None:
        """Its secrets are forgotten; its row stays for what was sent to it."""
        self.removed_at, self.secret, self.old_secret, self.old_secret_until = at, b"", None, None

    def begin_anew(self) -> None:
        """As if nothing had gone wrong."""
        self.failing_from, self.failures = None, 0

    def hear(self, *, good: bool, at: datetime) -> None:
        """One try has ended."""
        if good:
            self.begin_anew()
        else:
            self.failing_from, self.failures = self.failing_from or at, self.failures + 1

    def keep_secret(self, secret: str) -> None:
        self.secret = seal(secret, place=f"merchants.webhookendpoint.secret:{self.id.hex}")

    def exchange_secret(self, secret: str, *, until: datetime, at: datetime) -> None:
        """From now on signed with this one, and with those before it for as long as each was promised.

        The latest of them signs `until` then, if it still opens; where that is at once, none of them signs any more.
        """
        older = []
        if until > at:
            with suppress(*UNREADABLE):
                older = [(until, self.reveal_secret()), *self.older_secrets(at=at)]
        lines = "\n".join(f"{ends.isoformat()} {old}" for ends, old in older)
        self.old_secret = seal(lines, place=f"merchants.webhookendpoint.old_secret:{self.id.hex}") if older else None
        self.old_secret_until = max((ends for ends, _old in older), default=None)
        self.keep_secret(secret)

    def reveal_secret(self) -> str:
        return unseal(self.secret, place=f"merchants.webhookendpoint.secret:{self.id.hex}")

    def older_secrets(self, *, at: datetime) -> list[tuple[datetime, str]]:
        """Those before the present one that sign as well at this moment, each with its end; the newest first.

        One that was kept before there could be several has no end beside it: it is the row's own.
        """
        if self.old_secret is None or self.old_secret_until is None or self.old_secret_until <= at:
            return []
        lines = unseal(self.old_secret, place=f"merchants.webhookendpoint.old_secret:{self.id.hex}").split("\n")
        pairs = [(ends, old) for ends, _blank, old in (line.rpartition(" ") for line in lines)]
        kept = [(datetime.fromisoformat(ends) if ends else self.old_secret_until, old) for ends, old in pairs]
        return [(ends, old) for ends, old in kept if ends > at]

    def signing_secrets(self, *, at: datetime) -> list[str]:
        """What is signed with at this moment, the newest first."""
        return [self.reveal_secret(), *(old for _ends, old in self.older_secrets(at=at))]


class WebhookDelivery(Identified):
    """One event on its way to one endpoint."""

    prefix = "whd"

    class State(models.TextChoices):
        PENDING = "pending"
        DELIVERED = "delivered"
        GIVEN_UP = "given_up"

    realm = models.ForeignKey(Realm, models.PROTECT, related_name="+", db_index=False)
    endpoint = models.ForeignKey(WebhookEndpoint, models.PROTECT, related_name="deliveries", db_index=False)
    event = models.ForeignKey(Event, models.PROTECT, related_name="deliveries", db_index=False)
    state = StateField(default=State.PENDING, choices=State.choices, protected=True)
    #: How often it was taken up since it last became pending.
    tries = models.PositiveSmallIntegerField(default=0)
    #: When it is to be tried next, by the realm's own time, which may stand still.
    next_at = models.DateTimeField(null=True, blank=True)
    #: Until when, by real time, it is in somebody's hands.
    leased_until = models.DateTimeField(null=True, blank=True)
    #: How the last try failed, or why it is no longer tried.
    reason = models.CharField(max_length=60, blank=True)
    created_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["event", "endpoint"], name="an_event_goes_to_an_endpoint_once"),
            models.CheckConstraint(
                name="what_is_pending_has_a_next_time",
                condition=Q(state="pending", next_at__isnull=False, ended_at__isnull=True)
                | (~Q(state="pending") & Q(next_at__isnull=True, leased_until__isnull=True, ended_at__isnull=False)),
            ),
            models.CheckConstraint(
                name="what_is_given_up_says_why",
                condition=~Q(state="given_up", reason="") & ~Q(state="delivered", tries=0),
            ),
        ]
        indexes = [
            models.Index(fields=["endpoint", "-id"], name="deliveries_of_endpoint"),
            models.Index(fields=["realm", "next_at"], name="webhooks_due", condition=Q(next_at__isnull=False)),
            models.Index(
                F("endpoint"),
                F("next_at"),
                F("id"),
                name="webhooks_due_to_endpoint",
                condition=Q(next_at__isnull=False),
            ),
        ]
        triggers = [
            pgtrigger.Trigger(
                name="a_delivery_moves_legally", when=pgtrigger.Before, operation=pgtrigger.Update, func=_MOVES
            )
        ]

    @transition(field=state, source=State.PENDING, target=State.DELIVERED)
    def deliver(self, *, at: datetime) -> None:
        self.next_at, self.leased_until, self.ended_at, self.reason = None, None, at, ""

    @transition(field=state, source=State.PENDING, target=State.GIVEN_UP)
    def give_up(self, reason: str, *, at: datetime) -> None:
        self.next_at, self.leased_until, self.ended_at, self.reason = None, None, at, reason

    @transition(field=state, source=[State.DELIVERED, State.GIVEN_UP], target=State.PENDING)
    def again(self, *, at: datetime) -> None:
        """From the first try on, at once."""
        self.next_at, self.ended_at, self.reason, self.tries = at, None, "", 0

    def put_off(self, reason: str, *, until: datetime) -> None:
        """It failed, and is tried again then."""
        self.next_at, self.leased_until, self.reason = until, None, reason


class WebhookAttempt(Identified):
    """One try that was made, and what came back. Append-only."""

    prefix = "wha"
    append_only: ClassVar[bool] = True

    realm = models.ForeignKey(Realm, models.PROTECT, related_name="+", db_index=False)
    delivery = models.ForeignKey(WebhookDelivery, models.PROTECT, related_name="attempts", db_index=False)
    number = models.PositiveSmallIntegerField()
    at = models.DateTimeField()
    recorded_at = models.DateTimeField(db_default=Now())
    status = models.PositiveSmallIntegerField(null=True, blank=True)
    latency_ms = models.PositiveIntegerField()
    error = models.CharField(max_length=40, blank=True)
    excerpt = models.CharField(max_length=rules.EXCERPT_MAX, blank=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(
                name="a_try_has_a_status_or_an_error", condition=Q(status__isnull=False) | ~Q(error="")
            ),
        ]
        indexes = [models.Index(fields=["delivery", "-id"], name="attempts_of_delivery")]
        triggers = guards.append_only()

    @property
    def good(self) -> bool:
        return self.outcome.good

    @property
    def outcome(self) -> rules.Outcome:
        return rules.Outcome(self.status, self.latency_ms, self.error, self.excerpt)

    def shown(self) -> dict[str, Any]:
        """What a person is shown of it."""
        return {"status": self.status, "latency_ms": self.latency_ms, "error": self.error, "excerpt": self.excerpt}
