"""Invariants of the ledger's closed days: name, description, and a query that must return no rows."""

LEDGER_INVARIANTS = (
    (
        "closed_days_count_postings",
        "A closed day has as many postings as were sealed, and no closed period has any outside of a closed day.",
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
        "closed_balances_match_postings",
        "An account's balance after a closed day equals the balance before it and the day's postings.",
        """
        WITH kept AS (
            SELECT d.realm_id, d.covers_on, b.code, b.currency, b.stands_minor,
                   b.stands_minor - lag(b.stands_minor, 1, 0::bigint) OVER (
                       PARTITION BY d.realm_id, b.code, b.currency ORDER BY d.covers_on) AS moved
            FROM ledger_closedbalance b JOIN ledger_closedday d ON d.id = b.day_id),
        booked AS (
            SELECT d.realm_id, d.covers_on, s.code, s.currency, sum(s.minor) AS moved FROM ledger_closedday d JOIN (
                SELECT realm_id, at, debit_account AS code, currency, amount_minor AS minor FROM ledger_posting
                UNION ALL SELECT realm_id, at, credit_account, currency, -amount_minor FROM ledger_posting) s
                ON s.realm_id = d.realm_id AND s.at >= d.covers_from AND s.at < d.covers_until
            GROUP BY 1, 2, 3, 4)
        SELECT coalesce(k.realm_id, b.realm_id) AS realm, coalesce(k.covers_on, b.covers_on) AS day,
               coalesce(k.code, b.code) AS code, k.stands_minor::text, k.moved::text, b.moved::text AS booked
        FROM kept k FULL JOIN booked b ON (b.realm_id, b.covers_on, b.code, b.currency)
                                        = (k.realm_id, k.covers_on, k.code, k.currency)
        WHERE k.code IS NULL OR k.moved <> coalesce(b.moved, 0)
        UNION ALL
        SELECT realm_id, covers_on, 'accounts missing', n::text, before::text, NULL FROM (
            SELECT d.realm_id, d.covers_on, count(b.id) AS n, lag(count(b.id)) OVER (
                PARTITION BY d.realm_id ORDER BY d.covers_on) AS before
            FROM ledger_closedday d LEFT JOIN ledger_closedbalance b ON b.day_id = d.id GROUP BY 1, 2) c
        WHERE n < before
        """,
    ),
    (
        "closed_days_are_a_chain",
        "Each closed day has the digest of the one before it, and its parts add up to it.",
        """
        SELECT d.id, d.covers_on FROM (
            SELECT *, lag(digest, 1, '') OVER (PARTITION BY realm_id ORDER BY covers_on) AS before
            FROM ledger_closedday) d
        LEFT JOIN LATERAL (SELECT sum(postings) AS n FROM ledger_closedpart WHERE day_id = d.id) p ON true
        WHERE d.previous <> d.before OR p.n IS DISTINCT FROM d.postings
        """,
    ),
    (
        "triggers_are_enabled",
        "No trigger is disabled, and no session can disable one: `manage.py grant` ensures it.",
        """
        SELECT tgrelid::regclass::text AS guards, tgname AS name FROM pg_trigger
        WHERE tgname LIKE 'pgtrigger%' AND tgenabled IN ('D', 'R')
        UNION ALL
        SELECT 'all', proname FROM pg_proc WHERE proname = '_pgtrigger_should_ignore' AND prosrc <> 'SELECT false'
        """,
    ),
)
