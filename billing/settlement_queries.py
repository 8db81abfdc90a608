"""Queries for settlements, their lines, invoices and payout accounts."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import Exists, OuterRef, QuerySet

from billing.models import Case, Invoice, Payout, PayoutAccount, Settlement, SettlementLine
from kernel.refusal import NotFound
from orders.models import Order

_BATCH = 1_000
#: Kind of the case of a payout that had arrived and that the bank later sent back.
PAYOUT_RETURNED = "declined_after_payout"


@dataclass(frozen=True, slots=True)
class Line:
    """A settlement line and its order, if it has one."""

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


def attach_orders(rows: Sequence[SettlementLine]) -> list[Line]:
    """These lines with their orders, loaded in one query."""
    known = Order.objects.only("id", "out_order_no", "title").in_bulk({row.order_id for row in rows if row.order_id})
    return [Line(row, known.get(row.order_id) if row.order_id else None) for row in rows]


def iterate_lines(settlement: Settlement) -> Iterator[Line]:
    """All lines in the order they were posted, loaded in batches."""
    last = UUID(int=0)
    while rows := list(lines_of(settlement).filter(pk__gt=last).order_by("pk")[:_BATCH]):
        yield from attach_orders(rows)
        last = rows[-1].pk


def first_lines(settlement: Settlement, limit: int) -> list[Line]:
    """The first `limit` lines in the order they were posted."""
    return attach_orders(list(lines_of(settlement).order_by("pk")[:limit]))


def payout_of(settlement: Settlement) -> Payout | None:
    """The payout of the settlement, if there is one."""
    return Payout.objects.select_related("account").filter(settlement=settlement).first()


def payout_return_of(settlement: Settlement) -> Case | None:
    """The case that says its payout came back after arriving, if still open or closed as owed to the merchant again."""
    cases = Case.objects.filter(
        kind=PAYOUT_RETURNED, payout__settlement=settlement, resolution__in=["", Case.Resolution.MERCHANT]
    )
    return cases.order_by("-id").first()


def settlement_carrying(settlement: Settlement) -> Settlement | None:
    """The later settlement into which its net amount was carried over, if any."""
    return Settlement.objects.filter(lines__earlier=settlement).first()


def merchants_in_debt(merchants: Collection[UUID]) -> set[tuple[UUID, str]]:
    """Which of these merchants owe us, by a negative settlement that is not carried over yet, and in which currency."""
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


def payout_account_of(merchant_id: UUID, account_id: UUID) -> PayoutAccount:
    """The merchant's own payout account, requested or approved.

    Raises:
        NotFound: missing, or another merchant's.
    """
    found = PayoutAccount.objects.filter(merchant=merchant_id, pk=account_id).first()
    if found is None:
        raise NotFound
    return found


def effective_payout_account(merchant_id: UUID, *, at: datetime) -> PayoutAccount | None:
    """Where the merchant's money is sent now: the latest approved account whose waiting day has passed."""
    approved = PayoutAccount.objects.filter(merchant=merchant_id, effective_at__lte=at)
    return approved.order_by("-effective_at", "-id").first()


def upcoming_payout_account(merchant_id: UUID, *, at: datetime) -> PayoutAccount | None:
    """The next approved account that is not in effect yet."""
    approved = PayoutAccount.objects.filter(merchant=merchant_id, effective_at__gt=at)
    return approved.order_by("effective_at", "id").first()


def requested_payout_account(merchant_id: UUID) -> PayoutAccount | None:
    """The account that waits for a second person's approval."""
    return PayoutAccount.objects.filter(merchant=merchant_id, state=PayoutAccount.State.ASKED).first()
