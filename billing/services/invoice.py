"""A month has ended for a merchant: the fees of its settlements are put on one paper, under the next number.

Whatever was settled and is on no invoice yet is on this one, each settlement once and for ever: its line has its key.
Nothing is asked for by an invoice. The fees were taken when the settlements were made; it says which and why.
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
from kernel.sweeps import Sweep, each, in_turn
from kernel.writes import insert_all
from merchants.models import Merchant
from merchants.rules.cutoff import next_month

#: The class of the advisory locks under which a realm's next number is given.
NUMBERING = 8
_CHARGED = """
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
class Fees:
    """What a settlement says of fees: charged, and returned with refunds."""

    settlement_id: UUID
    currency: str
    period_from: datetime
    charged: int
    returned: int


def invoice_due(realm_id: int, *, at: datetime, limit: int = 100) -> int:
    """Write the invoices of months that have ended. Returns how many merchants were seen to.

    A month waits until its last cut-off was settled.

    Raises:
        Exception: the last of those that could not be invoiced; they are still due.
    """
    due = _due(Merchant.objects.filter(realm_id=realm_id), at).order_by(in_turn(at))
    found = list(due.values_list("id", flat=True)[:limit])
    return each(found, partial(_invoice_all, at=at), told="merchant_not_invoiced")


def _invoice_all(merchant_id: UUID, *, at: datetime) -> None:
    while invoice_month(merchant_id, at=at):
        pass


@transaction.atomic
def invoice_month(merchant_id: UUID, *, at: datetime) -> bool:
    """See to the merchant's next month, if it has ended and nobody else is at it. Whether it was so."""
    due = _due(Merchant.objects.filter(pk=merchant_id), at)
    merchant = due.select_for_update(skip_locked=True, of=("self",), no_key=True).first()
    if merchant is None:
        return False
    until = merchant.invoices_at
    for currency, rows in groupby(_charged(merchant, until), key=lambda row: row.currency):
        _write(merchant, currency, list(rows), until=until, at=at)
    merchant.invoices_at = next_month(until, merchant.cutoff_zone, merchant.cutoff_hour)
    merchant.save(update_fields=["invoices_at"])
    return True


def _due(merchants: "QuerySet[Merchant]", at: datetime) -> "QuerySet[Merchant]":
    return merchants.filter(invoices_at__lte=at, settles_at__gt=F("invoices_at"))


def _charged(merchant: Merchant, until: datetime) -> list[Fees]:
    with connection.cursor() as cursor:
        cursor.execute(_CHARGED, [merchant.id, until])
        return [Fees(*row) for row in cursor.fetchall()]


def _write(merchant: Merchant, currency: str, rows: Sequence[Fees], *, until: datetime, at: datetime) -> None:
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
    """The number after the last one. Nobody else is given one until this commits; if it does not, nobody had it."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, %s::int)", [NUMBERING, realm_id])
    last = Invoice.objects.filter(realm_id=realm_id).aggregate(last=Max("seq"))["last"]
    return (last or 0) + 1


DUE = Sweep(
    name="invoices",
    act=invoice_due,
    first="SELECT min(greatest(invoices_at, settles_at)) FROM merchants_merchant WHERE realm_id = %(realm)s",
    beat="settle",
    work=Merchant,
    column="invoices_at",
)
