"""Members of a merchant's team, invitations to it, and emails to its staff."""

from datetime import datetime

from django.db import models
from django.db.models import F, Q

from accounts.models import LockableQuerySet, User
from kernel.models import Identified
from merchants.models import Merchant
from portal.rules import Role

ROLES = [(role.value, role.value) for role in Role]


class Member(Identified):
    """A user's membership in a business, which is identified by its live merchant (the sandbox belongs to it too)."""

    prefix = "mem"

    merchant = models.ForeignKey(Merchant, models.PROTECT, related_name="members")
    user = models.ForeignKey(User, models.PROTECT, related_name="memberships")
    role = models.CharField(max_length=9, choices=ROLES)
    joined_at = models.DateTimeField()
    removed_at = models.DateTimeField(null=True, blank=True)

    objects = LockableQuerySet["Member"].as_manager()

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(
                fields=["merchant", "user"], name="nobody_is_a_member_twice", condition=Q(removed_at__isnull=True)
            ),
            models.CheckConstraint(name="a_member_has_a_known_role", condition=Q(role__in=[r.value for r in Role])),
        ]


class Invitation(Identified):
    """An invitation to join a team. Only the digest of its one-time token is stored."""

    prefix = "inv"

    merchant = models.ForeignKey(Merchant, models.PROTECT, related_name="invitations")
    role = models.CharField(max_length=9, choices=ROLES)
    #: Where it was sent. Only the masked phone number is stored, since it is needed once, for the text message.
    email = models.EmailField(blank=True)
    phone_masked = models.CharField(max_length=20, blank=True)
    digest = models.BinaryField(max_length=32, unique=True)
    by = models.CharField(max_length=80)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    accepted_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    objects = LockableQuerySet["Invitation"].as_manager()

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(name="an_invitation_goes_somewhere", condition=~Q(email="", phone_masked="")),
            models.CheckConstraint(name="an_invitation_ends", condition=Q(expires_at__gt=F("created_at"))),
            models.CheckConstraint(
                name="what_was_revoked_is_not_accepted",
                condition=Q(accepted_at__isnull=True) | Q(revoked_at__isnull=True),
            ),
            models.CheckConstraint(
                name="an_invitation_is_to_a_known_role", condition=Q(role__in=[r.value for r in Role])
            ),
        ]

    @property
    def sent_to(self) -> str:
        return " · ".join(filter(None, (self.email, self.phone_masked)))

    def is_open(self, at: datetime) -> bool:
        """Whether the invitation can still be accepted."""
        return self.accepted_at is None and self.revoked_at is None and at < self.expires_at


class Letter(Identified):
    """An outbox row: an email to a member of merchant staff, saved with its cause and sent later, at least once."""

    prefix = "ltr"

    class Kind(models.TextChoices):
        PASSWORD = "password"  # noqa: S105  a password reset was requested
        ENDPOINT = "endpoint"  # a webhook endpoint was disabled
        ACCOUNT = "account"  # a payout account was requested, or approved
        PAYOUT = "payout"  # a returned payout was credited to the merchant again
        SECURITY = "security"  # the password or a second factor of their account changed

    user = models.ForeignKey(User, models.PROTECT, related_name="letters", db_index=False)
    kind = models.CharField(max_length=8, choices=Kind.choices)
    #: The subject and the time of the event; a user gets one letter for each event.
    about = models.UUIDField()
    happened_at = models.DateTimeField()
    at = models.DateTimeField()
    tries = models.PositiveSmallIntegerField(default=0)
    #: When to send it next; None once it was sent or given up.
    next_at = models.DateTimeField(null=True, blank=True)
    sent_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["user", "kind", "about", "happened_at"], name="a_letter_is_written_once"),
            models.CheckConstraint(
                name="a_letter_is_of_a_known_kind",
                condition=Q(kind__in=["password", "endpoint", "account", "payout", "security"]),
            ),
            models.CheckConstraint(
                name="a_letter_that_was_sent_is_not_sent_again",
                condition=Q(sent_at__isnull=True) | Q(next_at__isnull=True),
            ),
        ]
        indexes = [models.Index(fields=["next_at", "id"], name="letters_due", condition=Q(next_at__isnull=False))]
