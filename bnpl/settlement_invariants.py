"""Invariants of settlements and payouts: name, description, and a query that must return no rows."""

SETTLEMENT_INVARIANTS = (
    (
        "settlement_is_sum_of_lines",
        "A settlement's totals are the sums of its lines by kind, and it counts its lines.",
        """
        SELECT s.id, s.net_minor, l.* FROM billing_settlement s
        LEFT JOIN LATERAL (
            SELECT count(*)::int AS n, coalesce(sum(amount_minor) FILTER (WHERE kind = 'gross'), 0) AS gross,
                   coalesce(sum(amount_minor) FILTER (WHERE kind = 'fee'), 0) AS fee,
                   coalesce(sum(amount_minor) FILTER (WHERE kind = 'refund'), 0) AS refund,
                   coalesce(sum(amount_minor) FILTER (WHERE kind = 'adjustment'), 0) AS adjustment,
                   coalesce(sum(amount_minor) FILTER (WHERE kind = 'reserve'), 0) AS reserve,
                   coalesce(sum(amount_minor) FILTER (WHERE kind = 'carried'), 0) AS carried
            FROM billing_settlementline WHERE settlement_id = s.id) l ON true
        WHERE s.state = 'open' OR l.n = 0
           OR (s.lines_count, s.gross_minor, s.fees_minor, s.refunds_minor, s.adjustments_minor, s.reserve_minor,
               s.carried_minor) IS DISTINCT FROM (l.n, l.gross, l.fee, l.refund, l.adjustment, l.reserve, l.carried)
        """,
    ),
    (
        "settlement_lines_match_postings",
        "Each line is a posting of that merchant's account, in that currency and realm, with its amount and side.",
        """
        SELECT l.id, l.amount_minor, p.amount_minor AS booked, p.kind FROM billing_settlementline l
        JOIN billing_settlement s ON s.id = l.settlement_id JOIN ledger_posting p ON p.id = l.posting_id
        WHERE (p.realm_id, p.currency, l.merchant_id) <> (s.realm_id, s.currency, s.merchant_id)
           OR l.order_id IS DISTINCT FROM p.order_id
           OR p.kind IN ('paid_out', 'payout_failed')
           OR l.amount_minor IS DISTINCT FROM CASE
              WHEN (p.credit_account, p.credit_owner) = ('payable', s.merchant_id) THEN p.amount_minor
              WHEN (p.debit_account, p.debit_owner) = ('payable', s.merchant_id) THEN -p.amount_minor END
        """,
    ),
    (
        "carried_lines_match_settlements",
        "A carried line is the net of an earlier, unpaid settlement of the same merchant and currency.",
        """
        SELECT l.id, e.state, e.net_minor, l.amount_minor FROM billing_settlementline l
        JOIN billing_settlement s ON s.id = l.settlement_id JOIN billing_settlement e ON e.id = l.earlier_id
        WHERE (e.merchant_id, e.realm_id, e.currency, l.merchant_id)
              <> (s.merchant_id, s.realm_id, s.currency, s.merchant_id)
           OR l.amount_minor <> e.net_minor OR e.period_until >= s.period_until
           OR NOT (e.state IN ('failed', 'carried') OR (e.state = 'closed' AND e.net_minor < 0))
        """,
    ),
    (
        "no_posting_is_left_unsettled",
        "A posting of a merchant's account that is in no settlement is not older than where the next one starts.",
        """
        SELECT p.id, p.kind, m.id AS merchant FROM ledger_posting p JOIN merchants_merchant m
          ON m.id = CASE WHEN p.credit_account = 'payable' THEN p.credit_owner
                         WHEN p.debit_account = 'payable' THEN p.debit_owner END
        WHERE p.id < m.settled_below AND p.kind NOT IN ('paid_out', 'payout_failed')
          AND NOT EXISTS (SELECT 1 FROM billing_settlementline l WHERE l.id = p.id)
        """,
    ),
    (
        "merchant_balances_match_ledger",
        "A merchant's stored balances equal the sum of the ledger's postings below their key.",
        """
        SELECT s.merchant_id, s.currency, b.* FROM billing_standing s CROSS JOIN LATERAL (
            SELECT coalesce(sum(minor) FILTER (WHERE account = 'payable'), 0) AS payable,
                   coalesce(sum(minor) FILTER (WHERE account = 'pending'), 0) AS pending,
                   coalesce(sum(minor) FILTER (WHERE account = 'reserve'), 0) AS reserve,
                   coalesce(-sum(minor) FILTER (WHERE other = 'fees'), 0) AS fees
            FROM (SELECT credit_account AS account, debit_account AS other, amount_minor AS minor FROM ledger_posting
                  WHERE credit_owner = s.merchant_id AND id < s.below AND currency = s.currency
                  UNION ALL SELECT debit_account, credit_account, -amount_minor FROM ledger_posting
                  WHERE debit_owner = s.merchant_id AND id < s.below AND currency = s.currency) x
            WHERE account IN ('payable', 'pending', 'reserve')) b
        WHERE (s.payable_minor, s.pending_minor, s.reserve_minor, s.fees_minor)
              <> (b.payable, b.pending, b.reserve, b.fees)
        """,
    ),
    (
        "payable_matches_settlements",
        "A merchant's payable balance equals what is unsettled, and what is settled but neither paid nor carried.",
        """
        WITH sides AS (
            SELECT p.id, p.kind, p.currency, p.credit_owner AS owner, p.amount_minor AS minor FROM ledger_posting p
            WHERE p.credit_account = 'payable'
            UNION ALL SELECT p.id, p.kind, p.currency, p.debit_owner, -p.amount_minor FROM ledger_posting p
            WHERE p.debit_account = 'payable'),
        book AS (
            SELECT owner, currency, sum(minor) AS balance, coalesce(sum(minor) FILTER (
                WHERE kind NOT IN ('paid_out', 'payout_failed') AND NOT EXISTS (
                    SELECT 1 FROM billing_settlementline l WHERE l.id = sides.id)), 0) AS unsettled
            FROM sides GROUP BY 1, 2),
        left_over AS (
            SELECT merchant_id AS owner, currency, sum(net_minor) AS net FROM billing_settlement s
            WHERE state IN ('closed', 'failed', 'carried') AND NOT EXISTS (
                SELECT 1 FROM billing_settlementline l WHERE l.earlier_id = s.id) GROUP BY 1, 2)
        SELECT coalesce(b.owner, o.owner) AS merchant, b.balance, b.unsettled, o.net FROM book b
        FULL JOIN left_over o ON o.owner = b.owner AND o.currency = b.currency
        WHERE coalesce(b.balance, 0) <> coalesce(b.unsettled, 0) + coalesce(o.net, 0)
        """,
    ),
    (
        "reserves_match_settlements",
        "A merchant's reserve in the ledger equals what their settlements held and have not released.",
        """
        WITH book AS (
            SELECT owner, currency, sum(minor) AS minor FROM (
                SELECT credit_owner AS owner, currency, amount_minor AS minor FROM ledger_posting
                WHERE credit_account = 'reserve'
                UNION ALL SELECT debit_owner, currency, -amount_minor FROM ledger_posting
                WHERE debit_account = 'reserve') sides GROUP BY 1, 2),
        held AS (
            SELECT merchant_id AS owner, currency, sum(held_minor) AS minor FROM billing_settlement s
            WHERE NOT EXISTS (SELECT 1 FROM ledger_posting p WHERE p.cause_id = s.id AND p.kind = 'reserve_released')
            GROUP BY 1, 2)
        SELECT coalesce(b.owner, h.owner) AS merchant, b.minor AS book, h.minor AS held FROM book b
        FULL JOIN held h ON h.owner = b.owner AND h.currency = b.currency
        WHERE coalesce(b.minor, 0) <> coalesce(h.minor, 0)
        """,
    ),
    (
        "payouts_match_settlements",
        "A payout sends its settlement's net to an account of the merchant, and the settlement's state follows.",
        """
        SELECT p.id, p.state, s.state AS settlement FROM billing_settlement s
        LEFT JOIN billing_payout p ON p.settlement_id = s.id LEFT JOIN billing_payoutaccount a ON a.id = p.account_id
        WHERE (p.id IS NULL) <> (s.state IN ('open', 'closed', 'carried'))
           OR (p.merchant_id, p.realm_id, p.currency, p.amount_minor)
              <> (s.merchant_id, s.realm_id, s.currency, s.net_minor)
           OR a.merchant_id <> p.merchant_id OR (a.id IS NOT NULL AND (a.state <> 'agreed'
              OR a.effective_at > p.prepared_at))
           OR s.state <> CASE WHEN p.state = 'succeeded' THEN 'paid' WHEN p.state IN ('failed', 'not_sent')
                         THEN 'failed' WHEN p.id IS NOT NULL THEN 'paying' ELSE s.state END
        """,
    ),
    (
        "payouts_posted_once",
        "Each payout is posted once as sent, and once as arrived or returned if it was.",
        """
        SELECT coalesce(p.id, b.cause_id) AS payout, p.state, b.* FROM billing_payout p
        FULL JOIN (SELECT cause_id, coalesce(sum(amount_minor) FILTER (WHERE kind = 'paid_out'), 0) AS sent,
                          coalesce(sum(amount_minor) FILTER (WHERE kind = 'payout_arrived'), 0) AS arrived,
                          coalesce(sum(amount_minor) FILTER (WHERE kind = 'payout_failed'), 0) AS back
                   FROM ledger_posting WHERE kind IN ('paid_out', 'payout_arrived', 'payout_failed') GROUP BY 1) b
             ON b.cause_id = p.id
        WHERE (b.sent, b.arrived, b.back) IS DISTINCT FROM (
            p.amount_minor::numeric, CASE WHEN p.state = 'succeeded' THEN p.amount_minor ELSE 0 END::numeric,
            CASE WHEN p.state IN ('failed', 'not_sent') THEN p.amount_minor ELSE 0 END::numeric)
        """,
    ),
    (
        "payouts_match_the_bank",
        "Each payout at the sandbox bank is a payout that succeeded, is open or is a case; and vice versa.",
        """
        SELECT b.number, b.txn, p.id, p.state, b.amount_minor AS bank, p.amount_minor AS ours
        FROM (SELECT * FROM sandbox_bank.debit WHERE code = '' AND payout) b
        FULL JOIN (SELECT * FROM billing_payout WHERE channel = 'sandbox') p
             ON replace(p.id::text, '-', '') = b.number
        WHERE (b.number IS NULL AND p.state = 'succeeded')
           OR (b.number IS NOT NULL AND p.state = 'succeeded'
               AND (b.txn, b.amount_minor) <> (p.channel_txn, p.amount_minor))
           OR (b.number IS NOT NULL AND p.state NOT IN ('sent', 'unknown', 'succeeded')
               AND NOT EXISTS (SELECT 1 FROM billing_case c WHERE c.payout_id = p.id))
        """,
    ),
)
