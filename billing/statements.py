"""What settlements say: questions about them and their lines."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import Exists, OuterRef, QuerySet

from billing.models import Case, Invoice, Payout, PayoutAccount, Settlement, SettlementLine
from kernel.refusal import NotFound
from orders.models import Order

_BATCH = 1_000
#: What a bank says of a payout that had arrived.
GONE_BACK = "declined_after_payout"


@dataclass(frozen=True, slots=True)
class Line:
    """A line and the order it is about, where there is one."""

    row: SettlementLine
    order: Order | None


def settlements_of(merchant_id: UUID, *, state: str | None = None) -> "QuerySet[Settlement]":
    """The merchant's settlements, newest first."""
    rows = Settlement.objects.filter(merchant_id=merchant_id).select_related("merchant")
    return rows.filter(state=state) if state is not None else rows


def settlement_of(merchant_id: UUID, settlement_id: UUID) -> Settlement:
    """The merchant's own settlement.

    Raises:
        NotFound: missing, or another merchant's.
    """
    found = settlements_of(merchant_id).filter(pk=settlement_id).first()
    if found is None:
        raise NotFound
    return found


def lines_of(settlement: Settlement) -> "QuerySet[SettlementLine]":
    return SettlementLine.objects.filter(settlement=settlement)


def with_orders(rows: Sequence[SettlementLine]) -> list[Line]:
    """The same lines, each with what it is about: one question for all of them."""
    known = Order.objects.only("id", "out_order_no", "title").in_bulk({row.order_id for row in rows if row.order_id})
    return [Line(row, known.get(row.order_id) if row.order_id else None) for row in rows]


def every_line(settlement: Settlement) -> Iterator[Line]:
    """All of its lines as they were booked, batch by batch, however many there are."""
    last = UUID(int=0)
    while rows := list(lines_of(settlement).filter(pk__gt=last).order_by("pk")[:_BATCH]):
        yield from with_orders(rows)
        last = rows[-1].pk


def first_lines(settlement: Settlement, most: int) -> list[Line]:
    """Its lines as they were booked, no more than so many."""
    return with_orders(list(lines_of(settlement).order_by("pk")[:most]))


def payout_of(settlement: Settlement) -> Payout | None:
    """How it was sent, if it was."""
    return Payout.objects.select_related("account").filter(settlement=settlement).first()


def returned_of(settlement: Settlement) -> Case | None:
    """That its payout came back after it had arrived: the case, where it is not judged or it is owed again."""
    said = Case.objects.filter(
        kind=GONE_BACK, payout__settlement=settlement, resolution__in=["", Case.Resolution.MERCHANT]
    )
    return said.order_by("-id").first()


def carried_into(settlement: Settlement) -> Settlement | None:
    """The later settlement that its net came along into, if it did."""
    return Settlement.objects.filter(lines__earlier=settlement).first()


def debts_of(merchants: Collection[UUID]) -> set[tuple[UUID, str]]:
    """Which of these merchants owe us by a settlement that none has carried yet, and in which currency."""
    carried = SettlementLine.objects.filter(earlier=OuterRef("pk"))
    debts = Settlement.objects.filter(merchant__in=merchants, state=Settlement.State.CLOSED, net_minor__lt=0)
    return set(debts.filter(~Exists(carried)).values_list("merchant_id", "currency"))


def invoices_of(merchant_id: UUID) -> "QuerySet[Invoice]":
    """The merchant's invoices, newest first."""
    return Invoice.objects.filter(merchant_id=merchant_id).select_related("merchant")


def invoice_of(merchant_id: UUID, invoice_id: UUID) -> Invoice:
    """The merchant's own invoice.

    Raises:
        NotFound: missing, or another merchant's.
    """
    found = invoices_of(merchant_id).filter(pk=invoice_id).first()
    if found is None:
        raise NotFound
    return found


def account_of(merchant_id: UUID, account_id: UUID) -> PayoutAccount:
    """The merchant's own payout account, asked for or agreed to.

    Raises:
        NotFound: missing, or another merchant's.
    """
    found = PayoutAccount.objects.filter(merchant=merchant_id, pk=account_id).first()
    if found is None:
        raise NotFound
    return found


def account_in_force(merchant_id: UUID, *, at: datetime) -> PayoutAccount | None:
    """Where the merchant's money is sent at this moment: the latest account that was agreed and has waited its day."""
    agreed = PayoutAccount.objects.filter(merchant=merchant_id, effective_at__lte=at)
    return agreed.order_by("-effective_at", "-id").first()


def account_to_come(merchant_id: UUID, *, at: datetime) -> PayoutAccount | None:
    """The first account that was agreed to and does not count yet."""
    agreed = PayoutAccount.objects.filter(merchant=merchant_id, effective_at__gt=at)
    return agreed.order_by("effective_at", "id").first()


def account_asked(merchant_id: UUID) -> PayoutAccount | None:
    """The one that waits for a second person."""
    return PayoutAccount.objects.filter(merchant=merchant_id, state=PayoutAccount.State.ASKED).first()
