"""Copies of personal data, signed proofs, and erasure requests.

All of it uses real time, in sandboxes too, because files, keys and verifiers know no sandbox clock.
"""

from datetime import datetime

from django.db import models
from django.db.models import F, Q

from accounts.models import LockableQuerySet, Person
from kernel import background_files, encryption
from kernel.models import Identified, Realm
from personal.rules import ArchiveFile


class Export(background_files.BackgroundFile):
    """A copy of all data about one person."""

    prefix = "exp"

    realm = models.ForeignKey(Realm, models.PROTECT, related_name="+", db_index=False)
    person = models.ForeignKey(Person, models.PROTECT, related_name="exports", db_index=False)
    #: The index of the table being copied, and the key of its last copied row.
    step = models.PositiveSmallIntegerField(default=0)
    after = models.CharField(max_length=36, blank=True)
    #: The files written so far: `{name: {rows, crc, size, packed}}`.
    files = models.JSONField(default=dict, blank=True)

    objects = LockableQuerySet["Export"].as_manager()

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["person"], name="one_copy_is_made_at_a_time", condition=Q(next_at__isnull=False)
            ),
            background_files.one_outcome_constraint("what_is_over_is_not_worked_on"),
            background_files.expiry_constraint("exactly_what_is_made_expires"),
        ]
        indexes = [
            models.Index(fields=["person", "-id"], name="exports_of_person"),
            background_files.due_index("exports_due"),
            background_files.expired_index("exports_to_empty"),
        ]

    @property
    def archive_files(self) -> list[ArchiveFile]:
        """The files of the archive."""
        return [ArchiveFile(name, **about) for name, about in self.files.items()]


class ExportPiece(background_files.FilePiece):
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
    """A person's request to erase their data. Until `due_at` they may withdraw it; then it is executed once nothing
    blocks it.
    """

    prefix = "era"

    realm = models.ForeignKey(Realm, models.PROTECT, related_name="+", db_index=False)
    person = models.ForeignKey(Person, models.PROTECT, related_name="erasures", db_index=False)
    asked_at = models.DateTimeField()
    #: When it is executed; postponed by a day while something blocks it, by an hour after a failure.
    due_at = models.DateTimeField()
    #: What blocked it the last time: names of `personal.rules.ERASURE_BLOCKERS`.
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
    def is_open(self) -> bool:
        return self.withdrawn_at is None and self.erased_at is None


class Proof(Identified):
    """守约证明: facts chosen by a person and signed by us; anybody can verify them. It expires or is revoked."""

    prefix = "prf"

    realm = models.ForeignKey(Realm, models.PROTECT, related_name="+", db_index=False)
    person = models.ForeignKey(Person, models.PROTECT, related_name="proofs", db_index=False)
    #: The id inside the statement; random, so that two proofs of one person cannot be linked.
    number = models.CharField(max_length=32, unique=True)
    #: The names of the facts; their values are only in the statement.
    facts = models.JSONField()
    #: The signed statement; empty once the person's data was erased.
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

    def seal_statement(self, statement: str) -> None:
        self.statement_sealed = encryption.seal(statement, place=self._seal_context)

    def reveal_statement(self) -> str:
        """The signed statement; empty if the person's data was erased."""
        return (
            "" if self.statement_sealed is None else encryption.unseal(self.statement_sealed, place=self._seal_context)
        )

    def is_valid(self, at: datetime) -> bool:
        return self.revoked_at is None and at < self.expires_at

    @property
    def _seal_context(self) -> str:
        return f"personal.proof.statement:{self.id}"
