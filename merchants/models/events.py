"""What merchants are told, in an order that no late commit can slip into."""

from typing import Any, ClassVar, Self
from uuid import UUID

from django.db import models
from django.db.models import F, Func, Q
from django.db.models.functions import Now

from kernel import guards
from kernel.models import Identified, Realm
from merchants.models.tenant import Merchant
from merchants.rules.events import BLOTTED, RETURNS


class TransactionIdField(models.Field):  # type: ignore[type-arg]  # not generic at run time
    """PostgreSQL's xid8: which transaction wrote a row. It only grows, and is never used again."""

    def db_type(self, connection: Any) -> str:
        del connection
        return "xid8"

    def get_prep_value(self, value: Any) -> Any:
        return str(value) if isinstance(value, int) else value

    def from_db_value(self, value: Any, _expression: Any, _connection: Any) -> int | None:
        return None if value is None else int(value)


class ThisTransaction(Func):
    """The transaction that is writing."""

    function = "pg_current_xact_id"
    output_field = TransactionIdField()


class OldestRunning(Func):
    """The oldest transaction that has begun to write and not ended: every older one is seen whole, or never was."""

    template = "pg_snapshot_xmin(pg_current_snapshot())"
    output_field = TransactionIdField()


class OwnTransaction(Func):
    """This transaction, if it has written anything: it sees what it wrote itself."""

    function = "pg_current_xact_id_if_assigned"
    output_field = TransactionIdField()


class EventQuerySet(models.QuerySet["Event"]):
    def told(self) -> Self:
        """Those before which nothing can appear any more: what a transaction that still runs may yet commit, and all
        that was written since that transaction began, is shown when it has ended.
        """
        return self.filter(Q(xact__lt=OldestRunning()) | Q(xact=OwnTransaction()))

    def newest_first(self) -> Self:
        return self.order_by("-xact", "-id")

    def oldest_first(self) -> Self:
        return self.order_by("xact", "id")

    def after(self, xact: int, key: UUID) -> Self:
        """Those that stand after this place in the feed."""
        return self.filter(Q(xact__gte=xact) & (Q(xact__gt=xact) | Q(pk__gt=key)))

    def before(self, xact: int, key: UUID) -> Self:
        """Those that stand before it."""
        return self.filter(Q(xact__lte=xact) & (Q(xact__lt=xact) | Q(pk__lt=key)))


class Event(Identified):
    """What a merchant must hear of: written with the fact itself, replayable for ever."""

    prefix = "evt"
    append_only: ClassVar[bool] = True
    #: What a person said of a return of theirs is blotted out when they leave; nothing else of it ever changes.
    erasable: ClassVar[tuple[str, ...]] = ("data",)

    realm = models.ForeignKey(Realm, models.PROTECT, related_name="+")
    merchant = models.ForeignKey(Merchant, models.PROTECT, related_name="events", db_index=False)
    type = models.CharField(max_length=40)
    #: What it is about: an order, an agreement … `sequence` counts its events without gaps.
    subject_id = models.UUIDField()
    sequence = models.PositiveIntegerField()
    data = models.JSONField(default=dict)
    at = models.DateTimeField()
    recorded_at = models.DateTimeField(db_default=Now())
    #: Its place in the feed is (xact, id): a key is made before its transaction ends, so keys alone would let an event
    #: that was committed late appear where a reader has already been.
    xact = TransactionIdField(db_default=ThisTransaction(), editable=False)
    #: The request that caused it, where one did.
    request_id = models.CharField(max_length=40, blank=True, default="")

    objects = EventQuerySet.as_manager()

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["subject_id", "sequence"], name="events_of_a_subject_are_numbered"),
            models.CheckConstraint(name="events_count_from_one", condition=Q(sequence__gte=1)),
        ]
        indexes = [
            models.Index(F("merchant"), F("xact"), F("id"), name="event_feed"),
            models.Index(F("merchant"), F("type"), F("xact"), F("id"), name="event_feed_of_type"),
        ]
        triggers = guards.only_blotted(
            "data",
            BLOTTED,
            where=f"OLD.type LIKE '{RETURNS}%'",
            kept=[
                "id",
                "realm_id",
                "merchant_id",
                "type",
                "subject_id",
                "sequence",
                "at",
                "recorded_at",
                "xact",
                "request_id",
            ],
        )
