"""A merchant's day is cut off: what was booked for them by then becomes a settlement, and each line is in one for ever.

The book says what is owed, and nothing else is asked. Whoever settles a merchant holds their row, so one comes after
the other; and each line has the key of its posting, so none can be settled twice even so.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Exists, Max, OuterRef, Q, QuerySet

from billing import rules
from billing.models import Settlement, SettlementLine
from billing.services.unsettled import FIRST_MOMENT, HELD, IN_ORDER, NEXT_UNSETTLED, RELEASED, ask_of, first_moment
from billing.standing import move_standing
from kernel.actor import Actor
from kernel.money import Money
from kernel.sweeps import Sweep, each, in_turn
from kernel.writes import insert_all
from ledger import rules as book
from ledger import services as ledger
from ledger.models import Posting
from merchants.models import Merchant
from merchants.rules.cutoff import next_cutoff

SETTLER = Actor.system("settle")
#: Lines are written so many at a time: one statement stays well below its time limit, on a slow day too.
LINES_AT_ONCE = 5_000
_TAKE = f"""
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
    """Cut off the accounts whose time has come, missed days in their order. Returns how many merchants were seen to.

    Raises:
        Exception: the last of those who could not be settled; they are still due.
    """
    due = Merchant.objects.filter(realm_id=realm_id, settles_at__lte=at).order_by(in_turn(at))
    found = list(due.values_list("id", flat=True)[:limit])
    return each(found, partial(_settle_all, at=at), told="merchant_not_settled")


def _settle_all(merchant_id: UUID, *, at: datetime) -> None:
    while settle_next(merchant_id, at=at):
        pass


@transaction.atomic
def settle_next(merchant_id: UUID, *, at: datetime) -> bool:
    """See to the merchant's next cut-off, if it has come and nobody else is at it. Whether another one has come.

    Days on which there is nothing to settle are passed over in one step.
    """
    due = Merchant.objects.filter(pk=merchant_id, settles_at__lte=at)
    merchant = due.select_for_update(skip_locked=True, of=("self",), no_key=True).first()
    if merchant is None:
        return False
    cut = merchant.settles_at
    ((first,),) = FIRST_MOMENT.rows(merchant.id, merchant.settled_below or UUID(int=0))
    if first is not None and first < cut:
        for currency in _currencies(merchant, cut):
            _settle(merchant, currency, cut, at=at)
        merchant.settled_below = _all_settled_below(merchant)
        move_standing(merchant, merchant.settled_below)
        merchant.settles_at = next_cutoff(cut, merchant.cutoff_zone, merchant.cutoff_hour)
    else:
        empty_until = at if first is None else min(first, at)
        merchant.settles_at = next_cutoff(max(cut, empty_until), merchant.cutoff_zone, merchant.cutoff_hour)
    merchant.save(update_fields=["settles_at", "settled_below"])
    return merchant.settles_at <= at


def _currencies(merchant: Merchant, cut: datetime) -> list[str]:
    """In which currencies there is something to settle. A debt alone makes no settlement: it waits for one."""
    found = ask_of(merchant, "SELECT DISTINCT u.currency FROM ({}) u WHERE u.at < %(cut)s", cut=cut)
    back = {row.currency for row in _uncarried(merchant) if row.net_minor > 0}
    over = _holding(merchant).filter(held_until__lte=cut).values_list("currency", flat=True)
    return sorted({currency for (currency,) in found} | back | set(over))


def _settle(merchant: Merchant, currency: str, cut: datetime, *, at: datetime) -> None:
    latest = Settlement.objects.filter(merchant=merchant, currency=currency).aggregate(end=Max("period_until"))["end"]
    settlement = Settlement(
        realm_id=merchant.realm_id,
        merchant=merchant,
        currency=currency,
        period_from=latest or merchant.created_at,
        period_until=cut,
        created_at=at,
    )
    settlement.record("opened", by=SETTLER, at=at)
    sums, since = _Sums({}), merchant.settled_below or UUID(int=0)
    with connection.cursor() as cursor:
        cursor.execute(IN_ORDER)
    while True:
        taken, since = _taken(settlement, since)
        if sums.take(taken) < LINES_AT_ONCE:
            break
    sums.take(_carry(settlement, at=at))
    sums.take(_release(settlement, at=at))
    sums.take(_hold(settlement, merchant, sums, at=at))
    for kind, column in _COLUMNS.items():
        setattr(settlement, column, sums.of.get(kind, 0))
    settlement.net_minor, settlement.lines_count = sum(sums.of.values()), sums.lines
    settlement.close(pay_at=at if settlement.net_minor > 0 else None)
    settlement.record("closed", by=SETTLER, at=at, net=settlement.net_minor, lines=settlement.lines_count)


_COLUMNS = {
    SettlementLine.Kind.GROSS: "gross_minor",
    SettlementLine.Kind.FEE: "fees_minor",
    SettlementLine.Kind.REFUND: "refunds_minor",
    SettlementLine.Kind.ADJUSTMENT: "adjustments_minor",
    SettlementLine.Kind.RESERVE: "reserve_minor",
    SettlementLine.Kind.CARRIED: "carried_minor",
}


@dataclass(slots=True)
class _Sums:
    """What the lines so far come to, by kind, and how many they are."""

    of: dict[str, int]
    lines: int = 0

    def take(self, more: Mapping[str, tuple[int, int]]) -> int:
        """Add these; how many lines they were."""
        for kind, (_count, minor) in more.items():
            self.of[kind] = self.of.get(kind, 0) + minor
        count = sum(count for count, _minor in more.values())
        self.lines += count
        return count


def _taken(settlement: Settlement, since: UUID) -> tuple[dict[str, tuple[int, int]], UUID]:
    """The next lines from the book, written in one statement, and the last of them: the next ones come after it."""
    rows = ask_of(
        settlement.merchant,
        _TAKE,
        below=since,
        settlement=settlement.id,
        currency=settlement.currency,
        cut=settlement.period_until,
        most=LINES_AT_ONCE,
    )
    connection.check_constraints()  # else the commit would check a million lines at once, within one time limit
    taken = {kind: (count, minor) for kind, count, minor, _last in rows}
    return taken, max((last for *_, last in rows), default=since)


def _carry(settlement: Settlement, *, at: datetime) -> dict[str, tuple[int, int]]:
    """Debts, and what could not be paid out, come along from the settlements before."""
    rows = [row for row in _uncarried(settlement.merchant) if row.currency == settlement.currency]
    kind = SettlementLine.Kind.CARRIED
    return _written(
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


def _release(settlement: Settlement, *, at: datetime) -> dict[str, tuple[int, int]]:
    """What was held back long enough is theirs again: booked once, by the settlement that held it."""
    over = _holding(settlement.merchant).filter(currency=settlement.currency, held_until__lte=settlement.period_until)
    owed, held = book.payable(settlement.merchant_id), book.reserve(settlement.merchant_id)
    facts = [
        ledger.Fact(row.id, RELEASED, [book.Move(held, owed, Money(row.held_minor, row.currency))])
        for row in over.order_by("id")
    ]
    return _booked(settlement, facts, 1, at=at)


def _hold(settlement: Settlement, merchant: Merchant, sums: _Sums, *, at: datetime) -> dict[str, tuple[int, int]]:
    """A share of what came in is held back, never more than there is to pay."""
    came_in = Money(max(sums.of.get(SettlementLine.Kind.GROSS, 0), 0), settlement.currency)
    most = Money(max(sum(sums.of.values()), 0), settlement.currency)
    share = min(came_in.bps(merchant.reserve_bps), most)
    if not share:
        return {}
    settlement.held_minor = share.minor
    settlement.held_until = settlement.period_until + timedelta(days=merchant.reserve_days)
    move = book.Move(book.payable(merchant.id), book.reserve(merchant.id), share)
    return _booked(settlement, [ledger.Fact(settlement.id, HELD, [move])], -1, at=at)


def _booked(settlement: Settlement, facts: list[ledger.Fact], sign: int, *, at: datetime) -> dict[str, tuple[int, int]]:
    """Post what the settlement itself moves, and take the lines in."""
    kind = SettlementLine.Kind.RESERVE
    postings: list[Posting] = ledger.post(facts, realm_id=settlement.realm_id, at=at)
    return _written(
        [
            SettlementLine(
                id=one.id,
                merchant_id=settlement.merchant_id,
                settlement=settlement,
                kind=kind,
                posting=one,
                amount_minor=sign * one.amount_minor,
                at=at,
            )
            for one in postings
        ]
    )


def _written(lines: list[SettlementLine]) -> dict[str, tuple[int, int]]:
    insert_all(lines)
    return {lines[0].kind: (len(lines), sum(line.amount_minor for line in lines))} if lines else {}


def _uncarried(merchant: Merchant) -> "QuerySet[Settlement]":
    """Settlements whose net is still on the merchant's balance: debts, what came back or goes along with a debt."""
    carried = SettlementLine.objects.filter(earlier=OuterRef("pk"))
    left = Q(state__in=[Settlement.State.FAILED, Settlement.State.CARRIED]) | Q(
        state=Settlement.State.CLOSED, net_minor__lt=0
    )
    return Settlement.objects.filter(left, ~Exists(carried), merchant=merchant).order_by("id")


def _holding(merchant: Merchant) -> "QuerySet[Settlement]":
    """Settlements that still hold something back."""
    given = Posting.objects.filter(cause_id=OuterRef("pk"), kind=RELEASED)
    return Settlement.objects.filter(~Exists(given), merchant=merchant, held_minor__gt=0)


def _all_settled_below(merchant: Merchant) -> UUID:
    """From where on to look the next time. A posting that is not committed yet was given its key within a day."""
    before = merchant.settled_below or UUID(int=0)
    ends = [key for (key,) in ask_of(merchant, "SELECT u.id FROM ({}) u ORDER BY u.id LIMIT 1")]
    owner = Q(credit_owner=merchant.id, credit_account="payable") | Q(debit_owner=merchant.id, debit_account="payable")
    newest = Posting.objects.filter(owner, id__gte=before).order_by("-id").values_list("id", flat=True)
    ends += [rules.day_before(latest) for latest in newest[:1]]
    return max(before, min(ends, default=before))


#: Of whoever has nothing to settle nothing is due before their month ends: empty days are passed over then.
_WAITS = first_moment("m.id", f"coalesce(m.settled_below, '{UUID(int=0)}')")
_FIRST = f"""
SELECT min(greatest(m.settles_at, coalesce({_WAITS}, m.invoices_at))) FROM merchants_merchant m
WHERE m.realm_id = %(realm)s"""  # noqa: S608  our own names
DUE = Sweep(
    name="settle",
    act=settle_due,
    first=_FIRST,
    work=Merchant,
    column="settles_at",
)
