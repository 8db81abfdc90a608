"""What channels took back of a merchant's orders: questions about disputes, and a merchant's part of each."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import QuerySet

from billing.models import Dispute, DisputeAnswer, DisputeLine
from kernel.money import Money
from kernel.refusal import NotFound


@dataclass(frozen=True, slots=True)
class Part:
    """A dispute as one of its merchants sees it: their orders, and what they said."""

    dispute: Dispute
    lines: tuple[DisputeLine, ...]
    answer: DisputeAnswer | None

    @property
    def amount(self) -> Money:
        return Money(sum(line.amount_minor for line in self.lines), self.dispute.currency)

    def answerable(self, *, at: datetime) -> bool:
        """Whether this merchant may still say something against it."""
        until = self.dispute.answer_until
        return self.dispute.state == Dispute.State.OPEN and self.answer is None and until is not None and at < until


def disputes_of(merchant_id: UUID, *, state: str | None = None, order_id: UUID | None = None) -> "QuerySet[Dispute]":
    """What was taken back of a merchant's orders, or of one of them."""
    lines = DisputeLine.objects.filter(merchant_id=merchant_id)
    if order_id is not None:
        lines = lines.filter(order_id=order_id)
    rows = Dispute.objects.filter(pk__in=lines.values("dispute_id"))
    return rows.filter(state=state) if state is not None else rows


def dispute_of(merchant_id: UUID, dispute_id: UUID) -> Dispute:
    """The dispute, if anything of it is about this merchant's orders.

    Raises:
        NotFound: missing, or about other merchants' orders only.
    """
    found = disputes_of(merchant_id).filter(pk=dispute_id).first()
    if found is None:
        raise NotFound
    return found


def unanswered_of(merchant_id: UUID, *, at: datetime) -> int:
    """How many wait for this merchant's answer."""
    rows = disputes_of(merchant_id, state=Dispute.State.OPEN).filter(answer_until__gt=at)
    return rows.exclude(answers__merchant_id=merchant_id).count()


def parts_of(merchant_id: UUID, rows: list[Dispute]) -> list[Part]:
    """The same disputes, each with what of it is this merchant's: two questions for all of them."""
    lines: dict[UUID, list[DisputeLine]] = {}
    of_mine = DisputeLine.objects.filter(dispute__in=rows, merchant_id=merchant_id).select_related("order")
    for line in of_mine.order_by("id"):
        lines.setdefault(line.dispute_id, []).append(line)
    said = {row.dispute_id: row for row in DisputeAnswer.objects.filter(dispute__in=rows, merchant_id=merchant_id)}
    return [Part(row, tuple(lines[row.id]), said.get(row.id)) for row in rows]


def part_of(merchant_id: UUID, row: Dispute) -> Part:
    return parts_of(merchant_id, [row])[0]
