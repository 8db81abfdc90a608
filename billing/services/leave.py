"""Somebody leaves: what they paid from is removed, and with it whatever could take money or say which bank it was."""

from datetime import datetime
from uuid import UUID

from django.db import transaction

from billing.models import Instrument, InstrumentChange, Return
from billing.models.instruments import GONE
from kernel.actor import Actor
from kernel.writes import update_all
from merchants.rules.events import BLOTTED
from merchants.services.events import blot_returns

#: What stands where a bank's name stood.
NAMELESS = "***"


def lock_instruments(person_id: UUID) -> list[Instrument]:
    """No deduction begins from any of them until the transaction ends."""
    return list(Instrument.objects.select_for_update().filter(person_id=person_id).order_by("pk"))


def forget_parcels(person_id: UUID) -> int:
    """By which parcels something was sent back, and why in the person's own words. How many those were.

    Their merchants' events say it no more either.
    """
    rows = Return.objects.filter(person_id=person_id)
    blot_returns(rows.values_list("order_id", flat=True))
    return rows.update(**BLOTTED)


@transaction.atomic
def forget_instruments(person_id: UUID, *, by: Actor, at: datetime) -> None:
    """The wallet too. Nothing may be owed or under way: whoever calls this has looked."""
    rows = lock_instruments(person_id)
    InstrumentChange.objects.bulk_create(
        InstrumentChange(instrument=row, person_id=person_id, verb=InstrumentChange.Verb.REMOVED, by=str(by), at=at)
        for row in rows
        if row.state != Instrument.State.REMOVED
    )
    for row in rows:
        row.state, row.token, row.label, row.name = Instrument.State.REMOVED, f"{GONE}{row.id.hex}", NAMELESS, ""
    update_all(rows, ["state", "token", "label", "name"])
