"""Daily tallies for reports, proposals for dual approval, list exports, and assignment of work queue items."""

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
    """Count and amount of one kind of event on one day, for one service or (without a merchant) for all.

    Days are in the console's time zone. `metric` and `key` are defined in office.queries.streams.
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
            # The field order also makes it the index that report pages use.
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
    """How far a stream has been counted; advanced in the counting transaction, so that nothing is counted twice."""

    stream = models.CharField(max_length=20, primary_key=True)
    #: Key of the last row that was counted; keys are ordered by time.
    last = models.UUIDField(null=True, blank=True)
    #: Up to when all written rows are counted, in real time.
    counted_until = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return self.stream


class ProposalEvent(History):
    """An event in a proposal's history."""

    subject = models.ForeignKey("Proposal", models.PROTECT, related_name="history", db_index=False)


class Proposal(Lifecycle):
    """待复核: an action that one colleague requests and another decides. The request never changes."""

    prefix = "prp"
    history_model = ProposalEvent
    initial_states = ("open",)

    class State(models.TextChoices):
        OPEN = "open"
        APPROVED = "approved"
        REFUSED = "refused"
        EXPIRED = "expired"
        WITHDRAWN = "withdrawn"

    #: A name in kernel.maker_checker.APPROVAL_TYPES, and its subject: a public id or a name.
    matter = models.CharField(max_length=40)
    about = models.CharField(max_length=80)
    #: A snapshot of the subject when requested, and the requested form fields.
    before = models.JSONField()
    wish = models.JSONField()
    why = models.CharField(max_length=200)
    state = StateField(default=State.OPEN, choices=State.choices, protected=True)
    asked_by = models.CharField(max_length=80)
    asked_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    decided_by = models.CharField(max_length=80, blank=True)
    decided_at = models.DateTimeField(null=True, blank=True)
    #: The reason of the decision, and the result of the action.
    because = models.CharField(max_length=200, blank=True)
    outcome = models.CharField(max_length=500, blank=True)
    #: When the requester saw the decision.
    seen_at = models.DateTimeField(null=True, blank=True)
    #: A secret shown once to the approver, on their next page; not stored.
    secret_once: str = ""
    #: What came of it after its transaction, shown once to the approver; not stored.
    result_once: str = ""
    is_done: bool = True

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
            frozen_columns=["matter", "about", "before", "wish", "why", "asked_by", "asked_at", "expires_at"],
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


class Listing(background_files.BackgroundFile):
    """An export of a console list that is too long for a direct download."""

    prefix = "lst"

    class Kind(models.TextChoices):
        CSV = "csv"
        XLSX = "xlsx"

    user = models.ForeignKey(User, models.PROTECT, related_name="+", db_index=False)
    #: The model label, and the list's filter as a query string.
    table = models.CharField(max_length=60)
    look = models.TextField(blank=True)
    kind = models.CharField(max_length=4, choices=Kind.choices)
    language = models.CharField(max_length=10)
    #: The key of the last written row, and the expected number of rows if it could be counted in time.
    after = models.CharField(max_length=40, blank=True)
    expected = models.PositiveIntegerField(null=True, blank=True)
    #: CRC, size and compressed size of what is written so far: `{crc, size, packed}`.
    written = models.JSONField(default=dict, blank=True)
    #: The list had more rows than such a file can hold.
    cut = models.BooleanField(default=False)

    objects = LockableQuerySet["Listing"].as_manager()

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["user"], name="one_file_is_made_at_a_time", condition=Q(next_at__isnull=False)
            ),
            background_files.one_outcome_constraint("a_file_that_is_over_is_not_worked_on"),
            background_files.expiry_constraint("exactly_a_file_that_is_made_expires"),
        ]
        indexes = [
            models.Index(fields=["user", "-id"], name="files_of_colleague"),
            background_files.due_index("files_due"),
            background_files.expired_index("files_to_empty"),
        ]

    @property
    def size(self) -> int:
        """Uncompressed size in bytes."""
        return int(self.written.get("size", 0))

    @property
    def name(self) -> str:
        """The file name for download."""
        return f"{self.table.partition('.')[2]}-{self.asked_at:%Y-%m-%d}.{self.kind}"


class ListingPiece(background_files.FilePiece):
    """A piece of an export's file."""

    listing = models.ForeignKey(Listing, models.PROTECT, related_name="contents", db_index=False)
    user = models.ForeignKey(User, models.PROTECT, related_name="+", db_index=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["listing", "number"], name="a_piece_of_a_file_is_written_once"),
        ]

    def __str__(self) -> str:
        return f"{self.listing_id} {self.number}"


class Handling(Identified):
    """经办: assignee and deadline of a queue item. Whether the item is open is not stored here."""

    prefix = "hnd"

    #: A name in office.queues.QUEUES, and the key of the item.
    queue = models.CharField(max_length=10)
    about = models.UUIDField()
    user = models.ForeignKey(User, models.PROTECT, null=True, blank=True, related_name="+", db_index=False)
    #: A deadline that replaces the queue's default one.
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
    """A change of assignee or deadline, or a note. Append-only."""

    prefix = "hnn"
    append_only: ClassVar[bool] = True
    #: Emptied when the data of the item's person is erased.
    erasable: ClassVar[tuple[str, ...]] = ("text",)

    class Act(models.TextChoices):
        TAKEN = "taken"
        HANDED = "handed"
        PUT_BACK = "put_back"
        DUE = "due"
        NOTE = "note"

    handling = models.ForeignKey(Handling, models.PROTECT, related_name="notes")
    act = models.CharField(max_length=8, choices=Act.choices)
    #: The new assignee and deadline.
    user = models.ForeignKey(User, models.PROTECT, null=True, blank=True, related_name="+", db_index=False)
    due_at = models.DateTimeField(null=True, blank=True)
    text = models.CharField(max_length=1000, blank=True)
    by = models.CharField(max_length=80)
    at = models.DateTimeField()
    recorded_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["id"]
        triggers = [
            *guards.append_only_but_erasable(
                "text", protected=["id", "handling_id", "act", "user_id", "due_at", "by", "at", "recorded_at"]
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
