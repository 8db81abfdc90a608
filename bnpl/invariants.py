"""Invariants of the data: queries that must return no rows. Run after every test and by `manage.py verify`."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from django.db import connection, transaction

from bnpl.channel_invariants import CHANNEL_INVARIANTS
from bnpl.erasure_invariants import ERASURE_INVARIANTS
from bnpl.event_invariants import EVENT_INVARIANTS
from bnpl.invoice_invariants import INVOICE_INVARIANTS
from bnpl.ledger_invariants import LEDGER_INVARIANTS
from bnpl.lifecycle_invariants import LIFECYCLE_INVARIANTS
from bnpl.office_invariants import AUDIT_INVARIANT, DUAL_APPROVAL_INVARIANTS, TALLY_INVARIANTS
from bnpl.settlement_invariants import SETTLEMENT_INVARIANTS
from kernel import audit
from kernel.prepared_statements import PreparedStatement

ROWS_MAX = 20


@dataclass(frozen=True, slots=True)
class Invariant:
    """A statement about the data, and the query for the rows that violate it."""

    name: str
    description: str
    sql: str


@dataclass(frozen=True, slots=True)
class Violation:
    """A row that violates an invariant."""

    name: str
    row: str


INVARIANTS = [
    Invariant(
        "receivable_matches_obligations",
        "Each person's receivable in the ledger equals the unpaid rest of their obligations.",
        """
        SELECT coalesce(book.person_id, owed.person_id) AS person_id,
               coalesce(book.currency, owed.currency) AS currency,
               coalesce(book.minor, 0) AS book, coalesce(owed.minor, 0) AS owed
        FROM (SELECT owner AS person_id, currency, sum(minor) AS minor FROM (
                  SELECT debit_owner AS owner, currency, amount_minor AS minor FROM ledger_posting
                  WHERE debit_account = 'receivable'
                  UNION ALL SELECT credit_owner, currency, -amount_minor FROM ledger_posting
                  WHERE credit_account = 'receivable') sides GROUP BY 1, 2) book
        FULL JOIN (SELECT person_id, currency, sum(amount_minor - paid_minor) AS minor FROM orders_obligation
                   WHERE state IN ('pending', 'overdue') GROUP BY 1, 2) owed
             ON owed.person_id = book.person_id AND owed.currency = book.currency
        WHERE coalesce(book.minor, 0) <> coalesce(owed.minor, 0)
        """,
    ),
    Invariant(
        "profile_matches_orders",
        "A profile's held and outstanding amounts and its counts equal those of the person's orders.",
        """
        SELECT p.person_id, p.held_minor, p.outstanding_minor, p.open_orders, p.overdue_orders, p.eased_orders, o.*, d.*
        FROM credit_profile p
        LEFT JOIN LATERAL (
            SELECT coalesce(sum(ceiling_minor) FILTER (WHERE state = 'open' AND currency = p.currency), 0) AS held,
                   count(*) FILTER (WHERE state = 'open') AS open, count(*) FILTER (WHERE state = 'overdue') AS overdue,
                   count(*) FILTER (WHERE eased_at IS NOT NULL AND state IN ('completed', 'overdue')) AS eased
            FROM orders_order WHERE person_id = p.person_id) o ON true
        LEFT JOIN LATERAL (
            SELECT coalesce(sum(amount_minor - paid_minor), 0) AS owed FROM orders_obligation
            WHERE person_id = p.person_id AND currency = p.currency AND state IN ('pending', 'overdue')) d ON true
        WHERE (p.held_minor, p.outstanding_minor, p.open_orders, p.overdue_orders, p.eased_orders)
              IS DISTINCT FROM (o.held, d.owed, o.open::int, o.overdue::int, o.eased::int)
        """,
    ),
    Invariant(
        "currency_limits_match_orders",
        "Held and outstanding amounts in other currencies than a person's own equal those of the person's orders.",
        """
        SELECT person_id, currency, sum(held) AS held, sum(owed) AS owed FROM (
            SELECT o.person_id, o.currency, o.ceiling_minor AS held, 0 AS owed FROM orders_order o
            JOIN credit_profile p ON p.person_id = o.person_id AND p.currency <> o.currency WHERE o.state = 'open'
            UNION ALL
            SELECT d.person_id, d.currency, 0, d.amount_minor - d.paid_minor FROM orders_obligation d
            JOIN credit_profile p ON p.person_id = d.person_id AND p.currency <> d.currency
            WHERE d.state IN ('pending', 'overdue')
            UNION ALL
            SELECT person_id, currency, -held_minor, -outstanding_minor FROM credit_currencylimit) used
        GROUP BY 1, 2 HAVING sum(held) <> 0 OR sum(owed) <> 0
        """,
    ),
    Invariant(
        "order_total_matches_obligations",
        "A completed order's total equals the amounts of its obligations, and its state follows from what is unpaid.",
        """
        SELECT o.id, o.state, o.total_minor, b.* FROM orders_order o
        LEFT JOIN LATERAL (
            SELECT coalesce(sum(amount_minor) FILTER (WHERE state <> 'waived' AND kind = 'principal'), 0) AS amounts,
                   coalesce(sum(amount_minor - paid_minor)
                            FILTER (WHERE state IN ('pending', 'overdue', 'written_off')), 0) AS owed,
                   coalesce(bool_or(state IN ('overdue', 'written_off')), false) AS overdue,
                   coalesce(sum(paid_minor), 0) AS paid
            FROM orders_obligation WHERE order_id = o.id) b ON true
        WHERE (o.state IN ('completed', 'overdue', 'deducted') AND o.total_minor <> b.amounts)
           OR (o.state IN ('completed', 'overdue')) <> (b.owed > 0)
           OR (o.state = 'overdue') <> b.overdue
           OR (o.state IN ('created', 'open', 'cancelled', 'expired') AND b.paid > 0)
        """,
    ),
    Invariant(
        "waived_obligations_are_unpaid",
        "A waived obligation has no payments: of a partly paid one, the paid part remains as paid.",
        "SELECT id, amount_minor, paid_minor FROM orders_obligation WHERE state = 'waived' AND paid_minor > 0",
    ),
    Invariant(
        "paid_matches_deductions",
        "An obligation's paid amount equals its succeeded deductions less reversals, unless it was paid elsewhere.",
        """
        SELECT o.id, o.paid_minor, coalesce(t.taken, 0) AS taken FROM orders_obligation o
        LEFT JOIN (SELECT l.obligation_id, sum(l.amount_minor - l.reopened_minor) AS taken
                   FROM billing_deductionline l
                   JOIN billing_deduction d ON d.id = l.deduction_id AND d.state = 'succeeded' GROUP BY 1) t
             ON t.obligation_id = o.id
        WHERE o.paid_minor <> coalesce(t.taken, 0) AND NOT (coalesce(t.taken, 0) = 0 AND EXISTS (
            SELECT 1 FROM orders_obligationevent e WHERE e.subject_id = o.id AND e.kind = 'paid_elsewhere'))
        """,
    ),
    Invariant(
        "deductions_posted_once",
        "Each line of a succeeded deduction is posted once with its amount, and nothing else is posted as collected.",
        """
        SELECT l.id AS line, p.cause_id, l.amount_minor, p.amount_minor AS booked
        FROM (SELECT l.* FROM billing_deductionline l
              JOIN billing_deduction d ON d.id = l.deduction_id AND d.state = 'succeeded') l
        FULL JOIN (SELECT * FROM ledger_posting WHERE kind IN ('collected', 'recovered') AND line = 0) p
             ON p.cause_id = l.id
        WHERE l.amount_minor IS DISTINCT FROM p.amount_minor
        """,
    ),
    Invariant(
        "losses_match_obligations",
        "An order's losses and recoveries in the ledger equal those of its obligations.",
        """
        SELECT o.order_id, o.lost, o.back, b.lost AS booked_lost, b.back AS booked_back
        FROM (SELECT order_id, sum(written_off_minor) AS lost, sum(CASE WHEN written_off_minor > 0
                  THEN paid_minor - (amount_minor - written_off_minor) ELSE 0 END) AS back
              FROM orders_obligation GROUP BY 1) o
        FULL JOIN (SELECT order_id, sum(amount_minor) FILTER (WHERE kind = 'recovered') AS back,
                          sum(CASE kind WHEN 'written_off' THEN amount_minor WHEN 'late_fee_waived' THEN -amount_minor
                              END) AS lost
                   FROM ledger_posting
                   WHERE (kind IN ('written_off', 'recovered')
                          OR kind = 'late_fee_waived' AND credit_account = 'losses') AND line = 0 GROUP BY 1) b
             ON b.order_id = o.order_id
        WHERE (coalesce(o.lost, 0), coalesce(o.back, 0)) <> (coalesce(b.lost, 0), coalesce(b.back, 0))
        """,
    ),
    Invariant(
        "attempts_were_planned",
        "Each automatic attempt is part of an earlier plan, by its time, instrument and reason.",
        """
        SELECT l.id AS line, d.reason, l.planned FROM billing_deductionline l
        JOIN billing_deduction d ON d.id = l.deduction_id JOIN orders_obligation o ON o.id = l.obligation_id
        WHERE (d.purpose = 'planned') <> (l.planned IS NOT NULL)
           OR (l.planned ->> 'at')::timestamptz > d.prepared_at
           OR (l.planned ->> 'source')::uuid <> d.instrument_id
           OR NOT (l.planned ->> 'reason' = 'due' AND ((l.planned ->> 'at')::timestamptz = o.due_at OR EXISTS (
                       SELECT 1 FROM orders_obligationevent e WHERE e.subject_id = o.id AND e.kind = 'put_off'
                          AND (e.data ->> 'was')::timestamptz = (l.planned ->> 'at')::timestamptz)))
              AND NOT EXISTS (SELECT 1 FROM orders_plan p JOIN orders_obligation q ON q.id = p.obligation_id
                              WHERE q.order_id = l.order_id AND p.at <= d.prepared_at
                                AND p.attempts @> jsonb_build_array(l.planned))
        """,
    ),
    Invariant(
        "deduction_is_sum_of_lines",
        "A deduction equals the sum of its lines, which are live exactly while its outcome is open.",
        """
        SELECT d.id, d.state, d.amount_minor, l.* FROM billing_deduction d
        LEFT JOIN LATERAL (SELECT sum(amount_minor) AS lines, bool_and(live) AS all_live, bool_or(live) AS any_live
                           FROM billing_deductionline WHERE deduction_id = d.id) l ON true
        WHERE l.lines IS DISTINCT FROM d.amount_minor
           OR l.all_live IS DISTINCT FROM (d.state IN ('prepared', 'sent', 'unknown')) OR l.any_live <> l.all_live
        """,
    ),
    Invariant(
        "in_flight_has_live_deduction",
        "An obligation is in flight exactly while a live deduction is for it.",
        """
        SELECT o.id, o.in_flight, l.deduction_id FROM orders_obligation o
        FULL JOIN (SELECT * FROM billing_deductionline WHERE live) l ON l.obligation_id = o.id
        WHERE o.in_flight IS DISTINCT FROM l.deduction_id
        """,
    ),
    Invariant(
        "removed_instruments_are_unused",
        "No deduction is in progress from a removed instrument.",
        """
        SELECT d.id, d.state, i.id AS instrument FROM billing_deduction d
        JOIN billing_instrument i ON i.id = d.instrument_id AND i.state = 'removed'
        WHERE d.state IN ('prepared', 'sent', 'unknown')
        """,
    ),
    Invariant(
        "wallets_match_ledger",
        "A wallet's balance equals its entries and its account in the ledger.",
        """
        SELECT w.person_id, w.balance_minor, e.minor AS entries, b.minor AS book FROM billing_wallet w
        LEFT JOIN LATERAL (SELECT coalesce(sum(amount_minor), 0) AS minor FROM billing_walletentry
                           WHERE person_id = w.person_id) e ON true
        LEFT JOIN LATERAL (SELECT coalesce(sum(CASE WHEN credit_account = 'wallet' THEN amount_minor
                                                    ELSE -amount_minor END), 0) AS minor
                           FROM ledger_posting WHERE (credit_account = 'wallet' AND credit_owner = w.person_id)
                                                  OR (debit_account = 'wallet' AND debit_owner = w.person_id)) b ON true
        WHERE w.balance_minor <> e.minor OR w.balance_minor <> b.minor
        """,
    ),
    Invariant(
        "agreements_match_orders",
        "An agreement counts its live orders, and is terminated only without any but those owed again after a dispute.",
        """
        SELECT a.id, a.state, a.live_orders, o.n FROM credit_agreement a
        LEFT JOIN LATERAL (SELECT count(*)::int AS n, count(*) FILTER (WHERE NOT EXISTS (
                               SELECT 1 FROM orders_orderevent e
                               WHERE e.subject_id = w.id AND e.kind = 'owed_again')) AS first
                           FROM orders_order w WHERE agreement_id = a.id
                           AND state IN ('created', 'open', 'completed', 'overdue')) o ON true
        WHERE a.live_orders <> o.n OR (a.state IN ('pending', 'terminated') AND o.first > 0)
        """,
    ),
    Invariant(
        "concerns_are_of_one_person",
        "A concern's order, decision and messages are of its own person and realm.",
        """
        SELECT c.id FROM orders_concern c JOIN accounts_person p ON p.id = c.person_id
        LEFT JOIN orders_order o ON o.id = c.order_id LEFT JOIN credit_decision d ON d.id = c.decision_id
        WHERE c.realm_id <> p.realm_id OR o.person_id <> c.person_id OR d.person_id <> c.person_id
           OR o.merchant_id IS DISTINCT FROM c.merchant_id AND c.kind = 'problem'
           OR EXISTS (SELECT 1 FROM orders_message m WHERE m.concern_id = c.id AND m.person_id <> c.person_id)
        """,
    ),
    Invariant(
        "realms_never_mix",
        "Everything an order refers to is in the order's realm.",
        """
        SELECT o.id, o.realm_id, m.realm_id AS merchant, p.realm_id AS person FROM orders_order o
        JOIN merchants_merchant m ON m.id = o.merchant_id JOIN accounts_person p ON p.id = o.person_id
        JOIN credit_agreement a ON a.id = o.agreement_id
        WHERE o.realm_id <> ALL (ARRAY[m.realm_id, p.realm_id, a.realm_id]) OR a.merchant_id <> o.merchant_id
           OR EXISTS (SELECT 1 FROM ledger_posting g WHERE g.order_id = o.id AND g.realm_id <> o.realm_id)
           OR EXISTS (SELECT 1 FROM merchants_event e WHERE e.subject_id = o.id
                      AND (e.realm_id, e.merchant_id) <> (o.realm_id, o.merchant_id))
        """,
    ),
    *(
        Invariant(*one)
        for one in (
            *CHANNEL_INVARIANTS,
            *EVENT_INVARIANTS,
            *SETTLEMENT_INVARIANTS,
            *INVOICE_INVARIANTS,
            *ERASURE_INVARIANTS,
        )
    ),
    *(
        Invariant(*one)
        for one in (*LEDGER_INVARIANTS, *TALLY_INVARIANTS, *DUAL_APPROVAL_INVARIANTS, *LIFECYCLE_INVARIANTS)
    ),
]
AUDIT = Invariant(*AUDIT_INVARIANT)


_ALL = PreparedStatement(
    " UNION ALL ".join(
        f"(SELECT '{one.name}', row_to_json(v)::text FROM ({one.sql}) v LIMIT {ROWS_MAX})"  # noqa: S608  our own queries
        for one in INVARIANTS
    ),
    [],
)


def find_violations(seals: Mapping[int, str] | None = None, *, prepared: bool = False) -> Iterator[Violation]:
    """The rows that violate an invariant, at most `ROWS_MAX` of each, all from one snapshot.

    Planning so long a query takes longer than running it on a few rows: `prepared` plans it once for repeated calls.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = 0")
        yield from (Violation(*row) for row in (_ALL.rows() if prepared else _ALL.rows_unprepared()))
        yield from (Violation(AUDIT.name, where) for where in audit.find_tampering(logged_macs=seals))
