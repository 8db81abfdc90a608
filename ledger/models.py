from typing import ClassVar

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from kernel import guards
from kernel.models import Identified, Realm
from ledger import accounts
from ledger.triggers import move_to_open_day, never_reopened

_CODES = Q(debit_account__in=list(accounts.CHART)) | Q(debit_account__startswith=accounts.CLEARING_PREFIX)
_CREDIT_CODES = Q(credit_account__in=list(accounts.CHART)) | Q(credit_account__startswith=accounts.CLEARING_PREFIX)
_OWNED = [code for code, entry in accounts.CHART.items() if entry.owner is not accounts.OwnerKind.NONE]


class Posting(Identified):
    """An amount moved from one account to another for one cause. Never changed; corrected by another posting."""

    prefix = "pst"
    append_only: ClassVar[bool] = True

    realm = models.ForeignKey(Realm, models.PROTECT, related_name="+", db_index=False)
    cause_id = models.UUIDField()
    kind = models.CharField(max_length=40)
    line = models.PositiveSmallIntegerField(default=0)
    #: The order it is about, where there is one.
    order_id = models.UUIDField(null=True, blank=True)
    debit_account = models.CharField(max_length=40)
    debit_owner = models.UUIDField(null=True, blank=True)
    credit_account = models.CharField(max_length=40)
    credit_owner = models.UUIDField(null=True, blank=True)
    amount_minor = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    at = models.DateTimeField()
    recorded_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["cause_id", "kind", "line"], name="one_fact_posts_once"),
            models.CheckConstraint(name="a_posting_moves_something", condition=Q(amount_minor__gt=0)),
            models.CheckConstraint(
                name="a_posting_has_two_sides",
                condition=~Q(debit_account=F("credit_account"))
                | (Q(debit_owner__isnull=False) & Q(credit_owner__isnull=False) & ~Q(debit_owner=F("credit_owner"))),
            ),
            models.CheckConstraint(name="both_sides_are_in_the_chart", condition=_CODES & _CREDIT_CODES),
            models.CheckConstraint(
                name="a_debit_has_its_owner",
                condition=Q(debit_account__in=_OWNED, debit_owner__isnull=False)
                | (~Q(debit_account__in=_OWNED) & Q(debit_owner__isnull=True)),
            ),
            models.CheckConstraint(
                name="a_credit_has_its_owner",
                condition=Q(credit_account__in=_OWNED, credit_owner__isnull=False)
                | (~Q(credit_account__in=_OWNED) & Q(credit_owner__isnull=True)),
            ),
            models.CheckConstraint(name="posting_currency_is_iso", condition=Q(currency__regex="^[A-Z]{3}$")),
        ]
        indexes = [
            models.Index(
                fields=["debit_owner", "debit_account", "id"],
                name="posting_debits",
                condition=Q(debit_owner__isnull=False),
            ),
            models.Index(
                fields=["credit_owner", "credit_account", "id"],
                name="posting_credits",
                condition=Q(credit_owner__isnull=False),
            ),
            models.Index(fields=["order_id"], name="posting_order", condition=Q(order_id__isnull=False)),
            models.Index(fields=["realm", "at"], name="posting_by_day"),
        ]
        triggers = [*guards.append_only(), move_to_open_day()]


class Closing(models.Model):
    """Up to when a realm's ledger is closed. Postings for an earlier time are moved to the first open day."""

    realm = models.OneToOneField(Realm, models.PROTECT, primary_key=True, related_name="+")
    closed_until = models.DateTimeField()

    class Meta:
        triggers = [never_reopened()]

    def __str__(self) -> str:
        return f"{self.realm_id} {self.closed_until}"


class ClosedDay(Identified):
    """关账日: a closed ledger day. Its digest covers the digest of the previous closed day."""

    prefix = "day"
    append_only: ClassVar[bool] = True

    realm = models.ForeignKey(Realm, models.PROTECT, related_name="closed_days", db_index=False)
    covers_on = models.DateField()
    covers_from = models.DateTimeField()
    covers_until = models.DateTimeField()
    postings = models.PositiveIntegerField()
    #: The root hash of the tree over its parts, and the day's digest, both in hexadecimal.
    top = models.CharField(max_length=64)
    previous = models.CharField(max_length=64, blank=True)
    digest = models.CharField(max_length=64)
    closed_at = models.DateTimeField()

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["realm", "covers_on"], name="a_day_is_closed_once"),
            models.UniqueConstraint(fields=["realm", "previous"], name="a_closed_day_is_followed_once"),
            models.CheckConstraint(name="a_closed_day_has_postings", condition=Q(postings__gt=0)),
        ]
        triggers = guards.append_only()


class ClosedBalance(Identified):
    """An account's balance over all owners at the end of a closed day: debits less credits.

    Every account has one for each closed day since its first posting, so balances are computed from the last one.
    """

    prefix = "dbl"
    append_only: ClassVar[bool] = True

    day = models.ForeignKey(ClosedDay, models.PROTECT, related_name="balances", db_index=False)
    code = models.CharField(max_length=40)
    currency = models.CharField(max_length=3)
    stands_minor = models.BigIntegerField()

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["day", "code", "currency"], name="an_account_ends_a_day_once"),
        ]
        triggers = guards.append_only()


class ClosedPart(Identified):
    """One merchant's part of a closed day, or the platform's: the root hash of the tree over those postings."""

    prefix = "dpt"
    append_only: ClassVar[bool] = True

    day = models.ForeignKey(ClosedDay, models.PROTECT, related_name="parts", db_index=False)
    place = models.PositiveIntegerField()
    #: The merchant; empty for the platform's part.
    owner = models.UUIDField(null=True, blank=True)
    postings = models.PositiveIntegerField()
    top = models.CharField(max_length=64)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["day", "place"], name="the_parts_of_a_day_are_numbered"),
            models.UniqueConstraint(
                fields=["day", "owner"], name="a_merchant_has_one_part_of_a_day", nulls_distinct=False
            ),
        ]
        triggers = guards.append_only()
