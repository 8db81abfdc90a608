"""Inclusion proofs: where a settlement's lines are in the closed days of the ledger, for merchants to verify."""

from collections.abc import Sequence
from dataclasses import dataclass

from billing.models import Settlement, SettlementLine
from ledger import closing
from ledger.closing import InclusionProof
from ledger.models import ClosedDay, Posting

#: At least this many closed days are returned from the first one on, so that a digest noted earlier is among them.
DAYS_SHOWN = 100


@dataclass(frozen=True, slots=True)
class ProvedLine:
    """A settlement line and the place of its posting. `place` is None while that day is open, or without a posting."""

    row: SettlementLine
    place: InclusionProof | None


def prove_lines(settlement: Settlement, rows: Sequence[SettlementLine]) -> list[ProvedLine]:
    """These lines of the settlement, each with its place in a closed day."""
    posting_ids = [row.posting_id for row in rows if row.posting_id]
    postings = list(Posting.objects.filter(pk__in=posting_ids).values_list("id", "at"))
    places = closing.inclusion_proofs(settlement.realm_id, settlement.merchant_id, postings)
    return [ProvedLine(row, places.get(row.posting_id) if row.posting_id else None) for row in rows]


def closed_days_since(settlement: Settlement, lines: Sequence[ProvedLine]) -> list[ClosedDay]:
    """Consecutive closed days, starting with the first that contains one of these lines."""
    first = min((line.place.day.covers_on for line in lines if line.place), default=None)
    if first is None:
        return []
    days = ClosedDay.objects.filter(realm_id=settlement.realm_id, covers_on__gte=first).order_by("covers_on")
    last = max(line.place.day.covers_on for line in lines if line.place)
    needed = days.filter(covers_on__lte=last).count()
    return list(days[: max(needed, DAYS_SHOWN)])
