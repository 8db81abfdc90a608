"""The policy for late fee terms: preview what other bounds would change."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection

from kernel.models import LIVE
from kernel.money import BPS, Money
from merchants.rules import LateBounds

#: How many services, and how many orders of how many days, the preview looks at, newest first.
SAMPLE_MAX, LOOKBACK = 5_000, timedelta(days=30)

_SERVICES = """
SELECT count(*), count(*) FILTER (
    WHERE grace < %(grace)s OR late_fee_daily_bps > %(daily)s OR late_fee_cap_bps > %(cap)s)
FROM (SELECT s.* FROM merchants_service s JOIN merchants_merchant m ON m.id = s.merchant_id
      WHERE m.realm_id = %(realm)s AND s.state = 'active' ORDER BY s.id DESC LIMIT %(most)s) looked
"""
# For each order that would have opened on more lenient terms, each debt with a late fee: on how many days it accrued,
# how many of those would have been days of grace (the person's midnights between the two ends of grace), and the fee
# per day. If the cap had stopped the fee, each day is taken to be on all that was owed, as if nothing had been paid
# meanwhile: so the savings are underestimated rather than overestimated.
_ORDERS = """
WITH looked AS (
    SELECT id, person_id, currency, grace, late_fee_daily_bps AS daily, late_fee_cap_bps AS cap, opened_at,
           coalesce(total_minor, 0)::numeric AS total
    FROM orders_order WHERE realm_id = %(realm)s ORDER BY id DESC LIMIT %(most)s
), began AS (
    SELECT *, least(daily, %(daily)s) AS new_daily, least(cap, %(cap)s) AS new_cap,
           greatest(grace, %(grace)s) AS new_grace,
           grace < %(grace)s OR daily > %(daily)s OR cap > %(cap)s AS kinder
    FROM looked WHERE opened_at >= %(since)s
), debts AS (
    SELECT o.id, o.currency, o.total, o.daily, o.cap, o.new_daily, o.new_cap, b.amount_minor::numeric AS owed,
           b.fee_units::numeric AS units,
           greatest(b.overdue_days - b.grace_days,
                    ceil(b.fee_units / nullif(b.amount_minor::numeric * o.daily, 0)))::numeric AS days,
           ((b.due_at + o.new_grace) AT TIME ZONE p.zone)::date
           - ((b.due_at + o.grace) AT TIME ZONE p.zone)::date AS later
    FROM began o JOIN orders_obligation b ON b.order_id = o.id JOIN accounts_person p ON p.id = o.person_id
    WHERE o.kinder AND b.kind = 'principal' AND b.fee_units > 0
), fees AS (
    SELECT id, currency, sum(div(units, %(bps)s)) AS fee, round(total * new_cap / %(bps)s) AS most,
           sum(ceil(units / %(bps)s)) >= round(total * cap / %(bps)s) AS capped,
           sum(div(units * greatest(days - later, 0) * new_daily, nullif(days * daily, 0) * %(bps)s)) AS as_charged,
           sum(div(owed * greatest(days - later, 0) * new_daily, %(bps)s)) AS as_owed
    FROM debts GROUP BY id, currency, total, cap, new_cap
)
SELECT (SELECT count(*) FROM began), (SELECT count(*) FROM began WHERE kinder), f.* FROM (SELECT 1) always LEFT JOIN (
    SELECT currency, sum(fee)::bigint,
           sum(greatest(0, fee - least(most, CASE WHEN capped THEN as_owed ELSE as_charged END)))::bigint
    FROM fees GROUP BY currency ORDER BY currency) f ON true
"""


@dataclass(frozen=True, slots=True)
class LateTermsPreview:
    """How many services ask for more than the bounds allow, and how many orders would have opened on more lenient
    terms.
    """

    services: int
    asking: int
    orders: int
    kinder: int
    #: By currency: the late fees that accrued on those orders, and the part that would not have.
    fees: Sequence[tuple[Money, Money]]


def preview_late_terms(bounds: LateBounds, *, at: datetime) -> LateTermsPreview:
    """What these bounds mean for services in live mode, and would have meant for orders of the last thirty days.

    Assumes that the amount owed was constant while fees accrued, and ignores pauses.
    """
    given: dict[str, Any] = {
        "realm": LIVE,
        "most": SAMPLE_MAX,
        "since": at - LOOKBACK,
        "bps": BPS,
        "grace": bounds.grace_least,
        "daily": bounds.daily_bps_most,
        "cap": bounds.cap_bps_most,
    }
    with connection.cursor() as cursor:
        cursor.execute(_SERVICES, given)
        services, asking = cursor.fetchone()
        cursor.execute(_ORDERS, given)
        rows = cursor.fetchall()
    fees = [(Money(fee, currency), Money(less, currency)) for *_counts, currency, fee, less in rows if currency]
    return LateTermsPreview(services, asking, rows[0][0], rows[0][1], fees)
