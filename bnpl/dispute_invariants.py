"""Invariants of disputes: name, description, and a query that must return no rows."""

DISPUTE_INVARIANTS = (
    (
        "dispute_is_sum_of_lines",
        "A dispute equals the sum of its lines, which belong to its deduction.",
        """
        SELECT d.id, d.amount_minor, l.* FROM billing_dispute d LEFT JOIN LATERAL (
            SELECT sum(x.amount_minor) AS lines, bool_and(t.deduction_id = d.deduction_id
                   AND t.order_id = x.order_id AND t.merchant_id = x.merchant_id) AS its
            FROM billing_disputeline x JOIN billing_deductionline t ON t.id = x.taken_id
            WHERE x.dispute_id = d.id) l ON true
        WHERE (l.lines, l.its) IS DISTINCT FROM (d.amount_minor::numeric, true)
        """,
    ),
    (
        "disputes_posted_once",
        "Each dispute is posted once as reversed, once as won if it was won, and its lines once if it was lost.",
        """
        SELECT coalesce(d.id, p.cause_id) AS id, d.state, p.* FROM billing_dispute d
        FULL JOIN (SELECT cause_id, coalesce(sum(amount_minor) FILTER (WHERE kind = 'taken_back'), 0) AS gone,
                          coalesce(sum(amount_minor) FILTER (WHERE kind = 'dispute_won'), 0) AS back
                   FROM ledger_posting WHERE kind IN ('taken_back', 'dispute_won') GROUP BY 1) p ON p.cause_id = d.id
        WHERE (p.gone, p.back) IS DISTINCT FROM (
            d.amount_minor::numeric, CASE WHEN d.state = 'won' THEN d.amount_minor ELSE 0 END::numeric)
        UNION ALL
        SELECT coalesce(l.id, p.cause_id), l.state, p.* FROM (
            SELECT x.id, x.amount_minor, d.state, d.bearer FROM billing_disputeline x
            JOIN billing_dispute d ON d.id = x.dispute_id AND d.state = 'lost') l
        FULL JOIN (SELECT cause_id, coalesce(sum(amount_minor) FILTER (WHERE kind = 'owed_again'), 0) AS again,
                          coalesce(sum(amount_minor) FILTER (WHERE kind = 'dispute_lost'), 0) AS borne
                   FROM ledger_posting WHERE kind IN ('owed_again', 'dispute_lost') AND line = 0 GROUP BY 1) p
             ON p.cause_id = l.id
        WHERE (p.again, p.borne) IS DISTINCT FROM (
            CASE WHEN l.bearer = 'person' THEN l.amount_minor ELSE 0 END::numeric,
            CASE WHEN l.bearer <> 'person' THEN l.amount_minor ELSE 0 END::numeric)
        """,
    ),
    (
        "disputed_balance_matches_disputes",
        "The disputed balance of a realm in the ledger equals its undecided disputes.",
        """
        SELECT coalesce(b.realm_id, d.realm_id) AS realm, b.minor AS book, d.minor AS open
        FROM (SELECT realm_id, currency, sum(minor) AS minor FROM (
                  SELECT realm_id, currency, amount_minor AS minor FROM ledger_posting WHERE debit_account = 'disputed'
                  UNION ALL SELECT realm_id, currency, -amount_minor FROM ledger_posting
                  WHERE credit_account = 'disputed') sides GROUP BY 1, 2) b
        FULL JOIN (SELECT realm_id, currency, sum(amount_minor) AS minor FROM billing_dispute
                   WHERE state IN ('open', 'contested') GROUP BY 1, 2) d
             ON d.realm_id = b.realm_id AND d.currency = b.currency
        WHERE coalesce(b.minor, 0) <> coalesce(d.minor, 0)
        """,
    ),
    (
        "disputes_match_the_bank",
        "Each reversal at the sandbox bank is a dispute, a case or not yet reported; outcomes are the bank's.",
        """
        SELECT r.txn, d.id, d.state, r.amount_minor AS bank, d.amount_minor AS ours
        FROM (SELECT r.* FROM sandbox_bank.returned r JOIN sandbox_bank.debit b ON b.txn = r.of
              JOIN billing_deduction t ON t.channel = 'sandbox' AND replace(t.id::text, '-', '') = b.number) r
        FULL JOIN (SELECT * FROM billing_dispute WHERE channel = 'sandbox') d ON d.channel_txn = r.txn
        WHERE r.txn IS NULL OR r.amount_minor <> d.amount_minor
           OR (d.state = 'won' AND NOT r.given_way) OR (d.state = 'lost' AND r.given_way)
           OR (d.id IS NULL AND NOT EXISTS (SELECT 1 FROM billing_case c WHERE c.detail ->> 'txn' = r.txn)
               AND NOT EXISTS (SELECT 1 FROM sandbox_bank.callback k
                               WHERE k.return_txn = r.txn AND k.delivered_at IS NULL))
        """,
    ),
)
