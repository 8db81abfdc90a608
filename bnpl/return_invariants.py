"""What must always be true of what people send back: name, sentence, a query that returns no rows."""

#: What went back, or is on its way back, ahead of each return; and what went after all, as colleagues judged.
_AHEAD = """SELECT t.id, t.realm_id, t.order_id, t.state, t.currency, f.state AS refund, after_all + coalesce((
    SELECT sum(p.amount_minor) FROM billing_refundpart p
    WHERE p.refund_id = f.id AND p.state NOT IN ('failed', 'not_sent')), 0) AS minor,
    f.returned_minor + after_all AS arrived
FROM billing_return t JOIN billing_refund f ON f.id = t.advance_id CROSS JOIN LATERAL (
    SELECT coalesce(sum((c.detail ->> 'refunded')::bigint), 0) AS after_all FROM billing_case c
    JOIN billing_refundpart p ON p.id = c.refund_part_id
    WHERE p.refund_id = f.id AND c.resolution = 'ahead') judged"""
OF_RETURNS = (
    (
        "advances_are_what_is_undecided",
        "What the book holds as advances in a realm is what went back ahead of its undecided returns.",
        f"""
        SELECT coalesce(b.realm_id, d.realm_id) AS realm, b.minor AS book, d.minor AS open
        FROM (SELECT realm_id, currency, sum(minor) AS minor FROM (
                  SELECT realm_id, currency, amount_minor AS minor FROM ledger_posting WHERE debit_account = 'advances'
                  UNION ALL SELECT realm_id, currency, -amount_minor FROM ledger_posting
                  WHERE credit_account = 'advances') sides GROUP BY 1, 2) b
        FULL JOIN (SELECT realm_id, currency, sum(minor) AS minor FROM ({_AHEAD}) a
                   WHERE state IN ('advanced', 'refused') GROUP BY 1, 2) d
             ON d.realm_id = b.realm_id AND d.currency = b.currency
        WHERE coalesce(b.minor, 0) <> coalesce(d.minor, 0)
        """,  # noqa: S608  our own names
    ),
    (
        "each_return_ends_in_the_book_once",
        "What went back ahead of a return is borne by whom its end says, and by nobody else.",
        f"""
        SELECT coalesce(a.id, p.cause_id) AS id, a.state, a.minor, p.* FROM ({_AHEAD}) a
        FULL JOIN (SELECT cause_id,
                          coalesce(sum(amount_minor) FILTER (WHERE kind = 'return_confirmed'), 0) AS merchant,
                          coalesce(sum(amount_minor) FILTER (WHERE kind = 'return_denied'), 0) AS person,
                          coalesce(sum(amount_minor) FILTER (WHERE kind = 'return_borne'), 0) AS ours
                   FROM ledger_posting WHERE kind IN ('return_confirmed', 'return_denied', 'return_borne')
                     AND line = 0 GROUP BY 1) p ON p.cause_id = a.id
        WHERE (coalesce(p.merchant, 0), coalesce(p.person, 0), coalesce(p.ours, 0)) IS DISTINCT FROM (
            CASE WHEN a.state = 'confirmed' THEN a.arrived ELSE 0 END::numeric,
            CASE WHEN a.state = 'denied' THEN a.arrived ELSE 0 END::numeric,
            CASE WHEN a.state = 'borne' THEN a.arrived ELSE 0 END::numeric)
        """,  # noqa: S608  our own names
    ),
    (
        "an_order_says_what_was_advanced",
        "What an order's merchant does not bear arrived ahead of returns not confirmed, less what they gave back.",
        f"""
        SELECT o.id, o.advanced_minor, coalesce(a.minor, 0) AS ahead FROM orders_order o
        LEFT JOIN (SELECT order_id, sum(arrived) AS minor FROM ({_AHEAD}) x WHERE state <> 'confirmed' GROUP BY 1) a
             ON a.order_id = o.id
        LEFT JOIN (
            SELECT t.order_id, sum(p.minor) AS minor FROM (
                SELECT taken_id, amount_minor AS minor FROM billing_refundpart WHERE state NOT IN ('failed', 'not_sent')
                UNION ALL SELECT p.taken_id, (c.detail ->> 'refunded')::bigint FROM billing_case c
                JOIN billing_refundpart p ON p.id = c.refund_part_id WHERE c.resolution = 'merchant') p
            JOIN billing_deductionline t ON t.id = p.taken_id
            JOIN orders_obligation b ON b.id = t.obligation_id AND b.kind = 'advance' GROUP BY 1) g
             ON g.order_id = o.id
        WHERE o.advanced_minor <> coalesce(a.minor, 0) - coalesce(g.minor, 0)
        """,  # noqa: S608  our own names
    ),
    (
        "what_is_owed_for_returns_was_denied",
        "An obligation for an advance is what arrived ahead of a return that was denied, and there is no other.",
        f"""
        SELECT coalesce(b.order_id, a.order_id) AS order_id, b.minor AS owed, a.minor AS denied
        FROM (SELECT order_id, sum(amount_minor) AS minor FROM orders_obligation WHERE kind = 'advance' GROUP BY 1) b
        FULL JOIN (SELECT order_id, sum(arrived) AS minor FROM ({_AHEAD}) x
                   WHERE state = 'denied' AND arrived > 0 GROUP BY 1) a ON a.order_id = b.order_id
        WHERE b.minor IS DISTINCT FROM a.minor
        """,  # noqa: S608  our own names
    ),
    (
        "only_ahead_of_a_return_is_advanced",
        "A refund is ours exactly if it stands ahead of a return.",
        """
        SELECT f.id, f.advanced, t.id AS returned FROM billing_refund f
        LEFT JOIN billing_return t ON t.advance_id = f.id WHERE f.advanced <> (t.id IS NOT NULL)
        """,
    ),
)
