"""Invariants of channels and refunds: name, description, and a query that must return no rows."""

from bnpl.dispute_invariants import DISPUTE_INVARIANTS
from bnpl.return_invariants import RETURN_INVARIANTS
from bnpl.statement_invariants import STATEMENT_INVARIANTS

CHANNEL_INVARIANTS = (
    (
        "deductions_match_the_bank",
        "Each debit at the sandbox bank is a deduction that succeeded, is in flight or is a case; and vice versa.",
        """
        SELECT b.number, b.txn, d.id, d.state, b.amount_minor AS bank, d.amount_minor AS ours
        FROM (SELECT * FROM sandbox_bank.debit WHERE code = '' AND refund_of IS NULL) b
        FULL JOIN (SELECT * FROM billing_deduction WHERE channel = 'sandbox') d
             ON replace(d.id::text, '-', '') = b.number
        WHERE d.id IS NOT NULL
          AND ((b.number IS NULL AND d.state = 'succeeded')
            OR (b.number IS NOT NULL AND d.state = 'succeeded'
                AND (b.txn, b.amount_minor) <> (d.channel_txn, d.amount_minor))
            OR (b.number IS NOT NULL AND d.state NOT IN ('sent', 'unknown', 'succeeded')
                AND NOT EXISTS (SELECT 1 FROM billing_case c WHERE c.deduction_id = d.id)))
        """,
    ),
    (
        "refunded_totals_match_parts",
        "The refunded totals of orders and refunds equal their succeeded parts and disputes lost by others.",
        """
        SELECT o.id AS order_id, NULL::uuid AS refund_id, o.refunded_minor AS said, coalesce(p.back, 0) AS back
        FROM orders_order o LEFT JOIN (
            SELECT r.order_id, sum(p.back) AS back FROM (
                SELECT refund_id, amount_minor AS back, taken_id FROM billing_refundpart WHERE state = 'succeeded'
                UNION ALL SELECT p.refund_id, (c.detail ->> 'refunded')::bigint, p.taken_id FROM billing_case c
                JOIN billing_refundpart p ON p.id = c.refund_part_id WHERE c.resolution IN ('merchant', 'ahead')) p
            JOIN billing_refund r ON r.id = p.refund_id JOIN billing_deductionline t ON t.id = p.taken_id
            JOIN orders_obligation b ON b.id = t.obligation_id AND b.kind = 'principal' GROUP BY 1) p
            ON p.order_id = o.id
        LEFT JOIN (
            SELECT l.order_id, sum(l.amount_minor) AS gone FROM billing_disputeline l
            JOIN billing_dispute d ON d.id = l.dispute_id AND d.state = 'lost' AND d.bearer <> 'person'
            JOIN billing_deductionline t ON t.id = l.taken_id
            JOIN orders_obligation b ON b.id = t.obligation_id AND b.kind = 'principal' GROUP BY 1) g
            ON g.order_id = o.id
        WHERE o.refunded_minor <> coalesce(p.back, 0) + coalesce(g.gone, 0)
        UNION ALL
        SELECT r.order_id, r.id, r.returned_minor, coalesce(p.back, 0) FROM billing_refund r LEFT JOIN (
            SELECT refund_id, sum(amount_minor) AS back FROM billing_refundpart WHERE state = 'succeeded' GROUP BY 1) p
            ON p.refund_id = r.id
        WHERE r.returned_minor <> coalesce(p.back, 0)
        """,
    ),
    (
        "refunds_within_deductions",
        "A deduction line's refunded amount equals its refund parts and disputes, and the deduction succeeded.",
        """
        SELECT l.id, l.refunded_minor, coalesce(p.minor, 0) AS parts, d.state FROM billing_deductionline l
        JOIN billing_deduction d ON d.id = l.deduction_id
        LEFT JOIN (SELECT taken_id, sum(minor) AS minor FROM (
                       SELECT taken_id, amount_minor AS minor FROM billing_refundpart
                       WHERE state NOT IN ('failed', 'not_sent')
                       UNION ALL SELECT p.taken_id, (c.detail ->> 'refunded')::bigint FROM billing_case c
                       JOIN billing_refundpart p ON p.id = c.refund_part_id
                       WHERE c.resolution IN ('merchant', 'ahead')) parts
                   GROUP BY 1) p ON p.taken_id = l.id
        LEFT JOIN (SELECT taken_id, coalesce(sum(x.amount_minor) FILTER (
                       WHERE NOT (s.state = 'lost' AND s.bearer = 'person')), 0) AS gone,
                       coalesce(sum(x.amount_minor) FILTER (WHERE s.state = 'lost' AND s.bearer = 'person'), 0) AS again
                   FROM billing_disputeline x JOIN billing_dispute s ON s.id = x.dispute_id AND s.state <> 'won'
                   GROUP BY 1) g ON g.taken_id = l.id
        WHERE l.refunded_minor <> coalesce(p.minor, 0) + coalesce(g.gone, 0)
           OR l.reopened_minor <> coalesce(g.again, 0)
           OR (l.refunded_minor + l.reopened_minor > 0 AND d.state <> 'succeeded')
        """,
    ),
    (
        "channel_refund_of_one_deduction",
        "All refund parts with the same channel transaction are of one deduction.",
        """
        SELECT p.channel, p.channel_txn, count(DISTINCT l.deduction_id) AS debits FROM billing_refundpart p
        JOIN billing_deductionline l ON l.id = p.taken_id WHERE p.channel_txn IS NOT NULL
        GROUP BY 1, 2 HAVING count(DISTINCT l.deduction_id) > 1
        """,
    ),
    (
        "refund_is_sum_of_parts",
        "A refund equals its parts and its reduction of the debt; it is pending exactly while a part is open.",
        """
        SELECT r.id, r.state, r.amount_minor, r.lowered_minor, p.* FROM billing_refund r
        LEFT JOIN LATERAL (
            SELECT coalesce(sum(amount_minor), 0) AS parts,
                   coalesce(bool_or(state IN ('prepared', 'sent', 'unknown', 'waiting')), false) AS open
            FROM billing_refundpart WHERE refund_id = r.id) p ON true
        WHERE r.amount_minor <> r.lowered_minor + p.parts OR (r.state = 'pending') <> p.open
        """,
    ),
    (
        "refund_parts_posted_once",
        "Each succeeded refund part is posted once with its amount, and nothing else is posted as refunded.",
        """
        SELECT r.id AS part, p.cause_id, r.amount_minor, p.amount_minor AS booked
        FROM (SELECT * FROM billing_refundpart WHERE state = 'succeeded') r
        FULL JOIN (SELECT * FROM ledger_posting WHERE kind = 'refunded') p ON p.cause_id = r.id
        WHERE r.amount_minor IS DISTINCT FROM p.amount_minor
        """,
    ),
    (
        "refund_due_matches_open_parts",
        "A person's refund_due balance in the ledger equals their open refund parts.",
        """
        SELECT coalesce(book.person_id, owed.person_id) AS person_id, book.minor AS book, owed.minor AS open
        FROM (SELECT owner AS person_id, currency, sum(minor) AS minor FROM (
                  SELECT credit_owner AS owner, currency, amount_minor AS minor FROM ledger_posting
                  WHERE credit_account = 'refund_due'
                  UNION ALL SELECT debit_owner, currency, -amount_minor FROM ledger_posting
                  WHERE debit_account = 'refund_due') sides GROUP BY 1, 2) book
        FULL JOIN (SELECT r.person_id, p.currency, sum(p.amount_minor) AS minor FROM billing_refundpart p
                   JOIN billing_refund r ON r.id = p.refund_id
                   WHERE p.state IN ('prepared', 'sent', 'unknown', 'waiting') GROUP BY 1, 2) owed
             ON owed.person_id = book.person_id AND owed.currency = book.currency
        WHERE coalesce(book.minor, 0) <> coalesce(owed.minor, 0)
        """,
    ),
    (
        "pending_refund_pauses_order",
        "An order that still owes is paused for a refund exactly while one of its refunds is pending.",
        """
        SELECT o.id, o.state FROM orders_order o
        WHERE o.state IN ('completed', 'overdue')
          AND EXISTS (SELECT 1 FROM billing_refund r WHERE r.order_id = o.id AND r.state = 'pending')
              <> EXISTS (SELECT 1 FROM orders_pause p WHERE p.order_id = o.id AND p.ended_at IS NULL
                         AND p.reason = 'refund_in_flight' AND EXISTS (
                             SELECT 1 FROM billing_refund r WHERE r.order_id = o.id))
        """,
    ),
    (
        "failed_refund_has_a_case",
        "A refund part that failed after it was sent again, or after its goods were confirmed, has a case.",
        """
        SELECT p.id, p.state, p.sends FROM billing_refundpart p JOIN billing_refund f ON f.id = p.refund_id
        WHERE p.state IN ('failed', 'not_sent')
          AND (p.sends > 1 OR NOT f.advanced AND EXISTS (
               SELECT 1 FROM billing_return t WHERE t.order_id = f.order_id AND t.id < f.id
               AND t.state = 'confirmed' AND t.resolved_at <= f.created_at))
          AND NOT EXISTS (SELECT 1 FROM billing_case c WHERE c.refund_part_id = p.id AND c.kind = 'refund_given_up')
        """,
    ),
    (
        "refunds_match_the_bank",
        "Each refund at the sandbox bank is a refund part that succeeded, is open or is a case; and vice versa.",
        """
        SELECT b.number, b.txn, p.id, p.state, b.amount_minor AS bank, p.amount_minor AS ours
        FROM (SELECT * FROM sandbox_bank.debit WHERE code = '' AND refund_of IS NOT NULL) b
        FULL JOIN (SELECT * FROM billing_refundpart WHERE channel = 'sandbox') p
             ON replace(p.id::text, '-', '') = b.number
        WHERE (b.number IS NULL AND p.state = 'succeeded')
           OR (b.number IS NOT NULL AND p.state = 'succeeded'
               AND (b.txn, b.amount_minor) <> (p.channel_txn, p.amount_minor))
           OR (b.number IS NOT NULL AND p.state NOT IN ('sent', 'unknown', 'waiting', 'succeeded')
               AND NOT EXISTS (SELECT 1 FROM billing_case c WHERE c.refund_part_id = p.id))
        """,
    ),
    *DISPUTE_INVARIANTS,
    *RETURN_INVARIANTS,
    *STATEMENT_INVARIANTS,
)
