"""What must always be true of every life with a history: name, sentence, a query that returns no rows."""

LIVES = (
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
OF_LIVES = tuple(
    (
        f"{life}_history_is_whole",
        "A row's history counts its versions without gaps, follows the legal moves, and ends in its state.",
        f"""
        SELECT s.id, s.state, s.version, h.* FROM {life} s
        LEFT JOIN LATERAL (
            SELECT count(*) AS lines, max(seq) AS last,
                   (array_agg(target ORDER BY seq DESC))[1] AS ends_as,
                   bool_and(source = before) AS joined,
                   bool_and(source = target OR EXISTS (
                       SELECT 1 FROM kernel_legalmove m
                       WHERE m.lifecycle = '{life}' AND m.source = e.source AND m.target = e.target)) AS legal
            FROM (SELECT *, lag(target, 1, '') OVER (ORDER BY seq) AS before FROM {life}event
                  WHERE subject_id = s.id) e) h ON true
        WHERE (h.lines, h.last, h.ends_as, h.joined, h.legal)
              IS DISTINCT FROM (s.version::bigint, s.version, s.state, true, true)
        """,  # noqa: S608  our own names
    )
    for life in LIVES
)
