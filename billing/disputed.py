"""What channels took back of a merchant's orders: questions about disputes, and a merchant's part of each."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import QuerySet

from billing.models import DeductionLine, Dispute, DisputeAnswer, DisputeLine
from kernel.money import Money
from kernel.refusal import NotFound
from orders.models import Obligation, Order


@dataclass(frozen=True, slots=True)
class Share:
    """An order that was paid by the debit, and how much of it its merchant is told of."""

    order: Order
    amount_minor: int


@dataclass(frozen=True, slots=True)
class Part:
    """A dispute as one of its merchants sees it: their orders, who bears them, and what they said."""

    dispute: Dispute
    shares: tuple[Share, ...]
    bearer: str
    answer: DisputeAnswer | None

    @property
    def amount(self) -> Money:
        return Money(sum(share.amount_minor for share in self.shares), self.dispute.currency)

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
    of_mine = DisputeLine.objects.filter(dispute__in=rows, merchant_id=merchant_id)
    for line in of_mine.select_related("order", "taken__obligation").order_by("id"):
        lines.setdefault(line.dispute_id, []).append(line)
    said = {row.dispute_id: row for row in DisputeAnswer.objects.filter(dispute__in=rows, merchant_id=merchant_id)}
    return [_part(row, lines[row.id], said.get(row.id)) for row in rows]


def part_of(merchant_id: UUID, row: Dispute) -> Part:
    return parts_of(merchant_id, [row])[0]


def parts_in(row: Dispute) -> list[Part]:
    """A dispute as each of its merchants sees it."""
    lines: dict[UUID, list[DisputeLine]] = {}
    for line in row.lines.select_related("order", "taken__obligation").order_by("id"):
        lines.setdefault(line.merchant_id, []).append(line)
    return [_part(row, theirs, None) for theirs in lines.values()]


def for_goods(line: DeductionLine) -> bool:
    """Whether it paid for what was bought: that much a merchant can bear. Late fees and our advances are ours."""
    return bool(line.obligation.kind == Obligation.Kind.PRINCIPAL)


def _part(row: Dispute, lines: Sequence[DisputeLine], answer: DisputeAnswer | None) -> Part:
    """Each order once, with what of it was for goods. Where nothing was, all is told, and the merchant bears none."""
    goods = [line for line in lines if for_goods(line.taken)]
    shares: dict[UUID, Share] = {}
    for line in goods or lines:
        before = shares[line.order_id].amount_minor if line.order_id in shares else 0
        shares[line.order_id] = Share(line.order, before + line.amount_minor)
    ours = not goods and row.bearer == Dispute.Bearer.MERCHANT
    return Part(row, tuple(shares.values()), Dispute.Bearer.PLATFORM if ours else row.bearer, answer)
