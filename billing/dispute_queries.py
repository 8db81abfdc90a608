"""Queries for a merchant's disputes, and the part of each dispute that concerns that merchant."""

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
class OrderShare:
    """An order that the disputed debit paid for, and the amount of it that is shown to its merchant."""

    order: Order
    amount_minor: int


@dataclass(frozen=True, slots=True)
class MerchantDispute:
    """A dispute as one of its merchants sees it: their orders, who bears the loss, and the merchant's answer."""

    dispute: Dispute
    shares: tuple[OrderShare, ...]
    bearer: str
    answer: DisputeAnswer | None

    @property
    def amount(self) -> Money:
        return Money(sum(share.amount_minor for share in self.shares), self.dispute.currency)

    def can_answer(self, *, at: datetime) -> bool:
        """Whether this merchant may still send evidence against it."""
        until = self.dispute.answer_until
        return self.dispute.state == Dispute.State.OPEN and self.answer is None and until is not None and at < until


def disputes_of(merchant_id: UUID, *, state: str | None = None, order_id: UUID | None = None) -> "QuerySet[Dispute]":
    """Disputes of a merchant's orders, or of one order."""
    lines = DisputeLine.objects.filter(merchant_id=merchant_id)
    if order_id is not None:
        lines = lines.filter(order_id=order_id)
    rows = Dispute.objects.filter(pk__in=lines.values("dispute_id"))
    return rows.filter(state=state) if state is not None else rows


def dispute_of(merchant_id: UUID, dispute_id: UUID) -> Dispute:
    """The dispute, if it concerns one of this merchant's orders.

    Raises:
        NotFound: it is missing, or about other merchants' orders only.
    """
    found = disputes_of(merchant_id).filter(pk=dispute_id).first()
    if found is None:
        raise NotFound
    return found


def count_unanswered(merchant_id: UUID, *, at: datetime) -> int:
    """How many disputes wait for this merchant's answer."""
    rows = disputes_of(merchant_id, state=Dispute.State.OPEN).filter(answer_until__gt=at)
    return rows.exclude(answers__merchant_id=merchant_id).count()


def merchant_disputes(merchant_id: UUID, rows: list[Dispute]) -> list[MerchantDispute]:
    """These disputes as the merchant sees them. Takes two queries for all of them."""
    lines: dict[UUID, list[DisputeLine]] = {}
    own_lines = DisputeLine.objects.filter(dispute__in=rows, merchant_id=merchant_id)
    for line in own_lines.select_related("order", "taken__obligation").order_by("id"):
        lines.setdefault(line.dispute_id, []).append(line)
    answers = {row.dispute_id: row for row in DisputeAnswer.objects.filter(dispute__in=rows, merchant_id=merchant_id)}
    return [_build_merchant_dispute(row, lines[row.id], answers.get(row.id)) for row in rows]


def merchant_dispute(merchant_id: UUID, row: Dispute) -> MerchantDispute:
    return merchant_disputes(merchant_id, [row])[0]


def disputes_by_merchant(dispute: Dispute) -> list[MerchantDispute]:
    """A dispute as each of its merchants sees it."""
    lines: dict[UUID, list[DisputeLine]] = {}
    for line in dispute.lines.select_related("order", "taken__obligation").order_by("id"):
        lines.setdefault(line.merchant_id, []).append(line)
    return [_build_merchant_dispute(dispute, merchant_lines, None) for merchant_lines in lines.values()]


def is_for_goods(line: DeductionLine) -> bool:
    """Whether the line paid for goods: a merchant can only be liable for those, not for late fees or advances."""
    return bool(line.obligation.kind == Obligation.Kind.PRINCIPAL)


def _build_merchant_dispute(
    dispute: Dispute, lines: Sequence[DisputeLine], answer: DisputeAnswer | None
) -> MerchantDispute:
    """Sum the lines by order, counting only goods. If nothing was for goods, show every line; the platform bears it."""
    goods_lines = [line for line in lines if is_for_goods(line.taken)]
    shares: dict[UUID, OrderShare] = {}
    for line in goods_lines or lines:
        before = shares[line.order_id].amount_minor if line.order_id in shares else 0
        shares[line.order_id] = OrderShare(line.order, before + line.amount_minor)
    platform_bears = not goods_lines and dispute.bearer == Dispute.Bearer.MERCHANT
    return MerchantDispute(
        dispute, tuple(shares.values()), Dispute.Bearer.PLATFORM if platform_bears else dispute.bearer, answer
    )
