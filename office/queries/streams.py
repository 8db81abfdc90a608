"""Streams of history rows that are counted into tallies. The same SQL counts the rows and lists them behind a figure.

A stream is an append-only table with time-ordered keys. Its SQL yields facts: time, realm, merchant and service,
`metric` and `key` it counts as, amount, and the row it is about.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from office.rules import ATTEMPT_MAX, RECOVERY_DAYS


@dataclass(frozen=True, slots=True)
class Stream:
    """One history table and the SQL of its facts, with keys from `%(after)s` (exclusive) to `%(upto)s` (inclusive)."""

    name: str
    table: str
    metrics: tuple[str, ...]
    sql: str


#: Orders by new state, with their ceiling or total.
_ORDERS = """
SELECT e.id, e.at, o.realm_id, o.merchant_id, o.service_id, 'order' AS metric,
       CASE e.kind WHEN 'eased' THEN e.kind ELSE e.target END AS key, o.currency,
       CASE WHEN e.target IN ('created', 'open') THEN o.ceiling_minor ELSE coalesce(o.total_minor, 0) END AS minor,
       'ord' AS kind, o.id AS about
FROM orders_orderevent e JOIN orders_order o ON o.id = e.subject_id
WHERE e.source <> e.target AND e.id > %(after)s AND e.id <= %(upto)s
"""
#: Credit decisions by outcome, and each reason of declined ones.
_DECISIONS = """
SELECT e.id, e.at, e.realm_id, e.merchant_id, a.service_id, v.metric, v.key, '' AS currency, 0::bigint AS minor,
       'dec' AS kind, e.id AS about
FROM credit_decision e JOIN credit_agreement a ON a.id = e.agreement_id
CROSS JOIN LATERAL (
    SELECT 'decision' AS metric, e.occasion || CASE WHEN e.approved THEN ':approved' ELSE ':refused' END AS key
    UNION ALL SELECT 'refusal', jsonb_array_elements_text(e.reasons) WHERE NOT e.approved) v
WHERE e.id > %(after)s AND e.id <= %(upto)s
"""
#: Results of deductions, once for each obligation they cover.
_DEDUCTIONS = f"""
SELECT e.id, e.at, d.realm_id, o.merchant_id, o.service_id, v.metric, v.key, d.currency, l.amount_minor AS minor,
       'ded' AS kind, d.id AS about
FROM billing_deductionevent e JOIN billing_deduction d ON d.id = e.subject_id
JOIN billing_deductionline l ON l.deduction_id = d.id JOIN orders_order o ON o.id = l.order_id
CROSS JOIN LATERAL (VALUES
    ('attempt', least(l.attempt, {ATTEMPT_MAX}) || ':' || e.target),
    ('channel', d.channel || ':' || e.target),
    ('failure', CASE WHEN e.target = 'failed' THEN d.failure_code END)) v (metric, key)
WHERE e.source <> e.target AND e.target IN ('succeeded', 'failed', 'not_sent', 'unknown') AND v.key IS NOT NULL
  AND e.id > %(after)s AND e.id <= %(upto)s
"""  # noqa: S608  constants only
#: Debts that entered an ageing bucket, by becoming overdue or from the bucket before.
_BUCKETS = """
SELECT e.id, e.at, b.realm_id, o.merchant_id, o.service_id, 'bucket' AS metric,
       e.kind || ':' || (e.data ->> 'bucket') AS key, b.currency, b.amount_minor - b.paid_minor AS minor,
       'obl' AS kind, b.id AS about
FROM orders_obligationevent e JOIN orders_obligation b ON b.id = e.subject_id JOIN orders_order o ON o.id = b.order_id
WHERE e.kind IN ('overdue', 'aged') AND b.kind = 'principal' AND e.id > %(after)s AND e.id <= %(upto)s
"""
#: Ledger postings of orders. Income and losses are net of refunds.
_BOOK = """
SELECT e.id, e.at, e.realm_id, o.merchant_id, o.service_id, 'book' AS metric, v.key, e.currency, v.minor,
       'ord' AS kind, o.id AS about
FROM ledger_posting e JOIN orders_order o ON o.id = e.order_id
CROSS JOIN LATERAL (VALUES
    ('owed', CASE WHEN e.debit_account = 'receivable' THEN e.amount_minor END),
    ('collected', CASE WHEN e.kind IN ('collected', 'recovered') AND e.line = 0 THEN e.amount_minor END),
    ('elsewhere', CASE WHEN e.kind = 'paid_elsewhere' THEN e.amount_minor END),
    ('refunded', CASE WHEN e.kind = 'refunded' THEN e.amount_minor END),
    ('written_off', CASE WHEN e.kind = 'written_off' AND e.line = 0 THEN e.amount_minor END),
    ('fees', CASE 'fees' WHEN e.credit_account THEN e.amount_minor WHEN e.debit_account THEN -e.amount_minor END),
    ('late_fees', CASE 'late_fees' WHEN e.credit_account THEN e.amount_minor
                                   WHEN e.debit_account THEN -e.amount_minor END),
    ('losses', CASE 'losses' WHEN e.debit_account THEN e.amount_minor WHEN e.credit_account THEN -e.amount_minor END)
    ) v (key, minor)
WHERE v.minor IS NOT NULL AND e.id > %(after)s AND e.id <= %(upto)s
"""
_DAYS = "greatest(0, (e.at AT TIME ZONE %(zone)s)::date - (b.due_at AT TIME ZONE %(zone)s)::date)"
_WITHIN = f"(SELECT min(w) FROM unnest(ARRAY[{', '.join(map(str, RECOVERY_DAYS))}]) w WHERE w >= {_DAYS})"  # noqa: S608  constants only
_MONTH = "to_char(o.completed_at AT TIME ZONE %(zone)s, 'YYYY-MM')"
#: Vintages: of orders completed in a month, the amount owed, and amounts collected within so many days of the due date.
_VINTAGES = f"""
SELECT e.id, e.at, e.realm_id, o.merchant_id, o.service_id, 'vintage' AS metric,
       {_MONTH} || ':' || CASE WHEN e.kind = 'completed' THEN 'owed' ELSE {_WITHIN}::text END AS key,
       e.currency, e.amount_minor AS minor, 'ord' AS kind, o.id AS about
FROM ledger_posting e JOIN orders_order o ON o.id = e.order_id AND o.completed_at IS NOT NULL
LEFT JOIN billing_deductionline l ON l.id = e.cause_id LEFT JOIN orders_obligation b ON b.id = l.obligation_id
WHERE e.line = 0 AND (e.kind = 'completed' AND e.debit_account = 'receivable'
                      OR e.kind IN ('collected', 'recovered') AND b.id IS NOT NULL)
  AND e.id > %(after)s AND e.id <= %(upto)s
"""  # noqa: S608  constants only

STREAMS: Mapping[str, Stream] = {
    stream.name: stream
    for stream in (
        Stream("orders", "orders_orderevent", ("order",), _ORDERS),
        Stream("decisions", "credit_decision", ("decision", "refusal"), _DECISIONS),
        Stream("deductions", "billing_deductionevent", ("attempt", "channel", "failure"), _DEDUCTIONS),
        Stream("buckets", "orders_obligationevent", ("bucket",), _BUCKETS),
        Stream("book", "ledger_posting", ("book",), _BOOK),
        Stream("vintages", "ledger_posting", ("vintage",), _VINTAGES),
    )
}
STREAM_BY_METRIC: Mapping[str, Stream] = {metric: stream for stream in STREAMS.values() for metric in stream.metrics}
