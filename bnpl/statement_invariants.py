"""Invariants of statement files and discrepancies: name, description, and a query that must return no rows."""

STATEMENT_INVARIANTS = (
    (
        "statement_files_match_lines",
        "A statement file counts its lines and damaged lines; each line that differs from our records has a break.",
        """
        SELECT f.id, f.lines, f.damaged, l.* FROM billing_statementfile f LEFT JOIN LATERAL (
            SELECT count(*) AS kept, count(*) FILTER (WHERE verdict = 'damaged') AS hurt,
                   count(*) FILTER (WHERE verdict NOT IN ('matched', 'in_flight', 'nothing', 'damaged')
                       AND NOT EXISTS (SELECT 1 FROM billing_break b
                                       WHERE b.line_id = s.id AND b.kind = verdict)
                       AND NOT EXISTS (
                           SELECT 1 FROM billing_statementline o JOIN billing_break b ON b.line_id = o.id
                           WHERE o.channel_txn = s.channel_txn AND o.channel_txn <> '' AND o.statement_id <> f.id
                             AND b.realm_id = f.realm_id AND b.channel = f.channel
                             AND (o.kind, o.number, o.amount_minor, o.currency, o.status)
                                 = (s.kind, s.number, s.amount_minor, s.currency, s.status))) AS mute
            FROM billing_statementline s WHERE statement_id = f.id) l ON true
        WHERE (f.lines, f.damaged, 0) <> (l.kept, l.hurt, l.mute)
        """,
    ),
    (
        "suspense_breaks_are_posted",
        "A break is posted to suspense exactly if it was resolved so.",
        """
        SELECT coalesce(b.id, p.cause_id) AS id, b.resolution, p.amount_minor FROM billing_break b
        FULL JOIN (SELECT DISTINCT ON (cause_id) cause_id, amount_minor FROM ledger_posting
                   WHERE kind = 'break_to_suspense') p ON p.cause_id = b.id
        WHERE (b.resolution IS NOT DISTINCT FROM 'suspense') <> (p.cause_id IS NOT NULL)
        """,
    ),
    (
        "resolved_cases_are_posted",
        "The whole amount in suspense for a case is posted out exactly if colleagues resolved the case so.",
        """
        SELECT coalesce(c.id, p.cause_id) AS id, c.kind, c.resolution, c.held, p.amount_minor FROM (
            SELECT k.*, h.amount_minor AS held FROM billing_case k
            LEFT JOIN ledger_posting h ON h.cause_id = k.id AND h.kind = k.kind) c
        FULL JOIN (
            SELECT cause_id, coalesce(
                sum(amount_minor) FILTER (WHERE 'suspense' IN (debit_account, credit_account)),
                sum(amount_minor) FILTER (WHERE line = 0)) AS amount_minor
            FROM ledger_posting WHERE kind = 'case_closed' GROUP BY 1) p ON p.cause_id = c.id
        WHERE c.id IS NULL
           OR (c.held IS NOT NULL AND c.resolution IN ('returned', 'wallet', 'merchant', 'ahead', 'platform')
               AND p.amount_minor IS DISTINCT FROM c.held)
           OR (p.cause_id IS NOT NULL AND (c.resolution IN ('', 'stands', 'said')
               OR p.amount_minor <> c.at_stake_minor))
        """,
    ),
    (
        "explained_cases_leave_suspense",
        "The amount in suspense for a case is reversed exactly if the case closed by itself.",
        """
        SELECT coalesce(c.id, p.cause_id) AS id, c.kind, c.held, p.amount_minor FROM (
            SELECT k.id, k.kind, h.amount_minor AS held, h.debit_account, h.credit_account FROM billing_case k
            JOIN ledger_posting h ON h.cause_id = k.id AND h.kind = k.kind
            WHERE k.resolution = '' AND k.closed_at IS NOT NULL) c
        FULL JOIN (SELECT * FROM ledger_posting WHERE kind = 'case_explained') p ON p.cause_id = c.id
        WHERE (c.held, c.debit_account, c.credit_account)
              IS DISTINCT FROM (p.amount_minor, p.credit_account, p.debit_account)
        """,
    ),
    (
        "booked_breaks_have_succeeded",
        "A break that was closed as booked is about a movement that succeeded under that transaction.",
        """
        SELECT b.id FROM billing_break b JOIN billing_statementline l ON l.id = b.line_id
        LEFT JOIN billing_deduction d ON d.id = b.deduction_id LEFT JOIN billing_refundpart p ON p.id = b.refund_part_id
        WHERE b.resolution = 'booked' AND l.kind <> 'return'
          AND (l.channel_txn, l.amount_minor, 'succeeded') IS DISTINCT FROM
              (coalesce(d.channel_txn, p.channel_txn), coalesce(d.amount_minor, p.amount_minor),
               coalesce(d.state, p.state))
        UNION ALL SELECT b.id FROM billing_break b JOIN billing_statementline l ON l.id = b.line_id
        WHERE b.resolution = 'booked' AND l.kind = 'return' AND NOT EXISTS (
            SELECT 1 FROM billing_dispute d WHERE d.channel_txn = l.channel_txn AND d.channel = b.channel)
        """,
    ),
)
