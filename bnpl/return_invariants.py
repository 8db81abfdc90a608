"""Invariants of returns and their early refunds: name, description, and a query that must return no rows."""

#: The early refund of each return: what was or is being refunded, and what a colleague recorded as refunded after all.
_EARLY_REFUNDS = """SELECT t.id, t.realm_id, t.order_id, t.state, t.currency, f.state AS refund, after_all + coalesce((
    SELECT sum(p.amount_minor) FROM billing_refundpart p
    WHERE p.refund_id = f.id AND p.state NOT IN ('failed', 'not_sent')), 0) AS minor,
    f.returned_minor + after_all AS arrived
FROM billing_return t JOIN billing_refund f ON f.id = t.advance_id CROSS JOIN LATERAL (
    SELECT coalesce(sum((c.detail ->> 'refunded')::bigint), 0) AS after_all FROM billing_case c
    JOIN billing_refundpart p ON p.id = c.refund_part_id
    WHERE p.refund_id = f.id AND c.resolution = 'ahead') judged"""
RETURN_INVARIANTS = (
    (
        "advances_match_open_returns",
        "The advances of a realm in the ledger equal the early refunds of its undecided returns.",
        f"""
        SELECT coalesce(b.realm_id, d.realm_id) AS realm, b.minor AS book, d.minor AS open
        FROM (SELECT realm_id, currency, sum(minor) AS minor FROM (
                  SELECT realm_id, currency, amount_minor AS minor FROM ledger_posting WHERE debit_account = 'advances'
                  UNION ALL SELECT realm_id, currency, -amount_minor FROM ledger_posting
                  WHERE credit_account = 'advances') sides GROUP BY 1, 2) b
        FULL JOIN (SELECT realm_id, currency, sum(minor) AS minor FROM ({_EARLY_REFUNDS}) a
                   WHERE state IN ('advanced', 'refused') GROUP BY 1, 2) d
             ON d.realm_id = b.realm_id AND d.currency = b.currency
        WHERE coalesce(b.minor, 0) <> coalesce(d.minor, 0)
        """,  # noqa: S608  our own names
    ),
    (
        "returns_posted_once",
        "The early refund of a decided return is posted once, to the party that bears it.",
        f"""
        SELECT coalesce(a.id, p.cause_id) AS id, a.state, a.minor, p.* FROM ({_EARLY_REFUNDS}) a
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
        "order_advances_match_returns",
        "An order's advanced amount equals the early refunds of its unconfirmed returns, less what the person repaid.",
        f"""
        SELECT o.id, o.advanced_minor, coalesce(a.minor, 0) AS ahead FROM orders_order o
        LEFT JOIN (SELECT order_id, sum(arrived) AS minor FROM ({_EARLY_REFUNDS}) x
                   WHERE state <> 'confirmed' GROUP BY 1) a ON a.order_id = o.id
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
        "advance_obligations_match_denied_returns",
        "An advance obligation equals the early refund of a denied return, and each such refund has one.",
        f"""
        SELECT coalesce(b.order_id, a.order_id) AS order_id, b.minor AS owed, a.minor AS denied
        FROM (SELECT order_id, sum(amount_minor) AS minor FROM orders_obligation WHERE kind = 'advance' GROUP BY 1) b
        FULL JOIN (SELECT order_id, sum(arrived) AS minor FROM ({_EARLY_REFUNDS}) x
                   WHERE state = 'denied' AND arrived > 0 GROUP BY 1) a ON a.order_id = b.order_id
        WHERE b.minor IS DISTINCT FROM a.minor
        """,  # noqa: S608  our own names
    ),
    (
        "early_refunds_have_a_return",
        "A refund is advanced exactly if it is the early refund of a return.",
        """
        SELECT f.id, f.advanced, t.id AS returned FROM billing_refund f
        LEFT JOIN billing_return t ON t.advance_id = f.id WHERE f.advanced <> (t.id IS NOT NULL)
        """,
    ),
)
