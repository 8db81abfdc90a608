"""Invariants of every lifecycle's history: name, description, and a query that must return no rows."""

LIFECYCLE_TABLES = (
    "merchants_merchant",
    "credit_agreement",
    "orders_order",
    "orders_obligation",
    "orders_concern",
    "billing_deduction",
    "billing_dispute",
    "billing_refund",
    "billing_refundpart",
    "billing_return",
    "billing_settlement",
    "billing_payoutaccount",
    "billing_payout",
    "office_proposal",
)
LIFECYCLE_INVARIANTS = tuple(
    (
        f"{table}_history_is_complete",
        "A row's history numbers its versions without gaps, follows the legal transitions, and ends in its state.",
        f"""
        SELECT s.id, s.state, s.version, h.* FROM {table} s
        LEFT JOIN LATERAL (
            SELECT count(*) AS lines, max(seq) AS last,
                   (array_agg(target ORDER BY seq DESC))[1] AS ends_as,
                   bool_and(source = before) AS joined,
                   bool_and(source = target OR EXISTS (
                       SELECT 1 FROM kernel_legalmove m
                       WHERE m.lifecycle = '{table}' AND m.source = e.source AND m.target = e.target)) AS legal
            FROM (SELECT *, lag(target, 1, '') OVER (ORDER BY seq) AS before FROM {table}event
                  WHERE subject_id = s.id) e) h ON true
        WHERE (h.lines, h.last, h.ends_as, h.joined, h.legal)
              IS DISTINCT FROM (s.version::bigint, s.version, s.state, true, true)
        """,  # noqa: S608  our own names
    )
    for table in LIFECYCLE_TABLES
)
