"""Monthly invoices: the fees of a merchant's settlements of a month, under the realm's next invoice number.

An invoice lists every settlement that is on no invoice yet. Each settlement is on one invoice only: the invoice line
has its id. Nothing is to be paid: the fees were deducted from the settlements, and the invoice documents them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from itertools import groupby
from uuid import UUID

from django.db import connection, transaction
from django.db.models import F, Max, QuerySet

from billing.models import Invoice, InvoiceLine
from kernel.bulk_writes import insert_all
from kernel.sweeps import Sweep, process_each, rotating_order
from merchants.models import Merchant
from merchants.rules.cutoff import next_month_end

#: The class of the advisory locks under which a realm's next invoice number is assigned.
NUMBERING = 8
_UNINVOICED_FEES = """
WITH fresh AS (
    SELECT s.id, s.currency, s.period_from FROM billing_settlement s
    WHERE s.merchant_id = %s AND s.period_until <= %s AND s.state <> 'open'
      AND NOT EXISTS (SELECT 1 FROM billing_invoiceline l WHERE l.id = s.id))
SELECT s.id, s.currency, s.period_from, f.charged, f.returned FROM fresh s CROSS JOIN LATERAL (
    SELECT coalesce(sum(-amount_minor) FILTER (WHERE amount_minor < 0), 0)::bigint AS charged,
           coalesce(sum(amount_minor) FILTER (WHERE amount_minor > 0), 0)::bigint AS returned
    FROM billing_settlementline WHERE settlement_id = s.id AND kind = 'fee') f
WHERE f.charged + f.returned > 0 ORDER BY s.currency, s.id
"""


@dataclass(frozen=True, slots=True)
class SettlementFees:
    """The fees of a settlement: charged, and returned with refunds (minor units)."""

    settlement_id: UUID
    currency: str
    period_from: datetime
    charged: int
    returned: int


def issue_due_invoices(realm_id: int, *, at: datetime, limit: int = 100) -> int:
    """Issue the invoices of months that have ended. Returns how many merchants were processed.

    A month waits until its last cut-off is settled.

    Raises:
        Exception: the last failure. Merchants that failed are still due.
    """
    due = _due(Merchant.objects.filter(realm_id=realm_id), at).order_by(rotating_order(at))
    found = list(due.values_list("id", flat=True)[:limit])
    return process_each(found, partial(_invoice_all_months, at=at), event="merchant_not_invoiced")


def _invoice_all_months(merchant_id: UUID, *, at: datetime) -> None:
    while invoice_month(merchant_id, at=at):
        pass


@transaction.atomic
def invoice_month(merchant_id: UUID, *, at: datetime) -> bool:
    """Invoice the merchant's next month, if it has ended and no other process is doing so. Whether it was invoiced."""
    due = _due(Merchant.objects.filter(pk=merchant_id), at)
    merchant = due.select_for_update(skip_locked=True, of=("self",), no_key=True).first()
    if merchant is None:
        return False
    until = merchant.invoices_at
    for currency, rows in groupby(_uninvoiced_fees(merchant, until), key=lambda row: row.currency):
        _create_invoice(merchant, currency, list(rows), until=until, at=at)
    merchant.invoices_at = next_month_end(until, merchant.cutoff_zone, merchant.cutoff_hour)
    merchant.save(update_fields=["invoices_at"])
    return True


def _due(merchants: "QuerySet[Merchant]", at: datetime) -> "QuerySet[Merchant]":
    return merchants.filter(invoices_at__lte=at, settles_at__gt=F("invoices_at"))


def _uninvoiced_fees(merchant: Merchant, until: datetime) -> list[SettlementFees]:
    with connection.cursor() as cursor:
        cursor.execute(_UNINVOICED_FEES, [merchant.id, until])
        return [SettlementFees(*row) for row in cursor.fetchall()]


def _create_invoice(
    merchant: Merchant, currency: str, rows: Sequence[SettlementFees], *, until: datetime, at: datetime
) -> None:
    before = Invoice.objects.filter(merchant=merchant, currency=currency).aggregate(last=Max("period_until"))["last"]
    invoice = Invoice.objects.create(
        realm_id=merchant.realm_id,
        merchant=merchant,
        currency=currency,
        seq=_next_number(merchant.realm_id),
        period_from=before or min(row.period_from for row in rows),
        period_until=until,
        amount_minor=sum(row.charged - row.returned for row in rows),
        issued_at=at,
    )
    insert_all(
        [
            InvoiceLine(
                id=row.settlement_id,
                settlement_id=row.settlement_id,
                charged_minor=row.charged,
                returned_minor=row.returned,
                invoice=invoice,
            )
            for row in rows
        ]
    )


def _next_number(realm_id: int) -> int:
    """The number after the last one. Locks the numbering until the transaction ends, so that numbers have no gaps."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, %s::int)", [NUMBERING, realm_id])
    last = Invoice.objects.filter(realm_id=realm_id).aggregate(last=Max("seq"))["last"]
    return (last or 0) + 1


DUE = Sweep(
    name="invoices",
    process_batch=issue_due_invoices,
    first_due_sql="SELECT min(greatest(invoices_at, settles_at)) FROM merchants_merchant WHERE realm_id = %(realm)s",
    job_name="settle",
    model=Merchant,
    due_column="invoices_at",
)
