"""Limits for concurrent deliveries, and the SQL that claims due deliveries within them."""

#: Deliveries in flight at once: to a healthy endpoint, to a failing one, to a disabled one (they are only given up),
#: and to all endpoints of a merchant together.
ENDPOINT_MAX, FAILING_ENDPOINT_MAX, DISABLED_ENDPOINT_MAX, MERCHANT_MAX = 8, 1, 500, 32
#: Of a merchant's free slots, each of its endpoints gets its first delivery before any gets its second. Deliveries of
#: disabled endpoints, which are only given up, take the slots that are left. Claiming does not wait for the disk: if
#: PostgreSQL crashes and loses a lease, the worst is that a request is sent twice. Settling does wait for the disk, and
#: with it for everything written before.
CLAIM_DUE_SQL = """
SET LOCAL synchronous_commit = off;
UPDATE merchants_webhookdelivery AS w SET tries = w.tries + 1, leased_until = now() + %(lease)s
FROM (
    SELECT id, at FROM (
        SELECT d.id, e.at, e.enabled, e.merchant_in_flight,
               row_number() OVER (PARTITION BY e.merchant_id, e.enabled ORDER BY d.nth, random()) AS place
        FROM (
            SELECT e.*, e.state = 'enabled' AS enabled, t.at, f.in_flight,
                   sum(f.in_flight) OVER (PARTITION BY e.merchant_id) AS merchant_in_flight
            FROM unnest(%(realms)s::bigint[], %(times)s::timestamptz[]) AS t (realm, at)
            JOIN merchants_webhookendpoint e
                ON e.realm_id = t.realm AND (e.failing_from IS NOT NULL) = ANY (%(failing)s)
            CROSS JOIN LATERAL (
                SELECT count(*) AS in_flight FROM merchants_webhookdelivery
                WHERE endpoint_id = e.id AND leased_until > now() AND next_at IS NOT NULL) f) e
        CROSS JOIN LATERAL (
            SELECT id, row_number() OVER (ORDER BY next_at, id) AS nth FROM (
                SELECT id, next_at FROM merchants_webhookdelivery
                WHERE endpoint_id = e.id AND next_at <= e.at AND (leased_until IS NULL OR leased_until <= now())
                ORDER BY next_at, id
                LIMIT greatest(0, CASE WHEN NOT e.enabled THEN least(%(disabled_max)s, %(limit)s)
                                       WHEN e.failing_from IS NOT NULL THEN %(failing_max)s
                                       ELSE %(endpoint_max)s END - e.in_flight)
                FOR NO KEY UPDATE SKIP LOCKED) due) d) candidates
    WHERE NOT enabled OR place <= %(merchant_max)s - merchant_in_flight
    ORDER BY NOT enabled, random() LIMIT %(limit)s) AS due
WHERE w.id = due.id
RETURNING w.id, due.at
"""
