"""Daily settlements: at a merchant's cut-off, what was posted for them until then becomes a settlement.

Amounts come from the ledger alone. The merchant's row is locked meanwhile, so that settlements are made one after the
other. A settlement line has the id of its posting, so that none can be settled twice.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Exists, Max, OuterRef, Q, QuerySet

from billing import rules
from billing.merchant_balances import roll_balances_forward
from billing.models import Settlement, SettlementLine
from billing.services.unsettled_postings import (
    FIRST_UNSETTLED,
    HELD,
    KEEP_INDEX_ORDER,
    NEXT_UNSETTLED,
    RELEASED,
    first_unsettled_sql,
    query_unsettled,
)
from kernel.actor import Actor
from kernel.bulk_writes import insert_all
from kernel.money import Money
from kernel.sweeps import Sweep, process_each, rotating_order
from ledger import accounts as book
from ledger import services as ledger
from ledger.models import Posting
from merchants.models import Merchant
from merchants.rules.cutoff import next_cutoff

SETTLEMENT_ACTOR = Actor.system("settle")
#: Lines inserted by one SQL statement, so that it stays well below the time limit, on a slow day too.
LINES_PER_STATEMENT = 5_000
_INSERT_LINES = f"""
WITH taken AS (
    INSERT INTO billing_settlementline (id, merchant_id, settlement_id, kind, posting_id, order_id, amount_minor, at)
    SELECT u.id, %(merchant)s, %(settlement)s, CASE
        WHEN u.other = 'fees' THEN 'fee'
        WHEN u.kind IN ('refund_asked', 'refund_failed', 'return_confirmed') THEN 'refund'
        WHEN u.kind IN ('completed', 'collected', 'recovered') THEN 'gross'
        ELSE 'adjustment' END, u.id, u.order_id, u.signed, u.at
    FROM ({NEXT_UNSETTLED}) u ORDER BY u.id LIMIT %(most)s
    RETURNING id, kind, amount_minor)
SELECT kind, count(*), sum(amount_minor)::bigint, (array_agg(id ORDER BY id DESC))[1] FROM taken GROUP BY kind
"""  # noqa: S608  our own names


def settle_due(realm_id: int, *, at: datetime, limit: int = 100) -> int:
    """Settle the merchants whose cut-off is due, missed days in order. Returns how many were processed.

    Raises:
        Exception: the last failure. Merchants that failed are still due.
    """
    due = Merchant.objects.filter(realm_id=realm_id, settles_at__lte=at).order_by(rotating_order(at))
    found = list(due.values_list("id", flat=True)[:limit])
    return process_each(found, partial(_settle_all_days, at=at), event="merchant_not_settled")


def _settle_all_days(merchant_id: UUID, *, at: datetime) -> None:
    while settle_next_cutoff(merchant_id, at=at):
        pass


@transaction.atomic
def settle_next_cutoff(merchant_id: UUID, *, at: datetime) -> bool:
    """Settle the merchant's next cut-off, if it is due and no other process does so. Whether another one is due.

    Days without anything to settle are skipped in one step.
    """
    due = Merchant.objects.filter(pk=merchant_id, settles_at__lte=at)
    merchant = due.select_for_update(skip_locked=True, of=("self",), no_key=True).first()
    if merchant is None:
        return False
    cutoff = merchant.settles_at
    ((first,),) = FIRST_UNSETTLED.rows(merchant.id, merchant.settled_below or UUID(int=0))
    if first is not None and first < cutoff:
        for currency in _currencies_to_settle(merchant, cutoff):
            _create_settlement(merchant, currency, cutoff, at=at)
        merchant.settled_below = _next_settled_below(merchant)
        roll_balances_forward(merchant, merchant.settled_below)
        merchant.settles_at = next_cutoff(cutoff, merchant.cutoff_zone, merchant.cutoff_hour)
    else:
        empty_until = at if first is None else min(first, at)
        merchant.settles_at = next_cutoff(max(cutoff, empty_until), merchant.cutoff_zone, merchant.cutoff_hour)
    merchant.save(update_fields=["settles_at", "settled_below"])
    return merchant.settles_at <= at


def _currencies_to_settle(merchant: Merchant, cutoff: datetime) -> list[str]:
    """The currencies in which there is something to settle. A debt alone makes no settlement; it waits for the next."""
    found = query_unsettled(merchant, "SELECT DISTINCT u.currency FROM ({}) u WHERE u.at < %(cut)s", cut=cutoff)
    carried_over = {row.currency for row in _uncarried_settlements(merchant) if row.net_minor > 0}
    reserves_due = _holding_reserve(merchant).filter(held_until__lte=cutoff).values_list("currency", flat=True)
    return sorted({currency for (currency,) in found} | carried_over | set(reserves_due))


def _create_settlement(merchant: Merchant, currency: str, cutoff: datetime, *, at: datetime) -> None:
    latest = Settlement.objects.filter(merchant=merchant, currency=currency).aggregate(end=Max("period_until"))["end"]
    settlement = Settlement(
        realm_id=merchant.realm_id,
        merchant=merchant,
        currency=currency,
        period_from=latest or merchant.created_at,
        period_until=cutoff,
        created_at=at,
    )
    settlement.record("opened", by=SETTLEMENT_ACTOR, at=at)
    totals, since = _Totals({}), merchant.settled_below or UUID(int=0)
    with connection.cursor() as cursor:
        cursor.execute(KEEP_INDEX_ORDER)
    while True:
        added, since = _insert_ledger_lines(settlement, since)
        if totals.add(added) < LINES_PER_STATEMENT:
            break
    totals.add(_carry_over(settlement, at=at))
    totals.add(_release_reserve(settlement, at=at))
    totals.add(_hold_reserve(settlement, merchant, totals, at=at))
    for kind, column in _TOTAL_FIELDS.items():
        setattr(settlement, column, totals.by_kind.get(kind, 0))
    settlement.net_minor, settlement.lines_count = sum(totals.by_kind.values()), totals.lines
    settlement.close(pay_at=at if settlement.net_minor > 0 else None)
    settlement.record("closed", by=SETTLEMENT_ACTOR, at=at, net=settlement.net_minor, lines=settlement.lines_count)


_TOTAL_FIELDS = {
    SettlementLine.Kind.GROSS: "gross_minor",
    SettlementLine.Kind.FEE: "fees_minor",
    SettlementLine.Kind.REFUND: "refunds_minor",
    SettlementLine.Kind.ADJUSTMENT: "adjustments_minor",
    SettlementLine.Kind.RESERVE: "reserve_minor",
    SettlementLine.Kind.CARRIED: "carried_minor",
}


@dataclass(slots=True)
class _Totals:
    """Totals of the lines so far, by kind (minor units), and the number of lines."""

    by_kind: dict[str, int]
    lines: int = 0

    def add(self, more: Mapping[str, tuple[int, int]]) -> int:
        """Add totals of further lines, given as count and amount by kind. Returns how many lines were added."""
        for kind, (_count, minor) in more.items():
            self.by_kind[kind] = self.by_kind.get(kind, 0) + minor
        count = sum(count for count, _minor in more.values())
        self.lines += count
        return count


def _insert_ledger_lines(settlement: Settlement, since: UUID) -> tuple[dict[str, tuple[int, int]], UUID]:
    """Insert the next lines from the ledger in one statement. Returns their totals and the id of the last one."""
    rows = query_unsettled(
        settlement.merchant,
        _INSERT_LINES,
        below=since,
        settlement=settlement.id,
        currency=settlement.currency,
        cut=settlement.period_until,
        most=LINES_PER_STATEMENT,
    )
    connection.check_constraints()  # else the commit would check a million lines at once, within one time limit
    totals = {kind: (count, minor) for kind, count, minor, _last in rows}
    return totals, max((last for *_, last in rows), default=since)


def _carry_over(settlement: Settlement, *, at: datetime) -> dict[str, tuple[int, int]]:
    """Carry over debts and failed payouts of earlier settlements."""
    rows = [row for row in _uncarried_settlements(settlement.merchant) if row.currency == settlement.currency]
    kind = SettlementLine.Kind.CARRIED
    return _insert_lines(
        [
            SettlementLine(
                merchant_id=row.merchant_id,
                settlement=settlement,
                kind=kind,
                earlier=row,
                amount_minor=row.net_minor,
                at=at,
            )
            for row in rows
        ]
    )


def _release_reserve(settlement: Settlement, *, at: datetime) -> dict[str, tuple[int, int]]:
    """Release reserves whose time is over: posted once for each settlement that held one."""
    due = _holding_reserve(settlement.merchant).filter(
        currency=settlement.currency, held_until__lte=settlement.period_until
    )
    payable, reserve = book.payable(settlement.merchant_id), book.reserve(settlement.merchant_id)
    entries = [
        ledger.JournalEntry(row.id, RELEASED, [book.Move(reserve, payable, Money(row.held_minor, row.currency))])
        for row in due.order_by("id")
    ]
    return _post_reserve(settlement, entries, 1, at=at)


def _hold_reserve(
    settlement: Settlement, merchant: Merchant, totals: _Totals, *, at: datetime
) -> dict[str, tuple[int, int]]:
    """Hold back a share of what was credited as reserve, but never more than the net amount."""
    credited = Money(max(totals.by_kind.get(SettlementLine.Kind.GROSS, 0), 0), settlement.currency)
    available = Money(max(sum(totals.by_kind.values()), 0), settlement.currency)
    share = min(credited.bps(merchant.reserve_bps), available)
    if not share:
        return {}
    settlement.held_minor = share.minor
    settlement.held_until = settlement.period_until + timedelta(days=merchant.reserve_days)
    move = book.Move(book.payable(merchant.id), book.reserve(merchant.id), share)
    return _post_reserve(settlement, [ledger.JournalEntry(settlement.id, HELD, [move])], -1, at=at)


def _post_reserve(
    settlement: Settlement, entries: list[ledger.JournalEntry], sign: int, *, at: datetime
) -> dict[str, tuple[int, int]]:
    """Post reserve moves of the settlement and insert them as its lines. Lines have the sign `sign`."""
    kind = SettlementLine.Kind.RESERVE
    postings: list[Posting] = ledger.post(entries, realm_id=settlement.realm_id, at=at)
    return _insert_lines(
        [
            SettlementLine(
                id=posting.id,
                merchant_id=settlement.merchant_id,
                settlement=settlement,
                kind=kind,
                posting=posting,
                amount_minor=sign * posting.amount_minor,
                at=at,
            )
            for posting in postings
        ]
    )


def _insert_lines(lines: list[SettlementLine]) -> dict[str, tuple[int, int]]:
    insert_all(lines)
    return {lines[0].kind: (len(lines), sum(line.amount_minor for line in lines))} if lines else {}


def _uncarried_settlements(merchant: Merchant) -> "QuerySet[Settlement]":
    """Settlements whose net is still on the merchant's balance: debts, failed payouts, and those to carry over."""
    carried = SettlementLine.objects.filter(earlier=OuterRef("pk"))
    on_balance = Q(state__in=[Settlement.State.FAILED, Settlement.State.CARRIED]) | Q(
        state=Settlement.State.CLOSED, net_minor__lt=0
    )
    return Settlement.objects.filter(on_balance, ~Exists(carried), merchant=merchant).order_by("id")


def _holding_reserve(merchant: Merchant) -> "QuerySet[Settlement]":
    """Settlements whose reserve is not released yet."""
    released = Posting.objects.filter(cause_id=OuterRef("pk"), kind=RELEASED)
    return Settlement.objects.filter(~Exists(released), merchant=merchant, held_minor__gt=0)


def _next_settled_below(merchant: Merchant) -> UUID:
    """The posting id from which to look next time. Postings that are not committed yet got their ids within a day."""
    before = merchant.settled_below or UUID(int=0)
    ends = [key for (key,) in query_unsettled(merchant, "SELECT u.id FROM ({}) u ORDER BY u.id LIMIT 1")]
    owner = Q(credit_owner=merchant.id, credit_account="payable") | Q(debit_owner=merchant.id, debit_account="payable")
    newest = Posting.objects.filter(owner, id__gte=before).order_by("-id").values_list("id", flat=True)
    ends += [rules.key_one_day_before(latest) for latest in newest[:1]]
    return max(before, min(ends, default=before))


#: A merchant with nothing to settle is not due before their month ends; empty days are skipped then.
_FIRST_UNSETTLED_SQL = first_unsettled_sql("m.id", f"coalesce(m.settled_below, '{UUID(int=0)}')")
_FIRST_DUE_SQL = f"""
SELECT min(greatest(m.settles_at, coalesce({_FIRST_UNSETTLED_SQL}, m.invoices_at))) FROM merchants_merchant m
WHERE m.realm_id = %(realm)s"""  # noqa: S608  our own names
DUE = Sweep(
    name="settle",
    process_batch=settle_due,
    first_due_sql=_FIRST_DUE_SQL,
    model=Merchant,
    due_column="settles_at",
)
