"""How much is under way at once to whom, and the question that takes up no more than there is room for."""

#: Under way at once to an endpoint that answers, and to one that does not; and to all of a merchant's together.
WIDTH, WIDTH_TROUBLED, WIDTH_CLOSED, WIDTH_MERCHANT = 8, 1, 500, 32
#: Of what an endpoint has room for, each of a merchant's endpoints gets its first before any gets its second. What is
#: only to be given up, as its endpoint is off, takes the room that is left. Taking up waits for no disk: a lease that
#: PostgreSQL loses by falling was only a promise not to send the same twice at once. What came back waits for it, and
#: takes all that was written before along.
TAKE_UP = """
SET LOCAL synchronous_commit = off;
UPDATE merchants_webhookdelivery AS w SET tries = w.tries + 1, leased_until = now() + %(lease)s
FROM (
    SELECT id, at FROM (
        SELECT d.id, e.at, e.enabled, e.theirs,
               row_number() OVER (PARTITION BY e.merchant_id, e.enabled ORDER BY d.nth, random()) AS place
        FROM (
            SELECT e.*, e.state = 'enabled' AS enabled, t.at, f.going,
                   sum(f.going) OVER (PARTITION BY e.merchant_id) AS theirs
            FROM unnest(%(realms)s::bigint[], %(times)s::timestamptz[]) AS t (realm, at)
            JOIN merchants_webhookendpoint e ON e.realm_id = t.realm AND (e.failing_from IS NOT NULL) = ANY (%(lanes)s)
            CROSS JOIN LATERAL (
                SELECT count(*) AS going FROM merchants_webhookdelivery
                WHERE endpoint_id = e.id AND leased_until > now() AND next_at IS NOT NULL) f) e
        CROSS JOIN LATERAL (
            SELECT id, row_number() OVER (ORDER BY next_at, id) AS nth FROM (
                SELECT id, next_at FROM merchants_webhookdelivery
                WHERE endpoint_id = e.id AND next_at <= e.at AND (leased_until IS NULL OR leased_until <= now())
                ORDER BY next_at, id
                LIMIT greatest(0, CASE WHEN NOT e.enabled THEN least(%(closed)s, %(limit)s)
                                       WHEN e.failing_from IS NOT NULL THEN %(troubled)s ELSE %(width)s END - e.going)
                FOR NO KEY UPDATE SKIP LOCKED) due) d) mine
    WHERE NOT enabled OR place <= %(merchant)s - theirs
    ORDER BY NOT enabled, random() LIMIT %(limit)s) AS due
WHERE w.id = due.id
RETURNING w.id, due.at
"""
