"""What must always be true of money at channels and on its way back: name, sentence, a query that returns no rows."""

from bnpl.dispute_invariants import OF_DISPUTES
from bnpl.return_invariants import OF_RETURNS
from bnpl.statement_invariants import FROM_STATEMENTS

AT_CHANNELS = (
    (
        "the_bank_agrees",
        "What the sandbox bank took is a success here, in flight, or a case; what succeeded here it took.",
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
        "refunds_are_what_went_back",
        "What an order and a refund say went back equals their parts that succeeded, and what others bear of it.",
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
        "refunds_are_within_what_was_collected",
        "What is back or on its way back of a deduction's line equals its parts and disputes; it was really collected.",
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
        "a_channels_refund_is_of_one_debit",
        "What a channel calls one transaction gave back of one debit, however many parts of refunds that was.",
        """
        SELECT p.channel, p.channel_txn, count(DISTINCT l.deduction_id) AS debits FROM billing_refundpart p
        JOIN billing_deductionline l ON l.id = p.taken_id WHERE p.channel_txn IS NOT NULL
        GROUP BY 1, 2 HAVING count(DISTINCT l.deduction_id) > 1
        """,
    ),
    (
        "parts_add_up_to_their_refund",
        "A refund's parts and what was taken off the debt add up to it; it is over when none of them is open.",
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
        "every_return_is_booked_once",
        "Each part that went back is booked once with its amount, and nothing else as refunded.",
        """
        SELECT r.id AS part, p.cause_id, r.amount_minor, p.amount_minor AS booked
        FROM (SELECT * FROM billing_refundpart WHERE state = 'succeeded') r
        FULL JOIN (SELECT * FROM ledger_posting WHERE kind = 'refunded') p ON p.cause_id = r.id
        WHERE r.amount_minor IS DISTINCT FROM p.amount_minor
        """,
    ),
    (
        "refund_due_is_what_is_open",
        "What the book holds as on its way back to a person equals their parts that are open.",
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
        "a_refund_stops_the_clock_while_it_is_open",
        "An order that still owes stands still for a refund exactly while one of its refunds is open.",
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
        "what_is_given_up_is_a_case",
        "A refund's part that failed after it was sent again, or after its goods came back, is or was a case.",
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
        "the_bank_agrees_on_refunds",
        "What the sandbox bank gave back is a success here, open, or a case; what succeeded here it gave back.",
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
    *OF_DISPUTES,
    *OF_RETURNS,
    *FROM_STATEMENTS,
)
