"""Webhook endpoints of merchants, deliveries of events to them, and delivery attempts."""

from contextlib import suppress
from datetime import datetime
from typing import ClassVar

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
from merchants.rules.webhook_urls import URL_MAX

_TRANSITION_GUARD = """
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
    """A URL of the merchant that receives events. A removed endpoint keeps its row for the sake of its deliveries."""

    prefix = "whe"

    class State(models.TextChoices):
        ENABLED = "enabled"
        DISABLED = "disabled"
        REMOVED = "removed"

    realm = models.ForeignKey(Realm, models.PROTECT, related_name="+", db_index=False)
    merchant = models.ForeignKey(Merchant, models.PROTECT, related_name="webhook_endpoints")
    url = models.CharField(max_length=URL_MAX)
    description = models.CharField(max_length=200, blank=True)
    #: Event types, `order.*` or `*`: which events it receives.
    event_types = models.JSONField(default=list)
    state = StateField(default=State.ENABLED, choices=State.choices, protected=True)
    #: `gone`, `failing` or `by_merchant`.
    disabled_because = models.CharField(max_length=20, blank=True)
    disabled_at = models.DateTimeField(null=True, blank=True)
    #: Encrypted. Requests are signed with `secret` and with each previous secret until it expires: `old_secret` has a
    #: line for each, its expiry and the secret; `old_secret_until` is the last expiry.
    secret = models.BinaryField()
    old_secret = models.BinaryField(null=True, blank=True)
    old_secret_until = models.DateTimeField(null=True, blank=True)
    #: Since when, and how often in a row, attempts have failed.
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
        """Switch it on again; earlier failures no longer count."""
        self.disabled_because, self.disabled_at = "", None
        self.reset_failures()

    @transition(field=state, source=[State.ENABLED, State.DISABLED], target=State.REMOVED)
    def remove(self, *, at: datetime) -> None:
        """Delete its secrets; the row stays for the deliveries sent to it."""
        self.removed_at, self.secret, self.old_secret, self.old_secret_until = at, b"", None, None

    def reset_failures(self) -> None:
        """Forget earlier failures."""
        self.failing_from, self.failures = None, 0

    def record_outcome(self, *, succeeded: bool, at: datetime) -> None:
        """Count the result of one attempt."""
        if succeeded:
            self.reset_failures()
        else:
            self.failing_from, self.failures = self.failing_from or at, self.failures + 1

    def set_secret(self, secret: str) -> None:
        self.secret = seal(secret, place=f"merchants.webhookendpoint.secret:{self.id.hex}")

    def rotate_secret(self, secret: str, *, until: datetime, at: datetime) -> None:
        """Sign with this secret from now on, and with each previous one until its expiry.

        The current secret expires at `until`, if it can still be decrypted; if `until` is not in the future, all
        previous secrets end at once.
        """
        previous = []
        if until > at:
            with suppress(*UNREADABLE):
                previous = [(until, self.reveal_secret()), *self.previous_secrets(at=at)]
        plaintext = "\n".join(f"{expires_at.isoformat()} {old}" for expires_at, old in previous)
        self.old_secret = (
            seal(plaintext, place=f"merchants.webhookendpoint.old_secret:{self.id.hex}") if previous else None
        )
        self.old_secret_until = max((ends for ends, _old in previous), default=None)
        self.set_secret(secret)

    def reveal_secret(self) -> str:
        return unseal(self.secret, place=f"merchants.webhookendpoint.secret:{self.id.hex}")

    def previous_secrets(self, *, at: datetime) -> list[tuple[datetime, str]]:
        """Previous secrets that still sign at this moment, with their expiry; the newest first.

        A line stored before there could be several has no expiry of its own: `old_secret_until` applies.
        """
        if self.old_secret is None or self.old_secret_until is None or self.old_secret_until <= at:
            return []
        lines = unseal(self.old_secret, place=f"merchants.webhookendpoint.old_secret:{self.id.hex}").split("\n")
        pairs = [(ends, old) for ends, _blank, old in (line.rpartition(" ") for line in lines)]
        secrets = [(datetime.fromisoformat(ends) if ends else self.old_secret_until, old) for ends, old in pairs]
        return [(ends, old) for ends, old in secrets if ends > at]

    def signing_secrets(self, *, at: datetime) -> list[str]:
        """All secrets that sign at this moment, the newest first."""
        return [self.reveal_secret(), *(old for _ends, old in self.previous_secrets(at=at))]


class WebhookDelivery(Identified):
    """The delivery of one event to one endpoint."""

    prefix = "whd"

    class State(models.TextChoices):
        PENDING = "pending"
        DELIVERED = "delivered"
        GIVEN_UP = "given_up"

    realm = models.ForeignKey(Realm, models.PROTECT, related_name="+", db_index=False)
    endpoint = models.ForeignKey(WebhookEndpoint, models.PROTECT, related_name="deliveries", db_index=False)
    event = models.ForeignKey(Event, models.PROTECT, related_name="deliveries", db_index=False)
    state = StateField(default=State.PENDING, choices=State.choices, protected=True)
    #: Attempts since it last became pending.
    tries = models.PositiveSmallIntegerField(default=0)
    #: When the next attempt is due, in the realm's time, which may be frozen.
    next_at = models.DateTimeField(null=True, blank=True)
    #: Until when, in real time, a worker holds it.
    leased_until = models.DateTimeField(null=True, blank=True)
    #: How the last attempt failed, or why there will be no more.
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
                name="a_delivery_moves_legally",
                when=pgtrigger.Before,
                operation=pgtrigger.Update,
                func=_TRANSITION_GUARD,
            )
        ]

    @transition(field=state, source=State.PENDING, target=State.DELIVERED)
    def mark_delivered(self, *, at: datetime) -> None:
        self.next_at, self.leased_until, self.ended_at, self.reason = None, None, at, ""

    @transition(field=state, source=State.PENDING, target=State.GIVEN_UP)
    def give_up(self, reason: str, *, at: datetime) -> None:
        self.next_at, self.leased_until, self.ended_at, self.reason = None, None, at, reason

    @transition(field=state, source=[State.DELIVERED, State.GIVEN_UP], target=State.PENDING)
    def requeue(self, *, at: datetime) -> None:
        """Send it again now, starting over with the first attempt."""
        self.next_at, self.ended_at, self.reason, self.tries = at, None, "", 0

    def schedule_retry(self, reason: str, *, until: datetime) -> None:
        """The attempt failed: the next one is due at `until`."""
        self.next_at, self.leased_until, self.reason = until, None, reason


class WebhookAttempt(Identified):
    """One delivery attempt and its response. Append-only."""

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
    def succeeded(self) -> bool:
        return self.outcome.succeeded

    @property
    def outcome(self) -> rules.Outcome:
        return rules.Outcome(self.status, self.latency_ms, self.error, self.excerpt)
