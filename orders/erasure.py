"""Erasure of personal data in orders: texts and notes go; that they existed, and decisions, are kept."""

from uuid import UUID

from kernel.bulk_writes import redact_json
from kernel.guards import REDACTED_TEXT
from orders.models import Message, ObligationEvent, OrderEvent


def erase_messages(person_id: UUID) -> int:
    """Empty the texts of all messages about the person's concerns. Returns how many."""
    return Message.objects.filter(person_id=person_id).exclude(text="").update(text="")


def redact_order_notes(person_id: UUID) -> int:
    """Redact staff's notes in the history of the person's orders and debts. Returns how many."""
    events = OrderEvent.objects.filter(subject__person_id=person_id, data__has_key="note")
    write_offs = ObligationEvent.objects.filter(
        subject__person_id=person_id, kind="written_off", data__has_key="reason"
    )
    return redact_json(events, "data", {"note": REDACTED_TEXT}) + redact_json(
        write_offs, "data", {"reason": REDACTED_TEXT}
    )
