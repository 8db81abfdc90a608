"""What people take along, show and leave behind: copies of their data, signed proofs, and requests to be forgotten.

All of it lives in real time, in sandboxes too: files, keys and those who check a proof know no other.
"""

from datetime import datetime

from django.db import models
from django.db.models import F, Q

from accounts.models import LockableQuerySet, Person
from kernel import background_files, encryption
from kernel.models import Identified, Realm
from personal.rules import Packed


class Export(background_files.MadeBehind):
    """A copy of everything that is kept of one person."""

    prefix = "exp"

    realm = models.ForeignKey(Realm, models.PROTECT, related_name="+", db_index=False)
    person = models.ForeignKey(Person, models.PROTECT, related_name="exports", db_index=False)
    #: Which group of tables is being copied, and the key of the last row of it that was.
    step = models.PositiveSmallIntegerField(default=0)
    after = models.CharField(max_length=36, blank=True)
    #: What the archive holds so far: `{name: {rows, crc, size, packed}}`.
    files = models.JSONField(default=dict, blank=True)

    objects = LockableQuerySet["Export"].as_manager()

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["person"], name="one_copy_is_made_at_a_time", condition=Q(next_at__isnull=False)
            ),
            background_files.worked_on_until_over("what_is_over_is_not_worked_on"),
            background_files.expires_if_made("exactly_what_is_made_expires"),
        ]
        indexes = [
            models.Index(fields=["person", "-id"], name="exports_of_person"),
            background_files.due("exports_due"),
            background_files.to_empty("exports_to_empty"),
        ]

    @property
    def packed(self) -> list[Packed]:
        """The files of the archive."""
        return [Packed(name, **about) for name, about in self.files.items()]


class ExportPiece(background_files.Piece):
    """A piece of one file of a copy."""

    export = models.ForeignKey(Export, models.PROTECT, related_name="contents", db_index=False)
    person = models.ForeignKey(Person, models.PROTECT, related_name="+", db_index=False)
    file = models.CharField(max_length=40)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["export", "file", "number"], name="a_piece_is_written_once"),
        ]

    def __str__(self) -> str:
        return f"{self.file} {self.number}"


class Erasure(Identified):
    """A person asked to be forgotten. Until `due_at` they may take it back; then it is done, once nothing is open."""

    prefix = "era"

    realm = models.ForeignKey(Realm, models.PROTECT, related_name="+", db_index=False)
    person = models.ForeignKey(Person, models.PROTECT, related_name="erasures", db_index=False)
    asked_at = models.DateTimeField()
    #: When it is to be done; put off a day at a time while something stands in the way, an hour when that failed.
    due_at = models.DateTimeField()
    #: What stood in the way the last time: names of `personal.rules.HINDRANCES`.
    hindered_by = models.JSONField(default=list, blank=True)
    withdrawn_at = models.DateTimeField(null=True, blank=True)
    erased_at = models.DateTimeField(null=True, blank=True)

    objects = LockableQuerySet["Erasure"].as_manager()

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["person"], name="a_person_asks_once_to_be_forgotten", condition=Q(withdrawn_at__isnull=True)
            ),
            models.CheckConstraint(
                name="what_was_taken_back_is_not_done",
                condition=Q(withdrawn_at__isnull=True) | Q(erased_at__isnull=True),
            ),
            models.CheckConstraint(name="there_is_time_to_take_it_back", condition=Q(due_at__gt=F("asked_at"))),
        ]
        indexes = [
            models.Index(
                fields=["due_at"],
                name="erasures_due",
                condition=Q(withdrawn_at__isnull=True, erased_at__isnull=True),
            ),
        ]

    @property
    def open(self) -> bool:
        return self.withdrawn_at is None and self.erased_at is None


class Proof(Identified):
    """守约证明: facts a person chose, signed by us, that others can check without asking. It ends, or is taken back."""

    prefix = "prf"

    realm = models.ForeignKey(Realm, models.PROTECT, related_name="+", db_index=False)
    person = models.ForeignKey(Person, models.PROTECT, related_name="proofs", db_index=False)
    #: What the statement calls itself: drawn by lot, so that two of one person have nothing in common.
    number = models.CharField(max_length=32, unique=True)
    #: Which facts it holds, by name; what they say stands in the statement alone.
    facts = models.JSONField()
    #: The signed statement; empty once its person has left.
    statement_sealed = models.BinaryField(null=True)
    key_name = models.CharField(max_length=32)
    issued_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True, blank=True)

    objects = LockableQuerySet["Proof"].as_manager()

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(name="a_proof_has_an_end", condition=Q(expires_at__gt=F("issued_at"))),
            models.CheckConstraint(
                name="only_a_revoked_proof_is_empty",
                condition=Q(statement_sealed__isnull=False) | Q(revoked_at__isnull=False),
            ),
        ]
        indexes = [models.Index(fields=["person", "-id"], name="proofs_of_person")]

    def take(self, statement: str) -> None:
        self.statement_sealed = encryption.seal(statement, place=self._place)

    def reveal_statement(self) -> str:
        """The signed statement; empty if its person has left."""
        return "" if self.statement_sealed is None else encryption.unseal(self.statement_sealed, place=self._place)

    def good(self, at: datetime) -> bool:
        return self.revoked_at is None and at < self.expires_at

    @property
    def _place(self) -> str:
        return f"personal.proof.statement:{self.id}"
