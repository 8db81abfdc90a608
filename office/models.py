"""What the console counts ahead, so that no page of figures reads the rows; what takes two; files; who has what."""

from datetime import datetime
from typing import ClassVar

import pgtrigger
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now
from django_fsm import transition

from accounts.models import LockableQuerySet, User
from kernel import background_files, guards
from kernel.lifecycle import Lifecycle, StateField
from kernel.models import History, Identified, Realm
from merchants.models import Merchant, Service


class Tally(models.Model):
    """How often something happened on one day, and what it came to: for one service, or without a merchant for all.

    Days are those of the console's zone. What `metric` and `key` mean stands in office.queries.streams.
    """

    id = models.BigAutoField(primary_key=True)
    realm = models.ForeignKey(Realm, models.PROTECT, related_name="+", db_index=False)
    merchant = models.ForeignKey(Merchant, models.PROTECT, null=True, blank=True, related_name="+", db_index=False)
    service = models.ForeignKey(Service, models.PROTECT, null=True, blank=True, related_name="+", db_index=False)
    day_on = models.DateField()
    metric = models.CharField(max_length=12)
    key = models.CharField(max_length=60)
    currency = models.CharField(max_length=3, blank=True)
    number = models.PositiveIntegerField()
    amount_minor = models.BigIntegerField()

    class Meta:
        constraints = [
            # In this order it is also the index by which a page finds its days.
            models.UniqueConstraint(
                fields=["realm", "merchant", "day_on", "metric", "key", "service", "currency"],
                name="a_day_is_counted_once_for_each",
                nulls_distinct=False,
            ),
            models.CheckConstraint(
                name="a_tally_is_of_a_service_or_of_all",
                condition=Q(merchant__isnull=True, service__isnull=True)
                | Q(merchant__isnull=False, service__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.day_on} {self.metric} {self.key} {self.number}"


class Counted(models.Model):
    """How far a stream of history was counted. Moved on in the transaction that counts, so nothing counts twice."""

    stream = models.CharField(max_length=20, primary_key=True)
    #: The last line that was looked at: keys are ordered by time.
    last = models.UUIDField(null=True, blank=True)
    #: Until when everything that was written is counted, in real time.
    counted_until = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return self.stream


class ProposalEvent(History):
    """A line of a proposal's history."""

    subject = models.ForeignKey("Proposal", models.PROTECT, related_name="history", db_index=False)


class Proposal(Lifecycle):
    """待复核: what one colleague asked for and another decides. What was asked never changes."""

    prefix = "prp"
    history_model = ProposalEvent
    begins = ("open",)

    class State(models.TextChoices):
        OPEN = "open"
        APPROVED = "approved"
        REFUSED = "refused"
        EXPIRED = "expired"
        WITHDRAWN = "withdrawn"

    #: A kind in kernel.maker_checker.MATTERS, and what it is about: a public id or a name.
    matter = models.CharField(max_length=40)
    about = models.CharField(max_length=80)
    #: What it is about as it stood when this was asked, and what was asked for.
    before = models.JSONField()
    wish = models.JSONField()
    why = models.CharField(max_length=200)
    state = StateField(default=State.OPEN, choices=State.choices, protected=True)
    asked_by = models.CharField(max_length=80)
    asked_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    decided_by = models.CharField(max_length=80, blank=True)
    decided_at = models.DateTimeField(null=True, blank=True)
    #: Why it was decided so, and what came of it.
    because = models.CharField(max_length=200, blank=True)
    outcome = models.CharField(max_length=500, blank=True)
    #: When whoever asked has seen how it was decided.
    seen_at = models.DateTimeField(null=True, blank=True)
    #: A secret that is shown to whoever agrees, on their next page alone: no column keeps it.
    once: str = ""

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(
                name="nobody_decides_what_they_asked_for",
                condition=Q(state="open", decided_by="", decided_at__isnull=True)
                | Q(state__in=["approved", "refused"], decided_at__isnull=False)
                & ~Q(decided_by="")
                & ~Q(decided_by=F("asked_by"))
                | Q(state="withdrawn", decided_at__isnull=False, decided_by=F("asked_by"))
                | Q(state="expired", decided_at__isnull=False, decided_by__startswith="system:"),
            ),
            models.UniqueConstraint(
                fields=["matter", "about"], name="one_proposal_at_a_time", condition=Q(state="open")
            ),
        ]
        indexes = [
            models.Index(fields=["expires_at"], name="proposals_open", condition=Q(state="open")),
            models.Index(
                fields=["asked_by"], name="proposals_unseen", condition=~Q(state="open") & Q(seen_at__isnull=True)
            ),
        ]
        triggers = guards.lifecycle(
            "office_proposalevent",
            frozen=["matter", "about", "before", "wish", "why", "asked_by", "asked_at", "expires_at"],
        )

    @transition(field=state, source=State.OPEN, target=State.APPROVED)
    def approve(self, *, by: str, at: datetime, because: str, outcome: str) -> None:
        self._decide(by, at, because)
        self.outcome = outcome

    @transition(field=state, source=State.OPEN, target=State.REFUSED)
    def refuse(self, *, by: str, at: datetime, because: str) -> None:
        self._decide(by, at, because)

    @transition(field=state, source=State.OPEN, target=State.WITHDRAWN)
    def withdraw(self, *, at: datetime, because: str) -> None:
        self._decide(self.asked_by, at, because)

    @transition(field=state, source=State.OPEN, target=State.EXPIRED)
    def expire(self, *, by: str, at: datetime) -> None:
        self._decide(by, at, "")

    def _decide(self, by: str, at: datetime, because: str) -> None:
        self.decided_by, self.decided_at, self.because = by, at, because


class Listing(background_files.MadeBehind):
    """A list of the console that is too long to be sent at once, made into a file."""

    prefix = "lst"

    class Kind(models.TextChoices):
        CSV = "csv"
        XLSX = "xlsx"

    user = models.ForeignKey(User, models.PROTECT, related_name="+", db_index=False)
    #: Which table, as Django calls it, and how its list was filtered.
    table = models.CharField(max_length=60)
    look = models.TextField(blank=True)
    kind = models.CharField(max_length=4, choices=Kind.choices)
    language = models.CharField(max_length=10)
    #: The key of the last row that was written, and how many there were to write when it was begun, if that is known.
    after = models.CharField(max_length=40, blank=True)
    expected = models.PositiveIntegerField(null=True, blank=True)
    #: What was written so far, as archives count it: `{crc, size, packed}`.
    written = models.JSONField(default=dict, blank=True)
    #: There was more than such a file can hold.
    cut = models.BooleanField(default=False)

    objects = LockableQuerySet["Listing"].as_manager()

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["user"], name="one_file_is_made_at_a_time", condition=Q(next_at__isnull=False)
            ),
            background_files.worked_on_until_over("a_file_that_is_over_is_not_worked_on"),
            background_files.expires_if_made("exactly_a_file_that_is_made_expires"),
        ]
        indexes = [
            models.Index(fields=["user", "-id"], name="files_of_colleague"),
            background_files.due("files_due"),
            background_files.to_empty("files_to_empty"),
        ]

    @property
    def size(self) -> int:
        """How many bytes the list itself comes to."""
        return int(self.written.get("size", 0))

    @property
    def name(self) -> str:
        """What it is called when it is fetched."""
        return f"{self.table.partition('.')[2]}-{self.asked_at:%Y-%m-%d}.{self.kind}"


class ListingPiece(background_files.Piece):
    """A piece of such a file."""

    listing = models.ForeignKey(Listing, models.PROTECT, related_name="contents", db_index=False)
    user = models.ForeignKey(User, models.PROTECT, related_name="+", db_index=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["listing", "number"], name="a_piece_of_a_file_is_written_once"),
        ]

    def __str__(self) -> str:
        return f"{self.listing_id} {self.number}"


class Handling(Identified):
    """经办: who of us sees to something that waits in a queue, and until when. Whether it waits, it says itself."""

    prefix = "hnd"

    #: A name in office.queues.QUEUES, and the key of what it is about.
    queue = models.CharField(max_length=10)
    about = models.UUIDField()
    user = models.ForeignKey(User, models.PROTECT, null=True, blank=True, related_name="+", db_index=False)
    #: Another time than its queue gives it.
    due_at = models.DateTimeField(null=True, blank=True)
    changed_at = models.DateTimeField()

    objects = LockableQuerySet["Handling"].as_manager()

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["queue", "about"], name="what_waits_is_in_one_pair_of_hands"),
        ]
        indexes = [
            models.Index(fields=["user", "queue"], name="handlings_of_colleague", condition=Q(user__isnull=False)),
        ]


class HandlingNote(Identified):
    """What was done about who sees to it, or noted on the way. Append-only."""

    prefix = "hnn"
    append_only: ClassVar[bool] = True
    #: What is emptied when the person it is about leaves.
    erasable: ClassVar[tuple[str, ...]] = ("text",)

    class Act(models.TextChoices):
        TAKEN = "taken"
        HANDED = "handed"
        PUT_BACK = "put_back"
        DUE = "due"
        NOTE = "note"

    handling = models.ForeignKey(Handling, models.PROTECT, related_name="notes")
    act = models.CharField(max_length=8, choices=Act.choices)
    #: Whose it is from then on, and until when.
    user = models.ForeignKey(User, models.PROTECT, null=True, blank=True, related_name="+", db_index=False)
    due_at = models.DateTimeField(null=True, blank=True)
    text = models.CharField(max_length=1000, blank=True)
    by = models.CharField(max_length=80)
    at = models.DateTimeField()
    recorded_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["id"]
        triggers = [
            *guards.only_erased(
                "text", kept=["id", "handling_id", "act", "user_id", "due_at", "by", "at", "recorded_at"]
            ),
            pgtrigger.Trigger(
                name="a_note_says_something",
                when=pgtrigger.Before,
                operation=pgtrigger.Insert,
                func="""
                    IF NEW.text = '' AND (NEW.act = 'note' OR (NEW.act = 'handed' AND NEW.user_id IS NULL)) THEN
                        RAISE EXCEPTION 'a note that says nothing'
                            USING ERRCODE = 'check_violation', TABLE = TG_TABLE_NAME,
                                  CONSTRAINT = 'a_note_says_something';
                    END IF;
                    RETURN NEW;
                """,
            ),
        ]
