"""Erasure of a person's billing data: instruments with their tokens and bank names, returns, evidence."""

from datetime import datetime
from uuid import UUID

from django.db import transaction

from billing.models import Dispute, DisputeAnswer, Instrument, InstrumentChange, Return
from billing.models.instruments import ERASED_PREFIX
from kernel.actor import Actor
from kernel.bulk_writes import update_all
from kernel.guards import REDACTED_TEXT
from merchants.rules.events import REDACTED_DATA
from merchants.services.events import redact_return_events

#: Replaces the label, which names the bank.
ERASED_LABEL = "***"


def lock_instruments(person_id: UUID) -> list[Instrument]:
    """Lock all instruments of a person: no deduction from them begins until the transaction ends."""
    return list(Instrument.objects.select_for_update().filter(person_id=person_id).order_by("pk"))


def erase_return_details(person_id: UUID) -> int:
    """Erase tracking numbers and free-text reasons of the person's returns, also in events. Returns how many."""
    rows = Return.objects.filter(person_id=person_id)
    redact_return_events(rows.values_list("order_id", flat=True))
    return rows.update(**REDACTED_DATA)


def erase_evidence(person_id: UUID) -> int:
    """Erase the evidence in disputes of the person's deductions: the merchants', and what was sent to the channel.

    Returns how many disputes had some.
    """
    answers = DisputeAnswer.objects.filter(dispute__person_id=person_id)
    answers.update(**dict.fromkeys(DisputeAnswer.erasable, REDACTED_TEXT))
    contested = Dispute.objects.filter(person_id=person_id).exclude(evidence="")
    return contested.update(evidence=REDACTED_TEXT)


@transaction.atomic
def erase_instruments(person_id: UUID, *, by: Actor, at: datetime) -> None:
    """Remove all instruments, including the wallet. The caller has checked that nothing is owed or in flight."""
    rows = lock_instruments(person_id)
    InstrumentChange.objects.bulk_create(
        InstrumentChange(instrument=row, person_id=person_id, verb=InstrumentChange.Verb.REMOVED, by=str(by), at=at)
        for row in rows
        if row.state != Instrument.State.REMOVED
    )
    for row in rows:
        row.state, row.token, row.label, row.name = (
            Instrument.State.REMOVED,
            f"{ERASED_PREFIX}{row.id.hex}",
            ERASED_LABEL,
            "",
        )
    update_all(rows, ["state", "token", "label", "name"])
