"""Invariants of merchants' events and webhooks: name, description, and a query that must return no rows."""

EVENT_INVARIANTS = (
    (
        "event_sequences_have_no_gaps",
        "The events of a subject are numbered from one without gaps.",
        """
        SELECT subject_id, count(*) AS n, max(sequence) AS last FROM merchants_event
        GROUP BY subject_id HAVING count(*) <> max(sequence)
        """,
    ),
    (
        "event_transactions_are_of_this_cluster",
        "No event has a transaction id that this cluster has not reached: the feed would hide it for years.",
        """
        SELECT id, xact FROM merchants_event WHERE xact >= pg_snapshot_xmax(pg_current_snapshot())
                                               AND xact IS DISTINCT FROM pg_current_xact_id_if_assigned()
        """,
    ),
    (
        "delivered_webhook_has_2xx_attempt",
        "A delivered webhook has an attempt that was answered with 2xx.",
        """
        SELECT d.id, d.tries FROM merchants_webhookdelivery d WHERE d.state = 'delivered' AND NOT EXISTS (
            SELECT 1 FROM merchants_webhookattempt a
            WHERE a.delivery_id = d.id AND a.status BETWEEN 200 AND 299 AND a.error = '')
        """,
    ),
    (
        "webhooks_go_to_own_merchant",
        "An event is delivered only to endpoints of its own merchant and realm.",
        """
        SELECT d.id FROM merchants_webhookdelivery d JOIN merchants_event v ON v.id = d.event_id
        JOIN merchants_webhookendpoint p ON p.id = d.endpoint_id JOIN merchants_merchant m ON m.id = p.merchant_id
        WHERE v.merchant_id <> p.merchant_id OR d.realm_id <> ALL (ARRAY[v.realm_id, p.realm_id, m.realm_id])
        """,
    ),
)
