"""Channels' statement files, their lines, and the discrepancies (breaks) with our records."""

from typing import ClassVar

from django.db import models
from django.db.models import F, Q

from billing.models.deductions import Deduction
from billing.models.dual_approval import below_dual_approval
from billing.models.refunds import RefundPart
from kernel import guards
from kernel.models import FastInitModel, Identified, Realm
from kernel.money import Money


class StatementFile(Identified):
    """对账单: a channel's file for one of its days, identified by its content: the same bytes are the same row.

    Files without lines are identical for every day, so there is one row per day for them.
    """

    prefix = "stm"

    realm = models.ForeignKey(Realm, models.PROTECT, related_name="+", db_index=False)
    channel = models.CharField(max_length=20)
    covers_on = models.DateField()
    #: The channel's day in its own time zone.
    covers_from = models.DateTimeField()
    covers_until = models.DateTimeField()
    #: SHA-256 of the whole file.
    digest = models.CharField(max_length=64)
    #: The file has no lines: nothing moved that day.
    empty = models.BooleanField(default=False)
    name = models.CharField(max_length=120)
    #: How many lines are stored so far, and how many of them could not be read.
    lines = models.PositiveIntegerField(default=0)
    damaged = models.PositiveIntegerField(default=0)
    #: How the trailer contradicts the lines. Such a file is incomplete: it reports nothing as missing.
    trouble = models.CharField(max_length=200, blank=True)
    imported_by = models.CharField(max_length=80)
    imported_at = models.DateTimeField()
    #: When the whole file had been read and compared.
    read_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["realm", "channel", "digest"], name="the_same_file_is_imported_once", condition=Q(empty=False)
            ),
            models.UniqueConstraint(
                fields=["realm", "channel", "digest", "covers_on"],
                name="an_empty_file_is_imported_once_a_day",
                condition=Q(empty=True),
            ),
            models.CheckConstraint(name="an_empty_file_has_no_lines", condition=Q(empty=False) | Q(lines=0)),
            models.CheckConstraint(name="a_day_ends_after_it_began", condition=Q(covers_until__gt=F("covers_from"))),
            models.CheckConstraint(name="what_is_damaged_was_read", condition=Q(damaged__lte=F("lines"))),
        ]
        indexes = [models.Index(fields=["realm", "channel", "covers_on"], name="statements_of_day")]


class StatementLine(FastInitModel):
    """One line of a statement file with the result of the comparison. Append-only."""

    append_only: ClassVar[bool] = True

    class Verdict(models.TextChoices):
        MATCHED = "matched"
        #: Not final on one of the two sides: it will be queried, or appear in a later file.
        IN_FLIGHT = "in_flight"
        #: Neither the channel nor we moved money.
        NOTHING = "nothing"
        DAMAGED = "damaged"
        MISSING_HERE = "missing_here"
        AMOUNT = "amount"
        CURRENCY = "currency"
        DUPLICATE = "duplicate"
        STATUS = "status"

    #: The verdicts that open a break.
    BREAKS = (Verdict.MISSING_HERE, Verdict.AMOUNT, Verdict.CURRENCY, Verdict.DUPLICATE, Verdict.STATUS)

    id = models.BigAutoField(primary_key=True)
    #: Indexed by the unique constraint on (statement, place).
    statement = models.ForeignKey(StatementFile, models.PROTECT, related_name="entries", db_index=False)
    #: The line number in the file.
    place = models.PositiveIntegerField()
    number = models.CharField(max_length=64)
    channel_txn = models.CharField(max_length=64)
    kind = models.CharField(max_length=6)
    amount_minor = models.BigIntegerField(null=True, blank=True)
    currency = models.CharField(max_length=3)
    status = models.CharField(max_length=7)
    at = models.DateTimeField(null=True, blank=True)
    verdict = models.CharField(max_length=12, choices=Verdict.choices)
    #: The deduction or refund part that it matches, if any.
    ours_id = models.UUIDField(null=True, blank=True)
    #: Of a damaged line: the error code and its text.
    damage = models.CharField(max_length=10)
    raw = models.TextField()

    class Meta:
        ordering = ["statement_id", "place"]
        constraints = [
            models.UniqueConstraint(fields=["statement", "place"], name="a_line_is_kept_once"),
            models.CheckConstraint(
                name="a_damaged_line_says_why",
                condition=Q(verdict="damaged", amount_minor__isnull=True) & ~Q(damage="")
                | ~Q(verdict="damaged") & Q(damage="", amount_minor__gt=0, at__isnull=False),
            ),
        ]
        indexes = [models.Index(fields=["channel_txn"], name="lines_by_transaction", condition=~Q(channel_txn=""))]
        triggers = guards.append_only()

    def __str__(self) -> str:
        return f"{self.statement_id}: {self.place}"


class Break(Identified):
    """差错: a discrepancy between a statement and our records. Open until it resolves itself or staff resolve it."""

    prefix = "brk"

    class Kind(models.TextChoices):
        MISSING_HERE = "missing_here"
        MISSING_THERE = "missing_there"
        AMOUNT = "amount"
        CURRENCY = "currency"
        DUPLICATE = "duplicate"
        STATUS = "status"
        #: Near the end of the channel's day: expected in the next day's file.
        LATE = "late"

    ABSENT = (Kind.MISSING_THERE, Kind.LATE)
    #: The kinds in which the channel has no successful movement for ours.
    NOT_AT_CHANNEL = (*ABSENT, Kind.STATUS)

    class Resolution(models.TextChoices):
        #: The resolver posted what the channel says.
        BOOKED = "booked"
        #: A later file contains it.
        CAME_LATER = "came_later"
        #: The later file that should contain it does not: a missing_there break replaces this one.
        NEVER_CAME = "never_came"
        #: Decided by staff: the difference was moved to suspense, or there is none.
        SUSPENSE = "suspense"
        NOTHING = "nothing"

    realm = models.ForeignKey(Realm, models.PROTECT, related_name="+")
    channel = models.CharField(max_length=20)
    kind = models.CharField(max_length=13, choices=Kind.choices)
    statement = models.ForeignKey(StatementFile, models.PROTECT, related_name="breaks")
    line = models.ForeignKey(StatementLine, models.PROTECT, null=True, blank=True, related_name="breaks")
    deduction = models.ForeignKey(Deduction, models.PROTECT, null=True, blank=True, related_name="breaks")
    refund_part = models.ForeignKey(RefundPart, models.PROTECT, null=True, blank=True, related_name="breaks")
    #: The amount in the statement and in our ledger; empty where one side has nothing.
    theirs_minor = models.BigIntegerField(null=True, blank=True)
    theirs_currency = models.CharField(max_length=3, blank=True)
    ours_minor = models.BigIntegerField(null=True, blank=True)
    ours_currency = models.CharField(max_length=3, blank=True)
    #: Whether it concerns a refund rather than a deduction.
    refund = models.BooleanField(default=False)
    opened_at = models.DateTimeField()
    #: When the line was handed to the resolver; empty while that is still to do.
    heard_at = models.DateTimeField(null=True, blank=True)
    resolution = models.CharField(max_length=10, choices=Resolution.choices, blank=True)
    closed_because = models.CharField(max_length=200, blank=True)
    closed_by = models.CharField(max_length=80, blank=True)
    closed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["line"], name="a_line_breaks_once", condition=Q(line__isnull=False)),
            models.UniqueConstraint(
                fields=["deduction"],
                name="a_deduction_is_missed_once_at_a_time",
                condition=Q(closed_at__isnull=True, line__isnull=True, deduction__isnull=False),
            ),
            models.UniqueConstraint(
                fields=["refund_part"],
                name="a_part_is_missed_once_at_a_time",
                condition=Q(closed_at__isnull=True, line__isnull=True, refund_part__isnull=False),
            ),
            models.CheckConstraint(
                name="a_break_is_found_in_a_line_or_by_its_absence",
                condition=Q(kind__in=["missing_there", "late"], line__isnull=True, theirs_minor__isnull=True)
                | ~Q(kind__in=["missing_there", "late"]) & Q(line__isnull=False, theirs_minor__isnull=False),
            ),
            models.CheckConstraint(
                name="a_closed_break_has_its_reason",
                condition=Q(closed_at__isnull=True, resolution="", closed_by="")
                | Q(closed_at__isnull=False) & ~Q(resolution="") & ~Q(closed_by=""),
            ),
            models.CheckConstraint(
                name="a_large_break_is_closed_by_two",
                condition=~Q(closed_by__startswith="staff:")
                | Q(closed_by__contains="+")
                | below_dual_approval("theirs_minor", "theirs_currency")
                & below_dual_approval("ours_minor", "ours_currency"),
            ),
        ]
        indexes = [
            models.Index(fields=["realm", "opened_at"], name="breaks_open", condition=Q(closed_at__isnull=True)),
            models.Index(fields=["realm", "id"], name="breaks_to_hear", condition=Q(heard_at__isnull=True)),
        ]

    @property
    def theirs(self) -> Money | None:
        return None if self.theirs_minor is None else Money(self.theirs_minor, self.theirs_currency)

    @property
    def ours(self) -> Money | None:
        return None if self.ours_minor is None else Money(self.ours_minor, self.ours_currency)
