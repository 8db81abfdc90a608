"""Where the lines of a settlement stand in the closed days of the book, so that a merchant can see for themselves."""

from collections.abc import Sequence
from dataclasses import dataclass

from billing.models import Settlement, SettlementLine
from ledger import closing
from ledger.closing import Included
from ledger.models import ClosedDay, Posting

#: So many closed days follow the first one, if there are as many: whoever noted a digest finds it again.
DAYS_SHOWN = 100


@dataclass(frozen=True, slots=True)
class ProvedLine:
    """A line, and where its posting stands; nothing while that day is open, or where the line has no posting."""

    row: SettlementLine
    place: Included | None


def proved(settlement: Settlement, rows: Sequence[SettlementLine]) -> list[ProvedLine]:
    """These lines of the settlement, each with its place."""
    keys = [row.posting_id for row in rows if row.posting_id]
    postings = list(Posting.objects.filter(pk__in=keys).values_list("id", "at"))
    places = closing.included(settlement.realm_id, settlement.merchant_id, postings)
    return [ProvedLine(row, places.get(row.posting_id) if row.posting_id else None) for row in rows]


def days_since(settlement: Settlement, lines: Sequence[ProvedLine]) -> list[ClosedDay]:
    """The closed days from the first in which one of these lines stands, each following the one before it."""
    first = min((line.place.day.covers_on for line in lines if line.place), default=None)
    if first is None:
        return []
    days = ClosedDay.objects.filter(realm_id=settlement.realm_id, covers_on__gte=first).order_by("covers_on")
    last = max(line.place.day.covers_on for line in lines if line.place)
    needed = days.filter(covers_on__lte=last).count()
    return list(days[: max(needed, DAYS_SHOWN)])
