"""What services may say of debts that are late is a policy: what other terms would have changed."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection

from kernel.models import LIVE
from kernel.money import BPS, Money
from merchants.rules import LateBounds

#: So many services, and so many orders of so many days, are looked at, the newest first.
SAMPLE_MAX, LOOKED_BACK = 5_000, timedelta(days=30)

_SERVICES = """
SELECT count(*), count(*) FILTER (
    WHERE grace < %(grace)s OR late_fee_daily_bps > %(daily)s OR late_fee_cap_bps > %(cap)s)
FROM (SELECT s.* FROM merchants_service s JOIN merchants_merchant m ON m.id = s.merchant_id
      WHERE m.realm_id = %(realm)s AND s.state = 'active' ORDER BY s.id DESC LIMIT %(most)s) looked
"""
# Of each order that would have begun under kinder terms, each debt that cost a late fee: for how many days it did, how
# many of those would have been grace (the person's midnights between the end of the one and that of the other), and
# what a day came to. Where the cap had stopped it, a day is taken to be on all that was owed, as if nothing had been
# paid of it meanwhile: so rather too little is said to be saved than too much.
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
class Kinder:
    """Of so many services how many ask for more; of so many orders how many would have begun under kinder terms."""

    services: int
    asking: int
    orders: int
    kinder: int
    #: In each currency: the late fees that accrued on those, and what of them would not have.
    fees: Sequence[tuple[Money, Money]]


def foresee_late_terms(bounds: LateBounds, *, at: datetime) -> Kinder:
    """What these terms mean for the live world's services, and would have for its orders of the last thirty days.

    Fees are reckoned as if what was owed had stayed the same for as long as they accrued; what stood still for a
    reason is not looked into.
    """
    given: dict[str, Any] = {
        "realm": LIVE,
        "most": SAMPLE_MAX,
        "since": at - LOOKED_BACK,
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
    return Kinder(services, asking, rows[0][0], rows[0][1], fees)
