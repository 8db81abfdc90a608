"""What must always be true of the book's closed days: name, sentence, a query that returns no rows."""

OF_THE_BOOK = (
    (
        "closed_days_have_the_postings_they_say",
        "A closed day has as many postings as were sealed, and no closed span has any outside of one.",
        """
        SELECT coalesce(d.realm_id, p.realm_id) AS realm, d.covers_on, d.postings, p.n FROM ledger_closedday d
        FULL JOIN (
            SELECT g.realm_id, (g.at AT TIME ZONE 'Asia/Shanghai')::date AS day, count(*) AS n FROM ledger_posting g
            JOIN ledger_closing c ON c.realm_id = g.realm_id AND g.at < c.closed_until GROUP BY 1, 2) p
            ON p.realm_id = d.realm_id AND p.day = d.covers_on
        WHERE d.postings IS DISTINCT FROM p.n
          AND (d.id IS NOT NULL
               OR p.day < (SELECT max(covers_on) FROM ledger_closedday x WHERE x.realm_id = p.realm_id))
        """,
    ),
    (
        "closed_days_are_a_chain",
        "Each closed day names the digest of the one before it, and its parts add up to it.",
        """
        SELECT d.id, d.covers_on FROM (
            SELECT *, lag(digest, 1, '') OVER (PARTITION BY realm_id ORDER BY covers_on) AS before
            FROM ledger_closedday) d
        LEFT JOIN LATERAL (SELECT sum(postings) AS n FROM ledger_closedpart WHERE day_id = d.id) p ON true
        WHERE d.previous <> d.before OR p.n IS DISTINCT FROM d.postings
        """,
    ),
)
