"""Invariants of the operations console: report tallies match the histories, and the audit chain is complete."""

from uuid import UUID

from office.queries.streams import STREAMS, Stream


def _stream_query(stream: Stream) -> str:
    """SQL for the events of a stream up to where it was counted, in any time zone since days do not matter here."""
    upto = f"(SELECT last FROM office_counted WHERE stream = '{stream.name}')"  # noqa: S608  our own name
    return stream.sql % {"after": f"'{UUID(int=0)}'::uuid", "upto": upto, "zone": "'UTC'"}


TALLY_INVARIANTS = [
    *(
        (
            f"{stream.name}_are_counted_once",
            "What was counted of a history equals its events, as far as it was counted.",
            f"""
            SELECT metric, f.number AS said, t.number AS counted
            FROM (SELECT metric, count(*) AS number FROM ({_stream_query(stream)}) f GROUP BY 1) f
            FULL JOIN (SELECT metric, sum(number)::bigint AS number FROM office_tally WHERE merchant_id IS NULL
                       AND metric IN ({", ".join(f"'{metric}'" for metric in stream.metrics)}) GROUP BY 1) t
                 USING (metric)
            WHERE f.number IS DISTINCT FROM t.number
            """,  # noqa: S608  our own names
        )
        for stream in STREAMS.values()
    ),
    (
        "tally_totals_match_merchants",
        "The tally of all merchants equals the sum of the tallies of each.",
        """
        SELECT realm_id, day_on, metric, key, currency FROM office_tally GROUP BY 1, 2, 3, 4, 5
        HAVING (coalesce(sum(number) FILTER (WHERE merchant_id IS NULL), 0),
                coalesce(sum(amount_minor) FILTER (WHERE merchant_id IS NULL), 0))
            <> (coalesce(sum(number) FILTER (WHERE merchant_id IS NOT NULL), 0),
                coalesce(sum(amount_minor) FILTER (WHERE merchant_id IS NOT NULL), 0))
        """,
    ),
]
_STAFF = "starts_with(by, 'staff:') AND position('+' IN by) = 0"
_SINCE = "(SELECT min(applied) FROM django_migrations WHERE app = 'office' AND name = '0002_proposals')"
DUAL_APPROVAL_INVARIANTS = (
    (
        "dual_approval_was_applied",
        "Each action that needs dual approval has the names of two colleagues, since proposals exist.",
        f"""
        SELECT id, kind, by FROM orders_orderevent
        WHERE kind IN ('written_off', 'fees_waived') AND {_STAFF} AND recorded_at > {_SINCE}
        UNION ALL SELECT id, kind, by FROM billing_deductionevent
        WHERE kind = 'said_by_colleagues' AND {_STAFF} AND recorded_at > {_SINCE}
        UNION ALL SELECT id, kind, by FROM accounts_accountevent
        WHERE kind IN ('roles_changed', 'staff_created', 'left', 'let_back_in', 'password_forgotten')
          AND {_STAFF} AND recorded_at > {_SINCE}
        UNION ALL SELECT id, 'limit', by FROM credit_limitchange WHERE {_STAFF}
        """,  # noqa: S608  our own names
    ),
    (
        "limit_matches_last_change",
        "A person's limit that colleagues set in a currency equals their last change of it.",
        """
        SELECT p.person_id, p.currency, p.limit_minor, l.limit_minor AS set_to FROM (
            SELECT person_id, currency, limit_minor FROM credit_profile
            UNION ALL SELECT person_id, currency, limit_minor FROM credit_currencylimit) p
        JOIN LATERAL (SELECT limit_minor FROM credit_limitchange c
                      WHERE c.person_id = p.person_id AND c.currency = p.currency ORDER BY id DESC LIMIT 1) l ON true
        WHERE p.limit_minor <> l.limit_minor
        """,
    ),
)
#: Checked by kernel.audit and not by a query: the seals are keyed, and the database does not have the key.
AUDIT_INVARIANT = (
    "audit_chain_is_complete",
    "Each audit entry is chained to the one before by its seal, from first to last.",
    "",
)
