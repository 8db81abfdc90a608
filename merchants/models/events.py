"""Events for merchants, in a feed order into which no late commit can insert."""

from typing import Any, ClassVar, Self
from uuid import UUID

from django.db import models
from django.db.models import F, Func, Q
from django.db.models.functions import Now

from kernel import guards
from kernel.models import Identified, Realm
from merchants.models.tenant import Merchant
from merchants.rules.events import REDACTED_DATA, RETURN_EVENT_PREFIX


class TransactionIdField(models.Field):  # type: ignore[type-arg]  # not generic at run time
    """PostgreSQL's xid8: the id of the transaction that wrote a row. Ids only grow and are never reused."""

    def db_type(self, connection: Any) -> str:
        del connection
        return "xid8"

    def get_prep_value(self, value: Any) -> Any:
        return str(value) if isinstance(value, int) else value

    def from_db_value(self, value: Any, _expression: Any, _connection: Any) -> int | None:
        return None if value is None else int(value)


class ThisTransaction(Func):
    """The id of the transaction that writes the row."""

    function = "pg_current_xact_id"
    output_field = TransactionIdField()


class OldestRunningTransactionId(Func):
    """The oldest transaction with an id that still runs: all older ones are committed and visible, or rolled back."""

    template = "pg_snapshot_xmin(pg_current_snapshot())"
    output_field = TransactionIdField()


class AssignedTransactionId(Func):
    """The id of this transaction, or NULL if it has not written anything: it sees its own rows."""

    function = "pg_current_xact_id_if_assigned"
    output_field = TransactionIdField()


class EventQuerySet(models.QuerySet["Event"]):
    def stable(self) -> Self:
        """Events before which no other event can appear any more. Events of a transaction that still runs, and all
        events written since it began, are left out until it has ended.
        """
        return self.filter(Q(xact__lt=OldestRunningTransactionId()) | Q(xact=AssignedTransactionId()))

    def newest_first(self) -> Self:
        return self.order_by("-xact", "-id")

    def oldest_first(self) -> Self:
        return self.order_by("xact", "id")

    def after(self, xact: int, key: UUID) -> Self:
        """Events after this position in the feed."""
        return self.filter(Q(xact__gte=xact) & (Q(xact__gt=xact) | Q(pk__gt=key)))

    def before(self, xact: int, key: UUID) -> Self:
        """Events before this position in the feed."""
        return self.filter(Q(xact__lte=xact) & (Q(xact__lt=xact) | Q(pk__lt=key)))


class Event(Identified):
    """Something that a merchant is notified of: written in the same transaction as the fact, replayable for ever."""

    prefix = "evt"
    append_only: ClassVar[bool] = True
    #: A person's own words about a return are redacted when the person is erased; nothing else ever changes.
    erasable: ClassVar[tuple[str, ...]] = ("data",)

    realm = models.ForeignKey(Realm, models.PROTECT, related_name="+")
    merchant = models.ForeignKey(Merchant, models.PROTECT, related_name="events", db_index=False)
    type = models.CharField(max_length=40)
    #: What the event is about: an order, an agreement … `sequence` counts the events of a subject without gaps.
    subject_id = models.UUIDField()
    sequence = models.PositiveIntegerField()
    data = models.JSONField(default=dict)
    at = models.DateTimeField()
    recorded_at = models.DateTimeField(db_default=Now())
    #: The position in the feed is (xact, id): ids are made before their transaction ends, so with ids alone an event
    #: that was committed late would appear before a reader's cursor.
    xact = TransactionIdField(db_default=ThisTransaction(), editable=False)
    #: The API request that caused it, if one did.
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
        triggers = guards.append_only_but_redactable(
            "data",
            REDACTED_DATA,
            where=f"OLD.type LIKE '{RETURN_EVENT_PREFIX}%'",
            protected=[
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
